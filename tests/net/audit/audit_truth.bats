#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash; every test is a subshell
#
# "tcpstorm audit" accuses nobody and acquits nobody of what it has not seen: what it says where too little was seen,
# where it is interrupted, where this machine fails, and where something only looks like a connection.

load ../storm
load ../audit

# ---- what cannot be seen ----

# unseen COMMAND...: where the processes of the server cannot be seen: in a pid namespace of its own, as in a container.
unseen() {
  within unshare -p -f --kill-child --mount-proc "$@"
}

@test "a correct server whose processes cannot be seen is not accused, and what could not be seen is said" {
  serve_python 'serve_each(lambda c: (drain(c), c.close()))'
  unseen true || skip "this machine does not let a namespace have a /proc of its own"
  code=0
  unseen "$STORM" audit "127.0.0.1:$PORT" --conns 10 --grace 1s --repeat 2 >"$OUT" 2>"$ERR" || code=$?
  expect_code 0
  expect_in "$OUT" "closed by the server 20"
  expect_in "$OUT" "This user may not inspect the descriptors of its processes"
  # After an RST nothing else would tell.
  code=0
  unseen "$STORM" audit "127.0.0.1:$PORT" --conns 10 --grace 300ms --order abort --quiet >"$OUT" 2>"$ERR" || code=$?
  expect_code 3
  expect_one_sentence
  expect_in "$ERR" "run this as root, or as the server's user"
}

@test "a correct server of another user is not accused" {
  ((UID == 0)) && setpriv --reuid 65534 --regid 65534 --clear-groups true 2>/dev/null || skip "no other user to be here"
  serve_python 'serve_each(lambda c: (drain(c), c.close()))'
  local open_to_all
  open_to_all=$(mktemp -d)
  install -m 755 "$STORM" "$open_to_all/tcpstorm"
  chmod 755 "$open_to_all"
  code=0
  within setpriv --reuid 65534 --regid 65534 --clear-groups "$open_to_all/tcpstorm" audit "127.0.0.1:$PORT" \
    --conns 10 --grace 1s >"$OUT" 2>"$ERR" || code=$?
  rm -r "$open_to_all"
  expect_code 0
  expect_in "$OUT" "closed by the server 10"
}

@test "a worker that may be looked into does not speak for its parent and its siblings that may not" {
  unshare --user --map-user=65534 true 2>/dev/null || skip "no user namespace below this one"
  serve_python '
import subprocess
work = """import socket, sys
s = socket.socket(fileno=int(sys.argv[1]))
while True:
    c = s.accept()[0]
    try:
        while c.recv(100): pass
    except OSError: pass
    c.close()"""
s.set_inheritable(True)
for there in ["unshare", "--user", "--map-user=65534"], []:
    p = subprocess.Popen(there + [sys.executable, "-u", "-c", work, str(s.fileno())], close_fds=False)
    print("Worker", p.pid, flush=True)
while True: time.sleep(600)'
  wait_until 10 grep -q '^Worker .*' "$BATS_TEST_TMPDIR/server"
  local worker
  worker=$(sed -n 's/^Worker //p' "$BATS_TEST_TMPDIR/server" | head -n 1)
  # Until it is there, and holds what it is given.
  wait_until 10 runs_python "$worker"
  # From in there the first worker alone may be looked into.
  code=0
  within nsenter -t "$worker" -U --preserve-credentials "$STORM" audit "127.0.0.1:$PORT" --conns 10 --grace 1s --json "$JSON" \
    >"$OUT" 2>"$ERR" || code=$?
  expect_code 0
  expect_in "$OUT" "closed by the server 10"
  expect_in "$OUT" "2 processes, python3 pid $server_pid among them, may belong to the server, and this user may not inspect"
  [[ $(jq .server.unseen_processes "$JSON") == 2 ]]
  # After an RST nothing but descriptors would tell.
  code=0
  within nsenter -t "$worker" -U --preserve-credentials "$STORM" audit "127.0.0.1:$PORT" --conns 10 --grace 300ms \
    --order abort >"$OUT" 2>"$ERR" || code=$?
  expect_code 3
  expect_in "$OUT" "What a server does after an RST shows in its descriptors only. 2 processes, python3 pid $server_pid"
  # From outside all of them may.
  audit --conns 10 --grace 1s
  expect_code 0
  expect_not_in "$OUT" "may belong to the server"
}

