# shellcheck shell=sh
# harness.sh: the words that *.test files are written in.
#
#   testing NAME COMMAND [EXPECTED [INFILE [STDIN]]]    (toybox's shape; what is left out is empty)
# COMMAND runs in a subshell of the file's shell, so it may use every function here and in the file, and
# in an empty directory of its own; what the file itself made is in "..". Its standard output must be
# EXPECTED and its exit status 0; INFILE becomes the file "input", STDIN its standard input; these three
# know printf's escapes. Variables before the word change one test:
#   status=3       the exit status to expect
#   limit=60       seconds until it counts as a hang (20); three times that under a RUNNER
#   errors=TEXT    standard error must be TEXT and a newline ("" is nothing); unset, it is free
# A test also fails by a crash or a sanitizer's report in any process, and by processes left behind: the
# warden kills those. Servers that `serve` starts inside a test are ended with it; outside, with the file.

# testing's knobs, back to this after each test
knobs() {
	status=0
	limit=20
	unset errors
}

file_start() {
	file=$1
	T=$RUN_DIR/$file
	results=$T/results
	servers=$T/servers
	patterns=$RUN_DIR/patterns/$file
	in_test=
	next_port=$((10000 + (RUN_PID % 22 * 1000 + FILE_NUMBER * 60) % 22000)) # below those that the kernel gives out
	mkdir "$T/dir" "$T/bin"
	: >"$results"
	: >"$servers"
	: >"$T/matched"
	links "$T/bin" "$PTYBOX"
	for other in ptyshim ptyattach; do # a client is tested with another build's server, a server with its client
		[ -e "$T/bin/$other" ] || link "$T/bin" "$other" "$PTYBOX_UNIT"
	done
	PATH=$T/bin:$PEERS:$PATH
	TMPDIR=$T/dir
	ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}log_path=$T/sanitizer:quarantine_size_mb=1
	UBSAN_OPTIONS=${UBSAN_OPTIONS:+$UBSAN_OPTIONS:}log_path=$T/sanitizer:print_stacktrace=1
	export PATH TMPDIR ASAN_OPTIONS UBSAN_OPTIONS
	unset PTYBOX_SOCKET PTYBOX_SESSION
	cd "$T/dir" || exit 1
	knobs
}

# link DIRECTORY NAME BINARY: a script where the binary needs a RUNNER
link() {
	if [ -z "${RUNNER-}" ]; then
		ln -s "$3" "$1/$2"
		return
	fi
	applet=$2
	[ "$2" != ptybox ] || applet=
	echo "#!/bin/sh
exec $RUNNER $3 $applet \"\$@\"" >"$1/$2"
	chmod +x "$1/$2"
}

# links DIRECTORY BINARY: ptybox and the applets by name
links() {
	for name in ptybox $(${RUNNER-} "$2" --list); do
		link "$1" "$name" "$2"
	done
}

# needs SYMBOL...: are these built in? What a config leaves out is not tested, as in
# `needs PTYATTACH || return 0`; a symbol that no file declares is an error.
needs() {
	for symbol; do
		if ! grep -q "^#define CFG_$symbol [01]\$" "${CONFIG_H:-/dev/null}"; then
			fail "needs $symbol" "no such symbol in CONFIG_H"
			return 1
		fi
		grep -q "^#define CFG_$symbol 1\$" "$CONFIG_H" || return 1
	done
}

# what strace can run: an emulator is traced itself, and a leak sanitizer traces
traceable() { [ -z "${RUNNER-}${SANITIZED-}" ]; }

# fail NAME REASON...
fail() {
	fail_name=$1
	shift
	printf 'FAIL %s: %s\n' "$file" "$fail_name" # echo would know the escapes of a name
	[ $# = 0 ] || printf '    %s\n' "$@"
	echo fail >>"$results"
}

# chosen NAME: is it one of the tests that run was asked for?
chosen() {
	chosen=1
	while IFS= read -r pattern; do
		# shellcheck disable=SC2254
		case $1 in
		*$pattern*)
			chosen=0
			printf '%s\n' "$pattern" >>"$T/matched"
			;;
		esac
	done <"$patterns"
	return "$chosen"
}

