# page.jq: makes the HTML page out of the runs that facts.jq describes. Called with jq -rs, --arg title, and --rawfile
# css, and --slurpfile proxies: audits of proxies. A line "<!--plot N-->" stands where scripts/report puts the picture of run N, "<!--plots-->" where it puts the one
# of all runs. Whatever comes from a file passes through @html.

include "owes";
include "states";
include "ladder";
include "proxy";

def when($condition; text): if $condition then text else "" end;
def each(f): map(f) | join("\n");
def run_id: "run-\(.number)";

# A number with so many decimals.
def rounded($digits): (pow(10; $digits)) as $scale
  | ((. * $scale | round) + 0) as $number
  | if $number < 0 then "-" + (-. | rounded($digits))
    elif $digits == 0 then $number | tostring
    else ($number | tostring | if length <= $digits then "0" * ($digits + 1 - length) + . else . end) | .[:-$digits] + "." + .[-$digits:] end;

def seconds_words: "\(rounded(1)) s";

def bytes_words: "\(. / 1073741824 | rounded(1)) GiB";

# ---- outcome ----

def outcome_row: {
  "as expected": {mark: "✓", class: "good", words: "as expected"},
  "differs": {mark: "≠", class: "bad", words: "differs"},
  "fault": {mark: "!", class: "bad", words: "fault"},
  "interrupted": {mark: "‖", class: "open", words: "interrupted"},
  "unfinished": {mark: "…", class: "open", words: "unfinished"}
}[.outcome] // {mark: "?", class: "open", words: .outcome};

def outcome_chip: outcome_row | @html "<span class=\"chip \(.class)\"><span aria-hidden=\"true\">\(.mark)</span> \(.words)</span>";

def outcome_note:
  if .outcome == "unfinished" then "<p class=\"note\">The file has no end event: tcpstorm was still running, or was killed. What is here was counted until then.</p>"
  elif .outcome == "not known" then "<p class=\"note\">The verdict, the sockets’ owners and the settings need a file of <code>--json</code>; a CSV has only the looks.</p>"
  else "" end;

# ---- who owes ----

def duty_mark: {owes: "⚠", stuck: "⚠", open: "○", none: "✓"}[.class];

def end_card($run):
  @html "<div class=\"end \(.class)\"><h4>\(.side)</h4><p class=\"duty\"><span aria-hidden=\"true\">\(duty_mark)</span> \(duty)</p>"
  + "<ul>" + ([duty_reasons[] | @html "<li>\(.)</li>"] | join("")) + "</ul>"
  + when(.row.fds > 0; @html "<p class=\"fds\">\(.row.fds | several("descriptor")) open on this side</p>")
  + "</div>";

def debts_section:
  @html "<div class=\"who \(class_of_run)\"><h3 class=\"headline\">\(verdict_of_debts)</h3>"
  + when(.ends.server; "<div class=\"ends\">" + ([.ends.server, .ends.client | values | end_card(.)] | join("\n")) + "</div>")
  + "</div>";

# ---- sentences ----

def paragraphs: each(@html "<p>\(.)</p>");

def verdict_section:
  outcome_note
  + when(.sentences.lead != ""; @html "<p class=\"lead\">\(.sentences.lead)</p>")
  + when(.looks_failed > 0; @html "<p>\(.looks_failed | several("look")) at the kernel failed.</p>")
  + (.sentences.rest | paragraphs);

def story_section:
  when(.sentences.story | length > 0;
    "<h3>What broke, and when</h3><ol class=\"story\">"
    + (.sentences.story | each(capture("^(?<t>[0-9.]+ s): (?<words>.*)$"; "s") // {t: "", words: .}
        | @html "<li><span class=\"t\">\(.t)</span> <span>\(.words)</span></li>"))
    + "</ol>");

# ---- tables ----

# A box of its own for what may be wider than a phone; it takes the focus, so that the arrow keys scroll it.
def scroll_box($called; $inside):
  @html "<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"\($called)\">" + $inside + "</div>";

