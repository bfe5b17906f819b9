/* unit_modes: check the tracker of a terminal's modes against its own tables
 *
 * Every stream is fed whole, byte by byte and in random pieces, with the same result.  With OUTPUT, a file of
 * terminal output, the sequences that lead to its modes are printed instead: another terminal that gets
 * them must come to be as one that gets the whole file; with "off" behind it, those that lead back.
 *
 * applet unit_modes UNIT
 * usage [OUTPUT [off]]
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "server/server.h"

static int failed;

static void say(const char *s)
{
	io_write_all(1, s, strlen(s));
}

/* Control characters as \ooo. */
static void say_visibly(const char *s, size_t n)
{
	for (; n--; s++) {
		unsigned char c = (unsigned char)*s;
		char octal[] = {'\\', (char)('0' + (c >> 6)), (char)('0' + (c >> 3 & 7)),
			(char)('0' + (c & 7)), 0};

		say(c < ' ' || c > 126 ? octal : (char[]){(char)c, 0});
	}
}

static void check(int right, const char *file, const char *which)
{
	say(right ? "ok " : "FAIL ");
	say(file);
	say(": ");
	say_visibly(which, strlen(which));
	say("\n");
	failed |= !right;
}

/* Pieces of 0: one byte each; 1 to 7: random ones; WHOLE. */
enum { WHOLE = 8 };

static size_t piece(int how, size_t left)
{
	static unsigned long seed = 1;
	size_t n = 1;

	seed = seed * 1103515245 + 12345;
	if (how == WHOLE)
		return left;
	if (how)
		n = 1 + (seed >> 16) % 7;
	return n < left ? n : left;
}

/* ---- modes.c ---- */

#define MAIN_BELOW "\033[999H\r\n"

