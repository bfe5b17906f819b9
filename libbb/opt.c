/* opt.c: options and the values in them.
 *
 * The option string comes from the applet's head comment (scripts/applets.awk): letters, and a
 * colon behind those that take a value.  Options end at the first word that is none, so a command's own options need no
 * "--".  An error is reported in one line that names the word.
 *
 * config HELP y help texts (without it --help says the usage line alone)
 */
#include <string.h>
#include "libbb.h"

int opt_next(struct opt *o)
{
	const char *known;

	if (!o->at || !*o->at) {
		const char *word = *o->argv;

		if (!word || word[0] != '-' || !word[1])
			return -1;
		o->argv++;
		if (!strcmp(word, "--"))
			return -1;
		if (word[1] == '-')
			die(1, word, ": unknown option (see --help)");
		o->at = word + 1;
	}
	o->name[0] = '-';
	o->name[1] = *o->at++;
	known = o->name[1] == ':' ? 0 : strchr(o->spec, o->name[1]);
	if (!known)
		die(1, o->name, ": unknown option (see --help)");
	if (known[1] != ':')
		return *known;
	o->value = *o->at ? o->at : *o->argv++;
	o->at = 0;
	if (!o->value)
		die(1, o->name, ": needs a value (see --help)");
	return *known;
}

static const char *digits(const char *s, unsigned base, unsigned long max, unsigned long *n)
{
	const char *first = s;

	for (*n = 0; *s >= '0' && *s < (char)('0' + base); s++) {
		if (*n > (max - (*s - '0')) / base)
			return 0;
		*n = *n * base + (*s - '0');
	}
	return s == first ? 0 : s;
}

int num_parse(const char *s, unsigned base, unsigned long max, unsigned long *n)
{
	s = digits(s, base, max, n);
	return s && !*s ? 0 : -1;
}

static _Noreturn void refuse(const struct opt *o, const char *why)
{
	die(1, o->name, " ", o->value, ": ", why);
}

static _Noreturn void refuse_range(const struct opt *o, unsigned long min, unsigned long max)
{
	char why[64];
	struct text t = {why, why + sizeof why - 1};

	text_str(&t, "not a number from ");
	text_num(&t, min);
	text_str(&t, " to ");
	text_num(&t, max);
	*t.at = '\0';
	refuse(o, why);
}

unsigned long opt_num(const struct opt *o, unsigned long min, unsigned long max)
{
	unsigned long n;

	if (num_parse(o->value, 10, max, &n) || n < min)
		refuse_range(o, min, max);
	return n;
}

unsigned long opt_octal(const struct opt *o, unsigned long max)
{
	unsigned long n;

	if (num_parse(o->value, 8, max, &n))
		refuse(o, "not an octal mode");
	return n;
}

unsigned long opt_size(const struct opt *o, unsigned long min, unsigned long max)
{
	unsigned long n;
	const char *s = digits(o->value, 10, max, &n);
	unsigned shift = !s ? 0 : *s == 'k' ? 10 : *s == 'm' ? 20 : 0;

	if (!s || s[shift != 0] || n > max >> shift || n << shift < min)
		refuse(o, "not a size in range (BYTES, or with k or m)");
	return n << shift;
}

void opt_window(const struct opt *o, struct winsize *w)
{
	unsigned long rows, cols;
	const char *x = digits(o->value, 10, 65535, &rows);

	if (!x || *x != 'x' || num_parse(x + 1, 10, 65535, &cols) || !rows || !cols)
		refuse(o, "not a window size (ROWSxCOLS)");
	*w = (struct winsize){.ws_row = rows, .ws_col = cols};
}
