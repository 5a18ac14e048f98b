#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash; every test is a subshell
#
# "tcpstorm client --cause": each bug of a client and its fixed twin, with a server that is not ours (python), and ss as the
# witness.

# run-bats: takes 12 s

load ../storm

PORT=8080

# serve SECONDS [SYSCTL=VALUE...]: in a namespace of its own, a server that answers each request and closes a connection on
# which it has heard nothing for so long. The storms of this test run there.
serve() {
  in_fresh_namespace "${@:2}"
  "${launcher[@]}" python3 -u -c 'import socket, sys, threading
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=128)
print("ready")
def serve(client):
    client.settimeout(float(sys.argv[2]))
    try:
        while client.recv(4096):
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    except OSError:
        pass
    client.close()
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()' "$PORT" "$1" \
    >"$BATS_TEST_TMPDIR/server" 2>&1 3>&- &
  server_pid=$!
  others+=("$server_pid")
  wait_until 10 grep -q '^ready' "$BATS_TEST_TMPDIR/server" || { cat "$BATS_TEST_TMPDIR/server"; return 1; }
  launcher=(nsenter -t "$server_pid" -n --)
}

# start_client NAME OPTION...: in the background.
start_client() {
  "${launcher[@]}" "$STORM" client --cause "$1" "127.0.0.1:$PORT" "${@:2}" >"$OUT" 2>"$ERR" 3>&- &
  storm_pid=$!
}

# visit NAME OPTION...: to its end, of which nothing may be left.
visit() {
  start_client "$@"
  end_storm "$LONG"
  expect_code 0
  expect_nothing_left
}

expect_nothing_left() {
  expect_no_process
  [[ -z $(clients_ends | awk '$1 != "TIME-WAIT"') ]] || { clients_ends; return 1; }
}

clients_ends() {
  "${launcher[@]}" ss -Htanp "dport = :$PORT"
}

# clients_in STATE LEAST: the client holds at least so many.
clients_in() {
  (($(clients_ends | grep -c "^$1 .*pid=$storm_pid,") >= $2))
}

# number_behind TEXT: in the summary, 0 where it does not have it.
number_behind() {
  local number=0
  [[ ! $(tr -s ' \n' ' ' <"$OUT") =~ "$1"[^:]*:\ ([0-9]+) ]] || number=${BASH_REMATCH[1]}
  say "$number"
}

@test "dead-pool-entry: the pool fills with CLOSE-WAIT; Ctrl-C ends it, tells what was seen and leaves nothing" {
  serve 0.2
  start_client dead-pool-entry --duration 1m
  wait_until 10 clients_in CLOSE-WAIT 20
  kill -INT "$storm_pid"
  end_storm "$PATIENCE"
  expect_code 130
  expect_in "$OUT" "Asking 127.0.0.1:$PORT with the bug dead-pool-entry: "
  expect_in "$OUT" " CLOSE_WAIT."
  expect_in "$OUT" "The bug shows: client CLOSE_WAIT, EOF unread, held by the client itself."
  expect_in "$ERR" "interrupted"
  expect_nothing_left
}

@test "dead-pool-entry, fixed: no CLOSE-WAIT" {
  serve 0.1
  visit dead-pool-entry --fixed --duration 700ms
  expect_in "$OUT" "The bug does not show. Its signature would be: client CLOSE_WAIT"
  expect_not_in "$OUT" " CLOSE_WAIT."
  (($(number_behind "Connections opened in") >= 60))
}

@test "keep-alive-race: it finds out how long the server waits, and loses requests; fixed, none" {
  serve 0.2
  visit keep-alive-race --duration 1500ms
  (($(number_behind "Requests lost") > 0)) || { show_output; return 1; }
  expect_in "$OUT" "The server closes idle connections after "
  expect_in "$OUT" "The bug shows: no socket lingers, OutRsts moves, requests are lost."
  visit keep-alive-race --fixed --duration 1s
  expect_in "$OUT" "The bug does not show."
  expect_not_in "$OUT" "lost:"
}

