# man.awk: docs/man/NAME.1.in, the head comments and one config file -> NAME.1 in mdoc(7)
#
# usage: awk -v pages=docs/man -v to=DIR -v version=N -f applets.awk -f man.awk FILE.c... config=1 CONFIG
#
# Writes the page of ptybox and of every applet that the config has. A template is mdoc, besides these lines:
#
#   @include FILE       another file of the folder
#   @if [!]SYMBOL       up to its @end only if the config has (has not) SYMBOL
#   @synopsis           all options and arguments of the page's applet
#   @options OWNER      the options of an applet or group, as an .It each; up to its @end come longer texts:
#   @option -x          what follows the help line of -x
#   @end
#
# and @VERSION@ anywhere. An option's name, argument and first sentence are its help line, so every page has exactly the
# options of its config. A text for an option that is not declared stops the build.

BEGIN { another_output = 1 }

END {
	if (failed)
		exit 1
	write_page("ptybox", "")
	for (i = 1; i <= nowners; i++)
		if (type[owners[i]] == "applet" && on[switched[owners[i]]] && switched[owners[i]] != "UNIT")
			write_page(owners[i], owners[i])
	if (failed)
		exit 1
}

function write_page(name, applet) {
	out = to "/" name ".1"
	page_of = applet
	depth = hidden = 0
	listing = ""
	read_template(name ".1.in")
	if (depth)
		fail(name ".1.in", "@" opened[depth] " without @end")
	close(out)
}

function read_template(name,    line, path, got) {
	path = pages "/" name
	while ((got = (getline line < path)) > 0) {
		if (line ~ /^@/)
			template_word(path, line)
		else if (!hidden)
			put(line)
		if (failed)
			exit 1
	}
	if (got < 0)
		fail(path, "cannot be read")
	close(path)
}

# A line of the page, or of the longer text of an option.
function put(line) {
	gsub(/@VERSION@/, version, line)
	if (listing == "")
		print line > out
	else if (longer == "")
		fail(out, "text before the first @option: " line)
	else
		more[longer] = more[longer] line "\n"
}

function template_word(path, line,    w, n) {
	n = split(line, w, " ")
	if (w[1] == "@end" && n == 1)
		end_block(path)
	else if (w[1] == "@if" && n == 2)
		open_block("if", !is_on(path, w[2]))
	else if (w[1] == "@option" && n == 2 && listing != "")
		longer_text(path, w[2])
	else if (listing != "")
		fail(path, "not inside of @options: " line)
	else if (w[1] == "@options" && n == 2)
		open_list(path, w[2])
	else if (w[1] == "@include" && n == 2) {
		if (!hidden)
			read_template(w[2])
	} else if (line == "@synopsis")
		synopsis(page_of)
	else
		fail(path, "cannot read: " line)
}

function is_on(path, sym,    not_on) {
	not_on = sub(/^!/, "", sym)
	if (!(sym in on))
		fail(path, "unknown symbol " sym)
	return on[sym] != not_on
}

function open_block(kind, hides) {
	opened[++depth] = kind
	hid[depth] = hides
	hidden += hides
}

function end_block(path) {
	if (!depth)
		fail(path, "@end of nothing")
	if (opened[depth] == "options") {
		list_options(listing)
		listing = ""
	}
	hidden -= hid[depth--]
}

function open_list(path, o) {
	if (!(o in type))
		fail(path, "no applet or group " o)
	open_block("options", 0)
	listing = o
	longer = ""
}

function longer_text(path, word,    c) {
	c = substr(word, 2)
	if (word !~ /^-[A-Za-z0-9]$/ || !((listing, c) in helped))
		fail(path, listing " has no option " word)
	longer = listing SUBSEP c
	more[longer] = ""
}

# Free text as mdoc: no character of it means anything to roff.
function roff(s) {
	gsub(/\\/, "\\e", s)
	gsub(/\^/, "\\(ha", s)
	gsub(/~/, "\\(ti", s)
	gsub(/`/, "\\(ga", s)
	gsub(/'/, "\\(aq", s)
	gsub(/ -/, " \\-", s)
	gsub(/\(-/, "(\\-", s)
	return (s ~ /^\./ ? "\\&" : "") s
}

function sentence(s) {
	s = toupper(substr(s, 1, 1)) substr(s, 2)
	return roff(s (s ~ /\.$/ ? "" : "."))
}

function list_options(o,    i, k) {
	for (i = 1; i <= count[o]; i++) {
		k = own[o, i]
		if (hidden || !present(k))
			continue
		print ".It Fl " letter[k] argument(k, " Ar ") > out
		print sentence(text[k]) > out
		printf "%s", more[o, letter[k]] > out
	}
}

# What an option takes, behind a prefix; nothing if it takes nothing.
function argument(k, prefix) {
	return length(left[k]) > 2 ? prefix substr(left[k], 4) : ""
}

# Options without an argument together, the others one by one, then what the usage line has behind them.
function synopsis(o,    flags, i, n, w) {
	flags = flags_of(o) flags_of(group[o])
	print ".Nm" > out
	if (flags != "")
		print ".Op Fl " flags > out
	valued(o)
	valued(group[o])
	n = split(usage[o], w, " ")
	for (i = w[1] == "[OPTIONS]" ? 2 : 1; i <= n; i++)
		i = operand(w, i)
}

function flags_of(o,    i, s) {
	s = ""
	for (i = 1; i <= count[o]; i++)
		if (present(own[o, i]) && argument(own[o, i], " ") == "")
			s = s letter[own[o, i]]
	return s
}

function valued(o,    i) {
	for (i = 1; i <= count[o]; i++)
		if (present(own[o, i]) && argument(own[o, i], " ") != "")
			print ".Op Fl " letter[own[o, i]] argument(own[o, i], " Ar ") > out
}

# The words from w[i] to where its brackets are closed, as one line: [A [B]...] is .Op Ar A Op Ar B ...
function operand(w, i,    line, s, level) {
	line = "."
	level = 0
	for (;;) {
		s = w[i]
		while (sub(/^\[/, "", s)) {
			line = line (line == "." ? "" : " ") "Op"
			level++
		}
		level -= gsub(/\]/, "", s)
		line = line (line == "." ? "" : " ") "Ar " (sub(/\.\.\.$/, "", s) ? s " ..." : s)
		if (level <= 0 || !((i + 1) in w))
			break
		i++
	}
	print line > out
	return i
}
