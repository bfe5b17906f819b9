# shellcheck shell=sh
# docs.sh: for man.test and complete.test: what is made of the head comments, for the config under test.

root=$(cd "$TEST_DIR/../.." && pwd)
list=$(ptybox --list | grep -v '^unit')
sed -n 's/^#define CFG_\([A-Z0-9_]*\) 1$/\1=y/p; s/^#define CFG_\([A-Z0-9_]*\) 0$/\1=n/p' "$CONFIG_H" >config

# make_pages AWK DIR CONFIG [TEMPLATES]
make_pages() {
	mkdir -p "$2"
	$1 -v pages="${4-$root/docs/man}" -v to="$2" -v version=1.2.3 -f "$root/scripts/applets.awk" \
		-f "$root/scripts/man.awk" "$root"/applets/*.c "$root"/libbb/*.c "$root"/libbb/*/*.c config=1 "$3"
}

# make_completions AWK DIR CONFIG
make_completions() {
	mkdir -p "$2"
	$1 -v to="$2" -v parts="$root/scripts" -f "$root/scripts/applets.awk" \
		-f "$root/scripts/complete.awk" "$root"/applets/*.c "$root"/libbb/*.c "$root"/libbb/*/*.c config=1 "$3"
}
here=$PWD

# the options of APPLET with their arguments, of --help
help_options() { "$1" --help | sed -n 's/^  \(-[A-Za-z0-9]\( [^ 	]*\)\{0,1\}\)\([	 ].*\)\{0,1\}$/\1/p' | sort; }

# those of ptybox itself
own_words() { ptybox --help | grep -o -e '--[a-z]*' | sort -u; }

awks() { # each that is here
	for awk in mawk gawk 'busybox awk'; do
		if command -v "${awk%% *}" >/dev/null; then
			echo "$awk"
		fi
	done
}
