# histogram.awk: small multiples: a row for each step of an order, with a bar for each side, so that many orders are
# compared at a glance. A flow has only one step; its rows are looks at round times, and the last.
#
# A moment is a look that stands for a row.

function draw_histograms(    run) {
    for (run = 1; run <= runs; run++) take_moments(run)
    place_cells()
    begin_page()
    print "unset border\nunset tics\nset xrange [0:1]\nset yrange [0:1]\nset margins 0, 0, 0, 0"
    draw_legend("Sockets in each TCP state after each step, per side, as the kernel reports them")
    for (run = 1; run <= runs; run++) draw_cell(run, cell_x[run], cell_y[run])
    print "plot 2 with lines lc rgb 'white'"
    print "unset multiplot"
}

function take_moments(run,    m, span, every) {
    if (!run_is_flow(run)) {
        for (m = 1; m <= steps[run]; m++)
            add_moment(run, step_name[run, m], step_vector[run, m, "server"], step_vector[run, m, "client"])
        return
    }
    span = run_last[run] - run_start[run]
    every = round_step(span / 6)
    for (m = 1; m * every < span - every / 2; m++) add_moment_at(run, m * every)
    add_moment_at(run, span)
}

function add_moment_at(run, t) {
    add_moment(run, sprintf("%.3g s", t), vector_at(run, "server", t + run_start[run]), vector_at(run, "client", t + run_start[run]))
}

function add_moment(run, name, server, client,    m) {
    m = ++moments[run]
    moment_name[run, m] = name
    moment_vector[run, m, "server"] = server
    moment_vector[run, m, "client"] = client
    show_states(server)
    show_states(client)
}

# The legend names what the bars show.
function show_states(vector,    i, counts) {
    split(vector, counts, " ")
    for (i = 1; i <= states; i++) if (counts[i] > 0) occurs[i] = 1
}

# A sample holds until the next.
function vector_at(run, side, t,    low, high, middle) {
    low = 1
    high = samples[run, side]
    while (low < high) {
        middle = int((low + high + 1) / 2)
        if (sample_t[run, side, middle] <= t) low = middle
        else high = middle - 1
    }
    return sample_vector[run, side, low]
}

# Two columns; each cell goes where the column is shorter, so that the orders stay in reading order as far as may be.
function place_cells(    run, column, height) {
    cell_width = 400
    label_width = 104
    bar_width = (cell_width - label_width - 16 - 10 - 16) / 2
    bar_height = 17
    row_height_px = 21
    height[0] = height[1] = legend_top + 20 * place_legend() + 8
    for (run = 1; run <= runs; run++) {
        column = height[1] < height[0]
        cell_x[run] = column * cell_width
        cell_y[run] = height[column]
        height[column] += 66 + moments[run] * row_height_px + 14
    }
    page_height = height[0] > height[1] ? height[0] : height[1]
}

function draw_cell(run, x, y,    i) {
    draw_text(run_title[run], x + 16, y + 12, "left", font(13, 1))
    draw_debt(run, x + 16, y + 30, 11)
    y += 46
    draw_text("server", x + 16 + label_width, y + 6, "left", font(11, 0) " tc rgb '#444444'")
    draw_text("client", x + 16 + label_width + bar_width + 10, y + 6, "left", font(11, 0) " tc rgb '#444444'")
    y += 16
    for (i = 1; i <= moments[run]; i++) {
        draw_text(moment_name[run, i], x + 16 + label_width - 8, y + bar_height / 2, "right", font(11, 0))
        draw_bar(run, i, "server", x + 16 + label_width, y)
        draw_bar(run, i, "client", x + 16 + label_width + bar_width + 10, y)
        y += row_height_px
    }
}

# One side after one step: what is there, as parts of the whole. What did not come about stays empty.
function draw_bar(run, moment, side, x, y,    i, counts, width) {
    draw_box(x, y, bar_width, bar_height, "fc rgb 'white' fs solid 1 border lc rgb '#BBBBBB'")
    if (moment_vector[run, moment, side] == "") return
    split(moment_vector[run, moment, side], counts, " ")
    for (i = 1; i <= states; i++) {
        width = counts[i] / run_height[run] * bar_width
        if (counts[i] > 0 && width < 1.5) width = 1.5
        if (!counts[i]) continue
        draw_state_box(i, x, y, width, bar_height, "lc rgb 'white'")
        name_bar(i, counts[i], x, y, width)
        x += width
    }
}

# The fullest text that fits; a debt may be written smaller rather than not at all.
function name_bar(i, count, x, y, width,    full, name) {
    name = state_name[i]
    full = name " " grouped(count)
    if (try_name(full, i, x, y, width, 10, is_debt(i)) || try_name(name, i, x, y, width, 10, is_debt(i))) return
    if (is_debt(i)) try_name(name, i, x, y, width, 9, 0)
}

# Writes it if it fits, over a box that interrupts the hatching; returns 1 if it did.
function try_name(text, i, x, y, width, size, is_bold,    wide) {
    wide = text_width(text, size, is_bold)
    if (wide + 6 > width) return 0
    if (hatching(i) != "")
        draw_box(x + width / 2 - wide / 2 - 2, y + 2, wide + 4, bar_height - 4, "fc rgb '" state_colour[i] "' fs solid 1 noborder")
    draw_text(text, x + width / 2, y + bar_height / 2, "center", font(size, is_bold) " tc rgb '" state_ink[i] "'")
    return 1
}
