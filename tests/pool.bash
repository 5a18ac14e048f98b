# pool: jobs of tests, some at a time. Each is a session of its own, has a time by which it has ended, and is printed whole.
#
# Needs results.bash.
# shellcheck shell=bash

# begin_pool JOBS SECONDS: so many at a time, each for so long at most.
begin_pool() {
  pool_jobs=$1 pool_seconds=$2 pool_code=0
  pool_dir=$(mktemp -d "${TMPDIR:-/tmp}/tcpstorm-tests.XXXXXX")
  declare -gA pool_name=()
  trap end_pool EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
}

# Nothing of it is left, however this ends.
end_pool() {
  local pid
  for pid in "${!pool_name[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
  wait
  rm -rf "$pool_dir"
  drop_results
}

# guard NUMBER COMMAND...: runs it, and kills all of its session when its time is over or ours is.
guard() {
  local number=$1 pid sleeper code=0
  shift
  trap - EXIT
  setsid "$@" >"$pool_dir/$number.out" 2>&1 </dev/null &
  pid=$!
  sleep "$pool_seconds" &
  sleeper=$!
  trap 'kill -KILL -- "$sleeper" "-$pid" 2>/dev/null; exit 143' TERM
  wait -n "$pid" "$sleeper" || true
  kill -KILL -- "$sleeper" "-$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || code=$?
  printf '%s\n' "$code" >"$pool_dir/$number.code"
}

# add_job NAME COMMAND...: as soon as there is room for it. collect is called when one has ended, see wait_for_job.
add_job() {
  ((${#pool_name[@]} < pool_jobs)) || wait_for_job
  pool_number=$((${pool_number-0} + 1))
  guard "$pool_number" "${@:2}" &
  pool_name[$!]="$pool_number $1"
}

# Waits for one, prints it, and calls collect NAME STATUS OUTPUT, whose failure is that of the pool.
wait_for_job() {
  local pid number name
  wait -n -p pid "${!pool_name[@]}" || true
  number=${pool_name[$pid]%% *} name=${pool_name[$pid]#* }
  unset "pool_name[$pid]"
  printf '\n# %s\n' "$name"
  cat "$pool_dir/$number.out"
  collect "$name" "$(<"$pool_dir/$number.code")" "$pool_dir/$number.out" || pool_code=1
  rm -f "$pool_dir/$number".*
}

# wait_for_all_jobs: fails where one has failed.
wait_for_all_jobs() {
  while ((${#pool_name[@]})); do wait_for_job; done
  return "$pool_code"
}
