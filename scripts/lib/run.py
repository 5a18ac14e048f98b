"""run: one order played once, as the looks at it tell: the states of both sides, its steps, and what happened first."""

from dataclasses import dataclass
from typing import Optional

import numpy

from states import SIDES, STATES
from words import grouped

# The sockets of a row that are shown as they are; FIN_WAIT2, TIME_WAIT and what is gone have parts.
COUNTED = "syn_sent syn_recv established fin_wait1 fin_wait2 closing close_wait last_ack time_wait close".split()
NOT_SUMMED = set("order step side host line conns t_s settled look_s connect_s began_s failed_s dropped_s".split())

Counts = numpy.ndarray  # of whole numbers: of a look one for each of STATES; of several looks a row each


class Table(dict[str, numpy.ndarray]):
    """Columns by name, all as long as each other: rows of --csv."""

    def part(self, rows: object) -> "Table":
        return Table({name: column[rows] for name, column in self.items()})

    def of(self, column: str, otherwise: object = 0) -> numpy.ndarray:
        """As whole numbers; `otherwise` where the file has no such column."""
        return numpy.asarray(self[column] if column in self else otherwise + 0 * self["t_s"]).astype(int)

    def added_up(self) -> "Table":
        """What several hosts tell of one look, in rows one after the other, becomes one row."""
        if "host" not in self:
            return self
        alike = self["host"][1:] != self["host"][:-1]
        for name in ("order", "conns", "t_s", "step", "side"):
            alike &= self[name][1:] == self[name][:-1]
        first = numpy.flatnonzero(numpy.append(True, ~alike))
        return Table({name: column[first] if name in NOT_SUMMED else numpy.add.reduceat(column, first) for name, column in self.items()})


@dataclass
class Debt:
    """How many close() a side owes at the end, how many it owed at most, from when to when; until None: still. What it can do nothing
    about: `stuck`, ends in CLOSE_WAIT that were never accepted. `unclosed`: ends that it has not closed, without a debt."""

    now: int = 0
    stuck: int = 0
    unclosed: int = 0
    most: int = 0
    since: Optional[float] = None
    until: Optional[float] = None
    was_settled: bool = False  # looks before a step has settled may meet states that merely pass


class Side:
    def __init__(self, name: str, rows: Table, order: str):
        self.name, self.rows = name, rows
        self.t, self.step, self.settled = rows["t_s"], rows["step"], rows["settled"] == 1
        self.ghosts = ghosts_of(rows)
        self.counts: Counts = counts_of(rows, self.ghosts, order)
        self.debt = debt_of(rows, self.ghosts, self.settled)
        # Its first accept() or connect() that failed.
        self.failed = last_date(rows, "failed_s") or first(self.t, rows["errors"] > 0)
        self.most_fds = rows.of("fds").max(initial=0)
        self.nofile = next((n for n in rows.of("nofile")[::-1] if n), 0)
        self.behind = rows.of("elsewhere")  # descriptors on connections to others
        self.lost = rows.of("lost")  # requests and replies
        changes = (self.counts[1:] != self.counts[:-1]).any(axis=1) | (self.step[1:] != self.step[:-1])
        self.news = numpy.flatnonzero(numpy.append(True, changes)) if len(self.t) else numpy.array([], int)  # looks unlike those before

    def occurs(self) -> list[int]:
        """The states that it has been in, as places in STATES."""
        return numpy.flatnonzero(self.counts.any(axis=0)).tolist()

    def look_after(self, step: str, is_settled: bool = False) -> Optional[int]:
        """The last look in that step; the last settled one if there is one."""
        looks = numpy.flatnonzero(self.step == step)
        settled = looks[self.settled[looks]] if is_settled else looks[:0]
        return int((settled if len(settled) else looks)[-1]) if len(looks) else None


