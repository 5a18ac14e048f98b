# states.awk: the states that are drawn, with their colours and what is said of them. POSIX awk; scripts/plot runs it
# together with the other files of this folder.
#
# Words that all of them use: a run is one order played once; a vector is the count of every state in one sample; a ghost
# is an end whose connection has ended while its side still holds the descriptor: it is gone from the kernel's tables, or
# kept there as a TIME_WAIT; px are pixels of a page 800 px wide, from the top left.
# Variables from outside: `bold` is the name of the bold font, `kind` is timeline, histogram or empty for what suits.

BEGIN {
    # From the bottom of the stack to its top, the way that a connection lives. Colours: Okabe-Ito, four of Paul Tol,
    # in an order in which no two that look alike to a colour-blind reader are neighbours of each other.
    define_state("listen", "LISTEN", "#117733", "white")
    define_state("syn_sent", "SYN_SENT", "#999933", "black")
    define_state("syn_recv", "SYN_RECV", "#332288", "white")
    define_state("established", "ESTABLISHED", "#56B4E9", "black")
    define_state("fin_wait1", "FIN_WAIT1", "#E69F00", "black")
    define_state("fin_wait2", "FIN_WAIT2", "#F0E442", "black")
    define_state("half", "FIN_WAIT2, not closed", "#F0E442", "black")
    define_state("closing", "CLOSING", "#009E73", "black")
    define_state("close_wait", "CLOSE_WAIT", "#D55E00", "black")
    define_state("last_ack", "LAST_ACK", "#CC79A7", "black")
    define_state("time_wait", "TIME_WAIT", "#0072B2", "white")
    define_state("kept", "TIME_WAIT, not closed", "#0072B2", "white")
    define_state("close", "CLOSE", "#444444", "white")
    define_state("ghosts", "not closed", "#EEEEEE", "black")
    define_state("gone", "gone", "#EEEEEE", "black")
    meaning["FIN_WAIT2"] = "waits for the other side"
    meaning["FIN_WAIT2, not closed"] = "descriptor left: no timer ends it"
    meaning["CLOSE_WAIT"] = "owes a close()"
    meaning["not closed"] = "gone, descriptor left: owes a close()"
    meaning["TIME_WAIT, not closed"] = "descriptor left: owes a close()"
    meaning["TIME_WAIT"] = "ends by itself"
    meaning["gone"] = "no socket left"
    side_name[1] = "server"
    side_name[2] = "client"
    call_of["server"] = "accept()"
    call_of["client"] = "connect()"
    behind_colour = "#332288"
    lost_colour = "#AA4499"
    most_runs = 64
}

function define_state(column, name, colour, ink) {
    states++
    state_column[states] = column
    state_name[states] = name
    state_colour[states] = colour
    state_ink[states] = ink
}

function is_debt(i) { return state_name[i] == "CLOSE_WAIT" || is_ghost(i) }

function is_ghost(i) { return state_column[i] == "ghosts" || state_column[i] == "kept" }

# The colour of the lines over what is gone, or nothing: that of CLOSE_WAIT where a close() is owed. What waits with a
# descriptor that its side could have closed has lines too.
function hatching(i) {
    if (is_ghost(i)) return "#D55E00"
    if (state_column[i] == "half") return "#8A6D00"
    return state_column[i] == "gone" ? "#AAAAAA" : ""
}

# What is gone without a descriptor and with one are hatched the other way round, to be told apart in grey.
function hatch(i) { return "fc rgb '" hatching(i) "' fs transparent pattern " (state_column[i] == "gone" ? 4 : 5) }
