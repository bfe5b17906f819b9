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

/* ---- the rest ---- */

long __wrap_syscall(long number, ...);

/* The command is executed at once. */
static pid_t command_fork(void)
{
	tty.exited = tty.late = 0;
	stream_take(&tty.in, 0, STREAM);
	return COMMAND;
}

/* No descriptors are sent along. */
static ssize_t socket_peek(const struct link *l, const struct msghdr *h)
{
	size_t n = h->msg_iov->iov_len < l->up.len ? h->msg_iov->iov_len : l->up.len;

	if (n)
		memcpy(h->msg_iov->iov_base, l->up.data + l->up.off, n);
	else if (l->reset || !l->up.shut)
		return no(l->reset ? ECONNRESET : EAGAIN);
	return n;
}

/* loop.c reads the clock with it, daemon.c the working directory; io.c looks what has come, pty.c forks, devpts.c opens the
 * slave. */
long __wrap_syscall(long number, ...)
{
	struct timespec *t;
	long first;
	va_list v;

	va_start(v, number);
	first = va_arg(v, long);
	t = va_arg(v, struct timespec *);
	va_end(v);
	if (number == SYS_clone)
		return command_fork();
	if (number == SYS_recvmsg)
		return socket_peek(file_of((int)first)->link, (const struct msghdr *)t);
	if (number == SYS_openat)
		return file_open(SLAVE, 0);
	if (number == SYS_getcwd) {
		memcpy((void *)first, "/", 2);
		return 2;
	}
	assert(number == SYS_clock_gettime);
	*t = (struct timespec){.tv_sec = now / 1000, .tv_nsec = now % 1000 * 1000000};
	return 0;
}

int __real_close(int fd);
int __wrap_close(int fd);
int __real_shutdown(int fd, int how);
int __wrap_shutdown(int fd, int how);
int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_pipe2(int fd[2], int flags);
int __real_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...);
int __real_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len);
int __wrap_dup(int fd);
pid_t __wrap_pgrp_session(int master);
pid_t __wrap_tcgetpgrp(int fd);
void __wrap_pgrp_signal(int master, pid_t leader, int sig);
int __wrap_kill(pid_t pid, int sig);

static void socket_close(struct link *l)
{
	l->closed = l->down.shut = 1;
	if (l->up.len) {
		l->down.len = 0;
		l->cut = 1;
	}
}

int __wrap_close(int fd)
{
	struct file *f = fd < 0 ? 0 : file_of(fd);

	if (!f)
		return __real_close(fd);
	turns = f->kind == COPY ? turns : 0;
	if (f->kind == SOCKET)
		socket_close(f->link);
	if (f->kind == MASTER) {
		assert(!tty.out.len || tty.late);
		stream_take(&tty.typed, 0, STREAM); /* what the command did not read in its life */
	}
	f->kind = FREE;
	return 0;
}

int __wrap_shutdown(int fd, int how)
{
	struct file *f = file_of(fd);

	if (!f)
		return __real_shutdown(fd, how);
	assert(f->kind == SOCKET && how == SHUT_WR);
	turns = 0;
	if (f->link->reset)
		return no(ENOTCONN);
	f->link->down.shut = 1;
	return 0;
}

int __wrap_open(const char *path, int flags, ...)
{
	int mode;
	va_list v;

	if (!strcmp(path, "/dev/ptmx"))
		return file_open(MASTER, 0);
	if (!strncmp(path, "/dev/pts/", 9))
		return file_open(SLAVE, 0);
	if (!strcmp(path, "/"))
		return file_open(SPARE, 0);
	va_start(v, flags);
	mode = va_arg(v, int);
	va_end(v);
	return __real_open(path, flags, mode);
}

int __wrap_pipe2(int fd[2], int flags)
{
	(void)flags;
	fd[0] = file_open(PIPE, 0);
	if (fd[0] < 0)
		return -1;
	fd[1] = file_open(PIPE, 0);
	if (fd[1] >= 0)
		return 0;
	__wrap_close(fd[0]);
	return no(EMFILE);
}

static int socket_ioctl(const struct link *l, unsigned long request, int *value)
{
	assert(request == TIOCOUTQ || request == FIONREAD);
	*value = request == TIOCOUTQ ? l->down.len : l->up.len;
	return 0;
}

static int master_ioctl(unsigned long request, void *value)
{
	const struct winsize *size = value;
	long sig = (long)value;

	if (request == TIOCGPTPEER)
		return file_open(SLAVE, 0);
	if (request == TIOCGPTN)
		*(unsigned *)value = 0;
	else if (request == TIOCSWINSZ)
		assert(size->ws_row && size->ws_col);
	else if (request == TIOCSIG)
		assert(sig > 0 && sig < _NSIG);
	else
		assert(request == TIOCSPTLCK);
	return 0;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	struct file *f = file_of(fd);
	void *value;
	va_list v;

	va_start(v, request);
	value = va_arg(v, void *);
	va_end(v);
	if (!f)
		return __real_ioctl(fd, request, value);
	if (f->kind == SOCKET)
		return socket_ioctl(f->link, request, value);
	assert(f->kind == MASTER);
	return master_ioctl(request, value);
}

/* No TCP_INFO; of every one the peer's user is known. */
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *len)
{
	struct file *f = file_of(fd);

	if (!f)
		return __real_getsockopt(fd, level, name, value, len);
	if (level == SOL_SOCKET && name == SO_DOMAIN) {
		*(int *)value = f->link->tcp ? AF_INET : AF_UNIX;
		return 0;
	}
	if (level != SOL_SOCKET || name != SO_PEERCRED)
		return no(EOPNOTSUPP);
	*(struct ucred *)value =
		(struct ucred){.pid = 1, .uid = f->link->user, .gid = f->link->user};
	return 0;
}

int __wrap_accept4(int listener, struct sockaddr *name, socklen_t *len, int flags);

/* At the limit there is still a connection that waits, as in Linux. */
int __wrap_accept4(int listener, struct sockaddr *name, socklen_t *len, int flags)
{
	union sock_name peer = {0};
	struct link *l;
	int fd = file_open(SOCKET, 0);

	(void)flags;
	if (fd < 0)
		return -1;
	l = next_link(listener, &peer);
	if (!l) {
		files[fd - FD_BASE].kind = FREE;
		return no(EAGAIN);
	}
	turns = 0;
	files[fd - FD_BASE].link = l;
	l->fd = fd;
	memcpy(name, &peer, *len);
	return fd;
}

int __wrap_prctl(int what, ...);

/* The fuzzer's reports need to look into the process. */
int __wrap_prctl(int what, ...)
{
	(void)what;
	return 0;
}

/* io_descriptors() asks so whether there are descriptors left. */
int __wrap_dup(int fd)
{
	assert(!fd);
	return file_open(COPY, 0);
}

pid_t __wrap_tcgetpgrp(int fd)
{
	assert(file_of(fd)->kind == MASTER);
	return COMMAND + 1; /* a job of its */
}

pid_t __wrap_pgrp_session(int master)
{
	assert(file_of(master)->kind == MASTER);
	return COMMAND;
}

void __wrap_pgrp_signal(int master, pid_t leader, int sig)
{
	assert(file_of(master)->kind == MASTER && leader == COMMAND);
	signalled(sig);
}

int __wrap_kill(pid_t pid, int sig)
{
	assert(pid == -COMMAND);
	signalled(sig);
	return 0;
}
