/* attach.h: what ptyattach is made of, one section a file, lowest layer first.
 *
 * A file uses only what stands above its own section, here and in libbb.h.
 */
#ifndef ATTACH_H
#define ATTACH_H

#include "libbb.h"

enum { LOST = 255 }; /* ptyattach's exit status when there was no session, or it was lost */

/* ==== display.c: standard output, and ptyattach's own lines ==== */

/* Adds standard output and standard error to the loop, which writes what they do not take at once; before anything
 * else here, and before the terminal is made raw. */
void display_open(void);
/* The errno with which writing to standard output failed, or to standard error what display_errors() was given; from then
 * on all of that is dropped.  0: it did not fail. */
int display_error(void);
/* Writes n > 0 bytes of the session's output to standard output; keeps what it does not take.  More than QUEUE_SIZE
 * bytes kept are an error (display_error()): the caller reads nothing while display_pending(). */
void display_show(const unsigned char *data, size_t n);
/* Writes n > 0 bytes of a COMMAND's error output to standard error, where ptyattach's own lines are written as well, on
 * the same terms as display_show(). */
void display_errors(const unsigned char *data, size_t n);
/* How many bytes of output and error output wait. */
size_t display_pending(void);
/* Writes "[words: reason]" to standard error, on a line of its own and without control characters; reason may be 0.
 * Drops it when there is no room for it. */
void display_line(const char *words, const char *reason);
/* Writes such a line about something that goes on.  On a terminal the line, cut to its width, is left open: the next
 * status replaces it, and before anything else is written it is erased.  Elsewhere it is display_line(), and is left out
 * if it is repeated, that is, if it brings no news. */
void display_status(const char *words, const char *reason, int repeated);
/* Whether a status line is there, which can be replaced. */
int display_has_status(void);
/* Erases the status line, if there is one. */
void display_status_over(void);
/* A line about a session that begins or goes on: "[WORDS NAME HINT]" without the blanks, all kept by the caller. */
struct greeting {
	const char *words, *name, *hint;
	char afresh; /* what comes is no continuation of what the terminal shows: its modes are switched off first */
};
/* Has such a line written before the first output; display_greet() does it at once.  While a program has the alternate
 * screen the line is left out: it would stay in that program's picture. */
void display_greeting(const struct greeting *g);
void display_greet(void);
/* The window has another size. */
void display_resized(void);
/* The last word: switches off whatever modes the output has left on in the terminal, and writes a line, if there are
 * words for it.  Drops what still waits for standard output.  Takes no longer than a second. */
void display_leave(const char *words, const char *reason);

/* ==== request.c: what is asked of a server instead of its session ==== */

struct remote; /* see remote.c */

/* What WAIT says of it (FRAME_WAIT_...); 0: nothing is asked, and no WAIT is sent. */
unsigned request_wait(const struct remote *r);
/* Begins to send the SysRq keys, after a WELCOME that allows it. */
void request_keys(struct remote *r);
/* Takes a PONG with this token. */
void request_answered(struct remote *r, unsigned token);
/* Whether request_send() is to be called once r's queue is empty. */
int request_due(const struct remote *r);
/* Queues as much of the COMMAND as there is room for: 0, or -1 and errno. */
int request_send(struct remote *r);
/* Sends a signal to the COMMAND that was started. */
void request_signal(struct remote *r, int sig);

/* ==== remote.c: the client's side of raw and framed mode ==== */

enum remote_mode { REMOTE_RAW, REMOTE_DETECTING, REMOTE_PLAIN, REMOTE_EXTENDED };

