"""After a restart or a lost line: what the PBX has, what the ledger says, and what follows from the difference.

Events are not kept for us while nobody listens (limits of ARI), so the PBX's present state is read and compared.
Conversations are left alone, waiting callers keep their place, and what belongs to nobody is ended.

What happened meanwhile is told with the time at which it did, where the PBX knows it: when a caller hung up, and when
caller and agent were joined. Two are joined in a bridge made for it, by requests sent one right after the other: so a
call's bridge is as old as the conversation, and stays until we take it down, though both have gone.
"""

import math
from collections.abc import Callable, Collection, Iterable, Mapping

from msgspec import Struct, field

from changgu.acd.call_state import CallState
from changgu.acd.commands import Command, ConnectCall, PlayMusicOnHold
from changgu.acd.events import (
    TOLD_LATE,
    AgentAnswered,
    AgentHungUp,
    CallerHungUp,
    CallLost,
    DialFailed,
    Event,
    PartiesConnected,
    PersonReached,
    RingFailed,
)
from changgu.acd.facts import Ender
from changgu.acd.identity import CallId, Instant
from changgu.acd.records import CallView
from changgu.telephony.ari.messages import Channel
from changgu.telephony.hangup_cause import RingFailure
from changgu.telephony.legs import (
    AgentLeg,
    Caller,
    Person,
    Purpose,
    Returned,
    agent_leg,
    bridge_of,
    call_of_bridge,
    call_of_outside,
    offer_of_leg,
    outside_leg,
    purpose_of_app_data,
)
from changgu.telephony.own_ends import NO_ENDS, End
from changgu.telephony.own_waits import Wait

NOBODY: Mapping[CallId, Wait] = {}

CONVERSING = (CallState.CONNECTING, CallState.TALKING, CallState.HELD)


class Snapshot(Struct, frozen=True):
    """What the PBX has now."""

    app: str
    booted_at: float
    """When Asterisk was started: calls from before are lost, whatever became of them."""
    channels: Mapping[str, Channel]
    bridges: Mapping[str, frozenset[str]]
    """Bridge id → channel ids in it."""
    made_at: Mapping[str, Instant] = field(default_factory=dict)
    """Bridge id → when it was made."""

    def without(self, gone: Collection[str]) -> "Snapshot":
        """The same, less the channels that went while it was taken."""
        return Snapshot(
            self.app, self.booted_at,
            {name: channel for name, channel in self.channels.items() if name not in gone},
            {name: members.difference(gone) for name, members in self.bridges.items()},
            self.made_at,
        )  # fmt: skip

    def ours(self, channel: Channel) -> Purpose | None:
        """What a channel is for if it is under our control now, else None."""
        if channel.app != "Stasis" or channel.app_data.split(",", 1)[0] != self.app:
            return None
        return purpose_of_app_data(self.app, channel.app_data)


class LegFound(Struct, frozen=True):
    """An agent's leg that is still up."""

    leg: AgentLeg
    answered: bool
    bridge: str | None
    """The id of the call's bridge; None when there is none."""
    joined: bool
    """Caller and agent are in it."""
    is_here: bool = True
    """Under our control, or ringing; not so while it waits for us in the dialplan, picked up while we were away."""


class Findings(Struct):
    """What follows from the comparison, to be done in this order."""

    orphans: list[str] = field(default_factory=list)
    """Channels that belong to no open call: to be hung up (no orphan may outlive its call)."""
    empty_bridges: list[str] = field(default_factory=list)
    """Bridges of calls that are over, or whose agent has gone: to be deleted."""
    gone_callers: list[CallId] = field(default_factory=list)
    gone_legs: list[str] = field(default_factory=list)
    callers: list[tuple[Channel, CallView]] = field(default_factory=list)
    """Callers of open calls who are still on the line."""
    legs: list[LegFound] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    """What we missed."""
    commands: list[Command] = field(default_factory=list)
    """What may have been decided and not carried out; harmless when it was."""
    menu_again: list[tuple[Channel, CallView]] = field(default_factory=list)
    """Callers in the menu: it starts again for those whose visit was cut off."""
    newcomers: list[tuple[Channel, Caller | Returned]] = field(default_factory=list)
    """Callers of whom the ledger knows nothing."""


