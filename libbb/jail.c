/* jail.c: where the command runs, and as whom.
 *
 * All of it happens in the command's process between fork and exec; the server, and with it the
 * sockets, stays in the outer world.  Only a process namespace is different, because it takes in
 * children, not the caller: a new one comes with clone(2), and with it a process that stays as its init
 * (init.c); to join one the server itself steps in for the moment of the fork.
 *
 *	clone (pid, user) -> join (-t) -> unshare (-N) -> hostname -> groups, group, user (users.c)
 *
 * config JAIL y users, namespaces and hostname of the command (-u, -N, -t, -H)
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "libbb.h"

#ifndef CLONE_NEWCGROUP
#define CLONE_NEWCGROUP 0x02000000
#endif

enum { AT_CLONE = CLONE_NEWPID | CLONE_NEWUSER };

static const struct {
	const char *name;
	unsigned flag;
} spaces[] = {
	{"user", CLONE_NEWUSER},
	{"pid", CLONE_NEWPID},
	{"net", CLONE_NEWNET},
	{"ipc", CLONE_NEWIPC},
	{"uts", CLONE_NEWUTS},
	{"cgroup", CLONE_NEWCGROUP},
	{"mnt", CLONE_NEWNS},
};

enum { SPACES = sizeof spaces / sizeof *spaces };

static unsigned unshared;
static unsigned long join_pid;
static const char *hostname;
static uid_t outer_uid;
static gid_t outer_gid;

/* ---- namespaces ---- */

static void set_spaces(const struct opt *o)
{
	const char *s = o->value;

	for (;; s++) {
		size_t len = strchrnul(s, ',') - s;
		int i = 0;

		while (i < SPACES &&
			(strlen(spaces[i].name) != len || strncmp(spaces[i].name, s, len)))
			i++;
		if (i == SPACES)
			die(1, "-N ", o->value,
				": not a list of uts, ipc, net, mnt, pid, cgroup, user");
		unshared |= spaces[i].flag;
		if (unshared & CLONE_NEWPID)
			unshared |= CLONE_NEWNS; /* for its /proc */
		s += len;
		if (!*s)
			return;
	}
}

static int open_proc(unsigned long pid, const char *what, const char *which, int flags)
{
	char path[64];
	struct text t = {path, path + sizeof path - 1};

	text_str(&t, "/proc/");
	if (pid)
		text_num(&t, pid);
	else
		text_str(&t, "self");
	text_str(&t, what);
	text_str(&t, which);
	*t.at = '\0';
	return open(path, flags | O_CLOEXEC);
}

/* The namespace of a process, or -1; *ours when it is our own, which cannot be joined again. */
static int open_space(int i, int *ours)
{
	int fd = open_proc(join_pid, "/ns/", spaces[i].name, O_RDONLY);
	int own = open_proc(0, "/ns/", spaces[i].name, O_RDONLY);
	struct stat a, b;

	*ours = fd >= 0 && own >= 0 && !fstat(fd, &a) && !fstat(own, &b) && a.st_ino == b.st_ino;
	close(own);
	return fd;
}

static const char *join(void)
{
	int space[SPACES], ours[SPACES];
	int root = open_proc(join_pid, "/root", "", O_PATH | O_DIRECTORY);
	int cwd = open_proc(join_pid, "/cwd", "", O_PATH | O_DIRECTORY);

	if (root < 0 || cwd < 0)
		return "-t: that process";
	for (int i = 0; i < SPACES; i++)
		space[i] = open_space(i, &ours[i]);
	for (int i = 0; i < SPACES; i++)
		if (space[i] >= 0 && !ours[i] && spaces[i].flag != CLONE_NEWPID &&
			setns(space[i], 0))
			return "-t: setns";
	if (fchdir(root) || chroot(".") || fchdir(cwd))
		return "-t: root";
	return 0;
}

static int put(const char *path, const char *before, unsigned long n, const char *after)
{
	char line[64];
	struct text t = {line, line + sizeof line};
	int fd = open(path, O_WRONLY | O_CLOEXEC), bad;

	if (fd < 0)
		return -1;
	text_str(&t, before);
	if (after)
		text_num(&t, n);
	text_str(&t, after ? after : "");
	bad = io_write_all(fd, line, t.at - line);
	close(fd);
	return bad;
}

/* The caller becomes root inside: user_namespaces(7). */
static const char *map_user(void)
{
	prctl(PR_SET_DUMPABLE, 1); /* or these files are root's; secrets are wiped by now */
	put("/proc/self/setgroups", "deny", 0, 0); /* Linux 3.19 */
	if (put("/proc/self/uid_map", "0 ", outer_uid, " 1") ||
		put("/proc/self/gid_map", "0 ", outer_gid, " 1"))
		return "-N user";
	return users_ids(0, 0) ? "-N user" : 0;
}

static const char *unshare_spaces(void)
{
	if (unshared & ~AT_CLONE && unshare(unshared & ~AT_CLONE))
		return "-N: unshare";
	if (!(unshared & CLONE_NEWNS))
		return 0;
	if (mount(0, "/", 0, MS_REC | MS_PRIVATE, 0))
		return "-N mnt";
	/* or ps would show the outer world; without a directory or a kernel for it there is no /proc */
	if (unshared & CLONE_NEWPID &&
		mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, 0) &&
		errno != ENOENT && errno != ENODEV)
		return "-N pid: /proc";
	return 0;
}

/* ---- the whole ---- */

int jail_option(const struct opt *o, int letter)
{
	switch (letter) {
	case 'u':
		users_set(o->value);
		break;
	case 'N':
		set_spaces(o);
		break;
	case 't':
		join_pid = opt_num(o, 1, 0x7fffffff);
		break;
	case 'H':
		hostname = o->value;
		break;
	default:
		return 0;
	}
	return 1;
}

void jail_check(void)
{
	if (hostname && !join_pid && !(unshared & CLONE_NEWUTS))
		die(1, "-H ", hostname, ": needs -N uts or -t");
}

int jail_joins(void)
{
	return join_pid != 0;
}

int jail_needs_init(void)
{
	return !!(unshared & CLONE_NEWPID);
}

unsigned jail_clone(void)
{
	outer_uid = geteuid();
	outer_gid = getegid();
	return unshared & AT_CLONE;
}

int jail_step_in(int *back)
{
	enum { PID = 1 };
	int ours, space;

	*back = -1;
	if (!join_pid)
		return 0;
	space = open_space(PID, &ours);
	if (space >= 0 && !ours) {
		*back = open_proc(0, "/ns/", spaces[PID].name, O_RDONLY);
		if (setns(space, CLONE_NEWPID)) {
			ours = errno;
			close(space);
			close(*back);
			errno = ours;
			return -1;
		}
	}
	close(space);
	return 0;
}

void jail_step_out(int back)
{
	if (back < 0)
		return;
	setns(back, CLONE_NEWPID);
	close(back);
}

const char *jail_enter(void)
{
	const char *bad = 0;

	if (unshared & CLONE_NEWUSER)
		bad = map_user();
	if (!bad && join_pid)
		bad = join();
	if (!bad)
		bad = unshare_spaces();
	if (!bad && hostname && sethostname(hostname, strlen(hostname)))
		bad = "-H";
	return bad ? bad : users_become();
}
