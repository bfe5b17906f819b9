/* attach.h: what ptyattach is made of, one section a file, lowest layer first.
 *
 * A file uses only what stands above its own section, here and in libbb.h.
 */
#ifndef ATTACH_H
#define ATTACH_H

#include "libbb.h"

/* ==== display.c: standard output, and lines of our own beside it ==== */

/* From here on what standard output does not take at once is written in the loop. */
void display_open(void);
/* The errno with which writing to standard output failed; from then on everything is dropped.  0: none. */
int display_error(void);
/* n > 0 bytes for standard output, kept (up to QUEUE_SIZE) while it does not take them. */
void display_show(const unsigned char *data, size_t n);
/* How many bytes are kept. */
size_t display_pending(void);
/* "[words: reason]" on standard error, on a line of its own; reason may be 0. */
void display_line(const char *words, const char *reason);
/* Switches off what a full-screen program may have switched on in the terminal and left so. */
void display_reset(void);

/* ==== detach_key.c: the detach key ==== */

enum { DETACH_KEY_WAIT = 300 }; /* ms without another key after which it detaches */

struct detach_key {
	int key;         /* -1: none */
	msec held_since; /* the key was typed then, and nothing after it; 0: no */
	unsigned char byte;
};

/* "^A", "^]", a character: the byte; "none": -1; anything else: -2. */
int detach_key_parse(const char *s);
/* Takes the next run from the *n > 0 typed bytes at *data, which move on: its length, and where it is in
 * *run (valid until the next call), is what is to be sent; 0 when only the detach key was taken. */
size_t detach_key_next(
	struct detach_key *k, const unsigned char **data, size_t *n, const unsigned char **run);
/* When the key that was typed means detach, or NEVER. */
msec detach_key_due(const struct detach_key *k);

/* ==== remote.c: the client's side of raw and framed mode ==== */

enum { REMOTE_RAW, REMOTE_UNKNOWN, REMOTE_PLAIN, REMOTE_EXTENDED };

struct remote {
	struct wire wire;
	int mode;
	int status;    /* the command's, once EXIT came; else -1 */
	char watch;    /* only watch: said behind WELCOME */
	char answered; /* anything was received */
	char noticed;  /* the last packet was a NOTICE, or closes behind one */
	char ends;     /* the server was told to end, and has said so */
	char size_due; /* a window size did not fit into the queue: send it when there is room */
	unsigned char banner_len; /* how much of a keyed port's line was received */
	msec began, heard, pinged, sent;
	unsigned char held[12]; /* the beginning of what may be WELCOME */
	unsigned held_len;
	char note[256];
	size_t note_len;
};

/* A new connection; watch stays as it is.  n moves in (wire_key()), or is 0 for one that is not keyed. */
void remote_begin(struct remote *r, int fd, char framed, struct noise *n);
/* Sends the window size; when much is queued already, only size_due is set. */
void remote_size(struct remote *r, const struct winsize *size);
/* Shows what was received and notes EXIT; -1 when it violates the protocol, as a status over 255 does. */
int remote_received(struct remote *r, const unsigned char *data, size_t n);
/* Whether the server's first line was that of a keyed port. */
int remote_is_keyed(const struct remote *r);
/* The server closed: shows what was held back because it might have become WELCOME. */
void remote_ended(struct remote *r);
/* Whether input may be sent now; *due is lowered to the time when it may. */
int remote_takes_input(const struct remote *r, msec *due);
/* Sends one piece of q; -1 and errno. */
int remote_input(struct remote *r, struct queue *q);
/* Tells the server that input has ended, as far as its mode can; -1 and errno. */
int remote_eof(struct remote *r);
/* The silence up to now is not the server's: we did not read. */
void remote_not_silent(struct remote *r);
/* When remote_timer() is to be called; it returns -1 when the server has been silent for too long. */
msec remote_due(const struct remote *r);
int remote_timer(struct remote *r);

/* ==== link.c: the connection to the server, as it comes and goes ==== */

enum link_state { LINK_IDLE, LINK_DIALING, LINK_UP, LINK_LEAVING };
enum link_eof { EOF_NONE, EOF_SEEN, EOF_SENT };

struct link {
	struct source src; /* the socket; fd is -1 unless there is one */
	enum link_state state;
	enum link_eof eof; /* the end of our own input */
	struct remote remote;
	struct queue input; /* typed, not sent yet */
	const char *addr;
	char framed, keyed;
	char reconnects; /* -R */
	char raw_terminal; /* standard input is a terminal, which is made raw once there is a session */
	char dirty;        /* the session's output may have changed the terminal's modes */
	char told[80];     /* why the last try to connect failed */
	msec retry_at, retry_wait;
	msec check_at; /* look then whether a peer that owes acknowledgements still exists; 0: no need */
	msec moved_at;   /* when the server last took input */
	int reset_after; /* the error that follows the last byte that can be read */
	int write_error; /* nothing more can be sent */
	int leave_status;
	const char *leave_words, *leave_reason; /* LINK_LEAVING: said when all is shown */
};

extern struct link uplink;

/* Typed bytes; dropped unless the link is up. */
void link_type(const unsigned char *data, size_t n);
/* Tells the server the size of our window. */
void link_window(void);
/* Makes standard input raw, if it is a terminal and is not raw yet; or dies. */
void link_make_raw(void);
/* How many bytes of input were not sent yet, and a line that says so if there are any. */
size_t link_unsent(void);
void link_announce_unsent(void);
/* connect.c's results: a connection (fd is ours now) and the error of a reset that has already followed
 * what can be read from it, or 0; or why there is none. */
void link_connected(int fd, int reset_after);
void link_failed(const char *reason);

/* ==== connect.c: connecting to an address ==== */

/* Looks up and tries every name of the address; then link_connected() or link_failed(). */
void connect_begin(const struct addr *a);

#endif
