// swap: whoever can write in a directory, between two system calls of somebody else
//
//   swap NAME OTHER [TARGET]
//
// Exchanges the two names again and again until it is killed (renameat2(2), Linux 3.15). With TARGET, OTHER is
// made a symbolic link to it whenever it is not there. A name that is not there yet is waited for.

#include "common.h"
#include <fcntl.h>
#include <sys/syscall.h>

enum { EXCHANGE = 2 }; // RENAME_EXCHANGE

int main(int argc, char **argv)
{
	if (argc < 3)
		return 1;
	for (;;) {
		if (argc > 3 && access(argv[2], F_OK) && symlink(argv[3], argv[2]) &&
			errno != EEXIST)
			return 1;
		if (syscall(SYS_renameat2, AT_FDCWD, argv[1], AT_FDCWD, argv[2], EXCHANGE) &&
			errno != ENOENT) {
			perror("swap: renameat2");
			return 1;
		}
	}
}
