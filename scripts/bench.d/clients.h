// clients.h: a client of any of the servers: how it connects, types and hears. Included by load.c.

// One client: a connection, or a program that has one, the protocol spoken and how far the pattern has come on it.
struct client {
	int fd, to; // output comes on fd, input goes to `to`; the same, unless there is a program
	pid_t program;
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

// FILE is run on a terminal of its own, because clients of ssh want one; what it writes comes through a pipe
static int program_terminal(int *slave)
{
	int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC), off = 0;

	if (ioctl(master, TIOCSPTLCK, &off))
		return -1;
	*slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	return master;
}

// piped: without a terminal, as `cat x | FILE >y`
static struct client attach_program(const char *file, bool piped)
{
	int in[2], out[2];
	struct client c = {0};

	if (pipe2(out, O_CLOEXEC) || (piped && pipe2(in, O_CLOEXEC)))
		die("no pipe for %s: %s", file, strerror(errno));
	c.to = piped ? in[1] : program_terminal(&in[0]);
	if (c.to < 0)
		die("no terminal for %s: %s", file, strerror(errno));
	c.program = fork();
	if (!c.program) {
		setsid();
		if (!piped) {
			raw_terminal(in[0]);
			ioctl(in[0], TIOCSCTTY, 0);
		}
		dup2(in[0], 0);
		dup2(out[1], 1);
		execl(file, file, (char *)0);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	c.fd = out[0];
	return c;
}

static struct client attach(const char *speech, const char *addr)
{
	static const char *const names[] = {"raw", "dtach", "abduco", "framed", "telnet"};
	static const char dtach_attach[10] = {1},
			  hello[] = {0, 1, 0, 102, 0, 0, 0, 0}; // and an empty input: begin
	static const uint32_t abduco_attach[] = {1, 4, 0, 3, 4, 24 | 80 << 16};
	struct client c = {0};

	if (!strcmp(speech, "program") || !strcmp(speech, "piped"))
		return attach_program(addr, !strcmp(speech, "piped"));
	c.fd = c.to = dial(addr);
	while (strcmp(names[c.speech], speech))
		if (++c.speech > TELNET)
			die("%s: no protocol", speech);
	if (c.speech == DTACH)
		write_all(c.to, dtach_attach, sizeof dtach_attach);
	if (c.speech == ABDUCO)
		write_all(c.to, (const char *)abduco_attach, sizeof abduco_attach);
	if (c.speech == FRAMED)
		write_all(c.to, hello, sizeof hello);
	return c;
}

// its server says its number to whoever comes
static void abduco_pid(const char *addr)
{
	uint32_t packet[4];
	int fd = dial(addr);

	for (size_t n = 0; n < sizeof packet;) {
		ssize_t got = read(fd, (char *)packet + n, sizeof packet - n);

		if (got <= 0)
			die("no abduco");
		n += (size_t)got;
	}
	printf("%u\n", packet[2]);
}

// at most 4,088 bytes
static void type(const struct client *c, const char *s, size_t n)
{
	char packet[8 + 4096];
	size_t head = 0;

	for (size_t part; c->speech == DTACH && n; s += part, n -= part) {
		char push[10] = {0};

		part = n < 8 ? n : 8;
		push[1] = (char)part;
		memcpy(push + 2, s, part);
		write_all(c->to, push, sizeof push);
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
		write_all(c->to, packet, head + n);
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

// RFC 854: 255 and a command, of which 251 to 254 have an option. The pattern has no 255, nor what ends a line: BusyBox begins with
// one of its own.
static size_t untelnetted(struct client *c, char *s, size_t n)
{
	size_t kept = 0;

	if (c->got && !c->have && !memchr(s, 255, n))
		return n;
	for (size_t i = 0; i < n; i++) {
		unsigned char byte = (unsigned char)s[i];

		if (c->have)
			c->have = c->have == 1 && byte >= 251 && byte <= 254 ? 2 : 0;
		else if (byte == 255)
			c->have = 1;
		else if (byte != '\r' && byte != '\n')
			s[kept++] = s[i];
	}
	return kept;
}

// output of the session that is there, up to n bytes: how many, or none if it was no output after all; -1: the end
static ssize_t hear(struct client *c, char *s, size_t n)
{
	ssize_t got = read(c->fd, s, n);

	if (got <= 0)
		return -1;
	switch (c->speech) {
	case FRAMED:
	case ABDUCO:
		return (ssize_t)unpacked(c, s, (size_t)got);
	case TELNET:
		return (ssize_t)untelnetted(c, s, (size_t)got);
	default:
		return got;
	}
}

// false at the end
static bool hear_pattern(struct client *c)
{
	ssize_t n = hear(c, buf, sizeof buf);

	if (n < 0)
		return false;
	c->wrong = c->wrong || !pattern_is(c->got, buf, (size_t)n);
	c->got += (uint64_t)n;
	return true;
}

static void leave(struct client *c)
{
	close(c->fd);
	if (c->to != c->fd)
		close(c->to);
	if (c->program) {
		kill(c->program, SIGKILL);
		waitpid(c->program, 0, 0);
	}
}

// until `wanted` comes; false after ms. Nothing else may come unless `others` says so.
static bool expect(struct client *c, char wanted, bool others, int ms)
{
	struct pollfd p = {.fd = c->fd, .events = POLLIN};
	char got[4096];

	while (poll(&p, 1, ms) > 0) {
		ssize_t n = hear(c, got, sizeof got);

		if (n < 0)
			die("the server closes");
		if (!others && (n > 1 || (n && *got != wanted)))
			die("what came is not what the command wrote");
		if (memchr(got, wanted, (size_t)n))
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
