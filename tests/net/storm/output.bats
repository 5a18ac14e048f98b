#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash; every test is a subshell
#
# Output: exit codes never depend on its format, streams keep to themselves, JSON Lines say what the CSV says.

bats_require_minimum_version 1.5.0

load ../storm

formats=("" "--csv FILE" "--json FILE" "--csv -" "--json -" "--quiet" "--quiet --csv - --json FILE")

# for_every_format CODE OPTION...: that exit status under every format.
for_every_format() {
  local want=$1 format words
  shift
  for format in "${formats[@]}"; do
    read -r -a words <<<"${format//FILE/$BATS_TEST_TMPDIR/file}"
    code=0
    "${launcher[@]}" "$STORM" "${words[@]}" "$@" >"$OUT" 2>"$ERR" 3>&- || code=$?
    say "with '$format'"
    expect_code "$want"
  done
}

@test "as expected: exit status 0 in every format" {
  for_every_format 0 --conns 20 --order abort --hold 20ms
}

@test "states that differ: exit status 1 in every format" {
  # Once the plan has been made the room for timewait sockets shrinks: FIN_WAIT2 vanishes.
  local format words hold
  for format in "${formats[@]}"; do
    read -r -a words <<<"${format//FILE/$BATS_TEST_TMPDIR/file}"
    for hold in 300ms 5s 20s; do
      in_fresh_namespace
      "${launcher[@]}" "$STORM" --conns 100 --hold "$hold" --settle 100ms "${words[@]}" >"$OUT" 2>"$ERR" 3>&- &
      storm_pid=$!
      wait_until 10 has_opened_lanes
      inside bash -c 'echo 10 >/proc/sys/net/ipv4/tcp_max_tw_buckets' || true
      ! lanes_are_open || break # in time
      kill -KILL "$storm_pid" || true
      wait_until 20 no_process
    done
    end_storm 30
    say "with '$format'"
    expect_code 1
  done
}

# Or they have been open, and are over.
has_opened_lanes() {
  lanes_are_open || is_over "$storm_pid" || [[ $(inside ss -Htn state close-wait 2>/dev/null) ]]
}

lanes_are_open() {
  [[ $(inside ss -Htn state established 2>/dev/null | wc -l) == 200 ]]
}

@test "a machine that cannot run it: exit status 3 in every format" {
  launcher=(unshare -n)
  for_every_format 3 --conns 20
}

@test "bad usage: exit status 2 in every format, and no file is made" {
  rm -f "$BATS_TEST_TMPDIR/file"
  for_every_format 2 --conns 0
  [[ ! -e $BATS_TEST_TMPDIR/file ]]
}

@test "interrupted: exit status 130 with and without --quiet" {
  local quiet
  for quiet in "" --quiet; do
    start_storm --conns 20 --order leak --hold forever ${quiet:+"$quiet"}
    wait_for_row client-close 1
    kill -INT "$storm_pid"
    end_storm "$PATIENCE"
    expect_code 130
  done
}

@test "--quiet prints nothing on success" {
  code=0
  "$STORM" --quiet --conns 100 --order server-first,leak --hold 50ms >"$OUT" 2>"$ERR" 3>&- || code=$?
  expect_code 0
  expect_empty "$OUT"
  expect_empty "$ERR"
}

@test "--csv - puts the CSV alone on stdout and the summary on stderr" {
  code=0
  "$STORM" --csv - --conns 100 --hold 50ms >"$OUT" 2>"$ERR" 3>&- || code=$?
  expect_code 0
  check_csv "$OUT"
  (($(wc -l <"$OUT") > 6))
  expect_in "$ERR" "lanes 127.0.0.1:"
  expect_in "$ERR" "As expected."
}

@test "--json - puts JSON Lines alone on stdout and the summary on stderr" {
  code=0
  "$STORM" --json - --conns 100 --hold 50ms >"$OUT" 2>"$ERR" 3>&- || code=$?
  expect_code 0
  [[ $(jq -c 'type' "$OUT" | sort -u) == '"object"' ]]
  [[ $(jq -c . "$OUT" | wc -l) == $(wc -l <"$OUT") ]]
  expect_in "$ERR" "As expected."
}

@test "without files the summary is on stdout and stderr is silent" {
  code=0
  "$STORM" --conns 50 --order abort --hold 20ms >"$OUT" 2>"$ERR" 3>&- || code=$?
  expect_code 0
  expect_in "$OUT" "As expected."
  expect_empty "$ERR"
}

@test "files are truncated, not appended to" {
  seq 100000 >"$CSV"
  cp "$CSV" "$JSON"
  storm --conns 10 --order abort --hold 20ms --json "$JSON"
  expect_code 0
  check_csv "$CSV"
  jq -e -s 'all(type == "object")' "$JSON"
}

