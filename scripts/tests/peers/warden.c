// warden: runs the shell of one test file, and sees that every test ends and leaves nothing behind.
//
//   warden COMMAND [ARG...]
//
// COMMAND's descriptor 8 takes requests, one a line, and 9 gives one line of answer for each:
//   begin SECS   a test starts: whatever runs from now on is the test's, and dies after SECS
//   end          it ended; whatever of it still runs 2 s later is killed. The answer names what was
//                killed, after the word "timeout" if the time was up
//   finish       the same for everything but COMMAND itself
//
// Being a subreaper, the warden is the parent of every daemon a test leaves, so nothing escapes: at
// the end, and when a file is silent outside its tests for 2 minutes, it kills all its descendants.

#include "common.h"
#include <ctype.h>
#include <dirent.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>

enum { GRACE = 2000, SILENCE = 120000 };

struct proc {
	pid_t pid, parent;
	unsigned long long start;
	char state, name[32];
	bool ours;
};

struct procs {
	struct proc *p;
	size_t n, room;
};

static struct procs before, seen;
static pid_t shell, self;
static char report[4000];
static bool testing, timeout, shell_over;
static int shell_status;
static long long deadline;
static volatile sig_atomic_t told_to_stop;

static bool proc_read(const char *pid, struct proc *p)
{
	char path[64], line[1024], *open, *close;
	FILE *in;
	bool ok;

	snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
	in = fopen(path, "re");
	if (!in)
		return false;
	ok = fgets(line, sizeof(line), in) && (open = strchr(line, '(')) &&
	     (close = strrchr(line, ')')) &&
	     sscanf(close + 1,
		     " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d"
		     " %*d %*d %*d %*d %llu",
		     &p->state, &p->parent, &p->start) == 3;
	fclose(in);
	if (ok) {
		*close = 0;
		snprintf(p->name, sizeof(p->name), "%.31s", open + 1);
		p->pid = atoi(pid);
	}
	return ok;
}

static struct proc *find(struct procs *all, pid_t pid)
{
	for (size_t i = 0; i < all->n; i++)
		if (all->p[i].pid == pid)
			return &all->p[i];
	return NULL;
}

// fills `all` with the living descendants of this process
static void descendants(struct procs *all)
{
	DIR *dir = opendir("/proc");
	struct dirent *e;
	bool grown = true;
	size_t kept = 0;

	all->n = 0;
	while (dir && (e = readdir(dir))) {
		if (!isdigit((unsigned char)*e->d_name))
			continue;
		if (all->n == all->room) {
			all->room = all->room * 2 + 256;
			all->p = realloc(all->p, all->room * sizeof(*all->p));
			if (!all->p)
				die("out of memory");
		}
		all->p[all->n].ours = false;
		all->n += proc_read(e->d_name, &all->p[all->n]);
	}
	if (dir)
		closedir(dir);
	while (grown) {
		grown = false;
		for (size_t i = 0; i < all->n; i++) {
			struct proc *p = &all->p[i], *up;

			if (p->ours)
				continue;
			up = p->parent == self ? NULL : find(all, p->parent);
			p->ours = p->parent == self || (up && up->ours);
			grown |= p->ours;
		}
	}
	for (size_t i = 0; i < all->n; i++)
		if (all->p[i].ours && all->p[i].state != 'Z' && all->p[i].state != 'X')
			all->p[kept++] = all->p[i];
	all->n = kept;
}

static void reap(void)
{
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != shell)
			continue;
		shell_over = true;
		shell_status = WEXITSTATUS(status);
		if (WIFSIGNALED(status))
			shell_status = 128 + WTERMSIG(status);
	}
}

// is it to go: everything but the shell, and in a test only what that began
static bool is_target(const struct proc *p, bool shell_too)
{
	struct proc *old;

	if (p->pid == shell)
		return shell_too;
	if (!testing)
		return true;
	old = find(&before, p->pid);
	return !old || old->start != p->start;
}

static size_t targets(bool shell_too)
{
	size_t n = 0;

	reap();
	descendants(&seen);
	for (size_t i = 0; i < seen.n; i++)
		n += is_target(&seen.p[i], shell_too);
	return n;
}

