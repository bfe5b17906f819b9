// oldkernel: runs a command on the kernel that ptybox must still work on, Linux 3.2.
//
//   oldkernel COMMAND [ARG...]
//
// A filter (seccomp(2)) answers system calls that came later as that kernel would: ENOSYS, and ENOTTY for
// TIOCGPTPEER (4.13). The command's children are on the same kernel. amd64 only: there the last call of
// Linux 3.2 is process_vm_writev, number 311, and later ones have higher numbers.

#include "common.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

#ifdef __x86_64__
enum { LAST = 311 };

static struct sock_filter filter[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, LAST, 4, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 2),
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TIOCGPTPEER, 2, 0),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOTTY),
};
#else
static struct sock_filter filter[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
#endif

int main(int argc, char **argv)
{
	struct sock_fprog program = {sizeof(filter) / sizeof(*filter), filter};

	if (argc < 2)
		die("usage: oldkernel COMMAND [ARG...]");
	// without privileges this wants no_new_privs, which would change what the command may do
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
			prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
			die("seccomp: %s", strerror(errno));
	}
	execvp(argv[1], argv + 1);
	die("%s: %s", argv[1], strerror(errno));
}
