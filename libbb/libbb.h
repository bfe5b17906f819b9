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

/* For large static buffers, and what few programs use: they come last in .bss (scripts/ptybox.ld), so that the small
 * variables, which every program writes, share few pages of memory.  The one that is LARGE_FIRST comes before the others:
 * its beginning is on the last of those pages. */
#define LARGE __attribute__((section(".bss.~large")))
#define LARGE_FIRST __attribute__((section(".bss.~first")))

/* ==== nowait.c: descriptors that are shared with others, without waiting ==== */

/* A non-blocking description of its own for the terminal, other device or pipe behind fd (0 to 9), or -1. */
int nowait_open(int fd, int flags);
/* write(2) to a pipe, terminal or socket that was not opened anew: writes what it surely takes at once, which may be
 * less than there is room for; 0 not now; -1 and errno. */
ssize_t nowait_write(int fd, const void *data, size_t n);
/* A message: what fd (0 to 9, of any kind) does not take at once is dropped.  Keeps errno. */
/* Sends a message to syslogd (syslog(3)), else to the kernel's log; drops it when neither takes it at once. */
void nowait_log(const char *s, size_t n);
void nowait_say(int fd, const char *s, size_t n);

/* ==== msg.c: messages and text ==== */

/* Text that is being built in the caller's buffer; what does not fit is left out.  No NUL is written. */
struct text {
	char *at, *end;
};

extern const char *msg_applet; /* the name that every message begins with */
/* die() calls it first, unless it is 0: restores the terminal, removes files. */
extern void (*msg_cleanup)(void);
/* From here on messages go to syslogd as well, or to the kernel's log (nowait_log()). */
extern char msg_daemon;

/* Append a string; a decimal number; a number in lower-case hexadecimal. */
void text_str(struct text *t, const char *s);
void text_num(struct text *t, unsigned long n);
void text_hex(struct text *t, unsigned long n);
/* Appends n bytes as a JSON string, with its quotes (RFC 8259, 7).  Control characters are escaped, C1 too, because it may
 * be read on a terminal.  A byte that is not UTF-8 becomes the escape of the character with that number; so does C1
 * as UTF-8, whose second byte that number is. */
void text_json(struct text *t, const char *s, size_t n);

/* The length of the character at s, which has n bytes (UTF-8, RFC 3629); 0 when it is a control character (C0, DEL, C1)
 * or no UTF-8, and so must not be written to a terminal. */
size_t text_char(const char *s, size_t n);
/* Appends the first character of n > 0 bytes, or a blank for a byte that text_char() refuses; returns how many bytes that
 * was. */
size_t text_shown(struct text *t, const char *s, size_t n);
/* Removes from n bytes in place whatever text_char() refuses; returns how many are left. */
size_t text_clean(char *s, size_t n);

/* Writes one line to standard error with one write(2): "applet: " and the strings, each cut at 200 bytes, without
 * control characters.  Never waits (nowait_say()).  Keeps errno. */
#define warn(...) msg_line(__VA_ARGS__, (char *)0)
void msg_line(const char *first, ...);
/* Calls msg_cleanup, writes such a line, and ends the process with this status. */
#define die(status, ...) msg_die(status, __VA_ARGS__, (char *)0)
_Noreturn void msg_die(int status, const char *first, ...);
/* The system's words for errno (strerror(3)); if built without WORDS "error N".  Valid until the next call. */
const char *msg_errno(void);

/* ==== ring.c: the last bytes of a stream; bytes that wait for a descriptor ==== */

/* Returns memory of size bytes, all zero, or 0 and errno; pages that are not touched take none (mmap(2), with
 * MAP_NORESERVE).  munmap(2) frees it. */
void *ring_map(size_t size);

struct ring {
	unsigned char *buf;
	size_t size;
	size_t at;     /* where in buf the next byte goes */
	uint64_t head; /* the position of the next byte: how many were ever put */
};

/* So many bytes before the oldest are still there: who puts no more than that at once can look at what is no longer
 * kept. */
enum { RING_SPARE = 4096 };

/* Maps size bytes and the spare ones: 0, or -1 and errno when there is no memory. */
int ring_open(struct ring *r, size_t size);
void ring_close(struct ring *r);
/* The position of the oldest byte that is kept. */
uint64_t ring_oldest(const struct ring *r);
/* How many bytes can be put before a reader at this position, which is not before the oldest, loses one. */
size_t ring_room(const struct ring *r, uint64_t reader);
/* Where the next bytes go, for the caller to write; *n is lowered to how many fit there in one piece.  ring_put() then
 * appends the first n of them. */
unsigned char *ring_space(const struct ring *r, size_t *n);
void ring_put(struct ring *r, size_t n);
/* Appends a copy of n bytes, at most the ring's size. */
void ring_copy(struct ring *r, const void *data, size_t n);
/* The byte that was put last; a newline when none was. */
int ring_last(const struct ring *r);
/* At most max bytes from position pos on, at most RING_SPARE before the oldest, in place: sets 0 to 2 parts, and returns how
 * many. */
int ring_data(const struct ring *r, uint64_t pos, size_t max, struct iovec v[2]);

/* The next byte goes to the beginning of the buffer again; only when no reader needs the bytes that were put. */
void ring_rewind(struct ring *r);
/* ring_rewind(), and gives the memory back to the system until it is used again. */
void ring_release(struct ring *r);
/* Gives the whole pages of these bytes back to the system: they are zero when they are used again (madvise(2),
 * MADV_DONTNEED).  The bytes may be anything's that no file is mapped at: a table's, the stack's. */
