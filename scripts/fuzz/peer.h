/* peer.h: the server target's clients, and what there is of the session, for judge.h and ear.h too
 *
 *	peer: judge (what should be heard) | up -> client_input -> session_input -> typed -> terminal
 *	      ear (what was received)      | down <-------------- output <----------- terminal
 */
enum { PEERS = 12, OUTPUT_MAX = 200000, TYPED_MAX = 16384 + TERM_HOLD, GREEDY = 1 << 30 };
/* More than a CLIENT_ mode; the last two may not connect. */
enum { KEYED = CLIENT_FRAMED + 1, FOREIGN, OTHER_USER, PEER_MODES };
enum { STALLS = 25000 }; /* ms; the server gives up after 30 s */
enum {
	HOSTS = 4,
	PENDING = 8,
	PATIENCE = 10000,
	LEAVING = 8,
}; /* keyed.md: pending handshakes, and ms for each; who is told that there is no room */

/* What a peer says, as it should be understood. */
struct judge {
	unsigned char mode, head[FRAME_FIRST], have;
	char packets, extended, watch, eof, bad;
	char foreign; /* HTTP or TLS over TCP */
	char refused; /* it is told why, and nothing more of what it says counts */
	enum client_hold hold;
	unsigned type, left, pings;
	struct escape escape; /* what is being typed, with -i */
	char yields;          /* another one answers the command's questions */
	char dropping;        /* the sequence is an answer of which the server dropped a part */
	char tainted;         /* it broke off one like that */
	msec since;           /* its last byte came */
	unsigned char held[TERM_HOLD]; /* waits in the server for the rest */
	size_t held_len;
};

/* What a peer receives: raw, then frames. */
struct ear {
	unsigned char head[FRAME_HEAD], have;
	char framed, exited, replayed;
	unsigned type, left, pongs, note_len;
	char note[64];
	long long at;     /* the next byte of the output; -1: not begun */
	uint64_t skipped; /* raw: by then */
};

/* The client's side of a keyed connection. */
struct lock {
	enum { BANNER, ANSWER, TALKS, TURNED_AWAY } stage;
	struct noise noise;
	unsigned char record[NOISE_RECORD];
	size_t have;
};

static struct peer {
	struct link link; /* first member */
	struct stream said;
	struct judge judge;
	struct ear ear;
	struct lock lock;
	int mode;
	size_t hunger;
	unsigned char typed; /* what it types next */
	char used, waits;    /* to be accepted */
	char host;           /* a keyed one's address; of a new one whether it comes over TCP */
	char turned; /* away: the server is full, or out of descriptors, or it may not connect */
	char told;   /* it received something since */
	char barred; /* and that in one line, whatever it speaks */
	char expendable; /* its handshake may be called off: see mark_expendable() */
	msec accepted;
	char framed, hello; /* has said something framed; HELLO before everything else */
	char excused, attached;
	msec took; /* something, or had nothing to take */
} peers[PEERS];

static const uint8_t *plan, *plan_end; /* what is left of the schedule */
static struct session session;
static char env[SESSION_ENV];
static char router, obeys; /* the kind of server; the command ends at HUP */
static struct {
	int status;
	size_t hunger, unwritten;
	unsigned long long written;
	char ends; /* and is to be reaped */
} command;

/* The command was started, and has not been reaped. */
static int running(void)
{
	return session.state == SESSION_RUNNING;
}

/* Of the bytes that are being heard those that have to be typed. */
static unsigned char due[TYPED_MAX];
static size_t due_len, due_off;

static unsigned char letter(unsigned long long i)
{
	uint32_t h = (uint32_t)(i + 1) * 2654435761U;

	return 1 + (h >> 8) % 255; /* never 0, with which WELCOME begins */
}

QUIET static void check_letters(struct ear *e, const unsigned char *data, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert(data[i] == letter(e->at + i));
	e->at += n;
}

static struct peer *peer_of(const struct client *c)
{
	return (struct peer *)file_of(c->src.fd)->link;
}

/* Attached to the session, or 0. */
static struct client *client_of(const struct peer *p)
{
	struct client *c = session.clients;

	while (c && (c->src.fd != p->link.fd || p->link.closed))
		c = c->next;
	return c;
}
