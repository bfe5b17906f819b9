/* dns.c: one question about a name, put to several servers at once (RFC 1035).
 *
 * Each server is asked for each family over a socket of its own: no source port or id is used twice, and the socket
 * tells which question an answer belongs to.  The first answer settles its family, so a server that fails or is
 * silent delays nothing while another one answers.
 *
 *	dns_begin() -> dns_server() for each -> dns_ask()
 *
 * In multicast DNS the server is a group, silence means that there is no such name, and an answer is matched by the
 * name of its records, because responders need not repeat the question (RFC 6762, 6.7 and 5.4).
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <unistd.h>
#include "libbb.h"

enum { HEAD = 12, NAME = 255, LABEL = 63, TAIL = 4, RECORD = 10, ANSWER = 1500 };
enum { TYPE_A = 1, TYPE_AAAA = 28, CLASS_IN = 1, CLASS_MASK = 0x7fff, POINTER = 0xc0 };
enum { IS_RESPONSE = 0x80, OPCODE = 0x78, IS_CUT = 2, RCODE = 15, NXDOMAIN = 3 };
enum { QUERIES = 256 };
/* The size of an address of either family: the kernel ignores what follows a sockaddr_in (ip(7)). */
enum { TO_LEN = sizeof(struct sockaddr_in6) };

struct query {
	union {
		struct sockaddr sa;
		struct sockaddr_in6 in6;
	} to;
	unsigned scope; /* the index of the interface that answers come in on, or 0 */
	unsigned char id[2];
	unsigned char family;
	unsigned char waiting; /* sent, and neither answered nor failed yet */
};

static struct {
	struct dns_addresses *found;
	int multicast;
	int size;      /* of the question */
	int queries;   /* how many */
	int unsettled; /* bits: families without an answer */
	int result;
	unsigned char question[HEAD + NAME + TAIL]; /* id and type are filled in when it is sent */
	struct pollfd poll[QUERIES];
	struct query query[QUERIES];
} dns LARGE;

/* ---- the question ---- */

/* Writes a name as a question has it; returns where it ends, or 0 when it is no domain name. */
static unsigned char *encode(unsigned char *p, const char *name)
{
	const unsigned char *end = p + NAME;

	do {
		size_t n = strchrnul(name, '.') - name;

		if (!n || n > LABEL || n + 2 > (size_t)(end - p))
			return 0;
		*p++ = n;
		memcpy(p, name, n);
		p += n;
		name += n;
		name += *name == '.';
	} while (*name);
	*p++ = 0;
	return p;
}

int dns_begin(struct dns_addresses *found, const char *name, int multicast)
{
	unsigned char *p = encode(dns.question + HEAD, name);

	if (!p)
		return -1;
	memcpy(p, (unsigned char[]){0, 0, 0, CLASS_IN}, TAIL);
	dns.size = p + TAIL - dns.question;
	dns.question[2] = !multicast; /* recursion desired */
	dns.question[5] = 1;
	dns.found = found;
	dns.multicast = multicast;
	dns.queries = 0;
	dns.unsettled = (1 << DNS_FAMILIES) - 1;
	dns.result = DNS_SILENT;
	return 0;
}

/* Packets to a group are sent on this interface, which an IPv6 group's address has as its scope, and with the TTL 255,
 * which shows that they have crossed no router (RFC 6762, 11). */
static void multicast_from(int fd, int family, unsigned interface)
{
	struct ip_mreqn from = {.imr_ifindex = interface};
	int ttl = 255;

	if (family == AF_INET) {
		setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &from, sizeof from);
		setsockopt(fd, IPPROTO_IP, IP_MULTICAST_TTL, &ttl, sizeof ttl);
	} else
		setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &ttl, sizeof ttl);
}

