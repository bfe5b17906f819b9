/* loop.c: the only select().
 *
 * A source is a descriptor and three functions.  want() says, without side effects, whether the source can read or
 * write now, and when its next deadline is; ready() does one step.  There is no pause and no resume: a source with
 * nothing to do is not in the set, and one that reads for another is in it exactly when the other has room.
 *
 *	one turn: free closed sources --> wants and the earliest deadline --> select() --> the clock, once
 *	          --> deadlines --> writes --> reads --> reads of those that are `last` (new connections)
 *
 * A source may do several steps in a turn, as long as nobody waits: it asks loop_others_ready() between them.
 *
 * A closed source is only marked, and stays valid until the next turn begins: its descriptor number cannot be reused
 * within a turn, so the result of select() never applies to another descriptor.
 *
 * An fd_set has room for LOOP_MAX descriptors and FD_SET() checks nothing: loop_limit() keeps higher ones from being
 * opened, and loop_add() ends the program for one that is too high, before memory behind a set is written.
 */
#include <errno.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "libbb.h"

msec loop_now;
uint32_t loop_now_us;
static struct source *first, **end = &first; /* in the order in which they were added */
static fd_set read_wanted; /* descriptors that were in this turn's set for reading */
static int stopped;

static void read_clock(clockid_t id, struct timespec *t)
{
#ifdef __LP64__ /* libc's struct is the kernel's, and its clock_gettime(), which reads the vDSO, takes 900 bytes */
	syscall(SYS_clock_gettime, id, t);
#else
	clock_gettime(id, t);
#endif
}

static msec to_ms(const struct timespec *t)
{
	return (msec)t->tv_sec * 1000 + t->tv_nsec / 1000000;
}

void loop_clock(void)
{
	struct timespec t;

	read_clock(CLOCK_MONOTONIC, &t);
	loop_now = to_ms(&t);
	loop_now_us = (uint32_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

msec loop_unix_time(void)
{
	struct timespec t;

	read_clock(CLOCK_REALTIME, &t);
	return to_ms(&t);
}

void loop_limit(struct rlimit *before)
{
	struct rlimit limit;

	prlimit(0, RLIMIT_NOFILE, 0, before);
	limit = *before;
	if (limit.rlim_cur > LOOP_MAX)
		limit.rlim_cur = LOOP_MAX;
	prlimit(0, RLIMIT_NOFILE, &limit, 0);
}

void loop_add(struct source *s)
{
	for (const struct source *other = first; other; other = other->next)
		if (other == s)
			die(1, "a source of the loop twice"); /* the list would have no end */
	if (s->fd >= LOOP_MAX)
		die(1, "too many descriptors for select()");
	if (!loop_now)
		loop_clock();
	s->closed = 0;
	s->linked = 1;
	s->due = NEVER;
	s->next = 0;
	*end = s;
	end = &s->next;
}

unsigned loop_want_read(struct source *s, msec *due)
{
	(void)s, (void)due;
	return LOOP_READ;
}

int loop_others_ready(const struct source *s)
{
	fd_set set = read_wanted;
	struct timeval now = {0};

	if (s->fd >= 0)
		FD_CLR(s->fd, &set);
	return select(LOOP_MAX, &set, 0, 0, &now) > 0;
}

void loop_close(struct source *s)
{
	s->closed = 1;
}

void loop_forget(void)
{
	for (struct source *s = first; s; s = s->next)
		s->linked = 0;
	first = 0;
	end = &first;
}

void loop_stop(void)
{
	stopped = 1;
}

static void free_closed(void)
{
	struct source **at = &first;

	while (*at) {
		struct source *s = *at;

		if (!s->closed) {
			at = &s->next;
			continue;
		}
		*at = s->next;
		if (s->fd >= 0)
			io_close(s->fd);
		s->fd = -1;
		s->linked = 0;
		if (s->freed)
			s->freed(s);
	}
	end = at;
}

/* Fills both sets, for reading and writing, and sets *due to the earliest deadline; returns all wants. */
static unsigned collect_wants(fd_set set[2], msec *due)
{
	unsigned all = 0;

	*due = NEVER;
	FD_ZERO(&set[0]);
	FD_ZERO(&set[1]);
	for (struct source *s = first; s; s = s->next) {
		unsigned wants;

		s->due = NEVER;
		wants = s->want(s, &s->due);
		if (wants & LOOP_READ)
			FD_SET(s->fd, &set[0]);
		if (wants & LOOP_WRITE)
			FD_SET(s->fd, &set[1]);
		all |= wants;
		due_at(due, s->due);
	}
	return all;
}

/* select(2), at most until `due`, and with LOOP_SOON for LOOP_PAUSE; its return value. */
static int wait_until(msec due, unsigned wants, fd_set set[2])
{
	struct timeval t, *timeout = 0;
	int n;

	if (due != NEVER) {
		msec wait = due - loop_now;
		int ms = wait < 0 ? 0 : wait > 3600000 ? 3600000 : (int)wait;

		t = (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
		timeout = &t;
	}
	if (wants & LOOP_SOON && due > loop_now) {
		t = (struct timeval){.tv_usec = LOOP_PAUSE};
		timeout = &t;
	}
	n = select(LOOP_MAX, &set[0], &set[1], 0, timeout);
	if (n < 0 && errno != EINTR)
		die(1, "select: ", msg_errno());
	return n;
}

/* Calls ready() of each source in the set; without one, of each whose deadline is reached. */
static void dispatch(unsigned what, int last, const fd_set *set)
{
	for (struct source *s = first; s; s = s->next) {
		if (s->closed || s->last != last)
			continue;
		if (set ? s->fd >= 0 && FD_ISSET(s->fd, set) : s->due <= loop_now)
			s->ready(s, what);
	}
}

/* The start had buffers on the stack, whose pages are given back.  MARGIN: what is in use below this function's frame.
 * That has to be its own: the variables of a caller may lie lower than the frame. */
__attribute__((noinline)) static void release_stack(void)
{
	enum { MARGIN = 1024, DEEP = 32 * 1024 };

	ring_give_back((uintptr_t)__builtin_frame_address(0) - MARGIN - DEEP, DEEP);
}

void loop_run(void)
{
	fd_set set[2];

	release_stack();
	stopped = 0;
	while (!stopped) {
		unsigned wants;
		msec due;
		int n;

		free_closed();
		wants = collect_wants(set, &due);
		read_wanted = set[0];
		n = wait_until(due, wants, set);
		loop_clock();
		dispatch(LOOP_TIME, 0, 0);
		dispatch(LOOP_TIME, 1, 0);
		if (n <= 0)
			continue;
		dispatch(LOOP_WRITE, 0, &set[1]);
		dispatch(LOOP_READ, 0, &set[0]);
		dispatch(LOOP_READ, 1, &set[0]);
	}
	free_closed();
}
