/* net.c: peers as text and as numeric addresses, and which of them may connect.
 *
 * Every network is kept as IPv6; an IPv4 one is mapped (RFC 4291, 2.5.5.2) and its bits counted from
 * there, so one comparison serves both, and an IPv4 peer of a dual-stack socket is no special case.
 */
#include <arpa/inet.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>
#include "libbb.h"

static void text_ipv6(struct text *t, const unsigned char *b)
{
	int run = 0, at = -1;

	for (int i = 0; i < 8; i++) { /* the longest run of zeros becomes :: (RFC 5952) */
		int n = 0;

		while (i + n < 8 && !b[2 * (i + n)] && !b[2 * (i + n) + 1])
			n++;
		if (n > run && n > 1)
			run = n, at = i;
	}
	for (int i = 0; i < 8; i++) {
		unsigned word = b[2 * i] << 8 | b[2 * i + 1];

		if (i == at) {
			text_str(t, "::");
			i += run - 1;
			continue;
		}
		if (i && i != at + run)
			text_str(t, ":");
		text_hex(t, word);
	}
}

/* The name of an interface, which unlike its number stays the same when it is removed and added again; else the
 * number. */
static void text_scope(struct text *t, unsigned interface)
{
	char name[IF_NAMESIZE];

	text_str(t, "%");
	if (CFG_NAMES && if_indextoname(interface, name) && !strchr(name, ']'))
		text_str(t, name);
	else
		text_num(t, interface);
}

/* The four bytes of an IPv4 address, also of one mapped into IPv6; else 0. */
static const unsigned char *ipv4_of(const union sock_name *n)
{
	if (n->sa.sa_family == AF_INET)
		return (const unsigned char *)&n->in.sin_addr;
	if (n->sa.sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&n->in6.sin6_addr))
		return n->in6.sin6_addr.s6_addr + 12;
	return 0;
}

void net_text(struct text *t, const union sock_name *n, int fd)
{
	const unsigned char *ip = ipv4_of(n);
	struct ucred peer = {0};
	socklen_t len = sizeof peer;

	if (n->sa.sa_family == AF_UNIX) {
		getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len);
		text_str(t, "unix:");
		text_num(t, peer.pid);
		return;
	}
	if (ip) {
		for (int i = 0; i < 4; i++) {
			text_str(t, i ? "." : "");
			text_num(t, ip[i]);
		}
	} else {
		text_str(t, "[");
		text_ipv6(t, n->in6.sin6_addr.s6_addr);
		if (n->in6.sin6_scope_id)
			text_scope(t, n->in6.sin6_scope_id);
		text_str(t, "]");
	}
	text_str(t, ":");
	text_num(t, ntohs(n->in.sin_port));
}

/* The interface of this name or number, 0 when it is neither. */
static unsigned scope_parse(const char *s)
{
	unsigned interface = CFG_NAMES && strlen(s) < IF_NAMESIZE ? if_nametoindex(s) : 0;
	unsigned long n;

	return interface || num_parse(s, 10, UINT32_MAX, &n) ? interface : n;
}

int net_numeric(union sock_name *n, const char *host, unsigned port)
{
	const char *scope = strchrnul(host, '%');
	char ip[INET6_ADDRSTRLEN];

	if ((size_t)(scope - host) >= sizeof ip)
		return -1;
	memcpy(ip, host, scope - host);
	ip[scope - host] = '\0';
	*n = (union sock_name){.in6 = {.sin6_family = AF_INET, .sin6_port = htons(port)}};
	if (!*scope && inet_pton(AF_INET, ip, &n->in.sin_addr) == 1)
		return 0;
	n->in6.sin6_family = AF_INET6;
	if (*scope) {
		n->in6.sin6_scope_id = scope_parse(scope + 1);
		if (!n->in6.sin6_scope_id)
			return -1;
	}
	return inet_pton(AF_INET6, ip, &n->in6.sin6_addr) == 1 ? 0 : -1;
}

