/* session.c: a pty, the command on it, and one output ring.
 *
 *	command <-> slave | master -> ring -> client positions
 *	                  | master <- in   <- what clients type
 *
 * The client that has come furthest sets the pace: the master is read only as far as the ring has
 * room for that one, so the command waits and nothing is lost.  A slower one falls behind, and skips
 * once what it lacks is overwritten.  With nobody attached the command is never held back.
 *
 * A session is over when its command has ended and the master has nothing more to read; a background
 * process that goes on writing counts for at most DRAIN bytes (more than a terminal ever buffers).
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include "libbb.h"

enum {
	DRAIN = 128 * 1024,
	INPUT = 16384,     /* more than a client says at once */
	BURST = 8,         /* short reads in a row, then they are gathered */
	GATHER = 1,        /* ms */
	READS = 16,        /* a turn: then the others */
	SHORT = 1024,      /* a read this short has probably emptied the master */
	KILL_AFTER = 5000, /* ms from HUP to KILL */
	COOL = 1000,       /* ms without output after which an empty ring gives its memory back */
	RETRY = 100,       /* ms after an error of a master whose command lives */
};

static struct session *of(struct source *src)
{
	return (struct session *)src;
}

/* The terminal is opened by the command's process, which has not shown it yet. */
static int is_coming(const struct session *s)
{
	return CFG_JAIL && s->coming;
}

/* How much may be read: all of the ring while nobody listens; up to the only client's position; with
 * several up to half a ring ahead of the foremost, so that the others may be as far behind it. */
static size_t room(const struct session *s)
{
	size_t half = s->ring.size / 2, left;
	uint64_t pace = 0;
	int talkers = 0;

	for (const struct client *c = s->clients; c; c = c->next)
		if (c->talks) {
			talkers++;
			pace = c->pos > pace ? c->pos : pace;
		}
	if (!talkers)
		return s->ring.size;
	if (pace < ring_oldest(&s->ring))
		return 0; /* it has to skip first */
	left = ring_room(&s->ring, pace);
	return talkers == 1 ? left : left > half ? left - half : 0;
}

int session_held(const struct session *s)
{
	struct pollfd p = {.fd = s->pty.master, .events = POLLIN};

	return !room(s) && (s->exited || poll(&p, 1, 0) > 0);
}

int session_takes_input(const struct session *s, uint64_t typed_to)
{
	return !s->in.len || (s->in_bytes - s->in.len >= typed_to && queue_room(&s->in) >= INPUT);
}

void session_input(struct session *s, const unsigned char *data, size_t n)
{
	ssize_t done = 0;

	s->in_bytes += n;
	s->burst = s->gather_until = 0; /* what comes now is an answer: it does not wait for more */
	s->typed = n ? data[n - 1] : s->typed;
	if (s->started && (session_closed(s) || s->exited))
		return;
	if (s->started && !s->in.len)
		done = io_write(s->src.fd, data, n);
	if (done < 0)
		done = 0; /* hung up for a moment, or still to come: keep it */
	if (queue_put(&s->in, data + done, n - done))
		warn(s->command->argv[0], ": input lost: ", msg_errno());
}

static void drained(struct session *s)
{
	s->over = 1;
	s->ended = loop_now;
	close(s->pty.slave);
	s->pty.slave = s->pty.master = -1;
	s->coming = 0;
	queue_close(&s->in);
	loop_close(&s->src);
}

/* Read what there is, give it to every client that had everything until now. */
static void output(struct session *s)
{
	uint64_t before = s->ring.head;
	size_t left = room(s);
	ssize_t got = 0;

	if (!s->replays && left == s->ring.size)
		ring_rewind(&s->ring); /* everything was taken: a busy session keeps to few pages */

	for (int i = 0; left && i < READS; i++) {
		size_t n = left;
		unsigned char *space = ring_space(&s->ring, &n);

		got = io_read(s->src.fd, space, n);
		if (got <= 0)
			break;
		ring_put(&s->ring, got);
		left -= got;
		if (got < SHORT && !s->exited)
			break;
	}
	if (s->exited)
		s->drain -= s->ring.head - before;
	if (s->ring.head != before)
		s->feed(s, before);
	s->burst = got > 0 && got < SHORT && loop_now <= s->read_at + 2 * GATHER ? s->burst + 1 : 0;
	s->gather_until = s->burst > BURST ? loop_now + GATHER : 0;
	s->read_at = loop_now;
	s->warm = !s->replays;
	if (s->exited && left && (got <= 0 || s->drain < 0))
		drained(s);
	else if (got < 0)
		s->retry = loop_now + RETRY;
}

static unsigned want(struct source *src, msec *due)
{
	struct session *s = of(src);
	unsigned wants = s->in.len ? LOOP_WRITE : 0;

	if (s->kill_at)
		due_at(due, s->kill_at);
	if (is_coming(s)) {
		if (s->exited)
			due_at(due, loop_now);
		return 0;
	}
	if (s->warm && room(s) == s->ring.size)
		due_at(due, s->read_at + COOL);
	if (s->retry > loop_now) {
		due_at(due, s->retry);
		return 0;
	}
	if (!room(s))
		return wants;
	if (s->gather_until > loop_now && !s->exited) {
		due_at(due, s->gather_until);
		return wants;
	}
	if (s->exited)
		due_at(due, loop_now); /* the end may be here already, and nothing readable */
	return wants | LOOP_READ;
}

