/* display.c: standard output for the session's output, and ptyattach's own lines on standard error.
 *
 * Neither is ever waited for (nowait.c): what standard output does not take is kept, and the link is not read
 * meanwhile; a line that finds no room is dropped.  When both are the same terminal, all goes through standard output,
 * in order.
 *
 * Whatever standard output took is followed by `modes`, so on every way out the terminal can be left as it was
 * found: by display_leave(), by die() (msg_cleanup), by the signal handlers of term.c (term_changed_hands()).  All that
 * restore() does is async-signal-safe: it reads the modes, writes into its own buffer, and makes system calls.  Where a
 * signal comes between a write and modes_feed(), what that write switched on is missed.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>
#include "attach.h"

enum { LEAVE_WITHIN = 500 }; /* ms that a terminal which takes nothing may hold up the end */

struct outlet {
	struct source src;
	struct queue queue; /* what the descriptor did not take yet */
	char shared;        /* the description may block: nowait_write() */
	int error;          /* a write has failed with it; from then on everything is dropped */
};

static struct outlet out, err, *lines;
static struct modes modes LARGE; /* of standard output, if it is a terminal */
static char is_terminal;
static char given_back;          /* the terminal is as it was found, whatever `modes` says */
static char at_line_start = 1;   /* what was written last ends in a newline */
static char has_errors;          /* display_errors() was called */
static char status;              /* the last line is one of display_status() */
static struct greeting greeting; /* not said yet, if it has words */

static ssize_t outlet_write(struct outlet *o, const unsigned char *data, size_t n)
{
	ssize_t done = o->shared ? nowait_write(o->src.fd, data, n) : io_write(o->src.fd, data, n);

	if (done < 0) {
		o->error = errno;
		queue_close(&o->queue);
	}
	return done;
}

/* Calls outlet_write(), and follows the modes to which this output leads the terminal. */
static ssize_t outlet_move(struct outlet *o, const unsigned char *data, size_t n)
{
	ssize_t done = outlet_write(o, data, n);

	if (done > 0 && o == &out && is_terminal)
		modes_feed(&modes, data, done);
	return done;
}

/* Writes or keeps all n bytes: 0; or -1, and drops them, when there is no room for all of them. */
static int outlet_put(struct outlet *o, const unsigned char *data, size_t n)
{
	ssize_t done = 0;

	if (o->error || queue_room(&o->queue) < n)
		return -1;
	if (!o->queue.len)
		done = outlet_move(o, data, n);
	return done < 0 || queue_put(&o->queue, data + done, n - done);
}

/* Writes what the descriptor takes before `end`, and drops the rest; for the end of the program, when the loop does not
 * turn again. */
static void outlet_put_until(struct outlet *o, msec end, const unsigned char *data, size_t n)
{
	while (n && !o->error) {
		struct pollfd p = {.fd = o->src.fd, .events = POLLOUT};
		ssize_t done = outlet_write(o, data, n);

		if (done > 0) {
			data += done;
			n -= done;
			continue;
		}
		loop_clock();
		if (loop_now >= end)
			return;
		poll(&p, 1, (int)(end - loop_now));
	}
}

static unsigned want(struct source *src, msec *due)
{
	(void)due;
	return ((struct outlet *)src)->queue.len ? LOOP_WRITE : 0;
}

static void ready(struct source *src, unsigned what)
{
	struct outlet *o = (struct outlet *)src;
	ssize_t done;

	if (!(what & LOOP_WRITE) || !o->queue.len)
		return;
	done = outlet_move(o, queue_data(&o->queue), o->queue.len);
	if (done > 0)
		queue_take(&o->queue, done);
}

static void outlet_open(struct outlet *o, int fd)
{
	struct stat st;

	o->src = (struct source){.fd = nowait_open(fd, O_WRONLY), .want = want, .ready = ready};
	if (o->src.fd < 0) {
		o->src.fd = fd;
		o->shared = fstat(fd, &st) || !S_ISREG(st.st_mode);
	}
	loop_add(&o->src);
}

/* ---- the terminal's modes ---- */

static void write_modes(const struct text *t, const char *start)
{
	loop_clock();
	outlet_put_until(
		&out, loop_now + LEAVE_WITHIN, (const unsigned char *)start, t->at - start);
}

static void restore(void)
{
	char off[MODES_TEXT];
	struct text t = {off, off + sizeof off};

	if (!is_terminal || given_back)
		return;
	given_back = 1;
	at_line_start |= modes_off(&modes, &t);
	write_modes(&t, off);
}

static void take_again(void)
{
	static struct modes
		none; /* never written; not const, so that it stands in .bss and takes no place in the file */
	char on[MODES_TEXT];
	struct text t = {on, on + sizeof on};

	if (!given_back)
		return;
	given_back = 0;
	modes_change(&none, &modes, &t);
	write_modes(&t, on);
}

