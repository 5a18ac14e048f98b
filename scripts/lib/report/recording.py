"""recording: what "tcpstorm watch --record" wrote: by port what came, ended and stays, when descriptors run out, and what to do."""

import json
from collections import defaultdict

from command import BAD_INPUT, Failure
from words import grouped, several

FORMAT = 1
MOST_PORTS = 6  # that have a picture; tables have all


class Port:
    """One side of a port."""

    def __init__(self, side: str, port: int):
        self.side, self.port, self.command = side, port, ""
        self.series: dict[str, list[float]] = defaultdict(list)  # of each look
        self.came = self.gone = 0
        self.row: dict = {}  # of the last look

    def take(self, t: float, over: float, told: dict) -> None:
        self.command = told.get("command") or self.command
        row = {"t": t, "rate": told["came"] / over, "ended": told["ended"] / over}
        for name, value in (row | {name: told[name] for name in ("established", "close_wait", "ghosts")}).items():
            self.series[name].append(value)
        self.came += told["came"]
        self.gone += told["ended"]

    def title(self) -> str:
        return f"{'server' if self.side == 'server' else 'clients of'} :{self.port}{' ' + self.command if self.command else ''}"

    def growth(self) -> float:
        return sum(self.series[name][-1] - self.series[name][0] for name in ("close_wait", "ghosts"))

    def cells(self) -> list[str]:
        return [self.title(), *map(grouped, (self.came, self.gone, *(self.series[name][-1] for name in ("established", "close_wait", "ghosts"))))]

    def groups(self) -> list[tuple[str, str, str]]:
        return [(name.replace("_", " "), grouped(group["count"]), growth_words(group))
                for name, group in self.row.get("groups", {}).items() if group.get("count")]

    def forecast(self) -> str:
        """No slope whose interval has zero in it tells of a time."""
        owed = self.row.get("groups", {}).get("owed", {})
        low, high = owed.get("low_per_s", 0), owed.get("high_per_s", 0)
        left = self.row.get("descriptors_most", 0) - self.row.get("descriptors", 0)
        if owed.get("trend") != "leak" or low <= 0 or "descriptors" not in self.row or left <= 0:
            return ""
        return (f"{self.title()}: {grouped(left)} of {grouped(self.row['descriptors_most'])} descriptors were left at the end of the recording. "
                f"At its rate they last {span_words(left / high)} to {span_words(left / low)} more; then accept() fails, and clients wait in "
                "the accept queue.")


class Recording:
    def __init__(self, events: list[dict]):
        flows = [event for event in events[1:] if event["event"] == "flow"]
        last = {event["event"]: event for event in events[1:]}
        ports: dict[tuple[str, int], Port] = {}
        for flow in flows:
            for told in flow["ports"]:
                key = told["side"], told["port"]
                ports.setdefault(key, Port(*key)).take(flow["t_s"], flow["over_s"] or 1, told)
        for row in last.get("look", {}).get("ports", ()):
            if (row["side"], row.get("port")) in ports:
                ports[row["side"], row["port"]].row = row
        self.ports = sorted(ports.values(), key=lambda port: (-port.growth(), port.side != "server", -port.came))
        self.rows = [port.cells() for port in self.ports]
        self.pictured = self.ports[:MOST_PORTS]
        self.title = f"recording of {events[0].get('began', '')}"
        self.findings = last.get("explanation", {}).get("findings", [])
        came = sum(port.came for port in self.ports if port.side == "server")
        span = flows[-1]["t_s"] if flows else 0
        self.summary = f"{several(came, 'connection')} came to servers in {span_words(span)}; {several(len(flows), 'look')} were kept."


def growth_words(group: dict) -> str:
    if group.get("trend") != "leak":
        return group.get("trend", "")
    return f"+{group['slope_per_s']:.2f}/s ({group.get('low_per_s', 0):.2f} to {group.get('high_per_s', 0):.2f})"


def span_words(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


def event_of(line: str, place: str) -> dict:
    try:
        event = json.loads(line)
        event["event"]
        return event
    except (ValueError, KeyError, TypeError):
        raise Failure(BAD_INPUT, f"{place}: it is no line of a recording, which tcpstorm watch --record writes.") from None


def read_recording(text: str, name: str) -> Recording:
    events = [event_of(line, f"{name}, line {number}") for number, line in enumerate(text.split("\n"), 1) if line]
    if events[0].get("format") != FORMAT:
        raise Failure(BAD_INPUT, f"{name}: the recording has format {events[0].get('format')}, and this page is made of format {FORMAT}.")
    try:
        recording = Recording(events)
    except (KeyError, TypeError, AttributeError) as error:
        raise Failure(BAD_INPUT, f"{name}: a line of the recording is not as tcpstorm watch --record writes it ({error}).") from None
    if not recording.ports:
        raise Failure(BAD_INPUT, f"{name}: no socket is in the recording, so there is nothing to report.")
    return recording
