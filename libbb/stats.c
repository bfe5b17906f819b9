/* stats.c: what -S answers: one JSON object (RFC 8259) about a server.
 *
 * The text is made in a large mapped buffer, of which only the used pages exist, and written to its asker while the
 * next ones get theirs.  A few may be slow to read, as long as nobody else needs their places.
 *
 * config STATS y statistics (-S)
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "libbb.h"

enum {
	SIZE = 4 << 20,
	ASKERS = 4,
	PATIENCE = 5000, /* ms, */
	HURRY = 100,     /* or when there is no place for the next one */
};

/* An answer, and who waits for it. */
static struct asker {
	struct source src; /* first member */
	char *start, *at, *end;
	msec began;
} askers[ASKERS];

static struct text text;
static struct asker *current; /* whose text is being made */

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

void stats_head(struct text *t, char *const *command, msec began)
{
	text_str(t, "{\"applet\":");
	stats_str(t, msg_applet);
	text_str(t, ",\"version\":\"" VERSION "\"");
	stats_num(t, "pid", getpid());
	stats_num(t, "uptime", (loop_now - began) / 1000);
	text_str(t, ",\"command\":[");
	for (char *const *arg = command; *arg; arg++) {
		text_str(t, arg == command ? "" : ",");
		stats_str(t, *arg);
	}
	text_str(t, "],\"sockets\":[");
}

void stats_socket(struct text *t, const char *addr, const char *mode, const struct tally *tally)
{
	text_str(t, t->at[-1] == '[' ? "" : ",");
	text_str(t, "{\"addr\":");
	stats_str(t, addr);
	text_str(t, ",\"mode\":");
	stats_str(t, mode);
	stats_num(t, "accepted", tally->accepted);
	stats_num(t, "refused", tally->refused);
	text_str(t, "}");
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

static struct asker *free_place(void)
{
	for (struct asker *a = askers; a < askers + ASKERS; a++)
		if (!a->start)
			return a;
	return 0;
}

static msec late_at(const struct asker *a)
{
	return a->began + (free_place() ? PATIENCE : HURRY);
}

static unsigned want(struct source *src, msec *due)
{
	due_at(due, late_at((struct asker *)src));
	return LOOP_WRITE;
}

static void ready(struct source *src, unsigned what)
{
	struct asker *a = (struct asker *)src;
	ssize_t n = 0;

	if (what & LOOP_WRITE)
		n = io_write(src->fd, a->at, a->end - a->at);
	if (n > 0)
		a->at += n;
	if (n < 0 || a->at == a->end || loop_now >= late_at(a))
		loop_close(src);
}

static void bury(struct source *src)
{
	struct asker *a = (struct asker *)src;

	munmap(a->start, SIZE);
	a->start = 0;
}

void stats_forget(void)
{
	for (struct asker *a = askers; a < askers + ASKERS; a++)
		if (a->start)
			close(a->src.fd);
}

int stats_busy(void)
{
	return current || !free_place();
}

struct text *stats_begin(int fd)
{
	struct asker *a = free_place();

	a->start = mmap(0, SIZE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (a->start == MAP_FAILED) {
		a->start = 0;
		io_close(fd);
		return 0;
	}
	a->src = (struct source){.fd = fd, .want = want, .ready = ready, .bury = bury};
	a->at = a->start;
	text = (struct text){a->start, a->start + SIZE - 4};
	current = a;
	return &text;
}

void stats_end(void)
{
	text.end += 4;
	text_str(&text, "]}\n");
	current->end = text.at;
	current->began = loop_now;
	loop_add(&current->src);
	ready(&current->src, LOOP_WRITE);
	current = 0;
}
