"""After a restart or a lost line: what the PBX has, what the ledger says, and what follows from the difference.

Events are not kept for us while nobody listens (limits of ARI), so the PBX's present state is read and compared.
Conversations are left alone, waiting callers keep their place, and what belongs to nobody is ended.
"""

from collections.abc import Callable, Collection, Iterable, Mapping

from msgspec import Struct, field

from changgu.acd.call_state import CallState
from changgu.acd.commands import Command, ConnectCall, PlayMusicOnHold
from changgu.acd.events import (
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
from changgu.acd.identity import CallId
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

    def without(self, gone: Collection[str]) -> "Snapshot":
        """The same, less the channels that went while it was taken."""
        return Snapshot(
            self.app, self.booted_at,
            {name: channel for name, channel in self.channels.items() if name not in gone},
            {name: members.difference(gone) for name, members in self.bridges.items()},
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
) -> Findings:
    """The difference between the open calls and the PBX. Calls with a command under way are skipped.

    `waits`: who came to our queues, by the PBX's own account.
    """
    found = Findings()
    open_by_id = {view.call: view for view in open_calls}
    for view in open_by_id.values():
        if not busy(view.call):
            _compare_call(view, snapshot, found, waits.get(view.call))
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


def _compare_call(view: CallView, snapshot: Snapshot, found: Findings, wait: Wait | None) -> None:
    channel = snapshot.channels.get(view.call)
    if not view.reached and (channel is None or snapshot.ours(channel) is None):
        _compare_attempt(view, channel, snapshot, found)
        return
    if channel is None or snapshot.ours(channel) is None:
        found.gone_callers.append(view.call)
        lost = channel is None and view.started_at < snapshot.booted_at
        if lost:
            found.events.append(CallLost(view.call))
        elif wait is not None and in_doubt(view, snapshot):
            found.events.append(CallerHungUp(view.call, wait.queue, wait.since))
        else:
            found.events.append(CallerHungUp(view.call))
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
        if view.state is CallState.OFFERED:
            found.events.append(RingFailed(leg.agent, leg.call, leg.offer, RingFailure.GONE.value))
        else:
            found.events.append(AgentHungUp(leg.agent, leg.call, leg.offer))
        return
    bridge = _bridge_for(view.call, snapshot)
    joined = bridge is not None and {view.call, name} <= snapshot.bridges[bridge]
    is_here = isinstance(snapshot.ours(channel), AgentLeg)
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
