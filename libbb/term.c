/* term.c: the person's terminal: raw mode, window size, non-blocking access.
 *
 * O_NONBLOCK belongs to the open file description, and a terminal's is shared with the shell and its other programs. 
 * So the terminal is opened again, and only the new description is non-blocking; the inherited one stays as it is.
 *
 * The settings are restored at every end: by the caller, by die() (msg_cleanup), and by a handler for the signals of
 * a crash.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>
#include "libbb.h"

static struct termios cooked, raw;
static int term = -1;
static void (*next_cleanup)(void);

int term_reopen(int fd, int flags)
{
	char name[] = "/proc/self/fd/0";
	struct stat st;
	int again;

	flags |= O_NOCTTY | O_NONBLOCK | O_CLOEXEC;
	if (fstat(fd, &st) || !(S_ISCHR(st.st_mode) || S_ISFIFO(st.st_mode)))
		return -1;
	name[sizeof name - 2] += fd;
	again = open(name, flags);
	if (again < 0 && isatty(fd) && tcgetsid(fd) == getsid(0))
		again = open("/dev/tty", flags); /* no /proc, or su changed the user */
	return again;
}

static void crash(int sig)
{
	term_restore();
	kill(getpid(), sig); /* ends the process: SA_RESETHAND has restored the default */
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
	sigaddset(&ttou, SIGTTOU); /* else a background process would be stopped (tcsetattr(3)) */
	sigprocmask(SIG_BLOCK, &ttou, 0);
	tcsetattr(term, TCSANOW, &cooked);
	term = -1;
}

int term_size(int fd, struct winsize *w)
{
	return ioctl(fd, TIOCGWINSZ, w) || !w->ws_row || !w->ws_col ? -1 : 0;
}
