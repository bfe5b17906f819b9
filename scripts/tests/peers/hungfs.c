// hungfs: mounts a file system that never answers at DIR, and becomes COMMAND, which holds it.
//
//   hungfs DIR COMMAND [ARG...]
//
// Whoever looks up a name below DIR waits until he is killed, or until the last process that inherited the
// file system's descriptor has ended. Needs root, FUSE (fuse(4)) and a mount namespace to do it in.

#include "common.h"
#include <sys/mount.h>

int main(int argc, char **argv)
{
	char options[64];
	int fd;

	peer_name = "hungfs";
	if (argc < 3)
		die("usage: hungfs DIR COMMAND [ARG...]");
	fd = open("/dev/fuse", O_RDWR);
	if (fd < 0)
		die("/dev/fuse: %s", strerror(errno));
	snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
	if (mount("hungfs", argv[1], "fuse", 0, options))
		die("%s: %s", argv[1], strerror(errno));
	execvp(argv[2], argv + 2);
	die("%s: %s", argv[2], strerror(errno));
}
