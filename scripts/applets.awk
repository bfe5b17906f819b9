# applets.awk: the head comments of applets/*.c, libbb/*.c and libbb/*/*.c and one config file -> applets.h
#
# usage: awk -f applets.awk FILE.c... config=1 CONFIG
#
# With man.awk or complete.awk as a second -f manual pages or completions are written instead of the header.
#
# A head comment is the first comment of a file: "NAME: description", prose, then these lines:
#
#   applet NAME SYMBOL            an applet, and the config symbol that switches it on
#   group NAME                    or: options that several applets share
#   config SYMBOL y|n MEANING     a config symbol and its default
#   usage ARGUMENTS               what follows the applet's name
#   options LETTERS [GROUP]       the option string, as for getopt, and the shared group
#   option -x [ARG]  TEXT         the help line of an option; deeper lines continue TEXT
#   option[SYMBOL] -x [ARG]  TEXT the same, an option that is there only with SYMBOL=y
#
# Prose is free until the first of them; from there on every line must be one of them or blank.
# An inconsistency stops the build with one line. Runs with any POSIX awk.

FNR == 1 { head = 0; seen = 0; owner = ""; last = 0 }

config { read_config($0); next }

head == 0 && /^\/\*/ { head = 1; sub(/^\/\*/, " *"); first = 1 }
head == 1 {
	line = $0
	if (line ~ /\*\//) {
		head = 2
		sub(/[ \t]*\*\/.*/, "", line)
	}
	sub(/^[ \t]*\*[ \t]?/, "", line)
	sub(/[ \t]+$/, "", line)
	if (first) {
		description = line
		sub(/^[^:]*:[ \t]*/, "", description)
		first = 0
	} else
		directive(line)
}

END {
	if (failed)
		exit 1
	sort(symbol, symbols)
	sort(owners, nowners)
	check()
	if (!another_output)
		header()
}

function fail(where, what) {
	if (failed)
		return
	failed = 1
	print where ": " what | "cat 1>&2"
	close("cat 1>&2")
	exit 1
}

function sort(list, n,    i, j, v) {
	for (i = 2; i <= n; i++) {
		v = list[i]
		for (j = i - 1; j > 0 && list[j] > v; j--)
			list[j + 1] = list[j]
		list[j + 1] = v
	}
}

# The rest of s after its first n words.
function after(s, n) {
	while (n-- > 0)
		sub(/^[^ \t]+[ \t]*/, "", s)
	return s
}

