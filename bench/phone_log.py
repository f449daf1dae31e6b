"""What the phones wrote down, and what it says: how long callers and agents were kept waiting, in what order."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from bench.sipp_phones import caller_of

SECONDS_AT = 3
"""Which word of a line is the time: SIPp writes kind, day, time of day, seconds since the epoch, words."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened between an agent's phone and a caller, in seconds since the epoch."""

    at: float
    agent: str
    caller: int


@dataclass(slots=True)
class PhoneLog:
    """The callers' and the agents' logs of one run."""

    dialled: dict[int, float] = field(default_factory=dict)
    """Caller → when their INVITE left."""
    left: dict[int, float] = field(default_factory=dict)
    """Caller → when the other side's BYE reached them."""
    invited: list[Moment] = field(default_factory=list)
    """When an INVITE for a caller reached an agent's phone, in order."""
    answered: list[Moment] = field(default_factory=list)
    """When the ACK reached it."""
    hung_up: list[Moment] = field(default_factory=list)
    """When the agent's BYE left."""

    def first_invited(self) -> dict[int, float]:
        """Caller → when the first agent's phone was invited for them."""
        first: dict[int, float] = {}
        for one in self.invited:
            first.setdefault(one.caller, one.at)
        return first


def read(lines: Iterable[str], callers: Iterable[int] | None = None) -> PhoneLog:
    """The log of these lines; with `callers`, only what concerns them. Raises ValueError for a line that is none."""
    log = PhoneLog()
    wanted = None if callers is None else set(callers)
    for line in lines:
        words = line.split()
        if len(words) < SECONDS_AT + 2:
            raise ValueError(f"not a line of the phones' log: {line[:200]!r}")
        kind, at = words[0], float(words[SECONDS_AT])
        if kind in ("dialled", "left"):
            caller, _ = caller_of(words[SECONDS_AT + 1])
            if wanted is None or caller in wanted:
                getattr(log, kind)[caller] = at
        elif kind in ("invited", "answered", "hung_up", "missed"):
            moment = Moment(at, words[SECONDS_AT + 1], int(words[SECONDS_AT + 2]))
            if kind != "missed" and (wanted is None or moment.caller in wanted):
                getattr(log, kind).append(moment)
        else:
            raise ValueError(f"not a line of the phones' log: {line[:200]!r}")
    for moments in (log.invited, log.answered, log.hung_up):
        moments.sort(key=lambda one: one.at)
    return log


def ring_latencies(log: PhoneLog) -> list[float]:
    """Seconds from each caller's INVITE to the first agent's INVITE for them; callers nobody rang for are left out."""
    first = log.first_invited()
    return [first[caller] - at for caller, at in log.dialled.items() if caller in first]


def idle_gaps(log: PhoneLog) -> list[float]:
    """Seconds from each agent's BYE to the next INVITE at the same agent; a last BYE has no next."""
    gaps: list[float] = []
    moments: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for kind, list_of in ((0, log.hung_up), (1, log.invited)):
        for one in list_of:
            moments[one.agent].append((one.at, kind))
    for of_agent in moments.values():
        of_agent.sort()
        for (at, kind), (after, next_kind) in pairwise(of_agent):
            if (kind, next_kind) == (0, 1):
                gaps.append(after - at)
    return gaps


def joining_times(log: PhoneLog, connections: Iterable[tuple[str, float]]) -> list[float]:
    """Seconds from an agent's answer until the caller was joined with them; of each caller, the first."""
    answered: dict[int, float] = {}
    for one in log.answered:
        answered.setdefault(one.caller, one.at)
    joined: dict[int, float] = {}
    for number, at in connections:
        joined.setdefault(caller_of(number)[0], at)
    return [joined[caller] - at for caller, at in answered.items() if caller in joined]


def answers_per_minute(log: PhoneLog) -> float:
    """How fast callers were served: answers a minute between the first and the last of them."""
    if len(log.answered) < 2:
        raise ValueError("a rate needs two answers")
    return 60 * (len(log.answered) - 1) / (log.answered[-1].at - log.answered[0].at)


def overtakings(came: Mapping[int, float], served: Mapping[int, float], blur: float) -> list[int]:
    """Callers who were served before somebody who came before them, both by more than `blur` seconds.

    The blur is what two phones and two threads of the PBX can be apart for things decided in order.
    """
    order = sorted((at, caller) for caller, at in came.items() if caller in served)
    overtaking: list[int] = []
    latest, counted = float("-inf"), 0
    for at, caller in order:
        while counted < len(order) and order[counted][0] < at - blur:
            latest = max(latest, served[order[counted][1]])
            counted += 1
        if served[caller] < latest - blur:
            overtaking.append(caller)
    return overtaking


def inversions(came: Sequence[str], served: Sequence[str]) -> int:
    """Exact order of service: how many were served before the one who came just before them among those served."""
    place = {call: number for number, call in enumerate(came)}
    order = [place[call] for call in served if call in place]
    return sum(later < earlier for earlier, later in pairwise(order))
