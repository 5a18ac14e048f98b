# debt.awk: says of each run in a few words who owes a close().

# `is_short`: without numbers and times of what is over.
function debt_sentence(run, is_short,    text, side, i) {
    for (i = 1; i <= 2; i++) {
        side = side_name[i]
        if (debt_now[run, side] > unowned_now[run, side])
            text = text joint(text) "the " side " owes " grouped(debt_now[run, side] - unowned_now[run, side]) " close()"
        if (unowned_now[run, side] > 0)
            text = text joint(text) grouped(unowned_now[run, side]) (is_short ? " that nobody can close" : " were never accepted: nobody can close them")
        if (ghosts_now[run, side] > 0)
            text = text joint(text) "the " side " keeps " grouped(ghosts_now[run, side]) " descriptors of nothing"
    }
    owes_now[run] = text != ""
    if (text != "") return text
    return "nobody owes a close()" (is_short ? debt_before_short(run) : debt_before(run))
}

function joint(text) { return text == "" ? "" : "; " }

# " at the end; the client owed 1,000, from 1.1 to 2.2 s"
function debt_before(run,    text, side, i) {
    for (i = 1; i <= 2; i++) {
        side = side_name[i]
        if (debt_most[run, side] > 0)
            text = text (text == "" ? " at the end; " : "; ") "the " side " owed " (run_is_flow(run) ? "up to " : "") \
                grouped(debt_most[run, side]) sprintf(", from %.1f to %.1f s", \
                debt_from[run, side] - run_start[run], debt_to[run, side] - run_start[run])
    }
    return text
}

# " at the end; the client did before"
function debt_before_short(run,    server, client) {
    server = debt_most[run, "server"] > 0
    client = debt_most[run, "client"] > 0
    if (!server && !client) return ""
    return " at the end; " (server && client ? "both sides" : "the " (server ? "server" : "client")) " did before"
}

# Connections that come one by one are never all there.
function run_is_flow(run) { return steps[run] == 1 && step_name[run, 1] == "arrivals" }
