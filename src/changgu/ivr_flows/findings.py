"""What a check finds: an error or a warning, at a node and one of its fields, in two languages."""

from dataclasses import dataclass

from changgu.ivr_flows.nodes import NodeName
from changgu.ivr_flows.problems import Severity


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem, at a node (None: the whole flow) and one of its fields."""

    severity: Severity
    node: NodeName | None
    field: str
    ko: str
    en: str


def error(node: NodeName | None, field: str, ko: str, en: str) -> Finding:
    """Keeps the flow off the air."""
    return Finding(Severity.ERROR, node, field, ko, en)


def warning(node: NodeName | None, field: str, ko: str, en: str) -> Finding:
    """Should be looked at."""
    return Finding(Severity.WARNING, node, field, ko, en)
