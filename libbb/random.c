/* random.c: the kernel's random numbers.
 *
 * getrandom(2) returns none before the kernel's generator is seeded: on a small board that may be a minute after
 * boot. Since Linux 5.4 a caller that blocks makes the kernel seed it, so a child blocks while this process goes on.
 *
 * Before Linux 3.17 there is no such call, and a seccomp filter may refuse it.  There /dev/random returns a byte only
 * when the generator is seeded, and after one byte /dev/urandom is as good.  Both are opened at the start and kept
 * open: later there may be no descriptor left, or no /dev.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "libbb.h"

/* Opens a device, if it is the kernel's of this minor number and no other file. */
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

static int random_fd = -1, urandom_fd = -1;
static char seeded;

/* Opens the devices that are needed and not open yet: 0, or -1 and errno. */
static int devices_open(void)
{
	if (urandom_fd < 0)
		urandom_fd = device("/dev/urandom", 9);
	if (!seeded && random_fd < 0)
		random_fd = device("/dev/random", 8);
	return urandom_fd < 0 || (!seeded && random_fd < 0) ? -1 : 0;
}

/* Reads all n bytes: 0, or -1 and errno. */
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

/* Whether getrandom(2) is missing (before Linux 3.17) or refused by a filter (seccomp(2)). */
static int no_getrandom(ssize_t got)
{
	return got < 0 && errno != EAGAIN && errno != EINTR;
}

int random_bytes(void *buf, size_t n)
{
	ssize_t got = getrandom(buf, n, GRND_NONBLOCK);

	if (got == (ssize_t)n)
		return 0;
	if (no_getrandom(got))
		return random_devices(buf, n);
	errno = EAGAIN;
	return -1;
}

void random_start(void)
{
	char byte;

	if (random_bytes(&byte, 1) && errno != EAGAIN)
		die(1, "no random numbers: neither getrandom(2) nor /dev/urandom: ", msg_errno());
}

int random_wait(void)
{
	char byte;
	int fd;

	if (no_getrandom(getrandom(&byte, 1, GRND_NONBLOCK)))
		return device("/dev/random", 8);
	fd = sig_fork_aside();
	if (!fd) /* the end of the child closes the pipe */
		_exit(getrandom(&byte, 1, 0) < 0);
	return fd;
}

int random_try(void *buf, size_t n)
{
	static char asked;
	int fd;

	if (!random_bytes(buf, n))
		return 0;
	if (errno != EAGAIN || asked)
		return -1;
	asked = 1;
	warn("waiting for the kernel's random numbers");
	fd = random_wait(); /* makes the kernel seed it */
	if (fd >= 0)
		close(fd);
	errno = EAGAIN;
	return -1;
}
