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

static unsigned notify_want(struct source *src, msec *due)
{
	(void)src, (void)due;
	return LOOP_WRITE;
}

static void notify_failed(void)
{
	warn("NOTIFY_SOCKET: ", notify_socket, ": ", msg_errno());
}

static void notify_ready(struct source *src, unsigned what)
{
	static const char words[] = "READY=1";
	ssize_t done = send(src->fd, words, sizeof words - 1, MSG_NOSIGNAL);

	(void)what;
	if (done < 0 && errno == EAGAIN)
		return;
	if (done < 0)
		notify_failed();
	loop_close(src);
}

static struct source notify = {.want = notify_want, .ready = notify_ready};

void inherit_notify_ready(void)
{
	union sock_name n;

	if (!notify_socket)
		return;
	errno = ENAMETOOLONG;
	notify.fd = -1;
	if (strlen(notify_socket) <= ADDR_PATH_MAX)
		notify.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (notify.fd >= 0) {
		sock_unix(&n, notify_socket);
		if (!connect(notify.fd, &n.sa, sock_name_len(&n))) {
			loop_add(&notify);
			return;
		}
	}
	notify_failed();
	close(notify.fd);
}
