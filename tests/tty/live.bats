#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2154 # what is typed is for the shell in the terminal; terminals.bash sets terminals
#
# The live view on a real terminal: what it shows while a run lasts, and that nothing of it stays.

# run-bats: takes 80 s

load terminals

# A line of each frame. The summary has no such line.
readonly HEADS='^ {14,}server +client$'

# Without the kernel's sockets: there are thousands.
show_terminals() {
  local name
  for name in "${terminals[@]}"; do
    say "---- the terminal of the $name"
    screen "$name" 2>/dev/null || true
  done
}

# bar_of STATE N: the line of a frame in which that state has so many somewhere, with bars.
bar_of() {
  printf '^  %s +[█▏▎▍▌▋▊▉·]+ .*\\b%s\\b' "$1" "$2"
}

has_line() {
  screen "$1" | grep -qE -- "$2"
}

# has_shown NAME REGEX: such a line is there, or was while it was recorded: a busy machine may not let us look in time.
has_shown() {
  has_line "$@" || { [[ -e $OUT.raw ]] && sed 's/\x1b\[[0-9;]*[A-Za-z]//g; s/\r//g; s/ *$//' "$OUT.raw" | grep -qE -- "$2"; }
}

# wait_for_line NAME REGEX
wait_for_line() {
  if ! wait_until has_shown "$@"; then
    say "the terminal of the $1 never had a line like: $2"
    show_terminals
    return 1
  fi
}

expect_no_line() {
  if has_line "$@"; then
    say "the terminal of the $1 has a line like: $2"
    show_terminals
    return 1
  fi
}

# expect_frames NAME N: so many are on the screen and above it.
expect_frames() {
  local there
  there=$(screen "$1" | grep -cE -- "$HEADS") || true
  if [[ $there != "$2" ]]; then
    say "$there frames where $2 were expected"
    show_terminals
    return 1
  fi
}

# What differs between two runs of the same: times, ports, pids, and whether the machine was so busy that looks took long.
normal() {
  sed -E -e '/^ *While connections were opened and closed/,/exact[.]$/d' -e '/^ *Kernel counter /,/other programs[.]$/d' \
    -e 's/[0-9]+([.][0-9]+)?( m?s\b|\/s)/T\2/g' -e 's/pid [0-9]+/pid P/g' -e 's/:[0-9]{5}\b/:PORT/g' -e '/./!d'
}

# expect_only_output_of NAME COMMAND...: between the command line and the exit status the terminal has what the same command
# prints to a file, and nothing else. White space counts, empty lines do not.
expect_only_output_of() {
  local name=$1
  shift
  in_namespace -- "$@" >"$OUT" 2>"$ERR" || true
  compare_with_screen "$name"
}

# The same of one that is interrupted while it holds.
expect_only_output_of_interrupted() {
  local name=$1 pid
  shift
  "$BATS_TEST_DIRNAME/../net/in_namespace.bash" -- "$@" >"$OUT" 2>"$ERR" 3>&- & # whose process becomes the program
  pid=$!
  wait_until grep -q 'holding' "$ERR" || true
  kill -INT "$pid"
  wait "$pid" || true
  compare_with_screen "$name"
}

compare_with_screen() {
  local name=$1
  if ! diff <(normal <"$OUT") <(screen "$name" | sed -e '0,/^ready>/d' -e '/^[0-9]* left with/,$d' | normal); then
    show_terminals
    return 1
  fi
}

# record NAME: from now on all bytes that the program writes there, also in "$OUT.raw".
record() {
  : >"$OUT.raw"
  tmux_here pipe-pane -t "$1" "cat >>'$OUT.raw'"
}

resize() {
  tmux_here resize-window -t "$1" -x "$2" -y "$3"
}