/* What leads to a stream's modes, and what leads back from there. */
static const struct {
	const char *stream, *on, *off;
} modes_case[] = {
	{"", "", ""},
	{"plain text\r\n\t\303\251\033[K\033[2C", "", ""},
	/* one mode after the other */
	{"\033[?1h", "\033[?1h", "\033[?1l"},
	{"\033[?1h\033[?1l", "", ""},
	{"\033[?7l", "\033[?7l", "\033[?7h"},
	{"\033[?7h", "", ""},
	{"\033[?25l", "\033[?25l", "\033[?25h"},
	{"\033[?5h", "\033[?5h", "\033[?5l"},
	{"\033[?12h", "\033[?12h", "\033[?12l"},
	{"\033[?12;25h", "\033[?12h", "\033[?12l"},
	{"\033[?45h", "\033[?45h", "\033[?45l"},
	{"\033[?9h", "\033[?9h", "\033[?9l"},
	{"\033[?1000h\033[?1002h\033[?1006h", "\033[?1000h\033[?1002h\033[?1006h",
		"\033[?1000l\033[?1002l\033[?1006l"},
	{"\033[?1000;1003;1006h", "\033[?1000h\033[?1003h\033[?1006h",
		"\033[?1000l\033[?1003l\033[?1006l"},
	{"\033[?1000;1003;1006h\033[?1000;1003;1006l", "", ""},
	{"\033[?1001h\033[?1005h\033[?1015h\033[?1016h",
		"\033[?1001h\033[?1005h\033[?1015h\033[?1016h",
		"\033[?1001l\033[?1005l\033[?1015l\033[?1016l"},
	{"\033[?1004h", "\033[?1004h", "\033[?1004l"},
	{"\033[?2004h", "\033[?2004h", "\033[?2004l"},
	{"\033[?2026h", "\033[?2026h", "\033[?2026l"},
	{"\033[?2027h\033[?2031h\033[?2048h\033[?9001h",
		"\033[?2027h\033[?2031h\033[?2048h\033[?9001h",
		"\033[?2027l\033[?2031l\033[?2048l\033[?9001l"},
	{"\033[4h", "\033[4h", "\033[4l"},
	{"\033[20h", "\033[20h", "\033[20l"},
	{"\033[2h", "\033[2h", "\033[2l"},
	{"\033[1h\033[?4h\033[25l\033[?3h\033[?1034h\033[?99999h", "", ""},
	{"\033=", "\033=", "\033>"},
	{"\033[?66h", "\033=", "\033>"},
	{"\033=\033>", "", ""},
	/* XTSAVE, XTRESTORE */
	{"\033[?1h\033[?1s\033[?1l\033[?1r", "\033[?1h", "\033[?1l"},
	{"\033[?7;25s\033[?7;25l\033[?7;25r", "", ""},
	/* resets */
	{"\033[?1;1000;2004h\033=\033[4h\033[31m\033(0\033[3;5r\033[5 q\033[>1u\033c", "", ""},
	{"\033[?1;6;1000h\033[?7;25l\033=\033[4h\033[31m\033(0\033[3;5r\033[!p", "\033[?1000h",
		"\033[?1000l" MAIN_BELOW},
	/* the alternate screen */
	{"\033[?1049h", "\033[?1049h", "\033[?1049l"},
	{"\033[?1049h\033[H\033[2Jtext\033[5;5H", "\033[?1049h", "\033[?1049l"},
	{"\033[?1049h\033[?1049l", "", ""},
	{"\033[5A\033[?1049h\033[J", "\033[?1049h", "\033[?1049l" MAIN_BELOW},
	{"\033[?47h", "\033[?47h", "\033[?47l" MAIN_BELOW},
	{"\033[?1047h", "\033[?1047h", "\033[?1047l" MAIN_BELOW},
	{"\033[31m\033[?1049h\033[m\033[?1049l", "\033[0;31m", "\033[0m"},
	{"\033[31m\033[?1049h\033[m", "\033[?1049h", "\033[?1049l\033[0m"},
	{"\033[?1049h\033[32m\033(0\033[?6h", "\033[?1049h\033[?6h\033(0\033[0;32m",
		"\033[?1049l\033[?6l\033(B\033[0m"},
	{"\033[32m\033(0\033[?6h\033[J\033[?1049h\033[m\033(B\033[?6l", "\033[?1049h",
		"\033[?1049l\033[?6l\033(B\033[0m"},
	{"\033[?1048h\033[31m\033[?1048l", "", MAIN_BELOW},
	/* text below the cursor */
	{"\033[H\033[J", "", ""},
	{"\033[H\033[2J$ ", "", ""},
	{"\033[2J\033[5;1H", "", MAIN_BELOW},
	{"\033[3A", "", MAIN_BELOW},
	{"\033M", "", MAIN_BELOW},
	{"\033[1J\033[H\033[1J", "", MAIN_BELOW},
	/* origin and margins */
	{"\033[?6h", "\033[?6h", "\033[?6l" MAIN_BELOW},
	{"\033[3;20r", "\0337\033[3;20r\0338", "\0337\033[r\0338" MAIN_BELOW},
	{"\033[3;20r\033[r\033[J", "", ""},
	{"\033[5r", "\0337\033[5;r\0338", "\0337\033[r\0338" MAIN_BELOW},
	{"\033[;23r\033[J", "\0337\033[0;23r\0338", "\0337\033[r\0338"},
	{"\033[?69h\033[5;70s", "\0337\033[r\033[?69h\033[5;70s\0338",
		"\0337\033[r\033[?69l\0338" MAIN_BELOW},
	{"\033[?69h\033[J", "\0337\033[r\033[?69h\033[0;0s\0338", "\0337\033[r\033[?69l\0338"},
	{"\033[?69h\033[5;70s\033[?69l\033[J", "", ""},
	/* saved cursors */
	{"\0337\033[31;1m\033(0\0338\033[J", "", ""},
	{"\033[32m\0337\033[m\0338\033[J", "\033[0;32m", "\033[0m"},
	{"\033[s\033[31m\033[u\033[J", "", ""},
	/* character sets */
	{"\033(0", "\033(0", "\033(B"},
	{"\033(0\033(B", "", ""},
	{"\033)0\016", "\033)0\016", "\033)B\017"},
	{"\033)0\016\017\033)B", "", ""},
	{"\033*A\033n", "\033*A\033n", "\033*B\017"},
	{"\033+<\033o", "\033+<\033o", "\033+B\017"},
	{"\033(%5\033%G\033 F\033#8\033-A", "", ""},
	/* SGR */
	{"\033[1;31;44m", "\033[0;1;31;44m", "\033[0m"},
	{"\033[1m\033[m", "", ""},
	{"\033[1;2;3;4;5;6;7;8;9;53m", "\033[0;1;2;3;4;5;6;7;8;9;53m", "\033[0m"},
	{"\033[1;2;3;4;5;6;7;8;9;53m\033[22;23;24;25;27;28;29;55m", "", ""},
	{"\033[91;102m", "\033[0;91;102m", "\033[0m"},
	{"\033[91;102m\033[39;49m", "", ""},
	{"\033[38;5;200;48;2;1;2;3;58;5;9m", "\033[0;38;5;200;48;2;1;2;3;58;5;9m", "\033[0m"},
	{"\033[38:5:200m\033[48:2:1:2:3m\033[58:2::4:5:6m",
		"\033[0;38;5;200;48;2;1;2;3;58;2;4;5;6m", "\033[0m"},
	{"\033[38;5;200;48;2;1;2;3;58;5;9;39;49;59m", "", ""},
	{"\033[4:3m", "\033[0;4m", "\033[0m"},
	{"\033[21m", "\033[0;4m", "\033[0m"},
	{"\033[4:3m\033[4:0m", "", ""},
	{"\033[;1m", "\033[0;1m", "\033[0m"},
	{"\033[1;m", "", ""},
	{"\033[11m", "\033[0;11m", "\033[0;10m"},
	{"\033[11m\033[10m", "", ""},
	{"\033[38m\033[38;5m\033[38;2;1m\033[38;7m\033[m", "", ""},
	{"\033[0;0;0;0;0;0;0;0;0;0;0;0;0;0;0;0;0;0;0;38;2;1;2;3m\033[m", "", ""},
	/* the cursor's shape */
	{"\033[5 q", "\033[5 q", "\033[0 q"},
	{"\033[5 q\033[0 q", "", ""},
	{"\033[5 q\033[ q", "", ""},
	{"\033[?1c", "\033[?1c", "\033[?0c"},
	{"\033[?1c\033[?0c", "", ""},
	/* keyboards */
	{"\033[>1u", "\033[>1u", "\033[<1u"},
	{"\033[>1u\033[>5u", "\033[>1u\033[>5u", "\033[<2u"},
	{"\033[>1u\033[>5u\033[<u", "\033[>1u", "\033[<1u"},
	{"\033[>1u\033[>5u\033[<2u", "", ""},
	{"\033[>1u\033[<99u", "", ""},
	{"\033[<u", "", ""},
	{"\033[=5u", "\033[=5u", "\033[=0u"},
	{"\033[=5;1u\033[=2;2u\033[=1;3u", "\033[=6u", "\033[=0u"},
	{"\033[=5u\033[>1u", "\033[=5u\033[>1u", "\033[<1u\033[=0u"},
	{"\033[>1u\033[=9u", "\033[>9u", "\033[<1u"},
	{"\033[>1u\033[>2u\033[>3u\033[>4u\033[>5u\033[>6u\033[>7u\033[>8u\033[>9u",
		"\033[>2u\033[>3u\033[>4u\033[>5u\033[>6u\033[>7u\033[>8u\033[>9u", "\033[<8u"},
	{"\033[>1u\033[?1049h\033[>3u", "\033[>1u\033[?1049h\033[>3u",
		"\033[<1u\033[?1049l\033[<1u"},
	{"\033[?1049h\033[>3u\033[<u\033[?1049l", "", ""},
	{"\033[>4;2m", "\033[>4;2m", "\033[>4;0m"},
	{"\033[>4;2m\033[>4m", "", ""},
	{"\033[>4;2m\033[>m", "", ""},
	{"\033[>4;2m\033[>4n", "", ""},
	{"\033[>1;2m", "", ""},
	/* colours and links of OSC */
	{"\033]12;red\007", "", "\033]112\033\\"},
	{"\033]12;red\033\\\033]112\007", "", ""},
	{"\033]4;1;red\007\033]10;#fff\033\\\033]11;#000\007", "",
		"\033]110\033\\\033]111\033\\\033]104\033\\"},
	{"\033]4;1;red\007\033]104\007", "", ""},
	{"\033]4;1;red\007\033]104;1\007", "", "\033]104\033\\"},
	{"\033]11;?\007\033]4;1;?\007\033]20;x\007\033]120\007", "", ""},
	{"\033]8;;http://x/?a=?\033\\", "", "\033]8;;\033\\"},
	{"\033]8;id=1;http://x\033\\x\033]8;;\033\\", "", ""},
	/* what is no mode */
	{"\033]0;\033[?1h\007", "\033[?1h", "\033[?1l"},
	{"\033]0;title [?1h\007\033]2;t\033\\\033Pq#0~~\033\\\033_Gf=24;AAAA\033\\\033^x\033\\\033Xx\033\\",
		"", ""},
	{"\033P1$r?1h\033\\\033[?1\030h\033[?1\032h", "", ""},
	{"\033[?1$h\033[?1;2$p\033[>1h\033[<1h", "", ""},
	{"\033(\030\033)\303\251\033\303\251", "", ""},
	{"\302\233?1h\233?1h\220q\235", "", ""},
	/* control characters and other bytes inside of a sequence, and one that breaks another off */
	{"\033[?\r1\n\177h", "\033[?1h", "\033[?1l"},
	{"\033[?1\303h", "\033[?1h", "\033[?1l"},
	{"\033[?25\033[?1h", "\033[?1h", "\033[?1l"},
	{"\033\033[?1h", "\033[?1h", "\033[?1l"},
	{"\033]0;x\033[?1h", "\033[?1h", "\033[?1l"},
	/* the Linux console's strings without an end */
	{"\033]R\033[?1h", "\033[?1h", "\033[?1l"},
	{"\033]P0aabbcc\033[?1h\033]R", "\033[?1h", "\033[?1l"},
	/* cut */
	{"\033", "", "\030\033\\"},
	{"\033[", "", "\030\033\\"},
	{"\033[?1;2", "", "\030\033\\"},
	{"\033(", "", "\030\033\\"},
	{"\033]0;title", "\033]9999;", "\030\033\\"},
	{"\033]0;title\033", "\033]9999;", "\030\033\\"},
	{"\033P1$", "\033^", "\030\033\\"},
	{"\033P1$r", "\033^", "\030\033\\"},
	{"\033[?2004h\033_Gx", "\033[?2004h\033^", "\030\033\\\033[?2004l"},
	/* everything at once, as vim leaves it when its connection is lost */
	{"\033[?1049h\033[22;0;0t\033[>4;2m\033[?1h\033=\033[?2004h\033[?1004h\033[1;24r\033[?12h"
	 "\033[?12l\033[22;2t\033[22;1t\033[27m\033[23m\033[29m\033[m\033[H\033[2J\033[?25l\033[24;1H"
	 "\033[1;1H\033[?25h\033[?1000h\033[?1002h\033[?1006h\033[2 q",
		"\033[?1049h\0337\033[1;24r\0338\033[?1h\033=\033[?1000h\033[?1002h\033[?1004h"
		"\033[?1006h\033[?2004h\033[2 q\033[>4;2m",
		"\033[?1049l\0337\033[r\0338\033[?1l\033>\033[?1000l\033[?1002l\033[?1004l\033[?1006l"
		"\033[?2004l\033[0 q\033[>4;0m"},
};

