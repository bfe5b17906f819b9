/* serve.c: what both servers do: their common options, their listening sockets, their start.
 *
 * The order of a start: options, sockets (the last thing that can fail for a typing error), then
 * into the background, pid file, and the applet starts its command.  server_ready() releases the
 * caller.  A listening socket whose accept says "no descriptors" is answered with the spare one, so
 * that the client hears why and the loop does not spin.
 *
 * config HARDENED n unkeyed TCP beyond loopback is refused
 * group server
 * options r:f:k:a:m:n:s:i:S:Fp:u:H:N:t:C:v
 * option -r ADDR  a raw socket (repeatable; then no bare ADDR)
 * option[FRAMED] -f ADDR  a framed socket (repeatable)
 * option[KEYED] -k FILE  encrypt and authenticate TCP clients with this shared key
 * option -a NET[,NET]...  TCP peers that may connect: IP, IP/BITS, any (loopback and private ranges; any with -k)
 * option -m MODE  octal mode of unix sockets (600); for @name, who may connect
 * option -n MAX  clients (ptyrouter: sessions) at once; one more is told so and closed
 * option -s ROWSxCOLS  first window size (24x80)
 * option -i SECS  close a client that has typed nothing for SECS
 * option[STATS] -S ADDR  statistics: whoever connects gets one JSON object
 * option -F  stay in the foreground
 * option -p FILE  pid file, removed at the end
 * option[JAIL] -u USER[:GROUP]  run COMMAND as (names or numbers)
 * option[JAIL] -H NAME  hostname of the new or joined UTS namespace
 * option[JAIL] -N NS[,NS]...  unshare uts, ipc, net, mnt, pid, cgroup, user
 * option[JAIL] -t PID  join the namespaces, root and directory of process PID
 * option -C DIR  the command's working directory
 * option -v  report every connection on stderr
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "libbb.h"

enum { NETS = 32, ACCEPTS = 16, PAUSE = 1000, STATS = -1 };

struct listener {
	struct source src;
	const struct addr *addr;
	int mode;   /* of its clients, or STATS */
	msec pause; /* no memory for another connection: try again then */
};

static struct tally tallies[SERVER_ADDRS];

struct server server = {.size = {.ws_row = 24, .ws_col = 80}, .tallies = tallies};

static struct addr addrs[SERVER_ADDRS];
static signed char modes[SERVER_ADDRS];
static struct listener listeners[2 * SERVER_ADDRS];
static int addr_count, listener_count, spare = -1;
static struct net nets[NETS];
static int net_count;
static mode_t mode = 0600;
static char keyed; /* -k: TCP is */
static const char *pid_file;
static int open_to_all;
static struct client *(*on_accept)(int, const char *, int);
static void (*on_stats)(struct text *);
static void (*on_end)(void);
static void (*on_reaped)(pid_t, int);
static void (*on_other)(int);

/* ---- options ---- */

static void add_addr(const char *text, int how)
{
	struct addr *a = &addrs[addr_count];

	if (addr_count == SERVER_ADDRS)
		die(1, text, ": too many addresses (16 at most)");
	modes[addr_count] = how;
	addr_get(a, text);
	addr_count++;
	if (!CFG_SUPERVISED || a->kind == ADDR_TCP || a->kind == ADDR_UNIX)
		return;
	if (a->kind == ADDR_STDIN && how == STATS)
		die(1, "-S -: not for statistics");
	given_take(a);
	if (a->kind == ADDR_STDIN)
		server.alone = server.foreground = 1;
}

