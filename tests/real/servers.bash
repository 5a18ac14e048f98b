# shellcheck shell=bash disable=SC2034,SC2154 # its variables are for the tests; others come from storm.bash
# servers: real servers, as Debian packages them, to be audited: each on a free port of loopback, with a configuration and
# a directory of its own. TCPSTORM_AUDIT_TABLE: a file that the table of the results is appended to, in Markdown.
#
# Needs storm.bash.

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
  watcher=()
  ordinary=()
  ((EUID != 0)) || ordinary=(setpriv --reuid nobody --regid nogroup --clear-groups)
}

teardown() {
  end_server "$server_pid"
  end_server "$backend_pid"
  around_teardown
}

# family PID: it and its descendants, a line each.
family() {
  local child
  say "$1"
  for child in $(pgrep -P "$1"); do
    family "$child"
  done
}

# end_server PID: by its process id, with the descendants that it may leave.
end_server() {
  local pid family
  [[ -n $1 ]] || return 0
  mapfile -t family < <(family "$1")
  kill -TERM "$1" 2>/dev/null || true
  wait_until 5 is_over "$1" || true
  for pid in "${family[@]}"; do
    kill -KILL "$pid" 2>/dev/null || true
  done
  wait "$1" 2>/dev/null || true
}

# need COMMAND PACKAGE
need() {
  PATH=$PATH:/usr/sbin:/sbin
  command -v "$1" >/dev/null || skip "there is no $1 (apt-get install $2)"
}

need_root() {
  ((EUID == 0)) || skip "$1 needs root"
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
  [[ -n $(ss -Htln "sport = :$port") ]] || is_over "$server_pid"
}

# serve NAME VERSION COMMAND...: in the background, until it listens on $port. "${ordinary[@]}" before the command takes
# root's rights from it.
serve() {
  name=$1 version=$2
  shift 2
  "$@" >"$dir/server.log" 2>&1 3>&- </dev/null &
  server_pid=$!
  if ! wait_until 20 is_listening || is_over "$server_pid"; then
    say "$name does not listen:"
    tail -n 20 "$dir/server.log"
    return 1
  fi
}

# A row of the table.
note_row() { # ORDER [OPTION...]
  [[ ${TCPSTORM_AUDIT_TABLE-} ]] || return 0
  [[ -s $TCPSTORM_AUDIT_TABLE ]] || printf '%s\n' '| server | order | with | what it did | exit | verdict |' \
    '| --- | --- | --- | --- | --- | --- |' >>"$TCPSTORM_AUDIT_TABLE"
  say "| $name $version | $1 | ${*:2} | $counts | $code | $(jq -r .verdict "$JSON" | sed "s/pid [0-9]*/pid N/g" | paste -sd' ') |" |
    sed "s,$dir/,,g" >>"$TCPSTORM_AUDIT_TABLE"
}

# audit ORDER [OPTION...]: $code, and "closed=20 ..." in $counts.
audit() {
  local grace=()
  [[ " $* " == *' --grace '* ]] || grace=(--grace "$GRACE")
  code=0
  "${watcher[@]}" "$STORM" audit "127.0.0.1:$port" --order "$1" --conns "$CONNS" "${grace[@]}" "${@:2}" --json "$JSON" \
    >"$OUT" 2>"$ERR" || code=$?
  counts=$(jq -r '[.classes, .groups] | map(to_entries[] | select(.value > 0) | "\(.key)=\(.value)") | join(" ")' "$JSON")
  note_row "$@"
}

# expect CODE NAME=N...: the exit code, and all the counts that are not 0.
expect() {
  if [[ $code != "$1" || $counts != "${*:2}" ]]; then
    say "$name: exit code $code, $counts, where $1, ${*:2} was expected"
    show_output
    return 1
  fi
}

# says TEXT: the verdict does.
says() {
  jq -r .verdict "$JSON" | paste -sd' ' | grep -qF -- "$1" || { show_output; return 1; }
}

