/* client.c: a connection to a session, and its read position in the session's ring.
 *
 *	           first bytes, or none for a while            dismissed, or the session is over
 *	DETECTING ----------------------------------> STREAMING ---------------------------------> CLOSING
 *	    |                                                                                        |
 *	    +------------ refused, and its mode is known (or not, after a second) ------------------>+
 *	                                                                                             |
 *	                  free <---- the peer closes too, or time is up ---- LINGERING <-- all written
 *
 * Its input is OPEN, at EOF (packet EOF; a raw client's half-close), or HUNG_UP: nothing more can be read.  This file has
 * the source: when a client is read, when its output starts, its deadlines.  client_input.c handles what is received,
 * client_output.c what is sent, client_end.c how it is closed.
 *
 * Clients have slots in one static table.  The first free slot is taken, so that only as many of its pages are used as
 * there are clients.  When the last one has left, their memory is given back.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include "server.h"

enum {
	CHECK_UNREAD = 2000,  /* ms between checks of a client that is not read */
	PING = 10000,         /* ms between PINGs to such a client, whose own get no answer */
	SILENT_NEW = 200,     /* ms until a client that sent nothing gets output all the same, */
	SILENT_FRAMED = 3000, /* and one on a framed socket */
	HELLO_WAIT = 1000,    /* ms for the first packet, once begun; for any of a refused client */
	REFUSED = 8,          /* clients that may be refused at once */
	VIEWERS = LOOP_MAX * sizeof(struct viewer),
};

int client_alive;
static struct client table[LOOP_MAX] LARGE_FIRST;
static struct viewer *viewers; /* in the same slots; 0 while none is needed */
static int used;               /* slots from here on were never taken */

static struct client *of(struct source *src)
{
	return (struct client *)src;
}

