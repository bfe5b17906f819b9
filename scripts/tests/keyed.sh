# shellcheck shell=sh
# keyed.sh: keys, servers and clients with them, and mangle between, for door.test and the keyed*.test files.
# Source it in the file's own directory.

ptybox --keygen key
ptybox --keygen other
gen 9000 >input
: >empty

# at COMMAND...: a ptyshim, and routed COMMAND...: a ptyrouter, with $options and the key at 127.0.0.1:$port
options=
at() {
	freeport
	# shellcheck disable=SC2086
	serve -k ../key $options "127.0.0.1:$port" "$@"
}
routed() {
	freeport
	# shellcheck disable=SC2086
	ptyrouter -k ../key $options "127.0.0.1:$port" "$@" >router.out 2>router.err </dev/null || return
	pid=$(daemon_pid router.out)
	watch "$pid"
}
attach() { ptyattach -k "${key-../key}" "$@"; }

# a shell that does what is typed, line by line
obey='stty -echo; while read -r x; do eval "$x"; done'
asked() { # TEXT PART: does the answer to TEXT hold PART?
	onpty -t 10 raw "send:$1\r" "expect:$2" 'send:\x1c' exit -- \
		ptyattach -k ../key "127.0.0.1:$port" >asked.out
}
lives() { asked 'echo $((40+2))' 42; }

# between CHANGE [OPTION...]: mangle at $proxy, $port behind it
between() {
	server=$port
	freeport
	proxy=$port
	port=$server
	spawn mangle -o wire "$proxy" "$server" ${1+"$1"}
	mangler=$spawned
	port=$proxy
	retry listening
	port=$server
}

# quiet PID N: has it N descriptors
quiet() { [ "$(fds "$1")" = "$2" ]; }

# injected WHAT: a server whose getrandom fails so; what it says
injected() { # strace itself does not listen to TERM
	freeport
	strace -f -qq -o trace -e "inject=getrandom:error=$1" \
		"$T/bin/ptyshim" -F -p pid -k ../key "127.0.0.1:$port" sh -c "$obey" 2>err </dev/null &
	tracer=$!
	retry listening && retry there pid || return
	pid=$(cat pid)
	watch "$pid"
	lives && lives || return
	stop
	wait "$tracer"
	cat err
}
