/* unit_noise: check noise.c against its own tables and published vectors
 *
 * Both ends of a connection exchange messages in memory, and every message that is changed on the way must be refused.
 * VECTORS is the file of test vectors of the Go library flynn/noise.
 *
 * applet unit_noise UNIT
 * usage [VECTORS]
 */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "libbb.h"
#include "unit.h"

/* Both ends of a connection after its handshake. */
struct pair {
	struct noise client, server;
};

static const unsigned char noise_key[NOISE_KEY] = "a key that all of this table has";
static unsigned char record[NOISE_RECORD] LARGE, kept[NOISE_RECORD] LARGE, want[NOISE_RECORD] LARGE;

static void fill(unsigned char *p, size_t n, unsigned char seed)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (unsigned char)(seed + i * 7);
}

/* The client's half: the banner, the state and the message for the server. */
static void asks(struct pair *p, const unsigned char psk[NOISE_KEY], unsigned char seed,
	unsigned char hello[NOISE_HELLO])
{
	unsigned char nonce[NOISE_NONCE], random[NOISE_KEY];
	char banner[NOISE_BANNER];

	fill(nonce, sizeof nonce, seed);
	noise_banner(banner, nonce);
	fill(random, sizeof random, (unsigned char)(seed + 1));
	noise_begin(&p->client, psk, banner, sizeof banner);
	noise_begin(&p->server, noise_key, banner, sizeof banner);
	noise_initiate(&p->client, random, hello);
}

static int answers(struct pair *p, unsigned char *asked, unsigned char *hello)
{
	unsigned char random[NOISE_KEY];

	fill(random, sizeof random, 99);
	return noise_respond(&p->server, random, asked, hello);
}

static int meets(struct pair *p, const unsigned char psk[NOISE_KEY])
{
	unsigned char asked[NOISE_HELLO], answered[NOISE_HELLO];

	asks(p, psk, 1, asked);
	return answers(p, asked, answered) || noise_finish(&p->client, answered) ? -1 : 0;
}

/* After a refusal every call fails, and all of the state is wiped. */
static int is_over(struct noise *n)
{
	static const struct noise nothing;

	return !memcmp(n, &nothing, sizeof nothing) && noise_size(n, record, 2) < 0 &&
	       noise_unseal(n, record, NOISE_RECORD) < 0 && !noise_seal(n, record, 1);
}

static size_t seals(struct noise *from, size_t n, unsigned char seed)
{
	fill(record + NOISE_DATA, n, seed);
	return noise_seal(from, record, n);
}

static int unseals(struct noise *to, size_t size, size_t n, unsigned char seed)
{
	fill(want, n, seed);
	return noise_size(to, record, size) == (int)size &&
	       noise_unseal(to, record, size) == (ssize_t)n &&
	       !memcmp(record + NOISE_DATA, want, n);
}

static int passes(struct noise *from, struct noise *to, size_t n, unsigned char seed)
{
	size_t size = seals(from, n, seed);

	return size && unseals(to, size, n, seed);
}

static void noise_sizes(void)
{
	static const size_t size[][2] = {{0, 82}, {1, 82}, {2, 82}, {62, 82}, {63, 146}, {100, 146},
		{4030, 4050}, {4031, 4114}, {4094, 4114}, {4095, 4178}, {4096, 4178}};
	struct pair p;

	check(!meets(&p, noise_key), "noise", "handshake");
	for (size_t i = 0; i < sizeof size / sizeof *size; i++)
		check(seals(&p.client, size[i][0], 5) == size[i][1] &&
				unseals(&p.server, size[i][1], size[i][0], 5) &&
				passes(&p.server, &p.client, size[i][0], 6),
			"noise", "a record's size, there and back");
}

/* The result of noise_size() for a length, in the handshake and after. */
static void noise_lengths(void)
{
	unsigned char hello[NOISE_HELLO], head[2];
	struct pair p, q;
	int right = 1;

	asks(&p, noise_key, 1, hello);
	meets(&q, noise_key);
	for (unsigned n = 0; n < 65536; n++) {
		head[0] = (unsigned char)(n >> 8);
		head[1] = (unsigned char)n;
		right &= noise_size(&p.server, head, 2) == (n == 48 ? 50 : -1);
		right &= noise_size(&q.server, head, 2) ==
			 (n >= 80 && n <= 4176 && n % 64 == 16 ? (int)n + 2 : -1);
	}
	check(right, "noise", "every length from 0 to 65535");
	check(!noise_size(&q.server, head, 0) && !noise_size(&q.server, head, 1), "noise",
		"half a length");
}

