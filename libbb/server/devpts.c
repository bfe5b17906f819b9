/* devpts.c: a pseudoterminal of the devpts that is mounted at /dev/pts in this mount namespace.
 *
 *	/dev/pts, a devpts? -> its ptmx, or /dev/ptmx -> master -> slave side, of the same devpts?
 *
 * For a command in a container, whose owner controls these paths.  /dev/pts is used when the kernel says that it is a
 * devpts.  Its ptmx is opened without crossing a mount, so that no other device is opened in its place.  The slave side
 * must be of the same devpts, so that it has a name there, which tty(1) and tmux need.  No call here can block but the
 * look-up of /dev/pts, in a file system of the container's: the caller must be a process that can be killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>
#include "server.h"

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

enum { DEVPTS_MAGIC = 0x1cd1, FLAGS = O_RDWR | O_NOCTTY | O_CLOEXEC };

static int is_ptmx(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && S_ISCHR(st.st_mode) && st.st_rdev == makedev(5, 2);
}

static int same_device(int a, int b)
{
	struct stat x, y;

	return !fstat(a, &x) && !fstat(b, &y) && x.st_dev == y.st_dev;
}

/* Opens the master if that is what has this name; else -1.  The file is checked before it is opened, because opening another
 * device can have effects. */
static int open_checked(int dir, const char *name)
{
	int path = syscall(SYS_openat, dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC), fd = -1;

	if (path >= 0 && is_ptmx(path))
		fd = syscall(SYS_openat, dir, name, FLAGS | O_NONBLOCK | O_NOFOLLOW);
	close(path);
	return fd;
}

/* openat2(2) came with Linux 5.6; without it the container can mount something between the check and the open. */
static int open_master(int pts)
{
#ifdef SYS_openat2
	static const unsigned long long how[3] = {
		FLAGS | O_NONBLOCK | O_NOFOLLOW, 0, 1 /* RESOLVE_NO_XDEV */};
	int fd = syscall(SYS_openat2, pts, "ptmx", how, sizeof how);

	if (fd >= 0 || (errno != ENOSYS && errno != EPERM && errno != EACCES && errno != ENOENT))
		return fd;
	if (errno == ENOSYS || errno == EPERM)
		fd = open_checked(pts, "ptmx");
#else
	int fd = open_checked(pts, "ptmx");
#endif
	/* pts/ptmx may have mode 000, and be missing before Linux 4.7; /dev/ptmx is the same master then */
	return fd >= 0 ? fd : open_checked(AT_FDCWD, "/dev/ptmx");
}

int devpts_slave(int master, int dir)
{
	int unlock = 0, fd;
	unsigned n;
	char name[24];
	struct text t = {name, name + sizeof name - 1};

	if (ioctl(master, TIOCSPTLCK, &unlock))
		return -1;
	fd = ioctl(master, TIOCGPTPEER, FLAGS); /* Linux 4.13; needs no /dev/pts */
	if (fd >= 0 || ioctl(master, TIOCGPTN, &n))
		return fd;
	text_str(&t, dir == AT_FDCWD ? "/dev/pts/" : "");
	text_num(&t, n);
	*t.at = '\0';
	return syscall(SYS_openat, dir, name, FLAGS);
}

static int open_pair(int pts, int fd[2])
{
	fd[0] = open_master(pts);
	if (fd[0] < 0)
		return -1;
	fd[1] = is_ptmx(fd[0]) ? devpts_slave(fd[0], pts) : -1;
	if (fd[1] >= 0 && same_device(fd[1], pts))
		return 0;
	close(fd[1]);
	close(fd[0]);
	return -1;
}

int devpts_open(int fd[2])
{
	int pts = open("/dev/pts", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), bad;
	struct statfs fs;

	bad = pts < 0 || fstatfs(pts, &fs) || fs.f_type != DEVPTS_MAGIC || open_pair(pts, fd);
	close(pts);
	return bad ? -1 : 0;
}
