/* remote.c: the client's side of framed mode, the counterpart of client_input.c.
 *
 * HELLO goes out first, with the window size.  What comes back is shown as it is until WELCOME stands
 * in it; from there on it is frames.  A server that never says WELCOME (uWSGI's, or one whose output
 * had begun) is looked through for LOOK ms from the first thing it says: a forwarder may accept long
 * before the server behind it is up.  uWSGI's takes plain input packets, sizes and signals.
 */
#include <string.h>
#include "attach.h"

enum {
	LOOK = 10000,
	PING_AFTER = 15000, /* ms of silence */
	LOST_AFTER = 45000,
	PART = NOISE_MAX - FRAME_HEAD,
	PLAIN_PART = 1024, /* uWSGI reads 4096 bytes at a time and closes at a payload over 4092, */
	PLAIN_PAUSE = 60,  /* and keeps the second of two packets that it reads at once */
};

static const unsigned char welcome[] = {
	0, 0, 0, FRAME_WELCOME, 'p', 't', 'y', 'b', 'o', 'x', '/', '1'};

void tell_begin(struct teller *t, int fd, char framed, struct noise *n)
{
	wire_close(&t->wire);
	t->wire = (struct wire){.fd = fd};
	if (CFG_KEYED && n)
		wire_key(&t->wire, n);
	t->mode = !framed ? TELL_RAW : TELL_LOOKING;
	t->began = t->heard = t->pinged = loop_now;
	t->held_len = t->noticed = t->answered = t->lock_len = t->size_due = 0;
	t->status = -1;
	if (framed)
		wire_frame(&t->wire, FRAME_HELLO, 1, 0);
}

void tell_size(struct teller *t, const struct winsize *size)
{
	if (t->mode == TELL_RAW || t->watch)
		return;
	t->size_due = queue_room(&t->wire.out) < QUEUE_SIZE / 2;
	if (t->size_due)
		return;
	wire_frame(&t->wire, FRAME_ROWS, size->ws_row, 0);
	wire_frame(&t->wire, FRAME_COLS, size->ws_col, 0);
}

/* ---- what the server says ---- */

static int env_wanted(const char *s)
{
	return !strncmp(s, "TERM=", 5) || !strncmp(s, "LANG=", 5) || !strncmp(s, "LC_", 3) ||
	       !strncmp(s, "COLORTERM=", 10);
}

static void welcomed(struct teller *t)
{
	extern char **environ;

	t->mode = TELL_EXTENDED;
	if (t->watch)
		wire_frame(&t->wire, FRAME_WATCH, 0, 0);
	for (char **e = environ; *e; e++)
		if (env_wanted(*e) && queue_room(&t->wire.out) > strlen(*e) + 512)
			wire_frame(&t->wire, FRAME_ENV, strlen(*e), *e);
	wire_frame(&t->wire, FRAME_DATA, 0, 0); /* go */
}

static void note(struct teller *t, const struct frame *f)
{
	size_t n = f->len;

	if (f->first)
		t->note_len = 0;
	if (n > sizeof t->note - 1 - t->note_len)
		n = sizeof t->note - 1 - t->note_len;
	memcpy(t->note + t->note_len, f->part, n);
	t->note_len += n;
	if (f->left)
		return;
	t->note[text_clean(t->note, t->note_len)] = '\0';
	t->noticed = 1;
	t->notice(t->note);
}

/* -1: no protocol.  A status over 255 is none: cut down to a byte it might say that all went well. */
static int handle(struct teller *t, const struct frame *f)
{
	switch (f->type) {
	case FRAME_DATA:
		t->noticed = 0;
		if (f->len)
			t->show(f->part, f->len);
		break;
	case FRAME_EXIT:
		if (f->size > 255)
			return -1;
		t->status = f->size;
		break;
	case FRAME_NOTICE:
		note(t, f);
		break;
	}
	return 0;
}

static int frames(struct teller *t, const unsigned char *data, size_t n)
{
	int got;

	while ((got = frame_next(&t->wire.in, &data, &n)) == FRAME_GOT)
		if (handle(t, &t->wire.in))
			return -1;
	return got == FRAME_BAD ? -1 : 0;
}

/* Whether the held bytes can be the beginning of WELCOME (its size may be any). */
static int may_be_welcome(const struct teller *t)
{
	for (unsigned i = 0; i < t->held_len; i++)
		if (t->held[i] != welcome[i] && i != 1 && i != 2)
			return 0;
	return 1;
}

static void show_held(struct teller *t, unsigned n)
{
	t->show(t->held, n);
	t->held_len -= n;
	memmove(t->held, t->held + n, t->held_len);
}

