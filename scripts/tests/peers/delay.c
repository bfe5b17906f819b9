// delay: a way to a server on which every byte takes its time, ends and resets too.
//
//	delay [-s SOURCE] [-h BYTES:FILE] MS PORT SERVERPORT
//
// It serves one connection after the other, both ends on loopback, MS milliseconds each way; its own to the
// server come from SOURCE. -h: of what the client says all behind the first BYTES bytes is held until FILE
// exists; FILE.held is made when there is something to hold.

#include "common.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

enum { PARTS = 4096, PART = 4096 };

struct part {
	long long due;
	ssize_t n; // 0: the end; -1: a reset
	char bytes[PART];
};

struct way {
	int from, to;
	bool over, told; // its end came; was passed on
	long passed;
	unsigned first, last; // of the parts that are under way
	struct part part[PARTS];
};

static struct way up, down;
static struct in_addr source = {0};
static long ms, hold_after = -1;
static const char *hold_file;

static void receive(struct way *w)
{
	struct part *p = &w->part[w->last % PARTS];

	p->n = read(w->from, p->bytes, PART);
	p->due = now_ms() + ms;
	w->over = p->n <= 0;
	w->last++;
}

static bool held(const struct way *w)
{
	char name[256];

	if (w != &up || !hold_file || w->passed < hold_after || !access(hold_file, F_OK))
		return false;
	snprintf(name, sizeof(name), "%s.held", hold_file);
	close(open(name, O_WRONLY | O_CREAT, 0666));
	return true;
}

static void reset(int fd)
{
	struct linger now = {1, 0};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

static void pass(struct way *w)
{
	while (w->first != w->last && !w->told) {
		struct part *p = &w->part[w->first % PARTS];

		if (p->due > now_ms() || held(w))
			return;
		w->first++;
		w->told = p->n <= 0;
		if (p->n > 0 && !write_all(w->to, p->bytes, (size_t)p->n))
			return;
		w->passed += p->n;
		if (!p->n)
			shutdown(w->to, SHUT_WR);
		else if (p->n < 0)
			reset(w->to);
	}
}

// both ends are over, or one was reset
static bool finished(void)
{
	const struct way *ways[] = {&up, &down};

	for (int i = 0; i < 2; i++)
		if (ways[i]->told && ways[i]->part[(ways[i]->first - 1) % PARTS].n < 0)
			return true;
	return up.told && down.told;
}

static void begin(struct way *w, int from, int to)
{
	w->first = w->last = 0;
	w->over = w->told = false;
	w->passed = 0;
	w->from = from;
	w->to = to;
}

static void serve(int client, int server)
{
	begin(&up, client, server);
	begin(&down, server, client);
	while (!finished()) {
		struct pollfd p[2] = {
			{up.over ? -1 : client, POLLIN, 0}, {down.over ? -1 : server, POLLIN, 0}};

		poll(p, 2, 1);
		if (p[0].revents)
			receive(&up);
		if (p[1].revents)
			receive(&down);
		pass(&up);
		pass(&down);
	}
	close(client);
	close(server);
}

static int sock(struct sockaddr_in *a, long port)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	*a = (struct sockaddr_in){.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr = {htonl(INADDR_LOOPBACK)}};
	return fd;
}

static int dial(long port)
{
	struct sockaddr_in a, from = {.sin_family = AF_INET, .sin_addr = source};
	int fd = sock(&a, port), on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (source.s_addr && bind(fd, (struct sockaddr *)&from, sizeof(from)) < 0)
		die("bind: %s", strerror(errno));
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		die("connect: %s", strerror(errno));
	return fd;
}

int main(int argc, char **argv)
{
	struct sockaddr_in a;
	int c, listener;

	peer_name = "delay";
	while ((c = getopt(argc, argv, "s:h:")) > 0) {
		if (c == 's' && inet_pton(AF_INET, optarg, &source) != 1)
			die("%s: not an address", optarg);
		if (c == 'h') {
			hold_after = strtol(optarg, &optarg, 10);
			hold_file = optarg + 1;
		}
	}
	if (argc - optind != 3)
		die("MS PORT SERVERPORT");
	ms = number(argv[optind]);
	listener = sock(&a, number(argv[optind + 1]));
	if (bind(listener, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(listener, 5) < 0)
		die("listen: %s", strerror(errno));
	signal(SIGPIPE, SIG_IGN);
	for (;;) {
		int client = accept(listener, NULL, NULL), on = 1;

		setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		serve(client, dial(number(argv[optind + 2])));
	}
}
