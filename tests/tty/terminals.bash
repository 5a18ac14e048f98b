# shellcheck shell=bash disable=SC2034 # its variables are for the tests
# terminals: what the tests of this folder share: terminals of 80 columns that tmux holds, each with a shell in it. Keys
# are sent and screens are read, as a person would; ss says what the kernel has.
#
# Each test has a tmux server and a network namespace of its own. Nothing sleeps for a guess: everything waits for a
# text or a state, and gives up aloud.

bats_require_minimum_version 1.5.0

PATIENCE=60 # seconds within which what is waited for must come, however busy the machine is
PORT=15000

# shellcheck source=tests/sanitizer_reports.bash
source "${BASH_SOURCE[0]%/*}/../sanitizer_reports.bash"

setup() {
  set +T # see tests/README.md: bats would note the whole stack at each command of our functions
  SOCKET=tcpstorm-$$-$BATS_TEST_NUMBER
  STORM=$BATS_TEST_TMPDIR/tcpstorm
  OUT=$BATS_TEST_TMPDIR/out ERR=$BATS_TEST_TMPDIR/err SOCKETS=$BATS_TEST_TMPDIR/sockets
  terminals=() started=()
  declare -gA run_number=()
  cp "$TCPSTORM" "$STORM"
  export TMUX_TMPDIR=$BATS_TEST_TMPDIR LC_ALL=C.UTF-8
  unset TMUX NO_COLOR
  # What a sanitizer has to say is found in teardown.
  keep_sanitizer_reports
}

