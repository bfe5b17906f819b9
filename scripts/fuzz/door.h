/* door.h: the server target's listening sockets, and whom its server turns away there: for a reason that is true, and
 * in words that arrive
 *
 * It stands in for sock_refuse(), client_refuse() and loop_close(), and calls the real ones.
 */

void __real_sock_refuse(int fd, const char *why);
void __wrap_sock_refuse(int fd, const char *why);
struct client *__real_client_refuse(int fd, const char *name, int mode, const char *why);
struct client *__wrap_client_refuse(int fd, const char *name, int mode, const char *why);
void __real_loop_close(struct source *s);
void __wrap_loop_close(struct source *s);

void __wrap_sock_listen(const struct addr *a, mode_t mode, int fd[2], struct file_id *made);
void __wrap_inherit_close_others(void);

void __wrap_sock_listen(const struct addr *a, mode_t mode, int fd[2], struct file_id *made)
{
	(void)a, (void)mode;
	fd[0] = file_open(LISTENER, 0);
	fd[1] = -1;
	made->ino = 0;
}

/* They are the fuzzer's. */
void __wrap_inherit_close_others(void)
{
}

enum { DISCARDED = 4 * 4096 }; /* of what it said already; more costs it the line */

static int full(void)
{
	return server.max && client_count >= server.max;
}

/* Not enough for the session that may begin again, and for those who come later. */
static int few_files(void)
{
	return files_max && files_max - files_open() < SESSION_FILES + LISTENER_FILES;
}

static int is_true(const struct peer *p, const char *why)
{
	if (!strcmp(why, "full"))
		return full();
	if (!strcmp(why, "full: no descriptors left"))
		return few_files();
	if (p->mode == FOREIGN)
		return !strcmp(why, "not allowed from this address");
	return p->mode == OTHER_USER && !strcmp(why, "not allowed for this user");
}

/* In one line, and closed at once. */
void __wrap_sock_refuse(int fd, const char *why)
{
	struct peer *p = (struct peer *)file_of(fd)->link;

	int hears = !fault.left && !p->link.reset && !p->link.gone && p->link.up.len <= DISCARDED;

	assert(is_true(p, why));
	p->turned = p->barred = 1;
	__real_sock_refuse(fd, why);
	assert(p->link.closed && (p->link.down.len || !hears));
}

struct client *__wrap_client_refuse(int fd, const char *name, int mode, const char *why)
{
	struct peer *p = (struct peer *)file_of(fd)->link;

	assert(p->mode <= KEYED && is_true(p, why));
	p->turned = 1;
	return __real_client_refuse(fd, name, p->mode == KEYED ? mode : p->mode, why);
}

void __wrap_loop_close(struct source *s)
{
	struct file *f = s->fd < 0 ? 0 : file_of(s->fd);

	if (f && f->kind == SOCKET)
		f->link->ending = 1;
	__real_loop_close(s);
}
