// inherit: runs a command with many open descriptors.
//
//   inherit N COMMAND [ARG...]    descriptors 3 to N - 1 are open, and as many more may be

#include "common.h"
#include <sys/resource.h>

int main(int argc, char **argv)
{
	struct rlimit limit;
	long n;

	peer_name = "inherit";
	if (argc < 3)
		die("usage: inherit N COMMAND [ARG...]");
	n = number(argv[1]);
	limit.rlim_cur = limit.rlim_max = (rlim_t)(2 * n);
	if (setrlimit(RLIMIT_NOFILE, &limit))
		die("%ld descriptors: %s", 2 * n, strerror(errno));
	for (int fd = 3; fd < n; fd++)
		if (dup2(2, fd) != fd)
			die("dup2: %s", strerror(errno));
	execvp(argv[2], argv + 2);
	die("%s: %s", argv[2], strerror(errno));
}
