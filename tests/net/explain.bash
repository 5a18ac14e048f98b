# shellcheck shell=bash disable=SC2034,SC2154 # its variables are for the tests; others come from storm.bash
# explain: servers with a bug, clients that leave them, and what explain says of it.
#
# Needs storm.bash. A file of tests is in a network namespace of its own: its servers differ by their ports.

SERVER_CAUSES=(ignore-eof paused-read lost-reference bounded-pool emfile never-accept fork-inherit no-half-close reply-before-read)

# What these leave shows with clients of a manner of their own.
PARTING_CAUSES=(reset-swallowed second-socket-forgotten half-closed-for-ever stalled-reader no-timeout eof-is-abort blocking-linger)

# ---- servers ----

declare -gA server_pids=() server_ports=()
next_port=15000

# start_cause NAME [--fixed]: called NAME or NAME--fixed below.
start_cause() {
  local key=$1${2-} port=$((next_port++))
  "$STORM" server --cause "$@" --port "$port" >"$BATS_TEST_TMPDIR/$key.server" 2>&1 3>&- &
  server_pids[$key]=$! server_ports[$key]=$port
  others+=("$!")
}

# start_causes [NAME...]: each with its fixed twin.
start_causes() {
  local name
  (($# > 0)) || set -- "${SERVER_CAUSES[@]}"
  for name; do
    start_cause "$name"
    start_cause "$name" --fixed
  done
  await_servers
}

# start_python NAME BODY: a server of python's; the listener is s, on a port of its own, and b is a backend that accepts and
# never answers.
start_python() {
  local key=$1 port=$((next_port++))
  command -v python3 >/dev/null || skip "no python3 to make a server with"
  printf '%s\n' 'import socket, select, threading, time, os, sys, signal' \
    "s = socket.create_server(('127.0.0.1', $port), backlog=512)" \
    "b = socket.create_server(('127.0.0.1', 0)); backend = b.getsockname()" \
    "kept = []; print('Listening', flush=True)" "$2" >"$BATS_TEST_TMPDIR/$key.py"
  python3 "$BATS_TEST_TMPDIR/$key.py" >"$BATS_TEST_TMPDIR/$key.server" 2>&1 3>&- &
  server_pids[$key]=$! server_ports[$key]=$port
  others+=("$!")
}

# compile_c PROGRAM SOURCE
compile_c() {
  command -v cc >/dev/null || skip "no C compiler to make a server with"
  printf '%s\n' "$2" >"$BATS_TEST_TMPDIR/$1.c"
  cc -std=gnu11 -w -o "$BATS_TEST_TMPDIR/$1" "$BATS_TEST_TMPDIR/$1.c" -pthread
}

# start_compiled NAME PROGRAM [ARGUMENT...]: a server that gets its port and these.
start_compiled() {
  local key=$1 port=$((next_port++))
  "$BATS_TEST_TMPDIR/$2" "$port" "${@:3}" >"$BATS_TEST_TMPDIR/$key.server" 2>&1 3>&- &
  server_pids[$key]=$! server_ports[$key]=$port
  others+=("$!")
}

# All that were started.
await_servers() {
  local name
  for name in "${!server_pids[@]}"; do
    wait_until 20 grep -qs '^Listening' "$BATS_TEST_TMPDIR/$name.server"
  done
}

# ---- clients ----

# visit MANNER COUNT PORT...: so many clients of each server, which are gone when it returns.
#   late   send, and close 200 ms later        now   send and close at once
#   half   send, half-close, and leave later   silent  send nothing
#   reset  send, and reset 500 ms later
visit() {
  command -v python3 >/dev/null || skip "no python3 to make clients with"
  python3 -c 'import socket, sys, time
manner, count, ports = sys.argv[1], int(sys.argv[2]), [int(p) for p in sys.argv[3:]]
kept = []
# In two waves: a server that stops accepting after some needs a second chance to.
for port, i in [(p, i) for p in ports for i in range(min(15, count))] + [(p, i) for p in ports for i in range(15, count)]:
    c = socket.create_connection(("127.0.0.1", port))
    try:
        if manner != "silent": c.sendall(b"hello\n")
        if manner == "half": c.shutdown(socket.SHUT_WR)
    except OSError:
        pass
    if manner == "now": c.close()
    else: kept.append(c)
time.sleep(.5 if manner == "reset" else .2)
for c in kept:
    if manner == "reset": c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    c.close()' "$@"
}

# visit_and_stay COUNT PORT...: so many clients of each server that send, and then neither read nor leave until the test ends.
visit_and_stay() {
  command -v python3 >/dev/null || skip "no python3 to make clients with"
  python3 -c 'import socket, sys, time
kept = [socket.create_connection(("127.0.0.1", int(port))) for port in sys.argv[2:] for i in range(int(sys.argv[1]))]
for c in kept: c.sendall(b"hello\n")
print("there", flush=True); time.sleep(300)' "$@" >"$BATS_TEST_TMPDIR/stay" 3>&- &
  others+=("$!")
  wait_until 10 grep -q there "$BATS_TEST_TMPDIR/stay"
}

# So many clients of each server a second, each for 200 ms.
STEADY_CLIENTS='import socket, sys, time
seconds, rate, ports = float(sys.argv[1]), float(sys.argv[2]), [int(p) for p in sys.argv[3:]]
began, kept, n = time.monotonic(), [], 0
while time.monotonic() < began + seconds:
    now = time.monotonic()
    while kept and kept[0][0] < now: kept.pop(0)[1].close()
    if n < (now - began) * rate:
        for port in ports:
            c = socket.socket(); c.setblocking(False)
            c.connect_ex(("127.0.0.1", port))
            try: c.send(b"hello\n")
            except OSError: pass
            kept.append((now + .2, c))
        n += 1
    else: time.sleep(.004)
for at, c in kept: c.close()'

# visit_for SECONDS RATE PORT...
visit_for() {
  command -v python3 >/dev/null || skip "no python3 to make clients with"
  python3 -c "$STEADY_CLIENTS" "$@"
}

# start_visits RATE PORT...: likewise, until the test ends.
start_visits() {
  command -v python3 >/dev/null || skip "no python3 to make clients with"
  python3 -c "$STEADY_CLIENTS" 300 "$@" 3>&- &
  others+=("$!")
}

# ---- explaining ----

GRACE_MS=1000

# explain NAME [OPTION...]: the exit status is in $code, the text in $OUT and the rest in $JSON.
explain() {
  code=0
  "$STORM" explain "${server_pids[$1]}" "${@:2}" --json "$JSON" >"$OUT" 2>"$ERR" 3>&- || code=$?
}

# explain_all [OPTION...]: all servers at a time; to NAME.json, NAME.text and NAME.code, and the causes to said[NAME]: rules that
# name none by their own name.
declare -gA said=()
explain_all() {
  local name pids=() at=$BATS_TEST_TMPDIR
  for name in "${!server_pids[@]}"; do
    {
      status=0
      "$STORM" explain "${server_pids[$name]}" "$@" --json "$at/$name.json" >"$at/$name.text" 2>&1 3>&- || status=$?
      echo "$status" >"$at/$name.code"
    } &
    pids+=("$!")
  done
  wait "${pids[@]}"
  note_said "${!server_pids[@]}"
}

# note_said NAME...: of NAME.json.
note_said() {
  local name causes at=$BATS_TEST_TMPDIR
  said=()
  while read -r name causes; do
    said[$name]=$causes
  done < <(cd "$at" && jq -r '"\(input_filename | rtrimstr(".json")) \([.findings[] | if (.causes | length) > 0 then .causes[] else .rule end] | unique | join(","))"' \
    "${@/%/.json}")
}

# Until what lingers does so for longer than the grace.
rest_for_grace() {
  local until=$((${EPOCHREALTIME/[.,]/} / 1000 + GRACE_MS + 150))
  while ((${EPOCHREALTIME/[.,]/} / 1000 < until)); do
    rest 100
  done
}

causes_in() {
  jq -r '[.findings[] | if (.causes | length) > 0 then .causes[] else .rule end] | unique | join(",")' "$1"
}

show_explanation() {
  cat "$BATS_TEST_TMPDIR/$1.text"
}

# expect_causes NAME CAUSES...: all that is said of NAME.json is one of these lists of causes, in the order of the alphabet;
# "nothing" is one.
expect_causes() {
  local there list
  there=${said[$1]-}
  for list in "${@:2}"; do
    [[ ${there:-nothing} != "$list" ]] || return 0
  done
  say "$1: it says \"$there\" where one of these was expected: ${*:2}"
  show_explanation "$1"
  return 1
}

expect_nothing() {
  expect_causes "$1" nothing || return 1
  [[ $(<"$BATS_TEST_TMPDIR/$1.code") == 0 ]] || {
    say "$1: exit code $(<"$BATS_TEST_TMPDIR/$1.code")"
    show_explanation "$1"
    return 1
  }
}
