#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash and servers.bash; every test is a subshell
#
# "tcpstorm audit" of real servers (servers.bash): databases, pools and queues: redis, memcached, PostgreSQL, PgBouncer, Mosquitto
# and beanstalkd. What it says must be what the server's manual lets one expect.

load ../net/storm
load servers

# ---- databases ----

serve_redis() { # NAME OPTION...
  need redis-server redis-server
  port=$(free_port)
  serve "$1" "$(redis-server --version | sed 's/.*v=\([^ ]*\).*/\1/')" redis-server --bind 127.0.0.1 --port "$port" \
    --dir "$dir/data" --save "" --appendonly no "${@:2}"
}

@test "redis with timeout 1 closes idle clients" {
  serve_redis "redis, timeout 1" --timeout 1
  closes idle never-close -- --grace 5s
}

@test "redis closes at the client's FIN and RST, and keeps idle clients (timeout 0)" {
  serve_redis redis
  request ping 'PING\r\n'
  request quit 'QUIT\r\n'
  talks "$dir/ping" "$dir/quit"
}

@test "memcached closes at the client's FIN and RST, and keeps idle clients" {
  need memcached memcached
  port=$(free_port)
  serve memcached "$(memcached -V | cut -d' ' -f2)" memcached -u nobody -l 127.0.0.1 -p "$port" -U 0
  request version 'version\r\n'
  talks "$dir/version" ""
}

serve_postgres() { # NAME TIMEOUT
  local bin
  bin=$(find /usr/lib/postgresql -name postgres -path '*/bin/*' 2>/dev/null | sort | tail -n 1)
  [[ -n $bin ]] || skip "there is no postgres (apt-get install postgresql)"
  getent passwd postgres >/dev/null || skip "there is no user postgres"
  need_root "another user's server"
  port=$(free_port)
  chown postgres "$dir/data"
  chmod 700 "$dir/data"
  setpriv --reuid postgres --regid postgres --clear-groups "${bin%/*}/initdb" -D "$dir/data" -A trust --no-sync >"$dir/initdb" 2>&1 3>&-
  serve "$1" "$("$bin" -V | cut -d' ' -f3)" setpriv --reuid postgres --regid postgres --clear-groups "$bin" -D "$dir/data" -c listen_addresses=127.0.0.1 -p "$port" \
    -c unix_socket_directories="$dir/data" -c fsync=off -c authentication_timeout="$2"
}

# A process for each client, which does not listen. To a client that asks for TLS it says "N" and goes on; it ends one that
# asks for a database that does not exist, after an error message.
@test "postgresql closes at the client's FIN and RST, and an idle client at authentication_timeout" {
  serve_postgres postgresql 60s
  request tls '\0\0\0\x08\x04\xd2\x16\x2f'
  request no-database '\0\0\0\x21\0\x03\0\0user\0postgres\0database\0no\0\0'
  talks "$dir/tls" "$dir/no-database"
}

@test "postgresql with authentication_timeout 1s closes an idle client" {
  serve_postgres "postgresql, authentication_timeout 1s" 1s
  closes idle never-close -- --grace 4s
}

# ---- pools and queues ----

serve_pgbouncer() { # NAME MORE
  need pgbouncer pgbouncer
  port=$(free_port)
  cat >"$dir/pgbouncer.ini" <<END
[databases]
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $port
unix_socket_dir =
auth_type = any
logfile = $dir/data/log
pidfile = $dir/data/pid
$2
END
  request tls '\0\0\0\x08\x04\xd2\x16\x2f'
  request no-database '\0\0\0\x21\0\x03\0\0user\0postgres\0database\0no\0\0'
  serve "$1" "$(version_of_package pgbouncer)" "${ordinary[@]}" pgbouncer "$dir/pgbouncer.ini"
}

# client_login_timeout 60.
@test "PgBouncer closes at the client's FIN and RST, and keeps clients that do not log in" {
  serve_pgbouncer pgbouncer ""
  talks "$dir/tls" "$dir/no-database"
}

@test "PgBouncer with client_login_timeout 1 closes clients that do not log in" {
  serve_pgbouncer "pgbouncer, client_login_timeout 1" "client_login_timeout = 1"
  closes idle never-close -- --grace 4s
}

# The keep-alive of the first client is 60 s, that of the second one 1 s, of which the broker allows half as much again
# (MQTT 3.1.1, 3.1.2.10); Mosquitto looks every 5 s. Who says CONNECT and DISCONNECT is closed.
@test "Mosquitto closes at the client's FIN and RST, and keeps clients for their keep-alive" {
  need mosquitto mosquitto
  port=$(free_port)
  printf 'listener %d 127.0.0.1\nallow_anonymous true\npersistence false\n' "$port" >"$dir/mosquitto.conf"
  chmod 644 "$dir/mosquitto.conf"
  request connect '\x10\x0c\0\x04MQTT\x04\x02\0\x3c\0\0'
  request connect-1 '\x10\x0c\0\x04MQTT\x04\x02\0\x01\0\0'
  request disconnect '\x10\x0c\0\x04MQTT\x04\x02\0\x3c\0\0\xe0\0'
  serve mosquitto "$(version_of_package mosquitto)" "${ordinary[@]}" mosquitto -c "$dir/mosquitto.conf"
  talks "$dir/connect" "$dir/disconnect"
  closes idle -- --grace 8s --send "$dir/connect-1"
}

# It has no timeout for clients: its reserve waits for a job for ever.
@test "beanstalkd closes at the client's FIN and RST, and keeps idle clients" {
  need beanstalkd beanstalkd
  port=$(free_port)
  request stats 'stats\r\n'
  request reserve 'reserve\r\n'
  request quit 'quit\r\n'
  serve beanstalkd "$(version_of_package beanstalkd)" "${ordinary[@]}" beanstalkd -l 127.0.0.1 -p "$port"
  talks "$dir/stats" ""
  closes_when_left --send "$dir/reserve"
  keeps_idle --send "$dir/reserve"
  closes_when_left --send "$dir/quit"
  closes idle never-close -- --send "$dir/quit"
}
