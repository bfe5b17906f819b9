// gen: writes N test bytes as fast as it can, or checks that N test bytes come in.
//
//   gen [-ar] [-c CHUNK] [-p PAUSE_MS] N     writes them, CHUNK at a time
//   gen -v [-a] [-s SKIP] N                  reads standard input to its end: exactly those, after
//                                            SKIP others?
//   gen -e [-a] [-t FILE] N                  like gen -r N, but first those N bytes must come in
//
// -a: all 256 values instead of text. -r: the terminal is put in raw mode first; with -e it then
// says READY, and creates FILE. Byte number i depends on i alone: a lost, doubled or swapped byte is
// seen, and where.

#include "common.h"
#include <termios.h>

static bool all;
static uint64_t skip;

static void check(uint64_t n)
{
	static unsigned char got[65536], want[65536];
	uint64_t at = 0;
	ssize_t k;

	for (char c; skip && read(0, &c, 1) == 1; skip--) {
	}
	while ((k = read(0, got, sizeof(got))) > 0) {
		test_bytes(want, at, (size_t)k, all);
		for (ssize_t i = 0; i < k; i++)
			if (got[i] != want[i])
				die("byte %llu is %d, not %d", (unsigned long long)at + (unsigned)i,
					got[i], want[i]);
		at += (uint64_t)k;
	}
	if (k < 0)
		die("%s", strerror(errno));
	if (at != n)
		die("%llu bytes, not %llu", (unsigned long long)at, (unsigned long long)n);
}

// a terminal has no end of input, so this stops at N
static void take(uint64_t n)
{
	static unsigned char got[65536], want[65536];

	for (uint64_t at = 0; at < n;) {
		size_t room = n - at < sizeof(got) ? (size_t)(n - at) : sizeof(got);
		ssize_t k = read(0, got, room);

		if (k <= 0)
			die("input ends at byte %llu", (unsigned long long)at);
		test_bytes(want, at, (size_t)k, all);
		if (memcmp(got, want, (size_t)k))
			die("input differs after byte %llu", (unsigned long long)at);
		at += (uint64_t)k;
	}
}

int main(int argc, char **argv)
{
	static unsigned char buf[1 << 20];
	bool verify = false, echo = false, raw = false;
	size_t chunk = 65536;
	const char *ready = NULL;
	long pause = 0;
	uint64_t n;
	int c;

	peer_name = "gen";
	while ((c = getopt(argc, argv, "arvec:p:s:t:")) >= 0) {
		switch (c) {
		case 'a':
			all = true;
			break;
		case 'r':
			raw = true;
			break;
		case 'v':
			verify = true;
			break;
		case 'e':
			echo = raw = true;
			break;
		case 'c':
			chunk = (size_t)number(optarg);
			break;
		case 's':
			skip = (uint64_t)number(optarg);
			break;
		case 't':
			ready = optarg;
			break;
		case 'p':
			pause = number(optarg);
			break;
		default:
			return 2;
		}
	}
	if (optind != argc - 1 || !chunk || chunk > sizeof(buf))
		die("usage: gen [-arve] [-c CHUNK] [-p MS] [-s SKIP] [-t FILE] N");
	n = (uint64_t)number(argv[optind]);
	if (verify) {
		check(n);
		return 0;
	}
	if (raw) {
		struct termios t;

		if (tcgetattr(1, &t) == 0) {
			cfmakeraw(&t);
			tcsetattr(1, TCSANOW, &t);
		}
	}
	if (echo) {
		write_all(1, "READY", 5);
		if (ready)
			close(open(ready, O_WRONLY | O_CREAT, 0600));
		take(n);
	}
	for (uint64_t at = 0; at < n; at += chunk) {
		size_t k = n - at < chunk ? (size_t)(n - at) : chunk;

		test_bytes(buf, at, k, all);
		if (!write_all(1, buf, k))
			die("%s", strerror(errno));
		if (pause)
			sleep_ms(pause);
	}
	return 0;
}
