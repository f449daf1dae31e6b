"""What the ACD itself brings about, beside the news it is told: an offer, a ring limit, the end of a wrap-up.

These are never posted by anybody. They stand in the state tables next to the events so that every
change of state, whoever caused it, has its line there.
"""


class Offered:
    """The ACD chose this agent for this call."""


class RingLimitPassed:
    """The phone rang for as long as the queue allows (RONA)."""


class WrapUpPassed:
    """The queue's wrap-up time is over."""
