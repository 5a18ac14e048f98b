#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash; every test is a subshell
#
# "tcpstorm watch --metrics" and "--closings": a leak and its clean twin beside each other, as Prometheus is told of them; and
# that no monitor disturbs the watch. promtool and a real Prometheus: tests/real/watch_metrics.bats.

bats_require_minimum_version 1.5.0

load ../storm
load ../fail_call

AT=127.0.0.1:9464
LEAK=18080 TWIN=18081 # ports of the server that never closes, and of the one that does
LIB=$BATS_TEST_DIRNAME/../../../scripts/lib/monitor

# start_servers: one that leaks, one that does not; their clients come and leave until $BATS_TEST_TMPDIR/rest is there.
start_servers() {
  python3 -u -c 'import os, socket, sys, threading, time
leak, twin, rest = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
kept = []
def serve(port, keep):
    listener = socket.create_server(("127.0.0.1", port), backlog=1024)
    while True:
        c = listener.accept()[0]
        while c.recv(4096): pass
        if keep: kept.append(c)
        else: c.close()
for port, keep in (leak, True), (twin, False):
    threading.Thread(target=serve, args=(port, keep), daemon=True).start()
while True:
    for port in leak, twin:
        try: c = socket.create_connection(("127.0.0.1", port), 20)
        except OSError: continue
        c.sendall(b"x"); c.close()
    time.sleep(0.02)
    while os.path.exists(rest): time.sleep(0.02)' "$LEAK" "$TWIN" "$BATS_TEST_TMPDIR/rest" 3>&- &
  server_pid=$!
  others+=("$server_pid")
}

# start_watch OPTION...
start_watch() {
  "$STORM" watch --metrics "$AT" --interval 100ms "$@" >"$OUT" 2>"$ERR" 3>&- &
  watch_pid=$!
  others+=("$watch_pid")
  wait_until 10 scrape
}

# ask METHOD PATH [HEADER...]: the head of the answer is in $HEAD, its body in $PAGE.
ask() {
  local door request
  HEAD=$BATS_TEST_TMPDIR/head PAGE=$BATS_TEST_TMPDIR/page
  printf -v request '%s\r\n' "$1 $2 HTTP/1.1" 'Host: here' "${@:3}" ''
  { exec {door}<>"/dev/tcp/${AT%:*}/${AT##*:}"; } 2>/dev/null || return 1
  printf '%s' "$request" >&"$door"
  timeout 20 cat <&"$door" | tr -d '\r' >"$BATS_TEST_TMPDIR/answer"
  exec {door}>&-
  sed '/^$/,$d' "$BATS_TEST_TMPDIR/answer" >"$HEAD"
  sed '1,/^$/d' "$BATS_TEST_TMPDIR/answer" >"$PAGE"
}

scrape() {
  ask GET /metrics && [[ $(head -n 1 "$HEAD") == 'HTTP/1.1 200 OK' ]]
}

# of PORT NAME [LABEL]: the value of the server's sample on the page; nothing where it is not there.
of() {
  awk -v name="tcpstorm_watch_$2{" -v port="side=\"server\",port=\"$1\"," -v label="${3-}" \
    'index($1, name) == 1 && index($1, port) && index($1, label) { print $NF }' "$PAGE"
}

is_told() {
  scrape && [[ $(of "$LEAK" growing 'group="owed"') == 1 ]]
}

expect_served() {
  [[ $(head -n 1 "$HEAD") == "HTTP/1.1 $1 "* ]] || { say "instead of $1:" "$(cat "$HEAD")"; return 1; }
}

# expect_families FILE: all that it asks for are on the page.
expect_families() {
  local family
  while read -r family; do
    grep -q "^${family}[{ ]" "$PAGE" || { say "$1 asks for $family, which is not on the page"; return 1; }
  done < <(grep -o 'tcpstorm_[a-z_]*' "$1" | sort -u)
}

end_watch() {
  code=0
  kill -"$1" "$watch_pid"
  wait "$watch_pid" || code=$?
}

