// frames.h: what a server sends, taken apart: raw output, frames, and what is said of them with -d. Included by framed.c
// behind its variables and fail().

static void log_output(void)
{
	if (!decoded || output_logged == output_len)
		return;
	printf("output ");
	for (; output_logged < output_len; output_logged++) {
		unsigned char c = (unsigned char)output[output_logged];

		printf(c == '\r'          ? "\\r" :
			c == '\n'         ? "\\n" :
			c < 32 || c > 126 ? "\\%03o" :
					    "%c",
			c);
	}
	printf("\n");
}

static void got_output(const void *data, size_t n)
{
	if (output_room - output_len < n) {
		output_room = (output_len + n) * 2;
		output = realloc(output, output_room);
		if (!output)
			die("out of memory");
	}
	memcpy(output + output_len, data, n);
	output_len += n;
	if (!decoded && !quiet && !write_all(1, data, n))
		die("standard output: %s", strerror(errno));
}

static void got_event(int type, unsigned size, const void *payload, size_t n)
{
	static const char *const names[] = {[ROWS] = "rows",
		[COLS] = "cols",
		[EXITED] = "exit",
		[PONG] = "pong",
		[107] = "replayed",
		[NOTICE] = "notice",
		[WELCOME] = "welcome"};

	events = realloc(events, (event_count + 1) * sizeof(*events));
	events[event_count].type = type;
	events[event_count].size = size;
	events[event_count].payload = calloc(1, n + 1);
	memcpy(events[event_count].payload, payload, n);
	if (type == WELCOME && strstr(events[event_count].payload, " session=")) // a random number
		*strstr(events[event_count].payload, " session=") = '\0';
	log_output();
	if (decoded && type <= WELCOME && names[type] && n)
		printf("%s %s\n", names[type], events[event_count].payload);
	else if (decoded && type <= WELCOME && names[type])
		printf("%s %u\n", names[type], size);
	else if (decoded)
		printf("frame %d %u\n", type, size);
	event_count++;
}

static void drop(size_t n)
{
	in_len -= n;
	memmove(in, in + n, in_len);
}

// raw output until WELCOME stands in it
static void look(void)
{
	unsigned char *at = said_hello ? memmem(in, in_len, "ptybox/1", 8) : NULL;
	size_t keep = said_hello && in_len < 11 ? in_len : said_hello ? 11 : 0;

	while (at && (at < in + 4 || at[-1] != WELCOME || at[-4]))
		at = memmem(at + 1, in_len - (size_t)(at + 1 - in), "ptybox/1", 8);
	if (at) {
		got_output(in, (size_t)(at - 4 - in));
		drop((size_t)(at - 4 - in));
		welcomed = true;
	} else {
		if (over)
			keep = 0;
		got_output(in, in_len - keep);
		drop(in_len - keep);
	}
}

static void understand(void)
{
	if (!welcomed)
		look();
	while (welcomed && in_len >= 4) {
		unsigned size = in[1] | in[2] << 8;
		size_t n = in[3] == OUTPUT || (in[3] >= 200 && in[3] < 255) ? size : 0;

		if (in[0])
			fail("decoding", "the first byte of a frame is not 0");
		if (in_len < 4 + n)
			return;
		if (in[3] == OUTPUT)
			got_output(in + 4, n);
		else
			got_event(in[3], size, in + 4, n);
		drop(4 + n);
	}
}
