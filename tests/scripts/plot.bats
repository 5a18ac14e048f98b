#!/usr/bin/env bats
# shellcheck disable=SC2154,SC2030,SC2031 # bats sets status, output, stderr and their lines, anew for each test
#
# scripts/plot: what is in the picture, and what it says to input that it cannot take. The CSV files are the program's
# own, made once for all tests here; what a run cannot be made to show is in rows of the tests' own.

bats_require_minimum_version 1.5.0

# shellcheck source=tests/scripts/preloaded.bash
source "$BATS_TEST_DIRNAME/preloaded.bash"

plot=$BATS_TEST_DIRNAME/../../scripts/plot

# make_run NAME ARGUMENT...: what is wrong with a run shows in the test that draws it.
make_run() {
  local name=$1
  shift
  timeout 60 "$TCPSTORM" "$@" --isolate --quiet --csv "$name.csv" >"$name.log" 2>&1 || true
}

setup_file() {
  local order
  preloaded_start
  cd "$BATS_FILE_TMPDIR" || return 1
  make_small >small.csv
  if ! unshare -rn true 2>/dev/null && ! "$TCPSTORM" --dry-run --quiet --isolate >/dev/null 2>&1; then
    touch no-namespace
    return 0
  fi
  for order in server-first leak abort backlog; do make_run "$order" --conns 200 --order "$order" --hold 1s & done
  make_run states state all --conns 50 --hold 100ms &
  make_run outage --cause ignore-eof --rate 200 --duration 3s --server-nofile 128 --backlog 16 &
  for order in $(jobs -p); do [[ $order == "$PRELOADED_PID" ]] || wait "$order"; done
}

teardown_file() {
  preloaded_stop
}

setup() {
  set +T # see tests/README.md: bats would note the whole stack at each command of our functions
  mkdir "$BATS_TEST_TMPDIR/tmp" "$BATS_TEST_TMPDIR/here"
  cd "$BATS_TEST_TMPDIR/here" || return 1
}

# ---- input ----

# use NAME...: puts NAME.csv of a real run here.
use() {
  local name
  [[ ! -e $BATS_FILE_TMPDIR/no-namespace ]] || skip 'this machine refuses a private network namespace'
  for name; do
    cp "$BATS_FILE_TMPDIR/$name.csv" . || return 1
    (($(wc -l <"$name.csv") > 4)) || { cat "$BATS_FILE_TMPDIR/$name.log" && return 1; }
  done
}

csv_header=order,conns,t_s,step,settled,side,opened,listen,syn_sent,syn_recv,established,fin_wait1,fin_wait2,close_wait,closing,last_ack,time_wait,close,gone,fds,errors,look_s,ghosts,unread,unowned,queued,dropped,late,connect_s,nofile

