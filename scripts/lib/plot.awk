# plot.awk: reads tcpstorm CSV rows and prints the gnuplot script that draws them. POSIX awk; called by scripts/plot.
#
# Words: a run is one order played once, with one pair of panels (server above client); a vector is the count of every
# state in one sample, and 1 if the side holds descriptors of connections that are gone, else 0; a flag is the name of a
# step on its vertical line; px are pixels of a page 800 px wide, from the top left. Variables from outside: `bold` is
# the name of the bold font.

BEGIN {
    FS = ","
    # From the bottom of the stack to its top, the way that a connection lives. Colours: Okabe-Ito, three of Paul Tol.
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
    column_count = split("order conns t_s step settled side opened listen syn_sent syn_recv established fin_wait1 fin_wait2 " \
        "close_wait closing last_ack time_wait close gone fds errors look_s", column_name, " ")
    pattern_of["a whole number from 0 up"] = "[0-9]+"
    pattern_of["a whole number"] = "-?[0-9]+"
    pattern_of["a number of seconds"] = "[0-9]*[.]?[0-9]+([eE][-+]?[0-9]+)?"
    pattern_of["a name of letters, digits and dashes"] = "[A-Za-z0-9_.+-]+"
    pattern_of["server or client"] = "(server|client)"
    side_name[1] = "server"
    side_name[2] = "client"
    most_runs = 64
}

FNR == 1 { new_chunk = 1; header_width = 0 }
/\r$/ { sub(/\r$/, "") }
$0 == "" { next }
header_width == 0 || $at_order == "order" { read_header(); new_chunk = 1; next }
$0 !~ row_pattern { fail_row() }
$at_conns == 0 { fail_line("column \"conns\" is 0, so there is nothing to draw.") }
{ take_row() }

END {
    if (!failed) check_files()
    if (failed) exit 2
    for (run = 1; run <= runs; run++) finish_run(run)
    name_repeated_runs()
    draw_page()
}

# ---- reading ----

function define_state(column, name, colour, ink) {
    states++
    state_column[states] = column
    state_name[states] = name
    state_colour[states] = colour
    state_ink[states] = ink
}

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

function read_header(    i, name) {
    for (name in at) delete at[name]
    for (i = 1; i <= NF; i++) if (!($i in at)) at[$i] = i
    for (i = 1; i <= column_count; i++)
        if (!(column_name[i] in at))
            fail_line("not a tcpstorm CSV, the header has no column \"" column_name[i] "\".")
    header_width = NF
    header_seen[FILENAME] = 1
    row_pattern = pattern_of_rows()
    at_order = at["order"]; at_conns = at["conns"]; at_t = at["t_s"]; at_step = at["step"]; at_side = at["side"]; at_gone = at["gone"]; at_fds = at["fds"]; at_ghosts = at["ghosts"]
    s1 = at[state_column[1]]; s2 = at[state_column[2]]; s3 = at[state_column[3]]; s4 = at[state_column[4]]
    s5 = at[state_column[5]]; s6 = at[state_column[6]]; s7 = at[state_column[7]]; s8 = at[state_column[8]]
    s9 = at[state_column[9]]; s10 = at[state_column[10]]
}

# One pattern for a whole row is much faster than one for each column.
function pattern_of_rows(    i, kind_at, pattern) {
    for (i = 1; i <= column_count; i++) kind_at[at[column_name[i]]] = kind_of(column_name[i])
    for (i = 1; i <= header_width; i++)
        pattern = pattern (i > 1 ? "," : "^") (i in kind_at ? pattern_of[kind_at[i]] : "[^,]*")
    return pattern "(,|$)"
}

function kind_of(name) {
    if (name == "t_s" || name == "look_s") return "a number of seconds"
    if (name == "gone") return "a whole number"
    if (name == "order" || name == "step") return "a name of letters, digits and dashes"
    if (name == "side") return "server or client"
    return "a whole number from 0 up"
}

# Says what is wrong with a row that does not match the pattern.
function fail_row(    i, value) {
    if (NF < header_width) fail_line("the row has " NF " of " header_width " columns, " column_after(NF) " is missing.")
    for (i = 1; i <= column_count; i++) {
        value = $at[column_name[i]]
        if (value !~ ("^" pattern_of[kind_of(column_name[i])] "$"))
            fail_line("column \"" column_name[i] "\" should be " kind_of(column_name[i]) " and is \"" value "\".")
    }
}

function column_after(i,    name) {
    for (name in at) if (at[name] == i + 1) return "\"" name "\""
}

