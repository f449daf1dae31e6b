"""People for programs: `GET|POST /people`, `GET|PATCH /people/{id}`, merging, importing."""

import base64
import binascii
from datetime import date, datetime

import orjson
from fastapi import APIRouter, Depends, File, Path, Query, UploadFile
from pydantic import BaseModel, Field

from changgu.directory.items import Asset, AssetTag
from changgu.directory.numbers import NumberKind
from changgu.directory.person import NumberWritten, PersonCard, PersonWritten
from changgu.directory.service import Directory
from changgu.ground.access import Actor, Gate, Role
from changgu.ground.csv_rows import MAX_FILE_BYTES
from changgu.ground.trouble import BadInput, Forbidden

LARGEST_PAGE = 200
A_FILE = File(description="people.csv in UTF-8 or CP949")


class NumberOut(BaseModel):
    """One number of a person."""

    canonical: str = Field(description="E.164, or ext:1234 for an extension")
    display: str = Field(description="As people here write it")
    as_written: str
    kind: NumberKind
    source: str = Field(description="Who says so: manual, import, agent")
    confidence: int = Field(description="0 to 100")
    shared: bool = Field(description="Others have this number too")


class AssetOut(BaseModel):
    """A piece of equipment."""

    tag: str
    kind: str
    model: str
    serial: str
    purchased_on: date | None
    location: str


class PersonOut(BaseModel):
    """A person."""

    id: int
    name: str
    employee_number: str | None = Field(description="사번")
    department: str
    title: str
    email: str
    location: str
    computer_id: str
    fax: str
    vip: bool = Field(description="Their calls go first")
    numbers: list[NumberOut]
    assets: list[AssetOut]
    source: str
    updated_at: datetime | None


class PeopleOut(BaseModel):
    """People, by name."""

    items: list[PersonOut]
    next: str | None = Field(description="Give it as `cursor` to get the next people; null at the end")


class NumberIn(BaseModel):
    """A number, however it is written."""

    number: str = Field(max_length=200)
    kind: NumberKind | None = Field(None, description="Told from the number when left out")


class AssetIn(BaseModel):
    """A piece of equipment; `tag` is the number on its sticker."""

    tag: str = Field(min_length=1, max_length=200)
    kind: str = Field("", max_length=200)
    model: str = Field("", max_length=200)
    serial: str = Field("", max_length=200)
    purchased_on: date | None = None
    location: str = Field("", max_length=200)


class PersonIn(BaseModel):
    """What is said about a person; in a PATCH whatever is left out stays as it is."""

    name: str | None = None
    employee_number: str | None = None
    department: str | None = None
    title: str | None = None
    email: str | None = None
    location: str | None = None
    computer_id: str | None = None
    fax: str | None = None
    vip: bool | None = Field(None, description="Their calls go first; only supervisors say so")
    numbers: list[NumberIn | str] | None = Field(None, description="All numbers of the person")
    assets: list[AssetIn] | None = Field(None, description="All assets of the person")

    def written(self) -> PersonWritten:
        """The same in the words of the directory."""
        said = self.model_fields_set
        fields = {name: getattr(self, name) for name in said - {"numbers", "assets", "vip"}}
        numbers = [
            NumberWritten(number) if isinstance(number, str) else NumberWritten(number.number, number.kind)
            for number in self.numbers or ()
        ]
        assets = [Asset(**asset.model_dump() | {"tag": AssetTag(asset.tag)}) for asset in self.assets or ()]
        return PersonWritten(
            fields,
            numbers if "numbers" in said and self.numbers is not None else None,
            assets if "assets" in said and self.assets is not None else None,
            self.vip,
        )


class MergeIn(BaseModel):
    """Another record of the same person, which goes."""

    other: int


class ImportOut(BaseModel):
    """What the import did."""

    added: int
    updated: int
    unchanged: int


class ChangeOut(BaseModel):
    """Who changed what, and when."""

    at: datetime
    actor: str
    source: str
    field: str
    before: str
    after: str


class ChangesOut(BaseModel):
    """Newest first."""

    items: list[ChangeOut]


def person_out(card: PersonCard) -> PersonOut:
    """The person as programs read it."""
    return PersonOut.model_validate(card, from_attributes=True)