/* A random id.  Before the kernel's generator is seeded it may be predictable; the source port must be guessed still. */
static void random_id(unsigned char id[2])
{
	int fd;

	if (getrandom(id, 2, GRND_NONBLOCK) == 2)
		return;
	fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
	io_read(fd, id, 2);
	close(fd);
}

void dns_server(const union sock_name *to, unsigned scope)
{
	for (int family = 0; family < DNS_FAMILIES && dns.queries < QUERIES; family++) {
		struct query *q = &dns.query[dns.queries];
		int fd = socket(to->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

		if (fd < 0)
			return;
		*q = (struct query){.family = family, .scope = scope};
		memcpy(&q->to, to, sizeof q->to);
		random_id(q->id);
		if (dns.multicast)
			multicast_from(fd, to->sa.sa_family, scope);
		else if (connect(fd, &q->to.sa, TO_LEN)) {
			close(fd);
			continue;
		}
		dns.poll[dns.queries++] = (struct pollfd){.fd = fd, .events = POLLIN};
	}
}

/* Puts the id and type of q into the question. */
static void fill_in(const struct query *q)
{
	memcpy(dns.question, q->id, sizeof q->id);
	dns.question[dns.size - 3] = q->family == DNS_IPV6 ? TYPE_AAAA : TYPE_A;
}

static void send_all(void)
{
	for (int i = 0; i < dns.queries; i++) {
		struct query *q = &dns.query[i];

		if (!(dns.unsettled & 1 << q->family))
			continue;
		fill_in(q);
		q->waiting = sendto(dns.poll[i].fd, dns.question, dns.size, MSG_NOSIGNAL, &q->to.sa,
				     TO_LEN) >= 0 ||
			     errno == EAGAIN;
	}
}

/* Whether an answer may still come that would settle a family. */
static int waiting(void)
{
	for (int i = 0; i < dns.queries; i++)
		if (dns.query[i].waiting && dns.unsettled & 1 << dns.query[i].family)
			return 1;
	return 0;
}

/* ---- answers, which may be hostile ---- */

/* The offset behind the name at this offset, which may be behind the message's end. */
static int skip_name(const unsigned char *m, int size, int at)
{
	while (at < size && m[at] && m[at] < POINTER)
		at += m[at] + 1;
	return at + (at < size && m[at] ? 2 : 1);
}

static int same_label(const void *one, const void *other, int n)
{
	return !strncasecmp(one, other, n);
}

/* Whether the name at this offset is that of the question.  Each pointer must lead to a lower offset than the one
 * before it (RFC 1035, 4.1.4: a prior occurrence), so there are no loops. */
static int is_asked_for(const unsigned char *m, int size, int at)
{
	const unsigned char *asked = dns.question + HEAD;
	int before = at;

	while (at < size) {
		int n = m[at];

		if (n >= POINTER) {
			at = at + 1 < size ? (n - POINTER) << 8 | m[at + 1] : before;
			if (at >= before)
				return 0;
			before = at;
			continue;
		}
		if (n != *asked || at + n >= size || !same_label(m + at + 1, asked + 1, n))
			return 0;
		if (!n)
			return 1;
		at += n + 1;
		asked += n + 1;
	}
	return 0;
}

static void add_record(const struct query *q, const unsigned char *ip)
{
	union sock_name n = {.in6 = {.sin6_family = AF_INET6}};

	if (q->family == DNS_IPV6) {
		memcpy(&n.in6.sin6_addr, ip, sizeof n.in6.sin6_addr);
		if (IN6_IS_ADDR_LINKLOCAL(&n.in6.sin6_addr))
			n.in6.sin6_scope_id = q->scope;
	} else {
		n.sa.sa_family = AF_INET;
		memcpy(&n.in.sin_addr, ip, sizeof n.in.sin_addr);
	}
	dns_add(dns.found, &n);
}

/* Adds the addresses of the query's family in the answer section, of whole records only. */
static void take_records(const struct query *q, const unsigned char *m, int size)
{
	int at = HEAD, type = q->family == DNS_IPV6 ? TYPE_AAAA : TYPE_A,
	    len = q->family == DNS_IPV6 ? 16 : 4;

	for (int n = m[4] << 8 | m[5]; n && at < size; n--)
		at = skip_name(m, size, at) + TAIL;
	for (int n = m[6] << 8 | m[7]; n && at < size; n--) {
		const unsigned char *record;
		int name = at, have;

		at = skip_name(m, size, at);
		if (at + RECORD > size)
			return;
		record = m + at;
		have = record[8] << 8 | record[9];
		at += RECORD + have;
		if (at > size)
			return;
		if (have == len && !record[0] && record[1] == type &&
			((record[2] << 8 | record[3]) & CLASS_MASK) == CLASS_IN &&
			(!dns.multicast || is_asked_for(m, size, name)))
			add_record(q, record + RECORD);
	}
}

/* Whether this message answers q: it has the same id and, unless multicast, byte for byte the same question. */
static int answers(const struct query *q, const unsigned char *m, int size)
{
	fill_in(q);
	if (size < HEAD || memcmp(m, q->id, sizeof q->id) ||
		(m[2] & (IS_RESPONSE | OPCODE)) != IS_RESPONSE)
		return 0;
	return dns.multicast || (size >= dns.size && !memcmp(m + 4, dns.question + 4, 2) &&
					!memcmp(m + HEAD, dns.question + HEAD, dns.size - HEAD));
}

/* An answer without addresses settles its family too, unless it was truncated, or is multicast. */
static void take_answer(struct query *q, const unsigned char *m, int size)
{
	int rcode = dns.multicast ? 0 : m[3] & RCODE, failed = rcode && rcode != NXDOMAIN;

	if (!(dns.unsettled & 1 << q->family))
		return;
	if (!failed)
		take_records(q, m, size);
	q->waiting = dns.multicast;
	if (dns.found->count[q->family] || !(failed || dns.multicast || m[2] & IS_CUT)) {
		dns.unsettled &= ~(1 << q->family);
		dns.result = DNS_ANSWERED;
	} else if (dns.result == DNS_SILENT)
		dns.result = DNS_FAILED;
}

static void receive(struct query *q, int fd)
{
	unsigned char m[ANSWER];
	ssize_t n = recv(fd, m, sizeof m, 0);

	if (n < 0)
		q->waiting &= errno == EAGAIN || errno == EINTR;
	else if (answers(q, m, n))
		take_answer(q, m, n);
}

/* ---- asking ---- */

static void wait_until(msec when)
{
	poll(dns.poll, dns.queries, when - loop_now);
	for (int i = 0; i < dns.queries; i++)
		if (dns.poll[i].revents)
			receive(&dns.query[i], dns.poll[i].fd);
	loop_clock();
}

int dns_ask(int attempts, msec every, msec patience)
{
	msec end, again;
	int some = 0;

	loop_clock();
	again = loop_now;
	end = again + attempts * every;
	while (dns.unsettled && loop_now < end) {
		if (loop_now >= again || !waiting()) {
			if (!attempts--)
				break;
			send_all();
			again = loop_now + every;
			continue;
		}
		wait_until(again < end ? again : end);
		if (!some && (dns.found->count[DNS_IPV6] || dns.found->count[DNS_IPV4])) {
			some = 1;
			due_at(&end, loop_now + patience);
		}
	}
	while (dns.queries)
		close(dns.poll[--dns.queries].fd);
	return dns.result;
}

void dns_add(struct dns_addresses *found, const union sock_name *n)
{
	int family = n->sa.sa_family == AF_INET6 ? DNS_IPV6 : DNS_IPV4, i = 0;

	while (i < found->count[family] && memcmp(&found->name[family][i], n, sizeof n->in6))
		i++;
	if (i == SOCK_NAMES)
		return;
	found->name[family][i] = *n;
	found->count[family] += i == found->count[family];
}
