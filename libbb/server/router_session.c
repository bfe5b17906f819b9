/* router_session.c: a session for every client: how it begins, and how one ends with the other.
 *
 *	connection -> size, TERM, or a while -> command -> its end, or the client's
 *
 * A slot is one session and its one client.  The command starts when its window size and environment
 * are known, or nobody will tell them any more.  When the client is gone the session is hung up; when
 * the command is gone the client is told the rest and goes; then the slot is free.
 */
#include <errno.h>
#include <termios.h>
#include "server.h"

enum {
	RING = SESSION_ENV, /* which it holds at first */
	FIRST_PACKET = 50,  /* ms for sizes to come after the first packet */
	FIRST_HELLO = 1000, /* ms for an extended client to say go */
	EOF_AGAIN = 250,    /* ms, then twice that */
	EOF_AGAIN_MAX = 32000,
};

static struct slot {
	struct session session;
	struct source launch; /* brings what became of exec */
	msec eof_at, eof_wait;
	tcflag_t eof_mode;
	char taken, eof_sent;
} slots[ROUTER_SESSIONS_MAX] LARGE;

static int used; /* no slot from here on was ever taken */
static struct router_load load;

/* The first taken one from s on, or 0. */
static struct slot *next(struct slot *s)
{
	while (s < slots + used && !s->taken)
		s++;
	return s < slots + used ? s : 0;
}

/* ---- the beginning ---- */

static unsigned launch_want(struct source *src, msec *due)
{
	(void)src, (void)due;
	return LOOP_READ;
}

static void fail_session(struct slot *slot, const struct failure *f)
{
	char line[300];
	struct text t = {line, line + sizeof line - 1};

	command_words(&t, &server.command, f);
	*t.at = '\0';
	if (slot->session.clients)
		client_dismiss(slot->session.clients, line, pty_fail_status(f, &server.command));
}

static void launch_ready(struct source *src, unsigned what)
{
	struct slot *slot = (struct slot *)((char *)src - offsetof(struct slot, launch));
	struct failure f;

	(void)what;
	if (!session_told(&slot->session, src->fd, &f))
		return;
	src->fd = -1;
	loop_close(src);
	if (f.err)
		fail_session(slot, &f);
}

static void start(struct slot *slot)
{
	int report;
	struct failure f;

	server.unbegun--;
	f = session_begin(&slot->session, &report);
	if (f.err) {
		fail_session(slot, &f);
		return;
	}
	slot->launch = (struct source){.fd = report, .want = launch_want, .ready = launch_ready};
	loop_add(&slot->launch);
}

/* Size and TERM are to be known before; but nobody waits for ever. */
static msec start_at(const struct slot *slot)
{
	const struct client *c = slot->session.clients;

	if (c->mode == CLIENT_RAW || slot->session.start_asked)
		return loop_now;
	if (c->mode == CLIENT_FRAMED || c->mode == CLIENT_NEW)
		return client_silent_at(c);
	return c->first_at + (c->mode == CLIENT_EXTENDED ? FIRST_HELLO : FIRST_PACKET);
}

static size_t env_peer(char *env, const char *name)
{
	struct text t = {env, env + SESSION_ENV};

	text_str(&t, "PTYBOX_PEER=");
	text_str(&t, name);
	return t.at - env + 1;
}

void router_sessions_init(const struct router_load *l)
{
	load = *l;
}

static int count_all(int change)
{
	return __atomic_add_fetch(load.total, change, __ATOMIC_RELAXED);
}

/* A full worker accepts no more, not even in this turn. */
static void count_own(int change)
{
	*load.own += change;
	server.paused = *load.own >= load.most;
}

/* Counts one more session; 0: -n is reached, another worker was faster. */
static int reserve(void)
{
	int total = count_all(1);

	if (server.max && total > server.max) {
		count_all(-1);
		return 0;
	}
	count_own(1);
	return 1;
}

static void unreserve(void)
{
	count_all(-1);
	count_own(-1);
}

struct client *router_session_open(int fd, const char *name, int mode)
{
	struct slot *slot = slots;

