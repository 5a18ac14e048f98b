# histogram.awk: small multiples: a row for each step of an order, with a bar for each side, so that many orders are
# compared at a glance.

function draw_histograms(    run, top, row_top, row) {
    place_cells()
    begin_page()
    print "unset border\nunset tics\nset xrange [0:1]\nset yrange [0:1]\nset margins 0, 0, 0, 0"
    draw_legend("Sockets in each TCP state after each step, per side, as the kernel reports them")
    for (run = 1; run <= runs; run++) draw_cell(run, cell_x[run], cell_y[run])
    print "plot 2 with lines lc rgb 'white'"
    print "unset multiplot"
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
        height[column] += 66 + steps[run] * row_height_px + 14
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
    for (i = 1; i <= steps[run]; i++) {
        draw_text(step_name[run, i], x + 16 + label_width - 8, y + bar_height / 2, "right", font(11, 0))
        draw_bar(run, i, "server", x + 16 + label_width, y)
        draw_bar(run, i, "client", x + 16 + label_width + bar_width + 10, y)
        y += row_height_px
    }
}

# One side after one step: what is there, as parts of the whole. What did not come about stays empty.
function draw_bar(run, step, side, x, y,    i, counts, width) {
    draw_box(x, y, bar_width, bar_height, "fc rgb 'white' fs solid 1 border lc rgb '#BBBBBB'")
    if (!((run, step, side) in step_vector)) return
    split(step_vector[run, step, side], counts, " ")
    for (i = 1; i <= states; i++) {
        width = counts[i] / run_height[run] * bar_width
        if (counts[i] > 0 && width < 1.5) width = 1.5
        if (!counts[i]) continue
        draw_state_box(i, x, y, width, bar_height, "lc rgb 'white'")
        name_bar(i, counts[i], counts[states + 1], x, y, width)
        x += width
    }
}

# The fullest text that fits.
function name_bar(i, count, held, x, y, width,    text, is_bold) {
    is_bold = state_name[i] == "CLOSE_WAIT"
    text = state_name[i] " " grouped(count)
    if (state_name[i] == "gone" && held > 0) { text = "gone, not closed"; is_bold = 1 }
    if (text_width(text, 10, is_bold) + 6 > width) text = state_name[i]
    if (text_width(text, 10, is_bold) + 6 > width) return
    if (state_name[i] == "gone")
        draw_box(x + width / 2 - text_width(text, 10, is_bold) / 2 - 2, y + 2, text_width(text, 10, is_bold) + 4, bar_height - 4, "fc rgb '" state_colour[i] "' fs solid 1 noborder")
    draw_text(text, x + width / 2, y + bar_height / 2, "center", font(10, is_bold) " tc rgb '" state_ink[i] "'")
}