static void term_changes_hands(int ours)
{
	if (ours)
		take_again();
	else
		restore();
}

void display_resized(void)
{
	modes_resized(&modes);
}

/* ---- what others call ---- */

void display_open(void)
{
	struct stat one, two;

	is_terminal = isatty(1);
	outlet_open(&out, 1);
	outlet_open(&err, 2);
	lines = is_terminal && isatty(2) && !fstat(1, &one) && !fstat(2, &two) &&
				one.st_rdev == two.st_rdev ?
			&out :
			&err;
	msg_cleanup = restore;
	term_changed_hands = term_changes_hands;
}

int display_error(void)
{
	return out.error || !has_errors ? out.error : err.error;
}

size_t display_pending(void)
{
	return out.queue.len + (has_errors ? err.queue.len : 0);
}

void display_status_over(void)
{
	static const unsigned char erase[] = "\r\033[K"; /* EL */

	if (status)
		outlet_put(lines, erase, sizeof erase - 1);
	status = 0;
}

void display_show(const unsigned char *data, size_t n)
{
	display_status_over();
	display_greet();
	at_line_start = data[n - 1] == '\n';
	if (outlet_put(&out, data, n) && !out.error)
		out.error = ENOBUFS;
}

void display_errors(const unsigned char *data, size_t n)
{
	has_errors = 1;
	at_line_start = data[n - 1] == '\n';
	if (outlet_put(lines, data, n) && !lines->error)
		lines->error = ENOBUFS;
}

/* Appends "[words: reason]", clean, and cut where there is no room; reason may be 0. */
static void bracket(struct text *t, const char *words, const char *reason)
{
	char *said = t->at;

	t->end--;
	text_str(t, "[");
	text_str(t, words);
	if (reason) {
		text_str(t, ": ");
		text_str(t, reason);
	}
	t->at = said + text_clean(said, t->at - said);
	t->end++;
	text_str(t, "]");
}

/* Appends such a line, on a line of its own; 320 bytes have room for the longest. */
static void write_line(struct text *t, const char *words, const char *reason)
{
	const char *newline = term_is_raw() ? "\r\n" : "\n";

	t->end -= 2;
	if (isatty(2) && !at_line_start)
		text_str(t, newline);
	bracket(t, words, reason);
	t->end += 2;
	text_str(t, newline);
	at_line_start = 1;
}

void display_line(const char *words, const char *reason)
{
	char line[320];
	struct text t = {line, line + sizeof line};

	display_status_over();
	write_line(&t, words, reason);
	outlet_put(lines, (const unsigned char *)line, t.at - line);
}

int display_has_status(void)
{
	return status;
}

void display_status(const char *words, const char *reason, int repeated)
{
	char line[320], *said;
	struct text t = {line, line + sizeof line};
	struct winsize size;

	if (!isatty(2)) {
		if (!repeated)
			display_line(words, reason);
		return;
	}
	display_status_over();
	text_str(&t, at_line_start ? "" : "\r\n");
	said = t.at;
	if (!term_size(2, &size) && said + size.ws_col - 1 < t.end)
		t.end = said + size.ws_col - 1;
	bracket(&t, words, reason);
	outlet_put(lines, (const unsigned char *)line, t.at - line);
	at_line_start = 1;
	status = 1;
}

/* Leads the terminal back from whatever modes the output so far has left on. */
static void forget_modes(void)
{
	char off[MODES_TEXT];
	struct text t = {off, off + sizeof off};

	if (!is_terminal)
		return;
	at_line_start |= modes_off(&modes, &t);
	outlet_put(&out, (const unsigned char *)off, t.at - off);
}

void display_greeting(const struct greeting *g)
{
	greeting = *g;
}

void display_greet(void)
{
	struct greeting g = greeting;
	char line[ADDR_HOST_MAX + 128];
	struct text t = {line, line + sizeof line - 1};

	if (!g.words)
		return;
	greeting.words = 0;
	display_status_over();
	if (g.afresh)
		forget_modes();
	if (is_terminal && modes.alternate)
		return;
	text_str(&t, g.words);
	text_str(&t, g.name);
	text_str(&t, g.hint);
	*t.at = '\0';
	display_line(line, 0);
}

void display_leave(const char *words, const char *reason)
{
	char line[320];
	struct text t = {line, line + sizeof line};
	msec end;

	display_status_over();
	restore();
	loop_clock();
	end = loop_now + LEAVE_WITHIN / 2;
	if (lines == &err)
		outlet_put_until(&err, end, queue_data(&err.queue), err.queue.len);
	if (words)
		write_line(&t, words, reason);
	outlet_put_until(lines, end, (const unsigned char *)line, t.at - line);
}
