#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash; every test is a subshell
#
# Any TCP state on demand: counted by ss through the line that the table prints, as root and as an ordinary user; CLOSE,
# which no table shows, by the descriptors that are open on nothing.

# run-bats: takes 90 s

load ../storm
load ../isolation

ALL_STATES='LISTEN SYN_SENT SYN_RECV ESTABLISHED FIN_WAIT1 FIN_WAIT2 CLOSE_WAIT CLOSING LAST_ACK TIME_WAIT CLOSE'

# start_state STATES OPTION...: in the background.
start_state() {
  rm -f "$CSV"
  : >"$OUT" # the lines of an earlier storm are not those of this one
  "${launcher[@]}" "$STORM" state "$@" --csv "$CSV" >"$OUT" 2>"$ERR" 3>&- &
  storm_pid=$!
}

# state STATES OPTION...: to its end.
state() {
  start_state "$@"
  end_storm "$LONG"
}

# tour N: every state of `state all` with N connections is counted while it is held. On a machine so busy that a hold was
# over before we could look, those that were missed are looked at again, with longer ones.
tour() {
  local hold
  bad='' missed=$ALL_STATES
  for hold in 500ms 2s 4s 8s; do
    play_tour "$1" "$hold"
    [[ -n $missed ]] || break
  done
  [[ -z $missed ]] || say "not looked at in time, even with a hold of $hold: $missed"
  [[ -z $bad && -z $missed ]]
}

play_tour() {
  local name still=''
  declare -A seen=() differs=()
  start_state all --conns "$1" --hold "$2" --isolate
  for name in $missed; do
    wait_for_line_of "$name"
    while_it_rests look_at "$name" "$1" || differs[$name]=1
  done
  end_storm "$LONG"
  expect_code 0
  [[ -z $(grep -v ': holding, ' "$ERR") ]] || { show_output; return 1; }
  expect_in "$OUT" "11 of 11 states reached and kept in"
  expect_in "$OUT" ": as expected"
  [[ $(grep -cE '^  [A-Z_0-9]+ +(server|client) ' "$OUT") == 11 ]]
  check_csv "$CSV"
  expect_no_process
  expect_namespace_gone "$own"
  expect_nothing_here 15000 15100
  # A hold ends with a look: where none follows ours, it was over.
  for name in $missed; do
    if (($(rows_of "$name") <= seen[$name])); then
      still+="$name "
    elif [[ ${differs[$name]-} ]]; then
      bad+="$name "
    fi
  done
  missed=$still
}

rows_of() {
  grep -c "^$1," "$CSV"
}

look_at() {
  own=$(own_namespace)
  seen[$1]=$(rows_of "$1")
  expect_state "$@"
}

# look_while_held LOOK STATES OPTION...: LOOK while all of them are held, and then the run to its end; with a longer hold where the
# machine was so busy that it was over before we could.
look_while_held() {
  local hold names verdict name
  local -A seen=()
  names=$(sed -E 's/=[0-9]+//g' <<<"${2//,/ }" | tr 'a-z-' 'A-Z_')
  for hold in 2s 15s; do
    start_state "${@:2}" --hold "$hold"
    for name in $names; do wait_for_line_of "$name"; done
    verdict=0
    while_it_rests count_rows_and "$1" || verdict=1
    end_storm "$LONG"
    ! all_looked_at_later || break
  done
  return "$verdict"
}

count_rows_and() {
  local name
  for name in $names; do seen[$name]=$(rows_of "$name"); done
  $1
}

# Of every state a look follows ours: none of the holds was over.
all_looked_at_later() {
  local name
  for name in $names; do
    (($(rows_of "$name") > seen[$name])) || return 1
  done
}

@test "every state with 1 connection, as root: ss counts the same" {
  as_root
  tour 1
  expect_not_in "$OUT" "-U --preserve-credentials"
}

@test "every state with 1 connection, as nobody: ss counts the same" {
  as_nobody
  tour 1
  expect_in "$OUT" "-U --preserve-credentials"
}

@test "every state with 1,000 connections, as root: ss counts the same" {
  as_root
  tour 1000
}

@test "every state with 1,000 connections, as nobody: ss counts the same" {
  as_nobody
  tour 1000
}

