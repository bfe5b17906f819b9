/* handshake.c: how a keyed connection begins, before anybody is a client.
 *
 *	server: SEND_BANNER (nonce) -> WAIT_HELLO (hello, answers) -> WAIT_PROOF (first record) -> done()
 *	            \                |  \-- no hello, no key ----> LINGERS -> OVER
 *	             \---------------+-- too many, too slow -----> OVER
 *	client: WAIT_BANNER (banner, asks) -> WAIT_ANSWER (answer) -> done()
 *
 * A stranger costs the server one of few slots, no session and no process, for ten seconds at most.
 * When all are taken the oldest connection of the address that has most goes, and never the newest:
 * neither silence nor a flood from one address keeps the owner out, who comes from another.  Only the
 * first good record proves that the client has the key and lives, but a good hello proves the key: who
 * sent one goes last.
 *
 * A hello that is none, or of another key, is answered with nothing but the end of the stream: that is
 * how a client knows it for judged.  Whoever is closed unjudged, for want of a slot_take or of random numbers, is
 * told so first, in a line that cannot be an answer: an answer's first byte is 0.  A reset, or an end that
 * comes before the hello was acknowledged, is no judgement either.
 *
 * The line of a visitor who types before he reads would be lost with a reset (RFC 1122, 4.2.2.13), so what
 * he types is read and dropped for a while; few linger so, in slots of their own.
 */
#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>
#include "libbb.h"

enum {
	PENDING = 8,
	LINGERING = 8,
	SLOTS = PENDING + LINGERING +
		64,           /* and those that are closed, but not buried before the next turn */
	PATIENCE = 10000,     /* ms */
	LINGER = 2000,        /* ms, */
	LINGER_BYTES = 65536, /* and how much is dropped meanwhile */
	NO_RANDOM = 100,      /* ms between looks whether there is randomness */
	COMPLAIN = 10000,     /* ms between lines about strangers */
};

enum { OVER, SEND_BANNER, WAIT_HELLO, WAIT_PROOF, LINGERS, WAIT_BANNER, WAIT_ANSWER };

struct handshake {
	struct source src; /* first member */
	struct noise noise;
	struct queue rx; /* WAIT_PROOF: a part of the first record */
	msec began, look;
	unsigned long number; /* in the order of coming */
	int mode;
	int drop;           /* LINGERS: so many bytes more */
	char state, unsaid; /* unsaid: our hello was not taken */
	unsigned char have; /* bytes of what follows */
	uint64_t home;
	char name[NET_TEXT];
	union {
		char banner[NOISE_BANNER];
		unsigned char hello[NOISE_HELLO]; /* once the banner is a part of the hash */
	};
};

static unsigned char key[NOISE_KEY];
static struct handshake slots[SLOTS] LARGE;
static handshake_result *on_done;
static void (*on_failed)(const char *why);
static char chatty;

/* What a client is told that is closed unjudged. */
static const char busy[] = "ptybox: the server is too busy, try again\r\n";
static const char busy_words[] = "the server is too busy";
_Static_assert(sizeof busy - 1 <= NOISE_HELLO, "a client reads it instead of an answer");

void handshake_key(const char *path)
{
	psk_read(key, path);
	if (noise_start())
		die(1, "-k: this library's curve does not compute");
	prctl(PR_SET_DUMPABLE, 0);
}

void handshake_start(int verbose)
{
	chatty = verbose;
	random_start();
}

void handshake_forget(void)
{
	explicit_bzero(key, sizeof key);
	for (struct handshake *s = slots; s < slots + SLOTS; s++)
		if (s->src.linked)
			noise_close(&s->noise);
}

/* ---- the ways out ---- */

static void close_now(struct handshake *s)
{
	noise_close(&s->noise);
	loop_close(&s->src);
	s->state = OVER;
}

static void complain(const struct handshake *s, const char *why)
{
	static msec complained;

	if (!chatty && complained && loop_now - complained < COMPLAIN)
		return;
	complained = loop_now;
	warn(s->name, ": ", why);
}

