// clients.h: the clients that drive a server and measure it. Included by load.c.

// One client: a connection, the protocol that it speaks and how far the pattern has come on it.
struct client {
	int fd;
	enum { RAW, DTACH, ABDUCO, FRAMED, TELNET } speech;
	unsigned char head[8]; // of a packet, as far as it came; of TELNET, a command
	unsigned have;         // bytes of it
	uint32_t left;         // payload of this packet that is still to come
	bool wanted;           // it is output
	uint64_t got;          // bytes of output since `o`
	bool wrong;            // not the pattern
};

static int dial_once(const char *addr)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct sockaddr_in in = {.sin_family = AF_INET};
	const char *colon = strchr(addr, ':');
	int fd = socket(colon ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1, failed;

	if (colon) {
		char host[64];

		snprintf(host, sizeof host, "%.*s", (int)(colon - addr), addr);
		inet_pton(AF_INET, host, &in.sin_addr);
		in.sin_port = htons((unsigned short)atoi(colon + 1));
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
		failed = connect(fd, (struct sockaddr *)&in, sizeof in);
	} else {
		snprintf(un.sun_path, sizeof un.sun_path, "%s", addr);
		failed = connect(fd, (struct sockaddr *)&un, sizeof un);
	}
	if (!failed)
		return fd;
	close(fd);
	return -1;
}

// a server that is about to start is waited for
static int dial(const char *addr)
{
	long long give_up = now() + PATIENCE * 1000000LL;
	int fd;

	while ((fd = dial_once(addr)) < 0) {
		if (now() > give_up)
			die("%s: nobody answers", addr);
		sleep_us(5000);
	}
	return fd;
}

// ---- the protocols ----

static struct client attach(const char *speech, const char *addr)
{
	static const char *const names[] = {"raw", "dtach", "abduco", "framed", "telnet"};
	static const char dtach_attach[10] = {1},
			  hello[] = {0, 1, 0, 102, 0, 0, 0, 0}; // and an empty input: begin
	static const uint32_t abduco_attach[] = {1, 4, 0, 3, 4, 24 | 80 << 16};
	struct client c = {.fd = dial(addr)};

	while (strcmp(names[c.speech], speech))
		if (++c.speech > TELNET)
			die("%s: no protocol", speech);
	if (c.speech == DTACH)
		write_all(c.fd, dtach_attach, sizeof dtach_attach);
	if (c.speech == ABDUCO)
		write_all(c.fd, (const char *)abduco_attach, sizeof abduco_attach);
	if (c.speech == FRAMED)
		write_all(c.fd, hello, sizeof hello);
	return c;
}

// at most 4,096 bytes
static void type(const struct client *c, const char *s, size_t n)
{
	char packet[8 + 4096];
	size_t head = 0;

	for (; c->speech == DTACH && n; s++, n--) {
		const char push[10] = {0, 1, *s};

		write_all(c->fd, push, sizeof push);
	}
	if (c->speech == FRAMED) {
		const unsigned char frame[] = {0, (unsigned char)n, (unsigned char)(n >> 8), 0};

		memcpy(packet, frame, head = sizeof frame);
	} else if (c->speech == ABDUCO) {
		const uint32_t content[] = {0, (uint32_t)n};

		memcpy(packet, content, head = sizeof content);
	}
	memcpy(packet + head, s, n);
	if (n)
		write_all(c->fd, packet, head + n);
}

// whether a packet's payload follows, and is output
static void packet_begins(struct client *c)
{
	c->have = 0;
	if (c->speech == FRAMED) {
		c->left = c->head[3] == 0 || c->head[3] >= 200 ?
				  c->head[1] | (unsigned)c->head[2] << 8 :
				  0;
		c->wanted = c->head[3] == 0;
	} else {
		uint32_t head[2];

		memcpy(head, c->head, sizeof head);
		c->left = head[1];
		c->wanted = head[0] == 0;
	}
}

static size_t unpacked(struct client *c, char *s, size_t n)
{
	const unsigned header = c->speech == FRAMED ? 4 : 8;
	size_t kept = 0;

	for (size_t i = 0, part; i < n; i += part) {
		if (!c->left) {
			part = 1;
			c->head[c->have++] = (unsigned char)s[i];
			if (c->have == header)
				packet_begins(c);
			continue;
		}
		part = c->left < n - i ? c->left : n - i;
		c->left -= (uint32_t)part;
		if (c->wanted) {
			memmove(s + kept, s + i, part);
			kept += part;
		}
	}
	return kept;
}

