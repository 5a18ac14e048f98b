#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash; every test is a subshell
#
# "tcpstorm audit": what a server keeps behind a connection that it closes: its other side, pipes, descriptors of any kind. Each
# server that leaks has a twin that only looks like it.

load ../storm
load ../audit

BACKEND=9000

# grew FIELD: of the row that grew the most.
grew() {
  jq -r ".stock.grew[0].$1" "$JSON"
}

# expect_growth KIND COUNT: exit code 1, nothing is held in front, and so many of that kind are held behind.
expect_growth() {
  expect_code 1
  [[ $(count_of held) == 0 && $(grew kind) == "$1" && $(grew growth) == goes_on && $(grew count) == "$2" ]] || {
    jq -c .stock "$JSON"
    show_output
    return 1
  }
  expect_in "$OUT" "Grew with the connections: holds $2 more"
}

expect_no_leak() {
  expect_code 0
  jq -e '[.stock.grew[] | select(.growth == "goes_on" or .growth == "undecided")] == [] and .leaks == false' "$JSON" >/dev/null || {
    jq -c .stock "$JSON"
    show_output
    return 1
  }
}

# A backend that is no child of the server: it answers each message, and closes at EOF.
start_backend() {
  within python3 -u -c '
import socket, threading
s = socket.create_server(("127.0.0.1", '"$BACKEND"'), backlog=1024)
def serve(c):
    while d := c.recv(4096):
        c.sendall(d)
        if d == b"bye": break
        if d == b"stay": threading.Event().wait()
    c.close()
while True: threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()' 3>&- &
  others+=("$!")
  wait_until 20 backend_listens
}

backend_listens() {
  [[ -n $(within ss -Htln "sport = :$BACKEND") ]]
}

# serve_proxy BODY: a server with a backend; b() connects to it.
serve_proxy() {
  serve_python 'kept = []
def b(what=b"x"):
    c = socket.create_connection(("127.0.0.1", '"$BACKEND"')); c.sendall(what); c.recv(9); return c
time.sleep(.1)
'"$1"
  start_backend
}

@test "a proxy that closes its client and keeps the backend leaks" {
  serve_proxy 'serve_each(lambda c: (kept.append(b()), drain(c), c.close()))'
  audit --conns 10 --grace 300ms
  expect_growth tcp_outgoing 30
  [[ $(grew peer):$(grew port) == 127.0.0.1:$BACKEND && $(grew states.ESTABLISHED) == 30 ]]
  expect_in "$OUT" "30 more connections to 127.0.0.1:$BACKEND than before (30 ESTABLISHED), of 30 connections; owner python3 pid $server_pid"
  [[ $(within ss -Htan state established "dport = :$BACKEND" | wc -l) == 30 ]]
  expect_in "$OUT" 'Bugs that look like this: second-socket-forgotten ("tcpstorm causes")'
}

@test "a proxy that closes both is none" {
  serve_proxy '
def handler(c):
    o = b(); drain(c); c.close(); time.sleep(.1); o.close()
serve_each(handler)'
  audit --conns 10 --grace 1s
  expect_no_leak
  expect_not_in "$OUT" "Bugs that look like this"
  jq -e '.stock.check_rounds == 0' "$JSON"
}

@test "a proxy that does not see its backend close leaks CLOSE_WAIT behind, or ghosts where it has shut down" {
  serve_proxy 'serve_each(lambda c: (kept.append(b(b"bye")), drain(c), c.close()))'
  audit --conns 10 --grace 300ms
  expect_growth tcp_outgoing 30
  [[ $(grew states.CLOSE_WAIT) == 30 ]]
  end_server
  serve_proxy '
def handler(c):
    o = b(); o.shutdown(socket.SHUT_WR); kept.append(o); drain(c); c.close()
serve_each(handler)'
  audit --conns 10 --grace 300ms
  expect_growth ghost 30
}

@test "a proxy that shuts its backend down and does not close leaks FIN_WAIT2 behind" {
  serve_proxy '
def handler(c):
    o = b(b"stay"); o.shutdown(socket.SHUT_WR); kept.append(o); drain(c); c.close()
serve_each(handler)'
  audit --conns 10 --grace 300ms
  expect_growth tcp_outgoing 30
  [[ $(grew states.FIN_WAIT2) == 30 ]]
}

@test "a pool of connections to a backend is no leak, be it as large as the first round" {
  local size
  for size in 8 1000; do
    serve_proxy '
def handler(c):
    o = kept.pop() if kept else b()
    drain(c); o.sendall(b"y"); o.recv(9)
    kept.append(o) if len(kept) < '"$size"' else o.close()
    c.close()
serve_each(handler)'
    audit --conns 30 --grace 300ms
    expect_no_leak
    audit --conns 10 --grace 300ms --repeat 3
    expect_no_leak
    jq -e '.stock.grew == [] or .stock.grew[0].growth == "stops"' "$JSON"
    end_server
  done
}