# resize_at_rest NAME COLUMNS ROWS: while the program rests, until its terminal says so too: tmux wraps its lines at once, and
# tells the new size after a while. In between nobody can know where the lines are.
resize_at_rest() {
  local pid
  pid=$(program_pid "$1")
  kill -STOP "$pid"
  resize "$@"
  wait_until has_size "$@"
  kill -CONT "$pid"
}

has_size() {
  [[ $(stty size <"$(tmux_here display-message -p -t "$1" '#{pane_tty}')") == "$3 $2" ]]
}

@test "a run over a second shows both sides' states as bars, and who owes the close()" {
  open_terminals -- storm
  run_in storm '$STORM --order leak --hold 3s --conns 1000'
  wait_for_line storm '^leak  open  holding, [0-9] s left +[0-9]+ s$'
  wait_for_line storm "$(bar_of ESTABLISHED 1,000)"
  wait_for_line storm "$(bar_of CLOSE_WAIT 1,000)"
  wait_for_line storm "$(bar_of FIN_WAIT2 1,000)"
  wait_for_line storm '^leak  client-close  holding, [0-9] s left +[0-9]+ s$'
  wait_for_line storm '^  the server owes 1,000 close\(\)  [▁▂▃▄▅▆▇█]+$'
  expect_frames storm 1
  wait_for_code storm 0
  expect_frames storm 0
  expect_sane storm
}

@test "at the end the summary is there and nothing else" {
  open_terminals -- storm
  local run='--order server-first,client-first --hold 1500ms --conns 1000'
  record storm
  run_in storm "\$STORM $run"
  wait_for_line storm "$(bar_of FIN_WAIT2 1,000)"
  wait_for_line storm "$(bar_of TIME_WAIT 1,000)"
  wait_for_line storm '^client-first  open '
  wait_for_line storm "$(bar_of CLOSE_WAIT 1,000)"
  wait_for_code storm 0
  # shellcheck disable=SC2086
  expect_only_output_of storm "$STORM" $run
}

@test "the same where the screen is lower than the summary, and lines leave it at the top" {
  open_terminals -- storm
  local run='--order server-first,client-first --hold 1500ms --conns 1000'
  resize storm 80 14
  record storm
  run_in storm "\$STORM $run"
  wait_for_line storm "$(bar_of TIME_WAIT 1,000)"
  wait_for_line storm "$(bar_of CLOSE_WAIT 1,000)"
  wait_for_code storm 0
  # shellcheck disable=SC2086
  expect_only_output_of storm "$STORM" $run
}

# tmux wraps the lines of a frame anew before the program can hear of it: where it does so while a frame is being drawn, rows of
# the old one stay. That is seldom, and no fault of what is tested here: then it is tried again on a clean screen.
@test "a terminal that becomes narrower, wider and lower while it runs keeps one frame, and nothing of it" {
  open_terminals -- storm
  local run='--order never-close --hold forever --conns 1000' tries
  for tries in 1 2 3; do
    run_in storm "set +m; \$STORM $run"
    wait_for_line storm "$(bar_of ESTABLISHED 1,000)"
    ! keeps_one_frame_at_every_size || break
    ((tries < 3)) || return 1
    press storm C-c
    wait_for_code storm 130
    run_in storm clear
  done
  press storm C-c
  wait_for_code storm 130
  # shellcheck disable=SC2086
  expect_only_output_of_interrupted storm "$STORM" $run
}

keeps_one_frame_at_every_size() {
  local size
  for size in 60x50 45x50 120x40 100x12 62x13 80x50; do
    resize_at_rest storm "${size%x*}" "${size#*x}"
    wait_for_width "$((${size%x*} - 1))" || return 1
    expect_frames storm 1 || return 1
    expect_one_header || return 1
  done
}

# The time is at the right edge of the first line.
wait_for_width() {
  if ! wait_until frame_is_wide "$1"; then
    say "the frame never became $1 wide"
    show_terminals
    return 1
  fi
}

frame_is_wide() {
  screen storm | grep -E '^never-close  open  .* [0-9]+ s$' | awk -v width="$1" '{ found += length($0) == width } END { exit !found }'
}

