#!/usr/bin/env bats
# shellcheck disable=SC2154 # bats sets status, output, stderr and their lines
#
# Bad input: one sentence with the option, the value and what is allowed; exit code 2; nothing opened.

load helper

@test "an unknown option is answered by the nearest one" {
  refused '--ordr' 'did you mean --order?' -- --ordr leak
}

@test "an option like no other is answered by --help" {
  refused '--frobnicate' 'tcpstorm --help' -- --frobnicate
}

@test "an unknown option behind good ones is refused" {
  refused '--setle' 'did you mean --settle?' -- --conns 5 --quiet --setle 2s
}

@test "an unknown order is answered by the nearest one" {
  refused '--order "sever-first"' 'did you mean server-first?' -- --order sever-first
}

@test "an order like no other is answered by where they are listed" {
  refused '--order "xyzzy"' 'tcpstorm orders' -- --order xyzzy
}

@test "an unknown order in a list is named" {
  refused '--order "leak,abrot"' 'abrot' 'did you mean abort?' -- --order leak,abrot
}

@test "a list of orders with a gap is refused" {
  refused '--order "leak,"' 'must be' -- --order leak,
  refused '--order ",leak"' 'must be' -- --order ,leak
  refused '--order ""' 'must be' -- --order ''
}

@test "more orders than one run can hold are refused" {
  local list=leak i
  for ((i = 0; i < 100; i++)); do
    list+=,leak
  done
  refused '--order' 'at most' -- --order "$list"
}

@test "--conns takes no zero" {
  refused '--conns "0"' 'from 1 to' -- --conns 0
}

@test "--conns takes no negative number" {
  refused '--conns "-5"' 'from 1 to' -- --conns -5
  refused '--conns "-5"' 'from 1 to' -- --conns=-5
}

@test "--conns takes no word" {
  refused '--conns "abc"' 'whole number' -- --conns abc
}

@test "--conns takes no trailing junk" {
  refused '--conns "10x"' 'whole number' -- --conns 10x
  refused '--conns "1e3"' 'whole number' -- --conns 1e3
  refused '--conns "10 "' 'whole number' -- --conns '10 '
}

@test "--conns takes no number that overflows" {
  refused '--conns "99999999999999999999"' 'from 1 to' -- --conns 99999999999999999999
  refused '--conns "9223372036854775808"' 'from 1 to' -- --conns 9223372036854775808
  refused '--conns "9223372036854775807m"' 'from 1 to' -- --conns 9223372036854775807m
}

@test "--conns takes no part of a connection" {
  refused '--conns "1.5"' 'whole number' -- --conns 1.5
}

@test "--hold takes no unknown unit" {
  refused '--hold "5x"' 'must be a duration' '1m30s' 'forever' -- --hold 5x
}

@test "--hold takes no negative time" {
  refused '--hold "-1s"' 'must be a duration' -- --hold -1s
}

@test "--hold takes no more than a day" {
  refused '--hold "25h"' '24h' -- --hold 25h
}

@test "--settle takes neither nothing nor forever" {
  refused '--settle "0s"' 'must be a duration from' -- --settle 0s
  refused '--settle "forever"' 'must be a duration from' -- --settle forever
}

@test "--interval takes neither nothing nor junk" {
  refused '--interval "0"' 'must be a duration from' -- --interval 0
  refused '--interval "100msx"' 'must be a duration from' -- --interval 100msx
}

@test "keep-alive takes whole seconds that the kernel takes" {
  local option value
  for option in --server-keepalive --client-keepalive; do
    for value in 0s 999ms 1500ms 32768s -1s soon ''; do
      refused "$option \"$value\"" 'must be whole seconds from 1s to 32767s' -- "$option" "$value"
    done
  done
  refused 'unknown option --server-keepalive' -- state ESTABLISHED --server-keepalive 1s
}

@test "--port takes no number beyond the last port" {
  refused '--port "70000"' 'from 1 to 65,535' -- --port 70000
  refused '--port "65536"' 'from 1 to 65,535' -- --port 65536
}

@test "--port takes no zero" {
  refused '--port "0"' 'from 1 to 65,535' -- --port 0
}

