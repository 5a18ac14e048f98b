#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash; every test is a subshell
#
# Servers that are not ours, of 10 to 25 lines, each with one bug: what explain says of them, and that their clean twins are
# accused of nothing.

load ../storm
load ../explain

# says NAME RULE WORDS...: one finding of that rule, with these words in the text.
says() {
  local name=$1 rule=$2 word there
  there=$(jq -r '[.findings[].rule] | unique | join(",")' "$BATS_TEST_TMPDIR/$name.json")
  if [[ $there != "$rule" ]]; then
    say "$name: it says $there where $rule was expected"
    show_explanation "$name"
    return 1
  fi
  for word in "${@:3}"; do
    tr -s '\n ' ' ' <"$BATS_TEST_TMPDIR/$name.text" | grep -qF -- "$word" && continue
    say "$name: it does not say $word"
    show_explanation "$name"
    return 1
  done
}

# epoll_server NAME SETUP BODY: a loop of epoll in C. SETUP is done to each connection `c` that was accepted, BODY at each
# event of one, `fd`; `ep` is the set. start_epoll_servers starts them all: one program, which is compiled once.
epoll_names=() epoll_setups='' epoll_bodies=''
epoll_server() {
  epoll_setups+="if (mode == ${#epoll_names[@]}) { $2 } "
  epoll_bodies+="if (mode == ${#epoll_names[@]}) { $3 } "
  epoll_names+=("$1")
}

start_epoll_servers() {
  local mode
  compile_c loops '#include <sys/epoll.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int ep, n; char buf[4096];
void add(int fd, unsigned events) { struct epoll_event e = {events, {.fd = fd}}; epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e); }
void mod(int fd, unsigned events) { struct epoll_event e = {events, {.fd = fd}}; epoll_ctl(ep, EPOLL_CTL_MOD, fd, &e); }
void del(int fd) { epoll_ctl(ep, EPOLL_CTL_DEL, fd, 0); }
int dial(void) { /* a backend that accepts and never answers */
  int l = socket(AF_INET, SOCK_STREAM, 0), c = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in a = {AF_INET, 0, {htonl(INADDR_LOOPBACK)}}; socklen_t size = sizeof a;
  bind(l, (void *)&a, size); listen(l, 9); getsockname(l, (void *)&a, &size); connect(c, (void *)&a, size); return c; }
int main(int argc, char **argv) {
  int mode = atoi(argv[2]), on = 1, l = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  struct sockaddr_in a = {AF_INET, htons(atoi(argv[1])), {htonl(INADDR_LOOPBACK)}}; bind(l, (void *)&a, sizeof a); listen(l, 512);
  ep = epoll_create1(0); add(l, EPOLLIN); puts("Listening"); fflush(stdout);
  for (;;) { struct epoll_event e[64]; int k = epoll_wait(ep, e, 64, -1);
    for (int i = 0; i < k; i++) { int fd = e[i].data.fd, c;
      if (fd != l) { '"$epoll_bodies"' continue; }
      while ((c = accept4(l, 0, 0, SOCK_NONBLOCK)) >= 0) { '"$epoll_setups"' } } } }'
  for mode in "${!epoll_names[@]}"; do
    start_compiled "${epoll_names[mode]}" loops "$mode"
  done
}

@test "loops of epoll in C" {
  epoll_server clean 'add(c, EPOLLIN);' 'if (read(fd, buf, 4096) <= 0) close(fd);'
  epoll_server edge_short 'add(c, EPOLLIN | EPOLLET);' 'read(fd, buf, 100);'
  epoll_server level_spins 'add(c, EPOLLIN);' 'read(fd, buf, 4096);'
  epoll_server oneshot 'add(c, EPOLLIN | EPOLLONESHOT);' 'read(fd, buf, 4096);'
  epoll_server masked 'add(c, EPOLLIN);' 'read(fd, buf, 4096); mod(fd, 0);'
  epoll_server dropped 'add(c, EPOLLIN);' 'read(fd, buf, 4096); del(fd);'
  epoll_server at_eof 'add(c, EPOLLIN);' 'if (read(fd, buf, 4096) == 0) del(fd);'
  epoll_server blocked 'add(c, EPOLLIN);' 'read(fd, buf, 4096); read(dial(), buf, 1);'
  epoll_server asleep 'add(c, EPOLLIN);' 'if (read(fd, buf, 4096) <= 0) close(fd); if (++n == 20) sleep(60);'
  epoll_server listener_edge 'add(c, EPOLLIN); if (++n > 10) { mod(l, EPOLLET | EPOLLIN); break; }' \
    'if (read(fd, buf, 4096) <= 0) close(fd);'
  start_epoll_servers
  await_servers
  visit late 40 "${server_ports[@]}"
  rest_for_grace
  explain_all
  expect_nothing clean
  says edge_short ignore-eof 'The program, or the runtime under it, has probably read EOF' 'EPOLLIN|EPOLLET'
  says level_spins eof-spins 'again and again'
  says oneshot oneshot-spent 'EPOLLONESHOT is spent' 'one of'
  says masked paused-read 'Reading is paused' '[shown: paused-read]'
  says dropped no-longer-read '[one of: paused-read, lost-reference]' 'explain'
  says at_eof ignore-eof 'nobody waits for them'
  says blocked loop-stuck 'The event loop is stuck' 'read(fd ' '-> 127.0.0.1:'
  says asleep loop-stuck 'The event loop is stuck' 'nanosleep'
}

