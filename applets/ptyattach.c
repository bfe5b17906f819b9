/* ptyattach: connect this terminal to a ptyshim or ptyrouter
 *
 *	stdin -> keys -> to_link -> tell -> socket
 *	stdout <- screen <--------- tell <- socket
 *
 * Each side is read only while the other has room.  The socket comes and goes (-R), so `life`, a
 * source without a descriptor, dials, waits between tries, and ends the program once all that was
 * received is shown.
 *
 * applet ptyattach PTYATTACH
 * config PTYATTACH y the ptyattach applet
 * usage [OPTIONS] ADDR
 * options r:f:k:e:oRq:
 * option -r ADDR  a server that knows only raw mode
 * option[FRAMED] -f ADDR  a framed server (the default)
 * option[KEYED] -k FILE  the shared key
 * option -e CHAR  detach key: ^A, ^], a character, or none (^\); twice sends it
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
	LOST = 255,
	RETRY_MIN = 1000,
	RETRY_MAX = 30000,
	CHECK = 30000,
	STUCK = 30000, /* ms; -q waits no longer for input that does not move */
	ROOM = 4096,
	INTERRUPT = 3, /* ^C; without a session it is for us */
};

static struct addr addr;
static struct queue to_link;
static char framed = CFG_FRAMED, keyed, watch, reconnect, is_terminal;
static char connected, dialing;
static char stdin_over, stdin_told;              /* its end was seen; was passed on */
static msec quit_after = NEVER, quit_at = NEVER; /* -q */
static msec retry_at, retry_wait = RETRY_MIN;
static char told[80]; /* why the last try failed */
static msec check_at, moved_at;
static int reset_after; /* the error behind the last byte that can be read */
static int write_error; /* nothing more can be sent */
static int leave_status;
static const char *leave_words; /* set: show what is left, then leave */
static const char *leave_reason;

/* ---- ways out ---- */

static _Noreturn void leave(int status, const char *words, const char *reason)
{
	if (connected && is_terminal && (!leave_words || leave_status == LOST))
		screen_reset();
	term_restore();
	if (words)
		screen_say(words, reason);
	_exit(status);
}

static _Noreturn void leave_exited(int status)
{
	char line[32];
	struct text t = {line, line + sizeof line - 1};

	text_str(&t, "exited, status ");
	text_num(&t, status);
	*t.at = '\0';
	leave(status, line, 0);
}

/* ---- what the person sees ---- */

static void show_failed(void)
{
	if (errno == EPIPE)
		leave(128 + SIGPIPE, 0, 0);
	leave(1, "standard output", msg_errno());
}

static void notice(const char *line)
{
	screen_say(line, 0);
}

/* ---- what the person types ---- */

static struct teller tell = {.show = screen_show, .notice = notice};

static void send_input(const unsigned char *data, size_t n)
{
	if (!watch && connected)
		queue_put(&to_link, data, n);
}

static struct keys keys = {.key = '\\' & 0x1f, .send = send_input};

static unsigned user_want(struct source *src, msec *due)
{
	(void)src;
	due_at(due, keys_detach_at(&keys));
	if (stdin_over || leave_words || queue_room(&to_link) < ROOM + 1)
		return 0;
	return connected || (reconnect && is_terminal) ? LOOP_READ : 0;
}

static void user_ready(struct source *src, unsigned what)
{
	static unsigned char buf[ROOM] LARGE;
	ssize_t n;

	if (what & LOOP_TIME) {
		if (loop_now >= keys_detach_at(&keys))
			leave(0, "detached", 0);
		return;
	}
	n = io_read(src->fd, buf, sizeof buf);
	if (n > 0 && !connected && keys.key != INTERRUPT && memchr(buf, INTERRUPT, n))
		leave(128 + SIGINT, 0, 0);
	if (n > 0)
		keys_typed(&keys, buf, n);
	if (n >= 0)
		return;
	if (is_terminal)
		leave(128 + SIGHUP, 0, 0); /* our own terminal is gone */
	stdin_over = 1;
	moved_at = loop_now;
	if (quit_after != NEVER)
		quit_at = loop_now + quit_after;
}

static struct source user = {.want = user_want, .ready = user_ready};

/* ---- the connection ---- */

static struct source conn = {.fd = -1};

static void try_again(void)
{
	retry_at = loop_now + retry_wait;
	retry_wait = retry_wait < RETRY_MAX / 2 ? 2 * retry_wait : RETRY_MAX;
}

