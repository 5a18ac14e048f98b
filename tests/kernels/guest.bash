#!/usr/bin/env bash
# guest: runs in a virtual machine of tests/kernels/run, and plays what the events must count exactly there. It prints TAP, and ends
# with "# guest is done".
#
# Each order is judged by three witnesses: the look and the events, which tcpstorm compares by itself, and ss. The number of
# transitions of each order is written here once more, so that a mistake in the table of tcpstorm cannot hide.
set -uo pipefail

# CONNS and ORDERS come from /plan, which tests/kernels/run writes.
# shellcheck source=/dev/null
source /plan

# What one connection makes on both sides together, without the listeners and the end of TIME_WAIT. Opening is 4: CLOSE to SYN_SENT
# to ESTABLISHED, and CLOSE to SYN_RECV to ESTABLISHED. An orderly close is 6: three on each side.
declare -A moves=(
  [server-first]=10 [client-first]=10 [half-close]=10 [simultaneous]=10 [fin-with-data]=10 [server-crash]=10 [client-crash]=10
  [never-close]=4
  [leak]=7 [backlog]=7              # FIN_WAIT1, FIN_WAIT2, and CLOSE_WAIT
  [abort]=6 [unread]=6 [listener-close]=6 # each end leaves ESTABLISHED at once
  [linger-timeout]=7                # FIN_WAIT1, its end by RST, and the other end's
  [vanish]=5                        # FIN_WAIT1
  [forgotten]=5                     # one end gives up
  [late-close]=10                   # FIN_WAIT2 ends without TIME_WAIT, LAST_ACK by RST
  [port-comes-round]=13             # FIN_WAIT1, FIN_WAIT2, its end, CLOSE_WAIT, its end by RST, and 4 for the next one
  [time-wait-overflow]=10
)
columns=(listen syn_sent syn_recv established fin_wait1 fin_wait2 close_wait closing last_ack time_wait)
number=0 problems=()

