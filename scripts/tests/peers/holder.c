// holder: leaves a background child that keeps the terminal open, and exits.
//
//   holder STATUS FIFO [TEXT]
//
// It says "leaving" and exits with STATUS. The child ignores HUP, reads FIFO to its end (so it lasts
// until a writer has come and gone), writes TEXT to the terminal and ends.

#include "common.h"

static void wait_for_writer(const char *fifo)
{
	int fd = open(fifo, O_RDONLY);
	char c;

	if (fd < 0)
		die("%s: %s", fifo, strerror(errno));
	while (read(fd, &c, 1) > 0) {
	}
}

int main(int argc, char **argv)
{
	peer_name = "holder";
	if (argc < 3)
		die("usage: holder STATUS FIFO [TEXT]");
	signal(SIGHUP, SIG_IGN);
	switch (fork()) {
	case -1:
		die("fork: %s", strerror(errno));
	case 0:
		wait_for_writer(argv[2]);
		if (argv[3])
			write_all(1, argv[3], strlen(argv[3]));
		_exit(0);
	}
	write_all(1, "leaving\n", 8);
	return (int)number(argv[1]);
}
