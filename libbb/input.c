/* input.c: what a terminal says by itself, and what a person types, told apart.
 *
 * Keys, mouse and pastes come in the same stream as what a terminal answers to the command's questions.
 * A complete sequence tells by its form which it is; how long an incomplete one may wait, its first byte:
 * a lone ESC is most likely a key, so for hardly any time; what follows one is in most cases
 * there already.
 *
 * A cursor position report in row 1, columns 2 to 16, looks like F3 with modifiers (CSI 1;2R), and
 * counts as that: a key lost is worse than a report too many.
 */
#include <string.h>
#include "libbb.h"

enum { ESC_WAIT = 10, REST_WAIT = 100 }; /* ms */

/* Someone holding Alt types the first two bytes of strings as well, but not what answers go on with. */
static int string_kind(const struct escape *e)
{
	switch (e->intro) {
	case 'P': /* XTVERSION, DECRQSS, XTGETTCAP, DA3, DECRQPSR, DECRQCRA ... */
		return e->lead || e->inter || e->count ? INPUT_ANSWER : INPUT_TYPED;
	case ']':
		return e->final >= '0' && e->final <= '9' ? INPUT_ANSWER : INPUT_TYPED;
	case '_':
		return e->final == 'G' ? INPUT_ANSWER : INPUT_TYPED;
	}
	return INPUT_TYPED;
}

static int sequence_kind(const struct escape *e)
{
	unsigned first = e->param[0];

	if (e->lead == '?') /* DA1, DSR, DECRPM, kitty's keyboard flags, XTSMGRAPHICS ... */
		return e->final == 'n' && first == 997 ? INPUT_REPORT : INPUT_ANSWER;
	if (e->lead) /* DA2, XTQMODKEYS; the mouse */
		return e->lead == '>' ? INPUT_ANSWER : INPUT_TYPED;
	if (e->inter) /* DECRPM of an ANSI mode */
		return e->final == 'y' ? INPUT_ANSWER : INPUT_TYPED;
	switch (e->final) {
	case 'I':
	case 'O':
		return e->count ? INPUT_TYPED : INPUT_REPORT;
	case 'R':
		return e->count != 2 || (first == 1 && e->param[1] >= 2 && e->param[1] <= 16) ?
			       INPUT_TYPED :
			       INPUT_ANSWER;
	case 't':
		return first == 48 ? INPUT_REPORT : INPUT_ANSWER;
	case 'n':
	case 'x':
		return INPUT_ANSWER;
	}
	return INPUT_TYPED;
}

/* Also of one that is not complete. */
static int kind(const struct escape *e)
{
	return escape_is_string(e) ? string_kind(e) : e->intro ? sequence_kind(e) : INPUT_TYPED;
}

/* Gives the first n bytes held, but for those given before, and forgets them. */
static void give(struct input *in, int what, size_t n)
{
	size_t given = in->given < n ? in->given : n;

	in->take(in, what, given < n ? in->held + given : 0, n - given);
	memmove(in->held, in->held + n, in->len - n);
	in->len -= (unsigned char)n;
	in->given -= (unsigned char)given;
}

/* The next run's first bytes belong to what its sequence broke off: these were typed, and are no complete
 * sequence.  Returns how many. */
static size_t give_broken(struct input *in, const unsigned char *data, size_t n)
{
	size_t broken = in->len + n > in->escape.len ? in->len + n - in->escape.len : 0,
	       held = broken < in->len ? broken : in->len;
	char done = in->escape.done;

	in->escape.done = 0;
	if (held)
		give(in, INPUT_TYPED, held);
	if (broken > held)
		in->take(in, INPUT_TYPED, data, broken - held);
	in->escape.done = done;
	return broken - held;
}

/* Whether it is a string that no terminal begins like that. */
static int implausible(const struct escape *e)
{
	if (e->intro == 'X' || e->intro == '^')
		return 1;
	return escape_is_string(e) && e->final && string_kind(e) == INPUT_TYPED;
}

static void part_of_sequence(struct input *in, const unsigned char *data, size_t n)
{
	struct escape *e = &in->escape;
	size_t broken = give_broken(in, data, n);

	data += broken;
	n -= broken;
	in->continues = in->given || e->len > in->len + n;
	in->since = loop_now;
	if (in->len + n > INPUT_HOLD) {
		if (in->len)
			give(in, kind(e), in->len);
		in->take(in, kind(e), data, n);
		n = 0;
	}
	memcpy(in->held + in->len, data, n);
	in->len += (unsigned char)n;
	if (!e->done && implausible(e)) {
		escape_forget(e);
		give_broken(in, 0, 0);
	}
	if (in->len && !e->state) {
		give(in, kind(e), in->len);
	} else if (in->len > in->given && !in->hold) {
		in->take(in, INPUT_PART, in->held + in->given, in->len - in->given);
		in->given = in->len;
	}
}

void input_feed(struct input *in, const unsigned char *data, size_t n)
{
	while (n) {
		size_t run = escape_next(&in->escape, data, n);

		if (in->escape.len) {
			part_of_sequence(in, data, run);
		} else {
			in->continues = 0;
			in->take(in, INPUT_TYPED, data, run);
		}
		data += run;
		n -= run;
	}
}

msec input_due(const struct input *in)
{
	if (!in->escape.state)
		return NEVER;
	return in->since + (in->escape.len == 1 ? ESC_WAIT : REST_WAIT);
}

void input_end(struct input *in)
{
	in->escape.state = 0;
	in->continues = in->given || in->escape.len > in->len;
	if (in->len)
		give(in, INPUT_TYPED, in->len);
}

void input_expire(struct input *in)
{
	if (loop_now >= input_due(in))
		input_end(in);
}
