/* server: whatever clients and the command do, and whenever, every byte gets where it belongs, once
 *
 * The input is a schedule for the real loop with a real session, its clients (peer.h) and its listening sockets,
 * over the kernel of kernel.h: who connects from where, says what and reads how much, what the command writes and
 * when it ends, what goes wrong with a system call, when descriptors run out, how much time passes.  No process, no
 * descriptor and no second is spent.  After the schedule everybody behaves, the command ends, and everybody leaves.
 *
 * What a peer says should be typed (judge.h), and it receives what the command wrote (ear.h); it is
 * excused from getting everything when it gave the server a reason.  Who may not connect is gone by the next turn;
 * whoever shakes hands is cut short only for others of his own address (acts.h).
 *
 * The functions that this target or kernel.h stands in for, one way or the other:
 * wrap read write writev select poll syscall close shutdown open pipe2 ioctl getsockopt accept4 prctl dup
 * wrap nowait_say tcgetpgrp pgrp_session pgrp_signal kill random_bytes random_wait client_input client_input_settled session_input
 * wrap client_input_ended client_input_expire noise_unseal sock_listen sock_refuse client_refuse loop_close inherit_close_others br_ec_c25519_m31
 */
#include <bearssl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include "server/server.h"
#include "calls.h"
#include "peer.h"
#include "foreign.h"
#include "judge.h"
#include "ear.h"
#include "acts.h"
#include "door.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static msec asleep;
static int phase;
static char hasty; /* what comes next comes after one turn of the loop */

/* ==== the command ==== */