runs_python() {
  [[ $(cat "/proc/$1/comm") == python3 && $(ls "/proc/$1/fd" | wc -l) -ge 4 ]]
}

@test "a leak of a server whose processes cannot be seen is still one, by its sockets" {
  serve ignore-eof
  unseen true || skip "this machine does not let a namespace have a /proc of its own"
  code=0
  unseen "$STORM" audit "127.0.0.1:$PORT" --conns 10 --grace 300ms >"$OUT" 2>"$ERR" || code=$?
  expect_code 1
  expect_in "$OUT" "Holds 10 of 10 connections 300ms after the client's FIN; everything is read (Recv-Q 0)"
  expect_in "$OUT" "the owner cannot be seen"
}

@test "a failed look at the kernel's tables is no verdict, and never from afar" {
  serve ignore-eof
  local after
  for after in 0 2 6 12 18; do
    code=0
    FAIL_CALL=recvmsg FAIL_ERRNO=EIO FAIL_IN=audit FAIL_AFTER=$after LD_PRELOAD=$FAIL_CALL_SO \
      within "$STORM" audit "127.0.0.1:$PORT" --conns 4 --grace 200ms >"$OUT" 2>"$ERR" || code=$?
    expect_not_in "$OUT" "from afar"
    # As netlink fails from the first on, /proc/net/tcp is read instead.
    ((code == 3 || code == 1)) || { say "$after calls, exit $code"; show_output; return 1; }
    ((code == 3)) || expect_in "$OUT" "owner tcpstorm pid $server_pid"
    ((code == 1)) || expect_in "$ERR" "Input/output error"
  done
}

# ---- too little ----

@test "of a server that ends while its descriptors are read nobody says that they may not be looked into" {
  local delay
  for delay in 0 .01 .02; do
    serve_python '
for i in range(10):
    c = s.accept()[0]; drain(c); c.close()
time.sleep('"$delay"')'
    audit --conns 10 --grace 1s
    ((code == 0)) || expect_in "$OUT" "The server ended during the audit: python3 pid $server_pid exited with status 0."
    expect_not_in "$OUT" "may not inspect"
    wait "$server_pid" || true
  done
}

@test "a server that the audit kills fails, and how it ended is said" {
  local order
  for order in half-close client-first abort; do
    serve_python '
import select
all = [s]
while True:
    for c in select.select(all, [], [])[0]:
        if c is s: all.append(s.accept()[0])
        elif not c.recv(4096): os._exit(7)'
    audit --conns 20 --order "$order" --grace 1s --repeat 2 --junit "$BATS_TEST_TMPDIR/junit.xml"
    expect_code 1
    expect_in "$OUT" "The server ended during the audit: python3 pid $server_pid"
    jq -e --argjson pid "$server_pid" '.outcome == "server_ended" and .leaks == null and .server.ended.pid == $pid' "$JSON"
    grep -q 'failures="1" errors="0"' "$BATS_TEST_TMPDIR/junit.xml"
    is_over "$server_pid"
    wait "$server_pid" || true
  done
}

@test "a server that is killed by a signal is told by its signal, where the kernel tells" {
  serve_python 'import signal
c = s.accept()[0]
while c.recv(4096): pass
os.kill(os.getpid(), signal.SIGSEGV)'
  audit --conns 5 --grace 1s
  expect_code 1
  holds_text "$OUT" "was killed by signal 11" || expect_in "$OUT" "is gone"
}

@test "a worker that crashes is told, though another takes its place" {
  # The parent waits for nobody, so that the kernel keeps the end of its child.
  serve_python '
import signal
def work():
    c = s.accept()[0]
    while c.recv(4096): pass
    os.kill(os.getpid(), signal.SIGSEGV)
def go_on():
    while True:
        c = s.accept()[0]; drain(c); c.close()
if os.fork() == 0: work()
time.sleep(1)
go_on()'
  wait_until 10 has_children "$server_pid"
  audit --conns 10 --grace 1s
  end_server
  expect_code 1
  expect_in "$OUT" "A process of the server crashed during the audit: python3 pid"
  expect_in "$OUT" "was killed by signal 11"
}

