#!/usr/bin/env bats
# shellcheck disable=SC2154 # bats sets status, output, stderr and their lines
#
# What holds of every option of every command.

load helper

commands=(storm server client walk state audit watch explain trace transitions orders causes)

# In $words: how the command is called, with the word that it wants. In $rows: a line for each option, with name, value
# and whether it is a list.
read_rows() {
  case $1 in
    storm) words=() ;;
    state) words=(state close-wait) ;;
    audit) words=(audit 127.0.0.1:80) ;;
    explain) words=(explain :80) ;;
    trace) words=(trace 1) ;;
    *) words=("$1") ;;
  esac
  mapfile -t rows < <("$TCPSTORM" options --rows "$1")
  ((${#rows[@]} > 0)) || fail_with "$1 has no options"
}

# A good value, from what the help says of it.
value_of() {
  case $1,$2 in
    order,NAME) echo leak ;;
    cause,NAME) echo emfile ;;
    status,*) echo 200 ;;
    fail-on,*) echo growth ;;
    *,TIME) echo 20s ;;
    *,ADDR) echo 127.0.0.1 ;;
    *,ADDR:PORT) echo 127.0.0.1:9464 ;;
    *,NAME:VALUE) echo 'Accept: text/html' ;;
    *,CODE) echo 404 ;;
    *,KEY=VAL) echo net.ipv4.tcp_fin_timeout=5 ;;
    *'|'*[a-z]*) echo "${2%%|*}" ;;
    *) echo 20 ;;
  esac
}

@test "no command has an option twice" {
  local command twice
  for command in "${commands[@]}"; do
    twice=$("$TCPSTORM" options --rows "$command" | cut -f 1 | sort | uniq -d)
    [[ -z $twice ]] || fail_with "$command has $twice twice"
  done
}

@test "an option that is given twice is told, by every command, unless it is a list" {
  local command words rows option value times twice
  for command in "${commands[@]}"; do
    read_rows "$command"
    while IFS=$'\t' read -r option value times _; do
      if [[ $value == - ]]; then
        twice=("--$option" "--$option")
      else
        twice=("--$option" "$(value_of "$option" "$value")" "--$option=$(value_of "$option" "$value")")
      fi
      if [[ $times == once ]]; then
        refused "--$option is given twice" -- "${words[@]}" "${twice[@]}"
      else
        storm "${words[@]}" "${twice[@]}" --frobnicate
        assert_stderr_has '--frobnicate'
      fi
    done < <(printf '%s\n' "${rows[@]}")
  done
}

@test "a value that is missing is told, by every command, at the end and before another option" {
  local command words rows option value _
  for command in "${commands[@]}"; do
    read_rows "$command"
    while IFS=$'\t' read -r option value _; do
      [[ $value != - ]] || continue
      refused "--$option needs a value: --$option " -- "${words[@]}" "--$option"
      refused "--$option needs a value: --$option " "--$option=--$option" -- "${words[@]}" "--$option" "--$option"
    done < <(printf '%s\n' "${rows[@]}")
  done
}

@test "a flag that is given a value is told, by every command" {
  local command words rows option value _
  for command in "${commands[@]}"; do
    read_rows "$command"
    while IFS=$'\t' read -r option value _; do
      [[ $value == - ]] || continue
      refused "--$option \"3\": " 'must be given without a value' -- "${words[@]}" "--$option=3"
      refused "--$option \"\": " 'must be given without a value' -- "${words[@]}" "--$option="
    done < <(printf '%s\n' "${rows[@]}")
  done
}

@test "a mistyped option is answered by the nearest one of that command, and by its help" {
  local command words rows option help _
  for command in "${commands[@]}"; do
    read_rows "$command"
    help="tcpstorm $command --help"
    [[ $command != storm ]] || help='tcpstorm --help'
    while IFS=$'\t' read -r option _; do
      refused "--${option}x: did you mean --$option?" "$help" -- "${words[@]}" "--${option}x"
    done < <(printf '%s\n' "${rows[@]}")
    refused 'unknown option --frobnicate' "$help" -- "${words[@]}" --frobnicate
  done
  refused '--server-vai' 'tcpstorm walk --help' -- walk --server-vai x
  [[ $stderr != *'did you mean'* ]] || fail_with 'a walk has no launchers'
}

@test "both spellings of a value are the same" {
  local command words rows option value _
  for command in "${commands[@]}"; do
    read_rows "$command"
    while IFS=$'\t' read -r option value _; do
      [[ $value != - ]] || continue
      refused '--frobnicate' -- "${words[@]}" "--$option" "$(value_of "$option" "$value")" --frobnicate
      refused '--frobnicate' -- "${words[@]}" "--$option=$(value_of "$option" "$value")" --frobnicate
    done < <(printf '%s\n' "${rows[@]}")
  done
}

@test "behind -- no word is an option" {
  local command words rows
  for command in "${commands[@]}"; do
    [[ $command != audit ]] || continue # there it is the program that --run starts
    read_rows "$command"
    refused '"--help"' '--name value' -- "${words[@]}" -- --help
    refused '"-V"' '--name value' -- "${words[@]}" -- -V
  done
  dry_run --conns 5 --
  assert_status 0
  storm state --dry-run --port "$(quiet_port)" --conns 5 -- close-wait
  assert_status 0
  assert_stdout_has ' 5 on 127.0.0.1' CLOSE_WAIT
  refused 'state "--hold"' 'must be' -- state -- --hold
  refused '"-- --csv"' 'needs --run' -- audit 127.0.0.1:80 -- --csv
}

@test "what goes together is told by every command that has the options" {
  refused '--conns "5" cannot be used with --cause' -- --conns 5 --cause emfile
  refused '--conns "5" cannot be used with --rate' -- --rate=5 --conns=5
  refused '--live cannot be used with --quiet' -- state listen --quiet --live
  refused '--fixed needs --cause' -- server --fixed
  refused '--client-via "true" needs --address' -- --client-via true
  refused '--worker-path "x" needs --server-via or --client-via' -- --worker-path x
}
