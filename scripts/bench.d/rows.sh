# shellcheck shell=sh
# rows.sh: the rows of the table: each is a function that prints its figures of one server, once. Sourced by scripts/bench.

# NAME|KINDS|TITLE|FIGURES
rows() {
	cat <<'EOF'
echo|shared own|a key and its echo, nothing else going on, all on one CPU|p50_us p99_us CPU_us
flood|own|a key and its echo while another session of the same server floods|p50_us p99_us flood_MB/s
big|shared own|output in writes of 64 KiB to one client|MB/s CPU_s/GiB received_%
small|shared own|output in writes of 100 bytes to one client|MB/s CPU_s/GiB received_%
input|shared own|input from one client|MB/s CPU_s/GiB
EOF
}

# client ROW ARGS...: the figures, or nothing and a word why
client() {
	what=$1
	shift
	timeout 100 $load_pin "$load" "$what" "$(speech_of "$peer")" "$addr" "$server" "$@" >"$dir/said" 2>"$dir/client.err" || {
		echo "bench: $row of $peer: $(cat "$dir/client.err")" >&2
		return 1
	}
	echo - "$(cat "$dir/said")"
}

# many N: as many as that, in a quick run a tenth
many() { echo $(($1 / divide)); }

mib() { # N: less for one that is so slow that more would only take time
	case $peer in
	ser2net) many $(($1 * 65536)) ;;
	*) many $(($1 * 1048576)) ;;
	esac
}

row_echo() {
	one_cpu
	start "$peer" "$kind"
	client echo "$(many 4000)"
}

row_flood() {
	start "$peer" "$kind"
	client flood "$(many 3000)"
}

row_big() {
	start "$peer" "$kind"
	client output 1 "$(mib 128)" 65536
}

row_small() {
	start "$peer" "$kind"
	client output 1 "$(mib 48)" 100
}

row_input() {
	start "$peer" "$kind"
	client input "$(mib 128)"
}
