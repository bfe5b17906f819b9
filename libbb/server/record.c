/* record.c: a session's output, appended to a file (-l).
 *
 *	session -> ring -> record_feed(): messages -> socket pair -> the recorder, a process -> FILE
 *
 * A write to a file can take for ever, whatever O_NONBLOCK says (a network file system, a FIFO), and so can open(2).  So
 * both are done by a process for each recording, and the session only sends messages, which never waits.  When the
 * recorder does not keep up, the master is not read for GRACE ms: a disk that is slow for an instant costs nothing, and a
 * recorder that is stuck costs that once, until it goes on.  What it does not take then is missing in the file, which says
 * how much.
 *
 * Every message has the time, the window size, and how many bytes were dropped before it.  A new file (SIGUSR1) is a new
 * recorder's: the old one writes what it has, and ends.
 *
 * A name that ends in .cast becomes an asciicast, version 2 (docs.asciinema.org/manual/asciicast/v2): a header, and a line
 * for each piece of output ("o"), change of size ("r") and loss ("m").  What is appended to an earlier recording goes on at
 * the time of its last line.
 *
 * config RECORD y recordings (-l)
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#include "server.h"

enum {
	GRACE = 100,   /* ms for which output waits for the recorder */
	PIECE = 4096,  /* bytes of output in a message */
	HELD = 3,      /* bytes of a character whose rest is in the next message */
	ESCAPED = 6,   /* bytes of JSON for one of output */
	AROUND = 64,   /* bytes of JSON around them */
	FINISH = 2000, /* ms for the recorder to write what it has when the server ends */
};

struct head {
	msec at;
	uint64_t lost; /* bytes that were dropped before this message */
	struct winsize size;
};

static const char *file; /* -l */
static char of_sessions; /* each session has a recording: %p and %t are its pid and start */

/* ==== the recorder ==== */

static int out = -1;
static char is_cast, failed;
static msec base; /* the time at which the recording is at 0 */
static char json[ESCAPED * (PIECE + HELD) + AROUND] LARGE;

static void fail(const char *why)
{
	if (!failed)
		warn("-l ", file, ": ", why);
	failed = 1;
}

/* Writes all of it.  On a full disk a part of raw output may be written, but no part of a line. */
static void put(const char *s, size_t n)
{
	struct stat st;
	ssize_t done = 0;
	size_t at = 0;

	while (at < n && (done = write(out, s + at, n - at)) > 0)
		at += done;
	if (at == n)
		return;
	if (errno == EINTR)
		_exit(1);
	fail(msg_errno());
	if (is_cast && at && (fstat(out, &st) || ftruncate(out, st.st_size - at)))
		out = -1; /* nothing can follow a part of a line */
}

/* Begins a line of an event: [SECONDS,"kind", */
static struct text line_begin(msec at, const char *kind)
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
	return t;
}

