#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # variables shared with storm.bash; every test is a subshell
#
# "tcpstorm server --cause": each bug of a server and its fixed twin, with clients that are not ours (perl), and ss as the
# witness: which sockets stay in CLOSE_WAIT, whether their EOF is read (Recv-Q), and who holds them.

load ../storm

PORT=15000

# ---- the server ----

# serve NAME [--fixed] [OPTION...]: in a namespace of its own, until "listening".
serve() {
  in_fresh_namespace
  : >"$OUT" # an earlier server listened too
  "${launcher[@]}" "$STORM" server --cause "$@" >"$OUT" 2>"$ERR" 3>&- &
  storm_pid=$!
  if ! wait_until 10 grep -q '^Listening on ' "$OUT"; then
    say "the server does not listen"
    show_output
    return 1
  fi
}

# Ctrl-C; nothing of it may be left.
interrupt_server() {
  local children child
  children=$(pgrep -P "$storm_pid" || true)
  kill -INT "$storm_pid"
  end_storm "$PATIENCE"
  expect_code 130
  expect_in "$ERR" "interrupted"
  for child in $children; do
    is_over "$child" || { say "its child $child is left"; return 1; }
  done
  expect_no_process
}

# ---- clients ----

# open_clients N: they connect, send a request each, and stay until close_clients. Perl's own modules: every Debian has
# them.
open_clients() {
  command -v perl >/dev/null || skip "no perl to make clients with"
  coproc clients {
    # shellcheck disable=SC2016
    inside perl -e 'use strict; use Socket;
      my ($port, $count) = @ARGV; my @clients; $SIG{PIPE} = "IGNORE";
      for (1 .. $count) {
        socket(my $s, AF_INET, SOCK_STREAM, 0) or die "socket: $!";
        connect($s, pack_sockaddr_in($port, INADDR_LOOPBACK)) or die "connect: $!";
        syswrite($s, "a request\n");
        push @clients, $s;
      }
      syswrite(STDOUT, "ready\n");
      my $how = <STDIN>;
      if ($how eq "vanish\n") { setsockopt($_, 6, 19, pack("i", 1)) or die "TCP_REPAIR: $!" for @clients; }
      if ($how eq "reset\n") { setsockopt($_, SOL_SOCKET, SO_LINGER, pack("ii", 1, 0)) for @clients; }
      close($_) for @clients' "$PORT" "$1" 3>&-
  }
  others+=("$clients_PID")
  clients_pid=$clients_PID
  local line
  read -r -t 60 line <&"${clients[0]}"
  [[ $line == ready ]]
}

# close_clients [reset|vanish]
close_clients() {
  echo "${1:-close}" >&"${clients[1]}"
  wait_until 10 is_over "$clients_pid"
}

# visit N: N clients come, are heard, and leave.
visit() {
  open_clients "$1"
  wait_until 5 requests_are_read
  close_clients
}

# visit_unheard N: likewise where nobody reads.
visit_unheard() {
  open_clients "$1"
  close_clients
}

# ---- what ss says ----

server_sockets() {
  inside ss -Htanpo "$@" "sport = :$PORT"
}

requests_are_read() {
  [[ -z $(server_sockets state established | awk '$1 > 0') ]]
}

# The listener is there, and TIME_WAIT perhaps, and nothing else.
nothing_stays() {
  server_sockets | awk '
    $1 == "LISTEN" { listens = 1; next }
    $1 != "TIME-WAIT" { stays = 1 }
    END { exit stays || !listens }'
}

# lingers N EOF OWNER: at least N sockets are in CLOSE_WAIT, and all that are have their EOF "read" or "unread", and are
# held by the "server", by "another" process or by "nobody".
lingers() {
  server_sockets state close-wait | awk -v least="$1" -v eof="$2" -v owner="$3" -v pid="pid=$storm_pid," '
    {
      n++
      if (($1 > 0 ? "unread" : "read") != eof) exit bad = 1
      if ((index($0, pid) ? "server" : /users:/ ? "another" : "nobody") != owner) exit bad = 1
    }
    END { exit bad || n < least }'
}

expect_lingering() {
  if ! wait_until 5 lingers "$@"; then
    say "expected at least $1 in CLOSE_WAIT, EOF $2, held by $3; ss says:"
    server_sockets
    show_output
    return 1
  fi
}

