"""Who waits for one agent still does after a restart, and what a key opened while all phones rang is open in both."""

from collections.abc import Callable
from pathlib import Path

import pytest

from changgu.acd.callbacks import AFTER_TALK
from changgu.acd.engine import Engine
from changgu.acd.events import (
    AgentReady,
    CallArrived,
    CallbackAsked,
    CallbackCancelled,
    CallerHungUp,
    DeadlinePassed,
    DesktopSeen,
    DialFailed,
    KeyPressed,
    PersonReached,
)
from changgu.acd.facts import CallbackAttempted, CallbackBooked, CallbackClosed, CallbackEnd, CallOffered, CallStarted
from changgu.acd.identity import AgentId, CallbackId, CallId, QueueName
from changgu.acd.ledger.past.store import Past
from changgu.acd.ledger.store import Ledger
from changgu.acd.queues import Destination, Queue, Way
from changgu.ground.database import Database
from tests.support.floor import HELPDESK, Floor, a_queue, an_agent

MORNING = 1_795_136_400.0
"""10:00 in Seoul, in the hours for call-backs."""
NUMBER = "01011112222"
CB = CallbackId("cb1")

Story = Callable[[Floor], None]


async def after_a_restart(floor: Floor, database: Database, tmp_path: Path, recalled: int = 0) -> Engine:
    """The floor as the ledger has it; `recalled` facts of it are read in full."""
    ledger = Ledger(database, tmp_path / "spool")
    for entry in floor.history:
        ledger.hear(entry)
    assert await ledger.flush()
    return Engine.restore(floor.plan, await Past(database, recalled=recalled).now())


def promised_while_talking(floor: Floor) -> None:
    """Alice speaks with them and promises to call them back; the call is over a minute later."""
    floor.ready("alice")
    floor.dial("c1", NUMBER)
    floor.queue("c1")
    floor.talk("alice")
    floor.tell(CallbackAsked(CB, NUMBER, QueueName(HELPDESK), CallId("c1")))
    floor.wait(60)
    floor.caller_hangs_up("c1")


def cancelled(floor: Floor) -> None:
    floor.tell(CallbackCancelled(CB))


def kept(floor: Floor) -> None:
    """By somebody else: Alice's last call is still the one in which it was made."""
    floor.not_ready("alice")
    floor.ready("bob")
    floor.wait(AFTER_TALK.total_seconds())
    floor.answer("bob")
    floor.tell(PersonReached(CallId("cb1-1")))
    floor.connected("bob")
    floor.caller_hangs_up("cb1-1")


def called_in(floor: Floor) -> None:
    floor.dial("c2", NUMBER)
    floor.queue("c2")
    floor.caller_hangs_up("c2")


def let_be(floor: Floor) -> None:
    """Alice stays, and was last in a call that is about the promise."""
    floor.wait(200)


def signed_out(floor: Floor) -> None:
    """Nothing but the two minutes makes the call matter in which the promise was made."""
    floor.sign_out("alice")
    floor.sign_in("alice")
    floor.sign_out("alice")
    floor.wait(30)


@pytest.mark.parametrize(
    ("settle", "end", "since"),
    [
        (cancelled, CallbackEnd.CANCELLED, let_be),
        (cancelled, CallbackEnd.CANCELLED, signed_out),
        (called_in, CallbackEnd.CALLED_IN, let_be),
        (called_in, CallbackEnd.CALLED_IN, signed_out),
        (kept, CallbackEnd.KEPT, let_be),
    ],
)
async def test_a_promise_that_is_settled_is_not_made_good_again_after_a_restart(
    database: Database, tmp_path: Path, settle: Story, end: CallbackEnd, since: Story
) -> None:
    """Its end names no call: whatever brings back the call in which it was made must not bring it back."""
    floor = Floor("alice", "bob", now=MORNING)
    promised_while_talking(floor)
    settle(floor)
    assert [entry.fact.end for entry in floor.history if isinstance(entry.fact, CallbackClosed)] == [end]
    since(floor)

    rebuilt = await after_a_restart(floor, database, tmp_path)
    assert dict(rebuilt.callbacks) == dict(floor.engine.callbacks) == {}
    effects = [*rebuilt.configure(floor.plan, floor.now), *rebuilt.handle(AgentReady(AgentId("alice")), floor.now)]
    effects += rebuilt.handle(DeadlinePassed(), floor.now + 3600)
    assert [one for one in effects if isinstance(one, CallStarted)] == [], "they are dialled again"


@pytest.mark.parametrize("since", [let_be, signed_out])
async def test_a_promise_that_is_open_outlives_a_restart_with_all_that_has_been_tried(
    database: Database, tmp_path: Path, since: Story
) -> None:
    floor = Floor("alice", now=MORNING)
    promised_while_talking(floor)
    floor.wait(AFTER_TALK.total_seconds())
    floor.answer("alice")
    floor.tell(DialFailed(CallId("cb1-1"), "busy"))
    since(floor)

    rebuilt = await after_a_restart(floor, database, tmp_path)
    assert [entry.fact.attempts for entry in floor.history if isinstance(entry.fact, CallbackAttempted)] == [1]
    assert rebuilt.callbacks == floor.engine.callbacks
    assert rebuilt.callbacks[CB].attempts == 1
    assert rebuilt.next_deadline() == floor.engine.next_deadline() == rebuilt.callbacks[CB].due_at


