/* server.h: what ptyshim and ptyrouter share, one section a file, lowest layer first.
 *
 * A file uses only what stands above its own section, here and in libbb.h.
 *
 *	                               listener.c  accepts
 *	                                   |
 *	spawn.c -> session.c  pty, ring <--+--> client*.c  connection, position in the ring
 *	command     session_terminal.c              wire.c (libbb.h)
 *	                                   |
 *	     ptyshim: one session, many clients | ptyrouter: router_session.c, one client each
 */
#ifndef SERVER_H
#define SERVER_H

#include <termios.h>
#include "libbb.h"

/* ==== env.c: the command's environment ==== */

/* Returns NAME=VALUE: name includes its "=", or is empty; value has len bytes.  The memory is never freed; without
 * memory the process dies. */
char *env_make(const char *name, const char *value, size_t len);
/* Returns the environment for execve(2), in newly mapped memory; 0 and errno without memory.  Of two variables with
 * one name the first in this order counts: client (strings one after the other, an empty one last; or 0), set (a
 * list that ends in 0), the server's own environment without LINES and COLUMNS. */
char **env_list(char *client, char **set);

/* ==== seal.c: a copy of this program that nobody can write to ==== */

/* Executes a sealed copy of this program from memory (memfd_create(2)), with the same argv; argv[0] names the applet.
 * Returns when this process is such a copy already, or when the kernel has no memfd; dies on any other failure.
 * Descriptors that are not close-on-exec stay open. */
void seal_self(char **argv);

/* ==== join.c: into the namespaces of a running process ==== */

/* System calls on this process alone, with 32-bit ids.  libc's functions apply them to every thread, which costs
 * code, and a server has one thread. */
#ifdef SYS_setuid32
enum { SETUID = SYS_setuid32, SETGID = SYS_setgid32, SETGROUPS = SYS_setgroups32 };
#else
enum { SETUID = SYS_setuid, SETGID = SYS_setgid, SETGROUPS = SYS_setgroups };
#endif

/* Opens the /proc directory of the process with this number and records the server's own namespaces; dies on
 * failure. */
void join_hold(unsigned long pid);
/* Called in a forked child before join_enter().  Closes all descriptors but the report and the process's directory,
 * and makes 0-2 copies of the report.  Returns the report's new descriptor, close-on-exec, or -1 and errno. */
int join_begin(int report);
/* Opens and then joins every namespace of the process that is not the server's own (setns(2)); children of the caller
 * are in the joined process namespace.  In a user namespace the caller becomes user and group 0, or uid and gid where
 * that namespace has no 0.  Returns 0, or the words for what failed, and errno (ESRCH: the process has ended). */
const char *join_enter(uid_t uid, gid_t gid);
/* Called in a child of the process that called join_enter(): takes the joined process's root and working directories.
 * Returns 0, or the words for what failed, and errno. */
const char *join_root(void);
/* After join_enter(): whether the joined process has the server's UTS namespace. */
int join_shares_uts(void);
/* After join_enter(): whether the joined process has another user namespace than the server. */
int join_changed_user(void);
/* Returns the CLONE_ flag of the namespaces with this name, of len bytes (/proc/PID/ns); 0: it is none that unshare(2)
 * or clone(2) makes for a command. */
unsigned join_flag(const char *name, size_t len);

/* ==== users.c: the user that the command runs as ==== */

enum { USERS_ENV = 5 };

/* Looks up USER[:GROUP], names or numbers, in /etc/passwd and /etc/group; dies when there is no such user or group. */
void users_lookup(const char *spec);
/* Returns HOME, SHELL, USER and LOGNAME for the command, in a list that ends in 0; an empty list before users_lookup().
 * A number that /etc/passwd does not have gets / as HOME and the number as USER and LOGNAME. */
char **users_env(void);
/* Stores the ids that were looked up, and returns 1; before users_lookup() stores nothing and returns 0. */
int users_target(uid_t *u, gid_t *g);
/* Sets the real, effective and saved group and user ids of this process (setgid(2), setuid(2)).  Returns 0, or the
 * words for what failed, and errno. */
const char *users_setids(uid_t u, gid_t g);
/* Called in the command's process, whose terminal or pipes are 0-2: drops the server's privileges for those of the
 * user that was looked up (their owner, supplementary groups, group, user).  Returns as users_setids(); does nothing
 * before users_lookup(). */
const char *users_switch(void);

/* ==== replay.c: a ring's output, for a terminal that has seen nothing of it ==== */

/* The terminal modes in force at a position of a ring. */
struct trail {
	struct modes modes;
	uint64_t pos;
};

/* Reads the bytes up to this position, of which the ring must still have all (RING_SPARE). */
void trail_follow(struct trail *t, const struct ring *r, uint64_t to);
/* Returns where a replay begins: the oldest position that starts a character and is outside of an escape sequence, or
 * the ring's end when there is none.  *m becomes the modes in force there.  t is at the ring's oldest byte. */
uint64_t trail_begin(const struct trail *t, const struct ring *r, struct modes *m);

/* A reader of the ring that skips the sequences which make a terminal answer.  Begins as all zeros, with looked set to
 * the reader's first position. */
struct replay {
	struct escape escape;
	uint64_t looked;          /* bytes before this position have been parsed */
	uint64_t question, until; /* begin and end of the last such sequence */
	uint64_t
		resized; /* margins that were set before are skipped, too: terminals forget them when resized */
};