expect_one_header() {
  if [[ $(screen storm | grep -cE '^never-close  open') != 1 ]]; then
    say 'there is more than one header'
    show_terminals
    return 1
  fi
}

@test "where the frame does not fit any more there is one on the screen, and the summary is whole" {
  open_terminals -- storm
  run_in storm 'set +m; $STORM --order leak --hold 4s --conns 1000'
  wait_for_line storm "$(bar_of CLOSE_WAIT 1,000)"
  resize_at_rest storm 80 5
  wait_until shows_low_frame
  resize storm 80 50
  wait_for_code storm 0
  wait_for storm 'As expected.'
  wait_for storm 'the server owes the close()'
}

# Four lines of five: an empty one, two of heads, a state.
shows_low_frame() {
  local lines
  lines=$(tmux_here capture-pane -p -t storm | sed 's/ *$//')
  [[ $(grep -cE "$HEADS" <<<"$lines") == 1 && $(tail -n 2 <<<"$lines") != *close* ]]
}

@test "Ctrl-C in the middle takes the frame away" {
  open_terminals -- storm
  run_in storm '$STORM --order leak --hold forever --conns 1000'
  wait_for_line storm "$(bar_of CLOSE_WAIT 1,000)"
  press storm C-c
  wait_for_code storm 130
  expect_frames storm 0
  expect_no_line storm '^leak  '
  expect_no_line storm '\^C'
  expect_no_line storm '^  (ESTABLISHED|CLOSE_WAIT)'
  wait_for storm 'nterrupted'
  expect_sane storm
}

@test "Ctrl-C in a terminal whose last line is full leaves no line of the frame" {
  open_terminals -- storm
  resize storm 40 30
  run_in storm '$STORM --order leak --hold forever --conns 1000'
  wait_for_line storm '^  the server owes 1,000 close\(\)  [▁▂▃▄▅▆▇█]{6}$' # 39 columns
  press storm C-c
  wait_for_code storm 130
  expect_frames storm 0
  expect_no_line storm '^leak  '
}

@test "connections that come one by one are seen too" {
  open_terminals -- storm
  run_in storm '$STORM --cause ignore-eof --rate 50 --duration 3s --hold 0'
  wait_for_line storm '^ignore-eof  arrivals  acting [0-9]+ of 150, [0-9]+/s'
  wait_for_line storm '^  the server owes [0-9]+ close\(\)'
  wait_for_code storm 0
  expect_frames storm 0
  expect_no_line storm '^ignore-eof  arrivals'
}

@test "TERM=dumb has plain lines" {
  open_terminals -- storm
  record storm
  run_in storm 'TERM=dumb $STORM --order never-close --hold 5s --conns 100'
  wait_for_line storm '^tcpstorm: never-close open: holding, [0-9.]+ s$'
  wait_for_code storm 0
  expect_frames storm 0
  expect_no_escapes
}

@test "stderr in a file has plain lines there, and none on the terminal" {
  open_terminals -- storm
  record storm
  run_in storm "\$STORM --order never-close --hold 5s --conns 100 2>'$ERR'"
  wait_for_code storm 0
  expect_no_escapes
  expect_not_on storm 'holding,'
  grep -qxE 'tcpstorm: never-close open: holding, [0-9.]+ s' "$ERR"
  run ! grep -v '^tcpstorm: ' "$ERR"
  run ! grep $'\033' "$ERR"
}

# Of cursors: colours are the summary's.
expect_no_escapes() {
  run ! grep -P '\x1b\[[0-9]*[AJK]' "$OUT.raw"
}

@test "stdout in a file leaves the terminal to the view" {
  open_terminals -- storm
  run_in storm "\$STORM --order leak --hold 2s --conns 1000 >'$OUT'"
  wait_for_line storm "$(bar_of CLOSE_WAIT 1,000)"
  wait_for_code storm 0
  [[ $(screen storm | sed -e '1d' -e '/^$/d' | grep -vc '^ready>') == 1 ]]
  grep -q 'As expected' "$OUT"
  run ! grep $'\033' "$OUT"
}

