/* wire.c: one connection's bytes, whatever mode it speaks.
 *
 * Output goes from where it lies (the ring) to the socket in one writev, in framed mode behind a
 * header on the stack.  Only when the socket takes a part of a frame is the rest copied: a length once
 * announced must be kept even if the ring moves on.  What waits in `out` goes first, always.
 */
#include <errno.h>
#include "libbb.h"

enum { FRAME_OUT = 32768 }; /* so that a rest and some control frames fit into the queue */

ssize_t wire_read(struct wire *w, unsigned char *buf, size_t n)
{
	return io_read(w->fd, buf, n);
}

ssize_t wire_flush(struct wire *w)
{
	return io_flush(w->fd, &w->out);
}

/* The part of v behind the first `done` bytes, which went out. */
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

ssize_t wire_output(struct wire *w, const struct iovec *v, int parts)
{
	if (w->out.len && wire_flush(w) < 0)
		return -1;
	if (w->out.len || !parts)
		return 0;
	return CFG_FRAMED && w->framed ? output_frame(w, v, parts) : io_writev(w->fd, v, parts);
}

int wire_frame(struct wire *w, unsigned type, unsigned size, const void *payload)
{
	unsigned char head[FRAME_HEAD];

	frame_head(head, type, size);
	if (queue_put(&w->out, head, FRAME_HEAD) || queue_put(&w->out, payload, payload ? size : 0))
		return -1;
	return 0;
}

int wire_text(struct wire *w, const struct text *t, const char *start)
{
	return queue_put(&w->out, start, t->at - start);
}

void wire_close(struct wire *w)
{
	queue_close(&w->out);
}