/* Returns how many bytes from *pos on may be sent now, 0 only at `end`; moves *pos behind a sequence that makes a
 * terminal answer.  A sequence that is incomplete at `end` is sent. */
size_t replay_next(struct replay *p, const struct ring *r, uint64_t *pos, uint64_t end);

/* ==== jail.c: namespaces, hostname and user of the command ==== */

/* Takes the options -u, -N, -t and -H and returns 1; returns 0 for any other.  -u is looked up at once. */
int jail_option(const struct opt *o, int letter);
/* Dies when these options contradict each other. */
void jail_check(void);
/* Whether the command joins another process's namespaces (-t).  Its terminal is then opened there
 * (spawn_receive_pty()), and whether it exists is not known before it is executed. */
int jail_joins(void);
/* Whether the command gets a new process namespace (-N pid), so that its process has to call init_fork(). */
int jail_needs_init(void);
/* With -t calls join_hold(). */
void jail_hold(void);
/* Returns the CLONE_ flags to fork the command with (namespaces(7)). */
unsigned jail_clone(void);
/* With -t: calls join_enter() for the user of -u, and returns what that does. */
const char *jail_join(void);
/* Called in the command's process, whose terminal is descriptor 0: enters the other namespaces, sets the hostname,
 * switches the user.  Returns 0, or the words for what failed, and errno. */
const char *jail_enter(void);

/* ==== init.c: the first process of a process namespace ==== */

/* Called in the first process of a new process namespace (pid_namespaces(7)).  Forks: returns 0 in the child, which is
 * to execute the command, or -1 and errno.  The caller stays as the namespace's init, closes all its descriptors, and
 * exits with the child's status.  report: the writing end of a pipe whose only reader is the server. */
int init_fork(int report);

/* ==== pgrp.c: signals for process groups ==== */

/* Called once in each process that has sessions, after it was forked: opens two descriptors, or dies. */
void pgrp_open(void);
/* The session that has this master's terminal (TIOCGSID, ioctl_tty(2)); 0: none, or it is not known. */
pid_t pgrp_session(int master);
/* Signals the foreground process group of this master's terminal if that group belongs to the terminal's session, or,
 * when the terminal has no session any more, to the session of leader, a process that was not waited for.  A process of
 * another session is never signalled, even when it was given the number of a group that has ended.  Processes that the
 * caller has no permission to signal are left out (kill(2)). */
void pgrp_signal(int master, pid_t leader, int sig);

/* ==== devpts.c: a pseudoterminal of this mount namespace's devpts ==== */

/* Opens a pseudoterminal of the devpts at /dev/pts: fd[0] is the master, non-blocking, fd[1] the slave side, both
 * close-on-exec.  Returns 0, or -1 when there is none. */
int devpts_open(int fd[2]);
/* Unlocks the slave side of a master and opens it, close-on-exec; dir is the directory of its devpts, or AT_FDCWD for
 * /dev/pts.  Returns the descriptor, or -1 and errno. */
int devpts_slave(int master, int dir);

/* ==== oom.c: the OOM killer ==== */

/* Asks the kernel not to kill a server of root's for want of memory, and keeps what it was started with. */
void oom_protect(void);
/* Called in the command's process: sets what the server was started with. */
void oom_restore(void);

/* ==== pty.c: a pseudoterminal, or three pipes ==== */

/* All descriptors are close-on-exec, and -1 when closed. */
struct pty {
	struct source
		src; /* first member; its fd is the master, or the command's standard output; non-blocking */
	int slave;
	pid_t pid; /* the session leader, or its init; 0 once reaped, and never signalled after that */
	char pipes;            /* there is no terminal, but these: */
	struct source in, err; /* the command's standard input and error output; non-blocking */
	int ends[3];           /* the ends that become its 0-2; -1 once its process has them */
};

extern const char pty_what[]; /* the subject of a struct failure when there is no pseudoterminal */

/* Opens a pseudoterminal of this window size (pty(7)); returns 0, or -1 and errno. */
int pty_open(struct pty *p, const struct winsize *size);
/* Opens three pipes in its place; returns 0, or -1 and errno. */
int pty_open_pipes(struct pty *p);
/* Closes the command's ends of these. */
void pty_close_ends(struct pty *p);
/* Closes both ends; keeps errno. */
void pty_close(struct pty *p);
/* Sets the window size, which signals the foreground process group when it differs (SIGWINCH); 0, or -1 and errno. */
int pty_resize(const struct pty *p, const struct winsize *size);
/* Sends sig and SIGCONT to the command's process group and to the foreground one.  Returns -1 and errno when the command
 * cannot be signalled: it runs as another user. */
int pty_hangup(const struct pty *p, int sig);
/* Sends SIGCONT to the command's process group when the session leader is stopped (with -N pid always). */
void pty_continue(const struct pty *p);
/* Signals the foreground process group (TIOCSIG), without a terminal the one that the command leads; does nothing for
 * a number that is no signal. */
void pty_signal(const struct pty *p, int sig);

/* ==== command.c: a server's command, and how it failed to start ==== */

struct command {
	char **argv;
	char **env;       /* NAME=VALUE, set beside the server's own environment; 0 ends the list */
	const char *home; /* directory that dir is relative to, and the default for it */
	const char *dir;  /* working directory (-C), or 0 */
	size_t size; /* a client's: so many bytes at argv[0] are all arguments, each with its NUL; else 0 */
	char addr_like;      /* argv[0] alone could be meant as ADDR, but -r or -f has given one */
	struct rlimit files; /* RLIMIT_NOFILE as it was: the server's own may be lower */
	mode_t umask;
};

