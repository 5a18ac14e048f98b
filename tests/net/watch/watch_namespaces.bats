#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # those shared with storm.bash; every test is a subshell
#
# "tcpstorm watch" in other network namespaces, and whose sockets it finds there. Other tests have namespaces of their
# own meanwhile: what is expected is found by its name, or the process.

load ../storm
load ../control_groups

CONTAINER_ID=$(printf '%08x%056x' "$$" "$RANDOM")

needs() {
  ((EUID == 0)) || skip "root is needed to make a container"
  command -v perl >/dev/null || skip "no perl to make a server with"
  containers=()
}

teardown() {
  local pid
  for pid in "${containers[@]}" "${others[@]}" $(storm_pids); do
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  remove_groups
  no_sanitizer_reports
}

# What a container runs: connections to itself that their clients have closed, and of which the server keeps each, or none.
SERVER='use strict; use Socket; $| = 1; my ($keeps, $port, $count) = @ARGV; my (@kept, @clients);
  socket(my $l, AF_INET, SOCK_STREAM, 0); setsockopt($l, SOL_SOCKET, SO_REUSEADDR, 1);
  bind($l, pack_sockaddr_in($port, INADDR_LOOPBACK)) or die; listen($l, 128);
  for (1 .. $count) { socket(my $s, AF_INET, SOCK_STREAM, 0); connect($s, pack_sockaddr_in($port, INADDR_LOOPBACK)) or die;
    accept(my $c, $l); close($s); sysread($c, my $all, 1); push @kept, $c if $keeps; close($c) unless $keeps; }
  print "Ready\n"; sleep 1000;'

# container NAME GROUP KEEPS COUNT [UNSHARE-OPTION...]: runs it in namespaces of its own, in a control group unless that is
# empty. Its pid is ${pid_of[NAME]}, that of its unshare if it forks.
declare -A pid_of
container() {
  local name=$1 in=$2 keeps=$3 count=$4
  shift 4
  (
    if [[ -n $in ]]; then echo "$BASHPID" >"$in/cgroup.procs"; fi
    exec unshare -n -m -u "$@" -- bash -c 'ip link set lo up; exec perl -e "$0" "$@"' "$SERVER" "$keeps" 15000 "$count"
  ) >"$BATS_TEST_TMPDIR/$name.said" 2>&1 3>&- &
  pid_of[$name]=$!
  containers+=("$!")
  wait_until 20 grep -q Ready "$BATS_TEST_TMPDIR/$name.said"
}

watch() {
  code=0
  "${as[@]}" "$STORM" watch "$@" --json - >"$JSON" 2>"$ERR" 3>&- || code=$?
}

