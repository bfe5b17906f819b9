/* acts.h: what the server target's peers do, and what of it the server has to bear */

/* All of it, or nothing when there is no room. */
static void say(struct peer *p, const unsigned char *data, size_t n)
{
	size_t size = p->mode == KEYED ? n + (n / NOISE_MAX + 1) * 128 : n;

	if (p->link.up.shut || p->link.closed || p->link.reset)
		return;
	if (size > stream_room(&p->link.up) || n > stream_room(&p->said) ||
		(p->mode == KEYED && p->lock.stage != TALKS))
		return;
	stream_put(&p->said, data, n);
	if (p->mode != KEYED) {
		stream_put(&p->link.up, data, n);
		return;
	}
	while (n) {
		size_t part = n < NOISE_MAX ? n : NOISE_MAX;

		lock_say(p, data, part);
		data += part;
		n -= part;
	}
}

/* A frame with a payload of so many bytes, different from each other. */
static void say_frame(struct peer *p, unsigned type, unsigned size)
{
	unsigned char frame[FRAME_HEAD + 65535];
	unsigned payload = has_payload(type) ? size : 0;

	frame_head(frame, type, size);
	for (unsigned i = 0; i < payload; i++)
		frame[FRAME_HEAD + i] = p->typed++;
	p->framed = 1;
	say(p, frame, FRAME_HEAD + payload);
}

static void say_hello(struct peer *p, unsigned rows)
{
	p->hello |= !p->framed;
	say_frame(p, FRAME_HELLO, 1);
	say_frame(p, FRAME_ROWS, rows);
	say_frame(p, FRAME_COLS, 80);
}

/* As it would: a raw one does not begin with a 0. */
static void type(struct peer *p, size_t n)
{
	static unsigned char text[65536];

	if (p->mode != CLIENT_RAW && (p->mode != CLIENT_NEW || p->framed)) {
		say_frame(p, FRAME_DATA, n > 65535 ? 65535 : n);
		return;
	}
	for (size_t i = 0; i < n; i++)
		text[i] = (p->typed = p->typed % 255 + 1);
	say(p, text, n);
}

/* Bytes of the schedule itself.  A keyed peer says them without its key. */
static void spit(struct peer *p, size_t n)
{
	if (n > (size_t)(plan_end - plan))
		n = plan_end - plan;
	p->framed = 1;
	if (p->mode != KEYED) {
		say(p, plan, n);
	} else if (n <= stream_room(&p->link.up) && !p->link.up.shut) {
		stream_put(&p->link.up, plan, n);
		p->excused = 1;
	}
	plan += n;
}

/* With its key: a record that was tampered with, or some that carry nothing. */
static void say_record(struct peer *p, unsigned how)
{
	if (p->mode != KEYED || p->lock.stage != TALKS || p->link.up.shut || p->link.closed ||
		p->link.reset)
		return;
	for (unsigned n = how & 1 ? 1 : how / 2 % 16; n && stream_room(&p->link.up) > 256; n--)
		lock_say(p, "", 0);
	if (!(how & 1) || !p->link.up.len)
		return;
	p->link.up.data[p->link.up.off + p->link.up.len - 1] ^= 1;
	p->excused = 1;
}

static void open_peer(struct peer *p, int mode, int host, size_t cap, size_t hunger)
{
	if (p->used)
		return;
	memset(&p->judge, 0, sizeof p->judge);
	memset(&p->ear, 0, sizeof p->ear);
	stream_reset(&p->said, STREAM);
	stream_reset(&p->link.up, STREAM / 2);
	stream_reset(&p->link.down, cap);
	p->link.closed = p->link.gone = p->link.reset = p->link.ending = p->link.cut = 0;
	p->link.sent = 0;
	p->link.tcp = mode == CLIENT_NEW && host & 1;
	p->judge.mode = mode == KEYED ? CLIENT_FRAMED : mode > KEYED ? CLIENT_NEW : mode;
	p->ear.at = -1;
	p->lock.stage = BANNER;
	p->lock.have = 0;
	p->mode = mode;
	p->host = host;
	p->hunger = hunger;
	p->typed = (p - peers) * 21;
	p->used = p->waits = 1;
	p->framed = p->hello = 0;
	p->attached = p->turned = p->told = p->barred = p->expendable = 0;
	p->link.user = mode == OTHER_USER ? geteuid() + 1 : geteuid();
	p->excused = mode > KEYED || client_rules.idle;
	p->took = now;
}

