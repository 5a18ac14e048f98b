#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash; every test is a subshell
#
# Every cause of "tcpstorm causes" and its fixed twin under traffic: exit status 0, and ss sees what the cause is known by:
# the side, whether the FIN was read (Recv-Q), and who holds the socket.

# run-bats: takes 60 s

load ../storm
load ../ss_witness
load ../fail_call

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
second-socket-forgotten -'

# signature_of NAME: state, side, Recv-Q, Send-Q, owner.
signature_of() {
  awk -v name="$1" '$1 == name { sub(/^[^ ]* +/, ""); sub(/ *\|.*/, ""); print }' <<<"$SIGNATURES"
}

# manner_of NAME: a pattern of what the other side keeps; "-" where it keeps nothing.
manner_of() {
  awk -v name="$1" '$1 == name { print sub(/.*\| */, "") ? $0 : "-" }' <<<"$SIGNATURES"
}

# While the storm's controller is stopped: all sockets with their owners, and the pids of the workers.
also_look() {
  look ss -Htanpo >"$BATS_TEST_TMPDIR/sockets"
  look cat /proc/net/netstat >"$BATS_TEST_TMPDIR/netstat"
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

# A counter of the storm's namespace, as also_look saw it.
counter() {
  awk -v name="$1" '$1 == "TcpExt:" && !names { names = split($0, each, " "); next }
    $1 == "TcpExt:" { for (i = 1; i <= names; i++) if (each[i] == name) print $i }' "$BATS_TEST_TMPDIR/netstat"
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

# beside COMMAND...: runs it meanwhile, as a test of its own.
beside() {
  (
    BATS_TEST_TMPDIR+=/beside
    mkdir "$BATS_TEST_TMPDIR"
    setup
    "$@"
    teardown
  ) >"$BATS_TEST_TMPDIR/beside.report" 2>&1 &
  beside_pid=$!
}

expect_beside() {
  wait "$beside_pid" || { cat "$BATS_TEST_TMPDIR/beside.report"; return 1; }
}

@test "there is a signature here for every cause" {
  [[ $(awk '{ print $1 }' <<<"$SIGNATURES") == "$("$TCPSTORM" causes --names)" ]]
}

@test "ignore-eof, and its fix" {
  beside expect_fix ignore-eof
  expect_bug ignore-eof
  expect_beside
}

@test "paused-read, and its fix" {
  beside expect_fix paused-read
  expect_bug paused-read
  expect_beside
}

@test "bounded-pool, and its fix" {
  beside expect_fix bounded-pool
  expect_bug bounded-pool
  expect_beside
}

@test "never-accept, and its fix" {
  beside expect_fix never-accept
  expect_bug never-accept
  end_holds '.flow.accepted < 100'
  expect_beside
}

@test "emfile, and its fix" {
  beside expect_fix emfile
  expect_bug emfile
  end_holds '.flow.accept_errors > 0 and .flow.story[0].stage == "server_emfile"'
  expect_beside
}

@test "fork-inherit, and its fix" {
  beside expect_fix fork-inherit
  expect_bug fork-inherit
  expect_beside
}

@test "lost-reference, and its fix" {
  beside expect_fix lost-reference
  expect_bug lost-reference
  expect_beside
}

@test "dead-pool-entry, and its fix" {
  beside expect_fix dead-pool-entry
  expect_bug dead-pool-entry
  expect_beside
}

@test "no-half-close, and its fix" {
  beside expect_fix no-half-close
  expect_bug no-half-close
  expect_beside
}

# No socket lingers: it is known by resets and by replies that were lost.
expect_no_reset() {
  expect_fix reply-before-read
  [[ $(counter TCPAbortOnClose) == 0 ]]
}

@test "reply-before-read, and its fix" {
  beside expect_no_reset
  expect_bug reply-before-read
  end_holds '.flow.lost > 0'
  (($(counter TCPAbortOnClose) > 0))
  expect_beside
}

@test "half-closed-for-ever, and its fix" {
  DURATION=1s
  beside expect_fix half-closed-for-ever
  expect_bug half-closed-for-ever
  expect_beside
}

# No socket lingers: the CSV counts the ghosts, and ss and /proc agree.
@test "reset-swallowed, and its fix" {
  DURATION=1s
  beside expect_fix reset-swallowed
  expect_bug reset-swallowed
  end_holds '.flow.server.held == 100 and .lingering == []'
  expect_in "$OUT" "100 ghosts on the server"
  expect_beside
}

@test "stalled-reader, and its fix" {
  DURATION=1s
  beside expect_fix stalled-reader
  expect_bug stalled-reader
  [[ $(awk '$1 == "ESTAB" && /timer:\(persist/' "$BATS_TEST_TMPDIR/sockets" | wc -l) == 100 ]] # ss says so too
  end_holds '.lingering[0] | .stalled and .acts == "the client does not read"'
  expect_beside
}

@test "no-timeout, and its fix" {
  DURATION=1s
  beside expect_fix no-timeout
  expect_bug no-timeout
  expect_in "$OUT" "the client has no such connections; the server may close"
  expect_beside
}

@test "eof-is-abort, and its fix" {
  DURATION=1s
  beside expect_fix eof-is-abort
  expect_bug eof-is-abort
  end_holds '.flow.lost == 100'
  [[ $(counter TCPAbortOnClose) == 0 ]]
  expect_beside
}

@test "second-socket-forgotten, and its fix" {
  DURATION=1s
  beside expect_fix second-socket-forgotten
  expect_bug second-socket-forgotten
  [[ $(awk '$1 == "ESTAB" && /"tcpstorm"/' "$BATS_TEST_TMPDIR/sockets" | wc -l) == 100 ]] # towards the backend
  end_holds '.flow.server.held == 100 and .lingering == []'
  expect_beside
}

# ---- and these checks can fail ----

@test "a bug that does not show: exit status 1, and the signature is named" {
  storm --cause emfile --server-nofile 1000 --rate 100 --duration 1s --hold 50ms
  expect_code 1
  expect_in "$OUT" "the signature does not appear"
  expect_no_process
}

@test "a bug that shows although it is fixed: exit status 1, and ss sees it too" {
  fail_call close EINTR "worker server" 20
  local seconds
  for seconds in 2 10; do
    storm --cause ignore-eof --fixed --rate 100 --duration "${seconds}s" --settle 500ms --hold 50ms
    holds_text "$OUT" "too few looks to tell" || break # the machine is too busy
  done
  expect_code 1
  expect_in "$OUT" "ignore-eof"
  expect_in "$OUT" "leak:"
  expect_no_process
}
