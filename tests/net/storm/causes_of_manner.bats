#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash; every test is a subshell
#
# The causes that a client of a certain manner brings out: one that keeps its end, resets, does not read, vanishes, or
# half-closes at once; and one that a restart of the server brings out.

# run-bats: takes 20 s

load ../storm
load ../ss_witness
load ../causes
load ../fail_call

DURATION=1s

@test "half-closed-for-ever, and its fix" {
  beside expect_fix half-closed-for-ever
  expect_bug half-closed-for-ever
  expect_beside
}

# No socket lingers: the CSV counts the ghosts, and ss and /proc agree.
@test "reset-swallowed, and its fix" {
  beside expect_fix reset-swallowed
  expect_bug reset-swallowed
  end_holds '.flow.server.held == 100 and .lingering == []'
  expect_in "$OUT" "100 ghosts on the server"
  expect_beside
}

@test "stalled-reader, and its fix" {
  beside expect_fix stalled-reader
  expect_bug stalled-reader
  [[ $(awk '$1 == "ESTAB" && /timer:\(persist/' "$BATS_TEST_TMPDIR/sockets" | wc -l) == 100 ]] # ss says so too
  end_holds '.lingering[0] | .stalled and .acts == "the client does not read"'
  expect_beside
}

@test "no-timeout, and its fix" {
  beside expect_fix no-timeout
  expect_bug no-timeout
  expect_in "$OUT" "the client has no such connections; the server may close"
  expect_beside
}

@test "eof-is-abort, and its fix" {
  beside expect_fix eof-is-abort
  expect_bug eof-is-abort
  end_holds '.flow.lost >= 90' # a busy machine may let the server answer between a request and its FIN
  [[ $(counter TCPAbortOnClose) == 0 ]]
  expect_beside
}

@test "second-socket-forgotten, and its fix" {
  beside expect_fix second-socket-forgotten
  expect_bug second-socket-forgotten
  [[ $(awk '$1 == "ESTAB" && /"tcpstorm"/' "$BATS_TEST_TMPDIR/sockets" | wc -l) == 100 ]] # towards the backend
  end_holds '.flow.server.held == 100 and .lingering == []'
  expect_beside
}

fixed_listens() {
  expect_fix inherited-listener
  listens self
  end_holds '.flow.accepted == 100'
}

# What waits in the queue looks like never-accept: the owner of the listener tells.
@test "inherited-listener, and its fix" {
  beside fixed_listens
  expect_bug inherited-listener
  listens other
  end_holds '.flow.accepted >= 10 and .flow.accepted < 60' # those that waited when the server ended, too
  end_holds '[.lingering[] | select(.state == "LISTEN") | .command, .stranger] == ["sleep", true]'
  expect_in "$OUT" "the listening process never called accept(), so no process can close them"
  expect_not_in "$OUT" "Strangers use"
  expect_beside
}

# The port is taken for some 200 ms: 20 clients come, are refused, and come again.
@test "inherited-listener, fixed: no client is lost while the server restarts" {
  fail_call bind EADDRINUSE "worker server" 1 2
  storm --cause inherited-listener --fixed --rate 100 --duration 1s --hold 50ms --json "$JSON"
  expect_code 0
  end_holds '.flow.accepted == 100 and .flow.lost == 0 and .flow.late >= 10'
}
