"""Keys: kept in order, counted once."""

import asyncio

from changgu.acd.identity import CallId
from changgu.telephony.handset import KEYS_KEPT, SOUNDS, Handset


def pressed(handset: Handset, keys: str, at: float = 0.0, gap: float = 0.3) -> None:
    for number, key in enumerate(keys):
        handset.press(key, at + number * gap, held=0.2)


async def read(handset: Handset) -> str:
    keys = ""
    while handset.pressed:
        keys += await handset.next_key(1) or ""
    return keys


async def test_keys_wait_in_their_order() -> None:
    handset = Handset(CallId("c"))
    pressed(handset, "1123*#")

    assert await read(handset) == "1123*#"


async def test_one_press_told_twice_counts_once() -> None:
    handset = Handset(CallId("c"))
    for at in (1.00, 1.02, 1.24, 1.26, 1.50):
        handset.press("2", at, held=0.2)

    assert await read(handset) == "222"


async def test_a_flood_of_keys_is_bounded() -> None:
    handset = Handset(CallId("c"))
    pressed(handset, "12" * 5_000)

    assert len(await read(handset)) == KEYS_KEPT


async def test_the_hash_after_a_complete_number_belongs_to_that_number() -> None:
    handset = Handset(CallId("c"))
    handset.swallow_next("#")
    pressed(handset, "#1")
    assert await read(handset) == "1"

    pressed(handset, "#1", at=10)
    handset.swallow_next("#")
    assert await read(handset) == "1"

    handset.swallow_next("#")
    pressed(handset, "1#", at=20)
    assert await read(handset) == "1#", "only the very next key can be that hash"


async def test_no_key_in_time_is_none() -> None:
    assert await Handset(CallId("c")).next_key(0.01) is None


async def test_a_key_wakes_who_listens_to_a_prompt_unless_it_must_be_heard() -> None:
    handset = Handset(CallId("c"))
    first = handset.begin_playback()
    cut = asyncio.create_task(handset.until_heard(first, interruptible=True))
    await asyncio.sleep(0)
    pressed(handset, "1")
    assert await cut is True

    second = handset.begin_playback()
    heard = asyncio.create_task(handset.until_heard(second, interruptible=False))
    await asyncio.sleep(0)
    pressed(handset, "2", at=5)
    await asyncio.sleep(0)
    assert not heard.done()
    handset.playback_finished(first)
    await asyncio.sleep(0)
    assert not heard.done(), "the end of an earlier prompt is no news"
    handset.playback_finished(second)
    assert await heard is False


def test_a_callers_sounds_take_few_names_in_turn_and_none_that_may_still_be_heard() -> None:
    handset = Handset(CallId("c"))
    names = []
    for _ in range(2 * SOUNDS):
        names.append(handset.begin_playback())
        handset.playback_finished(names[-1])
    assert names == [f"c-sound-{number}" for number in (1, 2, 3, 4)] * 2

    lingers = handset.begin_playback()
    handset.stopped(lingers)
    others = []
    for _ in range(SOUNDS):
        others.append(handset.begin_playback())
        handset.playback_finished(others[-1])
    assert lingers not in others, "it was told to end, and may end only now"
    handset.playback_finished(lingers)
    assert lingers in {handset.begin_playback() for _ in range(SOUNDS)}


def test_with_all_names_taken_there_are_further_ones() -> None:
    handset = Handset(CallId("c"))
    names = [handset.begin_playback() for _ in range(SOUNDS + 3)]

    assert len(set(names)) == SOUNDS + 3


def test_what_a_caller_who_was_found_again_may_hear_still_is_told_until_its_end_is_known() -> None:
    handset = Handset(CallId("c"), found_again=True)
    before = handset.sounds_from_before()

    assert before == [f"c-sound-{number}" for number in range(1, SOUNDS + 1)]
    assert handset.begin_playback() not in before
    for name in before:
        assert name in handset.sounds_from_before()
        handset.playback_finished(name)
    assert handset.sounds_from_before() == []
    assert handset.begin_playback() == "c-sound-1"
    assert Handset(CallId("c")).sounds_from_before() == []
