"""scale: how long and how high the panels of runs are, in seconds and in sockets."""

from matplotlib.ticker import MaxNLocator

from run import Run, Side

ROUND = (1, 2, 5, 10)  # of these times a power of ten are the steps between ticks
LIMIT_ROOM = 18  # px above a limit, for its name


def span_of(run: Run) -> float:
    """With a margin on the right that lets the last look be seen, even if its step has no other."""
    last_step = list(run.steps.values())[-1] - run.start
    return max((run.last - run.start) * 1.03, last_step / 0.85) or 1.0


def height_of(run: Run, panel_height: float = 0) -> float:
    """panel_height, in px: there is room for the limit of descriptors and its name."""
    height = max(run.highest, run.sides["server"].behind.max(initial=0))
    if not run.is_flow() or height > 0.8 * run.conns:
        height = max(height, run.conns)
    if panel_height:
        limits = [side.nofile / (1 - LIMIT_ROOM / panel_height) for side in run.sides.values() if shows_limit(side)]
        height = max([height, *limits])
    return float(height or run.conns)


def shows_limit(side: Side) -> bool:
    """Where at least half of it was used; more would only flatten the picture."""
    return side.nofile > 0 and side.most_fds * 2 >= side.nofile


def share(sizes: dict[Run, float]) -> dict[Run, float]:
    """A bug and its fixed twin are compared: both have one scale."""
    sizes = dict(sizes)
    for bug in sizes:
        for twin in sizes:
            if twin.order == f"{bug.order}-fixed" and twin.conns == bug.conns:
                sizes[bug] = sizes[twin] = max(sizes[bug], sizes[twin])
    return sizes


def round_step(span: float, parts: int) -> float:
    """That parts the span into so many at most."""
    ticks = MaxNLocator(parts, steps=ROUND).tick_values(0, span)
    return float(ticks[1] - ticks[0])
