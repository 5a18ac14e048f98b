#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash; every test is a subshell
#
# The guide of the man page, from the alert to the fix: its server is taken from there, its commands are run, and they must
# print what it says, but for the numbers.

load ../storm
load ../explain

MANUAL=$BATS_TEST_DIRNAME/../../../src/man/tcpstorm.1.in

# block N: the Nth example of that section, as man shows it.
block() {
  awk -v wanted="$1" '
    /^\.SH / { inside = $0 == ".SH A LEAK, FROM THE ALERT TO THE FIX" }
    inside && /^\.EX/ { fenced = 1; count++; next }
    /^\.EE/ { fenced = 0 }
    fenced && count == wanted' "$MANUAL" | sed 's/\\-/-/g; s/\\e/\\/g'
}

# On one line, each number, address and time as N.
without_numbers() {
  tr -s '\n ' ' ' <"$1" | sed -E 's/[0-9][0-9.,:]*[0-9]|[0-9]/N/g; s/N ?(ms|min|days?|h|s)\b/N/g; s/N( N)+/N/g'
}

# prints STATUS N: runs the command of that block, which must end so, and say each of its sentences. How fast it grows, and
# which dump is to be had, depends on the machine.
prints() {
  local command there sentence status=0
  command=$(block "$2" | sed -n '1s/^\$ //p')
  block "$2" | sed '1d' >"$BATS_TEST_TMPDIR/guide"
  [[ $command == tcpstorm* && -s $BATS_TEST_TMPDIR/guide ]] || { say "the guide has no command in its block $2"; return 1; }
  PATH=$BATS_TEST_TMPDIR:$PATH bash -o pipefail -c "$command" >"$OUT" 2>&1 3>&- || status=$?
  [[ $status == "$1" ]] || { say "$command: exit status $status where $1 was expected"; cat "$OUT"; return 1; }
  there=$(without_numbers "$OUT")
  while read -r sentence; do
    [[ $there == *"$sentence"* || $sentence == Grows* || $sentence == Next:* ]] && continue
    say "$command does not say \"$sentence\" but:"
    cat "$OUT"
    return 1
  done < <(without_numbers "$BATS_TEST_TMPDIR/guide" | sed -E 's/([.:;]) /\1\n/g')
}

start_server() { # FILE
  python3 "$1" 8080 >"$BATS_TEST_TMPDIR/server.err" 2>&1 3>&- &
  server=$!
  others+=("$server")
  wait_until 10 is_served
}

is_served() {
  [[ -n $(ss -Htln 'sport = :8080') ]]
}

# Requests for the port, 20 a second, each for 250 ms.
CLIENTS='import socket, time
kept = []
while True:
    c = socket.create_connection(("127.0.0.1", 8080)); c.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"); c.recv(100); kept.append(c)
    time.sleep(.05)
    if len(kept) > 4: kept.pop(0).close()'

@test "the guide leads from the alert to the fix" {
  command -v python3 >/dev/null || skip "no python3 to run the server with"
  block 1 >"$BATS_TEST_TMPDIR/server.py"
  start_server "$BATS_TEST_TMPDIR/server.py"
  python3 -c "$CLIENTS" 3>&- >/dev/null 2>&1 &
  clients=$!
  others+=("$clients")
  prints 1 2
  prints 1 3
  prints 1 4
  kill "$clients"
  prints 1 5
  kill -KILL "$server"
  # The fix stands behind the last line of the loop.
  awk -v fix="$(block 6)" '{ print } /sendall/ { print fix }' "$BATS_TEST_TMPDIR/server.py" >"$BATS_TEST_TMPDIR/mended.py"
  [[ $(wc -l <"$BATS_TEST_TMPDIR/mended.py") == $(($(wc -l <"$BATS_TEST_TMPDIR/server.py") + 2)) ]]
  wait "$server" || true
  start_server "$BATS_TEST_TMPDIR/mended.py"
  prints 0 7
  prints 0 8
}
