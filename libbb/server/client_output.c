/* client_output.c: what is sent to a client: the session's output, from its position in the ring on, and packets.
 *
 *	ring -> c->pos ------------------> writev to the socket, behind a header when framed
 *	packets, text, rest of a frame --> wire.out --> written before any output
 *
 * A client whose position is overwritten goes on at the oldest byte, and is sent a notice of how many bytes it missed.
 */
#include "server.h"

/* Writes in one turn of the loop: a fast reader of a large ring must not hold up the other sources. */
enum { STEPS = 16 };

int client_is_extended(const struct client *c)
{
	return CFG_FRAMED && c->mode == CLIENT_EXTENDED;
}

size_t client_pending(const struct client *c)
{
	int streams = c->session && c->phase == CLIENT_STREAMING;

	return (streams ? c->session->ring.head - c->pos : 0) + c->wire.out.len;
}

int client_notice(struct client *c, const struct text *t, const char *start)
{
	return wire_frame(&c->wire, FRAME_NOTICE, t->at - start, start);
}

void client_notice_all(struct session *s, const char *words)
{
	struct text t = {(char *)(uintptr_t)words, (char *)(uintptr_t)words};

	while (*t.at)
		t.at++;
	for (struct client *c = s->clients; c; c = c->next)
		if (client_is_extended(c) && c->wire.out.len < QUEUE_SIZE / 2 &&
			(client_notice(c, &t, words) || wire_frame(&c->wire, FRAME_DATA, 0, 0)))
			c->failed = 1;
}

void client_send_size(struct client *c)
{
	const struct winsize *size = &c->session->size;

	c->size_pending = c->wire.out.len >= QUEUE_SIZE / 2;
	if (!c->size_pending && (wire_frame(&c->wire, FRAME_ROWS, size->ws_row, 0) ||
					wire_frame(&c->wire, FRAME_COLS, size->ws_col, 0)))
		c->failed = 1;
}

static int skip(struct client *c, uint64_t oldest)
{
	char line[48];
	struct text t = {line, line + sizeof line};

	text_num(&t, oldest - c->pos);
	text_str(&t, " bytes skipped");
	c->skipped += oldest - c->pos;
	c->pos = oldest;
	return client_is_extended(c) ? client_notice(c, &t, line) : 0;
}

/* Writes once: what is queued in the wire, or, when nothing is, the next part of the ring.  Returns how many bytes of the
 * ring were taken, or -1 and errno. */
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
	if (c->replaying && c->pos < c->replay_end)
		max = c->replay_end - c->pos;
	n = wire_output(&c->wire, client_is_extended(c), v, ring_data(ring, c->pos, max, v));
	if (n < 0)
		return -1;
	c->pos += n;
	c->out_bytes += n;
	if (CFG_FRAMED && c->replaying && c->pos >= c->replay_end) {
		c->replaying = 0;
		if (wire_frame(&c->wire, FRAME_REPLAYED, 0, 0))
			return -1;
	}
	return n;
}

int client_write(struct client *c)
{
	size_t before = client_pending(c);
	int steps = STEPS;
	ssize_t n;

	do
		n = c->phase == CLIENT_STREAMING && c->session ? step(c) : wire_flush(&c->wire);
	while (n > 0 && --steps && client_is_extended(c) && client_pending(c));
	if (n < 0)
		return -1;
	if (CFG_FRAMED && c->size_pending && c->session && c->wire.out.len < QUEUE_SIZE / 2)
		client_send_size(c);
	return n > 0 || client_pending(c) < before;
}