struct remote {
	struct wire wire;
	enum remote_mode mode;
	int status;       /* the command's, once EXIT was received; else -1 */
	char watch;       /* -o: WATCH is sent once WELCOME was received, and no input ever */
	char **command;   /* a COMMAND and its arguments, to be run there; or 0 */
	char pty;         /* -t: it gets a terminal */
	const char *keys; /* -y: the SysRq keys that the server has not done yet; else 0 */
	char key_sent;    /* the first of them was sent on some connection, and PING behind it */
	char key_final; /* so was the last, which may end the server or its machine: no answer is needed */
	char sure; /* -L, -y, COMMAND: only a ptybox, which says WELCOME, is shown and gets input */
	char answered; /* anything was received */
	char noticed;  /* a NOTICE was received, and no output behind it */
	char closing;  /* the server has said that it closes: a reset behind that is no other end */
	char served;   /* more than a refusal was received: there is a session */
	char ends;     /* the server was told to end, and has said so */
	char for_good; /* the server has said that it closes for good: there is no use in connecting again */
	char own;           /* the session is the one that this process runs in */
	char runs;          /* WELCOME says that the server runs a COMMAND */
	char started;       /* all of the COMMAND was sent or queued: input may follow */
	char **argument;    /* the next one to be sent, */
	size_t argument_at; /* from this byte on */
	msec signal_at; /* when a PING was sent behind a signal that ends commands; 0: it was answered */
	char welcomed;    /* all of WELCOME was received */
	char first_known; /* the first bytes received are output, or r->foreign says what they are */
	char size_due;    /* a window size did not fit into the queue: send it when there is room */
	unsigned char first
		[160]; /* until then: the first bytes, which may become a greeting or a refusal */
	unsigned char first_len;
	const char *foreign; /* what answers there instead of a session, or 0 */
	msec began; /* when the connection was made; once anything was received, when the first of it was */
	msec heard;  /* when anything was received last */
	msec pinged; /* when PING was sent last, or would have been */
	msec sent;   /* when input was sent last */
	unsigned char
		held[12]; /* REMOTE_DETECTING: received, and so far the beginning of WELCOME */
	unsigned held_len;
	char notice[256]; /* the NOTICE or WELCOME that was received last, or is being received */
	size_t notice_len;
};

/* Begins with a new connection, and queues HELLO if it is framed; only the options (watch, command, pty, keys, sure)
 * and key_sent stay.  n moves in (wire_key()), or is 0 for a connection that is not keyed.  fd stays the caller's. */
void remote_begin(struct remote *r, int fd, char framed, struct noise *n);
/* Queues the window size; when the queue is half full, only size_due is set.  Nothing in raw mode, or with -o. */
void remote_size(struct remote *r, const struct winsize *size);
/* Decodes n bytes from wire_read(): displays output and notices, but for a NOTICE that no session precedes (r->notice,
 * r->noticed), and keeps the status of EXIT.  -1 when they violate the protocol, as a status over 255 does. */
int remote_received(struct remote *r, const unsigned char *data, size_t n);
/* There is a session, or there will be none and no other try: displays a NOTICE that has waited for that. */
void remote_tell(struct remote *r);
/* After the end of the stream: takes a refusal for a NOTICE, and displays anything else that was held back. */
void remote_ended(struct remote *r);
/* With r->sure: whether the other end has not shown yet that it is a ptybox. */
int remote_is_stranger(const struct remote *r);
/* Whether input may be sent now; otherwise *due is lowered to the time when it may, if that is known. */
int remote_takes_input(const struct remote *r, msec *due);
/* Sends a piece of this input, as one packet if the server is framed: how many bytes, or -1 and errno. */
ssize_t remote_input(struct remote *r, const unsigned char *data, size_t n);
/* Tells the server that input has ended, in the modes that can: 0, or -1 and errno. */
int remote_eof(struct remote *r);
/* Counts silence anew from now on: up to now the socket was not read, so nothing follows from it. */
void remote_not_silent(struct remote *r);
/* When remote_timer() is to be called, or NEVER. */
msec remote_due(const struct remote *r);
/* Ends the detection of the mode, or sends PING, when it is time; -1 when the server has been silent for too long. */
int remote_timer(struct remote *r);

/* ==== link.c: the connection to the server, made, lost and made again ==== */

enum link_state { LINK_IDLE, LINK_DIALING, LINK_UP, LINK_LEAVING };
/* The end of standard input: not reached; reached; also reported to the server of this connection. */
enum link_eof { EOF_NONE, EOF_SEEN, EOF_SENT };

