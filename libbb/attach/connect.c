/* connect.c: connecting to an address.
 *
 * An address may stand for several socket names (localhost, DNS).  They are tried in turn; when all fail, the first
 * reason is reported.  Neither the lookup nor connect(2) blocks: both are sources in the loop.
 *
 *	connect_begin() --> lookup --> connect --> link_connected()
 *	                      |        |  ^  | failed, and another name is left
 *	                      |        |  +--+
 *	                      v        v
 *	                     link_failed()
 */
#include <errno.h>
#include "attach.h"

static struct sock_names names LARGE;
static int next; /* the index of the name to be tried next */
static const char *first_reason;

static void connect_next(void);

static void fail(const char *reason)
{
	if (!first_reason)
		first_reason = reason;
	if (next < names.count)
		connect_next();
	else
		link_failed(first_reason);
}

/* ---- connecting ---- */

static unsigned connect_want(struct source *src, msec *due)
{
	(void)src, (void)due;
	return LOOP_WRITE;
}

/* A server that closes at once may have sent a line before its reset: then the line is still to be read. */
static void connect_ready(struct source *src, unsigned what)
{
	int e = sock_error(src->fd), fd = src->fd;

	(void)what;
	if (!e || sock_unread(fd)) {
		src->fd = -1; /* the link's from here on, not the loop's to close */
		loop_close(src);
		link_connected(fd, e);
		return;
	}
	loop_close(src);
	errno = e;
	fail(msg_errno());
}

/* One for each name: a closed source is in use until the next turn begins, when the next try has begun. */
static struct source tries[SOCK_NAMES] LARGE;

static void connect_next(void)
{
	struct source *try = &tries[next];
	int fd = sock_connect(&names.name[next++]);

	if (fd < 0) {
		fail(msg_errno());
		return;
	}
	*try = (struct source){.fd = fd, .want = connect_want, .ready = connect_ready};
	loop_add(try);
}

static void resolved(void)
{
	if (names.count)
		connect_next();
	else
		fail(names.why);
}

/* ---- looking up ---- */

static unsigned lookup_want(struct source *src, msec *due)
{
	(void)src, (void)due;
	return LOOP_READ;
}

static void lookup_ready(struct source *src, unsigned what)
{
	(void)what;
	loop_close(src);
	if (io_read(src->fd, &names, sizeof names) != sizeof names)
		names = (struct sock_names){.why = "name lookup failed"};
	resolved();
}

static struct source lookup = {.fd = -1, .want = lookup_want, .ready = lookup_ready};

void connect_begin(void)
{
	uplink.state = LINK_DIALING;
	next = 0;
	first_reason = 0;
	lookup.fd = sock_resolve(&uplink.addr, &names);
	if (lookup.fd < 0)
		resolved();
	else
		loop_add(&lookup);
}
