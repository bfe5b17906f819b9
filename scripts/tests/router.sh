# shellcheck shell=sh
# router.sh: starts a ptyrouter, and looks at its workers and sessions, for the router*.test files and others. Source it.

# route ARGS...: starts a ptyrouter with these; $pid is the daemon's
route() {
	ptyrouter "$@" >"$T/serve.out" 2>"$T/serve.err" </dev/null
	pid=$(daemon_pid "$T/serve.out")
	if [ -z "$pid" ]; then
		cat "$T/serve.out" "$T/serve.err" >&2
		exit 98
	fi
	watch "$pid"
}

workers() { ps -o pid= --ppid "$pid" | tr -d ' '; }
worker_count() { [ "$(workers | grep -c .)" = "$1" ]; }

# what a session under job control leaves when it is gone: nothing
no_sessions() {
	for worker in $(workers); do
		[ -z "$(ps -o pid= --ppid "$worker")" ] || return 1
	done
}

# ends PID-FILE...: those processes come to their end
ends() {
	for pids; do
		retry test -s "$pids" || return
		while read -r one; do
			retry gone "$one" || return
		done <"$pids"
	done
}

# fds_settle: the only worker has no more descriptors than $base; a session that just ended may have counted in that
fds_settle() { worker_count 1 && [ "$(fds "$(workers)")" -le "$base" ]; }

obeys='stty -echo; echo READY; while read -r x; do eval "$x"; done'