// RFC 854: 255 and a command, of which 251 to 254 have an option. The pattern has no 255.
static size_t untelnetted(struct client *c, char *s, size_t n)
{
	size_t kept = 0;

	if (!c->have && !memchr(s, 255, n))
		return n;
	for (size_t i = 0; i < n; i++) {
		unsigned char byte = (unsigned char)s[i];

		if (c->have)
			c->have = c->have == 1 && byte >= 251 && byte <= 254 ? 2 : 0;
		else if (byte == 255)
			c->have = 1;
		else
			s[kept++] = s[i];
	}
	return kept;
}

// output of the session that is there, up to n bytes; 0 if it was none after all
static size_t hear(struct client *c, char *s, size_t n)
{
	ssize_t got = read(c->fd, s, n);

	if (got <= 0)
		die("the server closes");
	switch (c->speech) {
	case FRAMED:
	case ABDUCO:
		return unpacked(c, s, (size_t)got);
	case TELNET:
		return untelnetted(c, s, (size_t)got);
	default:
		return (size_t)got;
	}
}

static void hear_pattern(struct client *c)
{
	size_t n = hear(c, buf, sizeof buf);

	c->wrong = c->wrong || !pattern_is(c->got, buf, n);
	c->got += n;
}

// until `wanted` comes; false after ms. Nothing else may come unless `others` says so.
static bool expect(struct client *c, char wanted, bool others, int ms)
{
	struct pollfd p = {.fd = c->fd, .events = POLLIN};
	char got[4096];

	while (poll(&p, 1, ms) > 0) {
		size_t n = hear(c, got, sizeof got);

		if (!others && (n > 1 || (n && *got != wanted)))
			die("what came is not what the command wrote");
		if (memchr(got, wanted, n))
			return true;
	}
	return false;
}

// the command is there and in raw mode once it answers
static void wake(struct client *c)
{
	int tries = 100;

	do {
		if (!tries--)
			die("no answer");
		type(c, "?", 1);
	} while (!expect(c, '!', true, 100));
	while (expect(c, '!', true, QUIET))
		;
}

// what it is to do
static void order(const struct client *c, const char *format, ...)
{
	char line[64];
	va_list more;
	int n;

	va_start(more, format);
	n = vsnprintf(line, sizeof line, format, more);
	va_end(more);
	type(c, line, (size_t)n);
}

// ---- echo ----

struct delays {
	double p50, p99; // us
	long long cpu;   // ns of the server's
};

static int by_value(const void *a, const void *b)
{
	long long x = *(const long long *)a, y = *(const long long *)b;

	return (x > y) - (x < y);
}

// n keys, `gap` us after each echo at the most
static struct delays echoes(struct client *c, pid_t pid, long n, long gap)
{
	long long *took = n > 0 ? calloc((size_t)n, sizeof *took) : 0;
	struct delays d = {0};

	if (!took)
		die("how many?");
	for (long i = -WARM; i < n; i++) {
		long long start;

		if (gap)
			sleep_us(gap * ((i + WARM) % 16 + 1) / 16);
		if (!i)
			d.cpu = family_cpu(pid);
		start = now();
		type(c, "a", 1);
		if (!expect(c, 'b', false, PATIENCE))
			die("an echo is missing");
		if (i >= 0)
			took[i] = now() - start;
	}
	sleep_us(20000); // what it does after the last one counts too
	d.cpu = family_cpu(pid) - d.cpu;
	qsort(took, (size_t)n, sizeof *took, by_value);
	d.p50 = (double)took[n / 2] / 1000;
	d.p99 = (double)took[n * 99 / 100] / 1000;
	free(took);
	return d;
}

static void echo_idle(const char *speech, const char *addr, pid_t pid, long n)
{
	struct client c = attach(speech, addr);
	struct delays d;

	wake(&c);
	order(&c, "e\n");
	hurry();
	d = echoes(&c, pid, n, 0);
	printf("%.1f %.1f %.2f\n", d.p50, d.p99, (double)d.cpu / 1000 / (double)n);
}

