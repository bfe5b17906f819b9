# shellcheck shell=sh
# sysrq.sh: servers whose SysRq keys reach nothing but files. Source it.

# isolated COMMAND...: becomes COMMAND in a mount namespace where /proc/sysrq-trigger is the file "trigger", and /dev/kmsg
# is "log". Unless both are seen to be these files COMMAND is not executed: a key would reach this machine.
isolated() {
	mkdir -p proc/real && ln -s real/self proc/self && : >trigger && : >log && ln trigger proc/sysrq-trigger || exit
	# shellcheck disable=SC2016
	exec unshare -m sh -c 'mount -t proc proc proc/real && mount --rbind proc /proc && mount --bind log /dev/kmsg &&
		[ /proc/sysrq-trigger -ef trigger ] && [ /dev/kmsg -ef log ] && exec "$@"' isolated "$@"
}

# takes_keys APPLET ARG...: starts that server with -F -v -Q; what it says is in "said"
takes_keys() {
	applet=$1
	shift
	(isolated "$applet" -F -v -Q "$@" 2>said) &
	pid=$!
	watch "$pid"
}

# written: which keys the kernel was given
written() { cat trigger; }
