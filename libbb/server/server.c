/* server.c: what both servers do: their common options, their command, their start.
 *
 *	options -> sockets listen -> background, pid file -> command (ptyshim) or workers (ptyrouter) -> server_ready()
 *
 * Whatever a wrong option or address can cause fails before the server goes into the background, with a message on the
 * caller's terminal.  server_ready() lets the caller's shell go on.
 *
 * group server
 * options r:f:x:k:a:m:n:s:i:EQl:S:Fp:u:H:N:t:C:v
 * option -r ADDR  a raw socket, where nothing that comes is looked at (repeatable; then no bare ADDR)
 * option[FRAMED] -f ADDR  a framed socket (repeatable; then no bare ADDR)
 * option[CALLOUT] -x ADDR  call out: connect to ADDR, again and again, and serve who answers
 *   (repeatable; then no bare ADDR)
 * option[KEYED] -k FILE  encrypt and authenticate TCP clients with this shared key
 * option -a NET[,NET]...  TCP peers that may connect: IP, IP/BITS, any (loopback and private ranges; any with -k)
 * option -m MODE  octal mode of unix sockets (600); for @name, who may connect
 * option -n MAX  clients (ptyrouter: sessions) at once; one more is told so and closed
 * option -s ROWSxCOLS  first window size (24x80)
 * option -i SECS  close a client that has typed nothing for SECS
 * option[EXEC] -E  clients may run a COMMAND of their own (ptyattach ADDR COMMAND)
 * option[SYSRQ] -Q  clients may send SysRq keys (ptyattach -y); needs root
 * option[RECORD] -l FILE  append the output to FILE (USR1 reopens it), asciicast with times if it ends in .cast;
 *   in ptyrouter with %p, the session's pid, and maybe %t, its start
 * option[STATS] -S ADDR  statistics: whoever connects gets one JSON object
 * option -F  stay in the foreground
 * option -p FILE  pid file, removed at the end
 * option[JAIL] -u USER[:GROUP]  run COMMAND as (names or numbers), with HOME, USER, LOGNAME and SHELL of that user
 * option[JAIL] -H NAME  hostname of the new or joined UTS namespace
 * option[JAIL] -N NS[,NS]...  unshare uts, ipc, net, mnt, pid, cgroup, user
 * option[JAIL] -t PID  join the namespaces, root and directory of process PID
 * option -C DIR  the command's working directory
 * option -v  report every connection on stderr (a daemon's messages go to syslog as well)
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "server.h"

/* Descriptors without which a server does not start: a worker's control socket, both ends, and pgrp_open()'s; one client,
 * its session, and refused clients. */
enum { START_FILES = 4 + 1 + SESSION_FILES + LISTENER_FILES };

static const char *pid_file;
static char takes_sysrq; /* -Q */
static void (*on_end)(void);
static void (*on_reaped)(pid_t, int);
static void (*on_other)(int);

/* ---- options ---- */

/* Wipes all keys, so that none is in the memory of a command's process before exec. */
static void forget(void)
{
	handshake_forget();
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
		listener_add(o->value, CLIENT_RAW);
		break;
	case 'f':
		listener_add(o->value, CLIENT_FRAMED);
		break;
	case 'x':
		listener_add(o->value, LISTENER_CALL);
		break;
	case 'k':
		if (CFG_KEYED)
			handshake_key(o->value);
		server.keyed = CFG_KEYED;
		sig_forget = CFG_KEYED ? forget : 0;
		break;
	case 'a':
		if (net_allow(o->value))
			die(1, "-a ", o->value, ": not a list of networks (IP, IP/BITS or any)");
		break;
	case 'm':
		server.socket_mode = opt_octal(o, 0777);
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
	case 'E':
		exec_allowed = 1;
		break;
	case 'Q':
		takes_sysrq = CFG_SYSRQ;
		break;
	case 'l':
		if (CFG_RECORD)
			record_option(o->value);
		break;
	case 'S':
		listener_add(o->value, LISTENER_STATS);
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

/* A number of the kernel's for this run of the program alone (getauxval(3), AT_RANDOM): the half of it that libc does
 * not keep secret as its stack guard. */
static void set_session(void)
{
	const unsigned char *random = (const unsigned char *)getauxval(AT_RANDOM);
	struct text t = {server.session, server.session + sizeof server.session - 1};

	for (int i = 8; random && i < 16; i++) {
		text_hex(&t, random[i] >> 4);
		text_hex(&t, random[i] & 15);
	}
}

static void set_env(void)
{
	static char vt102[] = "TERM=vt102", *env[USERS_ENV + 3];
	const char *where = listener_first();
	int n = 0;

	set_session();
	env[n++] = env_make("PTYBOX_SESSION=", server.session, strlen(server.session));

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
	struct addr addr;

	if (listener_first() && *o->argv && !o->argv[1])
		server.command.addr_like = !addr_parse(&addr, *o->argv);
	if (!listener_first()) {
		if (!*o->argv)
			die(1, "no ADDR (see --help)");
		listener_add(*o->argv++, CLIENT_NEW);
	}
	server.command.argv = *o->argv ? o->argv : shell;
	if (!*server.command.argv[0])
		die(1, "empty COMMAND");
	if (*server.command.argv[0] == '-')
		die(1, server.command.argv[0], ": options go before ADDR");
	set_env();
}

void server_listen(struct opt *o, struct client *(*accepted)(int, const char *, int))
{
	if (CFG_JAIL)
		jail_check();
	set_command(o);
	net_allow_default(CFG_KEYED && server.keyed);
	daemon_home();
	inherit_close_others();
	loop_limit(&server.command.files);
	if (CFG_SYSRQ && takes_sysrq)
		sysrq_open(client_rules.verbose);
	if (CFG_KEYED && server.keyed)
		handshake_start(client_rules.verbose);
	if (CFG_JAIL)
		jail_hold();
	listeners_open(accepted);
}

void server_end(void)
{
	listeners_close();
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
	static const int signals[] = {
		SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGWINCH, SIGCONT, 0};
	mode_t mask = umask(0077);

	server.command.umask = mask;
	umask(mask | 0022);
	server.command.home = daemon_home();
	if (!server.foreground)
		daemon_start();
	else if (CFG_SUPERVISED)
		inherit_notify();
	if (pid_file)
		daemon_pid_file(pid_file);
	sig_open(signals);
	io_interrupt();
	oom_protect();
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
	if (server.open_to_all)
		warn("no key: whoever reaches the TCP port gets the terminal (-k, -a)");
	if (CFG_CALLOUT && server.calls_openly)
		warn("no key: whoever answers at the address of -x gets the terminal (-k)");
	daemon_ready(client_rules.verbose);
	if (CFG_SUPERVISED)
		inherit_notify_ready();
}
