/* jail.c: namespaces, hostname and user of the command.
 *
 * Everything here happens in processes of the command, between fork and exec.  The server and its sockets stay in their
 * namespaces.  Only children of the caller enter a new process namespace, so this is a flag of the clone(2) that makes the
 * command's process; a further process in it stays as its init (init.c).  Existing namespaces are joined by join.c.
 *
 *	join (-t) -> clone (pid, user) -> root -> unshare (-N) -> hostname -> groups, group, user (users.c)
 *
 * With -t the ids of -u are ids of the joined user namespace, but names are looked up in the server's /etc/passwd.
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
#include "server.h"

enum { AT_CLONE = CLONE_NEWPID | CLONE_NEWUSER }; /* made by clone(2), the others by unshare(2) */
enum { JOIN_SESSION_KEYRING = 1 };                /* keyctl(2) */

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
		unsigned flag = join_flag(s, len);

		if (!flag)
			die(1, "-N ", o->value,
				": not a list of uts, ipc, net, mnt, pid, cgroup, user");
		unshared |= flag;
		if (unshared & CLONE_NEWPID)
			unshared |= CLONE_NEWNS; /* to mount a /proc of its own */
		s += len;
		if (!*s)
			return;
	}
}

/* Writes before, n and after; or before alone when after is 0.  0, or -1 and errno. */
static int write_file(const char *path, const char *before, unsigned long n, const char *after)
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

/* Maps the server's user to root of the new user namespace, and becomes that (user_namespaces(7)). */
static const char *map_user(void)
{
	/* else these files belong to root (proc(5)); secrets are wiped by now */
	prctl(PR_SET_DUMPABLE, 1);
	write_file("/proc/self/setgroups", "deny", 0, 0); /* Linux 3.19 */
	if (write_file("/proc/self/uid_map", "0 ", outer_uid, " 1") ||
		write_file("/proc/self/gid_map", "0 ", outer_gid, " 1"))
		return "-N user";
	return users_setids(0, 0) ? "-N user" : 0;
}

static const char *unshare_spaces(void)
{
	if (unshared & ~AT_CLONE && unshare(unshared & ~AT_CLONE))
		return "-N: unshare";
	if (!(unshared & CLONE_NEWNS))
		return 0;
	/* else mounts made inside propagate outside */
	if (mount(0, "/", 0, MS_REC | MS_PRIVATE, 0))
		return errno == EINVAL ? "-N mnt: / is not a mount point" : "-N mnt";
	/* else ps shows the outer processes; no /proc directory, or a kernel without it, is no failure */
	if (unshared & CLONE_NEWPID &&
		mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, 0) &&
		errno != ENOENT && errno != ENODEV)
		return "-N pid: /proc";
	return 0;
}

/* ---- options ---- */

int jail_option(const struct opt *o, int letter)
{
	switch (letter) {
	case 'u':
		users_lookup(o->value);
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
	/* a process that joined from outside would have no rights in the new user namespace */
	if (join_pid && unshared & CLONE_NEWUSER)
		die(1, "-N user: not with -t");
}

void jail_hold(void)
{
	if (join_pid)
		join_hold(join_pid);
}

int jail_joins(void)
{
	return CFG_JAIL && join_pid;
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

/* ---- entering, in the command's processes ---- */

/* A command of another user could read the caller's keys, because the session keyring is inherited and whoever has it
 * may (keyrings(7)).  The new one is made while the process is still the caller's, whose quota no other user can
 * fill.  Kernels without keys, and filters that forbid them (docker's), leave nothing to read. */
static const char *leave_keyring(void)
{
	if (syscall(SYS_keyctl, JOIN_SESSION_KEYRING, 0) < 0 && errno != ENOSYS && errno != EPERM)
		return "session keyring";
	return 0;
}

const char *jail_join(void)
{
	uid_t uid = 0;
	gid_t gid = 0;
	const char *bad = leave_keyring();

	users_target(&uid, &gid);
	return bad ? bad : join_enter(uid, gid);
}

static const char *set_hostname(void)
{
	if (join_pid && !(unshared & CLONE_NEWUTS) && join_shares_uts()) {
		errno = EPERM;
		return "-H: its UTS namespace is ours (-N uts)";
	}
	return sethostname(hostname, strlen(hostname)) ? "-H" : 0;
}

const char *jail_enter(void)
{
	uid_t uid;
	gid_t gid;
	const char *bad = !join_pid && users_target(&uid, &gid) ? leave_keyring() : 0;

	if (!bad && unshared & CLONE_NEWUSER)
		bad = map_user();
	if (!bad)
		bad = unshare_spaces();
	if (!bad && hostname)
		bad = set_hostname();
	if (!bad)
		bad = users_switch();
	if (join_pid)
		prctl(PR_SET_DUMPABLE, 0); /* the ids have changed again: see join.c */
	return bad;
}
