/* addr: any text is an address or is refused, and what is found lies inside the text
 *
 * The same text is tried as a list of networks (-a).
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "libbb.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_addr(const char *text, size_t len)
{
	struct addr a;

	if (addr_parse(&a, text))
		return;
	assert(a.text == text);
	if (a.kind == ADDR_UNIX) {
		assert(memchr(text, '/', len) || *text == '@');
		return;
	}
	if (a.kind == ADDR_FD || a.kind == ADDR_STDIN) {
		assert(!strncmp(text, "fd:", 3) || !strcmp(text, "-"));
		return;
	}
	assert(a.port >= 1 && a.port <= 65535);
	if (!a.host)
		return;
	assert(a.host >= text && a.host_len > 0 && a.host_len <= ADDR_HOST_MAX);
	assert(a.host + a.host_len < text + len);
}

static void check_nets(const char *text)
{
	struct net nets[4];
	int n = net_list(nets, 4, text);

	assert(n >= -1 && n <= 4);
	for (int i = 0; i < n; i++)
		assert(nets[i].bits <= 128);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* exactly as long as the text, so that one byte too far is seen */
	char *text = malloc(size + 1);

	memcpy(text, data, size);
	text[size] = '\0';
	check_addr(text, strlen(text));
	check_nets(text);
	free(text);
	return 0;
}
