"""A floor's day made of facts alone: plausible, seeded, and never the same twice."""

import random
from collections.abc import Iterator

from changgu.acd.agent_words import AgentState, NotReadyReason
from changgu.acd.facts import (
    AgentStateChanged,
    CallAnswered,
    CallConnected,
    CallEnded,
    CallOffered,
    CallQueued,
    CallStarted,
    Direction,
    Ender,
    Fact,
    NextStateRequested,
    OfferEnd,
    OfferEnded,
    Outcome,
    PhoneStateChanged,
    Recorded,
)
from changgu.acd.identity import AgentId, CallId, Instant, OfferId, QueueName
from changgu.acd.queues import Agent, Floor, Queue

QUEUES = {
    "helpdesk": "대표",
    "network": "네트워크",
    "pc": "PC·OA기기",
    "account": "계정·ID",
    "application": "업무시스템",
}
NAMES = (
    "김민준", "이서연", "박도윤", "최하은", "정시우", "강지우", "조은우", "윤서아", "장하준", "임지안",
    "한유준", "오수아", "서지호", "신다은", "권현우", "황예린", "안준서", "송채원", "류건우", "전소율",
    "홍지훈", "고나윤", "문선우", "양하린", "손우진", "배유나", "조민재", "백서현", "허정우", "남가은",
)


def example_floor(agents: int = 30) -> Floor:
    """Five queues and some agents who serve one or two of them each."""
    names = [QueueName(name) for name in QUEUES]
    return Floor(
        tuple(Queue(QueueName(name), title) for name, title in QUEUES.items()),
        tuple(
            Agent(AgentId(f"a{n:02}"), NAMES[n % len(NAMES)], frozenset({names[n % 5], names[(n // 5) % 5]}))
            for n in range(agents)
        ),
    )


class Traffic:
    """Produces the next fact, keeping to what an engine could have said."""

    def __init__(self, floor: Floor, seed: int, start: Instant) -> None:
        self.floor = floor
        self.now = start
        self._random = random.Random(seed)
        self._seq = 0
        self._calls = 0
        self._menu: list[CallId] = []
        self._waiting: dict[CallId, QueueName] = {}
        self._ringing: dict[CallId, AgentId] = {}
        self._talking: dict[CallId, AgentId] = {}
        self._state = {agent.login: AgentState.LOGGED_OUT for agent in floor.agents}

    def recorded(self, fact: Fact) -> Recorded:
        """Number and stamp a fact."""
        self._seq += 1
        return Recorded(self._seq, self.now, fact)

    def sign_everybody_in(self) -> Iterator[Recorded]:
        """The morning: nine of ten take their seats."""
        for agent in self.floor.agents:
            yield self.recorded(PhoneStateChanged(agent.login, reachable=True))
            if self._random.random() < 0.9:
                yield self._move(agent.login, AgentState.NOT_READY, NotReadyReason.SIGNED_IN)
                yield self._move(agent.login, AgentState.READY)

    def step(self) -> list[Recorded]:
        """Some seconds later, one thing has happened."""
        self.now += self._random.uniform(0.2, 9.0)
        happenings = [self._arrive, self._queue, self._offer, self._answer, self._answer, self._finish, self._wrapped]
        rare = [self._abandon, self._leave_menu, self._miss, self._rest, self._wish]
        return self._random.choice(happenings * 4 + rare)()

    def _move(
        self, login: AgentId, after: AgentState, reason: NotReadyReason | None = None, call: CallId | None = None
    ) -> Recorded:
        before, self._state[login] = self._state[login], after
        return self.recorded(AgentStateChanged(login, before, after, reason, call))

    def _arrive(self) -> list[Recorded]:
        self._calls += 1
        call = CallId(f"c{self._calls}")
        self._menu.append(call)
        return [self.recorded(CallStarted(call, Direction.INBOUND, "01012345678", "1000"))]

    def _queue(self) -> list[Recorded]:
        if not self._menu:
            return []
        call, queue = self._menu.pop(0), QueueName(self._random.choice(list(QUEUES)))
        self._waiting[call] = queue
        return [self.recorded(CallQueued(call, queue, 0))]

    def _offer(self) -> list[Recorded]:
        free = [call for call in self._waiting if call not in self._ringing]
        ready = [login for login, state in self._state.items() if state is AgentState.READY]
        if not free or not ready:
            return []
        call, login = free[0], self._random.choice(ready)
        self._ringing[call] = login
        offer = CallOffered(call, login, OfferId(self._seq), self._waiting[call])
        return [self.recorded(offer), self._move(login, AgentState.RESERVED, call=call)]

    def _answer(self) -> list[Recorded]:
        if not self._ringing:
            return []
        call, login = next(iter(self._ringing.items()))
        queue = self._waiting.pop(call)
        del self._ringing[call]
        self._talking[call] = login
        return [
            self.recorded(CallAnswered(call, login, OfferId(1), queue)),
            self._move(login, AgentState.TALKING, call=call),
            self.recorded(CallConnected(call, login, OfferId(1))),
        ]

    def _finish(self) -> list[Recorded]:
        if not self._talking:
            return []
        call = self._random.choice(list(self._talking))
        login = self._talking.pop(call)
        return [
            self.recorded(CallEnded(call, Outcome.ANSWERED, Ender.CALLER)),
            self._move(login, AgentState.WRAP_UP, call=call),
        ]

    def _wrapped(self) -> list[Recorded]:
        wrapping = [login for login, state in self._state.items() if state is AgentState.WRAP_UP]
        return [self._move(self._random.choice(wrapping), AgentState.READY)] if wrapping else []

    def _abandon(self) -> list[Recorded]:
        if not self._waiting:
            return []
        call = self._random.choice(list(self._waiting))
        del self._waiting[call]
        login = self._ringing.pop(call, None)
        if login is None:
            return [self.recorded(CallEnded(call, Outcome.ABANDONED_IN_QUEUE, Ender.CALLER))]
        return [
            self.recorded(OfferEnded(call, login, OfferId(1), OfferEnd.CALLER_LEFT)),
            self.recorded(CallEnded(call, Outcome.ABANDONED_RINGING, Ender.CALLER)),
            self._move(login, AgentState.READY),
        ]

    def _leave_menu(self) -> list[Recorded]:
        if not self._menu:
            return []
        outcome = self._random.choice(
            [Outcome.ABANDONED_IN_MENU, Outcome.SELF_SERVED, Outcome.REFUSED, Outcome.LOST]
        )
        return [self.recorded(CallEnded(self._menu.pop(), outcome, Ender.CALLER))]

    def _miss(self) -> list[Recorded]:
        if not self._ringing:
            return []
        call, login = self._ringing.popitem()
        return [
            self.recorded(OfferEnded(call, login, OfferId(1), OfferEnd.NO_ANSWER)),
            self._move(login, AgentState.NOT_READY, NotReadyReason.NO_ANSWER),
        ]

    def _rest(self) -> list[Recorded]:
        idle = [login for login, state in self._state.items() if state in (AgentState.READY, AgentState.NOT_READY)]
        if not idle:
            return []
        login = self._random.choice(idle)
        if self._state[login] is AgentState.NOT_READY:
            return [self._move(login, AgentState.READY)]
        return [self._move(login, AgentState.NOT_READY, self._random.choice(list(NotReadyReason)))]

    def _wish(self) -> list[Recorded]:
        if not self._talking:
            return []
        login = self._random.choice(list(self._talking.values()))
        return [self.recorded(NextStateRequested(login, AgentState.NOT_READY, NotReadyReason.BREAK))]
