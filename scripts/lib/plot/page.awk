# page.awk: what every picture has: its title, its legend, and how text and boxes get onto it.

END {
    if (!failed) { flush(); check_files() }
    if (failed) exit 2
    for (run = 1; run <= runs; run++) finish_run(run)
    share_scales()
    name_repeated_runs()
    if (kind == "") kind = runs > 1 ? "histogram" : "timeline"
    page_width = 800
    legend_top = 40
    if (kind == "histogram") draw_histograms()
    else draw_timelines()
}

# Sets the length of a run's time axis, with a margin on the right that lets the last sample be seen, even if its step
# has no other; and its height.
function finish_run(run,    span, last_step_start) {
    span = run_last[run] - run_start[run]
    last_step_start = step_start[run, steps[run]] - run_start[run]
    run_span[run] = span * 1.03
    if (run_span[run] < last_step_start / 0.85) run_span[run] = last_step_start / 0.85
    if (run_span[run] <= 0) run_span[run] = 1
    run_height[run] = run_highest[run]
    if (run_height[run] < counted_most["behind", run, "server"]) run_height[run] = counted_most["behind", run, "server"]
    if (run_height[run] < run_conns[run] && (!run_is_flow(run) || run_height[run] > 0.8 * run_conns[run])) run_height[run] = run_conns[run]
    if (run_height[run] <= 0) run_height[run] = run_conns[run]
}

# A bug and its fixed twin are compared: both have one scale, of time too.
function share_scales(    bug, twin) {
    for (bug = 1; bug <= runs; bug++)
        for (twin = 1; twin <= runs; twin++)
            if (run_order[twin] == run_order[bug] "-fixed" && run_conns[twin] == run_conns[bug]) {
                run_height[bug] = run_height[twin] = larger(run_height[bug], run_height[twin])
                run_span[bug] = run_span[twin] = larger(run_span[bug], run_span[twin])
            }
}

function larger(a, b) { return a > b ? a : b }

# Tells two runs of the same order and size apart in their titles.
function name_repeated_runs(    run, key, total, number) {
    for (run = 1; run <= runs; run++) total[run_order[run], run_conns[run]]++
    for (run = 1; run <= runs; run++) {
        key = run_order[run] SUBSEP run_conns[run]
        run_title[run] = run_order[run] ", " grouped(run_conns[run]) (run_order[run] == "LISTEN" ? " socket" : " connection") (run_conns[run] == 1 ? "" : "s")
        if (total[key] > 1) run_title[run] = run_title[run] " (" ++number[key] ")"
    }
}

# ---- legend ----

# Spreads the legend over lines; returns how many. Behind the states comes the line, where there is one.
function place_legend(    i, x, line, width) {
    x = 16
    line = 1
    for (i = 1; i <= states + 1; i++) {
        if (!occurs[i]) continue
        width = 24 + text_width(legend_text(i), 12, is_debt(i)) + 16
        if (x > 16 && x + width > page_width) { x = 16; line++ }
        legend_x[i] = x
        legend_line[i] = line
        x += width
    }
    return line
}

function legend_text(i) {
    if (i > states) return "connections of the server to its backend"
    return state_name[i] (state_name[i] in meaning ? " (" meaning[state_name[i]] ")" : "")
}

function draw_legend(title,    i, y) {
    draw_text(title, 16, 20, "left", font(15, 1))
    for (i = 1; i <= states + 1; i++) {
        if (!occurs[i]) continue
        y = legend_top + 20 * (legend_line[i] - 1)
        if (i > states) draw_behind_sample(legend_x[i], y + 7)
        else draw_state_box(i, legend_x[i], y, 18, 13, "lc rgb '#888888'")
        draw_text(legend_text(i), legend_x[i] + 24, y + 7, "left", font(12, is_debt(i)))
    }
}

# ---- text and boxes ----

# A guess at a text's width in px, in DejaVu Sans, which is among the widest fonts that may be used.
function text_width(text, size, is_bold,    width) {
    width = 0.42 * length(text)
    width += 0.24 * gsub(/[A-Z]/, "", text)
    width += 0.22 * gsub(/[0-9]/, "", text)
    width += 0.16 * gsub(/[a-z]/, "", text)
    return width * size * (is_bold ? 1.13 : 1)
}

function grouped(number,    text, out) {
    text = sprintf("%.0f", number)
    while (length(text) > 3) {
        out = "," substr(text, length(text) - 2) out
        text = substr(text, 1, length(text) - 3)
    }
    return text out
}

function at_px(x, y) { return sprintf("screen %.5f, screen %.5f", x / page_width, 1 - y / page_height) }

function draw_text(text, x, y, align, style) { printf "set label '%s' at %s %s front %s\n", text, at_px(x, y), align, style }

function draw_box(x, y, width, height, look) {
    printf "set object rectangle from %s to %s %s front\n", at_px(x, y), at_px(x + width, y + height), look
}

# In the state's colour, or its hatching; `border` is its line.
function draw_state_box(i, x, y, width, height, border) {
    draw_box(x, y, width, height, "fc rgb '" state_colour[i] "' fs solid 1 border " border)
    if (hatching(i) != "") draw_box(x, y, width, height, hatch(i) " border " border)
}

function font(size, is_bold) { return "font '" (is_bold ? bold : "") "," size "'" }

# In the colour of CLOSE_WAIT, darkened to be read as text, where somebody still owes.
function draw_debt(run, x, y, size,    text) {
    text = debt_sentence(run, runs > 1)
    draw_text(text, x, y, "left", font(size, owes_now[run]) (owes_now[run] ? " tc rgb '#A84300'" : " tc rgb '#333333'"))
}

function begin_page() {
    printf "#size %d %d\n", page_width, page_height
    print "set encoding utf8"
    print "set multiplot"
    print "unset key"
    print "set border 3 lc rgb '#444444'"
    print "set tics nomirror out scale 0.5 tc rgb '#222222' font ',11'"
}