# row ORDER CONNS T STEP SIDE [COLUMN=VALUE...]: what is not named is 0.
row() {
  local -A value=([order]=$1 [conns]=$2 [t_s]=$3 [step]=$4 [side]=$5 [settled]=1 [look_s]=0.001)
  local column line=
  shift 5
  for column; do value[${column%%=*}]=${column#*=}; done
  for column in ${csv_header//,/ }; do line+=,${value[$column]:-0}; done
  echo "${line#,}"
}

# A short good file: four rows of 5 connections.
small() { cat "$BATS_FILE_TMPDIR/small.csv"; }

make_small() {
  echo "$csv_header"
  row leak 5 0.1 open server established=5 fds=5
  row leak 5 0.1 open client established=5 fds=5
  row leak 5 1.1 client-close server close_wait=5 fds=5
  row leak 5 1.1 client-close client fin_wait2=5
}

# when FILE FORMAT CONDITION: FORMAT filled in with when, after the order began (or the first look), a row for which awk's CONDITION holds
# first comes; c[NAME] is a column. Nothing if there is no such row.
when() {
  awk -F, -v format="$2" '
    NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
    { for (name in at) c[name] = $at[name] }
    NR == 2 { start = "began_s" in c ? c["began_s"] : c["t_s"] }
    '"$3"' { printf format, c["t_s"] - start; exit }' "$1"
}

# date_of FILE SIDE COLUMN: the date in that column, in seconds since the order began. Nothing if there is none.
date_of() {
  awk -F, -v side="$2" -v column="$3" '
    NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
    $at["side"] == side && $at[column] > 0 { date = sprintf("%.1f s", $at[column] - $at["began_s"]) }
    END { print date }' "$1"
}

# ---- asserting ----

fail_with() {
  printf '%s\n' "$1" "status: $status" "stdout: ${output:0:3000}" "stderr: $stderr"
  return 1
}

draw() {
  TMPDIR=$BATS_TEST_TMPDIR/tmp run --separate-stderr preloaded plot "$@"
}

assert_nothing_left() {
  local left
  left=$(find "$BATS_TEST_TMPDIR/tmp" -mindepth 1; find . -name '.plot.*')
  [[ -z $left ]] || fail_with "temporary files were left: $left"
}

# The texts of a picture are put into $output, a line for each.
take_texts() {
  output=$(grep -o '>[^<]*<' "$1" | sed -e 's/^>//' -e 's/<$//' -e '/^[[:space:]]*$/d')
}

# drawn ARGUMENT...: draws picture.svg without a word; its texts are in $output.
drawn() {
  draw "$@" -o picture.svg
  ((status == 0)) || fail_with 'a picture was expected' || return 1
  [[ -z $output$stderr ]] || fail_with 'nothing was expected on stdout or stderr' || return 1
  assert_nothing_left || return 1
  take_texts picture.svg
}

assert_texts() {
  local text
  for text; do
    grep -Fqx -- "$text" <<<"$output" || fail_with "not a text of the picture: $text" || return 1
  done
}

# Parts of texts.
assert_none() {
  local part
  for part; do
    [[ $output != *"$part"* ]] || fail_with "in the picture: $part" || return 1
  done
}

# assert_times N TEXT: so many texts are just that.
assert_times() {
  (($(grep -Fcx -- "$2" <<<"$output") == $1)) || fail_with "$1 times was expected: $2"
}

assert_whole_svg() {
  [[ $(head -n 1 picture.svg) == '<?xml '* && $(grep -v '^[[:space:]]*$' picture.svg | tail -n 1) == '</svg>' ]] ||
    fail_with 'the SVG is cut' || return 1
  grep -q 'width="800" height="[0-9]' picture.svg || fail_with 'not 800 px wide'
}

# refused CODE PART... -- ARGUMENT...: one sentence with all the parts, no picture, no temporary file.
refused() {
  local code=$1 parts=() part
  shift
  while [[ $1 != -- ]]; do parts+=("$1") && shift; done
  shift
  draw "$@"
  ((status == code)) || fail_with "exit code $code was expected" || return 1
  ((${#stderr_lines[@]} == 1)) || fail_with 'one line was expected on stderr' || return 1
  for part in 'scripts/plot: ' "${parts[@]}"; do
    [[ $stderr == *"$part"* ]] || fail_with "not on stderr: $part" || return 1
  done
  [[ -z $output && -z $(find . -name '*.svg' -o -name '*.png' -o -name '*.pdf') ]] || fail_with 'no picture was expected' || return 1
  assert_nothing_left
}

refused_file() {
  local file=${*: -1}
  refused 2 "${@:1:$#-1}" -- "$file" -o picture.svg
}

# png_number FILE OFFSET: the four bytes there.
png_number() {
  local bytes
  read -ra bytes < <(od -An -j "$2" -N 4 -tu1 "$1")
  echo $((((bytes[0] * 256 + bytes[1]) * 256 + bytes[2]) * 256 + bytes[3]))
}

# ---- pictures ----

@test "an SVG is whole and 800 px wide" {
  use leak states
  drawn leak.csv
  assert_whole_svg
  grep -q "font: bold [0-9.]*px 'DejaVu Sans',Arial,sans-serif" picture.svg || grep -q "font: 700 [0-9.]*px 'DejaVu Sans',Arial,sans-serif" picture.svg ||
    fail_with 'no font to fall back on'
  assert_texts 'TCP states, per side'
  (($(grep -o '<title>' picture.svg | wc -l) == 1)) || fail_with 'a curve has a title: a browser shows it under the pointer'
  drawn states.csv
  assert_whole_svg
}

@test "a PNG is whole, 1600 dots wide, and twice as high as the SVG" {
  local height
  use leak
  drawn leak.csv
  height=$(sed -n 's/.*width="800" height="\([0-9]*\)".*/\1/p' picture.svg | head -n 1)
  draw leak.csv -o picture.png
  ((status == 0)) && [[ -z $output$stderr ]] || fail_with 'a picture was expected'
  [[ $(od -An -N 8 -tx1 picture.png) == ' 89 50 4e 47 0d 0a 1a 0a' ]] || fail_with 'not a PNG'
  [[ $(tail -c 8 picture.png | head -c 4) == IEND ]] || fail_with 'the PNG is cut'
  (($(png_number picture.png 16) == 1600)) || fail_with 'not 1600 dots wide'
  (($(png_number picture.png 20) == 2 * height)) || fail_with "not twice $height dots high"
  assert_nothing_left
}

# occurring FILE: the states that it has rows of, a line for each. A listener is one only in the run of that state.
occurring() {
  awk -F, '
    NR == 1 { for (i = 1; i <= NF; i++) name[i] = $i; next }
    { for (i = 8; i <= 19; i++) if ($i > 0 && (name[i] != "listen" || $1 == "LISTEN")) print name[i] == "gone" ? "gone" : toupper(name[i]) }
  ' "$1" | sort -u
}

@test "the legend has every state that occurs, in words, and no other" {
  local name state legend
  use server-first outage states
  for name in server-first outage states; do
    drawn "$name.csv"
    occurring "$name.csv" >found
    for state in LISTEN SYN_SENT SYN_RECV ESTABLISHED FIN_WAIT1 FIN_WAIT2 CLOSE_WAIT CLOSING LAST_ACK TIME_WAIT CLOSE gone; do
      case $state in
        gone) legend='gone (no socket left)' ;;
        FIN_WAIT2) legend='FIN_WAIT2 (waits for the other side)' ;;
        CLOSE_WAIT) legend='CLOSE_WAIT (owes a close())' ;;
        TIME_WAIT) legend='TIME_WAIT (ends by itself)' ;;
        *) legend=$state ;;
      esac
      if grep -qx "$state" found; then
        assert_texts "$legend"
      else
        ! grep -Eq "^$state( |\$)" <<<"$output" || fail_with "$name.csv has no $state and the picture has"
      fi
    done
  done
}

# ---- which picture ----

@test "one run is a timeline; --histogram draws its steps" {
  use leak
  drawn leak.csv
  assert_texts 'Sockets in each TCP state over time, per side, as the kernel reports them' 'leak, 200 connections' \
    server client seconds open client-close 'CLOSE_WAIT 200' 'server owes a close()'
  assert_times 1 seconds
  cp picture.svg first.svg
  drawn leak.csv --timeline
  cmp first.svg picture.svg
  drawn --histogram leak.csv
  assert_texts 'Sockets in each TCP state after each step, per side, as the kernel reports them' 'leak, 200 connections' \
    server client open client-close 'CLOSE_WAIT 200' 'The server owes 200 close() calls.'
  assert_times 2 'ESTABLISHED 200'
  assert_none seconds
}

