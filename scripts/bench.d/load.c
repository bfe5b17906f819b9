// load: both ends of a server that is measured, and what the server itself takes.
//
// The command on its terminal, which is put in raw mode:
//   load write DIR BYTES CHUNK   from the fifo DIR/go to the fifo DIR/done BYTES, CHUNK at a time
//   load echo                    gives back every byte, + 1
//   load reply                   gives back two bytes for every byte, 300 us apart
// The clients; -d speaks as a client of dtach does, -f as one of a framed socket:
//   load output [-df] ADDR PID DIR CLIENTS  runs `write` through; "ns of CPU, bytes received"
//   load keys [-df] ADDR PID N              N times a byte and its echo; "p50 us, us of CPU each"
//   load replies [-df] ADDR N               N times until the second byte; "p50 us"
//   load sessions [-f] ADDR PID N           N connections, each a session: "KiB of private memory
//                                           each, p50 us of a key with one, with all"
//   load touch ADDR                         comes and goes again; waits till there is a server
// The server:
//   load mem PID...       all of them: "PSS, private dirty KiB, file-backed pages, processes"
//   load kill PID         and all below it
//   load port             a free TCP port
//
// ADDR is a path or IPV4:PORT. PID stands for that process and those of its descendants that run
// the same program: helpers of the server, not the command.

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE = 10000, QUIET = 100, WARM = 200, CLIENTS = 64 };

static char buf[1 << 20];
static enum { RAW, DTACH, FRAMED } speech;

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

static void sleep_ms(long ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&t, 0);
}

static int by_value(const void *a, const void *b)
{
	long long x = *(const long long *)a, y = *(const long long *)b;

	return (x > y) - (x < y);
}

static double median_us(long long *ns, long n)
{
	qsort(ns, (size_t)n, sizeof *ns, by_value);
	return (double)ns[n / 2] / 1000;
}

#include "family.h"

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

// ---- the command ----

static void raw(void)
{
	struct termios t;

	prctl(PR_SET_PDEATHSIG, SIGKILL); // whatever the server does or does not do at its end
	if (!tcgetattr(0, &t)) {
		cfmakeraw(&t);
		tcsetattr(0, TCSANOW, &t);
	}
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

// a rendezvous: both ends come back when both are there
static void meet(const char *dir, const char *name, int flags)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	fd = open(path, flags | O_CLOEXEC);
	if (fd < 0)
		die("%s: %s", path, strerror(errno));
	close(fd);
}

static void write_run(const char *dir, long long bytes, long long chunk)
{
	raw();
	memset(buf, 'x', sizeof buf);
	if (chunk < 1 || chunk > (long long)sizeof buf)
		die("a chunk of %lld", chunk);
	meet(dir, "go", O_RDONLY);
	for (; bytes > 0; bytes -= chunk)
		write_all(1, buf, (size_t)(bytes < chunk ? bytes : chunk));
	meet(dir, "done", O_WRONLY);
	for (;;)
		pause();
}

