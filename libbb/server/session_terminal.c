/* session_terminal.c: a session's terminal, as its clients see it: input, window size, signals, pace.
 *
 *	                    oldest              slower client     foremost client        head
 *	ring                |-------------------|-----------------|----------------------|
 *	                                                          <- at most half of it -> while there are several clients
 *
 * The foremost client sets the pace: the master is read only as far as the ring has room before that client would lose
 * output, so the command waits and that client gets everything.  A slower client falls behind, and skips what was
 * overwritten before it was sent.  Without a client the command never waits.
 */
#include <poll.h>
#include "server.h"

enum { INPUT = 16384 }; /* more than one read of a client brings */

size_t session_room(const struct session *s)
{
	size_t half = s->ring.size / 2, left;
	uint64_t pace = 0;
	int streaming = 0;

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

	return !session_room(s) && (s->state >= SESSION_DRAINING || poll(&p, 1, 0) > 0);
}

int session_takes_input(const struct session *s, uint64_t typed_end)
{
	return !s->input.len ||
	       (s->in_bytes - s->input.len >= typed_end && queue_room(&s->input) >= INPUT);
}

void session_input(struct session *s, const unsigned char *data, size_t n)
{
	ssize_t done = 0;

	s->in_bytes += n;
	/* output from here on answers the input, and is not coalesced */
	s->short_reads = s->coalesce_until = 0;
	s->last_input = n ? data[n - 1] : s->last_input;
	if (s->state >= SESSION_DRAINING)
		return;
	if (s->state == SESSION_RUNNING && !s->input.len)
		done = io_write(s->pty.src.fd, data, n);
	if (done < 0)
		done = 0; /* EIO, say, while no process has the terminal open: the input is kept */
	if (queue_put(&s->input, data + done, n - done))
		warn(s->command->argv[0], ": input lost: ", msg_errno());
}

void session_resize(struct session *s, const struct winsize *size)
{
	s->size = *size;
	if (s->pty.src.fd >= 0)
		pty_resize(&s->pty, size);
}

void session_signal(struct session *s, int sig)
{
	if (s->state == SESSION_RUNNING)
		pty_signal(&s->pty, sig);
}
