"""Real callers in real menus, many at once: on speech when nobody can listen, and hanging up wherever they are."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
import pytest_asyncio

from bench.menus import sounds_of
from changgu.telephony.soft_phone import SoftPhones
from tests.support.desk import Desk
from tests.support.many_callers import CallBook, ManyCallers, OneCaller
from tests.support.service import Changgu
from tests.support.waiting import eventually

pytestmark = [pytest.mark.alone, pytest.mark.asyncio(loop_scope="session")]

LISTENED_TO, CALLERS = 2, 30
STRANGERS = 40
"""At most so many call before the recognisers are there."""
EARS = f"""[speech]
at_once = {LISTENED_TO}

[voice]
use = "espeak"
"""
BY_VOICE = """flow: main
title: 말로
start: topic
person: operator

nodes:
  topic:
    kind: collect_speech
    say: ask_topic
    keys_say: ask_topic_by_key
    name: topic
    first_timeout: 20
    grammar:
      choices:
        - {value: pc, words: [컴퓨터, 프린터], key: 1}
        - {value: network, words: [네트워크, 인터넷], key: 2}
    next: by_topic
    failed: operator
  by_topic:
    kind: condition
    when: [{value: topic, is: pc, go: pc}]
    otherwise: network
  pc: {kind: to_queue, queue: pc}
  network: {kind: to_queue, queue: network}
  operator: {kind: to_queue, queue: helpdesk}
"""
SENTENCES = """ask_topic = "말씀하십시오."
ask_topic_by_key = "번호를 누르십시오."
"""


def troubles(house: Changgu) -> Iterator[str]:
    """Lines of the service's log that somebody should look at."""
    return (line for line in house.said if " ERROR " in line or " CRITICAL " in line or "Traceback" in line)


def ends(house: Changgu) -> dict[str, int]:
    """Call → how often the ledger says that it has ended."""
    with closing(sqlite3.connect(f"file:{house.data / 'changgu.sqlite'}?mode=ro", uri=True)) as ledger:
        return dict(ledger.execute("SELECT call, count(*) FROM ledger WHERE kind = 'CallEnded' GROUP BY call"))


async def nothing_is_left(house: Changgu) -> None:
    """Neither a channel nor a bridge is left on the PBX."""
    async with SoftPhones() as phones:
        await Desk(house, phones, phones, {}, house.folder).nothing_is_left()


@asynccontextmanager
async def opened(house: Changgu) -> AsyncIterator[Changgu]:
    """A desk that is open."""
    try:
        await house.up()
        await Desk.furnish(house)
        yield house
        assert await house.down() == 0
    finally:
        await house.close()


@pytest_asyncio.fixture(loop_scope="session")
async def two_ears(tmp_path: Path) -> AsyncIterator[Changgu]:
    """A desk that can listen to two callers at once, and asks everybody by voice."""
    house = Changgu(tmp_path / "ears", rtp=(21400, 21999), config=EARS)
    (house.data / "menus").mkdir(parents=True)
    (house.data / "menus" / "main.yaml").write_text(BY_VOICE)
    (house.data / "prompts").mkdir()
    (house.data / "prompts" / "ko.toml").write_text(SENTENCES)
    async with opened(house):
        yield house


async def test_thirty_callers_whom_nobody_can_listen_to_are_asked_by_keys_and_none_is_lost(two_ears: Changgu) -> None:
    """Two callers keep both recognisers busy; thirty more are asked by keys at once, and all are in the queue."""
    house = two_ears

    sounds = await sounds_of(house.data, {name: [name] for name in ("ask_topic", "ask_topic_by_key")})
    by_voice, by_keys = (set(sounds[name][0]) for name in ("ask_topic", "ask_topic_by_key"))
    async with CallBook(house) as book, ManyCallers(house, LISTENED_TO + CALLERS + STRANGERS) as telephones:
        listened_to = await _until_nobody_else_can_be_heard(house, telephones, by_voice - by_keys, by_keys - by_voice)
        crowd = [telephones.dial(f"0105551{n:04}") for n in range(CALLERS)]
        await asyncio.gather(*(one.answered() for one in crowd))

        async def all_asked_by_keys() -> bool:
            return all(len(telephones.heard(one) & by_keys) > len(by_keys) / 2 for one in crowd)

        await eventually(all_asked_by_keys, within=20, every=0.2)
        assert not any(telephones.heard(one) & (by_voice - by_keys) for one in crowd)
        await asyncio.gather(*(one.press("2") for one in crowd))
        await book.rows_of(crowd, lambda row: (row["queue"], row["outcome"]) == ("network", None))
        assert all(one.is_on_the_line for one in (*crowd, *listened_to))
        for one in (*crowd, *listened_to):
            one.hang_up()
        await book.rows_of(crowd, lambda row: row["outcome"] == "abandoned_in_queue")
        await book.rows_of(listened_to, lambda row: row["outcome"] == "abandoned_in_menu")
        await nothing_is_left(house)
    assert list(troubles(house)) == []


async def _until_nobody_else_can_be_heard(
    house: Changgu, telephones: ManyCallers, by_voice: set[int], by_keys: set[int]
) -> list[OneCaller]:
    """Callers who keep all recognisers busy by saying nothing; those who came before the model was loaded leave.

    `by_voice` and `by_keys`: the sound of that question and of no other.
    """
    found: list[OneCaller] = []
    for number in range(LISTENED_TO + STRANGERS):
        caller = telephones.dial(f"0105550{number:04}")
        await caller.answered()

        async def asked(caller: OneCaller = caller) -> set[int]:
            heard = telephones.heard(caller)
            return next((sound for sound in (by_voice, by_keys) if len(heard & sound) > len(sound) / 2), set())

        if await eventually(asked, every=0.2) == by_voice:
            found.append(caller)
        else:
            caller.hang_up()
        if len(found) == LISTENED_TO:
            await _all_are_listened_to(house)
            return found
    raise AssertionError(f"only {len(found)} callers are listened to")


async def _all_are_listened_to(house: Changgu) -> None:
    witness = await asyncio.to_thread(house.witness)
    try:

        async def their_sound_goes_out() -> bool:
            channels = await asyncio.to_thread(witness.channels)
            return sum("UnicastRTP" in channel for channel in channels) == LISTENED_TO

        await eventually(their_sound_goes_out)
    finally:
        await asyncio.to_thread(witness.close)
