// load: both ends of a server that is measured, and what the server itself takes.
//
// The command on its terminal:
//   load command            see command.h
//   load print              writes 100 bytes and ends
// The clients, see clients.h. SPEECH is raw, dtach, abduco, framed or telnet; or program, piped: then ADDR is a program to run,
// on a terminal or between pipes:
//   load echo SPEECH ADDR PID N             N keys and their echoes: "p50 us, p99 us, us of CPU each"
//   load flood SPEECH ADDR PID N            the same beside a session that floods: "p50 us, p99 us, the flood's MB/s"
//   load accept SPEECH ADDR PID N           beside a flood, until a new session speaks, and until TERM has ended the server:
//                                           "p50 ms, p90 ms, ms"
//   load sessions SPEECH ADDR PID N         N sessions: "KiB of private memory each, p50 us of a key, us of CPU each"
//   load session SPEECH ADDR PID N          N whole sessions of `load print`, one after the other: "p50 ms"
//   load replies SPEECH ADDR PID N          two, 300 us apart: "p50 ms until the second is there"
//   load output SPEECH ADDR PID N BYTES CHUNK  BYTES to each of N clients: "MB/s that they got, s of CPU per GiB, % of it[, s
//                                           of CPU per GiB of the program]"
//   load input SPEECH ADDR PID BYTES        what one client types: "MB/s, s of CPU per GiB"
//   load touch ADDR                         comes and goes again; waits till there is a server
// The server:
//   load mem PID...         all of them: "PSS, private dirty KiB, file-backed pages, processes"
//   load kill PID           and all below it
//   load abduco ADDR        the PID of such a server, which goes to the background
//   load port               a free TCP port
//
// ADDR is a path or IPV4:PORT. PID stands for that process and those of its descendants that run the same program: helpers
// of the server, not the command. Every byte is checked: figures are printed only if all that was due came, in order, and
// nothing else. Only where many clients share a terminal may a server leave some out, and output says how much came.

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE = 10000, QUIET = 100, WARM = 200, CHUNK_MAX = 65536 };

static char buf[CHUNK_MAX];

static _Noreturn void die(const char *format, ...)
{
	va_list more;

	fputs("load: ", stderr);
	va_start(more, format);
	vfprintf(stderr, format, more);
	va_end(more);
	fputs("\n", stderr);
	exit(1);
}

static long long now(void) // ns
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void sleep_us(long us)
{
	struct timespec t = {us / 1000000, us % 1000000 * 1000};

	nanosleep(&t, 0);
}

static void write_all(int fd, const char *s, size_t n)
{
	while (n) {
		ssize_t w = write(fd, s, n);

		if (w <= 0)
			die("write: %s", strerror(errno));
		s += w;
		n -= (size_t)w;
	}
}

// What measures a delay runs as soon as it can, where that is allowed: how long it waits for a CPU is not the server's doing.
static void hurry(void)
{
	const struct sched_param first = {.sched_priority = 1};

	sched_setscheduler(0, SCHED_FIFO, &first);
}

static void port(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	socklen_t len = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (struct sockaddr *)&a, len) || getsockname(fd, (struct sockaddr *)&a, &len))
		die("no free port: %s", strerror(errno));
	printf("%d\n", ntohs(a.sin_port));
}

#include "pattern.h"

#include "command.h"
#include "family.h"

#include "clients.h"

#include "measures.h"

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	int args = argc - 2;

	argv += argc > 1 ? 2 : 1;
	signal(SIGPIPE, SIG_IGN);
	pattern_make();
	if (!strcmp(what, "command") && !args)
		command();
	else if (!strcmp(what, "print") && !args)
		write_all(1, pattern_at(0), PRINTED);
	else if (!strcmp(what, "echo") && args == 4)
		echo_idle(argv[0], argv[1], atoi(argv[2]), atol(argv[3]));
	else if (!strcmp(what, "flood") && args == 4)
		echo_beside(argv[0], argv[1], atoi(argv[2]), atol(argv[3]));
	else if (!strcmp(what, "accept") && args == 4)
		accept_beside(argv[0], argv[1], atoi(argv[2]), atol(argv[3]));
	else if (!strcmp(what, "sessions") && args == 4)
		sessions(argv[0], argv[1], atoi(argv[2]), atol(argv[3]));
	else if (!strcmp(what, "session") && args == 4)
		whole(argv[0], argv[1], atol(argv[3]));
	else if (!strcmp(what, "replies") && args == 4)
		replies(argv[0], argv[1], atol(argv[3]));
	else if (!strcmp(what, "output") && args == 6)
		output(argv[0], argv[1], atoi(argv[2]), atoi(argv[3]), atoll(argv[4]),
			atoi(argv[5]));
	else if (!strcmp(what, "input") && args == 4)
		input(argv[0], argv[1], atoi(argv[2]), atoll(argv[3]));
	else if (!strcmp(what, "touch") && args == 1)
		close(dial(argv[0]));
	else if (!strcmp(what, "abduco") && args == 1)
		abduco_pid(argv[0]);
	else if (!strcmp(what, "mem") && args > 0)
		mem(argv);
	else if (!strcmp(what, "kill") && args == 1)
		end(atoi(argv[0]));
	else if (!strcmp(what, "port") && !args)
		port();
	else
		die("see the head of load.c");
	return 0;
}
