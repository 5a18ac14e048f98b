"""real_tables.py PROGRAM ...: holds what the program has written against its own tables, of which the manual is made.

  csv TABLE FILE             the header of a CSV: the same columns, in their order; of one order an audit's has none for it
  metrics TABLE,... FILE...  pages for a monitor, OpenMetrics: the same families, types and labels
  json EVENT,... FILE...     lines of JSON: of these events, the same members; one that is not in every line may be missing

It says what differs, and exits with 1.
"""
import functools
import json
import re
import subprocess
import sys

ENDINGS = {"counter": "_total", "info": "_info"}
OBJECTS = {"look: a row": ("look", ("rows", "ports", "programs", "services")), "explanation: a finding": ("explanation", ("findings",))}
ROW = re.compile(r"^- ((?:`\w+`(?:, )?)+): (.*)$", re.M)
# Members whose objects have names that are no words of the format: of states, settings, counters, classes, kinds.
NAMED_BY_DATA = {"sysctls", "counters_moved", "observed", "states", "sockets", "classes", "groups", "held", "before", "after"}


def table(program, name):
    return subprocess.run([program, "tables", name], check=True, capture_output=True, text=True).stdout


def compare(what, told, seen, optional=()):
    """The lines of differences between the names in a table and those of an output."""
    lines = [f"{what}: {name} is written, and in no table" for name in seen if name not in told]
    return lines + [f"{what}: {name} is in the table, and not written" for name in told if name not in seen and name not in optional]


def csv(program, name, path):
    rows = [line.split("|")[1] for line in table(program, name).splitlines() if line.startswith("| `")]
    told = [column for row in rows for column in re.findall("`(.*?)`", row)]
    with open(path) as file:
        seen = file.readline().rstrip("\n").split(",")
    told = told[1:] if name == "csv-audit" and "order" not in seen else told
    lines = compare(name, told, seen)
    return lines if lines or told == seen else [f"{name}: the columns are in another order"]


def families_of(page):
    """Of each family on a page its type, and the labels of its samples."""
    types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", page, re.M))
    labels = {name: set() for name in types}
    for name, text in re.findall(r"^([a-z_]+)(?:\{(.*)\})? [-+0-9NI]", page, re.M):
        family = max((family for family in types if name.startswith(family)), key=len)
        labels[family] |= set(re.findall(r'([a-z]+)="', text)) - {"le"}
    return {name + ENDINGS.get(kind, ""): (kind, labels[name]) for name, kind in types.items()}


def metrics(program, names, *paths):
    told, seen = {}, {}
    for name in names.split(","):
        for family, labels, kind in re.findall(r"^- `([a-z_]+)(?:\{(.*?)\})?`: (\w+)\.", table(program, name), re.M):
            told[family] = (kind, set(labels.split(",")) - {""})
    for path in paths:
        with open(path) as file:
            for family, (kind, labels) in families_of(file.read()).items():
                seen[family] = (kind, labels | seen.get(family, (kind, set()))[1])
    lines = compare(names, told, seen)
    return lines + [f"{family} is told as {told[family]}, and written as {seen[family]}"
                    for family in told if family in seen and told[family] != seen[family]]


def names_within(value):
    """Of the members of all objects in it."""
    if isinstance(value, list):
        return {name for each in value for name in names_within(each)}
    if not isinstance(value, dict):
        return set()
    return set(value).union(*(names_within(each) for name, each in value.items() if name not in NAMED_BY_DATA))


def unknown_within(program, event, line):
    """The lines of what is written in an object of a member, and not told of that member."""
    texts = texts_of(program)
    objects = " ".join(f"`{name}` {text}" for title, told in texts.items() if " " in title for name, text in told.items())
    return {f"{event}: {member} has {name}, which is not told of it" for member, value in line.items()
            if member in texts[event] and member not in NAMED_BY_DATA
            for name in names_within(value) if f"`{name}`" not in texts[event][member] + objects}


@functools.cache
def texts_of(program):
    """Of each event, or object in one, the text of each member; the same as of another event is that event's."""
    texts = {}
    for section in table(program, "json").split("## ")[1:]:
        title, body = section.split("\n", 1)
        texts[title] = {name: text for names, text in ROW.findall(body) for name in re.findall(r"`(\w+)`", names)}
    return texts


def sections(program):
    """Of each event, or object in one, its members, and those that need not be there."""
    for section in table(program, "json").split("## ")[1:]:
        title, body = section.split("\n", 1)
        members, optional = [], set()
        for names, text in ROW.findall(body):
            found = re.findall(r"`(\w+)`", names)
            members += found
            optional |= set(found) if re.search(r"\. Only [^.]*\.$", text) or text == "the same as the columns of the CSV." else set()
        yield title, members, optional


def json_lines(program, expected, *paths):
    seen, within = {}, set()
    for path in paths:
        with open(path) as file:
            for line in map(json.loads, file):
                seen.setdefault(line["event"], set()).update(line)
                within |= unknown_within(program, line["event"], line)
                for title, (event, keys) in OBJECTS.items():
                    for row in [row for key in keys if line["event"] == event for row in line.get(key, ())]:
                        seen.setdefault(title, set()).update(row)
    lines = compare("events", expected.split(","), [event for event in seen if event not in OBJECTS])
    for title, members, optional in sections(program):
        if title in seen:
            lines += compare(title, members, seen[title] - {"event"}, optional)
    return lines + sorted(within)


def main(program, what, *rest):
    lines = {"csv": csv, "metrics": metrics, "json": json_lines}[what](program, *rest)
    print("\n".join(lines))
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
