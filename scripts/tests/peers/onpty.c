// onpty: runs COMMAND on a terminal of its own and types at it: a very small expect.
//
//   onpty [-s ROWSxCOLS] [-o FILE] [-t SECS] [ACTION...] -- COMMAND [ARG...]
//
// The actions are done in turn, then COMMAND's end is waited for. What it wrote goes to standard
// output (or FILE); its status is onpty's (128+N for signal N); 99 is an action that failed, with
// the reason on standard error. TEXT knows C escapes. -t: how long an action waits for
// anything (15).
//
//   expect:TEXT    wait until TEXT comes, after what the last expect found
//   send:TEXT      type it
//   taken          wait until what was typed has been read (by someone)
//   gen:N          type N test bytes
//   file:NAME      wait until this file exists
//   raw, cooked    wait until the terminal is, by its canonical mode
//   blocking       fail if O_NONBLOCK is set on the terminal's open file description
//   restored       the same, and fail if the modes are not those of the start
//   sh:SCRIPT      sh -c SCRIPT must succeed; $PID is COMMAND's
//   frozen, thawed the terminal takes no output; takes it again
//   resize:RxC     signal:NAME      eof (the VEOF character)      stop      cont
//   exit           wait for COMMAND's end
//   hangup         close the master side; nothing can be read after it

#include "common.h"
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>

static int master, slave, out = 1;
static struct termios modes;
static long patience = 15000;
static pid_t command;
static bool over, hung_up;
static int status;
static char *got;
static size_t got_len, got_room, found;

static void fail(const char *action, const char *what)
{
	fprintf(stderr, "onpty: %s: %s; seen since the last expect: \"", action, what);
	show(got + found, got_len - found < 2000 ? got_len - found : 2000);
	fprintf(stderr, "\"\n");
	if (!over)
		kill(command, SIGKILL);
	write_all(out, got, got_len);
	exit(99);
}

// reads what is there, waiting ms for it; false if nothing came
static bool take(int ms)
{
	struct pollfd p = {.fd = hung_up ? -1 : master, .events = POLLIN};
	ssize_t n;

	if (got_room - got_len < 65536) {
		got_room = got_room * 2 + 65536;
		got = realloc(got, got_room);
		if (!got)
			die("out of memory");
	}
	if (poll(&p, 1, ms) <= 0 || !(p.revents & POLLIN))
		return false;
	n = read(master, got + got_len, 65536);
	if (n <= 0)
		return false;
	got_len += (size_t)n;
	return true;
}

static void reap(void)
{
	if (!over && waitpid(command, &status, WNOHANG) == command)
		over = true;
}

static void expect(const char *action, const char *text, size_t len)
{
	long long end = now_ms() + patience;

	for (;;) {
		char *at = got ? memmem(got + found, got_len - found, text, len) : NULL;

		if (at) {
			found = (size_t)(at - got) + len;
			return;
		}
		if (take(20))
			end = now_ms() + patience;
		else if (over)
			fail(action, "the command ended");
		else
			reap();
		if (now_ms() > end)
			fail(action, "not seen");
	}
}

static void send(const char *action, const char *text, size_t len)
{
	long long end = now_ms() + patience;

	while (len) {
		struct pollfd p = {.fd = master, .events = POLLOUT};
		ssize_t n = 0;

		if (poll(&p, 1, 20) > 0 && (p.revents & POLLOUT))
			n = write(master, text, len);
		if (n > 0) {
			text += n;
			len -= (size_t)n;
			end = now_ms() + patience;
		}
		while (take(0)) {
		}
		if (now_ms() > end)
			fail(action, "not taken by the terminal");
	}
}

static bool is_canonical(void)
{
	struct termios t;

	return tcgetattr(slave, &t) == 0 && (t.c_lflag & ICANON);
}

static bool is_taken(void)
{
	int n;

	return ioctl(slave, FIONREAD, &n) == 0 && n == 0;
}

static bool is_raw(void)
{
	return !is_canonical();
}

static bool is_over(void)
{
	reap();
	return over;
}

static const char *file;

static bool is_there(void)
{
	return access(file, F_OK) == 0;
}

static void until(const char *action, bool (*condition)(void))
{
	long long end = now_ms() + patience;

	while (!condition()) {
		if (take(10))
			end = now_ms() + patience;
		if (hung_up)
			sleep_ms(10);
		if (now_ms() > end)
			fail(action, "it does not happen");
	}
}

static void check_modes(const char *action, bool all)
{
	struct termios t;

	if (fcntl(slave, F_GETFL) & O_NONBLOCK)
		fail(action, "O_NONBLOCK was left on the terminal");
	if (!all)
		return;
	if (tcgetattr(slave, &t) < 0)
		fail(action, strerror(errno));
	if (t.c_iflag != modes.c_iflag || t.c_oflag != modes.c_oflag ||
		t.c_cflag != modes.c_cflag || t.c_lflag != modes.c_lflag ||
		memcmp(t.c_cc, modes.c_cc, sizeof(t.c_cc)))
		fail(action, "the terminal's modes are not those of the start");
}