/* A reason is told once, and again when there was another in between. */
static void failed(const char *reason)
{
	struct text t = {told, told + sizeof told - 1};

	dialing = 0;
	if (!reconnect) {
		term_restore();
		die(LOST, addr.text, ": ", reason);
	}
	if (strncmp(told, reason, sizeof told - 1)) {
		text_str(&t, reason);
		*t.at = '\0';
		screen_say("not connected, trying again", reason);
	}
	try_again();
}

static size_t unsent(void)
{
	return to_link.len + tell.wire.out.len;
}

static void announce_unsent(void)
{
	if (unsent())
		screen_say("some of the input may be lost", 0);
}

/* For good. */
static void end(const char *reason)
{
	loop_close(&conn);
	queue_close(&to_link);
	leave_status = LOST;
	leave_words = "connection lost";
	leave_reason = reason;
}

static void lost(const char *reason)
{
	if (!reconnect) {
		end(reason);
		return;
	}
	screen_say("connection lost, trying again", reason);
	announce_unsent();
	loop_close(&conn);
	queue_close(&to_link);
	connected = 0;
	keys.held = 0;
	told[0] = '\0';
	try_again();
}

/* The connection has ended: was that the end of the session? */
static void closed(void)
{
	tell_over(&tell);
	if (reset_after || (write_error && tell.mode != TELL_RAW && !tell.answered)) {
		errno = reset_after ? reset_after : write_error;
		lost(msg_errno());
	} else if (tell.status >= 0 || tell.mode == TELL_RAW || tell.noticed ||
		   (tell.mode != TELL_EXTENDED && tell.answered && !reconnect)) {
		loop_close(&conn);
		leave_status = tell.noticed ? LOST : 0;
		leave_words = "connection closed";
	} else {
		lost("closed without an end of the session");
	}
}

static void link_input(void)
{
	static unsigned char buf[16384] LARGE;
	ssize_t n = wire_read(&tell.wire, buf, sizeof buf);

	if (n < 0 && errno)
		lost(msg_errno());
	else if (n < 0)
		closed();
	else if (n > 0 && tell_heard(&tell, buf, n))
		lost("protocol error");
	else if (tell_locked(&tell))
		end("a keyed port: -k KEYFILE is needed");
	if (tell.status >= 0)
		leave_words = "exited";
}

static void tell_window(void)
{
	struct winsize size;

	if (connected && (!term_size(0, &size) || !term_size(1, &size)))
		tell_size(&tell, &size);
}

/* Not before it is known who hears it, and whether it can be said at all. */
static int eof_due(void)
{
	return stdin_over && !stdin_told && tell.mode != TELL_LOOKING;
}

static void link_output(void)
{
	size_t before = unsent();
	int bad = 0;

	if (!check_at)
		check_at = loop_now + CHECK;
	if (tell.wire.out.len)
		bad = wire_flush(&tell.wire) < 0;
	else if (to_link.len)
		bad = tell_input(&tell, &to_link);
	else if (eof_due()) {
		stdin_told = 1;
		bad = tell_eof(&tell);
	}
	if (unsent() < before)
		moved_at = loop_now;
	if (tell.size_due)
		tell_window();
	if (bad) { /* what the server said before it closed is read all the same */
		write_error = errno;
		queue_close(&to_link);
		queue_close(&tell.wire.out);
	}
}

static void link_clock(struct source *src)
{
	if (screen_busy())
		tell_awake(&tell);
	if (tell_clock(&tell)) {
		lost("no answer");
		return;
	}
	if (!check_at || loop_now < check_at)
		return;
	check_at = sock_unsent(src->fd) ? loop_now + CHECK : 0;
	if (check_at && sock_lost(src->fd))
		lost("no answer");
}

static unsigned link_want(struct source *src, msec *due)
{
	unsigned wants = 0;

	(void)src;
	if (leave_words)
		return 0;
	if (check_at)
		due_at(due, check_at);
	due_at(due, tell_due(&tell));
	if (!screen_busy())
		wants |= LOOP_READ;
	if (write_error)
		return wants;
	if (tell.wire.out.len)
		wants |= LOOP_WRITE;
	else if ((to_link.len || eof_due()) && tell_ready(&tell, due))
		wants |= LOOP_WRITE;
	return wants;
}

static void link_ready(struct source *src, unsigned what)
{
	if (what & LOOP_TIME)
		link_clock(src);
	else if (what & LOOP_READ)
		link_input();
	else
		link_output();
}

static void make_raw(void)
{
	if (is_terminal && !term_is_raw() && term_raw(user.fd))
		die(LOST, "standard input: ", msg_errno());
}

static void start(int fd, struct noise *n)
{
	make_raw();
	dialing = 0;
	connected = 1;
	retry_wait = RETRY_MIN;
	told[0] = '\0';
	stdin_told = 0;
	check_at = 0;
	write_error = 0;
	conn = (struct source){.fd = fd, .want = link_want, .ready = link_ready};
	loop_add(&conn);
	tell_begin(&tell, fd, framed, n);
	tell_window();
}

