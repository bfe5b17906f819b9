/* console.c: /dev/console as output of a session (-c).
 *
 *	programs -> /dev/console -> (TIOCCONS) slave side | master -> ring
 *	kernel   -> its log      -> /dev/kmsg ------> lines -------> ring     (kmsg.c)
 *
 * config CONSOLE y the console and the kernel's log in a ptyshim (-c)
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <termios.h>
#include <unistd.h>
#include "server.h"

/* ^S stops all that writes to the console, so it is no key of this terminal's. */
static void flow_off(int slave)
{
	struct termios t;

	if (tcgetattr(slave, &t))
		return;
	t.c_iflag &= ~(tcflag_t)IXON;
	tcsetattr(slave, TCSANOW, &t);
}

struct failure console_take(const struct pty *p)
{
	struct failure f = {0};

	flow_off(p->slave);
	if (!ioctl(p->slave, TIOCCONS))
		return f;
	f.err = errno;
	f.subject = "-c";
	if (f.err == EBUSY)
		f.subject = "-c: somebody else has the console";
	if (f.err == EPERM)
		f.subject = "-c: taking the console needs root";
	return f;
}

void console_keep(struct pty *p)
{
	struct pollfd slave = {.fd = p->slave};
	int fd;

	if (poll(&slave, 1, 0) <= 0 || !(slave.revents & POLLHUP))
		return;
	fd = devpts_slave(p->src.fd, AT_FDCWD);
	if (fd < 0)
		return;
	close(p->slave);
	p->slave = fd;
	flow_off(fd);
	ioctl(fd, TIOCCONS);
}

void console_start(const struct pty *p)
{
	if (p->slave >= 0)
		ioctl(p->slave, TCXONC, TCOON);
}
