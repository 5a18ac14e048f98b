"""flags: names on vertical lines of a timeline: a step, or something that happened for the first time."""

from dataclasses import dataclass

from plot.page import Page, text_width
from run import Run
from states import OWES_INK

FLAG_HEIGHT = 16
FAILED_CALL = {"server": "accept()", "client": "connect()"}


@dataclass
class Flag:
    t: float
    text: str
    is_trouble: bool
    x: float = 0  # in px from the panel's left
    shift: float = 0  # so far to the left of its line: it would leave the page
    level: int = 1  # above the panels


def make_flags(run: Run, px_a_second: float, room: float) -> list[Flag]:
    """By time. Levels are given from the last back to the first: a flag goes above those of the later ones that its text passes over, so
    that no line crosses a text."""
    flags = [Flag(begin, step, False) for step, begin in run.steps.items()]
    firsts = [(side.failed, f"first failed {FAILED_CALL[side.name]}") for side in run.sides.values()] + [(run.syn_dropped, "first SYN dropped")]
    flags += [Flag(t, f"{what}, {run.since(t):.1f} s", True) for t, what in firsts if t is not None]
    flags.sort(key=lambda flag: flag.t)
    for i in reversed(range(len(flags))):
        flag = flags[i]
        flag.x = (flag.t - run.start) * px_a_second
        right = flag.x + text_width(flag.text) + 8
        flag.shift = max(0, right - room)
        flag.level = 1 + max((later.level for later in flags[i + 1:] if later.x - later.shift < right), default=0)
    return flags


def levels_of(flags: list[Flag]) -> int:
    return max((flag.level for flag in flags), default=0)


def draw_flags(page: Page, flags: list[Flag], x: float, y: float, height: float, gap: float) -> None:
    """Poles above the upper panel, with their names, or in the gap above the lower one; inside the panel they are thinner."""
    for flag in flags:
        colour, at = OWES_INK if flag.is_trouble else "black", x + flag.x
        page.line(at, y - (gap or FLAG_HEIGHT * flag.level - (14 if flag.shift else -1)), at, y, colour)
        page.line(at, y, at, y + height, colour, *((1.5, (0, (1, 3))) if flag.is_trouble else ()))
        if not gap:
            page.text(flag.text, at + 4 - flag.shift, y - FLAG_HEIGHT * flag.level + 6, colour=colour)
