"""A version is the whole menu: its sub-flows, hours and sentences go on the air and come back with it (TEC-04)."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import update

from changgu.app.floor_keeper import menu_files
from changgu.ground.database import Database
from changgu.ivr_flows.flow import Flow
from changgu.ivr_flows.loader import load
from changgu.ivr_flows.menu_set import MenuSet, carried, worded
from changgu.ivr_flows.nodes import CollectDigits, NamedPrompt, NodeName
from changgu.ivr_flows.publishing.store import DraftRow, VersionRow
from changgu.ivr_flows.publishing.versions import How
from changgu.ivr_flows.service import shipped_menu
from changgu.ivr_flows.session import Visit, start
from changgu.ivr_flows.spoken import ANSWER_PROMPTS
from changgu.ivr_flows.turns import Play
from tests.ivr_flows.menu_house import BOSS, DEPUTY, MenuHouse

OFFICE = shipped_menu("office").read_text("utf-8").replace("flow: office", "flow: main")
IDENTIFY = shipped_menu("identify").read_text("utf-8")
HOURS = shipped_menu("calendars").read_text("utf-8")
LONGER_PIN = IDENTIFY.replace("max: 8", "max: 6")
FOUNDED = date(2026, 12, 24)
WITH_A_HOLIDAY = HOURS.replace("days: {}", f"days: {{{FOUNDED}: 창립기념일}}")


async def office(folder: Path, database: Database) -> MenuHouse:
    """A desk whose own tree asks for PINs, and keeps hours."""
    (folder / "menus").mkdir()
    (folder / "menus" / "main.yaml").write_text(OFFICE, "utf-8")
    house = MenuHouse(folder, database)
    await house.open()
    return house


def longest_pin(flow: Flow) -> int:
    node = flow.flows["identify"].nodes[NodeName("ask_pin")]
    assert isinstance(node, CollectDigits)
    return node.max


def holiday(flow: Flow) -> str:
    return flow.calendars["desk"].holiday_on(FOUNDED)


def greeting(flow: Flow) -> list[str]:
    """What a caller hears first, in the words of their version; empty for words of the desk's catalogue."""
    steps = worded(start(flow, Visit()), flow.sentences).steps
    return [prompt.text for step in steps if isinstance(step, Play) for prompt in step.prompts
            if isinstance(prompt, NamedPrompt) and prompt.name == "greeting"]  # fmt: skip


async def publish_part(house: MenuHouse, part: str, text: str) -> int:
    draft = await house.versions.working_draft()
    saved = await house.versions.save_draft(text, draft.revision, BOSS, part)
    return (await house.versions.publish(saved.revision, "", None, BOSS)).number


async def test_a_version_carries_all_that_its_tree_needs_and_no_more(tmp_path: Path, database: Database) -> None:
    house = await office(tmp_path, database)
    (version,) = house.versions.history.versions
    assert dict(version.menu.flows) == {"identify": IDENTIFY}  # and not the survey, which it does not call
    assert version.menu.calendars == HOURS
    assert version.menu.sentences["en"]["ask_pin"]
    assert "survey_hello" not in version.menu.sentences["ko"]


TELLS_OF_A_TICKET = """flow: f
start: newest
person: operator
nodes:
  newest: {{kind: look_up, source: newest_ticket, key: "7", name: newest, found: told, not_found: operator}}
  told: {{kind: say, say: {said}, next: operator}}
  operator: {{kind: to_queue, say: person, queue: helpdesk}}
"""


@pytest.mark.parametrize(
    "said",
    ["{value: newest, as: ticket}", '{text: "접수하신 건: {newest:ticket}"}', '{ko: "건", en: "It: {newest:ticket}"}'],
)
def test_a_version_carries_the_sentences_of_a_ticket_however_it_is_told(said: str) -> None:
    text = TELLS_OF_A_TICKET.format(said=said)
    files = MenuSet("", sentences={"ko": {name: name for name in (*ANSWER_PROMPTS, "person", "greeting")}})

    menu = carried(MenuSet(text), files, load(text, "f.yaml", None, {}))

    assert set(menu.sentences["ko"]) >= {*ANSWER_PROMPTS, "person"}
    assert "greeting" not in menu.sentences["ko"]


