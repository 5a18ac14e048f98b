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

# An audit has orders of its own.
_tcpstorm_order_names() {
  if [[ ${COMP_WORDS[1]} == audit ]]; then
    "$1" options --rows audit 2>/dev/null | sed -n 's/^order\t\(.*\)\t.*/\1/p' | tr '|' ' ' | sed 's/ all$//'
  else
    "$1" orders --names 2>/dev/null
  fi
}

# Completes the last word of a comma list. The orders before it stay as they are and are not offered again. A walk
# takes one order.
_tcpstorm_orders() {
  local program=$1 word=$2 before='' name names=''
  [[ $word != *,* ]] || before=${word%,*},
  if [[ ${COMP_WORDS[1]} == walk ]]; then
    _tcpstorm_words "$("$program" --dry-run --rate 1 --order all 2>/dev/null | sed -n 's/^  orders  *//p')" "$word"
    return 0
  fi
  for name in $(_tcpstorm_order_names "$program"); do
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

# A server shows no bug of a client's, and the other way round.
_tcpstorm_causes() {
  local program=$1 word=$2 line name='' names=''
  while IFS= read -r line; do
    [[ $line == ' '* ]] || name=${line%%:*}
    [[ $line == *'at fault  the '* ]] || continue
    [[ ${COMP_WORDS[1]} == @(server|client) && $line != *"${COMP_WORDS[1]}" ]] || names+=" $name"
  done < <("$program" causes 2>/dev/null)
  _tcpstorm_words "$names" "$word"
}

# The command that the line begins with; without one it is a storm.
_tcpstorm_command() {
  if ((COMP_CWORD > 1)) && [[ ${COMP_WORDS[1]} != -* ]]; then
    printf '%s\n' "${COMP_WORDS[1]}"
  else
    printf 'storm\n'
  fi
}

# Those that the words before allow: none twice, and none that another excludes.
_tcpstorm_options() {
  local program=$1 word=$2 words command
  command=$(_tcpstorm_command)
  words=$("$program" options "$command" "${COMP_WORDS[@]:1:COMP_CWORD-1}" 2>/dev/null)
  ((COMP_CWORD > 1)) ||
    words+=' --help --version server client walk state audit watch explain trace orders causes help version'
  _tcpstorm_words "$words" "$word"
}

# The values of an option that takes one of some words, as in "auto|netlink|procfs". False where there are none.
_tcpstorm_choices() {
  local program=$1 word=$2 option=$3 values
  values=$("$program" options --rows "$(_tcpstorm_command)" 2>/dev/null | sed -n "s/^${option#--}\t\(.*|.*\)\t.*/\1/p")
  # "N|P%" is no list of words
  [[ $values == *'|'* && $values != *[A-Z]* ]] || return 1
  _tcpstorm_words "${values//|/ }" "$word"
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
    help)
      ((COMP_CWORD != 2)) || _tcpstorm_words 'server client walk state audit watch explain trace orders causes' "$word"
      ((COMP_CWORD == 1)) || return 0
      ;;
    version | --help | -h | --version | -V) ((COMP_CWORD == 1)) || return 0 ;;
  esac
  if _tcpstorm_at_states; then
    _tcpstorm_states "$word"
    return 0
  fi
  if [[ $option == --?* && $option != --order ]] && _tcpstorm_choices "$program" "$word" "$option"; then
    return 0
  fi
  case $option in
    --order) _tcpstorm_orders "$program" "$word" ;;
    --cause) _tcpstorm_causes "$program" "$word" ;;
    --csv | --json | --junit | --send | --body) _tcpstorm_files "$word" ;;
    --pause) _tcpstorm_words '0s 500ms 1s 2s' "$word" ;;
    --hold)
      if [[ ${COMP_WORDS[1]} == state ]]; then
        _tcpstorm_words '0s 1s 10s 10m' "$word"
      else
        _tcpstorm_words '0s 1s 10s forever' "$word"
      fi
      ;;
    --sysctl) _tcpstorm_settings "$word" ;;
    --for) _tcpstorm_words '4s 10s 60s' "$word" ;;
    --duration) _tcpstorm_words '10s 30s 2m' "$word" ;;
    --life) _tcpstorm_words '0s 200ms 2s' "$word" ;;
    --address) _tcpstorm_words '127.0.0.1 ::1' "$word" ;;
    --conns | --leak | --rate | --server-nofile | --backlog | --settle | --interval | --port | --grace | --repeat | --http | --method | --header | --requests | --expect-idle-timeout | \
      --pid | --max-epoll | --metrics | --server-via | --client-via | --worker-path | net.*) ;;
    *) _tcpstorm_options "$program" "$word" ;;
  esac
}

complete -F _tcpstorm tcpstorm
