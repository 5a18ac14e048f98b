#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2034,SC2154 # $ is for the servers; variables are shared with storm.bash and audit.bash
# audit: the clients that real leaks need, each with a server that fails under it and a clean twin.

load ../storm
load ../audit

# ss_count STATE: sockets of the server's port in that state that a process has, by ss.
ss_count() {
  within ss -tanpH state "$1" "sport = :$PORT" | grep -c 'users:' || true
}

@test "never-close: a server that shuts down and does not close keeps FIN_WAIT2 with a descriptor" {
  serve_python 'kept = []
while True:
    c = s.accept()[0]
    c.shutdown(socket.SHUT_WR)
    kept.append(c)'
  audit --order never-close --conns 20 --grace 700ms
  expect_code 1
  expect_counts held=20 shut_down=20
  expect_in "$OUT" "The server leaks."
  expect_in "$OUT" "Holds 20 of 20 connections 700ms after its own FIN"
  expect_in "$OUT" "shutdown() without close()"
  expect_in "$OUT" "owner python3 pid $server_pid"
}

@test "never-close: what ss shows while the client keeps its end is what the audit says" {
  serve_python 'kept = []
while True:
    c = s.accept()[0]
    c.shutdown(socket.SHUT_WR)
    kept.append(c)'
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
