// measures.h: what the clients measure. Included by load.c.

// ---- echo ----

struct delays {
	double p50, p90, p99; // us
	long long cpu;        // ns of the server's
};

static int by_value(const void *a, const void *b)
{
	long long x = *(const long long *)a, y = *(const long long *)b;

	return (x > y) - (x < y);
}

static void sort_delays(struct delays *d, long long *ns, long n)
{
	qsort(ns, (size_t)n, sizeof *ns, by_value);
	d->p50 = (double)ns[n / 2] / 1000;
	d->p90 = (double)ns[n * 9 / 10] / 1000;
	d->p99 = (double)ns[n * 99 / 100] / 1000;
	free(ns);
}

static long long *delays_of(long n)
{
	long long *ns = n > 0 ? calloc((size_t)n, sizeof *ns) : 0;

	if (!ns)
		die("how many?");
	return ns;
}

// n keys, `gap` us after each echo at the most
static struct delays echoes(struct client *c, pid_t pid, long n, long gap)
{
	long long *took = delays_of(n);
	struct delays d = {0};

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
	sort_delays(&d, took, n);
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
		while (hear_pattern(c))
			;
		_exit(0);
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

// how long until the first byte of a new session's command is there
static struct delays accepts(const char *speech, const char *addr, long n)
{
	long long *took = delays_of(n);
	struct delays d = {0};

	for (long i = 0; i < n; i++) {
		long long start = now();
		struct client c = attach(speech, addr);

		if (!expect(&c, '!', true, PATIENCE))
			die("a new session says nothing");
		took[i] = now() - start;
		leave(&c);
	}
	sort_delays(&d, took, n);
	return d;
}

// until the server is gone, in ms
static double term(pid_t pid)
{
	struct pollfd p = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};
	long long start = now();

	if (p.fd < 0 || kill(pid, SIGTERM))
		die("TERM: %s", strerror(errno));
	if (poll(&p, 1, PATIENCE) <= 0)
		die("TERM does not end it");
	return (double)(now() - start) / 1e6;
}

static void accept_beside(const char *speech, const char *addr, pid_t pid, long n)
{
	struct client *flood;
	pid_t reader = flood_start(speech, addr, &flood);
	struct delays d;

	hurry();
	d = accepts(speech, addr, n);
	flood_check(flood);
	printf("%.2f %.2f ", d.p50 / 1000, d.p90 / 1000);
	printf("%.2f\n", term(pid));
	kill(reader, SIGKILL);
}

// ---- many sessions, and whole ones ----

// A server may need a moment until it gives memory back that it does not use.
static long idle_memory_of(pid_t pid)
{
	sleep_us(1500000);
	return memory_of(pid);
}

static void sessions(const char *speech, const char *addr, pid_t pid, long n)
{
	struct client c = attach(speech, addr);
	struct delays d;
	long before, after;

	wake(&c);
	order(&c, "e\n");
	before = idle_memory_of(pid);
	for (long i = 1; i < n; i++) {
		struct client other = attach(speech, addr);

		if (!expect(&other, '!', true, PATIENCE))
			die("session %ld says nothing", i);
	}
	after = n > 1 ? idle_memory_of(pid) : before;
	hurry();
	d = echoes(&c, pid, 1000, 0);
	printf("%.1f %.1f %.2f\n",
		n > 1 ? (double)(after - before) / (double)(n - 1) : (double)before, d.p50,
		(double)d.cpu / 1e6);
}

// n sessions one after the other, each from the start of its client to the end: ms
static void whole(const char *speech, const char *addr, long n)
{
	long long *took = delays_of(n);
	struct delays d = {0};

	for (long i = 0; i < n; i++) {
		long long start = now();
		struct client c = attach(speech, addr);

		while (hear_pattern(&c))
			;
		if (c.program)
			waitpid(c.program, 0, 0);
		took[i] = now() - start;
		if (c.wrong || c.got != PRINTED)
			die("a session ends with %llu of %d bytes", (unsigned long long)c.got,
				PRINTED);
		c.program = 0;
		leave(&c);
	}
	sort_delays(&d, took, n);
	printf("%.3f\n", d.p50 / 1000);
}

static void replies(const char *speech, const char *addr, long n)
{
	struct client c = attach(speech, addr);
	long long *took = delays_of(n);
	struct delays d = {0};

	wake(&c);
	order(&c, "r\n");
	for (long i = 0; i < n; i++) {
		long long start = now();

		type(&c, "?", 1);
		if (!expect(&c, 'b', true, PATIENCE))
			die("a reply is missing");
		took[i] = now() - start;
		sleep_us(2000);
	}
	sort_delays(&d, took, n);
	printf("%.3f\n", d.p50 / 1000);
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
			if (p[i].revents && !hear_pattern(&c[i]))
				p[i].fd = -1;
		last = now();
	}
	free(p);
	return last;
}

static void output(
	const char *speech, const char *addr, pid_t pid, int n, long long bytes, int chunk)
{
	struct client *c = n > 0 ? calloc((size_t)n, sizeof *c) : 0;
	long long cpu, own = 0, start, last;
	bool wrong = false;
	double sum;

	if (!c)
		die("how many clients?");
	for (int i = 0; i < n; i++)
		c[i] = attach(speech, addr);
	wake(c);
	sleep_us(QUIET * 1000);
	for (int i = 1; i < n; i++) // what is no part of the pattern
		while (expect(&c[i], '!', true, 0))
			;
	cpu = family_cpu(pid);
	if (c->program)
		own = family_cpu(c->program);
	start = now();
	order(c, "o %lld %d\n", bytes, chunk);
	last = hear_all(c, n);
	cpu = family_cpu(pid) - cpu;
	if (c->program)
		own = family_cpu(c->program) - own;
	sum = (double)received(c, n);
	for (int i = 0; i < n; i++)
		wrong = wrong || c[i].wrong || c[i].got != (uint64_t)bytes;
	if (n == 1 ? wrong : !wrong != (sum == (double)bytes * n))
		die("what came is not what the command wrote: %.0f of %.0f bytes", sum,
			(double)bytes * n);
	printf("%.1f %.3f %.4g", sum * 1000 / (double)(last - start),
		(double)cpu / 1e9 / (sum / (1 << 30)), sum * 100 / (double)bytes / n);
	if (c->program)
		printf(" %.3f", (double)own / 1e9 / (sum / (1 << 30)));
	puts("");
}

static void input(const char *speech, const char *addr, pid_t pid, long long bytes)
{
	struct client c = attach(speech, addr);
	long long cpu, start;

	wake(&c);
	order(&c, "i %lld\n", bytes);
	cpu = family_cpu(pid);
	start = now();
	for (long long at = 0; at < bytes; at += 4088)
		type(&c, pattern_at((uint64_t)at), (size_t)(bytes - at < 4088 ? bytes - at : 4088));
	if (!expect(&c, '+', false, PATIENCE))
		die("the end is missing");
	start = now() - start;
	cpu = family_cpu(pid) - cpu;
	printf("%.1f %.3f\n", (double)bytes * 1000 / (double)start,
		(double)cpu / 1e9 / ((double)bytes / (1 << 30)));
}
