#!/usr/bin/env bats
# shellcheck disable=SC2154 # bats sets status, output, stderr and their lines
#
# scripts/report: what is on the page, and what it says to input that it cannot take. A browser looks at it in
# tests/real/report.bats.

bats_require_minimum_version 1.5.0

# shellcheck source=tests/scripts/preloaded.bash
source "$BATS_TEST_DIRNAME/preloaded.bash"

report=$BATS_TEST_DIRNAME/../../scripts/report

setup_file() {
  preloaded_start
}

teardown_file() {
  preloaded_stop
}

setup() {
  set +T # see tests/README.md: bats would note the whole stack at each command of our functions
  command -v jq >/dev/null || skip 'jq is missing'
  cd "$BATS_TEST_TMPDIR" || return 1
}

# ---- input ----

# start ORDER CONNS
start() {
  jq -nc --arg order "$1" --argjson conns "$2" '{event: "start", order: $order, version: "0.1.0", kernel: "Linux 6.1-test",
    witness: "netlink", lanes: [15000, 15000], workers: 2, command: "tcpstorm --isolate --order \($order)",
    options: {conns: $conns, look_inside: "nsenter -t 7 -n"}, sysctls: {"net.core.somaxconn": 65535},
    limits: {nofile_hard: 20000, processors: 2, memory_available: 2147483648},
    warnings: ["a warning of the test"], summary: "the summary of the test", meaning: "The meaning of the test.",
    ladder: [
      {step: "open", client_call: "connect()", server_call: "accept()", segments: [{from: "client", flags: "SYN"},
        {from: "server", flags: "SYN, ACK"}, {from: "client", flags: "ACK"}], client: "ESTABLISHED", server: "ESTABLISHED"},
      {step: "client-close", client_call: "close()", server_call: "", segments: [{from: "client", flags: "FIN"},
        {from: "server", flags: "ACK"}], client: "FIN_WAIT2", server: "CLOSE_WAIT"}]}'
}

# looks ORDER CONNS T STEP SERVER-FIELDS CLIENT-FIELDS: a look at both sides; what is not named is 0.
looks() {
  jq -nc --arg order "$1" --argjson conns "$2" --argjson t "$3" --arg step "$4" --argjson server "$5" --argjson client "$6" '
    {event: "sample", order: $order, conns: $conns, t_s: $t, step: $step, settled: 1} as $look
    | ({listen: 0, syn_sent: 0, syn_recv: 0, established: 0, fin_wait1: 0, fin_wait2: 0, close_wait: 0, closing: 0,
        last_ack: 0, time_wait: 0, close: 0, gone: 0, fds: 0, errors: 0, look_s: 0.001, ghosts: 0, unread: 0,
        unowned: 0}) as $zeros
    | ($look + {side: "server", opened: $conns} + $zeros + {queued: 0, dropped: 0, nofile: 100} + $server),
      ($look + {side: "client", opened: $conns} + $zeros + {late: 0, connect_s: 0, nofile: 100} + $client)'
}

# end ORDER OUTCOME VERDICT [MORE]
end() {
  jq -nc --arg order "$1" --arg outcome "$2" --arg verdict "$3" --argjson more "${4:-{\}}" '{event: "end", order: $order,
    version: "0.1.0", outcome: $outcome, verdict: $verdict, looks_failed: 0, counters_moved: {}, lingering: []} + $more'
}

# leak [ORDER]: a whole run in which the server keeps 1,000 CLOSE_WAIT.
leak() {
  local order=${1:-leak}
  start "$order" 1000
  looks "$order" 1000 0.1 open '{"established": 1000, "fds": 1000}' '{"established": 1000, "fds": 1000}'
  looks "$order" 1000 1.1 client-close '{"close_wait": 1000, "fds": 1000}' '{"fin_wait2": 1000}'
  end "$order" 'as expected' $'As expected. It leaks.\n1,000 CLOSE_WAIT on the server: held by tcpstorm pid 7; the server owes the close().' \
    '{"counters_moved": {"ListenDrops": 4321}, "lingering": [{"side": "server", "state": "CLOSE_WAIT", "count": 1000,
      "unread": false, "owned": true, "pid": 7, "command": "tcpstorm", "processes": 1, "oldest_s": 1.5}]}'
}

