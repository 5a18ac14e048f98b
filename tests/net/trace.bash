# shellcheck shell=bash disable=SC2016,SC2034,SC2154 # its variables are for the tests, and jq's are not the shell's; others come from storm.bash
# trace: servers of a few lines, built here, audited under the tracer; and the lines of their source that are expected.
#
# Needs storm.bash and audit.bash. A line is found by its mark: a comment "LINE name" at its end.

SOURCES=$BATS_TEST_DIRNAME

# build NAME WORD...: a server from sources of this folder, with these words for the compiler; its path is in $server.
build() {
  command -v gcc >/dev/null || skip "no gcc to build a server with"
  "$STORM" version | grep -q 'no lines' && skip "this build has no libdw"
  server=$BATS_TEST_TMPDIR/$1
  (cd "$SOURCES" && gcc -g -O2 -o "$server" "${@:2}") || { say "$1 cannot be built"; return 1; }
}

# line_of FILE MARK: "conn.c:24"
line_of() {
  local lines
  lines=$(grep -n "LINE $2\( \|$\)" "$SOURCES/$1") || lines=
  if [[ -z $lines || $lines == *$'\n'* ]]; then
    say "not one line $2 in $1" >&2
    return 1
  fi
  say "$1:${lines%%:*}"
}

# trace_audit [OPTION...] -- COMMAND...: an audit of a server that is traced, in a network of its own.
trace_audit() {
  ((${#launcher[@]})) || in_fresh_namespace
  code=0
  rm -f "$JSON"
  "${launcher[@]}" "$STORM" audit "127.0.0.1:$PORT" --grace "${grace-400ms}" --conns "${conns-20}" --json "$JSON" --trace --run "$@" \
    >"$OUT" 2>"$ERR" 3>&- || code=$?
}

# Of a note in the JSON: "recvfrom zero conn.c:52 on_readable"
NOTE='def place: .site as $s | ($s.places[$s.own // 0] // {}) | "\(.file // .module // "-"):\(.line // 0) \(.function // "-")";
  def note: "\(.call)\(if .detail then "(" + .detail + ")" else "" end) \(.result) \(place)";'

# expect_note FILTER EXPECTED: what the filter finds in the report, a note a line.
expect_note() {
  local there
  there=$(jq -rs "$NOTE .[0].trace | $1 | note" "$JSON" | LC_ALL=C sort -u)
  if [[ $there != "$2" ]]; then
    say "$1 is \"$there\" where \"$2\" was expected"
    jq -rs "$NOTE"' .[0].trace.partings[]? | (.after | "after " + note), (.branches[] | "\(.count) \(.end)", (.steps[] | "  " + note))' "$JSON" || true
    show_output
    return 1
  fi
}

# expect_branches END COUNT: so many ended so, in all that is compared.
expect_branches() {
  local there
  there=$(jq -rs '[.[0].trace.partings[].branches[] | select(.end == "'"$1"'") | .count] | add // 0' "$JSON")
  [[ $there == "$2" ]] || { say "$there are $1, not $2"; show_output; return 1; }
}

# Where they part, what the held ones ended with, and what the closed ones went on to in the end.
AFTER='.partings[0].after'
HELD='.partings[].branches[] | select(.end == "held") | .last'
CLOSED='.partings[].branches[] | select(.end == "closed") | .close'
ACCEPTED='.accepted'

# The one of ours whose parent is none of ours.
storm_parent() {
  local pid parent
  for pid in $(storm_pids); do
    parent=$(awk '{ print $4 }' "/proc/$pid/stat")
    [[ /proc/$parent/exe -ef $STORM ]] || say "$pid"
  done
}
