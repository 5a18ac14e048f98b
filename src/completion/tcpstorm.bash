# bash completion for tcpstorm: commands, options, states, orders, causes, witnesses, files. It works without
# the bash-completion package; that package finds it by its name.
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
  if [[ ${COMP_WORDS[1]} == audit ]]; then
    _tcpstorm_words 'half-close client-first abort idle' "$word"
    return 0
  fi
  [[ $word != *,* ]] || before=${word%,*},
  if [[ ${COMP_WORDS[1]} == walk ]]; then
    _tcpstorm_words "$("$program" --dry-run --rate 1 --order all 2>/dev/null | sed -n 's/^  orders  *//p')" "$word"
    return 0
  fi
  for name in $("$program" orders --names 2>/dev/null); do
    [[ ,$before == *",$name,"* ]] || names+=" $before$name"
  done
  [[ -n $before ]] || names+=' all'
  _tcpstorm_words "$names" "$word"
}

# Completes the last name of "close-wait=300,last-ack=5", which bash has cut at each "=". A number is not completed,
# and a state is asked for once.
_tcpstorm_states() {
  local word=$1 before='' name names='' typed
  typed=,$(IFS= && printf '%s' "${COMP_WORDS[*]:2:COMP_CWORD-1}")
  [[ ${typed##*,} != *=* ]] || return 0
  [[ $word != *,* ]] || before=${word%,*},
  for name in listen syn-sent syn-recv established fin-wait-1 fin-wait-2 close-wait closing last-ack time-wait close; do
    [[ $typed == *",$name"[,=]* ]] || names+=" $before$name"
  done
  [[ $typed == ,*,* ]] || names+=' all'
  compopt -o nospace 2>/dev/null # "=N" may follow
  _tcpstorm_words "$names" "$word"
}

# Is the last word where the states stand? Behind a name comes "=" or a space.
_tcpstorm_at_states() {
  [[ ${COMP_WORDS[1]} == state && " ${COMP_WORDS[*]:2:COMP_CWORD-1}" != *' --'* ]] &&
    [[ $COMP_CWORD == 2 || ${COMP_WORDS[COMP_CWORD]} == '=' || ${COMP_WORDS[COMP_CWORD - 1]} == '=' ]]
}

_tcpstorm_settings() {
  compopt -o nospace 2>/dev/null
  _tcpstorm_words 'net.ipv4.tcp_fin_timeout= net.ipv4.tcp_max_tw_buckets= net.ipv4.tcp_tw_reuse= net.ipv4.tcp_rfc1337=
    net.ipv4.tcp_syncookies= net.ipv4.tcp_abort_on_overflow= net.core.somaxconn=' "$1"
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
    1,server) words='--address --port --cause --fixed --isolate --sysctl' ;;
    1,client) words='--address --port' ;;
    1,walk) words='--order --pause --address --port --isolate --sysctl' ;;
    1,state)
      words='--conns --hold --side --settle --interval --isolate --sysctl --address --port --witness --csv --json
        --dry-run --quiet'
      ;;
    1,audit)
      words='--conns --order --send --http --grace --repeat --rate --allow-remote --json --csv --junit --quiet'
      ;;
    1,watch) words='--port --pid --interval --duration --once --by-peer --fail-on --json' ;;
    1,orders | 1,causes) words='--names' ;;
    1,*) words=$("$program" options 2>/dev/null) ;;
    *) words="$("$program" options 2>/dev/null) --help --version server client walk state orders causes help version" ;;
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
  if _tcpstorm_at_states; then
    _tcpstorm_states "$word"
    return 0
  fi
  case $option in
    --order) _tcpstorm_orders "$program" "$word" ;;
    --cause) _tcpstorm_causes "$program" "$word" ;;
    --witness) _tcpstorm_words 'auto netlink procfs' "$word" ;;
    --csv | --json | --junit | --send) _tcpstorm_files "$word" ;;
    --pause) _tcpstorm_words '0s 500ms 1s 2s' "$word" ;;
    --hold)
      if [[ ${COMP_WORDS[1]} == state ]]; then
        _tcpstorm_words '0s 1s 10s 10m' "$word"
      else
        _tcpstorm_words '0s 1s 10s forever' "$word"
      fi
      ;;
    --fail-on) _tcpstorm_words 'nothing growth' "$word" ;;
    --side) _tcpstorm_words 'server client usual' "$word" ;;
    --sysctl) _tcpstorm_settings "$word" ;;
    --duration) _tcpstorm_words '10s 30s 2m' "$word" ;;
    --life) _tcpstorm_words '0s 200ms 2s' "$word" ;;
    --address) _tcpstorm_words '127.0.0.1 ::1' "$word" ;;
    --conns | --leak | --rate | --server-nofile | --backlog | --settle | --interval | --port | net.*) ;;
    *) _tcpstorm_options "$program" "$word" ;;
  esac
}

complete -F _tcpstorm tcpstorm
