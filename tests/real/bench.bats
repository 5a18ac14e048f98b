#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash; every test is a subshell
#
# The benchmark, at a size that says nothing about speed: every part measures, nothing that did not do its work passes for fast,
# and an interrupted one leaves nothing behind.

load ../net/storm

RUN=$BATS_TEST_DIRNAME/../bench/run

# bench PROGRAM FLOOR PART...: the exit status is in $code, what it wrote in $CSV and $ERR.
bench() {
  code=0
  mkdir -p "$BATS_TEST_TMPDIR/tmp"
  TMPDIR=$BATS_TEST_TMPDIR/tmp BENCH_TINY=1 "$RUN" "$1" "$2" "$CSV" "${@:3}" >"$OUT" 2>"$ERR" || code=$?
}

# A copy of this test's own, for the same reason.
real_floor() {
  [[ -e $BATS_TEST_TMPDIR/floor ]] || cp "$(dirname "$TCPSTORM")"/{floor,traced,counted,crowd} "$BATS_TEST_TMPDIR"
  say "$BATS_TEST_TMPDIR/floor"
}

no_process_of_either() {
  local exe
  no_process || return 1
  for exe in /proc/[0-9]*/exe; do
    [[ ! $exe -ef $BATS_TEST_TMPDIR/floor ]] || return 1
  done
}

can_measure() {
  local tool
  for tool in jq ss ip unshare setpriv nsenter; do
    command -v "$tool" >/dev/null || skip "$tool is missing"
  done
  unshare -Urpf --mount-proc true || skip "this machine refuses a private pid namespace"
}

# liar NAME: a tcpstorm, or a floor, of that shell script, which may ask $REAL.
liar() {
  cat >"$BATS_TEST_TMPDIR/$1"
  chmod +x "$BATS_TEST_TMPDIR/$1"
  say "$BATS_TEST_TMPDIR/$1"
}

expect_check_failed() { # TEXT
  expect_code 1
  expect_in "$ERR" "CHECK FAILED: "
  expect_in "$ERR" "$1"
  [[ ! -e $CSV ]] || { say "a CSV was written:"; cat "$CSV"; return 1; }
  expect_nothing_kept
}

expect_nothing_kept() {
  wait_until "$PATIENCE" no_process_of_either || { say "a storm or a floor is left"; return 1; }
  [[ -z $(ls -A "$BATS_TEST_TMPDIR/tmp") ]] || { say "files are left:"; ls -R "$BATS_TEST_TMPDIR/tmp"; return 1; }
}

@test "every part of the benchmark measures, and a CSV of all rows is written" {
  local row
  can_measure
  bench "$STORM" "$(real_floor)"
  expect_code 0
  for row in "server-first open" "client-first first close" "half-close second close" "open over two hosts" "flow of client-first" \
    "flow late by 10 ms or more" "user memory of a flow after 4 s" "watch --once: owners of 1000 sockets" \
    "audit of 100 connections beyond its grace" "watch of 1000 sockets" "watch of 200 sockets in 20 processes" \
    "a look of explain at 300 connections" "p99 of an echo with a look a second" "a traced connection: server and tracer" \
    "keep-alive requests of a traced server" "open with --metrics" \
    "growth of open (500 to 2000)" "server-first second close at 2000" "user memory per connection end at 2000" \
    "one look at 4000 sockets"; do
    grep -qF "$row," "$CSV" || { say "no row \"$row\":"; cat "$CSV"; return 1; }
  done
  ! command -v script >/dev/null || grep -q '^open with --live,' "$CSV"
  ! command -v strace >/dev/null || grep -q '^a traced connection against strace,' "$CSV"
  ! /usr/bin/python3 -c 'import matplotlib' 2>/dev/null || grep -q '^plot of 2000 rows,' "$CSV"
  awk -F, '!/^#/ && NF != 11 { print; bad = 1 } END { exit bad }' "$CSV"
  "$BATS_TEST_DIRNAME/../bench/readme_table" "$CSV" >/dev/null
  expect_nothing_kept
}

@test "a tcpstorm that opens fewer connections than it was told is no fast one" {
  local half
  can_measure
  export REAL=$STORM
  half=$(liar half <<'END'
#!/bin/bash
for word; do [[ $before == --conns ]] && word=$((word / 2)); words+=("$word"); before=$word; done
exec "$REAL" "${words[@]}"
END
  )
  for part in server-first metrics hosts big; do
    bench "$half" "$(real_floor)" "$part"
    expect_check_failed "was not as expected"
  done
}

