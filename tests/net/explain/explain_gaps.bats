#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash; every test is a subshell
#
# What does not stand in CLOSE_WAIT, or is held by nobody that can be seen: each failing program beside its clean twin.

load ../storm
load ../explain

expect_in() {
  tr -s '\n ' ' ' <"$1" | grep -qF -- "$2" || { say "no \"$2\" in:"; cat "$1"; return 1; }
}

# stay COUNT PORT...: so many clients of each server, which have sent something, and never close.
stay() {
  python3 -c 'import socket, sys, time
kept = []
for port in sys.argv[2:]:
    for i in range(int(sys.argv[1])):
        kept.append(socket.create_connection(("127.0.0.1", int(port))))
        kept[-1].sendall(b"hello\n")
print("staying", flush=True); time.sleep(120)' "$@" >"$BATS_TEST_TMPDIR/stay" 3>&- &
  others+=("$!")
  wait_until 10 grep -q staying "$BATS_TEST_TMPDIR/stay"
}

# finds NAME RULE: explain has found it.
finds() {
  explain "$1"
  [[ $(jq -r '[.findings[].rule] | unique | join(",")' "$JSON") == "$2" ]]
}

@test "half-closed and forgotten; a lingering close is not" {
  start_python forgotten 'while True:
    c = s.accept()[0]; kept.append(c)
    c.recv(100); c.sendall(b"ok\n"); c.shutdown(socket.SHUT_WR)'
  start_python lingering 'def f(c):
    c.recv(100); c.sendall(b"ok\n"); c.shutdown(socket.SHUT_WR); c.settimeout(50)
    try: c.recv(100)
    except OSError: pass
    c.close()
while True: threading.Thread(target=f, args=(s.accept()[0],), daemon=True).start()'
  start_python closing 'while True:
    c = s.accept()[0]
    c.recv(100); c.sendall(b"ok\n"); c.close()'
  await_servers
  stay 6 "${server_ports[@]}"
  explain forgotten # too early
  [[ $code == 0 ]]
  wait_until 10 finds forgotten half-closed-forgotten
  [[ $code == 1 ]]
  expect_in "$OUT" '6 FIN_WAIT2, half-closed by the program, no data has moved for'
  expect_in "$OUT" 'tcp_fin_timeout runs only after close(). [likely]'
  explain lingering
  [[ $code == 0 ]]
  expect_in "$OUT" '6 that it has half-closed'
  explain closing
  [[ $code == 0 && $(jq .half_closed "$JSON") == 0 ]]
}

# closes_under NAME HOW: three threads are in recv() when the first one does HOW to their sockets, at SIGUSR1, and closes them.
closes_under() {
  start_python "$1" "go = threading.Event(); signal.signal(signal.SIGUSR1, lambda *a: go.set())
def f(c):
    try:
        while c.recv(100): pass
    except OSError: pass
for i in range(3):
    kept.append(s.accept()[0])
    threading.Thread(target=f, args=(kept[-1],), daemon=True).start()
go.wait()
for c in kept:
    $2
    os.close(c.fileno())
print('closed', flush=True)
while True: s.accept()"
}

@test "closed by one thread while others were in recv(): no FIN is sent, and that is told; shutdown() before it helps" {
  closes_under under 'pass'
  closes_under first 'c.shutdown(socket.SHUT_RDWR)'
  await_servers
  stay 3 "${server_ports[@]}"
  rest_for_grace
  kill -USR1 "${server_pids[@]}"
  wait_until 5 grep -q closed "$BATS_TEST_TMPDIR/under.server"
  wait_until 5 grep -q closed "$BATS_TEST_TMPDIR/first.server"
  explain_all
  [[ ${said[under]} == closed-in-call && $(<"$BATS_TEST_TMPDIR/under.code") == 1 ]]
  expect_in "$BATS_TEST_TMPDIR/under.text" '3 ESTABLISHED, closed by the program'
  expect_in "$BATS_TEST_TMPDIR/under.text" 'in recvfrom(fd '
  [[ $(jq -r '.findings[0].holder' "$BATS_TEST_TMPDIR/under.json") == call ]]
  expect_nothing first
}

