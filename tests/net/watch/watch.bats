#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154 # perl's variables; those shared with storm.bash; every test is a subshell
#
# "tcpstorm watch": the live sockets of a namespace, next to what ss says of them.

load ../storm
load ../audit

# Clients come from here, so that nothing depends on what an audit makes of the server.
CLIENT='use strict; use Socket; my $n = shift; my @kept;
  sub open_one { socket(my $s, AF_INET, SOCK_STREAM, 0); connect($s, pack_sockaddr_in('"$PORT"', INADDR_LOOPBACK)) or die "connect: $!"; $s }'

# leave_clients N: so many connections come, and leave; until ss sees all of them in CLOSE_WAIT.
leave_clients() {
  within perl -e "$CLIENT"'close(open_one()) for 1 .. $n;' "$1" 3>&-
  wait_until 20 has_close_wait "$1"
}

# keep_leaving [BODY]: one after the other comes and leaves, in the background, until the test ends.
keep_leaving() {
  nsenter -t "$server_pid" -n perl -e "$CLIENT"'while (1) { '"${1-close(open_one()); select(undef, undef, undef, 0.04);}"' }' 0 3>&- &
  others+=("$!")
}

has_close_wait() {
  [[ $(ss_counts close-wait) == "$1" ]]
}

has_some_close_wait() {
  (($(ss_counts close-wait) > 0))
}

watch() {
  code=0
  within "$STORM" watch "$@" --json "$JSON" >"$OUT" 2>"$ERR" 3>&- || code=$?
}

# start_watch [OPTION...]: in the background; its looks come into $JSON.
start_watch() {
  rm -f "$JSON"
  nsenter -t "$server_pid" -n "$STORM" watch --json "$JSON" "$@" >"$OUT" 2>"$ERR" 3>&- &
  watch_pid=$!
  others+=("$watch_pid")
}

# end_watch SECONDS: until it has ended; $code is its exit code.
end_watch() {
  if ! wait_until "$1" is_over "$watch_pid"; then
    say "the watch still runs after $1 s"
    show_output
    return 1
  fi
  code=0
  wait "$watch_pid" || code=$?
}

# has_look FILTER: jq says true of the looks so far.
has_look() {
  [[ -s $JSON ]] && head -n "$(wc -l <"$JSON")" "$JSON" | jq -s -e "$1" >/dev/null
}

# row FILTER: of the last look, the server's row, and a jq filter on it.
row() {
  tail -n 1 "$JSON" | jq -c ".rows[] | select(.side == \"server\" and .port == $PORT) | $1"
}

# serve_forking BODY: a process for every connection $c, which the body deals with; all in a pid namespace that ends with
# the test.
serve_forking() {
  in_fresh_namespace
  launcher+=(unshare -p -f --kill-child --)
  "${launcher[@]}" perl -e 'use strict; use Socket; $| = 1; $SIG{CHLD} = "IGNORE";
    socket(my $l, AF_INET, SOCK_STREAM, 0) or die "socket: $!"; setsockopt($l, SOL_SOCKET, SO_REUSEADDR, 1);
    bind($l, pack_sockaddr_in('"$PORT"', INADDR_ANY)) or die "bind: $!"; listen($l, 128); print "Listening\n";
    while (1) { accept(my $c, $l) or next; my $child = fork(); die "fork: $!" if !defined($child);
      if ($child == 0) { close($l); '"$1"'; exit } close($c) }' \
    >"$BATS_TEST_TMPDIR/server" 2>&1 3>&- &
  server_pid=$!
  others+=("$server_pid")
  wait_until 10 grep -q '^Listening' "$BATS_TEST_TMPDIR/server"
}

# ---- what one look shows ----

@test "one look: CLOSE_WAIT by port and process, and ss agrees" {
  serve ignore-eof
  leave_clients 12
  watch --once
  expect_code 0
  [[ $(row .states.close_wait) == 12 && $(row .pid) == "$server_pid" && $(row .command) == '"tcpstorm"' ]]
  [[ $(row .unread) == 0 && $(row .unowned) == 0 ]]
  expect_in "$OUT" "serves :$PORT"
  expect_in "$OUT" "tcpstorm $server_pid"
}

