"""How long it takes to read and check a menu tree of a thousand nodes, and to answer one key in it."""

import time
from collections.abc import Mapping
from typing import Any

from bench.figures import spread, table
from changgu.ivr_flows import service
from changgu.ivr_flows.flow import Flow
from changgu.ivr_flows.loader import inspect
from changgu.ivr_flows.session import DigitsGathered, Visit, resume, start

NODES = 1000
ROUNDS = 15
KEYS = 2000


def written(nodes: int) -> str:
    """A tree as a supervisor would write it: menus of five keys, sentences, questions, conditions, hours, look-ups."""
    lines = ["flow: big", "start: n0", "person: operator", "nodes:"]
    kinds = (
        "{{kind: menu, say: [services, services_person], keys: {{1: {a}, 2: {b}, 3: {c}, 0: operator}}}}",
        '{{kind: say, say: {{ko: "번호는 {{number:digits}} 입니다.", en: "It is {{number:digits}}."}}, next: {a}}}',
        "{{kind: collect_digits, say: ask_ticket_number, name: number, min: 1, max: 8, confirm: true, next: {a}}}",
        "{{kind: condition, when: [{{value: number, is: 1, go: {a}}}, {{value: number, known: true, go: {b}}}], "
        "otherwise: {c}}}",
        "{{kind: opening_hours, calendar: desk, open: {a}, closed: {b}, lunch: {b}, holiday: {c}}}",
        '{{kind: look_up, source: ticket_status, key: "{{number}}", name: found, found: {a}, not_found: {b}}}',
    )
    for count in range(nodes - 2):
        on = {"a": count + 1, "b": count + 7, "c": count + 31}
        ways = {way: f"n{ahead}" if ahead < nodes - 2 else "goodbye" for way, ahead in on.items()}
        lines.append(f"  n{count}: " + kinds[count % len(kinds)].format(**ways))
    lines.append("  operator: {kind: to_queue, say: to_person, queue: helpdesk}")
    lines.append("  goodbye: {kind: hang_up, say: goodbye}")
    return "\n".join(lines) + "\n"


def measure_all() -> dict[str, Any]:
    """The figures."""
    text, beside = written(NODES), service.beside()
    catalogues = {language: service.sentences(language) for language in service.LANGUAGES}
    checked: list[float] = []
    flow: Flow | None = None
    for _ in range(ROUNDS):
        began = time.perf_counter()
        report = inspect(text, "big.yaml", {"helpdesk"}, catalogues, None, beside)
        checked.append(time.perf_counter() - began)
        assert report.flow is not None, str(report)
        flow = report.flow
    assert flow is not None
    keyed: list[float] = []
    for count in range(KEYS):
        turn = start(flow, Visit("01012345678", "1000"))
        began = time.perf_counter()
        resume(flow, turn.state, DigitsGathered("123"[count % 3]))
        keyed.append(time.perf_counter() - began)
    return {
        "flows": {
            "nodes": NODES, "characters": len(text),
            "read and checked, s": spread(checked, shares=(0.5, 0.99)),
            "one key, µs": spread(keyed, scale=1e6, shares=(0.5, 0.99)),
        }
    }  # fmt: skip


def report(found: Mapping[str, Any]) -> str:
    """A table of them."""
    figures = found["flows"]
    rows = [(what, *figures[what].values()) for what in ("read and checked, s", "one key, µs")]
    heads = (f"{figures['nodes']:,} nodes, {figures['characters']:,} characters", *figures["one key, µs"])
    return "### Menu trees\n\n" + table(heads, rows)