/* Why something could not be done: "subject: words for err".  err 0: no failure. */
struct failure {
	const char *
		subject; /* static, or a string of the command: valid in the server and in its child */
	int err;
};

/* Calls try() with the paths that execvp(3) would try for this name, in the order of PATH, until one returns 0 or an
 * errno other than ENOENT, ENOTDIR and EACCES.  Returns that, else EACCES if one of them was it, else ENOENT. */
int command_search(const char *name, int (*try)(const char *path, const void *of), const void *of);
/* The exit status that a shell has for this failure: 127 not found, 126 not executable, 1 for all but the command. */
int command_exit_status(const struct failure *f, const struct command *c);
/* Returns the failure in words, for the person; valid until the next call. */
const char *command_describe(const struct command *c, const struct failure *f);
/* Dies with these words and command_exit_status(). */
_Noreturn void command_die(const struct command *c, const struct failure *f);
/* Dies when the command is not there or not executable; does nothing when jail_joins(). */
void command_check(const struct command *c);

/* ==== spawn.c: fork and exec of the command ==== */

/* Seconds that a process which joins namespaces (-t) may take for each step. */
enum { SPAWN_TIMEOUT = 10 };

/* Forks a process that becomes the leader of a new session on p's slave side, or with its pipes, and executes the
 * command.  env: more variables, each ending in a NUL, an empty one last; or 0.  Sets p->pid and returns a descriptor,
 * the report, on which spawn_result() reads how it went; or -1 and *f. */
int spawn_begin(struct pty *p, const struct command *c, char *env, struct failure *f);
/* With jail_joins(), after spawn_begin(): reads the pseudoterminal from the report, which the command's process opened
 * in its own devpts; opens one of the server's where it has none, or pipes.  Waits SPAWN_TIMEOUT at most.  Returns that
 * process's failure or one of its own.  The process waits for spawn_continue(); after that spawn_result() is due. */
struct failure spawn_receive_pty(struct pty *p, const struct winsize *size, int report);
/* Gives the command's process its slave side or pipes, so that it goes on. */
void spawn_continue(const struct pty *p, int report);
/* Blocks until the command was executed or has failed, returns which, and closes the report. */
struct failure spawn_result(int report);

/* ==== inherit.c: sockets that a server inherits from the process that starts it ==== */

/* When ADDR is "-" among these words: makes descriptors 1 and 2 the null device where they are the inherited
 * connection, so that no message of the server, not even one about wrong options, is sent to the client. */
void inherit_silence(char **argv);
/* Duplicates the inherited listening socket (ADDR_FD) or the connection on standard input (ADDR_STDIN) to a descriptor
 * of 3 or higher and stores that in a->port; dies when there is none.  It is non-blocking, which the inherited one then
 * is as well, and close-on-exec.  Those of 0-2 that are the same socket become the null device. */
void inherit_socket(struct addr *a);
/* Closes every descriptor from 3 on that inherit_socket() did not return. */
void inherit_close_others(void);
/* Remembers NOTIFY_SOCKET and removes it from the environment: the command must not notify anybody in the server's
 * name. */
void inherit_notify(void);
/* Sends READY=1 to NOTIFY_SOCKET, if there was one (sd_notify(3)); warns on failure.  While nobody reads it, the loop
 * tries again for 5 s. */
void inherit_notify_ready(void);

/* ==== recorder.c: the process that writes a recording ==== */

enum { RECORD_PIECE = 16384 }; /* bytes of output in a message, at most */

/* A message to the recorder begins with this header; output follows. */
struct record_message {
	msec at;
	uint64_t lost; /* bytes that were dropped before it */
	struct winsize size;
	char reopen; /* the file is opened anew before it */
};

/* Runs in a child that has the secrets wiped: reads messages from descriptor 0, one with each read(2), and appends their
 * output to the file, a path that begins at home.  Ends with the messages.  Signals are blocked as in the server, and when
 * that has ended, SIGALRM (io_interrupt()) ends a system call that would wait for ever. */
_Noreturn void recorder_run(const char *name, const char *home, pid_t server_pid);

/* ==== record.c: a session's output in a file (-l) ==== */

/* A recording of one session; all zero: there is none, and the functions do nothing. */
struct record {
	struct source src; /* first member; messages to the recorder, a process */
	const struct ring *ring;
	const struct winsize *size;
	const struct command *command;
	pid_t recorder; /* 0: there is none */
	pid_t pid;      /* the session's, for the name of the file */
	long began;     /* unix time of the session's start, for the name */
	uint64_t pos;   /* output before this position in the ring was sent, or dropped */
	uint64_t lost;  /* bytes that were dropped since the last message */
	msec full_at;   /* when the recorder stopped taking messages; 0: it takes them */
	char reopen;    /* the next message has the file opened anew */
};

/* Takes -l. */
void record_option(const char *value);
/* With -l: dies when the file can be neither appended to nor made.  names_sessions: each session has a recording of its own,
 * whose name must contain %p. */
void record_check(int names_sessions);
/* With -l: starts to record a session, from the ring's oldest byte on.  What is pointed to stays the caller's, and must
 * stay while r->src.linked. */
void record_begin(struct record *r, const struct ring *ring, const struct winsize *size,
	const struct command *c, pid_t pid);
