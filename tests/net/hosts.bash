# shellcheck shell=bash disable=SC2034,SC2154 # its variables are for the tests; storm_pid and its like come from storm.bash
# hosts: network namespaces that stand for hosts. Each has a process that keeps it, an address on one bridge, and nsenter as
# its launcher, which needs no root and no login. The tests' own namespace is the one with the bridge: the controller is
# there.
#
# Needs storm.bash and ss_witness.bash.

# A cap for what hangs, no guess of what eleven orders over three hosts take on a busy machine.
LONG=300

BRIDGE=storm0
declare -gA keeper=() number=() host_behind=()

# new_hosts NAME...: each with 10.77.0.N and fd77::N, N from 1 on.
new_hosts() {
  local name
  ip link add "$BRIDGE" type bridge 2>/dev/null || true
  ip link set "$BRIDGE" up
  ip address replace 10.77.0.254/24 dev "$BRIDGE"
  ip -6 address replace fd77::fe/64 dev "$BRIDGE" nodad 2>/dev/null || true
  for name; do
    number[$name]=$((${#number[@]} + 1))
    new_host "$name"
  done
}

new_host() {
  unshare -n sleep infinity 3>&- &
  keeper[$1]=$!
  others+=("$!")
  wait_until 10 has_own_namespace "${keeper[$1]}"
  plug_in "$1"
}

# plug_in NAME: connects the namespace that its keeper is in.
plug_in() {
  ip link add "$(cable_of "$1")" type veth peer name eth0 netns "${keeper[$1]}"
  ip link set "$(cable_of "$1")" master "$BRIDGE" up
  on "$1" ip link set lo up
  on "$1" ip address add "$(address_of "$1")/24" dev eth0
  on "$1" ip -6 address add "$(address_of "$1" 6)/64" dev eth0 nodad 2>/dev/null || true
  on "$1" ip link set eth0 up
  host_behind[$(via "$1")]=$1
}

has_own_namespace() {
  [[ $(readlink "/proc/$1/ns/net") != "$(readlink /proc/self/ns/net)" && $(cat "/proc/$1/comm") == sleep ]]
}

# The end of its cable that is here.
cable_of() {
  say "c${number[$1]}p${keeper[$1]}"
}

pull_cable_of() {
  ip link set "$(cable_of "$1")" down
}

# address_of NAME [6]
address_of() {
  if [[ ${2-} == 6 ]]; then
    say "fd77::${number[$1]}"
  else
    say "10.77.0.${number[$1]}"
  fi
}

# Its launcher, without a command.
via() {
  say "nsenter -t ${keeper[$1]} -n"
}

# on NAME COMMAND...: there.
on() {
  nsenter -t "${keeper[$1]}" -n -- "${@:2}"
}

# one_server_two_clients: the options of most tests, in $over.
one_server_two_clients() {
  new_hosts db web1 web2
  over=(--server-via "$(via db)" --address "$(address_of db)" --client-via "$(via web1)" --client-via "$(via web2)"
    --allow-remote)
}

# The pid of its `tcpstorm worker host`, or of another role there; nothing when there is none.
pid_on() { # NAME ROLE
  local pid words
  for pid in $(storm_pids); do
    [[ $(readlink "/proc/$pid/ns/net") == "$(readlink "/proc/${keeper[$1]}/ns/net")" ]] || continue
    { mapfile -d '' -t words <"/proc/$pid/cmdline"; } 2>/dev/null || continue
    [[ "${words[*]:1}" != "$2"* ]] || { say "$pid" && return; }
  done
}

# How many connect() calls that host has ever made.
connects_on() {
  # shellcheck disable=SC2016 # for awk
  on "$1" awk '$1 == "Tcp:" && !seen++ { for (i = 2; i <= NF; i++) if ($i == "ActiveOpens") at = i; next }
    $1 == "Tcp:" { print $at }' /proc/net/snmp
}

# expect_nothing_sent NAME...: these hosts have never called connect(), and have no socket of TCP.
expect_nothing_sent() {
  local name
  for name; do
    if [[ $(connects_on "$name") != 0 || -n $(on "$name" ss -Htan) ]]; then
      say "$name has connected $(connects_on "$name") times; its sockets:"
      on "$name" ss -tan
      return 1
    fi
  done
}

# shellcheck disable=SC2120 # most have nothing to add to the 5 s
# expect_nobody_left [SECONDS]: no process of the storm is on any host. One that has lost its controller without a word waits
# for 15 s.
expect_nobody_left() {
  if ! wait_until "${1-$PATIENCE}" no_process; then
    say "processes are left: $(storm_pids | tr '\n' ' ')"
    return 1
  fi
}

# ---- launchers and hosts that are not what they should be ----

# drop_words_of WHO: a launcher has the standard error too, and what it says there is its own.
drop_words_of() {
  grep -q "^$1" "$ERR"
  sed -i "/^$1/d" "$ERR"
}

# fake_worker LINE...: a worker for --worker-path, in $fake: a shell script. "$@" is what it was given, $STORM the real one.
fake_worker() {
  fake=$BATS_TEST_TMPDIR/fake
  printf '%s\n' '#!/bin/sh' "STORM=$STORM" "$@" >"$fake"
  chmod +x "$fake"
}

# ---- a run that is lost ----

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
  awk -F, 'NF != 40 { print; exit 1 }' "$CSV"
}

# ---- the CSV ----

# expect_rows SIDE:NAME...: every look has exactly these rows, the server's first, and they add up. NAME: a host, or local.
expect_rows() {
  local row wanted=
  for row; do
    wanted+="${row%%:*},$(word_of "${row#*:}");"
  done
  awk -F, -v wanted="$wanted" '
    function complain(what) { printf "line %d: %s: %s\n", NR, what, $0; bad = 1 }
    function end_look() {
      if (NR == 2) return
      if (had != wanted) { printf "line %d: rows of the look: %s\n", NR - 1, had; bad = 1 }
      if (opened["server"] != opened["client"]) { printf "line %d: the sides differ in opened\n", NR - 1; bad = 1 }
      if (settled && step != "arrivals" && opened["server"] != conns) {
        printf "line %d: %s of %s opened\n", NR - 1, opened["server"], conns; bad = 1
      }
    }
    NR == 1 { next }
    NF != 40 { complain("not 40 fields"); next }
    { key = $1 " " $3 " " $4 " " $5 " " $22 }
    key != look { end_look(); look = key; had = ""; opened["server"] = opened["client"] = 0 }
    {
      states = 0
      for (i = 9; i <= 18; i++) states += $i
      if ($7 != states + $19) complain("opened is not the sum of states and gone")
      if ($19 < 0 && $5 == 1 && $4 != "arrivals") complain("fewer than none gone")
      if ($3 + 0 < last_t) complain("time runs backwards")
      if (had ~ $6 && $27 + $28 + $29 > 0) complain("a tally of all hosts on a second row of the side")
      if ($30 + 0 < $20 + 0) complain("nofile below the descriptors held")
      had = had $6 "," $31 ";"
      opened[$6] += $7; settled = $5; step = $4; conns = $2; last_t = $3 + 0
    }
    END { NR++; end_look(); exit bad || NR < 3 }' "$CSV" >"$BATS_TEST_TMPDIR/complaints" && return
  head -n 10 "$BATS_TEST_TMPDIR/complaints"
  say "rows were to be $wanted"
  return 1
}

# The word that stands for it in the CSV.
word_of() {
  if [[ -n ${keeper[$1]-} ]]; then
    via "$1"
  else
    say "$1"
  fi
}

# sum_settled STEP SIDE FIELD [NAME]: of the step's last settled look, over all hosts or of one.
sum_settled() {
  awk -F, -v step="$2" -v side="$3" -v field="$4" -v host="${5:+$(word_of "$5")}" -v order="$1" '
    NR == 1 { for (i = 1; i <= NF; i++) if ($i == field) column = i }
    $1 != order || $4 != step || $5 != 1 || $6 != side { next }
    $3 != t { t = $3; sum = 0; count++ }
    host == "" || $31 == host { sum += $column }
    END { print count ? sum : "missing" }' "$CSV"
}

# expect_sum ORDER STEP SIDE FIELD=VALUE...
expect_sum() {
  local pair value bad=0
  for pair in "${@:4}"; do
    value=$(sum_settled "$1" "$2" "$3" "${pair%%=*}")
    [[ $value == "${pair#*=}" ]] || { say "$1, $2, $3 side: ${pair%%=*} is $value where ${pair#*=} was expected" && bad=1; }
  done
  return "$bad"
}

# ---- the second witness ----

# count_on NAME SIDE: what ss counts there of one side's sockets, in the order of the CSV: listen to close, unread, unowned,
# queued.
count_on() {
  on_any "$1" ss -Htane | awk -v side="$2" -v servers="$lane_servers" -v first="$lane_first" -v last="$lane_last" '
    BEGIN {
      columns = split("LISTEN SYN-SENT SYN-RECV ESTAB FIN-WAIT-1 FIN-WAIT-2 CLOSE-WAIT CLOSING LAST-ACK TIME-WAIT UNCONN", states, " ")
    }
    function is_lane(end,   host, port) {
      match(end, /:[^:]*$/)
      host = substr(end, 1, RSTART - 1); port = substr(end, RSTART + 1)
      gsub(/[][]/, "", host)
      return index(servers, " " host " ") && port + 0 >= first && port + 0 <= last
    }
    !is_lane(side == "server" ? $4 : $5) || (side == "client" && is_lane($4)) { next }
    {
      count[$1]++
      inode = match($0, / ino:[0-9]+/) ? substr($0, RSTART + 5, RLENGTH - 5) : 0
      if ($1 == "LISTEN") queued += $2
      if ($1 == "CLOSE-WAIT" && $2 > 0) unread++
      if ($1 == "CLOSE-WAIT" && inode == 0) unowned++
    }
    END {
      for (i = 1; i <= columns; i++) printf "%d,", count[states[i]]
      printf "%d,%d,%d\n", unread, unowned, queued
    }'
}

on_any() {
  if [[ $1 == local ]]; then
    "${@:2}"
  else
    on "$@"
  fi
}

# The lanes that the summary named last, an address for each server host: sets lane_servers, lane_first, lane_last.
read_host_lanes() {
  local line
  lane_servers=" "
  while IFS= read -r line; do
    [[ $line == lanes\ * ]] || { lane_servers=" " && continue; }
    [[ $line =~ ^lanes\ (.*):([0-9]+)-?([0-9]*)\ on\  ]] || { say "what lanes are these: $line"; return 1; }
    lane_servers+="${BASH_REMATCH[1]//[\[\]]/} "
    lane_first=${BASH_REMATCH[2]} lane_last=${BASH_REMATCH[3]:-${BASH_REMATCH[2]}}
  done < <(grep -E '^lanes |, .* connections' "$OUT" | last_block)
  [[ $lane_servers != " " ]] || { say "no lanes in the summary"; return 1; }
}

# Of lines "lanes ..." and others: the last lines "lanes ..." that follow each other.
last_block() {
  awk '/^lanes / { if (!inside) text = ""; inside = 1; text = text $0 "\n"; next } { inside = 0 } END { printf "%s", text }'
}

# Compares the look in look[] with what ss counts on each host now.
compare_hosts_with_ss() {
  local row side host by_us by_ss bad=0
  read_host_lanes || return 1
  for row in "${look[@]}"; do
    side=$(cut -d, -f6 <<<"$row") host=$(cut -d, -f31 <<<"$row")
    by_us=$(cut -d, -f8-18,24-26 <<<"$row")
    by_ss=$(count_on "${host_behind[$host]-local}" "$side")
    [[ $by_us != "$by_ss" ]] || continue
    say "step $1, $side on $host: the CSV and ss count differently"
    say "CSV ${by_us}"
    say "ss  ${by_ss}"
    bad=1
  done
  return "$bad"
}

# A look is complete in look[]. As on_pair of ss_witness.
on_look() {
  local order step settled row verdict=0
  IFS=, read -r order _ _ step settled _ <<<"${look[0]}"
  if [[ $pending == "$order/$step" ]]; then
    ((++followers > 1)) || return "$verdict"
    compared+=" $pending "
    [[ -z $difference ]] || { say "$difference" && verdict=1; }
  fi
  pending=""
  [[ $settled == 1 && $compared != *" $order/$step "* ]] || return "$verdict"
  ! read -r -t 0 <&"$rows" || return "$verdict" # we lag behind: a later look will do
  for row in "${look[@]}"; do
    is_at_rest "$row" || return "$verdict"
  done
  kill -STOP "$storm_pid" 2>/dev/null || return "$verdict"
  wait_until 5 is_stopped "$storm_pid"
  if ! read -r -t 0 <&"$rows"; then
    pending=$order/$step followers=0
    difference=$(compare_hosts_with_ss "$step") || true
  fi
  kill -CONT "$storm_pid" 2>/dev/null || true
  return "$verdict"
}

follow_looks() {
  local line verdict=0 look=()
  while true; do
    if ! read -r -t 0 <&"$rows"; then
      is_over "$storm_pid" && ! read -r -t 0 <&"$rows" && break
      ((SECONDS < follow_deadline)) || { say "the storm did not end"; return 1; }
      rest 50
      continue
    fi
    # Lines are written whole. (A read that times out just as a line ends can lose the end of it: bash 5.2.)
    IFS= read -r -t 5 line <&"$rows"
    printf '%s\n' "$line" >>"$CSV"
    [[ $line != order,* ]] || continue
    look+=("$line")
    ((${#look[@]} < per_look)) || { on_look || verdict=1; look=(); }
  done
  return "$verdict"
}

# follow_hosts PER_LOOK OPTION...: plays it under both witnesses, so many rows a look; nothing left.
follow_hosts() {
  local per_look=$1 failures=0 pipe=$BATS_TEST_TMPDIR/rows
  shift
  pending="" difference="" follow_deadline=$((SECONDS + LONG))
  rm -f "$pipe" && mkfifo "$pipe"
  exec {rows}<>"$pipe"
  : >"$CSV"
  "${launcher[@]}" "$STORM" --csv "$pipe" "$@" >"$OUT" 2>"$ERR" 3>&- {rows}>&- &
  storm_pid=$!
  follow_looks || ((failures += 1))
  exec {rows}>&-
  end_storm 1 || return 1
  expect_code 0 || ((failures += 1))
  # shellcheck disable=SC2119
  expect_nobody_left || ((failures += 1))
  return $((failures > 0))
}

# witnessed_hosts ORDER[,ORDER] PER_LOOK OPTION...: every step compared on every host. On a machine so busy that a hold was
# over before ss could look it is played again with longer ones, for the steps still missing.
witnessed_hosts() {
  local hold order missed report=$BATS_TEST_TMPDIR/report
  compared=
  for hold in 300 1500 5000 5000; do
    missed=0
    if ! follow_hosts "$2" --order "$1" --hold "${hold}ms" --interval "$((hold / 5))ms" "${@:3}" >"$report" 2>&1; then
      cat "$report"
      show_output
      return 1
    fi
    for order in ${1//,/ }; do
      expect_all_compared "$order" >>"$report" || missed=1
    done
    ((missed == 1)) || return 0
  done
  cat "$report"
  show_output
  return 1
}
