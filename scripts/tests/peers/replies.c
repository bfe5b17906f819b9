// replies: says READY, then answers every "?" it reads with two writes, "a" and, 300 us later, "b": what
// Nagle's algorithm delays. All else that comes in is eaten.

#include "common.h"
#include <termios.h>

int main(void)
{
	const struct timespec gap = {0, 300000};
	struct termios t;
	char c;

	if (tcgetattr(0, &t) == 0) {
		cfmakeraw(&t);
		tcsetattr(0, TCSANOW, &t);
	}
	write_all(1, "READY", 5);
	while (read(0, &c, 1) == 1) {
		if (c != '?')
			continue;
		write_all(1, "a", 1);
		nanosleep(&gap, NULL);
		write_all(1, "b", 1);
	}
	return 0;
}