/* To be called when something was put into the ring, or the size has changed: sends it to the recorder. */
void record_feed(struct record *r);
/* Whether output waits for the recorder, which it does for a tenth of a second at most. */
int record_holds(const struct record *r);
/* Has the file opened anew, behind the output up to now; by a new recorder if the old one is stuck or has ended. */
void record_renew(struct record *r);
/* To be called for each child that ended: warns if it was the recorder. */
void record_reaped(struct record *r, pid_t pid);
/* Ends the recording; what the recorder has taken is written. */
void record_end(struct record *r);
/* Ends the recording when the program ends: waits for the recorder's last write, 2 s at most. */
void record_finish(struct record *r);

/* ==== session_terminal.c: a session's input, window size, signals and pace ==== */

struct client;

/* The modes of a shared session's output, up to the ring's oldest byte, and up to the newest byte that
 * session_is_alternate() has read. */
struct trails {
	struct trail oldest, newest;
};

enum { SESSION_ENV = 65536 };

/* Descriptors that a start takes at most: master, slave side, the report's two ends, two to join (-t), and two ends of a
 * recording's socket pair; or three pipes and the report. */
enum { SESSION_FILES = 6 + 2 * (CFG_RECORD || CFG_EXEC) };

enum session_state {
	SESSION_NEW,      /* not started */
	SESSION_OPENING,  /* -t: the command's process opens its terminal, or waits for its pipes */
	SESSION_RUNNING,  /* these are open, the command not reaped */
	SESSION_DRAINING, /* the command was reaped; output is still read */
	SESSION_OVER,     /* all output is in the ring; or the start failed */
};

struct session {
	struct pty pty; /* first member; its source is the session's */
	enum session_state state;
	struct ring ring;
	struct queue input; /* input that the terminal did not take yet */
	struct record record;
	struct client *clients;
	const struct command *command; /* that it runs: the server's, or `own` */
	struct command own;            /* a client's COMMAND */
	char *argv[1];                 /* own.argv: where `arguments` begin */
	struct queue arguments;        /* those of the COMMAND, each with its NUL */
	uint64_t err_at;       /* the client's position when error output was last sent to it */
	int err_left;          /* DRAINING: bytes of error output that are still to be read */
	int early_signal;      /* for the command, which is about to start; or 0 */
	struct trails *trails; /* shared; or 0 */
	char *env;             /* the client's variables, room for SESSION_ENV bytes; or 0 */
	size_t env_len;        /* SESSION_ENV + 1: the client sent more than fits */
	const char *id; /* PTYBOX_SESSION of its command, so that a client can tell it; 0: none */
	struct winsize size;
	msec began, ended;
	msec kill_at;        /* HUP was sent; KILL follows at this time; or 0 */
	msec retry_at;       /* the master is not read before, after an error */
	msec read_at;        /* last read of the master */
	uint32_t read_at_us; /* the same in loop_now_us */
	uint64_t resized;    /* the ring's head when the window size last changed */
	msec input_at;       /* when queued input was last written */
	msec redraw_at;      /* the command is told to draw its screen anew; 0: not wanted */
	msec redrawn_at;     /* when the command was last told to redraw */
	uint64_t in_bytes;   /* input since the start */
	long drain;          /* DRAINING: bytes that may still be read */
	int short_reads;     /* in a row */
	int status;          /* exit status of the command, from DRAINING on */
	char last_input;     /* the last byte of input */
	char plenty;         /* the last reading of the master brought much */
	char shared; /* ptyshim's: late clients get a replay, and a client that takes nothing is dropped */
	char takes_console; /* -c */
	char restarts;      /* -R: clients stay when it is over */
	char ring_used;     /* not shared: the ring has memory to release */
	char start_asked;   /* the client sent something that starts the command */
	char out_ended;     /* without a terminal: standard output is at its end */
	char hung_up;       /* the command was sent HUP: its status is our doing */
	char killed;        /* the command was sent KILL */
	char collected;     /* a client received the output up to the end */
};

/* Returns how many bytes of output may be read now: the whole ring while no client streams; with one client, up to that
 * one's position; with several, until the foremost is half a ring behind, which leaves the others as much again. */
size_t session_room(const struct session *s);
/* Whether the command has output that is not read because of the clients. */
int session_held(const struct session *s);
/* Whether input may be read from the client whose last byte ended at typed_end (a count of the session's input): the
 * terminal has taken that byte, so that a client which fills the terminal waits without holding up the others. */
int session_takes_input(const struct session *s, uint64_t typed_end);
/* Writes n bytes of a client's input to the terminal, or queues them; to be called when session_takes_input(). */
void session_input(struct session *s, const unsigned char *data, size_t n);
/* Sets the window size, also of a terminal that is opened later. */
void session_resize(struct session *s, const struct winsize *size);
/* To be called when something was put into the ring, at most RING_SPARE bytes: the trail follows, and a client that it
 * passes keeps the modes that its own terminal has. */
void session_follow(struct session *s);
/* Whether the program shows the alternate screen.  Reads each byte of the ring once. */
int session_is_alternate(struct session *s);
/* The foreground process group gets SIGWINCH, though the size is what it was; a few times a second at most. */
void session_redraw(struct session *s);
/* Signals the foreground process group while the command runs.  A command without a terminal gets a signal also when it
 * is about to start. */
void session_signal(struct session *s, int sig);
/* Writes what input is queued, as far as the terminal or the pipe takes it: 0, or -1 and errno. */
int session_flush_input(struct session *s);
/* Closes the command's standard input, if it has no terminal: what is queued is dropped. */
void session_close_input(struct session *s);

