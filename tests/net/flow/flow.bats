#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash; every test is a subshell
#
# Connections one by one: every order at a steady rate, leaks that were asked for, growth, and the outage that follows from
# a leak; with ss as second witness.

# run-bats: takes 200 s

load ../storm
load ../ss_witness
load ../fail_call

# Orders with a second close(), and where a leak of it shows: side and column.
LEAKS='server-first client close_wait
client-first server close_wait
half-close server close_wait
simultaneous server close_wait
abort server ghosts
unread client ghosts'

# What 200 connections of each order come to, a side each.
ENDS='server-first server time_wait=200,gone=0,fds=0,ghosts=0
server-first client gone=200,fds=0,ghosts=0
client-first server gone=200,fds=0,ghosts=0
client-first client time_wait=200,gone=0,fds=0,ghosts=0
fin-with-data server gone=200,fds=0,ghosts=0
fin-with-data client time_wait=200,gone=0,fds=0,ghosts=0
half-close server gone=200,fds=0,ghosts=0
half-close client time_wait=200,gone=0,fds=0,ghosts=0
never-close server established=200,fds=200,ghosts=0
never-close client established=200,fds=200,ghosts=0
leak server close_wait=200,fds=200,unread=200,unowned=0,ghosts=0
leak client fin_wait2=200,fds=0,ghosts=0
simultaneous server fds=0,close_wait=0,ghosts=0
simultaneous client fds=0,close_wait=0,ghosts=0
abort server gone=200,fds=0,ghosts=0
abort client gone=200,fds=0,ghosts=0
unread server gone=200,fds=0,ghosts=0
unread client gone=200,fds=0,ghosts=0'

expect_ends_of() {
  local order side fields pairs
  while read -r order side fields; do
    [[ $order == "$1" ]] || continue
    IFS=, read -r -a pairs <<<"$fields"
    expect_settled arrivals "$side" opened=200 errors=0 "${pairs[@]}"
  done <<<"$ENDS"
}

# holds JQ-EXPRESSION: true for the end of the order, an object.
holds() {
  jq -e "select(.event == \"end\") | $1" "$JSON" >/dev/null || { say "not so: $1"; tail -n 1 "$JSON"; show_output; return 1; }
}

# Where neither an RST (RFC 1337) nor a new connection on its port (tcp_tw_reuse) ends a TIME_WAIT early, every one stays.
in_patient_namespace() {
  in_fresh_namespace net.ipv4.tcp_rfc1337=1 net.ipv4.tcp_tw_reuse=0
}

# ---- every order ----

# The others are for all connections at once.
orders_that_can_flow() {
  "$TCPSTORM" --dry-run --rate 100 --order all | sed -n 's/^  orders  *//p'
}

@test "every order one by one: as expected, all accounted for, and ss counts the same" {
  local order
  (($(orders_that_can_flow | wc -w) >= 8))
  in_patient_namespace
  for order in $(orders_that_can_flow); do
    witnessed_flow "$order" --order "$order" --rate 800 --duration 250ms
    [[ $ENDS == *"$order server"* ]]
    expect_ends_of "$order"
    expect_in "$OUT" "200 clients came, "
    expect_in "$OUT" "/s of the 800/s asked for"
    [[ $LEAKS != *"$order "* ]] || expect_not_in "$OUT" "leak:"
  done
}

@test "over IPv6 with the procfs witness ss counts the same" {
  [[ -e /proc/net/if_inet6 ]] || skip "this kernel has no IPv6"
  in_patient_namespace
  witnessed_flow client-first --order client-first --rate 800 --duration 250ms --address ::1 --witness procfs
  expect_ends_of client-first
}

@test "two orders in one run, each on lanes of its own" {
  storm --order client-first,abort --rate 200 --duration 500ms --hold 50ms --json "$JSON"
  expect_code 0
  check_csv "$CSV"
  [[ $(jq -s -c '[.[] | select(.event == "end") | .outcome]' "$JSON") == '["as expected","as expected"]' ]]
}