@test "unread EOFs and sockets that nobody has are told" {
  serve_perl 'sleep 1000'
  leave_clients 7
  watch --once --port "$PORT"
  [[ $(row .states.close_wait) == 7 && $(row .unread) == 7 && $(row .unowned) == 7 && $(row '.pid // 0') == 0 ]]
  expect_in "$OUT" "not accepted"
}

@test "--port and --pid leave the others out" {
  serve ignore-eof
  leave_clients 5
  watch --once --port 9
  [[ $(jq .sockets "$JSON") == 0 ]]
  watch --once --pid "$server_pid"
  [[ $(jq .sockets "$JSON") == 5 && $(jq .ghosts "$JSON") == 0 ]]
  stay_inside
  watch --once --pid "$inside_pid"
  expect_code 0
  [[ $(jq .sockets "$JSON") == 0 ]]
}

# stay_inside: a process without sockets, which keeps the namespace of the server; its pid is $inside_pid.
stay_inside() {
  nsenter -t "$server_pid" -n sleep 1000 3>&- &
  inside_pid=$!
  others+=("$inside_pid")
  wait_until 5 shares_namespace "$inside_pid" "$server_pid"
}

shares_namespace() {
  [[ /proc/$1/ns/net -ef /proc/$2/ns/net ]]
}

@test "--by-peer has a row for each peer" {
  serve_perl 'while (accept(my $c, $l)) { push @kept, $c; }'
  within perl -e 'use Socket; for my $n (1, 2, 2) { socket(my $s, AF_INET, SOCK_STREAM, 0);
    bind($s, pack_sockaddr_in(0, inet_aton("127.0.0.$n"))); connect($s, pack_sockaddr_in(15000, INADDR_LOOPBACK)) or die; }'
  wait_until 5 has_close_wait 3
  watch --once --by-peer
  [[ $(row '[.peer, .states.close_wait]' | sort | paste -sd' ') == '["127.0.0.1",1] ["127.0.0.2",2]' ]]
  expect_in "$OUT" "serves :$PORT to 127.0.0.2"
  watch --once
  [[ $(row '[.peer, .states.close_wait]') == '[null,3]' ]]
}

# heard_longer_ago_than MS: that is how long ss has heard nothing from the peers of all in CLOSE_WAIT.
heard_longer_ago_than() {
  within ss -Htino state close-wait "sport = :$PORT" | grep -o 'lastack:[0-9]*' | awk -F: -v ms="$1" '
    $2 + 0 < ms { young = 1 } END { exit NR == 0 || young }'
}

@test "the oldest CLOSE_WAIT ages from look to look, also before the watch began" {
  serve ignore-eof
  leave_clients 3
  wait_until 10 heard_longer_ago_than 1000
  start_watch --interval 100ms
  # never younger than at the look before, and older than the watch
  local ages='[.[].rows[] | select(.side == "server") | .oldest_s]'
  wait_until 20 has_look "$ages"' | . == sort and .[0] >= 1 and .[-1] - .[0] > 0.5'
}

@test "the age of sockets that nobody has does not fall back" {
  serve_perl 'sleep 1000'
  leave_clients 3
  wait_until 10 heard_longer_ago_than 1000
  start_watch --interval 100ms
  wait_until 20 has_look 'length >= 5'
  has_look '[.[].rows[] | select(.side == "server") | .oldest_s] | . == sort and .[0] >= 1'
}

@test "the ghosts of --pid are counted" {
  serve_perl 'while (accept(my $c, $l)) { push @kept, $c; }'
  within perl -e "$CLIENT"'for (1 .. $n) { my $s = open_one(); setsockopt($s, SOL_SOCKET, SO_LINGER, pack("ii", 1, 0)); close($s); }' 4
  wait_until 5 has_ghosts 4
  expect_in "$OUT" "4 socket descriptors are in no table"
}

has_ghosts() {
  watch --once --pid "$server_pid"
  [[ $(jq .ghosts "$JSON") == "$1" ]]
}

