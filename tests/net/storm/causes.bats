#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash; every test is a subshell
#
# Every cause of "tcpstorm causes" and its fixed twin under traffic: exit status 0, and ss sees what the cause is known by:
# the side, whether the FIN was read (Recv-Q), and who holds the socket.

# run-bats: takes 170 s

load ../storm
load ../ss_witness
load ../causes
load ../fail_call

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
  listens self # and so it is told from inherited-listener
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
    holds_text "$OUT" "oo few looks to tell" || break # the machine is too busy
  done
  expect_code 1
  expect_in "$OUT" "ignore-eof"
  expect_in "$OUT" "leak:"
  expect_no_process
}
