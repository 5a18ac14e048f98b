# shellcheck shell=bash disable=SC2154 # lane_first and its like come from storm.bash
# ss_witness: a second witness. It plays a storm, follows its CSV, and at the first settled row of every step it stops
# the controller (so that the hold cannot end meanwhile), lets ss count the same sockets, and compares.
#
# Needs storm.bash.

# What is compared: the names of the CSV's columns.
COMPARED=side,listen,syn_sent,syn_recv,established,fin_wait1,fin_wait2,close_wait,closing,last_ack,time_wait,close,ghosts,unread,unowned,queued

# One line per side: the counts of ss under the names of the CSV's columns, in its order; but for ghosts, which ss cannot
# see: sockets that the side's workers have a descriptor on and that no table has.
count_with_ss() {
  awk -v address="$lane_address" -v first="$lane_first" -v last="$lane_last" '
    BEGIN {
      columns = split("LISTEN SYN-SENT SYN-RECV ESTAB FIN-WAIT-1 FIN-WAIT-2 CLOSE-WAIT CLOSING LAST-ACK TIME-WAIT UNCONN", states, " ")
      for (i = 1; i <= columns; i++) is_state[states[i]] = 1
    }
    function is_lane(end,   host, port) {
      match(end, /:[^:]*$/)
      host = substr(end, 1, RSTART - 1); port = substr(end, RSTART + 1)
      gsub(/[][]/, "", host)
      return host == address && port + 0 >= first && port + 0 <= last
    }
    function take(side) {
      count[side, $1]++
      if ($1 == "LISTEN") queued[side] += $2
      if ($1 == "CLOSE-WAIT" && $2 > 0) unread[side]++
      if ($1 == "CLOSE-WAIT" && inode == 0) unowned[side]++
    }
    from == "descriptors" { # of `ls -l`: a directory each, then its descriptors
      if (sub(/.*socket:\[/, "") && sub(/\]$/, "") && !($0 in in_table)) ghosts[side]++
      next
    }
    from == "other tables" { in_table[$7]; in_table[$10]; next } # the inode in /proc/net/unix, and in netlink
    !($1 in is_state) { print "ss says an unknown state: " $0; next }
    { inode = match($0, / ino:[0-9]+/) ? substr($0, RSTART + 5, RLENGTH - 5) : 0; in_table[inode] }
    is_lane($4) { take("server"); next }
    is_lane($5) { take("client") }
    END {
      for (s = 1; s <= 2; s++) {
        line = side = s == 1 ? "server" : "client"
        for (i = 1; i <= columns; i++) line = line "," count[side, states[i]] + 0
        print line "," ghosts[side] + 0 "," unread[side] + 0 "," unowned[side] + 0 "," queued[side] + 0
      }
    }' from=ss <(look ss -Htane) from="other tables" <(look cat /proc/net/unix /proc/net/netlink) \
    from=descriptors side=server <(descriptors_of server) side=client <(descriptors_of client)
}

# Runs a command where the storm is.
look() {
  if [[ ${launcher[0]-} == */in_namespace.bash ]]; then
    inside "$@"
  else
    "$@"
  fi
}

