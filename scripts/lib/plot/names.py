"""names: writes the states into their areas of a timeline, where there is room, with who must call close()."""

import numpy

from plot.page import LINE_HEIGHT, Page, text_width
from run import Counts, Run, Side
from states import STATES
from words import grouped

NARROWEST = 24  # px, than "gone", the shortest name


class Names:
    """Of a panel. edges: where each look begins, and the last ends, in px. scale: px for a socket; bottom: where there are none."""

    def __init__(self, page: Page, side: Side, counts: Counts, edges: numpy.ndarray, scale: float, bottom: float):
        self.page, self.side, self.counts, self.edges, self.bottom = page, side, counts, edges, bottom
        tops = counts.cumsum(axis=1)
        self.lows, self.highs = (tops - counts) * scale, tops * scale

    def write(self, run: Run) -> None:
        if run.is_flow():
            for i in self.side.occurs():
                self.name_band(i)
            return
        changes = numpy.flatnonzero((self.counts[1:] != self.counts[:-1]).any(axis=1)) + 1
        for first, end in zip([0, *changes], [*changes, len(self.counts)]):
            if self.edges[end] - self.edges[first] >= NARROWEST:
                self.name_stretch(first, end)

    def name_stretch(self, first: int, end: int) -> None:
        """The best place is between two flags' lines, which are at the edges; where no gap is wide enough, a line may cross the text."""
        edges = self.edges[first:end + 1]
        gap = numpy.diff(edges).argmax()
        for i in numpy.flatnonzero(self.counts[first]):
            for left, right in ((edges[gap], edges[gap + 1]), (edges[0], edges[-1])):
                if self.name_area(i, self.counts[first, i], left, right, self.lows[first, i], self.highs[first, i]):
                    break

    def name_band(self, i: int) -> None:
        """Where connections come one by one no two looks are equal: each state is named where it is widest, in the longest stretch in
        which it is near its highest."""
        most = self.counts[:, i].max()
        turns = numpy.flatnonzero(numpy.diff(numpy.concatenate([[0], self.counts[:, i] >= 0.9 * most, [0]])))
        first, end = max(zip(turns[::2], turns[1::2]), key=lambda stretch: self.edges[stretch[1]] - self.edges[stretch[0]])
        self.name_area(i, most, self.edges[first], self.edges[end], self.lows[first:end, i].max(), self.highs[first:end, i].min())

    def name_area(self, i: int, count: int, left: float, right: float, low: float, high: float) -> bool:
        """Tries the fullest text first."""
        state = STATES[i]
        texts = [f"{state.name}{gap}{grouped(count)}\n{duty}" for duty in duties(self.side, i, count) for gap in (" ", "\n")]
        texts += [f"{state.name} {grouped(count)}", f"{state.name}\n{grouped(count)}"]
        tries = [(text, bold) for bold in ((True, False) if state.is_debt else (False,)) for text in texts] + [(state.name, False)]
        for text, bold in tries:
            lines = text.split("\n")
            widest = max(text_width(line, 12, bold) for line in lines)
            if len(lines) * LINE_HEIGHT <= high - low and widest + 8 <= right - left:
                self.page.label(lines, (left + right) / 2, self.bottom - (low + high) / 2, 12, bold, state.ink, state.colour)
                return True
        return False


def duties(side: Side, i: int, count: int) -> list[str]:
    """Who must call close(), if somebody must, from the fullest words to the shortest; lines are parted by newlines. Of some in CLOSE_WAIT
    that were never accepted nobody can."""
    state = STATES[i]
    if not state.is_debt:
        return [state.short] if state.short and state.column != "half" else []
    stuck = side.debt.stuck if state.column == "close_wait" else 0
    if stuck >= count:
        return ["nobody can close them", "nobody can close", "nobody\ncan close"]
    if stuck:
        owed = f"{side.name} owes {grouped(count - stuck)} close()"
        return [f"{owed}, of {grouped(stuck)} nobody can", f"{owed},\nof {grouped(stuck)} nobody can"]
    return [f"{side.name} owes a close()" + (":\nits descriptors stay" if state.hatch else ""), "owes a close()", "owes a\nclose()"]
