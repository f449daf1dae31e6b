"""Two versions of the menu, or one and the draft, held against each other under `/api/v1/flows/MENU/differences`."""

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, Field

from changgu.ground.access import Actor, Gate, Role
from changgu.ground.trouble import NotFound
from changgu.ivr_flows.menu_set import MenuSet
from changgu.ivr_flows.publishing.comparison.differences import How, What, differences
from changgu.ivr_flows.publishing.service import FlowVersions


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
        return DifferencesOut(
            before=before, after=after,
            differences=[
                DifferenceOut(
                    what=one.what, how=one.how, name=one.name, kind=one.kind,
                    changes=[ChangeOut(field=each.field, before=each.before, after=each.after) for each in one.changes],
                )
                for one in found
            ],
        )  # fmt: skip

    return router
