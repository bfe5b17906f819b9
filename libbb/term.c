/* term.c: the person's terminal.
 *
 * The settings are restored on every way out: by the caller, by die() (msg_cleanup), and by a
 * handler for the signals of a crash.
 */
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include "libbb.h"

static struct termios cooked, raw;
static int term = -1;
static void (*next_cleanup)(void);

static void crash(int sig)
{
	term_restore();
	kill(getpid(), sig); /* the disposition is the default again: SA_RESETHAND */
}

static void cleanup(void)
{
	term_restore();
	if (next_cleanup)
		next_cleanup();
}

int term_raw(int fd)
{
	static const int fatal[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGQUIT, SIGSYS};
	struct sigaction act = {.sa_handler = crash, .sa_flags = SA_RESETHAND | SA_NODEFER};

	if (tcgetattr(fd, &cooked))
		return -1;
	raw = cooked;
	cfmakeraw(&raw);
	term = fd;
	if (msg_cleanup != cleanup) {
		next_cleanup = msg_cleanup;
		msg_cleanup = cleanup;
	}
	for (unsigned i = 0; i < sizeof fatal / sizeof *fatal; i++)
		sigaction(fatal[i], &act, 0);
	return tcsetattr(fd, TCSANOW, &raw);
}

int term_is_raw(void)
{
	return term >= 0;
}

void term_raw_again(void)
{
	if (term >= 0)
		tcsetattr(term, TCSANOW, &raw);
}

void term_restore(void)
{
	sigset_t ttou;

	if (term < 0)
		return;
	sigemptyset(&ttou);
	sigaddset(&ttou, SIGTTOU); /* from the background too */
	sigprocmask(SIG_BLOCK, &ttou, 0);
	tcsetattr(term, TCSANOW, &cooked);
	term = -1;
}

int term_size(int fd, struct winsize *w)
{
	return ioctl(fd, TIOCGWINSZ, w) || !w->ws_row || !w->ws_col ? -1 : 0;
}