@test "descriptors of gone connections are drawn apart from what is only gone" {
  "$TCPSTORM" --isolate --order abort --conns 20 --leak 5 --hold 100ms --quiet --csv left.csv
  drawn left.csv
  assert_texts 'The server owes 5 close() calls.' 'not closed (gone, descriptor left: owes a close())'
  use leak
  drawn leak.csv
  assert_none 'not closed (gone, descriptor left: owes a close())'
}

@test "a TIME_WAIT whose descriptor is still open is owed, and drawn apart" {
  {
    echo "$csv_header"
    row half-close 10 1 open server gone=10
    row half-close 10 1 open client time_wait=6 gone=4 ghosts=7 fds=7
  } >a.csv
  drawn a.csv
  assert_texts 'The client owes 7 close() calls.' 'TIME_WAIT, not closed 3' 'not closed 4' 'TIME_WAIT 3' \
    'TIME_WAIT, not closed (descriptor left: owes a close())'
}

@test "a FIN_WAIT2 whose descriptor is still open is drawn apart: no timer ends it. It is no debt" {
  csv_header+=,half_closed
  {
    echo "$csv_header"
    row half-close 10 1 open server close_wait=0 gone=10
    row half-close 10 1 open client fin_wait2=10 half_closed=6
  } >a.csv
  drawn a.csv
  assert_texts 'FIN_WAIT2, not closed (descriptor left: no timer ends it)' 'FIN_WAIT2 (waits for the other side)' \
    'FIN_WAIT2, not closed 6' 'FIN_WAIT2 4' 'Nobody owes a close().'
  { echo "$csv_header" && row half-close 10 1 open client fin_wait2=10; } >a.csv
  drawn a.csv
  assert_texts 'FIN_WAIT2 10'
  assert_none 'not closed'
}

@test "what a proxy holds behind it is a line, on the scale of its clients" {
  csv_header+=,elsewhere
  {
    echo "$csv_header"
    row arrivals 10 1 arrivals server gone=10 elsewhere=40
    row arrivals 10 1 arrivals client gone=10
  } >a.csv
  drawn a.csv
  assert_texts 'connections of the server to its backend' 'gone 10' 40
  grep -q 'stroke: #332288' picture.svg || fail_with 'there is no line'
  { echo "$csv_header" && row arrivals 10 1 arrivals server gone=10; } >a.csv
  drawn a.csv
  assert_none backend
}

@test "a bug and its fixed twin have one scale, of time too" {
  {
    echo "$csv_header"
    row bug 400 1 arrivals client established=1
    row bug 400 9 arrivals client established=400
    row bug-fixed 400 1 arrivals client established=1
    row bug-fixed 400 5 arrivals client established=2
  } >a.csv
  drawn a.csv --timeline
  assert_times 4 400 # of two runs, on two panels each
  assert_times 2 8
}

@test "what is lost is a rate, in a panel of its own; a run beside it that loses nothing says so" {
  csv_header+=,lost
  {
    echo "$csv_header"
    row bug 10 1 arrivals client gone=1
    row bug 10 2 arrivals client gone=5 lost=4
    row bug 10 3 arrivals client gone=9 lost=8
    row bug-fixed 10 1 arrivals client gone=1
    row bug-fixed 10 3 arrivals client gone=9
  } >a.csv
  drawn a.csv --timeline
  assert_texts '8 lost' 'none is lost'
  assert_times 2 'lost /s'
  assert_times 2 seconds
  grep '^order\|^bug-fixed' a.csv >b.csv
  drawn b.csv
  assert_none lost
}

@test "a flow among several runs is shown at round times" {
  "$TCPSTORM" --isolate --cause ignore-eof --rate 50 --duration 2s --quiet --csv flow.csv
  use leak
  drawn flow.csv leak.csv
  assert_texts '1 s' '2 s' 'The server owes 100 close() calls.'
}

@test "several runs are histograms; --timeline draws each over time" {
  use leak server-first abort
  drawn leak.csv server-first.csv abort.csv
  assert_texts 'Sockets in each TCP state after each step, per side, as the kernel reports them' 'leak, 200 connections' \
    'server-first, 200 connections' 'abort, 200 connections' 'not closed 200'
  assert_times 3 server
  assert_none seconds
  cp picture.svg first.svg
  drawn leak.csv server-first.csv abort.csv --histogram
  cmp first.svg picture.svg
  drawn leak.csv server-first.csv abort.csv --timeline
  assert_texts 'Sockets in each TCP state over time, per side, as the kernel reports them' 'leak, 200 connections' \
    'server-first, 200 connections' 'abort, 200 connections'
  assert_times 3 seconds
}

@test "the last look of a step is its bar, the last settled one if there is one" {
  {
    echo "$csv_header"
    row leak 5 0.1 open server established=3 gone=2 settled=0
    row leak 5 0.2 open server established=5
    row leak 5 0.3 open server established=4 gone=1 settled=0
    row leak 5 0.3 open client fin_wait1=5 settled=0
    row leak 5 0.4 open client fin_wait2=5 settled=0
  } >a.csv
  drawn --histogram a.csv
  assert_texts 'ESTABLISHED 5' 'FIN_WAIT2 5'
  assert_none 'FIN_WAIT1 5' 'ESTABLISHED 4' 'ESTABLISHED 3'
}

@test "runs come from several files or from one, with and without a header between them" {
  use leak server-first abort
  drawn leak.csv server-first.csv abort.csv
  cp picture.svg several.svg
  cat leak.csv server-first.csv abort.csv >all.csv
  drawn all.csv
  cmp several.svg picture.svg
  { cat leak.csv && tail -q -n +2 server-first.csv abort.csv; } >all.csv
  drawn all.csv
  cmp several.svg picture.svg
}