static const struct modes nothing;
static char out[MODES_TEXT + 64];

static void feed_in(struct modes *m, const char *stream, int how)
{
	size_t left = strlen(stream);

	*m = nothing;
	while (left) {
		size_t n = piece(how, left);

		modes_feed(m, (const unsigned char *)stream, n);
		stream += n;
		left -= n;
	}
}

/* Whether the text written is this. */
static int wrote(const struct text *t, const char *want)
{
	size_t n = (size_t)(t->at - out);

	if (n == strlen(want) && !memcmp(out, want, n))
		return 1;
	say("got ");
	say_visibly(out, n);
	say("\n");
	return 0;
}

/* What leads to a stream's modes, fed to another, makes that alike, but for what only the stream can tell. */
static int leads_there(const struct modes *m, const struct modes *from)
{
	struct text t = {out, out + sizeof out}, none = {out, out + sizeof out};
	struct modes other = *from, at = *m;

	at.escape.state = 0;
	modes_change(from, &at, &t);
	modes_feed(&other, (const unsigned char *)out, (size_t)(t.at - out));
	other.colors = at.colors;
	other.link = at.link;
	other.keyboard[!at.alternate] = at.keyboard[!at.alternate];
	modes_change(&other, &at, &none);
	return t.at - out <= MODES_TEXT && wrote(&none, "");
}

