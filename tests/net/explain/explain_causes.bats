#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash; every test is a subshell
#
# The confusion matrix: each cause that a server can play, and its fixed twin, with clients of several manners. The truth is
# always among what is named, nothing else but what looks alike is, and the twins are accused of nothing.

load ../storm
load ../explain

# causes_are "NAME CAUSES|CAUSES...": what one look may say of each.
causes_are() {
  local name allowed lists failed=0
  while read -r name allowed; do
    IFS='|' read -ra lists <<<"$allowed"
    expect_causes "$name" "${lists[@]}" || failed=1
  done <<<"$1"
  return "$failed"
}

# manner_is MANNER: what is allowed on standard input. Where a busy machine hides what a thread does the answer is "look again",
# and so we do; a twin that is accused once is accused.
manner_is() {
  local allowed name failed=0
  allowed=$(cat)
  start_causes
  visit "$1" 60 "${server_ports[@]}"
  rest_for_grace
  explain_all
  for name in "${SERVER_CAUSES[@]}"; do
    expect_nothing "$name--fixed" || failed=1
  done
  if ! causes_are "$allowed"; then
    sleep 1
    explain_all
    causes_are "$allowed" || failed=1
  fi
  return "$failed"
}

@test "one look, clients that close later" {
  manner_is late <<'MATRIX'
ignore-eof         ignore-eof
paused-read        lost-reference,paused-read
lost-reference     lost-reference,paused-read
bounded-pool       bounded-pool
emfile             bounded-pool,emfile|accept-fails,bounded-pool,emfile
never-accept       never-accept
fork-inherit       fork-inherit
no-half-close      no-half-close
MATRIX
}

# The FIN may come with the data: then nobody can say whether EOF was read.
@test "one look, clients that close at once" {
  manner_is now <<'MATRIX'
ignore-eof         ignore-eof|ignore-eof,lost-reference,paused-read
paused-read        lost-reference,paused-read|ignore-eof,lost-reference,paused-read
lost-reference     lost-reference,paused-read|ignore-eof,lost-reference,paused-read
bounded-pool       bounded-pool
emfile             bounded-pool,emfile|accept-fails,bounded-pool,emfile|nothing
never-accept       never-accept
fork-inherit       fork-inherit
no-half-close      no-half-close
MATRIX
}

@test "one look, clients that half-close at once" {
  manner_is half <<'MATRIX'
ignore-eof         ignore-eof|ignore-eof,lost-reference,paused-read
paused-read        lost-reference,paused-read|ignore-eof,lost-reference,paused-read
lost-reference     lost-reference,paused-read|ignore-eof,lost-reference,paused-read
bounded-pool       bounded-pool
emfile             bounded-pool,emfile|accept-fails,bounded-pool,emfile|nothing
never-accept       never-accept
fork-inherit       fork-inherit
no-half-close      no-half-close
MATRIX
}

# paused-read does not begin to read, and lost-reference takes EOF for its request.
@test "one look, clients that send nothing" {
  manner_is silent <<'MATRIX'
ignore-eof         ignore-eof
paused-read        nothing
lost-reference     ignore-eof
bounded-pool       bounded-pool
never-accept       never-accept
fork-inherit       fork-inherit
no-half-close      no-half-close
MATRIX
}

PARTING_MATRIX='reset-swallowed         ignore-eof,reset-swallowed
ignore-eof              ignore-eof,reset-swallowed
second-socket-forgotten second-socket-forgotten
paused-read             ghosts
lost-reference          ghosts
bounded-pool            ghosts
emfile                  ghosts
never-accept            nothing
fork-inherit            nothing
no-half-close           nothing
reply-before-read       nothing
half-closed-for-ever    nothing
stalled-reader          nothing
no-timeout              nothing
eof-is-abort            nothing
blocking-linger         blocking-linger|nothing'

# What stays of the first is ghosts, and where nobody has read their error nobody can say whose it is. The second's own port
# is clean. What the others keep is not told from clients that are slow, or for a minute from a server that lingers. Between two calls of
# close() a loop is in none.
@test "one look, clients that reset, and clients that stay" {
  local name failed=0
  start_causes "${SERVER_CAUSES[@]}" "${PARTING_CAUSES[@]}"
  visit_and_stay 20 "${server_ports[half-closed-for-ever]}" "${server_ports[half-closed-for-ever--fixed]}" \
    "${server_ports[stalled-reader]}" "${server_ports[stalled-reader--fixed]}" "${server_ports[no-timeout]}" "${server_ports[no-timeout--fixed]}" \
    "${server_ports[blocking-linger]}" "${server_ports[blocking-linger--fixed]}"
  visit reset 30 "${server_ports[@]}"
  for _ in {1..6}; do rest 900; done # a proxy's connection that is quiet for less is not forgotten
  explain_all
  for name in "${SERVER_CAUSES[@]}" "${PARTING_CAUSES[@]}"; do
    expect_nothing "$name--fixed" || failed=1
  done
  if ! causes_are "$PARTING_MATRIX"; then
    sleep 1
    explain_all
    causes_are "$PARTING_MATRIX" || failed=1
  fi
  [[ $(jq '.half_closed' "$BATS_TEST_TMPDIR/half-closed-for-ever.json") == 20 ]] || { show_explanation half-closed-for-ever && failed=1; }
  ((failed == 0))
}

# window_says SECONDS: which share stays splits what looks alike, and what leaves no socket is seen.
window_says() {
  local name lists failed=0
  explain_all --for "$1"
  while read -r name lists; do
    IFS='|' read -ra lists <<<"$lists"
    expect_causes "$name" "${lists[@]}" || failed=1
  done <<'MATRIX'
ignore-eof         ignore-eof
paused-read        paused-read
lost-reference     lost-reference
bounded-pool       bounded-pool
emfile             bounded-pool,emfile|accept-fails,bounded-pool,emfile|nothing
never-accept       never-accept
fork-inherit       fork-inherit
no-half-close      no-half-close
reply-before-read  reply-before-read
MATRIX
  for name in "${SERVER_CAUSES[@]}"; do
    expect_nothing "$name--fixed" || failed=1
  done
  return "$failed"
}

# On a busy machine a look takes so long that a short window shows no share.
@test "a window, under traffic" {
  start_causes
  start_visits 50 "${server_ports[@]}"
  rest_for_grace
  window_says 3s || window_says 12s
}
