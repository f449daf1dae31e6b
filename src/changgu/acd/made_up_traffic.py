"""Traffic of days that never were: callers and agents made up from a profile, the same whatever the rules are.

Every trait is drawn by what it is for. Two profiles that differ in one thing, such as the length of conversations, have
all the others in common, and a difference in the figures comes from that one thing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import TypeVar

from changgu.acd.events import AgentNotReady, AgentReady, AgentSignedIn, CallArrived, Event, PhoneReachable
from changgu.acd.identity import AgentId, CallId, Instant, QueueName
from changgu.acd.queues import Floor
from changgu.acd.simulate_people import BREAKS, OPENING
from changgu.acd.simulate_profiles import Profile
from changgu.acd.traffic import Traffic, Visit, drawn

T = TypeVar("T")

KEYS = ("1", "2", "3", "4", "5", "9")
"""That callers press who leave by a key, sensible or not."""

BREAK = timedelta(minutes=3)
"""Mean."""

RINGS = 1000
"""Of which the profile's share is missed."""


def made_up(profile: Profile, floor: Floor, seed: int) -> Traffic:
    """The traffic of one day; the same for the same profile, agents and seed."""
    closing = OPENING + profile.length.total_seconds()
    visits = [_visit(profile, seed, number, at) for number, at in enumerate(_arrivals(profile, seed), 1)]
    presence = [entry for agent in floor.agents for entry in _day_of(agent.login, profile, seed)]
    return Traffic(OPENING, closing, visits, presence, RINGS, round(RINGS * profile.ignores))


def _arrivals(profile: Profile, seed: int) -> Iterator[Instant]:
    length, after, number = profile.length.total_seconds(), 0.0, 0
    while True:
        number += 1
        after = profile.comes_next(after, _about(60.0, seed, "arrival", number))
        if after >= length:
            return
        yield round(OPENING + after, 6)


def _visit(profile: Profile, seed: int, number: int, at: Instant) -> Visit:
    call = CallId(f"c{number}")
    queue = QueueName(_one_of(profile.queues, seed, "queue", number))
    needs = frozenset[str]()
    if profile.skills and drawn(seed, "needs", number) < 0.2:
        skill = _one_of(profile.skills, seed, "skill", number)
        needs = frozenset({f"{skill}:{_one_of(range(1, 8), seed, 'level', number)}" if profile.features else skill})
    priority = 1 if drawn(seed, "priority", number) < 0.1 else 0
    hidden = drawn(seed, "hidden", number) < 0.05
    key = _one_of(KEYS, seed, "key", number) if drawn(seed, "keyed", number) < 0.25 else None
    return Visit(
        call,
        at,
        CallArrived(call, queue, priority, needs),
        None if hidden else f"010{_one_of(range(profile.people), seed, 'person', number):08d}",
        "1000",
        waited=_about(profile.patience, seed, "patience", number),
        gave_up=True,
        key=key,
        talk=_about(profile.talk, seed, "talk", number),
        reaction=_about(profile.reaction, seed, "reaction", number),
    )


def _day_of(agent: AgentId, profile: Profile, seed: int) -> Iterator[tuple[Instant, Event]]:
    """They come within minutes, and take breaks."""
    closing = OPENING + profile.length.total_seconds()
    came = OPENING + _about(60.0, seed, "comes", agent)
    yield came, PhoneReachable(agent)
    yield came, AgentSignedIn(agent)
    ready, number = came + _about(20.0, seed, "settles", agent), 0
    while ready < closing:
        yield ready, AgentReady(agent)
        number += 1
        away = ready + _about(profile.away_every, seed, "away", agent, number)
        yield away, AgentNotReady(agent, _one_of(BREAKS, seed, "break", agent, number))
        ready = away + _about(BREAK, seed, "back", agent, number)


def _about(mean: timedelta | float, seed: int, *what: object) -> float:
    """Seconds; exponential, so that very short and very long ones occur."""
    seconds = mean.total_seconds() if isinstance(mean, timedelta) else mean
    return round(-math.log(1.0 - drawn(seed, *what)) * seconds, 6)


def _one_of(choices: Sequence[T], seed: int, *what: object) -> T:
    return choices[int(drawn(seed, *what) * len(choices))]
