# states.jq: the TCP states, from the bottom of a stack to its top. The colours are those of scripts/plot, in report.css.

def states: [
  {column: "syn_sent", name: "SYN_SENT", words: "asked for a connection; no answer yet"},
  {column: "syn_recv", name: "SYN_RECV", words: "answered; the handshake is not complete"},
  {column: "established", name: "ESTABLISHED", words: "open; either side may send, either may close"},
  {column: "fin_wait1", name: "FIN_WAIT1", words: "closed here; not acknowledged by the other kernel yet"},
  {column: "fin_wait2", name: "FIN_WAIT2", short: "waits for the other side", words: "closed here; the other side has not called close()"},
  {column: "closing", name: "CLOSING", words: "both sides closed at once; the last ACK is missing"},
  {column: "close_wait", name: "CLOSE_WAIT", short: "owes a close()", words: "the other side has closed; this side owes a close(); no timer ends it"},
  {column: "last_ack", name: "LAST_ACK", words: "closed last; not acknowledged by the other kernel yet"},
  {column: "time_wait", name: "TIME_WAIT", short: "ends by itself", words: "closed on both sides; kept for 60 s until late segments are dead"},
  {column: "close", name: "CLOSE", words: "not connected"},
  {column: "gone", name: "gone", short: "no socket left", words: "no socket is left in the kernel's tables"}
];

# The class that has a state's colour: of the first one where there may be two ("TIME_WAIT or gone").
def state_class: split(" or ")[0] as $name | (first(states[] | select(.name == $name) | .column) // "other") | "s-" + .;

def state_short: . as $name | first(states[] | select(.name == $name) | .short) // "";