void ring_give_back(uintptr_t start, size_t size);

enum { QUEUE_SIZE = 65536 };

/* All zero: empty. */
struct queue {
	unsigned char *buf; /* mapped while len > 0, and after queue_skip() */
	unsigned off, len;  /* the bytes that wait */
};

/* How many bytes can be put. */
size_t queue_room(const struct queue *q);
/* Appends a copy of n bytes: 0, or -1 and nothing is appended when there is no room or no memory. */
int queue_put(struct queue *q, const void *data, size_t n);
/* The first of the q->len bytes that wait; 0 when none do. */
const unsigned char *queue_data(const struct queue *q);
/* Removes the first n of them. */
void queue_take(struct queue *q, size_t n);
/* The same, but an empty queue keeps its memory, until queue_close(). */
void queue_skip(struct queue *q, size_t n);
/* Removes all of them. */
void queue_close(struct queue *q);

/* ==== io.c: descriptors ==== */

/* read(2), write(2), writev(2): >0 how many bytes; 0 would block, or was interrupted; -1 and errno, which is 0 at the
 * end of file. */
ssize_t io_read(int fd, void *buf, size_t n);
ssize_t io_write(int fd, const void *buf, size_t n);
ssize_t io_writev(int fd, const struct iovec *v, int count);
/* io_read() and close(2) for a socket whose peer is not trusted, and may have sent descriptors with it, the close of which
 * can wait: after io_interrupt() for 1 ms at most.  io_receive() is for sockets after sock_inline(), and never blocks if
 * the socket does not. */
ssize_t io_receive(int fd, void *buf, size_t n);
void io_close(int fd);
/* Puts `fresh` in the place of fd, dup3(2), and closes what was there as io_close() does. */
void io_replace(int fd, int fresh);
/* From here on SIGALRM interrupts system calls that wait, and belongs to these two. */
void io_interrupt(void);
/* io_write() of what the queue holds, and removes what was written. */
ssize_t io_flush(int fd, struct queue *q);
/* Writes all n bytes: 0, or -1 and errno.  Blocks, whether or not the descriptor does.  Not in a loop: for files, and
 * for the output of a program that is about to end (--help, "Daemon PID is N"), which has nothing else to do. */
int io_write_all(int fd, const char *s, size_t n);
/* pipe2(2), close-on-exec. */
int io_pipe(int fd[2]);
/* Whether this process can open n more descriptors (RLIMIT_NOFILE, getrlimit(2)); the system's limit (ENFILE) is not
 * checked. */
int io_descriptors(int n);
enum { IO_PASSED = 3 };
/* Sends n bytes and count descriptors (0 to IO_PASSED) through a unix socket (unix(7), SCM_RIGHTS): 0, or -1 and errno.
 * They stay open here. */
int io_pass(int fd, const void *data, size_t n, const int *fds, int count);
/* Receives what io_pass() has sent; blocks if the socket does.  0, and IO_PASSED descriptors in fds, close-on-exec,
 * -1 where none was sent; or -1 and errno, 0 at the end of file, EMFILE when descriptors were lost (then the others
 * are closed). */
int io_passed(int fd, void *data, size_t n, int *fds);
/* Makes fd /dev/null, or where that is missing an O_PATH descriptor, for which every read and write fails. */
void io_null(int fd);
/* Opens those of 0-2 that are closed (for PID 1 they may be), as io_null() does: else a socket might become standard
 * error. */
void io_fill_012(void);
/* Calls each(fd, name, of) for every entry of a directory, whose descriptor is fd, until it returns 1: whether it did, or -1
 * and errno when the directory cannot be opened. */
int io_names(const char *dir, int (*each)(int fd, const char *name, void *of), void *of);
/* Calls each(n, of) for every entry of a directory that is a number (/proc, /proc/self/fd), but for the directory's own
 * descriptor, until it returns 1: whether it did, or -1 and errno when the directory cannot be opened. */
int io_numbers(const char *dir, int (*each)(unsigned n, void *of), void *of);
/* Closes all descriptors from `first` on: close_range(2); before Linux 5.9 those in /proc/self/fd, without /proc
 * every number there can be. */
void io_close_from(int first);
/* The identity of a file, whatever its name; ino is 0 for none. */
struct file_id {
	dev_t dev;
	ino_t ino;
};
/* Makes the directory of path the working directory, and returns the name in it, which is a part of path.  All system
 * calls with that name until io_leave(*back) work in the same directory, even if a part of path is replaced
 * meanwhile.  0 and errno when the directory cannot be entered, or when path ends in a slash (EISDIR): then nothing
 * has changed.  back may be 0, if the process never returns. */
const char *io_enter(const char *path, int *back);
/* Makes the working directory before io_enter() the working directory again; keeps errno. */
void io_leave(int back);
/* Whether name in the working directory is this file (a symbolic link is not followed). */
int io_is_file(const char *name, const struct file_id *id);

/* ==== opt.c: options and numbers ==== */

struct opt {
	char **argv;      /* the next word; after the last option the first argument */
	const char *spec; /* as getopt(3) has it: letters, a colon behind those that take a value */
	const char *value; /* of the option that was returned last, if it takes one */
	const char *at;    /* the next letter of several in one word */
	char name[3];      /* "-x", for messages */
};

