"""states: the TCP states with their colours and what is said of them.

A ghost is an end whose connection has ended while its side still holds the descriptor: it is gone from the kernel's tables, or kept
there as a TIME_WAIT. Ghosts, and FIN_WAIT2 whose descriptor is open, are drawn apart: they are parts of their state.
"""

from typing import NamedTuple

SIDES = ("server", "client")


class State(NamedTuple):
    column: str  # of the CSV, or the name of the part
    name: str
    colour: str
    ink: str
    short: str = ""
    words: str = ""  # of the glossary; a part has none
    hatch: str = ""  # the colour of lines over it
    is_debt: bool = False

    @property
    def legend(self) -> str:
        return f"{self.name} ({self.short})" if self.short else self.name

    @property
    def whole(self) -> str:
        """The state that it is a part of."""
        return "gone" if self.column == "ghosts" else self.name.split(",")[0]


OWES = "#D55E00"  # the colour of CLOSE_WAIT
OWES_INK = "#A84300"  # the same, dark enough for text

# From the bottom of the stack to its top, the way that a connection lives. Colours: Okabe-Ito, four of Paul Tol, in an order in which
# no two that look alike to a colour-blind reader are neighbours. The last two are hatched the other way round, to be told apart in grey.
STATES = (
    State("listen", "LISTEN", "#117733", "white"),
    State("syn_sent", "SYN_SENT", "#999933", "black", words="asked for a connection; no answer yet"),
    State("syn_recv", "SYN_RECV", "#332288", "white", words="answered; the handshake is not complete"),
    State("established", "ESTABLISHED", "#56B4E9", "black", words="open; either side may send, either may close"),
    State("fin_wait1", "FIN_WAIT1", "#E69F00", "black", words="closed here; not acknowledged by the other kernel yet"),
    State("fin_wait2", "FIN_WAIT2", "#F0E442", "black", "waits for the other side", "closed here; the other side has not called close()"),
    State("half", "FIN_WAIT2, not closed", "#F0E442", "black", "descriptor left: no timer ends it", hatch="#8A6D00"),
    State("closing", "CLOSING", "#009E73", "black", words="both sides closed at once; the last ACK is missing"),
    State("close_wait", "CLOSE_WAIT", OWES, "black", "owes a close()",
          "the other side has closed; this side owes a close(); no timer ends it", is_debt=True),
    State("last_ack", "LAST_ACK", "#CC79A7", "black", words="closed last; not acknowledged by the other kernel yet"),
    State("time_wait", "TIME_WAIT", "#0072B2", "white", "ends by itself", "closed on both sides; kept for 60 s until late segments are dead"),
    State("kept", "TIME_WAIT, not closed", "#0072B2", "white", "descriptor left: owes a close()", hatch=OWES, is_debt=True),
    State("close", "CLOSE", "#444444", "white", words="not connected"),
    State("ghosts", "not closed", "#EEEEEE", "black", "gone, descriptor left: owes a close()", hatch=OWES, is_debt=True),
    State("gone", "gone", "#EEEEEE", "black", "no socket left", "no socket is left in the kernel's tables", hatch="#AAAAAA"),
)

BY_NAME = {state.name: state for state in STATES}
EXPLAINED = tuple(state for state in STATES if state.words)  # those of the report

Vector = tuple[int, ...]  # the count of every state in one look, as in STATES
