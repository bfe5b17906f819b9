/* addr.c: the ADDR grammar.
 *
 *	PORT   HOST:PORT   [IPV6]:PORT   /path   ./path   @name   -   fd:N
 *
 * An address is only parsed here, not looked up; a struct addr points into the text that it was parsed from.
 */
#include <string.h>
#include "libbb.h"

static int port_parse(struct addr *a, const char *s)
{
	unsigned long port;

	if (num_parse(s, 10, 65535, &port) || !port)
		return -1;
	a->port = port;
	return 0;
}

static int host_set(struct addr *a, const char *from, const char *to)
{
	if (to == from || to - from > ADDR_HOST_MAX)
		return -1;
	a->host = from;
	a->host_len = to - from;
	return 0;
}

int addr_parse(struct addr *a, const char *text)
{
	const char *end;
	unsigned long n;

	*a = (struct addr){.text = text, .kind = ADDR_TCP};
	if (strchr(text, '/') || *text == '@') {
		a->kind = ADDR_UNIX;
		return *text == '@' && !text[1] ? -1 : 0;
	}
	if (CFG_SUPERVISED && !strcmp(text, "-")) {
		a->kind = ADDR_STDIN;
		return 0;
	}
	if (CFG_SUPERVISED && !strncmp(text, "fd:", 3)) {
		a->kind = ADDR_FD;
		if (num_parse(text + 3, 10, 65535, &n))
			return -1;
		a->port = n;
		return 0;
	}
	if (*text == '[') {
		end = strchr(text, ']');
		if (!end || end[1] != ':' || strchr(text, ':') > end)
			return -1;
		a->ipv6 = 1;
		return host_set(a, text + 1, end) ? -1 : port_parse(a, end + 2);
	}
	end = strchr(text, ':');
	if (!end)
		return port_parse(a, text);
	return host_set(a, text, end) ? -1 : port_parse(a, end + 1);
}

void addr_get(struct addr *a, const char *text)
{
	if (addr_parse(a, text))
		die(1, text, ": not an address",
			CFG_HELP ? " (PORT, HOST:PORT, [IPV6]:PORT, /path, @name, - or fd:N)" : "");
	if (a->kind == ADDR_UNIX && strlen(text) > ADDR_PATH_MAX)
		die(1, text, ": path too long (107 bytes at most)");
}