/* Whoever has the key waits for a record: the frames WELCOME (202), NOTICE (201), AGAIN (109). */
static void tell_proved(struct handshake *s)
{
	static const char said[] = "\0\10\0\312ptybox/1"
				   "\0\26\0\311the server is too busy"
				   "\0\0\0\155";
	unsigned char record[NOISE_RECORD];

	_Static_assert(sizeof busy_words - 1 == 026, "NOTICE");
	memcpy(record + NOISE_DATA, said, sizeof said - 1);
	io_write(s->src.fd, record, noise_seal(&s->noise, record, sizeof said - 1));
}

/* Closed unjudged, and told so; for `why` it is reported. */
static void turn_away(struct handshake *s, const char *why)
{
	complain(s, why);
	if (s->state == WAIT_PROOF)
		tell_proved(s);
	else
		io_write(s->src.fd, busy, sizeof busy - 1);
	close_now(s);
}

static void failed(struct handshake *s, const char *why)
{
	close_now(s);
	on_failed(why);
}

static void done(struct handshake *s, const unsigned char *first, size_t n)
{
	int fd = s->src.fd;

	s->src.fd = -1; /* the client's now */
	loop_close(&s->src);
	s->state = OVER;
	on_done(fd, s->name, s->mode, &s->noise, first, n);
	noise_close(&s->noise);
}

/* ---- too many ---- */

static int pending(const struct handshake *s)
{
	return s->state >= SEND_BANNER && s->state <= WAIT_PROOF;
}

/* How many come from where this one does; among addresses that have as many their neighbours decide. */
static int crowd(const struct handshake *s)
{
	int n = 0;

	for (const struct handshake *o = slots; o < slots + SLOTS; o++) {
		uint64_t differ = o->home ^ s->home;

		if (o->state != OVER && o->state != WAIT_PROOF && pending(o) == pending(s) &&
			!(differ >> 16))
			n += differ ? 1 : SLOTS;
	}
	return n;
}

/* Of those that are pending, or of those that linger, the one that has to go: of the crowd the oldest, and
 * not the newest when there is another. */
static struct handshake *first_to_go(struct handshake *newest)
{
	struct handshake *first = newest;
	int most = -1;

	for (struct handshake *s = slots; s < slots + SLOTS; s++) {
		int n;

		if (s == newest || s->state == OVER || pending(s) != pending(newest))
			continue;
		n = s->state == WAIT_PROOF ? 0 : crowd(s);
		if (n < most || (n == most && (long)(s->number - first->number) > 0))
			continue;
		most = n;
		first = s;
	}
	return first;
}

static int count(int are_pending)
{
	int n = 0;

	for (const struct handshake *s = slots; s < slots + SLOTS; s++)
		n += s->state != OVER && pending(s) == are_pending;
	return n;
}

int handshake_pending(void)
{
	return count(1) + count(0);
}

/* ---- randomness ---- */

/* 0, or -1: errno is EAGAIN when there is none yet (early at boot; said once). */
static int random_or_wait(void *buf, size_t n)
{
	static char asked;
	int fd;

	if (!random_bytes(buf, n))
		return 0;
	if (errno != EAGAIN || asked)
		return -1;
	asked = 1;
	warn("waiting for the kernel's random numbers");
	fd = random_wait(); /* sets the kernel to work; we look again and again */
	if (fd >= 0)
		close(fd);
	errno = EAGAIN;
	return -1;
}

/* ---- the server ---- */

static void send_banner(struct handshake *s)
{
	unsigned char nonce[NOISE_NONCE];

	s->look = loop_now + NO_RANDOM;
	if (random_or_wait(nonce, sizeof nonce)) {
		if (errno != EAGAIN)
			turn_away(s, "no random numbers");
		return;
	}
	noise_banner(s->banner, nonce);
	s->began = loop_now;
	s->state = WAIT_HELLO;
	if (io_write(s->src.fd, s->banner, sizeof s->banner) != (ssize_t)sizeof s->banner)
		close_now(s);
}

