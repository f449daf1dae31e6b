"""Why a phone could not be rung, in a few words, from the numbers of Q.850 and SIP.

Asterisk translates SIP answers into Q.850 causes (RFC 3398, `hangup_sip2cause` of chan_pjsip); some answers share a
cause, so SIP's own number decides where the PBX tells it.
"""

from enum import StrEnum

from changgu.telephony.ari.errors import AriConflict, AriNotFound, AriNotOurs, AriTrouble


class RingFailure(StrEnum):
    """Why an offer did not reach an agent."""

    BUSY = "busy"
    DECLINED = "declined"
    """The phone said no: reject key, do not disturb."""
    UNREACHABLE = "unreachable"
    """Not registered, or silent."""
    CONGESTION = "congestion"
    """The network or the PBX had no room."""
    ERROR = "error"
    GONE = "gone"
    """The attempt vanished, for instance while we were away."""
    NO_ANSWER = "no_answer"
    """It rang, and nobody picked up; of people outside, not of agents, whose ring limit the ACD keeps itself."""


_BY_CAUSE = {
    **dict.fromkeys((17,), RingFailure.BUSY),
    **dict.fromkeys((19, 21, 23, 29, 55, 57, 87), RingFailure.DECLINED),
    **dict.fromkeys((1, 2, 3, 18, 20, 22, 27, 28), RingFailure.UNREACHABLE),
    **dict.fromkeys((34, 38, 41, 42, 44, 47), RingFailure.CONGESTION),
    **dict.fromkeys((16, 26, 31), RingFailure.GONE),
}

_BY_SIP = {
    408: RingFailure.UNREACHABLE,
    410: RingFailure.UNREACHABLE,
    430: RingFailure.UNREACHABLE,
    480: RingFailure.DECLINED,
    486: RingFailure.BUSY,
    487: RingFailure.GONE,
    503: RingFailure.CONGESTION,
    600: RingFailure.BUSY,
    603: RingFailure.DECLINED,
    604: RingFailure.UNREACHABLE,
}


def ring_failure(cause: int, sip: int | None = None) -> RingFailure:
    """The word for a Q.850 cause, or for the SIP status when it is known and says more."""
    if sip in _BY_SIP:
        return _BY_SIP[sip]
    return _BY_CAUSE.get(cause, RingFailure.ERROR)


def dial_failure(cause: int, sip: int | None = None, *, rang_out: bool = False) -> RingFailure:
    """The same for a person outside; `rang_out`: the time for it was up."""
    if rang_out or (sip is None and cause in _RANG) or sip in _RANG_SIP:
        return RingFailure.NO_ANSWER
    return RingFailure.UNREACHABLE if sip == 480 else ring_failure(cause, sip)


_RANG = (18, 19)
"""Q.850: no user responding, no answer."""
_RANG_SIP = (408, 487)


def join_failure(trouble: Exception) -> RingFailure:
    """Why caller and agent could not be joined."""
    match trouble:
        case AriNotFound() | AriNotOurs() | AriConflict():
            return RingFailure.GONE
        case AriTrouble():
            return RingFailure.CONGESTION
        case _:
            return RingFailure.ERROR
