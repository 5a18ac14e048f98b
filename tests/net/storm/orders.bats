#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash; every test is a subshell
#
# Every order of the table through the real kernel, with ss as second witness; then what each order must show, by hand.

# run-bats: takes 160 s

load ../storm
load ../ss_witness

# The others are in isolate.bats.
orders_of_any_machine() {
  "$TCPSTORM" --dry-run --order all | sed -n 's/^  orders  *//p'
}


@test "every order with 1 connection: as listed" {
  storm --order "$(orders_of_any_machine | tr ' ' ,)" --conns 1 --hold 20ms
  expect_code 0
}

@test "every order with 1,000 connections: as listed" {
  storm --order "$(orders_of_any_machine | tr ' ' ,)" --conns 1000 --hold 20ms
  expect_code 0
}

@test "with 1,000 connections ss counts the same" {
  local order
  for order in server-first half-close simultaneous abort; do
    witnessed_storm "$order" --conns 1000
  done
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
  witnessed_storm half-close --conns 100 --witness procfs
  expect_in "$OUT" "seen by procfs"
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

@test "fin-with-data: Recv-Q falls from the data and 1 to 0, although nobody has read EOF" {
  start_storm --order fin-with-data --conns 100 --hold 1s
  wait_for_row client-finish 1
  read_lanes "$OUT"
  [[ $(recv_queues) == 60 ]] # 59 and the FIN
  wait_for_row server-read 1
  [[ $(recv_queues) == 0 ]]
  [[ $(segments_received) == 1 ]]
  end_storm "$LONG"
  expect_code 0
  expect_settled client-finish server close_wait=100 unread=100 fds=100
  expect_settled client-finish client fin_wait2=100 fds=0
  expect_settled server-read server close_wait=100 unread=0 fds=100
  expect_settled server-close server gone=100 fds=0
  expect_settled server-close client time_wait=100
}

@test "a leak after fin-with-data: the verdict does not say that EOF was read" {
  storm --order fin-with-data --conns 100 --leak 20 --hold 50ms
  expect_code 0
  expect_settled server-close server close_wait=20 unread=0 fds=20
  expect_in "$OUT" "20 CLOSE_WAIT on the server"
  expect_in "$OUT" "but perhaps not EOF: the FIN came with the data"
  storm --rate 200 --duration 500ms --order fin-with-data --leak 10 --hold 50ms
  expect_code 0
  expect_settled arrivals server close_wait=10 unread=0 fds=10
  expect_in "$OUT" "but perhaps not EOF: the FIN came with the data"
}

# The sizes of the server's receive queues, each once.
recv_queues() {
  ss -Htn state close-wait "sport = :$lane_first" | awk '{ print $1 }' | sort -u
}

# Since the handshake: two of it are counted, and then what came with the data. Each number once.
segments_received() {
  ss -Htni state close-wait "sport = :$lane_first" | sed -n 's/.* segs_in:\([0-9]*\).*/\1/p' | sort -u | awk '{ print $1 - 2 }'
}

@test "linger-timeout: close() returns after a second, and the kernel keeps FIN_WAIT1 with the data; no RST" {
  start_storm --order linger-timeout --conns 100 --hold 1s --json "$JSON"
  wait_for_row server-linger 1
  read_lanes "$OUT"
  lingering=$(ss -Htano state fin-wait-1 "sport = :$lane_first") # orphans that ask for room, with data and a FIN to send
  (($(awk '$2 > 1000 && /timer:\(persist/' <<<"$lingering" | wc -l) == 100))
  end_storm "$LONG"
  expect_code 0
  expect_settled server-fill server established=100 fds=100
  expect_settled server-linger server fin_wait1=100 fds=0 gone=0
  expect_settled server-linger client established=100 fds=100
  expect_settled client-close server gone=100
  expect_settled client-close client gone=100 fds=0
  # Each close() took its second, and all of them took it together.
  [[ $(jq -s 'map(select(.event == "step" and .step == "server-linger"))[0].act_s | . >= 0.99 and . < 20' "$JSON") == true ]]
}

@test "linger-timeout: Ctrl-C while close() lingers leaves nothing" {
  start_storm --order linger-timeout --conns 1000 --hold 50ms
  wait_for_row server-linger 0
  kill -INT "$storm_pid"
  end_storm "$PATIENCE"
  expect_code 130
  expect_no_process
  expect_lanes_empty
}

@test "a leak after linger-timeout: clients that stay ESTABLISHED" {
  storm --order linger-timeout --conns 100 --leak 20 --hold 50ms
  expect_code 0
  expect_settled client-close server fin_wait1=20 gone=80
  expect_settled client-close client established=20 fds=20
  expect_in "$OUT" "20 FIN_WAIT1 on the server: no process has them, with data to send, but the peer's window is closed"
  expect_in "$OUT" "the client does not read"
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
