/* pstore.c: what the kernel kept of the time before the machine went down, as lines in a session's output (-c).
 *
 *	each file of /sys/fs/pstore: header, lines --> session_put_lines(), before the kernel's log
 *
 * The kernel stores the end of its log there when it panics, in memory that outlives a restart (ramoops, EFI variables,
 * ERST; Documentation/admin-guide/ramoops.rst).  It is shown once, at the start, in the order of the files' names, and
 * the files stay.  Each file gets an equal share of three eighths of the ring, and of what those before it have left; of a
 * longer one the end is shown, which says why the machine went down.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "server.h"

/* Bytes in one read: as lines they are twice as many at most, and fit into SESSION_LINES. */
enum { PIECE = 1000 };

static const char dir[] = "/sys/fs/pstore/";

/* A search for the lowest name above another one. */
struct search {
	char above[256], name[256];
	int count; /* how many are above it */
};

static int look_at(int fd, const char *name, void *of)
{
	struct search *s = of;

	(void)fd;
	if (*name == '.' || strcmp(name, s->above) <= 0)
		return 0;
	s->count++;
	if (s->count == 1 || strcmp(name, s->name) < 0)
		memcpy(s->name, name, strlen(name) + 1);
	return 0;
}

static void put(struct session *s, const char *text, size_t n)
{
	char lines[2 * PIECE + 2];
	struct text t = {lines, lines + sizeof lines};

	for (const char *end = text + n; text < end;)
		if (*text == '\n') {
			text_str(&t, "\r\n");
			text++;
		} else {
			text += text_shown(&t, text, end - text);
		}
	if (t.at[-1] != '\n')
		text_str(&t, "\r\n");
	session_put_lines(s, lines, t.at - lines);
}

/* Shows the file, from a position on, in pieces that end with a line unless the line is longer than a piece. */
static void put_contents(struct session *s, int fd, off_t at, off_t size)
{
	char piece[PIECE];
	ssize_t n;

	while (at < size && (n = pread(fd, piece, sizeof piece, at)) > 0) {
		const char *last = memrchr(piece, '\n', n);

		n = last ? last + 1 - piece : n;
		put(s, piece, n);
		at += n;
	}
}

/* Shows a file's last bytes, at most max, behind a header; returns how many bytes both are. */
static long put_file(struct session *s, const char *name, long max)
{
	char line[sizeof dir + 256 + 64];
	struct text t = {line, line + sizeof line - 1};
	struct stat st;
	long shown = 0;
	int fd;

	text_str(&t, dir);
	text_str(&t, name);
	*t.at = '\0';
	fd = open(line, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode)) {
		shown = st.st_size < max ? st.st_size : max;
		if (shown < st.st_size) {
			text_str(&t, ", the last ");
			text_num(&t, shown);
			text_str(&t, " bytes");
		}
		text_str(&t, ":");
		put(s, line, t.at - line);
		put_contents(s, fd, st.st_size - shown, st.st_size);
		shown += t.at - line;
	}
	close(fd);
	return shown;
}

void pstore_show(struct session *s)
{
	struct search found = {0};
	long left = s->ring.size / 8 * 3;

	while (left > 0 && !io_names(dir, look_at, &found) && found.count) {
		left -= put_file(s, found.name, left / found.count);
		memcpy(found.above, found.name, sizeof found.name);
		found.count = 0;
	}
}