static void line_end(struct text *t)
{
	text_str(t, "]\n");
	put(json, t->at - json);
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

static void put_output(msec at, const char *s, size_t n)
{
	struct text t;

	if (!is_cast) {
		put(s, n);
	} else if (n) {
		t = line_begin(at, "o");
		text_json(&t, s, n);
		line_end(&t);
	}
}

static void put_size(const struct head *h)
{
	struct text t;

	if (!is_cast)
		return;
	t = line_begin(h->at, "r");
	text_str(&t, "\"");
	text_num(&t, h->size.ws_col);
	text_str(&t, "x");
	text_num(&t, h->size.ws_row);
	text_str(&t, "\"");
	line_end(&t);
}

static void put_loss(const struct head *h)
{
	char words[64];
	struct text loss = {words, words + sizeof words}, t;

	text_str(&loss, is_cast ? "" : "\r\n[");
	text_num(&loss, h->lost);
	text_str(&loss, " bytes not recorded");
	text_str(&loss, is_cast ? "" : "]\r\n");
	if (!is_cast) {
		put(words, loss.at - words);
		return;
	}
	t = line_begin(h->at, "m");
	text_json(&t, words, loss.at - words);
	line_end(&t);
}

/* Begins an empty file. */
static void cast_head(const struct head *h)
{
	struct text t = {json, json + sizeof json};

	text_str(&t, "{\"version\":2,\"width\":");
	text_num(&t, h->size.ws_col);
	text_str(&t, ",\"height\":");
	text_num(&t, h->size.ws_row);
	text_str(&t, ",\"timestamp\":");
	text_num(&t, loop_unix_time() / 1000);
	text_str(&t, "}\n");
	put(json, t.at - json);
}

/* Returns the time, in ms, at which the last line of an earlier recording stands, and cuts off the half line that a power
 * failure leaves; -1 when the file is no recording. */
static msec cast_end(off_t size)
{
	off_t from = size > (off_t)sizeof json ? size - (off_t)sizeof json : 0;
	ssize_t n = pread(out, json, sizeof json, from), last;
	msec at = 0, unit = 1000;

	while (n > 0 && json[n - 1] != '\n')
		n--;
	if (n < 1 || (!from && *json != '{') || (from + n < size && ftruncate(out, from + n)))
		return -1;
	for (last = n - 1; last > 0 && json[last - 1] != '\n'; last--)
		;
	if (json[last] != '[')
		return from ? -1 : 0; /* the header alone */
	for (const char *c = json + last + 1; unit && at < NEVER / 100 && c < json + n; c++)
		if (*c >= '0' && *c <= '9') {
			at = unit == 1000 ? at * 10 + (*c - '0') * 1000 : at + (*c - '0') * unit;
			unit = unit == 1000 ? unit : unit / 10;
		} else if (*c == '.') {
			unit = 100;
		} else {
			break;
		}
	return at;
}

static void cast_begin(const struct head *h)
{
	struct stat st;
	msec end = 0;

	base = h->at;
	if (fstat(out, &st) || !st.st_size) { /* of a FIFO, too */
		cast_head(h);
		return;
	}
	end = cast_end(st.st_size);
	if (end < 0) {
		fail("exists and is no recording");
		out = -1;
		return;
	}
	base -= end;
	put_size(h);
}

/* Opens the file, which may take for ever; it is read only to find an earlier recording's end. */
static void open_file(const char *home)
{
	size_t len = strlen(file);

	io_close_from(3); /* before open(2), which may hold them for ever */
	is_cast = len >= 5 && !strcmp(file + len - 5, ".cast");
	if (*file == '/' || !chdir(home))
		out = open(
			file, (is_cast ? O_RDWR : O_WRONLY) | O_CREAT | O_APPEND | O_NOCTTY, 0600);
	if (out < 0 && errno == EINTR)
		_exit(1);
	if (out < 0)
		fail(msg_errno());
	if (out >= 0) {
		dup2(out, 1);
		close(out);
		out = 1;
	}
	if (chdir("/"))
		fail(msg_errno());
}

/* The process: descriptor 0 has the messages.  Signals are blocked as in the server: its end comes with that of the
 * messages.  When the server has ended, and has waited for this, SIGALRM (io_interrupt()) ends what would wait for
 * ever. */
static _Noreturn void recorder(const char *home, pid_t server_pid)
{
	static struct {
		struct head head;
		char text[PIECE];
	} message LARGE;
	static char text[HELD + PIECE] LARGE;
	struct winsize size = {0};
	size_t held = 0, n;
	ssize_t got;
	msec last = 0;

	prctl(PR_SET_PDEATHSIG, SIGALRM);
	if (getppid() != server_pid)
		_exit(1);
	sig_block(SIGXFSZ); /* a limit is an error of write(2) */
	open_file(home);
	fcntl(0, F_SETFL, 0);
	while ((got = read(0, &message, sizeof message)) >= (ssize_t)sizeof message.head) {
		const struct head *h = &message.head;

		if (out < 0)
			continue;
		if (is_cast && !size.ws_row)
			cast_begin(h);
		else if (memcmp(&size, &h->size, sizeof size))
			put_size(h);
		size = h->size;
		if (h->lost) {
			put_output(h->at, text, held);
			put_loss(h);
			held = 0;
		}
		n = got - sizeof message.head;
		memcpy(text + held, message.text, n);
		n += held;
		held = is_cast ? incomplete((unsigned char *)text, n) : 0;
		put_output(h->at, text, n - held);
		memmove(text, text + n - held, held);
		last = h->at;
	}
	put_output(last, text, held);
	_exit(0);
}

/* ==== the session's side ==== */

static unsigned want(struct source *src, msec *due)
{
	const struct record *r = (struct record *)src;

	if (!record_holds(r))
		return 0;
	due_at(due, r->full_at + GRACE);
	return LOOP_WRITE;
}

static void ready(struct source *src, unsigned what)
{
	(void)what;
	record_feed((struct record *)src);
}

int record_holds(const struct record *r)
{
	return r->full_at && loop_now < r->full_at + GRACE && r->pos != r->ring->head;
}

/* Sends the output from r->pos on, PIECE bytes at most, and returns how many; -1 and errno. */
static ssize_t send_piece(const struct record *r)
{
	struct head head = {.at = loop_now, .lost = r->lost, .size = *r->size};
	struct iovec v[3] = {{&head, sizeof head}};
	ssize_t n;

	n = writev(r->src.fd, v, 1 + ring_data(r->ring, r->pos, PIECE, v + 1));
	return n < 0 ? -1 : n - (ssize_t)sizeof head;
}

/* Gives up what the recorder did not take. */
static void drop(struct record *r)
{
	r->lost += r->ring->head - r->pos;
	r->pos = r->ring->head;
}

void record_feed(struct record *r)
{
	ssize_t n;

	if (!r->ring)
		return;
	if (!r->src.linked || r->src.closed) {
		drop(r);
		return;
	}
	while ((n = send_piece(r)) >= 0) {
		r->pos += n;
		r->lost = r->full_at = 0;
		if (r->pos == r->ring->head)
			return;
	}
	if (errno != EAGAIN && errno != ENOBUFS && errno != ENOMEM) {
		warn("-l ", file, ": the recorder has ended (USR1 starts another)");
		loop_close(&r->src);
	} else {
		if (!r->full_at)
			r->full_at = loop_now;
		if (record_holds(r))
			return;
	}
	drop(r);
}

/* Replaces %p and %t in the name; to be called in the recorder. */
static void expand(const struct record *r)
{
	static char path[PATH_MAX] LARGE;
	struct text t = {path, path + sizeof path - 1};

	for (const char *c = file; *c; c++)
		if (c[0] == '%' && (c[1] == 'p' || c[1] == 't'))
			text_num(&t, *++c == 'p' ? r->pid : r->began);
		else
			text_str(&t, (char[]){*c, '\0'});
	file = path;
}

static int start_recorder(const struct record *r)
{
	int fd[2];
	pid_t pid, self = getpid();

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd))
		return -1;
	pid = _Fork();
	if (!pid) {
		if (r->command->forget)
			r->command->forget();
		if (of_sessions)
			expand(r);
		dup2(fd[1], 0);
		recorder(r->command->home, self);
	}
	close(fd[1]);
	if (pid > 0)
		return fd[0];
	close(fd[0]);
	return -1;
}

