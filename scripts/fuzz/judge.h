/* judge.h: reads along what a peer says, byte by byte, and knows what has to be typed
 *
 * It stands in for client_input() and session_input(), calls the real ones, and compares.
 *
 * With -i the server tells what a terminal answers from what is typed.  A client that is not the one whose size counts
 * may have the beginning of a sequence held, TERM_HOLD bytes at most and for a tenth of a second (check_held()), and an
 * answer dropped: a whole one, or one that was longer than can be held, however it ends.  Everything else is due at
 * once, and all of it.  Where sequences begin and end is what escape.c says; it has a target of its own.
 */

enum {
	BEGINS = 1,
	MAY_DROP = 2
}; /* a text byte, or a sequence's first; all up to the next one may be dropped */
static unsigned char marks[TYPED_MAX];

static void judge_put(unsigned char byte, int mark)
{
	assert(due_len < sizeof due);
	marks[due_len] = mark;
	due[due_len++] = byte;
}

/* The last n bytes may be dropped, unless some before them were typed already. */
static void judge_spare(size_t n)
{
	if (n > due_len)
		return;
	for (size_t i = due_len - n; i < due_len; i++)
		marks[i] |= MAY_DROP;
}

/* Another one's size counts, and so his terminal answers. */
static int yields(const struct client *c)
{
	int sized = c->rows || c->cols;

	for (const struct client *o = c->session ? c->session->clients : 0; o; o = o->next) {
		int his = o->rows || o->cols;

		if (o != c && !o->watch &&
			(his > sized || (his == sized && o->activity >= c->activity)))
			return 1;
	}
	return 0;
}

/* The answer to a question, as far as can be told from what has come of it; not a report that nobody asks for. */
static int is_answer(const struct escape *e)
{
	switch (e->intro) {
	case 'P':
		return e->lead || e->inter || e->count;
	case ']':
		return e->final >= '0' && e->final <= '9';
	case '_':
		return e->final == 'G';
	case '[':
		if (e->lead)
			return e->lead == '>' ||
			       (e->lead == '?' && !(e->final == 'n' && e->param[0] == 997));
		if (e->inter)
			return e->final == 'y';
		if (e->final == 'R') /* or F3 */
			return e->count == 2 &&
			       !(e->param[0] == 1 && e->param[1] >= 2 && e->param[1] <= 16);
		return e->final == 't' || e->final == 'n' || e->final == 'x';
	}
	return 0;
}

/* A sequence of so many bytes was broken off by another, of which there are one or two by now, this one the last.  Of
 * one that broke off a dropped one, and was itself broken off, nobody can tell where it began. */
static void judge_broken(struct judge *j, size_t was, unsigned char byte)
{
	int two = j->escape.len == 2;

	if (j->tainted)
		judge_spare(was);
	j->tainted |= j->dropping || (due_len && marks[due_len - 1] & MAY_DROP);
	if (two && j->dropping)
		judge_put(27, BEGINS);
	else if (two && due_len)
		marks[due_len - 1] = BEGINS;
	judge_put(byte, two ? 0 : BEGINS);
	j->dropping = 0;
}

static void judge_typed(struct judge *j, const struct client *c, unsigned char byte)
{
	struct escape *e = &j->escape;
	size_t was = e->state ? e->len : 0;

	if (j->watch || client_rules.watch || !c->session)
		return;
	if (!c->viewer) {
		judge_put(byte, BEGINS);
		return;
	}
	escape_next(e, &byte, 1);
	j->since = loop_now;
	if (e->len && e->len != was + 1)
		judge_broken(j, was, byte);
	else if (!j->dropping)
		judge_put(byte, was ? 0 : BEGINS);
	if (j->yields && !j->dropping && (e->done || e->len > TERM_HOLD) && is_answer(e))
		judge_spare(was && due_len > 1 && marks[due_len - 2] & MAY_DROP ? 1 : e->len);
	if (!e->state)
		j->dropping = j->tainted = 0;
}

/* Whatever has begun has come to its end. */
static void judge_ended(struct judge *j)
{
	j->escape.state = 0;
	j->dropping = j->tainted = 0;
}

