/* main.c: selects an applet by argv[0] or the first argument; ptybox's own options (--list, --install ...).
 *
 * Only this file expands the applet table, which scripts/applets.awk makes from the applets' head comments: a new
 * applet needs no change here.
 *
 * config UNIT n the unit applet: tables of the core's own tests
 * config INSTALL y ptybox --install
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define APPLET_TABLE
#include "libbb.h"

static const struct applet {
	const char *name, *about, *options, *help, *group;
	int (*main)(char **argv, const char *options);
} applets[] = {
#define APPLET(name, about, options, help, group) {#name, about, options, help, group, name##_main},
	APPLETS
#undef APPLET
};

enum { APPLETS_N = sizeof applets / sizeof *applets };

static void say(const char *s)
{
	if (io_write_all(1, s, strlen(s)))
		die(1, "standard output: ", msg_errno());
}

static int list(void)
{
	for (int i = 0; i < APPLETS_N; i++) {
		say(applets[i].name);
		say("\n");
	}
	return 0;
}

static int about(void)
{
	say("ptybox " VERSION);
	say(": pseudoterminals over sockets\n\n"
	    "usage: ptybox APPLET [ARG]...   or a link called APPLET\n"
	    "       ptybox --list | --version | APPLET --help\n");
	say(CFG_INSTALL ? "       ptybox --install [-s] DIR\n" : "");
	say(CFG_KEYED ? "       ptybox --keygen FILE\n\n" : "\n");
	for (int i = 0; i < APPLETS_N; i++) {
		say(applets[i].name);
		say("\t");
		say(applets[i].about);
		say("\n");
	}
	return 0;
}

static int is_ours(int dir, const char *name, const char *self)
{
	struct stat there, here;

	return !fstatat(dir, name, &there, 0) && !stat(self, &here) &&
	       there.st_dev == here.st_dev && there.st_ino == here.st_ino;
}

static int install(char **argv)
{
	int sym = argv[0] && !strcmp(argv[0], "-s"), dir, why, bad = 0;
	static char self[PATH_MAX] LARGE;

	argv += sym;
	if (!argv[0] || argv[1])
		die(1, "--install: needs one DIR (--install [-s] DIR)");
	if (readlink("/proc/self/exe", self, sizeof self - 1) < 0)
		die(1, "/proc/self/exe: ", msg_errno());
	dir = open(argv[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		die(1, argv[0], ": ", msg_errno());
	for (int i = 0; i < APPLETS_N; i++) {
		const char *name = applets[i].name;

		if (!(sym ? symlinkat(self, dir, name) : linkat(AT_FDCWD, self, dir, name, 0)))
			continue;
		why = errno;
		if (why == EEXIST && is_ours(dir, name, self))
			continue; /* installed before */
		errno = why;
		warn(argv[0], "/", name, ": ", msg_errno());
		bad = 1;
	}
	return bad;
}

static int help(const struct applet *a)
{
	say(a->help);
	if (a->group)
		say(a->group);
	return 0;
}

static int version(void)
{
	say("ptybox " VERSION);
	say("\n");
	return 0;
}

static const struct applet *find(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	for (int i = 0; i < APPLETS_N; i++)
		if (!strcmp(applets[i].name, name))
			return &applets[i];
	return 0;
}

/* --version, --help and -h are options of ptybox only as the first word: after ADDR they are COMMAND's. */
int main(int argc, char **argv)
{
	const struct applet *a;
	const char *word;

	io_fill_012();
	sig_block(
		SIGXFSZ); /* beyond RLIMIT_FSIZE a write says EFBIG, and what was begun is removed */
	if (argc < 1)
		return 1;
	a = find(argv[0]);
	if (!a && argv[1]) {
		a = find(argv[1]);
		argv += !!a;
	}
	if (a)
		msg_applet = a->name;
	word = argv[1] ? argv[1] : a ? "" : "-h";
	if (!strcmp(word, "--version"))
		return version();
	if (!strcmp(word, "-h") || !strcmp(word, "--help"))
		return a ? help(a) : about();
	if (a)
		return a->main(argv, a->options);
	if (!strcmp(word, "--list"))
		return list();
	if (CFG_KEYED && !strcmp(word, "--keygen")) {
		if (!argv[2] || argv[3])
			die(1, "--keygen: needs one FILE");
		psk_create(argv[2]);
		return 0;
	}
	if (CFG_INSTALL && !strcmp(word, "--install"))
		return install(argv + 2);
	die(1, word, ": no such applet (ptybox --list)");
}
