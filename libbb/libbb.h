/* libbb.h: the shared core, one section a file, lowest layer first.
 *
 * A file uses only what stands above its own section; applets use everything and never each other.
 */
#ifndef LIBBB_H
#define LIBBB_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/un.h>
#include "applets.h"

#define VERSION "0.1"

/* Stands behind all small variables, so that these share few pages; its own are touched when used. */
#define LARGE __attribute__((section(".bss.~large")))

/* ==== msg.c: messages and text ==== */

/* Text being built in the caller's buffer; what does not fit is left out.  No NUL is written. */
struct text {
	char *at, *end;
};

extern const char *msg_applet;    /* the name every message begins with */
extern void (*msg_cleanup)(void); /* die() calls it first: restore the terminal, remove files */

void text_str(struct text *t, const char *s);
void text_num(struct text *t, unsigned long n);
/* In lower-case hexadecimal. */
void text_hex(struct text *t, unsigned long n);

/* How many bytes the character at s has, of at most n (UTF-8, RFC 3629); 0: it is a control character (C0, DEL,
 * C1) or no UTF-8, and nothing for a terminal. */
size_t text_char(const char *s, size_t n);
/* Drops from n bytes all that text_char() does not take, in place: how many are left. */
size_t text_clean(char *s, size_t n);

/* One line on stderr in one write: "applet: " and the strings, each cut at 200 bytes, without control
 * characters.  Keeps errno. */
#define warn(...) msg_line(__VA_ARGS__, (char *)0)
void msg_line(const char *first, ...);
/* The cleanup, the same, then _exit(status). */
#define die(status, ...) msg_die(status, __VA_ARGS__, (char *)0)
_Noreturn void msg_die(int status, const char *first, ...);
/* The system's words for errno; without WORDS its number, until the next call. */
const char *msg_errno(void);

/* ==== ring.c: the last bytes of a stream; bytes that wait for a descriptor ==== */

struct ring {
	unsigned char *buf;
	size_t size, at;
	uint64_t head; /* bytes ever put */
};

/* So many bytes before the oldest are still there: who puts no more than that at once can look at what is no longer
 * kept. */
enum { RING_SPARE = 4096 };

/* Maps size bytes and the spare ones; -1 and errno when there is no memory. */
int ring_open(struct ring *r, size_t size);
void ring_close(struct ring *r);
/* The first position still kept. */
uint64_t ring_oldest(const struct ring *r);
/* How many bytes can be put before a reader at this position (not before the oldest) loses one. */
size_t ring_room(const struct ring *r, uint64_t reader);
/* Where the next bytes go; *n is lowered to what fits there in one piece.  Then ring_put(). */
unsigned char *ring_space(const struct ring *r, size_t *n);
void ring_put(struct ring *r, size_t n);
/* A copy of n bytes, at most the ring's size. */
void ring_copy(struct ring *r, const void *data, size_t n);
/* The byte put last; of an empty stream a newline. */
int ring_last(const struct ring *r);
/* At most max bytes from pos (at most RING_SPARE before the oldest) on, in place: how many parts, 0 to 2. */
int ring_data(const struct ring *r, uint64_t pos, size_t max, struct iovec v[2]);

/* Begins at the start of the buffer again; only when nobody needs what was put. */
void ring_rewind(struct ring *r);
/* The same, and its memory goes back until it is used again. */
void ring_release(struct ring *r);

enum { QUEUE_SIZE = 65536 };

struct queue {
	unsigned char *buf; /* mapped while len > 0 */
	unsigned off, len;
};

size_t queue_room(const struct queue *q);
/* Copies n bytes to the end; -1 and nothing kept when there is no room or no memory. */
int queue_put(struct queue *q, const void *data, size_t n);
/* The len bytes that wait; queue_take() forgets the first n of them. */
const unsigned char *queue_data(const struct queue *q);
void queue_take(struct queue *q, size_t n);
void queue_close(struct queue *q);

/* ==== io.c: descriptors ==== */