static int has_payload(unsigned type)
{
	return !type || (type >= 200 && type < 255);
}

/* WAIT and COMMAND, which this server does not run, and SysRq keys, which it does not take. */
static void judge_hold(struct judge *j, const struct client *c, unsigned size)
{
	enum client_hold was = j->hold;
	int brings =
		j->type == FRAME_COMMAND || (j->type == FRAME_WAIT && size & FRAME_WAIT_COMMAND);

	if (was == CLIENT_HELLO && j->type == FRAME_WAIT) {
		j->hold = brings ? CLIENT_COMMAND : CLIENT_WAITING;
		return;
	}
	if (was == CLIENT_HELLO || j->type == FRAME_DATA)
		j->hold = CLIENT_FREE;
	j->refused = c->session && (brings || j->type == FRAME_SYSRQ ||
					   (was == CLIENT_COMMAND && j->type == FRAME_DATA));
}

static void judge_head(struct judge *j, const struct client *c)
{
	unsigned size = j->head[1] | j->head[2] << 8;
	int first = !j->packets;

	j->have = 0;
	j->packets = 1;
	j->type = j->head[3];
	j->left = has_payload(j->type) ? size : 0;
	if (first && j->type == FRAME_HELLO) {
		j->extended = 1;
		j->hold = c->session && c->phase == CLIENT_DETECTING ? CLIENT_HELLO : CLIENT_FREE;
		return;
	}
	if (!j->extended)
		return;
	judge_hold(j, c, size);
	if (j->type == FRAME_EOF || j->type == FRAME_WATCH)
		judge_ended(j);
	j->eof |= j->type == FRAME_EOF;
	j->watch |= j->type == FRAME_WATCH;
	j->pings += j->type == FRAME_PING && size;
}

static void judge_framed(struct judge *j, const struct client *c, unsigned char byte)
{
	if (j->left) {
		j->left--;
		if (j->type == FRAME_DATA)
			judge_typed(j, c, byte);
	} else if (!j->have && byte) {
		j->bad = 1;
	} else {
		j->head[j->have++] = byte;
		if (j->have == FRAME_HEAD)
			judge_head(j, c);
	}
}

static void judge_raw(struct judge *j, const struct client *c)
{
	j->mode = CLIENT_RAW;
	for (int i = 0; i < j->have; i++)
		judge_typed(j, c, j->head[i]);
	j->have = 0;
}

static void judge_new(struct judge *j, const struct client *c, unsigned char byte)
{
	j->head[j->have++] = byte;
	if (j->head[0]) {
		int what = peer_of(c)->link.tcp ? foreign(j->head, j->have) : -1;

		j->bad = j->foreign = what > 0;
		if (what < 0)
			judge_raw(j, c);
	} else if (j->have == FRAME_HEAD && byte >= 100 && byte <= 102) {
		j->mode = CLIENT_FRAMED;
		judge_head(j, c);
	} else if (j->have == FRAME_HEAD) {
		judge_raw(j, c);
	}
}

static void judge(struct judge *j, const struct client *c, const unsigned char *data, size_t n)
{
	for (; n && !j->bad && !j->refused; data++, n--)
		if (j->mode == CLIENT_NEW)
			judge_new(j, c, *data);
		else if (j->mode == CLIENT_FRAMED)
			judge_framed(j, c, *data);
		else
			judge_typed(j, c, *data);
}

int __real_client_input(struct client *c, const unsigned char *data, size_t n);
int __wrap_client_input(struct client *c, const unsigned char *data, size_t n);
void __real_client_input_settled(struct client *c);
void __wrap_client_input_settled(struct client *c);
void __real_client_input_ended(struct client *c);
void __wrap_client_input_ended(struct client *c);
void __real_client_input_expire(struct client *c);
void __wrap_client_input_expire(struct client *c);
void __real_session_input(struct session *s, const unsigned char *data, size_t n);
void __wrap_session_input(struct session *s, const unsigned char *data, size_t n);

