/* seal.c: a copy of this program that nobody can write to.
 *
 * Between joining a container and executing the container's program, a process of the server shows the container the
 * server's own file as /proc/PID/exe.  So does a script there whose interpreter is /proc/self/exe.  A process that has
 * opened that file can write to it as soon as the last process that runs it has ended (CVE-2019-5736): with root's
 * rights, to the host's binary.  So a server that joins (-t) runs from a sealed memfd (memfd_create(2), fcntl(2)
 * F_ADD_SEALS), as runc does; this costs the memory of one copy of the file.
 *
 *	/proc/self/exe -> sendfile -> memfd, sealed -> execveat
 *
 * Before Linux 3.17 there is no memfd, and the server runs from its file.  Then the risk is smaller, not gone: between
 * joining and exec the process is not dumpable (join.c), so only a process with CAP_SYS_PTRACE outside of any user
 * namespace can open its exe; but such a script runs our file as the container's own process, and a container whose root
 * is the host's root can write to it later.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "server.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

enum { SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE };

static int is_sealed(int fd)
{
	int seals = syscall(SYS_fcntl, fd, F_GET_SEALS); /* libc's fcntl() costs 400 bytes */

	return seals >= 0 && (seals & SEALS) == SEALS;
}

/* Returns an executable memfd, or -1 and errno.  Before Linux 6.3 every memfd is executable, and MFD_EXEC is EINVAL; since
 * then the default depends on the sysctl vm.memfd_noexec. */
static int memory_file(void)
{
	unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd = syscall(SYS_memfd_create, msg_applet, flags | MFD_EXEC);

	return fd < 0 && errno == EINVAL ? syscall(SYS_memfd_create, msg_applet, flags) : fd;
}

static int copy_all(int to, int from)
{
	ssize_t n;

	do
		n = sendfile(to, from, 0, 1 << 20);
	while (n > 0);
	return n;
}

static void execute(int fd, char **argv)
{
	char path[40];
	struct text t = {path, path + sizeof path - 1};

	syscall(SYS_execveat, fd, "", argv, environ, AT_EMPTY_PATH); /* Linux 3.19 */
	if (errno != ENOSYS)
		return;
	text_str(&t, "/proc/self/fd/");
	text_num(&t, fd);
	*t.at = '\0';
	execve(path, argv, environ);
}

void seal_self(char **argv)
{
	int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), copy;

	if (self >= 0 && is_sealed(self)) {
		close(self);
		prctl(PR_SET_NAME, msg_applet); /* ps would show the descriptor's number */
		return;
	}
	if (self >= 0) {
		copy = memory_file();
		if (copy < 0 && errno == ENOSYS) {
			close(self);
			return;
		}
		if (copy >= 0 && !copy_all(copy, self) &&
			!syscall(SYS_fcntl, copy, F_ADD_SEALS, SEALS))
			execute(copy, argv);
	}
	die(1, "-t: a sealed copy of this program: ", msg_errno());
}
