# shellcheck shell=bash
# sections: the pages that have transcripts, their sections, and how all of them are played.

GUIDES_TEST=$(cd -- "${BASH_SOURCE[0]%/*}" && pwd)
ROOT=$(realpath "$GUIDES_TEST/../../..")
AT_ONCE=12

# The README and the guides.
pages() {
  printf '%s\n' "$ROOT/README.md" "$ROOT"/src/man/*.md
}

# sections_of PAGE: the titles of those that have something to play.
sections_of() {
  awk '
    /^```/ {
      inside = !inside
      if (inside && /^```(console|sh|yaml)/ && !/not run:| run by / && !told[title]++) print title
      next
    }
    !inside && /^##? / { title = $0; sub(/^#+ /, "", title) }' "$1"
}

# text_of PAGE TITLE: the section, as it is written.
text_of() {
  awk -v title="$2" '
    /^```/ { fenced = !fenced }
    !fenced && /^##? / { name = $0; sub(/^#+ /, "", name); inside = name == title; next }
    inside' "$1"
}

# play PAGE TITLE: in network, mount and pid namespaces of its own.
play() {
  # shellcheck disable=SC2016 # for the inner shell
  timeout 200 unshare -rnpf --mount-proc --kill-child sh -c 'ip link set lo up && exec "$@"' sh \
    "$GUIDES_TEST/play_section.bash" "$1" "$2"
}

# What is called python3 may be a script that looks for one.
find_programs() { # FOLDER
  mkdir "$1"
  cp "$TCPSTORM" "$1/tcpstorm"
  ! command -v python3 >/dev/null || ln -s "$(python3 -c 'import sys; print(sys.executable)')" "$1/python3"
  PATH=$1:$PATH
  unset GITHUB_ACTIONS # the audit would write for it
}

# play_all FOLDER: all sections of all pages, some at a time, since they mostly wait for the kernel's clocks. FOLDER/PAGE/TITLE.report
# says what came of each, and .status its exit status.
play_all() {
  local page title
  # Theirs are namespaces as a reader has them: see in_namespace.bash.
  { echo 0 >/proc/sys/net/ipv4/tcp_child_ehash_entries; } 2>/dev/null || true
  while IFS= read -r page; do
    mkdir -p "$1/${page##*/}"
    while IFS= read -r title; do
      while (($(jobs -rp | wc -l) >= AT_ONCE)); do wait -n; done
      play_into "$1/${page##*/}" "$page" "$title" &
    done < <(sections_of "$page")
  done < <(pages)
  wait
}

play_into() { # FOLDER PAGE TITLE
  local status=0 name=${3//\//-}
  play "$2" "$3" >"$1/$name.report" 2>&1 || status=$?
  echo "$status" >"$1/$name.status"
}
