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
	size_t size, in;
	uint64_t head; /* bytes ever put */
};

/* Maps size bytes; -1 and errno when there is no memory. */
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
/* At most max bytes from pos (not before the oldest) on, in place: how many parts, 0 to 2. */
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
/* Reads from, or closes, a socket of a stranger, who may have sent descriptors with it (unix(7), SCM_RIGHTS).  They
 * are closed with that, and a close may wait (socket(7), SO_LINGER): after io_interrupt() it does so for 1 ms only. */
ssize_t io_receive(int fd, void *buf, size_t n);
void io_close(int fd);
/* From here on SIGALRM interrupts what waits, and belongs to these two. */
void io_interrupt(void);
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
	unsigned short port; /* ADDR_FD, and after given_take() both of them: the descriptor */
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
	void (*bury)(struct source *s); /* after its fd was closed; may be 0 */
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
/* Marks it; the fd is closed and bury() called when the next turn begins. */
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

/* ==== env.c: the command's environment ==== */

/* NAME=VALUE (name with its "="; len bytes of value), which stays for good; or dies without memory. */
char *env_make(const char *name, const char *value, size_t len);
/* For execve(2), in mapped memory: the client's (strings one after the other, an empty one last; or 0), `set`
 * (0 ends it), our own without LINES and COLUMNS; of two that have one name the first.  0 and errno. */
char **env_list(char *client, char **set);

/* ==== seal.c: a copy of this program that nobody can write to ==== */

/* Goes on as a sealed copy of this program in memory, from its beginning and with argv (argv[0] names the
 * applet); returns when it is one already, or when the kernel knows no memfd; else dies.  Descriptors that
 * are not close-on-exec stay. */
void seal_self(char **argv);

/* ==== join.c: into the namespaces of a running process ==== */

/* Not libc's, which first gather the threads we do not have; with ids of 32 bits. */
#ifdef SYS_setuid32
enum { SETUID = SYS_setuid32, SETGID = SYS_setgid32, SETGROUPS = SYS_setgroups32 };
#else
enum { SETUID = SYS_setuid, SETGID = SYS_setgid, SETGROUPS = SYS_setgroups };
#endif

/* Holds the process of this number from now on, and remembers which namespaces are ours; or dies. */
void join_hold(unsigned long pid);
/* In a forked child, in this order.  Closes all descriptors but the report and the process's; 0-2 become the
 * report.  The report's new number, close-on-exec, or -1. */
int join_begin(int report);
/* Opens all, then joins all namespaces of the process that are not ours (setns(2)); its children are in the
 * process namespace.  In a user namespace becomes user and group 0, or these where that has no 0.  What
 * failed (errno says why; ESRCH: the process has ended), or 0. */
const char *join_enter(uid_t uid, gid_t gid);
/* In a child of that: the root and working directories of the process.  What failed, or 0. */
const char *join_root(void);
/* After join_enter(): whether the process's UTS namespace is ours; whether its user namespace is not. */
int join_shares_uts(void);
int join_changed_user(void);

/* ==== users.c: as whom the command runs ==== */

enum { USERS_ENV = 5 };

/* USER[:GROUP], names or numbers, is looked up now; or dies. */
void users_set(const char *spec);
/* HOME, SHELL, USER and LOGNAME, for the command; 0 ends the list, which is empty before users_set().  A number
 * that /etc/passwd does not know has the home /, and the number for a name. */
char **users_env(void);
/* The user and group that are wanted; changes nothing before users_set(). */
void users_wanted(uid_t *u, gid_t *g);
/* Real, effective and saved ids of this process: what failed (errno says why), or 0. */
const char *users_ids(uid_t u, gid_t g);
/* In the child, its terminal being 0: the user's terminal, groups, group and id.  The same. */
const char *users_become(void);

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

/* ==== replay.c: a ring from its oldest byte on, for a terminal that has seen nothing of it ==== */

/* The modes in force at a position that trails behind at the ring's oldest byte, or right behind it. */
struct trail {
	struct modes modes;
	uint64_t pos;
};

