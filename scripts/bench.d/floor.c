// floor: the least a server of a shared pty can do, to measure the others against.
//
//   floor PATH|IPV4:PORT COMMAND
//
// One loop around poll(), plain blocking reads and writes, nothing kept, nothing checked: no
// replay, no care for a slow client, no order at the end.

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { CLIENTS = 512 };

static struct pollfd fds[CLIENTS + 2]; // 0: the master, 1: the listener
static int count = 2;
static char buf[65536];

static int server(const char *addr)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct sockaddr_in in = {.sin_family = AF_INET};
	const char *colon = strchr(addr, ':');
	int fd = socket(colon ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (colon) {
		in.sin_port = htons((unsigned short)atoi(colon + 1));
		in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		bind(fd, (struct sockaddr *)&in, sizeof in);
	} else {
		strncpy(un.sun_path, addr, sizeof un.sun_path - 1);
		bind(fd, (struct sockaddr *)&un, sizeof un);
	}
	return listen(fd, CLIENTS) ? -1 : fd;
}

static int command(char **argv)
{
	int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC), off = 0, slave;

	if (ioctl(master, TIOCSPTLCK, &off))
		return -1;
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
	if (fork()) {
		close(slave);
		return master;
	}
	setsid();
	ioctl(slave, TIOCSCTTY, 0);
	for (int fd = 0; fd < 3; fd++)
		dup2(slave, fd);
	if (slave > 2)
		close(slave);
	execv(*argv, argv);
	_exit(127);
}

static void join(void)
{
	int on = 1, fd = accept4(fds[1].fd, 0, 0, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	if (count == CLIENTS + 2) {
		close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	fds[count++] = (struct pollfd){.fd = fd, .events = POLLIN};
}

static void leave(int i)
{
	close(fds[i].fd);
	fds[i] = fds[--count];
}

static void output(void)
{
	ssize_t n = read(fds[0].fd, buf, sizeof buf);

	if (n <= 0)
		_exit(0);
	for (int i = count - 1; i > 1; i--)
		if (write(fds[i].fd, buf, (size_t)n) != n)
			leave(i);
}

static void input(int i)
{
	ssize_t n = read(fds[i].fd, buf, sizeof buf);

	if (n <= 0 || write(fds[0].fd, buf, (size_t)n) != n)
		leave(i);
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 1;
	signal(SIGPIPE, SIG_IGN);
	fds[1] = (struct pollfd){.fd = server(argv[1]), .events = POLLIN};
	fds[0] = (struct pollfd){.fd = command(argv + 2), .events = POLLIN};
	if (fds[0].fd < 0 || fds[1].fd < 0)
		return 1;
	for (;;) {
		if (poll(fds, (nfds_t)count, -1) < 0)
			return 1;
		for (int i = count - 1; i > 1; i--)
			if (fds[i].revents)
				input(i);
		if (fds[0].revents)
			output();
		if (fds[1].revents)
			join();
	}
}
