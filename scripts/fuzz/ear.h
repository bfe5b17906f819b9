/* ear.h: what a peer receives, and the client's side of a keyed connection
 *
 * The command's output is a sequence that tells every byte from its neighbours (letter()), so that the
 * ear knows what comes next and that a skip is as long as was announced.
 */

static void ear_note(struct ear *e)
{
	char *words;
	unsigned long n = strtoul(e->note, &words, 10);

	e->note[e->note_len] = '\0';
	if (!strcmp(words, " bytes skipped"))
		e->at += n;
	e->note_len = 0;
}

static void ear_payload(struct ear *e, unsigned char byte)
{
	static const char welcome[] = "ptybox/1";

	if (e->type == FRAME_DATA)
		check_letters(e, &byte, 1);
	else if (e->type == FRAME_WELCOME)
		assert(byte == welcome[sizeof welcome - 1 - e->left]);
	else if (e->note_len < sizeof e->note - 1)
		e->note[e->note_len++] = byte;
	if (!--e->left && e->type == FRAME_NOTICE)
		ear_note(e);
}

static void ear_head(struct ear *e)
{
	unsigned size = e->head[1] | e->head[2] << 8;

	e->have = 0;
	e->type = e->head[3];
	e->left = has_payload(e->type) ? size : 0;
	assert(!e->head[0]);
	assert(e->framed == (e->type != FRAME_WELCOME));
	e->framed = 1;
	switch (e->type) {
	case FRAME_DATA:
	case FRAME_NOTICE:
	case FRAME_ROWS:
	case FRAME_COLS:
		assert(size);
		break;
	case FRAME_WELCOME:
		assert(size == 8);
		break;
	case FRAME_EXIT:
		assert(!e->exited && (int)size == command.status);
		e->exited = 1;
		break;
	case FRAME_CLOSING: /* in place of EXIT: the server ends, or it is turned away */
		assert(size <= 1 && !e->exited);
		e->exited = 1;
		break;
	case FRAME_REPLAYED:
		assert(!router && !e->replayed);
		e->replayed = 1;
		break;
	default:
		assert(e->type == FRAME_PING);
		e->pongs += size > 0; /* it may say so unasked */
	}
}

/* Raw output was looked at when it was written. */
static void ear_hears(struct peer *p, const unsigned char *data, size_t n)
{
	struct ear *e = &p->ear;

	for (; n; data++, n--)
		if (e->left) {
			ear_payload(e, *data);
		} else if (e->framed || e->have || !*data) {
			e->head[e->have++] = *data;
			if (e->have == FRAME_HEAD)
				ear_head(e);
		}
	assert(e->pongs <= p->judge.pings);
}

static void before_write(struct link *l)
{
	struct peer *p = (struct peer *)l;
	const struct client *c = client_of(p);

	assert(!p->judge.foreign);
	if (!c || c->phase != CLIENT_STREAMING || (c->wire.keyed && !client_is_extended(c)))
		return;
	/* sizes may be sent before it is known where the output begins */
	if (p->ear.at < 0 || (client_is_extended(c) && !c->out_bytes && !p->ear.skipped)) {
		p->ear.at = c->pos;
		p->ear.skipped = c->skipped;
	}
	if (client_is_extended(c))
		return;
	p->ear.at += c->skipped - p->ear.skipped;
	p->ear.skipped = c->skipped;
	assert(p->ear.at == (long long)c->pos);
	assert(!router || !c->skipped);
}

static void after_write(struct link *l, const struct iovec *v, int parts, size_t n)
{
	struct peer *p = (struct peer *)l;
	const struct client *c = client_of(p);

	(void)parts;
	if (!c || c->phase != CLIENT_STREAMING || client_is_extended(c) || c->wire.keyed)
		return;
	for (; n; v++) {
		size_t part = v->iov_len < n ? v->iov_len : n;

		check_letters(&p->ear, v->iov_base, part);
		n -= part;
	}
}

/* ==== a keyed peer's side ==== */

int __wrap_random_bytes(void *buf, size_t n);
int __wrap_random_wait(void);

int __wrap_random_bytes(void *buf, size_t n)
{
	memset(buf, 7, n);
	return 0;
}

int __wrap_random_wait(void)
{
	return -1;
}

/* With the same random numbers again and again there are few products to compute. */
extern const br_ec_impl __real_br_ec_c25519_m31;