class Run:
    def __init__(self, order: str, conns: int, rows: Table):
        self.order, self.conns, self.title = order, conns, order
        self.sides = {name: Side(name, rows.part(rows["side"] == name), order) for name in SIDES}
        t = rows["t_s"]
        began = rows.get("began_s", 0 * t)
        self.start: float = began[began > 0][0] if (began > 0).any() else t.min(initial=numpy.inf)
        self.last: float = t.max(initial=0)
        self.steps = {step: t[rows["step"] == step].min() for step in dict.fromkeys(rows["step"])}  # with their beginnings
        self.highest = max(side.counts.sum(axis=1).max(initial=0) for side in self.sides.values())
        self.syn_dropped = last_date(rows, "dropped_s") or first_drop(rows.part(rows["side"] == "server"))

    def since(self, t: float) -> float:
        """Seconds from the start, of whole microseconds as the CSV has both: half a tenth is then rounded as the program does."""
        return round(t - self.start, 6)

    def is_flow(self) -> bool:
        """Connections that come one by one are never all there."""
        return list(self.steps) == ["arrivals"]


def first(t: numpy.ndarray, is_so: numpy.ndarray) -> Optional[float]:
    return t[is_so][0] if is_so.any() else None


def last_date(rows: Table, column: str) -> Optional[float]:
    dates = rows.get(column, rows["t_s"][:0])
    return first(dates[::-1], dates[::-1] > 0)


def first_drop(rows: Table) -> Optional[float]:
    """For files that have no date of it: when the count of SYNs that were dropped had grown."""
    dropped = rows.of("dropped")
    counts = (rows["step"] != "arrivals") | ("dropped_s" not in rows)
    return first(rows["t_s"], counts & (dropped > dropped[counts][:1].max(initial=0)))


def ghosts_of(rows: Table) -> numpy.ndarray:
    """Files from before the column tell of the descriptors that no socket can have."""
    held = sum(rows.of(column) for column in COUNTED if column not in ("syn_recv", "time_wait"))
    return rows.of("ghosts", rows["fds"] - held).clip(0)


def counts_of(rows: Table, ghosts: numpy.ndarray, order: str) -> Counts:
    """Ghosts are among what is gone as far as there is any of it, the others in TIME_WAIT."""
    gone = rows.of("gone").clip(0)
    held = numpy.minimum(ghosts, gone)
    counts = {column: rows.of(column) for column in COUNTED} | {"ghosts": held, "gone": gone - held}
    counts["listen"] = rows.of("listen") * (order == "LISTEN")
    counts["kept"] = numpy.minimum(ghosts - held, counts["time_wait"]) * ("ghosts" in rows)
    counts["half"] = numpy.minimum(rows.of("half_closed"), counts["fin_wait2"])
    counts["time_wait"] = counts["time_wait"] - counts["kept"]
    counts["fin_wait2"] = counts["fin_wait2"] - counts["half"]
    return numpy.array([counts[state.column] for state in STATES]).T


def debt_of(rows: Table, ghosts: numpy.ndarray, settled: numpy.ndarray) -> Debt:
    """tcpstorm says what is owed; for files of before it is worked out."""
    t = rows["t_s"]
    if not len(t):
        return Debt()
    unowned = rows.of("unowned")
    owed = rows.of("owed", (rows["close_wait"] - unowned).clip(0) + ghosts)
    debt = Debt(owed[-1], rows.of("stuck", unowned)[-1], rows.of("unclosed", rows["established"])[-1], owed.max())
    owing = numpy.flatnonzero(owed)
    if len(owing):
        debt.since, debt.until = t[owing[0]], t[owing[-1] + 1] if owing[-1] + 1 < len(t) else None
        debt.was_settled = bool(settled[owing].any())
    return debt


def name_runs(runs: list[Run]) -> None:
    """Tells runs of the same order and size apart in their titles."""
    kinds = [(run.order, run.conns) for run in runs]
    for i, (run, kind) in enumerate(zip(runs, kinds), 1):
        what = ("socket" if run.order == "LISTEN" else "connection") + ("" if run.conns == 1 else "s")
        number = f" ({kinds[:i].count(kind)})" if kinds.count(kind) > 1 else ""
        run.title = f"{run.order}, {grouped(run.conns)} {what}{number}"
