# shellcheck shell=sh
# page.sh: a page whose blocks are there to be pasted, run as they stand there. Source it; $page is the page's file.
#
# A block is "```LANGUAGE NAME". In it board:4321 and 4321 are one free port of localhost, board:4322 and 4322
# another; paths of the whole machine are in the test's own directory. What else a page needs its test does in adapt.

# adapt: what else is different here, from standard input to standard output
adapt() { cat; }

one=
ports() { # as often as a test wants
	[ -z "$one" ] || return 0
	freeport
	one=$port
	freeport
	two=$port
	mkdir -p etc tmp
}

# block NAME: the file NAME.sh has that block
block() {
	ports
	sed -n "/^\`\`\`[a-z]* $1\$/,/^\`\`\`\$/p" "$page" | sed '1d; $d' | adapt | sed \
		-e "s/board:4321/127.0.0.1:$one/g; s/board:4322/127.0.0.1:$two/g" \
		-e "s/ 4321/ 127.0.0.1:$one/g; s/ 4322/ 127.0.0.1:$two/g" \
		-e 's,/usr/local/bin/,,; s,/etc/ptybox\.key,etc/ptybox.key,g' \
		-e 's,/run/,./,g; s,/var/log/,./,g; s,/tmp,tmp,g' >"$1.sh"
	[ -s "$1.sh" ] || { echo "no block $1 in ${page##*/}" >&2; return 1; }
}

# desk NAME: runs the block
desk() { block "$1" && sh -e "./$1.sh"; }

# server NAME: runs the block; what it starts as daemons ends with the test, $pid is the last one
server() { block "$1" && daemons "./$1.sh"; }

daemons() { # FILE
	sh -e "$1" >daemons 2>daemons.err </dev/null || { cat daemons.err >&2; return 1; }
	while read -r line; do
		pid=${line#Daemon PID is }
		watch "$pid" || return
	done <daemons
	[ -s daemons ]
}

# typed NAME ACTION...: runs the block on a terminal
typed() {
	block "$1" && name=$1 && shift && onpty -t 10 -o shown "$@" exit restored -- sh -e "./$name.sh"
}

# beside NAME: runs the block in the background, with all that it starts, until the test ends
beside() { block "$1" && spawn timeout 100 sh -e "./$1.sh"; }

# ---- the page itself ----

blocks() { sed -n 's/^```[a-z]* \(.*\)$/\1/p' "$page"; }

# all_run [WORD...]: the blocks that no word above, and none of these (as in grep -E), runs in this file; also a block
# without a name, and a name that two have
all_run() {
	words='block|desk|server|typed|beside'
	for word; do
		words="$words|$word"
	done
	blocks | while read -r name; do
		grep -qE "($words) $name( |;|'|\"|\)|\$)" "$TEST_DIR/$file.test" || echo "$name"
	done
	[ "$(grep -c '^```' "$page")" = $(($(blocks | wc -l) * 2)) ] || echo "a block without a name"
	blocks | sort | uniq -d
}
