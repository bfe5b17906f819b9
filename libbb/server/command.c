/* command.c: a server's command that is not there, or does not start.
 *
 * A server looks for it before it is in the background, along the same places of PATH and from the
 * directory where it will start, so that a typing error is told to the caller.  What goes wrong when it is
 * started after all is said in the same words.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "server.h"

void command_words(struct text *t, const struct command *c, const struct failure *f)
{
	errno = f->err;
	text_str(t, f->subject);
	text_str(t, ": ");
	text_str(t, pty_fail_status(f, c) == 127 ? "not found" : msg_errno());
	text_str(t, f->subject == pty_what ? pty_hint(f->err) : "");
}

void command_failed(const struct command *c, const struct failure *f)
{
	char line[300];
	struct text t = {line, line + sizeof line - 1};

	command_words(&t, c, f);
	if (c->addr_like && pty_fail_status(f, c) == 127)
		text_str(&t, " (-r or -f given, so it is the command)");
	*t.at = '\0';
	die(pty_fail_status(f, c), line);
}

static int runnable(const char *path, const void *of)
{
	const int *dir = of;
	struct stat st;

	if (fstatat(*dir, path, &st, 0))
		return ENOENT; /* also in a directory of PATH that may not be searched */
	if (!S_ISREG(st.st_mode))
		return EACCES;
	/* not faccessat(), which emulates flags in a child */
	return syscall(SYS_faccessat, *dir, path, X_OK) ? errno : 0;
}

void command_find(const struct command *c)
{
	struct failure f = {c->dir, 0};
	int dir = AT_FDCWD;

	if (CFG_JAIL && jail_joins())
		return;
	if (c->dir && (dir = open(c->dir, O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0) {
		f.err = errno;
		command_failed(c, &f);
	}
	f.subject = c->argv[0];
	f.err = pty_find(f.subject, runnable, &dir);
	if (f.err)
		command_failed(c, &f);
	if (dir >= 0)
		close(dir);
}
