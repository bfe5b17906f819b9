/* foreign.h: what must not be typed at a bare TCP address (protocol.md, "Telling them apart")
 *
 * 1: it begins like HTTP or TLS.  0: it may still become that.  -1: it is something else.
 */
static int foreign(const unsigned char *data, size_t n)
{
	static const char *const begin[] = {"GET ", "HEAD ", "POST ", "PUT ", "DELETE ", "OPTIONS ",
		"PATCH ", "CONNECT ", "TRACE ", "PRI ", "\026\003"};
	int verdict = -1;

	for (unsigned i = 0; i < sizeof begin / sizeof *begin; i++) {
		size_t same = 0, len = strlen(begin[i]);

		while (same < n && same < len && data[same] == (unsigned char)begin[i][same])
			same++;
		if (same == len)
			return 1;
		if (same == n)
			verdict = 0;
	}
	return verdict;
}