# A run at whose end the sides hold these: ends ORDER SERVER-FIELDS CLIENT-FIELDS
ends() {
  start "$1" 10
  looks "$1" 10 0.1 open "$2" "$3"
  end "$1" 'as expected' 'As expected.'
}

csv_header=order,conns,t_s,step,settled,side,opened,listen,syn_sent,syn_recv,established,fin_wait1,fin_wait2,close_wait,closing,last_ack,time_wait,close,gone,fds,errors,look_s,ghosts,unread,unowned,queued,dropped,late,connect_s,nofile

leak_csv() {
  cat <<END
$csv_header
leak,5,0.1,open,1,server,5,1,0,0,5,0,0,0,0,0,0,0,0,5,0,0.001,0,0,0,0,0,0,0,100
leak,5,0.1,open,1,client,5,0,0,0,5,0,0,0,0,0,0,0,0,5,0,0.001,0,0,0,0,0,0,0,100
leak,5,1.1,client-close,1,server,5,1,0,0,0,0,0,5,0,0,0,0,0,5,0,0.001,0,0,0,0,0,0,0,100
leak,5,1.1,client-close,1,client,5,0,0,0,0,0,5,0,0,0,0,0,0,0,0,0.001,0,0,0,0,0,0,0,100
END
}

# ---- asserting ----

fail_with() {
  printf '%s\n' "$1" "status: $status" "stdout: ${output:0:3000}" "stderr: $stderr"
  return 1
}

make_report() {
  run --separate-stderr preloaded report "$@"
}

assert_written() {
  ((status == 0)) || fail_with 'a page was expected' || return 1
  [[ -z $stderr ]] || fail_with 'nothing was expected on stderr' || return 1
  output=$(cat "${1:-report.html}")
}

assert_has() {
  local part
  for part; do
    [[ $output == *"$part"* ]] || fail_with "not on the page: $part" || return 1
  done
}

assert_has_not() {
  local part
  for part; do
    [[ $output != *"$part"* ]] || fail_with "on the page: $part" || return 1
  done
}

