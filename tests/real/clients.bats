#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154 # $ is for the clients; variables are shared with storm.bash; every test is a subshell
#
# "tcpstorm audit --as-server" of real clients: curl, Python's http.client, urllib.request, urllib3 and requests, node's http
# agents: what it says of them must be what their manuals let one expect. TCPSTORM_AUDIT_TABLE: a file that the table of
# the results is appended to, in Markdown.

load ../net/storm
load servers

GRACE=600ms

need_module() {
  need python3 python3
  python3 -c "import $1" 2>/dev/null || skip "python3 has no $1 (apt-get install python3-$1)"
}

# as_server ORDER [OPTION...] -- COMMAND...: $code, and "closed=20 ..." in $counts.
as_server() {
  in_fresh_namespace
  name=$BATS_TEST_DESCRIPTION version='' code=0
  "${launcher[@]}" "$STORM" audit --as-server 9000 --http --grace "$GRACE" --json "$JSON" --order "$@" >"$OUT" 2>"$ERR" 3>&- || code=$?
  counts=$(jq -r '[.classes, .groups] | map(to_entries[] | select(.value > 0) | "\(.key)=\(.value)") | join(" ")' "$JSON")
  note_row "$@"
}

# expect_held N: exit status 1, and so many are in CLOSE_WAIT. Whether EOF is unread depends on how the kernel has cut what came.
expect_held() {
  [[ $code == 1 && $counts == *"held=$1"* && $counts != *closed=* && $counts != *open=* ]] || { say "$counts"; show_output; return 1; }
}

# ---- curl ----

# run_curl ORDER [OPTION...]: one process, twenty requests, some a second; its last connection may be closed by its exit.
run_curl() {
  need curl curl
  curl --help all | grep -q -- --rate || skip "this curl has no --rate"
  as_server "$@" -- curl -sS --rate 18000/h "http://127.0.0.1:9000/[1-20]"
}

# closes_but_the_last: nothing is held, and that is a verdict.
closes_but_the_last() {
  expect_code 0
  jq -e '.classes.held == 0 and .classes.closed >= 9 * .conns / 10 and .at_exit <= 2' "$JSON" >/dev/null || { show_output; return 1; }
}

@test "curl closes at once after a reply that says Connection: close" {
  GRACE=150ms run_curl close-after-reply
  closes_but_the_last
}

@test "curl closes a connection of its cache that the server has closed when it looks for one again" {
  GRACE=150ms run_curl close-after-reply --keep-alive
  closes_but_the_last
}

@test "curl closes after an RST" {
  GRACE=150ms run_curl abort
  closes_but_the_last
}

@test "curl closes after half a reply" {
  GRACE=150ms run_curl half-reply
  closes_but_the_last
}

@test "curl without --max-time waits for ever for a server that does not answer" {
  need curl curl
  as_server never-answer -- curl -sS http://127.0.0.1:9000/
  expect 1 held=1 open=1
}

# ---- Python ----

PYTHON='import http.client, sys, time, urllib.request
kept = []
def each(f, times=5):
    for i in range(times):
        try: f()
        except Exception as e: print(type(e).__name__)
    time.sleep(60)
'

python_client() { # ORDER BODY OPTION...
  need python3 python3
  as_server "$1" "${@:3}" -- python3 -c "$PYTHON$2"
}

@test "http.client closes by itself after a reply that says Connection: close" {
  python_client close-after-reply 'def visit():
    c = http.client.HTTPConnection("127.0.0.1", 9000); c.request("GET", "/"); c.getresponse().read(); kept.append(c)
each(visit)'
  expect 0 closed=5
}

@test "http.client keeps a connection that promised keep-alive and was closed by the server, until it is used again" {
  python_client close-idle 'def visit():
    c = http.client.HTTPConnection("127.0.0.1", 9000); c.request("GET", "/"); c.getresponse().read(); kept.append(c)
each(visit)'
  expect_held 5
  python_client close-idle 'def visit():
    c = http.client.HTTPConnection("127.0.0.1", 9000); c.request("GET", "/"); c.getresponse().read(); time.sleep(0.3); c.close()
each(visit)'
  expect 0 closed=5
}

@test "http.client: a response that is not read keeps its connection, and with it the client leaks" {
  python_client close-after-reply 'def visit():
    c = http.client.HTTPConnection("127.0.0.1", 9000); c.request("GET", "/"); kept.append(c.getresponse())
each(visit)'
  expect_held 5
}

@test "urllib.request closes with its response" {
  python_client close-after-reply 'def visit():
    with urllib.request.urlopen("http://127.0.0.1:9000/") as r: r.read()
each(visit)'
  expect 0 closed=5
}

@test "urllib3: a pool keeps what the server has closed until it takes it out again: as many as it has room for" {
  need_module urllib3
  python_client close-idle 'import urllib3
from concurrent.futures import ThreadPoolExecutor
pool = urllib3.PoolManager(maxsize=3, block=True)
with ThreadPoolExecutor(3) as threads: list(threads.map(lambda i: pool.request("GET", "http://127.0.0.1:9000/"), range(3)))
time.sleep(60)'
  [[ $code == 1 ]] || { show_output; return 1; }
  (($(jq .classes.held "$JSON") >= 1 && $(jq .classes.held "$JSON") <= 3))
}

@test "requests: stream=True without close() keeps the connection; with a context manager it is closed" {
  need_module requests
  python_client close-after-reply 'import requests
each(lambda: kept.append(requests.get("http://127.0.0.1:9000/", stream=True)))'
  expect_held 5
  python_client close-after-reply 'import requests
def visit():
    with requests.get("http://127.0.0.1:9000/", stream=True) as r: r.content
each(visit)'
  expect 0 closed=5
}

@test "requests: a timeout gives a silent server up, and closes" {
  need_module requests
  python_client never-answer 'import requests
each(lambda: requests.get("http://127.0.0.1:9000/", timeout=0.3))'
  expect 0 closed=5
}

# ---- node ----

node_client() { # ORDER AGENT OPTION...
  need node nodejs
  as_server "$1" "${@:3}" -- node -e "const http = require('http'), agent = new http.Agent($2);
    let left = 5;
    const next = () => { if (left-- > 0) http.get({port: 9000, host: '127.0.0.1', agent, path: '/'}, r => { r.resume(); r.on('end', () =>
      setTimeout(next, 250)); r.on('error', () => setTimeout(next, 50)); }).on('error', () => setTimeout(next, 50)); };
    next();
    setTimeout(() => {}, 60000);"
}

# closes_all: as many as there were: a slow machine lets the agent use a connection twice.
closes_all() {
  expect_code 0
  jq -e '.classes.closed == .conns and .conns >= 1' "$JSON" >/dev/null || { show_output; return 1; }
}

@test "node's agent with keepAlive hears that the server has closed, and closes" {
  node_client close-idle "{keepAlive: true}"
  closes_all
  node_client close-after-reply "{keepAlive: true}" --keep-alive
  closes_all
}

@test "node's agent without keepAlive closes after each reply" {
  node_client close-after-reply "{}"
  expect 0 closed=5
}

@test "node closes after an RST and after half a reply" {
  node_client abort "{keepAlive: true}"
  expect 0 closed=5
  node_client half-reply "{keepAlive: true}"
  expect 0 closed=5
}

@test "node waits for ever for a server that does not answer: http has no timeout of its own" {
  node_client never-answer "{keepAlive: true}"
  expect 1 held=1 open=1
}
