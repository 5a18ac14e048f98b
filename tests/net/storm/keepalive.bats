#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash; every test is a subshell
#
# --server-keepalive and --client-keepalive: what keep-alive does to connections that nobody closes, with ss and the kernel's
# counters as second witness.

# run-bats: takes 20 s

load ../storm
load ../ss_witness
load ../causes

needs() { in_fresh_namespace net.ipv4.tcp_fin_timeout=1; }

# ghosts_of_a_leak SIDE CONNS STEP OPTION...: CLOSE_WAIT falls in that step, and ghosts rise by the same number.
ghosts_of_a_leak() {
  local side=$1 conns=$2 step=$3
  start_storm --conns "$conns" --interval 50ms --json "$JSON" "${@:4}"
  wait_for_row "$step" 1
  read_lanes "$OUT"
  [[ $(timers_of "$side") == keepalive ]]
  end_storm "$LONG"
  expect_code 0
  check_csv "$CSV"
  expect_settled "$step" "$side" gone="$conns" ghosts="$conns" fds="$conns" close_wait=0
  # In every row there was one or the other.
  awk -F, -v side="$side" -v step="$step" -v conns="$conns" '
    $4 == step && $6 == side && $5 == 1 { seen++; bad += $14 + $23 != conns; close_wait += $14 > 0 }
    END { exit bad || !seen || !close_wait }' "$CSV"
  (($(jq 'select(.event == "end").counters_moved.TCPKeepAlive' "$JSON") >= conns))
  [[ $(jq 'select(.event == "end").counters_moved.EstabResets' "$JSON") == "$conns" ]]
  expect_in "$OUT" "Keep-alive on the $side has closed nothing: the last probes"
  expect_in "$OUT" "The descriptors are still open, and the $side still owes the close()."
}

# The timers that ss shows of that side's CLOSE_WAIT, each once.
timers_of() {
  local filter="sport = :$lane_first"
  [[ $1 == server ]] || filter="dport = :$lane_first"
  look ss -Htno state close-wait "$filter" | sed -n 's/.*timer:(\([a-z]*\),.*/\1/p' | sort -u
}

@test "a CLOSE_WAIT under keep-alive becomes a ghost, of the server and of the client" {
  beside ghosts_of_a_leak client 1 server-close --order server-first --leak 1 --client-keepalive 1s --hold 3s
  ghosts_of_a_leak server 1000 client-close --order leak --server-keepalive 1s --hold 3s
  expect_in "$OUT" "As expected, for a run with keep-alive."
  expect_in "$OUT" "Keep-alive on the server has closed nothing"
  expect_beside
}

@test "who answers keep-alive is left alone" {
  storm --order never-close --conns 100 --server-keepalive 1s --client-keepalive 1s --hold 1500ms --json "$JSON"
  expect_code 0
  expect_settled open server established=100 ghosts=0
  expect_settled open client established=100 ghosts=0
  (($(jq 'select(.event == "end").counters_moved.TCPKeepAlive' "$JSON") >= 200))
  expect_not_in "$OUT" "Keep-alive of"
}

unanswered() {
  storm --isolate --order forgotten --conns 100 --client-keepalive 1s --hold 500ms
  expect_code 0
  expect_settled server-close client gone=100 ghosts=100 fds=100
  expect_in "$OUT" "were not answered, and the kernel removed 100 of its sockets from all tables"
}

one_by_one() {
  storm --rate 200 --duration 1s --order client-first --leak 20 --server-keepalive 1s --hold 3s --json "$JSON"
  expect_code 0
  expect_settled arrivals server ghosts=20 close_wait=0 fds=20
  expect_in "$OUT" "Keep-alive on the server has closed nothing"
  expect_not_in "$OUT" "20 TIME_WAIT on the client ended" # 20 FIN_WAIT2 had no TIME_WAIT to lose; a late RST may end another
}

@test "what nobody answers is given up, and its descriptor stays; one by one a leak becomes ghosts" {
  beside unanswered
  one_by_one
  expect_beside
}

# cause_under_keepalive NAME CODE TEXT
cause_under_keepalive() {
  storm --isolate --sysctl net.ipv4.tcp_fin_timeout=1 --cause "$1" --duration 1s --server-keepalive 1s --hold 3s
  expect_code "$2"
  expect_in "$OUT" "$3"
}

@test "causes: ignore-eof keeps its descriptors, and of no-timeout keep-alive is the cure" {
  beside cause_under_keepalive no-timeout 1 "Keep-alive on the server may be why the bug does not show"
  cause_under_keepalive ignore-eof 0 "the bug shows, but keep-alive has ended its sockets and left the descriptors: server CLOSE_WAIT"
  expect_settled arrivals server ghosts=100 fds=100 close_wait=0
  expect_in "$OUT" "Keep-alive on the server has closed nothing: it is likely that the last probes"
  expect_beside
}
