"""The names of a call's legs and bridge on the PBX, and what a channel that comes under our control is for.

We choose the names, so a repeated request is harmless and a name tells after a restart what the thing was for.
"""

import re

from msgspec import Struct

from changgu.acd.identity import AgentId, CallId, OfferId, QueueName

PICKED_UP = ("picked-up", "agent")
"""Context and extension of an agent's leg that is answered, in the dialplan that changgu writes: it leads to us, at
once or when we are back."""

LEG_VARIABLE = "CHANGGU_LEG"
"""The channel variable in which that dialplan finds what the leg is for (`stasis_args`)."""

_LEG = re.compile(r"offer-(?P<offer>[0-9]{1,18})-(?P<call>.+)")
_BRIDGE = "call-"
_INSTEAD = "~"
_OUTSIDE = "outside-"


class Caller(Struct, frozen=True):
    """A caller whom the dialplan sent us."""

    dialled: str


class Returned(Struct, frozen=True):
    """A caller taken back from the shadow queue, where they waited while we were away."""

    queue: QueueName


class AgentLeg(Struct, frozen=True):
    """An agent's phone, rung by us for an offer."""

    offer: OfferId
    call: CallId
    agent: AgentId


class Person(Struct, frozen=True):
    """Somebody whom we called back; the channel's id is the call's."""

    queue: QueueName
    number: str
    language: str = ""
    """In which they are spoken to; empty: in the desk's own."""


class OutsideLeg(Struct, frozen=True):
    """An outside number to which a caller is put through."""

    call: CallId


class SurveyLeg(Struct, frozen=True):
    """Somebody whom we called to ask about a ticket; no call of the ACD's."""

    ticket: str


class Stray(Struct, frozen=True):
    """A channel under our control for no purpose that we know."""


Purpose = Caller | Returned | AgentLeg | Person | OutsideLeg | SurveyLeg | Stray


def agent_leg(offer: OfferId, call: CallId) -> str:
    """The channel id of an agent's leg."""
    return f"offer-{offer}-{call}"


def bridge_of(call: CallId, instead: OfferId | None = None) -> str:
    """The id of the bridge in which a call's parties talk; of the one `instead` of a bridge whose id is spoilt."""
    return f"{_BRIDGE}{call}" if instead is None else f"{_BRIDGE}{call}{_INSTEAD}{instead}"


def call_of_bridge(bridge: str) -> CallId | None:
    """The call whose bridge this is, or None when it is none of ours."""
    call = bridge.removeprefix(_BRIDGE).partition(_INSTEAD)[0]
    return CallId(call) if bridge.startswith(_BRIDGE) and call else None


def offer_of_leg(channel: str) -> tuple[OfferId, CallId] | None:
    """The offer and call of an agent's leg by its channel id, or None when it is none."""
    found = _LEG.fullmatch(channel)
    return (OfferId(int(found["offer"])), CallId(found["call"])) if found else None


def outside_leg(call: CallId) -> str:
    """The id of the channel, and of the bridge, by which a caller speaks to an outside number."""
    return f"{_OUTSIDE}{call}"


def call_of_outside(name: str) -> CallId | None:
    """The call whose outside leg, or the bridge to it, this is; None when it is neither."""
    return CallId(name.removeprefix(_OUTSIDE)) if name.startswith(_OUTSIDE) and name != _OUTSIDE else None


def stasis_args(leg: AgentLeg | Person | OutsideLeg | SurveyLeg) -> str:
    """`appArgs` with which a leg of our own enters our application."""
    match leg:
        case AgentLeg(offer, call, agent):
            return f"agent,{offer},{call},{agent}"
        case Person(queue, number, language):
            return f"person,{queue},{number}" + (f",{language}" if language else "")
        case OutsideLeg(call):
            return f"outside,{call}"
        case SurveyLeg(ticket):
            return f"survey,{ticket}"


def purpose(args: tuple[str, ...]) -> Purpose:
    """What a channel is for, from the arguments of `Stasis(changgu,…)`."""
    match args:
        case ("inbound", dialled) if dialled:
            return Caller(dialled)
        case ("returned", queue) if queue:
            return Returned(QueueName(queue))
        case ("agent", offer, call, agent) if offer.isascii() and offer.isdecimal() and call and agent:
            return AgentLeg(OfferId(int(offer)), CallId(call), AgentId(agent))
        case ("person", queue, number, *rest) if queue and number and len(rest) <= 1:
            return Person(QueueName(queue), number, *rest)
        case ("outside", call) if call:
            return OutsideLeg(CallId(call))
        case ("survey", ticket) if ticket:
            return SurveyLeg(ticket)
        case _:
            return Stray()


def purpose_of_app_data(app: str, app_data: str) -> Purpose:
    """The same from a channel's `dialplan.app_data`, `changgu,inbound,1000`; Stray when it is another application's."""
    name, *args = app_data.split(",")
    return purpose(tuple(args)) if name == app else Stray()