/* The next option's letter, -1 after the last; dies when it is unknown or has no value. */
int opt_next(struct opt *o);
/* The option's value, or dies with a line that names it: a decimal number from min to max; an octal one; a number of
 * bytes, with k or m for KiB or MiB; ROWSxCOLS. */
unsigned long opt_num(const struct opt *o, unsigned long min, unsigned long max);
unsigned long opt_octal(const struct opt *o, unsigned long max);
unsigned long opt_size(const struct opt *o, unsigned long min, unsigned long max);
void opt_window(const struct opt *o, struct winsize *w);
/* The number that s is, in digits only: 0, or -1 when it is none or over max. */
int num_parse(const char *s, unsigned base, unsigned long max, unsigned long *n);

/* ==== addr.c: the ADDR grammar ==== */

/* The last two are inherited sockets, for servers only. */
enum { ADDR_TCP, ADDR_UNIX, ADDR_FD, ADDR_STDIN };
enum { ADDR_HOST_MAX = 255, ADDR_PATH_MAX = 107 };

struct addr {
	const char *text; /* as typed; the rest points into it */
	const char
		*host; /* not NUL-terminated; 0: PORT alone, every interface or the loopback ones */
	size_t host_len;
	unsigned short
		port;    /* of ADDR_FD, and of both kinds after inherit_socket(), the descriptor */
	char kind, ipv6; /* ipv6: the host stood in brackets */
};

/* Parses text, which must stay where it is: 0, or -1 when it is no address. */
int addr_parse(struct addr *a, const char *text);
/* Parses text as addr_parse() does, and dies when it is no address, or a unix path too long for sockaddr_un (unix(7)). */
void addr_get(struct addr *a, const char *text);

/* ==== loop.c: the only select() ==== */

typedef long long msec; /* milliseconds, or a time of CLOCK_MONOTONIC in milliseconds */
#define NEVER ((msec)1 << 62)

enum { LOOP_READ = 1, LOOP_WRITE = 2, LOOP_TIME = 4, LOOP_SOON = 8 };
enum { LOOP_PAUSE = 50 }; /* us */
enum { LOOP_MAX = 1024 }; /* FD_SETSIZE; musl's FD_SET does not check it */

struct source {
	struct source *next; /* the loop's */
	int fd;              /* -1: deadlines only */
	/* Which of LOOP_READ and LOOP_WRITE the source can use now, and LOOP_SOON if it is to be asked again after
	 * LOOP_PAUSE; lowers *due to its next deadline.  No side effects. */
	unsigned (*want)(struct source *s, msec *due);
	/* Does one step: reads, writes, or handles a deadline, as the one LOOP_ bit in `what` says. */
	void (*ready)(struct source *s, unsigned what);
	/* Called after fd was closed, when the source is no longer the loop's; may be 0. */
	void (*freed)(struct source *s);
	msec due;    /* the loop's: from the last want() */
	char closed; /* loop_close() was called */
	char last;   /* is served after the others, as listening sockets are */
	char linked; /* from loop_add() until it is freed: the memory is in use */
};

extern msec loop_now;        /* the time of this turn, */
extern uint32_t loop_now_us; /* and in us; only differences count, because it wraps around */
/* Reads the clock into both, for a process that waits outside the loop. */
void loop_clock(void);
/* The time in ms since 1970. */
msec loop_unix_time(void);

/* Lowers *due to `when`. */
static inline void due_at(msec *due, msec when)
{
	if (when < *due)
		*due = when;
}

/* Lowers RLIMIT_NOFILE to LOOP_MAX, so that no descriptor that is opened later is too high for select(); *before is
 * the old limit, for setrlimit(2) in children.  Inherited descriptors must have been closed. */
void loop_limit(struct rlimit *before);
/* Adds a source, whose memory is the caller's and must stay until it is freed (s->linked); dies when its descriptor
 * is too high for select(), or when it was added before and is not freed yet. */
void loop_add(struct source *s);
/* Whether a source other than this one, of those that wanted to read when the turn began, can read now (select(2) without
 * waiting): for a source that does several steps in a turn only while nobody waits. */
int loop_others_ready(const struct source *s);
/* The want() of a source that only reads. */
unsigned loop_want_read(struct source *s, msec *due);
/* Marks a source: from now on it is not called, and when the next turn begins its fd is closed and freed() called. */
void loop_close(struct source *s);
/* Serves the sources until loop_stop() was called. */
void loop_run(void);
void loop_stop(void);
/* In a child after fork(2): empties the list of sources, closes nothing. */
void loop_forget(void);

/* ==== sig.c: signals as a source ==== */

/* Blocks these signals (0 ends the list) and SIGPIPE for good; signalfd(2) reads them, but for those that the parent
 * process had set to be ignored.  Dies when there is no signalfd. */
void sig_open(const int *signals);
/* Calls sig_open() with every signal that would end the program, but for those of a crash, and SIGCONT and SIGWINCH. */
void sig_open_all(void);
/* Adds that descriptor to the loop, which calls handle() with each signal; again after loop_forget(). */
void sig_listen(void (*handle)(int));
/* Sets the default disposition. */
void sig_reset(int sig);
/* Blocks one signal.  A server blocks SIGTTOU, because a message would stop it in the background of a terminal with
 * tostop set (termios(3)). */
