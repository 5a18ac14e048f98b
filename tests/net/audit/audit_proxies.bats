#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154 # $ is for the proxies; variables are shared with storm.bash and audit.bash
# audit --through: what proxies pass on, lose and keep, each with a clean twin.

load ../storm
load ../audit

BACKEND=9000

# For serve_python: relay(c) for each client. In it `ends` says what becomes of the two when both directions are over, or
# one of them was reset.
RELAY='import select, struct
kept = []
def abort(*those):
    for x in those: x.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    close(*those)
def close(*those):
    for x in those: x.close()
def pump(c, b):
    to, reads = {c: b, b: c}, {c, b}
    while reads:
        for a in select.select(list(reads), [], [])[0]:
            data = a.recv(65536)
            if data: to[a].sendall(data)
            else: reads.discard(a); to[a].shutdown(socket.SHUT_WR)
def backend(): return socket.create_connection(("127.0.0.1", 9000))
'

CLEAN='def relay(c):
    b = backend()
    try: pump(c, b); close(c, b)
    except OSError: abort(c, b)
'

# proxy BODY: a proxy whose relay(c) is in it.
proxy() {
  serve_python "$RELAY$1
serve_each(relay)"
}

# through [OPTION...]: the audit of it.
through() {
  code=0
  within "$STORM" audit --through "127.0.0.1:$PORT" --as-backend "$BACKEND" --grace 400ms --conns 3 --json "$JSON" --csv "$CSV" "$@" \
    >"$OUT" 2>"$ERR" 3>&- || code=$?
}

# cell CLIENT BACKEND FILTER: of that cell of the matrix.
cell() {
  jq -r --arg client "$1" --arg backend "$2" ".cells[] | select(.client == \$client and .backend == \$backend) | $3" "$JSON"
}

# expect_cell CLIENT BACKEND FILTER VALUE
expect_cell() {
  local there
  there=$(cell "$1" "$2" "$3")
  [[ $there == "$4" ]] || { say "$3 of client $1, backend $2 is $there where $4 was expected"; show_output; return 1; }
}

# sum FILTER: over all cells.
sum() {
  jq "[.cells[] | $1] | add" "$JSON"
}

# ---- clean ----

@test "through: a proxy that passes everything on, as it came" {
  proxy "$CLEAN"
  through
  expect_code 0
  [[ $(jq -r .outcome "$JSON") == lets_go ]]
  [[ $(sum .passed) == 48 && $(sum '.held_front + .held_back + .lost + .one_sided') == 0 ]]
  expect_cell close stays .backend_heard.fin 3
  expect_cell half_close stays .backend_heard.fin 3
  expect_cell half_close close .answered 3
  expect_cell abort stays .backend_heard.rst 3
  expect_cell stays close .client_heard.fin 3
  expect_cell stays half_close .answered 3
  expect_cell stays abort .client_heard.rst 3
  expect_in "$OUT" "The proxy releases every connection, and loses nothing."
  expect_in "$OUT" "The backend sees the client's close() as FIN, half-close as FIN, RST as RST."
  expect_in "$OUT" "The client sees the backend's close() as FIN, half-close as FIN, RST as RST."
  expect_in "$OUT" "After the client's half-close, everything that the backend sends still arrives."
  [[ $(wc -L <"$OUT") -le 80 ]]
}

@test "through: in CSV there is a row for each pair, in JUnit a case for each cell" {
  proxy "$CLEAN"
  through --junit "$BATS_TEST_TMPDIR/junit.xml" --quiet
  expect_code 0
  expect_empty "$OUT"
  [[ $(wc -l <"$CSV") == 49 ]]
  [[ $(awk -F, '{ print NF }' "$CSV" | sort -u) == 25 ]]
  [[ $(grep -c '<testcase ' "$BATS_TEST_TMPDIR/junit.xml") == 16 ]]
  grep -q 'tests="16" failures="0" errors="0"' "$BATS_TEST_TMPDIR/junit.xml"
}

# ---- leaks ----

