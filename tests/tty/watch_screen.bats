#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2154 # what is typed is for the shell in the terminal; terminals.bash sets terminals
#
# "tcpstorm watch" on a real terminal: a page that stays, its keys, and a terminal that is as it was when it is left.

load terminals

# A server with the bug, and five clients that have left; until ss sees what they left.
leave_five() {
  in_background "$STORM" server --cause ignore-eof --port 15100 >"$OUT.server" 2>&1
  wait_until grep -qs '^Listening' "$OUT.server"
  inside perl -e 'use Socket; for (1 .. 5) { socket(my $s, AF_INET, SOCK_STREAM, 0);
    connect($s, pack_sockaddr_in(15100, INADDR_LOOPBACK)) or die "connect: $!" }' 3>&-
  wait_until has_close_wait 5
}

has_close_wait() {
  [[ $(inside ss -Htan state close-wait 'sport = :15100' | wc -l) == "$1" ]]
}

# start_page [OPTION...]: until it is there.
start_page() {
  run_in watch "\$STORM watch --interval 200ms $*"
  wait_for watch 'q quit / filter'
  wait_for watch 'serves :15100'
}

on_page() {
  [[ $(tmux_here display-message -p -t watch '#{alternate_on}') == "$1" ]]
}

# resize COLUMNS ROWS: until the program has drawn for it. The line of keys is the last of its page, and only a new page
# puts it there: tmux keeps what it cut off, shows it again when there is room, and tells the program a little later.
resize() {
  tmux_here resize-window -t watch -x "$1" -y "$2"
  wait_until keys_are_on_line "$2"
}

keys_are_on_line() {
  [[ $(tmux_here capture-pane -p -t watch -S "$(($1 - 1))" -E "$(($1 - 1))") == 'q quit'* ]]
}

# wait_for_no TEXT: until the terminal does not show it.
wait_for_no() {
  if ! wait_until lacks "$1"; then
    say "the terminal shows: $1"
    show_terminals
    return 1
  fi
}

lacks() {
  ! screen_has watch "$1"
}

# A FIN of less than a second ago may just be worked on: Enter looks again.
explains() {
  screen_has watch 'Do: close the descriptor when read() returns 0' || { press watch Enter && return 1; }
}

@test "rows are sorted, filtered and opened; q leaves the last table" {
  open_terminals -- watch
  leave_five
  start_page
  wait_until on_page 1
  wait_for watch '5 CLOSE_WAIT'
  wait_for watch 'by owed'
  press watch '>'
  wait_for watch 'by growth'
  press watch r
  wait_for watch 'by growth reversed'
  press watch r
  press watch /
  tmux_here send-keys -t watch -l 'no such process'
  wait_for watch 'filter: no such process_'
  wait_for_no 'serves :15100'
  press watch Escape
  wait_for watch 'serves :15100'
  press watch /
  tmux_here send-keys -t watch -l SERVES
  press watch Enter
  wait_for_no 'to 127.0.0.1:15100'
  press watch Enter
  wait_for watch 'tcpstorm explain'
  wait_until explains
  wait_for watch 'ignore-eof]'
  press watch End
  wait_for watch 'CLOSE_WAIT 0 0 127.0.0.1:15100'
  press watch Escape
  wait_for watch 'filter: SERVES'
  press watch q
  wait_for_code watch 0
  on_page 0
  wait_for watch 'serves :15100'
  expect_not_on watch 'q quit / filter'
  expect_sane watch
}

@test "Ctrl-Z, another size and 40 columns; Ctrl-C and SIGTERM put the terminal back" {
  open_terminals -- watch
  leave_five
  start_page
  press watch C-z
  wait_for watch 'Stopped'
  on_page 0
  expect_sane watch
  type_in watch 'fg >/dev/null; echo "left with $?"'
  wait_for watch '5 CLOSE_WAIT'
  wait_until on_page 1
  resize 40 12
  wait_for watch '..:15100'
  wait_for watch 'q quit / filter < > sort'
  resize 80 50
  wait_for watch 'Enter open a row'
  press watch C-c
  wait_for watch 'left with 0'
  on_page 0
  wait_for watch 'serves :15100'
  expect_sane watch
  start_page --duration 100s
  kill -TERM "$(program_pid watch)"
  wait_for_code watch 130
  on_page 0
  expect_sane watch
}

@test "where no page can be drawn there are plain rows" {
  local term
  open_terminals -- watch
  leave_five
  for term in dumb unknown ''; do
    run_in watch "TERM=$term \$STORM watch --interval 100ms --duration 300ms"
    wait_for_code watch 0
    on_page 0
    expect_not_on watch 'q quit'
  done
  run_in watch '$STORM watch --interval 100ms --duration 300ms | cat -v'
  wait_for_code watch 0
  expect_not_on watch '^['
  run_in watch '$STORM watch --interval 100ms --duration 300ms </dev/null'
  wait_for_code watch 0
  expect_not_on watch 'q quit'
  expect_sane watch
}
