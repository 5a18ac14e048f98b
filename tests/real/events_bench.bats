#!/usr/bin/env bats
# shellcheck disable=SC2154 # variables of storm.bash
#
# The part of the benchmark that loads programs into the kernel, at a size that says nothing about speed: as root, so not among the
# others.

load ../net/storm

@test "the benchmark measures what counting in the kernel costs" {
  local row tool
  "$STORM" version | grep -Eq '^witness events: (all|states)' || skip 'events cannot be counted here'
  ((EUID == 0)) || skip 'only root of this machine may'
  for tool in jq ss ip unshare setpriv; do
    command -v "$tool" >/dev/null || skip "$tool is missing"
  done
  cp "$(dirname "$TCPSTORM")"/{floor,traced,counted} "$BATS_TEST_TMPDIR"
  BENCH_TINY=1 "$BATS_TEST_DIRNAME/../bench/run" "$STORM" "$BATS_TEST_TMPDIR/floor" "$CSV" events >"$OUT" 2>"$ERR" || { show_output; return 1; }
  for row in 'open while events are counted' 'second close while events are counted' 'processor time of 1000 connections while events are counted' \
    'open while two programs that do nothing hear each transition' 'processor time of 1000 connections while two programs that do nothing hear each transition' \
    'a look at 2000 sockets counted in the kernel' 'the same look by sock_diag' 'flow with --witness events late by 10 ms or more or never there' \
    'the latest of that flow' 'a connection of that flow'; do
    grep -q "^$row," "$CSV" || { say "no row \"$row\":"; cat "$CSV"; return 1; }
  done
  awk -F, '/^programs of the kernel for a transition/ { exit !($3 > 10 && $3 < $4 && $4 < 100000) }' "$CSV"
  grep -q 'client-flow: ran .* s, of it .* s in user space, and waited .* s for a processor' "$ERR"
}
