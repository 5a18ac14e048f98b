#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash; every test is a subshell
#
# Interrupted and killed: at any moment the rows are kept, nothing hangs, no process is left.

# run-bats: takes 60 s

load ../storm

# The storm was interrupted at that step: status, rows, summary, processes.
expect_interrupted_at() {
  expect_code 130
  expect_no_process
  check_csv "$CSV"
  expect_in "$OUT" "Interrupted at $1"
  expect_in "$OUT" "so far"
}

# has_opened_some: a look has shown connections while more are still to be opened.
has_opened_some() {
  [[ -e $CSV ]] && awk -F, '$4 == "open" && $5 == 0 && $7 > 0 { found = 1 } END { exit !found }' "$CSV"
}

start_slow_opening() {
  in_slow_namespace
  start_storm --conns 19k --interval 20ms "$@"
  wait_until 10 has_opened_some
}

@test "SIGINT or SIGTERM while connections are opened: 130" {
  local signal
  for signal in INT TERM; do
    start_slow_opening
    kill -"$signal" "$storm_pid"
    end_storm "$PATIENCE"
    expect_interrupted_at open
    expect_not_in "$CSV" ",open,1,"
  done
}

@test "SIGINT or SIGTERM in the hold of each step: 130, and the steps before are in the summary" {
  local signal step hold
  for signal in INT TERM; do
    for step in open server-close client-close; do
      for hold in $HOLDS; do
        start_storm --conns 200 --order server-first --hold "$hold" --interval 20ms
        wait_for_row "$step" 1
        kill -"$signal" "$storm_pid" || true
        end_storm "$PATIENCE"
        ! was_in_hold_of "$step" || break
      done
      expect_interrupted_at "$step"
    done
    expect_in "$OUT" "open ██████ 200 ESTABLISHED" || expect_in "$OUT" "open ###### 200 ESTABLISHED"
  done
}

@test "SIGINT or SIGTERM before a step has settled: 130" {
  local signal
  for signal in INT TERM; do
    # With no room for timewait sockets FIN_WAIT2 vanishes, and the step cannot settle.
    start_with_no_time_wait --conns 200 --order server-first --settle 1m --interval 20ms
    wait_for_row server-close 0
    kill -"$signal" "$storm_pid"
    end_storm "$PATIENCE"
    expect_interrupted_at server-close
    expect_not_in "$CSV" ",server-close,1,"
  done
}

@test "SIGINT or SIGTERM in --hold forever: 130" {
  local signal
  for signal in INT TERM; do
    start_storm --conns 200 --order leak --hold forever --interval 50ms
    wait_for_row client-close 1
    kill -"$signal" "$storm_pid"
    end_storm "$PATIENCE"
    expect_interrupted_at client-close
    expect_lanes_empty
  done
}

@test "SIGINT in the second of two orders: 130, and the first stays in the summary" {
  start_storm --conns 50 --order abort,leak --hold forever --interval 20ms
  wait_until 10 grep -q '^leak,.*,client-close,1,' "$CSV"
  kill -INT "$storm_pid"
  end_storm "$PATIENCE"
  expect_code 130
  expect_no_process
  check_csv "$CSV"
  expect_in "$OUT" " client-abort "
  expect_in "$OUT" "Interrupted at"
}

@test "SIGINT while the run waits for TIME_WAIT of its first order to end: 130" {
  in_fresh_namespace net.ipv4.tcp_max_tw_buckets=150
  start_storm --conns 100 --order server-first,client-first --hold 50ms --json "$JSON"
  wait_until 10 grep -qs '"event":"end"' "$JSON"
  wait_until 5 no_worker
  kill -INT "$storm_pid"
  end_storm "$PATIENCE"
  expect_code 130
  expect_no_process
  check_csv "$CSV"
  expect_in "$OUT" " client-close "
}

no_worker() {
  [[ -z $(role_pid "worker")$(role_pid "witness") ]]
}

@test "Ctrl-C reaches the whole process group: 130, the last rows are kept" {
  local step hold group
  launcher=(setsid)
  for step in open server-close client-close; do
    for hold in $HOLDS; do
      start_storm --conns 200 --order server-first --hold "$hold" --interval 20ms
      wait_for_row "$step" 1
      group=$(ps -o pgid= -p "$(role_pid 'worker server')" || true)
      kill -INT -- "-$storm_pid" || true
      end_storm "$PATIENCE"
      ! was_in_hold_of "$step" || break
    done
    expect_interrupted_at "$step"
    [[ $group -eq $storm_pid ]]
  done
}

