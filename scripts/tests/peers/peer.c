// peer: a client (or with -l a server of one connection) that behaves as badly as it is told to.
//
//   peer [-l] [-b BYTES] [-q] [-t SECS] ADDR [ACTION...]
//
// ADDR is HOST:PORT (a numeric host, IPv6 in brackets), a path, or @name. The actions are done in
// turn; what comes in at any time, also while sending, goes to standard output (-q: nowhere). After
// the last the peer reads to the end of the stream. Status 0: all went as told; 1: not, with the
// reason on standard error; 2: no connection. -b: receive buffer. -t: how long an action waits for
// anything to move (15).
//
//   send:TEXT (C escapes)  sendn:N (test bytes)  senda:N (of all values)  sendfile:NAME
//   expect:TEXT     wait until it comes, after what the last expect or read took
//   read:N          take N bytes
//   ping:N          send a ? and take 2 bytes, N times
//   type:NAME       send a byte every 100 ms until this file exists
//   never, again    stop reading; read again
//   slow:RATE       from now on read RATE bytes a second
//   halfclose       say that nothing more is sent
//   reset, close    leave at once: with a reset, or in order
//   eof             read to the end, which must be in order
//   closed          read to the end, a reset will do too
//   touch:NAME, wait:NAME    create a file; wait until a file exists
//   hold            stay until killed, or until the other side ends (unless `never`)
//   open:N          N more connections, kept      many:N    N connections, each closed at once
//   visits:N        N connections, each closed when something comes, which is left unread

#include "common.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

static union {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
} address;
static socklen_t address_len;
static const char *address_text;
static int fd = -1, listener = -1, receive_buffer;
static long patience = 15000;
static bool quiet, deaf, over, was_reset, is_server;
static long rate;
static long long next_read;
static char window[1 << 16];
static size_t window_len;
static uint64_t received, asked;

static void address_parse(const char *s)
{
	const char *colon = strrchr(s, ':');
	char host[128];

	address_text = s;
	if (*s == '@' || strchr(s, '/')) {
		size_t n = strlen(s);

		if (n >= sizeof(address.un.sun_path))
			die("%s: too long", s);
		address.un.sun_family = AF_UNIX;
		memcpy(address.un.sun_path, s, n);
		if (*s == '@')
			*address.un.sun_path = 0;
		address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + (*s != '@'));
		return;
	}
	if (!colon)
		die("%s: not an address", s);
	if (*s == '[') {
		snprintf(host, sizeof(host), "%.*s", (int)(colon - s) - 2, s + 1);
		address.in6.sin6_family = AF_INET6;
		address.in6.sin6_port = htons((uint16_t)number(colon + 1));
		address_len = sizeof(address.in6);
		if (inet_pton(AF_INET6, host, &address.in6.sin6_addr) != 1)
			die("%s: not an address", s);
		return;
	}
	snprintf(host, sizeof(host), "%.*s", (int)(colon - s), s);
	address.in.sin_family = AF_INET;
	address.in.sin_port = htons((uint16_t)number(colon + 1));
	address_len = sizeof(address.in);
	if (inet_pton(AF_INET, host, &address.in.sin_addr) != 1)
		die("%s: not an address", s);
}

static int connect_new(void)
{
	int s = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), e;

	if (s < 0)
		return -1;
	if (receive_buffer)
		setsockopt(s, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
	if (connect(s, &address.any, address_len) == 0)
		return s;
	e = errno;
	close(s);
	errno = e;
	return -1;
}

static void listen_start(void)
{
	int on = 1;

	listener = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (address.any.sa_family == AF_UNIX)
		unlink(address.un.sun_path);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listener, &address.any, address_len) < 0 || listen(listener, 1) < 0)
		die("%s: %s", address_text, strerror(errno));
}

// the one connection, at the first action that needs it
static void need(void)
{
	struct pollfd p = {.fd = listener, .events = POLLIN};

	if (fd >= 0)
		return;
	if (is_server) {
		if (poll(&p, 1, (int)patience) <= 0)
			die("%s: nobody came", address_text);
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	} else {
		fd = connect_new();
	}
	peer_failure = 2;
	if (fd < 0)
		die("%s: %s", address_text, strerror(errno));
	peer_failure = 1;
	fcntl(fd, F_SETFL, O_NONBLOCK);
}

static void fail(const char *action, const char *what)
{
	size_t n = window_len < 1000 ? window_len : 1000;

	fflush(stdout);
	fprintf(stderr, "peer: %s: %s; not asked for yet: \"", action, what);
	show(window + window_len - n, n);
	fprintf(stderr, "\"\n");
	exit(1);
}

