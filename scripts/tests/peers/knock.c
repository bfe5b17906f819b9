// knock: strangers at a keyed port: connections at a rate, from addresses of choice, that say nothing.
//
//	knock [-s SOURCE]... [-r RATE] [-n COUNT] [-t FILE] HOST PORT
//
// Each connection comes from the next SOURCE in turn (numeric, also IPv6), RATE of them a second (100), and
// stays until the server closes it. FILE is made when eight have been opened. After COUNT of them (or never)
// it only keeps what it has. It stays until killed.

#include "common.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

enum { KEPT = 256, SOURCES = 256 };

union name {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

static union name sources[SOURCES], server;
static long source_count, opened;
static struct pollfd kept[KEPT];

static void name_parse(union name *n, const char *host, long port)
{
	*n = (union name){.any.sa_family = strchr(host, ':') ? AF_INET6 : AF_INET};
	n->in.sin_port = htons((uint16_t)port); // at the same place in both
	if (n->any.sa_family == AF_INET ? inet_pton(AF_INET, host, &n->in.sin_addr) != 1 :
					  inet_pton(AF_INET6, host, &n->in6.sin6_addr) != 1)
		die("%s: not an address", host);
}

static socklen_t name_len(const union name *n)
{
	return n->any.sa_family == AF_INET ? sizeof(n->in) : sizeof(n->in6);
}

static void knock(void)
{
	struct pollfd *p = kept;
	const union name *from = source_count ? &sources[opened % source_count] : NULL;

	while (p < kept + KEPT && p->fd >= 0)
		p++;
	if (p == kept + KEPT)
		close((p = kept)->fd);
	p->fd = socket(server.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (from) // also an address that no interface has, where a route is local
		setsockopt(p->fd, IPPROTO_IPV6, 78 /* IPV6_FREEBIND */, &(int){1}, sizeof(int));
	if (from && bind(p->fd, &from->any, name_len(from)) < 0)
		die("bind: %s", strerror(errno));
	if (connect(p->fd, &server.any, name_len(&server)) < 0 && errno != EINPROGRESS) {
		close(p->fd);
		p->fd = -1;
	}
	p->events = POLLIN;
	opened++;
}

static void read_all(int ms)
{
	char buf[4096];

	poll(kept, KEPT, ms);
	for (struct pollfd *p = kept; p < kept + KEPT; p++)
		if (p->fd >= 0 && p->revents && read(p->fd, buf, sizeof(buf)) <= 0 &&
			errno != EAGAIN) {
			close(p->fd);
			p->fd = -1;
		}
}

int main(int argc, char **argv)
{
	const char *file = NULL;
	long rate = 100, most = -1;
	long long began = now_ms();
	int c;

	peer_name = "knock";
	while ((c = getopt(argc, argv, "s:r:n:t:")) > 0) {
		if (c == 's' && source_count < SOURCES)
			name_parse(&sources[source_count++], optarg, 0);
		else if (c == 'r')
			rate = number(optarg);
		else if (c == 'n')
			most = number(optarg);
		else if (c == 't')
			file = optarg;
		else
			die("usage: see the source");
	}
	if (argc - optind != 2)
		die("HOST PORT");
	name_parse(&server, argv[optind], number(argv[optind + 1]));
	for (int i = 0; i < KEPT; i++)
		kept[i].fd = -1;
	signal(SIGPIPE, SIG_IGN);
	for (;;) {
		errno = 0;
		read_all(1);
		while (opened != most && opened * 1000 <= (now_ms() - began) * rate)
			knock();
		if (file && opened >= 8) {
			close(open(file, O_WRONLY | O_CREAT, 0666));
			file = NULL;
		}
	}
}
