/* pen.c: how a terminal draws the next character: graphic rendition (SGR) and character sets (ISO 2022).
 *
 * A color is a number: 0 is the default, 30 to 107 the SGR parameter that set it; with 5 in the upper byte it is an
 * index into the palette, with 2 there a red, a green and a blue byte.  Of an underline only its presence is kept,
 * not its style.
 */
#include <string.h>
#include "libbb.h"

/* SGR 38, 48 or 58 at parameter i: ;5;N or ;2;R;G;B, with colons also :2:COLORSPACE:R:G:B.  Sets *color, and returns
 * how many parameters that takes. */
static unsigned extended_color(const struct escape *e, unsigned i, uint32_t *color)
{
	const uint16_t *p = e->param + i;
	unsigned n = 1, rgb;

	while (e->colons >> (i + n) & 1)
		n++;
	rgb = n > 5 ? 3 : 2;
	if (p[1] == 5)
		*color = 5U << 24 | (p[2] & 255U);
	else if (p[1] == 2)
		*color = 2U << 24 | (p[rgb] & 255U) << 16 | (p[rgb + 1] & 255U) << 8 |
			 (p[rgb + 2] & 255U);
	if (n > 1)
		return n;
	return p[1] == 5 ? 3 : p[1] == 2 ? 5 : 1;
}

enum { OVERLINE = 10, VGA_FONT = 11 }; /* bits of attr for SGR 53 and, on the Linux console, 11 */

/* Any SGR parameter but 0 and those of colors: sets or clears its bit of attr. */
static void set_attr(struct pen *pen, unsigned n)
{
	if (n < 10)
		pen->attr |= 1 << n;
	else if (n == 10)
		pen->attr &= ~(1 << VGA_FONT);
	else if (n == 11)
		pen->attr |= 1 << VGA_FONT;
	else if (n == 21)
		pen->attr |= 1 << 4;
	else if (n > 21 && n < 30)
		pen->attr &= ~(n == 22 ? 1 << 1 | 1 << 2 :
			       n == 25 ? 1 << 5 | 1 << 6 :
					 1 << (n - 20));
	else if (n == 53)
		pen->attr |= 1 << OVERLINE;
	else if (n == 55)
		pen->attr &= ~(1 << OVERLINE);
}

void pen_select(struct pen *pen, const struct escape *e)
{
	unsigned i = 0;

	do {
		unsigned n = e->param[i], tens = n / 10, unit = n % 10, taken = 1;

		if (!n) {
			pen->attr &= 1 << VGA_FONT;
			memset(pen->color, 0, sizeof pen->color);
		} else if (tens >= 3 && tens <= 5 && unit == 8) {
			taken = extended_color(e, i, &pen->color[tens - 3]);
		} else if (tens >= 3 && tens <= 5 && unit == 9) {
			pen->color[tens - 3] = 0;
		} else if (tens == 3 || tens == 9) {
			pen->color[0] = n;
		} else if (tens == 4 || tens == 10) {
			pen->color[1] = n;
		} else if (n == 4 && e->colons >> (i + 1) & 1) {
			set_attr(pen, e->param[i + 1] ? 4 : 24);
			taken = 2;
		} else {
			set_attr(pen, n);
		}
		i += taken;
	} while (i < e->count);
}

static void write_color(struct text *t, unsigned i, uint32_t color)
{
	unsigned kind = color >> 24;

	text_str(t, ";");
	if (kind) {
		text_num(t, 38 + 10 * i);
		text_str(t, kind == 5 ? ";5;" : ";2;");
	}
	if (kind == 2) {
		text_num(t, color >> 16 & 255);
		text_str(t, ";");
		text_num(t, color >> 8 & 255);
		text_str(t, ";");
	}
	text_num(t, kind ? color & 255 : color);
}

void pen_write_graphics(struct text *t, const struct pen *from, const struct pen *to)
{
	if (from->attr == to->attr && !memcmp(from->color, to->color, sizeof to->color))
		return;
	text_str(t, from->attr >> VGA_FONT & 1 ? "\033[0;10" : "\033[0");
	for (unsigned i = 1; i <= VGA_FONT; i++)
		if (to->attr >> i & 1) {
			text_str(t, ";");
			text_num(t, i == OVERLINE ? 53 : i);
		}
	for (unsigned i = 0; i < 3; i++)
		if (to->color[i])
			write_color(t, i, to->color[i]);
	text_str(t, "m");
}

void pen_write_sets(struct text *t, const struct pen *from, const struct pen *to)
{
	static const char shift[][3] = {"\017", "\016", "\033n", "\033o"};

	for (int i = 0; i < 4; i++)
		if (from->set[i] != to->set[i])
			text_str(t, (char[]){033, (char)('(' + i),
					    to->set[i] ? (char)to->set[i] : 'B', 0});
	if (from->shift != to->shift)
		text_str(t, shift[to->shift]);
}