# Files the row under its run, side and step. Rows that repeat the counts before them add nothing to a staircase and are dropped.
function take_row(    side, t, step, vector, n, sum) {
    side = $at_side
    t = $at_t + 0
    if (new_chunk || $at_order != run_order[runs] || $at_conns + 0 != run_conns[runs] || t < last_t[side]) begin_run(t)
    if (t < run_start[runs]) run_start[runs] = t
    if (t > run_last[runs]) run_last[runs] = t
    last_t[side] = t
    step = $at_step
    if (!((runs, step) in step_index)) begin_step(step, t)
    step = step_index[runs, step]
    if (t < step_start[runs, step]) step_start[runs, step] = t
    vector = $s1 " " $s2 " " $s3 " " $s4 " " $s5 " " $s6 " " $s7 " " $s8 " " $s9 " " $s10 " " ($at_gone < 0 ? 0 : $at_gone) " " ($at_gone > 0 && held_gone() >= $at_gone)
    if (vector == last_vector[side] && step == last_step[side]) return
    last_vector[side] = vector
    last_step[side] = step
    note_states(side, ($s1 > 0) ($s2 > 0) ($s3 > 0) ($s4 > 0) ($s5 > 0) ($s6 > 0) ($s7 > 0) ($s8 > 0) ($s9 > 0) ($s10 > 0) ($at_gone > 0))
    n = ++samples[runs, side]
    sample_t[runs, side, n] = t
    sample_step[runs, side, n] = step
    sample_vector[runs, side, n] = vector
    sum = $s1 + $s2 + $s3 + $s4 + $s5 + $s6 + $s7 + $s8 + $s9 + $s10 + ($at_gone < 0 ? 0 : $at_gone)
    if (sum > run_highest[runs]) run_highest[runs] = sum
}

# Remembers which states a side has been in; `present` has a digit for each, 1 if this sample counts it.
function note_states(side, present,    i) {
    if ((runs, side, present) in noted) return
    noted[runs, side, present] = 1
    for (i = 1; i <= states; i++)
        if (substr(present, i, 1) == 1) occurs[i] = occurs_in[runs, side, i] = 1
}

function begin_run(t) {
    if (++runs > most_runs)
        fail_line("more than " most_runs " runs to draw, are the rows in the order in which tcpstorm wrote them?")
    new_chunk = 0
    run_order[runs] = $at_order
    run_conns[runs] = run_highest[runs] = $at_conns + 0
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
        if (!(ARGV[i] in rows_of)) {
            FILENAME = ARGV[i]
            if (ARGV[i] in header_seen) fail(shown_file() ": there is a header but no rows to draw.")
            fail(shown_file() ": the file is empty, so there is nothing to draw.")
        }
}

# ---- layout ----

# Of the samples of one step that share half a pixel, keeps the first and the last.
function thin_samples(run, side,    i, n, kept, half_px, step, last_half_px, last_step, sharing) {
    n = samples[run, side]
    for (i = 1; i <= n; i++) {
        half_px = int((sample_t[run, side, i] - run_start[run]) / run_span[run] * panel_width * 2)
        step = sample_step[run, side, i]
        sharing = half_px == last_half_px && step == last_step ? sharing + 1 : 1
        if (sharing <= 2) kept++
        last_half_px = half_px
        last_step = step
        sample_t[run, side, kept] = sample_t[run, side, i]
        sample_step[run, side, kept] = step
        sample_vector[run, side, kept] = sample_vector[run, side, i]
    }
    samples[run, side] = kept
}

# Sets the length of a run's time axis: a margin on the right lets the last sample be seen, even if its step has no other.
function finish_run(run,    span, last_step_start) {
    span = run_last[run] - run_start[run]
    last_step_start = step_start[run, steps[run]] - run_start[run]
    run_span[run] = span * 1.03
    if (run_span[run] < last_step_start / 0.85) run_span[run] = last_step_start / 0.85
    if (run_span[run] <= 0) run_span[run] = 1
}

# Tells two runs of the same order and size apart in their titles.
function name_repeated_runs(    run, key, total, number) {
    for (run = 1; run <= runs; run++) total[run_order[run], run_conns[run]]++
    for (run = 1; run <= runs; run++) {
        key = run_order[run] SUBSEP run_conns[run]
        run_title[run] = run_order[run] ", " grouped(run_conns[run]) (run_conns[run] == 1 ? " connection" : " connections")
        if (total[key] > 1) run_title[run] = run_title[run] " (" ++number[key] ")"
    }
}

