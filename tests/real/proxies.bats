#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash; every test is a subshell
#
# "tcpstorm audit --through" real proxies, as Debian packages them, on loopback: what it says of them must be what their
# manuals let one expect. TCPSTORM_AUDIT_TABLE: a file that the matrices are appended to.

load ../net/storm
load servers

GRACE=700ms
CONNS=3

# proxy NAME VERSION COMMAND...: in the background, until it listens on $front.
proxy() {
  port=$front
  serve "$@"
}

# choose_ports: of both sides.
choose_ports() {
  front=$(free_port) back=$(free_port)
}

# through [OPTION...]: the audit of it.
through() {
  code=0
  "$STORM" audit --through "127.0.0.1:$front" --as-backend "$back" --conns "$CONNS" --grace "$GRACE" --json "$JSON" "$@" >"$OUT" 2>"$ERR" ||
    code=$?
  [[ -z ${TCPSTORM_AUDIT_TABLE-} ]] || printf '%s\n\n%s\n\n' "$name $version $*" "$(<"$OUT")" >>"$TCPSTORM_AUDIT_TABLE"
}

# expect_heard WHO MANNER WHAT: what our end hears of each connection on which the other one ends first in that way.
expect_heard() {
  local cells=".client == \"$2\""
  [[ $1 == backend ]] || cells=".client == \"stays\" and .backend == \"$2\""
  if ! jq -e "[.cells[] | select($cells)] | length > 0 and all(.[]; .$1_heard.$3 == .conns)" "$JSON" >/dev/null; then
    say "$name: not every $2 is heard by the $1 as $3"
    show_output
    return 1
  fi
}

# expect_cell CLIENT BACKEND FILTER
expect_cell() {
  if ! jq -e ".cells[] | select(.client == \"$1\" and .backend == \"$2\") | $3" "$JSON" >/dev/null; then
    say "$name: client $1, backend $2: not $3"
    show_output
    return 1
  fi
}

# It holds nothing and loses nothing, of all 16 cells.
lets_go() {
  expect_code 0
  jq -e --argjson all $((16 * CONNS)) '.outcome == "lets_go" and .classes.passed == $all' "$JSON" >/dev/null
}

# ---- haproxy ----

haproxy_version() {
  haproxy -v | sed -n 's/^HAProxy version \([^ -]*\).*/\1/p'
}

# run_haproxy MODE [LINE...]: with these lines in its defaults.
run_haproxy() {
  need haproxy haproxy
  choose_ports
  cat >"$dir/haproxy.cfg" <<END
global
  nbthread 2
  maxconn 500
defaults
  mode $1
  timeout connect 1s
  timeout client 30s
  timeout server 30s
$(printf '  %s\n' "${@:2}")
listen front
  bind 127.0.0.1:$front
  server backend 127.0.0.1:$back
END
  proxy "haproxy, mode $1, ${*:2}" "$(haproxy_version)" haproxy -db -f "$dir/haproxy.cfg"
}

@test "haproxy (tcp) passes FIN, half-closes and data on, a client's RST as RST and a backend's as FIN" {
  run_haproxy tcp
  through
  lets_go
  expect_heard backend close fin
  expect_heard backend half_close fin
  expect_heard backend abort rst
  expect_heard client close fin
  expect_heard client half_close fin
  expect_heard client abort fin
  expect_cell half_close close '.answered == .conns'
  expect_cell half_close stays '.answered == .conns'
  expect_cell stays half_close '.answered == .conns'
}

@test "haproxy (http) tells the backend nothing of its client's end, whose reply it passes on after a half-close" {
  run_haproxy http "no option abortonclose"
  through --http /
  lets_go
  expect_heard backend close nothing
  expect_heard backend half_close nothing
  expect_heard backend abort nothing
  expect_heard client close fin
  expect_heard client abort fin
  expect_cell half_close close '.replied == .conns'
  jq -e '.pooled > 0' "$JSON" # http-reuse safe: of an earlier client's, but never for the first request of a new one
  jq -e '.reused == 0' "$JSON"
}

@test "haproxy (http) with http-reuse always takes later requests to the connections that it kept" {
  run_haproxy http "http-reuse always"
  through --http /
  lets_go
  jq -e '.pooled > 0 and .reused > 0' "$JSON"
}

