"""Floors drawn from everything that can be set up: for the comparison of the engine with the oracle."""

from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from changgu.acd.facts import Departure
from changgu.acd.identity import AgentId, QueueName
from changgu.acd.queues import (
    Agent,
    Announcements,
    CallbackRules,
    Destination,
    First,
    Floor,
    Overflow,
    Queue,
    Relaxation,
    Rules,
    Seat,
    Way,
)
from changgu.acd.simulate_profiles import STRATEGIES
from tests.support.floor import OPENING

QUEUES = [QueueName(name) for name in ("helpdesk", "network", "pc")]
SKILLS = ["vpn", "english"]
LOGINS = [AgentId(login) for login in ("alice", "bob", "carol", "dave")]
KEYS = ["1", "2", "3", "9"]
NUMBERS = ["01011112222", "01033334444", "+821011112222", "+82 10-3333-4444", None]


TODAY = datetime.fromtimestamp(OPENING, ZoneInfo(Rules().zone)).date()
HOLIDAYS = [[], [], [], [TODAY], *([TODAY + timedelta(days=ahead) for ahead in days] for days in ((1,), (1, 2), (2,)))]
"""Mostly none: while today is one, nobody is called back."""


def lengths(*seconds: float) -> st.SearchStrategy[timedelta]:
    return st.sampled_from([timedelta(seconds=length) for length in seconds])


needs = st.frozensets(st.sampled_from([*SKILLS, "vpn:3", "english:5"]), max_size=2)
skill_sets = st.frozensets(st.sampled_from([*SKILLS, "vpn:3", "vpn:8", "english:5"]), max_size=3)


@dataclass(frozen=True)
class Kind:
    """What most changes of the floor leave as it is about a queue."""

    strategy: str
    callbacks: CallbackRules


@st.composite
def callback_rules(draw: st.DrawFn) -> CallbackRules:
    return CallbackRules(
        first=draw(st.sampled_from(First)),
        advantage=draw(lengths(0, 20, 600)),
        attempts=draw(st.integers(1, 3)),
        retry_after=draw(lengths(5, 30)),
        ring_limit=timedelta(seconds=10),
        opens=time(9, 0),
        closes=draw(st.sampled_from([time(20, 0), time(9, 17), time(9, 18)])),
        on_holidays=draw(st.booleans()),
    )


@st.composite
def a_kind(draw: st.DrawFn) -> Kind:
    strategy = draw(st.sampled_from(["longest_idle", "longest_idle", "ring_all", "ring_all", *STRATEGIES]))
    return Kind(strategy, draw(callback_rules()))


@st.composite
def a_destination(draw: st.DrawFn, here: QueueName, there: list[QueueName]) -> Destination:
    """Callers are sent on only to queues behind this one, so that no one goes round in circles."""
    others = [queue for queue in QUEUES if queue != here]
    later = [queue for queue in there if QUEUES.index(queue) > QUEUES.index(here)]
    ways = [
        Destination(Way.VOICEMAIL), Destination(Way.CALLBACK), Destination(Way.REFUSE), Destination(Way.MENU, "main"),
        *(Destination(Way.OPEN, queue) for queue in others),
        *(Destination(Way.OPEN, queue) for queue in others),
        *(Destination(Way.QUEUE, queue) for queue in later),
    ]  # fmt: skip
    return draw(st.sampled_from(ways))


LIMITS = {
    Departure.FULL: [1.0, 2.0],
    Departure.UNSTAFFED: [0.0],
    Departure.RATIO: [0.5, 1.0],
    Departure.ESTIMATE: [5.0],
    Departure.WAITED: [10.0, 20.0],
    Departure.DESERTED: [5.0, 10.0],
}


@st.composite
def an_overflow(draw: st.DrawFn, here: QueueName, there: list[QueueName]) -> Overflow:
    when = draw(st.sampled_from(list(LIMITS)))
    return Overflow(when, draw(a_destination(here, there)), draw(st.sampled_from(LIMITS[when])))


