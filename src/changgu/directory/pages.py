"""The pages about people: who they are, how they are reached, what they use, and what they called about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from fastapi import APIRouter, Depends, Path, Query, Request, Response, UploadFile
from fastapi.responses import RedirectResponse

from changgu.directory.api import A_FILE, allowed, read_cursor, read_upload, written_cursor
from changgu.directory.people_csv import COLUMNS, parse_asset, parse_numbers
from changgu.directory.person import FIELDS, PersonCard, PersonId, PersonWritten
from changgu.directory.service import Directory
from changgu.ground.access import Actor, Gate, Role
from changgu.ground.csv_rows import RowErrors, write_rows
from changgu.ground.pages import Pages
from changgu.ground.trouble import BadInput, Trouble

SHOWN = 20
PAGE = 50


@dataclass(frozen=True, slots=True)
class CallLine:
    """A past call of a person, in one line."""

    id: str
    at: datetime
    queue: str
    agent: str
    outcome: str
    """Word in the reader's terms: the `outcome.…` message key without its prefix, such as `answered`."""


@dataclass(frozen=True, slots=True)
class TicketLine:
    """A ticket of a person, in one line."""

    number: str
    title: str
    state_ko: str
    state_en: str
    at: datetime


class PastCalls(Protocol):
    """Knows a person's calls."""

    async def of_person(self, ids: Sequence[PersonId], numbers: Sequence[str], limit: int) -> Sequence[CallLine]:
        """Newest first. `numbers` are canonical; `ids` are all ids by which the person was ever known."""


class PastTickets(Protocol):
    """Knows a person's tickets."""

    async def of_person(self, ids: Sequence[PersonId], limit: int) -> Sequence[TicketLine]:
        """Newest first."""


