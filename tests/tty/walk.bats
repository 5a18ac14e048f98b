#!/usr/bin/env bats
# shellcheck disable=SC2016 # what is typed is for the shell in the terminal
#
# tcpstorm walk: every order of the table, at once and step by step.

load terminals

# walk_alone OPTION...: not in a terminal, in a new namespace; afterwards $SOCKETS has what is left in the kernel's tables.
walk_alone() {
  code=0
  in_namespace -- bash -c '"$@"; code=$?; ss -Htan >"$0"; exit "$code"' "$SOCKETS" \
    "$STORM" walk "$@" >"$OUT" 2>"$ERR" </dev/null || code=$?
  cat "$OUT" "$ERR"
}

# last_row ORDER: "SERVER,CLIENT" of its last step, from the table of orders; a state may be "TIME_WAIT or gone".
last_row() {
  "$STORM" orders | awk -v order="$1:" '
    /^[a-z]/ { found = $1 == order }
    found && /^    [a-z-]+ +server [A-Zg].* client [A-Zg]/ { sub(/^.* server /, ""); sub(/ +client /, ","); row = $0 }
    END { print row }'
}

# expect_last_row FILE ORDER: the states at its end are those of the table.
expect_last_row() {
  local row side state wanted
  row=$(last_row "$2")
  for side in server client; do
    state=$(sed -nE "s/^  $side  ([A-Za-z_0-9]+): .*/\\1/p" "$1" | tail -n 1)
    wanted=${row%,*}
    [[ $side == server ]] || wanted=${row#*,}
    if [[ -z $state || " $wanted " != *" $state "* ]]; then
      say "$2: the $side is in ${state:-no state} where $wanted was expected"
      return 1
    fi
  done
}

# Those that can be played by one connection.
orders_to_walk() {
  "$STORM" --dry-run --rate 1 --order all | sed -n 's/^  orders  *//p'
}

# steps_of ORDER: the labels after the opening.
steps_of() {
  "$STORM" orders | awk -v order="$1:" '
    /^[a-z]/ { found = $1 == order }
    found && /^    [a-z-]+ +server [A-Zg].* client [A-Zg]/ && $1 != "open" { print $1 }'
}

@test "every order at once: exit 0, the states of the table, nothing left behind" {
  local order count=0
  for order in $(orders_to_walk); do
    walk_alone --order "$order"
    ((code == 0))
    [[ ! -s $ERR ]]
    expect_last_row "$OUT" "$order"
    run ! grep -vE '^(TIME-WAIT|FIN-WAIT-2) ' "$SOCKETS"
    ((++count))
  done
  ((count >= 8))
}

@test "every order fits 80 columns, in UTF-8 and in ASCII" {
  local order locale
  for order in $(orders_to_walk); do
    for locale in C C.UTF-8; do
      LC_ALL=$locale walk_alone --order "$order" --address ::1
      ((code == 0))
      run ! grep -E '^.{81}' "$OUT"
      run ! grep -E ' $' "$OUT"
      [[ $locale != C ]] || run ! env LC_ALL=C grep '[^ -~]' "$OUT"
    done
  done
}

@test "arrows point from the side that sends" {
  walk_alone --order server-first
  grep -qE '^ +─+ SYN ─+▶$' "$OUT"
  grep -qE '^ +◀─+ SYN, ACK ─+$' "$OUT"
  LC_ALL=C walk_alone --order server-first
  grep -qE '^ +-+ SYN -+>$' "$OUT"
  grep -qE '^ +<-+ FIN -+$' "$OUT"
}

@test "IPv6, and a port of choice" {
  walk_alone --address ::1 --port 16000
  ((code == 0))
  grep -qF '[::1]:16000' "$OUT"
}

@test "in a terminal every order grows by a step at each key" {
  open_terminals -- walk
  local order step
  for order in $(orders_to_walk); do
    run_in walk "clear; \$STORM walk --order $order"
    wait_for walk "$order: "
    for step in $(steps_of "$order"); do
      wait_for walk "[any key: $step; q quits]"
      expect_not_on walk 'left with 0'
      press walk Space
    done
    wait_for_code walk 0
    screen walk >"$OUT"
    expect_last_row "$OUT" "$order"
    expect_not_on walk 'any key'
    tmux_here clear-history -t walk
  done
  expect_sane walk
}

@test "the states at each key are the kernel's" {
  open_terminals -- walk
  run_in walk '$STORM walk'
  wait_for walk '[any key: server-close; q quits]'
  expect_states ESTABLISHED ESTABLISHED
  press walk Space
  wait_for walk '[any key: client-close; q quits]'
  expect_states FIN_WAIT2 CLOSE_WAIT
  press walk Space
  wait_for_code walk 0
  expect_states TIME_WAIT gone walk
}

@test "q leaves a walk, and nothing stays behind" {
  open_terminals -- walk
  run_in walk '$STORM walk'
  wait_for walk '[any key: server-close; q quits]'
  press walk q
  wait_for_code walk 0
  expect_states gone gone
  expect_sane walk
}

@test "--pause goes on by itself" {
  open_terminals -- walk
  run_in walk '$STORM walk --order half-close --pause 50ms'
  wait_for_code walk 0
  expect_not_on walk 'any key'
  screen walk >"$OUT"
  expect_last_row "$OUT" half-close
}

@test "a terminal that is resized in a walk changes nothing" {
  open_terminals -- walk
  run_in walk '$STORM walk'
  wait_for walk '[any key: server-close; q quits]'
  tmux_here resize-window -t walk -x 100 -y 30
  expect_not_on walk 'left with 0'
  press walk Space
  wait_for walk '[any key: client-close; q quits]'
  press walk Space
  wait_for_code walk 0
}
