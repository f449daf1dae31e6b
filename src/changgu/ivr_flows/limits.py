"""Every limit of the flow language in one place, with its unit and its reason."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

DEEPEST_MENU: Final = 3
"""Menus a caller may have to answer one after the other before a warning: beyond it they lose their way."""

WIDEST_MENU: Final = 5
"""Keys that a listener must keep in mind, not counting 0 (a person) and the key that repeats; then a warning."""

NODES_PER_FLOW: Final = 2000
"""Nodes of one flow; an error beyond it."""

FILE_CHARACTERS: Final = 1_000_000
"""Of one file."""

NESTING: Final = 30
"""Lists and mappings inside each other; a flow needs six."""

SUB_FLOW_DEPTH: Final = 5
"""Sub-flows inside each other."""

VALUES_KEPT: Final = 100
"""Values of one visit; further ones are not kept."""

LONGEST_VALUE: Final = 500
"""Characters of one value; longer ones are cut."""

NODES_WITHOUT_A_QUESTION: Final = 2000
"""Nodes walked in one turn before a person takes over: the checks find loops, this is for a flow nobody checked."""

HTTP_ANSWER_BYTES: Final = 65_536
"""Of a web service's answer; a longer one counts as no answer."""

SPEECH_MISSES: Final = 2
"""Answers not heard or not understood after which a question is asked by keys."""

LOOK_UP_SOURCES: Final = {
    "person": "key: telephone number → id, name, department, mail",
    "ticket_status": "key: ticket number → number, state, line, expected, today",
    "newest_ticket": "key: id of the person → number, state, line, expected, today",
    "caller_check": "key: telephone number or employee number, a space, the PIN → person, one_time (was sent)",
    "pin_reset": "key: employee number, a space, their mobile number → asked (whoever they are; a PIN is sent)",
    "choose_pin": "key: employee number, the PIN, the new PIN, spaces between → changed (yes or easy)",
    "call_me_back": "key: ticket number, telephone number, language (may be left out), spaces between → callback",
    "asset": "key: id of the person, a space, year and month of purchase (202403) → count, name, number",
    "notice": "key: queue or node of the menu or desk, a space, language (left out: the desk's) "
    "→ text, count, notice (its number)",
}
"""What `look_up` can ask, and the fields of its answer."""

LOOK_UP_LIMIT: Final = 5.0
"""Seconds that a caller waits in silence for what `look_up` asks; then it has failed."""

PIN_CHECK_LIMIT: Final = 30.0
"""The same where a PIN is checked: that is work, one is done after the other, and who keyed the right one while many
others did is not to be told that it failed."""

PIN_CHECKS: Final = frozenset({"caller_check", "choose_pin"})
"""Sources that check a PIN."""

MESSAGE_KINDS: Final = ("sms", "mail")

SCORES: Final = ("1", "2", "3", "4", "5")
"""Of a survey's question (FORM-3)."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a caller may stay in the machine before a person takes over; a flow may set its own."""

    turns: int = 60
    """Questions asked in one visit."""
    visit: timedelta = field(default=timedelta(minutes=10))
    """For the shell, which has the clock: after this it sends `PersonWanted`."""


def look_up_limit(source: str) -> float:
    """Seconds after which a look-up has failed."""
    return PIN_CHECK_LIMIT if source in PIN_CHECKS else LOOK_UP_LIMIT
