#!/usr/bin/env bats
# shellcheck disable=SC2154 # bats sets status and output
#
# "tcpstorm watch --metrics" and a real Prometheus: its own idea of the page, of the rules and of what they say of examples;
# and a real leak, for which it fires, beside a clean twin, for which it does not. All is in a network namespace of its own.

bats_require_minimum_version 1.5.0

MONITOR=$(realpath "$BATS_TEST_DIRNAME/../../scripts/lib/monitor")
LEAK=18080 TWIN=18081
AT=127.0.0.1:9464 PROMETHEUS=127.0.0.1:9090

setup() {
  local tool
  for tool in prometheus promtool curl jq python3; do
    command -v "$tool" >/dev/null || skip "$tool is missing: apt-get install prometheus curl jq python3"
  done
  pids=()
}

teardown() {
  local pid
  for pid in "${pids[@]}"; do
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
}

# in_background COMMAND...: until the test ends, in the namespace.
in_background() {
  nsenter -t "$inside" -U -n --preserve-credentials -- "$@" 3>&- &
  pids+=("$!")
}

within() {
  nsenter -t "$inside" -U -n --preserve-credentials -- "$@"
}

enter_namespace() {
  unshare -Urn bash -c 'ip link set lo up && exec sleep 1000' 3>&- &
  inside=$!
  pids+=("$inside")
  wait_until 20 has_loopback || skip 'this machine refuses a private network namespace'
}

has_loopback() {
  [[ $(within ip -o link show lo up 2>/dev/null) ]]
}

# wait_until SECONDS COMMAND...
wait_until() {
  local deadline=$((SECONDS + $1 + 1))
  shift
  until "$@"; do
    ((SECONDS < deadline)) || return 1
    sleep 0.1
  done
}

start_leak_and_twin() {
  in_background python3 -c 'import resource, socket, sys, threading, time
resource.setrlimit(resource.RLIMIT_NOFILE, (4000, 4000))
def serve(port, kept):
    listener = socket.create_server(("127.0.0.1", port), backlog=1024)
    while True:
        c = listener.accept()[0]
        while c.recv(4096): pass
        c.close() if kept is None else kept.append(c)
threading.Thread(target=serve, args=(int(sys.argv[1]), []), daemon=True).start()
threading.Thread(target=serve, args=(int(sys.argv[2]), None), daemon=True).start()
while True:
    for port in sys.argv[1:]:
        try: c = socket.create_connection(("127.0.0.1", int(port)), 20)
        except OSError: continue
        c.sendall(b"x"); c.close()
    time.sleep(0.05)' "$LEAK" "$TWIN"
}

start_prometheus() {
  cat >"$BATS_TEST_TMPDIR/prometheus.yml" <<YML
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: ['$MONITOR/tcpstorm-alerts.yml']
scrape_configs:
  - job_name: tcpstorm
    static_configs: [{targets: ['$AT']}]
YML
  promtool check config "$BATS_TEST_TMPDIR/prometheus.yml"
  in_background prometheus --config.file="$BATS_TEST_TMPDIR/prometheus.yml" --storage.tsdb.path="$BATS_TEST_TMPDIR/data" \
    --web.listen-address="$PROMETHEUS" --log.level=warn
}

# alerts: a line for each that fires, "NAME PORT GROUP".
alerts() {
  within curl -sS --fail "http://$PROMETHEUS/api/v1/alerts" 2>/dev/null |
    jq -r '.data.alerts[] | select(.state == "firing") | [.labels.alertname, .labels.port, .labels.group // "-"] | join(" ")' | sort
}

fires() {
  alerts | grep -qx "$1"
}

page_is_served() {
  within curl -sS --fail "http://$AT/metrics" >"$BATS_TEST_TMPDIR/page" 2>/dev/null
}

@test "promtool takes the rules, and they say what they should of examples" {
  promtool check rules "$MONITOR/tcpstorm-alerts.yml"
  sed "s|RULES|$MONITOR/tcpstorm-alerts.yml|" "$BATS_TEST_DIRNAME/watch_alerts.test.yml" >"$BATS_TEST_TMPDIR/examples.yml"
  promtool test rules "$BATS_TEST_TMPDIR/examples.yml"
}

@test "a real Prometheus fires for the leak, not for its twin; promtool has nothing to remark on the page" {
  enter_namespace
  in_background "$TCPSTORM" watch --metrics "$AT" --interval 200ms --closings
  start_prometheus
  start_leak_and_twin
  wait_until 120 fires "TcpSocketLeak $LEAK owed" || { page_is_served; cat "$BATS_TEST_TMPDIR/page"; return 1; }
  wait_until 120 fires "TcpDescriptorsRunOut $LEAK -"
  # The twin had as many connections.
  [[ $(alerts | grep -vE " $LEAK ") == '' ]] || { alerts; return 1; }
  page_is_served
  grep -q "port=\"$TWIN\"" "$BATS_TEST_TMPDIR/page"
  run promtool check metrics <"$BATS_TEST_TMPDIR/page"
  [[ $status == 0 && $output == '' ]] || { echo "$output"; return 1; }
  # What the panels ask for is there; it is a language of its own, which Prometheus reads.
  local asked
  while read -r asked; do
    [[ $(within curl -sS --get --data-urlencode "query=$asked" "http://$PROMETHEUS/api/v1/query" | jq -r .status) == success ]] ||
      { echo "Prometheus does not take: $asked"; return 1; }
  done < <(jq -r '.panels[].targets[].expr' "$MONITOR/tcpstorm-dashboard.json" | sed 's/"\$[a-z]*"/".*"/g')
}

@test "systemd takes the unit" {
  command -v systemd-analyze >/dev/null || skip 'systemd-analyze is missing: apt-get install systemd'
  sed "s|/usr/local/bin/tcpstorm|$TCPSTORM|" "$MONITOR/tcpstorm-watch.service" >"$BATS_TEST_TMPDIR/tcpstorm-watch.service"
  run systemd-analyze --man=no verify "$BATS_TEST_TMPDIR/tcpstorm-watch.service"
  [[ $status == 0 && $output == '' ]] || { echo "$output"; return 1; }
}