static int modes_right(size_t i, int how)
{
	struct text on = {out, out + sizeof out}, off = on;
	struct modes m, unknown;
	int below;

	feed_in(&m, modes_case[i].stream, how);
	modes_unknown(&unknown, &m);
	if (!leads_there(&m, &nothing) || !leads_there(&m, &unknown))
		return 0;
	modes_change(&nothing, &m, &on);
	if (!wrote(&on, modes_case[i].on))
		return 0;
	below = modes_off(&m, &off);
	return below == (off.at > out && off.at[-1] == '\n') && wrote(&off, modes_case[i].off);
}

static void modes_table(void)
{
	check(sizeof(struct modes) <= 200, "modes", "small");
	for (size_t i = 0; i < sizeof modes_case / sizeof *modes_case; i++) {
		int right = 1;

		for (int how = 0; how <= WHOLE; how++)
			right &= modes_right(i, how);
		check(right, "modes", modes_case[i].stream);
	}
}

/* A string that never ends, and a sequence of digits without end, are text after a while. */
static void modes_limit(const char *begin)
{
	static const unsigned char filler[4096] = "00000000000000";
	struct modes m;

	feed_in(&m, begin, WHOLE);
	for (unsigned n = 0; n < ESCAPE_MAX; n += sizeof filler)
		modes_feed(&m, filler, sizeof filler);
	check(!m.escape.state, "modes", begin);
}

/* Margins are the old window's. */
static void modes_window(void)
{
	struct text t = {out, out + sizeof out};
	struct modes m;

	feed_in(&m, "\033[1;24r\033[J", WHOLE);
	modes_resized(&m);
	modes_off(&m, &t);
	check(wrote(&t, ""), "modes", "resized");
}

/* ---- escape.c ---- */

