"""Keys: kept in order, counted once."""

import asyncio

from changgu.acd.identity import CallId
from changgu.telephony.handset import KEYS_KEPT, Handset


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
