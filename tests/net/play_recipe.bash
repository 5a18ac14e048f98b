#!/usr/bin/env bash
# play_recipe FILE TITLE: plays one section of a guide as a reader does, who pastes each command. It ends with 1, and a sentence,
# at the first command that does not print what the guide says.
#
#   ```sh        is pasted as it is, and must succeed without printing anything.
#   ```console   "$ " begins a command, and "\" at the end of a line continues it; below it is what it prints. "[...]" on a line
#                of its own stands for any text. A command that ends in "&" has printed it after a while.
#   ```yaml      each line behind "run:" must succeed.
#
# All are run by one shell, in an empty folder. How lines are broken, pids, times, rates, ports that the kernel chose and
# limits of this machine may differ; progress is left out. PLAY_RECIPE_SHOW=1: prints the section with what is printed now.
set -uo pipefail

file=$(realpath "$1") title=$2
work=$(mktemp -d "${TMPDIR:-/tmp}/recipe.XXXXXX")
mkdir "$work/here"
cd "$work/here" || exit 1
trap 'rm -rf "$work"' EXIT

# Where there may be root of a namespace only, "ip netns" needs a /run of its own.
mount -t tmpfs tmpfs /run 2>/dev/null
PATH=$PATH:/usr/sbin:/sbin

without_progress() {
  grep -avE '^tcpstorm: (accepted so far: |.*: (acting|settling|holding|opening)\b)' "$1"
}

masked() {
  tr -s ' \n\t' ' ' | sed -E 's/\bpython3\.[0-9]+/python3/g
    s/\b(pid |pid=|fd=|-t |explain )[0-9]+/\1P/g
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
  [[ ${PLAY_RECIPE_SHOW-} ]] ||
    printf 'The command\n  %s\nis to print\n%s\nand prints\n%s\n' "$1" "$2" "$(without_progress "$said")"
  return 1
}

status=0 commands=0
# run COMMAND EXPECTED
run() {
  said=$work/said.$((++commands)) # what still runs in the background has its own
  (exit "$status")
  eval "$1" >"$said" 2>&1 </dev/null
  status=$?
  [[ -z ${PLAY_RECIPE_SHOW-} || $1 != *\& ]] || sleep 1
  expect "$1" "$2" || [[ ${PLAY_RECIPE_SHOW-} ]] || exit 1
  [[ -z ${PLAY_RECIPE_SHOW-} ]] || { printf '$ %s\n' "$1"; without_progress "$said"; }
}

# Of YAML.
run_lines() {
  local line
  while read -r line; do
    eval "$line" >"$said" 2>&1 </dev/null || { printf 'The line\n  %s\nfails:\n%s\n' "$line" "$(<"$said")"; exit 1; }
  done < <(sed -n 's/^ *\(- \)\?run: //p' <<<"$1")
}

# play LANGUAGE TEXT
play() {
  local command='' expected='' line more=''
  case $1 in
    sh)
      [[ -z ${PLAY_RECIPE_SHOW-} ]] || printf '\n@@sh\n'
      run "$2" ''
      ;;
    yaml) run_lines "$2" ;;
    console)
      [[ -z ${PLAY_RECIPE_SHOW-} ]] || echo '```console'
      while IFS= read -r line; do
        if [[ $more || $line == '$ '* ]]; then
          if [[ -z $more ]]; then
            [[ -z $command ]] || run "$command" "$expected"
            command='' expected=''
            line=${line#'$ '}
          fi
          command+=${command:+$'\n'}$line
          if [[ $line == *\\ ]]; then more=yes; else more=; fi
        else
          expected+=$line$'\n'
        fi
      done <<<"$2"
      run "$command" "$expected"
      ;;
  esac
}

played=0
inside='' language='' block=''
while IFS= read -r line; do
  if [[ $language ]]; then
    if [[ $line == '```' ]]; then
      play "$language" "${block%$'\n'}"
      played=$((played + 1))
      language='' block=''
    else
      block+=$line$'\n'
    fi
  elif [[ $line == '# '* || $line == '## '* ]]; then
    if [[ $line == "## $title" ]]; then inside=yes; else inside=; fi
  elif [[ $inside && $line == '```'* ]]; then
    language=${line#'```'}
    language=${language:-text}
  fi
done <"$file"

((played > 0)) || { echo "there is nothing to play in \"$title\""; exit 1; }
jobs -p | while read -r pid; do kill -KILL "$pid" 2>/dev/null; done
exit 0
