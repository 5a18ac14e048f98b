#!/usr/bin/env bats
# shellcheck disable=SC2154 # bats sets status, output, stderr and their lines
#
# zsh and fish: what is offered for the last word, and what the help says of it.

load helper

here=$BATS_TEST_DIRNAME/../../src/completion

# in_zsh WORD...: completes the last of the words behind the program's name. What zsh would be given is printed.
in_zsh() {
  [[ $(type -P zsh) ]] || skip 'zsh is not installed'
  # shellcheck disable=SC2016 # for zsh
  run --separate-stderr zsh -fc '
    compadd() { shift; print -rl -- "$@" }
    _describe() { print -rl -- "${(@P)argv[-1]}" }
    _files() { print files }
    _message() { print "message $2" }
    file=$1 && shift
    words=("$@") CURRENT=$#
    source $file' zsh "$here/_tcpstorm" "$TCPSTORM" "$@"
  assert_status 0
  assert_stderr_empty
}

in_fish() {
  [[ $(type -P fish) ]] || skip 'fish is not installed'
  local folder=$BATS_TEST_TMPDIR/bin
  mkdir -p "$folder" && ln -sf "$TCPSTORM" "$folder/tcpstorm"
  # shellcheck disable=SC2016 # for fish
  HOME=$BATS_TEST_TMPDIR PATH=$folder:$PATH run --separate-stderr fish --no-config -c 'source $argv[1]; complete -C "tcpstorm $argv[2]"' \
    "$here/tcpstorm.fish" "$1"
  assert_status 0
  assert_stderr_empty
}

assert_line() {
  [[ $'\n'$output$'\n' == *$'\n'"$1"$'\n'* ]] || fail_with "not offered: $1"
}

@test "zsh offers commands, options with their help, words, causes and files" {
  local help
  in_zsh ''
  assert_line "$("$TCPSTORM" options --commands | sed -n 's/^watch\t/watch:/p')"
  help=$("$TCPSTORM" options --rows watch | sed -n 's/^pid\t.*\t//p')
  in_zsh watch --port 80 --
  assert_line "--pid:$help"
  [[ $output != *--port* ]] || fail_with '--port was given'
  in_zsh --witness ''
  [[ $output == $'auto\n'* ]] || fail_with 'the witnesses were expected'
  in_zsh --order ''
  assert_line half-close
  in_zsh audit 127.0.0.1:80 --order ''
  assert_line idle
  in_zsh server --cause ''
  assert_line ignore-eof
  in_zsh --csv ''
  [[ $output == files ]] || fail_with 'files were expected'
}

@test "fish offers commands, options with their help, words, causes and files" {
  local help
  in_fish ''
  assert_line "$("$TCPSTORM" options --commands | grep '^watch')"
  help=$("$TCPSTORM" options --rows watch | sed -n 's/^pid\t.*\t//p')
  in_fish 'watch --port 80 --'
  assert_line "--pid"$'\t'"$help"
  [[ $output != *--port* ]] || fail_with '--port was given'
  in_fish '--witness '
  assert_line auto
  in_fish '--order half'
  assert_line half-close
  in_fish 'audit 127.0.0.1:80 --order '
  assert_line idle
  in_fish 'server --cause ignore'
  assert_line ignore-eof
  cd "$BATS_TEST_TMPDIR" && touch rows.csv
  in_fish '--csv ro'
  assert_line rows.csv
}
