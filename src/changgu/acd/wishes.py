"""What follows from what agents and supervisors want, and from the coming and going of phones and desktops."""

from __future__ import annotations

from changgu.acd import agent_state
from changgu.acd.agent_state import (
    CHOSEN_REASONS,
    LOGGED_OUT,
    NOT_READY,
    READY,
    RESERVED,
    UNREACHABLE,
    WRAP_UP,
    Next,
    NotReadyReason,
)
from changgu.acd.agent_words import AgentState
from changgu.acd.events import (
    AgentForced,
    AgentNotReady,
    AgentReady,
    AgentSignedIn,
    AgentSignedOut,
    DesktopGone,
    DesktopSeen,
    MoreWrapUpWanted,
    PhoneReachable,
    PhoneUnreachable,
)
from changgu.acd.facts import (
    DesktopStateChanged,
    NextStateRequested,
    PhoneStateChanged,
    ReasonLimitPassed,
    StateRepaired,
    WrapUpExtended,
)
from changgu.acd.hand import Hand
from changgu.acd.identity import Instant
from changgu.acd.occasions import DesktopGraceOver, WrapUpPassed
from changgu.acd.offers import Offers
from changgu.acd.records import AgentRecord

NO_SUCH_AGENT = ("등록되지 않은 요원입니다.", "There is no such agent.")
NOT_A_REASON = (
    "이 사유는 시스템만 기록합니다. 다른 사유를 고르십시오.",
    "Only the system records this reason. Choose another.",
)
NOT_FORCED = (
    "대기, 이석(사유와 함께), 로그아웃으로만 바꿀 수 있습니다.",
    "An agent can be put into ready, not ready (with a reason) or signed out, nothing else.",
)
TOO_LONG = (
    "후처리를 더 늘릴 수 없습니다.",
    "The wrap-up cannot be made longer than the floor allows.",
)

Wish = AgentSignedIn | AgentSignedOut | AgentReady | AgentNotReady


