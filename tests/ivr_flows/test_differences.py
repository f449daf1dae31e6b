"""Two versions of the menu held against each other, in the words of the form."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from changgu.app.access import AccessGate
from changgu.app.accounts import Accounts
from changgu.app.rendering import SitePages
from changgu.app.web import build_app
from changgu.ground.database import Database
from changgu.ivr_flows.menu_set import MenuSet
from changgu.ivr_flows.publishing.comparison.api import build_router
from changgu.ivr_flows.publishing.comparison.differences import Change, Difference, How, What, differences
from tests.app.whole_desk import Healthy
from tests.ivr_flows.menu_house import BOSS, MAIN
from tests.ivr_flows.test_flows_api import Door
from tests.ivr_flows.test_whole_versions import HOURS, IDENTIFY, LONGER_PIN, OFFICE, WITH_A_HOLIDAY, office

BEFORE = MenuSet(MAIN, {"identify": IDENTIFY}, HOURS, {"ko": {"greeting": "안녕하십니까."}, "en": {}})


def test_a_menu_does_not_differ_from_itself_with_other_comments_and_another_layout() -> None:
    text = "# 새 주석\n" + MAIN.replace("say: to_pc", 'say: "to_pc"')
    assert differences(BEFORE, BEFORE) == []
    assert differences(BEFORE, replace(BEFORE, text=text)) == []


def test_every_change_of_a_node_is_named_with_what_was_there_and_what_is() -> None:
    text = MAIN.replace("      1: pc\n", "      1: network\n      5: goodbye\n").replace("repeats: 2", "repeats: 3")
    assert differences(BEFORE, replace(BEFORE, text=text)) == [
        Difference(
            What.NODE, How.CHANGED, "services", "menu",
            (Change("repeats", "2", "3"), Change("keys 1", "pc", "network"), Change("keys 5", "", "goodbye")),
        )
    ]  # fmt: skip


def test_nodes_that_came_and_went_stand_with_all_that_was_written() -> None:
    text = MAIN.replace(
        "  pc:\n    kind: to_queue\n    say: to_pc\n", "  printer:\n    kind: to_queue\n    say: to_pc\n"
    )
    came, went = differences(BEFORE, replace(BEFORE, text=text))
    fields = (("kind", "to_queue"), ("say", "to_pc"), ("queue", "pc"))
    assert came == Difference(
        What.NODE, How.ADDED, "printer", "to_queue", tuple(Change(name, "", text) for name, text in fields)
    )
    assert went == Difference(
        What.NODE, How.REMOVED, "pc", "to_queue", tuple(Change(name, text, "") for name, text in fields)
    )


def test_sub_flows_sentences_hours_and_what_stands_beside_the_nodes_count_as_well() -> None:
    after = MenuSet(
        MAIN.replace("visit_minutes: 10", "visit_minutes: 5"), {"identify": LONGER_PIN, "survey": "flow: survey"},
        WITH_A_HOLIDAY, {"ko": {"greeting": "반갑습니다."}, "en": {"greeting": "Hello."}},
    )  # fmt: skip
    found = differences(BEFORE, after)
    assert [(one.what, one.how, one.name) for one in found] == [
        (What.FLOW, How.CHANGED, "main"), (What.NODE, How.CHANGED, "identify/ask_pin"),
        (What.NODE, How.CHANGED, "identify/ask_new_pin"), (What.FLOW, How.ADDED, "survey"),
        (What.SENTENCE, How.CHANGED, "greeting (ko)"),
        (What.SENTENCE, How.ADDED, "greeting (en)"), (What.HOURS, How.CHANGED, ""),
    ]  # fmt: skip
    assert found[0].changes == (Change("limits visit_minutes", "10", "5"),)
    assert found[4].changes == (Change("", "안녕하십니까.", "반갑습니다."),)
    back = differences(after, BEFORE)
    assert [one.how for one in back] == [
        How.CHANGED, How.CHANGED, How.CHANGED, How.REMOVED, How.CHANGED, How.REMOVED, How.CHANGED,
    ]  # fmt: skip


def test_a_draft_that_cannot_even_be_read_differs_in_what_is_gone() -> None:
    found = differences(BEFORE, replace(BEFORE, text="nodes: ["))
    assert {one.how for one in found if one.what is What.NODE} == {How.REMOVED}


@pytest.fixture
async def client(tmp_path: Path, database: Database) -> AsyncIterator[httpx.AsyncClient]:
    house = await office(tmp_path, database)
    draft = await house.versions.working_draft()
    await house.versions.save_sentence("greeting", "ko", "반갑습니다.", draft.revision, BOSS)
    app = build_app(
        version="0", gate=AccessGate(Accounts(house.database)), pages=SitePages(), health=Healthy(),
        routers=[build_router(Door(), house.versions)],
    )  # fmt: skip
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://desk/api/v1/flows") as client:
        yield client


async def test_the_draft_is_held_against_the_version_on_the_air(client: httpx.AsyncClient) -> None:
    answer = (await client.get("/main/differences?before=1", headers={"as": "boss"})).json()
    (one,) = answer["differences"]
    assert (answer["before"], answer["after"]) == (1, 0)
    assert (one["what"], one["how"], one["name"]) == ("sentence", "changed", "greeting (ko)")
    assert one["changes"][0]["after"] == "반갑습니다."
    assert (await client.get("/main/differences?before=7", headers={"as": "boss"})).status_code == 404
    assert (await client.get("/other/differences?before=1", headers={"as": "boss"})).status_code == 404


async def test_who_came_second_learns_what_changed_meanwhile_and_what_theirs_would_change(
    client: httpx.AsyncClient,
) -> None:
    seen = {"text": OFFICE, "sentences": {"ko": {"greeting": "안녕하십니까."}}}
    mine = {"node": "by_topic", "fields": {"kind": "condition", "when": [], "otherwise": "pc"}}
    wish = {"seen": seen | {"text": OFFICE.replace("queue: pc", "queue: account")}, "mine": mine}
    answer = (await client.post("/main/draft/meanwhile", json=wish)).json()
    assert (answer["by"], answer["revision"]) == ("boss", 1)
    assert ("node", "changed", "pc") in [(one["what"], one["how"], one["name"]) for one in answer["meanwhile"]]
    said = next(one for one in answer["meanwhile"] if one["name"] == "greeting (ko)")
    assert said["changes"][0] == {"field": "", "before": "안녕하십니까.", "after": "반갑습니다."}
    (one,) = answer["mine"]
    assert (one["name"], [each["field"] for each in one["changes"]]) == ("by_topic", ["when", "otherwise"])

    others: list[tuple[dict[str, object], str]] = [
        ({"text": OFFICE.replace("queue: pc", "queue: account")}, "pc"),
        ({"sentence": {"language": "en", "name": "goodbye", "text": "So long."}}, "goodbye (en)"),
    ]
    for other, name in others:
        answer = (await client.post("/main/draft/meanwhile", json={"seen": seen, "mine": other})).json()
        assert [one["name"] for one in answer["mine"]] == [name]
    part = {"part": "identify", "seen": seen | {"text": LONGER_PIN}}
    answer = (await client.post("/main/draft/meanwhile", json=part)).json()
    assert any(one["name"].startswith("identify/") for one in answer["meanwhile"])
    assert answer["mine"] == []
    draft = (await client.post("/main/draft/meanwhile", json={"seen": seen})).json()
    assert draft["revision"] == 1  # nothing was saved
    assert (await client.post("/other/draft/meanwhile", json={"seen": seen})).status_code == 404
