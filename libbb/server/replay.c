/* replay.c: a ring's output from its oldest byte on, for a terminal that has seen nothing of it.
 *
 *	 overwritten     | kept                          head
 *	 ................|...ESC[?1049h.......ESC[c......|
 *	                 trail ->                 ^ left out: the terminal would answer
 *
 * Bytes that were overwritten cannot be replayed, but their effect on the terminal can: a struct modes follows the ring's
 * oldest byte.  Each byte is parsed once, when it is overwritten, and none before the ring is full for the first time.  A
 * replay begins at the oldest byte, or behind the escape sequence whose beginning was overwritten.
 */
#include "server.h"

static void follow(struct modes *m, const struct ring *r, uint64_t *pos, uint64_t to)
{
	while (*pos < to) {
		struct iovec v[2];

		ring_data(r, *pos, (size_t)(to - *pos), v);
		modes_feed(m, v->iov_base, v->iov_len);
		*pos += v->iov_len;
	}
}

void trail_follow(struct trail *t, const struct ring *r, uint64_t to)
{
	follow(&t->modes, r, &t->pos, to);
}

static int byte_at(const struct ring *r, uint64_t pos)
{
	struct iovec v[2];

	ring_data(r, pos, 1, v);
	return *(const unsigned char *)v->iov_base;
}

uint64_t trail_begin(const struct trail *t, const struct ring *r, struct modes *m)
{
	uint64_t pos = t->pos;

	*m = t->modes;
	while (m->escape.state && pos < r->head)
		follow(m, r, &pos, pos + 1);
	for (int i = 0; pos && i < 3 && pos < r->head && (byte_at(r, pos) & 0xc0) == 0x80; i++)
		pos++;
	return pos;
}

enum { LOOK = 65536 }; /* bytes parsed ahead of the reader */

/* Whether the complete sequence is skipped. */
static int is_left_out(const struct replay *p)
{
	const struct escape *e = &p->escape;

	return escape_asks(e) || (p->looked <= p->resized && e->intro == '[' && !e->lead &&
					 !e->inter && e->final == 'r');
}

static void look(struct replay *p, const struct ring *r, uint64_t end)
{
	struct iovec v[2];
	size_t n = end - p->looked < LOOK ? (size_t)(end - p->looked) : LOOK;

	ring_data(r, p->looked, n, v);
	p->looked += escape_next(&p->escape, v->iov_base, v->iov_len);
	if (p->escape.done && is_left_out(p)) {
		p->until = p->looked;
		p->question = p->looked - p->escape.len;
	}
}

size_t replay_next(struct replay *p, const struct ring *r, uint64_t *pos, uint64_t end)
{
	for (;;) {
		uint64_t sure = p->looked - (p->escape.state ? p->escape.len : 0);

		if (p->until > *pos && p->question > *pos)
			return (size_t)(p->question - *pos);
		if (p->until > *pos)
			*pos = p->until;
		else if (p->looked >= end)
			return (size_t)(end - *pos);
		else if (sure > *pos && sure - *pos >= LOOK)
			return (size_t)(sure - *pos);
		else
			look(p, r, end);
	}
}