@test "through: a proxy that keeps the side to the backend leaks there, and only there" {
  proxy 'def relay(c):
    b = backend()
    kept.append(b)
    try: pump(c, b); close(c)
    except OSError: abort(c)
'
  through --junit "$BATS_TEST_TMPDIR/junit.xml"
  expect_code 1
  [[ $(sum .held_back) == 48 && $(sum .held_front) == 0 ]]
  expect_in "$OUT" "The proxy leaks."
  expect_in "$OUT" "connections to the backend, 400ms after both our ends have gone"
  expect_in "$OUT" "owner python3 pid $server_pid"
  expect_in "$OUT" "HOLDS back 3"
  grep -q 'failures="16"' "$BATS_TEST_TMPDIR/junit.xml"
}

@test "through: a proxy that keeps the side to its clients leaks there, and only there" {
  proxy 'def relay(c):
    b = backend()
    kept.append(c)
    try: pump(c, b); close(b)
    except OSError: abort(b)
'
  through
  expect_code 1
  [[ $(sum .held_front) == 48 && $(sum .held_back) == 0 ]]
  expect_in "$OUT" "connections from clients, 400ms after both our ends have gone"
}

@test "through: a proxy that takes no notice of a client's RST keeps a descriptor, and the backend" {
  proxy 'def relay(c):
    b = backend()
    try: pump(c, b); close(c, b)
    except OSError: kept.extend((c, b))
'
  through
  expect_code 1
  expect_cell abort stays .held_front 3
  expect_cell abort stays .held_back 3
  expect_cell close close '.held_front + .held_back' 0
  (($(jq .held.ghost "$JSON") > 0))
  expect_in "$OUT" "descriptors of connections that have left every table"
}

@test "through: a proxy that lets its client go and keeps the backend waits for what cannot come" {
  proxy 'def relay(c):
    b = backend()
    try:
        while data := c.recv(65536):
            b.sendall(data)
            if b"tcpstorm" in data: c.sendall(b.recv(32))
        close(c)
        drain(b)
        close(b)
    except OSError: abort(c, b)
'
  through
  expect_code 1
  expect_cell close stays .one_sided 3
  expect_cell close stays '.held_front + .held_back' 0
  expect_in "$OUT" "to the backend (ESTABLISHED) whose client has gone, and does not close them; owner python3 pid $server_pid."
}

# ---- data in flight ----

@test "through: a proxy that closes at POLLRDHUP loses what it has not read" {
  proxy 'def relay(c):
    b = backend()
    p, to = select.poll(), {c.fileno(): (c, b), b.fileno(): (b, c)}
    for x in (c, b): p.register(x, select.POLLIN | select.POLLRDHUP)
    try:
        while True:
            p.poll(); time.sleep(0.03)
            for fd, event in p.poll(0):
                if event & (select.POLLRDHUP | select.POLLHUP): return close(c, b)
                to[fd][1].sendall(to[fd][0].recv(65536))
    except OSError: abort(c, b)
'
  through
  expect_code 1
  [[ $(jq -r .outcome "$JSON") == loses_data ]]
  expect_cell close stays .lost 3
  expect_cell stays close .lost 3
  expect_in "$OUT" "The proxy loses data."
  expect_in "$OUT" "Loses data in flight from the client on"
  expect_in "$OUT" "LOST 3 of 3"
  [[ $(sum '.held_front + .held_back') == 0 ]]
}

# ---- what is a fact, and no fault ----

@test "through: a proxy that turns RST into FIN" {
  proxy 'def relay(c):
    b = backend()
    try: pump(c, b)
    except OSError: pass
    close(c, b)
'
  through
  expect_code 0
  expect_cell abort stays .backend_heard.fin 3
  expect_cell abort stays .backend_heard.rst 0
  expect_cell stays abort .client_heard.fin 3
  expect_in "$OUT" "The backend sees the client's close() as FIN, half-close as FIN, RST as FIN."
}

@test "through: a proxy that takes a half-close for the end" {
  proxy 'def relay(c):
    b = backend()
    to = {c: b, b: c}
    try:
        while True:
            for a in select.select([c, b], [], [])[0]:
                data = a.recv(65536)
                if not data: return close(c, b)
                to[a].sendall(data)
    except OSError: abort(c, b)
'
  through
  expect_code 0
  expect_cell half_close close .answered 0
  expect_cell half_close stays .client_heard.early 3
  expect_in "$OUT" "After the client's half-close, nothing more from the backend arrives: the proxy treats it as the end."
  expect_in "$OUT" "data, no answer"
}