static const struct {
	const char *sequence;
	int asks;
} asks_case[] = {
	{"\005", 1},
	{"\016", 0},
	{"\033Z", 1},
	{"\033#Z", 0},
	{"\033[c", 1},
	{"\033[0c", 1},
	{"\033[>c", 1},
	{"\033[>0c", 1},
	{"\033[=c", 1},
	{"\033[?1c", 0},
	{"\033[5n", 1},
	{"\033[6n", 1},
	{"\033[?6n", 1},
	{"\033[?996n", 1},
	{"\033[>4n", 0},
	{"\033[4$p", 1},
	{"\033[?2026$p", 1},
	{"\033[!p", 0},
	{"\033[62;1\"p", 0},
	{"\033[>q", 1},
	{"\033[>0q", 1},
	{"\033[2 q", 0},
	{"\033[0q", 0},
	{"\033[11t", 1},
	{"\033[14;2t", 1},
	{"\033[18t", 1},
	{"\033[21t", 1},
	{"\033[8;24;80t", 0},
	{"\033[22;0;0t", 0},
	{"\033[23;0;0t", 0},
	{"\033[>2t", 0},
	{"\033[x", 1},
	{"\033[1x", 1},
	{"\033[?u", 1},
	{"\033[u", 0},
	{"\033[>1u", 0},
	{"\033[<u", 0},
	{"\033[?4m", 1},
	{"\033[4m", 0},
	{"\033[>4m", 0},
	{"\033[?1;1;0S", 1},
	{"\033[2S", 0},
	{"\033[1$u", 1},
	{"\033[&u", 1},
	{"\033[1$w", 1},
	{"\033[1;1;1;1;2;2*y", 1},
	{"\033['|", 1},
	{"\033[#|", 1},
	{"\033[?1s", 0},
	{"\033[?1r", 0},
	{"\033[1;2r", 0},
	{"\033P$qm\033\\", 1},
	{"\033P$q q\033\\", 1},
	{"\033P+q544e\033\\", 1},
	{"\033P1;0q#0~\033\\", 0},
	{"\033P1$r0m\033\\", 0},
	{"\033]4;0;?\033\\", 1},
	{"\033]4;0;?\007", 1},
	{"\033]4;0;rgb:0/0/0\007", 0},
	{"\033]5;0;?\007", 1},
	{"\033]10;?\007", 1},
	{"\033]10;?;?\007", 1},
	{"\033]11;?\033\\", 1},
	{"\033]11;#000\033\\", 0},
	{"\033]12;?\007", 1},
	{"\033]19;?\007", 1},
	{"\033]21;foreground=?\033\\", 1},
	{"\033]22;?__current__\033\\", 1},
	{"\033]50;?\007", 1},
	{"\033]52;c;?\007", 1},
	{"\033]52;;?\033\\", 1},
	{"\033]52;c;YQ==\007", 0},
	{"\033]99;i=1:p=?;\033\\", 1},
	{"\033]1337;ReportCellSize\007", 1},
	{"\033]1337;SetMark\007", 0},
	{"\033]0;what;?\007", 0},
	{"\033]2;?\007", 0},
	{"\033]7;file://h/?\007", 0},
	{"\033]8;;?\007", 0},
	{"\033]9;?\007", 0},
	{"\033]133;A\007", 0},
	{"\033_Ga=q,i=1,s=1,v=1;AAAA\033\\", 1},
	{"\033_Gi=31,s=10,v=2;AAAA\033\\", 1},
	{"\033_GI=3,a=T;AAAA\033\\", 1},
	{"\033_Gi=31,q=2;AAAA\033\\", 0},
	{"\033_Gq=2,i=31;AAAA\033\\", 0},
	{"\033_Gm=1;i=\033\\", 0},
	{"\033_Xi=1\033\\", 0},
	{"\033^i=1;?\033\\", 0},
	{"\033[6\030n", 0},
};

static void asks_table(void)
{
	for (size_t i = 0; i < sizeof asks_case / sizeof *asks_case; i++) {
		const unsigned char *p = (const unsigned char *)asks_case[i].sequence;
		size_t n = strlen(asks_case[i].sequence);
		struct escape e = {0};
		int asks = 0;

		for (; n; p++, n--)
			if (escape_next(&e, p, 1) && e.done)
				asks |= escape_asks(&e);
		check(asks == asks_case[i].asks && !e.state, "asks", asks_case[i].sequence);
	}
}

static const struct {
	const char *sequence;
	int key;
} key_case[] = {
	{"\033[92;5u", 28},
	{"\033[92;133u", 28},
	{"\033[92;69u", 28},
	{"\033[92;197u", 28},
	{"\033[92;5:1u", 28},
	{"\033[92;5:2u", 28},
	{"\033[92;5:3u", KEY_SILENT},
	{"\033[92:124;5u", 28},
	{"\033[92:124:92;133:1u", 28},
	{"\033[1078::92;5u", 28},
	{"\033[27;5;92~", 28},
	{"\033[27;133;92~", 28},
	{"\033[92;7u", KEY_OTHER},
	{"\033[92;13u", KEY_OTHER},
	{"\033[92u", 92},
	{"\033[92;1u", 92},
	{"\033[92;;92u", 92},
	{"\033[93;5u", 29},
	{"\033[97;5u", 1},
	{"\033[97;6u", KEY_OTHER},
	{"\033[65;5u", 1},
	{"\033[27;5;97~", 1},
	{"\033[27;6;95~", 31},
	{"\033[45;6u", 31},
	{"\033[45:95;6u", 31},
	{"\033[54:94;6u", 30},
	{"\033[27;6;94~", 30},
	{"\033[63;5u", 127},
	{"\033[47:63;6u", 127},
	{"\033[113;1u", 'q'},
	{"\033[113;2u", 'Q'},
	{"\033[113:81;2u", 'Q'},
	{"\033[27;2;81~", 'Q'},
	{"\033[51;5u", KEY_OTHER},
	{"\033[57442;5u", KEY_SILENT},
	{"\033[57442;1:3u", KEY_SILENT},
	{"\033[57358u", KEY_SILENT},
	{"\033[57360;129u", KEY_SILENT},
	{"\033[57399;5u", KEY_OTHER},
	{"\033[1;5A", KEY_OTHER},
	{"\033[1;5:3A", KEY_SILENT},
	{"\033[3;5~", KEY_OTHER},
	{"\033[3;1:3~", KEY_SILENT},
	{"\033[?92;5u", KEY_OTHER},
	{"\033[>92;5u", KEY_OTHER},
	{"\033[92;5$u", KEY_OTHER},
	{"\033[27;5;92;1~", KEY_OTHER},
	{"\033[u", KEY_OTHER},
	{"\033[65535;65535u", KEY_OTHER},
	{"\033Oq", KEY_OTHER},
	{"\034", KEY_OTHER},
};

