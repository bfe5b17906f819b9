/* jail.c: where the command runs, and as whom.
 *
 * All of it happens in processes of the command between fork and exec; the server, and with it the
 * sockets, stays in the outer world.  A new process namespace takes in children, not the caller, so
 * it comes with clone(2).  How to get into one that exists is in join.c.
 *
 *	join (-t) -> clone (pid, user) -> root -> unshare (-N) -> hostname -> groups, group, user
 *
 * With -t the numbers of -u are those of the joined user namespace; names are looked up outside of it.
 *
 * Names of users are looked up at start in /etc/passwd and /etc/group, read here because libc's way
 * costs 22 KB (allocation, stdio, nscd).
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

enum { GROUPS = 64, FIELDS = 4, AT_CLONE = CLONE_NEWPID | CLONE_NEWUSER };

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
static char has_user;
static uid_t uid, outer_uid;
static gid_t gid, outer_gid;
static gid_t groups[GROUPS] LARGE;
static int group_count;
static char user_name[256]; /* as /etc/passwd has it, or empty */

/* ---- users ---- */

/* Every line of a colon-separated file, cut into its first fields, until each() returns 1. */
static int scan(const char *path, int (*each)(char **field, const char *key), const char *key)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), found = 0;
	struct stat st;
	char *text, *end, *eol;
	size_t size;

	if (fd < 0 || fstat(fd, &st) || !st.st_size)
		return 0;
	size = st.st_size + 1; /* the last line need not end in a newline */
	text = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (text == MAP_FAILED)
		return 0;
	end = text + (read(fd, text, st.st_size) == st.st_size ? st.st_size : 0);
	close(fd);
	for (char *p = text; !found && p < end; p = eol + 1) {
		char *field[FIELDS] = {0};

		eol = memchr(p, '\n', end - p);
		if (!eol)
			eol = end;
		*eol = '\0';
		for (int i = 0; p && i < FIELDS; i++) {
			field[i] = p;
			p = strchr(p, ':');
			if (p)
				*p++ = '\0';
		}
		found = field[FIELDS - 1] && each(field, key);
	}
	munmap(text, size);
	return found;
}

static int is_number(const char *s, unsigned long *n)
{
	return !num_parse(s, 10, 0xfffffffe, n);
}

/* name:password:uid:gid:... */
static int user_line(char **field, const char *key)
{
	struct text t = {user_name, user_name + sizeof user_name - 1};
	unsigned long u, g, wanted;

	if (!is_number(field[2], &u) || !is_number(field[3], &g))
		return 0;
	if (strcmp(field[0], key) && !(is_number(key, &wanted) && wanted == u))
		return 0;
	uid = u;
	gid = g;
	text_str(&t, field[0]);
	*t.at = '\0';
	return 1;
}

/* name:password:gid:user,user... */
static int group_line(char **field, const char *key)
{
	unsigned long g;

	if (!is_number(field[2], &g) || strcmp(field[0], key))
		return 0;
	gid = g;
	return 1;
}

static int member_line(char **field, const char *user)
{
	size_t len = strlen(user);
	unsigned long g;

	if (!is_number(field[2], &g))
		return 0;
	for (const char *m = field[3]; *m; m = strchrnul(m, ','), m += *m == ',')
		if (!strncmp(m, user, len) && (!m[len] || m[len] == ',')) {
			groups[group_count++] = g;
			break;
		}
	return group_count == GROUPS;
}

static void set_user(const struct opt *o)
{
	static char user[256] LARGE;
	char *group;
	unsigned long n;

	if (strlen(o->value) >= sizeof user)
		die(1, "-u ", o->value, ": no such user");
	strcpy(user, o->value);
	group = strchr(user, ':');
	if (group)
		*group++ = '\0';
	if (!scan("/etc/passwd", user_line, user)) {
		if (!is_number(user, &n))
			die(1, "-u ", user, ": no such user");
		uid = gid = n; /* not group 0, whatever the table lacks */
	}
	if (group && is_number(group, &n))
		gid = n;
	else if (group && !scan("/etc/group", group_line, group))
		die(1, "-u ", group, ": no such group");
	if (!group && *user_name)
		scan("/etc/group", member_line, user_name);
	if (group_count < GROUPS)
		groups[group_count++] = gid;
	has_user = 1;
}

static const char *become_user(void)
{
	if (!has_user)
		return 0;
	if (fchown(0, uid, (gid_t)-1) && errno != EPERM)
		return "terminal";
	if (syscall(SETGROUPS, group_count, groups) &&
		!(errno == EPERM && (uid == geteuid() || join_changed_user())))
		return "setgroups";
	if (syscall(SETGID, gid))
		return "setgid";
	return syscall(SETUID, uid) ? "setuid" : 0;
}

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
		s += len;
		if (!*s)
			return;
	}
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
	return syscall(SETGID, 0) || syscall(SETUID, 0) ? "-N user" : 0;
}

static const char *unshare_spaces(void)
{
	if (unshared & ~AT_CLONE && unshare(unshared & ~AT_CLONE))
		return "-N: unshare";
	if (!(unshared & CLONE_NEWNS))
		return 0;
	if (mount(0, "/", 0, MS_REC | MS_PRIVATE, 0))
		return "-N mnt";
	if (unshared & CLONE_NEWPID) /* or ps would show the outer world; /proc may not exist */
		mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, 0);
	return 0;
}

/* ---- the whole ---- */

int jail_option(const struct opt *o, int letter)
{
	switch (letter) {
	case 'u':
		set_user(o);
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
	if (join_pid &&
		unshared & CLONE_NEWUSER) /* who comes from outside has no rights in that one */
		die(1, "-N user: not with -t");
}

void jail_open(void)
{
	if (join_pid)
		join_hold(join_pid);
}

int jail_joins(void)
{
	return join_pid != 0;
}

unsigned jail_clone(void)
{
	outer_uid = geteuid();
	outer_gid = getegid();
	return unshared & AT_CLONE;
}

const char *jail_join(void)
{
	return join_enter(has_user ? uid : 0, has_user ? gid : 0);
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
	const char *bad = 0;

	if (unshared & CLONE_NEWUSER)
		bad = map_user();
	if (!bad)
		bad = unshare_spaces();
	if (!bad && hostname)
		bad = set_hostname();
	if (!bad)
		bad = become_user();
	if (join_pid)
		prctl(PR_SET_DUMPABLE, 0); /* see join.c: ids have changed once more */
	return bad;
}
