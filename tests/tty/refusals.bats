#!/usr/bin/env bats
# shellcheck disable=SC2016 # what is typed is for the shell in the terminal
#
# Bad input, and outputs that fail: one sentence and the right exit code.

load terminals

# refused CODE TEXT COMMAND
refused() {
  run_in here "clear; $3"
  wait_for_code here "$1"
  wait_for here "$2"
  [[ $(screen here | grep -c '^tcpstorm: ') == 1 ]]
  expect_sane here
}

@test "nobody listens" {
  open_terminals -- here
  refused 3 'tcpstorm: connection refused: start "tcpstorm server" first' '$STORM client'
}

@test "the port is in use" {
  open_terminals -- server here
  run_in server '$STORM server'
  wait_for server 'Listening on '
  refused 3 'tcpstorm: port 15000 is in use' '$STORM server'
  refused 3 'tcpstorm: port 15000 is in use: choose another --port' '$STORM walk'
}

@test "options that are none" {
  open_terminals -- here
  refused 2 '--port "0": must be a whole number from 1 to 65,535' '$STORM server --port 0'
  refused 2 '--port "65536"' '$STORM client --port 65536'
  refused 2 '--address "10.0.0.1"' '$STORM server --address 10.0.0.1'
  refused 2 '--address "10.0.0.1"' '$STORM client --address 10.0.0.1'
  refused 2 'did you mean --port' '$STORM client --prot 1'
  refused 2 'unexpected argument "x"' '$STORM server x'
  refused 2 'did you mean half-close?' '$STORM walk --order half-clos'
  refused 2 '--order "zzz": must be one of "tcpstorm orders"' '$STORM walk --order zzz'
  refused 2 '--pause "x"' '$STORM walk --pause x'
}

@test "from a pipe a byte is a key, and it leaves when the connection is done" {
  open_terminals -- server client
  run_in server 'printf x | $STORM server'
  wait_for server 'Listening on '
  run_in client 'printf wx | $STORM client'
  wait_for server 'server called close()'
  wait_for client 'client called send()'
  wait_for client 'client called close()'
  wait_for_code server 0
  wait_for_code client 0
}

@test "standard input that has ended" {
  open_terminals -- here client
  local input
  for input in '</dev/null' '<&-'; do
    run_in here "clear; \$STORM server $input"
    wait_for here 'Listening on '
    run_in client "\$STORM client $input"
    wait_for client 'tcpstorm: standard input has ended'
    wait_for_code client 3
    wait_for here 'tcpstorm: standard input has ended'
    wait_for_code here 3
    [[ $(screen here | grep -c '^tcpstorm: ') == 1 ]]
    tmux_here send-keys -t client clear Enter
  done
}

@test "standard output that is full or closed" {
  open_terminals -- here
  local command output
  for command in server walk; do
    for output in '>/dev/full' '>&-'; do
      refused 3 'tcpstorm: cannot write standard output' "\$STORM $command $output"
    done
  done
}

@test "standard output that nobody reads any more" {
  open_terminals -- server here
  run_in server '$STORM server | head -n 1'
  wait_for server 'Listening on '
  run_in here '$STORM client'
  wait_for here 'The other side has closed its half'
  press here x
  wait_for server 'tcpstorm: cannot write standard output'
  wait_for_code server 0 # that of head
}
