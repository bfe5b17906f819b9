/* ptyrouter: run a command under a new pseudoterminal for every connection
 *
 * A supervisor and its workers.  The supervisor opens the listening sockets and never accepts.  It keeps -j workers
 * running, starts another whenever all are full, and replaces those that die.  A worker accepts and serves up to SESSIONS
 * sessions (router_session.c): few enough that select() stays cheap for each, and that a fault in a worker ends few others.
 *
 *	supervisor --- control socket --- worker: sessions, one client each
 *	   \------ control socket --- worker: ...
 *
 * On the control socket a worker reports that it is full (F), and answers the request for statistics (S) with its sessions.
 * A worker that is to make the connections of -x is woken with X: the first that is not full, until it is or ends.
 * On the supervisor's O, one of its sockets is outdated, it stops accepting and exits after its sessions; on L it opens the
 * recordings of its sessions anew.
 * The numbers of sessions are in a page that all processes share.  A worker that is idle exits when there are more than
 * -j and another has room.
 *
 * applet ptyrouter PTYROUTER
 * config PTYROUTER y the ptyrouter applet
 * usage [OPTIONS] [ADDR] [COMMAND [ARG]...]
 * options j: server
 * option -j N  worker processes (1; a new one is started by itself when one is full)
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>
#include "server/server.h"

enum {
	SESSIONS = 16,
	WORKERS = 256,   /* times SESSIONS: the kernel's limit of pseudoterminals (4096, pty(7)) */
	GIVE_UP = 10000, /* ms from TERM to exit: KILL 5 s after HUP, then 5 s to write output */
	RESPAWN = 1000,  /* ms: a worker that dies earlier is replaced only after as long again */
	ANSWER = 1000,   /* ms for a worker to answer a request for statistics */
};

/* A worker, as all processes see it. */
struct slot {
	pid_t pid; /* 0: free */
	int sessions;
	char calls; /* this worker makes the connections of -x */
	char outdated; /* a socket of this worker has lost its file: the worker is to exit after its sessions */
};

static struct shared {
	int total; /* sessions of all workers */
	struct slot worker[WORKERS];
	struct counters counters[SERVER_ADDRS];
} * shared;

static int jobs = 1; /* -j */
static msec ending;  /* when TERM was received; 0: not yet */

/* ==== a worker ==== */

static struct slot *own;                   /* in the shared page */
static struct source control = {.fd = -1}; /* to the supervisor */
static struct queue answers;               /* what the control socket did not take yet */
static char full_sent;                     /* F was sent, and there was no room since */

static int is_current(const struct slot *w)
{
	return w->pid > 0 && !w->outdated;
}

/* Whether this worker may exit: nothing is left to do, and another worker has room. */
static int may_exit(void)
{
	int workers = 0, room = 0;

	if (own->sessions || client_alive)
		return 0;
	if (ending)
		return 1;
	if (CFG_KEYED && handshake_pending())
		return 0;
	if (own->outdated || (CFG_SUPERVISED && server.single_connection))
		return 1;
	for (int i = 0; i < WORKERS; i++) {
		const struct slot *w = &shared->worker[i];

		workers += is_current(w);
		room |= is_current(w) && w != own && w->sessions < SESSIONS;
	}
	return workers > jobs && room;
}

static unsigned lifetime_want(struct source *src, msec *due)
{
	(void)src;
	if (ending)
		due_at(due, ending + GIVE_UP);
	if (may_exit() || server.paused != full_sent)
		due_at(due, loop_now);
	due_at(due, router_sessions_due());
	return 0;
}

static void lifetime_ready(struct source *src, unsigned what)
{
	(void)src, (void)what;
	router_sessions_serve();
	if (server.paused && !full_sent) /* the supervisor is to start another worker */
		queue_put(&answers, "F", 1);
	full_sent = server.paused;
	if (may_exit() || (ending && loop_now >= ending + GIVE_UP)) {
		listeners_close(); /* nothing is accepted later in this turn either */
		loop_stop();
	}
}

static struct source lifetime = {.fd = -1, .want = lifetime_want, .ready = lifetime_ready};

static void worker_end(void)
{
	ending = loop_now;
	client_rules.ending = 1;
	listeners_close();
	router_sessions_hangup();
}

static void answer_stats(void)
{
	static char line[QUEUE_SIZE / 2] LARGE;
	struct text t = {line, line + sizeof line};

	text_str(&t, "S");
	router_sessions_stats(&t);
	queue_put(&answers, line, t.at - line);
	queue_put(&answers, "", 1);
}

static unsigned control_want(struct source *src, msec *due)
{
	(void)src, (void)due;
	return LOOP_READ | (answers.len ? LOOP_WRITE : 0);
}

