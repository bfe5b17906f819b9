/* client_output.c: what is sent to a client: the session's output, from its position in the ring on, and packets.
 *
 *	ring -> c->pos ------------------> writev to the socket, behind a header when framed
 *	packets, text, rest of a frame --> wire.out --> written before any output
 *
 * What a client was not there for is a picture, not a second performance: a replay (replay.c) begins behind the
 * sequences that lead its terminal to the modes in force there, and asks no questions.  So does what follows when its
 * position was overwritten, behind a notice of how many bytes it missed.
 */
#include <string.h>
#include "server.h"

/* Writes in one turn of the loop, and fewer when another source can be served meanwhile: a fast reader of a large ring must
 * not hold it up. */
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

void client_reject(struct client *c, const char *why)
{
	c->refusal = why;
	c->for_good = 1;
}

int client_notice(struct client *c, const char *words, size_t n)
{
	return wire_frame(&c->wire, FRAME_NOTICE, n, words);
}

void client_notice_all(struct session *s, const char *words)
{
	for (struct client *c = s->clients; c; c = c->next)
		if (client_is_extended(c) && c->wire.out.len < QUEUE_SIZE / 2 &&
			(client_notice(c, words, strlen(words)) ||
				wire_frame(&c->wire, FRAME_DATA, 0, 0)))
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

void client_answer_hello(struct client *c)
{
	if (!c->session->pty.pipes)
		client_send_size(c);
	c->replay_due = c->session->shared;
}

/* Sends the sequences that lead a terminal from these modes to others, as output: 0, or -1 when there is no room. */
static int tell_modes(struct client *c, const struct modes *from, const struct modes *to)
{
	char sequences[MODES_TEXT];
	struct text t = {sequences, sequences + sizeof sequences};

	modes_change(from, to, &t);
	if (t.at == sequences)
		return 0;
	return client_is_extended(c) ?
		       wire_frame(&c->wire, FRAME_DATA, t.at - sequences, sequences) :
		       wire_text(&c->wire, &t, sequences);
}

/* Returns where a replay begins, and sets *m to the modes in force there. */
static uint64_t beginning(const struct client *c, struct modes *m)
{
	const struct session *s = c->session;

	return CFG_MODES && s->trails ? trail_begin(&s->trails->oldest, &s->ring, m) :
					ring_oldest(&s->ring);
}

/* Moves the client to pos, from where on the ring is a replay, and queues what leads its terminal from these modes to
 * others. */
static int replay(struct client *c, uint64_t pos, const struct modes *from, const struct modes *to)
{
	c->pos = pos;
	c->replay_end = c->session->ring.head;
	if (!CFG_MODES || !c->session->trails)
		return 0;
	c->viewer->replay = (struct replay){.looked = pos, .resized = c->session->resized};
	if (session_is_alternate(c->session))
		session_redraw(c->session);
	return tell_modes(c, from, to);
}

void client_replay(struct client *c)
{
	struct modes fresh = {0}, m;

	if (replay(c, beginning(c, &m), &fresh, &m))
		c->failed = 1;
}

/* Skips what was overwritten before a client that fell behind got it, and tells it how much that was. */
static int skip(struct client *c)
{
	char line[48];
	struct text t = {line, line + sizeof line};
	struct modes m;
	uint64_t begin = beginning(c, &m);

	text_num(&t, begin - c->pos);
	text_str(&t, " bytes skipped");
	c->skipped += begin - c->pos;
	if (client_is_extended(c) && client_notice(c, line, t.at - line))
		return -1;
	return replay(c, begin, CFG_MODES && c->session->trails ? &c->viewer->modes : 0, &m);
}

/* Returns how many bytes of the ring the client may be given now; steps over questions in a replay. */
static size_t next_part(struct client *c)
{
	if (c->pos >= c->replay_end)
		return (size_t)-1;
	if (CFG_MODES && c->session->trails)
		return replay_next(&c->viewer->replay, &c->session->ring, &c->pos, c->replay_end);
	return c->replay_end - c->pos;
}

/* Writes once: what is queued in the wire, or, when nothing is, the next part of the ring.  Returns how many bytes of the
 * ring were taken, or -1 and errno. */
static ssize_t step(struct client *c)
{
	const struct ring *ring = &c->session->ring;
	struct iovec v[2];
	size_t max;
	ssize_t n;

	if (c->wire.out.len && wire_flush(&c->wire) < 0)
		return -1;
	if (c->wire.out.len)
		return 0;
	if (c->pos < ring_oldest(ring) && skip(c))
		return -1;
	max = next_part(c);
	n = wire_output(&c->wire, client_is_extended(c), v, ring_data(ring, c->pos, max, v));
	if (n < 0)
		return -1;
	c->pos += n;
	c->out_bytes += n;
	if (CFG_FRAMED && c->replay_due && c->pos >= c->replay_end) {
		c->replay_due = 0;
		if (wire_frame(&c->wire, FRAME_REPLAYED, 0, 0) || wire_flush(&c->wire) < 0)
			return -1;
	}
	return n;
}

/* Whether another write may follow in this turn: output of this session that can be read does not wait for its writing. */
static int has_more(const struct client *c)
{
	return client_is_extended(c) && client_pending(c) &&
	       !(c->session && loop_others_ready(&c->session->pty.src));
}

int client_write(struct client *c)
{
	size_t before = client_pending(c);
	int steps = STEPS;
	ssize_t n;

	do
		n = c->phase == CLIENT_STREAMING && c->session ? step(c) : wire_flush(&c->wire);
	while (n > 0 && --steps && has_more(c));
	if (n < 0)
		return -1;
	if (CFG_FRAMED && c->size_pending && c->session && c->wire.out.len < QUEUE_SIZE / 2)
		client_send_size(c);
	return n > 0 || client_pending(c) < before;
}
