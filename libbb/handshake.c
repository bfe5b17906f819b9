/* handshake.c: the beginning of a keyed connection, before its peer is authenticated.
 *
 *	server, Noise's responder:
 *	SEND_BANNER --banner--> WAIT_HELLO --hello, answer--> WAIT_PROOF --first record--> done()
 *	                            | no hello, another key       | no record of this key
 *	                            +-----------------------------+--> LINGERING --> OVER
 *	client, initiator:
 *	WAIT_BANNER --banner, hello--> WAIT_ANSWER --answer--> done()
 *	     '-----------------------------'--> failed()
 *
 * An unauthenticated peer costs the server one of MAX_PENDING slots, no session and no process, for TIMEOUT ms at most.
 * When all slots are taken, one connection is evicted: the oldest of the network that has the most.  So neither a flood
 * from one network nor peers that send nothing keep the owner out, who comes from another.  A connection whose hello
 * was made with the key is evicted last; only its first record proves that the client is there now and has the key.
 *
 * A hello that is none, or was made with another key, is answered with the end of the stream and nothing else: a client
 * takes that for "wrong key".  A connection that is dropped for another reason (all slots taken, no random numbers)
 * gets the line `busy` first, which cannot be an answer: the first byte of one is 0.  A reset, or an end of the stream
 * before the hello was acknowledged, is a lost connection and not "wrong key".
 *
 * The banner would be lost with a reset if the peer's input was not read before the close (RFC 1122, 4.2.2.13).  So a
 * refused connection is LINGERING: its input is read and dropped for a while, in a few slots of its own.
 */
#include <errno.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>
#include "libbb.h"

enum {
	MAX_PENDING = 8,
	MAX_LINGERING = 8,
	CLOSED = 64, /* connections that are closed, and not yet freed by the loop */
	SLOTS = MAX_PENDING + MAX_LINGERING + CLOSED,
	TIMEOUT = 10000,      /* ms for the handshake */
	LINGER = 2000,        /* ms that input is read and dropped, */
	LINGER_BYTES = 65536, /* and how many bytes of it */
	NO_RANDOM = 100,      /* ms between two tries to get random numbers */
	REPORT_EVERY = 10000, /* ms between two reports, unless verbose */
};

enum { OVER, SEND_BANNER, WAIT_HELLO, WAIT_PROOF, LINGERING, WAIT_BANNER, WAIT_ANSWER };

struct handshake {
	struct source src; /* first member */
	struct noise noise;
	struct queue rx; /* WAIT_PROOF: a part of the first record */
	msec due;        /* SEND_BANNER: when to try again; else when the state's time is over */
	unsigned long serial; /* in the order of arrival */
	int mode;             /* for handshake_result, as is name */
	int drop_left;        /* LINGERING: how many bytes are still read */
	char state;
	char hello_unsent;  /* WAIT_ANSWER: writing the hello failed */
	unsigned char have; /* how many bytes of banner or hello were read */
	uint64_t network;   /* net_prefix() */
	char name[NET_TEXT];
	union {
		char banner[NOISE_BANNER];
		unsigned char hello
			[NOISE_HELLO]; /* either message; the banner has been mixed into the hash */
	};
};

static unsigned char key[NOISE_KEY];
static struct handshake slots[SLOTS] LARGE;
static handshake_result *on_done;
static void (*on_failed)(const char *why);
static char verbose_reports;

/* The line for a client whose connection is dropped before its key was checked. */
static const char busy[] = "ptybox: the server is too busy, try again\r\n";
static const char busy_words[] = "the server is too busy";
_Static_assert(sizeof busy - 1 <= NOISE_HELLO, "the client reads it into s->hello");

void handshake_key(const char *path)
{
	psk_read(key, path);
	if (noise_self_test())
		die(1, "-k: this library's curve does not compute");
	prctl(PR_SET_DUMPABLE, 0);
	sig_forget = handshake_forget;
}

void handshake_start(int verbose)
{
	verbose_reports = verbose;
	random_start();
}

void handshake_forget(void)
{
	explicit_bzero(key, sizeof key);
	for (struct handshake *s = slots; s < slots + SLOTS; s++)
		if (s->src.linked)
			noise_close(&s->noise);
}

/* ---- ends ---- */

static void close_now(struct handshake *s)
{
	noise_close(&s->noise);
	queue_close(&s->rx);
	loop_close(&s->src);
	s->state = OVER;
}

static void report(const struct handshake *s, const char *why)
{
	static msec reported;

	if (!verbose_reports && reported && loop_now - reported < REPORT_EVERY)
		return;
	reported = loop_now;
	warn("client ", s->name, ": ", why);
}

/* Drops a connection before its key was checked or proved, and sends why: a line, or to a client that expects a record
 * one with the frames WELCOME (202), NOTICE (201) and AGAIN (109). */