@test "two runs of one order are numbered, others are not" {
  use leak abort
  drawn leak.csv abort.csv leak.csv
  assert_texts 'leak, 200 connections (1)' 'leak, 200 connections (2)' 'abort, 200 connections'
  { cat leak.csv && tail -n +2 leak.csv; } >twice.csv
  drawn twice.csv
  assert_texts 'leak, 200 connections (1)' 'leak, 200 connections (2)'
}

@test "a header begins a run, even of the same order at a later time" {
  { small && small | sed 's/^leak,5,/leak,5,1/'; } >a.csv
  drawn a.csv
  assert_texts 'leak, 5 connections (1)' 'leak, 5 connections (2)'
}

@test "LISTEN is drawn in the run of that state, and in no other" {
  use states leak
  drawn states.csv
  assert_texts 'LISTEN, 50 sockets' LISTEN 'LISTEN 50'
  { head -n 1 states.csv && grep '^LISTEN,' states.csv; } >listen.csv
  drawn listen.csv
  assert_texts 'LISTEN, 50 sockets' 'LISTEN 50' 'Nobody owes a close().'
  drawn leak.csv
  assert_none LISTEN
}

@test "one connection is not several" {
  { echo "$csv_header" && row leak 1 0.1 open server established=1 && row leak 1 0.1 open client established=1; } >a.csv
  drawn a.csv
  assert_texts 'leak, 1 connection'
}

# ---- who owes a close() ----

@test "who owes a close() is said of one run: at the end, and before" {
  local from to
  use leak backlog abort server-first states
  drawn leak.csv
  assert_texts 'The server owes 200 close() calls.'
  drawn backlog.csv
  assert_texts 'Nobody can close 200 connections: the server never accepted them.'
  from=$(when abort.csv %.1f 'c["side"] == "server" && c["ghosts"] > 0')
  to=$(when abort.csv %.1f 'c["side"] == "server" && c["step"] == "server-close" && c["ghosts"] == 0')
  [[ -n $from && -n $to ]] || fail_with 'the run has no descriptors of nothing to tell of'
  drawn abort.csv
  assert_texts "Nobody owes a close() at the end; the server owed 200, from $from to $to s."
  { head -n 1 states.csv && grep '^CLOSE,' states.csv; } >close.csv
  drawn close.csv
  assert_texts 'The server owes 50 close() calls.'
  from=$(when server-first.csv %.1f 'c["side"] == "client" && c["close_wait"] > 0')
  to=$(when server-first.csv %.1f 'c["side"] == "client" && c["step"] == "client-close" && c["close_wait"] == 0')
  [[ -n $from && -n $to ]] || fail_with 'the run has no debt to tell of'
  drawn server-first.csv
  assert_texts "Nobody owes a close() at the end; the client owed 200, from $from to $to s."
  drawn --histogram server-first.csv
  assert_texts "Nobody owes a close() at the end; the client owed 200, from $from to $to s."
}

@test "who owes a close() is said of several runs in short" {
  use leak backlog abort server-first
  drawn leak.csv backlog.csv abort.csv server-first.csv
  assert_texts 'The server owes 200 close() calls.' 'Nobody can close 200 connections: the server never accepted them.' \
    'Nobody owes a close() at the end; the server did before.' 'Nobody owes a close() at the end; the client did before.'
}

# owes SENTENCE SHORT ROW...: what is said of the rows, which are those of `row` after the number of connections.
owes() {
  local sentence=$1 short=$2 fields
  shift 2
  echo "$csv_header" >owes.csv
  for fields; do
    read -ra fields <<<"$fields"
    row an-order 1500 "${fields[@]}" >>owes.csv
  done
  drawn owes.csv
  assert_texts "$sentence"
  drawn owes.csv owes.csv
  assert_times 2 "$short"
}

@test "who owes a close(): what no short run shows" {
  owes 'Both sides owe a close(): the server 1,400, the client 2.' 'Both sides owe a close(): the server 1,400, the client 2.' \
    '1 open server close_wait=1400' '1 open client close_wait=2'
  owes 'The server owes 6 close() calls; 4 more were never accepted.' \
    'The server owes 6 close() calls; 4 more were never accepted.' '1 open server close_wait=10 unowned=4' '1 open client fin_wait2=10'
  owes 'The server owes 3 close() calls.' \
    'The server owes 3 close() calls.' '1 open server close_wait=1 gone=2 ghosts=2' \
    '1 open client gone=3'
  owes 'The client owes 3 close() calls.' 'The client owes 3 close() calls.' '1 open client gone=3 ghosts=3'
  owes 'Nobody owes a close() at the end; the server owed 5, from 1.0 to 3.0 s; the client owed 7, from 2.0 to 3.0 s.' \
    'Nobody owes a close() at the end; both sides did before.' \
    '10 open server established=7' '10 open client established=7' \
    '11 one server close_wait=5' '11 one client established=7' '12 one server close_wait=4' '12 one client close_wait=7' \
    '13 two server gone=7' '13 two client gone=7'
  owes 'Nobody owes a close() at the end; the server owed 5, from 0.0 to 1.0 s.' \
    'Nobody owes a close() at the end; the server did before.' '1 one server close_wait=5' '2 two server gone=5'
}

@test "connections that are accepted late are owed from then on" {
  owes 'The server owes 10 close() calls.' 'The server owes 10 close() calls.' \
    '1 open server close_wait=10 unowned=10' '1 open client fin_wait2=10' \
    '2 open server close_wait=10 unowned=0' '2 open client fin_wait2=10'
}