static int look(struct teller *t, const unsigned char *data, size_t n)
{
	while (n) {
		size_t plain = 0;

		if (!t->held_len) {
			while (plain < n && data[plain])
				plain++;
			if (plain)
				t->show(data, plain);
			data += plain;
			n -= plain;
			if (!n)
				break;
		}
		t->held[t->held_len++] = *data++;
		n--;
		while (t->held_len && !may_be_welcome(t))
			show_held(t, 1);
		if (t->held_len == sizeof welcome) {
			welcomed(t);
			return frames(t, t->held, sizeof welcome) || frames(t, data, n) ? -1 : 0;
		}
	}
	return 0;
}

static const char keyed[] = "ptybox-noise-1 ";

enum { KEYED_LEN = sizeof keyed - 1, NOT_KEYED = 255 };

/* Do the first bytes, in however many pieces, begin a keyed port's line? */
static void look_for_lock(struct teller *t, const unsigned char *data, size_t n)
{
	for (; n-- && t->lock_len < KEYED_LEN; data++)
		t->lock_len = *data == keyed[t->lock_len] ? t->lock_len + 1 : NOT_KEYED;
}

int tell_locked(const struct teller *t)
{
	return t->lock_len == KEYED_LEN;
}

int tell_heard(struct teller *t, const unsigned char *data, size_t n)
{
	look_for_lock(t, data, n);
	if (!t->answered)
		t->began = loop_now;
	t->heard = loop_now;
	t->answered = 1;
	if (t->mode == TELL_EXTENDED)
		return frames(t, data, n);
	if (t->mode == TELL_LOOKING)
		return look(t, data, n);
	t->show(data, n);
	return 0;
}

void tell_over(struct teller *t)
{
	if (t->mode == TELL_LOOKING && t->held_len)
		show_held(t, t->held_len);
}

/* ---- what we say ---- */

/* Input waits until it is known who is there: WELCOME, other output, or a second of silence. */
static msec settled_at(const struct teller *t)
{
	int unknown = !t->answered || t->lock_len <= KEYED_LEN;

	return t->mode == TELL_LOOKING && unknown ? t->began + 1000 : 0;
}

static msec may_send_at(const struct teller *t)
{
	msec settled = settled_at(t);

	if (t->mode != TELL_LOOKING && t->mode != TELL_PLAIN)
		return 0;
	return settled > t->sent + PLAIN_PAUSE ? settled : t->sent + PLAIN_PAUSE;
}

int tell_ready(const struct teller *t, msec *due)
{
	msec at = may_send_at(t);

	if (at > loop_now) {
		due_at(due, at);
		return 0;
	}
	return !t->wire.out.len;
}

int tell_input(struct teller *t, struct queue *q)
{
	unsigned max = t->mode == TELL_EXTENDED ? PART : PLAIN_PART;
	unsigned n = q->len < max ? q->len : max;
	int failed;

	if (t->mode == TELL_RAW) {
		ssize_t done = io_flush(t->wire.fd, q);

		return done < 0 ? -1 : 0;
	}
	failed = wire_frame(&t->wire, FRAME_DATA, n, queue_data(q));
	queue_take(q, n);
	t->sent = loop_now;
	return failed || wire_flush(&t->wire) < 0 ? -1 : 0;
}

int tell_eof(struct teller *t)
{
	if (t->mode == TELL_EXTENDED)
		return wire_frame(&t->wire, FRAME_EOF, 0, 0);
	if (t->mode == TELL_RAW)
		shutdown(t->wire.fd, SHUT_WR);
	return 0; /* uWSGI takes a half-close for the end */
}

void tell_awake(struct teller *t)
{
	t->heard = t->pinged = loop_now;
}

msec tell_due(const struct teller *t)
{
	if (t->mode == TELL_LOOKING)
		return t->answered ? t->began + LOOK : NEVER;
	return t->mode == TELL_EXTENDED ? t->pinged + PING_AFTER : NEVER;
}

/* Silence: ask; when that brings nothing either, the link is lost.  A server that leaves our input
 * unread for its command's sake, and so the question too, says something by itself. */
int tell_clock(struct teller *t)
{
	msec late = loop_now - tell_due(t);

	if (late < 0)
		return 0;
	if (t->mode == TELL_LOOKING) {
		tell_over(t);
		t->mode = TELL_PLAIN;
		return 0;
	}
	t->pinged = loop_now;
	if (late >= PING_AFTER) /* it was us who slept */
		t->heard = loop_now - PING_AFTER;
	if (loop_now - t->heard < PING_AFTER)
		t->pinged = t->heard;
	else if (loop_now - t->heard >= LOST_AFTER)
		return -1;
	else if (queue_room(&t->wire.out) > QUEUE_SIZE / 2)
		wire_frame(&t->wire, FRAME_PING, 1, 0);
	return 0;
}
