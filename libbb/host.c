/* host.c: the addresses of a host name.
 *
 *	/etc/hosts -> NAME.local: multicast DNS, then the name servers
 *	           -> others: the name servers of resolv.conf(5), with its search domains
 *
 * This is what getaddrinfo(3) does, without libc's heap, stdio and sorting.  It blocks, and so runs in a child
 * process.
 *
 * All name servers are asked at once, `attempts` times in `timeout` seconds, not one after the other: a person waits
 * for the terminal.
 *
 * config NAMES y host names (ptyattach) and names of interfaces; without it hosts and scopes are numeric
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include "libbb.h"

enum { SERVERS = 3, SEARCH = 1024, WORD = 300 };
/* ms: wait so long for the second family; try no more search domains after so long. */
enum { PATIENCE = 1000, LONGEST = 30000 };

static struct dns_addresses found LARGE;

/* ---- a file of lines of words ---- */

static struct {
	int fd;
	int next; /* the next byte; -1 at the end */
	unsigned char *at, *end, buf[512];
	char word[WORD]; /* the last word; cut if it was longer, which no name is */
} file LARGE;

static void next_byte(void)
{
	if (file.at == file.end) {
		ssize_t n = io_read(file.fd, file.buf, sizeof file.buf);

		file.at = file.buf;
		file.end = file.buf + (n < 0 ? 0 : n);
	}
	file.next = file.at < file.end ? *file.at++ : -1;
}

static int file_open(const char *path)
{
	file.fd = open(path, O_RDONLY | O_CLOEXEC);
	file.at = file.end = file.buf;
	file.next = '\n';
	return file.fd < 0 ? -1 : 0;
}

/* Reads the next word of this line into file.word: its length, 0 at the end of the line or before a comment. */
static int next_word(void)
{
	int n = 0;

	while (file.next >= 0 && file.next <= ' ' && file.next != '\n')
		next_byte();
	if (file.next == '#' || file.next == ';')
		while (file.next >= 0 && file.next != '\n')
			next_byte();
	for (; file.next > ' ' && file.next != '#'; next_byte())
		if (n < WORD - 1)
			file.word[n++] = file.next;
	file.word[n] = '\0';
	return n;
}

/* Goes to the next line: 1; or 0 after the last one, and closes the file. */
static int next_line(void)
{
	while (next_word())
		;
	if (file.next >= 0) {
		next_byte();
		return 1;
	}
	close(file.fd);
	return 0;
}

/* ---- /etc/hosts ---- */

static void from_hosts(const char *host)
{
	if (file_open("/etc/hosts"))
		return;
	while (next_line()) {
		union sock_name n;
		int numeric = next_word() && !net_numeric(&n, file.word, 0);

		while (next_word())
			if (numeric && !strncasecmp(file.word, host, sizeof file.word))
				dns_add(&found, &n);
	}
}

/* ---- resolv.conf(5) ---- */

static struct {
	int servers;
	int ndots, timeout, attempts;
	union sock_name server[SERVERS];
	char search[SEARCH + 1]; /* domains, each ending in a NUL, an empty one last */
} conf LARGE;

static void option(const char *name, int min, int max, int *value)
{
	size_t len = strlen(name);
	unsigned long n;

	if (!strncmp(file.word, name, len) && !num_parse(file.word + len, 10, 1000000, &n))
		*value = n < (unsigned)min ? min : n > (unsigned)max ? max : (int)n;
}

static void options(void)
{
	while (next_word()) {
		option("ndots:", 0, 15, &conf.ndots);
		option("timeout:", 1, 30, &conf.timeout);
		option("attempts:", 1, 5, &conf.attempts);
	}
}

/* Each list of search domains replaces the one before; a domain that does not fit is left out. */
static void search(void)
{
	char *at = conf.search, *end = conf.search + SEARCH;

	while (next_word()) {
		size_t n = strlen(file.word) + 1;

		if (n > (size_t)(end - at))
			continue;
		memcpy(at, file.word, n);
		at += n;
	}
	*at = '\0';
}

