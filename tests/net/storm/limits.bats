#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash; every test is a subshell
#
# Limits of the machine: descriptors, TIME_WAIT, the kernel's clocks, addresses that are not there.

load ../storm

# counter NAME: of the namespace of whoever calls, from the text of /proc/net/netstat in the file.
counter() {
  awk -v name="$2" '
    $1 in header { split(header[$1], names, " "); for (i = 2; i <= NF; i++) if (names[i] == name) print $i; next }
    { header[$1] = $0 }' "$1"
}

@test "50,000 connections under 20,000 descriptors a process, without one SYN sent twice" {
  in_fresh_namespace
  code=0
  (
    [[ $(ulimit -Hn) != unlimited ]] && (($(ulimit -Hn) <= 20000)) || ulimit -Hn 20000
    # shellcheck disable=SC2016
    exec "${launcher[@]}" bash -c '"$1" --conns 50k --order client-first --hold 200ms --csv "$2"; code=$?; cat /proc/net/netstat >"$3"; exit "$code"' \
      _ "$STORM" "$CSV" "$BATS_TEST_TMPDIR/netstat" 3>&- >"$OUT" 2>"$ERR"
  ) || code=$?
  expect_code 0
  check_csv "$CSV"
  expect_settled open server established=50000 fds=50000 gone=0
  expect_settled open client established=50000 fds=50000 gone=0
  expect_settled server-close client time_wait=50000 fds=0 gone=0
  local name value
  for name in TCPSynRetrans ListenOverflows ListenDrops; do
    value=$(counter "$BATS_TEST_TMPDIR/netstat" "$name")
    say "$name $value"
    [[ $value == 0 ]]
  done
  expect_no_process
}

@test "few descriptors a process: more workers, exit status 0" {
  code=0
  (
    ulimit -n 200
    exec "$STORM" --conns 1000 --hold 100ms --csv "$CSV" --json "$JSON" >"$OUT" 2>"$ERR" 3>&-
  ) || code=$?
  expect_code 0
  expect_settled client-close server time_wait=1000 gone=0
  (($(jq -s '.[0].workers' "$JSON") >= 10)) # 5 processes a side at least
}

@test "a soft limit of 5 descriptors is raised before anything needs one; a hard one is named" {
  local command
  for command in "" "state close-wait"; do
    code=0
    # shellcheck disable=SC2086 # the command is words
    bash -c 'ulimit -Sn 5 && exec "$@"' bash "$STORM" $command --conns 5 --hold 0s 3>&- >"$OUT" 2>"$ERR" || code=$?
    expect_code 0
  done
  code=0
  bash -c 'ulimit -n 5 && exec "$@"' bash "$STORM" --conns 5 --hold 0s 3>&- >"$OUT" 2>"$ERR" || code=$?
  expect_code 3
  expect_one_sentence
  expect_in "$ERR" "the hard limit of 5 descriptors per process is too low"
}

@test "too few descriptors for the controller itself: exit status 3, and ulimit is named" {
  code=0
  (
    ulimit -n 60
    exec "$STORM" --conns 1000 --quiet --csv "$CSV" >"$OUT" 2>"$ERR" 3>&-
  ) || code=$?
  expect_code 3
  expect_one_sentence
  expect_in "$ERR" "ulimit -Hn"
}

@test "TIME_WAIT that does not fit: exit status 3 before anything opens, naming the sysctl; abort leaves none and runs" {
  in_fresh_namespace net.ipv4.tcp_max_tw_buckets=500
  storm --conns 1000 --order server-first --quiet
  expect_code 3
  expect_one_sentence
  expect_in "$ERR" "net.ipv4.tcp_max_tw_buckets"
  [[ ! -e $CSV ]] || [[ $(wc -l <"$CSV") -le 1 ]]
  storm --conns 1000 --order abort --hold 50ms
  expect_code 0
}

@test "TIME_WAIT of two orders that does not fit at once: the plan warns that the run will wait" {
  in_fresh_namespace net.ipv4.tcp_max_tw_buckets=1500
  storm --conns 1000 --order server-first,client-first --dry-run
  expect_code 0
  expect_in "$ERR" "warning"
  expect_in "$ERR" "net.ipv4.tcp_max_tw_buckets"
  expect_in "$ERR" "waits between orders"
  storm --conns 1000 --order server-first --dry-run
  expect_code 0
  expect_not_in "$ERR" "waits between orders"
}

@test "TIME_WAIT that vanishes in mid-run: exit status 1, with the numbers and the kernel's own counter" {
  start_with_no_time_wait --conns 200 --order server-first --settle 500ms
  end_storm 30
  expect_code 1
  check_csv "$CSV"
  expect_in "$OUT" "differs"
  expect_in "$OUT" "gone where FIN_WAIT2 was expected"
  expect_in "$OUT" "TCPTimeWaitOverflow rose by"
  expect_no_process
}

@test "a hold longer than tcp_fin_timeout: FIN_WAIT2 ends, CLOSE_WAIT stays, the late close leaves no TIME_WAIT, exit status 0" {
  in_fresh_namespace net.ipv4.tcp_fin_timeout=2
  storm --hold 4s --order server-first --conns 100
  expect_code 0
  check_csv "$CSV"
  grep -q '^server-first,100,[0-9.]*,server-close,1,server,100,1,0,0,0,0,100,0,0,0,0,0,0,' "$CSV" # FIN_WAIT2 was there
  expect_settled server-close server fin_wait2=0 gone=100
  expect_settled server-close client close_wait=100 gone=0
  expect_settled client-close server time_wait=0 gone=100
  expect_settled client-close client gone=100
  expect_in "$ERR" "tcp_fin_timeout"
  expect_in "$OUT" "Kernel timers expired"
  expect_in "$OUT" "answered by an RST"
}

@test "loopback down: exit status 3, and how to bring it up" {
  launcher=(unshare -n)
  storm --conns 10 --quiet
  expect_code 3
  expect_one_sentence
  expect_in "$ERR" "ip link set lo up"
}

@test "IPv6 switched off: exit status 3, and the sysctl is named" {
  [[ -e /proc/net/if_inet6 ]] || skip "this kernel has no IPv6"
  in_fresh_namespace net.ipv6.conf.all.disable_ipv6=1
  storm --conns 10 --address ::1 --quiet
  expect_code 3
  expect_one_sentence
  expect_in "$ERR" "disable_ipv6"
}
