/* serve.c: what both servers do: their common options, their listening sockets, their start.
 *
 * The order of a start: options, sockets (the last thing that can fail for a typing error), then
 * into the background, pid file, and the applet starts its command.  server_ready() releases the
 * caller.
 *
 * Who may not connect at all is told and closed before the next one is accepted.  Who is let in must leave
 * what the sessions that are to begin will need, or is refused; then few descriptors are left, and the next
 * connection is accepted in the next turn, when those that had to go are closed.  Where accept itself says "no
 * descriptors" the spare one serves to say why, so that the loop does not spin.
 *
 * config HARDENED n unkeyed TCP beyond loopback is refused
 * group server
 * options r:f:k:a:m:n:s:i:S:Fp:u:H:N:t:C:v
 * option -r ADDR  a raw socket, where nothing that comes is looked at (repeatable; then no bare ADDR)
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
 * option[JAIL] -u USER[:GROUP]  run COMMAND as (names or numbers), with HOME, USER, LOGNAME and SHELL of that user
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

enum {
	ACCEPTS = 16, /* a turn */
	PAUSE = 1000,
	STATS = -1,
	TELL = 4, /* descriptors for clients that are refused */
	START_FILES =
		4 + 1 + SESSION_FILES + TELL, /* control sockets, pgrp_open(), a client, ... */
};

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

/* No key of ours is in a command's memory, not even until exec. */
static void forget(void)
{
	shake_forget();
	client_forget();
}

void server_seal(char **argv, const char *options)
{
	struct opt o = {.argv = argv + 1, .spec = options};
	int c, joins = 0;

	while (CFG_JAIL && (c = opt_next(&o)) >= 0)
		joins |= c == 't';
	if (joins)
		seal_self(argv);
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
		server.command.forget = CFG_KEYED ? forget : 0;
		break;
	case 'a':
		if (net_allow(o->value))
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
	static char vt102[] = "TERM=vt102", *env[USERS_ENV + 2];
	const char *where = addrs[first_client()].text;
	int n = 0;

	env[n++] = env_make("PTYBOX_SOCKET=", where, strlen(where));
	if (!getenv("TERM"))
		env[n++] = vt102;
	for (char **user = CFG_JAIL ? users_env() : env + n; *user; user++)
		env[n++] = *user;
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
	stats_head(t, server.command.argv, server.began);
	for (int i = 0; i < addr_count; i++)
		stats_socket(t, addrs[i].text, modes_of[modes[i] - STATS], &server.tallies[i]);
	text_str(t, "],\"sessions\":[");
	on_stats(t);
}

static const char no_files[] = "full: no descriptors left";

/* Descriptors for sessions that are to begin; ptyshim's may do so again. */
static int promised(void)
{
	return (server.unbegun + !server.sessions) * SESSION_FILES;
}

/* Enough for one more client, and to tell those who come later. */
static int files_left(void)
{
	return io_descriptors(promised() + (server.sessions ? SESSION_FILES : 0) + TELL);
}

/* Why a client that is let in by its address is not let in all the same; or 0. */
static const char *no_room(void)
{
	if (CFG_KEYED && !server.listening)
		return "the server ends";
	if (server.max && count() >= server.max)
		return "full";
	return files_left() ? 0 : no_files;
}

/* A keyed client has proved itself. */
static void proved(
	int fd, const char *name, int how, struct noise *n, const unsigned char *first, size_t len)
{
	const char *refusal = no_room();
	struct client *c;

	if (refusal)
		c = client_refuse(fd, name, how, refusal);
	else
		c = on_accept(fd, name, how);
	client_key(c, n, first, len);
}

/* Whether the descriptor is still in use then. */
static int admit(const struct listener *l, int fd, const union sock_name *peer)
{
	int locked = CFG_KEYED && keyed && peer->sa.sa_family != AF_UNIX && l->mode != STATS;
	struct tally *tally = &server.tallies[l->addr - addrs];
	char name[NET_TEXT] = "";
	struct text t = {name, name + sizeof name - 1};
	const char *bar = net_barred(peer, fd, *l->addr->text == '@' ? (int)mode : -1);
	const char *refusal = 0;

	net_text(&t, peer, fd);
	if (!bar && locked && !files_left())
		bar = no_files; /* the key is not known yet, and so no way to say it */
	if (!bar && !locked && l->mode != STATS)
		refusal = no_room();
	if (CFG_STATS)
		count_one(tally, bar || refusal);
	if (bar) {
		if (client_rules.verbose)
			warn(name, ": ", bar);
		sock_refuse(fd, bar);
		return 0;
	}
	if (peer->sa.sa_family != AF_UNIX)
		sock_tune(fd);
	if (refusal)
		client_refuse(fd, name, l->mode, refusal);
	else if (CFG_STATS && l->mode == STATS)
		answer_stats(fd);
	else if (locked)
		shake_serve(fd, peer, name, CLIENT_FRAMED, proved);
	else
		on_accept(fd, name, l->mode)->tally = tally;
	return 1;
}

/* There is no descriptor to accept with: one that is being refused makes room, or the spare one. */
static int make_room(int listener)
{
	union sock_name peer;
	int fd;

	if (client_evict())
		return 1;
	close(spare);
	fd = sock_accept(listener, &peer);
	if (fd >= 0)
		sock_refuse(fd, no_files);
	spare = open("/", O_PATH | O_CLOEXEC);
	return fd >= 0;
}

/* ECONNABORTED, say: the next one may be fine. */
static void accept_failed(struct listener *l)
{
	int full = errno == EMFILE || errno == ENFILE, pause = errno == ENOBUFS || errno == ENOMEM;

	if (pause || (full && !make_room(l->src.fd)))
		l->pause = loop_now + PAUSE;
}

static void ready(struct source *src, unsigned what)
{
	struct listener *l = (struct listener *)src;
	union sock_name peer;
	/* strangers at a keyed port one a turn: who says the right thing leaves the few places sooner */
	int most = CFG_KEYED && keyed ? 1 : ACCEPTS;

	for (int i = 0; what & LOOP_READ && i < most && want(src, &l->src.due); i++) {
		int fd = sock_accept(src->fd, &peer);

		if (fd < 0) {
			accept_failed(l);
			return;
		}
		/* what sessions will need is not for those who are refused */
		if (admit(l, fd, &peer) && !io_descriptors(promised() + 1)) {
			client_evict();
			return;
		}
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
	admit(l, fd, &peer);
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

void server_listen(struct opt *o, struct client *(*accepted)(int, const char *, int))
{
	if (CFG_JAIL)
		jail_check();
	set_command(o);
	net_allow_default(CFG_KEYED && keyed);
	daemon_home();
	given_close_others();
	loop_limit(&server.command.files);
	if (CFG_KEYED && keyed)
		shake_start(client_rules.verbose);
	if (CFG_JAIL)
		jail_open();
	on_accept = accepted;
	for (int i = 0; i < addr_count; i++) {
		struct file_id made;
		int fd[2];

		sock_listen(&addrs[i], mode, fd, &made);
		if (made.ino)
			daemon_owns(addrs[i].text, &made, 1);
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
			io_close(src->fd);
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
	io_interrupt();
	if (!io_descriptors(START_FILES))
		die(1, "too few descriptors for a session (ulimit -n)");
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
