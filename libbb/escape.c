/* escape.c: the parser of escape sequences: where they begin and end, whether they ask, which key they stand for.
 *
 * The grammar is that of ECMA-48 and of the DEC VT500 as Paul Williams drew it (vt100.net/emu), and
 * of xterm's ctlseqs:
 *
 *	TEXT --ESC--> INTRODUCED --[--> PARAMETERS --final byte--> done
 *	                  |      --P--> PARAMETERS --final byte--> STRING --ST--> done
 *	                  |      --]X^_------------------------> STRING --ST, BEL--> done
 *	                  +--any other final byte--> done
 *
 * CAN and SUB end a sequence without effect; ESC begins another one at any place, and in a string it
 * is the first half of ST.  Other control characters inside a sequence belong to it.  BEL ends an OSC only.
 * The Linux console's OSC P and OSC R have no terminator (console_codes(4)).
 *
 * C1 controls are recognised in their 7-bit form only: to a UTF-8 terminal the bytes 0x80 to 0x9f are parts of
 * characters.
 *
 * Sequences have no limit in xterm; tmux drops those over 1 MB.  Here what is longer than ESCAPE_MAX
 * is text from there on, so that no output stays hidden behind a string that never ends.
 */
#include <string.h>
#include "libbb.h"

enum { ENQ = 5, BEL = 7, SO = 14, SI = 15, CAN = 24, SUB = 26, ESC = 27 };
enum { TEXT, INTRODUCED, PARAMETERS, STRING, STRING_ESC };

/* Whether a byte outside of a sequence is text.  Of the control characters ESC begins a sequence, ENQ asks, and SO
 * and SI change the character set. */
static int is_text(unsigned char c)
{
	return c > ESC || !((1UL << ENQ | 1UL << SO | 1UL << SI | 1UL << ESC) >> c & 1);
}

/* How many bytes of text these n bytes begin with.  A word without a byte below 0x20 (Mycroft's test) is taken at
 * once, so plain text costs hardly more than memchr(3). */
static size_t text_length(const unsigned char *p, size_t n)
{
	const unsigned long each = ~0UL / 255;
	unsigned long word;
	size_t i = 0;

	while (i < n) {
		if (n - i >= sizeof word) {
			memcpy(&word, p + i, sizeof word);
			if (!((word - each * ' ') & ~word & each * 0x80)) {
				i += sizeof word;
				continue;
			}
		}
		if (!is_text(p[i]))
			break;
		i++;
	}
	return i;
}

/* This byte was the sequence's last; returns 1, for step(). */
static int finish(struct escape *e, unsigned char final)
{
	e->state = TEXT;
	e->final = final;
	return 1;
}

/* Ends the sequence without effect; returns 1. */
static int cancel(struct escape *e)
{
	*e = (struct escape){.len = e->len};
	return finish(e, CAN);
}

/* A digit, or a separator (; or :).  Parameters beyond ESCAPE_PARAMS share one element behind the others. */
static void parameter(struct escape *e, unsigned char c)
{
	uint16_t *p = e->param + e->count;
	unsigned long n;

	if (!e->count)
		e->count = 1;
	else
		p--;
	if (c <= '9') {
		n = *p * 10UL + c - '0';
		*p = n < 65535 ? (uint16_t)n : 65535;
		return;
	}
	if (e->count <= ESCAPE_PARAMS)
		e->count++;
	else
		*p = 0;
	if (c == ':')
		e->colons |= 1UL << (e->count - 1);
}

static int introduced(struct escape *e, unsigned char c)
{
	if (c < ' ')
		return 0;
	if (c < '0') {
		e->inter = e->inter ? 0xff : c;
		return 0;
	}
	if (c > '~')
		return cancel(e);
	if (!e->inter && strchr("[P]X^_", c)) {
		e->intro = c;
		e->state = c == '[' || c == 'P' ? PARAMETERS : STRING;
		return 0;
	}
	return finish(e, c);
}

static int parameters(struct escape *e, unsigned char c)
{
	if (c < ' ' || c > '~')
		return 0;
	if (c < '0')
		e->inter = c;
	else if (c <= ';')
		parameter(e, c);
	else if (c < '@')
		e->lead = c;
	else {
		if (e->count > ESCAPE_PARAMS)
			e->count = ESCAPE_PARAMS;
		if (e->intro == '[')
			return finish(e, c);
		e->final = c;
		e->state = STRING;
	}
	return 0;
}

/* One byte of a string.  An OSC has a number in front (param[0]) and asks with "?"; kitty's graphics (APC G) ask with
 * the key i or I, unless q=2 wants no answer.  count is 0 up to the first semicolon. */
static int string_byte(struct escape *e, unsigned char c)
{
	unsigned before = e->last & 255;

	e->last = e->last << 8 | c;
	if (!e->final)
		e->final = c;
	if (e->intro == ']' && !e->count) {
		if (c >= '0' && c <= '9') {
			parameter(e, c);
			e->count = 0;
		}
		if (e->len == (e->final == 'R' ? 3 : e->final == 'P' ? 10 : 0))
			return finish(e, e->final);
	} else if (e->intro == ']') {
		if ((c == '?' && (before == ';' || before == '=')) ||
			(c == 'R' && before == ';' && e->param[0] == 1337))
			e->asks = 1;
	} else if (e->intro == '_' && e->final == 'G' && !e->count) {
		if (c == '=' && (before | 32) == 'i')
			e->asks |= 1;
		if ((e->last & 0xffffff) == ('q' << 16 | '=' << 8 | '2'))
			e->asks |= 2;
	}
	if (c == ';' && e->intro != 'P')
		e->count = 1;
	return 0;
}

static void begin(struct escape *e)
{
	*e = (struct escape){.state = INTRODUCED, .len = 1};
}

