#!/usr/bin/env bats
# shellcheck disable=SC2154 # bats sets status, output, stderr and their lines
#
# Bad input about a namespace of one's own, and namespaces that are refused.

load helper

@test "--sysctl needs --isolate" {
  refused '--sysctl "net.ipv4.tcp_fin_timeout=5"' 'needs --isolate' -- --sysctl net.ipv4.tcp_fin_timeout=5
  refused '--sysctl "net.ipv4.tcp_fin_timeout=5"' 'needs --isolate' -- state listen --sysctl net.ipv4.tcp_fin_timeout=5
  refused '--sysctl "net.ipv4.tcp_fin_timeout=5"' 'needs --isolate' -- server --sysctl net.ipv4.tcp_fin_timeout=5
  refused '--sysctl "net.ipv4.tcp_fin_timeout=5"' 'needs --isolate' -- walk --sysctl net.ipv4.tcp_fin_timeout=5
}

@test "--sysctl takes only KEY=VALUE, and only of the network" {
  local value
  for value in kernel.pid_max=5 net.ipv4.tcp_fin_timeout net.ipv4.tcp_fin_timeout= =5 net=5 '' fs.file-max=1 \
    net.ipv4/../../kernel.pid_max=5 /proc/sys/net/core/somaxconn=5 'net.ipv4.tcp fin=5'; do
    refused "--sysctl \"$value\"" 'must be net.KEY=VALUE' 'net.ipv4.tcp_fin_timeout=5' -- --isolate --sysctl "$value"
  done
  refused '--sysctl' 'needs a value' -- --isolate --sysctl
}

@test "--sysctl takes no setting that a namespace does not have" {
  local name
  need_namespaces
  for name in net.ipv4.nonsense net.ipv4 net.core.netdev_max_backlog net.ipv4.tcp_max_orphans net.core.rmem_max; do
    refused "--sysctl \"$name=5\"" "$name is not a setting of network namespaces" -- --isolate --sysctl "$name=5"
  done
}

@test "--sysctl takes no value that the kernel refuses" {
  local value
  need_namespaces
  for value in tcp_fin_timeout=abc tcp_fin_timeout=99999999999999999999 'tcp_fin_timeout=5 6' \
    'ip_local_port_range=40000 30000'; do
    refused "--sysctl \"net.ipv4.$value\"" 'the kernel rejects the value' 'Invalid argument' -- \
      --isolate --sysctl "net.ipv4.$value"
  done
  refused 'the kernel rejects the value' -- state all --isolate --sysctl net.ipv4.tcp_fin_timeout=abc
  refused 'the kernel rejects the value' -- server --isolate --sysctl net.ipv4.tcp_fin_timeout=abc
}

@test "the first of several bad settings is told, and more than 32 are refused" {
  local i many=()
  need_namespaces
  refused 'net.ipv4.first' -- --isolate --sysctl net.core.somaxconn=100 --sysctl net.ipv4.first=1 --sysctl net.ipv4.second=1
  for ((i = 0; i < 33; i++)); do
    many+=(--sysctl net.core.somaxconn=100)
  done
  refused '--sysctl' 'at most 32' -- --isolate "${many[@]}"
}

@test "--isolate is a switch, and a client has none" {
  refused '--isolate "yes"' 'must be given without a value' -- --isolate=yes
  refused 'unknown option --isolate' -- client --isolate
}

@test "orders for all connections at once do not go with --rate" {
  local name
  for name in server-crash client-crash backlog listener-close vanish late-close port-comes-round time-wait-overflow forgotten linger-timeout; do
    refused "--order $name" '--rate' 'all connections at once' -- --rate 100 --order "$name"
    refused "--order $name" '--rate' -- --rate 100 --order "leak,$name" --isolate
  done
}

@test "orders for many connections cannot be walked" {
  local name
  for name in server-crash client-crash backlog listener-close vanish late-close port-comes-round time-wait-overflow forgotten linger-timeout; do
    refused "--order \"$name\"" 'cannot be walked' -- walk --order "$name"
    refused "--order \"$name\"" 'cannot be walked' -- walk --isolate --order "$name"
  done
}

@test "--leak needs a second close() of the new orders too" {
  refused '--order backlog' 'second close()' -- --leak 5% --order backlog
  refused '--order vanish' 'second close()' -- --leak 5% --order vanish
  refused '--order forgotten' 'second close()' -- --leak 5% --order forgotten
}

# in_a_stingy_namespace SETTING ARGUMENT...: where that setting of /proc/sys/user is 0. The program then has no privilege
# there; but for max_net_namespaces, which holds for root as well.
in_a_stingy_namespace() {
  local drop=(setpriv --bounding-set=-all --inh-caps=-all)
  need_namespaces
  [[ $1 != max_net_namespaces ]] || drop=()
  # shellcheck disable=SC2016 # for the inner shell
  unshare -Urn sh -c 'echo 0 >"/proc/sys/user/$1"' sh "$1" 2>/dev/null || skip "user.$1 cannot be set here"
  # shellcheck disable=SC2016
  run --separate-stderr unshare -Urn sh -c 'echo 0 >"/proc/sys/user/$1" && shift && exec "$@"' sh "$1" "${drop[@]}" \
    "$TCPSTORM" "${@:2}"
}

@test "a namespace that is refused: exit code 3, the line that would allow it, and how to go on" {
  local arguments
  while read -r -a arguments; do
    in_a_stingy_namespace max_net_namespaces "${arguments[@]}"
    assert_status 3
    assert_stdout_empty
    assert_one_message
    assert_stderr_has --isolate '"sysctl -w user.max_net_namespaces=10000"' 'run as root' 'without --isolate'
  done <<'END'
--isolate
--isolate --dry-run
state all --isolate
state close-wait=3,listen=4 --isolate
server --isolate
server --cause ignore-eof --isolate
walk --isolate
END
  assert_no_file_was_made
}

@test "a user namespace that is refused: exit code 3, and the line that would allow it" {
  command -v setpriv >/dev/null || skip 'setpriv is missing'
  in_a_stingy_namespace max_user_namespaces --isolate
  assert_status 3
  assert_stdout_empty
  assert_one_message
  assert_stderr_has '"sysctl -w user.max_user_namespaces=10000"'
}

@test "without --isolate a refused namespace is no matter" {
  in_a_stingy_namespace max_net_namespaces --help
  assert_status 0
}