# holds JQ-EXPRESSION: true for the list of all events.
holds() {
  jq -e -s "$1" "$JSON" >/dev/null || { say "not so: $1"; head -c 2000 "$JSON"; return 1; }
}

@test "JSON Lines: start, samples, steps, end of each order, with their fields" {
  storm --conns 50 --order server-first,leak --hold 50ms --json "$JSON"
  expect_code 0
  holds 'all(type == "object" and (.event | IN("start", "sample", "step", "end")))'
  holds '[.[] | select(.event != "sample") | .order + " " + .event] == ["server-first start", "server-first step", "server-first step", "server-first step", "server-first end", "leak start", "leak step", "leak step", "leak end"]'
  holds 'all(.[] | select(.event == "start"); (.command | test("^tcpstorm --.*--json ")) and (.warnings | type == "array") and (.meaning | length > 20) and (.ladder[0].client_call == "connect()"))'
  holds '[.[] | select(.event == "start" and .order == "leak") | .ladder[1] | .step, .client_call, .server_call, .client, .server, (.segments | map(.from + " " + .flags))] == ["client-close", "close()", "", "FIN_WAIT2", "CLOSE_WAIT", ["client FIN", "server ACK"]]'
  holds '.[0].event == "start" and .[-1].event == "end"'
  holds 'all(.[] | select(.event == "start"); (.version | type == "string") and (.kernel | startswith("Linux ")) and (.options.conns == 50)
    and (.sysctls | has("net.ipv4.tcp_fin_timeout") and has("net.ipv4.tcp_max_tw_buckets") and has("net.ipv4.ip_local_port_range"))
    and (.limits | has("nofile_hard")) and (.lanes | length == 2) and (.witness | IN("netlink", "procfs")))'
  holds 'all(.[] | select(.event == "step"); .ok == true and (.step | type == "string") and (.settle_s >= 0) and (.rate_per_s > 0)
    and (.expected | keys == ["client", "server"]) and (.observed | keys == ["client", "server"]))'
  holds '[.[] | select(.event == "step" and .order == "leak")][-1].observed | .server.close_wait == 50 and .client.fin_wait2 == 50 and .server.gone == 0'
  holds '[.[] | select(.event == "step" and .order == "leak")][-1].expected == {"server": ["CLOSE_WAIT"], "client": ["FIN_WAIT2"]}'
  holds 'all(.[] | select(.event == "end"); (.verdict | type == "string") and (.version | type == "string") and (.outcome == "as expected") and (.counters_moved | type == "object"))'
}