/* ==== session_slot.c: sessions of one client each ==== */

enum { SESSION_SLOTS = 24 };

extern struct session_slot {
	struct session session; /* first member */
	struct source report;   /* of session_begin() */
	msec eof_at, eof_wait;  /* when VEOF is typed next, and the interval before that */
	tcflag_t eof_mode;      /* ICANON or 0, as the terminal was when VEOF was typed last */
	char taken, eof_sent;
} session_slots[SESSION_SLOTS];

/* The command and the window size of every new session. */
void session_slots_init(const struct command *c, const struct winsize *size);
/* Makes a session, not started, whose command gets the client's name in its environment.  Returns 0, or why there is no
 * room for one. */
const char *session_slot_take(struct session **s, const char *name);
void session_slot_free(struct session_slot *slot);
/* Returns the first taken slot from this one on, or 0. */
struct session_slot *session_slot_next(struct session_slot *from);
/* How many sessions have a client, but not their descriptors yet. */
int session_slots_unstarted(void);

/* ==== console.c: /dev/console ==== */

/* Redirects what is written to /dev/console to this terminal, until its master is closed (TIOCCONS, ioctl_tty(2)).
 * To be called before the command starts. */
struct failure console_take(const struct pty *p);
/* After output: a hangup of the terminal (vhangup(2), as login's) took the console away; it is taken again. */
void console_keep(struct pty *p);
/* Starts output that a client has stopped (^S, tcflow(3)), so that nobody waits who writes to the console. */
void console_start(const struct pty *p);

/* ==== sysrq.c: SysRq keys from clients ==== */

/* -Q, once inherited descriptors are closed: opens /proc/sysrq-trigger and /dev/kmsg, or dies.  reports: says with a message
 * of the server's who sent which key. */
void sysrq_open(int reports);
/* Why no key is taken, when that was not done. */
extern const char sysrq_none[];
/* Whether that was done: WELCOME says so. */
int sysrq_is_open(void);
/* Has the kernel do what a key stands for, after a record of it in the kernel's log: 0; or why not, in words that are
 * valid until the next call of msg_errno().  Blocks as long as the kernel does (then loop_now is set anew), and for some
 * keys does not return. */
const char *sysrq_send(unsigned key, const char *who);

/* ==== client_output.c: what is sent to a client ==== */

/* Connections to one address since the start. */
struct counters {
	unsigned accepted, refused;
};

enum client_mode {
	CLIENT_NEW,      /* not known: the first bytes decide */
	CLIENT_RAW,      /* bytes both ways */
	CLIENT_FRAMED,   /* packets, none of which has been received */
	CLIENT_PLAIN,    /* packets from the client, bytes to it: uWSGI's protocol */
	CLIENT_EXTENDED, /* packets both ways: the client sent HELLO */
};
/* Why an extended client is held: it gets no output yet, and no command starts for it. */
enum client_hold {
	CLIENT_FREE,    /* it is not */
	CLIENT_HELLO,   /* HELLO was its last packet, and WAIT may follow */
	CLIENT_WAITING, /* it said WAIT, and nothing was typed yet */
	CLIENT_COMMAND, /* it said WAIT for a COMMAND, which is not complete yet */
};
enum client_phase { CLIENT_DETECTING, CLIENT_STREAMING, CLIENT_CLOSING, CLIENT_LINGERING };
enum client_input_state { CLIENT_OPEN, CLIENT_EOF, CLIENT_HUNG_UP };

/* A client's terminal, as far as its input and the output it got tell; only of a shared session's client, or with -i. */
struct viewer {
	struct term_input input; /* first member */
	struct client *client;
	char dropped;         /* the sequence of input that is being read is not passed on */
	struct replay replay; /* up to replay_end */
	struct modes modes;   /* at its position, once the ring keeps that no more */
};

struct client {
	struct source src; /* first member */
	struct client *next;
	struct session *session; /* 0 once detached from it, or refused */
	enum client_mode mode;
	enum client_phase phase;
	enum client_input_state input;
	enum client_hold hold;
	char rejects_http; /* CLIENT_NEW over TCP: dropped when it begins like HTTP or TLS */
	char watch;        /* its input, sizes and signals are ignored */
	char tty;          /* the invoking terminal (-I) */
	char called; /* the server has made the connection: nothing begins before it says something */
	char resized;      /* the packets that are being read had sizes */
	char size_pending; /* the window size is to be sent when the queue has room */
	char replay_due;   /* REPLAYED is to be sent at replay_end */
	char failed;       /* to be dropped: out of memory, or its queue overflowed */
	char for_good;     /* it is refused, and there is no use in connecting again */
	unsigned char first_len,
		first[FRAME_FIRST]; /* CLIENT_NEW: bytes held until they decide the mode */
	unsigned short rows, cols;  /* its own window; 0: not known */
	int unsent;                 /* LINGERING: bytes under way, when last measured */
	struct wire wire;
	struct viewer *viewer; /* or 0 */
	uint64_t pos;          /* in the session's ring */
	uint64_t replay_end;   /* output before this position is a replay */
	uint64_t in_bytes, out_bytes, skipped;
	uint64_t typed_end; /* the session's in_bytes behind its last byte */
	msec began;
	msec first_at;    /* its first byte was received; later: its first packet */
	msec typed_at;    /* last input for the terminal */
	msec read_at;     /* last input of any kind */
	msec pinged_at;   /* last PING that the server sent unasked */
	msec progress_at; /* output last moved, or began to be pending; 0: nothing is pending */
	msec check_at;    /* next check of a peer that owes acknowledgements; 0: none is due */
	msec checked_at;
	msec linger_at;            /* LINGERING: next measurement */
	unsigned long activity;    /* the highest of all clients': typed or resized last */
	struct counters *counters; /* of its address; may be 0 */
	const char *refusal;       /* why it is refused, to be sent once its mode is known; or 0 */
	char name[NET_TEXT];
};

