#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # no variables in patterns; every test is a subshell
#
# The recipes of tcpstorm-recipes(7): each command of each is run, and prints what the page says. All are played at the same time,
# each in network, mount and pid namespaces of its own, since they mostly wait for the kernel's clocks.
#
# run-bats: takes 20 s

bats_require_minimum_version 1.5.0

load ../storm

PAGE=$BATS_TEST_DIRNAME/../../../src/man/tcpstorm-recipes.7.md

setup_file() {
  local title
  mkdir "$BATS_FILE_TMPDIR/bin"
  cp "$TCPSTORM" "$BATS_FILE_TMPDIR/bin/tcpstorm"
  # What is called python3 may be a script that looks for one.
  ! command -v python3 >/dev/null || ln -s "$(python3 -c 'import sys; print(sys.executable)')" "$BATS_FILE_TMPDIR/bin/python3"
  PATH=$BATS_FILE_TMPDIR/bin:$PATH
  unset GITHUB_ACTIONS # the audit would write for it
  while IFS= read -r title; do
    play "$title" >"$BATS_FILE_TMPDIR/$title.report" 2>&1 3>&- 4>&- &
  done < <(titles)
}

titles() {
  sed -n '/^# RECIPES/,/^# SEE/s/^## //p' "$PAGE"
}

# Beside the report comes a file with the exit status.
play() {
  local status=0
  # shellcheck disable=SC2016 # for the inner shell
  timeout 200 unshare -rnpf --mount-proc --kill-child sh -c 'ip link set lo up && exec "$@"' sh \
    "$BATS_TEST_DIRNAME/../play_recipe.bash" "$PAGE" "$1" || status=$?
  echo "$status" >"$BATS_FILE_TMPDIR/$1.status"
}

# recipe TITLE: what came of it.
recipe() {
  grep -qxF "## $1" "$PAGE" || { say "there is no recipe \"$1\""; return 1; }
  wait_until 200 test -s "$BATS_FILE_TMPDIR/$1.status" || { say 'it has not ended'; return 1; }
  # Beside all the others a time of it may have been too short: again, by itself.
  for _ in 1 2; do
    [[ $(<"$BATS_FILE_TMPDIR/$1.status") != 0 ]] || break
    play "$1" >"$BATS_FILE_TMPDIR/$1.report" 2>&1 3>&-
  done
  [[ $(<"$BATS_FILE_TMPDIR/$1.status") == 0 ]] || { cat "$BATS_FILE_TMPDIR/$1.report"; return 1; }
}

need_python() {
  command -v python3 >/dev/null || skip "no python3 to run its programs with"
}

# The interpreter's lines are read by libdw.
need_traced_lines() {
  need_python
  ! "$TCPSTORM" version | grep -q 'no lines' || skip "this build has no libdw"
}

# Whether this machine can translate addresses in a namespace.
need_nat() {
  local why
  PATH=$PATH:/usr/sbin:/sbin
  command -v nft >/dev/null || skip "no nft to translate addresses with (apt-get install nftables)"
  # shellcheck disable=SC2016 # for the inner shell
  why=$(unshare -rn sh -c 'nft "add table ip t" && nft "add chain ip t c { type nat hook postrouting priority 100; }" &&
    nft "add rule ip t c masquerade" && echo 60 >/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_close_wait &&
    ip link add here type veth peer name there' 2>&1) || skip "no NAT in a namespace here: $why"
}

@test "every recipe of the page has a test" {
  local title
  while IFS= read -r title; do
    grep -qF "recipe \"$title\"" "$BATS_TEST_FILENAME" || { say "\"$title\" has none"; return 1; }
  done < <(titles)
}

@test "the man page shows every line of every block" {
  command -v mandoc >/dev/null || skip 'no mandoc to show it with'
  awk -v name=a -v section=7 -v date=2026-01-01 -v version=1 -f "$BATS_TEST_DIRNAME/../../../src/man/markdown.awk" "$PAGE" \
    >"$BATS_TEST_TMPDIR/page"
  mandoc -T lint -W warning "$BATS_TEST_TMPDIR/page"
  mandoc -T utf8 -O width=200 "$BATS_TEST_TMPDIR/page" | sed 's/.\x08//g; s/^ *//' >"$BATS_TEST_TMPDIR/shown"
  sed -n '/^```/,/^```/p' "$PAGE" | sed '/^```/d; /^ *$/d; s/^ *//' >"$BATS_TEST_TMPDIR/written"
  [[ $(wc -l <"$BATS_TEST_TMPDIR/written") -gt 200 ]]
  run ! grep -vxFf "$BATS_TEST_TMPDIR/shown" "$BATS_TEST_TMPDIR/written"
}

@test "recipe: CLOSE_WAIT piles up on a server" {
  need_traced_lines
  recipe "CLOSE_WAIT piles up on a server"
}

@test "recipe: CLOSE_WAIT piles up on a client" {
  need_python
  recipe "CLOSE_WAIT piles up on a client"
}

@test "recipe: Connections pile up on a proxy" {
  need_python
  recipe "Connections pile up on a proxy"
}

@test "recipe: A load balancer answers 502 now and then" {
  need_python
  recipe "A load balancer answers 502 now and then"
}

@test "recipe: Address already in use" {
  need_python
  recipe "Address already in use"
}

@test "recipe: Cannot assign requested address" {
  need_python
  recipe "Cannot assign requested address"
}

@test "recipe: Idle connections die without a word" {
  recipe "Idle connections die without a word"
}

@test "recipe: A late reply is reset behind a NAT" {
  need_nat
  recipe "A late reply is reset behind a NAT"
}

@test "recipe: Does the monitor notice?" {
  need_python
  recipe "Does the monitor notice?"
}

@test "recipe: No reply to nc or to a health check" {
  recipe "No reply to nc or to a health check"
}

@test "recipe: Connection reset at every redeploy" {
  need_python
  recipe "Connection reset at every redeploy"
}

@test "recipe: FIN_WAIT2 does not go away" {
  need_python
  recipe "FIN_WAIT2 does not go away"
}

@test "recipe: lsof cannot identify protocol" {
  recipe "lsof cannot identify protocol"
}

@test "recipe: Is it fixed, and does it stay fixed?" {
  need_traced_lines
  recipe "Is it fixed, and does it stay fixed?"
}