def build_pages(gate: Gate, pages: Pages, directory: Directory, calls: PastCalls, tickets: PastTickets) -> APIRouter:
    """The routes `/people`, `/people/new`, `/people/{id}`, `/people/{id}/edit` and `/people/import`."""
    router = APIRouter(include_in_schema=False)
    agent = Depends(gate.require(Role.AGENT))
    supervisor = Depends(gate.require(Role.SUPERVISOR))
    person_id = Path(alias="id", ge=1, le=2**31 - 1)

    def form(
        request: Request, actor: Actor, person: PersonCard | None, entered: Mapping[str, str], trouble: Trouble | None
    ) -> Response:
        return pages.render(
            request, "directory_person_form.html", actor, person=person, entered=entered, fields=list(FIELDS),
            longest=FIELDS, trouble=trouble, status_code=trouble.status if trouble else 200,
            may_vip=actor.may(Role.SUPERVISOR),
        )  # fmt: skip

    @router.get("/people")
    async def list_people(
        request: Request, actor: Actor = agent, q: str = Query("", max_length=200), cursor: str = ""
    ) -> Response:
        page = await directory.page(q, PAGE, read_cursor(cursor))
        if q and not cursor and len(page.items) == 1:
            return RedirectResponse(f"/people/{page.items[0].id}", 303)
        return pages.render(
            request, "directory_people.html", actor, people=page.items, q=q, count=await directory.count(),
            next=written_cursor(page.next), may_import=actor.may(Role.SUPERVISOR),
        )  # fmt: skip

    @router.get("/people/new")
    async def new_person(request: Request, actor: Actor = agent, number: str = Query("", max_length=200)) -> Response:
        return form(request, actor, None, {"numbers": number}, None)

    @router.post("/people/new")
    async def add_person(request: Request, actor: Actor = agent) -> Response:
        entered = await _entered(request)
        try:
            person = await directory.create(allowed(_said(entered), actor), actor.login)
        except Trouble as trouble:
            return form(request, actor, None, entered, trouble)
        return RedirectResponse(f"/people/{person.id}", 303)

    @router.get("/people/import")
    async def import_form(request: Request, actor: Actor = supervisor) -> Response:
        return pages.render(request, "directory_import.html", actor, done=None, errors=(), columns=COLUMNS)

    @router.post("/people/import")
    async def import_people(request: Request, actor: Actor = supervisor, file: UploadFile = A_FILE) -> Response:
        name, content = await read_upload(file)
        try:
            done = await directory.import_people(name, content, actor.login)
        except RowErrors as refused:
            return pages.render(
                request, "directory_import.html", actor, done=None, errors=refused.errors, columns=COLUMNS,
                status_code=refused.status,
            )  # fmt: skip
        return pages.render(request, "directory_import.html", actor, done=done, errors=(), columns=COLUMNS)

    @router.get("/people/import/example.csv")
    async def example(_: Actor = supervisor) -> Response:
        row = (
            "100234", "김하나", "정보화담당관실", "주무관", "hana@example.go.kr", "본관 3층 305호", "PC-00123",
            "mobile:010-1234-5678; 02-2100-1234; 1234", "02-2100-9999", "NB-00123|노트북|모델명|S/N|2024-03-02",
        )  # fmt: skip
        return Response(
            write_rows(COLUMNS, [row]),
            media_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": 'attachment; filename="people.csv"'},
        )

    @router.get("/people/{id}")
    async def show_person(request: Request, number: int = person_id, actor: Actor = agent) -> Response:
        person = await directory.get(number)
        if person.id != number:
            return RedirectResponse(f"/people/{person.id}", 308)
        ids = await directory.ids_of(person.id)
        facts = [field for field in FIELDS if field != "name"]
        return pages.render(
            request, "directory_person.html", actor, person=person, fields=facts,
            calls=await calls.of_person(ids, [one.canonical for one in person.numbers], SHOWN),
            tickets=await tickets.of_person(ids, SHOWN), history=await directory.history(person.id, SHOWN),
            may_merge=actor.may(Role.SUPERVISOR),
        )  # fmt: skip

    @router.get("/people/{id}/edit")
    async def edit_person(request: Request, number: int = person_id, actor: Actor = agent) -> Response:
        person = await directory.get(number)
        return form(request, actor, person, _as_entered(person), None)

    @router.post("/people/{id}/edit")
    async def change_person(request: Request, number: int = person_id, actor: Actor = agent) -> Response:
        person = await directory.get(number)
        entered = await _entered(request)
        try:
            await directory.update(person.id, allowed(_said(entered), actor), actor.login)
        except Trouble as trouble:
            return form(request, actor, person, entered, trouble)
        return RedirectResponse(f"/people/{person.id}", 303)

    @router.post("/people/{id}/merge")
    async def merge_person(request: Request, number: int = person_id, actor: Actor = supervisor) -> Response:
        other = (await _entered(request)).get("other", "")
        if not (other.isascii() and other.isdecimal() and len(other) < 10):
            raise BadInput("합칠 사람의 번호를 적어 주십시오.", "give the number of the other record", field="other")
        kept = await directory.merge(number, int(other), actor.login)
        return RedirectResponse(f"/people/{kept.id}", 303)

    return router


async def _entered(request: Request) -> dict[str, str]:
    return {name: value for name, value in (await request.form()).items() if isinstance(value, str)}


def _as_entered(person: PersonCard) -> dict[str, str]:
    """What a form shows of a person."""
    shown = {field: getattr(person, field) or "" for field in FIELDS}
    shown["vip"] = "yes" if person.vip else ""
    shown["numbers"] = "\n".join(f"{number.kind.value}: {number.display}" for number in person.numbers)
    shown["assets"] = "\n".join(
        "|".join((one.tag, one.kind, one.model, one.serial, str(one.purchased_on or ""))).rstrip("|")
        for one in person.assets
    )
    return shown


def _said(entered: Mapping[str, str]) -> PersonWritten:
    fields = {field: entered[field] for field in FIELDS if field in entered}
    assets = None
    if "assets" in entered:
        try:
            assets = [parse_asset(line) for line in entered["assets"].splitlines() if line.strip()]
        except ValueError as trouble:
            ko = "자산은 한 줄에 하나씩 '자산번호|종류|모델|일련번호|구입일(2024-03-02)'로 씁니다."
            raise BadInput(ko, "write one asset per line: tag|kind|model|serial|date", field="assets") from trouble
    numbers = parse_numbers(entered["numbers"]) if "numbers" in entered else None
    vip = "vip" in entered if "vip_asked" in entered else None  # a box that is not ticked is not sent at all
    return PersonWritten(fields, numbers, assets, vip)
