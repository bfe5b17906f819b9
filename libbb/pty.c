/* pty.c: a pseudoterminal and the command on it.
 *
 * The slave side stays open here as long as the master does.  So the master never says EIO while
 * nobody else has the terminal open for a moment (login's vhangup, a command that closed 0-2), the
 * window size can be set before the command looks, and the end of a session is the end of its
 * command, not whoever closes the terminal last.
 *
 * The command is started by fork and exec.  A close-on-exec pipe tells how that went: end of file
 * means executed, an errno means not.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "libbb.h"

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

extern char **environ;

static int slave_open(int master)
{
	int flags = O_RDWR | O_NOCTTY | O_CLOEXEC, unlock = 0, fd;
	unsigned n;
	char name[24];
	struct text t = {name, name + sizeof name - 1};

	if (ioctl(master, TIOCSPTLCK, &unlock))
		return -1;
	fd = ioctl(master, TIOCGPTPEER, flags); /* Linux 4.13; needs no /dev/pts */
	if (fd >= 0 || ioctl(master, TIOCGPTN, &n))
		return fd;
	text_str(&t, "/dev/pts/");
	text_num(&t, n);
	*t.at = '\0';
	return open(name, flags);
}

int pty_open(struct pty *p, const struct winsize *size)
{
	p->master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (p->master < 0)
		return -1;
	p->slave = slave_open(p->master);
	if (p->slave < 0 || pty_resize(p, size)) {
		pty_close(p);
		return -1;
	}
	return 0;
}

void pty_close(struct pty *p)
{
	int saved = errno;

	if (p->slave >= 0)
		close(p->slave);
	if (p->master >= 0)
		close(p->master);
	p->slave = p->master = -1;
	errno = saved;
}

const char *pty_hint(int err)
{
	if (err == ENOENT || err == ENODEV || err == ENXIO)
		return " (mount -t devpts devpts /dev/pts)";
	return "";
}

int pty_resize(const struct pty *p, const struct winsize *size)
{
	return ioctl(p->master, TIOCSWINSZ, size);
}

void pty_hangup(const struct pty *p, int sig)
{
	pid_t group = tcgetpgrp(p->master);

	if (p->pid > 0) {
		kill(-p->pid, sig);
		kill(-p->pid, SIGCONT);
	}
	if (group > 0 && group != p->pid) {
		kill(-group, sig);
		kill(-group, SIGCONT);
	}
}

/* The server's environment with the given variables set, in a static array: exec follows. */
static char **environment(char **set)
{
	static char *env[1024];
	int n = 0;

	while (*set && n < 64)
		env[n++] = *set++;
	for (char **e = environ; *e && n < 1023; e++) {
		size_t len = strcspn(*e, "=") + 1;
		int i = 0;

		while (i < n && strncmp(env[i], *e, len))
			i++;
		if (i == n)
			env[n++] = *e;
	}
	env[n] = 0;
	return env;
}

static _Noreturn void give_up(int report, const char *subject)
{
	struct failure f = {subject, errno};

	if (write(report, &f, sizeof f) < 0)
		_exit(126);
	_exit(127);
}

static _Noreturn void become(const struct pty *p, const struct command *c, int report)
{
	setsid();
	if (ioctl(p->slave, TIOCSCTTY, 0))
		give_up(report, "controlling terminal");
	for (int fd = 0; fd < 3; fd++)
		dup2(p->slave, fd);
	if (chdir(c->home))
		give_up(report, c->home);
	if (c->dir && chdir(c->dir))
		give_up(report, c->dir);
	umask(c->umask);
	sig_default();
	execvpe(c->argv[0], c->argv, environment(c->env));
	give_up(report, c->argv[0]);
}

int pty_spawn(struct pty *p, const struct command *c)
{
	int report[2];

	if (io_pipe(report))
		return -1;
	p->pid = _Fork();
	if (!p->pid)
		become(p, c, report[1]);
	close(report[1]);
	if (p->pid < 0) {
		close(report[0]);
		return -1;
	}
	return report[0];
}

struct failure pty_spawned(int report)
{
	struct failure f = {0};

	while (read(report, &f, sizeof f) < 0 && errno == EINTR)
		;
	close(report);
	return f;
}

int pty_fail_status(const struct failure *f, const struct command *c)
{
	if (f->subject != c->argv[0])
		return 1;
	return f->err == ENOENT || f->err == ENOTDIR ? 127 : 126;
}

int pty_status(int wait_status)
{
	return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}
