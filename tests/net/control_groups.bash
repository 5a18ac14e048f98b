# shellcheck shell=bash disable=SC2034 # its variables are for the tests
# control_groups: those that a test makes, as systemd and container engines do.
#
# Needs storm.bash. remove_groups is for teardown, when nobody is in them any more.

groups=()

# make_group NAME...: control groups of cgroup2, one in the other; $group is the innermost.
make_group() {
  local at name
  for at in /sys/fs/cgroup /sys/fs/cgroup/unified; do
    [[ -w $at/cgroup.procs ]] || continue
    group=$at
    for name; do
      group+=/$name
      if [[ ! -d $group ]]; then
        mkdir "$group" 2>/dev/null || skip "this user may make no control group here"
        groups=("$group" "${groups[@]}")
      fi
    done
    return
  done
  skip "this user may make no control group here"
}

remove_groups() {
  local at
  for at in "${groups[@]}"; do
    wait_until 5 rmdir "$at"
  done
}
