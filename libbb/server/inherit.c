/* inherit.c: what a server is given by whoever starts it: connections, listening sockets, somebody who waits.
 *
 * inetd, tcpsvd and systemd (Accept=yes) start a server for a connection, which is its standard input; systemd
 * and s6 hand it a listening socket; with NOTIFY_SOCKET somebody wants to know when it is ready.  What is
 * given is used under a number of its own, and every other descriptor beyond 2 is closed.
 *
 * config SUPERVISED y a socket from inetd or systemd as ADDR (-, fd:N); readiness for NOTIFY_SOCKET
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "server.h"

static char taken[LOOP_MAX] LARGE;
static int taken_end = 3;
static const char *notify_socket;

static int fits(int kind, int fd)
{
	union sock_name peer;
	socklen_t len = sizeof peer;
	int listens = 0;

	if (kind == ADDR_STDIN)
		return !getpeername(fd, &peer.sa, &len);
	len = sizeof listens;
	return !getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) && listens;
}

/* Of these descriptors those that are the same socket as fd become the null device. */
static void let_go(int from, int fd)
{
	struct stat own, other;

	if (fstat(fd, &own))
		return;
	for (; from < 3; from++)
		if (!fstat(from, &other) && other.st_dev == own.st_dev &&
			other.st_ino == own.st_ino)
			io_null(from);
}

void inherit_silence(char **argv)
{
	int value = 0; /* this word may be an option's; if not it is ADDR, and COMMAND follows */

	for (; *argv && strcmp(*argv, "-"); argv++) {
		if (**argv != '-' && !value)
			return;
		value = **argv == '-';
	}
	if (*argv && fits(ADDR_STDIN, 0))
		let_go(1, 0);
}

void inherit_socket(struct addr *a)
{
	int given = a->kind == ADDR_FD ? a->port : 0, on = 1, fd = -1;

	if (given < LOOP_MAX && !taken[given] && fits(a->kind, given))
		fd = dup(given);
	if (fd >= LOOP_MAX)
		die(1, a->text, ": more than 1024 descriptors are open");
	if (fd < 0)
		die(1, a->text,
			a->kind == ADDR_FD ? ": not a listening socket" : ": not a connection");
	let_go(0, fd);
	ioctl(fd, FIOCLEX);
	ioctl(fd, FIONBIO, &on);
	a->port = fd;
	taken[fd] = 1;
	taken_end = fd >= taken_end ? fd + 1 : taken_end;
}

void inherit_close_others(void)
{
	for (int fd = 3; fd < taken_end; fd++)
		if (!taken[fd])
			close(fd);
	io_close_from(taken_end);
}

void inherit_notify(void)
{
	static const char name[] = "NOTIFY_SOCKET=";
	char **e = environ;

	while (*e && strncmp(*e, name, sizeof name - 1))
		e++;
	if (!*e)
		return;
	notify_socket = *e + sizeof name - 1;
	do
		*e = e[1];
	while (*e++);
}

static int notify(const char *path, const char *words)
{
	static const struct timeval patience = {.tv_sec = 5};
	union sock_name n;
	int fd, failed;

	errno = ENAMETOOLONG;
	if (strlen(path) > ADDR_PATH_MAX)
		return -1;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	sock_unix(&n, path);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	failed = sendto(fd, words, strlen(words), MSG_NOSIGNAL, &n.sa, sock_name_len(&n)) < 0;
	close(fd);
	return failed;
}

void inherit_notify_ready(void)
{
	if (notify_socket && notify(notify_socket, "READY=1"))
		warn("NOTIFY_SOCKET: ", notify_socket, ": ", msg_errno());
}