@test "each state by itself, in every spelling" {
  local spelling
  while read -r name spelling; do
    for spelling in $spelling; do
      state "$spelling" --conns 3 --hold 0 --isolate
      expect_code 0
      read_line_of "$name"
      [[ $reached == 3/3 ]]
      expect_in "$OUT" "1 of 1 states reached and kept"
    done
  done <<'END'
LISTEN listen LISTEN
SYN_SENT syn-sent SynSent
SYN_RECV SYN_RECEIVED syn-recv SYN-RECEIVED
ESTABLISHED ESTAB established
FIN_WAIT1 FIN-WAIT-1 fin_wait1
FIN_WAIT2 FIN-WAIT-2 FinWait2
CLOSE_WAIT close-wait CloseWait CLOSE_WAIT
CLOSING closing
LAST_ACK LAST-ACK
TIME_WAIT time-wait TimeWait
CLOSE CLOSED close
END
}

# hold_and_look STATE N OPTION...: until it has been counted.
hold_and_look() {
  local hold=forever
  [[ $1 != TIME_WAIT ]] || hold=50s
  start_state "$1" --conns "$2" --hold "$hold" "${@:3}"
  wait_for_line_of "$1"
  while_it_rests expect_state "$1" "$2"
  kill -INT "$storm_pid"
  end_storm "$PATIENCE"
  expect_code 130
  check_csv "$CSV"
}

@test "on either side, where both can be in it: ss counts the same" {
  local name end
  for name in ESTABLISHED FIN_WAIT1 FIN_WAIT2 CLOSE_WAIT CLOSING LAST_ACK TIME_WAIT CLOSE; do
    for end in server client; do
      hold_and_look "$name" 20 --side "$end" --isolate
      [[ $side == "$end" ]]
      # The other side is not in it. (Both are where all is open, and of both nobody hears the other where FINs cross.)
      [[ $name == ESTABLISHED ]] || expect_nobody_else "$name" "$end"
    done
  done
}

