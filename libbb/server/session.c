/* session.c: a pty, the command on it, and one output ring.
 *
 *	command <-> slave side | master -> ring  -> client positions
 *	                       | master <- input <- clients
 *
 *	NEW --session_begin()--> RUNNING --the command was reaped--> DRAINING --the master is empty--> OVER
 *	          |                 ^  ^                                ^                               |
 *	          | -t              |  +----------- session_begin() (-R) -------------------------------+
 *	          +----> OPENING ---+-----------------------------------+
 *	                 the command's process opens the terminal
 *
 * A session is over when its command has ended and the master has nothing more to read.  A background process that goes on
 * writing delays that by at most DRAIN bytes, which is more than a terminal ever buffers.
 *
 * A command that writes in small pieces costs a read each.  So after SHORT_READS short reads in quick succession the master
 * is read only once in a ms, until a client types, or after LOOP_PAUSE if a ms brings so much that the terminal's buffers
 * fill up and the command waits: a pty keeps 8 KB (pty_common_install() in the kernel's drivers/tty/pty.c) and 4 KB more.
 */
#include <errno.h>
#include <signal.h>
#include <unistd.h>
#include "server.h"

enum {
	DRAIN = 128 * 1024,
	SHORT_READS = 8,      /* in a row, before output is coalesced */
	QUICK = 2,            /* ms between reads in quick succession */
	READS = 16,           /* reads of the master in a turn of the loop while nobody waits */
	SHORT = 1024,         /* bytes: a shorter read has probably emptied the master */
	PLENTY = 8192,        /* bytes in a ms: more may have filled the terminal's buffers */
	KILL_AFTER = 5000,    /* ms from HUP to KILL */
	RELEASE_AFTER = 1000, /* ms until an empty ring's or input queue's memory is released */
	RETRY = 100,          /* ms after an error of the master while the command runs */
};

static struct session *of(struct source *src)
{
	return (struct session *)src;
}

static void end(struct session *s)
{
	s->state = SESSION_OVER;
	s->ended = loop_now;
	if (CFG_EXEC && s->pty.pipes) {
		loop_close(&s->pty.in);
		loop_close(&s->pty.err);
	} else {
		close(s->pty.slave);
		s->pty.slave = -1;
	}
	queue_close(&s->input);
	loop_close(&s->pty.src);
	if (CFG_RECORD && !s->shared)
		record_end(&s->record);
}

/* Passes on what was put into the ring from this position on. */
static void feed(struct session *s, uint64_t from)
{
	if (CFG_RECORD)
		record_feed(&s->record);
	client_feed(s, from);
}

/* Reads the master into the ring, at most *left bytes, and lowers *left.  Returns the last read's result. */
static ssize_t read_master(struct session *s, size_t *left)
{
	ssize_t got = 0;

	for (int i = 0; *left && i < READS && (!i || !loop_others_ready(&s->pty.src)); i++) {
		/* a terminal has no more at once than RING_SPARE; a pipe has */
		size_t n = *left < RING_SPARE || (CFG_EXEC && s->pty.pipes) ? *left : RING_SPARE;
		unsigned char *space = ring_space(&s->ring, &n);

		got = io_read(s->pty.src.fd, space, n);
		if (got <= 0)
			break;
		ring_put(&s->ring, got);
		session_follow(s);
		*left -= got;
		if (got < SHORT && s->state == SESSION_RUNNING)
			break;
	}
	return got;
}

/* Whether the recorder is still to get some of the output, and there is time for it. */
static int is_recorded_late(const struct session *s)
{
	return CFG_RECORD && record_holds(&s->record);
}

