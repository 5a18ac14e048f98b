#!/usr/bin/env bats
# shellcheck disable=SC2004,SC2016,SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash; every test is a subshell
#
# "tcpstorm explain" of programs of Go, Node.js and Java with a bug and without, and of real servers under load, in which
# nothing lingers.

load ../net/storm
load ../net/explain

# need COMMAND PACKAGE
need() {
  PATH=$PATH:/usr/sbin:/sbin:/usr/lib/go/bin
  command -v "$1" >/dev/null || skip "there is no $1 (apt-get install $2)"
}

# start NAME COMMAND...: on ${server_ports[NAME]}, until it listens there.
start() {
  local name=$1
  shift
  "$@" >"$BATS_TEST_TMPDIR/$name.server" 2>&1 3>&- </dev/null &
  server_pids[$name]=$!
  others+=("$!")
  wait_until 30 is_listening "${server_ports[$name]}" || {
    say "$name does not listen:"
    tail -n 20 "$BATS_TEST_TMPDIR/$name.server"
    return 1
  }
}

is_listening() {
  [[ -n $(ss -Htln "sport = :$1") ]]
}

take_port() {
  server_ports[$1]=$((21000 + RANDOM % 8000))
}

# explains NAME CAUSES: after clients that send and close 200 ms later.
explains() {
  visit late 20 "${server_ports[$1]}"
  rest_for_grace
  explain "$1"
  cp "$JSON" "$BATS_TEST_TMPDIR/$1.json" && cp "$OUT" "$BATS_TEST_TMPDIR/$1.text"
  echo "$code" >"$BATS_TEST_TMPDIR/$1.code"
  note_said "$1"
  expect_causes "$1" "${@:2}"
}

explains_nothing() {
  explains "$1" nothing
  [[ $code == 0 ]]
}

# ---- runtimes ----

go_server() { # NAME BODY
  mkdir "$BATS_TEST_TMPDIR/$1"
  cat >"$BATS_TEST_TMPDIR/$1/main.go" <<END
package main

import ("net"; "os")

var forever = make(chan int)

func serve(c net.Conn) {
	b := make([]byte, 100)
	$2
}

func main() {
	l, err := net.Listen("tcp", "127.0.0.1:"+os.Args[1])
	if err != nil { panic(err) }
	_ = forever
	for {
		c, err := l.Accept()
		if err == nil { go serve(c) }
	}
}
END
  (cd "$BATS_TEST_TMPDIR/$1" && HOME=$BATS_FILE_TMPDIR GOCACHE=$BATS_FILE_TMPDIR/go GO111MODULE=off go build -o server main.go)
  take_port "$1"
  start "$1" "$BATS_TEST_TMPDIR/$1/server" "${server_ports[$1]}"
}

@test "Go: EOF read and no Close; a handler that waits for a channel; and what closes" {
  need go golang-go
  go_server unclosed 'for { n, _ := c.Read(b); if n == 0 { break } }; <-forever; c.Close()'
  explains unclosed ignore-eof
  grep -q goroutine "$OUT"
  go_server blocked 'c.Read(b); <-forever'
  explains blocked bounded-pool,lost-reference,paused-read lost-reference,paused-read handler-blocked
  go_server closes 'for { n, _ := c.Read(b); if n == 0 { break } }; c.Close()'
  explains_nothing closes
}

node_server() { # NAME OPTIONS BODY
  take_port "$1"
  start "$1" node -e "require('net').createServer($2, c => { c.on('error', () => {}); $3 }).listen(${server_ports[$1]}, '127.0.0.1')"
}

@test "Node.js: allowHalfOpen without end(); paused; and what ends" {
  need node nodejs
  node_server half '{allowHalfOpen: true}' "c.on('data', () => {})"
  explains half ignore-eof
  node_server paused '{allowHalfOpen: true}' "c.once('data', () => c.pause())"
  explains paused lost-reference,paused-read ignore-eof
  node_server ends '{}' "c.on('data', () => {})"
  explains_nothing ends
}

java_server() { # NAME BODY
  mkdir "$BATS_TEST_TMPDIR/$1"
  cat >"$BATS_TEST_TMPDIR/$1/Server.java" <<END
import java.net.*;

public class Server {
    static final Object lock = new Object();

    static void serve(Socket c) throws Exception {
        $2
    }

    public static void main(String[] arguments) throws Exception {
        ServerSocket l = new ServerSocket(Integer.parseInt(arguments[0]), 50, InetAddress.getByName("127.0.0.1"));
        while (true) {
            Socket c = l.accept();
            new Thread(() -> { try { serve(c); } catch (Exception e) { } }).start();
        }
    }
}
END
  take_port "$1"
  start "$1" java -XX:TieredStopAtLevel=1 "$BATS_TEST_TMPDIR/$1/Server.java" "${server_ports[$1]}"
}

@test "Java: threads that wait for a lock, with a request half read; and what closes" {
  need java default-jdk-headless
  java_server waits 'c.getInputStream().read(); synchronized (lock) { lock.wait(); }'
  explains waits handler-blocked bounded-pool lost-reference,paused-read
  grep -q -i 'lock\|futex' "$OUT"
  java_server closes 'while (c.getInputStream().read() >= 0) { } c.close();'
  explains_nothing closes
}

