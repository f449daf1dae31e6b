"""Versions of the menu: drafted, published, rolled back, scheduled; nobody's call changes its menu."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from changgu.acd.identity import AgentId, QueueName
from changgu.acd.queues import Agent
from changgu.app.floor_keeper import menu_files
from changgu.ground.access import Actor, Role
from changgu.ground.database import Database
from changgu.ground.trouble import BadInput, Conflict, Forbidden, NotFound
from changgu.ivr_flows.flow import Flow
from changgu.ivr_flows.loader import Report
from changgu.ivr_flows.menu_set import MenuSet
from changgu.ivr_flows.nodes import Menu, NodeName, Say
from changgu.ivr_flows.problems import FlowErrors
from changgu.ivr_flows.publishing.store import DraftRow
from changgu.ivr_flows.publishing.versions import DRAFT, Draft, How
from tests.ivr_flows.menu_house import BOSS, DEPUTY, MAIN, PILOT, MenuHouse
from tests.support.waiting import eventually

CHANGED = MAIN.replace("repeats: 2", "repeats: 3")
ONCE = MAIN.replace("repeats: 2", "repeats: 1")
FOR_DORA = MAIN.replace("queue: pc", "queue: pc\n    agent: dora")
DORA = Agent(AgentId("dora"), "최도라", frozenset({QueueName("pc")}))
BROKEN = MAIN.replace("1: pc", "1: nowhere")


async def publish(house: MenuHouse, text: str, note: str = "") -> int:
    draft = await house.versions.working_draft()
    saved = await house.versions.save_draft(text, draft.revision, BOSS)
    return (await house.versions.publish(saved.revision, note, None, BOSS)).number


def repeats(house: MenuHouse, number: str = "1000") -> int:
    node = house.versions.current(number).flow.nodes[NodeName("services")]
    assert isinstance(node, Menu)
    return node.repeats


async def test_a_desk_opens_with_the_menu_that_comes_with_it_as_version_one(house: MenuHouse) -> None:
    (version,) = house.versions.history.versions
    assert (version.number, version.by, house.versions.current("1000").version) == (1, "changgu:main.yaml", 1)
    assert (await house.versions.working_draft()).menu.text == MAIN


async def test_what_is_published_answers_the_next_call_and_says_who_and_why(house: MenuHouse) -> None:
    before = house.versions.begin("c1", "1000")
    house.wind(minutes=5)

    assert await publish(house, CHANGED, "한 번 더 들려줌") == 2

    assert repeats(house) == 3
    assert house.versions.begin("c1", "1000") is before  # a call in progress finishes on what it began with
    assert house.versions.begin("c2", "1000").version == 2
    version = house.versions.history.versions[-1]
    assert (version.by, version.note, version.at) == ("boss", "한 번 더 들려줌", house.clock)
    house.versions.forget("c1")
    assert house.versions.begin("c1", "1000").version == 2


async def test_a_draft_with_mistakes_is_kept_and_never_put_on_the_air(house: MenuHouse) -> None:
    saved = await house.versions.save_draft(BROKEN, 0, BOSS)
    with pytest.raises(FlowErrors, match="nowhere"):
        await house.versions.publish(saved.revision, "", None, BOSS)
    assert (house.versions.current("1000").version, len(house.versions.history.versions)) == (1, 1)
    assert (await house.versions.working_draft()).menu.text == BROKEN


async def test_two_supervisors_do_not_overwrite_each_other(house: MenuHouse) -> None:
    await house.versions.save_draft(CHANGED, 0, BOSS)
    with pytest.raises(Conflict):
        await house.versions.save_draft(MAIN, 0, DEPUTY)
    with pytest.raises(Conflict):
        await house.versions.publish(0, "", None, DEPUTY)


async def test_where_two_are_asked_for_nobody_publishes_what_they_wrote(tmp_path: Path, database: Database) -> None:
    house = MenuHouse(tmp_path, database, four_eyes=True)
    await house.open()
    draft = await house.versions.save_draft(MAIN.replace("repeats: 2", "repeats: 3"), 0, BOSS)
    for at in (None, house.now() + timedelta(hours=1)):
        with pytest.raises(Forbidden, match="another supervisor"):
            await house.versions.publish(draft.revision, "", at, BOSS)

    # whoever changes the hours has not looked at the tree
    longer = house.versions.history.version(1).menu.calendars.replace("09:00-18:00", "09:00-19:00")
    await house.versions.publish_hours(house.versions.history.version(1).number, longer, "", DEPUTY)
    draft = await house.versions.working_draft()
    with pytest.raises(Forbidden):
        await house.versions.publish(draft.revision, "", None, BOSS)
    published = await house.versions.publish(draft.revision, "", None, DEPUTY)
    assert published.by == "deputy"
    await house.versions.roll_back(1, "", BOSS)  # two have looked at that one already


async def test_where_two_are_asked_for_who_schedules_does_not_become_the_author(
    tmp_path: Path, database: Database
) -> None:
    house = MenuHouse(tmp_path, database, four_eyes=True)
    await house.open()
    draft = await house.versions.save_draft(CHANGED, 0, BOSS)
    tomorrow = house.now() + timedelta(days=1)
    await house.versions.publish(draft.revision, "", tomorrow, DEPUTY)
    await house.versions.withdraw(house.versions.history.publications[-1].id, DEPUTY)

    draft = await house.versions.working_draft()
    assert (draft.by, draft.menu.text) == ("boss", CHANGED)
    for at in (None, tomorrow):
        with pytest.raises(Forbidden):
            await house.versions.publish(draft.revision, "", at, BOSS)
    # neither by way of the version that was never heard
    with pytest.raises(Forbidden, match="never been on the air"):
        await house.versions.roll_back(2, "", BOSS)
    draft = await house.versions.start_draft_anew(draft.revision, 2, DEPUTY)
    with pytest.raises(Forbidden):
        await house.versions.publish(draft.revision, "", None, BOSS)
    assert house.versions.current("1000").version == 1


async def saved_by_both(tmp_path: Path, database: Database) -> tuple[MenuHouse, Draft]:
    """A draft that two supervisors have saved, at a desk where whoever saved does not publish."""
    house = MenuHouse(tmp_path, database, four_eyes=True)
    await house.open()
    draft = await house.versions.save_draft(CHANGED, 0, BOSS)
    return house, await house.versions.save_draft(CHANGED + "# a word\n", draft.revision, DEPUTY)


async def test_where_two_are_asked_for_nobody_who_saved_since_it_began_publishes(
    tmp_path: Path, database: Database
) -> None:
    house, draft = await saved_by_both(tmp_path, database)
    for somebody in (BOSS, DEPUTY):
        with pytest.raises(Forbidden):
            await house.versions.publish(draft.revision, "", None, somebody)
    third = Actor("third", "최과장", Role.SUPERVISOR)
    assert (await house.versions.publish(draft.revision, "", None, third)).by == "third"


async def test_where_everybody_has_saved_the_draft_is_begun_anew_and_one_of_them_saves_it(
    tmp_path: Path, database: Database
) -> None:
    house, draft = await saved_by_both(tmp_path, database)

    draft = await house.versions.start_draft_anew(draft.revision, None, DEPUTY)
    draft = await house.versions.save_draft(CHANGED, draft.revision, BOSS)
    with pytest.raises(Forbidden):
        await house.versions.publish(draft.revision, "", None, BOSS)
    await house.versions.publish(draft.revision, "", None, DEPUTY)


async def test_where_two_are_asked_for_what_came_on_the_air_counts_for_nobodys_work_any_more(
    tmp_path: Path, database: Database
) -> None:
    house = MenuHouse(tmp_path, database, four_eyes=True)
    await house.open()
    draft = await house.versions.save_draft(CHANGED, 0, BOSS)
    await house.versions.publish(draft.revision, "", house.now() + timedelta(hours=1), DEPUTY)
    longer = house.versions.history.version(1).menu.calendars.replace("09:00-18:00", "09:00-19:00")
    await house.versions.publish_hours(house.versions.history.version(1).number, longer, "", DEPUTY)
    house.wind(hours=2)
    assert await house.keeper.reload()
    assert repeats(house) == 3

    draft = await house.versions.working_draft()
    draft = await house.versions.save_draft(ONCE, draft.revision, DEPUTY)
    with pytest.raises(Forbidden):
        await house.versions.publish(draft.revision, "", None, DEPUTY)
    await house.versions.publish(draft.revision, "", None, BOSS)
    assert repeats(house) == 1
    await house.versions.roll_back(1, "", DEPUTY)


async def test_who_wrote_a_draft_is_known_after_a_start(tmp_path: Path, database: Database) -> None:
    house = MenuHouse(tmp_path, database, four_eyes=True)
    await house.open()
    draft = await house.versions.save_draft(CHANGED, 0, BOSS)
    await house.versions.save_draft(CHANGED + "# a word\n", draft.revision, DEPUTY)
    again = MenuHouse(tmp_path, database, four_eyes=True)
    again.clock = house.clock
    await again.open()
    draft = await again.versions.working_draft()
    with pytest.raises(Forbidden):
        await again.versions.publish(draft.revision, "", None, BOSS)


async def test_a_draft_of_an_older_changgu_has_its_last_author(tmp_path: Path, database: Database) -> None:
    house = MenuHouse(tmp_path, database, four_eyes=True)
    await house.open()
    draft = await house.versions.save_draft(CHANGED, 0, BOSS)
    async with database.transaction() as session:
        await session.execute(update(DraftRow).values(authors=None))
    with pytest.raises(Forbidden):
        await house.versions.publish(draft.revision, "", None, BOSS)
    await house.versions.publish(draft.revision, "", None, DEPUTY)


async def test_where_one_is_enough_a_version_that_was_withdrawn_is_put_on_the_air(house: MenuHouse) -> None:
    saved = await house.versions.save_draft(CHANGED, 0, BOSS)
    await house.versions.publish(saved.revision, "", house.now() + timedelta(days=1), BOSS)
    await house.versions.withdraw(house.versions.history.publications[-1].id, BOSS)
    await house.versions.roll_back(2, "", BOSS)
    assert repeats(house) == 3


@pytest.mark.parametrize("later", [timedelta(0), timedelta(hours=1)])
async def test_who_saves_while_it_is_published_keeps_what_they_wrote_and_it_is_published(
    house: MenuHouse, monkeypatch: pytest.MonkeyPatch, later: timedelta
) -> None:
    saved = await house.versions.save_draft(CHANGED, 0, BOSS)
    report = house.menu.report

    async def slow(menu: MenuSet, file: str) -> Report:
        await house.versions.save_draft(ONCE, saved.revision, DEPUTY)  # sentences take their time to be spoken
        return await report(menu, file)

    monkeypatch.setattr(house.menu, "report", slow)
    at = house.now() + later if later else None

    published = await house.versions.publish(saved.revision, "", at, BOSS)

    assert (published.number, published.menu.text) == (2, CHANGED)
    assert house.versions.current("1000").version == (1 if at else 2)
    draft = await house.versions.working_draft()
    assert (draft.menu.text, draft.by, draft.revision) == (ONCE, "deputy", saved.revision + 1)


async def test_who_saves_while_the_hours_are_published_keeps_what_they_wrote_with_the_new_hours(
    house: MenuHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = await house.versions.save_draft(CHANGED, 0, BOSS)
    first = house.versions.history.version(1)
    longer = first.menu.calendars.replace("09:00-18:00", "09:00-19:00")
    read = house.store.draft
    saves = iter([ONCE])

    async def overtaken(flow: str) -> Draft | None:
        draft = await read(flow)
        if (text := next(saves, None)) is not None:
            await house.versions.save_draft(text, saved.revision, DEPUTY)
        return draft

    monkeypatch.setattr(house.store, "draft", overtaken)

    published = await house.versions.publish_hours(first.number, longer, "", BOSS)

    assert (published.number, house.versions.current("1000").version) == (2, 2)
    draft = await house.versions.working_draft()
    assert (draft.menu.text, draft.menu.calendars, draft.by) == (ONCE, longer, "deputy")


async def test_what_is_on_the_air_is_not_published_again(house: MenuHouse) -> None:
    with pytest.raises(Conflict):
        await house.versions.publish(0, "", None, BOSS)


async def test_a_menu_of_another_name_is_refused(house: MenuHouse) -> None:
    saved = await house.versions.save_draft(MAIN.replace("flow: main", "flow: other"), 0, BOSS)
    with pytest.raises(BadInput):
        await house.versions.publish(saved.revision, "", None, BOSS)


async def test_rolling_back_is_one_more_publication_of_the_older_version(house: MenuHouse) -> None:
    await publish(house, CHANGED)
    house.wind(minutes=1)

    await house.versions.roll_back(1, "너무 김", DEPUTY)

    assert (house.versions.current("1000").version, repeats(house)) == (1, 2)
    last = house.versions.history.publications[-1]
    assert (last.how, last.by, last.note, last.version) == (How.ROLLED_BACK, "deputy", "너무 김", 1)
    with pytest.raises(Conflict):
        await house.versions.roll_back(1, "", DEPUTY)
    with pytest.raises(NotFound):
        await house.versions.roll_back(7, "", DEPUTY)


async def test_an_older_version_that_this_desk_cannot_serve_any_more_is_not_rolled_back_to(house: MenuHouse) -> None:
    await house.floors.save(agents=[DORA])
    await publish(house, FOR_DORA)
    await publish(house, CHANGED)
    await house.floors.remove_agent(DORA.login)
    with pytest.raises(FlowErrors, match="dora"):
        await house.versions.roll_back(2, "", BOSS)
    assert house.versions.current("1000").version == 3


async def test_a_scheduled_version_comes_by_itself_to_the_second(house: MenuHouse) -> None:
    running = asyncio.create_task(house.versions.run())
    saved = await house.versions.save_draft(CHANGED, 0, BOSS)
    at = house.clock.replace(hour=3)
    await house.versions.publish(saved.revision, "", at, BOSS)

    async def ready() -> bool:
        return house.versions.current("1000", at).version == 2

    await eventually(ready)
    assert house.versions.current("1000").version == 1
    assert house.versions.begin("c1", "1000").version == 1

    house.clock = at
    assert house.versions.begin("c2", "1000").version == 2  # before anything was woken
    await house.versions.save_draft(CHANGED, 2, BOSS)  # any news wakes it

    async def taken_up() -> bool:
        return house.keeper.flow is house.versions.current("1000").flow and repeats(house) == 3

    await eventually(taken_up)
    assert house.versions.begin("c1", "1000").version == 1
    running.cancel()


async def test_a_schedule_is_withdrawn_before_its_time_and_not_after(house: MenuHouse) -> None:
    saved = await house.versions.save_draft(CHANGED, 0, BOSS)
    await house.versions.publish(saved.revision, "", house.clock.replace(hour=3), BOSS)
    (first, ahead) = house.versions.history.publications
    await house.versions.withdraw(ahead.id, DEPUTY)
    house.wind(hours=5)
    assert house.versions.history.in_force(house.clock) == first
    assert house.versions.history.publications[-1].withdrawn_by == "deputy"
    for id in (first.id, ahead.id):
        with pytest.raises(Conflict):
            await house.versions.withdraw(id, BOSS)
    with pytest.raises(BadInput):
        await house.versions.publish(2, "", house.clock, BOSS)


async def test_a_scheduled_version_that_became_impossible_is_withdrawn_and_the_old_one_goes_on(
    house: MenuHouse,
) -> None:
    await house.floors.save(agents=[DORA])
    saved = await house.versions.save_draft(FOR_DORA, 0, BOSS)
    await house.versions.publish(saved.revision, "", house.clock.replace(hour=3), BOSS)
    await house.floors.remove_agent(DORA.login)
    house.wind(hours=5)
    running = asyncio.create_task(house.versions.run())

    async def given_up() -> bool:
        return bool(house.versions.history.publications[-1].why_withdrawn)

    await eventually(given_up)
    assert house.versions.current("1000").version == 1
    running.cancel()


async def test_the_draft_is_heard_at_the_pilot_number_once_it_is_fit(house: MenuHouse) -> None:
    running = asyncio.create_task(house.versions.run())
    await house.versions.save_draft(BROKEN, 0, BOSS)
    await asyncio.sleep(0)
    assert house.versions.current(PILOT).version == 1
    await house.versions.save_draft(CHANGED, 1, BOSS)

    async def heard() -> bool:
        return house.versions.current(PILOT).version == DRAFT

    await eventually(heard)
    assert (repeats(house, PILOT), repeats(house)) == (3, 2)
    assert house.voice.prepared  # every sentence of it is spoken before
    running.cancel()


async def test_a_draft_that_nobody_can_even_read_waits_until_somebody_has_mended_it(
    house: MenuHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.versions.save_draft(CHANGED, 0, BOSS)
    prepare = house.voice.prepare
    monkeypatch.setattr(house.voice, "prepare", _broken)
    running = asyncio.create_task(house.versions.run())
    done, _ = await asyncio.wait({running}, timeout=0.3)
    assert not done
    assert house.versions.current(PILOT).version == 1

    monkeypatch.setattr(house.voice, "prepare", prepare)
    await house.versions.save_draft(CHANGED.replace("repeats: 3", "repeats: 1"), 1, BOSS)

    async def heard() -> bool:
        return house.versions.current(PILOT).version == DRAFT

    await eventually(heard)
    running.cancel()


async def _broken(flow: Flow) -> Sequence[str]:
    raise ValueError("prompts/ko.toml: invalid TOML")


async def test_a_desk_that_opens_again_goes_on_with_what_was_published(
    house: MenuHouse, tmp_path: Path, database: Database
) -> None:
    await publish(house, CHANGED)
    again = MenuHouse(tmp_path, database)
    again.clock = house.clock
    await again.open()
    assert (again.versions.current("1000").version, repeats(again)) == (2, 3)


async def test_a_changed_file_of_the_site_is_a_version_and_one_with_mistakes_is_not(house: MenuHouse) -> None:
    file = house.folder / "menus" / "main.yaml"
    file.parent.mkdir()
    file.write_text(CHANGED, "utf-8")
    assert await house.keeper.reload()
    assert (house.versions.current("1000").version, house.versions.history.versions[-1].by) == (2, str(file))

    assert await house.keeper.reload()
    assert len(house.versions.history.versions) == 2  # nothing new in it

    file.write_text(BROKEN, "utf-8")
    assert await house.keeper.reload()  # the rest of the floor is taken up
    assert house.versions.current("1000").version == 2

    number = await publish(house, MAIN.replace("repeats: 2", "repeats: 1"))
    assert await house.keeper.reload()
    assert house.versions.current("1000").version == number  # the file was not touched since


async def test_a_newer_changgu_does_not_undo_what_supervisors_wrote(
    house: MenuHouse, tmp_path: Path, database: Database
) -> None:
    files = menu_files(tmp_path)
    newer = replace(files, menu=replace(files.menu, text=MAIN + "# newer"))
    assert house.versions.history.brought(files, house.clock) is None
    assert house.versions.history.brought(newer, house.clock) == newer.menu
    await publish(house, CHANGED)
    assert house.versions.history.brought(newer, house.clock) is None


async def test_a_start_goes_back_to_the_last_version_that_the_desk_can_serve(
    house: MenuHouse, tmp_path: Path, database: Database
) -> None:
    await house.floors.save(agents=[DORA])
    await publish(house, FOR_DORA)
    await house.floors.remove_agent(DORA.login)
    again = MenuHouse(tmp_path, database)
    again.clock = house.clock
    await again.open()
    assert again.versions.current("1000").version == 1


async def test_the_notice_of_recording_counts_only_where_every_version_in_use_has_it(house: MenuHouse) -> None:
    assert house.keeper.notice_nodes() == {"greeting"}
    house.versions.begin("c1", "1000")
    await publish(house, MAIN.replace("mandatory: true", "mandatory: false"))
    assert house.keeper.notice_nodes() == frozenset()
    house.versions.forget("c1")
    node = house.versions.current("1000").flow.nodes[NodeName("greeting")]
    assert isinstance(node, Say)
    assert not node.mandatory
