#!/usr/bin/env bats
# shellcheck disable=SC2154 # bats sets status, output, stderr and their lines
#
# The plan, and the numbers as people write them.

load helper

@test "a dry run prints the plan" {
  dry_run --conns 1000 --order leak
  assert_status 0
  assert_stderr_empty
  assert_stdout_has plan connections 1,000 127.0.0.1 leak ports workers backlog memory TIME_WAIT witness
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
  for name in server-first client-first half-close never-close leak simultaneous abort unread server-crash client-crash \
    backlog fin-with-data linger-timeout; do
    assert_stdout_has " $name"
  done
  for name in vanish forgotten late-close time-wait-overflow; do
    [[ $output != *" $name"* ]] || fail_with "$name needs something"
  done
}

@test "with --isolate all is every order" {
  local name
  need_namespaces
  dry_run --isolate --order all
  assert_status 0
  for name in $("$TCPSTORM" orders --names); do
    assert_stdout_has " $name"
  done
}

@test "an order that needs a namespace is fatal without one, and says what to add" {
  dry_run --order late-close
  assert_status 3
  assert_one_message
  assert_stderr_has 'late-close needs net.ipv4.tcp_fin_timeout to be 3' 'add --isolate'
  dry_run --order leak,time-wait-overflow --conns 10
  assert_status 3
  assert_one_message
  assert_stderr_has 'time-wait-overflow needs net.ipv4.tcp_max_tw_buckets to be 5' 'add --isolate'
}

@test "with --isolate it is planned" {
  local name
  need_namespaces
  for name in vanish forgotten late-close time-wait-overflow; do
    dry_run --isolate --order "$name"
    assert_status 0
    assert_stderr_empty
  done
}

@test "a plan with --isolate is that of the namespace" {
  need_namespaces
  dry_run --isolate --sysctl net.core.somaxconn=100 --sysctl net.ipv4.tcp_max_tw_buckets=123456
  assert_status 0
  assert_stdout_has 'backlog        100 a listener' 'net.ipv4.tcp_max_tw_buckets allows 123,456'
  dry_run --isolate --sysctl 'net.ipv4.ip_local_port_range=20000 20999'
  assert_status 0
  assert_stdout_has 'at most 333 connections each'
}

@test "a dry run of a state is the plan of its connections" {
  dry_run_state close-wait --conns 2k
  assert_status 0
  assert_stderr_empty
  assert_stdout_has ' 2,000 on 127.0.0.1' 'orders         CLOSE_WAIT'
}

@test "a dry run of several states is a plan each" {
  dry_run_state close-wait=300,listen --conns 40
  assert_status 0
  assert_stdout_has ' 300 on 127.0.0.1' 'orders         CLOSE_WAIT' ' 40 on 127.0.0.1' 'orders         LISTEN'
}

@test "a dry run of all states is one plan of eleven" {
  need_namespaces
  dry_run_state all --isolate
  assert_status 0
  assert_stdout_has \
    'LISTEN SYN_SENT SYN_RECV ESTABLISHED FIN_WAIT1 FIN_WAIT2 CLOSE_WAIT CLOSING LAST_ACK TIME_WAIT CLOSE'
}

@test "a dry run of a state opens no connection, no listener and no process" {
  traced 'network,process' state close-wait,established --dry-run --port "$(quiet_port)"
  assert_status 0
  assert_not_called '(connect|listen|accept4?)\(' '(clone3?|v?fork)\('
}

@test "a state that ends by itself may be held for less than that" {
  local time
  for time in 0s 59s 59999ms; do
    dry_run_state time-wait --hold "$time"
    assert_status 0
  done
  dry_run_state close-wait --hold forever
  assert_status 0
  assert_stderr_empty
}

@test "a state that is kept alive by retransmission is a warning where that may end before the hold" {
  need_namespaces
  dry_run_state last-ack --hold 10m
  ((status == 0 || status == 3)) || fail_with 'exit code 0 or 3 was expected' # 3 where nobody may set a filter
  assert_stderr_has 'tcpstorm: warning: ' LAST_ACK net.ipv4.tcp_retries2 --isolate
  dry_run_state last-ack --hold 10m --isolate
  assert_status 0
  assert_stderr_empty
}

