/* kmsg.c: the kernel's log, as lines in a session's output (-c).
 *
 *	/dev/kmsg:  record -> line --> session_put_lines(), while the session has room and the second has bytes left
 *	/proc/kmsg: lines  -> lines -> the same
 *
 * The log is read from its beginning, so the first client sees the boot.  It is read only while the session has room, so
 * it holds up neither the command nor the kernel.  BUDGET bytes are shown in a second; then the rest of that second is
 * skipped, and a line says how many messages that was.  At the start the log may fill most of the ring.
 *
 * Before Linux 3.5 /dev/kmsg cannot be read.  /proc/kmsg has the same messages, but for a single reader and without
 * sequence numbers, so nothing is skipped: it is read more slowly.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "server.h"

enum {
	SECOND = 1000, /* ms */
	BUDGET = 4096, /* bytes of log in a second */
	RECORDS = 16,  /* reads in one turn of the loop */
	RECORD = 8192, /* bytes of the kernel's longest record */
	LINES = 1024, /* bytes of /proc/kmsg in a read; as lines of ours they fit into SESSION_LINES */
	SHOWN = 1000, /* bytes of a message; the rest is cut off */
	LEVELS = 8,   /* a priority is a facility times this, and a level (syslog(2)) */
};

static struct session *session;
static struct source source;
static char numbered;     /* the log is /dev/kmsg */
static uint64_t expected; /* sequence number of the next record; 0: any */
static long left;         /* bytes that may still be shown in this second, or at the start */
static msec second_over;
static size_t held; /* bytes of an incomplete line of /proc/kmsg, at the beginning of record */
static char record[RECORD] LARGE;

/* ---- a record as a line ---- */

/* In /dev/kmsg the kernel escapes a backslash as \x5c and a tab as \x09, which are shown; other escapes stay, so that the
 * name of a device cannot contain a sequence for the terminal.  /proc/kmsg has no escapes: a blank replaces each byte that
 * is no printable character. */
static void put_message(struct text *t, const char *s, const char *end)
{
	if (end - s > SHOWN)
		end = s + SHOWN;
	for (size_t len; s < end && t->at < t->end; s += len) {
		if (numbered && end - s >= 4 &&
			(!memcmp(s, "\\x5c", 4) || !memcmp(s, "\\x09", 4))) {
			*t->at++ = s[3] == 'c' ? '\\' : ' ';
			len = 4;
		} else {
			len = text_shown(t, s, end - s);
		}
	}
}

/* Adds a line "[    1.234567] info: message"; time includes the brackets. */
static void put_line(
	unsigned long priority, const char *time, size_t time_len, const char *s, const char *end)
{
	static const char level[LEVELS][8] = {
		"emerg", "alert", "crit", "err", "warn", "notice", "info", "debug"};
	char line[SESSION_LINES];
	struct text t = {line, line + sizeof line - 2};

	memcpy(line, time, time_len);
	t.at += text_clean(line, time_len);
	text_str(&t, " ");
	text_str(&t, level[priority % LEVELS]);
	text_str(&t, ": ");
	put_message(&t, s, end);
	t.end += 2;
	text_str(&t, "\r\n");
	left -= t.at - line;
	session_put_lines(session, line, t.at - line);
}

/* Returns the number at *s, and moves *s behind it and one more character. */
static uint64_t number(const char **s)
{
	uint64_t n = 0;

	while (**s >= '0' && **s <= '9')
		n = n * 10 + *(*s)++ - '0';
	*s += **s != '\0';
	return n;
}

static void padded(struct text *t, unsigned long n, unsigned long width, const char *with)
{
	for (; width > 1 && n < width; width /= 10)
		text_str(t, with);
	text_num(t, n);
}

/* Adds a line with the number of messages between the expected record and this one. */
static void put_skipped(uint64_t seq)
{
	char line[64];
	struct text t = {line, line + sizeof line};

	if (expected && seq > expected) {
		text_str(&t, "[");
		text_num(&t, seq - expected);
		text_str(&t, " kernel messages not shown]\r\n");
		session_put_lines(session, line, t.at - line);
	}
	expected = seq + 1;
}

