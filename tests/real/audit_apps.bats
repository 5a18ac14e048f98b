#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash and servers.bash; every test is a subshell
#
# "tcpstorm audit" of real servers (servers.bash): those that languages bring, with an application of a few lines: Node.js (one
# process, and a cluster), Go's net/http, uvicorn and gunicorn. What it says must be what the server's manual lets one expect.

load ../net/storm
load servers

BIG='"x".repeat(4e6)' # for Node.js

serve_node() { # NAME SCRIPT
  need node nodejs
  port=$(free_port)
  say "$2" >"$dir/server.js"
  serve "$1" "$(node -v | tr -d v)" "${ordinary[@]}" node "$dir/server.js" "$port"
}

# keepAliveTimeout 5 s, headersTimeout 60 s, which connectionsCheckingInterval looks at every 30 s.
@test "Node.js closes at the client's FIN and RST, and keeps idle clients for keepAliveTimeout" {
  serve_node node 'require("http").createServer((q, r) => r.end(q.url == "/big" ? '"$BIG"' : "hello\n")).listen(+process.argv[2], "127.0.0.1");'
  is_http_server
}

@test "Node.js with keepAliveTimeout 1000 closes idle clients after a request" {
  serve_node "node, keepAliveTimeout 1000" 'require("http").createServer({ keepAliveTimeout: 1000 }, (q, r) => r.end(q.url == "/big" ? '"$BIG"' : "hello\n"))
    .listen(+process.argv[2], "127.0.0.1");'
  closes idle -- --grace 4s --http /hello
}

# The primary listens, accepts, and hands each connection to a worker (SCM_RIGHTS), which does not listen: it serves them.
@test "a cluster of Node.js hands its connections to workers, and these close as one process does" {
  serve_node "node, cluster" 'const cluster = require("cluster");
    if (cluster.isPrimary) { cluster.fork(); cluster.fork(); }
    else require("http").createServer((q, r) => r.end(q.url == "/big" ? '"$BIG"' : "hello\n")).listen(+process.argv[2], "127.0.0.1");'
  is_http_server
}

# A worker that never closes is the same bug in a cluster: it serves the connection, and nobody else has it.
@test "a cluster of Node.js with allowHalfOpen, which never ends its sockets, leaks" {
  serve_node "node, cluster, allowHalfOpen" 'const cluster = require("cluster");
    if (cluster.isPrimary) { cluster.fork(); cluster.fork(); }
    else require("net").createServer({ allowHalfOpen: true }, s => s.resume()).listen(+process.argv[2], "127.0.0.1");'
  audit half-close
  [[ $code == 1 && $counts == "held=$CONNS "* ]] || { show_output; return 1; }
}

serve_go() { # NAME TIMEOUTS
  need go golang-go
  port=$(free_port)
  cat >"$dir/server.go" <<END
package main

import (
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

func main() {
	big := strings.Repeat("x", 4000000)
	pages := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/big" {
			io.WriteString(w, big)
		} else {
			io.WriteString(w, "hello\n")
		}
	}
	server := http.Server{Addr: "127.0.0.1:" + os.Args[1], Handler: http.HandlerFunc(pages), $2}
	server.ListenAndServe()
}
END
  GOCACHE=${BATS_RUN_TMPDIR}/go GOFLAGS=-modcacherw go build -o "$dir/server" "$dir/server.go" 3>&-
  serve "$1" "$(go version | sed 's/^go version go\([^ ]*\).*/\1/')" "${ordinary[@]}" "$dir/server" "$port"
}

# Without timeouts of its own a Server has none ("a zero or negative value means there will be no timeout").
@test "Go's net/http closes at the client's FIN and RST, and keeps idle clients" {
  serve_go "Go net/http" "IdleTimeout: 0 * time.Second"
  is_http_server
}

@test "Go's net/http with IdleTimeout and ReadHeaderTimeout closes idle clients" {
  serve_go "Go net/http, IdleTimeout 1 s" "IdleTimeout: time.Second, ReadHeaderTimeout: time.Second"
  closes idle
  closes idle never-close -- --http /hello
  meets_late_requests --http /hello
}

write_python_app() {
  cat >"$dir/app.py" <<'END'
def page(path):
    return b"x" * 4000000 if path == "/big" else b"hello\n"


async def asgi(scope, receive, send):
    if scope["type"] == "http":
        body = page(scope["path"])
        length = (b"content-length", str(len(body)).encode())
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": body})


def wsgi(environ, start):
    body = page(environ["PATH_INFO"])
    start("200 OK", [("Content-Length", str(len(body)))])
    return [body]
END
}

version_of_package() {
  dpkg-query -W -f '${Version}' "$1" | sed 's/-.*//'
}

serve_uvicorn() { # NAME OPTION...
  need uvicorn uvicorn
  port=$(free_port)
  write_python_app
  serve "$1" "$(version_of_package uvicorn)" "${ordinary[@]}" "$(command -v uvicorn)" --app-dir "$dir" --port "$port" "${@:2}" app:asgi
}

# --timeout-keep-alive 5; before the first request there is no timeout.
@test "uvicorn closes at the client's FIN and RST, and keeps idle clients" {
  serve_uvicorn uvicorn
  is_http_server
}

@test "uvicorn with --timeout-keep-alive 1 closes idle clients after a request" {
  serve_uvicorn "uvicorn, --timeout-keep-alive 1" --timeout-keep-alive 1
  closes idle never-close -- --http /hello
  meets_late_requests --http /hello
}

serve_gunicorn() { # NAME OPTION...
  need gunicorn gunicorn
  port=$(free_port)
  write_python_app
  serve "$1" "$(version_of_package gunicorn)" "${ordinary[@]}" gunicorn --chdir "$dir" -b "127.0.0.1:$port" -w 2 "${@:2}" app:wsgi
}

# Each of two workers serves one client at a time, without keep-alive ("the sync worker does not support persistent
# connections"): the others wait in the queue, and nobody has them.
@test "gunicorn (sync) closes after each reply; two workers have two idle clients, and nobody has the others" {
  serve_gunicorn "gunicorn, sync"
  closes_when_left
  closes_when_left --http /hello
  closes_when_half_asked --http /hello
  closes idle never-close eof-with-request -- --http /hello
  audit idle --grace 1s
  expect 1 held=2 never_accepted=18 no_owner=18 open=2
}

# --keep-alive 2.
@test "gunicorn (gthread) closes at the client's FIN and RST, and keeps idle clients for --keep-alive" {
  serve_gunicorn "gunicorn, gthread" -k gthread --threads 20
  is_http_server
  closes idle never-close -- --grace 5s --http /hello
  meets_late_requests --grace 5s --http /hello
}
