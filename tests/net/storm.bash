# shellcheck shell=bash disable=SC2030,SC2031,SC2034 # its variables are for the tests
# storm: what the tests of this folder share. Each test has a copy of the program of its own, so that "no process is
# left" can be asked of exactly the processes it started; its output goes to $OUT, $ERR, $CSV and $JSON.
#
# Nothing sleeps for a guess: wait_until waits for a condition, and gives up aloud.

bats_require_minimum_version 1.5.0

PATIENCE=5 # seconds within which a storm that was stopped, or lost a process, must be gone
LONG=60    # seconds for a run that is to end by itself
CSV_HEADER=order,conns,t_s,step,settled,side,opened,listen,syn_sent,syn_recv,established,fin_wait1,fin_wait2,close_wait,closing,last_ack,time_wait,close,gone,fds,errors,look_s,ghosts,unread,unowned,queued,dropped,late,connect_s,nofile,host,owed,stuck,unclosed,began_s,failed_s,dropped_s,half_closed,elsewhere,lost

# shellcheck source=tests/sanitizer_reports.bash
source "${BASH_SOURCE[0]%/*}/../sanitizer_reports.bash"

# needs: what all tests of a file need, for a file to define; without it they are skipped. A skip in setup_file() is a failure
# with bats 1.8.
needs() { :; }

setup() {
  set +T # see tests/README.md: bats would note the whole stack at each command of our functions
  STORM=$BATS_TEST_TMPDIR/tcpstorm
  OUT=$BATS_TEST_TMPDIR/out ERR=$BATS_TEST_TMPDIR/err
  CSV=$BATS_TEST_TMPDIR/rows.csv JSON=$BATS_TEST_TMPDIR/events.json
  FAIL_CALL_SO=$(dirname "$TCPSTORM")/fail_call.so
  launcher=()
  others=()
  cp "$TCPSTORM" "$STORM"
  # A worker's last word goes unheard when it leaves; what a sanitizer has to say of it is found in teardown.
  keep_sanitizer_reports
  : >"$OUT"
  : >"$ERR"
  needs
}

teardown() {
  local pid
  for pid in "${others[@]}" $(storm_pids); do
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  no_sanitizer_reports
}

say() {
  printf '%s\n' "$*"
}

# ---- waiting ----

# wait_until SECONDS COMMAND...: until the command succeeds; fails when it never does. The seconds are those of a machine with
# nothing else to do: on any other one what takes less than a minute has four times as long, or a minute.
wait_until() {
  local seconds=$(($1 * 4 < 60 ? $1 * 4 : $1 < 60 ? 60 : $1)) deadline pause=20
  deadline=$((SECONDS + seconds + 1))
  shift
  until "$@"; do
    ((SECONDS < deadline)) || return 1
    rest "$pause"
    ((pause >= 100)) || ((pause += 10))
  done
}

# rest MILLISECONDS, without a process: many tests wait at a time.
rest() {
  local silent=$BATS_TEST_TMPDIR/silent seconds
  [[ -p $silent ]] || mkfifo "$silent"
  printf -v seconds '0.%03d' "$1"
  read -r -t "$seconds" <>"$silent" || true
}

is_over() {
  local state
  { read -r state <"/proc/$1/stat"; } 2>/dev/null || return 0
  [[ $state == *") Z "* ]]
}

# ---- the program ----

