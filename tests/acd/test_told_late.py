"""What happened while changgu was away is told afterwards, and counts for the time at which it happened."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count

import pytest

from changgu.acd import call_record
from changgu.acd.agent_state import AgentState
from changgu.acd.call_record import CallRecord
from changgu.acd.engine import Effect, Engine
from changgu.acd.event_json import Cause, FloorOpened, cause_from_text, cause_text
from changgu.acd.events import (
    AgentAnswered,
    AgentReady,
    AgentSignedIn,
    CallArrived,
    CallerDialledIn,
    CallerHungUp,
    DeadlinePassed,
    Event,
    PartiesConnected,
    PhoneReachable,
    ToldLate,
)
from changgu.acd.facts import CallOffered, Ender, Fact, Outcome, Recorded
from changgu.acd.floor_json import floor_digest
from changgu.acd.identity import AgentId, CallId, Instant, OfferId, QueueName
from changgu.acd.queue_log import QueueLog
from changgu.acd.queues import Floor
from changgu.acd.replay import Replayer
from tests.support.floor import HELPDESK, RULES, a_queue, an_agent, seconds

KIM, CALL, NEXT, OFFER = AgentId("kim"), CallId("c1"), CallId("c2"), OfferId(1)
PLAN = Floor((a_queue(wrap_up=30),), (an_agent("kim"),), RULES)
OPENED, ANSWERED = 1000.0, 1010.0
KILLED, ENDED, BACK = 1015.0, 1020.5, 1100.0


class Desk:
    """Kim's, from the opening on; what happens there stands in a ledger."""

    def __init__(self, plan: Floor = PLAN) -> None:
        self.plan = plan
        self.engine = Engine(plan)
        self.ledger: list[Recorded] = []
        self._seq = count(1)
        self._opens(OPENED)
        for event in (PhoneReachable(KIM), AgentSignedIn(KIM), AgentReady(KIM)):
            self.tell(event, OPENED)

    def _opens(self, at: Instant) -> None:
        self._keep(self.engine.configure(self.plan, at), at, FloorOpened(floor_digest(self.plan)))

    def _keep(self, effects: list[Effect], at: Instant, cause: Cause) -> list[Effect]:
        because: Cause | None = cause
        for effect in effects:
            if isinstance(effect, Fact):
                self.ledger.append(Recorded(next(self._seq), at, effect, because))
                because = None
        return effects

    def tell(self, event: Event, at: Instant) -> list[Effect]:
        return self._keep(self.engine.handle(event, at), at, event)

    def tell_late(self, event: ToldLate, now: Instant = BACK) -> Instant:
        at, effects = self.engine.catch_up(event, now)
        self._keep(effects, at, event)
        return at

    def rings(self, call: CallId = CALL, at: Instant = OPENED + 5) -> None:
        self.tell(CallerDialledIn(call, None, "1000"), at)
        self.tell(CallArrived(call, HELPDESK), at)

    def talks(self) -> None:
        self.rings()
        self.tell(AgentAnswered(KIM, CALL, OFFER), ANSWERED)
        self.tell(PartiesConnected(KIM, CALL, OFFER), ANSWERED)

    def is_killed(self) -> None:
        """And is there again at `BACK`."""
        self.engine = Engine.restore(self.plan, self.ledger)
        self._opens(BACK)

    def row(self) -> CallRecord:
        return call_record.fold(self.ledger)[CALL]

    @property
    def rebuilt(self) -> dict[str, object]:
        return dict(Engine.restore(self.plan, self.ledger).picture())


def test_a_conversation_that_ended_meanwhile_lasted_until_then_and_the_agent_is_released_then() -> None:
    desk = Desk()
    desk.talks()
    desk.is_killed()

    assert desk.tell_late(CallerHungUp(CALL, at=ENDED)) == ENDED

    row = desk.row()
    assert (row.outcome, row.ended_by, row.ended_at) == (Outcome.ANSWERED, Ender.CALLER, ENDED)
    assert row.talk_seconds == ENDED - ANSWERED
    kim = desk.engine.agents[KIM]
    assert (kim.state, kim.since, kim.talked) == (AgentState.WRAP_UP, ENDED, ENDED - ANSWERED)
    assert desk.rebuilt == desk.engine.picture()
    book = QueueLog(lambda agent: [])
    *_, end = (one for recorded in desk.ledger for one in book.rows(recorded) if one.callid == CALL)
    assert (end.event, end.message) == ("COMPLETECALLER", f"{ANSWERED - OPENED - 5:.0f}|{int(ENDED - ANSWERED)}|1")


def test_the_agent_who_hung_up_first_ended_it() -> None:
    desk = Desk()
    desk.talks()
    desk.is_killed()
    desk.tell_late(CallerHungUp(CALL, at=ENDED, by=Ender.AGENT))

    assert desk.row().ended_by is Ender.AGENT


def test_a_wait_that_the_caller_gave_up_meanwhile_lasted_until_then_and_no_agent_ended_it() -> None:
    desk = Desk()
    desk.rings()
    desk.rings(NEXT, OPENED + 6)
    desk.is_killed()
    desk.tell_late(CallerHungUp(NEXT, at=ENDED, by=Ender.AGENT))

    row = call_record.fold(desk.ledger)[NEXT]
    assert (row.outcome, row.ended_by) == (Outcome.ABANDONED_IN_QUEUE, Ender.CALLER)
    assert row.wait_seconds == ENDED - (OPENED + 6)


