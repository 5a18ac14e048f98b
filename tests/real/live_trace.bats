#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables are shared with storm.bash, audit.bash and trace.bash
#
# "tcpstorm trace PID": find the call at which a running program's leaking connections part from others, nothing stopped. The kernel shows
# system calls to the machine's own root, not to one of a user namespace: so these are here.

load ../net/storm
load ../net/audit
load ../net/trace

SOURCES=${BATS_TEST_DIRNAME%/*}/net/trace


# start_server COMMAND: it listens on $PORT of a network of its own.
start_server() {
  in_fresh_namespace
  "${launcher[@]}" "$@" "$PORT" >"$BATS_TEST_TMPDIR/server" 2>&1 3>&- &
  server_pid=$!
  others+=("$server_pid")
  wait_until 10 is_listening
}

is_listening() {
  [[ -n $(within ss -Hltn "sport = :$PORT" 2>/dev/null) ]]
}

# Clients that come one by one, each leaves first.
make_traffic() { # CONNECTIONS
  within python3 - "$PORT" "$1" <<'PYTHON' 3>&-
import socket, sys
for i in range(int(sys.argv[2])):
    client = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5)
    client.sendall(b"GET / HTTP/1.0\r\n\r\n")
    client.shutdown(socket.SHUT_WR)
    client.settimeout(0.05)
    try:
        while client.recv(4096):
            pass
    except OSError:
        pass
    client.close()
PYTHON
}

# trace_live: traces the server, while $conns clients come and go, once it has begun.
trace_live() {
  code=0
  rm -f "$JSON"
  nsenter -t "$server_pid" -n -- "$STORM" trace "$server_pid" --json "$JSON" --duration "${duration-3s}" --linger 500ms >"$OUT" 2>"$ERR" 3>&- &
  local tracer=$!
  wait_until 10 has_begun "$tracer"
  make_traffic "${conns-20}"
  wait "$tracer" || code=$?
  if grep -q "does not show\|has no tracepoints\|to root only" "$ERR"; then
    skip "this machine shows no system calls: $(cat "$ERR")"
  fi
}

# It has its rings mapped, or has ended.
has_begun() {
  grep -q 'perf_event' "/proc/$1/maps" 2>/dev/null || ! kill -0 "$1" 2>/dev/null
}

count_of() {
  jq -rs ".[0].$1" "$JSON"
}

@test "trace: an epoll server that puts some connections aside parts at that line" {
  build epoll -DLEAK epoll_server.c epoll_conn.c epoll_pool.c
  start_server "$server"
  trace_live
  expect_code 1
  [[ $(count_of accepted) == 20 && $(count_of closed) == 16 && $(count_of lingering) == 4 && $(count_of lost_calls) == 0 ]]
  expect_note "$AFTER" "recvfrom zero $(line_of epoll_conn.c recv) on_readable"
  expect_note "$HELD" "epoll_ctl(DEL) unknown $(line_of epoll_pool.c park) pool_park"
  expect_note "$CLOSED" "close unknown $(line_of epoll_conn.c close) conn_free"
  expect_note "$ACCEPTED" "accept4 some $(line_of epoll_server.c accept) accept_some"
  expect_in "$OUT" "4 linger"
  kill -0 "$server_pid"
}

@test "trace: its clean twin closes, and no line is accused" {
  build epoll epoll_server.c epoll_conn.c epoll_pool.c
  start_server "$server"
  trace_live
  expect_code 0
  [[ $(count_of accepted) == 20 && $(count_of closed) == 20 && $(count_of lingering) == 0 ]]
  expect_branches held 0
  expect_not_in "$OUT" "ended with"
}

@test "trace: a thread that waits in accept() already, and threads that it makes, are followed" {
  build threads -DLEAK=5 threads_server.c -pthread
  start_server "$server"
  trace_live
  expect_code 1
  [[ $(count_of accepted) == 20 && $(count_of lingering) == 4 ]]
  expect_note "$HELD" "read zero $(line_of threads_server.c read) serve"
  expect_note "$ACCEPTED" "accept some $(line_of threads_server.c accept) main"
  build threads threads_server.c -pthread
  start_server "$server"
  trace_live
  expect_code 0
  [[ $(count_of accepted) == 20 && $(count_of closed) == 20 ]]
}

@test "trace: what a helper has inherited is told with its fork()" {
  build fork -DLEAK fork_server.c
  start_server "$server"
  trace_live
  expect_code 1
  [[ $(count_of lingering) -ge 1 && $(count_of unknown) == 0 ]]
  expect_in "$OUT" "since fork() at fork_server.c"
}

@test "trace: without traffic there is no verdict, and what lingers from before is told" {
  build epoll -DLEAK epoll_server.c epoll_conn.c epoll_pool.c
  start_server "$server"
  conns=0 duration=300ms trace_live
  expect_code 3
  expect_in "$ERR" "no connection was accepted in that time"
  make_traffic 10
  conns=0 duration=300ms trace_live
  expect_code 1
  [[ $(count_of lingering_earlier) == 2 && $(count_of accepted) == 0 ]]
}

@test "trace: Ctrl-C ends it, and what was seen is told" {
  build epoll -DLEAK epoll_server.c epoll_conn.c epoll_pool.c
  start_server "$server"
  nsenter -t "$server_pid" -n -- "$STORM" trace "$server_pid" --duration 1m >"$OUT" 2>"$ERR" 3>&- &
  local tracer=$!
  others+=("$tracer")
  wait_until 10 has_begun "$tracer"
  make_traffic 10
  kill -INT "$tracer" 2>/dev/null || true
  code=0
  wait "$tracer" || code=$?
  grep -q "does not show\|has no tracepoints" "$ERR" && skip "this machine shows no system calls"
  expect_code 130
  expect_in "$OUT" "it accepted 10 connections"
}
