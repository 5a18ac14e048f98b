#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154 # $ is for the servers; variables are shared with storm.bash and audit.bash
#
# "tcpstorm audit --run": the server is started, awaited, audited and stopped, and nothing of it is left.

load ../storm
load ../isolation
load ../audit

# How a server of python's begins: python3 -c "$SERVER...". The listener is s.
SERVER='import os, signal, socket, sys, threading, time
kept = []
def listen(port='"$PORT"'):
    return socket.create_server(("127.0.0.1", port), backlog=1024)
def serve(s, handler):
    while True: threading.Thread(target=handler, args=(s.accept()[0],), daemon=True).start()
def close(c):
    while c.recv(4096): pass
    c.close()
def keep(c):
    kept.append(c)
    while c.recv(4096): pass
'

# What a server does to put itself into the background, out of its session.
DAEMONISES='
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
'

# run [OPTION...] -- COMMAND...: an audit that starts the command, in a namespace of its own.
run_audit() {
  launch "$@"
  end_storm "$LONG"
}

# launch [OPTION...] -- COMMAND...: likewise, in the background.
launch() {
  ((${#launcher[@]})) || in_fresh_namespace
  rm -f "$JSON"
  "${launcher[@]}" "$STORM" audit "127.0.0.1:$PORT" --grace "${grace-1s}" --conns 20 --json "$JSON" --run "$@" >"$OUT" 2>"$ERR" 3>&- &
  storm_pid=$!
}

python() {
  command -v python3 >/dev/null || skip "no python3 to make a server with"
  program=(python3 -u -c "$SERVER$1" "$BATS_TEST_TMPDIR/mark")
}

# Processes of this test's servers: the mark is their last word.
servers() {
  pgrep -f -- "$BATS_TEST_TMPDIR/mark" || true
}

no_server() {
  [[ -z $(servers) ]]
}

# In isolation they end with their namespace: a moment later.
expect_no_server() {
  wait_until 5 no_server || { say "servers are left: $(servers)"; return 1; }
  wait_until 5 no_process
}

@test "--run starts the server, waits until it listens, and stops it: closed, exit code 0" {
  python 'print("coming up", flush=True); time.sleep(0.4); serve(listen(), close)'
  run_audit -- "${program[@]}"
  expect_code 0
  expect_counts closed=20
  expect_in "$ERR" "coming up"
  expect_not_in "$OUT" "coming up"
  expect_not_in "$OUT" "before it was stopped"
  [[ $(jq -c .program "$JSON") == '{"ended":false}' ]]
  expect_no_server
}

@test "--run: a leak is found, and the server that has it is gone" {
  python 'serve(listen(), keep)'
  run_audit -- "${program[@]}"
  expect_leak eof_read 20
  expect_no_server
}

@test "--run: nobody connects before the audit does" {
  python 's = listen(); s.settimeout(0.15); seen = 0
try: s.accept(); seen += 1
except OSError: pass
print("connections before:", seen); s.settimeout(None); serve(s, close)'
  run_audit -- "${program[@]}"
  expect_code 0
  expect_in "$ERR" "connections before: 0"
}

@test "--run: what a server opens between listen() and its work is not for the audit's connections" {
  python 's = listen(); rest = []
for i in range(6):
    time.sleep(0.1); rest += os.pipe()
    if os.fork() == 0: break
serve(s, close)'
  run_audit -- "${program[@]}"
  expect_code 0
  expect_counts closed=20
  expect_no_server
}

@test "--run: a command that is not there, or no program, is exit code 3 before anything else" {
  run_audit -- no-such-program --port "$PORT"
  expect_code 3
  expect_in "$ERR" 'tcpstorm: --run "no-such-program": command not found'
  expect_one_sentence
  run_audit -- /etc/passwd
  expect_code 3
  expect_in "$ERR" '--run "/etc/passwd": cannot be executed: Permission denied'
  expect_one_sentence
  [[ ! -s $JSON ]]
}

@test "--run: a program that ends before it listens: its exit status and its last line" {
  run_audit -- sh -c 'echo starting; echo "config: no such user" >&2; exit 7'
  expect_code 3
  expect_in "$ERR" "exited with status 7 before it listened on 127.0.0.1:$PORT; its last line: \"config: no such user\""
  run_audit -- sh -c 'kill -SEGV $$'
  expect_code 3
  expect_in "$ERR" "was killed by signal 11"
}

@test "--run: a program that does not listen in time, and one that listens on another port" {
  python 'time.sleep(60)'
  run_audit --until-ready 300ms -- "${program[@]}"
  expect_code 3
  expect_in "$ERR" "after 300ms it does not listen on 127.0.0.1:$PORT: give it more time with --until-ready"
  expect_no_server
  python 'serve(listen(15001), close)'
  run_audit --until-ready 3s -- "${program[@]}"
  expect_code 3
  expect_in "$ERR" ", but on port 15001"
  expect_no_server
}

@test "--run: a port that somebody has already is exit code 3, and nothing is started" {
  serve_python 'serve_each(lambda c: c.close())'
  python 'open(sys.argv[1], "w").close()'
  code=0
  within "$STORM" audit "127.0.0.1:$PORT" --run -- "${program[@]}" >"$OUT" 2>"$ERR" || code=$?
  expect_code 3
  expect_in "$ERR" "--run: python3 (pid $server_pid) listens on 127.0.0.1:$PORT already"
  [[ ! -e $BATS_TEST_TMPDIR/mark ]]
}

@test "--run: a server that puts itself into the background is awaited, audited and ended" {
  local place
  for place in here isolated; do
    python "$DAEMONISES"'time.sleep(0.2); serve(listen(), close)'
    if [[ $place == here ]]; then run_audit -- "${program[@]}"; else run_audit --isolate -- "${program[@]}"; fi
    expect_code 0
    expect_counts closed=20
    expect_not_in "$ERR" "before it was stopped"
    expect_no_server
  done
}

@test "--run: a server that ends in the audit: how is told, and nothing is waited for" {
  python 's = listen(); c = [s.accept() for i in range(5)]; print("enough"); sys.exit(4)'
  run_audit --junit "$BATS_TEST_TMPDIR/junit.xml" -- "${program[@]}"
  expect_code 1
  expect_in "$OUT" "The server ended"
  expect_in "$OUT" "The program exited with status 4 before it was stopped."
  expect_in "$ERR" "the server exited with status 4 before it was stopped"
  expect_in "$BATS_TEST_TMPDIR/junit.xml" "The program exited with status 4 before it was stopped."
  [[ $(jq -c .program "$JSON") == '{"ended":true,"status":4}' ]]
  expect_no_server
}

@test "--run: a server that does not hear SIGTERM is killed, with its children" {
  python 'signal.signal(signal.SIGTERM, signal.SIG_IGN); os.fork(); time.sleep(0.1)
try: serve(listen(), close)
except OSError: time.sleep(60)'
  run_audit -- "${program[@]}"
  expect_code 0
  expect_in "$ERR" "the server was still running 5s after SIGTERM, and was killed"
  expect_no_server
}

@test "--run: the server stops as it does for SIGTERM, and its last words are passed on" {
  python 'def bye(*_): print("saved all"); sys.exit(0)
signal.signal(signal.SIGTERM, bye); serve(listen(), close)'
  run_audit -- "${program[@]}"
  expect_code 0
  expect_in "$ERR" "saved all"
}

# What a server with a daemon beside it leaves, where tcpstorm ends in that way.
end_in_the_middle() {
  python 'if os.fork() == 0:'"${DAEMONISES//$'\n'/$'\n    '}"'
    time.sleep(60)
signal.signal(signal.SIGTERM, lambda *_: (print("asked to leave"), os._exit(0))); s = listen(); print("listening"); serve(s, keep)'
  local grace=20s
  launch "${@:2}" -- "${program[@]}"
  wait_until 20 grep -qs listening "$ERR"
  (($(servers | wc -l) >= 2))
  kill -"$1" "$storm_pid"
  end_storm "$LONG"
}

@test "--run: Ctrl-C stops the server and what it has left behind: exit code 130" {
  end_in_the_middle INT
  expect_code 130
  expect_in "$ERR" "asked to leave"
  expect_no_server
}

@test "--run: when tcpstorm is killed nothing of the server is left" {
  end_in_the_middle KILL
  [[ $code == 137 ]]
  expect_no_server
}

@test "--run --isolate: when tcpstorm is killed nothing of the server is left" {
  end_in_the_middle KILL --isolate
  [[ $code == 137 ]]
  expect_no_server
}

@test "--run --isolate: a namespace of its own, where a port that is taken outside is free" {
  serve_python 'serve_each(drain)'
  python 'serve(listen(), close)'
  code=0
  within "$STORM" audit "127.0.0.1:$PORT" --grace 5s --isolate --json "$JSON" --run -- "${program[@]}" >"$OUT" 2>"$ERR" || code=$?
  expect_code 0
  expect_counts closed=100
  expect_not_in "$OUT" "pid $server_pid"
}

@test "--run --isolate: an ordinary user may, and the server is that user" {
  as_nobody
  python 'print("I am", os.getuid()); serve(listen(), keep)'
  run_audit --isolate -- "${program[@]}"
  expect_leak eof_read 20
  expect_in "$ERR" "I am 65534"
  expect_no_server
}

@test "--run --isolate: all orders are all, those that need a right too" {
  as_nobody
  python 'serve(listen(), close)'
  run_audit --isolate --order all -- "${program[@]}"
  expect_code 1
  grep -qE '^  vanish +0 +20 .*keeps them' "$OUT" || { show_output; return 1; }
  expect_no_server
}

@test "--run: tables that cannot be read are exit code 3, and nothing is left" {
  local call after
  while read -r call after; do
    python 'serve(listen(), close)'
    launcher=(env FAIL_CALL="$call" FAIL_ERRNO=ENOMEM FAIL_IN=audit FAIL_AFTER="$after" LD_PRELOAD="$FAIL_CALL_SO")
    code=0
    "${launcher[@]}" "$STORM" audit "unix:$BATS_TEST_TMPDIR/mark.sock" --run -- "${program[@]}" >"$OUT" 2>"$ERR" || code=$?
    expect_code 3
    expect_in "$ERR" "cannot be read: Cannot allocate memory"
    expect_no_server
  done <<'CALLS'
socket 0
socket 2
socket 6
CALLS
}

@test "--run: bad input is told before anything is started" {
  local word
  for word in "--run" "--until-ready 3s" "--isolate" "-- true" "--run --allow-remote -- true" "--run --"; do
    code=0
    # shellcheck disable=SC2086 # words
    "$STORM" audit "127.0.0.1:$PORT" $word >"$OUT" 2>"$ERR" || code=$?
    expect_code 2
    expect_one_sentence
  done
  code=0
  "$STORM" audit 192.0.2.1:80 --run -- touch "$BATS_TEST_TMPDIR/mark" >"$OUT" 2>"$ERR" || code=$?
  expect_code 2
  expect_in "$ERR" "must be an address of this machine"
  code=0
  "$STORM" audit 192.0.2.1:80 --isolate --run -- touch "$BATS_TEST_TMPDIR/mark" >"$OUT" 2>"$ERR" || code=$?
  expect_code 2
  expect_in "$ERR" "must be a loopback address"
  [[ ! -e $BATS_TEST_TMPDIR/mark ]]
}
