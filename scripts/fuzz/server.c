/* server: whatever clients and the command do, and whenever, every byte gets where it belongs, once
 *
 * The input is a schedule for the real loop with a real session and its clients (peer.h), over the
 * kernel of kernel.h: who connects, says what and reads how much, what the command writes and when it
 * ends, what goes wrong with a system call, how much time passes.  No process, no descriptor and no
 * second is spent.  After the schedule everybody behaves, the command ends, and everybody leaves.
 *
 * What a peer says should be typed (judge.h), and it receives what the command wrote (ear.h); it is
 * excused from getting everything when it gave the server a reason.
 *
 * The functions that this target or kernel.h stands in for, one way or the other:
 * wrap read write writev select poll syscall close shutdown open pipe2 ioctl getsockopt _Fork
 * wrap tcgetpgrp pgrp_signal kill key_random key_random_wait hear hear_nothing_more session_input
 * wrap br_ec_c25519_m31
 */
#include <bearssl.h>
#include <stdint.h>
#include <stdlib.h>
#include "libbb.h"
#include "kernel.h"
#include "peer.h"
#include "judge.h"
#include "ear.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *plan, *plan_end;
static msec asleep;
static int phase;
static char hasty; /* what comes next comes after one turn of the loop */

/* ==== what peers do ==== */

/* All of it, or nothing when there is no room. */
static void say(struct peer *p, const unsigned char *data, size_t n)
{
	size_t size = p->mode == KEYED ? n + (n / NOISE_MAX + 1) * 128 : n;

	if (p->link.up.shut || p->link.closed || p->link.reset)
		return;
	if (size > stream_room(&p->link.up) || n > stream_room(&p->said) ||
		(p->mode == KEYED && p->lock.stage != TALKS))
		return;
	stream_put(&p->said, data, n);
	if (p->mode != KEYED) {
		stream_put(&p->link.up, data, n);
		return;
	}
	while (n) {
		size_t part = n < NOISE_MAX ? n : NOISE_MAX;

		lock_say(p, data, part);
		data += part;
		n -= part;
	}
}

/* A frame with a payload of so many bytes, different from each other. */
static void say_frame(struct peer *p, unsigned type, unsigned size)
{
	unsigned char frame[FRAME_HEAD + 65535];
	unsigned payload = has_payload(type) ? size : 0;

	frame_head(frame, type, size);
	for (unsigned i = 0; i < payload; i++)
		frame[FRAME_HEAD + i] = p->typed++;
	p->framed = 1;
	say(p, frame, FRAME_HEAD + payload);
}

static void say_hello(struct peer *p, unsigned rows)
{
	p->hello |= !p->framed;
	say_frame(p, FRAME_HELLO, 1);
	say_frame(p, FRAME_ROWS, rows);
	say_frame(p, FRAME_COLS, 80);
}

/* As it would: a raw one does not begin with a 0. */
static void type(struct peer *p, size_t n)
{
	static unsigned char text[65536];

	if (p->mode != CLIENT_RAW && (p->mode != CLIENT_NEW || p->framed)) {
		say_frame(p, FRAME_DATA, n > 65535 ? 65535 : n);
		return;
	}
	for (size_t i = 0; i < n; i++)
		text[i] = (p->typed = p->typed % 255 + 1);
	say(p, text, n);
}

/* Bytes of the schedule itself.  A keyed peer says them without its key. */
static void spit(struct peer *p, size_t n)
{
	if (n > (size_t)(plan_end - plan))
		n = plan_end - plan;
	p->framed = 1;
	if (p->mode != KEYED) {
		say(p, plan, n);
	} else if (n <= stream_room(&p->link.up) && !p->link.up.shut) {
		stream_put(&p->link.up, plan, n);
		p->excused = 1;
	}
	plan += n;
}

static void open_peer(struct peer *p, int mode, size_t cap, size_t hunger)
{
	if (p->used)
		return;
	memset(&p->judge, 0, sizeof p->judge);
	memset(&p->ear, 0, sizeof p->ear);
	stream_reset(&p->said, STREAM);
	stream_reset(&p->link.up, STREAM / 2);
	stream_reset(&p->link.down, cap);
	p->link.closed = p->link.gone = p->link.reset = 0;
	p->judge.mode = mode == KEYED ? CLIENT_FRAMED : mode == REFUSED ? CLIENT_NEW : mode;
	p->ear.at = -1;
	p->lock.stage = BANNER;
	p->lock.have = 0;
	p->mode = mode;
	p->hunger = hunger;
	p->typed = (p - peers) * 21;
	p->used = p->waits = 1;
	p->framed = p->hello = 0;
	p->attached = mode != KEYED; /* that it has to earn */
	p->excused = mode == REFUSED || client_rules.idle;
	p->took = now;
}

