/* shake.c: how a keyed connection begins, before anybody is a client.
 *
 *	server: SPEAKS (nonce) -> HEARS (hello, answers) -> PROVES (first record) -> done()
 *	client: READS (banner, asks) -> AGREES (answer) -> done()
 *
 * A stranger costs the server one of few places, no session and no process, for ten seconds at most,
 * and when all are taken the oldest goes: silence cannot keep the owner out.  Whoever says anything
 * wrong is closed without an answer; that it happened is said on stderr, not too often.  Only the
 * first good record proves that the client has the key and lives.
 */
#include <errno.h>
#include <sys/prctl.h>
#include <unistd.h>
#include "libbb.h"

enum {
	PENDING = 8,
	PLACES = PENDING + 64, /* and those that are closed, but not buried before the next turn */
	PATIENCE = 10000,      /* ms */
	NO_RANDOM = 100,       /* ms between looks whether there is randomness */
	COMPLAIN = 10000,      /* ms between lines about strangers */
};

enum { FREE, SPEAKS, HEARS, PROVES, READS, AGREES };

struct shake {
	struct source src; /* first member */
	struct noise noise;
	struct queue rx;
	msec began, look;
	char state;
	int mode;
	char name[NET_TEXT];
	char banner[NOISE_BANNER];
};

static unsigned char key[NOISE_KEY];
static struct shake places[PLACES] LARGE;
static shake_done *on_done;
static void (*on_failed)(const char *why);

void shake_key(const char *path)
{
	key_read(key, path);
	if (noise_start())
		die(1, "-k: this library's curve does not compute");
	prctl(PR_SET_DUMPABLE, 0);
}

void shake_forget(void)
{
	for (volatile unsigned char *p = key; p < key + sizeof key; p++)
		*p = 0;
	for (struct shake *s = places; s < places + PLACES; s++)
		if (s->src.want)
			noise_close(&s->noise);
	wire_forget();
}

static void drop(struct shake *s, const char *why)
{
	static msec complained;
	int client = s->state >= READS;

	if (!client && why && (!complained || loop_now - complained >= COMPLAIN)) {
		complained = loop_now;
		warn(s->name, ": ", why);
	}
	noise_close(&s->noise);
	loop_close(&s->src);
	s->state = FREE;
	if (client)
		on_failed(why);
}

static void done(struct shake *s, const unsigned char *first, size_t n)
{
	int fd = s->src.fd;

	s->src.fd = -1; /* the client's now */
	s->state = FREE;
	loop_close(&s->src);
	on_done(fd, s->name, s->mode, &s->noise, first, n);
	noise_close(&s->noise);
}

/* ---- randomness ---- */

/* 0, or -1: not yet (early at boot; said once) or never. */
static int random_bytes(void *buf, size_t n)
{
	static int asked;

	if (!key_random(buf, n))
		return 0;
	if (errno != EAGAIN)
		die(1, "no random numbers: ", msg_errno());
	if (!asked) {
		asked = 1;
		warn("waiting for the kernel's random numbers");
		key_random_wait(); /* sets the kernel to work; we look again and again */
	}
	return -1;
}

/* ---- the server ---- */

static void speak(struct shake *s)
{
	unsigned char nonce[NOISE_NONCE];

	s->look = loop_now + NO_RANDOM;
	if (random_bytes(nonce, sizeof nonce))
		return;
	noise_banner(s->banner, nonce);
	noise_begin(&s->noise, key, s->banner, sizeof s->banner);
	s->began = loop_now;
	s->state = HEARS;
	if (io_write(s->src.fd, s->banner, sizeof s->banner) != (ssize_t)sizeof s->banner)
		drop(s, 0);
}

static void hear_hello(struct shake *s, unsigned char *message)
{
	unsigned char random[NOISE_KEY], answer[NOISE_HELLO];

	if (random_bytes(random, sizeof random))
		drop(s, "no randomness");
	else if (noise_answer(&s->noise, random, message, answer))
		drop(s, "another key, or no ptyattach");
	else if (io_write(s->src.fd, answer, sizeof answer) != (ssize_t)sizeof answer)
		drop(s, 0);
	else
		s->state = PROVES;
}

static void hear_proof(struct shake *s, unsigned char *record, size_t size)
{
	ssize_t n = noise_unseal(&s->noise, record, size);

	if (n < 0)
		drop(s, "a bad first record");
	else
		done(s, record + NOISE_DATA, n);
}