@test "descriptors of every kind that are kept for each connection leak" {
  serve_python '
import select
kept = []
def handler(c):
    kept.append((os.pipe(), select.epoll(), os.eventfd(0), open("/dev/null"), socket.socketpair(), socket.socket(),
                 socket.socket(socket.AF_INET, socket.SOCK_DGRAM)))
    drain(c); c.close()
serve_each(handler)'
  audit --conns 8 --grace 300ms
  expect_code 1
  expect_counts closed=8
  jq -e '[.stock.grew[] | select(.growth == "goes_on") | "\(.kind) \(.protocol // "") \(.count)"] | sort ==
    ["epoll  24", "eventfd  24", "file  24", "other_socket UDP 24", "other_socket UNIX-STREAM 48", "other_socket unused TCP 24", "pipe  24"]' \
    "$JSON" || { jq -c .stock "$JSON"; return 1; }
  expect_in "$OUT" "2 other kinds of descriptors grew too"
}

@test "what is opened once, or for each of few workers, is no leak" {
  serve_python '
import select
kept = []
def handler(c):
    if len(kept) < 12: kept.append((os.pipe(), select.epoll(), open("/dev/null"), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)))
    drain(c); c.close()
serve_each(handler)'
  audit --conns 12 --grace 300ms
  expect_no_leak
  jq -e '[.stock.grew[].growth] | unique == ["stops"]' "$JSON"
  expect_in "$OUT" "later connections added none: a pool or something that is opened once, not a leak"
}

@test "a leak on every third connection behind a correct front is found" {
  serve_proxy '
count = [0]
def handler(c):
    o = b(); drain(c); c.close(); count[0] += 1
    kept.append(o) if count[0] % 3 == 0 else o.close()
serve_each(handler)'
  audit --conns 30 --grace 300ms
  expect_code 1
  [[ $(grew kind):$(grew growth) == tcp_outgoing:goes_on ]]
}

@test "what cannot be told from a pool is no verdict" {
  serve_proxy '
count = [0]
def handler(c):
    o = b(); drain(c); c.close(); count[0] += 1
    kept.append(o) if count[0] <= 20 or count[0] % 3 == 0 else o.close()
serve_each(handler)'
  audit --conns 20 --grace 300ms
  expect_code 3
  expect_in "$ERR" "holds more than before, and it is not known whether that is a leak"
  expect_in "$OUT" "a pool, or a leak on some paths; more rounds tell (--repeat)"
  jq -e '.outcome == "no_verdict" and .leaks == null and .stock.check_rounds == 4 and .stock.grew[0].growth == "undecided"' "$JSON"
}

@test "a proxy that is slow to close its backend passes" {
  serve_proxy '
def handler(c):
    o = b(); drain(c); c.close(); time.sleep(1.4); o.close()
serve_each(handler)'
  audit --conns 8 --grace 500ms
  expect_code 0
  expect_in "$OUT" "those of the first connections are gone: slow, not a leak"
}

@test "MPTCP descriptors and ghosts of another port are no ghosts of ours" {
  serve_python '
kept = []
try: m = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262); m.bind(("127.0.0.1", 9001)); m.listen(9)
except OSError: m = None
def handler(c):
    if m and len(kept) < 2:
        kept.append(socket.create_connection(("127.0.0.1", 9001))); o = m.accept()[0]; kept.append(o)
        o.shutdown(2)
    drain(c); c.close()
serve_each(handler)'
  audit --conns 8 --grace 300ms
  expect_code 0
  jq -e '.server.ghosts == 0' "$JSON"
}

@test "a server that listens with MPTCP: one that closes, and one that keeps descriptors of connections that were reset" {
  local close
  for close in 'c.close()' 'kept.append(c)'; do
    serve_python '
s.close(); kept = []
try: s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
except OSError: print("none"); time.sleep(600)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", '"$PORT"')); s.listen(1024); print("MPTCP")
serve_each(lambda c: (drain(c), '"$close"'))'
    wait_until 10 grep -qE '^(none|MPTCP)' "$BATS_TEST_TMPDIR/server"
    grep -q '^MPTCP' "$BATS_TEST_TMPDIR/server" || skip "this kernel has no MPTCP"
    audit --conns 8 --grace 300ms --order abort
    end_server
    if [[ $close == c.close* ]]; then
      expect_code 0
    else
      expect_growth other_socket 24
      [[ $(grew protocol) == MPTCP ]]
    fi
  done
}

@test "ghosts that a grandchild keeps behind are found, with their owner" {
  serve_python '
import struct
if os.fork() == 0:
    if os.fork() == 0:
        b = socket.create_server(("127.0.0.1", 9001)); kept = []
        print("grandchild", os.getpid())
        def handler(c):
            o = socket.create_connection(("127.0.0.1", 9001)); kept.append(b.accept()[0])
            o.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)); o.close()
            drain(c); c.close()
        serve_each(handler)
    time.sleep(600)
