#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash; every test is a subshell
#
# The causes in which somebody waits: a client for an answer that does not come, and all others for one that does not read.

# run-bats: takes 15 s

load ../storm
load ../ss_witness
load ../causes

DURATION=1s

# ---- connect-given-up ----

# play_and_look [OPTION...]: stopped when the last client has given up, so that ss can look at what is there. It may do nothing
# that needs a capability: IP_MINTTL is for any user, where a packet filter may not be.
play_and_look() {
  in_fresh_namespace
  ! command -v setpriv >/dev/null || launcher+=(setpriv --bounding-set=-all --inh-caps=-all)
  start_storm --cause connect-given-up --rate 100 --duration 500ms --json "$JSON" "$@"
  wait_until "$LONG" grep -qs ',arrivals,1,client,' "$CSV"
  kill -STOP "$storm_pid"
  also_look
  kill -CONT "$storm_pid"
  end_storm "$LONG"
  expect_code 0
  read_lanes "$OUT"
  check_csv "$CSV"
}

expect_closed() {
  play_and_look --fixed --address ::1
  shows_nothing connect-given-up
  end_holds '.outcome == "as expected" and (.flow.signature | not) and .lingering == []'
  end_holds '.flow | .connect_timeouts == 50 and .abandoned == 0 and .client.held == 0'
  expect_in "$OUT" "the bug does not show. Its signature would be: client SYN_SENT"
}

@test "connect-given-up, and its fix" {
  beside expect_closed
  play_and_look
  shows_signature connect-given-up
  end_holds '.outcome == "as expected" and .flow.signature and .flow.accepted == 0'
  end_holds '.flow | .connect_timeouts == 50 and .abandoned == 50 and .client.held == 50 and .server.held == 0'
  end_holds '.owes == "The client owes 50 close() calls."'
  expect_in "$OUT" "The client has given up 50 connect() calls and closed none of their descriptors."
  expect_in "$OUT" "no answer for 500ms."
  expect_beside
}

# What the kernel does with them later, which no look at CLOSE_WAIT alone shows.
expect_ghosts() {
  in_fresh_namespace net.ipv4.tcp_syn_retries=1
  start_storm --cause connect-given-up --rate 100 --duration 200ms --hold 4s --json "$JSON"
  end_storm "$LONG"
  expect_code 0
  end_holds '.outcome == "as expected" and .flow.signature and .lingering == []'
  end_holds '.owes == "The client owes 20 close() calls." and .counters_moved.TCPAbortOnTimeout == 20'
  expect_in "$OUT" "20 ghosts on the client"
  expect_not_in "$OUT" "For 20 of them"
}

# in_state STATE N PATTERN: so many sockets of the namespace, in lines of ss that match.
in_state() {
  (($(inside ss -Htanp state "$1" | grep -Ec -- "$3") == $2))
}

@test "connect-given-up: ghosts when the kernel gives up, too; CLOSE_WAIT with unread data when the answer comes late" {
  beside expect_ghosts
  in_fresh_namespace
  start_storm --cause connect-given-up --rate 100 --duration 200ms --hold 30s --json "$JSON"
  wait_until "$LONG" grep -qs ',arrivals,1,client,' "$CSV"
  inside sysctl -qw net.ipv4.ip_default_ttl=255
  wait_until "$LONG" in_state close-wait 20 "^[1-9][0-9]* .*pid=$(role_pid 'worker client'),"
  in_state syn-sent 0 .
  wait_until "$LONG" row_says close_wait 20
  kill -INT "$storm_pid"
  end_storm "$LONG"
  expect_code 130
  end_holds '.lingering[] | select(.state == "CLOSE_WAIT") | .side == "client" and .count == 20 and .unread'
  end_holds '.owes == "The client owes 20 close() calls." and .flow.accepted == 20'
  expect_beside
}

# deaf_server: one that is not ours, and answers no SYN.
deaf_server() {
  command -v perl >/dev/null || skip "no perl to make a server with"
  # shellcheck disable=SC2016
  "${launcher[@]}" perl -e 'use strict; use Socket;
    socket(my $s, AF_INET, SOCK_STREAM, 0) or die "socket: $!";
    setsockopt($s, 0, 21, pack("i", 255)) or die "IP_MINTTL: $!";
    bind($s, pack_sockaddr_in(15000, INADDR_LOOPBACK)) or die "bind: $!";
    listen($s, 16) or die "listen: $!";
    sleep 60' 3>&- &
  storm_pid=$! others+=("$!")
  wait_until "$LONG" listens
}