void sig_block(int sig);
/* In a child before exec: default dispositions, nothing blocked. */
void sig_default(void);
/* Wipes the secrets of this process, in a child that is not to have them; 0: there are none. */
extern void (*sig_forget)(void);
/* Forks a child for a call that may block: returns 0 in the child, whose only descriptor is 0, the writing end of a pipe,
 * which has default dispositions and no secrets, and which the kernel kills when the parent ends.  Returns the reading
 * end in the parent, or -1 and errno.  The child is not waited for: SIGCHLD must be ignored. */
int sig_fork_aside(void);
/* The exit status of a shell for wait(2)'s status: 0-255, or 128+N after signal N. */
int sig_status(int wait_status);

/* ==== escape.c: the parser of escape sequences ==== */

enum { ESCAPE_PARAMS = 20, ESCAPE_MAX = 1 << 20 };

/* The sequence that is being read or was read last; all zero: none yet. */
struct escape {
	unsigned char state; /* 0: outside of a sequence */
	char done;           /* the last run ended a sequence */
	unsigned char
		intro; /* [ CSI, P DCS, ] OSC, _ APC, ^ PM, X SOS; 0: ESC and a final byte, or a control character */
	unsigned char lead;  /* one of < = > ?, or 0 */
	unsigned char inter; /* the intermediate byte, 0xff for several, or 0 */
	unsigned char
		final; /* the final byte; of ] _ ^ X the string's first byte; CAN if it was cancelled */
	unsigned char count; /* how many parameters */
	unsigned char asks;  /* of a string, bits: 1 an answer is wanted, 2 none is wanted */
	uint32_t len;        /* how many bytes of it were read; 0: the last run was text */
	uint32_t last;       /* the last four bytes of a string */
	uint32_t colons;     /* bit i: parameter i follows a colon */
	uint16_t param[ESCAPE_PARAMS +
		       6]; /* 0 where missing; the last 6 so that reading a few too far is harmless */
};

/* Takes the next run off n > 0 bytes, in whatever pieces they come, and returns its length.  A run is text without ESC,
 * ENQ, SO and SI (then e->len is 0); or a part of one sequence or control character, up to its end (then e->done is
 * set).  When a sequence is broken off by another one, the run ends inside the other one, which began e->len bytes
 * before that. */
size_t escape_next(struct escape *e, const unsigned char *p, size_t n);
/* Takes the incomplete sequence for text.  If its last byte was an ESC in a string, that ESC begins a sequence. */
void escape_forget(struct escape *e);
/* Whether the sequence, complete or not, is a DCS, OSC, APC, PM or SOS. */
int escape_is_string(const struct escape *e);
/* Whether a complete sequence makes a terminal answer. */
int escape_asks(const struct escape *e);
/* The byte 0-127 that a complete sequence stands for in kitty's keyboard protocol or in xterm's modifyOtherKeys (Caps
 * Lock and Num Lock make no difference); KEY_SILENT for the release of a key and for a modifier alone, which type
 * nothing; KEY_OTHER for any other sequence. */
enum { KEY_OTHER = -1, KEY_SILENT = -2 };
int escape_key(const struct escape *e);

/* ==== pen.c: graphic rendition and character sets ==== */

/* The state that DECSC saves and DECRC restores, but for the cursor's position. */
struct pen {
	uint32_t color[3];    /* foreground, background, underline (pen.c); 0: the default */
	uint16_t attr;        /* bit n: SGR n is on; 10: overline, 11: the VGA font */
	unsigned char set[4]; /* the final bytes that designated G0 to G3; 0: ASCII */
	unsigned char shift;  /* which of them is in use */
	unsigned char origin; /* DECOM; valid in a saved pen only */
};

/* Applies a complete SGR sequence. */
void pen_select(struct pen *pen, const struct escape *e);
/* Write the sequences that lead from one pen to another, nothing when they are alike: SGR; designations of G0 to G3 and
 * their shift. */
void pen_write_graphics(struct text *t, const struct pen *from, const struct pen *to);
void pen_write_sets(struct text *t, const struct pen *from, const struct pen *to);

/* ==== modes.c: the modes that a stream of output has set in a terminal ==== */

/* One screen's stack of kitty's keyboard flags; flags[0] is below the stack. */
enum { KEYBOARD_DEPTH = 8 };
struct keyboard {
	unsigned char depth, flags[KEYBOARD_DEPTH + 1];
};

/* All zero: every mode has its default. */
struct modes {
	uint32_t changed;            /* bit i: mode_number[i] (modes.c) differs from its default */
	uint32_t stored;             /* the same when XTSAVE saved the mode */
	struct pen pen, saved[2];    /* saved: by DECSC on the main and on the alternate screen */
	struct keyboard keyboard[2]; /* of the main and of the alternate screen */
	uint16_t margin[4];          /* top, bottom, left, right; 0: the screen's */
	uint16_t colors;             /* bit n: OSC 10+n has set a color; bit 10: OSC 4 has */
	uint16_t
		alternate; /* 47, 1047 or 1049, which switched to the alternate screen; 0: the main screen */
	unsigned char shape;  /* of the cursor: DECSCUSR */
	unsigned char vga;    /* the same on the Linux console: CSI ? c */
	unsigned char keys;   /* xterm's modifyOtherKeys */
	unsigned char link;   /* a hyperlink has begun: OSC 8 */
	unsigned char below;  /* the main screen may have text below the cursor */
	struct escape escape; /* largest, so last: the others have short offsets */
};

/* How many bytes modes_change() and modes_off() write at most. */
enum { MODES_TEXT = 768 };

