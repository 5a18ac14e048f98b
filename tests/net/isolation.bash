# shellcheck shell=bash disable=SC2034,SC2154 # its variables are for the tests; storm_pid and its like come from storm.bash
# isolation: storms in a network namespace that they make for themselves, looked at through the line that they print.
#
# Needs storm.bash.

# as_root: the storms of this test may do what the root of a network namespace may. as_nobody: they have no privilege at
# all; the user "nobody" of a user namespace is who runs them.
as_root() {
  launcher=()
}

as_nobody() {
  launcher=(unshare --user --map-user=65534 --map-group=65534 --)
  "${launcher[@]}" true 2>/dev/null || skip "this unshare cannot make an ordinary user"
  # shellcheck disable=SC2016 # for the inner shell
  [[ $("${launcher[@]}" "$BASH" -c 'echo $UID; grep CapEff /proc/self/status') == 65534*0000000000000000 ]]
}

# The namespaces that processes are in, this one too.
namespaces() {
  readlink /proc/[0-9]*/ns/net 2>/dev/null | sort -u
}

own_namespace() {
  readlink "/proc/$storm_pid/ns/net"
}

is_isolated() {
  local own
  own=$(own_namespace) && [[ $own == net:* && $own != "$(readlink /proc/self/ns/net)" ]]
}

# expect_namespace_gone NAMESPACE: nobody is in it, and nothing of it is here.
expect_namespace_gone() {
  [[ $1 == net:* ]]
  if ! wait_until 5 lacks_namespace "$1"; then
    say "$1 is still there:"
    namespaces
    return 1
  fi
  if command -v lsns >/dev/null; then
    run lsns --type net --noheadings --output NS
    [[ $output != *"${1//[^0-9]/}"* ]]
  fi
}

lacks_namespace() {
  ! namespaces | grep -qxF "$1"
}

# expect_nothing_here FIRST LAST: no socket on these ports in the namespace of the tests.
expect_nothing_here() {
  run ss -Htan "( sport >= :$1 and sport <= :$2 ) or ( dport >= :$1 and dport <= :$2 )"
  [[ $status == 0 && -z $output ]] || { say "here are sockets on ports $1 to $2:" "${output::400}"; return 1; }
}

# ---- the lines that let another terminal look ----

# What the output says is to be put before a command, to run it in the namespace of the storm; nothing when it has none.
way_inside() {
  sed -n 's/^A network namespace of its own: to run a command in it from another terminal, "\(.*\) COMMAND"$/\1/p' "$OUT"
}

# read_line_of STATE: of the table; sets side, reached, and line: what to do to look.
read_line_of() {
  local row way
  row=$(grep "^  $1 .*/" "$OUT" | tail -n 1)
  [[ $row =~ ^\ \ [A-Z_0-9]+\ +(server|client)\ +([0-9,]+/[0-9,]+)\ \ (.*)$ ]] || { say "no line of $1"; show_output; return 1; }
  side=${BASH_REMATCH[1]} reached=${BASH_REMATCH[2]//,/}
  way=$(way_inside) && line=${way:+$way }${BASH_REMATCH[3]}
}

has_line_of() {
  grep -q "^  $1 .*/" "$OUT"
}

wait_for_line_of() {
  if ! wait_until "${2-30}" has_line_of "$1"; then
    say "no line of $1 came"
    show_output
    return 1
  fi
}

# The states of ss under our names.
ss_name_of() {
  case $1 in
    ESTABLISHED) say ESTAB ;;
    FIN_WAIT1) say FIN-WAIT-1 ;;
    FIN_WAIT2) say FIN-WAIT-2 ;;
    *) say "${1//_/-}" ;;
  esac
}

# count_by_line STATE: how many sockets of $side the printed $line shows in that state. The ports are those that it names.
count_by_line() {
  local ports
  mapfile -t ports < <(grep -oE ':[0-9]+' <<<"${line#*ss -tan}" | sort -u)
  eval "$line" 2>"$BATS_TEST_TMPDIR/line_err" 3>&- | awk -v state="$(ss_name_of "$1")" -v side="$side" \
    -v first="${ports[0]#:}" -v last="${ports[-1]#:}" '
    function port_of(end) { sub(/.*:/, "", end); return end + 0 }
    $1 == state { port = port_of(side == "server" ? $4 : $5); count += port >= first + 0 && port <= last + 0 }
    END { print count + 0 }'
}

# The pids of the storm's workers of that side.
workers_of() {
  local pid words children
  read -r -a children <"/proc/$storm_pid/task/$storm_pid/children"
  for pid in "${children[@]}"; do
    { mapfile -d '' -t words <"/proc/$pid/cmdline"; } 2>/dev/null || continue
    [[ "${words[*]:1}" != "worker $1"* ]] || say "$pid"
  done
}

# Runs a command in the namespace of the storm, whoever runs that.
within() {
  nsenter -t "$storm_pid" -n -- "$@"
}

# How many sockets of the workers of $side no table has: a closed one is only to be seen where its descriptor is.
count_closed() {
  local pid
  comm -23 <(for pid in $(workers_of "$side"); do
    ls -l "/proc/$pid/fd"
  done | sed -n 's/.*socket:\[\([0-9]*\)\]$/\1/p' | sort -u) \
    <({
      within ss -Htane | sed -n 's/.* ino:\([0-9]*\).*/\1/p'
      within cat /proc/net/unix | awk 'FNR > 1 { print $7 }'
      within cat /proc/net/netlink | awk 'FNR > 1 { print $10 }'
    } | sort -u) | wc -l
}

count_now() {
  if [[ $1 == CLOSE ]]; then
    count_closed
  else
    count_by_line "$1"
  fi
}

# expect_state STATE N: the table says so, and so does who looks for himself.
expect_state() {
  local there
  read_line_of "$1"
  there=$(count_now "$1")
  if [[ $reached != "$2/$2" || $there != "$2" ]]; then
    say "$1: $2 were expected; the table says $reached, \"$line\" shows $there"
    cat "$BATS_TEST_TMPDIR/line_err"
    show_output
    return 1
  fi
}

# The controller rests while we look: its hold cannot end meanwhile.
while_it_rests() {
  local verdict=0
  kill -STOP "$storm_pid"
  wait_until 5 is_at_rest_now
  "$@" || verdict=1
  kill -CONT "$storm_pid"
  return "$verdict"
}

is_at_rest_now() {
  local state
  { read -r state <"/proc/$storm_pid/stat"; } 2>/dev/null || return 0
  [[ $state == *") T "* ]]
}
