#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash; every test is a subshell
# shellcheck disable=SC2016 # fake workers are scripts of their own
#
# Faults of hosts: launchers that fail, hosts that are lost, controllers that are. Exit status 3, one sentence that names the
# host, rows kept, nobody left on any host.

# run-bats: takes 150 s

load ../storm
load ../ss_witness
load ../hosts
load ../fail_call

@test "a launcher that does not exist: its name, and what to try" {
  new_hosts db
  storm --conns 10 --quiet --allow-remote --server-via "$(via db)" --address "$(address_of db)" --client-via "no-such-launcher x"
  drop_words_of "sh:"
  expect_lost 3 'host "no-such-launcher x"' "127" "before it said hello" '"no-such-launcher x '
  expect_nothing_sent db
}

@test "a launcher that leaves at once: its name, and how it ended" {
  new_hosts db
  storm --conns 10 --quiet --allow-remote --server-via "$(via db)" --address "$(address_of db)" --client-via "sh -c 'exit 5' x"
  expect_lost 3 "host \"sh -c 'exit 5' x\" exited with status 5"
  expect_nothing_sent db
}

@test "two launchers that fail are both named" {
  new_hosts db
  storm --conns 10 --quiet --allow-remote --server-via "$(via db)" --address "$(address_of db)" \
    --client-via "false 1" --client-via "false 2"
  expect_code 3
  expect_in "$ERR" 'host "false 1"'
  expect_in "$ERR" 'host "false 2"'
  expect_nobody_left
}

@test "a host that greets before it speaks is heard" {
  new_hosts db
  fake_worker 'echo "Welcome to db."; echo; echo "Last login: today"; exec "$STORM" "$@"'
  storm --conns 50 --hold 50ms --allow-remote --server-via "$(via db)" --address "$(address_of db)" --worker-path "$fake"
  expect_code 0
  expect_rows server:db client:local
}

@test "a host that only talks is no host: its name, and what to try" {
  new_hosts db
  fake_worker 'head -c 5000 /dev/zero; exec cat >/dev/null'
  storm --conns 10 --quiet --allow-remote --server-via "$(via db)" --address "$(address_of db)" --worker-path "$fake"
  expect_lost 3 "host \"$(via db)\"" "before it said hello" "$fake version"
  fake_worker 'echo "This account is not available."; exit 1'
  storm --conns 10 --quiet --allow-remote --server-via "$(via db)" --address "$(address_of db)" --worker-path "$fake"
  expect_lost 3 "host \"$(via db)\" exited with status 1 before it said hello"
}

@test "a host with another version or protocol: both are told" {
  local hello
  new_hosts db
  for hello in "hello 3 9.9.9" "hello 99 $("$STORM" --version | cut -d' ' -f2)" "hello 4 1.0.0 and what that one adds"; do
    fake_worker "echo '$hello'; exec cat >/dev/null"
    storm --conns 10 --quiet --allow-remote --server-via "$(via db)" --address "$(address_of db)" --worker-path "$fake"
    expect_lost 3 "host \"$(via db)\" has tcpstorm" "protocol" "--worker-path"
  done
}

@test "a host that says nothing of what it has is refused, and does not crash the run" {
  new_hosts db
  fake_worker '"$STORM" "$@" | grep --line-buffered -v ^limits'
  storm --conns 10 --quiet --allow-remote --server-via "$(via db)" --address "$(address_of db)" --worker-path "$fake"
  expect_code 3
  expect_in "$ERR" "hard limit of 0 descriptors"
  expect_nobody_left
}

@test "a worker that is not there: the host's name, and what to try" {
  new_hosts db
  storm --conns 10 --quiet --allow-remote --server-via "$(via db)" --address "$(address_of db)" --worker-path /nonexistent/tcpstorm
  drop_words_of "nsenter:"
  expect_lost 3 "host \"$(via db)\"" "/nonexistent/tcpstorm version"
}

@test "a host that is killed in a hold: its name, exit status 3, the rows kept, nobody left" {
  one_server_two_clients
  start_storm "${over[@]}" --quiet --conns 300 --order never-close --hold forever
  wait_for_row open 1
  kill -KILL "$(pid_on web1 "worker host")"
  end_storm 20
  expect_lost 3 "host \"$(via web1)\"" "killed by signal 9" "300 of 300 connections"
  expect_kept open
}

@test "a worker that is killed on a host: its name, and the host's" {
  one_server_two_clients
  start_storm "${over[@]}" --quiet --conns 300 --order never-close --hold forever
  wait_for_row open 1
  kill -KILL "$(pid_on web2 "worker client")"
  end_storm 20
  expect_lost 3 "client worker" "on host \"$(via web2)\"" "killed by signal 9"
  expect_kept open
}

