#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154 # $ is for the clients; variables are shared with storm.bash and audit.bash
# audit --as-server: what the end of a process hides, clients that nobody has started, and bad input.

load ../storm
load ../audit
load ../client

# ---- the end of the command ----

@test "as-server: what the end of the command has closed is not judged: exit status 3, and why" {
  GRACE=2s as_server close-after-reply 'for i in range(5): c = connect(); get(c); kept.append(c)
time.sleep(0.5)' --http
  expect_code 3
  expect_in "$ERR" "5 were closed at exit"
  [[ $(jq .at_exit "$JSON") == 5 ]]
}

@test "as-server: what a command held when its grace period was over is held against it, though it has ended since" {
  local visits
  for visits in 10 40; do # on a busy machine there may be no look in between: then there is no verdict
    as_server close-after-reply "for i in range(5): c = connect(); get(c); kept.append(c)
for i in range($visits): # we wait for as long as somebody comes
    time.sleep(0.15)
    with connect() as c: get(c); reply(c)
os._exit(0) # python would close them itself, and end some ms later" --http
    [[ $code == 3 ]] || break
  done
  expect_code 1
  [[ $(jq .client.status "$JSON") == 0 && $(count_of held) == 5 && $(count_of closed) -gt 0 ]] || { show_output; return 1; }
  expect_in "$OUT" "owner python3 pid $(jq .client.pid "$JSON")."
}

@test "as-server: nor is what the end of a child of the command has closed, while the command goes on" {
  GRACE=1s as_server close-after-reply 'for i in range(5):
    if os.fork() == 0:
        c = connect(); get(c); time.sleep(0.4); os._exit(0)
while True: os.wait(); time.sleep(0.2)' --http
  expect_code 3
  [[ $(jq .at_exit "$JSON") == 5 ]]
}

# The first process of a PID namespace has closed all and is not yet a zombie, for as long as anybody of its namespace is
# not waited for: here its sibling, which the end of the namespace kills.
@test "as-server: what the long end of a child of the command has closed is not judged either" {
  as_server close-after-reply 'import ctypes
if ctypes.CDLL(None, use_errno=True).unshare(0x20000000) != 0: sys.exit(9) # CLONE_NEWPID
first = os.fork()
if first == 0:
    for i in range(5): c = connect(); get(c); kept.append(c)
    time.sleep(1)
    os._exit(0)
sibling = os.fork()
if sibling == 0: time.sleep(60)
for i in range(20): # we wait for as long as somebody comes
    time.sleep(0.15)
    with connect() as c: get(c); reply(c)
os.waitpid(sibling, 0)
time.sleep(60)' --http
  expect_code 1
  [[ $(count_of held) == 5 ]] || { show_output; return 1; }
}

@test "as-server: a descriptor that is closed while a call on it goes on has no owner" {
  as_server never-answer 'def visit():
    c = connect(None); get(c)
    threading.Thread(target=c.recv, args=(1,), daemon=True).start()
    time.sleep(0.15); c.close()
each(visit)' --http
  expect_code 1
  expect_not_in "$OUT" "owner python3"
  if (($(count_of no_descriptor) > 0)); then
    (($(count_of no_descriptor) + $(count_of open) == 5)) || { show_output; return 1; } # one may be seen too early
    expect_in "$OUT" "no process has a descriptor: it was closed while a call on it is still in progress."
  else # some process of this machine may not be looked into
    expect_leak open 5
    expect_in "$OUT" "the owner cannot be seen"
  fi
}

@test "as-server: a command that does not connect, that ends before, that is not there: exit status 3, one sentence" {
  as_server close-idle 'time.sleep(60)' --quiet --until-ready 300ms
  expect_code 3
  expect_one_sentence
  expect_in "$ERR" '"python3" did not connect to 9000 within 300ms'
  as_server close-idle 'sys.exit(4)' --quiet
  expect_code 3
  expect_one_sentence
  expect_in "$ERR" '"python3" exited with status 4 without having connected to 9000'
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
  refuse 'so no server can be given' 127.0.0.1:80 --as-server 9000
  refuse '-- must be followed by the program' --as-server 9000 --
  refuse '--reply "/nonexistent"' --as-server 9000 --reply /nonexistent
  refuse '--grace "2m"' --as-server 9000 --http --order close-after-reply --grace 2m
  refuse '--order "half-close"' --as-server 9000 --order half-close
}
