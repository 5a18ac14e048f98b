#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash; every test is a subshell
#
# "tcpstorm audit" of real servers, as Debian packages them, on loopback, each with a configuration and a directory of its
# own: what it says must be what the server's manual lets one expect. TCPSTORM_AUDIT_TABLE: a file that the table of the
# results is appended to, in Markdown.

load ../net/storm

GRACE=2s
CONNS=20

# What storm.bash does around a test, and the servers of this one.
eval "around_$(declare -f setup)"
eval "around_$(declare -f teardown)"

setup() {
  around_setup
  dir=$BATS_TEST_TMPDIR
  chmod 755 "$BATS_TMPDIR" "$BATS_RUN_TMPDIR" "${dir%/*}" "$dir" 2>/dev/null || true
  mkdir -m 777 "$dir/data"
  server_pid='' backend_pid=''
}

teardown() {
  [[ -z $server_pid ]] || end_server
  server_pid=$backend_pid
  [[ -z $server_pid ]] || end_server
  around_teardown
}

# By its process id, with the children that it may leave.
end_server() {
  local child children
  mapfile -t children < <(pgrep -P "$server_pid")
  kill -TERM "$server_pid" 2>/dev/null || true
  if ! wait_until 5 is_over "$server_pid"; then
    kill -KILL "$server_pid" 2>/dev/null || true
  fi
  for child in "${children[@]}"; do
    kill -KILL "$child" 2>/dev/null || true
  done
  wait "$server_pid" 2>/dev/null || true
  server_pid=''
}

# need COMMAND PACKAGE
need() {
  PATH=$PATH:/usr/sbin:/sbin
  command -v "$1" >/dev/null || skip "there is no $1 (apt-get install $2)"
}

free_port() {
  local port
  for ((port = 21000 + RANDOM % 8000; port < 31000; port++)); do
    if ! { : <"/dev/tcp/127.0.0.1/$port"; } 2>/dev/null; then
      say "$port"
      return
    fi
  done
  return 1
}

is_listening() {
  [[ -n $(ss -Htln "sport = :$port") ]]
}

# serve NAME VERSION COMMAND...: in the background, until it listens on $port.
serve() {
  name=$1 version=$2
  shift 2
  "$@" >"$dir/server.log" 2>&1 3>&- </dev/null &
  server_pid=$!
  if ! wait_until 20 is_listening; then
    say "$name does not listen:"
    tail -n 20 "$dir/server.log"
    return 1
  fi
}

# audit ORDER [OPTION...]: a row of the table; $code, and "closed=20 ..." in $counts.
audit() {
  local order=$1 grace=()
  shift
  [[ " $* " == *' --grace '* ]] || grace=(--grace "$GRACE")
  code=0
  "$STORM" audit "127.0.0.1:$port" --order "$order" --conns "$CONNS" "${grace[@]}" "$@" --json "$JSON" >"$OUT" 2>"$ERR" || code=$?
  counts=$(jq -r '[.classes, .groups] | map(to_entries[] | select(.value > 0) | "\(.key)=\(.value)") | join(" ")' "$JSON")
  [[ -z ${TCPSTORM_AUDIT_TABLE-} ]] || say "| $name $version | $order | ${*//"$dir/"/} | $counts | $code | $(jq -r .verdict "$JSON" |
    sed "s/pid [0-9]*/pid N/" | paste -sd' ') |" >>"$TCPSTORM_AUDIT_TABLE"
}

# expect CODE NAME=N...: the exit code, and all the counts that are not 0.
expect() {
  if [[ $code != "$1" || $counts != "${*:2}" ]]; then
    say "$name: exit code $code, $counts, where $1, ${*:2} was expected"
    show_output
    return 1
  fi
}

closes_all() {
  expect 0 "closed=$CONNS"
}

keeps_idle() {
  expect 1 "held=$CONNS open=$CONNS"
}

# ---- web servers ----

# nginx closes at the client's FIN (unless proxy_ignore_client_abort or a lingering_close keep it), and an idle connection
# at client_header_timeout before the first request (60 s) and keepalive_timeout after it (75 s).
write_nginx_config() { # MORE
  cat >"$dir/nginx.conf" <<END
daemon off;
pid $dir/nginx.pid;
error_log $dir/error.log;
worker_processes 2;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path $dir/data/body;
  proxy_temp_path $dir/data/proxy;
  fastcgi_temp_path $dir/data/fastcgi;
  uwsgi_temp_path $dir/data/uwsgi;
  scgi_temp_path $dir/data/scgi;
  $1
  server { listen 127.0.0.1:$port; location / { return 200 "hello\n"; } }
}
END
}

