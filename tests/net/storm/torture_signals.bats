#!/usr/bin/env bats
# shellcheck disable=SC2016 # for the shell of the impostors
#
# The torture by signals finds what it is to find: impostors that hang, leave a process behind, cut a row or say what is not so.

setup() {
  set +T # see tests/README.md: bats would note the whole stack at each command of our functions
  SIGNALS=$BATS_TEST_DIRNAME/../../torture/signals
  STORM=$BATS_TEST_TMPDIR/tcpstorm
  command -v python3 >/dev/null || skip "python3 is missing"
  unshare -n -m -p -f --mount-proc true || skip "this machine refuses a private pid namespace"
}

# The numbers of two tries in which the controller of a storm all at once is interrupted, counted from its start.
interrupting_tries() {
  "$SIGNALS" "$STORM" --tries 6000 --conns 100 --list | sed -n 's/^\([0-9]*\): at-once, controller, INT, .* after the start: .*/--try \1/p' |
    head -n "$1" | tr '\n' ' '
}

# impostor SCRIPT: what stands for tcpstorm, and the tries of it; what is said is in $output, the exit status in $status.
torture_impostor() {
  printf '#!/bin/bash\n%s\n' "$1" >"$STORM"
  chmod +x "$STORM"
  # shellcheck disable=SC2046 # words
  run "$SIGNALS" "$STORM" --conns 100 $(interrupting_tries 2) --keep "$BATS_TEST_TMPDIR"
  echo "$output"
}

counted() { # CLASS COUNT
  grep -q "^signals: .*$1 $2\b" <<<"$output"
}

@test "the same seed is the same tries, and another seed others" {
  [[ $("$SIGNALS" "$STORM" --seed 7 --list) == "$("$SIGNALS" "$STORM" --seed 7 --list)" ]]
  [[ $("$SIGNALS" "$STORM" --seed 7 --list) != "$("$SIGNALS" "$STORM" --seed 8 --list)" ]]
}

@test "an honest program passes" {
  torture_impostor 'sleep 60 & trap "kill \$!; echo Interrupted at open; exit 130" INT TERM HUP; wait'
  [[ $status == 0 ]]
  counted hang 0
  counted counts 0
}

@test "a program that hangs is found, with the command, the moment and the victim" {
  torture_impostor 'trap "" INT TERM HUP; sleep 300'
  [[ $status == 1 ]]
  counted hang 2
  [[ $output == *"hang: at-once, controller (pid "*"), INT, "*" s after the start"*"command: tcpstorm --conns 100 "*"again: --seed 1 "* ]]
}

@test "a program that leaves a process, a file, half a row and a wrong number is found" {
  torture_impostor '(setsid sleep 300 &)
    trap "echo Interrupted, 300 CLOSE_WAIT; exit 130" INT TERM HUP
    echo order,conns,t_s,step,settled,side,opened,syn_sent,close,gone >rows.csv
    echo leak,100,0.1,open,0,server,300,0,300,0 >>rows.csv
    printf leak,100,0.1,open >>rows.csv
    touch core; sleep 60 & wait; kill $!'
  [[ $status == 1 ]]
  counted left 2
  counted rows 2
  counted counts 2
}

@test "a program that says after an interrupt that all went well is found" {
  torture_impostor 'sleep 60 & trap "kill \$!; echo as expected; exit 0" INT TERM HUP; wait'
  [[ $status == 1 ]]
  counted exit 2
}
