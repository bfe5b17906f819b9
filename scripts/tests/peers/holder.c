// holder: leaves a background child that keeps the terminal open, and exits.
//
//   holder STATUS FIFO [TEXT]
//
// It says "leaving" and exits with STATUS. The child ignores HUP, opens FIFO for reading (so it
// lasts until a writer comes), writes TEXT to the terminal and ends.

#include "common.h"

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
		if (open(argv[2], O_RDONLY) < 0)
			die("%s: %s", argv[2], strerror(errno));
		if (argv[3])
			write_all(1, argv[3], strlen(argv[3]));
		_exit(0);
	}
	write_all(1, "leaving\n", 8);
	return (int)number(argv[1]);
}
