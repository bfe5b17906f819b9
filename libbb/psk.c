/* psk.c: the shared key in its file.
 *
 * The file holds 32 bytes in canonical base64 (RFC 4648): 44 characters, and maybe a newline.  It is opened once, and
 * owner and mode are checked on the descriptor, so the file that was checked is the one that is read.  A symbolic
 * link is followed: many systems provide secrets as links, and the check is on the file behind it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "libbb.h"

enum { CHARS = 44 };

/* ---- base64 in constant time: without tables or branches, whose cache traces depend on the key ---- */

/* c - from + value + 1 when from <= c <= to, else 0. */
static int digits(int c, int from, int to, int value)
{
	return ((from - 1 - c) & (c - to - 1)) >> 8 & (c - from + value + 1);
}

/* The value of a base64 digit, 0-63, or -1. */
static int digit_value(int c)
{
	return digits(c, 'A', 'Z', 0) + digits(c, 'a', 'z', 26) + digits(c, '0', '9', 52) +
	       digits(c, '+', '+', 62) + digits(c, '/', '/', 63) - 1;
}

static int digit_char(int v)
{
	return 'A' + v + ((25 - v) >> 8 & ('a' - 'Z' - 1)) - ((51 - v) >> 8 & ('z' + 1 - '0')) -
	       ((61 - v) >> 8 & ('9' + 1 - '+')) + ((62 - v) >> 8 & ('/' - '+' - 1));
}

/* 43 digits and a '=': 0, or -1.  The two lowest bits of the last digit are unused, and must be 0. */
static int decode(unsigned char key[NOISE_KEY], const char text[CHARS])
{
	unsigned bits = 0;
	int bad = 0, have = 0;

	for (int i = 0; i < CHARS - 1; i++) {
		int v = digit_value((unsigned char)text[i]);

		bad |= v;
		bits = bits << 6 | (v & 63);
		have += 6;
		if (have >= 8) {
			have -= 8;
			*key++ = bits >> have & 255;
		}
	}
	return bad < 0 || bits & 3 || text[CHARS - 1] != '=' ? -1 : 0;
}

static void encode(char text[CHARS + 1], const unsigned char key[NOISE_KEY])
{
	unsigned bits = 0;
	int have = 0;

	for (int i = 0; i < CHARS - 1; i++) {
		if (have < 6) {
			bits = bits << 8 | (i < CHARS - 2 ? *key++ : 0);
			have += 8;
		}
		have -= 6;
		*text++ = digit_char(bits >> have & 63);
	}
	memcpy(text, "=\n", 2);
}

/* ---- the file ---- */

/* Why this file must not hold a key, or 0. */
static const char *fault(const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		return "not a regular file";
	if (st->st_uid && st->st_uid != geteuid())
		return "a key must belong to root or to who uses it";
	if (st->st_mode & 077)
		return "a key must be its owner's alone (chmod 600)";
	return 0;
}

static size_t read_all(int fd, char *buf, size_t size)
{
	size_t have = 0;
	ssize_t n;

	while (have < size && (n = io_read(fd, buf + have, size - have)) >= 0)
		have += n;
	return have;
}

void psk_read(unsigned char key[NOISE_KEY], const char *path)
{
	int fd = open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC); /* maybe a FIFO */
	char text[CHARS + 2]; /* a newline, and one byte more than a key has */
	struct stat st;
	const char *why;
	size_t n;
	int bad;

	if (fd < 0 || fstat(fd, &st))
		die(1, path, ": ", msg_errno());
	why = fault(&st);
	if (why)
		die(1, path, ": ", why);
	n = read_all(fd, text, sizeof text);
	close(fd);
	bad = !(n == CHARS || (n == CHARS + 1 && text[CHARS] == '\n')) || decode(key, text);
	explicit_bzero(text, sizeof text);
	if (bad)
		die(1, path, ": not a key: 44 base64 characters, as ptybox --keygen makes them");
}

/* Blocks until there are random numbers (--keygen). */
static void random_surely(void *buf, size_t n)
{
	struct pollfd p = {.events = POLLIN};

	while (random_bytes(buf, n)) {
		if (errno == EAGAIN)
			warn("waiting for the kernel's first random numbers");
		p.fd = errno == EAGAIN ? random_wait() : -1;
		if (p.fd < 0)
			die(1, "no random numbers: ", msg_errno());
		poll(&p, 1, -1);
		close(p.fd);
	}
}

void psk_create(const char *path)
{
	unsigned char key[NOISE_KEY];
	char text[CHARS + 1];
	const char *name;
	int fd, bad;

	random_surely(key, sizeof key);
	encode(text, key);
	name = io_enter(path, 0);
	fd = name ? open(name, O_WRONLY | O_CREAT | O_EXCL | O_NOCTTY | O_CLOEXEC, 0600) : -1;
	if (fd < 0)
		die(1, path, ": ", msg_errno());
	bad = io_write_all(fd, text, sizeof text) || fsync(fd);
	explicit_bzero(key, sizeof key);
	explicit_bzero(text, sizeof text);
	if (bad) {
		const char *why = msg_errno();

		unlink(name);
		die(1, path, ": ", why);
	}
}