def test_two_who_were_joined_as_we_were_killed_spoke_from_then_on() -> None:
    desk = Desk()
    desk.rings()
    desk.is_killed()
    desk.tell_late(AgentAnswered(KIM, CALL, OFFER, KILLED))
    desk.tell_late(PartiesConnected(KIM, CALL, OFFER, KILLED))
    desk.tell_late(CallerHungUp(CALL, at=ENDED))

    row = desk.row()
    assert (row.outcome, row.agent, row.answered_at, row.talk_seconds) == (
        Outcome.ANSWERED, KIM, KILLED, ENDED - KILLED,
    )  # fmt: skip
    assert row.wait_seconds == KILLED - (OPENED + 5)
    assert desk.rebuilt == desk.engine.picture()


def test_who_is_joined_by_the_pbx_already_is_not_joined_once_more() -> None:
    desk = Desk()
    desk.rings()
    _, effects = desk.engine.catch_up(AgentAnswered(KIM, CALL, OFFER, KILLED), BACK)

    assert [effect for effect in effects if not isinstance(effect, Fact)] == []


@pytest.mark.parametrize(
    ("told", "counts"), [(OPENED, ANSWERED), (ANSWERED + 0.25, ANSWERED + 0.25), (BACK + 9, BACK)]
)
def test_nothing_ends_before_it_began_nor_later_than_now(told: Instant, counts: Instant) -> None:
    """The PBX may have a clock of its own, or tell whole seconds."""
    desk = Desk()
    desk.talks()
    desk.is_killed()

    assert desk.tell_late(CallerHungUp(CALL, at=told)) == counts
    assert desk.row().talk_seconds == counts - ANSWERED


def test_late_news_of_a_call_that_nobody_knows_counts_now() -> None:
    assert Desk().tell_late(CallerHungUp(CallId("never"), at=ENDED)) == BACK


def test_whoever_comes_free_by_late_news_rings_now_and_not_in_the_past() -> None:
    desk = Desk(replace(PLAN, queues=(a_queue(wrap_up=0),)))
    desk.talks()
    desk.rings(NEXT, ANSWERED + 1)
    desk.is_killed()
    desk.tell_late(CallerHungUp(CALL, at=ENDED))

    due = desk.engine.next_deadline()
    assert due is not None
    assert due <= BACK
    desk.tell(DeadlinePassed(), BACK)

    offered = [(one.at, one.fact.call) for one in desk.ledger if isinstance(one.fact, CallOffered)]
    assert offered == [(OPENED + 5, CALL), (BACK, NEXT)]
    following = desk.engine.next_deadline()
    assert following == BACK + a_queue().ring_limit.total_seconds(), "how long it may ring"
    assert desk.rebuilt == desk.engine.picture()


def test_the_wrap_up_counts_from_the_end_of_the_conversation() -> None:
    desk = Desk()
    desk.talks()
    desk.is_killed()
    desk.tell_late(CallerHungUp(CALL, at=BACK - 10))
    desk.tell(DeadlinePassed(), BACK)
    assert desk.engine.agents[KIM].state is AgentState.WRAP_UP
    assert desk.engine.next_deadline() == BACK - 10 + seconds(30).total_seconds()


def answered_unwritten(desk: Desk) -> None:
    desk.rings()
    desk.is_killed()
    desk.tell_late(AgentAnswered(KIM, CALL, OFFER, KILLED))
    desk.tell_late(PartiesConnected(KIM, CALL, OFFER, KILLED))
    desk.tell_late(CallerHungUp(CALL, at=ENDED))
    desk.tell(DeadlinePassed(), BACK)


def somebody_else_waits(desk: Desk) -> None:
    desk.talks()
    desk.rings(NEXT, ANSWERED + 1)
    desk.is_killed()
    desk.tell_late(CallerHungUp(CALL, at=OPENED))
    desk.tell(DeadlinePassed(), BACK)


@pytest.mark.parametrize("story", [answered_unwritten, somebody_else_waits])
def test_the_past_is_lived_again_with_its_own_times(story: Callable[[Desk], None]) -> None:
    desk = Desk()
    story(desk)
    kept = [replace_cause(one) for one in desk.ledger]

    def reopened(seq: int) -> Engine:
        return Engine.restore(PLAN, [one for one in kept if one.seq < seq])

    replayer = Replayer(Engine(PLAN), lambda digest: PLAN, reopened)
    replayer.feed(kept)

    assert replayer.finish() is None, replayer.difference
    assert replayer.facts == len(kept)


def replace_cause(one: Recorded) -> Recorded:
    """As it is read from the ledger, where the cause is kept as a text."""
    because = None if one.because is None else cause_from_text(cause_text(one.because))
    return Recorded(one.seq, one.at, one.fact, because)


def test_old_ledgers_tell_of_these_events_without_a_time() -> None:
    assert cause_from_text('{"kind":"CallerHungUp","body":{"call":"c1","queue":"helpdesk","queued_at":1.0}}') == (
        CallerHungUp(CALL, QueueName("helpdesk"), 1.0)
    )