static void end_command(int wait_status)
{
	if (session.state == SESSION_NEW || session.state == SESSION_OVER || tty.exited)
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
	int alive = running() || session.state == SESSION_DRAINING;

	while (alive && command.unwritten && stream_room(&tty.out)) {
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

static struct client *accepted(int fd, const char *name, int mode)
{
	struct peer *p = (struct peer *)file_of(fd)->link;

	assert(p->mode <= KEYED && !p->turned && !full() && !few_files());
	p->attached = 1;
	return client_open(fd, &session, name, p->mode == KEYED ? mode : p->mode);
}

enum { RAW_PORT, FRAMED_PORT, KEYED_PORT, PORTS };
static int ports[PORTS], spares;

static int port_of(const struct peer *p)
{
	if (p->mode == KEYED || p->mode == FOREIGN)
		return ports[KEYED_PORT];
	return ports[p->mode == CLIENT_FRAMED ? FRAMED_PORT : RAW_PORT];
}

static struct link *next_link(int port, union sock_name *name)
{
	struct peer *p = peers;

	while (p < peers + PEERS && !(p->used && p->waits && port_of(p) == port))
		p++;
	files[port - FD_BASE].rings = 0;
	if (p == peers + PEERS)
		return 0;
	name->sa.sa_family = AF_UNIX;
	if (port == ports[KEYED_PORT])
		name->in = (struct sockaddr_in){.sin_family = AF_INET,
			.sin_addr.s_addr =
				htonl((p->mode == FOREIGN ? 0xc0000200 : 0x0a000000) + p->host)};
	p->waits = 0;
	p->accepted = now;
	if (p->mode == KEYED && pending() > PENDING)
		mark_expendable(p);
	return &p->link;
}

/* Its ports stay from one schedule to the next. */
static void listen_once(void)
{
	static const char zeros[] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
	static char name[] = "command", *argv[] = {name, 0}, path[32];
	static const struct {
		char letter;
		const char *value;
	} options[] = {{'k', path}, {'a', "10.0.0.0/8"}, {'r', "@raw"}, {'f', "@framed"},
		{'f', "10.9.9.9:1"}};
	int key;

	if (spares)
		return;
	key = memfd_create("key", 0);
	snprintf(path, sizeof path, "/proc/self/fd/%d", key);
	assert(!fchmod(key, 0600) && __real_write(key, zeros, 44) == 44);
	for (unsigned i = 0; i < sizeof options / sizeof *options; i++)
		server_option(&(struct opt){.value = options[i].value}, options[i].letter);
	server_listen(&(struct opt){.argv = argv}, accepted);
	for (int i = 0, port = 0; i < FDS; i++)
		if (files[i].kind == LISTENER)
			ports[port++] = FD_BASE + i;
	spares = files_spare();
	assert(spares == 1);
}

static struct source child = {.want = bell_want, .ready = reap};

/* What ptyshim and ptyrouter look at turn by turn. */
static msec life_at(void)
{
	const struct client *c = session.clients;

	if (!router)
		return session.restarts && session_closed(&session) ? session.ended + 1000 : NEVER;
	if (session.state != SESSION_NEW)
		return c || !running() || session.kill_at ? NEVER : now;
	if (!c)
		return NEVER;
	if (c->mode == CLIENT_RAW || session.start_asked)
		return now;
	if (c->mode == CLIENT_NEW || c->mode == CLIENT_FRAMED)
		return client_silent_at(c);
	return c->first_at + (c->mode == CLIENT_EXTENDED ? 1000 : 50);
}

static unsigned life_want(struct source *src, msec *at)
{
	(void)src;
	due_at(at, life_at());
	return 0;
}

/* Out of descriptors: a shim tries again later; in a router that was it. */
static void not_started(void)
{
	assert(files_max);
	session.ended = now;
	if (!router)
		return;
	command.status = 1;
	queue_close(&session.input);
	stream_take(&tty.typed, 0, STREAM);
	for (struct peer *p = peers; p < peers + PEERS; p++)
		p->excused = 1;
	if (session.clients)
		client_dismiss(session.clients, "no descriptors", 1);
}

static void life_ready(struct source *src, unsigned what)
{
	(void)src, (void)what;
	if (loop_now < life_at())
		return;
	if (session.state != SESSION_NEW && router) {
		session_hangup(&session);
		return;
	}
	if (session_start(&session).err) {
		not_started();
		return;
	}
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

/* No more descriptors but so many; or enough again. */
static void run_out(unsigned how)
{
	files_max = how & 128 ? 0 : files_open() + how % 4;
}

enum { ENTER, TYPE, HELLO, FRAME, SPIT, RECORD, EAT, HALF_CLOSE, LEAVE, RESET, PEER_STEPS };
enum { PRINT = PEER_STEPS, READ, EXIT, SLEEP, WRONG, SCARCE, HANGUP, MOMENT, STEPS };

static void peer_step(struct peer *p, int step)
{
	if (step == ENTER) {
		unsigned how = next();

		open_peer(p, how % PEER_MODES, how / PEER_MODES % HOSTS,
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
	else if (step == RECORD)
		say_record(p, next());
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
	else if (step == SCARCE)
		run_out(next());
	else if (step == HANGUP)
		session.restarts = 0, session_hangup(&session);
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
	fault.left = tty.error = files_max = 0;
	command.hunger = GREEDY;
	for (struct peer *p = peers; p < peers + PEERS; p++)
		p->hunger = p->link.gone ? 0 : GREEDY;
}

/* What was said has been heard, what was typed has arrived, what was written has been received. */
static void check_rest(void)
{
	if (running())
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
		assert(!p->used || p->excused || !p->attached || session.state != SESSION_OVER);
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
		session.restarts = 0;
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
			files[port_of(p) - FD_BASE].rings |= p->waits;
		}
	files[child.fd - FD_BASE].rings |= command.ends;
}

static void meanwhile(void)
{
	unsealed_count = 0;
	check_refused();
	if (hasty)
		step();
	go_on();
}

static int world(msec at)
{
	check_held(at);
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

static void begin(unsigned how, unsigned most)
{
	session = (struct session){.pty = {.src.fd = -1, .slave = -1},
		.command = &server.command,
		.size = {.ws_row = 24, .ws_col = 80},
		.env = env};
	router = how & 1;
	obeys = how & 2;
	session.shared = !router;
	session.restarts = !router && how & 4;
	client_rules.watch = !router && (how & 24) == 8;
	client_rules.idle = (how & 24) == 16 ? 7000 : 0;
	assert(!ring_open(&session.ring, how & 32 ? 65536 : 4096));
	memset(env, 0, sizeof env);
	memset(&command, 0, sizeof command);
	stream_reset(&tty.out, how & 64 ? 4096 : 1000);
	stream_reset(&tty.in, how & 128 ? 65536 : 4096);
	stream_reset(&tty.typed, STREAM);
	tty.exited = tty.error = tty.late = 0;
	server.max = router ? 0 : most % 8;
	fault.left = files_max = phase = hasty = turns = 0;
	now += 1000000; /* no pause of the last schedule lasts so long */
	loop_now = asleep = 0;
}

static void check_nothing_left(void)
{
	assert(!client_alive && !client_count && !handshake_pending() && !session.clients);
	assert(!client_refused);
	if (session.state == SESSION_NEW)
		queue_close(&session.input); /* its owner's, then */
	assert(session_closed(&session) && !session.input.buf);
	__wrap_close(child.fd);
	assert(files_open() == PORTS + spares && files_spare() == spares);
	ring_close(&session.ring);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	listen_once();
	plan = data + 2;
	plan_end = data + size;
	begin(data[0], data[1]);
	for (struct peer *p = peers; p < peers + PEERS; p++)
		p->used = p->waits = 0;
	child.fd = file_open(BELL, 0);
	loop_forget();
	loop_add(&child);
	loop_add(&life);
	listeners_accept(1, 0);
	if (!router)
		assert(!session_start(&session).err);
	loop_run();
	check_nothing_left();
	return 0;
}