@test "a rate for several pairs of processes: all come, and the workers share them" {
  (($(nproc) > 1)) || skip "one processor has one pair"
  in_patient_namespace
  storm --order client-first --rate 8k --duration 1s --hold 50ms --json "$JSON"
  expect_code 0
  check_csv "$CSV"
  (($(jq -s '.[0].workers' "$JSON") >= 4))
  expect_settled arrivals client opened=8000 time_wait=8000 errors=0
  holds '.flow.accepted == 8000'
}

@test "a life of no time, and one that is longer than all arrivals take" {
  in_patient_namespace
  storm --order client-first --rate 200 --duration 500ms --life 0s --hold 50ms
  expect_code 0
  expect_settled arrivals client opened=100 time_wait=100
  storm --order client-first --rate 200 --duration 500ms --life 1s --hold 50ms
  expect_code 0
  expect_settled arrivals client opened=100 time_wait=100
}

# ---- leaks ----

@test "a leak of three orders all at once: exactly so many, and ss counts the same" {
  local order side column last
  while read -r order side column; do
    [[ $order == client-first || $order == half-close || $order == simultaneous ]] || continue # the others one by one
    witnessed_storm "$order" --conns 200 --leak 20
    last=$(steps_of "$order" | tail -n 1)
    expect_settled "$last" "$side" "$column=20" fds=20
    expect_in "$OUT" "leak: 20 of 200 sockets, as asked for."
  done <<<"$LEAKS"
}

@test "a leak of every order one by one: exactly so many, and ss counts the same" {
  local order side column
  while read -r order side column; do
    witnessed_flow "$order" --order "$order" --rate 800 --duration 250ms --leak 5%
    expect_settled arrivals "$side" "$column=10" fds=10 opened=200
  done <<<"$LEAKS"
}

@test "a leak of every connection, all at once and one by one" {
  storm --order client-first --conns 200 --leak 100% --hold 50ms
  expect_code 0
  expect_settled server-close server close_wait=200 fds=200
  storm --order client-first --rate 200 --duration 500ms --leak 100 --hold 50ms
  expect_code 0
  expect_settled arrivals server close_wait=100 fds=100
}

@test "the ghosts of an aborted leak are told, and that a count of CLOSE_WAIT misses them" {
  storm --order abort --conns 200 --leak 20 --hold 50ms
  expect_code 0
  expect_settled server-close server close_wait=0 ghosts=20 gone=200
  expect_in "$OUT" "20 ghosts"
  expect_in "$OUT" "a count of CLOSE_WAIT misses them"
}

# ---- growth ----

# growing_storm OPTION...: 400 a second, for $seconds: for longer where the machine was too busy to look often enough, or to let the
# clients come when they were due.
growing_storm() {
  for seconds in 3 10 12; do
    storm --rate 400 --duration "${seconds}s" --settle 500ms --hold 50ms --json "$JSON" "$@"
    jq -e "select(.event == \"end\") | .flow.server.looks >= 10 and .flow.latest_s < $seconds / 15" "$JSON" >/dev/null && return
  done
  true
}

# expect_growth SIDE RATE: a leak, and a slope within a fifth of that rate and inside its own interval.
expect_growth() {
  holds ".flow.$1 | .trend == \"leak\" and .low_per_s <= .slope_per_s and .slope_per_s <= .high_per_s and .looks >= 8"
  holds ".flow.$1.slope_per_s as \$slope | $2 * 0.8 <= \$slope and \$slope <= $2 * 1.2"
}

@test "a leak that was asked for grows by rate x share: exit status 0" {
  growing_storm --order client-first --leak 20%
  expect_code 0
  holds ".outcome == \"as expected\" and .flow.leaked == 80 * $seconds and .flow.server.held == 80 * $seconds"
  expect_growth server 80
  expect_in "$OUT" "leak: $((80 * seconds)) of "
  expect_in "$OUT" "descriptors used up in"
  expect_in "$OUT" "What the server holds grows by"
  holds '.flow.client.trend != "leak"'
}

