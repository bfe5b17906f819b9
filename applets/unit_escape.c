/* unit_escape: check the parser of escape sequences, and the input of a terminal, against tables
 *
 * Every stream is fed whole, byte by byte and in random pieces, with the same result.
 *
 * applet unit_escape UNIT
 * usage (no arguments)
 */
#include <string.h>
#include "libbb.h"
#include "unit.h"

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

/* ---- term_input.c ---- */

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
static unsigned char part[8192] LARGE;
static size_t part_len;

static void put(const unsigned char *data, size_t n)
{
	memcpy(runs.at, data, n);
	runs.at += n;
}

/* Records a run, behind the letter of its kind if the run before was of another one. */
static void take(struct term_input *in, int kind, const unsigned char *data, size_t n)
{
	(void)in;
	if (kind == TERM_PART) {
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
	struct term_input in = {.take = take, .hold = (char)hold};
	const char *stream = input_case[i].stream;
	size_t left = strlen(stream);

	runs = (struct text){written, written + sizeof written};
	run_kind = 0;
	part_len = 0;
	while (left) {
		size_t n = piece(how, left);

		term_input_feed(&in, (const unsigned char *)stream, n);
		stream += n;
		left -= n;
		if (hold && part_len)
			return 0;
	}
	return !in.len && !part_len && term_input_due(&in) == NEVER &&
	       wrote(&runs, input_case[i].runs);
}

/* An incomplete sequence that nothing follows was typed: a lone ESC after 10 ms, a longer one after 100. */
static void input_wait(const char *begin, msec wait)
{
	for (int hold = 0; hold < 2; hold++) {
		struct term_input in = {.take = take, .hold = (char)hold};
		int right;

		runs = (struct text){written, written + sizeof written};
		run_kind = 0;
		part_len = 0;
		loop_now = 1000;
		term_input_feed(&in, (const unsigned char *)begin, strlen(begin));
		right = term_input_due(&in) == 1000 + wait && !run_kind &&
			part_len == (hold ? 0 : strlen(begin));
		loop_now += wait - 1;
		term_input_expire(&in);
		right &= !run_kind;
		loop_now++;
		term_input_expire(&in);
		right &= term_input_due(&in) == NEVER && run_kind == 't' &&
			 runs.at == written + 2 + strlen(begin);
		term_input_feed(&in, (const unsigned char *)"[Ix", 3);
		check(right && runs.at == written + 5 + strlen(begin),
			"term_input, nothing follows", begin);
	}
}

/* A string is broken off by a sequence whose ESC may have been the first half of the string's end. */
static void input_broken(void)
{
	struct term_input in = {.take = take, .hold = 1};

	runs = (struct text){written, written + sizeof written};
	run_kind = 0;
	for (const char *p = "\033]1\033[?1;2cx"; *p; p++)
		term_input_feed(&in, (const unsigned char *)p, 1);
	check(wrote(&runs, "t \033]1a \033[?1;2ct x"), "term_input", "a string broken off");
}

static int keys_seen;

static void take_key(struct term_input *in, int kind, const unsigned char *data, size_t n)
{
	(void)data;
	if (kind == TERM_TYPED && in->escape.done && n == in->escape.len)
		keys_seen += escape_key(&in->escape) == 28;
}

/* The detach key as a sequence is found once, however the stream is cut, also behind a sequence of the same length that
 * it breaks off (B8). */
static void input_key(void)
{
	static const char stream[] = "x\033[97;55\033[92;5ux\033[92;5:3u\033[A";
	int right = 1;

	for (int how = 0; how <= WHOLE; how++) {
		struct term_input in = {.take = take_key, .hold = 1};

		keys_seen = 0;
		for (size_t at = 0, n; at < sizeof stream - 1; at += n)
			term_input_feed(&in, (const unsigned char *)stream + at,
				n = piece(how, sizeof stream - 1 - at));
		right &= keys_seen == 1;
	}
	check(right, "term_input", "the detach key");
}

static void input_table(void)
{
	static const char *const begin[] = {"\033", "\033[", "\033]", "\033P", "\033_", "\033[?1"};

	for (size_t i = 0; i < sizeof input_case / sizeof *input_case; i++) {
		int right = 1;

		for (int how = 0; how <= WHOLE; how++)
			right &= input_right(i, how, 0) & input_right(i, how, 1);
		check(right, "term_input", input_case[i].stream);
	}
	input_broken();
	input_key();
	for (size_t i = 0; i < sizeof begin / sizeof *begin; i++)

		input_wait(begin[i], begin[i][1] ? 100 : 10);
}

int unit_escape_main(char **argv, const char *options)
{
	(void)argv, (void)options;
	asks_table();
	key_table();
	input_table();
	return failed;
}
