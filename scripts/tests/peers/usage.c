// usage: what process PID costs, one number.
//
//   usage cpu MS PID         milliseconds of CPU it takes in the next MS milliseconds
//   usage switches MS PID    how often it wakes up and sleeps again in the next MS milliseconds
//   usage rss PID            kilobytes of memory it holds now
//   usage fds PID            its open file descriptors
//   usage children PID       its children
//   usage zombies PID        those that ended and were not waited for

#include "common.h"
#include <ctype.h>
#include <dirent.h>

// one number from /proc/PID/status, after "NAME:"
static long status_field(const char *pid, const char *name)
{
	char path[64], line[256];
	long n = -1;
	FILE *in;

	snprintf(path, sizeof(path), "/proc/%s/status", pid);
	in = fopen(path, "re");
	if (!in)
		die("%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), in))
		if (!strncmp(line, name, strlen(name)) && line[strlen(name)] == ':')
			n = atol(line + strlen(name) + 1);
	fclose(in);
	return n;
}

// state, parent and CPU time of a process; false if there is none
static bool stat_fields(const char *pid, char *state, long *parent, long *ticks)
{
	char path[64], line[1024], *p;
	unsigned long user, sys;
	FILE *in;
	bool ok;

	snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
	in = fopen(path, "re");
	if (!in)
		return false;
	ok = fgets(line, sizeof(line), in) && (p = strrchr(line, ')')) &&
	     sscanf(p + 1, " %c %ld %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", state, parent,
		     &user, &sys) == 4;
	fclose(in);
	if (ok)
		*ticks = (long)(user + sys);
	return ok;
}

static long cpu_ms(const char *pid)
{
	long parent, ticks;
	char state;

	if (!stat_fields(pid, &state, &parent, &ticks))
		die("%s: no such process", pid);
	return ticks * 1000 / sysconf(_SC_CLK_TCK);
}

static long switches(const char *pid)
{
	return status_field(pid, "voluntary_ctxt_switches");
}

static long entries(const char *pid)
{
	char path[64];
	struct dirent *e;
	long n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%s/fd", pid);
	dir = opendir(path);
	if (!dir)
		die("%s: %s", path, strerror(errno));
	while ((e = readdir(dir)))
		n += *e->d_name != '.';
	closedir(dir);
	return n;
}

static long children(const char *pid, bool zombies)
{
	DIR *dir = opendir("/proc");
	struct dirent *e;
	long n = 0, parent, ticks;
	char state;

	while (dir && (e = readdir(dir))) {
		bool ok = isdigit((unsigned char)*e->d_name) &&
			  stat_fields(e->d_name, &state, &parent, &ticks);

		n += ok && (!zombies || state == 'Z') && parent == number(pid);
	}
	if (dir)
		closedir(dir);
	return n;
}

int main(int argc, char **argv)
{
	const char *pid = argv[argc - 1];
	long n;

	peer_name = "usage";
	if (argc == 4) {
		long (*what)(const char *) = !strcmp(argv[1], "cpu") ? cpu_ms : switches;

		n = what(pid);
		sleep_ms(number(argv[2]));
		n = what(pid) - n;
	} else if (argc == 3) {
		n = !strcmp(argv[1], "rss") ? status_field(pid, "VmRSS") :
		    !strcmp(argv[1], "fds") ? entries(pid) :
					      children(pid, !strcmp(argv[1], "zombies"));
	} else {
		die("usage: usage cpu|switches MS PID, or rss|fds|children|zombies PID");
	}
	printf("%ld\n", n);
	return 0;
}