/* >0 bytes moved; 0 not now; -1 over: errno, or 0 at end of file. */
ssize_t io_read(int fd, void *buf, size_t n);
ssize_t io_write(int fd, const void *buf, size_t n);
ssize_t io_writev(int fd, const struct iovec *v, int count);
/* Writes what the queue holds, as far as it goes now. */
ssize_t io_flush(int fd, struct queue *q);
/* All of it or -1; waits for a descriptor that does not block. */
int io_write_all(int fd, const char *s, size_t n);
int io_pipe(int fd[2]); /* close-on-exec */
/* Whether so many descriptors more can be opened by this process (RLIMIT_NOFILE, getrlimit(2)); another one
 * may still be told ENFILE. */
int io_descriptors(int n);
enum { IO_PASSED = 2 };
/* Sends n bytes and count descriptors (0 to IO_PASSED) through a unix socket (unix(7), SCM_RIGHTS): 0, or -1
 * and errno.  The sender keeps his. */
int io_pass(int fd, const void *data, size_t n, const int *fds, int count);
/* Waits for just such n bytes: 0 and IO_PASSED descriptors, close-on-exec, -1 where there is none; or -1 and
 * errno, which is 0 at the end of file, and EMFILE when some found no place, then all are closed. */
int io_passed(int fd, void *data, size_t n, int *fds);
/* Makes fd the null device, or something as harmless where there is no /dev. */
void io_null(int fd);
/* PID 1 may start with 0-2 closed: they are filled first, or a socket becomes stderr. */
void io_fill_012(void);
/* Calls each() for every entry of a directory that is a number (of processes, descriptors) until it returns 1;
 * whether it did, or -1 and errno.  Not for the directory's own descriptor. */
int io_numbers(const char *dir, int (*each)(unsigned n, void *of), void *of);
/* close_range(2); before Linux 5.9 one by one, as /proc/self/fd has them, or all there can be. */
void io_close_from(int first);
/* A file, whatever its name is by now; ino 0: none. */
struct file_id {
	dev_t dev;
	ino_t ino;
};
/* Makes the directory of path the working directory, and returns the name in it (a part of path).  Whoever uses only
 * that name until io_leave() works in one directory, though somebody swaps a part of the path meanwhile.
 * 0 and errno when that directory cannot be entered, or path has no name behind the last slash (EISDIR); then
 * nothing has changed.  back may be 0: never to return. */
const char *io_enter(const char *path, int *back);
/* Returns to where io_enter() was called; keeps errno. */
void io_leave(int back);
/* Whether name in the working directory is this file (a symbolic link is not followed). */
int io_is_file(const char *name, const struct file_id *id);

/* ==== opt.c: options and numbers ==== */

struct opt {
	char **argv;       /* the next word; after the last option the first argument */
	const char *spec;  /* getopt(3) style */
	const char *value; /* of the option just returned, when it takes one */
	const char *at;
	char name[3]; /* "-x", for messages */
};

/* The next option letter, -1 after the last; dies with a line that names the option at fault. */
int opt_next(struct opt *o);
/* The option's value as a number in [min, max], or dies; octal; with suffix k or m; ROWSxCOLS. */
unsigned long opt_num(const struct opt *o, unsigned long min, unsigned long max);
unsigned long opt_octal(const struct opt *o, unsigned long max);
unsigned long opt_size(const struct opt *o, unsigned long min, unsigned long max);
void opt_window(const struct opt *o, struct winsize *w);
/* Digits only, up to max, all of s; 0 or -1. */
int num_parse(const char *s, unsigned base, unsigned long max, unsigned long *n);

/* ==== addr.c: the ADDR grammar ==== */

enum { ADDR_TCP, ADDR_UNIX, ADDR_FD, ADDR_STDIN }; /* the last two: a server was given it */
enum { ADDR_HOST_MAX = 255, ADDR_PATH_MAX = 107 };

struct addr {
	const char *text; /* as typed; the rest points into it */
	const char *host; /* 0: PORT alone */
	size_t host_len;
	unsigned short port; /* ADDR_FD, and after inherit_socket() both of them: the descriptor */
	char kind, ipv6;     /* ipv6: the host stood in brackets */
};

