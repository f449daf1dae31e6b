"""The menu's versions, draft, notices and figures as resources under `/api/v1/flows` and `/api/v1/notices`."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Protocol

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import AwareDatetime, BaseModel, Field

from changgu.ground.access import Actor, Gate, Role
from changgu.ground.moments import GivenMoment
from changgu.ground.trouble import BadInput, NotFound, Trouble
from changgu.ivr_flows.kinds import KINDS, Form
from changgu.ivr_flows.loader import Report
from changgu.ivr_flows.menu_set import MenuSet
from changgu.ivr_flows.problems import FlowErrors, Problem
from changgu.ivr_flows.publishing.callers.service import Counts, Notices
from changgu.ivr_flows.publishing.counts import Figures, heat_map
from changgu.ivr_flows.publishing.notices import LONGEST_SENTENCE, Notice
from changgu.ivr_flows.publishing.outline import Outline, Value, drawn, outline, with_node, without_node
from changgu.ivr_flows.publishing.service import LONGEST_SENTENCE as LONGEST_SENTENCE_SAID
from changgu.ivr_flows.publishing.service import FlowVersions
from changgu.ivr_flows.publishing.versions import (
    LONGEST_NOTE,
    LONGEST_TEXT,
    Draft,
    History,
    Publication,
    Standing,
    Version,
)

MOST_DAYS = 366
Catalogues = Mapping[str, Mapping[str, str]]
"""Language → prompt name → sentence."""


class Surroundings(Protocol):
    """What the menu is used in; `app.flow_joins.DeskMenu`."""

    fallback_voice: str
    """What is to be said of the voice that callers hear, when it is the fallback; else empty."""

    def places(self) -> list[str]:
        """Where notices can be heard."""
        ...

    def titles(self) -> Mapping[str, str]:
        """Queue → what people call it."""
        ...

    def sentences(self) -> Catalogues:
        """Every prompt that has a name."""
        ...


class UnfitFlow(Trouble):
    """A menu tree that must not go on the air; says its first mistakes."""

    status = 422

    def __init__(self, errors: Sequence[Problem]) -> None:
        shown = errors[:5]
        more = len(errors) - len(shown)
        super().__init__(
            f"메뉴에 고칠 곳이 {len(errors)}군데 있습니다: "
            + " / ".join(f"{one.place.line}행 {one.ko}" for one in shown) + (" …" if more else ""),
            f"{len(errors)} mistake(s) in the menu: "
            + " / ".join(f"line {one.place.line}: {one.en}" for one in shown) + (" …" if more else ""),
        )  # fmt: skip


# ------------------------------------------------------------------------------------------------ what is asked


class TextWish(BaseModel):
    """The whole draft as text."""

    text: str = Field(max_length=LONGEST_TEXT, description="The menu tree in YAML")
    revision: int = Field(ge=0, description="The revision that was changed; 0: there was no draft")
    part: str = Field("", max_length=64, description="The sub-flow whose text this is; empty: the tree itself")


class NodeWish(BaseModel):
    """One node of the draft."""

    fields: dict[str, Any] = Field(description="Every field of the node as it is written in YAML, `kind` among them")
    revision: int = Field(ge=0)
    part: str = Field("", max_length=64, description="The sub-flow in which it is; empty: the tree itself")


class SentenceWish(BaseModel):
    """A prompt of the draft in other words."""

    text: str = Field(min_length=1, max_length=LONGEST_SENTENCE_SAID)
    revision: int = Field(ge=0)


class AnewWish(BaseModel):
    """Where the draft is to begin again."""

    revision: int = Field(ge=0)
    version: int | None = Field(None, ge=1, description="By default the version on the air")


class PublishWish(BaseModel):
    """The draft is to answer callers."""

    revision: int = Field(ge=0, description="The draft that was looked at")
    note: str = Field("", max_length=LONGEST_NOTE, description="What has changed, for the colleagues")
    at: GivenMoment | None = Field(None, description="From when on; by default now")


class RollBackWish(BaseModel):
    """An older version is to answer callers again."""

    note: str = Field("", max_length=LONGEST_NOTE)


class SpeechWish(BaseModel):
    """A sentence to be heard."""

    text: str = Field(min_length=1, max_length=2000)
    language: str = Field("ko", pattern="^(ko|en)$")


class NoticeWish(BaseModel):
    """A sentence for callers."""

    sentences: dict[str, str] = Field(
        description=f"Language → sentence, at most {LONGEST_SENTENCE} characters; the desk's own language at least"
    )
    places: list[str] = Field(max_length=200, description="desk, queue:NAME, service:NODE")
    starts_at: GivenMoment | None = Field(None, description="By default now")
    ends_at: GivenMoment


# ---------------------------------------------------------------------------------------------- what is answered


class ProblemOut(BaseModel):
    """One thing wrong with the draft; lines count from 1."""

    file: str = Field(description="In which of the texts; empty: in this one")
    line: int
    column: int
    severity: str
    ko: str
    en: str
    node: str = Field(description="The node whose lines these are, or empty")


class PublicationOut(BaseModel):
    """From when on a version answers callers."""

    id: int
    version: int
    how: str
    effective_at: AwareDatetime
    by: str
    at: AwareDatetime
    note: str
    withdrawn_by: str
    withdrawn_at: AwareDatetime | None
    why_withdrawn: str


class VersionOut(BaseModel):
    """One version."""

    number: int
    standing: Standing
    origin: str
    note: str
    by: str
    at: AwareDatetime


class FlowOut(BaseModel):
    """A menu tree and its versions, newest first."""

    flow: str
    on_air: int | None = Field(description="The version that answers callers now")
    pilot_number: str = Field(description="Where the draft is heard; empty: nowhere")
    draft_revision: int
    versions: list[VersionOut]
    publications: list[PublicationOut]


class WayOut(BaseModel):
    """Where a node leads; `along`: drawn as the trunk of the tree."""

    way: str
    to: str
    along: bool


class NodeOut(BaseModel):
    """One node as it is written, as it sounds, and where it is drawn."""

    name: str
    kind: str
    fields: dict[str, Any]
    says: dict[str, str] = Field(description="Language → what the caller hears")
    ways: list[WayOut]
    column: int
    row: float
    problems: int
    astray: bool = Field(description="Nobody gets here from the start")


class TreeOut(BaseModel):
    """A text, drawn, with what is wrong with it."""

    flow: str
    part: str = Field(description="The sub-flow that is shown; empty: the tree itself")
    parts: list[str] = Field(description="All sub-flows that this version carries")
    sentences: dict[str, dict[str, str]] = Field(description="Language → prompt → sentence, as this version says it")
    version: int = Field(description="0: the draft")
    revision: int
    base: int
    by: str
    at: AwareDatetime
    text: str
    start: str
    person: str
    columns: int
    rows: int
    nodes: list[NodeOut]
    problems: list[ProblemOut]


class FiguresOut(BaseModel):
    """What callers did at one place; of whole visits, what became of them."""

    entered: int
    left: int
    hung_up: int
    failed: int
    contained: int
    containment: float | None = Field(description="contained / entered")
    drop_out: float | None = Field(description="hung_up / entered")


class DayOut(BaseModel):
    """One day of the site."""

    day: date
    figures: FiguresOut


class PathsOut(BaseModel):
    """What callers did, from one day to another, both included."""

    first: date
    last: date
    whole: FiguresOut
    nodes: dict[str, FiguresOut]
    days: list[DayOut]


class NodeDayOut(BaseModel):
    """One place on one day."""

    day: date
    version: int
    figures: FiguresOut


class NoticeOut(BaseModel):
    """A notice with what came of it."""

    id: int
    sentences: dict[str, str]
    places: list[str]
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    by: str
    at: AwareDatetime
    withdrawn_by: str
    withdrawn_at: AwareDatetime | None
    on: bool
    heard: int = Field(description="Calls that heard it to its end")
    deflected: int = Field(description="Of those, ended without an agent: in the menu, or within 30 s in a queue")


def build_router(
    gate: Gate, versions: FlowVersions, notices: Notices, counts: Counts, surroundings: Surroundings
) -> APIRouter:
    """Everything is for supervisors."""
    router = APIRouter(prefix="/api/v1", tags=["flows"])
    supervisor = Depends(gate.require(Role.SUPERVISOR))

    def known(flow: str) -> None:
        if flow != versions.name:
            raise NotFound(f"'{flow}' 메뉴가 없습니다.", f"There is no menu '{flow}'.")

    async def draft_out(draft: Draft, part: str = "", version: int = 0) -> TreeOut:
        report = await versions.check(draft.menu)
        return tree_of(versions.name, draft, report, surroundings.sentences(), version, part)

    @router.get("/flows/{flow}", summary="Versions of a menu, and who put them on the air")
    async def get_flow(flow: str = Path(max_length=64), actor: Actor = supervisor) -> FlowOut:
        known(flow)
        draft = await versions.working_draft()
        return flow_of(versions, draft)

    @router.get("/flows/{flow}/draft", summary="The draft: its text, drawn, and what is wrong with it")
    async def get_draft(
        flow: str = Path(max_length=64), part: str = Query("", max_length=64), actor: Actor = supervisor
    ) -> TreeOut:
        known(flow)
        return await draft_out(await versions.working_draft(), part)

    @router.put("/flows/{flow}/draft", summary="Keep another text as the draft, mistakes and all")
    async def put_draft(wish: TextWish, flow: str = Path(max_length=64), actor: Actor = supervisor) -> TreeOut:
        """409 when somebody else has changed the draft since `revision`."""
        known(flow)
        return await draft_out(await versions.save_draft(wish.text, wish.revision, actor, wish.part), wish.part)

    @router.put("/flows/{flow}/draft/sentences/{language}/{name}", summary="Say a prompt of the draft in other words")
    async def put_sentence(
        wish: SentenceWish, flow: str = Path(max_length=64), language: str = Path(pattern="^(ko|en)$"),
        name: str = Path(max_length=64, pattern="^[A-Za-z0-9_-]+$"), actor: Actor = supervisor,
    ) -> TreeOut:  # fmt: skip
        """It is heard when the draft is published, and by calls that began before it never."""
        known(flow)
        return await draft_out(await versions.save_sentence(name, language, wish.text, wish.revision, actor))

    @router.put("/flows/{flow}/draft/nodes/{node}", summary="Change one node of the draft, or add it")
    async def put_node(
        wish: NodeWish, flow: str = Path(max_length=64), node: str = Path(max_length=64), actor: Actor = supervisor
    ) -> TreeOut:
        """Only the lines of fields that change are touched, so that comments stay."""
        known(flow)
        before = await versions.working_draft()
        text = with_node(part_of(before.menu, wish.part), node, as_written(wish.fields))
        return await draft_out(await versions.save_draft(text, wish.revision, actor, wish.part), wish.part)

    @router.delete("/flows/{flow}/draft/nodes/{node}", summary="Take a node out of the draft")
    async def delete_node(
        flow: str = Path(max_length=64), node: str = Path(max_length=64), revision: int = Query(ge=0),
        part: str = Query("", max_length=64), actor: Actor = supervisor,
    ) -> TreeOut:  # fmt: skip
        """409 when other nodes still lead to it."""
        known(flow)
        before = await versions.working_draft()
        text = without_node(part_of(before.menu, part), node)
        return await draft_out(await versions.save_draft(text, revision, actor, part), part)

    @router.post("/flows/{flow}/draft/anew", summary="Begin the draft again from a version")
    async def begin_anew(wish: AnewWish, flow: str = Path(max_length=64), actor: Actor = supervisor) -> TreeOut:
        known(flow)
        return await draft_out(await versions.start_draft_anew(wish.revision, wish.version, actor))

    @router.post("/flows/{flow}/publish", summary="Put the draft on the air, now or at a time")
    async def publish(wish: PublishWish, flow: str = Path(max_length=64), actor: Actor = supervisor) -> FlowOut:
        """Calls in progress finish on the version they began with. 422 says what is wrong with the draft."""
        known(flow)
        try:
            await versions.publish(wish.revision, wish.note, wish.at, actor)
        except FlowErrors as wrong:
            raise UnfitFlow(wrong.problems) from wrong
        return flow_of(versions, await versions.working_draft())

    @router.post("/flows/{flow}/versions/{number}/roll-back", summary="Put an older version on the air again")
    async def roll_back(
        wish: RollBackWish, flow: str = Path(max_length=64), number: int = Path(ge=1), actor: Actor = supervisor
    ) -> FlowOut:
        known(flow)
        try:
            await versions.roll_back(number, wish.note, actor)
        except FlowErrors as wrong:
            raise UnfitFlow(wrong.problems) from wrong
        return flow_of(versions, await versions.working_draft())

    @router.delete("/flows/{flow}/publications/{id}", summary="Withdraw what is scheduled")
    async def withdraw(flow: str = Path(max_length=64), id: int = Path(ge=1), actor: Actor = supervisor) -> FlowOut:
        known(flow)
        await versions.withdraw(id, actor)
        return flow_of(versions, await versions.working_draft())

    @router.get("/flows/{flow}/versions/{number}", summary="A version: its text, drawn")
    async def get_version(
        flow: str = Path(max_length=64), number: int = Path(ge=1), part: str = Query("", max_length=64),
        actor: Actor = supervisor,
    ) -> TreeOut:  # fmt: skip
        known(flow)
        version = versions.history.version(number)
        return await draft_out(Draft(version.menu, 0, version.number, version.by, version.at), part, version.number)

    @router.get("/flows/{flow}/paths", summary="How many callers came to each node, left, hung up and failed there")
    async def get_paths(
        flow: str = Path(max_length=64), first: date | None = None, last: date | None = None,
        version: int | None = Query(None, ge=0, description="0: what the pilot number heard; by default all others"),
        actor: Actor = supervisor,
    ) -> PathsOut:  # fmt: skip
        """By default today. Days are the site's; at most a year."""
        known(flow)
        begin, end = period(first, last, counts.today())
        picture = heat_map(await counts.rows(flow, begin, end, version))
        return PathsOut(
            first=begin, last=end, whole=figures_out(picture.whole),
            nodes={name: figures_out(figures) for name, figures in picture.nodes.items()},
            days=[DayOut(day=day, figures=figures_out(figures)) for day, figures in picture.days.items()],
        )  # fmt: skip

    @router.get("/flows/{flow}/paths/{node:path}", summary="One node, day by day and version by version")
    async def get_node_paths(
        flow: str = Path(max_length=64), node: str = Path(max_length=130), first: date | None = None,
        last: date | None = None, actor: Actor = supervisor,
    ) -> list[NodeDayOut]:  # fmt: skip
        known(flow)
        begin, end = period(first, last, counts.today())
        return [
            NodeDayOut(day=row.day, version=row.version, figures=figures_out(row.figures))
            for row in await counts.rows(flow, begin, end)
            if row.node == node
        ]

    @router.post(
        "/speech", summary="A sentence as callers hear it", response_class=Response,
        responses={200: {"content": {"audio/wav": {}}}},
    )  # fmt: skip
    async def speak(wish: SpeechWish, actor: Actor = supervisor) -> Response:
        """WAV, 8 kHz, in the desk's voice; kept, so that callers need not wait for it later."""
        sound = await versions.hear(wish.text, wish.language)
        return Response(sound, media_type="audio/wav", headers={"Cache-Control": "no-store"})

    @router.get("/notices", summary="Notices, newest first, with how many heard them and did without an agent")
    async def get_notices(actor: Actor = supervisor) -> list[NoticeOut]:
        return [notice_out(one, notices) for one in await notices.lines()]

    @router.post("/notices", status_code=201, summary="Put a sentence on the air")
    async def put_on_air(wish: NoticeWish, actor: Actor = supervisor) -> NoticeOut:
        """The next caller hears it once this has answered; it ends by itself."""
        notice = await notices.put_on_air(
            wish.sentences, wish.places, wish.starts_at, wish.ends_at, actor, surroundings.places()
        )
        return notice_out(notice, notices)

    @router.delete("/notices/{id}", summary="Take a notice off the air at once")
    async def take_off(id: int = Path(ge=1), actor: Actor = supervisor) -> NoticeOut:
        return notice_out(await notices.withdraw(id, actor), notices)

    return router


