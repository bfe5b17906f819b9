/* term.c: the person's terminal: raw mode and window size.
 *
 * The settings are restored at every end: by the caller, by die() (msg_cleanup), and by a handler for the signals of
 * a crash.  Before SIGTSTP, SIGTTIN or SIGTTOU stop the program its handler restores them as well, unless the process
 * is in the background, where the terminal is the shell's; term_raw_again() makes it raw when the process goes on.
 */
#include <errno.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include "libbb.h"

void (*term_changed_hands)(int ours);

static struct termios cooked, raw;
static int term = -1;
static void (*next_cleanup)(void);

static void crash(int sig)
{
	term_restore();
	if (term_changed_hands) /* standard output may be a terminal where standard input is none */
		term_changed_hands(0);
	kill(getpid(), sig); /* ends the process: SA_RESETHAND has restored the default */
}

static void cleanup(void)
{
	term_restore();
	if (next_cleanup)
		next_cleanup();
}

static void change_hands(int ours)
{
	tcsetattr(term, TCSANOW, ours ? &raw : &cooked);
	if (term_changed_hands)
		term_changed_hands(ours);
}

static void on(const int *signals, void (*handler)(int), int flags)
{
	struct sigaction act = {.sa_handler = handler, .sa_flags = flags}, was;

	for (; *signals; signals++)
		if (!sigaction(*signals, 0, &was) && was.sa_handler != SIG_IGN)
			sigaction(*signals, &act, 0);
}

/* Also when the terminal controls no process of this session (after su): then nobody else uses it. */
static int is_foreground(void)
{
	pid_t group = tcgetpgrp(term);

	return term >= 0 && (group < 0 || group == getpgrp());
}

static void stop(int sig);
static const int stops[] = {SIGTSTP, SIGTTIN, SIGTTOU, 0};

/* kill() returns after SIGCONT, or at once where nobody could send that (an orphaned process group). */
static void stop(int sig)
{
	int saved = errno;

	if (is_foreground())
		change_hands(0);
	on(stops, SIG_DFL, 0);
	kill(getpid(), sig);
	on(stops, stop, SA_NODEFER | SA_RESTART);
	if (is_foreground())
		change_hands(1);
	errno = saved;
}

void term_guard(void)
{
	static const int fatal[] = {
		SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGQUIT, SIGSYS, 0};

	on(fatal, crash, SA_RESETHAND | SA_NODEFER);
	on(stops, stop, SA_NODEFER | SA_RESTART);
}

int term_raw(int fd)
{
	if (tcgetattr(fd, &cooked))
		return -1;
	raw = cooked;
	cfmakeraw(&raw);
	term = fd;
	if (msg_cleanup != cleanup) {
		next_cleanup = msg_cleanup;
		msg_cleanup = cleanup;
	}
	term_guard();
	return tcsetattr(fd, TCSANOW, &raw);
}

int term_is_raw(void)
{
	return term >= 0;
}

void term_raw_again(void)
{
	if (is_foreground())
		change_hands(1);
	else if (term >= 0)
		kill(getpid(), SIGTTOU); /* as tcsetattr(3) does, unless it is blocked */
}

void term_restore(void)
{
	sigset_t ttou;

	if (term < 0)
		return;
	sigemptyset(&ttou);
	sigaddset(&ttou, SIGTTOU); /* else a background process would be stopped (tcsetattr(3)) */
	sigprocmask(SIG_BLOCK, &ttou, 0);
	change_hands(0);
	term = -1;
}

int term_size(int fd, struct winsize *w)
{
	return ioctl(fd, TIOCGWINSZ, w) || !w->ws_row || !w->ws_col ? -1 : 0;
}
