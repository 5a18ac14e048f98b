# shellcheck shell=bash disable=SC2154 # bats sets status, output, stderr and their lines
# helper: what the tests of options, messages and exit codes share. Each test runs in an empty directory of its own.

bats_require_minimum_version 1.5.0

setup() {
  set +T # see tests/README.md: bats would note the whole stack at each command of our functions
  mkdir "$BATS_TEST_TMPDIR/empty"
  cd "$BATS_TEST_TMPDIR/empty" || return 1
  unset NO_COLOR
}

# Runs the program; $status, $output, $stderr and their lines are what it said, as bats' run has it, which starts three processes more.
storm() {
  local said=$BATS_TEST_TMPDIR/stdout cried=$BATS_TEST_TMPDIR/stderr
  status=0
  "$TCPSTORM" "$@" >"$said" 2>"$cried" || status=$?
  read_whole "$said" output lines
  read_whole "$cried" stderr stderr_lines
}

# read_whole FILE TEXT LINES: into variables of these names; the lines that are not empty.
read_whole() {
  local -n text=$2
  IFS= read -r -d '' text <"$1" || true
  while [[ $text == *$'\n' ]]; do text=${text%$'\n'}; done
  IFS=$'\n' read -r -d '' -a "$3" <"$1" || true
}

# Under a hard limit of so many descriptors.
storm_with_descriptors() {
  # shellcheck disable=SC2016 # for the inner shell
  run --separate-stderr bash -c 'ulimit -n "$1" && shift && exec "$@"' bash "$1" "$TCPSTORM" "${@:2}"
}

# fail_with MESSAGE: fails the test, with all that was said.
fail_with() {
  printf '%s\n' "$1" "status: $status" "stdout: $output" "stderr: $stderr"
  return 1
}

assert_status() {
  ((status == $1)) || fail_with "exit code $1 was expected"
}

assert_stdout_has() {
  local part
  for part; do
    [[ $output == *"$part"* ]] || fail_with "not on stdout: $part" || return 1
  done
}

assert_stderr_has() {
  local part
  for part; do
    [[ $stderr == *"$part"* ]] || fail_with "not on stderr: $part" || return 1
  done
}

assert_stderr_empty() {
  [[ -z $stderr ]] || fail_with 'nothing was expected on stderr'
}

assert_stdout_empty() {
  [[ -z $output ]] || fail_with 'nothing was expected on stdout'
}

# One line, from us.
assert_one_message() {
  ((${#stderr_lines[@]} == 1)) || fail_with 'one line was expected on stderr' || return 1
  [[ $stderr == 'tcpstorm: '* ]] || fail_with 'a message starts with "tcpstorm: "'
}

assert_no_file_was_made() {
  local made
  for made in * .[!.]*; do
    [[ ! -e $made && ! -L $made ]] || fail_with "a file was made: $made" || return 1
  done
}

# refused PART... -- ARGUMENT...: exit code 2, one sentence with all the parts, nothing else done.
refused() {
  local parts=()
  while [[ $1 != -- ]]; do
    parts+=("$1")
    shift
  done
  shift
  storm "$@"
  assert_status 2 && assert_stdout_empty && assert_one_message && assert_stderr_has "${parts[@]}" &&
    assert_no_file_was_made
}

# traced CALLS ARGUMENT...: runs the program under strace; the calls of that kind are in the file "trace". Skips where
# strace is missing or forbidden. (The leak sanitizer cannot work while another tracer is there.)
traced() {
  strace -o /dev/null true 2>/dev/null || skip 'strace is missing or not allowed here'
  run --separate-stderr env ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0" \
    strace -f -qq -e signal=none -e trace="$1" -o "$BATS_TEST_TMPDIR/trace" "$TCPSTORM" "${@:2}"
}

# assert_not_called REGEX...: none of these calls is in the trace.
assert_not_called() {
  local call
  for call; do
    run ! grep -E "$call" "$BATS_TEST_TMPDIR/trace"
  done
}

# A port that nobody listens on, for what must not fail because of this machine; another for each file, as they run at a time.
quiet_port() {
  local port first=21000 file
  for file in "$BATS_TEST_DIRNAME"/*.bats; do
    [[ $file != "$BATS_TEST_FILENAME" ]] || break
    first=$((first + 1000))
  done
  for ((port = first; port < first + 1000; port++)); do
    if ! { : <"/dev/tcp/127.0.0.1/$port"; } 2>/dev/null; then
      printf '%s\n' "$port"
      return
    fi
  done
  return 1
}

# The orders that `all` stands for, with these options; a word each.
orders_of_all() {
  "$TCPSTORM" --dry-run --quiet --port "$(quiet_port)" --order all "$@" | sed -n 's/^  orders  *//p'
}

# Skips where there can be no network namespace.
need_namespaces() {
  "$TCPSTORM" --dry-run --quiet --isolate >/dev/null 2>&1 ||
    skip 'this machine refuses a private network namespace'
}

# dry_run ARGUMENT...: plans, on a quiet port. (In a namespace of its own every port is.)
dry_run() {
  if [[ " $* " == *' --isolate '* ]]; then
    storm --dry-run "$@"
  else
    storm --dry-run --port "$(quiet_port)" "$@"
  fi
}
