/* remote.c: the client's side of raw and framed mode (docs/protocol.md), the counterpart of server/client_input.c.
 *
 * A framed connection begins with HELLO and the window size.  Output is displayed as it is until WELCOME is found in
 * it; behind WELCOME the stream consists of frames.
 *
 *	RAW: -r
 *	DETECTING --- WELCOME ----------------------------> EXTENDED
 *	    '-------- DETECT ms after the first byte -----> PLAIN
 *
 * The time runs from the first byte received, not from the connection: a forwarder may accept long before the server
 * behind it is up.  A server that never sends WELCOME is uWSGI's forkptyrouter, or one whose output had begun: it takes
 * packets of input and window sizes, and sends no frames.
 */
#include <stdlib.h>
#include <string.h>
#include "attach.h"

enum {
	DETECT = 10000,     /* ms */
	SETTLE = 1000,      /* ms: input waits so long for a server that says nothing */
	PING_AFTER = 15000, /* ms of silence */
	LOST_AFTER = 45000, /* ms of silence */
	KEY_WAIT = 10000,   /* ms for an answer that may never come */
	PART = 16384 -
	       FRAME_HEAD, /* bytes of input in a packet without a key: the server reads so much at a time */
	PLAIN_PART = 1024, /* bytes: uWSGI reads 4096 at a time and closes at a payload over 4092 */
	PLAIN_PAUSE = 60,  /* ms: uWSGI drops the second of two packets that it reads at once */
};

static const unsigned char welcome[] = {
	0, 0, 0, FRAME_WELCOME, 'p', 't', 'y', 'b', 'o', 'x', '/', '1'};

/* HELLO and WAIT go out as one, so that they arrive as one. */
static void hello(struct remote *r)
{
	unsigned char packets[2 * FRAME_HEAD];
	struct text t = {(char *)packets + FRAME_HEAD, 0};
	unsigned wait = request_wait(r);

	frame_head(packets, FRAME_HELLO, 1);
	if (wait) {
		frame_head(packets + FRAME_HEAD, FRAME_WAIT, wait);
		t.at += FRAME_HEAD;
	}
	wire_text(&r->wire, &t, (char *)packets);
}

void remote_begin(struct remote *r, int fd, char framed, struct noise *n)
{
	wire_close(&r->wire);
	r->wire = (struct wire){.fd = fd};
	if (CFG_KEYED && n)
		wire_key(&r->wire, n);
	r->mode = !framed ? REMOTE_RAW : REMOTE_DETECTING;
	r->began = r->heard = r->pinged = loop_now;
	r->held_len = r->noticed = r->answered = r->size_due = 0;
	r->served = r->closing = r->ends = r->for_good = r->welcomed = r->own = 0;
	r->first_known = r->first_len = 0;
	r->foreign = 0;
	r->runs = r->started = r->signal_at = 0;
	r->argument = r->command;
	r->argument_at = 0;
	r->status = -1;
	if (framed)
		hello(r);
}

void remote_size(struct remote *r, const struct winsize *size)
{
	if (r->mode == REMOTE_RAW || r->watch || (CFG_SYSRQ && r->keys))
		return;
	r->size_due = queue_room(&r->wire.out) < QUEUE_SIZE / 2;
	if (r->size_due)
		return;
	wire_frame(&r->wire, FRAME_ROWS, size->ws_row, 0);
	wire_frame(&r->wire, FRAME_COLS, size->ws_col, 0);
}

/* ---- from the server ---- */

static int env_wanted(const char *s)
{
	return !strncmp(s, "TERM=", 5) || !strncmp(s, "LANG=", 5) || !strncmp(s, "LC_", 3) ||
	       !strncmp(s, "COLORTERM=", 10) || !strncmp(s, "PTYBOX_SESSION=", 15);
}

/* Whether one of WELCOME's words is this key and value. */
static int welcome_says(const char *words, const char *key, const char *value)
{
	size_t k = strlen(key), n;

	while ((words = strchr(words, ' '))) {
		n = strcspn(++words, " ");
		if (n == k + strlen(value) && !memcmp(words, key, k) &&
			!memcmp(words + k, value, n - k))
			return 1;
	}
	return 0;
}

/* Whether WELCOME names the session that this process runs in: there the command's environment has the same id. */
static int is_own_session(const char *words)
{
	const char *own = getenv("PTYBOX_SESSION");

	return own && *own && welcome_says(words, "session=", own);
}

