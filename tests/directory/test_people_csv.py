"""A list of people from a spreadsheet: all of it or nothing, and again tomorrow."""

import time

import pytest

from changgu.directory.numbers import NumberKind
from changgu.directory.person import NumberWritten, PersonWritten
from changgu.directory.service import Directory, ImportSummary
from changgu.ground.csv_rows import RowErrors

LIST = (
    "사번,이름,부서,직위,email,근무위치,컴퓨터ID,전화번호,팩스,자산\n"
    "100,김하나,민원실,주무관,hana@example.go.kr,본관 2층,PC-1,mobile:010-1234-5678; 02-2100-1234;1234,02-2100-9999,"
    "NB-1|노트북|X1|S-1|2024-03-02; MO-1|모니터\n"
    "101,이두리,총무과,,,,,집:031-123-4567,,\n"
)


async def test_a_list_in_korean_headings_and_cp949_is_imported_whole(directory: Directory) -> None:
    assert await directory.import_people("people.csv", LIST.encode("cp949"), "admin") == ImportSummary(2, 0, 0)
    (hana,) = await directory.find_by_number("1234")
    assert (hana.employee_number, hana.department, hana.location) == ("100", "민원실", "본관 2층")
    assert hana.fax == "02-2100-9999"
    assert [asset.tag for asset in hana.assets] == ["NB-1", "MO-1"]
    assert str(hana.assets[0].purchased_on) == "2024-03-02"
    (duri,) = await directory.find_by_number("0311234567")
    assert duri.numbers[0].kind is NumberKind.HOME


async def test_importing_again_updates_ends_dropped_numbers_and_keeps_what_people_entered(directory: Directory) -> None:
    await directory.import_people("people.csv", LIST.encode(), "admin")
    (hana,) = await directory.find_by_number("1234")
    await directory.confirm_number(hana.id, "010-7777-7777", "kim")
    assert await directory.import_people("people.csv", LIST.encode(), "admin") == ImportSummary(0, 0, 2)

    moved = (
        "employee_number,name,department,phones,assets\n"
        "100,김하나,총무과,010-1234-5678,\n"
        "101,이두리,총무과,1234,NB-1|노트북\n"
    )
    assert await directory.import_people("people.csv", moved.encode(), "admin") == ImportSummary(0, 2, 0)
    (hana,) = await directory.find_by_number("010-1234-5678")
    assert (hana.department, hana.title, hana.email) == ("총무과", "주무관", "hana@example.go.kr")
    assert {number.canonical for number in hana.numbers} == {"+821012345678", "+821077777777"}
    assert hana.assets == ()
    (duri,) = await directory.find_by_number("1234")
    assert [asset.tag for asset in duri.assets] == ["NB-1"]
    assert not any(number.shared for number in duri.numbers)


async def test_every_mistake_is_named_and_nothing_is_half_imported(directory: Directory) -> None:
    await directory.create(PersonWritten({"name": "먼저"}, [NumberWritten("1111")]), "kim")
    rows = "\n".join(
        [
            "employee_number,name,email,phones,assets",
            "1,맞음,,010-1234-5678,",
            "2,메일,nonsense,,",
            "3,전화,,이백일,",
            "4,자산,,,|노트북",
            "5,자산,,,NB-1|||x|2024-13-01",
            "1,두번,,,",
            "7,자산,,,NB-9",
            "8,자산,,,NB-9",
            f"9,{'긴' * 101},,,",
        ]
    )
    with pytest.raises(RowErrors) as refused:
        await directory.import_people("people.csv", rows.encode(), "admin")
    assert [(error.line, error.column) for error in refused.value.errors] == [
        (3, "email"),
        (4, "phones"),
        (5, "assets"),
        (6, "assets"),
        (7, "employee_number"),
        (9, "assets"),
        (10, "name"),
    ]
    assert all(error.file == "people.csv" and error.ko and error.en for error in refused.value.errors)
    assert await directory.count() == 1


async def test_an_empty_cell_does_not_hide_the_mistakes_of_other_people(directory: Directory) -> None:
    rows = "employee_number,name,email\n,하나,\n,두리,nonsense\n3,,\n"
    with pytest.raises(RowErrors) as refused:
        await directory.import_people("people.csv", rows.encode(), "admin")
    assert [(error.line, error.column) for error in refused.value.errors] == [
        (2, "employee_number"), (3, "employee_number"), (3, "email"), (4, "name"),
    ]  # fmt: skip


async def test_two_thousand_people_are_imported_in_seconds_and_found_at_once(directory: Directory) -> None:
    rows = ["employee_number,name,department,title,email,location,computer_id,phones,fax,assets"]
    rows += [
        f"A{n:05},사람{n},부서{n % 40},주무관,p{n}@example.go.kr,본관 {n % 9}층,PC-{n:05},"
        f"mobile:010-{2000 + n // 1000}-{n % 10000:04};02-2100-{n:04};{1000 + n},,NB-{n}|노트북;MO-{n}|모니터"
        for n in range(2000)
    ]
    started = time.process_time()
    assert await directory.import_people("people.csv", "\n".join(rows).encode(), "admin") == ImportSummary(2000, 0, 0)
    imported = time.process_time()
    (found,) = await directory.find_by_number("02-2100-1999")
    assert imported - started < 15
    assert time.process_time() - imported < 0.5
    assert (found.name, len(found.assets)) == ("사람1999", 2)
    assert await directory.import_people("people.csv", "\n".join(rows).encode(), "admin") == ImportSummary(0, 0, 2000)
