# shellcheck shell=sh
# framed.sh: the sessions that the framed*.test files talk to. Source it.

# echoes ADDR...: a session that says READY and gives back every byte
echoes() { serve "$@" sh -c 'stty raw -echo; : >raw; printf READY; exec cat'; }

# obeys ADDR...: a session that says READY and does what is typed, line by line
obeys() { serve "$@" sh -c 'stty -echo; echo READY; while read -r x; do eval "$x"; done'; }

watched() { # OPTIONS -- ACTION...: what a watcher says does nothing (faults 16 and 17)
	serve "$@" sh -c 'stty -echo; trap "echo HIT >hit" USR1 INT TERM; echo READY
	while :; do read -r x && echo "$x" >hit; done'
}

# for a session's shell: until the test makes the file "over"
waits='until [ -e over ]; do sleep 0.05; done'
