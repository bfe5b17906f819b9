/* noise.c: the Noise handshake and the records of keyed mode (docs/keyed.md), without descriptors and without a heap.
 *
 * Noise_NNpsk0_25519_ChaChaPoly_SHA256 (the Noise Protocol Framework, revision 34) over BearSSL's primitives.  The
 * server, Noise's responder, sends the first line, which any program can display; it is the handshake's prologue:
 *
 *	server, responder                            client, initiator
 *	noise_banner() --- banner, fresh nonce ----> noise_banner_check()
 *	noise_begin()                                noise_begin()
 *	noise_respond() <-- hello: psk, e ---------- noise_initiate()
 *	          \-------- answer: e, ee ---------> noise_finish()
 *	noise_seal(), noise_unseal() <-- records --> noise_seal(), noise_unseal()
 *
 * Every message is preceded by its length, u16 big-endian.  The two messages of the handshake are 48 bytes: a
 * public key and the tag of an empty payload.  A transport message is a record:
 *
 *	length u16 BE | used u16 LE | used bytes | zeros to a multiple of 64 | tag
 *	              '------------------- encrypted -----------------------'
 *
 * Any other form is refused, so that the same bytes of the stream have one encoding only.  Nonces count the records
 * of a direction; after every 65,536th its key is replaced (REKEY) and the count goes on.
 *
 * Two things follow from the empty payloads: within the handshake each key encrypts one message, so its nonce is always
 * 0; and the server makes its answer when it has read the hello, so that a client that has sent none costs a struct
 * noise and no key pair.
 *
 * A message that is refused ends the connection: the state is wiped, and every later call fails.
 *
 * config KEYED y encrypted and authenticated TCP (-k, --keygen); needs BearSSL
 */
#include <string.h>
#include "libbb.h"

/* The banner, with a dot in the place of each digit of the nonce. */
static const char line[] = "ptybox-noise-1 ................................"
			   " keyed port: use ptyattach -k KEYFILE\r\n";
_Static_assert(sizeof line == NOISE_BANNER + 1, "NOISE_BANNER");

void noise_banner(char banner[NOISE_BANNER], const unsigned char nonce[NOISE_NONCE])
{
	unsigned n = 0; /* digits so far */

	for (int i = 0; i < NOISE_BANNER; i++) {
		banner[i] = line[i];
		if (line[i] != '.')
			continue;
		banner[i] = "0123456789abcdef"[nonce[n / 2] >> (n & 1 ? 0 : 4) & 15];
		n++;
	}
}

