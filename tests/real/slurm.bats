#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash and hosts.bash; every test is a subshell
#
# srun as a launcher, on a cluster of Slurm: munged and slurmctld where the controller is, and a slurmd in the network namespace of
# each of two nodes. What they write is on a file system of the test's own, and what they read is found by SLURM_CONF.
#
# run-bats: a machine of its own

load ../net/storm
load ../net/ss_witness
load ../net/hosts
load play_guide

LONG=120
CLUSTER=/srv # of this file's own machine; the guide has its worker there

needs() {
  local tool
  PATH=$PATH:/usr/sbin:/sbin
  for tool in slurmctld slurmd srun squeue munged; do
    command -v "$tool" >/dev/null || skip "there is no $tool (apt-get install slurmctld slurmd slurm-client munge)"
  done
  ((EUID == 0)) || skip "daemons of a cluster need root"
  [[ ${OWN_MACHINE-} ]] || skip "daemons need a machine of their own: tests/run-bats makes it, where namespaces may be made"
}

# What was to be gone was asked for before: the rest is killed.
eval "around_$(declare -f teardown)"
teardown() {
  local pid
  ! mountpoint -q "$CLUSTER" || {
    tail -n 20 "$CLUSTER"/*.log # shown where the test has failed
    around_teardown
    for pid in $(living munged slurmctld slurmd slurmstepd srun salloc); do
      kill -KILL "$pid" 2>/dev/null || true
    done
    umount -l "$CLUSTER"
  }
}

# living NAME...: the processes of these names that have not ended: who adopts them here may not collect them at once.
living() {
  local name
  for name; do pgrep -x -r D,R,S,T "$name" || true; done
}

# two_nodes: node11 and node12, as the guide calls them, with the addresses that it has.
two_nodes() {
  mount -t tmpfs tmpfs "$CLUSTER"
  touch "$CLUSTER/tcpstorm" && mount --bind "$STORM" "$CLUSTER/tcpstorm"
  hostname login
  new_hosts node11 node12
  on node11 ip address add 10.1.0.11/24 dev eth0
  on node12 ip address add 10.1.0.12/24 dev eth0
  write_config
  export SLURM_CONF=$CLUSTER/slurm.conf
  dd if=/dev/urandom of="$CLUSTER/munge.key" bs=1024 count=1 status=none
  chmod 400 "$CLUSTER/munge.key"
  start munged munged --foreground --force --socket="$CLUSTER/munge.socket" --key-file="$CLUSTER/munge.key" \
    --log-file="$CLUSTER/munged.log" --pid-file="$CLUSTER/munged.pid" --seed-file="$CLUSTER/munge.seed"
  wait_until 10 test -S "$CLUSTER/munge.socket"
  start slurmctld slurmctld -D
  start node11 nsenter -t "${keeper[node11]}" -n -- slurmd -D -N node11
  start node12 nsenter -t "${keeper[node12]}" -n -- slurmd -D -N node12
  wait_until 30 are_idle || { sinfo -N -o '%N %T %E'; return 1; }
  over=(--allow-remote --worker-path "$CLUSTER/tcpstorm" --server-via "$(srun_on node11)" --address "$(address_of node11)"
    --client-via "$(srun_on node12)")
  host_behind[$(srun_on node11)]=node11 host_behind[$(srun_on node12)]=node12
}

# Any number of processors may be promised, so that it is the same cluster on every machine.
write_config() {
  cat >"$CLUSTER/slurm.conf" <<END
ClusterName=tests
SlurmctldHost=login(10.77.0.254)
AuthInfo=socket=$CLUSTER/munge.socket
SlurmUser=root
SlurmdUser=root
StateSaveLocation=$CLUSTER/state
SlurmdSpoolDir=$CLUSTER/%n
SlurmctldPidFile=$CLUSTER/slurmctld.pid
SlurmdPidFile=$CLUSTER/%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=2
NodeName=node11 NodeAddr=10.77.0.1 CPUs=4
NodeName=node12 NodeAddr=10.77.0.2 CPUs=4
PartitionName=all Nodes=node11,node12 Default=YES MaxTime=INFINITE State=UP
END
  mkdir "$CLUSTER/state"
}

# start NAME COMMAND...: a daemon that stays in the foreground.
start() {
  "${@:2}" >"$CLUSTER/$1.log" 2>&1 3>&- &
  others+=("$!")
  declare -g "daemon_$1=$!"
}

are_idle() {
  [[ $(sinfo -h -N -o %T 2>/dev/null) == $'idle\nidle' ]]
}

srun_on() {
  say "srun -n1 -w $1"
}

# How the CSV and the messages name it.
word_of() {
  srun_on "$1"
}

# expect_nothing_left [SECONDS]: of the storm, and no job of its.
expect_nothing_left() {
  expect_nobody_left "${1-15}"
  wait_until 15 no_job || { squeue; living slurmstepd srun; return 1; }
}

no_job() {
  [[ -z $(squeue -h) && -z $(living slurmstepd srun) ]]
}

held() {
  start_storm "${over[@]}" --quiet --conns 1000 --order never-close --hold forever
  wait_for_row open 1
  [[ $(on node11 ss -Htan state established '( dport != :6818 )' | grep -c '10.77.0.1:150') == 1000 ]]
  [[ $(on node12 ss -Htan state established | grep -c '10.77.0.1:150') == 1000 ]]
}

@test "over srun each node's ss counts the same, and no job is left" {
  two_nodes
  witnessed_hosts server-first,leak 2 "${over[@]}" --conns 300
  expect_rows server:node11 client:node12
  expect_sum leak client-close server close_wait=300
  expect_nothing_left
}

# In one allocation too, where steps share what was allocated.
@test "the guide's lines with srun do what it shows" {
  two_nodes
  play_guide tcpstorm-hosts
  expect_nothing_left
}

@test "every order that needs nothing, over srun: as expected" {
  two_nodes
  storm "${over[@]}" --conns 2000 --hold 50ms \
    --order server-first,client-first,half-close,never-close,leak,simultaneous,abort,unread,server-crash,client-crash,backlog
  expect_code 0
  expect_in "$OUT" "11 as expected: as expected"
  expect_rows server:node11 client:node12
  expect_nothing_left
}

@test "an interrupt: exit status 130, nobody left on any node, and no job" {
  two_nodes
  held
  kill -INT "$storm_pid"
  end_storm 40
  expect_code 130
  expect_nothing_left
}

@test "a controller that is killed leaves nobody on any node, and no job" {
  two_nodes
  held
  kill -KILL "$storm_pid"
  expect_nothing_left 25
}

@test "a job that is cancelled: its host is named, and nobody is left" {
  two_nodes
  held
  scancel -w node12
  end_storm 60
  expect_lost_job "host \"$(srun_on node12)\""
  has_row open 1
}

# What Slurm says for itself is not counted.
expect_lost_job() {
  expect_code 3
  sed -i '/^srun: \|^slurmstepd/d' "$ERR"
  expect_one_sentence
  expect_in "$ERR" "$1"
  expect_nothing_left 25
}

# It has a child, which watches over it, and ends its job for it.
@test "an srun that is killed: its host is named, and nobody is left on its node" {
  two_nodes
  held
  kill -KILL "$(pgrep -o -x -f 'srun -n1 -w node12 .*')"
  end_storm 60
  expect_lost_job "host \"$(srun_on node12)\""
}

@test "a cable that is pulled: the node is lost after 10 s of silence, and nobody is left on it" {
  two_nodes
  held
  pull_cable_of node12
  end_storm 60
  expect_code 3
  expect_in "$ERR" "host \"$(srun_on node12)\" has not been heard for 10 s"
  expect_nobody_left 25
}

@test "a node that Slurm does not have: its launcher is named, and no connection is opened" {
  two_nodes
  storm --quiet --conns 100 --allow-remote --worker-path "$CLUSTER/tcpstorm" --server-via "$(srun_on node11)" \
    --address "$(address_of node11)" --client-via "$(srun_on node13)"
  expect_lost_job "host \"$(srun_on node13)\" exited with status 1 before it said hello"
  [[ $(connects_on node12) -lt 100 ]]
}
