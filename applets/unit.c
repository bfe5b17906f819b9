/* unit: check the core against its own tables
 *
 * Each table lists cases for one file of the core: input, and the result that must come of it.  With arguments the
 * applet looks these host names up instead, in the network that it runs in.
 *
 * applet unit UNIT
 * usage [HOST]...
 */
#include <stdlib.h>
#include <string.h>
#include "libbb.h"
#include "unit.h"

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
	{"-", ADDR_STDIN, 0, 0, 0},
	{"--", -1, 0, 0, 0},
	{"fd:0", ADDR_FD, 0, 0, 0},
	{"fd:3", ADDR_FD, 0, 3, 0},
	{"fd:", -1, 0, 0, 0},
	{"fd:x", -1, 0, 0, 0},
	{"fd:-1", -1, 0, 0, 0},
	{"fd:65536", -1, 0, 0, 0},
	{"fd", -1, 0, 0, 0},
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
	static unsigned char bytes[QUEUE_SIZE] LARGE;
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

/* ---- frame.c ---- */

static const struct {
	const char *name, *bytes;
	size_t len;
	const char
		*parts; /* what must come out: TYPE SIZE [PAYLOAD] for each frame, ! for an error */
} frame_case[] = {
	{"nothing", "", 0, ""},
	{"rows", "\0\30\0\144", 4, "100 24 []"},
	{"rows and columns", "\0\30\0\144\0\120\1\145", 8, "100 24 []101 336 []"},
	{"input", "\0\3\0\0abc", 7, "0 3 [abc]"},
	{"empty input", "\0\0\0\0\0\1\0\0x", 9, "0 0 []0 1 [x]"},
	{"input of zero bytes", "\0\4\0\0\0\0\0\144", 8, "0 4 [...d]"},
	{"many", "\0\1\0\0a\0\0\0\17\0\2\0\0bc\0\1\0\146", 19, "0 1 [a]15 0 []0 2 [bc]102 1 []"},
	{"a signal with a size", "\0\377\377\11\0\1\0\0x", 9, "9 65535 []0 1 [x]"},
	{"the last signal", "\0\2\0\143\0\1\0\0x", 9, "99 2 []0 1 [x]"},
	{"unknown without a payload", "\0\7\0\156\0\1\0\0x", 9, "110 7 []0 1 [x]"},
	{"the last without a payload", "\0\7\0\307\0\1\0\0x", 9, "199 7 []0 1 [x]"},
	{"the first with a payload", "\0\2\0\310ab\0\1\0\0x", 11, "200 2 [ab]0 1 [x]"},
	{"unknown with a payload", "\0\2\0\360ab\0\1\0\0x", 11, "240 2 [ab]0 1 [x]"},
	{"the last with a payload", "\0\2\0\376ab\0\1\0\0x", 11, "254 2 [ab]0 1 [x]"},
	{"an empty payload", "\0\0\0\376\0\1\0\0x", 9, "254 0 []0 1 [x]"},
	{"255 is reserved", "\0\7\0\377\0\1\0\0x", 9, "255 7 []0 1 [x]"},
	{"modifier1 is 1", "\1\0\0\144", 4, "!"},
	{"modifier1 is 255", "\377", 1, "!"},
	{"modifier1 of the second frame", "\0\1\0\0x\5\0\0\0", 9, "0 1 [x]!"},
	{"text", "hello", 5, "!"},
	{"half a head", "\0\3\0", 3, ""},
};

static struct text frame_out;

static void frame_num(unsigned n)
{
	text_num(&frame_out, n);
	text_str(&frame_out, " ");
}

/* Records the frames in these bytes; after FRAME_BAD nothing more is decoded. */
static int frame_take(struct frame *f, const unsigned char *data, size_t n)
{
	int got;

	while ((got = frame_next(f, &data, &n)) == FRAME_GOT) {
		if (f->first) {
			frame_num(f->type);
			frame_num(f->size);
			text_str(&frame_out, "[");
		}
		for (size_t i = 0; i < f->len; i++) {
			char c[2] = {(char)f->part[i], '\0'};

			text_str(&frame_out, *c ? c : ".");
		}
		text_str(&frame_out, f->left ? "" : "]");
	}
	if (got == FRAME_BAD)
		text_str(&frame_out, "!");
	return got == FRAME_BAD;
}