# expect_nobody_else STATE SIDE: by the last row of the CSV.
expect_nobody_else() {
  local other=client column=${1,,}
  [[ $2 != client ]] || other=server
  [[ $1 != CLOSE ]] || column=ghosts
  [[ $(awk -F, -v other="$other" -v column="$column" '
    NR == 1 { for (i = 1; i <= NF; i++) if ($i == column) n = i }
    $6 == other { value = $n }
    END { print value }' "$CSV") == 0 ]] || { say "$1 on the $other side too"; show_output; return 1; }
}

held_together() {
  expect_state CLOSE_WAIT 300 && expect_state LAST_ACK 5 && expect_state SYN_SENT 7
}

# Of all states, what the namespace has at one moment: those asked for, and what comes with them.
all_within() {
  within ss -Htan | awk '{ count[$1]++ } END { for (s in count) print s "=" count[s] }' | sort | tr '\n' ' '
}

expect_together() {
  local counts
  held_together || return 1
  counts=$(all_within)
  # A listener each; opposite 300 CLOSE_WAIT and 5 LAST_ACK is FIN_WAIT2, opposite SYN_SENT nothing.
  [[ $counts == "CLOSE-WAIT=300 FIN-WAIT-2=305 LAST-ACK=5 LISTEN=3 SYN-SENT=7 " ]] || { say "$counts"; return 1; }
}

@test "several at once are held together, each with its number: ss counts the same at one moment" {
  local who
  for who in as_root as_nobody; do
    "$who"
    look_while_held expect_together close-wait=300,last-ack=5,syn-sent=7 --isolate --json "$JSON"
    expect_code 0
    expect_in "$OUT" "3 of 3 states reached and kept"
    check_together_csv
    jq -s -e '[.[] | select(.event == "end") | .outcome] == ["as expected", "as expected", "as expected"]' "$JSON"
  done
}

# Their rows come mixed; each by itself is in order.
check_together_csv() {
  local name
  for name in CLOSE_WAIT LAST_ACK SYN_SENT; do
    awk -F, -v name="$name" 'NR == 1 || $1 == name' "$CSV" >"$BATS_TEST_TMPDIR/one.csv"
    check_csv "$BATS_TEST_TMPDIR/one.csv"
    (($(wc -l <"$BATS_TEST_TMPDIR/one.csv") > 2))
  done
}

@test "a number without a name of its own is that of --conns" {
  state listen,close-wait=4 --conns 6 --hold 0 --isolate
  expect_code 0
  read_line_of LISTEN
  [[ $reached == 6/6 ]]
  read_line_of CLOSE_WAIT
  [[ $reached == 4/4 ]]
}

@test "all eleven at once" {
  local states
  states=$(tr ' ' ',' <<<"$ALL_STATES")
  as_nobody
  look_while_held every_state_is_held "$states" --conns 20 --isolate
  expect_code 0
  expect_in "$OUT" "11 of 11 states reached and kept"
}

every_state_is_held() {
  local name bad=0
  for name in $ALL_STATES; do
    expect_state "$name" 20 || bad=1
  done
  return "$bad"
}

@test "half-open connections are not pruned while they wait" {
  local hold
  for hold in 4s 20s; do # longer where the machine is too busy for many looks
    state syn-recv --conns 5000 --hold "$hold" --interval 200ms --isolate
    expect_code 0
    (($(grep -c ',1,server,' "$CSV") < 12)) || break
  done
  # Every look of the hold has them all.
  awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "syn_recv") n = i }
    $6 == "server" && settled && $n != 5000 { print; bad = 1 }
    $6 == "server" && $5 == 1 { settled++ }
    END { exit bad || settled < 10 }' "$CSV"
}

@test "what the kernel would give up is stretched in the namespace, and nowhere else" {
  local before
  before=$(cat /proc/sys/net/ipv4/tcp_{syn,synack}_retries /proc/sys/net/ipv4/tcp_retries2)
  start_state last-ack --conns 2 --hold forever --isolate
  wait_for_line_of LAST_ACK
  run within cat /proc/sys/net/ipv4/tcp_{syn,synack}_retries /proc/sys/net/ipv4/tcp_retries2
  [[ $output == $'127\n255\n255' ]]
  [[ $(cat /proc/sys/net/ipv4/tcp_{syn,synack}_retries /proc/sys/net/ipv4/tcp_retries2) == "$before" ]]
  kill -INT "$storm_pid"
  end_storm "$PATIENCE"
  expect_code 130
}

@test "a state that is not reached in time: exit status 1, and how far it came" {
  # With SYN cookies the kernel keeps nothing of a handshake that is half done.
  state syn-recv --conns 20 --settle 300ms --interval 50ms --hold 0 --isolate --sysctl net.ipv4.tcp_syncookies=2
  expect_code 1
  read_line_of SYN_RECV
  [[ $reached == */20 && $reached != 20/20 ]]
  expect_in "$OUT" "0 of 1 states reached and kept"
  expect_in "$OUT" "where SYN_RECV was expected"
  expect_no_process
}

@test "held forever, until it is interrupted" {
  local states
  for states in last-ack last-ack,listen; do
    start_state "$states" --conns 20 --hold forever --isolate
    wait_for_line_of LAST_ACK
    while_it_rests expect_state LAST_ACK 20
    kill -INT "$storm_pid"
    end_storm "$PATIENCE"
    expect_code 130
    expect_no_process
  done
}

@test "with files the table is where it always is, and --quiet prints nothing" {
  state close-wait --conns 20 --hold 0 --isolate --json "$JSON"
  expect_code 0
  check_csv "$CSV"
  expect_settled client-shutdown server close_wait=20 fds=20 gone=0
  expect_settled client-shutdown client fin_wait2=20 fds=20 gone=0
  [[ $(jq -s -r '.[0].options.look_inside' "$JSON") == "$(way_inside)" ]]
  state close-wait --conns 20 --hold 0 --isolate --quiet
  expect_code 0
  expect_empty "$OUT"
  expect_empty "$ERR"
}

# ---- without a namespace of its own ----

@test "without --isolate nobody may keep what needs no filter" {
  local name
  as_nobody
  for name in CLOSE_WAIT LISTEN ESTABLISHED FIN_WAIT2 CLOSE; do
    hold_and_look "$name" 20
    expect_not_in "$OUT" nsenter
    state "$name" --conns 20 --hold 0
    expect_code 0
  done
}

@test "without --isolate nobody may set a filter: exit status 3, and what to add" {
  local name
  as_nobody
  "${launcher[@]}" "$STORM" state last-ack --dry-run >/dev/null 2>&1 && skip "this kernel lets everybody set a filter"
  for name in last-ack syn-sent syn-recv fin-wait-1 closing close-wait=3,closing=3; do
    state "$name" --hold 0
    expect_code 3
    expect_one_sentence
    expect_in "$ERR" "add --isolate"
    expect_empty "$OUT"
  done
}

@test "without --isolate root may: ss counts the same" {
  as_root
  hold_and_look LAST_ACK 20
  expect_not_in "$OUT" nsenter
}

# ---- another terminal ----

@test "another terminal of the same user can use the printed line" {
  as_nobody
  # shellcheck disable=SC2016 # for the inner shell
  run "${launcher[@]}" "$BASH" -c '
    exec 3>&-
    "$1" state close-wait --conns 30 --hold forever --isolate >"$2" &
    pid=$!
    for ((i = 0; i < 500; i++)); do
      grep -q "^  CLOSE_WAIT .*/" "$2" && break
      sleep 0.02
    done
    way=$(sed -n "s/^A network namespace .* \"\\(nsenter .*\\) COMMAND\"/\\1/p" "$2")
    look=$(sed -n "s/^  CLOSE_WAIT .*\\(ss -tan .*\\)/\\1/p" "$2")
    eval "$way $look" | grep -c CLOSE-WAIT
    kill -INT $pid
    wait $pid
    echo "exit status $?"' bash "$STORM" "$OUT"
  [[ $output == $'30\nexit status 130' ]] || { say "$output"; show_output; return 1; }
}

# ---- nothing is left ----

@test "interrupted while a state is held: 130, its line is there, the namespace is gone" {
  local signal who
  for who in as_root as_nobody; do
    for signal in INT TERM; do
      "$who"
      start_state last-ack --conns 200 --hold forever --isolate
      wait_for_line_of LAST_ACK
      is_isolated
      own=$(own_namespace)
      kill -"$signal" "$storm_pid"
      end_storm "$PATIENCE"
      expect_code 130
      expect_no_process
      expect_namespace_gone "$own"
      expect_nothing_here 15000 15100
      expect_in "$OUT" "200/200"
      expect_in "$OUT" "interrupted"
    done
  done
}

@test "Ctrl-C to the whole process group while several are held: 130, the namespace is gone" {
  launcher=(setsid)
  start_state close-wait=300,last-ack=5,syn-sent=7 --hold forever --isolate
  wait_for_line_of CLOSE_WAIT
  wait_for_line_of LAST_ACK
  wait_for_line_of SYN_SENT
  own=$(own_namespace)
  kill -INT -- "-$storm_pid"
  end_storm "$PATIENCE"
  expect_code 130
  expect_no_process
  expect_namespace_gone "$own"
}

@test "the controller killed while a state is held: all workers leave, the namespace is gone" {
  local who name
  for who in as_root as_nobody; do
    for name in LAST_ACK SYN_RECV TIME_WAIT; do
      "$who"
      start_state "$name" --conns 200 --hold 50s --isolate
      wait_for_line_of "$name"
      own=$(own_namespace)
      kill -KILL "$storm_pid"
      wait_until "$PATIENCE" no_process || expect_no_process
      wait "$storm_pid" 2>/dev/null || true
      expect_namespace_gone "$own"
      expect_nothing_here 15000 15100
    done
  done
}

@test "a worker killed while a state is held: exit status 3, named, the namespace is gone" {
  start_state close-wait --conns 200 --hold forever --isolate --quiet
  wait_until 20 has_settled client-shutdown
  own=$(own_namespace)
  kill -KILL "$(role_pid 'worker server')"
  end_storm "$PATIENCE"
  expect_code 3
  expect_one_sentence
  expect_in "$ERR" "server worker 0"
  expect_in "$ERR" "signal 9"
  expect_no_process
  expect_namespace_gone "$own"
}

has_settled() {
  has_row "$1" 1
}

@test "a worker killed while several are held: exit status 3, all others leave" {
  start_state close-wait=20,last-ack=5 --hold forever --isolate
  wait_for_line_of CLOSE_WAIT
  wait_for_line_of LAST_ACK
  own=$(own_namespace)
  kill -KILL "$(role_pid 'worker server')"
  end_storm "$PATIENCE"
  expect_code 3
  expect_no_process
  expect_namespace_gone "$own"
}

@test "/proc/net/tcp, which shows sockets twice while others come, makes no state differ" {
  play_some() { # NAME
    local try
    for try in {1..6}; do
      "$TCPSTORM" state close-wait,fin-wait-2,established --isolate --conns 9 --hold 0s --interval 20ms --witness procfs \
        >"$OUT.$1" 2>&1 || { echo "try $try: exit $?" && cat "$OUT.$1" && return 1; }
    done
  }
  players=()
  for name in a b c d e; do
    play_some "$name" &
    players+=($!)
  done
  for player in "${players[@]}"; do wait "$player"; done
}
