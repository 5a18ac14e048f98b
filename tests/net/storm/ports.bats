#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash; every test is a subshell
#
# Ports: what earlier runs and other servers left there, and ranges that are narrow.

load ../storm

@test "a second run on dirty ports takes other lanes and counts only its own sockets" {
  in_fresh_namespace
  # shellcheck disable=SC2016
  "${launcher[@]}" bash -c 'for n in 1 2 3; do "$1" --conns 500 --hold 50ms --csv "$2.$n" >"$2.out.$n" || exit; done' _ "$STORM" "$CSV" 3>&-
  local n firsts=
  for n in 1 2 3; do
    read_lanes "$CSV.out.$n"
    firsts+=" $lane_first"
    check_csv "$CSV.$n"
    [[ $(last_settled "$CSV.$n" client-close server time_wait) == 500 ]]
  done
  say "first lanes:$firsts"
  [[ $firsts == " 15000 15001 15002" ]]
}

# A storm that listens at port 23000 and stays.
start_obstacle() {
  "$STORM" --conns 1 --order never-close --hold forever --port 23000 --csv "$BATS_TEST_TMPDIR/obstacle.csv" "$@" \
    >/dev/null 2>&1 3>&- &
  obstacle=$!
  others+=("$obstacle")
  wait_until 10 grep -q ',open,1,' "$BATS_TEST_TMPDIR/obstacle.csv"
}

@test "a listener in the way: exit status 3, and the port is named" {
  start_obstacle
  storm --conns 10 --port 23000 --quiet
  expect_code 3
  expect_one_sentence
  expect_in "$ERR" "port 23000 is in use"
  expect_in "$ERR" "--port"
}

@test "a listener inside the range of lanes is in the way too" {
  in_fresh_namespace net.ipv4.ip_local_port_range="40000 40599"
  # shellcheck disable=SC2016
  storm_in_way='"$1" --conns 1 --order never-close --hold forever --port 15002 --csv "$2" >/dev/null 2>&1 & first=$!
    for ((i = 0; i < 500; i++)); do grep -q ",open,1," "$2" 2>/dev/null && break; sleep 0.02; done
    "$1" --conns 1000 --quiet; code=$?; kill -KILL "$first"; exit "$code"'
  code=0
  "${launcher[@]}" bash -c "$storm_in_way" _ "$STORM" "$BATS_TEST_TMPDIR/obstacle.csv" >"$OUT" 2>"$ERR" 3>&- || code=$?
  expect_code 3
  expect_in "$ERR" "port 15002 is in use"
}

@test "a listener on the same port of another loopback address is not in the way" {
  start_obstacle --address 127.0.0.1
  storm --conns 10 --port 23000 --address 127.0.0.9 --hold 50ms
  expect_code 0
  expect_in "$OUT" "lanes 127.0.0.9:23000"
}

# wildcard_listener FAMILY ADDRESS PORT: perl's own modules, which every Debian has.
start_wildcard_listener() {
  command -v perl >/dev/null || skip "no perl to make a wildcard listener with"
  # shellcheck disable=SC2016
  perl -e 'use strict; use Socket qw(:all);
    my ($six, $port) = @ARGV;
    socket(my $s, $six ? AF_INET6 : AF_INET, SOCK_STREAM, 0) or die "socket: $!";
    bind($s, $six ? pack_sockaddr_in6($port, IN6ADDR_ANY) : pack_sockaddr_in($port, INADDR_ANY)) or die "bind: $!";
    listen($s, 5) or die "listen: $!";
    sleep 60' "$1" "$2" 3>&- &
  others+=($!)
  wait_until 5 listens "$2"
}

listens() {
  [[ -n $(ss -Htln "sport = :$1") ]]
}

@test "a wildcard listener is in the way of every address" {
  start_wildcard_listener 0 23100
  storm --conns 10 --port 23100 --quiet
  expect_code 3
  expect_in "$ERR" "port 23100 is in use"
  storm --conns 10 --port 23100 --address 127.0.0.9 --quiet
  expect_code 3
}

@test "an IPv6 wildcard listener takes IPv4 as well" {
  [[ -e /proc/net/if_inet6 ]] || skip "this kernel has no IPv6"
  start_wildcard_listener 1 23200
  storm --conns 10 --port 23200 --quiet
  expect_code 3
  expect_in "$ERR" "port 23200 is in use"
}

# has_client_ends COUNT: the last row of the client's side counts so many ESTABLISHED.
has_client_ends() {
  [[ $(tail -n 1 "$CSV" | cut -d, -f6,11) == "client,$1" ]]
}

@test "a stranger on the ports of a run is named as one" {
  command -v perl >/dev/null || skip "no perl to make a stranger with"
  in_fresh_namespace
  start_storm --conns 10 --order never-close --hold forever --json "$JSON" --quiet --port 15000
  wait_for_row open 1
  # shellcheck disable=SC2016
  nsenter -t "$storm_pid" -n -- perl -MSocket -e 'socket(my $s, PF_INET, SOCK_STREAM, 0) or die; connect($s, sockaddr_in(15000, inet_aton("127.0.0.1"))) or die;
    sleep 60' 3>&- &
  local stranger=$!
  others+=("$stranger")
  wait_until 20 has_client_ends 11
  kill -INT "$storm_pid"
  end_storm "$PATIENCE"
  jq -r 'select(.event == "end") | .verdict' "$JSON" >"$OUT"
  expect_in "$OUT" "1 ESTABLISHED on the client: held by perl pid $stranger, not a worker of this run"
  expect_in "$OUT" "Another program uses the ports of this run: perl pid $stranger has connections there; the counts above include them."
  jq -e 'select(.event == "end") | .lingering | map(select(.stranger)) == [.[] | select(.command == "perl")] and length == 3' "$JSON"
}

@test "a narrow ephemeral range: more lanes, exit status 0" {
  in_fresh_namespace net.ipv4.ip_local_port_range="40000 40599"
  storm --conns 1000 --hold 100ms
  expect_code 0
  check_csv "$CSV"
  read_lanes "$OUT"
  ((lane_last - lane_first + 1 >= 4))
  expect_settled client-close server time_wait=1000 listen=$((lane_last - lane_first + 1)) errors=0
}

@test "no ports left below the ephemeral range: exit status 3, and the range is named" {
  in_fresh_namespace net.ipv4.ip_local_port_range="40000 40599"
  storm --conns 1000 --port 39998 --quiet
  expect_code 3
  expect_one_sentence
  expect_in "$ERR" "ip_local_port_range"
}
