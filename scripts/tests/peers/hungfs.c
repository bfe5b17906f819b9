// hungfs: mounts a file system that never answers at DIR, and becomes COMMAND, which holds it.
//
//   hungfs [-r] DIR COMMAND [ARG...]
//
// Whoever looks up a name below DIR waits until he is killed, or until the last process that inherited the
// file system's descriptor has ended. -r: requests are read, so nobody who waits can be killed (request_wait_answer()
// in fs/fuse/dev.c); it ends with COMMAND. Needs root, FUSE (fuse(4)) and a mount namespace to do it in.

#include "common.h"
#include <linux/fuse.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>

static void read_requests(int fd)
{
	static union {
		struct fuse_in_header head;
		char room[FUSE_MIN_READ_BUFFER + 65536];
	} request;
	struct {
		struct fuse_out_header head;
		struct fuse_init_out init;
	} answer = {.head = {.len = sizeof answer},
		.init = {.major = FUSE_KERNEL_VERSION,
			.minor = FUSE_KERNEL_MINOR_VERSION,
			.max_write = 4096}};

	for (;;) {
		if (read(fd, &request, sizeof request) < 0 && errno != EINTR && errno != EAGAIN)
			exit(1);
		answer.head.unique = request.head.unique;
		if (request.head.opcode == FUSE_INIT && write(fd, &answer, sizeof answer) < 0)
			die("the answer to INIT: %s", strerror(errno));
	}
}

int main(int argc, char **argv)
{
	char options[64];
	bool reads = argc > 1 && !strcmp(argv[1], "-r");
	int fd;

	peer_name = "hungfs";
	argv += reads;
	if (argc - reads < 3)
		die("usage: hungfs [-r] DIR COMMAND [ARG...]");
	fd = open("/dev/fuse", O_RDWR);
	if (fd < 0)
		die("/dev/fuse: %s", strerror(errno));
	snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
	if (mount("hungfs", argv[1], "fuse", 0, options))
		die("%s: %s", argv[1], strerror(errno));
	if (reads && !fork()) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		read_requests(fd);
	}
	if (reads)
		close(fd);
	execvp(argv[2], argv + 2);
	die("%s: %s", argv[2], strerror(errno));
}