@test "haproxy (http) with httpclose keeps no connection to the backend" {
  run_haproxy http "option httpclose"
  through --http /
  lets_go
  jq -e '.pooled == 0 and .reused == 0' "$JSON"
}

# ---- nginx ----

nginx_version() {
  nginx -v 2>&1 | sed 's,.*/,,; s/ .*//'
}

# run_nginx HEAD BODY: the main context's lines, and those after "events".
run_nginx() {
  cat >"$dir/nginx.conf" <<END
daemon off;
$1
pid $dir/nginx.pid;
error_log $dir/error.log;
worker_processes ${workers-2};
events { worker_connections 1024; }
$2
END
  proxy nginx "$(nginx_version)" nginx -c "$dir/nginx.conf"
}

# run_nginx_http LOCATION UPSTREAM: lines of the location, and of the upstream.
run_nginx_http() {
  need nginx nginx-light
  choose_ports
  run_nginx "" "http {
  access_log off;
  client_body_temp_path $dir/data/body;
  proxy_temp_path $dir/data/proxy;
  fastcgi_temp_path $dir/data/fastcgi;
  uwsgi_temp_path $dir/data/uwsgi;
  scgi_temp_path $dir/data/scgi;
  upstream backend { server 127.0.0.1:$back max_fails=0; ${2-} }
  server { listen 127.0.0.1:$front; location / { proxy_pass http://backend; $1 } }
}"
}

# Below is proxy_half_close, off unless it is set (since 1.21.4).
run_nginx_stream() {
  local module
  need nginx nginx-light
  choose_ports
  module=$(find /usr/lib/nginx/modules /usr/share/nginx/modules -name ngx_stream_module.so 2>/dev/null | head -n 1)
  [[ -n $module ]] || skip "nginx has no stream module (apt-get install libnginx-mod-stream)"
  run_nginx "load_module $module;" "stream { server { listen 127.0.0.1:$front; proxy_pass 127.0.0.1:$back; $1 } }"
}

@test "nginx (stream) passes FIN and data on, RST as FIN, and takes a half-close for the end" {
  run_nginx_stream ""
  through
  lets_go
  expect_heard backend close fin
  expect_heard backend half_close fin
  expect_heard backend abort fin
  expect_heard client close fin
  expect_heard client abort fin
  expect_cell half_close stays '.answered == 0 and .client_heard.early == .conns'
  expect_cell stays half_close '.answered == 0'
}

@test "nginx (stream) with proxy_half_close passes a half-close on, and what comes after it" {
  run_nginx_stream "proxy_half_close on;"
  through
  lets_go
  expect_heard backend half_close fin
  expect_cell half_close stays '.answered == .conns'
  expect_cell stays half_close '.answered == .conns'
}

@test "nginx (http) takes a client's half-close for its end, and keeps the client when the backend closes" {
  run_nginx_http ""
  through --http /
  lets_go
  expect_heard backend close fin
  expect_heard backend half_close fin
  expect_heard backend abort fin
  expect_heard client close nothing # keepalive_timeout
  expect_cell half_close close '.replied == 0'
  expect_cell stays close '.replied == .conns'
  jq -e '.pooled == 0' "$JSON"
}

@test "nginx (http) with proxy_ignore_client_abort tells the backend nothing, and passes the reply on" {
  run_nginx_http "proxy_ignore_client_abort on;"
  through --http /
  lets_go
  expect_heard backend close nothing
  expect_heard backend half_close nothing
  expect_cell half_close close '.replied == .conns'
}

@test "nginx (http) with keepalive has a pool: kept, bounded, and used by later requests" {
  local workers=1 # each has a pool of its own
  run_nginx_http 'proxy_http_version 1.1; proxy_set_header Connection "";' "keepalive 2;"
  through --http /
  lets_go
  jq -e '.pooled > 0 and .pooled <= 2 and .reused > 0' "$JSON"
}

# ---- socat ----

@test "socat passes a half-close on, and closes the rest after -t" {
  need socat socat
  choose_ports
  proxy socat "$(socat -V | sed -n 's/^socat version \([^ ]*\).*/\1/p')" \
    socat -t 0.3 "TCP-LISTEN:$front,bind=127.0.0.1,fork,reuseaddr,backlog=128" "TCP:127.0.0.1:$back"
  through
  lets_go
  expect_heard backend close fin
  expect_heard client close fin
  expect_cell half_close close '.answered == .conns'
}
