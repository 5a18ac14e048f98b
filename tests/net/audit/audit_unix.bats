#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154 # $ is for the servers; variables are shared with storm.bash and audit.bash
#
# "tcpstorm audit unix:/path": each kind with a server that fails and a clean twin.

load ../storm
load ../audit

# serve_unix HANDLER [BACKLOG]: a server of Unix sockets at $PLACE, in a namespace of its own; the handler is handle(c).
serve_unix() {
  command -v python3 >/dev/null || skip "no python3 to make a server with"
  in_fresh_namespace
  PLACE=${PLACE-$BATS_TEST_TMPDIR/socket}
  rm -f "$BATS_TEST_TMPDIR/server" "$PLACE"
  "${launcher[@]}" python3 -u -c 'import os, socket, sys, threading, time
s = socket.socket(socket.AF_UNIX); place = sys.argv[1]
s.bind("\0" + place[1:] if place[0] == "@" else place); s.listen('"${2-1024}"')
kept = []
def drain(c):
    while c.recv(4096): pass
'"$1"'
print("Listening")
while True: threading.Thread(target=handle, args=(s.accept()[0],), daemon=True).start()
' "$PLACE" >"$BATS_TEST_TMPDIR/server" 2>&1 3>&- &
  server_pid=$!
  others+=("$server_pid")
  wait_until 30 grep -qs '^Listening' "$BATS_TEST_TMPDIR/server"
}

# audit_unix [OPTION...]: $conns connections, with $grace.
audit_unix() {
  audit_of "unix:$PLACE" --conns "${conns-20}" --grace "${grace-500ms}" "$@"
}

# Nothing is said in words of TCP.
expect_no_tcp() {
  local words='FIN|RST|CLOSE_WAIT|ESTABLISHED|TIME_WAIT|Recv-Q'
  if grep -E "$words" "$OUT" "$ERR" || tail -n +2 "$CSV" | grep -E "$words"; then return 1; fi
}

# unix_sockets: of the server, the one that listens left out.
unix_sockets() {
  local count
  count=$(within ls -l "/proc/$server_pid/fd" | grep -c 'socket:')
  echo $((count - 1))
}

KEEPS='def handle(c): drain(c); kept.append(c)'
CLOSES='def handle(c): drain(c); c.close()'

@test "unix, half-close and client-first: a server that closes, and one that does not" {
  local order
  serve_unix "$CLOSES"
  for order in half-close client-first; do
    grace=3s audit_unix --order "$order"
    expect_code 0
    expect_counts closed=20
    jq -e '.close_s.max < 2' "$JSON"
  done
  end_server
  serve_unix "$KEEPS"
  for order in half-close client-first; do
    audit_unix --order "$order"
    expect_leak eof_read 20
    expect_in "$OUT" "owner python3 pid $server_pid"
    expect_in "$OUT" "the client's end of file"
    expect_no_tcp
  done
  [[ $(unix_sockets) == 40 ]]
}

@test "unix: a server that does not read what came is told from one that read it" {
  a_line
  serve_unix 'def handle(c): kept.append(c)'
  audit_unix --send "$BATS_TEST_TMPDIR/line"
  expect_leak eof_unread 20
  expect_in "$OUT" "data is unread: the server is not reading"
  expect_no_tcp
  end_server
  serve_unix "$KEEPS"
  audit_unix --send "$BATS_TEST_TMPDIR/line"
  expect_leak eof_read 20
}

@test "unix: a server that never accepts, whether its clients are there or have gone" {
  local order
  serve_unix 'print("Listening"); time.sleep(1000)'
  for order in half-close client-first idle; do
    audit_unix --order "$order"
    expect_leak no_owner 20
    [[ $(count_of never_accepted) == 20 ]]
    expect_in "$OUT" "never accepted"
    expect_no_tcp
  done
}

@test "unix, client-first: a server that accepts when its clients have gone, and keeps them or not" {
  serve_unix 'print("Listening"); time.sleep(0.6)
'"$KEEPS"
  audit_unix --order client-first
  expect_leak eof_read 20
  expect_in "$OUT" "owner python3 pid $server_pid"
  end_server
  serve_unix 'print("Listening"); time.sleep(0.6)
'"$CLOSES"
  grace=3s audit_unix --order client-first
  expect_code 0
  expect_counts closed=20
}

@test "unix, never-close: a server that shuts down and does not close, and one that closes" {
  serve_unix 'def handle(c): c.shutdown(socket.SHUT_WR); kept.append(c)'
  audit_unix --order never-close
  expect_leak shut_down 20
  expect_in "$OUT" "shutdown() without close()"
  expect_no_tcp
  end_server
  serve_unix 'def handle(c): c.close()'
  grace=3s audit_unix --order never-close
  expect_code 0
  expect_counts closed=20
  end_server
  serve_unix "$CLOSES"
  audit_unix --order never-close
  expect_code 3
  expect_no_tcp
}