int server_option(const struct opt *o, int letter)
{
	switch (letter) {
	case 'r':
		add_addr(o->value, CLIENT_RAW);
		break;
	case 'f':
		add_addr(o->value, CLIENT_FRAMED);
		break;
	case 'k':
		if (CFG_KEYED)
			shake_key(o->value);
		keyed = CFG_KEYED;
		server.command.forget = CFG_KEYED ? shake_forget : 0;
		break;
	case 'a':
		net_count = net_list(nets, NETS, o->value);
		if (net_count < 0)
			die(1, "-a ", o->value, ": not a list of networks (IP, IP/BITS or any)");
		break;
	case 'm':
		mode = opt_octal(o, 0777);
		break;
	case 'n':
		server.max = opt_num(o, 1, 1000000);
		break;
	case 's':
		opt_window(o, &server.size);
		server.sized = 1;
		break;
	case 'i':
		client_rules.idle = (msec)opt_num(o, 1, 100000000) * 1000;
		break;
	case 'S':
		add_addr(o->value, STATS);
		break;
	case 'F':
		server.foreground = 1;
		break;
	case 'p':
		pid_file = o->value;
		break;
	case 'C':
		server.command.dir = o->value;
		break;
	case 'v':
		client_rules.verbose = 1;
		break;
	default:
		return CFG_JAIL && jail_option(o, letter);
	}
	return 1;
}

/* The first address that is not for statistics, or -1. */
static int first_client(void)
{
	for (int i = 0; i < addr_count; i++)
		if (modes[i] != STATS)
			return i;
	return -1;
}

static void set_env(void)
{
	static char socket_env[ADDR_HOST_MAX + 64], vt102[] = "TERM=vt102", *env[4];
	struct text t = {socket_env, socket_env + sizeof socket_env - 1};
	int n = 0;

	text_str(&t, "PTYBOX_SOCKET=");
	text_str(&t, addrs[first_client()].text);
	env[n++] = socket_env;
	if (!getenv("TERM"))
		env[n++] = vt102;
	server.command.env = env;
}

static void set_command(struct opt *o)
{
	static char sh[] = "/bin/sh", *shell[] = {sh, 0};

	if (first_client() < 0) {
		if (!*o->argv)
			die(1, "no ADDR (see --help)");
		add_addr(*o->argv++, CLIENT_NEW);
	}
	for (int i = 0; CFG_SUPERVISED && i < addr_count; i++)
		if (server.alone && modes[i] != STATS && addrs[i].kind != ADDR_STDIN)
			die(1, addrs[i].text, ": not beside -, which is one connection");
	server.command.argv = *o->argv ? o->argv : shell;
	if (!*server.command.argv[0])
		die(1, "empty COMMAND");
	set_env();
}

/* ---- accepting ---- */

static unsigned want(struct source *src, msec *due)
{
	const struct listener *l = (struct listener *)src;

	if (l->pause > loop_now) {
		due_at(due, l->pause);
		return 0;
	}
	return (CFG_STATS && l->mode == STATS ? stats_busy() : server.paused) ? 0 : LOOP_READ;
}

static void count_one(struct tally *tally, int refused)
{
	__atomic_add_fetch(refused ? &tally->refused : &tally->accepted, 1, __ATOMIC_RELAXED);
}

static int count(void)
{
	return server.sessions ? server.sessions() : client_count;
}

static void answer_stats(int fd)
{
	static const char *const modes_of[] = {"stats", "bare", "raw", "framed"};
	struct text *t = stats_begin(fd);

	if (!t)
		return;
	text_str(t, "{\"applet\":");
	stats_str(t, msg_applet);
	text_str(t, ",\"version\":\"" VERSION "\"");
	stats_num(t, "pid", getpid());
	stats_num(t, "uptime", (loop_now - server.began) / 1000);
	text_str(t, ",\"command\":[");
	for (char **arg = server.command.argv; *arg; arg++) {
		text_str(t, arg == server.command.argv ? "" : ",");
		stats_str(t, *arg);
	}
	text_str(t, "],\"sockets\":[");
	for (int i = 0; i < addr_count; i++) {
		text_str(t, i ? ",{\"addr\":" : "{\"addr\":");
		stats_str(t, addrs[i].text);
		text_str(t, ",\"mode\":");
		stats_str(t, modes_of[modes[i] - STATS]);
		stats_num(t, "accepted", server.tallies[i].accepted);
		stats_num(t, "refused", server.tallies[i].refused);
		text_str(t, "}");
	}
	text_str(t, "],\"sessions\":[");
	on_stats(t);
}

