"""What becomes of an offer: picked up, let ring, declined, joined, hung up, or never heard of again."""

from __future__ import annotations

from typing import Final

from changgu.acd.call_state import CONNECTING, OFFERED, SPOKEN
from changgu.acd.callback_desk import CallbackDesk
from changgu.acd.commands import (
    ConnectCall,
    DialPerson,
    Farewell,
    HangUpAgent,
    HangUpCaller,
    PlayMusicOnHold,
    RingAgent,
    StopRinging,
)
from changgu.acd.events import (
    AgentAnswered,
    AgentHungUp,
    CallHeld,
    CallResumed,
    ConnectFailed,
    ConversationMissing,
    DialFailed,
    PartiesConnected,
    PersonReached,
    RingFailed,
)
from changgu.acd.facts import (
    CallAnswered,
    CallbackClosed,
    CallbackEnd,
    CallConnected,
    CallEnded,
    Ender,
    HoldEnded,
    HoldStarted,
    OfferEnd,
    OfferEnded,
    Outcome,
    PersonAnswered,
    StateRepaired,
)
from changgu.acd.hand import Hand
from changgu.acd.identity import Instant, OfferId, QueueName
from changgu.acd.occasions import ConnectLimitPassed, OfferWithdrawn, RingLimitPassed
from changgu.acd.records import AgentRecord, CallRecord

ANSWERED: Final = Outcome.ANSWERED
BY_AGENT: Final = Ender.AGENT
NOTHING_TO_SAY: Final = Farewell.NONE

_NOBODY_DIALLED = "nobody is being dialled"
_NOT_RUNG = "no phone rings before the person has picked up"


