"""debt: says who owes a close(), in the sentence that tcpstorm's verdict has (src/analysis/debt.c)."""

from run import Run, Side
from words import grouped, several

GRAVEST_FIRST = ("owes", "stuck", "open", "none")


def class_of(side: Side) -> str:
    debt = side.debt
    return "owes" if debt.now > 0 else "stuck" if debt.stuck > 0 else "open" if debt.unclosed > 0 else "none"


def class_of_run(run: Run) -> str:
    """The gravest class of both sides."""
    classes = [class_of(side) for side in run.sides.values() if len(side.t)]
    return next((one for one in GRAVEST_FIRST if one in classes), "unknown")


def is_open(run: Run) -> bool:
    """Somebody owes, or nobody can."""
    return class_of_run(run) in ("owes", "stuck")


def who_owes(run: Run) -> str:
    """What is so at the end. The server is told first, as in all of tcpstorm's output."""
    kind = class_of_run(run)
    sides = [side for side in run.sides.values() if class_of(side) == kind]
    if kind == "unknown":
        return "Nothing was seen of the sockets."
    if kind == "none":
        return "Nobody owes a close()."
    name, debt = sides[0].name, sides[0].debt
    if kind == "owes" and len(sides) == 2:
        return f"Both sides owe a close(): the server {grouped(debt.now)}, the client {grouped(sides[1].debt.now)}."
    if kind == "owes":
        more = f"; {grouped(debt.stuck)} more {'was' if debt.stuck == 1 else 'were'} never accepted" if debt.stuck else ""
        return f"The {name} owes {several(debt.now, 'close() call')}{more}."
    if kind == "stuck":
        return f"Nobody can close {several(debt.stuck, 'connection')}: the {name} never accepted {'it' if debt.stuck == 1 else 'them'}."
    if len(sides) == 2:
        return f"Neither side has closed: {several(debt.unclosed, 'connection')} {'is' if debt.unclosed == 1 else 'are'} open."
    return f"The {name} has not closed: it holds {several(debt.unclosed, 'connection')}."


def debt_sentence(run: Run, is_short: bool) -> str:
    """With what was owed before, where nothing is owed at the end. is_short: without numbers and times of that."""
    before = [side for side in run.sides.values() if side.debt.most and (run.is_flow() or side.debt.was_settled)]
    if class_of_run(run) != "none" or not before:
        return who_owes(run)
    if not is_short:
        told = "; ".join(f"the {side.name} owed {owed_before(run, side)}" for side in before)
    else:
        told = "both sides did before" if len(before) == 2 else f"the {before[0].name} did before"
    return f"Nobody owes a close() at the end; {told}."


def owed_before(run: Run, side: Side) -> str:
    debt = side.debt
    up_to = "up to " if run.is_flow() else ""
    return f"{up_to}{grouped(debt.most)}, from {run.since(debt.since):.1f} to {run.since(debt.until):.1f} s"
