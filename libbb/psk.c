/* psk.c: the shared key in its file, and the kernel's random numbers.
 *
 * The file holds 32 bytes in base64, in the one spelling they have: 44 characters and perhaps a newline.
 * It is opened once and judged by its descriptor, so what was checked is what is read.  A symbolic
 * link is followed: many systems hand out secrets as links, and what counts is whose file is behind it.
 *
 * Random numbers come from getrandom(2), which has none before the kernel gathered some: on a small
 * board that may be a minute after boot.  Since Linux 5.4 only a caller that blocks makes the kernel
 * gather by itself, so a child blocks while we go on.  Before 3.17 there is no such call, and a filter
 * may refuse it: there /dev/random gives a byte only when seeded, and after one /dev/urandom is as good.
 * That one is opened at the start and kept: later there may be no descriptor left, nor a /dev.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "libbb.h"

enum { CHARS = 44 };

/* ---- base64, without tables and branches: what a cache remembers is nobody's to read ---- */

/* c - from + value + 1 when from <= c <= to, else 0. */
static int digits(int c, int from, int to, int value)
{
	return ((from - 1 - c) & (c - to - 1)) >> 8 & (c - from + value + 1);
}

/* 0-63, or -1. */
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

/* 43 digits and a '=': the last digit's two lowest bits are nobody's and must be 0. */
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

void key_read(unsigned char key[NOISE_KEY], const char *path)
{
	int fd = open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC); /* it may be a FIFO */
	char text[CHARS + 2]; /* a newline, and one more than there may be */
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

/* Nobody else is there to be served meanwhile. */
static void random_surely(void *buf, size_t n)
{
	struct pollfd p = {.events = POLLIN};

	while (key_random(buf, n)) {
		if (errno == EAGAIN)
			warn("waiting for the kernel's first random numbers");
		p.fd = errno == EAGAIN ? key_random_wait() : -1;
		if (p.fd < 0)
			die(1, "no random numbers: ", msg_errno());
		poll(&p, 1, -1);
		close(p.fd);
	}
}

void key_make(const char *path)
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

/* ---- random numbers ---- */

/* One of the kernel's own two, whatever somebody may have put there. */
static int device(const char *path, unsigned number)
{
	int fd = open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return -1;
	if (!fstat(fd, &st) && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, number))
		return fd;
	close(fd);
	errno = ENODEV;
	return -1;
}

static int random_fd = -1, urandom_fd = -1; /* kept: at the limit none could be opened */
static char seeded;

/* Opens what is not open yet; -1 and errno. */
static int devices_open(void)
{
	if (urandom_fd < 0)
		urandom_fd = device("/dev/urandom", 9);
	if (!seeded && random_fd < 0)
		random_fd = device("/dev/random", 8);
	return urandom_fd < 0 || (!seeded && random_fd < 0) ? -1 : 0;
}

/* All n bytes, or -1 and errno. */
static int device_read(int fd, void *buf, size_t n)
{
	ssize_t got = read(fd, buf, n);

	if (got == (ssize_t)n)
		return 0;
	if (got >= 0)
		errno = EIO;
	else if (errno == EINTR)
		errno = EAGAIN;
	return -1;
}

static int random_devices(void *buf, size_t n)
{
	char byte;

	if (devices_open() || (!seeded && device_read(random_fd, &byte, 1)))
		return -1;
	if (!seeded)
		close(random_fd);
	seeded = 1;
	return device_read(urandom_fd, buf, n);
}

/* The call is not there (before Linux 3.17), or a filter refuses it (seccomp(2)). */
static int no_getrandom(ssize_t got)
{
	return got < 0 && errno != EAGAIN && errno != EINTR;
}

int key_random(void *buf, size_t n)
{
	ssize_t got = getrandom(buf, n, GRND_NONBLOCK);

	if (got == (ssize_t)n)
		return 0;
	if (no_getrandom(got))
		return random_devices(buf, n);
	errno = EAGAIN;
	return -1;
}

void key_random_start(void)
{
	char byte;

	if (key_random(&byte, 1) && errno != EAGAIN)
		die(1, "no random numbers: neither getrandom(2) nor /dev/urandom: ", msg_errno());
}

/* It holds one end of a pipe and nothing else, and goes when we do. */
static _Noreturn void gather(int report)
{
	char byte;

	dup2(report, 0);
	io_close_from(1);
	sig_default();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getrandom(&byte, 1, 0) < 0)
		_exit(1);
	_exit(0);
}

int key_random_wait(void)
{
	char byte;
	int report[2];
	pid_t pid;

	if (no_getrandom(getrandom(&byte, 1, GRND_NONBLOCK)))
		return device("/dev/random", 8);
	if (io_pipe(report))
		return -1;
	pid = _Fork();
	if (!pid)
		gather(report[1]);
	close(report[1]);
	if (pid > 0)
		return report[0];
	close(report[0]);
	return -1;
}