@test "a leak of ghosts grows too, although nothing is in CLOSE_WAIT" {
  growing_storm --order abort --leak 20%
  expect_code 0
  expect_growth server 80
  expect_settled arrivals server close_wait=0 ghosts=$((80 * seconds))
}

@test "a client's leak is the client's" {
  growing_storm --order server-first --leak 20%
  expect_code 0
  expect_growth client 80
  holds '.flow.server.trend != "leak"'
  expect_in "$OUT" "What the client holds grows by"
}

@test "traffic without a leak is a plateau" {
  growing_storm --order client-first
  expect_code 0
  holds '.flow.server.trend == "plateau" and .flow.server.held == 0 and .flow.leaked == 0'
  expect_in "$OUT" "plateau: what the server holds stays level"
  expect_not_in "$OUT" "leak:"
}

@test "a leak that nobody asked for: exit status 1, and it is told how fast it grows" {
  fail_call close EINTR "worker server" 100
  growing_storm --order client-first
  expect_code 1
  holds '.outcome == "differs"'
  expect_growth server 400
  expect_in "$OUT" "Differs at arrivals: "
  expect_in "$OUT" "CLOSE_WAIT where gone was expected"
  expect_in "$OUT" "leak: "
}

# holds_rate RATE SECONDS: what was asked for, but for the last client's being late.
holds_rate() {
  holds ".flow.achieved_rate < $1 * 1.03 and .flow.achieved_rate > $1 * $2 / ($2 + .flow.latest_s) * 0.9"
}

# ---- late ----

# Of the worker of a side, as the kernel has it.
niceness() { # SIDE
  local stat fields
  stat=$(<"/proc/$(role_pid "worker $1")/stat")
  read -r -a fields <<<"${stat##*) }"
  say "${fields[16]}"
}

@test "arrivals that come too late are counted, not dropped; who connects goes before who accepts" {
  in_patient_namespace
  start_storm --order client-first --rate 300 --duration 4s --hold 50ms --json "$JSON"
  wait_for_row arrivals 0
  (($(niceness server) > $(niceness client)))
  kill -STOP "$(role_pid 'worker client')"
  sleep 0.3 # so late are those that were due meanwhile
  kill -CONT "$(role_pid 'worker client')"
  end_storm "$LONG"
  expect_code 0
  local late
  late=$(last_settled "$CSV" arrivals client late)
  ((late >= 30))
  holds ".flow.late == $late and .flow.latest_s >= 0.2"
  holds_rate 300 4
  expect_settled arrivals client opened=1200 time_wait=1200
  expect_in "$OUT" "$late late, the latest by"
}

# ---- outage ----

# In clock ticks, of the server worker.
server_ticks() {
  local stat fields
  stat=$(<"/proc/$(role_pid "worker server")/stat")
  read -r -a fields <<<"${stat##*) }"
  say $((fields[11] + fields[12]))
}

# ListenDrops of this namespace.
listen_drops() {
  awk '$1 == "TcpExt:" && !names { names = split($0, name, " "); next }
    $1 == "TcpExt:" { for (i = 1; i <= names; i++) if (name[i] == "ListenDrops") print $i }' /proc/net/netstat
}

