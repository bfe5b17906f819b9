/* calls.h: the other calls that the server target's kernel answers: descriptors, sockets, terminals, processes */
#include "kernel.h"

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
