#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables are shared with storm.bash, audit.bash and trace.bash
#
# "tcpstorm audit --trace --run": where held connections part from closed ones, by the lines of servers with one leaking path.

load ../storm
load ../audit
load ../trace

@test "--trace: an epoll server that puts some connections aside parts at that line, over three files" {
  build epoll -DLEAK epoll_server.c epoll_conn.c epoll_pool.c
  trace_audit -- "$server" "$PORT"
  expect_code 1
  expect_counts closed=16 held=4 eof_read=4
  expect_note "$AFTER" "recvfrom zero $(line_of epoll_conn.c recv) on_readable"
  expect_note "$HELD" "epoll_ctl(DEL) unknown $(line_of epoll_pool.c park) pool_park"
  expect_note "$CLOSED" "close unknown $(line_of epoll_conn.c close) conn_free"
  expect_note "$ACCEPTED" "accept4 some $(line_of epoll_server.c accept) accept_some"
  expect_branches held 4
  expect_branches closed 16
  expect_in "$OUT" "20 connections: 16 closed, 4 held. They part after recv() = 0 at $(line_of epoll_conn.c recv) in on_readable:"
  grep -qE "^ +16 went on to  close\(\) +$(line_of epoll_conn.c close) in conn_free < on_readable$" "$OUT"
  grep -qE "^ +4 ended with  epoll_ctl\(DEL\) +$(line_of epoll_pool.c park) in pool_park .*< $(line_of epoll_conn.c parks) in on_readable +no close\(\) follows$" "$OUT"
  expect_in "$OUT" "accepted at $(line_of epoll_server.c accept) in accept_some"
  expect_in "$OUT" "(max), traced"
  wait_until 5 no_process
}

@test "--trace: its clean twin closes, and no line is accused" {
  build epoll epoll_server.c epoll_conn.c epoll_pool.c
  trace_audit -- "$server" "$PORT"
  expect_code 0
  expect_counts closed=20
  expect_branches held 0
  expect_note "$CLOSED" "close unknown $(line_of epoll_conn.c close) conn_free"
  expect_not_in "$OUT" "ended with"
}

@test "--trace: a thread that returns without close() ended with its read()" {
  build threads -DLEAK=5 threads_server.c -pthread
  trace_audit -- "$server" "$PORT"
  expect_code 1
  expect_branches held 4
  expect_note "$AFTER" "read zero $(line_of threads_server.c read) serve"
  expect_note "$HELD" "read zero $(line_of threads_server.c read) serve"
  expect_note "$CLOSED" "close unknown $(line_of threads_server.c close) serve"
  expect_in "$OUT" "4 ended there"
  build threads threads_server.c -pthread
  trace_audit -- "$server" "$PORT"
  expect_code 0
  expect_branches held 0
}

@test "--trace: a tail call is told as one, and by the line that made it" {
  build epoll -DLEAK -DTAIL_CALL epoll_server.c epoll_conn.c epoll_pool.c
  trace_audit -- "$server" "$PORT"
  expect_code 1
  expect_note "$HELD" "epoll_ctl(DEL) unknown $(line_of epoll_pool.c park) pool_park"
  grep -qE "^ +4 ended with  epoll_ctl\(DEL\) +$(line_of epoll_pool.c park) in pool_park \(tail call\) < $(line_of epoll_conn.c parks) in on_readable +no close\(\) follows$" "$OUT" ||
    { show_output; return 1; }
}

@test "--trace: a static program, and one of clang's, have their lines too" {
  local compiler words
  build static -DLEAK -static epoll_server.c epoll_conn.c epoll_pool.c
  trace_audit -- "$server" "$PORT"
  expect_note "$HELD" "epoll_ctl(DEL) unknown $(line_of epoll_pool.c park) pool_park"
  command -v clang >/dev/null || skip "no clang"
  (cd "$SOURCES" && clang -g -O2 -DLEAK -o "$BATS_TEST_TMPDIR/clang" epoll_server.c epoll_conn.c epoll_pool.c)
  trace_audit -- "$BATS_TEST_TMPDIR/clang" "$PORT"
  expect_note "$HELD" "epoll_ctl(DEL) unknown $(line_of epoll_pool.c park) pool_park"
  expect_note "$CLOSED" "close unknown $(line_of epoll_conn.c close) conn_free"
}

