# shellcheck shell=bash disable=SC2030,SC2031,SC2034,SC2154 # lane_first and its like come from storm.bash
# causes: a cause and its fixed twin under traffic, and ss as the second witness of what each is known by.
#
# Needs storm.bash and ss_witness.bash.

# What ss is to see of each, and nothing else: state, side, whether Recv-Q and Send-Q are empty (0 or +), and whose it is:
# "self", the worker of that side; "other", another process; "none". A dash: nothing. Behind the bar: what the other side
# keeps by its manner, of both twins.
SIGNATURES='ignore-eof           CLOSE-WAIT server 0 0 self
paused-read          CLOSE-WAIT server + 0 self
bounded-pool         CLOSE-WAIT server + 0 self
never-accept         CLOSE-WAIT server + 0 none
emfile               CLOSE-WAIT server + 0 self
fork-inherit         CLOSE-WAIT server 0 0 other
lost-reference       CLOSE-WAIT server + 0 self
dead-pool-entry      CLOSE-WAIT client + 0 self
no-half-close        CLOSE-WAIT server 0 0 self
reply-before-read    -
half-closed-for-ever FIN-WAIT-2 server 0 0 self | CLOSE-WAIT client ? 0 self
reset-swallowed      -
stalled-reader       ESTAB server 0 + self | ESTAB client + 0 self
no-timeout           ESTAB server 0 0 self
eof-is-abort         -
second-socket-forgotten -
no-reuse             -
keep-alive-race      -
connect-given-up     SYN-SENT client 0 + self
blocking-linger      -
inherited-listener   CLOSE-WAIT server + 0 none'

# signature_of NAME: state, side, Recv-Q, Send-Q, owner.
signature_of() {
  awk -v name="$1" '$1 == name { sub(/^[^ ]* +/, ""); sub(/ *\|.*/, ""); print }' <<<"$SIGNATURES"
}

# manner_of NAME: a pattern of what the other side keeps; "-" where it keeps nothing.
manner_of() {
  awk -v name="$1" '$1 == name { print sub(/.*\| */, "") ? $0 : "-" }' <<<"$SIGNATURES"
}

# What ss sees in TIME-WAIT on the lanes, of that side.
time_wait_of() {
  awk -v first="$lane_first" -v last="$lane_last" -v side="$1" '
    { end = side == "server" ? $4 : $5; sub(/.*:/, "", end) }
    $1 == "TIME-WAIT" && end + 0 >= first && end + 0 <= last { count++ }
    END { print count + 0 }' "$BATS_TEST_TMPDIR/sockets"
}

# While the storm's controller is stopped: all sockets with their owners, and the pids of the workers.
also_look() {
  look ss -Htanpo >"$BATS_TEST_TMPDIR/sockets"
  look cat /proc/net/netstat /proc/net/snmp >"$BATS_TEST_TMPDIR/netstat"
  worker_pids server >"$BATS_TEST_TMPDIR/server_pids"
  worker_pids client >"$BATS_TEST_TMPDIR/client_pids"
}

worker_pids() {
  local pid words children
  read -r -a children <"/proc/$storm_pid/task/$storm_pid/children" || true
  for pid in "${children[@]}"; do
    { mapfile -d '' -t words <"/proc/$pid/cmdline"; } 2>/dev/null || continue
    [[ "${words[*]:1}" != "worker $1"* ]] || say "$pid"
  done
}

# A line for each class of what also_look saw on the lanes and somebody has to close: count, state, side, Recv-Q, Send-Q, owner.
classes() {
  awk -v first="$lane_first" -v last="$lane_last" -v server="$(tr '\n' ' ' <"$BATS_TEST_TMPDIR/server_pids")" \
    -v client="$(tr '\n' ' ' <"$BATS_TEST_TMPDIR/client_pids")" '
    function is_lane(end) { sub(/.*:/, "", end); return end + 0 >= first && end + 0 <= last }
    function owner(pids,   rest, found) {
      rest = $0
      if (!match(rest, /pid=[0-9]+/)) return "none"
      found = "other"
      while (match(rest, /pid=[0-9]+/)) {
        if (index(" " pids, " " substr(rest, RSTART + 4, RLENGTH - 4) " ")) found = "self"
        rest = substr(rest, RSTART + RLENGTH)
      }
      return found
    }
    function take(side, pids,   whose) {
      whose = owner(pids)
      if (whose != "none" || $1 == "CLOSE-WAIT")
        count[$1 " " side " " ($2 > 0 ? "+" : 0) " " ($3 > 0 ? "+" : 0) " " whose]++
    }
    $1 == "LISTEN" { next }
    is_lane($4) { take("server", server); next }
    is_lane($5) { take("client", client) }
    END { for (class in count) print count[class], class }' "$BATS_TEST_TMPDIR/sockets"
}

