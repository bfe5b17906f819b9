/* detach_key.c: the detach key among what a person types.
 *
 * The key is held back until it is known what follows:
 *
 *	nothing for DETACH_KEY_WAIT ms	detach
 *	the detach key again		it is sent once
 *	another byte			both are sent: the key was part of a paste, or meant for the program
 */
#include <string.h>
#include "attach.h"

int detach_key_parse(const char *s)
{
	if (!strcmp(s, "none"))
		return -1;
	if (s[0] == '^' && s[1] && !s[2])
		return s[1] == '?' ? 127 : s[1] & 0x1f;
	return s[0] && !s[1] ? (unsigned char)*s : -2;
}

static void consume(const unsigned char **data, size_t *n, size_t used)
{
	*data += used;
	*n -= used;
}

size_t detach_key_next(
	struct detach_key *k, const unsigned char **data, size_t *n, const unsigned char **run)
{
	const unsigned char *at = k->key < 0 ? 0 : memchr(*data, k->key, *n);
	size_t before = at ? (size_t)(at - *data) : *n;

	if (k->held_since) {
		k->held_since = 0;
		k->byte = k->key;
		*run = &k->byte;
		consume(data, n, at && !before);
		return 1;
	}
	*run = *data;
	consume(data, n, before + (at != 0));
	if (at)
		k->held_since = loop_now;
	return before;
}

msec detach_key_due(const struct detach_key *k)
{
	return k->held_since ? k->held_since + DETACH_KEY_WAIT : NEVER;
}
