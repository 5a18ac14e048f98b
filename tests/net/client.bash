# shellcheck shell=bash disable=SC2034,SC2154 # its variables are for the tests; others come from storm.bash
# client: clients to be audited, of python's own modules.
#
# Needs storm.bash and audit.bash.

# For python3 -c: get(c) asks for something, each(f) calls f with 5 connections, one after the other, and then the
# client lives on.
CLIENT='import os, select, socket, sys, threading, time
kept = []
def connect(timeout=5):
    c = socket.socket()
    c.settimeout(timeout)
    c.connect(("127.0.0.1", 9000))
    return c
def get(c, body=b""):
    c.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
def reply(c):
    data = b""
    while not data.endswith(b"tcpstorm.\n"):
        more = c.recv(4096)
        if not more: raise EOFError
        data += more
def each(f, times=5):
    for i in range(times): f()
    time.sleep(60)
'

# as_server ORDER BODY [OPTION...]: what a client of that body comes to.
as_server() {
  command -v python3 >/dev/null || skip "no python3 to make a client with"
  in_fresh_namespace
  code=0
  "${launcher[@]}" "$STORM" audit --as-server 9000 --order "$1" --grace "${GRACE-300ms}" --json "$JSON" --csv "$CSV" "${@:3}" \
    -- python3 -c "$CLIENT$2" >"$OUT" 2>"$ERR" 3>&- || code=$?
}

# expect_closes N: exit code 0, and all are closed.
expect_closes() {
  expect_code 0
  expect_counts "closed=$1"
  expect_in "$OUT" "The client holds nothing."
}

# expect_held N: exit code 1, and so many are in CLOSE_WAIT. Whether EOF is unread depends on how the kernel has cut what
# came: a recv() may take the FIN along.
expect_held() {
  expect_code 1
  [[ $(count_of held) == "$1" && $(($(count_of eof_unread) + $(count_of eof_read) + $(count_of eof_unsure))) == "$1" ]] || { show_output; return 1; }
}
