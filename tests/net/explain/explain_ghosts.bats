#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash; every test is a subshell
#
# What "tcpstorm explain" says of descriptors in no table, and of connections that a proxy has forgotten; and that it says
# nothing of what looks like them and is none.

load ../storm
load ../explain

# says NAME RULE CERTAINTY CAUSES: all that is found in NAME.json.
says() {
  local there
  there=$(jq -r '.findings | map("\(.rule) \(.certainty) \(.causes | join(","))") | unique | join("; ")' "$BATS_TEST_TMPDIR/$1.json")
  [[ $there == "$2 $3 $4" ]] || {
    say "$1: it says \"$there\" where \"$2 $3 $4\" was expected"
    show_explanation "$1"
    return 1
  }
}

accused_of_nothing() {
  [[ $(<"$BATS_TEST_TMPDIR/$1.code") == 0 ]] || { show_explanation "$1" && return 1; }
}

# A thread for each client, which reads; AT_EOF and AT_ERROR are what it does then.
readers() {
  printf '%s\n' 'def f(c):' '    try:' '        while c.recv(4096): pass' "        $1" '    except OSError:' "        $2" \
    'while True: threading.Thread(target=f, args=(s.accept()[0],), daemon=True).start()'
}

# Copies from each client to a backend and back; AT_CLIENT_ERROR, where the client is a and the backend b.
proxy() {
  printf '%s\n' 'import selectors; loop = selectors.DefaultSelector(); loop.register(s, 1)' \
    'def turn(a, b):' '    try:' '        d = a.recv(4096)' '        b.sendall(d)' '    except OSError: d = None' \
    '    if not d: loop.unregister(a); loop.unregister(b); a.close()' \
    "    if d == b'': b.close()" "    if d is None: $2" \
    'while True:' '    for key, what in loop.select():' \
    '        if key not in loop.get_map().values(): continue # this very turn has closed it' \
    '        if key.fileobj is not s: turn(key.fileobj, key.data); continue' \
    "        c, o = s.accept()[0], socket.create_connection(('127.0.0.1', $1))" \
    '        loop.register(c, 1, o); loop.register(o, 1, c)'
}

# A server that has so many connections c to another; what it does with each.
caller() {
  printf '%s\n' "for i in range($2):" "    c = socket.create_connection(('127.0.0.1', $1)); $3; kept.append(c)" \
    'while True: s.accept()[0].close()'
}

@test "ghosts: whether their error was read tells who keeps them" {
  start_python swallows "$(readers 'c.close()' 'kept.append(c)')"
  start_python swallows--fixed "$(readers 'c.close()' 'c.close()')"
  start_python unheard 'while True:
    c = s.accept()[0]; c.recv(4096); kept.append(c)'
  start_python parted "$(readers 'c.shutdown(socket.SHUT_WR); kept.append(c)' 'c.close()')"
  await_servers
  visit reset 20 "${server_ports[swallows]}" "${server_ports[swallows--fixed]}" "${server_ports[unheard]}"
  visit late 20 "${server_ports[parted]}"
  rest_for_grace
  explain_all
  says swallows reset-swallowed 'one of' reset-swallowed,ignore-eof
  expect_nothing swallows--fixed
  says unheard ghosts shown ''
  says parted ghosts likely ''
  # Without the right to attach nobody can know.
  explain_all --no-attach
  says swallows ghosts shown ''
}

@test "a proxy that forgets its backend, open or closed; a pool, and who only writes, are no such" {
  local mute
  start_python mute 'while True: kept.append(s.accept()[0])'
  start_python leaves 'while True:
    c = s.accept()[0]; c.recv(4096); threading.Timer(2, c.close).start()' # after the clients have reset
  start_python answers "$(readers 'c.close()' 'c.close()' | sed 's/while c.recv(4096): pass/while c.recv(4096): c.sendall(b"ok")/')"
  start_python answers-once 'while True:
    c = s.accept()[0]; c.recv(4096); c.sendall(b"ok"); c.close()'
  start_python greets 'while True:
    c = s.accept()[0]; c.sendall(b"220 hello"); c.close()'
  await_servers
  mute=${server_ports[mute]}
  start_python forgets "$(proxy "$mute" 'kept.append(b)')"
  start_python forgets--fixed "$(proxy "$mute" 'b.close()')"
  start_python outlived "$(proxy "${server_ports[leaves]}" 'kept.append(b)')"
  start_python pool "$(caller "${server_ports[answers]}" 20 'c.sendall(b"hello"); c.recv(10)')"
  start_python dead-pool "$(caller "${server_ports[answers-once]}" 20 'c.sendall(b"hello"); c.recv(10)')"
  start_python never-used "$(caller "${server_ports[greets]}" 20 pass)"
  start_python writer "$(caller "$mute" 6 'c.sendall(b"hello")')"
  await_servers
  visit reset 20 "${server_ports[forgets]}" "${server_ports[forgets--fixed]}" "${server_ports[outlived]}"
  explain_all # nobody is accused of a request that was asked a moment ago
  accused_of_nothing forgets
  for _ in {1..6}; do rest 900; done # BEHIND_QUIET_MS
  explain_all
  says forgets second-socket-forgotten likely second-socket-forgotten
  expect_nothing forgets--fixed
  says outlived second-socket-forgotten likely second-socket-forgotten
  expect_nothing pool
  says dead-pool dead-pool-entry 'one of' dead-pool-entry,second-socket-forgotten
  says never-used never-used 'one of' connect-given-up,dead-pool-entry,second-socket-forgotten
  expect_nothing writer
}
