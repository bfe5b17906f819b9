/* client_output.c: what a client is told: the session's output, from its place in the ring on, and words beside it.
 *
 *	ring -> c->pos -> writev to the socket, behind a header when framed
 *	                  wire.out: the rest of a frame, notices, sizes, answers; goes first
 *
 * One that fell behind what the ring has kept goes on with the oldest byte, and is told how much it lacks.
 */
#include "server.h"

enum { STEPS = 16 }; /* a turn: of a large ring a fast reader would take all, and others wait */

int say_extended(const struct client *c)
{
	return CFG_FRAMED && c->mode == CLIENT_EXTENDED;
}

size_t say_pending(const struct client *c)
{
	size_t in_ring = c->session && c->talks ? c->session->ring.head - c->pos : 0;

	return in_ring + c->wire.out.len;
}

int say_notice(struct client *c, const struct text *t, const char *start)
{
	return wire_frame(&c->wire, FRAME_NOTICE, t->at - start, start);
}

void say_size(struct client *c)
{
	const struct winsize *size = &c->session->size;

	c->size_due = c->wire.out.len >= QUEUE_SIZE / 2;
	if (!c->size_due && (wire_frame(&c->wire, FRAME_ROWS, size->ws_row, 0) ||
				    wire_frame(&c->wire, FRAME_COLS, size->ws_col, 0)))
		c->broken = 1;
}

static int skip(struct client *c, uint64_t oldest)
{
	char line[48];
	struct text t = {line, line + sizeof line};

	text_num(&t, oldest - c->pos);
	text_str(&t, " bytes skipped");
	c->skipped += oldest - c->pos;
	c->pos = oldest;
	return say_extended(c) ? say_notice(c, &t, line) : 0;
}

/* One step: what waits in the wire, or else the next part of the ring. */
static ssize_t step(struct client *c)
{
	struct ring *ring = &c->session->ring;
	uint64_t oldest = ring_oldest(ring);
	struct iovec v[2];
	size_t max = (size_t)-1;
	ssize_t n;

	if (c->wire.out.len && wire_flush(&c->wire) < 0)
		return -1;
	if (c->wire.out.len)
		return 0;
	if (c->pos < oldest && skip(c, oldest))
		return -1;
	if (c->replay && c->pos < c->replay_end)
		max = c->replay_end - c->pos;
	n = wire_output(&c->wire, v, ring_data(ring, c->pos, max, v));
	if (n < 0)
		return -1;
	c->pos += n;
	c->out += n;
	if (CFG_FRAMED && c->replay && c->pos >= c->replay_end) {
		c->replay = 0;
		if (wire_frame(&c->wire, FRAME_REPLAYED, 0, 0))
			return -1;
	}
	return n;
}

int say_more(struct client *c)
{
	size_t before = say_pending(c);
	int steps = STEPS;
	ssize_t n;

	do
		n = c->talks && c->session ? step(c) : wire_flush(&c->wire);
	while (CFG_FRAMED && n > 0 && --steps && c->wire.framed && say_pending(c));
	if (n < 0)
		return -1;
	if (CFG_FRAMED && c->size_due && c->session && c->wire.out.len < QUEUE_SIZE / 2)
		say_size(c);
	return n > 0 || say_pending(c) < before;
}
