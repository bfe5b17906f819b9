# shellcheck shell=sh
# servers.sh: the servers that are measured: what they are, how they start and how they end. Sourced by scripts/bench.
#
# Each is of one kind, which decides the rows that it is in, what it listens on and what its ratios are to:
#   shared  one terminal for all its clients, on a unix socket      beside ptyshim
#   own     a terminal for each connection, on TCP                  beside ptyrouter
#   keyed   the same, encrypted, used through its own client        beside keyed
# `old` and `old-router` are another build of ptybox, from the environment: OLD=FILE.

servers_of() { # KIND: ours first
	case $1 in
	shared) echo ptyshim framed floor dtach abduco uwsgi-pty ser2net old ;;
	own) echo ptyrouter telnetd uwsgi-fork socat old-router ;;
	keyed) echo keyed dropbear sshd old-keyed ;;
	esac
}

# the program, if it is here
program() {
	case $1 in
	ptyshim | framed | ptyrouter | keyed) echo "$ptybox" ;;
	old*) [ -z "${OLD-}" ] || realpath "$OLD" ;;
	floor) echo "$dir/floor" ;;
	telnetd) [ ! -x "$built/busybox" ] || echo "$built/busybox" ;;
	abduco) command -v abduco || { [ ! -x "$built/abduco" ] || echo "$built/abduco"; } ;;
	uwsgi-*) command -v uwsgi-core ;;
	*) PATH=$PATH:/usr/sbin command -v "$1" ;;
	esac
}

speech_of() {
	case $1 in
	framed | dtach | abduco) echo "$1" ;;
	telnetd) echo telnet ;;
	*) echo raw ;;
	esac
}

run() {
	$server_pin "$@" >"$dir/server.log" 2>&1 </dev/null &
	server=$!
	started="${started-} $server"
}

# start SERVER KIND: on a socket of its own, $addr, running $dir/cmd; adds to $started
start() {
	number=$((${number-0} + 1))
	case $2 in
	shared) addr=$dir/$number.sock ;;
	*) addr=127.0.0.1:$("$load" port) ;;
	esac
	program=$(program "$1")
	set -- "$1" "$dir/cmd"
	case $1 in
	ptyshim | old) run "$program" ptyshim -F -r "$addr" "$2" ;;
	framed) run "$program" ptyshim -F -f "$addr" "$2" ;;
	ptyrouter | old-router) run "$program" ptyrouter -F -r "$addr" "$2" ;;
	keyed | old-keyed) run "$program" ptyrouter -F -k "$dir/key" "$addr" "$2" ;;
	floor) run "$program" "$addr" "$2" ;;
	dtach) run "$program" -N "$addr" -E -r none "$2" ;;
	telnetd) run "$program" telnetd -F -b "${addr%:*}" -p "${addr#*:}" -f /dev/null -l "$2" ;;
	uwsgi-pty) run "$program" --master --die-on-term --plugin pty --socket "$addr.w" --pty-socket "$addr" --pty-exec "$2" ;;
	uwsgi-fork) run "$program" --master --die-on-term --plugin forkptyrouter --socket "$dir/$number.w" \
		--forkpty-router "$addr" --forkptyrouter-command "$2" ;;
	socat) run "$program" "TCP-LISTEN:${addr#*:},bind=${addr%:*},fork,reuseaddr" "EXEC:$2,pty,rawer" ;;
	ser2net)
		printf '%s\n' 'connection: &c' "  accepter: unix,$addr" "  connector: pty,$2" '  options:' '    max-connections: 9' \
			>"$dir/$number.yaml"
		run "$program" -n -u -c "$dir/$number.yaml" -P "$dir/$number.pid"
		;;
	esac
}

# What they would do at their end is not measured, so they need not take their time.
stop_all() {
	for server in ${started-}; do
		"$load" kill "$server" 2>/dev/null
		wait "$server" 2>/dev/null
	done
	started=
}
