/* ptyattach: connect this terminal to a ptyshim or ptyrouter
 *
 *	stdin -> detach_key -> uplink.input -> remote -> socket
 *	stdout <- display <------------------- remote <- socket
 *
 * Each side is read only while the other has room.  The source `supervisor` has no descriptor: each turn it
 * looks at the link's state (attach/link.c), connects when a connection is due, and ends the program once
 * all output that was received is written.
 *
 * applet ptyattach PTYATTACH
 * config PTYATTACH y the ptyattach applet
 * usage [OPTIONS] [ADDR] [COMMAND [ARG]...]
 * options r:f:k:L:e:ty:oRq:
 * option -r ADDR  instead of ADDR: a server that knows only raw mode
 * option[FRAMED] -f ADDR  instead of ADDR: a framed server (the default)
 * option[KEYED] -k FILE  the shared key
 * option[CALLOUT] -L ADDR  instead of ADDR: wait there for a server that calls out (-x)
 * option -e CHAR  detach key: ^A, ^], a character, or none (^\); twice sends it
 * option[EXEC] -t  COMMAND, run there instead of the server's (its -E), gets a terminal
 * option[SYSRQ] -y KEYS  send these SysRq keys, one after the other, and leave
 * option -o  only watch
 * option -R  connect again when the link is lost, and until it works
 * option -q SECS  leave SECS after standard input ended
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "attach/attach.h"

enum {
	STALLED = 30000, /* ms without the server taking input, after which -q waits no longer */
	ROOM = 16384,    /* bytes read at once */
	COMMAND = 65536, /* bytes of arguments, each with its NUL (protocol.md) */
};

static msec quit_after = NEVER; /* -q: ms after the end of input */
static msec quit_at = NEVER;    /* when -q's time is over, once input has ended */

/* ---- ways out ---- */

static _Noreturn void leave(int status, const char *words, const char *reason)
{
	if (CFG_CALLOUT && uplink.waits)
		wait_close();
	term_restore();
	display_leave(words, reason);
	_exit(status);
}

static _Noreturn void leave_display(void)
{
	errno = display_error();
	if (errno == EPIPE)
		leave(128 + SIGPIPE, 0, 0);
	leave(1, "standard output", msg_errno());
}

/* ---- standard input ---- */

static unsigned user_want(struct source *src, msec *due)
{
	(void)src;
	due_at(due, detach_key_due());
	if (uplink.state == LINK_LEAVING) /* the detach key, when the terminal takes nothing */
		return uplink.terminal && uplink.eof == EOF_NONE ? LOOP_READ : 0;
	if (uplink.eof != EOF_NONE || queue_room(&uplink.input) < ROOM + DETACH_KEY_KEPT)
		return 0;
	if (CFG_EXEC && uplink.remote.command && !uplink.remote.started)
		return 0; /* what is read would be lost with a connection that becomes none */
	if (uplink.terminal && (uplink.reconnects || uplink.waits))
		return LOOP_READ;
	return uplink.state == LINK_UP && !remote_is_stranger(&uplink.remote) ? LOOP_READ : 0;
}

static void user_ended(void)
{
	if (uplink.terminal)
		leave(128 + SIGHUP, 0, 0); /* the person's terminal has hung up */
	if (errno)                         /* whoever gets the input takes this for its end */
		display_line("standard input", msg_errno());
	uplink.eof = EOF_SEEN;
	uplink.moved_at = loop_now;
	if (quit_after != NEVER)
		quit_at = loop_now + quit_after;
}

/* The session may be over, and its end not be shown yet. */
static _Noreturn void detach(void)
{
	if (uplink.state == LINK_LEAVING)
		leave(uplink.leave_status, uplink.leave_words, uplink.leave_reason);
	leave(0, "detached", 0);
}

/* ^C is for ptyattach as long as nobody else can be meant. */
static int may_interrupt(void)
{
	return uplink.state == LINK_IDLE || uplink.state == LINK_DIALING;
}