static void welcomed(struct remote *r)
{
	extern char **environ;

	r->welcomed = 1;
	r->runs = !r->command || (CFG_EXEC && welcome_says(r->notice, "exec=", "1"));
	if (CFG_SYSRQ && r->keys) {
		if (!welcome_says(r->notice, "sysrq=", "1"))
			die(LOST, "the server takes no SysRq keys (-Q)");
		request_keys(r);
		return;
	}
	r->own = !r->command && is_own_session(r->notice);
	if (r->own || !r->runs)
		return;
	if (r->watch)
		wire_frame(&r->wire, FRAME_WATCH, 0, 0);
	for (char **e = environ; *e; e++)
		if (env_wanted(*e) && queue_room(&r->wire.out) > strlen(*e) + 512)
			wire_frame(&r->wire, FRAME_ENV, strlen(*e), *e);
	if (!r->command)
		wire_frame(&r->wire, FRAME_DATA, 0, 0); /* the server's command starts */
}

/* Puts a line of text together in r->notice, cut if it does not fit; 1 when all of it was received. */
static int take_text(struct remote *r, const struct frame *f)
{
	size_t n = f->len;

	if (f->first)
		r->notice_len = 0;
	if (n > sizeof r->notice - 1 - r->notice_len)
		n = sizeof r->notice - 1 - r->notice_len;
	memcpy(r->notice + r->notice_len, f->part, n);
	r->notice_len += n;
	if (f->left)
		return 0;
	r->notice[text_clean(r->notice, r->notice_len)] = '\0';
	return 1;
}

void remote_tell(struct remote *r)
{
	if (r->noticed && !r->served)
		display_line(r->notice, 0);
	r->served = 1;
}

/* Shows a NOTICE; keeps one that comes before there is a session: it most likely says why there will be none, which -R
 * tells with the next try. */
static void noticed(struct remote *r)
{
	r->noticed = 1;
	if (r->served)
		display_line(r->notice, 0);
}

/* Whether the frame is of no interest to who sends SysRq keys: output, sizes, the session's end. */
static int is_of_session(const struct frame *f)
{
	return f->type <= FRAME_REPLAYED && f->type != FRAME_PING;
}

/* -1 when the frame violates the protocol.  A status over 255 does: cut down to a byte it might be 0. */
static int handle(struct remote *r, const struct frame *f)
{
	if (CFG_SYSRQ && r->keys && is_of_session(f))
		return 0;
	switch (f->type) {
	case FRAME_DATA:
		remote_tell(r);
		r->noticed = 0;
		if (f->len)
			display_show(f->part, f->len);
		break;
	case FRAME_EXIT:
		if (f->size > 255)
			return -1;
		r->status = f->size;
		break;
	case FRAME_REPLAYED: /* the session is there, though it has nothing to show */
		remote_tell(r);
		display_greet();
		break;
	case FRAME_ERRORS:
		if (CFG_EXEC && r->command && f->len)
			display_errors(f->part, f->len);
		break;
	case FRAME_PING:
		remote_tell(r);
		request_answered(r, f->size);
		break;
	case FRAME_NOTICE:
		if (take_text(r, f))
			noticed(r);
		break;
	case FRAME_WELCOME:
		if (!r->welcomed && take_text(r, f))
			welcomed(r);
		break;
	case FRAME_CLOSING:
		r->closing = 1;
		r->for_good = f->size != 0;
		r->ends = !f->size && !strcmp(r->notice, "the server ends");
		break;
	default:
		remote_tell(r);
	}
	return 0;
}

static int frames(struct remote *r, const unsigned char *data, size_t n)
{
	int got = FRAME_MORE;

	while (!r->own && (got = frame_next(&r->wire.decoder, &data, &n)) == FRAME_GOT)
		if (handle(r, &r->wire.decoder))
			return -1;
	return got == FRAME_BAD ? -1 : 0;
}

/* Whether the held bytes can be the beginning of WELCOME; the two bytes of its size may have any value. */
static int may_be_welcome(const struct remote *r)
{
	for (unsigned i = 0; i < r->held_len; i++)
		if (r->held[i] != welcome[i] && i != 1 && i != 2)
			return 0;
	return 1;
}

int remote_is_stranger(const struct remote *r)
{
	return r->sure && r->mode != REMOTE_EXTENDED;
}