static void receive(void)
{
	size_t room = sizeof(window) / 2;
	ssize_t n;

	if (rate && room > (size_t)rate / 20 + 1)
		room = (size_t)rate / 20 + 1;
	if (window_len > sizeof(window) / 2) {
		memmove(window, window + window_len - sizeof(window) / 4, sizeof(window) / 4);
		window_len = sizeof(window) / 4;
	}
	n = read(fd, window + window_len, room);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		over = true;
		was_reset = n < 0;
		return;
	}
	if (!quiet && !write_all(1, window + window_len, (size_t)n))
		die("standard output: %s", strerror(errno));
	window_len += (size_t)n;
	received += (uint64_t)n;
	if (rate)
		next_read = now_ms() + n * 1000 / rate;
}

// waits a little for something to move, takes what came, sends some of `text`; returns how much,
// -1 when nothing moved, -2 when nothing can be sent any more
static ssize_t turn(const char *text, size_t len)
{
	struct pollfd p = {.fd = fd, .events = len ? POLLOUT : 0};
	bool may_read = !deaf && !over && next_read <= now_ms();
	ssize_t n = 0;

	if (may_read)
		p.events |= POLLIN;
	if (over)
		p.fd = len ? fd : -1;
	if (poll(&p, 1, rate ? 5 : 50) <= 0)
		return -1;
	if (may_read && (p.revents & (POLLIN | POLLHUP | POLLERR)))
		receive();
	else if (!len)
		sleep_ms(1);
	if (len && (p.revents & (POLLOUT | POLLERR | POLLHUP))) {
		n = send(fd, text, len, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return -2;
		if (n < 0)
			n = 0;
	}
	return n;
}

static void put(const char *action, const char *text, size_t len)
{
	long long end = now_ms() + patience;

	while (len) {
		ssize_t n = turn(text, len);

		if (n == -2)
			fail(action, strerror(errno));
		if (n > 0) {
			text += n;
			len -= (size_t)n;
		}
		if (n >= 0)
			end = now_ms() + patience;
		if (now_ms() > end)
			fail(action, "not taken");
	}
}

static void put_generated(const char *action, long n, bool all)
{
	static unsigned char buf[65536];

	for (long at = 0; at < n; at += (long)sizeof(buf)) {
		size_t k = n - at < (long)sizeof(buf) ? (size_t)(n - at) : sizeof(buf);

		test_bytes(buf, (uint64_t)at, k, all);
		put(action, (char *)buf, k);
	}
}

static void put_file(const char *action, const char *name)
{
	static char buf[65536];
	int in = open(name, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (in < 0)
		die("%s: %s", name, strerror(errno));
	while ((n = read(in, buf, sizeof(buf))) > 0)
		put(action, buf, (size_t)n);
	close(in);
}

// the window keeps the last n bytes that were received: those not asked for yet
static void window_keep(size_t n)
{
	memmove(window, window + window_len - n, n);
	window_len = n;
	asked = received - n;
}

static void expect(const char *action, const char *text, size_t len)
{
	long long end = now_ms() + patience;
	char *at;

	while (!(at = memmem(window, window_len, text, len))) {
		if (over)
			fail(action, was_reset ? "connection reset" : "end of the stream");
		if (turn(NULL, 0) >= 0)
			end = now_ms() + patience;
		if (now_ms() > end)
			fail(action, "does not come");
	}
	window_keep(window_len - (size_t)(at - window) - len);
}

static void take(const char *action, uint64_t n)
{
	long long end = now_ms() + patience;
	uint64_t until = asked + n;

	while (received < until) {
		if (over)
			fail(action, was_reset ? "connection reset" : "end of the stream");
		if (turn(NULL, 0) >= 0)
			end = now_ms() + patience;
		if (now_ms() > end)
			fail(action, "does not come");
	}
	asked = until;
	if (received - asked < window_len)
		window_keep((size_t)(received - asked));
}

static void to_the_end(const char *action, bool reset_will_do)
{
	long long end = now_ms() + patience;

	need();
	deaf = false;
	while (!over) {
		if (turn(NULL, 0) >= 0)
			end = now_ms() + patience;
		if (now_ms() > end)
			fail(action, "it does not end");
	}
	if (was_reset && !reset_will_do)
		fail(action, "connection reset");
}

static void ping(const char *action, long n)
{
	while (n--) {
		put(action, "?", 1);
		take(action, 2);
	}
}

static void hold(void)
{
	while (!over)
		turn(NULL, 0);
}

static void wait_for(const char *action, const char *name)
{
	long long end = now_ms() + patience;

	while (access(name, F_OK) < 0) {
		if (fd < 0)
			sleep_ms(10);
		else
			turn(NULL, 0);
		if (now_ms() > end)
			fail(action, "is not there");
	}
}

static void type(const char *action, const char *name)
{
	while (access(name, F_OK) < 0) {
		put(action, "x", 1);
		if (over)
			fail(action, "end of the stream");
		for (long long end = now_ms() + 100; now_ms() < end && !over;)
			turn(NULL, 0);
	}
}

static void touch(const char *name)
{
	int f = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (f < 0)
		die("%s: %s", name, strerror(errno));
	close(f);
}

// n connections; each kept, closed at once, or closed when something comes
static void crowd(const char *action, long n, char how)
{
	struct rlimit files;

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	for (long i = 0; i < n; i++) {
		int s = connect_new();

		struct pollfd p = {.fd = s, .events = POLLIN};

		if (s < 0)
			die("%s: connection %ld: %s", action, i + 1, strerror(errno));
		if (how == 'v' && poll(&p, 1, (int)patience) <= 0)
			die("%s: connection %ld: nothing comes", action, i + 1);
		if (how != 'o')
			close(s);
	}
}

static void leave(bool in_order)
{
	struct linger l = {.l_onoff = 1, .l_linger = 0};

	if (!in_order)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	close(fd);
	over = true;
}

static bool needs_stream(const char *w)
{
	return strcmp(w, "touch") && strcmp(w, "wait") && strcmp(w, "open") && strcmp(w, "many") &&
	       strcmp(w, "visits");
}

// does one action; true if it leaves no connection to read from
static bool act(char *action)
{
	char *text = strchr(action, ':'), w[16];

	snprintf(w, sizeof(w), "%.*s", text ? (int)(text - action) : 15, action);
	text = strdup(text ? text + 1 : "");
	if (needs_stream(w))
		need();
	if (!strcmp(w, "send"))
		put(action, text, unescape(text));
	else if (!strcmp(w, "expect"))
		expect(action, text, unescape(text));
	else if (!strcmp(w, "sendn") || !strcmp(w, "senda"))
		put_generated(action, number(text), w[4] == 'a');
	else if (!strcmp(w, "sendfile"))
		put_file(action, text);
	else if (!strcmp(w, "read"))
		take(action, (uint64_t)number(text));
	else if (!strcmp(w, "ping"))
		ping(action, number(text));
	else if (!strcmp(w, "never") || !strcmp(w, "again"))
		deaf = *w == 'n';
	else if (!strcmp(w, "slow"))
		rate = number(text);
	else if (!strcmp(w, "halfclose"))
		shutdown(fd, SHUT_WR);
	else if (!strcmp(w, "eof") || !strcmp(w, "closed"))
		to_the_end(action, *w == 'c');
	else if (!strcmp(w, "wait"))
		wait_for(action, text);
	else if (!strcmp(w, "type"))
		type(action, text);
	else if (!strcmp(w, "touch"))
		touch(text);
	else if (!strcmp(w, "hold"))
		hold();
	else if (!strcmp(w, "reset") || !strcmp(w, "close"))
		leave(*w == 'c');
	else if (!strcmp(w, "open") || !strcmp(w, "many") || !strcmp(w, "visits"))
		crowd(action, number(text), *w);
	else
		die("%s: no such action", action);
	free(text);
	return !strcmp(w, "many") || !strcmp(w, "visits") || !strcmp(w, "open");
}

int main(int argc, char **argv)
{
	bool ended = false;
	int c;

	peer_name = "peer";
	signal(SIGPIPE, SIG_IGN);
	while ((c = getopt(argc, argv, "+lb:qt:")) >= 0) {
		switch (c) {
		case 'l':
			is_server = true;
			break;
		case 'b':
			receive_buffer = (int)number(optarg);
			break;
		case 'q':
			quiet = true;
			break;
		case 't':
			patience = number(optarg) * 1000;
			break;
		default:
			return 1;
		}
	}
	if (optind >= argc)
		die("usage: peer [-l] [-b BYTES] [-q] [-t SECS] ADDR [ACTION...]");
	address_parse(argv[optind]);
	if (is_server)
		listen_start();
	for (int i = optind + 1; i < argc; i++)
		ended = act(argv[i]);
	if (!ended)
		to_the_end("the end", false);
	return 0;
}
