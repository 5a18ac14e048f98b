# read.awk: reads CSV rows of tcpstorm, checks them, and files them by run, side and step.

BEGIN {
    FS = ","
    column_count = split("order conns t_s step settled side opened listen syn_sent syn_recv established fin_wait1 fin_wait2 " \
        "close_wait closing last_ack time_wait close gone fds errors look_s", column_name, " ")
    # Of later versions: a file without them is drawn as far as it goes.
    later_count = split("ghosts unread unowned queued dropped late connect_s nofile " \
        "owed stuck unclosed began_s failed_s dropped_s half_closed elsewhere lost", later_name, " ")
    pattern_of["a whole number from 0 up"] = "[0-9]+"
    pattern_of["a whole number"] = "-?[0-9]+"
    pattern_of["a number of seconds"] = "[0-9]*[.]?[0-9]+([eE][-+]?[0-9]+)?"
    pattern_of["a name of letters, digits and dashes"] = "[A-Za-z0-9_.+-]+"
    pattern_of["server or client"] = "(server|client)"
    pattern_of["0 or 1"] = "[01]"
}

# Before each file scripts/plot sets `cut`: the number of its last line if that has no end, 0 if it has.
FNR == 1 { flush(); new_chunk = 1; header_width = 0 }
/\r$/ { sub(/\r$/, "") }
$0 == "" { next }
header_width == 0 || $at_order == "order" { read_header(); new_chunk = 1; next }
FNR == cut { leave_out(); next }
$0 !~ row_pattern { fail_row() }
$at_conns == 0 { fail_line("column \"conns\" is 0, so there is nothing to draw.") }
at_host && $at_host != "local" { gather(); next }
{ take_row() }

# Says in one sentence what is wrong with the input, and ends the program.
function fail(sentence) {
    print "scripts/plot: " sentence > "/dev/stderr"
    failed = 1
    exit 2
}

function shown_file() {
    if (FILENAME == "-" || FILENAME == "") return "standard input"
    return substr(FILENAME, 1, 2) == "./" ? substr(FILENAME, 3) : FILENAME
}

function fail_line(sentence) { fail(shown_file() ", line " FNR ": " sentence) }

# An interrupted run leaves a last line like this, whose last number cannot be trusted either.
function leave_out() {
    print "scripts/plot: " shown_file() ", line " FNR ": the row was cut while it was written and is left out." > "/dev/stderr"
}

function read_header(    i, name) {
    for (name in at) delete at[name]
    for (i = 1; i <= NF; i++) if (!($i in at)) at[$i] = i
    for (i = 1; i <= column_count; i++)
        if (!(column_name[i] in at))
            fail_line("not a tcpstorm CSV, the header has no column \"" column_name[i] "\".")
    header_width = NF
    header_seen[FILENAME] = 1
    row_pattern = pattern_of_rows()
    at_order = at["order"]; at_conns = at["conns"]; at_t = at["t_s"]; at_step = at["step"]; at_settled = at["settled"]
    at_side = at["side"]; at_listen = at["listen"]; at_gone = at["gone"]; at_fds = at["fds"]; at_errors = at["errors"]
    at_ghosts = later("ghosts"); at_unowned = later("unowned"); at_dropped = later("dropped"); at_nofile = later("nofile")
    at_host = later("host")
    at_owed = later("owed"); at_stuck = later("stuck"); at_unclosed = later("unclosed")
    at_half = later("half_closed"); at_elsewhere = later("elsewhere"); at_lost = later("lost")
    at_began = later("began_s"); at_failed_s = later("failed_s"); at_dropped_s = later("dropped_s")
    for (name in is_summed) delete is_summed[name]
    for (name in at) if (name !~ /^(order|conns|t_s|step|settled|side|look_s|host|(connect|began|failed|dropped)_s)$/) is_summed[at[name]] = 1
    s2 = at["syn_sent"]; s3 = at["syn_recv"]; s4 = at["established"]; s5 = at["fin_wait1"]; s6 = at["fin_wait2"]
    s7 = at["closing"]; s8 = at["close_wait"]; s9 = at["last_ack"]; s10 = at["time_wait"]; s11 = at["close"]
}

# Of a run on several hosts each has rows of its own, one after the other: they are added up.
function gather(    key, i) {
    key = $at_order FS $at_conns FS $at_t FS $at_step FS $at_side
    if (key == pending_key) {
        for (i in is_summed) pending[i] += $i
        return
    }
    flush()
    pending_key = key
    for (i = 1; i <= NF; i++) pending[i] = $i
}

