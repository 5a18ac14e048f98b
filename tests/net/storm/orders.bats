#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash; every test is a subshell
#
# Every order of the table through the real kernel, with ss as second witness; then what each order must show, by hand.

load ../storm
load ../ss_witness

# The others are in isolate.bats.
orders_of_any_machine() {
  "$TCPSTORM" --dry-run --order all | sed -n 's/^  orders  *//p'
}

every_order() {
  local order
  for order in $(orders_of_any_machine); do
    witnessed_storm "$order" "$@"
  done
}

@test "every order with 1 connection: as listed, and ss counts the same" {
  every_order --conns 1
}

@test "every order with 1,000 connections: as listed, and ss counts the same" {
  every_order --conns 1000
}

@test "the table has orders, and each has an opening and a name of its own" {
  local names order
  names=$("$TCPSTORM" orders --names)
  (($(wc -l <<<"$names") >= 8))
  [[ $(sort <<<"$names" | uniq -d) == "" ]]
  for order in $names; do
    [[ $(steps_of "$order" | head -n 1) == open ]]
    [[ $(steps_of "$order" | sort | uniq -d) == "" ]]
  done
}

@test "over IPv6 ss counts the same" {
  [[ -e /proc/net/if_inet6 ]] || skip "this kernel has no IPv6"
  witnessed_storm server-first --conns 100 --address ::1
  witnessed_storm unread --conns 100 --address ::1
}

@test "over IPv6 with the procfs witness ss counts the same" {
  [[ -e /proc/net/if_inet6 ]] || skip "this kernel has no IPv6"
  witnessed_storm client-first --conns 100 --address ::1 --witness procfs
}

@test "on 127.0.0.9 ss counts the same" {
  witnessed_storm client-first --conns 100 --address 127.0.0.9
  witnessed_storm leak --conns 100 --address 127.0.0.9
}

@test "with the procfs witness ss counts the same, and the first line says who spoke" {
  witnessed_storm server-first --conns 100 --witness procfs
  expect_in "$OUT" "seen by procfs"
  witnessed_storm half-close --conns 100 --witness procfs
  witnessed_storm simultaneous --conns 100 --witness procfs
}

@test "with the netlink witness the first line says so" {
  witnessed_storm server-first --conns 10 --witness netlink
  expect_in "$OUT" "seen by netlink"
}

@test "server-first: FIN_WAIT2 and CLOSE_WAIT, then TIME_WAIT on the server" {
  storm --order server-first --conns 100 --hold 100ms
  expect_code 0
  expect_settled open server established=100 fds=100 listen=1 gone=0 errors=0
  expect_settled open client established=100 fds=100 listen=0 gone=0 errors=0
  expect_settled server-close server fin_wait2=100 fds=0 gone=0
  expect_settled server-close client close_wait=100 fds=100 gone=0
  expect_settled client-close server time_wait=100 fds=0 gone=0
  expect_settled client-close client gone=100 fds=0
}

@test "client-first: CLOSE_WAIT and FIN_WAIT2, then TIME_WAIT on the client" {
  storm --order client-first --conns 100 --hold 100ms
  expect_code 0
  expect_settled client-close server close_wait=100 fds=100 unread=100 unowned=0 gone=0
  expect_settled client-close client fin_wait2=100 fds=0 gone=0
  expect_settled server-close server gone=100 fds=0
  expect_settled server-close client time_wait=100 fds=0 gone=0
}

@test "half-close: the client's descriptors stay until its own close, TIME_WAIT comes before it" {
  storm --order half-close --conns 100 --hold 100ms
  expect_code 0
  local step
  for step in client-shutdown server-write client-read; do
    expect_settled "$step" server close_wait=100 fds=100 ghosts=0 gone=0
    expect_settled "$step" client fin_wait2=100 fds=100 gone=0
  done
  expect_settled server-close server gone=100 fds=0
  expect_settled server-close client time_wait=100 fds=100 ghosts=100 gone=0 # TIME_WAIT, and a descriptor on nothing
  expect_settled client-close server gone=100 fds=0
  expect_settled client-close client time_wait=100 fds=0 ghosts=0 gone=0
}

@test "never-close: 2N ESTABLISHED and 2N descriptors to the end, and exit status 0" {
  storm --order never-close --conns 100 --hold 100ms
  expect_code 0
  expect_settled open server established=100 fds=100 gone=0
  expect_settled open client established=100 fds=100 gone=0
  expect_in "$OUT" "200 descriptors were still open at the end (server 100, client 100)"
}

