#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154 # $ is for the clients; variables are shared with storm.bash and audit.bash
# audit --as-server: clients that fail under each manner of a server, each with a clean twin.

load ../storm
load ../audit
load ../client

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
  expect_leak "$READ_OR_UNSURE" 5
  expect_in "$OUT" "CLOSE_WAIT, "
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
  expect_leak "$READ_OR_UNSURE" 5
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
  expect_in "$OUT" "in SYN_SENT: connect() was not given up, or given up without close()"
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
  expect_in "$ERR" "on 3 close-after-requests was never played"
}

# ---- fin-while-sending ----

UPLOAD='def visit():
    c = connect()
    try: get(c, b"x" * 300000); reply(c)
    except (EOFError, OSError): '

@test "as-server fin-while-sending: an upload that meets EOF and forgets close()" {
  as_server fin-while-sending "$UPLOAD"'kept.append(c)
each(visit)' --http
  expect_leak "$READ_OR_UNSURE" 5
}

@test "as-server fin-while-sending: an upload that meets EOF and closes" {
  as_server fin-while-sending "$UPLOAD"'c.close()
each(visit)' --http
  expect_closes 5
}