# Files the row that the hosts have together.
function flush(    now, row, i) {
    if (pending_key == "") return
    now = $0
    row = pending[1]
    for (i = 2; i <= header_width; i++) row = row FS pending[i]
    pending_key = ""
    $0 = row
    take_row()
    $0 = now
}

# 0 in a file of before.
function later(name) { return name in at ? at[name] : 0 }

# One pattern for a whole row is much faster than one for each column.
function pattern_of_rows(    i, kind_at, pattern) {
    for (i = 1; i <= column_count; i++) kind_at[at[column_name[i]]] = kind_of(column_name[i])
    for (i = 1; i <= later_count; i++) if (later_name[i] in at) kind_at[at[later_name[i]]] = kind_of(later_name[i])
    for (i = 1; i <= header_width; i++)
        pattern = pattern (i > 1 ? "," : "^") (i in kind_at ? pattern_of[kind_at[i]] : "[^,]*")
    return pattern "$"
}

function kind_of(name) {
    if (name ~ /_s$/) return "a number of seconds"
    if (name == "gone") return "a whole number"
    if (name == "order" || name == "step") return "a name of letters, digits and dashes"
    if (name == "side") return "server or client"
    if (name == "settled") return "0 or 1"
    return "a whole number from 0 up"
}

# Says what is wrong with a row that does not match the pattern.
function fail_row(    i) {
    if (NF < header_width) fail_line("the row has " NF " of " header_width " columns, " column_after(NF) " is missing.")
    if (NF > header_width) fail_line("the row has " NF " columns and the header only " header_width ".")
    for (i = 1; i <= column_count; i++) check_value(column_name[i])
    for (i = 1; i <= later_count; i++) if (later_name[i] in at) check_value(later_name[i])
}

function check_value(name,    value) {
    value = $at[name]
    if (value !~ ("^" pattern_of[kind_of(name)] "$"))
        fail_line("column \"" name "\" should be " kind_of(name) " and is \"" value "\".")
}

function column_after(i,    name) {
    for (name in at) if (at[name] == i + 1) return "\"" name "\""
}

# Files the row under its run, side and step. Rows that repeat the counts before them add nothing to a staircase and are
# dropped.
function take_row(    side, t, step, vector, n, sum, listening, gone, held, kept, half) {
    side = $at_side
    t = $at_t + 0
    if (new_chunk || $at_order != run_order[runs] || $at_conns + 0 != run_conns[runs] || t < last_t[side]) begin_run(t)
    if (t < run_start[runs]) run_start[runs] = t
    if (at_began && $at_began > 0) run_start[runs] = $at_began + 0
    if (t > run_last[runs]) run_last[runs] = t
    last_t[side] = t
    step = $at_step
    if (!((runs, step) in step_index)) begin_step(step, t)
    step = step_index[runs, step]
    if (t < step_start[runs, step]) step_start[runs, step] = t
    gone = $at_gone < 0 ? 0 : $at_gone
    held = held_gone(gone)
    kept = at_ghosts ? $at_ghosts - held : 0
    if (kept > $s10) kept = $s10
    half = at_half ? $at_half + 0 : 0
    if (half > $s6) half = $s6
    listening = $at_order == "LISTEN" ? $at_listen : 0
    vector = listening " " $s2 " " $s3 " " $s4 " " $s5 " " ($s6 - half) " " half " " $s7 " " $s8 " " $s9 " " ($s10 - kept) " " kept " " $s11 " " held " " (gone - held)
    note_events(side, t)
    note_debts(side, t)
    if (at_elsewhere) note_count("behind", side, $at_elsewhere + 0, t)
    if (at_lost) note_count("lost", side, $at_lost + 0, t)
    if (vector == last_vector[side] && step == last_step[side] && $at_settled == last_settled[side]) return
    if ($at_settled == 1 || !((runs, step, side) in step_settled)) step_vector[runs, step, side] = vector
    if ($at_settled == 1) step_settled[runs, step, side] = 1
    last_settled[side] = $at_settled
    if (vector == last_vector[side] && step == last_step[side]) return
    last_vector[side] = vector
    last_step[side] = step
    note_states(side, (listening > 0) ($s2 > 0) ($s3 > 0) ($s4 > 0) ($s5 > 0) ($s6 > half) (half > 0) ($s7 > 0) ($s8 > 0) ($s9 > 0) ($s10 > kept) (kept > 0) ($s11 > 0) (held > 0) (gone > held))
    n = ++samples[runs, side]
    sample_t[runs, side, n] = t
    sample_step[runs, side, n] = step
    sample_vector[runs, side, n] = vector
    sum = listening + $s2 + $s3 + $s4 + $s5 + $s6 + $s7 + $s8 + $s9 + $s10 + $s11 + gone
    if (sum > run_highest[runs]) run_highest[runs] = sum
}

