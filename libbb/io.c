/* io.c: the one place that knows EINTR, EAGAIN and end of file.
 *
 * Every transfer has three answers: >0 bytes moved, 0 not now, -1 over (errno says why; 0 means
 * end of file).  Every descriptor this program opens is close-on-exec, and 0-2 are always taken,
 * so that no socket ever becomes somebody's stderr.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "libbb.h"

static ssize_t answer(ssize_t n)
{
	if (n > 0)
		return n;
	if (!n)
		errno = 0;
	else if (errno == EAGAIN || errno == EINTR)
		return 0;
	return -1;
}

ssize_t io_read(int fd, void *buf, size_t n)
{
	return answer(read(fd, buf, n));
}

ssize_t io_write(int fd, const void *buf, size_t n)
{
	return answer(write(fd, buf, n));
}

ssize_t io_writev(int fd, const struct iovec *v, int count)
{
	return answer(writev(fd, v, count));
}

ssize_t io_flush(int fd, struct queue *q)
{
	ssize_t n;

	if (!q->len)
		return 0;
	n = io_write(fd, queue_data(q), q->len);
	if (n > 0)
		queue_take(q, n);
	return n;
}

int io_write_all(int fd, const char *s, size_t n)
{
	while (n) {
		ssize_t w = io_write(fd, s, n);

		if (w < 0)
			return -1;
		if (!w)
			poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
		s += w;
		n -= w;
	}
	return 0;
}

/* Not libc's where its struct msghdr is the kernel's but for zeros: that copies, and has 500 bytes. */
static ssize_t message(int out, int fd, struct msghdr *h, int flags)
{
#ifdef __LP64__
	return syscall(out ? SYS_sendmsg : SYS_recvmsg, fd, h, flags);
#else
	return out ? sendmsg(fd, h, flags) : recvmsg(fd, h, flags);
#endif
}

/* One control message with room for IO_PASSED descriptors. */
union passed {
	struct cmsghdr head;
	char room[CMSG_SPACE(IO_PASSED * sizeof(int))];
};

int io_pass(int fd, const void *data, size_t n, const int *fds, int count)
{
	union passed m = {0};
	struct iovec v = {(void *)(uintptr_t)data, n};
	struct msghdr h = {.msg_iov = &v, .msg_iovlen = 1};

	if (count) {
		m.head.cmsg_level = SOL_SOCKET;
		m.head.cmsg_type = SCM_RIGHTS;
		m.head.cmsg_len = CMSG_LEN(count * sizeof *fds);
		memcpy(CMSG_DATA(&m.head), fds, count * sizeof *fds);
		h.msg_control = &m;
		h.msg_controllen = CMSG_SPACE(count * sizeof *fds);
	}
	return message(1, fd, &h, MSG_NOSIGNAL) == (ssize_t)n ? 0 : -1;
}

int io_passed(int fd, void *data, size_t n, int *fds)
{
	union passed m = {0};
	struct iovec v = {data, n};
	struct msghdr h = {
		.msg_iov = &v, .msg_iovlen = 1, .msg_control = &m, .msg_controllen = sizeof m};
	ssize_t got;
	size_t size;

	for (int i = 0; i < IO_PASSED; i++)
		fds[i] = -1;
	while ((got = message(0, fd, &h, MSG_CMSG_CLOEXEC)) < 0 && errno == EINTR)
		;
	if (got > 0 && h.msg_controllen >= sizeof m.head && m.head.cmsg_type == SCM_RIGHTS) {
		size = m.head.cmsg_len - CMSG_LEN(0);
		memcpy(fds, CMSG_DATA(&m.head),
			size < IO_PASSED * sizeof *fds ? size : IO_PASSED * sizeof *fds);
	}
	if (got == (ssize_t)n && !(h.msg_flags & MSG_CTRUNC))
		return 0;
	if (got >= 0)
		errno = got ? EMFILE : 0;
	got = errno;
	for (int i = 0; i < IO_PASSED; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	errno = got;
	return -1;
}

int io_pipe(int fd[2])
{
	return pipe2(fd, O_CLOEXEC);
}

static int null_open(void)
{
	int null = open("/dev/null", O_RDWR);

	if (null < 0) /* no /dev yet: a descriptor that does nothing will do as well */
		null = open("/", O_PATH);
	return null;
}

void io_null(int fd)
{
	int null = null_open();

	dup2(null, fd);
	close(null);
}

void io_fill_012(void)
{
	int fd;

	do /* each gets the lowest number that is free */
		fd = null_open();
	while (fd >= 0 && fd < 3);
	close(fd);
}

void io_close_from(int first)
{
	struct rlimit limit;
	int max = 65536;

#ifdef SYS_close_range
	if (!syscall(SYS_close_range, first, ~0U, 0))
		return;
#endif
	if (!prlimit(0, RLIMIT_NOFILE, 0, &limit) && limit.rlim_cur < (rlim_t)max)
		max = limit.rlim_cur;
	for (int fd = first; fd < max; fd++)
		close(fd);
}