@test "a witness that is killed on a host: its name, and the host's" {
  one_server_two_clients
  start_storm "${over[@]}" --quiet --conns 300 --order never-close --hold forever
  wait_for_row open 1
  kill -KILL "$(pid_on db witness)"
  end_storm 20
  expect_lost 3 "witness" "on host \"$(via db)\"" "killed by signal 9"
  expect_kept open
}

@test "a host that is stopped is lost after 10 s of silence, and nobody is left there" {
  one_server_two_clients
  start_storm "${over[@]}" --quiet --conns 300 --order never-close --hold forever
  wait_for_row open 1
  kill -STOP "$(pid_on web1 "worker host")"
  end_storm 40
  expect_lost 3 "host \"$(via web1)\" has not been heard for 10 s"
  expect_kept open
}

@test "a controller that is stopped for a while loses no host" {
  one_server_two_clients
  start_storm "${over[@]}" --conns 300 --order never-close --hold 4s --interval 50ms
  wait_for_row open 1
  kill -STOP "$storm_pid"
  sleep 5 # longer than it takes for its own silence to be noticed, and than the hold
  kill -CONT "$storm_pid"
  end_storm 20
  expect_code 0
  expect_nobody_left
}

@test "a run whose hosts and controller were all stopped for a while goes on" {
  local pids
  one_server_two_clients
  start_storm "${over[@]}" --conns 300 --order never-close --hold 20s --interval 50ms
  wait_for_row open 1
  mapfile -t pids < <(storm_pids)
  kill -STOP "${pids[@]}"
  sleep 17 # longer than a host waits for its controller
  kill -CONT "${pids[@]}"
  end_storm "$LONG"
  expect_code 0
  expect_nobody_left
}

@test "hosts whose controller is silent for 15 s leave by themselves" {
  one_server_two_clients
  start_storm "${over[@]}" --quiet --conns 300 --order never-close --hold forever
  wait_for_row open 1
  kill -STOP "$storm_pid"
  wait_until 40 only_controller
  kill -CONT "$storm_pid"
  end_storm 20
  expect_lost 3 "host \"nsenter -t "
  expect_kept open
}

only_controller() {
  [[ $(storm_pids) == "$storm_pid" ]]
}

@test "a controller that is killed leaves nobody on any host" {
  one_server_two_clients
  start_storm "${over[@]}" --quiet --conns 300 --order never-close --hold forever
  wait_for_row open 1
  kill -KILL "$storm_pid"
  expect_nobody_left 25
}

@test "an interrupt leaves nobody on any host: exit status 130, the rows kept" {
  local signal
  one_server_two_clients
  for signal in INT TERM; do
    start_storm "${over[@]}" --quiet --conns 300 --order never-close --hold forever
    wait_for_row open 1
    kill "-$signal" "$storm_pid"
    end_storm 20
    expect_code 130
    expect_empty "$ERR"
    expect_kept open
    expect_nobody_left
  done
}

@test "a host that is out of reach when connections open: the worker, its host, what to look at" {
  one_server_two_clients
  pull_cable_of web1
  storm "${over[@]}" --quiet --conns 300
  expect_lost 3 "client worker" "on host \"$(via web1)\"" "EHOSTUNREACH" "--address"
}

@test "a cable that is pulled in a hold: the states differ, on that host's row alone" {
  one_server_two_clients
  start_storm "${over[@]}" --conns 300 --order server-first --hold 2s --settle 2s
  wait_for_row open 1
  pull_cable_of web1
  end_storm 60
  expect_code 1
  [[ $(awk -F, '$4 == "server-close" && $6 == "client"' "$CSV" | tail -n 2 | awk -F, -v host="$(via web1)" '$31 == host { print $11 }') == 150 ]]
  [[ $(awk -F, '$4 == "server-close" && $6 == "client"' "$CSV" | tail -n 2 | awk -F, -v host="$(via web2)" '$31 == host { print $14 }') == 150 ]]
  [[ $(awk -F, '$4 == "server-close" && $6 == "server" { last = $12 "," $13 } END { print last }' "$CSV") == 150,150 ]]
  expect_nobody_left 25
}

@test "a descriptor limit that is met on a host: the worker, its host, what to raise" {
  new_hosts db web
  fail_call socket EMFILE "worker client" 50
  code=0
  timeout -k 1 60 "${launcher[@]}" "$STORM" --quiet --csv "$CSV" --conns 300 --allow-remote --server-via "$(via db)" \
    --address "$(address_of db)" --client-via "$(via web)" >"$OUT" 2>"$ERR" 3>&- || code=$?
  expect_lost 3 "socket()" "EMFILE" "client worker" "on host \"$(via web)\"" "ulimit -n"
}