/* One more byte of a sequence; returns whether it is the last. */
static int step(struct escape *e, unsigned char c)
{
	e->len++;
	if (c == CAN || c == SUB || e->len > ESCAPE_MAX)
		return cancel(e);
	if (e->state == STRING_ESC) {
		if (c == '\\')
			return finish(e, e->final);
		begin(e);
		e->len++;
	}
	if (c == ESC && e->state != STRING)
		begin(e);
	else if (e->state == INTRODUCED)
		return introduced(e, c);
	else if (e->state == PARAMETERS)
		return parameters(e, c);
	else if (c == ESC)
		e->state = STRING_ESC;
	else if (c == BEL && e->intro == ']')
		return finish(e, e->final);
	else
		return string_byte(e, c);
	return 0;
}

size_t escape_next(struct escape *e, const unsigned char *p, size_t n)
{
	size_t i = 0;

	e->done = 0;
	if (!e->state) {
		e->len = 0;
		i = text_length(p, n);
		if (i || !n)
			return i;
		begin(e);
		i++;
		if (*p != ESC)
			e->done = finish(e, *p);
	}
	while (i < n && !e->done)
		e->done = step(e, p[i++]);
	return i;
}

void escape_forget(struct escape *e)
{
	if (e->state == STRING_ESC)
		begin(e);
	else
		e->len = e->state = TEXT;
}

int escape_is_string(const struct escape *e)
{
	return e->intro && e->intro != '[';
}

/* The control sequences that ask, by leader, intermediate and final byte; '.' is none.
 *
 *	c  >c  =c	DA1, DA2, DA3: what the terminal is
 *	n  ?n		DSR: its state, the cursor's position, printer, colour scheme ...
 *	$p  ?$p		DECRQM: a mode
 *	>q		XTVERSION
 *	x		DECREQTPARM
 *	?u ?m ?g	kitty's keyboard flags, xterm's key modifiers and key formats
 *	?S		XTSMGRAPHICS
 *	$u &u $w	DECRQTSR, DECRQUPSS, DECRQPSR: state, character set, cursor or tab stops
 *	*y '| "v	DECRQCRA, DECRQLP, DECRQDE: checksum, locator, displayed extent
 *	#| #R		XTREPORTSGR, XTREPORTCOLORS
 *
 * Reports of the window (CSI 11 to 21 t) share their final byte with what moves windows. */
static const char questions[] = "..c>.c=.c..n?.n.$p?$p>.q..x?.u?.m?.g?.S.$u.&u.$w.*y.'|.\"v.#|.#R";

static int sequence_asks(const struct escape *e)
{
	if (e->final == 't')
		return !e->lead && !e->inter && e->param[0] >= 11 && e->param[0] <= 21;
	for (const char *q = questions; *q; q += 3)
		if ((e->lead ? e->lead : '.') == q[0] && (e->inter ? e->inter : '.') == q[1] &&
			e->final == q[2])
			return 1;
	return 0;
}

int escape_asks(const struct escape *e)
{
	switch (e->intro) {
	case 0: /* ENQ, DECID */
		return e->len == 1 ? e->final == ENQ : !e->inter && e->final == 'Z';
	case '[':
		return sequence_asks(e);
	case 'P': /* DECRQSS, XTGETTCAP */
		return e->final == 'q' && (e->inter == '$' || e->inter == '+');
	case ']': /* a value "?", though not in a title, directory, link or notification */
		return e->asks && e->param[0] > 2 && (e->param[0] < 7 || e->param[0] > 9);
	}
	return e->asks == 1;
}

enum { SHIFT = 1, CTRL = 4, LOCKS = 64 | 128, RELEASED = 3 }; /* kitty's modifiers and event type */

/* The byte that a key with these modifiers types in a terminal without a keyboard protocol, or KEY_OTHER. */
static int key_byte(unsigned code, unsigned shifted, unsigned mods)
{
	int letter = code >= 'a' && code <= 'z';

	if (mods & SHIFT) {
		if (letter)
			code = mods & CTRL ? 0 : code - 32;
		else if (shifted || code == '-')
			code = shifted ? shifted : '_';
	}
	if (mods & ~(unsigned)(SHIFT | CTRL) || !code || code > 127)
		return KEY_OTHER;
	if (!(mods & CTRL))
		return (int)code;
	if (code == '?')
		return 127;
	return code >= '@' && code < 127 && code != '`' && code < '{' ? (int)code & 31 : KEY_OTHER;
}

int escape_key(const struct escape *e)
{
	/* fields and their parts: code : shifted code : code in the US layout ; modifiers : event type */
	unsigned v[2][3] = {{0}}, field = 0, sub = 0, mods;

	for (unsigned i = 0; i < e->count; i++) {
		if (i && e->colons >> i & 1)
			sub++;
		else if (i)
			field++, sub = 0;
		if (field < 2 && sub < 3)
			v[field][sub] = e->param[i];
	}
	mods = (v[1][0] ? v[1][0] - 1 : 0) & ~(unsigned)LOCKS;
	if (e->intro != '[' || e->lead || e->inter)
		return KEY_OTHER;
	if (e->final == '~' && v[0][0] == 27 && e->count == 3)
		return key_byte(e->param[2], e->param[2], mods);
	if (v[1][1] == RELEASED)
		return KEY_SILENT;
	if (e->final != 'u')
		return KEY_OTHER;
	if ((v[0][0] >= 57358 && v[0][0] <= 57360) || (v[0][0] >= 57441 && v[0][0] <= 57454))
		return KEY_SILENT; /* Caps Lock, Scroll Lock, Num Lock; Shift, Control, Alt ... */
	return key_byte(v[0][0] > 127 && v[0][2] ? v[0][2] : v[0][0], v[0][1], mods);
}
