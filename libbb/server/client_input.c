/* client_input.c: what is received from a client, in each mode.
 *
 *	     first bytes 0 ? ? 100..102              first packet is HELLO
 *	NEW ---------------------------> FRAMED ----------------------------> EXTENDED
 *	 |  anything else                      \---------------------------> PLAIN
 *	 +-------------> RAW                      any other: uWSGI's client, output is not framed
 *	 |  HTTP or TLS, over TCP
 *	 +-------------> dropped
 *
 * A web page can make a browser send any bytes to a port of localhost, behind an HTTP request line.  So no input is typed
 * and no session started while the first bytes may still become such a line.  On -r sockets a client is RAW from the
 * start, on -f sockets FRAMED.  Memory and work are bounded by the bytes received: payloads are passed on in pieces,
 * unknown types are skipped, and a number that is no signal or no size has no effect.
 *
 * config FRAMED y framed mode: window size, signals and exit status over the wire
 */
#include <signal.h>
#include <string.h>
#include "server.h"

static unsigned long activity; /* the last value given to a client */

/* ---- the window size of a shared terminal ---- */

void client_size_changed(struct session *s, const struct client *by)
{
	const struct client *latest = 0;
	struct winsize size = s->size;

	if (!CFG_FRAMED && !CFG_INTERACTIVE)
		return;
	for (struct client *c = s->clients; c; c = c->next)
		if (!c->watch && (c->rows || c->cols) &&
			(!latest || c->activity > latest->activity))
			latest = c;
	if (!latest)
		return;
	size.ws_row = latest->rows ? latest->rows : size.ws_row;
	size.ws_col = latest->cols ? latest->cols : size.ws_col;
	if (size.ws_row == s->size.ws_row && size.ws_col == s->size.ws_col)
		return;
	session_resize(s, &size);
	for (struct client *c = s->clients; c; c = c->next)
		if (c != by && c->mode == CLIENT_EXTENDED)
			client_send_size(c);
}

/* Makes the client the one that typed or resized last. */
static void set_active(struct client *c)
{
	c->typed_at = loop_now;
	c->activity = ++activity;
}

/* ---- input ---- */

static void type(struct client *c, const unsigned char *data, size_t n)
{
	if (c->watch || !c->session)
		return;
	c->session->start_asked = 1;
	if (!n)
		return;
	set_active(c);
	client_size_changed(c->session, c);
	c->in_bytes += n;
	session_input(c->session, data, n);
	c->typed_end = c->session->in_bytes;
}

/* ---- the environment of a session that has not started ---- */

static int env_allowed(const char *s)
{
	static const char *const names[] = {
		"TERM=", "LANG=", "COLORTERM=", "LC_", "PTYBOX_SESSION="};
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_.+-@:,=";
	const char *value = strchr(s, '=');
	int known = 0;

	for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
		known |= !strncmp(s, names[i], strlen(names[i]));
	while (*s && strchr(plain, *s))
		s++;
	return known && value && value[1] != '-' && !*s;
}

/* Appends a variable to the session's strings.  A packet's parts are collected one byte behind their end, where a NUL
 * keeps them from being one of the strings; a variable that is complete and allowed is then moved to the end. */
static void add_variable(struct client *c, const struct frame *f)
{
	struct session *s = c->session;
	char *to;

	if (!s || !s->env || s->state != SESSION_NEW)
		return;
	if (f->size + 3 > SESSION_ENV - (int)s->env_len) {
		s->env_len = SESSION_ENV + 1; /* more than fits, so that the start fails */
		return;
	}
	to = s->env + s->env_len + 1;
	memcpy(to + f->size - f->left - f->len, f->part, f->len);
	to[f->size] = '\0';
	if (f->left || strlen(to) != f->size || !env_allowed(to))
		return;
	memmove(to - 1, to, f->size + 1);
	s->env_len += f->size + 1;
}

/* ---- frames ---- */

static void handle_hello(struct client *c)
{
	char welcome[64];
	struct text t = {welcome, welcome + sizeof welcome};

	text_str(&t, "ptybox/1");
	if (c->session && c->session->id) {
		text_str(&t, " session=");
		text_str(&t, c->session->id);
	}
	c->mode = CLIENT_EXTENDED;
	c->failed |= wire_frame(&c->wire, FRAME_WELCOME, t.at - welcome, welcome);
	if (!c->session)
		return;
	client_send_size(c);
	c->replaying = c->session->shared;
	c->replay_end = c->session->ring.head;
}