static uint32_t product(unsigned char *point, size_t point_len, const unsigned char *scalar,
	size_t scalar_len, int curve)
{
	static struct {
		unsigned char point[32], scalar[32], product[32];
	} known[8];
	static unsigned count;
	unsigned i = 0;

	while (i < count &&
		(memcmp(known[i].point, point, 32) || memcmp(known[i].scalar, scalar, 32)))
		i++;
	if (i == count) {
		i = count < 8 ? count++ : 7;
		memcpy(known[i].point, point, 32);
		memcpy(known[i].scalar, scalar, 32);
		__real_br_ec_c25519_m31.mul(point, point_len, scalar, scalar_len, curve);
		memcpy(known[i].product, point, 32);
	}
	memcpy(point, known[i].product, 32);
	return 1;
}

extern const br_ec_impl __wrap_br_ec_c25519_m31;
const br_ec_impl __wrap_br_ec_c25519_m31 = {.mul = product};

static const unsigned char psk[NOISE_KEY]; /* the one in the server's file */

static void lock_ask(struct peer *p)
{
	unsigned char random[NOISE_KEY] = "client", hello[NOISE_HELLO];
	struct lock *l = &p->lock;

	assert(noise_banner_check(l->record, NOISE_BANNER) == 1);
	noise_begin(&l->noise, psk, l->record, NOISE_BANNER);
	assert(!noise_initiate(&l->noise, random, hello));
	if (stream_room(&p->link.up) < sizeof hello)
		return;
	stream_put(&p->link.up, hello, sizeof hello);
	l->stage = ANSWER;
}

/* ---- the server's: one record a turn from each connection ---- */

ssize_t __real_noise_unseal(struct noise *n, unsigned char *record, size_t size);
ssize_t __wrap_noise_unseal(struct noise *n, unsigned char *record, size_t size);

static const struct noise *unsealed[2 * PEERS];
static unsigned unsealed_count; /* in this turn */

/* Before it is closed it may have said HELLO, which is looked for once more. */
static int is_evicted(const struct noise *n)
{
	return client_refused && n == &client_refused->wire.noise;
}

ssize_t __wrap_noise_unseal(struct noise *n, unsigned char *record, size_t size)
{
	for (unsigned i = 0; i < unsealed_count; i++)
		assert(unsealed[i] != n || is_evicted(n));
	assert(unsealed_count < sizeof unsealed / sizeof *unsealed);
	unsealed[unsealed_count++] = n;
	return __real_noise_unseal(n, record, size);
}

static void lock_record(struct peer *p)
{
	struct lock *l = &p->lock;
	int size = noise_size(&l->noise, l->record, l->have);
	ssize_t used;

	assert(size >= 0);
	if (!size || l->have < (size_t)size)
		return;
	l->have = 0;
	if (l->stage == ANSWER) {
		assert(!noise_finish(&l->noise, l->record));
		l->stage = TALKS;
		return;
	}
	used = __real_noise_unseal(&l->noise, l->record, size);
	assert(used > 0);
	p->told |= !p->attached && p->expendable;
	ear_hears(p, l->record + NOISE_DATA, used);
}

/* No answer begins like this. */
static void lock_turned_away(struct peer *p, unsigned char byte)
{
	static const char busy[] = "ptybox: the server is too busy, try again\r\n";
	struct lock *l = &p->lock;

	l->stage = TURNED_AWAY;
	assert(p->expendable && l->have < sizeof busy - 1 && byte == busy[l->have]);
	p->told |= ++l->have == sizeof busy - 1;
}

static void lock_hears(struct peer *p, const unsigned char *data, size_t n)
{
	struct lock *l = &p->lock;

	for (; n; data++, n--) {
		if (l->stage == TURNED_AWAY || (l->stage == ANSWER && !l->have && *data)) {
			lock_turned_away(p, *data);
			continue;
		}
		l->record[l->have++] = *data;
		if (l->stage != BANNER) {
			lock_record(p);
		} else if (l->have == NOISE_BANNER) {
			l->have = 0;
			lock_ask(p);
		}
	}
}

/* In one record. */
static void lock_say(struct peer *p, const void *data, size_t n)
{
	unsigned char record[NOISE_RECORD];
	size_t size;

	memcpy(record + NOISE_DATA, data, n);
	size = noise_seal(&p->lock.noise, record, n);
	assert(size);
	stream_put(&p->link.up, record, size);
}
