/* kernel.h: what the server target has for a kernel: descriptors, connections, a terminal, a clock
 *
 * The linker puts these in the place of the real calls (--wrap).  Descriptors from FD_BASE on are
 * ours, others go to the system.  Nothing here waits: when the server sleeps in select(), world() says
 * what happens next, and time is what the clock is set to.
 *
 * Closing a connection with input unread throws away what is under way, as TCP does.  The command is no
 * process: the target plays it.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "files.h"

/* ---- reading and writing ---- */

/* What goes wrong with this call; or its size is lowered. */
static int faulty(size_t *n)
{
	if (!fault.left)
		return 0;
	fault.left--;
	turns = 0;
	if (fault.kind == SHORT && *n > fault.most)
		*n = fault.most;
	return fault.kind == INTERRUPTED ? EINTR : fault.kind == NOT_NOW ? EAGAIN : 0;
}

static ssize_t moved(ssize_t n)
{
	turns = 0;
	return n;
}

static ssize_t socket_read(struct link *l, void *buf, size_t n)
{
	if (l->up.len)
		return moved(stream_take(&l->up, buf, n));
	if (l->reset)
		return moved(no(ECONNRESET));
	return l->up.shut ? moved(0) : no(EAGAIN);
}

/* The kernel brings all that was written before it says that there is nothing. */
static ssize_t master_read(void *buf, size_t n)
{
	if (tty.out.len)
		return moved(stream_take(&tty.out, buf, n));
	return tty.error ? moved(no(EIO)) : no(EAGAIN);
}

static ssize_t file_read(struct file *f, void *buf, size_t n)
{
	int why = f->kind == SOCKET || f->kind == MASTER ? faulty(&n) : 0;

	if (why && !(f->kind == MASTER && tty.exited))
		return no(why);
	if (f->kind == SOCKET)
		return socket_read(f->link, buf, n);
	assert(f->kind == MASTER || f->kind == PIPE);
	return f->kind == MASTER ? master_read(buf, n) : moved(0);
}

static size_t total(const struct iovec *v, int parts)
{
	size_t n = 0;

	for (int i = 0; i < parts; i++)
		n += v[i].iov_len;
	return n;
}

static void gather_to(struct stream *s, const struct iovec *v, size_t n)
{
	for (; n; v++) {
		size_t part = v->iov_len < n ? v->iov_len : n;

		stream_put(s, v->iov_base, part);
		n -= part;
	}
}

static ssize_t socket_write(struct link *l, const struct iovec *v, int parts, size_t n)
{
	if (l->reset || l->gone || l->down.shut)
		return moved(no(l->reset ? ECONNRESET : EPIPE));
	if (n > stream_room(&l->down)) {
		n = stream_room(&l->down);
		l->cut = 1;
	}
	if (!n)
		return no(EAGAIN);
	l->sent += n;
	gather_to(&l->down, v, n);
	after_write(l, v, parts, n);
	return moved(n);
}

/* What reaches the terminal is what was typed. */
static ssize_t master_write(const unsigned char *data, size_t n)
{
	if (n > stream_room(&tty.in))
		n = stream_room(&tty.in);
	if (!n)
		return no(EAGAIN);
	assert(n <= tty.typed.len && !memcmp(tty.typed.data + tty.typed.off, data, n));
	stream_take(&tty.typed, 0, n);
	stream_put(&tty.in, data, n);
	return moved(n);
}

static ssize_t file_write(struct file *f, const struct iovec *v, int parts)
{
	size_t n = total(v, parts);
	int why;

	assert(f->kind == SOCKET || f->kind == MASTER);
	if (f->kind == SOCKET)
		before_write(f->link);
	if (f->kind == SOCKET)
		f->link->cut |= fault.left > 0;
	why = faulty(&n);
	if (why)
		return no(why);
	if (f->kind == SOCKET)
		return socket_write(f->link, v, parts, n);
	return master_write(v->iov_base, n);
}

