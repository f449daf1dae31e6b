"""What one room learns from another through the joins."""

from changgu.acd.call_record import CallRecord
from changgu.acd.facts import Direction, Outcome
from changgu.acd.identity import AgentId, CallId, QueueName
from changgu.acd.queues import Agent, Floor, Queue
from changgu.acd.store import CallStore
from changgu.app.page_joins import TicketCalls
from changgu.ground.database import moment
from changgu.ticketing.pages import CallLine

NETWORK, KIM = QueueName("network"), AgentId("kim")
FLOOR = Floor((Queue(NETWORK, "네트워크"),), (Agent(KIM, "김지은"),))


class Calls(CallStore):
    """Knows the calls it was given."""

    def __init__(self, *records: CallRecord) -> None:
        self._records = {record.id: record for record in records}

    async def get(self, call: CallId) -> CallRecord | None:
        return self._records.get(call)


async def test_a_ticket_learns_of_its_calls_by_the_names_people_use() -> None:
    answered = CallRecord(
        CallId("c1"), Direction.INBOUND, None, "1000", 5.0, NETWORK, agent=KIM, outcome=Outcome.ANSWERED
    )
    open_call = CallRecord(CallId("c2"), Direction.INBOUND, None, "1000", 6.0, QueueName("gone"))
    past = TicketCalls(Calls(answered, open_call), lambda: FLOOR)

    assert await past.lines_of([CallId("c1"), CallId("c2"), CallId("typed by hand")]) == {
        "c1": CallLine(moment(5.0), "네트워크", "김지은", "answered"),
        "c2": CallLine(moment(6.0), "gone", "", "open"),
    }
