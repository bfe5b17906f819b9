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
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include "server.h"

const char pty_what[] = "pseudoterminal";

int pty_comes(void)
{
	return CFG_JAIL && jail_joins();
}

int pty_open(struct pty *p, const struct winsize *size)
{
	p->src.fd = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (p->src.fd < 0)
		return -1;
	p->slave = devpts_slave(p->src.fd, AT_FDCWD);
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
	if (p->src.fd >= 0)
		close(p->src.fd);
	p->slave = p->src.fd = -1;
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
	return ioctl(p->src.fd, TIOCSWINSZ, size);
}

/* The foreground group first: the terminal forgets it with the leader's end. */
int pty_hangup(const struct pty *p, int sig)
{
	pid_t group = tcgetpgrp(p->src.fd);
	int failed = 0;

	if (group != p->pid && group != tcgetsid(p->src.fd)) { /* nobody is told twice */
		pgrp_signal(p->src.fd, p->pid, sig);
		pgrp_signal(p->src.fd, p->pid, SIGCONT);
	}
	if (p->pid > 0) {
		if (kill(-p->pid, sig)) /* forked a moment ago it leads no group yet */
			failed = kill(p->pid, sig);
		kill(-p->pid, SIGCONT);
	}
	return failed;
}

void pty_continue(const struct pty *p)
{
	siginfo_t stopped = {0};

	if (p->pid <= 0)
		return;
	waitid(P_PID, p->pid, &stopped, WSTOPPED | WNOHANG | WNOWAIT);
	if (stopped.si_pid || (CFG_JAIL && jail_needs_init()))
		kill(-p->pid, SIGCONT);
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
	if (sig >= 1 && sig < _NSIG && ioctl(p->src.fd, TIOCSIG, sig))
		pgrp_signal(p->src.fd, p->pid, sig);
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

struct spawn {
	int slave; /* -1: it is to be opened where the command runs */
	const struct command *command;
	char *env, **environment;
	int report;  /* the child's end, */
	int servers; /* and the server's, or -1 when it is closed in the child already */
};

static int execute(const char *path, const void *of)
{
	const struct spawn *b = of;

	execve(path, b->command->argv, b->environment);
	return errno;
}

/* In the container, once the server knows our number: its root directory.  What failed, or 0. */
static const char *enter_root(struct spawn *b)
{
	char go;

	if (read(b->report, &go, 1) != 1)
		return "-t: the server";
	return join_root();
}

/* A terminal of the container's devpts, shown to the server, and given back by that (or one of the server's own)
 * when it is ready for the command.  What failed, or 0. */
static const char *open_inside(struct spawn *b)
{
	struct failure none = {0};
	int fd[IO_PASSED], count = devpts_open(fd) ? 0 : IO_PASSED;
	char go;

	if (io_pass(b->report, &none, sizeof none, fd, count))
		return pty_what;
	for (int i = 0; i < count; i++)
		close(fd[i]);
	if (io_passed(b->report, &go, 1, fd))
		return pty_what;
	b->slave = fd[0];
	return 0;
}

/* The first of these that has a value says how the terminal's characters are made (locale(7)): 1 as UTF-8, also when
 * none says anything. */
static int locale_is_utf8(char **env)
{
	static const char *const names[] = {"LC_ALL=", "LC_CTYPE=", "LANG="};

	for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
		for (char **e = env; *e; e++) {
			size_t n = strlen(names[i]);

			if (!strncmp(*e, names[i], n) && (*e)[n])
				return strcasestr(*e + n, "utf-8") || strcasestr(*e + n, "utf8");
		}
	return 1;
}

/* Whether the terminal's line editing erases whole characters of UTF-8 (IUTF8, termios(3)). */
static void set_utf8(char **env)
{
	struct termios t;

	if (tcgetattr(0, &t))
		return;
	t.c_iflag = (t.c_iflag & ~(tcflag_t)IUTF8) | (locale_is_utf8(env) ? IUTF8 : 0);
	tcsetattr(0, TCSANOW, &t);
}

/* The command's process. */
static _Noreturn void exec_child(struct spawn *b)
{
	const struct command *c = b->command;
	const char *where;
	int joined = b->slave < 0;

	if (b->servers >= 0)
		close(b->servers);
	if (c->forget && !joined)
		c->forget();
	if (CFG_JAIL && joined && (where = enter_root(b)))
		give_up(c, b->report, where);
	if (CFG_JAIL && jail_needs_init() && init_fork(b->report))
		give_up(c, b->report, "fork");
	setsid();
	if (CFG_JAIL && joined && (where = open_inside(b)))
		give_up(c, b->report, where);
	if (ioctl(b->slave, TIOCSCTTY, 0))
		give_up(c, b->report, "controlling terminal");
	for (int fd = 0; fd < 3; fd++)
		dup2(b->slave, fd);
	close(b->slave);
	if (!joined && chdir(c->home))
		give_up(c, b->report, c->home);
	if (CFG_JAIL && (where = jail_enter()))
		give_up(c, b->report, where);
	if (c->dir && chdir(c->dir))
		give_up(c, b->report, c->dir);
	umask(c->umask);
	prlimit(0, RLIMIT_NOFILE, &c->files, 0);
	sig_default();
	b->environment = env_list(b->env, c->env);
	if (!b->environment)
		give_up(c, b->report, "environment");
	set_utf8(b->environment);
	errno = pty_find(c->argv[0], execute, b);
	give_up(c, b->report, c->argv[0]);
}

/* fork(2) with flags of clone(2), by that itself: libc's wants another stack, and this child goes on with its copy
 * of ours. */
static pid_t fork_child(struct spawn *b, unsigned flags)
{
#ifdef __s390__ /* where the stack is the first argument */
	pid_t pid = syscall(SYS_clone, 0, flags | SIGCHLD, 0, 0, 0);
#else
	pid_t pid = syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
#endif

	if (!pid)
		exec_child(b);
	return pid;
}

/* The helper of join.c: its message has the number of the command's process in place of an errno. */
static pid_t helper_fork(struct spawn *b)
{
	struct failure f = {0};
	pid_t pid = _Fork();

	if (pid)
		return pid;
	if (b->command->forget)
		b->command->forget();
	b->report = join_begin(b->report);
	b->servers = -1;
	f.subject = b->report < 0 ? "-t: descriptors" : jail_join();
	if (!f.subject) {
		pid = fork_child(b, jail_clone() | CLONE_PARENT);
		f.subject = pid < 0 ? "-t: fork" : 0;
		errno = pid < 0 ? errno : pid;
	}
	f.err = errno;
	_exit(write(1, &f, sizeof f) < 0);
}

/* The command's process, or -1.  The helper looks up no name in the container's files, so this is soon; but to
 * open a root directory on a network file system may take longer than PTY_PATIENCE. */
static pid_t helper_follow(pid_t helper, int report, struct failure *f)
{
	ssize_t n;

	while ((n = read(report, f, sizeof *f)) < 0 && errno == EINTR)
		;
	if (n != sizeof *f) {
		*f = (struct failure){"-t: that process", n ? ETIMEDOUT : ECHILD};
		kill(helper, SIGKILL);
		return -1;
	}
	waitpid(helper, 0, 0); /* it exits at once */
	if (f->subject)
		return -1;
	helper = f->err;
	f->err = 0;
	io_pass(report, "", 1, 0, 0);
	return helper;
}

/* A pipe; with -t, when descriptors are passed and the container's files may hold us up, a socket. */
static int report_open(int report[2])
{
	static const struct timeval patience = {.tv_sec = PTY_PATIENCE};

	if (!pty_comes())
		return io_pipe(report);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, report))
		return -1;
	setsockopt(report[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	return 0;
}

int pty_spawn(struct pty *p, const struct command *c, char *env, struct failure *f)
{
	struct spawn b = {.slave = p->slave, .command = c, .env = env};
	int report[2];

	*f = (struct failure){0};
	p->pid = -1;
	if (report_open(report)) {
		*f = (struct failure){"fork", errno};
		return -1;
	}
	b.servers = report[0];
	b.report = report[1];
	p->pid = pty_comes() ? helper_fork(&b) : fork_child(&b, CFG_JAIL ? jail_clone() : 0);
	if (p->pid < 0)
		*f = (struct failure){"fork", errno};
	close(report[1]);
	if (p->pid > 0 && pty_comes())
		p->pid = helper_follow(p->pid, report[0], f);
	if (p->pid > 0)
		return report[0];
	close(report[0]);
	return -1;
}

struct failure pty_arrived(struct pty *p, const struct winsize *size, int report)
{
	struct failure f = {0};
	int fd[IO_PASSED], bad;

	if (io_passed(report, &f, sizeof f, fd)) {
		bad = errno == EAGAIN ? ETIMEDOUT : errno ? errno : ECHILD;
		return (struct failure){bad == EMFILE ? pty_what : "-t: that process", bad};
	}
	if (f.subject)
		return f;
	p->src.fd = fd[0];
	p->slave = fd[1];
	bad = p->src.fd < 0 ? pty_open(p, size) : pty_resize(p, size);
	return (struct failure){pty_what, bad ? errno : 0};
}

void pty_go(const struct pty *p, int report)
{
	io_pass(report, "", 1, &p->slave, 1);
}

struct failure pty_spawned(int report)
{
	struct failure f = {0};
	ssize_t n;

	while ((n = read(report, &f, sizeof f)) < 0 && errno == EINTR)
		;
	if (n < 0) /* PTY_PATIENCE */
		f = (struct failure){"-t: the command", ETIMEDOUT};
	close(report);
	return f;
}