# a pattern that chose nothing would look like a success
all_matched() {
	while IFS= read -r pattern; do
		[ "$pattern" = '*' ] || grep -qxF -e "$pattern" "$T/matched" || fail "no test is named $pattern"
	done <"$patterns"
}

# what the warden answers to a request
ask() {
	echo "$1" >&8
	read -r answer <&9
}

testing() {
	chosen "${1-}" || { knobs; return; }
	if [ $# -lt 2 ] || [ $# -gt 5 ]; then # as by a quote too many
		fail "${1-}" "testing wants 2 to 5 arguments, not $#"
		knobs
		return
	fi
	printf %b "${3-}" >"$T/expected"
	printf %b "${5-}" >"$T/stdin"
	mkdir "$T/dir/test"
	[ -z "${4-}" ] || printf %b "$4" >"$T/dir/test/input"
	reasons=
	[ -z "${RUNNER-}" ] || limit=$((limit * 3))
	ask "begin $limit"
	{
		(
			exec 8>&- 9>&-
			cd "$T/dir/test" || exit
			in_test=yes
			servers=$T/servers-of-test
			: >"$servers"
			eval "$2"
			got=$?
			stop_all
			exit "$got"
		) <"$T/stdin" >"$T/actual" 2>"$T/stderr"
		got=$? # not after the brace: dash forgets the redirections of a lone subshell in one
	} 2>/dev/null # the shell's own word on a subshell that was killed
	ask end
	case $answer in
	timeout*) because "it took more than $limit s:$answer" ;;
	?*) because "left behind:$answer" ;;
	esac
	[ "$got" = "$status" ] || because "the exit status is $got, not $status"
	cmp -s "$T/expected" "$T/actual" || because "the output differs"
	if [ "${errors+set}" ]; then
		[ -z "$errors" ] || errors="$errors
"
		printf %s "$errors" | cmp -s - "$T/stderr" || because "stderr should be: $errors"
	fi
	sanitizer_reports
	if [ -z "$reasons" ]; then
		printf 'PASS %s: %s\n' "$file" "$1"
		echo pass >>"$results"
	else
		fail "$1"
		explain "$2"
	fi
	rm -rf "$T/dir/test"
	knobs
}

because() {
	reasons="$reasons
$*"
}

# what a sanitizer of any process wrote since the last test
sanitizer_reports() {
	for report in "$T"/sanitizer.*; do
		[ -e "$report" ] || continue
		because "$(head -n 40 "$report")"
		rm -f "$report"
	done
}

# the body of a FAIL: why, what was run, expected and actual, the last words
explain() {
	{
		printf '%s\n' "command: $1" "${reasons#?}"
		cmp -s "$T/expected" "$T/actual" || diff -a -u "$T/expected" "$T/actual"
		if [ -s "$T/stderr" ]; then
			echo "stderr:"
			cat "$T/stderr"
		fi
	} | head -c 6000 | cat -v | sed 's/^/    /' | head -n 60
}

file_end() {
	stop_all
	ask finish
	[ -z "$answer" ] || fail "the end of the file" "left behind:$answer"
	reasons=
	sanitizer_reports
	[ -z "$reasons" ] || fail "the end of the file" "$reasons"
	all_matched
	: >"$T/finished"
}

# retry COMMAND...: until it succeeds, or for some 20 s (RETRIES=400 times 50 ms)
retry() {
	tries=${RETRIES-400}
	until "$@"; do
		tries=$((tries - 1))
		if [ "$tries" = 0 ]; then
			echo "retry: gave up: $*" >&2
			return 1
		fi
		sleep 0.05
	done
}

# freeport: $port is a free TCP port now, another one each time
freeport() {
	port=$("$PEERS/freeport" "$next_port") || exit 1
	next_port=$((port + 1))
}

# program NAME: where it is in PATH; a busybox shell would run its own of that name
program() {
	for program in $(echo "$PATH" | tr : ' '); do
		[ -x "$program/$1" ] && echo "$program/$1" && return
	done
	echo "$1 is not installed" >&2
	return 1
}