static void freed(struct source *src)
{
	wire_close(&of(src)->wire);
	if (--client_alive)
		return;
	ring_give_back((uintptr_t)table, sizeof table);
	used = 0;
	if (CFG_MODES && viewers)
		munmap(viewers, VIEWERS);
	viewers = 0;
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

/* Starts output, with what the ring has. */
static void start_output(struct client *c)
{
	char size[32];
	struct text t = {size, size + sizeof size - 1};

	if (CFG_FRAMED && c->cols) {
		text_str(&t, ", ");
		text_num(&t, c->cols);
		text_str(&t, "x");
		text_num(&t, c->rows);
	}
	*t.at = '\0';
	client_report(c, "attached", size);
	c->phase = CLIENT_STREAMING;
	if (!c->session)
		return;
	if (CFG_EXEC && client_is_extended(c))
		client_answer_hello(c);
	client_replay(c);
}

/* ---- input ---- */

/* Whether the mode is known: a framed client's is after its first packet. */
static int is_settled(const struct client *c)
{
	return c->mode != CLIENT_NEW && c->mode != CLIENT_FRAMED;
}

/* After input: once the mode is known starts output, or sends a refusal; writes what is pending. */
static void after_input(struct client *c)
{
	if (c->refusal) {
		if (is_settled(c))
			client_dismiss(c, c->refusal, c->for_good ? CLIENT_FOR_GOOD : CLIENT_AGAIN);
		return;
	}
	if (c->phase == CLIENT_DETECTING && is_settled(c) && !c->hold)
		start_output(c);
	if (client_pending(c) || c->replay_due)
		client_flush(c);
}

/* The read failed (errno) or met the end of the stream (errno 0). */
static void input_ended(struct client *c)
{
	int why = errno, had_eof = c->input == CLIENT_EOF;

	if (c->phase != CLIENT_LINGERING) {
		client_input_settled(c);
		client_input_ended(c);
	}
	c->input = CLIENT_HUNG_UP;
	/* after a half-close, a raw client's or behind EOF, output goes on unless the connection is lost */
	if (why || c->phase == CLIENT_LINGERING || c->tty || (c->mode != CLIENT_RAW && !had_eof) ||
		sock_lost(c->src.fd)) {
		errno = why;
		client_drop(c, why ? msg_errno() : "closed");
		return;
	}
	after_input(c);
}

static void take(struct client *c, const unsigned char *data, size_t n)
{
	if (c->phase >= CLIENT_CLOSING)
		return;
	if (client_input(c, data, n))
		client_drop(c, "protocol error");
	else
		after_input(c);
}

static void input(struct client *c)
{
	static unsigned char buf[16384] LARGE;
	ssize_t n = wire_read(&c->wire, buf, sizeof buf);

	c->read_at = loop_now;
	if (n < 0)
		input_ended(c);
	else if (n > 0)
		take(c, buf, n);
}

/* ---- deadlines ---- */

/* Whether input is read now.  Evaluated again when the descriptor is ready, because clients served before this one may
 * have filled the terminal. */
static int is_read(const struct client *c)
{
	const struct session *s = c->session;

	if (c->input == CLIENT_HUNG_UP || c->phase == CLIENT_LINGERING)
		return c->input != CLIENT_HUNG_UP;
	return c->wire.out.len < QUEUE_SIZE / 2 &&
	       (c->watch || !s || session_takes_input(s, c->typed_end));
}

/* Output that was queued without a write (progress_at is 0) is due at once, which starts the time. */
static msec stalled_at(const struct client *c)
{
	msec limit = client_rules.ending ? CLIENT_FLUSH : CLIENT_STALL;

	return !client_pending(c) ? NEVER : c->progress_at ? c->progress_at + limit : loop_now;
}

static msec idle_at(const struct client *c)
{
	int limited =
		client_rules.idle && c->session && !c->watch && !c->tty && !c->session->pty.pipes;

	return limited ? c->typed_at + client_rules.idle : NEVER;
}

msec client_silent_at(const struct client *c)
{
	if (CFG_EXEC && c->hold)
		return client_held_until(c);
	/* the other end may have nobody who attaches yet; at the end of the session nothing is waited for */
	if (c->called && !c->first_at && !client_rules.ending && c->session &&
		(c->session->state != SESSION_OVER || c->session->restarts))
		return NEVER;
	if (c->first_len)
		return c->first_at + HELLO_WAIT;
	return c->began + (c->refusal                   ? HELLO_WAIT :
				  c->mode == CLIENT_NEW ? SILENT_NEW :
							  SILENT_FRAMED);
}

/* client_silent_at() while the mode is not decided. */
static msec detect_at(const struct client *c)
{
	int undecided =
		c->phase == CLIENT_DETECTING || (c->first_len && c->phase == CLIENT_STREAMING);

	return undecided ? client_silent_at(c) : NEVER;
}

/* Returns when a held part of a sequence is passed on; not before the terminal takes it. */
static msec expire_at(const struct client *c)
{
	return is_read(c) ? client_input_due(c) : NEVER;
}

static msec latest(msec a, msec b)
{
	return a > b ? a : b;
}

static msec check_due(const struct client *c)
{
	msec due = c->check_at ? c->check_at : NEVER;

	if (!is_read(c))
		due_at(&due, latest(c->read_at, c->checked_at) + CHECK_UNREAD);
	return due;
}

/* When to send PING to a client that is not read, and whose own PINGs get no answer meanwhile: this one shows it that
 * the server is alive. */
static msec ping_at(const struct client *c)
{
	int unread = client_is_extended(c) && c->phase < CLIENT_CLOSING && !is_read(c);

	return unread ? latest(c->read_at, c->pinged_at) + PING : NEVER;
}

static unsigned want(struct source *src, msec *due)
{
	const struct client *c = of(src);
	unsigned wants = is_read(c) ? LOOP_READ : 0;

	due_at(due, c->failed ? loop_now : check_due(c));
	if (c->phase == CLIENT_LINGERING) {
		due_at(due, c->linger_at);
		return wants;
	}
	due_at(due, detect_at(c));
	due_at(due, expire_at(c));
	due_at(due, stalled_at(c));
	due_at(due, idle_at(c));
	if (CFG_FRAMED)
		due_at(due, ping_at(c));
	if (client_is_drained(c))
		due_at(due, loop_now);
	return client_pending(c) ? wants | LOOP_WRITE : wants;
}

static void check(struct client *c)
{
	c->checked_at = loop_now;
	c->check_at = sock_unsent(c->src.fd) ? loop_now + CLIENT_CHECK : 0;
	if (sock_lost(c->src.fd))
		client_drop(c, "lost");
}

/* The client sent nothing, or too little to decide its mode, for too long. */
static void detect_timeout(struct client *c)
{
	if (c->first_len)
		client_input_settled(c);
	if (c->refusal)
		client_dismiss(c, c->refusal, -1);
	else if (CFG_EXEC && c->hold == CLIENT_COMMAND)
		client_dismiss(c, "no COMMAND came", CLIENT_FOR_GOOD);
	else if (c->phase == CLIENT_DETECTING)
		start_output(c);
	c->hold = CLIENT_FREE;
}

/* Writes once more before it gives up: this process may have been suspended. */
static void stalled(struct client *c)
{
	const struct session *s = c->session;

	client_flush(c);
	if (c->src.closed || loop_now < stalled_at(c))
		return;
	if (!s || client_rules.ending || (s->state == SESSION_OVER && !s->pty.pipes) ||
		(s->shared && session_held(s)))
		client_drop(c, "takes nothing");
	else /* no other client waits for it, or the command waits for its only client */
		c->progress_at = loop_now;
}

static void ping(struct client *c)
{
	c->pinged_at = loop_now;
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
		detect_timeout(c);
	else if (client_is_drained(c))
		client_end(c);
	else if (loop_now >= idle_at(c))
		client_close_idle(c);
	else if (CFG_FRAMED && loop_now >= ping_at(c))
		ping(c);
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

	while (c->src.linked) /* ends: there are as many slots as descriptors */
		c++;
	if (c - table >= used)
		used = c - table + 1;
	*c = (struct client){.src = {.fd = fd, .want = want, .ready = ready, .freed = freed}};
	t = (struct text){c->name, c->name + sizeof c->name - 1};
	text_str(&t, name);
	c->wire.fd = fd;
	c->wire.local = sock_is_unix(fd);
	c->rejects_http = mode == CLIENT_NEW && !c->wire.local;
	c->mode = CFG_FRAMED || c->rejects_http ? mode : CLIENT_RAW;
	c->typed_at = c->began = c->read_at = loop_now;
	client_alive++;
	loop_add(&c->src);
	return c;
}

struct client *client_open(int fd, struct session *s, const char *name, int mode)
{
	int is_viewer = CFG_MODES && (s->trails || client_rules.idle);
	struct client *c;

	if (is_viewer && !viewers && !(viewers = ring_map(VIEWERS)))
		return client_refuse(fd, name, mode, "no memory");
	c = slot_take(fd, name, mode);
	c->session = s;
	if (is_viewer)
		client_input_begin(c, &viewers[c - table]);
	c->next = s->clients;
	c->watch = client_rules.watch;
	s->clients = c;
	client_count++;
	if (s->shared)
		pty_continue(&s->pty);
	after_input(c);
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
		if (c->wire.keyed) /* else the page stays shared with the parent */
			noise_close(&c->wire.noise);
}

int client_evict(void)
{
	struct client *c = client_refused;

	if (!c)
		return 0;
	if (c->refusal) /* a HELLO that has arrived decides the mode; no other is waited for */
		input(c);
	if (c->refusal && !c->src.closed)
		detect_timeout(c);
	sock_discard(c->src.fd);
	if (!c->src.closed)
		client_drop(c, "closed");
	return 1;
}

struct client *client_find(int fd, const char *name)
{
	for (struct client *c = table; c < table + used; c++)
		if (c->src.linked && !c->src.closed && c->src.fd == fd && !strcmp(c->name, name))
			return c;
	return 0;
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
	after_input(c);
	return c;
}