@test "descriptors run out, the queue fills, SYNs are dropped, clients wait: told in that order, and the server does not spin" {
  local before ticks dropped
  also_look() {
    server_ticks >"$BATS_TEST_TMPDIR/ticks"
  }
  before=$(listen_drops)
  # ss compares what waits in the queue, and what nobody has, too.
  witnessed_flow ignore-eof --cause ignore-eof --rate 200 --duration 3s --server-nofile 64 --backlog 16 --json "$JSON"
  ticks=$(<"$BATS_TEST_TMPDIR/ticks")
  say "$ticks ticks of the server, $(jq 'select(.event == "end").flow.accept_errors' "$JSON") failures of accept()"
  ((ticks <= $(getconf CLK_TCK))) # a second, in eight
  holds '[.flow.story[].stage] | (.[:3] | sort) == ["queue_full", "server_emfile", "syn_dropped"] and .[3:] == ["connect_slow", "connect_timed_out"]'
  holds '[.flow.story[].t_s] == ([.flow.story[].t_s] | sort)'
  holds '.flow.accept_errors > 0 and .flow.accept_errors < 400 and .flow.connect_timeouts > 0 and .flow.server_nofile == 64'
  holds '.flow.accepted < 64 and .flow.accepted > 40 and .flow.signature'
  expect_in "$OUT" "first EMFILE: accept() fails, the server is out of descriptors (limit 64)"
  expect_in "$OUT" "the accept queue is full: 17 connections wait, and nobody accepts them"
  expect_in "$OUT" "first SYN dropped by the full accept queue"
  expect_in "$OUT" "connect() takes 1 s: the SYN is being sent again"
  expect_in "$OUT" "first connect() timed out"
  expect_in "$OUT" "17 CLOSE_WAIT on the server: no process has them"
  expect_settled arrivals server queued=17 unowned=17
  dropped=$(last_settled "$CSV" arrivals server dropped)
  ((dropped > 0 && dropped <= $(listen_drops) - before))
  read_lanes "$OUT"
  expect_nothing_owned
}

# Nothing but what the kernel ends by itself: no listener, nothing that a process has.
expect_nothing_owned() {
  local left
  left=$(sockets_on_lanes | grep -vE '^(TIME-WAIT|FIN-WAIT-[12]|LAST-ACK|CLOSING) ' || true)
  [[ -z $left ]] || { say "the kernel still has:"; head -n 5 <<<"$left"; return 1; }
}

# connect_s is for how long the oldest connect() has been waiting.
@test "while clients wait the CSV says for how long" {
  start_storm --cause ignore-eof --rate 200 --duration 3s --server-nofile 32 --backlog 4 --quiet
  wait_until 20 waits_for_two_seconds
  kill -INT "$storm_pid"
  end_storm "$PATIENCE"
  expect_code 130
  check_csv "$CSV"
}

waits_for_two_seconds() {
  [[ -e $CSV ]] && awk -F, '$6 == "client" && $29 > 2 && $29 < 5.5 { found = 1 } END { exit !found }' "$CSV"
}

@test "an accept() that fails although nobody asked for it: exit status 3, one sentence" {
  fail_call accept4 EMFILE "worker server" 50
  storm --order client-first --rate 200 --duration 5s --quiet
  expect_code 3
  expect_one_sentence
  expect_in "$ERR" "accept"
  expect_in "$ERR" "server worker 0"
  expect_in "$ERR" "Too many open files"
  expect_in "$ERR" "ulimit -n"
  expect_no_process
  check_csv "$CSV"
}

@test "a connect() that fails: exit status 3, and what to widen" {
  fail_call connect EADDRNOTAVAIL "worker client" 100
  storm --order client-first --rate 200 --duration 5s --quiet
  expect_code 3
  expect_one_sentence
  expect_in "$ERR" "EADDRNOTAVAIL"
  expect_in "$ERR" "net.ipv4.ip_local_port_range"
  expect_no_process
}

@test "the client out of descriptors: exit status 3, and what to raise" {
  fail_call socket EMFILE "worker client" 100
  storm --order client-first --rate 200 --duration 5s --quiet
  expect_code 3
  expect_one_sentence
  expect_in "$ERR" "socket()"
  expect_in "$ERR" "ulimit -n"
  expect_no_process
}

# ---- interrupted and killed ----