/* Parses PRIORITY,NUMBER,MICROSECONDS,...;MESSAGE and a newline; lines behind that are properties, which are left out. */
static void put_record(const char *s)
{
	char time[32];
	struct text t = {time, time + sizeof time};
	unsigned long priority = number(&s);
	uint64_t seq = number(&s), us = number(&s);
	const char *message = strchr(s, ';');

	if (!message)
		return;
	put_skipped(seq);
	text_str(&t, "[");
	padded(&t, us / 1000000, 10000, " ");
	text_str(&t, ".");
	padded(&t, us % 1000000, 100000, "0");
	text_str(&t, "]");
	put_line(priority, time, t.at - time, message + 1, strchrnul(message, '\n'));
}

/* Parses any number of lines <PRIORITY>[TIME] MESSAGE; [TIME] may be missing. */
static void put_log_lines(const char *s)
{
	while (*s) {
		const char *end = strchrnul(s, '\n'), *time = s + 1, *close;
		unsigned long priority;

		if (*s != '<') { /* the rest of a line that was longer than LINES */
			s = end + !!*end;
			continue;
		}
		priority = number(&time);
		close = memchr(time, ']', end - time);
		if (*time == '[' && close && close - time < 32)
			put_line(priority, time, close + 1 - time,
				close + 2 < end ? close + 2 : end, end);
		else
			put_line(priority, "[]", 2, time, end);
		s = end + !!*end;
	}
}

/* ---- the log ---- */

static unsigned want(struct source *src, msec *due)
{
	(void)src;
	if (left <= 0 && second_over > loop_now) {
		due_at(due, second_over);
		return 0;
	}
	return session_lines_fit(session) ? LOOP_READ : 0;
}

static void next_second(void)
{
	if (left <= 0 && numbered)
		lseek(source.fd, 0, SEEK_END);
	if (left < BUDGET)
		left = BUDGET;
	second_over = loop_now + SECOND;
}

static int open_log(const char *path)
{
	return open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

/* Replaces /dev/kmsg, which Linux before 3.5 cannot read, by /proc/kmsg: 1, or -1. */
static ssize_t fall_back(void)
{
	int fd = open_log("/proc/kmsg");

	numbered = 0;
	if (fd < 0 || dup3(fd, source.fd, O_CLOEXEC) < 0)
		return -1;
	close(fd);
	return 1;
}

/* Takes n bytes more of /proc/kmsg, of which a read may end within a line: its beginning is held until its end is read. */
static void take_lines(size_t n)
{
	char *end, kept;

	n += held;
	end = memrchr(record, '\n', n);
	end = end ? end + 1 : n == LINES ? record + n : record;
	held = record + n - end;
	kept = *end;
	*end = '\0';
	put_log_lines(record);
	*end = kept;
	memmove(record, end, held);
}

/* Reads once: more than 0 when there may be more, 0 when there is nothing now, -1 when the log cannot be read any more. */
static ssize_t read_log(void)
{
	ssize_t n = io_read(source.fd, record + held, numbered ? RECORD - 1 : LINES - held);

	if (n > 0 && numbered) {
		record[n] = '\0';
		put_record(record);
	} else if (n > 0) {
		take_lines(n);
	}
	if (n < 0 && errno == EPIPE)
		return 1; /* records were overwritten: the next one's number says how many */
	return n < 0 && errno == EINVAL && numbered ? fall_back() : n;
}

static void ready(struct source *src, unsigned what)
{
	ssize_t n = 1;

	if (loop_now >= second_over)
		next_second();
	for (int i = 0; what & LOOP_READ && i < RECORDS && n > 0 && want(src, &src->due); i++)
		n = read_log();
	if (n < 0)
		loop_close(src);
}

/* Opens the log and reads what it has at once; that does not count for the first second. */
void kmsg_open(struct session *s)
{
	int fd = open_log("/dev/kmsg");

	session = s;
	numbered = fd >= 0;
	if (fd < 0)
		fd = open_log("/proc/kmsg");
	if (fd < 0) {
		warn("-c: no kernel log: ", msg_errno());
		return;
	}
	source = (struct source){.fd = fd, .want = want, .ready = ready};
	loop_add(&source);
	left = (long)(s->ring.size / 4 * 3) -
	       (long)s->ring.head; /* what pstore_show() left of it */
	while (left > 0 && read_log() > 0)
		;
	next_second();
}
