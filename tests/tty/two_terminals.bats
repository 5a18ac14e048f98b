#!/usr/bin/env bats
# shellcheck disable=SC2016 # what is typed is for the shell in the terminal
#
# A server in one terminal, a client in another, one connection: what both show is what ss shows, whoever acts.

load terminals

@test "the server closes first: every state on both screens is the kernel's" {
  open_terminals -- server client
  connect_both
  wait_for server "Listening on 127.0.0.1:$PORT"
  wait_for server "Client connected on 127.0.0.1:$PORT"
  wait_for client "Connected to 127.0.0.1:$PORT"
  expect_states ESTABLISHED ESTABLISHED server client
  press server x
  wait_for server 'server called close()'
  expect_states FIN_WAIT2 CLOSE_WAIT server client
  wait_for server 'FIN_WAIT2: closed here; the other side has not called close()'
  wait_for client 'The other side has closed its half: recv() returned 0.'
  wait_for client 'CLOSE_WAIT: the other side has closed; this side owes a close()'
  press client x
  wait_for client 'client called close()'
  expect_states TIME_WAIT gone server client
  wait_for server 'TIME_WAIT on the server: '
}

# shown_by_readme BLOCK FROM TO: those columns of that block of the README's two terminals, folded, without numbers.
shown_by_readme() {
  awk -v wanted="$1" '/^```text two terminals/ { count++; inside = 1; next } /^```/ { inside = 0 } inside && count == wanted' \
    "$BATS_TEST_DIRNAME/../../README.md" | cut -c"$2-$3" | grep -v '^\$ ' | tr -s ' \n' ' ' | sed -E 's/[0-9]+/N/g; s/^ //; s/ $//'
}

shows_block() { # BLOCK
  wait_until same_as_readme server "$1" 1 50 && wait_until same_as_readme client "$1" 52 200 && return
  say "block $1 of the README is on these screens no more:" "$(shown_by_readme "$1" 1 50)" "$(shown_by_readme "$1" 52 200)"
  show_terminals
  return 1
}

same_as_readme() { # NAME BLOCK FROM TO
  [[ $(folded_screen "$1" | sed -E 's/[0-9]+/N/g') == *"$(shown_by_readme "$2" "$3" "$4")"* ]]
}

@test "both terminals show what the README shows" {
  open_terminals -- server client
  connect_both
  shows_block 1
  press server x
  shows_block 2
  press client x
  shows_block 3
}

@test "the lines name both ends as ss does" {
  open_terminals -- server client
  connect_both
  local line
  line=$(inside ss -Htan state established "( sport = :$PORT )" | awk '{ print $3, $4 }')
  wait_for server "$line ESTABLISHED"
  wait_for client "$line ESTABLISHED"
  wait_for client "${line#* } ${line% *} ESTABLISHED"
}

@test "the client closes first" {
  open_terminals -- server client
  connect_both
  press client Space
  expect_states CLOSE_WAIT FIN_WAIT2 server client
  press server Enter
  expect_states gone TIME_WAIT server client
}

@test "over IPv6" {
  open_terminals -- server client
  connect_both --address ::1
  wait_for server "Listening on [::1]:$PORT"
  press server x
  expect_states FIN_WAIT2 CLOSE_WAIT server client
  press client x
  expect_states TIME_WAIT gone server client
}

@test "on another port" {
  PORT=15777
  open_terminals -- server client
  connect_both --port 15777
  wait_for server 'Listening on 127.0.0.1:15777'
  expect_states ESTABLISHED ESTABLISHED server client
}

@test "s half-closes: the other side may still send, and a key closes the rest" {
  open_terminals -- server client
  connect_both
  press client s
  wait_for client 'client called shutdown(SHUT_WR)'
  expect_states CLOSE_WAIT FIN_WAIT2 server client
  expect_not_on client ' s left' # FIN_WAIT2 of a descriptor has no timer
  press server w
  wait_for client 'The other side sent 59 bytes, which this side has read.'
  expect_states CLOSE_WAIT FIN_WAIT2 server client
  press server x
  expect_states gone TIME_WAIT server client
  press client x
  wait_for client 'client called close()'
}

@test "r resets: nothing is left, and the other side still holds its descriptor" {
  open_terminals -- server client
  connect_both
  press server r
  wait_for server 'server called close() with SO_LINGER 0'
  wait_for server 'the connection was reset (RST)'
  wait_for_code server 0
  expect_states gone gone server client
  wait_for client 'The other side has reset the connection: recv() failed.'
  wait_for client 'this side still holds its descriptor'
  press client x
  wait_for_code client 0
}