class Offers:
    """Decides what follows from news of agents' legs and of people who are dialled."""

    def __init__(self, hand: Hand, callbacks: CallbackDesk) -> None:
        self._hand = hand
        self._state = hand.state
        self._callbacks = callbacks

    def answered(self, event: AgentAnswered, now: Instant) -> None:
        """The first who picks up wins; to all others the call was never there."""
        hand = self._hand
        call = self._state.calls.get(event.call)
        if call is None or call.offers.get(event.offer) != event.agent:
            if not hand.is_wrapping_up(event.agent, event.call):
                hand.do(HangUpAgent(event.agent, event.call, event.offer))
            hand.ignore(event, "the offer has ended", now, call=event.call, agent=event.agent)
            return
        if hand.call_may(event, now) is None:
            return
        if not call.reached:
            if hand.dialling(call):
                hand.ignore(event, _NOT_RUNG, now, call=call.call, agent=event.agent)
                return
            if self._callbacks.too_late(call, now):
                self._too_late(call, now)
                return
        others = hand.open_offers(call, event.offer) if len(call.offers) > 1 else []
        for offer, agent in others:
            hand.note(OfferEnded(call.call, agent.login, offer, OfferEnd.ANSWERED_ELSEWHERE), now)
        name = call.queue or QueueName("")
        hand.note(CallAnswered(call.call, event.agent, event.offer, name), now)
        hand.move(self._state.agents[event.agent], AgentAnswered, now, call.call)
        if call.reached:
            if event.at is None:  # else the PBX has joined them
                hand.do(ConnectCall(event.agent, call.call, event.offer))
        else:
            limit = self._state.queue(name).callbacks.ring_limit
            hand.do(DialPerson(call.call, call.caller or "", name, limit, call.language))
        for offer, agent in others:  # after the winner's: the caller waits for that, and they may be hundreds
            hand.do(StopRinging(agent.login, call.call, offer, elsewhere=True))
            hand.move(agent, OfferWithdrawn, now, call=call.call)

    def _too_late(self, call: CallRecord, now: Instant) -> None:
        """An agent picked up for a person whom nobody may dial any more today."""
        hand = self._hand
        concerned = hand.open_offers(call)
        for offer, agent in concerned:
            hand.do(HangUpAgent(agent.login, call.call, offer))
            hand.note(OfferEnded(call.call, agent.login, offer, OfferEnd.CONNECT_FAILED, "hours"), now)
        hand.note(CallEnded(call.call, Outcome.NOT_REACHED, Ender.DESK, "hours"), now)
        for _, agent in concerned:
            hand.move(agent, OfferWithdrawn, now, call=call.call)
        self._callbacks.attempt_over(call, "hours", now, dialled=False)

    def ring_failed(self, event: RingFailed, now: Instant) -> None:
        """The phone could not be rung, was busy, or declined: a miss."""
        call = self._hand.attempt_may(event, now)
        if call is not None and self._hand.dialling(call):
            self._hand.ignore(event, _NOT_RUNG, now, call=event.call, agent=event.agent)
        elif call is not None:
            self._came_to_nothing(call, event, OfferEnd.FAILED, now, cause=event.cause)

    def connected(self, event: PartiesConnected, now: Instant) -> None:
        """Caller and agent hear each other."""
        call = self._joined(event, now)
        if call is not None:
            self._hand.note(CallConnected(event.call, event.agent, event.offer), now)
            if call.callback is not None and call.callback in self._state.callbacks:
                self._hand.note(CallbackClosed(call.callback, CallbackEnd.KEPT), now)

    def connect_failed(self, event: ConnectFailed, now: Instant) -> None:
        """The two could not be joined; no fault of the agent."""
        call = self._joined(event, now)
        if call is not None:
            self._hand.do(HangUpAgent(event.agent, event.call, event.offer))
            self._came_to_nothing(call, event, OfferEnd.CONNECT_FAILED, now, cause=event.cause, music=True)

    def _joined(self, event: PartiesConnected | ConnectFailed, now: Instant) -> CallRecord | None:
        call = self._hand.attempt_may(event, now)
        if call is not None and self._hand.dialling(call):
            self._hand.ignore(event, "the person has not picked up", now, call=event.call, agent=event.agent)
            return None
        return call

    def agent_hung_up(self, event: AgentHungUp, now: Instant) -> None:
        """The end of the conversation, or a call picked up and put down again."""
        if self._hand.is_wrapping_up(event.agent, event.call):
            return
        call = self._hand.attempt_may(event, now)
        if call is None:
            return
        if call.state in SPOKEN:
            self._conversation_over(call, event, now)
        elif self._hand.dialling(call):
            self.give_up_dialling(call, OfferEnd.AGENT_LEFT, type(event), now)
        else:
            music = call.state is CONNECTING
            self._came_to_nothing(call, event, OfferEnd.AGENT_LEFT, now, music=music)

    def conversation_missing(self, event: ConversationMissing, now: Instant) -> None:
        """Talking without a leg: what we believed has outlived its evidence."""
        call = self._hand.attempt_may(event, now)
        if call is not None:
            self._hand.note(StateRepaired("talking_without_a_leg", event.agent, event.call), now)
            self._conversation_over(call, event, now)

    def _conversation_over(self, call: CallRecord, event: AgentHungUp | ConversationMissing, now: Instant) -> None:
        self._hand.note(CallEnded(call.call, ANSWERED, BY_AGENT), now)
        self._hand.do(HangUpCaller(call.call, NOTHING_TO_SAY))
        self._hand.move(self._state.agents[event.agent], type(event), now, call.call, spoken=True)

    def hold(self, event: CallHeld | CallResumed, now: Instant) -> None:
        """Hold and its end, as the agent who has the call wants it."""
        known = self._state.calls.get(event.call)
        if known is not None and known.agent != event.agent:
            self._hand.ignore(event, "another agent has this call", now, call=event.call, agent=event.agent)
        elif self._hand.call_may(event, now) is not None:
            noted = HoldStarted if isinstance(event, CallHeld) else HoldEnded
            self._hand.note(noted(event.call, event.agent), now)
            self._hand.move(self._state.agents[event.agent], type(event), now, call=event.call)

    # People who are called back

    def person_reached(self, event: PersonReached, now: Instant) -> None:
        """They picked up: now the agent's phone rings, or the two are joined."""
        call = self._dialled(event, now)
        if call is None or call.agent is None or call.offer is None:
            return
        self._hand.note(PersonAnswered(call.call), now)
        if call.state is CONNECTING:
            self._hand.do(ConnectCall(call.agent, call.call, call.offer))
        else:
            limit = self._state.queue(call.queue).ring_limit
            self._hand.do(RingAgent(call.agent, call.call, call.offer, limit, outbound=True))

    def dial_failed(self, event: DialFailed, now: Instant) -> None:
        """They were busy, did not answer, or could not be reached."""
        call = self._dialled(event, now)
        if call is not None:
            self.not_reached(call, event.cause, now)

    def not_reached(self, call: CallRecord, cause: str, now: Instant) -> None:
        """The attempt is over; the agent, who could do nothing about it, is free again."""
        hand = self._hand
        why = OfferEnd.NOT_REACHED if call.state is OFFERED else OfferEnd.CONNECT_FAILED
        concerned = hand.open_offers(call)
        for offer, agent in concerned:
            if call.state is CONNECTING:
                hand.do(HangUpAgent(agent.login, call.call, offer))
            hand.note(OfferEnded(call.call, agent.login, offer, why, cause), now)
        hand.note(CallEnded(call.call, Outcome.NOT_REACHED, Ender.CALLER, cause), now)
        for _, agent in concerned:
            hand.move(agent, DialFailed, now, call=call.call)
        self._callbacks.attempt_over(call, cause, now, dialled=True)

    def give_up_dialling(self, call: CallRecord, why: OfferEnd, occasion: type | None, now: Instant) -> None:
        """The agent is gone while the person is being dialled: nobody shall pick up to nobody.

        `occasion` moves the agent; None when the caller of this does it.
        """
        hand = self._hand
        (offer, agent), *_ = hand.open_offers(call)
        hand.do(HangUpCaller(call.call, NOTHING_TO_SAY))
        hand.note(OfferEnded(call.call, agent.login, offer, why), now)
        hand.note(CallEnded(call.call, Outcome.NOT_REACHED, Ender.DESK, "agent_left"), now)
        if occasion is not None:
            hand.move(agent, occasion, now, call=call.call)
        self._callbacks.attempt_over(call, "agent_left", now, dialled=True)

    def _dialled(self, event: PersonReached | DialFailed, now: Instant) -> CallRecord | None:
        call = self._hand.call_may(event, now)
        if call is not None and not self._hand.dialling(call):
            self._hand.ignore(event, _NOBODY_DIALLED, now, call=event.call)
            return None
        return call

    # Limits

    def ring_limit_passed(self, agent: AgentRecord, now: Instant) -> None:
        """The phone rang for as long as the queue allows (RONA)."""
        call = self._state.calls.get(agent.call) if agent.call is not None else None
        if call is not None and self._hand.dialling(call):
            self._hand.note(StateRepaired("connecting_too_long", agent.login, call.call), now)
            self._hand.do(HangUpCaller(call.call, NOTHING_TO_SAY))
            self.not_reached(call, "no_answer", now)
            return
        name = agent.call
        if name is not None and agent.offer is not None:
            self._hand.do(StopRinging(agent.login, name, agent.offer))
            self._hand.note(OfferEnded(name, agent.login, agent.offer, OfferEnd.NO_ANSWER), now)
        self._hand.move(agent, RingLimitPassed, now, call=name)

    def connect_limit_passed(self, call: CallRecord, now: Instant) -> None:
        """Picked up, and neither joined nor reported as failed: it has failed."""
        hand = self._hand
        (offer, agent), *_ = hand.open_offers(call)
        hand.note(StateRepaired("connecting_too_long", agent.login, call.call), now)
        if hand.dialling(call):
            hand.do(HangUpCaller(call.call, NOTHING_TO_SAY))
            self.not_reached(call, "no_answer", now)
            return
        hand.do(HangUpAgent(agent.login, call.call, offer))
        hand.note(OfferEnded(call.call, agent.login, offer, OfferEnd.CONNECT_FAILED, "too_long"), now)
        self._music(call)
        hand.move(agent, ConnectLimitPassed, now, call=call.call)

    def phone_went_away(self, agent: AgentRecord, now: Instant) -> None:
        """The phone that rings, or was about to, is gone: it fails at once."""
        call = self._state.calls.get(agent.call) if agent.call is not None else None
        if call is None or agent.offer is None:
            return
        if self._hand.dialling(call):
            self.give_up_dialling(call, OfferEnd.FAILED, RingFailed, now)
        else:
            self._hand.do(StopRinging(agent.login, call.call, agent.offer))
            self.ring_failed(RingFailed(agent.login, call.call, agent.offer, "unreachable"), now)

    def withdraw(self, agent: AgentRecord, now: Instant) -> None:
        """A supervisor takes the agent away from a phone that rings; the caller keeps their place."""
        call = self._state.calls.get(agent.call) if agent.call is not None else None
        if call is None or agent.offer is None:
            return
        if self._hand.dialling(call):
            self.give_up_dialling(call, OfferEnd.WITHDRAWN, None, now)
        else:
            self._hand.do(StopRinging(agent.login, call.call, agent.offer))
            self._hand.note(OfferEnded(call.call, agent.login, agent.offer, OfferEnd.WITHDRAWN), now)

    def _came_to_nothing(
        self, call: CallRecord, event: RingFailed | ConnectFailed | AgentHungUp, why: OfferEnd, now: Instant,
        *, cause: str = "", music: bool = False,
    ) -> None:  # fmt: skip
        """The caller keeps their place, and hears music again if the attempt took it from them."""
        offer = OfferId(event.offer)
        self._hand.note(OfferEnded(event.call, event.agent, offer, why, cause), now)
        if music:
            self._music(call)
        self._hand.move(self._state.agents[event.agent], type(event), now, call=event.call)

    def _music(self, call: CallRecord) -> None:
        if call.queue is not None:
            self._hand.do(PlayMusicOnHold(call.call, call.queue))