teardown() {
  ((${#started[@]} == 0)) || kill -KILL "${started[@]}" 2>/dev/null || true
  tmux_here kill-server 2>/dev/null || true
  no_sanitizer_reports
}

say() {
  printf '%s\n' "$*"
}

# ---- terminals ----

tmux_here() {
  tmux -L "$SOCKET" -f /dev/null "$@" 3>&-
}

# in_namespace [SYSCTL=VALUE ...] -- COMMAND...: in a new one.
in_namespace() {
  local status=0
  "$BATS_TEST_DIRNAME/../net/in_namespace.bash" "$@" || status=$?
  ((status != 77)) || skip 'this machine does not let a namespace set that sysctl'
  return "$status"
}

# open_terminals [SYSCTL=VALUE ...] -- NAME...: in a new namespace. The shells edit no lines, so that a terminal is as the
# program left it; PS1 is a text that no output ends with.
open_terminals() {
  local sysctls=() name
  while [[ $1 != -- ]]; do
    sysctls+=("$1")
    shift
  done
  shift
  terminals=("$@")
  in_namespace "${sysctls[@]}" -- tmux -L "$SOCKET" -f /dev/null -u new-session -d -s hold -x 80 -y 50 3>&-
  for name; do
    tmux_here new-session -d -s "$name" -x 80 -y 50 \
      env PS1='ready> ' STORM="$STORM" PORT="$PORT" bash --norc --noprofile --noediting
    wait_for "$name" 'ready>'
  done
  namespace_pid=$(tmux_here display-message -p '#{pid}')
}

# inside COMMAND...: in the namespace of the terminals.
inside() {
  nsenter -t "$namespace_pid" -n -- "$@"
}

# in_background COMMAND...: until the test ends.
in_background() {
  (exec nsenter -t "$namespace_pid" -n -- "$@") 3>&- &
  started+=("$!")
}

# type_in NAME TEXT: with Enter.
type_in() {
  tmux_here send-keys -t "$1" -l -- "$2"
  tmux_here send-keys -t "$1" Enter
}

# run_in NAME COMMAND: its exit status follows on the screen, numbered, see wait_for_code.
run_in() {
  run_number[$1]=$((${run_number[$1]-0} + 1))
  type_in "$1" "$2; echo \"${run_number[$1]} left with \$?\""
}

press() {
  tmux_here send-keys -t "$1" "$2"
}

# All that the terminal has shown; wrapped lines are joined.
screen() {
  tmux_here capture-pane -p -J -S - -t "$1" | sed 's/ *$//'
}

# The same with white space folded, as the program breaks its lines.
folded_screen() {
  screen "$1" | tr -s ' \n' ' '
}

# The process that the terminal's shell runs.
program_pid() {
  pgrep -n -P "$(tmux_here display-message -p -t "$1" '#{pane_pid}')"
}

# ---- waiting ----

# wait_until COMMAND...: until the command succeeds; fails when it never does.
wait_until() {
  local deadline=$((SECONDS + PATIENCE + 1)) pause=20
  until "$@"; do
    ((SECONDS < deadline)) || return 1
    sleep "0.0$pause"
    ((pause >= 90)) || ((pause += 10))
  done
}

show_terminals() {
  local name
  for name in "${terminals[@]}"; do
    say "---- the terminal of the $name"
    screen "$name" 2>/dev/null || true
  done
  say '---- the kernel'
  inside ss -tan || true
}

screen_has() {
  [[ $(folded_screen "$1") == *"$2"* ]]
}

# wait_for NAME TEXT
wait_for() {
  if ! wait_until screen_has "$1" "$2"; then
    say "the terminal of the $1 never showed: $2"
    show_terminals
    return 1
  fi
}

expect_not_on() {
  if screen_has "$1" "$2"; then
    say "the terminal of the $1 shows: $2"
    show_terminals
    return 1
  fi
}

last_code_is() {
  screen "$1" | grep -qx "${run_number[$1]} left with $2"
}

wait_for_code() {
  if ! wait_until last_code_is "$1" "$2"; then
    say "the $1 did not leave with $2"
    show_terminals
    return 1
  fi
}

# expect_sane NAME: the shell's terminal takes lines and echoes.
expect_sane() {
  type_in "$1" 'stty -a | tr " ;" "\n\n" | grep -cxE "icanon|echo|isig"'
  if ! wait_until last_line_is "$1" 3; then
    say "the terminal of the $1 is not sane"
    type_in "$1" 'stty -a'
    show_terminals
    return 1
  fi
}

# The last line above the shell's prompt.
last_line_is() {
  [[ $(screen "$1" | grep -vE '^(ready>)?$' | tail -n 1) == "$2" ]]
}

# ---- states ----

# shown_state NAME SIDE: the last that this terminal said of that side.
shown_state() {
  screen "$1" | sed -nE "s/^  $2  ([A-Za-z_0-9]+): .*/\\1/p" | tail -n 1
}

# kernel_state SIDE: as ss has it, in the program's words.
kernel_state() {
  local port=sport state
  [[ $1 == server ]] || port=dport
  state=$(inside ss -Htan state all exclude listening "( $port = :$PORT )" | awk '{ print $1 }')
  case $state in
    '') say gone ;;
    ESTAB) say ESTABLISHED ;;
    FIN-WAIT-2) say FIN_WAIT2 ;;
    *) say "${state//-/_}" ;;
  esac
}

# What the kernel has, and what each terminal showed last: a line.
states_now() {
  local name all
  all="$(kernel_state server) $(kernel_state client)"
  for name in "${shown_in[@]}"; do
    all+=" | $name: $(shown_state "$name" server) $(shown_state "$name" client)"
  done
  say "$all"
}

states_are() {
  [[ $(states_now) == "$1" ]]
}

# expect_states SERVER CLIENT [NAME...]: the kernel has them, and these terminals say so.
expect_states() {
  local wanted="$1 $2" pair="$1 $2" name
  shown_in=("${@:3}")
  for name in "${shown_in[@]}"; do
    wanted+=" | $name: $pair"
  done
  if ! wait_until states_are "$wanted"; then
    say "the states are not: $wanted"
    say "they are:           $(states_now)"
    show_terminals
    return 1
  fi
}

# connect_both [OPTION...]: a server and a client in terminals of these names, both at their prompt.
connect_both() {
  run_in server "\$STORM server $*"
  wait_for server 'Listening on '
  run_in client "\$STORM client $*"
  wait_for client 'Press any key to close the connection from this side.'
  wait_for server 'Press any key to close the connection from this side.'
}
