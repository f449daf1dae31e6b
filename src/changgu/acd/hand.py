"""What every deciding part of the engine has in its hand: the state, the pen for facts, and the agents' table.

Decisions of one event are collected in `effects` in their order. A fact is true from the moment it is noted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from changgu.acd.agent_state import LOGGED_OUT, NOT_READY, ON_A_CALL, READY, UNREACHABLE, WRAP_UP, Next
from changgu.acd.agent_state import MOVES as AGENT_MOVES
from changgu.acd.agent_words import AgentState, NotReadyReason
from changgu.acd.call_state import CONNECTING, OFFERED, STALE
from changgu.acd.call_state import MOVES as CALL_MOVES
from changgu.acd.commands import Command, Farewell, HangUpCaller
from changgu.acd.events import (
    AgentAnswered,
    AgentHungUp,
    CallEvent,
    ConnectFailed,
    ConversationMissing,
    Event,
    PartiesConnected,
    RingFailed,
)
from changgu.acd.facts import (
    AgentStateChanged,
    CallEnded,
    DesktopStateChanged,
    Ender,
    Fact,
    NewsIgnored,
    Outcome,
    PhoneStateChanged,
)
from changgu.acd.floor_state import FloorState
from changgu.acd.identity import AgentId, CallId, Instant, OfferId
from changgu.acd.records import AgentRecord, CallRecord

AVAILABLE: Final = Next.AVAILABLE
AS_WISHED: Final = Next.AS_WISHED
AFTER_A_MISS: Final = Next.AFTER_A_MISS
AFTER_THE_CALL: Final = Next.AFTER_THE_CALL
SAME: Final = Next.SAME

AttemptNews = AgentAnswered | RingFailed | PartiesConnected | ConnectFailed | AgentHungUp | ConversationMissing
CallNews = CallEvent | AttemptNews


@dataclass(frozen=True, slots=True)
class RequestRefused:
    """A person asked for what the table refuses; nothing has changed."""

    event: str
    agent: AgentId
    why_ko: str
    why_en: str


Effect = Command | Fact | RequestRefused


class Hand:
    """Notes facts, gives commands, moves agents along their table."""

    def __init__(self, state: FloorState) -> None:
        self.state = state
        self._appliers = state.appliers
        self.effects: list[Effect] = []

    def note(self, fact: Fact, now: Instant) -> None:
        """It has happened."""
        self.effects.append(fact)
        apply = self._appliers.get(type(fact))
        if apply is not None:
            apply(fact, now)

    def do(self, command: Command) -> None:
        """Please do."""
        self.effects.append(command)

    def refuse(self, event: Event, agent: AgentId, why: tuple[str, str]) -> None:
        """Tell the person why not, in Korean and English."""
        self.effects.append(RequestRefused(type(event).__name__, agent, *why))

    def refuse_caller(self, call: CallId, farewell: Farewell, reason: str, now: Instant) -> None:
        """The desk cannot take this caller: an apology and the end, counted with its reason."""
        self.note(CallEnded(call, Outcome.REFUSED, Ender.DESK, reason), now)
        self.do(HangUpCaller(call, farewell))

    # Late and repeated news

    def time_of(self, call: CallId, told: Instant | None, now: Instant) -> Instant:
        """For which time news of a call counts that tells one before now: not before what is known of it already."""
        known = self.state.calls.get(call)
        if known is None or told is None:
            return now
        entered = None if known.queued_at is None else known.entered_at
        stamps = (known.started_at, entered, known.queued_at, known.announced_at, known.answered_at, known.picked_up_at)
        agents = (self.state.agents[login].since for login in known.offers.values())
        return min(now, max(told, *(stamp for stamp in stamps if stamp is not None), *agents))

    def ignore(
        self, event: Event, why: str, now: Instant, *, call: CallId | None = None, agent: AgentId | None = None
    ) -> None:
        """It is noted that this was not believed."""
        self.note(NewsIgnored(type(event).__name__, why, call, agent), now)

    def call_may(self, event: CallNews, now: Instant) -> CallRecord | None:
        """The call, if the table lets this news move it; if not, it is noted as ignored."""
        call = self.state.calls.get(event.call)
        if call is not None and (call.state, type(event)) in CALL_MOVES:
            return call
        if call is not None:
            why = STALE[call.state, type(event)]
        else:
            why = "the call is over" if event.call in self.state.ended else "no such call"
        self.ignore(event, why, now, call=event.call, agent=getattr(event, "agent", None))
        return None

    def attempt_may(self, event: AttemptNews, now: Instant) -> CallRecord | None:
        """The call, if this news is about an offer that is open and may move it."""
        call = self.state.calls.get(event.call)
        if call is not None:
            if call.offers.get(event.offer) != event.agent:
                self.ignore(event, "the offer has ended", now, call=event.call, agent=event.agent)
                return None
            if (call.state, type(event)) in CALL_MOVES:
                return call
        return self.call_may(event, now)

    def is_wrapping_up(self, login: AgentId, call: CallId) -> bool:
        """Whether news of this agent's leg is the echo of our own hang-up."""
        agent = self.state.agents.get(login)
        return agent is not None and agent.state is WRAP_UP and agent.call == call

    # Call-backs

    def dialling(self, call: CallRecord) -> bool:
        """Whether the person who is called back is being dialled now."""
        if call.callback is None or call.reached:
            return False
        return call.state is CONNECTING or (call.state is OFFERED and call.dials_first)

    def phone_rings(self, call: CallRecord) -> bool:
        """Whether the phones of those who were offered this call ring; not while the person is dialled first."""
        return call.state is OFFERED and not self.dialling(call)

    # Agents

    def move(
        self, agent: AgentRecord, occasion: type, now: Instant,
        call: CallId | None = None, reason: NotReadyReason | None = None, spoken: bool = False,
        by: str | None = None,
    ) -> None:  # fmt: skip
        """Carries out the agent's line of the table, if the pair has one."""
        after = AGENT_MOVES.get((agent.state, occasion), SAME)
        if isinstance(after, AgentState):
            self.change(agent, after, now, reason, call, by)
            return
        if after is AFTER_THE_CALL:
            if spoken and self.state.limits.wrap_up_seconds(agent) > 0:
                self.change(agent, WRAP_UP, now, reason, call, by)
                return
            after = AFTER_A_MISS if occasion is AgentHungUp and not spoken else AS_WISHED
        if after is AVAILABLE:
            self.change(agent, READY, now, reason, call, by)
        elif after is AS_WISHED or (after is AFTER_A_MISS and agent.requested is not None):
            wished, reason = agent.requested or (READY, None)
            self.change(agent, wished, now, reason, call, by or agent.requested_by, agent.requested_why)
        elif after is AFTER_A_MISS:
            if agent.misses >= self.state.queue(agent.queue).misses_before_not_ready:
                self.change(agent, NOT_READY, now, NotReadyReason.NO_ANSWER, call, by)
            else:
                self.change(agent, READY, now, reason, call, by)

    def change(
        self, agent: AgentRecord, after: AgentState, now: Instant,
        reason: NotReadyReason | None = None, call: CallId | None = None, by: str | None = None, why: str = "",
    ) -> None:  # fmt: skip
        """The agent's next state; 대기 needs a phone, and the desktop if they had one."""
        if after is READY:
            if not agent.phone_reachable:
                after = UNREACHABLE
            elif agent.desktop is False and agent.desktop_since + _seconds(self.state.rules.desktop_grace) <= now:
                after, reason = NOT_READY, NotReadyReason.DESKTOP_GONE
        handled, talked = agent.handled, agent.talked
        if agent.state is LOGGED_OUT:
            handled, talked = 0, 0.0
        elif agent.talking_since is not None and after not in ON_A_CALL:
            handled, talked = handled + 1, talked + (now - agent.talking_since)
        self.note(
            AgentStateChanged(agent.login, agent.state, after, reason, call, by, why, handled, talked), now
        )  # fmt: skip
        if after is LOGGED_OUT and not agent.on_floor:
            self.part_with(agent, now)

    def part_with(self, agent: AgentRecord, now: Instant) -> None:
        """Someone off the list has signed out: nobody watches their phone and desktop any more."""
        if agent.desktop:
            self.note(DesktopStateChanged(agent.login, present=False), now)
        if agent.phone_reachable:
            self.note(PhoneStateChanged(agent.login, reachable=False), now)

    def open_offers(self, call: CallRecord, but: OfferId | None = None) -> list[tuple[OfferId, AgentRecord]]:
        """The offers of a call with their agents, in order; all, or all `but` one."""
        agents = self.state.agents
        return [(offer, agents[login]) for offer, login in call.offers.items() if offer != but]


def _seconds(length: timedelta) -> float:
    return length.total_seconds()
