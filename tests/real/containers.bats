#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash, hosts.bash and containers.bash; every test is a subshell
#
# Containers (containers.bash): a storm between two made by hand, with nsenter as its launcher, and between two of Podman; and what
# watch, explain and trace, outside, say of a server in one.
#
# run-bats: a machine of its own

load ../net/storm
load ../net/ss_witness
load ../net/hosts
load play_guide
load ../net/control_groups
load ../net/trace
load containers

LONG=120
SOURCES=${BATS_TEST_DIRNAME%/*}/net/trace
PORT=8080

needs() { needs_containers; }

eval "around_$(declare -f teardown)"
teardown() {
  around_teardown
  remove_containers
}

# ---- a storm between two ----

two_containers() {
  new_hosts
  new_container db
  new_container web
  over=(--allow-remote --worker-path /usr/local/bin/tcpstorm --server-via "$(via db)" --address "$(address_of db)"
    --client-via "$(via web)")
}

held() {
  start_storm "${over[@]}" --quiet --conns 1000 --order never-close --hold forever
  wait_for_row open 1
  [[ $(on db ss -Htan state established | grep -c '10.77.0.1:150') == 1000 ]]
  [[ $(on web ss -Htan state established | grep -c '10.77.0.1:150') == 1000 ]]
}

@test "between two containers each one's ss counts the same, and the worker is the one in the container" {
  two_containers
  witnessed_hosts server-first,leak 2 "${over[@]}" --conns 300
  expect_rows server:db client:web
  expect_sum leak client-close server close_wait=300
  held
  [[ $(readlink "/proc/$(pid_on db 'worker server')/ns/mnt") == "$(readlink "/proc/${keeper[db]}/ns/mnt")" ]]
  [[ $(awk '/^NSpid:/ { print NF }' "/proc/$(pid_on db 'worker server')/status") -gt $(awk '/^NSpid:/ { print NF }' /proc/self/status) ]]
  [[ $(nsenter -a -t "${keeper[db]}" uname -n) == db ]]
  kill -INT "$storm_pid"
  end_storm 40
  expect_code 130
  expect_nobody_left
}

@test "a controller that is killed leaves nobody in any container" {
  two_containers
  held
  kill -KILL "$storm_pid"
  expect_nobody_left 25
}

@test "a container that ends: its launcher is named, and nobody is left" {
  two_containers
  held
  kill -KILL "${keeper[web]}"
  end_storm 60
  expect_lost 3 "host \"$(via web)\""
  has_row open 1
}

two_of_podman() {
  use_podman
  new_hosts
  podman_container db
  podman_container web
  over=(--allow-remote --worker-path /usr/local/bin/tcpstorm --server-via "$(via db)" --address "$(address_of db)"
    --client-via "$(via web)")
}

@test "between two containers of Podman each one's ss counts the same" {
  two_of_podman
  witnessed_hosts server-first,leak 2 "${over[@]}" --conns 300
  expect_rows server:db client:web
  expect_sum leak client-close server close_wait=300
}

@test "Podman: an interrupt, and a controller that is killed, leave nobody in any container" {
  two_of_podman
  held
  kill -INT "$storm_pid"
  end_storm 40
  expect_code 130
  expect_nobody_left
  held
  kill -KILL "$storm_pid"
  expect_nobody_left 25
}

@test "Podman: a container that is killed: its launcher is named, and nobody is left" {
  two_of_podman
  held
  podman kill web >/dev/null
  end_storm 60
  expect_lost 3 "host \"$(via web)\""
}

@test "Podman: the guide's lines do what it shows" {
  two_of_podman
  on db ip address add 10.1.0.11/24 dev eth0
  on web ip address add 10.1.0.12/24 dev eth0
  play_guide tcpstorm-hosts
  expect_nobody_left
}

# ---- a server in one, looked at from outside ----

# serve_in NAME WORD...: a server of threads, built with these words for the compiler; only that container has it.
serve_in() {
  build "$1.built" "${@:2}" threads_server.c -pthread
  mkdir -p "$YARD/$1/up/usr/local/bin"
  mv "$server" "$YARD/$1/up/usr/local/bin/shop"
  if [[ ${engine-} ]]; then podman_container "$1" shop "$PORT"; else new_container "$1" shop "$PORT"; fi
  wait_until 10 is_listening_in "$1"
}

is_listening_in() {
  [[ -n $(on "$1" ss -Hltn "sport = :$PORT") ]]
}

# visit_in NAME COUNT: clients that come one by one, and each leaves first.
visit_in() {
  on "$1" python3 - "$PORT" "$2" <<'PYTHON' 3>&-
import socket, sys
for i in range(int(sys.argv[2])):
    client = socket.create_connection(("127.0.0.1", int(sys.argv[1])), 5)
    client.sendall(b"hello\n")
    client.shutdown(socket.SHUT_WR)
    client.settimeout(0.1)
    try:
        while client.recv(4096):
            pass
    except OSError:
        pass
    client.close()
PYTHON
}

@test "watch, outside: a server that leaks in a container, and its twin in another" {
  serve_in leaky -DLEAK=5
  serve_in clean
  [[ ! -e /usr/local/bin/shop ]]
  visit_in leaky 20
  visit_in clean 20
  [[ $(on leaky ss -Htan state close-wait | wc -l) == 4 && -z $(on clean ss -Htan state close-wait) ]]
  "$STORM" watch --once --all-namespaces --port "$PORT" --json - >"$JSON" 3>&-
  [[ $(of_rows leaky) == "${keeper[leaky]} shop 4 $(name_of leaky)" ]] || { of_rows leaky; return 1; }
  [[ $(of_rows clean) == *" 0 "* || -z $(of_rows clean) ]] || { of_rows clean; return 1; }
  "$STORM" watch --once --all-namespaces --by service >"$OUT" 3>&-
  grep -qE "^$(name_of leaky) .* 4 " "$OUT" || { cat "$OUT"; return 1; }
  "$STORM" watch --once --pid "${keeper[leaky]}" --json - >"$JSON" 3>&-
  [[ $(jq -c '[.ports[] | select(.side == "server") | .states.close_wait]' "$JSON") == '[4]' ]]
}

# of_rows NAME: pid, program, CLOSE_WAIT and service of the server's row in that container.
of_rows() {
  jq -r --arg name "$(name_of "$1")" '.ports[] | select(.side == "server" and .netns == $name) |
    "\(.pid) \(.command) \(.states.close_wait // 0) \(.service)"' "$JSON"
}

@test "explain, outside: the process and its container are named, and lines of a program that only the container has" {
  serve_in leaky -DLEAK=5
  serve_in clean
  visit_in leaky 20
  visit_in clean 20
  rest 999
  rest 999
  explain leaky --stacks
  expect_code 1
  grep -q "^shop ${keeper[leaky]} ($(name_of leaky)) listens on" "$OUT" || { show_output; return 1; }
  expect_in "$OUT" "threads_server.c:"
  [[ $(jq -r '.processes[0] | "\(.pid) \(.command) \(.service)"' "$JSON") == "${keeper[leaky]} shop $(name_of leaky)" ]]
  [[ $(jq '[.findings[].sockets] | add' "$JSON") == 4 ]] || { jq .findings "$JSON"; return 1; }
  explain clean --stacks
  expect_code 0
  grep -q "^shop ${keeper[clean]} ($(name_of clean)) listens on" "$OUT" || { show_output; return 1; }
}

explain() {
  code=0
  "$STORM" explain "${keeper[$1]}" "${@:2}" --json "$JSON" >"$OUT" 2>"$ERR" 3>&- || code=$?
}

@test "trace, outside: it names the container, and the line where connections part" {
  serve_in leaky -DLEAK=5
  trace leaky
  expect_code 1
  expect_in "$OUT" "shop ${keeper[leaky]} ($(name_of leaky)), traced for"
  expect_in "$OUT" "it accepted 20 connections"
  [[ $(jq -r '"\(.pid) \(.command) \(.service) \(.lingering)"' "$JSON") == "${keeper[leaky]} shop $(name_of leaky) 4" ]]
  expect_in "$OUT" "$(line_of threads_server.c close) in serve"
  serve_in clean
  trace clean
  expect_code 0
  expect_in "$OUT" "shop ${keeper[clean]} ($(name_of clean)), traced for"
}

@test "watch, explain and trace, outside, of a server in a container of Podman" {
  use_podman
  serve_in leaky -DLEAK=5
  trace leaky
  expect_code 1
  expect_in "$OUT" "shop ${keeper[leaky]} ($(name_of leaky)), traced for"
  "$STORM" watch --once --all-namespaces --port "$PORT" --json - >"$JSON" 3>&-
  [[ $(of_rows leaky) == "${keeper[leaky]} shop 4 $(name_of leaky)" ]] || { of_rows leaky; return 1; }
  explain leaky
  expect_code 1
  grep -q "^shop ${keeper[leaky]} ($(name_of leaky)) listens on" "$OUT" || { show_output; return 1; }
}

@test "trace of a server in a container, from the wrong network: it says how to come into it" {
  serve_in leaky -DLEAK=5
  code=0
  "$STORM" trace "${keeper[leaky]}" --duration 100ms >"$OUT" 2>"$ERR" 3>&- || code=$?
  expect_code 3
  expect_in "$ERR" "run \"nsenter -t ${keeper[leaky]} -n tcpstorm trace ${keeper[leaky]}\""
}

# trace NAME: while 20 clients come and go.
trace() {
  code=0
  nsenter -t "${keeper[$1]}" -n -- "$STORM" trace "${keeper[$1]}" --json "$JSON" --duration 3s --linger 500ms >"$OUT" 2>"$ERR" 3>&- &
  local tracer=$!
  wait_until 10 has_begun "$tracer"
  visit_in "$1" 20
  wait "$tracer" || code=$?
  if grep -q "does not show\|has no tracepoints\|to root only" "$ERR"; then
    skip "this machine shows no system calls: $(cat "$ERR")"
  fi
}

# It has its rings mapped, or has ended.
has_begun() {
  grep -q 'perf_event' "/proc/$1/maps" 2>/dev/null || ! kill -0 "$1" 2>/dev/null
}
