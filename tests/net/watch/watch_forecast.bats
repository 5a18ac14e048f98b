#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # those shared with storm.bash; every test is a subshell
#
# "tcpstorm watch": when descriptors will be gone, next to when they are; and --fail-on eta, count and age.

load ../storm
load ../audit

# A python3 on PATH may be a script that takes a second to find another.
PYTHON=$(command -v /usr/bin/python3 || command -v python3)

# A server that may have 200 descriptors and closes none, and clients that come by the clock, 16 a second, and leave.
LEAKY='
import os, resource, signal, socket, time
resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))
l = socket.socket()
l.bind(("127.0.0.1", 15000))
l.listen(64)
print("Listening", flush=True)
if os.fork() == 0:
    import ctypes
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    l.close()
    began = time.monotonic()
    for i in range(10000):
        time.sleep(max(0, began + i / 16 - time.monotonic()))
        socket.create_connection(("127.0.0.1", 15000)).close()
kept = []
while True:
    try:
        kept.append(l.accept())
    except OSError:
        print("EMFILE", flush=True)
        signal.pause()'

# Its twin: it has twelve that it keeps.
STEADY='
import signal, socket
l = socket.socket()
l.bind(("127.0.0.1", 15001))
l.listen(64)
kept = []
for i in range(12):
    socket.create_connection(("127.0.0.1", 15001)).close()
    kept.append(l.accept())
print("Listening", flush=True)
signal.pause()'

start_server() {
  "${launcher[@]}" "$PYTHON" -c "$2" >"$BATS_TEST_TMPDIR/$1.server" 2>&1 3>&- &
  printf -v "$1" '%s' "$!"
  others+=("$!")
  wait_until 20 grep -q '^Listening' "$BATS_TEST_TMPDIR/$1.server"
}

# watch_beside NAME OPTION...: in the background.
watch_beside() {
  local file=$BATS_TEST_TMPDIR/$1
  nsenter -t "$server_pid" -n "$STORM" watch --interval 100ms "${@:2}" --json "$file.json" >"$file.out" 2>"$file.err" 3>&- &
  printf -v "$1" '%s' "$!"
  others+=("$!")
}

# expect_end NAME CODE
expect_end() {
  wait_until 40 is_over "${!1}"
  code=0
  wait "${!1}" || code=$?
  OUT=$BATS_TEST_TMPDIR/$1.out ERR=$BATS_TEST_TMPDIR/$1.err
  expect_code "$2"
}

has_emfile() {
  grep -q '^EMFILE' "$BATS_TEST_TMPDIR/leaky.server"
}

@test "forecast: descriptors are gone within the interval, eta tells it in time, and a steady server has none" {
  in_fresh_namespace
  start_server leaky "$LEAKY"
  server_pid=$leaky
  launcher=(nsenter -t "$server_pid" -n)
  start_server steady "$STEADY"
  watch_beside until_gone --pid "$leaky"
  watch_beside eta --pid "$leaky" --fail-on eta:1h --duration 30s
  watch_beside twin --pid "$steady" --fail-on eta:1h,growth --duration 10s
  # What lies there already is told at once.
  code=0
  within "$STORM" watch --once --pid "$steady" --fail-on count:12 >"$OUT" 2>"$ERR" || code=$?
  expect_code 1
  expect_in "$ERR" "12 CLOSE_WAIT and 0 ghosts on server port 15001"
  code=0
  within "$STORM" watch --once --pid "$steady" --fail-on count:13,age:1h >"$OUT" 2>"$ERR" || code=$?
  expect_code 0
  code=0
  within "$STORM" watch --interval 50ms --pid "$steady" --fail-on age:1s --duration 20s >"$OUT" 2>"$ERR" || code=$?
  expect_code 1
  expect_in "$ERR" "the oldest CLOSE_WAIT on server port 15001"

  expect_end eta 1
  expect_in "$ERR" "pid $leaky :15000 +"
  expect_in "$ERR" ", descriptors gone in "
  expect_in "$ERR" ", then the accept queue within "
  expect_end twin 0
  wait_until 30 has_emfile
  wait_until 10 is_full
  kill -INT "$until_gone"
  expect_end until_gone 0
  # When it was so, on the watch's clock, and what the looks from three seconds on had said: nine in ten are right.
  jq -s -e '(map(select(.rows[] | .side == "server" and .descriptors and .descriptors >= .descriptors_most)) | .[0].t_s) as $gone
    | [.[] | select(.t_s > 3 and .t_s < $gone - 1) | .t_s as $t | .rows[] | select(.side == "server" and .forecast)
      | $gone >= $t + .forecast.earliest_s - 0.2 and $gone <= $t + .forecast.latest_s + 0.2]
    | length >= 10 and (map(select(.)) | length) * 10 >= length * 9' "$BATS_TEST_TMPDIR/until_gone.json"
}

# A look saw it.
is_full() {
  jq -s -e 'any(.[]; .rows[] | .side == "server" and .descriptors and .descriptors >= .descriptors_most)' \
    <(head -n "$(wc -l <"$BATS_TEST_TMPDIR/until_gone.json")" "$BATS_TEST_TMPDIR/until_gone.json") >/dev/null
}