/* Changes each bit of the banner, of both messages and of the key. */
static int bit_refused(struct pair *p, int where, unsigned bit)
{
	unsigned char asked[NOISE_HELLO], answered[NOISE_HELLO], psk[NOISE_KEY];
	unsigned char mask = (unsigned char)(1 << bit % 8);

	memcpy(psk, noise_key, sizeof psk);
	if (where == 2)
		psk[bit / 8] ^= mask;
	asks(p, psk, 1, asked);
	if (where == 0)
		asked[bit / 8] ^= mask;
	if (answers(p, asked, answered))
		return where != 1 && is_over(&p->server);
	answered[bit / 8] ^= mask;
	return where == 1 && noise_finish(&p->client, answered) && is_over(&p->client);
}

static void noise_bits(void)
{
	static const char *const name[] = {"the first message", "the second message", "the key"};
	static const unsigned bits[] = {NOISE_HELLO * 8, NOISE_HELLO * 8, NOISE_KEY * 8};
	struct pair p;

	for (int where = 0; where < 3; where++) {
		int right = 1;

		for (unsigned bit = 0; bit < bits[where]; bit++)
			right &= bit_refused(&p, where, bit);
		check(right, "noise: a flipped bit in", name[where]);
	}
}

static void noise_record_bits(void)
{
	static const size_t size[] = {0, 1, 100};
	struct pair p, q;
	int right = 1;

	meets(&p, noise_key);
	for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
		size_t n = seals(&p.client, size[i], 7);
		static unsigned char good[NOISE_RECORD] LARGE;

		memcpy(good, record, n);
		for (unsigned bit = 0; bit < n * 8; bit++) {
			q = p;
			record[bit / 8] ^= (unsigned char)(1 << bit % 8);
			right &= noise_unseal(&q.server, record, n) < 0 && is_over(&q.server);
			memcpy(record, good, n);
		}
		right &= unseals(&p.server, n, size[i], 7);
	}
	check(right, "noise", "a flipped bit in a record");
}

static void noise_cut(void)
{
	unsigned char asked[NOISE_HELLO], whole[NOISE_HELLO];
	struct pair p, q;
	int right = 1;
	size_t size;

	asks(&p, noise_key, 1, whole);
	for (size_t n = 0; n < NOISE_HELLO - 2; n++) { /* a shorter one, with its true length */
		memcpy(asked, whole, sizeof asked);
		asked[1] = (unsigned char)n;
		right &= noise_size(&p.server, asked, NOISE_HELLO) < 0;
	}
	meets(&p, noise_key);
	size = seals(&p.client, 200, 1);
	memcpy(kept, record, size);
	for (size_t n = 0; n < size; n++) {
		q = p;
		right &= noise_unseal(&q.server, record, n) < 0 && is_over(&q.server);
		memcpy(record, kept, size);
		if (n < 18) /* too small for a length */
			continue;
		q = p;
		record[0] = (unsigned char)((n - 2) >> 8);
		record[1] = (unsigned char)(n - 2);
		right &= noise_unseal(&q.server, record, n) < 0 && is_over(&q.server);
		memcpy(record, kept, size);
	}
	check(right, "noise", "truncated at any byte");
}

static void noise_order(void)
{
	unsigned char asked[NOISE_HELLO], answered[NOISE_HELLO], old[NOISE_HELLO];
	struct pair p, q;
	size_t size;

	asks(&q, noise_key, 2, old);
	asks(&p, noise_key, 1, asked);
	check(answers(&p, old, answered) && is_over(&p.server), "noise",
		"a first message of another connection");
	asks(&p, noise_key, 1, asked);
	check(!answers(&p, asked, answered) && answers(&p, asked, answered) && is_over(&p.server),
		"noise", "a second handshake");
	asks(&p, noise_key, 1, asked);
	memcpy(old, asked, sizeof old);
	check(noise_finish(&p.client, old) && is_over(&p.client), "noise", "a message sent back");
	asks(&p, noise_key, 1, asked);
	check(noise_encrypt(&p.client, record, 0) && is_over(&p.client), "noise", "a record early");

	meets(&p, noise_key);
	q = p;
	size = seals(&q.client, 10, 1);
	memcpy(kept, record, size);
	unseals(&q.server, size, 10, 1);
	meets(&p, noise_key);
	size = seals(&p.client, 10, 1);
	noise_unseal(&p.server, record, size);
	check(noise_unseal(&p.server, kept, size) < 0 && is_over(&p.server), "noise",
		"a record twice");
	meets(&p, noise_key);
	seals(&p.client, 10, 1);
	size = seals(&p.client, 10, 2);
	check(noise_unseal(&p.server, record, size) < 0 && is_over(&p.server), "noise",
		"a record too soon");
	meets(&p, noise_key);
	size = seals(&p.client, 10, 1);
	check(noise_unseal(&p.client, record, size) < 0 && is_over(&p.client), "noise",
		"a record sent back");
}