ssize_t __real_read(int fd, void *buf, size_t n);
ssize_t __wrap_read(int fd, void *buf, size_t n);
ssize_t __real_write(int fd, const void *buf, size_t n);
ssize_t __wrap_write(int fd, const void *buf, size_t n);
void __wrap_nowait_say(int fd, const char *s, size_t n);
ssize_t __real_writev(int fd, const struct iovec *v, int parts);
ssize_t __wrap_writev(int fd, const struct iovec *v, int parts);

ssize_t __wrap_read(int fd, void *buf, size_t n)
{
	struct file *f = file_of(fd);

	return f ? file_read(f, buf, n) : __real_read(fd, buf, n);
}

ssize_t __wrap_write(int fd, const void *buf, size_t n)
{
	struct iovec v = {(void *)(uintptr_t)buf, n};
	struct file *f = file_of(fd);

	return f ? file_write(f, &v, 1) : __real_write(fd, buf, n);
}

void __wrap_nowait_say(int fd, const char *s, size_t n)
{
	(void)fd, (void)s, (void)n; /* warnings */
}

ssize_t __wrap_writev(int fd, const struct iovec *v, int parts)
{
	struct file *f = file_of(fd);

	return f ? file_write(f, v, parts) : __real_writev(fd, v, parts);
}

/* ---- waiting ---- */

static int can_read(const struct file *f)
{
	const struct link *l = f->link;

	switch (f->kind) {
	case SOCKET:
		return l->up.len || l->up.shut || l->reset;
	case MASTER:
		return tty.out.len || tty.error;
	case PIPE:
		return 1;
	default:
		return f->rings;
	}
}

static int can_write(const struct file *f)
{
	const struct link *l = f->link;

	if (f->kind == MASTER)
		return stream_room(&tty.in) > 0;
	assert(f->kind == SOCKET);
	return stream_room(&l->down) || l->reset || l->gone || l->down.shut;
}

QUIET static int choose(const fd_set *asked, fd_set *got, int (*can)(const struct file *))
{
	int n = 0;

	FD_ZERO(got);
	for (int fd = FD_BASE; fd < FD_BASE + FDS; fd++)
		if (FD_ISSET(fd, asked) && can(&files[fd - FD_BASE])) {
			FD_SET(fd, got);
			n++;
		}
	return n;
}

int __wrap_select(int n, fd_set *in, fd_set *out, fd_set *bad, struct timeval *t);

int __wrap_select(int n, fd_set *in, fd_set *out, fd_set *bad, struct timeval *t)
{
	msec due = t ? now + t->tv_sec * 1000 + (t->tv_usec + 999) / 1000 : NEVER;
	fd_set got[2];
	size_t all = 0;
	int count;

	(void)n, (void)bad;
	if (!out) { /* only a look (loop_others_ready()) */
		count = choose(in, &got[0], can_read);
		*in = got[0];
		return count;
	}
	assert(++turns < SPIN);
	if (fault.kind == INTERRUPTED && faulty(&all))
		return no(EINTR);
	meanwhile();
	do
		count = choose(in, &got[0], can_read) + choose(out, &got[1], can_write);
	while (!count && now < due && world(due));
	*in = got[0];
	*out = got[1];
	return count;
}

int __real_poll(struct pollfd *p, nfds_t n, int timeout);
int __wrap_poll(struct pollfd *p, nfds_t n, int timeout);

int __wrap_poll(struct pollfd *p, nfds_t n, int timeout)
{
	struct file *f = p->fd < 0 ? 0 : file_of(p->fd);

	if (!f)
		return __real_poll(p, n, timeout);
	assert(n == 1 && (timeout == 0 || f->kind == PIPE));
	if (f->kind == PIPE) /* the report of a command, which is executed at once */
		return 1;
	p->revents = p->events & POLLIN && can_read(f) ? POLLIN : 0;
	if (f->kind == SOCKET && (f->link->gone || f->link->reset))
		p->revents |= POLLHUP;
	if (f->kind == SOCKET && f->link->up.shut && f->link->down.shut)
		p->revents |= POLLHUP;
	return p->revents != 0;
}