@test "of a flow it says up to how many were owed" {
  {
    echo "$csv_header"
    row slow-client 100 1 arrivals server close_wait=3
    row slow-client 100 1 arrivals client fin_wait2=3
    row slow-client 100 2 arrivals server close_wait=30
    row slow-client 100 3 arrivals server gone=100
    row slow-client 100 3 arrivals client gone=100
  } >flow.csv
  drawn flow.csv
  assert_texts arrivals 'Nobody owes a close() at the end; the server owed up to 30, from 0.0 to 2.0 s.'
}

# ---- what is marked ----

@test "an outage has its limit and its failures marked, when the CSV has them" {
  local accept connect syn owes unowned
  use outage
  accept=$(date_of outage.csv server failed_s)
  connect=$(date_of outage.csv client failed_s)
  syn=$(date_of outage.csv server dropped_s)
  [[ -n $accept && -n $connect && -n $syn ]] || fail_with 'the outage has failures missing'
  unowned=$(grep ',server,' outage.csv | tail -n 1 | cut -d, -f25)
  owes=$(($(grep ',server,' outage.csv | tail -n 1 | cut -d, -f14) - unowned))
  ((owes > 0 && unowned > 0)) || fail_with 'the outage leaves nothing behind'
  drawn outage.csv
  assert_texts "first failed accept(), $accept" "first failed connect(), $connect" "first SYN dropped, $syn" \
    'ignore-eof, 600 connections' "The server owes $owes close() calls; $unowned more were never accepted." \
    "server owes $owes close(), of $unowned nobody can"
  assert_times 1 'limit: 128 descriptors'
  drawn outage.csv --histogram
  assert_texts "The server owes $owes close() calls; $unowned more were never accepted."
  assert_none first limit
}

@test "a run without failures has no such marks" {
  use leak
  drawn leak.csv
  assert_none 'first failed' 'first SYN' limit
}

# marked ROW...: draws rows as those of `owes`.
marked() {
  local fields
  echo "$csv_header" >marked.csv
  for fields; do
    read -ra fields <<<"$fields"
    row an-order 100 "${fields[@]}" >>marked.csv
  done
  drawn marked.csv
}

@test "each failure is marked for itself, by its side and its first time" {
  marked '5 open server established=9' '5 open client established=9' '5.5 open server established=9 errors=1' \
    '6.5 open server established=9 errors=4' '6.5 open client established=9'
  assert_texts 'first failed accept(), 0.5 s'
  assert_none 'connect()' SYN
  marked '5 open server established=9' '5 open client established=9' '5.5 open client established=9' \
    '6.5 open client established=9 errors=2' '7.5 open client established=9 errors=3'
  assert_texts 'first failed connect(), 1.5 s'
  assert_none 'accept()' SYN
}

@test "SYNs that were dropped before the run are not its own" {
  marked '5 open server established=9 dropped=7' '5 open client established=9' '6 open server established=9 dropped=7' \
    '7 open client established=9'
  assert_none SYN
  marked '5 open server established=9 dropped=7' '5 open client established=9' '6 open server established=9 dropped=8' \
    '7 open client established=9'
  assert_texts 'first SYN dropped, 1.0 s'
}

@test "the limit is drawn only for a side that comes near it" {
  marked '5 open server established=100 fds=60 nofile=80' '5 open client established=100 fds=30 nofile=90'
  assert_texts 'limit: 80 descriptors'
  assert_none 'limit: 90'
  marked '5 open server established=100 fds=39 nofile=80' '5 open client established=100 fds=100 nofile=201'
  assert_none limit
}

# ---- input that is taken ----

@test "a CSV of before the later columns is drawn as far as it goes" {
  use outage leak states backlog
  cut -d, -f1-22 leak.csv >old.csv
  drawn old.csv
  assert_texts 'leak, 200 connections' 'The server owes 200 close() calls.' 'CLOSE_WAIT 200'
  { head -n 1 states.csv && grep '^CLOSE,' states.csv; } | cut -d, -f1-22 >old.csv
  drawn old.csv
  assert_texts 'The server owes 50 close() calls.'
  cut -d, -f1-22 backlog.csv >old.csv
  drawn old.csv
  assert_texts 'The server owes 200 close() calls.'
  cut -d, -f1-22 outage.csv >old.csv
  drawn old.csv
  assert_texts "first failed accept(), $(when old.csv '%.1f s' 'c["side"] == "server" && c["errors"] > 0')"
  assert_none limit 'first SYN'
}

@test "columns in another order, more of them, empty lines and CR LF are taken" {
  small >a.csv
  drawn a.csv
  cp picture.svg plain.svg
  { small && echo; } | sed 's/$/\r/' >a.csv
  drawn a.csv
  cmp plain.svg picture.svg
  small | awk -F, -v OFS=, '{ print (NR == 1 ? "more" : "x y"), $0, (NR == 1 ? "again" : "") }' >a.csv
  drawn a.csv
  cmp plain.svg picture.svg
  small | awk -F, -v OFS=, '{ t = $3; $3 = $6; $6 = t; print }' >a.csv
  drawn a.csv
  cmp plain.svg picture.svg
}

@test "- is standard input" {
  use leak abort
  drawn leak.csv abort.csv
  cp picture.svg files.svg
  drawn - abort.csv <leak.csv
  cmp files.svg picture.svg
  "$plot" <(cat leak.csv) abort.csv -o picture.svg
  cmp files.svg picture.svg
}