@test "the name of a process reaches neither the table nor a sentence as it is" {
  serve_perl 'open(my $name, ">", "/proc/$$/comm"); syswrite($name, "\e[2J\"<x>\n,="); close($name); print "Named\n";
    while (accept(my $c, $l)) { push @kept, $c; }'
  wait_until 5 grep -q Named "$BATS_TEST_TMPDIR/server"
  leave_clients 2
  watch --once
  [[ $(row .command) == '"_[2J\"<x>_,="' ]]
  expect_in "$OUT" "_[2J\"<x>_,= $server_pid"
  [[ $(LC_ALL=C tr -d '\n -~' <"$OUT" | wc -c) == 0 ]]
}

# ---- what grows ----

@test "--fail-on growth: a leak that grows ends the watch with exit code 1" {
  serve ignore-eof
  keep_leaving
  watch --interval 200ms --duration 60s --fail-on growth
  expect_code 1
  expect_in "$ERR" "CLOSE_WAIT on server port $PORT (tcpstorm pid $server_pid) grows by"
  jq -s -e '.[-1].t_s >= 10' "$JSON"
}

@test "--fail-on growth: a process for each client that never closes grows by its port" {
  serve_forking 'sleep 1000'
  keep_leaving 'close(open_one()); select(undef, undef, undef, 0.25);'
  watch --interval 200ms --duration 60s --fail-on growth
  expect_code 1
  expect_in "$ERR" "CLOSE_WAIT on server port $PORT (perl, "
  expect_in "$ERR" "processes) grows by"
  # Each process has one, and no more.
  jq -s -e '.[-1] | [.rows[] | select(.side == "server" and .pid) | .states.close_wait] | length > 8 and max == 1' "$JSON"
  (($(ss_counts close-wait) >= $(tail -n 1 "$JSON" | jq '.ports[] | select(.side == "server") | .states.close_wait')))
  expect_in "$OUT" "perl ("
  expect_not_in "$OUT" "more rows"
}

# Two clients at a time wait for the server's FIN before they come again: however slow the machine, no more than two are
# ever in CLOSE_WAIT, and the processes change all the time.
@test "--fail-on growth: a process for each client that closes is not accused, however many come" {
  serve_forking '1 while sysread($c, my $data, 100); select(undef, undef, undef, 0.2); close($c)'
  keep_leaving 'my $s = open_one(); shutdown($s, 1); sysread($s, my $data, 1); close($s);'
  keep_leaving 'my $s = open_one(); shutdown($s, 1); sysread($s, my $data, 1); close($s);'
  wait_until 20 has_some_close_wait
  watch --interval 100ms --duration 15s --fail-on growth
  expect_code 0
  # They have come and gone: each has left a TIME_WAIT.
  (($(within ss -Htan state time-wait "dport = :$PORT" | wc -l) > 10))
}

@test "--fail-on growth: sockets that stay, and those that come and go, are no growth" {
  serve ignore-eof
  leave_clients 20
  watch --interval 200ms --duration 12s --fail-on growth
  expect_code 0
}

@test "--fail-on growth: what begins to grow late is watched until it is sure" {
  serve ignore-eof
  local go=$BATS_TEST_TMPDIR/go ready=$BATS_TEST_TMPDIR/ready
  keep_leaving 'open(my $f, ">", "'"$ready"'"); until (-e "'"$go"'") { select(undef, undef, undef, 0.02) }
    while (1) { close(open_one()); select(undef, undef, undef, 0.04); }'
  wait_until 20 test -e "$ready"
  start_watch --interval 100ms --duration 10s --fail-on growth
  wait_until 20 has_look '.[-1].t_s > 1'
  touch "$go"
  end_watch 60
  expect_code 1
  has_look '.[-1].t_s > 10.5'
}

