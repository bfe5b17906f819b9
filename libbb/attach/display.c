/* display.c: standard output for the session's output, and ptyattach's own lines on standard error.
 *
 * A terminal, device or pipe is opened again as a description that does not block (term_reopen()); writing to a regular
 * file never blocks.  What is left, a socket for example, cannot be opened again: it is written to in small pieces, and
 * only when select() says that it is ready.  If the session's output has left the cursor inside a line, a line of
 * ptyattach's own begins with CR and LF.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "attach.h"

enum { SLICE = 512 }; /* PIPE_BUF at least (POSIX): what a socket that is ready takes at once */

static struct queue pending;   /* output that standard output did not take yet */
static char at_line_start = 1; /* what was written last ends in a newline */
static char blocking;          /* a write may block although select() says that it is ready */
static int error;
static char status; /* the last line is one of display_status() */

static unsigned want(struct source *src, msec *due)
{
	(void)src, (void)due;
	return pending.len ? LOOP_WRITE : 0;
}

static void fail(int why)
{
	error = why;
	queue_close(&pending);
}

static void ready(struct source *src, unsigned what)
{
	size_t n = pending.len;
	ssize_t done;

	if (!(what & LOOP_WRITE))
		return;
	if (blocking && n > SLICE)
		n = SLICE;
	done = io_write(src->fd, queue_data(&pending), n);
	if (done < 0)
		fail(errno);
	else
		queue_take(&pending, done);
}

static struct source output = {.want = want, .ready = ready};

void display_open(void)
{
	struct stat st;

	output.fd = term_reopen(1, O_WRONLY);
	if (output.fd < 0) {
		output.fd = 1;
		blocking = fstat(1, &st) || !S_ISREG(st.st_mode);
	}
	loop_add(&output);
}

int display_error(void)
{
	return error;
}

size_t display_pending(void)
{
	return pending.len;
}

void display_show(const unsigned char *data, size_t n)
{
	ssize_t done = 0;

	if (error)
		return;
	display_status_over();
	at_line_start = data[n - 1] == '\n';
	if (!pending.len && !blocking)
		done = io_write(output.fd, data, n);
	if (done < 0 || queue_put(&pending, data + done, n - done))
		fail(errno);
}

void display_line(const char *words, const char *reason)
{
	char line[320], *text;
	struct text t = {line, line + sizeof line - 3};

	display_status_over();
	if (isatty(2) && !at_line_start)
		text_str(&t, "\r\n");
	text = t.at;
	text_str(&t, "[");
	text_str(&t, words);
	if (reason) {
		text_str(&t, ": ");
		text_str(&t, reason);
	}
	t.at = text + text_clean(text, t.at - text);
	t.end += 3;
	text_str(&t, term_is_raw() ? "]\r\n" : "]\n");
	io_write_all(2, line, t.at - line);
	at_line_start = 1;
}

void display_status(const char *words, const char *reason, int repeated)
{
	char line[320], *text;
	struct text t = {line, line + sizeof line};
	struct winsize size;

	if (!isatty(2)) {
		if (!repeated)
			display_line(words, reason);
		return;
	}
	display_status_over();
	text_str(&t, at_line_start ? "" : "\r\n");
	text = t.at;
	if (!term_size(2, &size) && text + size.ws_col - 1 < t.end)
		t.end = text + size.ws_col - 1;
	text_str(&t, "[");
	text_str(&t, words);
	text_str(&t, ": ");
	text_str(&t, reason);
	text_str(&t, "]");
	t.at = text + text_clean(text, t.at - text);
	io_write_all(2, line, t.at - line);
	at_line_start = 1;
	status = 1;
}

void display_status_over(void)
{
	static const char erase[] = "\r\033[K"; /* EL */

	if (status)
		io_write_all(2, erase, sizeof erase - 1);
	status = 0;
}

void display_reset(void)
{
	static const char off[] =
		"\033[?1000l\033[?1002l\033[?1003l\033[?1006l\033[?2004l\033[?25h\033[m";

	if (isatty(2))
		io_write_all(2, off, sizeof off - 1);
}
