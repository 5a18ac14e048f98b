"""timeline: the states of each side stacked over time, the server's panel above the client's, and below them what is lost in a second,
where anything is."""

import math
import numpy
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from plot.flags import FLAG_HEIGHT, draw_flags, levels_of, make_flags
from plot.names import Names
from plot.page import MARGIN, WIDTH, Page, look, text_width
from plot.scale import ROUND, height_of, round_step, share, shows_limit, span_of
from run import Counts, Run, Side
from states import STATES
from words import grouped

TITLE = "Sockets in each TCP state over time, per side, as the kernel reports them"
BEHIND = ("connections of the server to its backend", "#332288")
LOST_COLOUR = "#AA4499"
GAP = 18  # between two panels
LOST_HEIGHT = 46


class Cells:
    """What the cells of a page have in common: one for each run, two beside each other where there are several."""

    def __init__(self, runs: list[Run]):
        self.runs = runs
        self.columns = 1 if len(runs) == 1 else 2
        self.width = WIDTH / self.columns
        self.panel_height = 190 if self.columns == 1 else 118
        self.heights = share({run: height_of(run, self.panel_height) for run in runs})
        self.spans = share({run: span_of(run) for run in runs})
        self.left = 48 + text_width(grouped(max(self.heights.values())), 11)
        self.right = 20 if self.columns == 1 else 36
        self.panel_width = self.width - self.left - self.right
        self.flags = {run: make_flags(run, self.panel_width / self.spans[run], self.panel_width + self.right) for run in runs}
        # What is lost in a second, in bins of one width on all of the page.
        self.lost = {run: sum(side.lost[-1:].sum() for side in run.sides.values()) for run in runs}
        self.bin = round_step(max((self.spans[run] for run in runs if self.lost[run]), default=1), 30)
        self.rates = {run: rates_of(run, self.bin) for run in runs if any(self.lost.values())}
        self.most_lost = max((max(rates, default=0) for rates in self.rates.values()), default=0)


def rates_of(run: Run, width: float) -> numpy.ndarray:
    """What both sides lose in a second; between two looks as if it grew evenly."""
    edges = run.start + width * numpy.arange(math.ceil((run.last - run.start) / width) + 1)
    sums = sum(numpy.interp(edges, side.t, side.lost, left=0) for side in run.sides.values() if len(side.t))
    return numpy.diff(sums) / width


def draw_timelines(runs: list[Run]) -> Page:
    cells, page = Cells(runs), Page()
    has_backend = any(run.sides["server"].behind.any() for run in runs)
    page.height = page.legend(TITLE, runs, BEHIND if has_backend else None)
    for i in range(0, len(runs), cells.columns):
        draw_row(page, cells, runs[i:i + cells.columns], page.height)
    return page


def draw_row(page: Page, cells: Cells, row: list[Run], y: float) -> None:
    """Title, who owes, flags, server's panel, client's panel, what is lost if anything is, time axis."""
    is_large = cells.columns == 1
    for x, run in zip((0, cells.width), row):
        page.text(run.title, x + MARGIN, y + 12, 14 if is_large else 13, bold=True)
        page.debt(run, x + MARGIN, y + 30, 13 if is_large else 11, not is_large, cells.width - 2 * MARGIN)
        top = y + 48 + FLAG_HEIGHT * max(levels_of(cells.flags[run]) for run in row)
        for side in run.sides.values():
            axes = panel(page, cells, run, x, top, cells.panel_height, side.name, 15)
            draw_flags(page, cells.flags[run], x + cells.left, top, cells.panel_height, GAP if side.name == "client" else 0)
            draw_side(page, cells, run, side, axes, x + cells.left, top)
            top += cells.panel_height + GAP
        if any(cells.lost[run] for run in row):
            axes = panel(page, cells, run, x, top, LOST_HEIGHT, "lost /s", 11)
            draw_lost(cells, run, axes)
            top += LOST_HEIGHT + GAP
        axes.tick_params(labelbottom=True)
        axes.set_xlabel("seconds")
        page.height = top - GAP + 56


def panel(page: Page, cells: Cells, run: Run, x: float, y: float, height: float, name: str, size: float) -> Axes:
    axes = page.panel(x + cells.left, y, cells.panel_width, height)
    axes.set_xlim(0, cells.spans[run])
    axes.xaxis.set_major_locator(MaxNLocator(math.ceil(cells.panel_width / 45), steps=ROUND))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.tick_params(labelbottom=False)
    axes.set_ylabel(name, fontsize=size, fontweight="bold")
    axes.yaxis.set_label_coords((20 - cells.left) / cells.panel_width, 0.5)
    return axes