# -------------------------------------------------------------------------------------------------- translations


def as_written(fields: Mapping[str, Any]) -> dict[str, Value]:
    """JSON as YAML has it: everything is text, lists and mappings of text; raises `BadInput`."""
    return {name: _written(value, name) for name, value in fields.items()}


def _written(value: object, field: str, depth: int = 0) -> Value:
    if depth > 4:
        raise BadInput("너무 깊이 겹쳐 있습니다.", "nested too deeply", field=field)
    match value:
        case bool():
            return "true" if value else "false"
        case str() | int() | float():
            return str(value)
        case list():
            return [_written(one, field, depth + 1) for one in value]
        case dict():
            return {str(name): _written(inner, field, depth + 1) for name, inner in value.items()}
        case _:
            raise BadInput("값이 비어 있습니다.", "a value is missing", field=field)


def period(first: date | None, last: date | None, today: date) -> tuple[date, date]:
    """The days asked for, by default today; raises `BadInput`."""
    end = last or max(today, first or today)
    begin = first or end
    if not timedelta(0) <= end - begin < timedelta(days=MOST_DAYS):
        raise BadInput(f"기간은 {MOST_DAYS}일까지입니다.", f"at most {MOST_DAYS} days, in order", field="first")
    return begin, end


def flow_of(versions: FlowVersions, draft: Draft) -> FlowOut:
    """A menu tree with its versions, newest first."""
    history, now = versions.history, versions.now()
    on_air = history.in_force(now)
    return FlowOut(
        flow=versions.name, on_air=on_air.version if on_air else None, pilot_number=versions.pilot,
        draft_revision=draft.revision,
        versions=[_version_out(one, history, versions) for one in reversed(history.versions)],
        publications=[_publication_out(one) for one in reversed(history.publications)],
    )  # fmt: skip