function draw_page(    run, top) {
    measure_page()
    begin_page()
    draw_legend()
    top = page_head
    for (run = 1; run <= runs; run++) {
        draw_run(run, ((run - 1) % columns) * cell_width, top, flag_levels[row_of(run)])
        if (run % columns == 0) top += row_height(row_of(run))
    }
    print "unset multiplot"
}

function measure_page(    run) {
    page_width = 800
    columns = runs > 1 ? 2 : 1
    cell_width = page_width / columns
    panel_height = columns > 1 ? 118 : 190
    panel_gap = 18
    left_margin = 48 + text_width(widest_tick(), 11)
    right_margin = columns > 1 ? 36 : 20
    panel_width = cell_width - left_margin - right_margin
    legend_top = 40
    page_head = page_height = legend_top + 20 * place_legend() + 8
    for (run = 1; run <= runs; run++) {
        thin_samples(run, "server")
        thin_samples(run, "client")
        place_flags(run)
    }
    for (run = 1; run <= runs; run += columns) page_height += row_height(row_of(run))
}

function row_of(run) { return int((run - 1) / columns) }

function row_height(row) { return 30 + 16 * flag_levels[row] + 2 * panel_height + panel_gap + 56 }

# Gives every flag of a run its level above the panels, from the last step back to the first: a flag goes above those
# of the later steps that its text passes over, so that no line crosses a text. A text too long for the page moves left.
function place_flags(run,    i, j, right, row) {
    row = row_of(run)
    for (i = steps[run]; i >= 1; i--) {
        flag_x[run, i] = (step_start[run, i] - run_start[run]) / run_span[run] * panel_width
        right = flag_x[run, i] + text_width(step_name[run, i], 12) + 8
        flag_shift[run, i] = right > panel_width + right_margin ? right - panel_width - right_margin : 0
        flag_level[run, i] = 1
        for (j = i + 1; j <= steps[run]; j++)
            if (flag_x[run, j] - flag_shift[run, j] < right && flag_level[run, j] >= flag_level[run, i])
                flag_level[run, i] = flag_level[run, j] + 1
        if (flag_level[run, i] > flag_levels[row]) flag_levels[row] = flag_level[run, i]
    }
}

# Spreads the legend over lines; returns how many.
function place_legend(    i, x, line, width) {
    x = 16
    line = 1
    for (i = 1; i <= states; i++) {
        if (!occurs[i]) continue
        width = 24 + text_width(legend_text(i), 12, state_name[i] == "CLOSE_WAIT") + 16
        if (x > 16 && x + width > page_width) { x = 16; line++ }
        legend_x[i] = x
        legend_line[i] = line
        x += width
    }
    return line
}

function legend_text(i) {
    return state_name[i] (state_name[i] in meaning ? " (" meaning[state_name[i]] ")" : "")
}

function widest_tick(    run, widest) {
    for (run = 1; run <= runs; run++) if (run_highest[run] > widest) widest = run_highest[run]
    return grouped(widest)
}

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

# ---- drawing ----

function at_px(x, y) { return sprintf("screen %.5f, screen %.5f", x / page_width, 1 - y / page_height) }

function draw_text(text, x, y, align, style) { printf "set label '%s' at %s %s front %s\n", text, at_px(x, y), align, style }

function draw_box(x, y, width, height, look) {
    printf "set object rectangle from %s to %s %s front\n", at_px(x, y), at_px(x + width, y + height), look
}

function font(size, is_bold) { return "font '" (is_bold ? bold : "") "," size "'" }

function begin_page() {
    printf "#size %d %d\n", page_width, page_height
    print "set encoding utf8"
    print "set multiplot"
    print "unset key"
    print "set border 3 lc rgb '#444444'"
    print "set tics nomirror out scale 0.5 tc rgb '#222222' font ',11'"
}

# The legend belongs to no panel: it is drawn along with the first and then forgotten.
function draw_legend(    i, y) {
    draw_text("Sockets in each TCP state over time, per side, as the kernel reports them", 16, 20, "left", font(15, 1))
    for (i = 1; i <= states; i++) {
        if (!occurs[i]) continue
        y = legend_top + 20 * (legend_line[i] - 1)
        draw_box(legend_x[i], y, 18, 13, "fc rgb '" state_colour[i] "' fs solid 1 border lc rgb '#888888'")
        if (state_name[i] == "gone")
            draw_box(legend_x[i], y, 18, 13, "fc rgb '#AAAAAA' fs transparent pattern 4 border lc rgb '#888888'")
        draw_text(legend_text(i), legend_x[i] + 24, y + 7, "left", font(12, state_name[i] == "CLOSE_WAIT"))
    }
}