/* Follows n bytes of output, in whatever pieces they come. */
void modes_feed(struct modes *m, const unsigned char *p, size_t n);
/* Writes the sequences that lead a terminal from one state to another, nothing when they are alike.  If `from` is
 * inside a sequence, that is ended first; if `to` is inside a string, a string that terminals ignore is begun, so
 * that the rest of the stream ends it.  The cursor stays where it is, unless origin mode or the screen changes. */
void modes_change(const struct modes *from, const struct modes *to, struct text *t);
/* Writes the sequences that lead back to all zero; returns 1 when they also move the cursor to the beginning of an
 * empty line, because there may be text below it. */
int modes_off(const struct modes *m, struct text *t);
/* The window's size has changed, with which terminals reset their margins. */
void modes_resized(struct modes *m);

/* ==== term_input.c: keys and reports in what comes from a terminal ==== */

/* Keys, mouse events, pastes; reports of a mode that is switched on (focus, color scheme, size); answers to a sequence
 * that asks; the beginning of a sequence whose kind is not known yet. */
enum { TERM_TYPED, TERM_REPORT, TERM_ANSWER, TERM_PART };
enum { TERM_HOLD = 64 };

struct term_input {
	struct escape escape;
	msec since;                    /* when the last byte of an incomplete sequence came */
	unsigned char held[TERM_HOLD]; /* an incomplete sequence, of len bytes, */
	unsigned char len, passed;     /* of which so many were passed on as TERM_PART */
	char hold;                     /* pass nothing of a sequence on before its kind is known */
	char continues; /* for take(): a part of this sequence was passed on before */
	/* Takes a run of one kind; data is 0 and n is 0 when all of it was passed on as TERM_PART before.  A typed
	 * run is one complete sequence, for escape_key(), when escape.done is set and n is escape.len; else it is
	 * text. */
	void (*take)(struct term_input *in, int kind, const unsigned char *data, size_t n);
};

/* Cuts n bytes, in whatever pieces they come, into runs for in->take().  With in->hold a sequence of at most TERM_HOLD
 * bytes is one run; without, its bytes are passed on at once as TERM_PART, and its last run tells the kind of all. */
void term_input_feed(struct term_input *in, const unsigned char *data, size_t n);
/* When term_input_expire() is to be called; NEVER outside of a sequence. */
msec term_input_due(const struct term_input *in);
/* Passes an incomplete sequence on as typed, because nothing followed it; nothing happens before term_input_due(). */
void term_input_expire(struct term_input *in);
/* Passes an incomplete sequence on at once, because nothing more will come. */
void term_input_end(struct term_input *in);

/* ==== term.c: the person's terminal ==== */

/* Saves the terminal's settings and makes it raw (cfmakeraw(3)): 0, or -1 and errno.  die() and the signals of a crash
 * restore it; every other end must call term_restore(). */
int term_raw(int fd);
/* Installs the handlers for the signals of a crash and of a stop; term_raw() does so, too.  Before sig_open_all(): with
 * the first handler musl unblocks two signals that it uses itself. */
void term_guard(void);
/* Whether term_raw() was called, and term_restore() not yet. */
int term_is_raw(void);
/* After SIGCONT: makes the terminal raw again, if it was. */
void term_raw_again(void);
/* Restores the saved settings, if the terminal is raw.  Async-signal-safe. */
void term_restore(void);
/* Called when a terminal that was raw is given back (0), and when it is taken again (1); may be 0.  It must be
 * async-signal-safe: a crash and a stop give the terminal back, too. */
extern void (*term_changed_hands)(int ours);
/* The window size: 0, or -1 when fd has none, or 0 rows or columns. */
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

/* The size of a buffer for net_text(): at most "[", 39 characters of an IPv6 address, "%" and 15 of an interface,
 * "]:65535". */
enum { NET_TEXT = 64 };

/* The socket address of a numeric host: 0, or -1 when it is none.  An IPv6 one may end in %SCOPE, the name or number
 * of an interface. */
int net_numeric(union sock_name *n, const char *host, unsigned port);
/* Appends "IP:PORT"; "[IPV6]:PORT", with the scope of a link-local peer; or "unix:PID" of fd's peer (unix(7),
 * SO_PEERCRED). */
void net_text(struct text *t, const union sock_name *n, int fd);
/* A TCP peer's network as a number: the same for one IPv4 address, and for one IPv6 /64, of which a single host can use
 * every address; for the rest of its /24 or /48 it differs in the last 16 bits only. */
uint64_t net_prefix(const union sock_name *n);
/* Parses a list of IP, IP/BITS and "any", with commas between: how many networks, or -1 when it is none or has over
 * max. */
int net_list(struct net *net, int max, const char *s);
/* Whether the peer is in one of the networks; always, if it is one of a unix socket. */
int net_allows(const struct net *net, int count, const union sock_name *n);
/* -a: only peers of these networks may connect: 0, or -1 when the list is none, or has over 32. */
int net_allow(const char *list);
/* Without -a: peers of any network may connect, or those of loopback and private ranges only. */
void net_allow_default(int any);
/* Why this peer of fd may not connect, or 0.  mode is -1, or the file mode to be applied to an abstract socket, for
 * which the kernel checks none (unix(7)); supplementary groups do not count. */
const char *net_barred(const union sock_name *peer, int fd, int mode);
int net_is_loopback(const union sock_name *n);

/* ==== dns.c: a question to DNS servers ==== */

