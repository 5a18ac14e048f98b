#!/usr/bin/env bash
# in_namespace: runs a command in a network namespace of its own, loopback up, with sysctls set there:
#
#   in_namespace.bash [net.ipv4.tcp_fin_timeout=2 ...] -- COMMAND [ARGUMENT ...]
#
# The command replaces this script, so its process id is the one of the script. Exit status 77: the machine does not
# let these sysctls be set.
set -euo pipefail

if [[ ${IN_NEW_NAMESPACE-} != yes ]]; then
  IN_NEW_NAMESPACE=yes exec unshare -n "$BASH" "${BASH_SOURCE[0]}" "$@"
fi
unset IN_NEW_NAMESPACE

# Each look at sockets walks over the table that they are in, and one that all namespaces of a machine share has a quarter million of
# rows. Those that are made in this one get small ones of their own (Linux 6.1); if this is one, it has as much room as any other.
{
  echo 16384 >/proc/sys/net/ipv4/tcp_child_ehash_entries
  echo 131072 >/proc/sys/net/ipv4/tcp_max_tw_buckets
  echo 2048 >/proc/sys/net/ipv4/tcp_max_syn_backlog
} 2>/dev/null || true
ip link set lo up
while [[ $1 != -- ]]; do
  path=/proc/sys/${1%%=*}
  path=/proc/sys/$(tr . / <<<"${path#/proc/sys/}")
  { printf '%s\n' "${1#*=}" >"$path"; } 2>/dev/null || exit 77
  shift
done
shift
exec "$@"
