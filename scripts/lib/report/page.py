"""page: puts the sections of a report, with their pictures, into the templates."""

import os
from dataclasses import dataclass

import jinja2
from markupsafe import Markup

from command import BAD_INPUT, Failure
from plot.diagram import draw_diagram
from plot.histogram import draw_histograms
from plot.moves import Moves
from plot.page import Page, inline
from plot.recorded import draw_recorded
from plot.timeline import draw_timelines
from report.events import Told
from report.facts import Facts, known_orders
from report.ladder import ladder_of, state_class, state_short
from report.recording import Recording
from rows import MOST_RUNS
from run import Run, name_runs
from states import EXPLAINED
from words import grouped, several

FOLDER = os.path.join(os.path.dirname(os.path.realpath(__file__)), "templates")
ORDER = ("recording.html.j2", "run.html.j2", "moves.html.j2", "proxy.html.j2")  # of sections on the page


@dataclass
class Section:
    """A part of the page: its template gets it as `section`, with a number among those of its template."""

    template: str
    source: str  # the name of the file
    content: object
    number: int = 0


def write_page(sections: list[Section]) -> str:
    sections = sorted(sections, key=lambda section: ORDER.index(section.template))
    for i, section in enumerate(sections):
        section.number = 1 + sum(other.template == section.template for other in sections[:i])
    told = [section for section in sections if isinstance(section.content, Told)]
    known = known_orders() if any("summary" not in section.content.start for section in told) else {}
    try:
        for section in told:
            section.content = Facts(section.content, section.number, known.get(section.content.run.order, {}))
        runs = [section.content for section in told]
        page = environment().get_template("page.html.j2")
        seen = set().union(*(run.columns for run in runs))
        return page.render(sections=sections, runs=runs, title=title_of(sections, runs), machines=machines(runs), seen=seen).strip() + "\n"
    except (KeyError, TypeError, ValueError, AttributeError, jinja2.TemplateError) as error:
        sources = ", ".join(sorted({section.source for section in sections}))
        raise Failure(BAD_INPUT, f"{sources}: there are events that tcpstorm does not write ({error}).") from None


def title_of(sections: list[Section], runs: list[Facts]) -> str:
    if runs:
        return f"tcpstorm: {runs[0].order}" if len(runs) == 1 else f"tcpstorm: {len(runs)} runs"
    if sections[0].template == "recording.html.j2":
        return f"tcpstorm: {sections[0].content.title}"
    return "tcpstorm: audits of proxies" if sections[-1].template == "proxy.html.j2" else "tcpstorm: transitions"


def machines(runs: list[Facts]) -> list[dict]:
    """Runs on the same machine share a line; the memory is that of the first."""
    found: dict[tuple, dict] = {}
    for start in (run.start for run in runs if run.start.get("kernel")):
        limits = start.get("limits", {})
        found.setdefault((start["kernel"], limits.get("processors"), limits.get("nofile_hard")), {"kernel": start["kernel"]} | limits)
    return list(found.values())


# ---- pictures ----

def timeline(run: Run, name: str) -> Markup:
    name_runs([run])
    return picture(draw_timelines([run]), name, "Sockets in each TCP state over time, on the server above and on the client below")


def side_by_side(facts: list[Facts], name: str) -> Markup:
    runs = [one.run for one in facts if one.run.steps][:MOST_RUNS]
    name_runs(runs)
    return picture(draw_histograms(runs), name, "Sockets in each TCP state over time, each run beside the others") if len(runs) > 1 else Markup("")


def diagram(moves: Moves, name: str) -> Markup:
    return picture(draw_diagram(moves), name, "The TCP states as boxes, how many went from one to another as arrows, on the server and on the client")


def recorded(recording: Recording, name: str) -> Markup:
    return picture(draw_recorded(recording.pictured), name, "Sockets of each port over time, and how many came and ended in a second")


def picture(page: Page, name: str, title: str) -> Markup:
    return Markup(inline(page.render("svg").decode(), name, title))


# ---- templates ----

def rounded(number: float, digits: int = 1) -> str:
    return f"{round(number, digits) + 0:.{digits}f}"


def value_words(value: object) -> str:
    if isinstance(value, list):
        return " to ".join(map(value_words, value))
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return grouped(value) if isinstance(value, (int, float)) and value == int(value) else str(value)


def environment() -> jinja2.Environment:
    made = jinja2.Environment(loader=jinja2.FileSystemLoader(FOLDER), autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.ChainableUndefined)
    made.filters.update(grouped=grouped, several=several, rounded=rounded, words=value_words, state_class=state_class, state_short=state_short)
    made.globals.update(states=EXPLAINED, timeline=timeline, side_by_side=side_by_side, diagram=diagram, recorded=recorded, ladder_of=ladder_of)
    return made