@test "JSON Lines: a sample has the CSV's fields and the CSV's values" {
  storm --conns 50 --order server-first,abort --hold 50ms --json "$JSON"
  expect_code 0
  local columns=${CSV_HEADER//,/ } fields
  # shellcheck disable=SC2086
  fields=$(printf '(.%s // 0),' $columns) # what concerns the other side only is left out
  diff <(jq -r "select(.event == \"sample\") | [${fields%,}] | map(tostring) | join(\",\")" "$JSON" | normal_rows) \
    <(tail -n +2 "$CSV" | normal_rows)
  jq -e -s '[.[] | select(.event == "sample")] | length > 10' "$JSON"
}

# The fractions of a row, however they are written.
normal_rows() {
  awk -F, -v OFS=, '{ split("3 22 29 35 36 37", fractions, " "); for (i in fractions) $fractions[i] = sprintf("%.6f", $fractions[i]); print }'
}

@test "progress speaks up on stderr when a run takes longer than a second" {
  storm --conns 20 --order never-close --hold 5s
  expect_code 0
  expect_in "$ERR" "never-close open: holding"
}

# ---- readers that stop ----

# open_pipe [BYTES]: a pipe of this size that nobody drains, at "$BATS_TEST_TMPDIR/pipe" and in $pipe.
open_pipe() {
  mkfifo "$BATS_TEST_TMPDIR/pipe"
  exec {pipe}<>"$BATS_TEST_TMPDIR/pipe"
  python3 -c 'import fcntl, sys; fcntl.fcntl(int(sys.argv[1]), 1031, int(sys.argv[2]))' "$pipe" "${1:-4096}" # F_SETPIPE_SZ
}

# start_into_pipe OPTION...: a storm whose standard output is that pipe.
start_into_pipe() {
  "$STORM" "$@" >"$BATS_TEST_TMPDIR/pipe" 2>"$ERR" 3>&- {pipe}>&- &
  storm_pid=$!
}

drain_pipe() {
  cat <"$BATS_TEST_TMPDIR/pipe" >"$OUT" 3>&- {pipe}>&- &
  others+=($!)
  exec {pipe}>&-
}

is_paused() {
  grep -q "the reader has stopped; looks pause until it continues" "$ERR"
}

@test "rows that nobody reads: looks pause, it is told once, and a signal ends the run" {
  local run format signal
  for run in 'csv TERM 4096 json' 'json INT 65536 csv' 'csv HUP 4096 json'; do
    read -r format signal bytes other <<<"$run"
    rm -f "$BATS_TEST_TMPDIR/pipe"
    open_pipe "$bytes"
    start_into_pipe --"$format" - --order leak --conns 5 --hold forever --interval 1ms --"$other" "$BATS_TEST_TMPDIR/other"
    wait_until "$LONG" is_paused
    expect_no_more_looks
    kill -"$signal" "$storm_pid"
    end_storm "$PATIENCE"
    expect_code 130
    expect_no_process
    (($(grep -c 'looks pause' "$ERR") == 1))
    expect_in "$ERR" "standard output: the reader has stopped: the last "
    drain_pipe
    wait_until 10 is_over "${others[-1]}"
    expect_whole_rows "$format"
  done
}

# For a second. One may have been under way, and those of the second before may still be on their way to the file.
expect_no_more_looks() {
  local before after=0 try
  for ((try = 0; try < 4; try++)); do
    before=$(wc -l <"$BATS_TEST_TMPDIR/other")
    sleep 1
    after=$(wc -l <"$BATS_TEST_TMPDIR/other")
    ((after > before + 2)) || return 0
  done
  say "rows went from $before to $after within a second"
  return 1
}

# What has been written before the signal, without half a row.
expect_whole_rows() {
  if [[ $1 == csv ]]; then
    check_csv_lines "$OUT"
  else
    [[ -z $(tail -c 1 "$OUT") ]]
    jq -e -s 'length > 10 and all(type == "object")' "$OUT" >/dev/null
  fi
}

# The pipe may end between the rows of a look.
check_csv_lines() {
  [[ $(head -n 1 "$1") == "$CSV_HEADER" && -z $(tail -c 1 "$1") ]]
  [[ $(awk -F, '{ print NF }' "$1" | sort -u) == $(awk -F, '{ print NF }' <<<"$CSV_HEADER") ]]
}

@test "a reader that reads on gets every row" {
  open_pipe
  start_into_pipe --csv - --order leak --conns 5 --hold forever --interval 1ms --json "$JSON"
  wait_until "$LONG" is_paused
  drain_pipe
  wait_until 20 reads_on
  kill -INT "$storm_pid"
  end_storm "$PATIENCE"
  expect_code 130
  expect_not_in "$ERR" "lost"
  wait_until 10 is_over "${others[-1]}"
  check_csv "$OUT"
  [[ $(grep -c '"event":"sample"' "$JSON") == $(($(wc -l <"$OUT") - 1)) ]]
}

# More than the pipe and the storm had kept.
reads_on() {
  (($(wc -c <"$OUT") > 40000))
}

@test "a run that is over waits for its reader, and says so" {
  open_pipe
  start_into_pipe --json - --order leak --conns 5 --hold 3s --interval 1ms
  wait_until "$LONG" is_paused
  # The hold is over, but not its last look.
  drain_pipe
  end_storm "$LONG"
  expect_code 0
  wait_until 10 is_over "${others[-1]}"
  jq -e -s '.[-1].outcome == "as expected"' "$OUT"
}

@test "watch waits for its reader too, and a signal ends it" {
  open_pipe
  in_fresh_namespace
  # Rows enough for a pipe in one look: looks are seldom where they take long.
  cat >"$BATS_TEST_TMPDIR/listen.py" <<'END'
import ctypes, signal, socket, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
servers = [socket.create_server(("127.0.0.1", 20000 + i)) for i in range(300)]
clients = [socket.create_connection(server.getsockname()) for server in servers]
open(sys.argv[1], "w").close()
signal.pause()
END
  # shellcheck disable=SC2016 # for the inner shell
  "${launcher[@]}" bash -c 'python3 "$1/listen.py" "$1/ready" & until [[ -e $1/ready ]]; do sleep 0.1; done; exec "$2" watch --interval 50ms --json -' bash "$BATS_TEST_TMPDIR" "$STORM" \
    >"$BATS_TEST_TMPDIR/pipe" 2>"$ERR" 3>&- {pipe}>&- &
  storm_pid=$!
  wait_until "$LONG" is_paused
  kill -TERM "$storm_pid"
  end_storm "$PATIENCE"
  expect_in "$ERR" "standard output: the reader has stopped: the last "
  expect_code 130
  exec {pipe}>&-
}

@test "standard error that nobody reads stops nothing" {
  local signal
  for signal in TERM INT; do
    rm -f "$BATS_TEST_TMPDIR/pipe" "$CSV"
    open_pipe
    dd if=/dev/zero of="$BATS_TEST_TMPDIR/pipe" bs=4096 oflag=nonblock status=none 2>/dev/null || true
    "$STORM" --csv "$CSV" --json - --order leak --conns 50 --hold forever --interval 20ms >"$OUT" 2>"$BATS_TEST_TMPDIR/pipe" 3>&- {pipe}>&- &
    storm_pid=$!
    wait_for_row client-close 1
    kill -"$signal" "$storm_pid"
    end_storm "$PATIENCE"
    expect_code 130
    exec {pipe}>&-
    check_csv "$CSV"
    jq -e -s '.[-1].outcome == "interrupted"' "$OUT"
  done
}

# ---- outputs that fail ----

# on_output HOW COMMAND...: with a standard output that is full, closed, or a pipe that nobody has open any more; the exit
# status is in $code. Standard input stays open.
on_output() {
  local how=$1
  shift
  code=0
  case $how in
    full) timeout 30 "$@" >/dev/full 2>"$ERR" 3>&- <&"$keys" || code=$? ;;
    closed) timeout 30 "$@" >&- 2>"$ERR" 3>&- <&"$keys" || code=$? ;;
    unread) timeout 30 python3 "$BATS_TEST_TMPDIR/unread.py" "$@" 2>"$ERR" 3>&- <&"$keys" || code=$? ;;
  esac
}

