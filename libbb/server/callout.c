/* callout.c: calling out (-x): connections that the server makes itself, as from behind NAT.
 *
 *	WAITING --may_call()--> LOOKUP --> NEXT <--> CONNECTING --> SERVED
 *	   ^                       |         | no address is left     |
 *	   +-----------------------+---------+------------------------+ the client is gone; ptyrouter: its session begins
 *
 * Whoever answers is a client like one that was accepted, on a framed socket; with -k it proves the key first.  After a
 * failure or a loss the next call comes 1, 2, 4 ... 30 s later, and 1 s again after a connection that has lasted.  The address is
 * looked up each time: it may have changed.
 *
 * A ptyrouter needs a connection for each session: it calls again at once when somebody uses the one it has.  One worker
 * calls at a time (server.calls).
 *
 * config CALLOUT y calling out (-x), and ptyattach's waiting for that (-L)
 */
#include <errno.h>
#include <string.h>
#include "server.h"

enum {
	WAIT_MIN = 1000,  /* ms between calls: doubled after each, */
	WAIT_MAX = 30000, /* at most */
	TRY = 10000,      /* ms for a lookup, and for a connect */
	LASTED = 10000,   /* ms after which the end of a connection is no failure */
};

static struct callout {
	struct source timer; /* first member; without a descriptor */
	struct source io;    /* LOOKUP: the resolver's pipe; CONNECTING: the socket */
	const struct addr *addr;
	enum { WAITING, LOOKUP, NEXT, CONNECTING, SERVED } state;
	int next;         /* the index of the name to be tried next */
	int fd;           /* SERVED: the client's */
	msec at;          /* WAITING: when to call; LOOKUP, CONNECTING: when to give up */
	msec made_at;     /* SERVED: since when */
	msec wait;        /* ms from the next failure to the call after that */
	const char *last; /* the reason that was reported last */
	char name[NET_TEXT];
	struct sock_names names;
} callouts[SERVER_ADDRS] LARGE;

/* Whether this process is the one that calls. */
static int may_call(void)
{
	return server.listening && !server.paused && (!server.calls || *server.calls);
}

/* Whether the connection that was made last is still a client, or may become one; and whether that has begun a ptyrouter's
 * session: then the next call is due. */
static void look(const struct callout *c, int *served, int *taken)
{
	const struct client *client = client_find(c->fd, c->name);

	*served = client || (CFG_KEYED && handshake_has(c->fd, c->name));
	*taken = server.calls && client && client->session && client->session->state != SESSION_NEW;
}

static void wait_for(struct callout *c, msec ms)
{
	c->state = WAITING;
	c->at = loop_now + ms;
}

/* Waits until the next call, and twice as long before the one after that. */
static void wait_longer(struct callout *c)
{
	wait_for(c, c->wait);
	c->wait = c->wait < WAIT_MAX / 2 ? 2 * c->wait : WAIT_MAX;
}

static void fail(struct callout *c, const char *why)
{
	if (!c->last || strcmp(c->last, why)) /* each reason is told once */
		warn(c->addr->text, ": ", why, ", calling again");
	c->last = why;
	if (c->io.linked)
		loop_close(&c->io);
	wait_longer(c);
}

static unsigned io_want(struct source *src, msec *due)
{
	const struct callout *c = (struct callout *)((char *)src - offsetof(struct callout, io));

	(void)due;
	return c->state == LOOKUP ? LOOP_READ : LOOP_WRITE;
}

static void connected(struct callout *c)
{
	struct text t = {c->name, c->name + sizeof c->name - 1};

	loop_close(&c->io);
	if (!may_call()) { /* the session has ended meanwhile, or another worker calls */
		wait_for(c, 0);
		return;
	}
	c->fd = c->io.fd;
	c->io.fd = -1; /* the client's, not the loop's to close */
	memset(c->name, 0, sizeof c->name);
	net_text(&t, &c->names.name[c->next - 1], c->fd);
	c->state = SERVED;
	c->made_at = loop_now;
	c->last = 0;
	if (c->addr->kind == ADDR_UNIX)
		sock_inline(c->fd);
	listener_serve(c->addr, c->fd, &c->names.name[c->next - 1], c->name);
}