static void resize(const char *size)
{
	struct winsize ws = {0};

	if (sscanf(size, "%hux%hu", &ws.ws_row, &ws.ws_col) != 2)
		die("%s: not a size", size);
	ioctl(master, TIOCSWINSZ, &ws);
}

static void run_script(const char *action, const char *script)
{
	char pid[32];
	int r;

	snprintf(pid, sizeof(pid), "%d", command);
	setenv("PID", pid, 1);
	r = system(script);
	if (r)
		fail(action, "failed");
}

static void generate(const char *action, long n)
{
	unsigned char buf[4096];

	for (long at = 0; at < n; at += (long)sizeof(buf)) {
		size_t k = n - at < (long)sizeof(buf) ? (size_t)(n - at) : sizeof(buf);

		test_bytes(buf, (uint64_t)at, k, false);
		send(action, (char *)buf, k);
	}
}

// the action is "word" or "word:text"
static void act(const char *action)
{
	char *text = strchr(action, ':'), *copy;
	char word[16];
	size_t len;

	snprintf(word, sizeof(word), "%.*s", text ? (int)(text - action) : 15, action);
	text = copy = strdup(text ? text + 1 : "");
	if (!strcmp(word, "expect") || !strcmp(word, "send")) {
		len = unescape(text);
		(*word == 'e' ? expect : send)(action, text, len);
	} else if (!strcmp(word, "gen")) {
		generate(action, number(text));
	} else if (!strcmp(word, "file")) {
		file = text;
		until(action, is_there);
	} else if (!strcmp(word, "resize")) {
		resize(text);
	} else if (!strcmp(word, "signal")) {
		kill(command, signal_number(text));
	} else if (!strcmp(word, "stop") || !strcmp(word, "cont")) {
		kill(command, *word == 's' ? SIGSTOP : SIGCONT);
	} else if (!strcmp(word, "sh")) {
		run_script(action, text);
	} else if (!strcmp(word, "taken")) {
		until(action, is_taken);
	} else if (!strcmp(word, "raw")) {
		until(action, is_raw);
	} else if (!strcmp(word, "cooked")) {
		until(action, is_canonical);
	} else if (!strcmp(word, "frozen") || !strcmp(word, "thawed")) {
		tcflow(slave, *word == 'f' ? TCOOFF : TCOON);
	} else if (!strcmp(word, "exit")) {
		until(action, is_over);
	} else if (!strcmp(word, "eof")) {
		send(action, (char *)&modes.c_cc[VEOF], 1);
	} else if (!strcmp(word, "blocking") || !strcmp(word, "restored")) {
		check_modes(action, *word == 'r');
	} else if (!strcmp(word, "hangup")) {
		close(slave);
		close(master);
		hung_up = true;
	} else {
		die("%s: no such action", action);
	}
	free(copy);
}

static void open_pty(const char *size)
{
	int off = 0;

	master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (master < 0 || ioctl(master, TIOCSPTLCK, &off) < 0)
		die("/dev/ptmx: %s", strerror(errno));
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		die("terminal: %s", strerror(errno));
	tcgetattr(slave, &modes);
	fcntl(master, F_SETFL, O_NONBLOCK);
	resize(size);
}

static void run(char **argv)
{
	command = fork();
	if (command < 0)
		die("fork: %s", strerror(errno));
	if (command)
		return;
	default_signals();
	setsid();
	ioctl(slave, TIOCSCTTY, 0);
	for (int fd = 0; fd < 3; fd++)
		dup2(slave, fd);
	execvp(*argv, argv);
	fprintf(stderr, "onpty: %s: %s\n", *argv, strerror(errno));
	_exit(127);
}

int main(int argc, char **argv)
{
	const char *size = "24x80", *file_out = NULL;
	int c, end;

	peer_name = "onpty";
	peer_failure = 99;
	while ((c = getopt(argc, argv, "+s:o:t:")) >= 0) {
		switch (c) {
		case 's':
			size = optarg;
			break;
		case 'o':
			file_out = optarg;
			break;
		case 't':
			patience = number(optarg) * 1000;
			break;
		default:
			return 99;
		}
	}
	if (!strcmp(argv[optind - 1], "--"))
		optind--; /* no actions */
	for (end = optind; end < argc && strcmp(argv[end], "--"); end++) {
	}
	if (end >= argc - 1)
		die("usage: onpty [-s RxC] [-o FILE] [-t SECS] [ACTION...] -- COMMAND [ARG...]");
	if (file_out && (out = open(file_out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) < 0)
		die("%s: %s", file_out, strerror(errno));
	open_pty(size);
	run(argv + end + 1);
	for (int i = optind; i < end; i++)
		act(argv[i]);
	until("the end", is_over);
	if (!hung_up)
		close(slave);
	while (take(500)) {
	}
	write_all(out, got, got_len);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
