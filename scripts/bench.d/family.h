// family.h: what a server and its helpers take of CPU and memory, and their end. Included by load.c behind die().

enum { FAMILY = 4096 };

static pid_t family[FAMILY];
static int members;

static pid_t parent_of(pid_t pid)
{
	char path[32], line[1024], *p;
	int parent = 0;
	FILE *in;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	in = fopen(path, "re");
	if (!in)
		return 0;
	if (fgets(line, sizeof line, in) && (p = strrchr(line, ')')))
		sscanf(p + 1, " %*c %d", &parent);
	fclose(in);
	return parent;
}

static bool program_of(pid_t pid, char *name, size_t size)
{
	char path[32];
	ssize_t n;

	snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
	n = readlink(path, name, size - 1);
	name[n < 0 ? 0 : n] = '\0';
	return n >= 0;
}

static bool is_member(pid_t pid)
{
	for (int i = 0; i < members; i++)
		if (family[i] == pid)
			return true;
	return false;
}

// adds pid and its own kind below it, or all below it
static void add_family(pid_t pid, bool all)
{
	char is[4096], wanted[4096];
	int before = -1;

	if (!program_of(pid, wanted, sizeof wanted))
		die("%d: no such process", (int)pid);
	family[members++] = pid;
	while (before != members) {
		DIR *dir = opendir("/proc");
		struct dirent *e;

		before = members;
		while (dir && (e = readdir(dir)) && members < FAMILY) {
			pid_t child = atoi(e->d_name);

			if (child > 0 && !is_member(child) && is_member(parent_of(child)) &&
				(all || (program_of(child, is, sizeof is) && !strcmp(is, wanted))))
				family[members++] = child;
		}
		if (dir)
			closedir(dir);
	}
}

// its threads' time on a CPU; the scheduler's own count where there is one, else clock ticks
static long long process_cpu(pid_t pid)
{
	char path[64], line[1024];
	long long sum = 0, ns;
	unsigned long user, sys;
	struct dirent *e;
	DIR *dir;
	FILE *in;

	snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
	dir = opendir(path);
	while (dir && (e = readdir(dir))) {
		snprintf(path, sizeof path, "/proc/%d/task/%.16s/schedstat", (int)pid, e->d_name);
		in = *e->d_name == '.' ? 0 : fopen(path, "re");
		if (!in)
			continue;
		if (fscanf(in, "%lld", &ns) == 1)
			sum += ns;
		fclose(in);
	}
	if (dir)
		closedir(dir);
	if (sum)
		return sum;
	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	in = fopen(path, "re");
	if (in && fgets(line, sizeof line, in) && strrchr(line, ')') &&
		sscanf(strrchr(line, ')') + 1,
			" %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &sys) == 2)
		sum = (long long)(user + sys) * (1000000000LL / sysconf(_SC_CLK_TCK));
	if (in)
		fclose(in);
	return sum;
}

static long long family_cpu(pid_t pid)
{
	long long sum = 0;

	members = 0;
	add_family(pid, false);
	for (int i = 0; i < members; i++)
		sum += process_cpu(family[i]);
	return sum;
}

// the sum of a field over the family, in the unit /proc uses
static long memory(const char *file, const char *field)
{
	size_t len = strlen(field);
	long sum = 0;

	for (int i = 0; i < members; i++) {
		char path[64], line[256];
		FILE *in;

		snprintf(path, sizeof path, "/proc/%d/%s", (int)family[i], file);
		in = fopen(path, "re");
		while (in && fgets(line, sizeof line, in))
			if (!strncmp(line, field, len) && line[len] == ':')
				sum += atol(line + len + 1);
		if (in)
			fclose(in);
	}
	return sum;
}

// KiB that the server has for itself
static long memory_of(pid_t pid)
{
	members = 0;
	add_family(pid, false);
	return memory("smaps_rollup", "Private_Dirty");
}

static void mem(char **pids)
{
	for (; *pids; pids++)
		add_family(atoi(*pids), false);
	printf("%ld %ld %ld %d\n", memory("smaps_rollup", "Pss"),
		memory("smaps_rollup", "Private_Dirty"),
		memory("status", "RssFile") * 1024 / sysconf(_SC_PAGESIZE), members);
}

// and what it runs: no orphans
static void end(pid_t pid)
{
	kill(pid, SIGSTOP); // it starts nothing again meanwhile
	add_family(pid, true);
	for (int i = 0; i < members; i++)
		kill(family[i], SIGKILL);
}
