#!/usr/bin/env bats
# shellcheck disable=SC2154 # bats sets status, output, stderr and their lines
#
# The kernel's programs are committed as they are generated from the sources beside them.

bats_require_minimum_version 1.5.0

setup() {
  cd -- "$BATS_TEST_DIRNAME/../.." || return 1
  bpf=src/events/bpf
}

@test "make bpf writes what is committed" {
  local name tools
  tools=$(scripts/lib/make-bpf --tools 2>&1) || skip "$tools"
  [[ $(sed -n 2p "$bpf/events.lskel.h") == "$tools" ]] || skip "other tools write other bytes: $tools"
  scripts/lib/make-bpf "$BATS_TEST_TMPDIR"
  for name in events states look; do cmp "$BATS_TEST_TMPDIR/$name.lskel.h" "$bpf/$name.lskel.h"; done
}

@test "lint finds a committed program that was made of other sources" {
  local name
  mkdir -p "$BATS_TEST_TMPDIR"/{scripts/lib,tests/lint,"$bpf"}
  cp scripts/lib/make-bpf "$BATS_TEST_TMPDIR/scripts/lib/"
  cp tests/lint/bpf-programs "$BATS_TEST_TMPDIR/tests/lint/"
  cp "$bpf"/*.[ch] "$BATS_TEST_TMPDIR/$bpf/"
  "$BATS_TEST_TMPDIR/tests/lint/bpf-programs"
  echo '/* changed */' >>"$BATS_TEST_TMPDIR/$bpf/events.bpf.c"
  run "$BATS_TEST_TMPDIR/tests/lint/bpf-programs"
  ((status == 1))
  [[ $output == *'run "make bpf"'* ]]
}

# What differs are the two files that ask for it; the rest is as it was built.
@test "a build without programs of the kernel says so, and goes on without" {
  local made=$BATS_TEST_TMPDIR/made libraries
  make --no-print-directory BPF=no BUILD="$made" "$made"/events/{programs,refusal}.o 3>&-
  if grep -q HAVE_BPF "$made/packages"; then return 1; fi
  libraries=$(sed 's/-D[A-Z_]*//g' "$made/packages")
  # shellcheck disable=SC2046,SC2086 # several words
  cc -pie -o "$made/tcpstorm" "$made"/events/*.o "$(dirname "$TCPSTORM")"/{main.o,libtcpstorm.a} $(pkg-config --libs $libraries) -lm
  [[ $("$made/tcpstorm" version) == *'witness events: none: this build cannot load programs into the kernel'* ]]
  run --separate-stderr "$made/tcpstorm" --witness events --conns 10
  [[ $status == 3 && $stderr == *'this build cannot load programs into the kernel'* ]]
}
