/* sock.c: stream sockets for every form of ADDR: listening, accepting, connecting.
 *
 * The file of a unix socket is created with its mode, in a directory that is entered once (io.c), so that no one who
 * can write there can redirect it to another.  The kernel, and so ss(8), then has the last part of its path only as
 * its name. A stale socket (a connection is refused) is replaced; a live one, or a file that is no socket, never is.
 *
 * A TCP peer that has vanished is detected by keepalive while the connection is idle, and by sock_lost() while it
 * owes acknowledgements.  TCP_USER_TIMEOUT would be shorter, but it also ends connections to peers that are alive and
 * do not read (a zero window), which must be kept.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "libbb.h"

enum { KEEP_IDLE = 60, KEEP_EVERY = 10, KEEP_TIMES = 3, UNSENT = 16384, BACKLOG = 512 };

void sock_unix(union sock_name *n, const char *path)
{
	*n = (union sock_name){.un.sun_family = AF_UNIX};
	memcpy(n->un.sun_path, path, strlen(path));
	if (*path == '@')
		n->un.sun_path[0] = '\0';
}

/* The wildcard address; family and port have the same offset in sockaddr_in and sockaddr_in6. */
static void any_name(union sock_name *n, int family, unsigned port)
{
	*n = (union sock_name){.in6 = {.sin6_family = family, .sin6_port = htons(port)}};
}

static void loopback_names(union sock_name n[2], unsigned port)
{
	any_name(&n[0], AF_INET, port);
	n[0].in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	any_name(&n[1], AF_INET6, port);
	n[1].in6.sin6_addr = in6addr_loopback;
}

static const char not_numeric[] = "not a numeric host, or no such interface";

static void host_text(char host[ADDR_HOST_MAX + 1], const struct addr *a)
{
	memcpy(host, a->host, a->host_len);
	host[a->host_len] = '\0';
}

/* The socket address of a numeric host: 0 or -1.  IPv6 must stand in brackets, IPv4 must not. */
static int numeric(union sock_name *n, const struct addr *a)
{
	char host[ADDR_HOST_MAX + 1];

	host_text(host, a);
	return net_numeric(n, host, a->port) || (n->sa.sa_family == AF_INET6) != a->ipv6 ? -1 : 0;
}

socklen_t sock_name_len(const union sock_name *n)
{
	size_t path = offsetof(struct sockaddr_un, sun_path);

	if (n->sa.sa_family == AF_UNIX)
		return path +
		       (*n->un.sun_path ? strlen(n->un.sun_path) : 1 + strlen(n->un.sun_path + 1));
	return n->sa.sa_family == AF_INET6 ? sizeof n->in6 : sizeof n->in;
}

static int is_localhost(const struct addr *a)
{
	return a->host_len == 9 && !strncmp(a->host, "localhost", 9);
}

int sock_is_local(const struct addr *a)
{
	union sock_name n;

	return a->kind == ADDR_UNIX || !a->host || is_localhost(a) ||
	       (!numeric(&n, a) && net_is_loopback(&n));
}

/* ---- listening ---- */

static int stream(int family)
{
	return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/* Returns -1, with the errno of what failed before; fd may be -1. */
static int abandon(int fd)
{
	int saved = errno;

	close(fd);
	errno = saved;
	return -1;
}

enum {
	BOTH = 1,
	FREE = 2
}; /* IPv4 as well; the address may be nobody's yet (IP_FREEBIND, ip(7)) */

static int tcp_listen(const union sock_name *n, int how)
{
	int fd = stream(n->sa.sa_family), on = 1, only = !(how & BOTH);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (n->sa.sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only);
	if (how & FREE)
		setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof on);
	if (!bind(fd, &n->sa, sock_name_len(n)) && !listen(fd, BACKLOG))
		return fd;
	return abandon(fd);
}

/* Returns whether listening has just failed because the kernel has no IPv6. */
static int no_ipv6(void)
{
	return errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL;
}

/* Listens on every interface: one dual-stack IPv6 socket, or an IPv4 one if the kernel has no IPv6. */
static int any_listen(unsigned port)
{
	union sock_name n;
	int fd;

	any_name(&n, AF_INET6, port);
	fd = tcp_listen(&n, BOTH);
	if (fd >= 0 || !no_ipv6())
		return fd;
	any_name(&n, AF_INET, port);
	return tcp_listen(&n, 0);
}

static int local_listen(unsigned port, int fd[2])
{
	union sock_name n[2];

	loopback_names(n, port);
	fd[0] = tcp_listen(&n[0], 0);
	if (fd[0] < 0)
		return -1;
	fd[1] = tcp_listen(&n[1], 0);
	return fd[1] < 0 && !no_ipv6() ? -1 : 0; /* half of it would be another server's */
}

