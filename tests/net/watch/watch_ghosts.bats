#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154 # perl's variables; those shared with storm.bash; every test is a subshell
#
# "tcpstorm watch" where CLOSE_WAIT does not tell: it turns into descriptors in no table, and Recv-Q 0 does not say that EOF
# was read.

load ../storm
load ../audit

# For serve_keeping_alive: asks after each connection every second, when it has been silent for one.
KEEP_ALIVE='setsockopt($c, SOL_SOCKET, SO_KEEPALIVE, 1); setsockopt($c, 6, 4, 1); setsockopt($c, 6, 5, 1);'

# serve_keeping_alive: on $PORT a server that reads EOF and never closes; on the next port its twin, which does, but for the
# first five. In their namespace a FIN_WAIT2 that was closed lasts a second, so that the next probe is answered by RST.
serve_keeping_alive() {
  in_fresh_namespace net.ipv4.tcp_fin_timeout=1
  launcher+=(unshare -p -f --kill-child --)
  "${launcher[@]}" perl -e 'use strict; use Socket; $| = 1;
    sub listen_on { socket(my $l, AF_INET, SOCK_STREAM, 0); bind($l, pack_sockaddr_in($_[0], INADDR_LOOPBACK)) or die "bind: $!";
      listen($l, 512); $l }
    sub serve { my ($l, $name, $keeps) = @_; my @kept; $0 = $name;
      while (accept(my $c, $l)) { '"$KEEP_ALIVE"' 1 while sysread($c, my $data, 100);
        if (@kept < $keeps) { push @kept, $c } else { close($c) } } }
    my ($leaky, $clean) = (listen_on('"$PORT"'), listen_on('"$((PORT + 1))"'));
    if (fork() == 0) { close($leaky); serve($clean, "clean", 5) } close($clean); print "Listening\n"; serve($leaky, "leaky", 1e9)' \
    >"$BATS_TEST_TMPDIR/server" 2>&1 3>&- &
  server_pid=$!
  others+=("$server_pid")
  wait_until 20 grep -qs '^Listening' "$BATS_TEST_TMPDIR/server"
}

# visit: clients of both come and leave, until the test ends; the namespace of the servers is that of their parent.
visit() {
  within perl -e 'use Socket; while (1) { for my $port ('"$PORT, $((PORT + 1))"') {
    socket(my $s, AF_INET, SOCK_STREAM, 0); connect($s, pack_sockaddr_in($port, INADDR_LOOPBACK)) or die; syswrite($s, "hello\n");
    close($s) } select(undef, undef, undef, 0.04) }' 3>&- &
  others+=("$!")
}

# watch_as NAME OPTION...: in the background; $NAME is its pid, its output and its looks are in files of that name.
watch_as() {
  local files=$BATS_TEST_TMPDIR/$1
  within "$STORM" watch --interval 250ms --duration 10s --fail-on growth --json "$files.json" "${@:2}" \
    >"$files.out" 2>"$files.err" 3>&- &
  printf -v "$1" '%s' "$!"
  others+=("$!")
}

# expect_end_of NAME CODE
expect_end_of() {
  wait_until 40 is_over "${!1}"
  code=0
  wait "${!1}" || code=$?
  OUT=$BATS_TEST_TMPDIR/$1.out ERR=$BATS_TEST_TMPDIR/$1.err JSON=$BATS_TEST_TMPDIR/$1.json
  expect_code "$2"
}

# has_ghosts PORT COUNT: so many or more, in a single look.
has_ghosts() {
  within "$STORM" watch --once --port "$1" --json "$JSON" >"$OUT" 2>&1 3>&- &&
    [[ $(jq '.ghosts' "$JSON") -ge $2 ]]
}

# last FILTER: of the server's row in the last look.
last() {
  tail -n 1 "$JSON" | jq -r ".ports[] | select(.side == \"server\") | $1"
}

