#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154 # $ is for the servers; variables are shared with storm.bash and audit.bash
# audit: several orders in one audit, what a request is made of, an idle timeout that is expected, and servers that are
# not there.

load ../storm
load ../audit

# It answers and keeps alive, and closes after EOF, an error, or SECONDS of silence.
serve_well() {
  serve_python "def serve(c):
    c.settimeout($1)"'
    try:
        while c.recv(4096): c.sendall(b"x" * 5000)
    except OSError: pass
    c.close()
serve_each(serve)'
}

outcomes() {
  jq -sr '.[-1].orders | map("\(.order)=\(.outcome)") | join(" ")' "$JSON"
}

# ---- several orders ----

@test "all: every order that can be played is, and a clean server is clean in all forms" {
  serve_well 0.3
  audit --order all --conns 10 --grace 600ms --send "$(a_line)" --junit "$BATS_TEST_TMPDIR/junit.xml"
  expect_code 0
  [[ $(jq -s length "$JSON") == 13 ]]
  [[ $(jq -sc '.[-1] | [.event, .outcome, (.orders | length)]' "$JSON") == '["audits","closes",12]' ]]
  [[ $(jq -sc '[.[-1].not_tried[] | select(.why != "needs --tls") | .order]' "$JSON") == '["vanish"]' ]]
  [[ $(jq -s '[.[:-1][] | .audited] | unique == [10]' "$JSON") == true ]]
  [[ $(head -1 "$CSV") == "order,$CSV_FIELDS" && $(grep -c . "$CSV") == 121 && $(grep -c '^stall,' "$CSV") == 10 ]]
  grep -Eq 'tests="[0-9]+" failures="0" errors="0" skipped="[1-9]"' "$BATS_TEST_TMPDIR/junit.xml"
  [[ $(grep -c '<system-out>' "$BATS_TEST_TMPDIR/junit.xml") == 12 ]]
  expect_in "$OUT" "vanish not tried: needs the right to filter packets"
}

@test "a list: a row for each order, the verdicts of those that fail, and the exit status of the worst" {
  serve_python 'kept = []
def serve(c): drain(c); kept.append(c)
serve_each(serve)'
  audit --order idle,half-close,never-close --conns 10 --grace 300ms
  expect_code 1
  [[ $(outcomes) == "idle=leaks half-close=leaks never-close=no_verdict" ]]
  grep -Eq '^  half-close +10 +0 +- +leaks$' "$OUT"
  expect_in "$OUT" "half-close: The server leaks."
  expect_in "$OUT" "idle: The server keeps idle clients."
  expect_in "$ERR" "never-close: The server did not close first"
  end_server
  serve_python 'serve_each(lambda c: (drain(c), c.close()))'
  audit --order never-close,half-close --conns 5 --grace 300ms
  expect_code 3 # over 0
  [[ $(outcomes) == "never-close=no_verdict half-close=closes" ]]
}

@test "all without a request: what needs one is told" {
  serve_python 'serve_each(lambda c: (drain(c), c.close()))'
  audit --order all --conns 5 --grace 300ms
  expect_code 1
  [[ $(jq -sr '[.[-1].not_tried[] | select(.why == "needs --http or --send") | .order] | join(" ")' "$JSON") == \
    "eof-with-request stall short-request short-request-close short-request-abort second-request late-request" ]]
  expect_in "$OUT" "stall not tried: needs --http or --send"
}

@test "Ctrl-C ends all orders, and says what was not tried" {
  serve_well 30
  nsenter -t "$server_pid" -n "$STORM" audit "127.0.0.1:$PORT" --order half-close,idle,client-first --conns 5 --grace 20s --json "$JSON" \
    >"$OUT" 2>"$ERR" 3>&- &
  local auditor=$!
  wait_until 10 idle_has_begun
  kill -INT "$auditor"
  code=0
  wait "$auditor" || code=$?
  expect_code 130
  [[ $(outcomes) == "half-close=closes idle=interrupted" ]]
  expect_in "$OUT" "client-first not tried: interrupted before"
}

@test "a list where nobody listens says so once" {
  in_fresh_namespace
  code=0
  "${launcher[@]}" "$STORM" audit "127.0.0.1:$PORT" --order half-close,idle --json "$JSON" >"$OUT" 2>"$ERR" || code=$?
  expect_code 3
  expect_one_sentence
  expect_in "$OUT" "idle not tried: nobody listens"
}

# The first order is over when its clients have gone, and then some are there again.
idle_has_begun() {
  (($(within ss -Htan state time-wait | wc -l) >= 5)) && (($(ss_counts established) == 5))
}

