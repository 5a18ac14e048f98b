#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154 # $ is for the clients; variables are shared with storm.bash and audit.bash
# audit --as-server: clients that fail under each manner of a server, each with a clean twin.

load ../storm
load ../audit

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
  [[ $(count_of held) == "$1" && $(($(count_of eof_unread) + $(count_of eof_read))) == "$1" ]] || { show_output; return 1; }
}

# ---- close-idle ----

@test "as-server close-idle: a pool that does not notice keeps its connections in CLOSE_WAIT, with EOF unread" {
  as_server close-idle 'def visit():
    c = connect(); get(c); reply(c); kept.append(c)
each(visit)' --http
  expect_leak eof_unread 5
  expect_in "$OUT" "The client leaks."
  expect_in "$OUT" "Holds 5 of 5 connections 300ms after the server's FIN; CLOSE_WAIT, and EOF is unread"
  expect_in "$OUT" "owner python3 pid $(jq .client.pid "$JSON")."
}

@test "as-server close-idle: a pool that looks at its connections closes them" {
  as_server close-idle 'def sweep():
    while True:
        time.sleep(0.05)
        for c in [c for c in list(kept) if select.select([c], [], [], 0)[0]]: kept.remove(c); c.close()
threading.Thread(target=sweep, daemon=True).start()
def visit():
    c = connect(); get(c); reply(c); kept.append(c)
each(visit)' --http
  expect_closes 5
}

@test "as-server close-idle: a client that says nothing is closed as well" {
  as_server close-idle 'each(lambda: kept.append(connect()))'
  expect_leak eof_unread 5
}

# ---- close-after-reply ----

READS_ON='while c.recv(4096): pass'

@test "as-server close-after-reply: a client that has read EOF and forgets close()" {
  as_server close-after-reply 'def visit():
    c = connect(); get(c); kept.append(c)
    '"$READS_ON"'
each(visit)' --http
  expect_leak eof_read 5
  expect_in "$OUT" "CLOSE_WAIT, everything is read: only close() is missing"
}

@test "as-server close-after-reply: a client that closes" {
  as_server close-after-reply 'def visit():
    with connect() as c:
        get(c)
        '"$READS_ON"'
each(visit)' --http
  expect_closes 5
}

@test "as-server close-after-reply --reply: a reply of any protocol" {
  printf '+PONG\r\n' >"$BATS_TEST_TMPDIR/pong"
  as_server close-after-reply 'def visit():
    c = connect(); c.sendall(b"PING\r\n"); assert c.recv(100) == b"+PONG\r\n"; kept.append(c)
each(visit)' --reply "$BATS_TEST_TMPDIR/pong"
  expect_held 5
}

# ---- half-reply ----

HALF='def visit():
    c = connect()
    try: get(c); reply(c)
    except EOFError: '

@test "as-server half-reply: a client whose error path forgets close()" {
  as_server half-reply "$HALF"'kept.append(c)
each(visit)' --http
  expect_leak eof_read 5
}

@test "as-server half-reply: a client whose error path closes" {
  as_server half-reply "$HALF"'c.close()
each(visit)' --http
  expect_closes 5
}

# ---- abort ----

RESET='def visit():
    c = connect()
    try: get(c); reply(c)
    except ConnectionResetError: '

@test "as-server abort: a client that forgets close() after an RST keeps descriptors of nothing" {
  as_server abort "$RESET"'kept.append(c)
each(visit)' --http
  expect_leak ghost 5
  expect_in "$OUT" "Holds 5 of 5 connections 300ms after the server's RST; descriptors of connections that have left every table"
  expect_in "$OUT" "owner python3 pid"
}

@test "as-server abort: a client that closes after an RST" {
  as_server abort "$RESET"'c.close()
each(visit)' --http
  expect_closes 5
}

# ---- never-answer ----

@test "as-server never-answer: a client without a timeout waits for ever" {
  as_server never-answer 'def visit():
    c = connect(None); get(c); kept.append(c)
    threading.Thread(target=c.recv, args=(1,), daemon=True).start()
each(visit)' --http
  expect_leak open 5
  expect_in "$OUT" "The client waits for a server that does not answer."
  expect_in "$OUT" "Holds 5 of 5 connections 300ms after the request; its ends are ESTABLISHED; owner python3 pid"
}

@test "as-server never-answer: a client that gives up in time, and closes" {
  as_server never-answer 'def visit():
    c = connect(0.1)
    try: get(c); reply(c)
    except TimeoutError: c.close()
each(visit)' --http
  expect_closes 5
}

# ---- never-accept ----

NEVER='def visit():
    c = socket.socket()
    c.settimeout(0.1)
    try: c.connect(("127.0.0.1", 9000)); get(c); c.recv(1)
    except TimeoutError: '

@test "as-server never-accept: connect() that is given up without close() is held in SYN_SENT" {
  as_server never-accept "$NEVER"'kept.append(c)
each(visit)'
  expect_leak open 5
  expect_in "$OUT" "in SYN_SENT: connect() was not given up, or without close()"
  (($(grep -c SYN_SENT "$CSV") > 2))
}

@test "as-server never-accept: a client that closes what it gives up" {
  as_server never-accept "$NEVER"'c.close()
each(visit)'
  expect_code 0
  (($(count_of closed) >= 1 && $(count_of held) == 0))
  expect_in "$OUT" "The client holds nothing."
}

# ---- close-after-requests ----