// kills them all, notes the names of those in the first round
static void kill_targets(bool shell_too)
{
	bool first = true;

	while (targets(shell_too)) {
		for (size_t i = 0; i < seen.n; i++) {
			struct proc *p = &seen.p[i];
			size_t len = strlen(report);

			if (!is_target(p, shell_too))
				continue;
			kill(p->pid, SIGKILL);
			if (first && len < sizeof(report) - 64)
				snprintf(report + len, sizeof(report) - len, " %s(%d)", p->name,
					p->pid);
		}
		first = false;
		sleep_ms(2);
	}
}

static void grace(void)
{
	long long end = now_ms() + GRACE;

	while (now_ms() < end && targets(false))
		sleep_ms(5);
	kill_targets(false);
}

static void answer(int fd, const char *line)
{
	dprintf(fd, "%s\n", line);
}

static void request(char *line, int fd)
{
	if (!strncmp(line, "begin ", 6)) {
		reap();
		descendants(&before);
		testing = true;
		timeout = false;
		*report = 0;
		deadline = now_ms() + number(line + 6) * 1000;
		answer(fd, "ok");
		return;
	}
	if (!strcmp(line, "finish")) {
		*report = 0;
		testing = timeout = false;
	}
	if (!timeout)
		grace();
	testing = false;
	deadline = now_ms() + SILENCE;
	dprintf(fd, "%s%s\n", timeout ? "timeout" : "", report);
}

static void requests(int in, int out)
{
	static char buf[256];
	static size_t n;
	ssize_t k = read(in, buf + n, sizeof(buf) - 1 - n);
	char *end;

	if (k <= 0)
		return;
	n += (size_t)k;
	buf[n] = 0;
	while ((end = strchr(buf, '\n'))) {
		*end = 0;
		request(buf, out);
		n -= (size_t)(end + 1 - buf);
		memmove(buf, end + 1, n + 1);
	}
}

static void on_signal(int s)
{
	if (s != SIGCHLD)
		told_to_stop = s;
}

static void start(char **argv, int asks, int answers)
{
	shell = fork();
	if (shell < 0)
		die("fork: %s", strerror(errno));
	if (shell)
		return;
	default_signals();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	asks = fcntl(asks, F_DUPFD_CLOEXEC, 10);
	answers = fcntl(answers, F_DUPFD_CLOEXEC, 10);
	dup2(asks, 8);
	dup2(answers, 9);
	execvp(*argv, argv);
	die("%s: %s", *argv, strerror(errno));
}

int main(int argc, char **argv)
{
	static const int handled[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP};
	int asks[2], answers[2];
	struct pollfd p;
	sigset_t caught, old;

	peer_name = "warden";
	if (argc < 2)
		die("usage: warden COMMAND [ARG...]");
	self = getpid();
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	sigemptyset(&caught);
	for (int i = 0; i < 4; i++) {
		struct sigaction sa = {.sa_handler = on_signal};

		sigaction(handled[i], &sa, NULL);
		sigaddset(&caught, handled[i]);
	}
	signal(SIGPIPE, SIG_IGN);
	sigprocmask(SIG_BLOCK, &caught, &old);
	if (pipe2(asks, O_CLOEXEC) < 0 || pipe2(answers, O_CLOEXEC) < 0)
		die("pipe: %s", strerror(errno));
	start(argv + 1, asks[1], answers[0]);
	p = (struct pollfd){.fd = asks[0], .events = POLLIN};
	deadline = now_ms() + SILENCE;
	while (!shell_over && !told_to_stop) {
		long long left = deadline - now_ms();
		struct timespec t = {left / 1000, left % 1000 * 1000000};
		int n;

		if (left <= 0) {
			timeout = testing;
			kill_targets(!testing);
			deadline = now_ms() + SILENCE;
			continue;
		}
		n = ppoll(&p, 1, &t, &old);
		reap();
		if (n > 0)
			requests(asks[0], answers[1]);
	}
	testing = false;
	kill_targets(true);
	return told_to_stop ? 128 + told_to_stop : shell_status;
}
