"""What kinds of made-up days there are, and the floor that the dice set up for one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import time, timedelta
from types import MappingProxyType
from typing import Protocol, TypeVar

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

T = TypeVar("T")

STRATEGIES = (
    "longest_idle", "fewest_calls", "least_talk_time", "most_skilled", "linear", "top_down", "random",
    "weighted_random", "round_robin", "last_agent", "ring_all",
)  # fmt: skip


class Rng(Protocol):
    """The dice, such as `random.Random(seed)`."""

    def random(self) -> float:
        """A number from 0 up to, not including, 1."""


class Dice:
    """What is asked of the dice."""

    def __init__(self, rng: Rng) -> None:
        self.rng = rng

    def chance(self, share: float) -> bool:
        """True so often."""
        return self.rng.random() < share

    def about(self, mean: timedelta | float) -> float:
        """Seconds; exponential, so that very short and very long ones occur."""
        seconds = mean.total_seconds() if isinstance(mean, timedelta) else mean
        return -math.log(1.0 - self.rng.random()) * seconds

    def one_of(self, choices: Sequence[T]) -> T:
        """One of several, each as likely."""
        return choices[int(self.rng.random() * len(choices))]


@dataclass(frozen=True, slots=True)
class Faults:
    """How often the network misbehaves, each as a share of its news."""

    late: float = 0.05
    """Delayed by up to `latest`, and so often overtaken."""
    latest: timedelta = timedelta(seconds=8)
    twice: float = 0.05
    never: float = 0.02
    connect_fails: float = 0.02
    drops: float = 0.005
    """Share of callers whose call ends because the network forgets it: nobody hung up, and no news of it comes."""
    crash: float = 0.0005
    """Share of steps after which the engine is thrown away and rebuilt from its facts."""


@dataclass(frozen=True, slots=True)
class Profile:
    """What kind of day it is."""

    length: timedelta = timedelta(minutes=40)
    queues: tuple[str, ...] = ("helpdesk", "network", "pc")
    agents: int = 8
    skills: tuple[str, ...] = ("vpn", "english")
    calls_per_minute: tuple[float, ...] = (1.0, 3.0, 6.0, 2.0)
    """Arrivals over equal parts of the day."""
    people: int = 40
    """Numbers from which they call; the same people call again."""
    patience: timedelta = timedelta(seconds=90)
    """Mean; callers leave when it is used up."""
    menu: timedelta = timedelta(seconds=15)
    reaction: timedelta = timedelta(seconds=7)
    """Mean time to pick up a ringing phone."""
    talk: timedelta = timedelta(seconds=120)
    ring_limit: timedelta = timedelta(seconds=20)
    wrap_up: timedelta = timedelta(seconds=20)
    ignores: float = 0.08
    """Share of rings that an agent lets ring."""
    declines: float = 0.04
    away_every: timedelta = timedelta(minutes=15)
    """Mean time between two breaks of one agent."""
    phone_away_every: timedelta = timedelta(minutes=25)
    desktop_away_every: timedelta = timedelta(minutes=25)
    forced_every: timedelta = timedelta(minutes=20)
    """Mean time between two interventions of the supervisor on the whole floor."""
    set_up_every: timedelta = timedelta(minutes=6)
    """Mean time between two changes of the set-up, with `features`: call-backs by other rules, other seats, a queue
    gone or back."""
    instants_per_second: int = 4
    """Everything happens on these ticks, so that many things happen at once."""
    features: bool = False
    """Whether the dice set up strategies, levels, steps, overflow, keys, announcements and call-backs."""
    strategies: tuple[str, ...] = STRATEGIES
    """From which the queues' are drawn, with `features`."""
    faults: Faults = field(default_factory=Faults)

    def comes_next(self, after: float, gap: float) -> float:
        """Seconds into the day of the next caller, after one at `after`.

        `gap` is drawn for one call a minute, in seconds, and lasts until so many are expected: a quiet part of the day
        takes no callers from a busy one behind it. After closing the last part goes on.
        """
        rates = self.calls_per_minute
        each = self.length.total_seconds() / len(rates)
        for part in range(min(len(rates) - 1, int(after / each)), len(rates) - 1):
            expected = ((part + 1) * each - after) * rates[part]
            if gap < expected:
                return after + gap / rates[part]
            after, gap = (part + 1) * each, gap - expected
        return after + gap / rates[-1]


CALM = Faults(late=0, twice=0, never=0, connect_fails=0, drops=0, crash=0)
"""A network that behaves."""