/* Why a client that is let in by its address is not let in all the same; or 0. */
static const char *no_room(void)
{
	if (CFG_KEYED && !server.listening)
		return "the server ends";
	return server.max && count() >= server.max ? "full" : 0;
}

/* A keyed client has proved itself. */
static void proved(int fd, const char *name, int how, const struct noise *n,
	const unsigned char *first, size_t len)
{
	const char *refusal = no_room();
	struct client *c;

	if (refusal)
		c = client_refuse(fd, name, how, refusal);
	else
		c = on_accept(fd, name, how);
	client_key(c, n, first, len);
}

static void admit(const struct listener *l, int fd, const union sock_name *peer)
{
	int locked = CFG_KEYED && keyed && peer->sa.sa_family != AF_UNIX && l->mode != STATS;
	char name[NET_TEXT] = "";
	struct text t = {name, name + sizeof name - 1};
	const char *refusal = 0;

	net_text(&t, peer, fd);
	if (!net_allows(nets, net_count, peer))
		refusal = "not allowed from this address";
	else if (*l->addr->text == '@' && !net_mode_allows(mode, fd))
		refusal = "not allowed for this user";
	else if (l->mode != STATS && !locked)
		refusal = no_room();
	if (CFG_STATS)
		count_one(&server.tallies[l->addr - addrs], !!refusal);
	if (refusal && locked)
		close(fd);
	else if (refusal)
		client_refuse(fd, name, l->mode == STATS ? CLIENT_RAW : l->mode, refusal);
	else if (CFG_STATS && l->mode == STATS)
		answer_stats(fd);
	else if (locked)
		shake_serve(fd, name, CLIENT_FRAMED, proved);
	else
		on_accept(fd, name, l->mode);
}

/* Out of descriptors: the spare one serves to tell the client. */
static int turn_away(int listener)
{
	static const char full[] = "full: no descriptors left\r\n";
	union sock_name peer;
	int fd;

	close(spare);
	fd = sock_accept(listener, &peer);
	if (fd >= 0) {
		io_write(fd, full, sizeof full - 1);
		close(fd);
	}
	spare = open("/", O_PATH | O_CLOEXEC);
	return fd;
}

static void ready(struct source *src, unsigned what)
{
	struct listener *l = (struct listener *)src;
	union sock_name peer;
	/* strangers at a keyed port one a turn: who says the right thing leaves the few places sooner */
	int most = CFG_KEYED && keyed ? 1 : ACCEPTS;

	for (int i = 0; what & LOOP_READ && i < most && want(src, &l->src.due); i++) {
		int fd = sock_accept(src->fd, &peer);

		if (fd < 0 && (errno == EMFILE || errno == ENFILE) && turn_away(src->fd) >= 0)
			continue;
		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
				errno == ENOMEM)
				l->pause = loop_now + PAUSE;
			return; /* and ECONNABORTED: the next one may be fine */
		}
		admit(l, fd, &peer);
	}
}

/* The connection that is here already. */
static void take_given(struct listener *l)
{
	union sock_name peer = {0};
	socklen_t len = sizeof peer;
	int fd = l->src.fd;

	l->src.fd = -1;
	getpeername(fd, &peer.sa, &len);
	if (peer.sa.sa_family != AF_UNIX)
		sock_tune(fd);
	admit(l, fd, &peer);
}

static void default_nets(void)
{
	static const char private_nets[] = "127.0.0.0/8,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,"
					   "169.254.0.0/16,::1,fe80::/10,fc00::/7";

	if (!net_count)
		net_count = net_list(nets, NETS, CFG_KEYED && keyed ? "any" : private_nets);
}

