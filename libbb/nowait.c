/* nowait.c: writing to descriptors that are shared with others, and never waiting for whoever reads them.
 *
 * O_NONBLOCK belongs to the open file description, and that of standard input, output and error is shared
 * with the shell that started this program and with whoever it starts next.  So it is never set there.
 * What takes its place depends on the kind of descriptor:
 *
 *	terminal, device, pipe	opened again: a description of our own has O_NONBLOCK
 *	the same, without /proc	poll(2), then as many bytes as a descriptor that is ready surely takes
 *	socket			send(2) with MSG_DONTWAIT
 *	regular file		never waits for a reader
 *
 * Only the second leaves a gap: another process may fill a pipe between the two system calls.
 *
 * All else that is written is written in the loop, to non-blocking descriptors.  What is left (of every write(2),
 * writev(2), send(2), sendto(2) and sendmsg(2) in the sources) cannot block, or there is nobody whom that would hold up:
 * the few bytes of a report through a pipe or socket of this program's own, which is empty until then (daemon.c, spawn.c,
 * pgrp.c, and the child of sock.c's lookup), files in /proc (jail.c, oom.c), and what io_write_all() is for.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>
#include "libbb.h"

int nowait_open(int fd, int flags)
{
	char name[] = "/proc/self/fd/0";
	struct stat st;
	int again;

	flags |= O_NOCTTY | O_NONBLOCK | O_CLOEXEC;
	if (fstat(fd, &st) || !(S_ISCHR(st.st_mode) || S_ISFIFO(st.st_mode)))
		return -1;
	name[sizeof name - 2] += fd;
	again = open(name, flags);
	if (again < 0 && tcgetsid(fd) == getsid(0)) /* no /proc, or su changed the user */
		again = open("/dev/tty", flags);
	return again;
}

/* A pipe that is ready has room for PIPE_BUF bytes (pipe(7)), a terminal maybe for one only. */
ssize_t nowait_write(int fd, const void *data, size_t n)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	struct stat st;
	size_t sure = !fstat(fd, &st) && S_ISCHR(st.st_mode) ? 1 : PIPE_BUF;
	ssize_t done = send(fd, data, n, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (done < 0 && errno == ENOTSOCK)
		done = poll(&p, 1, 0) < 1 ? 0 : write(fd, data, n < sure ? n : sure);
	return done < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : done;
}

/* A datagram, or where there is no syslogd a record of the kernel's log; either is opened for each message, because its
 * other end may come and go. */
void nowait_log(const char *s, size_t n)
{
	const struct sockaddr_un log = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
	int saved = errno, fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, (const struct sockaddr *)&log, sizeof log)) {
		close(fd);
		fd = open("/dev/kmsg", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	}
	if (fd >= 0) {
		ssize_t done = write(fd, s, n); /* what is not taken at once is dropped */

		(void)done;
		close(fd);
	}
	errno = saved;
}

void nowait_say(int fd, const char *s, size_t n)
{
	int saved = errno, own = nowait_open(fd, O_WRONLY);
	ssize_t done;

	while (n && (done = own < 0 ? nowait_write(fd, s, n) : write(own, s, n)) > 0) {
		s += done;
		n -= done;
	}
	if (own >= 0)
		close(own);
	errno = saved;
}
