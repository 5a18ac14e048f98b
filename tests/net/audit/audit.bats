#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash; every test is a subshell
#
# "tcpstorm audit" from afar, its targets, what it writes; audit_causes and audit_lookalikes have the rest.

load ../storm
load ../audit

# ---- from afar, targets, what is written ----

@test "from afar a server that holds and one that is busy look alike, and it says so" {
  serve_perl "$CLOSER"
  unshare -n sleep 1000 3>&- &
  others+=("$!")
  local afar=$!
  wait_until 5 in_another_namespace "$afar"
  ip link add va netns "$server_pid" type veth peer name vb netns "$afar"
  within ip addr add 10.9.0.1/24 dev va
  within ip link set va up
  nsenter -t "$afar" -n sh -c 'ip link set lo up; ip addr add 10.9.0.2/24 dev vb; ip link set vb up'
  code=0
  nsenter -t "$afar" -n "$STORM" audit "10.9.0.1:$PORT" --allow-remote --conns 10 --grace 1s --json "$JSON" \
    >"$OUT" 2>"$ERR" || code=$?
  expect_code 1
  expect_counts held=10 from_afar=10
  expect_in "$OUT" "The server holds connections, or is still busy."
  expect_in "$OUT" "from outside, a server that holds them and one that is still busy look the same"
  expect_in "$OUT" "the server is not in this network namespace"
  expect_in "$ERR" "about to open 10 connections, 200 a second, to 10.9.0.1:$PORT"
  # A listener of the same port here is another server's.
  nsenter -t "$afar" -n "$STORM" server --cause ignore-eof --port "$PORT" >"$BATS_TEST_TMPDIR/near" 2>&1 3>&- &
  others+=("$!")
  wait_until 5 grep -q '^Listening' "$BATS_TEST_TMPDIR/near"
  code=0
  nsenter -t "$afar" -n "$STORM" audit "10.9.0.1:$PORT" --allow-remote --order abort >"$OUT" 2>"$ERR" || code=$?
  expect_code 2
  expect_in "$ERR" "--order \"abort\""
}

@test "nobody listens" {
  in_fresh_namespace
  code=0
  "${launcher[@]}" "$STORM" audit 127.0.0.1:9 --quiet >"$OUT" 2>"$ERR" || code=$?
  expect_code 3
  expect_one_sentence
  expect_in "$ERR" "Nobody listens on 127.0.0.1:9"
}

@test "IPv6, names, and IPv4 that is mapped into IPv6" {
  serve ignore-eof --address ::1
  audit_of "[::1]:$PORT" --conns 5 --grace 300ms
  expect_counts held=5 eof_read=5
  if getent ahosts localhost | grep -q '^::1 '; then
    audit_of "localhost:$PORT" --conns 5 --grace 300ms
    expect_counts held=5 eof_read=5
  fi
  end_server
  serve ignore-eof
  audit_of "localhost:$PORT" --conns 5 --grace 300ms
  expect_counts held=5 eof_read=5
  audit_of "[::ffff:127.0.0.1]:$PORT" --conns 5 --grace 300ms
  expect_counts held=5 eof_read=5
}

@test "--http asks for a path, and reads the reply" {
  serve_perl 'while (accept(my $c, $l)) { sysread($c, my $x, 4096); print "$x\n"; syswrite($c, "HTTP/1.1 200 OK\r\n\r\n"); close $c }'
  audit --conns 3 --grace 500ms --http /some/where
  expect_code 0
  expect_counts closed=3
  [[ $(grep -c '^GET /some/where HTTP/1.1' "$BATS_TEST_TMPDIR/server") == 3 ]]
  grep -q "^Host: 127.0.0.1:$PORT" "$BATS_TEST_TMPDIR/server"
  [[ $(awk -F, 'FNR > 1 { sum += $6 } END { print sum }' "$CSV") == 57 ]]
}

@test "--rate paces the connections" {
  serve ignore-eof --fixed
  audit --conns 50 --rate 50 --grace 300ms
  expect_code 0
  jq -e '.elapsed_s > 1' "$JSON"
}

@test "the CSV has a row for each connection" {
  serve lost-reference
  audit --conns 10 --grace 300ms --repeat 2 --send "$(a_line)"
  [[ $(head -n 1 "$CSV") == "$CSV_FIELDS" ]]
  [[ $(wc -l <"$CSV") == 21 ]]
  awk -F, 'FNR > 1 && NF != 12 { exit 1 }' "$CSV"
  [[ $(awk -F, '$3 == "held" && $7 == "eof_unread" && $8 == "CLOSE_WAIT" && $9 > 0 && $11 == "tcpstorm" && $12 == 1' "$CSV" | wc -l) == 4 ]]
  [[ $(awk -F, '$3 == "closed" && $7 == "none"' "$CSV" | wc -l) == 16 ]]
}

@test "the JSON has what its fields say" {
  serve ignore-eof
  audit --conns 10 --grace 300ms
  jq -e --argjson pid "$server_pid" '.event == "audit" and .target == "127.0.0.1:15000" and .order == "half-close" and
    .conns == 10 and .repeat == 1 and .grace_s == 0.3 and .leaks and .server.is_here and .server.pid == $pid and
    .server.command == "tcpstorm" and .server.ghosts == 0 and .close_s == {} and (.classes | add) == 10' "$JSON"
}

# expect_junit ELEMENT: well-formed, one test case with that outcome.
expect_junit() {
  command -v xmllint >/dev/null || skip "no xmllint (apt-get install libxml2-utils)"
  xmllint --noout "$BATS_TEST_TMPDIR/junit.xml"
  [[ $(xmllint --xpath "count(/testsuite[@tests=1]/testcase/$1)" "$BATS_TEST_TMPDIR/junit.xml") == 1 ]]
}

@test "JUnit is well-formed, with a leak, without, and with nobody there" {
  serve ignore-eof
  audit --conns 5 --grace 300ms --junit "$BATS_TEST_TMPDIR/junit.xml"
  expect_junit failure
  audit_of 127.0.0.1:9 --junit "$BATS_TEST_TMPDIR/junit.xml"
  expect_junit error
  end_server
  serve ignore-eof --fixed
  audit --conns 5 --grace 300ms --junit "$BATS_TEST_TMPDIR/junit.xml"
  expect_junit system-out
}

@test "a result goes to stdout when asked, and the words to stderr" {
  serve ignore-eof
  code=0
  within "$STORM" audit "127.0.0.1:$PORT" --conns 5 --grace 300ms --json - >"$OUT" 2>"$ERR" || code=$?
  expect_code 1
  jq -e .leaks "$OUT"
  expect_in "$ERR" "The server leaks."
}

@test "an audit that is interrupted says so by its exit code, and leaves nothing" {
  serve ignore-eof
  nsenter -t "$server_pid" -n "$STORM" audit "127.0.0.1:$PORT" --conns 20 --grace 1m >"$OUT" 2>"$ERR" 3>&- &
  local pid=$!
  others+=("$pid")
  wait_until 10 has_close_wait 20
  kill -INT "$pid"
  wait_until 5 is_over "$pid"
  code=0
  wait "$pid" || code=$?
  expect_code 130
}

has_close_wait() {
  [[ $(ss_counts close-wait) == "$1" ]]
}
