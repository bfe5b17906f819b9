/* pty.c: a pseudoterminal, its window size, and the signals that reach the command through it; or three pipes instead.
 *
 *	server <-> master | slave side <-> command
 *	                  | slave side of the server's own, never read
 *
 * The server keeps the slave side open as long as the master.  So reading the master never fails with EIO while no other
 * process has the terminal open for a moment (login's vhangup(2), a command that closed 0-2), the window size can be set
 * before the command reads it, and a session ends with its command, not with the last process that closes the terminal.
 *
 * A COMMAND without a terminal (client_exec.c) has pipes in its place.  Its signals go to the process group that it leads.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include "server.h"

const char pty_what[] = "pseudoterminal";

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

int pty_open_pipes(struct pty *p)
{
	struct source *const ours[] = {&p->in, &p->src, &p->err};

	for (int i = 0; i < 3; i++) {
		int fd[2];

		if (io_pipe(fd)) {
			pty_close(p);
			return -1;
		}
		p->ends[i] = fd[i > 0];
		ours[i]->fd = fd[i == 0];
		fcntl(ours[i]->fd, F_SETFL, O_NONBLOCK);
	}
	return 0;
}

/* Keeps errno. */
static void close_fd(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

void pty_close_ends(struct pty *p)
{
	for (int i = 0; i < 3; i++)
		close_fd(&p->ends[i]);
}

void pty_close(struct pty *p)
{
	close_fd(&p->slave);
	close_fd(&p->src.fd);
	if (!CFG_EXEC || !p->pipes)
		return;
	close_fd(&p->in.fd);
	close_fd(&p->err.fd);
	pty_close_ends(p);
}

int pty_resize(const struct pty *p, const struct winsize *size)
{
	return ioctl(p->src.fd, TIOCSWINSZ, size);
}

/* Signals the group that the command leads: 0, or -1 and errno.  Just forked, the process leads no group yet. */
static int signal_group(const struct pty *p, int sig)
{
	return kill(-p->pid, sig) ? kill(p->pid, sig) : 0;
}

/* The foreground group is signalled first: the terminal loses it when the leader ends. */
int pty_hangup(const struct pty *p, int sig)
{
	pid_t group = tcgetpgrp(p->src.fd);
	int failed = 0;

	if (group != p->pid && group != pgrp_session(p->src.fd)) { /* no group is signalled twice */
		pgrp_signal(p->src.fd, p->pid, sig);
		pgrp_signal(p->src.fd, p->pid, SIGCONT);
	}
	if (p->pid > 0) {
		failed = signal_group(p, sig);
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

void pty_signal(const struct pty *p, int sig)
{
	/* the wire has the signal numbers of most machines; MIPS has others from 7 on (signal(7)) */
	static const unsigned char from_7[] = {SIGBUS, SIGFPE, SIGKILL, SIGUSR1, SIGSEGV, SIGUSR2,
		SIGPIPE, SIGALRM, SIGTERM, 0, SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU,
		SIGURG, SIGXCPU, SIGXFSZ, SIGVTALRM, SIGPROF, SIGWINCH, SIGIO, SIGPWR, SIGSYS};

	if (SIGUSR1 != 10 && sig >= 7 && sig < 32)
		sig = from_7[sig - 7];
	if (CFG_EXEC && p->pipes) {
		if (p->pid <= 0 || sig < 1)
			return;
		signal_group(p, sig);
		/* a process that is stopped ends only when it goes on, which a shell's kill sees to as well */
		if (sig == SIGTERM || sig == SIGHUP)
			signal_group(p, SIGCONT);
		return;
	}
	/* TIOCSIG sends the signals that a terminal's keys can send to the group itself, not to a number */
	if (sig >= 1 && sig < _NSIG && ioctl(p->src.fd, TIOCSIG, sig))
		pgrp_signal(p->src.fd, p->pid, sig);
}
