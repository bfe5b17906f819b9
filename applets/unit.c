/* unit: check the core against its own tables
 *
 * Each table is a list of cases of one file of the core: what goes in, what must come out.
 *
 * applet unit UNIT
 * usage (no arguments)
 */
#include <stdlib.h>
#include <string.h>
#include "libbb.h"

static int failed;

static void say(const char *s)
{
	io_write_all(1, s, strlen(s));
}

static void check(int right, const char *file, const char *which)
{
	say(right ? "ok " : "FAIL ");
	say(file);
	say(": ");
	say(which);
	say("\n");
	failed |= !right;
}

/* ---- addr.c ---- */

static const struct {
	const char *text;
	int kind; /* -1: no address */
	const char *host;
	unsigned port;
	int ipv6;
} addr_case[] = {
	{"1", ADDR_TCP, 0, 1, 0},
	{"4321", ADDR_TCP, 0, 4321, 0},
	{"65535", ADDR_TCP, 0, 65535, 0},
	{"0", -1, 0, 0, 0},
	{"65536", -1, 0, 0, 0},
	{"99999999999999999999", -1, 0, 0, 0},
	{"-1", -1, 0, 0, 0},
	{"+1", -1, 0, 0, 0},
	{" 1", -1, 0, 0, 0},
	{"1 ", -1, 0, 0, 0},
	{"0x10", -1, 0, 0, 0},
	{"", -1, 0, 0, 0},
	{"foo", -1, 0, 0, 0},
	{"foo:", -1, 0, 0, 0},
	{":4321", -1, 0, 0, 0},
	{"foo:4321", ADDR_TCP, "foo", 4321, 0},
	{"127.0.0.1:1", ADDR_TCP, "127.0.0.1", 1, 0},
	{"::1:4321", -1, 0, 0, 0},
	{"[::1]:4321", ADDR_TCP, "::1", 4321, 1},
	{"[fe80::1%eth0]:4321", ADDR_TCP, "fe80::1%eth0", 4321, 1},
	{"[::1]", -1, 0, 0, 0},
	{"[::1]4321", -1, 0, 0, 0},
	{"[::1]:", -1, 0, 0, 0},
	{"[]:4321", -1, 0, 0, 0},
	{"[foo]:4321", -1, 0, 0, 0},
	{"[::1:4321", -1, 0, 0, 0},
	{"/tmp/s", ADDR_UNIX, 0, 0, 0},
	{"./s", ADDR_UNIX, 0, 0, 0},
	{"a/b:c", ADDR_UNIX, 0, 0, 0},
	{"@name", ADDR_UNIX, 0, 0, 0},
	{"@", -1, 0, 0, 0},
};

static void addr_table(void)
{
	for (size_t i = 0; i < sizeof addr_case / sizeof *addr_case; i++) {
		struct addr a;
		int bad = addr_parse(&a, addr_case[i].text),
		    right = bad == (addr_case[i].kind < 0 ? -1 : 0);
		const char *host = addr_case[i].host;

		if (!bad && right)
			right = a.kind == addr_case[i].kind && a.port == addr_case[i].port &&
				a.ipv6 == addr_case[i].ipv6 &&
				(host ? a.host && a.host_len == strlen(host) &&
							!strncmp(a.host, host, a.host_len) :
					!a.host);
		check(right, "addr", addr_case[i].text);
	}
}

/* ---- net.c ---- */

static const struct {
	const char *list;
	int count;
	unsigned char peer[16];
	int allowed;
} net_case[] = {
	{"any", 1, {1}, 1},
	{"10.0.0.0/8", 1, {[10] = 0xff, 0xff, 10, 1, 2, 3}, 1},
	{"10.0.0.0/8", 1, {[10] = 0xff, 0xff, 11, 1, 2, 3}, 0},
	{"10.0.0.0/7", 1, {[10] = 0xff, 0xff, 11, 1, 2, 3}, 1},
	{"0.0.0.0/0", 1, {[10] = 0xff, 0xff, 11, 1, 2, 3}, 1},
	{"0.0.0.0/0", 1, {0xfe, 0x80}, 0},
	{"::/0", 1, {[10] = 0xff, 0xff, 11, 1, 2, 3}, 1},
	{"fe80::/10", 1, {0xfe, 0xbf}, 1},
	{"fe80::/10", 1, {0xfe, 0xc0}, 0},
	{"::1", 1, {[15] = 1}, 1},
	{"::1", 1, {[15] = 2}, 0},
	{"1.2.3.4", 1, {[10] = 0xff, 0xff, 1, 2, 3, 4}, 1},
	{"1.2.3.4", 1, {[10] = 0xff, 0xff, 1, 2, 3, 5}, 0},
	{"1.2.3.4,::1", 2, {[15] = 1}, 1},
	{"1.2.3.4/33", -1, {0}, 0},
	{"::1/129", -1, {0}, 0},
	{"1.2.3", -1, {0}, 0},
	{"1.2.3.4/", -1, {0}, 0},
	{"1.2.3.4,", -1, {0}, 0},
	{"", -1, {0}, 0},
	{"anything", -1, {0}, 0},
	{"1,2,3,4,5,6,7,8,9", -1, {0}, 0},
};

