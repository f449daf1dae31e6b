"""Two versions of the menu, or one and the draft, held against each other under `/api/v1/flows/MENU/differences`."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Depends, Path, Query
from pydantic import AwareDatetime, BaseModel, Field

from changgu.ground.access import Actor, Gate, Role
from changgu.ground.trouble import NotFound
from changgu.ivr_flows.menu_set import MenuSet
from changgu.ivr_flows.publishing.api import as_written, part_of
from changgu.ivr_flows.publishing.comparison.differences import Difference, How, What, differences
from changgu.ivr_flows.publishing.outline import with_node
from changgu.ivr_flows.publishing.service import LONGEST_SENTENCE, FlowVersions
from changgu.ivr_flows.publishing.versions import LONGEST_TEXT


class Seen(BaseModel):
    """The draft as somebody has it before them."""

    text: str = Field(max_length=LONGEST_TEXT)
    sentences: dict[str, dict[str, str]] = Field(description="Language → prompt → sentence")


class SentenceOfMine(BaseModel):
    """A prompt in other words."""

    language: str = Field(pattern="^(ko|en)$")
    name: str = Field(max_length=64)
    text: str = Field(max_length=LONGEST_SENTENCE)


class Mine(BaseModel):
    """What they have written and not saved: the whole text, a node, or a sentence."""

    text: str | None = Field(None, max_length=LONGEST_TEXT)
    node: str = Field("", max_length=64)
    fields: dict[str, Any] = Field(default={}, description="Of the node, as they are written in YAML")
    sentence: SentenceOfMine | None = None


class MeanwhileWish(BaseModel):
    """Somebody could not save, because another was faster."""

    part: str = Field("", max_length=64, description="The sub-flow that they look at; empty: the tree itself")
    seen: Seen
    mine: Mine | None = None


class ChangeOut(BaseModel):
    """One field; an empty text where it is not there."""

    field: str = Field(description="With its key where it has keys: `keys 5`; empty: of a sentence")
    before: str
    after: str


class DifferenceOut(BaseModel):
    """One thing that callers of the two meet in two ways."""

    what: What
    how: How
    name: str = Field(description="A node (in a sub-flow: flow/node), a prompt with its language, or a flow")
    kind: str = Field(description="Of a node; else empty")
    changes: list[ChangeOut]


class DifferencesOut(BaseModel):
    """From one version to another; 0 is the draft."""

    before: int
    after: int
    differences: list[DifferenceOut]


class MeanwhileOut(BaseModel):
    """What has become of the draft, and what would become of it."""

    by: str = Field(description="Who has saved it last")
    at: AwareDatetime
    revision: int
    meanwhile: list[DifferenceOut] = Field(description="From what was seen to the draft as it is now")
    mine: list[DifferenceOut] = Field(description="From the draft as it is now to one with `mine` in it")


def build_router(gate: Gate, versions: FlowVersions) -> APIRouter:
    """For supervisors."""
    router = APIRouter(prefix="/api/v1", tags=["flows"])
    supervisor = Depends(gate.require(Role.SUPERVISOR))

    async def menu_of(number: int) -> MenuSet:
        return versions.history.version(number).menu if number else (await versions.working_draft()).menu

    @router.get("/flows/{flow}/differences", summary="What differs between two versions, or a version and the draft")
    async def get_differences(
        flow: str = Path(max_length=64), before: int = Query(ge=0, description="0: the draft"),
        after: int = Query(0, ge=0, description="0: the draft"), actor: Actor = supervisor,
    ) -> DifferencesOut:  # fmt: skip
        if flow != versions.name:
            raise NotFound(f"'{flow}' 메뉴가 없습니다.", f"There is no menu '{flow}'.")
        found = differences(await menu_of(before), await menu_of(after))
        return DifferencesOut(before=before, after=after, differences=_out(found))

    @router.post("/flows/{flow}/draft/meanwhile", summary="What others changed in the draft since it was looked at")
    async def get_meanwhile(
        wish: MeanwhileWish, flow: str = Path(max_length=64), actor: Actor = supervisor
    ) -> MeanwhileOut:
        """For whoever got a 409: nothing is saved."""
        if flow != versions.name:
            raise NotFound(f"'{flow}' 메뉴가 없습니다.", f"There is no menu '{flow}'.")
        draft = await versions.working_draft()
        seen = replace(_with_text(draft.menu, wish.part, wish.seen.text), sentences=wish.seen.sentences)
        return MeanwhileOut(
            by=draft.by, at=draft.at, revision=draft.revision, meanwhile=_out(differences(seen, draft.menu)),
            mine=_out(differences(draft.menu, _with(draft.menu, wish.part, wish.mine))) if wish.mine else [],
        )  # fmt: skip

    return router


def _with_text(menu: MenuSet, part: str, text: str) -> MenuSet:
    return replace(menu, flows={**menu.flows, part: text}) if part else replace(menu, text=text)


def _with(menu: MenuSet, part: str, mine: Mine) -> MenuSet:
    """The menu as it would be if this were saved; raises `Trouble` as the saving would."""
    if mine.text is not None:
        return _with_text(menu, part, mine.text)
    if mine.node:
        return _with_text(menu, part, with_node(part_of(menu, part), mine.node, as_written(mine.fields)))
    if (said := mine.sentence) is not None:
        own = {**menu.sentences.get(said.language, {}), said.name: said.text}
        return replace(menu, sentences={**menu.sentences, said.language: own})
    return menu


def _out(found: Sequence[Difference]) -> list[DifferenceOut]:
    return [
        DifferenceOut(
            what=one.what, how=one.how, name=one.name, kind=one.kind,
            changes=[ChangeOut(field=each.field, before=each.before, after=each.after) for each in one.changes],
        )
        for one in found
    ]  # fmt: skip
