/* ptyrouter: run a command under a new pseudoterminal for every connection
 *
 * A keeper and its workers.  The keeper opens the sockets, never accepts, and holds up the workers:
 * it starts -j of them, another whenever all are full, and a new one for one that died.  A worker
 * accepts and serves up to SEATS sessions (seat.c); few enough that select() costs an idle session's
 * neighbours next to nothing, and what goes wrong in it takes few other sessions along.
 *
 *	keeper --- control socket --- worker: sessions, one client each
 *	   \------ control socket --- worker: ...
 *
 * On the control socket a worker says that it is full, and answers a question for statistics with
 * its sessions.  How many sessions there are stands in a page that all share.
 *
 * applet ptyrouter PTYROUTER
 * config PTYROUTER y the ptyrouter applet
 * usage [OPTIONS] ADDR [COMMAND [ARG]...]
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
#include "libbb.h"

enum {
	SEATS = 16,
	WORKERS = 256,   /* times SEATS: as many as the kernel has pseudoterminals (4096) */
	GIVE_UP = 10000, /* ms: KILL comes 5 s after HUP, and 5 s to flush */
	YOUNG = 1000,    /* ms: a worker that dies so soon is not replaced at once */
	ANSWER = 1000,   /* ms for a worker to answer */
};

struct slot {
	pid_t pid;
	int sessions;
};

static struct shared {
	int total;
	struct slot worker[WORKERS];
	struct tally tally[SERVER_ADDRS];
} * shared;

static int jobs = 1;
static msec ending;

static int all_sessions(void)
{
	return __atomic_load_n(&shared->total, __ATOMIC_RELAXED);
}

/* ==== a worker ==== */

static struct slot *own;
static struct source control = {.fd = -1};
static struct queue answers; /* to the keeper */

/* A full worker accepts no more, not even in this turn, and says so: the keeper starts another. */
static int count_session(int change)
{
	int total = __atomic_add_fetch(&shared->total, change, __ATOMIC_RELAXED);
	char full;

	if (change > 0 && server.max && total > server.max) { /* another worker was faster */
		__atomic_sub_fetch(&shared->total, change, __ATOMIC_RELAXED);
		return 0;
	}
	own->sessions += change;
	full = own->sessions >= SEATS;
	if (full && !server.paused)
		queue_put(&answers, "F", 1);
	server.paused = full;
	return 1;
}

static int may_leave(void)
{
	int workers = 0, room = 0;

	if (own->sessions || client_alive)
		return 0;
	if (ending)
		return 1;
	if (CFG_KEYED && shake_pending())
		return 0;
	if (CFG_SUPERVISED && server.alone)
		return 1;
	for (int i = 0; i < WORKERS; i++) {
		const struct slot *w = &shared->worker[i];

		workers += w->pid > 0;
		room |= w->pid > 0 && w != own && w->sessions < SEATS;
	}
	return workers > jobs && room;
}

static unsigned worker_want(struct source *src, msec *due)
{
	(void)src;
	if (ending)
		due_at(due, ending + GIVE_UP);
	if (may_leave())
		due_at(due, loop_now);
	due_at(due, seats_due());
	return 0;
}

static void worker_ready(struct source *src, unsigned what)
{
	(void)src, (void)what;
	seats_serve();
	if (may_leave() || (ending && loop_now >= ending + GIVE_UP)) {
		server_unlisten(); /* in this turn too */
		loop_stop();
	}
}

static struct source worker = {.fd = -1, .want = worker_want, .ready = worker_ready};

static void worker_end(void)
{
	ending = loop_now;
	server_unlisten();
	seats_hangup();
}

static void answer_stats(void)
{
	static char line[QUEUE_SIZE / 2] LARGE;
	struct text t = {line, line + sizeof line};

	text_str(&t, "S");
	seats_stats(&t);
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
	char question;
	ssize_t n;

	if (what & LOOP_WRITE) {
		io_flush(src->fd, &answers);
		return;
	}
	n = io_read(src->fd, &question, 1);
	if (n > 0) {
		answer_stats();
	} else if (n < 0) { /* the keeper is gone */
		loop_close(src);
		worker_end();
	}
}

static void serve(struct slot *slot, void (*stats)(struct text *))
{
	own = slot;
	pgrp_open();
	loop_add(&worker);
	seat_init(count_session);
	server_signals(worker_end, seats_reaped, 0);
	server_accept(1, stats);
}

static _Noreturn void work(struct slot *slot, int fd)
{
	loop_forget();
	daemon_disown();
	if (CFG_STATS)
		stats_forget();
	control = (struct source){.fd = fd, .want = control_want, .ready = control_ready};
	loop_add(&control);
	serve(slot, 0);
	loop_run();
	_exit(0);
}

/* ==== a worker without a keeper: for the one connection it was started with ==== */

static void tell_stats(struct text *t)
{
	seats_stats(t);
	stats_end();
}

static void serve_one(void)
{
	serve(shared->worker, CFG_STATS ? tell_stats : 0);
	server_ready();
	loop_run();
	server_end();
}

/* ==== the keeper ==== */

static struct hand {
	struct source src; /* the control socket */
	msec started;
	char answering;
} hands[WORKERS] LARGE;

static msec wait_until, asked_at;
static struct text *report; /* statistics being gathered, */
static int asking;          /* from this worker now */

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

static int full(void)
{
	for (int i = 0; i < WORKERS; i++)
		if (is_alive(i) && shared->worker[i].sessions < SEATS)
			return 0;
	return 1;
}