/* The strings of an environment, an empty one last. */
static void check_env(void)
{
	size_t len = 0;

	while (env[len])
		len += strnlen(env + len, sizeof env - len) + 1;
	assert(len == session.env_len && len < sizeof env);
}

/* Before the server hears something: what it holds is due. */
static void listen_to(const struct client *c, struct judge *j)
{
	due_len = due_off = 0;
	j->held_len = c->session ? j->held_len : 0;
	for (size_t i = 0; i < j->held_len; i++)
		judge_put(j->held[i], !i && j->held_len == j->escape.len ? BEGINS : 0);
	j->yields = yields(c);
	if (!c->hold) /* also after a time */
		j->hold = CLIENT_FREE;
}

/* Steps over a sequence that is due next, if it may have been dropped: 1, or 0. */
static int dropped(void)
{
	if (due_off == due_len || marks[due_off] != (BEGINS | MAY_DROP))
		return 0;
	do
		due_off++;
	while (due_off < due_len && !(marks[due_off] & BEGINS));
	return 1;
}

static void heard(const struct client *c, struct peer *p)
{
	struct judge *j = &p->judge;
	size_t before = j->held_len, n;

	while (dropped())
		if (j->escape.state && due_off == due_len)
			j->dropping = 1;
	n = due_len - due_off;
	assert(!n || c->failed ||
		(j->escape.state && n <= j->escape.len && n <= TERM_HOLD &&
			(j->yields || due_len == before)));
	j->held_len = c->failed ? 0 : n;
	memcpy(j->held, due + due_off, j->held_len);
	p->excused |= j->bad || c->failed || j->refused || j->hold > CLIENT_HELLO;
	check_env();
}

int __wrap_client_input(struct client *c, const unsigned char *data, size_t n)
{
	struct peer *p;
	int bad;

	if (c->src.fd < FD_BASE)
		return __real_client_input(c, data, n);
	p = peer_of(c);
	assert(n <= p->said.len && !memcmp(p->said.data + p->said.off, data, n));
	stream_take(&p->said, 0, n);
	listen_to(c, &p->judge);
	judge(&p->judge, c, data, n);
	bad = __real_client_input(c, data, n);
	assert(bad == (p->judge.bad || c->failed ? -1 : 0));
	heard(c, p);
	return bad;
}

void __wrap_client_input_settled(struct client *c)
{
	struct peer *p = peer_of(c);

	listen_to(c, &p->judge);
	if (p->judge.mode == CLIENT_NEW)
		judge_raw(&p->judge, c);
	__real_client_input_settled(c);
	heard(c, p);
}

void __wrap_client_input_ended(struct client *c)
{
	struct peer *p = peer_of(c);

	listen_to(c, &p->judge);
	judge_ended(&p->judge);
	__real_client_input_ended(c);
	heard(c, p);
}

/* A lone ESC was most likely a key; of anything longer the rest is on its way. */
void __wrap_client_input_expire(struct client *c)
{
	struct peer *p = peer_of(c);

	assert(p->judge.escape.state && !p->judge.dropping);
	assert(loop_now >= p->judge.since + (p->judge.escape.len == 1 ? 10 : 100));
	listen_to(c, &p->judge);
	judge_ended(&p->judge);
	__real_client_input_expire(c);
	heard(c, p);
}

/* The server sleeps until then: what it holds is typed in time, if the terminal takes it. */
static void check_held(msec until)
{
	for (const struct peer *p = peers; p < peers + PEERS; p++) {
		const struct client *c = p->used && p->judge.held_len ? client_of(p) : 0;

		if (c && c->wire.out.len < QUEUE_SIZE / 2 &&
			session_takes_input(&session, c->typed_end))
			assert(until <= p->judge.since + 100);
	}
}

void __wrap_session_input(struct session *s, const unsigned char *data, size_t n)
{
	while (n > due_len - due_off || memcmp(due + due_off, data, n))
		if (!dropped())
			assert(!"what is typed is due");
	due_off += n;
	if (s->state < SESSION_DRAINING)
		stream_put(&tty.typed, data, n);
	__real_session_input(s, data, n);
}
