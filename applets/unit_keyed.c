/* unit_keyed: print the worked example of docs/keyed.md, made by this program's own functions
 *
 * The key, the nonce and both ephemeral keys are fixed, so every byte of the handshake and of the first
 * records is too.  The test `docs` compares what is printed with the page.
 *
 * applet unit_keyed UNIT
 * usage (no arguments)
 */
#include <string.h>
#include "libbb.h"

/* "name  hex hex ..." on lines of sixteen bytes. */
static void print_hex(const char *name, const void *data, size_t n)
{
	const unsigned char *p = data;
	char line[80];

	for (size_t i = 0; i < n; i += 16) {
		struct text t = {line, line + sizeof line};
		size_t len = strlen(name);

		text_str(&t, name);
		do
			text_str(&t, " ");
		while (++len < 8);
		for (size_t k = i; k < n && k < i + 16; k++) {
			text_str(&t, p[k] < 16 ? " 0" : " ");
			text_hex(&t, p[k]);
		}
		text_str(&t, "\n");
		io_write_all(1, line, t.at - line);
		name = "";
	}
}

static void count_up(unsigned char *p, size_t n, unsigned char first)
{
	while (n--)
		*p++ = first++;
}

/* Seals the bytes as the sender's next record, prints it, and opens it at the other end: 0, or -1. */
static int print_record(
	const char *name, struct noise *from, struct noise *to, const void *data, size_t n)
{
	static unsigned char record[NOISE_RECORD] LARGE;
	size_t size;

	memcpy(record + NOISE_DATA, data, n);
	size = noise_seal(from, record, n);
	print_hex(name, record, size);
	return noise_unseal(to, record, size) == (ssize_t)n ? 0 : -1;
}

static int print_example(void)
{
	static const unsigned char first[] = {
		0, 1, 0, FRAME_HELLO, 0, 30, 0, FRAME_ROWS, 0, 100, 0, FRAME_COLS};
	static const char welcome[] = "\0\10\0\312ptybox/1";
	unsigned char psk[NOISE_KEY], nonce[NOISE_NONCE], random[NOISE_KEY];
	unsigned char asked[NOISE_HELLO], answered[NOISE_HELLO];
	struct noise initiator, responder;
	char banner[NOISE_BANNER];

	count_up(psk, sizeof psk, 0x00);
	print_hex("key", psk, sizeof psk);
	count_up(nonce, sizeof nonce, 0x20);
	noise_banner(banner, nonce);
	print_hex("banner", banner, sizeof banner);
	noise_begin(&initiator, psk, banner, sizeof banner);
	noise_begin(&responder, psk, banner, sizeof banner);
	count_up(random, sizeof random, 0x40);
	print_hex("e", random, sizeof random);
	noise_initiate(&initiator, random, asked);
	print_hex("hello", asked, sizeof asked);
	count_up(random, sizeof random, 0x60);
	print_hex("e", random, sizeof random);
	if (noise_respond(&responder, random, asked, answered))
		return -1;
	print_hex("answer", answered, sizeof answered);
	return noise_finish(&initiator, answered) ||
	       print_record("record", &initiator, &responder, first, sizeof first) ||
	       print_record("record", &responder, &initiator, welcome, sizeof welcome - 1);
}

int unit_keyed_main(char **argv, const char *options)
{
	(void)argv, (void)options;
	if (!CFG_KEYED || noise_self_test())
		return 1;
	return print_example() ? 1 : 0;
}