static int net_parse(struct net *net, const char *s, size_t len)
{
	char word[64], *slash;
	unsigned long bits, full;

	if (len >= sizeof word)
		return -1;
	memcpy(word, s, len);
	word[len] = '\0';
	*net = (struct net){.bits = 0};
	if (!strcmp(word, "any"))
		return 0;
	slash = strchr(word, '/');
	if (slash)
		*slash++ = '\0';
	net->ip[10] = net->ip[11] = 0xff;
	full = 32;
	if (inet_pton(AF_INET, word, net->ip + 12) != 1) {
		if (inet_pton(AF_INET6, word, net->ip) != 1)
			return -1;
		full = 128;
	}
	bits = full;
	if (slash && num_parse(slash, 10, full, &bits))
		return -1;
	net->bits = 128 - full + bits;
	return 0;
}

int net_list(struct net *net, int max, const char *s)
{
	int count = 0;

	for (;; s++) {
		size_t len = strchrnul(s, ',') - s;

		if (count == max || net_parse(&net[count++], s, len))
			return -1;
		s += len;
		if (!*s)
			return count;
	}
}

static int net_has(const struct net *net, const unsigned char *ip)
{
	unsigned whole = net->bits / 8, rest = net->bits % 8;

	return !memcmp(net->ip, ip, whole) &&
	       (!rest || !((net->ip[whole] ^ ip[whole]) >> (8 - rest)));
}

int net_allows(const struct net *net, int count, const union sock_name *n)
{
	unsigned char ip[16] = {[10] = 0xff, [11] = 0xff};
	const unsigned char *four = ipv4_of(n);

	if (n->sa.sa_family == AF_UNIX)
		return 1;
	if (four)
		memcpy(ip + 12, four, 4);
	else
		memcpy(ip, n->in6.sin6_addr.s6_addr, 16);
	for (int i = 0; i < count; i++)
		if (net_has(&net[i], ip))
			return 1;
	return 0;
}

/* Whether the peer of a unix socket may write to a file of this process's user and group with this mode. */
static int mode_allows(mode_t mode, int fd)
{
	struct ucred peer;
	socklen_t len = sizeof peer;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len))
		return 0;
	if (peer.uid == geteuid())
		mode >>= 6;
	else if (peer.gid == getegid())
		mode >>= 3;
	return !peer.uid || mode & 2;
}

uint64_t net_prefix(const union sock_name *n)
{
	const unsigned char *four = ipv4_of(n);
	const unsigned char *ip = four ? four : n->in6.sin6_addr.s6_addr;
	uint64_t prefix = four ? 0xffff00 : 0; /* no IPv6 peer is in 0:ffff::/32 */

	for (int i = 0; i < (four ? 4 : 8); i++)
		prefix = prefix << 8 | ip[i];
	return four ? prefix << 8 : prefix;
}

int net_is_loopback(const union sock_name *n)
{
	const unsigned char *four = ipv4_of(n);

	return four ? *four == 127 : IN6_IS_ADDR_LOOPBACK(&n->in6.sin6_addr);
}

/* ---- who may connect ---- */

enum { ALLOWED = 32 };

static struct net allowed[ALLOWED];
static int allowed_count;

int net_allow(const char *list)
{
	allowed_count = net_list(allowed, ALLOWED, list);
	return allowed_count < 0 ? -1 : 0;
}

void net_allow_default(int any)
{
	static const char private_nets[] = "127.0.0.0/8,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,"
					   "169.254.0.0/16,::1,fe80::/10,fc00::/7";

	if (!allowed_count)
		net_allow(any ? "any" : private_nets);
}

const char *net_barred(const union sock_name *peer, int fd, int mode)
{
	if (!net_allows(allowed, allowed_count, peer))
		return "not allowed from this address";
	return mode >= 0 && !mode_allows(mode, fd) ? "not allowed for this user" : 0;
}
