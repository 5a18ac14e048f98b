#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash and servers.bash; every test is a subshell
#
# "tcpstorm audit" of real servers (servers.bash): Apache, lighttpd, Varnish and Squid. What it says must be what the server's
# manual lets one expect.

load ../net/storm
load servers

# serve_apache NAME MORE: event, as Debian has it, with the modules that its a2enmod has enabled and that matter here.
serve_apache() {
  need apache2 apache2
  need_root "Apache's change of user"
  port=$(free_port)
  write_pages
  cat >"$dir/apache.conf" <<END
ServerRoot $dir
ServerName localhost
PidFile $dir/apache.pid
DefaultRuntimeDir $dir
ErrorLog $dir/error.log
Listen 127.0.0.1:$port
User www-data
Group www-data
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule reqtimeout_module /usr/lib/apache2/modules/mod_reqtimeout.so
DocumentRoot $dir/data
$2
END
  serve "$1" "$(apache2 -v | sed -n 's,.*Apache/\([^ ]*\).*,\1,p')" apache2 -f "$dir/apache.conf" -DFOREGROUND
}

# KeepAliveTimeout 5, RequestReadTimeout header=20-40. AcceptFilter is "http data" on Linux (TCP_DEFER_ACCEPT): who sends nothing is
# no client of Apache's yet, and waits in the kernel alone. Apache lingers after its own FIN for up to 30 s (lingering close).
@test "Apache closes at the client's FIN and RST, and keeps idle clients for KeepAliveTimeout" {
  serve_apache apache2 ""
  closes half-close client-first
  is_http_server_but_for half-close idle never-close
  lingers --send "$(http_1_0)"
  audit idle
  expect 3 "timed_out=$CONNS"
  says TCP_DEFER_ACCEPT
}

@test "Apache with short timeouts closes idle clients, after a request and before it" {
  serve_apache "apache2, KeepAliveTimeout 1" "KeepAliveTimeout 1"$'\n'"AcceptFilter http none"$'\n'"RequestReadTimeout header=1"
  closes_when_left
  closes idle -- --grace 4s --http /hello
  meets_late_requests --grace 4s --http /hello
  closes idle -- --grace 4s
}

# MAX_SECS_TO_LINGER.
@test "Apache's lingering close ends after 30 s" {
  serve_apache apache2 ""
  closes never-close -- --grace 35s --send "$(http_1_0)"
}

serve_lighttpd() { # NAME MORE
  need lighttpd lighttpd
  port=$(free_port)
  write_pages
  cat >"$dir/lighttpd.conf" <<END
server.document-root = "$dir/data"
server.bind = "127.0.0.1"
server.port = $port
$2
END
  serve "$1" "$(lighttpd -v | sed -n 's,lighttpd/\([^ ]*\).*,\1,p')" "${ordinary[@]}" lighttpd -D -f "$dir/lighttpd.conf"
}

# server.max-keep-alive-idle 5, server.max-read-idle 60. It lingers for 5 s after its own FIN.
@test "lighttpd closes at the client's FIN and RST, and keeps idle clients" {
  serve_lighttpd lighttpd ""
  is_http_server_but_for never-close
  lingers --send "$(http_1_0)"
  closes never-close -- --grace 8s --send "$(http_1_0)"
}

@test "lighttpd with short timeouts closes idle clients" {
  serve_lighttpd "lighttpd, server.max-keep-alive-idle 1" $'server.max-keep-alive-idle = 1\nserver.max-read-idle = 1'
  closes idle -- --grace 4s
  closes idle -- --grace 4s --http /hello
}

serve_varnish() { # NAME OPTION...
  need varnishd varnish
  serve_backend
  chmod 777 "$dir" # its worker runs as another user
  serve "$1" "$(varnishd -V 2>&1 | sed -n 's/^varnishd (varnish-\([^ ]*\) .*/\1/p')" \
    varnishd -F -n "$dir/varnish" -a "127.0.0.1:$port" -b "127.0.0.1:$backend" -T none -s malloc,16m "${@:2}"
}

# timeout_idle 5. The lengths of its replies differ: X-Varnish has the request's number, and in a hit the first one's too.
@test "Varnish closes at the client's FIN and RST, and keeps idle clients for timeout_idle" {
  serve_varnish varnish
  is_http_server
}

@test "Varnish with timeout_idle 1 closes idle clients" {
  serve_varnish "varnish, timeout_idle 1" -p timeout_idle=1
  closes idle
  closes idle never-close -- --http /hello
  meets_late_requests --grace 4s --http /hello
}

serve_squid() { # NAME MORE
  need squid squid
  serve_backend
  cat >"$dir/squid.conf" <<END
http_port 127.0.0.1:$port accel defaultsite=localhost no-vhost
cache_peer 127.0.0.1 parent $backend 0 no-query originserver
http_access allow all
pid_filename $dir/data/squid.pid
cache_log $dir/data/cache.log
access_log none
coredump_dir $dir/data
cache deny all
max_filedescriptors 1024
visible_hostname localhost
pinger_enable off
shutdown_lifetime 1 second
$2
END
  serve "$1" "$(squid -v | sed -n 's/^Squid Cache: Version //p')" squid -N -f "$dir/squid.conf"
}

# request_start_timeout 5 minutes, client_idle_pconn_timeout 2 minutes, half_closed_clients off: "By default, Squid will
# immediately close client connections when read(2) returns "no more data to read"", and so their replies are lost.
@test "Squid closes at the client's FIN and RST, keeps idle clients, and drops the reply where the FIN comes with the request" {
  serve_squid squid ""
  is_http_server_but_for eof-with-request
  closes never-close -- --send "$(http_1_0)"
  audit eof-with-request --http /hello
  expect 1 "reply_lost=$CONNS"
}

@test "Squid with short timeouts closes idle clients" {
  serve_squid "squid, client_idle_pconn_timeout 1 second" $'client_idle_pconn_timeout 1 second\nrequest_start_timeout 1 second'
  closes idle -- --grace 4s
  closes idle -- --grace 4s --http /hello
}

# Squid 5.7 does not survive it (assertion failed: comm.cc:1656), and the audit says so.
@test "Squid with half_closed_clients on crashes where the FIN comes with the request" {
  serve_squid "squid, half_closed_clients on" "half_closed_clients on"
  [[ $version == 5.7 ]] || skip "Squid $version is not the one with that bug"
  audit eof-with-request --http /hello
  [[ $code == 1 && $(jq -r .outcome "$JSON") == server_ended ]] || { show_output; return 1; }
  says 'killed by signal 6'
}
