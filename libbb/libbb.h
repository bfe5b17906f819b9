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
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/un.h>
#include "applets.h"

#define VERSION "0.1"

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

/* One line on stderr in one write: "applet: " and the strings.  Keeps errno. */
#define warn(...) msg_line(__VA_ARGS__, (char *)0)
void msg_line(const char *first, ...);
/* The same, then the cleanup, then _exit(status). */
#define die(status, ...) msg_die(status, __VA_ARGS__, (char *)0)
_Noreturn void msg_die(int status, const char *first, ...);
/* The system's words for errno. */
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
/* At most max bytes from pos (not before the oldest) on, in place: how many parts, 0 to 2. */
int ring_data(const struct ring *r, uint64_t pos, size_t max, struct iovec v[2]);

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
/* For blocking descriptors: all of it or -1. */
int io_write_all(int fd, const char *s, size_t n);
int io_pipe(int fd[2]); /* close-on-exec */
/* Makes fd the null device, or something as harmless where there is no /dev. */
void io_null(int fd);
/* PID 1 may start with 0-2 closed: they are filled first, or a socket becomes stderr. */
void io_fill_012(void);
/* close_range(2); a loop before Linux 5.9. */
void io_close_from(int first);

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

enum { ADDR_TCP, ADDR_UNIX };
enum { ADDR_HOST_MAX = 255, ADDR_PATH_MAX = 107 };

struct addr {
	const char *text; /* as typed; the rest points into it */
	const char *host; /* 0: PORT alone */
	size_t host_len;
	unsigned short port;
	char kind, ipv6; /* ipv6: the host stood in brackets */
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
	int fd; /* -1: deadlines only */
	/* LOOP_READ | LOOP_WRITE it could use now; lowers *due to its next deadline. */
	unsigned (*want)(struct source *s, msec *due);
	/* One step; exactly one LOOP_ bit is set. */
	void (*ready)(struct source *s, unsigned what);
	void (*bury)(struct source *s); /* after its fd was closed; may be 0 */
	msec due;
	char closed, last; /* last: served after the others (listening sockets) */
};

extern msec loop_now; /* read once a turn */

static inline void due_at(msec *due, msec when)
{
	if (when < *due)
		*due = when;
}

int loop_fits(int fd); /* below LOOP_MAX */
/* s stays the caller's and must live until it is buried. */
void loop_add(struct source *s);
/* Marks it; the fd is closed and bury() called when the next turn begins. */
void loop_close(struct source *s);
void loop_run(void); /* until loop_stop() */
void loop_stop(void);

/* ==== sig.c: signals as a source ==== */

/* From here on these signals (0 ends the list) come to handle() in the loop; SIGPIPE is blocked. */
void sig_open(const int *signals, void (*handle)(int));
/* In a child before exec: default dispositions, empty mask. */
void sig_default(void);

/* ==== pty.c: a pseudoterminal and the command on it ==== */

struct pty {
	int master, slave; /* master non-blocking; both close-on-exec; -1 when closed */
	pid_t pid;         /* the session leader; 0 once reaped, and never signalled after that */
};

struct command {
	char **argv;
	char **env;       /* NAME=VALUE set on top of our own environment; 0 ends the list */
	const char *home; /* it starts here, */
	const char *dir;  /* then goes there (may be 0) */
	mode_t umask;
};

/* What went wrong, and on what; err 0: nothing did. */
struct failure {
	const char *subject;
	int err;
};

/* pts(4); -1 and errno. */
int pty_open(struct pty *p, const struct winsize *size);
void pty_close(struct pty *p);
/* For a message about errno: how to mount devpts when that is what is missing, else "". */
const char *pty_hint(int err);
int pty_resize(const struct pty *p, const struct winsize *size);
/* Sends sig and SIGCONT to the command's process group and to the foreground one. */
void pty_hangup(const struct pty *p, int sig);
/* Forks the command as leader of a new session on the slave: a descriptor that pty_spawned()
 * reads (blocking until exec) and closes, or -1 and errno. */
int pty_spawn(struct pty *p, const struct command *c);
struct failure pty_spawned(int report);
/* The exit status for it: 127 not found, 126 not executable, 1 anything else. */
int pty_fail_status(const struct failure *f, const struct command *c);
/* 0-255 or 128+N from what wait(2) said. */
int pty_status(int wait_status);

/* ==== term.c: the person's terminal ==== */

/* A non-blocking description of its own for the terminal or pipe behind fd, or -1. */
int term_reopen(int fd, int flags);
/* Saves the settings and makes it raw (cfmakeraw(3)); restored on every way out. */
int term_raw(int fd);
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

