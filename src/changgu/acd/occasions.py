"""What the ACD itself brings about, beside the news it is told: an offer, a limit that passes, a caller sent elsewhere.

These are never posted by anybody. They stand in the state tables next to the events so that every
change of state, whoever caused it, has its line there.
"""


class Offered:
    """The ACD chose this agent for this call."""


class RingLimitPassed:
    """The phone rang for as long as the queue allows (RONA)."""


class WrapUpPassed:
    """The wrap-up time is over."""


class OfferWithdrawn:
    """The offer ended through no doing of the agent: another agent answered, or the caller went another way."""


class ConnectLimitPassed:
    """Caller and agent could not be joined in time."""


class DesktopGraceOver:
    """The agent's desktop has been gone for longer than the floor allows."""


class LeftTheQueue:
    """A key or a rule of the queue sent the caller another way."""
