# shellcheck shell=bash disable=SC2154
# Words from the start to the cursor, where colons (COMP_WORDBREAKS) divide none: sets words, cword, and where in
# COMP_WORDS each begins.
_ptybox_join() {
	local i word joins=
	words=() starts=() cword=-1
	for ((i = 0; i <= COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if ((cword >= 0)) && [[ $joins || $word == :* ]]; then
			words[cword]+=$word
		else
			words[++cword]=$word
			starts[cword]=$i
		fi
		joins=
		[[ $word != *: || $i -eq 0 ]] || joins=yes
	done
}

# Offers whole words; readline wants only what stands behind the last colon, where that divides words.
_ptybox_reply() {
	mapfile -t COMPREPLY
	if [[ $COMP_WORDBREAKS == *:* && $current == *:* ]]; then
		COMPREPLY=("${COMPREPLY[@]#"${current%"${current##*:}"}"}")
	fi
}

# Sockets, the directories on the way to them, hosts; where nothing is typed yet no hosts beside sockets.
_ptybox_address() {
	local file at=$current sockets=''
	[[ $at == */* ]] || at=./$at
	for file in "$at"*; do
		if [[ -S $file ]]; then
			echo "$file"
			sockets=yes
		elif [[ -d $file ]]; then
			echo "$file/"
		fi
	done
	[[ $current == *[/@:]* || (! $current && $sockets) ]] || compgen -A hostname -S : -- "$current"
}

_ptybox_user() {
	if [[ $current == *:* ]]; then
		compgen -P "${current%%:*}:" -A group -- "${current#*:}"
	else
		compgen -A user -- "$current"
	fi
}

_ptybox_list() { # a comma-separated one
	local before=
	[[ $current != *,* ]] || before=${current%,*},
	compgen -P "$before" -W "$_ptybox_namespaces" -- "${current##*,}"
}

_ptybox_value() {
	case $1 in
	file)
		compopt -o filenames 2>/dev/null
		_ptybox_reply < <(compgen -f -- "$current")
		;;
	directory)
		compopt -o filenames 2>/dev/null
		_ptybox_reply < <(compgen -d -- "$current")
		;;
	address)
		_ptybox_reply < <(_ptybox_address)
		[[ ${#COMPREPLY[@]} -ne 1 || ${COMPREPLY[0]} != *[/:] ]] || compopt -o nospace 2>/dev/null
		;;
	user) _ptybox_reply < <(_ptybox_user) ;;
	namespaces) _ptybox_reply < <(_ptybox_list) ;;
	process) _ptybox_reply < <(compgen -W "$(cd /proc && echo [0-9]*)" -- "$current") ;;
	esac
}

# The command at words[$1] and its arguments: as they complete themselves.
_ptybox_command() {
	if [[ $1 -eq $cword ]]; then
		compopt -o filenames 2>/dev/null
		_ptybox_reply < <(compgen -c -- "$current")
	elif declare -F _comp_command_offset >/dev/null; then
		_comp_command_offset "${starts[$1]}"
	elif declare -F _command_offset >/dev/null; then
		_command_offset "${starts[$1]}"
	else
		compopt -o filenames 2>/dev/null
		_ptybox_reply < <(compgen -f -- "$current")
	fi
}

# Does the option $1 take a value: sets kind
_ptybox_kind() {
	local option
	for option in $options; do
		if [[ $option == "-$1="* ]]; then
			kind=${option#*=}
			return 0
		fi
	done
	return 1
}

_ptybox_rest() { # words[at] is the first of the applet's
	local word k kind bare=yes ended=
	while ((at < cword)); do
		word=${words[at]}
		[[ $word == -?* ]] || break
		((at++))
		if [[ $word == -- ]]; then
			ended=yes
			break
		fi
		for ((k = 1; k < ${#word}; k++)); do
			_ptybox_kind "${word:k:1}" || continue
			[[ $instead != *"${word:k:1}"* ]] || bare=
			if ((k + 1 == ${#word})); then
				if ((at == cword)); then
					_ptybox_value "$kind"
					return
				fi
				((at++))
			fi
			break
		done
	done
	if [[ ! $ended && $at -eq $cword && $current == -* ]]; then
		word=
		for k in $options; do
			word+=" ${k%%=*}"
		done
		[[ $at -ne $first ]] || word+=" -h --help --version"
		_ptybox_reply < <(compgen -W "$word" -- "$current")
	elif [[ $bare && $at -eq $cword ]]; then
		_ptybox_value address
	elif [[ $command ]]; then
		[[ ! $bare ]] || ((at++))
		_ptybox_command "$at"
	fi
}

_ptybox() {
	local words starts cword current options instead command at=1 first
	_ptybox_join
	COMPREPLY=()
	current=${words[cword]}
	if ! _ptybox_applet "${words[0]##*/}"; then
		if ((cword == 1)); then
			_ptybox_reply < <(compgen -W "$_ptybox_names $_ptybox_words" -- "$current")
			return
		fi
		case ${words[1]} in
		--keygen) ((cword != 2)) || _ptybox_value file ;;
		--install)
			if [[ $cword -eq 2 && $current == -* ]]; then
				_ptybox_reply < <(compgen -W -s -- "$current")
			else
				_ptybox_value directory
			fi
			;;
		esac
		_ptybox_applet "${words[1]}" || return 0
		at=2
	fi
	first=$at
	_ptybox_rest
}