def compare(
    open_calls: Iterable[CallView],
    snapshot: Snapshot,
    *,
    ended: Callable[[CallId], bool] = lambda call: False,
    busy: Callable[[CallId], bool] = lambda call: False,
    waits: Mapping[CallId, Wait] = NOBODY,
    ends: Mapping[CallId, End] = NO_ENDS,
) -> Findings:
    """The difference between the open calls and the PBX. Calls with a command under way are skipped.

    `waits`: who came to our queues, `ends`: who hung up while we were away, by the PBX's own account.
    """
    found = Findings()
    open_by_id = {view.call: view for view in open_calls}
    for view in open_by_id.values():
        if not busy(view.call):
            _compare_call(view, snapshot, found, waits.get(view.call), ends.get(view.call))
    found.events.sort(key=_told_at)
    wanted_legs = {agent_leg(leg.offer, leg.call) for view in open_by_id.values() for leg in legs_of(view)}
    for channel in snapshot.channels.values():
        _compare_channel(channel, open_by_id, wanted_legs, snapshot, found, ended, busy)
    found.newcomers.sort(key=lambda newcomer: newcomer[0].created_at)  # who came first is served first
    in_use = {leg.bridge for leg in found.legs if leg.leg.call not in found.gone_callers}
    with_agent = {leg.leg.call for leg in found.legs}
    for bridge in snapshot.bridges:
        call = call_of_bridge(bridge)
        if call is None and (outside := call_of_outside(bridge)) is not None and outside not in open_by_id:
            call = outside
        if call is None or bridge in in_use or busy(call) or not _of_this_desk(call, snapshot):
            continue
        talks = call in open_by_id and open_by_id[call].state in CONVERSING and call in with_agent
        over = not talks or call in found.gone_callers
        if over or (not snapshot.bridges[bridge] and bridge != _bridge_for(call, snapshot)):
            found.empty_bridges.append(bridge)
    return found


def in_doubt(view: CallView, snapshot: Snapshot) -> bool:
    """Whether a caller is gone who was in the menu, as far as the ledger knows: they may have waited in a queue."""
    return view.state is CallState.IN_MENU and view.queued_at is None and view.call not in snapshot.channels


def legs_of(view: CallView) -> list[AgentLeg]:
    """The agents' legs that a call has now: all that ring, or the one that was picked up."""
    if view.state is CallState.OFFERED and view.ringing:
        return [AgentLeg(offer, view.call, agent) for agent, offer in view.ringing]
    if view.agent is None or view.offer is None:
        return []
    return [AgentLeg(view.offer, view.call, view.agent)]


def _told_at(event: Event) -> Instant:
    """What happened first is told first; of the rest we know only that it has happened by now."""
    return event.at if isinstance(event, TOLD_LATE) and event.at is not None else math.inf


def _compare_call(view: CallView, snapshot: Snapshot, found: Findings, wait: Wait | None, end: End | None) -> None:
    channel = snapshot.channels.get(view.call)
    if not view.reached and (channel is None or snapshot.ours(channel) is None):
        _compare_attempt(view, channel, snapshot, found)
        return
    if channel is None or snapshot.ours(channel) is None:
        found.gone_callers.append(view.call)
        lost = channel is None and view.started_at < snapshot.booted_at
        if lost and end is None:
            found.events.append(CallLost(view.call))
        elif wait is not None and in_doubt(view, snapshot):
            found.events.append(CallerHungUp(view.call, wait.queue, wait.since, None if end is None else end.at))
        else:
            _caller_gone(view, snapshot, found, end)
        return
    found.callers.append((channel, view))
    if not view.reached:
        found.events.append(PersonReached(view.call))
    match view.state:
        case CallState.IN_MENU if outside_leg(view.call) not in snapshot.channels:
            found.menu_again.append((channel, view))
        case CallState.WAITING if view.queue is not None:
            found.commands.append(PlayMusicOnHold(view.call, view.queue))
        case CallState.OFFERED if view.dials_first and not view.reached:
            return  # the agent's phone rings only now
        case CallState.OFFERED | CallState.CONNECTING | CallState.TALKING | CallState.HELD:
            _compare_legs(view, snapshot, found)
        case _:
            return


def _caller_gone(view: CallView, snapshot: Snapshot, found: Findings, end: End | None) -> None:
    leg, at = _joined(view, snapshot, end), None if end is None else end.at
    began = _joined_at(view, snapshot) or at
    if leg is not None and began is not None:
        _tell_joined(leg, view, began, found)
        at = None if at is None else max(at, began)
    by_agent = end is not None and any(leg.agent == end.after for leg in legs_of(view))
    found.events.append(CallerHungUp(view.call, at=at, by=Ender.AGENT if by_agent else Ender.CALLER))


def _joined(view: CallView, snapshot: Snapshot, end: End | None) -> AgentLeg | None:
    """With whom the PBX joined a caller, when the ledger was killed before it knew; None when nothing says so."""
    legs, bridge = legs_of(view), _bridge_for(view.call, snapshot)
    if view.state not in (CallState.OFFERED, CallState.CONNECTING) or not view.reached:
        return None
    members: frozenset[str] = frozenset() if bridge is None else snapshot.bridges[bridge]
    if view.call in snapshot.channels and view.call not in members:
        return None
    # without a bridge, the phone that went first is that of an earlier conversation of theirs
    went_first = end.after if end is not None and bridge is not None else None
    for leg in legs:
        if agent_leg(leg.offer, leg.call) in members or leg.agent == went_first:
            return leg
    gone = [leg for leg in legs if agent_leg(leg.offer, leg.call) not in snapshot.channels]
    nobody_else = members <= {view.call}  # or the ledger is behind, and it is another agent with whom they speak
    return gone[0] if bridge is not None and nobody_else and len(legs) == len(gone) == 1 else None