# ---- http ----

# In it: head(x) reads a request or the head of a reply, reply(c, b, request) passes both on, and returns whether b may be
# used again; relay(c) has one request.
HTTP='import re
def head(x):
    data = b""
    while b"\r\n\r\n" not in data:
        more = x.recv(1)
        if not more: raise OSError
        data += more
    return data
def reply(c, b, request):
    b.sendall(request)
    answer = head(b)
    c.sendall(answer)
    length = re.search(rb"Content-Length: (\d+)", answer)
    left = int(length[1]) if length else 1 << 40
    while left:
        data = b.recv(min(left, 65536))
        if not data: return False
        c.sendall(data)
        left -= len(data)
    return True
'

@test "through --http: an HTTP proxy that closes both sides after each reply" {
  proxy "$HTTP"'def relay(c):
    b = None
    try:
        request = head(c)
        b = backend()
        reply(c, b, request)
    except OSError: pass
    close(c, *([b] if b else []))
'
  through --http /some/path
  expect_code 0
  [[ $(sum .passed) == 48 ]]
  expect_cell stays close .replied 3
  expect_cell half_close close .replied 3
  expect_in "$OUT" "whole reply"
}

@test "through --http: an HTTP proxy that forgets the backend leaks; without --http no connection of ours comes to it" {
  proxy "$HTTP"'def relay(c):
    try:
        request = head(c)
        b = backend()
        kept.append(b)
        reply(c, b, request)
    except OSError: pass
    close(c)
'
  through --http /
  expect_code 1
  [[ $(sum .held_back) == 48 && $(sum .held_front) == 0 ]]
  within timeout 30 "$STORM" audit --through "127.0.0.1:$PORT" --as-backend "$BACKEND" --conns 1 --grace 300ms >"$OUT" 2>"$ERR" 3>&- && false
  expect_in "$ERR" "No connection came to 9000: is 127.0.0.1:$PORT set to forward there?"
}

# A pool takes a connection out, and puts it back when its reply is complete.
POOL='pool, lock = [], threading.Lock()
def relay(c):
    b = None
    try:
        request = head(c)
        with lock: b = pool.pop() if pool else None
        b = b or backend()
        again = reply(c, b, request)
        if again:
            with lock: pool.append(b); b = None
    except OSError: pass
    close(c, *([b] if b else []))
'

@test "through --http: a pool that later requests come from is no leak, if it notices that the backend has gone" {
  proxy "$HTTP$POOL"'def sweep():
    while True:
        time.sleep(0.05)
        with lock:
            for b in [b for b in pool if select.select([b], [], [], 0)[0]]: pool.remove(b); b.close()
threading.Thread(target=sweep, daemon=True).start()
'
  through --http /
  expect_code 0
  (($(jq .pooled "$JSON") >= 3 && $(jq .reused "$JSON") >= 3))
  expect_in "$OUT" "(pooled); of 3 later requests"
}

@test "through --http: a pool that never looks at its connections keeps those that the backend has closed" {
  proxy "$HTTP$POOL"
  through --http /
  expect_code 1
  (($(sum .held_back) > 0))
  expect_in "$OUT" "CLOSE_WAIT, EOF is unread"
}

# ---- other tables ----

@test "through: a proxy of IPv6 that has IPv4 clients is seen on both sides" {
  proxy 's.close(); s = socket.create_server(("::", '"$PORT"'), family=socket.AF_INET6, dualstack_ipv6=True, backlog=1024)
def relay(c):
    b = backend()
    kept.append(b)
    try: pump(c, b); close(c)
    except OSError: abort(c)
print("Listening on both")
'
  wait_until 10 grep -q 'on both' "$BATS_TEST_TMPDIR/server"
  through
  expect_code 1
  [[ $(sum .held_back) == 48 && $(sum .held_front) == 0 ]]
  [[ $(jq .proxy.is_here "$JSON") == true ]]
}

