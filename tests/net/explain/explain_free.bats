#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash; every test is a subshell
#
# "tcpstorm explain --free": what it ends, what it leaves alone, and what it says of both. ss and /proc are the other witnesses.

load ../storm
load ../explain

# Three peers that have sent EOF and read nothing, and one that reads slowly: they must wait for 10 s, while other tests run.
BLOCKED='import socket, threading, time
s = socket.create_server(("127.0.0.1", 14000))
def handle(c):
    try:
        while True: c.send(b"x" * 65536)
    except OSError: pass
    c.close()
def read_slowly(c):
    while c.recv(100000): time.sleep(.2)
def serve():
    while True: threading.Thread(target=handle, args=(s.accept()[0],), daemon=True).start()'
BLOCKED_PEERS='import socket, sys, time
kept = [socket.create_connection(("127.0.0.1", 14000)) for i in range(4)]
for c in kept: c.shutdown(socket.SHUT_WR)
print("Connected", flush=True)
while kept[3].recv(100000): time.sleep(.2)'

setup_file() {
  command -v python3 >/dev/null || return 0
  python3 -c "$BLOCKED
serve()" 3>&- >/dev/null 2>&1 &
  export BLOCKED_PID=$!
  disown
  until [[ -n $(ss -Htln 'sport = :14000') ]]; do sleep .05; done
  python3 -c "$BLOCKED_PEERS" 3>&- >/dev/null 2>&1 &
  export BLOCKED_PEERS_PID=$!
  disown
}

teardown_file() {
  [[ -z ${BLOCKED_PID-} ]] || kill -KILL "$BLOCKED_PID" "$BLOCKED_PEERS_PID" 2>/dev/null || true
}

expect_code() {
  [[ $code == "$1" ]] || { say "exit code $code where $1 was expected"; cat "$OUT" "$ERR"; return 1; }
}

expect_in() {
  tr -s '\n ' ' ' <"$1" | grep -qF -- "$2" || { say "no \"$2\" in:"; cat "$1"; return 1; }
}

# expect_json FILTER: is true.
expect_json() {
  [[ $(jq "$1" "$JSON") == true ]] || { say "not so: $1"; jq -c .first_aid "$JSON"; cat "$OUT"; return 1; }
}

# ---- a proxy ----

# start_proxy NAME [AT_EOF [BEFORE [AT_END]]]: copies between clients and a backend that answers those who talk. AT_EOF is what it
# does where the client `c` has sent EOF, `o` is its other half: without it it does not tell the backend. AT_END is what it does
# where the backend has; `o` is the client.
start_proxy() {
  [[ -n ${server_ports[backend]-} ]] || start_python backend 'def f(c):
    while True:
        d = c.recv(4096)
        if not d: break
        if d[0:5] != b"hello": c.sendall(d) # those do not read
    c.close()
while True: threading.Thread(target=f, args=(s.accept()[0],), daemon=True).start()'
  start_python "$1" "listeners = []; ${3-}
import selectors, contextlib
sel = selectors.DefaultSelector()
for x in s, *listeners: sel.register(x, 1)
def end(*both):
    for x in both:
        with contextlib.suppress(KeyError): sel.unregister(x)
        x.close()
while True:
    for key, _ in sel.select():
        c = key.fileobj
        if c.fileno() < 0: continue
        if key.data is None:
            c = c.accept()[0]; o = socket.create_connection(('127.0.0.1', ${server_ports[backend]}))
            sel.register(c, 1, (o, False)); sel.register(o, 1, (c, True)); continue
        o, is_backend = key.data
        d = c.recv(4096)
        if d: o.sendall(d); continue
        if is_backend: ${4-end(c, o)}; continue
        sel.unregister(c); ${2:-pass}"
}

# Two clients that stay, of each port: what they send is echoed, and again after SIGUSR1.
LIVE='import signal, socket, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
kept = []
def talk(text):
    for c, words in kept: c.sendall(text + words); assert c.recv(4096) == text + words
for port in sys.argv[1:]:
    for words in b"one of those who stay", b"another one of those":
        kept.append((socket.create_connection(("127.0.0.1", int(port))), words))
talk(b"first: "); print("Live", flush=True)
signal.sigwait([signal.SIGUSR1])
talk(b"then: "); print("Served", flush=True)
signal.pause()'

start_live() { # PORT...
  python3 -c "$LIVE" "$@" >"$BATS_TEST_TMPDIR/live" 2>&1 3>&- &
  live_pid=$!
  others+=("$live_pid")
  wait_until 20 grep -q Live "$BATS_TEST_TMPDIR/live"
}

expect_live() {
  kill -USR1 "$live_pid"
  wait_until 10 grep -q Served "$BATS_TEST_TMPDIR/live" || { cat "$BATS_TEST_TMPDIR/live"; return 1; }
}