ROUGH = Faults(late=0.2, twice=0.2, never=0.1, connect_fails=0.1, drops=0.05, crash=0.005)

_SHORT = Profile(length=timedelta(minutes=20))
_VARIED = replace(_SHORT, features=True, calls_per_minute=(2.0, 6.0, 3.0))

PROFILES: Mapping[str, Profile] = {
    "ordinary": Profile(),
    "short": _SHORT,
    "rough": replace(_SHORT, instants_per_second=1, faults=ROUGH),
    "crowded": replace(
        _SHORT, queues=("helpdesk", "pc"), agents=3, calls_per_minute=(6.0, 12.0), talk=timedelta(seconds=40)
    ),
    "varied": _VARIED,
    "varied-rough": replace(_VARIED, instants_per_second=1, faults=ROUGH),
    "varied-calm": replace(_VARIED, faults=CALM),
    "ring-all": replace(
        _VARIED, strategies=("ring_all",), agents=8, queues=("helpdesk", "pc"), reaction=timedelta(seconds=20),
        talk=timedelta(seconds=60), declines=0.25, set_up_every=timedelta(minutes=3), forced_every=timedelta(minutes=2),
    ),
    "callbacks": replace(
        _VARIED, queues=("helpdesk",), agents=3, people=12, calls_per_minute=(5.0, 8.0), talk=timedelta(seconds=60)
    ),
}
"""Days worth living through again and again, by name."""


def a_floor(dice: Dice, profile: Profile) -> Floor:
    """The floor of one day."""
    names = [QueueName(name) for name in profile.queues]
    queues = []
    for place, name in enumerate(names):
        queue = Queue(name, name, ring_limit=profile.ring_limit, wrap_up=profile.wrap_up)
        queues.append(_with_features(dice, profile, queue, names, place) if profile.features else queue)
    agents = tuple(_an_agent(dice, profile, names, number) for number in range(profile.agents))
    return Floor(tuple(queues), agents, _rules(dice) if profile.features else Rules())


def another_set_up(dice: Dice, plan: Floor) -> Floor:
    """The floor of the morning with other rules for call-backs and other seats; sometimes without one of its queues."""
    queues = [replace(queue, callbacks=_callback_rules(dice)) if dice.chance(0.7) else queue for queue in plan.queues]
    if len(queues) > 1 and dice.chance(0.5):
        queues.remove(dice.one_of(queues))
    agents = [_with_another_seat(dice, agent) if dice.chance(0.4) else agent for agent in plan.agents]
    return replace(plan, queues=tuple(queues), agents=tuple(agents))


def _with_another_seat(dice: Dice, agent: Agent) -> Agent:
    """In one of their queues they have another level, or they do not serve it any more."""
    queue = dice.one_of(sorted(agent.queues))
    seats = {name: seat for name, seat in agent.seats.items() if name != queue}
    if len(agent.queues) > 1 and dice.chance(0.3):
        return replace(agent, queues=agent.queues - {queue}, seats=MappingProxyType(seats))
    return replace(agent, seats=MappingProxyType({**seats, queue: Seat(dice.one_of((1, 2, 3)))}))


def _an_agent(dice: Dice, profile: Profile, names: Sequence[QueueName], number: int) -> Agent:
    mine = frozenset(name for name in names if dice.chance(0.6)) or frozenset({dice.one_of(names)})
    login = AgentId(f"agent{number:02d}")
    if not profile.features:
        skills = frozenset(skill for skill in profile.skills if dice.chance(0.5))
        return Agent(login, login, mine, skills)
    skills = frozenset(f"{skill}:{1 + int(dice.rng.random() * 9)}" for skill in profile.skills if dice.chance(0.7))
    seats = {
        name: Seat(dice.one_of((1, 1, 2, 3)), timedelta(seconds=dice.one_of((0, 0, 0, 10, 30))), dice.one_of((1, 1, 5)))
        for name in sorted(mine)
        if dice.chance(0.5)
    }
    wrap_up = dice.one_of((None, None, timedelta(0), timedelta(seconds=8)))
    return Agent(login, login, mine, skills, wrap_up=wrap_up, seats=MappingProxyType(seats))


