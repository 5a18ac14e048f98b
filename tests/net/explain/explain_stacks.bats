#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash; every test is a subshell
#
# "explain --stacks": where in its source each thread waits. Each server has its bug in a line that a comment in its own source
# marks; a clean twin has none. Nothing is stopped, and no call is interrupted.

load ../storm
load ../explain

# Whoever starts the servers, and looks at them: nothing, or a user without rights.
as_user=()

# c_server NAME SOURCE [ARGUMENT...]: compiled as programs are that are shipped, with debug information.
c_server() {
  command -v cc >/dev/null || skip "no C compiler to make a server with"
  printf '%s\n' "$2" >"$BATS_TEST_TMPDIR/$1.c"
  cc -std=gnu11 -g -O2 -w -o "$BATS_TEST_TMPDIR/$1" "$BATS_TEST_TMPDIR/$1.c" -pthread
  "${as_user[@]}" "$BATS_TEST_TMPDIR/$1" $((next_port)) "${@:3}" >"$BATS_TEST_TMPDIR/$1.server" 2>&1 3>&- &
  server_pids[$1]=$! server_ports[$1]=$((next_port++))
  others+=("$!")
}

# What every server of C begins with.
C_START='#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>
static char buf[4096];
static int listen_on(int port) {
  int on = 1, l = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  struct sockaddr_in a = {AF_INET, htons(port), {htonl(INADDR_LOOPBACK)}};
  bind(l, (void *)&a, sizeof a); listen(l, 512); puts("Listening"); fflush(stdout); return l; }
static int dial(void) { /* a backend that accepts and never answers */
  int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in a = {AF_INET, 0, {htonl(INADDR_LOOPBACK)}}; socklen_t size = sizeof a;
  bind(l, (void *)&a, size); listen(l, 9); getsockname(l, (void *)&a, &size); connect(c, (void *)&a, size); return c; }
'

# Handlers of 20 connections wait for a lock that is never given back.
C_LOCKED="$C_START"'static pthread_mutex_t pool = PTHREAD_MUTEX_INITIALIZER;
static int broken;
static void pool_put(int fd) {
  if (broken) pthread_mutex_lock(&pool); /* HERE */
  close(fd); }
static void *handle(void *arg) {
  int fd = (long)arg;
  while (read(fd, buf, sizeof buf) > 0 && !broken);
  pool_put(fd); /* CALLER */
  return NULL; }
int main(int argc, char **argv) {
  int l = listen_on(atoi(argv[1])); broken = atoi(argv[2]);
  pthread_mutex_lock(&pool);
  for (pthread_t t;;) { long c = accept(l, NULL, NULL); /* REST */
    pthread_create(&t, NULL, handle, (void *)c); } }'

# A loop of epoll that asks a backend, and waits for its answer.
C_STUCK="$C_START"'static int broken, asked;
static int query(int fd) {
  return recv(fd, buf, 1, 0); /* HERE */ }
static void on_request(int fd) {
  if (read(fd, buf, sizeof buf) <= 0) close(fd);
  else if (broken && !asked++) printf("%d\n", query(dial())); /* CALLER */ }
int main(int argc, char **argv) {
  int l = listen_on(atoi(argv[1])), ep = epoll_create1(0), c; broken = atoi(argv[2]);
  struct epoll_event e = {EPOLLIN, {.fd = l}}; epoll_ctl(ep, EPOLL_CTL_ADD, l, &e);
  for (;;) {
    if (epoll_wait(ep, &e, 1, -1) < 0) { printf("%s\n", errno == EINTR ? "EINTR" : "?"); fflush(stdout); continue; } /* REST */
    if (e.data.fd != l) { on_request(e.data.fd); continue; }
    c = accept(l, NULL, NULL); e = (struct epoll_event){EPOLLIN, {.fd = c}}; epoll_ctl(ep, EPOLL_CTL_ADD, c, &e); } }'

# line_of FILE MARKER: where its source has it.
line_of() {
  grep -n -m 1 -- "$2" "$BATS_TEST_TMPDIR/$1" | cut -d: -f1
}

# Whether lines of C can be named here.
names_lines() {
  [[ $(jq .names_lines "$BATS_TEST_TMPDIR/$1.json") == true ]]
}