@st.composite
def a_relaxation(draw: st.DrawFn, here: QueueName) -> Relaxation:
    others = [queue for queue in QUEUES if queue != here]
    return Relaxation(
        draw(lengths(5, 10, 20)),
        draw(st.frozensets(st.sampled_from([*SKILLS, "*"]), max_size=1)),
        draw(st.sampled_from([0, 0, 2])),
        draw(st.frozensets(st.sampled_from(others), max_size=1)),
    )


@st.composite
def a_queue(draw: st.DrawFn, name: QueueName, kind: Kind, there: list[QueueName]) -> Queue:
    plain = Queue(
        name, name, strategy=kind.strategy, callbacks=kind.callbacks, ring_limit=draw(lengths(5, 10)),
        wrap_up=draw(lengths(0, 5, 10, 10)), misses_before_not_ready=draw(st.integers(1, 3)),
    )  # fmt: skip
    if draw(st.integers(0, 3)) == 0:
        return plain
    relaxations = draw(st.lists(a_relaxation(name), max_size=2, unique_by=lambda step: step.after))
    return replace(
        plain,
        priority=draw(st.sampled_from([0, 0, 1])),
        last_agent_wait=draw(lengths(0, 10)),
        relaxations=tuple(sorted(relaxations, key=lambda step: step.after)),
        overflows=tuple(draw(st.lists(an_overflow(name, there), max_size=3))),
        keys=MappingProxyType(draw(st.dictionaries(st.sampled_from(KEYS[:3]), a_destination(name, there), max_size=2))),
        announcements=draw(
            st.sampled_from([Announcements(), Announcements(timedelta(seconds=3), timedelta(seconds=7), position=True)])
        ),
    )


@st.composite
def an_emergency(draw: st.DrawFn, floor: Floor) -> Floor:
    """An ordinary floor's rules for ways out in another order, some left out, others put between them (WL-05)."""
    there = [queue.name for queue in floor.queues]
    queues = []
    for queue in floor.queues:
        kept = [rule for rule in queue.overflows if draw(st.integers(0, 3))]
        more = draw(st.lists(an_overflow(queue.name, there), max_size=2))
        queues.append(replace(queue, overflows=tuple(draw(st.permutations([*kept, *more])))))
    return replace(floor, queues=tuple(queues))


@st.composite
def a_seat(draw: st.DrawFn) -> Seat:
    return Seat(draw(st.integers(1, 2)), draw(lengths(0, 0, 10)), draw(st.integers(1, 3)))


@st.composite
def an_agent(draw: st.DrawFn, login: AgentId) -> Agent:
    served = draw(st.frozensets(st.sampled_from(QUEUES), min_size=1, max_size=2) | st.just(frozenset(QUEUES)))
    seats = {queue: draw(a_seat()) for queue in sorted(served) if draw(st.booleans())}
    wrap_up = draw(st.sampled_from([None, None, timedelta(0), timedelta(seconds=5)]))
    return Agent(login, login, served, draw(skill_sets), wrap_up=wrap_up, seats=MappingProxyType(seats))


@st.composite
def some_rules(draw: st.DrawFn) -> Rules:
    return Rules(
        priority_worth=draw(lengths(5, 10, 300)),
        repeat_within=draw(lengths(0, 30)),
        repeat_priority=draw(st.integers(1, 2)),
        named_agent_wait=draw(lengths(0, 5, 10)),
        longest_extension=timedelta(seconds=15),
        connect_limit=draw(lengths(5, 15)),
        desktop_grace=timedelta(seconds=10),
        reason_limits=MappingProxyType({"break": timedelta(seconds=10)}),
        holidays=frozenset(draw(st.sampled_from(HOLIDAYS))),
    )


@st.composite
def a_floor(draw: st.DrawFn, kinds: dict[QueueName, Kind]) -> Floor:
    """Most floors have all queues and agents; some lack one or the other."""
    closed = draw(st.sampled_from([None, None, None, *QUEUES]))
    absent = draw(st.sampled_from([None, None, None, *LOGINS]))
    there = [queue for queue in QUEUES if queue != closed]
    queues = tuple(draw(a_queue(name, kinds[name], there)) for name in there)
    agents = tuple(draw(an_agent(login)) for login in LOGINS if login != absent)
    return Floor(queues, agents, draw(some_rules()))
