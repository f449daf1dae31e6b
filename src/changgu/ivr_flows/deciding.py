"""What follows from the values of a visit: where a condition leads, what a text says, what a sub-flow gives back."""

from urllib.parse import quote

from changgu.ivr_flows.flow import Flow
from changgu.ivr_flows.nodes import Comparison, Condition, NodeName, Return, When
from changgu.ivr_flows.turns import SessionState
from changgu.ivr_flows.values import Values, fill


def values_of(state: SessionState) -> dict[str, str]:
    """All that a flow can name at this point."""
    visit = state.visit
    known = {"caller": visit.caller or "", "dialled": visit.dialled, "language": visit.language}
    if visit.today:
        known["today"] = visit.today
    return {**known, **state.values}


def filled(template: str, state: SessionState, *, quoted: bool = False) -> str:
    """A text with its values in place; `quoted` so that they cannot be anything else than a part of an address."""
    values = values_of(state)
    return fill(template, {name: _quoted(text) for name, text in values.items()} if quoted else values)


def _quoted(text: str) -> str:
    """As one part of an address; dots alone, which no quoting keeps from climbing, are nothing."""
    return "" if text in (".", "..") else quote(text, safe="")


def called_flow(flow: Flow, state: SessionState) -> Flow | None:
    """The flow in which the caller is now: `flow`, or one of its sub-flows."""
    return flow if not state.flow else flow.flows.get(state.flow)


def given_back(flow: Flow | None, node: Return, state: SessionState) -> dict[str, str]:
    """What a sub-flow returns: what it promises to, and what the node says."""
    values = values_of(state)
    promised = {name: values[name] for name in (flow.returns if flow else ()) if name in values}
    return promised | {name: fill(text, values) for name, text in node.values.items()}


def chosen(node: Condition, values: Values) -> NodeName:
    """Where the first test leads that holds."""
    return next((test.go for test in node.tests if holds(test, values)), node.otherwise)


def holds(test: When, values: Values) -> bool:
    """Whether a value is as asked; one that is no number is neither more nor less than another."""
    value = values.get(test.value, "")
    against = [fill(text, values) for text in test.against]
    match test.comparison:
        case Comparison.IS | Comparison.ONE_OF:
            return value in against
        case Comparison.IS_NOT:
            return value not in against
        case Comparison.STARTS_WITH:
            return any(value.startswith(beginning) for beginning in against if beginning)
        case Comparison.KNOWN:
            return bool(value) == (against[0] == "true")
        case Comparison.MORE_THAN | Comparison.LESS_THAN:
            numbers = _number(value), _number(against[0])
            if numbers[0] is None or numbers[1] is None:
                return False
            return numbers[0] > numbers[1] if test.comparison is Comparison.MORE_THAN else numbers[0] < numbers[1]


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