# rows_of FILTER: of the last look those rows of ports that the filter is true of: service, namespace and CLOSE_WAIT.
rows_of() {
  tail -n 1 "$JSON" | jq -r ".ports[] | select(.side == \"server\" and .port == 15000) | select($1) |
    [.service // \"-\", .netns // \"-\", .states.close_wait // 0, .listens] | join(\" | \")"
}

@test "a container is seen by its name, and two with the same port are told apart" {
  make_group docker "$CONTAINER_ID"
  container leaky "$group" 1 7 -p -f --kill-child
  make_group tcpstorm-test.slice shop.service
  container clean "$group" 0 7
  watch --once --all-namespaces
  expect_code 0
  local name="docker container ${CONTAINER_ID:0:12}" clean="shop.service, perl ${pid_of[clean]}"
  [[ $(rows_of ".netns == \"$name\"") == "$name | $name | 7 | true" ]]
  # Its connections are over, and its port is listened on: only what TIME_WAIT and FIN_WAIT2 there is has a row.
  [[ $(rows_of ".netns == \"$clean\" and (.states.close_wait // 0) > 0") == '' ]]
  [[ $(rows_of '.netns == null') == '' ]]
  (($(tail -n 1 "$JSON" | jq '.namespaces.entered') >= 2))
  watch --once --all-namespaces --by service
  [[ $(jq -c ".services[] | select(.service == \"$name\") | [.states.close_wait, .command, .side]" "$JSON") == '[7,"perl",null]' ]]
  "$STORM" watch --once --all-namespaces --by service >"$OUT"
  expect_in "$OUT" "$name"
  expect_in "$OUT" "network namespaces besides our own"
}

@test "a process in another network namespace is looked at there" {
  container leaky '' 1 5
  watch --once --pid "${pid_of[leaky]}"
  expect_code 0
  [[ $(rows_of true) == '- | - | 5 | true' && $(jq .sockets "$JSON") == 5 ]]
  expect_empty "$ERR"
  # It ends while it is watched.
  rm "$JSON"
  "$STORM" watch --pid "${pid_of[leaky]}" --interval 50ms --json "$JSON" >"$OUT" 2>"$ERR" 3>&- &
  others+=("$!")
  local watcher=$!
  wait_until 10 grep -qs '"look"' "$JSON"
  kill -KILL "${pid_of[leaky]}"
  code=0
  wait "$watcher" || code=$?
  expect_code 3
  expect_one_sentence
  expect_in "$ERR" "process ${pid_of[leaky]} has ended"
}

has_said() {
  grep -q "network namespace perl $1 has $2" "$ERR"
}

sees_container() {
  [[ -s $JSON ]] && head -n "$(wc -l <"$JSON")" "$JSON" | tail -n 1 |
    jq -e "[.ports[] | select(.netns == \"perl $1\") | .states.close_wait == 3] | any" >/dev/null
}

@test "a namespace comes and goes while all are watched, which goes on until Ctrl-C" {
  "$STORM" watch --all-namespaces --interval 50ms --json "$JSON" >"$OUT" 2>"$ERR" 3>&- &
  local watcher=$!
  others+=("$watcher")
  wait_until 10 grep -qs '"look"' "$JSON"
  container later '' 1 3
  wait_until 10 sees_container "${pid_of[later]}"
  kill -KILL "${pid_of[later]}"
  wait_until 10 has_said "${pid_of[later]}" gone
  local looks
  looks=$(wc -l <"$JSON")
  wait_until 10 eval "((\$(wc -l <'$JSON') > $looks + 1))"
  kill -INT "$watcher"
  code=0
  wait "$watcher" || code=$?
  expect_code 0
  [[ $(tail -n 1 "$JSON" | jq ".ports[] | select(.netns == \"perl ${pid_of[later]}\")") == '' ]]
}

# Who may not look into the processes of root, nor enter their namespaces: a user namespace below this one.
ordinary() {
  as=(unshare --user --map-user=65534 --map-group=65534 --)
  "${as[@]}" unshare -Urn true 2>/dev/null || skip "no user namespace"
}

@test "an ordinary user enters namespaces of their own, and reads those of others" {
  ordinary
  container roots '' 1 6
  "${as[@]}" bash -c 'unshare -Urn bash -c "ip link set lo up; exec perl -e \"\$0\" \"\$@\"" "$1" 1 15000 4 >"$2" 2>&1 &
    until grep -qs Ready "$2"; do sleep 0.05; done
    "$3" watch --once --all-namespaces --json "$4" >"$5"
    "$3" watch --once --pid "$!" --json "$6" >"$6.table"
    echo "$!"; kill -KILL "$!"' - "$SERVER" "$BATS_TEST_TMPDIR/own.said" "$STORM" "$JSON" "$OUT" "$BATS_TEST_TMPDIR/pid" \
    >"$BATS_TEST_TMPDIR/own" 3>&-
  local own roots=${pid_of[roots]}
  own=$(<"$BATS_TEST_TMPDIR/own")
  [[ $(rows_of ".netns == \"perl $own\"") == "- | perl $own | 4 | true" ]]
  [[ $(rows_of ".netns == \"perl $roots\"") == "- | perl $roots | 6 | true" ]]
  # The kernel tells ages and owners of the one only.
  local ports
  ports=$(tail -n 1 "$JSON" | jq -c ".ports[] | select(.side == \"server\") | select(.netns == \"perl $own\" or .netns == \"perl $roots\") |
    [.pid // 0, .oldest_most_s != null]" | sort | paste -sd' ')
  [[ $ports == "[0,false] [$own,true]" ]]
  (($(tail -n 1 "$JSON" | jq .namespaces.read_only) >= 1 && $(tail -n 1 "$JSON" | jq .namespaces.entered) >= 1))
  expect_in "$OUT" "this user may not enter"
  [[ $(tail -n 1 "$BATS_TEST_TMPDIR/pid" | jq -c '.ports[] | select(.side == "server") | .states.close_wait') == 4 ]]
}

# The listener is made in one service, and passed to a process in another, which accepts.
@test "an accepted socket is of the service that holds it, or for whom may not look, of the one that made its listener" {
  make_group tcpstorm-test.slice maker.service
  local maker=$group
  make_group tcpstorm-test.slice holder.service
  local holder=$group
  ordinary
  (
    echo "$BASHPID" >"$maker/cgroup.procs"
    exec perl -e 'use strict; use Socket; $| = 1; my (@kept, $group) = (); $group = shift;
      socket(my $l, AF_INET, SOCK_STREAM, 0); bind($l, pack_sockaddr_in(0, INADDR_LOOPBACK)) or die; listen($l, 8);
      open(my $to, ">", "$group/cgroup.procs") or die; syswrite($to, $$); close($to);
      my $where = getsockname($l); for (1 .. 3) { socket(my $s, AF_INET, SOCK_STREAM, 0); connect($s, $where) or die;
      accept(my $c, $l); close($s); push @kept, $c; } print "Ready ", (unpack_sockaddr_in($where))[0], "\n"; sleep 1000' "$holder"
  ) >"$BATS_TEST_TMPDIR/said" 2>&1 3>&- &
  containers+=("$!")
  wait_until 20 grep -q Ready "$BATS_TEST_TMPDIR/said"
  local port services='[.ports[] | select(.side == "server") | .service, .states.close_wait] | join(" ")'
  port=$(sed -n 's/^Ready //p' "$BATS_TEST_TMPDIR/said")
  watch --once --port "$port"
  [[ $(jq -r "$services" "$JSON") == 'maker.service 3' ]]
  as=()
  watch --once --port "$port"
  [[ $(jq -r "$services" "$JSON") == 'holder.service 3' ]]
}

@test "--by-peer and --by exclude each other, and --by knows three things" {
  code=0
  "$STORM" watch --once --by service --by-peer >"$OUT" 2>"$ERR" || code=$?
  expect_code 2
  expect_one_sentence
  code=0
  "$STORM" watch --once --by container >"$OUT" 2>"$ERR" || code=$?
  expect_code 2
  expect_in "$ERR" "service"
}