@test "--plain has a line of progress, which goes too" {
  open_terminals -- storm
  run_in storm '$STORM --order leak --hold 2s --conns 1000 --plain'
  wait_for_line storm '^leak client-close: holding, [0-9.]+ s$'
  wait_for_code storm 0
  expect_frames storm 0
  expect_no_line storm 'holding,'
}

@test "--live is there from the first moment, and without it a run of less than a second has nothing" {
  open_terminals -- storm
  local run='--order never-close --hold 300ms --conns 100'
  record storm
  run_in storm "\$STORM $run --live"
  wait_for_code storm 0
  wait_until grep -qF 'ESTABLISHED █' "$OUT.raw"
  expect_frames storm 0
  # shellcheck disable=SC2086
  expect_only_output_of storm "$STORM" $run
  tmux_here send-keys -t storm -R
  tmux_here clear-history -t storm
  run_in storm "\$STORM $run --live --quiet"
  wait_for_code storm 2
  wait_for storm 'tcpstorm: --live cannot be used with --quiet: '
}

@test "a short run without --live draws nothing" {
  open_terminals -- storm
  record storm
  run_in storm '$STORM --order abort --hold 0 --conns 10'
  wait_for_code storm 0
  wait_until grep -q 'left with 0' "$OUT.raw"
  # However slow this machine is: what took less than a second draws nothing.
  [[ $(screen storm) =~ settled ]]
  if ! grep -q $'\033\\[J' "$OUT.raw"; then return; fi
  skip 'this machine took longer than a second for ten connections'
}

@test "--csv - and --json - on the terminal are rows, with nothing drawn between them" {
  open_terminals -- storm
  local format
  for format in csv json; do
    record storm
    run_in storm "clear; \$STORM --order never-close --hold 1500ms --conns 100 --$format -"
    wait_for_code storm 0
    run ! grep -P '\x1b\[[0-9]*[AK]' "$OUT.raw"
    expect_frames storm 0
    expect_not_on storm 'holding,'
  done
  [[ $(screen storm | grep -cE '^\{"event":"sample".*\}$') -gt 10 ]]
}

@test "states that are kept together are seen together" {
  open_terminals -- storm
  run_in storm '$STORM state close-wait=300,last-ack=5 --isolate --hold 3s'
  wait_for_line storm '^CLOSE_WAIT holding, LAST_ACK holding +[0-9]+ s$'
  wait_for_line storm "$(bar_of CLOSE_WAIT 300)"
  wait_for_line storm "$(bar_of LAST_ACK 5)"
  wait_for_line storm '^  the server owes 300 close\(\)'
  wait_for_code storm 0
  expect_frames storm 0
  expect_no_line storm '^CLOSE_WAIT holding'
  wait_for_line storm '^  CLOSE_WAIT +server +300/300  ss -tan'
  wait_for_line storm '^  LAST_ACK +server +5/5  ss -tan'
  wait_for storm '2 of 2 states reached and kept'
}

@test "a terminal that is not UTF-8 gets ASCII, and NO_COLOR no colour" {
  open_terminals -- storm
  record storm
  run_in storm 'clear; LC_ALL=C NO_COLOR=1 $STORM --order leak --hold 2s --conns 1000'
  wait_for_line storm '^  CLOSE_WAIT +#+ +1,000 '
  wait_for_line storm '^  the server owes 1,000 close\(\)  [_.:=+*#-]+$'
  wait_for_code storm 0
  LC_ALL=C run ! grep -P '[^\x00-\x7f]' "$OUT.raw"
  LC_ALL=C run ! grep -P '\x1b\[[0-9]+m' "$OUT.raw"
}

