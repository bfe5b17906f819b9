/* files.h: what the server target's kernel is made of: descriptors, connections, a terminal, a clock
 *
 * A connection has two streams, as unix sockets have: a byte is under way until the peer takes it.  The terminal
 * has no line discipline.  Descriptors from FD_BASE on are ours; the schedule says how many there may be.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

enum { FD_BASE = 600, FDS = 64, STREAM = 1 << 17, COMMAND = 4242, SPIN = 64 };
enum { FREE, SOCKET, MASTER, SLAVE, PIPE, BELL, LISTENER, SPARE, COPY };

/* Its comparisons are not worth a look. */
#define QUIET __attribute__((no_sanitize("coverage")))

struct stream {
	size_t off, len, cap;
	char shut; /* no more will be put */
	unsigned char data[STREAM];
};

struct link {
	struct stream up, down; /* to the server, and from it */
	int fd;                 /* the server's */
	size_t sent;            /* by the server, ever */
	unsigned user;          /* the peer's */
	char tcp;               /* what the socket says that it is */
	char ending;            /* the server will close it in the next turn */
	char cut;               /* what the server said may be lost on the way */
	char closed;            /* the server did, */
	char gone;              /* the peer did, */
	char reset;             /* or was reset */
};

static struct file {
	char kind, rings;
	struct link *link;
} files[FDS];
static int files_max; /* descriptors; 0: as many as there are */

static struct {
	struct stream out, in, typed; /* typed: what has to come in */
	char error;                   /* nobody has the terminal open for a moment */
	char exited;                  /* the command, */
	char late;                    /* and yet something was written */
} tty;

static msec now;
static unsigned turns; /* in which nothing came of it */

/* The next calls that move bytes do not do what they could. */
enum { NO_FAULT, INTERRUPTED, NOT_NOW, SHORT };
static struct {
	int kind, left;
	size_t most;
} fault;

/* ---- what the target does about it ---- */

/* Something happens, at the latest at `due`; 0: nothing ever will. */
static int world(msec due);
/* The connection that is accepted next; 0: none waits. */
static struct link *next_link(int listener, union sock_name *peer);
/* The server begins another turn. */
static void meanwhile(void);
/* The server is about to write this, and wrote the first n bytes of it. */
static void before_write(struct link *l);
static void after_write(struct link *l, const struct iovec *v, int parts, size_t n);
static void signalled(int sig);

/* ---- streams ---- */

static size_t stream_room(const struct stream *s)
{
	return s->cap - s->len;
}

static void stream_put(struct stream *s, const void *data, size_t n)
{
	assert(n <= stream_room(s));
	if (s->off + s->len + n > STREAM) {
		memmove(s->data, s->data + s->off, s->len);
		s->off = 0;
	}
	memcpy(s->data + s->off + s->len, data, n);
	s->len += n;
}

static size_t stream_take(struct stream *s, void *to, size_t n)
{
	if (n > s->len)
		n = s->len;
	if (to)
		memcpy(to, s->data + s->off, n);
	s->len -= n;
	s->off = s->len ? s->off + n : 0;
	return n;
}

static void stream_reset(struct stream *s, size_t cap)
{
	s->off = s->len = s->shut = 0;
	s->cap = cap;
}

/* ---- descriptors ---- */

static int files_open(void)
{
	int n = 0;

	for (int i = 0; i < FDS; i++)
		n += files[i].kind > 0;
	return n;
}

static int files_spare(void)
{
	int n = 0;

	for (int i = 0; i < FDS; i++)
		n += files[i].kind == SPARE;
	return n;
}

static ssize_t no(int why)
{
	errno = why;
	return -1;
}

/* -1 and EMFILE at the limit. */
static int file_open(int kind, struct link *l)
{
	int i = 0;

	if (files_max && files_open() >= files_max)
		return no(EMFILE);
	while (files[i].kind)
		i++;
	assert(i < FDS);
	files[i] = (struct file){.kind = kind, .link = l};
	return FD_BASE + i;
}

/* 0: the system's.  One that is not open is nobody's to use. */
static struct file *file_of(int fd)
{
	if (fd < FD_BASE)
		return 0;
	assert(fd < FD_BASE + FDS && files[fd - FD_BASE].kind);
	return &files[fd - FD_BASE];
}
