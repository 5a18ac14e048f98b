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
    "$1" options --rows audit 2>/dev/null | sed -n 's/^order\t\([^\t]*\)\t.*/\1/p' | tr '|' ' ' | sed 's/ all$//'
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
  local program=$1 word=$2 before='' name names='' typed
  typed=,$(IFS= && printf '%s' "${COMP_WORDS[*]:2:COMP_CWORD-1}")
  [[ ${typed##*,} != *=* ]] || return 0
  [[ $word != *,* ]] || before=${word%,*},
  for name in $("$program" options --words state 2>/dev/null); do
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

_tcpstorm_commands() {
  "$1" options --commands 2>/dev/null | cut -f 1 | tr '\n' ' '
}

# Those that the words before allow: none twice, and none that another excludes.
_tcpstorm_options() {
  local program=$1 word=$2 words command
  command=$(_tcpstorm_command)
  words=$("$program" options "$command" "${COMP_WORDS[@]:1:COMP_CWORD-1}" 2>/dev/null)
  ((COMP_CWORD > 1)) ||
    words+=" --help --version $(_tcpstorm_commands "$program")"
  _tcpstorm_words "$words" "$word"
}

# What an option wants: "auto|netlink|procfs", "FILE", "-" for a flag; nothing where it is no option.
_tcpstorm_wanted() {
  "$1" options --rows "$(_tcpstorm_command)" 2>/dev/null | awk -F '\t' -v name="${2#--}" '$1 == name { print $2 }'
}

# For an option that wants something, of which no examples are known: words, files, or nothing.
_tcpstorm_value() {
  local program=$1 word=$2 option=$3 wanted=''
  [[ $option != --?* ]] || wanted=$(_tcpstorm_wanted "$program" "$option")
  case $wanted in
    '' | -) _tcpstorm_options "$program" "$word" ;;
    FILE) _tcpstorm_files "$word" ;;
    *[A-Z]*) ;; # "N|P%" is no list of words
    *'|'*) _tcpstorm_words "${wanted//|/ }" "$word" ;;
  esac
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
      ((COMP_CWORD != 2)) || _tcpstorm_words "$(_tcpstorm_commands "$program")" "$word"
      ((COMP_CWORD == 1)) || return 0
      ;;
    version | --help | -h | --version | -V) ((COMP_CWORD == 1)) || return 0 ;;
  esac
  if _tcpstorm_at_states; then
    _tcpstorm_states "$program" "$word"
    return 0
  fi
  case $option in
    --order) _tcpstorm_orders "$program" "$word" ;;
    --cause) _tcpstorm_causes "$program" "$word" ;;
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
    net.*) ;;
    *) _tcpstorm_value "$program" "$word" "$option" ;;
  esac
}

complete -F _tcpstorm tcpstorm