async def test_a_promise_whose_attempt_waits_is_due_as_it_was_after_a_restart(
    database: Database, tmp_path: Path
) -> None:
    """The end of the conversation put it off; more than two minutes ago, and nobody's state hangs on that call."""
    floor = Floor("alice", now=MORNING)
    promised_while_talking(floor)
    due_at = floor.now + AFTER_TALK.total_seconds()
    floor.sign_out("alice")
    floor.wait(300)
    signed_out(floor)
    assert list(floor.engine.calls) == ["cb1-1"]

    rebuilt = await after_a_restart(floor, database, tmp_path)
    assert rebuilt.callbacks == floor.engine.callbacks
    assert rebuilt.callbacks[CB].due_at == due_at


async def test_a_wish_for_one_agent_outlives_a_restart(database: Database, tmp_path: Path) -> None:
    floor = Floor("alice", "bob")
    floor.sign_in("alice")
    floor.dial("c1")
    floor.tell(CallArrived(CallId("c1"), QueueName(HELPDESK), agent=AgentId("alice")))
    floor.ready("alice")  # she "settles" here, and c1 rings; her state before is no longer read
    floor.dial("c2", None)
    ledger = Ledger(database, tmp_path / "spool")
    for entry in floor.history:
        ledger.hear(entry)
    assert await ledger.flush()
    rebuilt = Engine.restore(floor.plan, await Past(database, recalled=1).now())
    assert rebuilt.calls[CallId("c1")].wants == floor.the_call("c1").wants == "alice"


async def test_who_has_just_been_spoken_to_is_not_dialled_sooner_because_of_a_restart(
    database: Database, tmp_path: Path
) -> None:
    floor = Floor("alice", now=1_795_136_400.0)  # in the hours for call-backs
    floor.ready("alice")
    floor.dial("c1", "01011112222")
    floor.queue("c1")
    floor.talk("alice")
    floor.tell(CallbackAsked(CallbackId("cb1"), "01011112222", QueueName(HELPDESK)))
    floor.wait(60)
    floor.tell(CallerHungUp(CallId("c1")))
    floor.wait(30)
    rebuilt = await after_a_restart(floor, database, tmp_path)
    assert rebuilt.callbacks == floor.engine.callbacks
    assert rebuilt.callbacks[CallbackId("cb1")].due_at == floor.now + 90


async def test_the_language_of_the_call_that_an_agent_wraps_up_outlives_a_restart(
    database: Database, tmp_path: Path
) -> None:
    floor = Floor("alice", queues=[a_queue(wrap_up=900)], now=MORNING)
    floor.ready("alice")
    floor.dial("c1", NUMBER)
    floor.tell(CallArrived(CallId("c1"), HELPDESK, language="en"))
    floor.talk("alice")
    floor.caller_hangs_up("c1")
    floor.wait(600)

    rebuilt = await after_a_restart(floor, database, tmp_path)
    asked = CallbackAsked(CB, NUMBER, HELPDESK, by="alice")
    assert [one.language for one in rebuilt.handle(asked, floor.now) if isinstance(one, CallbackBooked)] == ["en"]


@pytest.mark.parametrize(("since", "left"), [(30.0, 90.0), (119.0, 1.0), (121.0, 0.0)])
async def test_who_was_let_go_before_a_restart_and_is_promised_a_call_behind_it_is_let_be_as_long(
    database: Database, tmp_path: Path, since: float, left: float
) -> None:
    """The agent has signed out since: nothing but the two minutes makes that call matter."""
    floor = Floor("alice", now=1_795_136_400.0)
    floor.ready("alice")
    floor.dial("c1", "01011112222")
    floor.queue("c1")
    floor.talk("alice")
    floor.wait(60)
    floor.tell(CallerHungUp(CallId("c1")))
    floor.wait(since - 1)
    floor.sign_out("alice")
    floor.ready("alice")
    floor.wait(1)
    rebuilt = await after_a_restart(floor, database, tmp_path)
    asked = CallbackAsked(CallbackId("cb1"), "01011112222", QueueName(HELPDESK))
    (booked,) = [one for one in rebuilt.handle(asked, floor.now) if isinstance(one, CallbackBooked)]

    assert booked.due_at == floor.now + left


def test_whoever_becomes_ready_rings_along_after_a_key_opened_the_call() -> None:
    queue = Queue(HELPDESK, "helpdesk", strategy="ring_all", keys={"1": Destination(Way.OPEN, "b")})
    floor = Floor("alice", "carol", an_agent("bob", "b"), queues=[queue, Queue(QueueName("b"), "b")])
    floor.ready("alice")
    floor.call("c1")
    floor.tell(KeyPressed(CallId("c1"), "1"))
    assert [one for one in floor.ready("carol") if isinstance(one, CallOffered)]


def test_somebody_listed_again_is_known_alike_whether_lived_or_rebuilt() -> None:
    floor = Floor("alice", "bob")
    floor.tell(DesktopSeen(AgentId("bob")))
    floor.ready("bob")
    floor.wait(10)
    floor.configure(an_agent("alice"))
    floor.wait(10)
    floor.configure(an_agent("alice"), an_agent("bob"))

    rebuilt = floor.restored()
    assert rebuilt.picture() == floor.engine.picture()
    assert rebuilt.agents[AgentId("bob")].desktop is False
    assert rebuilt.agents[AgentId("bob")].phone_reachable is False