/* 0, or -1 when text is no address. */
int addr_parse(struct addr *a, const char *text);
/* The same, or dies; also when a unix path does not fit into sockaddr_un (unix(7)). */
void addr_get(struct addr *a, const char *text);

/* ==== loop.c: the only select() ==== */

typedef long long msec; /* CLOCK_MONOTONIC */
#define NEVER ((msec)1 << 62)

enum { LOOP_READ = 1, LOOP_WRITE = 2, LOOP_TIME = 4 };
enum { LOOP_MAX = 1024 }; /* FD_SETSIZE; musl's FD_SET does not check it */

struct source {
	struct source *next; /* the loop's */
	int fd;              /* -1: deadlines only */
	/* LOOP_READ | LOOP_WRITE it could use now; lowers *due to its next deadline. */
	unsigned (*want)(struct source *s, msec *due);
	/* One step; exactly one LOOP_ bit is set. */
	void (*ready)(struct source *s, unsigned what);
	void (*freed)(struct source *s); /* after its fd was closed; may be 0 */
	msec due;
	char closed, last; /* last: served after the others (listening sockets) */
	char linked;       /* from loop_add() until it is buried: its memory is in use */
};

extern msec loop_now; /* read once a turn */
/* Reads it anew, for a process that waits outside the loop. */
void loop_clock(void);

static inline void due_at(msec *due, msec when)
{
	if (when < *due)
		*due = when;
}

/* No descriptor that is opened from here on is too high for select(); *before is what RLIMIT_NOFILE was.  What was
 * inherited is for the caller to close first. */
void loop_limit(struct rlimit *before);
/* s stays the caller's and must live until it is buried.  A descriptor that select() cannot take ends the program. */
void loop_add(struct source *s);
/* Marks it; the fd is closed and freed() called when the next turn begins. */
void loop_close(struct source *s);
void loop_run(void); /* until loop_stop() */
void loop_stop(void);
/* After a fork: the sources are the parent's.  Closes nothing. */
void loop_forget(void);

/* ==== sig.c: signals as a source ==== */

/* From here on these signals (0 ends the list) wait to be taken, by handle() in the loop, but for those that
 * whoever started us wants ignored; SIGPIPE is blocked.  After a fork sig_listen() is called again. */
void sig_open(const int *signals);
void sig_listen(void (*handle)(int));
/* In a child before exec: default dispositions, empty mask. */
void sig_default(void);
/* 0-255 or 128+N from what wait(2) said. */
int sig_status(int wait_status);

/* ==== escape.c: escape sequences ==== */

enum { ESCAPE_PARAMS = 20, ESCAPE_MAX = 1 << 20 };

/* The sequence that is being read, or was last; all zero: text. */
struct escape {
	unsigned char state; /* 0: outside of a sequence */
	char done;           /* the last run ended a sequence */
	unsigned char intro; /* [ CSI, P DCS, ] OSC, _ APC, ^ PM, X SOS; 0: ESC and final alone */
	unsigned char lead;  /* one of < = > ?, or 0 */
	unsigned char inter; /* an intermediate byte, or 0 */
	unsigned char final; /* of ] _ ^ X the first byte of the string; of a cancelled one CAN */
	unsigned char count; /* of parameters */
	unsigned char asks;  /* a string's: 1 answer wanted, 2 none wanted */
	uint32_t len;        /* bytes so far; 0: the last run was text */
	uint32_t last;       /* a string's last four bytes */
	uint32_t colons;     /* bit i: param i follows a colon */
	uint16_t param[ESCAPE_PARAMS + 6]; /* 0 where missing; the last few are never meant */
};

/* Takes the next run off n > 0 bytes, whatever pieces these come in, and returns its length: text without ESC,
 * ENQ, SO and SI (len 0), or what there is of one sequence or control character, up to its end (done).  A
 * sequence that another one breaks off is forgotten without a word: that one began len bytes ago. */
