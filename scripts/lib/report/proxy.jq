# proxy.jq: the sections of audits of proxies ("tcpstorm audit --through --json"): the matrix of how the client ends by how
# the backend ends, and the verdict. Whatever comes from a file passes through @html.

def manners: ["close", "half_close", "abort", "stays"];
def manner_words: {close: "closes", half_close: "half-closes", abort: "aborts (RST)", stays: "stays open"};

# What all of a cell have heard, or how many what.
def heard_words($passed):
  {fin: "FIN", rst: "RST", nothing: "nothing"} as $names
  | [to_entries[] | select(.key != "early" and .value > 0) | {words: $names[.key], count: .value}]
  | if length == 1 then .[0].words else map("\(.words) (\(.count))") | join(", ") end;

def fault_words:
  [ if .held_front > 0 then "holds \(.held_front) from clients" else empty end,
    if .held_back > 0 then "holds \(.held_back) to the backend" else empty end,
    if .one_sided > 0 then "keeps \(.one_sided) whose other end has gone" else empty end,
    if .lost > 0 then "loses data on \(.lost)" else empty end ];

def fact_words:
  if .passed == 0 then ["did not come"]
  else
    [ if .client != "stays" then "the backend hears \(.passed as $n | .backend_heard | heard_words($n))" else empty end,
      if .backend != "stays" and (.client == "stays" or .client == "half_close")
        then "the client hears \(.passed as $n | .client_heard | heard_words($n))" else empty end,
      if .client == "half_close" and .backend != "abort" and has("replied") then
        (if .replied == .passed then "whole reply" elif .replied == 0 then "no reply" else "\(.replied) replies" end)
      elif .client == "half_close" and .backend != "abort" then
        (if .answered == .passed then "the other direction stays usable" elif .answered == 0 then "the other direction is closed"
         else "the other direction is usable on \(.answered)" end)
      else empty end,
      if .passed < .conns then "\(.passed) of \(.conns) came" else empty end ]
  end;

def proxy_cell:
  fault_words as $faults
  | "<td" + (if ($faults | length) > 0 then " class=\"owes\"" else "" end) + ">"
  + ((fact_words | map(@html "\(.)")) + ($faults | map(@html "<strong>\(.)</strong>")) | if length == 0 then ["nothing ends"] else . end | join("<br>"))
  + "</td>";

def proxy_row($cells; $client):
  @html "<tr><th scope=\"row\">\(manner_words[$client])</th>"
  + (manners | map(. as $backend | $cells[] | select(.client == $client and .backend == $backend) | proxy_cell) | join("")) + "</tr>";

def outcome_class: {lets_go: "good", leaks: "bad", loses_data: "bad", proxy_ended: "bad"}[.outcome] // "open";

def proxy_section($number):
  .cells as $cells
  | @html "<section id=\"proxy-\($number)\" class=\"run\" aria-labelledby=\"proxy-\($number)-title\">"
  + @html "<div class=\"run-head\"><h2 id=\"proxy-\($number)-title\">proxy \(.through)<span class=\"conns\">to \(.as_backend)\(if .http then ", http " + .http else "" end), \(.conns) connections a cell</span></h2>"
  + @html "<span class=\"chip \(outcome_class)\">\(.outcome | gsub("_"; " "))</span></div>"
  + (.verdict | split("\n") | map(select(. != "")) | map(@html "<p class=\"summary\">\(.)</p>") | join(""))
  + @html "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"What the proxy \(.through) passes on\"><table><caption>How the client ends (a row each) by how the backend ends</caption>"
  + "<thead><tr><th scope=\"col\">client</th>" + (manners | map(@html "<th scope=\"col\">the backend \(manner_words[.])</th>") | join("")) + "</tr></thead><tbody>"
  + (manners | map(. as $client | proxy_row($cells; $client)) | join("\n")) + "</tbody></table></div>"
  + @html "<p class=\"source\">From \(.source)</p></section>";
