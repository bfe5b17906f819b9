// framed: a client of framed mode (docs/protocol.md) that says exactly what it is told to.
//
//   framed [-d] [-q] [-t SECS] ADDR [ACTION...]
//
// ADDR is HOST:PORT, a path or @name. The actions are done in turn; after the last it reads to the end
// of the stream. Terminal output goes to standard output (-q: nowhere); -d: what came in, decoded, a
// line for each event, instead. Status 0: all went as told; 1: not, the reason is on standard error.
//
// What it sends, each in a write of its own:
//   data:TEXT (C escapes)   datan:N (a packet of N test bytes)   bytes:TEXT (no frame)   go (empty data)
//   sig:N   rows:N   cols:N   size:RxC   hello   eof   ping:N   watch   env:NAME=VALUE
//   frame:TYPE:SIZE[:TEXT]  any header, and these bytes after it
//   join ... flush          what stands between goes out in one write
//   each:N                  from now on in pieces of N bytes, 2 ms apart
// What it waits for, in the order it comes (output has its own):
//   welcome   told:RxC (rows, then columns)   replayed   exit:N   pong:N   notice:PART   expect:TEXT
//   end       the end of the stream, in order; closed: a reset will do too
//   silence:MS              nothing at all may come for so long
//   since:MIN:MAX           so many ms must have passed since the connection was made
//   pause:MS   touch:NAME   wait:NAME   never (stop reading)   again   halfclose   close   reset   hold

#include "common.h"
#include <netdb.h>
#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { WELCOME = 202, NOTICE = 201, OUTPUT = 0, ROWS = 100, COLS = 101, EXITED = 103, PONG = 105 };

struct event {
	int type;
	unsigned size;
	char *payload;
};

static int fd = -1;
static long patience = 15000;
static bool decoded, quiet, spoke, said_hello, welcomed, joined, deaf, over, was_reset;
static size_t piece;
static long long began;
static unsigned char pending[1 << 20]; // to be sent
static size_t pending_len;
static unsigned char in[1 << 18]; // came, not understood yet
static size_t in_len;
static struct event *events;
static size_t event_count, event_at;
static char *output;
static size_t output_len, output_room, output_at, output_logged;
static uint64_t received;

static void fail(const char *action, const char *what)
{
	size_t n = output_len - output_at < 1000 ? output_len - output_at : 1000;

	fflush(stdout);
	fprintf(stderr, "framed: %s: %s; output since: \"", action, what);
	show(output + output_len - n, n);
	fprintf(stderr, "\"; frames since:");
	for (size_t i = event_at; i < event_count; i++)
		fprintf(stderr, " %d(%u)%s", events[i].type, events[i].size, events[i].payload);
	fprintf(stderr, "\n");
	exit(1);
}

static void call(const char *s)
{
	const char *colon = strrchr(s, ':');
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST}, *list;
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	char host[128];

	if (*s == '@' || strchr(s, '/')) {
		size_t n = strlen(s);

		if (n >= sizeof(un.sun_path))
			die("%s: too long", s);
		memcpy(un.sun_path, s, n);
		if (*s == '@')
			*un.sun_path = 0;
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (connect(fd, (struct sockaddr *)&un,
			    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + (*s != '@'))) <
			0)
			die("%s: %s", s, strerror(errno));
	} else {
		if (!colon)
			die("%s: not an address", s);
		snprintf(host, sizeof(host), "%.*s", (int)(colon - s), s);
		if (getaddrinfo(host, colon + 1, &hints, &list))
			die("%s: not an address", s);
		fd = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (connect(fd, list->ai_addr, list->ai_addrlen) < 0)
			die("%s: %s", s, strerror(errno));
		freeaddrinfo(list);
	}
	fcntl(fd, F_SETFL, O_NONBLOCK);
	began = now_ms();
}

#include "frames.h"

static void receive(void)
{
	ssize_t n = read(fd, in + in_len, sizeof(in) - in_len);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		over = true;
		was_reset = n < 0;
	} else {
		in_len += (size_t)n;
		received += (uint64_t)n;
	}
	understand();
	if (over && welcomed && in_len)
		fail("decoding", "the stream ends inside a frame");
}

