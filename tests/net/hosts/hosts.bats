#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash; every test is a subshell
#
# Hosts: runs whose workers are behind launchers, here in network namespaces on one bridge; what each host's kernel counts,
# and where a run cannot be aimed at. What becomes of a run that loses a host is in host_faults.bats.

# run-bats: takes 180 s

load ../storm
load ../ss_witness
load ../hosts

# holds JQ-EXPRESSION: true for the list of all events.
holds() {
  jq -e -s "$1" "$JSON" >/dev/null || { say "not so: $1"; head -c 2000 "$JSON"; return 1; }
}

# ---- what is counted ----

@test "over one server and two clients each host's ss counts the same" {
  one_server_two_clients
  witnessed_hosts server-first,leak 3 "${over[@]}" --conns 300
  expect_rows server:db client:web1 client:web2
  expect_sum server-first open server established=300 fds=300
  expect_sum server-first server-close server fin_wait2=300 fds=0
  expect_sum server-first server-close client close_wait=300 fds=300
  expect_sum leak client-close client fin_wait2=300
  [[ $(sum_settled leak client-close client fin_wait2 web1) == 150 ]]
  [[ $(sum_settled leak client-close client fin_wait2 web2) == 150 ]]
}

@test "over two servers and two clients, each server with its address, each host's ss counts the same" {
  new_hosts db1 db2 web1 web2
  witnessed_hosts client-first 4 --conns 400 --allow-remote \
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
  host_behind["env A=B $(via web)"]=web # whoever says hello first gives the name
  witnessed_hosts server-first,leak 2 --conns 300 --allow-remote --server-via "$(via db)" --address "$(address_of db)" \
    --client-via "$(via web)" --client-via "env A=B $(via web)"
  sed -i 's/,env A=B /,/' "$CSV"
  expect_rows server:db client:web
  expect_sum server-first client-close server time_wait=300
}

@test "two servers on one host, an address each, are one row" {
  new_hosts db web
  on db ip address add 10.77.0.50/24 dev eth0
  witnessed_hosts server-first,backlog 2 --conns 300 --allow-remote --client-via "$(via web)" \
    --server-via "$(via db)" --address "$(address_of db)" --server-via "$(via db)" --address 10.77.0.50
  expect_rows server:db client:web
  expect_in "$OUT" "lanes 10.77.0.50:"
}

@test "a bug under steady traffic, over hosts: its signature is seen, and what broke is dated" {
  one_server_two_clients
  storm "${over[@]}" --cause ignore-eof --rate 100 --duration 4s --server-nofile 64 --backlog 16 --json "$JSON"
  expect_code 0
  holds '.[-1].flow.signature == true and ([.[-1].flow.story[].stage] | contains(["server_emfile", "syn_dropped"]))'
  expect_in "$OUT" "behind $(via db)"
  expect_nobody_left
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
  awk -F, 'NF != 40 || /"/ { print; exit 1 }' "$CSV"
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
  timeout -k 1 60 "$STORM.second" "${over[@]}" --conns 10 --port 23000 --quiet >"$OUT" 2>"$ERR" 3>&- || code=$?
  expect_code 3
  expect_one_sentence
  expect_in "$ERR" "port 23000 is in use on host \"$(via db)\""
  kill -INT "$storm_pid"
  end_storm "$PATIENCE"
  expect_nobody_left
}

# ---- what it cannot be aimed at ----

# refused_unsent CODE TEXT -- OPTION...: that exit status and sentence, and nothing was sent by any host.
refused_unsent() {
  refused_by_storm "$1" "$2" "${@:4}"
  expect_nothing_sent "${!keeper[@]}"
}

refused_by_storm() { # CODE TEXT OPTION...
  storm --quiet --conns 50 "${@:3}"
  expect_code "$1"
  expect_one_sentence
  expect_in "$ERR" "$2"
  expect_nobody_left
}

@test "an address outside loopback is refused without --allow-remote" {
  new_hosts db web
  refused_unsent 2 "--allow-remote" -- --server-via "$(via db)" --address "$(address_of db)" --client-via "$(via web)"
  refused_unsent 2 "--allow-remote" -- --server-via "$(via db)" --address "$(address_of db 6)" --client-via "$(via web)"
}

@test "a loopback address is refused where hosts have loopbacks of their own" {
  new_hosts db web
  refused_unsent 2 "its own loopback" -- --server-via "$(via db)" --address 127.0.0.1 --client-via "$(via web)"
  refused_unsent 2 "its own loopback" -- --server-via "$(via db)" --address 127.0.0.1
  refused_unsent 2 "its own loopback" -- --client-via "$(via web)" --address ::1
}

@test "an address of no server host cannot be listened at, so no SYN leaves the clients" {
  new_hosts db web bystander
  refused_unsent 3 "that host has no such address" -- --allow-remote --server-via "$(via db)" --address "$(address_of bystander)" --client-via "$(via web)"
  expect_in "$ERR" "host \"$(via db)\""
  refused_unsent 3 "that host has no such address" -- --allow-remote --server-via "$(via db)" --address "$(address_of web)" --client-via "$(via web)"
  refused_unsent 3 "that host has no such address" -- --allow-remote --server-via "$(via db)" --address "$(address_of bystander 6)" --client-via "$(via web)"
}

@test "one of two servers that cannot listen: no SYN leaves the clients" {
  new_hosts db1 db2 web bystander
  refused_unsent 3 "that host has no such address" -- --allow-remote --server-via "$(via db1)" --address "$(address_of db1)" \
    --server-via "$(via db2)" --address "$(address_of bystander)" --client-via "$(via web)"
  expect_in "$ERR" "host \"$(via db2)\""
}

@test "a listener of a stranger on a client's host, on the same address, stops the run before a SYN" {
  new_hosts db web
  on web ip address add "$(address_of db)/32" dev lo # as the bridges of containers have the same address everywhere
  start_stranger web 15000
  refused_by_storm 3 "port 15000 is in use on host \"$(via web)\"" --allow-remote \
    --server-via "$(via db)" --address "$(address_of db)" --client-via "$(via web)"
  [[ $(connects_on web) == 0 ]]
}

# start_stranger NAME PORT: a wildcard listener there.
start_stranger() {
  command -v perl >/dev/null || skip "no perl to make a listener with"
  # shellcheck disable=SC2016
  nsenter -t "${keeper[$1]}" -n perl -e 'use strict; use Socket qw(:all);
    socket(my $s, AF_INET, SOCK_STREAM, 0) or die "socket: $!";
    bind($s, pack_sockaddr_in($ARGV[0], INADDR_ANY)) or die "bind: $!";
    listen($s, 5) or die "listen: $!";
    sleep 60' "$2" 3>&- &
  others+=($!)
  wait_until 5 stranger_listens "$1" "$2"
}

stranger_listens() {
  [[ -n $(on "$1" ss -Htln "sport = :$2") ]]
}

@test "orders that set something of the kernel are not for hosts, and say so" {
  new_hosts db web
  refused_unsent 3 "it cannot be played on hosts" -- --allow-remote --server-via "$(via db)" --address "$(address_of db)" \
    --client-via "$(via web)" --order late-close
}
