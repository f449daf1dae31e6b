"""Who waits for one agent still does after a restart, and what a key opened while all phones rang is open in both."""

from pathlib import Path

import pytest

from changgu.acd.engine import Engine
from changgu.acd.events import CallArrived, CallbackAsked, CallerHungUp, DesktopSeen, KeyPressed
from changgu.acd.facts import CallbackBooked, CallOffered
from changgu.acd.identity import AgentId, CallbackId, CallId, QueueName
from changgu.acd.ledger.past.store import Past
from changgu.acd.ledger.store import Ledger
from changgu.acd.queues import Destination, Queue, Way
from changgu.ground.database import Database
from tests.support.floor import HELPDESK, Floor, an_agent


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
    ledger = Ledger(database, tmp_path / "spool")
    for entry in floor.history:
        ledger.hear(entry)
    assert await ledger.flush()
    rebuilt = Engine.restore(floor.plan, await Past(database, recalled=0).now())
    assert rebuilt.callbacks == floor.engine.callbacks
    assert rebuilt.callbacks[CallbackId("cb1")].due_at == floor.now + 90


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
    ledger = Ledger(database, tmp_path / "spool")
    for entry in floor.history:
        ledger.hear(entry)
    assert await ledger.flush()
    rebuilt = Engine.restore(floor.plan, await Past(database, recalled=0).now())
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
