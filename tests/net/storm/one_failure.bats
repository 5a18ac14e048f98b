#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash; every test is a subshell
#
# Single failures: out of memory, an event loop that cannot hear, a call that fails on this side. tests/torture plays them
# all; these are some of each kind.

load ../storm

ONE_FAILURE=$(dirname "$TCPSTORM")/one_failure
ALLOCATIONS=$(dirname "$TCPSTORM")/allocations.so
REPORT=$BATS_TEST_TMPDIR/report

needs_failing_allocations() {
  [[ $TCPSTORM != */asan/* ]] || skip "the sanitizers have an allocator of their own, which does not fail for us"
}

# The sanitizers find no leaks in a process that is traced.
#
# with_failure ROLE CALL NTH ERRNO -- COMMAND OPTION...: that run, which must end by itself, with nobody left.
with_failure() {
  local failure=("${@:1:4}")
  shift 5
  [[ -e $ONE_FAILURE && -e $ALLOCATIONS ]] || { say "$ONE_FAILURE is missing: make check-net builds it"; return 1; }
  rm -f "$CSV"
  code=0
  "$ONE_FAILURE" --report "$REPORT" --limit 30 --fail "${failure[@]}" -- env "LD_PRELOAD=$ALLOCATIONS" \
    "ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0:detect_leaks=0" "$STORM" "$@" >"$OUT" 2>"$ERR" 3>&- || code=$?
  grep -q '^failed ' "$REPORT" || { say "nothing failed"; show_output; return 1; }
  if grep -E '^(hung|left|signal)' "$REPORT"; then
    show_output
    return 1
  fi
}

# count_of ROLE CALL COMMAND OPTION...: how often that is called.
count_of() {
  "$ONE_FAILURE" --report "$REPORT" --limit 30 -- env "LD_PRELOAD=$ALLOCATIONS" "$STORM" "${@:3}" >"$OUT" 2>"$ERR" 3>&-
  awk -F '\t' -v role="call $1" -v call="$2" '$1 == role && $2 == call { print $3 }' "$REPORT"
}

small_storm=(--conns 10 --order client-first --hold 0s)

# expect_own_fault TEXT...: exit status 3, one sentence with each text.
expect_own_fault() {
  local text
  expect_code 3
  expect_one_sentence
  for text; do
    expect_in "$ERR" "$text"
  done
}

@test "out of memory in the controller: it says so, and the rows are kept" {
  needs_failing_allocations
  local count percent said=0
  count=$(count_of main malloc "${small_storm[@]}" --quiet --csv "$CSV")
  for percent in 40 50 60 70 80; do # some can be done without, such as what a counter was before
    with_failure main malloc $((count * percent / 100)) ENOMEM -- "${small_storm[@]}" --quiet --csv "$CSV"
    [[ ! -e $CSV ]] || check_csv "$CSV"
    ((code != 0)) || continue
    expect_own_fault "out of memory"
    said=$((said + 1))
  done
  ((said > 0))
}

@test "out of memory while a command is read: it says so, each time" {
  needs_failing_allocations
  local command=(state close-wait,established --conns 2 --dry-run) count nth
  count=$(count_of state malloc "${command[@]}")
  ((count > 10))
  for ((nth = 1; nth <= count; nth++)); do
    with_failure state malloc "$nth" ENOMEM -- "${command[@]}"
    ((code == 0)) || expect_own_fault "out of memory"
  done
}

@test "out of memory in a worker: the controller says which" {
  needs_failing_allocations
  local side count
  for side in server client; do
    count=$(count_of "worker $side" malloc "${small_storm[@]}" --quiet)
    with_failure "worker $side" malloc $((count * 2 / 3)) ENOMEM -- "${small_storm[@]}" --quiet
    expect_own_fault "$side worker 0" "ran out of memory"
  done
}

@test "out of memory where connections come one by one: none is lost in silence" {
  needs_failing_allocations
  local flow=(--rate 50 --duration 200ms --life 20ms --hold 0s --quiet) count nth
  count=$(count_of "worker server-flow" calloc "${flow[@]}")
  for nth in $((count / 2)) $((count * 3 / 4)); do
    with_failure "worker server-flow" calloc "$nth" ENOMEM -- "${flow[@]}"
    expect_own_fault "server worker 0" "ran out of memory"
  done
}

@test "an event loop that cannot hear a descriptor any more: the worker leaves, and the controller says so" {
  with_failure "worker server" epoll_ctl 5 ENOMEM -- "${small_storm[@]}" --quiet
  expect_own_fault "server worker 0" "event loop"
  with_failure "worker client" epoll_wait 3 EINVAL -- "${small_storm[@]}" --quiet
  expect_own_fault "client worker 0" "event loop"
}

@test "a server worker that leaves while clients connect: it is named, and not the listener that went with it" {
  local nth
  for nth in 4 5 6; do
    with_failure "worker server" epoll_wait "$nth" EINVAL -- "${small_storm[@]}" --quiet
    expect_own_fault "server worker 0" "event loop"
    expect_not_in "$ERR" "listener went away"
  done
}

@test "the controller's own event loop: one sentence, and nobody is left" {
  with_failure main epoll_ctl 17 ENOSPC -- "${small_storm[@]}" --quiet
  expect_own_fault "event loop"
}

@test "a send() that fails here is no reset of the other side" {
  with_failure "worker client-flow" sendto 3 ENOBUFS -- --cause ignore-eof --rate 50 --duration 200ms --life 20ms --hold 0s --quiet
  expect_own_fault "client worker 0" "ENOBUFS"
}

@test "one recv() without memory: what was to be heard is heard a moment later" {
  with_failure "worker server-flow" recvfrom 3 ENOMEM -- --cause ignore-eof --fixed --rate 50 --duration 200ms --life 20ms \
    --hold 0s --quiet
  expect_code 0
}

@test "a question that does not get out: whoever was to hear it hears the end of the stream, and is not killed" {
  with_failure main writev:socket 6 ENOMEM -- "${small_storm[@]}" --quiet
  expect_own_fault "closed its stream"
  expect_not_in "$ERR" "killed"
}

@test "an answer of the witness that does not get out: its loss is noticed at once" {
  with_failure witness write:socket 3 ENOMEM -- "${small_storm[@]}" --quiet
  expect_own_fault "witness"
  with_failure witness write:socket 3 EINTR -- "${small_storm[@]}" --quiet
  expect_code 0
}

@test "whoever holds the sockets may not be looked into: whether the bug shows is not known, which is no verdict" {
  local nth in_doubt=0
  for nth in 6 7 8 9; do # /proc, /proc/PID/fd of each worker, their names
    with_failure witness openat "$nth" EACCES -- --cause ignore-eof --rate 50 --duration 200ms --life 20ms --hold 0s --quiet
    ((code != 0)) || continue
    expect_own_fault
    in_doubt=$((in_doubt + 1))
  done
  ((in_doubt > 0))
}

@test "netlink that cannot be bound is no port in use" {
  with_failure walk bind 2 EADDRINUSE -- walk --order client-first --pause 0s
  [[ $(cat "$ERR") != *listener* ]]
}
