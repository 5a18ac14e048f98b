"""diagram: RFC 9293's state diagram (section 3.3.2, figure 5), for both sides: in the boxes how many came and how long they stayed, on the
arrows how many went there, in their width too. CLOSED is drawn twice, where connections begin and where they end."""

from typing import NamedTuple

from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from plot.moves import Moves, SideMoves
from plot.page import Page, text_width
from states import BY_NAME, SIDES
from words import duration, grouped

PANEL = 568
HEIGHT = 710
WIDE, HIGH = 128, 50  # a box
LINE = 13  # px, of a label
TAKEN, FOREIGN, IDLE = "#333333", "#C02020", "#BBBBBB"

# The middle of each box, in px. CLOSED is "gone" where a connection begins, and "end" where it ends.
PLACES = {
    "gone": (284, 76), "LISTEN": (284, 158), "SYN_RECV": (124, 244), "SYN_SENT": (444, 244), "ESTABLISHED": (284, 324),
    "FIN_WAIT1": (124, 412), "CLOSE_WAIT": (444, 412), "FIN_WAIT2": (124, 506), "CLOSING": (284, 506), "LAST_ACK": (444, 506),
    "TIME_WAIT": (284, 602), "end": (444, 602),
}


class Arrow(NamedTuple):
    start: str
    to: str
    event: str  # what the side does, or what it receives
    side: int = 1  # of the label: 1 to the right of the way there, -1 to the left, 0 upon it
    label: float = 0.5  # where on the way
    ends: tuple[float, float, float, float] | None = None  # px from the middle of both boxes; None: the shortest way


