// lingers: sends a byte to a server at a unix socket, and with it a TCP socket whose close waits for SECS, since
// its other end reads nothing (SO_LINGER). Says "sent" and holds the connection.
//
//   lingers [-n | -o] PATH|@NAME SECS
//
//   -n   the TCP socket is sent inside of a unix socket, which nobody has read
//   -o   the byte is out of band, before one that is not (Linux 5.15, unix(7)); in older kernels it is as any other

#include "common.h"
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

// a connection that is full, and lingers; its other end stays open
static int lingering(int secs)
{
	struct sockaddr_in name = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof name;
	struct linger linger = {1, secs};
	int small = 4096, listener = socket(AF_INET, SOCK_STREAM, 0),
	    fd = socket(AF_INET, SOCK_STREAM, 0);
	static char data[65536];

	setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	if (bind(listener, (void *)&name, len) || listen(listener, 1) ||
		getsockname(listener, (void *)&name, &len) || connect(fd, (void *)&name, len) ||
		accept(listener, 0, 0) < 0)
		die("TCP: %s", strerror(errno));
	while (send(fd, data, sizeof data, MSG_DONTWAIT) > 0) {
	}
	if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger))
		die("SO_LINGER: %s", strerror(errno));
	return fd;
}

// a byte and this descriptor, which is closed here
static void pass(int to, int fd, int flags)
{
	union {
		struct cmsghdr head;
		char room[CMSG_SPACE(sizeof(int))];
	} m = {.head = {.cmsg_len = CMSG_LEN(sizeof fd),
		       .cmsg_level = SOL_SOCKET,
		       .cmsg_type = SCM_RIGHTS}};
	struct iovec byte = {"x", 1};
	struct msghdr h = {
		.msg_iov = &byte, .msg_iovlen = 1, .msg_control = &m, .msg_controllen = sizeof m};

	memcpy(CMSG_DATA(&m.head), &fd, sizeof fd);
	if (sendmsg(to, &h, flags | MSG_NOSIGNAL) != 1 &&
		(errno != EOPNOTSUPP || sendmsg(to, &h, 0) != 1))
		die("sendmsg: %s", strerror(errno));
	close(fd);
}

int main(int argc, char **argv)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	bool nested = argc > 1 && !strcmp(argv[1], "-n");
	bool urgent = argc > 1 && !strcmp(argv[1], "-o");
	int fd, pair[2], to = socket(AF_UNIX, SOCK_STREAM, 0);
	size_t len;

	peer_name = "lingers";
	argc -= nested || urgent;
	argv += nested || urgent;
	if (argc != 3 || (len = strlen(argv[1])) >= sizeof name.sun_path)
		die("usage: lingers [-n | -o] PATH|@NAME SECS");
	memcpy(name.sun_path, argv[1], len);
	if (*argv[1] == '@')
		name.sun_path[0] = '\0';
	if (connect(to, (void *)&name, offsetof(struct sockaddr_un, sun_path) + len))
		die("%s: %s", argv[1], strerror(errno));
	fd = lingering((int)number(argv[2]));
	if (nested && socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		die("socketpair: %s", strerror(errno));
	if (nested) {
		pass(pair[0], fd, 0);
		close(pair[0]);
		fd = pair[1];
	}
	pass(to, fd, urgent ? MSG_OOB : 0);
	if (urgent && send(to, "x", 1, MSG_NOSIGNAL) != 1)
		die("send: %s", strerror(errno));
	puts("sent");
	fflush(stdout);
	pause();
	return 0;
}
