"""rows: reads the rows of tcpstorm --csv, checks each, and makes a table of numbers of those that belong together."""

import re
from typing import Callable, Iterable

import numpy

from command import BAD_INPUT, Failure
from run import Run, Table

COLUMNS = ("order conns t_s step settled side opened listen syn_sent syn_recv established fin_wait1 fin_wait2 close_wait closing"
           " last_ack time_wait close gone fds errors look_s").split()
# Of later versions: a file without them is shown as far as it goes.
LATER = ("ghosts unread unowned queued dropped late connect_s nofile owed stuck unclosed began_s failed_s dropped_s half_closed"
         " elsewhere lost").split()
TEXTS = ("order", "step", "side")
MOST_RUNS = 64  # that one picture has room for

NAME = {True: ("a name", "[^,]+"), False: ("a name of letters, digits and dashes", "[A-Za-z0-9_.+-]+")}
SPECIAL = {"side": ("server or client", "server|client"), "settled": ("0 or 1", "[01]"), "gone": ("a whole number", "-?[0-9]+")}
SECONDS = ("a number of seconds", "[0-9]*[.]?[0-9]+(?:[eE][-+]?[0-9]+)?")
COUNT = ("a whole number from 0 up", "[0-9]+")


class Rows:
    """Rows under one header. any_name: they come from JSON, whose names may have blanks."""

    def __init__(self, header: list[str], place: str, any_name: bool = False):
        self.header = header
        self.any_name = any_name
        self.lines: list[str] = []
        self.texts: list[tuple[str, ...]] = []  # of each line: order, step, side, and host where there is one
        self.numbers: list[int] = []
        self.at = {name: i for i, name in reversed(list(enumerate(header)))}
        self.known = [column for column in COLUMNS + LATER if column in self.at]
        if missing := next((column for column in COLUMNS if column not in self.at), None):
            raise Failure(BAD_INPUT, f'{place}: not a tcpstorm CSV, the header has no column "{missing}".')
        # One pattern for a whole row is much faster than one for each column.
        parts = ["[^,]*"] * len(header)
        for column in self.known:
            pattern = self.kind_of(column)[1]
            parts[self.at[column]] = f"(?P<{column}>{pattern})" if column in TEXTS else f"(?:{pattern})"
        self.groups = [column for column in (*TEXTS, "host") if column in self.at]
        if "host" in self.at:
            parts[self.at["host"]] = "(?P<host>[^,]*)"
        self.pattern = re.compile(",".join(parts), re.ASCII)

    def kind_of(self, column: str) -> tuple[str, str]:
        """What a column may have, in words and as a pattern."""
        if column in ("order", "step"):
            return NAME[self.any_name]
        return SPECIAL.get(column) or (SECONDS if column.endswith("_s") else COUNT)

    def add(self, line: str, number: int) -> bool:
        """False: it is no such row; fault() says why."""
        row = self.pattern.fullmatch(line)
        if row:
            self.lines.append(line)
            self.texts.append(row.group(*self.groups))
            self.numbers.append(number)
        return row is not None

    def fault(self, fields: list[str]) -> str:
        """What is wrong with a row that does not match."""
        if len(fields) < len(self.header):
            return f'the row has {len(fields)} of {len(self.header)} columns, "{self.header[len(fields)]}" is missing.'
        if len(fields) > len(self.header):
            return f"the row has {len(fields)} columns and the header only {len(self.header)}."
        for column in self.known:
            (words, pattern), value = self.kind_of(column), fields[self.at[column]]
            if not re.fullmatch(pattern, value, re.ASCII):
                return f'{"" if self.any_name else "column "}"{column}" should be {words} and is "{value}".'
        return "the row cannot be read."

    def table(self) -> Table:
        numeric = [column for column in self.known if column not in TEXTS]
        values = numpy.empty((0, len(numeric)))
        if self.lines:
            values = numpy.loadtxt(self.lines, delimiter=",", usecols=[self.at[column] for column in numeric], comments=None, ndmin=2)
        texts = numpy.array(self.texts, dtype=str).reshape(-1, len(self.groups))
        return Table(zip([*numeric, *self.groups, "line"], [*values.T, *texts.T, numpy.array(self.numbers, int)])).added_up()


def lines_of(lines: Iterable[str]) -> Iterable[tuple[int, str, bool]]:
    """Number, text, and whether the end of the line is missing: it was cut while it was written. Empty lines are left out."""
    for number, line in enumerate(lines, 1):
        text = line.rstrip("\n").removesuffix("\r")
        if text:
            yield number, text, not line.endswith("\n")


def read_csv(file: Iterable[str], name: str, verb: str, warn: Callable[[str], None] = lambda _: None) -> list[Run]:
    """The runs in a file. `verb` is what its caller does with them: draw, report."""
    parts: list[Rows] = []
    for number, line, is_cut in lines_of(file):
        if parts and not is_cut and parts[-1].add(line, number):
            continue
        place, fields = f"{name}, line {number}", line.split(",")
        if not parts or fields[parts[-1].at["order"]:][:1] == ["order"]:
            parts.append(Rows(fields, place))
        elif is_cut:
            warn(f"{place}: the row was cut while it was written and is left out.")
        else:
            raise Failure(BAD_INPUT, f"{place}: {parts[-1].fault(fields)}")
    if not parts:
        raise Failure(BAD_INPUT, f"{name}: the file is empty, so there is nothing to {verb}.")
    runs = [run for part in parts if part.lines for run in runs_of(part.table(), name, verb)]
    if not runs:
        raise Failure(BAD_INPUT, f"{name}: there is a header but no rows to {verb}.")
    return runs


def runs_of(table: Table, name: str, verb: str) -> list[Run]:
    """A file has no mark between two runs: the next one begins with a header, another order, another number of connections, or an
    earlier time."""
    if not table["conns"].all():
        line = table["line"][numpy.flatnonzero(table["conns"] == 0)[0]]
        raise Failure(BAD_INPUT, f'{name}, line {line}: column "conns" is 0, so there is nothing to {verb}.')
    starts, kind, last = [], None, {}
    for i, (order, conns, side, t) in enumerate(zip(*(table[column].tolist() for column in ("order", "conns", "side", "t_s")))):
        if (order, conns) != kind or t < last.get(side, 0):
            starts.append(i)
            kind, last = (order, conns), {}
        last[side] = t
    ends = starts[1:] + [len(table["t_s"])]
    return [Run(table["order"][start], int(table["conns"][start]), table.part(slice(start, end))) for start, end in zip(starts, ends)]