# through_from_afar BODY: the proxy and we are in two namespaces, with a cable between them.
through_from_afar() {
  serve_python "${RELAY//127.0.0.1/10.9.0.2}$1"'
s.close(); s = socket.create_server(("0.0.0.0", '"$PORT"'), backlog=1024)
print("Listening on all")
serve_each(relay)'
  wait_until 10 grep -q 'on all' "$BATS_TEST_TMPDIR/server"
  unshare -n sleep 1000 3>&- &
  others+=("$!")
  local afar=$!
  wait_until 5 in_another_namespace "$afar"
  ip link add va netns "$server_pid" type veth peer name vb netns "$afar"
  within sh -c 'ip addr add 10.9.0.1/24 dev va; ip link set va up'
  nsenter -t "$afar" -n sh -c 'ip link set lo up; ip addr add 10.9.0.2/24 dev vb; ip link set vb up'
  code=0
  nsenter -t "$afar" -n "$STORM" audit --through "10.9.0.1:$PORT" --as-backend 10.9.0.2:9000 --allow-remote --grace 400ms --conns 2 \
    --json "$JSON" >"$OUT" 2>"$ERR" 3>&- || code=$?
}

@test "through: from afar our own ends tell what is held" {
  through_from_afar 'def relay(c):
    b = backend()
    kept.append(b)
    try: pump(c, b); close(c)
    except OSError: abort(c)
'
  expect_code 1
  (($(jq .held.from_afar "$JSON") > 0))
  expect_in "$OUT" "it has not closed them: our ends wait for its FIN"
}

@test "through: from afar what only descriptors tell is not known: no verdict" {
  through_from_afar "$CLEAN"
  expect_code 3
  [[ $(jq .classes.passed "$JSON") == 32 ]]
  expect_in "$OUT" "Its descriptors cannot be seen from here"
  expect_in "$OUT" "The backend sees the client's close() as FIN, half-close as FIN, RST as RST."
}

# ---- what is no verdict ----

@test "through: nobody listens in front: exit status 3, and why" {
  in_fresh_namespace
  code=0
  "${launcher[@]}" "$STORM" audit --through 127.0.0.1:15999 --as-backend "$BACKEND" --quiet >"$OUT" 2>"$ERR" 3>&- || code=$?
  expect_code 3
  expect_one_sentence
  expect_in "$ERR" "Nobody listens on 127.0.0.1:15999"
}

@test "through: an HTTP proxy without a backend answers by itself, and that is told" {
  proxy "$HTTP"'def relay(c):
    head(c)
    c.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
    close(c)
'
  through --http / --quiet
  expect_code 3
  expect_one_sentence
  expect_in "$ERR" 'No connection came to 9000: the proxy answered by itself, "HTTP/1.1 502 Bad Gateway"'
}

@test "through: a proxy that ends during the audit is told" {
  proxy 'def relay(c):
    b = backend()
    try: pump(c, b); close(c, b)
    except OSError: os._exit(3)
'
  through
  expect_code 1
  [[ $(jq -r .outcome "$JSON") == proxy_ended ]]
  expect_in "$OUT" "The proxy ended during the audit: python3 pid $server_pid exited with status 3."
}

@test "through: the backend's port is taken: exit status 3, one sentence" {
  proxy "$CLEAN"
  BACKEND=$PORT through --quiet
  expect_code 3
  expect_one_sentence
  expect_in "$ERR" "--as-backend \"$PORT\": another program listens there already"
}

@test "through: Ctrl-C ends it, and it says what it was" {
  proxy 'def relay(c):
    time.sleep(60)
'
  nsenter -t "$server_pid" -n "$STORM" audit --through "127.0.0.1:$PORT" --as-backend "$BACKEND" --json "$JSON" >"$OUT" 2>"$ERR" 3>&- &
  local auditor=$!
  others+=("$auditor")
  wait_until 10 within bash -c "[[ -n \$(ss -Htn state established dport = :$PORT) ]]"
  kill -INT "$auditor"
  code=0
  wait "$auditor" || code=$?
  expect_code 130
  expect_in "$OUT" "Interrupted after"
  [[ $(jq -r .outcome "$JSON") == interrupted ]]
}
