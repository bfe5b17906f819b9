# complete.bash FILE LINE: what FILE makes bash offer at the end of LINE; words are split as readline does it
# shellcheck disable=SC1090
. "$1"
COMP_LINE=$2 COMP_POINT=${#2} COMP_WORDS=() word=
for ((i = 0; i < COMP_POINT; i++)); do
	c=${COMP_LINE:i:1}
	if [[ $c == ' ' || ($c == : && $word != *:) || ($c != : && $word == *:) ]]; then # colons are a word
		[[ ! $word ]] || COMP_WORDS+=("$word")
		word=
	fi
	[[ $c == ' ' ]] || word+=$c
done
COMP_WORDS+=("$word")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_ptybox
[[ ${#COMPREPLY[@]} -eq 0 ]] || printf '%s\n' "${COMPREPLY[@]}" | sort -u
