/* sig.c: signals as one readable source.
 *
 * The signals that a program handles stay blocked for good, and are read from a signalfd(2) in the loop as any other
 * input: no handler runs, so no handler can see state half changed, and no system call returns EINTR for them.  A
 * command starts with an empty mask and default dispositions (sig_default()).
 */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "libbb.h"

void (*sig_forget)(void);
static void (*on_signal)(int);

static void ready(struct source *s, unsigned what)
{
	struct signalfd_siginfo info;

	(void)what;
	if (io_read(s->fd, &info, sizeof info) == sizeof info)
		on_signal(info.ssi_signo);
}

static struct source source = {.want = loop_want_read, .ready = ready};

/* Not signal(3), which refuses the numbers that libc uses itself, and whose sigaction() is larger than this file. */
void sig_reset(int sig)
{
	static char zeros[256] LARGE; /* at least the kernel's struct sigaction, with SIG_DFL */

	syscall(SYS_rt_sigaction, sig, zeros, 0, _NSIG / 8);
}

/* Whether a signal was set to be ignored by the parent process (nohup(1), a shell's &), and is to stay so: not those
 * whose default is harmless, which are ignored by accident only. */
static int is_ignored(int sig)
{
	struct sigaction act;

	return sig != SIGCHLD && sig != SIGCONT && sig != SIGWINCH && !sigaction(sig, 0, &act) &&
	       act.sa_handler == SIG_IGN;
}

/* Not sigaddset(): libc keeps some numbers to itself. */
static void take(sigset_t *set, int sig)
{
	unsigned long *word = (unsigned long *)set;
	const unsigned bits = 8 * sizeof *word, i = sig - 1;

	if (is_ignored(sig))
		return;
	word[i / bits] |= 1UL << i % bits;
	sig_reset(sig); /* an ignored SIGCHLD may be inherited */
}

static void open_set(sigset_t set)
{
	source.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (source.fd < 0)
		die(1, "signalfd: ", msg_errno());
	sigaddset(&set, SIGPIPE); /* a failed write returns EPIPE */
	sigprocmask(SIG_BLOCK, &set, 0);
}

void sig_open(const int *signals)
{
	sigset_t set;

	sigemptyset(&set);
	for (; *signals; signals++)
		take(&set, *signals);
	open_set(set);
}

void sig_open_all(void)
{
	static const int others[] = {SIGKILL, SIGSTOP, SIGPIPE, SIGCHLD, SIGURG, SIGTSTP, SIGTTIN,
		SIGTTOU, SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS, 0};
	sigset_t set;

	sigemptyset(&set);
	for (int sig = 1; sig < _NSIG; sig++) {
		const int *other = others;

		while (*other && *other != sig)
			other++;
		if (!*other)
			take(&set, sig);
	}
	open_set(set);
}

void sig_listen(void (*handle)(int))
{
	on_signal = handle;
	loop_add(&source);
}

void sig_block(int sig)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, sig);
	sigprocmask(SIG_BLOCK, &set, 0);
}

void sig_default(void)
{
	sigset_t none;

	for (int i = 1; i < _NSIG; i++)
		sig_reset(i);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, 0);
}

int sig_fork_aside(void)
{
	int report[2];
	pid_t pid;

	if (io_pipe(report))
		return -1;
	pid = _Fork();
	if (!pid) {
		dup2(report[1], 0);
		io_close_from(1);
		if (sig_forget)
			sig_forget();
		sig_default();
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		return 0;
	}
	close(report[1]);
	if (pid > 0)
		return report[0];
	close(report[0]);
	return -1;
}

int sig_status(int wait_status)
{
	return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}
