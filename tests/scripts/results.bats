#!/usr/bin/env bats
#
# How tests/results.bash counts what test programs say.

setup() {
  # shellcheck source=tests/results.bash
  source "$BATS_TEST_DIRNAME/../results.bash"
  export TCPSTORM_TEST_RESULTS=$BATS_TEST_TMPDIR/results
  : >"$TCPSTORM_TEST_RESULTS"
}

# noted: as lines of WHAT FILE TEST WHY.
noted() {
  tr '\t' '|' <"$TCPSTORM_TEST_RESULTS"
}

@test "a unit test that is skipped is no failed one, and what it said is why" {
  printf '%s\n' 1..3 'ok 1 - one' 'go is not installed' 'not ok 2 # SKIP of_go' 'ok 3 - three' | note_tap file 0
  [[ $(noted) == 'passed|file|one|'$'\n''skipped|file|of_go|go is not installed'$'\n''passed|file|three|' ]]
}

@test "a bats test that is skipped is none either; one that fails, and one that was not run, are failed" {
  local code=0
  printf '%s\n' 1..3 'ok 1 one in 5ms # skip no node' 'not ok 2 two in 7ms' | note_tap file 1 one two three || code=$?
  ((code == 1))
  [[ $(noted) == 'skipped|file|one|no node'$'\n''failed|file|two|'$'\n''failed|file|three|exit status 1 after 2 of 3 tests' ]]
}
