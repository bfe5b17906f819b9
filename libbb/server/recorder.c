/* recorder.c: the process that writes a recording (record.c).
 *
 *	messages -> raw output, or lines of an asciicast -> FILE
 *
 * A name that ends in .cast becomes an asciicast, version 2 (docs.asciinema.org/manual/asciicast/v2): a header, and a line
 * for each piece of output ("o"), change of size ("r") and loss ("m").  No character and no line is cut.  What is appended
 * to an earlier recording goes on at the time of its last line.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "server.h"

enum {
	HELD = 3,    /* bytes of a character whose rest is in the next message */
	ESCAPED = 6, /* bytes of JSON for one of output */
	AROUND = 64, /* bytes of JSON around them */
};

static const char *file;
static int out = -1;
static char is_cast, failed;
static char begun;               /* the asciicast has its header */
static struct winsize last_size; /* of the last message */
static uint64_t lost; /* bytes of output that are missing behind the last that was written */
static msec base;     /* the time at which the recording is at 0 */
static char json[ESCAPED * (RECORD_PIECE + HELD) + AROUND] LARGE;

static void fail(const char *why)
{
	if (!failed)
		warn("-l ", file, ": ", why);
	failed = 1;
}

/* Writes n bytes, and returns how many of them found no room; when they are to stay together, either none or all. */
static size_t put(const char *s, size_t n, int together)
{
	struct stat st;
	ssize_t done = 0;
	size_t at = 0;

	while (at < n && (done = write(out, s + at, n - at)) > 0)
		at += done;
	if (at == n)
		return 0;
	if (errno == EINTR)
		_exit(1);
	fail(msg_errno());
	if (!together)
		return n - at;
	if (at && (fstat(out, &st) || ftruncate(out, st.st_size - at)))
		out = -1; /* nothing can follow a part of a line */
	return n;
}

/* Writes a line of an asciicast, [SECONDS,"kind","the n bytes"], and returns how many of these found no room. */
static size_t put_event(msec at, const char *kind, const char *s, size_t n)
{
	struct text t = {json, json + sizeof json};
	unsigned ms = (at - base) % 1000;

	text_str(&t, "[");
	text_num(&t, (at - base) / 1000);
	text_str(&t, ms < 10 ? ".00" : ms < 100 ? ".0" : ".");
	text_num(&t, ms);
	text_str(&t, ",\"");
	text_str(&t, kind);
	text_str(&t, "\",");
	text_json(&t, s, n);
	text_str(&t, "]\n");
	return put(json, t.at - json, 1) ? n : 0;
}

/* Returns how many of the last bytes begin a character of UTF-8 that is not complete. */
static size_t incomplete(const unsigned char *s, size_t n)
{
	for (size_t k = 1; k <= HELD && k <= n; k++)
		if (s[n - k] >= 0xc0)
			return (s[n - k] >= 0xf0 ? 4 : s[n - k] >= 0xe0 ? 3 : 2) > k ? k : 0;
		else if (s[n - k] < 0x80)
			break;
	return 0;
}

/* Writes output, and counts what finds no room. */
static void put_output(msec at, const char *s, size_t n)
{
	if (is_cast && n)
		lost += put_event(at, "o", s, n);
	else
		lost += put(s, n, 0);
}

static void put_size(msec at, const struct winsize *size)
{
	char words[32];
	struct text t = {words, words + sizeof words};

	text_num(&t, size->ws_col);
	text_str(&t, "x");
	text_num(&t, size->ws_row);
	if (is_cast)
		put_event(at, "r", words, t.at - words);
}

/* Writes how many bytes were lost, when there is room again. */
static void put_loss(msec at)
{
	char words[64];
	struct text t = {words, words + sizeof words};
	size_t n;

	text_str(&t, is_cast ? "" : "\r\n[");
	text_num(&t, lost);
	text_str(&t, " bytes not recorded");
	text_str(&t, is_cast ? "" : "]\r\n");
	n = t.at - words;
	if (!(is_cast ? put_event(at, "m", words, n) : put(words, n, 1)))
		lost = 0;
}

static const char header[] = "{\"version\":";

/* Begins an empty file: 0, or -1. */
static int cast_head(const struct record_message *h)
{
	struct text t = {json, json + sizeof json};

	text_str(&t, header);
	text_str(&t, "2,\"width\":");
	text_num(&t, h->size.ws_col);
	text_str(&t, ",\"height\":");
	text_num(&t, h->size.ws_row);
	text_str(&t, ",\"timestamp\":");
	text_num(&t, loop_unix_time() / 1000);
	text_str(&t, "}\n");
	return put(json, t.at - json, 1) ? -1 : 0;
}

