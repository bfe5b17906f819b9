# shellcheck shell=sh
# debs.sh: Debian packages of any architecture, unpacked into a folder and never installed. Source it.
#
#   debs_get FOLDER ARCH PACKAGE...   downloads what is missing and unpacks it into FOLDER
#   debs_source FOLDER PACKAGE        the same for a source package
#
# A private apt for each architecture, so that the system's own architectures, package lists and locks stay
# as they are. Its state and all downloads are in $DEBS (generated/debs); what is there is not fetched
# again. The mirror is the one this system uses.
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
	apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | sort -u | head -n 1
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
	debs_signed=signed-by=/usr/share/keyrings/debian-archive-keyring.gpg
	case $1 in
	source) debs_line="deb-src [$debs_signed]" ;;
	*) debs_line="deb [arch=$1 $debs_signed]" ;;
	esac
	echo "$debs_line $(debs_mirror) $(debs_suite) main" >"$DEBS/$1/etc/sources.list"
	debs_apt "$1" update && : >"$DEBS/$1/ready"
}

debs_get() {
	debs_to=$1 debs_arch=$2
	shift 2
	debs_init "$debs_arch" && mkdir -p "$debs_to" || return 1
	for debs_package; do
		if ! ls "$DEBS/$debs_arch/${debs_package}_"*.deb >/dev/null 2>&1; then
			(cd "$DEBS/$debs_arch" && debs_apt "$debs_arch" download "$debs_package:$debs_arch") ||
				return 1
		fi
		dpkg -x "$DEBS/$debs_arch/${debs_package}_"*.deb "$debs_to" || return 1
	done
}

debs_source() {
	debs_init source && mkdir -p "$1" && (cd "$1" && debs_apt source source "$2" >/dev/null)
}