has_children() {
  pgrep -P "$1" >/dev/null
}

@test "a server that takes in 2 of 20 is no verdict, and --rate is named" {
  serve_python '
kept = [s.accept()[0], s.accept()[0]]
s.close()
for c in kept: drain(c); c.close()
time.sleep(600)'
  audit --conns 20 --rate 50 --grace 500ms --junit "$BATS_TEST_TMPDIR/junit.xml"
  expect_code 3
  expect_in "$ERR" "Too few for a verdict: 2 of 20 connections succeeded"
  expect_in "$ERR" "--rate"
  grep -q 'failures="0" errors="1"' "$BATS_TEST_TMPDIR/junit.xml"
  jq -e '.outcome == "no_verdict" and .leaks == null and .audited == 2' "$JSON"
}

@test "an order that was never played is no verdict; a reply and a close are one" {
  serve_python 'while True: s.accept()[0].close()'
  audit --conns 10 --grace 300ms
  expect_code 3
  expect_in "$ERR" "half-close was never played"
  end_server
  serve_python '
while True:
    c = s.accept()[0]
    c.recv(4096); c.sendall(b"HTTP/1.0 200 OK\r\n\r\nok"); c.close()'
  audit --conns 10 --grace 300ms --http /
  expect_code 0
  expect_counts closed=10
}

@test "the default pace does not overrun a backlog of 5" {
  serve_python 'serve_each(lambda c: (drain(c), c.close()))' 5
  audit --conns 100 --grace 2s --repeat 2
  expect_code 0
  expect_counts closed=200
  [[ $(kernel_count ListenOverflows) == 0 && $(kernel_count ListenDrops) == 0 ]]
}

# kernel_count NAME: of TcpExt, in the server's namespace.
kernel_count() {
  within cat /proc/net/netstat | awk -v name="$1" '
    $1 == "TcpExt:" && !known { for (i = 2; i <= NF; i++) if ($i == name) column = i; known = 1; next }
    $1 == "TcpExt:" { print $column }'
}

@test "a server that never accepts has its backlog filled and no more" {
  serve_python 'time.sleep(600)' 5
  audit --conns 20 --grace 300ms
  expect_code 1
  expect_counts never_accepted=5 no_owner=5 timed_out=15
  [[ $(kernel_count ListenOverflows) == 0 ]]
}

@test "a client that is connected to itself has found no server" {
  in_fresh_namespace net.ipv4.ip_local_port_range="$PORT $PORT"
  code=0
  "${launcher[@]}" "$STORM" audit "127.0.0.1:$PORT" --conns 1 --grace 300ms --quiet >"$OUT" 2>"$ERR" || code=$?
  expect_code 3
  expect_one_sentence
  expect_in "$ERR" "the kernel connected the client to itself"
}

# ---- interrupted ----

@test "an interrupted audit is no verdict in any output" {
  local signal left=0
  serve ignore-eof
  for signal in INT TERM HUP; do
    rm -f "$JSON" "$CSV"
    nsenter -t "$server_pid" -n "$STORM" audit "127.0.0.1:$PORT" --conns 5 --grace 1m --json "$JSON" --csv "$CSV" \
      --junit "$BATS_TEST_TMPDIR/junit.xml" >"$OUT" 2>"$ERR" 3>&- &
    local pid=$!
    others+=("$pid")
    left=$((left + 5)) # those of the audits before are orphans
    wait_until 20 has_fin_wait2 "$left"
    kill -"$signal" "$pid"
    wait_until 5 is_over "$pid"
    code=0
    wait "$pid" || code=$?
    expect_code 130
    expect_in "$OUT" "no verdict"
    expect_not_in "$OUT" "Holds"
    jq -e '.outcome == "interrupted" and .leaks == null and .classes.held == 0 and .classes.unknown == 5' "$JSON"
    grep -q 'failures="0" errors="1"' "$BATS_TEST_TMPDIR/junit.xml"
    [[ $(awk -F, '$3 == "unknown"' "$CSV" | wc -l) == 5 ]]
  done
}

