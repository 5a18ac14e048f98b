#!/usr/bin/env bats
# shellcheck disable=SC2154 # bats sets output and lines
#
# causes: the list of bugs, and what a server refuses to play of them.

load helper

@test "causes --names is a name a line" {
  storm causes --names
  assert_status 0
  assert_stderr_empty
  ((${#lines[@]} > 10))
  local line
  for line in "${lines[@]}"; do
    [[ $line =~ ^[a-z]+(-[a-z]+)*$ ]] || fail_with "no bare name: $line"
  done
}

# paragraphs REGEX COUNT
paragraphs() {
  [[ $(grep -c "$1" <<<"$output") == "$2" ]]
}

@test "causes tells of each the fix, the signature, the side at fault and the reports" {
  local name names
  mapfile -t names < <("$TCPSTORM" causes --names)
  storm causes
  assert_status 0
  for name in "${names[@]}"; do
    assert_stdout_has "$name: "
  done
  paragraphs '^    the fix   ' "${#names[@]}"
  paragraphs '^    known by  ' "${#names[@]}"
  paragraphs '^    at fault  the \(server\|client\)$' "${#names[@]}"
  (($(grep -c '^    at fault  the client$' <<<"$output") >= 3))
  paragraphs '^    reported  .*#' "${#names[@]}"
}

@test "causes --man is a tagged paragraph each" {
  local count
  count=$("$TCPSTORM" causes --names | wc -l)
  storm causes --man
  assert_status 0
  paragraphs '^\.TP$' "$count"
  paragraphs '^\.B [a-z-]*$' "$count"
}

@test "the README's table is of these causes, with the same reports" {
  storm causes
  diff <(awk '/^[a-z-]+: / { name = $1 } sub(/^    reported  /, "") { print name, $0 }' <<<"$output") \
    <(awk -F ' *[|] *' '/^### /{ is_there = /^### The causes/ } is_there && $2 ~ /^`[a-z]/ { gsub(/`/, "", $2); print $2 ":", $6 }' \
      "$BATS_TEST_DIRNAME/../../README.md")
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

@test "a client cannot show a server's bug, nor one that there is not" {
  refused '--cause "ignore-eof"' '"tcpstorm server --cause ignore-eof" plays it' -- client --cause ignore-eof 127.0.0.1:80
  refused '--cause "no-reus"' 'did you mean no-reuse?' -- client --cause no-reus 127.0.0.1:80
}

@test "a client with a bug goes to one server, which is on loopback unless the user says so" {
  refused 'client "10.0.0.1:80"' 'add --allow-remote' -- client --cause no-reuse 10.0.0.1:80
  refused '--duration "20s"' 'at most 1,000 connections' -- client --cause no-reuse 10.0.0.1:80 --allow-remote --duration 20s
  refused 'client "unix:/x"' 'must be HOST:PORT' -- client --cause no-reuse unix:/x
  refused 'client "127.0.0.1:80"' '--address and --port say where' -- client --cause no-reuse --port 80 127.0.0.1:80
  refused 'client "127.0.0.1:80"' '--name value' -- client 127.0.0.1:80
  refused '--rate 1' 'makes no connection' -- client --cause no-reuse --rate 1 --duration 1ms
  refused '--http "x"' 'must be a path' -- client --cause no-reuse --http x
  refused '--send' '--cause' -- client --send /dev/null
}

@test "--fixed needs a cause" {
  refused '--fixed' '--cause' -- server --fixed
}
