/* pgrp.c: signals for the process groups of a terminal's session, and for nobody else.
 *
 * A terminal keeps its foreground process group when all of it has ended.  TIOCGPGRP then still tells the
 * number, which the kernel may have given to anybody by now, and a server that runs as root may signal
 * anybody.  To check the number and then to kill(2) it is not enough either: it can change hands between.
 * So the kernel is given the group to hold before its number is looked at:
 *
 *	F_SETOWN makes the group behind the number the owner of a pipe -> is that number of our session?
 *	-> a byte in the pipe: the kernel signals the owner (F_SETSIG and O_ASYNC, fcntl(2))
 *
 * When the number changes hands after the first step, the owner is a group that has ended, and nobody is
 * signalled.  A group never leaves its session (setsid(2), setpgid(2)), so nothing else can change.
 * pidfds can do the same (PIDFD_SIGNAL_PROCESS_GROUP), but only since Linux 6.9, and not for a group
 * whose leader has ended.
 */
#include <fcntl.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>
#include "server.h"

static int owned[2] = {-1, -1};

void pgrp_open(void)
{
	if (io_pipe(owned))
		die(1, "pipe: ", msg_errno());
}

struct wanted {
	pid_t session;
	char numbers[64]; /* " GROUP SESSION " */
};

/* Whether this process is of the wanted group and session: proc_pid_stat(5), where both are read at one
 * moment.  The first field in parentheses is a name that may hold anything. */
static int is_member(unsigned pid, void *of)
{
	const struct wanted *w = of;
	char path[32], line[256], *p;
	struct text t = {path, path + sizeof path - 1};
	ssize_t n;
	int fd;

	if (getsid(pid) != w->session)
		return 0;
	text_str(&t, "/proc/");
	text_num(&t, pid);
	text_str(&t, "/stat");
	*t.at = '\0';
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, line, sizeof line - 1);
	close(fd);
	line[n > 0 ? n : 0] = '\0';
	p = strrchr(line, ')');
	for (int space = 0; p && space < 3; space++) /* behind the state and the parent */
		p = strchr(p + 1, ' ');
	return p && !strncmp(p, w->numbers, strlen(w->numbers));
}

/* The group's leader tells, who has its number.  When the leader has been waited for and others of the
 * group live ("echo | less"), one of them does; without /proc there is then no answer: no. */
static int in_session(pid_t group, pid_t session)
{
	pid_t leads = getsid(group);
	struct wanted w = {.session = session};
	struct text t = {w.numbers, w.numbers + sizeof w.numbers - 1};

	if (leads >= 0)
		return leads == session;
	text_str(&t, " ");
	text_num(&t, group);
	text_str(&t, " ");
	text_num(&t, session);
	text_str(&t, " ");
	return io_numbers("/proc", is_member, &w) > 0;
}

/* Also the end of a pipe's writer would signal the owner: it is asynchronous for this one byte only. */
static void signal_owner(int sig)
{
	char byte;

	if (fcntl(owned[0], F_SETSIG, sig) || fcntl(owned[0], F_SETFL, O_ASYNC | O_NONBLOCK))
		return;
	if (write(owned[1], "", 1) == 1)
		while (read(owned[0], &byte, 1) > 0)
			;
	fcntl(owned[0], F_SETFL, O_NONBLOCK);
}

void pgrp_signal(int master, pid_t leader, int sig)
{
	pid_t group = tcgetpgrp(master), session;

	if (group <= 0 || fcntl(owned[0], F_SETOWN, -group))
		return;
	session = tcgetsid(master);
	if (session <= 0)
		session =
			leader; /* it has ended, which took the terminal from its session: its number is
				     held until it is waited for */
	if (session > 0 && in_session(group, session))
		signal_owner(sig);
}