static void configure(void)
{
	memset(&conf, 0, sizeof conf);
	conf.ndots = 1;
	conf.timeout = 5;
	conf.attempts = 2;
	if (!file_open("/etc/resolv.conf"))
		while (next_line()) {
			next_word();
			if (!strcmp(file.word, "nameserver")) {
				if (next_word() && conf.servers < SERVERS &&
					!net_numeric(&conf.server[conf.servers], file.word, 53))
					conf.servers++;
			} else if (!strcmp(file.word, "search") || !strcmp(file.word, "domain"))
				search();
			else if (!strcmp(file.word, "options"))
				options();
		}
	if (!conf.servers)
		net_numeric(&conf.server[conf.servers++], "127.0.0.1", 53);
}

/* ---- the name servers ---- */

/* Asks the name servers; a name that is too long, with its search domain, has no address. */
static int ask(const char *name)
{
	if (dns_begin(&found, name, 0))
		return DNS_ANSWERED;
	for (int i = 0; i < conf.servers; i++)
		dns_server(&conf.server[i], 0);
	return dns_ask(conf.attempts, conf.timeout * 1000 / conf.attempts, PATIENCE);
}

static int is_found(void)
{
	return found.count[DNS_IPV6] || found.count[DNS_IPV4];
}

/* Takes the worse of the two results. */
static void note(int *result, int now)
{
	if (now < *result)
		*result = now;
}

/* Asks for the name as it is first, if it has ndots dots, else in the search domains first.  A domain for which the
 * servers fail is skipped. */
static int ask_servers(const char *host)
{
	int dots = 0, as_it_is, result = DNS_ANSWERED;
	char name[ADDR_HOST_MAX + 1 + WORD + 1];
	msec until;

	configure();
	loop_clock();
	until = loop_now + LONGEST;
	for (const char *s = host; *s; s++)
		dots += *s == '.';
	if (host[strlen(host) - 1] == '.')
		*conf.search = '\0';
	as_it_is = dots >= conf.ndots || !*conf.search;
	if (as_it_is)
		note(&result, ask(host));
	for (const char *s = conf.search;
		*s && !is_found() && result != DNS_SILENT && loop_now < until; s += strlen(s) + 1) {
		struct text t = {name, name + sizeof name - 1};

		text_str(&t, host);
		text_str(&t, ".");
		text_str(&t, s);
		*t.at = '\0';
		note(&result, ask(name));
	}
	if (!as_it_is && !is_found() && result != DNS_SILENT)
		note(&result, ask(host));
	return result;
}

/* ---- in order ---- */

static int is_local(const char *host)
{
	static const char local[] = ".local.";
	size_t n = strlen(host), end = sizeof local - 1 - (host[n - 1] != '.');

	return n > end && !strncasecmp(host + n - end, local, end);
}

/* Asks by DNS or multicast DNS; returns the reason to report if no address was found. */
static const char *from_network(const char *host)
{
	static const char *const why[] = {
		"no name server answers", "the name servers fail", "no such host"};

	if (dns_begin(&found, host, 0))
		return "not a host name";
	if (!is_local(host))
		return why[ask_servers(host)];
	mdns_ask(&found, host);
	if (!is_found()) {
		configure();
		ask(host);
	}
	return "nobody answers to this name on the network";
}

/* Whether the kernel has a route to the address; no packet is sent. */
static int has_route(const union sock_name *n)
{
	int fd = socket(n->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int bad = fd < 0 || connect(fd, &n->sa, sizeof n->in6);

	close(fd);
	return !bad;
}

static char routed[DNS_FAMILIES]
		  [SOCK_NAMES]; /* whether there is a route to the address that was found */

/* Appends the addresses with a route, or those without, the families in turn, IPv6 first (RFC 8305, 4). */
static void take_turns(struct sock_names *names, int with_route)
{
	for (int i = 0; i < SOCK_NAMES; i++)
		for (int family = 0; family < DNS_FAMILIES; family++) {
			if (i < found.count[family] && routed[family][i] == with_route &&
				names->count < SOCK_NAMES)
				names->name[names->count++] = found.name[family][i];
		}
}

void host_look_up(struct sock_names *names, const char *host, unsigned port)
{
	memset(&found, 0, sizeof found);
	from_hosts(host);
	names->why = is_found() ? 0 : from_network(host);
	for (int family = 0; family < DNS_FAMILIES; family++)
		for (int i = 0; i < found.count[family]; i++) {
			union sock_name *n = &found.name[family][i];

			n->in.sin_port = htons(port); /* at the same place in both families */
			routed[family][i] = has_route(n);
		}
	take_turns(names, 1);
	take_turns(names, 0);
}
