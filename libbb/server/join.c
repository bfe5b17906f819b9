/* join.c: into the namespaces of a running process (-t).
 *
 *	server (holds /proc/PID) -> fork: helper -> setns, ids -> clone: command's process -> root, terminal, exec
 *
 * The process is held by a descriptor of its directory in /proc.  What is opened through that is this process's or
 * nothing, whoever has its number by then: nsenter -t and lxc-attach open by number each time.
 *
 * No way leads back from a user namespace, and a process namespace takes in children only.  So a helper is
 * forked, joins all of them, and clones the command's process as its own sibling, a child of the server
 * (CLONE_PARENT, clone(2); runc does the same, nsenter stays as the parent).  The server itself never leaves its
 * namespaces.
 *
 * The helper begins by closing all but the report and the process, so it has descriptors enough however many the
 * server has used up; then everything is opened; then everything is joined.  Whatever fails names itself and
 * ends the attempt, where lxc-attach and nsenter -a leave out what cannot be opened.  A namespace that is
 * the server's own is not joined again; a kind that the kernel lacks (no such file for ourselves) is no failure.
 *
 * With a user namespace the helper becomes user and group 0 of that one, as nsenter does and runc does for its
 * configured user, before any file of the container is looked at: what is done there is done with the
 * container's rights.  Supplementary groups are dropped before and after: a rootless container denies
 * setgroups(2), and a caller without privileges may not drop his own, which then stay, as with nsenter.
 *
 * From the fork to exec the process is not dumpable: nobody in the container can trace it or look into its
 * /proc/PID (ptrace(2)), where runc only protects its init.  Nothing of the host is open (CVE-2016-8649).
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "server.h"

#ifndef CLONE_NEWCGROUP
#define CLONE_NEWCGROUP 0x02000000
#endif
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

enum { USER, MNT, UTS, PID, NET, IPC, CGROUP, TIME, KINDS, SAY = 4 };

static const struct {
	char what[15]; /* "-t: " and the file in /proc/PID */
	unsigned flag;
} kinds[KINDS] = {
	[USER] = {"-t: ns/user", CLONE_NEWUSER},
	[MNT] = {"-t: ns/mnt", CLONE_NEWNS},
	[UTS] = {"-t: ns/uts", CLONE_NEWUTS},
	[PID] = {"-t: ns/pid", CLONE_NEWPID},
	[NET] = {"-t: ns/net", CLONE_NEWNET},
	[IPC] = {"-t: ns/ipc", CLONE_NEWIPC},
	[CGROUP] = {"-t: ns/cgroup", CLONE_NEWCGROUP},
	[TIME] = {"-t: ns/time", CLONE_NEWTIME},
};

static const char root_what[] = "-t: root", cwd_what[] = "-t: cwd";
static int process = -1, root, cwd;
static struct {
	dev_t dev;
	ino_t ino; /* 0: the kernel has no such namespaces */
} ours[KINDS];
static int space[KINDS]; /* to be joined; -1: is ours */

void join_hold(unsigned long pid)
{
	char path[32];
	struct text t = {path, path + sizeof path - 1};
	struct stat st;
	int self = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);

	text_str(&t, "/proc/");
	text_num(&t, pid);
	*t.at = '\0';
	process = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (process < 0)
		die(1, "-t ", path + 6, ": ",
			errno == ENOENT && self >= 0 ? "no such process" : msg_errno());
	for (int i = 0; i < KINDS; i++) {
		if (!fstatat(self, kinds[i].what + SAY, &st, 0)) {
			ours[i].dev = st.st_dev;
			ours[i].ino = st.st_ino;
		} else if (errno != ENOENT) {
			die(1, kinds[i].what, ": ", msg_errno());
		} else if (i == MNT) { /* older kernels have them, but no way into one */
			die(1, kinds[i].what, ": needs Linux 3.8");
		}
	}
	close(self);
}

int join_shares_uts(void)
{
	return space[UTS] < 0;
}

int join_changed_user(void)
{
	return process >= 0 && space[USER] >= 0;
}

