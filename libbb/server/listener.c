/* listener.c: a server's addresses, and the connections that it accepts at them.
 *
 *	accept -> not allowed (-a, -m)?        one line of text, closed
 *	       -> keyed: handshake.c, and then
 *	       -> full (-n, descriptors)?      client_refuse(): the reason in its own mode, closed
 *	       -> statistics, or a client
 *
 * Listening sockets are served last in a turn of the loop, and accept only a few connections in it, so that a flood of
 * them holds up no client.
 *
 * Descriptors are reserved for the sessions that are to begin: a client that leaves too few for these is refused, and when
 * the refused ones use them up, the oldest is evicted and the next connection waits for the next turn, when that
 * descriptor is closed.  When accept() itself fails for lack of descriptors (EMFILE, ENFILE), a refused client is evicted,
 * or a spare descriptor is closed for the time of one accept(), to write the reason.  Otherwise the connection would stay
 * in the queue, and the loop would spin.
 *
 * config HARDENED n unkeyed TCP beyond loopback is refused
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include "server.h"

enum {
	ACCEPTS = 16, /* connections in one turn of the loop */
	PAUSE = 1000, /* ms without accepting when there is no memory, or no descriptor to be freed */
	STATS = LISTENER_STATS,
	CALL = LISTENER_CALL,
};

struct listener {
	struct source src;
	const struct addr *addr;
	int mode;   /* enum client_mode that its clients begin in, or STATS */
	msec pause; /* nothing is accepted before this time */
};

static struct counters own_counters[SERVER_ADDRS];

struct server server = {
	.size = {.ws_row = 24, .ws_col = 80}, .socket_mode = 0600, .counters = own_counters};

static struct addr addrs[SERVER_ADDRS];
static signed char modes[SERVER_ADDRS];
static struct listener listeners[2 * SERVER_ADDRS];
static int addr_count, listener_count;
static int spare = -1; /* a descriptor to close when there is no other */
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
	if (how == CALL)
		die(1, "-x ", text, ": cannot be called");
	inherit_socket(a);
	if (a->kind == ADDR_STDIN)
		server.single_connection = server.foreground = 1;
}