/* To be told before n more bytes are put (at most the ring's size), which overwrites the oldest. */
void trail_follow(struct trail *t, const struct ring *r, size_t n);
/* Whether the output so far has left the alternate screen on.  Reads the whole ring. */
int trail_alternate(const struct trail *t, const struct ring *r);
/* Where a replay begins: the oldest position that starts a character and is outside of a sequence (the ring's
 * end when there is none); m becomes the modes in force there. */
uint64_t trail_begin(const struct trail *t, const struct ring *r, struct modes *m);

/* A reader of the ring who is spared the questions; all zero, looked set to where it begins. */
struct replay {
	struct escape escape;
	uint64_t looked;          /* up to here nothing is asked, but */
	uint64_t question, until; /* in what stands from `question` to `until` */
};

/* How many bytes the reader at *pos may be given now, 0 only at `end`; questions are stepped over.  One that has
 * not ended at `end` is given. */
size_t replay_next(struct replay *p, const struct ring *r, uint64_t *pos, uint64_t end);

/* ==== input.c: what a terminal says by itself, and what a person types ==== */

enum { INPUT_TYPED, INPUT_REPORT, INPUT_ANSWER, INPUT_PART };
enum { INPUT_HOLD = 64 };

struct input {
	struct escape escape;
	msec since; /* the last byte of what is in the middle of a sequence */
	unsigned char held[INPUT_HOLD], len, given;
	char hold; /* give nothing of a sequence before it is known what it is */
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

/* ==== jail.c: where the command runs, and as whom ==== */

/* Takes -u, -N, -t, -H; 0 when it is another.  Users are looked up at once. */
int jail_option(const struct opt *o, int letter);
/* Dies when the options do not go together. */
void jail_check(void);
/* -t: whether the command exists is not known before. */
int jail_joins(void);
/* -N pid: init_fork() is due in the child. */
int jail_needs_init(void);
/* -t: join_hold(). */
void jail_open(void);
/* The CLONE_ flags to fork the command with (namespaces(7)). */
unsigned jail_clone(void);
/* -t: join_enter() as the user that is wanted. */
const char *jail_join(void);
/* In the command's process, its terminal being 0: all the rest.  What failed (errno says why), or 0. */
const char *jail_enter(void);

/* ==== init.c: the first process of a process namespace ==== */

/* Forks in the first process of a new process namespace: 0 in the child, which is to
 * become the command; -1 and errno.  The caller stays the namespace's init, lets go of all its descriptors, and
 * ends with the child's status.  report: the writing end of a pipe that the server alone reads. */
int init_fork(int report);

/* ==== pgrp.c: signals for the process groups of a session ==== */

/* Once in a process that has sessions, and not before it was forked: takes two descriptors, or dies. */
void pgrp_open(void);
/* Signals the foreground process group of this master's terminal, if it is of the session that has the terminal
 * (leader's, a process that was not waited for, when none has it): never a process of another session, even
 * when a number was given again.  Not who may not be signalled (kill(2)). */
void pgrp_signal(int master, pid_t leader, int sig);

/* ==== devpts.c: a pseudoterminal of the devpts that is mounted here ==== */

/* The master (non-blocking) and its slave, close-on-exec, of the devpts at /dev/pts; or -1: there is none. */
int devpts_open(int fd[2]);
/* Unlocks and opens the slave of a master; dir is its devpts, or AT_FDCWD for /dev/pts.  -1 and errno. */
int devpts_slave(int master, int dir);

/* ==== pty.c: a pseudoterminal and the command on it ==== */

struct pty {
	int master, slave; /* master non-blocking; both close-on-exec; -1 when closed */
	pid_t pid; /* the session leader, or its init; 0 once reaped, and never signalled after that */
};

struct command {
	char **argv;
	char **env;           /* NAME=VALUE set on top of our own environment; 0 ends the list */
	void (*forget)(void); /* wipes secrets in the child; may be 0 */
	const char *home;     /* it starts here, */
	const char *dir;      /* then goes there (may be 0) */
	struct rlimit files;  /* ours may be lower (RLIMIT_NOFILE) */
	mode_t umask;
};

extern const char pty_what[]; /* the subject when there is no pseudoterminal */

/* What went wrong, and on what; err 0: nothing did. */
struct failure {
	const char *subject;
	int err;
};

/* With -t the terminal comes from the command's process: see pty_arrived(). */
int pty_comes(void);
/* pts(4); -1 and errno. */
int pty_open(struct pty *p, const struct winsize *size);
void pty_close(struct pty *p);
/* For a message about errno: how to mount devpts when that is what is missing, else "". */
const char *pty_hint(int err);
int pty_resize(const struct pty *p, const struct winsize *size);
/* Sends sig and SIGCONT to the command's process group and to the foreground one; -1 when the command
 * cannot be signalled: it is another user's. */
int pty_hangup(const struct pty *p, int sig);
/* Signals the foreground process group (TIOCSIG); a number that is no signal does nothing. */
void pty_signal(const struct pty *p, int sig);
/* Forks the command as leader of a new session on the slave: a descriptor that pty_spawned()
 * reads (blocking until exec) and closes, or -1 and *f.  env: more variables, each ending in a NUL,
 * an empty one last; or 0. */
int pty_spawn(struct pty *p, const struct command *c, char *env, struct failure *f);
struct failure pty_spawned(int report);
/* When pty_comes(), after pty_spawn(): reads the first of what the report brings, the pty, opened in the
 * process's own devpts, or in ours where it has none; waits PTY_PATIENCE seconds at most.  A failure when the
 * command's process failed before.  It waits until pty_go() lets it go on; then pty_spawned(). */
enum { PTY_PATIENCE = 10 };
struct failure pty_arrived(struct pty *p, const struct winsize *size, int report);
void pty_go(const struct pty *p, int report);
/* Tries what execvp(3) would for this name, the directories of PATH in turn, until try() returns 0 or
 * an errno that is not about the place; which it returns. */
int pty_find(const char *name, int (*try)(const char *path, const void *of), const void *of);
/* The exit status for it: 127 not found, 126 not executable, 1 anything else. */
int pty_fail_status(const struct failure *f, const struct command *c);
/* ==== command.c: a server's command that is not there, or does not start ==== */

/* What is to be said about it. */
void command_words(struct text *t, const struct command *c, const struct failure *f);
/* Dies of it, with pty_fail_status(). */
_Noreturn void command_failed(const struct command *c, const struct failure *f);
/* Dies when it is not there; nothing is known with jail_joins(). */
void command_find(const struct command *c);

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

/* ==== screen.c: standard output, and lines of our own beside it ==== */

/* From here on what waits is written in the loop; failed(), with errno, does not return. */
void screen_open(void (*failed)(void));
/* n > 0 bytes for standard output, kept (up to QUEUE_SIZE) where it does not take them now. */
void screen_show(const unsigned char *data, size_t n);
/* How many bytes of these wait. */
size_t screen_busy(void);
/* "[words: reason]" on standard error, on a line of its own, without control characters; reason may be 0. */
void screen_say(const char *words, const char *reason);
/* Switches off what a full-screen program may have left on, when that is left behind. */
void screen_reset(void);

/* ==== keys.c: the detach key ==== */

enum { KEYS_WAIT = 300 }; /* ms */

struct keys {
	int key;   /* -1: none */
	msec held; /* since then; 0: not */
	void (*send)(const unsigned char *data, size_t n);
};

/* "^A", "^]", a character: the byte; "none": -1; anything else: -2. */
int keys_parse(const char *s);
/* Sends on what is typed, all but a detach key that nothing follows yet. */
void keys_typed(struct keys *k, const unsigned char *data, size_t n);
/* When the held key means detach. */
msec keys_detach_at(const struct keys *k);

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

/* ==== given.c: what a server is given by whoever starts it ==== */

/* With "-" as ADDR among these words nothing is to be said on the connection, not even what is wrong with them:
 * 1 and 2, where they are the same, are the null device from here on. */
void given_hush(char **argv);
/* The listening socket (ADDR_FD), or the connection on standard input (ADDR_STDIN), gets a non-blocking
 * descriptor of its own, a->port, 3 or higher (O_NONBLOCK is its giver's, too); or this dies.  What of 0-2
 * was the same is the null device from here on. */
void given_take(struct addr *a);
/* Closes what from 3 on was not taken. */
void given_close_others(void);
/* Takes NOTIFY_SOCKET out of the environment: the command has nothing to tell there. */
void given_notify(void);
/* Says there that the server is ready (sd_notify(3)); waits at most 5 s, and warns when it does not work. */
void given_ready(void);

/* ==== noise.c: the keyed handshake and its records ==== */

enum { NOISE_KEY = 32, NOISE_NONCE = 16, NOISE_BANNER = 86 };
enum { NOISE_HELLO = 50 };                 /* either message of the handshake */
enum { NOISE_DATA = 4, NOISE_MAX = 4096 }; /* where a record has its bytes, and how many at most */
enum { NOISE_RECORD = 4178 };              /* its size then */
enum { NOISE_OVER, NOISE_SHAKES, NOISE_ASKED, NOISE_TALKS };

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
		struct noise_way way[2]; /* NOISE_TALKS: what we send, what we receive */
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
int noise_ask(struct noise *n, unsigned char random[NOISE_KEY], unsigned char hello[NOISE_HELLO]);
/* The server's, in answer to it: 0 and records may follow, or -1: another key, or tampered with. */
int noise_answer(struct noise *n, unsigned char random[NOISE_KEY], unsigned char asked[NOISE_HELLO],
	unsigned char hello[NOISE_HELLO]);
/* The client takes the answer: 0 and records may follow, or -1. */
int noise_agree(struct noise *n, unsigned char answered[NOISE_HELLO]);
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

/* ==== key.c: the shared key, and random numbers ==== */

/* The key in this file, or dies: not there, no key, or not the caller's alone. */
void key_read(unsigned char key[NOISE_KEY], const char *path);
/* ptybox --keygen: makes the file, or dies. */
void key_make(const char *path);
/* n (at most 256) bytes from the kernel, never an unseeded byte; -1: errno is EAGAIN when it has none
 * yet (then key_random_wait()), else there is no source. */
int key_random(void *buf, size_t n);
/* At the start, behind given_close_others(): dies when there is no source, and keeps open what key_random()
 * needs. */
void key_random_start(void);
/* A descriptor that is readable when key_random() is worth trying again, to be closed then; -1 and
 * errno.  It may be a child's, which gathers the kernel's first randomness and is not waited for. */
int key_random_wait(void);

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
	char framed;        /* what we send is framed */
	char keyed;         /* from wire_key() on, also when its noise has refused */
	struct frame in;    /* what we receive, when that is */
	struct queue out;   /* what the socket did not take */
	struct queue rx;    /* keyed: a part of a record */
	struct noise noise; /* this connection's alone */
};