def _version_out(version: Version, history: History, versions: FlowVersions) -> VersionOut:
    return VersionOut(
        number=version.number, standing=history.standing(version.number, versions.now()), origin=version.origin,
        note=version.note, by=version.by, at=version.at,
    )  # fmt: skip


def _publication_out(one: Publication) -> PublicationOut:
    return PublicationOut(
        id=one.id, version=one.version, how=one.how.value, effective_at=one.effective_at, by=one.by, at=one.at,
        note=one.note, withdrawn_by=one.withdrawn_by, withdrawn_at=one.withdrawn_at, why_withdrawn=one.why_withdrawn,
    )  # fmt: skip


def part_of(menu: MenuSet, part: str) -> str:
    """The text of the tree, or of a sub-flow that the menu carries; raises `NotFound`."""
    if not part:
        return menu.text
    if part not in menu.flows:
        raise NotFound(f"'{part}' 하위 흐름이 없습니다.", f"There is no sub-flow '{part}'.")
    return menu.flows[part]


def tree_of(
    flow: str, draft: Draft, report: Report, catalogues: Catalogues, version: int = 0, part: str = ""
) -> TreeOut:
    """A text drawn, with its problems at their nodes."""
    menu, text = draft.menu, part_of(draft.menu, part)
    sentences = menu.over(catalogues)
    there = outline(text)
    picture = drawn(there)
    here = f"{part}.yaml" if part else report.file
    problems = [_problem_out(one, there, here) for one in report.problems]
    nodes = [
        NodeOut(
            name=name, kind=node.kind, fields=dict(node.fields), says=said(node.fields, node.kind, sentences),
            ways=[
                WayOut(way=line.way, to=line.end, along=line.along) for line in picture.lines if line.start == name
            ],
            column=picture.places[name].column, row=picture.places[name].row,
            problems=sum(problem.node == name for problem in problems), astray=name in picture.astray,
        )
        for name, node in there.nodes.items()
    ]  # fmt: skip
    return TreeOut(
        flow=flow, part=part, parts=sorted(menu.flows), version=version, revision=draft.revision, base=draft.base,
        sentences={language: dict(said) for language, said in menu.sentences.items()},
        by=draft.by, at=draft.at, text=text, start=there.start, person=there.person, columns=picture.columns,
        rows=picture.rows, nodes=nodes, problems=problems,
    )  # fmt: skip


