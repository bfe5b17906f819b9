// reopen: what login's vhangup() does to a terminal: for a while nobody has it open.
//
//   reopen [-h] CLOSED GO [STATUS]
//
// It says "before", closes the terminal, creates the file CLOSED, waits for the file GO, opens the
// terminal again by name, says "after", exits with STATUS. While it is closed the master reads EIO,
// though the command lives. With GO "-" the terminal is not opened again. -h: after a
// line of input comes a real vhangup(), for which one must be root: whoever has the terminal open loses
// it, and what was written and not read yet is lost.

#include "common.h"

int main(int argc, char **argv)
{
	const char *tty = ttyname(0);
	bool hang_up = argc > 1 && !strcmp(argv[1], "-h");
	int fd;

	peer_name = "reopen";
	argc -= hang_up;
	argv += hang_up;
	if (argc < 3 || !tty)
		die("usage: reopen [-h] CLOSED GO [STATUS], on a terminal");
	tty = strdup(tty);
	write_all(1, "before\n", 7);
	if (hang_up) {
		char c;

		while (read(0, &c, 1) == 1 && c != '\n') {
		}
		signal(SIGHUP, SIG_IGN);
		if (vhangup() < 0)
			die("vhangup: %s", strerror(errno));
	}
	close(0);
	close(1);
	close(2);
	fd = open(argv[1], O_WRONLY | O_CREAT, 0600);
	if (fd < 0)
		return 90;
	close(fd);
	if (strcmp(argv[2], "-")) {
		while (access(argv[2], F_OK) < 0)
			sleep_ms(10);
		if (open(tty, O_RDWR) != 0)
			return 91;
		write_all(0, "after\n", 6);
	}
	return argc > 3 ? (int)number(argv[3]) : 0;
}