/* It is another user's by now (su), and not ours to kill; or KILL did not end it, because a file system that
 * hangs holds it, or because somebody traces it and does not wait for it (ptrace(2)).  Without a master the kernel
 * hangs it up.  A ptyshim ends in any case. */
static void let_go(struct session *s)
{
	s->status = 128 + SIGKILL;
	s->pty.pid = 0;
	drained(s);
}

static void ready(struct source *src, unsigned what)
{
	struct session *s = of(src);

	if (what & LOOP_WRITE)
		io_flush(src->fd, &s->in);
	if (what & LOOP_TIME && s->warm && room(s) == s->ring.size &&
		loop_now >= s->read_at + COOL) {
		ring_release(&s->ring);
		s->warm = 0;
	}
	if (what & LOOP_READ || (what & LOOP_TIME && (s->exited || s->gather_until)))
		output(s);
	if (what & LOOP_TIME && s->kill_at && loop_now >= s->kill_at) {
		s->kill_at = s->killed ? 0 : loop_now + KILL_AFTER;
		if ((pty_hangup(&s->pty, SIGKILL) || s->killed) && CFG_PTYROUTER)
			let_go(s);
		s->killed = 1;
	}
}

/* One of our own devpts, or the one that has come. */
static struct failure open_pty(struct session *s, int report)
{
	struct failure f = {0};

	if (is_coming(s))
		f = pty_arrived(&s->pty, &s->size, report);
	else if (pty_open(&s->pty, &s->size))
		f = (struct failure){pty_what, errno};
	if (!f.err && CFG_CONSOLE && s->opened)
		f = s->opened(&s->pty);
	if (f.err)
		pty_close(&s->pty);
	return f;
}

struct failure session_begin(struct session *s, int *report)
{
	struct failure f = {0};

	*report = -1;
	s->src.fd = -1;
	s->started = 1;
	s->began = loop_now;
	if (s->env && s->env_len > SESSION_ENV)
		return (struct failure){"environment", E2BIG};
	s->coming = pty_comes();
	if (!is_coming(s))
		f = open_pty(s, -1);
	if (f.err)
		return f;
	*report = pty_spawn(&s->pty, s->command, s->env, &f);
	if (*report < 0) {
		s->coming = 0;
		pty_close(&s->pty);
		return f;
	}
	s->exited = s->over = 0;
	s->drain = s->kill_at = s->retry = s->gather_until = s->killed = 0;
	s->src = (struct source){.fd = s->pty.master, .want = want, .ready = ready};
	loop_add(&s->src);
	return f;
}

int session_told(struct session *s, int report, struct failure *f)
{
	if (!is_coming(s)) {
		*f = pty_spawned(report);
		return 1;
	}
	*f = open_pty(s, report);
	if (f->err) { /* its process ends by itself, or when the report is closed */
		close(report);
		return 1;
	}
	s->coming = 0;
	s->src.fd = s->pty.master;
	pty_go(&s->pty, report);
	return 0;
}

struct failure session_start(struct session *s)
{
	int report;
	struct failure f = session_begin(s, &report);

	while (!f.err && !session_told(s, report, &f))
		;
	if (f.err && s->pty.pid > 0) /* it ends by itself, unless the container's files hold it */
		kill(s->pty.pid, SIGKILL);
	return f;
}

void session_exited(struct session *s, int wait_status)
{
	s->status = sig_status(wait_status);
	s->exited = 1;
	s->pty.pid = 0;
	s->drain = DRAIN;
	s->kill_at = 0;
	s->retry = 0;
}

void session_hangup(struct session *s)
{
	if (s->exited || s->kill_at || session_closed(s))
		return;
	pty_hangup(&s->pty, SIGHUP);
	s->kill_at = loop_now + KILL_AFTER;
}

int session_closed(const struct session *s)
{
	return !s->src.linked;
}

void session_resize(struct session *s, const struct winsize *size)
{
	s->size = *size;
	if (s->pty.master >= 0)
		pty_resize(&s->pty, size);
}

void session_signal(struct session *s, int sig)
{
	if (s->pty.master >= 0 && s->started && !s->exited)
		pty_signal(&s->pty, sig);
}

int session_hears(const struct session *s)
{
	return room(s) >= SESSION_LINES + 2;
}

int session_say(struct session *s, const char *lines, size_t n)
{
	uint64_t before = s->ring.head;

	if (room(s) < n + 2)
		return -1;
	if (ring_last(&s->ring) != '\n')
		ring_copy(&s->ring, "\r\n", 2);
	ring_copy(&s->ring, lines, n);
	s->feed(s, before);
	return 0;
}
