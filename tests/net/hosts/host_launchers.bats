#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash; every test is a subshell
# shellcheck disable=SC2016 # fake workers are scripts of their own
#
# Launchers: how they are run, what signals they have, how a run ends while hosts are waited for.

# run-bats: takes 50 s

load ../storm
load ../ss_witness
load ../hosts

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
  end_storm "$PATIENCE"
  expect_code 130
  expect_one_sentence
  expect_in "$ERR" "interrupted while the hosts looked for free ports"
  expect_nobody_left
}

# slow_host PATTERN: a host, in $fake, that never gets the lines that are like it; the file "heard" tells of the first.
# Its worker is sent signals while it leaves: a search for leaks that they meet may never end.
slow_host() {
  fake_worker 'ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0' 'export ASAN_OPTIONS' \
    'while IFS= read -r line; do' "  if printf '%s\n' \"\$line\" | grep -q '$1'; then : >'$BATS_TEST_TMPDIR/heard'" \
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
  expect_in "$ERR" "host \"$(via db)\" did not end within 14 s"
  expect_nobody_left
  rm "$BATS_TEST_TMPDIR/heard"
  start_storm --conns 10 --dry-run --allow-remote --server-via "$(via db)" --address "$(address_of db)" --worker-path "$fake"
  wait_until 20 test -e "$BATS_TEST_TMPDIR/heard"
  kill -INT "$storm_pid"
  end_storm "$PATIENCE"
  expect_not_in "$ERR" "did not end within"
  expect_nobody_left
}

@test "a launcher that asks for a password has the terminal until its host says hello; Ctrl-C there ends the run" {
  command -v script >/dev/null || skip "no script (bsdutils) to make a terminal with"
  new_hosts db
  fake_worker 'printf "password: " >/dev/tty' "IFS= read -r word </dev/tty" \
    '[ "$word" = sesame ] || exit 9' 'exec "$STORM" "$@"'
  on_terminal "sesame\\r" 2
  grep -q '^STATUS=0' "$OUT"
  on_terminal "\\003" 1
  grep -q '^STATUS=130' "$OUT"
  grep -q 'interrupted before host' "$OUT"
  expect_nobody_left
}

# on_terminal KEYS TIMES: a storm on a terminal, where these are typed so often, each time when a password has been asked for.
# Both sides ask: without the terminal lent to each, they would be stopped for ever.
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
  script -qfec "bash --norc -i '$BATS_TEST_TMPDIR/play'" /dev/null <&"$keys" >"$OUT" 2>&1 3>&- &
  others+=("$!")
  local deadline=$((SECONDS + LONG))
  until grep -q STATUS= "$OUT"; do
    ((SECONDS < deadline)) || { show_output; return 1; }
    asked=$(grep -o password: "$OUT" | wc -l)
    if ((asked > typed && typed < $2)); then
      # shellcheck disable=SC2059 # it is one
      printf "$1" >&"$keys"
      ((typed += 1))
    fi
    sleep 0.05
  done
  exec {keys}>&-
}