/* Malformed records that only a peer with the key could send. */
static int form_refused(unsigned used, size_t text, size_t dirty)
{
	struct pair p;

	meets(&p, noise_key);
	memset(record, 0, sizeof record);
	record[0] = (unsigned char)((text + 16) >> 8);
	record[1] = (unsigned char)(text + 16);
	record[2] = (unsigned char)used;
	record[3] = (unsigned char)(used >> 8);
	if (dirty)
		record[dirty] = 1;
	return !noise_encrypt(&p.client, record + 2, text) &&
	       noise_unseal(&p.server, record, 2 + text + 16) < 0 && is_over(&p.server);
}

static void noise_forms(void)
{
	check(!form_refused(62, 64, 0) && !form_refused(4096, 4160, 0), "noise", "the right form");
	check(form_refused(63, 64, 0), "noise", "more used than there is");
	check(form_refused(65535, 64, 0), "noise", "65535 used");
	check(form_refused(4097, 4160, 0), "noise", "4097 used");
	check(form_refused(62, 128, 0), "noise", "more padding than needed");
	check(form_refused(0, 4160, 0), "noise", "padding alone");
	check(form_refused(10, 64, 14) && form_refused(10, 64, 65), "noise", "dirty padding");
}

/* Both sides change their keys after the same record; a side that does not is refused. */
static void noise_rekeys(void)
{
	unsigned char before[32];
	struct pair p, q;
	int right = 1;

	meets(&p, noise_key);
	for (int turn = 1; turn <= 2; turn++) {
		memcpy(before, p.client.send.key, sizeof before);
		for (unsigned i = 0; i < 65535; i++)
			right &= passes(&p.client, &p.server, i % 63, (unsigned char)i);
		right &= !memcmp(before, p.client.send.key, sizeof before);
		right &= passes(&p.client, &p.server, 1, 1);
		right &= memcmp(before, p.client.send.key, sizeof before) != 0;
		right &= p.client.send.nonce == turn * 65536ULL;
		q = p;
		memcpy(q.server.receive.key, before, sizeof before);
		right &= !passes(&q.client, &q.server, 1, 1);
	}
	right &= !p.server.send.nonce;
	for (unsigned i = 0; i < 65537; i++)
		right &= passes(&p.server, &p.client, 1, (unsigned char)i);
	check(right, "noise", "new keys after every 65536 records");
}

static void noise_nonces(void)
{
	struct pair p;

	meets(&p, noise_key);
	p.client.send.nonce = p.server.receive.nonce = UINT64_MAX - 1;
	check(passes(&p.client, &p.server, 1, 1), "noise", "the last nonce");
	check(!seals(&p.client, 1, 1) && is_over(&p.client), "noise", "no nonce left to send");
	check(noise_decrypt(&p.server, record, 64) && is_over(&p.server), "noise",
		"no nonce left to receive");
}

static void noise_banners(void)
{
	char banner[NOISE_BANNER + 1] = "";
	static const unsigned char nonce[NOISE_NONCE] = {0x01, 0x23, [15] = 0xef};
	int right = 1;

	noise_banner(banner, nonce);
	check(!strcmp(banner, "ptybox-noise-1 012300000000000000000000000000ef keyed port: "
			      "use ptyattach -k KEYFILE\r\n"),
		"noise", "the banner");
	for (size_t n = 0; n <= NOISE_BANNER; n++)
		right &= noise_banner_check(banner, n) == (n == NOISE_BANNER);
	for (size_t i = 0; i < NOISE_BANNER; i++) {
		banner[i] ^= 64; /* makes no digit another digit */
		right &= noise_banner_check(banner, NOISE_BANNER) == -1;
		banner[i] ^= 64;
	}
	check(right, "noise", "a banner cut or changed");
}

