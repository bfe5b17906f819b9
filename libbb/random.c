/* random.c: the kernel's random numbers.
 *
 * They come from getrandom(2), which has none before the kernel gathered some: on a small
 * board that may be a minute after boot.  Since Linux 5.4 only a caller that blocks makes the kernel
 * gather by itself, so a child blocks while we go on.  Before 3.17 there is no such call, and a filter
 * may refuse it: there /dev/random gives a byte only when seeded, and after one /dev/urandom is as good.
 * That one is opened at the start and kept: later there may be no descriptor left, nor a /dev.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "libbb.h"

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

int random_wait(void)
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
