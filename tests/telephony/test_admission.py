"""A storm of calls (F24): those who are here keep their place, those too many are refused, and nothing grows."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from changgu.acd.commands import Farewell, HangUpCaller
from changgu.acd.events import CallArrived, CallerDialledIn, CallerHungUp, Event
from changgu.acd.identity import CallId, QueueName
from changgu.telephony.admission import Admission, Verdict
from changgu.telephony.switch import Switch
from tests.support.fake_ari import FakeAri
from tests.support.waiting import eventually
from tests.telephony.test_inbound import Lobby

FULL = "지금은 대기하시는 분이 많습니다"


class Engine(list[Event]):
    """Keeps what was posted, and has those hung up on who were refused, as the ACD does."""

    switch: Switch

    def append(self, event: Event) -> None:
        super().append(event)
        if isinstance(event, CallerDialledIn) and event.turned_away:
            self.switch.do(HangUpCaller(event.call, Farewell.QUEUE_FULL))


@pytest.fixture
async def lobby() -> AsyncIterator[Lobby]:
    """A desk that takes three callers, and tells one at a time that it is full."""
    async with FakeAri() as pbx:
        engine = Engine()
        lobby = Lobby(pbx, posted=engine, admission=Admission(3))
        engine.switch = switch = Switch(lobby.ari, lobby.inbound, lobby.posted.append)
        running = [asyncio.create_task(one.run()) for one in (lobby.stream, lobby.inbound, switch)]
        await lobby.stream.wait_connected()
        yield lobby
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def turned_away(lobby: Lobby) -> list[str]:
    return [one.call for one in lobby.posted if isinstance(one, CallerDialledIn) and one.turned_away]


def test_callers_are_admitted_to_the_bound_then_told_then_given_the_busy_tone() -> None:
    admission = Admission(40)

    assert admission.verdict(39, 0) is Verdict.ADMITTED
    assert admission.verdict(40, 0) is Verdict.TOLD
    assert admission.verdict(40, 3) is Verdict.TOLD
    assert admission.verdict(40, 4) is Verdict.BUSY
    assert Admission(1).told_at_once == 1, "somebody is always told"


async def test_in_a_storm_those_on_the_line_keep_their_place_and_the_rest_are_refused(lobby: Lobby) -> None:
    lobby.pbx.prompts_end_at_once = False
    for number in range(20):
        await lobby.pbx.call_in(f"c{number}", exten="1002")
    await lobby.pbx.until(lambda: sum(one.query.get("reason") == "busy" for one in lobby.pbx.asked) == 16)

    await lobby.pbx.until(lambda: "c3" in lobby.pbx.playbacks.values())

    told = [one for one in lobby.pbx.playbacks.values() if one not in ("c0", "c1", "c2")]
    assert turned_away(lobby) == [f"c{number}" for number in range(3, 20)]
    assert told == ["c3"]
    assert lobby.pbx.channels.keys() == {"c0", "c1", "c2", "c3"}
    answered = {one.path.split("/")[1] for one in lobby.pbx.asked if one.path.endswith("/answer")}
    assert answered == {"c0", "c1", "c2", "c3"}, "who gets the busy tone is not answered: it costs them nothing"

    lobby.pbx.prompts_end_at_once = True
    for playback in list(lobby.pbx.playbacks):
        await lobby.pbx.finish(playback)
    for number in range(3):
        await lobby.until_posted(CallArrived(CallId(f"c{number}"), QueueName("network")))
    await lobby.pbx.until(lambda: "c3" not in lobby.pbx.channels)
    assert any(FULL in said for said in lobby.said())
    assert not any(isinstance(one, CallerHungUp) for one in lobby.posted), "a refused caller's end is no news"


async def test_after_a_storm_callers_are_taken_on_again(lobby: Lobby) -> None:
    for number in range(6):
        await lobby.pbx.call_in(f"c{number}", exten="1002")

    async def refused_are_gone() -> bool:
        refused = turned_away(lobby)
        return len(refused) == 3 and not set(refused) & lobby.inbound.callers.keys()

    await eventually(refused_are_gone, within=5, every=0.01)
    await lobby.pbx.hang_up("c0")
    await lobby.until_posted(CallerHungUp(CallId("c0")))
    await lobby.pbx.call_in("c9", exten="1002")

    await lobby.until_posted(CallArrived(CallId("c9"), QueueName("network")))
    assert "c9" not in turned_away(lobby)


async def test_callers_whom_agents_serve_do_not_count(lobby: Lobby) -> None:
    lobby.conversations = 2
    for number in range(5):
        await lobby.pbx.call_in(f"c{number}", exten="1002")
    await lobby.until_posted(CallArrived(CallId("c4"), QueueName("network")))

    assert turned_away(lobby) == []


async def test_who_waited_in_a_plain_queue_while_changgu_was_away_is_never_refused(lobby: Lobby) -> None:
    for number in range(3):
        await lobby.pbx.call_in(f"c{number}", exten="1002")
        await lobby.until_posted(CallArrived(CallId(f"c{number}"), QueueName("network")))
    lobby.pbx.channels["c8"] = type(next(iter(lobby.pbx.channels.values())))("c8", "returned,network")
    await lobby.pbx.start("c8")

    async def is_back() -> bool:
        return any(isinstance(one, CallArrived) and one.call == "c8" for one in lobby.posted)

    await eventually(is_back, within=5, every=0.01)
    assert turned_away(lobby) == []