function read_config(s,    name, value) {
	sub(/#.*/, "", s)
	gsub(/[ \t\r]/, "", s)
	if (s == "")
		return
	if (s !~ /^[A-Z][A-Z0-9_]*=[yn]$/)
		fail(FILENAME, "not SYMBOL=y or SYMBOL=n: " s)
	name = value = s
	sub(/=.*/, "", name)
	sub(/.*=/, "", value)
	if (!(name in on))
		fail(FILENAME, "unknown symbol " name)
	if (name in configured)
		fail(FILENAME, "duplicate symbol " name)
	configured[name] = 1
	on[name] = value == "y"
}

function directive(s,    w, n) {
	n = split(s, w, /[ \t]+/)
	if (s ~ /^applet [a-z][a-z0-9_]* [A-Z][A-Z0-9_]*$/)
		new_owner("applet", w[2], w[3])
	else if (s ~ /^group [a-z][a-z0-9_]*$/)
		new_owner("group", w[2], "")
	else if (s ~ /^config [A-Z][A-Z0-9_]* [yn] ./)
		new_symbol(w[2], w[3])
	else if (!seen || s == "") {
		last = 0
		return
	} else if (s ~ /^[ \t]/ && last)
		text[last] = text[last] " " squeeze(s)
	else if (owner == "")
		fail(FILENAME, "not applet, group or config: " s)
	else if (s ~ /^usage ./)
		usage[owner] = after(s, 1)
	else if (s ~ /^options [A-Za-z0-9:]+( [a-z][a-z0-9_]*)?$/)
		new_options(w[2], n > 2 ? w[3] : "")
	else if (s ~ /^option(\[[A-Z][A-Z0-9_]*\])? -[A-Za-z0-9]( [^ ]+)*  +[^ ]/)
		new_option(s)
	else
		fail(FILENAME, "cannot read: " s)
	seen = 1
	if (w[1] !~ /^option(\[|$)/ && s !~ /^[ \t]/)
		last = 0
}

function squeeze(s) {
	gsub(/[ \t]+/, " ", s)
	sub(/^ /, "", s)
	return s
}

function new_owner(kind, name, sym) {
	owner = name
	if (name in type)
		fail(FILENAME, "duplicate " kind " " name)
	owners[++nowners] = name
	type[name] = kind
	file[name] = FILENAME
	switched[name] = sym
	about[name] = description
	usage[name] = letters[name] = group[name] = ""
	count[name] = 0
}

function new_symbol(name, value) {
	if (name in on)
		fail(FILENAME, "duplicate symbol " name)
	symbol[++symbols] = name
	on[name] = value == "y"
}

function new_options(s, g) {
	if (letters[owner] != "")
		fail(FILENAME, "a second options line: " s)
	letters[owner] = s
	group[owner] = g
}

function new_option(s,    sym) {
	sym = ""
	if (s ~ /^option\[/) {
		sym = s
		sub(/^option\[/, "", sym)
		sub(/\].*/, "", sym)
	}
	s = after(s, 1)
	last = ++options
	needs[last] = sym
	left[last] = s
	sub(/  .*/, "", left[last])
	letter[last] = substr(s, 2, 1)
	text[last] = squeeze(substr(s, length(left[last]) + 1))
	own[owner, ++count[owner]] = last
}

# The options of one owner: letters against help lines, in both directions.
function check_options(o,    s, c, i, k, arg) {
	for (s = letters[o]; s != ""; s = substr(s, 2 + arg)) {
		c = substr(s, 1, 1)
		arg = substr(s, 2, 1) == ":"
		if (c == ":")
			fail(file[o], "a colon too many in options " letters[o])
		if (c == "h")
			fail(file[o], "option -h is every applet's --help")
		if ((o, c) in takes)
			fail(file[o], "duplicate option -" c)
		takes[o, c] = arg
	}
	for (i = 1; i <= count[o]; i++) {
		k = own[o, i]
		c = letter[k]
		if (needs[k] != "" && !(needs[k] in on))
			fail(file[o], "unknown symbol " needs[k] " of option -" c)
		if (!((o, c) in takes))
			fail(file[o], "option -" c " is not in options " letters[o])
		if ((o, c) in helped)
			fail(file[o], "duplicate option line -" c)
		if (takes[o, c] && length(left[k]) == 2)
			fail(file[o], "option -" c " takes an argument that its help does not name")
		if (!takes[o, c] && length(left[k]) > 2)
			fail(file[o], "option -" c " takes no argument, but its help names one")
		helped[o, c] = k
	}
	for (s = letters[o]; s != ""; s = substr(s, 2)) {
		c = substr(s, 1, 1)
		if (c != ":" && !((o, c) in helped))
			fail(file[o], "option -" c " has no help line")
	}
}

function check(    i, o, g, j) {
	for (i = 1; i <= nowners; i++)
		check_options(owners[i])
	for (i = 1; i <= nowners; i++) {
		o = owners[i]
		g = group[o]
		if (type[o] == "applet" && !(switched[o] in on))
			fail(file[o], "unknown symbol " switched[o] " of applet " o)
		if (g == "")
			continue
		if (!(g in type) || type[g] != "group" || type[o] == "group")
			fail(file[o], "unknown group " g)
		for (j = 1; j <= count[g]; j++)
			if ((o, letter[own[g, j]]) in helped)
				fail(file[o], "duplicate option -" letter[own[g, j]] ", it is in group " g)
		if (type[o] == "applet" && on[switched[o]])
			used[g] = 1
	}
}

function present(k) {
	return needs[k] == "" || on[needs[k]]
}

# The option string without what is switched off.
function string(o,    s, out, c, n) {
	out = ""
	for (s = letters[o]; s != ""; s = substr(s, n + 1)) {
		c = substr(s, 1, 1)
		n = 1 + takes[o, c]
		if (present(helped[o, c]))
			out = out substr(s, 1, n)
	}
	return out
}

# For the inside of a C string. "&&", because awks disagree on backslashes in a replacement.
function escape(s) {
	gsub(/\\/, "&&", s)
	gsub(/"/, "\\\"", s)
	gsub(/\t/, "\\t", s)
	return s
}

# One C string literal, on a line of its own, that ends in a newline.
function literal(s) {
	printf "\n\t\"%s\\n\"", escape(s)
}

# An option in two columns, the second at 16 and wrapped at 80.
function help_line(k,    w, n, i, out, width) {
	out = "  " left[k]
	if (length(out) > 15) {
		literal(out)
		out = "\t\t"
	} else
		out = out (length(out) < 8 ? "\t\t" : "\t")
	width = 0
	n = split(text[k], w, " ")
	for (i = 1; i <= n; i++) {
		if (width && 16 + width + length(w[i]) >= 80) {
			literal(out)
			out = "\t\t"
			width = 0
		}
		out = out (width ? " " : "") w[i]
		width += length(w[i]) + (width > 0)
	}
	literal(out)
}

function help(o,    i) {
	printf "static const char help_%s[] =", o
	if (type[o] == "applet") {
		literal("usage: " o (usage[o] == "" ? "" : " " usage[o]))
		if (!verbose) {
			print ";"
			return
		}
		literal("")
		literal(about[o])
		if (string(o) string(group[o]) != "")
			literal("")
	}
	for (i = 1; i <= count[o]; i++)
		if (present(own[o, i]))
			help_line(own[o, i])
	print ";"
}

function header(    i, o, g, shared) {
	verbose = !("HELP" in on) || on["HELP"]
	print "/* made by scripts/applets.awk from the head comments and the config; do not edit */\n"
	for (i = 1; i <= symbols; i++)
		print "#define CFG_" symbol[i] " " on[symbol[i]]
	print ""
	for (i = 1; i <= nowners; i++)
		if (type[owners[i]] == "applet")
			print "int " owners[i] "_main(char **argv, const char *options);"
	print "\n#ifdef APPLET_TABLE"
	for (i = 1; i <= nowners; i++) {
		o = owners[i]
		if (type[o] == "group" && !(verbose && used[o] && string(o) != ""))
			group_off[o] = 1
		else if (type[o] == "group" || on[switched[o]])
			help(o)
	}
	printf "#define APPLETS"
	for (i = 1; i <= nowners; i++) {
		o = owners[i]
		g = group[o]
		if (type[o] != "applet" || !on[switched[o]])
			continue
		shared = (g == "" || (g in group_off)) ? "0" : "help_" g
		printf " \\\n\tAPPLET(%s, \"%s\", \"%s\", help_%s, %s)", o, escape(about[o]), \
			string(o) string(g), o, shared
	}
	print "\n#endif"
}
