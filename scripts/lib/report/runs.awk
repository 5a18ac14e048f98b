# runs.awk: files what events.jq or rows.awk print under their runs: FOLDER/N.csv with the samples of run N, for
# scripts/plot; FOLDER/N.events with its other events; FOLDER/N.seen with the last row of each step and side, after the
# second in which that step was seen first. POSIX awk. From outside come `columns`, `folder`, `runs`, how many there are
# already, and `file`, the name for messages. It prints how many runs there are now.

BEGIN {
    FS = "\t"
    column_count = split(columns, column_name, ",")
    for (i = 1; i <= column_count; i++)
        row_pattern = row_pattern (i > 1 ? "," : "^") "(" pattern_of(column_name[i]) ")"
    row_pattern = row_pattern "$"
    before = runs
}

before + $1 > runs { begin_run() }
$2 == "event" { flush(); print $4 > name_of(before + $1, "events"); next }
$4 !~ row_pattern { fail_row() }
{ gather(before + $1) }

END {
    if (failed) exit 2
    flush()
    for (i = 1; i <= looks; i++) print first_t[i] "," last_row[i] > name_of(run_of[i], "seen")
    print runs
}

function pattern_of(name) {
    if (name == "order" || name == "step") return "[^,]+"
    if (name == "side") return "server|client"
    if (name == "gone") return "-?[0-9]+"
    if (name ~ /_s$/) return "[0-9]*[.]?[0-9]+([eE][-+]?[0-9]+)?"
    return "[0-9]+"
}

function words_for(name) {
    if (name == "order" || name == "step") return "a name"
    if (name == "side") return "server or client"
    if (name == "gone") return "a whole number"
    return name ~ /_s$/ ? "a number of seconds" : "a whole number from 0 up"
}

# Says which column does not match the pattern.
function fail_row(    i, field) {
    split($4, field, ",")
    for (i = 1; i <= column_count; i++)
        if (field[i] !~ ("^(" pattern_of(column_name[i]) ")$")) break
    print "scripts/report: " file ", line " $3 ": \"" column_name[i] "\" should be " words_for(column_name[i]) \
        " and is \"" field[i] "\"." > "/dev/stderr"
    failed = 1
    exit 2
}

function name_of(run, kind) { return folder "/" run "." kind }

# The files come to be, even if nothing follows.
function begin_run() {
    runs++
    printf "" > name_of(runs, "events")
    printf "" > name_of(runs, "seen")
    print columns > name_of(runs, "csv")
}

# Of a run on several hosts each has rows of its own, one after the other: they are added up.
function gather(run,    field, key, i) {
    split($4, field, ",")
    key = run SUBSEP field[3] SUBSEP field[4] SUBSEP field[6]
    if (key != pending_key) flush()
    for (i = 1; i <= column_count; i++)
        pending[i] = key == pending_key && is_summed(column_name[i]) ? pending[i] + field[i] : field[i]
    pending_key = key
    pending_run = run
}

function is_summed(name) { return name !~ /^(order|conns|t_s|step|settled|side|look_s|connect_s)$/ }

function flush(    row, i) {
    if (pending_key == "") return
    for (i = 1; i <= column_count; i++) row = row (i > 1 ? "," : "") pending[i]
    pending_key = ""
    take_row(pending_run, row)
}

# The last row of the step, and the row for the plot, which takes names of letters, digits and dashes only.
function take_row(run, row,    field, key) {
    split(row, field, ",")
    key = run SUBSEP field[4] SUBSEP field[6]
    if (!(key in look_of)) {
        look_of[key] = ++looks
        run_of[looks] = run
        first_t[looks] = field[3]
    }
    last_row[look_of[key]] = row
    gsub(/[^A-Za-z0-9_.,+-]/, "_", row)
    print row > name_of(run, "csv")
}