# refused CODE PART... -- ARGUMENT...: one sentence with all the parts, and no page.
refused() {
  local code=$1 parts=() part
  shift
  while [[ $1 != -- ]]; do parts+=("$1") && shift; done
  shift
  make_report "$@"
  ((status == code)) || fail_with "exit code $code was expected" || return 1
  ((${#stderr_lines[@]} == 1)) || fail_with 'one line was expected on stderr' || return 1
  for part in 'scripts/report: ' "${parts[@]}"; do
    [[ $stderr == *"$part"* ]] || fail_with "not on stderr: $part" || return 1
  done
  [[ -z $output && -z $(find . -name '*.html' -o -name '.report.*') ]] || fail_with 'no page was expected'
}

# ---- one run ----

@test "the page says which side owes a close(), and shows every part of the run" {
  leak >leak.json
  make_report leak.json
  assert_written
  assert_has '<!DOCTYPE html>' '<html lang="en">' '<title>tcpstorm: leak</title>' 'name="viewport"' \
    'The server owes 1,000 close() calls.' '✓</span> owes nothing' '</span> as expected</span>' 'As expected. It leaks.' \
    'Linux 6.1-test' '2.0 GiB' '<caption>Sockets by state when the step' '<b>1,000</b> <span class="name owes">CLOSE_WAIT' \
    'tcpstorm pid 7' '1.5 s' 'the server owes the close()' 'a warning of the test' 'ListenDrops' '4,321' \
    'tcpstorm --isolate --order leak</code>' 'The meaning of the test.' 'What the states mean' 'From leak.json'
}

@test "the timeline is inside the page, with a title" {
  leak >leak.json
  make_report leak.json
  assert_written
  assert_has '<svg class="plot" role="img" aria-labelledby="run-1-plot-title"' '<title id="run-1-plot-title">Sockets in each'
  assert_has_not '<?xml' '<!--plot'
}

@test "the ladder has the calls, the segments and the states, in words too" {
  leak >leak.json
  make_report leak.json
  assert_written
  assert_has '>SYN, ACK</text>' '>FIN</text>' '>connect()</text>' '>accept()</text>' 'class="state owes">CLOSE_WAIT</text>' \
    'client-close: the client calls close(); client sends FIN, server sends ACK; then the client is FIN_WAIT2 and the server CLOSE_WAIT.'
}

@test "what each state at the end means for who owes a close()" {
  local server client words files=()
  while IFS='|' read -r server client words; do
    files+=("order-${#files[@]}.json")
    ends an-order "$server" "$client" >"${files[-1]}"
    echo "$words" >>expected
  done <<'END'
{"time_wait": 10}|{"gone": 10}|Nobody owes a close().
{"fin_wait2": 10}|{"close_wait": 10, "fds": 10}|The client owes 10 close() calls.
{"close_wait": 1, "fds": 1, "gone": 9}|{"fin_wait2": 1, "gone": 9}|The server owes 1 close() call.
{"gone": 10, "fds": 3, "ghosts": 3}|{"gone": 10}|The server owes 3 close() calls.
{"close_wait": 10, "unowned": 10}|{"fin_wait2": 10}|Nobody can close 10 connections: the server never accepted them.
{"close_wait": 10, "unowned": 4, "fds": 6}|{"fin_wait2": 10}|The server owes 6 close() calls; 4 more were never accepted.
{"established": 10, "fds": 10}|{"established": 10, "fds": 10}|Neither side has closed: 10 connections are open.
{"fin_wait1": 10}|{"established": 10, "fds": 10}|The client has not closed: it holds 10 connections.
{"close_wait": 4, "gone": 6}|{"close_wait": 2, "gone": 8}|Both sides owe a close(): the server 4, the client 2.
END
  make_report "${files[@]}"
  assert_written
  sed -n 's/.*<h3 class="headline">\(.*\)<\/h3>.*/\1/p' report.html | diff expected -
}

@test "a run that differs says so, and where" {
  {
    start abort 10
    looks abort 10 0.1 open '{"established": 9, "gone": 1}' '{"established": 10}'
    jq -nc '{event: "step", order: "abort", step: "open", settle_s: 5, act_s: 1, ok: false, difference: "open: 9 of 10 are there",
      observed: {server: {established: 9, gone: 1}, client: {established: 10}}}'
    end abort differs $'Differs at open.\nKernel counter OutRsts rose by 7.'
  } >abort.json
  make_report abort.json
  assert_written
  assert_has 'class="chip bad"><span aria-hidden="true">≠</span> differs' 'open: 9 of 10 are there' 'Differs at open.' '<p>Kernel counter OutRsts rose by 7.</p>'
}

@test "where tcpstorm says who owes and who acts, the page says it in the same words" {
  {
    start vanish 10
    looks vanish 10 0.6 open '{"fin_wait1": 10, "began_s": 0.5}' \
      '{"established": 10, "fds": 10, "unclosed": 9, "ghosts": 2, "owed": 2, "began_s": 0.5}'
    end vanish 'as expected' $'As expected.\nThe sentence of the test.\nAnother.' '{"owes": "The sentence of the test.", "lingering": [
      {"side": "client", "state": "ESTABLISHED", "count": 10, "unread": false, "owned": true, "pid": 7, "command": "nc",
       "processes": 1, "stranger": true, "acts": "the client may close"}]}'
  } >vanish.json
  make_report vanish.json
  assert_written
  assert_has '<h3 class="headline">The sentence of the test.</h3>' '<td>the client may close</td>' 'nc pid 7, not of this run' \
    'owes 2 close() calls</p>' 'open</b><span class="aside">at 0.1 s' 'wait in the accept queue' '<p>Another.</p>'
  assert_has_not 'either side may close' '<p>The sentence of the test.</p>'
}

@test "a run that is fine names no counters of other programs" {
  leak | jq -c 'if .event == "start" then del(.options.look_inside) elif .event == "end" then .counters_moved.softnet_dropped = 5 else . end' >leak.json
  make_report leak.json
  assert_written
  assert_has 'counters are left out'
  assert_has_not ListenDrops softnet
  leak | jq -c 'if .event == "end" then .counters_moved.softnet_dropped = 5 else . end' >leak.json
  make_report leak.json
  assert_written
  assert_has ListenDrops
  assert_has_not softnet
}