has_opened_some() {
  [[ -e $CSV ]] && awk -F, '$4 == "arrivals" && $7 > 20 { found = 1 } END { exit !found }' "$CSV"
}

start_long_flow() {
  start_storm --order client-first --rate 200 --duration 1m --leak 10% "$@"
  wait_until 10 has_opened_some
}

@test "SIGINT or SIGTERM while connections come: 130, the rows kept, nothing left" {
  local signal
  for signal in INT TERM; do
    start_long_flow
    kill -"$signal" "$storm_pid"
    end_storm "$PATIENCE"
    expect_code 130
    check_csv "$CSV"
    expect_in "$OUT" "Interrupted at arrivals"
    expect_in "$OUT" "clients came, "
    expect_no_process
    expect_nothing_owned_soon
  done
}

expect_nothing_owned_soon() {
  read_lanes "$OUT"
  wait_until 2 expect_nothing_owned >/dev/null || expect_nothing_owned
}

@test "SIGINT in --hold forever: 130" {
  start_storm --order client-first --rate 200 --duration 500ms --leak 10% --hold forever --json "$JSON"
  wait_for_row arrivals 1
  kill -INT "$storm_pid"
  end_storm "$PATIENCE"
  expect_code 130
  expect_settled arrivals server close_wait=10
  holds '.outcome == "interrupted" and ([.lingering[].count] | add) == 20'
}

@test "a worker killed while connections come: exit status 3, named, nothing left" {
  local role
  for role in client server; do
    start_long_flow --quiet
    kill -KILL "$(role_pid "worker $role")"
    end_storm "$PATIENCE"
    expect_code 3
    expect_one_sentence
    expect_in "$ERR" "$role worker 0"
    expect_in "$ERR" "signal 9"
    expect_in "$ERR" "at arrivals,"
    expect_no_process
    check_csv "$CSV"
  done
}

@test "the controller killed while connections come: all workers and the witness leave" {
  start_long_flow
  kill -KILL "$storm_pid"
  wait_until "$PATIENCE" no_process || expect_no_process
  wait "$storm_pid" 2>/dev/null || true
}

# ---- JSON ----

@test "JSON Lines: the end of a flow has whose the lingering sockets are, and what the flow came to" {
  start_storm --order client-first --rate 300 --duration 2s --leak 30 --hold 1s --json "$JSON"
  wait_for_row arrivals 0
  local server
  server=$(role_pid "worker server")
  end_storm "$LONG"
  expect_code 0
  holds '.lingering | length == 2'
  holds ".lingering[] | select(.side == \"server\") | .state == \"CLOSE_WAIT\" and .count == 30 and .unread == false
    and .owned == true and .pid == $server and .command == \"tcpstorm\" and .processes == 1 and .oldest_s >= 1"
  holds '.lingering[] | select(.side == "client") | .state == "FIN_WAIT2" and .count == 30 and .owned == false and (has("pid") | not)'
  holds_rate 300 2
  holds '.flow | .rate == 300 and .late >= 0 and .latest_s >= 0 and .accepted == 600
    and .accept_errors == 0 and .connect_timeouts == 0 and .leaked == 30 and .lost == 0 and .story == [] and (has("signature") | not)'
  holds '.flow.server | keys == ["held", "high_per_s", "looks", "low_per_s", "slope_per_s", "trend"]'
  jq -e -s '.[0].options | .leak == 30 and .rate == 300 and .duration_s == 2 and .life_s == 0.2 and .conns == 600' "$JSON"
}

@test "JSON Lines: all at once has no flow, and lingering is a list" {
  storm --order client-first --conns 50 --hold 50ms --json "$JSON"
  expect_code 0
  holds '(has("flow") | not) and .lingering == []'
  storm --order leak --conns 50 --hold 50ms --json "$JSON"
  expect_code 0
  holds '[.lingering[] | .side + " " + .state + " " + (.count | tostring)] == ["server CLOSE_WAIT 50", "client FIN_WAIT2 50"]'
}
