"""recorded: a recording over time, two panels a port: what is held, and what comes and ends in a second."""

from plot.page import MARGIN, WIDTH, Page

LEFT = 70
HEIGHT = 110
ROW = HEIGHT + 60
HELD = (("established", "#88CCEE", "ESTABLISHED"), ("close_wait", "#CC6677", "CLOSE_WAIT"), ("ghosts", "#332288", "ghosts"))
FLOWS = (("rate", "#117733", "come"), ("ended", "#999933", "end"))


def draw_recorded(ports: list) -> Page:
    page = Page()
    page.height = 50 + len(ports) * ROW
    page.text("What is held, and what comes and ends in a second", MARGIN, 20, 15, bold=True)
    width = (WIDTH - 2 * LEFT - MARGIN) / 2
    for top, port in enumerate(ports):
        page.text(port.title(), MARGIN, 54 + top * ROW, 12, bold=True)
        for left, series in ((LEFT, HELD), (2 * LEFT + width, FLOWS)):
            axes = page.panel(left, 68 + top * ROW, width, HEIGHT)
            for name, colour, label in series:
                if any(port.series[name]):
                    axes.plot(port.series["t"], port.series[name], color=colour, label=label, linewidth=1.8)
            axes.set_ylim(bottom=0)
            axes.set_xlim(0, max(port.series["t"][-1], 1))
            if axes.lines:
                axes.legend(loc="upper left", fontsize=9, frameon=False)
    page.text("seconds since the first look", WIDTH - MARGIN, page.height - 12, 11, align="right")
    return page
