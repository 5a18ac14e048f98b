"""events: reads the JSON Lines of tcpstorm --json. Two runs may take turns in one file: an event belongs to the latest start of its
order. The last line may be cut in the middle."""

import json
import re
from dataclasses import dataclass, field
from typing import Optional

from command import BAD_INPUT, Failure
from rows import COLUMNS, LATER, Rows
from run import Run

NO_NAME = re.compile(r"[,\x00-\x1f\x7f]")  # in a row there is no place for these


@dataclass
class Told:
    """What a file tells of one run."""

    source: str
    format: str
    run: Optional[Run] = None  # when all of the file is read
    start: dict = field(default_factory=dict)
    end: dict = field(default_factory=dict)
    steps: dict[str, dict] = field(default_factory=dict)  # the last step event of each step
    transitions: Optional[dict] = None
    samples: list[dict] = field(default_factory=list)


def read_events(text: str, name: str) -> list[Told]:
    told: list[Told] = []
    by_order: dict[str, Told] = {}
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    for number, line in lines:
        try:
            take(json_of(line), told, by_order, name, number)
        except ValueError as error:
            # One that was cut is the last.
            if number != lines[-1][0] or not told:
                raise Failure(BAD_INPUT, f"{name}, line {number}: {error}") from None
    if not told:
        raise Failure(BAD_INPUT, f"{name}: the file is empty, so there is nothing to report.")
    for one in told:
        one.run = run_of(one)
    return told


def json_of(line: str) -> dict:
    try:
        event = json.loads(line)
    except ValueError:
        event = None
    if not isinstance(event, dict):
        raise ValueError("it is not a JSON object.")
    if not isinstance(event.get("event"), str):
        raise ValueError('the object has no field "event", so tcpstorm --json did not write it.')
    if not isinstance(event.get("order"), str):
        raise ValueError(f'the {event["event"]} event has no field "order".')
    return event


def take(event: dict, told: list[Told], by_order: dict[str, Told], name: str, number: int) -> None:
    kind, order = event["event"], event["order"]
    if kind == "start":
        options = event.get("options")
        if not isinstance(options, dict) or not isinstance(options.get("conns"), (int, float)):
            raise ValueError('the start event has no number "conns" in its "options".')
        by_order[order] = Told(name, "json", start=event)
        told.append(by_order[order])
    elif order not in by_order:
        raise ValueError(f'the {kind} event of "{order}" comes before its start.')
    elif kind == "sample":
        by_order[order].samples.append(event | {"line": number})
    elif kind == "step":
        by_order[order].steps[event.get("step", "")] = event
    elif kind in ("end", "transitions"):
        setattr(by_order[order], kind, event)


def run_of(told: Told) -> Run:
    """Each sample is as a row of --csv; what a side does not have is 0."""
    columns = COLUMNS + [column for column in [*LATER, "host"] if any(column in sample for sample in told.samples)]
    rows = Rows(columns, told.source, any_name=True)
    for sample in told.samples:
        fields = [clean(sample.get(column, 0)) for column in columns]
        if not rows.add(",".join(fields), sample["line"]):
            raise Failure(BAD_INPUT, f"{told.source}, line {sample['line']}: {rows.fault(fields)}")
    return Run(clean(told.start["order"]), int(told.start["options"]["conns"]), rows.table())


def clean(value: object) -> str:
    return NO_NAME.sub("_", value) if isinstance(value, str) else "0" if value is None else str(value)