@test "--address takes no address beyond loopback" {
  refused '--address "10.0.0.1"' 'loopback' '127.0.0.1' '::1' -- --address 10.0.0.1
  refused '--address "0.0.0.0"' 'must be' '127.0.0.1' -- --address 0.0.0.0
  refused '--address "::"' 'must be' '127.0.0.1' -- --address ::
  refused '--address "::ffff:127.0.0.1"' 'must be' '127.0.0.1' -- --address ::ffff:127.0.0.1
}

@test "--address takes no name" {
  refused '--address "localhost"' 'must be a numeric address' -- --address localhost
}

@test "--address takes no port" {
  refused '--address "127.0.0.1:80"' 'must be a numeric address' -- --address 127.0.0.1:80
}

@test "--witness takes none but its own" {
  refused '--witness "foo"' 'must be auto, netlink, procfs or events' -- --witness foo
  refused '--witness ""' 'must be auto, netlink, procfs or events' -- --witness ''
}

@test "two outputs cannot both be stdout" {
  refused '--csv "-"' '--json "-"' 'stdout' -- --csv - --json -
}

@test "two outputs cannot be the same file" {
  refused '--csv "same.out"' '--json "same.out"' 'must be two different files' -- --csv same.out --json same.out
}

@test "two outputs cannot be the same file by way of links, nor standard output" {
  local at=$BATS_FILE_TMPDIR
  ln -s new "$at/link" # to a file that is not there yet
  refused 'must be two different files' -- --csv "$at/new" --json "$at/link"
  refused 'must be two different files' -- state all --csv "$at/link" --json "$at/new"
  refused 'must be two different files' -- audit 127.0.0.1:80 --csv "$at/link" --junit "$at/new"
  [[ ! -e $at/new ]] || fail_with 'a file was made'
  echo kept >"$at/one"
  ln "$at/one" "$at/two"
  refused 'must be two different files' -- --csv "$at/one" --json "$at/two"
  refused 'must be two different files' -- audit 127.0.0.1:80 --json "$at/one" --junit "$at/two"
  [[ $(cat "$at/one") == kept ]] || fail_with 'a file was emptied'
  refused '--csv "/dev/stdout" is standard output' -- --csv /dev/stdout
  refused '--json "/proc/self/fd/1" is standard output' -- state all --json /proc/self/fd/1
  refused '--junit "/dev/stdout" is standard output' -- audit 127.0.0.1:80 --junit /dev/stdout
  refused '--json "/dev/stdout" is standard output' -- watch --once --json /dev/stdout
  refused '--csv "/dev/stderr" is standard error' -- --csv /dev/stderr
}

@test "two outputs cannot be the same file under two names" {
  refused '--csv "same.out"' '--json "./same.out"' -- \
    --conns 3 --order abort --hold 0s --csv same.out --json ./same.out
}

@test "an output in a directory that is not there is refused" {
  refused '--csv "/nonexistent/x.csv"' 'No such file or directory' 'must be' -- --csv /nonexistent/x.csv
  refused '--json "/nonexistent/x.json"' 'No such file or directory' 'must be' -- --json /nonexistent/x.json
}

@test "--metrics takes a loopback address with a port" {
  local wrong
  for wrong in 10.0.0.1:9464 0.0.0.0:9464 '[::]:9464' '[::ffff:127.0.0.1]:9464' localhost:9464 127.0.0.1 9464 :9464 \
    127.0.0.1: 127.0.0.1:0 127.0.0.1:65536 127.0.0.1:-1 127.0.0.1:http '127.0.0.1:9464 ' ::1:9464 '[::1]' - /tmp/metrics; do
    refused "--metrics \"$wrong\"" 'loopback address with a port' '127.0.0.1:9464' '[::1]:9464' -- --metrics "$wrong"
  done
  refused '--metrics "localhost:9464"' 'loopback address with a port' -- state close-wait --metrics localhost:9464
  refused '--metrics' -- --metrics
}

@test "of a live view, plain lines and silence allowed is one" {
  refused '--live cannot be used with --plain' -- --live --plain
  refused '--live cannot be used with --quiet' -- --live --quiet
  refused '--live cannot be used with --quiet' -- state close-wait --quiet --live
  dry_run --plain --quiet --conns 5
  assert_status 0
}

