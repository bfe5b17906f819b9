/* frame: any bytes, cut anywhere, are taken apart the same way as in one piece
 *
 * The first bytes of the input say where it is cut.  A second decoder, as simple as can be, gets all
 * of it at once.  The same bytes are told to a client of a server without a session (client_input) and heard
 * by ptyattach's side (remote_received), cut and whole.
 *
 * wrap display_show display_line
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "attach/attach.h"
#include "server/server.h"
#include "foreign.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
void __wrap_display_show(const unsigned char *data, size_t n);
void __wrap_display_line(const char *words, const char *reason);

enum { CUTS = 4 };

/* What was decoded, written down. */
struct decoded {
	unsigned char *at, *start;
	int bad;
};

static void put(struct decoded *r, const void *p, size_t n)
{
	memcpy(r->at, p, n);
	r->at += n;
}

static size_t payload_of(unsigned type, unsigned size)
{
	return !type || (type >= 200 && type < 255) ? size : 0;
}

/* The simple one: heads and what is there of payloads. */
static void decode_simply(struct decoded *r, const uint8_t *data, size_t n)
{
	while (n && !data[0]) {
		size_t want, there;

		if (n < FRAME_HEAD)
			return;
		want = payload_of(data[3], data[1] | data[2] << 8);
		there = n - FRAME_HEAD < want ? n - FRAME_HEAD : want;
		put(r, data + 1, 3);
		put(r, data + FRAME_HEAD, there);
		data += FRAME_HEAD + there;
		n -= FRAME_HEAD + there;
	}
	r->bad = n > 0;
}

static void decode(struct decoded *r, struct frame *f, const uint8_t *data, size_t n)
{
	const unsigned char *p = data;
	int got;

	while ((got = frame_next(f, &p, &n)) == FRAME_GOT) {
		unsigned char head[] = {f->size & 255, (unsigned char)(f->size >> 8), f->type};

		assert(f->len + f->left <= f->size || !payload_of(f->type, f->size));
		assert(!f->len || (f->part >= data && f->part + f->len <= p));
		if (f->first)
			put(r, head, 3);
		put(r, f->part, f->len);
	}
	assert(got == FRAME_BAD || !n);
	r->bad |= got == FRAME_BAD;
}

/* A payload none of which has come yet is not announced: the simple decoder's last head may be more. */
static void compare(const struct decoded *a, const struct decoded *b)
{
	size_t n = a->at - a->start, m = b->at - b->start;

	assert(a->bad == b->bad);
	assert(n == m || n + 3 == m);
	assert(!memcmp(a->start, b->start, n));
}

static void check_starts(const uint8_t *data, size_t n)
{
	int whole = frame_starts(data, n);

	for (size_t i = 0; i <= n && i <= FRAME_HEAD; i++) {
		int part = frame_starts(data, i);

		assert(part == 0 || part == whole);
	}
	assert(n < FRAME_HEAD || whole == (!data[0] && data[3] >= 100 && data[3] <= 102 ? 1 : -1));
}

/* Where piece i ends. */
static size_t cut(const uint8_t *cuts, int i, size_t from, size_t size)
{
	size_t n = i < CUTS ? cuts[i] : size;

	return n < size - from ? from + n : size;
}

/* ---- client_input.c, remote.c ---- */

static struct decoded *shown;

void __wrap_display_show(const unsigned char *data, size_t n)
{
	put(shown, data, n);
}

/* Bytes from 80 to 9F stand only behind the first byte of a character, which is not C2 for C1. */
void __wrap_display_line(const char *line, const char *reason)
{
	const unsigned char *s = (const unsigned char *)line;

	assert(!reason);
	for (size_t i = 0; s[i]; i++) {
		assert(s[i] >= ' ' && s[i] != 127);
		assert((s[i] & 0xe0) != 0x80 || (i && s[i - 1] >= 0x80 && s[i - 1] != 0xc2));
	}
}

enum { WARY = CLIENT_FRAMED + 1 }; /* a new client over TCP */

static int hear_pieces(int mode, const uint8_t *cuts, int pieces, const uint8_t *data, size_t size)
{
	struct client c = {.mode = mode == WARY ? CLIENT_NEW : mode, .rejects_http = mode == WARY};
	size_t from = 0;
	int bad = 0, last;

	for (int i = 0; !bad && from < size; i++) {
		size_t to = pieces ? cut(cuts, i, from, size) : size;

		bad = client_input(&c, data + from, to - from);
		from = to;
	}
	last = c.failed ? -2 : (int)c.mode;
	wire_close(&c.wire);
	return bad ? -1 : last;
}

/* What begins like HTTP or TLS is closed over TCP, and nothing else is, or is taken for anything else. */
static void check_wary(const uint8_t *data, size_t size)
{
	int fresh = hear_pieces(CLIENT_NEW, 0, 0, data, size);
	int rejects_http = hear_pieces(WARY, 0, 0, data, size);

	if (foreign(data, size) > 0)
		assert(rejects_http == -1);
	else
		assert(rejects_http == fresh || (rejects_http == CLIENT_NEW && size < FRAME_FIRST));
}

static int remote_pieces(
	struct decoded *r, const uint8_t *cuts, int pieces, const uint8_t *data, size_t size)
{
	struct remote t = {0};
	size_t from = 0;
	int bad = 0, last;

	shown = r;
	remote_begin(&t, -1, 1, 0);
	for (int i = 0; !bad && from < size; i++) {
		size_t to = pieces ? cut(cuts, i, from, size) : size;

		if (to > from)
			bad = remote_received(&t, data + from, to - from);
		from = to;
	}
	remote_ended(&t);
	last = bad ? -1 : t.status;
	wire_close(&t.wire);
	return last;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct decoded a, b;
	struct frame f = {0};
	const uint8_t *cuts = data;
	size_t from = 0;

	if (size < CUTS || size > 100000)
		return 0;
	data += CUTS;
	size -= CUTS;
	check_starts(data, size);
	a.start = a.at = malloc(size + FRAME_HEAD);
	b.start = b.at = malloc(size + FRAME_HEAD);
	a.bad = b.bad = 0;
	for (int i = 0; !a.bad && from < size; i++) {
		size_t to = cut(cuts, i, from, size);

		decode(&a, &f, data + from, to - from);
		from = to;
	}
	decode_simply(&b, data, size);
	compare(&a, &b);
	for (int mode = CLIENT_NEW; mode <= WARY; mode++)
		assert(hear_pieces(mode, cuts, 1, data, size) ==
			hear_pieces(mode, cuts, 0, data, size));
	check_wary(data, size);
	a.at = a.start;
	b.at = b.start;
	assert(remote_pieces(&a, cuts, 1, data, size) == remote_pieces(&b, cuts, 0, data, size));
	assert(a.at - a.start == b.at - b.start && !memcmp(a.start, b.start, a.at - a.start));
	free(a.start);
	free(b.start);
	return 0;
}
