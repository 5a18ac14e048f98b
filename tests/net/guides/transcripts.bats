#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2030,SC2031,SC2154 # no variables in patterns; every test is a subshell
#
# What the README and the guides show is what is printed: every command of every transcript is run. All sections are played at the
# same time, each in namespaces of its own. "make transcripts" writes what is printed now into the pages.
#
# run-bats: takes 90 s

bats_require_minimum_version 1.5.0

load ../storm
load sections

NOT_RUN=10 # blocks that need hosts, or root of a real one

setup_file() {
  find_programs "$BATS_FILE_TMPDIR/bin"
  play_all "$BATS_FILE_TMPDIR" >/dev/null 2>&1 3>&- 4>&- &
}

# Why this machine cannot play a section with this text; nothing where it can.
lack_of() {
  local text=$1 PATH=$PATH:/usr/sbin:/sbin
  [[ $text != *python3* ]] || command -v python3 >/dev/null || { echo "no python3"; return; }
  [[ $text != *'$ gcc'* ]] || command -v gcc >/dev/null || { echo "no gcc"; return; }
  [[ $text != *'| jq'* ]] || command -v jq >/dev/null || { echo "no jq"; return; }
  [[ $text != *scripts/plot* ]] || /usr/bin/python3 -c "import matplotlib" 2>/dev/null || { echo "no matplotlib"; return; }
  [[ $text != *' curl '* ]] || command -v curl >/dev/null || { echo "no curl"; return; }
  [[ $text != *--trace* && $text != *--stacks* ]] || ! "$TCPSTORM" version | grep -q 'no lines' || { echo "a build without libdw"; return; }
  [[ $text != *nft* ]] || lack_of_nat
}

# Whether this machine can translate addresses in a namespace.
lack_of_nat() {
  command -v nft >/dev/null || { echo "no nft"; return; }
  # shellcheck disable=SC2016 # for the inner shell
  unshare -rn sh -c 'nft "add table ip t" && nft "add chain ip t c { type nat hook postrouting priority 100; }" &&
    nft "add rule ip t c masquerade" && echo 60 >/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_close_wait &&
    ip link add here type veth peer name there' >/dev/null 2>&1 || echo "no NAT in a namespace"
}

# came_true PAGE TITLE: what came of it.
came_true() {
  local folder=$BATS_FILE_TMPDIR/${1##*/} name=${2//\//-}
  wait_until 280 test -s "$folder/$name.status" || { say "\"$2\" has not ended"; return 1; }
  # Beside all the others a time of it may have been too short: again, by itself.
  for _ in 1 2; do
    [[ $(<"$folder/$name.status") != 0 ]] || return 0
    play_into "$folder" "$1" "$2" 3>&-
  done
  [[ $(<"$folder/$name.status") == 0 ]] || { say "\"$2\":"; cat "$folder/$name.report"; return 1; }
}

# The page that the test is called after.
page_comes_true() {
  local page title lacks lacking='' failed=0
  page=$(pages | grep "/$BATS_TEST_DESCRIPTION.md$")
  while IFS= read -r title; do
    lacks=$(lack_of "$(text_of "$page" "$title")")
    if [[ $lacks ]]; then lacking+="; \"$title\" needs what is not here: $lacks"; else came_true "$page" "$title" || failed=1; fi
  done < <(sections_of "$page")
  ((failed == 0))
  [[ -z $lacking ]] || skip "all but ${lacking#; }"
}

@test "README" { page_comes_true; }
@test "tcpstorm.1" { page_comes_true; }
@test "tcpstorm-audit.1" { page_comes_true; }
@test "tcpstorm-causes.7" { page_comes_true; }
@test "tcpstorm-explain.1" { page_comes_true; }
@test "tcpstorm-hosts.7" { page_comes_true; }
@test "tcpstorm-limits.7" { page_comes_true; }
@test "tcpstorm-orders.7" { page_comes_true; }
@test "tcpstorm-output.5" { page_comes_true; }
@test "tcpstorm-recipes.7" { page_comes_true; }
@test "tcpstorm-state.1" { page_comes_true; }
@test "tcpstorm-trace.1" { page_comes_true; }
@test "tcpstorm-traps.7" { page_comes_true; }
@test "tcpstorm-walk.1" { page_comes_true; }
@test "tcpstorm-watch.1" { page_comes_true; }

@test "every page has its test" {
  local page name
  while IFS= read -r page; do
    name=$(basename "$page" .md)
    [[ -z $(sections_of "$page") ]] || grep -qF "@test \"$name\" {" "$BATS_TEST_FILENAME" || { say "$name has none"; return 1; }
  done < <(pages)
}

@test "every block says what it is, and none that could be played is text" {
  pages | xargs awk '
    FNR == 1 { inside = 0 }
    !/^```/ { if (text && (/^\$ / || /^(sudo |build\/)?tcpstorm .*--/) && section != "# SYNOPSIS") wrong = wrong FILENAME ":" FNR ": " $0 "\n" }
    /^##? / && !inside { section = $0 }
    /^```/ {
      inside = !inside
      text = inside && /^```text$/
      if (inside && !/^```(console|console any numbers|console run by [^;]*; any numbers|(console|sh|yaml) not run: .*|sh|text|text two terminals|yaml|make|python|csv)$/) wrong = wrong FILENAME ":" FNR ": " $0 "\n"
    }
    END { printf "%s", wrong; exit wrong != "" }'
}

@test "few blocks cannot be played" {
  local count
  count=$(pages | xargs cat | grep -c '^```.* not run: ')
  ((count == NOT_RUN)) || { say "$count are not run, and $NOT_RUN are told of here"; return 1; }
}

@test "what another test is to run is run by it" {
  local test page
  while read -r page test; do
    grep -q "play_guide ${page%%.*}$" "$ROOT/$test" || { say "$test runs nothing of $page"; return 1; }
  done < <(pages | xargs grep -H '^```.* run by ' | sed 's/.*\/\([^:]*\):.* run by \([^;]*\).*/\1 \2/' | sort -u)
}

@test "the man page shows every line of every block" {
  local page=$ROOT/src/man/tcpstorm-recipes.7.md
  command -v mandoc lowdown >/dev/null || skip 'no mandoc or no lowdown to show it with'
  "$ROOT/scripts/lib/man-page" "$page" 1 2026-01-01 >"$BATS_TEST_TMPDIR/page"
  mandoc -T lint -W warning "$BATS_TEST_TMPDIR/page"
  mandoc -T utf8 -O width=200 "$BATS_TEST_TMPDIR/page" | sed 's/.\x08//g; s/^ *//' >"$BATS_TEST_TMPDIR/shown"
  sed -n '/^```/,/^```/p' "$page" | sed '/^```/d; /^ *$/d; s/^ *//' >"$BATS_TEST_TMPDIR/written"
  [[ $(wc -l <"$BATS_TEST_TMPDIR/written") -gt 200 ]]
  run ! grep -vxFf "$BATS_TEST_TMPDIR/shown" "$BATS_TEST_TMPDIR/written"
}