@test "--fail-on growth: where there was too little to see there is no verdict" {
  serve ignore-eof
  code=0
  within "$STORM" watch --duration 5s --fail-on growth >"$OUT" 2>"$ERR" || code=$?
  expect_code 2
  expect_one_sentence
  within "$STORM" watch --duration 10s --interval 3s --fail-on growth >"$OUT" 2>"$ERR" || code=$?
  expect_code 2
  expect_one_sentence
  start_watch --interval 100ms --duration 1m --fail-on growth
  wait_until 10 has_look 'length >= 2'
  kill -INT "$watch_pid"
  end_watch 5
  expect_code 130
}

# ---- who owns them, and whose they were ----

@test "a process that has ended is never named: its heir is" {
  serve_perl 'my @all; for (1 .. 3) { accept(my $c, $l); push @all, $c; }
    if (fork() == 0) { close($l); open(my $name, ">", "/proc/$$/comm"); syswrite($name, "heir"); close($name);
      print "Heir $$\n"; sleep 1000; } sleep 1000'
  leave_clients 3
  wait_until 5 grep -q '^Heir' "$BATS_TEST_TMPDIR/server"
  local heir
  heir=$(sed -n 's/^Heir //p' "$BATS_TEST_TMPDIR/server")
  others+=("$heir")
  start_watch --interval 100ms
  wait_until 10 has_look ".[-1].rows[] | select(.side == \"server\") | .pid == $server_pid"
  kill -KILL "$server_pid"
  # Its parent, this shell, has not waited for it yet.
  wait_until 10 is_over "$server_pid"
  local before
  before=$(wc -l <"$JSON")
  wait_until 10 has_look ".[$before + 1:] | length >= 3"
  has_look ".[$before + 1:] | all(.[].rows[]; .pid != $server_pid)"
  has_look ".[$before + 1:] | all(.[]; any(.rows[]; .pid == $heir and .command == \"heir\" and .states.close_wait == 3))"
  server_pid=$heir
  [[ $(ss_counts close-wait) == 3 ]]
}

@test "a server whose listener is closed stays a server, to a watch that comes later too" {
  serve_perl 'for (1 .. 6) { accept(my $c, $l); push @kept, $c; } $SIG{USR1} = sub { close($l) }; sleep 1000 while 1'
  leave_clients 6
  start_watch --interval 100ms
  wait_until 10 has_look '.[-1].ports[] | select(.side == "server") | .listens'
  kill -USR1 "$server_pid"
  wait_until 10 has_look '.[-1].ports[] | select(.side == "server") | .listens == false'
  [[ -z $(within ss -Htln "sport = :$PORT") ]]
  has_look '.[-1] | [.rows[] | select(.side == "server")] | length == 1 and .[0].states.close_wait == 6'
  kill -INT "$watch_pid"
  end_watch 10
  watch --once
  [[ $(row '[.listens, .states.close_wait, .pid]') == "[false,6,$server_pid]" ]]
  expect_in "$OUT" "served :$PORT"
  expect_in "$OUT" "served: nothing listens on that port now"
}

# ---- whom it may not look at ----

# refused_pid PID WHAT: one sentence, exit code 3, no table.
refused_pid() {
  code=0
  within "$STORM" watch --once --pid "$1" >"$OUT" 2>"$ERR" 3>&- || code=$?
  expect_code 3
  expect_one_sentence
  expect_in "$ERR" "--pid \"$1\": $2"
  expect_empty "$OUT"
}

@test "a process that is not there, or has ended, is no empty table" {
  serve ignore-eof
  refused_pid 2147483647 "there is no such process"
  true &
  local ended=$!
  wait_until 5 is_over "$ended"
  refused_pid "$ended" "there is no such process, or it has ended"
}

@test "a process that ends while it is watched ends the watch, which says so" {
  serve ignore-eof
  leave_clients 2
  stay_inside
  start_watch --pid "$server_pid" --interval 100ms --fail-on growth
  wait_until 10 has_look '.[-1].sockets == 2'
  kill -KILL "$server_pid"
  end_watch 10
  expect_code 3
  expect_one_sentence
  expect_in "$ERR" "process $server_pid has ended"
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
  expect_in "$OUT" "sockets: this user may not see their processes: root may"
  code=0
  within unshare --user --map-user=65534 "$STORM" watch --once --pid "$server_pid" >"$OUT" 2>"$ERR" || code=$?
  expect_code 3
  expect_one_sentence
  expect_in "$ERR" "this user may not inspect that process: root may"
  # Root of such a namespace is root, and may not either.
  code=0
  within unshare --user --map-root-user "$STORM" watch --once >"$OUT" 2>"$ERR" || code=$?
  expect_code 0
  expect_not_in "$OUT" "root may "
  expect_in "$OUT" "root of this user namespace may not see their processes"
}

