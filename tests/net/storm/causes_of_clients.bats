#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash; every test is a subshell
#
# The causes that are a client's in what it does with its connections: it never uses one again, or uses it again too late.

# run-bats: takes 12 s

load ../storm
load ../ss_witness
load ../causes

DURATION=1500ms

# Beside each request on the one connection a busy machine may let a few others open.
expect_reuse() {
  expect_fix no-reuse --isolate
  end_holds '.flow.reused > 75 and .flow.connect_errors == 0'
  (($(time_wait_of client) < 75))
}

@test "no-reuse, and its fix" {
  beside expect_reuse
  expect_bug no-reuse --isolate
  end_holds '.flow.connect_errors == 50 and .flow.reused == 0 and .flow.story[0].stage == "ports_used_up"'
  expect_in "$OUT" "connect() failed 50 times with EADDRNOTAVAIL: the client had no port left: 100 are in TIME_WAIT"
  [[ $(time_wait_of client) == 100 && $(time_wait_of server) == 0 ]]
  expect_beside
}

expect_no_race() {
  expect_fix keep-alive-race
  [[ $(counter OutRsts Tcp:) == 0 ]]
}

@test "keep-alive-race, and its fix" {
  beside expect_no_race
  expect_bug keep-alive-race
  end_holds ".flow.lost > 0 and .flow.lost == $(counter OutRsts Tcp:)" # each is answered by one RST
  (($(counter TCPAbortOnClose) < $(counter OutRsts Tcp:)))              # which reply-before-read would send for each
  expect_in "$OUT" "requests were lost: the connection ended before the client had read a reply"
  expect_beside
}

@test "no-reuse needs a namespace of its own, and says so before anything is opened" {
  storm --cause no-reuse --quiet
  expect_code 3
  expect_one_sentence
  expect_in "$ERR" "no-reuse needs a client with 100 ports (net.ipv4.ip_local_port_range), in a network namespace of its own: add --isolate"
}

@test "with as many ports as the user sets the bug does not show: exit status 1" {
  storm --isolate --sysctl 'net.ipv4.ip_local_port_range=20000 30000' --cause no-reuse --rate 300 --duration 500ms --hold 50ms
  expect_code 1
  expect_in "$OUT" "the signature does not appear: client TIME_WAIT, connect() fails"
}
