"""inputs: what a page is made of is told by the beginning of its file, and makes sections of the page. A kind more is a row of KINDS, a
function that makes sections, and a template."""

import io
import os
from typing import Callable

import command
from command import BAD_INPUT, Failure
from plot.moves import Moves
from report.events import Told, read_events
from report.page import Section, write_page
from report.proxy import read_audit
from report.recording import read_recording
from rows import read_csv

BEGINNING = 128  # characters, by which a kind is told


def read_json_runs(text: str, name: str) -> list[Section]:
    return [Section("run.html.j2", name, told) for told in read_events(text, name)]


def read_csv_runs(text: str, name: str) -> list[Section]:
    """A row that was cut is left out without a word: the page says that a CSV has no end."""
    return [Section("run.html.j2", name, Told(name, "csv", run)) for run in read_csv(io.StringIO(text, newline="\n"), name, "report")]


def read_moves(text: str, name: str) -> list[Section]:
    moves = Moves()
    moves.take_rows(text, name)
    return [Section("moves.html.j2", name, moves)]


# How the file begins, without blanks, and what makes sections of its text and name. The first that fits reads it.
KINDS: tuple[tuple[str, Callable[[str, str], list[Section]]], ...] = (
    ('{"event":"recording",', lambda text, name: [Section("recording.html.j2", name, read_recording(text, name))]),
    ('{"event":"proxy_audit",', lambda text, name: [Section("proxy.html.j2", name, read_audit(text, name))]),
    ("order,side,from,to,", read_moves),
    ("{", read_json_runs),
    ("order,conns,t_s,", read_csv_runs),
)


def page_of(inputs: list[str]) -> str:
    return write_page([section for file in find_files(inputs) for section in read_input(file)])


def reader_of(beginning: str) -> Callable[[str, str], list[Section]] | None:
    packed = "".join(beginning.split()).replace("\0", "")
    return next((read for start, read in KINDS if packed.startswith(start)), None)


def read_input(file: str) -> list[Section]:
    """What no kind knows is read by its name, so that it is told what is wrong with it."""
    with command.opened(file) as opened:
        text = opened.read()
    read = reader_of(text[:BEGINNING]) or (read_json_runs if file.endswith(".json") else read_csv_runs)
    return read(text, command.shown(file))


def find_files(inputs: list[str]) -> list[str]:
    """A folder stands for all files in it and below that tcpstorm wrote; a CSV beside its JSON tells nothing more."""
    files = []
    for name in inputs:
        every = {os.path.join(path, file) for path, _, names in os.walk(name) for file in names}
        found = [file for file in sorted(every) if file.endswith(".json") or (file.endswith(".csv") and f"{file[:-4]}.json" not in every)]
        files += [file for file in found if os.path.isfile(file) and is_of_tcpstorm(file)] if os.path.isdir(name) else [name]
        if os.path.isdir(name) and not any(file in every for file in files):
            raise Failure(BAD_INPUT, f"the folder {name} has no file that tcpstorm --json or --csv wrote.")
    return files


def is_of_tcpstorm(file: str) -> bool:
    with command.opened(file) as opened:
        return reader_of(opened.read(BEGINNING)) is not None