static void agreed(
	int fd, const char *name, int mode, struct noise *n, const unsigned char *first, size_t len)
{
	(void)name, (void)mode, (void)first, (void)len;
	start(fd, n);
}

static void up(int fd, int reset_behind)
{
	reset_after = reset_behind;
	if (CFG_KEYED && keyed)
		shake_ask(fd, agreed, failed);
	else
		start(fd, 0);
}

/* ---- the course of things ---- */

static void on_signal(int sig)
{
	if (sig == SIGCONT)
		term_raw_again();
	else if (sig == SIGWINCH)
		tell_window();
	else
		leave(128 + sig, 0, 0);
}

static int idle_link(void)
{
	return conn.fd < 0 && !dialing && !leave_words;
}

static msec leave_at(void)
{
	msec stuck_at = unsent() ? moved_at + STUCK : 0;

	return quit_at > stuck_at ? quit_at : stuck_at;
}

static unsigned life_want(struct source *src, msec *due)
{
	(void)src;
	if (quit_at != NEVER)
		due_at(due, leave_at());
	if (leave_words && !screen_busy())
		due_at(due, loop_now);
	else if (idle_link())
		due_at(due, retry_at);
	return 0;
}

static void life_ready(struct source *src, unsigned what)
{
	(void)src, (void)what;
	if (leave_words && !screen_busy()) {
		if (tell.status >= 0)
			leave_exited(tell.status);
		leave(leave_status, leave_words, leave_reason);
	}
	if (quit_at != NEVER && loop_now >= leave_at()) {
		announce_unsent();
		leave(0, "detached", 0);
	}
	if (idle_link() && loop_now >= retry_at) {
		dialing = 1;
		dial(&addr, up, failed);
	}
}

static struct source life = {.fd = -1, .want = life_want, .ready = life_ready};

static void open_input(void)
{
	is_terminal = isatty(0);
	if (!is_terminal)
		keys.key = -1;
	user.fd = is_terminal ? term_reopen(0, O_RDONLY) : 0;
	if (user.fd < 0)
		user.fd = 0;
}

static void refuse_own_session(void)
{
	const char *own = getenv("PTYBOX_SOCKET");

	if (own && !getenv("PTYBOX_PEER") && !strcmp(own, addr.text))
		die(LOST, addr.text,
			": this terminal is that session (unset PTYBOX_SOCKET if not)");
}

int ptyattach_main(char **argv, const char *options)
{
	static const int signals[] = {
		SIGHUP, SIGTERM, SIGINT, SIGCONT, SIGWINCH, SIGQUIT, SIGUSR1, SIGUSR2, 0};
	struct opt o = {.argv = argv + 1, .spec = options};
	struct rlimit files;
	const char *where = 0;
	int c;

	while ((c = opt_next(&o)) >= 0) {
		switch (c) {
		case 'r':
		case 'f':
			framed = c == 'f';
			where = o.value;
			break;
		case 'k':
			if (CFG_KEYED)
				shake_key(o.value);
			keyed = 1;
			break;
		case 'e':
			keys.key = keys_parse(o.value);
			if (keys.key < -1)
				die(1, "-e ", o.value,
					": not a detach key (^A, ^], a character, or none)");
			break;
		case 'o':
			watch = tell.watch = 1;
			break;
		case 'R':
			reconnect = 1;
			break;
		case 'q':
			quit_after = (msec)opt_num(&o, 0, 100000000) * 1000;
			break;
		}
	}
	if (!where && !(where = *o.argv++))
		die(1, "no ADDR (see --help)");
	if (*o.argv)
		die(1, *o.argv, ": one ADDR is enough (see --help)");
	addr_get(&addr, where);
	if (addr.kind != ADDR_TCP && addr.kind != ADDR_UNIX)
		die(1, where, ": only a server is given its connections");
	if (keyed && (!framed || addr.kind == ADDR_UNIX))
		die(1, "-k: ", addr.text, ": only framed TCP is keyed");
	refuse_own_session();
	io_close_from(3);
	loop_limit(&files);
	if (CFG_KEYED && keyed)
		shake_start(0);
	open_input();
	signal(SIGCHLD, SIG_IGN); /* the one who looks names up */
	sig_open(signals);
	sig_listen(on_signal);
	if (reconnect)
		make_raw(); /* what is typed while nobody is there is for nobody */
	loop_add(&life);
	loop_add(&user);
	screen_open(show_failed);
	loop_run();
	return 0;
}