/* It may have been excused by what it says, or not, before that is heard. */
static void half_close(struct peer *p)
{
	int raw = p->mode == CLIENT_RAW || (p->mode == CLIENT_NEW && !p->framed);

	p->link.up.shut = 1;
	p->excused |= !raw;
}

static void leave(struct peer *p)
{
	p->link.up.shut = p->link.gone = 1;
	p->link.down.len = p->hunger = 0;
	p->excused = 1;
}

static int has_all(const struct peer *p)
{
	if (p->mode == KEYED && !p->judge.extended)
		return 1; /* nobody can tell what is raw from outside of its records */
	return p->ear.at == (long long)session.ring.head || !session.ring.head;
}

/* The server has closed: rightly so? */
static void check_end(const struct peer *p)
{
	if (p->excused || !p->attached)
		return;
	assert(session.over && has_all(p));
	assert(p->ear.exited == (p->judge.extended && p->ear.framed));
}

static void eat(struct peer *p)
{
	unsigned char bite[4096];
	size_t n;

	while ((n = stream_take(&p->link.down, bite, p->hunger < 4096 ? p->hunger : 4096))) {
		p->hunger -= p->hunger < GREEDY ? n : 0;
		p->took = now;
		if (p->mode == KEYED)
			lock_hears(p, bite, n);
		else
			ear_hears(p, bite, n);
	}
	if (!p->link.down.len && p->link.down.shut && !p->link.gone) {
		check_end(p);
		leave(p);
	}
}

static void refresh(struct peer *p)
{
	if (!p->waits && p->link.closed)
		p->used = router || !p->link.gone; /* one client a session */
	if (!p->link.down.len)
		p->took = now;
	if (now - p->took > STALLS || (client_of(p) && client_of(p)->broken))
		p->excused = 1;
}

/* ==== the command ==== */

static void end_command(int wait_status)
{
	if (!session.started || tty.exited || session.over)
		return;
	tty.exited = command.ends = 1;
	command.unwritten = 0;
	command.status = wait_status;
}

static void signalled(int sig)
{
	if (sig == SIGKILL || (sig == SIGHUP && obeys))
		end_command(sig);
}

/* It writes as far as the terminal takes it, and reads. */
static void work(void)
{
	while (session.started && !session.over && command.unwritten && stream_room(&tty.out)) {
		unsigned char byte = letter(command.written++);

		stream_put(&tty.out, &byte, 1);
		command.unwritten--;
		tty.late |= tty.exited;
	}
	if (command.hunger) {
		size_t n = stream_take(&tty.in, 0, command.hunger);

		command.hunger -= command.hunger < GREEDY ? n : 0;
	}
}

/* ==== the server, as far as it is not libbb ==== */

static unsigned bell_want(struct source *src, msec *at)
{
	(void)src, (void)at;
	return LOOP_READ;
}

static void reap(struct source *src, unsigned what)
{
	(void)what;
	files[src->fd - FD_BASE].rings = command.ends = 0;
	turns = 0;
	session_exited(&session, command.status);
	command.status = session.status;
}

static void proved(
	int fd, const char *name, int mode, struct noise *n, const unsigned char *first, size_t len)
{
	((struct peer *)file_of(fd)->link)->attached = 1;
	client_key(client_open(fd, &session, name, mode), n, first, len);
}

static void accept_peer(struct peer *p)
{
	static const union sock_name name = {.sa.sa_family = AF_INET};
	int fd = p->link.fd = file_open(SOCKET, &p->link);

	p->waits = 0;
	if (p->mode == KEYED)
		shake_serve(fd, &name, "peer", CLIENT_FRAMED, proved);
	else if (p->mode == REFUSED)
		client_refuse(fd, "peer", CLIENT_NEW, "full");
	else
		client_open(fd, &session, "peer", p->mode);
}

static void accept_all(struct source *src, unsigned what)
{
	(void)what;
	files[src->fd - FD_BASE].rings = 0;
	turns = 0;
	for (struct peer *p = peers; p < peers + PEERS; p++)
		if (p->waits)
			accept_peer(p);
}

