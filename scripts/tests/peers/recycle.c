// recycle: a foreground process group whose number is somebody else's by now.
//
//   recycle stale FILE       the command of a session: a group of its own comes to the foreground and ends; its
//                            number goes to FILE, then READY is said. HUP, TERM and USR1 are ignored.
//   recycle orphaned         the same, but the group's leader alone ends: who is left says READY, and GOT N for
//                            TERM, HUP and USR1
//   recycle take N FILE      becomes process and session N (ns_last_pid, in a namespace of one's own), and notes
//                            in FILE that it is TAKEN, and each signal that comes
//   recycle leave N FILE     the same, but the leader ends: another process of its group notes

#include "common.h"
#include <sys/wait.h>

static const int signals[] = {SIGTERM, SIGHUP, SIGUSR1, SIGCONT, SIGINT, SIGQUIT};
enum { SIGNALS = sizeof(signals) / sizeof(*signals) };

static int out;

static void say(const char *word, int n)
{
	char line[64];
	int len = n ? snprintf(line, sizeof(line), "%s %d\n", word, n) :
		      snprintf(line, sizeof(line), "%s\n", word);

	if (write(out, line, len) != len)
		die("cannot write");
}

// says what comes, until it is killed
static void note(const char *ready)
{
	sigset_t set;
	int sig;

	sigemptyset(&set);
	for (int i = 0; i < SIGNALS; i++)
		sigaddset(&set, signals[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	say(ready, 0);
	while (!sigwait(&set, &sig))
		say("GOT", sig);
}

static void foreground(pid_t group)
{
	signal(SIGTTOU, SIG_IGN);
	if (tcsetpgrp(0, group))
		die("tcsetpgrp: %s", strerror(errno));
}

static void stale(const char *file)
{
	FILE *number;
	pid_t pid = fork();

	if (!pid) {
		setpgid(0, 0);
		foreground(getpid());
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	if (tcgetpgrp(0) != pid)
		die("the terminal forgot the group");
	number = fopen(file, "we");
	if (!number || fprintf(number, "%d\n", pid) < 0 || fclose(number))
		die("%s: %s", file, strerror(errno));
	signal(SIGHUP, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGUSR1, SIG_IGN);
	say("READY", 0);
	for (;;)
		pause();
}

static void orphaned(void)
{
	pid_t pid = fork();

	signal(SIGHUP, SIG_IGN);
	if (!pid) {
		setpgid(0, 0);
		foreground(getpid());
		if (fork())
			_exit(0);
		while (getpgrp() != getpid() && getsid(getpgrp()) >= 0)
			sleep_ms(1); // until the leader has been waited for
		note("READY");
	}
	waitpid(pid, NULL, 0);
	for (;;)
		pause();
}

static void take(pid_t wanted, bool leave)
{
	for (int i = 0; i < 10000; i++) {
		FILE *last = fopen("/proc/sys/kernel/ns_last_pid", "we");
		pid_t pid;

		if (!last || fprintf(last, "%d", wanted - 1) < 0 || fclose(last))
			die("ns_last_pid: %s", strerror(errno));
		pid = fork();
		if (!pid && getpid() != wanted)
			_exit(0);
		if (!pid) {
			setsid();
			if (leave && fork())
				_exit(0);
			while (leave && getsid(wanted) >= 0)
				sleep_ms(1);
			note("TAKEN");
		}
		waitpid(pid, NULL, 0);
		if (pid == wanted)
			return;
	}
	die("%d is not to be had", wanted);
}

int main(int argc, char **argv)
{
	peer_name = "recycle";
	out = 1;
	if (argc == 3 && !strcmp(argv[1], "stale"))
		stale(argv[2]);
	else if (argc == 2 && !strcmp(argv[1], "orphaned"))
		orphaned();
	else if (argc == 4 && (!strcmp(argv[1], "take") || !strcmp(argv[1], "leave"))) {
		out = open(argv[3], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
		take((pid_t)number(argv[2]), !strcmp(argv[1], "leave"));
	} else
		die("usage: recycle stale FILE | orphaned | take N FILE | leave N FILE");
	return 0;
}
