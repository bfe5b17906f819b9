/* command.c: a server's command: the search for it in PATH, and how a start that failed is reported.
 *
 * A server searches for the command before it goes into the background, in the directories in which execvp(3) will, and
 * relative to the directory in which the command will start.  So a typing error is reported to the caller.  A failure of
 * the start itself has the same words and the same exit status.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "server.h"

int command_search(const char *name, int (*try)(const char *path, const void *of), const void *of)
{
	const char *dir = getenv("PATH"), *end;
	char path[PATH_MAX];
	int why = ENOENT, e;

	if (!*name)
		return ENOENT; /* a client's COMMAND may be empty, and so would be a name in each directory */
	if (strchr(name, '/'))
		return try(name, of);
	for (dir = dir ? dir : "/usr/local/bin:/bin:/usr/bin";; dir = end + 1) {
		struct text t = {path, path + sizeof path - 1};

		end = strchrnul(dir, ':');
		while (dir < end && t.at < t.end)
			*t.at++ = *dir++;
		text_str(&t, t.at > path ? "/" : ""); /* an empty one is the working directory */
		text_str(&t, name);
		*t.at = '\0';
		e = t.at < t.end ? try(path, of) : ENAMETOOLONG;
		if (e == EACCES)
			why = e;
		else if (e != ENOENT && e != ENOTDIR)
			return e;
		if (!*end)
			return why;
	}
}

int command_exit_status(const struct failure *f, const struct command *c)
{
	if (f->subject != c->argv[0])
		return 1;
	return f->err == ENOENT || f->err == ENOTDIR ? 127 : 126;
}

const char *command_describe(const struct command *c, const struct failure *f)
{
	static char line[300] LARGE;
	struct text t = {line, line + sizeof line - 1};

	errno = f->err;
	text_str(&t, f->subject);
	text_str(&t, ": ");
	text_str(&t, command_exit_status(f, c) == 127 ? "not found" : msg_errno());
	if (f->subject == pty_what && (f->err == ENOENT || f->err == ENODEV || f->err == ENXIO))
		text_str(&t, " (mount -t devpts devpts /dev/pts)");
	*t.at = '\0';
	return line;
}

void command_die(const struct command *c, const struct failure *f)
{
	int missing = command_exit_status(f, c) == 127;
	const char *hint =
		c->addr_like && missing ? " (-r, -f or -x given, so it is the command)" : "";

	die(command_exit_status(f, c), command_describe(c, f), hint);
}

static int check_executable(const char *path, const void *of)
{
	const int *dir = of;
	struct stat st;

	if (fstatat(*dir, path, &st, 0))
		return ENOENT; /* also when a directory of PATH may not be searched */
	if (!S_ISREG(st.st_mode))
		return EACCES;
	/* libc's faccessat() forks a child to emulate flags */
	return syscall(SYS_faccessat, *dir, path, X_OK) ? errno : 0;
}

void command_check(const struct command *c)
{
	struct failure f = {c->dir, 0};
	int dir = AT_FDCWD;

	if (jail_joins())
		return;
	if (c->dir && (dir = open(c->dir, O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0) {
		f.err = errno;
		command_die(c, &f);
	}
	f.subject = c->argv[0];
	f.err = command_search(f.subject, check_executable, &dir);
	if (f.err)
		command_die(c, &f);
	if (dir >= 0)
		close(dir);
}
