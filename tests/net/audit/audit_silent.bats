#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2034,SC2154 # $ is for the servers; variables are shared with storm.bash and audit.bash
# audit: clients that are there and hear nothing (stall, vanish), each with a server that fails under it and a clean twin.

load ../storm
load ../isolation
load ../audit

# serve_replies BYTES HANDLER: reads a request, writes a reply of so many bytes and goes on as the handler says: a body
# with c, where a timeout of sends or reads raises.
serve_replies() {
  serve_python 'kept = []
import struct
def reset(c): c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)); c.close()
def serve(c):
    c.recv(4096)
    '"${2-c.sendall(b'x' * $1); drain(c); c.close()}"'
serve_each(serve)'
}

# ---- stall ----

@test "stall: a server without a write timeout waits for a reader that does not read" {
  serve_replies 1000000
  within "$STORM" audit "127.0.0.1:$PORT" --order stall --conns 20 --grace 600ms --send "$(a_line)" --json "$JSON" \
    >"$OUT" 2>"$ERR" 3>&- &
  local auditor=$! seen=0 until=$((SECONDS + 10))
  while ((seen != 20 && SECONDS < until)); do # as ss has it: what it cannot send
    seen=$(within ss -Htan state established "sport = :$PORT" | awk '$2 > 0' | wc -l)
    rest 50
  done
  code=0
  wait "$auditor" || code=$?
  ((seen == 20)) || { say "ss saw $seen"; return 1; }
  expect_code 1
  expect_counts held=20 stalled=20
  expect_in "$OUT" "The server keeps clients that do not read."
  expect_in "$OUT" "Holds 20 of 20 connections 600ms after the reply filled the buffers"
  expect_in "$OUT" "owner python3 pid $server_pid"
}

@test "stall: a server that gives up writing after a while closes, and what its kernel keeps is no leak" {
  serve_replies 1000000 'c.settimeout(0.8)
    try: c.sendall(b"x" * 1000000)
    except TimeoutError: pass
    c.close()'
  audit --order stall --conns 20 --grace 8s --send "$(a_line)"
  expect_code 0
  expect_counts closed=20
  expect_in "$OUT" "The server holds nothing."
  expect_in "$OUT" "Closed 20 connections with data that the client has not read"
  jq -e '.orphans == 20 and .close_s.p50 > 0.3 and .close_s.max < 4' "$JSON"
  [[ $(within ss -Htan "sport = :$PORT" | grep -vc LISTEN) == 0 ]] # the client's last word ends them
}

@test "stall: a server that resets such a client lets go of it" {
  serve_replies 1000000 'c.settimeout(1.2)
    try: c.sendall(b"x" * 1000000)
    except TimeoutError: pass
    reset(c)'
  audit --order stall --conns 10 --grace 8s --send "$(a_line)"
  expect_code 0
  expect_counts reset=10
}

@test "stall: a server that has written it all and keeps the connection holds it too" {
  serve_replies 5000
  audit --order stall --conns 10 --grace 500ms --send "$(a_line)"
  expect_code 1
  expect_counts held=10 stalled=10
}

@test "stall: a reply that fits into the buffers, or none, is no verdict" {
  serve_replies 500
  audit --order stall --conns 10 --grace 300ms --send "$(a_line)"
  expect_code 3
  expect_counts unknown=10
  expect_in "$OUT" "The reply fits into the buffers, or none came"
}

@test "stall: a server that accepts nobody has never accepted" {
  serve_python 'time.sleep(600)'
  audit --order stall --conns 10 --grace 300ms --send "$(a_line)"
  expect_code 1
  expect_counts never_accepted=10 no_owner=10
}

# ---- vanish ----

@test "vanish: a server without timeouts keeps clients that are gone" {
  serve_python 'serve_each(lambda c: (drain(c), c.close()))'
  audit --order vanish --conns 20 --grace 500ms
  expect_code 1
  expect_counts held=20 open=20
  expect_in "$OUT" "The server keeps clients that have vanished."
  expect_in "$OUT" "Holds 20 of 20 connections 500ms after the client vanished; its ends are ESTABLISHED"
  # Nothing is left: the last word of each client was an RST.
  [[ $(within ss -Htan "( sport = :$PORT or dport = :$PORT )" | grep -vc LISTEN) == 0 ]]
}

@test "vanish: a server that times out lets go, after how long is said, and nothing is left" {
  serve_python 'def serve(c):
    c.settimeout(0.8)
    drain(c)
    c.close()
serve_each(serve)'
  audit --order vanish --conns 20 --grace 8s
  expect_code 0
  expect_counts closed=20
  expect_not_in "$OUT" "data that the client has not read"
  jq -e '.close_s.p50 > 0.4 and .close_s.max < 4' "$JSON"
  [[ $(within ss -Htan "( sport = :$PORT or dport = :$PORT )" | grep -vc LISTEN) == 0 ]]
}

@test "vanish after a request: keep-alive finds out, and a server that does not listen to it keeps the descriptor" {
  local handler='c.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    c.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 1)
    c.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 1)
    c.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 1)
    c.sendall(b"reply")'
  serve_replies 0 "$handler"'; drain(c); c.close()'
  audit --order vanish --conns 10 --grace 8s --send "$(a_line)"
  expect_code 0
  expect_counts closed=10
  end_server
  serve_replies 0 "$handler"'; kept.append(c)'
  audit --order vanish --conns 10 --grace 2500ms --send "$(a_line)"
  expect_code 1
  expect_counts held=10 ghost=10
  expect_in "$OUT" "The server leaks."
}

@test "vanish: without the right to filter packets it is not played, and what would give it is said" {
  local without=(setpriv --bounding-set -net_admin --inh-caps -net_admin)
  "${without[@]}" true || skip "no right can be given up here"
  serve_python 'serve_each(lambda c: (drain(c), c.close()))'
  code=0
  within "${without[@]}" "$STORM" audit "127.0.0.1:$PORT" --order vanish --conns 5 --grace 300ms >"$OUT" 2>"$ERR" || code=$?
  expect_code 3
  expect_one_sentence
  expect_in "$ERR" "--order vanish needs the right to filter packets"
  expect_in "$ERR" "--isolate and --run"
}

@test "vanish: with --isolate and --run an ordinary user may" {
  command -v python3 >/dev/null || skip "no python3 to make a server with"
  as_nobody
  code=0
  "${launcher[@]}" "$STORM" audit "127.0.0.1:$PORT" --order vanish --conns 5 --grace 300ms --json "$JSON" --run --isolate -- \
    python3 -c 'import socket, sys
s = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=100); kept = []
while True: kept.append(s.accept()[0])' "$PORT" >"$OUT" 2>"$ERR" 3>&- || code=$?
  expect_code 1
  expect_counts held=5 open=5
}