def draw_side(page: Page, cells: Cells, run: Run, side: Side, axes: Axes, x: float, y: float) -> None:
    top, span, height, width = cells.heights[run], cells.spans[run], cells.panel_height, cells.panel_width
    axes.set_ylim(0, top)
    count_ticks(axes, top, run.conns, height > 150)
    if shows_limit(side):
        axes.axhline(side.nofile, color="black", linewidth=1.5, linestyle=(0, (6, 5)))
        axes.annotate(f"limit: {grouped(side.nofile)} descriptors", (0, side.nofile), (8, 5), textcoords="offset points", fontsize=11,
                      bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5})
    if not len(side.t):
        return
    px = (side.t - run.start) / span * width
    edges, counts = thinned(px[side.news], side.counts[side.news], width)
    draw_areas(axes, side, counts, edges * span / width, 1.5 / height * top)
    if side.name == "server" and side.behind.any():
        times, behind = thinned(px, side.behind[:, None], width)
        for colour, thick in (("white", 4), (BEHIND[1], 2)):
            axes.step(times * span / width, behind[[*range(len(behind)), -1]], where="post", color=colour, linewidth=thick)
    Names(page, side, counts, x + edges, height / top, y + height).write(run)


def draw_areas(axes: Axes, side: Side, counts: Counts, edges: numpy.ndarray, least: float) -> None:
    """A staircase. A thin white line on top of each area keeps neighbours apart where colours do not, in grey print for one; over what is
    thinner than `least` it would hide it."""
    counts = counts[[*range(len(counts)), -1]]
    tops = counts.cumsum(axis=1)
    for i in side.occurs():
        axes.fill_between(edges, tops[:, i] - counts[:, i], tops[:, i], step="post", **look(STATES[i]))
    for i in side.occurs():
        axes.step(edges, numpy.where(counts[:, i] > least, tops[:, i], numpy.nan), where="post", color="white", linewidth=0.75)


def thinned(px: numpy.ndarray, counts: Counts, end: float) -> tuple[numpy.ndarray, Counts]:
    """The looks that are drawn: where each begins, and the last ends, and their counts. Of those that share a column of pixels: the first,
    the last, and for each state, and for all of them together, one where there are fewest and one where there are most; they share the
    column evenly. So no peak is lost, however short."""
    column = numpy.floor(px)
    starts = numpy.flatnonzero(numpy.append(True, numpy.diff(column)))
    ends = numpy.append(starts[1:], len(px)) - 1
    kept = {*starts, *ends}
    for count in (*counts.T[counts.any(axis=0)], counts.sum(axis=1)):
        ascending = numpy.lexsort((count, column))
        kept.update(ascending[starts], ascending[ends])
    looks = numpy.array(sorted(kept))
    first, sharing = numpy.unique(column[looks], return_index=True, return_counts=True)[1:]
    shares = (numpy.arange(len(looks)) - numpy.repeat(first, sharing)) / numpy.repeat(sharing, sharing)
    is_crowded = numpy.repeat(sharing <= ends - starts, sharing)
    return numpy.append(numpy.where(is_crowded, column[looks] + shares, px[looks]), end), counts[looks]


def count_ticks(axes: Axes, top: float, conns: int, is_high: bool) -> None:
    """Quarters or halves of the connections where they fill the panel, round numbers elsewhere."""
    if conns <= top <= 1.1 * conns:
        axes.set_yticks(numpy.linspace(0, conns, 1 + (4 if conns % 4 == 0 and is_high else 2 if conns % 2 == 0 else 1)))
    else:
        axes.yaxis.set_major_locator(MaxNLocator(5 if is_high else 3, steps=ROUND))
    axes.yaxis.set_major_formatter("{x:,.0f}")


def draw_lost(cells: Cells, run: Run, axes: Axes) -> None:
    rates = cells.rates[run]
    axes.set_ylim(0, cells.most_lost * 1.05)
    axes.yaxis.set_major_locator(MaxNLocator(2, steps=ROUND))
    axes.yaxis.set_major_formatter("{x:,g}")
    axes.bar((numpy.arange(len(rates)) + 0.5) * cells.bin, rates, cells.bin * 0.98, color=LOST_COLOUR, linewidth=0)
    count = cells.lost[run]
    axes.set_title(f"{grouped(count)} lost" if count else "none is lost", loc="right", fontsize=11, fontweight="bold" if count else "normal", pad=3)