struct link {
	/* options and facts of the start */
	struct addr addr;
	char framed, keyed;
	char reconnects;       /* -R */
	char waits;            /* -L: connections are accepted, not made */
	char caller[NET_TEXT]; /* -L: the address of who has called last */
	char terminal; /* standard input is a terminal: it is made raw with the first connection */
	/* all connections */
	enum link_state state;
	enum link_eof eof;
	char last_failure
		[256]; /* why there is no connection, as reported last; not reported twice in a row */
	char had_session; /* on an earlier connection */
	msec lost_at;     /* since when there is none: the loss of that session, or the start */
	msec tick_at;     /* when the status line is to say so anew; 0: not at all */
	msec retry_at;    /* LINK_IDLE: when to connect */
	msec retry_wait;  /* ms: how long after the next failure */
	/* LINK_UP: this connection */
	struct source src; /* the socket; fd is -1 when there is none */
	struct remote remote;
	struct queue input; /* typed, and not sent yet */
	msec check_at; /* when to look whether a peer that owes acknowledgements is still there; 0: not at all */
	msec moved_at;   /* when the server last took input, or input ended */
	int reset_after; /* the error that follows the last byte that can be read; 0: none */
	int signal;      /* passed on last */
	int write_error; /* the error with which writing failed: only reading goes on; 0: none */
	/* LINK_LEAVING: how ptyattach ends, once all output is written (display_line()) */
	int leave_status;
	const char *leave_words, *leave_reason;
};

extern struct link uplink; /* all zeros: it takes no place in the file */

/* The defaults, before the options are read. */
void link_init(void);
/* The address of the other end: ADDR, with -L its caller's. */
const char *link_peer(void);
/* Queues n typed bytes, for which user_want() saw room; drops them unless the link is up, and with -o. */
void link_type(const unsigned char *data, size_t n);
/* Sends a signal to the COMMAND.  Returns 0 when there is none, or it has no process group of its own here (-t), or for a
 * signal that is none of those which are passed on. */
int link_signal(int sig);
/* When such a signal has had enough time to reach the server, which reads none while the COMMAND does not read its
 * input; or NEVER. */
msec link_signal_due(void);
/* Sends what was typed at once if the server takes input, instead of in the next turn of the loop. */
void link_send(void);
/* Sends n bytes of input that no person types, for which user_want() saw room, without a copy; queues what the socket does
 * not take. */
void link_input(const unsigned char *data, size_t n);
/* Sends the window size of standard input's terminal, else of standard output's, if the link is up. */
void link_window(void);
/* The status line's seconds: when link_tick() is to be called, or NEVER. */
msec link_tick_due(void);
void link_tick(void);
/* Makes standard input raw, if it is a terminal and is not raw yet; dies when that fails. */
void link_make_raw(void);
/* How many bytes of input were not sent yet. */
size_t link_unsent(void);
/* Displays a line that says that input may be lost, if any was not sent. */
void link_announce_unsent(void);
/* A connection was made; fd is the link's from here on.  reset_after is the error of a reset that has followed what
 * can still be read from it, or 0. */
void link_connected(int fd, int reset_after);
/* No connection could be made, or the keyed handshake failed, for this reason (used before it returns). */
void link_failed(const char *reason);

/* ==== detach_key.c: the detach key among what a person types ==== */

/* The byte that "^A", "^]" or one character means; -1 for "none"; -2 for anything else. */
int detach_key_parse(const char *s);
/* Makes `key`, from detach_key_parse(), the detach key; until this is called there is none. */
void detach_key_set(int key);
/* How a person calls it ("^A"); nothing when there is none. */
void detach_key_name(struct text *t);
/* Passes n bytes from the person's terminal to link_type(), but for the detach key and what belongs to a key that is
 * not complete: at most DETACH_KEY_KEPT bytes.  1 when ^C was among them, unless that is the detach key. */
enum { DETACH_KEY_KEPT = 256 };
int detach_key_typed(const unsigned char *data, size_t n);
/* When detach_key_timer() is to be called, or NEVER; it returns 1 when the person has detached. */
msec detach_key_due(void);
int detach_key_timer(void);

/* ==== connect.c: connecting to an address ==== */

/* The link is LINK_DIALING: looks uplink.addr up and tries each of its socket names in turn; then, at once or later in
 * the loop, calls link_connected() or link_failed(). */
void connect_begin(void);

/* ==== wait.c: waiting for a server that calls out (-L) ==== */

/* Listens at uplink.addr, or dies. */
void wait_open(void);
/* The link is LINK_DIALING: the next connection is given to link_connected(). */
void wait_begin(void);
/* Ends the listening, and removes the file of a unix socket; for die() wait_open() has seen to that. */
void wait_close(void);

#endif