@test "a directory is no output" {
  refused '--csv "/"' 'directory' 'must be' -- --csv /
}

@test "an empty name is no output" {
  refused '--csv ""' 'not empty' -- --csv ''
  refused '--json ""' 'not empty' -- --json=
}

@test "a dry run refuses an output that cannot be written, as the run would" {
  refused '--csv "/nonexistent/x.csv"' -- --dry-run --csv /nonexistent/x.csv
}

@test "a second output that cannot be written leaves the first as it was" {
  printf 'rows of yesterday\n' >kept.csv
  storm --csv kept.csv --json /nonexistent/x.json
  assert_status 2
  assert_one_message
  run cat kept.csv
  [[ $output == 'rows of yesterday' ]] || fail_with 'kept.csv was overwritten'
}

@test "a value that is missing is asked for" {
  refused '--conns' 'needs a value' -- --conns
  refused '--order' 'needs a value' -- --conns 5 --order
}

@test "a word that is no option is refused" {
  refused '"leak"' '--name value' -- --conns 5 leak
  refused '"-"' -- --conns 5 -
  refused '"leak"' '--name value' -- --conns 5 -- leak
  refused '"-n"' -- --conns 5 -n 3
}

@test "a switch takes no value" {
  refused '--quiet "yes"' 'must be given without a value' -- --quiet=yes
  refused '--dry-run ""' 'must be given without a value' -- --dry-run=
}

@test "an unknown command is answered by the nearest one" {
  refused '"oders"' 'did you mean orders?' -- oders
}

@test "a command like no other is answered by --help" {
  refused '"frobnicate"' 'tcpstorm --help' -- frobnicate
  refused '""' 'tcpstorm --help' -- ''
}

@test "a very long command is like no other" {
  refused 'tcpstorm --help' -- "$(printf 'x%.0s' {1..200})"
}

@test "orders takes nothing but what it knows" {
  refused '--nmaes' 'did you mean --names?' 'tcpstorm orders --help' -- orders --nmaes
  refused '"leak"' '--name value' -- orders leak
  refused '--names is given twice' -- orders --names --names
  refused '--names cannot be used with --json' -- orders --names --json
}

@test "--leak takes neither nothing nor more than all" {
  refused '--leak "0"' 'a number of connections' '5%' -- --leak 0
  refused '--leak "0%"' 'a share above 0% up to 100%' -- --leak 0%
  refused '--leak "0.0%"' 'above 0%' -- --leak 0.0%
  refused '--leak "101%"' 'up to 100%' -- --leak 101%
  refused '--leak "100.001%"' 'up to 100%' -- --leak 100.001%
}

@test "--leak takes no word and no junk" {
  local value
  for value in abc 5%% % .5% -5 -5% 5.5 1e1% 5%x 1.2.3% ' 5%' '' nan% inf% 0x10%; do
    refused "--leak \"$value\"" 'must be a number of connections' -- --leak "$value"
  done
}

@test "--leak takes no more connections than there are" {
  refused '--leak "2000"' 'of 1,000 connections' '1 to 1,000' -- --leak 2000
  refused '--leak "6"' 'of 5 connections' '1 to 5' -- --conns 5 --leak 6
  refused '--leak "201"' 'of 200 connections' '1 to 200' -- --rate 100 --duration 2s --leak 201
}

@test "--leak takes no share that is less than one connection" {
  refused '--leak "0.5%"' 'of 100 connections' '1 to 100' -- --conns 100 --leak 0.5%
  refused '--leak "0.0000001%"' 'of 1,000 connections' -- --leak 0.0000001%
}

@test "--leak needs an order with a second close()" {
  refused '--leak "5%"' '--order leak' 'second close()' -- --leak 5% --order leak
  refused '--leak "20"' '--order never-close' 'second close()' -- --leak 20 --order never-close
  refused '--leak "20"' '--order leak' -- --leak 20 --order client-first,leak
  refused '--leak "20"' 'second close()' -- --leak 20 --order all
  refused '--leak "20"' '--order leak' -- --leak 20 --order leak --rate 100
}

