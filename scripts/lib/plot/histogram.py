"""histogram: small multiples: a row for each step of an order, with a bar for each side, so that many orders are compared at a
glance. A flow has only one step: its rows are looks at round times, and the last."""

from typing import Optional

import numpy

from plot.page import MARGIN, WIDTH, Page, look, text_width
from plot.scale import height_of, round_step, share
from run import Counts, Run, Side
from states import SIDES, STATES, State
from words import grouped

TITLE = "Sockets in each TCP state after each step, per side, as the kernel reports them"
CELL_WIDTH = WIDTH / 2
LABEL_WIDTH = 104
BAR_GAP = 10
BAR_WIDTH = (CELL_WIDTH - LABEL_WIDTH - 2 * MARGIN - BAR_GAP) / 2
BAR_HEIGHT = 17
ROW_HEIGHT = 21

Moment = tuple[str, list[Optional[Counts]]]  # a look that stands for a row: its name, and both sides


def draw_histograms(runs: list[Run]) -> Page:
    page, heights = Page(), share({run: height_of(run) for run in runs})
    # Each cell goes where the column is shorter, so that the orders stay in reading order as far as may be.
    ends = [page.legend(TITLE, runs)] * 2
    for run in runs:
        column = int(ends[1] < ends[0])
        ends[column] = draw_cell(page, run, heights[run], column * CELL_WIDTH + MARGIN, ends[column], len(runs) > 1)
    page.height = max(ends)
    return page


def moments_of(run: Run) -> list[Moment]:
    sides = [run.sides[name] for name in SIDES]
    if not run.is_flow():
        return [(step, [counts_after(side, side.look_after(step, True)) for side in sides]) for step in run.steps]
    span = run.last - run.start
    every = round_step(span, 6) if span > 0 else 1
    times = [*numpy.arange(every, span - every / 2, every), span]
    return [(f"{t:.3g} s", [counts_after(side, side.t.searchsorted(run.start + t, "right") - 1) for side in sides]) for t in times]


def counts_after(side: Side, look: Optional[int]) -> Optional[Counts]:
    return side.counts[max(0, look)] if look is not None and len(side.t) else None


def draw_cell(page: Page, run: Run, height: float, x: float, y: float, is_short: bool) -> float:
    """Returns where it ends."""
    page.text(run.title, x, y + 12, 13, bold=True)
    page.debt(run, x, y + 30, 11, is_short, CELL_WIDTH - 2 * MARGIN)
    bars = [x + LABEL_WIDTH, x + LABEL_WIDTH + BAR_WIDTH + BAR_GAP]
    for name, left in zip(SIDES, bars):
        page.text(name, left, y + 52, 11, colour="#444444")
    y += 62
    for name, sides in moments_of(run):
        page.text(name, x + LABEL_WIDTH - 8, y + BAR_HEIGHT / 2, 11, align="right")
        for counts, left in zip(sides, bars):
            draw_bar(page, counts, height, left, y)
        y += ROW_HEIGHT
    return y + 18


def draw_bar(page: Page, counts: Optional[Counts], height: float, x: float, y: float) -> None:
    """One side after one step: what is there, as parts of the whole. What did not come about stays empty."""
    page.box(x, y, BAR_WIDTH, BAR_HEIGHT, facecolor="white", edgecolor="#BBBBBB")
    for state, count in zip(STATES, counts if counts is not None else ()):
        if count:
            width = max(1.5, count / height * BAR_WIDTH)
            page.box(x, y, width, BAR_HEIGHT, **look(state))
            page.box(x, y, width, BAR_HEIGHT, facecolor="none", edgecolor="white")
            name_bar(page, state, count, x + width / 2, y + BAR_HEIGHT / 2, width)
            x += width


def name_bar(page: Page, state: State, count: int, x: float, y: float, width: float) -> None:
    """The fullest text that fits; a debt may be written smaller rather than not at all."""
    tries = [(f"{state.name} {grouped(count)}", 10, state.is_debt), (state.name, 10, state.is_debt), (state.name, 9, False)]
    for text, size, bold in tries[:3 if state.is_debt else 2]:
        if text_width(text, size, bold) + 6 <= width:
            page.label([text], x, y, size, bold, state.ink, state.colour if state.hatch else "")
            return
