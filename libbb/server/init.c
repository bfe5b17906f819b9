/* init.c: the first process of a new process namespace (-N pid).
 *
 *	server --clone--> init, PID 1 --fork--> the command, a session leader
 *
 * PID 1 does not receive signals whose default action would end it, has to reap orphans, and when it ends the kernel kills
 * every process of the namespace (pid_namespaces(7)).  A command is not written for that, so it is a child of this
 * process, which exits with the command's status and forwards signals from outside to the command's process group.  The
 * init has a session of its own without a terminal, so job control does not affect it, and no descriptor.  When the server
 * ends, the kernel kills the init (PR_SET_PDEATHSIG), and with it the namespace.
 */
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "server.h"

static void reap(pid_t command)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == command)
			_exit(sig_status(status));
}

static _Noreturn void run_init(pid_t command, const sigset_t *all)
{
	siginfo_t info;
	int sig;

	/* processes of the namespace may not read this memory, a copy of the server's (ptrace(2)) */
	prctl(PR_SET_DUMPABLE, 0);
	io_close_from(0);
	if (chdir("/"))
		_exit(1);
	for (;;) {
		reap(command);
		sig = sigwaitinfo(all, &info);
		if (sig <= 0 || sig == SIGCHLD || info.si_pid)
			continue; /* a sender inside could have signalled the command itself */
		if (kill(-command, sig)) /* just forked, the command leads no group yet */
			kill(command, sig);
	}
}

int init_fork(int report)
{
	struct pollfd reader = {.fd = report};
	sigset_t all;
	pid_t pid;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (poll(&reader, 1, 0) > 0 && reader.revents & (POLLERR | POLLHUP))
		_exit(1); /* the report has no reader: the server ended before PR_SET_PDEATHSIG */
	setsid();
	sigfillset(&all); /* signals already sent are pending: the server had them blocked */
	sigprocmask(SIG_BLOCK, &all, 0);
	pid = _Fork();
	if (pid > 0)
		run_init(pid, &all);
	return pid;
}
