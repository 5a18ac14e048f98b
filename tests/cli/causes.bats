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

@test "causes --markdown is an item each" {
  local count
  count=$("$TCPSTORM" causes --names | wc -l)
  storm causes --markdown
  assert_status 0
  paragraphs '^- `[a-z-]*`: ' "$count"
}

@test "causes takes no other argument" {
  refused '--nmaes' 'did you mean --names?' -- causes --nmaes
  refused 'unexpected argument "emfile"' -- causes --names emfile
}

@test "a server plays no cause that there is not, and says what was meant" {
  refused '--cause "ignore-oef"' 'did you mean ignore-eof?' -- server --cause ignore-oef
  refused '--cause "xyzzy"' '"tcpstorm causes" lists them' -- server --cause xyzzy
}

@test "a server cannot show a client's bug" {
  refused '--cause "dead-pool-entry"' 'only a client' -- server --cause dead-pool-entry
  refused '--cause "dead-pool-entry"' 'only a client' -- server --cause dead-pool-entry --fixed
}

@test "a client cannot show a server's bug, nor one that there is not" {
  refused '--cause "ignore-eof"' '"tcpstorm server --cause ignore-eof" plays it' -- client --cause ignore-eof 127.0.0.1:80
  refused '--cause "no-reus"' 'did you mean no-reuse?' -- client --cause no-reus 127.0.0.1:80
}

@test "a client with a bug goes to one server, which is on loopback unless the user says so" {
  refused 'client "10.0.0.1:80"' 'add --allow-remote' -- client --cause no-reuse 10.0.0.1:80
  refused '--duration "20s"' 'at most 1,000 connections' -- client --cause no-reuse 10.0.0.1:80 --allow-remote --duration 20s
  refused 'client "unix:/x"' 'must be HOST:PORT' -- client --cause no-reuse unix:/x
  refused 'client "127.0.0.1:80"' 'either --address and --port' -- client --cause no-reuse --port 80 127.0.0.1:80
  refused 'client "127.0.0.1:80"' '--name value' -- client 127.0.0.1:80
  refused '--rate 1' 'opens no connection' -- client --cause no-reuse --rate 1 --duration 1ms
  refused '--http "x"' 'must be a path' -- client --cause no-reuse --http x
  refused '--send' '--cause' -- client --send /dev/null
}

@test "--fixed needs a cause" {
  refused '--fixed' '--cause' -- server --fixed
}

@test "a cause of too few connections to show it is refused, its fix as well" {
  local cause least
  while read -r cause least; do
    refused '--rate 1' "--cause $cause needs at least $least to show" -- --cause "$cause" --rate 1 --duration "$((least - 1))s"
    refused '--rate 1' "--cause $cause needs" -- --cause "$cause" --fixed --rate 1 --duration "$((least - 1))s"
  done <<'CAUSES'
never-accept 11
emfile 16
fork-inherit 16
lost-reference 5
inherited-listener 11
blocking-linger 5
no-reuse 101
keep-alive-race 30
CAUSES
}
