# beside.awk: what a timeline has beside the states of a run's connections. A line on the server's panel: the descriptors
# behind it, on connections to others. A panel below: how many requests and replies are lost in a second.

# Files what a look tells of it; of equal counts the first and the last are kept.
function note_count(what, side, count, t,    key, n) {
    key = what SUBSEP runs SUBSEP side
    n = counts_of[key]
    if (!n || count != counted[key, n] || n == 1 || count != counted[key, n - 1]) n = ++counts_of[key]
    counted_t[key, n] = t
    counted[key, n] = count
    if (count > counted_most[key]) counted_most[key] = count
}

# ---- behind the server ----

function has_behind(run) { return counted_most["behind", run, "server"] > 0 }

function any_behind(    run) {
    for (run = 1; run <= runs; run++) if (has_behind(run)) return 1
    return 0
}

function print_behind(run,    key, i, n) {
    key = "behind" SUBSEP run SUBSEP "server"
    n = counts_of[key]
    print "$behind << END_OF_BEHIND"
    for (i = 1; i <= n; i++) printf "%.6f %d\n", counted_t[key, i] - run_start[run], counted[key, i]
    printf "%.6f %d\nEND_OF_BEHIND\n", run_span[run], counted[key, n]
}

# A white line below it keeps it apart from every area.
function plot_behind() {
    return "'$behind' using 1:2 with steps lc rgb 'white' lw 4, '$behind' using 1:2 with steps lc rgb '" behind_colour "' lw 2, "
}

function draw_behind_sample(x, y) {
    printf "set arrow from %s to %s nohead front lc rgb '%s' lw 2\n", at_px(x, y), at_px(x + 18, y), behind_colour
}

# ---- what is lost ----

function has_lost(run) { return lost_by(run, run_last[run]) > 0 }

# Of both sides, up to that time; between two looks as if it grew evenly.
function lost_by(run, t) { return counted_by("lost" SUBSEP run SUBSEP "server", t) + counted_by("lost" SUBSEP run SUBSEP "client", t) }

function counted_by(key, t,    low, high, middle, span) {
    low = 0
    high = counts_of[key] + 1
    while (high - low > 1) {
        middle = int((low + high) / 2)
        if (counted_t[key, middle] <= t) low = middle
        else high = middle
    }
    if (low == 0) return 0
    if (high > counts_of[key]) return counted[key, low]
    span = counted_t[key, high] - counted_t[key, low]
    return counted[key, low] + (counted[key, high] - counted[key, low]) * (t - counted_t[key, low]) / span
}

# All of a row of cells have a panel where one of them has lost anything, with one scale on all of the page.
function find_losses(    run, t, rate) {
    for (run = 1; run <= runs; run++) {
        if (!has_lost(run)) continue
        row_loses[row_of(run)] = 1
        if (!lost_bin || run_span[run] / 30 > lost_bin) lost_bin = run_span[run] / 30
    }
    if (!lost_bin) return
    lost_bin = round_step(lost_bin)
    for (run = 1; run <= runs; run++)
        for (t = 0; t < run_last[run] - run_start[run]; t += lost_bin) {
            rate = lost_rate(run, t)
            if (rate > lost_most) lost_most = rate
        }
}

function lost_rate(run, t) { return (lost_by(run, run_start[run] + t + lost_bin) - lost_by(run, run_start[run] + t)) / lost_bin }

function draw_lost(run, x, y,    t, step, ticks, all) {
    step = round_step(lost_most / 2)
    for (t = 0; t <= lost_most; t += step) ticks = ticks sprintf("%s'%s' %.9g", t ? ", " : "", t < 1 && t ? sprintf("%g", t) : grouped(t), t)
    all = lost_by(run, run_last[run])
    print "$lost << END_OF_LOST"
    for (t = 0; t < run_last[run] - run_start[run]; t += lost_bin) printf "%.6f %.6f\n", t + lost_bin / 2, lost_rate(run, t)
    print "END_OF_LOST"
    place_panel(x, y, lost_height)
    printf "set xrange [0:%.9g]\nset yrange [0:%.9g]\nset ytics (%s)\n", run_span[run], lost_most * 1.05, ticks
    draw_text("lost /s", x + 20, y + lost_height / 2, "center rotate by 90", font(11, 1))
    draw_text(all > 0 ? grouped(all) " lost" : "none is lost", x + left_margin + panel_width, y - 7, "right", font(11, all > 0))
    name_seconds(run, 1, x, y + lost_height)
    printf "plot '$lost' using 1:2:(%.6f) with boxes fc rgb '%s' fs solid 1 noborder, -1 with lines lc rgb 'white'\n", lost_bin, lost_colour
    print "unset label\nunset object\nunset arrow"
}