nginx_version() {
  nginx -v 2>&1 | sed 's,.*/,,; s/ .*//'
}

@test "nginx closes at the client's FIN and RST, and keeps idle clients" {
  need nginx nginx-light
  port=$(free_port)
  write_nginx_config ""
  serve nginx "$(nginx_version)" nginx -c "$dir/nginx.conf"
  local order
  for order in half-close client-first abort; do
    audit "$order"
    closes_all
    audit "$order" --http /
    closes_all
  done
  audit idle
  keeps_idle
  audit idle --http /
  keeps_idle
}

@test "nginx with keepalive_timeout 1s closes idle clients after a request" {
  need nginx nginx-light
  port=$(free_port)
  write_nginx_config "keepalive_timeout 1s; client_header_timeout 1s;"
  serve "nginx, keepalive_timeout 1s" "$(nginx_version)" nginx -c "$dir/nginx.conf"
  audit idle --http /
  closes_all
  jq -e '.close_s.p50 > 0.5 and .close_s.p50 < 1.5' "$JSON"
  audit idle --grace 3s
  closes_all
}

haproxy_version() {
  haproxy -v | sed -n 's/^HAProxy version \([^ -]*\).*/\1/p'
}

# serve_haproxy MODE TIMEOUT MORE: before nginx.
serve_haproxy() {
  need nginx nginx-light
  need haproxy haproxy
  local backend
  port=$(free_port)
  write_nginx_config ""
  serve nginx "$(nginx_version)" nginx -c "$dir/nginx.conf"
  backend_pid=$server_pid
  backend=$port
  port=$(free_port)
  cat >"$dir/haproxy.cfg" <<END
global
  nbthread 2
  maxconn 500
defaults
  mode $1
  timeout connect 1s
  timeout client $2
  timeout server $2
  $3
listen front
  bind 127.0.0.1:$port
  server nginx 127.0.0.1:$backend
END
}

@test "haproxy (http) closes at the client's FIN and RST, and keeps idle clients for timeout client" {
  serve_haproxy http 30s "timeout http-request 30s"
  serve "haproxy, mode http" "$(haproxy_version)" haproxy -db -f "$dir/haproxy.cfg"
  local order
  for order in half-close client-first abort; do
    audit "$order"
    closes_all
    audit "$order" --http /
    closes_all
  done
  audit idle
  keeps_idle
  audit idle --http /
  keeps_idle
}

@test "haproxy closes idle clients at timeout client and timeout http-request" {
  serve_haproxy http 1s "timeout http-request 1s"
  serve "haproxy, mode http, timeout client 1s" "$(haproxy_version)" haproxy -db -f "$dir/haproxy.cfg"
  audit idle
  closes_all
  audit idle --http /
  closes_all
}

@test "haproxy (tcp) passes the FIN on to nginx" {
  serve_haproxy tcp 30s ""
  serve "haproxy, mode tcp" "$(haproxy_version)" haproxy -db -f "$dir/haproxy.cfg"
  local order
  for order in half-close client-first abort; do
    audit "$order"
    closes_all
    audit "$order" --http /
    closes_all
  done
  audit idle
  keeps_idle
}

# Its accept queue has room for 5 (socketserver.TCPServer.request_queue_size): clients that come at once may have to come again.
@test "python3 -m http.server closes at EOF and after each reply (HTTP/1.0), and has a thread for each idle client" {
  need python3 python3
  port=$(free_port)
  serve "python3 -m http.server" "$(python3 -V | cut -d' ' -f2)" python3 -m http.server --bind 127.0.0.1 --directory "$dir/data" "$port"
  local order
  for order in half-close client-first abort; do
    audit "$order" --rate 100
    closes_all
    audit "$order" --http / --rate 100
    closes_all
  done
  audit idle --rate 100
  keeps_idle
  audit idle --http / --rate 100
  closes_all
}

@test "a single-threaded http.server has one idle client, and nobody has the others" {
  need python3 python3
  port=$(free_port)
  serve "python3 http.server, one thread" "$(python3 -V | cut -d' ' -f2)" python3 -c '
import http.server, sys
class H(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
http.server.HTTPServer.request_queue_size = 128
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), H).serve_forever()' "$port"
  local order
  for order in half-close client-first abort; do
    audit "$order"
    closes_all
  done
  audit idle
  expect 1 held=1 never_accepted=19 no_owner=19 open=1
}

# ---- databases ----

