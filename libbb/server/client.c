/* client.c: a connection to a session, and its read position in the session's ring.
 *
 *	           first bytes, or none for a while            last words, or the session is over
 *	DETECTING ----------------------------------> STREAMING ---------------------------------> CLOSING
 *	    |                                                                                        |
 *	    +------------ refused, and its mode is known (or not, after a second) ------------------>+
 *	                                                                                             |
 *	                  free <---- the peer closes too, or time is up ---- LINGERING <-- all written
 *
 * Its input is OPEN, at EOF (type 104; a raw client's half-close), or HUNG_UP: nothing more can be read.
 * What it says is client_input.c's, what it is told client_output.c's; here it is served: when its
 * output begins, how long it is waited for.  How it leaves is client_end.c's.
 *
 * Clients stand in one static table, the first free slot first, so that its pages are touched only
 * as far as there are clients.
 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>
#include "server.h"

enum {
	CHECK = 30000,     /* ms between looks at a peer that owes acknowledgements, */
	CHECK_DEAF = 2000, /* and at one that is not read: no event would tell its end */
	UNREAD = 10000, /* ms between words to one whose input cannot be read yet, nor its pings */
	SILENT_NEW = 200,     /* ms until a client that said nothing is served raw, */
	SILENT_FRAMED = 3000, /* or on a framed socket as a framed one */
	HELLO_WAIT = 1000, /* ms for a first packet that has begun, or from one that is refused */
	REFUSED = 8,       /* clients that are refused and have not left yet */
};

int client_alive;
static struct client table[LOOP_MAX] LARGE;
static struct viewer viewers[LOOP_MAX] LARGE; /* in the same slots */
static int used;                              /* no slot from here on was ever taken */

static struct client *of(struct source *src)
{
	return (struct client *)src;
}

static void freed(struct source *src)
{
	wire_close(&of(src)->wire);
	client_alive--;
}

/* ---- output ---- */

void client_feed(struct session *s, uint64_t before)
{
	for (struct client *c = s->clients, *next; c; c = next) {
		next = c->next;
		if (c->phase == CLIENT_STREAMING && c->pos == before)
			client_flush(c);
	}
}

static void stream(struct client *c)
{
	c->phase = CLIENT_STREAMING;
	if (c->session)
		client_replay(c);
}

/* ---- input ---- */

static int has_spoken(const struct client *c)
{
	return c->mode != CLIENT_NEW && c->mode != CLIENT_FRAMED;
}

/* After input: start output if the mode is now known, or say why there will be none. */
static void answer(struct client *c)
{
	if (c->refusal) {
		if (has_spoken(c))
			client_dismiss(c, c->refusal, c->refusal_status);
		return;
	}
	if (c->phase == CLIENT_DETECTING && has_spoken(c))
		stream(c);
	if (client_pending(c) || c->replay_due)
		client_flush(c);
}

static void hung_up(struct client *c)
{
	int why = errno, had_eof = c->input == CLIENT_EOF;

	if (c->phase != CLIENT_LINGERING) {
		client_input_settled(c);
		client_input_ended(c);
	}
	c->input = CLIENT_HUNG_UP;
	/* a raw client's half-close: no more input, and maybe gone altogether */
	if (why || c->phase == CLIENT_LINGERING || c->tty || (c->mode != CLIENT_RAW && !had_eof) ||
		sock_lost(c->src.fd)) {
		errno = why;
		client_drop(c, why ? msg_errno() : "closed");
		return;
	}
	answer(c);
}

static void take(struct client *c, const unsigned char *data, size_t n)
{
	if (c->phase >= CLIENT_CLOSING)
		return;
	if (client_input(c, data, n))
		client_drop(c, "protocol error");
	else
		answer(c);
}

static void input(struct client *c)
{
	static unsigned char buf[8192] LARGE;
	ssize_t n = wire_read(&c->wire, buf, sizeof buf);

	c->read_at = loop_now;
	if (n < 0)
		hung_up(c);
	else if (n > 0)
		take(c, buf, n);
}

/* ---- turn by turn ---- */

/* Whether input is read: asked again when the turn to read comes, because the clients before this one may
 * have filled the terminal. */
static int is_read(const struct client *c)
{
	const struct session *s = c->session;

	if (c->input == CLIENT_HUNG_UP || c->phase == CLIENT_LINGERING)
		return c->input != CLIENT_HUNG_UP;
	return c->wire.out.len < QUEUE_SIZE / 2 &&
	       (c->watch || !s || session_takes_input(s, c->typed_to));
}

/* Output is counted from here when it is queued without a write (since is 0): then at once. */
static msec stalled_at(const struct client *c)
{
	return !client_pending(c) ? NEVER : c->since ? c->since + CLIENT_STALL : loop_now;
}

static msec idle_at(const struct client *c)
{
	int counts = client_rules.idle && c->session && !c->watch && !c->tty;

	return counts ? c->typed_at + client_rules.idle : NEVER;
}

msec client_silent_at(const struct client *c)
{
	if (c->first_len)
		return c->first_at + HELLO_WAIT;
	return c->began + (c->refusal                   ? HELLO_WAIT :
				  c->mode == CLIENT_NEW ? SILENT_NEW :
							  SILENT_FRAMED);
}

/* When a client that says nothing, or too little to tell its mode, is served all the same. */
static msec detect_at(const struct client *c)
{
	int undecided =
		c->phase == CLIENT_DETECTING || (c->first_len && c->phase == CLIENT_STREAMING);

	return undecided ? client_silent_at(c) : NEVER;
}

