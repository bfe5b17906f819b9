/* ptyattach: connect this terminal to a ptyshim or ptyrouter
 *
 *	stdin -> keys -> to_link -> socket
 *	stdout <- to_user <--------- socket
 *
 * Each side is read only while the other has room.  The socket comes and goes (-R), so `life`, a
 * source without a descriptor, connects, waits between tries, and ends the program once all that
 * was received is shown.
 *
 * applet ptyattach PTYATTACH
 * config PTYATTACH y the ptyattach applet
 * usage [OPTIONS] ADDR
 * options r:e:oRq:
 * option -r ADDR  a raw server
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
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>
#include "libbb.h"

enum { LOST = 255, KEY_WAIT = 300, RETRY_MAX = 30000, CHECK = 30000, SLICE = 512 };

static struct addr addr;
static struct sock_names names;
static int name_next;
static struct queue to_link, to_user;
static int detach_key = '\\' & 0x1f;
static char watch, reconnect, is_terminal, connected, been_up;
static char stdin_over, stdin_told; /* its end was seen; was passed on */
static char at_line_start = 1;      /* where the last output left the cursor */
static msec quit_after = NEVER, quit_at = NEVER;
static msec key_at; /* the detach key was pressed; 0: not */
static msec retry_at, retry_wait = 1000;
static msec check_at;
static int link_error; /* a reset that overtook what was sent before it */
static int leave_status;
static const char *leave_words; /* set: show what is left, then leave */

/* ---- ways out ---- */

/* What a full-screen program may have left switched on, when we leave it behind. */
static const char reset[] =
	"\033[?1000l\033[?1002l\033[?1003l\033[?1006l\033[?2004l\033[?25h\033[m";

static void announce(const char *words, const char *reason)
{
	char line[256];
	struct text t = {line, line + sizeof line - 1};

	if (isatty(2) && !at_line_start)
		text_str(&t, "\r\n");
	text_str(&t, "[");
	text_str(&t, words);
	if (reason) {
		text_str(&t, ": ");
		text_str(&t, reason);
	}
	text_str(&t, is_terminal && connected ? "]\r\n" : "]\n");
	io_write_all(2, line, t.at - line);
	at_line_start = 1;
}

static _Noreturn void leave(int status, const char *words, const char *reason)
{
	if (connected && is_terminal && isatty(2) && !leave_words)
		io_write_all(2, reset, sizeof reset - 1);
	term_restore();
	connected = 0;
	if (words)
		announce(words, reason);
	_exit(status);
}

static void on_signal(int sig)
{
	if (sig == SIGCONT)
		term_raw_again();
	else if (sig != SIGWINCH)
		leave(128 + sig, 0, 0);
}

/* ---- what the person types ---- */

static void send_input(const unsigned char *data, size_t n)
{
	if (!watch && connected)
		queue_put(&to_link, data, n);
}

static void send_key(void)
{
	unsigned char key = detach_key;

	key_at = 0;
	send_input(&key, 1);
}

/* The detach key is held back until it is known what follows: nothing, itself, or anything else. */
static void keys(const unsigned char *data, size_t n)
{
	while (n) {
		const unsigned char *key = memchr(data, detach_key, n);
		size_t before = key ? (size_t)(key - data) : n;

		if (key_at) {
			send_key();
			before = !before;
		} else {
			send_input(data, before);
			if (key) {
				key_at = loop_now;
				before++;
			}
		}
		data += before;
		n -= before;
	}
}

static unsigned user_want(struct source *src, msec *due)
{
	(void)src;
	if (key_at)
		due_at(due, key_at + KEY_WAIT);
	if (stdin_over || leave_words || queue_room(&to_link) < 4096 + 1)
		return 0;
	return connected || (been_up && is_terminal) ? LOOP_READ : 0;
}