	while (slot < slots + ROUTER_SESSIONS_MAX && slot->taken)
		slot++;
	if (slot == slots + ROUTER_SESSIONS_MAX || !reserve())
		return client_refuse(fd, name, mode, "full");
	*slot = (struct slot){.taken = 1};
	slot->session = (struct session){.pty = {.src.fd = -1, .slave = -1},
		.command = &server.command,
		.size = server.size};
	if (ring_open(&slot->session.ring, RING)) {
		slot->taken = 0;
		unreserve();
		return client_refuse(fd, name, mode, "no memory");
	}
	server.unbegun++;
	if (slot - slots >= used)
		used = slot - slots + 1;
	slot->session.env = (char *)slot->session.ring.buf; /* until there is output */
	slot->session.env_len = env_peer(slot->session.env, name);
	return client_open(fd, &slot->session, name, mode);
}

/* ---- the end ---- */

static void release(struct slot *slot)
{
	server.unbegun -= slot->session.state == SESSION_NEW;
	ring_close(&slot->session.ring);
	queue_close(&slot->session.input); /* typed, but the command never started */
	slot->taken = 0;
	unreserve();
}

/* The client's end of input, as a person would type it, and then again at growing intervals: a shell
 * may use one up to submit half a line, a line discipline that changes (line editing between two
 * commands) forgets one.  Where it would be a byte like others, it is sent once. */
static void pass_eof(struct slot *slot)
{
	struct session *s = &slot->session;
	tcflag_t canonical;
	struct termios t;
	unsigned char eof[2];

	slot->eof_wait = slot->eof_wait ? 2 * slot->eof_wait : EOF_AGAIN;
	if (slot->eof_wait > EOF_AGAIN_MAX)
		slot->eof_wait = EOF_AGAIN_MAX;
	slot->eof_at = loop_now + slot->eof_wait;
	if (tcgetattr(s->pty.src.fd, &t) || !(t.c_lflag & (ICANON | ISIG)) || !t.c_cc[VEOF])
		return;
	canonical = t.c_lflag & ICANON;
	if (slot->eof_sent && !canonical && slot->eof_mode == canonical)
		return;
	eof[0] = eof[1] = t.c_cc[VEOF];
	session_input(s, eof, slot->eof_sent || !s->last_input || s->last_input == '\n' ? 1 : 2);
	slot->eof_sent = 1;
	slot->eof_mode = canonical;
}

/* When something is to be done about a slot, and whether it can be. */
static msec slot_due(const struct slot *slot)
{
	const struct session *s = &slot->session;

	if (s->clients && s->state == SESSION_NEW)
		return start_at(slot);
	if (session_closed(s) || s->state == SESSION_NEW)
		return s->clients || slot->launch.linked ? NEVER : loop_now;
	if (s->state >= SESSION_DRAINING || s->kill_at)
		return NEVER;
	if (!s->clients)
		return loop_now;
	if (s->clients->input != CLIENT_OPEN && !s->input.len)
		return slot->eof_at;
	return NEVER;
}

static void slot_serve(struct slot *slot)
{
	struct session *s = &slot->session;

	if (s->clients && s->state == SESSION_NEW)
		start(slot);
	else if (session_closed(s) || s->state == SESSION_NEW)
		release(slot);
	else if (!s->clients)
		session_hangup(s);
	else
		pass_eof(slot);
}

/* ---- all of them ---- */

msec router_sessions_due(void)
{
	msec soonest = NEVER;

	for (struct slot *s = next(slots); s; s = next(s + 1))
		due_at(&soonest, slot_due(s));
	return soonest;
}

void router_sessions_serve(void)
{
	for (struct slot *s = next(slots); s; s = next(s + 1))
		if (slot_due(s) <= loop_now)
			slot_serve(s);
}

void router_sessions_hangup(void)
{
	for (struct slot *s = next(slots); s; s = next(s + 1))
		if (s->session.state != SESSION_NEW)
			session_hangup(&s->session);
		else if (s->session.clients)
			client_dismiss(s->session.clients, client_server_ends, CLIENT_AGAIN);
}

void router_sessions_reaped(pid_t pid, int status)
{
	for (struct slot *s = next(slots); s; s = next(s + 1))
		if (s->session.pty.pid == pid)
			session_exited(&s->session, status);
}

void router_sessions_stats(struct text *t)
{
	for (struct slot *s = next(slots); s && t->end - t->at > 512; s = next(s + 1)) {
		text_str(t, t->at[-1] == '[' ? "" : ",");
		stats_session(t, &s->session);
	}
}