/* Whether packets can be sent to it (CLIENT_EXTENDED). */
int client_is_extended(const struct client *c);
/* Bytes that wait to be sent to it, in the ring and in its queue. */
size_t client_pending(const struct client *c);
/* Starts its output, with a replay of what the ring has. */
void client_replay(struct client *c);
/* Queues the terminal's window size, which follows WELCOME, and has the end of the replay told. */
void client_answer_hello(struct client *c);
/* Writes as much as the socket takes now: 1 if anything was written, 0 if not, or -1 and errno. */
int client_write(struct client *c);
/* Has the client told why it is closed for good; nothing more of its input counts. */
void client_reject(struct client *c, const char *why);
/* Queues a notice of n bytes: 0, or -1 without room or memory. */
int client_notice(struct client *c, const char *words, size_t n);
/* Queues a notice for every extended client of the session whose queue is at most half full. */
void client_notice_all(struct session *s, const char *words);
/* Queues the session's window size; sets size_pending instead while the queue is more than half full. */
void client_send_size(struct client *c);

/* ==== client_exec.c: a COMMAND that a client brings along ==== */

extern char exec_allowed; /* -E */

/* The time until which a client is held, from HELLO on. */
msec client_held_until(const struct client *c);
/* Handles a packet of a held client, which may free it, or set c->refusal.  Returns 0 when the packet is to be handled
 * as any other client's. */
int client_held(struct client *c, const struct frame *f);
/* Handles WAIT or COMMAND from a client that is not held: it is refused if it wants a COMMAND. */
void client_unheld(struct client *c, const struct frame *f);

/* ==== client_input.c: what is received from a client ==== */

/* Handles n bytes; -1 when they violate the protocol, or are HTTP or TLS where rejects_http is set. */
int client_input(struct client *c, const unsigned char *data, size_t n);
/* Settles the mode of a client whose first bytes did not decide it, and from which no more are waited for: raw. */
void client_input_settled(struct client *c);
/* Ends a client's input: the beginning of a sequence whose rest was waited for is typed. */
void client_input_ended(struct client *c);
/* Returns when the held beginning of a sequence is to be typed, by client_input_expire(); or NEVER. */
msec client_input_due(const struct client *c);
void client_input_expire(struct client *c);
/* Makes v the client's, which from then on tells what its terminal says by itself from what is typed. */
void client_input_begin(struct client *c, struct viewer *v);
/* Gives the session the window size of the client that typed or resized last, and sends it to all others but `by` (may
 * be 0), which caused the change. */
void client_size_changed(struct session *s, const struct client *by);
/* Sets the client's window size, as packets from it would. */
void client_window(struct client *c, const struct winsize *size);

/* ==== client_end.c: how a client is closed ==== */

/* Settings that hold for all clients. */
struct client_rules {
	msec idle; /* ms without typing until a client is closed; 0: never */
	char watch, verbose;
	char ending; /* the server ends: a client that takes nothing is waited for CLIENT_FLUSH ms */
};

extern struct client_rules client_rules;
extern int client_count;              /* clients attached to a session */
extern struct client *client_refused; /* clients that are being refused, the oldest first */
enum {
	CLIENT_STALL =
		30000, /* ms without progress until a client that others wait for is dropped */
	CLIENT_FLUSH =
		5000, /* ms without progress until any client is dropped while the server ends */
	CLIENT_CHECK = 30000, /* ms between checks of a peer that owes acknowledgements */
};

/* Returns the client's mode in a person's words: new, raw, framed or keyed. */
const char *client_mode(const struct client *c);
/* With -v says what becomes of the client, and why. */
void client_report(const struct client *c, const char *what, const char *why);
/* Closes it now; what is queued is lost. */
void client_drop(struct client *c, const char *why);
/* Calls client_write(), drops the client on an error, and keeps progress_at and check_at. */
void client_flush(struct client *c);
/* Values in place of an exit status that say whether it makes sense to connect again (FRAME_CLOSING). */
enum { CLIENT_AGAIN = -1, CLIENT_FOR_GOOD = -2 };
/* The reason of a server that was told to end. */
extern const char client_server_ends[];
/* Detaches the client, sends it the reason (as a notice and an exit status or what stands for one; or as a line of text),
 * and closes it when that is written. */
void client_dismiss(struct client *c, const char *why, int status);
/* Closes a client that has typed nothing for too long. */
void client_close_idle(struct client *c);
/* Whether all output that there will ever be has been written to it, so that client_end() is due. */
int client_is_drained(const struct client *c);
/* Sends EXIT, or that the server ends, to an extended client; once that is written shuts the sending side down and lingers. */
void client_end(struct client *c);
/* Due at linger_at: drops a lingering client that does not close, or to which nothing has moved for a while: what its
 * socket has taken is the kernel's to deliver. */
void client_linger(struct client *c);

/* ==== client.c: a connection to a session ==== */

extern int client_alive; /* clients whose slot is in use: attached, refused or lingering */

