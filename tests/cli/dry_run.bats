#!/usr/bin/env bats
# shellcheck disable=SC2154 # bats sets status, output, stderr and their lines
#
# The plan, and the numbers as people write them.

load helper

@test "a dry run prints the plan" {
  dry_run --conns 1000 --order leak
  assert_status 0
  assert_stderr_empty
  assert_stdout_has plan connections 1,000 127.0.0.1 leak lanes workers backlog memory TIME_WAIT witness
}

@test "a dry run opens no connection, no listener and no process" {
  traced 'network,process' --dry-run --port "$(quiet_port)" --order all
  assert_status 0
  assert_not_called '(connect|listen|accept4?)\(' '(clone3?|v?fork)\('
}

@test "a dry run makes no output file" {
  dry_run --csv rows.csv --json events.json
  assert_status 0
  assert_no_file_was_made
}

@test "a dry run leaves an output file as it was" {
  printf 'rows of yesterday\n' >rows.csv
  dry_run --csv rows.csv
  assert_status 0
  run cat rows.csv
  [[ $output == 'rows of yesterday' ]] || fail_with 'rows.csv was overwritten'
}

@test "a dry run speaks of all orders" {
  local name
  dry_run --order all
  assert_status 0
  for name in $("$TCPSTORM" orders --names); do
    assert_stdout_has " $name"
  done
}

@test "a list of orders is taken in its order" {
  dry_run --order leak,abort,leak
  assert_status 0
  assert_stdout_has ' leak abort leak'
}

@test "k is a thousand" {
  dry_run --conns 10k
  assert_status 0
  assert_stdout_has 10,000
}

@test "m is a million, and a fraction of it is taken" {
  dry_run --conns 0.05m
  assert_status 0
  assert_stdout_has 50,000
}

@test "a million connections are understood whether or not they fit" {
  dry_run --conns 1m
  ((status == 0 || status == 3)) || fail_with 'exit code 0 or 3 was expected'
  assert_stdout_has 1,000,000
}

@test "times are taken as people write them" {
  local time
  for time in 0s 500ms 2s 1m30s 1.5s 5 1h forever; do
    dry_run --hold "$time"
    assert_status 0
  done
  for time in 500ms 2s 1m30s 1.5s 5; do
    dry_run --settle "$time" --interval "$time"
    assert_status 0
  done
}

@test "a value may be attached with =" {
  dry_run --conns=2k --order=leak
  assert_status 0
  assert_stdout_has 2,000 leak
}

@test "the last of two values counts" {
  dry_run --conns 3k --conns 4k
  assert_status 0
  assert_stdout_has 4,000
}

@test "every loopback address is taken" {
  dry_run --address 127.0.0.2
  assert_status 0
  assert_stdout_has 127.0.0.2
}

@test "::1 is taken, bare or in brackets, where there is IPv6" {
  grep -qs ' lo$' /proc/net/if_inet6 || skip 'this machine has no IPv6'
  dry_run --address ::1
  assert_status 0
  assert_stdout_has '[::1]'
  dry_run --address '[::1]'
  assert_status 0
  assert_stdout_has '[::1]'
}

@test "the witness that was asked for is the one that will speak" {
  dry_run --witness procfs
  assert_status 0
  assert_stdout_has 'witness        procfs'
}

@test "a hold beyond the kernel's clocks is a warning that names the sysctl" {
  dry_run --hold 24h
  assert_status 0
  assert_stderr_has 'tcpstorm: warning: ' '--hold' net.ipv4.tcp_fin_timeout
}

@test "a port among the ephemeral ones is a warning that names the sysctl" {
  local first
  read -r first _ </proc/sys/net/ipv4/ip_local_port_range
  storm --dry-run --port "$((first + 1000))"
  assert_stderr_has 'tcpstorm: warning: ' --port net.ipv4.ip_local_port_range
}

@test "--quiet keeps warnings to itself" {
  dry_run --hold 24h --quiet
  assert_status 0
  assert_stderr_empty
}

@test "a limit that is too low for anything is fatal and says what to change" {
  storm_with_descriptors 20 --dry-run --port "$(quiet_port)"
  assert_status 3
  assert_one_message
  assert_stderr_has '20 descriptors' 'ulimit -Hn'
}

@test "without --dry-run it is just as fatal, and nothing is made" {
  storm_with_descriptors 20 --port "$(quiet_port)" --csv rows.csv
  assert_status 3
  assert_stdout_empty
  assert_one_message
  assert_stderr_has 'ulimit -Hn'
  assert_no_file_was_made
}

@test "a low limit is met by more workers" {
  storm_with_descriptors 200 --dry-run --port "$(quiet_port)" --conns 1000
  assert_status 0
  [[ $output =~ workers\ +([0-9]+)\ server ]] || fail_with 'no word of the workers'
  ((BASH_REMATCH[1] * 200 >= 1000)) || fail_with 'these workers cannot hold 1,000 connections'
}

@test "more workers than a controller can hold are fatal and say what to change" {
  storm_with_descriptors 100 --dry-run --port "$(quiet_port)" --conns 100k
  assert_status 3
  assert_stderr_has '--conns 100,000' 'ulimit -Hn'
}

@test "more connections than any machine holds are fatal, and each obstacle says what to change" {
  local line
  storm --dry-run --port "$(quiet_port)" --conns 100m
  assert_status 3
  assert_stderr_has '--conns' net.ipv4.tcp_max_tw_buckets
  for line in "${stderr_lines[@]}"; do
    [[ $line == 'tcpstorm: '* ]] || fail_with "not one of our messages: $line"
  done
}

@test "more lanes than there are ports are fatal and say what to change" {
  local first last
  read -r first last </proc/sys/net/ipv4/ip_local_port_range
  storm --dry-run --port "$((first - 1))" --conns "$((last - first + 1))" --order never-close
  assert_status 3
  assert_stderr_has lanes --port net.ipv4.ip_local_port_range
}
