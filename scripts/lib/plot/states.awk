# states.awk: the states that are drawn, with their colours and what is said of them. POSIX awk; scripts/plot runs it
# together with the other files of this folder.
#
# Words that all of them use: a run is one order played once; a vector is the count of every state in one sample, and
# last how many descriptors of gone connections the side holds; px are pixels of a page 800 px wide, from the top left.
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
    define_state("closing", "CLOSING", "#009E73", "black")
    define_state("close_wait", "CLOSE_WAIT", "#D55E00", "black")
    define_state("last_ack", "LAST_ACK", "#CC79A7", "black")
    define_state("time_wait", "TIME_WAIT", "#0072B2", "white")
    define_state("close", "CLOSE", "#444444", "white")
    define_state("gone", "gone", "#EEEEEE", "black")
    meaning["FIN_WAIT2"] = "waits for the other side"
    meaning["CLOSE_WAIT"] = "owes a close()"
    meaning["TIME_WAIT"] = "ends by itself"
    meaning["gone"] = "no socket left"
    side_name[1] = "server"
    side_name[2] = "client"
    call_of["server"] = "accept()"
    call_of["client"] = "connect()"
    most_runs = 64
}

function define_state(column, name, colour, ink) {
    states++
    state_column[states] = column
    state_name[states] = name
    state_colour[states] = colour
    state_ink[states] = ink
}
