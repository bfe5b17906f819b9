# shellcheck shell=sh
# boot.sh: machines that QEMU boots from our initramfs, for the boot*.test files. Source it in the file's own directory,
# which has the key "key" if one of them is to be keyed; $native is this machine's architecture.

# machine ARCH MODE [NAME=VALUE]...: starts it, with these for scripts/boot
machine() {
	what="$1 $2"
	arch=$1
	key=
	[ "$2" = plain ] || key="-k $PWD/key"
	guest_key=${key:+-k /etc/ptybox.key}
	greeting='# '
	[ "$2" = plain ] || greeting=ptybox-noise-1
	shift 2
	binary=
	[ "$arch" != "$native" ] || binary=$PTYBOX
	freeport
	shell=$port
	freeport
	router=$port
	freeport
	echoer=$port
	rm -f up
	spawn env "PTYBOX=$binary" "$@" "$TEST_DIR/../boot" "$arch" "$shell" "$router" "$echoer" >boot.out 2>&1
	boot=$spawned
	port=$shell
	retry listening # QEMU runs before the first test, or it would count as left behind
}

# QEMU accepts before the guest listens, so what counts is that the server says something.
greets() { peer -q -t 2 "127.0.0.1:$shell" "expect:$greeting" close 2>/dev/null || gone "$boot"; }
up() {
	RETRIES=1800 retry greets && not gone "$boot" && : >../up && return
	cat ../boot.out
	return 1
}

# shellcheck disable=SC2086
at() { ptyattach $key "$@"; }

# types ACTION...: on a terminal attached to the machine's shell
types() {
	# shellcheck disable=SC2086
	onpty -t 60 'expect:# ' "$@" 'send:\x1c' exit -- ptyattach $key "127.0.0.1:$shell" >typed.out
}