@test "a flow has its story, its trend and its numbers" {
  {
    start ignore-eof 800
    looks ignore-eof 800 0.1 arrivals '{"close_wait": 600, "unowned": 100}' '{"fin_wait2": 600}'
    end ignore-eof 'as expected' $'As expected.\nWhat broke, and when:\n- 2.6 s: first EMFILE\nleak: 600 of 800 sockets' \
      '{"flow": {"rate": 200, "achieved_rate": 199.97, "late": 0, "latest_s": 0, "accepted": 502, "accept_errors": 151,
        "connect_timeouts": 197, "leaked": 0, "lost": 0, "server_nofile": 512,
        "server": {"trend": "leak", "slope_per_s": 199.46, "low_per_s": 198.9, "high_per_s": 200, "looks": 21, "held": 603},
        "client": {"trend": "plateau", "slope_per_s": -0.01, "low_per_s": -0.5, "high_per_s": 0.5, "looks": 21, "held": 0},
        "story": [{"stage": "server_emfile", "t_s": 2.6}], "signature": true}}'
  } >flow.json
  make_report flow.json
  assert_written
  assert_has '<span class="t">2.6 s</span> <span>first EMFILE</span>' '<p>leak: 600 of 800 sockets</p>' \
    '<td>199.5 /s</td>' '198.9 to 200.0 /s' '<td>0.0 /s</td>' '<dd>151</dd>'
  assert_has_not 'What broke, and when:</p>'
}

# ---- several runs ----

@test "several runs have an overview with links, and a picture of all" {
  {
    leak
    ends server-first '{"time_wait": 10}' '{"gone": 10}'
  } >two.json
  make_report two.json
  assert_written
  assert_has '<title>tcpstorm: 2 runs</title>' '<a href="#run-1">leak</a>' '<a href="#run-2">server-first</a>' \
    'id="run-1"' 'id="run-2"' 'aria-labelledby="all-plot-title"'
}

@test "every id is on the page once, and whatever refers to one finds it" {
  {
    leak
    leak another
    ends server-first '{"time_wait": 10}' '{"gone": 10}'
  } >three.json
  make_report three.json
  assert_written
  run -0 bash -c "grep -oE \"[ ]id=[\\\"'][^\\\"']*\" report.html | sed \"s/.*[\\\"']//\" | sort | uniq -d"
  [[ -z $output ]] || fail_with 'ids that are there twice'
  grep -oE "[ ]id=[\"'][^\"']*" report.html | sed "s/.*[\"']//" | sort >ids
  grep -oE "href=[\"']#[^\"']*|url\(#[^)]*" report.html | sed 's/.*#//' | sort -u >references
  grep -oE 'aria-labelledby="[^"]*' report.html | sed 's/.*"//' | tr ' ' '\n' | sort -u >>references
  (($(wc -l <references) > 20)) || fail_with 'too few references were found: does the test still look for them?'
  run -0 bash -c 'sort -u references | comm -23 - ids'
  [[ -z $output ]] || fail_with 'references to nothing'
}

@test "two runs that take turns in one file are told apart" {
  {
    start CLOSE_WAIT 10
    start LAST_ACK 5
    looks CLOSE_WAIT 10 0.1 open '{"close_wait": 10}' '{"fin_wait2": 10}'
    looks LAST_ACK 5 0.1 open '{"last_ack": 5}' '{"fin_wait2": 5}'
    end CLOSE_WAIT 'as expected' 'As expected: the first.'
    end LAST_ACK 'as expected' 'As expected: the second.'
  } >state.json
  make_report state.json
  assert_written
  assert_has 'The server owes 10 close() calls.' '5 in LAST_ACK' 'As expected: the first.' 'As expected: the second.'
}

@test "a folder: all of tcpstorm's files in it and below, in order, but no CSV beside its JSON" {
  mkdir -p runs/deeper
  leak >runs/b.json
  leak_csv >runs/b.csv
  leak_csv >runs/a.csv
  leak deep-order >runs/deeper/c.json
  printf 'what,value\nopen,1\n' >runs/bench.csv
  printf '[1, 2]\n' >runs/other.json
  make_report runs -o all.html
  assert_written all.html
  assert_has 'tcpstorm: 3 runs' 'From runs/a.csv' 'From runs/b.json' 'From runs/deeper/c.json'
  [[ ${output%%From runs/b.json*} == *'From runs/a.csv'* ]] || fail_with 'a.csv should come before b.json'
}

# ---- CSV ----

