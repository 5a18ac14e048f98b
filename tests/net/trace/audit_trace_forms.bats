#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154 # variables are shared with storm.bash, audit.bash and trace.bash
#
# "tcpstorm audit --trace --run": its forms, its orders, its end, and its rights.

load ../storm
load ../audit
load ../trace

@test "--trace: several orders have a report each, of their own connections" {
  build epoll -DLEAK epoll_server.c epoll_conn.c epoll_pool.c
  trace_audit --order half-close,client-first -- "$server" "$PORT"
  expect_code 1
  [[ $(jq -rs 'map(select(.event == "audit") | .trace.connections | "\(.closed) \(.held)") | join(", ")' "$JSON") == "16 4, 16 4" ]] ||
    { show_output; return 1; }
}

@test "--trace: code hosts have the line in SARIF, GitHub Actions in a job's output, and JUnit in its text" {
  local sarif=$BATS_TEST_TMPDIR/lines.sarif junit=$BATS_TEST_TMPDIR/audit.xml park
  build epoll -DLEAK epoll_server.c epoll_conn.c epoll_pool.c
  park=$(line_of epoll_pool.c park)
  cd "$SOURCES"
  GITHUB_ACTIONS=true trace_audit --quiet --sarif "$sarif" --junit "$junit" -- "$server" "$PORT"
  expect_code 1
  jq -e '.version == "2.1.0" and (.runs | length == 1) and (.runs[0].tool.driver.name == "tcpstorm")' "$sarif"
  [[ $(jq -r '.runs[0] | .results[] as $r | "\($r.ruleId) \(.tool.driver.rules[$r.ruleIndex].id) \($r.level)"' "$sarif") == "held-connection held-connection error" ]]
  [[ $(jq -r '.runs[0].results[].locations[].physicalLocation | "\(.artifactLocation.uri):\(.region.startLine)"' "$sarif") == "$park" ]]
  grep -q "^::error file=${park%:*},line=${park#*:},title=tcpstorm audit::4 of 20 connections (half-close) ended with epoll_ctl(DEL)" "$OUT" ||
    { show_output; return 1; }
  grep -q "4 ended with  epoll_ctl(DEL) .*$park in pool_park" "$junit"
  cd "$SOURCES" && build epoll epoll_server.c epoll_conn.c epoll_pool.c
  GITHUB_ACTIONS=true trace_audit --quiet --sarif "$sarif" -- "$server" "$PORT"
  expect_code 0
  [[ $(jq '.runs[0].results | length' "$sarif") == 0 ]]
  [[ ! -s $OUT ]]
}

@test "--trace: an ordinary user may" {
  build epoll -DLEAK epoll_server.c epoll_conn.c epoll_pool.c
  launcher=(unshare --user --map-user=65534 --map-group=65534 --net --)
  "${launcher[@]}" true 2>/dev/null || skip "this unshare cannot make an ordinary user"
  launcher=()
  in_fresh_namespace
  launcher+=(unshare --user --map-user=65534 --map-group=65534 --)
  chmod 755 "$BATS_TEST_TMPDIR" "$server"
  trace_audit -- "$server" "$PORT"
  expect_code 1
  expect_note "$HELD" "epoll_ctl(DEL) unknown $(line_of epoll_pool.c park) pool_park"
}

@test "--trace: what does not go together is one sentence, before anything is started" {
  local words
  for words in "127.0.0.1:$PORT --trace" "127.0.0.1:$PORT --sarif x --run -- touch $BATS_TEST_TMPDIR/mark" \
    "unix:$BATS_TEST_TMPDIR/s --trace --run -- touch $BATS_TEST_TMPDIR/mark"; do
    code=0
    # shellcheck disable=SC2086 # words
    "$STORM" audit $words >"$OUT" 2>"$ERR" || code=$?
    expect_code 2
    expect_one_sentence
  done
  [[ ! -e $BATS_TEST_TMPDIR/mark ]]
}

# Within another tracer there is no room for one.
@test "--trace: a server that may not be traced is exit code 3, and one sentence that says what works" {
  in_fresh_namespace
  code=0
  "${launcher[@]}" "$STORM" audit "127.0.0.1:$PORT" --trace --run -- \
    "$STORM" audit "127.0.0.1:$PORT" --trace --json "$JSON" --run -- touch "$BATS_TEST_TMPDIR/mark" >"$OUT" 2>"$ERR" 3>&- || code=$?
  expect_code 3
  expect_in "$ERR" 'tcpstorm: --trace: the server cannot be traced (Operation not permitted): another program traces it already'
  expect_in "$ERR" 'the audit works without --trace'
  [[ ! -e $BATS_TEST_TMPDIR/mark && ! -s $JSON ]]
  wait_until 5 no_process
}
