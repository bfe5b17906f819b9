/* msg.c: messages on standard error, and the text formatting that they need.
 *
 * A message is one line and one write(2), so lines of several processes never mix; what standard error does not take at
 * once is dropped, so whoever reads messages cannot hold up the program.  Its words may come from outside (an
 * argument, a name, a server's notice): control characters, which a terminal would obey, are dropped in one
 * place, text_clean().  Text is built in a buffer that the caller owns; what does not fit is left out.  No stdio: it
 * would be a fifth of a server's size.
 *
 * config SYSLOG y the messages of a daemon go to syslog, too
 * config WORDS y the system's words for what went wrong (without it "error N")
 */
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>
#include "libbb.h"

enum { LINE = 512, WORD = 200 }; /* a long word must leave room for the reason that follows */

const char *msg_applet = "ptybox";
void (*msg_cleanup)(void);
char msg_daemon;

void text_str(struct text *t, const char *s)
{
	while (*s && t->at < t->end)
		*t->at++ = *s++;
}

void text_num(struct text *t, unsigned long n)
{
	char digits[3 * sizeof n + 1], *d = digits + sizeof digits;

	*--d = '\0';
	do
		*--d = '0' + n % 10;
	while (n /= 10);
	text_str(t, d);
}

void text_hex(struct text *t, unsigned long n)
{
	if (n > 15)
		text_hex(t, n >> 4);
	text_str(t, (char[]){"0123456789abcdef"[n & 15], 0});
}

size_t text_char(const char *s, size_t n)
{
	/* the lowest code point of a character of so many bytes: a lower one is a control character, or overlong */
	static const unsigned least[] = {0, ' ', 0xa0, 0x800, 0x10000};
	unsigned char c = n ? *s : 0;
	size_t len = c < 0x80 ? 1 : c < 0xc0 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf8 ? 4 : 0;
	unsigned number = len > 1 ? c & 0x7fU >> len : c;

	if (len > n)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		number = number << 6 | (s[i] & 0x3f);
	}
	if (number < least[len] || number == 127 || number >> 11 == 0x1b || number > 0x10ffff)
		return 0; /* DEL, surrogates (0x1b), or beyond Unicode */
	return len;
}

void text_json(struct text *t, const char *s, size_t n)
{
	const char *end = s + n;

	text_str(t, "\"");
	while (s < end) {
		size_t len = *s == '"' || *s == '\\' ? 0 : text_char(s, end - s);

		if (!len) {
			s += (unsigned char)s[0] == 0xc2 && end - s > 1 && (s[1] & 0xe0) == 0x80;
			text_str(t, (unsigned char)*s < 16 ? "\\u000" : "\\u00");
			text_hex(t, (unsigned char)*s++);
		}
		for (; len; len--)
			text_str(t, (char[]){*s++, '\0'});
	}
	text_str(t, "\"");
}

size_t text_shown(struct text *t, const char *s, size_t n)
{
	size_t len = text_char(s, n);

	if (!len)
		text_str(t, " ");
	else if (len <= (size_t)(t->end - t->at))
		t->at = mempcpy(t->at, s, len);
	return len ? len : 1;
}

size_t text_clean(char *s, size_t n)
{
	size_t left = 0;

	for (size_t at = 0, len; at < n; at += len ? len : 1) {
		len = text_char(s + at, n - at);
		memmove(s + left, s + at, len);
		left += len;
	}
	return left;
}

/* Sends the line to syslogd: "<30>", daemon.info, begins a message there as well as in /dev/kmsg (RFC 3164, 4.1.1). */
static void log_line(const char *rest, const char *end)
{
	char buf[LINE + 40];
	struct text t = {buf, buf + sizeof buf};

	text_str(&t, "<30>");
	text_str(&t, msg_applet);
	text_str(&t, "[");
	text_num(&t, getpid());
	text_str(&t, "]");
	while (rest < end && t.at < t.end)
		*t.at++ = *rest++;
	nowait_log(buf, t.at - buf);
}

static void line(const char *first, va_list more)
{
	char buf[LINE];
	struct text t = {buf, buf + sizeof buf - 1};

	text_str(&t, msg_applet);
	text_str(&t, ": ");
	for (const char *s = first; s; s = va_arg(more, const char *)) {
		struct text word = {t.at, t.end - t.at > WORD ? t.at + WORD : t.end};

		text_str(&word, s);
		t.at = word.at;
	}
	t.at = buf + text_clean(buf, t.at - buf);
	*t.at++ = '\n';
	nowait_say(2, buf, t.at - buf);
	if (CFG_SYSLOG && msg_daemon)
		log_line(buf + strlen(msg_applet), t.at - 1);
}

void msg_line(const char *first, ...)
{
	va_list more;

	va_start(more, first);
	line(first, more);
	va_end(more);
}

void msg_die(int status, const char *first, ...)
{
	va_list more;

	if (msg_cleanup)
		msg_cleanup();
	va_start(more, first);
	line(first, more);
	va_end(more);
	_exit(status);
}

const char *msg_errno(void)
{
	static char number[32];
	struct text t = {number, number + sizeof number - 1};

	if (CFG_WORDS)
		return strerror(errno);
	text_str(&t, "error ");
	text_num(&t, errno);
	*t.at = '\0';
	return number;
}
