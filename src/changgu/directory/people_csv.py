"""Reads a list of people from a spreadsheet; every mistake is named by file, line and column."""

import re
from dataclasses import dataclass
from datetime import date

from changgu.directory.items import Asset, AssetTag
from changgu.directory.numbers import Numbering, NumberKind
from changgu.directory.person import FIELDS, NumberWritten, PersonWritten, clean_fields
from changgu.ground.csv_rows import Row, RowError, RowErrors, read_rows
from changgu.ground.text import clean_line
from changgu.ground.trouble import BadInput

REQUIRED = ("employee_number", "name")
OPTIONAL = ("department", "title", "email", "location", "computer_id", "phones", "fax", "assets")
COLUMNS = (*REQUIRED, *OPTIONAL)

ALSO_CALLED = {
    "사번": "employee_number",
    "이름": "name",
    "성명": "name",
    "부서": "department",
    "소속": "department",
    "직위": "title",
    "직함": "title",
    "이메일": "email",
    "전자우편": "email",
    "위치": "location",
    "근무위치": "location",
    "컴퓨터ID": "computer_id",
    "컴퓨터": "computer_id",
    "전화": "phones",
    "전화번호": "phones",
    "팩스": "fax",
    "팩스번호": "fax",
    "자산": "assets",
}

KIND_NAMES = {
    "mobile": NumberKind.MOBILE,
    "휴대": NumberKind.MOBILE,
    "휴대폰": NumberKind.MOBILE,
    "휴대전화": NumberKind.MOBILE,
    "desk": NumberKind.DESK,
    "office": NumberKind.DESK,
    "사무실": NumberKind.DESK,
    "extension": NumberKind.EXTENSION,
    "ext": NumberKind.EXTENSION,
    "내선": NumberKind.EXTENSION,
    "home": NumberKind.HOME,
    "자택": NumberKind.HOME,
    "집": NumberKind.HOME,
}

_KIND_LABEL = re.compile(r"^\s*([^\W\d]+)\s*[:=]\s*")


@dataclass(frozen=True, slots=True)
class ListedPerson:
    """One person of the file, checked."""

    line: int
    employee_number: str
    person: PersonWritten


def read_people(file_name: str, content: bytes, numbering: Numbering) -> list[ListedPerson]:
    """Everybody in the file.

    `phones` is a list with `;` between, each optionally with its kind: `mobile:010-1234-5678; 1234`.
    `assets` is a list with `;` between, each `tag|kind|model|serial|purchased_on`, of which only the tag must be.

    Raises:
        RowErrors: with every mistake in the file.
    """
    errors: list[RowError] = []
    rows = read_rows(file_name, content, REQUIRED, OPTIONAL, also_called=ALSO_CALLED, mistakes=errors)
    people: list[ListedPerson] = []
    line_of_person: dict[str, int] = {}
    line_of_tag: dict[str, int] = {}
    for row in rows:
        fields = _fields(row, errors)
        numbers = _numbers(row, numbering, errors) if row.has("phones") else None
        assets = _assets(row, errors) if row.has("assets") else None
        employee_number = fields.get("employee_number") or ""
        if employee_number in line_of_person:
            errors.append(_twice(row, "employee_number", employee_number, line_of_person[employee_number]))
        if employee_number:
            line_of_person.setdefault(employee_number, row.line)
        for asset in assets or ():
            if asset.tag in line_of_tag:
                errors.append(_twice(row, "assets", asset.tag, line_of_tag[asset.tag]))
            line_of_tag.setdefault(asset.tag, row.line)
        people.append(ListedPerson(row.line, employee_number, PersonWritten(fields, numbers, assets)))
    if errors:
        raise RowErrors(errors)
    return people


def parse_numbers(text: str) -> list[NumberWritten]:
    """Numbers as people list them: `mobile:010-1234-5678; 02-2100-1234`, or one on each line."""
    numbers: list[NumberWritten] = []
    for piece in re.split(r"[;\n]", text):
        label = _KIND_LABEL.match(piece)
        kind = KIND_NAMES.get(label[1].casefold()) if label else None
        written = clean_line(piece[label.end() :] if label and kind else piece)
        if written:
            numbers.append(NumberWritten(written, kind))
    return numbers


def parse_asset(text: str) -> Asset:
    """One asset as people list it: `tag|kind|model|serial|purchased_on`.

    Raises:
        ValueError: no tag, too many parts, a part that is too long, or no date.
    """
    parts = [clean_line(part) for part in text.split("|")]
    if not parts[0] or len(parts) > 5 or any(len(part) > 200 for part in parts):
        raise ValueError(text)
    tag, kind, model, serial, purchased = parts + [""] * (5 - len(parts))
    return Asset(AssetTag(tag), kind, model, serial, date.fromisoformat(purchased) if purchased else None)


def _fields(row: Row, errors: list[RowError]) -> dict[str, str | None]:
    fields: dict[str, str | None] = {}
    for field in FIELDS:
        if row.has(field):
            try:
                fields |= clean_fields({field: row[field]})
            except BadInput as trouble:
                if row[field]:  # an empty required cell is already reported
                    errors.append(row.error(field, trouble.ko, trouble.en))
    return fields


def _numbers(row: Row, numbering: Numbering, errors: list[RowError]) -> list[NumberWritten]:
    numbers = parse_numbers(row["phones"])
    for number in numbers:
        if numbering.canonical(number.written) is None:
            shown = number.written[:40]
            errors.append(
                row.error("phones", f"전화번호를 알아볼 수 없습니다: {shown}", f"not a telephone number: {shown}")
            )
    return numbers


def _assets(row: Row, errors: list[RowError]) -> list[Asset]:
    assets: list[Asset] = []
    for piece in row.listed("assets"):
        try:
            assets.append(parse_asset(piece))
        except ValueError:
            ko = f"자산은 '자산번호|종류|모델|일련번호|구입일(2024-03-02)'로 씁니다: {piece[:40]}"
            errors.append(row.error("assets", ko, f"write assets as tag|kind|model|serial|date: {piece[:40]}"))
    return assets


def _twice(row: Row, column: str, value: str, line: int) -> RowError:
    return row.error(column, f"{line}행에 이미 있는 값입니다: {value}", f"{value} is already in line {line}")