@test "leak: N CLOSE_WAIT with their descriptors to the end, and exit status 0" {
  storm --order leak --conns 100 --hold 100ms
  expect_code 0
  expect_settled client-close server close_wait=100 fds=100 gone=0
  expect_settled client-close client fin_wait2=100 fds=0 gone=0
  expect_in "$OUT" "100 CLOSE_WAIT on the server: held by tcpstorm pid"
  expect_in "$OUT" "EOF not read (Recv-Q 1 or more); the client sent the first FIN; the server owes the close()."
}

# expect_simultaneous: per side TIME_WAIT or gone, no descriptors; $together is the TIME_WAIT of both sides.
expect_simultaneous() {
  local side waiting gone
  together=0
  expect_code 0
  for side in server client; do
    waiting=$(last_settled "$CSV" both-close "$side" time_wait)
    gone=$(last_settled "$CSV" both-close "$side" gone)
    ((waiting + gone == 100))
    together=$((together + waiting))
    expect_settled both-close "$side" fds=0
  done
  say "$together TIME_WAIT together"
  ((together <= 200))
}

@test "simultaneous: TIME_WAIT or gone, N to 2N TIME_WAIT together, or RFC 1337 is named with the number that misses" {
  local attempt
  for attempt in 1 2 3 4 5; do
    storm --order simultaneous --conns 100 --hold 50ms
    expect_simultaneous
    ((together >= 100)) || expect_in "$OUT" "RFC 1337"
    ((together < 100)) || expect_not_in "$OUT" "RFC 1337"
  done
}

@test "simultaneous where RST cannot end a TIME_WAIT: N to 2N TIME_WAIT together" {
  local attempt
  in_fresh_namespace net.ipv4.tcp_rfc1337=1
  for attempt in 1 2 3 4 5; do
    storm --order simultaneous --conns 100 --hold 50ms
    expect_simultaneous
    ((together >= 100))
  done
}

@test "abort: both ends gone at once, the server keeps dead descriptors until it closes" {
  storm --order abort --conns 100 --hold 100ms
  expect_code 0
  expect_settled client-abort server gone=100 fds=100 ghosts=100 time_wait=0
  expect_settled client-abort client gone=100 fds=0 time_wait=0
  expect_settled server-close server gone=100 fds=0 ghosts=0 time_wait=0
}

@test "unread: data, then RST: both ends gone, no TIME_WAIT" {
  storm --order unread --conns 100 --hold 100ms
  expect_code 0
  expect_settled client-write server established=100 fds=100
  expect_settled server-close server gone=100 fds=0 time_wait=0
  expect_settled server-close client gone=100 fds=100 ghosts=100 time_wait=0
  expect_settled client-close client gone=100 fds=0 ghosts=0 time_wait=0
}

@test "listener-close: the queue goes with the listener, by RST; the clients keep dead descriptors until they close" {
  storm --order listener-close --conns 100 --hold 100ms --json "$JSON"
  expect_code 0
  expect_settled open server established=100 queued=100 listen=1 fds=0
  expect_settled server-unlisten server gone=100 queued=0 listen=0 fds=0 time_wait=0
  expect_settled server-unlisten client gone=100 fds=100 ghosts=100 time_wait=0
  expect_settled client-close client gone=100 fds=0 ghosts=0 time_wait=0
  (($(jq 'select(.event == "end").counters_moved.OutRsts' "$JSON") >= 100))
}

@test "after never-close and leak nothing is left in the kernel's tables on their lanes" {
  storm --order never-close --conns 1000 --hold 100ms
  expect_code 0
  expect_lanes_empty
  storm --order leak --conns 1000 --hold 100ms
  expect_code 0
  expect_lanes_empty
}

@test "all orders in one run, each on lanes of its own: exit status 0, one summary each" {
  storm --order all --conns 100 --hold 50ms
  expect_code 0
  check_csv "$CSV"
  [[ $(cut -d, -f1 "$CSV" | tail -n +2 | uniq | tr '\n' ' ') == "$(orders_of_any_machine) " ]]
  [[ $(grep -c '^lanes ' "$OUT") == $(orders_of_any_machine | wc -w) ]]
}
