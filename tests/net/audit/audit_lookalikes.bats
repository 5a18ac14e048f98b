#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154 # perl's variables; variables shared with storm.bash; every test is a subshell
#
# "tcpstorm audit": what it says of servers that only look as if they leaked, or that hide it.

load ../storm
load ../audit

# ---- servers that only look like one, and others ----

# serve_slowly SECONDS: closes so long after EOF.
serve_slowly() {
  serve_perl 'my %due; while (1) {
      my $in = ""; vec($in, fileno($_), 1) = 1 for $l, grep { !$due{$_} } @kept;
      select($in, undef, undef, 0.02);
      if (vec($in, fileno($l), 1)) { accept(my $c, $l); push @kept, $c; next }
      for (grep { !$due{$_} && vec($in, fileno($_), 1) } @kept) { $due{$_} = now() + '"$1"' unless sysread($_, my $x, 4096) }
      # An address is used again: what is due goes with its connection.
      @kept = grep { !$due{$_} || $due{$_} > now() || !delete $due{$_} } @kept;
    }'
}

@test "a slow closer is told from a leak by --repeat" {
  serve_slowly 2.5
  audit --conns 10 --grace 1s
  expect_code 1
  expect_counts held=10 eof_read=10
  audit --conns 10 --grace 1s --repeat 4
  expect_code 0
  expect_in "$OUT" "The server closes, but slowly."
  expect_in "$OUT" "A slow closer, not a leak: all 10 held after round 1 were closed later."
  [[ $(jq -c '.rounds[0]' "$JSON") == '{"held":10,"held_to_the_end":0}' ]]
  audit --conns 10 --grace 4s
  expect_code 0
  expect_counts closed=10
  jq -e '.close_s.p50 > 2.3 and .close_s.max < 3.5' "$JSON"
}

# serve_sixes AFTER: reads six bytes of each client, once the FIN is there as well, does that, and keeps it.
serve_sixes() {
  # TCP_INFO begins with the state: 8 is CLOSE_WAIT.
  serve_perl 'while (accept(my $c, $l)) { select(undef, undef, undef, 0.01) until unpack("C", getsockopt($c, 6, 11)) == 8;
    sysread($c, my $data, 6) == 6 or die; syswrite($c, "ok\n"); '"$1"'; }'
}

# The request is six bytes.
six_bytes() {
  printf 'hello\n' >"$BATS_TEST_TMPDIR/six"
  say "$BATS_TEST_TMPDIR/six"
}

@test "a server that never saw EOF is not said to have read it, for all that its Recv-Q is 0" {
  serve_sixes 'push @kept, $c'
  audit --order eof-with-request --conns 5 --grace 1s --send "$(six_bytes)"
  expect_code 1
  expect_counts held=5 eof_unsure=5
  expect_in "$OUT" "all data is read (Recv-Q 0), but perhaps not EOF: the FIN came with the data"
  expect_in "$OUT" "Bugs that look like this: ignore-eof, paused-read,"
  [[ $(within ss -Htan state close-wait "sport = :$PORT" | awk '$1 == 0' | wc -l) -ge 5 ]]
}

@test "a server that reads exactly what was sent and closes is clean" {
  serve_sixes 'close($c)'
  audit --order eof-with-request --conns 5 --grace 1s --send "$(six_bytes)"
  expect_code 0
  expect_counts closed=5
}

@test "a leak grows with --repeat" {
  serve ignore-eof
  audit --conns 10 --grace 300ms --repeat 3
  expect_code 1
  expect_counts held=30 eof_read=30
  expect_in "$OUT" "Of 10 held after round 1, 10 are still held at the end: not closed within"
  expect_not_in "$OUT" "slow closer" # for all that is known it may be one
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
  expect_in "$OUT" "which is allowed: not a leak"
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

@test "a server that resets everything before the client acts is not audited" {
  serve_perl 'while (accept(my $c, $l)) { setsockopt($c, SOL_SOCKET, SO_LINGER, pack("ii", 1, 0)); close $c }'
  audit --conns 20 --grace 1s
  expect_code 3
  expect_counts reset=20
  expect_in "$OUT" "The server ended 20 of 20 connections before the client did anything: half-close was never played"
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
