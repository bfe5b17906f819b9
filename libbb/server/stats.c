/* stats.c: the answer to a connection at -S: one JSON object (RFC 8259) about the server.
 *
 * The text is built in a mapped buffer of SIZE bytes, of which only the used pages exist, and then written to the
 * connection while the next answer may be built.  ANSWERS answers can be under way; a slow reader has TIMEOUT, and only
 * TIMEOUT_BUSY when no other slot is free.
 *
 * config STATS y statistics (-S)
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "server.h"

enum {
	SIZE = 4 << 20,
	ANSWERS = 4,
	TIMEOUT = 5000,     /* ms for the reader, */
	TIMEOUT_BUSY = 100, /* or when no other slot is free */
};

static struct answer {
	struct source src;      /* first member */
	char *start, *at, *end; /* start is 0: the slot is free; at: the next byte to be written */
	msec began;
} answers[ANSWERS] LARGE;

static struct text text;
static struct answer *current; /* the one that is being built, or 0 */

void stats_str(struct text *t, const char *s)
{
	text_json(t, s, strlen(s));
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

void stats_socket(
	struct text *t, const char *addr, const char *mode, const struct counters *counters)
{
	text_str(t, t->at[-1] == '[' ? "" : ",");
	text_str(t, "{\"addr\":");
	stats_str(t, addr);
	text_str(t, ",\"mode\":");
	stats_str(t, mode);
	stats_num(t, "accepted", counters->accepted);
	stats_num(t, "refused", counters->refused);
	text_str(t, "}");
}

static void stats_client(struct text *t, const struct client *c)
{
	text_str(t, "{\"peer\":");
	stats_str(t, c->name);
	text_str(t, ",\"mode\":");
	stats_str(t, client_mode(c));
	stats_num(t, "idle", (loop_now - c->typed_at) / 1000);
	stats_num(t, "in", c->in_bytes);
	stats_num(t, "out", c->out_bytes);
	stats_num(t, "skipped", c->skipped);
	text_str(t, c->watch ? ",\"watch\":true}" : ",\"watch\":false}");
}

void stats_session(struct text *t, const struct session *s)
{
	char name[32] = "";
	struct text tty = {name, name + sizeof name - 1};
	unsigned n;

	if (s->pty.src.fd >= 0 && !ioctl(s->pty.src.fd, TIOCGPTN, &n)) {
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
		stats_client(t, c);
		text_str(t, c->next ? "," : "");
	}
	text_str(t, "]}");
}

/* ---- sending ---- */

static struct answer *free_slot(void)
{
	for (struct answer *a = answers; a < answers + ANSWERS; a++)
		if (!a->start)
			return a;
	return 0;
}

static msec timeout_at(const struct answer *a)
{
	return a->began + (free_slot() ? TIMEOUT : TIMEOUT_BUSY);
}

static unsigned want(struct source *src, msec *due)
{
	due_at(due, timeout_at((struct answer *)src));
	return LOOP_WRITE;
}

static void ready(struct source *src, unsigned what)
{
	struct answer *a = (struct answer *)src;
	ssize_t n = 0;

	if (what & LOOP_WRITE)
		n = io_write(src->fd, a->at, a->end - a->at);
	if (n > 0)
		a->at += n;
	if (n < 0 || a->at == a->end || loop_now >= timeout_at(a))
		loop_close(src);
}

static void freed(struct source *src)
{
	struct answer *a = (struct answer *)src;

	munmap(a->start, SIZE);
	a->start = 0;
}

void stats_forget(void)
{
	for (struct answer *a = answers; a < answers + ANSWERS; a++)
		if (a->start)
			close(a->src.fd);
}

int stats_busy(void)
{
	return current || !free_slot();
}

struct text *stats_begin(int fd)
{
	struct answer *a = free_slot();

	if (!a || !(a->start = ring_map(SIZE))) {
		io_close(fd);
		return 0;
	}
	a->src = (struct source){.fd = fd, .want = want, .ready = ready, .freed = freed};
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