enum { DNS_IPV6, DNS_IPV4, DNS_FAMILIES };
enum { DNS_SILENT, DNS_FAILED, DNS_ANSWERED }; /* results, the worst first */
enum { SOCK_NAMES = 8 };

/* The addresses that were found for a name, each family in the order of arrival; the ports are 0. */
struct dns_addresses {
	int count[DNS_FAMILIES];
	union sock_name name[DNS_FAMILIES][SOCK_NAMES];
};

/* Adds an address, unless it is there already or there is no room; n->in6 must be zero where an IPv4 one does not use
 * it. */
void dns_add(struct dns_addresses *found, const union sock_name *n);
/* Begins a question: 0, or -1 when name is no domain name (RFC 1035, 2.3.4); a dot at its end is allowed.  dns_ask()
 * adds the addresses to found, which must be empty. */
int dns_begin(struct dns_addresses *found, const char *name, int multicast);
/* Adds a server to be asked, or if multicast a group on the interface with this index. */
void dns_server(const union sock_name *to, unsigned scope);
/* Asks all servers, until each family has an answer: `attempts` times at most, `every` ms apart, and no longer than
 * patience ms after the first address.  Returns the best result of any server: that there is no address is an answer.
 * Blocks. */
int dns_ask(int attempts, msec every, msec patience);

/* ==== mdns.c: multicast DNS ==== */

/* Adds the addresses of NAME.local to found, by multicast on every interface; blocks for up to 3 s. */
void mdns_ask(struct dns_addresses *found, const char *name);

/* ==== host.c: host names ==== */

/* The socket addresses that an address stands for, to be tried in turn; count 0: there are none, and why. */
struct sock_names {
	int count;
	const char *why;
	union sock_name name[SOCK_NAMES];
};
/* Looks a name up in /etc/hosts (hosts(5)), then .local in multicast DNS, others at the servers of resolv.conf(5). 
 * Blocks, and so is called in a child process. */
void host_look_up(struct sock_names *names, const char *host, unsigned port);

/* ==== sock.c: stream sockets ==== */

/* The socket address of a unix socket: a path, or @name for an abstract one, of at most ADDR_PATH_MAX bytes; and the
 * size of a socket address for bind(2) and connect(2). */
void sock_unix(union sock_name *n, const char *path);
socklen_t sock_name_len(const union sock_name *n);
/* Binds and listens, or dies with the reason: fd[0], and for localhost fd[1], else -1.  The file of a unix socket is
 * created with this mode, and *made is its identity; no file: made->ino is 0. */
void sock_listen(const struct addr *a, mode_t mode, int fd[2], struct file_id *made);
/* When the file of the unix socket fd, which sock_listen() made for this path, is gone: binds a new socket and puts it in
 * the place of fd, and *made is its file; connections that wait at the old one are reset, unless another process
 * has inherited it.  Else made->ino is 0.  Returns 0, or -1 and errno: then fd is as it was. */
int sock_listen_anew(const struct addr *a, mode_t mode, int fd, struct file_id *made);
/* A non-blocking connection and its peer's name, or -1 and errno; of a unix socket after sock_inline(). */
int sock_accept(int listener, union sock_name *n);
/* Has out-of-band bytes arrive among the others, where io_receive() sees the descriptors that come with them. */
void sock_inline(int fd);
/* Whether fd is a unix socket (socket(7), SO_DOMAIN). */
int sock_is_unix(int fd);
/* Reads and drops what was received, 16 KiB at most: a close with unread input resets the connection, and the peer
 * may lose what was written last (RFC 1122, 4.2.2.13). */
void sock_discard(int fd);
/* Writes the line "applet: why" (why has 60 bytes at most), as far as the socket takes it at once, and closes the
 * socket. */
void sock_refuse(int fd, const char *why);
/* Whether an address to connect to can only be this machine's; of a host name, but localhost, that is not known: no. */
int sock_is_local(const struct addr *a);
/* Finds the socket addresses of an address.  Returns -1 when *names is complete; else a descriptor, of which one read
 * brings a struct sock_names later, or the end of file when the lookup failed.  The child that looks up is not waited
 * for: SIGCHLD must be ignored. */
int sock_resolve(const struct addr *a, struct sock_names *names);
/* Begins to connect: a descriptor, which becomes writable when sock_error() can tell the result (connect(2)), which is
 * also ECONNREFUSED when it has connected to itself; or -1 and errno. */
int sock_connect(const union sock_name *n);
int sock_error(int fd);
/* Sets TCP_NODELAY, and keepalive after 60 s, every 10 s, 3 times (tcp(7)); and has the kernel take no more bytes while
 * 16 KiB were not sent yet (Linux 3.12), because behind them waits the answer to a ^C.  No effect on a unix socket. */
void sock_tune(int fd);
/* How many bytes were received and not read yet (tcp(7), SIOCINQ). */
int sock_unread(int fd);
/* How many written bytes the peer's system has not acknowledged yet (tcp(7), SIOCOUTQ). */
int sock_unsent(int fd);
/* Whether the connection is dead: closed or reset by the peer, or without acknowledgement for too long (tcp(7),
 * TCP_INFO). */
int sock_lost(int fd);

/* ==== noise.c: the Noise handshake and the records of keyed mode ==== */