const char *listener_first(void)
{
	for (int i = 0; i < addr_count; i++)
		if (modes[i] != STATS)
			return addrs[i].text;
	return 0;
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

/* Returns what -n limits. */
static int count(void)
{
	return server.session_count ? __atomic_load_n(server.session_count, __ATOMIC_RELAXED) :
				      client_count;
}

static void answer_stats(int fd)
{
	static const char *const modes_of[] = {"call", "stats", "bare", "raw", "framed"};
	struct text *t = stats_begin(fd);

	if (!t)
		return;
	stats_head(t, server.command.argv, server.began);
	for (int i = 0; i < addr_count; i++)
		stats_socket(t, addrs[i].text, modes_of[modes[i] - CALL], &server.counters[i]);
	text_str(t, "],\"sessions\":[");
	on_stats(t);
}

const struct addr *listener_call(int i)
{
	for (int k = 0; k < addr_count; k++)
		if (modes[k] == CALL && !i--)
			return &addrs[k];
	return 0;
}

static const char no_files[] = "full: no descriptors left";

/* Descriptors for sessions that are to begin; a ptyshim's may begin again (-R). */
static int reserved_files(void)
{
	int starts = CFG_PTYROUTER || CFG_EXEC ? session_slots_unstarted() : 0;

	return (starts + !server.session_count) * SESSION_FILES;
}

/* Whether there are descriptors for one more client, and for refusing later ones. */
static int files_left(void)
{
	return io_descriptors(
		reserved_files() + (server.session_count ? SESSION_FILES : 0) + LISTENER_FILES);
}

/* Returns why a client that may connect is refused, or 0. */
static const char *why_full(void)
{
	if (CFG_KEYED && !server.listening)
		return "the server ends";
	if (server.max && count() >= server.max)
		return "full";
	return files_left() ? 0 : no_files;
}

/* The handshake is done: the client has proved the key. */
static void authenticated(
	int fd, const char *name, int how, struct noise *n, const unsigned char *first, size_t len)
{
	const char *refusal = why_full();
	struct client *c;

	if (refusal)
		c = client_refuse(fd, name, how, refusal);
	else
		c = on_accept(fd, name, how);
	client_key(c, n, first, len);
}

int listener_has_room(void)
{
	return !why_full();
}

/* Whether clients with this peer have to prove the key. */
static int is_keyed(const union sock_name *peer)
{
	return CFG_KEYED && server.keyed && peer->sa.sa_family != AF_UNIX;
}

static void count_up(unsigned *counter)
{
	if (CFG_STATS)
		__atomic_add_fetch(counter, 1, __ATOMIC_RELAXED);
}

/* Opens a client, and returns it, or begins the handshake. */
static struct client *serve(
	const struct addr *a, int fd, const union sock_name *peer, const char *name, int mode)
{
	struct client *c;

	if (is_keyed(peer)) {
		handshake_respond(fd, peer, name, CLIENT_FRAMED, authenticated);
		return 0;
	}
	c = on_accept(fd, name, mode);
	c->counters = &server.counters[a - addrs];
	return c;
}

void listener_serve(const struct addr *a, int fd, const union sock_name *peer, const char *name)
{
	struct client *c;

	if (why_full()) {
		io_close(fd);
		return;
	}
	count_up(&server.counters[a - addrs].accepted);
	c = serve(a, fd, peer, name, CLIENT_FRAMED);
	if (c)
		c->called = !c->refusal;
}

/* Refuses the connection, or opens a client on it or begins a handshake or an answer.  Returns whether the descriptor is in
 * use afterwards. */
static int admit(const struct listener *l, int fd, const union sock_name *peer)
{
	int keyed = is_keyed(peer) && l->mode != STATS;
	struct counters *counters = &server.counters[l->addr - addrs];
	char name[NET_TEXT] = "";
	struct text t = {name, name + sizeof name - 1};
	const char *bar =
		net_barred(peer, fd, *l->addr->text == '@' ? (int)server.socket_mode : -1);
	const char *refusal = 0;

	net_text(&t, peer, fd);
	if (!bar && keyed && !files_left())
		bar = no_files; /* before a handshake only a bare line can be sent */
	if (!bar && !keyed && l->mode != STATS)
		refusal = why_full();
	count_up(bar || refusal ? &counters->refused : &counters->accepted);
	if (bar) {
		if (client_rules.verbose)
			warn("client ", name, ": ", bar);
		sock_refuse(fd, bar);
		return 0;
	}
	if (peer->sa.sa_family != AF_UNIX)
		sock_tune(fd);
	if (refusal)
		client_refuse(fd, name, l->mode, refusal);
	else if (CFG_STATS && l->mode == STATS)
		answer_stats(fd);
	else
		serve(l->addr, fd, peer, name, l->mode);
	return 1;
}

/* accept() needs a descriptor: evicts a refused client, or accepts one connection with the spare descriptor and refuses it.
 * Returns whether that helped. */
static int free_descriptor(int listener)
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

/* Any other error, as ECONNABORTED, concerns this connection alone. */
static void accept_failed(struct listener *l)
{
	int full = errno == EMFILE || errno == ENFILE, pause = errno == ENOBUFS || errno == ENOMEM;

	if (pause || (full && !free_descriptor(l->src.fd)))
		l->pause = loop_now + PAUSE;
}

static void ready(struct source *src, unsigned what)
{
	struct listener *l = (struct listener *)src;
	union sock_name peer;
	/* a keyed port accepts one in a turn: clients that prove the key free their handshake slots meanwhile */
	int most = CFG_KEYED && server.keyed ? 1 : ACCEPTS;

	for (int i = 0; what & LOOP_READ && i < most && want(src, &l->src.due); i++) {
		int fd = sock_accept(src->fd, &peer);

		if (fd < 0) {
			accept_failed(l);
			return;
		}
		/* refused clients may not use the descriptors of sessions that are to begin */
		if (admit(l, fd, &peer) && !io_descriptors(reserved_files() + 1)) {
			client_evict();
			return;
		}
	}
}

/* Admits the inherited connection (ADDR is "-"). */
static void admit_inherited(struct listener *l)
{
	union sock_name peer = {0};
	socklen_t len = sizeof peer;
	int fd = l->src.fd;

	l->src.fd = -1;
	getpeername(fd, &peer.sa, &len);
	if (peer.sa.sa_family == AF_UNIX)
		sock_inline(fd);
	admit(l, fd, &peer);
}

/* ---- listening ---- */

/* Dies when this socket may not listen with these options; notes unkeyed TCP beyond loopback, for a warning. */
static void check_exposed(const struct listener *l)
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

/* Notes that an address beyond loopback is called without a key, for a warning; dies where that is not allowed. */
static void check_called(const struct addr *a)
{
	if (server.keyed || sock_is_local(a))
		return;
	if (CFG_HARDENED)
		die(1, a->text, ": TCP beyond loopback needs a key (-k)");
	server.calls_openly = 1;
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
		if (CFG_CALLOUT && modes[i] == CALL) {
			check_called(&addrs[i]);
			continue;
		}
		sock_listen(&addrs[i], server.socket_mode, fd, &made);
		if (made.ino)
			daemon_owns(addrs[i].text, &made, 1);
		for (int k = 0; k < 2; k++)
			if (fd[k] >= 0)
				listeners[listener_count++] = (struct listener){
					.src.fd = fd[k], .addr = &addrs[i], .mode = modes[i]};
	}
	for (int i = 0; i < listener_count; i++)
		check_exposed(&listeners[i]);
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
			admit_inherited(&listeners[i]);
			continue;
		}
		*src = (struct source){.fd = src->fd, .want = want, .ready = ready, .last = 1};
		loop_add(src);
	}
	server.began = loop_now;
}

int listeners_renew(void)
{
	int renewed = 0;

	for (int i = 0; i < listener_count; i++) {
		const struct addr *a = listeners[i].addr;
		struct file_id made;

		if (a->kind != ADDR_UNIX || *a->text == '@')
			continue;
		if (daemon_enter(a->text) ||
			sock_listen_anew(a, server.socket_mode, listeners[i].src.fd, &made)) {
			warn(a->text, ": ", msg_errno());
		} else if (made.ino) {
			daemon_owns(a->text, &made, 1);
			renewed |= listeners[i].mode != STATS;
		}
		daemon_leave();
	}
	return renewed;
}

void listeners_leave(void)
{
	while (listener_count) {
		struct source *src = &listeners[--listener_count].src;

		if (src->linked)
			loop_close(src);
		else /* the supervisor's for clients, or a worker's for statistics */
			io_close(src->fd);
	}
}

void listeners_close(void)
{
	listeners_leave();
	daemon_remove_sockets();
	server.listening = 0;
}
