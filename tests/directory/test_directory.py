"""Who is calling: nobody, one, or several; and records that stay right when two people keep them."""

import unicodedata
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import Connection

from changgu.directory.items import Asset, AssetTag
from changgu.directory.numbers import Numbering, NumberKind
from changgu.directory.person import NumberWritten, PersonCard, PersonWritten
from changgu.directory.service import Directory
from changgu.ground.database import Database, Statements
from changgu.ground.trouble import BadInput, Conflict, NotFound

T = TypeVar("T")


async def add(directory: Directory, name: str, *numbers: str, **fields: str) -> PersonCard:
    written = PersonWritten({"name": name, **fields}, [NumberWritten(number) for number in numbers])
    return await directory.create(written, actor="kim")


async def test_mobile_desk_and_extension_of_one_person_all_lead_to_that_person(directory: Directory) -> None:
    hana = await add(directory, "김하나", "010-1234-5678", "02-2100-1234", "1234", department="정보화담당관실")
    for written in ("01012345678", "+82 10 1234 5678", "sip:0221001234@trunk", "1234", '"x" <sip:1234@pbx>'):
        assert await directory.find_by_number(written) == [hana]
    assert [number.kind for number in hana.numbers] == [NumberKind.MOBILE, NumberKind.DESK, NumberKind.EXTENSION]
    assert [number.display for number in hana.numbers] == ["010-1234-5678", "02-2100-1234", "내선 1234"]


