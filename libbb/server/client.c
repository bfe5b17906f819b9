/* client.c: a connection to a session, and its read position in the session's ring.
 *
 * Clients stand in one static table, the first free place first, so that its pages are touched only
 * as far as there are clients.  What it says is client_input.c's, what it is told client_output.c's; here it is served: when
 * its output begins, how long it is waited for, and how it leaves.
 *
 * Leaving takes three steps, so that not a byte is lost on the way: what the ring still holds for
 * the client is written, then the writing side is shut, then its own late input is read and
 * dropped until it closes as well.  Closing a socket with unread input would reset the connection
 * and throw away what is still on its way to the client (RFC 1122, 4.2.2.13).
 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>
#include "server.h"

enum {
	STALL = 30000,    /* ms: takes nothing at all, and the command or the end waits for it */
	LINGER = 500,     /* ms for a client to close after us */
	LOOK = 100,       /* ms between looks at what is still under way to one that does not */
	CHECK = 30000,    /* ms between looks at a peer that owes acknowledgements, */
	CHECK_EOF = 2000, /* and at one that half-closed: no event would tell its end */
	UNHEARD = 10000, /* ms between words to one whose input cannot be read yet, nor its pings */
	SILENT_NEW = 200,     /* ms until a client that said nothing is served raw, */
	SILENT_FRAMED = 3000, /* or on a framed socket as a framed one */
	HELLO_WAIT = 1000, /* ms for a first packet that has begun, or from one that is refused */
	REFUSED = 8,       /* clients that are refused and have not left yet */
};

struct client_rules client_rules;
int client_count, client_alive;
static struct client table[LOOP_MAX] LARGE;
static int used;               /* no place from here on ever was */
static struct client *refused; /* the oldest first */

static struct client *of(struct source *src)
{
	return (struct client *)src;
}

static int session_done(const struct client *c)
{
	return c->session && c->session->over && !c->session->stays;
}

static void report(const struct client *c, const char *what)
{
	if (client_rules.verbose)
		warn(c->name, ": ", what);
}

static void leave(struct client **list, const struct client *c)
{
	while (*list && *list != c)
		list = &(*list)->next;
	if (*list)
		*list = c->next;
}

static void detach(struct client *c)
{
	struct session *s = c->session;

	if (!s)
		return;
	leave(&s->clients, c);
	client_count--;
	c->session = 0;
	hear_size(s, 0);
}

static void gone(struct client *c, const char *why)
{
	report(c, why);
	detach(c);
	leave(&refused, c);
	loop_close(&c->src);
	if (CFG_INTERACTIVE && c->tty)
		term_restore();
}

static void bury(struct source *src)
{
	wire_close(&of(src)->wire);
	client_alive--;
}

/* Everything is written: shut our side and wait for theirs. */
static void finish(struct client *c)
{
	if (session_done(c))
		c->session->collected = 1;
	c->shut = 1;
	c->since = loop_now;
	if (c->tty || shutdown(c->src.fd, SHUT_WR) || c->fin)
		gone(c, "closed");
}

/* ---- output ---- */

static void output(struct client *c)
{
	int moved = say_more(c);

	if (moved < 0) {
		gone(c, msg_errno());
	} else if (moved) {
		c->since = loop_now;
		if (!c->check)
			c->check = loop_now + CHECK;
	}
}

void client_feed(struct session *s, uint64_t before)
{
	for (struct client *c = s->clients, *next; c; c = next) {
		next = c->next;
		if (c->talks && c->pos == before)
			output(c);
	}
}

/* Its output begins, with the oldest byte that is kept. */
static void talk(struct client *c)
{
	c->talks = 1;
	if (c->session)
		c->pos = ring_oldest(&c->session->ring);
}

/* ---- the end ---- */

void client_dismiss(struct client *c, const char *why, int status)
{
	char line[128];
	struct text t = {line, line + sizeof line};
	int failed = 0;

	report(c, why);
	detach(c);
	c->refusal = 0;
	c->ending = 1;
	text_str(&t, msg_applet);
	text_str(&t, ": ");
	text_str(&t, why);
	if (say_extended(c)) {
		failed = say_notice(c, &t, line);
		if (status >= 0)
			failed |= wire_frame(&c->wire, FRAME_EXIT, status, 0);
	} else {
		text_str(&t, "\r\n");
		failed = wire_text(&c->wire, &t, line);
	}
	if (failed)
		gone(c, msg_errno());
	else
		output(c);
}

static void idle(struct client *c)
{
	if (say_extended(c)) {
		client_dismiss(c, "closed: nothing typed for too long", -1);
		return;
	}
	report(c, "idle");
	detach(c);
	finish(c);
}

