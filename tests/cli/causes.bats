#!/usr/bin/env bats
# shellcheck disable=SC2154 # bats sets output and lines
#
# causes: the list of bugs, and what a server refuses to play of them.

load helper

@test "causes --names is a name a line, ten of them" {
  storm causes --names
  assert_status 0
  assert_stderr_empty
  ((${#lines[@]} == 10))
  local line
  for line in "${lines[@]}"; do
    [[ $line =~ ^[a-z]+(-[a-z]+)*$ ]] || fail_with "no bare name: $line"
  done
}

@test "causes tells of each the fix, the signature, the side at fault and the reports" {
  local name
  for name in $("$TCPSTORM" causes --names); do
    storm causes
    assert_status 0
    assert_stdout_has "$name: "
  done
  [[ $(grep -c '^    the fix   ' <<<"$output") == 10 ]]
  [[ $(grep -c '^    known by  ' <<<"$output") == 10 ]]
  [[ $(grep -c '^    at fault  the server$' <<<"$output") == 9 ]]
  [[ $(grep -c '^    at fault  the client$' <<<"$output") == 1 ]]
  [[ $(grep -c '^    reported  .*#' <<<"$output") == 10 ]]
}

@test "causes --man is a tagged paragraph each" {
  storm causes --man
  assert_status 0
  [[ $(grep -c '^\.TP$' <<<"$output") == 10 ]]
  [[ $(grep -c '^\.B [a-z-]*$' <<<"$output") == 10 ]]
}

@test "causes takes no other argument" {
  refused '--nmaes' 'did you mean --names?' -- causes --nmaes
  refused '"emfile"' 'is not an option' -- causes --names emfile
}

@test "a server plays no cause that there is not, and says what was meant" {
  refused '--cause "ignore-oef"' 'did you mean ignore-eof?' -- server --cause ignore-oef
  refused '--cause "xyzzy"' '"tcpstorm causes" lists them' -- server --cause xyzzy
}

@test "a server cannot show a client's bug" {
  refused '--cause "dead-pool-entry"' "a client's" -- server --cause dead-pool-entry
  refused '--cause "dead-pool-entry"' "a client's" -- server --cause dead-pool-entry --fixed
}

@test "--fixed needs a cause" {
  refused '--fixed' '--cause' -- server --fixed
}
