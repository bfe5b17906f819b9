/* link.c: the connection to the server, made, lost and made again.
 *
 *	       connect_begin()         link_connected()
 *	IDLE -----------------> DIALING -----------------> UP
 *	 ^                         | link_failed()          |
 *	 |        with -R          |                        | lost()
 *	 +-------------------------+------------------------+
 *	                           | without -R             | without -R; EXIT,         or a close in good order
 *	                           v                        v
 *	                     die(), status 255           LEAVING: output is written, then ptyattach ends
 *
 * The socket is read only while no output waits for standard output, and standard input only while uplink.input has
 * room.  Every loss of a connection that was up goes through lost(), which decides whether there is another.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include "attach.h"

enum {
	RETRY_MIN = 1000, /* ms between tries to connect: doubled after each, up to RETRY_MAX */
	RETRY_MAX = 30000,
	STEPS = 16,    /* records in a turn of the loop */
	SIGNAL = 5000, /* ms until a signal must have reached the server */
	CHECK = 30000, /* ms between looks at acknowledgements (sock_lost()), while data is sent */
};

struct link uplink LARGE;

void link_init(void)
{
	uplink.src.fd = -1;
	uplink.framed = CFG_FRAMED;
	uplink.retry_wait = RETRY_MIN;
	loop_clock();
	uplink.lost_at = loop_now;
}

const char *link_peer(void)
{
	return uplink.waits ? uplink.caller : uplink.addr.text;
}

/* ---- input ---- */

void link_type(const unsigned char *data, size_t n)
{
	if (!uplink.remote.watch && uplink.state == LINK_UP)
		queue_put(&uplink.input, data, n);
}

size_t link_unsent(void)
{
	return uplink.input.len + uplink.remote.wire.out.len;
}

void link_announce_unsent(void)
{
	if (link_unsent())
		display_line("some of the input may be lost", 0);
}

void link_window(void)
{
	struct winsize size;

	if (uplink.state == LINK_UP && (!term_size(0, &size) || !term_size(1, &size)))
		remote_size(&uplink.remote, &size);
}

int link_signal(int sig)
{
	static const char passed[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, 0};
	struct remote *r = &uplink.remote;

	if (!CFG_EXEC || uplink.state != LINK_UP || !r->started || r->pty || !strchr(passed, sig) ||
		(sig == SIGINT && uplink.signal == SIGINT))
		return 0;
	uplink.signal = sig;
	request_signal(r, sig);
	return 1;
}

msec link_signal_due(void)
{
	int waits = CFG_EXEC && uplink.state == LINK_UP && uplink.remote.signal_at;

	return waits ? uplink.remote.signal_at + SIGNAL : NEVER;
}

/* ---- states ---- */

static void idle(void)
{
	uplink.state = LINK_IDLE;
	uplink.retry_at = loop_now + (uplink.waits ? 0 : uplink.retry_wait);
	uplink.retry_wait = uplink.retry_wait < RETRY_MAX / 2 ? 2 * uplink.retry_wait : RETRY_MAX;
}

static void leaving(int status, const char *words, const char *reason)
{
	remote_tell(&uplink.remote);
	loop_close(&uplink.src);
	queue_close(&uplink.input);
	uplink.state = LINK_LEAVING;
	uplink.tick_at = 0;
	uplink.leave_status = status;
	uplink.leave_words = words;
	uplink.leave_reason = reason;
}

/* The ms of a second, a minute or an hour, in which an age is said. */
static msec age_unit(msec age)
{
	return age < 120000 ? 1000 : age < 7200000 ? 60000 : 3600000;
}

/* Displays since when there is no connection, and why it failed last; where lines stay, only if that is no repetition.
 * Which time it was is not said: that would take a time zone.  Where the line can be replaced its age is kept true. */
static void tell_age(int repeated)
{
	char words[64];
	struct text w = {words, words + sizeof words - 1};
	msec age = loop_now - uplink.lost_at;
	msec unit = age_unit(age);

	text_str(&w, uplink.had_session ? "connection lost" : "not connected");
	if (age >= 1000) {
		text_str(&w, uplink.had_session ? " " : " for ");
		text_num(&w, (unsigned long)(age / unit));
		text_str(&w, unit == 1000 ? " s" : unit == 60000 ? " min" : " h");
		text_str(&w, uplink.had_session ? " ago" : "");
	}
	text_str(&w, uplink.waits ? ", waiting for a call" : ", trying again");
	*w.at = '\0';
	display_status(words, uplink.last_failure, repeated);
	uplink.tick_at = 0;
	if (uplink.terminal && display_has_status())
		uplink.tick_at = loop_now + unit - age % unit;
}

/* Until there is a session again; not in the background, where a terminal is no standard input. */
msec link_tick_due(void)
{
	return uplink.tick_at ? uplink.tick_at : NEVER;
}

void link_tick(void)
{
	if (uplink.tick_at && loop_now >= uplink.tick_at)
		tell_age(1);
}