# A cell of the page: title, flags, server panel, client panel, time axis.
function draw_run(run, x, y, levels) {
    draw_text(run_title[run], x + 16, y + 12, "left", font(columns > 1 ? 13 : 14, 1))
    y += 30 + 16 * levels
    draw_panel(run, 1, x, y)
    draw_panel(run, 2, x, y + panel_height + panel_gap)
}

# The flags above the server's panel, or their poles in the gap between both panels; inside, the plot draws the lines.
function draw_flags(run, side, x, y,    i, pole_x, pole) {
    print "$flags << END_OF_FLAGS"
    for (i = 1; i <= steps[run]; i++) printf "%.6f\n", step_start[run, i] - run_start[run]
    print "END_OF_FLAGS"
    for (i = 1; i <= steps[run]; i++) {
        pole_x = x + flag_x[run, i]
        pole = side == 2 ? panel_gap : 16 * flag_level[run, i] - (flag_shift[run, i] ? 14 : -1)
        printf "set arrow from %s to %s nohead front lc rgb 'black' lw 1\n", at_px(pole_x, y - pole), at_px(pole_x, y)
        if (side == 1)
            draw_text(step_name[run, i], pole_x + 4 - flag_shift[run, i], y - 16 * flag_level[run, i] + 6, "left", font(12, 0))
    }
}

function draw_panel(run, side, x, y,    top, middle) {
    print_samples(run, side_name[side])
    top = run_highest[run]
    middle = y + panel_height / 2
    printf "set lmargin at screen %.5f\nset rmargin at screen %.5f\n", (x + left_margin) / page_width, (x + left_margin + panel_width) / page_width
    printf "set tmargin at screen %.5f\nset bmargin at screen %.5f\n", 1 - y / page_height, 1 - (y + panel_height) / page_height
    printf "set xrange [0:%.9g]\nset yrange [0:%.0f]\n", run_span[run], top
    print_ticks(run_conns[run], top)
    printf "set xtics %.9g format '%s'\n", round_step(run_span[run] / (panel_width / 45)), side == 2 ? "%g" : ""
    draw_text(side_name[side], x + 20, middle, "center rotate by 90", font(15, 1))
    if (side == 2) draw_text("seconds", x + left_margin + panel_width / 2, y + panel_height + 36, "center", font(11, 0))
    draw_flags(run, side, x + left_margin, y)
    name_areas(run, side_name[side], x + left_margin, y)
    print_plot(run, side_name[side])
    print "unset label\nunset object\nunset arrow"
}

function print_ticks(conns, top,    i, parts, ticks) {
    parts = conns % 4 == 0 && panel_height > 150 ? 4 : conns % 2 == 0 ? 2 : 1
    for (i = 0; i <= parts; i++) ticks = ticks sprintf("%s'%s' %.0f", i ? ", " : "", grouped(conns * i / parts), conns * i / parts)
    if (top > conns * 1.1) ticks = ticks sprintf(", '%s' %.0f", grouped(top), top)
    print "set ytics (" ticks ")"
}

# The next 1, 2 or 5 times a power of ten.
function round_step(least,    step) {
    for (step = 1; step >= least; step /= 10) continue
    for (; step * 10 < least; step *= 10) continue
    if (step * 2 >= least) return step * 2
    if (step * 5 >= least) return step * 5
    return step * 10
}

# The data of a panel, as a staircase: each sample holds until the next, the last to the end of the axis. Each line is the
# time and the heights of the stack.
function print_samples(run, side,    i, n) {
    print "$samples << END_OF_SAMPLES"
    n = samples[run, side]
    for (i = 1; i <= n; i++) {
        if (i > 1) print_stack(sample_t[run, side, i] - run_start[run])
        stack_up(sample_vector[run, side, i])
        print_stack(sample_t[run, side, i] - run_start[run])
    }
    if (n) print_stack(run_span[run])
    print "END_OF_SAMPLES"
}

function stack_up(vector,    i, counts, sum) {
    split(vector, counts, " ")
    stack = " 0"
    for (i = 1; i <= states; i++) {
        sum += counts[i]
        stack = stack " " sum
    }
}

function print_stack(t) { printf "%.6f%s\n", t, stack }

