#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2034,SC2154 # $ is for the servers; variables are shared with storm.bash and audit.bash
# audit: the clients that real leaks need, each with a server that fails under it and a clean twin.

load ../storm
load ../audit

# It shuts down its half of each connection, and keeps the descriptor.
SHUTS_DOWN='kept = []
while True:
    c = s.accept()[0]
    c.shutdown(socket.SHUT_WR)
    kept.append(c)'

# For handlers: whether EOF has come behind what was read.
IS_GONE='def is_gone(c):
    c.setblocking(False)
    try: return c.recv(1) == b""
    except BlockingIOError: return False
    finally: c.setblocking(True)
'

# ss_count STATE: sockets of the server's port in that state that a process has, by ss.
ss_count() {
  within ss -tanpH state "$1" "sport = :$PORT" | grep -c 'users:' || true
}

@test "never-close: a server that shuts down and does not close keeps FIN_WAIT2 with a descriptor" {
  serve_python "$SHUTS_DOWN"
  audit --order never-close --conns 20 --grace 700ms
  expect_code 1
  expect_counts held=20 shut_down=20
  expect_in "$OUT" "The server keeps its end after its own FIN."
  expect_in "$OUT" "Holds 20 of 20 connections 700ms after its own FIN"
  expect_in "$OUT" "shutdown() without close()"
  expect_in "$OUT" "owner python3 pid $server_pid"
}

@test "never-close: what ss shows while the client keeps its end is what the audit says" {
  serve_python "$SHUTS_DOWN"
  within "$STORM" audit "127.0.0.1:$PORT" --order never-close --conns 10 --grace 4s >"$OUT" 2>"$ERR" 3>&- &
  local auditor=$! seen=0 until=$((SECONDS + 10))
  while ((seen != 10 && SECONDS < until)); do
    seen=$(ss_count fin-wait-2)
    sleep 0.1
  done
  code=0
  wait "$auditor" || code=$?
  ((seen == 10)) || { say "ss saw $seen sockets in FIN_WAIT2 with a process"; return 1; }
  expect_code 1
  expect_in "$OUT" "Holds 10 of 10 connections"
}

@test "never-close: a server that shuts down and then closes leaves an orphan, which the kernel ends" {
  serve_python 'while True:
    c = s.accept()[0]
    c.shutdown(socket.SHUT_WR)
    c.close()'
  audit --order never-close --conns 20 --grace 700ms
  expect_code 0
  expect_counts closed=20
  expect_in "$OUT" "The server holds nothing."
}

@test "never-close: a server that closes a moment after its FIN is no leak" {
  serve_python 'def leave(c):
    c.recv(100); c.sendall(b"reply"); c.shutdown(socket.SHUT_WR); time.sleep(0.3); c.close()
serve_each(leave)'
  audit --order never-close --conns 20 --grace 1500ms --send "$(a_line)"
  expect_code 0
  expect_counts closed=20
}

@test "never-close: a server that never closes first is no verdict, and what to do is said" {
  serve_python 'serve_each(lambda c: (drain(c), c.close()))'
  audit --order never-close --conns 5 --grace 500ms
  expect_code 3
  expect_in "$OUT" "The server did not close first: no FIN came within 500ms"
  expect_in "$OUT" "--grace"
}

# A handler that reads a request, and replies after a moment unless EOF has come: it takes that for "gone".
EOF_IS_GONE=$IS_GONE'def answer(c):
    data = c.recv(4096)
    time.sleep(0.05)
    if not is_gone(c): c.sendall(b"x" * 3000)
    c.close()
serve_each(answer)'

@test "eof-with-request: a server that takes EOF for gone loses replies, and that is a finding of its own" {
  serve_python "$EOF_IS_GONE"
  audit --order eof-with-request --conns 20 --grace 1s --send "$(a_line)"
  expect_code 1
  expect_counts reply_lost=20
  expect_in "$OUT" "The server loses replies: it treats the client's FIN as its end."
  expect_in "$OUT" "less than the 3,000 bytes"
  [[ $(jq -r '"\(.outcome) \(.reply_bytes) \(.leaks)"' "$JSON") == "loses_replies 3000 false" ]]
  audit --order half-close --conns 20 --grace 1s --send "$(a_line)" # who waits gets it all
  expect_code 0
  expect_counts closed=20
}

@test "eof-with-request: a reply that is cut short is lost too" {
  serve_python "$IS_GONE"'def answer(c):
    c.recv(4096)
    time.sleep(0.05)
    c.sendall(b"x" * 1000)
    if not is_gone(c): c.sendall(b"x" * 2000)
    c.close()
serve_each(answer)'
  audit --order eof-with-request --conns 10 --grace 1s --send "$(a_line)"
  expect_code 1
  expect_counts reply_lost=10
}

@test "eof-with-request: a reply of megabytes is compared to its end" {
  serve_python "$IS_GONE"'def answer(c):
    c.recv(4096)
    time.sleep(0.05)
    c.sendall(b"x" * 2000000)
    if not is_gone(c): c.sendall(b"x" * 2000000)
    c.close()
serve_each(answer)'
  audit --order eof-with-request --conns 5 --grace 2s --send "$(a_line)"
  expect_code 1
  expect_counts reply_lost=5
  end_server
  serve_python 'serve_each(lambda c: (c.recv(4096), time.sleep(0.05), c.sendall(b"x" * 4000000), c.close()))'
  audit --order eof-with-request --conns 5 --grace 2s --send "$(a_line)"
  expect_code 0
  expect_counts closed=5
}

@test "eof-with-request: a server that replies to the end and closes loses nothing" {
  serve_python 'serve_each(lambda c: (c.recv(4096), time.sleep(0.05), c.sendall(b"x" * 3000), c.close()))'
  audit --order eof-with-request --conns 20 --grace 1s --send "$(a_line)"
  expect_code 0
  expect_counts closed=20
  expect_in "$OUT" "The server holds nothing."
}

@test "eof-with-request: the FIN leaves in the segment of the last byte" {
  serve_python 'def note(c):
    while True:
        info = c.recv(4096)
        tcp = c.getsockopt(socket.IPPROTO_TCP, 11, 256)
        print("segments", int.from_bytes(tcp[140:144], "little"), flush=True) # tcpi_segs_in
        if not info: break
    c.sendall(b"reply")
    c.close()
serve_each(note)'
  audit --order eof-with-request --conns 1 --grace 500ms --send "$(a_line)"
  expect_code 0
  local last
  last=$(grep '^segments' "$BATS_TEST_TMPDIR/server" | tail -1)
  [[ $last == "segments 3" ]] || { say "$last: SYN, ACK, and the request with its FIN are 3"; return 1; }
}

@test "eof-with-request: a server that never replies is no verdict, and one that then holds them leaks" {
  serve_python 'serve_each(lambda c: (drain(c), c.close()))'
  audit --order eof-with-request --conns 5 --grace 500ms --send "$(a_line)"
  expect_code 3
  expect_in "$OUT" "does not reply to that request"
  end_server
  serve_python 'kept = []
def keep(c):
    drain(c); kept.append(c); c.sendall(b"reply")
serve_each(keep)'
  audit --order eof-with-request --conns 5 --grace 500ms --send "$(a_line)"
  expect_code 1
  expect_in "$OUT" "The server leaks."
}

@test "eof-with-request needs a request: exit status 2 before any socket" {
  code=0
  "$STORM" audit 127.0.0.1:9 --order eof-with-request >"$OUT" 2>"$ERR" || code=$?
  expect_code 2
  expect_one_sentence
  expect_in "$ERR" "--order eof-with-request needs --send FILE or --http PATH"
}