/* Keyed from here on; the state moves in, and *n is wiped. */
void wire_key(struct wire *w, struct noise *n);
/* Reads what is missing of a message: its size, and *record, valid until the next call; 0 not all is
 * there yet; -1 over (EPROTO when that is the peer's fault). */
ssize_t wire_gather(int fd, struct noise *n, struct queue *rx, unsigned char **record);

/* As io_read(); keyed one record, and n is at least NOISE_MAX.  0 may also be a record that carries nothing. */
ssize_t wire_read(struct wire *w, unsigned char *buf, size_t n);
/* Terminal output: how many bytes of it are on their way and need not be kept, 0 none now, -1. */
ssize_t wire_output(struct wire *w, const struct iovec *v, int parts);
/* Behind what waits; payload has size bytes, or is 0.  -1: no room or no memory. */
int wire_frame(struct wire *w, unsigned type, unsigned size, const void *payload);
/* Unframed text, from start to t->at. */
int wire_text(struct wire *w, const struct text *t, const char *start);
/* Writes what waits, as far as it goes now. */
ssize_t wire_flush(struct wire *w);
/* Frees what waits and wipes the keys; what is read or written after that fails (keyed) or is lost. */
void wire_close(struct wire *w);

/* ==== shake.c: how a keyed connection begins ==== */

