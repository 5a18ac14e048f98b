#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash; every test is a subshell
#
# Faults: calls that fail, disks that are full. Exit status 3, one sentence, rows kept, nothing left, no spinning.

load ../storm
load ../fail_call

# faulty_storm OPTION...: a quiet run that must end by itself soon, and cheaply.
faulty_storm() {
  local TIMEFORMAT='%U %S' user system
  code=0
  { time timeout -k 1 60 "${launcher[@]}" "$STORM" --quiet --csv "$CSV" --interval 20ms "$@" >"$OUT" 2>"$ERR" 3>&- ||
    code=$?; } 2>"$BATS_TEST_TMPDIR/times"
  read -r user system <"$BATS_TEST_TMPDIR/times"
  [[ $code != 124 ]] || { say "it did not end within 60 s"; show_output; return 1; }
  awk -v cpu="$user $system" 'BEGIN { split(cpu, t, " "); if (t[1] + t[2] > 4) { print "CPU time: " cpu; exit 1 } }'
}

# expect_fault TEXT...: exit status 3 and one sentence that holds each text.
expect_fault() {
  local text
  expect_code 3
  expect_one_sentence
  for text in "$@"; do
    expect_in "$ERR" "$text"
  done
  expect_no_process
}

@test "the server out of descriptors: EMFILE, what to raise, the rows kept" {
  fail_call accept4 EMFILE "worker server" 500
  faulty_storm --conns 1000
  expect_fault "accept" "EMFILE" "server worker 0" "ulimit -n" "1,000 connections"
  check_csv "$CSV"
}

@test "the client out of descriptors: EMFILE, what to raise" {
  fail_call socket EMFILE "worker client" 500
  faulty_storm --conns 1000
  expect_fault "socket()" "EMFILE" "client worker 0" "ulimit -n" "500 of 1,000 connections"
  check_csv "$CSV"
}

@test "the machine out of descriptors: ENFILE, what to raise" {
  fail_call accept4 ENFILE "worker server" 10
  faulty_storm --conns 1000
  expect_fault "accept" "ENFILE" "fs.file-max"
}

@test "no memory for sockets: ENOBUFS, what to raise" {
  fail_call connect ENOBUFS "worker client" 100
  faulty_storm --conns 1000
  expect_fault "connect()" "ENOBUFS" "net.ipv4.tcp_mem"
  fail_call socket ENOBUFS "worker client" 100
  faulty_storm --conns 1000
  expect_fault "socket()" "ENOBUFS" "net.ipv4.tcp_mem"
}

@test "no ephemeral port left: EADDRNOTAVAIL, what to widen" {
  fail_call connect EADDRNOTAVAIL "worker client" 100
  faulty_storm --conns 1000
  expect_fault "connect()" "EADDRNOTAVAIL" "net.ipv4.ip_local_port_range"
}

@test "a lane taken at the last moment: EADDRINUSE, the port, --port" {
  fail_call bind EADDRINUSE "worker server"
  faulty_storm --conns 100 --port 24000
  expect_fault "EADDRINUSE" "24000" "--port"
  fail_call listen EADDRINUSE "worker server"
  faulty_storm --conns 100 --port 24000
  expect_fault "listen()" "EADDRINUSE" "24000" "--port"
}

@test "no more processes: what to raise, whichever start fails" {
  local after
  for after in 0 1 2; do
    fail_call fork EAGAIN controller "$after"
    faulty_storm --conns 100
    expect_fault "ulimit -u" "cannot start"
  done
}

@test "the controller out of descriptors for its workers: exit status 3, one sentence" {
  fail_call socketpair EMFILE controller 1
  faulty_storm --conns 100
  expect_fault "cannot start" "open files"
}

@test "a failure that passes does not end a run: ECONNABORTED in accept()" {
  fail_call accept4 ECONNABORTED "worker server" 50 3
  faulty_storm --conns 100 --hold 50ms
  expect_code 0
  expect_empty "$ERR"
  expect_settled open server established=100 errors=3
}