def pairs_table($caption; $heads; $rows):
  @html "<table><caption>\($caption)</caption><thead><tr>" + ($heads | each(@html "<th scope=\"col\">\(.)</th>")) + "</tr></thead><tbody>"
  + ($rows | each(@html "<tr><th scope=\"row\">\(.[0])</th>" + (.[1:] | each(@html "<td>\(.)</td>")) + "</tr>"))
  + "</tbody></table>";

# ---- histogram ----

def state_bar($state; $count; $opened):
  (if $opened > 0 then [100 * $count / $opened, 100] | min else 0 end) as $share
  | @html "<div class=\"count\"><span class=\"bar\" aria-hidden=\"true\"><span class=\"fill s-\($state.column)\" style=\"width:\($share | rounded(2))%\"></span></span>"
    + @html "<b>\($count | grouped)</b> <span class=\"name\(if $state.column == "close_wait" then " owes" else "" end)\">\($state.name)</span></div>";

def histogram_cell($step):
  if . == null then "<td>–</td>"
  else . as $row
    | "<td>"
      + ([states[] | . as $state | ($row[$state.column] // 0) as $count | select($count > 0) | state_bar($state; $count; $step.opened)] | join(""))
      + when($row.ghosts > 0; @html "<div class=\"aside\">\($row.ghosts | several("ghost")): descriptors of ended connections</div>")
      + "</td>" end;

def step_words($start):
  @html "<b>\(.step)</b><span class=\"aside\">at \(.t_s - $start | seconds_words)"
  + (if .ok == true then @html "; ok after \(.settle_s | rounded(2)) s" elif .ok == false then "; <b>differs</b>" else "" end) + "</span>";

def histogram_section:
  when(.steps | length > 0;
    .began_s as $start
    | "<h3>States after each step</h3>"
    + "<table class=\"steps\"><caption>Sockets by state when the step was looked at last; a bar is the share of the connections opened</caption>"
    + "<thead><tr><th scope=\"col\">step</th><th scope=\"col\">server</th><th scope=\"col\">client</th></tr></thead><tbody>"
    + (.steps | each(. as $step
        | "<tr><th scope=\"row\">" + step_words($start) + "</th>"
          + (.sides.server | histogram_cell($step)) + (.sides.client | histogram_cell($step)) + "</tr>"
          + when(.difference; @html "<tr class=\"difference\"><td colspan=\"3\">\(.difference)</td></tr>")))
    + "</tbody></table>");

# ---- sockets that are left ----

# Files from before do not say it.
def who_acts:
  .acts // ((if .side == "server" then "client" else "server" end) as $other
  | if .state == "CLOSE_WAIT" then (if .owned then "the \(.side) owes the close()" else "nobody can: never accepted" end)
    elif .state == "FIN_WAIT2" then "the \($other) owes the close()"
    elif .state == "ESTABLISHED" then "either side may close"
    else "the other kernel: an ACK" end);

def held_by: if .pid then "\(.command // "process") pid \(.pid)\(if .processes > 1 then " and \(.processes - 1) more" else "" end)\(if .stranger then ", not of this run" else "" end)"
  elif .owned then "a process that may not be looked into" else "no process" end;

def left_section:
  when((.lingering | length > 0) or (.sentences.left | length > 0);
    "<h3>What is left, and who acts</h3>"
    + when(.lingering | length > 0;
        scroll_box("Sockets that are left"; pairs_table("Sockets that were left at the end"; ["side", "state", "count", "held by", "for at least", "who acts"];
          [.lingering[] | [.side, .state, (.count | grouped), held_by, (if .oldest_s then .oldest_s | seconds_words else "–" end), who_acts]])))
    + when(.sentences.left | length > 0; "<details><summary>In full sentences</summary>" + (.sentences.left | paragraphs) + "</details>"));

# ---- traffic ----

def trend_row($side):
  .[$side] | [$side, .trend, "\(.slope_per_s | rounded(1)) /s", "\(.low_per_s | rounded(1)) to \(.high_per_s | rounded(1)) /s", (.held | grouped), (.looks | grouped)];

def flow_section:
  when(.flow;
    "<h3>Traffic and trend</h3>"
    + scroll_box("Trend of what each side holds"; .flow | pairs_table("What each side holds, as a straight line through the looks"; ["side", "trend", "slope", "95% confidence", "held at the end", "looks"];
        [trend_row("server"), trend_row("client")]))
    + (.flow | "<dl class=\"facts\">" + ([
        ["asked for", "\(.rate | grouped) /s"], ["came", "\(.achieved_rate | rounded(1)) /s"], ["late", (.late | grouped)],
        ["accepted", (.accepted | grouped)], ["accept() failed", (.accept_errors | grouped)],
        ["connect() timed out", (.connect_timeouts | grouped)], ["replies lost", (.lost | grouped)],
        ["server’s descriptors", (if .server_nofile > 0 then .server_nofile | grouped else "not limited" end)]]
      | each(@html "<div><dt>\(.[0])</dt><dd>\(.[1])</dd></div>")) + "</dl>"));

# ---- pictures ----

def timeline_section:
  "<h3>Timeline</h3>"
  + (if .drawn then scroll_box("Timeline of \(.order)"; "\n<!--plot \(.number)-->\n") else "<p>Nothing was looked at, so there is nothing to draw.</p>" end);

# Connections of a bug that came one by one have only their beginning in common; that needs no picture.
def has_ladder: (.ladder | length) > (if .options.rate then 1 else 0 end);

def order_section:
  (.meaning as $meaning | when($meaning and (.sentences.lead | contains($meaning) | not); @html "<p>\($meaning)</p>")) as $meaning
  | (if has_ladder then . as $run | .ladder | ladder_svg($run | "\(run_id)-ladder"; $run.order)
     elif .summary == null then "<p class=\"note\">The explanation comes from the program <code>tcpstorm</code>, which was not found or does not know this name.</p>"
     else "" end) as $ladder
  | when($meaning + $ladder != ""; "<h3>What each connection goes through</h3>" + $meaning + $ladder);

# ---- settings ----

def value_words: if type == "array" then map(tostring) | join(" to ") elif type == "number" then (if . == floor then grouped else tostring end) else tostring end;

def object_table($caption; $heads; $object):
  when($object | length > 0; pairs_table($caption; $heads; [$object | to_entries[] | [.key, (.value | value_words)]]));

# What is dropped before the stack is counted for the whole host, whatever the namespace.
def settings_section:
  (if .outcome == "as expected" then .counters |= del(.softnet_dropped) else . end)
  | "<h3>What bent the result</h3>"
  + (if .warnings | length > 0 then "<ul class=\"warnings\">" + (.warnings | each(@html "<li>\(.)</li>")) + "</ul>"
     else "<p>tcpstorm gave no warning.</p>" end)
  + (if .outcome == "as expected" and .options.look_inside == null then "<p>The kernel’s counters are left out: the run is as expected, and they count the connections of other programs too.</p>"
     elif .counters | length > 0 then "<div class=\"tables\">" + object_table("Kernel counters that moved"; ["counter", "moved by"]; .counters) + "</div>"
     else "<p>No kernel counter that spells trouble has moved.</p>" end)
  + (.sentences.counters | paragraphs)
  + "<details><summary>All settings of this run</summary><div class=\"tables\">"
  + object_table("Kernel settings"; ["sysctl", "value"]; .sysctls)
  + object_table("Options"; ["option", "value"]; .options)
  + object_table("Also"; ["what", "value"]; {lanes: .lanes, workers: .workers, witness: .witness, version: .version} | with_entries(select(.value != null)))
  + "</div></details>";

def repeat_section:
  "<h3>Repeat it</h3>"
  + (if .command then @html "<pre tabindex=\"0\" aria-label=\"Command that repeats the run\"><code>\(.command)</code></pre>"
     elif .format == "csv" and .known then @html "<pre tabindex=\"0\" aria-label=\"Command that repeats the run\"><code>tcpstorm --conns \(.conns) --order \(.order)</code></pre>" + "<p class=\"note\">A CSV does not say which other options there were.</p>"
     else "<p class=\"note\">The file does not say with which command it was made.</p>" end);

def run_section:
  @html "<section id=\"\(run_id)\" class=\"run\" aria-labelledby=\"\(run_id)-title\">"
  + @html "<div class=\"run-head\"><h2 id=\"\(run_id)-title\">\(.order)<span class=\"conns\">\(.conns | several("connection"))</span></h2>" + outcome_chip + "</div>"
  + when(.summary; @html "<p class=\"summary\">\(.summary)</p>")
  + debts_section + verdict_section + timeline_section + story_section + histogram_section + left_section + flow_section
  + order_section
  + when(.format == "json"; settings_section)
  + repeat_section
  + @html "<p class=\"source\">From \(.source)</p></section>";

# ---- the whole ----

# Runs on the same machine share a line; the memory is that of the first.
def machines:
  map(select(.kernel)) | group_by([.kernel, .limits.processors, .limits.nofile_hard]) | map(.[0]) | sort_by(.number);

def machine_list:
  @html "<div><dt>kernel</dt><dd>\(.kernel)</dd></div>"
  + when(.limits.processors; @html "<div><dt>processors</dt><dd>\(.limits.processors | grouped)</dd></div>")
  + when(.limits.memory_available; @html "<div><dt>memory available</dt><dd>\(.limits.memory_available | bytes_words)</dd></div>")
  + when(.limits.nofile_hard; @html "<div><dt>descriptors a process</dt><dd>\(.limits.nofile_hard | grouped)</dd></div>");

def machine_section:
  when(length > 0; "<section aria-labelledby=\"machine\"><h2 id=\"machine\" class=\"small\">\(if machines | length > 1 then "Machines" else "Machine" end)</h2>"
  + (if machines | length > 0 then machines | each("<dl class=\"facts\">" + machine_list + "</dl>")
     else "<p class=\"note\">A CSV says nothing of the machine.</p>" end) + "</section>");

def overview_row:
  @html "<tr><th scope=\"row\"><a href=\"#\(run_id)\">\(.order)</a><span class=\"aside\">\(.conns | grouped)</span></th>"
  + "<td>" + outcome_chip + "</td>"
  + @html "<td class=\"who-cell \(class_of_run)\">\(verdict_of_debts)</td></tr>";

def overview_section:
  when(length > 1;
    "<section aria-labelledby=\"overview\"><h2 id=\"overview\">Overview</h2>"
    + "<table class=\"overview\"><caption>Each run, its outcome, and who owes a close() at its end</caption>"
    + "<thead><tr><th scope=\"col\">order, connections</th><th scope=\"col\">outcome</th><th scope=\"col\">who owes a close()</th></tr></thead><tbody>"
    + each(overview_row) + "</tbody></table>" + scroll_box("All runs beside each other"; "\n<!--plots-->\n") + "</section>");

def glossary_section:
  ([.[].steps[].sides[] | to_entries[] | select(.value | type == "number" and . > 0) | .key] | unique) as $columns
  | "<section aria-labelledby=\"states\"><details><summary><h2 id=\"states\">What the states mean</h2></summary><dl class=\"glossary\">"
  + ([states[] | select(.column | IN($columns[])) | @html "<div><dt><span class=\"swatch s-\(.column)\" aria-hidden=\"true\"></span>\(.name)</dt><dd>\(.words)</dd></div>"] | join("\n"))
  + "</dl></details></section>";

"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">"
+ "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
+ "<meta name=\"color-scheme\" content=\"light dark\">\n"
+ @html "<title>\($title)</title>\n<style>\n" + $css + "</style>\n</head>\n<body>\n"
+ "<a class=\"skip\" href=\"#content\">Skip to the result</a>\n"
+ @html "<header><h1>\($title)</h1>" + machine_section + "</header>\n<main id=\"content\" tabindex=\"-1\">\n"
+ overview_section + "\n" + each(run_section) + "\n"
+ ($proxies | to_entries | each(.key as $i | .value | proxy_section($i + 1))) + "\n" + when(length > 0; glossary_section)
+ "\n</main>\n<footer><p>Made by tcpstorm’s scripts/report. States are those that the kernel reported; nothing is deduced from the calls made.</p></footer>\n</body>\n</html>"