static void try_again(const char *reason)
{
	const size_t max = sizeof uplink.last_failure - 1;
	struct text t = {uplink.last_failure, uplink.last_failure + max};
	int repeated = !strncmp(uplink.last_failure, reason, max);

	text_str(&t, reason);
	*t.at = '\0';
	tell_age(repeated);
	idle();
}

/* Whether there is another connection after this one: with -R, and until the first that is a session's with -L. */
static int goes_on(void)
{
	const struct remote *r = &uplink.remote;

	if ((CFG_SYSRQ && r->key_sent) || (CFG_EXEC && r->started)) /* nothing is done twice */
		return 0;
	return uplink.reconnects || (uplink.waits && !r->served);
}

void link_failed(const char *reason)
{
	if (!goes_on())
		die(LOST, uplink.addr.text, ": ", reason);
	try_again(reason);
}

/* Has a line said when there is a session again.  A framed server begins with what it has kept; in raw mode the picture
 * may go on where it was. */
static void greet_again(void)
{
	struct greeting again = {
		.words = uplink.remote.watch ? "watching again: " : "attached again to ",
		.name = link_peer(),
		.hint = "",
		.afresh = uplink.framed};

	display_greeting(&again);
}

/* The connection ended before the session did: connects again with -R, else leaves. */
static void lost(const char *reason)
{
	if (CFG_SYSRQ && uplink.remote.key_final) {
		leaving(0, "connection lost", reason);
		return;
	}
	if (!goes_on()) {
		leaving(LOST, "connection lost", reason);
		return;
	}
	if (uplink.remote.noticed && (!uplink.remote.served || uplink.remote.closing))
		reason = uplink.remote.notice;
	link_announce_unsent();
	loop_close(&uplink.src);
	queue_close(&uplink.input);
	if (uplink.remote.served) {
		uplink.had_session = 1;
		uplink.lost_at = loop_now;
		greet_again();
	}
	try_again(reason);
}

static void exited(int status)
{
	static char line[32];
	struct text t = {line, line + sizeof line - 1};

	text_str(&t, "exited, status ");
	text_num(&t, status);
	leaving(status, uplink.remote.command ? 0 : line, 0);
}

/* After the end of the stream without EXIT.  In raw mode that is the session's end.  In framed mode it is a loss; but
 * without -R the server has said in a NOTICE why it closes, and one without EXIT (plain mode) has to be believed. */
static void closed(void)
{
	const struct remote *r = &uplink.remote;
	int again = goes_on() && r->mode != REMOTE_RAW && !r->for_good;
	int told;

	remote_ended(&uplink.remote);
	told = r->noticed || r->closing;
	if (!r->closing && (uplink.reset_after ||
				   (uplink.write_error && r->mode != REMOTE_RAW && !r->answered))) {
		errno = uplink.reset_after ? uplink.reset_after : uplink.write_error;
		lost(msg_errno());
	} else if (told &&
		   !again) { /* of a server that ends, the notice says all there is to say */
		leaving(LOST, r->ends ? 0 : "connection closed", 0);
	} else if (r->mode == REMOTE_RAW || (r->mode != REMOTE_EXTENDED && r->answered && !again)) {
		leaving(0, "connection closed", 0);
	} else {
		lost("closed without an end of the session");
	}
}

/* ---- the link that is up ---- */

static void status_over(void)
{
	display_status_over();
	uplink.tick_at = 0;
}

/* There is a session again: the next loss is another one. */
static void in_session(void)
{
	status_over();
	uplink.retry_wait = RETRY_MIN;
	uplink.last_failure[0] = '\0';
}

static void input(void)
{
	static unsigned char buf[32768] LARGE;
	struct remote *r = &uplink.remote;
	int steps = r->wire.keyed ? STEPS : 1, bad;
	ssize_t n;

	do {
		n = wire_read(&r->wire, buf, sizeof buf);
		bad = n > 0 && remote_received(r, buf, n);
	} while (n > 0 && !bad && --steps && !display_pending());

	if (r->own)
		die(LOST, uplink.addr.text,
			": this terminal is that session (unset PTYBOX_SESSION if not)");
	if (r->welcomed && !r->runs)
		die(LOST, link_peer(), ": runs no COMMAND of a client (its -E)");
	if (r->served)
		in_session();
	if (CFG_SYSRQ && r->keys && !*r->keys)
		leaving(0, 0, 0);
	else if (r->status >= 0)
		exited(r->status);
	else if (n < 0 && errno && !r->closing) {
		const char *why = msg_errno();

		remote_ended(r);
		lost(why);
	} else if (n < 0)
		closed();
	else if (bad)
		lost("protocol error");
	else if (r->foreign)
		lost(r->foreign);
}

/* Whether the server is to be told that input has ended: not before its mode, and so the way to tell it, is known. */
static int eof_due(void)
{
	return uplink.eof == EOF_SEEN && uplink.remote.mode != REMOTE_DETECTING;
}