static void user_ready(struct source *src, unsigned what)
{
	static unsigned char buf[ROOM] LARGE;
	ssize_t n;

	if (what & LOOP_TIME) {
		if (detach_key_timer())
			detach();
		return;
	}
	n = io_read(src->fd, buf, sizeof buf);
	if (n < 0)
		user_ended();
	else if (!uplink.terminal)
		link_input(buf, n);
	else if (detach_key_typed(buf, n) && may_interrupt())
		leave(128 + SIGINT, 0, 0);
	link_send();
}

static struct source user = {.want = user_want, .ready = user_ready};

/* ---- each turn ---- */

static void on_signal(int sig)
{
	if (sig != SIGCONT && sig != SIGWINCH) {
		if (link_signal(sig))
			return;
		leave(128 + sig, 0, 0);
	}
	if (sig == SIGCONT)
		term_raw_again();
	display_resized(); /* as well while the program stood still, and was not told */
	link_window();
}

/* The socket of the last connection is closed by the loop, when the next turn begins. */
static int may_connect(void)
{
	return uplink.state == LINK_IDLE && uplink.src.fd < 0;
}

static int is_over(void)
{
	return uplink.state == LINK_LEAVING && !display_pending();
}

static msec leave_at(void)
{
	msec stalled_at = link_unsent() ? uplink.moved_at + STALLED : 0;

	return quit_at > stalled_at ? quit_at : stalled_at;
}

static unsigned supervisor_want(struct source *src, msec *due)
{
	(void)src;
	if (quit_at != NEVER)
		due_at(due, leave_at());
	due_at(due, link_signal_due());
	if (display_error() || is_over())
		due_at(due, loop_now);
	else if (may_connect())
		due_at(due, uplink.retry_at);
	due_at(due, link_tick_due());
	return 0;
}

static void supervisor_ready(struct source *src, unsigned what)
{
	(void)src, (void)what;
	if (display_error())
		leave_display();
	if (is_over())
		leave(uplink.leave_status, uplink.leave_words, uplink.leave_reason);
	if (loop_now >= link_signal_due())
		leave(128 + uplink.signal, 0, 0);
	if (quit_at != NEVER && loop_now >= leave_at()) {
		link_announce_unsent();
		leave(0, "detached", 0);
	}
	link_tick();
	if (may_connect() && loop_now >= uplink.retry_at) {
		if (CFG_CALLOUT && uplink.waits)
			wait_begin();
		else
			connect_begin();
	}
}

static struct source supervisor = {.fd = -1, .want = supervisor_want, .ready = supervisor_ready};

/* ---- the start ---- */

static void open_input(void)
{
	int terminal = isatty(0);

	user.fd = terminal ? nowait_open(0, O_RDONLY) : 0;
	if (user.fd < 0)
		user.fd = 0;
	uplink.terminal = terminal && (!uplink.remote.command || uplink.remote.pty);
}

/* A server that refuses says so instead: the greeting waits for the session's first sign. */
static void greet(void)
{
	static char hint[32];
	struct text t = {hint, hint + sizeof hint - 1};
	char *key;

	text_str(&t, "; ");
	key = t.at;
	detach_key_name(&t);
	if (t.at == key)
		t.at = hint;
	else
		text_str(&t, " detaches");
	*t.at = '\0';
	if (uplink.terminal && isatty(1) && !uplink.remote.command)
		display_greeting(&(struct greeting){
			.words = uplink.remote.watch ? "watching " : "attached to ",
			.name = link_peer(),
			.hint = hint});
}

/* -y: the words' sense is checked before anything is sent. */
static void check_keys(void)
{
	const char *key = uplink.remote.keys;

	while (frame_is_sysrq(*(const unsigned char *)key))
		key++;
	if (*key || key == uplink.remote.keys)
		die(1, "-y ", uplink.remote.keys, ": not SysRq keys (letters and digits)");
	if (!uplink.framed || uplink.remote.watch)
		die(1, "-y: neither with -r nor with -o");
	uplink.remote.sure = 1;
}