@test "an output that takes nothing: every command says so in one sentence, exit status 3" {
  local how command reason keys server
  mkfifo "$BATS_TEST_TMPDIR/keys"
  exec {keys}<>"$BATS_TEST_TMPDIR/keys"
  cat >"$BATS_TEST_TMPDIR/unread.py" <<'END'
import os, signal, sys
ours, theirs = os.pipe()
os.close(ours)
os.dup2(theirs, 1)
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])
END
  "$STORM" server --cause ignore-eof --fixed --port 18080 >"$OUT" 2>/dev/null 3>&- <&"$keys" &
  server=$!
  others+=("$server")
  wait_until 10 grep -q Listening "$OUT"
  for how in full closed unread; do
    case $how in
      full) reason='No space left on device' ;;
      closed) reason='Bad file descriptor' ;;
      unread) reason='Broken pipe' ;;
    esac
    while read -r -a command; do
      on_output "$how" "$STORM" "${command[@]}"
      say "$how: ${command[*]}"
      expect_code 3
      expect_one_sentence
      grep -qE "^tcpstorm: cannot write (standard output|--(csv|json) -): $reason" "$ERR" || { show_output; return 1; }
    done <<'END'
--conns 3 --order abort --hold 0 --port 16000
--conns 3 --order abort --hold 0 --port 16000 --csv - --quiet
--conns 3 --dry-run --port 16000
state close-wait --hold 0 --conns 3 --port 16100
audit 127.0.0.1:18080 --conns 3
audit 127.0.0.1:18080 --conns 3 --json - --quiet
watch --once
watch --once --json -
walk --pause 0 --port 16200
orders
causes
help
version
--help
server --port 16300
client --port 18080
END
  done
  kill "$server"
}

@test "a disk that becomes full: what was written is kept, exit status 3" {
  [[ $(id -u) == 0 ]] || skip 'only root mounts a small disk'
  local format
  mkdir "$BATS_TEST_TMPDIR/disk"
  for format in csv json; do
    code=0
    # shellcheck disable=SC2016 # for the inner shell
    unshare -m bash -c 'mount -t tmpfs -o size=64k none "$1/disk" || exit 77; "$2" --"$3" "$1/disk/rows" --quiet --order leak --conns 20 --hold forever --interval 1ms; code=$?; cp "$1/disk/rows" "$1/kept"; exit "$code"' \
      bash "$BATS_TEST_TMPDIR" "$STORM" "$format" >"$OUT" 2>"$ERR" 3>&- || code=$?
    ((code != 77)) || skip 'no small disk can be mounted here'
    expect_code 3
    expect_one_sentence
    expect_in "$ERR" "cannot write --$format $BATS_TEST_TMPDIR/disk/rows: No space left on device; what was written before is kept"
    (($(wc -c <"$BATS_TEST_TMPDIR/kept") == 65536))
    expect_no_process
  done
}

@test "JSON is UTF-8 whatever a launcher has in it, and the CSV has whole rows" {
  in_fresh_namespace
  storm --conns 5 --order leak --hold 0 --server-via $'env X=\xff,\e' --address 127.0.0.1 --json "$JSON"
  expect_code 0
  iconv -f UTF-8 -t UTF-8 "$JSON" >/dev/null
  jq -e -s 'any(.[]; .host == "env X=\ufffd,\u001b")' "$JSON"
  [[ $(awk -F, '{ print NF }' "$CSV" | sort -u) == $(awk -F, '{ print NF }' <<<"$CSV_HEADER") ]]
  expect_in "$OUT" 'on host "env X=?,?"'
  run ! grep -q $'\e' "$CSV" "$OUT" "$ERR"
}