static void key_table(void)
{
	for (size_t i = 0; i < sizeof key_case / sizeof *key_case; i++) {
		struct escape e = {0};

		escape_next(&e, (const unsigned char *)key_case[i].sequence,
			strlen(key_case[i].sequence));
		check(escape_key(&e) == key_case[i].key, "key", key_case[i].sequence);
	}
}

/* ---- replay.c ---- */

/* What a ring of this size gives a late client of the stream. */
static const struct {
	const char *stream;
	size_t size;
	const char *on, *shown;
} replay_case[] = {
	{"abc", 8, "", "abc"},
	{"0123456789", 4, "", "6789"},
	{"\033[?1049habcdef", 6, "\033[?1049h", "abcdef"},
	{"\033[?1049habcdef", 7, "\033[?1049h", "abcdef"},
	{"\033[?1049habcdef", 13, "\033[?1049h", "abcdef"},
	{"\033[?1049habcdef", 14, "", "\033[?1049habcdef"},
	{"\033[?1h\033[?1lxxxx", 9, "\033[?1h", "\033[?1lxxxx"},
	{"\033[?1h\033[?1lxxxx", 8, "", "xxxx"},
	{"\033[31mred\033[mplain", 11, "\033[0;31m", "red\033[mplain"},
	{"\303\251\303\251", 3, "", "\303\251"},
	{"\360\237\230\200\360\237\230\200x", 4, "", "x"},
	{"\360\237\230\200\360\237\230\200x", 8, "", "\360\237\230\200x"},
	{"\251x", 8, "", "\251x"},
	{"\033]0;title\007abc", 6, "", "abc"},
	{"\033]0;title\033\\abc", 4, "", "abc"},
	{"\033]0;title\033\\abc", 5, "", "abc"},
	{"\033[?5h\033]0;title", 5, "\033[?5h\033]9999;", ""},
	{"a\033[6nb", 64, "", "ab"},
	{"a\033[6n", 64, "", "a"},
	{"\033[6n", 64, "", ""},
	{"\033[6n\033[c\033[>c\005", 64, "", ""},
	{"a\033[6", 64, "", "a\033[6"},
	{"a\033[6nb\033[1mc\033[cd", 9, "", "\033[1mcd"},
	{"\033[c1\033[>c2\0053\033]11;?\0074\033P+q544e\033\\5\033[?2026$p6\033[18t7", 64, "",
		"1234567"},
	{"\033[2;2H\033[?1;2c\033]0;t\007\033P0q\033\\\033[1t", 64, "",
		"\033[2;2H\033[?1;2c\033]0;t\007\033P0q\033\\\033[1t"},
	{"\033]11;?\033[6nx", 64, "", "\033]11;?x"},
};

static void ring_fill(struct trail *t, struct ring *r, const char *stream, int how)
{
	size_t left = strlen(stream);

	while (left) {
		size_t n = piece(how, left < r->size ? left : r->size);

		ring_copy(r, stream, n);
		trail_follow(t, r, ring_oldest(r));
		stream += n;
		left -= n;
	}
}

/* All that the reader is given, a piece at a time. */
static void replay_read(struct text *shown, const struct ring *r, uint64_t pos, int how)
{
	struct replay p = {.looked = pos};
	size_t n;

	while ((n = replay_next(&p, r, &pos, r->head))) {
		struct iovec v[2];

		n = piece(how, n);
		ring_data(r, pos, n, v);
		memcpy(shown->at, v->iov_base, v->iov_len);
		shown->at += v->iov_len;
		pos += v->iov_len;
	}
}

static int replay_right(size_t i, int how)
{
	struct text on = {out, out + sizeof out}, shown = on;
	struct trail t = {.pos = 0};
	struct modes m, end;
	struct ring r;
	uint64_t pos;
	int right;

	if (ring_open(&r, replay_case[i].size))
		return 0;
	ring_fill(&t, &r, replay_case[i].stream, how);
	pos = trail_begin(&t, &r, &m);
	feed_in(&end, replay_case[i].stream, WHOLE);
	trail_follow(&t, &r, r.head);
	right = t.modes.alternate == end.alternate;
	modes_change(&nothing, &m, &on);
	right &= wrote(&on, replay_case[i].on);
	replay_read(&shown, &r, pos, how);
	ring_close(&r);
	return right & wrote(&shown, replay_case[i].shown);
}

static void replay_table(void)
{
	for (size_t i = 0; i < sizeof replay_case / sizeof *replay_case; i++) {
		int right = 1;

		for (int how = 0; how <= WHOLE; how++)
			right &= replay_right(i, how);
		check(right, "replay", replay_case[i].stream);
	}
}

/* ---- input.c ---- */

