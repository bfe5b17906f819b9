/* modes: any stream, in any pieces, means the same; and what is written about it does what it says
 *
 * The first byte is the size of the ring, the second a seed for where the stream is cut.  Output: the
 * tracker fed in pieces is the one fed at once; what leads to its modes leads another there, what leads back
 * leads it back; a late reader of the ring gets all but what asks.  Input: no byte is lost or
 * moved, and each is of the same kind however it came.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "server/server.h"
#include "../../applets/unit_unknown.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST = 4096 };

static const struct modes nothing;
static unsigned long seed;

static size_t piece(size_t left)
{
	size_t n;

	seed = seed * 1103515245 + 12345;
	n = 1 + (seed >> 16) % 9;
	return n < left ? n : left;
}

/* Whether nothing leads from one to the other: they are alike. */
static int alike(const struct modes *a, const struct modes *b)
{
	char buf[MODES_TEXT];
	struct text t = {buf, buf + sizeof buf};

	modes_change(a, b, &t);
	return t.at == buf;
}

static void check_leads(const struct modes *from, const struct modes *to)
{
	char buf[MODES_TEXT + 1];
	struct text t = {buf, buf + sizeof buf};
	struct modes m = *from;

	modes_change(from, to, &t);
	assert(t.at < t.end);
	modes_feed(&m, (unsigned char *)buf, (size_t)(t.at - buf));
	assert(!m.escape.state);
	m.colors = to->colors;
	m.link = to->link;
	m.keyboard[!to->alternate] = to->keyboard[!to->alternate];
	assert(alike(&m, to));
}

static void check_modes(const uint8_t *data, size_t size)
{
	struct modes whole = nothing, m = nothing, unknown;

	modes_feed(&whole, data, size);
	for (size_t at = 0, n; at < size; at += n)
		modes_feed(&m, data + at, n = piece(size - at));
	assert(!memcmp(&m, &whole, sizeof m));
	check_leads(&m, &nothing);
	memset(&m.escape, 0, sizeof m.escape);
	check_leads(&nothing, &m);
	modes_unknown(&unknown, &m);
	check_leads(&unknown, &m);
}

/* The simple way: sequence by sequence. */
static size_t without_questions(const uint8_t *data, size_t size, unsigned char *to)
{
	struct escape e = {0};
	size_t n = 0;

	for (size_t at = 0; at < size; at++) {
		to[n++] = data[at];
		escape_next(&e, data + at, 1);
		if (e.done && escape_asks(&e))
			n -= e.len;
	}
	return n;
}

static void check_reader(const struct ring *r, uint64_t pos, const unsigned char *want, size_t size)
{
	struct replay p = {.looked = pos};
	unsigned char got[MOST];
	size_t n, done = 0;

	while ((n = replay_next(&p, r, &pos, r->head))) {
		struct iovec v[2];

		assert(pos + n <= r->head && pos >= ring_oldest(r));
		assert(ring_data(r, pos, piece(n), v));
		assert(done + v->iov_len <= size);
		memcpy(got + done, v->iov_base, v->iov_len);
		done += v->iov_len;
		pos += v->iov_len;
	}
	assert(pos == r->head && done == size && !memcmp(got, want, size));
}

static void check_replay(const uint8_t *data, size_t size, size_t ring_size)
{
	unsigned char want[MOST];
	struct trail t = {.pos = 0};
	struct modes m, there = nothing, end = nothing;
	struct ring r;
	uint64_t pos;

	assert(!ring_open(&r, ring_size));
	for (size_t at = 0, n; at < size; at += n) {
		n = piece(size - at < ring_size ? size - at : ring_size);
		ring_copy(&r, data + at, n);
		trail_follow(&t, &r, ring_oldest(&r));
	}
	pos = trail_begin(&t, &r, &m);
	assert(pos >= ring_oldest(&r) && pos <= size);
	assert(pos == size || !m.escape.state);
	modes_feed(&there, data, pos);
	assert(m.escape.state == there.escape.state);
	m.escape.state = there.escape.state = 0;
	assert(alike(&m, &there));
	modes_feed(&end, data, size);
	trail_follow(&t, &r, r.head);
	assert(t.modes.alternate == end.alternate);
	check_reader(&r, pos, want, without_questions(data + pos, size - pos, want));
	ring_close(&r);
}

/* Each byte of input and its kind, as it was taken; those of TERM_PART are told later. */
static struct taken {
	unsigned char byte[MOST], kind[MOST];
	size_t n, told;
} whole, cut;
static struct taken *taken;

static void take(struct term_input *in, int kind, const unsigned char *data, size_t n)
{
	assert(in->hold ? kind != TERM_PART && n : kind != TERM_PART || n);
	assert(taken->n + n <= MOST);
	if (n)
		memcpy(taken->byte + taken->n, data, n);
	taken->n += n;
	if (kind == TERM_PART)
		return;
	memset(taken->kind + taken->told, kind, taken->n - taken->told);
	taken->told = taken->n;
}

/* How long the longest sequence is: beyond TERM_HOLD the kind is told before it is sure. */
static size_t longest(const uint8_t *data, size_t size)
{
	struct escape e = {0};
	size_t most = 0;

	for (size_t at = 0; at < size; at++) {
		escape_next(&e, data + at, 1);
		most = e.len > most ? e.len : most;
	}
	return most;
}

static void input_all(struct taken *to, const uint8_t *data, size_t size, int pieces, char hold)
{
	struct term_input in = {.take = take, .hold = hold};

	taken = to;
	to->n = to->told = 0;
	for (size_t at = 0, n; at < size; at += n)
		term_input_feed(&in, data + at, n = pieces ? piece(size - at) : size - at);
	assert((term_input_due(&in) == NEVER) == !in.escape.state);
	loop_now += 1000;
	term_input_expire(&in);
	assert(term_input_due(&in) == NEVER && !in.len);
	assert(to->n == size && to->told == size && (!size || !memcmp(to->byte, data, size)));
}

static void check_input(const uint8_t *data, size_t size)
{
	input_all(&whole, data, size, 1, 0);
	input_all(&whole, data, size, 0, 1);
	input_all(&cut, data, size, 1, 1);
	assert(longest(data, size) > TERM_HOLD || !memcmp(whole.kind, cut.kind, size));
}

static void check_keys(const uint8_t *data, size_t size)
{
	struct escape e = {0};

	while (size) {
		size_t n = escape_next(&e, data, size);

		assert(n && n <= size && e.count <= ESCAPE_PARAMS + 1);
		if (e.done)
			assert(escape_key(&e) >= KEY_SILENT && escape_key(&e) < 128);
		data += n;
		size -= n;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2 || size > MOST)
		return 0;
	seed = data[1];
	check_modes(data + 2, size - 2);
	check_replay(data + 2, size - 2, 1 + data[0]);
	check_input(data + 2, size - 2);
	check_keys(data + 2, size - 2);
	return 0;
}