@test "redis with timeout 1 closes idle clients" {
  need redis-server redis-server
  port=$(free_port)
  serve "redis, timeout 1" "$(redis-server --version | sed 's/.*v=\([^ ]*\).*/\1/')" redis-server --bind 127.0.0.1 --port "$port" \
    --dir "$dir/data" --save "" --appendonly no --timeout 1
  audit idle --grace 5s
  closes_all
}

@test "redis closes at the client's FIN and RST, and keeps idle clients (timeout 0)" {
  need redis-server redis-server
  port=$(free_port)
  serve redis "$(redis-server --version | sed 's/.*v=\([^ ]*\).*/\1/')" redis-server --bind 127.0.0.1 --port "$port" --dir "$dir/data" \
    --save "" --appendonly no
  printf 'PING\r\n' >"$dir/ping"
  local order
  for order in half-close client-first abort; do
    audit "$order"
    closes_all
    audit "$order" --send "$dir/ping"
    closes_all
  done
  audit idle
  keeps_idle
  audit idle --send "$dir/ping"
  keeps_idle
}

@test "memcached closes at the client's FIN and RST, and keeps idle clients" {
  need memcached memcached
  port=$(free_port)
  serve memcached "$(memcached -V | cut -d' ' -f2)" memcached -u nobody -l 127.0.0.1 -p "$port" -U 0
  printf 'version\r\n' >"$dir/version"
  local order
  for order in half-close client-first abort; do
    audit "$order"
    closes_all
    audit "$order" --send "$dir/version"
    closes_all
  done
  audit idle
  keeps_idle
  audit idle --send "$dir/version"
  keeps_idle
}

serve_postgres() {
  local bin
  bin=$(find /usr/lib/postgresql -name postgres -path '*/bin/*' 2>/dev/null | sort | tail -n 1)
  [[ -n $bin ]] || skip "there is no postgres (apt-get install postgresql)"
  getent passwd postgres >/dev/null || skip "there is no user postgres"
  ((EUID == 0)) || skip "another user's server needs root"
  port=$(free_port)
  chown postgres "$dir/data"
  chmod 700 "$dir/data"
  setpriv --reuid postgres --regid postgres --clear-groups "${bin%/*}/initdb" -D "$dir/data" -A trust --no-sync >"$dir/initdb" 2>&1 3>&-
  serve postgresql "$("$bin" -V | cut -d' ' -f3)" setpriv --reuid postgres --regid postgres --clear-groups "$bin" -D "$dir/data" \
    -c listen_addresses=127.0.0.1 -p "$port" -c unix_socket_directories="$dir/data" -c fsync=off -c authentication_timeout="$1"
}

@test "postgresql closes at the client's FIN and RST, and an idle client at authentication_timeout" {
  serve_postgres 60s
  local order
  for order in half-close client-first abort; do
    audit "$order"
    closes_all
  done
  audit idle
  keeps_idle
}

@test "postgresql with authentication_timeout 1s closes an idle client" {
  serve_postgres 1s
  name="postgresql, authentication_timeout 1s"
  audit idle
  closes_all
}

# ---- socat ----

socat_version() {
  socat -V | sed -n 's/^socat version \([^ ]*\).*/\1/p'
}

@test "socat, echoing by fork, ends at EOF" {
  need socat socat
  port=$(free_port)
  serve "socat, fork, cat" "$(socat_version)" socat "TCP-LISTEN:$port,bind=127.0.0.1,fork,reuseaddr,backlog=128" EXEC:cat
  echo hello >"$dir/hello"
  local order
  for order in half-close client-first abort; do
    audit "$order" --send "$dir/hello"
    closes_all
  done
  audit idle --send "$dir/hello"
  keeps_idle
}

@test "socat before a program that does not hear EOF closes after -t" {
  need socat socat
  port=$(free_port)
  serve "socat -t 1, sleep" "$(socat_version)" socat -t 1 "TCP-LISTEN:$port,bind=127.0.0.1,fork,reuseaddr,backlog=128" EXEC:"sleep 20"
  local order
  for order in half-close client-first; do
    audit "$order" --grace 3s
    closes_all
    jq -e '.close_s.p50 > 0.8' "$JSON"
  done
  audit abort --grace 3s
  closes_all
  audit idle
  keeps_idle
}

@test "socat with a long -t holds its clients: the leak that its manual warns of" {
  need socat socat
  port=$(free_port)
  serve "socat -t 100, sleep" "$(socat_version)" socat -t 100 "TCP-LISTEN:$port,bind=127.0.0.1,fork,reuseaddr,backlog=128" EXEC:"sleep 20"
  local order
  for order in half-close client-first; do
    audit "$order"
    expect 1 "held=$CONNS" "eof_read=$CONNS" # a child of its own for each, which serves it
  done
}