static void handle_extended(struct client *c, const struct frame *f)
{
	switch (f->type) {
	case FRAME_EOF:
		c->input = CLIENT_EOF;
		break;
	case FRAME_PING:
		c->failed |= wire_frame(&c->wire, FRAME_PING, f->size, 0);
		break;
	case FRAME_WATCH:
		c->watch = 1;
		if (c->session)
			client_size_changed(c->session, c);
		break;
	case FRAME_ENV:
		add_variable(c, f);
		break;
	}
}

/* Sends a signal, once for all its packets in one read, as standard signals do that are pending (signal(7)): to find out
 * whose a process group is, each process may have to be looked at (pgrp.c).  sent: a bit for each that was. */
static void send_signal(struct client *c, int sig, uint64_t sent[2])
{
	uint64_t bit = (uint64_t)1 << sig % 64;

	if (sent[sig / 64] & bit)
		return;
	sent[sig / 64] |= bit;
	c->session->start_asked |= c->mode == CLIENT_PLAIN;
	session_signal(c->session, sig);
}

static void handle(struct client *c, const struct frame *f, uint64_t sent[2])
{
	if (c->mode == CLIENT_FRAMED) {
		c->mode = CLIENT_PLAIN;
		c->first_at = loop_now;
		if (f->type == FRAME_HELLO) {
			handle_hello(c);
			return;
		}
	}
	if (f->type == FRAME_HELLO)
		;
	else if (f->type == FRAME_DATA)
		type(c, f->part, f->len);
	else if (f->type == FRAME_ROWS && f->size)
		c->rows = f->size, c->resized = 1;
	else if (f->type == FRAME_COLS && f->size)
		c->cols = f->size, c->resized = 1;
	else if (f->type < FRAME_ROWS && !c->watch && c->session)
		send_signal(c, f->type, sent);
	else if (c->mode == CLIENT_EXTENDED)
		handle_extended(c, f);
}

/* Called after all packets of a read, so that rows and columns which arrive together are set together. */
static void resize(struct client *c)
{
	if (!c->resized || !c->session || c->watch)
		return;
	c->resized = 0;
	set_active(c);
	client_size_changed(c->session, c);
}

void client_window(struct client *c, const struct winsize *size)
{
	c->rows = size->ws_row;
	c->cols = size->ws_col;
	c->resized = 1;
	resize(c);
}

static int handle_frames(struct client *c, const unsigned char *data, size_t n)
{
	uint64_t sent[2] = {0};
	int got;

	while ((got = frame_next(&c->wire.decoder, &data, &n)) == FRAME_GOT && !c->failed)
		handle(c, &c->wire.decoder, sent);
	resize(c);
	return got == FRAME_BAD || c->failed ? -1 : 0;
}

/* ---- detecting the mode ---- */

/* Decides the mode, and handles the bytes that were held for that. */
static int settle(struct client *c, int framed)
{
	size_t n = c->first_len;

	c->first_len = 0;
	c->mode = framed ? CLIENT_FRAMED : CLIENT_RAW;
	if (CFG_FRAMED && framed)
		return handle_frames(c, c->first, n);
	if (n)
		type(c, c->first, n);
	return 0;
}

void client_input_settled(struct client *c)
{
	if (c->mode == CLIENT_NEW)
		settle(c, 0);
}

enum { FOREIGN = 2 };

/* Returns what the first bytes decide: 1 framed, -1 raw, FOREIGN (HTTP or TLS), 0 nothing yet. */
static int detect(const struct client *c)
{
	int framed = CFG_FRAMED ? frame_starts(c->first, c->first_len) : -1, other;

	if (framed >= 0 || !c->rejects_http)
		return framed;
	other = frame_foreign(c->first, c->first_len);
	return other > 0 ? FOREIGN : other;
}

/* Counts the client as refused: it was counted as accepted before it sent anything. */
static int refuse_foreign(const struct client *c)
{
	if (CFG_STATS && c->counters) {
		__atomic_sub_fetch(&c->counters->accepted, 1, __ATOMIC_RELAXED);
		__atomic_add_fetch(&c->counters->refused, 1, __ATOMIC_RELAXED);
	}
	return -1;
}

int client_input(struct client *c, const unsigned char *data, size_t n)
{
	while (c->mode == CLIENT_NEW && n) {
		int what;

		if (!c->first_len)
			c->first_at = loop_now;
		c->first[c->first_len++] = *data++;
		n--;
		what = detect(c);
		if (what == FOREIGN)
			return refuse_foreign(c);
		if (what && settle(c, what > 0))
			return -1;
	}
	if (!n)
		return 0;
	if (CFG_FRAMED && c->mode != CLIENT_RAW)
		return handle_frames(c, data, n);
	type(c, data, n);
	return 0;
}
