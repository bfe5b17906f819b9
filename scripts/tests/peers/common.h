// common.h: what every peer needs: a last word, a clock, C escapes, whole writes, the test bytes.
// Included first by each peer; everything is static inline, so that a peer links with nothing else.

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *peer_name = "peer";
static int peer_failure = 1;

// says NAME: what is wrong, and exits with peer_failure
static inline void __attribute__((format(printf, 1, 2), noreturn)) die(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fprintf(stderr, "%s: ", peer_name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(peer_failure);
}

// milliseconds of the monotonic clock
static inline long long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static inline void sleep_ms(long ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};

	while (nanosleep(&t, &t) < 0 && errno == EINTR) {
	}
}

// a whole number from 0 up, or death
static inline long number(const char *s)
{
	char *end;
	long n = strtol(s, &end, 10);

	if (end == s || *end || n < 0)
		die("%s: not a number", s);
	return n;
}

static inline int hex_digit(char c)
{
	const char *p = c ? strchr("00112233445566778899aAbBcCdDeEfF", c) : NULL;

	return p ? (int)((p - "00112233445566778899aAbBcCdDeEfF") / 2) : -1;
}

// undoes C escapes (\r \n \t \e \\ \xHH \0 to \377) in place; returns the length
static inline size_t unescape(char *s)
{
	char *in = s, *out = s;

	while (*in) {
		if (*in != '\\' || !in[1]) {
			*out++ = *in++;
			continue;
		}
		in++;
		if (*in >= '0' && *in <= '7') {
			int c = 0;

			for (int i = 0; i < 3 && *in >= '0' && *in <= '7'; i++)
				c = c * 8 + *in++ - '0';
			*out++ = (char)c;
		} else if (*in == 'x' && hex_digit(in[1]) >= 0) {
			int c = hex_digit(in[1]);

			in += 2;
			if (hex_digit(*in) >= 0)
				c = c * 16 + hex_digit(*in++);
			*out++ = (char)c;
		} else {
			const char *names = "r\rn\nt\te\033", *p;

			for (p = names; *p && *p != *in; p += 2) {
			}
			*out++ = *p ? p[1] : *in;
			in++;
		}
	}
	return (size_t)(out - s);
}

// writes all of it, waiting if fd is non-blocking; false on an error
static inline bool write_all(int fd, const void *data, size_t n)
{
	const char *p = data;

	while (n) {
		ssize_t k = write(fd, p, n);

		if (k < 0) {
			if (errno == EAGAIN)
				sleep_ms(1);
			else if (errno != EINTR)
				return false;
			continue;
		}
		p += k;
		n -= (size_t)k;
	}
	return true;
}

// the test bytes number at ... at+n-1: printable and without a newline, or of all 256 values
// (the first 256 of which are 0 to 255 in order)
static inline void test_bytes(unsigned char *p, uint64_t at, size_t n, bool all)
{
	static const char text[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < n; i++, at++) {
		uint64_t h = (at >> 3) * 0x9e3779b97f4a7c15;
		unsigned c;

		h = (h ^ h >> 31) * 0xbf58476d1ce4e5b9;
		c = h >> (at & 7) * 8 & 255;
		p[i] = all ? (unsigned char)(at < 256 ? at : c) : (unsigned char)text[c & 63];
	}
}

// shows bytes on standard error, what is not printable as \ooo
static inline void show(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		fprintf(stderr, p[i] < 32 || p[i] > 126 ? "\\%03o" : "%c", (unsigned char)p[i]);
}

// 9 and KILL and SIGKILL are all SIGKILL
static inline int signal_number(const char *s)
{
	static const struct {
		const char *name;
		int n;
	} sigs[] = {
		{"HUP", SIGHUP},
		{"INT", SIGINT},
		{"QUIT", SIGQUIT},
		{"KILL", SIGKILL},
		{"USR1", SIGUSR1},
		{"USR2", SIGUSR2},
		{"SEGV", SIGSEGV},
		{"PIPE", SIGPIPE},
		{"TERM", SIGTERM},
		{"STOP", SIGSTOP},
		{"CONT", SIGCONT},
		{"TSTP", SIGTSTP},
		{"WINCH", SIGWINCH},
		{"ABRT", SIGABRT},
	};

	if (!strncmp(s, "SIG", 3))
		s += 3;
	for (size_t i = 0; i < sizeof(sigs) / sizeof(*sigs); i++)
		if (!strcmp(s, sigs[i].name))
			return sigs[i].n;
	return (int)number(s);
}

// all signals to their default and none blocked: a shell starts `command &` with INT ignored
static inline void default_signals(void)
{
	sigset_t none;

	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}