/* What must not be open to the world: unkeyed TCP beyond loopback, in part, or with a warning. */
static void check_open(const struct listener *l, int *warned)
{
	union sock_name n;
	socklen_t len = sizeof n;

	if (getsockname(l->src.fd, &n.sa, &len) || n.sa.sa_family == AF_UNIX)
		return;
	if (CFG_KEYED && keyed && l->mode == CLIENT_RAW)
		die(1, "-r ", l->addr->text, ": raw mode cannot be keyed (-k)");
	if (net_is_loopback(&n))
		return;
	if (CFG_KEYED && keyed && l->mode == STATS)
		die(1, "-S ", l->addr->text, ": not beyond loopback with -k");
	if (CFG_HARDENED && !keyed)
		die(1, l->addr->text, ": TCP beyond loopback needs a key (-k)");
	*warned |= !keyed;
}

/* More than select() can hold shall not be opened at all. */
static void limit_files(void)
{
	struct rlimit limit;

	prlimit(0, RLIMIT_NOFILE, 0, &server.command.files);
	limit = server.command.files;
	if (limit.rlim_cur > LOOP_MAX)
		limit.rlim_cur = LOOP_MAX;
	prlimit(0, RLIMIT_NOFILE, &limit, 0);
}

void server_listen(struct opt *o, struct client *(*accepted)(int, const char *, int))
{
	if (CFG_JAIL)
		jail_check();
	set_command(o);
	default_nets();
	daemon_home();
	given_close_others();
	limit_files();
	on_accept = accepted;
	for (int i = 0; i < addr_count; i++) {
		int fd[2];

		sock_listen(&addrs[i], mode, fd);
		if (addrs[i].kind == ADDR_UNIX && *addrs[i].text != '@')
			daemon_owns(addrs[i].text);
		for (int k = 0; k < 2; k++)
			if (fd[k] >= 0)
				listeners[listener_count++] = (struct listener){
					.src.fd = fd[k], .addr = &addrs[i], .mode = modes[i]};
	}
	for (int i = 0; i < listener_count; i++)
		check_open(&listeners[i], &open_to_all);
	spare = open("/", O_PATH | O_CLOEXEC);
	server.listening = 1;
}

void server_accept(int clients, void (*stats)(struct text *))
{
	on_stats = stats;
	for (int i = 0; i < listener_count; i++) {
		struct source *src = &listeners[i].src;

		if (listeners[i].mode == STATS ? !stats : !clients)
			continue;
		if (CFG_SUPERVISED && listeners[i].addr->kind == ADDR_STDIN) {
			take_given(&listeners[i]);
			continue;
		}
		*src = (struct source){.fd = src->fd, .want = want, .ready = ready, .last = 1};
		loop_add(src);
	}
	server.began = loop_now;
}

void server_unlisten(void)
{
	while (listener_count) {
		struct source *src = &listeners[--listener_count].src;

		if (!CFG_PTYROUTER || src->want)
			loop_close(src);
		else /* a keeper's: it accepts nothing, but holds the address */
			close(src->fd);
	}
	daemon_remove_sockets();
	server.listening = 0;
}

void server_end(void)
{
	server_unlisten();
	daemon_remove();
}

/* ---- starting ---- */

static void reap(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		on_reaped(pid, status);
}

static void on_signal(int sig)
{
	if (sig == SIGCHLD)
		reap();
	else if (sig == SIGTERM || sig == SIGINT || (sig == SIGHUP && server.foreground))
		on_end();
	else if (on_other)
		on_other(sig);
}

void server_start(void)
{
	static const int signals[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGWINCH, 0};
	mode_t mask = umask(0077);

	server.command.umask = mask;
	umask(mask | 0022);
	server.command.home = daemon_home();
	if (!server.foreground)
		daemon_start();
	else if (CFG_SUPERVISED)
		given_notify();
	if (pid_file)
		daemon_pid_file(pid_file);
	sig_open(signals);
}

void server_signals(void (*end)(void), void (*reaped)(pid_t, int), void (*other)(int))
{
	on_end = end;
	on_reaped = reaped;
	on_other = other;
	sig_listen(on_signal);
}

void server_ready(void)
{
	if (open_to_all)
		warn("no key: whoever reaches the TCP port gets the terminal (-k, -a)");
	daemon_ready(client_rules.verbose);
	if (CFG_SUPERVISED)
		given_ready();
}
