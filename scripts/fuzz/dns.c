/* dns: whatever /etc/hosts, resolv.conf, name servers and networks say, a lookup ends, in time, with addresses
 *
 * The kernel's part is played here: files have what the input says, each datagram too (if it says so, behind the id
 * and question that make it count), and poll() moves the clock.
 * wrap open read close socket connect setsockopt sendto recv send poll getrandom syscall
 */
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "libbb.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FD_BASE = 600, FDS = 300 };
enum {
	LONGEST = 7 * 31000 + 4000
}; /* ms: six search domains and the name itself, and multicast DNS */

static const uint8_t *input, *input_end;
static struct file {
	const uint8_t *at, *end;
} hosts, conf, *file;
static msec now;
static int open_fds, lists;
static struct {
	char open, link;
	unsigned char question[300];
	size_t asked;
} fds[FDS];

/* The next byte of the input; 0 when it is used up. */
static unsigned take(void)
{
	return input < input_end ? *input++ : 0;
}

static int fd_new(int link)
{
	for (int i = 0; i < FDS; i++)
		if (!fds[i].open) {
			fds[i].open = 1;
			fds[i].link = link;
			fds[i].asked = 0;
			open_fds++;
			return FD_BASE + i;
		}
	errno = EMFILE;
	return -1;
}

int __wrap_open(const char *path, int flags, ...);
ssize_t __wrap_read(int fd, void *buf, size_t n);
int __wrap_close(int fd);
int __wrap_socket(int family, int type, int protocol);
int __wrap_connect(int fd, const struct sockaddr *to, socklen_t len);
int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len);
ssize_t __wrap_sendto(
	int fd, const void *buf, size_t n, int flags, const struct sockaddr *to, socklen_t len);
ssize_t __wrap_send(int fd, const void *buf, size_t n, int flags);
ssize_t __wrap_recv(int fd, void *buf, size_t n, int flags);
int __wrap_poll(struct pollfd *p, nfds_t n, int timeout);
ssize_t __wrap_getrandom(void *buf, size_t n, unsigned flags);
long __wrap_syscall(long number, ...);

int __wrap_open(const char *path, int flags, ...)
{
	(void)flags;
	file = strcmp(path, "/etc/hosts") ? &conf : &hosts;
	assert(file == &hosts || !strcmp(path, "/etc/resolv.conf"));
	return fd_new(0);
}

ssize_t __wrap_read(int fd, void *buf, size_t n)
{
	size_t there = file->end - file->at;

	assert(fds[fd - FD_BASE].open);
	n = there < n ? there : n;
	memcpy(buf, file->at, n);
	file->at += n;
	return n;
}

int __wrap_close(int fd)
{
	if (fd < 0)
		return -1;
	assert(fds[fd - FD_BASE].open);
	fds[fd - FD_BASE].open = 0;
	open_fds--;
	return 0;
}

int __wrap_socket(int family, int type, int protocol)
{
	(void)type, (void)protocol;
	if (family == AF_NETLINK)
		lists = 0;
	return fd_new(family == AF_NETLINK);
}

int __wrap_connect(int fd, const struct sockaddr *to, socklen_t len)
{
	(void)fd, (void)to, (void)len;
	return 0;
}

int __wrap_setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
	(void)fd, (void)level, (void)name, (void)value, (void)len;
	return 0;
}

ssize_t __wrap_send(int fd, const void *buf, size_t n, int flags)
{
	(void)fd, (void)buf, (void)flags;
	return n;
}

ssize_t __wrap_sendto(
	int fd, const void *buf, size_t n, int flags, const struct sockaddr *to, socklen_t len)
{
	(void)flags, (void)to, (void)len;
	assert(n > 12 && n <= 12 + 255 + 4);
	memcpy(fds[fd - FD_BASE].question, buf, n);
	fds[fd - FD_BASE].asked = n;
	return n;
}

/* One interface, up and with multicast, and the end. */
static ssize_t link_list(unsigned char *buf)
{
	static const uint32_t link[] = {32, 16, 0, 0, 0, 3, 1 | 0x1000, 0},
			      done[] = {20, 3, 0, 0, 0};

	memcpy(buf, lists ? done : link, lists ? sizeof done : sizeof link);
	return lists++ ? sizeof done : sizeof link;
}

ssize_t __wrap_recv(int fd, void *buf, size_t n, int flags)
{
	unsigned char m[2048], *at = m;
	unsigned how = take(), len = take() << 2;

	(void)flags;
	if (fds[fd - FD_BASE].link)
		return link_list(buf);
	if (how & 64 || !fds[fd - FD_BASE].asked) {
		errno = how & 128 ? ECONNREFUSED : EAGAIN;
		return -1;
	}
	if (how & 1) { /* it counts: id, question and counts; else it is what it is */
		memcpy(m, fds[fd - FD_BASE].question, fds[fd - FD_BASE].asked);
		m[2] |= 0x80;
		m[3] = how & 8 ? take() : 0;
		m[7] = how & 2 ? take() : 2;
		at += fds[fd - FD_BASE].asked;
	}
	if (how & 4 && at > m) { /* a good record to begin with */
		memcpy(at, "\300\14\0\0\0\1\0\0\0\0\0\20 0123456789abcde", 28);
		at[3] = m[fds[fd - FD_BASE].asked - 3];
		at[11] = at[3] == 1 ? 4 : 16;
		at += 12 + at[11];
	}
	while (len-- && input < input_end)
		*at++ = take();
	len = at - m;
	memcpy(buf, m, len < n ? len : n);
	return len < n ? len : n;
}

int __wrap_poll(struct pollfd *p, nfds_t n, int timeout)
{
	int ready = 0;

	assert(timeout >= 0 && n > 0);
	for (nfds_t i = 0; i < n; i++) {
		p[i].revents = input < input_end && take() & 1 ? POLLIN : 0;
		ready += p[i].revents != 0;
	}
	now += ready ? take() & 31 : timeout;
	return ready;
}

ssize_t __wrap_getrandom(void *buf, size_t n, unsigned flags)
{
	(void)flags;
	memset(buf, 'x', n);
	return n;
}

long __wrap_syscall(long number, ...)
{
	struct timespec *t;
	va_list v;

	assert(number == SYS_clock_gettime);
	va_start(v, number);
	(void)va_arg(v, int);
	t = va_arg(v, struct timespec *);
	va_end(v);
	*t = (struct timespec){.tv_sec = now / 1000, .tv_nsec = now % 1000 * 1000000};
	return 0;
}

static void check(const struct sock_names *names)
{
	assert(names->count >= 0 && names->count <= SOCK_NAMES);
	assert(names->count || names->why);
	for (int i = 0; i < names->count; i++) {
		int family = names->name[i].sa.sa_family;

		assert(family == AF_INET || family == AF_INET6);
		assert(names->name[i].in.sin_port == htons(4321));
	}
}

/* A part of the input, behind its length. */
static struct file part(void)
{
	size_t n = take();
	struct file f = {input, input_end};

	if (n < (size_t)(input_end - input))
		f.end = input + n;
	input = f.end;
	return f;
}

/* The host, and two files; the rest is what comes from the network. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char host[ADDR_HOST_MAX + 1] = "";
	struct sock_names names = {0};
	struct file name;

	input = data;
	input_end = data + size;
	now = 1000;
	name = part();
	hosts = part();
	conf = part();
	memcpy(host, name.at, name.end - name.at);
	if (!*host)
		return 0;
	host_look_up(&names, host, 4321);
	check(&names);
	assert(!open_fds);
	assert(now <= 1000 + LONGEST);
	return 0;
}