# ok NAME: says whether there were problems, and which.
ok() {
  local problem
  ((++number))
  if ((${#problems[@]} == 0)); then
    echo "ok $number - $1"
  else
    echo "not ok $number - $1"
    for problem in "${problems[@]}"; do echo "#   ${problem//$'\n'/$'\n'#   }"; done
  fi
  problems=()
}

# wait_for COMMAND...: until it succeeds, at most a minute.
wait_for() {
  local deadline=$((SECONDS + 60))
  until "$@"; do
    ((SECONDS < deadline)) || { problem "in vain for a minute: $*" && return 1; }
    sleep 0.1
  done
}

problem() {
  problems+=("$*")
}

# ---- ss, as the third witness ----

# The states of both sides as ss counts them, in the order of the columns. Servers' ports are below all others there.
count_with_ss() {
  nsenter -t "$storm" -n ss -Htan | awk '
    BEGIN { n = split("LISTEN SYN-SENT SYN-RECV ESTAB FIN-WAIT-1 FIN-WAIT-2 CLOSE-WAIT CLOSING LAST-ACK TIME-WAIT", states, " ") }
    { port = $4; sub(/.*:/, "", port); count[port < 20000 ? "server" : "client", $1]++ }
    END {
      for (s = 1; s <= 2; s++)
        for (i = 1; i <= n; i++) printf "%d ", count[s == 1 ? "server" : "client", states[i]]
    }'
}

# Fields of a CSV row: order, conns, time, step, settled, side, opened, and the states.
counts_of_rows() {
  local row fields
  for row in "$@"; do
    IFS=, read -r -a fields <<<"$row"
    printf '%s ' "${fields[@]:7:${#columns[@]}}"
  done
}

is_stopped() {
  [[ $(cut -d' ' -f3 "/proc/$storm/stat" 2>/dev/null) == T ]]
}

# A settled pair of rows has come: the controller is stopped, so that the step cannot end, and ss counts. A look may have been
# under way while sockets still moved: then the next one is taken.
compare() {
  local step=$1 by_look by_ss
  kill -STOP "$storm" 2>/dev/null || return
  until is_stopped || ! kill -0 "$storm" 2>/dev/null; do sleep 0.01; done
  if ! read -r -t 0 <&"$rows"; then
    by_look=$(counts_of_rows "$server_row" "$client_row")
    by_ss=$(count_with_ss)
    if [[ $by_look == "$by_ss" ]]; then
      agreed[$step]=1
      unset "differs[$step]"
    else
      differs[$step]="the look: $by_look"$'\n'"ss:       $by_ss"
    fi
  fi
  kill -CONT "$storm" 2>/dev/null
}

follow_rows() {
  local line step settled
  while true; do
    if ! read -r -t 0 <&"$rows"; then
      kill -0 "$storm" 2>/dev/null || read -r -t 0 <&"$rows" || return
      sleep 0.02
      continue
    fi
    IFS= read -r -t 20 line <&"$rows"
    case $line in
      *,server,*) server_row=$line ;;
      *,client,*)
        client_row=$line
        IFS=, read -r _ _ _ step settled _ <<<"$line"
        [[ $settled != 1 || ${agreed[$step]-} ]] || compare "$step"
        ;;
    esac
  done
}

# ---- orders ----

# storm ARGUMENT...: plays it in the background of ss; its exit code is in $code.
storm() {
  local server_row='' client_row='' rows
  declare -gA agreed=() differs=()
  rm -f /tmp/rows && mkfifo /tmp/rows
  exec {rows}<>/tmp/rows
  tcpstorm --isolate --witness events --csv /tmp/rows --json /tmp/json "$@" >/tmp/out 2>/tmp/err {rows}>&- &
  storm=$!
  follow_rows
  exec {rows}>&-
  wait "$storm"
  code=$?
}

# told FILTER: of the event "transitions" of the last run.
told() {
  jq -r "select(.event == \"transitions\") | $1" /tmp/json
}

check_agreement() {
  local steps=() step
  mapfile -t steps < <(jq -r 'select(.event == "step") | .step' /tmp/json)
  ((${#steps[@]} > 0)) || problem 'no step'
  [[ $(told '"\(.settled_steps_compared) \(.settled_steps_agreed)"') == "${#steps[@]} ${#steps[@]}" ]] ||
    problem "of ${#steps[@]} steps, compared and agreed: $(told '"\(.settled_steps_compared) \(.settled_steps_agreed)"')"
  for step in "${!differs[@]}"; do problem "$step: ss differs"$'\n'"columns:  ${columns[*]}, of both sides"$'\n'"${differs[$step]}"; done
  ((${#agreed[@]} > 0)) || problem 'ss was asked at no step'
}

# In late-close a FIN_WAIT2 whose ACK came while close() still had the socket ends by an RST (the table of orders says so): then the
# client is reset in CLOSE_WAIT, and is never in LAST_ACK. Sets $reset_early to their number.
count_reset_early() {
  local ends
  ends=$(told '[.moves[] | select(.from == "FIN_WAIT2" and .why == "orderly") | .count] | add // 0')
  [[ $ends == "$(told '[.moves[] | select(.from == "CLOSE_WAIT" and .why == "reset") | .count] | add // 0')" ]] ||
    problem "$ends FIN_WAIT2 ended by an RST, and as many CLOSE_WAIT did not"
  reset_early=$ends
}

check_moves() {
  local order=$1 conns=$2 sum expected reset_early
  expected=$((conns * moves[$order]))
  if [[ $order == late-close ]]; then
    count_reset_early
    expected=$((expected - reset_early))
  fi
  [[ $(told .level) == all ]] || problem "not all is counted: $(told .lack)"
  [[ $(told .kinds.outside) == 0 ]] || problem "outside: $(told '.moves[] | select(.kind == "outside") | "\(.count) \(.side) \(.from) \(.to)"')"
  sum=$(told '[.moves[] | select(.from != "TIME_WAIT" and .from != "LISTEN" and .to != "LISTEN") | .count] | add')
  [[ $sum == "$expected" ]] ||
    problem "$sum transitions where $expected are expected"$'\n'"$(told '.moves[] | "\(.side) \(.from) \(.to) \(.why) \(.count)"')"
}

play_order() {
  local order=$1 conns=$2 began=$SECONDS tries
  local words=(--hold "$((conns > 10000 ? 5 : 2))s" --interval "$((conns > 10000 ? 500 : 200))ms")
  # Clocks of the kernel must not end a step before a slow machine has counted it. Two orders wait for this one.
  case $order in
    late-close | port-comes-round) words+=(--sysctl "net.ipv4.tcp_fin_timeout=$((conns > 10000 ? 100 : 20))") ;;
    *) words+=(--sysctl net.ipv4.tcp_fin_timeout=120) ;;
  esac
  # Where threads can be preempted inside of a program the kernel may miss an event, and says so: no verdict, and another try.
  for tries in 1 2 3; do
    storm --order "$order" --conns "$conns" --settle 5m "${words[@]}"
    if ((code != 3)) || ! grep -q 'missed events' /tmp/out; then
      break
    fi
  done
  [[ $code == 0 ]] || problem "exit code $code"$'\n'"$(cat /tmp/out /tmp/err | grep -v '^tcpstorm: .* left$' | tail -n 25)"
  check_agreement
  check_moves "$order" "$conns"
  ok "$order at $conns: look, events and ss agree at ${#agreed[@]} steps, $((conns * ${moves[$order]-0})) transitions ($((SECONDS - began)) s, try $tries, $(told .doubled) heard by the second copy)"
}

play_states() {
  local began=$SECONDS state
  tcpstorm state all --isolate --witness events --conns 100 --hold 1s --settle 2m --json /tmp/json --transitions /tmp/moves >/tmp/out 2>/tmp/err ||
    problem "exit code $?"$'\n'"$(tail -n 25 /tmp/out /tmp/err)"
  for state in LISTEN SYN_SENT SYN_RECV ESTABLISHED FIN_WAIT1 FIN_WAIT2 CLOSE_WAIT CLOSING LAST_ACK TIME_WAIT gone; do
    awk -F, -v state="$state" '$3 == state || $4 == state { found = 1 } END { exit !found }' /tmp/moves || problem "no $state"
  done
  [[ $(told .kinds.outside | sort -u) == 0 ]] || problem "outside: $(told .kinds.outside)"
  ok "all eleven states are in the matrix of state all ($((SECONDS - began)) s)"
}

# ---- what is outside of the diagram ----

has_settled() {
  grep -q "\"step\":\"$1\",\"settled\":1" /tmp/json 2>/dev/null
}

# destroy FILTER...: what ss finds so in the network of the run, another process than its own ends by SOCK_DESTROY.
destroy() {
  nsenter -t "$storm" -n ss -Kt "$@" >/tmp/killed
}

# expect_outside MOVE: it must be what the run has found, with exit code 1.
expect_outside() {
  wait "$storm"
  code=$?
  [[ $code == 1 ]] || problem "exit code $code"
  [[ $(told '.moves[] | select(.kind == "outside") | "\(.count) \(.side) \(.from) \(.to) \(.why)"') == "$1" ]] ||
    problem "$(told '.moves[] | "\(.side) \(.from) \(.to) \(.why) \(.kind) \(.count)"')"
  grep -q 'SOCK_DESTROY' /tmp/out || problem 'the verdict does not name it'
  ((${#problems[@]} == 0)) || problem "$(cat /tmp/killed /tmp/out /tmp/err)"
}

first_client_port() {
  nsenter -t "$storm" -n ss -Htn state established | awk '{ sub(/.*:/, "", $3); if ($3 >= 20000) { print $3; exit } }'
}

play_destroyed() {
  rm -f /tmp/json
  tcpstorm --isolate --witness events --order never-close --conns 20 --hold 15s --json /tmp/json >/tmp/out 2>/tmp/err &
  storm=$!
  wait_for has_settled open && destroy sport = ":$(first_client_port)"
  expect_outside '1 client ESTABLISHED gone destroyed'
  ok 'a socket that SOCK_DESTROY ends is found outside of the diagram, in a run'
}

# LAST_ACK ends by the ACK of its FIN, in the diagram. Here the other side is deaf.
play_destroyed_in_last_ack() {
  rm -f /tmp/json
  tcpstorm state last-ack --isolate --witness events --conns 20 --hold 15s --json /tmp/json >/tmp/out 2>/tmp/err &
  storm=$!
  wait_for grep -qs '"settled":1.*"last_ack":20' /tmp/json && destroy state last-ack
  expect_outside '20 server LAST_ACK gone destroyed'
  ok 'LAST_ACK that SOCK_DESTROY ends is not taken for one that its ACK ends'
}

# Its programs are attached.
has_links() {
  local link
  for link in /proc/"$1"/fd/*; do
    [[ $(readlink "$link" 2>/dev/null) != *bpf[_-]link* ]] || return 0
  done
  return 1
}

is_listening() {
  ss -Htln | grep -q :9000
}

is_connected() {
  ss -Htn state established sport = :9000 | grep -q .
}

play_destroyed_live() {
  local watch server client
  tcpstorm transitions --duration 15s --json /tmp/live >/tmp/out 2>/tmp/err &
  watch=$!
  wait_for has_links "$watch"
  sleep 1
  sleep 60 | nc -l -p 9000 >/dev/null 2>&1 &
  server=$!
  wait_for is_listening
  sleep 60 | nc 127.0.0.1 9000 >/dev/null 2>&1 &
  client=$!
  wait_for is_connected && ss -Kt state established sport = :9000 >/tmp/killed
  wait "$watch"
  code=$?
  kill "$server" "$client" 2>/dev/null
  [[ $code == 1 ]] || problem "exit code $code"$'\n'"$(cat /tmp/killed /tmp/out /tmp/err)"
  jq -e '[.ports[] | select(.port == null) | .moves[] | select(.kind == "outside") | "\(.count) \(.from) \(.to) \(.why)"] == ["1 ESTABLISHED gone destroyed"]' \
    /tmp/live >/dev/null || problem "$(cat /tmp/live)"
  ok 'a socket that SOCK_DESTROY ends is found outside of the diagram, in live traffic'
}

# With no room for orphans the kernel ends a socket as it is closed. Some have to be there: their sum is what is looked at.
play_no_orphans() {
  local orphans others
  orphans=$(cat /proc/sys/net/ipv4/tcp_max_orphans)
  tcpstorm state fin-wait-1 --isolate --conns 50 --hold 20s --quiet &
  others=$!
  rm -f /tmp/json
  tcpstorm --isolate --witness events --order vanish --conns 50 --hold 4s --settle 2s --json /tmp/json >/tmp/out 2>/tmp/err &
  storm=$!
  wait_for has_settled client-drop && echo 0 >/proc/sys/net/ipv4/tcp_max_orphans
  wait "$storm"
  code=$?
  echo "$orphans" >/proc/sys/net/ipv4/tcp_max_orphans
  kill "$others" 2>/dev/null
  wait "$others"
  [[ $code == 1 ]] || problem "exit code $code"
  [[ $(told '[.moves[] | select(.from == "FIN_WAIT1") | "\(.to) \(.kind) \(.count)"] | join(", ")') == 'gone abort 50' ]] ||
    problem "$(told '.moves[] | "\(.side) \(.from) \(.to) \(.why) \(.kind) \(.count)"')"$'\n'"$(tail -n 20 /tmp/out)"
  ok 'where the kernel has no room for orphans (tcp_max_orphans 0), sockets that end early are named'
}

main() {
  local conns order
  echo "# $(uname -r), $(nproc) processors, $(free -m | awk '/^Mem/ { print $2 }') MiB; $(tcpstorm version | grep '^witness events')"
  # shellcheck disable=SC2153 # it is /plan's
  for conns in $CONNS; do
    if [[ $conns == "${CONNS%% *}" && -z $ORDERS ]]; then
      play_states
      play_destroyed
      play_destroyed_live
      play_destroyed_in_last_ack
      play_no_orphans
    fi
    for order in ${ORDERS:-$(tcpstorm orders --names)}; do play_order "$order" "$conns"; done
  done
  echo "1..$number"
  echo '# guest is done'
}

main
