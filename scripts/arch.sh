# shellcheck shell=sh
# shellcheck disable=SC2034
# arch.sh: what Debian, gcc, musl and qemu call an architecture. Source it.
#
#   arch NAME    sets triplet, musl, runner and flags of the architecture that Debian calls NAME
#
# runner is the emulator, empty where none is needed; flags are gcc options that the architecture needs.

arch() {
	runner=''
	flags=''
	case $1 in
	amd64) triplet=x86_64-linux-gnu musl=x86_64-linux-musl ;;
	i386) triplet=i686-linux-gnu musl=i386-linux-musl ;;
	arm64) triplet=aarch64-linux-gnu musl=aarch64-linux-musl runner=qemu-aarch64-static ;;
	armhf) triplet=arm-linux-gnueabihf musl=arm-linux-musleabihf runner=qemu-arm-static ;;
	armel) triplet=arm-linux-gnueabi musl=arm-linux-musleabi runner=qemu-arm-static ;;
	mipsel) triplet=mipsel-linux-gnu musl=mipsel-linux-musl runner=qemu-mipsel-static ;;
	mips64el) triplet=mips64el-linux-gnuabi64 musl=mips64el-linux-musl runner=qemu-mips64el-static ;;
	ppc64el) # musl's long double is a double there
		triplet=powerpc64le-linux-gnu musl=powerpc64le-linux-musl runner=qemu-ppc64le-static
		flags=-mlong-double-64
		;;
	s390x) triplet=s390x-linux-gnu musl=s390x-linux-musl runner=qemu-s390x-static ;;
	riscv64) triplet=riscv64-linux-gnu musl=riscv64-linux-musl runner=qemu-riscv64-static ;;
	*)
		echo "ptybox: $1: no such architecture (amd64 i386 arm64 armhf armel mipsel mips64el ppc64el s390x riscv64)" >&2
		return 1
		;;
	esac
}
