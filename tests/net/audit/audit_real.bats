#!/usr/bin/env bats
# shellcheck disable=SC2034,SC2154 # variables are shared with storm.bash and audit.bash
# audit: what real servers do that looks like a leak and is none, each in a few lines, with a twin that does leak. The servers
# themselves are in tests/real.

load ../storm
load ../audit

# Apache, lighttpd and haproxy shut down, and wait a while for the client's FIN before they close.
@test "never-close: a server that lingers is not said to leak, and time tells it from one that never closes" {
  serve_python 'def linger(c):
    c.sendall(b"reply"); c.shutdown(socket.SHUT_WR); time.sleep(1.5); c.close()
serve_each(linger)'
  audit --order never-close --conns 10 --grace 500ms
  expect_code 1
  expect_counts held=10 shut_down=10
  expect_in "$OUT" "The server keeps its end after its own FIN."
  expect_in "$OUT" "A server with a lingering close does this on purpose"
  expect_not_in "$OUT" "The server leaks"
  audit --order never-close --conns 10 --grace 3s
  expect_code 0
  expect_counts closed=10
}

# Varnish's X-Varnish is "2", or "32770 3" in a hit: its replies are whole, and shorter than others.
@test "eof-with-request: replies that differ in length and end alike are not lost, and one that is cut by as little is" {
  serve_python 'waited = [0]
def answer(c):
    c.recv(4096)
    waited[0] += 1
    number = b"32770 1" if waited[0] <= 3 else b"2"
    c.sendall(b"HTTP/1.1 200 OK\r\nX-Number: " + number + b"\r\nContent-Length: 6\r\n\r\nhello\n")
    c.close()
serve_each(answer)'
  audit --order eof-with-request --conns 10 --grace 1s --send "$(a_line)"
  expect_code 0
  expect_counts closed=10
  end_server
  serve_python 'waited = [0]
def answer(c):
    c.recv(4096)
    waited[0] += 1
    cut = 0 if waited[0] <= 3 else 6
    c.sendall((b"HTTP/1.1 200 OK\r\nX-Number: 2\r\nContent-Length: 6\r\n\r\nhello\n")[:-cut or None])
    c.close()
serve_each(answer)'
  audit --order eof-with-request --conns 10 --grace 1s --send "$(a_line)"
  expect_code 1
  expect_counts reply_lost=10
}

# Apache's listeners (AcceptFilter): who sends nothing waits in the kernel, and no process has it. It is neither closed nor held.
DEFERS='s.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 30)
s.listen(1024)
'

@test "idle: a listener that waits for the first byte (TCP_DEFER_ACCEPT) is no verdict, and with a byte there is one" {
  serve_python "$DEFERS"'serve_each(lambda c: (drain(c), c.close()))'
  audit --order idle --conns 10 --grace 500ms
  expect_code 3
  expect_counts timed_out=10
  expect_in "$OUT" "TCP_DEFER_ACCEPT"
  audit --order idle --conns 10 --grace 500ms --send "$(a_line)"
  expect_code 1
  expect_counts held=10 open=10
  audit --conns 10 --grace 2s # its FIN is heard
  expect_code 0
  expect_counts closed=10
}

# PgBouncer's: after a second the kernel hands over whoever is silent.
@test "abort: a server whose kernel hands a silent client over later is audited then" {
  serve_python "${DEFERS/30/1}"'serve_each(lambda c: (drain(c), c.close()))'
  audit --order abort --conns 10 --grace 500ms
  expect_code 0
  expect_counts closed=10
}

@test "abort: a server whose kernel never hands over a client that sends nothing has not been audited" {
  serve_python "$DEFERS"'serve_each(lambda c: (drain(c), c.close()))'
  audit --order abort --conns 10 --grace 500ms
  expect_code 3
  expect_counts timed_out=10
  expect_in "$OUT" "does not pass on the connections to 127.0.0.1:$PORT: it waits for their first byte (TCP_DEFER_ACCEPT: send one,"
  audit --order abort --conns 10 --grace 500ms --send "$(a_line)"
  expect_code 0
  expect_counts closed=10
}

# sshd and Dovecot have sockets and pipes for each client: while the client is there that is no leak.
PER_CLIENT='def serve(c):
    c.sendall(b"hello")
    ends = socket.socketpair() + os.pipe()
    drain(c); c.close()
'

@test "never-close: what a server holds for clients that are still there is no leak; what it keeps of those that left is" {
  serve_python "$PER_CLIENT"'    for e in ends: e.close() if hasattr(e, "close") else os.close(e)
serve_each(serve)'
  audit --order never-close --conns 20 --grace 500ms
  expect_code 3
  expect_in "$OUT" "The server did not close first"
  expect_not_in "$OUT" "Grew with the connections"
  audit --conns 20 --grace 500ms
  expect_code 0
  end_server
  serve_python 'kept = []
'"$PER_CLIENT"'    kept.append(ends)
serve_each(serve)'
  audit --conns 20 --grace 500ms
  expect_code 1
  expect_in "$OUT" "Grew with the connections"
}