enum { NOISE_KEY = 32, NOISE_NONCE = 16, NOISE_BANNER = 86 };
/* The size of either message of the handshake: hello and answer. */
enum { NOISE_HELLO = 50 };
/* Where a record has bytes of the stream, and how many at most. */
enum { NOISE_DATA = 4, NOISE_MAX = 4096 };
enum {
	NOISE_RECORD = 4178,
	NOISE_RECORD_MIN = 82
}; /* the sizes of a record of NOISE_MAX bytes, and of 62 or less */
enum { NOISE_OVER, NOISE_HANDSHAKE, NOISE_INITIATED, NOISE_TRANSPORT };

/* Noise's CipherState: one direction of a connection. */
struct noise_cipher {
	unsigned char key[32];
	uint64_t nonce; /* how many records were encrypted or decrypted */
};

/* Noise's HandshakeState, then its two CipherStates, of one side of a connection.  All zeros: NOISE_OVER. */
struct noise {
	union {
		struct {
			unsigned char ck[32]; /* the chaining key */
			unsigned char h[32];  /* the handshake hash */
			unsigned char e[32];  /* the initiator's ephemeral private key */
		};
		struct {
			struct noise_cipher send, receive; /* NOISE_TRANSPORT */
		};
	};
	char stage;
};

/* Once at the start: 0, or -1 when this library's curve25519 computes wrongly and must not be used. */
int noise_self_test(void);
/* Writes the line that a keyed server sends first; the whole of it is the handshake's prologue. */
void noise_banner(char banner[NOISE_BANNER], const unsigned char nonce[NOISE_NONCE]);
/* Whether n bytes begin with a banner: 1, -1 no, 0 too few bytes to say. */
int noise_banner_check(const void *banner, size_t n);

/* Begins a handshake, on either side, with the shared key and the prologue. */
void noise_begin(struct noise *n, const unsigned char *psk, const void *prologue, size_t size);
/* The initiator writes its message: 0 or -1.  random, here and in noise_respond(), is NOISE_KEY fresh random bytes for
 * the ephemeral private key, and is wiped. */
int noise_initiate(
	struct noise *n, unsigned char random[NOISE_KEY], unsigned char hello[NOISE_HELLO]);
/* The responder reads hello and writes its answer: 0, and records may follow; or -1 when hello was made with another
 * key or prologue, or tampered with. */
int noise_respond(struct noise *n, unsigned char random[NOISE_KEY],
	unsigned char hello[NOISE_HELLO], unsigned char answer[NOISE_HELLO]);
/* The initiator reads the answer: 0, and records may follow; or -1 as above. */
int noise_finish(struct noise *n, unsigned char answer[NOISE_HELLO]);
/* Wipes the keys: NOISE_OVER.  Every function that returns an error has done so. */
void noise_close(struct noise *n);

/* The size of the message that begins with these `have` bytes, its length field included; 0 when they are too few to
 * say, -1 when no message of that length may come now. */
int noise_size(const struct noise *n, const unsigned char *in, size_t have);
/* Encrypts the `used` bytes at record + NOISE_DATA: the size of the record to be sent, 0 when nonces ran out. */
size_t noise_seal(struct noise *n, unsigned char record[NOISE_RECORD], size_t used);
/* Decrypts one whole record, of the size that noise_size() returned: how many bytes, maybe 0, are at record +
 * NOISE_DATA now; or -1. */
ssize_t noise_unseal(struct noise *n, unsigned char *record, size_t size);
/* Noise's transport messages, which the two above are made of: size bytes in place, and behind them 16 for the tag; 0
 * or -1. */
int noise_encrypt(struct noise *n, unsigned char *text, size_t size);
int noise_decrypt(struct noise *n, unsigned char *text, size_t size);

/* ==== random.c: the kernel's random numbers ==== */

/* n (at most 256) bytes from the kernel's seeded generator: 0; or -1 and errno, EAGAIN when it is not seeded yet (then
 * random_wait()), else there is no source. */
int random_bytes(void *buf, size_t n);
/* At the start, after inherit_close_others(): dies when there is no source, and opens what random_bytes() needs
 * later. */
void random_start(void);
/* A descriptor that becomes readable when random_bytes() is worth trying again; the caller closes it then.  -1 and
 * errno.  It may be a pipe from a child, which is not waited for: SIGCHLD must be ignored. */
int random_wait(void);
/* random_bytes() for who tries again later: reports once that the generator is not seeded yet, and has the kernel seed it. */
int random_try(void *buf, size_t n);

/* ==== psk.c: the shared key ==== */

/* Reads the key in this file; dies when it is not there, is no key, or when others may read it. */
void psk_read(unsigned char key[NOISE_KEY], const char *path);
/* ptybox --keygen: creates the file, which must not exist, with a new key, or dies. */
void psk_create(const char *path);

/* ==== frame.c: the framed wire format ==== */

enum { FRAME_HEAD = 4, FRAME_PAYLOAD = 200 };
enum { FRAME_FIRST = 8 }; /* how many bytes frame_starts() and frame_foreign() need at most */
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
	FRAME_SYSRQ = 108,    /* client: a key, its ASCII code */
	FRAME_CLOSING = 109,  /* server: behind a NOTICE; 0: it may pass, 1: it is for good */
	FRAME_WAIT = 110,    /* client, behind HELLO: what follows behind WELCOME, FRAME_WAIT_... */
	FRAME_ENV = 200,     /* client: NAME=VALUE */
	FRAME_NOTICE = 201,  /* server: a line for the person */
	FRAME_WELCOME = 202, /* server: ptybox/1 */
	FRAME_COMMAND = 203, /* client: arguments of a COMMAND, each with a NUL */
	FRAME_ERRORS = 203,  /* server: error output of a COMMAND without a terminal */
};
enum { FRAME_WAIT_COMMAND = 1, FRAME_WAIT_TERMINAL = 2, FRAME_WAIT_OTHER = 4 };
enum { FRAME_MORE, FRAME_GOT, FRAME_BAD };

