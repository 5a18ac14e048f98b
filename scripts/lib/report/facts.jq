# facts.jq: turns what is known of one run into one object, which page.jq shows. Called with jq -s on the run's events,
# with --arg columns, number, source, format ("json" or "csv"), --rawfile seen (see runs.awk) and --slurpfile orders (the lines
# of `tcpstorm orders --json`, or none).

include "owes";

def row_columns: ["first_t_s"] + ($columns | split(","));

def seen_rows:
  $seen | split("\n") | map(select(. != "") | split(",")
    | [row_columns, .] | transpose | map({(.[0]): (if .[0] | IN("order", "step", "side") then .[1] else .[1] | tonumber end)}) | add);

# The steps in the order of time, each with the last look at both sides; what a step event counted goes before it.
def steps($rows; $step_events):
  [$rows | group_by(.step)[] | {step: .[0].step, t_s: (map(.first_t_s) | min), rows: .}] | sort_by(.t_s)
  | map(. as $step | ([$step_events[] | select(.step == $step.step)] | last) as $event
    | {step, t_s, ok: $event.ok, settle_s: $event.settle_s, difference: $event.difference,
       opened: ($step.rows | map(.opened) | max),
       sides: ([$step.rows[] | {(.side): (. + ($event.observed[.side] // {}))}] | add)});

# The verdict's lines by what they are about: sockets that are left, what broke and when, kernel counters, and the rest.
def sort_sentences($owes):
  split("\n") | map(select(. != ""))
  | {lead: (.[0] // ""), rest: .[1:]}
  | .story = (.rest | map(select(startswith("- ")) | .[2:]))
  | .left = (.rest | map(select(test("^[0-9,]+ [A-Z_0-9]+ on the (server|client):") or test("^[0-9,]+ ghosts? on the"))))
  | .counters = (.rest | map(select(startswith("Kernel counter"))))
  | .rest -= .left + .counters + [$owes]
  | .rest |= map(select((startswith("- ") or test("^What broke.*:$")) | not));

(map(select(.event == "start")) | first // {}) as $start
| (map(select(.event == "end")) | last) as $ending
| map(select(.event == "step")) as $step_events
| seen_rows as $rows
| ($start.order // $rows[0].order) as $order
| ([$orders[] | select(.order == $order)] | first // {}) as $known
| steps($rows; $step_events) as $steps
| ([$rows[] | select(.side == "server")] | max_by(.t_s)) as $server
| ([$rows[] | select(.side == "client")] | max_by(.t_s)) as $client
| ($ending.lingering // []) as $lingering
| {
    number: ($number | tonumber), source: $source, format: $format, order: $order,
    conns: ($start.options.conns // $rows[0].conns), version: $start.version, kernel: $start.kernel,
    witness: $start.witness, lanes: $start.lanes, workers: $start.workers,
    outcome: ($ending.outcome // if $format == "csv" then "not known" else "unfinished" end),
    looks_failed: ($ending.looks_failed // 0),
    sentences: ($ending.verdict // "" | sort_sentences($ending.owes)), owes: $ending.owes,
    began_s: ([$rows[].began_s | select(. > 0)] | first // ($steps | map(.t_s) | min)),
    summary: ($start.summary // $known.summary), meaning: ($start.meaning // $known.meaning),
    ladder: ($start.ladder // $known.ladder // []), known: ($known != {}),
    command: $start.command, warnings: ($start.warnings // []), options: ($start.options // {}),
    sysctls: ($start.sysctls // {}), limits: ($start.limits // {}), counters: ($ending.counters_moved // {}),
    lingering: $lingering, flow: $ending.flow, steps: $steps,
    seconds: ($rows | map(.t_s) | max),
    drawn: ($rows | length > 0),
    ends: {server: (if $server then debts($server) else null end),
           client: (if $client then debts($client) else null end)}
  }