# dry_run_state STATES ARGUMENT...
dry_run_state() {
  if [[ " $* " == *' --isolate '* ]]; then
    storm state "$1" --dry-run "${@:2}"
  else
    storm state "$1" --dry-run --port "$(quiet_port)" "${@:2}"
  fi
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

@test "an option is given once, and of two values neither counts" {
  dry_run --conns 3k --conns 4k
  assert_status 2
  assert_stdout_empty
  assert_one_message
  assert_stderr_has '--conns is given twice' '"3k"' '"4k"'
}

@test "a rate for some time is planned as so many connections, each for its life" {
  dry_run --rate 500 --duration 30s --life 1s
  assert_status 0
  assert_stdout_has ' 15,000 on ' '500 a second' 'for 30s' 'each for 1s'
  dry_run --rate 500
  assert_status 0
  assert_stdout_has ' 5,000 on ' 'for 10s' 'each for 200ms'
}

@test "a cause is planned at a hundred a second for ten seconds" {
  dry_run --cause ignore-eof
  assert_status 0
  assert_stdout_has ' 1,000 on ' '100 a second' 'for 10s' ' ignore-eof'
}

# What stays on a lane is what lives and what is in TIME_WAIT: no more than a life and a minute's worth.
@test "a long flow is planned by its life and a minute of TIME_WAIT, not by all its connections" {
  dry_run --rate 500 --duration 24h --life 200ms
  assert_status 0
  assert_stdout_has ' 43,200,000 on '
  [[ $output =~ ports\ +([0-9]+)\ consecutive.*at\ most\ ([0-9,]+)\ connections ]] || fail_with 'no word of the ports'
  local lanes=${BASH_REMATCH[1]} each=${BASH_REMATCH[2]//,/}
  ((lanes * each >= 30101)) || fail_with 'these lanes cannot hold what is there at one time'
  ((lanes <= 30101 / each + 1)) || fail_with 'these are more lanes than are needed'
  assert_stdout_has 'up to 30,001 from one order'
}

@test "a leak is a number of connections, or a share of them" {
  dry_run --conns 5k --leak 20
  assert_status 0
  assert_stdout_has '20 of them leak'
  dry_run --conns 5k --leak 5%
  assert_status 0
  assert_stdout_has '250 of them leak'
  dry_run --conns 5k --leak 0.1%
  assert_status 0
  assert_stdout_has '5 of them leak'
  dry_run --rate 1k --duration 30s --leak 5%
  assert_status 0
  assert_stdout_has '1,500 of them leak'
  dry_run --conns 5k --leak 100%
  assert_status 0
  assert_stdout_has '5,000 of them leak'
}

@test "without --leak the plan does not speak of one" {
  dry_run --rate 100
  [[ $output != *leak* ]] || fail_with 'nothing was to leak'
}

@test "every order with a second close() takes a leak" {
  local name
  for name in $(orders_of_all); do
    [[ $name != leak && $name != never-close && $name != backlog ]] || continue
    dry_run --order "$name" --leak 5%
    assert_status 0
  done
  for name in $(orders_of_all --rate 100); do
    [[ $name != leak && $name != never-close ]] || continue
    dry_run --order "$name" --leak 5% --rate 100
    assert_status 0
  done
}

@test "more descriptors for the server than the hard limit are fatal and say what to change" {
  storm_with_descriptors 300 --dry-run --port "$(quiet_port)" --rate 5 --server-nofile 301
  assert_status 3
  assert_one_message
  assert_stderr_has '--server-nofile 301' '300 descriptors' 'ulimit -Hn'
  storm_with_descriptors 300 --dry-run --port "$(quiet_port)" --rate 5 --server-nofile 300
  assert_status 0
}

@test "a backlog above somaxconn is cut with a warning that names the sysctl" {
  (($(</proc/sys/net/core/somaxconn) < 65535)) || skip 'somaxconn is as large as a backlog can be'
  dry_run --rate 5 --backlog 65535
  assert_status 0
  assert_stderr_has 'tcpstorm: warning: ' '--backlog 65,535' net.core.somaxconn
}

@test "a rate whose TIME_WAIT does not fit is fatal and says to lower it" {
  (($(</proc/sys/net/ipv4/tcp_max_tw_buckets) < 6000000)) || skip 'so many buckets are rare'
  dry_run --rate 100k --duration 5m
  assert_status 3
  assert_stderr_has net.ipv4.tcp_max_tw_buckets 'lower --rate'
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
  assert_stderr_has 'server ports' --port net.ipv4.ip_local_port_range
}
