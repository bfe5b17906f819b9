/* detach_key.c: the detach key among what a person types.
 *
 * The key is held back until it is known what follows:
 *
 *	nothing for WAIT ms	detach
 *	the detach key again	it is sent once
 *	anything else		both are sent: the key was part of a paste, or meant for the program
 *
 * With kitty's keyboard protocol or xterm's modifyOtherKeys the key comes as an escape sequence (escape_key()), so
 * what is typed is cut into sequences and text first (term_input.c).  The beginning of a sequence waits for its end, a lone
 * ESC for 10 ms.  The release of a key, a modifier, and what the terminal says by itself are nothing that follows:
 * they are held back with the key and share its fate.
 */
#include <string.h>
#include "attach.h"

enum { WAIT = 300, INTERRUPT = 3 };

static int key = -1;
static msec held_since; /* when the detach key was typed; 0: none is held back */
static unsigned char held[DETACH_KEY_KEPT - TERM_HOLD] LARGE;
static unsigned held_len;
static char interrupted;

int detach_key_parse(const char *s)
{
	if (!strcmp(s, "none"))
		return -1;
	if (s[0] == '^' && s[1] && !s[2])
		return s[1] == '?' ? 127 : s[1] & 0x1f;
	return s[0] && !s[1] ? (unsigned char)*s : -2;
}

void detach_key_set(int k)
{
	key = k;
}

void detach_key_name(struct text *t)
{
	int control = key < ' ' || key == 127;

	if (key >= 0)
		text_str(t, (char[]){control ? '^' : (char)key, control ? (char)(key ^ 64) : 0, 0});
}

static void send_held(void)
{
	if (held_len)
		link_type(held, held_len);
	held_len = 0;
	held_since = 0;
}

static void pass(const unsigned char *data, size_t n)
{
	send_held();
	link_type(data, n);
}

static void hold(const unsigned char *data, size_t n)
{
	if (n > sizeof held - held_len) {
		pass(data, n);
		return;
	}
	memcpy(held + held_len, data, n);
	held_len += n;
}

static void detach_key(const unsigned char *data, size_t n)
{
	if (held_since) {
		send_held();
		return;
	}
	held_since = loop_now;
	hold(data, n);
}

static void text(const unsigned char *data, size_t n)
{
	while (n) {
		const unsigned char *at = key < 0 ? 0 : memchr(data, key, n);
		size_t before = at ? (size_t)(at - data) : n;

		if (before)
			pass(data, before);
		if (at)
			detach_key(at, 1);
		data += before + (at != 0);
		n -= before + (at != 0);
	}
}

static void take(struct term_input *in, int kind, const unsigned char *data, size_t n)
{
	int whole = in->escape.done && n == in->escape.len, byte = kind != TERM_TYPED ? KEY_SILENT :
								   whole ? escape_key(&in->escape) :
									   KEY_OTHER;

	if (key != INTERRUPT)
		interrupted |= byte == INTERRUPT ||
			       (byte == KEY_OTHER && !whole && memchr(data, INTERRUPT, n));
	if (byte == KEY_SILENT && held_since)
		hold(data, n);
	else if (byte >= 0 && byte == key)
		detach_key(data, n);
	else if (whole || kind != TERM_TYPED)
		pass(data, n);
	else
		text(data, n);
}

static struct term_input input = {.hold = 1, .take = take};

int detach_key_typed(const unsigned char *data, size_t n)
{
	interrupted = 0;
	term_input_feed(&input, data, n);
	return interrupted;
}

msec detach_key_due(void)
{
	msec due = term_input_due(&input);

	if (held_since)
		due_at(&due, held_since + WAIT);
	return due;
}

int detach_key_timer(void)
{
	term_input_expire(&input);
	return held_since && loop_now >= held_since + WAIT;
}
