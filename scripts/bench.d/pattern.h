// pattern.h: the bytes that are moved, so that one that is lost, doubled or in the wrong place is seen.
//
// The byte at a position depends on the position alone. They repeat only after a prime number of bytes, so that what a server
// loses a bufferful at a time shifts them too, and they are printable: no terminal and no protocol means anything by them.

enum { PERIOD = 65521 };

static char pattern[PERIOD + CHUNK_MAX];

static void pattern_make(void)
{
	uint64_t x = 1;

	for (size_t i = 0; i < sizeof pattern; i++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		pattern[i] =
			i < PERIOD ? (char)('0' + (x >> 58)) : pattern[i - PERIOD]; // '0' to 'o'
	}
}

// n bytes of it, at most CHUNK_MAX, from a position on
static const char *pattern_at(uint64_t position)
{
	return pattern + position % PERIOD;
}

static bool pattern_is(uint64_t position, const char *s, size_t n)
{
	return !memcmp(pattern_at(position), s, n);
}
