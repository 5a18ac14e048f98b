#!/usr/bin/env bats
# shellcheck disable=SC2154 # bats sets status, output, stderr and their lines
#
# What the program says of itself.

load helper

@test "alone it gives a short help" {
  storm
  assert_status 0
  assert_stderr_empty
  assert_stdout_has 'tcpstorm --conns 1000 --order server-first' 'tcpstorm --help'
  ((${#lines[@]} <= 12)) || fail_with 'that is not short'
}

@test "--help, -h and help are the same text" {
  storm --help
  assert_status 0
  local long=$output
  storm -h
  assert_status 0
  [[ $output == "$long" ]] || fail_with '-h differs from --help'
  storm help
  assert_status 0
  [[ $output == "$long" ]] || fail_with 'help differs from --help'
}

@test "--help lists every option" {
  storm options
  assert_status 0
  local options=("${lines[@]}") option
  ((${#options[@]} >= 12)) || fail_with 'these are too few options'
  storm --help
  assert_status 0
  assert_stderr_empty
  for option in "${options[@]}"; do
    assert_stdout_has "  $option "
  done
}

@test "--help lists the commands, examples and exit codes" {
  storm --help
  assert_status 0
  assert_stdout_has '  server ' '  client ' '  walk ' '  state ' '  orders ' '  causes ' '  help ' '  version ' 'Exit codes' '130'
  assert_stdout_has 'tcpstorm --order all' '--hold forever' '--csv -' '--dry-run'
}

@test "--help says what each option is when it is not given" {
  storm --help
  assert_stdout_has '(default 1000)' '(default server-first)' '(default 1s)' '(default 100ms)' '(default 127.0.0.1)' \
    '(default 15000)' '(default auto)' '(default 10s)' '(default 200ms)'
}

@test "--help fits 100 columns" {
  local line
  storm --help
  for line in "${lines[@]}"; do
    ((${#line} <= 100)) || fail_with "too wide: $line"
  done
}

commands=(storm server client walk state audit watch explain trace orders causes)

# help_of COMMAND: what it says of itself.
help_of() {
  if [[ $1 == storm ]]; then
    storm --help
  else
    storm "$1" --help
  fi
  assert_status 0 && assert_stderr_empty
}

@test "each command's --help lists its own options and no others, with examples" {
  local command option
  for command in "${commands[@]}"; do
    mapfile -t options < <("$TCPSTORM" options "$command")
    help_of "$command"
    for option in "${options[@]}"; do
      assert_stdout_has "  $option "
    done
    [[ $(grep -c '^  --[a-z-]* .*[^:]  *' <<<"${output%%Options that need or*}") == "${#options[@]}" ]] ||
      fail_with "$command lists other options too"
    assert_stdout_has 'Usage: tcpstorm ' 'Examples:'
    [[ $(grep -c '^  tcpstorm ' <<<"${output##*Examples:}") -ge 2 ]] || fail_with "$command has too few examples"
  done
}

@test "each command's --help fits 100 columns" {
  local command line
  for command in "${commands[@]}"; do
    help_of "$command"
    for line in "${lines[@]}"; do
      ((${#line} <= 100)) || fail_with "too wide: $line"
    done
  done
}

@test "help COMMAND, COMMAND -h and --help behind other words are the same text" {
  local command long
  for command in "${commands[@]:1}"; do
    help_of "$command"
    long=$output
    for words in "help $command" "$command -h" "$command --port 0 --help" "$command x y z -h"; do
      # shellcheck disable=SC2086 # some words
      storm $words
      assert_status 0
      [[ $output == "$long" ]] || fail_with "$words differs from $command --help"
    done
  done
}

@test "help of what is no command is refused" {
  refused '"wlak"' 'did you mean walk?' -- help wlak
  refused '"options"' -- help options
  refused '"state"' 'unexpected argument' -- help walk state
}

@test "-V and --version are taken behind every command" {
  local command
  storm version
  local version=${lines[0]}
  for command in '' "${commands[@]:1}"; do
    # shellcheck disable=SC2086 # or nothing
    storm $command -V
    assert_status 0
    [[ $output == "$version" ]] || fail_with "$command -V differs from version"
    # shellcheck disable=SC2086
    storm $command --version
    [[ $output == "$version" ]] || fail_with "$command --version differs from version"
  done
}

@test "the examples of each command are taken" {
  local command line
  for command in walk state server client audit watch explain trace orders causes; do
    storm "$command" --help
    while IFS= read -r line; do
      [[ $line =~ ^\ \ tcpstorm\ (.*)$ ]] || continue
      line=${BASH_REMATCH[1]%%  *} # without what it does
      line=${line%% -- *}          # or the program that it starts
      # shellcheck disable=SC2086 # words
      storm ${line%% >*} --frobnicate
      assert_status 2
      assert_stderr_has 'unknown option --frobnicate'
    done <<<"${output##*Examples:}"
  done
}

@test "what goes together is said by the help in the words of the refusal" {
  local command
  for command in --fixed 'server --fixed'; do
    # shellcheck disable=SC2086 # two words
    storm $command --help
    rule=$(sed -n 's/^  \(--fixed needs .*\)/\1/p' <<<"$output")
    [[ -n $rule ]] || fail_with 'a rule was expected'
    # shellcheck disable=SC2086
    refused "$rule" -- $command
  done
}

@test "every option of --help is taken" {
  dry_run --conns 5 --order leak --hold 0s --settle 5s --interval 100ms --address 127.0.0.1 --witness auto --quiet
  assert_status 0
  assert_stderr_empty
  dry_run --rate 5 --duration 2s --life 100ms --leak 1 --server-nofile 64 --backlog 16 --order client-first --hold 0s
  assert_status 0
  assert_stderr_empty
  dry_run --cause ignore-eof --fixed --rate 5 --duration 2s --life 100ms --server-nofile 64 --backlog 16
  assert_status 0
  assert_stderr_empty
  need_namespaces
  dry_run --isolate --sysctl net.ipv4.tcp_fin_timeout=5 --sysctl net.core.somaxconn=100
  assert_status 0
  assert_stderr_empty
}

@test "every option of a state is taken" {
  need_namespaces
  storm state close-wait --conns 5 --hold 0s --side server --settle 5s --interval 100ms --address 127.0.0.1 \
    --port 15000 --witness auto --isolate --sysctl net.ipv4.tcp_fin_timeout=5 --dry-run --quiet
  assert_status 0
  assert_stderr_empty
}

@test "the help of state names every state, and its options" {
  local name
  storm state --help
  for name in listen syn-sent syn-recv established fin-wait-1 fin-wait-2 close-wait closing last-ack time-wait close all; do
    [[ $output =~ [[:space:]]$name[,.[:space:]] ]] || fail_with "--help lacks $name"
  done
  assert_stdout_has '--side' '--isolate' '--sysctl KEY=VAL'
}

@test "--version gives name and number" {
  storm --version
  assert_status 0
  assert_stderr_empty
  [[ $output =~ ^tcpstorm\ [0-9]+\.[0-9]+\.[0-9]+$ ]] || fail_with 'that is no version'
  local long=$output
  storm version
  assert_status 0
  [[ ${lines[0]} == "$long" ]] || fail_with 'version differs from --version'
}

@test "version says which witnesses work here, and why one does not, and whether there is TLS" {
  local name
  storm version
  assert_status 0
  assert_stderr_empty
  ((${#lines[@]} == 5)) || fail_with 'it has not five lines'
  for name in netlink procfs; do assert_stdout_has "witness $name: "; done
  [[ ${lines[3]} =~ ^witness\ events:\ (all|(states|none):\ .{20,})$ ]] || fail_with 'it does not say what of events can be counted, or why not'
  [[ ${lines[4]} =~ ^audit\ --tls:\ (works|left\ out:\ .+)$ ]] || fail_with 'it does not say whether this build has TLS'
}

@test "orders --names is a name a line" {
  storm orders --names
  assert_status 0
  assert_stderr_empty
  local expected=(server-first client-first half-close never-close leak simultaneous abort unread server-crash client-crash
    backlog vanish late-close time-wait-overflow fin-with-data linger-timeout forgotten) name
  for name in "${expected[@]}"; do
    [[ $'\n'$output$'\n' == *$'\n'"$name"$'\n'* ]] || fail_with "$name is missing"
  done
  for name in "${lines[@]}"; do
    [[ $name =~ ^[a-z0-9-]+$ ]] || fail_with "no name: $name"
  done
  [[ -z $(printf '%s\n' "${lines[@]}" | sort | uniq -d) ]] || fail_with 'a name comes twice'
}

@test "orders tells every order's steps and states" {
  local names name
  names=$("$TCPSTORM" orders --names)
  storm orders
  assert_status 0
  assert_stderr_empty
  for name in $names; do
    assert_stdout_has "$name: "
  done
  assert_stdout_has server-close client-shutdown server-write client-read both-close client-abort client-write
  assert_stdout_has FIN_WAIT2 CLOSE_WAIT TIME_WAIT ESTABLISHED 'TIME_WAIT or gone'
}

@test "orders tells as many openings as there are orders" {
  storm orders --names
  local count=${#lines[@]}
  storm orders
  run grep -c '^    open  *server ESTABLISHED  *client ESTABLISHED$' <<<"$output"
  ((output == count)) || fail_with "$count openings were expected"
}

@test "orders tells what each needs" {
  local name=- line
  storm orders
  while IFS= read -r line; do
    case $line in
      [a-z]*:*) name=${line%%:*} ;;
      '    needs: '*) needing+=" $name" ;;
    esac
  done <<<"$output"
  [[ $needing == ' vanish forgotten late-close port-comes-round time-wait-overflow' ]] || fail_with "these need something:$needing"
  assert_stdout_has 'net.ipv4.tcp_fin_timeout 3' 'net.ipv4.tcp_retries2 2' 'net.ipv4.tcp_max_tw_buckets half of --conns' 'a packet filter'
}

@test "every order that is listed is taken" {
  local name
  for name in $("$TCPSTORM" orders --names); do
    dry_run --order "$name"
    [[ $status == 0 || ($status == 3 && $stderr == *'add --isolate'*) ]] || fail_with "$name is not taken"
    assert_stdout_has "$name"
  done
}

# The text of the guides in $page.
read_guides() {
  page=$(cat "$BATS_TEST_DIRNAME"/../../src/man/*.md)
}

@test "the guides name every order" {
  local page name
  read_guides
  for name in $("$TCPSTORM" orders --names); do
    [[ $page == *"$name"* ]] || fail_with "the guides lack $name"
  done
}

@test "every cause that is listed is taken, and its fix" {
  local name twin wanted
  for name in $("$TCPSTORM" causes --names); do
    for twin in '' --fixed; do
      # shellcheck disable=SC2086
      dry_run --cause "$name" $twin
      wanted=0
      [[ $stderr != *"$name${twin:+-fixed} needs "*'add --isolate'* ]] || wanted=3 # what is missing here is no fault of it
      assert_status "$wanted"
      assert_stdout_has "$name${twin:+-fixed}"
    done
  done
}

@test "the guides name every cause" {
  local page name
  read_guides
  for name in $("$TCPSTORM" causes --names); do
    [[ $page == *"$name"* ]] || fail_with "the guides lack $name"
  done
}

@test "the guides name every option of every command, and what goes together" {
  local page plain option command rule
  read_guides
  plain=$(tr -d '`' <<<"$page" | tr -s '\n ' ' ')
  for command in "${commands[@]}"; do
    for option in $("$TCPSTORM" options "$command"); do
      [[ $plain == *"$option"* ]] || fail_with "the guides lack $option"
    done
  done
  while IFS= read -r rule; do
    [[ $plain == *"It ${rule#* }."* ]] || fail_with "the guides lack: $rule"
  done < <("$TCPSTORM" --help | sed -n '/^What goes together/,/^$/s/^  //p')
}

@test "the guides name every state, and what each order needs" {
  local page name
  read_guides
  for name in LISTEN SYN_SENT SYN_RECV ESTABLISHED FIN_WAIT1 FIN_WAIT2 CLOSE_WAIT CLOSING LAST_ACK TIME_WAIT; do
    [[ $page == *"$name"* ]] || fail_with "the guides lack $name"
  done
  for name in 'tcpstorm state' --side --isolate --sysctl nsenter; do
    [[ $page == *"$name"* ]] || fail_with "the guides lack $name"
  done
  [[ $(grep -c '^  \*Needs\*' <<<"$page") == 5 ]] || fail_with 'five orders need something'
}

@test "the guides name every exit code" {
  local page code
  read_guides
  for code in 0 1 2 3 130; do
    run grep -E "^(- \`$code\`:|\| $code \|)" <<<"$page"
    assert_status 0
  done
}
