"""Which rule of a queue sends a caller another way (MOD-01, MOD-03)."""

from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass

from changgu.acd.facts import Departure
from changgu.acd.queues import ON_ARRIVAL, Overflow, Queue, RuleKey, Way


@dataclass(frozen=True, slots=True)
class Crowd:
    """How a queue stands when a caller arrives."""

    waiting: int
    """Callers who wait or for whom a phone rings, this one left out; call-backs left out."""
    staffed: int
    """Agents of the queue who serve it now, free or not."""
    estimate: Callable[[], float | None]
    """Seconds the caller would probably wait; None when nobody can say."""


def rules_on_arrival(queue: Queue, crowd: Crowd) -> Iterator[tuple[int, Overflow]]:
    """The rules that a caller meets: every `open:` rule whose condition holds, up to and with the first other one."""
    for number, rule in enumerate(queue.overflows):
        if rule.when in ON_ARRIVAL and holds_on_arrival(rule, crowd):
            yield number, rule
            if rule.to.way is not Way.OPEN:
                return


def holds_on_arrival(rule: Overflow, crowd: Crowd) -> bool:
    """Whether the condition of a rule for arrivals is met."""
    match rule.when:
        case Departure.FULL:
            return crowd.waiting >= rule.limit
        case Departure.UNSTAFFED:
            return crowd.staffed == 0
        case Departure.RATIO:
            return crowd.staffed == 0 or (crowd.waiting + 1) / crowd.staffed > rule.limit
        case Departure.ESTIMATE:
            estimate = crowd.estimate()
            return estimate is not None and estimate > rule.limit
        case _:
            return False


def is_followed(rule: Overflow, fired: Set[RuleKey]) -> bool:
    """Whether a caller has followed this rule in their stay. Old ledgers did not say by which limit."""
    return bool(fired) and (rule.key in fired or (rule.when, str(rule.to), None) in fired)


def time_limits(queue: Queue, entered_at: float, deserted_since: float | None) -> Iterator[tuple[float, int, Overflow]]:
    """When each rule about waiting is due for a caller: (instant, place of the rule, rule), in list order."""
    for number, rule in enumerate(queue.overflows):
        if rule.when is Departure.WAITED:
            yield entered_at + rule.limit, number, rule
        elif rule.when is Departure.DESERTED and deserted_since is not None:
            yield max(entered_at, deserted_since) + rule.limit, number, rule