static int missing(void)
{
	return !ending && (alive() < jobs || full()) && alive() < WORKERS;
}

/* ---- statistics ---- */

/* One worker after the other, so that their sessions do not mix. */
static void ask_next(void)
{
	while (++asking < WORKERS)
		if (is_alive(asking) && io_write(hands[asking].src.fd, "S", 1) == 1) {
			asked_at = loop_now;
			return;
		}
	report = 0;
	stats_end();
}

/* 'F', a worker is full: the wake-up is all.  'S' and its sessions, a comma before each, up to NUL. */
static void hear_worker(struct hand *h, const char *data, size_t n)
{
	for (; n; data++, n--) {
		char one[2] = {*data, '\0'};
		int current = report && h == &hands[asking];

		if (!h->answering) {
			h->answering = *data == 'S';
		} else if (!*data) {
			h->answering = 0;
			if (current)
				ask_next();
		} else if (current && !(*data == ',' && report->at[-1] == '[')) {
			text_str(report, one);
		}
	}
}

static void ask_workers(struct text *t)
{
	report = t;
	asking = -1;
	ask_next();
}

/* ---- the workers' lives ---- */

static unsigned hand_want(struct source *src, msec *due)
{
	(void)src, (void)due;
	return LOOP_READ;
}

static void hand_ready(struct source *src, unsigned what)
{
	char buf[4096];
	ssize_t n = io_read(src->fd, buf, sizeof buf);

	(void)what;
	if (n > 0)
		hear_worker((struct hand *)src, buf, n);
	else if (n < 0)
		loop_close(src);
}

static void keeper_reaped(pid_t pid, int status)
{
	(void)status;
	for (int i = 0; i < WORKERS; i++) {
		struct slot *slot = &shared->worker[i];

		if (slot->pid != pid)
			continue;
		__atomic_sub_fetch(&shared->total, slot->sessions, __ATOMIC_RELAXED);
		if (loop_now - hands[i].started < YOUNG)
			wait_until = loop_now + YOUNG;
		*slot = (struct slot){0};
		loop_close(&hands[i].src);
		if (report && i == asking)
			ask_next();
	}
}

static unsigned keeper_want(struct source *src, msec *due)
{
	(void)src;
	if (ending)
		due_at(due, alive() ? ending + GIVE_UP + 1000 : loop_now);
	else if (missing())
		due_at(due, wait_until);
	if (report)
		due_at(due, asked_at + ANSWER);
	return 0;
}

/* A new worker is forked outside the loop, which it will turn for itself. */
static void keeper_ready(struct source *src, unsigned what)
{
	(void)src, (void)what;
	if (report && loop_now >= asked_at + ANSWER)
		ask_next();
	if ((missing() && loop_now >= wait_until) ||
		(ending && (!alive() || loop_now >= ending + GIVE_UP + 1000)))
		loop_stop();
}

static struct source keeper = {.fd = -1, .want = keeper_want, .ready = keeper_ready};

static void keeper_end(void)
{
	if (!ending)
		ending = loop_now;
	server_unlisten();
	for (int i = 0; i < WORKERS; i++)
		if (is_alive(i) && !hands[i].src.closed)
			shutdown(hands[i].src.fd,
				SHUT_WR); /* not TERM, which it may ignore as we do */
}

static int free_hand(void)
{
	int i = 0;

	while (i < WORKERS && (is_alive(i) || hands[i].src.linked))
		i++;
	return i;
}

static void hire(void)
{
	int fd[2], i = free_hand();
	struct slot *slot = &shared->worker[i];
	pid_t pid;

	wait_until = loop_now + YOUNG;
	if (i == WORKERS || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fd))
		return;
	*slot = (struct slot){0};
	pid = _Fork();
	if (!pid) {
		for (int k = 0; k < WORKERS; k++) /* not is_alive(): by now that may be us */
			if (hands[k].src.linked)
				close(hands[k].src.fd);
		close(fd[0]);
		work(slot, fd[1]);
	}
	close(fd[1]);
	if (pid < 0) {
		close(fd[0]);
		return;
	}
	slot->pid = pid;
	wait_until = 0;
	hands[i] = (struct hand){.src = {.fd = fd[0], .want = hand_want, .ready = hand_ready}};
	hands[i].started = loop_now;
	loop_add(&hands[i].src);
}

int ptyrouter_main(char **argv, const char *options)
{
	struct opt o = {.argv = argv + 1, .spec = options};
	int c;

	if (CFG_SUPERVISED)
		given_hush(o.argv);
	server_seal(argv, options);
	while ((c = opt_next(&o)) >= 0)
		if (c == 'j')
			jobs = opt_num(&o, 1, 64);
		else
			server_option(&o, c);
	shared = mmap(0, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		die(1, "no memory: ", msg_errno());
	server.tallies = shared->tally;
	server.sessions = all_sessions;
	server_listen(&o, seat_open);
	sig_block(SIGTTOU);
	if (CFG_SUPERVISED && server.alone) {
		server_start();
		serve_one();
		return 0;
	}
	command_find(&server.command);
	server_start();
	server_signals(keeper_end, keeper_reaped, 0);
	loop_add(&keeper);
	server_accept(0, ask_workers);
	server_ready();
	do {
		while (missing() && loop_now >= wait_until)
			hire();
		loop_run();
	} while (!ending || (alive() && loop_now < ending + GIVE_UP + 1000));
	for (int i = 0; i < WORKERS; i++)
		if (is_alive(i))
			kill(shared->worker[i].pid, SIGKILL);
	server_end();
	return 0;
}