# listens SELF|OTHER: all that ss saw listen on the lanes is held by the server's worker, or none of it is.
listens() {
  awk -v first="$lane_first" -v last="$lane_last" -v pids="$(cat "$BATS_TEST_TMPDIR/server_pids")" -v wanted="$1" '
    $1 == "LISTEN" {
      port = $4
      sub(/.*:/, "", port)
      if (port + 0 < first || port + 0 > last) next
      seen = 1
      whose = "other"
      for (n = split(pids, pid, /\n/); n > 0; n--) if (index($0, "pid=" pid[n] ",")) whose = "self"
      if (whose != wanted || !/pid=/) bad = 1
    }
    END { exit bad || !seen }' "$BATS_TEST_TMPDIR/sockets" && return
  say "the listener is not held by $1; ss saw: $(grep ^LISTEN "$BATS_TEST_TMPDIR/sockets")"
  return 1
}

# shows_signature NAME: ss saw some sockets of that cause's signature and none of another.
shows_signature() {
  local wanted manner count class seen=0 bad=0
  wanted=$(signature_of "$1")
  manner=$(manner_of "$1")
  while read -r count class; do
    # shellcheck disable=SC2053 # a pattern
    if [[ $class == "$wanted" ]]; then
      seen=$count
    elif [[ $class == $manner ]]; then
      continue
    elif [[ $1 != emfile || $class != 'CLOSE-WAIT server + 0 none' ]]; then # out of descriptors it cannot accept the rest
      bad=1
    fi
  done < <(classes)
  [[ $wanted != - ]] || seen=100
  ((seen >= 10 && bad == 0)) && return
  say "ss was to see \"$wanted\" of $1 and saw: $(classes | tr '\n' ';')"
  return 1
}

# shows_nothing NAME: nor that, nor anything else but what the other side keeps.
shows_nothing() {
  local manner count class
  manner=$(manner_of "$1")
  while read -r count class; do
    # shellcheck disable=SC2053 # a pattern
    [[ $class == $manner ]] || { say "ss saw of the fixed $1: $count $class"; return 1; }
  done < <(classes)
}

# What was seen is not taken for another cause's.
shows_no_other_signature() {
  local other
  for other in $("$TCPSTORM" causes --names); do
    [[ $(signature_of "$other") != "$(signature_of "$1")" ]] || continue
    if shows_signature "$other" >/dev/null; then
      say "what ss saw of $1 is taken for $other"
      return 1
    fi
  done
}

end_holds() {
  jq -e "select(.event == \"end\") | $1" "$JSON" >/dev/null || { say "not so: $1"; tail -n 1 "$JSON"; show_output; return 1; }
}

# A counter of the storm's namespace, as also_look saw it: of TcpExt, or of Tcp.
counter() {
  awk -v name="$1" -v of="${2-TcpExt:}" '$1 == of && !names { names = split($0, each, " "); next }
    $1 == of { for (i = 1; i <= names; i++) if (each[i] == name) print $i }' "$BATS_TEST_TMPDIR/netstat"
}

DURATION=3s

# play_cause NAME [OPTION...]: under both witnesses, in a namespace of its own.
play_cause() {
  local name=$1
  [[ ${2-} != --fixed ]] || name+=-fixed
  in_fresh_namespace
  witnessed_flow "$name" --cause "$1" --rate 100 --duration "$DURATION" --json "$JSON" "${@:2}"
  read_lanes "$OUT"
}

expect_bug() {
  play_cause "$@"
  shows_signature "$1"
  shows_no_other_signature "$1"
  end_holds '.outcome == "as expected" and .flow.signature'
  expect_in "$OUT" "the bug shows: "
}

expect_fix() {
  play_cause "$1" --fixed "${@:2}"
  shows_nothing "$1"
  end_holds '.outcome == "as expected" and (.flow.signature | not) and .flow.lost == 0 and .flow.server.held == 0'
  [[ $(manner_of "$1") != - ]] || end_holds '.flow.client.held == 0'
  expect_in "$OUT" "the bug does not show. Its signature would be: "
  expect_not_in "$OUT" "leak:"
}
