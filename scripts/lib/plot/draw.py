"""draw: makes a picture of files."""

import command
from command import BAD_INPUT, Failure
from plot.diagram import draw_diagram
from plot.histogram import draw_histograms
from plot.moves import read_moves
from plot.timeline import draw_timelines
from rows import MOST_RUNS, read_csv
from run import Run, name_runs


def draw(files: list[str], kind: str | None, picture_format: str) -> bytes:
    if kind == "diagram":
        return draw_diagram(read_moves(files)).render(picture_format, "TCP transitions, per side")
    runs = read_runs(files)
    is_histogram = kind == "histogram" or (kind is None and len(runs) > 1)
    return (draw_histograms if is_histogram else draw_timelines)(runs).render(picture_format)


def read_runs(files: list[str]) -> list[Run]:
    runs = []
    for file in files:
        with command.opened(file) as opened:
            runs += read_csv(opened, command.shown(file), "draw", command.say)
        if len(runs) > MOST_RUNS:
            raise Failure(BAD_INPUT, f"{command.shown(file)}: more than {MOST_RUNS} runs to draw, are the rows in the order in which tcpstorm wrote them?")
    name_runs(runs)
    return runs