@test "Ctrl-C to the whole process group while connections are opened: 130" {
  in_slow_namespace
  launcher=(setsid "${launcher[@]}")
  start_storm --conns 19k --interval 20ms
  wait_until 10 has_opened_some
  kill -INT -- "-$storm_pid"
  end_storm "$PATIENCE"
  expect_interrupted_at open
}

# After a process was killed: exit status 3, one sentence with who and which signal, nothing left.
expect_loss_named() {
  expect_code 3
  expect_no_process
  check_csv "$CSV"
  expect_one_sentence
  expect_in "$ERR" "$1"
  expect_in "$ERR" "signal 9"
  expect_in "$ERR" "at $2,"
}

kill_role_while_opening() {
  start_slow_opening --quiet
  kill -KILL "$(role_pid "$1")"
  end_storm "$PATIENCE"
  expect_loss_named "$2" open
}

@test "the server worker killed while connections are opened: exit status 3, named" {
  kill_role_while_opening "worker server" "server worker 0"
}

@test "the client worker killed while connections are opened: exit status 3, named" {
  kill_role_while_opening "worker client" "client worker 0"
}

@test "the witness killed while connections are opened: exit status 3, named" {
  kill_role_while_opening "witness" "the witness"
}

kill_role_in_each_hold() {
  local step hold
  for step in open server-close client-close; do
    for hold in $HOLDS; do
      start_storm --conns 200 --order server-first --hold "$hold" --interval 50ms --quiet
      wait_for_row "$step" 1
      kill -KILL "$(role_pid "$1")" || true
      end_storm "$PATIENCE"
      ! was_in_hold_of "$step" || break
    done
    expect_loss_named "$2" "$step"
    expect_in "$CSV" ",$step,1,"
  done
}

@test "the server worker killed in the hold of each step: exit status 3, named" {
  kill_role_in_each_hold "worker server" "server worker 0"
}

@test "the client worker killed in the hold of each step: exit status 3, named" {
  kill_role_in_each_hold "worker client" "client worker 0"
}

@test "the witness killed in the hold of each step: exit status 3, named" {
  kill_role_in_each_hold "witness" "the witness"
}

@test "the controller killed: all workers and the witness leave" {
  start_storm --conns 1000 --order never-close --hold forever
  wait_for_row open 1
  has_role "worker server" && has_role "worker client" && has_role witness
  kill -KILL "$storm_pid"
  if ! wait_until "$PATIENCE" no_process; then
    expect_no_process
  fi
  code=0
  wait "$storm_pid" || code=$?
  [[ $code == 137 ]]
}

@test "the controller killed while connections are opened: all workers and the witness leave" {
  start_slow_opening
  kill -KILL "$storm_pid"
  if ! wait_until "$PATIENCE" no_process; then
    expect_no_process
  fi
  wait "$storm_pid" 2>/dev/null || true
}

@test "a worker that stops in the middle of an act: exit status 3 after the limit of silence, named" {
  local hold
  for hold in $HOLDS; do
    start_storm --conns 200 --order server-first --hold "$hold" --quiet
    wait_for_row server-close 1
    kill -STOP "$(role_pid 'worker client')" || true
    end_storm 40
    ((code == 0)) || break # else all had acted before
  done
  expect_code 3
  expect_one_sentence
  expect_in "$ERR" "client worker 0"
  expect_in "$ERR" "has not answered"
  check_csv "$CSV"
  expect_in "$CSV" ",server-close,1,"
  expect_no_process
}

@test "a second SIGINT does not wait for a worker that has stopped" {
  start_storm --conns 200 --order never-close --hold forever
  wait_for_row open 1
  kill -STOP "$(role_pid 'worker client')"
  kill -INT "$storm_pid"
  wait_until 3 lacks_role "worker server" # the first has been heard
  is_over "$storm_pid" || kill -INT "$storm_pid"
  end_storm "$PATIENCE"
  expect_interrupted_at open
}

lacks_role() {
  [[ -z $(role_pid "$1") ]]
}
