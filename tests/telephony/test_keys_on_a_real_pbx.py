"""A caller who presses what the menu does not know, and then nothing, on the real Asterisk with a real SIP phone."""

from pathlib import Path

import pytest

from changgu.acd.facts import CallQueued, MenuStepTaken
from tests.support.real_pbx import real_pbx
from tests.support.room_phones import Phones
from tests.support.telephone_room import LONG_MENU, MENU_HERTZ, Room
from tests.support.tones import tone_seconds

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]

plan, pbx, room, phones = real_pbx("keys", rtp_first=22600)


async def test_wrong_keys_say_the_menu_again_and_silence_after_that_reaches_a_person(
    room: Room, phones: Phones, tmp_path: Path
) -> None:
    await phones.caller("c1")
    await room.fact(MenuStepTaken, node="services")
    heard = 0.0
    for _ in range(2):
        await phones.hears("c1", MENU_HERTZ, heard + 0.5)
        await phones.press("c1", "7")
        heard = tone_seconds(tmp_path / "c1.wav", MENU_HERTZ)
    queued = await room.fact(CallQueued, within=40)
    assert queued.queue == "helpdesk"
    assert [fact.node for fact in room.facts if isinstance(fact, MenuStepTaken)][-1] == "operator"
    whole = tone_seconds(tmp_path / "c1.wav", MENU_HERTZ)
    assert LONG_MENU < whole < 2 * LONG_MENU, "two wrong keys cut the menu short, the third time it is said to its end"
    await phones.hang_up("c1")
    await phones.ended("c1")
