/* request.c: what is asked of a server instead of its session: a COMMAND, or SysRq keys (-y).
 *
 *	HELLO, WAIT -> WELCOME, exec=1  -> environment, COMMAND..., "go" -> input, signals
 *	            -> WELCOME, sysrq=1 -> PING -> PONG -> key, PING -> PONG -> the next key ... -> no key is left
 *
 * To a server whose WELCOME does not say that it does what is asked nothing more is sent.
 */
#include <signal.h>
#include <string.h>
#include "attach.h"

enum {
	SIGNAL_PING = 2, /* the token of a PING behind a signal; others have 1 */
	ASKED = 256, /* that of a PING before the first key, whose answer says that this client is not refused */
};

unsigned request_wait(const struct remote *r)
{
	if (CFG_SYSRQ && r->keys)
		return FRAME_WAIT_OTHER;
	if (CFG_EXEC && r->command)
		return FRAME_WAIT_COMMAND | (r->pty ? FRAME_WAIT_TERMINAL : 0);
	return 0;
}

/* ---- SysRq keys ----
 *
 * A key's PING has the key as its token, which no other PING of this program has.  They are sent one by one, so that it is
 * known which one the server has done when the connection ends. */

static void send_key(struct remote *r)
{
	unsigned key = *(const unsigned char *)r->keys;

	r->key_sent = 1;
	r->key_final = !r->keys[1] && strchr("bcio", key);
	r->pinged = loop_now;
	wire_frame(&r->wire, FRAME_SYSRQ, key, 0);
	wire_frame(&r->wire, FRAME_PING, key, 0);
}

static void key_answered(struct remote *r, unsigned token)
{
	if (token != (r->key_sent ? *(const unsigned char *)r->keys : ASKED))
		return;
	r->keys += r->key_sent;
	if (*r->keys)
		send_key(r);
}

void request_keys(struct remote *r)
{
	wire_frame(&r->wire, FRAME_PING, ASKED, 0);
}

void request_answered(struct remote *r, unsigned token)
{
	if (CFG_SYSRQ && r->keys)
		key_answered(r, token);
	else if (token == SIGNAL_PING)
		r->signal_at = 0;
}

/* ---- a COMMAND ---- */

int request_due(const struct remote *r)
{
	return CFG_EXEC && r->command && r->runs && !r->started;
}

int request_send(struct remote *r)
{
	for (; *r->argument; r->argument++, r->argument_at = 0) {
		size_t left; /* with the NUL */

		while ((left = strlen(*r->argument) + 1 - r->argument_at)) {
			size_t n = left < WIRE_PAYLOAD ? left : WIRE_PAYLOAD;

			if (queue_room(&r->wire.out) < QUEUE_SIZE / 2)
				return 0;
			if (wire_frame(&r->wire, FRAME_COMMAND, n, *r->argument + r->argument_at))
				return -1;
			r->argument_at += n;
		}
	}
	r->started = 1;
	return wire_frame(&r->wire, FRAME_DATA, 0, 0);
}

void request_signal(struct remote *r, int sig)
{
	if (queue_room(&r->wire.out) < QUEUE_SIZE / 2)
		return;
	/* the numbers of most machines; those of MIPS differ (signal(7)) */
	wire_frame(&r->wire, sig == SIGUSR1 ? 10 : sig == SIGUSR2 ? 12 : sig, 0, 0);
	if (sig == SIGUSR1 || sig == SIGUSR2)
		return;
	wire_frame(&r->wire, FRAME_PING, SIGNAL_PING, 0);
	if (!r->signal_at)
		r->signal_at = loop_now;
}
