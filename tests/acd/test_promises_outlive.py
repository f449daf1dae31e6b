"""A promise to call back outlives what happens to its queue, and is not given away for a refusal."""

from datetime import UTC, datetime

from changgu.acd.engine import Effect
from changgu.acd.events import CallbackAsked, KeyPressed
from changgu.acd.facts import CallbackBooked, CallEnded, Departure, Outcome
from changgu.acd.identity import CallbackId, CallId, QueueName
from changgu.acd.queues import Destination, Overflow, Queue, Way
from tests.support.floor import HELPDESK, Floor, an_agent, seconds

MORNING = datetime(2026, 11, 20, 1, 0, tzinfo=UTC).timestamp()  # 10:00 in Seoul
NUMBER = "01011112222"


def a_queue(name: str = HELPDESK, **more: object) -> Queue:
    return Queue(QueueName(name), name, wrap_up=seconds(0), **more)  # type: ignore[arg-type]


def asked(floor: Floor, callback: str = "cb1", queue: str = HELPDESK, call: str | None = None) -> list[Effect]:
    return floor.tell(CallbackAsked(CallbackId(callback), NUMBER, QueueName(queue), CallId(call) if call else None))


def test_a_promise_whose_queue_is_taken_away_while_the_attempt_waits_is_settled() -> None:
    floor = Floor(an_agent("alice", "vpn", HELPDESK), queues=[a_queue(), a_queue("vpn")], now=MORNING)
    asked(floor, queue="vpn")  # due now: the attempt cb1-1 waits in vpn
    floor.configure(an_agent("alice"), queues=[a_queue()])  # Watch: "every limit has its deadline"
    assert floor.engine.callbacks == {} or floor.engine.next_deadline() is not None
    assert [fact for fact in asked(floor, "cb2") if isinstance(fact, CallbackBooked)]


def test_somebody_who_calls_in_and_is_refused_is_still_called_back() -> None:
    closed = a_queue(overflows=(Overflow(Departure.UNSTAFFED, Destination(Way.REFUSE)),))
    floor = Floor("alice", queues=[closed], now=MORNING)
    asked(floor)
    floor.dial("c1", NUMBER)
    effects = floor.queue("c1")
    assert [fact.outcome for fact in effects if isinstance(fact, CallEnded) and fact.call == "c1"] == [Outcome.REFUSED]
    assert "cb1" in floor.engine.callbacks, "refused, and the promise is gone as 'called in'"


def test_who_asks_by_key_is_called_back_by_somebody_who_can_help() -> None:
    queue = a_queue(keys={"1": Destination(Way.CALLBACK)})
    floor = Floor(an_agent("alice", skills=["vpn"]), "bob", queues=[queue], now=MORNING)
    floor.dial("c1", NUMBER)
    floor.queue("c1", priority=2, skills=["vpn"])
    floor.tell(KeyPressed(CallId("c1"), "1"))
    (booked,) = [fact for fact in asked(floor, call="c1") if isinstance(fact, CallbackBooked)]
    assert (booked.priority, booked.skills) == (2, frozenset({"vpn"}))


def test_one_person_is_one_person_however_the_network_writes_their_number() -> None:
    """The promise bears the number as it is dialled (`DialPlan.way`), the call as the network presented it."""
    from changgu.acd.facts import CallbackClosed, CallbackEnd

    floor = Floor("alice", queues=[a_queue()], now=MORNING)
    asked(floor)  # 01011112222
    floor.dial("c1", "+821011112222")
    assert CallbackClosed(CallbackId("cb1"), CallbackEnd.CALLED_IN) in floor.queue("c1")