static struct source child = {.want = bell_want, .ready = reap};
static struct source listener = {.want = bell_want, .ready = accept_all, .last = 1};

/* What ptyshim and ptyrouter look at turn by turn. */
static msec life_at(void)
{
	const struct client *c = session.clients;

	if (!router)
		return session.stays && session_closed(&session) ? session.ended + 1000 : NEVER;
	if (session.started)
		return c || session.exited || session.kill_at || session_closed(&session) ? NEVER :
											    now;
	if (!c)
		return NEVER;
	if (c->mode == CLIENT_RAW || session.go)
		return now;
	return c->packets ? c->heard + 1000 : client_silent_at(c);
}

static unsigned life_want(struct source *src, msec *at)
{
	(void)src;
	due_at(at, life_at());
	return 0;
}

static void life_ready(struct source *src, unsigned what)
{
	(void)src, (void)what;
	if (loop_now < life_at())
		return;
	if (session.started && router) {
		session_hangup(&session);
		return;
	}
	assert(!session_start(&session).err);
	command.written = session.ring.head;
	command.unwritten = 0;
	tty.out.len = 0;
}

static struct source life = {.fd = -1, .want = life_want, .ready = life_ready};

/* ==== the schedule ==== */

static unsigned next(void)
{
	return plan < plan_end ? *plan++ : 0;
}

static size_t amount(void)
{
	static const unsigned sizes[] = {255, 256, 1000, 1023, 1024, 1025, 2047, 2048, 3000, 4000,
		4092, 4095, 4096, 4097, 8191, 8192, 8193, 12288, 16384, 20001, 32764, 32768, 40000,
		65535};
	unsigned n = next();

	return n < 128 ? n : sizes[n % (sizeof sizes / sizeof *sizes)];
}

static msec time_span(void)
{
	static const int spans[] = {1, 2, 10, 49, 50, 99, 100, 101, 200, 499, 500, 501, 1000, 2000,
		3000, 5000, 10000, 20000, 30000, 60000};

	return spans[next() % (sizeof spans / sizeof *spans)];
}

static struct peer *some_peer(void)
{
	return peers + (router ? 0 : next() % PEERS);
}

static void print(size_t n)
{
	if (command.written + command.unwritten + n < OUTPUT_MAX)
		command.unwritten += n;
}

static void go_wrong(void)
{
	fault.kind = next() % (SHORT + 1);
	fault.left = next() % 32;
	fault.most = amount() + 1;
}

enum { ENTER, TYPE, HELLO, FRAME, SPIT, EAT, HALF_CLOSE, LEAVE, RESET, PEER_STEPS };
enum { PRINT = PEER_STEPS, READ, EXIT, SLEEP, WRONG, HANGUP, MOMENT, STEPS };

static void peer_step(struct peer *p, int step)
{
	if (step == ENTER) {
		unsigned how = next();

		if (router && how % (REFUSED + 1) == REFUSED)
			how = 0;
		open_peer(p, how % (REFUSED + 1),
			how & 64 ? 700 :
			how & 32 ? 8192 :
				   65536,
			how & 128 ? 0 : GREEDY);
	}
	if (!p->used || p->link.gone)
		return;
	if (step == TYPE)
		type(p, amount());
	else if (step == HELLO)
		say_hello(p, 1 + next());
	else if (step == FRAME)
		say_frame(p, next(), amount());
	else if (step == SPIT)
		spit(p, amount());
	else if (step == EAT)
		p->hunger = p->hunger == GREEDY ? 0 : amount();
	else if (step == HALF_CLOSE)
		half_close(p);
	else if (step == LEAVE)
		leave(p);
	else if (step == RESET)
		p->link.reset = 1, leave(p);
}

static void other_step(int step)
{
	if (step == PRINT)
		print(amount());
	else if (step == READ)
		command.hunger = amount();
	else if (step == EXIT)
		end_command((next() & 127) << 8);
	else if (step == SLEEP)
		asleep = now + time_span();
	else if (step == WRONG)
		go_wrong();
	else if (step == HANGUP)
		session.stays = 0, session_hangup(&session);
	else
		tty.error = !tty.error && !tty.exited;
}