/* The handshake is done: fd is the receiver's, n for its wire_key(); what the first record said. */
typedef void shake_done(int fd, const char *name, int mode, struct noise *n,
	const unsigned char *first, size_t len);

/* Reads the key file, or dies; no core dumps and no tracing from here on (prctl(2)). */
void shake_key(const char *path);
/* Once before the first connection, behind given_close_others(): dies when there are no random numbers.
 * verbose: every stranger is reported, not one in a while. */
void shake_start(int verbose);
/* How many are at it, or were refused and linger. */
int shake_pending(void);
/* Wipes the key and those of the handshakes, in a child. */
void shake_forget(void);
/* Speaks first, on a connection of this TCP peer; name and mode are for then().  A stranger is closed without
 * a word, and one that there is no time for with a line. */
void shake_serve(int fd, const union sock_name *peer, const char *name, int mode, shake_done *then);
/* Waits for the server's line; failed() when it does not come, the keys differ, or the server has no time. */
void shake_ask(int fd, shake_done *then, void (*failed)(const char *why));

/* ==== dial.c: connecting ==== */

/* Looks up and tries every name of the address; then up() with the connection, and the error of a
 * reset that has already followed what can be read from it (or 0); or failed() with the reason. */
void dial(const struct addr *a, void (*up)(int fd, int reset), void (*failed)(const char *reason));