@test "a CSV has the timeline, the states and the order's meaning, and says what it has not" {
  leak_csv >leak.csv
  make_report leak.csv
  assert_written
  assert_has 'The server owes 5 close() calls.' 'not known' 'need a file of <code>--json</code>' 'class="plot"' \
    'class="ladder"' 'the client closes, the server never does' 'tcpstorm --conns 5 --order leak</code>' \
    'A CSV does not say' 'A CSV says nothing of the machine'
}

@test "a CSV without the program says that the explanation is missing" {
  leak_csv >leak.csv
  TCPSTORM=/nowhere/tcpstorm make_report leak.csv
  assert_written
  assert_has 'The server owes 5 close() calls.' 'which was not found'
  assert_has_not 'class="ladder"'
}

@test "a CSV from before the later columns is taken" {
  leak_csv | cut -d, -f1-22 >leak.csv
  make_report leak.csv
  assert_written
  assert_has 'The server owes 5 close() calls.'
}

@test "a CSV with two runs of one order is two runs" {
  leak_csv >leak.csv
  leak_csv | tail -n +2 >>leak.csv
  make_report leak.csv
  assert_written
  assert_has 'tcpstorm: 2 runs'
}

# ---- what a run leaves that did not end ----

@test "a run that was cut in the middle of a line is shown as far as it came" {
  leak | head -n 5 >cut.json
  leak | tail -n 1 | head -c 40 >>cut.json
  make_report cut.json
  assert_written
  assert_has 'unfinished' 'The file has no end event' 'The server owes 1,000 close() calls.'
}

@test "a sample that was cut does not count" {
  leak | head -n 3 >cut.json
  leak | sed -n 4p | head -c 200 >>cut.json
  make_report cut.json
  assert_written
  assert_has 'Neither side has closed: 1,000 connections are open.'
}

@test "a row that was cut does not count" {
  leak_csv | head -c -60 >leak.csv
  make_report leak.csv
  assert_written
  assert_has 'The server owes 5 close() calls.'
}

@test "a run without a look has no picture, and says so" {
  start leak 10 >none.json
  make_report none.json
  assert_written
  assert_has 'Nothing was looked at' 'Nothing was seen of the sockets.'
}

# ---- audits of proxies ----

# proxy_audit [JQ]: the result of one that is clean; changed by that filter.
proxy_audit() {
  jq -nc "[\"close\", \"half_close\", \"abort\", \"stays\"] as \$manners
    | {event: \"proxy_audit\", version: \"0.1.0\", through: \"127.0.0.1:8080\", as_backend: \"9000\", conns: 5,
       cells: [\$manners[] as \$client | \$manners[] as \$backend | {client: \$client, backend: \$backend, conns: 5, passed: 5,
         backend_heard: {nothing: 0, fin: 5, rst: 0, early: 0}, client_heard: {nothing: 0, fin: 5, rst: 0, early: 0},
         answered: 5, lost: 0, held_front: 0, held_back: 0, one_sided: 0}],
       outcome: \"lets_go\", verdict: \"The proxy lets go.\\nA sentence of the test.\\n\"} | ${1-.}"
}

@test "the audit of a proxy is its matrix, and its verdict" {
  proxy_audit >proxy.json
  make_report proxy.json
  assert_written
  assert_has '<title>tcpstorm: audits of proxies</title>' 'proxy 127.0.0.1:8080' '<span class="chip good">lets go</span>' \
    'A sentence of the test.' '<th scope="col">the backend half-closes</th>' '<th scope="row">stays open</th>' \
    'the backend hears FIN<br>the client hears FIN<br>the other direction stays usable' 'nothing ends' 'From proxy.json'
  assert_has_not 'class="owes"' 'What the states mean' 'A CSV says nothing'
}

@test "a cell in which a proxy leaks or loses says so, beside a run and another proxy" {
  leak >leak.json
  proxy_audit '.outcome = "leaks" | .cells[3].held_back = 4 | .cells[6].lost = 2 | .cells[9].backend_heard = {nothing: 3, fin: 0, rst: 2, early: 0}' >bad.json
  proxy_audit '.through = "<b>x"' >good.json
  make_report leak.json bad.json good.json
  assert_written
  assert_has 'The server owes 1,000 close() calls.' '<span class="chip bad">leaks</span>' '<strong>holds 4 to the backend</strong>' \
    '<strong>loses data on 2</strong>' 'the backend hears nothing (3), RST (2)' 'id="proxy-1"' 'id="proxy-2"' 'proxy &lt;b&gt;x'
  assert_has_not '<b>x'
}

@test "half of an audit of a proxy is refused" {
  proxy_audit 'del(.cells[7])' >proxy.json
  refused 2 'proxy.json is not the whole result of an audit of a proxy' -- proxy.json
  proxy_audit | head -c 300 >proxy.json
  refused 2 'proxy.json is not the whole result' -- proxy.json
}

# ---- harm ----

@test "names and sentences with HTML in them do no harm" {
  local evil='<script>alert(1)</script>"&'
  leak "$evil" | jq -c --arg evil "$evil" 'if .event == "start" then .command = $evil | .summary = $evil | .kernel = $evil
    | .warnings = [$evil] | .ladder[0].client_call = $evil | .ladder[0].segments[0].flags = $evil | .ladder[1].server = $evil
    | .options[$evil] = $evil
    elif .event == "end" then .verdict = "\($evil)\n- \($evil)\n\($evil)" | .lingering[0].command = $evil
    elif .event == "sample" and .t_s > 1 then .step = $evil else . end' >'<b>&.json'
  make_report '<b>&.json'
  assert_written
  assert_has '&lt;script&gt;alert(1)&lt;/script&gt;&#34;&amp;' 'From &lt;b&gt;&amp;.json' 'class="plot"'
  assert_has_not '<script' 'From <b>'
}

@test "the page fetches nothing" {
  {
    leak
    leak another
  } >two.json
  make_report two.json
  assert_written
  run grep -noiE '<(script|link|img|iframe|object|embed|audio|video|base)|@import|src=|url\([^#)]|href=.[^#"'\'']' report.html
  ((status == 1)) || fail_with 'something is fetched'
}

