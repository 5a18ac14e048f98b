#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash; every test is a subshell
#
# "tcpstorm watch": the live sockets of a namespace, next to what ss says of them.

load storm
load audit

# leave_clients N: so many connections come, and leave.
leave_clients() {
  within "$STORM" audit "127.0.0.1:$PORT" --conns "$1" --grace 300ms --quiet 3>&- || [[ $? == 1 ]]
}

watch() {
  code=0
  within "$STORM" watch "$@" --json "$JSON" >"$OUT" 2>"$ERR" 3>&- || code=$?
}

# row FILTER: of the last look, the server's row, and a jq filter on it.
row() {
  tail -n 1 "$JSON" | jq -c ".rows[] | select(.side == \"server\" and .port == $PORT) | $1"
}

@test "one look: CLOSE_WAIT by port and process, and ss agrees" {
  serve ignore-eof
  leave_clients 12
  watch --once
  expect_code 0
  [[ $(row .states.close_wait) == 12 && $(row .pid) == "$server_pid" && $(row .command) == '"tcpstorm"' ]]
  [[ $(row .unread) == 0 && $(row .unowned) == 0 ]]
  [[ $(ss_counts close-wait) == 12 ]]
  expect_in "$OUT" "serves :$PORT"
  expect_in "$OUT" "tcpstorm $server_pid"
}

@test "unread EOFs and sockets that nobody has are told" {
  serve_perl 'sleep 1000'
  leave_clients 7
  watch --once --port "$PORT"
  [[ $(row .states.close_wait) == 7 && $(row .unread) == 7 && $(row .unowned) == 7 && $(row '.pid // 0') == 0 ]]
}

@test "--port and --pid leave the others out" {
  serve ignore-eof
  leave_clients 5
  watch --once --port 9
  [[ $(jq .sockets "$JSON") == 0 ]]
  watch --once --pid "$server_pid"
  [[ $(jq .sockets "$JSON") == 5 && $(jq .ghosts "$JSON") == 0 ]]
  watch --once --pid "$$"
  [[ $(jq .sockets "$JSON") == 0 ]]
}

@test "--by-peer has a row for each peer" {
  serve_perl 'while (accept(my $c, $l)) { push @kept, $c; }'
  within perl -e 'use Socket; for my $n (1, 2, 2) { socket(my $s, AF_INET, SOCK_STREAM, 0);
    bind($s, pack_sockaddr_in(0, inet_aton("127.0.0.$n"))); connect($s, pack_sockaddr_in(15000, INADDR_LOOPBACK)) or die; }'
  wait_until 5 has_close_wait 3
  watch --once --by-peer
  [[ $(row '[.peer, .states.close_wait]' | sort | paste -sd' ') == '["127.0.0.1",1] ["127.0.0.2",2]' ]]
  watch --once
  [[ $(row '[.peer, .states.close_wait]') == '[null,3]' ]]
}

has_close_wait() {
  [[ $(ss_counts close-wait) == "$1" ]]
}

@test "the oldest CLOSE_WAIT ages from look to look, also before the watch began" {
  serve ignore-eof
  leave_clients 3
  sleep 1.2
  watch --interval 200ms --duration 1s
  expect_code 0
  (($(wc -l <"$JSON") >= 4))
  # never younger than at the look before, and older than the watch
  jq -s -e '[.[].rows[] | select(.side == "server") | .oldest_s] | . == sort and .[0] > 1 and .[-1] - .[0] > 0.5' "$JSON"
}

@test "the age of sockets that nobody has does not fall back" {
  serve_perl 'sleep 1000'
  leave_clients 3
  sleep 1
  watch --interval 200ms --duration 800ms
  jq -s -e '[.[].rows[] | select(.side == "server") | .oldest_s] | . == sort and .[0] > 0.9' "$JSON"
}

@test "the ghosts of --pid are counted" {
  serve_perl 'while (accept(my $c, $l)) { push @kept, $c; }'
  within "$STORM" audit "127.0.0.1:$PORT" --order abort --conns 4 --grace 300ms --quiet 3>&- || true
  watch --once --pid "$server_pid"
  [[ $(jq .ghosts "$JSON") == 4 ]]
  expect_in "$OUT" "4 socket descriptors are in no table"
}

@test "--fail-on growth: a leak that grows ends the watch with exit code 1" {
  serve ignore-eof
  within "$STORM" audit "127.0.0.1:$PORT" --conns 400 --rate 25 --grace 1s --quiet 3>&- &
  others+=("$!")
  watch --interval 200ms --duration 30s --fail-on growth
  expect_code 1
  expect_in "$ERR" "CLOSE_WAIT on server port $PORT (tcpstorm pid $server_pid) grows by"
  jq -s -e '.[-1].t_s < 20' "$JSON"
}

@test "--fail-on growth: sockets that stay, and those that come and go, are no growth" {
  serve ignore-eof
  leave_clients 20
  watch --interval 200ms --duration 12s --fail-on growth
  expect_code 0
}

@test "Ctrl-C ends it after a last look" {
  serve ignore-eof
  nsenter -t "$server_pid" -n "$STORM" watch --interval 10s --json - >"$OUT" 2>"$ERR" 3>&- &
  local pid=$!
  others+=("$pid")
  wait_until 5 test -s "$OUT"
  kill -INT "$pid"
  wait_until 3 is_over "$pid"
  wait "$pid"
  jq -e .event "$OUT" >/dev/null
}

@test "an ordinary user is told what is hidden from him" {
  ((EUID == 0)) && unshare -r true || skip "no user namespace"
  serve ignore-eof
  leave_clients 3
  # A user namespace below this one may not look into the server's descriptors.
  code=0
  within unshare --user --map-user=65534 "$STORM" watch --once --json "$JSON" >"$OUT" 2>"$ERR" || code=$?
  expect_code 0
  (($(jq .hidden "$JSON") >= 3))
  expect_in "$OUT" "sockets are of processes that this user may not look into: root may"
  code=0
  within unshare --user --map-user=65534 "$STORM" watch --once --pid "$server_pid" >"$OUT" 2>"$ERR" || code=$?
  expect_in "$OUT" "may not be looked into"
}

@test "a file that cannot be written is named before the first look" {
  serve ignore-eof
  code=0
  within "$STORM" watch --once --json /nonexistent/file >"$OUT" 2>"$ERR" || code=$?
  expect_code 2
  expect_one_sentence
  expect_empty "$OUT"
}