/* Decodes a stream in three pieces, cut at a and b; each may be empty. */
static int frame_cut(const char *bytes, size_t len, size_t a, size_t b, const char *parts)
{
	const unsigned char *data = (const unsigned char *)bytes;
	char out[128];
	struct frame f = {0};

	frame_out = (struct text){out, out + sizeof out - 1};
	if (!frame_take(&f, data, a) && !frame_take(&f, data + a, b - a))
		frame_take(&f, data + b, len - b);
	*frame_out.at = '\0';
	return !strcmp(out, parts);
}

/* One frame of any size, in pieces of any size. */
static int frame_long(unsigned type, unsigned size, size_t piece)
{
	static unsigned char bytes[FRAME_HEAD + 65535] LARGE;
	struct frame f = {0};
	size_t got = 0, firsts = 0, total = FRAME_HEAD + size;

	frame_head(bytes, type, size);
	for (size_t i = 0; i < size; i++)
		bytes[FRAME_HEAD + i] = (unsigned char)(i * 7);
	for (size_t at = 0; at < total; at += piece) {
		const unsigned char *data = bytes + at;
		size_t n = total - at < piece ? total - at : piece;

		while (frame_next(&f, &data, &n) == FRAME_GOT) {
			if (f.type != type || f.size != size || f.left != size - got - f.len ||
				f.part != bytes + FRAME_HEAD + got)
				return 0;
			firsts += f.first;
			got += f.len;
		}
		if (n)
			return 0;
	}
	return got == size && firsts == 1;
}

static const struct {
	const char *bytes;
	size_t len;
	int starts;
} starts_case[] = {
	{"", 0, 0},
	{"\0", 1, 0},
	{"\0\1", 2, 0},
	{"\0\1\2", 3, 0},
	{"\0\1\2\143", 4, -1},
	{"\0\1\2\144", 4, 1},
	{"\0\1\2\145", 4, 1},
	{"\0\1\2\146", 4, 1},
	{"\0\1\2\147", 4, -1},
	{"\0\0\0\0", 4, -1},
	{"\0\1\2\144\1", 5, 1},
	{"a", 1, -1},
	{"\1\0\0\144", 4, -1},
	{"\377", 1, -1},
};

static void frame_table(void)
{
	static const unsigned size[] = {0, 1, 2, 4095, 4096, 60000, 65535};
	static const size_t piece[] = {1, 3, 4, 5, 4096, 70000};
	enum { SIZES = sizeof size / sizeof *size, PIECES = sizeof piece / sizeof *piece };

	for (size_t i = 0; i < sizeof frame_case / sizeof *frame_case; i++) {
		size_t len = frame_case[i].len;
		int right = 1;

		for (size_t a = 0; a <= len; a++)
			for (size_t b = a; b <= len; b++)
				right &= frame_cut(
					frame_case[i].bytes, len, a, b, frame_case[i].parts);
		check(right, "frame", frame_case[i].name);
	}
	for (int s = 0; s < SIZES; s++)
		for (int p = 0; p < PIECES; p++) {
			check(frame_long(0, size[s], piece[p]), "frame", "long input");
			check(frame_long(254, size[s], piece[p]), "frame", "long payload");
		}
	for (size_t i = 0; i < sizeof starts_case / sizeof *starts_case; i++)
		check(frame_starts((const unsigned char *)starts_case[i].bytes,
			      starts_case[i].len) == starts_case[i].starts,
			"frame", "starts");
}

/* ---- host.c ---- */

/* The addresses with port 1, one a line, or a line with the reason why there are none. */
static void look_up(const char *host)
{
	struct sock_names names = {0};
	char line[NET_TEXT + 1];

	host_look_up(&names, host, 1);
	if (!names.count) {
		say(names.why);
		say("\n");
	}
	for (int i = 0; i < names.count; i++) {
		struct text t = {line, line + sizeof line - 1};

		net_text(&t, &names.name[i], -1);
		text_str(&t, "\n");
		*t.at = '\0';
		say(line);
	}
}

int unit_main(char **argv, const char *options)
{
	(void)options;
	if (CFG_NAMES && argv[1]) {
		while (*++argv)
			look_up(*argv);
		return 0;
	}
	addr_table();
	net_table();
	name_table();
	ring_table();
	if (CFG_FRAMED)
		frame_table();
	return failed;
}
