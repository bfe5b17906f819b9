/* wire.c: one connection's bytes in raw, framed or keyed mode.
 *
 *	raw, framed:	ring -- writev(2), with a frame header on the stack --> socket
 *	                  '---- the rest of a frame --> out ------------------> socket
 *	keyed:		ring --> record, encrypted --> out -------------------> socket
 *
 * Output goes from the ring to the socket without a copy.  Only when the socket takes a part of a frame is the rest
 * copied to `out`: the frame's length has been sent, and the ring may overwrite the bytes.  Bytes in `out` always go
 * first.
 *
 * In keyed mode bytes are encrypted when they leave the ring.  So a client that falls behind misses output that was not
 * encrypted yet, and the records that it gets have no gap in their nonces.
 */
#include <errno.h>
#include <string.h>
#include "libbb.h"

/* Bytes of output in a frame: what is left of one fits into `out`, with other frames. */
enum { FRAME_OUT = 32768 };

/* ---- keyed ---- */

void wire_key(struct wire *w, struct noise *n)
{
	w->noise = *n;
	w->keyed = 1;
	noise_close(n);
}

/* Reads one message at most: bytes behind it stay in the socket, and make it readable again. */
ssize_t wire_read_record(int fd, struct noise *n, struct queue *rx, unsigned char **record)
{
	static unsigned char buf[NOISE_RECORD] LARGE;
	size_t have = rx->len;
	ssize_t got;
	int size;

	if (have) {
		memcpy(buf, queue_data(rx), have);
		queue_take(rx, have);
	}
	for (;;) {
		size = noise_size(n, buf, have);
		if (size < 0) {
			errno = EPROTO;
			return -1;
		}
		if (size && have == (size_t)size) {
			*record = buf;
			return size;
		}
		got = io_read(fd, buf + have, (size ? (size_t)size : NOISE_RECORD_MIN) - have);
		if (got <= 0)
			break;
		have += got;
	}
	return !got && queue_put(rx, buf, have) ? -1 : got;
}

/* Reads one record only, even if it has no bytes of the stream: other connections have their turn. */
static ssize_t unsealed(struct wire *w, unsigned char *buf)
{
	unsigned char *record;
	ssize_t size = wire_read_record(w->fd, &w->noise, &w->rx, &record), n;

	if (size <= 0)
		return size;
	n = noise_unseal(&w->noise, record, size);
	if (n < 0) {
		errno = EPROTO;
		return -1;
	}
	memcpy(buf, record + NOISE_DATA, n);
	return n;
}

static unsigned char sealed[NOISE_RECORD] LARGE;

/* Encrypts the `used` bytes at sealed + NOISE_DATA, and writes or queues the record: 0, or -1 and errno. */
static int seal(struct wire *w, size_t used)
{
	size_t size = noise_seal(&w->noise, sealed, used);
	ssize_t n = 0;

	if (!size) {
		errno = EPROTO;
		return -1;
	}
	if (!w->out.len)
		n = io_write(w->fd, sealed, size);
	return n < 0 ? -1 : queue_put(&w->out, sealed + n, size - n);
}

/* Until WELCOME the stream has no frames in keyed mode either. */
static ssize_t seal_output(struct wire *w, int framed, const struct iovec *v, int parts)
{
	size_t used = framed ? FRAME_HEAD : 0, total = 0;

	for (; parts-- && used + total < NOISE_MAX; v++) {
		size_t room = NOISE_MAX - used - total;
		size_t len = v->iov_len < room ? v->iov_len : room;

		memcpy(sealed + NOISE_DATA + used + total, v->iov_base, len);
		total += len;
	}
	if (framed)
		frame_head(sealed + NOISE_DATA, FRAME_DATA, total);
	return seal(w, used + total) ? -1 : (ssize_t)total;
}

/* ---- all modes ---- */

ssize_t wire_read(struct wire *w, unsigned char *buf, size_t n)
{
	if (CFG_KEYED && w->keyed)
		return unsealed(w, buf);
	return w->local ? io_receive(w->fd, buf, n) : io_read(w->fd, buf, n);
}

ssize_t wire_flush(struct wire *w)
{
	return io_flush(w->fd, &w->out);
}

/* Queues what is left of v after its first `done` bytes, which were written. */
static int keep_rest(struct wire *w, const struct iovec *v, int parts, size_t done)
{
	for (; parts--; v++) {
		size_t skip = done < v->iov_len ? done : v->iov_len;

		done -= skip;
		if (queue_put(&w->out, (const char *)v->iov_base + skip, v->iov_len - skip))
			return -1;
	}
	return 0;
}

static ssize_t output_frame(struct wire *w, const struct iovec *v, int parts)
{
	unsigned char head[FRAME_HEAD];
	struct iovec all[3] = {{head, FRAME_HEAD}};
	size_t total = 0;
	ssize_t n;
	int count = 1;

	for (; parts-- && total < FRAME_OUT; v++) {
		size_t len = v->iov_len < FRAME_OUT - total ? v->iov_len : FRAME_OUT - total;

		all[count++] = (struct iovec){v->iov_base, len};
		total += len;
	}
	frame_head(head, FRAME_DATA, total);
	n = io_writev(w->fd, all, count);
	if (n <= 0)
		return n;
	if ((size_t)n < FRAME_HEAD + total && keep_rest(w, all, count, n))
		return -1;
	return total;
}

ssize_t wire_output(struct wire *w, int framed, const struct iovec *v, int parts)
{
	if (w->out.len && wire_flush(w) < 0)
		return -1;
	if (w->out.len || !parts)
		return 0;
	if (CFG_KEYED && w->keyed)
		return seal_output(w, framed, v, parts);
	return CFG_FRAMED && framed ? output_frame(w, v, parts) : io_writev(w->fd, v, parts);
}

int wire_frame(struct wire *w, unsigned type, unsigned size, const void *payload)
{
	unsigned char head[FRAME_HEAD];

	frame_head(head, type, size);
	if (CFG_KEYED && w->keyed) {
		size_t n = payload ? size : 0;

		if (n > WIRE_PAYLOAD)
			return -1;
		memcpy(sealed + NOISE_DATA, head, FRAME_HEAD);
		memcpy(sealed + NOISE_DATA + FRAME_HEAD, payload ? payload : head, n);
		return seal(w, FRAME_HEAD + n);
	}
	if (queue_put(&w->out, head, FRAME_HEAD) || queue_put(&w->out, payload, payload ? size : 0))
		return -1;
	return 0;
}

int wire_text(struct wire *w, const struct text *t, const char *start)
{
	if (CFG_KEYED && w->keyed) {
		memcpy(sealed + NOISE_DATA, start, t->at - start);
		return seal(w, t->at - start);
	}
	return queue_put(&w->out, start, t->at - start);
}

void wire_close(struct wire *w)
{
	queue_close(&w->out);
	queue_close(&w->rx);
	if (CFG_KEYED)
		noise_close(&w->noise);
}