/* Takes COMMAND, what is left of the arguments, or dies where that makes no sense. */
static void take_command(char **argv)
{
	struct remote *r = &uplink.remote;
	size_t n = 0;

	if (*argv && **argv == '-')
		die(1, *argv, ": options go before ADDR");
	if (*argv && !CFG_EXEC)
		die(1, *argv, ": one ADDR is enough (see --help)");
	if (!*argv && r->pty)
		die(1, "-t: there is no COMMAND (see --help)");
	if (!*argv)
		return;
	if (!uplink.framed || r->watch || r->keys)
		die(1,
			r->watch ? "-o: " :
			r->keys  ? "-y: " :
				   "-r: ",
			*argv, ": not with a COMMAND");
	for (char **arg = argv; *arg; arg++)
		n += strlen(*arg) + 1;
	if (n > COMMAND)
		die(1, *argv, ": too many or too long arguments (65536 bytes at most)");
	r->command = argv;
	r->sure = 1;
}

/* In raw mode the server does not say which session it is (remote.c): then the same words mean the same one. */
static void refuse_own_session(void)
{
	const char *own = getenv("PTYBOX_SOCKET");

	if (!uplink.framed && own && !getenv("PTYBOX_PEER") && !strcmp(own, uplink.addr.text))
		die(LOST, uplink.addr.text,
			": this terminal is that session (unset PTYBOX_SOCKET if not)");
}

int ptyattach_main(char **argv, const char *options)
{
	struct opt o = {.argv = argv + 1, .spec = options};
	struct rlimit files;
	const char *where = 0;
	int key = '\\' & 0x1f, c;

	link_init();
	while ((c = opt_next(&o)) >= 0) {
		switch (c) {
		case 'r':
		case 'f':
		case 'L':
			uplink.framed = c != 'r';
			uplink.waits = uplink.remote.sure = c == 'L';
			where = o.value;
			break;
		case 'k':
			if (CFG_KEYED)
				handshake_key(o.value);
			uplink.keyed = 1;
			break;
		case 'e':
			key = detach_key_parse(o.value);
			if (key < -1)
				die(1, "-e ", o.value,
					": not a detach key (^A, ^], a character, or none)");
			break;
		case 't':
			uplink.remote.pty = 1;
			break;
		case 'y':
			uplink.remote.keys = o.value;
			break;
		case 'o':
			uplink.remote.watch = 1;
			break;
		case 'R':
			uplink.reconnects = 1;
			break;
		case 'q':
			quit_after = (msec)opt_num(&o, 0, 100000000) * 1000;
			break;
		}
	}
	if (!where && !(where = *o.argv++))
		die(1, "no ADDR (see --help)");
	take_command(o.argv);
	addr_get(&uplink.addr, where);
	if (uplink.addr.kind != ADDR_TCP && uplink.addr.kind != ADDR_UNIX)
		die(1, where, ": only a server is given its connections");
	if (uplink.keyed && (!uplink.framed || uplink.addr.kind == ADDR_UNIX))
		die(1, "-k: ", where, ": only framed TCP is keyed");
	if (CFG_SYSRQ && uplink.remote.keys)
		check_keys();
	refuse_own_session();
	io_close_from(3);
	loop_limit(&files);
	if (CFG_KEYED && uplink.keyed)
		handshake_start(0);
	detach_key_set(key);
	if (!CFG_SYSRQ || !uplink.remote.keys)
		open_input();
	display_open();
	greet();
	sigaction(SIGCHLD, &(struct sigaction){.sa_handler = SIG_IGN}, 0); /* sock_resolve() */
	term_guard();
	sig_open_all();
	sig_listen(on_signal);
	if (CFG_CALLOUT && uplink.waits) {
		wait_open();
		display_status("waiting for a call", where, 0);
	}
	if (uplink.reconnects) /* so that what is typed without a connection is dropped, not kept by the terminal */
		link_make_raw();
	loop_add(&supervisor);
	if (!CFG_SYSRQ || !uplink.remote.keys)
		loop_add(&user);
	loop_run();
	return 0;
}