static int is_digit(int c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

int noise_banner_check(const void *banner, size_t n)
{
	const char *b = banner;

	for (size_t i = 0; i < n && i < NOISE_BANNER; i++)
		if (line[i] == '.' ? !is_digit(b[i]) : b[i] != line[i])
			return -1;
	return n >= NOISE_BANNER;
}

_Static_assert(!CFG_KEYED || CFG_FRAMED, "KEYED=y needs FRAMED=y");

#if CFG_KEYED /* the one #if: without the library there is no header to compile against */
#include <bearssl.h>

enum { TAG = 16, POINT = 32, HASH = 32 };
enum { PAD = 64, REKEY = 65536 };

_Static_assert(NOISE_HELLO == 2 + POINT + TAG, "NOISE_HELLO");
_Static_assert(NOISE_RECORD == 2 + (2 + NOISE_MAX + PAD - 1) / PAD * PAD + TAG, "NOISE_RECORD");
_Static_assert(NOISE_RECORD_MIN == 2 + PAD + TAG, "NOISE_RECORD_MIN");

/* ---- functions of a fortified libc that the library's objects may call, and that musl lacks ---- */

void *__memcpy_chk(void *to, const void *from, size_t n, size_t room);
void *__memmove_chk(void *to, const void *from, size_t n, size_t room);
void *__memset_chk(void *to, int c, size_t n, size_t room);

__attribute__((used)) void *__memcpy_chk(void *to, const void *from, size_t n, size_t room)
{
	if (n > room)
		__builtin_trap();
	return memcpy(to, from, n);
}

__attribute__((used)) void *__memmove_chk(void *to, const void *from, size_t n, size_t room)
{
	if (n > room)
		__builtin_trap();
	return memmove(to, from, n);
}

__attribute__((used)) void *__memset_chk(void *to, int c, size_t n, size_t room)
{
	if (n > room)
		__builtin_trap();
	return memset(to, c, n);
}

/* ---- curve25519 ---- */

static char reversed; /* this library takes scalars in big-endian order (BearSSL after 0.6) */

static void curve(unsigned char *out, const unsigned char *scalar, const unsigned char *point)
{
	unsigned char s[32];

	for (int i = 0; i < 32; i++)
		s[i] = scalar[reversed ? 31 - i : i];
	memmove(out, point, POINT);
	br_ec_c25519_m31.mul(out, POINT, s, sizeof s, BR_EC_curve25519);
	explicit_bzero(s, sizeof s);
}

static void curve_public(unsigned char *out, const unsigned char *scalar)
{
	static const unsigned char base[POINT] = {9};

	curve(out, scalar, base);
}

/* The first vector of RFC 7748, section 5.2, with scalars in either order. */
int noise_self_test(void)
{
	static const unsigned char scalar[] =
		"\xa5\x46\xe3\x6b\xf0\x52\x7c\x9d\x3b\x16\x15\x4b\x82\x46\x5e\xdd"
		"\x62\x14\x4c\x0a\xc1\xfc\x5a\x18\x50\x6a\x22\x44\xba\x44\x9a\xc4";
	static const unsigned char point[] =
		"\xe6\xdb\x68\x67\x58\x30\x30\xdb\x35\x94\xc1\xa4\x24\xb1\x5f\x7c"
		"\x72\x66\x24\xec\x26\xb3\x35\x3b\x10\xa9\x03\xa6\xd0\xab\x1c\x4c";
	static const unsigned char product[] =
		"\xc3\xda\x55\x37\x9d\xe9\xc6\x90\x8e\x94\xea\x4d\xf2\x8d\x08\x4f"
		"\x32\xec\xcf\x03\x49\x1c\x71\xf7\x54\xb4\x07\x55\x77\xa2\x85\x52";
	unsigned char out[POINT];

	for (reversed = 0; reversed < 2; reversed++) {
		curve(out, scalar, point);
		if (!memcmp(out, product, POINT))
			return 0;
	}
	return -1;
}

/* ---- ChaCha20-Poly1305 (RFC 8439): size bytes of text in place, their tag behind them ---- */

/* Every x86-64 has SSE2; the portable function is a third slower there, and larger. */
#ifdef __x86_64__
#define CHACHA20 br_chacha20_sse2_run
#else
#define CHACHA20 br_chacha20_ct_run
#endif

static void aead(const unsigned char key[32], uint64_t nonce, const void *ad, size_t ad_size,
	unsigned char *text, size_t size, unsigned char tag[TAG], int encrypt)
{
	unsigned char iv[12] = {0};

	for (int i = 0; i < 8; i++)
		iv[4 + i] = nonce >> 8 * i & 255;
	br_poly1305_ctmul_run(key, iv, text, size, ad, ad_size, tag, CHACHA20, encrypt);
}

static void aead_encrypt(const unsigned char key[32], uint64_t nonce, const void *ad,
	size_t ad_size, unsigned char *text, size_t size)
{
	aead(key, nonce, ad, ad_size, text, size, text + size, 1);
}

/* 0, or -1 when the tag does not match.  The library decrypts before tags can be compared, so forged text is wiped. */
static int aead_decrypt(const unsigned char key[32], uint64_t nonce, const void *ad, size_t ad_size,
	unsigned char *text, size_t size)
{
	unsigned char tag[TAG];
	volatile unsigned char differ = 0; /* volatile: the loop compares all bytes */

	aead(key, nonce, ad, ad_size, text, size, tag, 0);
	for (int i = 0; i < TAG; i++)
		differ |= tag[i] ^ text[size + i];
	explicit_bzero(tag, sizeof tag);
	if (!differ)
		return 0;
	explicit_bzero(text, size);
	return -1;
}

/* ---- the handshake: Noise's SymmetricState, with the handshake hash h and the chaining key ck ---- */

static void mix_hash(unsigned char h[HASH], const void *data, size_t n)
{
	br_sha256_context c;

	br_sha256_init(&c);
	br_sha256_update(&c, h, HASH);
	br_sha256_update(&c, data, n);
	br_sha256_out(&c, h);
	explicit_bzero(&c, sizeof c);
}

/* HMAC-SHA256 of two pieces of data, either of which may be empty; out may be one of them, or the key. */
static void hmac(unsigned char out[HASH], const unsigned char key[HASH], const void *data, size_t n,
	const void *more, size_t more_size)
{
	br_hmac_key_context k;
	br_hmac_context c;

	br_hmac_key_init(&k, &br_sha256_vtable, key, HASH);
	br_hmac_init(&c, &k, 0);
	br_hmac_update(&c, data, n);
	br_hmac_update(&c, more, more_size);
	br_hmac_out(&c, out);
	explicit_bzero(&k, sizeof k);
	explicit_bzero(&c, sizeof c);
}

/* Noise's HKDF with two outputs (revision 34, section 4.3): the next chaining key, and other. */
static void mix_key(unsigned char ck[HASH], const void *data, size_t n, unsigned char other[HASH])
{
	unsigned char key[HASH];

	hmac(key, ck, data, n, "", 0);
	hmac(ck, key, "\1", 1, "", 0);
	hmac(other, key, ck, HASH, "\2", 1);
	explicit_bzero(key, sizeof key);
}

/* The token e.  In a pattern with a psk the public key is mixed into both h and ck. */
static void mix_public(struct noise *n, const unsigned char e[POINT], unsigned char key[HASH])
{
	mix_hash(n->h, e, POINT);
	mix_key(n->ck, e, POINT, key);
}

/* The token ee. */
static void mix_shared(struct noise *n, const unsigned char *scalar, const unsigned char *point,
	unsigned char key[HASH])
{
	unsigned char shared[POINT];

	curve(shared, scalar, point);
	mix_key(n->ck, shared, sizeof shared, key);
	explicit_bzero(shared, sizeof shared);
}

/* Writes the length and the tag around the public key in a message of the handshake. */
static void message_write(struct noise *n, unsigned char *hello, const unsigned char key[HASH])
{
	hello[0] = 0;
	hello[1] = POINT + TAG;
	aead_encrypt(key, 0, n->h, HASH, hello + 2 + POINT, 0);
	mix_hash(n->h, hello + 2 + POINT, TAG);
}

/* Checks the tag of a message of the handshake: 0 or -1. */
static int message_read(struct noise *n, unsigned char *hello, const unsigned char key[HASH])
{
	if (aead_decrypt(key, 0, n->h, HASH, hello + 2 + POINT, 0))
		return -1;
	mix_hash(n->h, hello + 2 + POINT, TAG);
	return 0;
}

void noise_close(struct noise *n)
{
	explicit_bzero(n, sizeof *n); /* stage is NOISE_OVER */
}

/* Noise's Split(): the first key is the initiator's for sending, the second the responder's. */
static void split(struct noise *n, int initiator)
{
	struct noise_cipher cipher[2] = {0};

	mix_key(n->ck, "", 0, cipher[1].key);
	memcpy(cipher[0].key, n->ck, HASH);
	noise_close(n);
	n->send = cipher[!initiator];
	n->receive = cipher[initiator];
	n->stage = NOISE_TRANSPORT;
	explicit_bzero(cipher, sizeof cipher);
}

static int refuse(struct noise *n)
{
	noise_close(n);
	return -1;
}

/* Initializes the state, then mixes the prologue and the token psk, which the first message begins with. */
void noise_begin(struct noise *n, const unsigned char *psk, const void *prologue, size_t size)
{
	static const char name[] = "Noise_NNpsk0_25519_ChaChaPoly_SHA256";
	unsigned char hashed[HASH];
	br_sha256_context c;

	*n = (struct noise){.stage = NOISE_HANDSHAKE};
	br_sha256_init(&c);
	br_sha256_update(&c, name, sizeof name - 1);
	br_sha256_out(&c, n->h);
	memcpy(n->ck, n->h, HASH);
	mix_hash(n->h, prologue, size);
	mix_key(n->ck, psk, NOISE_KEY, hashed);
	mix_hash(n->h, hashed, HASH);
	explicit_bzero(hashed, sizeof hashed);
}

int noise_initiate(
	struct noise *n, unsigned char random[NOISE_KEY], unsigned char hello[NOISE_HELLO])
{
	unsigned char key[HASH];

	if (n->stage != NOISE_HANDSHAKE)
		return refuse(n);
	memcpy(n->e, random, sizeof n->e);
	explicit_bzero(random, NOISE_KEY);
	curve_public(hello + 2, n->e);
	mix_public(n, hello + 2, key);
	message_write(n, hello, key);
	explicit_bzero(key, sizeof key);
	n->stage = NOISE_INITIATED;
	return 0;
}

/* A replayed or forged hello fails at its tag, before any curve arithmetic. */
int noise_respond(struct noise *n, unsigned char random[NOISE_KEY],
	unsigned char hello[NOISE_HELLO], unsigned char answer[NOISE_HELLO])
{
	unsigned char key[HASH];
	int bad = n->stage != NOISE_HANDSHAKE || noise_size(n, hello, NOISE_HELLO) != NOISE_HELLO;

	if (!bad) {
		mix_public(n, hello + 2, key);
		bad = message_read(n, hello, key);
	}
	if (!bad) {
		curve_public(answer + 2, random);
		mix_public(n, answer + 2, key);
		mix_shared(n, random, hello + 2, key);
		message_write(n, answer, key);
		split(n, 0);
	}
	explicit_bzero(random, NOISE_KEY);
	explicit_bzero(key, sizeof key);
	return bad ? refuse(n) : 0;
}

int noise_finish(struct noise *n, unsigned char answer[NOISE_HELLO])
{
	unsigned char key[HASH];
	int bad = n->stage != NOISE_INITIATED || noise_size(n, answer, NOISE_HELLO) != NOISE_HELLO;

	if (!bad) {
		mix_public(n, answer + 2, key);
		mix_shared(n, n->e, answer + 2, key);
		bad = message_read(n, answer, key);
	}
	explicit_bzero(key, sizeof key);
	if (bad)
		return refuse(n);
	split(n, 1);
	return 0;
}

/* ---- records ---- */

/* The size of the plaintext of a record of `used` bytes of the stream. */
static size_t padded(size_t used)
{
	return (2 + used + PAD - 1) / PAD * PAD;
}

int noise_size(const struct noise *n, const unsigned char *in, size_t have)
{
	size_t size, text;

	if (n->stage == NOISE_OVER)
		return -1;
	if (have < 2)
		return 0;
	size = in[0] << 8 | in[1];
	if (n->stage != NOISE_TRANSPORT)
		return size == POINT + TAG ? NOISE_HELLO : -1;
	text = size - TAG;
	if (size < TAG + PAD || text > padded(NOISE_MAX) || text % PAD)
		return -1;
	return 2 + size;
}

static void rekey(struct noise_cipher *c)
{
	unsigned char text[32 + TAG] = {0};

	aead_encrypt(c->key, UINT64_MAX, 0, 0, text, 32);
	memcpy(c->key, text, 32);
	explicit_bzero(text, sizeof text);
}

static void count(struct noise_cipher *c)
{
	if (++c->nonce % REKEY == 0)
		rekey(c);
}

int noise_encrypt(struct noise *n, unsigned char *text, size_t size)
{
	struct noise_cipher *c = &n->send;

	if (n->stage != NOISE_TRANSPORT || c->nonce == UINT64_MAX)
		return refuse(n);
	aead_encrypt(c->key, c->nonce, 0, 0, text, size);
	count(c);
	return 0;
}

int noise_decrypt(struct noise *n, unsigned char *text, size_t size)
{
	struct noise_cipher *c = &n->receive;

	if (n->stage != NOISE_TRANSPORT || c->nonce == UINT64_MAX ||
		aead_decrypt(c->key, c->nonce, 0, 0, text, size))
		return refuse(n);
	count(c);
	return 0;
}

size_t noise_seal(struct noise *n, unsigned char record[NOISE_RECORD], size_t used)
{
	size_t text = padded(used), size = text + TAG;

	if (used > NOISE_MAX)
		__builtin_trap();
	record[0] = size >> 8;
	record[1] = size & 255;
	record[2] = used & 255;
	record[3] = used >> 8;
	memset(record + NOISE_DATA + used, 0, text - 2 - used);
	if (noise_encrypt(n, record + 2, text))
		return 0;
	return 2 + size;
}

ssize_t noise_unseal(struct noise *n, unsigned char *record, size_t size)
{
	size_t text = size - 2 - TAG, used;
	unsigned char pad = 0;

	if (size < 2 || noise_size(n, record, size) != (int)size)
		return refuse(n);
	if (noise_decrypt(n, record + 2, text))
		return -1;
	used = record[2] | record[3] << 8;
	if (used > NOISE_MAX || padded(used) != text)
		return refuse(n);
	for (size_t i = 2 + used; i < text; i++)
		pad |= record[2 + i];
	return pad ? refuse(n) : (ssize_t)used;
}
#endif