time.sleep(600)'
  wait_until 10 grep -q '^grandchild' "$BATS_TEST_TMPDIR/server"
  audit --conns 8 --grace 300ms
  end_server
  expect_growth ghost 24
  [[ $(grew pid) == "$(awk '/^grandchild/ { print $2 }' "$BATS_TEST_TMPDIR/server")" ]]
}

@test "a look at the descriptors that fails is told, and is no verdict" {
  serve_python 'kept = []
serve_each(lambda c: (kept.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)), drain(c), c.close()))'
  local call error after
  while read -r call error after; do
    code=0
    FAIL_CALL=$call FAIL_ERRNO=$error FAIL_IN=audit FAIL_AFTER=$after LD_PRELOAD=$FAIL_CALL_SO within "$STORM" audit \
      "127.0.0.1:$PORT" --conns 4 --grace 200ms --quiet >"$OUT" 2>"$ERR" || code=$?
    [[ $code == 3 ]] || { say "$call $error after $after:"; show_output; return 1; }
    expect_one_sentence
  done <<'CALLS'
opendir EMFILE 0
opendir EMFILE 30
readlinkat ENOMEM 100
readlinkat ENOMEM 300
getxattr ENOMEM 0
getxattr ENOMEM 3
CALLS
}

# ---- processes that are no kin of who listens ----

# serve_through_sibling AFTER: who listens hands each connection to a sibling of its own, which reads to its end, closes it, and
# does that.
serve_through_sibling() {
  serve_python '
kept = []
a, b = socket.socketpair()
def serve(c): drain(c); c.close(); '"$1"'
def take_over():
    s.close(); a.close()
    while True:
        fds = socket.recv_fds(b, 1, 1)[1]
        threading.Thread(target=serve, args=(socket.socket(fileno=fds[0]),), daemon=True).start()
def hand_over():
    b.close()
    while True:
        c = s.accept()[0]; socket.send_fds(a, [b"x"], [c.fileno()]); c.close()
for work in take_over, hand_over:
    if os.fork() == 0: work()
s.close()
while True: time.sleep(600)'
}

@test "what a process leaks that connections are handed to is found, though it is no kin of who listens" {
  serve_through_sibling 'kept.append(os.pipe())'
  audit --conns 20 --grace 300ms
  end_server
  expect_code 1
  expect_counts closed=20
  expect_in "$OUT" "The server closes its connections, but leaks what it holds behind them."
}

@test "such a process that leaks nothing is clean" {
  serve_through_sibling 'pass'
  audit --conns 20 --grace 300ms
  end_server
  expect_code 0
  expect_counts closed=20
}

@test "where such a process may not be looked into, that is said, and after an RST there is no verdict" {
  unshare --user --map-user=65534 true 2>/dev/null || skip "no user namespace below this one"
  serve_python '
import subprocess
hand_over = """import socket, sys
s, a = (socket.socket(fileno=int(fd)) for fd in sys.argv[1:])
while True:
    c = s.accept()[0]; socket.send_fds(a, [b"x"], [c.fileno()]); c.close()"""
a, b = socket.socketpair()
s.set_inheritable(True); a.set_inheritable(True)
p = subprocess.Popen(["unshare", "--user", "--map-user=65534", sys.executable, "-u", "-c", hand_over, str(s.fileno()), str(a.fileno())],
    close_fds=False)
s.close(); a.close()
print("Listener", p.pid)
def serve(c): drain(c); c.close()
while True:
    fds = socket.recv_fds(b, 1, 1)[1]
    threading.Thread(target=serve, args=(socket.socket(fileno=fds[0]),), daemon=True).start()'
  wait_until 10 grep -q '^Listener .*' "$BATS_TEST_TMPDIR/server"
  local listener
  listener=$(sed -n 's/^Listener //p' "$BATS_TEST_TMPDIR/server")
  wait_until 10 runs "$listener" python3
  code=0
  within nsenter -t "$listener" -U --preserve-credentials "$STORM" audit "127.0.0.1:$PORT" --conns 10 --grace 1s \
    >"$OUT" 2>"$ERR" || code=$?
  expect_code 0
  expect_in "$OUT" "this user may not inspect: what they hold is not known"
  code=0
  within nsenter -t "$listener" -U --preserve-credentials "$STORM" audit "127.0.0.1:$PORT" --conns 10 --grace 300ms --order abort \
    >"$OUT" 2>"$ERR" || code=$?
  expect_code 3
}

# runs PID COMMAND: it is that program by now.
runs() {
  [[ $(cat "/proc/$1/comm") == "$2" ]]
}
