#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154 # $ is for the servers; variables are shared with storm.bash and audit.bash
#
# "tcpstorm audit --tls": each kind with a server that fails and a clean twin.

load ../storm
load ../audit

# make_certificate: of localhost and 127.0.0.1, signed by itself: $CERT and $KEY, once for all tests.
make_certificate() {
  CERT=$BATS_FILE_TMPDIR/cert.pem KEY=$BATS_FILE_TMPDIR/key.pem
  [[ -s $CERT ]] || openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$KEY" -out "$CERT" -days 2 -subj /CN=localhost \
    -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1' 2>/dev/null
}

# serve_tls HANDLER [MORE]: a server with TLS on $PORT, in a namespace of its own; the handler is handle(c) of the plain
# socket, shake(c) makes it one of TLS. MORE is done before it accepts, to the context ssl_context.
serve_tls() {
  command -v openssl >/dev/null || skip "no openssl to make a certificate with"
  ! "$STORM" audit 127.0.0.1:1 --tls 2>&1 | grep -q 'this build has no TLS' || skip "this build has no TLS"
  make_certificate
  serve_python 'import ssl
ssl_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); ssl_context.load_cert_chain("'"$CERT"'", "'"$KEY"'")
ssl_context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0) # which OpenSSL 3 has, and Python then sets
kept = []
def shake(c): return ssl_context.wrap_socket(c, server_side=True)
def finish(c):
    try: c.unwrap()
    except OSError: pass
    c.close()
'"$1
${2-}"'
serve_each(handle)'
}

audit_tls() {
  audit_of "127.0.0.1:$PORT" --conns 20 --grace "${grace-500ms}" --tls --ca "$CERT" "$@"
}

CLOSES='def handle(c):
    c = shake(c)
    while c.recv(4096): pass
    c.close()'
KEEPS='def handle(c):
    c = shake(c); kept.append(c)
    while c.recv(4096): pass'

@test "tls: a server that closes, after a close_notify and a FIN, or one of both" {
  local order
  serve_tls "$CLOSES"
  for order in half-close client-first tls-no-notify tls-notify-only; do
    grace=3s audit_tls --order "$order"
    expect_code 0
    expect_counts closed=20
  done
  audit_tls --order abort
  expect_code 0
  expect_counts closed=20
}

@test "tls: a server that does not close, likewise" {
  serve_tls "$KEEPS"
  audit_tls
  expect_leak eof_read 20
  expect_in "$OUT" "only close() is missing; owner python3 pid $server_pid"
  expect_in "$OUT" "ignore-eof"
  audit_tls --order client-first
  expect_code 1
  # A session ticket that comes after the close() is answered by an RST.
  (($(count_of eof_read) + $(count_of ghost) == 20)) || { show_output; return 1; }
  audit_tls --order tls-no-notify
  expect_leak eof_read 20
  audit_tls --order tls-notify-only
  expect_leak open 20
  expect_in "$OUT" "after the client's close_notify"
  audit_tls --order abort
  expect_code 1
  [[ $(count_of ghost) == 20 ]]
}

@test "tls: a server that does not read what came is told from one that read its close_notify" {
  serve_tls 'def handle(c): kept.append(shake(c))'
  audit_tls
  expect_leak eof_unread 20
}

@test "tls-no-notify: a server that takes a FIN without close_notify for an error, and forgets the connection" {
  serve_tls 'def handle(c):
    c = shake(c); c.suppress_ragged_eofs = False
    try:
        while c.recv(4096): pass
        c.close()
    except ssl.SSLError: kept.append(c)'
  audit_tls --order tls-no-notify
  expect_leak eof_read 20
  grace=3s audit_tls
  expect_code 0
  expect_counts closed=20
}

@test "tls-notify-only: a server that waits for a FIN behind the close_notify, and one that does not" {
  serve_tls 'def handle(c):
    c = shake(c)
    while c.recv(4096): pass
    p = c.unwrap() # answers with its own, and goes on in plain
    while p.recv(4096): pass
    p.close()'
  audit_tls --order tls-notify-only
  expect_leak open 20
  grace=3s audit_tls
  expect_code 0
  expect_counts closed=20
}

