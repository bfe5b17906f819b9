/* inherit.c: what a server inherits from the process that starts it: sockets, and who waits until it is ready.
 *
 *	inetd, tcpsvd, systemd (Accept=yes)   standard input is a connection      ADDR "-"
 *	systemd, s6                           a descriptor is a listening socket  ADDR "fd:N"
 *	systemd and others                    NOTIFY_SOCKET waits for READY=1
 *
 * An inherited socket is duplicated to a new descriptor, and every other descriptor beyond 2 is closed.
 *
 * config SUPERVISED y a socket from inetd or systemd as ADDR (-, fd:N); readiness for NOTIFY_SOCKET
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "server.h"

static char taken[LOOP_MAX] LARGE; /* descriptors that inherit_socket() returned */
static int taken_end = 3;          /* behind the highest of these */
static const char *notify_socket;

static int is_socket(int kind, int fd)
{
	union sock_name peer;
	socklen_t len = sizeof peer;
	int listens = 0;

	if (kind == ADDR_STDIN)
		return !getpeername(fd, &peer.sa, &len);
	len = sizeof listens;
	return !getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) && listens;
}

/* Makes those of the descriptors from..2 that are the same socket as fd the null device. */
static void replace_copies(int from, int fd)
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
	int value = 0; /* the word may be an option's value; else it is ADDR, and COMMAND follows */

	for (; *argv && strcmp(*argv, "-"); argv++) {
		if (**argv != '-' && !value)
			return;
		value = **argv == '-';
	}
	if (*argv && is_socket(ADDR_STDIN, 0))
		replace_copies(1, 0);
}

void inherit_socket(struct addr *a)
{
	int inherited = a->kind == ADDR_FD ? a->port : 0, on = 1, fd = -1;

	if (inherited < LOOP_MAX && !taken[inherited] && is_socket(a->kind, inherited))
		fd = dup(inherited);
	if (fd >= LOOP_MAX)
		die(1, a->text, ": more than 1024 descriptors are open");
	if (fd < 0)
		die(1, a->text,
			a->kind == ADDR_FD ? ": not a listening socket" : ": not a connection");
	replace_copies(0, fd);
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
	static const struct timeval timeout = {.tv_sec = 5};
	union sock_name n;
	int fd, failed;

	errno = ENAMETOOLONG;
	if (strlen(path) > ADDR_PATH_MAX)
		return -1;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	sock_unix(&n, path);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
	failed = sendto(fd, words, strlen(words), MSG_NOSIGNAL, &n.sa, sock_name_len(&n)) < 0;
	close(fd);
	return failed;
}

void inherit_notify_ready(void)
{
	if (notify_socket && notify(notify_socket, "READY=1"))
		warn("NOTIFY_SOCKET: ", notify_socket, ": ", msg_errno());
}