size_t escape_next(struct escape *e, const unsigned char *p, size_t n);
/* What has come of the sequence was no sequence, but for an ESC that may have ended it and now begins one. */
void escape_forget(struct escape *e);
/* Is it, as far as it has come, a DCS, OSC, APC, PM or SOS? */
int escape_is_string(const struct escape *e);
/* Whether a complete sequence makes a terminal answer. */
int escape_asks(const struct escape *e);
/* The byte 0-127 that a complete sequence stands for in kitty's keyboard protocol or in xterm's
 * modifyOtherKeys (Caps Lock and Num Lock do not count), KEY_SILENT for a key's release and for a modifier
 * alone, which type nothing, or KEY_OTHER. */
enum { KEY_OTHER = -1, KEY_SILENT = -2 };
int escape_key(const struct escape *e);

/* ==== pen.c: how the next character looks ==== */

/* What DECSC saves and DECRC restores, but for the cursor's position. */
struct pen {
	uint32_t color[3]; /* foreground, background, underline */
	uint16_t attr;     /* bit n: SGR n is on */
	unsigned char set[4], shift, origin;
};

/* Follows a complete SGR. */
void pen_select(struct pen *pen, const struct escape *e);
/* The sequences that make one the other: SGR; designations and shifts of G0 to G3.  Nothing when alike. */
void pen_write_graphics(struct text *t, const struct pen *from, const struct pen *to);
void pen_write_sets(struct text *t, const struct pen *from, const struct pen *to);

/* ==== modes.c: what a stream of output has switched on in a terminal ==== */

/* A screen's stack of kitty's keyboard flags; flags[0] is below the stack. */
enum { KEYBOARD_DEPTH = 8 };
struct keyboard {
	unsigned char depth, flags[KEYBOARD_DEPTH + 1];
};

/* All zero: a terminal as it was before. */
struct modes {
	uint32_t changed, stored;    /* bits of the table of modes: not as at first; XTSAVE's */
	struct pen pen, saved[2];    /* saved: by main and alternate screen */
	struct keyboard keyboard[2]; /* the same two */
	uint16_t margin[4];          /* top, bottom, left, right; 0: the screen's */
	uint16_t colors;             /* bits: OSC 10 to 19 set one, bit 10: OSC 4 did */
	uint16_t alternate;          /* 47, 1047 or 1049 switched it on; 0: the main screen */
	unsigned char shape, vga, keys, link; /* DECSCUSR, CSI ? c, modifyOtherKeys, OSC 8 */
	unsigned char below;                  /* the main screen may have text below the cursor */
	struct escape escape;                 /* the largest last: short offsets for the others */
};

/* No more than this is written by modes_change() and modes_off(). */
enum { MODES_TEXT = 768 };

/* Follows n bytes of output, in whatever pieces. */
void modes_feed(struct modes *m, const unsigned char *p, size_t n);
/* The sequences that lead from one to the other, nothing when they are alike.  A sequence that `from` was in the
 * middle of is ended first; when `to` is in the middle of a string, one that terminals ignore is begun, for its
 * rest.  The cursor stays where it is, unless origin mode or the screen changes. */
void modes_change(const struct modes *from, const struct modes *to, struct text *t);
/* A terminal of which nothing is known, so that modes_change() to `to` says everything. */
void modes_unknown(struct modes *m, const struct modes *to);
/* The sequences that leave the terminal as it was before; 1 when they also take the cursor to the beginning of
 * an empty line, below what may stand on the screen. */
int modes_off(const struct modes *m, struct text *t);
/* The window has another size: terminals forget their margins then. */
void modes_resized(struct modes *m);

/* ==== input.c: what a terminal says by itself, and what a person types ==== */

enum { INPUT_TYPED, INPUT_REPORT, INPUT_ANSWER, INPUT_PART };
enum { INPUT_HOLD = 64 };

struct input {
	struct escape escape;
	msec since; /* the last byte of what is in the middle of a sequence */
	unsigned char held[INPUT_HOLD], len, given;
	char hold;      /* give nothing of a sequence before it is known what it is */
	char continues; /* for take(): a part of this sequence was given before */
	/* data is 0 and n is 0 when all of it was given as INPUT_PART before.  A run of typed bytes is one complete
	 * sequence when escape.done and n is escape.len (escape_key() may be asked then), else text. */
	void (*take)(struct input *in, int kind, const unsigned char *data, size_t n);
};