static void control_ready(struct source *src, unsigned what)
{
	char request;
	ssize_t n;

	if (what & LOOP_WRITE) {
		io_flush(src->fd, &answers);
		return;
	}
	n = io_read(src->fd, &request, 1);
	if (n > 0 && request == 'S') {
		answer_stats();
	} else if (n > 0 && request == 'X') {
		; /* own->calls was set: the next turn sees it */
	} else if (CFG_RECORD && n > 0 && request == 'L') {
		router_sessions_renew();
	} else if (n > 0) {
		listeners_leave();
	} else if (n < 0) { /* the supervisor has ended, or shut its side down to end this worker */
		loop_close(src);
		worker_end();
	}
}

static void serve_sessions(
	struct slot *slot, void (*stats)(struct text *), void (*other_signal)(int))
{
	own = slot;
	pgrp_open();
	loop_add(&lifetime);
	router_sessions_init(&shared->total, &slot->sessions, SESSIONS);
	server_signals(worker_end, router_sessions_reaped, other_signal);
	listeners_accept(1, stats);
	if (CFG_CALLOUT) {
		server.calls = &slot->calls;
		callouts_start();
	}
}

static _Noreturn void worker_main(struct slot *slot, int fd)
{
	loop_forget();
	daemon_disown();
	if (CFG_STATS)
		stats_forget();
	control = (struct source){.fd = fd, .want = control_want, .ready = control_ready};
	loop_add(&control);
	serve_sessions(slot, 0, 0);
	loop_run();
	_exit(0);
}

/* ==== a worker without a supervisor: for an inherited connection (ADDR is "-") ==== */

static void append_stats(struct text *t)
{
	router_sessions_stats(t);
	stats_end();
}

static void renew_stats(int sig)
{
	if (sig != SIGUSR1)
		return;
	listeners_renew();
	if (CFG_RECORD)
		router_sessions_renew();
}

static void serve_one(void)
{
	serve_sessions(shared->worker, CFG_STATS ? append_stats : 0, renew_stats);
	server_ready();
	loop_run();
	server_end();
}

/* ==== the supervisor ==== */

static struct worker {
	struct source src; /* the control socket */
	msec started;
	char in_answer; /* S was received, NUL not yet */
} workers[WORKERS] LARGE;

static msec spawn_at;       /* no worker is started before */
static msec requested_at;   /* when the request for statistics was sent to the current worker */
static struct text *report; /* statistics that are being collected; or 0 */
static int requested;       /* the worker that they are requested from now */

static int is_alive(int i)
{
	return shared->worker[i].pid > 0;
}

static int alive(void)
{
	int n = 0;

	for (int i = 0; i < WORKERS; i++)
		n += is_alive(i);
	return n;
}

/* Whether there are too few workers that accept at every socket, or all of them are full. */
static int too_few(void)
{
	int current = 0, room = 0;

	for (int i = 0; i < WORKERS; i++) {
		const struct slot *w = &shared->worker[i];

		current += is_current(w);
		room |= is_current(w) && w->sessions < SESSIONS;
	}
	return current < jobs || !room;
}

/* Has a worker call out, if there are addresses to be called, and no worker with room does. */
static void appoint_caller(void)
{
	int i = 0;

	if (!CFG_CALLOUT || !listener_call(0))
		return;
	for (int k = 0; k < WORKERS; k++) {
		struct slot *w = &shared->worker[k];

		if (w->calls && is_current(w) && w->sessions < SESSIONS)
			return;
		w->calls = 0;
	}
	while (i < WORKERS &&
		!(is_current(&shared->worker[i]) && shared->worker[i].sessions < SESSIONS))
		i++;
	if (i == WORKERS)
		return;
	shared->worker[i].calls = 1;
	io_write(workers[i].src.fd, "X", 1);
}

static int missing(void)
{
	return !ending && too_few() && alive() < WORKERS;
}

/* ---- statistics ---- */

/* Requests the next worker's statistics; one after the other, so that the answers do not mix. */
static void request_next(void)
{
	while (++requested < WORKERS)
		if (is_alive(requested) && io_write(workers[requested].src.fd, "S", 1) == 1) {
			requested_at = loop_now;
			return;
		}
	report = 0;
	stats_end();
}

/* Handles what a worker sent: F, that it is full, for which waking up suffices; or S, its sessions, each with a comma before
 * it, and NUL. */
static void worker_received(struct worker *h, const char *data, size_t n)
{
	for (; n; data++, n--) {
		char one[2] = {*data, '\0'};
		int current = report && h == &workers[requested];

		if (!h->in_answer) {
			h->in_answer = *data == 'S';
		} else if (!*data) {
			h->in_answer = 0;
			if (current)
				request_next();
		} else if (current && !(*data == ',' && report->at[-1] == '[')) {
			text_str(report, one);
		}
	}
}

static void request_stats(struct text *t)
{
	report = t;
	requested = -1;
	request_next();
}

/* ---- workers ---- */

static void worker_ready(struct source *src, unsigned what)
{
	char buf[4096];
	ssize_t n = io_read(src->fd, buf, sizeof buf);

	(void)what;
	if (n > 0) {
		worker_received((struct worker *)src, buf, n);
		appoint_caller(); /* that worker may be full */
	} else if (n < 0) {
		loop_close(src);
	}
}

