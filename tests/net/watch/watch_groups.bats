#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # those shared with storm.bash; every test is a subshell
#
# "tcpstorm watch --fail-on" on all that a process can hold: each kind of leak, and its clean twin, beside each other.

load ../storm
load ../audit

HOLDERS=${BATS_TEST_DIRNAME}/holders.py
# A python3 on PATH may be a script that takes a second to find another.
PYTHON=$(command -v /usr/bin/python3 || command -v python3)

# start_holder NAME KIND bug|clean: on a port of its own; its pid is in ${holders[NAME]}.
declare -gA holders watches
port=16000
start_holder() {
  ((++port))
  nsenter -t "$server_pid" -n "$PYTHON" "$HOLDERS" "$2" "$3" "$port" >"$BATS_TEST_TMPDIR/$1.ready" 2>&1 3>&- &
  holders[$1]=$!
  others+=("$!")
}

is_ready() {
  grep -q '^ready' "$BATS_TEST_TMPDIR/$1.ready"
}

# watch_holder NAME OPTION...: in the background.
watch_holder() {
  local file=$BATS_TEST_TMPDIR/$1
  nsenter -t "$server_pid" -n "$STORM" watch --pid "${holders[$1]}" --interval 400ms "${@:2}" --json "$file.json" \
    >"$file.out" 2>"$file.err" 3>&- &
  watches[$1]=$!
  others+=("$!")
}

# expect_watch NAME CODE [WORDS]
expect_watch() {
  wait_until 40 is_over "${watches[$1]}" || { say "the watch of $1 does not end"; return 1; }
  code=0
  wait "${watches[$1]}" || code=$?
  OUT=$BATS_TEST_TMPDIR/$1.out ERR=$BATS_TEST_TMPDIR/$1.err JSON=$BATS_TEST_TMPDIR/$1.json
  ((code == $2)) || { say "$1: exit code $code, not $2"; cat "$ERR" "$BATS_TEST_TMPDIR/$1.ready"; tail -n 3 "$OUT"; return 1; }
  (($# < 3)) || expect_in "$ERR" "$3"
}

# A namespace with no content.
hold_namespace() {
  in_fresh_namespace
  "${launcher[@]}" sleep 1000 3>&- &
  server_pid=$!
  others+=("$server_pid")
  wait_until 10 is_sleep "$server_pid"
}

is_sleep() {
  [[ $(<"/proc/$1/comm") == sleep ]]
}

@test "--fail-on growth: each kind of leak is found, and none of its clean twins" {
  hold_namespace
  local kinds=(close_wait ghosts fin_wait2 idle syn_sent accept_queue unread unsent) kind name duration
  for kind in "${kinds[@]}"; do
    start_holder "$kind" "$kind" bug
    [[ $kind == idle ]] || start_holder "$kind-clean" "$kind" clean
  done
  # A pool that fills and then rests, and connections that rest for a while, in ever larger numbers.
  start_holder pool-clean pool clean
  start_holder load-clean load clean
  for name in "${!holders[@]}"; do
    wait_until 20 is_ready "$name" || { say "$name: $(<"$BATS_TEST_TMPDIR/$name.ready")"; return 1; }
    # Who leaks is found when it is sure; who does not has 14 s.
    duration=1m
    [[ $name != *-clean ]] || duration=14s
    watch_holder "$name" --duration "$duration" --idle 2s --fail-on growth
  done
  expect_watch close_wait 1 "CLOSE_WAIT on server port "
  expect_watch ghosts 1 "the sum of CLOSE_WAIT and ghosts on server port "
  expect_watch fin_wait2 1 "the number of FIN_WAIT2 with a descriptor on client of port "
  expect_watch idle 1 "the number of ESTABLISHED without data for 2s on server port "
  expect_watch syn_sent 1 "the number of SYN_SENT on client of port "
  expect_watch accept_queue 1 "is full, 9 of 8, and nobody was accepted for "
  expect_watch unread 1 "the number of ESTABLISHED with unread data on server port "
  expect_watch unsent 1 "the number of ESTABLISHED with unsent data on client of port "
  for name in "${!holders[@]}"; do
    [[ $name != *-clean ]] || expect_watch "$name" 0
  done
}
