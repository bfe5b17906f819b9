/* init.c: the first process of a new process namespace (-N pid).
 *
 *	server --clone--> init, PID 1 --fork--> the command, a session leader
 *
 * PID 1 does not get the signals whose default is to end it, has to wait for whoever lost his parent, and
 * takes everybody along when it ends (pid_namespaces(7)).  A command is not made for that, so it is a
 * child of this process, which ends with the command's status, and passes on to the command's process
 * group what is sent to it from outside.  It has a session of its own and no terminal, so that job control
 * does not know it, and no descriptor at all.  When the server dies it is killed, and with it the rest.
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

static _Noreturn void rule(pid_t command, const sigset_t *all)
{
	siginfo_t info;
	int sig;

	prctl(PR_SET_DUMPABLE,
		0); /* its memory was the server's: not for those inside (ptrace(2)) */
	io_close_from(0);
	if (chdir("/"))
		_exit(1);
	for (;;) {
		reap(command);
		sig = sigwaitinfo(all, &info);
		if (sig <= 0 || sig == SIGCHLD || info.si_pid)
			continue; /* from inside: whoever may signal init may signal the command */
		if (kill(-command, sig)) /* forked a moment ago it leads no group yet */
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
		_exit(1); /* nobody reads the report: the server had died before */
	setsid();
	sigfillset(&all); /* what was sent already waits: the server's signals are blocked */
	sigprocmask(SIG_BLOCK, &all, 0);
	pid = _Fork();
	if (pid > 0)
		rule(pid, &all);
	return pid;
}