descriptors_of() {
  local all=("/proc/${server_pids[$1]}/fd/"*)
  say "${#all[@]}"
}

# Every connection of this namespace that a test may have made, but for those of the blocked server.
sockets() {
  ss -Htan state connected not \( sport = :14000 or dport = :14000 \) | sort
}

are_all_settled() {
  [[ -z $(ss -Htan state fin-wait-1 state fin-wait-2 state close-wait state closing state last-ack not \( sport = :14000 or dport = :14000 \)) ]]
}

# count_sockets STATE PORT: of those with that own port
count_sockets() {
  ss -Htan state "$1" "sport = :$2" | wc -l
}

# Nothing that --free was asked to do has touched a socket.
free_touches_nothing() { # NAME OPTION...
  local before descriptors
  before=$(sockets) descriptors=$(descriptors_of "$1")
  explain "$@"
  diff <(say "$before") <(sockets) || return 1
  [[ $(descriptors_of "$1") == "$descriptors" ]]
}

@test "a proxy that forgets to half-close: a dry run touches nothing, and then both halves are freed and those who are served stay" {
  local port descriptors
  start_proxy proxy
  await_servers
  port=${server_ports[proxy]}
  start_live "$port"
  visit late 20 "$port"
  rest_for_grace
  descriptors=$(descriptors_of proxy)
  free_touches_nothing proxy --free dry-run
  expect_code 1
  expect_in "$OUT" "First aid, a dry run: nothing is changed. shutdown(SHUT_WR) on 20 connections to 127.0.0.1:${server_ports[backend]} that pid ${server_pids[proxy]} keeps open"
  expect_in "$OUT" "this should free 40 descriptors."
  expect_in "$OUT" "To do it: \"tcpstorm explain ${server_pids[proxy]} --free now\""
  expect_json '.first_aid | .dry_run and .planned == 20 and .done == 0 and has("after") == false'

  explain proxy --free now
  expect_code 0
  expect_in "$OUT" "freed 40 of 40 descriptors."
  expect_json '.lingers and (.first_aid | .done == 20 and .freed == 40 and .ghosts == 0 and .lingers_after == false)'
  expect_json ".first_aid | .before.descriptors == $descriptors and .after.descriptors == $descriptors - 40 and .before.sockets.CLOSE_WAIT == 20"
  [[ $(descriptors_of proxy) == $((descriptors - 40)) ]]
  [[ $(count_sockets close-wait "$port") == 0 && $(count_sockets established "$port") == 2 ]]
  expect_live
  free_touches_nothing proxy --free now
  expect_code 0
}

@test "a proxy that passes EOF on: nothing lingers, and nothing is touched" {
  start_proxy proxy 'o.shutdown(socket.SHUT_WR)'
  await_servers
  start_live "${server_ports[proxy]}"
  visit late 20 "${server_ports[proxy]}"
  wait_until 10 are_all_settled
  free_touches_nothing proxy --free now
  expect_code 0
  expect_in "$OUT" "First aid: nothing lingers, so nothing is changed."
  expect_json '.first_aid.steps == [] and .first_aid.left_alone == []'
  expect_live
}

@test "what is not sure is left alone: a client that is served fits as well, a write would end the program, ports that were not asked about" {
  start_proxy doubtful
  start_proxy mortal '' 'signal.signal(signal.SIGPIPE, signal.SIG_DFL)'
  start_proxy ports '' 'listeners = [socket.create_server(("127.0.0.1", 14001))]'
  await_servers
  start_live "${server_ports[mortal]}"
  exec 8<>"/dev/tcp/127.0.0.1/${server_ports[doubtful]}" # at the same time as the others, and as long
  printf 'hello\n' >&8
  visit late 12 "${server_ports[doubtful]}" "${server_ports[mortal]}" "${server_ports[ports]}"
  rest_for_grace
  free_touches_nothing doubtful --free now
  expect_code 1
  expect_in "$OUT" "may just as well belong to clients that are still served"
  expect_json '[.first_aid.left_alone[].reason] == ["doubtful"] and .first_aid.steps == []'
  free_touches_nothing mortal --free now
  expect_code 1
  expect_in "$OUT" "SIGPIPE"
  expect_json '.first_aid.left_alone | .[0].reason == "sigpipe" and .[0].sockets == 12'
  exec 9<>/dev/tcp/127.0.0.1/14001
  code=0
  "$STORM" explain ":${server_ports[ports]}" --free dry-run --json "$JSON" >"$OUT" 2>"$ERR" || code=$?
  expect_code 1
  expect_in "$OUT" "name the process instead of the port"
  explain ports --free dry-run
  expect_code 1
  expect_json '.first_aid.planned == 12'
}

