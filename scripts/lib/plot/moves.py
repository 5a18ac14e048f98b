"""moves: reads how many sockets went from which TCP state to which, and how many were in each: what tcpstorm --transitions wrote, or --json
with --witness events; looks, of --csv or --json alone, tell only of the states."""

import io
import re
from dataclasses import dataclass, field

import command
from command import BAD_INPUT, Failure
from report.events import read_events
from rows import lines_of, read_csv
from run import Run
from states import SIDES, STATES

HEADER = "order,side,from,to,count,dwell_p50_s,dwell_p90_s,dwell_p99_s,dwell_max_s"
COUNTED = {state.name for state in STATES if state.name == state.whole} - {"CLOSE"}
NUMBER = r"(\d*\.?\d+(?:[eE][-+]?\d+)?)"
STATE = f"({'|'.join(sorted(COUNTED))})"
ROW = re.compile(rf"([^,]*),(server|client),{STATE},{STATE},(\d+),(?:{NUMBER},{NUMBER},{NUMBER},{NUMBER}|,,,)", re.ASCII)


@dataclass
class SideMoves:
    counts: dict[tuple[str, str], int] = field(default_factory=dict)  # by (from, to)
    kinds: dict[tuple[str, str], set[str]] = field(default_factory=dict)  # "reset", "unseen"; only JSON says it
    dwell: dict[str, tuple[float, float]] = field(default_factory=dict)  # p50 and p99, of one order only: they cannot be added up
    looks: dict[str, tuple[int, int]] = field(default_factory=dict)  # of a state: the most, and how many at the end

    def came(self, state: str) -> int:
        return sum(count for (_, to), count in self.counts.items() if to == state)

    def stay(self, state: str) -> int:
        """Came, and did not go."""
        return self.came(state) - sum(count for (start, _), count in self.counts.items() if start == state)


class Moves:
    """Of a run, or of several added up."""

    def __init__(self) -> None:
        self.orders: list[str] = []
        self.sides = {side: SideMoves() for side in SIDES}

    def title(self) -> str:
        return self.orders[0] if len(self.orders) == 1 else f"{len(self.orders)} orders"

    def are_counted(self) -> bool:
        return any(side.counts for side in self.sides.values())

    def hides_time_wait(self) -> bool:
        """Nothing came to TIME_WAIT, and something went from FIN_WAIT2 to nowhere: the kernel may have gone on with timewait sockets."""
        sides = self.sides.values()
        return any(("FIN_WAIT2", "gone") in side.counts for side in sides) and not any(side.came("TIME_WAIT") for side in sides)

    def begin(self, order: str) -> None:
        self.orders = list(dict.fromkeys([*self.orders, order]))

    def add(self, side: str, states: tuple[str, str], count: int) -> None:
        counts = self.sides[side].counts
        counts[states] = counts.get(states, 0) + count

    def add_dwell(self, side: str, state: str, p50: float, p99: float) -> None:
        self.sides[side].dwell[state] = p50, p99

    def take_event(self, event: dict, name: str) -> None:
        """A "transitions" event of --json."""
        try:
            self.begin(event["order"])
            for move in event["moves"]:
                states = move["from"], move["to"]
                if not COUNTED.issuperset(states):
                    raise ValueError(states)
                self.add(move["side"], states, int(move["count"]))
                self.sides[move["side"]].kinds.setdefault(states, set()).add(move["kind"])
            for dwell in event["dwell"]:
                self.add_dwell(dwell["side"], dwell["state"], float(dwell["p50_s"]), float(dwell["p99_s"]))
        except (KeyError, TypeError, ValueError):
            raise Failure(BAD_INPUT, f"{name} has a transitions event that tcpstorm does not write.") from None

    def take_run(self, run: Run) -> None:
        """What the looks at a run tell."""
        self.begin(run.order)
        for name, side in run.sides.items():
            for whole in COUNTED if len(side.t) else ():
                counts = side.counts[:, [state.whole == whole for state in STATES]].sum(axis=1)
                most, now = self.sides[name].looks.get(whole, (0, 0))
                if counts.any():
                    self.sides[name].looks[whole] = most + counts.max(), now + counts[-1]

    def take_rows(self, text: str, name: str) -> None:
        """What --transitions wrote."""
        for number, line, is_cut in lines_of(io.StringIO(text, newline="\n")):
            row = ROW.fullmatch(line)
            if is_cut:
                command.say(f"{name}, line {number}: the row was cut while it was written and is left out.")
            elif row:
                order, side, start, to, count, p50, _, p99, _ = row.groups()
                self.begin(order)
                self.add(side, (start, to), int(count))
                if p50:
                    self.add_dwell(side, start, float(p50), float(p99))
            elif line != HEADER:
                raise Failure(BAD_INPUT, f"{name}: line {number} is no row of --transitions.")


def read_moves(files: list[str]) -> Moves:
    moves = Moves()
    for file in files:
        with command.opened(file) as opened:
            read_text(moves, opened.read(), command.shown(file))
    return moves


def read_text(moves: Moves, text: str, name: str) -> None:
    """Judged by its first line, which opens an object or is a header."""
    if text.lstrip().startswith("{"):
        for told in read_events(text, name):
            moves.take_event(told.transitions, name) if told.transitions else moves.take_run(told.run)
    elif text.startswith("order,conns,"):
        for run in read_csv(io.StringIO(text, newline="\n"), name, "draw", command.say):
            moves.take_run(run)
    elif text.startswith(HEADER):
        moves.take_rows(text, name)
    else:
        raise Failure(BAD_INPUT, f"{name}: this is no CSV of --transitions: its first line should be {HEADER}.")
    if not moves.orders:
        raise Failure(BAD_INPUT, f"{name}: there are no rows.")