/* Something is sent: whether the peer acknowledges it is looked at in a while. */
static void watch_peer(void)
{
	if (!uplink.check_at)
		uplink.check_at = loop_now + CHECK;
}

/* Sends packets of input as long as the socket takes them: the number of bytes that it took, or -1 and errno. */
static ssize_t send_input(const unsigned char *data, size_t n)
{
	struct remote *r = &uplink.remote;
	msec due = NEVER;
	size_t done = 0;
	ssize_t part = 1;

	while (done < n && part > 0 && remote_takes_input(r, &due)) {
		part = remote_input(r, data + done, n - done);
		if (part < 0)
			return -1;
		done += part;
	}
	return done;
}

/* The queue keeps its memory, which each key that is typed would else have mapped and unmapped. */
static int send_queue(struct queue *q)
{
	ssize_t done = send_input(queue_data(q), q->len);

	if (done > 0)
		queue_skip(q, done);
	return done < 0;
}

/* The socket is read on when it can no longer be written: a server that has closed may have sent something before. */
static void write_failed(void)
{
	uplink.write_error = errno;
	queue_close(&uplink.input);
	queue_close(&uplink.remote.wire.out);
}

static void output(void)
{
	struct remote *r = &uplink.remote;
	size_t before = link_unsent();
	int failed = 0;

	watch_peer();
	if (r->wire.out.len)
		failed = wire_flush(&r->wire) < 0;
	else if (request_due(r))
		failed = request_send(r);
	else if (uplink.input.len)
		failed = send_queue(&uplink.input);
	else if (eof_due()) {
		uplink.eof = EOF_SENT;
		failed = remote_eof(r);
	}
	if (link_unsent() < before)
		uplink.moved_at = loop_now;
	if (r->size_due)
		link_window();
	if (failed)
		write_failed();
}

/* Whether input may go out now, in front of all that is queued. */
static int is_free(void)
{
	const struct remote *r = &uplink.remote;
	msec due = NEVER;

	return uplink.state == LINK_UP && !r->wire.out.len && !uplink.write_error &&
	       remote_takes_input(r, &due);
}

void link_send(void)
{
	if (uplink.input.len && is_free())
		output();
}

void link_input(const unsigned char *data, size_t n)
{
	ssize_t done = 0;

	if (!uplink.input.len && !uplink.remote.watch && is_free()) {
		done = send_input(data, n);
		if (done < 0) {
			write_failed();
			return;
		}
		uplink.moved_at = loop_now;
		watch_peer();
	}
	link_type(data + done, n - done);
}

static void timer(void)
{
	if (display_pending())
		remote_not_silent(&uplink.remote);
	if (remote_timer(&uplink.remote)) {
		lost("no answer");
		return;
	}
	if (!uplink.check_at || loop_now < uplink.check_at)
		return;
	uplink.check_at = sock_unsent(uplink.src.fd) ? loop_now + CHECK : 0;
	if (uplink.check_at && sock_lost(uplink.src.fd))
		lost("no answer");
}

static unsigned want(struct source *src, msec *due)
{
	const struct remote *r = &uplink.remote;
	unsigned wants = 0;

	(void)src;
	if (uplink.check_at)
		due_at(due, uplink.check_at);
	due_at(due, remote_due(r));
	if (!display_pending())
		wants |= LOOP_READ;
	if (uplink.write_error)
		return wants;
	if (r->wire.out.len || request_due(r))
		wants |= LOOP_WRITE;
	else if ((uplink.input.len || eof_due()) && remote_takes_input(r, due))
		wants |= LOOP_WRITE;
	return wants;
}

static void ready(struct source *src, unsigned what)
{
	(void)src;
	if (what & LOOP_TIME)
		timer();
	else if (what & LOOP_READ)
		input();
	else
		output();
}

void link_make_raw(void)
{
	if (uplink.terminal && !term_is_raw() && term_raw(0))
		die(LOST, "standard input: ", msg_errno());
}

static void up(int fd, struct noise *n)
{
	link_make_raw();
	uplink.state = LINK_UP;
	if (uplink.eof == EOF_SENT)
		uplink.eof = EOF_SEEN;
	uplink.check_at = 0;
	uplink.write_error = 0;
	uplink.src = (struct source){.fd = fd, .want = want, .ready = ready};
	loop_add(&uplink.src);
	remote_begin(&uplink.remote, fd, uplink.framed, n);
	if (!uplink.framed) {
		status_over();
		display_greet();
	}
	link_window();
}

static void keyed_up(
	int fd, const char *name, int mode, struct noise *n, const unsigned char *first, size_t len)
{
	(void)name, (void)mode, (void)first, (void)len;
	up(fd, n);
}

void link_connected(int fd, int reset_after)
{
	uplink.reset_after = reset_after;
	if (CFG_KEYED && uplink.keyed)
		handshake_initiate(fd, keyed_up, link_failed);
	else
		up(fd, 0);
}