async def test_a_sub_flow_is_drafted_published_and_rolled_back_with_its_tree(
    tmp_path: Path, database: Database
) -> None:
    house = await office(tmp_path, database)
    before = house.versions.begin("c1", "1000").flow

    assert await publish_part(house, "identify", LONGER_PIN) == 2

    assert longest_pin(house.versions.begin("c2", "1000").flow) == 6
    assert longest_pin(before) == 8
    assert house.versions.begin("c1", "1000").flow is before
    await house.versions.roll_back(1, "", DEPUTY)
    assert longest_pin(house.versions.begin("c3", "1000").flow) == 8


async def test_a_file_that_changes_beside_a_published_menu_changes_that_part_alone(
    tmp_path: Path, database: Database
) -> None:
    house = await office(tmp_path, database)
    await publish_part(house, "", OFFICE.replace("longest: 180", "longest: 60"))
    (tmp_path / "menus" / "calendars.yaml").write_text(WITH_A_HOLIDAY, "utf-8")
    assert holiday(house.versions.current("1000").flow) == ""  # nobody asked to read files again

    assert await house.keeper.reload()

    last = house.versions.history.versions[-1]
    assert (last.number, last.origin, holiday(house.versions.current("1000").flow)) == (
        3, str(tmp_path / "menus" / "main.yaml"), "창립기념일",
    )  # fmt: skip
    assert "longest: 60" in last.menu.text  # what was written in the browser is not undone
    assert house.versions.history.publications[-1].how is How.FILE
    await house.keeper.reload()
    assert len(house.versions.history.versions) == 3

    await house.versions.roll_back(2, "", BOSS)
    assert holiday(house.versions.current("1000").flow) == ""
    await house.keeper.reload()
    assert holiday(house.versions.current("1000").flow) == ""  # the file has not changed since it was taken up


async def test_a_sentence_is_said_in_the_words_of_the_version_that_the_caller_began_with(house: MenuHouse) -> None:
    old = house.versions.begin("c1", "1000").flow
    saved = await house.versions.save_sentence("greeting", "ko", "반갑습니다. 새 창구입니다.", 0, BOSS)
    await house.versions.publish(saved.revision, "", None, BOSS)

    new = house.versions.begin("c2", "1000").flow
    assert greeting(new) == ["반갑습니다. 새 창구입니다."]
    assert greeting(house.versions.begin("c1", "1000").flow) == greeting(old) != greeting(new)
    assert house.menu.sentences()["ko"]["greeting"] == "반갑습니다. 새 창구입니다."

    await house.versions.roll_back(1, "", BOSS)
    assert greeting(house.versions.begin("c3", "1000").flow) == greeting(old)


async def test_the_sites_own_sentence_in_a_file_is_a_version_too(house: MenuHouse) -> None:
    prompts = house.folder / "prompts"
    prompts.mkdir()
    (prompts / "ko.toml").write_text('goodbye = "안녕히 가십시오."\nsomething_else = "다른 말."\n', "utf-8")
    assert await house.keeper.reload()
    last = house.versions.history.versions[-1]
    assert (last.number, last.menu.sentences["ko"]["goodbye"]) == (2, "안녕히 가십시오.")
    assert "something_else" not in last.menu.sentences["ko"]

    (prompts / "ko.toml").write_text('goodbye = "안녕히 가십시오."\nsomething_else = "또 다른 말."\n', "utf-8")
    assert await house.keeper.reload()
    assert len(house.versions.history.versions) == 2  # the menu does not say it


async def test_a_version_that_was_on_the_air_keeps_the_hours_it_had(tmp_path: Path, database: Database) -> None:
    house = await office(tmp_path, database)
    saved = await house.versions.save_draft(OFFICE.replace("longest: 180", "longest: 60"), 0, BOSS)
    await house.versions.publish(saved.revision, "", house.clock.replace(hour=3), BOSS)
    (tmp_path / "menus" / "calendars.yaml").write_text(WITH_A_HOLIDAY, "utf-8")
    house.wind(hours=4)
    assert await house.keeper.reload()
    assert house.versions.history.version(2).menu.calendars == HOURS


