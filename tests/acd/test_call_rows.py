"""The row of a call says what its facts say, also when it is put down and taken up again in between."""

from pathlib import Path

import pytest

from changgu.acd.call_record import fold
from changgu.acd.facts import (
    CallbackBooked,
    CallConnected,
    CallEnded,
    CallOverflowed,
    CallQueued,
    CallStarted,
    Departure,
    Direction,
    Ender,
    Fact,
    MenuStepTaken,
    Outcome,
    PersonAnswered,
    Recorded,
    WaitAnnounced,
)
from changgu.acd.identity import AgentId, CallbackId, CallId, OfferId, QueueName
from changgu.acd.ledger.store import Ledger
from changgu.acd.store import CallFilter, CallStore
from changgu.ground.database import Database

T0 = 1_790_000_000.25
C, B, OUT = CallId("c1"), CallId("c2"), CallId("b1-1")
NETWORK, PC = QueueName("network"), QueueName("pc")
KIM = AgentId("kim")

STORY: list[Fact] = [
    CallStarted(C, Direction.INBOUND, "01012345678", "1000"),
    MenuStepTaken(C, "질문", "half of a character: \ud800"),
    CallQueued(C, NETWORK, 1, grounds=frozenset({"vip", "repeat_caller"})),
    WaitAnnounced(C, 3, 12.5),
    CallOverflowed(C, NETWORK, Departure.WAITED, "open:pc", rule=0),
    CallOverflowed(C, NETWORK, Departure.KEY, "callback", key="2"),
    CallbackBooked(CallbackId("b1"), "01012345678", NETWORK, T0 + 600, T0, call=C),
    CallEnded(C, Outcome.CALLBACK, Ender.DESK),
    CallStarted(B, Direction.INBOUND, None, "1000"),
    CallOverflowed(B, PC, Departure.FULL, "refuse", rule=1),
    CallEnded(B, Outcome.REFUSED, Ender.DESK, reason="full"),
    CallStarted(OUT, Direction.OUTBOUND, None, "01012345678", CallbackId("b1")),
    CallQueued(OUT, NETWORK, 1, placed_at=T0 + 2),
    PersonAnswered(OUT),
    CallConnected(OUT, KIM, OfferId(1)),
    CallEnded(OUT, Outcome.ANSWERED, Ender.CALLER),
]
FACTS = [Recorded(seq, T0 + seq, fact) for seq, fact in enumerate(STORY, start=1)]


@pytest.mark.parametrize("restart_after", range(1, len(FACTS)))
async def test_a_row_put_down_anywhere_goes_on_as_if_nothing_had_been(
    database: Database, tmp_path: Path, restart_after: int
) -> None:
    for part in (FACTS[:restart_after], FACTS[restart_after:]):
        ledger = Ledger(database, tmp_path / "spool.jsonl")
        for entry in part:
            ledger.hear(entry)
        assert await ledger.flush()
    page = await CallStore(database).page(CallFilter())
    assert {record.id: record for record in page.records} == fold(FACTS)