# ---- wrong input ----

@test "bad input is told with file, line and what is wrong" {
  { leak | head -n 2; echo 'not JSON'; leak | tail -n 1; } >middle.json
  refused 2 'middle.json, line 3: it is not a JSON object' -- middle.json
  echo 'no line of it' >garbage.json
  refused 2 'garbage.json, line 1: it is not a JSON object' -- garbage.json
  leak | tail -n +2 >headless.json
  refused 2 'headless.json, line 1: ' 'comes before its start' -- headless.json
  { leak | head -n 1; echo '{"order": "leak"}'; leak | tail -n 1; } >eventless.json
  refused 2 'eventless.json, line 2: ' '"event"' -- eventless.json
  leak | sed 's/"established":1000/"established":"many"/' >words.json
  refused 2 'words.json, line 2: "established" should be a whole number from 0 up and is "many"' -- words.json
  : >empty.json
  refused 2 'empty.json: the file is empty' -- empty.json
  leak_csv | sed 's/^leak,5,1.1/leak,five,1.1/' >row.csv
  refused 2 'row.csv, line 4: column "conns" should be a whole number from 0 up and is "five"' -- row.csv
  { leak_csv; echo leak,5,2; echo leak,5,3; } >short.csv
  refused 2 'short.csv, line 6: the row has 3 of 30 columns' -- short.csv
  printf 'what,value\nopen,1\n' >bench.csv
  refused 2 'bench.csv, line 1: not a tcpstorm CSV, the header has no column "order"' -- bench.csv
  echo "$csv_header" >header.csv
  refused 2 'header.csv: there is a header but no rows' -- header.csv
  mkdir bare
  refused 2 'the folder bare has no file' -- bare
  refused 2 'nowhere.json cannot be read: no such file or directory.' -- nowhere.json
}

@test "wrong usage is told" {
  refused 2 'the following arguments are required: FILE' --
  refused 2 'unrecognized arguments: --colour' -- leak.json --colour
  refused 2 'argument -o/--output: expected one argument' -- -o
}

@test "where the page cannot be written nothing is left, and the old page stays" {
  leak >leak.json
  refused 3 'nowhere/page.html cannot be written' -- leak.json -o nowhere/page.html
  mkdir folder
  refused 3 'folder cannot be written: is a directory.' -- leak.json -o folder
  echo 'the old page' >old
  echo broken >broken.json
  make_report broken.json -o old
  ((status == 2)) || fail_with 'exit code 2 was expected'
  [[ $(cat old) == 'the old page' ]] || fail_with 'the old page should have stayed'
}