/* It may have been excused by what it says, or not, before that is heard. */
static void half_close(struct peer *p)
{
	int raw = p->mode == CLIENT_RAW || (p->mode == CLIENT_NEW && !p->framed);

	p->link.up.shut = 1;
	p->excused |= !raw;
}

static void leave(struct peer *p)
{
	p->link.up.shut = p->link.gone = 1;
	p->link.down.len = p->hunger = 0;
	p->excused = 1;
}

static int has_all(const struct peer *p)
{
	if (p->mode == KEYED && !p->judge.extended)
		return 1; /* nobody can tell what is raw from outside of its records */
	return p->ear.at == (long long)session.ring.head || !session.ring.head;
}

/* The server has closed: rightly so? */
static void check_end(const struct peer *p)
{
	if (p->excused || !p->attached)
		return;
	assert(session.state == SESSION_OVER && has_all(p));
	assert(p->ear.exited == (p->judge.extended && p->ear.framed));
}

/* ---- handshakes ---- */

static int shakes(const struct peer *p)
{
	return p->used && p->mode == KEYED && !p->waits && !p->attached && !p->turned &&
	       !p->link.ending && !p->link.down.shut;
}

/* Its hello was answered: it has the key. */
static int has_key(const struct peer *p)
{
	return p->link.sent >= NOISE_BANNER + NOISE_HELLO;
}

static int pending(void)
{
	int n = 0;

	for (const struct peer *p = peers; p < peers + PEERS; p++)
		n += shakes(p);
	return n;
}

/* This many that have not shown a key are pending from its address, or it has. */
static int crowd(const struct peer *of)
{
	int n = 0;

	for (const struct peer *p = peers; p < peers + PEERS; p++)
		n += shakes(p) && !has_key(p) && p->host == of->host;
	return has_key(of) ? 0 : n;
}

/* One more came than may be pending.  One of the address that has most may be called off, and not the newest;
 * nobody else. */
static void mark_expendable(const struct peer *newest)
{
	int most = 0;

	for (const struct peer *p = peers; p < peers + PEERS; p++)
		if (p != newest && shakes(p) && crowd(p) > most)
			most = crowd(p);
	for (struct peer *p = peers; p < peers + PEERS; p++)
		p->expendable |= p != newest && shakes(p) && crowd(p) == most;
}

/* Whoever does nothing wrong has his ten seconds, or is told that the server was too busy. */
static void check_shake(const struct peer *p)
{
	if (p->mode != KEYED || p->attached || p->excused || p->turned || p->link.cut)
		return;
	if (p->expendable && now - p->accepted < PATIENCE)
		assert(p->told);
	else
		assert(now - p->accepted >= PATIENCE);
}

/* Who is turned away is told so. */
static void check_told(const struct peer *p)
{
	assert(!p->turned || p->told || p->excused || p->link.cut);
}

/* ---- what peers receive ---- */

static void eat(struct peer *p)
{
	unsigned char bite[4096];
	size_t n;

	while ((n = stream_take(&p->link.down, bite, p->hunger < 4096 ? p->hunger : 4096))) {
		p->hunger -= p->hunger < GREEDY ? n : 0;
		p->took = now;
		p->told |= p->turned;
		if (p->barred)
			continue;
		if (p->mode == KEYED)
			lock_hears(p, bite, n);
		else
			ear_hears(p, bite, n);
	}
	if (!p->link.down.len && p->link.down.shut && !p->link.gone) {
		check_shake(p);
		check_told(p);
		check_end(p);
		leave(p);
	}
}

/* At the beginning of a turn: who may not connect has been told so, and is gone; of those who are told that there
 * is no room only a few are still there. */
static void check_refused(void)
{
	int leaving = 0;

	for (const struct peer *p = peers; p < peers + PEERS; p++) {
		if (!p->used || p->waits)
			continue;
		assert(p->mode <= KEYED || p->link.closed);
		assert(p->mode >= KEYED || p->attached || p->turned);
		leaving += p->turned && !p->link.closed;
	}
	assert(leaving <= LEAVING);
}

static void refresh(struct peer *p)
{
	p->link.cut |= fault.left > 0; /* a banner that is not written whole ends a handshake */
	if (!p->waits && p->link.closed)
		p->used = router || !p->link.gone; /* one client a session */
	if (!p->link.down.len)
		p->took = now;
	if (now - p->took > STALLS || (client_of(p) && client_of(p)->failed))
		p->excused = 1;
}
