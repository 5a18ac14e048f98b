#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2034,SC2154 # $ is for the servers; variables are shared with storm.bash and audit.bash
# audit: clients that send half of a request, several, or one too late, each with a server that fails under it and a
# clean twin.

load ../storm
load ../audit

# ---- half of a request ----

# It keeps what ends before its line does, whether by EOF or by an error; a whole line is answered, and then all is well.
KEEPS_HALVES='kept = []
def serve(c):
    line = b""
    try:
        while b"\n" not in line:
            more = c.recv(100)
            if not more: kept.append(c); return
            line += more
        c.sendall(b"reply")
        drain(c)
    except OSError: kept.append(c); return
    c.close()
serve_each(serve)'
CLOSES_HALVES=${KEEPS_HALVES//kept.append(c)/c.close()}

@test "short-request: a server that forgets clients that leave in the midst of a request" {
  serve_python "$KEEPS_HALVES"
  audit --conns 10 --grace 500ms --send "$(a_line)"
  expect_code 0 # after a whole one nothing is wrong
  audit --order short-request --conns 10 --grace 500ms --send "$(a_line)"
  expect_code 1
  expect_counts held=10 eof_read=10
  expect_in "$OUT" "The server leaks."
  audit --order short-request-close --conns 10 --grace 500ms --send "$(a_line)"
  expect_code 1
  expect_counts held=10 eof_read=10
  audit --order short-request-abort --conns 10 --grace 500ms --send "$(a_line)"
  expect_code 1
  expect_counts held=10 ghost=10
}

@test "short-request: a server that closes in the midst of a request is clean, and has had half of it" {
  local order note='os.write(1, b"%d\n" % len(line)); return'
  serve_python "${CLOSES_HALVES/return/$note}"
  for order in short-request short-request-close short-request-abort; do
    audit --order "$order" --conns 10 --grace 1s --send "$(a_line)"
    expect_code 0
    expect_in "$OUT" "The server holds nothing."
  done
  (($(grep -cx 5 "$BATS_TEST_TMPDIR/server") >= 20)) # of the ten bytes of the line; after an RST nothing is read
}

# ---- more than one ----

# replies HOW: the server answers each line; HOW is what it does with the second one of a connection.
replies() {
  printf '%s' 'kept = []
def serve(c):
    n = 0
    try:
        while c.recv(4096):
            n += 1
            os.write(1, b"request\n")
            if n == 2: '"$1"'
            c.sendall(b"reply")
    except OSError: pass
    c.close()
serve_each(serve)'
}

@test "second-request: a server that keeps connections with a second request, and none with one" {
  serve_python "$(replies 'c.sendall(b"x"); kept.append(c); return')"
  audit --conns 10 --grace 500ms --send "$(a_line)"
  expect_code 0
  audit --order second-request --conns 10 --grace 500ms --send "$(a_line)"
  expect_code 1
  expect_counts held=10 eof_unread=10
}

@test "second-request: as many as are asked for, each after a reply" {
  serve_python "$(replies pass)"
  audit --order second-request --requests 4 --conns 10 --grace 500ms --send "$(a_line)"
  expect_code 0
  expect_counts closed=10
  [[ $(grep -cx request "$BATS_TEST_TMPDIR/server") == 40 ]]
  [[ $(jq -c '.later_requests | [.sent, .answered, .lost, .silent, .not_kept_alive]' "$JSON") == '[10,10,0,0,0]' ]]
}

@test "second-request: a server that closes after its reply does not keep alive, which is fine and is said" {
  serve_python 'serve_each(lambda c: (c.recv(4096), c.sendall(b"reply"), c.close()))'
  audit --order second-request --conns 10 --grace 500ms --send "$(a_line)"
  expect_code 0
  expect_counts closed=10
  expect_in "$OUT" "Closed 10 of 10 connections before it had 2 requests: it does not keep those alive."
}

@test "second-request: a later request without a reply is said" {
  serve_python "$(replies 'continue')"
  audit --order second-request --conns 5 --grace 500ms --send "$(a_line)"
  expect_code 0
  expect_in "$OUT" "5 of 5 connections got no reply to a later request"
}

# ---- late ----

@test "late-request: those that meet the end of the idle timeout are counted, and are no leak" {
  serve_python 'import random
def serve(c):
    c.settimeout(random.uniform(0.48, 0.52)) # no timer is exact
    try:
        while c.recv(4096): c.sendall(b"reply")
    except OSError: pass
    c.close()
serve_each(serve)'
  audit --order late-request --conns 42 --grace 1500ms --send "$(a_line)"
  expect_code 0
  jq -e '.later_requests | .sent == 42 and .answered + .lost == 42 and .answered > 0 and .lost > 0' "$JSON"
  jq -e '.idle_timeout_s > 0.47 and .idle_timeout_s < 0.7' "$JSON"
  expect_in "$OUT" "of 42 requests sent as its idle timeout"
  expect_in "$OUT" "502"
  expect_not_in "$OUT" "reply-before-read"
}

@test "late-request: a server that forgets those it has answered late leaks" {
  serve_python 'kept = []
def serve(c):
    c.settimeout(0.5); n = 0
    try:
        while c.recv(4096):
            n += 1
            c.sendall(b"reply")
            if n == 2: kept.append(c); return
    except OSError: pass
    c.close()
serve_each(serve)'
  for _ in 1 2 3; do # on a busy machine all of them may come too late
    audit --order late-request --conns 42 --grace 1s --send "$(a_line)"
    [[ $(jq .later_requests.answered "$JSON") == 0 ]] || break
  done
  expect_code 1
  expect_in "$OUT" "The server leaks."
}

@test "late-request: without an idle timeout there is no such moment, and no verdict" {
  serve_python 'serve_each(lambda c: (c.recv(4096), c.sendall(b"reply"), drain(c), c.close()))'
  audit --order late-request --conns 10 --grace 500ms --send "$(a_line)"
  expect_code 3
  expect_in "$OUT" "The server closed no idle client within 500ms"
  expect_counts
}

@test "late-request: a server that closes after its reply has no such race" {
  serve_python 'serve_each(lambda c: (c.recv(4096), c.sendall(b"reply"), c.close()))'
  audit --order late-request --conns 10 --grace 500ms --send "$(a_line)"
  expect_code 0
  expect_in "$OUT" "It closes each connection after its reply"
}

@test "an order that needs a request says why: exit status 2 before any socket" {
  local order
  for order in stall short-request short-request-close short-request-abort second-request late-request; do
    code=0
    "$STORM" audit 127.0.0.1:9 --order "$order" >"$OUT" 2>"$ERR" || code=$?
    expect_code 2
    expect_one_sentence
    expect_in "$ERR" "--order $order needs --send FILE or --http PATH: "
  done
  printf x >"$BATS_TEST_TMPDIR/byte"
  code=0
  "$STORM" audit 127.0.0.1:9 --order short-request --send "$BATS_TEST_TMPDIR/byte" >"$OUT" 2>"$ERR" || code=$?
  expect_code 2
  expect_in "$ERR" "two bytes or more"
}