/* A board's network may come up later than its server. */
static int host_listen(const struct addr *a, const union sock_name *n)
{
	int fd = tcp_listen(n, 0);

	if (fd >= 0 || errno != EADDRNOTAVAIL)
		return fd;
	fd = tcp_listen(n, FREE);
	if (fd >= 0)
		warn(a->text, ": no interface has this address yet");
	return fd;
}

/* Whether a server listens at this socket.  If connect(2) fails for want of permission or room, one is assumed. */
static int unix_alive(const struct addr *a, const union sock_name *n)
{
	int fd = stream(AF_UNIX), alive;

	if (fd < 0)
		die(1, a->text, ": ", msg_errno());
	alive = !connect(fd, &n->sa, sock_name_len(n)) ||
		(errno != ECONNREFUSED && errno != ENOENT);
	close(fd);
	return alive;
}

/* Removes a stale socket.  If another one is bound in its place between the check and unlink(2), that is removed: a
 * file cannot be removed by descriptor.  Only a user who may write to this directory can bring that about, and could
 * remove the socket anyway. */
static void replace_stale(const struct addr *a, const union sock_name *n)
{
	struct stat st;

	if (lstat(n->un.sun_path, &st))
		return;
	if (!S_ISSOCK(st.st_mode))
		die(1, a->text, ": exists and is not a socket");
	if (unix_alive(a, n))
		die(1, a->text, ": already in use: a server answers there");
	unlink(n->un.sun_path);
}

/* In every Linux bind(2) creates the file with the mode 0777 & ~umask (unix_bind() in net/unix/af_unix.c), so the
 * umask is set for the moment.  A chmod(2) of the path afterwards would follow a link that was put there meanwhile,
 * and fchmod(2) of the bound socket does not change the file. */
static int path_bind(int fd, const union sock_name *n, mode_t mode, struct file_id *made)
{
	mode_t mask = umask(0777 & ~mode);
	int failed = bind(fd, &n->sa, sock_name_len(n));
	struct stat st;

	umask(mask);
	if (failed || lstat(n->un.sun_path, &st))
		return -1;
	*made = (struct file_id){st.st_dev, st.st_ino};
	return 0;
}

/* Listens in the directory to which the path leads now, even if the path is changed meanwhile.  anew: a file that is there
 * stays, whatever it is. */
static int path_listen(const struct addr *a, mode_t mode, int anew, struct file_id *made)
{
	int back, fd = stream(AF_UNIX), bad;
	const char *name = fd < 0 ? 0 : io_enter(a->text, &back);
	union sock_name n = {.un.sun_family = AF_UNIX};

	if (fd < 0 || !name)
		return abandon(fd);
	memcpy(n.un.sun_path, name, strlen(name));
	if (!anew)
		replace_stale(a, &n);
	bad = path_bind(fd, &n, mode, made) || listen(fd, BACKLOG);
	if (bad && io_is_file(name, made))
		unlink(name);
	io_leave(back);
	return bad ? abandon(fd) : fd;
}

int sock_listen_anew(const struct addr *a, mode_t mode, int fd, struct file_id *made)
{
	struct stat st;
	int fresh;

	*made = (struct file_id){0};
	if (!lstat(a->text, &st) || errno != ENOENT)
		return 0;
	fresh = path_listen(a, mode, 1, made);
	if (fresh < 0)
		return -1;
	io_replace(fd, fresh);
	return 0;
}

static int abstract_listen(const struct addr *a)
{
	union sock_name n;
	int fd = stream(AF_UNIX);

	sock_unix(&n, a->text);
	return fd < 0 || bind(fd, &n.sa, sock_name_len(&n)) || listen(fd, BACKLOG) ? -1 : fd;
}

void sock_listen(const struct addr *a, mode_t mode, int fd[2], struct file_id *made)
{
	union sock_name n;

	fd[1] = -1;
	*made = (struct file_id){0};
	if (a->kind == ADDR_UNIX && *a->text == '@')
		fd[0] = abstract_listen(a);
	else if (a->kind == ADDR_UNIX)
		fd[0] = path_listen(a, mode, 0, made);
	else if (CFG_SUPERVISED && a->kind != ADDR_TCP)
		fd[0] = a->port;
	else if (!a->host)
		fd[0] = any_listen(a->port);
	else if (is_localhost(a))
		fd[0] = local_listen(a->port, fd) ? -1 : fd[0];
	else if (numeric(&n, a))
		die(1, a->text, ": ", not_numeric);
	else
		fd[0] = host_listen(a, &n);
	if (fd[0] < 0)
		die(1, a->text, ": ", msg_errno());
}

/* ---- connecting ---- */

