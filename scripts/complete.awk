# complete.awk: the head comments of all applets and one config file -> completions for bash and zsh
#
# usage: awk -v to=DIR -v parts=scripts -f applets.awk -f complete.awk FILE.c... config=1 CONFIG
#
# Writes DIR/ptybox for bash and DIR/_ptybox for zsh. The name of an option's value in its help line decides what is offered
# for it (kind_of); for other names, as N or SECS, nothing is.

BEGIN {
	another_output = 1
	kind_of["FILE"] = "file"
	kind_of["DIR"] = "directory"
	kind_of["ADDR"] = "address"
	kind_of["USER[:GROUP]"] = "user"
	kind_of["NS[,NS]..."] = "namespaces"
	kind_of["PID"] = "process"
	# an address given by any other option stands instead of the bare ADDR
	beside["S"] = 1
}

END {
	if (failed)
		exit 1
	for (i = 1; i <= nowners; i++)
		if (type[owners[i]] == "applet" && on[switched[owners[i]]] && switched[owners[i]] != "UNIT")
			offered[++noffered] = owners[i]
	bash(to "/ptybox")
	zsh(to "/_ptybox")
}

# every option of an applet that is built in, its own first: list[1...], and how many
function options_of(a, list,    n, g, i, o) {
	n = 0
	for (g = 0; g < 2; g++) {
		o = g ? group[a] : a
		for (i = 1; i <= count[o]; i++)
			if (present(own[o, i]))
				list[++n] = own[o, i]
	}
	return n
}

function value_of(k) {
	return length(left[k]) > 2 ? substr(left[k], 4) : ""
}

function value_kind(k,    v) {
	v = value_of(k)
	if (v == "")
		return ""
	return (v in kind_of) ? kind_of[v] : "none"
}

function takes_command(a) {
	return usage[a] ~ /COMMAND/
}

function is_instead(k) {
	return value_kind(k) == "address" && !(letter[k] in beside)
}

function own_words() {
	return "--help --list --version" (on["KEYED"] ? " --keygen" : "") (on["INSTALL"] ? " --install" : "")
}

function names(    i, s) {
	s = ""
	for (i = 1; i <= noffered; i++)
		s = s (i > 1 ? " " : "") offered[i]
	return s
}

# what the help says may be unshared
function namespaces(    i, s) {
	for (i = 1; i <= options; i++)
		if (value_kind(i) == "namespaces") {
			s = text[i]
			sub(/^[^ ]+ /, "", s)
			gsub(/,/, "", s)
			return s
		}
	return ""
}

function lists(open, shut, out) {
	print "_ptybox_names=" open names() shut > out
	print "_ptybox_words=" open own_words() shut > out
	print "_ptybox_namespaces=" open namespaces() shut > out
	print "" > out
}

# ---- bash ----

function bash(out) {
	print "# bash completion for ptybox: made by scripts/complete.awk; do not edit" > out
	print "" > out
	print "# -x=kind: an option and what its value is; -x: one without; instead: those that stand for the bare ADDR" > out
	applets("bash", out)
	lists("'", "'", out)
	copy("bash", out)
	print "complete -F _ptybox ptybox " names() > out
	close(out)
}

function bash_option(k, before, out) {
	printf("%s-%s%s", before, letter[k], (value_kind(k) == "" ? "" : "=" value_kind(k))) > out
}

# the function that says what an applet takes; its options are words in a string for bash, an array for zsh
function applets(shell, out,    i, j, n, list, instead) {
	print "_ptybox_applet() {" > out
	print "\tcase $1 in" > out
	for (i = 1; i <= noffered; i++) {
		n = options_of(offered[i], list)
		instead = ""
		print "\t" offered[i] ")" > out
		printf("\t\toptions=%s", shell == "zsh" ? "(\n" : "'") > out
		for (j = 1; j <= n; j++) {
			if (shell == "zsh")
				zsh_option(list[j], out)
			else
				bash_option(list[j], j > 1 ? " " : "", out)
			if (is_instead(list[j]))
				instead = instead letter[list[j]]
		}
		print (shell == "zsh" ? "\t\t)" : "'") > out
		print "\t\tinstead=" instead " command=" (takes_command(offered[i]) ? "yes" : "") > out
		print "\t\t;;" > out
	}
	print "\t*) return 1 ;;" > out
	print "\tesac" > out
	print "}" > out
	print "" > out
}

# the part that no option changes, from a file beside this one
function copy(name, out,    line, path, got) {
	path = parts "/complete." name
	while ((got = (getline line < path)) > 0)
		if (line !~ /^# shellcheck /)
			print line > out
	if (got < 0)
		fail(path, "cannot be read")
	close(path)
}

# ---- zsh ----

# The inside of single quotes, where brackets, colons and backslashes mean something to _arguments. Awks disagree
# on backslashes in a replacement.
function zsh_text(s,    i, c, out) {
	out = ""
	for (i = 1; i <= length(s); i++) {
		c = substr(s, i, 1)
		if (c == "'")
			c = "'\\''"
		else if (index("[]:\\", c))
			c = "\\" c
		out = out c
	}
	return out
}

function zsh(out) {
	print "#compdef ptybox " names() > out
	print "# zsh completion for ptybox: made by scripts/complete.awk; do not edit" > out
	print "" > out
	applets("zsh", out)
	lists("(", ")", out)
	copy("zsh", out)
	close(out)
}

function zsh_option(k, out,    spec) {
	spec = "-" letter[k]
	if (text[k] ~ /repeatable/)
		spec = "*" spec
	if (value_kind(k) != "")
		spec = spec "+"
	spec = spec "[" zsh_text(text[k]) "]"
	if (value_kind(k) != "")
		spec = spec ":" zsh_text(value_of(k)) ":" (value_kind(k) == "none" ? "" : "_ptybox_" value_kind(k))
	print "\t\t\t'" spec "'" > out
}
