#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash; every test is a subshell
#
# "tcpstorm audit": what it says of servers with a bug, of their fixed twins, and of servers that only look like one.

load storm
load audit

# ---- the causes: each in the group of its signature ----

@test "ignore-eof is found: EOF read, held by the server; ss agrees" {
  serve ignore-eof
  audit --conns 40 --grace 500ms
  expect_leak eof_read 40
  expect_counts held=40 eof_read=40
  expect_in "$OUT" "everything is read (Recv-Q 0): only close() is missing; owner tcpstorm pid $server_pid"
  expect_in "$OUT" "ignore-eof"
  # The audit is over and has closed its ends; the server's stay.
  [[ $(within ss -Htanp state close-wait "sport = :$PORT" | awk '$1 == 0' | grep -c "pid=$server_pid,") == 40 ]]
}

@test "ignore-eof is found with client-first, idle and abort too" {
  serve ignore-eof
  audit --conns 10 --order client-first --grace 500ms
  expect_counts held=10 eof_read=10
  expect_code 1
  audit --conns 10 --order idle --grace 500ms
  expect_counts held=10 open=10
  expect_code 1
}

@test "paused-read is found: EOF unread" {
  serve paused-read
  audit --conns 20 --grace 500ms --send "$(a_line)"
  expect_leak eof_unread 20
  expect_in "$OUT" "paused-read"
}

@test "bounded-pool is found: EOF unread" {
  serve bounded-pool
  audit --conns 40 --grace 500ms --send "$(a_line)"
  expect_leak eof_unread 40
  expect_in "$OUT" "bounded-pool"
}

@test "never-accept is found: nobody has them" {
  serve never-accept
  audit --conns 30 --rate 200 --grace 500ms
  expect_leak no_owner 10
  [[ $(count_of never_accepted) == $(count_of no_owner) ]]
  expect_in "$OUT" "never accepted"
  expect_in "$OUT" "never-accept"
  [[ $(within ss -Htanp state close-wait "sport = :$PORT" | grep -vc users:) == $(count_of no_owner) ]]
}

@test "emfile is found: EOF unread" {
  serve emfile
  audit --conns 40 --grace 500ms
  expect_leak eof_unread 1
}

@test "fork-inherit is found: another process has them" {
  serve fork-inherit
  audit --conns 40 --grace 500ms
  expect_leak other_process 16
  expect_in "$OUT" "owner sleep pid"
  expect_in "$OUT" "fork-inherit"
}

@test "lost-reference is found: EOF unread, every fifth" {
  serve lost-reference
  audit --conns 40 --grace 500ms --send "$(a_line)"
  expect_leak eof_unread 8
  expect_counts held=8 eof_unread=8 closed=32
}

@test "no-half-close is found: EOF read" {
  serve no-half-close
  audit --conns 20 --grace 500ms --send "$(a_line)"
  expect_leak eof_read 20
}

@test "reply-before-read is named: resets, and nothing is held" {
  serve reply-before-read
  audit --conns 20 --grace 500ms --send "$(a_line)"
  expect_code 0
  expect_counts reset=20
  expect_in "$OUT" "reply-before-read"
}

@test "no fixed twin is accused" {
  local name order
  for name in ignore-eof paused-read bounded-pool never-accept emfile fork-inherit lost-reference no-half-close \
    reply-before-read; do
    serve "$name" --fixed
    for order in half-close client-first abort; do
      audit --conns 40 --grace 1s --order "$order" --send "$(a_line)"
      expect_code 0
      [[ $(jq '[.groups[]] | add' "$JSON") == 0 ]] || { show_output; return 1; }
      expect_not_in "$OUT" "Bugs that look like this"
      expect_not_in "$OUT" "reply-before-read"
    done
    kill -INT "$server_pid"
    wait "$server_pid" || true
  done
}

# ---- servers that only look like one, and others ----

CLOSER='while (accept(my $c, $l)) { push @kept, $c; }'

# serve_slowly SECONDS: closes so long after EOF.
serve_slowly() {
  serve_perl 'my %due; while (1) {
      my $in = ""; vec($in, fileno($_), 1) = 1 for $l, grep { !$due{$_} } @kept;
      select($in, undef, undef, 0.02);
      if (vec($in, fileno($l), 1)) { accept(my $c, $l); push @kept, $c; next }
      for (grep { !$due{$_} && vec($in, fileno($_), 1) } @kept) { $due{$_} = now() + '"$1"' unless sysread($_, my $x, 4096) }
      @kept = grep { !$due{$_} || $due{$_} > now() } @kept;
    }'
}

@test "a slow closer is told from a leak by --repeat" {
  serve_slowly 2.5
  audit --conns 10 --grace 1s
  expect_code 1
  expect_counts held=10 eof_read=10
  audit --conns 10 --grace 1s --repeat 4
  expect_code 0
  expect_in "$OUT" "The server closes, slowly."
  expect_in "$OUT" "A slow closer, not a leak: all 10 held after round 1 were closed later."
  [[ $(jq -c '.rounds[0]' "$JSON") == '{"held":10,"held_to_the_end":0}' ]]
  audit --conns 10 --grace 4s
  expect_code 0
  expect_counts closed=10
  jq -e '.close_s.p50 > 2.3 and .close_s.max < 3.5' "$JSON"
}

