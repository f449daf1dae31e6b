"""Where callers and idle agents meet: one line per queue and kind of caller.

Callers are of one kind when the same agents may take them: they need the same, are open to the same queues, have
reached the same delays, and want the same agent or none. A line holds the callers of one kind who wait in one queue,
and the idle agents who can serve exactly those. Both are heaps, so the next of either is found without looking at the
others. An entry that is no longer true is dropped when it comes to the top, and a heap with more dead than living
entries is built anew, so nothing grows with the number of calls ever taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from heapq import heapify, heappop, heappush
from math import inf
from operator import itemgetter
from sys import maxsize
from types import MappingProxyType
from typing import Final, NamedTuple

from changgu.acd.agent_state import READY
from changgu.acd.call_state import WAITING
from changgu.acd.facts import Choice
from changgu.acd.identity import AgentId, CallId, OfferId, QueueName
from changgu.acd.queues import Queue, Seat
from changgu.acd.records import AgentRecord, CallRecord
from changgu.acd.skills import levels, suffices
from changgu.acd.strategies import Draw, Rank, Strategy, strategy_named

Place = tuple[float, int, CallRecord]
"""What callers are sorted by: their key (time of coming less the head start of their priority), order of queueing."""

_FEW: Final = 32
"""Heaps below this size are not worth tidying."""

_LINES_KEPT: Final = 64
"""Empty lines of other than the plain kind that one queue keeps, for the callers of tomorrow."""

TURN: Final = Choice.TURN


class Kind(NamedTuple):
    """What decides which agents may take a caller."""

    skills: frozenset[str] = frozenset()
    reach: float = 0.0
    opened: frozenset[QueueName] = frozenset()
    wants: AgentId | None = None


PLAIN: Final = Kind()

_LAST: Final = (True, maxsize)
"""A standing that everybody goes before."""

_Kind = tuple[frozenset[str], float, frozenset[QueueName], AgentId | None]
"""A `Kind` without its names, as it is looked up."""

_Idle = tuple[bool, int, Rank, AgentId, int, AgentRecord]
"""Serves the line only because it was opened, level, rank, login, stamp."""


class Line:
    """Callers of one kind in one queue, and the idle agents who can serve them."""

    __slots__ = (
        "_dead", "_heads", "_idle", "_needs", "_rank", "callers", "kind", "number", "queue", "ringing", "serving",
        "strategy",
    )  # fmt: skip

    def __init__(
        self, number: int, queue: QueueName, kind: Kind, strategy: Strategy, heads: list[float]
    ) -> None:  # fmt: skip
        """`heads[number]` is the key of the first caller, infinite without one."""
        self.number = number
        self._heads = heads
        self.queue = queue
        self.kind = kind
        self.strategy = strategy
        self.callers: list[Place] = []
        """A heap whose first entry, if there is one, is always a caller who waits."""
        self.ringing: dict[CallId, CallRecord] = {}
        """Callers for whom everybody rings."""
        self._dead = 0
        self._idle: list[_Idle] = []
        self.serving = 0
        """How many agents there are who may take these callers."""
        self._needs = levels(kind.skills)
        self._rank = strategy.rank

    def serves(self, agent: AgentRecord) -> bool:
        """Whether an agent of the list may take these callers."""
        wants = self.kind.wants
        if wants is not None and wants != agent.login:
            return False
        return self._has_seat(agent) and (not self._needs or suffices(agent.levels, self._needs))

    def _has_seat(self, agent: AgentRecord) -> bool:
        """Whether the agent has a seat, and so a level, for these callers: in their queue or in one opened to them."""
        kind, settings = self.kind, agent.settings
        mine = self.queue in settings.queues
        if mine and settings.seats:
            mine = settings.seat(self.queue).delay.total_seconds() <= kind.reach
        return mine or not kind.opened.isdisjoint(settings.queues)

    def add_caller(self, call: CallRecord) -> None:
        """The caller waits here, in the place that `call.key` says."""
        call.line = self
        self.ringing.pop(call.call, None)
        if not call.in_line:
            call.in_line = True
            heappush(self.callers, (call.key, call.seq, call))
            if call.key < self._heads[self.number]:
                self._heads[self.number] = call.key

    def caller_rings(self, call: CallRecord) -> None:
        """The floor was set up anew while somebody rings for this caller."""
        call.line = self
        if self.strategy.everybody:
            self.ringing[call.call] = call

    def caller_offered(self, call: CallRecord) -> None:
        """Somebody rings for this caller, who may come back to their place."""
        if self.strategy.everybody:
            self.ringing[call.call] = call
        self._settle()

    def forget(self, call: CallRecord) -> None:
        """The caller waits here no longer: served, in another line, or gone."""
        self.ringing.pop(call.call, None)
        call.line = None
        if call.in_line:
            call.in_line = False
            self._dead += 1
            if self._dead > _FEW and self._dead * 2 > len(self.callers):
                self.callers = [entry for entry in self.callers if self._is_true(entry)]
                heapify(self.callers)
                self._dead = 0
            self._settle()

    def _is_true(self, entry: Place) -> bool:
        """Whether the entry is about a caller who is in this line, and in this place."""
        return entry[2].line is self and entry[2].seq == entry[1]

    def _settle(self) -> None:
        """Brings a caller who waits to the top. Whoever is being offered is entered anew when they come back."""
        callers = self.callers
        while callers:
            _, seq, call = callers[0]
            if call.line is not self or call.seq != seq:
                self._dead -= 1
            elif call.state is WAITING:
                break
            else:
                call.in_line = False
            heappop(callers)
        self._heads[self.number] = callers[0][0] if callers else inf

    @property
    def entries(self) -> int:
        """How much its heaps hold, dead entries included."""
        return len(self.callers) + len(self._idle)

    @property
    def empty(self) -> bool:
        """Nobody waits here, and nobody who was offered from here may come back."""
        return not self.callers and not self.ringing

    def add_idle(self, agent: AgentRecord) -> None:
        """The agent is free for callers of this line."""
        if len(self._idle) > _FEW and len(self._idle) > 2 * self.serving:
            self._idle = [entry for entry in self._idle if entry[5].idle_stamp == entry[4] and entry[5].state is READY]
            heapify(self._idle)
        opened, level = self._standing(agent)
        entry = (opened, level, self._rank(agent, self._needs), agent.login, agent.idle_stamp, agent)
        heappush(self._idle, entry)

    def _standing(self, agent: AgentRecord) -> tuple[bool, int]:
        """What goes before every strategy, lower first: serves the line only because it was opened; level."""
        settings = agent.settings
        opened = self.queue not in settings.queues
        if not settings.seats:
            return opened, 1
        if not opened:
            seat = settings.seat(self.queue)
            if seat.delay.total_seconds() <= self.kind.reach:
                return False, seat.level
        return True, min((settings.seat(queue).level for queue in self.kind.opened & settings.queues), default=1)

    def _lowest(self, call: CallRecord, ringing: Iterable[AgentRecord]) -> tuple[bool, int]:
        """Of those who ring for a caller and have not let them ring before, the one who keeps others out."""
        others = (one for one in ringing if one.login not in call.missed and self._has_seat(one))
        return min((self._standing(one) for one in others), default=_LAST)

    def let_in(self, call: CallRecord, ringing: Iterable[AgentRecord]) -> list[AgentRecord]:
        """Who is free and may join those who ring for a caller: the lowest level of them, by their turn."""
        lowest = self._lowest(call, ringing)
        if not self.has_idle() or self._idle[0][:2] > lowest:
            return []
        able = [entry for entry in self._idle if entry[3] not in call.missed and _still_idle(entry)]
        best = min((entry[:2] for entry in able), default=_LAST)
        if best > lowest:
            return []
        group = {entry[3]: entry for entry in able if entry[:2] == best}
        return [entry[5] for entry in sorted(group.values(), key=itemgetter(2, 3))]

    def has_idle(self) -> bool:
        """Whether anybody is free for callers of this line."""
        idle = self._idle
        while idle:
            if _still_idle(idle[0]):
                return True
            heappop(idle)
        return False

    def choose(self, call: CallRecord, offer: OfferId, last: int) -> tuple[list[AgentRecord], Choice]:
        """Who is to ring for this caller: one agent, or everybody of the best group; to be asked only if `has_idle`.

        `last` is the list position of the agent who was last offered a call of the queue.
        """
        first, strategy = self._idle[0][5], self.strategy
        if self.kind.wants is not None:
            return [first], self.choice_of(first, call)
        simple = strategy.draw is None and not strategy.everybody and not strategy.knows_callers
        if simple and (not call.missed or first.login not in call.missed):
            return [first], TURN
        return self._choose_among_all(call, offer, last)

    def choice_of(self, agent: AgentRecord, call: CallRecord) -> Choice:
        """Why an agent rings who is the only one free for this caller."""
        strategy = self.strategy
        if self.kind.wants is not None:
            return Choice.LAST_AGENT if call.named is None else Choice.NAMED
        if strategy.everybody and call.reached:
            return Choice.EVERYBODY
        known = strategy.knows_callers and agent.login == call.last_agent and agent.login not in call.missed
        return Choice.LAST_AGENT if known else TURN

    def _choose_among_all(self, call: CallRecord, offer: OfferId, last: int) -> tuple[list[AgentRecord], Choice]:
        strategy = self.strategy
        living = {entry[3]: entry for entry in self._idle if _still_idle(entry)}.values()
        if strategy.knows_callers and call.last_agent is not None and call.last_agent not in call.missed:
            for entry in living:
                if entry[3] == call.last_agent:
                    return [entry[5]], Choice.LAST_AGENT
        missed = call.missed
        best = min((entry[3] in missed, entry[0], entry[1]) for entry in living)
        group = [entry for entry in living if (entry[3] in missed, entry[0], entry[1]) == best]
        if strategy.everybody and call.reached:
            return [entry[5] for entry in sorted(group, key=lambda entry: entry[2:4])], Choice.EVERYBODY
        if strategy.draw is not None:
            draw, chance = strategy.draw, Draw(offer, last)
            agents = [entry[5] for entry in group]
            drawn = min(agents, key=lambda agent: (draw(agent, self._seat(agent).weight, chance), agent.login))
            return [drawn], TURN
        return [min(group, key=lambda entry: entry[2:4])[5]], TURN

    def _seat(self, agent: AgentRecord) -> Seat:
        return agent.settings.seat(self.queue)


def _still_idle(entry: _Idle) -> bool:
    agent = entry[5]
    return agent.idle_stamp == entry[4] and agent.state is READY


_NO_LINES: Mapping[_Kind, Line] = MappingProxyType({})


class Lines:
    """All lines of the floor. Rebuilt when the floor is set up anew."""

    def __init__(self, queues: Mapping[QueueName, Queue], agents: Iterable[AgentRecord]) -> None:
        self._strategies = {name: strategy_named(queue.strategy) for name, queue in queues.items()}
        self._by_queue: dict[QueueName, dict[_Kind, Line]] = {}
        self._serving: dict[QueueName, list[AgentRecord]] = {}
        self._heads: list[float] = []
        """By number of the line; see `Line`."""
        self._free: list[int] = []
        """Numbers of closed lines, for the next to be opened."""
        self._having: dict[tuple[QueueName, tuple[str, int]], int] = {}
        """Who has which skill, worked out once: a line opens in the time that its own agents take."""
        self._delays: dict[QueueName, tuple[int, list[tuple[int, float]]]] = {}
        """One bit for each of its agents, in their order; and the bit and delay, in seconds, of those who have one."""
        self._sweep_at: dict[QueueName, int] = {}
        for agent in agents:
            agent.lines, agent.look = [], None
            for queue in sorted(agent.settings.queues):
                self._serving.setdefault(queue, []).append(agent)
        for queue in sorted({*queues, *self._serving}):
            self._open(queue, PLAIN)

    def of(self, call: CallRecord) -> Line:
        """The line in which a call waits, opened when it is the first of its kind."""
        if call.queue is None:
            raise AssertionError(f"{call.call} waits in no queue")
        kind = (call.skills, call.reach if call.reach > 0.0 else 0.0, call.opened, call.wants)
        line = self._by_queue.get(call.queue, _NO_LINES).get(kind)
        return line if line is not None else self._open(call.queue, Kind(*kind))

    def find(self, queue: QueueName, skills: frozenset[str]) -> Line | None:
        """The line for newcomers with these needs, if anybody of the kind has come yet."""
        return self._by_queue.get(queue, _NO_LINES).get(Kind(skills))

    def best_of(self, agent: AgentRecord) -> Line | None:
        """The line of an agent whose first caller has the best place of all; None when nobody waits in any.

        An agent may have a hundred lines: their heads are in one list, so that looking through them costs little.
        """
        lines, look = agent.lines, agent.look
        if look is None:
            if not lines:
                return None
            numbers = [line.number for line in lines]
            look = agent.look = itemgetter(*(numbers if len(numbers) > 1 else numbers * 2))
        heads = look(self._heads)
        least = min(heads)
        if least == inf:
            return None
        index: int = heads.index(least)
        if heads.count(least) == 1:
            return lines[index]
        first = lines[index]
        for line, head in zip(lines, heads, strict=False):
            if head == least and line.callers[0][1] < first.callers[0][1]:
                first = line
        return first

    def serving(self, queue: QueueName) -> list[AgentRecord]:
        """The agents on the list who have this queue, signed in or not."""
        return self._serving.get(queue, [])

    def served(self) -> Iterable[QueueName]:
        """Every queue that an agent on the list has, whether or not it is on the list itself."""
        return self._serving

    def entries(self) -> int:
        """How much all lines hold."""
        return sum(line.entries for lines in self._by_queue.values() for line in lines.values())

    def _open(self, queue: QueueName, kind: Kind) -> Line:
        lines = self._by_queue.setdefault(queue, {})
        if len(lines) > self._sweep_at.get(queue, _LINES_KEPT):
            self._close_empty(lines)
            self._sweep_at[queue] = max(_LINES_KEPT, 2 * len(lines))  # a sweep that closes nothing is not repeated soon
        strategy = self._strategies.get(queue) or strategy_named("longest_idle")
        if self._free:
            number = self._free.pop()
        else:
            number = len(self._heads)
            self._heads.append(inf)
        self._heads[number] = inf
        line = lines[kind] = Line(number, queue, kind, strategy, self._heads)
        able = self._able(line)
        line.serving = len(able)
        for agent in able:
            agent.lines.append(line)
            agent.look = None
            if agent.state is READY:
                line.add_idle(agent)
        return line

    def _able(self, line: Line) -> list[AgentRecord]:
        """The agents on the list who may take the callers of a line."""
        kind, serving = line.kind, self.serving(line.queue)
        if kind.wants is not None or kind.opened:
            able = {agent.login: agent for name in (line.queue, *sorted(kind.opened)) for agent in self.serving(name)}
            return [agent for agent in able.values() if line.serves(agent)]
        able_bits = self._who_may(line.queue, kind.reach)
        for need in levels(kind.skills).items():
            able_bits &= self._who_has(line.queue, need)
        bits = reversed(f"{able_bits:0{len(serving)}b}")
        return [agent for agent, bit in zip(serving, bits, strict=False) if bit == "1"]

    def _who_may(self, queue: QueueName, reach: float) -> int:
        """One bit for each agent of a queue, in their order, whose delay is no longer than this."""
        known = self._delays.get(queue)
        if known is None:
            seats = (agent.settings.seat(queue) for agent in self.serving(queue))
            delays = [(1 << number, seat.delay.total_seconds()) for number, seat in enumerate(seats)]
            known = self._delays[queue] = ((1 << len(delays)) - 1, [entry for entry in delays if entry[1] > 0.0])
        everybody, delayed = known
        return everybody - sum(bit for bit, delay in delayed if delay > reach)

    def _who_has(self, queue: QueueName, need: tuple[str, int]) -> int:
        """One bit for each agent of a queue, in their order, who has a skill at a level."""
        bits = self._having.get((queue, need))
        if bits is None:
            skill, level = need
            able = (agent.levels.get(skill, 0) >= level for agent in self.serving(queue))
            bits = self._having[queue, need] = sum(1 << number for number, has in enumerate(able) if has)
        return bits

    def _close_empty(self, lines: dict[_Kind, Line]) -> None:
        closing = {line.number: line for kind, line in lines.items() if kind != PLAIN and line.empty}
        if not closing:
            return
        for number, line in sorted(closing.items()):
            del lines[line.kind]
            self._free.append(number)
        queues = {queue for line in closing.values() for queue in (line.queue, *line.kind.opened)}
        for agent in {agent.login: agent for queue in queues for agent in self.serving(queue)}.values():
            agent.lines = [line for line in agent.lines if line.number not in closing]
            agent.look = None
