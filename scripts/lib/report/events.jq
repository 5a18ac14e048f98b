# events.jq: reads the JSON Lines of `tcpstorm --json` and prints lines of RUN <tab> KIND <tab> LINE <tab> TEXT for
# runs.awk. KIND is "event" (TEXT is the event) or "row" (TEXT is a sample, as a row with the columns of --csv).
#
# Called with jq -nRr --arg file NAME --arg columns NAMES on what samples.awk prints. Two runs may take turns in one file: an event belongs
# to the latest start of its order. The last line may be cut in the middle; any other that cannot be read ends the
# program with exit code 2.

def columns: $columns | split(",");

def fail($line; $what):
  "scripts/report: \($file)\(if $line > 0 then ", line \($line)" else "" end): \($what)\n" | halt_error(2);

# What is wrong with an event, or null.
def fault:
  if type != "object" then "it is not a JSON object."
  elif (.event | type) != "string" then "the object has no field \"event\", so tcpstorm --json did not write it."
  elif (.order | type) != "string" then "the \(.event) event has no field \"order\"."
  elif .event == "start" and (.options.conns? | type) != "number" then "the start event has no number \"conns\" in its \"options\"."
  else null end;

# A name in a row has no place for a comma, nor for the end of a line.
def row: . as $event | [columns[] | $event[.] // 0 | if type == "string" then gsub("[,[:cntrl:]]"; "_") else tostring end] | join(",");

# A sample that samples.awk has made a row of already.
def take_row($text):
  ($text | split("\t")) as $part
  | .line += 1
  | if .run_of[$part[1]] == null then fail(.line; "the sample event of \"\($part[1])\" comes before its start.")
    else .out = "\(.run_of[$part[1]])\trow\t\(.line)\t\($part[2])" end;

def take($text):
  .line += 1 | .out = null
  | if ($text | test("^\\s*$")) then .
    elif .bad then fail(.bad.line; .bad.what)
    else . as $state | (try {event: ($text | fromjson)} catch {bad: "it is not a JSON object."})
      | (.bad // (.event | fault)) as $what | .event as $event
      | $state
      | if $what then .bad = {line: .line, what: $what}
        elif $event.event == "start" then .runs += 1 | .run_of[$event.order] = .runs | .out = "\(.runs)\tevent\t\(.line)\t\($event | tojson)"
        elif .run_of[$event.order] == null then fail(.line; "the \($event.event) event of \"\($event.order)\" comes before its start.")
        elif $event.event == "sample" then .out = "\(.run_of[$event.order])\trow\t\(.line)\t\($event | row)"
        else .out = "\(.run_of[$event.order])\tevent\t\(.line)\t\($event | tojson)" end
    end;

foreach (inputs, null) as $text ({line: 0, runs: 0, run_of: {}};
  if $text == null then
    if .runs > 0 then .out = null
    elif .bad then fail(.bad.line; .bad.what)
    else fail(0; "the file is empty, so there is nothing to report.") end
  elif ($text | startswith("\t")) and (.bad | not) then take_row($text)
  else take($text) end;
  .out // empty)
