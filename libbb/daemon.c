/* daemon.c: into the background, and the files a server leaves in the world.
 *
 * The caller waits at a pipe until the daemon is ready, so a script that goes on knows that the
 * sockets listen and the command runs.  Everything that goes wrong before is said on the caller's
 * stderr, and the caller exits with the daemon's status.
 *
 * The daemon moves to / and keeps the name of the directory it came from: for the command, and to
 * remove files that were named from there.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "libbb.h"

enum { FILES = 18 };

static struct file {
	const char *path;
	struct file_id id;
	char socket;
} files[FILES];
static int file_count, ready_pipe = -1;

const char *daemon_home(void)
{
	static char home[PATH_MAX] __attribute__((section(".bss.~home")));

	if (!*home && syscall(SYS_getcwd, home, sizeof home) < 0) /* libc's brings malloc */
		return "/";
	return home;
}

static _Noreturn void wait_for(int report, pid_t pid)
{
	char line[40], ok;
	struct text t = {line, line + sizeof line};
	ssize_t n;
	int status;

	while ((n = read(report, &ok, 1)) < 0 && errno == EINTR)
		;
	if (n < 1) {
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		_exit(pty_status(status));
	}
	text_str(&t, "Daemon PID is ");
	text_num(&t, pid);
	text_str(&t, "\n");
	io_write_all(1, line, t.at - line);
	_exit(0);
}

void daemon_start(void)
{
	int report[2];
	pid_t pid;

	if (io_pipe(report) || (pid = _Fork()) < 0)
		die(1, "cannot become a daemon: ", msg_errno());
	if (pid) {
		close(report[1]);
		wait_for(report[0], pid);
	}
	close(report[0]);
	ready_pipe = report[1];
	setsid();
}

void daemon_ready(int keep_stderr)
{
	if (ready_pipe < 0)
		return;
	for (int fd = 0; fd < 3 - !!keep_stderr; fd++)
		io_null(fd);
	if (write(ready_pipe, "", 1) < 0)
		msg_cleanup = 0; /* the caller was killed; nobody waits */
	close(ready_pipe);
	ready_pipe = -1;
	if (chdir("/"))
		warn("/: ", msg_errno());
}

void daemon_owns(const char *path, const struct file_id *id, int socket)
{
	msg_cleanup = daemon_remove;
	if (file_count < FILES)
		files[file_count++] = (struct file){path, *id, socket};
}

void daemon_disown(void)
{
	file_count = 0;
}

/* Only what is still ours: another server may have taken the name. */
static void remove_file(const struct file *f)
{
	const char *name;

	if (*f->path != '/' && chdir(daemon_home()))
		return;
	name = io_enter(f->path, 0);
	if (name && io_is_file(name, &f->id))
		unlink(name);
}

static void remove_files(int all)
{
	int saved = errno, kept = 0;

	for (int i = 0; i < file_count; i++)
		if (all || files[i].socket)
			remove_file(&files[i]);
		else
			files[kept++] = files[i];
	if (file_count && chdir("/")) /* no directory is kept busy */
		warn("/: ", msg_errno());
	file_count = kept;
	errno = saved;
}

void daemon_remove(void)
{
	remove_files(1);
}

void daemon_remove_sockets(void)
{
	remove_files(0);
}

void daemon_pid_file(const char *path)
{
	char line[16];
	struct text t = {line, line + sizeof line};
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOCTTY | O_CLOEXEC, 0644);
	struct file_id id;
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		die(1, path, ": ", msg_errno());
	id = (struct file_id){st.st_dev, st.st_ino};
	if (S_ISREG(st.st_mode))
		daemon_owns(path, &id, 0);
	text_num(&t, getpid());
	text_str(&t, "\n");
	if (io_write_all(fd, line, t.at - line) || close(fd))
		die(1, path, ": ", msg_errno());
}
