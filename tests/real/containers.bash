# shellcheck shell=bash disable=SC2034,SC2154 # its variables are for the tests; others come from storm.bash and hosts.bash
# containers: made by hand, as an engine does: pid, network, mount and uts namespaces, in a control group with the name that Docker
# would give it, over a root of its own: this machine's programs, and what is written stays in it. Or made by Podman, over the
# same root. Their network is that of hosts.bash.
#
# Needs storm.bash, hosts.bash and control_groups.bash, and a machine of the file's own.

YARD=/srv # of this file's own machine: their files are here
GROUP=tcpstorm-test.$RANDOM$RANDOM # a pid of a PID namespace may be that of another one too

needs_containers() {
  PATH=$PATH:/usr/sbin:/sbin
  ((EUID == 0)) || skip "containers with a root of their own need root"
  [[ ${OWN_MACHINE-} ]] || skip "containers need a machine of their own: tests/run-bats makes it, where namespaces may be made"
  mount -t tmpfs tmpfs "$YARD"
}

remove_containers() {
  local at
  ! mountpoint -q "$YARD" || {
    [[ -z ${engine-} ]] || podman rm -a -f -t 0 >/dev/null
    for at in "$YARD"/*/root "$YARD"; do umount -l "$at" 2>/dev/null; done
    [[ -z ${engine-} ]] || umount -l /run /var/lib /var/cache
    # An engine makes them in every hierarchy.
    mapfile -t groups < <(find /sys/fs/cgroup -depth -type d -path "*/$GROUP*" 2>/dev/null)
    remove_groups
  }
}

# What becomes the first process of a container. Its root is "$2".
# shellcheck disable=SC2016 # it is for another shell
BECOME_CONTAINER='set -e
  hostname "$1"; cd "$2"; shift 2
  mount -t proc proc proc; mount --rbind /dev dev; mount -t tmpfs tmpfs tmp; mount -t tmpfs tmpfs root
  pivot_root . .; umount -l .
  ip link set lo up
  exec env -i PATH=/usr/local/bin:/usr/bin:/usr/sbin "$@"'

declare -gA id_of=()

# lay_root NAME: its root, $YARD/NAME/root, with what $YARD/NAME/up has besides; the program is in it, in /usr/local/bin.
lay_root() {
  local at=$YARD/$1
  mkdir -p "$at/up/usr/local/bin" "$at/work" "$at/root"
  mount -t overlay overlay -o "lowerdir=/,upperdir=$at/up,workdir=$at/work" "$at/root" ||
    skip "this kernel lays no file system over that of /"
  touch "$at/root/usr/local/bin/tcpstorm"
  mount --bind "$STORM" "$at/root/usr/local/bin/tcpstorm"
}

# connect NAME PID: that is its first process.
connect() {
  keeper[$1]=$2
  number[$1]=$((${#number[@]} + 1))
  plug_in "$1"
}

# new_container NAME [COMMAND...]: made by hand.
new_container() {
  local name=$1
  shift
  (($# > 0)) || set -- sleep infinity
  lay_root "$name"
  id_of[$name]=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
  make_group "$GROUP" "docker-${id_of[$name]}.scope"
  (
    echo "$BASHPID" >"$group/cgroup.procs"
    exec unshare -p -f --kill-child -n -m -u bash -c "$BECOME_CONTAINER" - "$name" "$YARD/$name/root" "$@"
  ) >"$BATS_TEST_TMPDIR/$name.said" 2>&1 3>&- &
  others+=("$!")
  wait_until 10 runs "$!" "$1" || { cat "$BATS_TEST_TMPDIR/$name.said"; return 1; }
  connect "$name" "$(pgrep -P "$!")"
}

# The child of that unshare is there, and is that command.
runs() {
  local pid
  pid=$(pgrep -P "$1") && [[ $(tr '\0' ' ' <"/proc/$pid/cmdline") == "$2 "* ]]
}

# What explain, watch and trace are to call it.
name_of() {
  say "${engine-docker} container ${id_of[$1]:0:12}"
}

# Its launcher.
via() {
  if [[ ${engine-} ]]; then
    say "podman exec -i $1"
  else
    say "nsenter -a -t ${keeper[$1]}"
  fi
}

# ---- of Podman ----

# use_podman: containers are its, from now on. It runs runc, which takes both versions of control groups at a time; all that it
# keeps is in the yard, and its containers have no network but ours.
use_podman() {
  local tool at
  for tool in podman conmon runc; do
    command -v "$tool" >/dev/null || skip "there is no $tool (apt-get install podman runc)"
  done
  engine=podman
  mount -t tmpfs tmpfs /run
  for at in lib cache; do # where it writes whatever its settings are
    mkdir -p "$YARD/var/$at" "$YARD/var/work.$at"
    mount -t overlay overlay -o "lowerdir=/var/$at,upperdir=$YARD/var/$at,workdir=$YARD/var/work.$at" "/var/$at"
  done
  export CONTAINERS_CONF=$YARD/containers.conf CONTAINERS_STORAGE_CONF=$YARD/storage.conf
  printf '%s\n' '[containers]' 'cgroups = "no-conmon"' '[engine]' 'runtime = "runc"' 'cgroup_manager = "cgroupfs"' \
    'events_logger = "none"' "static_dir = \"$YARD/static\"" "tmp_dir = \"$YARD/tmp\"" >"$CONTAINERS_CONF"
  printf '%s\n' '[storage]' 'driver = "vfs"' "graphroot = \"$YARD/storage\"" 'runroot = "/run/containers"' >"$CONTAINERS_STORAGE_CONF"
}

# podman_container NAME [COMMAND...]
podman_container() {
  local name=$1
  shift
  (($# > 0)) || set -- sleep infinity
  lay_root "$name"
  id_of[$name]=$(podman run -d --name "$name" --hostname "$name" --network none --cgroup-parent "/$GROUP" \
    --rootfs "$YARD/$name/root" "$@" 2>"$BATS_TEST_TMPDIR/$name.said" 3>&-) ||
    skip "podman makes no container on this machine: $(tail -n 1 "$BATS_TEST_TMPDIR/$name.said")"
  connect "$name" "$(podman inspect -f '{{.State.Pid}}' "$name")"
  host_behind["podman exec -i $name"]=$name
}