async def test_versions_of_an_older_changgu_are_given_what_lies_beside_them(
    tmp_path: Path, database: Database
) -> None:
    before = await office(tmp_path, database)
    await publish_part(before, "", OFFICE.replace("longest: 180", "longest: 60"))
    async with database.transaction() as session:
        await session.execute(update(VersionRow).values(beside=None, own_files=None))

    again = MenuHouse(tmp_path, database)
    again.clock = before.clock
    await again.open()

    assert [(one.is_whole, dict(one.menu.flows)) for one in again.versions.history.versions] == [
        (True, {"identify": IDENTIFY})
    ] * 2
    assert again.versions.current("1000").version == 2
    assert await again.keeper.reload()
    assert len(again.versions.history.versions) == 2  # the site's file is as it was
    (tmp_path / "menus" / "calendars.yaml").write_text(WITH_A_HOLIDAY, "utf-8")
    assert await again.keeper.reload()
    assert holiday(again.versions.current("1000").flow) == "창립기념일"


async def test_the_draft_of_an_older_changgu_is_given_what_lies_beside_it(tmp_path: Path, database: Database) -> None:
    before = await office(tmp_path, database)
    shorter = OFFICE.replace("longest: 180", "longest: 60")
    saved = await before.versions.save_draft(shorter, 0, BOSS)
    async with database.transaction() as session:
        await session.execute(update(VersionRow).values(beside=None, own_files=None))
        await session.execute(update(DraftRow).values(beside=None))

    again = MenuHouse(tmp_path, database)
    again.clock = before.clock
    await again.open()

    draft = await again.versions.working_draft()
    assert (draft.revision, draft.base, draft.by, draft.at) == (saved.revision, saved.base, "boss", saved.at)
    assert (draft.menu.text, dict(draft.menu.flows), draft.menu.calendars) == (shorter, {"identify": IDENTIFY}, HOURS)
    assert draft.menu.sentences["en"]["ask_pin"]
    assert await publish_part(again, "identify", LONGER_PIN) == 2
    assert longest_pin(again.versions.current("1000").flow) == 6


async def test_a_draft_of_an_older_changgu_that_has_mistakes_can_be_mended_sub_flow_and_all(
    tmp_path: Path, database: Database
) -> None:
    before = await office(tmp_path, database)
    await before.versions.save_draft(OFFICE.replace("longest: 180", "longest: never"), 0, BOSS)
    async with database.transaction() as session:
        await session.execute(update(DraftRow).values(beside=None))

    again = MenuHouse(tmp_path, database)
    again.clock = before.clock
    await again.open()

    draft = await again.versions.working_draft()
    assert "longest: never" in draft.menu.text
    saved = await again.versions.save_draft(LONGER_PIN, draft.revision, BOSS, "identify")
    assert (saved.menu.flows["identify"], saved.menu.calendars) == (LONGER_PIN, HOURS)


async def test_a_sentence_that_is_edited_in_a_file_does_not_undo_a_roll_back(
    tmp_path: Path, database: Database
) -> None:
    house = await office(tmp_path, database)
    (tmp_path / "menus" / "main.yaml").write_text(OFFICE.replace("longest: 180", "longest: 15"), "utf-8")
    assert await house.keeper.reload()
    await house.versions.roll_back(1, "너무 짧음", BOSS)

    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "ko.toml").write_text('goodbye = "안녕히 가십시오."\n', "utf-8")
    assert await house.keeper.reload()

    last = house.versions.history.versions[-1]
    assert (last.number, last.menu.text) == (3, OFFICE)
    assert last.menu.sentences["ko"]["goodbye"] == "안녕히 가십시오."
    assert await house.keeper.reload()  # and not at the next start either
    assert len(house.versions.history.versions) == 3

    (tmp_path / "menus" / "main.yaml").write_text(OFFICE.replace("longest: 180", "longest: 90"), "utf-8")
    assert await house.keeper.reload()
    assert "longest: 90" in house.versions.history.versions[-1].menu.text


async def test_the_name_of_the_files_tells_the_sites_own_from_what_is_shipped(tmp_path: Path) -> None:
    assert menu_files(tmp_path).name == "changgu:main.yaml"
    (tmp_path / "menus").mkdir()
    (tmp_path / "menus" / "calendars.yaml").write_text(HOURS, "utf-8")
    files = menu_files(tmp_path)
    assert files.name == str(tmp_path / "menus" / "calendars.yaml")
    assert set(files.own_parts()) == {"hours"}
    same = replace(files.menu, calendars=HOURS.replace("\n", "\r\n"))
    assert same.digest() == files.menu.digest()
