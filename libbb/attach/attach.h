/* attach.h: what ptyattach is made of, one section a file, lowest layer first.
 *
 * A file uses only what stands above its own section, here and in libbb.h.
 */
#ifndef ATTACH_H
#define ATTACH_H

#include "libbb.h"

/* ==== display.c: standard output, and lines of our own beside it ==== */

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

/* ==== detach_key.c: the detach key ==== */

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

/* ==== connect.c: connecting ==== */

/* Looks up and tries every name of the address; then up() with the connection, and the error of a
 * reset that has already followed what can be read from it (or 0); or failed() with the reason. */
void dial(const struct addr *a, void (*up)(int fd, int reset), void (*failed)(const char *reason));

/* ==== remote.c: the client's side of the conversation ==== */

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

#endif
