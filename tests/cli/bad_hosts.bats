#!/usr/bin/env bats
# shellcheck disable=SC2154 # bats sets status, output, stderr and their lines
#
# Bad input about hosts: addresses, launchers.

load helper

@test "--address takes no address outside loopback unless hosts are wanted and allowed" {
  local address
  for address in 10.0.0.1 192.168.1.1 8.8.8.8 128.0.0.1 2001:db8::1 fe80::1; do
    refused '--address' "$address" 'must be a loopback address' '--server-via' -- --address "$address"
    refused '--address' "$address" '--allow-remote' -- --server-via 'ssh db1' --address "$address"
    refused '--address' "$address" '--allow-remote' -- --client-via 'ssh web1' --address "$address"
  done
}

@test "--address takes no wildcard, no name and no IPv4 in disguise, with hosts or without" {
  local address
  for address in 0.0.0.0 :: ::ffff:127.0.0.1 ::ffff:10.0.0.1 db1 localhost 10.0.0.1/24 10.0.0.1:80 ''; do
    refused "--address \"$address\"" 'numeric address' -- --address "$address"
    refused "--address \"$address\"" 'numeric address' -- --server-via 'ssh db1' --allow-remote --address "$address"
  done
}

@test "--allow-remote and --worker-path need a launcher" {
  refused '--allow-remote' '--server-via or --client-via' -- --allow-remote
  refused '--address "10.0.0.1"' -- --address 10.0.0.1
  refused '--allow-remote' '--server-via or --client-via' -- --allow-remote --address 10.0.0.1
  refused '--worker-path' '--server-via or --client-via' -- --worker-path /bin/true
  refused '--allow-remote "yes"' 'must be given without a value' -- --allow-remote=yes
}

@test "launchers need an --address" {
  refused '--server-via' 'needs --address' -- --server-via 'ssh db1'
  refused '--client-via' 'needs --address' -- --client-via 'ssh web1' --allow-remote
}

@test "--address is wanted once for each server" {
  refused '--address is given 1 times for 2 servers' -- --server-via 'ssh a' --server-via 'ssh b' --address 10.0.0.1 --allow-remote
  refused '--address is given 2 times for 1 server' -- --server-via 'ssh a' --address 10.0.0.1 --address 10.0.0.2 --allow-remote
  refused '--address is given 2 times for 1 server' -- --client-via 'ssh a' --address 10.0.0.1 --address 10.0.0.2 --allow-remote
  refused '--address is given 2 times for 1 server' -- --address 127.0.0.1 --address 127.0.0.2
}

@test "addresses of two families do not go together" {
  refused '--address "[fd77::1]"' 'the same family' -- --allow-remote --server-via 'ssh a' --address 10.0.0.1 \
    --server-via 'ssh b' --address fd77::1
}

@test "--isolate does not go with launchers" {
  refused '--isolate' '--server-via' -- --isolate --server-via 'ssh a' --address 127.0.0.1
  refused '--isolate' '--client-via' -- --isolate --client-via 'ssh a' --address 10.0.0.1 --allow-remote
}

@test "a launcher is not empty, and there are at most 15" {
  local i many=()
  refused '--server-via ""' 'must be a command' -- --server-via '' --address 127.0.0.1
  refused '--client-via "  "' 'must be a command' -- --client-via '  ' --address 127.0.0.1
  for ((i = 0; i < 16; i++)); do
    many+=(--client-via "ssh web$i")
  done
  refused '--client-via' 'at most 15 hosts' -- "${many[@]}" --address 10.0.0.1 --allow-remote
  many=()
  for ((i = 0; i < 17; i++)); do
    many+=(--address 10.0.0.1)
  done
  refused '--address' 'at most 16' -- "${many[@]}"
}

@test "launchers are for storms only" {
  local command
  for command in server client walk 'state listen'; do
    # shellcheck disable=SC2086 # "state listen" is two words
    refused 'unknown option --server-via' -- $command --server-via 'ssh a'
  done
}

@test "a refused run of hosts launches nothing" {
  local arguments
  while read -r -a arguments; do
    storm --server-via "touch $PWD/launched;" "${arguments[@]}"
    assert_status 2
    assert_one_message
    assert_no_file_was_made
  done <<'END'
--address 10.0.0.1
--address 127.0.0.1 --isolate
--address 127.0.0.1 --conns 0
--address 127.0.0.1 --csv /nonexistent/x.csv
--address 127.0.0.1 --address 127.0.0.2
END
}

@test "an address outside loopback opens no socket and starts no process" {
  local arguments
  while read -r -a arguments; do
    traced 'network,process' "${arguments[@]}"
    assert_status 2
    assert_not_called 'socket(pair)?\(' '(clone3?|v?fork)\('
  done <<'END'
--address 10.0.0.1
--address 10.0.0.1 --allow-remote
--address 10.0.0.1 --server-via true
--address 0.0.0.0 --server-via true --allow-remote
--server-via true
END
}
