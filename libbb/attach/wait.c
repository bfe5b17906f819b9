/* wait.c: waiting for a server that calls out (-L, and its -x).
 *
 *	wait_open() at the start;  wait_begin() --> accept --> link_connected()
 *
 * The caller is the server all the same, and with -k it has to have the key.  One is served at a time: others wait in the
 * backlog.
 */
#include <errno.h>
#include <signal.h>
#include <unistd.h>
#include "attach.h"

static struct source listeners[2] = {{.fd = -1}, {.fd = -1}};
static struct file_id made;

/* Removes the file of a unix socket. */
static void remove_file(void)
{
	if (made.ino && io_is_file(uplink.addr.text, &made))
		unlink(uplink.addr.text);
	made.ino = 0;
}

static unsigned want(struct source *src, msec *due)
{
	(void)src, (void)due;
	return uplink.state == LINK_DIALING && !handshake_pending() ? LOOP_READ : 0;
}

static void ready(struct source *src, unsigned what)
{
	union sock_name peer;
	/* not when the other listener has got one in this turn */
	int fd = want(src, 0) ? sock_accept(src->fd, &peer) : -1;
	int mode = *uplink.addr.text == '@' ? 0600 : -1;
	const char *bar = fd < 0 ? 0 : net_barred(&peer, fd, mode);

	(void)what;
	if (bar) {
		sock_refuse(fd, bar);
	} else if (fd >= 0) {
		struct text t = {uplink.caller, uplink.caller + sizeof uplink.caller - 1};

		net_text(&t, &peer, fd);
		*t.at = '\0';
		sock_tune(fd);
		link_connected(fd, 0);
	}
}

void wait_open(void)
{
	int fd[2];

	net_allow_default(uplink.keyed);
	sock_listen(&uplink.addr, 0600, fd, &made);
	msg_cleanup = remove_file;
	for (int i = 0; i < 2 && fd[i] >= 0; i++) {
		listeners[i] = (struct source){.fd = fd[i], .want = want, .ready = ready};
		loop_add(&listeners[i]);
	}
}

void wait_begin(void)
{
	uplink.state = LINK_DIALING;
}

void wait_close(void)
{
	for (int i = 0; i < 2; i++)
		if (listeners[i].linked)
			loop_close(&listeners[i]);
	remove_file();
}