/* Runs of typed (t), reports (r) and answers (a), as they come out. */
static const struct {
	const char *stream, *runs;
} input_case[] = {
	{"abc", "t abc"},
	{"a\005\016\017\177\r", "t a\005\016\017\177\r"},
	/* keys, mouse, pastes */
	{"\033[A\033OP\033[1;5C\033[3~\033[15;2~\033[[A\033[Z\033[H\033[27;5;92~\033[97;5u",
		"t \033[A\033OP\033[1;5C\033[3~\033[15;2~\033[[A\033[Z\033[H\033[27;5;92~\033[97;5u"},
	{"\033[<0;5;6M\033[<0;5;6m\033[32;5;6M\033[M !!",
		"t \033[<0;5;6M\033[<0;5;6m\033[32;5;6M\033[M !!"},
	{"\033[200~pasted\033[201~", "t \033[200~pasted\033[201~"},
	{"\033x\033\033[A\033\177\033Z", "t \033x\033\033[A\033\177\033Z"},
	{"\033[65;30;97;1;0;1_", "t \033[65;30;97;1;0;1_"},
	/* F3 with modifiers, and where the cursor is */
	{"\033[1;2R\033[1;16R\033[R", "t \033[1;2R\033[1;16R\033[R"},
	{"\033[1;1R", "a \033[1;1R"},
	{"\033[1;17R", "a \033[1;17R"},
	{"\033[2;2R", "a \033[2;2R"},
	{"\033[24;80R", "a \033[24;80R"},
	{"\033[?1;2R", "a \033[?1;2R"},
	/* answers */
	{"\033[?64;1;2;6;9;15;16;17;18;21;22;28c", "a \033[?64;1;2;6;9;15;16;17;18;21;22;28c"},
	{"\033[?1;2c", "a \033[?1;2c"},
	{"\033[>0;276;0c", "a \033[>0;276;0c"},
	{"\033P!|00000000\033\\", "a \033P!|00000000\033\\"},
	{"\033[0n", "a \033[0n"},
	{"\033[?13n", "a \033[?13n"},
	{"\033[?2026;2$y", "a \033[?2026;2$y"},
	{"\033[4;2$y", "a \033[4;2$y"},
	{"\033[?1u", "a \033[?1u"},
	{"\033[>4;2m", "a \033[>4;2m"},
	{"\033[8;24;80t", "a \033[8;24;80t"},
	{"\033[2;1;1;112;112;1;0x", "a \033[2;1;1;112;112;1;0x"},
	{"\033[?1;0;1024S", "a \033[?1;0;1024S"},
	{"\033]11;rgb:0000/0000/0000\033\\", "a \033]11;rgb:0000/0000/0000\033\\"},
	{"\033]11;rgb:0000/0000/0000\007", "a \033]11;rgb:0000/0000/0000\007"},
	{"\033]52;c;YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXowMTIzNDU2Nzg5YWJjZGVmZ2hpamtsbW5vcHFyc3R1\033\\x",
		"a \033]52;c;YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXowMTIzNDU2Nzg5YWJjZGVmZ2hpamtsbW5vcHFyc3R1\033\\"
		"t x"},
	{"\033P>|XTerm(388)\033\\", "a \033P>|XTerm(388)\033\\"},
	{"\033P1$r0m\033\\", "a \033P1$r0m\033\\"},
	{"\033P1+r544e=787465726d\033\\", "a \033P1+r544e=787465726d\033\\"},
	{"\033P0+r\033\\", "a \033P0+r\033\\"},
	{"\033_Gi=31;OK\033\\", "a \033_Gi=31;OK\033\\"},
	/* reports */
	{"\033[I", "r \033[I"},
	{"\033[O", "r \033[O"},
	{"\033[?997;1n", "r \033[?997;1n"},
	{"\033[48;24;80;480;640t", "r \033[48;24;80;480;640t"},
	/* one among the others */
	{"ls\r\033[?1;2c\033[Ix\033[1;1Ry", "t ls\ra \033[?1;2cr \033[It xa \033[1;1Rt y"},
	{"\033\033[?1;2c", "t \033a \033[?1;2c"},
	{"\033[\033[?1;2c", "t \033[a \033[?1;2c"},
	/* Alt and a letter that begins a string, when more is typed */
	{"\033]hello", "t \033]hello"},
	{"\033Phello", "t \033Phello"},
	{"\033_x\033Xy\033^z\033[I", "t \033_x\033Xy\033^zr \033[I"},
	{"\033]x\033\\y", "t \033]x\033\\y"},
	/* longer than any key */
	{"\033[1;2;3;4;5;6;7;8;9;10;11;12;13;14;15;16;17;18;19;20;21;22;23;24;25;26;27;28;29~x",
		"t \033[1;2;3;4;5;6;7;8;9;10;11;12;13;14;15;16;17;18;19;20;21;22;23;24;25;26;27;28;29~x"},
	{"\033[1\030x", "t \033[1\030x"},
	{"\033[?1\030x", "t \033[?1\030x"},
};

static struct text runs;
static char run_kind;
static unsigned char part[8192];
static size_t part_len;

static void put(const unsigned char *data, size_t n)
{
	memcpy(runs.at, data, n);
	runs.at += n;
}