# ---- how it ends ----

@test "Ctrl-C, TERM and a hang-up end it after a last look" {
  serve ignore-eof
  local signal
  for signal in INT:0 TERM:0 HUP:130; do
    start_watch --interval 10s
    wait_until 10 has_look 'length == 1'
    kill -"${signal%:*}" "$watch_pid"
    end_watch 5
    expect_code "${signal#*:}"
    has_look 'length == 2'
    expect_empty "$ERR"
  done
}

@test "under nohup a hang-up does not end it" {
  serve ignore-eof
  rm -f "$JSON"
  (
    trap '' HUP
    exec nsenter -t "$server_pid" -n "$STORM" watch --interval 100ms --json "$JSON" >"$OUT" 2>"$ERR" 3>&-
  ) &
  watch_pid=$!
  others+=("$watch_pid")
  wait_until 10 has_look 'length >= 1'
  kill -HUP "$watch_pid"
  local before
  before=$(wc -l <"$JSON")
  wait_until 10 has_look "length >= $before + 3"
  kill -INT "$watch_pid"
  end_watch 5
  expect_code 0
}

@test "a watch that was to last is interrupted by Ctrl-C" {
  serve ignore-eof
  start_watch --interval 100ms --duration 1m
  wait_until 10 has_look 'length >= 1'
  kill -INT "$watch_pid"
  end_watch 5
  expect_code 130
}

@test "a reader that leaves ends it with a sentence, and a full disk does" {
  serve ignore-eof
  local format
  for format in "" "--json -"; do
    # shellcheck disable=SC2086 # two words
    within "$BASH" -c '"$@" 2>"$0" | head -n 1 >/dev/null; exit "${PIPESTATUS[0]}"' "$ERR" \
      "$STORM" watch --interval 50ms --duration 1m $format 3>&- && code=0 || code=$?
    expect_code 3
    expect_one_sentence
    expect_in "$ERR" "cannot write standard output: Broken pipe"
    # shellcheck disable=SC2086
    within "$STORM" watch --once $format >/dev/full 2>"$ERR" 3>&- && code=0 || code=$?
    expect_code 3
    expect_one_sentence
    expect_in "$ERR" "cannot write standard output: No space left on device"
  done
  within "$STORM" watch --once --json /dev/full >"$OUT" 2>"$ERR" 3>&- && code=0 || code=$?
  expect_code 3
  expect_one_sentence
  expect_in "$ERR" "cannot write --json /dev/full: No space left on device"
}

@test "a reader that stops reading does not keep Ctrl-C from ending it" {
  serve_perl "$CLOSER"
  leave_clients 1
  mkfifo "$BATS_TEST_TMPDIR/pipe"
  exec 4<>"$BATS_TEST_TMPDIR/pipe"
  # A page of a pipe, which a few looks fill.
  perl -e 'open(my $pipe, "+<&=4") or die; fcntl($pipe, 1031, 4096) or die' # F_SETPIPE_SZ
  nsenter -t "$server_pid" -n "$STORM" watch --interval 50ms --json - >&4 2>"$ERR" 3>&- &
  watch_pid=$!
  others+=("$watch_pid")
  wait_until 60 grep -q 'the reader has stopped' "$ERR"
  kill -INT "$watch_pid"
  end_watch 10
  exec 4>&-
}

@test "a file that cannot be written is named before the first look" {
  serve ignore-eof
  code=0
  within "$STORM" watch --once --json /nonexistent/file >"$OUT" 2>"$ERR" || code=$?
  expect_code 2
  expect_one_sentence
  expect_empty "$OUT"
}
