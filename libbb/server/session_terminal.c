/* session_terminal.c: a session's terminal, as its clients see it: input, window size, signals, pace.
 *
 * The client that has come furthest sets the pace: the master is read only as far as the ring has room
 * for that one, so the command waits and nothing is lost.  A slower one falls behind, and skips once what
 * it lacks is overwritten.  With nobody attached the command is never held back.
 */
#include <poll.h>
#include "server.h"

enum { INPUT = 16384 }; /* more than a client says at once */

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
	s->short_reads = s->coalesce_until =
		0; /* output from here on is an answer: it does not wait for more */
	s->last_input = n ? data[n - 1] : s->last_input;
	if (s->state >= SESSION_DRAINING)
		return;
	if (s->state == SESSION_RUNNING && !s->input.len)
		done = io_write(s->pty.src.fd, data, n);
	if (done < 0)
		done = 0; /* hung up for a moment (EIO): the next process that opens the terminal gets it */
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