@test "a flow, a watch, a look, an audit and an owner that were not there are not measured" {
  local blind
  can_measure
  export REAL=$STORM
  blind=$(liar blind <<'END'
#!/bin/bash
case $1 in
  watch) exec "$REAL" "$@" --port 1 ;;
  audit) exec "$REAL" audit 127.0.0.1:15000 --conns 5 --grace 1s --json "$8" --quiet ;;
  explain) "$REAL" "$@" | sed 's/"descriptors":[0-9]*/"descriptors":3/' ;;
  --rate) exec "$REAL" --rate $(($2 / 2)) "${@:3}" ;;
  *) exec "$REAL" "$@" ;;
esac
END
  )
  bench "$blind" "$(real_floor)" owners
  expect_check_failed "the owners of 0 sockets, not 1000"
  bench "$blind" "$(real_floor)" watch
  expect_check_failed "saw 0 sockets, not 1000"
  bench "$blind" "$(real_floor)" explain
  expect_check_failed "a look saw 3 of 3"
  bench "$blind" "$(real_floor)" flow
  expect_check_failed "250 clients came to a flow of 500"
  bench "$blind" "$(real_floor)" audit
  expect_check_failed "of 100 connections held" # 5, or fewer where the machine is busy
}

@test "a floor that does less than it was told is no floor" {
  local low
  can_measure
  low=$(liar low <<END
#!/bin/bash
exec "$(real_floor)" \$((\$1 - 1)) "\${@:2}"
END
  )
  bench "$STORM" "$low" server-first
  expect_check_failed "the floor opened and closed 999 connections, not 1000"
}

@test "a run that hangs is no measurement, and ends" {
  local deaf
  can_measure
  deaf=$(liar deaf <<<$'#!/bin/bash\nsleep 1000')
  export BENCH_RUN_LIMIT=2
  bench "$deaf" "$(real_floor)" server-first
  expect_check_failed "did not end within 2 s"
}

@test "a part that there is not: exit status 2, before anything is measured" {
  bench "$STORM" "$(real_floor)" server-first nonsense
  expect_code 2
  expect_in "$ERR" "there is no part nonsense"
  [[ ! -e $CSV ]]
}

# endless: a tcpstorm whose runs last until they are interrupted.
endless() {
  liar endless <<'END'
#!/bin/bash
for word; do
  case $before in --hold) word=forever ;; --duration) word=10m ;; esac
  [[ $word == --once ]] || words+=("$word")
  before=$word
done
exec "$REAL" "${words[@]}"
END
}

# All that a run has, the witness and both workers; of a storm on two hosts these are many.
is_in_the_middle() {
  local pids
  pids=$(storm_pids)
  (($(wc -w <<<"$pids") >= 4))
}

# interrupted SIGNAL PART: in the middle of that part.
interrupted() {
  mkdir -p "$BATS_TEST_TMPDIR/tmp"
  # A background job has SIGINT ignored, and could not trap it.
  TMPDIR=$BATS_TEST_TMPDIR/tmp BENCH_TINY=1 env --default-signal=INT,HUP "$RUN" "$endless" "$(real_floor)" "$CSV" "$2" \
    >"$OUT" 2>"$ERR" 3>&- &
  storm_pid=$!
  wait_until 60 is_in_the_middle || { say "no part of it ran" && show_output && return 1; }
  kill -"$1" "$storm_pid"
  end_storm 20
}

@test "INT, TERM and HUP in the middle: exit status 130, 143, 129, and no storm, no floor, no file is left" {
  local part signal endless
  can_measure
  export REAL=$STORM
  endless=$(endless)
  for part in owners:INT:130 owners:TERM:143 owners:HUP:129 flow:TERM:143 hosts:TERM:143 live:TERM:143 metrics:INT:130; do
    IFS=: read -r part signal wanted <<<"$part"
    interrupted "$signal" "$part"
    expect_code "$wanted"
    expect_in "$ERR" "interrupted: nothing was written"
    [[ ! -e $CSV ]]
    expect_nothing_kept
  done
}

@test "killed in the middle: no process is left" {
  local endless
  can_measure
  export REAL=$STORM
  endless=$(endless)
  interrupted KILL owners
  expect_code 137
  wait_until "$PATIENCE" no_process_of_either || { say "a storm or a floor is left"; return 1; }
}