/* Cuts what has come, in whatever pieces, into runs for take(): typed (keys, mouse, pastes), reports that the
 * terminal was told to make (focus, colour scheme, size), answers.  With `hold` each sequence comes whole, when
 * it is not longer than INPUT_HOLD; without, the beginning of one is given as INPUT_PART at once and the
 * rest tells what it was. */
void input_feed(struct input *in, const unsigned char *data, size_t n);
/* When input_expire() is to be called; NEVER outside of a sequence. */
msec input_due(const struct input *in);
/* What has come of a sequence was typed: nothing followed.  Does nothing before input_due(). */
void input_expire(struct input *in);
/* The same at once: nothing will follow. */
void input_end(struct input *in);

/* ==== term.c: the person's terminal ==== */

/* A non-blocking description of its own for the terminal, other device or pipe behind fd, or -1. */
int term_reopen(int fd, int flags);
/* Saves the settings and makes it raw (cfmakeraw(3)); restored on every way out. */
int term_raw(int fd);
/* From term_raw() to term_restore(). */
int term_is_raw(void);
void term_raw_again(void); /* after SIGCONT */
void term_restore(void);   /* async-signal-safe */
/* 0, or -1 when it has none (0x0). */
int term_size(int fd, struct winsize *w);

/* ==== net.c: names of peers, and which may connect ==== */

union sock_name {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
};

struct net {
	unsigned char ip[16]; /* IPv4 mapped */
	unsigned bits;
};

/* Room for the longest name of a peer: an IPv6 address of 39 characters, 15 of an interface, a NUL. */
enum { NET_TEXT = 64 };

/* A numeric host, 0 or -1; an IPv6 one may end in %SCOPE, an interface's name or number. */
int net_numeric(union sock_name *n, const char *host, unsigned port);
/* "IP:PORT", "[IPV6]:PORT", with the scope of a link-local peer, or "unix:PID" (unix(7), SO_PEERCRED). */
void net_text(struct text *t, const union sock_name *n, int fd);
/* Where a TCP peer comes from: the same number for one IPv4 address, or for one IPv6 /64, which a single
 * machine can fill; a number that differs in the last 16 bits only for its neighbours (/24, /48). */
uint64_t net_home(const union sock_name *n);
/* A list of IP, IP/BITS, any: how many networks, or -1. */
int net_list(struct net *net, int max, const char *s);
/* Whether one of them has this peer; unix sockets are guarded by their mode. */
int net_allows(const struct net *net, int count, const union sock_name *n);
/* Only peers of these networks may connect (-a): 0, or -1 when it is no list of them, 32 at most. */
int net_allow(const char *list);
/* Without -a: any, or loopback and private ranges. */
void net_allow_default(int any);
/* Why this peer may not connect at all, or 0.  mode, unless -1, is what an abstract socket's file would have,
 * if it had one that the kernel could ask (unix(7)); supplementary groups do not count. */
const char *net_barred(const union sock_name *peer, int fd, int mode);
int net_is_loopback(const union sock_name *n);

/* ==== dns.c: a question to DNS servers ==== */

enum { DNS_IPV6, DNS_IPV4, DNS_FAMILIES };
enum { DNS_SILENT, DNS_FAILED, DNS_ANSWERED }; /* the later, the better */
enum { SOCK_NAMES = 8 };

/* What was found for a name, each family in the order in which it came; the ports are 0. */
struct dns_addresses {
	int count[DNS_FAMILIES];
	union sock_name name[DNS_FAMILIES][SOCK_NAMES];
};

/* Adds one that is new, as long as there is room; what an IPv4 one does not use of in6 is zero. */
void dns_add(struct dns_addresses *found, const union sock_name *n);
/* Begins a question; what comes of it is added to found, which must be empty.  -1: that is no name (RFC 1035,
 * 2.3.4); its bytes, but for dots, are sent as they are, a last dot is not. */
