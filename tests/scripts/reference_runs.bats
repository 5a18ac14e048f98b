#!/usr/bin/env bats
# shellcheck disable=SC2154 # bats sets status and output
#
# The reference runs in results/: scripts/results knows each set, and the pictures of causes show the bug beside its fix.

root=$BATS_TEST_DIRNAME/../..

fail_with() {
  printf '%s\n' "$1"
  return 1
}

@test "each folder of results/ is a set of scripts/results, and results/README.md tells of it" {
  local folder
  run "$root/scripts/results" --help
  ((status == 0))
  for folder in "$root"/results/*/; do
    folder=$(basename "$folder")
    grep -q "^  $folder " <<<"$output" || fail_with "scripts/results --help has no set $folder" || return 1
    grep -q "^| .*$folder" "$root/results/README.md" || fail_with "results/README.md has no row of $folder" || return 1
  done
}

@test "a set that there is not is told before anything is played" {
  run "$root/scripts/results" nowhere
  ((status == 2)) && [[ $output == 'scripts/results: there is no set nowhere;'* ]]
}

@test "every order is among the reference runs, and results/README.md tells of it" {
  local order file
  for order in $("$TCPSTORM" orders --names); do
    for file in orders-{1k,100k}/$order.{csv,svg}; do
      [[ -s $root/results/$file ]] || fail_with "results has no $file" || return 1
    done
    grep -q "\`$order\`" "$root/results/README.md" || fail_with "results/README.md does not tell of $order" || return 1
  done
}

@test "each picture of a cause has the bug and its fixed twin, from CSV files that say they are of these" {
  local picture name file
  for picture in "$root"/results/causes/*.svg; do
    name=$(basename "$picture" .svg)
    "$TCPSTORM" causes --names | grep -qx "$name" || fail_with "$name is no cause" || return 1
    for file in "$name" "$name-fixed"; do
      [[ $(cut -d, -f1 "$root/results/causes/$file.csv" | grep -vx order | sort -u) == "$file" ]] ||
        fail_with "$file.csv is of another run" || return 1
      grep -q ">$file, [0-9,]* connections<" "$picture" || fail_with "$file is not in $picture" || return 1
    done
    grep -q "(causes/$name.svg)" "$root/results/README.md" || fail_with "results/README.md does not show $name" || return 1
  done
}
