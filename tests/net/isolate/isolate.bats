#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash; every test is a subshell
#
# --isolate: a network namespace of the run's own, with every command; --sysctl; and the orders that need one, with ss as
# second witness.

# run-bats: takes 180 s

load ../storm
load ../ss_witness
load ../isolation
load ../fail_call

# For ss_witness: where these storms are.
look() {
  within "$@"
}

# The orders that `all` stands for, with these options.
orders_of_all() {
  "$STORM" --dry-run --order all "$@" | sed -n 's/^  orders  *//p'
}

# inside_the_way COMMAND...: as another terminal does it.
inside_the_way() {
  local way
  way=$(way_inside)
  [[ $way == nsenter\ * ]] || { say "no way inside was printed"; show_output; return 1; }
  eval "$way \"\$@\""
}

# ---- the namespace ----

@test "it has the sockets of the run and no others, on ports that are taken outside" {
  local who outside outsider
  "$STORM" --order never-close --conns 20 --hold forever --quiet 3>&- &
  outsider=$!
  wait_until 10 outside_has 41
  outside=$(ss -Htan | sort)
  for who in as_root as_nobody; do
    "$who"
    start_storm --isolate --order never-close --conns 50 --hold forever
    wait_for_row open 1
    is_isolated
    read_lanes "$OUT"
    [[ $lane_first == 15000 ]]
    while_it_rests expect_sockets 101
    [[ $(ss -Htan | sort) == "$outside" ]]
    own=$(own_namespace)
    kill -INT "$storm_pid"
    end_storm "$PATIENCE"
    expect_code 130
    expect_namespace_gone "$own"
    [[ $(ss -Htan | sort) == "$outside" ]]
  done
  kill -INT "$outsider"
  wait_until "$PATIENCE" is_over "$outsider"
}

outside_has() {
  [[ $(ss -Htan "sport = :15000 or dport = :15000" | wc -l) == "$1" ]]
}

# In all, whatever they are; and the printed ss command shows the same.
expect_sockets() {
  local all by_line
  all=$(within ss -Htan | wc -l)
  by_line=$(eval "$(way_inside) $(sed -n 's/^lanes .*look yourself: //p' "$OUT")" | grep -cv '^State')
  [[ $all == "$1" && $by_line == "$1" ]] || { say "$all sockets, of which ss shows $by_line, where $1 were expected"; return 1; }
}

@test "the JSON tells the way inside" {
  storm --isolate --conns 3 --order abort --hold 0 --json "$JSON"
  expect_code 0
  [[ $(jq -s -r '.[0].options.look_inside' "$JSON") == "$(way_inside)" ]]
  storm --conns 3 --order abort --hold 0 --json "$JSON"
  expect_code 0
  [[ $(jq -s -r '.[0].options.look_inside' "$JSON") == null && -z $(way_inside) ]]
}

@test "it is over with the run: as expected, differing, at fault" {
  local hold
  start_storm --isolate --order leak --conns 100 --hold 1s
  wait_until 10 is_isolated
  own=$(own_namespace)
  end_storm "$LONG"
  expect_code 0
  expect_namespace_gone "$own"
  # More TIME_WAIT than the user allows.
  for hold in $HOLDS; do
    start_storm --isolate --sysctl net.ipv4.tcp_max_tw_buckets=100 --order server-first --conns 100 --hold "$hold" --settle 500ms
    wait_until 10 is_isolated
    own=$(own_namespace)
    wait_for_row open 1
    inside_the_way "$BASH" -c 'echo 10 >/proc/sys/net/ipv4/tcp_max_tw_buckets' || true
    end_storm "$LONG"
    ((code == 0)) || break # else they had closed before
  done
  expect_code 1
  expect_namespace_gone "$own"
  start_storm --isolate --order never-close --conns 100 --hold forever
  wait_for_row open 1
  own=$(own_namespace)
  kill -KILL "$(role_pid witness)"
  end_storm "$PATIENCE"
  expect_code 3
  expect_no_process
  expect_namespace_gone "$own"
}

@test "over IPv6 too" {
  [[ -e /proc/net/if_inet6 ]] || skip "this kernel has no IPv6"
  witnessed_storm client-first --conns 100 --address ::1 --isolate
}

