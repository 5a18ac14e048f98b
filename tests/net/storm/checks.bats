#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash; every test is a subshell
#
# The checks themselves: each must fail when what it looks for is wrong.

load ../storm
load ../ss_witness

# A good CSV, of a real run, to be spoilt.
good_csv() {
  storm --conns 20 --order server-first --hold 50ms
  expect_code 0
  check_csv "$CSV"
  check_settled_rows "$CSV" server-first
}

# refuses CHECK SED-SCRIPT: the check fails on the CSV so edited.
refuses() {
  sed "$2" "$CSV" >"$CSV.spoilt"
  if cmp -s "$CSV" "$CSV.spoilt"; then
    say "the script changes nothing: $2"
    return 1
  fi
  if $1 "$CSV.spoilt" ${3:+"$3"} >/dev/null; then
    say "$1 accepts what this makes of a good CSV: $2"
    return 1
  fi
}

@test "the check of a CSV fails on a wrong header, field, sum, order, pair and time" {
  good_csv
  refuses check_csv '1s/gone/lost/'
  refuses check_csv '1d'
  refuses check_csv '2s/,[^,]*$//'
  refuses check_csv '3s/$/,1/'
  refuses check_csv '2s/,20,1,0,0,/,21,1,0,0,/'
  refuses check_csv '3s/,20,0,0,0,20,/,20,0,0,0,19,/'
  refuses check_csv '2d'
  refuses check_csv "$(wc -l <"$CSV")d"
  refuses check_csv '3s/,20,0,/,20,1,/'
  refuses check_csv '2,3s/,20,[0-9.]*,/,20,9999,/'
  refuses check_csv '3s/,open,/,shut,/'
  printf 'server-first,20,0.1' >>"$CSV"
  refuses check_csv '1s/^/#/'
  if check_csv "$CSV" >/dev/null; then
    say "a last line cut short is accepted"
    return 1
  fi
}

# refuses_tail LINES TAIL: the check of a CSV fails where rows end so; those of a run without faults end in zeros, the limit of
# descriptors and the host.
refuses_tail() {
  refuses check_csv "$1s/,0,0,0,0,0,0,0\\.000000\(,[0-9]*,local,[0-9.,]*\)\$/,$2\\1/"
}

@test "the check of a CSV fails on ghosts, unread, unowned, queued, dropped, late and connect_s where they cannot be" {
  good_csv
  refuses_tail '/,client-close,1,server,/' 1,0,0,0,0,0,0.000000
  refuses_tail 2 0,1,0,0,0,0,0.000000
  refuses_tail 2 0,0,1,0,0,0,0.000000
  refuses_tail 3 0,0,0,1,0,0,0.000000
  refuses_tail 3 0,0,0,0,1,0,0.000000
  refuses_tail 2 0,0,0,0,0,1,0.000000
  refuses_tail 2 0,0,0,0,0,0,0.100000
  refuses_tail 2 0,0,0,0,0,x,0.000000
  refuses_tail 3 0,0,0,0,0,0,0
  refuses_tail 3 0,0,0,0,0,0.000000
}

@test "the check of settled rows fails on another state, another count and an unknown step" {
  good_csv
  local listed='server-first'
  refuses check_settled_rows '/,client-close,1,server,/s/,20,0,0,0,0,\([0-9.]*,[0-9,.]*,local,[0-9.,]*\)$/,0,20,0,0,0,\1/' "$listed"
  refuses check_settled_rows '/,server-close,1,client,/s/,0,20,0,/,20,0,0,/' "$listed"
  refuses check_settled_rows 's/,20,1,0/,19,1,0/' "$listed"
  refuses check_settled_rows 's/,server-close,/,server-shutdown,/' "$listed"
  refuses check_settled_rows 's/,1,server,/,1,server,/;s/,server-close,/,client-close,/' "$listed"
}

@test "the comparison with ss fails when one socket is missing from the CSV" {
  start_storm --conns 5 --order never-close --hold forever
  wait_for_row open 1
  storm_rows=$(grep ',open,1,' "$CSV" | tail -n 2)
  server_row=$(head -n 1 <<<"$storm_rows") client_row=$(tail -n 1 <<<"$storm_rows")
  compare_with_ss open
  client_row=${client_row/,0,0,0,5,/,0,0,0,4,}
  if compare_with_ss open >"$BATS_TEST_TMPDIR/report"; then
    say "4 rows and 5 sockets are taken for the same"
    return 1
  fi
  expect_in "$BATS_TEST_TMPDIR/report" "client,0,0,0,4,"
  expect_in "$BATS_TEST_TMPDIR/report" "client,0,0,0,5,"
}

@test "the comparison with ss fails when a ghost, an unread or a queued socket is missing from the CSV" {
  local column spoilt
  start_storm --conns 5 --order abort --leak 2 --hold forever
  wait_for_row server-close 1
  server_row=$(grep ',server-close,1,server,' "$CSV" | tail -n 1) client_row=$(grep ',server-close,1,client,' "$CSV" | tail -n 1)
  compare_with_ss server-close
  for column in 23 24 25 26; do
    spoilt=$(awk -F, -v OFS=, -v column="$column" '{ $column += 1; print }' <<<"$server_row")
    if server_row=$spoilt compare_with_ss server-close >"$BATS_TEST_TMPDIR/report"; then
      say "one more in column $column is not seen"
      return 1
    fi
  done
  expect_in "$BATS_TEST_TMPDIR/report" "server,1,0,0,0,0,0,0,0,0,0,0,2,0,0,0"
  kill -INT "$storm_pid"
  end_storm "$PATIENCE"
}

@test "a step at which ss never looked is a failure" {
  compared=" server-first/open  server-first/client-close "
  if expect_all_compared server-first >"$BATS_TEST_TMPDIR/report"; then
    return 1
  fi
  expect_in "$BATS_TEST_TMPDIR/report" "never looked at: server-close"
}

@test "a process that is left is found" {
  start_storm --conns 1 --order never-close --hold forever
  wait_for_row open 1
  if expect_no_process >/dev/null; then
    return 1
  fi
  kill -TERM "$storm_pid"
  end_storm "$PATIENCE"
  expect_no_process
}
