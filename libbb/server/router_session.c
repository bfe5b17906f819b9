/* router_session.c: a session for one client: how it starts, and how either ends with the other.
 *
 *	connection -> slot, ring -> window size, TERM, or a timeout -> command
 *	client ends   -> hang up the session -> the command ends -> free the slot
 *	command ends  -> the client gets the rest of the output, is closed -> free the slot
 *
 * Every client of a ptyrouter has one, and in a ptyshim every client that brings a COMMAND (client_exec.c).  The command
 * starts when its window size and environment are known, or when the client has had enough time to send them; a COMMAND
 * when the client says so.
 */
#include <errno.h>
#include <termios.h>
#include "server.h"

enum {
	FIRST_PACKET = 50,  /* ms from the first packet, in which sizes may follow */
	FIRST_HELLO = 1000, /* ms from HELLO, in which an extended client may start the command */
	EOF_AGAIN = 250,    /* ms until the end of input is typed again, then twice that */
	EOF_AGAIN_MAX = 32000, /* ms at most */
};

static int *total, *own, most; /* router_sessions_init(); 0 in a ptyshim */

/* ---- start ---- */

static void fail_session(struct session_slot *slot, const struct failure *f)
{
	const struct command *c = slot->session.command;

	if (slot->session.clients)
		client_dismiss(
			slot->session.clients, command_describe(c, f), command_exit_status(f, c));
}

static void report_ready(struct source *src, unsigned what)
{
	struct session_slot *slot =
		(struct session_slot *)((char *)src - offsetof(struct session_slot, report));
	struct failure f;

	(void)what;
	if (!session_report(&slot->session, src->fd, &f))
		return;
	src->fd = -1;
	loop_close(src);
	if (f.err)
		fail_session(slot, &f);
}

static void start(struct session_slot *slot)
{
	struct session *s = &slot->session;
	int fd;
	struct failure f = session_begin(s, &fd);

	if (CFG_EXEC && s->own.size)
		client_report(s->clients, "runs ", s->argv[0]);
	if (f.err) {
		fail_session(slot, &f);
		return;
	}
	if (CFG_EXEC && s->early_signal)
		session_signal(s, s->early_signal);
	if (CFG_RECORD && total && !s->pty.pipes)
		record_begin(&s->record, &s->ring, &s->size, &server.command, s->pty.pid);
	slot->report = (struct source){.fd = fd, .want = loop_want_read, .ready = report_ready};
	loop_add(&slot->report);
}

/* When the command starts: as soon as its window size and TERM are known or cannot come, or after a timeout. */
static msec start_at(const struct session_slot *slot)
{
	const struct client *c = slot->session.clients;

	if (CFG_EXEC && c->hold > CLIENT_HELLO)
		return NEVER;
	if (c->mode == CLIENT_RAW || slot->session.start_asked)
		return loop_now;
	if (c->mode == CLIENT_FRAMED || c->mode == CLIENT_NEW)
		return client_silent_at(c);
	return c->first_at + (c->mode == CLIENT_EXTENDED ? FIRST_HELLO : FIRST_PACKET);
}

void router_sessions_init(int *all, int *of_worker, int limit)
{
	total = all;
	own = of_worker;
	most = limit;
	session_slots_init(&server.command, &server.size);
}

static int count_all(int change)
{
	return __atomic_add_fetch(total, change, __ATOMIC_RELAXED);
}

/* A full worker stops accepting at once, in the same turn of the loop. */
static void count_own(int change)
{
	*own += change;
	server.paused = *own >= most;
}

/* Counts one more session; returns 0 when another worker has reached -n since the connection was admitted. */
static int reserve(void)
{
	int count = count_all(1);

	if (server.max && count > server.max) {
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
	const char *why = "full";
	struct session *s;

	if (reserve()) {
		why = session_slot_take(&s, name);
		if (!why)
			return client_open(fd, s, name, mode);
		unreserve();
	}
	return client_refuse(fd, name, mode, why);
}

/* ---- end ---- */

static void release(struct session_slot *slot)
{
	session_slot_free(slot);
	if (total)
		unreserve();
}

/* Types the terminal's VEOF (termios(3)) for the client's end of input, and again at growing intervals.  One may be used up
 * to submit half a line, or be lost when the line discipline changes (a shell's line editing between two commands).
 * Outside of canonical mode it is a byte like others, and typed once; with signals off as well (a raw terminal), never. */
static void type_eof(struct session_slot *slot)
{
	struct session *s = &slot->session;
	tcflag_t canonical;
	struct termios t;
	unsigned char eof[2];

	if (CFG_EXEC && s->pty.pipes) {
		session_close_input(s);
		return;
	}
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

/* When slot_serve() is due; NEVER while it waits for an event. */
static msec slot_due(const struct session_slot *slot)
{
	const struct session *s = &slot->session;

	if (s->clients && s->state == SESSION_NEW)
		return start_at(slot);
	if (session_closed(s) || s->state == SESSION_NEW)
		return s->clients || slot->report.linked ? NEVER : loop_now;
	if (s->state >= SESSION_DRAINING || s->kill_at)
		return NEVER;
	if (!s->clients)
		return loop_now;
	if (s->state == SESSION_RUNNING && s->clients->input != CLIENT_OPEN && !s->input.len &&
		!s->pty.in.closed)
		return slot->eof_at;
	return NEVER;
}

static void slot_serve(struct session_slot *slot)
{
	struct session *s = &slot->session;

	if (s->clients && s->state == SESSION_NEW)
		start(slot);
	else if (session_closed(s) || s->state == SESSION_NEW)
		release(slot);
	else if (!s->clients)
		session_hangup(s);
	else
		type_eof(slot);
}

/* ---- all slots ---- */

msec router_sessions_due(void)
{
	msec soonest = NEVER;

	for (struct session_slot *s = session_slot_next(session_slots); s;
		s = session_slot_next(s + 1))
		due_at(&soonest, slot_due(s));
	return soonest;
}

void router_sessions_serve(void)
{
	for (struct session_slot *s = session_slot_next(session_slots); s;
		s = session_slot_next(s + 1))
		if (slot_due(s) <= loop_now)
			slot_serve(s);
}

void router_sessions_hangup(void)
{
	for (struct session_slot *s = session_slot_next(session_slots); s;
		s = session_slot_next(s + 1))
		if (s->session.state != SESSION_NEW)
			session_hangup(&s->session);
		else if (s->session.clients)
			client_dismiss(s->session.clients, client_server_ends, CLIENT_AGAIN);
}

void router_sessions_renew(void)
{
	for (struct session_slot *s = session_slot_next(session_slots); s;
		s = session_slot_next(s + 1))
		record_renew(&s->session.record);
}

void router_sessions_reaped(pid_t pid, int status)
{
	for (struct session_slot *s = session_slot_next(session_slots); s;
		s = session_slot_next(s + 1)) {
		if (CFG_RECORD)
			record_reaped(&s->session.record, pid);
		if (s->session.pty.pid == pid)
			session_exited(&s->session, status);
	}
}

void router_sessions_stats(struct text *t)
{
	for (struct session_slot *s = session_slot_next(session_slots); s && t->end - t->at > 512;
		s = session_slot_next(s + 1)) {
		text_str(t, t->at[-1] == '[' ? "" : ",");
		stats_session(t, &s->session);
	}
}
