// flood: connects and connects from one address, and never reads.
//
//   flood [-s SOURCE] HOLD ADDR
//
// ADDR is HOST:PORT (IPv4) or @name; SOURCE is the IPv4 address to connect from. HOLD connections are kept
// open on this side, whatever the other does; from then on the oldest is closed and a new one made, a
// thousand a second, until it is killed. "flooding" is said when the first HOLD are open.

#include "common.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { MOST = 4000, EVERY = 1 }; // ms

static union {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_un un;
} to, from;
static socklen_t to_len;

static void address(const char *s)
{
	const char *colon = strrchr(s, ':');
	char host[64];

	if (*s == '@') {
		to.un.sun_family = AF_UNIX;
		strncpy(to.un.sun_path + 1, s + 1, sizeof(to.un.sun_path) - 2);
		to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(s));
		return;
	}
	if (!colon || colon - s >= (int)sizeof(host))
		die("%s: not an address", s);
	snprintf(host, sizeof(host), "%.*s", (int)(colon - s), s);
	to.in.sin_family = AF_INET;
	to.in.sin_port = htons((uint16_t)number(colon + 1));
	if (inet_pton(AF_INET, host, &to.in.sin_addr) != 1)
		die("%s: not an address", s);
	to_len = sizeof(to.in);
}

// one more, as far as that goes: a server that does not accept is not waited for
static int connect_new(void)
{
	int fd = socket(to.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket: %s", strerror(errno));
	if (from.in.sin_family && bind(fd, &from.any, sizeof(from.in)))
		die("bind: %s", strerror(errno));
	(void)!connect(fd, &to.any, to_len);
	return fd;
}

int main(int argc, char **argv)
{
	struct rlimit limit;
	static int fd[MOST];
	long hold;

	peer_name = "flood";
	if (argc == 5 && !strcmp(argv[1], "-s")) {
		from.in.sin_family = AF_INET;
		if (inet_pton(AF_INET, argv[2], &from.in.sin_addr) != 1)
			die("%s: not an address", argv[2]);
		argv += 2;
		argc -= 2;
	}
	if (argc != 3 || (hold = number(argv[1])) > MOST || hold < 1)
		die("usage: flood [-s SOURCE] HOLD ADDR");
	address(argv[2]);
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	for (int i = 0; i < hold; i++) {
		fd[i] = connect_new();
		if (i % 10 == 9)
			sleep_ms(EVERY);
	}
	printf("flooding\n");
	fflush(stdout);
	for (int i = 0;; i = (i + 1) % hold) {
		close(fd[i]);
		fd[i] = connect_new();
		sleep_ms(EVERY);
	}
}