# Every live process that runs this test's copy of the program.
storm_pids() {
  local exe pid
  for exe in /proc/[0-9]*/exe; do
    [[ $exe -ef $STORM ]] || continue
    pid=${exe#/proc/}
    say "${pid%/exe}"
  done
}

no_process() {
  [[ -z $(storm_pids) ]]
}

# role_pid ROLE: "worker server", "worker client" or "witness"; the first one found, or nothing.
role_pid() {
  local pid words
  for pid in $(storm_pids); do
    { mapfile -d '' -t words <"/proc/$pid/cmdline"; } 2>/dev/null || continue
    if [[ "${words[*]:1}" == "$1"* ]]; then
      say "$pid"
      return
    fi
  done
}

has_role() {
  [[ -n $(role_pid "$1") ]]
}

# in_fresh_namespace [SYSCTL=VALUE ...]: the storms of this test run in a namespace of their own.
in_fresh_namespace() {
  launcher=("${BASH_SOURCE[0]%/*}/in_namespace.bash" "$@" --)
  local status=0
  "${launcher[@]}" true || status=$?
  ((status != 77)) || skip "this machine does not let a namespace set $*"
  ((status == 0))
}

# in_slow_namespace: opening takes seconds there, however fast the machine: two connections at a time.
in_slow_namespace() {
  in_fresh_namespace net.core.somaxconn=1
}

# inside COMMAND...: in the namespace of the running storm.
inside() {
  nsenter -t "$storm_pid" -n -- "$@"
}

# start_storm OPTION...: in the background.
start_storm() {
  # Nobody may take what an earlier storm has left for what this one says.
  rm -f "$CSV"
  : >"$OUT"
  "${launcher[@]}" "$STORM" --csv "$CSV" "$@" >"$OUT" 2>"$ERR" 3>&- &
  storm_pid=$!
}

# end_storm SECONDS: waits for it; the exit status is in $code.
end_storm() {
  if ! wait_until "$1" is_over "$storm_pid"; then
    say "the storm still runs after $1 s: $(storm_pids | tr '\n' ' ')"
    show_output
    return 1
  fi
  code=0
  wait "$storm_pid" || code=$?
}

# storm OPTION...: to its end.
storm() {
  start_storm "$@"
  end_storm "$LONG"
}

show_output() {
  local file
  for file in "$OUT" "$ERR"; do
    say "---- ${file##*/}"
    tail -n 40 "$file"
  done
  if [[ -s $CSV ]]; then
    say "---- the last rows of the CSV"
    tail -n 4 "$CSV"
  fi
}

# ---- assertions ----

expect_code() {
  if [[ $code != "$1" ]]; then
    say "exit status $code where $1 was expected"
    show_output
    return 1
  fi
}

# expect_in FILE TEXT: the text is there, white space folded (the summary breaks its lines).
expect_in() {
  if ! holds_text "$1" "$2"; then
    say "no \"$2\" in ${1##*/}:"
    show_output
    return 1
  fi
}

expect_not_in() {
  if holds_text "$1" "$2"; then
    say "\"$2\" in ${1##*/}:"
    show_output
    return 1
  fi
}

holds_text() {
  tr -s ' \n' ' ' <"$1" | grep -qF -- "$2"
}

# With --quiet, stderr holds errors only: it must be one line, which begins with the program's name.
expect_one_sentence() {
  if [[ $(wc -l <"$ERR") != 1 ]] || ! grep -q '^tcpstorm: ' "$ERR"; then
    say "stderr is not one sentence:"
    show_output
    return 1
  fi
}

expect_empty() {
  if [[ -s $1 ]]; then
    say "${1##*/} is not empty:"
    cat "$1"
    return 1
  fi
}

expect_no_process() {
  if ! no_process; then
    say "processes are left: $(storm_pids | tr '\n' ' ')"
    return 1
  fi
}

# ---- the CSV ----

# has_row STEP SETTLED: such a row has been written.
has_row() {
  [[ -e $CSV ]] && grep -q "^[^,]*,[^,]*,[^,]*,$1,$2," "$CSV"
}

wait_for_row() {
  if ! wait_until 20 has_row "$1" "$2"; then
    say "no row of step $1 with settled=$2 came"
    show_output
    return 1
  fi
}

# For tests that do something in the hold of a step. A busy machine may not let them in time: they try again with a longer one.
HOLDS='1s 5s 20s'

# was_in_hold_of STEP: no look is of a later step, and it is that step which the summary or the sentence names.
was_in_hold_of() {
  [[ $(tail -n 1 "$CSV" | cut -d, -f4) == "$1" ]] && tr -s ' \n' ' ' <<<"$(<"$OUT") $(<"$ERR")" | grep -qE "at $1( |,|:|$)"
}

# start_with_no_time_wait OPTION...: in a namespace whose room for timewait sockets shrinks in the hold of the first step: the
# plan would not begin without. FIN_WAIT2 vanishes then, and the step server-close cannot settle.
start_with_no_time_wait() {
  local hold
  for hold in $HOLDS; do
    in_fresh_namespace
    start_storm --hold "$hold" "$@"
    wait_for_row open 1
    inside bash -c 'echo 10 >/proc/sys/net/ipv4/tcp_max_tw_buckets'
    [[ $(inside ss -Htan state close-wait) ]] || return 0 # in time
    kill -KILL "$storm_pid" || true
    wait_until 20 no_process
  done
}

# What holds for every CSV, whole or cut short between two rows.
check_csv() {
  if [[ $(head -n 1 "$1") != "$CSV_HEADER" ]]; then
    say "the header is: $(head -n 1 "$1")"
    return 1
  fi
  if [[ -n $(tail -c 1 "$1") ]]; then
    say "the last line is not complete: $(tail -n 1 "$1")"
    return 1
  fi
  awk -F, '
    function complain(what) { printf "line %d: %s: %s\n", NR, what, $0; bad = 1 }
    NR == 1 { next }
    NF != 40 { complain("not 40 fields"); next }
    $5 !~ /^[01]$/ { complain("settled is neither 0 nor 1") }
    $6 != (NR % 2 ? "client" : "server") { complain("rows do not come in pairs, server first") }
    {
      states = 0
      for (i = 7; i <= 21; i++) if ($i !~ (i == 19 ? "^-?[0-9]+$" : "^[0-9]+$")) complain("field " i " is no number")
      for (i = 23; i <= 28; i++) if ($i !~ /^[0-9]+$/) complain("field " i " is no number")
      if ($22 !~ /^[0-9]+[.][0-9]+$/ || $29 !~ /^[0-9]+[.][0-9]+$/) complain("look_s or connect_s is no fraction")
      if ($30 !~ /^[0-9]+$/ || $30 + 0 < $20 + 0) complain("nofile is no number, or below the descriptors held")
      if ($24 + 0 > $14 + 0 || $25 + 0 > $14 + 0) complain("more unread or unowned than CLOSE_WAIT")
      # The end of a half-close that keeps its descriptor is a ghost beside its TIME_WAIT; one whose port came round, beside
      # the connection that has the port now.
      if ($5 == 1 && $4 != "client-connect" && $23 + 0 > $19 + $17) complain("more ghosts than gone and TIME_WAIT")
      if ($5 == 1 && $23 + 0 > $20 + 0) complain("more ghosts than descriptors")
      for (i = 32; i <= 34; i++) if ($i !~ /^[0-9]+$/) complain("field " i " is no number")
      # What is owed of the SYN_SENT are those that the client has given up.
      if ($32 + $33 < $14 + $23 || $32 + $33 > $14 + $23 + $9) complain("owed and stuck are not CLOSE_WAIT and ghosts")
      if ($34 + 0 > $11 + 0) complain("more unclosed than ESTABLISHED")
      if ($35 + 0 <= 0 || $35 + 0 > $3 + 0) complain("the order begins after a look at it")
      if ($38 !~ /^[0-9]+$/ || $38 + 0 > $13 + 0) complain("more half-closed than FIN_WAIT2")
      if ($39 !~ /^[0-9]+$/ || $40 !~ /^[0-9]+$/) complain("elsewhere or lost is no number")
      if ($36 > 0 && $36 + 0 < $35 + 0 || $37 > 0 && $37 + 0 < $35 + 0) complain("it fails before it begins")
      if ($6 == "client" && $26 + $27 > 0) complain("an accept queue on the client side")
      if ($6 == "server" && $28 + $29 > 0) complain("arrivals on the server side")
      for (i = 9; i <= 18; i++) states += $i
      if ($7 != states + $19) complain("opened is not the sum of states and gone")
      if ($3 + 0 < last_t) complain("time runs backwards")
      if ($7 + 0 < opened[$1] && $4 != "arrivals") complain("opened shrinks") # but a connect() is given up
      if ($6 == "client" && ($7 != row_opened || $3 != row_t || $4 != row_step || $5 != row_settled))
        complain("differs from its server row in opened, t_s, step or settled")
      if ($6 == "client" && $8 != 0) complain("a listener on the client side")
      last_t = $3 + 0; opened[$1] = $7 + 0; row_opened = $7; row_t = $3; row_step = $4; row_settled = $5
    }
    END {
      if (NR % 2 == 0) complain("the last server row has no client row")
      exit bad
    }' "$1"
}

# last_settled CSV STEP SIDE FIELD: that field of the step's last settled row. FIELD is a name of the header.
last_settled() {
  awk -F, -v step="$2" -v side="$3" -v field="$4" '
    NR == 1 { for (i = 1; i <= NF; i++) if ($i == field) column = i }
    $4 == step && $5 == 1 && $6 == side { value = $column }
    END { print value }' "$1"
}

# expect_settled STEP SIDE FIELD=VALUE...
expect_settled() {
  local step=$1 side=$2 pair value bad=0
  shift 2
  for pair in "$@"; do
    value=$(last_settled "$CSV" "$step" "$side" "${pair%%=*}")
    if [[ $value != "${pair#*=}" ]]; then
      say "$step, $side side: ${pair%%=*} is ${value:-missing} where ${pair#*=} was expected"
      bad=1
    fi
  done
  ((bad == 0)) || show_output
  return "$bad"
}

# ---- the kernel ----

# The lanes of the order that the summary named last: sets lane_address, lane_first, lane_last.
read_lanes() {
  local line
  line=$(grep '^lanes ' "$1" | tail -n 1)
  [[ $line =~ ^lanes\ (.*):([0-9]+)(-([0-9]+))?,\ seen\ by ]] || { say "no lanes in the first line: $line"; return 1; }
  lane_address=${BASH_REMATCH[1]//[\[\]]/} lane_first=${BASH_REMATCH[2]} lane_last=${BASH_REMATCH[4]:-${BASH_REMATCH[2]}}
}

sockets_on_lanes() {
  local at=$lane_address
  [[ $at != *:* ]] || at="[$at]"
  ss -Htan "( src $at and sport >= :$lane_first and sport <= :$lane_last ) or ( dst $at and dport >= :$lane_first and dport <= :$lane_last )"
}

lanes_are_empty() {
  [[ -z $(sockets_on_lanes) ]]
}

expect_lanes_empty() {
  read_lanes "$OUT"
  if ! wait_until 2 lanes_are_empty; then
    say "the kernel still has sockets on ports $lane_first to $lane_last:"
    sockets_on_lanes | head -n 5
    return 1
  fi
}

# beside COMMAND...: runs it meanwhile, as a test of its own.
beside() {
  (
    BATS_TEST_TMPDIR+=/beside
    mkdir "$BATS_TEST_TMPDIR"
    setup
    "$@"
    teardown
  ) >"$BATS_TEST_TMPDIR/beside.report" 2>&1 &
  beside_pid=$!
}

expect_beside() {
  wait "$beside_pid" || { cat "$BATS_TEST_TMPDIR/beside.report"; return 1; }
}