# places NAME: "INTEREST THREADS CALL FILE:LINE FUNCTION < FILE:LINE FUNCTION ..." of each group, of the program's own.
places() {
  jq -r '.stacks[] | "\(.interest) \(.threads) \(.call) " + ([.stack.places[] | select(.is_own) | "\(.file):\(.line) \(.function)"] | join(" < "))' \
    "$BATS_TEST_TMPDIR/$1.json"
}

# expect_place NAME LINE: one of these, whole.
expect_place() {
  places "$1" | grep -qxF -- "$2" && return 0
  say "$1: no \"$2\" among:"
  places "$1"
  show_explanation "$1"
  return 1
}

expect_words() {
  tr -s '\n ' ' ' <"$BATS_TEST_TMPDIR/$1.text" | grep -qF -- "$2" && return 0
  say "$1: it does not say \"$2\""
  show_explanation "$1"
  return 1
}

# Whether each thread could be read; one that ran at that moment could not.
all_are_read() {
  explain_all --stacks
  jq -es 'all(.[]; .stacks_unread.moved == 0)' "$BATS_TEST_TMPDIR"/*.json >/dev/null
}

@test "C: handlers that wait for a lock, and a loop that waits for a backend" {
  c_server locked "$C_LOCKED" 1
  c_server locked_clean "$C_LOCKED" 0
  c_server stuck "$C_STUCK" 1
  c_server stuck_clean "$C_STUCK" 0
  await_servers
  visit late 20 "${server_ports[@]}"
  rest_for_grace
  wait_until 10 all_are_read
  expect_nothing locked_clean
  expect_nothing stuck_clean
  names_lines locked || skip "this build names no lines of C"
  local here caller
  here=$(line_of locked.c HERE) caller=$(line_of locked.c CALLER)
  expect_place locked "outside 20 futex locked.c:$here pool_put < locked.c:$caller handle"
  expect_words locked "20 threads have been in futex() for"
  expect_words locked ", at locked.c:$here in pool_put < handle"
  expect_place locked_clean "other 1 accept locked_clean.c:$(line_of locked_clean.c REST) main"
  here=$(line_of stuck.c HERE) caller=$(line_of stuck.c CALLER)
  expect_words stuck "The event loop is stuck: thread ${server_pids[stuck]} has been in recvfrom(fd "
  expect_words stuck ", at stuck.c:$here in query < on_request < main. [shown"
  places stuck | grep -q "^loop 1 recvfrom stuck.c:$here query < stuck.c:$caller on_request < stuck.c:[0-9]* main$"
  expect_place stuck_clean "other 1 epoll_wait stuck_clean.c:$(line_of stuck_clean.c REST) main"
  [[ $(jq -r '.findings[0].thread.stack.text' "$BATS_TEST_TMPDIR/stuck.json") == "stuck.c:$here in query < on_request < main" ]]
}

@test "Python: threads that wait for a database, and a loop of asyncio that sleeps" {
  command -v python3 >/dev/null || skip "no python3 to make a server with"
  python3 -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || skip "this Python's frames are not read"
  local threads='def query(d):
    d.sendall(b"x")
    return d.recv(1) # HERE
def handle(c):
    while c.recv(4096):
        if broken: query(socket.create_connection(backend))
    c.close()
while True:
    c = s.accept()[0] # REST
    threading.Thread(target=handle, args=(c,), daemon=True).start()'
  local loop='import asyncio
def sleep_a_little():
    time.sleep( # HERE
        60)
class Client(asyncio.Protocol):
    asked = False
    def connection_made(self, transport): self.transport = transport
    def data_received(self, data):
        if broken and not Client.asked:
            Client.asked = True
            sleep_a_little()
        self.transport.write(data)
async def main():
    server = await asyncio.get_running_loop().create_server(Client, sock=s)
    await server.serve_forever()
asyncio.run(main()) # REST'
  start_python database "broken = True
$threads"
  start_python database_clean "broken = False
$threads"
  start_python sleeper "broken = True
$loop"
  start_python sleeper_clean "broken = False
$loop"
  await_servers
  visit late 20 "${server_ports[@]}"
  rest_for_grace
  wait_until 10 all_are_read
  expect_nothing database_clean
  expect_nothing sleeper_clean
  local here
  here=$(line_of database.py HERE)
  places database | grep -q "^outside 20 recvfrom database.py:$here query < database.py:[0-9]* handle$"
  expect_words database ", at database.py:$here in query < handle"
  expect_place database_clean "other 1 accept4 database_clean.py:$(line_of database_clean.py REST) <module>"
  here=$(line_of sleeper.py HERE)
  expect_words sleeper "The event loop is stuck: thread ${server_pids[sleeper]} has been in"
  expect_words sleeper ", at sleeper.py:$here in sleep_a_little < Client.data_received < <module>. [shown"
  expect_place sleeper_clean "other 1 epoll_wait sleeper_clean.py:$(line_of sleeper_clean.py REST) <module>"
}

@test "nothing is stopped: no epoll_wait() is interrupted, no thread is ever traced" {
  c_server quiet "$C_STUCK" 0
  await_servers
  local pid=${server_pids[quiet]} log=$BATS_TEST_TMPDIR/quiet.server state watcher
  # Every state that it is seen in while it is looked at.
  while read -r state <"/proc/$pid/stat"; do
    say "${state##*) }"
  done 2>/dev/null | cut -c1 | uniq >"$BATS_TEST_TMPDIR/states" 3>&- &
  watcher=$!
  others+=("$watcher")
  for _ in {1..12}; do
    explain quiet --stacks
    ((code == 0))
  done
  [[ $(jq -r '.stacks[0].call' "$JSON") == epoll_wait ]]
  [[ $(jq -r .stacks_read "$JSON") == 1 ]]
  ! grep -q EINTR "$log"
  # What interrupts it is seen.
  kill -STOP "$pid"
  kill -CONT "$pid"
  wait_until 5 grep -q EINTR "$log"
  kill -KILL "$pid"
  wait_until 5 is_over "$watcher"
  say "its states: $(tr '\n' ' ' <"$BATS_TEST_TMPDIR/states")"
  grep -q S "$BATS_TEST_TMPDIR/states"
  ! grep -q t "$BATS_TEST_TMPDIR/states"
}

@test "an ordinary user reads his own; what is another's is told" {
  as_user=(setpriv --bounding-set=-all --inh-caps=-all)
  "${as_user[@]}" true || skip "no setpriv to give rights away with"
  c_server mine "$C_LOCKED" 1
  await_servers
  visit late 5 "${server_ports[mine]}"
  rest_for_grace
  code=0
  "${as_user[@]}" "$STORM" explain "${server_pids[mine]}" --stacks --json "$BATS_TEST_TMPDIR/mine.json" \
    >"$BATS_TEST_TMPDIR/mine.text" 2>"$ERR" || code=$?
  [[ $code == 1 ]]
  expect_words mine "5 threads have been in futex()"
  if names_lines mine; then
    expect_words mine ", at mine.c:$(line_of mine.c HERE) in pool_put < handle"
  fi
  start_python guarded 'import ctypes
ctypes.CDLL(None).prctl(4, 0, 0, 0, 0) # PR_SET_DUMPABLE: its files belong to root of the machine
while True: kept.append(s.accept()[0])'
  await_servers
  code=0
  "${as_user[@]}" "$STORM" explain "${server_pids[guarded]}" --stacks >"$OUT" 2>"$ERR" || code=$?
  [[ $code == 3 ]]
  grep -qF "Not read: 1 thread that this user may not inspect" "$OUT"
}

@test "watch: at its end the threads of --pid, in text and as a line of JSON" {
  start_python idle 'while True: kept.append(s.accept()[0]) # HERE'
  await_servers
  local pid=${server_pids[idle]}
  "$STORM" watch --pid "$pid" --once --stacks --json "$JSON" >"$OUT" 2>"$ERR"
  grep -qF "Where its threads are:" "$OUT"
  grep -qF "thread $pid has been in accept" "$OUT"
  [[ $(jq -r .event "$JSON" | tr '\n' ' ') == "look stacks " ]]
  if python3 -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'; then
    [[ $(jq -r 'select(.event == "stacks").stacks[0].stack.text' "$JSON") == "idle.py:$(line_of idle.py HERE) in <module>" ]]
  fi
  code=0
  "$STORM" watch --once --stacks >"$OUT" 2>"$ERR" || code=$?
  [[ $code == 2 && ! -s $OUT ]]
  grep -qF -- "--stacks needs --pid" "$ERR"
}

@test "--stacks without the right to attach is refused, before anything is looked at" {
  code=0
  "$STORM" explain 1 --stacks --no-attach >"$OUT" 2>"$ERR" || code=$?
  [[ $code == 2 && ! -s $OUT ]]
  grep -qF -- "--stacks" "$ERR"
}