function print_plot(run, side,    i, plots, columns) {
    for (i = 1; i <= states; i++) {
        if (!occurs_in[run, side, i]) continue
        columns = "'$samples' using 1:" (i + 1) ":" (i + 2) " with filledcurves "
        plots = plots columns "fc rgb '" state_colour[i] "' fs solid 1 noborder, "
        if (state_name[i] == "gone") plots = plots columns "fc rgb '#AAAAAA' fs transparent pattern 4 noborder, "
    }
    print "plot " plots "'$flags' using 1:(0):(0):(" sprintf("%.0f", run_highest[run]) ") with vectors nohead lc rgb 'black' lw 1"
}

# Writes the states into their areas, once for each stretch of equal samples, where there is room. The best place is
# between two flags' lines; where no gap is wide enough, a line may cross the text.
function name_areas(run, side, x, y,    i, n, from, to, next_to) {
    n = samples[run, side]
    for (i = 1; i <= n; i++) {
        to = sample_x(run, side, i)
        if (i == 1 || sample_vector[run, side, i] != sample_vector[run, side, i - 1]) { from = to; gap_from = gap_to = to }
        next_to = i < n ? sample_x(run, side, i + 1) : panel_width
        if (next_to - to > gap_to - gap_from) { gap_from = to; gap_to = next_to }
        if (i == n || sample_vector[run, side, i] != sample_vector[run, side, i + 1])
            name_stretch(run, side, sample_vector[run, side, i], x, y, from, next_to)
    }
}

function sample_x(run, side, i) { return (sample_t[run, side, i] - run_start[run]) / run_span[run] * panel_width }

function name_stretch(run, side, vector, x, y, from, to,    i, counts, height, below, middle, duty) {
    if (to - from < 24) return # narrower than "gone", the shortest name
    split(vector, counts, " ")
    for (i = 1; i <= states; i++) {
        height = counts[i] / run_highest[run] * panel_height
        middle = y + panel_height - below - height / 2
        duty = duty_of(i, side, counts[states + 1])
        if (height && !name_area(i, counts[i], duty, x + (gap_from + gap_to) / 2, middle, gap_to - gap_from, height))
            name_area(i, counts[i], duty, x + (from + to) / 2, middle, to - from, height)
        below += height
    }
}

# Descriptors on sockets that are gone: the ghosts, or in files from before that column at most as many as there are.
function held_gone() { return at_ghosts ? $at_ghosts : $at_fds }

# Who must call close(), if somebody must: an end in CLOSE_WAIT, or one whose connection was reset under its descriptor.
function duty_of(i, side, holds_gone) {
    if (state_name[i] == "CLOSE_WAIT") return side " owes a close()"
    return state_name[i] == "gone" && holds_gone ? side " owes a close():\nits descriptors stay" : ""
}

# Tries the fullest text first; returns 1 if one of them fits.
function name_area(i, count, duty, x, y, width, height,    name, number, is_bold, short_duty) {
    name = state_name[i]
    number = grouped(count)
    short_duty = duty == "" ? "" : "owes a close()"
    for (is_bold = duty != ""; is_bold >= 0; is_bold--) {
        if (duty != "") {
            if (try_both(name, number, duty, i, x, y, width, height, is_bold)) return 1
            if (try_both(name, number, short_duty, i, x, y, width, height, is_bold)) return 1
            if (try_text(name "\n" number "\nowes a\nclose()", i, x, y, width, height, is_bold)) return 1
        } else if (name in meaning && try_both(name, number, meaning[name], i, x, y, width, height, is_bold)) return 1
        if (try_text(name " " number, i, x, y, width, height, is_bold)) return 1
        if (try_text(name "\n" number, i, x, y, width, height, is_bold)) return 1
    }
    return try_text(name, i, x, y, width, height, 0)
}

function try_both(name, number, more, i, x, y, width, height, is_bold) {
    return try_text(name " " number "\n" more, i, x, y, width, height, is_bold) ||
        try_text(name "\n" number "\n" more, i, x, y, width, height, is_bold)
}

# The box under the text interrupts the hatching and any flag's line.
function try_text(text, i, x, y, width, height, is_bold,    lines, n, j, widest) {
    n = split(text, lines, "\n")
    for (j = 1; j <= n; j++) if (text_width(lines[j], 12, is_bold) > widest) widest = text_width(lines[j], 12, is_bold)
    if (n * 15 > height || widest + 4 > width) return 0
    draw_box(x - widest / 2, y - n * 7.5, widest, n * 15, "fc rgb '" state_colour[i] "' fs solid 1 noborder")
    for (j = 1; j <= n; j++)
        draw_text(lines[j], x, y + (j - (n + 1) / 2) * 15, "center", font(12, is_bold) " tc rgb '" state_ink[i] "'")
    return 1
}
