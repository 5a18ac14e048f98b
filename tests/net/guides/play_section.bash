#!/usr/bin/env bash
# play_section FILE TITLE: plays one section of the README or of a guide as a reader does, who pastes each command. It ends with 1,
# and a sentence, at the first command that does not print what the page says.
#
#   ```sh                 is pasted as it is, and must succeed without printing anything.
#   ```console            "$ " begins a command, and "\" at the end of a line continues it; below it is what it prints. "[...]"
#                         stands for any text. A command that ends in "&" has printed it after a while.
#   ```console any numbers      the same, and every number may be another.
#   ```console run by TEST; any numbers      likewise, but only with PLAYED=TEST, which has what that needs; only these are then.
#   ```console not run: WHY     is not played.
#   ```yaml               each line behind "run:" must succeed.
#
# All are run by one shell, in an empty folder with this repository's build/tcpstorm, scripts/ and tests/. How lines are broken,
# pids, times, rates, ports that the kernel chose and limits of this machine may differ; progress is left out.
#
# REWRITE=FOLDER: goes on at a difference, and leaves what was printed there, for "make transcripts".
set -uo pipefail

file=$(realpath "$1") title=$2
work=$(mktemp -d "${TMPDIR:-/tmp}/section.XXXXXX")
mkdir "$work/here" "$work/here/build" "$work/here/results"
root=$(realpath "${BASH_SOURCE[0]%/*}/../../..")
ln -s "$(command -v tcpstorm)" "$work/here/build/tcpstorm"
ln -s "$root/scripts" "$root/tests" "$work/here"
cd "$work/here" || exit 1
trap 'rm -rf "$work"' EXIT

# Where there may be root of a namespace only, "ip netns" needs a /run of its own.
[[ ${PLAYED-} ]] || mount -t tmpfs tmpfs /run 2>/dev/null
PATH=$PATH:/usr/sbin:/sbin

without_progress() {
  grep -avE '^tcpstorm: (accepted so far: |.*: (acting|settling|holding|opening|finding the owners of the sockets|closing down)\b|.*: [0-9,]+ of [0-9,]+, [0-9,.]+\/s, .* left$)' "$1"
}

# A slow machine has a sentence of its own.
masked() {
  if [[ $any_numbers ]]; then without_numbers; else without_times; fi |
    sed -E 's/ ?While connections were opened and closed, looks took .*; settled steps are exact\.//'
}

# Bars too are numbers.
without_numbers() {
  sed -E 's/ -U --preserve-credentials//; s/[█▏▎▍▌▋▊▉·▁▂▃▄▅▆▇]+/B/g' | tr -s ' \n\t' ' ' | sed -E 's/\bpython3\.[0-9]+/python3/g
    s/\b([0-9]+(ms|[hms]))+\b/N/g; s/-?\b[0-9][0-9.,]*[0-9]\b|-?\b[0-9]\b/N/g; s/N ?(us|ms|min|days?|h|s)\b/N/g; s/-N/N/g; s/N( N)+/N/g; s/^ //; s/ $//'
}

without_times() {
  sed -E 's/ -U --preserve-credentials//' | tr -s ' \n\t' ' ' | sed -E 's/\bpython3\.[0-9]+/python3/g
    s/(\b(pid |pid=|fd=|explain )|-t )[0-9]+/\1P/g
    s/\b(python3|tcpstorm|sleep|bash) [0-9]+/\1 P/g
    s/\b[0-9][0-9.]*(-[0-9.]+)? ?(us|ms|s|min|h)\b\+?/T/g
    s/\bT( T)+/T/g
    s/\bT to T\b/T/g
    s/[0-9.]+ \((p90|p99|max)\)/T (\1)/g
    s/[0-9.,]+\/(s|min)\b/R/g
    s/\b[0-9.]+ to [0-9.]+\b/A to B/g
    s/\b[0-9]+ looks\b/N looks/g
    s/FIN at least T/FIN T/g
    s/\breset [0-9]+/reset N/g
    s/[0-9,]+ of [0-9,]+ descriptors/D descriptors/g
    s/\b[0-9]+ of ([0-9]+) requests sent/N of \1 requests sent/g
    s/(127\.0\.0\.1:)[3-6][0-9]{4}\b/\1E/g
    s/\b(127\.0\.0\.1:1500)[0-9]\b/\1N/g
    s/time="[0-9.]+"/time="T"/g
    s/^ //; s/ $//'
}