# Frames in what was recorded: those that replace one, and times at which something was erased that was there.
count_replaced() {
  grep -oP '\r\x1b\[[0-9]+A(?!\x1b\[J)' "$OUT.raw" | wc -l
}

count_cleared() {
  grep -oP '\r\x1b\[[0-9]+A\x1b\[J' "$OUT.raw" | wc -l
}

@test "nothing flickers: a frame is written over the one before, and erases only what is below it" {
  open_terminals -- storm
  record storm
  run_in storm '$STORM --order leak --hold 3s --conns 1000'
  wait_for_code storm 0
  wait_until grep -q 'left with 0' "$OUT.raw"
  (($(count_replaced) >= 10))
  # Before a line of the summary, and at the end.
  (($(count_cleared) <= 4))
  # Any other erasure comes behind the last line of a frame.
  run ! grep -P '(?<!\x1b\[K)(?<!A)\x1b\[J(?!\r?$)' <(sed 's/\x1b\[[0-9;]*m//g' "$OUT.raw" | grep -v 'STORM')
  # Every line of a frame erases only its own rest, once.
  run ! grep -P '\x1b\[K.*\x1b\[K' <(tr '\r' '\n' <"$OUT.raw")
}

# ---- who else has the terminal ----

@test "Ctrl-Z takes the frame away, and fg draws it whole below what the shell has written" {
  open_terminals -- storm
  run_in storm '$STORM --order never-close --hold forever --conns 1000'
  wait_for_line storm "$(bar_of ESTABLISHED 1,000)"
  press storm C-z
  wait_for storm Stopped
  expect_frames storm 0
  type_in storm 'echo the shell was here'
  wait_for_line storm '^the shell was here$'
  type_in storm fg
  wait_for_line storm "$(bar_of ESTABLISHED 1,000)"
  expect_frames storm 1
  wait_for_line storm '^the shell was here$'
  wait_for_line storm 'Stopped'
  press storm C-c
  wait_for storm 'Interrupted at open'
  expect_frames storm 0
  wait_for_line storm '^the shell was here$'
  expect_sane storm
}

@test "a background job draws nothing and is not stopped for it; in the foreground it draws" {
  open_terminals -- storm
  record storm
  type_in storm "stty tostop; \$STORM --order never-close --hold forever --interval 20ms --conns 100 --csv '$OUT' >'$ERR' &"
  wait_until has_rows_of_two_seconds
  run ! grep -P '\x1b\[[0-9]*[AJ]' "$OUT.raw"
  expect_frames storm 0
  type_in storm jobs
  wait_for_line storm '^\[1\].*Running'
  type_in storm fg
  wait_for_line storm "$(bar_of ESTABLISHED 100)"
  expect_frames storm 1
  press storm C-c
  wait_until grep -q 'Interrupted at open' "$ERR"
  expect_sane storm
}

# By then it would have drawn something.
has_rows_of_two_seconds() {
  [[ -e $OUT ]] && awk -F, '$3 > 2 { found = 1 } END { exit !found }' "$OUT"
}

@test "Ctrl-S: the run goes on, a signal ends it, and Ctrl-Q shows how" {
  open_terminals -- storm
  local pid
  run_in storm "\$STORM --order never-close --hold forever --interval 20ms --conns 100 --csv '$OUT'"
  wait_for_line storm "$(bar_of ESTABLISHED 100)"
  pid=$(program_pid storm)
  press storm C-s
  wait_until has_more_rows
  kill -TERM "$pid"
  wait_until is_over "$pid"
  press storm C-q
  wait_for storm '1 left with 130' # below what was drawn last: the terminal did not take that away
  expect_sane storm
  [[ $(head -n 1 "$OUT") == order,* && $(tail -n 1 "$OUT") == *,local,* ]]
}

# More than a frame ago.
has_more_rows() {
  local before=${rows_before:=$(wc -l <"$OUT")}
  (($(wc -l <"$OUT") > before + 100))
}

is_over() {
  ! kill -0 "$1" 2>/dev/null
}
