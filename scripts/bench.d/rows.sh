# shellcheck shell=sh
# rows.sh: the rows of the table: each is a function that prints its figures of one server, once. Sourced by scripts/bench.

# NAME|KINDS OF SERVERS|TITLE|FIGURES
rows() {
	cat <<'EOF'
echo|shared own client|a key and its echo, nothing else going on, all on one CPU|p50_us p99_us CPU_us
flood|own client|a key and its echo while another session of the same server floods|p50_us p99_us flood_MB/s
accept|own client|beside such a flood: until a new session's command speaks; from TERM to the server's end|p50_ms p90_ms TERM_ms
big|shared own client|output in writes of 64 KiB to one client|MB/s CPU_s/GiB received_% client's_s/GiB
small|shared own client|output in writes of 100 bytes to one client|MB/s CPU_s/GiB received_% client's_s/GiB
input|shared own client|input from one client|MB/s CPU_s/GiB
get|piped|output of a command between pipes, in writes of 64 KiB|MB/s CPU_s/GiB received_% client's_s/GiB
put|piped|input of one, which reads it from a pipe|MB/s CPU_s/GiB
replies|own|two replies 300 us apart: until the second is there|p50_ms
session|own client|a whole session whose command writes 100 bytes and ends|p50_ms
clients|shared|output in writes of 64 KiB to that many clients: what all get|MB/s CPU_s/GiB received_%
sessions|own client|that many sessions: private memory of each when idle, and a key and its echo in one|KiB_each p50_us CPU_us
memory|shared|an idle server; each of 20 of them; after 1 MiB of output|private_KiB PSS_of_20_KiB used_KiB
size|shared own client|the program file, without its libraries and plugins|bytes
EOF
}

# client ROW ARGS...: the figures behind the point of a curve, or nothing and a word why
client() {
	what=$1
	shift
	# shellcheck disable=SC2086,SC2154
	timeout 100 $load_pin "$load" "$what" "$(speech_of "$peer" "$kind")" "$addr" "$server" "$@" >"$dir/said" 2>"$dir/client.err" || {
		echo "bench: $row of $peer${point:+ ($point)}: $(tail -n 1 "$dir/client.err")" >&2
		return 1
	}
	echo "${point:--} $(cat "$dir/said")"
}

# many N [CLIENT]: as many as that, or CLIENT where each takes a client's start; in a quick run a tenth
many() {
	case $kind in
	client | piped) echo $((${2:-$1} / divide + (${2:-$1} < divide))) ;;
	*) echo $(($1 / divide)) ;;
	esac
}

# mib N: bytes; less for those that are so slow that more would only take time
mib() {
	case $peer in
	ser2net) many $(($1 * 65536)) ;;
	*) many $(($1 * 1048576)) $(($1 * 524288)) ;;
	esac
}

row_echo() {
	one_cpu
	start "$peer" "$kind"
	client echo "$(many 4000)"
}

row_flood() {
	start "$peer" "$kind"
	client flood "$(many 2000)"
}

row_accept() {
	start "$peer" "$kind"
	client accept "$(many 100 20)"
}

row_big() {
	start "$peer" "$kind"
	client output 1 "$(mib 128)" 65536
}

row_small() {
	start "$peer" "$kind"
	client output 1 "$(mib 32)" 100
}

row_input() {
	start "$peer" "$kind"
	case $peer in
	dtach) client input "$(mib 4)" ;; # eight bytes a packet
	*) client input "$(mib 96)" ;;
	esac
}

row_get() {
	start "$peer" "$kind"
	client output 1 "$(mib 256)" 65536
}

row_put() {
	start "$peer" "$kind"
	client input "$(mib 256)"
}

row_replies() {
	start "$peer" "$kind"
	client replies "$(many 300)"
}

row_session() {
	command_is "$load_pin $load print"
	start "$peer" "$kind"
	client session "$(many 200 30)"
}

row_clients() {
	descriptors=4096
	for point in 1 8 64 500; do
		start "$peer" "$kind"
		client output $point "$(mib $((128 / point + (point > 128))))" 65536
		stop_all
	done
	descriptors='' point=''
}

row_sessions() {
	points='1 100 500 2000'
	[ "$kind" = own ] || points='1 20'
	descriptors=4096
	for point in $points; do
		[ "$divide" = 1 ] || [ "$point" -lt 500 ] || break
		one_cpu
		start "$peer" "$kind"
		client sessions "$point"
		stop_all
	done
	descriptors='' point=''
}

row_memory() {
	servers=
	start "$peer" "$kind"
	client output 1 1048576 4096 >/dev/null
	used=$("$load" mem "$server")
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		start "$peer" "$kind"
		servers="$servers $server"
		"$load" touch "$addr"
		[ "$i" != 1 ] || { sleep 0.3 && alone=$("$load" mem "$server"); }
	done
	sleep 0.3
	# shellcheck disable=SC2086
	echo "$alone $("$load" mem $servers) $used" | awk '{ print "-", $2, $5 / 20, $10 }'
}

row_size() { echo "- $(wc -c <"$(program "$peer")")"; }