/* ==== tell.c: the client's side of the conversation ==== */

enum { TELL_RAW, TELL_LOOKING, TELL_PLAIN, TELL_EXTENDED };

struct teller {
	struct wire wire;
	int mode;
	int status;             /* the command's, once EXIT came; else -1 */
	char watch;             /* say so to the server */
	char answered;          /* anything was received */
	char noticed;           /* the last that came was a notice */
	char size_due;          /* a new window size had no room: tell it when there is some */
	unsigned char lock_len; /* of a keyed port's line, received */
	msec began, heard, pinged, sent;
	unsigned char held[12]; /* the beginning of what may be WELCOME */
	unsigned held_len;
	char note[256];
	size_t note_len;
	void (*show)(const unsigned char *data, size_t n);
	void (*notice)(const char *line); /* without control characters */
};

/* On a new connection; show, notice and watch stay as they are. */
void tell_begin(struct teller *t, int fd, char framed, struct noise *n);
/* When much waits already only size_due is set. */
void tell_size(struct teller *t, const struct winsize *size);
/* What was received: shows it, notes EXIT; -1 when it is no protocol. */
int tell_heard(struct teller *t, const unsigned char *data, size_t n);
/* The server's first line was that of a keyed port. */
int tell_locked(const struct teller *t);
/* Nothing more comes: shows what was held back. */
void tell_over(struct teller *t);
/* Whether input may be sent now; else *due may tell when. */
int tell_ready(const struct teller *t, msec *due);
/* Sends a piece of what waits in q; -1 and errno. */
int tell_input(struct teller *t, struct queue *q);
int tell_eof(struct teller *t);
/* Silence until now was ours: we did not read. */
void tell_awake(struct teller *t);
/* When tell_clock() is to be called; it returns -1 when the server is silent for too long. */
msec tell_due(const struct teller *t);
int tell_clock(struct teller *t);

/* ==== session.c: a pty, the command on it, one output ring ==== */

struct client;

enum { SESSION_ENV = 65536 };

