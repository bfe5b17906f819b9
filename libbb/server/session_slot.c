/* session_slot.c: sessions of one client each: those of a ptyrouter, and in a ptyshim those of COMMANDs.
 *
 * A slot is one session and what it needs beside that (router_session.c).  The first free slot is taken.
 */
#include <errno.h>
#include "server.h"

struct session_slot session_slots[SESSION_SLOTS] LARGE;
static int used; /* session_slots from here on were never taken */
static const struct command *command;
static const struct winsize *size;

void session_slots_init(const struct command *c, const struct winsize *w)
{
	command = c;
	size = w;
}

struct session_slot *session_slot_next(struct session_slot *s)
{
	while (s < session_slots + used && !s->taken)
		s++;
	return s < session_slots + used ? s : 0;
}

int session_slots_unstarted(void)
{
	int n = 0;

	for (struct session_slot *s = session_slot_next(session_slots); s;
		s = session_slot_next(s + 1))
		n += s->session.state == SESSION_NEW;
	return n;
}

const char *session_slot_take(struct session **taken, const char *name)
{
	struct session_slot *slot = session_slots;
	struct session *s;
	struct text t;

	while (slot < session_slots + SESSION_SLOTS && slot->taken)
		slot++;
	if (slot == session_slots + SESSION_SLOTS)
		return "full";
	*slot = (struct session_slot){.taken = 1};
	*taken = s = &slot->session;
	*s = (struct session){
		.pty = {.src.fd = -1, .slave = -1, .in.fd = -1, .err.fd = -1, .ends = {-1, -1, -1}},
		.command = command,
		.size = *size,
		.began = loop_now};
	if (ring_open(&s->ring, SESSION_ENV)) {
		slot->taken = 0;
		return "no memory";
	}
	if (slot - session_slots >= used)
		used = slot - session_slots + 1;
	s->env = (char *)s->ring.buf; /* until there is output */
	t = (struct text){s->env, s->env + SESSION_ENV};
	text_str(&t, "PTYBOX_PEER=");
	text_str(&t, name);
	s->env_len = t.at - s->env + 1; /* with the NUL */
	return 0;
}

void session_slot_free(struct session_slot *slot)
{
	ring_close(&slot->session.ring);
	queue_close(&slot->session.input); /* input of a command that never started */
	queue_close(&slot->session.arguments);
	slot->taken = 0;
}
