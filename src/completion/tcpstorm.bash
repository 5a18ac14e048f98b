# bash completion for tcpstorm: commands, options, orders, causes, witnesses, files. It works without the
# bash-completion package; that package finds it by its name.
# shellcheck shell=bash

_tcpstorm_words() {
  mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2")
}

_tcpstorm_files() {
  compopt -o filenames 2>/dev/null
  mapfile -t COMPREPLY < <(compgen -f -- "$1")
}

# Completes the last word of a comma list. The orders before it stay as they are and are not offered again. A walk
# takes one order.
_tcpstorm_orders() {
  local program=$1 word=$2 before='' name names=''
  [[ $word != *,* ]] || before=${word%,*},
  for name in $("$program" orders --names 2>/dev/null); do
    [[ ,$before == *",$name,"* ]] || names+=" $before$name"
  done
  [[ -n $before || ${COMP_WORDS[1]} == walk ]] || names+=' all'
  _tcpstorm_words "$names" "$word"
}

# A server shows no bug of a client's.
_tcpstorm_causes() {
  local program=$1 word=$2 line name='' names=''
  while IFS= read -r line; do
    [[ $line == ' '* ]] || name=${line%%:*}
    [[ $line != *'at fault  the '* ]] || [[ ${COMP_WORDS[1]} == server && $line == *client ]] || names+=" $name"
  done < <("$program" causes 2>/dev/null)
  _tcpstorm_words "$names" "$word"
}

# Of the command that the line begins with; without one, those of a storm.
_tcpstorm_options() {
  local program=$1 word=$2 words
  case $((COMP_CWORD > 1)),${COMP_WORDS[1]} in
    1,server) words='--address --port --cause --fixed' ;;
    1,client) words='--address --port' ;;
    1,walk) words='--order --pause --address --port' ;;
    1,orders | 1,causes) words='--names' ;;
    1,*) words=$("$program" options 2>/dev/null) ;;
    *) words="$("$program" options 2>/dev/null) --help --version server client walk orders causes help version" ;;
  esac
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
    help | version | --help | -h | --version) ((COMP_CWORD == 1)) || return 0 ;;
  esac
  case $option in
    --order) _tcpstorm_orders "$program" "$word" ;;
    --cause) _tcpstorm_causes "$program" "$word" ;;
    --witness) _tcpstorm_words 'auto netlink procfs' "$word" ;;
    --csv | --json) _tcpstorm_files "$word" ;;
    --pause) _tcpstorm_words '0s 500ms 1s 2s' "$word" ;;
    --hold) _tcpstorm_words '0s 1s 10s forever' "$word" ;;
    --duration) _tcpstorm_words '10s 30s 2m' "$word" ;;
    --life) _tcpstorm_words '0s 200ms 2s' "$word" ;;
    --address) _tcpstorm_words '127.0.0.1 ::1' "$word" ;;
    --conns | --leak | --rate | --server-nofile | --backlog | --settle | --interval | --port) ;;
    *) _tcpstorm_options "$program" "$word" ;;
  esac
}

complete -F _tcpstorm tcpstorm