@test "on another loopback address, and with the procfs witness" {
  witnessed_storm client-first --conns 100 --address 127.0.0.9 --witness procfs --isolate
}

@test "a large run has a table of sockets of its own" {
  [[ -e /proc/sys/net/ipv4/tcp_child_ehash_entries ]] || skip "this kernel has one table for all"
  local who
  for who in as_root as_nobody; do
    "$who"
    start_storm --isolate --order abort --rate 100 --duration 1000s # 100,000 in all
    wait_for_row arrivals 0
    [[ $(within cat /proc/sys/net/ipv4/tcp_ehash_entries) == 524288 ]] # 4 each, rounded up
    kill -INT "$storm_pid"
    end_storm "$PATIENCE"
    expect_code 130
  done
}

# ---- its settings ----

@test "--sysctl is in force inside, and not outside" {
  local who before
  before=$(cat /proc/sys/net/ipv4/{tcp_fin_timeout,ip_local_port_range} /proc/sys/net/core/somaxconn)
  [[ $before != 5$'\n'* ]]
  for who in as_root as_nobody; do
    "$who"
    start_storm --isolate --sysctl net.ipv4.tcp_fin_timeout=5 --sysctl net.core.somaxconn=100 \
      --sysctl "net.ipv4.ip_local_port_range=30000 40000" --order never-close --conns 50 --hold forever
    wait_for_row open 1
    [[ $(inside_the_way cat /proc/sys/net/ipv4/tcp_fin_timeout) == 5 ]]
    [[ $(inside_the_way cat /proc/sys/net/core/somaxconn) == 100 ]]
    [[ $(inside_the_way cat /proc/sys/net/ipv4/ip_local_port_range) == $'30000\t40000' ]]
    [[ $(inside_the_way ss -Htn "dport = :15000" | awk '{ sub(/.*:/, "", $4); if ($4 < 30000 || $4 > 40000) print }') == "" ]]
    [[ $(cat /proc/sys/net/ipv4/{tcp_fin_timeout,ip_local_port_range} /proc/sys/net/core/somaxconn) == "$before" ]]
    kill -INT "$storm_pid"
    end_storm "$PATIENCE"
    expect_code 130
  done
  [[ $(cat /proc/sys/net/ipv4/{tcp_fin_timeout,ip_local_port_range} /proc/sys/net/core/somaxconn) == "$before" ]]
}

# A segment that a busy machine delivers after the client's end is gone is answered by RST, which takes the server's end along:
# such a run differs, and says why. It is played again.
@test "a short tcp_fin_timeout ends FIN_WAIT2 in the hold, and the verdict says so" {
  local tries
  for tries in 1 2 3; do
    storm --isolate --sysctl net.ipv4.tcp_fin_timeout=1 --order leak --conns 50 --hold 2s
    ((code != 0 && tries < 3)) || break
    expect_in "$OUT" "Kernel counter OutRsts rose by"
  done
  expect_code 0
  expect_settled client-close server close_wait=50
  expect_settled client-close client gone=50 fin_wait2=0
  expect_in "$OUT" "outlasts the kernel's timers"
}

@test "what a run needs is set: ports, queues, TIME_WAIT" {
  start_storm --isolate --order never-close --conns 5 --hold forever
  wait_for_row open 1
  [[ $(inside_the_way cat /proc/sys/net/ipv4/ip_local_port_range) == $'20000\t65535' ]]
  [[ $(inside_the_way cat /proc/sys/net/core/somaxconn) == 65535 ]]
  (($(inside_the_way cat /proc/sys/net/ipv4/tcp_max_tw_buckets) >= 262144))
  kill -INT "$storm_pid"
  end_storm "$PATIENCE"
}

@test "what the user sets stays, whatever an order would set" {
  storm --isolate --sysctl net.ipv4.tcp_max_tw_buckets=10 --order time-wait-overflow --conns 100 --hold 0
  expect_code 0
  expect_settled server-close client time_wait=10 gone=90
  storm --isolate --sysctl net.ipv4.tcp_fin_timeout=1 --order late-close --conns 10 --hold 0
  expect_code 0
  expect_settled wait server gone=10
  # Sooner than the 3 s of the order, from one settled step to the next.
  awk -F, '$4 == "server-close" && $5 == 1 { from = $3 } $4 == "wait" && $5 == 1 { exit $3 - from >= 2.8 }' "$CSV"
}