/* Reads output, and writes it to every client that had received all before it. */
static void output(struct session *s)
{
	uint64_t before = s->ring.head;
	size_t left = session_room(s);
	ssize_t got;
	int is_short;

	if (!s->shared && left == s->ring.size)
		ring_rewind(&s->ring); /* every byte was sent: a busy session uses few pages */
	got = read_master(s, &left);
	if (CFG_CONSOLE && s->takes_console && s->state == SESSION_RUNNING)
		console_keep(&s->pty);
	if (s->state == SESSION_DRAINING)
		s->drain -= s->ring.head - before;
	if (s->ring.head != before)
		feed(s, before);
	is_short = s->ring.head != before && got < SHORT && loop_now <= s->read_at + QUICK;
	s->short_reads = is_short ? s->short_reads + 1 : 0;
	s->read_at = loop_now;
	s->read_at_us = loop_now_us;
	s->plenty = s->ring.head - before > (s->plenty ? SHORT : PLENTY);
	s->ring_used = !s->shared;
	if (CFG_EXEC && s->pty.pipes) {
		s->out_ended |= got < 0;
		if (session_pipes_drained(s))
			end(s);
	} else if (s->state == SESSION_DRAINING && left && (got <= 0 || s->drain < 0) &&
		   !is_recorded_late(s)) {
		end(s);
	} else if (got < 0) {
		s->retry_at = loop_now + RETRY;
	}
}

/* When the memory of a ring whose bytes were all sent is to be released. */
static msec release_at(const struct session *s)
{
	return s->ring_used && session_room(s) == s->ring.size ? s->read_at + RELEASE_AFTER : NEVER;
}

/* When the memory of the empty queue is to be released. */
static msec input_release_at(const struct session *s)
{
	return s->input.buf && !s->input.len ? s->input_at + RELEASE_AFTER : NEVER;
}

/* Whether the master is not read for a moment, so that output in small pieces is read in larger ones. */
static int is_coalescing(const struct session *s)
{
	return s->short_reads > SHORT_READS && s->state == SESSION_RUNNING &&
	       (s->plenty ? loop_now_us - s->read_at_us < LOOP_PAUSE : loop_now <= s->read_at);
}

static unsigned want(struct source *src, msec *due)
{
	struct session *s = of(src);
	unsigned wants = s->input.len && !s->pty.pipes ? LOOP_WRITE : 0;

	if (s->kill_at)
		due_at(due, s->kill_at);
	if (src->fd < 0) { /* -t: not open yet, or the command's process ended before that */
		if (s->state == SESSION_DRAINING)
			due_at(due, loop_now);
		return 0;
	}
	due_at(due, release_at(s));
	due_at(due, input_release_at(s));
	if (s->redraw_at)
		due_at(due, s->redraw_at);
	if (s->retry_at > loop_now) {
		due_at(due, s->retry_at);
		return 0;
	}
	if (!session_room(s))
		return wants;
	if (is_coalescing(s)) {
		if (s->plenty)
			return wants | LOOP_SOON;
		due_at(due, s->read_at + 1);
		return wants;
	}
	if (CFG_EXEC && s->pty.pipes) {
		if (session_pipes_drained(s))
			due_at(due, loop_now);
		return session_out_drained(s) ? 0 : LOOP_READ;
	}
	/* an empty master never becomes readable, and is only found empty by reading it */
	if (s->state == SESSION_DRAINING)
		due_at(due, loop_now);
	return wants | LOOP_READ;
}

/* Ends the session of a command that the server cannot kill: it runs as another user by now (su), a file system that
 * hangs holds it, or somebody traces it and does not wait for it (ptrace(2)).  When the master is closed, the kernel
 * hangs the terminal up.  A ptyshim needs none of this, because it exits. */
static void abandon(struct session *s)
{
	s->status = 128 + SIGKILL;
	s->pty.pid = 0;
	end(s);
}

static void ready(struct source *src, unsigned what)
{
	struct session *s = of(src);
	int timed = what & LOOP_TIME && s->state == SESSION_DRAINING;

	if (what & LOOP_WRITE)
		session_flush_input(s);
	if (what & LOOP_TIME && loop_now >= release_at(s)) {
		ring_release(&s->ring);
		s->ring_used = 0;
	}
	if (what & LOOP_TIME && loop_now >= input_release_at(s))
		queue_close(&s->input);
	if (CFG_MODES && what & LOOP_TIME && s->redraw_at && loop_now >= s->redraw_at) {
		s->redraw_at = 0;
		s->redrawn_at = loop_now;
		pgrp_signal(src->fd, s->pty.pid, SIGWINCH);
	}
	if (what & LOOP_READ || timed)
		output(s);
	if (what & LOOP_TIME && s->kill_at && loop_now >= s->kill_at) {
		s->kill_at = s->killed ? 0 : loop_now + KILL_AFTER;
		if ((pty_hangup(&s->pty, SIGKILL) || s->killed) && (CFG_PTYROUTER || CFG_EXEC))
			abandon(s);
		s->killed = 1;
	}
}

