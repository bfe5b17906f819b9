# shellcheck shell=sh
# servers.sh: the servers that are measured: what they are, how they start and how they end. Sourced by scripts/bench.
#
# Each is of one kind, which decides the rows that it is in, what it listens on and what its ratios are to:
#   shared  one terminal for all its clients, on a unix socket      beside ptyshim
#   own     a terminal for each connection, on TCP                  beside ptyrouter
#   client  the same, used through its own client                   beside keyed, which is ptyrouter -k and ptyattach
#   piped   a command without a terminal, through its own client    beside keyed, which is ptyrouter -E -k, ptyattach COMMAND
# `plain` is ptyrouter and ptyattach without a key. `old...` are another build of ptybox, from the environment: OLD=FILE.
# telnetd is that of BusyBox, which scripts/bench.d/rivals builds: Debian's lacks it. It builds no abduco; one that is
# installed or in generated/bench/built is taken.

servers_of() { # KIND: ours first
	case $1 in
	shared) echo ptyshim framed floor dtach abduco uwsgi-pty ser2net old ;;
	own) echo ptyrouter telnetd uwsgi-fork socat old-router ;;
	client) echo keyed plain dropbear sshd old-keyed ;;
	piped) echo keyed plain dropbear sshd socat old-keyed ;;
	esac
}

# the program, if it is here
program() {
	case $1 in
	ptyshim | framed | ptyrouter | plain) echo "$ptybox" ;;
	keyed) [ ! -s "$dir/key" ] || echo "$ptybox" ;;
	dropbear) ! can_mount || ! command -v dbclient >/dev/null || PATH=$PATH:/usr/sbin command -v dropbear ;;
	sshd) ! can_mount || ! command -v ssh >/dev/null || PATH=$PATH:/usr/sbin command -v sshd ;;
	old*) [ -z "${OLD-}" ] || realpath "$OLD" ;;
	floor) echo "$dir/floor" ;;
	telnetd) [ ! -x "$built/busybox" ] || echo "$built/busybox" ;;
	abduco) command -v abduco || { [ ! -x "$built/abduco" ] || echo "$built/abduco"; } ;;
	uwsgi-*) command -v uwsgi-core ;;
	*) PATH=$PATH:/usr/sbin command -v "$1" ;;
	esac
}

# Servers of ssh look for keys in the home of root, who gets another one in a mount namespace of theirs.
can_mount() { unshare -m true 2>/dev/null; }

speech_of() { # SERVER KIND
	case $2/$1 in
	piped/*)
		echo piped
		return
		;;
	esac
	case $1 in
	keyed | plain | dropbear | sshd | old-keyed) echo program ;;
	framed | dtach | abduco) echo "$1" ;;
	telnetd) echo telnet ;;
	*) echo raw ;;
	esac
}

# Some close every descriptor that they could have, which is no fair measure where that is many
run() {
	# shellcheck disable=SC3045
	(ulimit -Sn "${descriptors:-1024}" && exec $server_pin "$@") >"$dir/server.log" 2>&1 </dev/null &
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
	tty=-t tty_sshd=-tt ours='' brought='' exec=",pty,rawer"
	[ "$2" != piped ] || tty=-T tty_sshd=-T ours=-E brought=$dir/cmd exec=
	set -- "$1" "$dir/cmd"
	case $1 in
	ptyshim | old) run "$program" ptyshim -F -r "$addr" "$2" ;;
	framed) run "$program" ptyshim -F -f "$addr" "$2" ;;
	ptyrouter | old-router) run "$program" ptyrouter -F -r "$addr" "$2" ;;
	keyed | old-keyed)
		run "$program" ptyrouter $ours -F -k "$dir/key" "$addr" "$2"
		through "$program" ptyattach -e none -k "$dir/key" "$addr" $brought
		;;
	plain)
		run "$program" ptyrouter $ours -F "$addr" "$2"
		through "$program" ptyattach -e none "$addr" $brought
		;;
	dropbear)
		ssh_keys
		run unshare -m sh -c "$ssh_home exec $program -F -E -r $dir/dropbear.host -P $dir/$number.pid -p $addr -c $2"
		through dbclient -y -y $tty -i "$dir/dropbear.id" -p "${addr#*:}" "root@${addr%:*}"
		;;
	sshd)
		ssh_keys
		run unshare -m sh -c "$ssh_home exec $program -D -e -f $dir/sshd.conf -o ListenAddress=$addr -o ForceCommand=$2"
		through ssh -F none $tty_sshd -e none -q -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o IdentitiesOnly=yes \
			-i "$dir/ssh.id" -p "${addr#*:}" "root@${addr%:*}"
		;;
	abduco)
		$server_pin "$program" -n "$addr" "$2" >"$dir/server.log" 2>&1 </dev/null
		server=$("$load" abduco "$addr")
		started="${started-} $server"
		;;
	floor) run "$program" "$addr" "$2" ;;
	dtach) run "$program" -N "$addr" -E -r none "$2" ;;
	telnetd) run "$program" telnetd -F -b "${addr%:*}" -p "${addr#*:}" -f /dev/null -l "$2" ;;
	uwsgi-pty) run "$program" --master --die-on-term --plugin pty --socket "$addr.w" --pty-socket "$addr" --pty-exec "$2" ;;
	uwsgi-fork) run "$program" --master --die-on-term --plugin forkptyrouter --socket "$dir/$number.w" \
		--forkpty-router "$addr" --forkptyrouter-command "$2" ;;
	socat)
		run "$program" "TCP-LISTEN:${addr#*:},bind=${addr%:*},fork,reuseaddr" "EXEC:$2$exec"
		[ -z "$brought" ] || through "$program" - "TCP:$addr"
		;;
	ser2net)
		printf '%s\n' 'connection: &c' "  accepter: unix,$addr" "  connector: pty,$2" '  options:' '    max-connections: 600' \
			>"$dir/$number.yaml"
		run "$program" -n -u -c "$dir/$number.yaml" -P "$dir/$number.pid"
		;;
	esac
}

# through PROGRAM ARGS...: the client, which is a file without arguments too; its server is waited for
through() {
	"$load" touch "$addr"
	addr=$dir/client
	printf '#!/bin/sh\nexec %s\n' "$*" >"$addr"
	chmod +x "$addr"
}

# once: keys of hosts and of the one user, the same sort for both, and where their servers look for them
ssh_keys() {
	[ ! -e "$dir/authorized_keys" ] || return 0
	home=~root
	ssh_home="mount -t tmpfs -o mode=700 none $home && mkdir -m 700 $home/.ssh &&
		cp $dir/authorized_keys $home/.ssh && mount -t tmpfs none /run && mkdir /run/sshd &&"
	(
		umask 077
		for key in host id; do
			! command -v dropbearkey >/dev/null || dropbearkey -t ed25519 -f "$dir/dropbear.$key"
			! command -v ssh-keygen >/dev/null || ssh-keygen -q -t ed25519 -N '' -f "$dir/ssh.$key"
		done >"$dir/keys"
		grep -h '^ssh-' "$dir/keys" "$dir/ssh.id.pub" >"$dir/authorized_keys"
		printf '%s\n' "HostKey $dir/ssh.host" 'UsePAM no' 'PermitRootLogin yes' 'PidFile none' >"$dir/sshd.conf"
	) 2>/dev/null
}

# What they would do at their end is not measured, so they need not take their time.
stop_all() {
	for server in ${started-}; do
		"$load" kill "$server" 2>/dev/null
		wait "$server" 2>/dev/null
	done
	started=
}