@test "names with spaces, =, quotes and a dash in front do no harm" {
  local name
  small >good.csv
  drawn good.csv
  cp picture.svg good.svg
  for name in 'a b.csv' 'a=b.csv' 'cut=3' "it's \"1\" \$HOME.csv" '*' "$PWD/a=b.csv"; do
    cp good.csv "$name"
    drawn "$name"
    cmp good.svg picture.svg
  done
  cp good.csv ./-x.csv
  draw -o -- -x.csv
  ((status == 2)) || fail_with '-- is no picture'
  draw -o '-a b=c.svg' -- -x.csv
  ((status == 0)) && [[ -z $output$stderr ]] || fail_with 'a picture was expected'
  cmp good.svg './-a b=c.svg'
  small | sed 2s/,5,/,five,/ >'a = b.csv'
  rm -f -- *.svg
  refused_file 'a = b.csv, line 2: column "conns"' 'a = b.csv'
}

@test "a hundred thousand rows are drawn" {
  {
    echo "$csv_header"
    awk 'BEGIN {
      for (i = 0; i < 50000; i++) {
        n = i % 500
        for (side = 0; side < 2; side++)
          printf "leak,1000,%.6f,%s,1,%s,1000,1,0,0,%d,0,0,%d,0,0,0,0,0,1000,0,0.001,0,0,0,0,0,0,0,2000\n", i / 100,
            i < 25000 ? "open" : "client-close", side ? "client" : "server", 1000 - n, n
      }
    }'
  } >long.csv
  drawn long.csv
  assert_whole_svg
  (($(wc -c <picture.svg) < 4000000)) || fail_with 'the picture should have been thinned'
  assert_texts open client-close 'Both sides owe a close(): the server 499, the client 499.' 500
}

@test "of looks that share a column of pixels the peaks of each state are drawn" {
  PYTHONPATH=$BATS_TEST_DIRNAME/../../scripts/lib /usr/bin/python3 - <<'END'
import numpy
from plot.timeline import thinned

looks, width = 20000, 100
px = numpy.linspace(0, width, looks, endpoint=False)
counts = numpy.random.default_rng(7).integers(0, 1000, (looks, 3))
counts[12345] = 0, 5000, 0  # for one look only
edges, drawn = thinned(px, counts, width)
assert len(drawn) <= 10 * width, len(drawn)
assert len(edges) == len(drawn) + 1 and (numpy.diff(edges) > 0).all() and edges[-1] == width
for column in range(width):
    before, after = counts[px.astype(int) == column], drawn[edges[:-1].astype(int) == column]
    for of in (lambda some: some, lambda some: some.sum(axis=1)):
        assert (of(before).max(axis=0) == of(after).max(axis=0)).all() and (of(before).min(axis=0) == of(after).min(axis=0)).all(), column
    assert (before[0] == after[0]).all() and (before[-1] == after[-1]).all(), column
# Few looks stay where they are.
edges, drawn = thinned(px[::1000], counts[::1000], width)
assert (edges == numpy.append(px[::1000], width)).all() and (drawn == counts[::1000]).all()
END
}

# ---- a run that was interrupted ----

# A warning, and the picture of the rows before.
drawn_without_last() {
  draw "$@" -o cut.svg
  ((status == 0)) || fail_with 'a picture was expected' || return 1
  [[ -z $output && $stderr == "scripts/plot: $warning" ]] || fail_with "one line was expected on stderr: $warning" || return 1
  assert_nothing_left
  cmp cut.svg picture.svg
}

@test "a last row that was cut is left out, and told" {
  small | head -n 4 >whole.csv
  drawn whole.csv
  { cat whole.csv && printf 'leak,5,1.1,client-cl'; } >a.csv
  warning='a.csv, line 5: the row was cut while it was written and is left out.' drawn_without_last a.csv
  warning='standard input, line 5: the row was cut while it was written and is left out.' drawn_without_last - <a.csv
  # Where the last number was cut all columns are there.
  { cat whole.csv && row leak 5 1.1 client-close client fin_wait2=5 nofile=1 | head -c -1; } >a.csv
  warning='a.csv, line 5: the row was cut while it was written and is left out.' drawn_without_last a.csv
  drawn whole.csv whole.csv
  warning='a.csv, line 5: the row was cut while it was written and is left out.' drawn_without_last a.csv whole.csv
  warning='a.csv, line 5: the row was cut while it was written and is left out.' drawn_without_last whole.csv a.csv
}

@test "a short row anywhere else is an error" {
  { small && echo leak,5,2; } >a.csv
  refused_file 'a.csv, line 6: the row has 3 of 30 columns, "step" is missing.' a.csv
  { small | head -n 3 && echo leak,5,2,open,1 && small | tail -n 1 | head -c -1; } >a.csv
  refused_file 'a.csv, line 4: the row has 5 of 30 columns, "side" is missing.' a.csv
  { small && printf 'leak,5'; } >cut.csv
  { small && echo leak; } >a.csv
  draw cut.csv a.csv -o picture.svg
  ((status == 2)) && [[ $stderr == *'a.csv, line 6: the row has 1 of 30 columns, "conns" is missing.' ]] || fail_with 'the second file is wrong'
}

@test "a header with no whole row is nothing to draw" {
  { echo "$csv_header" && printf 'leak,5,1'; } >a.csv
  draw a.csv -o picture.svg
  ((status == 2)) && [[ $stderr == *'a.csv: there is a header but no rows to draw.' && ! -e picture.svg ]] || fail_with 'nothing to draw'
}

# ---- wrong input ----