@test "unix, idle: a server that keeps its clients, and one with a time-out" {
  serve_unix "$KEEPS"
  audit_unix --order idle
  expect_code 1
  expect_counts held=20 open=20
  expect_in "$OUT" "nobody has closed them"
  expect_no_tcp
  end_server
  serve_unix 'def handle(c): time.sleep(0.3); c.close()'
  grace=3s audit_unix --order idle
  expect_code 0
  expect_counts closed=20
}

@test "unix, eof-with-request: a server that takes it for the end of the client, and one that does not" {
  a_line
  serve_unix 'def handle(c):
    c.recv(4096); time.sleep(0.05); c.setblocking(False)
    try: gone = c.recv(1) == b""
    except BlockingIOError: gone = False
    c.setblocking(True)
    if not gone: c.sendall(b"reply\n")
    c.close()'
  audit_unix --order eof-with-request --send "$BATS_TEST_TMPDIR/line"
  expect_code 1
  expect_counts reply_lost=20
  expect_no_tcp
  end_server
  serve_unix 'def handle(c): drain(c); c.sendall(b"reply\n"); c.close()'
  grace=3s audit_unix --order eof-with-request --send "$BATS_TEST_TMPDIR/line"
  expect_code 0
  expect_counts closed=20
}

@test "unix: a helper that inherited the connections holds them; with a close-on-exec it does not" {
  local inherits
  for inherits in True False; do
    serve_unix 'import subprocess
def handle(c):
    c.set_inheritable('"$inherits"'); p = subprocess.Popen(["sleep", "1000"], close_fds=False); s2 = c; drain(c); c.close()'
    conns=5 grace=700ms audit_unix
    if [[ $inherits == True ]]; then
      expect_leak other_process 5
      expect_in "$OUT" "owner sleep"
    else
      expect_code 0
      expect_counts closed=5
    fi
    end_server
  done
}

@test "unix: descriptors of connections that both sides have shut down are found" {
  serve_unix 'def handle(c): drain(c); c.shutdown(socket.SHUT_RDWR); kept.append(c)'
  audit_unix
  expect_code 1
  [[ $(count_of ghost) == 20 ]]
  expect_in "$OUT" "descriptors of connections that have ended; owner python3 pid $server_pid"
  expect_no_tcp
}

@test "unix: other clients' connections are not counted, nor those that wait to be accepted" {
  serve_unix 'def handle(c):
    if c.recv(4096) == b"other": kept.append(c); return
    c.close()
class Slow:
    def accept(self): time.sleep(0.03); return listener.accept()
listener = s; s = Slow()'
  within python3 -c 'import socket, sys, time
other = [socket.socket(socket.AF_UNIX) for i in range(10)]
for c in other: c.connect(sys.argv[1]); c.sendall(b"other")
for c in other[:5]: c.close()
print("ready", flush=True); time.sleep(1000)' "$PLACE" >"$BATS_TEST_TMPDIR/others" 3>&- &
  others+=("$!")
  wait_until 10 grep -qs ready "$BATS_TEST_TMPDIR/others"
  local order
  for order in half-close client-first; do
    grace=3s audit_unix --order "$order"
    expect_code 0
    expect_counts closed=20
  done
}

@test "unix: a short accept queue is waited for; a name without a file; --http; --run" {
  PLACE=@tcpstorm-$BASHPID
  serve_unix 'def handle(c): c.recv(4096); c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"); drain(c); c.close()' 2
  grace=3s conns=300 audit_unix --http /
  expect_code 0
  expect_counts closed=300
  conns=100 audit_unix --rate 5000 # faster than it accepts
  [[ $code == 0 || $code == 3 ]]
  end_server
  in_fresh_namespace
  code=0
  "${launcher[@]}" "$STORM" audit "unix:$BATS_TEST_TMPDIR/run" --grace 300ms --json "$JSON" --run -- python3 -c 'import socket, sys, time
time.sleep(0.3); s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(100)
while True:
    c = s.accept()[0]
    while c.recv(4096): pass
    c.close()' "$BATS_TEST_TMPDIR/run" >"$OUT" 2>"$ERR" || code=$?
  expect_code 0
  expect_counts closed=100
}

@test "unix: nobody listens is exit code 3; an order of segments and a bad path are exit code 2" {
  local word
  for word in "unix:$BATS_TEST_TMPDIR/none" "unix:$BATS_TEST_TMPDIR"; do
    code=0
    "$STORM" audit "$word" >"$OUT" 2>"$ERR" || code=$?
    expect_code 3
    expect_in "$ERR" "Nobody listens on $word"
    expect_one_sentence
  done
  for word in "unix:" "unix:@" "unix:$(printf '%0110d' 0)" "/run/x.sock"; do
    code=0
    "$STORM" audit "$word" >"$OUT" 2>"$ERR" || code=$?
    expect_code 2
    expect_one_sentence
  done
  code=0
  "$STORM" audit unix:/run/x.sock --order abort >"$OUT" 2>"$ERR" || code=$?
  expect_code 2
  expect_in "$ERR" "a Unix socket has no RST"
}
