/* judge.h: reads along what a peer says, byte by byte, and knows what has to be typed
 *
 * It stands in for client_input() and session_input(), calls the real ones, and compares.
 */

static void judge_typed(struct judge *j, const struct client *c, unsigned char byte)
{
	if (j->watch || client_rules.watch || !c->session)
		return;
	assert(due_len < sizeof due);
	due[due_len++] = byte;
}

static int has_payload(unsigned type)
{
	return !type || (type >= 200 && type < 255);
}

static void judge_head(struct judge *j)
{
	unsigned size = j->head[1] | j->head[2] << 8;
	int first = !j->packets;

	j->have = 0;
	j->packets = 1;
	j->type = j->head[3];
	j->left = has_payload(j->type) ? size : 0;
	if (first && j->type == FRAME_HELLO)
		j->extended = 1;
	if (!j->extended)
		return;
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
			judge_head(j);
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
		judge_head(j);
	} else if (j->have == FRAME_HEAD) {
		judge_raw(j, c);
	}
}

static void judge(struct judge *j, const struct client *c, const unsigned char *data, size_t n)
{
	for (; n && !j->bad; data++, n--)
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

static void heard(const struct client *c, struct peer *p)
{
	assert(due_off == due_len || c->failed);
	p->excused |= p->judge.bad || c->failed;
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
	due_len = due_off = 0;
	judge(&p->judge, c, data, n);
	bad = __real_client_input(c, data, n);
	assert(bad == (p->judge.bad || c->failed ? -1 : 0));
	heard(c, p);
	return bad;
}

void __wrap_client_input_settled(struct client *c)
{
	struct peer *p = peer_of(c);

	due_len = due_off = 0;
	if (p->judge.mode == CLIENT_NEW)
		judge_raw(&p->judge, c);
	__real_client_input_settled(c);
	heard(c, p);
}

void __wrap_session_input(struct session *s, const unsigned char *data, size_t n)
{
	assert(n <= due_len - due_off && !memcmp(due + due_off, data, n));
	due_off += n;
	if (s->state < SESSION_DRAINING)
		stream_put(&tty.typed, data, n);
	__real_session_input(s, data, n);
}
