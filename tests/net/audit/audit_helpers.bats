#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash; every test is a subshell
#
# "tcpstorm audit": who holds the connections, and how it came by them: a worker that accepts, one that they are handed to, a
# child that serves one, a helper that only inherited them, or nobody.

load ../storm
load ../audit

# Where processes of others may not be looked into, nobody can say that none of them has it.
need_all_to_be_seen() {
  ! holds_text "$OUT" "the owner cannot be seen" || skip "there are processes here that may not be looked into"
}

@test "a helper that inherited the listener too is named fork-inherit, although it listens" {
  serve_python '
s.set_inheritable(True)
count = 0
while True:
    c = s.accept()[0]; count += 1
    if count == 4 and os.fork() == 0: time.sleep(600)
    threading.Thread(target=lambda c: (drain(c), c.close()), args=(c,), daemon=True).start()'
  audit --conns 12 --grace 500ms
  end_server
  expect_code 1
  [[ $(count_of other_process) == "$(count_of held)" ]]
  (($(count_of held) >= 2))
  expect_in "$OUT" "held only by processes that were started later and inherited them"
  expect_in "$OUT" "fork-inherit"
  expect_not_in "$OUT" "ignore-eof"
}

@test "a worker that accepts by itself is no helper: prefork, and its clean twin" {
  local close
  for close in 'kept.append(c)' 'c.close()'; do
    serve_python '
kept = []
def serve(c): drain(c); '"$close"'
for i in range(3):
    if os.fork() == 0: serve_each(serve)
time.sleep(600)'
    audit --conns 12 --grace 300ms
    end_server
    if [[ $close == c.close* ]]; then
      expect_code 0
      expect_counts closed=12
    else
      expect_code 1
      expect_counts held=12 eof_read=12
      expect_in "$OUT" "ignore-eof"
      expect_not_in "$OUT" "fork-inherit"
    fi
  done
}

@test "a process that is handed the connections serves them: read, unread, and the clean twin" {
  local serve group
  while IFS='|' read -r serve group; do
    serve_python '
ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
kept = []
if os.fork() == 0:
    s.close(); ours.close()
    def serve(c): '"$serve"'
    while True:
        fd = socket.recv_fds(theirs, 9, 1)[1][0]
        threading.Thread(target=serve, args=(socket.socket(fileno=fd),), daemon=True).start()
while True:
    c = s.accept()[0]; socket.send_fds(ours, [b"x"], [c.fileno()]); c.close()'
    audit --conns 10 --grace 300ms
    end_server
    if [[ $group == clean ]]; then
      expect_code 0
      expect_counts closed=10
    else
      expect_code 1
      expect_counts held=10 "$group=10"
      expect_in "$OUT" "which does not listen: they were handed to it"
      expect_not_in "$OUT" "fork-inherit"
    fi
  done <<'SERVERS'
drain(c); kept.append(c)|eof_read
kept.append(c)|eof_unread
drain(c); c.close()|clean
SERVERS
}

@test "a child for each connection that does not close serves it" {
  serve_python '
import signal
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
while True:
    c = s.accept()[0]
    if os.fork() == 0: s.close(); drain(c); time.sleep(600)
    c.close()'
  audit --conns 8 --grace 500ms
  end_server
  expect_code 1
  expect_counts held=8 eof_read=8
  expect_in "$OUT" "and others, each a process that was started for one connection, or inherited one"
}

@test "a descriptor that is closed while a thread reads from it is nobody's, and that is said" {
  command -v cc >/dev/null || skip "no C compiler to make a server with"
  cat >"$BATS_TEST_TMPDIR/server.c" <<'SERVER'
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
static int fds[64], count;
static void *serve(void *fd) { char b[64]; while (read((int)(long)fd, b, sizeof b) != 1) pause(); return NULL; }
int main(void) {
    int l = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    bind(l, (void *)&a, sizeof a); listen(l, 64); puts("Listening"); fflush(stdout);
    while (count < 6) {
        pthread_t t;
        fds[count] = accept(l, NULL, NULL);
        pthread_create(&t, NULL, serve, (void *)(long)fds[count++]);
    }
    usleep(100000);
    for (int i = 0; i < count; i++) close(fds[i]);
    pause();
}
SERVER
  cc -DPORT="$PORT" -pthread -o "$BATS_TEST_TMPDIR/c_server" "$BATS_TEST_TMPDIR/server.c"
  in_fresh_namespace
  "${launcher[@]}" "$BATS_TEST_TMPDIR/c_server" >"$BATS_TEST_TMPDIR/server" 2>&1 3>&- &
  server_pid=$!
  others+=("$server_pid")
  wait_until 20 grep -qs '^Listening' "$BATS_TEST_TMPDIR/server"
  audit --conns 6 --grace 300ms --order idle
  need_all_to_be_seen
  expect_code 1
  expect_counts held=6 no_descriptor=6
  expect_in "$OUT" "no process has a descriptor of them: it was closed while a call on it is still in progress"
  expect_in "$OUT" "threads of c_server pid $server_pid in a call on a closed descriptor"
}

@test "connections that are in a message which nobody has read are nobody's" {
  serve_python '
ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
while True:
    c = s.accept()[0]; socket.send_fds(ours, [b"x"], [c.fileno()]); c.close()'
  audit --conns 5 --grace 300ms
  need_all_to_be_seen
  expect_code 1
  expect_counts held=5 no_descriptor=5
  expect_in "$OUT" "in an unread message to another process (SCM_RIGHTS)"
}
