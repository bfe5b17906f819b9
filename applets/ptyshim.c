/* ptyshim: run a command as a daemon under a pseudoterminal that all clients share
 *
 * One session, any number of clients.  Only how it ends is special here.  The source `lifetime` has no descriptor; its
 * deadlines follow in each turn of the loop from the state of the session and of the clients:
 *
 *	command ends -> -R: again after SECS
 *	             -> else: addresses closed (with -w once a client has the last output) -> no client left -> exit
 *	TERM -> HUP to the command, 5 s, KILL -> as above, without -w; exit after GIVE_UP or FLUSH at the latest
 *
 * applet ptyshim PTYSHIM
 * config PTYSHIM y the ptyshim applet
 * config INTERACTIVE y its option -I
 * usage [OPTIONS] [ADDR] [COMMAND [ARG]...]
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

enum {
	FLUSH = 5000,           /* ms after TERM and the command's end, to write the last output */
	GIVE_UP = 5000 + FLUSH, /* ms after TERM; KILL comes 5 s after HUP */
	RESTART_MIN = 1000,     /* -R: ms from one start to the next, at least */
};

static struct session session;
static struct trails trails;
static size_t ring_size = 64 * 1024; /* -b */
static char wait_for_client;         /* -w */
static char interactive;             /* -I */
static msec restart_after;           /* -R, in ms */
static msec ending;                  /* when TERM was received; 0: not yet */
static msec retry_at;                /* -R: next start after one that failed; 0: none failed */
static int restart_error;            /* -R: the errno of that failure, which clients were told */

/* With "-" as ADDR and a key: whether the only client is still to authenticate. */
static int is_handshaking(void)
{
	return CFG_SUPERVISED && CFG_KEYED && server.single_connection && handshake_pending();
}

/* Whether a client is still waited for, though the command has ended. */
static int is_waiting(void)
{
	return (is_handshaking() || (wait_for_client && !session.collected)) && !ending;
}

/* Whether a COMMAND runs, or is still to end. */
static int has_commands(void)
{
	return CFG_EXEC && session_slot_next(session_slots);
}

static int is_finished(void)
{
	return session_closed(&session) && !is_waiting() && !client_alive && !has_commands();
}

/* When the server exits after TERM, whatever is left to do. */
static msec exit_at(void)
{
	if (!ending)
		return NEVER;
	return session.state == SESSION_OVER && !has_commands() ? session.ended + FLUSH :
								  ending + GIVE_UP;
}

/* With "-" as ADDR: whether the only client has left. */
static int is_abandoned(void)
{
	return CFG_SUPERVISED && server.single_connection && !ending && !client_alive &&
	       !is_handshaking();
}

/* -R: when the command that has ended is started again. */
static msec restart_at(void)
{
	msec at = retry_at ? retry_at : session.ended + restart_after;

	return at > session.began + RESTART_MIN ? at : session.began + RESTART_MIN;
}

static unsigned lifetime_want(struct source *src, msec *due)
{
	(void)src;
	if (is_abandoned())
		due_at(due, loop_now);
	due_at(due, exit_at());
	if (CFG_EXEC)
		due_at(due, router_sessions_due());
	if (!session_closed(&session))
		return 0;
	if (session.restarts && session.state != SESSION_NEW)
		due_at(due, restart_at());
	else if (is_finished() || (server.listening && !is_waiting()))
		due_at(due, loop_now);
	return 0;
}

/* Tells clients whether the command was started again. */
static void announce_restart(const struct failure *f)
{
	static char line[300] LARGE;
	struct text t = {line, line + sizeof line - 1};

	text_str(&t, "ended with status ");
	text_num(&t, session.status);
	text_str(&t, f->err ? ", not started again: " : ", started again");
	text_str(&t, f->err ? command_describe(&server.command, f) : "");
	*t.at = '\0';
	client_notice_all(&session, line);
	if (f->err)
		warn(line);
}

static void restart(void)
{
	struct failure f = session_start(&session);

	if (!f.err || f.err != restart_error) /* each reason is told once */
		announce_restart(&f);
	restart_error = f.err;
	retry_at =
		f.err ? loop_now + (restart_after > RESTART_MIN ? restart_after : RESTART_MIN) : 0;
}

