/* kmsg.c: the kernel's log, as lines in a session.
 *
 * The log comes from its beginning, so who attaches first sees the boot.  It is read when the session has
 * room, and so holds up neither the command nor the kernel.  A flood of it cannot drown the session: it
 * gets so many bytes a second, then what is left of that second is skipped, and how much that was is
 * said.  At the start it may fill most of the ring.
 *
 * Before Linux 3.5 there is no reading of /dev/kmsg: there /proc/kmsg gives the same messages, but to
 * one reader alone and without numbers, so that it is read slower instead of skipped.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "server.h"

enum {
	SECOND = 1000,
	BUDGET = 4096, /* bytes of log a second */
	RECORDS = 16,  /* a turn */
	RECORD = 8192, /* the kernel's longest */
	LINES = 1024,  /* of /proc/kmsg at a time; with what is added they fit into SESSION_LINES */
	SHOWN = 1000,  /* of a message */
	LEVELS = 8,    /* of each facility: the rest of a priority */
};

static struct session *session;
static struct source source;
static char numbered;     /* /dev/kmsg */
static uint64_t expected; /* the number of the next record; 0: any */
static long left;         /* of this second's bytes, or of the start's */
static msec second_over;
static size_t held; /* of /proc/kmsg: the beginning of a line */
static char record[RECORD] LARGE;

/* ---- a record as a line ---- */

/* The kernel writes a backslash as \x5c and a tab as \x09; other escapes stay as they are, so that what
 * a device calls itself commands no terminal.  /proc/kmsg escapes nothing: a blank stands for what would. */
static void put_message(struct text *t, const char *s, const char *end)
{
	if (end - s > SHOWN)
		end = s + SHOWN;
	for (size_t len; s < end && t->at < t->end; s += len) {
		len = text_char(s, end - s);
		if (numbered && end - s >= 4 &&
			(!memcmp(s, "\\x5c", 4) || !memcmp(s, "\\x09", 4))) {
			*t->at++ = s[3] == 'c' ? '\\' : ' ';
			len = 4;
		} else if (!len) {
			*t->at++ = ' ';
			len = 1;
		} else if (len <= (size_t)(t->end - t->at)) {
			memcpy(t->at, s, len);
			t->at += len;
		}
	}
}

/* "[    1.234567] info: message": time has its brackets. */
static void say(
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

/* The digits at *s, and one character behind them. */
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

static void say_skipped(uint64_t seq)
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

/* PRIORITY,NUMBER,MICROSECONDS,...;MESSAGE newline, and more that is not for people */
static void say_record(const char *s)
{
	char time[32];
	struct text t = {time, time + sizeof time};
	unsigned long priority = number(&s);
	uint64_t seq = number(&s), us = number(&s);
	const char *message = strchr(s, ';');

	if (!message)
		return;
	say_skipped(seq);
	text_str(&t, "[");
	padded(&t, us / 1000000, 10000, " ");
	text_str(&t, ".");
	padded(&t, us % 1000000, 100000, "0");
	text_str(&t, "]");
	say(priority, time, t.at - time, message + 1, strchrnul(message, '\n'));
}

/* <PRIORITY>[TIME] MESSAGE newline, several of them */
static void say_lines(const char *s)
{
	while (*s) {
		const char *end = strchrnul(s, '\n'), *time = s + 1, *close;
		unsigned long priority;

		if (*s != '<') { /* the rest of a line that was too long */
			s = end + !!*end;
			continue;
		}
		priority = number(&time);
		close = memchr(time, ']', end - time);
		if (*time == '[' && close && close - time < 32)
			say(priority, time, close + 1 - time, close + 2 < end ? close + 2 : end,
				end);
		else
			say(priority, "[]", 2, time, end);
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

/* Before Linux 3.5 there is nothing to read in /dev/kmsg. */
static ssize_t older_log(void)
{
	int fd = open_log("/proc/kmsg");

	numbered = 0;
	if (fd < 0 || dup3(fd, source.fd, O_CLOEXEC) < 0)
		return -1;
	close(fd);
	return 1;
}

/* Before Linux 3.5 a read ends anywhere: the rest of a line waits for its end. */
static void whole_lines(size_t n)
{
	char *end, kept;

	n += held;
	end = memrchr(record, '\n', n);
	end = end ? end + 1 : n == LINES ? record + n : record;
	held = record + n - end;
	kept = *end;
	*end = '\0';
	say_lines(record);
	*end = kept;
	memmove(record, end, held);
}

/* 1 or more: there may be more, 0 not now, -1 over. */
static ssize_t read_log(void)
{
	ssize_t n = io_read(source.fd, record + held, numbered ? RECORD - 1 : LINES - held);

	if (n > 0 && numbered) {
		record[n] = '\0';
		say_record(record);
	} else if (n > 0) {
		whole_lines(n);
	}
	if (n < 0 && errno == EPIPE)
		return 1; /* the kernel was faster; the numbers will tell */
	return n < 0 && errno == EINVAL && numbered ? older_log() : n;
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

/* What is there at the start is read at once: what is said from then on is not skipped for it. */
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
	left = s->ring.size / 4 * 3;
	while (left > 0 && read_log() > 0)
		;
	next_second();
}