@test "without matplotlib or jinja2: exit code 3, and the package's name" {
  local name
  leak >leak.json
  for name in matplotlib jinja2; do
    rm -rf without && mkdir without
    echo 'raise ModuleNotFoundError(name=__name__)' >"without/$name.py"
    PYTHONPATH=$PWD/without run --separate-stderr "$report" leak.json
    ((status == 3)) && [[ $stderr == *"$name is missing"*"Debian package python3-$name." && ! -e report.html ]] || fail_with 'exit code 3 was expected'
  done
}

# ---- transitions ----

@test "a run with transitions has its state diagram, and a CSV of them is a section" {
  {
    leak | head -n -1
    jq -nc '{event: "transitions", order: "leak", moves: [{side: "server", from: "ESTABLISHED", to: "CLOSE_WAIT", why: "orderly", kind: "diagram",
      count: 1000}], dwell: [{side: "server", state: "ESTABLISHED", sampled: 9, p50_s: 1, p90_s: 1, p99_s: 1, max_s: 1}]}'
    leak | tail -n 1
  } >leak.json
  printf '%s\n' order,side,from,to,count,dwell_p50_s,dwell_p90_s,dwell_p99_s,dwell_max_s leak,client,gone,SYN_SENT,77,,,, >moves.csv
  make_report leak.json moves.csv
  assert_written
  assert_has 'aria-labelledby="run-1-diagram-title"' '<title>ESTABLISHED to CLOSE_WAIT: 1000</title>' '>1,000 came, 1,000 stay<' \
    'aria-labelledby="moves-1-diagram-title"' '<title>CLOSED to SYN_SENT: 77</title>' 'From moves.csv'
}

@test "a recording: what comes and stays by port, when descriptors run out, what to do" {
  flow() {
    jq -nc --argjson t "$1" '{event: "flow", t_s: $t, over_s: (if $t > 0 then 1 else 0 end), news: true, lost: 0, dropped: 0,
      ports: [{side: "server", port: 8080, command: "httpd", came: 20, ended: 15, lives_ms: [[512, 20]], established: 3,
        close_wait: (5 * $t), ghosts: 0, unread: 0, unowned: 0}]}'
  }
  {
    echo '{"event":"recording","format":1,"version":"0.1.0","began":"2026-11-26T14:00:00Z","interval_s":1}'
    flow 0
    jq -nc '{event: "look", t_s: 9, ports: [{side: "server", port: 8080, descriptors: 100, descriptors_most: 1000,
      groups: {owed: {count: 45, trend: "leak", slope_per_s: 5, low_per_s: 4.5, high_per_s: 5.5}}}]}'
    flow 9
    echo '{"event":"explanation","findings":[{"what":"45 CLOSE_WAIT","why":"It has read EOF.","do":"close it","causes":["ignore-eof"]}]}'
  } >leak.jsonl
  make_report leak.jsonl
  assert_written
  assert_has 'recording of 2026-11-26T14:00:00Z' 'server :8080 httpd' '+5.00/s (4.50 to 5.50)' '2.7 min to 3.3 min more' '45 CLOSE_WAIT' \
    'As in tcpstorm causes ignore-eof' '<strong>Do:</strong> close it' 'tcpstorm --replay leak.jsonl'
  sed -i 's/"format":1/"format":9/' leak.jsonl
  make_report leak.jsonl
  ((status == 2)) || fail_with 'another format must be refused'
}

@test "-o - is standard output, and nothing else is there" {
  leak >leak.json
  make_report leak.json -o -
  ((status == 0)) || fail_with 'a page was expected'
  [[ $output == '<!DOCTYPE html>'*'</html>' && ! -e report.html ]] || fail_with 'a whole page was expected on stdout'
}

# ---- the real program ----

@test "a run of the program itself" {
  "$TCPSTORM" --dry-run --quiet --isolate >/dev/null 2>&1 || skip 'this machine refuses a private network namespace'
  "$TCPSTORM" --isolate --conns 50 --order leak,abort --hold 200ms --quiet --json real.json
  run --separate-stderr "$report" real.json
  assert_written
  assert_has 'tcpstorm: 2 runs' 'The server owes 50 close() calls.' 'Nobody owes a close().' 'class="ladder"' \
    '--isolate --conns 50 --order leak,abort --hold 200ms --quiet --json real.json</code>'
}
