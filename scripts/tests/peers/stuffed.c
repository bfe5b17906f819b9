// stuffed: runs COMMAND with a standard error that takes nothing more, as that of a program whose reader has stopped,
// or under a service manager that has stopped.
//
//   stuffed KIND COMMAND [ARG...]
//
// KIND: pipe, socket (a stream), or terminal (stopped, as by ^S, and full). It is not read as long as COMMAND runs.
// Or manager: NOTIFY_SOCKET is ./notify, whose queue is full as long as there is no file ./reads, and is read into
// the file ./notified then; standard error is free.
// COMMAND's status is the peer's (128+N for signal N); a TERM is passed on to it.

#include "common.h"
#include <pty.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>

static pid_t command;
static int manager = -1;

static void pass_on(int sig)
{
	kill(command, sig);
}

// both ends: [0] is kept
static void open_both(const char *kind, int fd[2])
{
	int bad;

	if (!strcmp(kind, "pipe"))
		bad = pipe(fd);
	else if (!strcmp(kind, "socket"))
		bad = socketpair(AF_UNIX, SOCK_STREAM, 0, fd);
	else if (!strcmp(kind, "terminal"))
		bad = openpty(&fd[0], &fd[1], NULL, NULL, NULL);
	else
		die("%s: no such kind", kind);
	if (bad)
		die("%s: %s", kind, strerror(errno));
	fcntl(fd[0], F_SETFD, FD_CLOEXEC);
}

static void stuff(int fd)
{
	char zeros[512] = {0};

	fcntl(fd, F_SETFL, O_NONBLOCK);
	for (size_t n = sizeof(zeros); n; n /= 2)
		while (write(fd, zeros, n) > 0) {
		}
	fcntl(fd, F_SETFL, 0);
	if (isatty(fd))
		tcflow(fd, TCOOFF);
}

static void open_manager(void)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "./notify"};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (bind(manager, (struct sockaddr *)&un, sizeof(un)) ||
		connect(fd, (struct sockaddr *)&un, sizeof(un)))
		die("./notify: %s", strerror(errno));
	while (send(fd, "x", 1, 0) == 1) {
	}
	close(fd);
	setenv("NOTIFY_SOCKET", "./notify", 1);
}

// what comes behind what stuffed the queue
static void read_manager(void)
{
	char word[64];
	ssize_t n;
	FILE *f;

	if (access("reads", F_OK))
		return;
	while ((n = recv(manager, word, sizeof(word), 0)) >= 0) {
		if (n == 1)
			continue;
		f = fopen("notified", "a");
		fwrite(word, 1, (size_t)n, f);
		fclose(f);
	}
}

int main(int argc, char **argv)
{
	int fd[2], status;

	peer_name = "stuffed";
	if (argc < 3)
		die("usage: stuffed KIND COMMAND [ARG...]");
	if (!strcmp(argv[1], "manager")) {
		open_manager();
	} else {
		open_both(argv[1], fd);
		stuff(fd[1]);
	}
	command = fork();
	if (!command) {
		if (manager < 0) {
			dup2(fd[1], 2);
			close(fd[1]);
		}
		execvp(argv[2], argv + 2);
		_exit(127);
	}
	signal(SIGTERM, pass_on);
	while (waitpid(command, &status, manager < 0 ? 0 : WNOHANG) <= 0) {
		if (manager < 0)
			continue;
		read_manager();
		sleep_ms(10);
	}
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
