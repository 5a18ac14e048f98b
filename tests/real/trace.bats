#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash and servers.bash; every test is a subshell
#
# "tcpstorm audit --trace --run" of real servers and of other languages: names, lines where there are some, and never a wrong one.

load ../net/storm
load servers

# trace ORDER [OPTION...] -- COMMAND...: of a server that is started on $port.
trace() {
  code=0
  "$STORM" audit "127.0.0.1:$port" --order "$1" --conns "$CONNS" --grace 1s --json "$JSON" --trace "${@:2:$#-1}" >"$OUT" 2>"$ERR" 3>&- || code=$?
}

# line_of FILE MARK
line_of() {
  say "$1:$(grep -n "LINE $2" "$dir/$1" | cut -d: -f1)"
}

own_places() {
  jq -rs '[.[0].trace.partings[].branches[] | (.steps[], .last, .close) | values | .site.places[] | select(.line) | .file] | unique | join(" ")' "$JSON"
}

@test "nginx of two workers: its functions, and no line" {
  need nginx nginx-light
  port=$(free_port)
  cat >"$dir/nginx.conf" <<END
daemon off; worker_processes 2; pid $dir/data/nginx.pid; error_log /dev/null;
events {}
http {
  access_log off; client_body_temp_path $dir/data/b; proxy_temp_path $dir/data/p; fastcgi_temp_path $dir/data/f;
  uwsgi_temp_path $dir/data/u; scgi_temp_path $dir/data/s;
  server { listen 127.0.0.1:$port; location /x { return 200 "hello"; } }
}
END
  trace half-close --http /x --run -- nginx -c "$dir/nginx.conf"
  expect_code 0
  grep -qE "20 went on to  close\(\) +ngx_close_connection in nginx" "$OUT" || { show_output; return 1; }
  expect_in "$OUT" "accepted at ngx_event_accept in nginx"
  trace idle --http /x --run -- nginx -c "$dir/nginx.conf"
  expect_code 1
  grep -qE "20 ended with  writev\(\) +ngx_writev in nginx" "$OUT" || { show_output; return 1; }
  [[ -z $(own_places) ]]
}

@test "haproxy of two threads: its functions, and no line" {
  need haproxy haproxy
  port=$(free_port)
  printf '%s\n' global ' nbthread 2' defaults ' mode http' ' timeout client 30s' ' timeout server 30s' ' timeout connect 1s' \
    'frontend f' " bind 127.0.0.1:$port" ' http-request return status 200 content-type text/plain string hello' >"$dir/haproxy.cfg"
  trace half-close --http /x --run -- haproxy -db -f "$dir/haproxy.cfg"
  expect_code 0
  grep -qE "20 went on to  close\(\) +.* in haproxy" "$OUT" || { show_output; return 1; }
  expect_in "$OUT" "accepted at sock_accept_conn in haproxy"
  [[ -z $(own_places) ]]
}

@test "Go: goroutines part at the line" {
  need go golang-go
  port=$(free_port)
  cat >"$dir/serve.go" <<'END'
package main

import (
	"net"
	"os"
	"sync/atomic"
)

var ended int32
var kept []net.Conn

func serve(c net.Conn) {
	bytes := make([]byte, 4096)
	for {
		n, err := c.Read(bytes) // LINE read
		if err != nil {
			break
		}
		c.Write(bytes[:n])
	}
	if atomic.AddInt32(&ended, 1)%5 == 0 {
		kept = append(kept, c)
		return
	}
	c.Close() // LINE close
}

func main() {
	l, err := net.Listen("tcp4", os.Args[1])
	for err == nil {
		c, failed := l.Accept() // LINE accept
		if failed == nil {
			go serve(c)
		}
	}
}
END
  (cd "$dir" && GOCACHE=$dir/cache go build -o serve serve.go)
  trace half-close --run -- "$dir/serve" "127.0.0.1:$port"
  expect_code 1
  grep -qE "They part after read\(\) = 0 at .*$(line_of serve.go read) in main.serve" "$OUT" || { show_output; return 1; }
  grep -qE "close\(\) .*< $(line_of serve.go close) in main.serve" "$OUT" || { show_output; return 1; }
  expect_in "$OUT" "4 ended there"
}

@test "Rust: threads part at the line" {
  need rustc rustc
  port=$(free_port)
  cat >"$dir/serve.rs" <<'END'
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
static ENDED: AtomicUsize = AtomicUsize::new(0);
fn serve(mut c: TcpStream) {
    let mut bytes = [0u8; 4096];
    while let Ok(n) = c.read(&mut bytes) { // LINE read
        if n == 0 { break; }
        let _ = c.write_all(&bytes[..n]);
    }
    if ENDED.fetch_add(1, Ordering::SeqCst) % 5 == 4 {
        std::mem::forget(c);
        return;
    }
    drop(c); // LINE close
}
fn main() {
    let l = TcpListener::bind(std::env::args().nth(1).unwrap()).unwrap();
    for c in l.incoming() { // LINE accept
        if let Ok(c) = c { std::thread::spawn(move || serve(c)); }
    }
}
END
  (cd "$dir" && rustc -g -O -o serve serve.rs)
  trace half-close --run -- "$dir/serve" "127.0.0.1:$port"
  expect_code 1
  expect_in "$OUT" "They part after recv() = 0 at $(line_of serve.rs read) in"
  grep -qE "16 went on to  close\(\)  $(line_of serve.rs close) in" "$OUT" || { show_output; return 1; }
  expect_in "$OUT" "4 ended there"
}

@test "node: its own functions, and those of JavaScript are not guessed" {
  need node nodejs
  port=$(free_port)
  trace half-close --run -- node -e 'let ended = 0, kept = [];
require("net").createServer({allowHalfOpen: true}, c => {
  c.on("data", d => c.write(d));
  c.on("end", () => { if (++ended % 5 == 0) kept.push(c); else c.end(); });
}).listen('"$port"', "127.0.0.1");'
  expect_code 1
  grep -qE "close\(\) +uv__close in " "$OUT" || { show_output; return 1; }
  grep -qE "4 ended with  epoll_ctl\(DEL\)" "$OUT" || { show_output; return 1; }
}

@test "Java: the native method" {
  need java default-jdk-headless
  port=$(free_port)
  cat >"$dir/Serve.java" <<'END'
import java.net.*;
import java.util.*;
public class Serve {
    static List<Socket> kept = new ArrayList<>();
    static int ended;
    static void serve(Socket c) {
        try {
            while (c.getInputStream().read() >= 0) { }
            synchronized (kept) {
                if (++ended % 5 == 0) { kept.add(c); return; }
            }
            c.close();
        } catch (Exception e) { }
    }
    public static void main(String[] a) throws Exception {
        ServerSocket s = new ServerSocket(Integer.parseInt(a[0]), 1024, InetAddress.getByName("127.0.0.1"));
        while (true) { Socket c = s.accept(); new Thread(() -> serve(c)).start(); }
    }
}
END
  trace half-close --run -- java "$dir/Serve.java" "$port"
  expect_code 1
  expect_in "$OUT" "SocketDispatcher_read0 in libnio.so"
  expect_in "$OUT" "4 ended there"
}
