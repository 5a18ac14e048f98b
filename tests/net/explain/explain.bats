#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash; every test is a subshell
#
# "tcpstorm explain": whom it takes, exit codes, outputs, and what it does to whom it looks at.

load ../storm
load ../explain

expect_code() {
  [[ $code == "$1" ]] || { say "exit code $code where $1 was expected"; cat "$OUT" "$ERR"; return 1; }
}

expect_in() {
  tr -s '\n ' ' ' <"$1" | grep -qF -- "$2" || { say "no \"$2\" in:"; cat "$1"; return 1; }
}

# A clean server of python's, with clients that stay: an open connection is no leak.
CLEAN='def f(c):
    while c.recv(4096): pass
    c.close()
while True: threading.Thread(target=f, args=(s.accept()[0],), daemon=True).start()'

@test "nothing lingers: exit code 0, and the open connections are counted" {
  start_python clean "$CLEAN"
  await_servers
  exec 8<>"/dev/tcp/127.0.0.1/${server_ports[clean]}"
  visit late 5 "${server_ports[clean]}"
  explain clean
  expect_code 0
  expect_in "$OUT" "Nothing lingers: 1 open connection."
  [[ $(jq '.lingers' "$JSON") == false ]]
}

@test "something lingers: exit code 1, told by the process and by its port alike" {
  start_cause ignore-eof
  await_servers
  visit late 10 "${server_ports[ignore-eof]}"
  rest_for_grace
  explain ignore-eof
  expect_code 1
  expect_in "$OUT" "10 CLOSE_WAIT, all read"
  expect_in "$OUT" "tcpstorm audit 127.0.0.1:${server_ports[ignore-eof]}"
  code=0
  "$STORM" explain ":${server_ports[ignore-eof]}" --json - >"$JSON" 2>"$ERR" || code=$?
  expect_code 1
  [[ $(jq -r '[.findings[] | .sockets, .rule, .state, .read, .holder] | join(" ")' "$JSON") == '10 ignore-eof CLOSE_WAIT all process' ]]
  [[ $(jq '.processes | length' "$JSON") == 1 && $(wc -l <"$JSON") == 1 ]]
}

@test "what has just closed is not accused" {
  start_cause ignore-eof
  await_servers
  visit now 10 "${server_ports[ignore-eof]}"
  explain ignore-eof
  expect_code 0
  [[ $(jq '.young' "$JSON") == 10 ]]
  expect_in "$OUT" "10 closed by their peer less than 1s ago"
}

@test "who is not there: exit code 3, and one sentence" {
  for target in 4194304 :15999; do
    code=0
    "$STORM" explain "$target" >"$OUT" 2>"$ERR" || code=$?
    expect_code 3
    [[ $(wc -l <"$ERR") == 1 && ! -s $OUT ]]
    expect_in "$ERR" "explain \"$target\""
  done
}

@test "a process in another network namespace is looked at from there; how to, where it may not be entered" {
  start_cause ignore-eof
  await_servers
  visit late 10 "${server_ports[ignore-eof]}"
  rest_for_grace
  code=0
  unshare -n "$STORM" explain "${server_pids[ignore-eof]}" >"$OUT" 2>"$ERR" || code=$?
  expect_code 1
  expect_in "$OUT" "10 CLOSE_WAIT"
  command -v setpriv >/dev/null || skip "no setpriv to give rights away with"
  setpriv --bounding-set=-all --inh-caps=-all python3 -c 'import time; print("Listening", flush=True); time.sleep(60)' 3>&- >/dev/null &
  others+=("$!")
  server_pids[ignore-eof]=$!
  wait_until 5 grep -q python3 "/proc/$!/comm"
  code=0
  unshare -n setpriv --bounding-set=-all --inh-caps=-all "$STORM" explain "${server_pids[ignore-eof]}" >"$OUT" 2>"$ERR" || code=$?
  expect_code 3
  expect_in "$ERR" "nsenter -t ${server_pids[ignore-eof]} -n tcpstorm explain ${server_pids[ignore-eof]}"
}

@test "a process that may not be looked into: what can be told is, with exit code 3" {
  command -v setpriv >/dev/null || skip "no setpriv to give rights away with"
  start_python guarded 'import ctypes
ctypes.CDLL(None).prctl(4, 0, 0, 0, 0) # PR_SET_DUMPABLE: its files belong to root of the machine
while True: kept.append(s.accept()[0])'
  await_servers
  visit late 10 "${server_ports[guarded]}"
  rest_for_grace
  code=0
  setpriv --bounding-set=-all --inh-caps=-all "$STORM" explain "${server_pids[guarded]}" >"$OUT" 2>"$ERR" || code=$?
  expect_code 3
  expect_in "$ERR" "may not inspect process ${server_pids[guarded]}"
}

@test "what is written to a closed pipe or a full disk is told" {
  start_cause ignore-eof
  await_servers
  code=0
  "$STORM" explain "${server_pids[ignore-eof]}" --json /dev/full >"$OUT" 2>"$ERR" || code=$?
  expect_code 3
  expect_in "$ERR" "/dev/full"
}