static void io_ready(struct source *src, unsigned what)
{
	struct callout *c = (struct callout *)((char *)src - offsetof(struct callout, io));

	(void)what;
	if (c->state == LOOKUP) {
		if (io_read(src->fd, &c->names, sizeof c->names) != sizeof c->names)
			c->names = (struct sock_names){.why = "name lookup failed"};
		c->state = NEXT;
	} else {
		errno = sock_error(src->fd);
		if (!errno) {
			connected(c);
			return;
		}
		c->names.why = msg_errno();
		c->state = NEXT;
	}
	loop_close(src);
}

/* Begins to wait for a descriptor, for TRY ms at most. */
static void begin_io(struct callout *c, int fd)
{
	c->io = (struct source){.fd = fd, .want = io_want, .ready = io_ready};
	c->at = loop_now + TRY;
	loop_add(&c->io);
}

static void call(struct callout *c)
{
	int fd = sock_resolve(c->addr, &c->names);

	c->next = 0;
	c->state = NEXT;
	if (fd < 0)
		return;
	c->state = LOOKUP;
	begin_io(c, fd);
}

static void connect_next(struct callout *c)
{
	int fd;

	if (c->next == c->names.count) {
		fail(c, c->names.why);
		return;
	}
	if (c->addr->kind == ADDR_UNIX)
		daemon_enter(c->addr->text); /* if it fails, so does the connect */
	fd = sock_connect(&c->names.name[c->next++]);
	if (fd < 0)
		c->names.why = msg_errno();
	if (c->addr->kind == ADDR_UNIX)
		daemon_leave();
	if (fd < 0)
		return;
	c->state = CONNECTING;
	begin_io(c, fd);
}

/* After the end of a connection. */
static void ended(struct callout *c)
{
	if (loop_now - c->made_at >= LASTED)
		c->wait = WAIT_MIN;
	wait_longer(c);
}

/* After the beginning of a session: the next call is due, but no more than one a second. */
static void taken(struct callout *c)
{
	msec soonest = c->made_at + WAIT_MIN;

	c->wait = WAIT_MIN;
	wait_for(c, soonest > loop_now ? soonest - loop_now : 0);
}

static unsigned timer_want(struct source *src, msec *due)
{
	const struct callout *c = (struct callout *)src;
	int served = 1, taken = 0;

	if (c->state == SERVED)
		look(c, &served, &taken);
	else if (c->state != WAITING || may_call())
		due_at(due, c->at);
	if (!served || taken || c->state == NEXT)
		due_at(due, loop_now);
	return 0;
}

static void timer_ready(struct source *src, unsigned what)
{
	struct callout *c = (struct callout *)src;
	int is_served = 1, is_taken = 0;

	(void)what;
	if (c->io.linked && c->io.closed) /* until the next turn */
		return;
	if (c->state == SERVED)
		look(c, &is_served, &is_taken);
	if (is_taken)
		taken(c);
	else if (!is_served)
		ended(c);
	else if (c->state == NEXT)
		connect_next(c);
	else if (c->state == WAITING && loop_now >= c->at && !listener_has_room())
		wait_for(c, WAIT_MIN); /* -n, which another worker may have reached */
	else if (c->state == WAITING && loop_now >= c->at && may_call())
		call(c);
	else if (c->state == LOOKUP && loop_now >= c->at)
		fail(c, "no answer");
	else if (c->state == CONNECTING && loop_now >= c->at) {
		c->names.why = "no answer";
		c->state = NEXT;
		loop_close(&c->io);
	}
}

void callouts_start(void)
{
	const struct addr *a;

	for (int i = 0; (a = listener_call(i)); i++) {
		struct callout *c = &callouts[i];

		c->addr = a;
		c->at = loop_now;
		c->wait = WAIT_MIN;
		c->timer = (struct source){.fd = -1, .want = timer_want, .ready = timer_ready};
		loop_add(&c->timer);
	}
}