@test "loops of poll() and select() in Python" {
  start_python poll_clean 'p = select.poll(); p.register(s, 1); fds = {}
while True:
    for fd, ev in p.poll():
        if fd == s.fileno(): c, _ = s.accept(); fds[c.fileno()] = c; p.register(c, 1)
        elif not fds[fd].recv(4096): p.unregister(fd); fds.pop(fd).close()'
  start_python poll_dropped 'p = select.poll(); p.register(s, 1); fds = {}
while True:
    for fd, ev in p.poll():
        if fd == s.fileno(): c, _ = s.accept(); fds[c.fileno()] = c; p.register(c, 1)
        else: fds[fd].recv(4096); p.unregister(fd)'
  start_python poll_masked 'p = select.poll(); p.register(s, 1); fds = {}
while True:
    for fd, ev in p.poll():
        if fd == s.fileno(): c, _ = s.accept(); fds[c.fileno()] = c; p.register(c, 1)
        else: fds[fd].recv(4096); p.modify(fd, 0)'
  start_python poll_stuck 'p = select.poll(); p.register(s, 1); fds = {}
while True:
    for fd, ev in p.poll():
        if fd == s.fileno(): c, _ = s.accept(); fds[c.fileno()] = c; p.register(c, 1)
        else: fds[fd].recv(4096); k = socket.create_connection(backend); k.recv(1)'
  start_python select_spins 'all = [s]
while True:
    for c in select.select(all, [], [])[0]:
        if c is s: all.append(s.accept()[0])
        else: c.recv(4096)'
  start_python select_at_eof 'all = [s]
while True:
    for c in select.select(all, [], [])[0]:
        if c is s: all.append(s.accept()[0])
        elif not c.recv(4096): all.remove(c); kept.append(c)'
  await_servers
  visit late 20 "${server_ports[@]}"
  rest_for_grace
  explain_all
  expect_nothing poll_clean
  says poll_dropped no-longer-read '[one of: paused-read, lost-reference]'
  says poll_masked paused-read 'poll() (no events)' '[shown: paused-read]'
  says poll_stuck loop-stuck '-> 127.0.0.1:'
  says select_spins eof-spins 'again and again' || says select_spins ignore-eof # it was not given a CPU
  says select_at_eof ignore-eof 'all read'
}

# The backend is never accepted: its listener is told of too.
@test "threads of Python" {
  local each='def each(f):
    while True: threading.Thread(target=f, args=(s.accept()[0],), daemon=True).start()
'
  start_python threads_clean "$each"'def f(c):
    while c.recv(4096): pass
    c.close()
each(f)'
  start_python no_close "$each"'def f(c):
    while c.recv(4096): pass
    kept.append(c)
each(f)'
  start_python lock "$each"'held = threading.Lock(); held.acquire()
def f(c):
    c.recv(4096)
    with held: c.close()
each(f)'
  start_python backend_dead "$each"'def f(c):
    c.recv(4096)
    d = socket.create_connection(backend); d.recv(1)
    c.close()
each(f)'
  start_python pool_of_4 'import queue
q = queue.Queue()
def work():
    while True:
        c = q.get(); c.recv(4096); d = socket.create_connection(backend); d.recv(1); c.close()
for i in range(4): threading.Thread(target=work, daemon=True).start()
while True: q.put(s.accept()[0])'
  await_servers
  visit late 20 "${server_ports[@]}"
  rest_for_grace
  explain_all
  expect_nothing threads_clean
  says no_close ignore-eof 'The program, or the runtime under it' 'py-spy dump --pid'
  says lock handler-blocked 'waits for a lock' '[likely' || says lock eof-read-late,handler-blocked 'waits for a lock' # some were read late
  says backend_dead handler-blocked,never-accept 'threads, for 20 sockets' '-> 127.0.0.1:' '[shown' ||
    says backend_dead handler-blocked,never-accept '-> 127.0.0.1:' '[one of: bounded-pool, no-half-close]' # likewise
  says pool_of_4 handler-blocked,never-accept,never-read '-> 127.0.0.1:'
}

@test "processes: forked handlers, siblings, and copies" {
  start_python prefork 'for i in range(3):
    if os.fork() == 0: break
while True:
    c = s.accept()[0]
    while c.recv(4096): pass
    kept.append(c)'
  start_python copies 'import subprocess
while True:
    c = s.accept()[0]
    os.set_inheritable(c.fileno(), True)
    subprocess.Popen(["sleep", "30"], close_fds=False)
    while c.recv(4096): pass
    c.close()'
  start_python handed_on 'a, z = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
while True:
    c = s.accept()[0]
    while c.recv(4096): pass
    socket.send_fds(a, [b"x"], [c.fileno()])
    c.close()'
  await_servers
  visit now 12 "${server_ports[prefork]}"
  visit late 3 "${server_ports[copies]}" "${server_ports[handed_on]}"
  rest_for_grace
  explain_all
  expect_causes prefork ignore-eof ignore-eof,lost-reference,paused-read
  says copies fork-inherit 'sleep (pid ' '[shown: fork-inherit]'
  says handed_on in-flight 'SCM_RIGHTS'
}
