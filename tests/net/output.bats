#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash; every test is a subshell
#
# Output: exit codes never depend on its format, streams keep to themselves, JSON Lines say what the CSV says.

load storm

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
  awk -F, -v OFS=, '{ $3 = sprintf("%.6f", $3); $22 = sprintf("%.6f", $22); $29 = sprintf("%.6f", $29); print }'
}

@test "progress speaks up on stderr when a run takes longer than a second" {
  storm --conns 20 --order never-close --hold 5s
  expect_code 0
  expect_in "$ERR" "never-close open: holding"
}