@test "what an order sets is put back for the next" {
  start_storm --isolate --order late-close,leak --conns 10 --hold forever --interval 50ms
  wait_until 20 grep -q '^late-close,.*,wait,0,' "$CSV"
  [[ $(inside_the_way cat /proc/sys/net/ipv4/tcp_fin_timeout) == 3 ]]
  wait_until 20 grep -q '^leak,.*,open,' "$CSV"
  [[ $(inside_the_way cat /proc/sys/net/ipv4/tcp_fin_timeout) == 60 ]]
  kill -INT "$storm_pid"
  end_storm "$PATIENCE"
  expect_code 130
}

# ---- every order ----

@test "--isolate --order all plays every order: each as expected, exit status 0" {
  local who
  for who in as_root as_nobody; do
    "$who"
    storm --isolate --order all --conns 300 --hold 0 --json "$JSON"
    expect_code 0
    check_csv "$CSV"
    [[ $(cut -d, -f1 "$CSV" | tail -n +2 | uniq) == "$("$TCPSTORM" orders --names)" ]]
    [[ $(jq -s -c '[.[] | select(.event == "end") | .outcome] | unique' "$JSON") == '["as expected"]' ]]
    expect_in "$OUT" "$("$TCPSTORM" orders --names | wc -l) orders played in"
    expect_no_process
  done
}

@test "without --isolate all plays those that need nothing, and names the others by what they need" {
  local order names
  as_nobody
  names=$(orders_of_all)
  [[ " $names " == *" server-first "* && " $names " == *" server-crash "* && " $names " == *" backlog "* ]]
  [[ " $(orders_of_all --isolate) " == " $("$TCPSTORM" orders --names | tr '\n' ' ')" ]]
  for order in vanish forgotten late-close port-comes-round time-wait-overflow; do
    [[ " $names " != *" $order "* ]]
    storm --order "$order" --conns 5 --hold 0
    [[ $order != vanish || $code != 0 ]] || continue # this kernel lets everybody set a filter
    expect_code 3
    expect_one_sentence
    expect_in "$ERR" "$order needs"
    expect_in "$ERR" "add --isolate"
    expect_empty "$OUT"
  done
}

@test "a setting of a namespace is not made in one that is not the run's own, not even by root" {
  local before
  before=$(cat /proc/sys/net/ipv4/tcp_fin_timeout)
  storm --order late-close --conns 5 --hold 0
  expect_code 3
  expect_in "$ERR" "net.ipv4.tcp_fin_timeout to be 3"
  [[ $(cat /proc/sys/net/ipv4/tcp_fin_timeout) == "$before" ]]
}

@test "the orders that need a namespace, with 1,000 connections: as listed, and ss counts the same" {
  local order
  for order in vanish forgotten time-wait-overflow; do
    witnessed_storm "$order" --conns 1000 --isolate
  done
}

@test "server-crash: the process is gone, the kernel has closed: FIN_WAIT2 and CLOSE_WAIT, then TIME_WAIT" {
  start_storm --isolate --order server-crash --conns 100 --hold 1s
  wait_for_row open 1
  while_it_rests expect_worker server
  wait_for_row server-crash 1
  while_it_rests lacks_worker server
  end_storm "$LONG"
  expect_code 0
  expect_no_process
  expect_settled server-crash server fin_wait2=100 fds=0 listen=0 gone=0
  expect_settled server-crash client close_wait=100 fds=100 gone=0
  expect_settled client-close server time_wait=100 fds=0
  expect_settled client-close client gone=100 fds=0
  expect_in "$OUT" "As expected. When a process is killed, the kernel closes all its sockets"
  expect_in "$OUT" "100 TIME_WAIT stay for 60 s on the server"
}

expect_worker() {
  [[ -n $(workers_of "$1") ]]
}

lacks_worker() {
  ! expect_worker "$1"
}

