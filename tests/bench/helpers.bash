# shellcheck shell=bash
# helpers: what the measuring scripts of this directory share.
#
# Whoever measures also checks that what was timed has done its work, and exits with 1 where it has not: a run that failed
# must not pass for a fast one.

# Standard error as it is now: where something fails it may be redirected.
exec {voice}>&2

# fail WHAT...: what was timed has not done its work.
fail() {
  echo "bench: CHECK FAILED: $*" >&"$voice"
  exit 1
}

# seconds_between BEGAN ENDED: of two $EPOCHREALTIME.
seconds_between() {
  awk -v a="$1" -v b="$2" 'BEGIN { printf "%.6f\n", b - a }'
}

# median: of the numbers on standard input.
median() {
  sort -g | awk '{ v[NR] = $1 } END { if (NR) print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

# hold_storm PROGRAM N DIR [OPTION...]: N established connections that stay, by the kernel's count of both sides; its pid is
# in $storm, and end_storm ends it.
hold_storm() {
  "$1" --conns "$2" --order never-close --hold forever --csv "$3/csv" "${@:4}" >"$3/out" 2>&1 &
  storm=$!
  until is_held "$2" "$3/csv" 2>/dev/null; do
    kill -0 "$storm" 2>/dev/null || { cat "$3/out" >&2; fail "the storm of $2 connections did not hold them"; }
    sleep 0.1
  done
}

# Both sides of the settled step "open" have N established.
is_held() { # N CSV
  awk -F, -v n="$1" '
    NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
    $at["step"] == "open" && $at["settled"] == 1 && $at["established"] == n { sides[$at["side"]] = 1 }
    END { exit !(sides["server"] && sides["client"]) }' "$2"
}

# It was there until now, and was interrupted.
end_storm() {
  local code=0
  kill -INT "$storm" || fail 'the storm ended before it was measured to the end'
  wait "$storm" || code=$?
  ((code == 130)) || fail "the storm ended with exit status $code"
}

# KiB of user memory (PSS) of the storm, its workers and its witness.
pss_of_storm() {
  local pid
  for pid in "$storm" $(cat "/proc/$storm/task/$storm/children"); do
    awk '/^Pss:/ { print $2 }' "/proc/$pid/smaps_rollup"
  done | awk '{ sum += $1; count++ } END { if (count < 4 || sum <= 0) exit 1; print sum }' ||
    fail 'the memory of the storm, a worker on each side and the witness could not be read'
}