class Overheard(Database):
    """A database that notes what it is asked."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.asked: list[str] = []

    async def read(self, work: Callable[[Statements], T]) -> T:
        def listened(cursor: Statements) -> T:
            cursor.connection.set_trace_callback(self.asked.append)  # type: ignore[attr-defined]
            try:
                return work(cursor)
            finally:
                cursor.connection.set_trace_callback(None)  # type: ignore[attr-defined]

        return await super().read(listened)

    async def in_one_go(self, work: Callable[[Connection], T]) -> T:
        raise AssertionError("asked a second time")


async def test_a_caller_is_known_with_all_that_is_theirs_by_one_question(
    directory: Directory, tmp_path: Path, numbering: Numbering
) -> None:
    """Every call asks it before the telephone rings."""
    laptop = Asset(AssetTag("NB-001"), "노트북", "X1", "S1", date(2024, 3, 2))
    monitor = Asset(AssetTag("MO-001"), "모니터", "", "")
    written = PersonWritten(
        {"name": "김하나", "email": "hana@example.go.kr"}, [NumberWritten("010-1234-5678"), NumberWritten("1234")],
        assets=[laptop, monitor],
    )  # fmt: skip
    hana = await directory.create(written, actor="kim")
    await directory.confirm_number(hana.id, "1234", "kim")
    database = Overheard(f"sqlite+aiosqlite:///{tmp_path / 'changgu.db'}")

    (found,) = await Directory(database, numbering).find_by_number("1234")
    assert found == await directory.get(hana.id)
    assert (found.vip, found.numbers[0].shared, found.assets[0].purchased_on) == (False, False, date(2024, 3, 2))
    assert len(database.asked) == 1
    assert await Directory(database, numbering).find_by_number("010-9999-9999") == []
    assert len(database.asked) == 2
    await database.close()


@pytest.mark.parametrize("raw", [None, "", "anonymous", "010-9999-9999", "<sip:unknown@x>"])
async def test_a_withheld_or_unknown_number_is_nobody(directory: Directory, raw: str | None) -> None:
    await add(directory, "김하나", "010-1234-5678")
    assert await directory.find_by_number(raw) == []


async def test_everybody_who_shares_a_telephone_is_a_candidate_and_the_confirmed_one_comes_first(
    directory: Directory,
) -> None:
    hana = await add(directory, "김하나", "02-2100-1234")
    duri = await add(directory, "이두리", "02-2100-1234", "010-2222-3333")
    found = await directory.find_by_number("02-2100-1234")
    assert [card.id for card in found] == [hana.id, duri.id]
    assert all(number.shared for card in found if (number := card.number("+82221001234")) is not None)
    assert not found[1].numbers[1].shared

    await directory.confirm_number(duri.id, "0221001234", "kim")
    assert [card.id for card in await directory.find_by_number("02-2100-1234")] == [duri.id, hana.id]

    await directory.update(hana.id, PersonWritten({}, []), "kim")
    (left,) = await directory.find_by_number("02-2100-1234")
    assert left.id == duri.id
    assert not any(number.shared for number in left.numbers)


async def test_a_number_that_an_agent_confirms_is_learnt_explicitly(directory: Directory) -> None:
    hana = await add(directory, "김하나")
    card = await directory.confirm_number(hana.id, "010-7777-8888", "kim")
    assert [(number.canonical, number.source) for number in card.numbers] == [("+821077778888", "agent")]
    assert card.numbers[0].verified_at is not None
    with pytest.raises(BadInput):
        await directory.confirm_number(hana.id, "anonymous", "kim")


async def test_changes_are_kept_with_who_and_when_and_only_what_was_said_is_changed(directory: Directory) -> None:
    hana = await add(directory, "김하나", "010-1234-5678", department="총무과", email="hana@example.go.kr")
    changed = await directory.update(hana.id, PersonWritten({"department": "민원실"}), "park")
    assert (changed.department, changed.email) == ("민원실", "hana@example.go.kr")
    assert changed.numbers == hana.numbers
    await directory.update(hana.id, PersonWritten({}, [NumberWritten("1234")]), "park")
    history = await directory.history(hana.id)
    assert [(change.actor, change.field, change.before, change.after) for change in history] == [
        ("park", "numbers", "+821012345678", "ext:1234"),
        ("park", "department", "총무과", "민원실"),
    ]
    before = await directory.get(hana.id)
    assert await directory.update(hana.id, PersonWritten({"department": "민원실"}), "park") == before


async def test_equipment_moves_from_one_person_to_another(directory: Directory) -> None:
    laptop = Asset(AssetTag("NB-001"), "노트북", "X1", "S1", date(2024, 3, 2))
    hana = await directory.create(PersonWritten({"name": "김하나"}, assets=[laptop]), "kim")
    assert hana.assets == (laptop,)
    duri = await directory.create(PersonWritten({"name": "이두리"}, assets=[laptop]), "kim")
    assert duri.assets == (laptop,)
    assert (await directory.get(hana.id)).assets == ()


async def test_two_records_of_one_person_become_one_and_the_old_id_still_leads_there(directory: Directory) -> None:
    kept = await add(directory, "김하나", "010-1234-5678", department="총무과")
    gone = await add(
        directory, "김하나", "02-2100-1234", "010-1234-5678", employee_number="100", department="민원실", title="주무관"
    )
    merged = await directory.merge(kept.id, gone.id, "park")
    assert (merged.employee_number, merged.department, merged.title) == ("100", "총무과", "주무관")
    assert {number.canonical for number in merged.numbers} == {"+821012345678", "+82221001234"}
    assert not any(number.shared for number in merged.numbers)
    assert await directory.get(gone.id) == merged
    assert await directory.find_by_number("010-1234-5678") == [merged]
    assert await directory.ids_of(kept.id) == [kept.id, gone.id]
    assert await directory.count() == 1
    with pytest.raises(Conflict):
        await directory.merge(kept.id, gone.id, "park")


@pytest.mark.parametrize(
    "text",
    ["하나", "민원", "민원 하나", "A-100", "a-100", "HANA@", "010-1234-5678", "5678", "010-1234", "34-56", "PC-7"],
)
async def test_people_are_found_by_any_part_of_what_an_agent_hears(directory: Directory, text: str) -> None:
    hana = await add(
        directory,
        "김하나",
        "010-1234-5678",
        department="민원실",
        employee_number="A-100",
        email="hana@example.go.kr",
        computer_id="PC-7",
    )
    await add(directory, "이두리", "010-9999-0000", department="총무과", employee_number="B-200")
    assert [card.id for card in await directory.search(text)] == [hana.id]


async def test_names_from_a_mac_are_found_by_names_from_windows(directory: Directory) -> None:
    await add(directory, unicodedata.normalize("NFD", "김하나"))
    assert [card.name for card in await directory.search("김하나")] == ["김하나"]


@pytest.mark.parametrize("text", ["%", "_", "'", '"; DROP TABLE people', "\\", "\x00", "\ud800", "가" * 5000, " "])
async def test_no_search_text_is_an_accident(directory: Directory, text: str) -> None:
    await add(directory, "김하나", "010-1234-5678")
    found = await directory.search(text)
    assert len(found) == (0 if text.strip("\x00\ud800 ") else 1)


async def test_pages_of_people_show_everybody_once_in_the_order_of_names(directory: Directory) -> None:
    names = ["다", "가", "나", "가", "라"]
    for name in names:
        await add(directory, name)
    seen: list[str] = []
    after = None
    while True:
        page = await directory.page("", 2, after)
        seen += [card.name for card in page.items]
        after = page.next
        if after is None:
            break
    assert seen == sorted(names)


@pytest.mark.parametrize(
    ("fields", "numbers", "field"),
    [
        ({"name": " "}, [], "name"),
        ({}, [], "name"),
        ({"name": "x" * 101}, [], "name"),
        ({"name": "x", "email": "nonsense"}, [], "email"),
        ({"name": "x", "salary": "1"}, [], "salary"),
        ({"name": "x"}, ["nonsense"], "numbers"),
        ({"name": "x"}, ["1234"] * 51, "numbers"),
    ],
)
async def test_a_wrong_value_is_refused_by_its_name_and_nothing_is_kept(
    directory: Directory, fields: dict[str, str], numbers: list[str], field: str
) -> None:
    with pytest.raises(BadInput) as refused:
        await directory.create(PersonWritten(fields, [NumberWritten(number) for number in numbers]), "kim")
    assert refused.value.field == field
    assert await directory.count() == 0


async def test_an_employee_number_belongs_to_one_person(directory: Directory) -> None:
    await add(directory, "김하나", employee_number="100")
    duri = await add(directory, "이두리", employee_number="200")
    with pytest.raises(Conflict):
        await add(directory, "박세리", employee_number="100")
    with pytest.raises(Conflict):
        await directory.update(duri.id, PersonWritten({"employee_number": "100"}), "kim")
    await add(directory, "사번 없음", employee_number="")
    await add(directory, "역시 없음", employee_number="")


@pytest.mark.parametrize("person_id", [0, -1, 999, 2**63])
async def test_a_person_who_is_not_there_is_not_found(directory: Directory, person_id: int) -> None:
    with pytest.raises(NotFound):
        await directory.get(person_id)


async def test_an_employee_number_is_one_persons_however_many_telephones_contain_it(directory: Directory) -> None:
    for colleague in range(60):
        await add(directory, f"김동료{colleague:02}", f"02-2110-{colleague:04}", employee_number=f"92110{colleague:02}")
    hong = await add(directory, "홍길동", employee_number="2110")

    assert await directory.by_employee_number("2110") == hong
    assert await directory.by_employee_number(" 2110 ") == hong
    assert [await directory.by_employee_number(other) for other in ("211", "", "21100", "2110%")] == [None] * 4


async def test_whoever_was_merged_twice_over_is_known_by_the_record_that_was_kept(directory: Directory) -> None:
    first, second, third = [await add(directory, name) for name in ("가", "나", "다")]
    assert await directory.merged() == {}
    await directory.merge(second.id, first.id, "park")
    await directory.merge(third.id, second.id, "park")
    assert await directory.merged() == {first.id: third.id, second.id: third.id}


async def test_the_employee_number_of_a_merged_record_leads_to_the_one_that_was_kept(directory: Directory) -> None:
    kept, gone = await add(directory, "홍길동"), await add(directory, "홍길동", employee_number="2110")

    merged = await directory.merge(kept.id, gone.id, "kim")

    assert await directory.by_employee_number("2110") == merged
