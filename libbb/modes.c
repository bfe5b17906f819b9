/* modes.c: the modes that a stream of output has set in a terminal, and the sequences that set or reset them.
 *
 *	output --> modes_feed() --> struct modes --> modes_change() --> sequences
 *
 * The text on the screen and the cursor's position are not kept, only what outlasts them: one bit for each mode in
 * mode_number[], and a field for each setting with more than two values.  All zero is the terminal before the first
 * byte: a bit means that the mode differs from its default.  modes_change() writes what leads from one struct modes to
 * another: a replay goes from all zero to the modes that are set where it begins, and on leaving a terminal goes
 * from the modes that are set to all zero.
 *
 * Not tracked are modes for which users configure their own default (1007, 1034 to 1039: alternate scroll, meta keys),
 * VT52 mode, titles, tab stops, and the saved cursor's position.
 *
 * config MODES y follow escape sequences: a late client's picture, and who answers the command's questions
 */
#include <string.h>
#include "libbb.h"

enum { ANSI = 1 << 15 }; /* a mode of SM and RM; the others are those of DECSET and DECRST */

/* Indices into mode_number[], which are the bits of `changed`.  A soft reset (DECSTR) resets the first
 * RESET_BY_DECSTR. */
enum { CURSOR_KEYS, ORIGIN, WRAP, CURSOR, KEYPAD, LEFT_RIGHT, RESET_BY_DECSTR = 8 };
static const uint16_t mode_number[] = {
	1, 6, 7, 25, 66, 69, ANSI | 4, ANSI | 2, /* ... insert, keyboard locked */
	ANSI | 20, 5, 12, 45,         /* newline, reverse video, blinking, reverse wrap */
	9, 1000, 1001, 1002, 1003,    /* mouse: X10, clicks, highlights, drags, any motion */
	1004, 1005, 1006, 1015, 1016, /* focus; mouse in UTF-8, SGR, urxvt, pixels */
	2004, 2026, 2027, 2031, 2048, /* paste, synchronized, graphemes, colour scheme, size */
	9001,                         /* win32 keyboard */
};
enum { MODES = sizeof mode_number / sizeof *mode_number, ON_BY_DEFAULT = 1 << WRAP | 1 << CURSOR };

/* The state of a terminal in which nothing was set: all zero.  Never written; not const, so that it stands in .bss and
 * takes no place in the file. */
static struct modes initial;

/* The index of the screen that is shown, in saved[] and keyboard[]: 0 main, 1 alternate. */
static int screen(const struct modes *m)
{
	return m->alternate != 0;
}

static void set_bit(uint32_t *bits, unsigned i, int on)
{
	*bits = (*bits & ~((uint32_t)1 << i)) | (uint32_t)on << i;
}

/* ---- reading ---- */

/* The cursor has moved up, or to an unknown position: on the main screen there may be text below it now. */
static void moved(struct modes *m)
{
	m->below |= !screen(m);
}

static void save_cursor(struct modes *m)
{
	m->pen.origin = m->changed >> ORIGIN & 1;
	m->saved[screen(m)] = m->pen;
}

static void restore_cursor(struct modes *m)
{
	m->pen = m->saved[screen(m)];
	set_bit(&m->changed, ORIGIN, m->pen.origin);
	moved(m);
}

/* DECSET and DECRST 47, 1047, 1049.  Only 1049 also saves and restores the cursor. */
static void alternate(struct modes *m, unsigned number, int on)
{
	unsigned char below = m->below;

	if (!on == !m->alternate)
		return;
	if (on && number == 1049)
		save_cursor(m);
	m->alternate = on ? (uint16_t)number : 0;
	if (!on && number == 1049)
		restore_cursor(m);
	m->below = below || number != 1049;
}

static unsigned mode_index(unsigned number)
{
	unsigned i = 0;

	while (i < MODES && mode_number[i] != number)
		i++;
	return i;
}

