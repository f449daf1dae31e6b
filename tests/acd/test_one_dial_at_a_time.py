"""Nobody is dialled twice because the set-up changed, or because news came of a phone that was never to ring."""

from datetime import UTC, datetime

from changgu.acd.commands import DialPerson, PlayMusicOnHold, RingAgent
from changgu.acd.events import CallbackAsked, PersonReached, RingFailed
from changgu.acd.facts import PersonAnswered
from changgu.acd.identity import AgentId, CallbackId, CallId, OfferId, QueueName
from changgu.acd.queues import CallbackRules, First, Queue
from tests.support.floor import HELPDESK, Floor, an_agent, seconds

MORNING = datetime(2026, 11, 20, 1, 0, tzinfo=UTC).timestamp()


def a_queue(first: First) -> Queue:
    return Queue(HELPDESK, "helpdesk", wrap_up=seconds(0), callbacks=CallbackRules(first=first))


def dialling() -> Floor:
    floor = Floor("alice", "bob", queues=[a_queue(First.CALLER)], now=MORNING)
    floor.ready("alice")
    effects = floor.tell(CallbackAsked(CallbackId("cb1"), "01011112222", QueueName(HELPDESK)))
    assert isinstance(effects[-1], DialPerson)
    return floor


def test_a_reload_while_somebody_is_dialled_does_not_make_us_deaf_to_their_answer() -> None:
    floor = dialling()
    floor.configure(an_agent("alice"), an_agent("bob"), queues=[a_queue(First.AGENT)])
    assert PersonAnswered(CallId("cb1-1")) in floor.tell(PersonReached(CallId("cb1-1")))


def test_a_reload_while_somebody_is_dialled_does_not_dial_them_again() -> None:
    floor = dialling()
    floor.configure(an_agent("alice"), an_agent("bob"), queues=[a_queue(First.AGENT)])
    floor.ready("bob")
    effects = floor.wait(21)  # longer than a phone rings: but alice's does not ring yet

    assert not [one for one in effects if isinstance(one, DialPerson | RingAgent)]
    assert floor.agent("alice").misses == 0


def test_a_leg_that_was_never_there_is_no_missed_call() -> None:
    """`comparison.compare` reports RingFailed(gone) for the reserved agent after every gap in the news."""
    floor = dialling()
    floor.ready("bob")
    effects = floor.tell(RingFailed(AgentId("alice"), CallId("cb1-1"), OfferId(1), "gone"))
    assert not [one for one in effects if isinstance(one, DialPerson)]


def test_who_is_reached_before_an_agent_hears_something() -> None:
    """`switch._ring` greets and plays music only for `RingAgent(outbound=True)`; the engine never sends that here."""
    effects = dialling().tell(PersonReached(CallId("cb1-1")))
    assert any(isinstance(one, PlayMusicOnHold) or (isinstance(one, RingAgent) and one.outbound) for one in effects)
