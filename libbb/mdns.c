/* mdns.c: one-shot multicast DNS queries (RFC 6762, 5.1).
 *
 * The question is sent from ephemeral ports on every interface that is up and can multicast, by IPv4 and by IPv6.  To
 * such a port a responder answers directly (6.7): no group is joined, and another program may use port 5353.  Each
 * interface has sockets of its own, so a link-local address belongs to the interface of the socket that received it.
 */
#include <net/if.h>
#include <string.h>
#include <unistd.h>
#include "libbb.h"

enum { PORT = 5353, TIMES = 3, EVERY = 1000, PATIENCE = 250 };

static void ask_on(unsigned interface)
{
	static const unsigned char group6[16] = {0xff, 2, [15] = 0xfb};
	union sock_name n = {.in6 = {.sin6_family = AF_INET6, .sin6_port = htons(PORT)}};

	memcpy(&n.in6.sin6_addr, group6, sizeof group6);
	n.in6.sin6_scope_id = interface;
	dns_server(&n, interface);
	n = (union sock_name){.in = {.sin_family = AF_INET, .sin_port = htons(PORT)}};
	n.in.sin_addr.s_addr = htonl(0xe00000fb); /* 224.0.0.251 */
	dns_server(&n, interface);
}

/* netlink(7) and rtnetlink(7): constants and structures of <linux/rtnetlink.h>, which musl does not have. */
enum { ROUTE = 0, NEWLINK = 16, GETLINK = 18, REQUEST = 1, DUMP = 0x300 };

struct message {
	uint32_t size;
	uint16_t type, flags;
	uint32_t sequence, port;
	uint8_t family, pad;
	uint16_t hardware;
	int32_t index;
	uint32_t link_flags, change;
};

/* Asks on the interfaces in a part of the kernel's list; 0 when that was its last part. */
static int list_part(const unsigned char *part, size_t size)
{
	enum { WANTED = IFF_UP | IFF_MULTICAST };
	struct message m;

	for (; size >= sizeof m; part += m.size, size -= m.size) {
		memcpy(&m, part, sizeof m);
		if (m.type != NEWLINK)
			return 0;
		if ((m.link_flags & WANTED) == WANTED)
			ask_on(m.index);
		m.size = (m.size + 3) & ~3U;
		if (m.size < sizeof m || m.size > size)
			return 1;
	}
	return !size;
}

/* The list of links has every interface, with or without addresses, and needs no /proc. */
static void ask_everywhere(void)
{
	static unsigned char part[8192] LARGE;
	struct message all = {.size = sizeof all, .type = GETLINK, .flags = REQUEST | DUMP};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, ROUTE);
	ssize_t n = send(fd, &all, sizeof all, 0);

	if (n < 0)
		ask_on(0); /* on the interface that the routes choose */
	while (n > 0 && (n = recv(fd, part, sizeof part, 0)) > 0 && list_part(part, n))
		;
	close(fd);
}

void mdns_ask(struct dns_addresses *found, const char *name)
{
	if (dns_begin(found, name, 1))
		return;
	ask_everywhere();
	dns_ask(TIMES, EVERY, PATIENCE);
}