@test "no-reuse: ports run out, and ss sees all of them in TIME-WAIT; fixed, hardly one" {
  serve 60 'net.ipv4.ip_local_port_range=20000 20099' net.ipv4.tcp_tw_reuse=0
  visit no-reuse --fixed --duration 500ms
  expect_in "$OUT" "The bug does not show."
  (($(number_behind "Requests on an open connection") > 25)) || { show_output; return 1; }
  [[ -z $(clients_ends) ]] # it was reset
  visit no-reuse --rate 200 --duration 1s
  expect_in "$OUT" "Cannot assign requested address (EADDRNOTAVAIL): this machine has no port left"
  expect_in "$OUT" "100 client sockets of this machine, 0 before; it has 100 ports for them"
  expect_in "$OUT" "The bug shows: client TIME_WAIT, connect() fails."
  [[ $(clients_ends | grep -c '^TIME-WAIT') == 100 ]]
}

server_waits_in_fin_wait_2() {
  (($("${launcher[@]}" ss -Htanp state fin-wait-2 "sport = :$PORT" | grep -c "pid=$server_pid,") >= 20))
}

@test "a server of ours with a bug meets a client of ours with one: each is seen by ss" {
  in_fresh_namespace
  "${launcher[@]}" "$TCPSTORM" server --cause half-closed-for-ever --port "$PORT" >"$BATS_TEST_TMPDIR/server" 2>&1 3>&- &
  server_pid=$!
  others+=("$server_pid")
  wait_until 10 grep -q '^Listening' "$BATS_TEST_TMPDIR/server"
  launcher=(nsenter -t "$server_pid" -n --)
  start_client dead-pool-entry --duration 1m
  wait_until 10 clients_in CLOSE-WAIT 20
  wait_until 10 server_waits_in_fin_wait_2 # after the ACK of its FIN, which may be delayed
  kill -TERM "$storm_pid"
  end_storm "$PATIENCE"
  expect_code 130
}

@test "what it asks is the user's: the bytes of a file, or an HTTP request for a path" {
  in_fresh_namespace
  printf 'PING\r\n' >"$BATS_TEST_TMPDIR/ping"
  "${launcher[@]}" python3 -u -c 'import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("ready")
while True:
    client = listener.accept()[0]
    print(client.recv(4096))' "$PORT" >"$BATS_TEST_TMPDIR/server" 2>&1 3>&- &
  server_pid=$!
  others+=("$server_pid")
  wait_until 10 grep -q '^ready' "$BATS_TEST_TMPDIR/server"
  launcher=(nsenter -t "$server_pid" -n --)
  visit dead-pool-entry --rate 20 --duration 200ms --send "$BATS_TEST_TMPDIR/ping"
  expect_in "$BATS_TEST_TMPDIR/server" "b'PING\\r\\n'"
  visit dead-pool-entry --rate 20 --duration 200ms
  expect_in "$BATS_TEST_TMPDIR/server" "b'GET / HTTP/1.1\\r\\nHost: 127.0.0.1:$PORT\\r\\n"
  expect_in "$OUT" "Connections that ended before their first request was answered: "
}

# ---- where it cannot go on ----

@test "nobody listens: exit status 3" {
  in_fresh_namespace
  for name in dead-pool-entry no-reuse; do
    start_client "$name" --duration 1m
    end_storm "$PATIENCE"
    expect_code 3
    expect_in "$ERR" "connection refused: nobody listens on 127.0.0.1:$PORT"
    expect_no_process
  done
}

@test "out of descriptors: it says so, and leaves nothing" {
  serve 60
  launcher+=(prlimit --nofile=40)
  start_client dead-pool-entry --duration 1m
  end_storm "$LONG"
  expect_code 3
  expect_in "$ERR" "out of descriptors with "
  expect_in "$OUT" "Descriptors held: "
  launcher=(nsenter -t "$server_pid" -n --)
  expect_nothing_left
}