@test "a server that ends is not asked again" {
  serve_python 'c = s.accept()[0]
drain(c)
os._exit(3)'
  audit --order half-close,idle --conns 5 --grace 300ms
  expect_code 1
  [[ $(outcomes) == "half-close=server_ended" ]]
  expect_in "$OUT" "idle not tried: the server had ended"
}

# ---- the request ----

@test "an HTTP request has the method, the headers and the body that are given" {
  serve_python 'def serve(c):
    data = b""
    while not data.endswith(b"body\n"): data += c.recv(4096)
    os.write(1, data)
    c.sendall(b"HTTP/1.1 204 No Content\r\n\r\n"); c.close()
serve_each(serve)'
  echo a body >"$BATS_TEST_TMPDIR/body"
  audit --conns 1 --grace 300ms --http /x --method POST --header 'Host: here' --header 'X-A: 1' --body "$BATS_TEST_TMPDIR/body"
  expect_code 0
  diff <(tail -n +2 "$BATS_TEST_TMPDIR/server") <(
    printf 'POST /x HTTP/1.1\r\nUser-Agent: tcpstorm\r\nAccept: */*\r\nHost: here\r\nX-A: 1\r\nContent-Length: 7\r\n\r\na body\n'
  )
}

# ---- an idle timeout that is expected ----

@test "--expect-idle-timeout: a server that says so as it closes has waited until then" {
  serve_python 'def serve(c):
    c.settimeout(0.8)
    try:
        while c.recv(4096): c.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
    except socket.timeout: c.sendall(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
    c.close()
serve_each(serve)'
  local request
  for request in '' '--http /'; do
    # shellcheck disable=SC2086
    audit --order idle --expect-idle-timeout 800ms --conns 10 --grace 2s $request
    expect_code 0
    jq -e '.idle_timeout_s > 0.75 and .idle_timeout_s < 1.1' "$JSON"
  done
}

@test "a server that closes after its reply has no idle timeout, and is told when one was expected" {
  serve_python 'serve_each(lambda c: (c.recv(4096), c.sendall(b"HTTP/1.0 200 OK\r\n\r\nhello"), c.close()))'
  audit --order idle --conns 10 --grace 500ms --http /
  expect_code 0
  ! grep -q "idle clients" "$OUT"
  jq -e 'has("idle_timeout_s") | not' "$JSON"
  audit --order idle --conns 10 --grace 1s --http / --expect-idle-timeout 500ms
  expect_code 1
}

@test "--expect-idle-timeout: the server's, another one, and one that never comes" {
  serve_well 0.8
  audit --order idle --expect-idle-timeout 800ms --conns 10 --grace 2s
  expect_code 0
  expect_in "$OUT" "It closes idle clients after 0.8"
  audit --order idle,half-close --expect-idle-timeout 1500ms --conns 10 --grace 2s
  expect_code 1
  [[ $(outcomes) == "idle=off_time half-close=closes" ]]
  expect_in "$OUT" "The server closes idle clients, but not when it was expected to."
  expect_in "$OUT" "expected was 1.5s"
  jq -se '.[0] | .idle_timeout_s > 0.75 and .idle_timeout_s < 1.1 and .expected_idle_timeout_s == 1.5' "$JSON"
  end_server
  serve_well 10
  audit --order idle --expect-idle-timeout 500ms --conns 10 --grace 600ms
  expect_code 1
  expect_in "$OUT" "The server keeps idle clients."
}

# ---- nobody there ----

ORDERS=(half-close client-first abort idle never-close eof-with-request stall vanish short-request short-request-close
  short-request-abort second-request late-request)

@test "nobody listens: exit status 3 for every order, and that is what is said" {
  in_fresh_namespace
  local order line
  line=$(a_line)
  for order in "${ORDERS[@]}"; do
    code=0
    "${launcher[@]}" "$STORM" audit "127.0.0.1:$PORT" --conns 3 --grace 100ms --send "$line" --order "$order" --quiet \
      >"$OUT" 2>"$ERR" || code=$?
    expect_code 3
    expect_one_sentence
    expect_in "$ERR" "Nobody listens on 127.0.0.1:$PORT: connect() is refused."
  done
}

@test "connected to itself: exit status 3 for every order, and that is what is said" {
  in_fresh_namespace net.ipv4.ip_local_port_range="$PORT $PORT"
  local order line
  line=$(a_line)
  for order in "${ORDERS[@]}"; do
    code=0
    "${launcher[@]}" "$STORM" audit "127.0.0.1:$PORT" --conns 1 --grace 100ms --send "$line" --order "$order" --quiet \
      >"$OUT" 2>"$ERR" || code=$?
    expect_code 3
    expect_one_sentence
    expect_in "$ERR" "the kernel connected the client to itself"
  done
}