# ---- real servers ----

# lingers_in_nothing NAME REQUEST TIMES: looks while clients come, ask so many times, and close.
lingers_in_nothing() {
  local name=$1 request=$2 times=$3 look
  python3 -c 'import socket, sys, time, threading
port, request, times = int(sys.argv[1]), sys.argv[2].encode().decode("unicode_escape").encode("latin1"), int(sys.argv[3])
def ask():
    while True:
        try:
            c = socket.create_connection(("127.0.0.1", port))
            for i in range(times): c.sendall(request); c.recv(4096)
            c.close()
        except OSError: pass
        time.sleep(.01)
for i in range(8): threading.Thread(target=ask, daemon=True).start()
time.sleep(60)' "${server_ports[$name]}" "$request" "$times" 2>/dev/null 3>&- &
  others+=("$!")
  rest 500
  for look in '' '' '' '--for 2s'; do
    # shellcheck disable=SC2086 # an option and its value, or nothing
    explain "$name" $look
    if [[ $code != 0 || $(jq '.findings | length' "$JSON") != 0 ]]; then
      say "$name $look: exit code $code"
      cat "$OUT" "$ERR"
      return 1
    fi
  done
}

HTTP='GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'

write_nginx() {
  mkdir -p "$BATS_TEST_TMPDIR/nginx"
  chmod 755 "$BATS_TMPDIR" "$BATS_RUN_TMPDIR" "${BATS_TEST_TMPDIR%/*}" "$BATS_TEST_TMPDIR" 2>/dev/null || true
  cat >"$BATS_TEST_TMPDIR/nginx.conf" <<END
daemon off;
pid $BATS_TEST_TMPDIR/nginx.pid;
error_log $BATS_TEST_TMPDIR/nginx.log;
worker_processes 2;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path $BATS_TEST_TMPDIR/nginx/body;
  proxy_temp_path $BATS_TEST_TMPDIR/nginx/proxy;
  fastcgi_temp_path $BATS_TEST_TMPDIR/nginx/fastcgi;
  uwsgi_temp_path $BATS_TEST_TMPDIR/nginx/uwsgi;
  scgi_temp_path $BATS_TEST_TMPDIR/nginx/scgi;
  server { listen 127.0.0.1:${server_ports[nginx]}; location / { return 200 "hello\n"; } }
}
END
}

@test "nginx and haproxy before it, under load: nothing lingers" {
  need nginx nginx-light
  need haproxy haproxy
  server_ports[nginx]=21801 server_ports[haproxy]=21802
  write_nginx
  start nginx nginx -c "$BATS_TEST_TMPDIR/nginx.conf"
  printf '%s\n' defaults 'mode http' 'timeout connect 2s' 'timeout client 10s' 'timeout server 10s' 'frontend f' \
    "bind 127.0.0.1:21802" 'default_backend b' 'backend b' "server s 127.0.0.1:21801" >"$BATS_TEST_TMPDIR/haproxy.cfg"
  start haproxy haproxy -db -f "$BATS_TEST_TMPDIR/haproxy.cfg"
  lingers_in_nothing haproxy "$HTTP" 3
  lingers_in_nothing nginx "$HTTP" 3
}

@test "redis and memcached, under load: nothing lingers" {
  need redis-server redis-server
  need memcached memcached
  server_ports[redis]=21803 server_ports[memcached]=21804
  start redis redis-server --bind 127.0.0.1 --port 21803 --dir "$BATS_TEST_TMPDIR" --save '' --appendonly no
  start memcached memcached -l 127.0.0.1 -p 21804 -u nobody
  lingers_in_nothing redis 'PING\r\n' 3
  lingers_in_nothing memcached 'version\r\n' 3
}

# A client that asks whether there is TLS, and closes: a process each.
@test "PostgreSQL, under load: nothing lingers" {
  local bin data=$BATS_TEST_TMPDIR/data
  bin=$(find /usr/lib/postgresql -name postgres -path '*/bin/*' 2>/dev/null | sort | tail -n 1)
  [[ -n $bin ]] || skip "there is no postgres (apt-get install postgresql)"
  getent passwd postgres >/dev/null || skip "there is no user postgres"
  chmod 755 "$BATS_TMPDIR" "$BATS_RUN_TMPDIR" "${BATS_TEST_TMPDIR%/*}" "$BATS_TEST_TMPDIR" 2>/dev/null || true
  mkdir "$data" && chown postgres "$data"
  as_postgres=(setpriv --reuid postgres --regid postgres --clear-groups)
  "${as_postgres[@]}" "${bin%/*}/initdb" -D "$data" -A trust --no-sync >"$BATS_TEST_TMPDIR/initdb" 2>&1 3>&-
  server_ports[postgres]=21805
  start postgres "${as_postgres[@]}" "$bin" -D "$data" -p 21805 -c listen_addresses=127.0.0.1 -c unix_socket_directories=
  lingers_in_nothing postgres '\0\0\0\x08\x04\xd2\x16\x2f' 1
}
