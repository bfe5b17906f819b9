# shellcheck shell=sh
# debs.sh: Debian packages of any architecture, unpacked into a folder and never installed. Source it.
#
#   debs_get FOLDER ARCH PACKAGE...   downloads what is missing and unpacks it into FOLDER
#   debs_source FOLDER PACKAGE        the same for a source package
#
# apt runs with a configuration and state of its own for each architecture, so that the system's architectures, package
# lists and locks are not touched. State and downloads are in $DEBS (generated/debs); a file there is complete, and is not
# downloaded again. The mirror is the system's; package lists are downloaded only where the system has none.
: "${DEBS:=$PWD/generated/debs}"

debs_apt() { # ARCH ARG...
	debs_home=$DEBS/$1 debs_arches=${1%source}
	shift
	apt-get -qq -o Dir="$debs_home" -o Dir::State="$debs_home/state" \
		-o Dir::State::status="$debs_home/state/status" -o Dir::Cache="$debs_home/cache" \
		-o Dir::Etc="$debs_home/etc" -o Dir::Etc::sourcelist="$debs_home/etc/sources.list" \
		-o Dir::Etc::sourceparts="$debs_home/etc/none" -o Dir::Bin::methods=/usr/lib/apt/methods \
		-o APT::Architecture=amd64 -o APT::Architectures="${debs_arches:-amd64}" \
		-o APT::Sandbox::User=root -o Acquire::Languages=none \
		-o Acquire::GzipIndexes=true -o Acquire::Retries=3 -o Debug::NoLocking=true "$@"
}

debs_mirror() {
	# shellcheck disable=SC2016
	apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Component: main' \
		"Codename: $(debs_suite)" | head -n 1
}

# The release's name, for sources.list.
debs_suite() {
	# shellcheck disable=SC1091
	(. /etc/os-release && echo "$VERSION_CODENAME")
}

# The package lists of one architecture, or of "source", once.
debs_init() {
	[ ! -e "$DEBS/$1/ready" ] || return 0
	mkdir -p "$DEBS/$1/state/lists/partial" "$DEBS/$1/cache/archives/partial" "$DEBS/$1/etc/none" \
		"$DEBS/$1/etc/preferences.d" "$DEBS/$1/etc/apt.conf.d" || return 1
	: >"$DEBS/$1/state/status"
	debs_from=$(debs_mirror)
	if [ -z "$debs_from" ] && apt-get update -qq; then # it has no package lists
		debs_from=$(debs_mirror)
	fi
	if [ -z "$debs_from" ]; then
		echo "ptybox: apt knows no mirror of Debian $(debs_suite)" >&2
		return 1
	fi
	debs_signed=signed-by=/usr/share/keyrings/debian-archive-keyring.gpg
	case $1 in
	source) debs_line="deb-src [$debs_signed]" ;;
	*) debs_line="deb [arch=$1 $debs_signed]" ;;
	esac
	echo "$debs_line $debs_from $(debs_suite) main" >"$DEBS/$1/etc/sources.list"
	debs_apt "$1" update --error-on=any && : >"$DEBS/$1/ready"
}

# What an archive replaced is no longer where old lists say it is.
debs_retry() { # ARCH COMMAND...
	debs_lists=$1
	shift
	"$@" || { debs_apt "$debs_lists" update --error-on=any && "$@"; }
}

debs_download() { # ARCH PACKAGE
	rm -rf "$DEBS/$1/new"
	mkdir "$DEBS/$1/new" && (cd "$DEBS/$1/new" && debs_apt "$1" download "$2:$1") &&
		mv "$DEBS/$1/new"/*.deb "$DEBS/$1"
}

debs_get() {
	debs_to=$1 debs_arch=$2
	shift 2
	debs_init "$debs_arch" && mkdir -p "$debs_to" || return 1
	for debs_package; do
		if ! ls "$DEBS/$debs_arch/${debs_package}_"*.deb >/dev/null 2>&1; then
			debs_retry "$debs_arch" debs_download "$debs_arch" "$debs_package" || return 1
		fi
		dpkg -x "$DEBS/$debs_arch/${debs_package}_"*.deb "$debs_to" || return 1
	done
}

debs_fetch_source() {
	rm -rf "$1.new"
	mkdir -p "$1.new" && (cd "$1.new" && debs_apt source source "$2" >/dev/null) && mv "$1.new" "$1"
}

debs_source() {
	debs_init source && debs_retry source debs_fetch_source "$1" "$2"
}