/* Sets the addresses of PORT, localhost or a numeric host, and returns how many; 0 for a host name. */
static int numeric_try(const struct addr *a, union sock_name *n)
{
	if (a->host && !is_localhost(a))
		return numeric(n, a) ? 0 : 1;
	loopback_names(n, a->port);
	return 2;
}

static void look_up(const struct addr *a, struct sock_names *names)
{
	char host[ADDR_HOST_MAX + 1];

	host_text(host, a);
	host_look_up(names, host, a->port);
}

int sock_resolve(const struct addr *a, struct sock_names *names)
{
	int fd;

	*names = (struct sock_names){.why = not_numeric};
	if (a->kind == ADDR_UNIX) {
		sock_unix(names->name, a->text);
		names->count = 1;
		return -1;
	}
	names->count = numeric_try(a, names->name);
	if (!CFG_NAMES || names->count || a->ipv6)
		return -1;
	fd = sig_fork_aside(); /* DNS blocks, and so does a file on a network */
	if (!fd) {
		look_up(a, names);
		_exit(write(0, names, sizeof *names) < 0);
	}
	if (fd < 0)
		names->why = msg_errno();
	return fd;
}

int sock_connect(const union sock_name *n)
{
	int fd = stream(n->sa.sa_family);

	if (fd < 0)
		return -1;
	if (!connect(fd, &n->sa, sock_name_len(n)) || errno == EINPROGRESS) {
		sock_tune(fd);
		return fd;
	}
	return abandon(fd);
}

/* A connection to a port of this machine at which nobody listens may be given that very port (RFC 9293, 3.5: both
 * ends open at once). */
static int is_connected_to_itself(int fd)
{
	union sock_name own, peer;
	socklen_t len = sizeof own, peer_len = sizeof peer;

	return !getsockname(fd, &own.sa, &len) && !getpeername(fd, &peer.sa, &peer_len) &&
	       own.sa.sa_family != AF_UNIX && len == peer_len && !memcmp(&own, &peer, len);
}

int sock_error(int fd)
{
	int e = 0;
	socklen_t len = sizeof e;

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &len))
		return errno;
	return !e && is_connected_to_itself(fd) ? ECONNREFUSED : e;
}

/* ---- connections ---- */

void sock_tune(int fd)
{
	static const int option[][3] = {
		{SOL_SOCKET, SO_KEEPALIVE, 1},
		{IPPROTO_TCP, TCP_NODELAY, 1},
		{IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT},
		{IPPROTO_TCP, TCP_KEEPIDLE, KEEP_IDLE},
		{IPPROTO_TCP, TCP_KEEPINTVL, KEEP_EVERY},
		{IPPROTO_TCP, TCP_KEEPCNT, KEEP_TIMES},
	};

	for (unsigned i = 0; i < sizeof option / sizeof *option; i++)
		setsockopt(fd, option[i][0], option[i][1], &option[i][2], sizeof(int));
}

int sock_accept(int listener, union sock_name *n)
{
	socklen_t len = sizeof *n;
	int fd;

	*n = (union sock_name){0};
	fd = accept4(listener, &n->sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0 && n->sa.sa_family == AF_UNIX)
		sock_inline(fd);
	return fd;
}

/* Linux 5.15 has such bytes in unix sockets, too. */
void sock_inline(int fd)
{
	int on = 1;

	setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on);
}

int sock_is_unix(int fd)
{
	int family = 0;
	socklen_t len = sizeof family;

	getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &len);
	return family == AF_UNIX;
}

void sock_discard(int fd)
{
	static char buf[4096] LARGE;

	for (int i = 0; i < 4 && io_receive(fd, buf, sizeof buf) == sizeof buf; i++)
		;
}

void sock_refuse(int fd, const char *why)
{
	char line[80];
	struct text t = {line, line + sizeof line};

	text_str(&t, msg_applet);
	text_str(&t, ": ");
	text_str(&t, why);
	text_str(&t, "\r\n");
	io_write(fd, line, t.at - line);
	shutdown(fd, SHUT_WR);
	sock_discard(fd);
	io_close(fd);
}

int sock_unread(int fd)
{
	int n = 0;

	return ioctl(fd, FIONREAD, &n) ? 0 : n;
}

int sock_unsent(int fd)
{
	int n = 0;

	return ioctl(fd, TIOCOUTQ, &n) ? 0 : n;
}

int sock_lost(int fd)
{
	struct pollfd p = {.fd = fd};
	struct tcp_info info = {0};
	socklen_t len = sizeof info;

	if (poll(&p, 1, 0) > 0 && p.revents & (POLLHUP | POLLERR))
		return 1;
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len))
		return 0;
	return info.tcpi_last_ack_recv >= KEEP_IDLE * 1000 &&
	       (info.tcpi_retransmits >= KEEP_TIMES || info.tcpi_probes >= KEEP_TIMES);
}
