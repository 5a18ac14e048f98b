#!/usr/bin/env bats
# shellcheck disable=SC2154 # bats sets status and output
#
# A real Prometheus scrapes a run: its own idea of the page, and the numbers that it then has. Both have ports of this
# machine that nobody listens on; the connections are in a namespace of the run's own.

bats_require_minimum_version 1.5.0

PATIENCE=30 # seconds within which what is waited for must come

setup() {
  local tool
  for tool in prometheus promtool curl jq; do
    command -v "$tool" >/dev/null || skip "$tool is missing: apt-get install prometheus curl jq"
  done
  "$TCPSTORM" --dry-run --quiet --isolate >/dev/null 2>&1 || skip 'this machine refuses a private network namespace'
  DATA=$BATS_TEST_TMPDIR/data LOG=$BATS_TEST_TMPDIR/prometheus.log
  at=127.0.0.1:$(free_port 19464)
  prometheus_at=127.0.0.1:$(free_port 19090)
  storm_pid='' prometheus_pid=''
}

teardown() {
  local pid
  for pid in $storm_pid $prometheus_pid; do
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
}

say() {
  printf '%s\n' "$*"
}

# free_port FROM: the first from there that nobody listens on.
free_port() {
  local port=$1
  while { : <"/dev/tcp/127.0.0.1/$port"; } 2>/dev/null; do
    port=$((port + 1))
  done
  say "$port"
}

# wait_until COMMAND...: until the command succeeds; fails when it never does.
wait_until() {
  local deadline=$((SECONDS + PATIENCE + 1))
  until "$@"; do
    ((SECONDS < deadline)) || return 1
    sleep 0.1
  done
}

# start_storm OPTION...
start_storm() {
  "$TCPSTORM" --isolate --quiet --metrics "$at" "$@" 3>&- &
  storm_pid=$!
}

stop_storm() {
  local code=0
  kill -INT "$storm_pid"
  wait "$storm_pid" || code=$?
  storm_pid=''
  ((code == 130))
}

start_prometheus() {
  cat >"$BATS_TEST_TMPDIR/prometheus.yml" <<YML
global:
  scrape_interval: 500ms
  scrape_timeout: 500ms
scrape_configs:
  - job_name: tcpstorm
    static_configs:
      - targets: ['$at']
YML
  promtool check config "$BATS_TEST_TMPDIR/prometheus.yml"
  prometheus --config.file="$BATS_TEST_TMPDIR/prometheus.yml" --storage.tsdb.path="$DATA" \
    --web.listen-address="$prometheus_at" --log.level=warn >"$LOG" 2>&1 3>&- &
  prometheus_pid=$!
}

# query EXPRESSION: a line for each series, "LABEL... VALUE", its labels by name, without job and instance.
query() {
  curl -sS --fail --get --data-urlencode "query=$1" "http://$prometheus_at/api/v1/query" 2>/dev/null |
    jq -r '.data.result[] | (.metric | del(.__name__, .job, .instance) | map(.)) + [.value[1]] | join(" ")' | sort
}

answer_is() {
  [[ $(query "$1") == "$2" ]]
}

# expect_answer EXPRESSION LINES: it comes.
expect_answer() {
  if ! wait_until answer_is "$1" "$2"; then
    say "$1 is:" "$(query "$1")" "where this was expected:" "$2"
    cat "$LOG"
    return 1
  fi
}

# type_of FAMILY: as Prometheus has it from the page.
type_of() {
  curl -sS --fail --get --data-urlencode "metric=$1" "http://$prometheus_at/api/v1/targets/metadata" |
    jq -r '.data[].type'
}

page_is_served() {
  curl -sS --fail "http://$at/metrics" >"$BATS_TEST_TMPDIR/page" 2>/dev/null
}

page_has() {
  page_is_served && grep -qxF "$1" "$BATS_TEST_TMPDIR/page"
}

page_has_errors() {
  page_is_served && grep -qx 'tcpstorm_errors_total{side="server"} [1-9][0-9]*' "$BATS_TEST_TMPDIR/page"
}

# Exit status 0, and nothing to remark.
expect_good_page() {
  run promtool check metrics <"$BATS_TEST_TMPDIR/page"
  if [[ $status != 0 || -n $output ]]; then
    say "promtool: exit status $status:" "$output"
    return 1
  fi
}

@test "Prometheus has the states of both sides as they are, and knows when the run is over" {
  start_prometheus
  expect_answer up 0
  start_storm --order leak --conns 300 --hold forever
  expect_answer up 1
  expect_answer 'tcpstorm_connection_states{state="close_wait"}' $'client close_wait 0\nserver close_wait 300'
  expect_answer 'tcpstorm_connection_states{state="fin_wait2"}' $'client fin_wait2 300\nserver fin_wait2 0'
  expect_answer 'sum by (side) (tcpstorm_connection_states{state!="listen"})' $'client 300\nserver 300'
  expect_answer 'count(tcpstorm_connection_states)' 22
  expect_answer 'tcpstorm_close_wait_unread' $'client 0\nserver 300'
  expect_answer 'tcpstorm_open_fds' $'client 0\nserver 300'
  expect_answer 'tcpstorm_connections_wanted' 300
  expect_answer 'rate(tcpstorm_looks_total[10s]) > bool 0' 1
  expect_answer 'tcpstorm_look_age_seconds < bool 5' 1
  expect_answer 'scrape_samples_post_metric_relabeling == bool scrape_samples_scraped' 1
  stop_storm
  expect_answer up 0
  expect_answer 'tcpstorm_connection_states' ''
  run ! grep -E 'level=(warn|error)' "$LOG"
}

@test "Prometheus takes it as OpenMetrics" {
  start_storm --order never-close --conns 10 --hold forever
  start_prometheus
  expect_answer up 1
  expect_answer 'tcpstorm_connections_opened' 10
  [[ $(type_of tcpstorm_connection_states) == gauge ]]
  # In the other format these two families have other names.
  [[ $(type_of tcpstorm_looks) == counter ]]
  [[ $(type_of tcpstorm_build) == info ]]
  stop_storm
}

@test "a leak over time is a line that climbs" {
  start_prometheus
  start_storm --cause ignore-eof --rate 100 --duration 6s --hold forever
  expect_answer 'tcpstorm_connection_states{side="server",state="close_wait"}' 'server close_wait 600'
  # What an alert would ask: it grew all the time, and at the rate of the arrivals.
  expect_answer 'deriv(tcpstorm_connection_states{side="server",state="close_wait"}[60s]) > bool 1' 'server close_wait 1'
  expect_answer 'min_over_time(tcpstorm_connection_states{side="server",state="close_wait"}[60s]) < bool 600' 'server close_wait 1'
  expect_answer 'tcpstorm_step_info' 'holding ignore-eof arrivals 1'
  stop_storm
}

@test "promtool has nothing to remark, at the beginning, in a hold and in a flow" {
  start_storm --order leak --conns 300 --hold forever
  wait_until page_is_served
  expect_good_page
  wait_until page_has 'tcpstorm_connection_states{side="server",state="close_wait"} 300'
  expect_good_page
  stop_storm
  start_storm --cause ignore-eof --rate 200 --duration 60s --server-nofile 100 --backlog 16
  wait_until page_has_errors
  expect_good_page
  stop_storm
}
