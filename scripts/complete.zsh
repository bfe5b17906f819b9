_ptybox_file() { _files }
_ptybox_directory() { _files -/ }
_ptybox_process() { _pids }
_ptybox_namespaces() { _values -s , namespace $_ptybox_namespaces }

_ptybox_user() {
	if compset -P '*:'; then
		_groups
	else
		_users
	fi
}

# a socket's name needs a slash
_ptybox_socket() {
	local -a here
	[[ $PREFIX == */* ]] || here=(-P ./)
	_files $here -g '*(=)'
}

# sockets, the directories on the way to them, hosts
_ptybox_address() {
	_alternative 'sockets:socket:_ptybox_socket' 'hosts:host:_hosts -S \:'
}

# Behind the options: ADDR, unless an option has it, and the command.
_ptybox_operand() {
	local option
	if [[ $words[1] == -- ]]; then
		shift words
		(( CURRENT-- ))
	fi
	for option in ${(s::)instead}; do
		(( ! ${+opt_args[-$option]} )) || bare=
	done
	if [[ -n $bare && $CURRENT -eq 1 ]]; then
		_ptybox_address
	elif [[ -n $command ]]; then
		if [[ -n $bare ]]; then
			shift words
			(( CURRENT-- ))
		fi
		_normal
	fi
}

_ptybox() {
	local context state line bare=yes instead command
	local -a options
	local -A opt_args
	integer ret=1
	if ! _ptybox_applet ${service:t}; then
		if (( CURRENT == 2 )); then
			compadd -a _ptybox_names && ret=0
			[[ $PREFIX != -* ]] || compadd -a _ptybox_words && ret=0
			return ret
		fi
		case $words[2] in
		--keygen) (( CURRENT == 3 )) && _files; return ;;
		--install) _arguments -s '--install' '-s[symbolic links]' '1:directory:_files -/'; return ;;
		esac
		_ptybox_applet $words[2] || return
		shift words
		(( CURRENT-- ))
	fi
	(( CURRENT > 2 )) || options+=('(- *)'{-h,--help}'[usage]' '(- *)--version[version]')
	_arguments -s -A '-*' $options '*:: :->operand' && ret=0
	[[ $state != operand ]] || _ptybox_operand && ret=0
	return ret
}

_ptybox "$@"