@test "a leak grows with --repeat" {
  serve ignore-eof
  audit --conns 10 --grace 300ms --repeat 3
  expect_code 1
  expect_counts held=30 eof_read=30
  expect_in "$OUT" "It grows: of 10 held after round 1, 10 are still held at the end, so it is no slow closer."
  [[ $(ss_counts close-wait) == 30 ]]
}

@test "a server that goes on sending after the client's FIN is no leak" {
  serve_perl 'while (1) {
      my $in = ""; vec($in, fileno($l), 1) = 1; select($in, undef, undef, 0.05);
      if (vec($in, fileno($l), 1)) { accept(my $c, $l); push @kept, $c }
      syswrite($_, "more\n") for @kept;
    }'
  audit --conns 10 --grace 1s
  expect_code 0
  expect_counts still_responding=10
  expect_in "$OUT" "as it may: not a leak"
}

@test "a server that sends for ever is read within bounds" {
  serve_perl '$SIG{CHLD} = "IGNORE"; my $data = "x" x 65536;
    while (accept(my $c, $l)) { next if fork; 1 while syswrite($c, $data); exit }'
  audit --conns 5 --grace 1s
  end_server
  expect_code 0
  expect_counts still_responding=5
  jq -e '.elapsed_s < 8' "$JSON"
}

@test "a server that resets everything holds nothing" {
  serve_perl 'while (accept(my $c, $l)) { setsockopt($c, SOL_SOCKET, SO_LINGER, pack("ii", 1, 0)); close $c }'
  audit --conns 20 --grace 1s
  expect_code 0
  expect_counts reset=20
  expect_in "$OUT" "20 of 20 connections ended before the client did anything."
}

@test "a server that never accepts: nobody has its connections" {
  serve_perl 'sleep 1000'
  audit --conns 20 --grace 500ms
  expect_code 1
  expect_counts never_accepted=20 no_owner=20
  audit --conns 20 --grace 500ms --order client-first
  expect_code 1
  expect_counts never_accepted=20 no_owner=20
}

@test "a server that shuts down and does not close has ghosts" {
  serve_perl 'while (accept(my $c, $l)) { sysread($c, my $x, 10); shutdown($c, 2); push @kept, $c }'
  audit --conns 10 --grace 500ms
  expect_code 1
  expect_counts held=10 ghost=10
  expect_in "$OUT" "descriptors of connections that have left every table"
}

@test "abort shows ghosts of a server that does not look, round by round" {
  serve_perl "$CLOSER"
  audit --conns 10 --grace 500ms --order abort --repeat 2
  expect_code 1
  expect_counts held=20 ghost=20
  [[ $(jq -c '[.rounds[].held_to_the_end]' "$JSON") == '[10,10]' ]]
  jq -e '.server.ghosts == 20' "$JSON"
  [[ $(within ss -Htan "sport = :$PORT" | grep -vc LISTEN) == 0 ]]
}

@test "the ghosts of a server's children are counted too" {
  serve_perl 'fork; fork; alarm 60; while (accept(my $c, $l)) { push @kept, $c }'
  audit --conns 12 --grace 500ms --order abort
  end_server
  expect_code 1
  expect_counts held=12 ghost=12
}

@test "processes with a listener each (SO_REUSEPORT) are all the server" {
  serve_perl 'close $l; fork; alarm 60;
    socket($l, AF_INET, SOCK_STREAM, 0); setsockopt($l, SOL_SOCKET, 15, 1);
    bind($l, pack_sockaddr_in('"$PORT"', INADDR_ANY)) or die "bind: $!"; listen($l, 1024); print "ready\n";
    '"$CLOSER"
  wait_until 5 grep -q '^ready' "$BATS_TEST_TMPDIR/server"
  wait_until 5 two_listeners
  audit --conns 20 --grace 500ms
  end_server
  expect_code 1
  expect_counts held=20 eof_unread=20
}

two_listeners() {
  [[ $(within ss -Htln "sport = :$PORT" | wc -l) == 2 ]]
}

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
  expect_in "$OUT" "from afar a server that holds them and one that is still busy look alike"
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

in_another_namespace() {
  [[ $(readlink "/proc/$1/ns/net") != $(readlink /proc/self/ns/net) ]]
}

@test "nobody listens" {
  in_fresh_namespace
  code=0
  "${launcher[@]}" "$STORM" audit 127.0.0.1:9 --quiet >"$OUT" 2>"$ERR" || code=$?
  expect_code 3
  expect_one_sentence
  expect_in "$ERR" "Nobody listens on 127.0.0.1:9"
}

@test "--order abort is refused where nobody listens" {
  in_fresh_namespace
  code=0
  "${launcher[@]}" "$STORM" audit 127.0.0.1:9 --order abort --quiet >"$OUT" 2>"$ERR" || code=$?
  expect_code 2
  expect_one_sentence
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
  jq -e '.elapsed_s > 1 and .elapsed_s < 4' "$JSON"
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
