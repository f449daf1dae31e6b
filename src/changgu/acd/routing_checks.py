"""Finds rules of the routing file that are well written and contradict each other, or lead callers in a circle."""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import timedelta

from changgu.acd.facts import Departure
from changgu.acd.identity import AgentId, QueueName
from changgu.acd.queues import Floor, Overflow, Queue, Way
from changgu.acd.routing_places import TomlPath
from changgu.acd.routing_queues import QueuePlan, Site
from changgu.acd.routing_values import Notes, written
from changgu.acd.skills import EVERY

GONE_FOR_GOOD = frozenset({Way.QUEUE, Way.ANNOUNCE, Way.REFUSE})
"""Ways from which nobody comes back to their place; a menu, a mailbox or a number may send them back."""

NOTHING = timedelta(0)


def check(floor: Floor, plans: Sequence[QueuePlan], site: Site, notes: Notes, root: TomlPath = ()) -> None:
    """Note every contradiction among the rules of all queues, and what is allowed but hardly meant.

    `root` is where in the file these rules stand: at the top, or in an emergency plan.
    """
    served = {queue for agent in floor.agents for queue in agent.queues}
    for plan in plans:
        _steps(plan, notes)
        _overflows(plan, notes)
        _last_agent(plan, notes)
        _after_they_are_gone(plan, notes)
        _nobody_there(plan, served, notes)
    _seats(floor, notes, root)
    _circles(plans, site, notes)


# One queue


def _steps(plan: QueuePlan, notes: Notes) -> None:
    latest, dropped, opened = NOTHING, set[str](), set[QueueName]()
    for path, step in plan.relaxations:
        if step.after <= latest:
            notes.wrong(
                (*path, "after"),
                f"단계는 시간 순서로 씁니다: {written(step.after)} 앞에 {written(latest)} 단계가 있습니다.",
                f"steps stand in order of time: {written(step.after)} comes after the step of {written(latest)}",
            )  # fmt: skip
        latest = max(latest, step.after)
        again = dropped & step.drop
        if again or (EVERY in dropped and step.drop):
            notes.wrong((*path, "drop"), "앞 단계에서 이미 뺀 기술입니다.", "an earlier step has dropped this already")
        if EVERY in dropped and step.lower:
            notes.wrong(
                (*path, "lower"), "앞 단계에서 모든 기술을 뺐으므로 낮출 것이 없습니다.",
                "an earlier step has dropped every skill; nothing is left to lower",
            )  # fmt: skip
        if opened & step.open:
            names = ", ".join(sorted(opened & step.open))
            notes.wrong((*path, "open"), f"앞 단계에서 이미 열었습니다: {names}", f"opened by an earlier step: {names}")
        dropped |= step.drop
        opened |= step.open


def _overflows(plan: QueuePlan, notes: Notes) -> None:
    """A rule that can never be followed, because an earlier one always is."""
    for number, (path, rule) in enumerate(plan.overflows):
        for place, (_, other) in enumerate(plan.overflows):
            if place != number and _hides(other, rule, earlier=place < number):
                notes.wrong(
                    path, f'이 규칙은 쓰일 일이 없습니다. "{_rule(other)}" 규칙이 언제나 먼저입니다.',
                    f'this rule can never apply: "{_rule(other)}" always comes first',
                )  # fmt: skip
                break


def _hides(other: Overflow, rule: Overflow, *, earlier: bool) -> bool:
    if other.to.way is Way.OPEN:  # goes on to the next rule; only the very same twice is pointless
        return earlier and other.to == rule.to and other.when is rule.when and other.limit <= rule.limit
    if rule.when in (Departure.WAITED, Departure.DESERTED):
        if other.when is not rule.when or other.to.way not in GONE_FOR_GOOD:
            return earlier and other.when is rule.when and other.to == rule.to and other.limit == rule.limit
        return other.limit < rule.limit or (other.limit == rule.limit and earlier)
    if not earlier:
        return False
    if other.when is Departure.RATIO and rule.when is Departure.UNSTAFFED:  # a ratio without staff is above all limits
        return True
    return other.when is rule.when and other.limit <= rule.limit


def _rule(rule: Overflow) -> str:
    limit = ""
    if rule.when in (Departure.WAITED, Departure.DESERTED, Departure.ESTIMATE):
        limit = f" {written(timedelta(seconds=rule.limit))}"
    elif rule.when is not Departure.UNSTAFFED:
        limit = f" {rule.limit:g}"
    return f"{rule.when}{limit} → {rule.to}"


def _led_away(plan: QueuePlan) -> tuple[timedelta, Overflow] | None:
    """After how long a wait every caller has been led away for good, and by which rule."""
    rules = [rule for _, rule in plan.overflows if rule.when is Departure.WAITED and rule.to.way in GONE_FOR_GOOD]
    first = min(rules, key=lambda rule: rule.limit, default=None)
    return (timedelta(seconds=first.limit), first) if first is not None else None


