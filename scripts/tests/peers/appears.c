// appears: what is in a file at the first instant at which it can be opened
//
//   appears FILE
//
// Tries to open it until that works, reads it once, and writes that to standard output.

#include "common.h"
#include <fcntl.h>

int main(int argc, char **argv)
{
	char buf[4096];
	ssize_t n;
	int fd = -1;

	while (argc > 1 && fd < 0)
		fd = open(argv[1], O_RDONLY);
	n = read(fd, buf, sizeof buf);
	return n < 0 || write(1, buf, n) != n;
}
