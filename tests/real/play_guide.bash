# shellcheck shell=bash disable=SC2154 # STORM comes from storm.bash
# play_guide: what a guide says that the file of this test is to run, with what the test has made for it.
#
# Needs storm.bash.

# play_guide NAME: of src/man/NAME.7.md (or 1, or 5), all blocks that name this file.
play_guide() {
  local root=${BASH_SOURCE[0]%/*}/../.. file=tests/real/${BATS_TEST_FILENAME##*/} page title played=0
  page=$(echo "$root/src/man/$1."?.md)
  mkdir "$BATS_TEST_TMPDIR/bin"
  ln -s "$STORM" "$BATS_TEST_TMPDIR/bin/tcpstorm"
  while IFS= read -r title; do
    PATH=$BATS_TEST_TMPDIR/bin:$PATH PLAYED=$file "$root/tests/net/guides/play_section.bash" "$page" "$title" </dev/null 3>&- || return 1
    played=$((played + 1))
  done < <(sections_run_by "$file" "$page")
  ((played > 0)) || { say "$page has no block for $file"; return 1; }
}

sections_run_by() { # TEST PAGE
  awk -v by=" run by $1;" '
    /^```/ {
      inside = !inside
      if (inside && index($0, by) && !told[title]++) print title
      next
    }
    !inside && /^##? / { title = $0; sub(/^#+ /, "", title) }' "$2"
}
