/* frame.c: the encoder and decoder of the framed wire format (docs/protocol.md), without descriptors.
 *
 * A frame is the 4-byte header of a uwsgi packet (uWSGI's forkptyrouter plugin) and what follows:
 *
 *	modifier1 = 0 | size, low byte | size, high byte | type | payload...
 *
 *	type 0           size bytes of terminal input or output
 *	type 1-99        a signal           \
 *	type 100, 101    rows, columns       | size is a number, no payload follows
 *	type 102-199     see enum frame      |
 *	type 255         reserved           /
 *	type 200-254     size bytes of payload
 *
 * The decoder keeps its state between calls, so frames may be split anywhere.  It returns payloads in the pieces in
 * which they come: nothing but a header is buffered, whatever size a peer announces.
 */
#include <string.h>
#include "libbb.h"

static int has_payload(unsigned type)
{
	return !type || (type >= FRAME_PAYLOAD && type < 255);
}

void frame_head(unsigned char head[FRAME_HEAD], unsigned type, unsigned size)
{
	head[0] = 0;
	head[1] = size & 255;
	head[2] = size >> 8;
	head[3] = type;
}

/* Takes bytes of a header; returns how many. */
static size_t head_more(struct frame *f, const unsigned char *data, size_t n)
{
	size_t used = 0;

	while (f->have < FRAME_HEAD && used < n)
		f->head[f->have++] = data[used++];
	if (f->have < FRAME_HEAD)
		return used;
	f->type = f->head[3];
	f->size = f->head[1] | f->head[2] << 8;
	f->left = has_payload(f->type) ? f->size : 0;
	return used;
}

int frame_next(struct frame *f, const unsigned char **data, size_t *n)
{
	size_t used;

	if (f->have == FRAME_HEAD && !f->left)
		f->have = 0; /* the last call ended a frame */
	if (f->have < FRAME_HEAD) {
		used = head_more(f, *data, *n);
		*data += used;
		*n -= used;
		if (f->have && f->head[0])
			return FRAME_BAD;
		if (f->have < FRAME_HEAD)
			return FRAME_MORE;
		f->first = 1;
		if (f->left && !*n)
			return FRAME_MORE;
	} else if (!*n) {
		return FRAME_MORE;
	} else {
		f->first = f->size == f->left;
	}
	used = f->left < *n ? f->left : *n;
	f->part = *data;
	f->len = used;
	f->left -= used;
	*data += used;
	*n -= used;
	return FRAME_GOT;
}

int frame_foreign(const unsigned char *data, size_t n)
{
	static const char begin[][9] = {"GET ", "HEAD ", "POST ", "PUT ", "DELETE ", "OPTIONS ",
		"PATCH ", "CONNECT ", "TRACE ", "PRI ", "\026\003"};
	int verdict = -1;

	for (unsigned i = 0; i < sizeof begin / sizeof *begin; i++) {
		size_t len = strlen(begin[i]);

		if (memcmp(data, begin[i], n < len ? n : len))
			continue;
		if (n >= len)
			return 1;
		verdict = 0;
	}
	return verdict;
}

int frame_starts(const unsigned char *data, size_t n)
{
	if (!n)
		return 0;
	if (data[0])
		return -1;
	if (n < FRAME_HEAD)
		return 0;
	return data[3] >= FRAME_ROWS && data[3] <= FRAME_HELLO ? 1 : -1;
}

int frame_is_sysrq(unsigned key)
{
	return key - '0' < 10 || (key < 128 && (key | 32) - 'a' < 26);
}