@test "a listener that nobody is seen to have, closed while a thread is in accept(): exit code 3, and not that nothing lingers" {
  start_python orphan "threading.Thread(target=s.accept, daemon=True).start()
time.sleep(.5) # it is in accept() then
os.close(s.fileno()); b.close(); print('closed', flush=True); time.sleep(60)"
  wait_until 10 grep -qs closed "$BATS_TEST_TMPDIR/orphan.server"
  wait_until 10 finds_nobody
  expect_in "$ERR" 'while one of its threads is in accept()'
  [[ ! -s $OUT ]]
}

# By its port, when the thread is in accept() at last.
finds_nobody() {
  code=0
  "$STORM" explain ":${server_ports[orphan]}" >"$OUT" 2>"$ERR" || code=$?
  ((code == 3))
}

# What a forked process begins with: it ends when its parent does (PR_SET_PDEATHSIG).
MORTAL='import ctypes; ctypes.CDLL(None).prctl(1, 9)'

# start_reuseport NAME STUCK: two workers with a listener each on one port, of which the first does STUCK after its first accept().
start_reuseport() {
  start_python "$1" "port = s.getsockname()[1]; s.close()
def work(is_first):
    $MORTAL
    l = socket.create_server(('127.0.0.1', port), backlog=512, reuse_port=True)
    o = socket.create_connection(backend)
    while True:
        c = l.accept()[0]
        if is_first: $2
        while c.recv(100): pass
        c.close()
for i in range(2):
    if os.fork() == 0: work(i == 0)
while True: signal.pause()"
}

has_two_listeners() {
  [[ $(ss -Hltn "sport = :$1" | wc -l) == 2 ]]
}

@test "two workers with a listener each, one of them stuck: its queue is its own, and the other is not accused" {
  start_reuseport stuck 'o.recv(1)'
  start_reuseport turning 'pass'
  wait_until 10 has_two_listeners "${server_ports[stuck]}"
  wait_until 10 has_two_listeners "${server_ports[turning]}"
  visit late 20 "${server_ports[stuck]}" "${server_ports[turning]}"
  rest_for_grace
  server_pids[stuck]=:${server_ports[stuck]} server_pids[turning]=:${server_ports[turning]}
  explain stuck
  [[ $code == 1 ]]
  [[ $(jq -r '[.findings[] | select(.holder == "queue") | .rule] | unique | join(",")' "$JSON") == loop-stuck ]] || {
    cat "$OUT"
    return 1
  }
  pid=$(jq '.findings[] | select(.holder == "queue") | .thread.pid' "$JSON")
  expect_in "$OUT" "thread $pid of process $pid has been in recvfrom(fd"
  explain turning
  [[ $code == 0 ]]
}

# start_forking NAME PARENT CHILD: a child for each connection; the parent does PARENT with its copy, and the child CHILD.
start_forking() {
  start_python "$1" "signal.signal(signal.SIGCHLD, signal.SIG_IGN)
o = socket.create_connection(backend)
while True:
    c = s.accept()[0]
    if os.fork() == 0:
        $MORTAL
        $3
        os._exit(0)
    $2"
}

@test "several hold the same connections, and one of them is stuck: it is named, and not the one that rests" {
  start_forking stuck 'kept.append(c)' 'o.recv(1)'
  start_forking ends 'c.close()' 'while c.recv(100): pass'
  await_servers
  visit late 3 "${server_ports[@]}"
  rest_for_grace
  server_pids[stuck]=:${server_ports[stuck]} server_pids[ends]=:${server_ports[ends]}
  explain stuck
  [[ $code == 1 && $(jq -r '[.findings[].rule] | unique | join(",")' "$JSON") == loop-stuck ]] || {
    cat "$OUT"
    return 1
  }
  [[ $(jq -r '.findings[0] | .certainty, .thread.call' "$JSON" | xargs) == 'likely recvfrom' ]]
  explain ends
  [[ $code == 0 ]]
}

