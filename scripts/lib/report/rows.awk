# rows.awk: reads CSV that `tcpstorm --csv` wrote and prints lines of RUN <tab> "row" <tab> LINE <tab> ROW for runs.awk,
# each row with all columns in the usual order, whichever the file has. POSIX awk.
#
# A file has no mark between two runs: the next one begins where the header, the order, the number of connections or an
# earlier time comes. From outside come `columns`, `file`, the name for messages, and `cut`, 1 if the last line has no newline: it
# was cut while it was written, and is left out.

BEGIN {
    FS = ","
    column_count = split(columns, column_name, ",")
    first_version = 22 # so many columns every file has; those that came later are 0 in a file from before them
}

{ sub(/\r$/, "") }
$0 == "" { next }
!width || $at["order"] == "order" { pass_on(); read_header(); next }
{ pass_on(); held = $0; held_line = NR }

END {
    if (!failed && !cut) pass_on()
    if (!failed && !width) fail(": the file is empty, so there is nothing to report.")
    if (!failed && !runs) fail(": there is a header but no rows, so there is nothing to report.")
    if (failed) exit 2
}

function fail(sentence) {
    print "scripts/report: " file sentence > "/dev/stderr"
    failed = 1
    exit 2
}

function read_header(    i, name) {
    for (name in at) delete at[name]
    for (i = 1; i <= NF; i++) if (!($i in at)) at[$i] = i
    for (i = 1; i <= first_version; i++)
        if (!(column_name[i] in at))
            fail(", line " NR ": not a tcpstorm CSV, the header has no column \"" column_name[i] "\".")
    width = NF
    new_chunk = 1
}

# Prints the row before this one: only now is it known not to be the last.
function pass_on(    i, row, field) {
    if (held == "") return
    i = split(held, field, ",")
    if (i < width) fail(", line " held_line ": the row has " i " of " width " columns.")
    if (new_chunk || field[at["order"]] != order || field[at["conns"]] != conns || field[at["t_s"]] + 0 < t_s) runs++
    new_chunk = 0
    order = field[at["order"]]
    conns = field[at["conns"]]
    t_s = field[at["t_s"]] + 0
    for (i = 1; i <= column_count; i++) row = row (i > 1 ? "," : "") value_of(column_name[i], field)
    print runs "\trow\t" held_line "\t" row
    held = ""
}

# Before there was a column of ghosts, descriptors on connections that are gone could only be told when all are.
function value_of(name, field) {
    if (name in at) return field[at[name]]
    if (name == "ghosts" && field[at["gone"]] > 0 && field[at["fds"]] + 0 >= field[at["gone"]] + 0) return field[at["gone"]]
    return 0
}