static void supervisor_reaped(pid_t pid, int status)
{
	(void)status;
	for (int i = 0; i < WORKERS; i++) {
		struct slot *slot = &shared->worker[i];

		if (slot->pid != pid)
			continue;
		__atomic_sub_fetch(&shared->total, slot->sessions, __ATOMIC_RELAXED);
		if (!slot->outdated && loop_now - workers[i].started < RESPAWN)
			spawn_at = loop_now + RESPAWN;
		*slot = (struct slot){0};
		loop_close(&workers[i].src);
		if (report && i == requested)
			request_next();
	}
	appoint_caller();
}

static unsigned supervisor_want(struct source *src, msec *due)
{
	(void)src;
	if (ending)
		due_at(due, alive() ? ending + GIVE_UP + 1000 : loop_now);
	else if (missing())
		due_at(due, spawn_at);
	if (report)
		due_at(due, requested_at + ANSWER);
	return 0;
}

/* Stops the loop when a worker is due: it is forked outside, because it runs a loop of its own. */
static void supervisor_ready(struct source *src, unsigned what)
{
	(void)src, (void)what;
	if (report && loop_now >= requested_at + ANSWER)
		request_next();
	if ((missing() && loop_now >= spawn_at) ||
		(ending && (!alive() || loop_now >= ending + GIVE_UP + 1000)))
		loop_stop();
}

static struct source supervisor = {.fd = -1, .want = supervisor_want, .ready = supervisor_ready};

static void supervisor_end(void)
{
	if (!ending)
		ending = loop_now;
	listeners_close();
	for (int i = 0; i < WORKERS; i++)
		if (is_alive(i) && !workers[i].src.closed)
			shutdown(workers[i].src.fd,
				SHUT_WR); /* not TERM, which an inherited disposition may ignore */
}

/* Workers accept at the sockets with which they were forked, so all are replaced when one of these is. */
static void supervisor_other_signal(int sig)
{
	int renewed;

	if (sig != SIGUSR1 || ending)
		return;
	renewed = listeners_renew();
	for (int i = 0; i < WORKERS; i++)
		if (CFG_RECORD && is_alive(i))
			io_write(workers[i].src.fd, "L", 1);
	for (int i = 0; renewed && i < WORKERS; i++)
		if (is_alive(i)) {
			shared->worker[i].outdated = 1;
			io_write(workers[i].src.fd, "O", 1);
		}
	if (renewed)
		spawn_at = 0;
}

static void worker_spawn(void)
{
	int fd[2], i = 0;
	struct slot *slot;
	pid_t pid;

	while (i < WORKERS && (is_alive(i) || workers[i].src.linked))
		i++;
	slot = &shared->worker[i];
	spawn_at = loop_now + RESPAWN;
	if (i == WORKERS || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fd))
		return;
	*slot = (struct slot){0};
	pid = _Fork();
	if (!pid) {
		for (int k = 0; k < WORKERS; k++) /* is_alive() may count this process by now */
			if (workers[k].src.linked)
				close(workers[k].src.fd);
		close(fd[0]);
		worker_main(slot, fd[1]);
	}
	close(fd[1]);
	if (pid < 0) {
		close(fd[0]);
		return;
	}
	slot->pid = pid;
	spawn_at = 0;
	workers[i] = (struct worker){
		.src = {.fd = fd[0], .want = loop_want_read, .ready = worker_ready}};
	workers[i].started = loop_now;
	loop_add(&workers[i].src);
}

int ptyrouter_main(char **argv, const char *options)
{
	struct opt o = {.argv = argv + 1, .spec = options};
	int c;

	if (CFG_SUPERVISED)
		inherit_silence(o.argv);
	server_seal(argv, options);
	while ((c = opt_next(&o)) >= 0)
		if (c == 'j')
			jobs = opt_num(&o, 1, 64);
		else
			server_option(&o, c);
	shared = mmap(0, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		die(1, "no memory: ", msg_errno());
	server.counters = shared->counters;
	server.session_count = &shared->total;
	server_listen(&o, router_session_open);
	if (CFG_RECORD)
		record_check(1);
	sig_block(SIGTTOU);
	if (CFG_SUPERVISED && server.single_connection) {
		server_start();
		serve_one();
		return 0;
	}
	command_check(&server.command);
	server_start();
	server_signals(supervisor_end, supervisor_reaped, supervisor_other_signal);
	loop_add(&supervisor);
	listeners_accept(0, request_stats);
	server_ready();
	do {
		while (missing() && loop_now >= spawn_at)
			worker_spawn();
		appoint_caller();
		loop_run();
	} while (!ending || (alive() && loop_now < ending + GIVE_UP + 1000));
	for (int i = 0; i < WORKERS; i++)
		if (is_alive(i))
			kill(shared->worker[i].pid, SIGKILL);
	server_end();
	return 0;
}
