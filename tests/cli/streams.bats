#!/usr/bin/env bats
# shellcheck disable=SC2154 # bats sets status, output, stderr and their lines
#
# What goes where, and how it looks there.

load helper

# A real run that leaves nothing behind in the kernel's tables.
short_run=(--conns 3 --order abort --hold 0s --interval 10ms)

full_stdout() {
  [[ -c /dev/full ]] || skip 'there is no /dev/full'
  # shellcheck disable=SC2016 # for the inner shell
  run --separate-stderr bash -c '"$@" >/dev/full' bash "$TCPSTORM" "$@"
}

@test "a full stdout is told, whatever was to be written there" {
  local arguments
  while read -r -a arguments; do
    full_stdout "${arguments[@]}"
    assert_status 3
    assert_one_message
    assert_stderr_has "standard output: No space left on device"
  done <<'END'
--help
--version
orders
orders --names
options
END
}

@test "a full stdout is told after a dry run" {
  full_stdout --dry-run --port "$(quiet_port)"
  assert_status 3
  assert_one_message
  assert_stderr_has "standard output: No space left on device"
}

@test "bad input is bad input on a full stdout too" {
  full_stdout --conns 0
  assert_status 2
  assert_one_message
}

@test "what is piped has no escape codes" {
  local arguments
  while read -r -a arguments; do
    TERM=xterm-256color storm "${arguments[@]}"
    [[ $output$stderr != *$'\e'* ]] || fail_with "escape codes from ${arguments[*]}"
  done <<END
--help
orders
--dry-run --port $(quiet_port)
--conns 0
END
}

@test "a summary that is piped has no escape codes" {
  TERM=xterm-256color storm "${short_run[@]}" --port "$(quiet_port)"
  assert_status 0
  [[ -n $output ]] || fail_with 'a summary was expected'
  [[ $output$stderr != *$'\e'* ]] || fail_with 'escape codes in a pipe'
}

# on_terminal COMMAND...: the command with a terminal for everything; what it shows is in $output.
on_terminal() {
  command -v script >/dev/null || skip 'script (util-linux) is missing'
  run script -qec "$(printf '%q ' "$@")" /dev/null
}

@test "a summary on a terminal has colour" {
  TERM=xterm-256color on_terminal "$TCPSTORM" "${short_run[@]}" --port "$(quiet_port)"
  assert_status 0
  [[ $output =~ $'\e['[0-9\;]+m ]] || fail_with 'colour was expected'
}

@test "a summary under NO_COLOR has none" {
  NO_COLOR=1 TERM=xterm-256color on_terminal "$TCPSTORM" "${short_run[@]}" --port "$(quiet_port)"
  assert_status 0
  [[ -n $output ]] || fail_with 'a summary was expected'
  [[ ! $output =~ $'\e['[0-9\;]+m ]] || fail_with 'colour under NO_COLOR'
}

@test "--csv - has stdout to itself and the summary moves to stderr" {
  storm "${short_run[@]}" --port "$(quiet_port)" --csv -
  assert_status 0
  [[ ${lines[0]} == order,conns,t_s,step,settled,side,opened,listen,* ]] || fail_with 'no CSV header'
  local line
  for line in "${lines[@]:1}"; do
    [[ $line == abort,3,* ]] || fail_with "no row: $line"
  done
  assert_stderr_has 'As expected'
}

@test "--json - has stdout to itself and the summary moves to stderr" {
  storm "${short_run[@]}" --port "$(quiet_port)" --json -
  assert_status 0
  local line
  for line in "${lines[@]}"; do
    [[ $line == '{"event":"'*'}' ]] || fail_with "no event: $line"
  done
  assert_stderr_has 'As expected'
}

@test "--quiet says nothing when all went well" {
  storm "${short_run[@]}" --port "$(quiet_port)" --quiet
  assert_status 0
  assert_stdout_empty
  assert_stderr_empty
}

@test "an output file is truncated" {
  printf 'rows of yesterday\n' >rows.csv
  storm "${short_run[@]}" --port "$(quiet_port)" --csv rows.csv
  assert_status 0
  run head -n 1 rows.csv
  [[ $output == order,conns,* ]] || fail_with 'the old rows are still there'
}
