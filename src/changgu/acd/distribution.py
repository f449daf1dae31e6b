"""Agents and callers meet: who is offered to whom, and that nobody waits beside somebody free who could serve them."""

from __future__ import annotations

from heapq import heapify, heappop, heappush

from changgu.acd.call_state import WAITING
from changgu.acd.callback_desk import CallbackDesk
from changgu.acd.commands import DialPerson, Farewell, RingAgent
from changgu.acd.facts import CallbackClosed, CallbackEnd, CallOffered, Choice
from changgu.acd.hand import Hand
from changgu.acd.identity import Instant, OfferId, QueueName
from changgu.acd.lines import Line
from changgu.acd.occasions import Offered
from changgu.acd.queues import First
from changgu.acd.records import AgentRecord, CallRecord


class Distribution:
    """Joins free agents and waiting callers until no two of them could be joined.

    The best placed caller who can be served goes first, to the agent whose turn it is in their queue. Only lines in
    which something has changed are looked at: in all others nobody was waiting or nobody free.
    """

    def __init__(self, hand: Hand, callbacks: CallbackDesk) -> None:
        self._hand = hand
        self._callbacks = callbacks
        self._state = hand.state

    def run(self, now: Instant) -> None:
        """Bring together whoever became free and whoever came to wait."""
        state = self._state
        fresh, returned = state.fresh, state.returned
        if not fresh and len(returned) == 1:
            _, call = returned.popitem()
            self._insist_on_queue(call, now)
            if call.state is WAITING and call.line is not None:
                self._serve(call, call.line, now)
        elif not returned and len(fresh) == 1:
            _, agent = fresh.popitem()
            self._employ(agent, now)
        else:
            state.fresh, state.returned = {}, {}
            for call in returned.values():
                self._insist_on_queue(call, now)
            self._meet(list(fresh.values()), list(returned.values()), now)

    def _insist_on_queue(self, call: CallRecord, now: Instant) -> None:
        """Nobody waits in a queue that is off the list and that nobody serves."""
        if call.queue in self._state.queues or self._state.lines.serving(call.queue or QueueName("")):
            return
        self._hand.refuse_caller(call.call, Farewell.NO_SUCH_QUEUE, "no_such_queue", now)
        if call.callback is not None and call.callback in self._state.callbacks:
            self._hand.note(CallbackClosed(call.callback, CallbackEnd.GIVEN_UP, "no_such_queue"), now)

    def _employ(self, agent: AgentRecord, now: Instant) -> None:
        """One agent became free: the best placed caller is theirs, or they stand by."""
        line = self._state.lines.best_of(agent)
        if line is not None:
            # Nobody else is free for this caller, or they would not be waiting.
            call = line.callers[0][2]
            if call.callback is not None and self._put_off(call, now):
                self._state.fresh[agent.login] = agent  # for the next caller, if there is one
            else:
                self._offer(agent, call, line.choice_of(agent, call), now)
        else:
            self._stand_by(agent)

    def _stand_by(self, agent: AgentRecord) -> None:
        """Free for whoever comes, or to ring along for somebody for whom phones ring already."""
        for line in agent.lines:
            line.add_idle(agent)
            if line.ringing:
                self._state.recheck.update(line.ringing)

    def _meet(self, fresh: list[AgentRecord], returned: list[CallRecord], now: Instant) -> None:
        for agent in fresh:
            self._stand_by(agent)
        lines: dict[int, Line] = {line.number: line for agent in fresh for line in agent.lines}
        lines.update((call.line.number, call.line) for call in returned if call.line is not None)
        heads = [(*line.callers[0], line) for line in lines.values() if line.callers]
        heapify(heads)
        while heads:
            *_, call, line = heappop(heads)
            if self._serve(call, line, now) and line.callers:
                heappush(heads, (*line.callers[0], line))

    def _serve(self, call: CallRecord, line: Line, now: Instant) -> bool:
        """Offers the call to those whose turn it is; False when nobody is free."""
        state = self._state
        if call.callback is not None and self._put_off(call, now):
            return True
        if not line.has_idle():
            return False
        last = state.agents.get(state.last_offered[line.queue]) if line.queue in state.last_offered else None
        chosen, choice = line.choose(call, OfferId(state.next_offer), -1 if last is None else last.order)
        for agent in chosen:
            self._offer(agent, call, choice, now)
        return True

    def _put_off(self, call: CallRecord, now: Instant) -> bool:
        """A call-back whose person may not be dialled any more today is no business of an agent."""
        if call.reached or not self._callbacks.too_late(call, now):
            return False
        self._callbacks.hours_over(call, now)
        return True

    def let_in(self, now: Instant) -> None:
        """Others ring along where everybody of their level rings: whoever came free, or may take the call only now."""
        calls, self._state.recheck = self._state.recheck, {}
        for _, _, call in sorted((call.key, call.seq, call) for call in calls.values()):
            line = call.line
            if line is not None and call.reached and line.strategy.everybody:
                for agent in line.let_in(call, (one for _, one in self._hand.open_offers(call))):
                    self._offer(agent, call, Choice.EVERYBODY, now)

    def _offer(self, agent: AgentRecord, call: CallRecord, choice: Choice, now: Instant) -> None:
        hand, offer = self._hand, OfferId(self._state.next_offer)
        name = call.queue or QueueName("")
        queue = self._state.queue(name)
        dials = not call.reached and queue.callbacks.first is First.CALLER
        hand.note(CallOffered(call.call, agent.login, offer, name, choice, dials), now)
        hand.move(agent, Offered, now, call.call)
        if dials:
            hand.do(DialPerson(call.call, call.caller or "", name, queue.callbacks.ring_limit, call.language))
        else:
            outbound = call.callback is not None
            hand.do(RingAgent(agent.login, call.call, offer, queue.ring_limit, outbound))
