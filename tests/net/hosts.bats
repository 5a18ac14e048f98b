#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash; every test is a subshell
# shellcheck disable=SC2016 # fake workers are scripts of their own
#
# Hosts: runs whose workers are behind launchers, here in network namespaces on one bridge; what each host's kernel counts,
# and what becomes of a run that loses one.

load storm
load ss_witness
load hosts
load fail_call

# holds JQ-EXPRESSION: true for the list of all events.
holds() {
  jq -e -s "$1" "$JSON" >/dev/null || { say "not so: $1"; head -c 2000 "$JSON"; return 1; }
}

# expect_lost CODE TEXT...: that exit status, one sentence with each text, whole rows, nobody left.
expect_lost() {
  local text
  expect_code "$1"
  expect_one_sentence
  for text in "${@:2}"; do
    expect_in "$ERR" "$text"
  done
  expect_nobody_left
}

# expect_kept STEP: the rows of that step, and only whole lines.
expect_kept() {
  has_row "$1" 1
  [[ -z $(tail -c 1 "$CSV") ]]
  awk -F, 'NF != 31 { print; exit 1 }' "$CSV"
}

# ---- what is counted ----

@test "over one server and two clients each host's ss counts the same" {
  one_server_two_clients
  witnessed_hosts server-first,leak,abort,unread 3 "${over[@]}" --conns 300
  expect_rows server:db client:web1 client:web2
  expect_sum server-first server-close server fin_wait2=300 fds=0
  expect_sum server-first server-close client close_wait=300 fds=300
  expect_sum leak client-close client fin_wait2=300
  [[ $(sum_settled leak client-close client fin_wait2 web1) == 150 ]]
  [[ $(sum_settled leak client-close client fin_wait2 web2) == 150 ]]
}

@test "over two servers and two clients, each server with its address, each host's ss counts the same" {
  new_hosts db1 db2 web1 web2
  witnessed_hosts client-first,backlog,half-close 4 --conns 400 --allow-remote \
    --server-via "$(via db1)" --address "$(address_of db1)" --server-via "$(via db2)" --address "$(address_of db2)" \
    --client-via "$(via web1)" --client-via "$(via web2)"
  expect_rows server:db1 server:db2 client:web1 client:web2
  expect_sum client-first server-close client time_wait=400
  [[ $(sum_settled client-first client-close server close_wait db1) == 200 ]]
  [[ $(sum_settled client-first client-close server close_wait db2) == 200 ]]
  expect_in "$OUT" "lanes 10.77.0.1:"
  expect_in "$OUT" "on host \"$(via db2)\""
}

@test "over IPv6 each host's ss counts the same" {
  [[ -e /proc/net/if_inet6 ]] || skip "this kernel has no IPv6"
  new_hosts db web
  witnessed_hosts server-first,unread 2 --conns 300 --allow-remote --server-via "$(via db)" --address "$(address_of db 6)" \
    --client-via "$(via web)"
  expect_rows server:db client:web
  expect_in "$OUT" "lanes [fd77::1]:"
}

@test "with the procfs witness each host's ss counts the same" {
  one_server_two_clients
  witnessed_hosts client-first 3 "${over[@]}" --conns 300 --witness procfs
}

@test "every order that needs nothing, over one server and two clients: as expected" {
  one_server_two_clients
  storm "${over[@]}" --conns 500 --hold 20ms --interval 20ms \
    --order server-first,client-first,half-close,never-close,leak,simultaneous,abort,unread,server-crash,client-crash,backlog
  expect_code 0
  expect_in "$OUT" "11 as expected: as expected"
  expect_rows server:db client:web1 client:web2
  expect_nobody_left
}

@test "connections one by one, over hosts: the leak is seen, and whose it is" {
  one_server_two_clients
  storm "${over[@]}" --rate 200 --duration 2s --order client-first --leak 5% --hold 200ms
  expect_code 0
  expect_rows server:db client:web1 client:web2
  expect_sum client-first arrivals server close_wait=20
  expect_in "$OUT" "behind $(via db)"
  expect_nobody_left
}