@test "--rate takes neither nothing, nor part of one, nor more than a million" {
  refused '--rate "0"' 'from 1 to 1,000,000' -- --rate 0
  refused '--rate "-1"' 'from 1 to' -- --rate -1
  refused '--rate "1.5"' 'whole number' -- --rate 1.5
  refused '--rate "abc"' 'whole number' -- --rate abc
  refused '--rate "2m"' 'from 1 to 1,000,000' -- --rate 2m
}

@test "a rate and a duration that make no connection, or too many, are refused with the number" {
  refused '--rate 1 ' '--duration 500ms' '0 connections' '1 to' -- --rate 1 --duration 500ms
  refused '--rate 1,000,000 ' '--duration 24h' '86,400,000,000 connections' '1 to 100,000,000' -- \
    --rate 1m --duration 24h
}

@test "--duration takes neither nothing nor forever" {
  refused '--duration "0s"' 'must be a duration from' -- --rate 5 --duration 0s
  refused '--duration "forever"' 'must be a duration from' -- --rate 5 --duration forever
  refused '--duration "25h"' '24h' -- --rate 5 --duration 25h
}

@test "--life takes no negative time and no junk" {
  refused '--life "-1s"' 'must be a duration from 0s' -- --rate 5 --life -1s
  refused '--life "5x"' 'must be a duration from 0s' -- --rate 5 --life 5x
}

@test "--backlog takes neither nothing nor more than listen() does" {
  refused '--backlog "0"' 'from 1 to 65,535' -- --rate 5 --backlog 0
  refused '--backlog "65536"' 'from 1 to 65,535' -- --rate 5 --backlog 65536
  refused '--backlog "few"' 'whole number' -- --rate 5 --backlog few
}

@test "--server-nofile takes no fewer than the server itself needs" {
  refused '--server-nofile "3"' 'from 16 to' -- --rate 5 --server-nofile 3
  refused '--server-nofile "15"' 'from 16 to' -- --cause ignore-eof --server-nofile 15
  refused '--server-nofile "0"' 'from 16 to' -- --rate 5 --server-nofile 0
}

@test "what concerns connections one by one needs --rate or --cause" {
  local option
  for option in '--duration 5s' '--life 1s' '--server-nofile 64' '--backlog 16'; do
    # shellcheck disable=SC2086 # option and value
    refused "${option%% *} " '--rate' '--cause' -- $option
  done
}

@test "--conns does not go with --rate or --cause" {
  refused '--conns ' '--rate' '--duration' -- --rate 100 --conns 5
  refused '--conns ' '--cause' -- --cause ignore-eof --conns 5
}

@test "--fixed needs --cause" {
  refused '--fixed' 'needs --cause' -- --fixed
  refused '--fixed' 'needs --cause' -- --fixed --rate 100
  refused '--fixed "yes"' 'must be given without a value' -- --cause ignore-eof --fixed=yes
}

@test "--cause goes with neither --order nor --leak" {
  refused '--order ' '--cause' -- --cause ignore-eof --order leak
  refused '--leak ' '--cause' -- --cause ignore-eof --leak 5
  refused '--leak ' '--cause' -- --cause ignore-eof --fixed --leak 5%
}

@test "an unknown cause is answered by the nearest one, or by where they are listed" {
  refused '--cause "ignore-oef"' 'did you mean ignore-eof?' -- --cause ignore-oef
  refused '--cause "emfiles"' 'did you mean emfile?' -- --cause emfiles
  refused '--cause "xyzzy"' 'tcpstorm causes' -- --cause xyzzy
  refused '--cause ""' 'tcpstorm causes' -- --cause ''
  refused '--cause' 'needs a value' -- --cause
}

# ---- states ----

@test "an unknown state is answered by the nearest one, or by all of them" {
  refused 'state "close-wiat"' 'did you mean close' -- state close-wiat
  refused 'state "last-akc"' 'did you mean last' -- state last-akc
  refused 'state "xyzzy"' 'close-wait' 'syn-recv' 'time-wait' '=N' -- state xyzzy
  refused 'state "gone"' 'must be' -- state gone
  refused 'state ""' 'must be' -- state ''
}

