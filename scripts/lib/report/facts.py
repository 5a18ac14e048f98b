"""facts: what the page tells of one run, in the words and numbers that its template puts in place."""

import json
import os
import re
import shutil
import subprocess
import sys

from debt import class_of, class_of_run, who_owes
from plot.moves import Moves
from report.events import Told
from run import Run, Side
from rows import COLUMNS, LATER
from states import EXPLAINED, SIDES
from words import grouped, several

OUTCOMES = {
    "as expected": ("✓", "good", "as expected"), "differs": ("≠", "bad", "differs"), "fault": ("!", "bad", "fault"),
    "interrupted": ("‖", "open", "interrupted"), "unfinished": ("…", "open", "unfinished"),
}
DUTIES = {
    "owes": ("⚠", lambda debt: f"owes {several(debt.now, 'close() call')}"),
    "stuck": ("⚠", lambda debt: f"never accepted {several(debt.stuck, 'connection')}"),
    "open": ("○", lambda debt: f"has not closed {several(debt.unclosed, 'connection')}"),
    "none": ("✓", lambda debt: "owes nothing"),
}


class Facts:
    """`known`: what the program says of this order, or nothing."""

    def __init__(self, told: Told, number: int, known: dict):
        self.told, self.run, self.known, self.start, self.end = told, told.run, known, told.start, told.end
        self.id = f"run-{number}"
        self.order = self.start.get("order", self.run.order)
        self.options = self.start.get("options", {})
        self.summary, self.meaning, self.ladder = (self.start.get(key) or known.get(key) for key in ("summary", "meaning", "ladder"))
        self.outcome = self.end.get("outcome") or ("unfinished" if told.format == "json" else "not known")
        self.mark, self.outcome_class, self.outcome_words = OUTCOMES.get(self.outcome, ("?", "open", self.outcome))
        self.owes = self.end.get("owes") or who_owes(self.run)
        self.owes_class = class_of_run(self.run)
        self.sentences = sort_sentences(self.end.get("verdict", ""), self.end.get("owes"))
        self.counters = dict(self.end.get("counters_moved", {}))
        if self.outcome == "as expected":
            self.counters.pop("softnet_dropped", None)  # counted for the whole host, whatever the namespace
        self.lingering = [[row["side"], row["state"], grouped(row["count"]), held_by(row), f"{row['oldest_s']:.1f} s" if "oldest_s" in row else "–",
                           row.get("acts", "–")] for row in self.end.get("lingering", [])]
        self.ends = [end_of(side) for side in self.run.sides.values() if len(side.t)]
        self.steps = [step_of(step, at, told.steps.get(step, {}), self.run) for step, at in sorted(self.run.steps.items(), key=lambda step: step[1])]
        # The states that occur, for the glossary.
        self.columns = {state.column for state in EXPLAINED for step in self.steps for row in step["sides"].values() if row and row[state.column] > 0}
        self.moves = Moves() if told.transitions else None
        if told.transitions:
            self.moves.take_event(told.transitions, told.source)

    def has_ladder(self) -> bool:
        """Connections of a bug that came one by one have only their beginning in common; that needs no picture."""
        return len(self.ladder or ()) > (1 if self.options.get("rate") else 0)

    def also(self) -> dict:
        return {name: self.start[name] for name in ("lanes", "workers", "witness", "version") if self.start.get(name) is not None}


def numbers(side: Side, look: int) -> dict[str, float]:
    """What a row has; what it does not have is 0."""
    numeric = [column for column in COLUMNS + LATER if column not in ("order", "step", "side")]
    return {column: side.rows[column][look] if column in side.rows else 0 for column in numeric}


def step_of(step: str, at: float, event: dict, run: Run) -> dict:
    """The last look at both sides; what a step event counted goes before it."""
    looks = {name: run.sides[name].look_after(step) for name in SIDES}
    sides = {name: numbers(run.sides[name], look) | event.get("observed", {}).get(name, {}) if look is not None else None for name, look in looks.items()}
    return {"name": step, "at": at - run.start, "ok": event.get("ok"), "settle_s": event.get("settle_s", 0), "difference": event.get("difference"),
            "opened": max(row["opened"] for row in sides.values() if row), "sides": sides}


def end_of(side: Side) -> dict:
    """A card: what a side is to do, and why."""
    kind, row = class_of(side), numbers(side, -1)
    mark, duty = DUTIES[kind]
    return {"side": side.name, "class": kind, "mark": mark, "duty": duty(side.debt), "debt": side.debt, "row": row,
            "other": "client" if side.name == "server" else "server"}


def sort_sentences(verdict: str, owes: str | None) -> dict:
    """The verdict's lines by what they are about: sockets that are left, what broke and when, kernel counters, and the rest."""
    lead, *lines = [line for line in verdict.split("\n") if line] or [""]
    by_kind: dict = {"lead": lead, "story": [], "left": [], "counters": [], "rest": []}
    for line in lines:
        if line.startswith("- "):
            when = re.match(r"- ([0-9.]+ s): (.*)", line, re.S)
            by_kind["story"].append(when.groups() if when else ("", line[2:]))
        elif re.match(r"[0-9,]+ ([A-Z_0-9]+ on the (server|client):|ghosts? on the)", line):
            by_kind["left"].append(line)
        elif line.startswith("Kernel counter"):
            by_kind["counters"].append(line)
        elif line != owes and not re.match("What broke.*:$", line):
            by_kind["rest"].append(line)
    return by_kind


def held_by(row: dict) -> str:
    if not row.get("pid"):
        return "a process that this user may not inspect" if row.get("owned") else "no process"
    more = f" and {row['processes'] - 1} more" if row.get("processes", 1) > 1 else ""
    return f"{row.get('command', 'process')} pid {row['pid']}{more}{', not of this run' if row.get('stranger') else ''}"


def known_orders() -> dict[str, dict]:
    """What the orders mean, of the program, for files that do not say it themselves."""
    beside = os.path.join(os.path.dirname(os.path.realpath(sys.argv[0])), "..", "build", "tcpstorm")
    program = os.environ.get("TCPSTORM") or (beside if os.path.exists(beside) else shutil.which("tcpstorm"))
    try:
        answer = subprocess.run([program or "", "orders", "--json"], capture_output=True, check=True, timeout=60).stdout
        return {row["order"]: row for row in map(json.loads, answer.splitlines())}
    except (OSError, ValueError, KeyError, subprocess.SubprocessError):
        return {}
