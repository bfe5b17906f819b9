/* pgrp.c: signals for the process groups of a terminal's session, and for no other process.
 *
 * A terminal keeps its foreground process group after all processes of it have ended.  TIOCGPGRP then still returns its
 * number, which the kernel may have given to another process by now, and a server that runs as root may signal any
 * process.  To check the number before kill(2) is not enough: it can be given away in between.  So the kernel takes a
 * reference to the group before its number is checked:
 *
 *	F_SETOWN makes the group with this number the owner of a pipe -> does the number belong to our session?
 *	-> a byte in the pipe: the kernel signals the owner (F_SETSIG and O_ASYNC, fcntl(2))
 *
 * When the number is given away after the first step, the owner is a group that has ended, and no process is signalled.
 * A group never leaves its session (setsid(2), setpgid(2)), so nothing else can change.  pidfds can do the same
 * (PIDFD_SIGNAL_PROCESS_GROUP), but only since Linux 6.9, and not for a group whose leader has ended.
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

struct membership {
	pid_t session;
	char numbers[64]; /* " GROUP SESSION " */
};

/* Whether this process belongs to the wanted group and session, which proc_pid_stat(5) has of one moment.  Its field in
 * parentheses is a name that may contain any byte, also spaces and parentheses. */
static int is_member(unsigned pid, void *of)
{
	const struct membership *w = of;
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
	for (int space = 0; p && space < 3; space++) /* to the space behind state and parent */
		p = strchr(p + 1, ' ');
	return p && !strncmp(p, w->numbers, strlen(w->numbers));
}

/* The session of the group's leader, which has the group's number, decides.  When the leader has been reaped and other
 * processes of the group live ("echo | less"), one of these decides; without /proc the answer is then no. */
static int in_session(pid_t group, pid_t session)
{
	pid_t leaders = getsid(group);
	struct membership w = {.session = session};
	struct text t = {w.numbers, w.numbers + sizeof w.numbers - 1};

	if (leaders >= 0)
		return leaders == session;
	text_str(&t, " ");
	text_num(&t, group);
	text_str(&t, " ");
	text_num(&t, session);
	text_str(&t, " ");
	return io_numbers("/proc", is_member, &w) > 0;
}

/* The pipe is asynchronous for this one byte only: closing its writing end would signal the owner as well. */
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

pid_t pgrp_session(int master)
{
	/* Under qemu-user, which has success without an answer, this stays 0; libc's tcgetsid() would return garbage. */
	pid_t session = 0;

	return ioctl(master, TIOCGSID, &session) ? 0 : session;
}

void pgrp_signal(int master, pid_t leader, int sig)
{
	pid_t group = tcgetpgrp(master), session;

	if (group <= 0 || fcntl(owned[0], F_SETOWN, -group))
		return;
	session = pgrp_session(master);
	/* a leader that has ended gave up its terminal; its number is reserved until it is waited for */
	if (!session)
		session = leader;
	if (session > 0 && in_session(group, session))
		signal_owner(sig);
}