expect_nothing_stays() {
  if ! wait_until 5 nothing_stays; then
    say "expected nothing to stay; ss says:"
    server_sockets
    show_output
    return 1
  fi
}

descriptors() {
  find "/proc/$storm_pid/fd" -lname 'socket:*' | wc -l
}

# holds_sockets N: the server has so many descriptors of sockets, its listener, and libevent's pair among them.
holds_sockets() {
  [[ $(find "/proc/$storm_pid/fd" -lname 'socket:*' | wc -l) == "$1" ]]
}

# ---- the causes ----

@test "the server says what is wrong with it, and what is fixed" {
  serve ignore-eof
  expect_in "$OUT" "Listening on 127.0.0.1:15000 with the bug ignore-eof: the server reads EOF and does not close"
  interrupt_server
  serve ignore-eof --fixed
  expect_in "$OUT" "Listening on 127.0.0.1:15000 with ignore-eof fixed: the server closes when it reads EOF"
  interrupt_server
}

@test "under nohup a hang-up does not end it, and an interrupt does" {
  in_fresh_namespace() { # serve() would make the launcher anew
    launcher=(nohup)
  }
  serve ignore-eof
  kill -HUP "$storm_pid"
  visit 5
  expect_lingering 5 read server
  interrupt_server
}

@test "ignore-eof: held by the server, EOF read" {
  serve ignore-eof
  visit 20
  expect_lingering 20 read server
  interrupt_server
}

@test "ignore-eof, fixed: nothing stays" {
  serve ignore-eof --fixed
  visit 20
  expect_nothing_stays
  interrupt_server
}

@test "paused-read: held by the server, EOF unread" {
  serve paused-read
  visit 20
  expect_lingering 20 unread server
  interrupt_server
}

@test "paused-read, fixed: nothing stays" {
  serve paused-read --fixed
  visit 20
  expect_nothing_stays
  interrupt_server
}