int dns_begin(struct dns_addresses *found, const char *name, int multicast);
/* One more to be asked, or a group on this interface. */
void dns_server(const union sock_name *to, unsigned scope);
/* Asks them all, until each family has a good answer: at most so many times, so many ms apart, and no longer than
 * patience ms after the first address.  The best that any server did; "none" is an answer.  Blocks. */
int dns_ask(int attempts, msec every, msec patience);

/* ==== mdns.c: multicast DNS ==== */

/* The addresses of NAME.local, from whoever has that name on a network around; takes up to 3 s.  Blocks. */
void mdns_ask(struct dns_addresses *found, const char *name);

/* ==== host.c: host names ==== */

/* What an address stands for, to be tried in turn; count 0: why not. */
struct sock_names {
	int count;
	const char *why;
	union sock_name name[SOCK_NAMES];
};
/* Looks a name up in /etc/hosts (hosts(5)), then where it belongs: .local in multicast DNS, others at the servers
 * of resolv.conf(5).  Blocks; in a process of its own. */
void host_look_up(struct sock_names *names, const char *host, unsigned port);

/* ==== sock.c: stream sockets ==== */

/* The name of a unix socket, path or @name, of at most ADDR_PATH_MAX bytes; and how long a name is. */
void sock_unix(union sock_name *n, const char *path);
socklen_t sock_name_len(const union sock_name *n);
/* Binds and listens (two sockets for localhost, else fd[1] is -1), or dies with the reason.  A unix socket's file
 * has no other mode than this, from its first instant on; *made is that file, or none. */
void sock_listen(const struct addr *a, mode_t mode, int fd[2], struct file_id *made);
/* A non-blocking connection and its peer's name, or -1 and errno. */
int sock_accept(int listener, union sock_name *n);
/* It is no unix socket (socket(7), SO_DOMAIN). */
int sock_is_tcp(int fd);
/* Reads and drops what has come, 16 KiB at most: to close with unread input is to reset the connection, and the peer
 * may lose what was written last (RFC 1122, 4.2.2.13). */
void sock_discard(int fd);
/* Writes one line (why, at most 60 bytes), as far as the socket takes it at once, and closes it. */
void sock_refuse(int fd, const char *why);
/* Fills it and returns -1, or a descriptor that brings it in one read when DNS has answered (end of
 * file: never).  The child that asks is not waited for: SIGCHLD must be ignored. */
int sock_resolve(const struct addr *a, struct sock_names *names);
/* Begins to connect: when the fd is writable sock_error() tells how it went.  -1 and errno. */
int sock_connect(const union sock_name *n);
int sock_error(int fd);
/* NODELAY and keepalive (60 s, every 10 s, 3 times); does nothing to a unix socket. */
void sock_tune(int fd);
/* Bytes received and not read yet. */
int sock_unread(int fd);
/* Bytes written that the peer's system has not taken yet (tcp(7), SIOCOUTQ). */
int sock_unsent(int fd);
/* 1 when the peer is known to be gone: hung up, reset, or silent too long over unacknowledged data. */
int sock_lost(int fd);

/* ==== noise.c: the keyed handshake and its records ==== */

enum { NOISE_KEY = 32, NOISE_NONCE = 16, NOISE_BANNER = 86 };
enum { NOISE_HELLO = 50 };                 /* either message of the handshake */
enum { NOISE_DATA = 4, NOISE_MAX = 4096 }; /* where a record has its bytes, and how many at most */
enum { NOISE_RECORD = 4178 };              /* its size then */
enum { NOISE_OVER, NOISE_HANDSHAKE, NOISE_INITIATED, NOISE_TRANSPORT };

struct noise_way {
	unsigned char key[32];
	uint64_t nonce; /* records so far */
};

/* One side of a connection; all zeros: over. */
struct noise {
	union {
		struct {
			unsigned char ck[32], h[32], e[32];
		};
		struct noise_way way[2]; /* NOISE_TRANSPORT: what we send, what we receive */
	};
	char stage;
};

