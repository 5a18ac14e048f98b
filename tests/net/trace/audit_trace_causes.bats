#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables are shared with storm.bash, audit.bash and trace.bash
#
# "tcpstorm audit --trace --run" on our own servers with a bug: each is told by file and function, and no fixed twin is accused.
# They run in libevent's loop, which is between what they do and who asked for it.

load ../storm
load ../audit
load ../trace

needs() {
  need_lines
  [[ $TCPSTORM != */asan/* ]] || skip "LeakSanitizer cannot look at a process that is traced"
}

# trace_cause NAME [OPTION...]
trace_cause() {
  trace_audit --send "${line:=$(a_line)}" "${@:2}" -- "$STORM" server --cause "$1" --port "$PORT" ${fixed:+--fixed}
}

# at_once NAME...: these are audited side by side, each in a network of its own; take NAME then has what came of it.
at_once() {
  local name pids=() line # one for all
  line=$(a_line)
  in_fresh_namespace
  for name in "$@"; do
    (
      take_files "$name"
      trace_cause "$name"
      say "$code" >"$OUT.code"
    ) 3>&- &
    pids+=("$!")
  done
  wait "${pids[@]}"
}

take_files() {
  OUT=$BATS_TEST_TMPDIR/$1.out ERR=$BATS_TEST_TMPDIR/$1.err JSON=$BATS_TEST_TMPDIR/$1.json
}

take() {
  take_files "$1"
  code=$(<"$OUT.code")
}

# functions_of FILTER: file and function of a note, without the line.
functions_of() {
  jq -rs "$NOTE .[0].trace | $1 | note" "$JSON" | sed -E 's/:[0-9]+ / /' | LC_ALL=C sort -u
}

# expect_cause NAME COUNT PATTERN: so many are held behind that call, in that function.
expect_cause() {
  expect_code 1
  expect_branches held "$2"
  # shellcheck disable=SC2053 # it is a pattern
  [[ $(functions_of "$HELD") == $3 ]] || { say "$1: \"$(functions_of "$HELD")\""; show_output; return 1; }
  [[ $(functions_of "$ACCEPTED") == "accept"*" some src/worker/endpoint.c endpoint_accept" ]] || { show_output; return 1; }
}

@test "each cause is told by file and function" {
  local name
  at_once ignore-eof paused-read no-half-close bounded-pool emfile fork-inherit lost-reference reply-before-read
  for name in ignore-eof paused-read no-half-close; do # they ended where they stopped listening
    take "$name"
    expect_cause "$name" 20 "epoll_ctl(DEL) unknown src/cause/visit.c visit_hear*"
  done

  take bounded-pool # nobody comes to handle it
  expect_cause bounded-pool 20 "accept4 some src/worker/endpoint.c endpoint_accept"

  take emfile # the one that is held was accepted elsewhere
  expect_code 1
  expect_branches held 1
  grep -qE "1 ended with  accept\(\) .*src/cause/emfile.c:[0-9]+ in refuse_one < on_acceptable +no close\(\) follows" "$OUT" ||
    { show_output; return 1; }

  take fork-inherit # the fork() that keeps them
  expect_code 1
  jq -es '.[0].trace.partings[].branches[] | select(.end == "held") | .holders[].forked_at | .places[.own] |
    .function == "child_start" and (.file | endswith("src/cause/child.c")) and .line > 0' "$JSON" || { show_output; return 1; }

  take lost-reference # the reader that forgets what the other one closes
  expect_cause lost-reference 4 "epoll_ctl(DEL) unknown src/cause/visit.c visit_free"
  expect_branches closed 16
  grep -qE "4 went on to .*< src/cause/lost_reference.c:[0-9]+ in on_cancelled" "$OUT"
  grep -qE "16 went on to .*< src/cause/lost_reference.c:[0-9]+ in on_readable" "$OUT"

  take reply-before-read
  expect_branches reset 20
  expect_in "$OUT" "the client got an RST"
}

@test "never-accept: those that nobody took, and where the others were accepted" {
  local conns=30
  trace_cause never-accept --rate 200
  expect_code 1
  expect_in "$OUT" "never accepted"
  grep -qE "the others were accepted at src/worker/endpoint.c:[0-9]+ in endpoint_accept" "$OUT"
}

@test "no fixed twin is accused by a line" {
  local name fixed=1 conns=12 grace=3s
  at_once ignore-eof paused-read bounded-pool never-accept emfile fork-inherit lost-reference no-half-close reply-before-read
  for name in ignore-eof paused-read bounded-pool never-accept emfile fork-inherit lost-reference no-half-close \
    reply-before-read; do
    take "$name"
    expect_code 0
    [[ $(jq -s '.[0].trace.connections | .held + .reset + .never_accepted' "$JSON") == 0 ]] || { say "$name"; show_output; return 1; }
    expect_not_in "$OUT" "ended with"
  done
}