@test "a wrong value is told with file, line and column, whichever column it is" {
  local column words bad
  while IFS='|' read -r column bad words; do
    { small | head -n 3 && row leak 5 1.1 client-close server "$column=$bad" && small | tail -n 1; } >a.csv
    refused_file "a.csv, line 4: column \"$column\" should be $words and is \"$bad\"." a.csv
  done <<'END'
order|a b|a name of letters, digits and dashes
order|it's|a name of letters, digits and dashes
conns|five|a whole number from 0 up
t_s|-1|a number of seconds
t_s|1.2.3|a number of seconds
step|x'y|a name of letters, digits and dashes
settled|2|0 or 1
side|both|server or client
listen|x|a whole number from 0 up
established|-1|a whole number from 0 up
close_wait|1e3|a whole number from 0 up
close| 1|a whole number from 0 up
gone|--1|a whole number
errors|x|a whole number from 0 up
look_s|soon|a number of seconds
ghosts|x|a whole number from 0 up
dropped|x|a whole number from 0 up
nofile|x|a whole number from 0 up
END
}

@test "what is no CSV of tcpstorm is told" {
  small >good.csv
  printf 'what,value\nopen,1\n' >a.csv
  refused_file 'a.csv, line 1: not a tcpstorm CSV, the header has no column "order".' a.csv
  small | cut -d, -f1-13,15- >a.csv
  refused_file 'a.csv, line 1: not a tcpstorm CSV, the header has no column "close_wait".' a.csv
  : >a.csv
  refused_file 'a.csv: the file is empty' a.csv
  refused 2 'a.csv: the file is empty' -- a.csv good.csv -o picture.svg
  refused 2 'a.csv: the file is empty' -- good.csv a.csv -o picture.svg
  echo "$csv_header" >a.csv
  refused_file 'a.csv: there is a header but no rows' a.csv
  refused 2 'a.csv: there is a header but no rows' -- good.csv a.csv -o picture.svg
  { echo "$csv_header" && row leak 0 1 open server; } >a.csv
  refused_file 'a.csv, line 2: column "conns" is 0' a.csv
  { printf x && head -c 5000 /dev/urandom; } >a.csv # nor an empty first line
  refused_file 'a.csv, line 1: not a tcpstorm CSV' a.csv
  small | sed '3s/established/x/;3s/open/o pen/' >a.csv
  refused 2 'a.csv, line 3: column "step"' -- good.csv a.csv -o picture.svg
  refused 2 'standard input, line 3: column "step"' -- - -o picture.svg <a.csv
  refused 2 'standard input: the file is empty' -- - -o picture.svg </dev/null
}

@test "more runs than a page has room for are told" {
  local i
  { echo "$csv_header" && for i in {1..65}; do row "run-$i" 5 "$i" open server established=5; done; } >a.csv
  refused_file 'a.csv: more than 64 runs to draw' a.csv
  head -n 65 a.csv >b.csv
  drawn b.csv
  assert_texts 'run-64, 5 connections'
}

@test "wrong usage is told" {
  small >a.csv
  refused 2 'the following arguments are required: FILE' -- -o picture.svg
  refused 2 'the following arguments are required: -o/--output' -- a.csv
  refused 2 'argument -o/--output: expected one argument' -- a.csv -o
  refused 2 '-o picture.gif should end in .svg, .png or .pdf' -- a.csv -o picture.gif
  refused 2 '-o svg should end in .svg, .png or .pdf' -- a.csv -o svg
  refused 2 "argument --format: invalid choice: 'gif' (choose from 'svg', 'png', 'pdf')" -- a.csv -o picture.svg --format gif
  refused 2 'unrecognized arguments: --colour' -- a.csv --colour -o picture.svg
  refused_file 'nowhere.csv cannot be read: no such file or directory.' nowhere.csv
  mkdir folder
  refused_file 'folder cannot be read: is a directory.' folder
  ((EUID == 0)) || { chmod 0 a.csv && refused_file 'a.csv cannot be read: permission denied' a.csv; }
}

@test "--help is on stdout" {
  run --separate-stderr "$plot" --help
  ((status == 0)) && [[ -z $stderr && $output == 'Usage: scripts/plot '*--timeline*--histogram* ]] || fail_with 'help was expected'
}

@test "a link from elsewhere finds the library, and says its own name" {
  small >a.csv
  ln -s "$plot" tcpstorm-plot
  run --separate-stderr ./tcpstorm-plot a.csv -o picture.svg
  ((status == 0)) && [[ -z $output$stderr && -s picture.svg ]] || fail_with 'a picture was expected'
  run --separate-stderr ./tcpstorm-plot nowhere.csv -o picture.svg
  ((status == 2)) && [[ $stderr == 'tcpstorm-plot: nowhere.csv cannot be read: no such file or directory.' ]] || fail_with 'not its name'
}

# ---- writing ----

@test "where the picture cannot be written nothing is left" {
  small >a.csv
  refused 3 'nowhere/picture.svg cannot be written' -- a.csv -o nowhere/picture.svg
  refused 3 '/proc/picture.svg cannot be written' -- a.csv -o /proc/picture.svg
  mkdir folder.png
  draw a.csv -o folder.png
  ((status == 3)) && [[ $stderr == *'folder.png cannot be written: is a directory.' && -z $(ls -A folder.png) ]] || fail_with 'a folder is no picture'
  assert_nothing_left
}

@test "a bad input leaves the old picture as it was, a good one replaces it" {
  small | sed '3s/established/x/;3s/open/o pen/' >bad.csv
  small >good.csv
  echo 'the old picture' >picture.svg
  draw bad.csv -o picture.svg
  ((status == 2)) && [[ $(cat picture.svg) == 'the old picture' ]] || fail_with 'the old picture should have stayed'
  assert_nothing_left
  drawn good.csv
  assert_texts 'leak, 5 connections'
  [[ $(stat -c %a picture.svg) == "$(stat -c %a good.csv)" ]] || fail_with 'the picture should have the usual permissions'
}

assert_old_picture() {
  [[ $(cat old.svg) == 'the old picture' ]] || fail_with 'the old picture should have stayed' || return 1
  assert_nothing_left
}