static void end(void)
{
	client_rules.ending = 1;
	session_hangup(&session);
	if (CFG_EXEC)
		router_sessions_hangup();
	session.hung_up |= session.restarts; /* between two runs, too */
	session.restarts = 0;
	if (!ending)
		ending = loop_now;
}

static void lifetime_ready(struct source *src, unsigned what)
{
	(void)src, (void)what;
	if (CFG_EXEC)
		router_sessions_serve();
	if (is_abandoned())
		end();
	if (session_closed(&session) && session.restarts && session.state != SESSION_NEW) {
		if (loop_now >= restart_at())
			restart();
		return;
	}
	if (session_closed(&session) && !is_waiting())
		listeners_close();
	if (is_finished() || loop_now >= exit_at())
		loop_stop();
}

static struct source lifetime = {.fd = -1, .want = lifetime_want, .ready = lifetime_ready};

static void reaped(pid_t pid, int status)
{
	if (CFG_RECORD)
		record_reaped(&session.record, pid);
	if (pid == session.pty.pid)
		session_exited(&session, status);
	if (CFG_EXEC)
		router_sessions_reaped(pid, status);
}

static void begin(void)
{
	struct failure f = session_start(&session);

	if (f.err)
		command_die(&server.command, &f);
	if (CFG_CONSOLE && session.takes_console) {
		pstore_show(&session);
		kmsg_open(&session);
	}
}

/* With "-" as ADDR the command starts when its client is accepted. */
static struct client *accepted(int fd, const char *name, int mode)
{
	if (CFG_SUPERVISED && server.single_connection)
		begin();
	return client_open(fd, &session, name, mode);
}

static void append_stats(struct text *t)
{
	stats_session(t, &session);
	if (CFG_EXEC)
		router_sessions_stats(t);
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

	/* another client, or none, may have its slot by now */
	if (!is_interactive() || !terminal->tty || terminal->src.closed)
		return;
	if (sig == SIGCONT)
		term_raw_again();
	/* also after SIGCONT: the shell, which had the terminal meanwhile, got SIGWINCH in the server's place */
	if (!term_size(0, &size))
		client_window(terminal, &size);
}

static void on_other_signal(int sig)
{
	if (sig != SIGUSR1) {
		follow_size(sig);
		return;
	}
	listeners_renew();
	if (CFG_RECORD)
		record_renew(&session.record);
}

static void attach_terminal(void)
{
	int fd = nowait_open(0, O_RDWR);

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
			ring_size = opt_size(&o, 4096, 1 << 30);
			break;
		case 'o':
			client_rules.watch = 1;
			break;
		case 'I':
			interactive = server.foreground = 1;
			break;
		case 'c':
			session.takes_console = CFG_CONSOLE;
			break;
		case 'w':
			wait_for_client = 1;
			break;
		case 'R':
			restart_after = (msec)opt_num(&o, 0, 1000000) * 1000;
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
	command_check(&server.command);
	if (CFG_RECORD)
		record_check(0);
	if (!is_interactive())
		sig_block(SIGTTOU);
	server_start();
	pgrp_open();
	server_signals(end, reaped, on_other_signal);
	session.command = &server.command;
	session.shared = 1;
	session.id = server.session;
	session.trails = CFG_MODES ? &trails : 0;
	session.size = server.size;
	if (ring_open(&session.ring, ring_size))
		die(1, "-b: ", msg_errno());
	session.pty.src.fd = session.pty.slave = -1;
	if (CFG_EXEC)
		router_sessions_init(0, 0, 0);
	if (!CFG_SUPERVISED || !server.single_connection)
		begin();
	listeners_accept(1, CFG_STATS ? append_stats : 0);
	if (CFG_CALLOUT)
		callouts_start();
	server_ready();
	if (CFG_RECORD) /* only now, when it no longer inherits the starter's standard error */
		record_begin(&session.record, &session.ring, &session.size, &server.command,
			session.pty.pid);
	if (CFG_CONSOLE && session.takes_console)
		warn("/dev/console and the kernel's log come out of this session (-c)");
	if (is_interactive())
		attach_terminal();
	loop_add(&lifetime);
	loop_run();
	if (is_interactive())
		term_restore();
	server_end();
	if (CFG_RECORD)
		record_finish(&session.record);
	return session.status;
}