@test "an act that fails for want of memory: not 0, and one says so" {
  fail_call send ENOBUFS "worker client" 10
  faulty_storm --conns 100 --order unread --hold 50ms
  [[ $code == 1 || $code == 3 ]]
  expect_no_process
  check_csv "$CSV"
  fail_call send ENOBUFS "worker client" 10
  launcher+=("$STORM")
  code=0
  "${launcher[@]}" --conns 100 --order unread --hold 50ms >"$OUT" 2>"$ERR" 3>&- || code=$?
  expect_in "$OUT" "send() failed on 90 of 100 ends"
}

@test "a witness whose dumps fail a few times goes on, and what failed counts for nothing" {
  fail_call recvmsg ENOBUFS witness 6 4
  faulty_storm --conns 100 --hold 200ms
  expect_code 0
  check_csv "$CSV"
  expect_settled client-close server time_wait=100 gone=0
  expect_no_process
}

@test "a witness whose first dumps fail goes on" {
  fail_call recvmsg ENOBUFS witness 0 4
  faulty_storm --conns 100 --hold 200ms
  expect_code 0
  expect_settled client-close server time_wait=100 gone=0
}

@test "a witness whose dumps fail for good: exit status 3, one sentence, the rows kept" {
  fail_call recvmsg ENOBUFS witness 12
  faulty_storm --conns 100 --hold 500ms
  expect_fault "witness" "No buffer space"
  check_csv "$CSV"
  has_row open 1
}

@test "no netlink at all: auto goes to procfs, --witness netlink is refused" {
  fail_call recvmsg EPERM controller
  faulty_storm --conns 50 --hold 50ms --json "$JSON"
  expect_code 0
  [[ $(jq -s -r '.[0].witness' "$JSON") == procfs ]]
  faulty_storm --conns 50 --witness netlink
  expect_fault "--witness netlink"
}

@test "a limit of the machine is not taken for a kernel without netlink: exit status 3, one sentence" {
  fail_call bind ENOMEM watch
  code=0
  "${launcher[@]}" "$STORM" watch --once >"$OUT" 2>"$ERR" || code=$?
  expect_fault 'out of memory'
}

@test "--csv /dev/full: exit status 3, one sentence" {
  code=0
  timeout -k 1 60 "$STORM" --conns 100 --quiet --csv /dev/full >"$OUT" 2>"$ERR" 3>&- || code=$?
  expect_fault "/dev/full" "No space left on device"
}

@test "--json /dev/full: exit status 3, one sentence, the CSV beside it kept" {
  faulty_storm --conns 100 --json /dev/full
  expect_fault "/dev/full" "No space left on device"
  check_csv "$CSV"
}

@test "stdout full: exit status 3, one sentence" {
  code=0
  timeout -k 1 60 "$STORM" --conns 100 --hold 50ms >/dev/full 2>"$ERR" 3>&- || code=$?
  expect_fault "No space left on device"
  code=0
  timeout -k 1 60 "$STORM" --conns 100 --hold 50ms --quiet --csv - >/dev/full 2>"$ERR" 3>&- || code=$?
  expect_fault "No space left on device"
}

@test "a disk that fills up during the run: exit status 3, one sentence, the rows before kept" {
  local small=$BATS_TEST_TMPDIR/small
  mkdir "$small"
  unshare -m mount -t tmpfs -o size=16k none "$small" 2>/dev/null || skip "no tmpfs can be mounted here"
  code=0
  # shellcheck disable=SC2016
  unshare -m bash -c 'mount -t tmpfs -o size=16k none "$2" || exit 99
    timeout -k 1 60 "$1" --conns 20 --order never-close --hold 15s --interval 2ms --quiet --csv "$2/rows.csv"; code=$?
    cp "$2/rows.csv" "$3"; exit "$code"' _ "$STORM" "$small" "$CSV" >"$OUT" 2>"$ERR" 3>&- || code=$?
  expect_fault "small/rows.csv" "No space left on device"
  (($(wc -c <"$CSV") >= 15000))
  head -n -1 "$CSV" >"$CSV.whole" # the last line may be cut by the full disk
  (($(wc -l <"$CSV.whole") % 2)) || sed -i '$d' "$CSV.whole"
  check_csv "$CSV.whole"
}