def allowed(written: PersonWritten, actor: Actor) -> PersonWritten:
    """The same, if this person may say it: who goes first is for supervisors to decide. Raises `Forbidden`."""
    if written.vip is not None and not actor.may(Role.SUPERVISOR):
        raise Forbidden("우대 사용자는 관리자만 정할 수 있습니다.", "Only a supervisor says who is a VIP.", field="vip")
    return written


def written_cursor(after: tuple[str, int] | None) -> str | None:
    """Where the next page begins, as one word."""
    return None if after is None else base64.urlsafe_b64encode(orjson.dumps(after)).decode()


def read_cursor(cursor: str | None) -> tuple[str, int] | None:
    """The same the other way round.

    Raises:
        BadInput: it is not one of ours.
    """
    if not cursor:
        return None
    try:
        name, last = orjson.loads(base64.urlsafe_b64decode(cursor.encode()))
        return str(name), int(last)
    except (ValueError, TypeError, binascii.Error) as trouble:
        raise BadInput("올바르지 않은 cursor입니다.", "not a cursor of ours", field="cursor") from trouble


async def read_upload(upload: UploadFile) -> tuple[str, bytes]:
    """The name and content of a file somebody sent, no larger than an import may be."""
    content = await upload.read(MAX_FILE_BYTES + 1)
    return (upload.filename or "people.csv")[:200], content


def build_router(gate: Gate, directory: Directory) -> APIRouter:
    """The routes under /api/v1. Agents keep the records; merging and importing is for supervisors."""
    router = APIRouter(prefix="/api/v1", tags=["people"])
    agent = Depends(gate.require(Role.AGENT))
    supervisor = Depends(gate.require(Role.SUPERVISOR))
    person_id = Path(alias="id", ge=1, le=2**31 - 1)

    @router.get("/people", summary="People, by name")
    async def list_people(
        _: Actor = agent,
        q: str = Query("", max_length=200, description="Words of name, department, 사번 …, or (part of) a number"),
        number: str | None = Query(None, max_length=200, description="Exactly this number; the most certain first"),
        cursor: str | None = Query(None, description="`next` of the answer before"),
        limit: int = Query(50, ge=1, le=LARGEST_PAGE),
    ) -> PeopleOut:
        if number is not None:
            found = await directory.find_by_number(number)
            return PeopleOut(items=[person_out(card) for card in found[:limit]], next=None)
        page = await directory.page(q, limit, read_cursor(cursor))
        return PeopleOut(items=[person_out(card) for card in page.items], next=written_cursor(page.next))

    @router.post("/people", status_code=201, summary="Add a person")
    async def add_person(person: PersonIn, actor: Actor = agent) -> PersonOut:
        return person_out(await directory.create(allowed(person.written(), actor), actor.login))

    @router.post("/people/import", summary="Import people.csv: all of it or nothing")
    async def import_people(actor: Actor = supervisor, file: UploadFile = A_FILE) -> ImportOut:
        name, content = await read_upload(file)
        done = await directory.import_people(name, content, actor.login)
        return ImportOut(added=done.added, updated=done.updated, unchanged=done.unchanged)

    @router.get("/people/{id}", summary="One person")
    async def get_person(person: int = person_id, _: Actor = agent) -> PersonOut:
        return person_out(await directory.get(person))

    @router.patch("/people/{id}", summary="Change a person")
    async def change_person(changes: PersonIn, person: int = person_id, actor: Actor = agent) -> PersonOut:
        return person_out(await directory.update(person, allowed(changes.written(), actor), actor.login))

    @router.get("/people/{id}/history", summary="Who changed what")
    async def person_history(
        person: int = person_id, _: Actor = agent, limit: int = Query(50, ge=1, le=LARGEST_PAGE)
    ) -> ChangesOut:
        changes = await directory.history((await directory.get(person)).id, limit)
        return ChangesOut(items=[ChangeOut.model_validate(change, from_attributes=True) for change in changes])

    @router.post("/people/{id}/merge", summary="Two records are one person: the other one goes")
    async def merge_people(merge: MergeIn, person: int = person_id, actor: Actor = supervisor) -> PersonOut:
        return person_out(await directory.merge(person, merge.other, actor.login))

    return router
