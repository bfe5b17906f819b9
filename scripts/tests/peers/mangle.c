// mangle: stands between a keyed client and its server and changes one thing.
//
//	mangle [-o PREFIX] PORT SERVERPORT [CHANGE]
//
// It serves one connection, both ends on 127.0.0.1, and takes apart what passes: message 0 of the server
// is its line, all others begin with a length. D is who says it, c(lient) or s(erver); N counts its messages.
// Status 0: both ends are closed and the change was made; 1: not.
// -o: what each side said is in PREFIX.c and PREFIX.s as it was, a line "D SIZE" a message in PREFIX.sizes.
//
//   xor:D:N:AT:MASK    byte AT of the message, xor MASK
//   size:D:N:SIZE      the length before the message is this
//   cut:D:N:AT         after AT bytes of the message both ends are closed
//   lose:D:N           the message does not get there
//   twice:D:N          gets there twice
//   swap:D:N           comes after the one behind it
//   old:D:N:M          message M once more instead
//   back:D:N           goes back to who said it
//   slow:MS            every byte by itself, so many milliseconds apart

#include "common.h"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

enum { LINE = 86, MOST = 2 + 65535, KEPT = 8 };

struct message {
	size_t n;
	unsigned char bytes[MOST];
};

struct way {
	char name; // c or s
	int from, to, log;
	long count; // of whole messages
	bool over;
	struct message m, held;
	struct message kept[KEPT];
};

static struct way ways[2] = {{.name = 'c', .log = -1}, {.name = 's', .log = -1}};
static char change[16], who;
static long which = -1, arg[2], slow;
static bool changed;
static FILE *sizes;

static int listening(long port)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 1) < 0)
		die("%ld: %s", port, strerror(errno));
	return fd;
}

static int connected(long port)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		die("%ld: %s", port, strerror(errno));
	return fd;
}

static void no_delay(int fd)
{
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

// an end that is gone is no failure: that is what most changes are for
static void pass(int to, const unsigned char *p, size_t n)
{
	if (!slow) {
		(void)!write_all(to, p, n);
		return;
	}
	while (n-- && write_all(to, p++, 1))
		sleep_ms(slow);
}

static _Noreturn void leave(void)
{
	if (*change && !changed)
		die("nothing was changed");
	exit(0);
}

// a whole message: how much of a beginning tells
static size_t whole(const struct way *w)
{
	if (w->name == 's' && !w->count)
		return LINE;
	return w->m.n < 2 ? MOST : 2 + (size_t)(w->m.bytes[0] << 8 | w->m.bytes[1]);
}

static bool is(const char *name)
{
	return !strcmp(change, name);
}

static void bend(struct way *w)
{
	struct message *m = &w->m;

	changed = true;
	if (is("xor")) {
		if ((size_t)arg[0] >= m->n)
			die("byte %ld of %zu", arg[0], m->n);
		m->bytes[arg[0]] ^= (unsigned char)arg[1];
		pass(w->to, m->bytes, m->n);
	} else if (is("size")) {
		m->bytes[0] = (unsigned char)(arg[0] >> 8);
		m->bytes[1] = (unsigned char)arg[0];
		pass(w->to, m->bytes, m->n);
	} else if (is("cut")) {
		pass(w->to, m->bytes, (size_t)arg[0]);
		leave();
	} else if (is("twice")) {
		pass(w->to, m->bytes, m->n);
		pass(w->to, m->bytes, m->n);
	} else if (is("swap")) {
		w->held = *m;
	} else if (is("old")) {
		if (arg[0] >= KEPT || arg[0] >= which)
			die("message %ld is not kept", arg[0]);
		pass(w->to, w->kept[arg[0]].bytes, w->kept[arg[0]].n);
	} else if (is("back")) {
		pass(w->from, m->bytes, m->n);
	} else if (!is("lose")) {
		die("%s: no such change", change);
	}
}

static void message(struct way *w)
{
	if (w->count < KEPT)
		w->kept[w->count] = w->m;
	if (sizes)
		fprintf(sizes, "%c %zu\n", w->name, w->m.n);
	if (w->name == who && w->count == which)
		bend(w);
	else
		pass(w->to, w->m.bytes, w->m.n);
	if (w->held.n && w->count == which + 1) {
		pass(w->to, w->held.bytes, w->held.n);
		w->held.n = 0;
	}
	w->count++;
	w->m.n = 0;
}

static void take(struct way *w)
{
	unsigned char buf[65536];
	ssize_t n = read(w->from, buf, sizeof(buf));

	if (n <= 0) {
		w->over = true;
		pass(w->to, w->m.bytes, w->m.n);
		shutdown(w->to, SHUT_WR);
		return;
	}
	if (w->log >= 0)
		(void)!write_all(w->log, buf, (size_t)n);
	for (ssize_t i = 0; i < n; i++) {
		w->m.bytes[w->m.n++] = buf[i];
		if (w->m.n == whole(w))
			message(w);
	}
}

static void parse(char *s)
{
	char *word = strtok(s, ":");

	snprintf(change, sizeof(change), "%s", word);
	word = strtok(NULL, ":");
	if (is("slow")) {
		slow = number(word);
		changed = true;
		return;
	}
	who = *word;
	which = number(strtok(NULL, ":"));
	for (int i = 0; i < 2 && (word = strtok(NULL, ":")); i++)
		arg[i] = number(word);
}

static int named(const char *prefix, const char *end)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s.%s", prefix, end);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		die("%s: %s", path, strerror(errno));
	return fd;
}

int main(int argc, char **argv)
{
	int listener, c;

	peer_name = "mangle";
	signal(SIGPIPE, SIG_IGN);
	while ((c = getopt(argc, argv, "+o:")) >= 0) {
		if (c != 'o')
			return 1;
		ways[0].log = named(optarg, "c");
		ways[1].log = named(optarg, "s");
		sizes = fdopen(named(optarg, "sizes"), "w");
		setvbuf(sizes, NULL, _IOLBF, 0);
	}
	argv += optind;
	if (argc - optind < 2)
		die("usage: mangle [-o PREFIX] PORT SERVERPORT [CHANGE]");
	if (argv[2])
		parse(argv[2]);
	listener = listening(number(argv[0]));
	ways[0].from = ways[1].to = accept(listener, NULL, NULL);
	close(listener);
	ways[1].from = ways[0].to = connected(number(argv[1]));
	no_delay(ways[0].from);
	no_delay(ways[1].from);
	while (!ways[0].over) { // a framed client closes altogether, or not at all
		struct pollfd p[2] = {
			{ways[0].from, POLLIN, 0}, {ways[1].over ? -1 : ways[1].from, POLLIN, 0}};

		if (poll(p, 2, -1) < 0)
			die("poll: %s", strerror(errno));
		for (int i = 0; i < 2; i++)
			if (p[i].revents)
				take(&ways[i]);
	}
	leave();
}
