#!/usr/bin/env bats
# shellcheck disable=SC2154 # bats sets status, output, stderr and their lines
#
# One run, told four times: the verdict, the table's own JSON, the picture of scripts/plot and the page of scripts/report
# say the same of who owes a close(), and give the same dates.

bats_require_minimum_version 1.5.0

# shellcheck source=tests/scripts/preloaded.bash
source "$BATS_TEST_DIRNAME/preloaded.bash"

setup_file() {
  preloaded_start
}

teardown_file() {
  preloaded_stop
}

setup() {
  set +T # see tests/README.md: bats would note the whole stack at each command of our functions
  command -v jq >/dev/null || skip 'jq is missing'
  cd "$BATS_TEST_TMPDIR" || return 1
}

fail_with() {
  printf '%s\n' "$@" '---- verdict' "$(cat out)" '---- texts of the picture' "$(cat texts)"
  return 1
}

# play OPTION...: runs it, and makes the picture and the page. The verdict without its line breaks is in $verdict.
play() {
  "$TCPSTORM" --dry-run --quiet --isolate >/dev/null 2>&1 || skip 'this machine refuses a private network namespace'
  [[ $* == *--rate* ]] || set -- --conns 100 "$@"
  "$TCPSTORM" --isolate --hold 50ms --csv run.csv --json run.json "$@" >out 2>err || { cat out err && return 1; }
  preloaded plot run.csv -o run.svg
  preloaded report run.json -o run.html
  grep -o '>[^<]*<' run.svg | sed -e 's/^>//' -e 's/<$//' -e '/^[[:space:]]*$/d' >texts
  verdict=$(tr -s ' \n' ' ' <out)
}

owes() { jq -r 'select(.event == "end") | .owes' run.json; }

# all_say SENTENCE
all_say() {
  [[ $(owes) == "$1" ]] || fail_with "JSON says: $(owes), where this was expected: $1" || return 1
  # Where nothing is owed the picture tells of before.
  grep -qE "^(${1//[()]/.})$|^${1%.}.* at the end; " texts || grep -qF "${1%.}" texts || fail_with "the picture has another sentence than: $1" || return 1
  grep -qF "<h3 class=\"headline\">$1</h3>" run.html || fail_with "the page has another headline than: $1" || return 1
  [[ $1 == Nobody* || $verdict == *"$1"* ]] || fail_with "the verdict does not say: $1"
}

@test "who owes a close() is the same in verdict, JSON, picture and page" {
  local order sentence
  while IFS='|' read -r order sentence; do
    play --order "$order"
    all_say "$sentence"
  done <<'END'
server-first|Nobody owes a close().
leak|The server owes 100 close() calls.
never-close|Neither side has closed: 100 connections are open.
vanish|The client has not closed: it holds 100 connections.
backlog|Nobody can close 100 connections: the server never accepted them.
time-wait-overflow|The client owes 100 close() calls.
END
}

@test "vanish: nobody says of the client that either side may close, as the server has" {
  play --order vanish
  [[ $verdict == *'the server has closed, but its FIN has not arrived; the client may close.'* ]] || fail_with 'no word of the FIN'
  jq -e 'select(.event == "end") | .lingering | map(.acts) | sort == ["the client may close", "the client'\''s kernel owes an ACK"]' run.json
  jq -e 'select(.event == "end") | .lingering | all(has("oldest_s") | not)' run.json # FIN_WAIT1 began with no segment of the client's
  grep -qF '<td>the client may close</td>' run.html || fail_with 'the page does not say who acts'
  [[ $verdict$(cat run.html) != *'either side may close'* ]] || fail_with 'the server has closed already'
}

@test "time-wait-overflow: descriptors whose TIME_WAIT is in the table are not said to be in none" {
  play --order time-wait-overflow
  [[ $verdict == *'100 ghosts on the client: descriptors still open on connections that have ended (50 in TIME_WAIT, 50 in no table of the kernel)'* ]] ||
    fail_with 'where they are is not told'
  grep -q '^TIME_WAIT, not closed (descriptor left' texts && grep -q '^not closed (gone' texts ||
    fail_with 'the picture does not tell them apart'
  [[ $(cat run.html out) != *'descriptors open on sockets in no table'* ]] || fail_with 'half of them have a TIME_WAIT'
}

@test "who waits for an end that was never accepted is not told that the server owes it a close()" {
  play --order backlog
  jq -e 'select(.event == "end") | .lingering | all(.acts | contains("no process can close"))' run.json
  [[ $verdict != *'owes the close()'* ]] || fail_with 'nobody can close them'
}

# date_of SIDE COLUMN: as the CSV has it, in seconds since the order began.
date_of() {
  awk -F, -v side="$1" -v column="$2" '
    NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
    $at["side"] == side && $at[column] > 0 { date = sprintf("%.1f s", sprintf("%.6f", $at[column] - $at["began_s"])) }
    END { print date }' run.csv
}

@test "an outage: dates and debts are the same in verdict, CSV, picture and page" {
  local date side column what words
  play --cause ignore-eof --rate 200 --duration 2s --server-nofile 64 --backlog 8
  while IFS='|' read -r side column what words; do
    date=$(date_of "$side" "$column")
    [[ -n $date ]] || fail_with "nothing of this outage: $what" || return 1
    grep -qx "$what, $date" texts || fail_with "not in the picture: $what, $date" || return 1
    [[ $verdict == *" - $date: $words"* ]] || fail_with "not in the verdict: $date: $words" || return 1
    grep -qF "<span class=\"t\">$date</span> <span>$words" run.html || fail_with "not on the page: $date: $words" || return 1
  done <<'END'
server|failed_s|first failed accept()|first EMFILE
server|dropped_s|first SYN dropped|first SYN dropped
client|failed_s|first failed connect()|first connect() timed out
END
  all_say "$(owes)"
  [[ $(owes) =~ ^The\ server\ owes\ [0-9]+\ close\(\)\ calls\;\ 9\ more\ were\ never\ accepted\.$ ]] || fail_with "who owes: $(owes)"
}

@test "a later order of a run has its dates from its own beginning" {
  play --order server-first,client-first --rate 100 --duration 1s
  run jq -s '[.[] | select(.event == "sample") | {order, began_s, t_s}] | group_by(.order) | map(.[0])
    | sort_by(.t_s) | .[1].began_s > 1 and all(.began_s <= .t_s)' run.json
  [[ $output == true ]] || fail_with "when the orders began: $output"
}

@test "the fix of a cause says why TIME_WAIT ended early, from what the kernel has counted" {
  # So few ports that a new connection takes one that is in TIME_WAIT, which loopback allows after a second.
  play --cause ignore-eof --fixed --rate 100 --duration 4s --sysctl 'net.ipv4.ip_local_port_range=40000 40199'
  local counted gone
  counted=$(jq 'select(.event == "end") | .counters_moved.TWRecycled' run.json)
  gone=$(jq -s '[.[] | select(.event == "sample" and .side == "client")] | last | .gone' run.json)
  ((counted > 0)) || fail_with 'no port was taken again: is net.ipv4.tcp_tw_reuse off?'
  ((counted <= gone)) || fail_with "$counted were taken and $gone are gone"
  [[ $verdict == *"TIME_WAIT on the client ended before the run did: "*" gave their port to a new connection (net.ipv4.tcp_tw_reuse; kernel counter TWRecycled)."* ]] ||
    fail_with 'the reason is not told'
  [[ $verdict != *'late RST'* ]] || fail_with 'no RST was sent'
}