@test "the leak grows, its twin does not; ss agrees, what is gone goes back to 0, and closings are timed" {
  start_servers
  start_watch --closings --json "$JSON"
  # Whoever asks and never reads does not stop it.
  exec {door}<>"/dev/tcp/${AT%:*}/${AT##*:}"
  printf 'GET /metrics HTTP/1.1\r\n\r\nGET /metrics' >&"$door"
  wait_until 30 is_told
  [[ $(of "$TWIN" growing 'group="owed"') != 1 && $(of "$LEAK" growth_low_per_second 'group="owed"') == [0-9]* ]]
  [[ $(of "$LEAK" fds_exhausted_seconds) =~ ^[0-9.e+]+$ && $(of "$TWIN" fds_exhausted_seconds) != [0-9]* ]]
  touch "$BATS_TEST_TMPDIR/rest"
  wait_until 10 agrees_with_ss
  [[ $(of "$LEAK" connection_states 'state="close_wait"') == $(of "$LEAK" held 'group="close_wait"') ]]
  [[ $(of "$LEAK" close_wait_age_seconds_bucket 'le="+Inf"') == $(of "$LEAK" held 'group="close_wait"') ]]
  [[ $(of "$LEAK" program) == '' && $(grep -c "port=\"$LEAK\",service=\"[^\"]*\",program=\"python3[.0-9]*\"" "$PAGE") -gt 10 ]]
  (($(of "$LEAK" open_fds) > $(of "$LEAK" held 'group="owed"')))
  expect_families "$LIB/tcpstorm-dashboard.json"
  expect_families "$LIB/tcpstorm-alerts.yml"
  [[ $(grep '^# TYPE' "$PAGE" | sort | uniq -d) == '' ]]
  # The twin closes at once, which no look could tell; the other one never does.
  jq -s -e "last.closings | any(.port == $TWIN and .side == \"server\" and .open == 0 and .count > 10 and .p50_least_s == 0 and .p50_most_s < 60)
    and any(.port == $LEAK and .side == \"server\" and .open == .count and .count > 10 and .p50_most_s == null)
    and all(.side == \"server\" or (.port != $TWIN and .port != $LEAK))" "$JSON"
  # All ends with the server.
  kill -KILL "$server_pid"
  wait_until 20 goes_back_to_zero
  [[ $(of "$LEAK" close_wait_age_seconds_bucket 'le="+Inf"') == 0 && $(of "$LEAK" open_fds) == NaN ]]
  ask HEAD /metrics
  expect_served 200
  expect_empty "$PAGE"
  ask GET /
  expect_served 404
  ask POST /metrics
  expect_served 501
  ask GET /metrics 'Accept: application/openmetrics-text; version=1.0.0'
  [[ $(tail -n 1 "$PAGE") == '# EOF' ]]
  grep -qx '# UNIT tcpstorm_watch_look_seconds seconds' "$PAGE"
  end_watch TERM
  expect_code 0
  expect_empty "$OUT"
  expect_empty "$ERR"
  exec {door}>&-
}

agrees_with_ss() {
  scrape && [[ $(of "$LEAK" held 'group="owed"') == $(ss -Htan state close-wait "sport = :$LEAK" | wc -l) ]]
}

goes_back_to_zero() {
  scrape && [[ $(of "$LEAK" held 'group="owed"') == 0 && $(of "$LEAK" connection_states 'state="close_wait"') == 0 ]]
}

@test "news of closings that is lost is said, and all is counted anew" {
  fail_call recvfrom ENOBUFS watch 3 1
  "${launcher[@]}" "$STORM" watch --closings --interval 100ms --json "$JSON" >"$OUT" 2>"$ERR" 3>&- &
  watch_pid=$!
  others+=("$watch_pid")
  wait_until 10 is_lost
  end_watch INT
  expect_code 0
  expect_in "$OUT" "closings: the kernel's reports of ends were lost once: counting again since "
}

is_lost() {
  [[ -s $JSON ]] && head -n "$(wc -l <"$JSON")" "$JSON" | jq -s -e 'last.closings_lost == 1 and last.closings_since_s < last.t_s' >/dev/null
}

@test "a port that is taken, an address of another host: exit status 3, one sentence, and no file is made" {
  local at
  start_watch
  for at in "$AT" 192.0.2.1:9464; do
    code=0
    "$STORM" watch --metrics "$at" --json "$BATS_TEST_TMPDIR/other" >"$OUT.2" 2>"$ERR" 3>&- || code=$?
    expect_code 3
    expect_one_sentence
    expect_in "$ERR" "--metrics \"$at\": "
    expect_in "$ERR" 'choose another'
    [[ ! -e $BATS_TEST_TMPDIR/other ]]
  done
  end_watch INT
  expect_code 0
}
