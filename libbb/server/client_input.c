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
 * What a terminal says by itself (term_input.c) is not typing: it takes no size, and does not count for -i.  Of several
 * clients only the one whose size counts answers the command's questions; what the others say waits until it is
 * known what it is, a tenth of a second at most.
 *
 * config FRAMED y framed mode: window size, signals and exit status over the wire
 */
#include <signal.h>
#include <string.h>
#include "server.h"

static unsigned long activity; /* the last value given to a client */

/* ---- the window size of a shared terminal ---- */

/* Returns the client that typed or resized last, of those that do not only watch and, if there are any, of those whose
 * window is known; or 0. */
static const struct client *latest_client(const struct session *s)
{
	const struct client *latest = 0;

	for (const struct client *c = s->clients; c; c = c->next) {
		int sized = c->rows || c->cols, before = latest && (latest->rows || latest->cols);

		if (!c->watch && !c->hold &&
			(!latest || sized > before ||
				(sized == before && c->activity >= latest->activity)))
			latest = c;
	}
	return latest;
}

void client_size_changed(struct session *s, const struct client *by)
{
	const struct client *latest;
	struct winsize size = s->size;

	if (!CFG_FRAMED && !CFG_INTERACTIVE)
		return;
	latest = latest_client(s);
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

static void pass(struct client *c, const unsigned char *data, size_t n)
{
	c->in_bytes += n;
	session_input(c->session, data, n);
	c->typed_end = c->session->in_bytes;
}

static void typed(struct client *c)
{
	set_active(c);
	client_size_changed(c->session, c);
}

/* A run of what a client said (struct term_input).  A size that a terminal reports is an answer, too: to DECSET 2048. */
static void take(struct term_input *in, int kind, const unsigned char *data, size_t n)
{
	struct viewer *v = (struct viewer *)in;
	struct client *c = v->client;
	int answer = kind == TERM_ANSWER || (kind == TERM_REPORT && in->escape.final == 't');

	if (c->watch)
		return;
	if (kind == TERM_TYPED)
		typed(c);
	in->hold = latest_client(c->session) != c;
	if (!in->continues)
		v->dropped = answer && in->hold;
	if (n && !v->dropped)
		pass(c, data, n);
}

static void type(struct client *c, const unsigned char *data, size_t n)
{
	if (c->watch || !c->session)
		return;
	c->session->start_asked = 1;
	if (!n)
		return;
	if (CFG_MODES && c->viewer) {
		c->viewer->input.hold = latest_client(c->session) != c;
		term_input_feed(&c->viewer->input, data, n);
		return;
	}
	typed(c);
	pass(c, data, n);
}

void client_input_begin(struct client *c, struct viewer *v)
{
	*v = (struct viewer){.input.take = take, .client = c};
	c->viewer = v;
}

/* Returns when the held beginning of a sequence is typed; never for a long answer of which a part was dropped, however
 * slowly the rest comes. */
msec client_input_due(const struct client *c)
{
	const struct viewer *v = c->viewer;

	if (!CFG_MODES || !v || !c->session || (v->dropped && v->input.escape.len > v->input.len))
		return NEVER;
	return term_input_due(&v->input);
}

void client_input_expire(struct client *c)
{
	term_input_expire(&c->viewer->input);
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
	char welcome[96];
	struct text t = {welcome, welcome + sizeof welcome};

	text_str(&t, "ptybox/1");
	if (c->session && c->session->id) {
		text_str(&t, " session=");
		text_str(&t, c->session->id);
	}
	if (CFG_SYSRQ && sysrq_is_open())
		text_str(&t, " sysrq=1");
	if (CFG_EXEC && exec_allowed)
		text_str(&t, " exec=1");
	c->mode = CLIENT_EXTENDED;
	c->failed |= wire_frame(&c->wire, FRAME_WELCOME, t.at - welcome, welcome);
	if (!c->session)
		return;
	if (CFG_EXEC && c->phase == CLIENT_DETECTING)
		c->hold = CLIENT_HELLO;
	else
		client_answer_hello(c);
}

/* A ptyrouter's command does not start while the client sends keys, which -y of ptyattach does instead of using a session. */
static void handle_sysrq(struct client *c, unsigned key)
{
	const char *why = c->watch  ? "a watcher sends no SysRq keys" :
			  CFG_SYSRQ ? sysrq_send(key, c->name) :
				      sysrq_none;

	c->first_at = loop_now;
	if (why)
		client_reject(c, why);
}

static void handle_extended(struct client *c, const struct frame *f)
{
	switch (f->type) {
	case FRAME_EOF:
		client_input_ended(c);
		c->input = CLIENT_EOF;
		break;
	case FRAME_PING:
		c->failed |= wire_frame(&c->wire, FRAME_PING, f->size, 0);
		break;
	case FRAME_SYSRQ:
		if (c->session)
			handle_sysrq(c, f->size);
		break;
	case FRAME_WATCH:
		client_input_ended(c); /* what was held came before it, and is typed */
		c->watch = 1;
		if (c->session)
			client_size_changed(c->session, c);
		break;
	case FRAME_ENV:
		add_variable(c, f);
		break;
	case FRAME_WAIT:
	case FRAME_COMMAND:
		if (CFG_EXEC)
			client_unheld(c, f);
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
	if (CFG_EXEC && c->hold && client_held(c, f))
		return;
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
	if (!c->resized || !c->session || c->watch || c->hold)
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

	while ((got = frame_next(&c->wire.decoder, &data, &n)) == FRAME_GOT && !c->failed &&
		!(c->refusal && c->session)) /* behind what it is refused for nothing counts */
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

void client_input_ended(struct client *c)
{
	if (CFG_MODES && c->viewer && c->session)
		term_input_end(&c->viewer->input);
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
