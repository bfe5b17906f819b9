// command.h: the command on the terminal, which puts it in raw mode, says "!" and then does what a line of input says.
//
// One command for all measures, because a server of many sessions runs one command:
//   ?                 answers "!"
//   e                 gives back every byte + 1, from now on
//   o BYTES CHUNK     writes that much of the pattern, CHUNK at a time; 0 BYTES: without end
//   i BYTES           reads that much, and answers "+" if it was the pattern, else "-"
//   r                 answers every byte with two, 300 us apart

enum { PRINTED = 100 };

static void raw_terminal(int fd)
{
	struct termios t;

	prctl(PR_SET_PDEATHSIG, SIGKILL); // whatever its parent does or does not do at its end
	if (!tcgetattr(fd, &t)) {
		cfmakeraw(&t);
		tcsetattr(fd, TCSANOW, &t);
	}
}

static void do_echo(void)
{
	ssize_t n;

	hurry();
	while ((n = read(0, buf, sizeof buf)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			buf[i]++;
		write_all(1, buf, (size_t)n);
	}
}

static void do_output(long long bytes, long chunk)
{
	if (chunk < 1 || chunk > CHUNK_MAX)
		exit(1);
	for (long long at = 0; !bytes || at < bytes; at += chunk)
		write_all(1, pattern_at((uint64_t)at),
			(size_t)(bytes && bytes - at < chunk ? bytes - at : chunk));
}

static void do_input(long long bytes)
{
	bool good = true;

	for (long long at = 0; at < bytes;) {
		ssize_t n = read(0, buf, sizeof buf);

		if (n <= 0)
			exit(1);
		good = good && n <= bytes - at && pattern_is((uint64_t)at, buf, (size_t)n);
		at += n;
	}
	write_all(1, good ? "+" : "-", 1);
}

static void do_replies(void)
{
	while (read(0, buf, 1) == 1) {
		write_all(1, "a", 1);
		sleep_us(300);
		write_all(1, "b", 1);
	}
}

static void command(void)
{
	char line[64];
	size_t n = 0;

	raw_terminal(0);
	write_all(1, "!", 1);
	while (n < sizeof line - 1 && read(0, line + n, 1) == 1) {
		char *more;
		long long bytes;

		if (line[n] == '?')
			write_all(1, "!", 1);
		else if (line[n] != '\n')
			n++;
		if (line[n] != '\n')
			continue;
		line[n] = '\0';
		bytes = strtoll(line + 1, &more, 10);
		n = 0;
		switch (*line) {
		case 'e':
			do_echo();
			return;
		case 'o':
			do_output(bytes, strtol(more, 0, 10));
			break;
		case 'i':
			do_input(bytes);
			break;
		case 'r':
			do_replies();
			return;
		}
	}
}
