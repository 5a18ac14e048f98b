"""ladder: the layout of an order as a ladder diagram, in the manner of RFC 9293, section 3.5: two lifelines, the client's on the left and the
server's on the right; the calls beside them, the segments between them as arrows, and the state of each end after every step."""

from states import BY_NAME

WIDTH = 400
LEFT, RIGHT = 22, 378
TOP = 40
CALL_HEIGHT = 48
SEGMENT_HEIGHT = 34
STATES_HEIGHT = 58


def ladder_of(steps: list[dict]) -> dict:
    """Each step with its place from the top: y, where the calls are; y_states, where the states are; y_life, until when they last."""
    y, placed = TOP, []
    for step in steps:
        y_states = y + CALL_HEIGHT + SEGMENT_HEIGHT * max(1, len(step["segments"]))
        arrows = [arrow_of(segment, y + CALL_HEIGHT + 10 + SEGMENT_HEIGHT * i) for i, segment in enumerate(step["segments"])]
        placed.append(step | {"y": y, "y_states": y_states, "y_life": y_states + STATES_HEIGHT, "arrows": arrows, "words": words_of(step)})
        y = y_states + STATES_HEIGHT
    for step, following in zip(placed, placed[1:]):
        step["y_life"] = following["y_states"]
    return {"width": WIDTH, "height": y + 8, "left": LEFT, "right": RIGHT, "steps": placed}


def arrow_of(segment: dict, y: int) -> dict:
    start, to, way = (LEFT + 12, RIGHT - 14, 1) if segment["from"] == "client" else (RIGHT - 12, LEFT + 14, -1)
    return {"flags": segment["flags"], "start": start, "to": to, "way": way, "y": y}


def words_of(step: dict) -> str:
    """The same in words, for those who do not see the picture."""
    calls = [f"the {side} calls {step[f'{side}_call']}" for side in ("client", "server") if step[f"{side}_call"]]
    sent = [f"{segment['from']} sends {segment['flags']}" for segment in step["segments"]]
    return (f"{step['step']}: {', '.join(calls) or 'nobody calls anything'}; {', '.join(sent) or 'nothing is sent'};"
            f" then the client is {step['client']} and the server {step['server']}.")


def state_class(name: str) -> str:
    """Of the first one where there may be two ("TIME_WAIT or gone")."""
    state = BY_NAME.get(name.split(" or ")[0])
    return f"s-{state.column if state and state.words else 'other'}"


def state_short(name: str) -> str:
    return BY_NAME[name].short if name in BY_NAME else ""
