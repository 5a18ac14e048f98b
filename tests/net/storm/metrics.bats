#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash; every test is a subshell
#
# --metrics: what a monitor gets, in both formats; and that no monitor disturbs a run.

bats_require_minimum_version 1.5.0

load ../storm
load ../isolation

readonly STATES='close close_wait closing established fin_wait1 fin_wait2 last_ack listen syn_recv syn_sent time_wait'

AT=127.0.0.1:9464

# ---- a monitor ----

# open_door: a connection; its descriptor is in $door. Fails where nobody listens.
open_door() {
  local host=${AT%:*}
  host=${host//[\[\]]/}
  { exec {door}<>"/dev/tcp/$host/${AT##*:}"; } 2>/dev/null
}

# ask METHOD PATH [HEADER...]: the head of the answer is in $HEAD, its body in $PAGE.
ask() {
  local request
  HEAD=$BATS_TEST_TMPDIR/head PAGE=$BATS_TEST_TMPDIR/page
  printf -v request '%s\r\n' "$1 $2 HTTP/1.1" 'Host: here' 'Connection: close' "${@:3}" ''
  open_door || return 1
  printf '%s' "$request" >&"$door"
  timeout 20 cat <&"$door" | tr -d '\r' >"$BATS_TEST_TMPDIR/answer"
  exec {door}>&-
  sed '/^$/,$d' "$BATS_TEST_TMPDIR/answer" >"$HEAD"
  sed '1,/^$/d' "$BATS_TEST_TMPDIR/answer" >"$PAGE"
}

scrape() {
  ask GET /metrics && [[ $(head -n 1 "$HEAD") == 'HTTP/1.1 200 OK' ]]
}

is_served() {
  open_door && exec {door}>&-
}

is_closed() {
  ! is_served
}

# sample NAME{LABELS}: its value on the page; nothing where it is not there.
sample() {
  awk -v name="$1" '$1 == name { print $2 }' "$PAGE"
}

# samples_of_csv: what the last rows of the CSV say, as samples.
samples_of_csv() {
  tail -n 2 "$CSV" | awk -F, -v header="$CSV_HEADER" '
    function put(name, value) { print "tcpstorm_" name " " value }
    function put_side(name, value) { put(name "{side=\"" $6 "\"}", value) }
    BEGIN { split(header, name, ",") }
    {
      for (i = 8; i <= 18; i++) put("connection_states{side=\"" $6 "\",state=\"" name[i] "\"}", $i)
      put_side("connections_gone", $19); put_side("open_fds", $20); put_side("errors_total", $21)
      put_side("ghosts", $23); put_side("close_wait_unread", $24); put_side("close_wait_unowned", $25); put_side("max_fds", $30)
    }
    $6 == "server" { put("connections_wanted", $2); put("connections_opened", $7); put("accept_queue", $26); put("listen_drops_total", $27) }
    $6 == "client" { put("late_arrivals_total", $28) }'
}

page_says_what_the_csv_says() {
  scrape || return 1
  samples_of_csv >"$BATS_TEST_TMPDIR/samples"
  [[ $(wc -l <"$BATS_TEST_TMPDIR/samples") == 41 ]] &&
    ! grep -vxFf "$PAGE" "$BATS_TEST_TMPDIR/samples" >"$BATS_TEST_TMPDIR/missing"
}

# Both change where connections come one by one: until they agree.
expect_page_like_csv() {
  if ! wait_until 10 page_says_what_the_csv_says; then
    say "not on the page:"
    cat "$BATS_TEST_TMPDIR/missing"
    say "the page:"
    cat "$PAGE"
    show_output
    return 1
  fi
}

stop_storm() {
  kill -INT "$storm_pid"
  end_storm "$PATIENCE"
  expect_code 130
}

# ---- what it gets ----

@test "the values are those of the CSV, in the hold of every order" {
  local order
  for order in never-close/open leak/client-close client-first/server-close abort/server-close half-close/client-close; do
    start_storm --order "${order%/*}" --conns 200 --hold forever --interval 50ms --metrics "$AT"
    wait_for_row "${order#*/}" 1
    expect_page_like_csv
    [[ $(sample tcpstorm_connections_opened) == 200 ]]
    stop_storm
  done
}

@test "a leak: CLOSE_WAIT on the server, FIN_WAIT2 on the client, and nothing else" {
  start_storm --order leak --conns 300 --hold forever --metrics "$AT"
  wait_for_row client-close 1
  expect_page_like_csv
  [[ $(grep '^tcpstorm_connection_states{' "$PAGE" | grep -v ' 0$' | sort) == 'tcpstorm_connection_states{side="client",state="fin_wait2"} 300
tcpstorm_connection_states{side="server",state="close_wait"} 300
tcpstorm_connection_states{side="server",state="listen"} 1' ]]
  wait_until 20 is_told_to_hold # it is told a few times a second
  stop_storm
}

is_told_to_hold() {
  scrape && [[ $(sample 'tcpstorm_step_info{order="leak",step="client-close",doing="holding"}') == 1 ]]
}

@test "sockets that nobody has, descriptors without a socket, failed calls and dropped SYNs" {
  start_storm --order backlog --conns 50 --hold forever --metrics "$AT"
  wait_for_row client-close 1
  expect_page_like_csv
  [[ $(sample 'tcpstorm_close_wait_unowned{side="server"}') == 50 ]]
  [[ $(sample tcpstorm_accept_queue) == 50 ]]
  stop_storm
  start_storm --order abort --leak 20 --conns 50 --hold forever --metrics "$AT"
  wait_until 20 has_ghosts 20
  expect_page_like_csv
  stop_storm
  start_storm --cause ignore-eof --rate 400 --duration 1s --server-nofile 64 --backlog 16 --hold forever --metrics "$AT"
  wait_until 20 has_drops
  wait_until 20 has_errors
  expect_page_like_csv
  (($(sample 'tcpstorm_errors_total{side="server"}') > 0))
  stop_storm
}

has_ghosts() {
  scrape && [[ $(sample 'tcpstorm_ghosts{side="server"}') == "$1" ]]
}

has_errors() {
  scrape && (($(sample 'tcpstorm_errors_total{side="server"}') > 0))
}

has_drops() {
  scrape && (($(sample tcpstorm_listen_drops_total) > 0))
}

@test "the labels are node_exporter's" {
  start_storm --order never-close --conns 3 --hold forever --metrics "$AT"
  wait_for_row open 1
  scrape
  local end
  for end in server client; do
    [[ $(sed -n "s/^tcpstorm_connection_states{side=\"$end\",state=\"\([a-z0-9_]*\)\"} [0-9]*$/\1/p" "$PAGE" | sort | tr '\n' ' ') == "$STATES " ]]
  done
  [[ $(grep -c '^tcpstorm_connection_states' "$PAGE") == 22 ]]
  stop_storm
}

# expect_heads: each family has HELP and TYPE once, before its samples; no sample comes twice.
expect_heads() {
  awk '
    function complain(what) { print "line " NR ": " what ": " $0; bad = 1 }
    $1 == "#" && $2 == "EOF" { next }
    $1 == "#" && $2 == "HELP" { family = $3; if (family in seen) complain("told twice"); seen[family] = 1; next }
    $1 == "#" && $2 == "UNIT" { if ($3 != family || $4 != "seconds" || $3 !~ /_seconds$/ || !suffix_is_left_out) complain("UNIT"); next }
    $1 == "#" && $2 == "TYPE" { if ($3 != family) complain("TYPE of another family"); type = $4; next }
    {
      name = $1; sub(/[{].*/, "", name)
      base = name
      if (suffix_is_left_out && type == "counter") sub(/_total$/, "", base)
      if (suffix_is_left_out && type == "info") sub(/_info$/, "", base)
      if (base != family) complain("not of " family)
      if ($0 in lines) complain("twice")
      lines[$1] = 1
      if (NF != 2 || $2 !~ /^[0-9]+([.][0-9]+)?(e[-+][0-9]+)?$/) complain("no value")
    }
    END { exit bad }' suffix_is_left_out="$1" "$PAGE"
}

@test "who asks for OpenMetrics gets it, with EOF at its end; who does not gets Prometheus's text" {
  local accept prometheus='application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1'
  start_storm --order never-close --conns 3 --hold forever --metrics "$AT"
  wait_for_row open 1
  for accept in "$prometheus" 'application/openmetrics-text; version=1.0.0'; do
    ask GET /metrics "Accept: $accept"
    grep -qxF 'Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8' "$HEAD"
    [[ $(tail -n 1 "$PAGE") == '# EOF' && $(grep -c EOF "$PAGE") == 1 ]]
    expect_heads 1
    grep -qx '# TYPE tcpstorm_looks counter' "$PAGE"
    grep -qx '# TYPE tcpstorm_build info' "$PAGE"
    [[ -n $(sample tcpstorm_looks_total) ]]
  done
  for accept in text/plain '*/*' ''; do
    ask GET /metrics ${accept:+"Accept: $accept"}
    grep -qxF 'Content-Type: text/plain; version=0.0.4; charset=utf-8' "$HEAD"
    run ! grep EOF "$PAGE"
    expect_heads 0
    grep -qx '# TYPE tcpstorm_looks_total counter' "$PAGE"
    grep -qx '# TYPE tcpstorm_build_info gauge' "$PAGE"
  done
  stop_storm
}

@test "anything else is 404, and nothing but GET and HEAD is done" {
  local path method
  start_storm --order never-close --conns 3 --hold forever --metrics "$AT"
  wait_for_row open 1
  for path in / /metric /metrics/ /../etc/passwd /index.html; do
    ask GET "$path"
    [[ $(head -n 1 "$HEAD") == 'HTTP/1.1 404 '* ]]
  done
  for method in POST PUT DELETE OPTIONS PATCH; do
    ask "$method" /metrics 'Content-Length: 0'
    [[ $(head -n 1 "$HEAD") == 'HTTP/1.1 501 '* ]]
  done
  ask HEAD /metrics
  [[ $(head -n 1 "$HEAD") == 'HTTP/1.1 200 '* ]]
  expect_empty "$PAGE"
  ask GET '/metrics?name=x'
  [[ $(head -n 1 "$HEAD") == 'HTTP/1.1 200 '* ]]
  stop_storm
}

@test "over IPv6" {
  [[ -e /proc/net/if_inet6 ]] || skip "this kernel has no IPv6"
  AT='[::1]:9464'
  start_storm --order never-close --conns 3 --hold forever --metrics "$AT"
  wait_for_row open 1
  expect_page_like_csv
  stop_storm
}

@test "state all: each state is seen in turn" {
  local hold
  : >"$BATS_TEST_TMPDIR/seen"
  for hold in 1s 3s 8s; do # longer where the machine is so busy that a state was over before we could ask
    "$STORM" state all --conns 20 --hold "$hold" --isolate --metrics "$AT" >"$OUT" 2>"$ERR" 3>&- &
    storm_pid=$!
    until is_over "$storm_pid"; do
      scrape && full_states >>"$BATS_TEST_TMPDIR/seen"
    done
    end_storm "$LONG"
    expect_code 0
    [[ $(seen_states) != "$STATES " ]] || return 0
  done
  say "seen: $(seen_states)"
  return 1
}

seen_states() {
  sort -u "$BATS_TEST_TMPDIR/seen" | tr '\n' ' '
}

# Those in which a side has twenty sockets. A socket in CLOSE is in no table.
full_states() {
  sed -nE -e 's/^tcpstorm_connection_states\{side="[a-z]*",state="([a-z0-9_]*)"\} ([2-9][0-9]|[0-9]{3,})$/\1/p' \
    -e 's/^tcpstorm_ghosts\{side="server"\} 20$/close/p' "$PAGE"
}

# ---- where it is ----

@test "with --isolate it is outside, and everything that it tells of is inside" {
  local who
  for who in as_root as_nobody; do
    "$who"
    start_storm --isolate --order leak --conns 100 --hold forever --metrics "$AT"
    wait_for_row client-close 1
    is_isolated
    expect_page_like_csv
    [[ $(sample 'tcpstorm_connection_states{side="server",state="close_wait"}') == 100 ]]
    [[ -z $(within ss -Hltn 'sport = :9464') && -n $(ss -Hltn 'sport = :9464') ]]
    [[ -z $(ss -Htan state close-wait state established "( sport >= :15000 and sport <= :15100 )") ]]
    stop_storm
    is_closed
  done
}

@test "an ordinary user may" {
  as_nobody
  start_storm --order leak --conns 100 --hold forever --metrics "$AT"
  wait_for_row client-close 1
  expect_page_like_csv
  stop_storm
}

@test "a port that is taken: exit status 3, one sentence, and no file is made" {
  start_storm --order never-close --conns 3 --hold forever --metrics "$AT"
  wait_for_row open 1
  local first=$storm_pid command
  rm -f "$BATS_TEST_TMPDIR/other.csv"
  for command in '' 'state close-wait'; do
    code=0
    # shellcheck disable=SC2086
    "$STORM" $command --conns 3 --hold 0 --metrics "$AT" --csv "$BATS_TEST_TMPDIR/other.csv" >"$OUT" 2>"$ERR" 3>&- || code=$?
    expect_code 3
    expect_one_sentence
    expect_in "$ERR" "--metrics \"$AT\": Address already in use; choose another port"
    expect_empty "$OUT"
    [[ ! -e $BATS_TEST_TMPDIR/other.csv ]]
  done
  # A dry run opens nothing, so that nothing is in its way.
  "$STORM" --dry-run --conns 3 --port 16000 --metrics "$AT" >"$OUT" 2>"$ERR" 3>&-
  storm_pid=$first
  stop_storm
}

@test "on a port of the lanes: exit status 3, and one sentence" {
  code=0
  "$STORM" --conns 3 --hold 0 --metrics 127.0.0.1:15000 >"$OUT" 2>"$ERR" 3>&- || code=$?
  expect_code 3
  expect_one_sentence
  expect_in "$ERR" "port 15000 is in use"
  expect_in "$ERR" "--port"
}

@test "it is there before the first connection and goes with the run, however that ends" {
  start_storm --order never-close --conns 10 --hold 100ms --metrics "$AT"
  end_storm "$LONG"
  expect_code 0
  is_closed
  start_storm --order never-close --conns 10 --hold forever --metrics "$AT"
  wait_until 10 is_served
  wait_for_row open 1
  open_door # and keeps it
  kill -KILL "$storm_pid"
  wait_until "$PATIENCE" is_closed # no worker has it
  exec {door}>&-
  end_storm "$PATIENCE"
  wait_until "$PATIENCE" no_process
  expect_no_process
  # Over at once, with somebody waiting.
  start_storm --order never-close --conns 10 --hold forever --metrics "$AT"
  wait_for_row open 1
  open_door
  stop_storm
  [[ -z $(timeout 5 cat <&"$door") ]]
  exec {door}>&-
}

# ---- who must not disturb ----

# ask_at_once N: N connections, and then a request on each; fails where one has no page.
ask_at_once() {
  local -a doors=()
  local i page
  for ((i = 0; i < $1; i++)); do
    open_door || return 1
    doors+=("$door")
  done
  for door in "${doors[@]}"; do
    printf 'GET /metrics HTTP/1.0\r\n\r\n' >&"$door" || return 1
  done 2>/dev/null
  for door in "${doors[@]}"; do
    page=$(timeout 20 cat <&"$door")
    exec {door}>&-
    [[ $page == *'tcpstorm_connections_wanted 1000'* ]] || return 1
  done
}

@test "many monitors at once get their page, and the counts are exact" {
  local hold served
  for hold in 1s 10s; do # longer where the machine is so busy that the run is over before all have asked
    start_storm --order server-first --conns 1000 --hold "$hold" --metrics "$AT"
    wait_for_row open 1
    served=yes
    (trap '' PIPE; ask_at_once 100) || served= # the run may be over
    end_storm "$LONG"
    expect_code 0
    [[ ! $served ]] || break
  done
  [[ $served ]]
  check_csv "$CSV"
  expect_settled open server established=1000 gone=0
  expect_settled server-close server fin_wait2=1000 gone=0
  expect_settled server-close client close_wait=1000 gone=0
  expect_settled client-close server time_wait=1000
  expect_settled client-close client gone=1000
}

# never_reads N: asks so often, and reads no answer.
never_reads() {
  local i
  open_door
  for ((i = 0; i < $1; i++)); do
    printf 'GET /metrics HTTP/1.1\r\nHost: here\r\n\r\n' >&"$door"
  done
  read -r -t 60 </dev/zero || true
}

@test "who asks and never reads, says half a word, nothing or rubbish is not waited for" {
  local silent half rubbish
  start_storm --order server-first --conns 1000 --hold 1s --metrics "$AT"
  wait_until 10 is_served
  never_reads 20000 3>&- &
  others+=($!)
  open_door
  silent=$door
  open_door
  half=$door
  printf 'GET /metr' >&"$half"
  open_door
  rubbish=$door
  head -c 4000 /dev/urandom >&"$rubbish"
  wait_for_row open 1
  scrape
  wait_for_row server-close 1
  scrape
  [[ $(sample 'tcpstorm_connection_states{side="client",state="close_wait"}') == 1000 ]]
  end_storm "$LONG"
  expect_code 0
  expect_in "$OUT" "As expected."
  check_csv "$CSV"
  expect_settled open server established=1000 gone=0
  expect_settled client-close server time_wait=1000
  expect_settled client-close client gone=1000
  is_closed
  [[ -z $(timeout 5 cat <&"$silent") && -z $(timeout 5 cat <&"$half") ]]
}

@test "the counts of the lanes know nothing of the monitor" {
  local i
  start_storm --order never-close --conns 100 --hold forever --interval 50ms --metrics "$AT"
  wait_for_row open 1
  for ((i = 0; i < 20; i++)); do
    scrape
    [[ $(sample 'tcpstorm_connection_states{side="server",state="established"}') == 100 ]]
    [[ $(sample 'tcpstorm_open_fds{side="server"}') == 100 ]]
  done
  stop_storm
  # Every look of the hold, too.
  [[ $(awk -F, '$4 == "open" && $5 == 1 { print $7, $11, $19, $20 }' "$CSV" | sort -u) == '100 100 0 100' ]]
}

# descriptors_of PID: how many it has open.
descriptors_of() {
  find "/proc/$1/fd" -mindepth 1 2>/dev/null | wc -l
}

@test "a controller without descriptors lets nobody in, says so once, and is itself afterwards" {
  local i doors=() before
  start_storm --order never-close --conns 20 --hold forever --interval 50ms --metrics "$AT"
  wait_for_row open 1
  wait_until 10 is_served
  before=$(prlimit --pid "$storm_pid" --nofile --output SOFT --noheadings)
  prlimit --pid "$storm_pid" --nofile="$(lowest_limit):"
  for ((i = 0; i < 20; i++)); do
    open_door
    doors+=("$door")
  done
  wait_until 10 grep -q "a monitor's connection cannot be accepted: Too many open files" "$ERR"
  expect_rest
  (($(grep -c 'connection cannot be accepted' "$ERR") == 1))
  (($(wc -c <"$ERR") < 1000))
  prlimit --pid "$storm_pid" --nofile="${before// /}:"
  for door in "${doors[@]}"; do
    exec {door}>&-
  done
  wait_until 20 scrape
  stop_storm
  check_csv "$CSV"
}

# The first number that is free: whoever wants a descriptor gets none.
lowest_limit() {
  local fd=0
  while [[ -e /proc/$storm_pid/fd/$fd ]]; do
    fd=$((fd + 1))
  done
  say "$fd"
}

# It takes less than half of a processor: one that spins takes all that it can get.
expect_rest() {
  local ticks began
  ticks=$(cpu_ticks)
  began=$SECONDS
  wait_until 20 has_rows 40
  ticks=$(($(cpu_ticks) - ticks))
  ((ticks * 2 < (SECONDS - began + 1) * $(getconf CLK_TCK))) || { say "$ticks ticks in $((SECONDS - began)) s"; return 1; }
}

cpu_ticks() {
  local words
  read -r -a words <"/proc/$storm_pid/stat"
  say "$((words[13] + words[14]))"
}

# has_rows N: so many more than the first time that it was asked.
has_rows() {
  local rows
  rows=$(wc -l <"$CSV")
  : "${rows_at_first:=$rows}"
  ((rows >= rows_at_first + $1))
}

@test "more connections than it takes: the oldest goes, and who asks is answered" {
  local i doors=()
  start_storm --order never-close --conns 20 --hold forever --metrics "$AT"
  wait_for_row open 1
  for ((i = 0; i < 200; i++)); do
    open_door
    doors+=("$door")
  done
  scrape
  [[ $(sample tcpstorm_connections_opened) == 20 ]]
  [[ -z $(timeout 5 cat <&"${doors[0]}") ]]
  (($(descriptors_of "$storm_pid") < 180))
  for door in "${doors[@]}"; do
    exec {door}>&-
  done
  stop_storm
}
