#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash; every test is a subshell
#
# Hosts behind real logins: an sshd of its own in each of three network namespaces, and the controller in a fourth, which has
# the bridge. Needs root, and Debian's openssh-server and openssh-client; nothing of it touches the machine's own sshd, keys or
# network.

load ../net/storm
load ../net/ss_witness
load ../net/hosts

LONG=240

setup_file() {
  local tool
  export HOSTS_REFUSAL=
  for tool in /usr/sbin/sshd ssh ssh-keygen ip ss nsenter unshare; do
    command -v "$tool" >/dev/null ||
      HOSTS_REFUSAL="there is no $tool (apt-get install openssh-server openssh-client iproute2 util-linux)"
  done
  ((EUID == 0)) || HOSTS_REFUSAL="sshd needs root"
  unshare -n true 2>/dev/null || HOSTS_REFUSAL="this machine refuses a network namespace"
  [[ -z $HOSTS_REFUSAL ]] || return 0
  for tool in user stranger host; do
    ssh-keygen -q -t ed25519 -N '' -f "$BATS_FILE_TMPDIR/$tool"
  done
}

# What storm.bash does around a test, and the namespace that the controller and the bridge are in.
eval "around_$(declare -f setup)"
eval "around_$(declare -f teardown)"

setup() {
  [[ -z $HOSTS_REFUSAL ]] || skip "$HOSTS_REFUSAL"
  around_setup
  unshare -n sleep infinity 3>&- &
  switch=$!
  others+=("$switch")
  wait_until 10 has_own_namespace "$switch"
  launcher=(nsenter -t "$switch" -n)
}

teardown() {
  local pid
  [[ -z $HOSTS_REFUSAL ]] || return 0
  for pid in $(logins); do
    kill -KILL "$pid" 2>/dev/null || true
  done
  around_teardown
}

# Every process of sshd or ssh that is in a namespace of this test.
logins() {
  local pid name spaces=" "
  for name in "${!keeper[@]}"; do
    spaces+="$(readlink "/proc/${keeper[$name]}/ns/net") "
  done
  spaces+="$(readlink "/proc/$switch/ns/net") "
  for pid in $(pgrep 'ssh'); do
    [[ $spaces != *" $(readlink "/proc/$pid/ns/net" 2>/dev/null) "* ]] || say "$pid"
  done
}

# The bridge is where the controller is.
ip() {
  nsenter -t "$switch" -n ip "$@"
}

# three_logins: db, web1 and web2, each with an sshd; the options of most tests are in $over.
three_logins() {
  local name
  new_hosts db web1 web2
  mkdir -p /run/sshd "$BATS_TEST_TMPDIR/home"
  cp "$BATS_FILE_TMPDIR/user.pub" "$BATS_TEST_TMPDIR/authorized"
  write_config "$BATS_FILE_TMPDIR/user"
  for name in db web1 web2; do
    start_login "$name"
  done
  over=(--allow-remote --server-via "$(login db)" --address "$(address_of db)" --client-via "$(login web1)"
    --client-via "$(login web2)")
}

write_config() {
  local name
  {
    printf '%s\n' 'Host *' "  IdentityFile $1" '  IdentitiesOnly yes' '  StrictHostKeyChecking no' '  UserKnownHostsFile /dev/null' \
      '  LogLevel ERROR' '  ConnectTimeout 5' '  BatchMode yes' '  User root'
    for name in db web1 web2; do
      printf '%s\n' "Host $name" "  HostName $(address_of "$name")"
    done
  } >"$BATS_TEST_TMPDIR/config"
}

# The login shell finds an empty home, and no file of somebody's that it would run.
start_login() {
  nsenter -t "${keeper[$1]}" -n -- /usr/sbin/sshd -D -e -f /dev/null -o "HostKey=$BATS_FILE_TMPDIR/host" \
    -o "AuthorizedKeysFile=$BATS_TEST_TMPDIR/authorized" -o StrictModes=no -o UsePAM=no -o PidFile=none -o PermitRootLogin=yes \
    -o "SetEnv=HOME=$BATS_TEST_TMPDIR/home" -o "ListenAddress=$(address_of "$1")" 2>"$BATS_TEST_TMPDIR/sshd.$1" 3>&- &
  others+=("$!")
  declare -g "sshd_$1=$!"
  if ! wait_until 10 listens_on "$1"; then
    cat "$BATS_TEST_TMPDIR/sshd.$1"
    return 1
  fi
}