def _last_agent(plan: QueuePlan, notes: Notes) -> None:
    queue = plan.queue
    if queue.last_agent_wait and queue.strategy != "last_agent":
        notes.wrong(
            (*plan.path, "last_agent_wait"), f"strategy가 last_agent일 때만 뜻이 있습니다(지금은 {queue.strategy}).",
            f"has a meaning only with the strategy last_agent (this queue has {queue.strategy})",
        )  # fmt: skip


def _after_they_are_gone(plan: QueuePlan, notes: Notes) -> None:
    led_away = _led_away(plan)
    if led_away is None:
        return
    limit, rule = led_away
    ko, en = f'그때에는 "{_rule(rule)}" 규칙으로 이미 떠났습니다.', f'by then "{_rule(rule)}" has led the caller away'
    for path, step in plan.relaxations:
        if step.after >= limit:
            notes.wrong((*path, "after"), ko, en)
    if plan.queue.last_agent_wait >= limit:
        notes.wrong((*plan.path, "last_agent_wait"), ko, en)
    first = plan.queue.announcements.first_after
    if first is not None and first >= limit:
        notes.wrong((*plan.path, "announce"), ko, en)


def _nobody_there(plan: QueuePlan, served: Set[QueueName], notes: Notes) -> None:
    destinations = [*((path, rule.to) for path, rule in plan.overflows), *plan.keys]
    for path, to in destinations:
        if to.way in (Way.QUEUE, Way.OPEN) and QueueName(to.name) not in served:
            notes.odd(path, f"{to.name} 대기열을 담당하는 요원이 없습니다.", f"no agent serves {to.name}")


# Seats


def _seats(floor: Floor, notes: Notes, root: TomlPath) -> None:
    queues: Mapping[QueueName, Queue] = {queue.name: queue for queue in floor.queues}
    for agent in floor.agents:
        for name, seat in agent.seats.items():
            queue = queues.get(name)
            if queue is not None and seat.weight != 1 and queue.strategy != "weighted_random":
                notes.odd(
                    (*root, "agent", agent.login, "seats", name, "weight"),
                    f"strategy가 weighted_random일 때만 뜻이 있습니다(지금은 {queue.strategy}).",
                    f"has a meaning only with the strategy weighted_random (this queue has {queue.strategy})",
                )  # fmt: skip
    soonest: dict[QueueName, tuple[timedelta, AgentId]] = {}
    for agent in floor.agents:
        for name in agent.queues:
            seat_delay = agent.seat(name).delay, agent.login
            soonest[name] = min(soonest.get(name, seat_delay), seat_delay)
    for name, (delay, login) in sorted(soonest.items()):
        if delay > NOTHING:
            notes.odd(
                (*root, "agent", login, "seats", name, "delay"),
                f"{name} 대기열의 요원 모두에게 delay가 있어 처음 {written(delay)}은 아무도 받지 못합니다.",
                f"every agent of {name} has a delay: for the first {written(delay)} nobody can answer",
            )  # fmt: skip


# All queues


@dataclass(frozen=True, slots=True)
class _Way:
    """A rule that takes callers from one queue to another without asking them."""

    path: TomlPath
    to: QueueName


def _circles(plans: Sequence[QueuePlan], site: Site, notes: Notes) -> None:
    """Callers who are passed round would be served by nobody; a circle is named at the rule that closes it."""
    ways = {plan.queue.name: list(_ways(plan, site)) for plan in plans}
    done: set[QueueName] = set()

    for start in ways:
        trail: list[QueueName] = []
        ahead: list[tuple[QueueName, Iterator[_Way]]] = []
        if start not in done:
            trail.append(start)
            ahead.append((start, iter(ways[start])))
        while ahead:
            queue, onward = ahead[-1]
            way = next(onward, None)
            if way is None:
                ahead.pop()
                trail.pop()
                done.add(queue)
            elif way.to in trail:
                circle = " → ".join([*trail[trail.index(way.to) :], way.to])
                notes.wrong(
                    way.path, f"돌고 도는 길입니다: {circle}. 서로 돕는 대기열에는 open:을 씁니다.",
                    f"callers would go round in a circle: {circle}; queues that help each other use open:",
                )  # fmt: skip
            elif way.to not in done:
                trail.append(way.to)
                ahead.append((way.to, iter(ways[way.to])))


def _ways(plan: QueuePlan, site: Site) -> Iterator[_Way]:
    known = site.queues
    for path, rule in plan.overflows:
        name = rule.to.name if rule.to.way is Way.QUEUE else None
        if rule.to.way is Way.MENU:
            name = site.straight_on.get(rule.to.name)
            if name == plan.queue.name:
                name = None  # back in their place they wait on: the rule is followed once, or was for newcomers only
        if name is not None and QueueName(name) in known:
            yield _Way(path, QueueName(name))