@test "w writes: the other side reads, and nothing else changes" {
  open_terminals -- server client
  connect_both
  press server w
  wait_for server 'server called send()'
  wait_for client 'The other side sent 59 bytes, which this side has read.'
  press client w
  wait_for server 'The other side sent 59 bytes, which this side has read.'
  expect_states ESTABLISHED ESTABLISHED server client
}

@test "w after the other side has closed is answered by a reset" {
  open_terminals -- server client
  connect_both
  press server x
  expect_states FIN_WAIT2 CLOSE_WAIT server client
  press client w
  expect_states gone gone server client
  wait_for client 'the connection was reset (RST)'
  wait_for_code server 0
}

@test "q leaves, and the other side sees a close" {
  open_terminals -- server client
  connect_both
  press server q
  wait_for server 'Quitting: '
  wait_for_code server 0
  expect_states FIN_WAIT2 CLOSE_WAIT client
  press client x
  expect_states TIME_WAIT gone client
  press client q
  wait_for_code client 0
  expect_sane client
}

@test "q leaves where nobody has come" {
  open_terminals -- server
  run_in server '$STORM server'
  wait_for server 'Listening on '
  press server q
  wait_for_code server 0
  expect_sane server
}

@test "any other key does nothing where nobody has come" {
  open_terminals -- server client
  run_in server '$STORM server'
  wait_for server 'Listening on '
  press server x
  run_in client '$STORM client'
  expect_states ESTABLISHED ESTABLISHED server client
}

@test "a second client is refused once one has come" {
  open_terminals -- server client second
  connect_both
  run_in second '$STORM client'
  wait_for second 'connection refused: start "tcpstorm server" first'
  wait_for_code second 3
  expect_states ESTABLISHED ESTABLISHED server client
}

@test "a peer that is killed has closed" {
  open_terminals -- server client
  connect_both
  kill -KILL "$(program_pid client)"
  expect_states CLOSE_WAIT FIN_WAIT2 server
  press server x
  expect_states gone TIME_WAIT server
}

# countdown NAME: the seconds left that the last line shows.
countdown() {
  screen "$1" | sed -nE 's/^.* on the server: ([0-9]+) s left$/\1/p' | tail -n 1
}

counts_below() {
  local left
  left=$(countdown "$1")
  [[ -n $left ]] && ((left < $2))
}

@test "the kernel's timers count down on both screens, in one line" {
  open_terminals -- server client
  local name
  connect_both
  press server x
  for name in server client; do
    wait_for "$name" 'FIN_WAIT2 on the server: '
    wait_until counts_below "$name" 59
  done
  press client x
  for name in server client; do
    wait_for "$name" 'TIME_WAIT on the server: '
    wait_until counts_below "$name" 60
    [[ $(screen "$name" | grep -c ' s left') == 1 ]]
  done
}

@test "past tcp_fin_timeout FIN_WAIT2 is gone, CLOSE_WAIT is not, and a late close leaves no TIME_WAIT" {
  open_terminals net.ipv4.tcp_fin_timeout=2 -- server client
  connect_both
  press server x
  expect_states gone CLOSE_WAIT server client
  wait_for client 'FIN_WAIT2 has ended: no process has the descriptor any more'
  wait_for server 'CLOSE_WAIT has no timer: it stays until its process calls close().'
  press client x
  expect_states gone gone server client
  wait_for client 'No TIME_WAIT follows: the other end had left after net.ipv4.tcp_fin_timeout'
  wait_for server 'No TIME_WAIT follows'
  wait_for_code client 0
  wait_for_code server 0
}

@test "no line of theirs is wider than 80 columns" {
  open_terminals net.ipv4.tcp_fin_timeout=1 -- server client
  local name
  connect_both --address ::1
  press server x
  expect_states gone CLOSE_WAIT server client
  press client x
  for name in server client; do
    wait_for_code "$name" 0
    run ! grep -E '^.{81}' <(screen "$name")
  done
}

@test "a terminal that is resized at the prompt changes nothing" {
  open_terminals -- server client
  connect_both
  tmux_here resize-window -t server -x 43 -y 20
  tmux_here resize-window -t client -x 120 -y 60
  press server x
  expect_states FIN_WAIT2 CLOSE_WAIT server client
  press client x
  expect_states TIME_WAIT gone client
  wait_for server 'TIME_WAIT on the server: '
  press server q
  wait_for_code server 0
  expect_sane server
}