# is someone listening at the TCP port $port
listening() { grep -q ":$(printf %04X "$port") 0*:0000 0A" /proc/net/tcp /proc/net/tcp6; }

# no such process, or only its remains
gone() {
	[ ! -e "/proc/$1" ] || grep -q '^State:.[ZX]' "/proc/$1/status" 2>/dev/null || [ ! -e "/proc/$1" ]
}

there() { [ -e "$1" ]; }
holds() { grep -aq "$1" "$2" 2>/dev/null; }
bytes() { wc -c <"$1" | tr -d ' '; }
not() { ! "$@"; }

# daemon_pid FILE: the N of "Daemon PID is N", which must be all it holds
daemon_pid() { sed -n '$!d; s/^Daemon PID is \([0-9][0-9]*\)$/\1/p' "$1"; }

# serve ARGS...: starts a ptyshim with these; $pid is the daemon's. Its last words are in serve.err.
serve() {
	ptyshim "$@" >"$T/serve.out" 2>"$T/serve.err" </dev/null
	serve_status=$?
	pid=$(daemon_pid "$T/serve.out")
	if [ "$serve_status" != 0 ] || [ -z "$pid" ]; then
		set -- "status $serve_status" "$(cat "$T/serve.out" "$T/serve.err")"
		if [ "$in_test" ]; then
			echo "serve: $*" >&2
			exit 98
		fi
		fail "start of a server" "$@"
		pid=0
		return 1
	fi
	watch "$pid"
}

# watch PID: one more process to end with the test or the file
watch() {
	if [ -z "$1" ]; then # of a daemon that did not start
		echo 'watch: no pid' >&2
		return 1
	fi
	echo "$1 $(started "$1")" >>"$servers"
}

# when it started, in the kernel's ticks: tells it from a later one of that number
started() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20; }

# spawn COMMAND...: runs it in the background; $spawned is its pid. It ends with the test or the file.
spawn() {
	"$@" &
	spawned=$!
	watch "$spawned"
}

# stop [PID]: ends a server (the last one that was started), and waits until it has ended
stop() {
	set -- "${1:-$pid}"
	kill "$1" 2>/dev/null
	retry gone "$1"
}

stop_all() {
	while read -r server born; do
		[ "$(started "$server")" != "$born" ] || kill -TERM "$server" 2>/dev/null
		[ "$(started "$server")" != "$born" ] || kill -CONT "$server" 2>/dev/null
	done <"$servers"
	while read -r server born; do
		[ "$(started "$server")" != "$born" ] || retry gone "$server"
	done <"$servers"
	: >"$servers"
}

# takes PID no processor time just now
idle() { [ "$("$PEERS/usage" switches 300 "$1")" = 0 ]; }

fds() { "$PEERS/usage" fds "$1"; }
rss() { "$PEERS/usage" rss "$1"; }

# repeats N: how often to repeat what N times show more surely than once; an emulator has no time for that
repeats() { [ -z "${RUNNER-}" ] && echo "$1" || echo $(($1 / 10)); }

# one line, from APPLET, that names WORD: what an error must look like on standard error
complains() {
	[ "$(grep -c '' "$T/complaint")" = 1 ] && grep -q "^$1: " "$T/complaint" &&
		grep -qF -e "$2" "$T/complaint" && return
	echo "not one line from $1 that names $2:" >&2
	cat "$T/complaint" >&2
	return 1
}

# refuse STATUS WORD COMMAND...: COMMAND must end with STATUS, say nothing on standard output, and one
# line that names WORD on standard error
refuse() {
	refuse_status=$1
	refuse_word=$2
	shift 2
	"$@" >"$T/complaint.out" 2>"$T/complaint" </dev/null
	refuse_got=$?
	complains "${1##*/}" "$refuse_word" || return 1
	if [ "$refuse_got" != "$refuse_status" ] || [ -s "$T/complaint.out" ]; then
		echo "status $refuse_got, not $refuse_status; stdout: $(cat "$T/complaint.out")" >&2
		return 1
	fi
}
