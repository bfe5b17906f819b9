/* ptyshim: run a command as a daemon under a pseudoterminal that all clients share
 *
 * One session, any number of clients.  All that is special here is how it ends: the source `life`
 * has no descriptor and looks, turn by turn, at what the session and the clients have come to.
 *
 * applet ptyshim PTYSHIM
 * config PTYSHIM y the ptyshim applet
 * config INTERACTIVE y its option -I
 * usage [OPTIONS] ADDR [COMMAND [ARG]...]
 * options b:oIcwR: server
 * option -b BYTES  output kept for late clients and for clients that fall behind; k, m (64k)
 * option -o  clients only watch: what they type is dropped
 * option[INTERACTIVE] -I  this terminal is a client too (implies -F)
 * option[CONSOLE] -c  what is written to /dev/console and the kernel's log come out as well (needs root)
 * option -w  when COMMAND ends, wait for one client to collect the last output
 * option -R SECS  run COMMAND again SECS after it ends; clients stay
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>
#include "server/server.h"

enum { FLUSH = 5000, GIVE_UP = 5000 + FLUSH }; /* ms; KILL comes 5 s after HUP */
enum { YOUNG = 1000 }; /* ms: a command that lives less than this is started once in that time */

static struct session session;
static size_t kept = 64 * 1024;
static char wait_for_client, interactive, console;
static msec again = NEVER; /* -R, in ms */
static msec ending;        /* when TERM came */
static msec retry;         /* -R: the next try after one that could not start the command */
static int failed;         /* -R: the errno of that one, which was told */

/* "-": its client has not proved itself yet. */
static int coming(void)
{
	return CFG_SUPERVISED && CFG_KEYED && server.single_connection && handshake_pending();
}

static int waiting(void)
{
	return (coming() || (wait_for_client && !session.collected)) && !ending;
}

static int finished(void)
{
	return session_closed(&session) && !waiting() && !client_alive;
}

/* The latest end after TERM. */
static msec end_at(void)
{
	if (!ending)
		return NEVER;
	return session.state == SESSION_OVER ? session.ended + FLUSH : ending + GIVE_UP;
}

/* Its only client is gone, and none can come. */
static int abandoned(void)
{
	return CFG_SUPERVISED && server.single_connection && !ending && !client_alive && !coming();
}

/* -R: when the command that has ended is started again. */
static msec restart_at(void)
{
	msec at = retry ? retry : session.ended + again;

	return at > session.began + YOUNG ? at : session.began + YOUNG;
}

static unsigned life_want(struct source *src, msec *due)
{
	(void)src;
	if (abandoned())
		due_at(due, loop_now);
	due_at(due, end_at());
	if (!session_closed(&session))
		return 0;
	if (session.restarts && session.state != SESSION_NEW)
		due_at(due, restart_at());
	else if (finished() || (server.listening && !waiting()))
		due_at(due, loop_now);
	return 0;
}

/* Tells clients what became of it; a reason for a failure once. */
static void tell_restart(const struct failure *f)
{
	static char line[300] LARGE;
	struct text t = {line, line + sizeof line - 1};

	text_str(&t, "ended with status ");
	text_num(&t, session.status);
	text_str(&t, f->err ? ", not started again: " : ", started again");
	if (f->err)
		command_words(&t, &server.command, f);
	*t.at = '\0';
	client_tell(&session, line);
	if (f->err)
		warn(line);
}

static void run_again(void)
{
	struct failure f = session_start(&session);

	if (!f.err || f.err != failed)
		tell_restart(&f);
	failed = f.err;
	retry = f.err ? loop_now + (again > YOUNG ? again : YOUNG) : 0;
}

static void end(void)
{
	client_rules.ending = 1;
	session_hangup(&session);
	session.restarts = 0;
	if (!ending)
		ending = loop_now;
}

static void life_ready(struct source *src, unsigned what)
{
	(void)src, (void)what;
	if (abandoned())
		end();
	if (session_closed(&session) && session.restarts && session.state != SESSION_NEW) {
		if (loop_now >= restart_at())
			run_again();
		return;
	}
	if (session_closed(&session) && !waiting())
		listeners_close();
	if (finished() || loop_now >= end_at())
		loop_stop();
}

static struct source life = {.fd = -1, .want = life_want, .ready = life_ready};

static void reaped(pid_t pid, int status)
{
	if (pid == session.pty.pid)
		session_exited(&session, status);
}

static void begin(void)
{
	struct failure f = session_start(&session);

	if (f.err)
		command_failed(&server.command, &f);
	if (CFG_CONSOLE && console)
		kmsg_open(&session);
}

/* For a connection that we were started with the command begins when that is let in. */
static struct client *accepted(int fd, const char *name, int mode)
{
	if (CFG_SUPERVISED && server.single_connection)
		begin();
	return client_open(fd, &session, name, mode);
}

static void tell_stats(struct text *t)
{
	stats_session(t, &session);
	stats_end();
}

/* ---- the invoking terminal (-I) ---- */

static int is_interactive(void)
{
	return CFG_INTERACTIVE && interactive;
}

static struct client *terminal;

static void follow_size(int sig)
{
	struct winsize size;

	if (is_interactive() && sig == SIGWINCH && !terminal->src.closed && !term_size(0, &size))
		client_window(terminal, &size);
}

static void join_terminal(void)
{
	int fd = term_reopen(0, O_RDWR);

	if (fd < 0 || term_raw(0))
		die(1, "-I: ", msg_errno());
	terminal = client_open(fd, &session, "terminal", CLIENT_RAW);
	terminal->tty = 1;
	follow_size(SIGWINCH);
}

int ptyshim_main(char **argv, const char *options)
{
	struct opt o = {.argv = argv + 1, .spec = options};
	int c;

	if (CFG_SUPERVISED)
		inherit_silence(o.argv);
	server_seal(argv, options);
	while ((c = opt_next(&o)) >= 0) {
		switch (c) {
		case 'b':
			kept = opt_size(&o, 4096, 1 << 30);
			break;
		case 'o':
			client_rules.watch = 1;
			break;
		case 'I':
			interactive = server.foreground = 1;
			break;
		case 'c':
			console = CFG_CONSOLE;
			break;
		case 'w':
			wait_for_client = 1;
			break;
		case 'R':
			again = (msec)opt_num(&o, 0, 1000000) * 1000;
			session.restarts = 1;
			break;
		default:
			server_option(&o, c);
		}
	}
	if (is_interactive() && !isatty(0))
		die(1, "-I: standard input is not a terminal");
	if (is_interactive() && !server.sized)
		term_size(0, &server.size);
	server_listen(&o, accepted);
	command_find(&server.command);
	if (!is_interactive())
		sig_block(SIGTTOU);
	server_start();
	pgrp_open();
	server_signals(end, reaped, follow_size);
	session.command = &server.command;
	session.shared = 1;
	session.id = server.session;
	session.size = server.size;
	session.takes_console = CFG_CONSOLE && console;
	if (ring_open(&session.ring, kept))
		die(1, "-b: ", msg_errno());
	session.pty.src.fd = session.pty.slave = -1;
	if (!CFG_SUPERVISED || !server.single_connection)
		begin();
	listeners_accept(1, CFG_STATS ? tell_stats : 0);
	server_ready();
	if (CFG_CONSOLE && console)
		warn("/dev/console and the kernel's log come out of this session (-c)");
	if (is_interactive())
		join_terminal();
	loop_add(&life);
	loop_run();
	if (is_interactive())
		term_restore();
	server_end();
	return session.status;
}
