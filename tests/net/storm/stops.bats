#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash; every test is a subshell
#
# A run always ends: a signal in the middle of an act, a second one whatever happens, and a process that has stopped
# answering is named after the limit of silence.

load ../storm

# run-bats: takes 80 s

SILENCE=30 # seconds: the limit for a worker is 15, and the machine may be busy
WITNESS_SILENCE=50

# is_acting STEP: a look has shown the step under way.
is_acting() {
  [[ -e $CSV ]] && grep -q ",$1,0," "$CSV"
}

# The run may be faster than anybody who looks.
is_acting_or_over() {
  is_acting "$1" || is_over "$storm_pid"
}

# expect_each_counted_once N: no side lingers with more sockets than there are connections.
expect_each_counted_once() {
  jq -es --argjson most "$1" '[.[] | select(.event == "end") | .lingering // [] | group_by(.side)[] | map(.count) | add]
    | all(. <= $most)' "$JSON" >/dev/null || {
    say "more sockets linger than there are connections:"
    jq -c 'select(.event == "end") | .lingering' "$JSON"
    return 1
  }
}

# In a small backlog opening takes seconds; elsewhere an act of 19,000 ends takes some tenths of a second.
interrupt_act() {
  local signal=$1 order=$2 step=$3
  in_fresh_namespace
  start_storm --conns 19k --order "$order" --hold 0s --interval 5ms --json "$JSON"
  wait_until 20 is_acting_or_over "$step"
  kill -"$signal" "$storm_pid" 2>/dev/null || true
  end_storm 15
  expect_no_process
  check_csv "$CSV"
  [[ $code == 130 ]] || expect_code 0 # the run was faster than the signal
  ((code == 0)) || grep -q "Interrupted at" "$OUT" || expect_in "$OUT" "As expected." # it came when the last step was over
  expect_each_counted_once 19000
}

@test "INT, TERM, HUP in the middle of an act: 130, nobody left, each socket counted once" {
  interrupt_act INT server-first server-close
  interrupt_act TERM server-first client-close
  interrupt_act HUP half-close client-shutdown
  interrupt_act INT half-close server-write
  interrupt_act TERM simultaneous both-close
  interrupt_act INT abort client-abort
}

@test "a state that fails while another is being made: the run ends by itself" {
  in_fresh_namespace
  "${launcher[@]}" "$STORM" state close_wait,fin_wait2 --conns 15k --hold forever --csv "$CSV" >"$OUT" 2>"$ERR" 3>&- &
  storm_pid=$!
  wait_until 20 is_acting open
  kill -KILL "$(role_pid 'worker client')"
  end_storm 20
  expect_code 3
  expect_no_process
  expect_in "$ERR" "signal 9"
}

# Two signals are 1 s of patience at most, whoever does not answer.
@test "a second signal ends the run within a second, with every process stopped" {
  local pid
  start_storm --conns 2000 --order leak --hold forever
  wait_for_row client-close 1
  for pid in $(storm_pids); do
    ((pid == storm_pid)) || kill -STOP "$pid"
  done
  kill -INT "$storm_pid"
  sleep 0.2
  kill -TERM "$storm_pid"
  end_storm 2
  expect_code 130
  expect_no_process
  check_csv "$CSV"
}

@test "a second signal while connections are opened: 130, counted once" {
  in_slow_namespace
  start_storm --conns 19k --interval 20ms --json "$JSON"
  wait_until 10 is_acting open
  kill -INT "$storm_pid"
  kill -INT "$storm_pid"
  end_storm 3
  expect_code 130
  expect_no_process
  expect_each_counted_once 19000
}

# stop_role ROLE: whoever it is, the run must name it.
stop_role_in_a_flow() {
  start_storm --cause ignore-eof --rate 50 --duration 2m --quiet
  wait_for_row arrivals 0
  kill -STOP "$(role_pid "$1")"
  end_storm "$3"
  expect_code 3
  expect_one_sentence
  expect_in "$ERR" "$2"
  expect_in "$ERR" "has not answered"
  expect_no_process
  check_csv "$CSV"
}

@test "a server worker that stops in a flow is named, and not the client" {
  stop_role_in_a_flow "worker server-flow" "server worker 0" "$SILENCE"
}

@test "a client worker that stops in a flow is named" {
  stop_role_in_a_flow "worker client-flow" "client worker 0" "$SILENCE"
}

@test "a witness that stops is named" {
  start_storm --conns 200 --order never-close --hold forever --quiet
  wait_for_row open 1
  kill -STOP "$(role_pid witness)"
  end_storm "$WITNESS_SILENCE"
  expect_code 3
  expect_one_sentence
  expect_in "$ERR" "the witness"
  expect_in "$ERR" "has not answered"
  expect_no_process
}

@test "a run that is stopped and continued goes on" {
  local pid
  launcher=(setsid)
  start_storm --conns 500 --order server-first --hold 1s
  wait_for_row server-close 1
  kill -STOP -- "-$storm_pid"
  sleep 3 # longer than a heartbeat that counts as late
  kill -CONT -- "-$storm_pid"
  end_storm 30
  expect_code 0
  expect_no_process
}
