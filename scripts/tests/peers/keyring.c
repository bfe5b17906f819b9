// keyring: a key in the session keyring (keyrings(7)).
//
//   keyring add COMMAND [ARG...]   makes a new session keyring with a key in it, and becomes COMMAND
//   keyring show                   prints what the key holds, or "none"

#include "common.h"
#include <linux/keyctl.h>
#include <sys/syscall.h>

enum { SESSION = KEY_SPEC_SESSION_KEYRING };

static const char kind[] = "user", name[] = "ptybox-test", secret[] = "secret";

static void print_key(void)
{
	char text[sizeof secret] = "";
	long key = syscall(SYS_keyctl, KEYCTL_SEARCH, SESSION, kind, name, 0);

	if (key >= 0 && syscall(SYS_keyctl, KEYCTL_READ, key, text, sizeof text - 1) < 0)
		die("a key that cannot be read: %s", strerror(errno));
	puts(key < 0 ? "none" : text);
}

int main(int argc, char **argv)
{
	peer_name = "keyring";
	if (argc == 2 && !strcmp(argv[1], "show")) {
		print_key();
		return 0;
	}
	if (argc < 3 || strcmp(argv[1], "add"))
		die("usage: keyring add COMMAND [ARG...] | show");
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, 0) < 0)
		die("a session keyring: %s", strerror(errno));
	if (syscall(SYS_add_key, kind, name, secret, sizeof secret - 1, SESSION) < 0)
		die("a key: %s", strerror(errno));
	execvp(argv[2], argv + 2);
	die("%s: %s", argv[2], strerror(errno));
}
