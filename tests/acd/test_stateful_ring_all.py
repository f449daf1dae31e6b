"""All phones ring at once: whoever comes and goes meanwhile, those ring who may, and the oracle sees the same."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from changgu.acd import events as e
from changgu.acd.agent_state import AgentState, NotReadyReason
from changgu.acd.facts import Departure
from changgu.acd.identity import AgentId, CallbackId, QueueName
from changgu.acd.queues import Destination, Floor, Overflow, Seat, Way
from tests.acd.oracle_floors import LOGINS, NUMBERS, QUEUES, Kind
from tests.acd.test_stateful import AnyFloor, indexes, logins

pytestmark = [pytest.mark.patient, pytest.mark.timeout(1500)]

MEANWHILE = [
    "comes", "comes", "comes", "all come", "is silent", "is silent", "is taken away", "is taken away",
    "loses the phone", "opens", "opens", "calls", "is called back", "picks up", "picks up", "waits", "sit elsewhere",
    "leaves the queue",
]  # fmt: skip
"""What happens to agents and callers while phones ring."""

happenings = st.lists(st.tuples(st.sampled_from(MEANWHILE), st.integers(0, 255)), min_size=12, max_size=24)
beginnings = st.sampled_from(["calls", "calls", "is called back"])


def counts_callers(rule: Overflow) -> bool:
    """Whether an overflow rule asks only how many callers there are and how long they have waited."""
    return rule.when in (Departure.FULL, Departure.WAITED)


class RingAllFloor(AnyFloor):
    """Most serve all queues, at one level or another, and all their phones ring; rules count callers and not agents.

    Phones that rang together are silent together, and whether a rule that counts agents holds at that instant depends
    on which of the limits is looked at first.
    """

    @initialize(data=st.data(), index=indexes, begins=beginnings, first=logins, then=happenings)
    def open(
        self, data: st.DataObject, index: int, begins: str, first: AgentId, then: list[tuple[str, int]]
    ) -> None:  # fmt: skip
        super().open(data)
        self.much_happens_while_phones_ring(index, begins, first, then)

    def a_kind(self, data: st.DataObject) -> Kind:
        return replace(super().a_kind(data), strategy="ring_all")

    def a_plan(self, data: st.DataObject) -> Floor:
        """Key 9 opens a queue to agents of another one."""
        plan, levels_of = super().a_plan(data), st.sampled_from([1, 1, 2, 2, 2, 3])
        delays_of = st.sampled_from([timedelta(0), timedelta(0), timedelta(seconds=5)])
        agents = []
        for agent in plan.agents:
            served = data.draw(st.sampled_from([frozenset(QUEUES), agent.queues]))
            seats = {queue: Seat(data.draw(levels_of), data.draw(delays_of)) for queue in QUEUES if queue in served}
            agents.append(replace(agent, queues=served, seats=seats))
        ring_all = []
        for queue in plan.queues:
            keys = {**queue.keys, "9": Destination(Way.OPEN, QUEUES[QUEUES.index(queue.name) - 1])}
            ring_all.append(replace(queue, keys=keys, overflows=tuple(filter(counts_callers, queue.overflows))))
        return replace(plan, queues=tuple(ring_all), agents=tuple(agents))

    def an_emergency(self, data: st.DataObject, ordinary: Floor) -> Floor:
        return self.a_plan(data)

    @rule(index=indexes, begins=beginnings, first=logins, then=happenings)
    def much_happens_while_phones_ring(
        self, index: int, begins: str, first: AgentId, then: list[tuple[str, int]]
    ) -> None:  # fmt: skip
        """Nearer and farther agents come and go, steps fall due, levels change: each moment those ring who may."""
        for call in list(self.watch.books.calls):
            self.tell(e.CallerHungUp(call))
        for login in LOGINS:
            self.tell(e.AgentReady(login))
            self.tell(e.PhoneReachable(login))
            if login != first:
                self.tell(e.AgentNotReady(login, NotReadyReason.BREAK))
        there = self.watch.floor.queues
        queue = there[index % len(there)].name
        for what, number in [(begins, index), *then]:
            self.meanwhile(what, number, queue)

    def meanwhile(self, what: str, number: int, queue: QueueName) -> None:
        """One thing happens, to whom the number says."""
        login = LOGINS[number % len(LOGINS)]
        attempts = self.open_attempts(AgentState.RESERVED)
        rung = attempts[number % len(attempts)] if attempts else None
        match what:
            case "comes":
                self.tell(e.AgentReady(login))
            case "all come":
                self.everybody_is_willing()
            case "is silent" if rung is not None:
                self.tell_of_attempt(e.RingFailed, *rung)
            case "is taken away" if rung is not None:
                self.tell(e.AgentForced(rung[0], AgentState.LOGGED_OUT, "supervisor"))
            case "loses the phone":
                self.tell(e.PhoneUnreachable(login))
                self.tell(e.PhoneReachable(login))
            case "opens":
                self.tell(e.KeyPressed(self.call(0), "9"))
            case "calls":
                self.somebody_calls(queue, skills=frozenset({"vpn"} if number % 3 == 0 else ()))
            case "is called back":
                self.asked += 1
                self.tell(e.CallbackAsked(CallbackId(f"b{self.asked}"), str(NUMBERS[number % 4]), queue))
            case "picks up":
                for page in list(self.watch.books.outbound.values()):
                    if page.dialling:
                        self.tell(e.PersonReached(page.call))
            case "waits":
                self.time_passes(5.0)
            case "leaves the queue":
                self.configure(self.with_seats(queue, {rung[0] if rung is not None else login: 0}))
            case "sit elsewhere":
                digits = {one: number // 4**place % 4 for place, one in enumerate(LOGINS)}
                self.configure(self.with_seats(queue, digits))
            case _:
                pass

    def with_seats(self, queue: QueueName, levels: dict[AgentId, int]) -> Floor:
        """The floor in which these agents have another level in a queue; 0: serve only one that key 9 does not open."""
        agents = []
        for agent in self.watch.floor.agents:
            if (level := levels.get(agent.login)) is not None:
                served = agent.queues | {queue} if level else frozenset({QUEUES[QUEUES.index(queue) - 2]})
                agent = replace(agent, queues=served, seats={**agent.seats, queue: Seat(max(1, level))})
            agents.append(agent)
        return replace(self.watch.floor, agents=tuple(agents))


RingAllFloor.TestCase.settings = settings(AnyFloor.TestCase.settings, max_examples=400, stateful_step_count=6)
TestRingAllFloor = RingAllFloor.TestCase
