// wire: plays the client of a written conversation, and holds the server to its part.
//
//   wire HOST PORT <FILE
//
// Each line of FILE is "C" and bytes in hexadecimal that are sent, "S" and bytes that must come next, or
// "S end": the server closes. What follows the bytes, behind two blanks, is for the reader.

#include "common.h"
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

enum { PATIENCE = 10000 };

static int fd;

// the bytes of a line
static size_t parse(const char *s, unsigned char *to, size_t room)
{
	size_t n = 0;
	unsigned byte;

	while (n < room && sscanf(s, " %2x", &byte) == 1 && strncmp(s, "  ", 2)) {
		to[n++] = byte;
		s += 3;
	}
	return n;
}

// the next byte from the server, -1 at its end
static int next(void)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	unsigned char byte;

	if (poll(&p, 1, PATIENCE) < 1)
		die("nothing came for %d ms", PATIENCE);
	return read(fd, &byte, 1) == 1 ? byte : -1;
}

static void expect(const unsigned char *bytes, size_t n, const char *line)
{
	for (size_t i = 0; i < n; i++) {
		int got = next();

		if (got != bytes[i])
			die("byte %zu is %d, not %d, of: %s", i, got, bytes[i], line);
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	unsigned char bytes[256];
	char line[512];

	peer_name = "wire";
	if (argc != 3 || inet_pton(AF_INET, argv[1], &a.sin_addr) != 1)
		die("usage: wire HOST PORT");
	a.sin_port = htons(number(argv[2]));
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)))
		die("connect: %s", strerror(errno));
	while (fgets(line, sizeof(line), stdin)) {
		size_t n = parse(line + 1, bytes, sizeof(bytes));

		if (!strncmp(line, "S end", 5)) {
			if (next() >= 0)
				die("more came");
		} else if (line[0] == 'S') {
			expect(bytes, n, line);
		} else if (write(fd, bytes, n) != (ssize_t)n) {
			die("write: %s", strerror(errno));
		}
	}
	return 0;
}
