/* unit_modes: check the tracker of a terminal's modes, and replays, against tables
 *
 * Every stream is fed whole, byte by byte and in random pieces, with the same result.  With OUTPUT, a file of terminal
 * output, the sequences that lead to its modes are printed instead: a terminal that gets them must have the same modes
 * as one that gets the whole file; with "off" behind it, the sequences that lead back are printed.
 *
 * applet unit_modes UNIT
 * usage [OUTPUT [off]]
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "server/server.h"
#include "unit.h"
#include "unit_unknown.h"

/* ---- modes.c ---- */

#define MAIN_BELOW "\033[999H\r\n"

/* For a stream: the sequences that lead to its modes, and those that lead back. */
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

/* Whether the sequences that lead to a stream's modes set them in another tracker, but for colors, links and the other
 * screen's keyboard, which they cannot set. */
static int leads_there(const struct modes *m, const struct modes *from)
{
	struct text t = {written, written + sizeof written},
		    none = {written, written + sizeof written};
	struct modes other = *from, at = *m;

	at.escape.state = 0;
	modes_change(from, &at, &t);
	modes_feed(&other, (const unsigned char *)written, (size_t)(t.at - written));
	other.colors = at.colors;
	other.link = at.link;
	other.keyboard[!at.alternate] = at.keyboard[!at.alternate];
	modes_change(&other, &at, &none);
	return t.at - written <= MODES_TEXT && wrote(&none, "");
}

static int modes_right(size_t i, int how)
{
	struct text on = {written, written + sizeof written}, off = on;
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
	return below == (off.at > written && off.at[-1] == '\n') && wrote(&off, modes_case[i].off);
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

/* A change of the window's size resets the margins. */
static void modes_window(void)
{
	struct text t = {written, written + sizeof written};
	struct modes m;

	feed_in(&m, "\033[1;24r\033[J", WHOLE);
	modes_resized(&m);
	modes_off(&m, &t);
	check(wrote(&t, ""), "modes", "resized");
}

/* ---- replay.c ---- */

/* For a stream in a ring of this size: what a late client gets. */
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

/* Reads the whole replay, a piece at a time. */
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
	struct text on = {written, written + sizeof written}, shown = on;
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

/* ---- a file of output ---- */

static void show_file(const char *path, int off)
{
	static unsigned char buf[65536] LARGE;
	struct text t = {written, written + sizeof written};
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
	io_write_all(1, written, (size_t)(t.at - written));
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
	replay_table();
	return failed;
}