// waits a little for something to move; takes what came, sends some of what is given
static ssize_t turn(const unsigned char *data, size_t len, int ms)
{
	bool may_read = !deaf && !over;
	struct pollfd p = {.fd = may_read || len ? fd : -1};
	ssize_t n;

	p.events = (short)((len ? POLLOUT : 0) | (may_read ? POLLIN : 0));
	if (poll(&p, 1, ms) <= 0)
		return -1;
	if (may_read && p.revents & (POLLIN | POLLHUP | POLLERR))
		receive();
	if (!len || !(p.revents & (POLLOUT | POLLERR | POLLHUP)))
		return 0;
	n = send(fd, data, len, MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return -2;
	return n < 0 ? 0 : n;
}

// ---- what goes out ----

static void put(const char *action, const unsigned char *data, size_t len)
{
	long long end = now_ms() + patience;

	while (len) {
		ssize_t n = turn(data, len, 50);

		if (n == -2)
			fail(action, strerror(errno));
		if (n > 0) {
			data += n;
			len -= (size_t)n;
		}
		if (n >= 0)
			end = now_ms() + patience;
		if (now_ms() > end)
			fail(action, "not taken");
	}
}

static void flush(const char *action)
{
	for (size_t at = 0, n; at < pending_len; at += n) {
		n = piece && piece < pending_len - at ? piece : pending_len - at;
		put(action, pending + at, n);
		if (piece)
			sleep_ms(2);
	}
	pending_len = 0;
}

static void add(const char *action, const void *data, size_t n)
{
	if (n > sizeof(pending) - pending_len)
		die("%s: too much at once", action);
	memcpy(pending + pending_len, data, n);
	pending_len += n;
}

static void frame(const char *action, unsigned type, unsigned size, const void *data, size_t n)
{
	unsigned char head[4] = {0, size & 255, (unsigned char)(size >> 8), (unsigned char)type};

	said_hello |= type == 102 && !spoke; // later ones count for nothing
	spoke = true;
	add(action, head, 4);
	add(action, data, n);
	if (!joined)
		flush(action);
}

// two numbers with a character between
static void pair(const char *text, char between, unsigned *a, unsigned *b)
{
	char *end;

	*a = (unsigned)strtoul(text, &end, 10);
	if (*end != between)
		die("%s: not N%cN", text, between);
	*b = (unsigned)strtoul(end + 1, &end, 10);
}

static void put_frame(const char *action, char *text)
{
	unsigned type, size;
	char *payload;

	pair(text, ':', &type, &size);
	payload = strchr(strchr(text, ':') + 1, ':');
	frame(action, type, size, payload ? payload + 1 : "", payload ? unescape(payload + 1) : 0);
}

static void put_data(const char *action, long n)
{
	static unsigned char bytes[65535];

	if (n > (long)sizeof(bytes))
		die("%s: too much", action);
	test_bytes(bytes, 0, (size_t)n, false);
	frame(action, 0, (unsigned)n, bytes, (size_t)n);
}

// does it send something?
static bool says(const char *w, const char *action, char *text)
{
	static const struct {
		const char *name;
		unsigned char type;
	} numbered[] = {{"rows", 100}, {"cols", 101}, {"ping", 105}};
	unsigned rows, cols;

	for (size_t i = 0; i < sizeof(numbered) / sizeof(*numbered); i++)
		if (!strcmp(w, numbered[i].name)) {
			frame(action, numbered[i].type, (unsigned)number(text), "", 0);
			return true;
		}
	if (!strcmp(w, "data")) {
		size_t n = unescape(text);

		frame(action, 0, (unsigned)n, text, n);
	} else if (!strcmp(w, "datan")) {
		put_data(action, number(text));
	} else if (!strcmp(w, "bytes")) {
		add(action, text, unescape(text));
		if (!joined)
			flush(action);
	} else if (!strcmp(w, "go")) {
		frame(action, 0, 0, "", 0);
	} else if (!strcmp(w, "sig")) {
		frame(action, (unsigned)number(text), 0, "", 0);
	} else if (!strcmp(w, "size")) {
		bool was_joined = joined;

		pair(text, 'x', &rows, &cols);
		joined = true;
		frame(action, 100, rows, "", 0);
		joined = was_joined;
		frame(action, 101, cols, "", 0);
	} else if (!strcmp(w, "hello")) {
		frame(action, 102, 1, "", 0);
	} else if (!strcmp(w, "eof")) {
		frame(action, 104, 0, "", 0);
	} else if (!strcmp(w, "watch")) {
		frame(action, 106, 0, "", 0);
	} else if (!strcmp(w, "env")) {
		size_t n = unescape(text);

		frame(action, 200, (unsigned)n, text, n);
	} else if (!strcmp(w, "frame")) {
		put_frame(action, text);
	} else {
		return false;
	}
	return true;
}

// ---- waiting ----

// one more turn of a wait that ends when nothing moves
static void wait_on(const char *action, long long *end)
{
	if (over)
		fail(action, was_reset ? "connection reset" : "end of the stream");
	if (turn(NULL, 0, 50) >= 0)
		*end = now_ms() + patience;
	if (now_ms() > *end)
		fail(action, "does not come");
}

static void expect(const char *action, const char *text, size_t len)
{
	long long end = now_ms() + patience;
	char *at;

	while (!output || !(at = memmem(output + output_at, output_len - output_at, text, len)))
		wait_on(action, &end);
	output_at = (size_t)(at - output) + len;
}

static void event(const char *action, int type, long size, const char *part)
{
	long long end = now_ms() + patience;

	for (;; event_at++) {
		while (event_at == event_count)
			wait_on(action, &end);
		if (events[event_at].type == type && (size < 0 || events[event_at].size == size) &&
			strstr(events[event_at].payload, part))
			break;
	}
	event_at++;
}

static void to_the_end(const char *action, bool reset_will_do)
{
	long long end = now_ms() + patience;

	deaf = false;
	while (!over) {
		if (turn(NULL, 0, 50) >= 0)
			end = now_ms() + patience;
		if (now_ms() > end)
			fail(action, "it does not end");
	}
	if (was_reset && !reset_will_do)
		fail(action, "connection reset");
}

static void spend(long ms)
{
	for (long long end = now_ms() + ms; now_ms() < end;)
		turn(NULL, 0, (int)(end - now_ms()) + 1 < 50 ? (int)(end - now_ms()) + 1 : 50);
}

static void silence(const char *action, long ms)
{
	uint64_t before = received;

	spend(ms);
	if (received != before || over)
		fail(action, over ? "end of the stream" : "something came");
}

static void since(const char *action, const char *text)
{
	unsigned min, max;
	char what[64];
	long long ms = now_ms() - began;

	pair(text, ':', &min, &max);
	snprintf(what, sizeof(what), "after %lld ms", ms);
	if (ms < min || ms > max)
		fail(action, what);
}

static bool waits(const char *w, const char *action, char *text)
{
	unsigned rows, cols;

	if (!strcmp(w, "welcome")) {
		event(action, WELCOME, -1, "ptybox/1");
	} else if (!strcmp(w, "told")) {
		pair(text, 'x', &rows, &cols);
		event(action, ROWS, rows, "");
		event(action, COLS, cols, "");
	} else if (!strcmp(w, "replayed")) {
		event(action, 107, 0, "");
	} else if (!strcmp(w, "exit")) {
		event(action, EXITED, number(text), "");
	} else if (!strcmp(w, "pong")) {
		event(action, PONG, number(text), "");
	} else if (!strcmp(w, "notice")) {
		event(action, NOTICE, -1, text);
	} else if (!strcmp(w, "expect")) {
		expect(action, text, unescape(text));
	} else if (!strcmp(w, "end") || !strcmp(w, "closed")) {
		to_the_end(action, *w == 'c');
	} else if (!strcmp(w, "silence")) {
		silence(action, number(text));
	} else if (!strcmp(w, "since")) {
		since(action, text);
	} else if (!strcmp(w, "pause")) {
		spend(number(text));
	} else {
		return false;
	}
	return true;
}

static void wait_for(const char *action, const char *name)
{
	long long end = now_ms() + patience;

	while (access(name, F_OK) < 0) {
		if (turn(NULL, 0, 20) < 0 && over)
			sleep_ms(10);
		if (now_ms() > end)
			fail(action, "is not there");
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

static void act(const char *action)
{
	const char *text = strchr(action, ':');
	char w[16], *copy = strdup(text ? text + 1 : "");

	snprintf(w, sizeof(w), "%.*s", text ? (int)(text - action) : 15, action);
	if (says(w, action, copy) || waits(w, action, copy))
		;
	else if (!strcmp(w, "join"))
		joined = true;
	else if (!strcmp(w, "flush"))
		joined = false, flush(action);
	else if (!strcmp(w, "each"))
		piece = (size_t)number(copy);
	else if (!strcmp(w, "never") || !strcmp(w, "again"))
		deaf = *w == 'n';
	else if (!strcmp(w, "halfclose"))
		shutdown(fd, SHUT_WR);
	else if (!strcmp(w, "wait"))
		wait_for(action, copy);
	else if (!strcmp(w, "touch"))
		close(open(copy, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	else if (!strcmp(w, "close") || !strcmp(w, "reset"))
		leave(*w == 'c');
	else if (!strcmp(w, "hold"))
		while (!over)
			turn(NULL, 0, 1000);
	else
		die("%s: no such action", action);
	free(copy);
}

int main(int argc, char **argv)
{
	int c;

	peer_name = "framed";
	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IOLBF, 0);
	while ((c = getopt(argc, argv, "+dqt:")) >= 0) {
		switch (c) {
		case 'd':
			decoded = true;
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
		die("usage: framed [-d] [-q] [-t SECS] ADDR [ACTION...]");
	call(argv[optind]);
	for (int i = optind + 1; i < argc; i++)
		act(argv[i]);
	to_the_end("the end", false);
	log_output();
	return 0;
}