/* Output that is no frame: no refusal of a framed server to one that has said HELLO. */
static void show(struct remote *r, const unsigned char *data, size_t n)
{
	if (remote_is_stranger(r)) {
		r->foreign = "not a ptybox";
		return;
	}
	r->served = 1;
	display_show(data, n);
}

static void show_held(struct remote *r, unsigned n)
{
	show(r, r->held, n);
	r->held_len -= n;
	memmove(r->held, r->held + n, r->held_len);
}

/* Displays output, and looks for WELCOME in it. */
static int detect(struct remote *r, const unsigned char *data, size_t n)
{
	while (n) {
		size_t plain = 0;

		if (!r->held_len) {
			while (plain < n && data[plain])
				plain++;
			if (plain)
				show(r, data, plain);
			data += plain;
			n -= plain;
			if (!n)
				break;
		}
		r->held[r->held_len++] = *data++;
		n--;
		while (r->held_len && !may_be_welcome(r))
			show_held(r, 1);
		if (r->held_len == sizeof welcome) {
			r->mode = REMOTE_EXTENDED;
			return frames(r, r->held, sizeof welcome) || frames(r, data, n) ? -1 : 0;
		}
	}
	return 0;
}

static int decode(struct remote *r, const unsigned char *data, size_t n)
{
	if (!n)
		return 0;
	if (r->mode == REMOTE_EXTENDED)
		return frames(r, data, n);
	if (r->mode == REMOTE_DETECTING)
		return detect(r, data, n);
	show(r, data, n);
	return 0;
}

/* Whether the first bytes are this greeting: 1, -1 they are not, 0 they may become it. */
static int greets(const struct remote *r, const char *greeting)
{
	size_t len = strlen(greeting);

	if (memcmp(r->first, greeting, r->first_len < len ? r->first_len : len))
		return -1;
	return r->first_len >= len;
}

/* Whether the first bytes are a refusal, the line "APPLET: REASON" and nothing behind it: 1, -1 they are not, 0 they may
 * become one.  A server refuses so before it knows that the client speaks frames. */
static int refuses(const struct remote *r)
{
	int shim = greets(r, "ptyshim: "), router = greets(r, "ptyrouter: ");
	const unsigned char *end = memchr(r->first, '\n', r->first_len);

	if (r->first_len == sizeof r->first || (end && end + 1 < r->first + r->first_len))
		return -1;
	return (shim > 0 || router > 0) && end ? 1 : shim < 0 && router < 0 ? -1 : 0;
}

/* Looks whether the first bytes are a keyed port's line or an ssh server's greeting (RFC 4253, 4.2), which are not for
 * standard output.  In raw mode ssh may well be what is spoken, through this connection. */
static void look_for_greeting(struct remote *r)
{
	int keyed = greets(r, "ptybox-noise-1 ");
	int ssh = r->mode == REMOTE_RAW ? -1 : greets(r, "SSH-");
	int refusal = r->mode == REMOTE_RAW ? -1 : refuses(r);

	if (keyed > 0)
		r->foreign = "a keyed port: -k KEYFILE is needed";
	if (ssh > 0)
		r->foreign = "an ssh server answers there";
	r->first_known = r->foreign || (keyed < 0 && ssh < 0 && refusal < 0);
}

/* Treats the first bytes, which were held back while they might be another protocol's, as output. */
static int release_first(struct remote *r)
{
	r->first_known = 1;
	return decode(r, r->first, r->first_len);
}

int remote_received(struct remote *r, const unsigned char *data, size_t n)
{
	if (!r->answered && !r->command)
		r->began = loop_now;
	r->heard = loop_now;
	r->answered = 1;
	while (n && !r->first_known) {
		r->first[r->first_len++] = *data++;
		n--;
		look_for_greeting(r);
		if (r->first_known && !r->foreign && release_first(r))
			return -1;
	}
	return r->foreign ? 0 : decode(r, data, n);
}

void remote_ended(struct remote *r)
{
	if (!r->first_known && r->mode != REMOTE_RAW && refuses(r) > 0) {
		r->first_known = r->noticed = 1;
		memcpy(r->notice, r->first, r->first_len);
		r->notice[text_clean(r->notice, r->first_len)] = '\0';
	}
	if (!r->first_known)
		release_first(r);
	if (r->mode == REMOTE_DETECTING && r->held_len)
		show_held(r, r->held_len);
}