/* Writes a run down, behind its letter when it is of another kind than the last. */
static void take(struct input *in, int kind, const unsigned char *data, size_t n)
{
	(void)in;
	if (kind == INPUT_PART) {
		memcpy(part + part_len, data, n);
		part_len += n;
		return;
	}
	if (run_kind != "tra"[kind]) {
		run_kind = "tra"[kind];
		text_str(&runs, (char[]){run_kind, ' ', 0});
	}
	put(part, part_len);
	if (n)
		put(data, n);
	part_len = 0;
}

static int input_right(size_t i, int how, int hold)
{
	struct input in = {.take = take, .hold = (char)hold};
	const char *stream = input_case[i].stream;
	size_t left = strlen(stream);

	runs = (struct text){out, out + sizeof out};
	run_kind = 0;
	part_len = 0;
	while (left) {
		size_t n = piece(how, left);

		input_feed(&in, (const unsigned char *)stream, n);
		stream += n;
		left -= n;
		if (hold && part_len)
			return 0;
	}
	return !in.len && !part_len && input_due(&in) == NEVER && wrote(&runs, input_case[i].runs);
}

/* What nothing follows was typed: ESC after 10 ms, more after 100. */
static void input_wait(const char *begin, msec wait)
{
	for (int hold = 0; hold < 2; hold++) {
		struct input in = {.take = take, .hold = (char)hold};
		int right;

		runs = (struct text){out, out + sizeof out};
		run_kind = 0;
		part_len = 0;
		loop_now = 1000;
		input_feed(&in, (const unsigned char *)begin, strlen(begin));
		right = input_due(&in) == 1000 + wait && !run_kind &&
			part_len == (hold ? 0 : strlen(begin));
		loop_now += wait - 1;
		input_expire(&in);
		right &= !run_kind;
		loop_now++;
		input_expire(&in);
		right &= input_due(&in) == NEVER && run_kind == 't' &&
			 runs.at == out + 2 + strlen(begin);
		input_feed(&in, (const unsigned char *)"[Ix", 3);
		check(right && runs.at == out + 5 + strlen(begin), "input, nothing follows", begin);
	}
}

/* Of a string that is broken off only the ESC that would have ended it may have been given before. */
static void input_broken(void)
{
	struct input in = {.take = take, .hold = 1};

	runs = (struct text){out, out + sizeof out};
	run_kind = 0;
	for (const char *p = "\033]1\033[?1;2cx"; *p; p++)
		input_feed(&in, (const unsigned char *)p, 1);
	check(wrote(&runs, "t \033]1a \033[?1;2ct x"), "input", "a string broken off");
}

static int keys_seen;

static void take_key(struct input *in, int kind, const unsigned char *data, size_t n)
{
	(void)data;
	if (kind == INPUT_TYPED && in->escape.done && n == in->escape.len)
		keys_seen += escape_key(&in->escape) == 28;
}

/* The detach key as a sequence is seen once, however it comes, also behind another as long, broken off (B8). */
static void input_key(void)
{
	static const char stream[] = "x\033[97;55\033[92;5ux\033[92;5:3u\033[A";
	int right = 1;

	for (int how = 0; how <= WHOLE; how++) {
		struct input in = {.take = take_key, .hold = 1};

		keys_seen = 0;
		for (size_t at = 0, n; at < sizeof stream - 1; at += n)
			input_feed(&in, (const unsigned char *)stream + at,
				n = piece(how, sizeof stream - 1 - at));
		right &= keys_seen == 1;
	}
	check(right, "input", "the detach key");
}

static void input_table(void)
{
	static const char *const begin[] = {"\033", "\033[", "\033]", "\033P", "\033_", "\033[?1"};

	for (size_t i = 0; i < sizeof input_case / sizeof *input_case; i++) {
		int right = 1;

		for (int how = 0; how <= WHOLE; how++)
			right &= input_right(i, how, 0) & input_right(i, how, 1);
		check(right, "input", input_case[i].stream);
	}
	input_broken();
	input_key();
	for (size_t i = 0; i < sizeof begin / sizeof *begin; i++)

		input_wait(begin[i], begin[i][1] ? 100 : 10);
}

/* ---- a file of output ---- */

static void show_file(const char *path, int off)
{
	static unsigned char buf[65536];
	struct text t = {out, out + sizeof out};
	struct modes m = nothing;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		die(1, path, ": ", msg_errno());
	while ((n = read(fd, buf, sizeof buf)) > 0)
		modes_feed(&m, buf, (size_t)n);
	close(fd);
	if (off)
		modes_off(&m, &t);
	else
		modes_change(&nothing, &m, &t);
	io_write_all(1, out, (size_t)(t.at - out));
}

int unit_modes_main(char **argv, const char *options)
{
	(void)options;
	if (argv[1]) {
		show_file(argv[1], argv[2] != 0);
		return 0;
	}
	modes_table();
	modes_limit("\033]0;");
	modes_limit("\033P");
	modes_limit("\033[");
	modes_window();
	asks_table();
	key_table();
	replay_table();
	input_table();
	return failed;
}