# start_mptcp NAME BODY: a server that listens for MPTCP plays BODY with each connection c.
start_mptcp() {
  start_python "$1" "m = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
m.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.close(); m.bind(('127.0.0.1', $next_port)); m.listen(512); print('MPTCP', flush=True)
while True:
    c = m.accept()[0]; kept.append(c)
    while c.recv(100): pass
    $2"
}

@test "MPTCP: its connection has ended while TCP below goes on: that is told, and no more; plain TCP is explained" {
  [[ $(sysctl -n net.mptcp.enabled 2>/dev/null) == 1 ]] || skip "no MPTCP here"
  start_mptcp kept 'pass'
  start_mptcp closed 'kept.pop().close()'
  start_mptcp plain 'pass'
  for name in kept closed plain; do
    wait_until 10 grep -qs MPTCP "$BATS_TEST_TMPDIR/$name.server"
  done
  python3 -c 'import socket, sys, time
kept = []
for port in sys.argv[1:]:
    for i in range(4):
        kept.append(socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)); kept[-1].connect(("127.0.0.1", int(port)))
        kept[-1].sendall(b"hello\n"); kept[-1].shutdown(socket.SHUT_WR)
print("ended", flush=True); time.sleep(60)' "${server_ports[kept]}" "${server_ports[closed]}" >"$BATS_TEST_TMPDIR/ended" 3>&- &
  others+=("$!")
  wait_until 10 grep -q ended "$BATS_TEST_TMPDIR/ended"
  visit late 4 "${server_ports[plain]}"
  rest_for_grace
  explain_all
  [[ ${said[kept]} == mptcp ]]
  expect_in "$BATS_TEST_TMPDIR/kept.text" '4 CLOSE_WAIT, MPTCP, FIN at ' # "least", or "some time between"
  expect_in "$BATS_TEST_TMPDIR/kept.text" '[not known]'
  expect_nothing closed
  expect_causes plain ignore-eof
}

# A group of cgroup2 with the name of a service, in a folder of ours; $outside is where we are now.
make_service() {
  local at group
  for at in /sys/fs/cgroup /sys/fs/cgroup/unified; do
    group=$at/tcpstorm-test-$BASHPID
    if [[ -w $at/cgroup.procs ]] && mkdir "$group" 2>/dev/null; then
      mkdir "$group/$1"
      service=$group/$1 outside=$at$(sed -n 's/^0:://p' /proc/self/cgroup)
      return
    fi
  done
  skip "this user may make no control group here"
}

enter() { # FOLDER
  echo "$BASHPID" >"$1/cgroup.procs"
}

@test "the service that a process runs in, and the one that its sockets were made in" {
  make_service web.service
  local body='while True:
    c = s.accept()[0]; kept.append(c)
    while c.recv(100): pass'
  start_python plain "$body"
  enter "$service"
  start_python inside "$body"
  start_python moved "$body"
  enter "$outside"
  await_servers
  echo "${server_pids[moved]}" >"$outside/cgroup.procs"
  visit late 3 "${server_ports[@]}"
  rest_for_grace
  explain_all
  kill -KILL "${server_pids[inside]}"
  wait_until 5 rmdir "$service" "${service%/*}"
  expect_in "$BATS_TEST_TMPDIR/inside.text" "python3 ${server_pids[inside]} (web.service) listens on"
  expect_in "$BATS_TEST_TMPDIR/moved.text" ', made in web.service; nobody waits'
  names() {
    jq -r '[.processes[0].service, .findings[0].made_in] | map(. // "none") | join(" ")' "$BATS_TEST_TMPDIR/$1.json"
  }
  [[ $(names inside) == 'web.service none' && $(names moved) == 'none web.service' && $(names plain) == 'none none' ]]
}