@test "a server without a launcher is on this machine" {
  new_hosts web1 web2
  witnessed_hosts server-first 3 --conns 300 --allow-remote --address 10.77.0.254 \
    --client-via "$(via web1)" --client-via "$(via web2)"
  expect_rows server:local client:web1 client:web2
  expect_in "$OUT" "on this machine"
}

@test "clients without a launcher are on this machine" {
  new_hosts db
  witnessed_hosts client-first 2 --conns 300 --allow-remote --server-via "$(via db)" --address "$(address_of db)"
  expect_rows server:db client:local
}

@test "launchers that reach the same kernel and namespace are counted once" {
  new_hosts db web
  witnessed_hosts server-first,leak 2 --conns 300 --allow-remote --server-via "$(via db)" --address "$(address_of db)" \
    --client-via "$(via web)" --client-via "env A=B $(via web)"
  expect_rows server:db client:web
  expect_sum server-first client-close server time_wait=300
}

@test "both sides behind launchers into one namespace may use its loopback" {
  new_hosts db
  storm --conns 200 --hold 50ms --server-via "$(via db)" --client-via "$(via db)" --address 127.0.0.1
  expect_code 0
  expect_rows server:db client:db
  expect_not_in "$ERR" "about to open"
}

@test "JSON has what the CSV has, host by host" {
  one_server_two_clients
  storm "${over[@]}" --conns 300 --order leak --hold 50ms --json "$JSON"
  expect_code 0
  diff <(jq -r 'select(.event == "sample") | [.order, .step, .side, .opened, .listen, .close_wait, .fin_wait2, .gone, .fds,
      .errors, .nofile, .unread, .queued // 0, .host] | map(tostring) | join(",")' "$JSON") \
    <(tail -n +2 "$CSV" | cut -d, -f1,4,6,7,8,14,13,19,20,21,30,24,26,31 |
      awk -F, -v OFS=, '{ print $1, $2, $3, $4, $5, $7, $6, $8, $9, $10, $13, $11, $12, $14 }')
  holds '[.[] | select(.event == "sample") | .host] | unique | length == 3'
}

@test "a launcher with commas and quotes leaves the CSV whole" {
  new_hosts db
  storm --conns 20 --hold 20ms --allow-remote --address "$(address_of db)" --server-via "env 'A=1,2' 'B=\"' $(via db)"
  expect_code 0
  awk -F, 'NF != 31 || /"/ { print; exit 1 }' "$CSV"
}

@test "what will be sent where is said before it is, and --quiet holds it back" {
  one_server_two_clients
  storm "${over[@]}" --conns 1000 --hold 20ms
  expect_in "$ERR" "about to open up to 1,000 TCP connections to 10.77.0.1, where host \"$(via db)\" listens"
  storm "${over[@]}" --conns 10 --hold 20ms --quiet
  expect_code 0
  expect_empty "$ERR"
}

@test "--dry-run asks the hosts, and connects nowhere" {
  one_server_two_clients
  storm "${over[@]}" --conns 1000 --dry-run
  expect_code 0
  expect_in "$OUT" "connections 1,000 on"
  expect_empty "$ERR"
  expect_nothing_sent db web1 web2
  expect_nobody_left
}

# ---- what a host can hold ----

@test "a host with few descriptors gets more workers, and the run is as expected" {
  new_hosts db web1 web2
  storm --conns 500 --hold 50ms --allow-remote --server-via "$(via db)" --address "$(address_of db)" \
    --client-via "prlimit --nofile=120:120 $(via web1)" --client-via "$(via web2)"
  expect_code 0
  expect_sum server-first open client established=500
  expect_nobody_left
}

@test "hosts that cannot hold so many refuse in one sentence, and nothing is sent" {
  new_hosts db web
  storm --conns 500 --quiet --allow-remote --server-via "prlimit --nofile=12:12 $(via db)" --address "$(address_of db)" \
    --client-via "$(via web)"
  expect_lost 3 "descriptors"
  expect_nothing_sent db web
}

@test "a port that is taken on the server's host: exit status 3, and the port is named" {
  one_server_two_clients
  start_storm "${over[@]}" --conns 2 --order never-close --hold forever --port 23000
  wait_for_row open 1
  others+=("$storm_pid")
  cp "$STORM" "$STORM.second"
  code=0
  timeout -k 1 20 "$STORM.second" "${over[@]}" --conns 10 --port 23000 --quiet >"$OUT" 2>"$ERR" 3>&- || code=$?
  expect_code 3
  expect_one_sentence
  expect_in "$ERR" "port 23000 has a listener"
  kill -INT "$storm_pid"
  end_storm "$PATIENCE"
  expect_nobody_left
}

# ---- launchers and hosts that fail ----

# drop_words_of WHO: a launcher has the standard error too, and what it says there is its own.
drop_words_of() {
  grep -q "^$1" "$ERR"
  sed -i "/^$1/d" "$ERR"
}

@test "a launcher that does not exist: its name, and what to try" {
  new_hosts db
  storm --conns 10 --quiet --allow-remote --server-via "$(via db)" --address "$(address_of db)" --client-via "no-such-launcher x"
  drop_words_of "sh:"
  expect_lost 3 'host "no-such-launcher x"' "127" "before it said hello" '"no-such-launcher x '
  expect_nothing_sent db
}

@test "a launcher that leaves at once: its name, and how it ended" {
  new_hosts db
  storm --conns 10 --quiet --allow-remote --server-via "$(via db)" --address "$(address_of db)" --client-via "sh -c 'exit 5' x"
  expect_lost 3 "host \"sh -c 'exit 5' x\" left with exit status 5"
  expect_nothing_sent db
}

@test "two launchers that fail are both named" {
  new_hosts db
  storm --conns 10 --quiet --allow-remote --server-via "$(via db)" --address "$(address_of db)" \
    --client-via "false 1" --client-via "false 2"
  expect_code 3
  expect_in "$ERR" 'host "false 1"'
  expect_in "$ERR" 'host "false 2"'
  expect_nobody_left
}

# fake_worker LINE...: a worker for --worker-path, in $fake: a shell script. "$@" is what it was given, $STORM the real one.
fake_worker() {
  fake=$BATS_TEST_TMPDIR/fake
  { say '#!/bin/sh'; say "STORM=$STORM"; say "$@"; } >"$fake"
  chmod +x "$fake"
}

@test "a host that greets before it speaks is heard" {
  new_hosts db
  fake_worker 'echo "Welcome to db."; echo; echo "Last login: today"; exec "$STORM" "$@"'
  storm --conns 50 --hold 50ms --allow-remote --server-via "$(via db)" --address "$(address_of db)" --worker-path "$fake"
  expect_code 0
  expect_rows server:db client:local
}

@test "a host that only talks is no host: its name, and what to try" {
  new_hosts db
  fake_worker 'head -c 5000 /dev/zero; exec cat >/dev/null'
  storm --conns 10 --quiet --allow-remote --server-via "$(via db)" --address "$(address_of db)" --worker-path "$fake"
  expect_lost 3 "host \"$(via db)\"" "before it said hello" "$fake version"
  fake_worker 'echo "This account is not available."; exit 1'
  storm --conns 10 --quiet --allow-remote --server-via "$(via db)" --address "$(address_of db)" --worker-path "$fake"
  expect_lost 3 "host \"$(via db)\" left with exit status 1 before it said hello"
}

@test "a host with another version or protocol: both are told" {
  local hello
  new_hosts db
  for hello in "hello 3 9.9.9" "hello 99 $("$STORM" version | cut -d' ' -f2)" "hello"; do
    fake_worker "echo '$hello'; exec cat >/dev/null"
    storm --conns 10 --quiet --allow-remote --server-via "$(via db)" --address "$(address_of db)" --worker-path "$fake"
    expect_lost 3 "host \"$(via db)\" has tcpstorm" "protocol" "--worker-path"
  done
}

@test "a host that says nothing of what it has is refused, and does not crash the run" {
  new_hosts db
  fake_worker '"$STORM" "$@" | grep --line-buffered -v ^limits'
  storm --conns 10 --quiet --allow-remote --server-via "$(via db)" --address "$(address_of db)" --worker-path "$fake"
  expect_code 3
  expect_in "$ERR" "hard limit of 0 descriptors"
  expect_nobody_left
}

@test "a worker that is not there: the host's name, and what to try" {
  new_hosts db
  storm --conns 10 --quiet --allow-remote --server-via "$(via db)" --address "$(address_of db)" --worker-path /nonexistent/tcpstorm
  drop_words_of "nsenter:"
  expect_lost 3 "host \"$(via db)\"" "/nonexistent/tcpstorm version"
}

@test "a host that is killed in a hold: its name, exit status 3, the rows kept, nobody left" {
  one_server_two_clients
  start_storm "${over[@]}" --quiet --conns 300 --order never-close --hold forever
  wait_for_row open 1
  kill -KILL "$(pid_on web1 "worker host")"
  end_storm 20
  expect_lost 3 "host \"$(via web1)\"" "killed by signal 9" "300 of 300 connections"
  expect_kept open
}

@test "a worker that is killed on a host: its name, and the host's" {
  one_server_two_clients
  start_storm "${over[@]}" --quiet --conns 300 --order never-close --hold forever
  wait_for_row open 1
  kill -KILL "$(pid_on web2 "worker client")"
  end_storm 20
  expect_lost 3 "client worker" "on host \"$(via web2)\"" "killed by signal 9"
  expect_kept open
}

@test "a witness that is killed on a host: its name, and the host's" {
  one_server_two_clients
  start_storm "${over[@]}" --quiet --conns 300 --order never-close --hold forever
  wait_for_row open 1
  kill -KILL "$(pid_on db witness)"
  end_storm 20
  expect_lost 3 "witness" "on host \"$(via db)\"" "killed by signal 9"
  expect_kept open
}

@test "a host that is stopped is lost after 10 s of silence, and nobody is left there" {
  one_server_two_clients
  start_storm "${over[@]}" --quiet --conns 300 --order never-close --hold forever
  wait_for_row open 1
  kill -STOP "$(pid_on web1 "worker host")"
  end_storm 40
  expect_lost 3 "host \"$(via web1)\" has not been heard for 10 s"
  expect_kept open
}

@test "a controller that is stopped for a while loses no host" {
  one_server_two_clients
  start_storm "${over[@]}" --conns 300 --order never-close --hold 4s --interval 50ms
  wait_for_row open 1
  kill -STOP "$storm_pid"
  sleep 5 # longer than it takes for its own silence to be noticed, and than the hold
  kill -CONT "$storm_pid"
  end_storm 20
  expect_code 0
  expect_nobody_left
}

@test "hosts whose controller is silent for 15 s leave by themselves" {
  one_server_two_clients
  start_storm "${over[@]}" --quiet --conns 300 --order never-close --hold forever
  wait_for_row open 1
  kill -STOP "$storm_pid"
  wait_until 40 only_controller
  kill -CONT "$storm_pid"
  end_storm 20
  expect_lost 3 "host \"nsenter -t "
  expect_kept open
}

only_controller() {
  [[ $(storm_pids) == "$storm_pid" ]]
}

@test "a controller that is killed leaves nobody on any host" {
  one_server_two_clients
  start_storm "${over[@]}" --quiet --conns 300 --order never-close --hold forever
  wait_for_row open 1
  kill -KILL "$storm_pid"
  expect_nobody_left 25
}

@test "an interrupt leaves nobody on any host: exit status 130, the rows kept" {
  local signal
  one_server_two_clients
  for signal in INT TERM; do
    start_storm "${over[@]}" --quiet --conns 300 --order never-close --hold forever
    wait_for_row open 1
    kill "-$signal" "$storm_pid"
    end_storm 20
    expect_code 130
    expect_empty "$ERR"
    expect_kept open
    expect_nobody_left
  done
}

@test "an interrupt while hosts are being reached leaves nobody" {
  new_hosts db
  fake_worker 'exec cat >/dev/null'
  start_storm --quiet --conns 10 --allow-remote --server-via "$(via db)" --address "$(address_of db)" --worker-path "$fake" \
    --client-via "$(via db)"
  wait_until 10 fake_runs
  fake_pid=$(pgrep -x -P "$storm_pid" cat)
  kill -TERM "$storm_pid" # no order has begun: it just ends
  end_storm 20
  expect_code 143
  wait_until 5 no_fake_runs
}

fake_runs() {
  pgrep -x -P "$storm_pid" cat >/dev/null
}

no_fake_runs() {
  local pid
  for pid in $fake_pid; do
    is_over "$pid" || return 1
  done
}

@test "a cable that is pulled in a hold: the states differ, on that host's row alone" {
  one_server_two_clients
  start_storm "${over[@]}" --conns 300 --order server-first --hold 2s --settle 2s
  wait_for_row open 1
  pull_cable_of web1
  end_storm 60
  expect_code 1
  [[ $(awk -F, '$4 == "server-close" && $6 == "client"' "$CSV" | tail -n 2 | awk -F, -v host="$(via web1)" '$31 == host { print $11 }') == 150 ]]
  [[ $(awk -F, '$4 == "server-close" && $6 == "client"' "$CSV" | tail -n 2 | awk -F, -v host="$(via web2)" '$31 == host { print $14 }') == 150 ]]
  [[ $(awk -F, '$4 == "server-close" && $6 == "server" { last = $12 "," $13 } END { print last }' "$CSV") == 150,150 ]]
  expect_nobody_left 25
}

@test "a descriptor limit that is met on a host: the worker, its host, what to raise" {
  new_hosts db web
  fail_call socket EMFILE "worker client" 50
  code=0
  timeout -k 1 20 "${launcher[@]}" "$STORM" --quiet --csv "$CSV" --conns 300 --allow-remote --server-via "$(via db)" \
    --address "$(address_of db)" --client-via "$(via web)" >"$OUT" 2>"$ERR" 3>&- || code=$?
  expect_lost 3 "socket()" "EMFILE" "client worker" "on host \"$(via web)\"" "ulimit -n"
}

# ---- what it cannot be aimed at ----

# refused_unsent CODE TEXT -- OPTION...: that exit status and sentence, no row, and nothing was sent by any host.
refused_unsent() {
  local want=$1 text=$2
  shift 3
  storm --quiet --conns 50 "$@"
  expect_code "$want"
  expect_one_sentence
  expect_in "$ERR" "$text"
  expect_nothing_sent "${!keeper[@]}"
  expect_nobody_left
}

@test "an address outside loopback is refused without --allow-remote" {
  new_hosts db web
  refused_unsent 2 "--allow-remote" -- --server-via "$(via db)" --address "$(address_of db)" --client-via "$(via web)"
  refused_unsent 2 "--allow-remote" -- --server-via "$(via db)" --address "$(address_of db 6)" --client-via "$(via web)"
}

@test "a loopback address is refused where hosts have loopbacks of their own" {
  new_hosts db web
  refused_unsent 2 "loopback of its own" -- --server-via "$(via db)" --address 127.0.0.1 --client-via "$(via web)"
  refused_unsent 2 "loopback of its own" -- --server-via "$(via db)" --address 127.0.0.1
  refused_unsent 2 "loopback of its own" -- --client-via "$(via web)" --address ::1
}

@test "an address of no server host cannot be listened at, so no SYN leaves the clients" {
  new_hosts db web bystander
  refused_unsent 3 "--address is none of that machine's" -- --allow-remote --server-via "$(via db)" --address "$(address_of bystander)" --client-via "$(via web)"
  expect_in "$ERR" "host \"$(via db)\""
  refused_unsent 3 "--address is none of that machine's" -- --allow-remote --server-via "$(via db)" --address "$(address_of web)" --client-via "$(via web)"
  refused_unsent 3 "--address is none of that machine's" -- --allow-remote --server-via "$(via db)" --address "$(address_of bystander 6)" --client-via "$(via web)"
}

@test "one of two servers that cannot listen: no SYN leaves the clients" {
  new_hosts db1 db2 web bystander
  refused_unsent 3 "--address is none of that machine's" -- --allow-remote --server-via "$(via db1)" --address "$(address_of db1)" \
    --server-via "$(via db2)" --address "$(address_of bystander)" --client-via "$(via web)"
  expect_in "$ERR" "host \"$(via db2)\""
}