/* Our side ends; what still comes from the other is dropped.  The oldest that linger make room. */
static void linger(struct handshake *s, const char *why)
{
	complain(s, why);
	noise_close(&s->noise);
	s->state = LINGERS;
	s->began = loop_now;
	s->drop = LINGER_BYTES;
	if (shutdown(s->src.fd, SHUT_WR))
		close_now(s);
	else if (count(0) > LINGERING)
		close_now(first_to_go(s));
}

static void drop_input(struct handshake *s)
{
	static char buf[4096] LARGE;
	ssize_t n = io_read(s->src.fd, buf, sizeof buf);

	s->drop -= n;
	if (n < 0 || s->drop <= 0)
		close_now(s);
}

/* What there is of the handshake's message: 1 all of it, 0 not yet, -1 over (errno; EPROTO it is none).
 * Nothing may follow before it is answered, so the read takes nothing of what does. */
static int hello_come(struct handshake *s)
{
	ssize_t n = io_read(s->src.fd, s->hello + s->have, NOISE_HELLO - s->have);

	if (n < 0)
		return -1;
	s->have += n;
	errno = EPROTO;
	return noise_size(&s->noise, s->hello, s->have) < 0 ? -1 : s->have == NOISE_HELLO;
}

static void receive_hello(struct handshake *s)
{
	unsigned char random[NOISE_KEY], answer[NOISE_HELLO];
	int come;

	if (!s->have) /* who says nothing costs no hash either */
		noise_begin(&s->noise, key, s->banner, sizeof s->banner);
	come = hello_come(s);
	if (come < 0 && errno == EPROTO)
		linger(s, "no ptyattach, or without a key");
	else if (come < 0)
		close_now(s);
	else if (!come)
		return;
	else if (random_or_wait(random, sizeof random))
		turn_away(s, "no random numbers");
	else if (noise_respond(&s->noise, random, s->hello, answer))
		linger(s, "another key, or no ptyattach");
	else if (io_write(s->src.fd, answer, sizeof answer) != (ssize_t)sizeof answer)
		close_now(s);
	else
		s->state = WAIT_PROOF;
}

static void receive_proof(struct handshake *s)
{
	unsigned char *record;
	ssize_t size = wire_gather(s->src.fd, &s->noise, &s->rx, &record), n;

	if (!size)
		return;
	n = size < 0 ? -1 : noise_unseal(&s->noise, record, size);
	if (n >= 0)
		done(s, record + NOISE_DATA, n);
	else if (size < 0 && errno != EPROTO)
		close_now(s);
	else
		linger(s, "a bad first record");
}

/* ---- the client ---- */

/* Whether these are the words of a server that closes us unjudged, or may become them; then it has failed. */
static int turned_away(struct handshake *s)
{
	size_t n = s->have < sizeof busy - 1 ? s->have : sizeof busy - 1;

	if (memcmp(s->banner, busy, n))
		return 0;
	if (n == sizeof busy - 1)
		failed(s, busy_words);
	return 1;
}

/* A server that was too busy, or went away, may have reset what we send: its words can be read all the same. */
static void ask(struct handshake *s)
{
	unsigned char random[NOISE_KEY], hello[NOISE_HELLO];

	if (random_or_wait(random, sizeof random)) {
		failed(s, "no random numbers yet");
		return;
	}
	noise_begin(&s->noise, key, s->banner, sizeof s->banner);
	noise_initiate(&s->noise, random, hello);
	s->state = WAIT_ANSWER;
	s->have = 0;
	s->unsaid = io_write(s->src.fd, hello, sizeof hello) != (ssize_t)sizeof hello;
}

/* Whether these are the words of a server that refuses everybody from our address ("ptyshim: ..."), or may become
 * them; then it has failed. */
static int refused(struct handshake *s)
{
	static char words[NOISE_BANNER + 1];
	const char *at = memchr(s->banner, ' ', s->have), *end = memchr(s->banner, '\r', s->have);
	struct text t = {words, words + NOISE_BANNER};

	if (memcmp(s->banner, "pty", s->have < 3 ? s->have : 3))
		return 0;
	if (!end || !at)
		return !end && s->have < NOISE_BANNER;
	for (at++; at < end; at++)
		if (*at >= ' ' && *at < 127)
			*t.at++ = *at;
	*t.at = '\0';
	failed(s, words);
	return 1;
}

