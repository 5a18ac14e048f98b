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
    while d := c.recv(4096): c.sendall(d)
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
def b():
    c = socket.create_connection(("127.0.0.1", '"$BACKEND"')); c.sendall(b"x"); c.recv(1); return c
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
}

@test "a proxy that closes both is none" {
  serve_proxy '
def handler(c):
    o = b(); drain(c); c.close(); time.sleep(.1); o.close()
serve_each(handler)'
  audit --conns 10 --grace 1s
  expect_no_leak
  jq -e '.stock.check_rounds == 0' "$JSON"
}