@test "client-crash: the server owes its close() as if the client had closed" {
  start_storm --isolate --order client-crash --conns 100 --hold 1s
  wait_for_row client-crash 1
  while_it_rests lacks_worker client
  while_it_rests expect_worker server
  end_storm "$LONG"
  expect_code 0
  expect_settled client-crash server close_wait=100 unread=100 unowned=0 fds=100
  expect_settled client-crash client fin_wait2=100 fds=0
  expect_settled server-close server gone=100 fds=0
  expect_settled server-close client time_wait=100
  expect_in "$OUT" "100 TIME_WAIT stay for 60 s on the client"
}

@test "a crash of several processes at once" {
  (($(nproc) > 1)) || skip "one processor has one pair"
  storm --isolate --order server-crash,client-crash --conns 6000 --hold 50ms --json "$JSON"
  expect_code 0
  (($(jq -s '.[0].workers' "$JSON") >= 4))
  expect_settled server-crash client close_wait=6000
  expect_settled client-crash server close_wait=6000
}

@test "backlog: CLOSE_WAIT that no process has a descriptor of" {
  storm --isolate --order backlog --conns 100 --hold 100ms
  expect_code 0
  expect_settled open server established=100 fds=0 queued=100 listen=1
  expect_settled open client established=100 fds=100
  expect_settled client-close server close_wait=100 unowned=100 fds=0 queued=100
  expect_settled client-close client fin_wait2=100 fds=0
  expect_in "$OUT" "100 CLOSE_WAIT on the server: no process has them"
  expect_in "$OUT" "the server never called accept(), so no process can close them"
  expect_not_in "$OUT" "descriptors were still open"
}

@test "backlog: more than one queue holds" {
  in_fresh_namespace net.core.somaxconn=4096
  storm --order backlog --conns 6000 --hold 50ms
  expect_code 0
  expect_settled client-close server close_wait=6000 unowned=6000
}

@test "vanish: FIN_WAIT1 that nobody acknowledges; the client has not noticed" {
  local who
  for who in as_root as_nobody; do
    "$who"
    storm --isolate --order vanish --conns 100 --hold 100ms
    expect_code 0
    expect_settled client-drop server established=100 fds=100
    expect_settled client-drop client established=100 fds=100
    expect_settled server-close server fin_wait1=100 fds=0 gone=0
    expect_settled server-close client established=100 fds=100 gone=0
    expect_in "$OUT" "100 FIN_WAIT1 on the server: no process has them; the server's FIN is not acknowledged yet"
    expect_in "$OUT" "100 ESTABLISHED on the client: held by tcpstorm pid"
  done
}

@test "forgotten: what the server writes is given up, and its descriptors are on nothing; the client never hears of it" {
  storm --isolate --order forgotten --conns 100 --hold 100ms --json "$JSON"
  expect_code 0
  expect_settled both-drop server established=100 fds=100
  expect_settled server-write server established=100 fds=100 ghosts=0
  expect_settled wait server gone=100 fds=100 ghosts=100
  expect_settled wait client established=100 fds=100
  expect_settled server-close server gone=100 fds=0 ghosts=0
  expect_settled server-close client established=100 fds=100
  [[ $(jq 'select(.event == "end").counters_moved.TCPAbortOnTimeout' "$JSON") == 100 ]] # ETIMEDOUT
  expect_in "$OUT" "100 ESTABLISHED on the client: held by tcpstorm pid"
  expect_in "$OUT" "the server has no such connections; the client may close."
}

@test "forgotten: it is waited for as long as the user's tcp_retries2 takes, and no longer" {
  storm --isolate --sysctl net.ipv4.tcp_retries2=1 --order forgotten --conns 10 --hold 0
  expect_code 0
  awk -F, '$4 == "server-write" && $5 == 1 { from = $3 } $4 == "wait" && $5 == 1 { exit $3 - from >= 2.8 }' "$CSV"
}

@test "late-close: FIN_WAIT2 ends after tcp_fin_timeout, the late FIN is answered by RST, no TIME_WAIT follows" {
  storm --isolate --order late-close --conns 100 --hold 100ms
  expect_code 0
  expect_settled server-close server fin_wait2=100 fds=0
  expect_settled server-close client close_wait=100 fds=100
  expect_settled wait server gone=100 fin_wait2=0 time_wait=0
  expect_settled wait client fds=100 time_wait=0 # CLOSE_WAIT; but the kernel resets one in some thousands
  (($(last_settled "$CSV" wait client close_wait) >= 95))
  expect_settled client-close server gone=100 time_wait=0
  expect_settled client-close client gone=100 time_wait=0 fds=0
  expect_in "$OUT" "As expected. The kernel waits for the second FIN no longer than net.ipv4.tcp_fin_timeout"
}

