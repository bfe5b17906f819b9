// plain: runs COMMAND with default signals (a shell starts `command &` with INT and QUIT ignored),
// or with what a careless parent leaves behind.
//
//   plain [-bif] COMMAND [ARG...]
//
// -b: TERM, USR1, CHLD and WINCH blocked. -i: PIPE, HUP, CHLD and USR1 ignored. -f: descriptors
// 3 to 9 open.

#include "common.h"

int main(int argc, char **argv)
{
	static const int ignored[] = {SIGPIPE, SIGHUP, SIGCHLD, SIGUSR1};
	static const int blocked[] = {SIGTERM, SIGUSR1, SIGCHLD, SIGWINCH};
	sigset_t set;
	int c;

	peer_name = "plain";
	default_signals();
	sigemptyset(&set);
	while ((c = getopt(argc, argv, "+bif")) >= 0) {
		for (int i = 0; i < 4; i++) {
			if (c == 'i')
				signal(ignored[i], SIG_IGN);
			else if (c == 'b')
				sigaddset(&set, blocked[i]);
		}
		for (int fd = 3; c == 'f' && fd < 10; fd++)
			dup2(2, fd);
	}
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (optind == argc)
		die("usage: plain [-bif] COMMAND [ARG...]");
	execvp(argv[optind], argv + optind);
	die("%s: %s", argv[optind], strerror(errno));
}
