/* serve.c: what both servers do: their common options, their listening sockets, their start.
 *
 * The order of a start: options, sockets (the last thing that can fail for a typing error), then
 * into the background, pid file, and the applet starts its command.  server_ready() releases the
 * caller.  A listening socket whose accept says "no descriptors" is answered with the spare one, so
 * that the client hears why and the loop does not spin.
 *
 * group server
 * options r:a:m:n:s:i:Fp:C:v
 * option -r ADDR  a raw socket (repeatable; then no bare ADDR)
 * option -a NET[,NET]...  TCP peers that may connect: IP, IP/BITS, any (loopback and private ranges)
 * option -m MODE  octal mode of unix sockets (600)
 * option -n MAX  clients at once; one more is told so and closed
 * option -s ROWSxCOLS  first window size (24x80)
 * option -i SECS  close a client that has typed nothing for SECS
 * option -F  stay in the foreground
 * option -p FILE  pid file, removed at the end
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

enum { ADDRS = 16, NETS = 32, ACCEPTS = 16, PAUSE = 1000 };

struct listener {
	struct source src;
	msec pause; /* no memory for another connection: try again then */
};

struct server server = {.size = {.ws_row = 24, .ws_col = 80}};

static struct addr addrs[ADDRS];
static struct listener listeners[2 * ADDRS];
static int addr_count, listener_count, spare = -1;
static struct net nets[NETS];
static int net_count;
static long max_clients;
static mode_t mode = 0600;
static const char *pid_file;
static void (*on_accept)(int, const char *);
static void (*on_end)(void);
static void (*on_reaped)(pid_t, int);
static void (*on_other)(int);

/* ---- options ---- */

static void add_addr(const char *text)
{
	if (addr_count == ADDRS)
		die(1, text, ": too many addresses (16 at most)");
	addr_get(&addrs[addr_count++], text);
}

int server_option(const struct opt *o, int letter)
{
	switch (letter) {
	case 'r':
		add_addr(o->value);
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
		max_clients = opt_num(o, 1, 1000000);
		break;
	case 's':
		opt_window(o, &server.size);
		server.sized = 1;
		break;
	case 'i':
		client_rules.idle = (msec)opt_num(o, 1, 100000000) * 1000;
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
		return 0;
	}
	return 1;
}

static void set_env(void)
{
	static char socket_env[ADDR_HOST_MAX + 64], vt102[] = "TERM=vt102", *env[4];
	struct text t = {socket_env, socket_env + sizeof socket_env - 1};
	int n = 0;

	text_str(&t, "PTYBOX_SOCKET=");
	text_str(&t, addrs[0].text);
	env[n++] = socket_env;
	if (!getenv("TERM"))
		env[n++] = vt102;
	server.command.env = env;
}

static void set_command(struct opt *o)
{
	static char sh[] = "/bin/sh", *shell[] = {sh, 0};

	if (!addr_count) {
		if (!*o->argv)
			die(1, "no ADDR (see --help)");
		add_addr(*o->argv++);
	}
	server.command.argv = *o->argv ? o->argv : shell;
	if (!*server.command.argv[0])
		die(1, "empty COMMAND");
	set_env();
}

/* ---- accepting ---- */

static unsigned want(struct source *src, msec *due)
{
	const struct listener *l = (struct listener *)src;

	if (l->pause <= loop_now)
		return LOOP_READ;
	due_at(due, l->pause);
	return 0;
}

static void admit(int fd, const union sock_name *peer)
{
	char name[56] = "";
	struct text t = {name, name + sizeof name - 1};

	net_text(&t, peer, fd);
	if (!net_allows(nets, net_count, peer))
		client_refuse(fd, name, "not allowed from this address");
	else if (max_clients && client_count >= max_clients)
		client_refuse(fd, name, "full");
	else
		on_accept(fd, name);
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

	for (int i = 0; what & LOOP_READ && i < ACCEPTS; i++) {
		int fd = sock_accept(src->fd, &peer);

		if (fd >= 0 && !loop_fits(fd)) {
			close(fd);
			errno = EMFILE;
			fd = -1;
		}
		if (fd < 0 && (errno == EMFILE || errno == ENFILE) && turn_away(src->fd) >= 0)
			continue;
		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
				errno == ENOMEM)
				l->pause = loop_now + PAUSE;
			return; /* and ECONNABORTED: the next one may be fine */
		}
		admit(fd, &peer);
	}
}

static void default_nets(void)
{
	if (!net_count)
		net_count = net_list(nets, NETS,
			"127.0.0.0/8,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,"
			"169.254.0.0/16,::1,fe80::/10,fc00::/7");
}

void server_listen(struct opt *o, void (*accepted)(int, const char *))
{
	set_command(o);
	default_nets();
	daemon_home();
	io_close_from(3);
	on_accept = accepted;
	for (int i = 0; i < addr_count; i++) {
		int fd[2];

		sock_listen(&addrs[i], mode, fd);
		if (addrs[i].kind == ADDR_UNIX && *addrs[i].text != '@')
			daemon_owns(addrs[i].text);
		for (int k = 0; k < 2; k++)
			if (fd[k] >= 0)
				listeners[listener_count++].src.fd = fd[k];
	}
	spare = open("/", O_PATH | O_CLOEXEC);
	server.listening = 1;
}

void server_unlisten(void)
{
	while (listener_count)
		loop_close(&listeners[--listener_count].src);
	daemon_remove();
	server.listening = 0;
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

void server_start(void (*end)(void), void (*reaped)(pid_t, int), void (*other)(int))
{
	static const int signals[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGWINCH, 0};
	mode_t mask = umask(0077);

	server.command.umask = mask;
	umask(mask | 0022);
	server.command.home = daemon_home();
	if (!server.foreground)
		daemon_start();
	if (pid_file)
		daemon_pid_file(pid_file);
	on_end = end;
	on_reaped = reaped;
	on_other = other;
	sig_open(signals, on_signal);
}

static void warn_open(void)
{
	for (int i = 0; i < listener_count; i++) {
		union sock_name n;
		socklen_t len = sizeof n;

		if (getsockname(listeners[i].src.fd, &n.sa, &len) || n.sa.sa_family == AF_UNIX ||
			net_is_loopback(&n))
			continue;
		warn("no key: whoever reaches the TCP port gets the terminal (see -a)");
		return;
	}
}

void server_ready(void)
{
	for (int i = 0; i < listener_count; i++) {
		struct source *src = &listeners[i].src;

		*src = (struct source){.fd = src->fd, .want = want, .ready = ready, .last = 1};
		loop_add(src);
	}
	warn_open();
	daemon_ready(client_rules.verbose);
}

void server_failed(const struct failure *f)
{
	int status = pty_fail_status(f, &server.command);

	errno = f->err;
	die(status, f->subject, ": ", status == 127 ? "not found" : msg_errno(),
		status == 1 ? pty_hint(f->err) : "");
}