# pattern_of EXPECTED
pattern_of() {
  masked <<<"$1" | sed -E 's/[][*?\\]/\\&/g; s/ ?\\\[\.\.\.\\\] ?/*/g'
}

# expect COMMAND EXPECTED: that is what was printed, or what is printed in the end by a command in the background.
expect() {
  local deadline=$((SECONDS + ${PATIENCE-60})) pattern size=-1
  pattern=$(pattern_of "$2")
  while true; do
    if [[ $(stat -c %s "$said") != "$size" ]]; then
      size=$(stat -c %s "$said")
      # shellcheck disable=SC2053 # a pattern
      [[ $(without_progress "$said" | masked) == $pattern ]] && return
    fi
    if [[ $1 != *\& ]] || ((SECONDS >= deadline)); then break; fi
    sleep 0.05
  done
  printf 'The command\n  %s\nis to print\n%s\nand prints\n%s\n' "$1" "$2" "$(without_progress "$said")"
  return 1
}

status=0 commands=0 any_numbers=''
# run COMMAND EXPECTED LINE: that is where the page has what is expected.
run() {
  said=$work/said.$((++commands)) # what still runs in the background has its own
  (exit "$status")
  eval "$1" >"$said" 2>&1 </dev/null
  status=$?
  [[ -z ${REWRITE-} || $1 != *\& ]] || sleep 2
  expect "$1" "$2" && return
  [[ ${REWRITE-} ]] || exit 1
  { grep -c '' < <(printf %s "$2") || true; without_progress "$said"; } >"$REWRITE/${file##*/}:$3"
}

# Of YAML.
run_lines() {
  local line
  while read -r line; do
    eval "$line" >"$said" 2>&1 </dev/null || { printf 'The line\n  %s\nfails:\n%s\n' "$line" "$(<"$said")"; exit 1; }
  done < <(sed -n 's/^ *\(- \)\?run: //p' <<<"$1")
}

# play LANGUAGE TEXT LINE
play() {
  local command='' expected='' line more='' at=$3 from=$3
  case $1 in
    sh)
      run "$2" '' "$3"
      ((status == 0)) || { printf 'The lines\n%s\nend with exit status %s\n' "$2" "$status"; exit 1; }
      ;;
    yaml) run_lines "$2" ;;
    console*)
      if [[ $1 == *'any numbers'* ]]; then any_numbers=yes; else any_numbers=; fi
      while IFS= read -r line; do
        at=$((at + 1))
        if [[ $more || $line == '$ '* ]]; then
          if [[ -z $more ]]; then
            [[ -z $command ]] || run "$command" "$expected" "$from"
            command='' expected=''
            line=${line#'$ '}
          fi
          command+=${command:+$'\n'}$line
          if [[ $line == *\\ ]]; then more=yes; else more=; fi
          from=$((at + 1))
        else
          expected+=$line$'\n'
        fi
      done <<<"$2"
      run "$command" "$expected" "$from"
      ;;
  esac
}

# is_wanted LANGUAGE
is_wanted() {
  local test=${1#* run by }
  if [[ $test == "$1" ]]; then test=; fi
  [[ $1 != *'not run:'* && ${test%;*} == "${PLAYED-}" ]]
}

played=0
inside='' language='' block='' number=0 began=0
while IFS= read -r line; do
  number=$((number + 1))
  if [[ $language ]]; then
    if [[ $line == '```' ]]; then
      if is_wanted "$language"; then
        play "$language" "${block%$'\n'}" "$began"
        played=$((played + 1))
      fi
      language='' block=''
    else
      block+=$line$'\n'
    fi
  elif [[ $line == '# '* || $line == '## '* ]]; then
    if [[ ${line#*# } == "$title" ]]; then inside=yes; else inside=; fi
  elif [[ $inside && $line == '```'* ]]; then
    language=${line#'```'}
    language=${language:-text} began=$number
  fi
done <"$file"

((played > 0)) || { echo "there is nothing to play in \"$title\""; exit 1; }
jobs -p | while read -r pid; do kill -KILL "$pid" 2>/dev/null; done
exit 0