/* Once at the start: 0, or -1 when this library multiplies wrongly and must not be used. */
int noise_start(void);
/* The line a keyed server begins with; the whole of it is the handshake's prologue. */
void noise_banner(char banner[NOISE_BANNER], const unsigned char nonce[NOISE_NONCE]);
/* 1 it is such a line (n may be more), 0 so far, -1 it is none. */
int noise_banner_check(const void *banner, size_t n);

/* Either side begins with the key and the banner as it was sent.  In what follows `random` is 32 fresh
 * random bytes, wiped when it was used. */
void noise_begin(struct noise *n, const unsigned char *psk, const void *prologue, size_t size);
/* The client's message. */
int noise_initiate(
	struct noise *n, unsigned char random[NOISE_KEY], unsigned char hello[NOISE_HELLO]);
/* The server's, in answer to it: 0 and records may follow, or -1: another key, or tampered with. */
int noise_respond(struct noise *n, unsigned char random[NOISE_KEY],
	unsigned char asked[NOISE_HELLO], unsigned char hello[NOISE_HELLO]);
/* The client takes the answer: 0 and records may follow, or -1. */
int noise_finish(struct noise *n, unsigned char answered[NOISE_HELLO]);
/* Wipes it.  Done already where a function returned an error. */
void noise_close(struct noise *n);

/* How long the message is that begins with these bytes, its length field included; 0 too early to say,
 * -1 none is due with that length. */
int noise_size(const struct noise *n, const unsigned char *in, size_t have);
/* With `used` bytes at record + NOISE_DATA: the size of the record to be sent, 0 when nonces ran out. */
size_t noise_seal(struct noise *n, unsigned char record[NOISE_RECORD], size_t used);
/* One whole record as noise_size() told it: how many bytes (0 is none) are now at record + NOISE_DATA,
 * or -1. */
ssize_t noise_unseal(struct noise *n, unsigned char *record, size_t size);
/* What these are made of, Noise's transport messages: size bytes and 16 for the tag; 0 or -1. */
int noise_encrypt(struct noise *n, unsigned char *text, size_t size);
int noise_decrypt(struct noise *n, unsigned char *text, size_t size);

/* ==== random.c: the kernel's random numbers ==== */

/* n (at most 256) bytes from the kernel, never an unseeded byte; -1: errno is EAGAIN when it has none
 * yet (then random_wait()), else there is no source. */
int random_bytes(void *buf, size_t n);
/* At the start, behind inherit_close_others(): dies when there is no source, and keeps open what random_bytes()
 * needs. */
void random_start(void);
/* A descriptor that is readable when random_bytes() is worth trying again, to be closed then; -1 and
 * errno.  It may be a child's, which gathers the kernel's first randomness and is not waited for. */
int random_wait(void);

/* ==== psk.c: the shared key ==== */

/* The key in this file, or dies: not there, no key, or not the caller's alone. */
void psk_read(unsigned char key[NOISE_KEY], const char *path);
/* ptybox --keygen: makes the file, or dies. */
void psk_make(const char *path);

/* ==== frame.c: the framed wire format ==== */

enum { FRAME_HEAD = 4, FRAME_PAYLOAD = 200 };
enum { FRAME_FIRST = 8 }; /* after so many bytes frame_starts() and frame_foreign() know */
enum frame_type {
	FRAME_DATA = 0,
	FRAME_ROWS = 100,
	FRAME_COLS = 101,
	FRAME_HELLO = 102,    /* client: protocol version */
	FRAME_EXIT = 103,     /* server: status */
	FRAME_EOF = 104,      /* client */
	FRAME_PING = 105,     /* token; answered with the same */
	FRAME_WATCH = 106,    /* client */
	FRAME_REPLAYED = 107, /* server: end of the replay */
	FRAME_CLOSING = 109,  /* server: behind a NOTICE; 0: it may pass, 1: it is for good */
	FRAME_ENV = 200,      /* client: NAME=VALUE */
	FRAME_NOTICE = 201,   /* server: a line for the person */
	FRAME_WELCOME = 202,  /* server: ptybox/1 */
};
enum { FRAME_MORE, FRAME_GOT, FRAME_BAD };