/* A file of the process, by the name that failing is told with.  Not found: the process has ended. */
static int open_its(const char *what, int flags)
{
	int fd = syscall(SYS_openat, process, what + SAY, flags | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		errno = ESRCH;
	return fd;
}

static int open_space(int i)
{
	struct stat st;
	int fd = open_its(kinds[i].what, O_RDONLY);

	if (fd < 0 || fstat(fd, &st))
		return -1;
	if (st.st_dev != ours[i].dev || st.st_ino != ours[i].ino)
		return space[i] = fd;
	close(fd);
	return 0;
}

/* Whether the process has gone into a user namespace since that of it was opened; or -1. */
static int changed_user(void)
{
	struct stat now, then = {.st_dev = ours[USER].dev, .st_ino = ours[USER].ino};

	if (!then.st_ino)
		return 0;
	if ((space[USER] >= 0 && fstat(space[USER], &then)) ||
		fstatat(process, kinds[USER].what + SAY, &now, 0))
		return -1;
	errno = EAGAIN;
	return now.st_dev != then.st_dev || now.st_ino != then.st_ino;
}

/* The root comes last: a process that has ended has none, so all of it was there at one time.  And if it went into
 * a user namespace in between, its owner's mounts would be joined with our rights outside of that: no way
 * leads back from one, so when it has the first one still all was opened there. */
static const char *open_all(void)
{
	const char *bad = 0;

	for (int i = 0; i < KINDS && !bad; i++) {
		space[i] = -1;
		if (ours[i].ino && open_space(i) < 0)
			bad = kinds[i].what;
	}
	if (!bad && (cwd = open_its(cwd_what, O_PATH | O_DIRECTORY)) < 0)
		bad = cwd_what;
	if (!bad && (root = open_its(root_what, O_PATH | O_DIRECTORY)) < 0)
		bad = root_what;
	if (!bad && changed_user())
		bad = kinds[USER].what;
	return bad && errno == ESRCH ? "-t: that process" : bad;
}

static int enter(int i)
{
	if (setns(space[i], kinds[i].flag))
		return -1;
	close(space[i]);
	return 0;
}

/* Before the user namespace what can be joined with the caller's rights: it may belong to the world outside of
 * that.  A caller without rights gets them by the user namespace, so the rest follows. */
static const char *enter_all(void)
{
	char later[KINDS] = {0};

	for (int i = USER + 1; i < KINDS; i++)
		if (space[i] >= 0 && enter(i)) {
			if (errno != EPERM || space[USER] < 0)
				return kinds[i].what;
			later[i] = 1;
		}
	if (space[USER] >= 0 && enter(USER))
		return kinds[USER].what;
	for (int i = USER + 1; i < KINDS; i++)
		if (later[i] && enter(i))
			return kinds[i].what;
	return 0;
}

int join_begin(int report)
{
	dup2(process, 0);
	dup2(report, 1);
	dup2(report, 2);
	process = 0;
	io_close_from(3);
	return syscall(SYS_fcntl, 1, F_DUPFD_CLOEXEC, 3); /* libc's has 400 bytes */
}

const char *join_enter(uid_t uid, gid_t gid)
{
	const char *bad;

	prctl(PR_SET_DUMPABLE, 0);
	bad = open_all();
	dup2(1, 0); /* nothing of our /proc goes in */
	if (!bad && space[USER] >= 0)
		syscall(SETGROUPS, 0, 0);
	if (!bad)
		bad = enter_all();
	if (bad || space[USER] < 0)
		return bad;
	syscall(SETGROUPS, 0, 0);
	if ((syscall(SETGID, 0) && syscall(SETGID, gid)) ||
		(syscall(SETUID, 0) && syscall(SETUID, uid)))
		return "-t: user 0 of the user namespace";
	prctl(PR_SET_DUMPABLE, 0); /* a change of ids may have set what fs.suid_dumpable says */
	return 0;
}

const char *join_root(void)
{
	if (fchdir(root) || chroot("."))
		return root_what;
	if (fchdir(cwd))
		return cwd_what;
	close(root);
	close(cwd);
	return 0;
}