has_fin_wait2() {
  [[ $(within ss -Htan state fin-wait-2 "dport = :$PORT" | wc -l) == "$1" ]]
}

# ---- this machine ----

@test "what fails here is not laid on the server" {
  local call error order
  serve_python 'serve_each(lambda c: (drain(c), c.close()))'
  while read -r call error order; do
    code=0
    FAIL_CALL=$call FAIL_ERRNO=$error FAIL_IN=audit LD_PRELOAD=$FAIL_CALL_SO within "$STORM" audit \
      "127.0.0.1:$PORT" --conns 4 --grace 300ms --order "$order" --json "$JSON" --quiet >"$OUT" 2>"$ERR" || code=$?
    expect_code 3
    expect_one_sentence
    jq -e '.outcome == "no_verdict" and .classes.failed == 4 and .classes.reset == 0' "$JSON" >/dev/null || {
      say "$call $error: $(<"$JSON")"
      return 1
    }
  done <<'CALLS'
shutdown ENOMEM half-close
shutdown ENOTCONN half-close
recv ENOMEM half-close
recv ECONNRESET half-close
setsockopt ENOMEM abort
getsockname ENOBUFS half-close
connect EADDRNOTAVAIL half-close
CALLS
}

@test "an event loop that fails is no verdict" {
  serve_python 'serve_each(lambda c: (drain(c), c.close()))'
  code=0
  FAIL_CALL=epoll_wait FAIL_ERRNO=EINVAL FAIL_AFTER=1 FAIL_IN=audit LD_PRELOAD=$FAIL_CALL_SO within "$STORM" audit \
    "127.0.0.1:$PORT" --conns 4 --grace 300ms --json "$JSON" >"$OUT" 2>"$ERR" || code=$?
  expect_code 3
  expect_in "$ERR" "the event loop cannot go on: Invalid argument"
  code=0
  FAIL_CALL=epoll_ctl FAIL_ERRNO=ENOSPC FAIL_AFTER=4 FAIL_IN=audit LD_PRELOAD=$FAIL_CALL_SO within "$STORM" audit \
    "127.0.0.1:$PORT" --conns 10 --grace 300ms --json "$JSON" >"$OUT" 2>"$ERR" || code=$?
  expect_code 3
  expect_not_in "$OUT" "accept queue"
}

@test "a summary that cannot be written is one sentence and exit 3" {
  serve_python 'serve_each(lambda c: (drain(c), c.close()))'
  code=0
  within "$STORM" audit "127.0.0.1:$PORT" --conns 2 --grace 300ms >/dev/full 2>"$ERR" || code=$?
  expect_code 3
  expect_one_sentence
}

@test "two results in one file are refused, and the file stays as it is" {
  in_fresh_namespace
  echo kept >"$CSV"
  ln -s "$CSV" "$BATS_TEST_TMPDIR/other"
  code=0
  "${launcher[@]}" "$STORM" audit "127.0.0.1:$PORT" --csv "$CSV" --junit "$BATS_TEST_TMPDIR/other" >"$OUT" 2>"$ERR" || code=$?
  expect_code 2
  expect_one_sentence
  [[ $(<"$CSV") == kept ]]
}

