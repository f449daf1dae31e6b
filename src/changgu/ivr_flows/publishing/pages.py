"""The pages 음성 메뉴 and 안내 방송: the tree drawn and edited, its versions and figures, and notices to callers."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from changgu.ground.access import Actor, Gate, Role
from changgu.ground.pages import Pages
from changgu.ivr_flows.kinds import KINDS
from changgu.ivr_flows.labels import COMPARISON_LABELS, FIELD_LABELS, KIND_LABELS, SPOKEN_LABELS
from changgu.ivr_flows.publishing.api import Surroundings, said
from changgu.ivr_flows.publishing.notices import LONGEST_SENTENCE
from changgu.ivr_flows.publishing.outline import outline
from changgu.ivr_flows.publishing.service import FlowVersions
from changgu.ivr_flows.values import ALWAYS_KNOWN, BY_THE_CLOCK

PERIODS = (1, 7, 30, 90)
"""Days that the figures can be about."""


def build_pages(gate: Gate, pages: Pages, versions: FlowVersions, surroundings: Surroundings) -> APIRouter:
    """`/flows`, `/flows/hours` and `/notices`, for supervisors."""
    router = APIRouter(include_in_schema=False)
    supervisor = Depends(gate.require(Role.SUPERVISOR))

    @router.get("/flows")
    async def flows_page(request: Request, actor: Actor = supervisor) -> Response:
        return pages.render(
            request, "ivr_flows_menu.html", actor, flow=versions.name, pilot=versions.pilot, periods=PERIODS,
            four_eyes=versions.four_eyes,
            kinds=kinds(), voice=surroundings.fallback_voice, sentences=surroundings.sentences(),
            queues=dict(surroundings.titles()), comparisons=_labels(COMPARISON_LABELS), ways=_labels(SPOKEN_LABELS),
            known=sorted(ALWAYS_KNOWN | BY_THE_CLOCK),
        )  # fmt: skip

    @router.get("/flows/hours")
    async def hours_page(request: Request, actor: Actor = supervisor) -> Response:
        return pages.render(request, "ivr_flows_hours.html", actor, flow=versions.name)

    @router.get("/notices")
    async def notices_page(request: Request, actor: Actor = supervisor) -> Response:
        return pages.render(
            request, "ivr_flows_notices.html", actor, places=surroundings.places(), heard=heard_at(versions),
            queues=dict(surroundings.titles()), longest=LONGEST_SENTENCE,
        )  # fmt: skip

    return router


def heard_at(versions: FlowVersions) -> Mapping[str, Mapping[str, str]]:
    """Language → node of the menu on the air → what callers hear there: people know a node by it."""
    on_air = versions.history.in_force(versions.now())
    if on_air is None:
        return {}
    menu = versions.history.version(on_air.version).menu
    heard = {name: said(node.fields, node.kind, menu.sentences) for name, node in outline(menu.text).nodes.items()}
    return {language: {name: texts[language] for name, texts in heard.items()} for language in menu.sentences}


def kinds() -> Mapping[str, Any]:
    """Every kind of node with its fields, for the forms."""
    return {
        kind.name: {
            "ko": kind.ko,
            "en": kind.en,
            "label": _label(KIND_LABELS[kind.name]),
            "fields": [
                {
                    "name": one.name, "label": _label(FIELD_LABELS[one.name]),
                    "form": one.form.value, "ko": one.ko, "en": one.en, "required": one.required,
                    "least": one.least, "most": one.most, "options": list(one.options),
                }
                for one in kind.fields
            ],
        }
        for kind in KINDS.values()
    }  # fmt: skip


def _labels(labels: Mapping[str, tuple[str, str]]) -> Mapping[str, Mapping[str, str]]:
    return {name: _label(label) for name, label in labels.items()}


def _label(label: tuple[str, str]) -> Mapping[str, str]:
    return {"ko": label[0], "en": label[1]}