static void drop_busy(struct handshake *s, const char *why)
{
	static const char frames[] = "\0\10\0\312ptybox/1"
				     "\0\26\0\311the server is too busy"
				     "\0\0\0\155";
	unsigned char record[NOISE_RECORD];

	_Static_assert(sizeof busy_words - 1 == 026, "NOTICE");
	report(s, why);
	if (s->state == WAIT_PROOF) {
		memcpy(record + NOISE_DATA, frames, sizeof frames - 1);
		io_write(s->src.fd, record, noise_seal(&s->noise, record, sizeof frames - 1));
	} else
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

	s->src.fd = -1; /* on_done()'s now, not the loop's to close */
	loop_close(&s->src);
	s->state = OVER;
	on_done(fd, s->name, s->mode, &s->noise, first, n);
	noise_close(&s->noise);
}

/* ---- limits ---- */

static int pending(const struct handshake *s)
{
	return s->state >= SEND_BANNER && s->state <= WAIT_PROOF;
}

/* How many connections, of the pending or the lingering ones as s is, come from its network.  Those from the networks
 * around it (net_prefix()) count less than one together, to decide between networks that have as many. */
static int same_network(const struct handshake *s)
{
	int n = 0;

	for (const struct handshake *o = slots; o < slots + SLOTS; o++) {
		uint64_t differ = o->network ^ s->network;

		if (o->state != OVER && o->state != WAIT_PROOF && pending(o) == pending(s) &&
			!(differ >> 16))
			n += differ ? 1 : SLOTS;
	}
	return n;
}

/* Which connection is evicted for `newest`, of the pending or the lingering ones as that is: the oldest of the
 * network that has the most; one in WAIT_PROOF only when there is no other; `newest` itself only when it is alone. */
static struct handshake *eviction_candidate(struct handshake *newest)
{
	struct handshake *first = newest;
	int most = -1;

	for (struct handshake *s = slots; s < slots + SLOTS; s++) {
		int n;

		if (s == newest || s->state == OVER || pending(s) != pending(newest))
			continue;
		n = s->state == WAIT_PROOF ? 0 : same_network(s);
		if (n < most || (n == most && (long)(s->serial - first->serial) > 0))
			continue;
		most = n;
		first = s;
	}
	return first;
}

/* How many connections are pending, or are lingering. */
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

int handshake_has(int fd, const char *name)
{
	for (const struct handshake *s = slots; s < slots + SLOTS; s++)
		if (s->state != OVER && s->src.fd == fd && !strcmp(s->name, name))
			return 1;
	return 0;
}

/* ---- the server ---- */

static void send_banner(struct handshake *s)
{
	unsigned char nonce[NOISE_NONCE];

	s->due = loop_now + NO_RANDOM;
	if (random_try(nonce, sizeof nonce)) {
		if (errno != EAGAIN)
			drop_busy(s, "no random numbers");
		return;
	}
	noise_banner(s->banner, nonce);
	s->due = loop_now + TIMEOUT;
	s->state = WAIT_HELLO;
	if (io_write(s->src.fd, s->banner, sizeof s->banner) != (ssize_t)sizeof s->banner)
		close_now(s);
}

/* Refuses a connection: ends the stream, and reads and drops input.  Too many such connections evict the oldest. */
static void linger(struct handshake *s, const char *why)
{
	report(s, why);
	noise_close(&s->noise);
	s->state = LINGERING;
	s->due = loop_now + LINGER;
	s->drop_left = LINGER_BYTES;
	if (shutdown(s->src.fd, SHUT_WR))
		close_now(s);
	else if (count(0) > MAX_LINGERING)
		close_now(eviction_candidate(s));
}

static void drop_input(struct handshake *s)
{
	static char buf[4096] LARGE;
	ssize_t n = io_read(s->src.fd, buf, sizeof buf);

	s->drop_left -= n;
	if (n < 0 || s->drop_left <= 0)
		close_now(s);
}

/* Reads a message of the handshake into s->hello: 1 complete, 0 not yet, -1 and errno (0 at the end of file, EPROTO
 * when it is no such message).  Never reads beyond it: the bytes behind it belong to the next message. */
static int read_message(struct handshake *s)
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
	int complete;

	if (!s->have) /* not before: a client that sends nothing costs no hash */
		noise_begin(&s->noise, key, s->banner, sizeof s->banner);
	complete = read_message(s);
	if (complete < 0 && errno == EPROTO)
		linger(s, "no ptyattach, or without a key");
	else if (complete < 0)
		close_now(s);
	else if (!complete)
		return;
	else if (random_try(random, sizeof random))
		drop_busy(s, "no random numbers");
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
	ssize_t size = wire_read_record(s->src.fd, &s->noise, &s->rx, &record), n;

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