listens() {
  [[ -n $(inside ss -Htln "sport = :15000") ]]
}

# visit_deaf_server OUTCOME PATTERN [--fixed]: 12 clients, of which the first have given up at the end.
visit_deaf_server() {
  local said
  said=$(inside "$STORM" client --cause connect-given-up "${@:3}" 127.0.0.1:15000 --rate 10 --duration 1200ms 2>/dev/null 3>&-)
  [[ $said == *"connect() given up after 500ms: "*"The bug $1"* && $said =~ $2 ]] || { say "$said"; return 1; }
}

@test "client --cause connect-given-up, towards a server that is deaf, and its fix" {
  in_fresh_namespace
  deaf_server
  visit_deaf_server "does not show." "Connections opened in" --fixed &
  beside_pid=$!
  visit_deaf_server "shows: client SYN_SENT" "Descriptors held: [0-9]+: [0-9]+ SYN_SENT."
  wait "$beside_pid"
  kill "$storm_pid"
}

# row_says COLUMN N: the client's last row.
row_says() {
  awk -F, -v column="$1" -v n="$2" '
    NR == 1 { for (i = 1; i <= NF; i++) if ($i == column) at = i }
    $6 == "client" { count = $at }
    END { exit count != n }' "$CSV"
}

# ---- blocking-linger ----

# is_in_close: a server's socket is in FIN_WAIT1 with data to send. No process has a descriptor of it, and yet it has an
# inode: close() has not returned. After close() it would have none.
is_in_close() {
  inside ss -Htanpe state fin-wait-1 | awk '$2 > 0 && !/users:/ && / ino:[1-9]/ { found = 1 } END { exit !found }'
}

play_linger() {
  in_fresh_namespace
  start_storm --cause blocking-linger --rate 100 --duration "$DURATION" --hold 0 --json "$JSON" "$@"
}

expect_quick() {
  play_linger --fixed
  end_storm "$LONG"
  expect_code 0
  end_holds '.outcome == "as expected" and (.flow.signature | not) and .flow.slowest_reply_s < 1.5 and .lingering == []'
}

@test "blocking-linger, and its fix" {
  beside expect_quick
  play_linger
  wait_until "$LONG" is_in_close
  end_storm "$LONG"
  expect_code 0
  end_holds '.outcome == "as expected" and .flow.signature and .flow.slowest_reply_s >= 1.5 and .lingering == []'
  expect_in "$OUT" "the bug shows: no socket lingers, replies take 1.5s and more"
  expect_in "$OUT" "The slowest reply took "
  jq -es 'any(.event == "sample" and .side == "server" and .fin_wait1 == 1)' "$JSON" >/dev/null
  expect_beside
}

@test "blocking-linger: Ctrl-C ends it while the server is in close()" {
  play_linger
  wait_until "$LONG" is_in_close
  kill -INT "$storm_pid"
  end_storm "$PATIENCE"
  expect_code 130
  expect_no_process
}

# served_beside_a_slow_one [--fixed]: how many microseconds a client waits for its reply when another does not read.
served_beside_a_slow_one() {
  in_fresh_namespace
  "${launcher[@]}" "$STORM" server --cause blocking-linger "$@" >"$OUT" 2>"$ERR" 3>&- &
  storm_pid=$!
  wait_until "$LONG" grep -qs '^Listening on ' "$OUT"
  # shellcheck disable=SC2016
  inside bash -c '
    exec 3<>/dev/tcp/127.0.0.1/15000 4<>/dev/tcp/127.0.0.1/15000
    echo "a request" >&3
    until [[ $(ss -Htan state fin-wait-1) ]]; do sleep 0.01; done
    began=${EPOCHREALTIME/[.,]/}
    echo "a request" >&4
    head -c 1 <&4 >/dev/null
    echo $((${EPOCHREALTIME/[.,]/} - began))' 3>&- >"$BATS_TEST_TMPDIR/waited_us"
  kill -INT "$storm_pid"
  end_storm "$PATIENCE"
  expect_code 130
}

expect_served_soon() {
  served_beside_a_slow_one --fixed
  (($(<"$BATS_TEST_TMPDIR/waited_us") < 1000000))
}

@test "a server with blocking-linger lets others wait for a client that does not read; fixed, it does not" {
  beside expect_served_soon
  served_beside_a_slow_one
  (($(<"$BATS_TEST_TMPDIR/waited_us") > 1000000))
  expect_beside
}
