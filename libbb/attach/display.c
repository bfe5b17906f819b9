/* display.c: standard output, and lines of our own beside it, on standard error.
 *
 * A terminal, device or pipe gets a description of its own that does not block; a file blocks for nobody.
 * What is left, a socket say, cannot be opened again: it gets small pieces, and only when it is ready.
 * Lines of our own begin at the left, wherever the session's output has left the cursor.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "attach.h"

enum { SLICE = 512 };

static struct queue waiting;
static char at_line_start = 1;
static char blocks;
static void (*on_failed)(void);

static unsigned want(struct source *src, msec *due)
{
	(void)src, (void)due;
	return waiting.len ? LOOP_WRITE : 0;
}

static void ready(struct source *src, unsigned what)
{
	size_t n = waiting.len;
	ssize_t done;

	if (!(what & LOOP_WRITE))
		return;
	if (blocks && n > SLICE)
		n = SLICE;
	done = io_write(src->fd, queue_data(&waiting), n);
	if (done < 0)
		on_failed();
	queue_take(&waiting, done);
}

static struct source screen = {.want = want, .ready = ready};

void screen_open(void (*failed)(void))
{
	struct stat st;

	on_failed = failed;
	screen.fd = term_reopen(1, O_WRONLY);
	if (screen.fd < 0) {
		screen.fd = 1;
		blocks = fstat(1, &st) || !S_ISREG(st.st_mode);
	}
	loop_add(&screen);
}

size_t screen_busy(void)
{
	return waiting.len;
}

void screen_show(const unsigned char *data, size_t n)
{
	ssize_t done = 0;

	at_line_start = data[n - 1] == '\n';
	if (!waiting.len && !blocks)
		done = io_write(screen.fd, data, n);
	if (done < 0 || queue_put(&waiting, data + done, n - done))
		on_failed();
}

void screen_say(const char *words, const char *reason)
{
	char line[320], *said;
	struct text t = {line, line + sizeof line - 3};

	if (isatty(2) && !at_line_start)
		text_str(&t, "\r\n");
	said = t.at;
	text_str(&t, "[");
	text_str(&t, words);
	if (reason) {
		text_str(&t, ": ");
		text_str(&t, reason);
	}
	t.at = said + text_clean(said, t.at - said);
	t.end += 3;
	text_str(&t, term_is_raw() ? "]\r\n" : "]\n");
	io_write_all(2, line, t.at - line);
	at_line_start = 1;
}

void screen_reset(void)
{
	static const char off[] =
		"\033[?1000l\033[?1002l\033[?1003l\033[?1006l\033[?2004l\033[?25h\033[m";

	if (isatty(2))
		io_write_all(2, off, sizeof off - 1);
}