# closes ORDER... [-- OPTION...]: in each of these orders the server closes.
closes() {
  local order orders=()
  while (($# > 0)) && [[ $1 != -- ]]; do
    orders+=("$1")
    shift
  done
  for order in "${orders[@]}"; do
    audit "$order" "${@:2}"
    expect 0 "closed=$CONNS"
  done
}

# closes_when_left [OPTION...]: whichever way the client leaves.
closes_when_left() {
  closes half-close client-first abort -- "$@"
}

# keeps_idle [OPTION...]: for longer than a second, and whoever has them listens, or is no stranger to who does.
keeps_idle() {
  audit idle --grace 1s "$@"
  expect 1 "held=$CONNS" "open=$CONNS"
}

# waits_for_client [OPTION...]: it does not close first, so that never-close has nothing to judge.
waits_for_client() {
  audit never-close --grace 1s "$@"
  expect 3 "unknown=$CONNS"
}

# lingers [OPTION...]: it shuts down after its reply, and waits a while for the client's FIN before it closes.
lingers() {
  audit never-close --grace 1s "$@"
  expect 1 "held=$CONNS" "shut_down=$CONNS"
  says 'keeps its end after its own FIN'
}

# keeps_stalled [OPTION...]: clients that do not read its reply, for longer than a second.
keeps_stalled() {
  audit stall --grace 1s "$@"
  expect 1 "held=$CONNS" "stalled=$CONNS"
}

# keeps_vanished [OPTION...]: clients whose machine has gone, for longer than a second. Nobody but root may play one.
keeps_vanished() {
  ((EUID == 0)) || return 0
  audit vanish --grace 1s "$@"
  expect 1 "held=$CONNS" "open=$CONNS"
}

# closes_when_half_asked [OPTION...]: whichever way a client leaves that has sent the first half of its request.
closes_when_half_asked() {
  closes short-request short-request-close short-request-abort -- "$@"
}

# meets_late_requests [OPTION...]: those that come as its idle timeout ends it answers, closes or resets, and holds none.
meets_late_requests() {
  audit late-request "$@"
  [[ $code == 0 && $counts =~ ^(closed=[0-9]+)?\ ?(reset=[0-9]+)?$ ]] || { show_output; return 1; }
  says 'idle timeout'
}

# request NAME TEXT: a file with that in it, for printf(1).
request() {
  # shellcheck disable=SC2059 # it is a format
  printf "$2" >"$dir/$1"
  say "$dir/$1"
}

# It takes no keep-alive: the server closes after its reply.
http_1_0() {
  request http-1.0 'GET /hello HTTP/1.0\r\n\r\n'
}

# A server of HTTP/1.1 with keep-alive, which has /hello and /big. It keeps idle clients, those that have gone without a word, and
# those that do not read, for some seconds at least; it closes when others leave, and replies to one whose FIN comes with its
# request. To HTTP/1.0 it closes after its reply.
is_http_server() {
  is_http_server_but_for never-close
  closes never-close -- --send "$(http_1_0)"
}

# is_http_server_but_for ORDER...: what is left out is another test's.
is_http_server_but_for() {
  skips "$@" half-close || closes_when_left
  closes_when_left --http /hello
  closes_when_half_asked --http /hello
  closes second-request -- --http /hello
  skips "$@" eof-with-request || closes eof-with-request -- --http /hello
  skips "$@" idle || keeps_idle
  keeps_idle --http /hello
  waits_for_client --http /hello
  keeps_stalled --http /big
  keeps_vanished --http /hello
  closes_when_left --send "$(http_1_0)"
  closes idle -- --send "$(http_1_0)"
  skips "$@" eof-with-request || closes eof-with-request -- --send "$(http_1_0)"
}

# skips ORDER... THIS: whether it is among them.
skips() {
  [[ " ${*:1:$#-1} " == *" ${*: -1} "* ]]
}

# talks REQUEST FAREWELL: a server of another protocol that answers both, and closes after the farewell.
talks() {
  closes_when_left
  closes_when_left --send "$1"
  closes_when_half_asked --send "$1"
  closes second-request eof-with-request -- --send "$1"
  keeps_idle
  keeps_idle --send "$1"
  waits_for_client --send "$1"
  keeps_vanished --send "$1"
  [[ -z $2 ]] || closes_when_left --send "$2"
  [[ -z $2 ]] || closes idle never-close eof-with-request -- --send "$2"
}

write_pages() {
  echo hello >"$dir/data/hello"
  head -c 4000000 /dev/zero >"$dir/data/big"
}

# write_nginx_config MORE
write_nginx_config() {
  write_pages
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
  server { listen 127.0.0.1:$port; root $dir/data; }
}
END
}

nginx_version() {
  nginx -v 2>&1 | sed 's,.*/,,; s/ .*//'
}

# serve_backend: nginx on $backend, for a proxy that is to come on $port.
serve_backend() {
  need nginx nginx-light
  port=$(free_port)
  write_nginx_config ""
  serve nginx "$(nginx_version)" nginx -c "$dir/nginx.conf"
  backend_pid=$server_pid
  backend=$port
  port=$(free_port)
}