@test "an unknown state in a list is named, and no gap is taken" {
  refused 'state "clsoing"' 'did you mean closing?' -- state close-wait=3,clsoing=5
  refused 'state ""' 'must be' -- state close-wait,
  refused 'state ""' 'must be' -- state ,close-wait
  refused 'state ""' 'must be' -- state close-wait,,listen
}

@test "all is no state among others, and has no number" {
  refused 'state "all"' 'must be' -- state all,listen
  refused 'state "all"' 'must be' -- state all=5
}

@test "a state that is asked for twice, in whatever spelling, is refused" {
  refused 'state "close-wait"' 'twice' -- state close-wait,close-wait
  refused 'state "CloseWait"' 'twice' -- state close-wait=3,listen,CloseWait=5
  refused 'state "CLOSED"' 'twice' -- state close,CLOSED
}

@test "state needs a name first" {
  refused 'state needs the name' 'tcpstorm state all' -- state
  refused 'state needs the name' -- state --hold 5s
}

@test "a state takes no number that is none" {
  local number
  for number in 0 abc -1 1.5 '' 10x 99999999999999999999 ' 5'; do
    refused "state \"close-wait=$number\"" 'from 1 to 100,000,000' -- state "close-wait=$number"
  done
  refused '--conns "0"' 'from 1 to' -- state close-wait --conns 0
}

@test "a side that is never in that state is refused" {
  refused '--side "server"' 'SYN_SENT' -- state syn-sent --side server
  refused '--side "client"' 'SYN_RECV' -- state syn-recv --side client
  refused '--side "client"' 'LISTEN' -- state close-wait,listen --side client
  refused '--side "both"' 'must be usual, server or client' -- state close-wait --side both
}

@test "--side does not go with all" {
  refused '--side "server"' 'all' -- state all --side server
  refused '--side "client"' 'all' -- state all --side client
}

@test "TIME_WAIT is not held for longer than the kernel keeps it" {
  refused '--hold "1m"' 'TIME_WAIT ends after 1m' -- state time-wait --hold 60s
  refused '--hold "2m"' 'TIME_WAIT' -- state close-wait,time-wait --hold 2m
  refused '--hold "1m"' 'TIME_WAIT' -- state all --hold 60s
  refused '--hold "forever"' 'TIME_WAIT' -- state time-wait --hold forever
  refused '--hold "forever"' 'TIME_WAIT' -- state all --hold forever --isolate
}

@test "--hold of a state takes no junk" {
  refused '--hold "5x"' 'must be a duration' -- state close-wait --hold 5x
  refused '--hold "25h"' '24h' -- state close-wait --hold 25h
}

@test "a state takes the options of a state only" {
  refused 'unknown option --order' -- state close-wait --order leak
  refused 'unknown option --rate' -- state close-wait --rate 5
  refused '"listen"' 'unexpected argument' '--name value' -- state close-wait listen
  refused '--conns' 'needs a value' -- state close-wait --conns
}

@test "two outputs of a state cannot both be stdout" {
  refused '--csv "-"' '--json "-"' 'stdout' -- state close-wait --csv - --json -
}

@test "state itself may be mistyped" {
  refused '"stat"' 'did you mean state?' -- stat close-wait
}

@test "a value with a newline is answered in one line" {
  refused '--conns' 'must be' -- --conns $'1\n2'
  refused '--csv' -- --csv $'/nonexistent/a\nb'
}

@test "a value with terminal escapes is not passed on to the terminal" {
  refused '--conns' 'must be' -- --conns $'\e[31mred'
  [[ $stderr != *$'\e'* ]] || fail_with 'an escape came through'
}

@test "the first bad option is told, and only that" {
  refused '--conns "0"' -- --conns 0 --port 0 --order nope
}