static void user_ready(struct source *src, unsigned what)
{
	static unsigned char buf[4096];
	ssize_t n;

	if (what & LOOP_TIME) {
		if (key_at && loop_now - key_at >= KEY_WAIT)
			leave(0, "detached", 0);
		return;
	}
	n = io_read(src->fd, buf, sizeof buf);
	if (n > 0 && is_terminal && detach_key >= 0)
		keys(buf, n);
	else if (n > 0)
		send_input(buf, n);
	if (n >= 0)
		return;
	if (is_terminal)
		leave(128 + SIGHUP, 0, 0); /* our own terminal is gone */
	stdin_over = 1;
	if (quit_after != NEVER)
		quit_at = loop_now + quit_after;
}

static struct source user = {.want = user_want, .ready = user_ready};

/* ---- what the person sees ---- */

static char screen_blocks; /* stdout could not be opened anew: only small pieces when it is ready */

static void show_failed(void)
{
	if (errno == EPIPE)
		leave(128 + SIGPIPE, 0, 0);
	leave(1, "standard output", msg_errno());
}

static unsigned screen_want(struct source *src, msec *due)
{
	(void)src, (void)due;
	return to_user.len ? LOOP_WRITE : 0;
}

static void screen_ready(struct source *src, unsigned what)
{
	size_t n = to_user.len;
	ssize_t done;

	if (!(what & LOOP_WRITE))
		return;
	if (screen_blocks && n > SLICE)
		n = SLICE;
	done = io_write(src->fd, queue_data(&to_user), n);
	if (done < 0)
		show_failed();
	queue_take(&to_user, done);
}

static struct source screen = {.want = screen_want, .ready = screen_ready};

static void show(const unsigned char *data, size_t n)
{
	ssize_t done = 0;

	at_line_start = data[n - 1] == '\n';
	if (!to_user.len && !screen_blocks)
		done = io_write(screen.fd, data, n);
	if (done < 0)
		show_failed();
	if (queue_put(&to_user, data + done, n - done))
		leave(1, "no memory", 0);
}

/* ---- the connection ---- */

static struct source sock = {.fd = -1};

static void lost(const char *reason)
{
	static const char *first;

	loop_close(&sock);
	queue_close(&to_link);
	first = first ? first : reason; /* of the addresses of one host */
	if (name_next < names.count)
		return;
	reason = first;
	first = 0;
	if (!reconnect) {
		if (connected)
			leave(LOST, "connection lost", reason);
		term_restore();
		die(LOST, addr.text, ": ", reason);
	}
	if (connected)
		announce("connection lost, trying again", reason);
	connected = 0;
	key_at = 0;
	retry_at = loop_now + retry_wait;
	retry_wait = retry_wait < RETRY_MAX / 2 ? 2 * retry_wait : RETRY_MAX;
}

static void up(void)
{
	link_error = sock_error(sock.fd);
	if (link_error && !sock_unread(sock.fd)) {
		errno = link_error;
		lost(msg_errno());
		return;
	}
	if (is_terminal && !been_up && term_raw(user.fd))
		die(LOST, "standard input: ", msg_errno());
	connected = been_up = 1;
	name_next = names.count;
	retry_wait = 1000;
}

static void link_input(void)
{
	static unsigned char buf[16384];
	ssize_t n = io_read(sock.fd, buf, sizeof buf);

	if (n < 0 && !errno)
		errno = link_error;
	if (n > 0)
		show(buf, n);
	else if (n < 0 && errno)
		lost(msg_errno());
	else if (n < 0) {
		loop_close(&sock);
		leave_words = "connection closed";
	}
}

static unsigned link_want(struct source *src, msec *due)
{
	unsigned wants = 0;

	(void)src;
	if (!connected)
		return LOOP_WRITE;
	if (check_at)
		due_at(due, check_at);
	if (!to_user.len)
		wants |= LOOP_READ;
	if (to_link.len || (stdin_over && !stdin_told))
		wants |= LOOP_WRITE;
	return wants;
}