class Wishes:
    """Decides what follows from people's wishes and from phones and desktops."""

    def __init__(self, hand: Hand, offers: Offers) -> None:
        self._hand = hand
        self._state = hand.state
        self._offers = offers

    def wish(self, event: Wish, now: Instant) -> None:
        """An agent, or somebody for them, wants another state."""
        hand, kind = self._hand, type(event)
        agent = self._state.agents.get(event.agent)
        reason = event.reason if isinstance(event, AgentNotReady) else None
        by = None if isinstance(event, AgentSignedIn) else event.by
        if agent is None or not (agent.on_floor or kind is AgentSignedOut):
            hand.refuse(event, event.agent, NO_SUCH_AGENT)
        elif reason is not None and reason not in CHOSEN_REASONS:
            hand.refuse(event, event.agent, NOT_A_REASON)
        elif refused := agent_state.REFUSED.get((agent.state, kind)):
            hand.refuse(event, event.agent, refused)
        elif stale := agent_state.STALE.get((agent.state, kind)):
            if agent.on_floor:
                hand.ignore(event, stale, now, agent=event.agent)
        elif agent_state.MOVES[agent.state, kind] is Next.REQUESTED:
            wanted = {AgentSignedOut: LOGGED_OUT, AgentReady: READY, AgentNotReady: NOT_READY}[kind]
            self._request(agent, wanted, reason, now, by)
        elif agent.state is NOT_READY and reason is agent.reason:
            hand.ignore(event, "already away for this reason", now, agent=event.agent)
        else:
            reason = NotReadyReason.SIGNED_IN if kind is AgentSignedIn else reason
            hand.move(agent, kind, now, call=agent.call, reason=reason, by=by)

    def _request(
        self, agent: AgentRecord, wanted: AgentState, reason: NotReadyReason | None, now: Instant,
        by: str | None, why: str = "",
    ) -> None:  # fmt: skip
        """The latest wish counts; who repeats one and is nobody else takes nothing away from whoever asked for it."""
        known = agent.requested == (wanted, reason)
        if not known or (by is not None and (by, why) != (agent.requested_by, agent.requested_why)):
            self._hand.note(NextStateRequested(agent.login, wanted, reason, by, why), now)

    def forced(self, event: AgentForced, now: Instant) -> None:
        """A supervisor's word is carried out at once, save in a conversation."""
        hand = self._hand
        agent = self._state.agents.get(event.agent)
        if agent is None or not agent.on_floor:
            hand.refuse(event, event.agent, NO_SUCH_AGENT)
        elif event.state not in (READY, NOT_READY, LOGGED_OUT) or (event.reason is None) == (event.state is NOT_READY):
            hand.refuse(event, event.agent, NOT_FORCED)
        elif event.reason is not None and event.reason not in CHOSEN_REASONS:
            hand.refuse(event, event.agent, NOT_A_REASON)
        elif agent_state.MOVES[agent.state, AgentForced] is Next.REQUESTED:
            self._request(agent, event.state, event.reason, now, event.by, event.why)
        elif (agent.state, agent.reason) == (event.state, event.reason) or (
            agent.state is UNREACHABLE and event.state is READY and not agent.phone_reachable
        ):
            hand.ignore(event, "is so already", now, agent=event.agent)
        else:
            about = agent.call
            if agent.state is RESERVED:
                self._offers.withdraw(agent, now)
            hand.change(agent, event.state, now, reason=event.reason, call=about, by=event.by, why=event.why)

    def more_wrap_up(self, event: MoreWrapUpWanted, now: Instant) -> None:
        """The agent needs longer to write the call up."""
        hand = self._hand
        agent = self._state.agents.get(event.agent)
        if agent is None or not agent.on_floor:
            hand.refuse(event, event.agent, NO_SUCH_AGENT)
        elif refused := agent_state.REFUSED.get((agent.state, MoreWrapUpWanted)):
            hand.refuse(event, event.agent, refused)
        else:
            ordinary = agent.since + self._state.limits.wrap_up_seconds(agent)
            until = (ordinary if agent.wrap_up_until is None else agent.wrap_up_until) + event.length.total_seconds()
            longest = self._state.rules.longest_extension.total_seconds()
            if event.length.total_seconds() <= 0 or until > ordinary + longest:
                hand.refuse(event, event.agent, TOO_LONG)
            else:
                hand.note(WrapUpExtended(agent.login, until), now)

    def phone(self, event: PhoneReachable | PhoneUnreachable, now: Instant) -> None:
        """The agent's phone came or went."""
        agent = self._state.agents.get(event.agent)
        reachable = isinstance(event, PhoneReachable)
        if agent is None:
            self._hand.ignore(event, "no such agent", now, agent=event.agent)
        elif agent.phone_reachable != reachable:
            if isinstance(event, PhoneUnreachable) and event.unheard and agent.state is READY:
                self._hand.note(StateRepaired("ready_without_a_phone", agent.login), now)
            self._hand.note(PhoneStateChanged(agent.login, reachable), now)
            if agent.state is RESERVED and not reachable:
                self._offers.phone_went_away(agent, now)
            else:
                self._hand.move(agent, type(event), now)

    def desktop(self, event: DesktopSeen | DesktopGone, now: Instant) -> None:
        """The agent's desktop came or went; only those who had one can miss it."""
        agent = self._state.agents.get(event.agent)
        present = isinstance(event, DesktopSeen)
        if agent is None:
            self._hand.ignore(event, "no such agent", now, agent=event.agent)
        elif agent.desktop is None and not present:
            self._hand.ignore(event, "never had a desktop", now, agent=event.agent)
        elif agent.desktop is not present:
            self._hand.note(DesktopStateChanged(agent.login, present), now)

    def limit_passed(self, agent: AgentRecord, now: Instant) -> None:
        """The present state has lasted for as long as it may."""
        state = agent.state
        if state is WRAP_UP:
            self._hand.move(agent, WrapUpPassed, now, agent.call)
        elif state is RESERVED:
            self._offers.ring_limit_passed(agent, now)
        elif state is READY:
            self._hand.move(agent, DesktopGraceOver, now, reason=NotReadyReason.DESKTOP_GONE)
        elif state is NOT_READY and agent.reason is not None:
            self._hand.note(ReasonLimitPassed(agent.login, agent.reason), now)