cpu_ticks() {
  local stat
  read -r stat <"/proc/$storm_pid/stat"
  # shellcheck disable=SC2086
  set -- ${stat##*) }
  say $((${12} + ${13}))
}

@test "paused-read, fixed: a reset is heard while reading is paused, and nothing spins" {
  serve paused-read --fixed
  local sockets before
  sockets=$(find "/proc/$storm_pid/fd" -lname 'socket:*' | wc -l)
  open_clients 20
  wait_until 5 requests_are_read
  close_clients reset
  wait_until 5 holds_sockets "$sockets"
  before=$(cpu_ticks)
  sleep 0.3
  (($(cpu_ticks) - before < 10))
  interrupt_server
}

@test "bounded-pool: held by the server, EOF unread" {
  serve bounded-pool
  visit_unheard 40
  expect_lingering 40 unread server
  interrupt_server
}

@test "bounded-pool, fixed: nothing stays" {
  serve bounded-pool --fixed
  visit_unheard 40
  expect_nothing_stays
  interrupt_server
}

@test "never-accept: nobody has a descriptor, EOF unread" {
  serve never-accept
  visit 10
  expect_nothing_stays
  visit_unheard 20
  expect_lingering 20 unread nobody
  interrupt_server
}

@test "never-accept, fixed: nothing stays" {
  serve never-accept --fixed
  visit 10
  visit 20
  expect_nothing_stays
  interrupt_server
}

@test "emfile: held by the server, EOF unread, and more at each rush" {
  serve emfile
  visit_unheard 40
  expect_lingering 1 unread server
  visit_unheard 40
  expect_lingering 2 unread server
  interrupt_server
}

@test "emfile, fixed: nothing stays, and it serves again" {
  serve emfile --fixed
  visit_unheard 40
  expect_nothing_stays
  visit_unheard 40
  expect_nothing_stays
  visit 5
  expect_nothing_stays
  interrupt_server
}

@test "fork-inherit: held by another process, EOF read" {
  serve fork-inherit
  visit 16
  expect_lingering 16 read another
  interrupt_server
}

@test "fork-inherit, fixed: nothing stays, although helpers run" {
  serve fork-inherit --fixed
  visit 16
  expect_nothing_stays
  [[ $(pgrep -c -P "$storm_pid") == 1 ]]
  interrupt_server
}

@test "lost-reference: every fifth is held by the server, EOF unread" {
  serve lost-reference
  visit 20
  expect_lingering 4 unread server
  interrupt_server
}

@test "lost-reference, fixed: nothing stays" {
  serve lost-reference --fixed
  visit 20
  expect_nothing_stays
  interrupt_server
}

@test "no-half-close: held by the proxy, EOF read" {
  serve no-half-close
  visit 20
  expect_lingering 20 read server
  interrupt_server
}

@test "no-half-close, fixed: nothing stays, towards the backend neither" {
  serve no-half-close --fixed
  local sockets
  sockets=$(find "/proc/$storm_pid/fd" -lname 'socket:*' | wc -l)
  visit 20
  expect_nothing_stays
  wait_until 5 holds_sockets "$sockets"
  interrupt_server
}

@test "no-half-close, with the bug and fixed: a client's reset ends both connections" {
  local twin sockets
  for twin in "" --fixed; do
    # shellcheck disable=SC2086
    serve no-half-close $twin
    sockets=$(find "/proc/$storm_pid/fd" -lname 'socket:*' | wc -l)
    open_clients 20
    wait_until 5 requests_are_read
    close_clients reset
    wait_until 5 holds_sockets "$sockets"
    interrupt_server
  done
}

# held N STATE PATTERN: N sockets of the server's are in that state, in lines of ss that match.
held() {
  (($(server_sockets state "$2" | grep -Ec -- "$3") == $1))
}

expect_held() {
  if ! wait_until 5 held "$@"; then
    say "expected $1 in $2 with \"$3\"; ss says:"
    server_sockets
    show_output
    return 1
  fi
}

@test "half-closed-for-ever: FIN_WAIT2 with a descriptor, while the clients keep their ends" {
  serve half-closed-for-ever
  open_clients 20
  expect_held 20 fin-wait-2 "pid=$storm_pid,"
  close_clients
  expect_nothing_stays
  interrupt_server
}

@test "half-closed-for-ever, fixed: FIN_WAIT2 that the kernel ends" {
  serve half-closed-for-ever --fixed
  open_clients 20
  expect_held 20 fin-wait-2 'timewait'
  close_clients
  interrupt_server
}

@test "reset-swallowed: no socket stays, and its descriptors do; fixed, neither does" {
  local twin sockets
  for twin in "" --fixed; do
    # shellcheck disable=SC2086
    serve reset-swallowed $twin
    sockets=$(descriptors)
    open_clients 20
    wait_until 5 requests_are_read
    close_clients reset
    [[ $twin ]] || sockets=$((sockets + 20))
    wait_until 5 holds_sockets "$sockets"
    expect_nothing_stays
    interrupt_server
  done
}

@test "stalled-reader: ESTABLISHED before a closed window; fixed, neither side has a connection" {
  serve stalled-reader
  open_clients 20
  expect_held 20 established "timer:\(persist.*pid=$storm_pid,|pid=$storm_pid,.*timer:\(persist"
  close_clients
  expect_nothing_stays
  interrupt_server
  serve stalled-reader --fixed
  open_clients 20
  expect_nothing_stays
  close_clients
  interrupt_server
}

@test "no-timeout: ESTABLISHED with nobody; fixed, keep-alive ends it" {
  serve no-timeout
  open_clients 20
  close_clients vanish
  expect_held 20 established "pid=$storm_pid,"
  [[ -z $(inside ss -Htan "dport = :$PORT") ]]
  interrupt_server
  serve no-timeout --fixed
  open_clients 20
  close_clients vanish
  expect_nothing_stays
  interrupt_server
}

# ask_slowly [PIECES]: a client that sends its request in pieces, shuts its half down and reads the reply. Says what came of it.
ask_slowly() {
  command -v perl >/dev/null || skip "no perl to make clients with"
  # shellcheck disable=SC2016
  inside perl -e 'use strict; use Socket; $| = 1; $SIG{PIPE} = "IGNORE";
    $SIG{ALRM} = sub { print "waited in vain\n"; exit }; alarm 60;
    socket(my $s, AF_INET, SOCK_STREAM, 0) or die "socket: $!";
    connect($s, pack_sockaddr_in($ARGV[0], INADDR_LOOPBACK)) or die "connect: $!";
    for (1 .. $ARGV[1]) {
      select undef, undef, undef, 0.01 if $_ > 1; # not before the FIN, which must come before an answer is ready
      if (!syswrite($s, "a piece of a request\n")) { print "sending failed\n"; exit }
    }
    shutdown($s, 1);
    my $reply = "";
    while (sysread($s, my $piece, 4096)) { $reply .= $piece }
    print $reply eq "" ? "no reply\n" : "a reply\n"' "$PORT" "${1:-20}" 3>&-
}

aborts_on_close() {
  inside nstat -asz TcpExtTCPAbortOnClose | awk '$1 == "TcpExtTCPAbortOnClose" { print $2 }'
}

@test "no-half-close, fixed: the client has its reply" {
  serve no-half-close --fixed
  [[ $(ask_slowly) == "a reply" ]]
  interrupt_server
}

@test "reply-before-read: a reset, and the client cannot finish its request" {
  serve reply-before-read
  [[ $(ask_slowly) == "sending failed" ]]
  [[ $(aborts_on_close) == 1 ]]
  expect_nothing_stays
  interrupt_server
}

@test "reply-before-read, fixed: no reset, and the client has its reply" {
  serve reply-before-read --fixed
  [[ $(ask_slowly) == "a reply" ]]
  [[ $(aborts_on_close) == 0 ]]
  expect_nothing_stays
  interrupt_server
}

@test "eof-is-abort: no reply and no reset; fixed, the client has its reply" {
  serve eof-is-abort
  [[ $(ask_slowly 1) == "no reply" ]]
  [[ $(aborts_on_close) == 0 ]]
  expect_nothing_stays
  interrupt_server
  serve eof-is-abort --fixed
  [[ $(ask_slowly 1) == "a reply" ]]
  expect_nothing_stays
  interrupt_server
}

@test "second-socket-forgotten: nothing stays in front, and a connection to the backend for each; fixed, none" {
  local twin sockets
  for twin in "" --fixed; do
    # shellcheck disable=SC2086
    serve second-socket-forgotten $twin
    sockets=$(descriptors)
    open_clients 20
    wait_until 5 requests_are_read
    close_clients reset
    [[ $twin ]] || sockets=$((sockets + 20))
    wait_until 5 holds_sockets "$sockets"
    expect_nothing_stays
    [[ $twin ]] || (($(inside ss -Htnp state established "sport != :$PORT" | grep -c "pid=$storm_pid,") == 20))
    interrupt_server
  done
}

# ---- how it goes away ----

# children_are_over PID...
children_are_over() {
  local child
  for child; do
    is_over "$child" || return 1
  done
}

# somebody_listens PATTERN: what ss says of the listener fits.
somebody_listens() {
  server_sockets state listening | grep -q "$1"
}

@test "inherited-listener: after a restart a helper has the port, and nobody accepts; fixed, the server serves" {
  serve inherited-listener
  visit 10
  wait_until 5 somebody_listens 'users:(("sleep",pid=[0-9]*,fd=[0-9]*))$'
  visit_unheard 20
  expect_lingering 20 unread nobody
  interrupt_server
  serve inherited-listener --fixed
  visit 10
  visit 20
  expect_nothing_stays
  somebody_listens "pid=$storm_pid,"
  interrupt_server
}

@test "a server that is killed takes its helpers and its backend with it" {
  local name children
  for name in fork-inherit no-half-close; do
    serve "$name"
    visit 16
    mapfile -t children < <(pgrep -P "$storm_pid")
    ((${#children[@]} == 1))
    kill -KILL "$storm_pid"
    wait_until 5 children_are_over "${children[@]}"
    end_storm "$PATIENCE"
  done
}

@test "SIGTERM ends it like Ctrl-C" {
  serve ignore-eof
  kill -TERM "$storm_pid"
  end_storm "$PATIENCE"
  expect_code 130
}

@test "a port that is in use is named" {
  serve ignore-eof
  code=0
  inside "$STORM" server --cause ignore-eof >"$BATS_TEST_TMPDIR/second" 2>"$ERR" 3>&- || code=$?
  expect_code 3
  expect_one_sentence
  expect_in "$ERR" "port 15000 is in use"
  kill -INT "$storm_pid"
  end_storm "$PATIENCE"
}

@test "it serves on IPv6 too" {
  serve ignore-eof --address ::1 --port 15001
  expect_in "$OUT" "Listening on [::1]:15001 with the bug ignore-eof"
  inside ss -Htln "sport = :15001" | grep -q '\[::1\]:15001'
  interrupt_server
}