def _rules(dice: Dice) -> Rules:
    return Rules(
        priority_worth=timedelta(seconds=dice.one_of((10, 60, 300))),
        repeat_within=timedelta(seconds=dice.one_of((0, 120, 1800))),
        named_agent_wait=timedelta(seconds=dice.one_of((0, 15, 60))),
        longest_extension=timedelta(seconds=30),
        connect_limit=timedelta(seconds=dice.one_of((6, 15))),
        desktop_grace=timedelta(seconds=15),
        reason_limits=MappingProxyType({"break": timedelta(seconds=90), "meal": timedelta(minutes=10)}),
    )


def _with_features(dice: Dice, profile: Profile, queue: Queue, names: Sequence[QueueName], place: int) -> Queue:
    others = [name for name in names if name != queue.name]
    later = list(names[place + 1 :])
    return replace(
        queue,
        strategy=dice.one_of(profile.strategies),
        priority=dice.one_of((0, 0, 1)),
        misses_before_not_ready=dice.one_of((1, 3)),
        last_agent_wait=timedelta(seconds=dice.one_of((0, 10))),
        relaxations=tuple(_relaxations(dice, profile, others)),
        overflows=tuple(_overflows(dice, others, later)),
        keys=MappingProxyType(_keys(dice, others)),
        announcements=_announcements(dice),
        callbacks=_callback_rules(dice),
    )


def _relaxations(dice: Dice, profile: Profile, others: Sequence[QueueName]) -> list[Relaxation]:
    steps, after = [], 0.0
    for _ in range(dice.one_of((0, 1, 2, 3))):
        after += dice.one_of((5.0, 10.0, 20.0))
        drop = frozenset({dice.one_of((*profile.skills, "*"))}) if dice.chance(0.4) else frozenset()
        opened = frozenset({dice.one_of(others)}) if others and dice.chance(0.4) else frozenset()
        steps.append(Relaxation(timedelta(seconds=after), drop, dice.one_of((0, 1, 3)), opened))
    return steps


def _overflows(dice: Dice, others: Sequence[QueueName], later: Sequence[QueueName]) -> list[Overflow]:
    """Callers are sent on only to queues behind this one, so that no one goes round in circles."""
    rules = []
    for _ in range(dice.one_of((0, 1, 2, 3))):
        ways = [
            Destination(Way.VOICEMAIL), Destination(Way.CALLBACK), Destination(Way.REFUSE),
            Destination(Way.NUMBER, "0215881234"), Destination(Way.ANNOUNCE, "busy"), Destination(Way.MENU, "main"),
            *(Destination(Way.QUEUE, name) for name in later),
            *(Destination(Way.OPEN, name) for name in others),
        ]  # fmt: skip
        when = dice.one_of(
            (Departure.FULL, Departure.UNSTAFFED, Departure.RATIO, Departure.ESTIMATE, Departure.WAITED,
             Departure.DESERTED)
        )  # fmt: skip
        limits = {
            Departure.FULL: (2.0, 5.0),
            Departure.UNSTAFFED: (0.0,),
            Departure.RATIO: (1.0, 2.0),
            Departure.ESTIMATE: (30.0, 90.0),
            Departure.WAITED: (20.0, 60.0),
            Departure.DESERTED: (10.0, 30.0),
        }
        rules.append(Overflow(when, dice.one_of(ways), dice.one_of(limits[when])))
    return rules


def _keys(dice: Dice, others: Sequence[QueueName]) -> dict[str, Destination]:
    keys = {"1": Destination(Way.CALLBACK), "2": Destination(Way.VOICEMAIL), "3": Destination(Way.MENU, "main")}
    if others:
        keys["4"] = Destination(Way.QUEUE, dice.one_of(others))
        keys["5"] = Destination(Way.OPEN, dice.one_of(others))
    return {key: to for key, to in keys.items() if dice.chance(0.7)}


def _announcements(dice: Dice) -> Announcements:
    if dice.chance(0.4):
        return Announcements()
    every = dice.one_of((None, timedelta(seconds=15), timedelta(seconds=40)))
    return Announcements(timedelta(seconds=dice.one_of((3, 10))), every, position=True, estimate=True)


def _callback_rules(dice: Dice) -> CallbackRules:
    return CallbackRules(
        first=dice.one_of((First.AGENT, First.CALLER)),
        advantage=timedelta(seconds=dice.one_of((0, 60, 600))),
        attempts=dice.one_of((1, 2, 3)),
        retry_after=timedelta(seconds=dice.one_of((30, 120))),
        ring_limit=timedelta(seconds=30),
        opens=time(9, 0),
        closes=dice.one_of((time(9, 12), time(20, 0))),
    )
