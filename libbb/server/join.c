/* join.c: into the namespaces of a running process (-t).
 *
 *	server, holds /proc/PID -> fork: helper -> setns, ids -> clone: command's process -> root, terminal, exec
 *
 * The server holds the process by a descriptor of its directory in /proc.  A file opened through that belongs to this
 * process or does not exist, even when another process has been given its number.  nsenter -t and lxc-attach open by
 * number each time.
 *
 * A process that has joined a user namespace cannot return, and only the children of a process that has joined a process
 * namespace are in it.  So a forked helper joins all of them, and clones the command's process as its own sibling, a child
 * of the server (CLONE_PARENT, clone(2); so does runc, while nsenter stays as the parent).  The server itself never leaves
 * its namespaces.
 *
 * The helper first closes all descriptors but the report and the process's directory, so it has enough of them however
 * many the server uses; then it opens everything; then it joins everything.  Any failure ends the attempt and is reported
 * by name; lxc-attach and nsenter -a leave out what cannot be opened.  A namespace that is the server's own is not joined
 * again, and a kind that the kernel lacks (the server has no such file either) is no failure.
 *
 * In a user namespace the helper becomes user and group 0 before it looks at any file of the container, as nsenter does,
 * and runc for its configured user: from then on it has the container's rights.  Supplementary groups are dropped before
 * and after that.  A rootless container denies setgroups(2), and a caller without privileges may not drop its own groups;
 * these then stay, as with nsenter.
 *
 * From the fork to exec the process is not dumpable, so that no process in the container can trace it or open its
 * /proc/PID/fd and /proc/PID/mem (ptrace(2)); runc protects only its init.  No descriptor of the host is open
 * (CVE-2016-8649).
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "server.h"

enum { USER, MNT, UTS, PID, NET, IPC, CGROUP, TIME, KINDS };
enum { FILE_AT = 4 }; /* where the file's name begins in "-t: ns/user" */

static const struct {
	char what[15]; /* "-t: " and the name of the file in /proc/PID */
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
} own[KINDS];
static int space[KINDS]; /* descriptors of the namespaces to join; -1: the server's own */

unsigned join_flag(const char *name, size_t len)
{
	enum { NAME_AT = FILE_AT + 3 };

	for (int i = 0; i < TIME;
		i++) /* a time namespace is entered by the next child, not by its maker */
		if (strlen(kinds[i].what + NAME_AT) == len &&
			!memcmp(kinds[i].what + NAME_AT, name, len))
			return kinds[i].flag;
	return 0;
}

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
		if (!fstatat(self, kinds[i].what + FILE_AT, &st, 0)) {
			own[i].dev = st.st_dev;
			own[i].ino = st.st_ino;
		} else if (errno != ENOENT) {
			die(1, kinds[i].what, ": ", msg_errno());
		} else if (i == MNT) { /* older kernels have them, but cannot join one */
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

/* Opens the file of the process that these words name.  When it does not exist, the process has ended. */
static int open_file(const char *what, int flags)
{
	int fd = syscall(SYS_openat, process, what + FILE_AT, flags | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		errno = ESRCH;
	return fd;
}

static int open_space(int i)
{
	struct stat st;
	int fd = open_file(kinds[i].what, O_RDONLY);

	if (fd < 0 || fstat(fd, &st))
		return -1;
	if (st.st_dev != own[i].dev || st.st_ino != own[i].ino)
		return space[i] = fd;
	close(fd);
	return 0;
}

/* Returns whether the process has entered a user namespace since its own was opened; or -1 and errno. */
static int has_changed_user(void)
{
	struct stat now, then = {.st_dev = own[USER].dev, .st_ino = own[USER].ino};

	if (!then.st_ino)
		return 0;
	if ((space[USER] >= 0 && fstat(space[USER], &then)) ||
		fstatat(process, kinds[USER].what + FILE_AT, &now, 0))
		return -1;
	errno = EAGAIN;
	return now.st_dev != then.st_dev || now.st_ino != then.st_ino;
}

/* The root is opened last: a process that has ended has none, so all the others belonged to the living process.  If
 * the process entered a user namespace in between, its owner's mounts would be joined with the server's rights
 * outside of that namespace.  No way leads back from a user namespace: when the process still has the first one
 * at the end, all was opened there. */
static const char *open_all(void)
{
	const char *bad = 0;

	for (int i = 0; i < KINDS && !bad; i++) {
		space[i] = -1;
		if (own[i].ino && open_space(i) < 0)
			bad = kinds[i].what;
	}
	if (!bad && (cwd = open_file(cwd_what, O_PATH | O_DIRECTORY)) < 0)
		bad = cwd_what;
	if (!bad && (root = open_file(root_what, O_PATH | O_DIRECTORY)) < 0)
		bad = root_what;
	if (!bad && has_changed_user())
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

/* Namespaces that the caller has the rights to join are joined before the user namespace, whose rights may not suffice
 * for them.  The others are joined after it: in the user namespace the caller gets all rights. */
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
	return syscall(SYS_fcntl, 1, F_DUPFD_CLOEXEC, 3); /* libc's fcntl() costs 400 bytes */
}

const char *join_enter(uid_t uid, gid_t gid)
{
	const char *bad;

	prctl(PR_SET_DUMPABLE, 0);
	bad = open_all();
	dup2(1, 0); /* replaces the descriptor of the host's /proc */
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
	prctl(PR_SET_DUMPABLE, 0); /* a change of ids resets it to fs.suid_dumpable (proc(5)) */
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
