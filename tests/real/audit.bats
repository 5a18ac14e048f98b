#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash and servers.bash; every test is a subshell
#
# "tcpstorm audit" of real servers (servers.bash): nginx, haproxy, Python's http.server and socat. What it says must be
# what the server's manual lets one expect.

load ../net/storm
load servers

# ---- web servers ----

# nginx closes at the client's FIN (unless proxy_ignore_client_abort or a lingering_close keep it), and an idle connection
# at client_header_timeout before the first request (60 s) and keepalive_timeout after it (75 s).
@test "nginx closes at the client's FIN and RST, and keeps idle clients" {
  need nginx nginx-light
  port=$(free_port)
  write_nginx_config ""
  serve nginx "$(nginx_version)" nginx -c "$dir/nginx.conf"
  is_http_server
}

@test "nginx with keepalive_timeout 1s closes idle clients after a request" {
  need nginx nginx-light
  port=$(free_port)
  write_nginx_config "keepalive_timeout 1s; client_header_timeout 1s; send_timeout 1s;"
  serve "nginx, keepalive_timeout 1s" "$(nginx_version)" nginx -c "$dir/nginx.conf"
  closes idle -- --http /hello
  jq -e '.close_s.p50 > 0.5 and .close_s.p50 < 1.5' "$JSON"
  closes idle -- --grace 3s
  closes never-close -- --http /hello
  closes stall -- --grace 4s --http /big
  meets_late_requests --http /hello
}

# Another user sees the sockets' states, and not whose they are.
@test "nginx, audited by an ordinary user who may not look into it" {
  need nginx nginx-light
  need_root "to be another user"
  port=$(free_port)
  write_nginx_config ""
  serve "nginx, audited by another user" "$(nginx_version)" nginx -c "$dir/nginx.conf"
  watcher=(setpriv --reuid daemon --regid daemon --clear-groups) # nginx serves as nobody
  JSON=$dir/data/result.json
  closes half-close client-first -- --http /hello
  says 'may not inspect'
  keeps_idle
  says 'the owner cannot be seen'
  audit abort --http /hello
  expect 3 "unknown=$CONNS"
}

haproxy_version() {
  haproxy -v | sed -n 's/^HAProxy version \([^ -]*\).*/\1/p'
}

# serve_haproxy NAME MODE TIMEOUT MORE: before nginx.
serve_haproxy() {
  need haproxy haproxy
  serve_backend
  cat >"$dir/haproxy.cfg" <<END
global
  nbthread 2
  maxconn 500
defaults
  mode $2
  timeout connect 1s
  timeout client $3
  timeout server $3
  $4
listen front
  bind 127.0.0.1:$port
  server nginx 127.0.0.1:$backend
END
  serve "$1" "$(haproxy_version)" haproxy -db -f "$dir/haproxy.cfg"
}

# Its option abortonclose is off: it replies to a client whose FIN came with the request.
@test "haproxy (http) closes at the client's FIN and RST, and keeps idle clients for timeout client" {
  serve_haproxy "haproxy, mode http" http 30s "timeout http-request 30s"
  is_http_server
}

@test "haproxy closes idle clients at timeout client and timeout http-request" {
  serve_haproxy "haproxy, mode http, timeout client 1s" http 1s "timeout http-request 1s"
  closes idle
  closes idle never-close -- --http /hello
}

# "timeout client-fin" is "timeout client" where it is not given: it lingers for so long.
@test "haproxy (tcp) passes the FIN on to nginx" {
  serve_haproxy "haproxy, mode tcp" tcp 30s ""
  is_http_server_but_for never-close
  lingers --send "$(http_1_0)"
}

@test "haproxy (tcp) with timeout client-fin closes a client that does not" {
  serve_haproxy "haproxy, mode tcp, timeout client-fin 1s" tcp 30s "timeout client-fin 1s"
  closes never-close -- --grace 4s --send "$(http_1_0)"
}

# Its accept queue has room for 5 (socketserver.TCPServer.request_queue_size): clients that come at once may have to come again.
@test "python3 -m http.server closes at EOF and after each reply (HTTP/1.0), and has a thread for each idle client" {
  need python3 python3
  port=$(free_port)
  serve "python3 -m http.server" "$(python3 -V | cut -d' ' -f2)" python3 -m http.server --bind 127.0.0.1 --directory "$dir/data" "$port"
  write_pages
  closes_when_left --rate 100
  closes_when_left --http /hello --rate 100
  closes_when_half_asked --http /hello --rate 100
  closes idle never-close eof-with-request -- --http /hello --rate 100
  keeps_idle --rate 100
  keeps_stalled --http /big --rate 100
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
  closes_when_left
  audit idle --grace 1s
  expect 1 held=1 never_accepted=19 no_owner=19 open=1
}

# ---- socat ----

serve_socat() { # NAME OPTION... PROGRAM
  need socat socat
  port=$(free_port)
  serve "$1" "$(socat -V | sed -n 's/^socat version \([^ ]*\).*/\1/p')" socat "${@:2:$#-2}" \
    "TCP-LISTEN:$port,bind=127.0.0.1,fork,reuseaddr,backlog=128" "EXEC:${*: -1}"
}

@test "socat, echoing by fork, ends at EOF" {
  serve_socat "socat, fork, cat" cat
  request hello 'hello\n'
  closes_when_left --send "$dir/hello"
  closes eof-with-request -- --send "$dir/hello"
  keeps_idle --send "$dir/hello"
}

@test "socat before a program that does not hear EOF closes after -t" {
  serve_socat "socat -t 1, sleep" -t 1 "sleep 20"
  closes half-close -- --grace 3s
  jq -e '.close_s.p50 > 0.8' "$JSON"
  closes client-first -- --grace 3s
  jq -e '.close_s.p50 > 0.8' "$JSON"
  closes abort -- --grace 3s
  keeps_idle
}

@test "socat with a long -t holds its clients: the leak that its manual warns of" {
  serve_socat "socat -t 100, sleep" -t 100 "sleep 20"
  local order
  for order in half-close client-first; do
    audit "$order"
    expect 1 "held=$CONNS" "eof_read=$CONNS" # a child of its own for each, which serves it
  done
}
