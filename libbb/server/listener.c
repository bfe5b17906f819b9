/* listener.c: a server's addresses, and who is let in at them.
 *
 *	accept -> barred (-a, -m)? one line and a close
 *	       -> keyed: handshake.c, then ...
 *	       -> full (-n, descriptors)? told in its own mode, then closed
 *	       -> statistics, or a client
 *
 * Listening sockets are served last in a turn, and a few connections at a time, so that a flood of them
 * holds up no client.  Without descriptors one that is being refused makes room, or the spare one does, so that
 * a client hears why and the loop does not spin.
 *
 * config HARDENED n unkeyed TCP beyond loopback is refused
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include "server.h"

enum {
	ACCEPTS = 16, /* a turn */
	PAUSE = 1000, /* ms without accepting when there is no memory, or no descriptor at all */
	STATS = LISTENER_STATS,
};

struct listener {
	struct source src;
	const struct addr *addr;
	int mode;   /* of its clients, or STATS */
	msec pause; /* no memory for another connection: try again then */
};

static struct counters own_counters[SERVER_ADDRS];

struct server server = {
	.size = {.ws_row = 24, .ws_col = 80}, .socket_mode = 0600, .counters = own_counters};

static struct addr addrs[SERVER_ADDRS];
static signed char modes[SERVER_ADDRS];
static struct listener listeners[2 * SERVER_ADDRS];
static int addr_count, listener_count, spare = -1;
static struct client *(*on_accept)(int, const char *, int);
static void (*on_stats)(struct text *);

/* ---- addresses ---- */

void listener_add(const char *text, int how)
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
	inherit_socket(a);
	if (a->kind == ADDR_STDIN)
		server.single_connection = server.foreground = 1;
}

/* The number of the first address that is not for statistics, or -1. */
static int first_client(void)
{
	for (int i = 0; i < addr_count; i++)
		if (modes[i] != STATS)
			return i;
	return -1;
}

const char *listener_first(void)
{
	int i = first_client();

	return i < 0 ? 0 : addrs[i].text;
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

static void count_one(struct counters *counters, int refused)
{
	__atomic_add_fetch(refused ? &counters->refused : &counters->accepted, 1, __ATOMIC_RELAXED);
}

static int count(void)
{
	return server.session_count ? __atomic_load_n(server.session_count, __ATOMIC_RELAXED) :
				      client_count;
}

static void answer_stats(int fd)
{
	static const char *const modes_of[] = {"stats", "bare", "raw", "framed"};
	struct text *t = stats_begin(fd);

	if (!t)
		return;
	stats_head(t, server.command.argv, server.began);
	for (int i = 0; i < addr_count; i++)
		stats_socket(t, addrs[i].text, modes_of[modes[i] - STATS], &server.counters[i]);
	text_str(t, "],\"sessions\":[");
	on_stats(t);
}

static const char no_files[] = "full: no descriptors left";

/* Descriptors for sessions that are to begin; ptyshim's may do so again. */
static int promised(void)
{
	return (server.unstarted + !server.session_count) * SESSION_FILES;
}

/* Enough for one more client, and to tell those who come later. */
static int files_left(void)
{
	return io_descriptors(
		promised() + (server.session_count ? SESSION_FILES : 0) + LISTENER_FILES);
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
	int locked = CFG_KEYED && server.keyed && peer->sa.sa_family != AF_UNIX && l->mode != STATS;
	struct counters *counters = &server.counters[l->addr - addrs];
	char name[NET_TEXT] = "";
	struct text t = {name, name + sizeof name - 1};
	const char *bar =
		net_barred(peer, fd, *l->addr->text == '@' ? (int)server.socket_mode : -1);
	const char *refusal = 0;

	net_text(&t, peer, fd);
	if (!bar && locked && !files_left())
		bar = no_files; /* the key is not known yet, and so no way to say it */
	if (!bar && !locked && l->mode != STATS)
		refusal = no_room();
	if (CFG_STATS)
		count_one(counters, bar || refusal);
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
		handshake_respond(fd, peer, name, CLIENT_FRAMED, proved);
	else
		on_accept(fd, name, l->mode)->counters = counters;
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
	/* unauthenticated peers at a keyed port one a turn: who proves the key leaves the few slots sooner */
	int most = CFG_KEYED && server.keyed ? 1 : ACCEPTS;

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

/* ---- listening ---- */

/* What must not be open to the world: unkeyed TCP beyond loopback, in part, or with a warning. */
static void check_open(const struct listener *l)
{
	union sock_name n;
	socklen_t len = sizeof n;

	if (getsockname(l->src.fd, &n.sa, &len) || n.sa.sa_family == AF_UNIX)
		return;
	if (CFG_KEYED && server.keyed && l->mode == CLIENT_RAW)
		die(1, "-r ", l->addr->text, ": raw mode cannot be keyed (-k)");
	if (net_is_loopback(&n))
		return;
	if (CFG_KEYED && server.keyed && l->mode == STATS)
		die(1, "-S ", l->addr->text, ": not beyond loopback with -k");
	if (CFG_HARDENED && !server.keyed)
		die(1, l->addr->text, ": TCP beyond loopback needs a key (-k)");
	server.open_to_all |= !server.keyed;
}

void listeners_open(struct client *(*accepted)(int, const char *, int))
{
	on_accept = accepted;
	for (int i = 0; i < addr_count; i++) {
		struct file_id made;
		int fd[2];

		if (CFG_SUPERVISED && server.single_connection && modes[i] != STATS &&
			addrs[i].kind != ADDR_STDIN)
			die(1, addrs[i].text, ": not beside -, which is one connection");
		sock_listen(&addrs[i], server.socket_mode, fd, &made);
		if (made.ino)
			daemon_owns(addrs[i].text, &made, 1);
		for (int k = 0; k < 2; k++)
			if (fd[k] >= 0)
				listeners[listener_count++] = (struct listener){
					.src.fd = fd[k], .addr = &addrs[i], .mode = modes[i]};
	}
	for (int i = 0; i < listener_count; i++)
		check_open(&listeners[i]);
	spare = open("/", O_PATH | O_CLOEXEC);
	server.listening = 1;
}

void listeners_accept(int clients, void (*stats)(struct text *))
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

void listeners_close(void)
{
	while (listener_count) {
		struct source *src = &listeners[--listener_count].src;

		if (!CFG_PTYROUTER || src->want)
			loop_close(src);
		else /* a supervisor's: it accepts nothing, but holds the address */
			close(src->fd);
	}
	daemon_remove_sockets();
	server.listening = 0;
}
