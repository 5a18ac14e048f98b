#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash; every test is a subshell
#
# What does not stand in CLOSE_WAIT, or is held by nobody that can be seen: each failing program beside its clean twin.

load ../storm
load ../explain

expect_in() {
  tr -s '\n ' ' ' <"$1" | grep -qF -- "$2" || { say "no \"$2\" in:"; cat "$1"; return 1; }
}

# stay COUNT PORT...: so many clients of each server, which have sent something, and never close.
stay() {
  python3 -c 'import socket, sys, time
kept = []
for port in sys.argv[2:]:
    for i in range(int(sys.argv[1])):
        kept.append(socket.create_connection(("127.0.0.1", int(port))))
        kept[-1].sendall(b"hello\n")
print("staying", flush=True); time.sleep(120)' "$@" >"$BATS_TEST_TMPDIR/stay" 3>&- &
  others+=("$!")
  wait_until 10 grep -q staying "$BATS_TEST_TMPDIR/stay"
}

# finds NAME RULE: explain has found it.
finds() {
  explain "$1"
  [[ $(jq -r '[.findings[].rule] | unique | join(",")' "$JSON") == "$2" ]]
}

@test "half-closed and forgotten; a lingering close is not" {
  start_python forgotten 'while True:
    c = s.accept()[0]; kept.append(c)
    c.recv(100); c.sendall(b"ok\n"); c.shutdown(socket.SHUT_WR)'
  start_python lingering 'def f(c):
    c.recv(100); c.sendall(b"ok\n"); c.shutdown(socket.SHUT_WR); c.settimeout(50)
    try: c.recv(100)
    except OSError: pass
    c.close()
while True: threading.Thread(target=f, args=(s.accept()[0],), daemon=True).start()'
  start_python closing 'while True:
    c = s.accept()[0]
    c.recv(100); c.sendall(b"ok\n"); c.close()'
  await_servers
  stay 6 "${server_ports[@]}"
  explain forgotten # too early
  [[ $code == 0 ]]
  wait_until 10 finds forgotten half-closed-forgotten
  [[ $code == 1 ]]
  expect_in "$OUT" '6 FIN_WAIT2, half-closed by the program, nothing has moved for'
  expect_in "$OUT" 'tcp_fin_timeout runs after close() alone. [likely]'
  explain lingering
  [[ $code == 0 ]]
  expect_in "$OUT" '6 that it has half-closed'
  explain closing
  [[ $code == 0 && $(jq .half_closed "$JSON") == 0 ]]
}