static void echo(void)
{
	ssize_t n;

	raw();
	while ((n = read(0, buf, 4096)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			buf[i]++;
		write_all(1, buf, (size_t)n);
	}
}

static void reply(void)
{
	const struct timespec gap = {0, 300000};

	raw();
	while (read(0, buf, 1) == 1) {
		write_all(1, "a", 1);
		nanosleep(&gap, 0);
		write_all(1, "b", 1);
	}
}

// ---- the clients ----

static int try_connect(const char *addr)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct sockaddr_in in = {.sin_family = AF_INET};
	const char *colon = strchr(addr, ':');
	int fd = socket(colon ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1, failed;

	if (colon) {
		char host[64];

		snprintf(host, sizeof host, "%.*s", (int)(colon - addr), addr);
		inet_pton(AF_INET, host, &in.sin_addr);
		in.sin_port = htons((unsigned short)atoi(colon + 1));
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		failed = connect(fd, (struct sockaddr *)&in, sizeof in);
	} else {
		snprintf(un.sun_path, sizeof un.sun_path, "%s", addr);
		failed = connect(fd, (struct sockaddr *)&un, sizeof un);
	}
	if (!failed)
		return fd;
	close(fd);
	return -1;
}

// when there is a server; one that is about to start is waited for
static int attach(const char *addr)
{
	static const char attach_packet[10] = {1}, hello[] = {0, 1, 0, 102, 0, 0, 0, 0};
	long long give_up = now() + PATIENCE * 1000000LL;
	int fd;

	while ((fd = try_connect(addr)) < 0) {
		if (now() > give_up)
			die("%s: nobody answers", addr);
		sleep_ms(5);
	}
	if (speech == DTACH)
		write_all(fd, attach_packet, sizeof attach_packet);
	if (speech == FRAMED) // and an empty input: its session may start
		write_all(fd, hello, sizeof hello);
	return fd;
}

static void type(int fd, char c)
{
	char push_packet[10] = {0, 1, c}, frame[] = {0, 1, 0, 0, c};

	if (speech == DTACH)
		write_all(fd, push_packet, sizeof push_packet);
	else if (speech == FRAMED)
		write_all(fd, frame, sizeof frame);
	else
		write_all(fd, &c, 1);
}

// until c comes; false after ms
static bool expect(int fd, char c, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char got[4096];

	while (poll(&p, 1, ms) > 0) {
		ssize_t n = read(fd, got, sizeof got);

		if (n <= 0)
			die("the server closes");
		if (memchr(got, c, (size_t)n))
			return true;
	}
	return false;
}

// the command is there and in raw mode once it answers with `answer`
static void wake(int fd, char ask, char answer)
{
	int tries = 100;

	do {
		if (!tries--)
			die("no answer");
		type(fd, ask);
	} while (!expect(fd, answer, 100));
	while (expect(fd, answer, QUIET))
		;
}

// p50 us of n keys, and what they took of the server's CPU in ns
static double echoes(int fd, pid_t pid, long n, long long *cpu)
{
	long long *took = n > 0 ? calloc((size_t)n, sizeof *took) : 0;
	double p50;

	if (!took)
		die("how many?");
	for (long i = -WARM; i < n; i++) {
		long long start;

		if (!i)
			*cpu = family_cpu(pid);
		start = now();
		type(fd, 'a');
		if (!expect(fd, 'b', PATIENCE))
			die("an echo is missing");
		if (i >= 0)
			took[i] = now() - start;
	}
	sleep_ms(20); // what it does after the last one counts too
	*cpu = family_cpu(pid) - *cpu;
	p50 = median_us(took, n);
	free(took);
	return p50;
}

static void keys(const char *addr, pid_t pid, long n)
{
	int fd = attach(addr);
	long long cpu;
	double p50;

	wake(fd, 'a', 'b');
	p50 = echoes(fd, pid, n, &cpu);
	printf("%.1f %.2f\n", p50, (double)cpu / 1000 / (double)n);
}

static void sessions(const char *addr, pid_t pid, long n)
{
	int fd = attach(addr);
	long long cpu;
	double alone, among;
	long before;

	wake(fd, 'a', 'b');
	alone = echoes(fd, pid, 1000, &cpu);
	before = memory("smaps_rollup", "Private_Dirty");
	for (long i = 0; i < n; i++) {
		int other = attach(addr);

		do
			type(other, 'a');
		while (!expect(other, 'b', 100));
	}
	members = 0;
	add_family(pid, false);
	printf("%.1f ", (double)(memory("smaps_rollup", "Private_Dirty") - before) / (double)n);
	among = echoes(fd, pid, 1000, &cpu);
	printf("%.1f %.1f\n", alone, among);
}

static void replies(const char *addr, long n)
{
	long long *took = calloc((size_t)n, sizeof *took);
	int fd = attach(addr);

	if (!took || n < 1)
		die("how many?");
	wake(fd, '?', 'b');
	for (long i = 0; i < n; i++) {
		long long start = now();

		type(fd, '?');
		if (!expect(fd, 'b', PATIENCE))
			die("a reply is missing");
		took[i] = now() - start;
		sleep_ms(2);
	}
	printf("%.0f\n", median_us(took, n));
}

static pid_t drain(int fd, long long *received)
{
	pid_t pid = fork();
	ssize_t n;

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while ((n = read(fd, buf, 65536)) > 0)
		__atomic_add_fetch(received, n, __ATOMIC_RELAXED);
	_exit(0);
}

static long long sum(const long long *received, int clients)
{
	long long bytes = 0;

	for (int i = 0; i < clients; i++)
		bytes += __atomic_load_n(&received[i * 8], __ATOMIC_RELAXED);
	return bytes;
}

static void output(const char *addr, pid_t pid, const char *dir, int clients)
{
	long long *received =
		mmap(0, CLIENTS * 64, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	long long cpu, before, bytes = 0;
	pid_t reader[CLIENTS];

	if (received == MAP_FAILED || clients < 1 || clients > CLIENTS)
		die("%d clients", clients);
	for (int i = 0; i < clients; i++) {
		int fd = attach(addr);

		reader[i] = drain(fd, &received[i * 8]);
		close(fd);
	}
	sleep_ms(QUIET);
	before = sum(received, clients);
	cpu = family_cpu(pid);
	meet(dir, "go", O_WRONLY);
	meet(dir, "done", O_RDONLY);
	do {
		bytes = sum(received, clients);
		sleep_ms(QUIET);
	} while (bytes != sum(received, clients));
	cpu = family_cpu(pid) - cpu;
	for (int i = 0; i < clients; i++) {
		kill(reader[i], SIGKILL);
		waitpid(reader[i], 0, 0);
	}
	printf("%lld %lld\n", cpu, bytes - before);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	argv += argc > 1 ? 2 : 1;
	argc -= 2;
	speech = argc < 1             ? RAW :
		 !strcmp(*argv, "-d") ? DTACH :
		 !strcmp(*argv, "-f") ? FRAMED :
					RAW;
	argv += speech != RAW;
	argc -= speech != RAW;
	signal(SIGPIPE, SIG_IGN);
	if (!strcmp(what, "write") && argc == 3)
		write_run(argv[0], atoll(argv[1]), atoll(argv[2]));
	else if (!strcmp(what, "echo") && !argc)
		echo();
	else if (!strcmp(what, "reply") && !argc)
		reply();
	else if (!strcmp(what, "output") && argc == 4)
		output(argv[0], atoi(argv[1]), argv[2], atoi(argv[3]));
	else if (!strcmp(what, "keys") && argc == 3)
		keys(argv[0], atoi(argv[1]), atol(argv[2]));
	else if (!strcmp(what, "replies") && argc == 2)
		replies(argv[0], atol(argv[1]));
	else if (!strcmp(what, "sessions") && argc == 3)
		sessions(argv[0], atoi(argv[1]), atol(argv[2]));
	else if (!strcmp(what, "touch") && argc == 1)
		close(attach(argv[0]));
	else if (!strcmp(what, "mem") && argc > 0)
		mem(argv);
	else if (!strcmp(what, "kill") && argc == 1)
		end(atoi(argv[0]));
	else if (!strcmp(what, "port") && !argc)
		port();
	else
		die("see the head of load.c");
	return 0;
}