@test "a process name cannot forge fields of the CSV" {
  serve_python '
open("/proc/self/comm", "w").write("=1,\"x")
kept = []
while True: kept.append(s.accept()[0])'
  audit --conns 3 --grace 300ms
  expect_code 1
  [[ $(grep -cF ',"'\''=1,""x",1' "$CSV") == 3 ]]
}

# ---- over time ----

@test "a slow closer of idle clients is none that keeps them: TIME_WAIT is not held" {
  serve_python '
def handler(c):
    c.settimeout(1.5)
    drain(c); c.close()
serve_each(handler)'
  audit --conns 10 --order idle --grace 1s --repeat 3
  expect_code 0
  expect_in "$OUT" "A slow closer, not a leak"
  jq -e '.rounds[0] == {"held": 10, "held_to_the_end": 0}' "$JSON"
  (($(within ss -Htan state time-wait "sport = :$PORT" | wc -l) > 0))
}

@test "one late byte does not acquit a server that never closes" {
  serve_python '
kept = []
def handler(c):
    kept.append(c); c.recv(4096); time.sleep(2.3)
    c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"); c.recv(4096); time.sleep(600)
serve_each(handler)'
  audit --http / --conns 5 --grace 400ms
  expect_code 1
  audit --http / --conns 5 --grace 400ms --repeat 2
  expect_code 1
  expect_in "$OUT" "The server leaks."
}

# ---- descriptors ----

@test "a descriptor that is no TCP socket, or was never connected, is no connection" {
  serve_python '
helpers = []
def handler(c):
    if not helpers: helpers.extend([socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socket(socket.AF_UNIX), socket.socket()])
    drain(c); c.close()
serve_each(handler)'
  audit --conns 10 --grace 500ms --repeat 2
  expect_code 0
  expect_counts closed=20
  jq -e '.server.ghosts == 0' "$JSON"
}

@test "after an RST the accept queue tells who was never accepted" {
  serve_python 'time.sleep(600)' 128
  audit --order abort --conns 30 --grace 300ms
  expect_code 1
  expect_counts never_accepted=30 no_owner=30
  expect_in "$OUT" "they were never accepted"
}

@test "a stock of ghosts that does not grow is no leak" {
  serve_python '
kept = []
while True:
    kept.append(s.accept()[0])
    if len(kept) > 10: kept.pop(0).close()'
  audit --order abort --conns 10 --grace 300ms --repeat 3
  expect_code 0
  expect_counts closed=20 held=10 ghost=10
  expect_in "$OUT" "Their number does not grow from round to round: not a leak."
}

@test "the owner of ghosts is who holds them, a grandchild of the listener too" {
  serve_python '
if os.fork() == 0:
    if os.fork() == 0:
        kept = []
        print("grandchild", os.getpid())
        while len(kept) < 10: kept.append(s.accept()[0])
        s.close()
        time.sleep(600)
    s.close()
    time.sleep(600)
time.sleep(600)'
  wait_until 10 grep -q '^grandchild' "$BATS_TEST_TMPDIR/server"
  local holder
  holder=$(awk '/^grandchild/ { print $2 }' "$BATS_TEST_TMPDIR/server")
  audit --order abort --conns 10 --grace 300ms
  end_server
  expect_code 1
  expect_counts held=10 ghost=10
  expect_in "$OUT" "owner python3 pid $holder"
}

@test "the sockets of a child in another network namespace are in other tables, and no ghosts" {
  serve_python '
import subprocess
child = subprocess.Popen(["unshare", "-n", sys.executable, "-u", "-c", """
import os, socket, time
os.write(1, b"child\\n")
kept = []
while len(kept) < 1000: kept.append(socket.create_server(("0.0.0.0", 0))); time.sleep(.01)
time.sleep(600)"""])
more = [] # and the server has some of its own
serve_each(lambda c: (drain(c), c.close(), len(more) < 2 and more.append(socket.create_server(("127.0.0.1", 0)))))'
  wait_until 20 grep -q '^child' "$BATS_TEST_TMPDIR/server"
  audit --conns 10 --grace 1s
  end_server
  expect_code 0
  jq -e '.server.ghosts == 0' "$JSON"
}

# ---- at rest ----

@test "an audit that waits for the server sleeps" {
  serve ignore-eof
  nsenter -t "$server_pid" -n "$STORM" audit "127.0.0.1:$PORT" --conns 200 --grace 1m >"$OUT" 2>"$ERR" 3>&- &
  local pid=$! before after
  others+=("$pid")
  wait_until 20 has_fin_wait2 200
  before=$(wakeups "$pid")
  sleep 1 # a span of time to count in, not a guess
  after=$(wakeups "$pid")
  kill -INT "$pid"
  wait "$pid" || true
  ((after - before < 20)) || { say "$((after - before)) wakeups in a second"; return 1; }
}

wakeups() {
  awk '$1 == "voluntary_ctxt_switches:" { print $2 }' "/proc/$1/status"
}
