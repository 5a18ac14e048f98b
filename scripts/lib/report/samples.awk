# samples.awk: makes events.jq fast, since nearly all of a file is samples: those that are written as tcpstorm writes
# them become a tab, the order, a tab and a row with the columns of --csv; every other line is left to events.jq. POSIX
# awk.
#
# From outside come `columns`.
#
# A layout is the keys of a sample in their order. A line is compared with the layout of the last line that had as many
# fields and the same seventh one, which is the side.

BEGIN {
    FS = ","
    column_count = split(columns, column_name, ",")
}

substr($0, 1, 17) == "{\"event\":\"sample\"" && substr($0, length($0)) == "}" && !index($0, "\\") && take_sample() { next }

{
    sub(/^[ \t]+/, "")
    print
}

# Prints the row; returns 0 if the line is written in another way.
function take_sample(    layout, row, i) {
    layout = NF SUBSEP $7
    if (!(layout in known)) learn(layout)
    if (!known[layout]) return 0
    for (i = 2; i <= NF; i++) if (substr($i, 1, key_width[layout, i]) != key[layout, i]) return 0
    $NF = substr($NF, 1, length($NF) - 1)
    for (i = 1; i <= column_count; i++) row = row (i > 1 ? "," : "") value_of(layout, at[layout, i])
    print "\t" value_of(layout, at[layout, 1]) "\t" row
    return 1
}

function value_of(layout, i,    value) {
    if (!i) return 0
    value = substr($i, key_width[layout, i] + 1)
    return substr(value, 1, 1) == "\"" ? substr(value, 2, length(value) - 2) : value
}

function learn(layout,    i, j, name) {
    known[layout] = 1
    for (i = 2; i <= NF; i++) {
        if (!match($i, /^"[a-z0-9_]+":/)) known[layout] = 0
        key[layout, i] = substr($i, 1, RLENGTH)
        key_width[layout, i] = RLENGTH
        name = substr($i, 2, RLENGTH - 3)
        for (j = 1; j <= column_count; j++) if (column_name[j] == name) at[layout, j] = i
    }
    for (j = 1; j <= column_count; j++) at[layout, j] += 0
    if (!at[layout, 1]) known[layout] = 0
}