/* Attaches a client with this descriptor, which it owns from here on; output starts at the ring's oldest byte.  Without
 * memory it is a client_refuse(). */
struct client *client_open(int fd, struct session *s, const char *name, int mode);
/* Makes a client that has just been opened keyed (wire_key()), and handles the first bytes it sent. */
void client_key(struct client *c, struct noise *n, const unsigned char *first, size_t len);
/* Wipes the keys of all clients, in a child. */
void client_forget(void);
/* Owns fd, sends the reason in the client's mode (waits 1 s at most for its HELLO), and closes it.  When too many are
 * being refused the oldest is evicted. */
struct client *client_refuse(int fd, const char *name, int mode, const char *why);
/* Sends the oldest client that is being refused its reason now and closes it; its descriptor is free from the next turn
 * on.  Returns 0 when there is none. */
int client_evict(void);
/* Returns the client with this descriptor and name, or 0. */
struct client *client_find(int fd, const char *name);
/* Returns when a client that has sent nothing, or too little to decide its mode, is served all the same. */
msec client_silent_at(const struct client *c);
/* Writes new output to the clients that had all of it up to the position `before`. */
void client_feed(struct session *s, uint64_t before);

/* ==== session_pipes.c: the pipes of a session without a terminal ==== */

/* Adds standard input and error output to the loop. */
void session_pipes_start(struct session *s);
/* The command has ended: notes how many bytes are to be read. */
void session_pipes_drain(struct session *s);
/* While the session drains: whether standard output, and both, have been read. */
int session_out_drained(const struct session *s);
int session_pipes_drained(const struct session *s);

/* ==== session.c: a pty, the command on it, one output ring ==== */

/* Opens a pty and starts the command on it; blocks until it was executed or has failed. */
struct failure session_start(struct session *s);
/* Begins the same start without blocking: *report is to be given to session_report() whenever it is readable; -1 on
 * failure. */
struct failure session_begin(struct session *s, int *report);
/* Reads the report.  Returns 0 when more is to come, or 1: the report is closed, and *f is the result of the exec. */
int session_report(struct session *s, int report, struct failure *f);
/* Records the command's end, with its status from wait(2). */
void session_exited(struct session *s, int wait_status);
/* Sends HUP to the command's process group, and KILL 5 s later. */
void session_hangup(struct session *s);
/* Whether no master is open: none yet, or none any more. */
int session_closed(const struct session *s);
/* Adds n bytes, whole lines, to the output, on lines of their own: 0, or -1 when there is no room now. */
enum { SESSION_LINES = 2046 }; /* with a newline before them half of the smallest ring */
int session_put_lines(struct session *s, const char *lines, size_t n);
/* Whether SESSION_LINES bytes of lines have room now. */
int session_lines_fit(const struct session *s);

/* ==== pstore.c: what the kernel kept when the machine went down ==== */

/* Adds what is in /sys/fs/pstore to the output of this session, which is new: no more than three quarters of its ring. */
void pstore_show(struct session *s);

/* ==== kmsg.c: the kernel's log ==== */

/* Adds the kernel's log, from its beginning on, to this session's output, which is new but for pstore_show() (/dev/kmsg; /proc/kmsg before Linux 3.5).
 * Warns when there is no log. */
void kmsg_open(struct session *s);

/* ==== stats.c: one JSON object ==== */

/* Begins an answer on fd, which it owns from here on; to be called when not stats_busy().  Returns the text to append
 * to, or 0 without memory. */
struct text *stats_begin(int fd);
/* Ends the answer with ]} and begins to send it; a reader that takes longer than 5 s, or less when others wait, is
 * closed. */
void stats_end(void);
/* Whether no answer can be begun: one is being made, or all slots are taken. */
int stats_busy(void);
/* Closes the answers' descriptors in a forked child. */
void stats_forget(void);
/* Appends text_json() of a string. */
void stats_str(struct text *t, const char *s);
/* Appends the beginning of the object, up to the [ of its "sockets". */
void stats_head(struct text *t, char *const *command, msec began);
/* Appends one of the sockets, with a comma before it unless it is the first. */
void stats_socket(
	struct text *t, const char *addr, const char *mode, const struct counters *counters);
/* Appends ,"name":n */
void stats_num(struct text *t, const char *name, uint64_t n);
/* Appends the session as an object. */
void stats_session(struct text *t, const struct session *session);

/* ==== daemon.c: into the background, and the files that a server makes ==== */

/* Forks and returns only in the child.  The parent exits: with 0 and "Daemon PID is N" once the child has called
 * daemon_ready(), or with the child's status when that ends before. */
void daemon_start(void);
/* Releases the parent: 0-2 become the null device (2 stays if keep_stderr), the working directory becomes /. */
void daemon_ready(int keep_stderr);
/* Returns the directory in which the server was started. */
const char *daemon_home(void);
/* Enters the directory in which the daemon was started when path is relative; else only that may be slow, on a network
 * file system, or gone.  0, or -1 and errno.  daemon_leave() goes to /, so that no file system is kept busy. */
int daemon_enter(const char *path);
void daemon_leave(void);
/* Writes the pid file, complete from its first instant on, and replaces an earlier one; dies on failure, or when path is
 * anything but a pid file of root's or of the caller's own. */
void daemon_pid_file(const char *path);
/* Registers path, which is this file now, to be removed by daemon_remove(), which die() calls too; a file that has
 * replaced it is left alone.  socket: daemon_remove_sockets() removes it too.  The caller owns path, which must stay;
 * registered again, it has another id. */
