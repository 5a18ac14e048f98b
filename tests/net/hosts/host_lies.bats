#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash; every test is a subshell
# shellcheck disable=SC2016 # fake workers are scripts of their own
#
# Lines that are no messages of the protocol: from a host and from the processes on it, and from a controller. Whoever hears
# them says so, or leaves; nothing is taken from them.

# run-bats: takes 40 s

load ../storm
load ../ss_witness
load ../hosts

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
  expect_disbelieved 's/^room .*/room -99999999999 5/' 'RC of "room" is "-99999999999", allowed is -4095 to '
  expect_disbelieved 's/^room .*/room 0 65536/' 'FIRST of "room" is "65536"'
  expect_disbelieved 's/^counted .*/counted 1/' '"counted" has 1 field'
  expect_disbelieved 's/^counted [0-9]*/counted 9223372036854775807/' 'VALUE of "counted"'
  expect_disbelieved 's/^started \([0-9]*\) [0-9]*/started \1 99999999999999999999/' 'PID of "started"'
  expect_disbelieved 's/^started .*/gossip \x1b]0;owned\x07/' '"gossip" is not a message'
  expect_disbelieved 's/somaxconn=/somaxconn=-/' 'NAME=NUMBER of "limits"'
}

@test "a process on a host whose lines are no messages is named, and its host" {
  new_hosts db
  expect_disbelieved 's/^\(from [0-9]* seen [0-9]* [0-9]*\) [0-9]*/\1 -1/' 'COUNT of "seen" is "-1"'
  expect_disbelieved 's/^\(from [0-9]* class [0-9]* 0\) [0-9]*/\1 -5/' 'STATE of "class" is "-5"' leak
  expect_disbelieved 's/^\(from [0-9]* class\) \(.*\) [^ ]*$/\1 \2 \x1b[2J/' 'COMMAND of "class"' leak
  expect_disbelieved 's/^\(from [0-9]*\) listening.*/\1 fault listen -16025 0/' 'ERRNO of "fault" is "-16025"'
  expect_disbelieved 's/^\(from [0-9]* accepted 0\) .*/\1 9223372036854775808 0 0/' 'TOTAL of "accepted"'
  expect_disbelieved 's/^\(from [0-9]*\) hello.*/\1 boo/' '"boo" is not a message'
}

@test "a host that never tells of the end of its processes is given up, and the run ends" {
  new_hosts db
  forge '/^ended/d'
  storm --conns 20 --hold 20ms --allow-remote --server-via "$(via db)" --address "$(address_of db)" --worker-path "$fake"
  expect_in "$ERR" "host \"$(via db)\" has not ended a process that it was told to kill 10 s ago"
  expect_nobody_left
}

# ---- a controller that is none ----

# told ROLE REPLIES LINE...: what a process of ours answers to these lines, in $OUT, and its exit status in $code. After so
# many replies, or its end, its stream is closed.
told() {
  local role
  read -ra role <<<"$1"
  code=0
  # shellcheck disable=SC2016 # perl's
  printf '%s\n' "${@:3}" | timeout "${told_s-60}" perl -e 'use strict; use Socket;
    my $replies = shift;
    socketpair(my $ours, my $its, AF_UNIX, SOCK_STREAM, PF_UNSPEC) or die "socketpair: $!";
    defined(my $pid = fork) or die "fork: $!";
    if (!$pid) { open(STDIN, "<&", $its); open(STDOUT, ">&", $its); close $ours; close $its; exec @ARGV or die "exec: $!" }
    close $its;
    syswrite($ours, $_) while <STDIN>;
    while ($replies-- > 0 && defined(my $line = <$ours>)) { print $line }
    close $ours;
    waitpid($pid, 0); exit($? >> 8 | ($? & 127 ? 128 | $? & 127 : 0))' \
    "$2" "$STORM" "${role[@]}" >"$OUT" 2>"$ERR" || code=$?
}

# count_of LINE: how often it has been answered.
count_of() {
  grep -cxF -- "$1" "$OUT" || true
}

@test "a worker says that a line is not a message, does nothing of it, and goes on" {
  command -v perl >/dev/null || skip "no perl to speak with"
  told "worker server" 7 "act 1 crash forwards 0" "listen 0 127.0.0.1 99999 1 1 full" "listen 0 127.0.0.1 15000 1 -1 full" \
    "act 99999999999999999999 close forwards 0" "owners 1" "ghosts 7"
  [[ $code == 0 && $(count_of "fault protocol 71 0") == 5 && $(count_of "ghosts 7 0") == 1 ]]
  told "worker server-flow" 30 "ghosts 1 1" "script 1 0 1 crash@eof" "script 1 0 1 open@life" "script 1 0 1 close@life" "nofile -1"
  [[ $code == 0 && $(count_of "fault protocol 71 0") == 4 ]]
  told "worker client-flow" 4 "arrive 1 10 0 1000" "connect 0 localhost 1 1 full 0" "connect 0 127.0.0.1 65536 0 full 0"
  [[ $code == 0 && $(count_of "fault protocol 71 0") == 3 ]]
}

@test "a witness that is asked before it knows what to look with says so; at what is not a message it leaves" {
  command -v perl >/dev/null || skip "no perl to speak with"
  told witness 3 "owners 7" "look 8" "quit"
  [[ $code == 0 && $(count_of "owned 7 0 93") == 1 ]]
  grep -qx 'unseen 8 [0-9]* 93' "$OUT"
  told witness 99 "backend netlink" "target 1 99999 127.0.0.1" "look 1"
  [[ $code == 0 && $(wc -l <"$OUT") == 1 ]]
}

@test "a host leaves at what is not a message, and not only when it has heard nothing for 15 s" {
  local told_s=12
  command -v perl >/dev/null || skip "no perl to speak with"
  for line in "start 0 a b c d e f" "ports 1 70000 1 127.0.0.1" "ports 1 2 1 localhost" "to x look 1" "gossip" "ports 1 2 0 ::1"; do
    told "worker host" 99 "$line"
    [[ $code == 0 ]]
  done
  expect_nobody_left
}