# The descriptors of the storm's workers of that side.
descriptors_of() {
  local pid words children directories=()
  read -r -a children <"/proc/$storm_pid/task/$storm_pid/children" || true
  for pid in "${children[@]}"; do
    { mapfile -d '' -t words <"/proc/$pid/cmdline"; } 2>/dev/null || continue
    [[ "${words[*]:1}" != "worker $1"* ]] || directories+=("/proc/$pid/fd")
  done
  ((${#directories[@]} == 0)) || ls -l "${directories[@]}"
}

# A CSV row in the same form: its side and the states, without gone.
counts_of_row() {
  cut -d, -f6,8-18,23-26 <<<"$1"
}

# Compares the pair of rows in $server_row and $client_row with what ss counts now.
compare_with_ss() {
  local by_us by_ss
  read_lanes "$OUT"
  by_us=$(counts_of_row "$server_row" && counts_of_row "$client_row")
  by_ss=$(count_with_ss)
  [[ $by_us == "$by_ss" ]] && return
  say "step $1: the CSV and ss count differently"
  say "         $COMPARED"
  say "CSV      ${by_us//$'\n'/$'\n'         }"
  say "ss       ${by_ss//$'\n'/$'\n'         }"
  return 1
}

# A pair of rows is complete in $server_row and $client_row. What ss finds counts only once two more of the same step follow (one
# may have been under way): the step was not over then, and ss counted in its hold.
on_pair() {
  local order step settled verdict=0
  IFS=, read -r order _ _ step settled _ <<<"$server_row"
  if [[ $pending == "$order/$step" ]]; then
    ((++followers > 1)) || return "$verdict"
    compared+=" $pending "
    [[ -z $difference ]] || { say "$difference" && verdict=1; }
  fi
  pending=""
  [[ $settled == 1 && $compared != *" $order/$step "* ]] || return "$verdict"
  ! read -r -t 0 <&"$rows" || return "$verdict" # we lag behind: a later row will do
  is_at_rest "$server_row" && is_at_rest "$client_row" || return "$verdict"
  kill -STOP "$storm_pid" 2>/dev/null || return "$verdict"
  wait_until 5 is_stopped "$storm_pid"
  if ! read -r -t 0 <&"$rows"; then
    pending=$order/$step followers=0
    difference=$(compare_with_ss "$step") || true
    also_look
  fi
  kill -CONT "$storm_pid" 2>/dev/null || true
  return "$verdict"
}

also_look() {
  :
}

# A row without the states that pass by themselves: where every state is allowed a step settles before they have. But FIN_WAIT1
# is where some orders stay.
is_at_rest() {
  local field
  IFS=, read -r -a field <<<"$1"
  [[ ${field[8]},${field[9]},${field[14]},${field[15]} == 0,0,0,0 ]] &&
    [[ ${field[11]} == 0 || $1 == vanish,* || $1 == linger-timeout,* ]]
}

is_stopped() {
  local state
  { read -r state <"/proc/$1/stat"; } 2>/dev/null || return 0
  [[ $state == *") T "* ]]
}

follow_rows() {
  local line verdict=0
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
    case $line in
      *,server,*) server_row=$line ;;
      *,client,*) client_row=$line && { on_pair || verdict=1; } ;;
    esac
  done
  return "$verdict"
}

# Every step that `orders` lists for that order must have been compared; of connections one by one, the steps named.
expect_all_compared() {
  local step missing=
  for step in ${2-$(steps_of "$1")}; do
    [[ $compared == *" $1/$step "* ]] || missing+=" $step"
  done
  [[ -z $missing ]] || { say "$1: ss never looked at:$missing"; return 1; }
}

# steps_of ORDER: the labels of its steps, as the program lists them.
steps_of() {
  listing_of "$1" | awk '$2 == "server" { print $1 }'
}

listing_of() {
  "$TCPSTORM" orders | awk -v order="$1" '
    /^[^ ]/ { on = index($0, order ": ") == 1; next }
    on && /^    [a-z-]+ +server [A-Za-z0-9_ ]+ client [A-Za-z0-9_ ]+$/ { print }'
}

# Every settled row shows the states that the program's own list promises for that step.
check_settled_rows() {
  awk -F, -v order="$2" '
    FNR == NR {
      split($0, part, / +(server|client) /)
      gsub(/ /, "", part[1])
      expected[part[1], "server"] = " " tolower(part[2]) " "
      expected[part[1], "client"] = " " tolower(part[3]) " "
      next
    }
    FNR == 1 { for (i = 1; i <= NF; i++) name[i] = $i; next }
    $5 == 1 {
      seen[$4] = 1
      if ($7 != $2) { printf "%s opened, not %s: %s\n", $7, $2, $0; bad = 1 }
      for (i = 9; i <= 19; i++)
        if ($i != 0 && index(expected[$4, $6], " " name[i] " ") == 0) {
          printf "%s %s, %s side: %s %s where%sis expected\n", order, $4, $6, $i, name[i], expected[$4, $6]
          bad = 1
        }
    }
    END { exit bad }' <(listing_of "$2") "$1"
}

# witnessed_storm ORDER OPTION...: plays the order under both witnesses; exit status 0, every step compared. On a machine
# so busy that a hold was over before ss could look, the order is played again with longer ones, for the steps still missing; but
# not longer than a clock of the kernel that the order waits for.
witnessed_storm() {
  local hold verdict missed report=$BATS_TEST_TMPDIR/report holds='200 1000 2000 5000 10000'
  [[ $1 != late-close && $1 != port-comes-round && $1 != forgotten ]] || holds='200 1000 2000 2000 2000'
  compared=
  for hold in $holds; do
    verdict=0 missed=0
    play_under_both_witnesses "$1" --hold "${hold}ms" --interval "$((hold / 5))ms" "${@:2}" >"$report" 2>&1 || verdict=1
    expect_all_compared "$1" >>"$report" || missed=1
    ((verdict == 0 && missed == 1)) || break
  done
  if ((verdict != 0 || missed != 0)); then
    cat "$report"
    say "that was --order $*, held for $hold ms"
    show_output
    return 1
  fi
}

play_under_both_witnesses() {
  local order=$1 failures=0
  follow_storm --order "$@" || ((failures += 1))
  # The list knows no leak, and no clock of the kernel that runs out because the machine is busy: the program says that.
  [[ $* == *--leak* ]] || holds_text "$OUT" "outlasts the kernel's timers" || check_settled_rows "$CSV" "$order" ||
    ((failures += 1))
  return $((failures > 0))
}

# witnessed_flow ORDER OPTION...: connections one by one under both witnesses; exit status 0, and ss compared when the last
# had ended. ORDER is the name in the CSV. What to do while ss looks may be defined as also_look.
witnessed_flow() {
  local order=$1 report=$BATS_TEST_TMPDIR/report hold
  compared=
  for hold in 500 3000 8000 16000; do
    # Where the machine is busy we need longer for a row, too.
    if ! follow_storm --hold "${hold}ms" --interval "$((hold < 2000 ? 100 : 300))ms" "${@:2}" >"$report" 2>&1; then
      cat "$report"
      show_output
      return 1
    fi
    expect_all_compared "$order" arrivals >>"$report" && return
  done
  cat "$report"
  show_output
  return 1
}

# follow_storm OPTION...: plays it and compares; exit status 0, the CSV in order, nothing left. Which steps were compared is
# added to $compared.
follow_storm() {
  local failures=0
  local pipe=$BATS_TEST_TMPDIR/rows
  pending="" difference="" follow_deadline=$((SECONDS + 3 * LONG))
  rm -f "$pipe" && mkfifo "$pipe"
  exec {rows}<>"$pipe" # read and write: a storm that never opens it must not block us
  : >"$CSV"
  "${launcher[@]}" "$STORM" --csv "$pipe" "$@" >"$OUT" 2>"$ERR" 3>&- {rows}>&- &
  storm_pid=$!
  follow_rows || ((failures += 1))
  exec {rows}>&-
  end_storm 1 || return 1
  expect_code 0 || ((failures += 1))
  check_csv "$CSV" || ((failures += 1))
  expect_no_process || ((failures += 1))
  return $((failures > 0))
}
