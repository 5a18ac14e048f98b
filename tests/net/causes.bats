#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash; every test is a subshell
#
# Every cause of "tcpstorm causes" and its fixed twin under traffic: exit status 0, and ss sees what the cause is known by:
# the side, whether the FIN was read (Recv-Q), and who holds the socket.

load storm
load ss_witness
load fail_call

# What ss is to see of each in CLOSE_WAIT: side, Recv-Q (0, or + for 1 and more), and whose it is: "self", the worker of
# that side; "other", another process; "none". A dash: no CLOSE_WAIT.
SIGNATURES='ignore-eof        server 0 self
paused-read       server + self
bounded-pool      server + self
never-accept      server + none
emfile            server + self
fork-inherit      server 0 other
lost-reference    server + self
dead-pool-entry   client + self
no-half-close     server 0 self
reply-before-read -'

# signature_of NAME: side, Recv-Q, owner.
signature_of() {
  awk -v name="$1" '$1 == name { $1 = ""; sub(/^ /, ""); print }' <<<"$SIGNATURES"
}

# While the storm's controller is stopped: all sockets with their owners, and the pids of the workers.
also_look() {
  look ss -Htanp >"$BATS_TEST_TMPDIR/sockets"
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

# A line for each class of what also_look saw in CLOSE_WAIT on the lanes: count, side, Recv-Q, owner.
close_wait_classes() {
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
    $1 != "CLOSE-WAIT" { next }
    is_lane($4) { count["server " ($2 > 0 ? "+" : 0) " " owner(server)]++; next }
    is_lane($5) { count["client " ($2 > 0 ? "+" : 0) " " owner(client)]++ }
    END { for (class in count) print count[class], class }' "$BATS_TEST_TMPDIR/sockets"
}

# shows_signature NAME: ss saw sockets of that cause's signature, and more of them than of anything else.
shows_signature() {
  local wanted most
  wanted=$(signature_of "$1")
  most=$(close_wait_classes | sort -rn | head -n 1)
  if [[ $wanted == - ]]; then
    [[ -z $most ]] && return
  else
    [[ ${most#* } == "$wanted" ]] && return
  fi
  say "ss was to see \"$wanted\" of $1 in CLOSE_WAIT and saw: $(close_wait_classes | tr '\n' ';')"
  return 1
}

end_holds() {
  jq -e "select(.event == \"end\") | $1" "$JSON" >/dev/null || { say "not so: $1"; tail -n 1 "$JSON"; show_output; return 1; }
}

# play_cause NAME [OPTION...]: under both witnesses.
play_cause() {
  local name=$1
  [[ ${2-} != --fixed ]] || name+=-fixed
  witnessed_flow "$name" --cause "$1" --rate 100 --duration 2s --json "$JSON" "${@:2}"
  read_lanes "$OUT"
}

expect_bug() {
  play_cause "$@"
  shows_signature "$1"
  end_holds '.outcome == "as expected" and .flow.signature'
  expect_in "$OUT" "Signature seen: "
  say "$1: $(close_wait_classes | tr '\n' ';')" >&3
}

expect_fix() {
  play_cause "$1" --fixed "${@:2}"
  [[ -z $(close_wait_classes) ]] || { say "ss saw CLOSE_WAIT of the fixed $1: $(close_wait_classes)"; return 1; }
  end_holds '.outcome == "as expected" and (.flow.signature | not)'
  expect_in "$OUT" "Signature not seen: "
  expect_not_in "$OUT" "leak:"
}

@test "there is a signature here for every cause" {
  [[ $(awk '{ print $1 }' <<<"$SIGNATURES") == "$("$TCPSTORM" causes --names)" ]]
}

@test "ignore-eof, and its fix" {
  expect_bug ignore-eof
  expect_fix ignore-eof
}

@test "paused-read, and its fix" {
  expect_bug paused-read
  expect_fix paused-read
}

@test "bounded-pool, and its fix" {
  expect_bug bounded-pool
  expect_fix bounded-pool
}

@test "never-accept, and its fix" {
  expect_bug never-accept
  expect_fix never-accept
}

@test "emfile, and its fix" {
  expect_bug emfile
  expect_fix emfile
}

@test "fork-inherit, and its fix" {
  expect_bug fork-inherit
  expect_fix fork-inherit
}

@test "lost-reference, and its fix" {
  expect_bug lost-reference
  expect_fix lost-reference
}

@test "dead-pool-entry, and its fix" {
  expect_bug dead-pool-entry
  expect_fix dead-pool-entry
}

@test "no-half-close, and its fix" {
  expect_bug no-half-close
  expect_fix no-half-close
}

@test "reply-before-read, and its fix" {
  expect_bug reply-before-read
  expect_fix reply-before-read
}
