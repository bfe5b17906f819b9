/* term_input.c: keys and reports in what comes from a terminal.
 *
 * Keys, mouse events and pastes come in the same stream as the terminal's answers to what the command asks.  The stream
 * is cut into runs, each of one kind; the form of a complete escape sequence tells its kind:
 *
 *	bytes --> escape_next() --+-- text ------------------------------> take(TERM_TYPED)
 *	                          +-- a part of a sequence --> held        .
 *	                          +-- the end of a sequence --> kind() --> take(TERM_TYPED, TERM_REPORT or TERM_ANSWER)
 *
 * A sequence that does not go on was typed: a lone ESC, most likely the key, waits for ESC_WAIT ms only; after more
 * bytes than that the rest is nearly always on its way, so they wait for REST_WAIT ms.
 *
 * A cursor position report for row 1, columns 2 to 16, has the form of F3 with modifiers (CSI 1;2R), and is taken for
 * that: to drop a key is worse than to pass a report on.
 */
#include <string.h>
#include "libbb.h"

enum { ESC_WAIT = 10, REST_WAIT = 100 }; /* ms */

/* Alt with P, ], _, ^ or X types the same two bytes that begin a string.  The bytes behind these two tell whether it
 * is an answer. */
static int string_kind(const struct escape *e)
{
	switch (e->intro) {
	case 'P': /* XTVERSION, DECRQSS, XTGETTCAP, DA3, DECRQPSR, DECRQCRA ... */
		return e->lead || e->inter || e->count ? TERM_ANSWER : TERM_TYPED;
	case ']':
		return e->final >= '0' && e->final <= '9' ? TERM_ANSWER : TERM_TYPED;
	case '_':
		return e->final == 'G' ? TERM_ANSWER : TERM_TYPED;
	}
	return TERM_TYPED;
}

static int sequence_kind(const struct escape *e)
{
	unsigned first = e->param[0];

	if (e->lead == '?') /* DA1, DSR, DECRPM, kitty's keyboard flags, XTSMGRAPHICS ... */
		return e->final == 'n' && first == 997 ? TERM_REPORT : TERM_ANSWER;
	if (e->lead) /* DA2, XTQMODKEYS; the mouse */
		return e->lead == '>' ? TERM_ANSWER : TERM_TYPED;
	if (e->inter) /* DECRPM of an ANSI mode */
		return e->final == 'y' ? TERM_ANSWER : TERM_TYPED;
	switch (e->final) {
	case 'I':
	case 'O':
		return e->count ? TERM_TYPED : TERM_REPORT;
	case 'R':
		return e->count != 2 || (first == 1 && e->param[1] >= 2 && e->param[1] <= 16) ?
			       TERM_TYPED :
			       TERM_ANSWER;
	case 't':
		return first == 48 ? TERM_REPORT : TERM_ANSWER;
	case 'n':
	case 'x':
		return TERM_ANSWER;
	}
	return TERM_TYPED;
}

/* The kind of a sequence; of an incomplete one as far as it can be told. */
static int kind(const struct escape *e)
{
	return escape_is_string(e) ? string_kind(e) : e->intro ? sequence_kind(e) : TERM_TYPED;
}

/* Passes the first n held bytes on, but for those that were passed on as TERM_PART, and drops them. */
static void pass(struct term_input *in, int what, size_t n)
{
	size_t passed = in->passed < n ? in->passed : n;

	in->take(in, what, passed < n ? in->held + passed : 0, n - passed);
	memmove(in->held, in->held + n, in->len - n);
	in->len -= (unsigned char)n;
	in->passed -= (unsigned char)passed;
}

/* When the sequence in e broke off another one, whose bytes are held or at the beginning of data: passes the other
 * one on as typed, and not as a complete sequence (escape.done is 0 meanwhile).  Returns how many bytes of data that
 * were. */
static size_t pass_broken_off(struct term_input *in, const unsigned char *data, size_t n)
{
	size_t broken = in->len + n > in->escape.len ? in->len + n - in->escape.len : 0,
	       held = broken < in->len ? broken : in->len;
	char done = in->escape.done;

	in->escape.done = 0;
	if (held)
		pass(in, TERM_TYPED, held);
	if (broken > held)
		in->take(in, TERM_TYPED, data, broken - held);
	in->escape.done = done;
	return broken - held;
}

/* Whether a string has begun as no answer of a terminal does. */
static int is_no_answer(const struct escape *e)
{
	if (e->intro == 'X' || e->intro == '^')
		return 1;
	return escape_is_string(e) && e->final && string_kind(e) == TERM_TYPED;
}

static void part_of_sequence(struct term_input *in, const unsigned char *data, size_t n)
{
	struct escape *e = &in->escape;
	size_t broken = pass_broken_off(in, data, n);

	data += broken;
	n -= broken;
	in->continues = in->passed || e->len > in->len + n;
	in->since = loop_now;
	if (in->len + n > TERM_HOLD) {
		if (in->len)
			pass(in, kind(e), in->len);
		in->take(in, kind(e), data, n);
		n = 0;
	}
	memcpy(in->held + in->len, data, n);
	in->len += (unsigned char)n;
	if (!e->done && is_no_answer(e)) {
		escape_forget(e);
		pass_broken_off(in, 0, 0);
	}
	if (in->len && !e->state) {
		pass(in, kind(e), in->len);
	} else if (in->len > in->passed && !in->hold) {
		in->take(in, TERM_PART, in->held + in->passed, in->len - in->passed);
		in->passed = in->len;
	}
	/* for the rest of it, if another one breaks it off */
	in->continues = in->passed || e->len > in->len;
}

void term_input_feed(struct term_input *in, const unsigned char *data, size_t n)
{
	while (n) {
		size_t run = escape_next(&in->escape, data, n);

		if (in->escape.len) {
			part_of_sequence(in, data, run);
		} else {
			in->continues = 0;
			in->take(in, TERM_TYPED, data, run);
		}
		data += run;
		n -= run;
	}
}

msec term_input_due(const struct term_input *in)
{
	if (!in->escape.state)
		return NEVER;
	return in->since + (in->escape.len == 1 ? ESC_WAIT : REST_WAIT);
}

void term_input_end(struct term_input *in)
{
	in->escape.state = 0;
	in->continues = in->passed || in->escape.len > in->len;
	if (in->len)
		pass(in, TERM_TYPED, in->len);
}

void term_input_expire(struct term_input *in)
{
	if (loop_now >= term_input_due(in))
		term_input_end(in);
}
