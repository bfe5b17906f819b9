/* spawn.c: fork and exec of the command.
 *
 *	server                        command's process
 *	spawn_begin() --- fork ------> session, controlling terminal, directory, jail, exec
 *	spawn_result() <-- report ---- struct failure; end of file: executed
 *
 * The report is a pipe, close-on-exec, so end of file means that the command was executed.  A command that joins another
 * process's namespaces (-t) is cloned by a helper there (join.c), and opens its terminal there; the report is then a
 * socket, on which descriptors are passed:
 *
 *	server                   helper                   command's process
 *	spawn_begin() - fork --> joins - clone ---------> waits
 *	        <- report ------ the clone's pid, exits
 *	        -- one byte ----------------------------> root directory, fork of init (-N pid), terminal
 *	spawn_receive_pty() <--- report ----------------- master and slave side, or none
 *	spawn_continue() ---- slave side ---------------> the rest as above
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include "server.h"

struct spawn {
	int fd[3]; /* to become the command's 0-2; -1: to be opened by its process, or passed to it (-t) */
	char pipes; /* these are no terminal */
	const struct command *command;
	char **argv, *env, **environment;
	int report; /* the child's end */
};

/* ---- in the command's process ---- */

static _Noreturn void fail(const struct spawn *b, const char *subject)
{
	struct failure f = {subject, errno};

	if (write(b->report, &f, sizeof f) < 0)
		_exit(126);
	_exit(command_exit_status(&f, b->command));
}

static int execute(const char *path, const void *of)
{
	const struct spawn *b = of;

	execve(path, b->argv, b->environment);
	return errno;
}

/* Opens a terminal of the container's devpts, passes it to the server, and receives the slave side to use: this one, or
 * one of the server's own; or receives pipes.  Returns what failed, or 0. */
static const char *open_inside(struct spawn *b)
{
	struct failure none = {0};
	int fd[2], count = b->pipes || devpts_open(fd) ? 0 : 2;
	char go = 0;

	if (io_pass(b->report, &none, sizeof none, fd, count))
		return pty_what;
	for (int i = 0; i < count; i++)
		close(fd[i]);
	if (io_passed(b->report, &go, 1, b->fd))
		return pty_what;
	if (!b->pipes)
		b->fd[1] = b->fd[2] = b->fd[0];
	return 0;
}

/* Whether the locale of this environment (locale(7)) is one of UTF-8; also when it says nothing. */
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

/* Sets whether the terminal's line editing erases whole characters of UTF-8 (IUTF8, termios(3)). */
static void set_utf8(char **env)
{
	struct termios t;

	if (tcgetattr(0, &t))
		return;
	t.c_iflag = (t.c_iflag & ~(tcflag_t)IUTF8) | (locale_is_utf8(env) ? IUTF8 : 0);
	tcsetattr(0, TCSANOW, &t);
}

/* Returns the arguments in a list that ends in 0, in newly mapped memory where a client sent them; or 0 and errno. */
static char **arguments(const struct command *c)
{
	char *at = *c->argv, *end = at + c->size, **list;
	int n = 0;

	if (!CFG_EXEC || !c->size)
		return c->argv;
	for (char *s = at; s < end; s++)
		n += !*s;
	list = ring_map((n + 1) * sizeof *list);
	for (n = 0; list && at < end; at += strlen(at) + 1)
		list[n++] = at;
	return list;
}

/* Makes the terminal or the pipes 0-2. */
static void take_fds(const struct spawn *b)
{
	for (int fd = 0; fd < 3; fd++)
		dup2(b->fd[fd], fd);
}

/* Closes all that is the server's but the terminal, as 0-2, and the report.  A file system that hangs may hold this
 * process up for as long as it likes, and then it cannot even be killed: a listening socket would keep an address in
 * use. */
static void leave_server(struct spawn *b)
{
	take_fds(b);
	dup2(b->report, 3);
	ioctl(3, FIOCLEX);
	io_close_from(4);
	b->fd[0] = 0;
	b->report = 3;
	if (sig_forget)
		sig_forget();
}

static _Noreturn void exec_child(struct spawn *b)
{
	const struct command *c = b->command;
	const char *failed;
	int joined = b->fd[0] < 0;
	char go;

	if (!joined) {
		oom_restore();
		leave_server(b);
	}
	if (CFG_JAIL && joined) { /* the server sends a byte when it knows this process's number */
		failed = read(b->report, &go, 1) == 1 ? join_root() : "-t: the server";
		if (failed)
			fail(b, failed);
	}
	if (CFG_JAIL && jail_needs_init() && init_fork(b->report))
		fail(b, "fork");
	setsid();
	if (CFG_JAIL && joined && (failed = open_inside(b)))
		fail(b, failed);
	if (!(CFG_EXEC && b->pipes) && ioctl(b->fd[0], TIOCSCTTY, 0))
		fail(b, "controlling terminal");
	if (joined) {
		take_fds(b);
		for (int i = 0; i < 3; i++) /* what was passed; of a terminal all are one */
			close(b->fd[i]);
	} else if (chdir(c->home)) {
		fail(b, c->home);
	}
	if (CFG_JAIL && (failed = jail_enter()))
		fail(b, failed);
	if (c->dir && chdir(c->dir))
		fail(b, c->dir);
	umask(c->umask);
	prlimit(0, RLIMIT_NOFILE, &c->files, 0);
	sig_default();
	b->environment = env_list(b->env, c->env);
	b->argv = arguments(c);
	if (!b->environment || !b->argv)
		fail(b, "environment");
	set_utf8(b->environment);
	errno = command_search(c->argv[0], execute, b);
	fail(b, c->argv[0]);
}

