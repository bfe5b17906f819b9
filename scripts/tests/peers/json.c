// json: is standard input one JSON object (RFC 8259) and a newline, and what stands in it?
//
//   json [PATH...]
//
// A PATH is a name, an index or # (how many) behind dots: sessions.0.clients.#. The value is printed, a
// line for each PATH: a string undone, a number or word as it stands, an array or object as its text.
// A name may stand only once in an object. Status 1, with the place on standard error, when it is not
// valid; 3 when a PATH is not there.

#include "common.h"

static char text[1 << 22];
static const char *at = text;

static void __attribute__((noreturn)) bad(const char *what)
{
	die("byte %ld: %s: %.40s", (long)(at - text), what, at);
}

static void blank(void)
{
	at += strspn(at, " \t\r\n");
}

static void string(void)
{
	if (*at++ != '"')
		bad("no string");
	for (; *at != '"'; at++) {
		if ((unsigned char)*at < ' ')
			bad("control character in a string");
		if (*at == '\\' && !*++at)
			bad("end in a string");
		if (at[-1] != '\\')
			continue;
		if (!strchr("\"\\/bfnrtu", *at))
			bad("no such escape");
		for (int i = 0; *at == 'u' && i < 4; i++)
			if (hex_digit(at[1 + i]) < 0)
				bad("no hex digit");
	}
	at++;
}

static void digits(void)
{
	size_t n = strspn(at, "0123456789");

	if (!n)
		bad("no value");
	at += n;
}

static void numeral(void)
{
	at += *at == '-';
	if (*at == '0')
		at++;
	else
		digits();
	if (*at == '.')
		at++, digits();
	if (*at == 'e' || *at == 'E') {
		at++;
		at += *at == '-' || *at == '+';
		digits();
	}
}

static bool word(const char *w)
{
	if (strncmp(at, w, strlen(w)))
		return false;
	at += strlen(w);
	return true;
}

static void value(void);

// a name that was there before in this object
static void once(const char **names, int n)
{
	for (int i = 0; i < n; i++)
		if (!strncmp(names[i], names[n], (size_t)(at - names[n])))
			bad("twice the same name");
}

static void many(char end)
{
	const char *names[64];
	int n = 0;

	at++;
	blank();
	if (*at == end) {
		at++;
		return;
	}
	for (;; at++) {
		blank();
		if (end == '}') {
			if (n == 64)
				bad("too many names");
			names[n] = at;
			string();
			once(names, n++);
			blank();
			if (*at++ != ':')
				bad("no colon");
		}
		value();
		blank();
		if (*at != ',')
			break;
	}
	if (*at++ != end)
		bad("no comma and no end");
}

static void value(void)
{
	blank();
	if (*at == '{' || *at == '[')
		many(*at == '{' ? '}' : ']');
	else if (*at == '"')
		string();
	else if (!word("true") && !word("false") && !word("null"))
		numeral();
}

// goes to member `name` of the object, or element of the array, at `at`; -1: how many there are
static long member(const char *name, size_t len)
{
	bool object = *at == '{', count = len == 1 && *name == '#';
	long n = 0;

	if (!object && *at != '[')
		return 0;
	for (at++, blank(); *at != '}' && *at != ']'; n++) {
		const char *key = at;
		size_t key_len = 0;

		if (object) {
			string();
			key_len = (size_t)(at - key) - 2;
			blank();
			at++;
			blank();
		}
		if (!count &&
			(object ? key_len == len && !strncmp(key + 1, name, len) : n == atol(name)))
			return 1;
		value();
		blank();
		at += *at == ',';
		blank();
	}
	if (!count)
		return 0;
	printf("%ld\n", n);
	return -1;
}

static void print(void)
{
	const char *start = at;
	static char copy[1 << 16];

	value();
	snprintf(copy, sizeof(copy), "%.*s", (int)(at - start), start);
	if (*copy != '"') {
		printf("%s\n", copy);
		return;
	}
	for (char *c = copy + 1; c[1]; c++) {
		unsigned u = 0;

		if (*c != '\\') {
			putchar(*c);
			continue;
		}
		switch (*++c) {
		case 'u':
			for (int i = 1; i <= 4; i++)
				u = u * 16 + (unsigned)hex_digit(c[i]);
			putchar((int)u);
			c += 4;
			break;
		case 'n':
			putchar('\n');
			break;
		case 't':
			putchar('\t');
			break;
		case 'r':
			putchar('\r');
			break;
		default:
			putchar(*c);
		}
	}
	putchar('\n');
}

int main(int argc, char **argv)
{
	size_t n = fread(text, 1, sizeof(text) - 1, stdin);

	peer_name = "json";
	if (strlen(text) != n)
		die("a zero byte");
	if (*at != '{')
		bad("no object");
	value();
	if (strcmp(at, "\n"))
		bad("no end after the object and a newline");
	for (int i = 1; i < argc; i++) {
		const char *name = argv[i];
		long found = 1;

		for (at = text; found > 0 && *name; name += name[0] == '.') {
			size_t len = strcspn(name, ".");

			found = member(name, len);
			name += len;
		}
		if (!found) {
			peer_failure = 3;
			die("%s: is not there", argv[i]);
		}
		if (found > 0)
			print();
	}
	return 0;
}
