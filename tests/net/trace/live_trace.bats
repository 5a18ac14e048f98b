#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables are shared with storm.bash
#
# "tcpstorm trace PID" where nothing may be traced; tests/real and tests/unit have what it tells.

load ../storm

@test "trace: a process that is not there, or not ours, is one sentence" {
  sleep 0 &
  local gone=$!
  wait "$gone"
  code=0
  "$STORM" trace "$gone" >"$OUT" 2>"$ERR" || code=$?
  expect_code 3
  grep -qE "there is no such process|only, or with CAP_PERFMON|does not show that process's calls" "$ERR"
  (($(wc -l <"$ERR") == 1))
  [[ ! -s $OUT ]]
}

@test "trace: the root of a user namespace is told what takes less" {
  sleep 30 3>&- &
  others+=("$!")
  code=0
  unshare -Ur "$STORM" trace "$!" >"$OUT" 2>"$ERR" || code=$?
  expect_code 3
  expect_in "$ERR" "explain $! --stacks"
  [[ ! -s $OUT ]]
}