listens_on() {
  [[ -n $(on "$1" ss -Htln 'sport = :22') ]]
}

login() {
  say "ssh -F $BATS_TEST_TMPDIR/config $1"
}

# How the CSV and the messages name it.
word_of() {
  case $1 in
    db | web1 | web2) login "$1" ;;
    *) say "$1" ;;
  esac
}

# expect_lost_login TEXT...: exit status 3, one sentence with each text, nobody left, within the 15 s that a host waits.
expect_lost_login() {
  local text
  expect_code 3
  sed -i '/^ssh: \|^Connection \|Permission denied\|^client_loop/d' "$ERR" # what ssh says for itself
  expect_one_sentence
  for text; do
    expect_in "$ERR" "$text"
  done
  expect_nobody_left 25
}

held() {
  start_storm "${over[@]}" --quiet --conns 10000 --order never-close --hold forever
  wait_for_row open 1
}

@test "every order that needs nothing, 10,000 connections over three logins: as expected" {
  three_logins
  storm "${over[@]}" --conns 10000 --hold 100ms \
    --order server-first,client-first,half-close,never-close,leak,simultaneous,abort,unread,server-crash,client-crash,backlog
  expect_code 0
  expect_in "$OUT" "11 as expected: as expected"
  expect_rows server:db client:web1 client:web2
  expect_sum server-first client-close server time_wait=10000
  expect_sum client-first server-close client time_wait=10000
  expect_sum leak client-close server close_wait=10000
  expect_nobody_left
}

@test "100,000 connections over three logins: every socket is accounted for" {
  three_logins
  storm "${over[@]}" --conns 100k --order server-first,client-first --hold 200ms
  expect_code 0
  expect_rows server:db client:web1 client:web2
  expect_sum server-first open server established=100000 fds=100000
  expect_sum server-first server-close server fin_wait2=100000
  expect_sum server-first server-close client close_wait=100000
  expect_sum server-first client-close server time_wait=100000 gone=0
  expect_sum client-first server-close client time_wait=100000 gone=0
  expect_nobody_left
}

@test "over three logins each host's ss counts the same" {
  three_logins
  host_behind[$(login db)]=db host_behind[$(login web1)]=web1 host_behind[$(login web2)]=web2
  witnessed_hosts server-first,leak 3 "${over[@]}" --conns 2000
}

@test "a cable that is pulled: the host is lost after 10 s of silence, and nobody is left on it" {
  three_logins
  held
  pull_cable_of web1
  end_storm 60
  expect_lost_login "host \"$(login web1)\" has not been heard for 10 s" "10,000 of 10,000 connections"
  has_row open 1
}

@test "an sshd that is killed with its session: the host is named, nobody is left on it" {
  local pid
  three_logins
  held
  kill -KILL "$sshd_web2"
  for pid in $(pgrep sshd); do # its sessions too
    [[ $(readlink "/proc/$pid/ns/net") != "$(readlink "/proc/${keeper[web2]}/ns/net")" ]] || kill -KILL "$pid"
  done
  end_storm 60
  expect_lost_login "host \"$(login web2)\" exited with status 255"
  has_row open 1
}

@test "an interrupt: exit status 130, nobody left on any host" {
  three_logins
  held
  kill -INT "$storm_pid"
  end_storm 40
  expect_code 130
  expect_nobody_left
}

@test "a controller that is killed leaves nobody on any host" {
  three_logins
  held
  kill -KILL "$storm_pid"
  expect_nobody_left 25
}

@test "a host that cannot be reached: its name, and what to try" {
  three_logins
  pull_cable_of web2
  storm "${over[@]}" --quiet --conns 100
  expect_lost_login "host \"$(login web2)\" exited with status 255 before it said hello" "tcpstorm version"
}

@test "a host where nobody answers to ssh: its name, and what to try" {
  three_logins
  kill -KILL "$sshd_web2"
  wait_until 5 is_over "$sshd_web2"
  storm "${over[@]}" --quiet --conns 100
  expect_lost_login "host \"$(login web2)\" exited with status 255 before it said hello"
}

@test "a key that is not let in: each host is named" {
  three_logins
  write_config "$BATS_FILE_TMPDIR/stranger"
  storm "${over[@]}" --quiet --conns 100
  expect_code 3
  expect_in "$ERR" "host \"$(login db)\" exited with status 255 before it said hello"
  expect_in "$ERR" "host \"$(login web1)\" exited with status 255 before it said hello"
  expect_nobody_left
}