/* ---- fork ---- */

/* Forks with flags of clone(2).  libc's clone() needs another stack; this child goes on with its copy of the caller's. */
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

/* Forks the helper of join.c.  On success its report has the number of the command's process in place of an errno. */
static pid_t fork_helper(struct spawn *b)
{
	struct failure f = {0};
	pid_t pid = _Fork();

	if (pid)
		return pid;
	if (sig_forget)
		sig_forget();
	oom_restore();
	b->report = join_begin(b->report);
	f.subject = b->report < 0 ? "-t: descriptors" : jail_join();
	if (!f.subject) {
		pid = fork_child(b, jail_clone() | CLONE_PARENT);
		f.subject = pid < 0 ? "-t: fork" : 0;
		errno = pid < 0 ? errno : pid;
	}
	f.err = errno;
	_exit(write(1, &f, sizeof f) < 0);
}

/* Reads a failure from the report: as read(2). */
static ssize_t report_read(int report, struct failure *f)
{
	ssize_t n;

	while ((n = read(report, f, sizeof *f)) < 0 && errno == EINTR)
		;
	return n;
}

/* Reads the helper's report; returns the number of the command's process, or -1 and *f.  The helper looks up no name in
 * the container's files, so this is soon; only opening a root directory on a network file system may take longer than
 * SPAWN_TIMEOUT. */
static pid_t helper_result(pid_t helper, int report, struct failure *f)
{
	ssize_t n = report_read(report, f);

	if (n != sizeof *f) {
		*f = (struct failure){"-t: that process", n ? ETIMEDOUT : ECHILD};
		kill(helper, SIGKILL);
		return -1;
	}
	/* the helper would exit now, but the container's owner may stop it (kill(2)) */
	kill(helper, SIGKILL);
	waitpid(helper, 0, 0);
	if (f->subject)
		return -1;
	helper = f->err;
	f->err = 0;
	io_pass(report, "", 1, 0, 0);
	return helper;
}

/* ---- in the server ---- */

static int report_open(int report[2])
{
	static const struct timeval timeout = {.tv_sec = SPAWN_TIMEOUT};

	if (!jail_joins())
		return io_pipe(report);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, report))
		return -1;
	setsockopt(report[0], SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
	return 0;
}

int spawn_begin(struct pty *p, const struct command *c, char *env, struct failure *f)
{
	struct spawn b = {.pipes = p->pipes, .command = c, .env = env};
	int report[2];

	*f = (struct failure){0};
	p->pid = -1;
	if (report_open(report)) {
		*f = (struct failure){"fork", errno};
		return -1;
	}
	b.report = report[1];
	for (int i = 0; i < 3; i++)
		b.fd[i] = CFG_EXEC && p->pipes ? p->ends[i] : p->slave;
	p->pid = jail_joins() ? fork_helper(&b) : fork_child(&b, CFG_JAIL ? jail_clone() : 0);
	if (p->pid < 0)
		*f = (struct failure){"fork", errno};
	close(report[1]);
	if (p->pid > 0 && jail_joins())
		p->pid = helper_result(p->pid, report[0], f);
	if (p->pid > 0)
		return report[0];
	close(report[0]);
	return -1;
}

struct failure spawn_receive_pty(struct pty *p, const struct winsize *size, int report)
{
	struct failure f = {0};
	int fd[IO_PASSED], bad;

	if (io_passed(report, &f, sizeof f, fd)) {
		bad = errno == EAGAIN ? ETIMEDOUT : errno ? errno : ECHILD;
		return (struct failure){bad == EMFILE ? pty_what : "-t: that process", bad};
	}
	if (f.subject)
		return f;
	if (CFG_EXEC && p->pipes)
		return (struct failure){pty_what, pty_open_pipes(p) ? errno : 0};
	p->src.fd = fd[0];
	p->slave = fd[1];
	bad = p->src.fd < 0 ? pty_open(p, size) : pty_resize(p, size);
	return (struct failure){pty_what, bad ? errno : 0};
}

void spawn_continue(const struct pty *p, int report)
{
	int pipes = CFG_EXEC && p->pipes;

	io_pass(report, "", 1, pipes ? p->ends : &p->slave, pipes ? 3 : 1);
}

struct failure spawn_result(int report)
{
	struct failure f = {0};
	struct pollfd p = {.fd = report, .events = POLLIN};

	if (!poll(&p, 1, SPAWN_TIMEOUT * 1000))
		f = (struct failure){"start of the command", ETIMEDOUT};
	else
		report_read(report, &f);
	close(report);
	return f;
}