/* "IP:PORT", "[IPV6]:PORT" or "unix:PID" (unix(7), SO_PEERCRED). */
void net_text(struct text *t, const union sock_name *n, int fd);
/* A list of IP, IP/BITS, any: how many networks, or -1. */
int net_list(struct net *net, int max, const char *s);
/* Whether one of them has this peer; unix sockets are guarded by their mode. */
int net_allows(const struct net *net, int count, const union sock_name *n);
int net_is_loopback(const union sock_name *n);

/* ==== sock.c: stream sockets ==== */

/* Binds and listens (two sockets for localhost, else fd[1] is -1), or dies with the reason. */
void sock_listen(const struct addr *a, mode_t mode, int fd[2]);
/* A non-blocking, tuned connection and its peer's name, or -1 and errno. */
int sock_accept(int listener, union sock_name *n);
/* What an address stands for, to be tried in turn; count 0: why not. */
enum { SOCK_NAMES = 8 };
struct sock_names {
	int count;
	const char *why;
	union sock_name name[SOCK_NAMES];
};
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

/* ==== session.c: a pty, the command on it, one output ring ==== */

struct client;

struct session {
	struct source src; /* the master; first member */
	struct pty pty;
	struct ring ring;
	struct queue in; /* input the terminal did not take yet */
	struct client *clients;
	/* Gives new output to the clients that had all of it up to `before`. */
	void (*feed)(struct session *s, uint64_t before);
	const struct command *command;
	struct winsize size;
	msec kill_at, retry, read_at, gather_until, ended;
	long drain, burst;
	int status;     /* of the command, once exited */
	char exited;    /* reaped */
	char over;      /* and everything it wrote is in the ring */
	char stays;     /* it will be started again: clients stay */
	char collected; /* a client got everything up to the end */
};

/* Opens a pty and starts the command on it; f.err says whether. */
struct failure session_start(struct session *s);
/* Its end as wait(2) told it. */
void session_exited(struct session *s, int wait_status);
/* HUP to the command's group, KILL 5 s later. */
void session_hangup(struct session *s);
/* The master was closed and buried, or never open. */
int session_closed(const struct session *s);
/* Bytes a client typed; at most QUEUE_SIZE, when session_takes_input(). */
void session_input(struct session *s, const unsigned char *data, size_t n);
int session_takes_input(const struct session *s);
/* The command has output that waits for the slowest of the fastest clients. */
int session_held(const struct session *s);
void session_resize(struct session *s, const struct winsize *size);

/* ==== client.c: a connection to a session ==== */

struct client {
	struct source src;       /* first member */
	struct session *session; /* 0 once detached from it */
	struct client *next;
	uint64_t pos; /* in the session's ring */
	uint64_t skipped;
	msec typed; /* last input */
	msec since; /* it took something, or began to have something to take */
	msec check; /* look then whether it still exists; 0: no need */
	msec look;
	int unsent;
	char watch, tty;
	char eof;  /* its input has ended */
	char shut; /* our output to it has */
	char name[56];
};

/* What holds for all clients. */
struct client_rules {
	msec idle; /* 0: never */
	char watch, verbose;
};

extern struct client_rules client_rules;
extern int client_count; /* attached to a session */
extern int client_alive; /* these and those that are still leaving */

/* Attaches fd, which becomes the client's; it gets the ring from the oldest byte on. */
struct client *client_open(int fd, struct session *s, const char *name);
/* Tells fd why in one line and closes it. */
void client_refuse(int fd, const char *name, const char *why);
/* A session's feed(). */
void client_feed(struct session *s, uint64_t before);

/* ==== daemon.c: into the background, and the files that are left there ==== */

/* Forks; the caller returns from daemon_start() only in the child and exits itself when the child
 * says daemon_ready() (0, "Daemon PID is N") or ends (with its status). */
void daemon_start(void);
void daemon_ready(int keep_stderr);
/* Where the process was started; the command begins there. */
const char *daemon_home(void);
/* Writes the pid file, or dies. */
void daemon_pid_file(const char *path);
/* path is removed by daemon_remove(), which die() calls too. */
void daemon_owns(const char *path);
void daemon_remove(void);

/* ==== serve.c: what both servers do ==== */

struct server {
	struct command command;
	struct winsize size;
	char sized; /* by -s */
	char foreground;
	char listening; /* until server_unlisten() */
};

extern struct server server;

/* Takes a shared option; 0 when it is none. */
int server_option(const struct opt *o, int letter);
/* The bare ADDR and COMMAND behind the options; then the sockets listen, or it dies. */
void server_listen(struct opt *o, void (*accepted)(int fd, const char *name));
/* Daemonizes unless -F, pid file, signals; the signals that end a server call end(). */
void server_start(void (*end)(void), void (*reaped)(pid_t, int), void (*other)(int));
/* The command runs: releases the caller. */
void server_ready(void);
/* No new connections; socket files removed. */
void server_unlisten(void);
/* Dies with the words and status for a command that could not be started. */
_Noreturn void server_failed(const struct failure *f);

#endif
