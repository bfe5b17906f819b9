/* daemon.c: into the background, and the files that a server makes: unix sockets and the pid file.
 *
 *	parent: daemon_start() -- fork --> child: pid file, command -> daemon_ready()
 *	        waits on a pipe <--------- one byte, or end of file
 *	        exits with 0, or with the child's status
 *
 * The sockets listen before that, so a script that goes on behind the parent can connect at once, and every failure
 * before that is reported on the parent's stderr and by its exit status.
 *
 * The daemon changes to / and remembers the directory in which it was started: the command starts there, and relative
 * paths of files to be removed refer to it.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h> /* rename() */
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "server.h"

enum { FILES = 18 }; /* at least the sockets of SERVER_ADDRS addresses, and the pid file */

static struct file {
	const char *path;
	struct file_id id;
	char socket;
} files[FILES];
static int file_count, ready_pipe = -1;

const char *daemon_home(void)
{
	static const char *home;
	char dir[PATH_MAX];
	long size; /* with the NUL */

	if (home)
		return home;
	errno = ENOENT; /* getcwd(2) says "(unreachable)" of a directory that no path leads to */
	size = syscall(SYS_getcwd, dir, sizeof dir); /* libc's getcwd() links malloc */
	if (size < 0 || *dir != '/')
		die(1, "working directory: ", msg_errno());
	return home = env_make("", dir, size - 1);
}

static _Noreturn void wait_ready(int report, pid_t pid)
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
		_exit(sig_status(status));
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

	sig_reset(SIGCHLD); /* ignored, it would leave no status to wait for (wait(2)) */
	if (io_pipe(report) || (pid = _Fork()) < 0)
		die(1, "cannot become a daemon: ", msg_errno());
	if (pid) {
		close(report[1]);
		wait_ready(report[0], pid);
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
		msg_cleanup = 0; /* the parent was killed; die() removes no files from here on */
	close(ready_pipe);
	ready_pipe = -1;
	msg_daemon = 1;
	daemon_leave();
}

int daemon_enter(const char *path)
{
	return *path == '/' ? 0 : chdir(daemon_home());
}

void daemon_leave(void)
{
	if (chdir("/"))
		warn("/: ", msg_errno());
}

void daemon_owns(const char *path, const struct file_id *id, int socket)
{
	msg_cleanup = daemon_remove;
	for (int i = 0; i < file_count; i++)
		if (files[i].path == path) {
			files[i].id = *id;
			return;
		}
	if (file_count < FILES)
		files[file_count++] = (struct file){path, *id, socket};
}

void daemon_disown(void)
{
	file_count = 0;
}

/* Removes the file unless another one, of another server, has the name by now. */
static void remove_file(const struct file *f)
{
	const char *name;

	if (daemon_enter(f->path))
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
	if (file_count)
		daemon_leave();
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

/* ---- the pid file ---- */

enum { PID_LINE = 12 };

/* Returns why the file with this name may not be replaced, or 0 when there is none or it is an earlier pid file. */
static const char *not_replaceable(const char *name)
{
	struct stat st;

	if (lstat(name, &st))
		return 0;
	if (!S_ISREG(st.st_mode))
		return "exists and is not a regular file";
	if (st.st_uid && st.st_uid != geteuid())
		return "exists and is somebody else's";
	return st.st_size > PID_LINE ? "exists and is not a pid file" : 0;
}

/* Writes a new file in the working directory: 0, or -1 and errno. */
static int write_pid(const char *name, struct file_id *id)
{
	char line[PID_LINE];
	struct text t = {line, line + sizeof line};
	int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644), bad;
	struct stat st;

	if (fd < 0)
		return -1;
	text_num(&t, getpid());
	text_str(&t, "\n");
	bad = io_write_all(fd, line, t.at - line) || fstat(fd, &st);
	if (close(fd) || bad) {
		bad = errno;
		unlink(name);
		errno = bad;
		return -1;
	}
	*id = (struct file_id){st.st_dev, st.st_ino};
	return 0;
}

/* The file is written under another name and renamed.  So it is complete from its first instant on, and rename(2) replaces
 * a symbolic link instead of writing through it. */
void daemon_pid_file(const char *path)
{
	int back;
	const char *name = io_enter(path, &back), *why = name ? not_replaceable(name) : 0;
	char draft[NAME_MAX + 16];
	struct text t = {draft, draft + sizeof draft - 1};
	struct file_id id;

	if (why)
		die(1, path, ": ", why);
	if (name) {
		text_str(&t, name);
		text_str(&t, ".");
		text_num(&t, getpid());
		*t.at = '\0';
	}
	if (!name || write_pid(draft, &id))
		die(1, path, ": ", msg_errno());
	if (rename(draft, name)) {
		why = msg_errno();
		unlink(draft);
		die(1, path, ": ", why);
	}
	io_leave(back);
	daemon_owns(path, &id, 0);
}
