/* session_pipes.c: the pipes of a session without a terminal, a COMMAND's (client_exec.c).
 *
 *	s->input ---> in:   standard input, closed by the client's end of input, or when the command does not read it
 *	ring <------- src:  standard output, as the master of a terminal (session.c)
 *	wire.out <--- err:  error output, read only while that queue has room: packets of their own
 *
 * As long as standard output waits as well, each piece of error output is followed by one of it.
 *
 * When the command has ended, so much is read as the pipes hold then: a process that it leaves behind may keep them open.
 */
#include <errno.h>
#include "server.h"

static struct session *of_in(struct source *src)
{
	return (struct session *)((char *)src - offsetof(struct session, pty.in));
}

static struct session *of_err(struct source *src)
{
	return (struct session *)((char *)src - offsetof(struct session, pty.err));
}

static unsigned in_want(struct source *src, msec *due)
{
	(void)due;
	return of_in(src)->input.len ? LOOP_WRITE : 0;
}

static void in_ready(struct source *src, unsigned what)
{
	struct session *s = of_in(src);

	if (what & LOOP_WRITE && session_flush_input(s))
		session_close_input(s);
}

static int err_drained(const struct session *s)
{
	return s->pty.err.closed || (s->state == SESSION_DRAINING && s->err_left <= 0);
}

static unsigned err_want(struct source *src, msec *due)
{
	const struct session *s = of_err(src);
	const struct client *c = s->clients;

	(void)due;
	if (err_drained(s))
		return 0;
	if (!c)
		return LOOP_READ;
	return c->wire.out.len < QUEUE_SIZE / 2 && (c->pos == s->ring.head || c->pos != s->err_at) ?
		       LOOP_READ :
		       0;
}

static void err_ready(struct source *src, unsigned what)
{
	static char buf[WIRE_PAYLOAD] LARGE;
	struct session *s = of_err(src);
	struct client *c = s->clients;
	ssize_t n = what & LOOP_READ ? io_read(src->fd, buf, sizeof buf) : 0;

	if (n < 0)
		loop_close(src);
	if (n <= 0)
		return;
	s->err_left -= n;
	if (!c)
		return;
	s->err_at = c->pos;
	c->out_bytes += n;
	c->failed |= wire_frame(&c->wire, FRAME_ERRORS, n, buf);
	client_flush(c);
}

void session_pipes_start(struct session *s)
{
	s->pty.in = (struct source){.fd = s->pty.in.fd, .want = in_want, .ready = in_ready};
	s->pty.err = (struct source){.fd = s->pty.err.fd, .want = err_want, .ready = err_ready};
	loop_add(&s->pty.in);
	loop_add(&s->pty.err);
}

static int unread(const struct source *src)
{
	int n = 0;

	return ioctl(src->fd, FIONREAD, &n) ? 0 : n;
}

void session_pipes_drain(struct session *s)
{
	s->drain = unread(&s->pty.src);
	s->err_left = unread(&s->pty.err);
}

int session_out_drained(const struct session *s)
{
	return s->out_ended || (s->state == SESSION_DRAINING && s->drain <= 0);
}

int session_pipes_drained(const struct session *s)
{
	return s->state == SESSION_DRAINING && session_out_drained(s) && err_drained(s);
}