/* Whether the bytes read are `busy` or its beginning; when it is complete the handshake has failed. */
static int is_busy_line(struct handshake *s)
{
	size_t n = s->have < sizeof busy - 1 ? s->have : sizeof busy - 1;

	if (memcmp(s->banner, busy, n))
		return 0;
	if (n == sizeof busy - 1)
		failed(s, busy_words);
	return 1;
}

/* When writing the hello fails the server has closed, and may have sent a line before: it is read all the same. */
static void send_hello(struct handshake *s)
{
	unsigned char random[NOISE_KEY], hello[NOISE_HELLO];

	if (random_try(random, sizeof random)) {
		failed(s, "no random numbers yet");
		return;
	}
	noise_begin(&s->noise, key, s->banner, sizeof s->banner);
	noise_initiate(&s->noise, random, hello);
	s->state = WAIT_ANSWER;
	s->have = 0;
	s->hello_unsent = io_write(s->src.fd, hello, sizeof hello) != (ssize_t)sizeof hello;
}

/* Whether the bytes read are the line with which a server refuses this client's address ("ptyshim: ..."), or its
 * beginning; when the line is complete the handshake has failed with its words. */
static int is_refusal_line(struct handshake *s)
{
	static char words[NOISE_BANNER + 1];
	const char *at = memchr(s->banner, ' ', s->have), *end = memchr(s->banner, '\r', s->have);

	if (memcmp(s->banner, "pty", s->have < 3 ? s->have : 3))
		return 0;
	if (!end || !at)
		return !end && s->have < NOISE_BANNER;
	at = at < end ? at + 1 : end;
	memcpy(words, at, end - at);
	words[text_clean(words, end - at)] = '\0';
	failed(s, words);
	return 1;
}

static void read_banner(struct handshake *s)
{
	ssize_t n = io_read(s->src.fd, s->banner + s->have, NOISE_BANNER - s->have);
	int complete;

	if (n < 0) {
		failed(s, errno ? msg_errno() : "closed before it said anything");
		return;
	}
	s->have += n;
	complete = noise_banner_check(s->banner, s->have);
	if (complete > 0)
		send_hello(s);
	else if (complete < 0 && !is_busy_line(s) && !is_refusal_line(s))
		failed(s, "not a keyed port");
}

/* The end of the stream instead of an answer means another key, provided that the whole hello was acknowledged. */
static void receive_answer(struct handshake *s)
{
	int complete = read_message(s);

	if (complete < 0 && !errno)
		failed(s, s->have || s->hello_unsent || sock_unsent(s->src.fd) ?
				  "connection lost" :
				  "wrong key: the server has another");
	else if (complete < 0 && errno != EPROTO)
		failed(s, msg_errno());
	else if (complete < 0 && !is_busy_line(s))
		failed(s, "no ptybox, or tampered with");
	else if (complete > 0 && noise_finish(&s->noise, s->hello))
		failed(s, "wrong key, or tampered with");
	else if (complete > 0)
		done(s, 0, 0);
}

/* ---- both sides ---- */

static unsigned want(struct source *src, msec *due)
{
	const struct handshake *s = (struct handshake *)src;

	due_at(due, s->due);
	return s->state == SEND_BANNER ? 0 : LOOP_READ;
}

static void timer(struct handshake *s)
{
	if (s->state == SEND_BANNER)
		send_banner(s);
	else if (s->state == LINGERING)
		close_now(s);
	else if (s->state >= WAIT_BANNER)
		failed(s,
			s->state == WAIT_BANNER ? "no keyed port answers" : "silent for too long");
	else {
		report(s, "silent for too long");
		close_now(s);
	}
}

static void ready(struct source *src, unsigned what)
{
	static void (*const step[])(struct handshake *) = {[WAIT_HELLO] = receive_hello,
		[WAIT_PROOF] = receive_proof,
		[LINGERING] = drop_input,
		[WAIT_BANNER] = read_banner,
		[WAIT_ANSWER] = receive_answer};
	struct handshake *s = (struct handshake *)src;

	if (what & LOOP_TIME)
		timer(s);
	else
		step[(int)s->state](s);
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
	*s = (struct handshake){.src = {.fd = fd, .want = want, .ready = ready}};
	s->state = state;
	s->due = loop_now + TIMEOUT;
	s->serial = number++;
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
	s->network = net_prefix(peer);
	t = (struct text){s->name, s->name + sizeof s->name - 1};
	text_str(&t, name);
	s->mode = mode;
	if (count(1) > MAX_PENDING)
		drop_busy(eviction_candidate(s), "turned away: too many at once");
	send_banner(s);
}

void handshake_initiate(int fd, handshake_result *then, void (*failed_then)(const char *))
{
	on_done = then;
	on_failed = failed_then;
	slot_take(fd, WAIT_BANNER);
}