static void net_table(void)
{
	for (size_t i = 0; i < sizeof net_case / sizeof *net_case; i++) {
		union sock_name n = {.in6.sin6_family = AF_INET6};
		struct net nets[8];
		int count = net_list(nets, 8, net_case[i].list), right = count == net_case[i].count;

		memcpy(&n.in6.sin6_addr, net_case[i].peer, 16);
		if (right && count > 0)
			right = net_allows(nets, count, &n) == net_case[i].allowed;
		check(right, "net", net_case[i].list);
	}
}

static const struct {
	unsigned char ip[16];
	const char *name;
} name_case[] = {
	{{[15] = 1}, "[::1]:4321"},
	{{0}, "[::]:4321"},
	{{[10] = 0xff, 0xff, 192, 168, 0, 1}, "192.168.0.1:4321"},
	{{0x20, 1, 0x0d, 0xb8, [15] = 1}, "[2001:db8::1]:4321"},
	{{0x20, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 1, 0, 1, 0, 1}, "[2001:0:1:0:1:1:1:1]:4321"},
	{{0xfe, 0x80, [8] = 1}, "[fe80::100:0:0:0]:4321"},
	{{0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6}, "[1:2:3:4:5:6::]:4321"},
};

static void name_table(void)
{
	for (size_t i = 0; i < sizeof name_case / sizeof *name_case; i++) {
		union sock_name n = {.in6 = {.sin6_family = AF_INET6, .sin6_port = htons(4321)}};
		char buf[64] = "";
		struct text t = {buf, buf + sizeof buf - 1};

		memcpy(&n.in6.sin6_addr, name_case[i].ip, 16);
		net_text(&t, &n, -1);
		check(!strcmp(buf, name_case[i].name), "net name", name_case[i].name);
	}
}

/* ---- ring.c ---- */

/* Puts and takes in steps of every size against a plain count of bytes. */
static int ring_holds(size_t size, size_t put, size_t take)
{
	struct ring r;
	uint64_t pos = 0, made = 0;

	if (ring_open(&r, size))
		return 0;
	for (int turn = 0; turn < 500; turn++) {
		size_t n = put < ring_room(&r, pos) ? put : ring_room(&r, pos);
		struct iovec v[2];
		unsigned char *space = ring_space(&r, &n);
		int parts;

		for (size_t i = 0; i < n; i++)
			space[i] = (unsigned char)made++;
		ring_put(&r, n);
		if (r.head != made || made - ring_oldest(&r) > size)
			return 0;
		parts = ring_data(&r, pos, take, v);
		for (int p = 0; p < parts; p++)
			for (size_t i = 0; i < v[p].iov_len; i++)
				if (((unsigned char *)v[p].iov_base)[i] != (unsigned char)pos++)
					return 0;
	}
	ring_close(&r);
	return 1;
}

static int queue_holds(size_t put, size_t take)
{
	static unsigned char bytes[QUEUE_SIZE];
	struct queue q = {0};
	unsigned char in = 0, out = 0;

	for (int turn = 0; turn < 2000; turn++) {
		for (size_t i = 0; i < put; i++)
			bytes[i] = (unsigned char)(in + i);
		if (put <= queue_room(&q)) {
			if (queue_put(&q, bytes, put))
				return 0;
			in = (unsigned char)(in + put);
		} else if (!queue_put(&q, bytes, put)) {
			return 0;
		}
		for (size_t i = 0, n = take < q.len ? take : q.len; i < n; i++) {
			if (*queue_data(&q) != out++)
				return 0;
			queue_take(&q, 1);
		}
	}
	queue_close(&q);
	return 1;
}

static void ring_table(void)
{
	static const size_t step[] = {1, 2, 99, 100, 101, 4095, 4096, 4097};
	enum { STEPS = sizeof step / sizeof *step };

	for (int p = 0; p < STEPS; p++)
		for (int t = 0; t < STEPS; t++) {
			check(ring_holds(4096, step[p], step[t]), "ring", "put and take");
			check(queue_holds(step[p], step[t]), "queue", "put and take");
		}
	check(queue_holds(QUEUE_SIZE, 1000), "queue", "full");
	check(ring_holds(5000, 777, 1234), "ring", "a size that is no power of two");
}

int unit_main(char **argv, const char *options)
{
	(void)argv, (void)options;
	addr_table();
	net_table();
	name_table();
	ring_table();
	return failed;
}
