// recall: how often the key in KEYFILE stands in the memory of process PID, as text and as bytes.
//
//	recall PID KEYFILE     says "text N bytes N"

#include "common.h"

enum { CHARS = 44, KEY = 32, PIECE = 1 << 20 };

static unsigned char text[CHARS], key[KEY];
static long texts, keys;

static void decode(void)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	unsigned bits = 0;
	int have = 0, n = 0;

	for (int i = 0; i < CHARS - 1; i++) {
		bits = bits << 6 | (unsigned)(strchr(digits, text[i]) - digits);
		have += 6;
		if (have >= 8 && n < KEY) {
			have -= 8;
			key[n++] = (unsigned char)(bits >> have);
		}
	}
}

static long count(const unsigned char *p, size_t n, const unsigned char *what, size_t len)
{
	const unsigned char *end = p + n;
	long found = 0;

	while ((p = memmem(p, (size_t)(end - p), what, len))) {
		found++;
		p += len;
	}
	return found;
}

// piece by piece, which overlap by less than what is looked for
static void search(int mem, unsigned long from, unsigned long to)
{
	static unsigned char buf[PIECE + CHARS];

	while (from < to) {
		size_t want = to - from < PIECE ? to - from : PIECE;
		ssize_t n = pread(mem, buf, want, (off_t)from);

		if (n <= 0)
			return;
		texts += count(buf, (size_t)n, text, CHARS - 2);
		keys += count(buf, (size_t)n, key, KEY);
		if ((size_t)n == to - from)
			return;
		from += (size_t)n > CHARS ? (size_t)n - CHARS : (size_t)n;
	}
}

int main(int argc, char **argv)
{
	char path[64], line[512];
	unsigned long from, to, begin = 0, end = 0;
	char readable;
	FILE *maps;
	int fd;

	peer_name = "recall";
	if (argc != 3)
		die("usage: recall PID KEYFILE");
	fd = open(argv[2], O_RDONLY);
	if (fd < 0 || read(fd, text, CHARS) != CHARS)
		die("%s: no key", argv[2]);
	close(fd);
	decode();
	snprintf(path, sizeof(path), "/proc/%.20s/maps", argv[1]);
	maps = fopen(path, "re");
	snprintf(path, sizeof(path), "/proc/%.20s/mem", argv[1]);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (!maps || fd < 0)
		die("%s: %s", path, strerror(errno));
	// mappings without a gap are searched as one: .bss begins within the last page of .data
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %c", &from, &to, &readable) != 3 || readable != 'r' ||
			to - from >= 1UL << 32) // a sanitizer's shadow is larger
			continue;
		if (from != end) {
			search(fd, begin, end);
			begin = from;
		}
		end = to;
	}
	search(fd, begin, end);
	printf("text %ld bytes %ld\n", texts, keys);
	return 0;
}