static void link_ready(struct source *src, unsigned what)
{
	if (what & LOOP_TIME) {
		if (!check_at || loop_now < check_at)
			return;
		check_at = sock_unsent(src->fd) ? loop_now + CHECK : 0;
		if (check_at && sock_lost(src->fd))
			lost("no answer");
		return;
	}
	if (!connected) {
		up();
		return;
	}
	if (what & LOOP_READ) {
		link_input();
		return;
	}
	if (to_link.len) {
		if (io_flush(src->fd, &to_link) < 0)
			lost(msg_errno());
		else if (!check_at)
			check_at = loop_now + CHECK;
	} else if (stdin_over && !stdin_told) {
		stdin_told = 1;
		shutdown(src->fd, SHUT_WR);
	}
}

static void dial(void)
{
	int fd;

	if (!names.count) {
		lost(names.why);
		return;
	}
	fd = sock_connect(&names.name[name_next++]);
	if (fd < 0) {
		lost(msg_errno());
		return;
	}
	sock = (struct source){.fd = fd, .want = link_want, .ready = link_ready};
	retry_at = NEVER;
	stdin_told = 0;
	check_at = 0;
	loop_add(&sock);
}

/* ---- names ---- */

static unsigned lookup_want(struct source *src, msec *due)
{
	(void)src, (void)due;
	return LOOP_READ;
}

static void lookup_ready(struct source *src, unsigned what)
{
	(void)what;
	loop_close(src);
	if (io_read(src->fd, &names, sizeof names) != sizeof names)
		names = (struct sock_names){.why = "name lookup failed"};
	dial();
}

static struct source lookup = {.fd = -1, .want = lookup_want, .ready = lookup_ready};

static void call(void)
{
	retry_at = NEVER;
	if (name_next < names.count) {
		dial();
		return;
	}
	name_next = 0;
	lookup.fd = sock_resolve(&addr, &names);
	if (lookup.fd < 0)
		dial();
	else
		loop_add(&lookup);
}

/* ---- the course of things ---- */

static msec call_at(void)
{
	return name_next < names.count ? loop_now : retry_at;
}

static unsigned life_want(struct source *src, msec *due)
{
	(void)src;
	due_at(due, quit_at);
	if (leave_words && !to_user.len)
		due_at(due, loop_now);
	else if (sock.fd < 0 && lookup.fd < 0)
		due_at(due, call_at());
	return 0;
}

static void life_ready(struct source *src, unsigned what)
{
	(void)src, (void)what;
	if (leave_words && !to_user.len)
		leave(leave_status, leave_words, 0);
	if (loop_now >= quit_at && !to_link.len)
		leave(0, "detached", 0);
	if (sock.fd < 0 && lookup.fd < 0 && !leave_words && loop_now >= call_at())
		call();
}

static struct source life = {.fd = -1, .want = life_want, .ready = life_ready};

static void open_streams(void)
{
	int flags = fcntl(0, F_GETFL) & O_ACCMODE;

	is_terminal = isatty(0);
	user.fd = is_terminal ? term_reopen(0, flags) : 0;
	if (user.fd < 0)
		user.fd = 0;
	screen.fd = term_reopen(1, O_WRONLY);
	screen_blocks = screen.fd < 0;
	if (screen_blocks)
		screen.fd = 1;
}

static int key_of(const struct opt *o)
{
	const char *s = o->value;

	if (!strcmp(s, "none"))
		return -1;
	if (s[0] == '^' && s[1] && !s[2])
		return s[1] == '?' ? 127 : s[1] & 0x1f;
	if (!s[0] || s[1])
		die(1, "-e ", s, ": not a detach key (^A, ^], a character, or none)");
	return (unsigned char)*s;
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
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGCONT, SIGWINCH, 0};
	struct opt o = {.argv = argv + 1, .spec = options};
	const char *where = 0;
	int c;

	while ((c = opt_next(&o)) >= 0) {
		switch (c) {
		case 'r':
			where = o.value;
			break;
		case 'e':
			detach_key = key_of(&o);
			break;
		case 'o':
			watch = 1;
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
	refuse_own_session();
	open_streams();
	signal(SIGCHLD, SIG_IGN); /* the one who looks names up */
	sig_open(signals, on_signal);
	loop_add(&life);
	loop_add(&user);
	loop_add(&screen);
	loop_run();
	return 0;
}
