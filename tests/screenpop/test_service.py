"""The pop reaches the agent it concerns, in time, and says what it knows."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

import pytest

from changgu.acd.agent_words import AgentState
from changgu.acd.facts import (
    AgentStateChanged,
    CallQueued,
    CallStarted,
    Direction,
    OfferEnd,
    OfferEnded,
    WrapUpExtended,
)
from changgu.acd.identity import AgentId, CallbackId, CallId
from changgu.ground.trouble import Conflict, Forbidden, NotFound
from changgu.screenpop.caller import Confidence, Known, LookingUp, NotLookedUp, Several, Unknown, Withheld
from changgu.screenpop.pop import MenuChoice, PastCall, Pop, TicketLine
from tests.screenpop.conftest import HONG, NETWORK, PopHouse
from tests.support.waiting import eventually

T = TypeVar("T")
ALICE, BOB, C1 = AgentId("alice"), AgentId("bob"), CallId("c1")


async def soon(look: Callable[[], T]) -> T:
    async def looked() -> T:
        return look()

    return await eventually(looked, within=5, every=0.005)


def pop_of(house: PopHouse, agent: AgentId = ALICE) -> Pop:
    pop = house.pop.pop_of(agent)
    assert pop is not None
    return pop


async def known(house: PopHouse, agent: AgentId = ALICE) -> Known:
    await soon(lambda: isinstance(pop_of(house, agent).identification, Known))
    identification = pop_of(house, agent).identification
    assert isinstance(identification, Known)
    return identification


async def test_the_pop_is_there_at_the_ring_even_when_the_directory_is_slow(house: PopHouse) -> None:
    house.people.gate.clear()
    screen = house.desktop()
    house.queued("c1")
    house.at += 30
    house.offered("c1")

    (pop,) = screen.pops
    assert isinstance(pop, Pop)
    assert pop.identification == LookingUp()
    assert (pop.number, pop.queue_title, pop.waited_seconds) == ("01012345678", "네트워크", 30)
    assert pop.menu_path == (MenuChoice("vpn", "2", "VPN"),)

    house.people.gate.set()
    assert (await known(house)).person == HONG


async def test_a_caller_is_looked_up_while_still_in_the_menu(house: PopHouse) -> None:
    house.queued("c1")
    await soon(lambda: C1 in house.pop._known)

    house.offered("c1")

    assert isinstance(pop_of(house).identification, Known)


async def test_tickets_and_earlier_calls_of_the_person_follow(house: PopHouse) -> None:
    house.tickets.of_person["1"] = [TicketLine("2025174", "VPN 접속이 끊김", "할당")]
    house.past.known = {CallId("p1"): PastCall(CallId("p1"), 500.0, "네트워크", "answered")}
    house.ring("p1")
    await soon(lambda: isinstance(pop_of(house).identification, Known))
    house.ended("p1")
    await eventually(lambda: house.identified.people_of([CallId("p1")]))

    house.ring("c1")

    await soon(lambda: pop_of(house).tickets)
    assert [ticket.number for ticket in pop_of(house).tickets] == ["2025174"]
    assert [call.call for call in pop_of(house).past_calls] == ["p1"]


async def test_a_call_is_shown_only_to_the_agent_it_concerns(house: PopHouse) -> None:
    alice, bob = house.desktop("alice"), house.desktop("bob")

    house.ring("c1", agent="alice")
    await known(house)

    assert alice.pops
    assert bob.pops == []


async def test_an_unanswered_offer_takes_the_pop_away_before_the_next_agent_sees_it(house: PopHouse) -> None:
    alice, bob = house.desktop("alice"), house.desktop("bob")
    offer = house.ring("c1", agent="alice")
    house.unanswered("c1", offer)
    house.offered("c1", "bob")

    assert alice.pops[-1] is None
    assert house.pop.pop_of(ALICE) is None
    assert isinstance(bob.pops[-1], Pop)


async def test_when_every_phone_rings_everybody_has_the_pop_and_who_is_not_first_is_told_who_was(
    house: PopHouse,
) -> None:
    alice, bob = house.desktop("alice"), house.desktop("bob")
    first, second = house.ring("c1", agent="alice"), house.offered("c1", "bob")
    assert isinstance(alice.pops[-1], Pop)
    assert isinstance(bob.pops[-1], Pop)

    house.hear(OfferEnded(C1, ALICE, first, OfferEnd.ANSWERED_ELSEWHERE))
    house.connect("c1", second, "bob")

    assert alice.pops[-1] is None
    assert house.pop.pop_of(ALICE) is None
    state = house.pop.state_of(ALICE)
    assert (state.missed_why, state.missed_by) == ("answered_elsewhere", "밥")
    assert pop_of(house, BOB).number == "01012345678"


async def test_whom_we_call_back_is_looked_up_like_a_caller(house: PopHouse) -> None:
    house.hear(
        CallStarted(C1, Direction.OUTBOUND, "01012345678", "", CallbackId("b1")), CallQueued(C1, NETWORK, 0)
    )
    house.offered("c1")
    assert (await known(house)).person == HONG


async def test_a_wrap_up_ends_when_the_agents_own_or_a_longer_one_does(house: PopHouse) -> None:
    alice = house.floor.agents[0]
    house.floor = replace(house.floor, agents=(replace(alice, wrap_up=timedelta(seconds=45)), *house.floor.agents[1:]))
    offer = house.ring("c1")
    house.connect("c1", offer)
    house.ended("c1")
    house.hear(AgentStateChanged(ALICE, AgentState.TALKING, AgentState.WRAP_UP, call=C1))
    assert house.pop.state_of(ALICE).wrap_up_ends_at == house.at + 45

    house.hear(WrapUpExtended(ALICE, house.at + 105))
    assert house.pop.state_of(ALICE).wrap_up_ends_at == house.at + 105


async def test_every_tab_of_an_agent_shows_the_same(house: PopHouse) -> None:
    first, second = house.desktop(), house.desktop()

    house.ring("c1")
    await known(house)

    await soon(lambda: first.pops == second.pops)


async def test_the_waiting_time_is_final_when_both_hear_each_other(house: PopHouse) -> None:
    house.queued("c1")
    house.at += 10
    offer = house.offered("c1")
    house.at += 5
    house.connect("c1", offer)

    assert pop_of(house).waited_seconds == 15


async def test_withheld_unknown_and_shared_numbers_are_told_apart(house: PopHouse) -> None:
    house.ring("c1", None)
    assert pop_of(house).identification == Withheld()

    house.ring("c2", "01099990000", agent="bob")
    await soon(lambda: pop_of(house, BOB).identification == Unknown("01099990000"))

    house.ring("c3", "0221007777")
    await soon(lambda: isinstance(pop_of(house).identification, Several))


async def test_a_directory_that_cannot_be_asked_is_not_an_unknown_caller(house: PopHouse) -> None:
    house.people.broken = OSError("gone")

    house.ring("c1")

    await soon(lambda: pop_of(house).identification == NotLookedUp())


async def test_a_failing_look_up_does_not_stop_the_next_one(house: PopHouse) -> None:
    house.people.broken = OSError("gone")
    house.ring("c1")
    await soon(lambda: pop_of(house).identification == NotLookedUp())
    house.people.broken = None

    house.ring("c2", agent="bob")

    assert (await known(house, BOB)).person == HONG


async def test_an_agent_confirms_one_of_several_and_the_next_pop_says_so(house: PopHouse) -> None:
    house.ring("c1", "0221007777")
    await soon(lambda: isinstance(pop_of(house).identification, Several))

    await house.pop.confirm(ALICE, C1, "3", remember_number=False)

    identification = await known(house)
    assert (identification.person.name, identification.confidence) == ("이몽룡", Confidence.CONFIRMED)
    noted = (await house.identified.people_of([C1]))[C1]
    assert (noted.person_id, noted.by) == ("3", "alice")
    assert house.people.learnt == []
    assert house.tickets.callers == [(C1, "3", ALICE)]

    house.ended("c1")
    house.ring("c2", "0221007777", agent="bob")
    await soon(lambda: isinstance(pop_of(house, BOB).identification, Several))
    several = pop_of(house, BOB).identification
    assert isinstance(several, Several)
    assert [(one.name, one.confirmed_before) for one in several.candidates] == [("이몽룡", 1), ("성춘향", 0)]


async def test_the_directory_learns_a_number_only_when_the_agent_says_so(house: PopHouse) -> None:
    house.ring("c1", "01099990000")
    await soon(lambda: pop_of(house).identification == Unknown("01099990000"))

    await house.pop.confirm(ALICE, C1, "1", remember_number=True)

    assert house.people.learnt == [("1", "01099990000", "alice")]


async def test_a_withheld_number_cannot_be_learnt(house: PopHouse) -> None:
    house.ring("c1", None)

    with pytest.raises(Conflict):
        await house.pop.confirm(ALICE, C1, "1", remember_number=True)


async def test_an_agent_can_say_that_it_is_somebody_else(house: PopHouse) -> None:
    house.ring("c1")
    await known(house)
    await eventually(lambda: house.identified.people_of([C1]))

    await house.pop.reject(ALICE, C1)

    assert pop_of(house).identification == Unknown("01012345678")
    assert await house.identified.people_of([C1]) == {}


async def test_nobody_says_anything_about_a_call_at_another_desk(house: PopHouse) -> None:
    house.ring("c1", agent="bob")

    with pytest.raises(Forbidden):
        await house.pop.confirm(ALICE, C1, "1", remember_number=False)
    with pytest.raises(Forbidden):
        await house.pop.reject(ALICE, C1)


async def test_a_person_who_does_not_exist_is_not_confirmed(house: PopHouse) -> None:
    house.ring("c1")

    with pytest.raises(NotFound):
        await house.pop.confirm(ALICE, C1, "99", remember_number=False)


async def test_a_ticket_that_opens_during_the_call_appears_in_its_pop(house: PopHouse) -> None:
    offer = house.ring("c1")
    house.connect("c1", offer)
    house.tickets.of_call[C1] = [TicketLine("2026031", "네트워크 문의", "신규")]

    house.pop.ticket_changed(C1)

    await soon(lambda: [one.number for one in pop_of(house).call_tickets] == ["2026031"])


async def test_the_machines_guess_never_overrides_an_agents_word(house: PopHouse) -> None:
    house.people.gate.clear()
    house.ring("c1")
    await house.pop.confirm(ALICE, C1, "2", remember_number=False)
    house.people.gate.set()

    house.ring("c2", agent="bob")
    await eventually(lambda: house.identified.people_of([CallId("c2")]))

    assert (await house.identified.people_of([C1]))[C1].name == "성춘향"
    identification = pop_of(house).identification
    assert isinstance(identification, Known)
    assert identification.person.name == "성춘향"


async def test_after_a_restart_a_conversation_that_went_on_has_its_pop_again(house: PopHouse) -> None:
    offer = house.ring("c1")
    house.connect("c1", offer)
    again = house.screen_pop()

    again.restore(house.heard)
    again.attach(ALICE, house.desktop())
    looking_up = asyncio.create_task(again.run())

    async def found() -> bool:
        pop = again.pop_of(ALICE)
        return pop is not None and isinstance(pop.identification, Known)

    await eventually(found, within=5)
    await again.settled()
    looking_up.cancel()
    await asyncio.gather(looking_up, return_exceptions=True)
    assert again.call_of(ALICE) == house.pop.call_of(ALICE)
    assert again.state_of(ALICE) == house.pop.state_of(ALICE)


async def test_for_an_agent_without_a_page_the_past_is_looked_up_when_it_opens(house: PopHouse) -> None:
    alone = house.screen_pop()
    looking_up = asyncio.create_task(alone.run())
    house.ring("c1")
    for recorded in house.heard:
        alone.hear(recorded)
    await alone.settled()
    house.tickets.of_call[C1] = [TicketLine("2026031", "네트워크 문의", "신규")]
    alone.attach(ALICE, house.desktop())
    await alone.settled()
    pop = alone.pop_of(ALICE)
    assert pop is not None
    assert isinstance(pop.identification, Known)
    assert [ticket.number for ticket in pop.call_tickets] == ["2026031"]
    looking_up.cancel()
    await asyncio.gather(looking_up, return_exceptions=True)


async def test_calls_that_ended_leave_nothing_behind(house: PopHouse) -> None:
    for number in range(50):
        house.queued(f"c{number}")
        house.ended(f"c{number}")

    assert (house.pop._known, house.pop._to_identify, house.pop._desks.calls) == ({}, {}, {})
