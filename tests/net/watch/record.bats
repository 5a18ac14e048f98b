#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154 # python's variables; those shared with storm.bash; every test is a subshell
#
# "tcpstorm watch --record" and "tcpstorm --replay": a leak is recorded, and played again to the server with the bug and to
# its twin without.

load ../storm
load ../audit

RECORDING=recording.jsonl

# One process, two servers: the one on $PORT does not close every fifth connection, its twin on the next port closes all.
LEAKY='import threading
fixed = socket.create_server(("127.0.0.1", '"$((PORT + 1))"'), backlog=128)
kept = []
def accept_all(listener, keeps):
    n = 0
    while True:
        c, _ = listener.accept(); n += 1
        threading.Thread(target=serve, args=(c, keeps and n % 5 == 0), daemon=True).start()
def serve(c, keeps):
    while c.recv(4096): pass
    if keeps: kept.append(c)
    else: c.close()
threading.Thread(target=accept_all, args=(fixed, False), daemon=True).start()
print("Listening")
accept_all(s, True)'

# come N: so many clients, some forty a second, each open for a twentieth of a second.
come() {
  within perl -e 'use strict; use Socket; my @open;
    for (1 .. shift) { socket(my $s, AF_INET, SOCK_STREAM, 0); connect($s, pack_sockaddr_in('"$PORT"', INADDR_LOOPBACK)) or die "connect: $!";
      push @open, $s; select(undef, undef, undef, 0.025); close(shift @open) if @open > 2; }' "$1" 3>&-
}

only_leaked_ones_are_left() {
  [[ $(ss_counts close-wait) == 16 && $(ss_counts established) == 0 ]]
}

# start_recording [OPTION...]: until it has looked once.
start_recording() {
  RECORDED=$BATS_TEST_TMPDIR/$RECORDING
  nsenter -t "$server_pid" -n "$STORM" watch --record "$RECORDED" --interval 200ms --port "$PORT" "$@" >"$OUT" 2>"$ERR" 3>&- &
  watch_pid=$!
  others+=("$watch_pid")
  wait_until 20 grep -qs '"event":"flow"' "$RECORDED"
}

# replay NAME OPTION...: in the background; its output is in files of that name.
replay() {
  within "$STORM" --replay "$RECORDED" --settle 1s "${@:2}" >"$BATS_TEST_TMPDIR/$1" 2>&1 3>&- &
  replays[$1]=$!
}

# expect_replayed NAME CODE TEXT
expect_replayed() {
  code=0
  wait "${replays[$1]}" || code=$?
  OUT=$BATS_TEST_TMPDIR/$1
  expect_code "$2"
  expect_in "$OUT" "$3"
}

@test "a recorded leak fails a replay to the server that leaks, and passes one to its twin" {
  local -A replays=()
  serve_python "$LEAKY"
  start_recording
  come 80
  wait_until 20 only_leaked_ones_are_left
  kill -INT "$watch_pid"
  code=0
  wait "$watch_pid" || code=$?
  expect_code 0
  # Ctrl-C has kept all rows, and the last look and the explanation are there.
  [[ $(head -n 1 "$RECORDED" | jq -r '"\(.event) \(.format)"') == 'recording 1' ]]
  [[ $(jq -s '[.[] | select(.event == "flow") | .ports[] | select(.side == "server") | .came] | add' "$RECORDED") == 80 ]]
  [[ $(jq -s '[.[] | select(.event == "flow") | .ports[] | select(.side == "server")] | last | .close_wait' "$RECORDED") == 16 ]]
  tail -n 1 "$RECORDED" | jq -e '.event == "explanation" and (.findings[0].causes | index("ignore-eof"))' >/dev/null

  replay bug --server "127.0.0.1:$PORT"
  replay twin --server "localhost:$((PORT + 1))"
  replay own --port "$((PORT + 2))"
  replay own_fixed --fixed --port "$((PORT + 3))"
  expect_replayed bug 1 'They pile up as in the recording.'
  expect_replayed twin 0 'Now: 0 of 80 are not closed'
  expect_replayed own 1 'Now: 16 of 80 are not closed'
  expect_replayed own_fixed 0 'Now: 0 of 80 are not closed'

  # What says nothing is no pass: too few, and nobody there.
  replay few --server "localhost:$((PORT + 1))" --duration 300ms
  replay nobody --server "127.0.0.1:$((PORT + 9))"
  expect_replayed few 3 'no verdict:'
  expect_replayed nobody 3 'nobody listens on that port'
}

@test "a recording whose disk is full says so, and a stopped one ends with a whole line" {
  serve_python 'print("Listening"); s.accept(); time.sleep(1000)'
  code=0
  within "$STORM" watch --record /dev/full --duration 1s >"$OUT" 2>"$ERR" 3>&- || code=$?
  expect_code 3
  expect_in "$ERR" 'cannot write --record /dev/full: No space left on device'
  start_recording
  kill -TERM "$watch_pid"
  wait "$watch_pid" || true
  [[ $(tail -c 1 "$RECORDED" | od -An -tx1) == *0a ]]
  jq -e . "$RECORDED" >/dev/null
}

# refuses TEXT OPTION...: with exit code 2 and one sentence.
refuses() {
  code=0
  "$STORM" "${@:2}" >"$OUT" 2>"$ERR" 3>&- || code=$?
  expect_code 2
  expect_one_sentence
  expect_in "$ERR" "$1"
}

@test "what is no recording is refused in one sentence" {
  local head='{"event":"recording","format":1,"version":"1","began":"now"}' flow='{"event":"flow","t_s":0,"over_s":0,"ports":[]}'
  cd "$BATS_TEST_TMPDIR"
  echo hello >no.jsonl
  echo '{"event":"recording","format":7,"version":"9.9"}' >newer.jsonl
  printf '%s\n%s\n%.20s' "$head" "$flow" "$flow" >cut.jsonl
  printf '%s\n%s\n%s\n' "$head" "$flow" "$flow" >idle.jsonl
  refuses '--replay "no.jsonl": it must be a file written by "tcpstorm watch --record"' --replay no.jsonl
  refuses '--replay "newer.jsonl": its format is 7, and this tcpstorm reads format 1' --replay newer.jsonl
  refuses '--replay "cut.jsonl": line 3 is cut short' --replay cut.jsonl
  refuses '--replay "idle.jsonl": it has no connection to a server' --replay idle.jsonl
  refuses '--replay "gone.jsonl": No such file or directory' --replay gone.jsonl
  refuses '--replay "idle.jsonl" cannot be used with --conns' --replay idle.jsonl --conns 5
  refuses '--server "localhost:1" needs --replay' --server localhost:1
  refuses '--record "-": must be a file' watch --record -
  refuses '--once cannot be used with --record' watch --once --record no.jsonl
}
