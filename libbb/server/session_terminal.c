/* session_terminal.c: a session's terminal, as its clients see it: input, window size, signals, pace.
 *
 *	                    oldest              slower client     foremost client        head
 *	ring                |-------------------|-----------------|----------------------|
 *	                                                          <- at most half of it -> while there are several clients
 *
 * The foremost client sets the pace: the master is read only as far as the ring has room before that client would lose
 * output, so the command waits and that client gets everything.  A slower client falls behind, and skips what was
 * overwritten before it was sent.  Without a client the command never waits.
 *
 * Of a shared terminal's output that is no longer kept, the modes are: trails.oldest is at the ring's oldest byte.
 */
#include <poll.h>
#include "server.h"

enum {
	INPUT = 16384, /* more than one read of a client brings */
	REDRAW = 200,  /* ms between two signals to draw the screen anew */
};

size_t session_room(const struct session *s)
{
	size_t half = s->ring.size / 2, left;
	uint64_t pace = 0;
	int streaming = 0;

	if (CFG_RECORD && record_holds(&s->record))
		return 0;
	for (const struct client *c = s->clients; c; c = c->next)
		if (c->phase == CLIENT_STREAMING) {
			streaming++;
			pace = c->pos > pace ? c->pos : pace;
		}
	if (!streaming)
		return s->ring.size;
	if (CFG_CONSOLE && s->takes_console)
		return half; /* a client that keeps up gets that in the same turn; no other holds up the console */
	if (pace < ring_oldest(&s->ring))
		return 0; /* the foremost client has to skip first */
	left = ring_room(&s->ring, pace);
	return streaming == 1 ? left : left > half ? left - half : 0;
}

int session_held(const struct session *s)
{
	struct pollfd p = {.fd = s->pty.src.fd, .events = POLLIN};

	if (session_room(s) || (CFG_RECORD && record_holds(&s->record)))
		return 0;
	return s->state >= SESSION_DRAINING || poll(&p, 1, 0) > 0;
}

int session_takes_input(const struct session *s, uint64_t typed_end)
{
	return !s->input.len ||
	       (s->in_bytes - s->input.len >= typed_end && queue_room(&s->input) >= INPUT);
}

void session_close_input(struct session *s)
{
	if (!CFG_EXEC || !s->pty.pipes || s->state < SESSION_RUNNING)
		return;
	loop_close(&s->pty.in);
	queue_close(&s->input);
}

/* Where input goes. */
static int input_fd(const struct session *s)
{
	return CFG_EXEC && s->pty.pipes ? s->pty.in.fd : s->pty.src.fd;
}

/* The queue keeps its memory for a while when it is empty: a paste fills and empties it every 16 KiB. */
int session_flush_input(struct session *s)
{
	ssize_t n = io_write(input_fd(s), queue_data(&s->input), s->input.len);

	if (n > 0)
		queue_skip(&s->input, n);
	s->input_at = loop_now;
	return n < 0 ? -1 : 0;
}

void session_input(struct session *s, const unsigned char *data, size_t n)
{
	ssize_t done = 0;

	s->in_bytes += n;
	/* output from here on answers the input, and is not coalesced */
	s->short_reads = 0;
	s->last_input = n ? data[n - 1] : s->last_input;
	if (s->state >= SESSION_DRAINING || s->pty.in.closed)
		return;
	if (s->state == SESSION_RUNNING && !s->input.len)
		done = io_write(input_fd(s), data, n);
	if (done < 0 && CFG_EXEC && s->pty.pipes) { /* the command has closed it */
		session_close_input(s);
		return;
	}
	if (done < 0)
		done = 0; /* EIO, say, while no process has the terminal open: the input is kept */
	if (queue_put(&s->input, data + done, n - done))
		warn(s->command->argv[0], ": input lost: ", msg_errno());
}

void session_resize(struct session *s, const struct winsize *size)
{
	s->size = *size;
	s->resized = s->ring.head;
	if (CFG_RECORD)
		record_feed(&s->record);
	if (CFG_MODES && s->trails)
		modes_resized(&s->trails->oldest.modes);
	if (s->pty.src.fd >= 0)
		pty_resize(&s->pty, size);
}

/* The first position from `at` on at which a client stands, before `to`; or that. */
static uint64_t next_client(const struct session *s, uint64_t at, uint64_t to)
{
	for (const struct client *c = s->clients; c; c = c->next)
		if (c->phase == CLIENT_STREAMING && c->pos >= at && c->pos < to)
			to = c->pos;
	return to;
}

void session_follow(struct session *s)
{
	uint64_t to = ring_oldest(&s->ring), at;
	struct trail *t;

	if (!CFG_MODES || !s->trails)
		return;
	t = &s->trails->oldest;
	for (at = t->pos; at < to; at++) {
		at = next_client(s, at, to);
		trail_follow(t, &s->ring, at);
		for (struct client *c = s->clients; c && at < to; c = c->next)
			if (c->phase == CLIENT_STREAMING && c->pos == at)
				c->viewer->modes = t->modes;
	}
	trail_follow(t, &s->ring, to);
}

int session_is_alternate(struct session *s)
{
	struct trails *t = s->trails;

	if (t->newest.pos < t->oldest.pos)
		t->newest = t->oldest;
	trail_follow(&t->newest, &s->ring, s->ring.head);
	return t->newest.modes.alternate != 0;
}

void session_redraw(struct session *s)
{
	msec again = s->redrawn_at + REDRAW;

	if (!s->redraw_at)
		s->redraw_at = again > loop_now ? again : loop_now;
}

void session_signal(struct session *s, int sig)
{
	if (CFG_EXEC && s->pty.pipes && s->state == SESSION_NEW)
		s->early_signal = sig;
	else if (s->state == SESSION_RUNNING || (s->pty.pipes && s->state == SESSION_OPENING))
		pty_signal(&s->pty, sig);
}