struct session {
	struct source src; /* the master; first member */
	struct pty pty;
	struct ring ring;
	struct queue in; /* input the terminal did not take yet */
	struct client *clients;
	/* Gives new output to the clients that had all of it up to `before`. */
	void (*feed)(struct session *s, uint64_t before);
	/* Sees each new pty before the command starts on it; a failure stops the start.  May be 0. */
	struct failure (*opened)(const struct pty *p);
	const struct command *command;
	char *env;      /* SESSION_ENV bytes of strings from the client, or 0 */
	size_t env_len; /* more than SESSION_ENV: it sent more than fits */
	struct winsize size;
	msec began, ended, kill_at, retry, read_at, gather_until;
	uint64_t in_bytes;
	long drain, burst;
	char typed;   /* the last byte of input */
	int status;   /* of the command, once exited */
	char replays; /* late clients get what the ring has */
	char warm;    /* does not, and the ring has memory it no longer needs */
	char go;      /* a client has said something that starts the command */
	char started;
	char coming;    /* the terminal is, from the command's process */
	char exited;    /* reaped */
	char over;      /* and everything it wrote is in the ring */
	char stays;     /* it will be started again: clients stay */
	char collected; /* a client got everything up to the end */
};

/* Descriptors that starting one takes at most: master, slave, the report's two ends, and two to join (-t). */
enum { SESSION_FILES = 6 };

/* Opens a pty and starts the command on it; f.err says whether, after exec. */
struct failure session_start(struct session *s);
/* The same without waiting for exec: *report is for session_told() when it is readable, or -1. */
struct failure session_begin(struct session *s, int *report);
/* 0: there is more to come.  1: the report is closed, and *f says whether the command was executed. */
int session_told(struct session *s, int report, struct failure *f);
/* Its end as wait(2) told it. */
void session_exited(struct session *s, int wait_status);
/* HUP to the command's group, KILL 5 s later. */
void session_hangup(struct session *s);
/* The master was closed and buried, or never open. */
int session_closed(const struct session *s);
/* Bytes a client typed, when session_takes_input(). */
void session_input(struct session *s, const unsigned char *data, size_t n);
/* Whether the terminal took all input up to this byte, so that there may be more from whoever typed it:
 * one who fills the terminal waits, and the others are heard all the same. */
int session_takes_input(const struct session *s, uint64_t typed_to);
/* The command has output that waits for the clients. */
int session_held(const struct session *s);
void session_resize(struct session *s, const struct winsize *size);
void session_signal(struct session *s, int sig);
/* Puts whole lines among the command's output, on lines of their own: 0, or -1 when there is no room
 * for them now; session_hears() tells whether there is for SESSION_LINES bytes. */
enum { SESSION_LINES = 2046 }; /* with a newline before it half of the smallest ring */
int session_hears(const struct session *s);
int session_say(struct session *s, const char *lines, size_t n);

/* ==== console.c: what the machine says ==== */

/* The kernel's log from its beginning on comes out of this session as well (kmsg; Linux 3.5, else
 * /proc/kmsg).  Without a log there is a warning. */
void console_log(struct session *s);
/* A session's opened(): what is written to /dev/console comes out of the master (TIOCCONS, ioctl_tty(2))
 * until that is closed. */
struct failure console_take(const struct pty *p);

/* ==== say.c: what a client is told ==== */

enum { CLIENT_NEW, CLIENT_RAW, CLIENT_FRAMED, CLIENT_EXTENDED };

/* The connections to an address. */
struct tally {
	unsigned accepted, refused;
};