@test "port-comes-round after others whose TIME_WAIT has the same ports; and on a kernel without IP_LOCAL_PORT_RANGE" {
  storm --isolate --sysctl 'net.ipv4.ip_local_port_range=40000 40199' --sysctl net.ipv4.tcp_fin_timeout=1 \
    --order client-first,port-comes-round --conns 90 --hold 0
  expect_code 0
  fail_call setsockopt ENOPROTOOPT "worker client"
  storm --isolate --sysctl net.ipv4.tcp_fin_timeout=1 --order client-first,port-comes-round --conns 90 --hold 0
  expect_code 0
  expect_settled client-connect server established=90 ghosts=90
}

# At most some in thousands are reset when FIN_WAIT2 ends: see late-close.
@test "port-comes-round: a SYN that meets a leak is challenged, the leak becomes a ghost; with 1 and 1,000 ss counts the same" {
  beside witnessed_storm port-comes-round --conns 1 --isolate
  witnessed_storm port-comes-round --conns 1000 --isolate --json "$JSON"
  expect_settled client-close server close_wait=1000 fds=1000
  expect_settled wait client gone=1000 fin_wait2=0 fds=0
  (($(last_settled "$CSV" wait server close_wait) >= 990))
  expect_settled client-connect server established=1000 close_wait=0 ghosts=1000 fds=2000
  expect_settled client-connect client established=1000 fds=1000
  (($(jq 'select(.event == "end").counters_moved.TCPSYNChallenge' "$JSON") >= 990))
  expect_in "$OUT" "1,000 ghosts on the server"
  expect_not_in "$OUT" "a second or more late"
  expect_beside
}

@test "time-wait-overflow: half of them are kept, and the kernel's counter tells of the rest" {
  storm --isolate --order time-wait-overflow --conns 100 --hold 100ms --json "$JSON"
  expect_code 0
  expect_settled client-shutdown server close_wait=100
  expect_settled client-shutdown client fin_wait2=100 fds=100
  expect_settled server-close server gone=100 fds=0
  expect_settled server-close client time_wait=50 gone=50 fds=100 ghosts=100
  expect_overflow 50
  expect_in "$OUT" "As expected. Connections that do not fit leave at once, without TIME_WAIT"
}

expect_overflow() {
  local by
  by=$(jq 'select(.event == "end" and .order == "time-wait-overflow").counters_moved.TCPTimeWaitOverflow' "$JSON")
  [[ $by == "$1" ]] || { say "an overflow by $by, not by $1"; show_output; return 1; }
}

@test "time-wait-overflow after others: it overflows beside what they have left" {
  storm --isolate --order client-first,time-wait-overflow,client-first --conns 100 --hold 0 --json "$JSON"
  expect_code 0
  expect_overflow 50
  expect_in "$OUT" "3 as expected"
}

@test "a leak of a crash, and of a close that comes too late" {
  storm --isolate --order server-crash --conns 100 --leak 20 --hold 50ms
  expect_code 0
  expect_settled client-close client close_wait=20 fds=20
  expect_in "$OUT" "leak: 20 of 100 sockets, as asked for."
  storm --isolate --order late-close --conns 10 --leak 2 --hold 50ms
  expect_code 0
  expect_settled client-close client close_wait=2 fds=2 gone=8
}

# ---- other commands ----

@test "flows in a namespace of their own" {
  local who
  for who in as_root as_nobody; do
    "$who"
    storm --isolate --rate 100 --duration 2s --hold 50ms --json "$JSON"
    expect_code 0
    check_csv "$CSV"
    jq -s -e '.[-1].outcome == "as expected"' "$JSON"
    expect_in "$OUT" "200 clients came, "
    [[ -n $(way_inside) ]]
  done
  expect_nothing_here 15000 15100
}

