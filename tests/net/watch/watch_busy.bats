#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # those shared with storm.bash; every test is a subshell
#
# "tcpstorm watch" where sockets change hands, and where there are so many that most looks leave some out.

load ../storm
load ../audit

HANDOVER=${BATS_TEST_DIRNAME}/handover.py
PYTHON=$(command -v /usr/bin/python3 || command -v python3)

# hand_over bug|clean: $JSON and $ERR of a watch that ends when 20 of 25 are in CLOSE_WAIT.
hand_over() {
  nsenter -t "$server_pid" -n "$STORM" watch --interval 50ms --duration 1m --fail-on count:20 --json "$JSON" \
    >"$OUT" 2>"$ERR" 3>&- &
  local watch=$!
  others+=("$watch")
  nsenter -t "$server_pid" -n "$PYTHON" "$HANDOVER" "$PORT" "$1" 25 >"$BATS_TEST_TMPDIR/handover" 2>&1 3>&- &
  dispatcher=$!
  others+=("$dispatcher")
  wait_until 40 is_over "$watch" || { say "the watch does not end"; cat "$BATS_TEST_TMPDIR/handover"; return 1; }
  code=0
  wait "$watch" || code=$?
  expect_code 1
}

# A namespace with nothing in it.
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

@test "who passes its connections on is not accused: who has them is" {
  hold_namespace
  hand_over bug
  expect_in "$ERR" "(worker pid "
  expect_not_in "$ERR" "$dispatcher"
}

@test "who keeps its connections is accused" {
  hold_namespace
  hand_over clean
  expect_in "$ERR" "(dispatcher pid $dispatcher)"
}

# has_look FILTER: jq says true of the looks so far.
has_look() {
  [[ -s $JSON ]] && head -n "$(wc -l <"$JSON")" "$JSON" | jq -s -e "$1" >/dev/null
}

@test "among many connections most looks leave out ESTABLISHED, say how old it is, and see CLOSE_WAIT at once" {
  hold_namespace
  nsenter -t "$server_pid" -n "$STORM" --conns 7000 --order never-close --hold forever --interval 1m \
    >"$BATS_TEST_TMPDIR/storm" 2>&1 3>&- &
  local storm=$!
  others+=("$storm")
  wait_until 30 holds_all
  nsenter -t "$server_pid" -n "$STORM" watch --interval 100ms --json "$JSON" >"$OUT" 2>"$ERR" 3>&- &
  local watch=$!
  others+=("$watch")
  local brief='.rest_s > 0 and .sockets >= 14000 and .hidden == 0 and ([.rows[].states.established // 0] | add) == 14000'
  wait_until 30 has_look "map(select($brief)) | length >= 3"
  has_look 'all(.[].rows[]; .pid > 0)'
  nsenter -t "$server_pid" -n "$PYTHON" "$HANDOVER" 20000 clean 5 >"$BATS_TEST_TMPDIR/handover" 2>&1 3>&- &
  dispatcher=$!
  others+=("$dispatcher")
  wait_until 60 has_look "map(select($brief and any(.rows[]; .pid == $dispatcher and .states.close_wait == 5))) | length >= 1"
  kill -INT "$watch"
  wait "$watch"
  expect_in "$OUT" "ESTABLISHED and TIME_WAIT, queues and connections at rest are "
}

holds_all() {
  [[ $(nsenter -t "$server_pid" -n ss -Htn state established | wc -l) == 14000 ]]
}