@test "growth: CLOSE_WAIT that keep-alive turns into ghosts are counted on, and a steady number of ghosts is no growth" {
  serve_keeping_alive
  visit
  wait_until 20 has_ghosts "$PORT" 20
  wait_until 20 has_ghosts "$((PORT + 1))" 5
  watch_as leaky --port "$PORT"
  watch_as clean --port "$((PORT + 1))"
  watch_as all
  local nobody=()
  if unshare -r true 2>/dev/null; then
    nobody=(unshare --user --map-user=65534)
    within "${nobody[@]}" "$STORM" watch --interval 250ms --duration 10s --fail-on growth --port "$PORT" \
      >"$BATS_TEST_TMPDIR/hidden.out" 2>"$BATS_TEST_TMPDIR/hidden.err" 3>&- &
    hidden=$!
    others+=("$hidden")
  fi
  expect_end_of leaky 1
  expect_in "$ERR" "the sum of CLOSE_WAIT and ghosts on server port $PORT (leaky pid "
  expect_in "$ERR" " ghosts (descriptors whose socket is in no table)"
  # CLOSE_WAIT alone are level: what comes in goes on to the ghosts.
  jq -s -e '[.[].ports[] | select(.side == "server") | .states.close_wait // 0] | .[-1] < .[0] + 50' "$JSON"
  (($(last .ghosts) > 100))
  # Their FIN came two seconds ago at most: the last probe says nothing of that.
  jq -s -e '[.[].ports[] | select(.side == "server" and .oldest_most_s) | select(.oldest_s > .oldest_most_s)] == []' "$JSON"
  expect_end_of clean 0
  # Whose they were before the watch began may not be known (Yama): then they are in a row of their own.
  tail -n 1 "$JSON" | jq -e '.ghosts == 5 and [.ports[] | select(.trend == "leak")] == []'
  expect_end_of all 1
  expect_in "$ERR" "on server port $PORT (leaky pid "
  ((${#nobody[@]} > 0)) || skip "no user namespace: the part of a user who may not look into the server was left out"
  expect_end_of hidden 3
  expect_in "$ERR" "no verdict: CLOSE_WAIT with keep-alive become ghosts, which are in no table, and this user may not inspect"
}

# ---- whether EOF was read ----

# serve_six: reads exactly six bytes of each client when told to (its descriptor 0 says when), and never again.
serve_six() {
  mkfifo "$BATS_TEST_TMPDIR/go"
  exec 4<>"$BATS_TEST_TMPDIR/go"
  serve_perl 'for (1 .. 3) { accept(my $c, $l); push @kept, $c; } open(my $go, "<", "'"$BATS_TEST_TMPDIR/go"'"); print "Here\n";
    sysread($go, my $line, 1); sysread($_, my $data, 6) == 6 or die for @kept; print "Read\n"; sleep 1000'
}

# ask_six BETWEEN: three clients send six bytes, do that, and leave.
ask_six() {
  within perl -e 'use Socket; my @s; for (1 .. 3) { socket(my $s, AF_INET, SOCK_STREAM, 0);
    connect($s, pack_sockaddr_in('"$PORT"', INADDR_LOOPBACK)) or die; push @s, $s; syswrite($s, "hello\n"); }
    '"$1"' close($_) for @s;' 3>&-
}

has_close_wait() {
  [[ $(within ss -Htan state close-wait | wc -l) == "$1" ]]
}

@test "one recv() of all data steps over a FIN that came with it: nothing is unread, and EOF was never seen" {
  serve_six
  ask_six ''
  wait_until 10 has_close_wait 3
  printf x >&4
  wait_until 10 grep -q '^Read' "$BATS_TEST_TMPDIR/server"
  within "$STORM" watch --once --port "$PORT" --json "$JSON" >"$OUT" 3>&-
  [[ $(last '[.states.close_wait, .unread, .fin_with_data] | join(" ")') == "3 0 3" ]]
  expect_in "$OUT" "3 with nothing unread may not have seen EOF: their FIN came with the data"
  exec 4>&-
}

@test "a FIN that comes by itself is unread, or was read" {
  serve_six
  printf x >&4
  ask_six 'select(undef, undef, undef, 0.3);'
  wait_until 10 has_close_wait 3
  within "$STORM" watch --once --port "$PORT" --json "$JSON" >"$OUT" 3>&-
  # Six bytes were read before it came.
  [[ $(last '[.states.close_wait, .unread, .fin_with_data] | join(" ")') == "3 3 0" ]]
  expect_not_in "$OUT" "EOF"
  exec 4>&-
}
