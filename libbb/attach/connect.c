/* connect.c: connecting to an address.
 *
 * An address may stand for several socket names (localhost, DNS).  They are raced (RFC 8305, section 5): the connect to
 * the next one begins RACE ms after the last one began, or as soon as one has failed.  The first connection is taken
 * and the others are closed; when all have failed the first reason is reported.  Neither the lookup nor connect(2)
 * blocks: all are sources in the loop, and so is a timer, which ends a try that takes longer than TRY ms.
 *
 *	connect_begin() --> lookup --> connects --> link_connected()
 *	                      |           |
 *	                      v           v all have failed, or time is up
 *	                     link_failed()
 *
 * A unix socket whose backlog is full refuses at once with EAGAIN (connect(2)) where TCP would wait.  Its server is busy
 * or stopped, not gone: it is asked again every BUSY ms.
 */
#include <errno.h>
#include "attach.h"

enum {
	TRY = 10000, /* ms for the lookup and all connects */
	RACE = 250,  /* ms, RFC 8305's Connection Attempt Delay */
	BUSY = 50,   /* ms */
	LATE = 1000, /* ms: a timer so late was held up by a stop of this process, not by the network */
};

static struct sock_names names LARGE;
static int next;        /* the index of the name to be tried next */
static int running;     /* connects under way */
static int first_error; /* errno of the first one that failed, or 0 */
static char busy;       /* the last answer was EAGAIN */
static msec began, next_at;

/* One for each name.  A closed source is in use until the next turn begins. */
static struct source tries[SOCK_NAMES] LARGE;
static struct source lookup, timer;

static void stop(void)
{
	for (int i = 0; i < next; i++)
		loop_close(&tries[i]);
	loop_close(&lookup);
	loop_close(&timer);
}

static void fail(const char *reason)
{
	stop();
	link_failed(reason);
}

static void fail_first(void)
{
	errno = first_error ? first_error : ETIMEDOUT;
	fail(!first_error && busy ? "busy or stopped: it accepts no connections" : msg_errno());
}

/* ---- connecting ---- */

static unsigned connect_want(struct source *src, msec *due)
{
	(void)src, (void)due;
	return LOOP_WRITE;
}

static void connect_due(void);

/* A server that closes at once may have sent a line before its reset: then the line is still to be read. */
static void connect_ready(struct source *src, unsigned what)
{
	int e = sock_error(src->fd), fd = src->fd;

	(void)what;
	if (!e || sock_unread(fd)) {
		src->fd = -1; /* the link's from here on, not the loop's to close */
		stop();
		link_connected(fd, e);
		return;
	}
	loop_close(src);
	running--;
	if (!first_error)
		first_error = e;
	next_at = loop_now;
	connect_due();
}

static void connect_next(void)
{
	struct source *try = &tries[next];
	int fd = sock_connect(&names.name[next]);

	busy = fd < 0 && errno == EAGAIN;
	if (busy) {
		next_at = loop_now + BUSY;
		return;
	}
	*try = (struct source){.fd = fd, .want = connect_want, .ready = connect_ready};
	next++;
	if (fd >= 0) {
		running++;
		next_at = loop_now + RACE;
		loop_add(try);
	} else if (!first_error) {
		first_error = errno;
	}
}

/* Begins the connects that are due; reports the first failure when none is left. */
static void connect_due(void)
{
	while (next < names.count && loop_now >= next_at)
		connect_next();
	if (next == names.count && !running)
		fail_first();
}

/* ---- looking up ---- */

static void resolved(void)
{
	if (names.count)
		connect_due();
	else
		fail(names.why);
}

static void lookup_ready(struct source *src, unsigned what)
{
	(void)what;
	loop_close(src);
	if (io_read(src->fd, &names, sizeof names) != sizeof names)
		names = (struct sock_names){.why = "name lookup failed"};
	next_at = loop_now;
	resolved();
}

/* ---- the time of a try ---- */

static unsigned timer_want(struct source *src, msec *due)
{
	(void)src;
	due_at(due, began + TRY);
	if (next < names.count)
		due_at(due, next_at);
	return 0;
}

static void timer_ready(struct source *src, unsigned what)
{
	(void)src, (void)what;
	if (loop_now - began >= TRY + LATE)
		began = loop_now;
	if (loop_now - began < TRY)
		connect_due();
	else if (!names.count)
		fail("name lookup timed out");
	else
		fail_first();
}

void connect_begin(void)
{
	uplink.state = LINK_DIALING;
	next = running = first_error = 0;
	began = next_at = loop_now;
	timer = (struct source){.fd = -1, .want = timer_want, .ready = timer_ready};
	loop_add(&timer);
	lookup = (struct source){.fd = sock_resolve(&uplink.addr, &names),
		.want = loop_want_read,
		.ready = lookup_ready};
	if (lookup.fd < 0)
		resolved();
	else
		loop_add(&lookup);
}