static void set_mode(struct modes *m, unsigned number, int on)
{
	unsigned i = mode_index(number);

	if (i < MODES)
		set_bit(&m->changed, i, on ^ (ON_BY_DEFAULT >> i & 1));
	if (number == 47 || number == 1047 || number == 1049)
		alternate(m, number, on);
	else if (number == 1048 && on)
		save_cursor(m);
	else if (number == 1048)
		restore_cursor(m);
	else if (i == ORIGIN || i == LEFT_RIGHT)
		moved(m); /* to the top left */
	if (i == LEFT_RIGHT && !on)
		m->margin[2] = m->margin[3] = 0;
}

/* SM, RM, XTSAVE or XTRESTORE, by the final byte, of each mode that is a parameter. */
static void set_modes(struct modes *m, char what)
{
	const struct escape *e = &m->escape;

	for (unsigned k = 0; k < e->count; k++) {
		unsigned number = e->param[k] | (e->lead ? 0 : ANSI), i = mode_index(number);

		if (what == 'h' || what == 'l')
			set_mode(m, number, what == 'h');
		else if (i < MODES && what == 's')
			set_bit(&m->stored, i, m->changed >> i & 1);
		else if (i < MODES)
			set_bit(&m->changed, i, m->stored >> i & 1);
	}
}

/* DECSTR; also resets what DECSC saved. */
static void soft_reset(struct modes *m)
{
	m->changed &= ~(uint32_t)0 << RESET_BY_DECSTR;
	m->pen = m->saved[screen(m)] = initial.pen;
	memset(m->margin, 0, sizeof m->margin);
}

static void push_keyboard(struct keyboard *k, unsigned flags)
{
	if (k->depth == KEYBOARD_DEPTH)
		memmove(k->flags + 1, k->flags + 2, KEYBOARD_DEPTH - 1);
	else
		k->depth++;
	k->flags[k->depth] = flags & 127;
}

/* Popping the last entry resets the flags below the stack as well. */
static void pop_keyboard(struct keyboard *k, unsigned n)
{
	if (n >= k->depth)
		*k = initial.keyboard[0];
	else
		k->depth -= (unsigned char)n;
}

static void set_keyboard(struct keyboard *k, unsigned flags, unsigned how)
{
	unsigned char *top = k->flags + k->depth;

	*top = (unsigned char)(how == 2 ? *top | flags : how == 3 ? *top & ~flags : flags) & 127;
}

/* XTMODKEYS (final byte m) or disabling it (n): of resource 4, modifyOtherKeys; without a parameter of all resources. */
static void modify_keys(struct modes *m, char what)
{
	const uint16_t *p = m->escape.param;

	if (p[0] == 4 || !m->escape.count)
		m->keys = what == 'm' ? (unsigned char)p[1] : 0;
}

/* A control sequence's leader, intermediate and final byte as one number. */
#define SEQUENCE(lead, inter, final) ((lead) << 16 | (inter) << 8 | (final))

static void control_sequence(struct modes *m)
{
	const struct escape *e = &m->escape;
	const uint16_t *p = e->param;
	struct keyboard *k = &m->keyboard[screen(m)];

	switch (SEQUENCE(e->lead, e->inter, e->final)) {
	case SEQUENCE(0, 0, 'h'):
	case SEQUENCE(0, 0, 'l'):
	case SEQUENCE('?', 0, 'h'):
	case SEQUENCE('?', 0, 'l'):
	case SEQUENCE('?', 0, 's'):
	case SEQUENCE('?', 0, 'r'):
		set_modes(m, (char)e->final);
		break;
	case SEQUENCE(0, 0, 'm'):
		pen_select(&m->pen, e);
		break;
	case SEQUENCE(0, 0, 'r'):
		memcpy(m->margin, p, 2 * sizeof *p);
		moved(m);
		break;
	case SEQUENCE(0, 0, 's'):
		if (m->changed >> LEFT_RIGHT & 1)
			memcpy(m->margin + 2, p, 2 * sizeof *p);
		else
			save_cursor(m);
		break;
	case SEQUENCE(0, 0, 'u'):
		restore_cursor(m);
		break;
	case SEQUENCE(0, 0, 'J'): /* erases what is below the cursor, or the screen */
		if (p[0] == 0 || p[0] == 2)
			m->below &= screen(m);
		break;
	case SEQUENCE(0, 0, 'A'):
	case SEQUENCE(0, 0, 'F'):
	case SEQUENCE(0, 0, 'H'):
	case SEQUENCE(0, 0, 'd'):
	case SEQUENCE(0, 0, 'f'):
		moved(m);
		break;
	case SEQUENCE(0, '!', 'p'):
		soft_reset(m);
		break;
	case SEQUENCE(0, ' ', 'q'):
		m->shape = (unsigned char)p[0];
		break;
	case SEQUENCE('?', 0, 'c'):
		m->vga = (unsigned char)p[0];
		break;
	case SEQUENCE('>', 0, 'm'):
	case SEQUENCE('>', 0, 'n'):
		modify_keys(m, (char)e->final);
		break;
	case SEQUENCE('>', 0, 'u'):
		push_keyboard(k, p[0]);
		break;
	case SEQUENCE('<', 0, 'u'):
		pop_keyboard(k, p[0] ? p[0] : 1);
		break;
	case SEQUENCE('=', 0, 'u'):
		set_keyboard(k, p[0], p[1]);
		break;
	}
}

