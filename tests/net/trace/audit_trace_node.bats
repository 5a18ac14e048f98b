#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables are shared with storm.bash, audit.bash and trace.bash
#
# "tcpstorm audit --trace --run -- node": lines of JavaScript, which a script tells that node loads first.

load ../storm
load ../audit
load ../trace

needs() {
  command -v node >/dev/null || skip "no node"
  node -e '' || skip "node does not run here"
}

# The script is a file of our own folder for them.
trace_node() {
  export TMPDIR=$BATS_TEST_TMPDIR/hooks
  mkdir -p "$TMPDIR"
  grace=3s trace_audit -- node "$SOURCES/half_server.js" "$PORT"
  unset TMPDIR
}

no_hook_left() {
  [[ -z $(ls -A "$BATS_TEST_TMPDIR/hooks") ]]
}

@test "--trace: a program of node parts at its own lines" {
  LEAK=1 trace_node
  expect_code 1
  expect_branches held 4
  [[ $(jq -rs "$NOTE [.[0].trace.partings[].branches[] | select(.end == \"held\") | .steps[] | select(.call == \"socket.pause\") | note] | unique[]" "$JSON") \
    == "socket.pause unknown "*"$(line_of half_server.js pause) onEnd" ]]
  expect_in "$OUT" "$(line_of half_server.js end) in onEnd"
  no_hook_left
}

@test "--trace: its twin that ends them all is not accused" {
  trace_node
  expect_code 0
  expect_branches held 0
  expect_not_in "$OUT" socket.pause
  no_hook_left
}

@test "--trace: what NODE_OPTIONS asks for otherwise stays so" {
  NODE_OPTIONS=--title=mine LEAK='' trace_node
  expect_code 0
  expect_in "$OUT" "mine pid"
  no_hook_left
}

@test "--trace: an audit that is killed does not leave the script" {
  in_fresh_namespace
  export TMPDIR=$BATS_TEST_TMPDIR/hooks
  mkdir -p "$TMPDIR"
  "${launcher[@]}" "$STORM" audit "127.0.0.1:$PORT" --order idle --grace 60s --trace --run -- node "$SOURCES/half_server.js" "$PORT" >"$OUT" 2>"$ERR" 3>&- &
  unset TMPDIR
  wait_until 20 has_hook
  kill -KILL "$(storm_parent)"
  wait_until 5 no_process
  wait_until 5 no_hook_left
}

has_hook() {
  [[ -n $(storm_parent) ]] && ! no_hook_left
}