ARROWS = (
    Arrow("gone", "LISTEN", "listen()", ends=(-20, 25, -20, -25)),
    Arrow("LISTEN", "gone", "close()", ends=(20, -25, 20, 25)),
    Arrow("gone", "SYN_SENT", "connect()", -1, ends=(64, -10, 30, -25)),
    Arrow("SYN_SENT", "gone", "close()", 0, 0.4, (-20, -25, 64, 14)),
    Arrow("LISTEN", "SYN_SENT", "send()"),
    Arrow("LISTEN", "SYN_RECV", "SYN", -1, ends=(-64, 12, 34, -25)),
    Arrow("SYN_RECV", "LISTEN", "RST", -1, ends=(0, -25, -64, -12)),
    Arrow("SYN_SENT", "SYN_RECV", "SYN"),
    Arrow("SYN_RECV", "ESTABLISHED", "ACK", -1),
    Arrow("SYN_SENT", "ESTABLISHED", "SYN, ACK"),
    Arrow("SYN_RECV", "FIN_WAIT1", "close()", -1, ends=(-30, 25, -30, -25)),
    Arrow("ESTABLISHED", "FIN_WAIT1", "close()", -1),
    Arrow("ESTABLISHED", "CLOSE_WAIT", "FIN"),
    Arrow("FIN_WAIT1", "FIN_WAIT2", "ACK of FIN", ends=(-20, 25, -20, -25)),
    Arrow("FIN_WAIT1", "CLOSING", "FIN", -1),
    Arrow("FIN_WAIT1", "TIME_WAIT", "FIN, ACK", 0, 0.2),
    Arrow("FIN_WAIT2", "TIME_WAIT", "FIN"),
    Arrow("CLOSING", "TIME_WAIT", "ACK of FIN", -1),
    Arrow("CLOSE_WAIT", "LAST_ACK", "close()"),
    Arrow("LAST_ACK", "end", "ACK of FIN"),
    Arrow("TIME_WAIT", "end", "60 s", -1),
)
# A connection that comes to a listener begins in SYN_RECV, while the listener stays where it is.
SAME_AS = {("gone", "SYN_RECV"): ("LISTEN", "SYN_RECV")}
# Where the stub of what is no arrow of the diagram leaves a box to the left: it ends at once, in CLOSED.
STUB_LEFT = {"SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "ESTABLISHED", "TIME_WAIT"}

# Kinds of moves that are no arrow of the diagram, as --json has them; a CSV does not say the kind.
KINDS = {"reset": "RST", "abort": "aborted", "unanswered": "timed out", "shortened": "without it", "unseen": "on, unseen", "outside": "?"}
UNSEEN = ("FIN_WAIT2", "gone")  # what goes on as a timewait socket, where the kernel shows none of these

LOOKS_ONLY = "Looks count the sockets in each state, not what moves between two looks: tcpstorm --witness events counts the arrows."
NOTES = (
    "An arrow is as wide as its count. Grey: no socket went there. Red and dashed: no arrow of RFC 9293’s diagram.",
    "close(), listen(), connect(), send(): this side calls it. SYN, ACK, FIN, RST: this side receives it. p50, p99: how long sockets stayed.",
)
NO_TIME_WAIT = "From FIN_WAIT2 to CLOSED, and none to TIME_WAIT: this run may not have seen timewait sockets, with which the kernel goes on."


def draw_diagram(moves: Moves) -> Page:
    page = Page(2 * PANEL)
    page.height = HEIGHT
    most = max((count for side in moves.sides.values() for count in side.counts.values()), default=1)
    for i, name in enumerate(SIDES):
        page.text(f"{moves.title()}, {name}", i * PANEL + 24, 26, 16, bold=True)
        Panel(page, i * PANEL, moves, moves.sides[name], most).draw()
    page.line(PANEL, 40, PANEL, HEIGHT - 64, "#DDDDDD")
    notes = [*NOTES, *([NO_TIME_WAIT] if moves.hides_time_wait() else [])] if moves.are_counted() else [LOOKS_ONLY]
    for i, note in enumerate(notes):
        page.text(note, 24, HEIGHT - 48 + 16 * i, 10.5, colour="#555555")
    return page


class Panel:
    """One side."""

    def __init__(self, page: Page, left: float, moves: Moves, side: SideMoves, most: int):
        self.page, self.side, self.most = page, side, most
        self.with_dwell = len(moves.orders) == 1
        self.expected = {UNSEEN} if moves.hides_time_wait() else set()
        self.places = {name: (left + x, y) for name, (x, y) in PLACES.items()}

    def draw(self) -> None:
        left_over, counts = dict(self.side.counts), {}
        for arrow in ARROWS:
            way = arrow.start, "gone" if arrow.to == "end" else arrow.to
            counts[arrow] = sum(left_over.pop(key, 0) for key in {way, *(key for key, same in SAME_AS.items() if same == way)})
        for arrow, count in sorted(counts.items(), key=lambda pair: pair[1]):
            self.draw_arrow(arrow, count)
        for (start, to), count in left_over.items():
            self.draw_foreign(start, to, count)
        for name in PLACES:
            self.draw_box(name)

    # ---- arrows ----

    def draw_arrow(self, arrow: Arrow, count: int) -> None:
        width = self.width_of(count)
        style = f"simple,tail_width={width},head_width={width + 7},head_length={7 + width / 2}"
        ends = self.ends_of(arrow)
        self.put_arrow(*ends, arrow, count, TAKEN if count else IDLE, arrowstyle=style, linewidth=0)
        self.put_label(*ends, arrow, count, TAKEN if count else "#888888")

    def draw_foreign(self, start: str, to: str, count: int) -> None:
        """What is no arrow of the diagram. A move to CLOSED leaves its box, and ends at once."""
        kinds = ", ".join(KINDS.get(kind, kind) for kind in sorted(self.side.kinds.get((start, to), ())))
        colour = TAKEN if (start, to) in self.expected else FOREIGN
        way = -1 if start in STUB_LEFT else 1
        arrow = Arrow(start, start if to == "gone" else to, kinds, ends=(way * WIDE / 2, 12, way * (WIDE / 2 + 34), 12) if to == "gone" else None)
        ends, width = self.ends_of(arrow), min(self.width_of(count), 4)
        self.put_arrow(*ends, arrow._replace(to=to), count, colour, arrowstyle=f"-|>,head_length={4 + width},head_width={2 + width}",
                       linestyle=(0, (1.5, 0.8)), linewidth=width)
        if to != "gone":
            return self.put_label(*ends, arrow, count, colour)
        for text, size, bold, up in ((grouped(count), 12, True, 14), (kinds or "ends", 9.5, False, 1)):
            self.page.text(text, ends[0][0] + way * 3, self.places[start][1] - up, size, bold, colour, "left" if way > 0 else "right")

    def width_of(self, count: int) -> float:
        return 1.2 + 8 * count / self.most if count else 1.2

    def ends_of(self, arrow: Arrow) -> tuple[tuple[float, float], tuple[float, float]]:
        """Without its own: where the line between the middles of two boxes leaves the one and meets the other."""
        (x1, y1), (x2, y2) = self.places[arrow.start], self.places[arrow.to]
        if arrow.ends:
            return (x1 + arrow.ends[0], y1 + arrow.ends[1]), (x2 + arrow.ends[2], y2 + arrow.ends[3])
        dx, dy = x2 - x1, y2 - y1
        part = min(WIDE / 2 / abs(dx) if dx else 1, HIGH / 2 / abs(dy) if dy else 1)
        return (x1 + dx * part, y1 + dy * part), (x2 - dx * part, y2 - dy * part)

    def put_arrow(self, start: tuple, end: tuple, arrow: Arrow, count: int, colour: str, **look: object) -> None:
        patch = FancyArrowPatch(start, end, shrinkA=0, shrinkB=0, mutation_scale=1, color=colour, zorder=1, **look)
        patch.set_gid(f"title:{shown(arrow.start)} to {shown(arrow.to)}: {count}")
        self.page.front.add_patch(patch)

    def put_label(self, start: tuple, end: tuple, arrow: Arrow, count: int, colour: str) -> None:
        """Count and event beside the arrow, so far away that they do not touch it."""
        lines = [line for line in ((grouped(count) if count else "", 12, True), (arrow.event, 9.5, False)) if line[0]]
        dx, dy = end[0] - start[0], end[1] - start[1]
        length = (dx * dx + dy * dy) ** 0.5
        right = -dy / length, dx / length
        wide = max((text_width(*line) for line in lines), default=0)
        away = arrow.side * (self.width_of(count) / 2 + 4 + abs(right[0]) * wide / 2 + abs(right[1]) * LINE * len(lines) / 2)
        x, y = start[0] + dx * arrow.label + right[0] * away, start[1] + dy * arrow.label + right[1] * away
        for i, line in enumerate(lines):
            self.page.label([line[0]], x, y + (i - (len(lines) - 1) / 2) * LINE, *line[1:], colour, "" if arrow.side else "white")

    # ---- boxes ----

    def draw_box(self, name: str) -> None:
        state = BY_NAME["gone" if name == "end" else name]
        lines = self.lines_of(name)
        is_used = bool(lines) or (name == "gone" and bool(self.side.counts))
        x, y = self.places[name]
        fill, ink, edge = (state.colour, state.ink, "#555555") if is_used else ("white", "#888888", IDLE)
        self.page.front.add_patch(FancyBboxPatch((x - WIDE / 2, y - HIGH / 2), WIDE, HIGH, boxstyle="round,pad=0,rounding_size=5",
                                                 facecolor=fill, edgecolor=edge, zorder=1))
        for i, (text, size, bold) in enumerate([(shown(name), 12, True)] + [(line, 9.5, False) for line in lines]):
            size *= min(1, (WIDE - 6) / text_width(text, size, bold))
            self.page.text(text, x, y + (i - len(lines) / 2) * 14, size, bold, ink, "center")

    def lines_of(self, name: str) -> list[str]:
        side, state = self.side, "gone" if name == "end" else name
        if name == "gone":
            return []
        came, stay = side.came(state), side.stay(state)
        lines = [f"at most {grouped(side.looks[state][0])}", f"at the end {grouped(side.looks[state][1])}"] if state in side.looks else []
        if came:
            lines = [f"{grouped(came)} ended" if name == "end" else f"{grouped(came)} came" + (f", {grouped(stay)} stay" if stay > 0 else "")]
        if state in side.dwell and name != "end" and self.with_dwell:
            lines.append("p50 {}, p99 {}".format(*map(duration, side.dwell[state])))
        return lines


def shown(name: str) -> str:
    return "CLOSED" if name in ("gone", "end") else name