/* Opens a terminal of the server's devpts; or, with a report (not -1), receives the one that the command's process
 * opened. */
static struct failure open_pty(struct session *s, int report)
{
	struct failure f = {0};

	if (report >= 0)
		f = spawn_receive_pty(&s->pty, &s->size, report);
	else if (CFG_EXEC && s->pty.pipes ? pty_open_pipes(&s->pty) : pty_open(&s->pty, &s->size))
		f = (struct failure){pty_what, errno};
	if (!f.err && CFG_CONSOLE && s->takes_console)
		f = console_take(&s->pty);
	if (f.err)
		pty_close(&s->pty);
	return f;
}

/* The command's process has its ends of the pipes. */
static void start_pipes(struct session *s)
{
	pty_close_ends(&s->pty);
	session_pipes_start(s);
}

struct failure session_begin(struct session *s, int *report)
{
	struct failure f = {0};

	*report = -1;
	s->began = loop_now;
	s->state = SESSION_OVER;
	if (s->env && s->env_len > SESSION_ENV)
		return (struct failure){"environment", E2BIG};
	if (!jail_joins())
		f = open_pty(s, -1);
	if (f.err)
		return f;
	*report = spawn_begin(&s->pty, s->command, s->env, &f);
	if (*report < 0) {
		pty_close(&s->pty);
		return f;
	}
	s->state = jail_joins() ? SESSION_OPENING : SESSION_RUNNING;
	s->drain = s->kill_at = s->retry_at = s->short_reads = s->killed = 0;
	s->pty.src = (struct source){.fd = s->pty.src.fd, .want = want, .ready = ready};
	loop_add(&s->pty.src);
	if (CFG_EXEC && s->pty.pipes && s->state == SESSION_RUNNING)
		start_pipes(s);
	return f;
}

int session_report(struct session *s, int report, struct failure *f)
{
	if (!CFG_JAIL || s->state != SESSION_OPENING) {
		*f = spawn_result(report);
		return 1;
	}
	*f = open_pty(s, report);
	if (f->err) { /* the command's process has ended, or ends when the report is closed */
		close(report);
		return 1;
	}
	s->state = SESSION_RUNNING;
	spawn_continue(&s->pty, report);
	if (CFG_EXEC && s->pty.pipes)
		start_pipes(s);
	return 0;
}

struct failure session_start(struct session *s)
{
	int report;
	struct failure f = session_begin(s, &report);

	while (!f.err && !session_report(s, report, &f))
		;
	/* a process that failed ends, unless it is blocked in a file system of the container's */
	if (f.err && s->pty.pid > 0)
		kill(s->pty.pid, SIGKILL);
	return f;
}

void session_exited(struct session *s, int wait_status)
{
	s->status = sig_status(wait_status);
	s->state = SESSION_DRAINING;
	s->pty.pid = 0;
	s->drain = DRAIN;
	s->kill_at = 0;
	s->retry_at = 0;
	if (CFG_EXEC && s->pty.pipes)
		session_pipes_drain(s);
}

void session_hangup(struct session *s)
{
	if (s->state == SESSION_NEW || s->state >= SESSION_DRAINING || s->kill_at)
		return;
	s->hung_up = 1;
	pty_hangup(&s->pty, SIGHUP);
	session_close_input(s);
	s->kill_at = loop_now + KILL_AFTER;
}

int session_closed(const struct session *s)
{
	return !s->pty.src.linked;
}

int session_lines_fit(const struct session *s)
{
	return session_room(s) >= SESSION_LINES + 2;
}

int session_put_lines(struct session *s, const char *lines, size_t n)
{
	uint64_t before = s->ring.head;

	if (session_room(s) < n + 2)
		return -1;
	if (ring_last(&s->ring) != '\n')
		ring_copy(&s->ring, "\r\n", 2);
	ring_copy(&s->ring, lines, n);
	session_follow(s);
	feed(s, before);
	return 0;
}
