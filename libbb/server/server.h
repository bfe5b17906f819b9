/* server.h: what ptyshim and ptyrouter share, one section a file, lowest layer first.
 *
 * A file uses only what stands above its own section, here and in libbb.h.
 */
#ifndef SERVER_H
#define SERVER_H

#include "libbb.h"

/* ==== environment.c: the command's environment ==== */

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
/* The user and group that are wanted, and 1; before users_set() 0, and nothing is changed. */
int users_wanted(uid_t *u, gid_t *g);
/* Real, effective and saved ids of this process: what failed (errno says why), or 0. */
const char *users_ids(uid_t u, gid_t g);
/* In the child, its terminal being 0: the user's terminal, groups, group and id.  The same. */
const char *users_become(void);

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

/* ==== process_group.c: signals for the process groups of a session ==== */

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

/* ==== oom.c: the OOM killer ==== */

/* A server of root's is not to be killed for want of memory; keeps what it was started with. */
void oom_protect(void);
/* In a command's process: that again. */
void oom_restore(void);

/* ==== pty.c: a pseudoterminal and the command on it ==== */

struct pty {
	struct source src; /* its fd is the master, non-blocking; first member */
	int slave;         /* both are close-on-exec, and -1 when closed */
	pid_t pid; /* the session leader, or its init; 0 once reaped, and never signalled after that */
};