# How many of those that are gone still have a descriptor. Other ghosts are in TIME_WAIT.
# Files from before the column tell of the descriptors that no socket can have.
function held_gone(gone,    held) {
    held = at_ghosts ? $at_ghosts + 0 : $at_fds - $s2 - $s4 - $s5 - $s6 - $s7 - $s8 - $s9 - $s11
    if (held < 0) return 0
    return held < gone ? held : gone
}

# What happens once in a run: the first failure of each side, the first SYN that was dropped; and how near the limit
# of descriptors a side comes.
function note_events(side, t) {
    if (at_failed_s && $at_failed_s > 0) first_error[runs, side] = $at_failed_s + 0
    else if ($at_errors > 0 && !((runs, side) in first_error)) first_error[runs, side] = t
    if (at_dropped_s && $at_dropped_s > 0) first_drop[runs] = $at_dropped_s + 0
    else if (at_dropped && side == "server" && !(at_dropped_s && $at_step == "arrivals")) {
        if (!(runs in dropped_before)) dropped_before[runs] = $at_dropped + 0
        if ($at_dropped > dropped_before[runs] && !(runs in first_drop)) first_drop[runs] = t
    }
    if (at_nofile && $at_nofile > 0) run_nofile[runs, side] = $at_nofile + 0
    if ($at_fds > most_fds[runs, side]) most_fds[runs, side] = $at_fds + 0
}

# tcpstorm says what is owed (src/analysis/debt.h); for files of before it is worked out.
function note_debts(side, t,    stuck, owed) {
    stuck = at_unowned ? $at_unowned + 0 : 0
    owed = $s8 - stuck + (at_ghosts ? $at_ghosts + 0 : held_gone($at_gone > 0 ? $at_gone + 0 : 0))
    stuck_now[runs, side] = at_stuck ? $at_stuck + 0 : stuck
    unclosed_now[runs, side] = at_unclosed ? $at_unclosed + 0 : $s4 + 0
    note_debt(side, at_owed ? $at_owed + 0 : owed, t)
}

# How many close() a side owes, from when to when; to -1: still.
function note_debt(side, count, t,    key) {
    key = runs SUBSEP side
    owed_now[key] = count
    if (count == 0) {
        if (key in owed_from && owed_to[key] < 0) owed_to[key] = t
        return
    }
    if (!(key in owed_from)) owed_from[key] = t
    owed_to[key] = -1
    if (count > owed_most[key]) owed_most[key] = count
    if ($at_settled == 1) owed_settled[key] = 1
}

# Remembers which states a side has been in; `present` has a digit for each, 1 if this sample counts it.
function note_states(side, present,    i) {
    if ((runs, side, present) in noted) return
    noted[runs, side, present] = 1
    for (i = 1; i <= states; i++)
        if (substr(present, i, 1) == 1) occurs_in[runs, side, i] = 1
}

function begin_run(t) {
    if (++runs > most_runs)
        fail_line("more than " most_runs " runs to draw, are the rows in the order in which tcpstorm wrote them?")
    new_chunk = 0
    run_order[runs] = $at_order
    run_conns[runs] = $at_conns + 0
    run_highest[runs] = 0
    rows_of[FILENAME] = 1
    run_start[runs] = run_last[runs] = t
    last_t["server"] = last_t["client"] = -1
    last_vector["server"] = last_vector["client"] = ""
}

function begin_step(step, t,    i) {
    i = ++steps[runs]
    step_index[runs, step] = i
    step_name[runs, i] = step
    step_start[runs, i] = t
}

function check_files(    i) {
    for (i = 1; i < ARGC; i++)
        if (ARGV[i] !~ /^cut=/ && !(ARGV[i] in rows_of)) {
            FILENAME = ARGV[i]
            if (ARGV[i] in header_seen) fail(shown_file() ": there is a header but no rows to draw.")
            fail(shown_file() ": the file is empty, so there is nothing to draw.")
        }
}
