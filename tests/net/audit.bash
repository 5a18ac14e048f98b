# shellcheck shell=bash disable=SC2016,SC2034,SC2154 # its variables are for the tests, and perl's are not the shell's; others come from storm.bash
# audit: servers to be audited, the audit itself, and ss as the second witness of what it says.
#
# Needs storm.bash.

PORT=15000
CSV_FIELDS=round,port,class,before_act,close_s,bytes,group,server_state,recv_q,owner,command,held_to_the_end

# For serve_perl: it keeps every connection that it accepts.
CLOSER='while (accept(my $c, $l)) { push @kept, $c; }'

# within COMMAND...: in the namespace of the server.
within() {
  nsenter -t "$server_pid" -n -- "$@"
}

# serve NAME [--fixed] [OPTION...]: a server with that bug, in a namespace of its own.
serve() {
  in_fresh_namespace
  rm -f "$BATS_TEST_TMPDIR/server" # what an earlier one said is not its word
  "${launcher[@]}" "$STORM" server --cause "$@" >"$BATS_TEST_TMPDIR/server" 2>&1 3>&- &
  server_pid=$!
  others+=("$server_pid")
  wait_until 20 grep -qs '^Listening on ' "$BATS_TEST_TMPDIR/server"
}

# serve_perl BODY: a server of perl's own modules on $PORT, in a namespace of its own; the listener is $l.
serve_perl() {
  command -v perl >/dev/null || skip "no perl to make a server with"
  in_fresh_namespace
  rm -f "$BATS_TEST_TMPDIR/server"
  "${launcher[@]}" perl -e 'use strict; use Socket; use IO::Handle; $| = 1; $SIG{PIPE} = "IGNORE";
    sub now { Time::HiRes::time() } use Time::HiRes; my @kept;
    socket(my $l, AF_INET, SOCK_STREAM, 0) or die "socket: $!"; setsockopt($l, SOL_SOCKET, SO_REUSEADDR, 1);
    bind($l, pack_sockaddr_in('"$PORT"', INADDR_ANY)) or die "bind: $!"; listen($l, 1024); print "Listening\n";'"$1" \
    >"$BATS_TEST_TMPDIR/server" 2>&1 3>&- &
  server_pid=$!
  others+=("$server_pid")
  wait_until 20 grep -qs '^Listening' "$BATS_TEST_TMPDIR/server"
}

# end_server: with the children that it has left.
end_server() {
  local child children
  mapfile -t children < <(pgrep -P "$server_pid")
  for child in "${children[@]}"; do
    # shellcheck disable=SC2046 # a word each
    kill -KILL $(pgrep -P "$child") "$child" 2>/dev/null || true
  done
  kill -KILL "$server_pid" 2>/dev/null || true
  wait "$server_pid" 2>/dev/null || true
}

# audit [OPTION...]: of that server, from within its namespace.
audit() {
  audit_of "127.0.0.1:$PORT" "$@"
}

audit_of() {
  code=0
  within "$STORM" audit "$1" --json "$JSON" --csv "$CSV" "${@:2}" >"$OUT" 2>"$ERR" 3>&- || code=$?
}

# a_line: a file with a request in it.
a_line() {
  echo 'a request' >"$BATS_TEST_TMPDIR/line"
  say "$BATS_TEST_TMPDIR/line"
}

# expect_counts NAME=N...: the classes and groups of the result that are not 0 are these and no others.
expect_counts() {
  local there wanted
  there=$(jq -r '[.classes, .groups] | map(to_entries[] | select(.value > 0) | "\(.key)=\(.value)") | sort | join(" ")' "$JSON")
  wanted=$(printf '%s\n' "$@" | LC_ALL=C sort | paste -sd' ')
  if [[ $there != "$wanted" ]]; then
    say "the result has $there where $wanted was expected"
    show_output
    return 1
  fi
}

count_of() {
  jq -r "[.classes, .groups] | add | .$1" "$JSON"
}

# expect_leak GROUP[|GROUP] [LEAST]: exit code 1, and what is held is in that group alone, or in the other one alone.
expect_leak() {
  expect_code 1
  local held
  held=$(($(count_of held) + $(count_of never_accepted)))
  ((held >= ${2-1})) || { say "$held are held"; show_output; return 1; }
  [[ $(count_of "${1%|*}") == "$held" || $(count_of "${1#*|}") == "$held" ]] || { say "not all in $1"; show_output; return 1; }
}

# For expect_leak where the FIN follows the data at once: it may come in the same millisecond.
READ_OR_UNSURE='eof_read|eof_unsure'

# ss_counts STATE: the server's ends in that state, as ss sees them.
ss_counts() {
  within ss -Htan state "$1" "sport = :$PORT" | wc -l
}

# serve_python BODY [BACKLOG]: a server of python's on $PORT, in a namespace of its own; the listener is s.
serve_python() {
  command -v python3 >/dev/null || skip "no python3 to make a server with"
  in_fresh_namespace
  rm -f "$BATS_TEST_TMPDIR/server"
  "${launcher[@]}" python3 -u -c 'import os, socket, sys, threading, time
s = socket.create_server(("127.0.0.1", '"$PORT"'), backlog='"${2-1024}"')
def serve_each(handler):
    while True: threading.Thread(target=handler, args=(s.accept()[0],), daemon=True).start()
def drain(c):
    try:
        while c.recv(4096): pass
    except OSError: pass
print("Listening")
'"$1" >"$BATS_TEST_TMPDIR/server" 2>&1 3>&- &
  server_pid=$!
  others+=("$server_pid")
  wait_until 30 grep -qs '^Listening' "$BATS_TEST_TMPDIR/server"
}

# in_another_namespace PID: of the network, and it can be read: of a process that is about to execute something it cannot.
in_another_namespace() {
  local its
  its=$(readlink "/proc/$1/ns/net") && [[ $its && $its != $(readlink /proc/self/ns/net) ]]
}