@test "bad input opens no socket and starts no process" {
  local arguments
  while read -r -a arguments; do
    traced 'network,process' "${arguments[@]}"
    assert_status 2
    assert_not_called 'socket(pair)?\(' '(clone3?|v?fork)\('
  done <<'END'
--conns 0
--conns 99999999999999999999
--order sever-first
--hold 5x
--port 70000
--address 10.0.0.1
--address localhost
--witness foo
--frobnicate
--quiet=yes
--csv - --json -
--csv same.out --json same.out
frobnicate
--leak 101%
--leak 2000
--leak 5 --order leak
--rate 0
--rate 100 --conns 5
--life 1s
--fixed
--cause emfiles
--cause emfile --order leak
--rate 5 --server-nofile 3
--sysctl net.ipv4.tcp_fin_timeout=5
--isolate --sysctl kernel.pid_max=5
--rate 100 --order vanish
state
state close-wiat
state close-wait=0
state close-wait,close-wait
state syn-sent --side server
state all --side client
state time-wait --hold 60s
state listen --sysctl net.ipv4.tcp_fin_timeout=5
walk --order vanish
--conns 5 --conns 5
--isolate --isolate
--csv --json x
--isolate=3
--server-via true --server-via true --isolate --address 127.0.0.1
-- leak
walk --port 5 --port=5
state listen --live --plain
server --fixed
client --port=5 --port 5
audit 127.0.0.1:80 --send x --http /
watch --once --fail-on growth
END
}

@test "an output that cannot be written is refused before a socket is opened" {
  traced 'network,process' --csv /nonexistent/x.csv
  assert_status 2
  assert_not_called 'socket(pair)?\(' '(clone3?|v?fork)\('
}

# ---- trace ----

@test "trace needs a process, and takes no other words" {
  local target
  refused 'trace needs the number of a process' -- trace
  for target in '' x 0 -1 :80 1k 99999999999; do
    refused 'trace' 'such as' -- trace -- "$target"
  done
  refused '--duration "1ms"' -- trace 1 --duration 1ms
  refused '--linger "x"' -- trace 1 --linger x
  refused '--json "/nonexistent/x"' -- trace 1 --json /nonexistent/x
}

# ---- explain ----

@test "explain needs a process or a port, and takes no other words" {
  local target
  refused 'explain needs a process or a port' -- explain
  for target in x 0 1k -1 99999999999 : :0 :65536 :http 127.0.0.1:80 '' 1.5; do
    refused 'explain' 'such as' -- explain -- "$target"
  done
  refused '--for "1ms"' -- explain 1 --for 1ms
  refused '--max-epoll "-1"' -- explain 1 --max-epoll -1
  refused '--free "yes"' 'dry-run' 'now' -- explain 1 --free yes
  refused '--free' '--no-attach' -- explain 1 --free now --no-attach
  refused '--json "/nonexistent/x"' -- explain 1 --json /nonexistent/x
}

# ---- audit and watch ----

@test "audit needs a server, HOST:PORT" {
  local target
  refused 'audit needs a server' -- audit
  refused 'audit needs a server' -- audit --conns 5
  for target in nonsense 127.0.0.1 127.0.0.1: :80 ::1:80 http://127.0.0.1:80; do
    refused "audit \"$target\"" 'must be HOST:PORT' -- audit "$target"
  done
  for target in 127.0.0.1:0 127.0.0.1:65536 127.0.0.1:http; do
    refused "audit \"$target\"" 'from 1 to 65535' -- audit "$target"
  done
  refused 'must be one address' -- audit 0.0.0.0:80
}

@test "audit refuses a place that no Unix socket has" {
  local target
  for target in unix: unix:@ "unix:/$(printf '%0120d' 0)"; do
    refused "audit \"$target\"" -- audit "$target"
  done
  refused 'audit "/run/x"' 'must be unix:/path' -- audit /run/x
  refused 'audit "https://localhost:443"' -- audit https://localhost:443
  refused '--order "abort"' 'a Unix socket has no RST' -- audit unix:/run/x --order abort
}

@test "audit refuses a name that does not resolve" {
  refused 'the name does not resolve' -- audit no-such-name.invalid:80
}

@test "audit leaves loopback only when asked, and then within bounds" {
  refused 'audit "10.0.0.1:80"' 'outside loopback' '--allow-remote' -- audit 10.0.0.1:80
  refused 'outside loopback' -- audit '[::ffff:10.0.0.1]:80'
  refused '--conns "1001"' 'outside loopback it must be at most 1,000' -- audit 10.0.0.1:80 --allow-remote --conns 1001
}

