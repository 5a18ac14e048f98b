"""page: a picture's page, measured in px from its top left, with what every picture has: title, legend, texts and boxes."""

import functools
import io
import logging
import re

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.textpath import text_to_path

from debt import debt_sentence, is_open
from run import Run
from states import OWES_INK, STATES, State

# The looks do not depend on the user's matplotlibrc. Texts stay texts; nothing depends on date or chance.
matplotlib.rcParams.update(matplotlib.rcParamsDefault)
matplotlib.rcParams.update({
    "font.family": "DejaVu Sans", "svg.fonttype": "none", "svg.hashsalt": "tcpstorm", "pdf.fonttype": 42, "hatch.linewidth": 0.8,
    "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": "#444444", "axes.labelsize": 11,
    "xtick.color": "#444444", "ytick.color": "#444444", "xtick.labelcolor": "#222222", "ytick.labelcolor": "#222222",
    "xtick.labelsize": 11, "ytick.labelsize": 11, "xtick.major.pad": 7,
})
logging.getLogger("matplotlib").setLevel(logging.ERROR)

WIDTH = 800
LEGEND_TOP = 40
MARGIN = 16
LINE_HEIGHT = 15
METADATA = {
    "svg": {key: None for key in ("Date", "Creator", "Format", "Type")},
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}


@functools.lru_cache(None)
def text_width(text: str, size: float = 12, is_bold: bool = False) -> float:
    font = FontProperties(size=size, weight="bold" if is_bold else "normal")
    return text_to_path.get_text_width_height_descent(text, font, False)[0]


class Page:
    """Whoever draws on it goes down from the top, and says at last how high it is."""

    def __init__(self, width: float = WIDTH):
        self.width, self.height = width, 0.0
        self.figure = Figure(dpi=72, facecolor="white")  # 72 dpi: a px is a point
        self.front = self.figure.add_axes((0, 0, 1, 1), zorder=10)  # above the panels
        self.front.set_axis_off()
        self.panels: list[tuple[Axes, float, float, float, float]] = []

    def text(self, text: str, x: float, y: float, size: float = 12, bold: bool = False, colour: str = "black", align: str = "left") -> None:
        """y is the middle of its small letters."""
        self.front.text(x, y + 0.36 * size, text, color=colour, ha=align, fontsize=size, fontweight="bold" if bold else "normal",
                        parse_math=False, zorder=1)

    def label(self, lines: list[str], x: float, y: float, size: float = 12, bold: bool = False, colour: str = "black", ground: str = "") -> None:
        """Lines with their middle at x, y; the ground is a box that interrupts what is behind."""
        if ground:
            wide, high = max(text_width(line, size, bold) for line in lines) + 6, (len(lines) - 1) * LINE_HEIGHT + 1.25 * size
            self.box(x - wide / 2, y - high / 2, wide, high, facecolor=ground)
        for i, line in enumerate(lines):
            self.text(line, x, y + (i - (len(lines) - 1) / 2) * LINE_HEIGHT, size, bold, colour, "center")

    def box(self, x: float, y: float, width: float, height: float, **look: object) -> None:
        self.front.add_patch(Rectangle((x, y), width, height, zorder=1, **look))

    def line(self, x1: float, y1: float, x2: float, y2: float, colour: str, width: float = 1, style: object = "-") -> None:
        self.front.add_line(Line2D((x1, x2), (y1, y2), color=colour, linewidth=width, linestyle=style, zorder=1, solid_capstyle="butt"))

    def panel(self, x: float, y: float, width: float, height: float) -> Axes:
        axes = self.figure.add_axes((0, 0, 1, 1), label=str(len(self.panels)))
        self.panels.append((axes, x, y, width, height))
        return axes

    def legend(self, title: str, runs: list[Run], line: tuple[str, str] | None = None) -> float:
        """The states that occur, and a line in a colour of its own. Returns where it ends."""
        self.text(title, MARGIN, 20, 15, bold=True)
        occurring = {i for run in runs for side in run.sides.values() for i in side.occurs()}
        entries = [(STATES[i].legend, STATES[i].is_debt, look(STATES[i])) for i in sorted(occurring)] + ([(line[0], False, None)] if line else [])
        x, y = MARGIN, LEGEND_TOP
        for text, bold, fill in entries:
            wide = 24 + text_width(text, 12, bold)
            if x > MARGIN and x + wide > WIDTH - MARGIN:
                x, y = MARGIN, y + 20
            if fill:
                self.box(x, y, 18, 13, **fill)
                self.box(x, y, 18, 13, facecolor="none", edgecolor="#888888")
            else:
                self.line(x, y + 7, x + 18, y + 7, line[1], 2)
            self.text(text, x + 24, y + 7, 12, bold)
            x += wide + 20
        return y + 28

    def debt(self, run: Run, x: float, y: float, size: float, is_short: bool, room: float) -> None:
        """Smaller where it would not fit."""
        owes, sentence = is_open(run), debt_sentence(run, is_short)
        size *= min(1, room / text_width(sentence, size, owes))
        self.text(sentence, x, y, size, bold=owes, colour=OWES_INK if owes else "#333333")

    def render(self, kind: str, title: str = "TCP states, per side") -> bytes:
        """The picture as a file of that kind. A PNG has two dots for each px, for print and for sharp screens."""
        self.height = round(self.height)
        self.figure.set_size_inches(self.width / 72, self.height / 72)
        self.front.set(xlim=(0, self.width), ylim=(self.height, 0))
        for axes, x, y, width, height in self.panels:
            axes.set_position((x / self.width, 1 - (y + height) / self.height, width / self.width, height / self.height))
        file = io.BytesIO()
        self.figure.savefig(file, format=kind, dpi=144 if kind == "png" else 72, metadata=METADATA[kind])
        return as_svg(file.getvalue().decode(), title).encode() if kind == "svg" else file.getvalue()


def look(state: State) -> dict:
    """The fill of an area or box of a state, for matplotlib."""
    hatch = {"hatch": "\\\\\\\\" if state.column == "gone" else "////"} if state.hatch else {}
    return {"facecolor": state.colour, "edgecolor": state.hatch or "none", "linewidth": 0, **hatch}


# ---- SVG ----

def as_svg(svg: str, title: str) -> str:
    """px for points, fonts that a machine without DejaVu has, a title for those who do not see it, and one where an artist is called
    title:WORDS, which a browser shows under the pointer."""
    width, height = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg).groups()
    svg = re.sub(r"<!DOCTYPE.*?>\n?|\s*<metadata>.*?</metadata>", "", svg, flags=re.S)
    svg = re.sub(r' (?:width|height)="[\d.]+pt"', "", svg, count=2)
    svg = re.sub(r"<svg ([^>]*>)", rf'<svg width="{float(width):.0f}" height="{float(height):.0f}" \1\n <title>{title}</title>', svg, count=1)
    svg = svg.replace("'DejaVu Sans'", "'DejaVu Sans',Arial,sans-serif")
    svg = re.sub(r'<g id="title:([^"]*)">', r"<g><title>\1</title>", svg)
    return re.sub(r'<g id="[a-zA-Z0-9_]+">', "<g>", svg)


def inline(svg: str, name: str, title: str) -> str:
    """The same as a part of an HTML page, with ids that no other picture of the page has."""
    svg = re.sub(r"\s*<style[^>]*>.*?</style>", "", svg[svg.index("<svg"):], flags=re.S)
    svg = re.sub(r'( id="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r"<title>.*?</title>", f'<title id="{name}-title">{title}</title>', svg, count=1)
    return svg.replace("<svg ", f'<svg class="plot" role="img" aria-labelledby="{name}-title" ', 1)