void daemon_owns(const char *path, const struct file_id *id, int socket);
/* Removes all registered files. */
void daemon_remove(void);
/* Removes the registered sockets only: the pid file exists as long as the process. */
void daemon_remove_sockets(void);
/* Forgets the registered files in a forked child: they are the parent's to remove. */
void daemon_disown(void);

/* ==== listener.c: a server's addresses and the connections it accepts ==== */

enum { SERVER_ADDRS = 16 };

struct server {
	struct command command;
	struct winsize size;       /* -s */
	struct counters *counters; /* one for each address, in memory that all workers share */
	const int *session_count; /* what -n limits, in memory that all workers share; 0: clients */
	long max;                 /* -n; 0: no limit */
	msec began;
	mode_t socket_mode;     /* -m */
	char session[32];       /* PTYBOX_SESSION in the command's environment */
	char keyed;             /* -k: clients over TCP authenticate */
	char open_to_all;       /* unkeyed TCP beyond loopback listens */
	char calls_openly;      /* unkeyed TCP beyond loopback is called (-x) */
	char sized;             /* -s was given */
	char single_connection; /* ADDR is "-": an inherited connection is the only one */
	char foreground;        /* -F */
	const char *calls; /* ptyrouter: whether this worker is the one that calls out; else 0 */
	char listening;    /* from listeners_open() to listeners_close() */
	char paused;       /* no clients are accepted now */
};

extern struct server server;

/* The mode of an address that is called (-x), and of one that answers with statistics. */
enum { LISTENER_CALL = -2, LISTENER_STATS = -1 };
/* Descriptors that are kept free for clients that are refused. */
enum { LISTENER_FILES = 4 };

/* Adds an address, whose clients begin in this mode; dies when it is none, or one too many. */
void listener_add(const char *text, int mode);
/* Returns the text of the first address that is for clients, or 0. */
const char *listener_first(void);
/* Returns the address that is to be called as the i-th, from 0 on, or 0. */
const struct addr *listener_call(int i);
/* Whether one more client would not be refused. */
int listener_has_room(void);
/* Serves a connection to such an address, which it owns: opens a client, or begins the handshake. */
void listener_serve(const struct addr *a, int fd, const union sock_name *peer, const char *name);
/* Opens the listening sockets, or dies; accepted() will open a client on each connection that is let in. */
void listeners_open(struct client *(*accepted)(int fd, const char *name, int mode));
/* Begins to accept: clients, if wanted; and requests for statistics unless stats is 0, which then appends the sessions
 * (objects with commas between) and calls stats_end(), at once or later. */
void listeners_accept(int clients, void (*stats)(struct text *t));
/* Makes the files of unix sockets anew that somebody has deleted, and warns when one cannot be; one that has another file
 * in its place is left alone.  Returns whether a socket for clients was replaced: a worker has inherited the old one. */
int listeners_renew(void);
/* Closes this process's listening sockets, and goes on with its clients and handshakes: other processes accept. */
void listeners_leave(void);
/* Closes the listening sockets and removes their files; from here on the server ends. */
void listeners_close(void);

/* ==== callout.c: connections that a server makes itself (-x) ==== */

/* Begins to call the addresses of -x, and to serve who answers; in the process that has the sessions. */
void callouts_start(void);

/* ==== server.c: what both servers do ==== */

/* Called before all else, with the applet's arguments and option letters: with -t calls seal_self(). */
void server_seal(char **argv, const char *options);
/* Takes an option that both servers have and returns 1; returns 0 for any other. */
int server_option(const struct opt *o, int letter);
/* Takes the bare ADDR and COMMAND behind the options, and calls listeners_open(); dies on failure. */
void server_listen(struct opt *o, struct client *(*accepted)(int fd, const char *name, int mode));
/* Becomes a daemon unless -F, writes the pid file, and blocks the signals for server_signals(). */
void server_start(void);
/* Receives signals in the loop: end() for those that end a server, reaped() for each child that ended, other() (may be 0)
 * for the rest. */
void server_signals(void (*end)(void), void (*reaped)(pid_t, int), void (*other)(int));
/* Called when everything runs: releases the process that started the server (daemon_ready(), NOTIFY_SOCKET). */
void server_ready(void);
/* Closes the listening sockets, removes their files and the pid file. */
void server_end(void);

/* ==== router_session.c: a session for every client of a ptyrouter, and for every COMMAND ==== */

/* In a ptyrouter: the counts that are kept here, in memory that all workers share: total of all of them, own of this one,
 * which pauses accepting at `most`. */
void router_sessions_init(int *total, int *own, int most);
/* Opens a client on this connection, which it owns, with a session of its own; for server_listen(). */
struct client *router_session_open(int fd, const char *name, int mode);
/* Returns when router_sessions_serve() is due. */
msec router_sessions_due(void);
/* Starts, hangs up and frees the sessions for which that is due. */
void router_sessions_serve(void);
/* Hangs up every session, and dismisses the clients of those that have not started. */
void router_sessions_hangup(void);
/* Calls record_renew() for every session. */
void router_sessions_renew(void);
/* Records the end of a session's command, with its status from wait(2); does nothing for any other process. */
void router_sessions_reaped(pid_t pid, int wait_status);
/* Appends a JSON object for each session as far as there is room, with a comma before it unless it stands behind a [. */
void router_sessions_stats(struct text *t);

#endif
