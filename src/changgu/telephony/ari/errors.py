"""How a request to Asterisk can go wrong.

AriTrouble
├── AriAway            not connected, or the line dropped before the reply: the effect is unknown
├── AriLate            no reply within the deadline: the effect is unknown
└── AriRefused         Asterisk answered and said no; carries `status`
    ├── AriNotFound    404, the channel, bridge or playback is gone
    ├── AriConflict    409, not in a state that allows this, or the id exists already
    ├── AriNotOurs     422, the channel is not in our Stasis application
    └── AriBroken      5xx, Asterisk failed at it (an unreachable phone is a 500 of originate)
"""


class AriTrouble(Exception):
    """A request that did not succeed."""


class AriAway(AriTrouble):
    """Asterisk is not connected, or left before it replied."""


class AriLate(AriTrouble):
    """No reply within the deadline."""


class AriRefused(AriTrouble):
    """Asterisk replied with an error status."""

    def __init__(self, status: int, reason: str, request: str) -> None:
        super().__init__(f"{request}: {status} {reason}")
        self.status = status
        self.reason = reason


class AriNotFound(AriRefused):
    """404."""


class AriConflict(AriRefused):
    """409."""


class AriNotOurs(AriRefused):
    """422."""


class AriBroken(AriRefused):
    """500 and above."""


def refusal(status: int, reason: str, request: str) -> AriRefused:
    """The exception for an error status."""
    kinds = {404: AriNotFound, 409: AriConflict, 422: AriNotOurs}
    kind = AriBroken if status >= 500 else kinds.get(status, AriRefused)
    return kind(status, reason, request)
