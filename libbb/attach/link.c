/* link.c: the connection to the server, made, lost and made again.
 *
 *	       connect_begin()         link_connected()
 *	IDLE -----------------> DIALING -----------------> UP
 *	 ^                         | link_failed()          |
 *	 |        with -R          |                        | lost()
 *	 +-------------------------+------------------------+
 *	                           | without -R             | without -R; ended(): EXIT, or a close in good order
 *	                           v                        v
 *	                     die(), status 255           LEAVING: output is written, then ptyattach ends
 *
 * The socket is read only while no output waits for standard output, and standard input only while uplink.input has
 * room.  Every loss of a connection that was up goes through lost(), which decides whether there is another.
 *
 * Whether the terminal's modes may have to be reset is a fact of its own, `dirty`: set with every connection, since a
 * session's output may follow, and cleared only by a session that ended in good order and so has reset them itself.
 */
#include <errno.h>
#include <string.h>
#include "attach.h"

enum {
	LOST = 255,
	RETRY_MIN = 1000, /* ms between tries to connect: doubled after each, up to RETRY_MAX */
	RETRY_MAX = 30000,
	CHECK = 30000, /* ms between looks at acknowledgements (sock_lost()), while data is sent */
};

struct link uplink;

void link_init(void)
{
	uplink.src.fd = -1;
	uplink.framed = CFG_FRAMED;
	uplink.retry_wait = RETRY_MIN;
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

/* ---- states ---- */

static void idle(void)
{
	uplink.state = LINK_IDLE;
	uplink.retry_at = loop_now + uplink.retry_wait;
	uplink.retry_wait = uplink.retry_wait < RETRY_MAX / 2 ? 2 * uplink.retry_wait : RETRY_MAX;
}

static void leaving(int status, const char *words, const char *reason)
{
	loop_close(&uplink.src);
	queue_close(&uplink.input);
	uplink.state = LINK_LEAVING;
	uplink.leave_status = status;
	uplink.leave_words = words;
	uplink.leave_reason = reason;
}

/* The same reason is reported only once in a row. */
void link_failed(const char *reason)
{
	const size_t max = sizeof uplink.last_failure - 1;
	struct text t = {uplink.last_failure, uplink.last_failure + max};

	if (!uplink.reconnects)
		die(LOST, uplink.addr.text, ": ", reason);
	if (strncmp(uplink.last_failure, reason, max)) {
		text_str(&t, reason);
		*t.at = '\0';
		display_line("not connected, trying again", reason);
	}
	idle();
}

/* Without the session's end. */
static void lost(const char *reason)
{
	if (!uplink.reconnects) {
		leaving(LOST, "connection lost", reason);
		return;
	}
	display_line("connection lost, trying again", reason);
	link_announce_unsent();
	loop_close(&uplink.src);
	queue_close(&uplink.input);
	uplink.last_failure[0] = '\0';
	idle();
}

/* The session has ended in good order. */
static void ended(int status, const char *words)
{
	uplink.dirty = 0;
	leaving(status, words, 0);
}

static void exited(int status)
{
	static char line[32];
	struct text t = {line, line + sizeof line - 1};

	text_str(&t, "exited, status ");
	text_num(&t, status);
	ended(status, line);
}

/* After the end of the stream without EXIT.  In raw mode that is the session's end; after a NOTICE the server has said
 * why it closes; a server without EXIT (plain mode) may have been restarted, so with -R that is a loss. */
static void closed(void)
{
	const struct remote *r = &uplink.remote;

	remote_ended(&uplink.remote);
	if (uplink.reset_after || (uplink.write_error && r->mode != REMOTE_RAW && !r->answered)) {
		errno = uplink.reset_after ? uplink.reset_after : uplink.write_error;
		lost(msg_errno());
	} else if (r->noticed) {
		leaving(LOST, "connection closed", 0);
	} else if (r->mode == REMOTE_RAW ||
		   (r->mode != REMOTE_EXTENDED && r->answered && !uplink.reconnects)) {
		ended(0, "connection closed");
	} else {
		lost("closed without an end of the session");
	}
}

/* ---- the link that is up ---- */

static void input(void)
{
	static unsigned char buf[16384] LARGE;
	struct remote *r = &uplink.remote;
	ssize_t n = wire_read(&r->wire, buf, sizeof buf);
	int bad = n > 0 && remote_received(r, buf, n);

	if (r->status >= 0)
		exited(r->status);
	else if (n < 0 && errno)
		lost(msg_errno());
	else if (n < 0)
		closed();
	else if (bad)
		lost("protocol error");
	else if (remote_is_keyed(r))
		leaving(LOST, "connection lost", "a keyed port: -k KEYFILE is needed");
}

/* Whether the server is to be told that input has ended: not before its mode, and so the way to tell it, is known. */
static int eof_due(void)
{
	return uplink.eof == EOF_SEEN && uplink.remote.mode != REMOTE_DETECTING;
}

static void output(void)
{
	struct remote *r = &uplink.remote;
	size_t before = link_unsent();
	int failed = 0;

	if (!uplink.check_at)
		uplink.check_at = loop_now + CHECK;
	if (r->wire.out.len)
		failed = wire_flush(&r->wire) < 0;
	else if (uplink.input.len)
		failed = remote_input(r, &uplink.input);
	else if (eof_due()) {
		uplink.eof = EOF_SENT;
		failed = remote_eof(r);
	}
	if (link_unsent() < before)
		uplink.moved_at = loop_now;
	if (r->size_due)
		link_window();
	if (failed) { /* the socket is read on: a server that has closed may have sent something before */
		uplink.write_error = errno;
		queue_close(&uplink.input);
		queue_close(&r->wire.out);
	}
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
	if (r->wire.out.len)
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
	uplink.dirty = 1;
	uplink.retry_wait = RETRY_MIN;
	uplink.last_failure[0] = '\0';
	if (uplink.eof == EOF_SENT)
		uplink.eof = EOF_SEEN;
	uplink.check_at = 0;
	uplink.write_error = 0;
	uplink.src = (struct source){.fd = fd, .want = want, .ready = ready};
	loop_add(&uplink.src);
	remote_begin(&uplink.remote, fd, uplink.framed, n);
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