/* ---- to the server ---- */

/* When first bytes that may still become a greeting are taken for output, or a server that says nothing for one that
 * takes input. */
static msec greeted_at(const struct remote *r)
{
	return r->began + (r->answered && r->mode == REMOTE_DETECTING ? DETECT : SETTLE);
}

/* Until WELCOME input goes out at uWSGI's pace, and not before the server has sent anything that is not the beginning
 * of a greeting, or greeted_at(). */
static msec may_send_at(const struct remote *r)
{
	int unknown = r->mode == REMOTE_DETECTING && !r->first_known;
	msec settled = unknown ? greeted_at(r) : 0;

	if (r->mode != REMOTE_DETECTING && r->mode != REMOTE_PLAIN)
		return 0;
	return settled > r->sent + PLAIN_PAUSE ? settled : r->sent + PLAIN_PAUSE;
}

int remote_takes_input(const struct remote *r, msec *due)
{
	msec at = may_send_at(r);

	if (remote_is_stranger(r) || (r->mode == REMOTE_EXTENDED && !r->welcomed) ||
		(CFG_EXEC && r->command && !r->started))
		return 0;
	if (at > loop_now) {
		due_at(due, at);
		return 0;
	}
	return !r->wire.out.len;
}

ssize_t remote_input(struct remote *r, const unsigned char *data, size_t n)
{
	size_t max = r->mode == REMOTE_RAW      ? n :
		     r->mode != REMOTE_EXTENDED ? PLAIN_PART :
		     r->wire.keyed              ? WIRE_PAYLOAD :
						  PART;
	struct iovec v = {(void *)(uintptr_t)data, n < max ? n : max};
	ssize_t done = wire_output(&r->wire, r->mode != REMOTE_RAW, &v, 1);

	if (done > 0)
		r->sent = loop_now;
	return done;
}

int remote_eof(struct remote *r)
{
	if (r->mode == REMOTE_EXTENDED)
		return wire_frame(&r->wire, FRAME_EOF, 0, 0);
	if (r->mode == REMOTE_RAW)
		shutdown(r->wire.fd, SHUT_WR);
	return 0; /* in plain mode: uWSGI takes a half-close for the end of the connection */
}

void remote_not_silent(struct remote *r)
{
	r->heard = r->pinged = loop_now;
}

/* A COMMAND is for a server that says WELCOME within DETECT ms. */
static int is_awaited(const struct remote *r)
{
	return CFG_EXEC && r->command && !r->welcomed;
}

msec remote_due(const struct remote *r)
{
	if (is_awaited(r))
		return r->began + DETECT;
	if (r->answered && !r->first_known)
		return greeted_at(r);
	if (r->mode == REMOTE_DETECTING)
		return r->answered || r->sure ? r->began + DETECT : NEVER;
	if (r->mode != REMOTE_EXTENDED)
		return NEVER;
	return r->pinged + (CFG_SYSRQ && r->key_final ? KEY_WAIT : PING_AFTER);
}

/* After PING_AFTER ms of silence PING is sent, and sent again; after LOST_AFTER ms the connection is lost.  A server
 * that leaves input unread, and so PING too, because the command does not read, sends PONG unasked.  When the timer is
 * late by PING_AFTER ms this process was suspended: then only so much silence is counted. */
int remote_timer(struct remote *r)
{
	msec late = loop_now - remote_due(r);

	if (late < 0)
		return 0;
	if (is_awaited(r))
		return -1;
	if (r->first_known && remote_is_stranger(r))
		return -1;
	if (CFG_SYSRQ && r->key_final)
		return -1;
	if (!r->first_known)
		return release_first(r);
	if (r->mode == REMOTE_DETECTING) {
		remote_ended(r);
		r->mode = REMOTE_PLAIN;
		return 0;
	}
	r->pinged = loop_now;
	if (late >= PING_AFTER)
		r->heard = loop_now - PING_AFTER;
	if (loop_now - r->heard < PING_AFTER)
		r->pinged = r->heard;
	else if (loop_now - r->heard >= LOST_AFTER)
		return -1;
	else if (queue_room(&r->wire.out) > QUEUE_SIZE / 2)
		wire_frame(&r->wire, FRAME_PING, 1, 0);
	return 0;
}
