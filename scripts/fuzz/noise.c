/* noise: what comes without the key is refused and leaves nothing, what comes with it is read as it stands
 *
 * The first byte chooses: a banner, either message of the handshake, or records.  Records are a list of
 * steps, so that the fuzzer also gets behind the tag, where only a holder of the key could get.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "libbb.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const unsigned char psk[NOISE_KEY] = "not secret";
static struct noise asker, answerer; /* after their handshake */

static void begin(struct noise *c, struct noise *s, unsigned char hello[NOISE_HELLO])
{
	static const unsigned char nonce[NOISE_NONCE];
	unsigned char random[NOISE_KEY] = "client";
	char banner[NOISE_BANNER];

	noise_banner(banner, nonce);
	noise_begin(c, psk, banner, sizeof banner);
	noise_begin(s, psk, banner, sizeof banner);
	assert(!noise_initiate(c, random, hello));
}

static void meet(void)
{
	unsigned char asked[NOISE_HELLO], answered[NOISE_HELLO], random[NOISE_KEY] = "server";

	assert(!noise_self_test());
	begin(&asker, &answerer, asked);
	assert(!noise_respond(&answerer, random, asked, answered));
	assert(!noise_finish(&asker, answered));
}

static void is_over(struct noise *n)
{
	static const struct noise nothing;

	assert(!memcmp(n, &nothing, sizeof nothing));
}

/* As exactly long as it is, so that one byte too far is seen. */
static unsigned char *copy(const void *data, size_t size)
{
	unsigned char *p = malloc(size ? size : 1);

	memcpy(p, data, size);
	return p;
}

static void check_banner(const uint8_t *data, size_t size)
{
	unsigned char *p = copy(data, size);
	int is = noise_banner_check(p, size);

	assert(is <= 0 || !memcmp(p, "ptybox-noise-1 ", 15));
	assert(is == 0 || is == -1 || size >= NOISE_BANNER);
	free(p);
}

/* Whatever it is, it is not what the other side would have sent. */
static void check_hello(const uint8_t *data, size_t size, int to_server)
{
	unsigned char right[NOISE_HELLO], hello[NOISE_HELLO], random[NOISE_KEY] = "server", *p;
	struct noise c, s;
	int told;

	begin(&c, &s, right);
	p = copy(data, size);
	told = noise_size(to_server ? &s : &c, p, size);
	free(p);
	assert(told == (size < 2 ? 0 : data[0] == 0 && data[1] == 48 ? NOISE_HELLO : -1));
	if (size < NOISE_HELLO)
		return;
	p = copy(data, NOISE_HELLO);
	if (!to_server) {
		assert(noise_finish(&c, p) == -1);
		is_over(&c);
	} else if (memcmp(data, right, NOISE_HELLO)) {
		assert(noise_respond(&s, random, p, hello) == -1);
		is_over(&s);
	}
	free(p);
}

/* Used bytes, then zeros up to the least multiple of 64, and not too many. */
static int canonical(const uint8_t *text, size_t size)
{
	size_t used = text[0] | text[1] << 8;

	if (used > NOISE_MAX || (used + 2 + 63) / 64 * 64 != size)
		return 0;
	for (size_t i = 2 + used; i < size; i++)
		if (text[i])
			return 0;
	return 1;
}

/* Any plaintext, sealed as a holder of the key can. */
static int form(struct noise *from, struct noise *to, const uint8_t *data, size_t n)
{
	size_t text = n / 64 * 64, size = 2 + text + 16;
	unsigned char *p;
	ssize_t used;

	if (!text)
		return 0;
	p = malloc(size);
	p[0] = (unsigned char)((text + 16) >> 8);
	p[1] = (unsigned char)(text + 16);
	memcpy(p + 2, data, text);
	assert(!noise_encrypt(from, p + 2, text));
	used = noise_unseal(to, p, size);
	assert((used >= 0) == canonical(data, text));
	if (used >= 0)
		assert(!memcmp(p + NOISE_DATA, data + 2, used));
	else
		is_over(to);
	free(p);
	return used < 0;
}

/* A record as it should be, or with one bit turned. */
static int record(
	struct noise *from, struct noise *to, const uint8_t *data, size_t n, unsigned turn)
{
	unsigned char buf[NOISE_RECORD], *p;
	size_t size;
	ssize_t used;

	memcpy(buf + NOISE_DATA, data, n);
	size = noise_seal(from, buf, n);
	assert(size && noise_size(to, buf, 2) == (int)size);
	p = copy(buf, size);
	if (turn)
		p[turn / 8 % size] ^= (unsigned char)(1 << turn % 8);
	used = noise_unseal(to, p, size);
	if (turn)
		assert(used == -1);
	else
		assert(used == (ssize_t)n && !memcmp(p + NOISE_DATA, data, n));
	free(p);
	return used < 0;
}

/* Bytes from somebody without the key. */
static int noise(struct noise *to, const uint8_t *data, size_t n)
{
	unsigned char *p = copy(data, n);
	int told = noise_size(to, p, n);

	assert(told <= NOISE_RECORD);
	assert(noise_unseal(to, p, n) == -1);
	is_over(to);
	free(p);
	return 1;
}

static void check_records(const uint8_t *data, size_t size)
{
	struct noise c = asker, s = answerer;
	int over = 0;

	while (!over && size > 5) {
		size_t n = (data[1] | data[2] << 8) % (NOISE_MAX + 65);
		struct noise *from = data[0] & 4 ? &s : &c, *to = data[0] & 4 ? &c : &s;
		unsigned turn = data[0] & 1 ? data[3] | data[4] << 8 | 1 : 0;
		int what = data[0] & 3;

		data += 5;
		size -= 5;
		if (n > size)
			n = size;
		if (what == 3)
			over = noise(to, data, n);
		else if (what == 2)
			over = form(from, to, data, n);
		else
			over = record(from, to, data, n < NOISE_MAX ? n : NOISE_MAX, turn);
		data += n;
		size -= n;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!asker.stage)
		meet();
	if (!size)
		return 0;
	switch (*data++ & 7) {
	case 0:
		check_banner(data, size - 1);
		break;
	case 1:
	case 2:
		check_hello(data, size - 1, data[-1] & 1);
		break;
	default:
		check_records(data, size - 1);
	}
	return 0;
}
