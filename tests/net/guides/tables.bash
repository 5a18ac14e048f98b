# shellcheck shell=bash
# tables: what the program has written, against its own tables.
#
# Needs storm.bash.

REAL_TABLES=${BASH_SOURCE[0]%/*}/real_tables.py

# as_in_table csv|metrics|json TABLE|EVENTS FILE...
as_in_table() {
  local differences
  differences=$(python3 "$REAL_TABLES" "$STORM" "$@") || { say "$differences"; return 1; }
}

# scrape PORT FILE: the page, as OpenMetrics.
scrape() {
  local door
  { exec {door}<>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null || return 1
  printf '%s\r\n' 'GET /metrics HTTP/1.1' 'Host: here' 'Connection: close' 'Accept: application/openmetrics-text' '' >&"$door"
  timeout 20 cat <&"$door" | tr -d '\r' | sed '1,/^$/d' >"$2"
  exec {door}>&-
  grep -q '^# EOF' "$2"
}

# scrape_until PORT FILE PATTERN: until a line of the page begins so.
scrape_until() {
  wait_until 10 scrape_has "$@"
}

scrape_has() {
  scrape "$1" "$2" && grep -q "^$3" "$2"
}