@test "audit refuses values of its options, one sentence each" {
  refused '--order "leak"' -- audit 127.0.0.1:80 --order leak
  refused '--conns "0"' -- audit 127.0.0.1:80 --conns 0
  refused '--repeat "65"' -- audit 127.0.0.1:80 --repeat 65
  refused '--grace "1ms"' -- audit 127.0.0.1:80 --grace 1ms
  refused '--grace' 'tcp_fin_timeout' 'half-close' -- audit 127.0.0.1:80 --order client-first --grace 1h
  refused '--send "/etc/hostname" cannot be used with --http' -- audit 127.0.0.1:80 --send /etc/hostname --http /
  refused '--http "x"' 'begins with /' -- audit 127.0.0.1:80 --http x
  refused '--send "/nonexistent"' -- audit 127.0.0.1:80 --send /nonexistent
  refused '--send "/dev/null"' 'no content' -- audit 127.0.0.1:80 --send /dev/null
  refused '--ca "/nonexistent"' 'No such file' -- audit 127.0.0.1:80 --tls --ca /nonexistent
}

@test "audit refuses orders that are none, twice there, or lack what they need" {
  refused '--order "idle,leak"' 'several separated by commas' -- audit 127.0.0.1:80 --order idle,leak
  refused '--order "idle,"' -- audit 127.0.0.1:80 --order idle,
  refused '--order "idle,all"' -- audit 127.0.0.1:80 --order idle,all
  refused 'idle is in it twice' -- audit 127.0.0.1:80 --order idle,abort,idle
  refused '--order stall needs --send FILE or --http PATH' -- audit 127.0.0.1:80 --order idle,stall
  refused '--grace "1m"' 'client-first' -- audit 127.0.0.1:80 --order idle,client-first --grace 1m
  refused '--requests "1"' -- audit 127.0.0.1:80 --requests 1
  refused '--expect-idle-timeout "5s"' '--order idle or late-request' -- audit 127.0.0.1:80 --expect-idle-timeout 5s
  refused '--expect-idle-timeout "5s"' '--grace must be longer' -- audit 127.0.0.1:80 --order idle --expect-idle-timeout 5s
}

@test "audit refuses what makes no HTTP request" {
  refused '--method "GET /"' 'one word' -- audit 127.0.0.1:80 --http / --method 'GET /'
  refused '--header "Accept"' 'a colon' -- audit 127.0.0.1:80 --http / --header Accept
  refused '--header ": x"' -- audit 127.0.0.1:80 --http / --header ': x'
  refused 'must be one line' -- audit 127.0.0.1:80 --http / --header $'A: b\r\nC: d'
  refused '--header "A: b" needs --http' -- audit 127.0.0.1:80 --header 'A: b'
  refused '--body "/nonexistent"' -- audit 127.0.0.1:80 --http / --body /nonexistent
  refused '--body "/dev/null"' 'no content' -- audit 127.0.0.1:80 --http / --body /dev/null
}

