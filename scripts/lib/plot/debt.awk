# debt.awk: says of each run in a sentence who owes a close(): the one that tcpstorm's verdict and scripts/report have
# (src/analysis/debt.c), with what was owed before where nothing is owed at the end.

# `is_short`: without numbers and times of what is over.
function debt_sentence(run, is_short,    server, client, side, text) {
    server = owed_now[run, "server"]
    client = owed_now[run, "client"]
    side = server > 0 ? "server" : "client"
    owes_now[run] = 1
    if (server > 0 && client > 0) return "Both sides owe a close(): the server " grouped(server) ", the client " grouped(client) "."
    if (server + client > 0) return one_owes(side, owed_now[run, side], stuck_now[run, side])
    side = stuck_now[run, "server"] > 0 ? "server" : "client"
    if (stuck_now[run, side] > 0)
        return "Nobody can close " connections(stuck_now[run, side]) ": the " side " never accepted " (stuck_now[run, side] == 1 ? "it." : "them.")
    owes_now[run] = 0
    server = unclosed_now[run, "server"]
    client = unclosed_now[run, "client"]
    side = server > 0 ? "server" : "client"
    if (server > 0 && client > 0) return "Neither side has closed: " connections(server) (server == 1 ? " is open." : " are open.")
    if (server + client > 0) return "The " side " has not closed: it holds " connections(unclosed_now[run, side]) "."
    text = debts_before(run, is_short)
    return "Nobody owes a close()" (text == "" ? "." : " at the end; " text ".")
}

function one_owes(side, owed, stuck) {
    return "The " side " owes " grouped(owed) " close() call" (owed == 1 ? "" : "s") \
        (stuck > 0 ? "; " grouped(stuck) " more " (stuck == 1 ? "was" : "were") " never accepted." : ".")
}

function connections(count) { return grouped(count) " connection" (count == 1 ? "" : "s") }

# What was owed, and is no more: "the client owed 1,000, from 1.1 to 2.2 s".
function debts_before(run, is_short,    text, side, i) {
    for (i = 1; i <= 2; i++) {
        side = side_name[i]
        if (!was_owed(run, side)) continue
        if (is_short && text != "") return "both sides did before"
        text = text (text == "" ? "" : "; ") "the " side (is_short ? " did before" : debt_before(run, side))
    }
    return text
}

# The looks at an order before a step has settled may meet states that merely pass.
function was_owed(run, side) { return owed_most[run, side] > 0 && (run_is_flow(run) || owed_settled[run, side]) }

function debt_before(run, side) {
    return " owed " (run_is_flow(run) ? "up to " : "") grouped(owed_most[run, side]) sprintf(", from %.1f to %.1f s", \
        owed_from[run, side] - run_start[run], owed_to[run, side] - run_start[run])
}

# Connections that come one by one are never all there.
function run_is_flow(run) { return steps[run] == 1 && step_name[run, 1] == "arrivals" }
