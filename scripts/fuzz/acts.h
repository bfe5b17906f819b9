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
	p->link.closed = p->link.gone = p->link.reset = 0;
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
	p->attached = p->turned = p->expendable = 0;
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
	assert(session.over && has_all(p));
	assert(p->ear.exited == (p->judge.extended && p->ear.framed));
}

/* ---- handshakes ---- */

static int shakes(const struct peer *p)
{
	return p->used && p->mode == KEYED && !p->waits && !p->attached && !p->link.closed;
}

/* This many are pending from that address. */
static int pending_of(int host)
{
	int n = 0;

	for (const struct peer *p = peers; p < peers + PEERS; p++)
		n += shakes(p) && p->host == host;
	return n;
}

/* One more came to a keyed port.  When too many are pending one of the address that has most may be called off (the
 * newest counted or not), and nobody else. */
static void mark_expendable(void)
{
	int all = 0, most = 0;

	for (int host = 0; host < HOSTS; host++) {
		all += pending_of(host);
		most = pending_of(host) > most ? pending_of(host) : most;
	}
	for (struct peer *p = peers; p < peers + PEERS && all > PENDING; p++)
		p->expendable |= shakes(p) && pending_of(p->host) >= most - 1;
}

/* Whoever does nothing wrong has his ten seconds; a proof that a full server turns down is its own affair. */
static void check_shake(const struct peer *p)
{
	if (p->mode != KEYED || p->attached || p->excused || p->expendable || p->turned ||
		server.max)
		return;
	assert(now - p->accepted >= PATIENCE);
}

/* ---- what peers receive ---- */

static void eat(struct peer *p)
{
	unsigned char bite[4096];
	size_t n;

	while ((n = stream_take(&p->link.down, bite, p->hunger < 4096 ? p->hunger : 4096))) {
		p->hunger -= p->hunger < GREEDY ? n : 0;
		p->took = now;
		if (p->mode == KEYED)
			lock_hears(p, bite, n);
		else
			ear_hears(p, bite, n);
	}
	if (!p->link.down.len && p->link.down.shut && !p->link.gone) {
		check_shake(p);
		check_end(p);
		leave(p);
	}
}

/* At the beginning of a turn: who may not connect has been told so, and is gone. */
static void check_refused(const struct peer *p)
{
	if (!p->used || p->waits)
		return;
	assert(p->mode <= KEYED || p->link.closed);
	assert(p->mode >= KEYED || p->attached || p->turned);
}

static void refresh(struct peer *p)
{
	p->expendable |= fault.left > 0; /* a banner that is not written whole ends a handshake */
	if (!p->waits && p->link.closed)
		p->used = router || !p->link.gone; /* one client a session */
	if (!p->link.down.len)
		p->took = now;
	if (now - p->took > STALLS || (client_of(p) && client_of(p)->broken))
		p->excused = 1;
}