@test "tls-half-handshake: a server that forgets who leaves in the handshake, and one that closes" {
  serve_tls 'def handle(c):
    try: shake(c)
    except OSError: kept.append(socket.socket(fileno=os.dup(c.fileno()))); os.close(c.detach())' \
    'ssl_context.wrap_socket = lambda c, server_side: ssl.SSLContext.wrap_socket(ssl_context, socket.socket(fileno=os.dup(c.fileno())), server_side=True)'
  audit_tls --order tls-half-handshake
  expect_leak eof_read 20
  end_server
  serve_tls 'def handle(c):
    try: c = shake(c)
    except OSError: pass
    c.close()'
  grace=3s audit_tls --order tls-half-handshake
  expect_code 0
  expect_counts closed=20
}

@test "tls-stalled-handshake: a server without a time-out for it, and one with" {
  serve_tls "$CLOSES"
  audit_tls --order tls-stalled-handshake
  expect_code 1
  expect_counts held=20 open=20
  expect_in "$OUT" "The server keeps clients that stop in the handshake."
  expect_not_in "$OUT" "Bugs that look like this"
  end_server
  serve_tls 'def handle(c):
    c.settimeout(0.2)
    try: c = shake(c)
    except OSError: pass
    c.close()'
  grace=3s audit_tls --order tls-stalled-handshake
  expect_code 0
  expect_counts closed=20
}

@test "tls: a request and its reply, once, again, and with its end" {
  local order
  serve_tls 'def handle(c):
    c = shake(c)
    while c.recv(4096): c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 40000\r\n\r\n" + 40000 * b"x")
    finish(c)'
  for order in half-close second-request eof-with-request client-first; do
    grace=3s audit_tls --order "$order" --http /
    expect_code 0
    expect_counts closed=20
  done
  awk -F, 'NR > 1 && $6 != 40042 { exit 1 }' "$CSV" # of client-first: all of it came before the close()
}

@test "tls, eof-with-request: a server that takes the close_notify for the end of its client loses the reply" {
  a_line
  serve_tls 'def handle(c):
    c = shake(c); c.recv(4096); time.sleep(0.05); c.setblocking(False)
    try: gone = c.recv(1) == b""
    except ssl.SSLWantReadError: gone = False
    c.setblocking(True)
    if not gone: c.sendall(b"reply")
    finish(c)'
  audit_tls --order eof-with-request --send "$BATS_TEST_TMPDIR/line"
  expect_code 1
  expect_counts reply_lost=20
}

@test "tls: a certificate that is not trusted, or of another name, is exit code 3, with what OpenSSL says" {
  serve_tls "$CLOSES"
  audit --tls --conns 5
  expect_code 3
  expect_in "$ERR" "The handshake of TLS with 127.0.0.1:$PORT fails: its certificate is not trusted: self-signed certificate"
  audit --tls --conns 5 --ca "$CERT" --servername example.com
  expect_code 3
  expect_in "$ERR" "hostname mismatch"
  audit --tls --conns 5 --ca "$CERT" --servername localhost --grace 300ms
  expect_code 0
  audit --tls --conns 5 --insecure --servername example.com --grace 300ms
  expect_code 0
}

@test "tls: a server of another version, of plain text, and one that says nothing, are exit code 3" {
  serve_tls "$CLOSES" 'ssl_context.maximum_version = ssl.TLSVersion.TLSv1_1; ssl_context.minimum_version = ssl.TLSVersion.TLSv1'
  audit_tls
  expect_code 3
  expect_in "$ERR" "The handshake of TLS with 127.0.0.1:$PORT fails: "
  end_server
  serve_python 'serve_each(lambda c: (c.recv(4096), c.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"), c.close()))'
  audit_tls
  expect_code 3
  expect_in "$ERR" "it does not speak TLS"
  end_server
  serve_python 'serve_each(lambda c: (c.recv(4096), c.close()))'
  audit_tls
  expect_code 3
  expect_in "$ERR" "it closes the connection"
}

@test "tls: a TCP check of a port of TLS, without --tls" {
  serve_tls 'def handle(c):
    try: c = shake(c)
    except OSError: pass
    c.close()'
  audit --conns 20 --grace 500ms
  expect_code 0
  expect_counts closed=20
}

@test "tls: bad input is told before a connection" {
  local words
  make_certificate
  while read -r -a words; do
    code=0
    "$STORM" audit "127.0.0.1:$PORT" "${words[@]}" >"$OUT" 2>"$ERR" || code=$?
    expect_code 2
    expect_one_sentence
  done <<END
--ca $CERT
--insecure
--servername x
--tls --insecure --ca $CERT
--tls --ca /no/such/file
--tls --ca $KEY
--order tls-no-notify
--tls --order tls-half-handshake --http /
END
}
