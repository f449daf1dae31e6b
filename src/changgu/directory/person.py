"""A person who may call: who they are, where they work, how they are reached, what they use (USR-01, CMDB-01)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NewType

from msgspec import Struct

from changgu.directory.items import Asset
from changgu.directory.numbers import NumberKind
from changgu.ground.text import clean_line, within
from changgu.ground.trouble import BadInput

PersonId = NewType("PersonId", int)
"""A person for ever; when two records turn out to be one person, the old id leads to the kept one."""

FIELDS: Mapping[str, int] = {
    "name": 100,
    "employee_number": 50,
    "department": 200,
    "title": 100,
    "email": 254,
    "location": 200,
    "computer_id": 100,
    "fax": 50,
}
"""The fields of a person that people edit, each with its longest value in characters."""

CERTAIN = 100
"""Confidence in a number that a person confirmed or the personnel list names."""


class PhoneIdentity(Struct, frozen=True):
    """One number of one person. A number can belong to several people: a shared desk, a meeting room."""

    canonical: str
    as_written: str
    display: str
    kind: NumberKind
    source: str
    """Who says so: `manual`, `import`, or the name of another source."""
    confidence: int = CERTAIN
    """0 to 100: how sure it is that this person calls when this number does."""
    shared: bool = False
    """Others have this number too."""
    valid_from: datetime | None = None
    verified_at: datetime | None = None


class PersonCard(Struct, frozen=True):
    """Everything the directory knows of a person, as the screen pop shows it."""

    id: PersonId
    name: str
    department: str = ""
    employee_number: str | None = None
    """사번."""
    title: str = ""
    email: str = ""
    location: str = ""
    computer_id: str = ""
    fax: str = ""
    vip: bool = False
    """Their calls go before those of others (CTI-10)."""
    numbers: tuple[PhoneIdentity, ...] = ()
    assets: tuple[Asset, ...] = ()
    source: str = "manual"
    updated_at: datetime | None = None

    def number(self, canonical: str) -> PhoneIdentity | None:
        """The person's identity under this number."""
        return next((number for number in self.numbers if number.canonical == canonical), None)


class NumberWritten(Struct, frozen=True):
    """A number as somebody gives it; the kind is told from the number when it is not given."""

    written: str
    kind: NumberKind | None = None


class PersonWritten(Struct, frozen=True):
    """What somebody says about a person. What is left out is not talked about."""

    fields: Mapping[str, str | None]
    numbers: Sequence[NumberWritten] | None = None
    assets: Sequence[Asset] | None = None
    vip: bool | None = None


class Owner(Struct, frozen=True):
    """Whose number it is, in a few words."""

    id: PersonId
    name: str
    department: str
    vip: bool


class Change(Struct, frozen=True):
    """One entry of a person's history: who changed what, and when."""

    at: datetime
    actor: str
    source: str
    field: str
    before: str
    after: str


def clean_fields(fields: Mapping[str, str | None]) -> dict[str, str | None]:
    """The fields as they are kept.

    Raises:
        BadInput: an unknown field, a value that is too long, a person without a name, an address without @.
    """
    cleaned: dict[str, str | None] = {}
    for field, value in fields.items():
        if field not in FIELDS:
            raise BadInput("모르는 항목입니다.", f"no such field: {field[:40]}", field=field[:40])
        cleaned[field] = within(clean_line(value or ""), FIELDS[field], field)
    if "name" in cleaned and not cleaned["name"]:
        raise BadInput("이름이 비어 있습니다.", "the name is empty", field="name")
    email = cleaned.get("email") or ""
    if email and not all(email.partition("@")[::2]):
        raise BadInput("전자우편 주소가 아닙니다.", "not an e-mail address", field="email")
    if "employee_number" in cleaned:
        cleaned["employee_number"] = cleaned["employee_number"] or None
    return cleaned