void record_renew(struct record *r)
{
	int fd;

	if (!r->ring)
		return;
	fd = start_recorder(r);
	if (fd < 0) {
		warn("-l ", file, ": ", msg_errno());
	} else if (r->src.linked) { /* also one that was closed in this turn */
		dup3(fd, r->src.fd, O_CLOEXEC);
		close(fd);
		r->src.closed = 0;
	} else {
		r->src = (struct source){.fd = fd, .want = want, .ready = ready};
		loop_add(&r->src);
	}
	r->full_at = 0;
}

void record_begin(struct record *r, const struct ring *ring, const struct winsize *size,
	const struct command *c, pid_t pid)
{
	if (!file)
		return;
	*r = (struct record){.ring = ring, .size = size, .command = c, .pid = pid};
	r->began = loop_unix_time() / 1000;
	r->pos = ring_oldest(ring);
	record_renew(r);
	record_feed(r);
}

void record_end(struct record *r)
{
	if (r->lost)
		record_feed(r);
	if (r->src.linked)
		loop_close(&r->src);
}

void record_finish(struct record *r)
{
	struct pollfd p = {.fd = r->src.fd};

	if (!r->src.linked || r->src.closed)
		return;
	if (r->lost)
		record_feed(r);
	shutdown(p.fd, SHUT_WR);
	poll(&p, 1, FINISH); /* until POLLHUP: the recorder has closed its end (unix(7)) */
}

/* ---- the option ---- */

void record_option(const char *value)
{
	file = value;
}

/* Whether FILE can be appended to or made, as far as can be seen without opening it. */
static int is_writable(const char *name)
{
	struct stat st;

	if (!stat(name, &st) && S_ISDIR(st.st_mode))
		errno = EISDIR;
	else if (!access(name, W_OK) || (errno == ENOENT && !access(".", W_OK)))
		return 1;
	return 0;
}

void record_check(int names_sessions)
{
	const char *name;
	int back = -1, writable;

	if (!file)
		return;
	of_sessions = names_sessions;
	for (const char *c = file; of_sessions && strncmp(c, "%p", 2); c++)
		if (!*c)
			die(1, "-l ", file, ": needs %p in its name, the pid of the session");
	name = io_enter(file, &back);
	writable = name && is_writable(name);
	if (name)
		io_leave(back);
	if (!writable)
		die(1, "-l ", file, ": ", msg_errno());
}
