# debt.awk: says of each run in a few words who owes a close().

# `is_short`: without numbers and times of what is over.
function debt_sentence(run, is_short,    text, side, i) {
    for (i = 1; i <= 2; i++) {
        side = side_name[i]
        if (debt_now[run, side, "close_wait"] > unowned_now[run, side])
            text = text joint(text) "the " side " owes " grouped(debt_now[run, side, "close_wait"] - unowned_now[run, side]) " close()"
        if (unowned_now[run, side] > 0)
            text = text joint(text) grouped(unowned_now[run, side]) (is_short ? " that nobody can close" : " were never accepted: nobody can close them")
        if (debt_now[run, side, "ghosts"] > 0)
            text = text joint(text) "the " side " keeps " descriptors(debt_now[run, side, "ghosts"])
    }
    owes_now[run] = text != ""
    if (text != "") return text
    text = debts_before(run, "close_wait", is_short)
    if (text == "") text = debts_before(run, "ghosts", is_short)
    return "nobody owes a close()" (text == "" ? "" : " at the end; ") text
}

function joint(text) { return text == "" ? "" : "; " }

function descriptors(count) { return grouped(count) " descriptor" (count == 1 ? "" : "s") " of nothing" }

# What was owed, and is no more: "the client owed 1,000, from 1.1 to 2.2 s".
function debts_before(run, what, is_short,    text, side, i) {
    for (i = 1; i <= 2; i++) {
        side = side_name[i]
        if (!was_owed(run, side, what)) continue
        if (is_short && text != "") return "both sides did before"
        text = text joint(text) "the " side (is_short ? " did before" : debt_before(run, side, what))
    }
    return text
}

# The looks at an order before a step has settled may meet states that merely pass.
function was_owed(run, side, what) {
    return debt_most[run, side, what] > 0 && (run_is_flow(run) || debt_settled[run, side, what])
}

function debt_before(run, side, what,    count) {
    count = debt_most[run, side, what]
    return (what == "ghosts" ? " kept " : " owed ") (run_is_flow(run) ? "up to " : "") \
        (what == "ghosts" ? descriptors(count) : grouped(count)) sprintf(", from %.1f to %.1f s", \
        debt_from[run, side, what] - run_start[run], debt_to[run, side, what] - run_start[run])
}

# Connections that come one by one are never all there.
function run_is_flow(run) { return steps[run] == 1 && step_name[run, 1] == "arrivals" }
