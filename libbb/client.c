/* client.c: a connection to a session, and its read position in the session's ring.
 *
 * A client is at the place of its descriptor in one static table; the pages of that table nobody
 * uses are never touched.
 *
 * Leaving takes three steps, so that not a byte is lost on the way: what the ring still holds for
 * the client is written, then the writing side is shut, then its own late input is read and
 * dropped until it closes as well.  Closing a socket with unread input would reset the connection
 * and throw away what is still on its way to the client (RFC 1122, 4.2.2.13).
 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>
#include "libbb.h"

enum {
	STALL = 30000,    /* ms: takes nothing at all, and the command or the end waits for it */
	LINGER = 500,     /* ms for a client to close after us */
	LOOK = 100,       /* ms between looks at what is still under way to one that does not */
	CHECK = 30000,    /* ms between looks at a peer that owes acknowledgements, */
	CHECK_EOF = 2000, /* and at one that half-closed: no event would tell its end */
};

struct client_rules client_rules;
int client_count, client_alive;
static struct client table[LOOP_MAX];

static struct client *of(struct source *src)
{
	return (struct client *)src;
}

static size_t pending(const struct client *c)
{
	return c->session ? c->session->ring.head - c->pos : 0;
}

static void say(const struct client *c, const char *what)
{
	if (client_rules.verbose)
		warn(c->name, ": ", what);
}

static void detach(struct client *c)
{
	struct client **p;

	if (!c->session)
		return;
	for (p = &c->session->clients; *p != c; p = &(*p)->next)
		;
	*p = c->next;
	client_count--;
	c->session = 0;
}

static void gone(struct client *c, const char *why)
{
	say(c, why);
	detach(c);
	loop_close(&c->src);
}

static void bury(struct source *src)
{
	(void)src;
	client_alive--;
}

/* Everything is written: shut our side and wait for theirs. */
static void finish(struct client *c)
{
	if (c->session)
		c->session->collected = 1;
	c->shut = 1;
	c->since = loop_now;
	if (c->tty || shutdown(c->src.fd, SHUT_WR) || c->eof)
		gone(c, "closed");
}

static void output(struct client *c)
{
	uint64_t oldest = ring_oldest(&c->session->ring);
	struct iovec v[2];
	size_t max = (size_t)-1;
	ssize_t n;
	int parts;

	if (c->pos < oldest) {
		c->skipped += oldest - c->pos;
		c->pos = oldest;
	}
	parts = ring_data(&c->session->ring, c->pos, max, v);
	if (!parts)
		return;
	n = io_writev(c->src.fd, v, parts);
	if (n < 0) {
		gone(c, msg_errno());
		return;
	}
	if (n > 0) {
		c->pos += n;
		c->since = loop_now;
		if (!c->check)
			c->check = loop_now + CHECK;
	}
}

void client_feed(struct session *s, uint64_t before)
{
	for (struct client *c = s->clients, *next; c; c = next) {
		next = c->next;
		if (c->pos != before)
			continue;
		c->since = loop_now;
		output(c);
	}
}

static void input(struct client *c)
{
	static unsigned char buf[8192];
	ssize_t n = io_read(c->src.fd, buf, sizeof buf);

	if (n > 0) {
		c->typed = loop_now;
		if (!c->shut && !c->watch)
			session_input(c->session, buf, n);
		return;
	}
	if (!n)
		return;
	c->eof = 1; /* a half-close: no more input, and maybe gone altogether */
	if (c->shut || c->tty || errno || sock_lost(c->src.fd))
		gone(c, errno ? msg_errno() : "closed");
	else
		c->check = loop_now + CHECK_EOF;
}

/* The times at which a client is looked at again though nothing happened. */
static msec stalled_at(const struct client *c)
{
	return pending(c) ? c->since + STALL : NEVER;
}

static msec idle_at(const struct client *c)
{
	return client_rules.idle && !c->watch ? c->typed + client_rules.idle : NEVER;
}

static unsigned want(struct source *src, msec *due)
{
	struct client *c = of(src);
	unsigned wants = 0;

	if (c->check)
		due_at(due, c->check);
	if (c->shut) {
		due_at(due, c->look);
		return c->eof ? 0 : LOOP_READ;
	}
	if (pending(c)) {
		wants |= LOOP_WRITE;
		due_at(due, stalled_at(c));
	} else if (c->session->over && !c->session->stays) {
		due_at(due, loop_now);
	}
	due_at(due, idle_at(c));
	if (!c->eof && (c->watch || session_takes_input(c->session)))
		wants |= LOOP_READ;
	return wants;
}

/* What is under way gets there if we wait; if it does not move, or all is there, that was it. */
static void linger(struct client *c)
{
	int unsent = sock_unsent(c->src.fd);

	if (unsent != c->unsent)
		c->since = loop_now;
	c->unsent = unsent;
	c->look = loop_now + LOOK;
	if (loop_now - c->since >= (unsent ? STALL : LINGER))
		gone(c, "closed");
}

static void leave(struct client *c, const char *why)
{
	say(c, why);
	detach(c);
	finish(c);
}

static void clock_ready(struct client *c)
{
	if (c->check && loop_now >= c->check) {
		c->check = c->eof                 ? loop_now + CHECK_EOF :
			   sock_unsent(c->src.fd) ? loop_now + CHECK :
						    0;
		if (sock_lost(c->src.fd)) {
			gone(c, "lost");
			return;
		}
	}
	if (c->shut)
		linger(c);
	else if (loop_now >= idle_at(c))
		leave(c, "idle");
	else if (!pending(c) && c->session->over && !c->session->stays)
		finish(c);
	else if (loop_now >= stalled_at(c)) {
		if (c->session->over || session_held(c->session))
			gone(c, "takes nothing");
		else
			c->since = loop_now;
	}
}

static void ready(struct source *src, unsigned what)
{
	struct client *c = of(src);

	if (what & LOOP_TIME)
		clock_ready(c);
	else if (what & LOOP_WRITE)
		output(c);
	else
		input(c);
}

static struct client *place(int fd)
{
	struct client *c = &table[fd];

	*c = (struct client){.src = {.fd = fd, .want = want, .ready = ready, .bury = bury}};
	c->since = c->typed = loop_now;
	client_alive++;
	loop_add(&c->src);
	return c;
}

static void call(struct client *c, const char *name)
{
	struct text t = {c->name, c->name + sizeof c->name - 1};

	text_str(&t, name);
}

struct client *client_open(int fd, struct session *s, const char *name)
{
	struct client *c = place(fd);

	call(c, name);
	c->session = s;
	c->pos = ring_oldest(&s->ring);
	c->next = s->clients;
	c->watch = client_rules.watch;
	s->clients = c;
	client_count++;
	say(c, "connected");
	if (s->ring.head != c->pos)
		output(c);
	return c;
}

void client_refuse(int fd, const char *name, const char *why)
{
	struct client *c = place(fd);
	char line[128];
	struct text l = {line, line + sizeof line};

	call(c, name);
	text_str(&l, msg_applet);
	text_str(&l, ": ");
	text_str(&l, why);
	text_str(&l, "\r\n");
	if (io_write(fd, line, l.at - line) < 0)
		c->eof = 1;
	say(c, why);
	finish(c);
}