def _problem_out(problem: Problem, there: Outline, here: str) -> ProblemOut:
    line, is_here = problem.place.line - 1, problem.file == here
    at = next((one.name for one in there.nodes.values() if is_here and one.first <= line <= one.last), "")
    return ProblemOut(
        file="" if is_here else problem.file, line=problem.place.line, column=problem.place.column,
        severity=problem.severity.value, ko=problem.ko, en=problem.en, node=at,
    )  # fmt: skip


def said(fields: Mapping[str, Value], kind: str, sentences: Catalogues) -> dict[str, str]:
    """What the caller hears at a node, in each language."""
    names = [one.name for one in KINDS[kind].fields if one.form is Form.SAID] if kind in KINDS else ["say"]
    return {
        language: " ".join(_spoken(fields[name], language, catalogue) for name in names if name in fields)
        for language, catalogue in sentences.items()
    }


def _spoken(value: Value, language: str, catalogue: Mapping[str, str]) -> str:
    match value:
        case str():
            return catalogue.get(value, f"<{value}>")
        case list():
            return " ".join(_spoken(one, language, catalogue) for one in value)
        case dict():
            own = value.get(language, value.get("text", next(iter(value.values()), "")))
            return own if isinstance(own, str) else _spoken(own, language, catalogue)


def figures_out(figures: Figures) -> FiguresOut:
    """With its two rates."""
    return FiguresOut(
        entered=figures.entered, left=figures.left, hung_up=figures.hung_up, failed=figures.failed,
        contained=figures.contained, containment=figures.containment, drop_out=figures.drop_out,
    )  # fmt: skip


def notice_out(notice: Notice, notices: Notices) -> NoticeOut:
    """A notice with what came of it."""
    return NoticeOut(
        id=notice.id, sentences=dict(notice.sentences), places=sorted(notice.places), starts_at=notice.starts_at,
        ends_at=notice.ends_at, by=notice.by, at=notice.at, withdrawn_by=notice.withdrawn_by,
        withdrawn_at=notice.withdrawn_at, on=notice.is_on(notices.moment()), heard=notice.heard,
        deflected=notice.deflected,
    )  # fmt: skip
