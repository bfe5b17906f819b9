/* ring.c: buffers: a ring for the last bytes of a stream, a queue for bytes that wait for a descriptor.
 *
 * A ring keeps the last `size` bytes of an endless stream.  A position is a count of bytes since the stream began: a
 * reader keeps only its own position, and how far it is behind is head minus that.  A little more is mapped than is kept.
 *
 *	buf              at: byte number `head` goes here
 *	 |    newer      | spare |     oldest       |  buf + size + RING_SPARE
 *
 * A queue holds the bytes that a descriptor did not take.  Most queues are never used, so one has memory only while it
 * has bytes.
 *
 * Both use mmap(2), not a heap: untouched pages take no memory, and unmapped ones are free at once.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "libbb.h"

void *ring_map(size_t size)
{
	void *p = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		-1, 0);

	return p == MAP_FAILED ? 0 : p;
}

static size_t mapped(const struct ring *r)
{
	return r->size + RING_SPARE;
}

int ring_open(struct ring *r, size_t size)
{
	*r = (struct ring){.size = size};
	r->buf = ring_map(mapped(r));
	return r->buf ? 0 : -1;
}

void ring_close(struct ring *r)
{
	if (r->buf)
		munmap(r->buf, mapped(r));
	r->buf = 0;
}

uint64_t ring_oldest(const struct ring *r)
{
	return r->head > r->size ? r->head - r->size : 0;
}

size_t ring_room(const struct ring *r, uint64_t reader)
{
	return r->size - (size_t)(r->head - reader);
}

unsigned char *ring_space(const struct ring *r, size_t *n)
{
	if (*n > mapped(r) - r->at)
		*n = mapped(r) - r->at;
	return r->buf + r->at;
}

void ring_put(struct ring *r, size_t n)
{
	r->head += n;
	r->at += n;
	if (r->at == mapped(r))
		r->at = 0;
}

void ring_copy(struct ring *r, const void *data, size_t n)
{
	const unsigned char *from = data;

	while (n) {
		size_t part = n;
		unsigned char *to = ring_space(r, &part);

		memcpy(to, from, part);
		ring_put(r, part);
		from += part;
		n -= part;
	}
}

int ring_last(const struct ring *r)
{
	return r->head ? r->buf[(r->at ? r->at : mapped(r)) - 1] : '\n';
}

int ring_data(const struct ring *r, uint64_t pos, size_t max, struct iovec v[2])
{
	size_t n = r->head - pos, from, first;

	if (n > max)
		n = max;
	if (!n)
		return 0;
	from = r->at + (r->at < r->head - pos ? mapped(r) : 0) - (size_t)(r->head - pos);
	first = mapped(r) - from;
	if (n <= first) {
		v[0] = (struct iovec){r->buf + from, n};
		return 1;
	}
	v[0] = (struct iovec){r->buf + from, first};
	v[1] = (struct iovec){r->buf, n - first};
	return 2;
}

void ring_rewind(struct ring *r)
{
	r->at = 0;
}

void ring_release(struct ring *r)
{
	madvise(r->buf, mapped(r), MADV_DONTNEED);
	r->at = 0;
}

void ring_give_back(uintptr_t start, size_t size)
{
	uintptr_t page = getpagesize(), from = (start + page - 1) & -page,
		  to = (start + size) & -page;

	if (from < to)
		madvise((void *)from, to - from, MADV_DONTNEED);
}

size_t queue_room(const struct queue *q)
{
	return QUEUE_SIZE - q->len;
}

int queue_put(struct queue *q, const void *data, size_t n)
{
	if (!n)
		return 0;
	if (n > queue_room(q) || (!q->buf && !(q->buf = ring_map(QUEUE_SIZE))))
		return -1;
	if (q->off + q->len + n > QUEUE_SIZE) {
		memmove(q->buf, q->buf + q->off, q->len);
		q->off = 0;
	}
	memcpy(q->buf + q->off + q->len, data, n);
	q->len += n;
	return 0;
}

const unsigned char *queue_data(const struct queue *q)
{
	return q->len ? q->buf + q->off : 0;
}

void queue_skip(struct queue *q, size_t n)
{
	q->len -= n;
	q->off = q->len ? q->off + n : 0;
}

void queue_take(struct queue *q, size_t n)
{
	queue_skip(q, n);
	if (!q->len)
		queue_close(q);
}

void queue_close(struct queue *q)
{
	if (q->buf)
		munmap(q->buf, QUEUE_SIZE);
	*q = (struct queue){0};
}