void client_tell(struct session *s, const char *words)
{
	struct text t = {(char *)(uintptr_t)words, (char *)(uintptr_t)words};

	while (*t.at)
		t.at++;
	for (struct client *c = s->clients; c; c = c->next)
		if (say_extended(c) && c->wire.out.len < QUEUE_SIZE / 2 &&
			(say_notice(c, &t, words) || wire_frame(&c->wire, FRAME_DATA, 0, 0)))
			c->broken = 1;
}

static void end(struct client *c)
{
	if (session_done(c) && say_extended(c) && !c->ending) {
		c->ending = 1;
		if (!wire_frame(&c->wire, FRAME_EXIT, c->session->status, 0))
			output(c);
	}
	if (!c->src.closed && !say_pending(c))
		finish(c);
}

/* What is under way from a session gets there if we wait; if it does not move, or all is there, that was it. */
static void linger(struct client *c)
{
	int unsent = sock_unsent(c->src.fd);

	if (unsent != c->unsent)
		c->since = loop_now;
	c->unsent = unsent;
	c->look = loop_now + LOOK;
	if (loop_now - c->since >= (unsent && c->session ? STALL : LINGER))
		gone(c, "closed");
}

/* ---- input ---- */

static int spoke(const struct client *c)
{
	return c->mode == CLIENT_RAW || c->packets;
}

/* What it said may have settled its mode, and may want an answer. */
static void answer(struct client *c)
{
	int welcomed = say_extended(c) && !c->welcomed && c->session;

	if (c->refusal) {
		if (spoke(c))
			client_dismiss(c, c->refusal, c->refusal_status);
		return;
	}
	if (!c->talks && spoke(c))
		talk(c);
	if (welcomed) {
		c->welcomed = 1;
		c->replay = c->session->replays;
		c->replay_end = c->session->ring.head;
	}
	if (say_pending(c) || c->replay)
		output(c);
}

static void over(struct client *c)
{
	int why = errno;

	c->fin = 1;
	if (!c->shut)
		hear_nothing_more(c);
	if (c->mode == CLIENT_RAW)
		c->eof = 1;
	errno = why;
	/* a raw client's half-close: no more input, and maybe gone altogether */
	if (why || c->shut || c->tty || !c->eof || sock_lost(c->src.fd)) {
		gone(c, why ? msg_errno() : "closed");
		return;
	}
	c->check = loop_now + CHECK_EOF;
	answer(c);
}

static void take(struct client *c, const unsigned char *data, size_t n)
{
	if (c->shut || c->ending)
		return;
	if (hear(c, data, n))
		gone(c, "protocol error");
	else
		answer(c);
}

static void input(struct client *c)
{
	static unsigned char buf[8192] LARGE;
	ssize_t n = wire_read(&c->wire, buf, sizeof buf);

	if (n < 0)
		over(c);
	else if (n > 0)
		take(c, buf, n);
}

/* ---- turn by turn ---- */

/* The times at which a client is looked at again though nothing happened. */
static msec stalled_at(const struct client *c)
{
	return say_pending(c) ? c->since + STALL : NEVER;
}

static msec idle_at(const struct client *c)
{
	int counts = client_rules.idle && c->session && !c->watch && !c->tty;

	return counts ? c->typed + client_rules.idle : NEVER;
}

msec client_silent_at(const struct client *c)
{
	if (c->first_len)
		return c->heard + HELLO_WAIT;
	return c->began + (c->refusal                   ? HELLO_WAIT :
				  c->mode == CLIENT_NEW ? SILENT_NEW :
							  SILENT_FRAMED);
}

/* Asked again when its turn to be read comes: those before it may have filled the terminal. */
static int listened_to(const struct client *c)
{
	const struct session *s = c->session;

	if (c->fin || c->shut)
		return !c->fin;
	return c->wire.out.len < QUEUE_SIZE / 2 &&
	       (c->watch || !s || session_takes_input(s, c->typed_to));
}

/* Its output has not begun, or what it is. */
static int undecided(const struct client *c)
{
	return (!c->talks || c->first_len) && !c->ending;
}

static unsigned want(struct source *src, msec *due)
{
	struct client *c = of(src);
	unsigned wants = listened_to(c) ? LOOP_READ : 0;

	if (!wants && !c->check)
		c->check = loop_now + CHECK_EOF; /* no event would tell its end */
	if (CFG_FRAMED) {
		if (wants || !say_extended(c) || c->ending)
			c->speak_at = NEVER;
		else if (c->speak_at == NEVER)
			c->speak_at = loop_now + UNHEARD;
		due_at(due, c->speak_at);
	}
	if (c->broken)
		due_at(due, loop_now);
	if (c->check)
		due_at(due, c->check);
	if (c->shut) {
		due_at(due, c->look);
		return wants;
	}
	if (undecided(c))
		due_at(due, client_silent_at(c));
	if (!c->waits)
		c->since = loop_now;
	c->waits = say_pending(c) != 0;
	if (c->waits) {
		wants |= LOOP_WRITE;
		due_at(due, stalled_at(c));
	} else if (c->ending || (c->talks && session_done(c))) {
		due_at(due, loop_now);
	}
	due_at(due, idle_at(c));
	return wants;
}

