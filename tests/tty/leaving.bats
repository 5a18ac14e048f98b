#!/usr/bin/env bats
# shellcheck disable=SC2016,SC1003 # what is typed is for the shell in the terminal
#
# Signals at each prompt: the right exit code, one sentence, and a terminal that a shell can use.

load terminals

# leaves_by HOW NAME: Ctrl-C or a signal; HOW is C-c or a signal's name.
leaves_by() {
  if [[ $1 == C-* ]]; then
    press "$2" "$1"
  else
    kill -s "$1" "$(program_pid "$2")"
  fi
  wait_for_code "$2" 130
  expect_sane "$2"
}

@test "while it waits for a client" {
  open_terminals -- server
  local how
  for how in C-c 'C-\' TERM HUP; do
    tmux_here send-keys -t server -R
    tmux_here clear-history -t server
    run_in server 'clear; $STORM server'
    wait_for server 'Listening on '
    leaves_by "$how" server
  done
  wait_for server 'tcpstorm: the terminal hung up: quitting'
}

@test "at the key prompt: the kernel closes that side" {
  open_terminals -- server client
  connect_both
  leaves_by C-c client
  wait_for client 'tcpstorm: interrupted: quitting, and the kernel closes this side'
  expect_states CLOSE_WAIT FIN_WAIT2 server
  leaves_by TERM server
}

@test "at the key prompt, when the terminal is hung up" {
  open_terminals -- server client
  connect_both
  leaves_by HUP server
  wait_for server 'tcpstorm: the terminal hung up: quitting, and the kernel closes this side'
}

@test "while it follows the connection" {
  open_terminals -- server client
  connect_both
  press server x
  wait_for server 'FIN_WAIT2 on the server: '
  leaves_by C-c server
  press client x
  wait_for client 'TIME_WAIT on the server: '
  leaves_by HUP client
}

@test "at the prompt of a walk: nothing stays in the kernel's tables" {
  open_terminals -- walk
  local how
  for how in C-c 'C-\' TERM HUP; do
    tmux_here clear-history -t walk
    run_in walk 'clear; $STORM walk'
    wait_for walk '[any key: server-close; q quits]'
    leaves_by "$how" walk
    expect_states gone gone
  done
  wait_for walk 'tcpstorm: the terminal hung up: quitting, both ends are reset'
}

@test "in the pause of a walk" {
  open_terminals -- walk
  run_in walk '$STORM walk --pause 1h'
  wait_for walk ESTABLISHED
  leaves_by C-c walk
  expect_states gone gone
}

@test "a terminal under Ctrl-S: signals are heard, and what was to be shown comes with Ctrl-Q" {
  open_terminals -- server client walk
  local pid
  run_in server '$STORM server'
  wait_for server 'Listening on '
  press server C-s
  run_in client '$STORM client'
  wait_for client 'Press any key to close the connection from this side.'
  expect_not_on server 'Client connected'
  press server C-q
  wait_for server 'Press any key to close the connection from this side.'
  press server C-s
  press client x
  expect_states CLOSE_WAIT FIN_WAIT2 client
  pid=$(program_pid server)
  kill -TERM "$pid"
  wait_until is_over "$pid"
  press server C-q
  wait_for server '1 left with 130'
  expect_sane server

  run_in walk '$STORM walk --port 16000'
  wait_for walk '[any key: server-close; q quits]'
  press walk C-s
  press walk x
  wait_until is_served_in_walk
  pid=$(program_pid walk)
  kill -TERM "$pid"
  wait_until is_over "$pid"
  press walk C-q
  wait_for walk '1 left with 130'
  expect_sane walk
}

# Its server has closed, whatever the terminal shows.
is_served_in_walk() {
  [[ -n $(inside ss -Htn state fin-wait-2 "( sport = :16000 )") ]]
}

@test "Ctrl-Z gives the terminal back, and fg goes on" {
  open_terminals -- server client
  connect_both
  press client C-z
  wait_for client Stopped
  expect_sane client
  run_in client fg
  wait_until is_raw client
  press client x
  expect_states CLOSE_WAIT FIN_WAIT2 server client
  press client q
  wait_for_code client 0
  expect_sane client
}

@test "Ctrl-Z in a walk gives the terminal back, and fg goes on" {
  open_terminals -- walk
  run_in walk '$STORM walk'
  wait_for walk '[any key: server-close; q quits]'
  press walk C-z
  wait_for walk Stopped
  expect_sane walk
  run_in walk fg
  wait_until is_raw walk
  wait_for walk '[any key: server-close; q quits]'
  press walk x
  wait_for walk '[any key: client-close; q quits]'
  press walk x
  wait_for_code walk 0
  expect_sane walk
}

# The terminal hands over single keys.
is_raw() {
  stty -a <"$(tmux_here display-message -p -t "$1" '#{pane_tty}')" | grep -q -- -icanon
}

@test "a terminal that goes away ends a walk, with one sentence" {
  open_terminals -- walk
  local pid
  run_in walk "\$STORM walk 2>$ERR"
  wait_for walk '[any key: server-close; q quits]'
  pid=$(program_pid walk)
  tmux_here kill-session -t walk
  wait_until is_over "$pid"
  [[ $(cat "$ERR") == 'tcpstorm: the terminal hung up: quitting, both ends are reset' ]]
  expect_states gone gone
}

@test "a terminal that goes away ends it, with one sentence" {
  open_terminals -- server client
  local pid
  run_in server '$STORM server'
  wait_for server 'Listening on '
  run_in client "\$STORM client 2>$ERR"
  expect_states ESTABLISHED ESTABLISHED server client
  pid=$(program_pid client)
  tmux_here kill-session -t client
  expect_states CLOSE_WAIT FIN_WAIT2 server
  wait_until is_over "$pid"
  cat "$ERR"
  [[ $(cat "$ERR") == 'tcpstorm: the terminal hung up: quitting, and the kernel closes this side' ]]
}

is_over() {
  ! kill -0 "$1" 2>/dev/null
}