TWICE='def visit():
    c = connect(); get(c); reply(c); get(c); reply(c); '

@test "as-server close-after-requests: a client that forgets the connection after the second reply" {
  as_server close-after-requests "$TWICE"'kept.append(c)
each(visit)' --http --requests 2
  expect_held 5
}

@test "as-server close-after-requests: a client that closes, and one that never comes to so many requests" {
  as_server close-after-requests "$TWICE"'c.recv(1); c.close()
each(visit)' --http --requests 2
  expect_closes 5
  as_server close-after-requests "$TWICE"'kept.append(c)
each(visit, 3)' --http --requests 5
  expect_code 3
  expect_in "$ERR" "on 3 it never came to close-after-requests"
}

# ---- fin-while-sending ----

UPLOAD='def visit():
    c = connect()
    try: get(c, b"x" * 300000); reply(c)
    except (EOFError, OSError): '

@test "as-server fin-while-sending: an upload that meets EOF and forgets close()" {
  as_server fin-while-sending "$UPLOAD"'kept.append(c)
each(visit)' --http
  expect_leak eof_read 5
}

@test "as-server fin-while-sending: an upload that meets EOF and closes" {
  as_server fin-while-sending "$UPLOAD"'c.close()
each(visit)' --http
  expect_closes 5
}

# ---- the end of the command ----

@test "as-server: what the end of the command has closed is not judged: exit status 3, and why" {
  GRACE=2s as_server close-after-reply 'for i in range(5): c = connect(); get(c); kept.append(c)
time.sleep(0.5)' --http
  expect_code 3
  expect_in "$ERR" "5 were closed at exit"
  [[ $(jq .at_exit "$JSON") == 5 ]]
}

@test "as-server: what a command held when its grace period was over is held against it, though it has ended since" {
  as_server close-after-reply 'for i in range(5): c = connect(); get(c); kept.append(c)
time.sleep(1.5)' --http
  expect_held 5
  expect_in "$OUT" "owner python3 pid $(jq .client.pid "$JSON")."
}

@test "as-server: a command that does not connect, that ends before, that is not there: exit status 3, one sentence" {
  as_server close-idle 'time.sleep(60)' --quiet --until-ready 300ms
  expect_code 3
  expect_one_sentence
  expect_in "$ERR" '"python3" did not connect to 9000 within 300ms'
  as_server close-idle 'sys.exit(4)' --quiet
  expect_code 3
  expect_one_sentence
  expect_in "$ERR" '"python3" left with exit status 4 and had not connected to 9000'
  code=0
  "${launcher[@]}" "$STORM" audit --as-server 9000 --quiet -- no-such-command-at-all 2>"$ERR" 3>&- || code=$?
  expect_code 3
  expect_in "$ERR" '"no-such-command-at-all": command not found'
  expect_no_process
}

# ---- without a command ----

# start_as_server OPTION...: in the background, until it listens; a client comes to it by join.
start_as_server() {
  in_fresh_namespace
  "${launcher[@]}" "$STORM" audit --as-server 9000 --grace 300ms --json "$JSON" "$@" >"$OUT" 2>"$ERR" 3>&- &
  server_pid=$!
  others+=("$server_pid")
  wait_until 10 is_served
}

is_served() {
  [[ -n $(within ss -Htln 'sport = :9000') ]]
}

join() {
  within python3 -c "$CLIENT$1" 3>&- &
  others+=("$!")
}

@test "as-server without a command: whoever comes is judged, when --conns have come" {
  start_as_server --conns 3 --order close-idle
  join 'each(lambda: kept.append(connect()), 3)'
  code=0
  wait "$server_pid" || code=$?
  expect_leak eof_unread 3
}

four_wait() {
  [[ $(within ss -Htn state close-wait "dport = :9000" | wc -l) == 4 ]]
}

@test "as-server without a command: Ctrl-C ends it, and those that came are judged" {
  start_as_server --order close-idle
  join 'each(lambda: kept.append(connect()), 4)'
  wait_until 20 four_wait
  sleep 2 # their grace period
  kill -INT "$server_pid"
  code=0
  wait "$server_pid" || code=$?
  expect_leak eof_unread 4
}

@test "as-server: Ctrl-C before anybody came" {
  start_as_server
  kill -INT "$server_pid"
  code=0
  wait "$server_pid" || code=$?
  expect_code 130
  [[ $(jq -r .outcome "$JSON") == interrupted ]]
}

# ---- what goes together ----

@test "as-server: bad input is one sentence, before a socket opens" {
  in_fresh_namespace
  refuse() {
    code=0
    "$STORM" audit "${@:2}" >"$OUT" 2>"$ERR" 3>&- </dev/null || code=$?
    expect_code 2
    expect_one_sentence
    expect_in "$ERR" "$1"
  }
  refuse '--order close-after-reply needs --http or --reply FILE' --as-server 9000 --order close-after-reply -- true
  refuse '--as-server "70000": must be a port from 1 to 65535' --as-server 70000
  refuse '--as-server "10.0.0.1:9000": it is outside loopback' --as-server 10.0.0.1:9000
  refuse 'no server goes with it' 127.0.0.1:80 --as-server 9000
  refuse 'behind -- must come the program' --as-server 9000 --
  refuse '--reply "/nonexistent"' --as-server 9000 --reply /nonexistent
  refuse '--grace "2m"' --as-server 9000 --http --order close-after-reply --grace 2m
  refuse '--order "half-close"' --as-server 9000 --order half-close
}
