# bash completion for tcpstorm: commands, options, orders, witnesses, files. It works without the bash-completion
# package; that package finds it by its name.
# shellcheck shell=bash

_tcpstorm_words() {
  mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2")
}

_tcpstorm_files() {
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(compgen -f -- "$1")
}

# Completes the last word of a comma list. The orders before it stay as they are and are not offered again.
_tcpstorm_orders() {
  local program=$1 word=$2 before='' name names=''
  [[ $word != *,* ]] || before=${word%,*},
  for name in $("$program" orders --names 2>/dev/null); do
    [[ ,$before == *",$name,"* ]] || names+=" $before$name"
  done
  [[ -n $before ]] || names+=' all'
  _tcpstorm_words "$names" "$word"
}

_tcpstorm_options() {
  local program=$1 word=$2 words
  words=$("$program" options 2>/dev/null)
  ((COMP_CWORD > 1)) || words+=' --help --version orders help version'
  _tcpstorm_words "$words" "$word"
}

# bash calls it with the command, the word to complete and the word before that; "--order=x" comes as three words.
_tcpstorm() {
  local program=${1/#\~/$HOME} word=$2 option=$3
  COMPREPLY=()
  if [[ $option == '=' ]]; then
    option=${COMP_WORDS[COMP_CWORD - 2]}
  elif [[ ${COMP_WORDS[COMP_CWORD]} == '=' ]]; then
    word=
  fi
  case ${COMP_WORDS[1]} in
    orders | help | version | --help | -h | --version) ((COMP_CWORD == 1)) || return 0 ;;
  esac
  case $option in
    --order) _tcpstorm_orders "$program" "$word" ;;
    --witness) _tcpstorm_words 'auto netlink procfs' "$word" ;;
    --csv | --json) _tcpstorm_files "$word" ;;
    --hold) _tcpstorm_words '0s 1s 10s forever' "$word" ;;
    --address) _tcpstorm_words '127.0.0.1 ::1' "$word" ;;
    --conns | --settle | --interval | --port) ;;
    *) _tcpstorm_options "$program" "$word" ;;
  esac
}

complete -F _tcpstorm tcpstorm