/* ESC and a final byte, or SO and SI.  The intermediate bytes ( ) * + designate G0 to G3; set[] has 0 for ASCII. */
static void escape_sequence(struct modes *m)
{
	unsigned char final = m->escape.final, g = m->escape.inter - '(';

	if (g < 4)
		m->pen.set[g] = final == 'B' ? 0 : final;
	if (m->escape.inter)
		return;
	switch (final) {
	case 14: /* SO */
	case 15: /* SI */
		m->pen.shift = final == 14;
		break;
	case 'n':
	case 'o':
		m->pen.shift = 2 + (final == 'o');
		break;
	case '7':
		save_cursor(m);
		break;
	case '8':
		restore_cursor(m);
		break;
	case '=':
	case '>':
		set_bit(&m->changed, KEYPAD, final == '=');
		break;
	case 'M': /* up one line */
		moved(m);
		break;
	case 'c':
		*m = initial;
		break;
	}
}

/* OSC.  10 to 19 set colors (bits 0 to 9 of `colors`), 4 those of the palette (bit 10); the same numbers plus 100 reset
 * them.  8 begins a hyperlink, or ends it if its last field is empty. */
static void system_command(struct modes *m)
{
	const struct escape *e = &m->escape;
	unsigned reset = e->param[0] > 100, n = e->param[0] - 100 * reset;

	if (n == 8 && !reset)
		m->link = (e->last & 255) != ';';
	if (escape_asks(e) || (n != 4 && (n < 10 || n > 19)))
		return;
	n = n == 4 ? 10 : n - 10;
	if (!reset)
		m->colors |= 1 << n;
	else if (n < 10 ||
		 !e->count) /* OSC 104 with a parameter resets one color of the palette only */
		m->colors &= ~(1 << n);
}

void modes_feed(struct modes *m, const unsigned char *p, size_t n)
{
	while (n) {
		size_t run = escape_next(&m->escape, p, n);

		p += run;
		n -= run;
		if (!m->escape.done)
			continue;
		if (!m->escape.intro)
			escape_sequence(m);
		else if (m->escape.intro == '[')
			control_sequence(m);
		else if (m->escape.intro == ']')
			system_command(m);
	}
}

void modes_resized(struct modes *m)
{
	memset(m->margin, 0, sizeof m->margin);
}

/* ---- writing ---- */

/* CSI, `begin`, n, `end`. */
static void csi(struct text *t, const char *begin, unsigned n, const char *end)
{
	text_str(t, "\033[");
	text_str(t, begin);
	text_num(t, n);
	text_str(t, end);
}

static void write_keyboard(struct text *t, const struct keyboard *from, const struct keyboard *to)
{
	if (!memcmp(from, to, 2 + to->depth)) /* depth and the flags up to the top */
		return;
	if (from->depth)
		csi(t, "<", from->depth, "u");
	if (from->flags[0] != to->flags[0] || (from->depth && to->flags[0]))
		csi(t, "=", to->flags[0], "u");
	for (unsigned i = 1; i <= to->depth; i++)
		csi(t, ">", to->flags[i], "u");
}

static void write_mode(struct text *t, unsigned i, int on)
{
	unsigned number = mode_number[i];

	if (i == KEYPAD) /* DECKPAM, DECKPNM: not every terminal knows mode 66 */
		text_str(t, on ? "\033=" : "\033>");
	else
		csi(t, number & ANSI ? "" : "?", number & ~(unsigned)ANSI, on ? "h" : "l");
}