/* Returns the time in ms with which a line of an event begins; 0 for a header, -1 for any other line. */
static msec line_time(const char *c)
{
	msec at = 0, unit = 1000;

	if (*c == '{')
		return 0;
	if (*c != '[')
		return -1;
	while (*++c == ' ')
		;
	for (; *c >= '0' && *c <= '9' && at < NEVER / 100; c++)
		at = at * 10 + (*c - '0') * 1000;
	if (*c == '.')
		while (*++c >= '0' && *c <= '9' && unit > 1)
			at += (*c - '0') * (unit /= 10);
	return at;
}

/* Returns the time, in ms, of the last line of an earlier recording, and cuts off the half line that a power failure
 * leaves; -1 when the file is no recording. */
static msec cast_end(off_t size)
{
	off_t from = size > (off_t)sizeof json - 1 ? size - (off_t)sizeof json + 1 : 0;
	size_t first = sizeof header - 1;
	ssize_t n = pread(out, json, first, 0), last;

	if (n < 0 || memcmp(json, header, n))
		return -1;
	n = pread(out, json, sizeof json - 1, from);
	while (n > 0 && json[n - 1] != '\n')
		n--;
	if (n < 0 || (!n && from) || (from + n < size && ftruncate(out, from + n)))
		return -1;
	json[n] = '\0';
	for (last = n - 1; last > 0 && json[last - 1] != '\n'; last--)
		;
	return n ? line_time(json + last) : 0;
}

/* Writes the header; or finds the time at which a recording that is there goes on. */
static void cast_begin(const struct record_message *h)
{
	struct stat st;
	msec end = 0;

	base = h->at;
	if (!fstat(out, &st) && st.st_size) /* not of a FIFO */
		end = cast_end(st.st_size);
	if (end < 0) {
		fail("exists and is no recording");
		out = -1;
		return;
	}
	base -= end;
	if (fstat(out, &st) || !st.st_size) {
		begun = !cast_head(h);
		return;
	}
	begun = 1;
	if (memcmp(&last_size, &h->size, sizeof last_size))
		put_size(h->at, &h->size);
}

/* Opens the file, which may take for ever, in the place of an earlier one.  It is read only to find an earlier recording's
 * end; a FIFO's only reader would be this process. */
static void open_file(const char *home)
{
	size_t len = strlen(file);
	struct stat st;
	int fd = -1;

	failed = 0;
	is_cast = len >= 5 && !strcmp(file + len - 5, ".cast");
	begun = 0;
	if (*file == '/' || !chdir(home)) {
		int reads = is_cast && (stat(file, &st) || !S_ISFIFO(st.st_mode));

		fd = open(file, (reads ? O_RDWR : O_WRONLY) | O_CREAT | O_APPEND | O_NOCTTY, 0600);
	}
	if (fd < 0 && errno == EINTR)
		_exit(1);
	if (fd < 0)
		fail(msg_errno());
	out = fd < 0 ? -1 : dup2(fd, 1);
	if (fd > 1)
		close(fd);
	if (chdir("/"))
		fail(msg_errno());
}

static char text[HELD + RECORD_PIECE] LARGE; /* output that is to be written */
static size_t
	held; /* bytes of it: the beginning of a character whose rest is in the next message */

/* Writes what was held though its rest does not come. */
static void put_held(msec at)
{
	put_output(at, text, held);
	held = 0;
}

/* Handles a message with n bytes of output. */
static void take(const struct record_message *h, const char *output, size_t n)
{
	int ready;

	if (is_cast && !begun)
		cast_begin(h);
	else if (memcmp(&last_size, &h->size, sizeof last_size))
		put_size(h->at, &h->size);
	last_size = h->size;
	if (h->lost)
		put_held(h->at);
	lost += h->lost;
	ready = out >= 0 && (begun || !is_cast);
	if (ready && lost)
		put_loss(h->at);
	if (!ready || lost) { /* still no room: the next message may find some */
		lost += n;
		return;
	}
	memcpy(text + held, output, n);
	n += held;
	held = is_cast ? incomplete((unsigned char *)text, n) : 0;
	put_output(h->at, text, n - held);
	memmove(text, text + n - held, held);
}

void recorder_run(const char *name, const char *home, pid_t server_pid)
{
	static struct {
		struct record_message head;
		char output[RECORD_PIECE];
	} m LARGE;
	ssize_t got;

	prctl(PR_SET_PDEATHSIG, SIGALRM);
	if (getppid() != server_pid)
		_exit(1);
	sig_block(SIGXFSZ); /* a limit is an error of write(2) */
	io_close_from(3);
	fcntl(0, F_SETFL, 0);
	file = name;
	open_file(home);
	while ((got = read(0, &m, sizeof m)) >= (ssize_t)sizeof m.head) {
		if (m.head.reopen) {
			put_held(m.head.at);
			open_file(home);
		}
		if (out >= 0)
			take(&m.head, m.output, got - sizeof m.head);
	}
	put_held(m.head.at);
	_exit(0);
}