@test "audit --through and --as-server refuse what they cannot use, one sentence each" {
  local through=(audit --through 127.0.0.1:80)
  refused '--through "127.0.0.1:80" needs --as-backend PORT' -- "${through[@]}"
  refused '--as-backend "9000" needs --through' -- audit 127.0.0.1:80 --as-backend 9000
  refused '--as-backend "x"' 'must be a port from 1 to 65535' -- "${through[@]}" --as-backend x
  refused '--as-backend "10.0.0.1:9000"' 'outside loopback' -- "${through[@]}" --as-backend 10.0.0.1:9000
  refused '"10.0.0.1:80"' 'outside loopback' '--allow-remote' -- audit --through 10.0.0.1:80 --as-backend 9000
  refused '"nonsense"' 'must be HOST:PORT' -- audit --through nonsense --as-backend 9000
  refused '"unix:/run/x"' 'must be HOST:PORT' -- audit --through unix:/run/x --as-backend 9000
  refused 'so no server can be given' -- audit 127.0.0.1:80 --through 127.0.0.1:80 --as-backend 9000
  refused '--http "x"' 'begins with /' -- "${through[@]}" --as-backend 9000 --http x
  refused '--conns "1001"' -- "${through[@]}" --as-backend 9000 --conns 1001
  refused '--grace "2m"' 'tcp_fin_timeout' -- "${through[@]}" --as-backend 9000 --grace 2m
  refused '--order' -- "${through[@]}" --as-backend 9000 --order idle
  refused 'needs --as-server' -- audit 127.0.0.1:80 --reply /etc/hostname
  refused '--order "idle"' 'close-idle' -- audit --as-server 9000 --order idle
  refused '--order half-reply needs --http or --reply FILE' -- audit --as-server 9000 --order half-reply
  refused '--reply "/etc/hostname" cannot be used with --http' -- audit --as-server 9000 --http --reply /etc/hostname
  refused '--status "99"' -- audit --as-server 9000 --http --status 99
  refused '--repeat' -- audit --as-server 9000 --repeat 2
}

@test "audit opens its files before a connection" {
  refused '--csv "/nonexistent/x"' -- audit 127.0.0.1:80 --csv /nonexistent/x
  refused '--junit "/nonexistent/x"' -- audit 127.0.0.1:80 --junit /nonexistent/x
  refused 'only one of them can be stdout' -- audit 127.0.0.1:80 --csv - --json -
}

@test "watch --metrics takes an address with a port, and both it and --closings go on" {
  local wrong
  for wrong in '' 9464 :9464 127.0.0.1 127.0.0.1:0 127.0.0.1:65536 localhost:9464 ::1:9464 '[::1]' '*:9464'; do
    refused "--metrics \"$wrong\"" 'with a port' '127.0.0.1:9464' -- watch --metrics "$wrong"
  done
  refused '--metrics' '--once' -- watch --metrics 127.0.0.1:9464 --once
  refused '--closings' '--once' -- watch --closings --once
  refused '--closings' '--pid' -- watch --closings --pid 1
}

@test "watch refuses what its looks cannot tell" {
  refused '--once cannot be used with --fail-on growth' -- watch --once --fail-on growth
  refused '--fail-on growth' '--duration must be 10s' -- watch --fail-on growth --duration 9s
  refused '--fail-on growth' '--interval' -- watch --fail-on growth --duration 10s --interval 2s
  refused '--port "0"' -- watch --port 0
  refused '--interval "1ms"' -- watch --interval 1ms
  refused '--fail-on "leak"' -- watch --fail-on leak
  refused '--fail-on "age"' 'must be growth' -- watch --fail-on age
  refused '--fail-on "growth:foo"' '"foo" is not a group' 'accept_queue' -- watch --fail-on growth:foo
  refused '--fail-on "count:0,growth"' 'count:NUMBER' -- watch --fail-on count:0,growth
  refused '--fail-on "growth:ghosts,nix"' -- watch --fail-on growth:ghosts,nix
  refused '--fail-on "eta:soon"' 'eta:TIME' -- watch --fail-on eta:soon
  refused '--once cannot be used with --fail-on eta' -- watch --once --fail-on eta:1h,age:1m
  refused '--fail-on growth' '--duration must be 4m' -- watch --fail-on growth:idle --duration 1m
  refused '--idle "1ms"' -- watch --idle 1ms
}

@test "--transitions needs events, and events need this machine" {
  refused '--transitions "moves.csv"' 'needs --witness events' -- --transitions moves.csv
  refused '--server-via "ssh db1"' 'cannot be used with --witness events' -- --witness events --server-via 'ssh db1' --address 10.0.0.5
  refused '--witness events' 'one state' -- state close-wait,last-ack --witness events
}

@test "the ports of transitions are different ones" {
  local ports
  for ports in 0 65536 80,80 80, x; do
    refused "--port \"$ports\"" 'from 1 to 65535' -- transitions --port "$ports"
  done
  refused '--port "1,2,3,' -- transitions --port "$(seq -s , 1 1024)"
  refused '--duration "0s"' -- transitions --duration 0s
}