/* ---- the client ---- */

static void read_banner(struct shake *s)
{
	unsigned char random[NOISE_KEY], hello[NOISE_HELLO];
	char *to = s->banner + s->rx.off; /* rx.off counts, the banner itself is the buffer */
	ssize_t n = io_read(s->src.fd, to, NOISE_BANNER - s->rx.off);

	if (n > 0)
		s->rx.off += n;
	if (n < 0)
		drop(s, errno ? msg_errno() : "closed before it said anything");
	else if (noise_banner_check(s->banner, s->rx.off) < 0)
		drop(s, "not a keyed port");
	else if (s->rx.off < NOISE_BANNER)
		return;
	else if (random_bytes(random, sizeof random))
		drop(s, "no random numbers yet");
	else {
		s->rx.off = 0;
		noise_begin(&s->noise, key, s->banner, sizeof s->banner);
		noise_ask(&s->noise, random, hello);
		s->state = AGREES;
		if (io_write(s->src.fd, hello, sizeof hello) != (ssize_t)sizeof hello)
			drop(s, "connection lost");
	}
}

static void agree(struct shake *s, unsigned char *message)
{
	if (noise_agree(&s->noise, message))
		drop(s, "another key, or tampered with");
	else
		done(s, 0, 0);
}

/* ---- both ---- */

static unsigned want(struct source *src, msec *due)
{
	const struct shake *s = (struct shake *)src;

	due_at(due, s->state == SPEAKS ? s->look : s->began + PATIENCE);
	return s->state == SPEAKS ? 0 : LOOP_READ;
}

/* A server with another key closes without a word. */
static const char *why_over(const struct shake *s)
{
	if (s->state == AGREES)
		return errno ? msg_errno() : "another key";
	return errno == EPROTO ? "no ptyattach, or without a key" : 0;
}

static void message(struct shake *s)
{
	unsigned char *record;
	ssize_t size = wire_gather(s->src.fd, &s->noise, &s->rx, &record);

	if (size < 0)
		drop(s, why_over(s));
	else if (size && s->state == HEARS)
		hear_hello(s, record);
	else if (size && s->state == PROVES)
		hear_proof(s, record, size);
	else if (size)
		agree(s, record);
}

static void ready(struct source *src, unsigned what)
{
	struct shake *s = (struct shake *)src;

	if (what & LOOP_TIME && s->state == SPEAKS)
		speak(s);
	else if (what & LOOP_TIME)
		drop(s, s->state == READS ? "no keyed port answers" : "silent for too long");
	else if (s->state == READS)
		read_banner(s);
	else
		message(s);
}

static void bury(struct source *src)
{
	struct shake *s = (struct shake *)src;

	if (s->rx.buf)
		queue_close(&s->rx);
	src->want = 0;
}

/* The lower, the sooner it has to go: who knew the key goes last. */
static msec age(const struct shake *s)
{
	return s->began + (s->state == PROVES ? 2 * PATIENCE : 0);
}

int shake_pending(void)
{
	int n = 0;

	for (const struct shake *s = places; s < places + PLACES; s++)
		n += s->src.want && s->state != FREE;
	return n;
}

static struct shake *place(int fd)
{
	struct shake *oldest = 0, *empty = 0;
	int pending = 0;

	for (struct shake *s = places; s < places + PLACES; s++) {
		if (!s->src.want)
			empty = s;
		else if (s->state != FREE) {
			pending++;
			if (!oldest || age(s) < age(oldest))
				oldest = s;
		}
	}
	if (pending >= PENDING)
		drop(oldest, 0);
	if (!empty) {
		close(fd);
		return 0;
	}
	*empty = (struct shake){.src = {.fd = fd, .want = want, .ready = ready, .bury = bury}};
	empty->began = loop_now;
	loop_add(&empty->src);
	return empty;
}

void shake_serve(int fd, const char *name, int mode, shake_done *then)
{
	struct shake *s = place(fd);
	struct text t;

	on_done = then;
	if (!s)
		return;
	t = (struct text){s->name, s->name + sizeof s->name - 1};
	text_str(&t, name);
	s->mode = mode;
	s->state = SPEAKS;
	speak(s);
}

void shake_ask(int fd, shake_done *then, void (*failed)(const char *))
{
	struct shake *s = place(fd);

	on_done = then;
	on_failed = failed;
	if (s)
		s->state = READS;
}