/* Setting margins moves the cursor to the top left, so DECSC and DECRC stand around it.  Without numbers the margins
 * are the screen's: 0;0 would be a margin of one line in tmux. */
static void write_margins(struct text *t, const struct modes *from, const struct modes *to)
{
	const uint16_t *margin = to->margin;

	text_str(t, "\0337\033[");
	if (margin[0] || margin[1]) {
		text_num(t, margin[0]);
		text_str(t, ";");
	}
	if (margin[1])
		text_num(t, margin[1]);
	text_str(t, "r");
	if ((from->changed ^ to->changed) >> LEFT_RIGHT & 1)
		write_mode(t, LEFT_RIGHT, to->changed >> LEFT_RIGHT & 1);
	if (to->changed >> LEFT_RIGHT & 1) {
		csi(t, "", margin[2], ";");
		text_num(t, margin[3]);
		text_str(t, "s");
	}
	text_str(t, "\0338");
}

/* Resets colors and the hyperlink.  Their values are not tracked, so those of `to` cannot be set. */
static void write_strings(struct text *t, const struct modes *from, const struct modes *to)
{
	for (unsigned i = 0; i <= 10; i++)
		if ((from->colors & ~to->colors) >> i & 1) {
			text_str(t, "\033]");
			text_num(t, i == 10 ? 104 : 110 + i);
			text_str(t, "\033\\");
		}
	if (from->link && !to->link)
		text_str(t, "\033]8;;\033\\");
}

/* Back on the main screen some terminals restore the pen that was saved there, others keep the current one.  So each
 * byte of `now` that differs from `to` in one of the two is made to differ, and modes_change() writes it. */
static void leave_alternate(struct modes *now, const struct modes *to)
{
	unsigned char *pen = (unsigned char *)&now->pen;
	const unsigned char *saved = (const unsigned char *)&now->saved[0],
			    *goal = (const unsigned char *)&to->pen;
	int origin = to->changed >> ORIGIN & 1;

	now->alternate = 0;
	for (size_t i = 0; i < sizeof now->pen; i++)
		if (pen[i] == goal[i])
			pen[i] = saved[i];
	if (now->saved[0].origin != origin)
		set_bit(&now->changed, ORIGIN, !origin);
}

void modes_change(const struct modes *from, const struct modes *to, struct text *t)
{
	struct modes now = *from;

	if (now.escape.state)
		text_str(t, "\030\033\\");
	write_keyboard(t, &now.keyboard[screen(&now)], &to->keyboard[screen(&now)]);
	if (screen(&now) != screen(to)) {
		csi(t, "?", now.alternate | to->alternate, screen(to) ? "h" : "l");
		if (!screen(to))
			leave_alternate(&now, to);
		write_keyboard(t, &now.keyboard[screen(to)], &to->keyboard[screen(to)]);
	}
	if ((now.changed ^ to->changed) >> LEFT_RIGHT & 1 ||
		memcmp(now.margin, to->margin, sizeof now.margin))
		write_margins(t, &now, to);
	for (unsigned i = 0; i < MODES; i++)
		if (i != LEFT_RIGHT && (now.changed ^ to->changed) >> i & 1)
			write_mode(t, i, (to->changed ^ ON_BY_DEFAULT) >> i & 1);
	pen_write_sets(t, &now.pen, &to->pen);
	pen_write_graphics(t, &now.pen, &to->pen);
	if (now.shape != to->shape)
		csi(t, "", to->shape, " q");
	if (now.vga != to->vga)
		csi(t, "?", to->vga, "c");
	if (now.keys != to->keys)
		csi(t, ">4;", to->keys, "m");
	write_strings(t, &now, to);
	if (to->escape.state && escape_is_string(&to->escape))
		text_str(t, to->escape.intro == ']' ? "\033]9999;" : "\033^");
}

int modes_off(const struct modes *m, struct text *t)
{
	modes_change(m, &initial, t);
	if (!m->below)
		return 0;
	csi(t, "", 999, "H\r\n");
	return 1;
}
