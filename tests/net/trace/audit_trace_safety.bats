#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154 # variables are shared with storm.bash, audit.bash and trace.bash
#
# "tcpstorm audit --trace --run": the server is as it would be without, nothing of it is left whatever ends first, and nothing is
# missed of many connections.

load ../storm
load ../audit
load ../trace

# start_traced SOURCE [OPTION...]: in the background, until the server has connections.
start_traced() {
  build server "$1" -pthread
  in_fresh_namespace
  "${launcher[@]}" "$STORM" audit "127.0.0.1:$PORT" --conns 20 --order idle --grace 60s --trace "${@:2}" --run -- "$server" "$PORT" \
    >"$OUT" 2>"$ERR" 3>&- &
  wait_until 20 has_connections
}

server_pids() {
  local exe pid
  for exe in /proc/[0-9]*/exe; do
    [[ $exe -ef $server ]] || continue
    pid=${exe#/proc/}
    say "${pid%/exe}"
  done
}

has_connections() {
  local pid
  pid=$(server_pids | head -n 1)
  [[ -n $pid ]] && (($(nsenter -t "$pid" -n ss -tnH state established "( sport = :$PORT )" 2>/dev/null | wc -l) >= 20))
}

nothing_left() {
  [[ -z $(server_pids)$(storm_pids) ]]
}

# The tracer is what traces the server.
tracer_pid() {
  awk '/^TracerPid:/ { print $2 }' "/proc/$(server_pids | head -n 1)/status"
}

@test "--trace: a tracer that is killed takes the server with it, and that is no verdict" {
  start_traced threads_server.c
  kill -KILL "$(tracer_pid)"
  end_of_audit
  expect_code 3
  expect_in "$OUT" "No verdict: the tracer ended, and with it the server"
  wait_until 5 nothing_left
}

end_of_audit() {
  local job
  job=$(jobs -p | tail -n 1)
  wait_until 20 is_over "$job"
  code=0
  wait "$job" || code=$?
}

@test "--trace: an audit that is killed leaves neither a tracer nor a server, nor what that has forked" {
  start_traced fork_server.c
  (($(server_pids | wc -l) >= 1))
  kill -KILL "$(storm_parent)"
  wait_until 5 nothing_left
}

@test "--trace: Ctrl-C ends it all, and what was seen until then is told" {
  start_traced threads_server.c
  kill -INT "$(storm_parent)"
  end_of_audit
  expect_code 130
  expect_in "$OUT" "Interrupted after"
  wait_until 5 nothing_left
}

# as_it_is FILE [OPTION...]: what the server sees of itself, in that file.
as_it_is() {
  local file=$1
  code=0
  "${launcher[@]}" "$STORM" audit "127.0.0.1:$PORT" --conns 2 --grace 1s "${@:2}" --run -- sh -c '
    grep -E "^(Sig|Shd|Uid|Gid|Cap|NoNewPrivs)" /proc/self/status # of the shell itself they differ while it forks
    readlink /proc/self/fd/0; ls /proc/self/fd
    awk -v "leader=$$" "{ print leader == \$5, \$7 }" /proc/self/stat
    exec "$0" "$1"' "$server" "$PORT" >"$OUT" 2>"$ERR" 3>&- || code=$?
  expect_code 0
  grep -v '^tcpstorm' "$ERR" >"$file"
}

@test "--trace: signals, rights, descriptors, standard input and process group of the server are the same" {
  build server threads_server.c -pthread
  in_fresh_namespace
  as_it_is "$BATS_TEST_TMPDIR/alone"
  as_it_is "$BATS_TEST_TMPDIR/traced" --trace
  (($(wc -l <"$BATS_TEST_TMPDIR/alone") > 10))
  diff "$BATS_TEST_TMPDIR/alone" "$BATS_TEST_TMPDIR/traced"
}

@test "--trace: a server that does not come up is told as without" {
  local option
  in_fresh_namespace
  for option in --quiet --trace; do
    code=0
    "${launcher[@]}" "$STORM" audit "127.0.0.1:$PORT" "$option" --run -- sh -c 'echo no configuration; exit 7' >"$OUT" 2>"$ERR" 3>&- || code=$?
    expect_code 3
    expect_in "$ERR" 'it exited with status 7 before it listened on 127.0.0.1:'
    expect_in "$ERR" 'its last line: "no configuration"'
    wait_until 5 no_process
  done
}

@test "--trace: of 3,000 connections on threads none is missed" {
  build server threads_server.c -pthread
  conns=3000 grace=20s trace_audit -- "$server" "$PORT"
  expect_code 0
  [[ $(jq -s '.[0].trace.connections.closed' "$JSON") == 3000 ]]
  [[ $(jq -s '[.[0].trace.unseen[]] | add' "$JSON") == 0 ]]
  wait_until 5 nothing_left
}

@test "--trace: with --isolate the server is in a pid namespace of its own, and is traced all the same" {
  build server fork_server.c
  code=0
  "$STORM" audit "127.0.0.1:$PORT" --isolate --conns 20 --grace 1s --json "$JSON" --trace --run -- "$server" "$PORT" >"$OUT" 2>"$ERR" 3>&- || code=$?
  ((code == 0 || code == 1))
  [[ $(jq -s '[.[0].trace.unseen[]] | add' "$JSON") == 0 ]]
  [[ $(jq -s '[.[0].trace.connections[]] | add' "$JSON") == 20 ]]
  wait_until 5 nothing_left
}