static void read_banner(struct handshake *s)
{
	ssize_t n = io_read(s->src.fd, s->banner + s->have, NOISE_BANNER - s->have);
	int come;

	if (n < 0) {
		failed(s, errno ? msg_errno() : "closed before it said anything");
		return;
	}
	s->have += n;
	come = noise_banner_check(s->banner, s->have);
	if (come > 0)
		ask(s);
	else if (come < 0 && !turned_away(s) && !refused(s))
		failed(s, "not a keyed port");
}

/* Of the end of the stream instead of an answer.  Only a server that has read our hello, and nothing is
 * left of it on the way, has judged it. */
static const char *why_over(const struct handshake *s)
{
	if (errno)
		return msg_errno();
	if (s->have || s->unsaid || sock_unsent(s->src.fd))
		return "connection lost";
	return "wrong key: the server has another";
}

static void receive_answer(struct handshake *s)
{
	int come = hello_come(s);

	if (come < 0 && errno != EPROTO)
		failed(s, why_over(s));
	else if (come < 0 && !turned_away(s))
		failed(s, "no ptybox, or tampered with");
	else if (come > 0 && noise_finish(&s->noise, s->hello))
		failed(s, "wrong key, or tampered with");
	else if (come > 0)
		done(s, 0, 0);
}

/* ---- turn by turn ---- */

static unsigned want(struct source *src, msec *due)
{
	const struct handshake *s = (struct handshake *)src;

	if (s->state == SEND_BANNER)
		due_at(due, s->look);
	else
		due_at(due, s->began + (s->state == LINGERS ? LINGER : PATIENCE));
	return s->state == SEND_BANNER ? 0 : LOOP_READ;
}

static void clock_ready(struct handshake *s)
{
	if (s->state == SEND_BANNER)
		send_banner(s);
	else if (s->state == LINGERS)
		close_now(s);
	else if (s->state == WAIT_BANNER)
		failed(s, "no keyed port answers");
	else if (s->state == WAIT_ANSWER)
		failed(s, "silent for too long");
	else {
		complain(s, "silent for too long");
		close_now(s);
	}
}

static void ready(struct source *src, unsigned what)
{
	static void (*const step[])(struct handshake *) = {[WAIT_HELLO] = receive_hello,
		[WAIT_PROOF] = receive_proof,
		[LINGERS] = drop_input,
		[WAIT_BANNER] = read_banner,
		[WAIT_ANSWER] = receive_answer};
	struct handshake *s = (struct handshake *)src;

	if (what & LOOP_TIME)
		clock_ready(s);
	else
		step[(int)s->state](s);
}

static void freed(struct source *src)
{
	queue_close(&((struct handshake *)src)->rx);
}

static struct handshake *slot_take(int fd, int state)
{
	static unsigned long number;
	struct handshake *s = slots;

	while (s < slots + SLOTS && s->src.linked)
		s++;
	if (s == slots + SLOTS) {
		close(fd);
		return 0;
	}
	*s = (struct handshake){.src = {.fd = fd, .want = want, .ready = ready, .freed = freed}};
	s->state = state;
	s->began = loop_now;
	s->number = number++;
	loop_add(&s->src);
	return s;
}

void handshake_respond(
	int fd, const union sock_name *peer, const char *name, int mode, handshake_result *then)
{
	struct handshake *s = slot_take(fd, SEND_BANNER);
	struct text t;

	on_done = then;
	if (!s)
		return;
	s->home = net_home(peer);
	t = (struct text){s->name, s->name + sizeof s->name - 1};
	text_str(&t, name);
	s->mode = mode;
	if (count(1) > PENDING)
		turn_away(first_to_go(s), "turned away: too many at once");
	send_banner(s);
}

void handshake_initiate(int fd, handshake_result *then, void (*failed_then)(const char *))
{
	on_done = then;
	on_failed = failed_then;
	slot_take(fd, WAIT_BANNER);
}