struct client {
	struct source src; /* first member */
	struct wire wire;
	struct tally *tally;     /* may be 0 */
	struct session *session; /* 0 once detached from it, or refused */
	struct client *next;
	uint64_t pos; /* in the session's ring */
	uint64_t in, out, skipped, replay_end;
	uint64_t typed_to; /* in the session's input */
	msec began;
	msec heard;    /* the first byte, then the first packet */
	msec typed;    /* last input */
	msec speak_at; /* its input is not read: let it know then that we live */
	msec since;    /* it took something, or began to have something to take */
	msec check;    /* look then whether it still exists; 0: no need */
	msec look;
	unsigned long stamp; /* the higher, the later it typed or resized */
	const char *refusal; /* to be told as soon as its mode is known */
	int refusal_status, unsent;
	unsigned short rows, cols;                   /* its own window; 0: not said */
	unsigned char first[FRAME_FIRST], first_len; /* CLIENT_NEW: held until they decide */
	char mode, watch, tty, resized;
	char wary;     /* CLIENT_NEW over TCP: closed when it begins like HTTP or TLS */
	char packets;  /* it has sent one */
	char size_due; /* the window's, when its queue has room */
	char welcomed;
	char waits;  /* for the client to take something, when last looked at */
	char talks;  /* its output has begun */
	char replay; /* and is not past replay_end yet */
	char eof;    /* no more input from it */
	char fin;    /* nor anything else */
	char ending; /* its last words are said */
	char shut;   /* and written, and our side is shut */
	char broken; /* out of memory, or it floods us */
	char name[NET_TEXT];
};

/* It understands more than uWSGI's client does, and gets frames. */
int say_extended(const struct client *c);
/* How many bytes wait for it, in the ring and behind that. */
size_t say_pending(const struct client *c);
/* Writes what its socket takes now: whether anything moved, or -1 and errno. */
int say_more(struct client *c);
/* A line for the person, from start to t->at: 0, or -1 when there is no room. */
int say_notice(struct client *c, const struct text *t, const char *start);
/* The session's window; when much waits already, size_due is set instead. */
void say_size(struct client *c);

/* ==== hear.c: what a client says ==== */

/* Does what these bytes say; -1 when they are no protocol, or on a bare TCP address HTTP or TLS. */
int hear(struct client *c, const unsigned char *data, size_t n);
/* No more bytes will come to tell its mode: a new one is raw. */
void hear_nothing_more(struct client *c);
/* Gives the session the window of the client that last typed or resized, and tells all but `by`, whose
 * doing it is. */
void hear_size(struct session *s, const struct client *by);
/* The client's window is now this, as if it had said so. */
void hear_window(struct client *c, const struct winsize *size);

/* ==== client.c: a connection to a session ==== */

/* What holds for all clients. */
struct client_rules {
	msec idle; /* 0: never */
	char watch, verbose;
};

extern struct client_rules client_rules;
extern int client_count; /* attached to a session */
extern int client_alive; /* these and those that are still leaving */

/* Attaches fd, which becomes the client's; it gets the ring from the oldest byte on. */
struct client *client_open(int fd, struct session *s, const char *name, int mode);
/* Makes a client that has just been opened keyed (wire_key()), and hears its first bytes. */
void client_key(struct client *c, struct noise *n, const unsigned char *first, size_t len);
/* Wipes the keys of all clients, in a child. */
void client_forget(void);
/* Tells fd why in one line, as a notice when it understands that (waits for its HELLO, 1 s at most), and closes it.
 * Few are at it at once; the oldest has to go. */
struct client *client_refuse(int fd, const char *name, int mode, const char *why);
/* The oldest client that is being refused is told now and closed; its descriptor is free from the next turn on.
 * 0: there was none. */
int client_evict(void);
/* Its last words, a notice and a status (not when it is -1), or one line of text; then it goes. */
void client_dismiss(struct client *c, const char *why, int status);
/* When a client that says nothing is served all the same. */
msec client_silent_at(const struct client *c);
/* A notice to every client that understands one. */
void client_tell(struct session *s, const char *words);
/* A session's feed(). */
void client_feed(struct session *s, uint64_t before);

/* ==== stats.c: one JSON object ==== */

/* Begins an answer to whoever asks on fd (now ours), when not stats_busy(); 0 without memory.  stats_end() ends it with
 * ]} and begins to send it.  Those who do not read theirs have 5 s, or less when there are several. */
