#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash; every test is a subshell
#
# A parent that keeps the listener and workers that accept, as gunicorn, php-fpm or Apache have them: that the parent waits for
# other things says nothing of the workers.

load ../storm
load ../explain

# start_workers NAME BODY: a worker plays BODY with each connection c that it has accepted.
start_workers() {
  start_python "$1" "r, w = os.pipe()
if os.fork() == 0:
    o = socket.create_connection(backend)
    while True:
        c = s.accept()[0]
        kept.append(c)
        c.recv(100)
        $2
while True: select.select([r], [], [], 1)"
}

@test "a worker is stuck: it is told of the accept queue too, and not that nobody will accept" {
  start_workers stuck 'if len(kept) == 3: o.recv(1)'
  start_workers closes 'kept.pop().close()'
  await_servers
  visit late 12 "${server_ports[stuck]}" "${server_ports[closes]}"
  rest_for_grace
  # by the port: nobody accepts from the backend either
  server_pids[stuck]=:${server_ports[stuck]} server_pids[closes]=:${server_ports[closes]}
  explain stuck
  expect_code 1
  [[ $(jq -r '[.findings[] | select(.holder == "queue") | .rule] | unique | join(",")' "$JSON") == loop-stuck ]]
  expect_in "$OUT" 'The event loop is stuck: thread'
  explain closes
  expect_code 0
}
