# complete.zsh DIR LINE: what DIR/_ptybox makes zsh offer at the end of LINE, and "LINE:" what the line is then
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z 'PROMPT=; PS2=; fpath=('${(q)1}' $fpath); autoload -Uz compinit; compinit -u -D
zstyle ":completion:*" hosts
compadd() {
	if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then
		builtin compadd "$@"
		return
	fi
	local -a hits
	builtin compadd -A hits "$@"
	print -rl -- "HIT:"${^hits}
	builtin compadd "$@"
}
offer() {
	zle -I
	print
	zle complete-word
	print -r -- "LINE:$BUFFER"
	print OVER:
	BUFFER=
	zle accept-line
}
zle -C complete-word complete-word _main_complete
zle -N offer
bindkey "^I" offer
print REA""DY'
zpty -r z out '*READY*'
zpty -w -n z "$2"$'\t'
zpty -r z out '*OVER:*'
print -r -- $out | tr -d '\r' | sed -n 's/.*HIT://p; s/.*\(LINE:.*\)/\1/p' | sort -u
zpty -d z
