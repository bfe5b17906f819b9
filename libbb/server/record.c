/* record.c: a session's output, appended to a file (-l).
 *
 *	session -> ring -> record_feed(): messages -> socket pair -> the recorder, a process (recorder.c) -> FILE
 *
 * A write to a file can take for ever, whatever O_NONBLOCK says (a network file system, a FIFO), and so can open(2).  So
 * both are done by a process for each recording, and the session only sends messages, which never waits.  When the
 * recorder does not keep up, the master is not read for GRACE ms: a disk that is slow for an instant costs nothing, and a
 * recorder that is stuck costs that once, until it goes on.  What it does not take then is missing in the file, which says
 * how much.
 *
 * On SIGUSR1 the next message has the file opened anew, so that no byte comes into the wrong one.  Only a recorder that is
 * stuck or has ended is replaced by another.
 *
 * config RECORD y recordings (-l)
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include "server.h"

enum {
	GRACE = 100,   /* ms for which output waits for the recorder */
	FINISH = 2000, /* ms for the recorder to write what it has when the server ends */
};

static const char *file; /* -l */
static char of_sessions; /* each session has a recording: %p and %t are its pid and start */

static unsigned want(struct source *src, msec *due)
{
	const struct record *r = (struct record *)src;

	if (!record_holds(r))
		return 0;
	due_at(due, r->full_at + GRACE);
	return LOOP_WRITE;
}

static void ready(struct source *src, unsigned what)
{
	(void)what;
	record_feed((struct record *)src);
}

/* Whether the recorder has taken nothing for GRACE ms. */
static int is_stuck(const struct record *r)
{
	return r->full_at && loop_now >= r->full_at + GRACE;
}

int record_holds(const struct record *r)
{
	return r->full_at && !is_stuck(r) && r->pos != r->ring->head;
}

/* Sends the output from r->pos on, PIECE bytes at most, and returns how many; -1 and errno. */
static ssize_t send_piece(const struct record *r)
{
	struct record_message head = {
		.at = loop_now, .lost = r->lost, .size = *r->size, .reopen = r->reopen};
	struct iovec v[3] = {{&head, sizeof head}};
	ssize_t n;

	n = writev(r->src.fd, v, 1 + ring_data(r->ring, r->pos, RECORD_PIECE, v + 1));
	return n < 0 ? -1 : n - (ssize_t)sizeof head;
}

/* Gives up what the recorder did not take. */
static void drop(struct record *r)
{
	r->lost += r->ring->head - r->pos;
	r->pos = r->ring->head;
}

void record_feed(struct record *r)
{
	ssize_t n;

	if (!r->ring)
		return;
	if (!r->src.linked || r->src.closed) {
		drop(r);
		return;
	}
	while ((n = send_piece(r)) >= 0) {
		r->pos += n;
		r->lost = r->full_at = r->reopen = 0;
		if (r->pos == r->ring->head)
			return;
	}
	if (!r->full_at)
		r->full_at = loop_now;
	if (!record_holds(r))
		drop(r);
}

/* Returns the name of the recording, with the session's %p and %t; to be called in the recorder. */
static const char *name_of(const struct record *r)
{
	static char path[PATH_MAX] LARGE;
	struct text t = {path, path + sizeof path - 1};

	if (!of_sessions)
		return file;
	for (const char *c = file; *c; c++)
		if (c[0] == '%' && (c[1] == 'p' || c[1] == 't'))
			text_num(&t, *++c == 'p' ? r->pid : r->began);
		else
			text_str(&t, (char[]){*c, '\0'});
	return path;
}

static int start_recorder(struct record *r)
{
	int fd[2];
	pid_t self = getpid();

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd))
		return -1;
	r->recorder = _Fork();
	if (!r->recorder) {
		if (sig_forget)
			sig_forget();
		dup2(fd[1], 0);
		recorder_run(name_of(r), r->command->home, self);
	}
	close(fd[1]);
	if (r->recorder > 0)
		return fd[0];
	r->recorder = 0;
	close(fd[0]);
	return -1;
}

/* Starts a recorder, in the place of one that is stuck or has ended. */
static void restart(struct record *r)
{
	int fd;

	if (r->recorder)
		kill(r->recorder, SIGKILL);
	fd = start_recorder(r);
	if (fd < 0) {
		warn("-l ", file, ": ", msg_errno());
		return;
	}
	r->full_at = 0;
	if (!r->src.linked) {
		r->src = (struct source){.fd = fd, .want = want, .ready = ready};
		loop_add(&r->src);
		return;
	}
	dup3(fd, r->src.fd, O_CLOEXEC); /* also of one that was closed in this turn */
	close(fd);
	r->src.closed = 0;
}

void record_renew(struct record *r)
{
	if (!r->ring)
		return;
	if (!r->recorder || is_stuck(r)) {
		restart(r);
		return;
	}
	r->reopen = 1;
	record_feed(r);
}

void record_reaped(struct record *r, pid_t pid)
{
	if (!r->recorder || pid != r->recorder)
		return;
	r->recorder = 0;
	if (r->reopen) {
		r->reopen = 0;
		restart(r);
	} else if (r->src.linked && !r->src.closed) {
		warn("-l ", file, ": the recorder has ended (USR1 starts another)");
		loop_close(&r->src);
	}
}

void record_begin(struct record *r, const struct ring *ring, const struct winsize *size,
	const struct command *c, pid_t pid)
{
	if (!file)
		return;
	*r = (struct record){.ring = ring, .size = size, .command = c, .pid = pid};
	r->began = loop_unix_time() / 1000;
	r->pos = ring_oldest(ring);
	restart(r);
	record_feed(r);
}

void record_end(struct record *r)
{
	if (r->lost)
		record_feed(r);
	if (r->src.linked)
		loop_close(&r->src);
	r->recorder = 0;
}

void record_finish(struct record *r)
{
	struct pollfd p = {.fd = r->src.fd};

	if (!r->src.linked || r->src.closed)
		return;
	if (r->lost)
		record_feed(r);
	shutdown(p.fd, SHUT_WR);
	poll(&p, 1, FINISH); /* until POLLHUP: the recorder has closed its end (unix(7)) */
}

/* ---- the option ---- */

void record_option(const char *value)
{
	file = value;
}

/* Whether FILE can be appended to or made, as far as can be seen without opening it. */
static int is_writable(const char *name)
{
	struct stat st;

	if (!stat(name, &st) && S_ISDIR(st.st_mode))
		errno = EISDIR;
	else if (!access(name, W_OK) || (errno == ENOENT && !access(".", W_OK)))
		return 1;
	return 0;
}

void record_check(int names_sessions)
{
	const char *name;
	int back = -1, writable;

	if (!file)
		return;
	of_sessions = names_sessions;
	for (const char *c = file; of_sessions && strncmp(c, "%p", 2); c++)
		if (!*c)
			die(1, "-l ", file, ": needs %p in its name, the pid of the session");
	name = io_enter(file, &back);
	writable = name && is_writable(name);
	if (name)
		io_leave(back);
	if (!writable)
		die(1, "-l ", file, ": ", msg_errno());
}
