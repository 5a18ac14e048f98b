# sanitizer_reports: what the sanitizers of any process of a test have to say is kept in files, and fails the test.
# shellcheck shell=bash

keep_sanitizer_reports() {
  export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}log_path=$BATS_TEST_TMPDIR/sanitizer
  export UBSAN_OPTIONS=${UBSAN_OPTIONS:+$UBSAN_OPTIONS:}log_path=$BATS_TEST_TMPDIR/sanitizer
}

# Prints them; fails when there is one. Whoever is killed while it looks for leaks leaves an empty file, or a word about its
# threads: that says nothing.
no_sanitizer_reports() {
  local report found=0
  for report in "$BATS_TEST_TMPDIR"/sanitizer.*; do
    [[ -e $report ]] || continue
    grep -qv 'Unable to get registers from thread' "$report" || continue
    cat "$report"
    found=1
  done
  return "$found"
}