/* 0x80: and the next one as well, before the server can do anything; 0x40: before it did everything. */
static void step(void)
{
	unsigned what;

	do {
		what = next();
		if ((what & 63) % STEPS < PEER_STEPS)
			peer_step(some_peer(), (what & 63) % STEPS);
		else
			other_step((what & 63) % STEPS);
	} while (what & 0x80 && plan < plan_end);
	hasty = what & 0x40 && plan < plan_end;
}

/* ---- its end ---- */

static void all_behave(void)
{
	fault.left = tty.error = 0;
	command.hunger = GREEDY;
	for (struct peer *p = peers; p < peers + PEERS; p++)
		p->hunger = p->link.gone ? 0 : GREEDY;
}

/* What was said has been heard, what was typed has arrived, what was written has been received. */
static void check_rest(void)
{
	if (session.started && !session.exited)
		assert(!tty.typed.len && !tty.out.len && !command.unwritten);
	for (const struct peer *p = peers; p < peers + PEERS; p++) {
		if (!p->used || p->excused || p->link.closed || !p->attached)
			continue;
		assert(!p->said.len && p->ear.pongs == p->judge.pings && has_all(p));
	}
}

static void all_leave(void)
{
	for (struct peer *p = peers; p < peers + PEERS; p++) {
		assert(!p->used || p->excused || !p->attached || !session.over);
		if (p->used && !p->link.gone)
			leave(p);
	}
}

static int finish(void)
{
	switch (phase++) {
	case 0:
		all_behave();
		asleep = now + 5000;
		return 1;
	case 1:
		check_rest();
		session.stays = 0;
		end_command(3 << 8);
		asleep = now + 5000;
		return 1;
	case 2:
		all_leave();
		asleep = now + 100000;
		return 1;
	default:
		loop_stop();
		return 0;
	}
}

static void go_on(void)
{
	work();
	for (struct peer *p = peers; p < peers + PEERS; p++)
		if (p->used) {
			if (!p->link.gone)
				eat(p);
			refresh(p);
			files[listener.fd - FD_BASE].rings |= p->waits;
		}
	files[child.fd - FD_BASE].rings |= command.ends;
}

static void meanwhile(void)
{
	if (hasty)
		step();
	go_on();
}

static int world(msec at)
{
	if (now < asleep) {
		now = at < asleep ? at : asleep;
		turns = 0;
	} else if (plan < plan_end) {
		step();
	} else if (!finish()) {
		return 0;
	}
	go_on();
	return 1;
}

/* ==== one schedule ==== */

static void begin(unsigned how)
{
	session = (struct session){.src.fd = -1,
		.pty = {.master = -1, .slave = -1},
		.feed = client_feed,
		.command = &server.command,
		.size = {.ws_row = 24, .ws_col = 80},
		.env = env};
	router = how & 1;
	obeys = how & 2;
	session.replays = !router;
	session.stays = !router && how & 4;
	client_rules.watch = !router && (how & 24) == 8;
	client_rules.idle = (how & 24) == 16 ? 7000 : 0;
	assert(!ring_open(&session.ring, how & 32 ? 65536 : 4096));
	memset(env, 0, sizeof env);
	memset(&command, 0, sizeof command);
	stream_reset(&tty.out, how & 64 ? 4096 : 1000);
	stream_reset(&tty.in, how & 128 ? 65536 : 4096);
	stream_reset(&tty.typed, STREAM);
	tty.exited = tty.error = tty.late = 0;
	fault.left = phase = hasty = turns = 0;
	now = 1000000;
	loop_now = asleep = 0;
}

static void check_nothing_left(void)
{
	assert(!client_alive && !client_count && !shake_pending() && !session.clients);
	if (!session.started)
		queue_close(&session.in); /* its owner's, then */
	assert(session_closed(&session) && !session.in.buf);
	__wrap_close(child.fd);
	__wrap_close(listener.fd);
	assert(!files_open());
	ring_close(&session.ring);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char name[] = "command", *argv[] = {name, 0};

	if (!size)
		return 0;
	assert(!noise_start());
	server.command.argv = argv;
	plan = data + 1;
	plan_end = data + size;
	begin(*data);
	for (struct peer *p = peers; p < peers + PEERS; p++)
		p->used = p->waits = 0;
	child.fd = file_open(BELL, 0);
	listener.fd = file_open(BELL, 0);
	loop_forget();
	loop_add(&child);
	loop_add(&listener);
	loop_add(&life);
	if (!router)
		assert(!session_start(&session).err);
	loop_run();
	check_nothing_left();
	return 0;
}
