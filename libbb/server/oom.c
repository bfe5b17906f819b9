/* oom.c: the kernel's OOM killer, which shall not take the way in.
 *
 * A server of root's asks to be spared (as sshd does), its command gets back what the server was started
 * with: /proc/PID/oom_score_adj, proc_pid_oom_score_adj(5).  Without /proc, or the right to, nothing changes.
 */
#include <fcntl.h>
#include <unistd.h>
#include "server.h"

static const char path[] = "/proc/self/oom_score_adj";
static char inherited[8]; /* as the file has it; empty: it was not changed */

static int set(const char *value, size_t n)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), done;

	if (fd < 0)
		return -1;
	done = write(fd, value, n) == (ssize_t)n;
	close(fd);
	return done ? 0 : -1;
}

void oom_protect(void)
{
	int fd = geteuid() ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return;
	n = read(fd, inherited, sizeof inherited);
	close(fd);
	if (n <= 0 || set("-1000", 5))
		inherited[0] = '\0';
}

void oom_restore(void)
{
	size_t n = 0;

	while (n < sizeof inherited && inherited[n] && inherited[n] != '\n')
		n++;
	if (n)
		set(inherited, n);
}
