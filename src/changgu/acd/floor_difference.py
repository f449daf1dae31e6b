"""What a change of the floor changes, line by line, for whoever made it."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

from changgu.acd.emergency import EmergencyPlan
from changgu.acd.queues import Agent, Floor, Queue

LONGEST_VALUE = 60


def differences(before: Floor, after: Floor) -> list[str]:
    """`queue.network.strategy: longest_idle → most_skilled`, `+ agent.kim`, `- queue.old`; empty: no change."""
    found = list(_fields("rules", before.rules, after.rules))
    found += _list(
        "queue", {queue.name: queue for queue in before.queues}, {queue.name: queue for queue in after.queues}
    )
    found += _list(
        "agent", {agent.login: agent for agent in before.agents}, {agent.login: agent for agent in after.agents}
    )
    return found


def plan_differences(before: Mapping[str, EmergencyPlan], after: Mapping[str, EmergencyPlan]) -> list[str]:
    """`+ emergency.outage`, and of plans that are in both, `emergency.outage.lasts: 3600s → 7200s`.

    A plan that changed only because the ordinary floor did is not named.
    """
    found = [f"- emergency.{name}" for name in before if name not in after]
    found += [f"+ emergency.{name}" for name in after if name not in before]
    for name, plan in after.items():
        if name in before:
            found += _fields(f"emergency.{name}", replace(before[name], floor=plan.floor), plan)
    return found


def _list(kind: str, before: Mapping[Any, Queue | Agent], after: Mapping[Any, Queue | Agent]) -> Iterator[str]:
    yield from (f"- {kind}.{name}" for name in before if name not in after)
    yield from (f"+ {kind}.{name}" for name in after if name not in before)
    for name, one in after.items():
        if name in before:
            yield from _fields(f"{kind}.{name}", before[name], one)


def _fields(what: str, before: Any, after: Any) -> Iterator[str]:
    for field in fields(after):
        old, new = getattr(before, field.name), getattr(after, field.name)
        if old != new:
            yield f"{what}.{field.name}: {_shown(old)} → {_shown(new)}"


def _shown(value: Any) -> str:
    match value:
        case timedelta():
            text = f"{value.total_seconds():g}s"
        case frozenset():
            text = ", ".join(sorted(map(str, value))) or "-"
        case tuple() | Mapping() if not value:
            text = "-"
        case tuple():
            text = f"{len(value)}개 · {len(value)} of them"
        case Mapping():
            text = ", ".join(f"{key}={_shown(one)}" for key, one in sorted(value.items()))
        case None:
            text = "-"
        case _:
            text = str(value)
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 1] + "…"
