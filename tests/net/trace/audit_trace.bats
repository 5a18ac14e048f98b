#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables are shared with storm.bash, audit.bash and trace.bash
#
# "tcpstorm audit --trace --run": where held connections part from closed ones, by the lines of servers with one leaking path.

load ../storm
load ../audit
load ../trace

@test "--trace: an epoll server that puts some connections aside parts at that line, over three files" {
  build epoll -DLEAK epoll_server.c epoll_conn.c epoll_pool.c
  trace_audit -- "$server" "$PORT"
  expect_code 1
  expect_counts closed=16 held=4 eof_read=4
  expect_note "$AFTER" "recvfrom zero $(line_of epoll_conn.c recv) on_readable"
  expect_note "$HELD" "epoll_ctl(DEL) unknown $(line_of epoll_pool.c park) pool_park"
  expect_note "$CLOSED" "close unknown $(line_of epoll_conn.c close) conn_free"
  expect_note "$ACCEPTED" "accept4 some $(line_of epoll_server.c accept) accept_some"
  expect_branches held 4
  expect_branches closed 16
  expect_in "$OUT" "20 connections: 16 closed, 4 held. They part after recv() = 0 at $(line_of epoll_conn.c recv) in on_readable:"
  grep -qE "^ +16 went on to  close\(\) +$(line_of epoll_conn.c close) in conn_free < on_readable$" "$OUT"
  grep -qE "^ +4 ended with  epoll_ctl\(DEL\) +$(line_of epoll_pool.c park) in pool_park .*< $(line_of epoll_conn.c parks) in on_readable +no close\(\) follows$" "$OUT"
  expect_in "$OUT" "accepted at $(line_of epoll_server.c accept) in accept_some"
  expect_in "$OUT" "(max), traced"
  wait_until 5 no_process
}

@test "--trace: its clean twin closes, and no line is accused" {
  build epoll epoll_server.c epoll_conn.c epoll_pool.c
  trace_audit -- "$server" "$PORT"
  expect_code 0
  expect_counts closed=20
  expect_branches held 0
  expect_note "$CLOSED" "close unknown $(line_of epoll_conn.c close) conn_free"
  expect_not_in "$OUT" "ended with"
}

@test "--trace: a thread that returns without close() ended with its read()" {
  build threads -DLEAK threads_server.c -pthread
  trace_audit -- "$server" "$PORT"
  expect_code 1
  expect_branches held 4
  expect_note "$AFTER" "read zero $(line_of threads_server.c read) serve"
  expect_note "$HELD" "read zero $(line_of threads_server.c read) serve"
  expect_note "$CLOSED" "close unknown $(line_of threads_server.c close) serve"
  expect_in "$OUT" "4 ended there"
  build threads threads_server.c -pthread
  trace_audit -- "$server" "$PORT"
  expect_code 0
  expect_branches held 0
}

@test "--trace: a static program, and one of clang's, have their lines too" {
  local compiler words
  build static -DLEAK -static epoll_server.c epoll_conn.c epoll_pool.c
  trace_audit -- "$server" "$PORT"
  expect_note "$HELD" "epoll_ctl(DEL) unknown $(line_of epoll_pool.c park) pool_park"
  command -v clang >/dev/null || skip "no clang"
  (cd "$SOURCES" && clang -g -O2 -DLEAK -o "$BATS_TEST_TMPDIR/clang" epoll_server.c epoll_conn.c epoll_pool.c)
  trace_audit -- "$BATS_TEST_TMPDIR/clang" "$PORT"
  expect_note "$HELD" "epoll_ctl(DEL) unknown $(line_of epoll_pool.c park) pool_park"
  expect_note "$CLOSED" "close unknown $(line_of epoll_conn.c close) conn_free"
}

@test "--trace: a stripped program is told by its name and offsets, never by a wrong line" {
  build epoll -DLEAK epoll_server.c epoll_conn.c epoll_pool.c
  strip "$server"
  trace_audit -- "$server" "$PORT"
  expect_code 1
  expect_branches held 4
  grep -qE "4 ended with  epoll_ctl\(DEL\) +epoll\+0x[0-9a-f]+" "$OUT" || { show_output; return 1; }
  expect_not_in "$OUT" ".c:"
}

@test "--trace: a bufferevent server is told by libevent's functions" {
  build bufferevent -DLEAK bufferevent_server.c -levent 2>/dev/null || skip "no libevent to build with"
  trace_audit -- "$server" "$PORT"
  expect_code 1
  expect_branches held 4
  expect_branches closed 16
  expect_in "$OUT" "libevent"
  build bufferevent bufferevent_server.c -levent
  trace_audit -- "$server" "$PORT"
  expect_code 0
  expect_branches held 0
}

@test "--trace: what a helper has inherited is told with its fork(), and by whom it was closed" {
  build fork -DLEAK fork_server.c
  trace_audit -- "$server" "$PORT"
  expect_code 1
  expect_branches held 1
  tr -s ' \n' ' ' <"$OUT" >"$BATS_TEST_TMPDIR/flat"
  grep -qE "closed by pid [0-9]+ at fork_server.c:[0-9]+ in (serve|main); pid [0-9]+ has it still, since fork\(\) at $(line_of fork_server.c helper) in make_helper" \
    "$BATS_TEST_TMPDIR/flat" || { show_output; return 1; }
  build fork fork_server.c
  trace_audit -- "$server" "$PORT"
  expect_code 0
  expect_branches held 0
}

@test "--trace: where all are held there is nothing to compare with, and the last call is told" {
  build threads -DLEAK -D'close(fd)=(void)0' threads_server.c -pthread
  trace_audit -- "$server" "$PORT"
  expect_code 1
  expect_branches held 20
  expect_note "$HELD" "read zero $(line_of threads_server.c read) serve"
  expect_in "$OUT" "20 connections: 20 held. None was closed, to compare with."
}

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

@test "--trace: Ctrl-C tells what was seen, and leaves nothing" {
  local grace=20s
  build epoll -DLEAK epoll_server.c epoll_conn.c epoll_pool.c
  in_fresh_namespace
  "${launcher[@]}" "$STORM" audit "127.0.0.1:$PORT" --grace 20s --conns 20 --json "$JSON" --trace --run -- "$server" "$PORT" >"$OUT" 2>"$ERR" 3>&- &
  storm_pid=$!
  others+=("$storm_pid")
  wait_until 20 sixteen_are_closed
  kill -INT "$storm_pid"
  end_storm "$LONG"
  expect_code 130
  expect_in "$OUT" "4 open when it was interrupted"
  grep -q "4 ended with  epoll_ctl(DEL) .*$(line_of epoll_pool.c park) in pool_park" "$OUT" || { show_output; return 1; }
  wait_until 5 no_process
  ! pgrep -f -- "$server" || { say "the server is left"; return 1; }
}

sixteen_are_closed() {
  [[ $(nsenter -t "$storm_pid" -n ss -Htan state close-wait "sport = :$PORT" 2>/dev/null | wc -l) == 4 ]]
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

@test "--trace --isolate: a network and pids of its own, and the same lines" {
  build epoll -DLEAK epoll_server.c epoll_conn.c epoll_pool.c
  launcher=(env)
  trace_audit --isolate -- "$server" "$PORT"
  expect_code 1
  expect_branches held 4
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
