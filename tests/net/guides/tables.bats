#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154 # $ is for python; variables are shared with storm.bash; every test is a subshell
#
# The manual's tables are the program's, and the program's are those of what it really writes: every column, every metric with its
# type and labels, every event with its members. tests/events has those that take root.
#
# run-bats: takes 12 s

bats_require_minimum_version 1.5.0

load ../storm
load tables

needs() {
  command -v python3 >/dev/null || skip "no python3"
}

# A server that keeps what its clients have closed, with a client each 20 ms, until it is ended.
LEAK='import socket, sys, time
listener = socket.create_server(("127.0.0.1", 8080), backlog=512)
kept = []
while True:
    c = socket.create_connection(("127.0.0.1", 8080))
    s = listener.accept()[0]
    c.close()
    kept.append(s)
    s.recv(1)
    time.sleep(0.02)'

start_leak() { # [LAUNCHER...]
  "$@" python3 -c "$LEAK" 3>&- &
  leak_pid=$!
  others+=("$leak_pid")
}

# scraped_watch PORT PATTERN OPTION...: until a line of its page begins so.
scraped_watch() {
  "$STORM" watch --metrics "127.0.0.1:$1" --interval 100ms "${@:3}" >/dev/null 2>&1 3>&- &
  local pid=$! status=0
  scrape_until "$1" "$BATS_TEST_TMPDIR/$1.page" "$2" || status=1
  kill -INT "$pid"
  wait "$pid" || true
  return "$status"
}

@test "the pages have the tables of the program" {
  run "$BATS_TEST_DIRNAME/../../../scripts/lib/guides.py" --check "$TCPSTORM"
  [[ $status == 0 ]] || { say "$output"; return 1; }
}

@test "every event of the table is met by a test" {
  [[ $("$TCPSTORM" tables json | sed -n 's/^## \([a-z_]*\)$/\1/p' | paste -sd ' ') == 'start sample step transitions end look stacks recording flow explanation trace audit audits client_audit proxy_audit' ]]
}

@test "a run: columns, metrics, events" {
  start_storm --order leak --conns 20 --hold forever --json "$JSON" --metrics 127.0.0.1:9464
  wait_for_row client-close 1
  scrape_until 9464 "$BATS_TEST_TMPDIR/page" 'tcpstorm_step_info{'
  "$STORM" --rate 50 --duration 200ms --quiet --hold 0s --port 16000 --json "$BATS_TEST_TMPDIR/flow.json" 3>&-
  kill -INT "$storm_pid"
  end_storm "$PATIENCE"
  as_in_table csv csv "$CSV"
  as_in_table metrics metrics "$BATS_TEST_TMPDIR/page"
  as_in_table json start,sample,step,end "$JSON" "$BATS_TEST_TMPDIR/flow.json"
  [[ $(head -n 1 "$CSV") == "$CSV_HEADER" ]]
}

@test "a watch, and an explanation" {
  start_leak
  start_leak unshare -n bash -c 'ip link set lo up && exec "$@"' bash
  scraped_watch 9464 'tcpstorm_watch_closing_open{' --closings 3>&- &
  local first=$!
  scraped_watch 9465 'tcpstorm_watch_growing{.*netns=' --all-namespaces
  wait "$first"
  as_in_table metrics metrics-watch,metrics-closings "$BATS_TEST_TMPDIR"/946[45].page
  "$STORM" watch --record "$BATS_TEST_TMPDIR/record" --by service --duration 300ms --interval 100ms --closings >/dev/null 2>&1 3>&-
  "$STORM" watch --pid "${others[0]}" --stacks --once --json "$JSON" 2>/dev/null 3>&-
  "$STORM" explain :8080 --for 1s --stacks --peek --free dry-run --json "$BATS_TEST_TMPDIR/why" >/dev/null 2>&1 3>&- || (($? == 1))
  as_in_table json look,stacks,recording,flow,explanation "$BATS_TEST_TMPDIR/record" "$JSON" "$BATS_TEST_TMPDIR/why"
}

@test "audits of a server, a client and a proxy" {
  local dir=$BATS_TEST_TMPDIR pids=()
  "$STORM" audit 127.0.0.1:8081 --order half-close,idle --trace --conns 2 --grace 100ms --json "$dir/1" --csv "$dir/1.csv" --run -- \
    "$STORM" server --cause ignore-eof --port 8081 >/dev/null 2>&1 3>&- &
  pids+=("$!")
  "$STORM" audit --as-server 8082 --grace 100ms --conns 1 --json "$dir/2" --csv "$dir/2.csv" -- \
    python3 -c 'import socket; socket.create_connection(("127.0.0.1", 8082)).recv(1)' >/dev/null 2>&1 3>&- &
  pids+=("$!")
  "$STORM" audit --through 127.0.0.1:8083 --as-backend 8084 --conns 1 --grace 100ms --json "$dir/3" --csv "$dir/3.csv" >/dev/null 2>&1 3>&- &
  pids+=("$!")
  wait "${pids[@]}" || true
  as_in_table csv csv-audit "$dir/1.csv"
  as_in_table csv csv-audit "$dir/2.csv"
  as_in_table csv csv-proxy "$dir/3.csv"
  as_in_table json audit,audits,client_audit,proxy_audit "$dir/1" "$dir/2" "$dir/3"
}

@test "a table that lacks a row, or has one too many, is told" {
  # A program whose tables say something else.
  printf '#!/bin/sh\n"%s" tables "$2" | sed "$CHANGE"\n' "$STORM" >"$BATS_TEST_TMPDIR/liar"
  chmod +x "$BATS_TEST_TMPDIR/liar"
  printf '%s\n' "$CSV_HEADER" >"$CSV"
  printf '{"event": "flow", "t_s": 1, "over_s": 1, "news": true, "lost": 0, "dropped": 0, "ports": []}\n' >"$JSON"
  STORM=$BATS_TEST_TMPDIR/liar
  export CHANGE=''
  as_in_table csv csv "$CSV"
  as_in_table json flow "$JSON"
  for CHANGE in '/`lost`/d' 's/`lost`/`lost`, `found`/' 's/`owed`/`owned`/'; do
    ! as_in_table csv csv "$CSV" || { say "not told: $CHANGE"; return 1; }
  done
  for CHANGE in '/`dropped`/d' 's/`lost`/`lost`, `found`/'; do
    ! as_in_table json flow "$JSON" || { say "not told: $CHANGE"; return 1; }
  done
  CHANGE=''
  sed -i 's/"ports": \[\]/"ports": [{"side": "server", "found": 1}]/' "$JSON"
  ! as_in_table json flow "$JSON" || { say 'not told: a member of an object in it'; return 1; }
}
