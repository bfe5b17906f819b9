// fdat: runs COMMAND with descriptor N open, which may be above the soft limit that it has; without a COMMAND it
// says whether it was itself started with N open.
//
//   fdat N [COMMAND [ARG...]]

#include "common.h"
#include <sys/resource.h>

int main(int argc, char **argv)
{
	struct rlimit was, more;
	int n;

	peer_name = "fdat";
	if (argc < 2)
		die("usage: fdat N [COMMAND [ARG...]]");
	n = (int)number(argv[1]);
	if (argc == 2)
		return puts(fcntl(n, F_GETFD) < 0 ? "closed" : "open") == EOF;
	getrlimit(RLIMIT_NOFILE, &was);
	more.rlim_cur = n + 1;
	more.rlim_max = was.rlim_max > more.rlim_cur ? was.rlim_max : more.rlim_cur;
	if (setrlimit(RLIMIT_NOFILE, &more) || dup2(open("/dev/null", O_RDWR), n) < 0)
		die("descriptor %d: %s", n, strerror(errno));
	more.rlim_cur = was.rlim_cur;
	setrlimit(RLIMIT_NOFILE, &more);
	execvp(argv[2], argv + 2);
	die("%s: %s", argv[2], strerror(errno));
}
