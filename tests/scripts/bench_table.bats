#!/usr/bin/env bats
# shellcheck disable=SC2016 # the table has code in back quotes
#
# The guide's table of speeds is the one that its CSV makes: nobody copies a figure by hand.

setup() {
  cd "$BATS_TEST_DIRNAME/../.." || return 1
  csv=$BATS_TEST_TMPDIR/bench.csv page=$BATS_TEST_TMPDIR/page.md guide=src/man/tcpstorm-limits.7.md
  cp "$guide" "$page"
}

@test "the guide's table of speeds is made from results/bench.csv" {
  tests/bench/readme_table --check results/bench.csv "$guide"
}

@test "a figure changed in the guide or in the CSV is found" {
  sed 's/server-first open | /&9/' "$guide" >"$page"
  run cmp -s "$guide" "$page"
  [[ $status == 1 ]]
  run tests/bench/readme_table --check results/bench.csv "$page"
  [[ $status == 1 && $output == *"server-first open | 9"* ]]
  sed 's/^server-first open,connections.s,[0-9]/&7/' results/bench.csv >"$csv"
  run tests/bench/readme_table --check "$csv" "$guide"
  [[ $status == 1 ]]
}

@test "a new CSV is put between the marks, and nothing else changes" {
  {
    echo '# a machine'
    echo 'what,unit,tcpstorm,other,other_is,ratio_median,ratio_min,ratio_max,wanted,runs,steal_max'
    echo 'one thing,connections/s,1234567,12345,floor,100.01,99.00,101.00,>=0.95,5,0.4'
    echo 'another,s,2.5,3.5,ss -tan | awk,1.40,-,-,>=2,3,5.1'
    echo 'size,bytes,65,-,-,-,-,-,<=64,1,0'
  } >"$csv"
  tests/bench/readme_table "$csv" "$page"
  grep -qxF '| one thing | 1,234,567 /s | 12,345 | floor | 100.01 (99.00 to 101.00) | 5 | >=0.95 |' "$page"
  grep -qxF '| another | 2.5 s | 3.5 | `ss -tan \| awk` | 1.40 | 3 | >=2 |' "$page"
  grep -qF 'fall short of what is wanted: another (1.40, wanted >=2); size (65, wanted <=64).' "$page"
  grep -qF 'The host took up to 5.1% of the time' "$page"
  tests/bench/readme_table --check "$csv" "$page"
  tests/bench/readme_table results/bench.csv "$page"
  cmp "$guide" "$page"
}

@test "no rows, and no marks: refused, and the file stays" {
  echo '# a machine' >"$csv"
  run tests/bench/readme_table "$csv" "$page"
  [[ $status == 1 && $output == *"no rows"* ]]
  cmp "$guide" "$page"
  echo 'no marks' >"$page"
  run tests/bench/readme_table results/bench.csv "$page"
  [[ $status == 1 && $output == *"marks"* ]]
  [[ $(<"$page") == "no marks" ]]
}
