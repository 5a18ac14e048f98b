# shellcheck shell=bash disable=SC2154 # lane_first and its like come from storm.bash
# ss_witness: a second witness. It plays a storm, follows its CSV, and at the first settled row of every step it stops
# the controller (so that the hold cannot end meanwhile), lets ss count the same sockets, and compares.
#
# Needs storm.bash.

# One line per side: the counts of ss under the names of the CSV's columns, in its order.
count_with_ss() {
  ss -Htan | awk -v address="$lane_address" -v first="$lane_first" -v last="$lane_last" '
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
    !($1 in is_state) { print "ss says an unknown state: " $0; next }
    is_lane($4) { count["server", $1]++; next }
    is_lane($5) { count["client", $1]++ }
    END {
      for (s = 1; s <= 2; s++) {
        line = side = s == 1 ? "server" : "client"
        for (i = 1; i <= columns; i++) line = line "," count[side, states[i]] + 0
        print line
      }
    }'
}

# A CSV row in the same form: its side and the states, without gone.
counts_of_row() {
  cut -d, -f6,8-18 <<<"$1"
}

# Compares the pair of rows in $server_row and $client_row with what ss counts now.
compare_with_ss() {
  local by_us by_ss
  read_lanes "$OUT"
  by_us=$(counts_of_row "$server_row" && counts_of_row "$client_row")
  by_ss=$(count_with_ss)
  [[ $by_us == "$by_ss" ]] && return
  say "step $1: the CSV and ss count differently"
  say "         side,listen,syn_sent,syn_recv,established,fin_wait1,fin_wait2,close_wait,closing,last_ack,time_wait,close"
  say "CSV      ${by_us//$'\n'/$'\n'         }"
  say "ss       ${by_ss//$'\n'/$'\n'         }"
  return 1
}

# A pair of rows is complete in $server_row and $client_row. What ss finds counts only once another row of the same step
# follows: the step was not over then, and ss counted in its hold.
on_pair() {
  local order step settled verdict=0
  IFS=, read -r order _ _ step settled _ <<<"$server_row"
  if [[ $pending == "$order/$step" ]]; then
    compared+=" $pending "
    [[ -z $difference ]] || { say "$difference" && verdict=1; }
  fi
  pending=""
  [[ $settled == 1 && $compared != *" $order/$step "* ]] || return "$verdict"
  kill -STOP "$storm_pid" 2>/dev/null || return "$verdict"
  wait_until 5 is_stopped "$storm_pid"
  if ! read -r -t 0 <&"$rows"; then # else we lag behind: a later row will do
    pending=$order/$step
    difference=$(compare_with_ss "$step") || true
  fi
  kill -CONT "$storm_pid" 2>/dev/null || true
  return "$verdict"
}

is_stopped() {
  local state
  { read -r state <"/proc/$1/stat"; } 2>/dev/null || return 0
  [[ $state == *") T "* ]]
}

follow_rows() {
  local line verdict=0
  while true; do
    if ! IFS= read -r -t 0.1 line <&"$rows"; then
      is_over "$storm_pid" && ! read -r -t 0 <&"$rows" && break
      ((SECONDS < follow_deadline)) || { say "the storm did not end"; return 1; }
      continue
    fi
    printf '%s\n' "$line" >>"$CSV"
    case $line in
      *,server,*) server_row=$line ;;
      *,client,*) client_row=$line && { on_pair || verdict=1; } ;;
    esac
  done
  return "$verdict"
}

# Every step that `orders` lists for that order must have been compared.
expect_all_compared() {
  local step missing=
  for step in $(steps_of "$1"); do
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
# so busy that a hold was over before ss could look, the order is played again with longer ones.
witnessed_storm() {
  local hold verdict missed report=$BATS_TEST_TMPDIR/report
  for hold in 200 1000 4000; do
    verdict=0 missed=0
    play_under_both_witnesses "$1" --hold "${hold}ms" --interval "$((hold / 3))ms" "${@:2}" >"$report" 2>&1 || verdict=1
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
  shift
  local pipe=$BATS_TEST_TMPDIR/rows
  compared="" pending="" difference="" follow_deadline=$((SECONDS + LONG))
  rm -f "$pipe" && mkfifo "$pipe"
  exec {rows}<>"$pipe" # read and write: a storm that never opens it must not block us
  : >"$CSV"
  "$STORM" --order "$order" --csv "$pipe" "$@" >"$OUT" 2>"$ERR" 3>&- {rows}>&- &
  storm_pid=$!
  follow_rows || ((failures += 1))
  exec {rows}>&-
  end_storm 1 || return 1
  expect_code 0 || ((failures += 1))
  check_csv "$CSV" || ((failures += 1))
  check_settled_rows "$CSV" "$order" || ((failures += 1))
  expect_no_process || ((failures += 1))
  return $((failures > 0))
}
