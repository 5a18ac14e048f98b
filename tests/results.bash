# results: what came of each test. Whoever runs tests notes it, and whoever began the results names at the end, by test, what
# failed and what was skipped. A line each in the file $TCPSTORM_TEST_RESULTS, with tabs between: "passed", "failed" or
# "skipped", the file, the test, why.
# shellcheck shell=bash

# begin_results: unless a caller has begun them already.
begin_results() {
  results_are_ours=
  [[ -z ${TCPSTORM_TEST_RESULTS-} ]] || return 0
  results_are_ours=yes
  TCPSTORM_TEST_RESULTS=$(mktemp "${TMPDIR:-/tmp}/tcpstorm-results.XXXXXX")
  export TCPSTORM_TEST_RESULTS
}

# note_result passed|failed|skipped FILE TEST [WHY]
note_result() {
  printf '%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "${4-}" >>"$TCPSTORM_TEST_RESULTS"
}

# note_tap FILE STATUS [TEST...] <TAP: what a program said that left with this exit status. TEST: its tests in their order, so that
# one which did not come to its end, and those after it, have names: they failed. Fails where a test failed.
note_tap() {
  local file=$1 status=$2 notes
  shift 2
  notes=$(awk -v file="$file" -v status="$status" '
    function note(what, test, why) { printf "%s\t%s\t%s\t%s\n", what, file, test, why; count[what]++ }
    FNR == NR { if ($0 != "") name[++names] = $0; next }
    /^1\.\.[0-9]+/ { planned += substr($1, 4); has_plan = 1; next }
    !/^(not )?ok [0-9]+/ { said = $0; next }
    /^not ok [0-9]+ # SKIP / { # as cmocka has it, behind what the test said of it
      done++
      note("skipped", substr($0, index($0, "SKIP ") + 5), said)
      next
    }
    {
      what = $1 == "ok" ? "passed" : "failed"
      test = $0; why = ""
      sub(/^(not )?ok [0-9]+ *(- )?/, "", test)
      if (match(test, / # (skip|SKIP|timeout)/)) {
        why = substr(test, RSTART + 3)
        test = substr(test, 1, RSTART - 1)
        if (what == "passed" && sub(/^(skip|SKIP) */, "", why)) what = "skipped"
      }
      sub(/ in [0-9]+ms$/, "", test)
      done++
      note(what, test, why)
    }
    END {
      how = status == 137 ? "killed: it took too long" : "exit status " status
      if (has_plan && done < planned) {
        how = how " after " done " of " planned " tests"
        while (done++ < planned) {
          note("failed", done in name ? name[done] : "test " done, how)
          how = "not run"
        }
      } else if (!has_plan || (status != 0 && !count["failed"])) note("failed", "all of it", how)
    }' <(printf '%s\n' "$@") -)
  printf '%s\n' "$notes" >>"$TCPSTORM_TEST_RESULTS"
  [[ $notes != failed$'\t'* && $notes != *$'\n'failed$'\t'* ]]
}

# end_results: the names and, alone on the last line, the counts; fails where a test failed. Says nothing where a caller began.
end_results() {
  local failed=0
  grep -q '^failed' "$TCPSTORM_TEST_RESULTS" && failed=1
  if [[ $results_are_ours ]]; then
    awk -F'\t' '
      function name_all(what, title,   i) {
        if (!count[what]) return
        print "\n" title
        for (i = 1; i <= count[what]; i++) print "  " line[what, i]
      }
      { line[$1, ++count[$1]] = $2 ($3 == "" ? "" : ": " $3) ($4 == "" ? "" : " (" $4 ")") }
      END {
        name_all("skipped", "Skipped:")
        name_all("failed", "Failed:")
        printf "\n%d passed, %d failed, %d skipped\n", count["passed"], count["failed"], count["skipped"]
      }' "$TCPSTORM_TEST_RESULTS"
    drop_results
  fi
  return "$failed"
}

# drop_results: for one who is interrupted.
drop_results() {
  [[ -z ${results_are_ours-} ]] || rm -f "$TCPSTORM_TEST_RESULTS"
}