/* When what has come of a sequence is passed on; not before the terminal takes it. */
static msec expire_at(const struct client *c)
{
	return is_read(c) ? client_input_due(c) : NEVER;
}

static msec later(msec a, msec b)
{
	return a > b ? a : b;
}

static msec check_due(const struct client *c)
{
	msec due = c->check_at ? c->check_at : NEVER;

	if (!is_read(c))
		due_at(&due, later(c->read_at, c->checked_at) + CHECK_DEAF);
	return due;
}

/* When a client that is not read, and so may get no answer to its PING, is told that we live. */
static msec speak_at(const struct client *c)
{
	int deaf = client_is_extended(c) && c->phase < CLIENT_CLOSING && !is_read(c);

	return deaf ? later(c->read_at, c->spoke_at) + UNREAD : NEVER;
}

static unsigned want(struct source *src, msec *due)
{
	const struct client *c = of(src);
	unsigned wants = is_read(c) ? LOOP_READ : 0;

	due_at(due, c->failed ? loop_now : check_due(c));
	if (c->phase == CLIENT_LINGERING) {
		due_at(due, c->look_at);
		return wants;
	}
	due_at(due, detect_at(c));
	due_at(due, expire_at(c));
	due_at(due, stalled_at(c));
	due_at(due, idle_at(c));
	if (CFG_FRAMED)
		due_at(due, speak_at(c));
	if (client_is_told_all(c))
		due_at(due, loop_now);
	return client_pending(c) ? wants | LOOP_WRITE : wants;
}

static void check(struct client *c)
{
	c->checked_at = loop_now;
	c->check_at = sock_unsent(c->src.fd) ? loop_now + CHECK : 0;
	if (sock_lost(c->src.fd))
		client_drop(c, "lost");
}

static void detect(struct client *c)
{
	if (c->first_len)
		client_input_settled(c);
	if (c->refusal)
		client_dismiss(c, c->refusal, c->refusal_status);
	else if (c->phase == CLIENT_DETECTING)
		stream(c);
}

/* Tries once more before it gives up: this process may have been suspended. */
static void stalled(struct client *c)
{
	const struct session *s = c->session;

	client_flush(c);
	if (c->src.closed || loop_now < stalled_at(c))
		return;
	if (!s || (s->shared && (s->state == SESSION_OVER || session_held(s))))
		client_drop(c, "takes nothing");
	else /* it keeps nobody waiting, or is the only one and waited for */
		c->since = loop_now;
}

static void speak(struct client *c)
{
	c->spoke_at = loop_now;
	if (!c->wire.out.len)
		c->failed |= wire_frame(&c->wire, FRAME_PING, 0, 0);
	client_flush(c);
}

static void timer(struct client *c)
{
	if (c->failed)
		client_drop(c, "takes nothing");
	else if (loop_now >= check_due(c))
		check(c);
	if (c->src.closed)
		return;
	if (c->phase == CLIENT_LINGERING)
		client_linger(c);
	else if (CFG_MODES && loop_now >= expire_at(c))
		client_input_expire(c);
	else if (loop_now >= detect_at(c))
		detect(c);
	else if (client_is_told_all(c))
		client_end(c);
	else if (loop_now >= idle_at(c))
		client_close_idle(c);
	else if (CFG_FRAMED && loop_now >= speak_at(c))
		speak(c);
	else if (loop_now >= stalled_at(c))
		stalled(c);
}

static void ready(struct source *src, unsigned what)
{
	struct client *c = of(src);

	if (what & LOOP_TIME)
		timer(c);
	else if (what & LOOP_WRITE)
		client_flush(c);
	else if (is_read(c))
		input(c);
}

static struct client *slot_take(int fd, const char *name, int mode)
{
	struct client *c = table;
	struct text t;

	while (c->src.linked) /* there are as many slots as descriptors */
		c++;
	if (c - table >= used)
		used = c - table + 1;
	*c = (struct client){.src = {.fd = fd, .want = want, .ready = ready, .freed = freed}};
	t = (struct text){c->name, c->name + sizeof c->name - 1};
	text_str(&t, name);
	c->wire.fd = fd;
	c->wary = mode == CLIENT_NEW && sock_is_tcp(fd);
	c->mode = CFG_FRAMED || c->wary ? mode : CLIENT_RAW;
	c->typed_at = c->began = c->read_at = loop_now;
	client_alive++;
	loop_add(&c->src);
	return c;
}

struct client *client_open(int fd, struct session *s, const char *name, int mode)
{
	struct client *c = slot_take(fd, name, mode);

	c->session = s;
	if (CFG_MODES && (s->trails || client_rules.idle))
		client_input_begin(c, &viewers[c - table]);
	c->next = s->clients;
	c->watch = client_rules.watch;
	s->clients = c;
	client_count++;
	client_report(c, "connected");
	if (s->shared)
		pty_continue(&s->pty);
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

/* Tells it in its own mode without waiting for its HELLO, or for it to close. */
int client_evict(void)
{
	struct client *c = client_refused;

	if (!c)
		return 0;
	if (c->refusal) /* its HELLO may be here */
		input(c);
	if (c->refusal && !c->src.closed)
		detect(c);
	sock_discard(c->src.fd);
	if (!c->src.closed)
		client_drop(c, "closed");
	return 1;
}

struct client *client_refuse(int fd, const char *name, int mode, const char *why)
{
	struct client *c = slot_take(fd, name, mode), **end = &client_refused;
	int count = 0;

	for (; *end; end = &(*end)->next)
		count++;
	*end = c;
	if (count == REFUSED)
		client_evict();
	c->refusal = why;
	c->refusal_status = CLIENT_AGAIN;
	answer(c);
	return c;
}
