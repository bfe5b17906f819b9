// hangup: hangs its own terminal up as login does, opens it again, and runs COMMAND there.
//
//   hangup COMMAND [ARG...]

#include "common.h"
#include <sys/ioctl.h>

int main(int argc, char **argv)
{
	char *name = ttyname(0);
	int fd;

	peer_name = "hangup";
	if (argc < 2 || !name)
		die("usage, on a terminal: hangup COMMAND [ARG...]");
	name = strdup(name);
	signal(SIGHUP, SIG_IGN);
	vhangup();
	signal(SIGHUP, SIG_DFL);
	fd = open(name, O_RDWR);
	if (fd < 0)
		die("%s: %s", name, strerror(errno));
	for (int i = 0; i < 3; i++)
		dup2(fd, i);
	execvp(argv[1], argv + 1);
	die("%s: %s", argv[1], strerror(errno));
}
