"""proxy: the result of "tcpstorm audit --through --json": how the client ends by how the backend ends, and the verdict."""

import json

from command import BAD_INPUT, Failure

MANNERS = {"close": "closes", "half_close": "half-closes", "abort": "aborts (RST)", "stays": "stays open"}
HEARD = {"fin": "FIN", "rst": "RST", "nothing": "nothing"}
FAULTS = {
    "held_front": "holds {} from clients", "held_back": "holds {} to the backend", "one_sided": "keeps {} whose other end has gone",
    "lost": "loses data on {}",
}
OUTCOME_CLASS = {"lets_go": "good", "leaks": "bad", "loses_data": "bad", "proxy_ended": "bad"}


def read_audit(text: str, name: str) -> dict:
    """For the template: the event, and its cells in words as `rows`."""
    try:
        audit = json.loads(text)
        cells = {(cell["client"], cell["backend"]): (facts_of(cell), faults_of(cell)) for cell in audit["cells"]}
        return audit | {"rows": [(words, [cells[client, backend] for backend in MANNERS]) for client, words in MANNERS.items()], "manners": MANNERS,
                        "lines": [line for line in audit["verdict"].split("\n") if line],
                        "outcome_class": OUTCOME_CLASS.get(audit["outcome"], "open"), "outcome_words": audit["outcome"].replace("_", " ")}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Failure(BAD_INPUT, f"{name} is not the whole result of an audit of a proxy, which tcpstorm audit --through --json writes.") from None


def faults_of(cell: dict) -> list[str]:
    return [words.format(cell[fault]) for fault, words in FAULTS.items() if cell[fault] > 0]


def heard_words(heard: dict) -> str:
    """What all of a cell have heard, or how many what."""
    counts = {HEARD[what]: count for what, count in heard.items() if what in HEARD and count > 0}
    return next(iter(counts)) if len(counts) == 1 else ", ".join(f"{words} ({count})" for words, count in counts.items())


def facts_of(cell: dict) -> list[str]:
    passed, client, backend = cell["passed"], cell["client"], cell["backend"]
    if passed == 0:
        return ["did not come"]
    facts = []
    if client != "stays":
        facts.append(f"the backend hears {heard_words(cell['backend_heard'])}")
    if backend != "stays" and client in ("stays", "half_close"):
        facts.append(f"the client hears {heard_words(cell['client_heard'])}")
    if client == "half_close" and backend != "abort":
        facts.append(reply_words(cell))
    if passed < cell["conns"]:
        facts.append(f"{passed} of {cell['conns']} came")
    return facts


def reply_words(cell: dict) -> str:
    if "replied" in cell:
        return {cell["passed"]: "whole reply", 0: "no reply"}.get(cell["replied"], f"{cell['replied']} replies")
    words = {cell["passed"]: "the other direction stays usable", 0: "the other direction is closed"}
    return words.get(cell["answered"], f"the other direction is usable on {cell['answered']}")