/* ---- noise.c: published vectors, blocks of lines NAME=HEX ---- */

static const char vector_ours[] = "handshake=Noise_NNpsk0_25519_ChaChaPoly_SHA256\n";

static unsigned digit(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* Decodes the hex digits behind "NAME=" at the beginning of a line: how many bytes, or -1 when there is no such line. */
static int vector_get(const char *at, const char *end, const char *name, unsigned char out[64])
{
	size_t len = strlen(name);
	int n = 0;

	at = memmem(at, end - at, name, len);
	if (!at)
		return -1;
	for (at += len; end - at > 1 && *at != '\n' && n < 64; at += 2)
		out[n++] = (unsigned char)(digit(at[0]) << 4 | digit(at[1]));
	return n;
}

/* A transport message, byte for byte, and back. */
static int vector_passes(const char *at, const char *end, const char *const name[2],
	struct noise *from, struct noise *to)
{
	unsigned char text[64 + 16], plain[64], sealed[64];
	int n = vector_get(at, end, name[0], plain), size = vector_get(at, end, name[1], sealed);

	if (n < 0 || size != n + 16)
		return 0;
	memcpy(text, plain, n);
	return !noise_encrypt(from, text, n) && !memcmp(text, sealed, size) &&
	       !noise_decrypt(to, text, n) && !memcmp(text, plain, n);
}

static int vector_holds(const char *at, const char *end)
{
	static const char *const message[][2] = {{"\nmsg_2_payload=", "\nmsg_2_ciphertext="},
		{"\nmsg_3_payload=", "\nmsg_3_ciphertext="}};
	unsigned char psk[64], prologue[64], init[64], resp[64], first[64], second[64];
	unsigned char asked[NOISE_HELLO], answered[NOISE_HELLO];
	int size = vector_get(at, end, "\nprologue=", prologue);
	struct pair p;

	if (vector_get(at, end, "\npreshared_key=", psk) != 32 ||
		vector_get(at, end, "\ngen_init_ephemeral=", init) != 32 ||
		vector_get(at, end, "\ngen_resp_ephemeral=", resp) != 32 ||
		vector_get(at, end, "\nmsg_0_ciphertext=", first) != 48 ||
		vector_get(at, end, "\nmsg_1_ciphertext=", second) != 48)
		return 0;
	noise_begin(&p.client, psk, prologue, size < 0 ? 0 : size);
	noise_begin(&p.server, psk, prologue, size < 0 ? 0 : size);
	if (noise_initiate(&p.client, init, asked) || memcmp(asked + 2, first, 48) ||
		noise_respond(&p.server, resp, asked, answered) ||
		memcmp(answered + 2, second, 48) || noise_finish(&p.client, answered))
		return 0;
	return vector_passes(at, end, message[0], &p.client, &p.server) &&
	       vector_passes(at, end, message[1], &p.server, &p.client);
}

/* Only the vectors with empty payloads apply: the handshake has no other. */
static void vector_table(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), used = 0;
	off_t size = lseek(fd, 0, SEEK_END);
	const char *at = mmap(0, size, PROT_READ, MAP_PRIVATE, fd, 0), *end = at + size;

	if (at == MAP_FAILED)
		die(1, path, ": ", msg_errno());
	while ((at = memmem(at, end - at, vector_ours, sizeof vector_ours - 1))) {
		const char *stop = memmem(at, end - at, "\n\n", 2);
		unsigned char payload[64];

		if (!stop)
			stop = end;
		if (!vector_get(at, stop, "\nmsg_0_payload=", payload)) {
			check(vector_holds(at, stop), "noise", "a published vector");
			used++;
		}
		at = stop;
	}
	check(used > 0, "noise", "published vectors found");
}

static void noise_table(const char *vectors)
{
	check(!noise_self_test(), "noise", "the curve's own test");
	noise_banners();
	noise_sizes();
	noise_lengths();
	noise_bits();
	noise_record_bits();
	noise_cut();
	noise_order();
	noise_forms();
	noise_rekeys();
	noise_nonces();
	if (vectors)
		vector_table(vectors);
}

int unit_noise_main(char **argv, const char *options)
{
	(void)options;
	if (CFG_KEYED)
		noise_table(argv[1]);
	return failed;
}