@test "a server that ignores EOF: nothing outside the program helps, and why is said" {
  start_cause ignore-eof
  await_servers
  visit late 10 "${server_ports[ignore-eof]}"
  rest_for_grace
  free_touches_nothing ignore-eof --free now
  expect_code 1
  expect_in "$OUT" "First aid: nothing outside the program helps, so nothing is changed. Left alone: 10 sockets."
  expect_in "$OUT" "It would free no descriptor: the sockets would leave all tables and become ghosts"
  expect_json '.first_aid | .steps == [] and (.left_alone | length == 1 and .[0].reason == "knows-eof" and .[0].rule == "ignore-eof" and .[0].sockets == 10)'
}

has_one_half_ended() {
  [[ $(ss -Htan state established "dport = :${server_ports[backend]}" | wc -l) == 9 &&
    -z $(ss -Htan state fin-wait-1 state fin-wait-2 "dport = :${server_ports[backend]}") ]]
}

@test "interrupted, it says what it has done: a proxy that closes nothing keeps its first half, and the others are not touched" {
  start_proxy stubborn '' '' 'sel.unregister(c)'
  await_servers
  visit late 10 "${server_ports[stubborn]}"
  rest_for_grace
  "$STORM" explain "${server_pids[stubborn]}" --free now --json "$JSON" >"$OUT" 2>"$ERR" 3>&- &
  storm_pid=$!
  wait_until 10 has_one_half_ended
  kill -INT "$storm_pid"
  code=0
  wait "$storm_pid" || code=$?
  expect_code 130
  expect_in "$OUT" "freed 0 of 2 descriptors, 1 ghost now."
  expect_in "$OUT" "Interrupted: 9 were not touched."
  expect_json '.first_aid | .interrupted and .done == 1 and .planned == 9 and .freed == 0 and .ghosts == 1 and .after.ghosts == 1'
  has_one_half_ended
}

@test "a proxy that ends by it has freed nothing: exit code 3" {
  start_proxy mortal '' '' 'os._exit(3)'
  await_servers
  visit late 5 "${server_ports[mortal]}"
  rest_for_grace
  explain mortal --free now
  expect_code 3
  expect_in "$ERR" "--free now: process ${server_pids[mortal]}: it has ended"
  expect_in "$OUT" "Process ${server_pids[mortal]} has ended meanwhile."
  expect_json '.first_aid | .done == 0 and .freed == 0 and ([.steps[].outcome] | unique == ["failed"])'
}

@test "a process that may not be looked into is left alone, with exit code 3" {
  command -v setpriv >/dev/null || skip "no setpriv to give rights away with"
  start_python guarded 'import ctypes
ctypes.CDLL(None).prctl(4, 0, 0, 0, 0) # PR_SET_DUMPABLE: its files belong to root of the machine
while True: kept.append(s.accept()[0])'
  await_servers
  visit late 10 "${server_ports[guarded]}"
  rest_for_grace
  local before
  before=$(sockets)
  code=0
  setpriv --bounding-set=-all --inh-caps=-all "$STORM" explain "${server_pids[guarded]}" --free now >"$OUT" 2>"$ERR" || code=$?
  expect_code 3
  expect_in "$ERR" "may not inspect process ${server_pids[guarded]}"
  diff <(say "$before") <(sockets)
}

blocked_are_three() {
  explain blocked --free dry-run --for 1s
  [[ $(jq '.first_aid.planned' "$JSON") == 3 ]]
}

blocked_sockets() {
  ss -Htan '( sport = :14000 or dport = :14000 )' | awk '{ print $1, $4, $5 }' | sort
}

@test "handlers that are blocked in send() are let go, and one whose peer reads slowly is not" {
  command -v python3 >/dev/null || skip "no python3 to make a server with"
  local before descriptors
  server_pids[blocked]=$BLOCKED_PID
  before=$(blocked_sockets) descriptors=$(descriptors_of blocked)
  wait_until 20 blocked_are_three || { cat "$OUT"; return 1; }
  expect_code 1
  diff <(say "$before") <(blocked_sockets)
  [[ $(descriptors_of blocked) == "$descriptors" ]]
  expect_in "$OUT" "shutdown(SHUT_RDWR) on 3 connections of pid $BLOCKED_PID whose peer reads nothing"
  expect_json '.first_aid.left_alone | .[0].reason == "slow" and .[0].sockets == 1'
  explain blocked --free now --for 1s
  expect_in "$OUT" "freed 3 of 3 descriptors."
  expect_json ".first_aid | .done == 3 and .freed == 3 and .after.descriptors == $descriptors - 3"
  [[ $(descriptors_of blocked) == $((descriptors - 3)) ]]
  [[ $(count_sockets close-wait 14000) == 1 ]] # that of the slow one
  kill -0 "$BLOCKED_PID"
}
