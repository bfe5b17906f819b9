/* io.c: descriptors: reading, writing, passing and closing them, and files by name.
 *
 * Only this file handles EINTR, EAGAIN and the end of file: a transfer returns >0 for bytes, 0 for "would block", -1
 * for an error (errno) or the end (errno is 0).  All descriptors that the program opens are close-on-exec, and 0-2
 * are always open, so that no socket becomes the standard error of a command.
 *
 * Files that are created or removed by name (sockets, the pid file, a key) may stand in a directory that other users
 * can write to.  Such a user can replace any part of a path by a symbolic link between two system calls.  So the
 * directory is entered once (io_enter()), and then only the name in it is used, which the kernel looks up in the
 * working directory, wherever that has been moved.  bind(2) and connect(2) have no *at() variants, and /proc/self/fd
 * may be missing.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>
#include "libbb.h"

enum { CLOSE_LIMIT = 1000 }; /* microseconds */

/* The contract of io_read() for the return value of a system call. */
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

/* sendmsg(2) or recvmsg(2).  On 64-bit systems libc's struct msghdr differs from the kernel's in padding only, which
 * is zero here; libc's functions copy it, and take 500 bytes. */
static ssize_t message(int out, int fd, struct msghdr *h, int flags)
{
#ifdef __LP64__
	return syscall(out ? SYS_sendmsg : SYS_recvmsg, fd, h, flags);
#else
	return out ? sendmsg(fd, h, flags) : recvmsg(fd, h, flags);
#endif
}

/* The peer of a unix socket can send descriptors along (unix(7), SCM_RIGHTS), asked for or not.  They are closed on the way
 * out of the system call that reads or closes the socket.  When one of them is the last of a socket that lingers
 * (socket(7), SO_LINGER), that close waits as long as its owner wants, also in a descriptor sent with another one; a
 * caught signal ends it.  So an interval timer runs meanwhile.  Only Linux 6.16 can refuse descriptors (SO_PASSRIGHTS).
 *
 * A timer costs more than the read itself.  So a look with MSG_PEEK comes first, which drops none of them: without room
 * for control data MSG_CTRUNC says that descriptors hang on these bytes, and only as many bytes are then read as it saw. */

static char interrupts;

static void set_timer(int microseconds)
{
	struct itimerval every = {{0, microseconds}, {0, microseconds}};

	if (interrupts)
		setitimer(ITIMER_REAL, &every, 0);
}

ssize_t io_receive(int fd, void *buf, size_t n)
{
	struct iovec v = {buf, n};
	struct msghdr h = {.msg_iov = &v, .msg_iovlen = 1};
	ssize_t got = message(0, fd, &h, MSG_PEEK);

	if (got <= 0)
		return answer(got);
	if (!(h.msg_flags & MSG_CTRUNC))
		return io_read(fd, buf, got);
	set_timer(CLOSE_LIMIT);
	got = io_read(fd, buf, got);
	set_timer(0);
	return got;
}

void io_close(int fd)
{
	set_timer(CLOSE_LIMIT);
	close(fd);
	set_timer(0);
}

void io_replace(int fd, int fresh)
{
	set_timer(CLOSE_LIMIT);
	while (dup3(fresh, fd, O_CLOEXEC) < 0 && errno == EINTR) /* before it closed anything */
		;
	set_timer(0);
	close(fresh);
}

static void interrupt(int sig)
{
	(void)sig;
}

void io_interrupt(void)
{
	struct sigaction caught = {.sa_handler = interrupt};
	sigset_t alarm;

	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	sigaction(SIGALRM, &caught, 0);
	sigprocmask(SIG_UNBLOCK, &alarm, 0);
	interrupts = 1;
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

int io_descriptors(int n)
{
	int fd = n > 0 ? dup(0) : -1, left = n <= 0; /* no command starts meanwhile */

	if (fd >= 0) {
		left = io_descriptors(n - 1);
		close(fd);
	}
	return left;
}

static int null_open(void)
{
	int null = open("/dev/null", O_RDWR);

	if (null < 0) /* no /dev */
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

	do /* open(2) returns the lowest free number */
		fd = null_open();
	while (fd >= 0 && fd < 3);
	close(fd);
}

int io_names(const char *dir, int (*each)(int fd, const char *name, void *of), void *of)
{
	struct entry { /* getdents64(2) */
		uint64_t inode, offset;
		unsigned short size;
		unsigned char type;
		char name[];
	};
	_Alignas(struct entry) char buf[2048];
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), found = 0;
	ssize_t n;

	if (fd < 0)
		return -1;
	while (!found && (n = syscall(SYS_getdents64, fd, buf, sizeof buf)) > 0)
		for (ssize_t at = 0; !found && at < n;) {
			const struct entry *e = (const struct entry *)(buf + at);

			found = each(fd, e->name, of);
			at += e->size;
		}
	close(fd);
	return found;
}

struct numbers {
	int (*each)(unsigned n, void *of);
	void *of;
};

static int number_named(int fd, const char *name, void *of)
{
	const struct numbers *numbers = of;
	unsigned number = 0;

	while (*name >= '0' && *name <= '9')
		number = number * 10 + (*name++ - '0');
	return !*name && (int)number != fd && numbers->each(number, numbers->of);
}

int io_numbers(const char *dir, int (*each)(unsigned n, void *of), void *of)
{
	struct numbers numbers = {each, of};

	return io_names(dir, number_named, &numbers);
}

static int close_one(unsigned fd, void *first)
{
	if ((int)fd >= *(int *)first)
		close(fd);
	return 0;
}

void io_close_from(int first)
{
	enum {
		NR_OPEN = 1 << 20
	}; /* the kernel's own limit, unless root raised it (proc_sys_fs(5)) */
	struct rlimit limit;
	rlim_t max = NR_OPEN;

#ifdef SYS_close_range
	if (!syscall(SYS_close_range, first, ~0U, 0))
		return;
#endif
	if (io_numbers("/proc/self/fd", close_one, &first) >= 0)
		return;
	/* descriptors may be above the soft limit, if that was lowered later, but not above the hard one */
	if (!prlimit(0, RLIMIT_NOFILE, 0, &limit) && limit.rlim_max < max)
		max = limit.rlim_max;
	for (int fd = first; fd < (int)max; fd++)
		close(fd);
}

/* A directory without read permission can be returned to since Linux 3.5 (O_PATH in open(2)). */
static int open_here(void)
{
	int fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? open(".", O_PATH | O_DIRECTORY | O_CLOEXEC) : fd;
}

static int enter_directory(const char *path, size_t len)
{
	char dir[PATH_MAX];

	if (len >= sizeof dir) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(dir, path, len);
	dir[len] = '\0';
	return len ? chdir(dir) : 0;
}

const char *io_enter(const char *path, int *back)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	int here = back ? open_here() : -1;

	if (!*name)
		errno = EISDIR;
	else if ((!back || !fchdir(here)) && !enter_directory(path, name - path)) {
		if (back)
			*back = here;
		return name;
	}
	io_leave(here);
	return 0;
}

void io_leave(int back)
{
	int saved = errno;

	if (back >= 0 && fchdir(back))
		errno = saved; /* a failure has no effect: no relative name is used after this */
	close(back);
	errno = saved;
}

int io_is_file(const char *name, const struct file_id *id)
{
	struct stat st;

	return id->ino && !lstat(name, &st) && st.st_dev == id->dev && st.st_ino == id->ino;
}
