/* env.c: the command's environment.
 *
 *	client's variables -> the server's settings (PTYBOX_SOCKET, -u) -> inherited variables
 *
 * Of two variables with one name the first in this order counts.  What the server inherited is passed on unchanged and
 * unlimited: when it is too much, execve(2) fails with E2BIG, and the command's start with that.
 */
#include <string.h>
#include <unistd.h>
#include "server.h"

char *env_make(const char *name, const char *value, size_t len)
{
	enum { PIECE = 4096 };
	static char few[256]; /* most servers need no more */
	static char *at = few, *end = few + sizeof few;
	size_t before = strlen(name), size = before + len + 1;
	char *var;

	if ((size_t)(end - at) < size) {
		size_t piece = size > PIECE ? size : PIECE;

		at = ring_map(piece);
		if (!at)
			die(1, name, " ", msg_errno());
		end = at + piece;
	}
	var = at;
	at += size; /* fresh memory is zero, so the string ends in a NUL */
	memcpy(var, name, before);
	memcpy(var + before, value, len);
	return var;
}

static int is_set(char **list, int n, const char *var)
{
	size_t len = strchrnul(var, '=') - var + 1;

	for (int i = 0; i < n; i++)
		if (!strncmp(list[i], var, len))
			return 1;
	return 0;
}

/* Programs believe these two before the window size of their terminal, and the server's are those of another one. */
static int is_size(const char *var)
{
	return !strncmp(var, "LINES=", 6) || !strncmp(var, "COLUMNS=", 8);
}

char **env_list(char *client, char **set)
{
	size_t count = 1;
	char **list;
	int n = 0, first_own;

	for (char *c = client; c && *c; c += strlen(c) + 1)
		count++;
	for (char **s = set; *s; s++)
		count++;
	for (char **e = environ; *e; e++)
		count++;
	list = ring_map(count * sizeof *list);
	if (!list)
		return 0;
	for (; client && *client; client += strlen(client) + 1)
		if (!is_set(list, n, client))
			list[n++] = client;
	for (; *set; set++)
		if (!is_set(list, n, *set))
			list[n++] = *set;
	first_own = n;
	for (char **e = environ; *e; e++)
		if (!is_size(*e) && !is_set(list, first_own, *e))
			list[n++] = *e;
	return list;
}
