# owes.jq: who has to call close(), told from the last look at a side.
#
# The debts of a side: `owed`, ends that its program must close (CLOSE_WAIT with an owner, and ghosts: descriptors whose
# connection has ended); `stuck`, CLOSE_WAIT that were never accepted, so that no program can close them; `open`, ends
# that are ESTABLISHED, which the side has not closed. `class` is the gravest of them. tcpstorm says them
# (src/analysis/debt.h); for files from before, which have no began_s, they are worked out.

def debts($row):
  (if $row.began_s > 0 then {owed: $row.owed, stuck: $row.stuck, open: $row.unclosed}
   else {owed: (([$row.close_wait - $row.unowned, 0] | max) + $row.ghosts), stuck: $row.unowned, open: $row.established} end)
  | . + {side: $row.side, ghosts: $row.ghosts, close_wait: (.owed - $row.ghosts), row: $row}
  | .class = if .owed > 0 then "owes" elif .stuck > 0 then "stuck" elif .open > 0 then "open" else "none" end;

def grouped:
  if . < 0 then "-" + (-. | grouped)
  else tostring | if length <= 3 then . else (.[:-3] | tonumber | grouped) + "," + .[-3:] end end;

def several($word): "\(grouped) \($word)\(if . == 1 then "" else "s" end)";

def close_calls: several("close() call");

# What a side is to do, as the words after its name.
def duty:
  if .owed > 0 then "owes \(.owed | close_calls)"
  elif .stuck > 0 then "never accepted \(.stuck | several("connection"))"
  elif .open > 0 then "has not closed \(.open | several("connection"))"
  else "owes nothing" end;

# What is behind the duty, in full sentences.
def duty_reasons:
  (if .side == "server" then "client" else "server" end) as $other
  | [ (select(.close_wait > 0) | "\(.close_wait | grouped) in CLOSE_WAIT: the \($other) has closed, and this program has not. No timer ends that."),
      (select(.ghosts > 0) | "\(.ghosts | several("descriptor")) still open on \(if .ghosts == 1 then "a connection that has" else "connections that have" end) ended: a count of CLOSE_WAIT misses \(if .ghosts == 1 then "it" else "them" end)."),
      (select(.stuck > 0) | "\(.stuck | grouped) in CLOSE_WAIT were never accepted: no program has a descriptor to close. They end with the listener."),
      (select(.open > 0) | "\(.open | grouped) ESTABLISHED: no FIN has come or gone on this side; the program still has to close \(if .open == 1 then "it" else "them" end)."),
      (select(.row.established > .open) | "\(.row.established - .open | grouped) ESTABLISHED wait in the accept queue."),
      (select(.row.fin_wait1 > 0) | "\(.row.fin_wait1 | grouped) in FIN_WAIT1: closed here; the other kernel has not acknowledged."),
      (select(.row.fin_wait2 > 0) | "\(.row.fin_wait2 | grouped) in FIN_WAIT2: closed here; the \($other) has not called close()."),
      (select(.row.closing > 0) | "\(.row.closing | grouped) in CLOSING: both closed at once; the last ACK is missing."),
      (select(.row.last_ack > 0) | "\(.row.last_ack | grouped) in LAST_ACK: closed last; the other kernel has not acknowledged."),
      (select(.row.time_wait > 0) | "\(.row.time_wait | grouped) in TIME_WAIT: closed on both sides; ends by itself after 60 s."),
      (select(.row.syn_sent > 0) | "\(.row.syn_sent | grouped) in SYN_SENT: asked for a connection; no answer yet."),
      (select(.row.syn_recv > 0) | "\(.row.syn_recv | grouped) in SYN_RECV: answered; the handshake is not complete."),
      (select(.row.gone - .ghosts > 0 and .row.conns > 0) | "\(.row.gone - .ghosts | grouped) gone: no socket is left.") ];

# One sentence for the whole run: tcpstorm's own, or, of files that do not have it, the same from the last look. The
# server is told first, as in all of tcpstorm's output.
def verdict_of_debts:
  .owes // ([.ends.server, .ends.client | values] as $ends
  | ($ends | map(select(.class == "owes"))) as $owing
  | ($ends | map(select(.class == "stuck"))) as $stuck
  | ($ends | map(select(.class == "open"))) as $open
  | if ($ends | length) == 0 then "Nothing was seen of the sockets."
    elif ($owing | length) == 2 then "Both sides owe a close(): the server \($owing[0].owed | grouped), the client \($owing[1].owed | grouped)."
    elif ($owing | length) == 1 then "The \($owing[0].side) \($owing[0] | duty)\(if $owing[0].stuck > 0 then "; \($owing[0].stuck | grouped) more were never accepted" else "" end)."
    elif ($stuck | length) > 0 then "Nobody can close \($stuck[0].stuck | several("connection")): the \($stuck[0].side) never accepted \(if $stuck[0].stuck == 1 then "it" else "them" end)."
    elif ($open | length) == 2 then "Neither side has closed: \($open[0].open | several("connection")) \(if $open[0].open == 1 then "is" else "are" end) open."
    elif ($open | length) == 1 then "The \($open[0].side) has not closed: it holds \($open[0].open | several("connection"))."
    else "Nobody owes a close()." end);

# The gravest class of both sides.
def class_of_run:
  [.ends.server, .ends.client | values | .class] as $classes
  | first(("owes", "stuck", "open", "none") | select(. as $class | $classes | index($class))) // "unknown";