@test "where the disk is full, and when it is interrupted, the old picture stays and nothing else" {
  local code
  small >a.csv
  echo 'the old picture' >old.svg
  run --separate-stderr bash -c 'ulimit -f 4 && exec "$@"' bash "$plot" a.csv -o old.svg
  ((status == 3)) && [[ $stderr == *'old.svg cannot be written: file too large.' ]] || fail_with 'exit code 3 was expected'
  assert_old_picture
  # It reads from a pipe that nobody ends.
  mkfifo pipe
  exec 7<>pipe
  for code in TERM:143 INT:130; do
    python3 -c 'import signal, os, sys; signal.signal(signal.SIGINT, signal.default_int_handler); os.execvp(sys.argv[1], sys.argv[1:])' \
      "$plot" pipe -o old.svg 2>err 3>&- 7>&- &
    cat a.csv >&7
    wait_until 20 reads_pipe $!
    kill "-${code%:*}" $!
    status=0
    wait $! || status=$?
    ((status == ${code#*:})) || fail_with "exit code ${code#*:} was expected: $(cat err)"
    assert_old_picture
  done
}

# reads_pipe PID: it has opened the pipe.
reads_pipe() {
  readlink "/proc/$1/fd/"* 2>/dev/null | grep -q "$PWD/pipe"
}

wait_until() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < deadline)) || return 1
    sleep 0.05
  done
}

@test "without matplotlib: exit code 3, and the package's name" {
  small >a.csv
  mkdir without
  echo 'raise ModuleNotFoundError(name=__name__)' >without/matplotlib.py
  PYTHONPATH=$PWD/without run --separate-stderr "$plot" a.csv -o picture.svg
  ((status == 3)) && [[ $stderr == *'matplotlib is missing'*'Debian package python3-matplotlib.' && ! -e picture.svg ]] || fail_with 'exit code 3 was expected'
}

@test "a PDF, and whatever format is asked for, on standard output too" {
  small >a.csv
  draw a.csv -o picture.pdf
  ((status == 0)) && [[ $(head -c 5 picture.pdf) == %PDF- && $(tail -c 6 picture.pdf) == %%EOF* ]] || fail_with 'no PDF'
  "$plot" a.csv --format=png -o - >picture.svg
  [[ $(od -An -N 4 -tx1 picture.svg) == ' 89 50 4e 47' ]] || fail_with 'no PNG'
}

@test "what is drawn twice is the same to the byte" {
  small >a.csv
  drawn a.csv
  cp picture.svg first.svg
  drawn a.csv
  cmp first.svg picture.svg
}

# ---- transitions ----

# moves: what tcpstorm --transitions writes of a run.
moves() {
  printf '%s\n' order,side,from,to,count,dwell_p50_s,dwell_p90_s,dwell_p99_s,dwell_max_s \
    'leak,server,gone,SYN_RECV,1000,,,,' leak,server,ESTABLISHED,CLOSE_WAIT,998,0.003,0.004,0.04,0.05 \
    leak,server,ESTABLISHED,gone,2,0.003,0.004,0.04,0.05 'leak,client,gone,SYN_SENT,1000,,,,'
}

@test "--diagram draws an arrow for each move, dashed what is none of the diagram" {
  moves >moves.csv
  "$plot" moves.csv --diagram -o moves.svg
  grep -q '<title>ESTABLISHED to CLOSE_WAIT: 998</title>' moves.svg
  grep -A 3 '<title>ESTABLISHED to CLOSED: 2</title>' moves.svg | grep -q stroke-dasharray
  [[ $(grep -c stroke-dasharray moves.svg) == 2 ]] # its line, and its head
  grep -q '>p50 3 ms, p99 40 ms<' moves.svg
  grep -q '>leak, client<' moves.svg
  grep -q '>998 came, 998 stay<' moves.svg
  moves | "$plot" - --diagram -o piped.svg
  cmp moves.svg piped.svg
}

@test "--diagram says what is no CSV of transitions" {
  moves | sed 's/CLOSE_WAIT/CLOSED_WAIT/' >bad.csv
  refused 2 'bad.csv: line 3 is no row' -- bad.csv --diagram -o picture.svg
  echo what,value >other.csv
  refused 2 'other.csv: this is no CSV of --transitions' -- other.csv --diagram -o picture.svg
  moves | head -n 1 >header.csv
  refused 2 'header.csv: there are no rows' -- header.csv --diagram -o picture.svg
}

@test "--diagram of looks fills the boxes, and says what counts the arrows" {
  small >looks.csv
  drawn looks.csv --diagram
  assert_texts 'leak, server' 'at most 5' 'at the end 5' \
    'Looks count the sockets in each state, not what moves between two looks: tcpstorm --witness events counts the arrows.'
  assert_none came stay
}

@test "--diagram of events has the kinds of moves; FIN_WAIT2 that goes on unseen is no accusation" {
  {
    echo '{"event":"start","order":"abort","options":{"conns":7}}'
    echo '{"event":"transitions","order":"abort","moves":[{"side":"client","from":"ESTABLISHED","to":"gone","why":"orderly","kind":"abort","count":7},' \
      '{"side":"server","from":"FIN_WAIT2","to":"gone","why":"orderly","kind":"unseen","count":3}],' \
      '"dwell":[{"side":"client","state":"ESTABLISHED","sampled":7,"p50_s":0.5,"p90_s":0.5,"p99_s":1.5,"max_s":1.5}]}'
  } >events.json
  drawn events.json --diagram
  assert_texts aborted 'on, unseen' 'p50 500 ms, p99 1.5 s'
  [[ $output == *'may not have seen timewait sockets'* ]] || fail_with 'what was not seen is not told'
}
