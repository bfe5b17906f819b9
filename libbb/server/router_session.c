/* router_session.c: a session for every client: how it begins, and how one goes with the other.
 *
 *	connection -> size, TERM, or a while -> command -> its end, or the client's
 *
 * A seat is one session and its one client.  The command starts when its window size and environment
 * are known, or nobody will tell them any more.  When the client is gone the session is hung up; when
 * the command is gone the client is told the rest and goes; then the seat is free.
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

static struct seat {
	struct session session;
	struct source launch; /* brings what became of exec */
	msec eof_at, eof_wait;
	tcflag_t eof_mode;
	char taken, eof_sent;
} seats[SEATS_MAX] LARGE;

static int used; /* no seat from here on was ever taken */
static int (*on_change)(int change);

/* The first taken one from s on, or 0. */
static struct seat *next(struct seat *s)
{
	while (s < seats + used && !s->taken)
		s++;
	return s < seats + used ? s : 0;
}

/* ---- the beginning ---- */

static unsigned launch_want(struct source *src, msec *due)
{
	(void)src, (void)due;
	return LOOP_READ;
}

static void turn_out(struct seat *seat, const struct failure *f)
{
	char line[300];
	struct text t = {line, line + sizeof line - 1};

	command_words(&t, &server.command, f);
	*t.at = '\0';
	if (seat->session.clients)
		client_dismiss(seat->session.clients, line, pty_fail_status(f, &server.command));
}

static void launch_ready(struct source *src, unsigned what)
{
	struct seat *seat = (struct seat *)((char *)src - offsetof(struct seat, launch));
	struct failure f;

	(void)what;
	if (!session_told(&seat->session, src->fd, &f))
		return;
	src->fd = -1;
	loop_close(src);
	if (f.err)
		turn_out(seat, &f);
}

static void start(struct seat *seat)
{
	int report;
	struct failure f;

	server.unbegun--;
	f = session_begin(&seat->session, &report);
	if (f.err) {
		turn_out(seat, &f);
		return;
	}
	seat->launch = (struct source){.fd = report, .want = launch_want, .ready = launch_ready};
	loop_add(&seat->launch);
}

/* Size and TERM are to be known before; but nobody waits for ever. */
static msec start_at(const struct seat *seat)
{
	const struct client *c = seat->session.clients;

	if (c->mode == CLIENT_RAW || seat->session.go)
		return loop_now;
	if (!c->packets)
		return client_silent_at(c);
	return c->heard + (c->mode == CLIENT_EXTENDED ? FIRST_HELLO : FIRST_PACKET);
}

static size_t env_peer(char *env, const char *name)
{
	struct text t = {env, env + SESSION_ENV};

	text_str(&t, "PTYBOX_PEER=");
	text_str(&t, name);
	return t.at - env + 1;
}

void seat_init(int (*changed)(int))
{
	on_change = changed;
}

struct client *seat_open(int fd, const char *name, int mode)
{
	struct seat *seat = seats;

	while (seat < seats + SEATS_MAX && seat->taken)
		seat++;
	if (seat == seats + SEATS_MAX || !on_change(1))
		return client_refuse(fd, name, mode, "full");
	*seat = (struct seat){.taken = 1};
	seat->session = (struct session){.src.fd = -1,
		.pty = {.master = -1, .slave = -1},
		.feed = client_feed,
		.command = &server.command,
		.size = server.size};
	if (ring_open(&seat->session.ring, RING)) {
		seat->taken = 0;
		on_change(-1);
		return client_refuse(fd, name, mode, "no memory");
	}
	server.unbegun++;
	if (seat - seats >= used)
		used = seat - seats + 1;
	seat->session.env = (char *)seat->session.ring.buf; /* until there is output */
	seat->session.env_len = env_peer(seat->session.env, name);
	return client_open(fd, &seat->session, name, mode);
}

/* ---- the end ---- */

static void vacate(struct seat *seat)
{
	server.unbegun -= !seat->session.started;
	ring_close(&seat->session.ring);
	queue_close(&seat->session.in); /* typed, but the command never started */
	seat->taken = 0;
	on_change(-1);
}

/* The client's end of input, as a person would type it, and then again at growing intervals: a shell
 * may use one up to submit half a line, a line discipline that changes (line editing between two
 * commands) forgets one.  Where it would be a byte like others, it is sent once. */
static void pass_eof(struct seat *seat)
{
	struct session *s = &seat->session;
	tcflag_t canonical;
	struct termios t;
	unsigned char eof[2];

	seat->eof_wait = seat->eof_wait ? 2 * seat->eof_wait : EOF_AGAIN;
	if (seat->eof_wait > EOF_AGAIN_MAX)
		seat->eof_wait = EOF_AGAIN_MAX;
	seat->eof_at = loop_now + seat->eof_wait;
	if (tcgetattr(s->pty.master, &t) || !(t.c_lflag & (ICANON | ISIG)) || !t.c_cc[VEOF])
		return;
	canonical = t.c_lflag & ICANON;
	if (seat->eof_sent && !canonical && seat->eof_mode == canonical)
		return;
	eof[0] = eof[1] = t.c_cc[VEOF];
	session_input(s, eof, seat->eof_sent || !s->typed || s->typed == '\n' ? 1 : 2);
	seat->eof_sent = 1;
	seat->eof_mode = canonical;
}

/* When something is to be done about a seat, and whether it can be. */
static msec seat_due(const struct seat *seat)
{
	const struct session *s = &seat->session;

	if (s->clients && !s->started)
		return start_at(seat);
	if (session_closed(s) || !s->started)
		return s->clients || seat->launch.linked ? NEVER : loop_now;
	if (s->exited || s->kill_at)
		return NEVER;
	if (!s->clients)
		return loop_now;
	if (s->clients->eof && !s->in.len)
		return seat->eof_at;
	return NEVER;
}

static void seat_serve(struct seat *seat)
{
	struct session *s = &seat->session;

	if (s->clients && !s->started)
		start(seat);
	else if (session_closed(s) || !s->started)
		vacate(seat);
	else if (!s->clients)
		session_hangup(s);
	else
		pass_eof(seat);
}

/* ---- all of them ---- */

msec seats_due(void)
{
	msec soonest = NEVER;

	for (struct seat *s = next(seats); s; s = next(s + 1))
		due_at(&soonest, seat_due(s));
	return soonest;
}

void seats_serve(void)
{
	for (struct seat *s = next(seats); s; s = next(s + 1))
		if (seat_due(s) <= loop_now)
			seat_serve(s);
}

void seats_hangup(void)
{
	for (struct seat *s = next(seats); s; s = next(s + 1))
		if (s->session.started)
			session_hangup(&s->session);
		else if (s->session.clients)
			client_dismiss(s->session.clients, "the server ends", 1);
}

void seats_reaped(pid_t pid, int status)
{
	for (struct seat *s = next(seats); s; s = next(s + 1))
		if (s->session.pty.pid == pid)
			session_exited(&s->session, status);
}

void seats_stats(struct text *t)
{
	for (struct seat *s = next(seats); s && t->end - t->at > 512; s = next(s + 1)) {
		text_str(t, t->at[-1] == '[' ? "" : ",");
		stats_session(t, &s->session);
	}
}
