#!/usr/bin/env bats
# shellcheck disable=SC2154 # bats sets status, output, stderr and their lines
#
# bash completion: what is offered for the last word.

load helper

# offered WORD...: completes the last of the words behind the program's name; what is offered is in $lines.
offered() {
  local completion=$BATS_TEST_DIRNAME/../../src/completion/tcpstorm.bash
  [[ -s $completion ]] || skip 'there is no completion yet'
  # shellcheck disable=SC2016 # for the inner shell
  run --separate-stderr bash -c '
    source "$1" && shift
    COMP_WORDS=("$@")
    COMP_CWORD=$(($# - 1))
    _tcpstorm "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
    ((${#COMPREPLY[@]} == 0)) || printf "%s\n" "${COMPREPLY[@]}"' \
    bash "$completion" "$TCPSTORM" "$@"
  assert_status 0
  assert_stderr_empty
}

assert_offers() {
  local word
  for word; do
    [[ $'\n'$output$'\n' == *$'\n'"$word"$'\n'* ]] || fail_with "not offered: $word" || return 1
  done
}

@test "every option is offered" {
  local options
  mapfile -t options < <("$TCPSTORM" options)
  ((${#options[@]} > 0)) || fail_with 'there are no options'
  offered --
  assert_offers "${options[@]}"
}

@test "every order is offered, and all" {
  local orders
  mapfile -t orders < <("$TCPSTORM" orders --names)
  ((${#orders[@]} > 0)) || fail_with 'there are no orders'
  offered --order ''
  assert_offers "${orders[@]}" all
}

@test "the start of an option is completed" {
  offered --wit
  [[ $output == --witness ]] || fail_with '--witness was expected'
}

@test "the start of an order is completed" {
  offered --conns 5 --order half
  [[ $output == half-close ]] || fail_with 'half-close was expected'
}

@test "an audit has orders of its own, and the second one of a list is completed too" {
  offered audit 127.0.0.1:80 --order idle,short-request-a
  [[ $output == idle,short-request-abort ]] || fail_with 'idle,short-request-abort was expected'
}

@test "the second order of a list is completed" {
  offered --order leak,ab
  [[ $output == leak,abort ]] || fail_with 'leak,abort was expected'
}

@test "an order behind = is completed" {
  offered --order = half
  [[ $output == half-close ]] || fail_with 'half-close was expected'
}

@test "every witness is offered" {
  offered --witness ''
  assert_offers auto netlink procfs
}

@test "the commands are offered first" {
  offered ''
  assert_offers server client walk state orders causes help version
}

@test "each command has options of its own" {
  local command operand
  for command in server client walk state audit watch explain trace transitions orders causes; do
    operand=()
    [[ $command != state ]] || operand=(close-wait)
    offered "$command" "${operand[@]}" ''
    [[ -n $output && $output == "$("$TCPSTORM" options "$command")" ]] || fail_with "the options of $command were expected"
  done
  offered client --cause ''
  [[ $output == *no-reuse* && $output != *ignore-eof* ]] || fail_with "the causes of a client were expected"
  offered client --p
  [[ $output == --port ]] || fail_with '--port was expected'
  offered causes ''
  [[ $output == --names ]] || fail_with '--names was expected'
  offered version ''
  [[ -z $output ]] || fail_with 'nothing was expected'
}

@test "the options offered for a command are those it takes" {
  local command operand option value
  for command in server client walk state audit watch explain trace transitions orders causes; do
    operand=()
    [[ $command != state ]] || operand=(close-wait)
    while IFS=$'\t' read -r option value _; do
      if [[ $value == - ]]; then
        storm "$command" "${operand[@]}" "--$option=yes"
        assert_stderr_has "--$option" 'must be given without a value'
      else
        storm "$command" "${operand[@]}" "--$option"
        assert_stderr_has "--$option needs a value"
      fi
      assert_status 2
      [[ $stderr != *'--help'* ]] || fail_with "$command does not know --$option"
    done < <("$TCPSTORM" options --rows "$command")
  done
}

@test "what was given is not offered again, nor what it excludes" {
  offered --conns 5 --
  [[ $'\n'$output$'\n' != *$'\n--conns\n'* && $output != *--rate* && $output != *--cause* ]] ||
    fail_with '--conns excludes --rate and --cause'
  offered --cause ignore-eof --
  [[ $'\n'$output$'\n' != *$'\n--conns\n'* && $output != *--order* && $output != *--leak* ]] ||
    fail_with '--cause excludes --conns, --order and --leak'
  offered state close-wait --live --
  [[ $output != *--live* && $output != *--plain* && $output != *--quiet* ]] || fail_with '--live excludes --plain and --quiet'
  offered --isolate --sysctl net.ipv4.tcp_fin_timeout = 5 --sys
  [[ $output == --sysctl ]] || fail_with '--sysctl can be given again'
}

@test "the words that an option takes are offered, of each command" {
  local command option value _ operand
  for command in storm server client walk state audit watch explain trace transitions; do
    operand=("$command")
    [[ $command != storm ]] || operand=()
    [[ $command != state ]] || operand+=(close-wait)
    while IFS=$'\t' read -r option value _; do
      [[ $value == *'|'* && $value != *[A-Z]* ]] || continue
      offered "${operand[@]}" "--$option" ''
      [[ $output == "${value//|/$'\n'}" ]] || fail_with "$value was expected for --$option"
    done < <("$TCPSTORM" options --rows "$command")
  done
}

@test "behind help the commands are offered" {
  offered help ''
  assert_offers server client walk state audit watch explain trace transitions orders causes
  offered help walk ''
  [[ -z $output ]] || fail_with 'nothing was expected'
}

@test "every state is offered, and all" {
  local name names
  offered state ''
  assert_offers all listen syn-sent syn-recv established fin-wait-1 fin-wait-2 close-wait closing last-ack time-wait close
  names=$output
  for name in $names; do
    [[ $name != all ]] || continue
    storm state "$name" --dry-run --port "$(quiet_port)"
    ((status == 0 || status == 3)) || fail_with "state does not know $name" # 3: a filter is needed
  done
}

@test "the start of a state is completed, and the second of a list" {
  offered state close-
  [[ $output == close-wait ]] || fail_with 'close-wait was expected'
  offered state close-wait,la
  [[ $output == close-wait,last-ack ]] || fail_with 'close-wait,last-ack was expected'
  offered state close-wait = 300,la
  [[ $output == 300,last-ack ]] || fail_with '300,last-ack was expected'
}

@test "a state is offered once, and its number is not completed" {
  offered state close-wait,close
  [[ $output != *close-wait,close-wait* ]] || fail_with 'close-wait is there already'
  offered state close-wait = 3
  [[ -z $output ]] || fail_with 'nothing was expected for a number'
}

@test "the sides and some settings are offered" {
  offered state close-wait --side ''
  assert_offers server client usual
  offered --isolate --sysctl net.ipv4.tcp_fin
  [[ $output == net.ipv4.tcp_fin_timeout= ]] || fail_with 'net.ipv4.tcp_fin_timeout= was expected'
}

@test "the orders offered to a walk are those that it takes" {
  local name
  offered walk --order ''
  ((${#lines[@]} >= 8)) || fail_with 'these are too few orders'
  for name in $output; do
    storm walk --order "$name" --nonsense
    assert_stderr_has --nonsense
  done
}

@test "every cause is offered, and its start is completed" {
  local causes
  mapfile -t causes < <("$TCPSTORM" causes --names)
  ((${#causes[@]} > 0)) || fail_with 'there are no causes'
  offered --cause ''
  assert_offers "${causes[@]}"
  offered --cause fork
  [[ $output == fork-inherit ]] || fail_with 'fork-inherit was expected'
}

@test "for a server only the causes that it can show are offered" {
  offered server --cause ''
  assert_offers ignore-eof never-accept
  [[ $output != *dead-pool-entry* ]] || fail_with 'dead-pool-entry is a bug of a client'
}

@test "a walk takes one order" {
  offered walk --order ''
  assert_offers leak half-close
  [[ $output != *all* ]] || fail_with 'a walk does not take all'
}

@test "files are offered for an output" {
  touch rows.csv
  offered --csv ro
  [[ $output == rows.csv ]] || fail_with 'rows.csv was expected'
}

@test "nothing is offered for a number" {
  local option
  for option in --conns --leak --rate --server-nofile --backlog --settle --interval --port; do
    offered "$option" ''
    [[ -z $output ]] || fail_with "nothing was expected for $option"
  done
}
