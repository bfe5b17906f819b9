/* stats.c: what -S answers: one JSON object (RFC 8259) about a server.
 *
 * The text is made in one large mapped buffer, of which only the used pages exist, and written to
 * one asker at a time; the next one waits to be accepted.
 *
 * config STATS y statistics (-S)
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "libbb.h"

enum { SIZE = 4 << 20, PATIENCE = 5000 };

static struct text text;
static char *start;
static size_t done;
static msec began;

/* What is no character for a terminal is escaped: whoever asks with nc reads it on one.  A byte that is no
 * UTF-8 becomes the character of that number, as C1 in UTF-8 (its first byte is C2) is one. */
void stats_str(struct text *t, const char *s)
{
	const char *end = s + strlen(s);

	text_str(t, "\"");
	while (s < end) {
		size_t len = text_char(s, end - s);

		if (*s == '"' || *s == '\\')
			len = 0;
		if (!len) {
			s += (unsigned char)s[0] == 0xc2 && (s[1] & 0xe0) == 0x80;
			text_str(t, (unsigned char)*s < 16 ? "\\u000" : "\\u00");
			text_hex(t, (unsigned char)*s++);
		}
		for (; len; len--)
			text_str(t, (char[]){*s++, '\0'});
	}
	text_str(t, "\"");
}

void stats_num(struct text *t, const char *name, uint64_t n)
{
	char digits[21], *d = digits + sizeof digits;

	*--d = '\0';
	do
		*--d = '0' + (unsigned)(n % 10);
	while (n /= 10);
	text_str(t, ",\"");
	text_str(t, name);
	text_str(t, "\":");
	text_str(t, d);
}

static void one_client(struct text *t, const struct client *c)
{
	static const char *const modes[] = {"new", "raw", "framed", "extended"};

	text_str(t, "{\"peer\":");
	stats_str(t, c->name);
	text_str(t, ",\"mode\":");
	stats_str(t, modes[(int)c->mode]);
	stats_num(t, "idle", (loop_now - c->typed) / 1000);
	stats_num(t, "in", c->in);
	stats_num(t, "out", c->out);
	stats_num(t, "skipped", c->skipped);
	text_str(t, c->watch ? ",\"watch\":true}" : ",\"watch\":false}");
}

void stats_session(struct text *t, const struct session *s)
{
	char name[32] = "";
	struct text tty = {name, name + sizeof name - 1};
	unsigned n;

	if (s->pty.master >= 0 && !ioctl(s->pty.master, TIOCGPTN, &n)) {
		text_str(&tty, "/dev/pts/");
		text_num(&tty, n);
	}
	text_str(t, "{\"tty\":");
	stats_str(t, name);
	stats_num(t, "pid", s->pty.pid);
	stats_num(t, "rows", s->size.ws_row);
	stats_num(t, "cols", s->size.ws_col);
	stats_num(t, "uptime", (loop_now - s->began) / 1000);
	stats_num(t, "in", s->in_bytes);
	stats_num(t, "out", s->ring.head);
	text_str(t, ",\"clients\":[");
	for (const struct client *c = s->clients; c; c = c->next) {
		one_client(t, c);
		text_str(t, c->next ? "," : "");
	}
	text_str(t, "]}");
}

/* ---- the asker ---- */

static unsigned want(struct source *src, msec *due)
{
	(void)src;
	due_at(due, began + PATIENCE);
	return LOOP_WRITE;
}

static void ready(struct source *src, unsigned what)
{
	ssize_t n = 0;

	if (what & LOOP_WRITE)
		n = io_write(src->fd, start + done, text.at - start - done);
	if (n > 0)
		done += n;
	if (n < 0 || start + done == text.at || loop_now >= began + PATIENCE)
		loop_close(src);
}

static void bury(struct source *src)
{
	(void)src;
	munmap(start, SIZE);
	start = 0;
}

static struct source asker = {.fd = -1, .want = want, .ready = ready, .bury = bury};

void stats_forget(void)
{
	if (asker.fd >= 0)
		close(asker.fd);
	asker.fd = -1;
}

int stats_busy(void)
{
	return start != 0;
}

struct text *stats_begin(int fd)
{
	start = mmap(0, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		-1, 0);
	if (start == MAP_FAILED) {
		start = 0;
		close(fd);
		return 0;
	}
	text = (struct text){start, start + SIZE - 4};
	asker.fd = fd;
	return &text;
}

void stats_end(void)
{
	text.end += 4;
	text_str(&text, "]}\n");
	done = 0;
	began = loop_now;
	loop_add(&asker);
}