@test "without the right to attach the diagnosis is the same, but for masks of poll() and threads' descriptors" {
  local name
  start_causes
  visit late 60 "${server_ports[@]}"
  rest_for_grace
  explain_all --no-attach
  expect_causes ignore-eof ignore-eof
  expect_causes paused-read lost-reference,paused-read
  expect_causes lost-reference lost-reference,paused-read
  expect_causes bounded-pool bounded-pool
  expect_causes never-accept never-accept
  expect_causes fork-inherit fork-inherit
  expect_causes no-half-close no-half-close
  for name in "${SERVER_CAUSES[@]}"; do
    expect_nothing "$name--fixed"
  done
}

@test "--peek shows what nobody has read, and the program reads it all the same" {
  start_python reader 'signal.signal(signal.SIGUSR1, lambda *a: print("read", kept[0].recv(100), flush=True))
while True: kept.append(s.accept()[0])'
  await_servers
  visit late 5 "${server_ports[reader]}"
  rest_for_grace
  explain reader --peek
  expect_code 1
  expect_in "$OUT" 'The first unread bytes of one: "hello\n".'
  [[ $(jq -r '.findings[0].unread_bytes' "$JSON") == 'hello\n' ]]
  kill -USR1 "${server_pids[reader]}"
  wait_until 5 grep -qF "read b'hello" "$BATS_TEST_TMPDIR/reader.server"
}

@test "a client's pool: dead-pool-entry, and its fix" {
  local how
  for how in '' --fixed; do
    # shellcheck disable=SC2086 # a word or none
    "$STORM" --cause dead-pool-entry $how --rate 40 --duration 60s --quiet >"$OUT" 2>"$ERR" 3>&- &
    storm_pid=$!
    others+=("$storm_pid")
    wait_until 10 has_role 'worker client'
    server_pids[pool$how]=$(role_pid 'worker client')
    rest_for_grace
    rest_for_grace
    explain "pool$how"
    if [[ -z $how ]]; then
      expect_code 1
      [[ $(causes_in "$JSON") == dead-pool-entry ]]
      expect_in "$OUT" "CLOSE_WAIT, outgoing"
    else
      expect_code 0
    fi
    kill -INT "$storm_pid"
    wait_until 10 is_over "$storm_pid"
  done
}

@test "what the leaked share and the healthy have not" {
  start_python partly 'def f(c):
    d = c.recv(4096)
    if not d: kept.append(c); return
    c.send(b"ok\n")
    while c.recv(4096): pass
    c.close()
while True: threading.Thread(target=f, args=(s.accept()[0],), daemon=True).start()'
  await_servers
  visit silent 20 "${server_ports[partly]}"
  python3 -c 'import socket, sys, time
c = [socket.create_connection(("127.0.0.1", int(sys.argv[1]))) for i in range(12)]
for x in c: x.sendall(b"hello\n"); x.recv(10)
print("answered", flush=True); time.sleep(60)' "${server_ports[partly]}" >"$BATS_TEST_TMPDIR/clients" 3>&- &
  others+=("$!")
  wait_until 10 grep -q answered "$BATS_TEST_TMPDIR/clients"
  rest_for_grace
  explain partly
  expect_code 1
  expect_in "$OUT" "In common: never sent a byte: 20 of 20 lingering, 0 of 12 healthy."
}

is_slow_closer() {
  [[ $(jq '.window | .interrupted == false and .closing_ms.p90 >= 500' "$JSON") == true ]]
}

@test "a window tells how fast connections are closed" {
  start_python slow 'def f(c):
    while c.recv(4096): pass
    time.sleep(.6)
    c.close()
while True: threading.Thread(target=f, args=(s.accept()[0],), daemon=True).start()'
  await_servers
  start_visits 20 "${server_ports[slow]}"
  explain slow --for 3s
  is_slow_closer || explain slow --for 10s # a busy machine looks seldom
  expect_code 0
  expect_in "$OUT" "Watched for "
  is_slow_closer || {
    jq -c .window "$JSON"
    return 1
  }
}

# Each answered probe resets the clock that tells when the FIN came: one look cannot know more than that it is young.
@test "under keep-alive of a second a window tells what one look cannot" {
  start_python probed 'while True:
    c = s.accept()[0]
    c.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option in socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL: c.setsockopt(socket.IPPROTO_TCP, option, 1)
    kept.append(c)
    while c.recv(4096): pass'
  await_servers
  visit now 10 "${server_ports[probed]}"
  rest_for_grace
  rest_for_grace
  explain probed --for 3s
  expect_code 1
  [[ $(jq -r '.findings[0] | "\(.state) \(.fin_ms.least >= 2000) \(.fin_is_exact)"' "$JSON") == 'CLOSE_WAIT true false' ]] || {
    jq -c . "$JSON"
    return 1
  }
}

@test "interrupted, a window tells what it has seen" {
  start_python clean "$CLEAN"
  await_servers
  "$STORM" explain "${server_pids[clean]}" --for 60s >"$OUT" 2>"$ERR" 3>&- &
  storm_pid=$!
  rest_for_grace
  kill -INT "$storm_pid"
  code=0
  wait "$storm_pid" || code=$?
  expect_code 130
  [[ ! -s $ERR ]]
}

@test "a steady leak: its rate holds the truth, and when the descriptors are used up" {
  start_cause ignore-eof
  await_servers
  visit_for 4 20 "${server_ports[ignore-eof]}"
  explain ignore-eof
  expect_code 1
  expect_in "$OUT" "EMFILE in"
  [[ $(jq '.growth | .kind == "steady" and .low_per_s < 20 and .high_per_s > 20' "$JSON") == true ]] || {
    jq -c .growth "$JSON"
    return 1
  }
}