static void check(struct client *c)
{
	c->check = c->fin ? loop_now + CHECK_EOF : sock_unsent(c->src.fd) ? loop_now + CHECK : 0;
	if (sock_lost(c->src.fd))
		gone(c, "lost");
}

static void silent(struct client *c)
{
	if (c->first_len)
		hear_nothing_more(c);
	if (c->refusal)
		client_dismiss(c, c->refusal, c->refusal_status);
	else if (!c->talks)
		talk(c);
}

/* Unless it was us who slept. */
static void stalled(struct client *c)
{
	const struct session *s = c->session;

	output(c);
	if (c->src.closed || loop_now < stalled_at(c))
		return;
	if (!s || (s->replays && (s->over || session_held(s))))
		gone(c, "takes nothing");
	else /* it keeps nobody waiting, or is the only one and waited for */
		c->since = loop_now;
}

/* It may be asking whether we live, and takes us for dead when it gets no answer. */
static void speak(struct client *c)
{
	c->speak_at = loop_now + UNHEARD;
	if (!c->wire.out.len)
		c->broken |= wire_frame(&c->wire, FRAME_PING, 0, 0);
	output(c);
}

static void clock_ready(struct client *c)
{
	if (c->broken)
		gone(c, "takes nothing");
	else if (c->check && loop_now >= c->check)
		check(c);
	if (c->src.closed)
		return;
	if (c->shut)
		linger(c);
	else if (undecided(c) && loop_now >= client_silent_at(c))
		silent(c);
	else if (!say_pending(c) && (c->ending || (c->talks && session_done(c))))
		end(c);
	else if (loop_now >= idle_at(c))
		idle(c);
	else if (CFG_FRAMED && loop_now >= c->speak_at)
		speak(c);
	else if (loop_now >= stalled_at(c))
		stalled(c);
}

static void ready(struct source *src, unsigned what)
{
	struct client *c = of(src);

	if (what & LOOP_TIME)
		clock_ready(c);
	else if (what & LOOP_WRITE)
		output(c);
	else if (listened_to(c))
		input(c);
}

static struct client *place(int fd, const char *name, int mode)
{
	struct client *c = table;
	struct text t;

	while (c->src.linked) /* there are as many places as descriptors */
		c++;
	if (c - table >= used)
		used = c - table + 1;
	*c = (struct client){.src = {.fd = fd, .want = want, .ready = ready, .bury = bury}};
	t = (struct text){c->name, c->name + sizeof c->name - 1};
	text_str(&t, name);
	c->wire.fd = fd;
	c->wary = mode == CLIENT_NEW && sock_is_tcp(fd);
	c->mode = CFG_FRAMED || c->wary ? mode : CLIENT_RAW;
	c->since = c->typed = c->began = loop_now;
	c->speak_at = NEVER;
	client_alive++;
	loop_add(&c->src);
	return c;
}

struct client *client_open(int fd, struct session *s, const char *name, int mode)
{
	struct client *c = place(fd, name, mode);

	c->session = s;
	c->next = s->clients;
	c->watch = client_rules.watch;
	s->clients = c;
	client_count++;
	report(c, "connected");
	answer(c);
	return c;
}

void client_key(struct client *c, struct noise *n, const unsigned char *first, size_t len)
{
	wire_key(&c->wire, n);
	take(c, first, len);
}

void client_forget(void)
{
	for (struct client *c = table; c < table + used; c++)
		if (c->wire.keyed) /* an unkeyed one's page stays shared */
			noise_close(&c->wire.noise);
}

/* Without waiting for its HELLO, to tell it in its own mode, and for it to close. */
int client_evict(void)
{
	struct client *c = refused;

	if (!c)
		return 0;
	if (c->refusal) /* its HELLO may be here */
		input(c);
	if (c->refusal && !c->src.closed)
		silent(c);
	sock_discard(c->src.fd);
	if (!c->src.closed)
		gone(c, "closed");
	return 1;
}

struct client *client_refuse(int fd, const char *name, int mode, const char *why)
{
	struct client *c = place(fd, name, mode), **end = &refused;
	int count = 0;

	for (; *end; end = &(*end)->next)
		count++;
	*end = c;
	if (count == REFUSED)
		client_evict();
	c->refusal = why;
	c->refusal_status = -1;
	answer(c);
	return c;
}