// ---- a flood ----

// A client of its own process. What it has received is in *flood, and whether it was right.
static pid_t flood_start(const char *speech, const char *addr, struct client **flood)
{
	struct client *c =
		mmap(0, sizeof *c, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	if (c == MAP_FAILED)
		die("mmap: %s", strerror(errno));
	*c = attach(speech, addr);
	wake(c);
	order(c, "o 0 %d\n", CHUNK_MAX);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			hear_pattern(c);
	}
	close(c->fd);
	*flood = c;
	return pid;
}

static void flood_check(const struct client *flood)
{
	if (!flood->got)
		die("the flood stands still");
	if (flood->wrong)
		die("the flood is not what the command wrote");
}

static void echo_beside(const char *speech, const char *addr, pid_t pid, long n)
{
	struct client *flood;
	pid_t reader = flood_start(speech, addr, &flood);
	struct client c = attach(speech, addr);
	long long start, before;
	struct delays d;

	wake(&c);
	order(&c, "e\n");
	hurry();
	start = now();
	before = (long long)flood->got;
	d = echoes(&c, pid, n, 1000);
	printf("%.1f %.1f %.1f\n", d.p50, d.p99,
		(double)((long long)flood->got - before) * 1000 / (double)(now() - start));
	flood_check(flood);
	kill(reader, SIGKILL);
}

// ---- throughput ----

static uint64_t received(const struct client *c, int n)
{
	uint64_t sum = 0;

	while (n--)
		sum += c[n].got;
	return sum;
}

// until nothing comes for half a second; returns when the last byte came
static long long hear_all(struct client *c, int n)
{
	struct pollfd *p = calloc((size_t)n, sizeof *p);
	long long last = now();

	if (!p)
		die("no memory");
	for (int i = 0; i < n; i++)
		p[i] = (struct pollfd){.fd = c[i].fd, .events = POLLIN};
	while (poll(p, (nfds_t)n, 500) > 0) {
		for (int i = 0; i < n; i++)
			if (p[i].revents)
				hear_pattern(&c[i]);
		last = now();
	}
	free(p);
	return last;
}

static void output(
	const char *speech, const char *addr, pid_t pid, int n, long long bytes, int chunk)
{
	struct client *c = n > 0 ? calloc((size_t)n, sizeof *c) : 0;
	long long cpu, start, last;
	bool wrong = false;
	double sum;

	if (!c)
		die("how many clients?");
	for (int i = 0; i < n; i++)
		c[i] = attach(speech, addr);
	sleep_us(QUIET * 1000);
	wake(c);
	for (int i = 1; i < n; i++) // what is no part of the pattern
		while (expect(&c[i], '!', true, 0))
			;
	cpu = family_cpu(pid);
	start = now();
	order(c, "o %lld %d\n", bytes, chunk);
	last = hear_all(c, n);
	cpu = family_cpu(pid) - cpu;
	sum = (double)received(c, n);
	for (int i = 0; i < n; i++)
		wrong = wrong || c[i].wrong || c[i].got != (uint64_t)bytes;
	if (!wrong != (sum == (double)bytes * n))
		die("what came is not what the command wrote");
	printf("%.1f %.3f %.4g\n", sum * 1000 / (double)(last - start),
		(double)cpu / 1e9 / (sum / (1 << 30)), sum * 100 / (double)bytes / n);
}

static void input(const char *speech, const char *addr, pid_t pid, long long bytes)
{
	struct client c = attach(speech, addr);
	long long cpu, start;

	wake(&c);
	order(&c, "i %lld\n", bytes);
	cpu = family_cpu(pid);
	start = now();
	for (long long at = 0; at < bytes; at += 4096)
		type(&c, pattern_at((uint64_t)at), (size_t)(bytes - at < 4096 ? bytes - at : 4096));
	if (!expect(&c, '+', false, PATIENCE))
		die("the end is missing");
	start = now() - start;
	cpu = family_cpu(pid) - cpu;
	printf("%.1f %.3f\n", (double)bytes * 1000 / (double)start,
		(double)cpu / 1e9 / ((double)bytes / (1 << 30)));
}
