/* client_end.c: how a client is closed.
 *
 *	output, EXIT written -> shutdown(SHUT_WR) -> read and discard until the peer closes -> close
 *
 * Three steps, so that no byte is lost on the way.  Closing a socket with unread input would reset the connection, and the
 * peer's system may then discard what it has received and not delivered (RFC 1122, 4.2.2.13).
 */
#include <string.h>
#include <sys/socket.h>
#include "server.h"

enum {
	LINGER =
		500, /* ms that a client may take to close, or to receive more of what its socket has */
	MEASURE = 100, /* ms between measurements of what is still under way to it */
};

const char client_server_ends[] = "the server ends";
struct client_rules client_rules;
int client_count;
struct client *client_refused;

static int session_is_over(const struct client *c)
{
	return c->session && c->session->state == SESSION_OVER && !c->session->restarts;
}

const char *client_mode(const struct client *c)
{
	static const char *const modes[] = {"new", "raw", "framed", "framed", "framed"};

	return c->wire.keyed ? "keyed" : modes[c->mode];
}

void client_report(const struct client *c, const char *what, const char *why)
{
	if (client_rules.verbose)
		warn("client ", c->name, " ", client_mode(c), " ", what, why);
}

static void list_remove(struct client **list, const struct client *c)
{
	while (*list && *list != c)
		list = &(*list)->next;
	if (*list)
		*list = c->next;
}

static void detach(struct client *c)
{
	struct session *s = c->session;

	if (!s)
		return;
	list_remove(&s->clients, c);
	client_count--;
	c->session = 0;
	if (CFG_CONSOLE && s->takes_console)
		console_start(&s->pty);
	client_size_changed(s, 0);
}

void client_drop(struct client *c, const char *why)
{
	client_report(c, "left: ", why);
	detach(c);
	list_remove(&client_refused, c);
	loop_close(&c->src);
	if (CFG_INTERACTIVE && c->tty)
		term_restore();
}

/* Everything is written: shuts the sending side down and waits for the peer to close. */
static void start_linger(struct client *c)
{
	if (session_is_over(c))
		c->session->collected = 1;
	c->phase = CLIENT_LINGERING;
	c->progress_at = loop_now;
	if (c->tty || shutdown(c->src.fd, SHUT_WR) || c->input == CLIENT_HUNG_UP)
		client_drop(c, "closed");
}

void client_flush(struct client *c)
{
	int moved = client_write(c);

	if (moved < 0) {
		client_drop(c, msg_errno());
		return;
	}
	if (!client_pending(c))
		c->progress_at = 0;
	else if (moved || !c->progress_at)
		c->progress_at = loop_now;
	if (moved && !c->check_at)
		c->check_at = loop_now + CLIENT_CHECK;
}

/* Queues what follows a notice: EXIT with the command's status, or CLOSING when there is none. */
static int tell_status(struct client *c, int status)
{
	return status >= 0 ? wire_frame(&c->wire, FRAME_EXIT, status, 0) :
			     wire_frame(&c->wire, FRAME_CLOSING, status == CLIENT_FOR_GOOD, 0);
}

void client_dismiss(struct client *c, const char *why, int status)
{
	char line[128];
	struct text t = {line, line + sizeof line};
	int failed = 0;

	client_report(c, "is told: ", why);
	detach(c);
	c->refusal = 0;
	c->phase = CLIENT_CLOSING;
	if (why != client_server_ends) {
		text_str(&t, msg_applet);
		text_str(&t, ": ");
	}
	text_str(&t, why);
	if (client_is_extended(c)) {
		failed = client_notice(c, line, t.at - line) || tell_status(c, status);
	} else {
		text_str(&t, "\r\n");
		failed = wire_text(&c->wire, &t, line);
	}
	if (failed)
		client_drop(c, msg_errno());
	else
		client_flush(c);
}

void client_close_idle(struct client *c)
{
	if (client_is_extended(c)) {
		client_dismiss(c, "closed: nothing typed for too long", CLIENT_FOR_GOOD);
		return;
	}
	client_report(c, "is closed: ", "nothing typed for too long");
	detach(c);
	start_linger(c);
}

/* Queues the command's status; or, when the end of the server ended it, a notice of that. */
static int say_end(struct client *c)
{
	if (!c->session->hung_up)
		return tell_status(c, c->session->status);
	return client_notice(c, client_server_ends, strlen(client_server_ends)) ||
	       tell_status(c, CLIENT_AGAIN);
}

int client_is_drained(const struct client *c)
{
	return !client_pending(c) &&
	       (c->phase == CLIENT_CLOSING || (c->phase == CLIENT_STREAMING && session_is_over(c)));
}

void client_end(struct client *c)
{
	if (c->phase == CLIENT_STREAMING && client_is_extended(c)) {
		c->phase = CLIENT_CLOSING;
		if (!say_end(c))
			client_flush(c);
	}
	if (!c->src.closed && !client_pending(c))
		start_linger(c);
}

/* How long the client may take nothing of what its socket has.  When input arrives for a TCP socket that is closed, the
 * kernel resets the connection and drops what is still under way.  So who keeps sending is waited for, and a COMMAND's
 * client, which may send again at any time, as well. */
static msec linger_limit(const struct client *c)
{
	const struct session *s = c->session;

	if (!c->unsent || client_rules.ending || c->wire.local)
		return LINGER;
	if (CFG_EXEC && s && s->pty.pipes)
		return NEVER;
	return loop_now - c->read_at < LINGER ? CLIENT_STALL : LINGER;
}

void client_linger(struct client *c)
{
	int unsent = sock_unsent(c->src.fd);

	if (unsent != c->unsent)
		c->progress_at = loop_now;
	c->unsent = unsent;
	c->linger_at = loop_now + MEASURE;
	if (loop_now - c->progress_at >= linger_limit(c))
		client_drop(c, "closed");
}
