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
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>
#include "libbb.h"

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

const char pty_what[] = "pseudoterminal";

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

/* The foreground group first: the terminal forgets it with the leader's end. */
int pty_hangup(const struct pty *p, int sig)
{
	pid_t group = tcgetpgrp(p->master);
	int failed = 0;

	if (group != p->pid && group != tcgetsid(p->master)) { /* nobody is told twice */
		pgrp_signal(p->master, p->pid, sig);
		pgrp_signal(p->master, p->pid, SIGCONT);
	}
	if (p->pid > 0) {
		if (kill(-p->pid, sig)) /* forked a moment ago it leads no group yet */
			failed = kill(p->pid, sig);
		kill(-p->pid, SIGCONT);
	}
	return failed;
}

/* The wire has the numbers of most machines; MIPS has its own, from 7 on. */
static int signal_here(int sig)
{
	static const unsigned char from_7[] = {SIGBUS, SIGFPE, SIGKILL, SIGUSR1, SIGSEGV, SIGUSR2,
		SIGPIPE, SIGALRM, SIGTERM, 0, SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU,
		SIGURG, SIGXCPU, SIGXFSZ, SIGVTALRM, SIGPROF, SIGWINCH, SIGIO, SIGPWR, SIGSYS};

	return SIGUSR1 != 10 && sig >= 7 && sig < 32 ? from_7[sig - 7] : sig;
}

void pty_signal(const struct pty *p, int sig)
{
	sig = signal_here(sig);
	/* the kernel sends to the group itself, not to a number, what a key of a terminal can send */
	if (sig >= 1 && sig < _NSIG && ioctl(p->master, TIOCSIG, sig))
		pgrp_signal(p->master, p->pid, sig);
}

int pty_fail_status(const struct failure *f, const struct command *c)
{
	if (f->subject != c->argv[0])
		return 1;
	return f->err == ENOENT || f->err == ENOTDIR ? 127 : 126;
}

static _Noreturn void give_up(const struct command *c, int report, const char *subject)
{
	struct failure f = {subject, errno};

	if (write(report, &f, sizeof f) < 0)
		_exit(126);
	_exit(pty_fail_status(&f, c));
}

int pty_find(const char *name, int (*try)(const char *path, const void *of), const void *of)
{
	const char *dir = getenv("PATH"), *end;
	char path[PATH_MAX];
	int why = ENOENT, e;

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

struct birth {
	const struct pty *pty;
	const struct command *command;
	char *env, **environment;
	int report[2];
};

static int execute(const char *path, const void *of)
{
	const struct birth *b = of;

	execve(path, b->command->argv, b->environment);
	return errno;
}

/* The child; does not return. */
static _Noreturn void become(struct birth *b)
{
	const struct command *c = b->command;
	const char *where;
	int report = b->report[1];

	close(b->report[0]);
	if (c->forget)
		c->forget();
	if (CFG_JAIL && jail_needs_init() && init_fork(report))
		give_up(c, report, "fork");
	setsid();
	if (ioctl(b->pty->slave, TIOCSCTTY, 0))
		give_up(c, report, "controlling terminal");
	for (int fd = 0; fd < 3; fd++)
		dup2(b->pty->slave, fd);
	if (chdir(c->home))
		give_up(c, report, c->home);
	if (CFG_JAIL && (where = jail_enter()))
		give_up(c, report, where);
	if (c->dir && chdir(c->dir))
		give_up(c, report, c->dir);
	umask(c->umask);
	prlimit(0, RLIMIT_NOFILE, &c->files, 0);
	sig_default();
	b->environment = env_list(b->env, c->env);
	if (!b->environment)
		give_up(c, report, "environment");
	errno = pty_find(c->argv[0], execute, b);
	give_up(c, report, c->argv[0]);
}

/* fork(2) into new namespaces, with clone(2) itself: libc's wants another stack, and this child goes on with its
 * copy of ours. */
static pid_t fork_into(unsigned flags)
{
#ifdef __s390__ /* where the stack is the first argument */
	return syscall(SYS_clone, 0, flags | SIGCHLD, 0, 0, 0);
#else
	return syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
#endif
}

static pid_t give_birth(struct birth *b)
{
	unsigned flags = CFG_JAIL ? jail_clone() : 0;
	pid_t pid;
	int back;

	if (CFG_JAIL && jail_step_in(&back))
		return -1;
	pid = flags ? fork_into(flags) : _Fork();
	if (!pid)
		become(b);
	if (CFG_JAIL)
		jail_step_out(back);
	return pid;
}

int pty_spawn(struct pty *p, const struct command *c, char *env)
{
	struct birth b = {.pty = p, .command = c, .env = env};

	if (io_pipe(b.report))
		return -1;
	p->pid = give_birth(&b);
	close(b.report[1]);
	if (p->pid > 0)
		return b.report[0];
	close(b.report[0]);
	return -1;
}

struct failure pty_spawned(int report)
{
	struct failure f = {0};

	while (read(report, &f, sizeof f) < 0 && errno == EINTR)
		;
	close(report);
	return f;
}
