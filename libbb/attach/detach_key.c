/* detach_key.c: the detach key among what a person types.
 *
 * The key is held back until it is known what follows: nothing for a while (detach), itself (it is
 * sent once), anything else (both are sent: it was part of a paste, or meant for the program).
 */
#include <string.h>
#include "attach.h"

int keys_parse(const char *s)
{
	if (!strcmp(s, "none"))
		return -1;
	if (s[0] == '^' && s[1] && !s[2])
		return s[1] == '?' ? 127 : s[1] & 0x1f;
	return s[0] && !s[1] ? (unsigned char)*s : -2;
}

void keys_typed(struct keys *k, const unsigned char *data, size_t n)
{
	while (n) {
		const unsigned char *at = k->key < 0 ? 0 : memchr(data, k->key, n);
		size_t before = at ? (size_t)(at - data) : n;

		if (k->held) {
			unsigned char key = k->key;

			k->held = 0;
			k->send(&key, 1);
			before = !before;
		} else {
			k->send(data, before);
			if (at) {
				k->held = loop_now;
				before++;
			}
		}
		data += before;
		n -= before;
	}
}

msec keys_detach_at(const struct keys *k)
{
	return k->held ? k->held + KEYS_WAIT : NEVER;
}
