# timeline.awk: the states of each side stacked over time, the server's panel above the client's. A flag is a name on a
# vertical line: a step, or something that happened for the first time.

function draw_timelines(    run, top, i) {
    # The legend names what the areas show.
    for (run = 1; run <= runs; run++)
        for (i = 1; i <= states; i++)
            if (occurs_in[run, "server", i] || occurs_in[run, "client", i]) occurs[i] = 1
    if (any_behind()) occurs[states + 1] = 1
    measure_page()
    begin_page()
    draw_legend("Sockets in each TCP state over time, per side, as the kernel reports them")
    top = page_head
    for (run = 1; run <= runs; run++) {
        draw_run(run, ((run - 1) % columns) * cell_width, top, flag_levels[row_of(run)])
        if (run % columns == 0) top += row_height(row_of(run))
    }
    print "unset multiplot"
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

function measure_page(    run) {
    columns = runs > 1 ? 2 : 1
    cell_width = page_width / columns
    panel_height = columns > 1 ? 118 : 190
    panel_gap = 18
    lost_height = 46
    for (run = 1; run <= runs; run++) make_room_for_limits(run)
    share_scales()
    find_losses()
    left_margin = 48 + text_width(widest_tick(), 11)
    right_margin = columns > 1 ? 36 : 20
    panel_width = cell_width - left_margin - right_margin
    page_head = page_height = legend_top + 20 * place_legend() + 8
    for (run = 1; run <= runs; run++) {
        thin_samples(run, "server")
        thin_samples(run, "client")
        make_flags(run)
        place_flags(run)
    }
    for (run = 1; run <= runs; run += columns) page_height += row_height(row_of(run))
}

function row_of(run) { return int((run - 1) / columns) }

function row_height(row) {
    return 48 + 16 * flag_levels[row] + 2 * panel_height + panel_gap + (row_loses[row] ? panel_gap + lost_height : 0) + 56
}

function widest_tick(    run, widest) {
    for (run = 1; run <= runs; run++) if (run_height[run] > widest) widest = run_height[run]
    return grouped(widest)
}

# ---- flags ----

function add_flag(run, t, text, is_trouble,    i) {
    i = ++flags[run]
    for (; i > 1 && flag_t[run, i - 1] > t; i--) {
        flag_t[run, i] = flag_t[run, i - 1]
        flag_text[run, i] = flag_text[run, i - 1]
        flag_trouble[run, i] = flag_trouble[run, i - 1]
    }
    flag_t[run, i] = t
    flag_text[run, i] = text
    flag_trouble[run, i] = is_trouble
}

function first_time(run, t, what) { add_flag(run, t, what sprintf(", %.1f s", t - run_start[run]), 1) }

# By time.
function make_flags(run,    i, side) {
    for (i = 1; i <= steps[run]; i++) add_flag(run, step_start[run, i], step_name[run, i], 0)
    for (i = 1; i <= 2; i++) {
        side = side_name[i]
        if ((run, side) in first_error) first_time(run, first_error[run, side], "first failed " call_of[side])
    }
    if (run in first_drop) first_time(run, first_drop[run], "first SYN dropped")
}

# Gives every flag of a run its level above the panels, from the last back to the first: a flag goes above those of the
# later ones that its text passes over, so that no line crosses a text. A text too long for the page moves left.
function place_flags(run,    i, j, right, row) {
    row = row_of(run)
    for (i = flags[run]; i >= 1; i--) {
        flag_x[run, i] = (flag_t[run, i] - run_start[run]) / run_span[run] * panel_width
        right = flag_x[run, i] + text_width(flag_text[run, i], 12) + 8
        flag_shift[run, i] = right > panel_width + right_margin ? right - panel_width - right_margin : 0
        flag_level[run, i] = 1
        for (j = i + 1; j <= flags[run]; j++)
            if (flag_x[run, j] - flag_shift[run, j] < right && flag_level[run, j] >= flag_level[run, i])
                flag_level[run, i] = flag_level[run, j] + 1
        if (flag_level[run, i] > flag_levels[row]) flag_levels[row] = flag_level[run, i]
    }
}

function flag_colour(run, i) { return flag_trouble[run, i] ? "#A84300" : "black" }

# Above the server's panel, or their poles in the gap between both panels; inside, the plot draws the lines.
function draw_flags(run, side, x, y,    i, pole_x, pole) {
    for (i = 1; i <= flags[run]; i++) {
        pole_x = x + flag_x[run, i]
        pole = side == 2 ? panel_gap : 16 * flag_level[run, i] - (flag_shift[run, i] ? 14 : -1)
        printf "set arrow from %s to %s nohead front lc rgb '%s' lw 1\n", at_px(pole_x, y - pole), at_px(pole_x, y), flag_colour(run, i)
        if (side == 1)
            draw_text(flag_text[run, i], pole_x + 4 - flag_shift[run, i], y - 16 * flag_level[run, i] + 6, "left", font(12, 0) " tc rgb '" flag_colour(run, i) "'")
        printf "set arrow from %s to %s nohead front lc rgb '%s' lw %s dt %s\n", at_px(pole_x, y), at_px(pole_x, y + panel_height), flag_colour(run, i), flag_trouble[run, i] ? 1.5 : 1, flag_trouble[run, i] ? "3" : "1"
    }
}

# ---- panels ----

# A cell of the page: title, who owes, flags, server panel, client panel, what is lost, time axis.
function draw_run(run, x, y, levels,    loses) {
    loses = row_loses[row_of(run)]
    draw_text(run_title[run], x + 16, y + 12, "left", font(columns > 1 ? 13 : 14, 1))
    draw_debt(run, x + 16, y + 30, columns > 1 ? 11 : 13)
    y += 48 + 16 * levels
    draw_panel(run, 1, x, y)
    y += panel_height + panel_gap
    draw_panel(run, 2, x, y, loses)
    if (loses) draw_lost(run, x, y + panel_height + panel_gap)
}

function place_panel(x, y, height) {
    printf "set lmargin at screen %.5f\nset rmargin at screen %.5f\n", (x + left_margin) / page_width, (x + left_margin + panel_width) / page_width
    printf "set tmargin at screen %.5f\nset bmargin at screen %.5f\n", 1 - y / page_height, 1 - (y + height) / page_height
}

# `is_bare`: its time axis is below another.
function draw_panel(run, side, x, y, is_bare,    top, middle, behind) {
    print_samples(run, side_name[side])
    behind = side == 1 && has_behind(run)
    if (behind) print_behind(run)
    top = run_height[run]
    middle = y + panel_height / 2
    place_panel(x, y, panel_height)
    printf "set xrange [0:%.9g]\nset yrange [0:%.0f]\n", run_span[run], top
    print_ticks(run, top)
    name_seconds(run, side == 2 && !is_bare, x, y + panel_height)
    draw_text(side_name[side], x + 20, middle, "center rotate by 90", font(15, 1))
    draw_flags(run, side, x + left_margin, y)
    draw_limit(run, side_name[side], x + left_margin, y)
    if (run_is_flow(run)) name_bands(run, side_name[side], x + left_margin, y)
    else name_areas(run, side_name[side], x + left_margin, y)
    print_plot(run, side_name[side], behind ? plot_behind() : "")
    print "unset label\nunset object\nunset arrow"
}

# The ticks of the time axis, and their names below the last panel, which ends at y.
function name_seconds(run, is_last, x, y) {
    printf "set xtics %.9g format '%s'\n", round_step(run_span[run] / (panel_width / 45)), is_last ? "%g" : ""
    if (is_last) draw_text("seconds", x + left_margin + panel_width / 2, y + 36, "center", font(11, 0))
}

# A limit is drawn where at least half of it was used; more would only flatten the picture.
function shows_limit(run, side) { return run_nofile[run, side] && most_fds[run, side] * 2 >= run_nofile[run, side] }

# Both panels of a run have one scale. Above a limit there is room for its name.
function make_room_for_limits(run,    i, least) {
    for (i = 1; i <= 2; i++) {
        least = run_nofile[run, side_name[i]] / (1 - 18 / panel_height)
        if (shows_limit(run, side_name[i]) && least > run_height[run]) run_height[run] = least
    }
}

# The descriptors that a side may have.
function draw_limit(run, side, x, y,    limit, height, text) {
    if (!shows_limit(run, side)) return
    limit = run_nofile[run, side]
    height = y + panel_height - limit / run_height[run] * panel_height
    printf "set arrow from %s to %s nohead front lc rgb 'black' lw 1.5 dt 2\n", at_px(x, height), at_px(x + panel_width, height)
    text = "limit: " grouped(limit) " descriptors"
    draw_box(x + 5, height - 17, text_width(text, 11) - 8, 14, "fc rgb 'white' fs solid 1 noborder")
    draw_text(text, x + 8, height - 10, "left", font(11, 0))
}

function print_ticks(run, top,    i, parts, ticks, step, conns) {
    conns = run_conns[run]
    if (top < conns || top > 1.1 * conns) {
        step = round_step(top / (panel_height > 150 ? 5 : 3))
        for (i = 0; i <= top; i += step) ticks = ticks sprintf("%s'%s' %.0f", i ? ", " : "", grouped(i), i)
    } else {
        parts = conns % 4 == 0 && panel_height > 150 ? 4 : conns % 2 == 0 ? 2 : 1
        for (i = 0; i <= parts; i++) ticks = ticks sprintf("%s'%s' %.0f", i ? ", " : "", grouped(conns * i / parts), conns * i / parts)
    }
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

# A thin white line on top of each area keeps neighbours apart where colours do not, in grey print for one.
function print_plot(run, side, more,    i, plots, area, edges) {
    for (i = 1; i <= states; i++) {
        if (!occurs_in[run, side, i]) continue
        area = "'$samples' using 1:" (i + 1) ":" (i + 2) " with filledcurves "
        plots = plots area "fc rgb '" state_colour[i] "' fs solid 1 noborder, "
        if (hatching(i) != "") plots = plots area hatch(i) " noborder, "
        edges = edges "'$samples' using 1:($" (i + 2) " > $" (i + 1) " ? $" (i + 2) " : NaN) with lines lc rgb 'white' lw 0.75, "
    }
    print "plot " plots edges more "-1 with lines lc rgb 'white'"
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
        height = counts[i] / run_height[run] * panel_height
        middle = y + panel_height - below - height / 2
        duty = duty_of(run, i, side, counts[i])
        if (height && !name_area(i, counts[i], duty, x + (gap_from + gap_to) / 2, middle, gap_to - gap_from, height))
            name_area(i, counts[i], duty, x + (from + to) / 2, middle, to - from, height)
        below += height
    }
}

# Where connections come one by one no two samples are equal: each state is named where it is widest, in the longest
# stretch in which it is near its highest.
function name_bands(run, side, x, y,    i) {
    for (i = 1; i <= states; i++) if (occurs_in[run, side, i]) name_band(run, side, i, x, y)
}

function name_band(run, side, i, x, y,    j, k, n, counts, most, below, from, best_from, best_to, low, high, best_low, best_high) {
    n = samples[run, side]
    for (j = 1; j <= n; j++) {
        split(sample_vector[run, side, j], counts, " ")
        if (counts[i] > most) most = counts[i]
    }
    best_to = best_from = from = -1
    for (j = 1; j <= n; j++) {
        split(sample_vector[run, side, j], counts, " ")
        if (counts[i] < 0.9 * most) { from = -1; continue }
        below = 0
        for (k = 1; k < i; k++) below += counts[k]
        if (from < 0) { from = sample_x(run, side, j); low = below; high = below + counts[i] }
        if (below > low) low = below
        if (below + counts[i] < high) high = below + counts[i]
        k = j < n ? sample_x(run, side, j + 1) : panel_width
        if (k - from > best_to - best_from) { best_from = from; best_to = k; best_low = low; best_high = high }
    }
    if (best_high <= best_low) return
    k = (best_high - best_low) / run_height[run] * panel_height
    name_area(i, most, duty_of(run, i, side, most), x + (best_from + best_to) / 2, y + panel_height - best_low / run_height[run] * panel_height - k / 2, best_to - best_from, k)
}

# Who must call close(), if somebody must: an end in CLOSE_WAIT, or one whose connection has ended under its descriptor.
# Of some in CLOSE_WAIT that were never accepted nobody can.
function duty_of(run, i, side, count,    stuck) {
    if (!is_debt(i)) return ""
    stuck = state_name[i] == "CLOSE_WAIT" ? stuck_now[run, side] : 0
    if (stuck > 0 && stuck >= count) return "nobody can close them"
    if (stuck > 0) return side " owes " grouped(count - stuck) " close(), of " grouped(stuck) " nobody can"
    return side " owes a close()" (is_ghost(i) ? ":\nits descriptors stay" : "")
}

# Tries the fullest text first; returns 1 if one of them fits.
function name_area(i, count, duty, x, y, width, height,    name, number, is_bold, short_duty) {
    name = state_name[i]
    number = grouped(count)
    short_duty = duty == "" ? "" : duty ~ /^nobody/ ? "nobody can close" : "owes a close()"
    if (duty ~ /.nobody/) { short_duty = duty; sub(/, of/, ",\nof", short_duty) }
    for (is_bold = duty != ""; is_bold >= 0; is_bold--) {
        if (duty != "") {
            if (try_both(name, number, duty, i, x, y, width, height, is_bold)) return 1
            if (try_both(name, number, short_duty, i, x, y, width, height, is_bold)) return 1
            if (duty !~ /.nobody/ && try_text(name "\n" number "\n" (duty ~ /^nobody/ ? "nobody\ncan close" : "owes a\nclose()"), i, x, y, width, height, is_bold)) return 1
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
