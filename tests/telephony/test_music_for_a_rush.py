"""More callers wait than there is music for, or than the PBX can begin to play it to at once."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from changgu.acd.commands import Announce, Farewell, HangUpCaller, PlayMusicOnHold
from changgu.acd.events import CallArrived, CallerHungUp
from changgu.acd.identity import CallId
from changgu.telephony.queue_experience import BEGUN_AT_ONCE, MUSIC_AFTER, QueueExperience
from tests.support.switchboard import CALL, PC, open_switchboard

THIRD = Announce(CALL, PC, position=3, promise=110.0, comfort="잠시만 기다려 주십시오.")


async def test_a_rush_of_callers_hears_the_ringing_tone_until_there_is_music_for_them() -> None:
    second = CallId("c2")
    async with open_switchboard(most_listeners=1) as board:
        await board.caller_waits()
        await board.pbx.call_in(second, "1003")
        await board.until_posted(CallArrived(second, PC))
        board.do(PlayMusicOnHold(second, PC))
        await asyncio.wait_for(board.pbx.until_asked("POST", "c1/moh"), 5)
        await asyncio.sleep(2 * MUSIC_AFTER)  # longer than anybody is without music otherwise
        assert [asked for asked in board.requests() if "c2" in asked] == [], "no sound, no cost"

        await board.talks()
        await board.pbx.until_asked("POST", "c2/moh")
        assert board.requests().index("POST channels/c2/answer") < board.requests().index("POST channels/c2/moh")


async def test_who_never_heard_music_is_answered_as_they_are_joined() -> None:
    async with open_switchboard(most_listeners=0) as board:
        await board.caller_waits(music=False)
        board.do(PlayMusicOnHold(CALL, PC))
        await board.talks()
        asked = board.requests()
        assert asked.index("POST channels/c1/answer") < asked.index("POST bridges/call-c1/addChannel")
        assert "POST channels/c1/moh" not in asked


async def test_an_announcement_is_made_to_those_without_music_too() -> None:
    async with open_switchboard(most_listeners=0) as board:
        await board.caller_waits(music=False)
        board.do(PlayMusicOnHold(CALL, PC), THIRD)
        await board.pbx.until_asked("POST", "c1/play")
        asked = board.requests()
        assert asked.index("POST channels/c1/answer") < asked.index("POST channels/c1/play")
        assert "POST channels/c1/moh" not in asked


async def test_who_hangs_up_leaves_the_music_to_who_has_waited_longest() -> None:
    second, third = CallId("c2"), CallId("c3")
    async with open_switchboard(most_listeners=1) as board:
        await board.caller_waits()
        for call in (second, third):
            await board.pbx.call_in(call, "1003")
            await board.until_posted(CallArrived(call, PC))
            board.do(PlayMusicOnHold(call, PC))
            await asyncio.sleep(2 * MUSIC_AFTER)  # each asks for music in their turn
        await board.pbx.hang_up(CALL)
        await board.until_posted(CallerHungUp(CALL))
        board.do(HangUpCaller(CALL, Farewell.NONE))
        await board.pbx.until_asked("POST", "c2/moh")
        assert "POST channels/c3/moh" not in board.requests()


async def test_music_that_was_meant_for_somebody_who_is_joined_at_the_same_time_goes_to_the_next() -> None:
    """Who has waited longest is next for the music and for an agent: in a rush, both happen at once."""
    second, third = CallId("c2"), CallId("c3")
    async with open_switchboard() as board:
        turns: list[tuple[CallId, Callable[[], Coroutine[Any, Any, None]]]] = []

        def later(call: CallId, do: Callable[[], Coroutine[Any, Any, None]]) -> None:
            turns.append((call, do))

        sound = QueueExperience(board.ari, later, asyncio.ensure_future, None, "ko", most_listeners=1)
        for number, call in enumerate((CALL, second, third), 1):
            sound.music(call)
            await board.until(lambda wanted=number: len(turns) == wanted)  # type: ignore[misc]
        while turns:
            await turns.pop(0)[1]()

        sound.end(CALL)
        sound.end(second)
        while turns:
            await turns.pop(0)[1]()
        assert "POST channels/c3/moh" in board.requests()


async def test_a_rush_of_callers_who_begin_to_wait_does_not_stand_before_who_has_picked_up() -> None:
    """The PBX serves its line in order: it was asked for everybody's music first, and agents hung up on silence."""
    rush = [CallId(f"c{number}") for number in range(1, 2 * BEGUN_AT_ONCE + 1)]
    async with open_switchboard() as board:
        begun, may_begin = [], asyncio.Event()

        async def answer(call: CallId) -> None:
            begun.append(call)
            await may_begin.wait()

        tasks = set[asyncio.Future[None]]()

        def later(_call: CallId, do: Callable[[], Coroutine[Any, Any, None]]) -> None:
            tasks.add(asyncio.ensure_future(do()))

        sound = QueueExperience(board.ari, later, asyncio.ensure_future, None, "ko", answer=answer)
        for call in rush:
            sound.music(call)
        await board.until(lambda: len(tasks) == len(rush))
        await asyncio.gather(*(asyncio.sleep(0) for _ in rush))
        assert begun == rush[:BEGUN_AT_ONCE]

        joined, gone = rush[BEGUN_AT_ONCE], rush[0]  # one who has not heard a sound yet, and one who is about to
        assert sound.end(joined) == []
        sound.forget(gone)
        may_begin.set()
        await board.until(lambda: len(begun) == len(rush) - 1)
        await asyncio.gather(*tasks)
        assert begun == [call for call in rush if call != joined]


async def test_who_hung_up_before_they_began_to_wait_takes_nobodys_music() -> None:
    gone, second = CallId("c8"), CallId("c2")
    async with open_switchboard(most_listeners=1) as board:
        board.do(PlayMusicOnHold(gone, PC))  # their hang-up was heard before the ACD heard of the call
        await board.pbx.until_asked("POST", "c8/moh")
        await board.pbx.call_in(second, "1003")
        await board.until_posted(CallArrived(second, PC))
        board.do(PlayMusicOnHold(second, PC))
        await board.pbx.until_asked("POST", "c2/moh")
