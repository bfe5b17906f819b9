/* sysrq.c: SysRq keys from clients (-Q).
 *
 *	FRAME_SYSRQ --> /dev/kmsg (who sent it), with -v a message --> /proc/sysrq-trigger
 *
 * It has to work when nothing else does: no process can be started, no descriptor opened, no memory had.  So both files
 * are opened at the start, and a key costs two writes in the server itself.  The second may take as long as the kernel
 * writes its report to a slow console, and meanwhile the server serves nobody; with some keys it never returns.
 *
 * The mask kernel.sysrq does not concern this file (Documentation/admin-guide/sysrq.rst): whoever may send one key may
 * send every key.
 *
 * config SYSRQ y SysRq keys from clients (-Q, ptyattach -y)
 */
#include <fcntl.h>
#include <unistd.h>
#include "server.h"

static const char log_path[] = "/dev/kmsg";
const char sysrq_none[] = "no SysRq keys (-Q)";
static int trigger = -1, kernel_log = -1;
static char verbose;

static int open_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0 && trigger < 0)
		die(1, "-Q: ", path, ": ", msg_errno());
	return fd;
}

void sysrq_open(int reports)
{
	kernel_log = open_file(log_path);
	trigger = open_file("/proc/sysrq-trigger");
	verbose = reports;
}

int sysrq_is_open(void)
{
	return trigger >= 0;
}

/* Of one descriptor the kernel's log takes ten records in five seconds (printk_devkmsg), so each key has one of its own as
 * long as there are any. */
static void record(const char *key, const char *who)
{
	char line[128];
	struct text t = {line, line + sizeof line};
	int fresh = open_file(log_path);

	if (verbose)
		warn("SysRq ", key, " from ", who);
	text_str(&t, "<4>");
	text_str(&t, msg_applet);
	text_str(&t, ": SysRq ");
	text_str(&t, key);
	text_str(&t, " from ");
	text_str(&t, who);
	text_str(&t, "\n");
	io_write(fresh < 0 ? kernel_log : fresh, line, t.at - line);
	close(fresh);
}

const char *sysrq_send(unsigned key, const char *who)
{
	char word[] = {key, '\0'};

	if (!sysrq_is_open())
		return sysrq_none;
	if (!frame_is_sysrq(key))
		return "not a SysRq key";
	record(word, who);
	if (io_write(trigger, word, 1) < 1)
		return msg_errno();
	loop_clock();
	return 0;
}