struct text *stats_begin(int fd);
void stats_end(void);
int stats_busy(void);
/* After a fork: the asker is the parent's. */
void stats_forget(void);
void stats_str(struct text *t, const char *s); /* "s" */
/* Begins the object; then its "sockets", each behind a comma but the first, and ] */
void stats_head(struct text *t, char *const *command, msec began);
void stats_socket(struct text *t, const char *addr, const char *mode, const struct tally *tally);
void stats_num(struct text *t, const char *name, uint64_t n);      /* ,"name":n */
void stats_session(struct text *t, const struct session *session); /* {...} */

/* ==== daemon.c: into the background, and the files that are left there ==== */

/* Forks; the caller returns from daemon_start() only in the child and exits itself when the child
 * says daemon_ready() (0, "Daemon PID is N") or ends (with its status). */
void daemon_start(void);
void daemon_ready(int keep_stderr);
/* Where the process was started; the command begins there. */
const char *daemon_home(void);
/* Puts the pid file there in one step, complete, in the place of an earlier one if need be; or dies: anything but
 * a pid file of root's or the caller's own stays as it is. */
void daemon_pid_file(const char *path);
/* path, which is this file now, is removed by daemon_remove(), which die() calls too; not when it is another file
 * by then.  socket: daemon_remove_sockets() is enough. */
void daemon_owns(const char *path, const struct file_id *id, int socket);
void daemon_remove(void);
/* The sockets alone: the pid file is there as long as the process. */
void daemon_remove_sockets(void);
/* After a fork: the files are the parent's. */
void daemon_disown(void);

/* ==== serve.c: what both servers do ==== */

enum { SERVER_ADDRS = 16 };

struct server {
	struct command command;
	struct winsize size;
	struct tally *tallies; /* one an address; processes that share sockets share them */
	int (*sessions)(void); /* what -n counts; 0: clients */
	long max;              /* -n; 0: none */
	msec began;
	char sized; /* by -s */
	char alone; /* its only connection was there before it was: "-" */
	char foreground;
	int unbegun;    /* sessions that have a client, but not their descriptors yet */
	char listening; /* until server_unlisten() */
	char paused;    /* takes no more clients now */
};

extern struct server server;

/* Before all else, with the applet's words and option letters: a server that will join a process (-t) goes on
 * as a sealed copy of itself. */
void server_seal(char **argv, const char *options);
/* Takes a shared option; 0 when it is none. */
int server_option(const struct opt *o, int letter);
/* The bare ADDR and COMMAND behind the options; then the sockets listen, or it dies. */
void server_listen(struct opt *o, struct client *(*accepted)(int fd, const char *name, int mode));
/* Daemonizes unless -F; pid file; from here on signals wait. */
void server_start(void);
/* Takes the signals: those that end a server, children's ends, others (may be 0). */
void server_signals(void (*end)(void), void (*reaped)(pid_t, int), void (*other)(int));
/* Accepts: clients, if told so; and askers for statistics, for whom stats() adds the sessions (in
 * JSON, between commas) and calls stats_end(), then or later; 0: none. */
void server_accept(int clients, void (*stats)(struct text *t));
/* All runs: releases the caller. */
void server_ready(void);
/* No new connections; socket files removed. */
void server_unlisten(void);
/* The same, and the pid file: nothing of the server is left but the caller. */
void server_end(void);

/* ==== seat.c: a session for every client ==== */

enum { SEATS_MAX = 24 };

/* changed() is told 1 when a session is to begin, which it can refuse (0), and -1 when it has ended. */
void seat_init(int (*changed)(int change));
/* Takes a connection, which gets a session of its own; for server_listen(). */
struct client *seat_open(int fd, const char *name, int mode);
/* When something is to be done about one of them; does it for all that are due. */
msec seats_due(void);
void seats_serve(void);
/* Hangs up every session; one that has not begun is called off. */
void seats_hangup(void);
/* Whichever session's command this was: its end as wait(2) told it. */
void seats_reaped(pid_t pid, int wait_status);
/* A JSON object for each, with a comma before it but behind a [, as far as there is room. */
void seats_stats(struct text *t);

#endif
