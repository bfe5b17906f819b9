/* client_exec.c: a COMMAND that a client brings along (docs/protocol.md).
 *
 *	        100 ms, any other packet
 *	HELLO ----------------------------> FREE: a client of the server's command
 *	  | WAIT                             ^
 *	  +----> WAITING --- input, 10 s ----+
 *	  | WAIT for a COMMAND               | input: "go"
 *	  +----> COMMAND: environment, arguments; refused after 10 s
 *
 * A held client is sent nothing but WELCOME and PONG, and nothing of what it sends reaches a command that is not its
 * own: what is meant for a COMMAND must never be typed into a shell.  So a client that wants one leaves a ptyshim's
 * session at once, for a session of its own.
 *
 * config EXEC y clients may bring a COMMAND of their own (-E; ptyattach ADDR COMMAND)
 */
#include <string.h>
#include "server.h"

enum {
	HELLO = 100,  /* ms */
	WAIT = 10000, /* ms */
	SPARE = 4,    /* descriptors for others, beside those that sessions need to start */
};

char exec_allowed;

msec client_held_until(const struct client *c)
{
	return c->first_at + (c->hold == CLIENT_HELLO ? HELLO : WAIT);
}

/* Moves the client from a shared session to one of its own. */
static void leave_shared(struct client *c)
{
	struct session *s = c->session, *own;
	struct client **at = &s->clients;

	if (s->state >= SESSION_DRAINING && !s->restarts) {
		client_reject(c, "its own command has ended");
		return;
	}
	/* the shared session may start again, too */
	c->refusal = io_descriptors((session_slots_unstarted() + 2) * SESSION_FILES + SPARE) ?
			     session_slot_take(&own, c->name) :
			     "full: no descriptors left";
	if (c->refusal)
		return;
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	c->session = own;
	c->next = 0;
	c->watch = 0; /* -o is about the shared session */
	own->clients = c;
}

static void wait_for_command(struct client *c, unsigned what)
{
	c->hold = CLIENT_COMMAND;
	if (exec_allowed && c->session->shared)
		leave_shared(c);
	if (!exec_allowed || c->refusal || what & FRAME_WAIT_TERMINAL)
		return;
	c->session->pty.pipes = 1;
	c->viewer = 0; /* its input is no terminal's */
}

static void add_arguments(struct client *c, const struct frame *f)
{
	if (!exec_allowed)
		client_reject(c, "no COMMAND is run here (-E)");
	else if (queue_put(&c->session->arguments, f->part, f->len))
		client_reject(c, "COMMAND is too long");
}

/* The command is complete: what follows is its input. */
static void go(struct client *c)
{
	static const char no_session[] = "PTYBOX_SESSION="; /* the shared one is another */
	struct session *s = c->session;
	const struct queue *q = &s->arguments;

	if (!q->len || queue_data(q)[q->len - 1]) {
		client_reject(c, "no COMMAND came");
		return;
	}
	s->argv[0] = (char *)q->buf;
	s->own = *s->command;
	s->own.argv = s->argv;
	s->own.size = q->len;
	s->command = &s->own;
	if (s->env_len <= SESSION_ENV) {
		memcpy(s->env + s->env_len, no_session, sizeof no_session);
		s->env_len += sizeof no_session;
		s->env[s->env_len] =
			'\0'; /* a part of a variable that was not taken may stand there */
	}
	s->start_asked = 1;
}

int client_held(struct client *c, const struct frame *f)
{
	enum client_hold was = c->hold;

	if (was == CLIENT_HELLO) {
		c->hold = f->type == FRAME_WAIT ? CLIENT_WAITING : CLIENT_FREE;
		if (f->type == FRAME_WAIT && f->size & FRAME_WAIT_COMMAND)
			wait_for_command(c, f->size);
		return c->hold != CLIENT_FREE;
	}
	if (f->type < FRAME_ROWS && f->type != FRAME_DATA)
		return 1; /* signals are for a command that runs */
	if (f->type == FRAME_COMMAND && was == CLIENT_COMMAND) {
		add_arguments(c, f);
		return 1;
	}
	if (f->type != FRAME_DATA)
		return 0;
	c->hold = CLIENT_FREE;
	if (was == CLIENT_COMMAND)
		go(c);
	return c->refusal != 0;
}

void client_unheld(struct client *c, const struct frame *f)
{
	if (c->session && (f->type == FRAME_COMMAND || f->size & FRAME_WAIT_COMMAND))
		client_reject(c, "a COMMAND comes too late");
}