struct command {
	char **argv;
	char **env;           /* NAME=VALUE set on top of our own environment; 0 ends the list */
	void (*forget)(void); /* wipes secrets in the child; may be 0 */
	const char *home;     /* it starts here, */
	const char *dir;      /* then goes there (may be 0) */
	char addr_like;       /* its only word could be meant as ADDR, but -r or -f has given one */
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
 * reads (until exec, or for PTY_PATIENCE seconds) and closes, or -1 and *f.  env: more variables, each ending in
 * a NUL, an empty one last; or 0. */
enum { PTY_PATIENCE = 10 };
int pty_spawn(struct pty *p, const struct command *c, char *env, struct failure *f);
struct failure pty_spawned(int report);
/* When pty_comes(), after pty_spawn(): reads the first of what the report brings, the pty, opened in the
 * process's own devpts, or in ours where it has none; waits PTY_PATIENCE seconds at most.  A failure when the
 * command's process failed before.  It waits until pty_go() lets it go on; then pty_spawned(). */
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

/* ==== inherit.c: what a server is given by whoever starts it ==== */

/* With "-" as ADDR among these words nothing is to be said on the connection, not even what is wrong with them:
 * 1 and 2, where they are the same, are the null device from here on. */
void inherit_silence(char **argv);
/* The listening socket (ADDR_FD), or the connection on standard input (ADDR_STDIN), gets a non-blocking
 * descriptor of its own, a->port, 3 or higher (O_NONBLOCK is its giver's, too); or this dies.  What of 0-2
 * was the same is the null device from here on. */
void inherit_socket(struct addr *a);
/* Closes what from 3 on was not taken. */
void inherit_close_others(void);
/* Takes NOTIFY_SOCKET out of the environment: the command has nothing to tell there. */
void inherit_notify(void);
/* Says there that the server is ready (sd_notify(3)); waits at most 5 s, and warns when it does not work. */
void inherit_notify_ready(void);

/* ==== terminal.c: a session's terminal, as its clients see it ==== */

struct client;

enum { SESSION_ENV = 65536 };

enum session_state {
	SESSION_NEW,
	SESSION_OPENING, /* the command's process opens its terminal (-t), which has not arrived */
	SESSION_RUNNING,
	SESSION_DRAINING, /* the command was reaped */
	SESSION_OVER,     /* and everything it wrote is in the ring */
};

struct session {
	struct pty pty; /* its source is the session's; first member */
	enum session_state state;
	struct ring ring;
	struct queue input; /* what the terminal did not take yet */
	struct client *clients;
	const struct command *command;
	char *env;      /* SESSION_ENV bytes of strings from the client, or 0 */
	size_t env_len; /* more than SESSION_ENV: it sent more than fits */
	const char *id; /* PTYBOX_SESSION of its command, so that a client can tell it; 0: none */
	struct winsize size;
	msec began, ended, kill_at, retry_at, read_at, coalesce_until;
	uint64_t in_bytes; /* ever typed */
	long drain;        /* bytes that may still be read once the command has ended */
	int short_reads;   /* in a row */
	int status;        /* of the command, once DRAINING */
	char last_input;   /* the last byte of input */
	char shared; /* ptyshim's: a late client gets what the ring has, and one that stalls is dropped */
	char takes_console; /* -c */
	char restarts;      /* -R: clients stay when it is over */
	char ring_used;     /* not shared: the ring has memory that it may give back */
	char start_asked;   /* a client said something that starts the command */
	char killed;        /* the command was sent KILL */
	char collected;     /* a client got everything up to the end */
};

/* How many bytes of output may be read now: all of the ring while nobody is attached; up to the only
 * client's position; with several up to half a ring ahead of the foremost, so that the others may be as far
 * behind it. */
size_t session_room(const struct session *s);
/* Whether the command has output that waits for the clients. */
int session_held(const struct session *s);
/* Whether the terminal took all input up to this byte, so that there may be more from whoever typed it: a
 * client that fills the terminal waits, and the others are read all the same. */
int session_takes_input(const struct session *s, uint64_t typed_to);
/* Bytes a client typed, when session_takes_input(). */
void session_input(struct session *s, const unsigned char *data, size_t n);
void session_resize(struct session *s, const struct winsize *size);
void session_signal(struct session *s, int sig);

/* ==== console.c: /dev/console ==== */

/* Before the command starts: what is written to /dev/console comes out of the master (TIOCCONS, ioctl_tty(2))
 * until that is closed. */
struct failure console_take(const struct pty *p);
/* After output: a hangup of the terminal (vhangup(2), as login's) took the console away; it is taken again. */
void console_keep(struct pty *p);
/* Starts output that a client has stopped (^S, tcflow(3)), so that nobody waits who writes to the console. */
void console_start(const struct pty *p);

/* ==== client_output.c: what a client is told ==== */

/* The connections to an address. */
struct tally {
	unsigned accepted, refused;
};

enum client_mode {
	CLIENT_NEW,      /* its first bytes decide */
	CLIENT_RAW,      /* bytes */
	CLIENT_FRAMED,   /* packets, none of which has come */
	CLIENT_PLAIN,    /* packets, as uWSGI's client sends them; output is bytes */
	CLIENT_EXTENDED, /* packets both ways: it said HELLO */
};
enum client_phase { CLIENT_DETECTING, CLIENT_STREAMING, CLIENT_CLOSING, CLIENT_LINGERING };
enum client_input_state { CLIENT_OPEN, CLIENT_EOF, CLIENT_HUNG_UP };

struct client {
	struct source src; /* first member */
	struct client *next;
	struct session *session; /* 0 once detached from it, or refused */
	enum client_mode mode;
	enum client_phase phase;
	enum client_input_state input;
	char wary;     /* CLIENT_NEW over TCP: closed when it begins like HTTP or TLS */
	char watch;    /* input, sizes and signals do not count */
	char tty;      /* -I's: the invoking terminal */
	char resized;  /* sizes came in the packets that are being read */
	char size_due; /* the terminal's size is to be told when the queue has room */
	char replay;   /* REPLAYED is to be told at replay_end */
	char failed;   /* out of memory, or its queue overflowed */
	unsigned char first_len,
		first[FRAME_FIRST]; /* CLIENT_NEW: held until they decide the mode */
	unsigned short rows, cols;  /* its own window; 0: not said */
	int unsent;                 /* LINGERING: when last looked */
	struct wire wire;
	uint64_t pos; /* in the session's ring */
	uint64_t replay_end;
	uint64_t in_bytes, out_bytes, skipped;
	uint64_t typed_to; /* position of its last byte in the session's input */
	msec began;
	msec first_at; /* when its first byte, later its first packet came */
	msec typed_at;
	msec read_at, spoke_at; /* last input of any kind; last unasked PONG */
	msec since; /* it took something, or began to have something to take; 0: nothing is queued */
	msec check_at; /* when to look whether it still exists, because it owes acknowledgements; 0: no need */
	msec checked_at;
	msec look_at;        /* LINGERING */
	unsigned long stamp; /* the higher, the later it typed or resized */
	struct tally *tally; /* may be 0 */
	const char *refusal; /* to be told as soon as its mode is known */
	int refusal_status;
	char name[NET_TEXT];
};

/* Whether it speaks the extension, and gets packets. */
int client_is_extended(const struct client *c);
/* How many bytes wait for it, in the ring and behind that. */
size_t client_pending(const struct client *c);
/* Writes what its socket takes now: whether anything moved, or -1 and errno. */
int client_write(struct client *c);
/* A line for the person, from start to t->at: 0, or -1 when there is no room. */
int client_notice(struct client *c, const struct text *t, const char *start);
/* A notice to every client that understands one. */
void client_tell(struct session *s, const char *words);
/* Tells it the session's window; when much is queued already, size_due is set instead. */
void client_tell_size(struct client *c);

/* ==== client_input.c: what a client says ==== */

/* Does what these bytes say; -1 when they violate the protocol, or are HTTP or TLS on a bare TCP address. */
int client_input(struct client *c, const unsigned char *data, size_t n);
/* No more bytes will come to tell its mode: a new one is raw. */
void client_input_settled(struct client *c);
/* Gives the session the window of the client that last typed or resized, and tells all but `by`, whose
 * doing it is. */
void client_size_changed(struct session *s, const struct client *by);
/* The client's window is now this, as if it had said so. */
void client_window(struct client *c, const struct winsize *size);

/* ==== client_end.c: how a client leaves ==== */

/* What holds for all clients. */
struct client_rules {
	msec idle; /* 0: never */
	char watch, verbose;
	char ending; /* the server ends: a client that takes nothing is waited for CLIENT_FLUSH ms */
};

extern struct client_rules client_rules;
extern int client_count;              /* attached to a session */
extern struct client *client_refused; /* those that are being refused, the oldest first */
/* ms: it takes nothing at all, and the command or the end waits for it. */
enum { CLIENT_STALL = 30000, CLIENT_FLUSH = 5000 };

/* -v */
void client_report(const struct client *c, const char *what);
/* Closes it now. */
void client_drop(struct client *c, const char *why);
/* client_write(), and what follows from that: when it stalls, is to be checked, is dropped. */
void client_flush(struct client *c);
/* Its last words, a notice and a status (not when it is -1), or one line of text; then it goes. */
void client_dismiss(struct client *c, const char *why, int status);
/* Closes one that typed nothing for too long. */
void client_close_idle(struct client *c);
/* Whether everything that there will be was written; then client_end() says EXIT and shuts our side. */
int client_is_told_all(const struct client *c);
void client_end(struct client *c);
/* From time to time while it lingers: what its socket has taken arrives if we wait, as long as that moves; what
 * does not move for LINGER ms is the kernel's to deliver. */
void client_linger(struct client *c);

/* ==== client.c: a connection to a session ==== */

extern int client_alive; /* these and those that are still leaving */

/* Attaches fd, which becomes the client's; it gets the ring from the oldest byte on. */
struct client *client_open(int fd, struct session *s, const char *name, int mode);
/* Makes a client that has just been opened keyed (wire_key()), and takes its first bytes. */
void client_key(struct client *c, struct noise *n, const unsigned char *first, size_t len);
/* Wipes the keys of all clients, in a child. */
void client_forget(void);
/* Tells fd why in one line, as a notice when it understands that (waits for its HELLO, 1 s at most), and closes it.
 * A few are at it at once; the oldest has to go. */
struct client *client_refuse(int fd, const char *name, int mode, const char *why);
/* The oldest client that is being refused is told now and closed; its descriptor is free from the next turn on.
 * 0: there was none. */
int client_evict(void);
/* When a client that says nothing is served all the same. */
msec client_silent_at(const struct client *c);
/* Gives new output to the clients that had all of it up to the position `before`. */
void client_feed(struct session *s, uint64_t before);

/* ==== session.c: a pty, the command on it, one output ring ==== */

/* Descriptors that starting one takes at most: master, slave, the report's two ends, and two to join (-t). */
enum { SESSION_FILES = 6 };

/* Opens a pty and starts the command on it; f.err says whether, after exec. */
struct failure session_start(struct session *s);
/* The same without waiting for exec: *report is for session_told() when it is readable, or -1. */
struct failure session_begin(struct session *s, int *report);
/* 0: there is more to come.  1: the report is closed, and *f says whether the command was executed. */
int session_told(struct session *s, int report, struct failure *f);
/* The command's end as wait(2) told it. */
void session_exited(struct session *s, int wait_status);
/* HUP to the command's group, KILL 5 s later. */
void session_hangup(struct session *s);
/* Whether there is no master: not yet, or no more. */
int session_closed(const struct session *s);
/* Puts whole lines among the command's output, on lines of their own: 0, or -1 when there is no room for
 * them now.  The other tells whether there is for SESSION_LINES bytes. */
enum { SESSION_LINES = 2046 }; /* with a newline before it half of the smallest ring */
int session_lines(struct session *s, const char *lines, size_t n);
int session_has_room_for_lines(const struct session *s);

/* ==== kmsg.c: the kernel's log ==== */

/* The kernel's log from its beginning on comes out of this session as well (kmsg; Linux 3.5, else
 * /proc/kmsg).  Without a log there is a warning. */
void kmsg_open(struct session *s);

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

/* ==== listener.c: a server's addresses, and who is let in at them ==== */

enum { SERVER_ADDRS = 16 };

struct server {
	struct command command;
	struct winsize size;
	struct tally *tallies; /* one an address; processes that share sockets share them */
	int (*sessions)(void); /* what -n counts; 0: clients */
	long max;              /* -n; 0: none */
	msec began;
	mode_t socket_mode;     /* -m */
	char session[32];       /* PTYBOX_SESSION in the command's environment */
	char keyed;             /* -k: TCP is */
	char open_to_all;       /* unkeyed TCP beyond loopback listens */
	char sized;             /* by -s */
	char single_connection; /* its only connection was there before it was: "-" */
	char foreground;
	int unbegun;    /* sessions that have a client, but not their descriptors yet */
	char listening; /* until server_unlisten() */
	char paused;    /* takes no more clients now */
};

extern struct server server;

/* A mode of an address: whoever connects gets statistics. */
enum { LISTENER_STATS = -1 };
/* Descriptors that are kept for clients that are refused. */
enum { LISTENER_FILES = 4 };

/* One more address, for clients that begin in this mode, or dies. */
void listener_add(const char *text, int mode);
/* The text of the first one that is for clients; 0: none. */
const char *listener_first(void);
/* The sockets listen, or it dies; accepted() will take a client that is let in. */
void listeners_open(struct client *(*accepted)(int fd, const char *name, int mode));
/* Accepts: clients, if told so; and askers for statistics, for whom stats() adds the sessions (in
 * JSON, between commas) and calls stats_end(), then or later; 0: none. */
void listeners_accept(int clients, void (*stats)(struct text *t));
/* No new connections; socket files removed. */
void listeners_close(void);

/* ==== server.c: what both servers do ==== */

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
/* All runs: releases the caller. */
void server_ready(void);
/* No new connections; socket files and pid file removed: nothing of the server is left but the caller. */
void server_end(void);

/* ==== router_session.c: a session for every client ==== */

enum { ROUTER_SESSIONS_MAX = 24 };

/* How many sessions there are, which is counted here. */
struct router_load {
	int *total; /* of all workers, in memory that they share */
	int *own;   /* of this one */
	int most;   /* that it takes; then it pauses accepting */
};

void router_sessions_init(const struct router_load *l);
/* Takes a connection, which gets a session of its own; for server_listen(). */
struct client *router_session_open(int fd, const char *name, int mode);
/* When something is to be done about one of them; does it for all that are due. */
msec router_sessions_due(void);
void router_sessions_serve(void);
/* Hangs up every session; one that has not begun is called off. */
void router_sessions_hangup(void);
/* Whichever session's command this was: its end as wait(2) told it. */
void router_sessions_reaped(pid_t pid, int wait_status);
/* A JSON object for each, with a comma before it but behind a [, as far as there is room. */
void router_sessions_stats(struct text *t);

#endif
