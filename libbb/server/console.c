/* console.c: /dev/console as output of a session (-c).
 *
 *	programs -> /dev/console -> (TIOCCONS) slave side | master -> ring
 *	kernel   -> its log      -> /dev/kmsg ------> lines -------> ring     (kmsg.c)
 *
 * config CONSOLE y the console and the kernel's log in a ptyshim (-c)
 */
#include <errno.h>
#include "server.h"

struct failure console_take(const struct pty *p)
{
	struct failure f = {0};

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