@test "--trace: a stripped program is told by its name and offsets, never by a wrong line" {
  build epoll -DLEAK epoll_server.c epoll_conn.c epoll_pool.c
  strip "$server"
  trace_audit -- "$server" "$PORT"
  expect_code 1
  expect_branches held 4
  grep -qE "4 ended with  epoll_ctl\(DEL\) +epoll\+0x[0-9a-f]+" "$OUT" || { show_output; return 1; }
  expect_not_in "$OUT" ".c:"
}

@test "--trace: a bufferevent server is told by libevent's functions" {
  build bufferevent -DLEAK bufferevent_server.c -levent 2>/dev/null || skip "no libevent to build with"
  trace_audit -- "$server" "$PORT"
  expect_code 1
  expect_branches held 4
  expect_branches closed 16
  expect_in "$OUT" "libevent"
  build bufferevent bufferevent_server.c -levent
  trace_audit -- "$server" "$PORT"
  expect_code 0
  expect_branches held 0
}

@test "--trace: what a helper has inherited is told with its fork(), and by whom it was closed" {
  build fork -DLEAK fork_server.c
  trace_audit -- "$server" "$PORT"
  expect_code 1
  expect_branches held 1
  tr -s ' \n' ' ' <"$OUT" >"$BATS_TEST_TMPDIR/flat"
  grep -qE "closed by pid [0-9]+ at fork_server.c:[0-9]+ in (serve|main); pid [0-9]+ still has it, since fork\(\) at $(line_of fork_server.c helper) in make_helper" \
    "$BATS_TEST_TMPDIR/flat" || { show_output; return 1; }
  build fork fork_server.c
  trace_audit -- "$server" "$PORT"
  expect_code 0
  expect_branches held 0
}

@test "--trace: where all are held there is nothing to compare with, and the last call is told" {
  build threads -DLEAK=1 threads_server.c -pthread
  trace_audit -- "$server" "$PORT"
  expect_code 1
  expect_branches held 20
  expect_note "$HELD" "read zero $(line_of threads_server.c read) serve"
  expect_in "$OUT" "20 connections: 20 held. None was closed, so there is nothing to compare with."
}

# python FILE [leaks]: a server of Python's, in the words of $program; of a version whose lines are known.
python() {
  need_lines
  python3 -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null || skip "no python3 of 3.11 to 3.13"
  program=(python3 "$SOURCES/$1" "$PORT" "${@:2}")
}

@test "--trace: threads of Python have Python's lines" {
  python threads_server.py leaks
  trace_audit -- "${program[@]}"
  expect_code 1
  expect_branches held 4
  expect_note "$AFTER" "recvfrom zero $(line_of threads_server.py recv) serve"
  expect_note "$CLOSED" "close unknown $(line_of threads_server.py close) serve"
  expect_in "$OUT" "accepted at $(line_of threads_server.py accept) in <module>"
  python threads_server.py
  trace_audit -- "${program[@]}"
  expect_code 0
  expect_branches held 0
}

@test "--trace: asyncio reads and closes by itself: its functions are told, and the line that wrote" {
  python asyncio_server.py leaks
  trace_audit --send "$(a_line)" -- "${program[@]}"
  expect_code 1
  expect_branches held 4
  expect_branches closed 16
  expect_in "$OUT" "$(line_of asyncio_server.py loop) in <module>"
  expect_in "$OUT" "by a function of its own on those not closed: send() at $(line_of asyncio_server.py write) in on_client"
  grep -qE "16 went on to  close\(\)  selector_events.py:[0-9]+ in _Selector.*_call_connection_lost" "$OUT" || { show_output; return 1; }
  python asyncio_server.py
  trace_audit --send "$(a_line)" -- "${program[@]}"
  expect_code 0
  expect_branches held 0
}
