/* unit.h: what the unit applets share: how they report a check, and how they cut a stream into pieces */
#include <string.h>
#include "libbb.h"

static int failed; /* a check has failed: the applet's exit status */

static inline void say(const char *s)
{
	io_write_all(1, s, strlen(s));
}

/* Prints control characters and bytes over 126 as \ooo. */
static inline void say_visibly(const char *s, size_t n)
{
	for (; n--; s++) {
		unsigned char c = (unsigned char)*s;
		char octal[] = {'\\', (char)('0' + (c >> 6)), (char)('0' + (c >> 3 & 7)),
			(char)('0' + (c & 7)), 0};

		say(c < ' ' || c > 126 ? octal : (char[]){(char)c, 0});
	}
}

/* Reports a check of this file of the core. */
static inline void check(int right, const char *file, const char *which)
{
	say(right ? "ok " : "FAIL ");
	say(file);
	say(": ");
	say_visibly(which, strlen(which));
	say("\n");
	failed |= !right;
}

/* How a stream is cut: 0 into single bytes, 1 to 7 into random pieces, WHOLE not at all. */
enum { WHOLE = 8 };

/* The length of the next piece. */
static inline size_t piece(int how, size_t left)
{
	static unsigned long seed = 1;
	size_t n = 1;

	seed = seed * 1103515245 + 12345;
	if (how == WHOLE)
		return left;
	if (how)
		n = 1 + (seed >> 16) % 7;
	return n < left ? n : left;
}

static char written[MODES_TEXT + 64]; /* what the case at hand has written */

/* Whether the text in `written`, up to t->at, is what is wanted; else prints it. */
static inline int wrote(const struct text *t, const char *want)
{
	size_t n = (size_t)(t->at - written);

	if (n == strlen(want) && !memcmp(written, want, n))
		return 1;
	say("got ");
	say_visibly(written, n);
	say("\n");
	return 0;
}