/* A decoder's place, and what it got last. */
struct frame {
	unsigned char head[FRAME_HEAD], have;
	unsigned char type;
	unsigned char first;       /* the first part of its frame */
	unsigned short size, left; /* left: payload still to come after this part */
	const unsigned char *part;
	size_t len;
};

void frame_head(unsigned char head[FRAME_HEAD], unsigned type, unsigned size);
/* Consumes *data: FRAME_GOT one part (the last of its frame when left is 0), FRAME_MORE all was used,
 * FRAME_BAD modifier1 is not 0. */
int frame_next(struct frame *f, const unsigned char **data, size_t *n);
/* Whether a connection that begins like this is framed: 1, -1 no, 0 too early. */
int frame_starts(const unsigned char *data, size_t n);
/* Whether it begins with an HTTP method and a blank (RFC 9110; RFC 9113, 3.4), or like a TLS record (RFC 8446, 5.1):
 * 1, -1 no, 0 too early; n is not 0. */
int frame_foreign(const unsigned char *data, size_t n);

/* ==== wire.c: one connection, whatever mode it speaks ==== */

struct wire {
	int fd;
	char keyed;           /* from wire_key() on, also when its noise has refused */
	struct frame decoder; /* of what is received in packets */
	struct queue out;     /* what the socket did not take */
	struct queue rx;      /* keyed: a part of a record */
	struct noise noise;   /* this connection's alone */
};

/* Keyed from here on; the state moves in, and *n is wiped. */
void wire_key(struct wire *w, struct noise *n);
/* Reads what is missing of a message: its size, and *record, valid until the next call; 0 not all is
 * there yet; -1 over (EPROTO when that is the peer's fault). */
ssize_t wire_gather(int fd, struct noise *n, struct queue *rx, unsigned char **record);

/* As io_read(); keyed one record, and n is at least NOISE_MAX.  0 may also be a record that carries nothing. */
ssize_t wire_read(struct wire *w, unsigned char *buf, size_t n);
/* Terminal output, in a packet if framed: how many bytes of it are on their way and need not be kept, 0 none
 * now, -1 and errno. */
ssize_t wire_output(struct wire *w, int framed, const struct iovec *v, int parts);
/* Behind what waits; payload has size bytes, or is 0.  -1: no room or no memory. */
int wire_frame(struct wire *w, unsigned type, unsigned size, const void *payload);
/* Unframed text, from start to t->at. */
int wire_text(struct wire *w, const struct text *t, const char *start);
/* Writes what waits, as far as it goes now. */
ssize_t wire_flush(struct wire *w);
/* Frees what waits and wipes the keys; what is read or written after that fails (keyed) or is lost. */
void wire_close(struct wire *w);

/* ==== handshake.c: how a keyed connection begins ==== */

/* The handshake is done: fd is the receiver's, n for its wire_key(); what the first record said. */
typedef void handshake_result(int fd, const char *name, int mode, struct noise *n,
	const unsigned char *first, size_t len);

/* Reads the key file, or dies; no core dumps and no tracing from here on (prctl(2)). */
void handshake_key(const char *path);
/* Once before the first connection, behind inherit_close_others(): dies when there are no random numbers.
 * verbose: every stranger is reported, not one in a while. */
void handshake_start(int verbose);
/* How many are at it, or were refused and linger. */
int handshake_pending(void);
/* Wipes the key and those of the handshakes, in a child. */
void handshake_forget(void);
/* Speaks first, on a connection of this TCP peer; name and mode are for then().  A stranger is closed without
 * a word, and one that there is no time for with a line. */
void handshake_respond(
	int fd, const union sock_name *peer, const char *name, int mode, handshake_result *then);
/* Waits for the server's line; failed() when it does not come, the keys differ, or the server has no time. */
void handshake_initiate(int fd, handshake_result *then, void (*failed)(const char *why));

#endif
