/* users.c: the user that the command runs as (-u), from /etc/passwd and /etc/group.
 *
 *	-u USER[:GROUP] -> users_lookup(): passwd(5), group(5) -> ids, groups, HOME ... -> users_switch() in the child
 *
 * The files are read here because libc's functions cost 22 KB (allocation, stdio, nscd).  They are mapped, so there is no
 * limit to a line or a file; malformed lines are ignored.  A name is looked up before a number of the same digits, as
 * chown(1) does it.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "server.h"

enum { NAME, PASSWORD, ID, GROUP, COMMENT, HOME, SHELL, FIELDS, MEMBERS = GROUP };
enum { GROUPS = 65536 }; /* NGROUPS_MAX */

struct field {
	const char *at;
	size_t len;
};

static char is_set;
static uid_t uid;
static gid_t gid, *groups; /* room for GROUPS, mapped */
static int group_count;
static struct field name; /* in the mapped /etc/passwd; empty for a number without an entry */
static char *environment[USERS_ENV];

/* Calls each() for every line of a colon-separated file, cut into fields, until it returns 1; returns whether it did.  The
 * file then stays mapped, for the fields that are kept. */
static int scan(const char *path, int (*each)(const struct field *f, const struct field *key),
	const struct field *key)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* not held up by a FIFO */
	struct stat st = {0};
	const char *text, *end, *eol;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, &st))
		die(1, path, ": ", msg_errno());
	if (!st.st_size)
		return close(fd);
	text = mmap(0, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (text == MAP_FAILED)
		die(1, path, ": ", msg_errno());
	close(fd);
	end = text + st.st_size;
	for (const char *p = text; p < end; p = eol + 1) {
		struct field field[FIELDS] = {{0}};
		const char *last, *colon;

		eol = memchr(p, '\n', end - p);
		eol = eol ? eol : end;
		last = eol - (eol > p && eol[-1] == '\r');
		for (int i = 0; i < FIELDS && p <= last; i++, p = colon + 1) {
			colon = memchr(p, ':', last - p);
			colon = colon ? colon : last;
			field[i] = (struct field){p, colon - p};
		}
		if (field[NAME].len && each(field, key))
			return 1;
	}
	munmap((void *)(uintptr_t)text, st.st_size);
	return 0;
}

static int is_number(const struct field *f, unsigned long *n)
{
	char digits[16];

	if (f->len >= sizeof digits)
		return 0;
	memcpy(digits, f->at ? f->at : "", f->len);
	digits[f->len] = '\0';
	return !num_parse(digits, 10, 0xfffffffe, n);
}

static int is_same(const struct field *a, const struct field *b)
{
	return a->len == b->len && !memcmp(a->at, b->at, a->len);
}

static char *variable(const char *var, const struct field *f, const char *otherwise)
{
	return f->len ? env_make(var, f->at, f->len) : env_make(var, otherwise, strlen(otherwise));
}

static void set_environment(
	const struct field *who, const struct field *home, const struct field *shell)
{
	environment[0] = variable("HOME=", home, "/");
	environment[1] = variable("SHELL=", shell, "/bin/sh");
	environment[2] = variable("USER=", who, "");
	environment[3] = variable("LOGNAME=", who, "");
}

/* name:password:uid:gid:comment:home:shell */
static int take_user(const struct field *f)
{
	unsigned long u, g;

	if (!is_number(&f[ID], &u) || !is_number(&f[GROUP], &g))
		return 0;
	uid = u;
	gid = g;
	name = f[NAME];
	set_environment(&f[NAME], &f[HOME], &f[SHELL]);
	return 1;
}

static int user_by_name(const struct field *f, const struct field *key)
{
	return is_same(&f[NAME], key) && take_user(f);
}

static int user_by_number(const struct field *f, const struct field *key)
{
	unsigned long n, wanted;

	return is_number(key, &wanted) && is_number(&f[ID], &n) && n == wanted && take_user(f);
}

/* name:password:gid:user,user... */
static int group_by_name(const struct field *f, const struct field *key)
{
	unsigned long g;

	if (!is_same(&f[NAME], key) || !is_number(&f[ID], &g))
		return 0;
	gid = g;
	return 1;
}

static void add_group(gid_t g)
{
	if (group_count == GROUPS)
		die(1, "-u: in more than 65536 groups");
	groups[group_count++] = g;
}

static int group_of_member(const struct field *f, const struct field *user)
{
	const char *at = f[MEMBERS].at, *end = at + f[MEMBERS].len, *comma;
	unsigned long g;

	if (!is_number(&f[ID], &g))
		return 0;
	for (; at && at < end; at = comma + 1) {
		comma = memchr(at, ',', end - at);
		comma = comma ? comma : end;
		if (is_same(&(struct field){at, comma - at}, user)) {
			add_group(g);
			break;
		}
	}
	return 0;
}

void users_lookup(const char *spec)
{
	struct field user = {spec, strchrnul(spec, ':') - spec}, group = {0}, none = {0};
	unsigned long n;

	if (spec[user.len])
		group = (struct field){spec + user.len + 1, strlen(spec + user.len + 1)};
	if (!groups)
		groups = ring_map(GROUPS * sizeof *groups);
	if (!groups)
		die(1, "-u: ", msg_errno());
	group_count = 0;
	name = none;
	if (!scan("/etc/passwd", user_by_name, &user) &&
		!scan("/etc/passwd", user_by_number, &user)) {
		if (!is_number(&user, &n))
			die(1, "-u ", spec, ": no such user");
		uid = gid = n; /* a user without an entry gets neither group 0 nor root's home */
		set_environment(&user, &none, &none);
	}
	if (group.at && is_number(&group, &n))
		gid = n;
	else if (group.at && !scan("/etc/group", group_by_name, &group))
		die(1, "-u ", spec, ": no such group");
	if (!group.at && name.len)
		scan("/etc/group", group_of_member, &name);
	add_group(gid);
	is_set = 1;
}

int users_target(uid_t *u, gid_t *g)
{
	if (!is_set)
		return 0;
	*u = uid;
	*g = gid;
	return 1;
}

char **users_env(void)
{
	return environment;
}

const char *users_setids(uid_t u, gid_t g)
{
	if (syscall(SETGID, g))
		return "setgid";
	return syscall(SETUID, u) ? "setuid" : 0;
}

/* A change of user takes only root's capabilities away: the ambient ones of another caller would be the command's too,
 * and with CAP_SETUID it could become anybody (capabilities(7); Linux 4.3). */
static void drop_ambient(void)
{
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

const char *users_switch(void)
{
	if (!is_set)
		return 0;
	drop_ambient();
	/* one terminal, or three pipes, which it may open anew (/dev/stdout) */
	for (int fd = 0; fd < 3; fd++)
		if (fchown(fd, uid, (gid_t)-1) && errno != EPERM)
			return "terminal";
	if (syscall(SETGROUPS, group_count, groups) &&
		!(errno == EPERM && (uid == geteuid() || join_changed_user())))
		return "setgroups";
	return users_setids(uid, gid);
}
