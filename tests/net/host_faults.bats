#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash; every test is a subshell
# shellcheck disable=SC2016 # fake workers are scripts of their own
#
# Faults of hosts: launchers that fail, hosts that are lost, controllers that are. Exit status 3, one sentence that names the
# host, rows kept, nobody left on any host.

# run-bats: takes 60 s

load storm
load ss_witness
load hosts
load fail_call

# drop_words_of WHO: a launcher has the standard error too, and what it says there is its own.
drop_words_of() {
  grep -q "^$1" "$ERR"
  sed -i "/^$1/d" "$ERR"
}

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
  expect_lost 3 "host \"sh -c 'exit 5' x\" left with exit status 5"
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

# fake_worker LINE...: a worker for --worker-path, in $fake: a shell script. "$@" is what it was given, $STORM the real one.
fake_worker() {
  fake=$BATS_TEST_TMPDIR/fake
  printf '%s\n' '#!/bin/sh' "STORM=$STORM" "$@" >"$fake"
  chmod +x "$fake"
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
  expect_lost 3 "host \"$(via db)\" left with exit status 1 before it said hello"
}

@test "a host with another version or protocol: both are told" {
  local hello
  new_hosts db
  for hello in "hello 3 9.9.9" "hello 99 $("$STORM" version | cut -d' ' -f2)" "hello 4 1.0.0 and what that one adds"; do
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

# ---- signals while hosts are waited for ----

@test "an interrupt while hosts are being reached: exit status 130, one sentence, nobody left" {
  local signal
  new_hosts db
  for signal in INT TERM HUP; do
    fake_worker "echo \$\$ >'$BATS_TEST_TMPDIR/pid'; exec sleep 300"
    start_reaching
    kill "-$signal" "$storm_pid"
    end_storm "$PATIENCE"
    expect_code 130
    expect_one_sentence
    expect_in "$ERR" "interrupted before host \"$(via db)\" said hello; no connection was opened"
    wait_until "$PATIENCE" is_over "$(cat "$BATS_TEST_TMPDIR/pid")"
    expect_nobody_left
  done
}

# start_reaching: a storm that waits for the fake worker to say hello; its own pid is in the file "pid".
start_reaching() {
  rm -f "$BATS_TEST_TMPDIR/pid"
  start_storm --quiet --conns 10 --allow-remote --server-via "$(via db)" --address "$(address_of db)" --worker-path "$fake"
  wait_until 20 test -s "$BATS_TEST_TMPDIR/pid"
}

@test "a launcher that does not leave when it is asked to is killed, and all that it has started" {
  new_hosts db
  fake_worker 'trap "" INT TERM HUP' 'sleep 301 &' "echo \$\$ \$! >'$BATS_TEST_TMPDIR/pid'" 'while :; do sleep 302; done'
  start_reaching
  kill -INT "$storm_pid"
  end_storm "$PATIENCE"
  expect_code 130
  expect_one_sentence
  wait_until "$PATIENCE" all_over
}

all_over() {
  local pid
  for pid in $(<"$BATS_TEST_TMPDIR/pid"); do
    is_over "$pid" || return 1
  done
}

@test "a controller that is killed while hosts are being reached leaves no launcher" {
  new_hosts db
  fake_worker "echo \$\$ >'$BATS_TEST_TMPDIR/pid'; exec sleep 303"
  start_reaching
  kill -KILL "$storm_pid"
  wait_until "$PATIENCE" all_over
}

@test "a launcher has the default signals, and a process group of its own" {
  new_hosts db
  fake_worker "cat /proc/self/status >'$BATS_TEST_TMPDIR/status'" 'exec "$STORM" "$@"'
  storm --conns 10 --hold 20ms --allow-remote --server-via "$(via db)" --address "$(address_of db)" --worker-path "$fake"
  expect_code 0
  ignored=$((16#$(awk '$1 == "SigIgn:" { print $2 }' "$BATS_TEST_TMPDIR/status")))
  ((!(ignored & (1 << 1 | 1 << 2 | 1 << 12 | 1 << 14)))) # INT, QUIT, PIPE, TERM
  ((16#$(awk '$1 == "SigBlk:" { print $2 }' "$BATS_TEST_TMPDIR/status") == 0))
}

@test "an interrupt while hosts look for ports is heard" {
  new_hosts db
  slow_host '^ports'
  start_storm --quiet --conns 10 --allow-remote --server-via "$(via db)" --address "$(address_of db)" --worker-path "$fake"
  wait_until 20 test -e "$BATS_TEST_TMPDIR/heard"
  kill -INT "$storm_pid"
  end_storm "$PATIENCE" # of 20 s for an answer
  expect_code 130
  expect_one_sentence
  expect_in "$ERR" "interrupted while the hosts looked for free ports"
  expect_nobody_left
}

# slow_host PATTERN: a host, in $fake, that never gets the lines that are like it; the file "heard" tells of the first.
slow_host() {
  fake_worker 'while IFS= read -r line; do' "  if printf '%s\n' \"\$line\" | grep -q '$1'; then : >'$BATS_TEST_TMPDIR/heard'" \
    '  else printf "%s\n" "$line"; [ "$line" != quit ] || break; fi' 'done | "$STORM" "$@" | cat' # which makes what it speaks to non-blocking
}

@test "a host that does not say which ports are free is named" {
  new_hosts db
  slow_host '^ports'
  storm --quiet --conns 10 --allow-remote --server-via "$(via db)" --address "$(address_of db)" --worker-path "$fake"
  expect_lost 3 "host \"$(via db)\" has not answered which of its ports are free"
}

@test "a host that does not leave is given up, and named; a second signal ends the wait at once" {
  new_hosts db
  slow_host '^quit'
  storm --conns 10 --dry-run --allow-remote --server-via "$(via db)" --address "$(address_of db)" --worker-path "$fake"
  expect_code 0
  expect_in "$ERR" "host \"$(via db)\" did not leave for 12 s and was given up"
  expect_nobody_left
  rm "$BATS_TEST_TMPDIR/heard"
  start_storm --conns 10 --dry-run --allow-remote --server-via "$(via db)" --address "$(address_of db)" --worker-path "$fake"
  wait_until 20 test -e "$BATS_TEST_TMPDIR/heard"
  kill -INT "$storm_pid"
  end_storm "$PATIENCE" # of 12 s
  expect_nobody_left
}

@test "a launcher that asks for a password has the terminal until its host says hello; Ctrl-C there ends the run" {
  command -v script >/dev/null || skip "no script (bsdutils) to make a terminal with"
  new_hosts db
  fake_worker 'printf "password: " >/dev/tty' "IFS= read -r word </dev/tty" \
    '[ "$word" = sesame ] || exit 9' 'exec "$STORM" "$@"'
  on_terminal "sesame\\r"
  grep -q '^STATUS=0' "$OUT"
  on_terminal "\\003"
  grep -q '^STATUS=130' "$OUT"
  grep -q 'interrupted before host' "$OUT"
  expect_nobody_left
}

# on_terminal KEYS: a storm on a terminal, where these are typed once both sides have asked for a password, one after the
# other. Both have it: without the terminal lent to each, the second would be stopped for ever.
on_terminal() {
  local typed=0 asked
  mkfifo "$BATS_TEST_TMPDIR/keys" 2>/dev/null || true
  : >"$OUT"
  cat >"$BATS_TEST_TMPDIR/play" <<END
"$STORM" --conns 10 --hold 20ms --allow-remote --server-via "$(via db)" --address "$(address_of db)" \
  --client-via "$(via db)" --worker-path "$fake"
echo "STATUS=\$?"
END
  exec {keys}<>"$BATS_TEST_TMPDIR/keys"
  script -qfec "bash -i '$BATS_TEST_TMPDIR/play'" /dev/null <&"$keys" >"$OUT" 2>&1 3>&- &
  others+=("$!")
  local deadline=$((SECONDS + 30))
  until grep -q STATUS= "$OUT"; do
    ((SECONDS < deadline)) || { show_output; return 1; }
    asked=$(grep -o password: "$OUT" | wc -l)
    if ((asked > typed)); then
      # shellcheck disable=SC2059 # it is one
      printf "$1" >&"$keys"
      typed=$asked
    fi
    sleep 0.05
  done
  exec {keys}>&-
}

# ---- a host that is not what it says ----

# forge SED-SCRIPT: a host, in $fake, whose lines are changed on their way.
forge() {
  fake_worker "exec 3>&1" "{ \"\$STORM\" \"\$@\" 3>&-; } | sed -u '$1' >&3"
}

# expect_disbelieved SED-SCRIPT TEXT: a run over such a host ends in one sentence with that text.
expect_disbelieved() {
  forge "$1"
  storm --quiet --conns 20 --order "${3-server-first}" --hold 20ms --allow-remote --server-via "$(via db)" \
    --address "$(address_of db)" --worker-path "$fake"
  expect_lost 3 "host \"$(via db)\"" "speaks another protocol" "$2"
  if grep -q '[^[:print:]]' "$ERR"; then
    cat -v "$ERR"
    return 1
  fi
}

@test "a host whose own lines are no messages is lost: numbers out of range, too few fields, unknown ones" {
  new_hosts db
  expect_disbelieved 's/^room .*/room -99999999999 5/' 'RC of "room" is "-99999999999", allowed is -4095 to 0'
  expect_disbelieved 's/^room .*/room 0 65536/' 'FIRST of "room" is "65536"'
  expect_disbelieved 's/^counted .*/counted 1/' '"counted" has 1 field'
  expect_disbelieved 's/^counted [0-9]*/counted 9223372036854775807/' 'VALUE of "counted"'
  expect_disbelieved 's/^started \([0-9]*\) [0-9]*/started \1 99999999999999999999/' 'PID of "started"'
  expect_disbelieved 's/^started .*/gossip \x1b]0;owned\x07/' '"gossip" is no message'
  expect_disbelieved 's/somaxconn=/somaxconn=-/' 'NAME=NUMBER of "limits"'
}

@test "a process on a host whose lines are no messages is named, and its host" {
  new_hosts db
  expect_disbelieved 's/^\(from [0-9]* seen [0-9]* [0-9]*\) [0-9]*/\1 -1/' 'COUNT of "seen" is "-1"'
  expect_disbelieved 's/^\(from [0-9]* class [0-9]* 0\) [0-9]*/\1 -5/' 'STATE of "class" is "-5"' leak
  expect_disbelieved 's/^\(from [0-9]* class\) \(.*\) [^ ]*$/\1 \2 \x1b[2J/' 'COMMAND of "class"' leak
  expect_disbelieved 's/^\(from [0-9]*\) listening.*/\1 fault listen -16025 0/' 'ERRNO of "fault" is "-16025"'
  expect_disbelieved 's/^\(from [0-9]* accepted 0\) .*/\1 9223372036854775808 0 0/' 'TOTAL of "accepted"'
  expect_disbelieved 's/^\(from [0-9]*\) hello.*/\1 boo/' '"boo" is no message'
}

@test "a host that never tells of the end of its processes is given up, and the run ends" {
  new_hosts db
  forge '/^ended/d'
  storm --conns 20 --hold 20ms --allow-remote --server-via "$(via db)" --address "$(address_of db)" --worker-path "$fake"
  expect_in "$ERR" "host \"$(via db)\" has not ended a process that it was told to kill 10 s ago"
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

# ---- how a launcher is run ----

@test "a path with a blank, quotes and a dollar is one word, and a launcher is a command of the shell" {
  new_hosts db
  mkdir "$BATS_TEST_TMPDIR/it's \"a\" \$dir ä"
  ln "$STORM" "$BATS_TEST_TMPDIR/it's \"a\" \$dir ä/tcpstorm"
  storm --conns 20 --hold 20ms --allow-remote --address "$(address_of db)" \
    --worker-path "$BATS_TEST_TMPDIR/it's \"a\" \$dir ä/tcpstorm" \
    --server-via "cd / && A='b c' $(via db)" --client-via "{ :; } && A=1 $(via db)"
  expect_code 0
  expect_nobody_left
  storm --quiet --conns 20 --allow-remote --address "$(address_of db)" --worker-path "/no such/path" --server-via "$(via db)"
  drop_words_of "nsenter:"
  expect_lost 3 "does \"$(via db) '/no such/path' version\" work?"
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