@test "--rate with --order all plays those that can be played one by one" {
  local names
  names=$(orders_of_all --isolate --rate 100)
  [[ $names == "$(orders_of_all --rate 100)" ]]
  [[ " $names " != *crash* && " $names " != *" backlog "* && " $names " != *" vanish "* && " $names " != *" late-close "* ]]
  [[ " $names " != *" forgotten "* && " $names " != *" linger-timeout "* && " $names " == *" fin-with-data "* ]]
  [[ " $names " != *" time-wait-overflow "* && " $names " == *" unread "* ]]
}

@test "a cause in a namespace of its own" {
  as_nobody
  storm --isolate --cause ignore-eof --rate 100 --duration 1s --hold 200ms
  expect_code 0
  expect_in "$OUT" "the bug shows"
  expect_nothing_here 15000 15100
}

# start_end NAME COMMAND...: an end of a connection by hand, its keys in descriptor $keys.
start_end() {
  local pipe=$BATS_TEST_TMPDIR/$1.keys
  : >"$BATS_TEST_TMPDIR/$1.out" # an earlier one of that name has said the same
  mkfifo "$pipe"
  exec {keys}<>"$pipe"
  "${@:2}" <"$pipe" >"$BATS_TEST_TMPDIR/$1.out" 2>"$BATS_TEST_TMPDIR/$1.err" 3>&- {keys}>&- &
  end_pid=$!
  others+=("$end_pid")
}

end_says() {
  if ! wait_until 10 grep -qF "$2" "$BATS_TEST_TMPDIR/$1.out"; then
    say "the $1 does not say \"$2\":"
    cat "$BATS_TEST_TMPDIR/$1.out" "$BATS_TEST_TMPDIR/$1.err"
    return 1
  fi
}

@test "a server by hand in a namespace of its own, and a client that another terminal starts in it" {
  local who server client server_keys
  for who in as_root as_nobody; do
    "$who"
    rm -f "$BATS_TEST_TMPDIR"/*.keys
    start_end server "${launcher[@]}" "$STORM" server --isolate --sysctl net.ipv4.tcp_fin_timeout=7
    server=$end_pid server_keys=$keys storm_pid=$end_pid
    end_says server "Listening on 127.0.0.1:15000"
    cp "$BATS_TEST_TMPDIR/server.out" "$OUT"
    is_isolated
    own=$(own_namespace)
    [[ $(inside_the_way cat /proc/sys/net/ipv4/tcp_fin_timeout) == 7 ]]
    # shellcheck disable=SC2046 # words of a command
    start_end client $(way_inside) "$STORM" client
    client=$end_pid
    end_says client "Connected to 127.0.0.1:15000"
    end_says server "Client connected"
    [[ $(within ss -Htan | awk '{ print $1 }' | sort | tr '\n' ' ') == "ESTAB ESTAB " ]]
    expect_nothing_here 15000 15000
    kill -INT "$server"
    end_says client CLOSE_WAIT
    [[ $(readlink "/proc/$client/ns/net") == "$own" ]] # it lives on with the client
    kill -INT "$client"
    wait_until "$PATIENCE" is_over "$client"
    wait "$server" "$client" || true
    exec {keys}>&- {server_keys}>&-
    expect_namespace_gone "$own"
  done
}

@test "a server with a bug in a namespace of its own" {
  as_nobody
  "${launcher[@]}" "$STORM" server --cause ignore-eof --isolate >"$OUT" 2>"$ERR" 3>&- &
  storm_pid=$!
  wait_until 10 grep -q '^Listening on ' "$OUT"
  is_isolated
  kill -INT "$storm_pid"
  end_storm "$PATIENCE"
  expect_code 130
}

@test "a walk in a namespace of its own" {
  local who
  for who in as_root as_nobody; do
    "$who"
    code=0
    "${launcher[@]}" "$STORM" walk --isolate --order server-first --pause 0s </dev/null >"$OUT" 2>"$ERR" 3>&- || code=$?
    expect_code 0
    expect_empty "$ERR"
    [[ -n $(way_inside) ]]
    expect_in "$OUT" "TIME_WAIT: closed on both sides"
    expect_nothing_here 15000 15000 # TIME_WAIT would be
  done
}