def _joined_at(view: CallView, snapshot: Snapshot) -> Instant | None:
    return snapshot.made_at.get(_bridge_for(view.call, snapshot) or "")


def _tell_joined(leg: AgentLeg, view: CallView, at: Instant, found: Findings) -> None:
    if view.state is CallState.OFFERED:
        found.events.append(AgentAnswered(leg.agent, leg.call, leg.offer, at))
    found.events.append(PartiesConnected(leg.agent, leg.call, leg.offer, at))


def _compare_attempt(view: CallView, channel: Channel | None, snapshot: Snapshot, found: Findings) -> None:
    """A call-back whose person is not on the line yet: nobody is missed but whom we had begun to dial."""
    if view.state is CallState.OFFERED and not view.dials_first:
        _compare_legs(view, snapshot, found)
    elif channel is None and (view.dials_first or view.state in CONVERSING):
        found.events.append(DialFailed(view.call, RingFailure.GONE.value))


def _compare_legs(view: CallView, snapshot: Snapshot, found: Findings) -> None:
    for leg in legs_of(view):
        _compare_leg(leg, view, snapshot, found)


def _compare_leg(leg: AgentLeg, view: CallView, snapshot: Snapshot, found: Findings) -> None:
    name = agent_leg(leg.offer, leg.call)
    channel = snapshot.channels.get(name)
    if channel is None:
        found.gone_legs.append(name)
        began = _joined_at(view, snapshot)
        if began is not None and _joined(view, snapshot, None) == leg:
            _tell_joined(leg, view, began, found)
            found.events.append(AgentHungUp(leg.agent, leg.call, leg.offer))
        elif view.state is CallState.OFFERED:
            found.events.append(RingFailed(leg.agent, leg.call, leg.offer, RingFailure.GONE.value))
        else:
            found.events.append(AgentHungUp(leg.agent, leg.call, leg.offer))
        return
    bridge = _bridge_for(view.call, snapshot)
    joined = bridge is not None and {view.call, name} <= snapshot.bridges[bridge]
    is_here = isinstance(snapshot.ours(channel), AgentLeg)
    began = _joined_at(view, snapshot) if joined else None
    if began is not None and _joined(view, snapshot, None) == leg:
        found.legs.append(LegFound(leg, answered=True, bridge=bridge, joined=True, is_here=is_here))
        _tell_joined(leg, view, began, found)
        return
    if view.state is CallState.OFFERED:
        answered = is_here or channel.state == "Up"
        found.legs.append(LegFound(leg, answered, bridge, joined, is_here or not answered))
        if answered:
            found.events.append(AgentAnswered(leg.agent, leg.call, leg.offer))
        return
    found.legs.append(LegFound(leg, answered=True, bridge=bridge, joined=joined, is_here=is_here))
    if not joined and view.state is not CallState.HELD and view.reached:
        found.commands.append(ConnectCall(leg.agent, leg.call, leg.offer))
    elif joined and view.state is CallState.CONNECTING:
        found.events.append(PartiesConnected(leg.agent, leg.call, leg.offer))


def _bridge_for(call: CallId, snapshot: Snapshot) -> str | None:
    """The bridge in which a call's parties are, or would be."""
    if call in snapshot.bridges.get(usual := bridge_of(call), ()):
        return usual
    names = [name for name in snapshot.bridges if call_of_bridge(name) == call]
    return max(names, key=lambda name: len(snapshot.bridges[name]), default=None)


def _compare_channel(
    channel: Channel, open_by_id: Mapping[CallId, CallView], wanted_legs: set[str], snapshot: Snapshot,
    found: Findings, ended: Callable[[CallId], bool], busy: Callable[[CallId], bool],
) -> None:  # fmt: skip
    if (leg := offer_of_leg(channel.id)) is not None:
        if channel.id not in wanted_legs and not busy(leg[1]) and _of_this_desk(leg[1], snapshot):
            found.orphans.append(channel.id)
        return
    if (outside := call_of_outside(channel.id)) is not None:
        if outside not in open_by_id and not busy(outside) and _of_this_desk(outside, snapshot):
            found.orphans.append(channel.id)
        return
    call = CallId(channel.id)
    what = snapshot.ours(channel)
    if call in open_by_id or busy(call) or not isinstance(what, Caller | Returned | Person):
        return
    if isinstance(what, Person) or ended(call):
        found.orphans.append(channel.id)
    else:
        found.newcomers.append((channel, what))


def _of_this_desk(call: CallId, snapshot: Snapshot) -> bool:
    """False when the caller is on the line of another desk on the same PBX, whose legs look like ours."""
    caller = snapshot.channels.get(call)
    return caller is None or caller.app != "Stasis" or caller.app_data.split(",", 1)[0] == snapshot.app