/* A decoder, and the part of a frame that it returned last.  All zero: before the first frame. */
struct frame {
	unsigned char head[FRAME_HEAD], have; /* the header, of which `have` bytes were read */
	unsigned char type;
	unsigned char first;       /* this is the first part of its frame */
	unsigned short size, left; /* the header's number; how much payload follows this part */
	const unsigned char *part; /* in the caller's data */
	size_t len;
};

/* Writes a header. */
void frame_head(unsigned char head[FRAME_HEAD], unsigned type, unsigned size);
/* Takes bytes off the *n at *data: FRAME_GOT one part of a frame (the last one when left is 0), FRAME_MORE all were
 * taken, FRAME_BAD a header's first byte is not 0. */
int frame_next(struct frame *f, const unsigned char **data, size_t *n);
/* Whether a connection whose first n bytes are these is framed: 1, -1 no, 0 too few bytes to say. */
int frame_starts(const unsigned char *data, size_t n);
/* Whether n > 0 bytes begin with an HTTP method and a space (RFC 9110; RFC 9113, 3.4), or as a TLS record (RFC 8446,
 * 5.1): 1, -1 no, 0 too few bytes to say. */
int frame_foreign(const unsigned char *data, size_t n);

/* Whether this is the ASCII code of a SysRq key: a digit or a letter (sysrq_key_table in the kernel's
 * drivers/tty/sysrq.c; capitals since Linux 5.10). */
int frame_is_sysrq(unsigned key);

/* ==== wire.c: one connection's bytes in raw, framed or keyed mode ==== */

/* The largest payload of a frame that fits into one record. */
enum { WIRE_PAYLOAD = NOISE_MAX - FRAME_HEAD };

struct wire {
	int fd;
	char keyed;           /* from wire_key() on, also after an error has wiped noise */
	char local;           /* a unix socket, whose peer can send descriptors: io_receive() */
	struct frame decoder; /* of received frames */
	struct queue out;     /* bytes that the socket did not take yet */
	struct queue rx;      /* keyed: the part of a record that was received */
	struct noise noise;   /* keyed */
};

/* Makes the connection keyed; *n moves to w->noise, and is wiped. */
void wire_key(struct wire *w, struct noise *n);
/* Reads one of noise.c's messages, as far as the socket has it; the part read before is kept in rx.  Returns its
 * size, and *record, valid until the next call; 0 when it is not complete yet; -1 and errno, 0 at the end of file,
 * EPROTO when the message is none. */
ssize_t wire_read_record(int fd, struct noise *n, struct queue *rx, unsigned char **record);

/* io_read(), for at most n bytes; if keyed the bytes of one record, n is NOISE_MAX at least, and 0 may also mean a
 * record without any. */
ssize_t wire_read(struct wire *w, unsigned char *buf, size_t n);
/* Writes bytes of the stream, as one frame if framed, unless other bytes still wait.  Returns how many of its bytes were
 * written or queued, so that the caller need not keep them; 0 would block; -1 and errno. */
ssize_t wire_output(struct wire *w, int framed, const struct iovec *v, int parts);
/* Queues a frame: 0, or -1 when there is no room or no memory.  payload has size bytes, or is 0: then size is a
 * number. */
int wire_frame(struct wire *w, unsigned type, unsigned size, const void *payload);
/* Queues unframed text, from start to t->at: 0 or -1. */
int wire_text(struct wire *w, const struct text *t, const char *start);
/* io_flush() of what is queued. */
ssize_t wire_flush(struct wire *w);
/* Frees the queues and wipes the keys; does not close fd.  Later reads and writes fail if the connection is keyed. */
void wire_close(struct wire *w);

/* ==== handshake.c: the beginning of a keyed connection ==== */

/* The handshake is done: fd is the receiver's from here on, n is for its wire_key(); first are the len bytes of the
 * client's first record (a client gets none), valid until it returns. */
typedef void handshake_result(int fd, const char *name, int mode, struct noise *n,
	const unsigned char *first, size_t len);

/* Reads the key file, or dies; from here on no core dumps and no tracing (prctl(2), PR_SET_DUMPABLE), and sig_forget is
 * handshake_forget(). */
void handshake_key(const char *path);
/* Once before the first connection, after inherit_close_others(): dies when there are no random numbers.  verbose:
 * reports every connection that is closed unauthenticated; else one in 10 s. */
void handshake_start(int verbose);
/* How many connections are in the handshake, or were refused and are read until they close. */
int handshake_pending(void);
/* Whether the connection with this descriptor and name is one of these. */
int handshake_has(int fd, const char *name);
/* In a child: wipes the shared key, and the keys of the handshakes. */
void handshake_forget(void);
/* The server's side, on a connection of this TCP peer; fd is this function's from here on.  When the client has proved
 * that it has the key, then() is called with name and mode; else the connection is closed. */
void handshake_respond(
	int fd, const union sock_name *peer, const char *name, int mode, handshake_result *then);
/* The client's side; fd is this function's from here on.  Calls failed() when no banner comes, the keys differ, or the
 * server refuses. */
void handshake_initiate(int fd, handshake_result *then, void (*failed)(const char *why));

#endif
