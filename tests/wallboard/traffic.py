"""A floor's day made of facts alone: plausible, seeded, and never the same twice."""

import random
from collections.abc import Iterator

from changgu.acd.agent_words import AgentState, NotReadyReason
from changgu.acd.facts import (
    AgentStateChanged,
    CallAnswered,
    CallbackAttempted,
    CallbackBooked,
    CallbackClosed,
    CallbackEnd,
    CallConnected,
    CallEnded,
    CallOffered,
    CallOverflowed,
    CallQueued,
    CallStarted,
    CallWidened,
    Choice,
    Departure,
    DesktopStateChanged,
    Direction,
    Ender,
    Fact,
    NextStateRequested,
    OfferEnd,
    OfferEnded,
    Outcome,
    PersonAnswered,
    PhoneStateChanged,
    ReasonLimitPassed,
    Recorded,
    StateRepaired,
    WaitAnnounced,
    WrapUpExtended,
)
from changgu.acd.identity import AgentId, CallbackId, CallId, Instant, OfferId, QueueName
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
    """Produces the next facts, keeping to what an engine could have said."""

    def __init__(self, floor: Floor, seed: int, start: Instant) -> None:
        self.floor = floor
        self.now = start
        self._random = random.Random(seed)
        self._seq = 0
        self._calls = 0
        self._offers = 0
        self._menu: list[CallId] = []
        self._waiting: dict[CallId, QueueName] = {}
        self._entered: dict[CallId, Instant] = {}
        self._ringing: dict[CallId, dict[OfferId, AgentId]] = {}
        self._diverted: dict[CallId, QueueName] = {}
        self._talking: dict[CallId, AgentId] = {}
        self._promises: dict[CallbackId, QueueName] = {}
        self._attempts: dict[CallId, CallbackId] = {}
        self._state = {agent.login: AgentState.LOGGED_OUT for agent in floor.agents}

    def recorded(self, fact: Fact) -> Recorded:
        """Number and stamp a fact."""
        self._seq += 1
        return Recorded(self._seq, self.now, fact)

    def sign_everybody_in(self) -> Iterator[Recorded]:
        """The morning: nine of ten take their seats."""
        for agent in self.floor.agents:
            yield self.recorded(PhoneStateChanged(agent.login, reachable=True))
            yield self.recorded(DesktopStateChanged(agent.login, present=True))
            if self._random.random() < 0.9:
                yield self._move(agent.login, AgentState.NOT_READY, NotReadyReason.SIGNED_IN)
                yield self._move(agent.login, AgentState.READY)

    def step(self) -> list[Recorded]:
        """Some seconds later, one thing has happened."""
        self.now += self._random.uniform(0.2, 9.0)
        happenings = [self._arrive, self._queue, self._offer, self._answer, self._answer, self._finish, self._wrapped]
        rare = [
            self._abandon, self._leave_menu, self._miss, self._rest, self._wish, self._turned_away, self._led_out,
            self._led_out, self._back_or_over, self._back_or_over, self._to_another_queue, self._opened, self._told,
            self._told, self._dial, self._reached, self._not_reached, self._settled, self._supervisor,
        ]  # fmt: skip
        return self._random.choice(happenings * 4 + rare * 2)()

    # agents

    def _move(
        self, login: AgentId, after: AgentState, reason: NotReadyReason | None = None, call: CallId | None = None,
        by: str | None = None,
    ) -> Recorded:  # fmt: skip
        before, self._state[login] = self._state[login], after
        return self.recorded(AgentStateChanged(login, before, after, reason, call, by))

    def _wrapped(self) -> list[Recorded]:
        wrapping = [login for login, state in self._state.items() if state is AgentState.WRAP_UP]
        if not wrapping:
            return []
        login = self._random.choice(wrapping)
        if self._random.random() < 0.2:
            return [self.recorded(WrapUpExtended(login, self.now + 60))]
        return [self._move(login, AgentState.READY)]

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

    def _supervisor(self) -> list[Recorded]:
        login = self._random.choice(list(self._state))
        match self._state[login]:
            case AgentState.NOT_READY:
                return [self.recorded(ReasonLimitPassed(login, NotReadyReason.BREAK))]
            case AgentState.READY:
                return [self._move(login, AgentState.NOT_READY, NotReadyReason.TRAINING, by="boss")]
            case AgentState.LOGGED_OUT:
                return [self.recorded(DesktopStateChanged(login, present=False))]
            case _:
                return [self.recorded(StateRepaired("connecting_too_long", login))]

    # callers

    def _arrive(self) -> list[Recorded]:
        self._calls += 1
        call = CallId(f"c{self._calls}")
        self._menu.append(call)
        return [self.recorded(CallStarted(call, Direction.INBOUND, "01012345678", "1000"))]

    def _some_queue(self) -> QueueName:
        return QueueName(self._random.choice(list(QUEUES)))

    def _queued(self, call: CallId, queue: QueueName, entered_at: Instant | None = None) -> Recorded:
        self._waiting[call] = queue
        self._entered[call] = self.now if entered_at is None else entered_at
        return self.recorded(CallQueued(call, queue, 0, placed_at=entered_at, entered_at=entered_at))

    def _queue(self) -> list[Recorded]:
        return [self._queued(self._menu.pop(0), self._some_queue())] if self._menu else []

    def _turned_away(self) -> list[Recorded]:
        """Not let in: refused, sent to another queue, or another way."""
        if not self._menu:
            return []
        call, queue = self._menu.pop(0), self._some_queue()
        why = self._random.choice([Departure.FULL, Departure.UNSTAFFED, Departure.ESTIMATE, Departure.RATIO])
        match self._random.randrange(3):
            case 0:
                return [
                    self.recorded(CallOverflowed(call, queue, why, "refuse")),
                    self.recorded(CallEnded(call, Outcome.REFUSED, Ender.DESK, why.value)),
                ]
            case 1:
                other = QueueName("helpdesk" if queue != "helpdesk" else "pc")
                left = self.recorded(CallOverflowed(call, queue, why, f"queue:{other}"))
                return [left, self._queued(call, other)]
            case _:
                self._diverted[call] = queue
                self._entered[call] = self.now
                return [self.recorded(CallOverflowed(call, queue, why, "voicemail"))]

    def _one_waiting(self) -> CallId | None:
        return self._random.choice(list(self._waiting)) if self._waiting else None

    def _stop_ringing(self, call: CallId, why: OfferEnd) -> list[Recorded]:
        said: list[Recorded] = []
        for offer, login in self._ringing.pop(call, {}).items():
            said.append(self.recorded(OfferEnded(call, login, offer, why)))
            said.append(self._move(login, AgentState.READY))
        return said

    def _led_out(self) -> list[Recorded]:
        call = self._one_waiting()
        if call is None or call in self._attempts:
            return []
        said = self._stop_ringing(call, OfferEnd.CALLER_LEFT)
        queue = self._diverted[call] = self._waiting.pop(call)
        to = self._random.choice(["voicemail", "callback", "number:0212345678", "menu:news", "announce:busy"])
        return [*said, self.recorded(CallOverflowed(call, queue, Departure.KEY, to, "1"))]

    def _to_another_queue(self) -> list[Recorded]:
        call = self._one_waiting()
        if call is None or call in self._attempts or call in self._ringing:
            return []
        queue = self._waiting.pop(call)
        other = QueueName("helpdesk" if queue != "helpdesk" else "pc")
        left = self.recorded(CallOverflowed(call, queue, Departure.WAITED, f"queue:{other}"))
        return [left, self._queued(call, other)]

    def _back_or_over(self) -> list[Recorded]:
        if not self._diverted:
            return []
        call, queue = self._diverted.popitem()
        ends = {
            1: (Outcome.VOICEMAIL, ""), 2: (Outcome.CALLBACK, ""), 3: (Outcome.REDIRECTED, ""),
            4: (Outcome.SELF_SERVED, ""), 5: (Outcome.REFUSED, "waited"), 6: (Outcome.ABANDONED_IN_QUEUE, ""),
        }  # fmt: skip
        match self._random.randrange(9):
            case 0 | 7:
                return [self._queued(call, queue, self._entered[call])]
            case 8:
                return [self._queued(call, QueueName("pc" if queue != "pc" else "account"))]
            case 2:
                promise = CallbackId(f"b{self._seq}")
                self._promises[promise] = queue
                booked = CallbackBooked(promise, "01012345678", queue, self.now, self._entered[call], call=call)
                return [self.recorded(booked), self.recorded(CallEnded(call, Outcome.CALLBACK, Ender.DESK))]
            case number:
                outcome, reason = ends[number]
                return [self.recorded(CallEnded(call, outcome, Ender.CALLER, reason))]

    def _opened(self) -> list[Recorded]:
        call = self._one_waiting()
        if call is None or call in self._attempts:
            return []
        opened = frozenset({QueueName("helpdesk")})
        return [
            self.recorded(CallOverflowed(call, self._waiting[call], Departure.WAITED, "open:helpdesk", rule=0)),
            self.recorded(CallWidened(call, 30.0, opened=opened)),
        ]

    def _told(self) -> list[Recorded]:
        call = self._one_waiting()
        if call is None or call in self._attempts or call in self._ringing:
            return []
        return [self.recorded(WaitAnnounced(call, 1, self._random.choice([None, 5.0, 30.0, 300.0])))]

    def _offer(self) -> list[Recorded]:
        """To one agent, or to several at once."""
        free = [call for call in self._waiting if call not in self._ringing]
        ready = [login for login, state in self._state.items() if state is AgentState.READY]
        if not free or not ready:
            return []
        call = free[0]
        some = self._random.sample(ready, min(len(ready), self._random.choice([1, 1, 3])))
        choice = Choice.TURN if len(some) == 1 else Choice.EVERYBODY
        said = []
        for login in some:
            self._offers += 1
            self._ringing.setdefault(call, {})[OfferId(self._offers)] = login
            offer = CallOffered(call, login, OfferId(self._offers), self._waiting[call], choice)
            said += [self.recorded(offer), self._move(login, AgentState.RESERVED, call=call)]
        return said

    def _answer(self) -> list[Recorded]:
        if not self._ringing:
            return []
        call, offers = next(iter(self._ringing.items()))
        offer, login = self._random.choice(list(offers.items()))
        del offers[offer]
        losers = [self.recorded(OfferEnded(call, loser, other, OfferEnd.ANSWERED_ELSEWHERE))
                  for other, loser in offers.items()]  # fmt: skip
        queue = self._waiting.pop(call)
        del self._ringing[call]
        self._talking[call] = login
        said = [
            *losers, self.recorded(CallAnswered(call, login, offer, queue)),
            self._move(login, AgentState.TALKING, call=call),
            *(self._move(loser, AgentState.READY) for loser in offers.values()),
        ]  # fmt: skip
        if call in self._attempts:
            said.append(self.recorded(PersonAnswered(call)))
        said.append(self.recorded(CallConnected(call, login, offer)))
        if call in self._attempts:
            said += self._close(self._attempts.pop(call), CallbackEnd.KEPT)
        return said

    def _finish(self) -> list[Recorded]:
        if not self._talking:
            return []
        call = self._random.choice(list(self._talking))
        login = self._talking.pop(call)
        return [
            self.recorded(CallEnded(call, Outcome.ANSWERED, Ender.CALLER)),
            self._move(login, AgentState.WRAP_UP, call=call),
        ]

    def _abandon(self) -> list[Recorded]:
        call = self._one_waiting()
        if call is None or call in self._attempts:
            return []
        outcome = Outcome.ABANDONED_RINGING if call in self._ringing else Outcome.ABANDONED_IN_QUEUE
        said = self._stop_ringing(call, OfferEnd.CALLER_LEFT)
        del self._waiting[call]
        return [*said, self.recorded(CallEnded(call, outcome, Ender.CALLER))]

    def _leave_menu(self) -> list[Recorded]:
        if not self._menu:
            return []
        outcome = self._random.choice([Outcome.ABANDONED_IN_MENU, Outcome.SELF_SERVED, Outcome.REFUSED, Outcome.LOST])
        reason = "no_such_queue" if outcome is Outcome.REFUSED else ""
        return [self.recorded(CallEnded(self._menu.pop(), outcome, Ender.CALLER, reason))]

    def _miss(self) -> list[Recorded]:
        """One of the phones that ring is not picked up."""
        if not self._ringing:
            return []
        call, offers = self._random.choice(list(self._ringing.items()))
        offer, login = offers.popitem()
        if not offers:
            del self._ringing[call]
        return [
            self.recorded(OfferEnded(call, login, offer, OfferEnd.NO_ANSWER)),
            self._move(login, AgentState.NOT_READY, NotReadyReason.NO_ANSWER),
        ]

    # those who are called back

    def _dial(self) -> list[Recorded]:
        idle = [promise for promise in self._promises if promise not in self._attempts.values()]
        if not idle:
            return []
        promise = self._random.choice(idle)
        call = CallId(f"{promise}-{self._seq}")
        self._attempts[call] = promise
        started = CallStarted(call, Direction.OUTBOUND, "01012345678", "", promise)
        return [self.recorded(started), self._queued(call, self._promises[promise])]

    def _one_dialled(self) -> CallId | None:
        return next((call for call in self._attempts if call not in self._ringing and call in self._waiting), None)

    def _reached(self) -> list[Recorded]:
        call = next((call for call in self._attempts if call in self._ringing), None)
        return [] if call is None else [self.recorded(WaitAnnounced(call))]

    def _not_reached(self) -> list[Recorded]:
        call = self._one_dialled()
        if call is None:
            return []
        del self._waiting[call]
        promise = self._attempts.pop(call)
        cause = self._random.choice(["busy", "no_answer", "hours"])
        ended = self.recorded(CallEnded(call, Outcome.NOT_REACHED, Ender.DESK, cause))
        if cause == "busy":
            return [ended, *self._close(promise, CallbackEnd.GIVEN_UP)]
        return [ended, self.recorded(CallbackAttempted(promise, 1, self.now + 900, cause))]

    def _settled(self) -> list[Recorded]:
        idle = [promise for promise in self._promises if promise not in self._attempts.values()]
        if not idle:
            return []
        return self._close(idle[0], self._random.choice([CallbackEnd.CANCELLED, CallbackEnd.CALLED_IN]))

    def _close(self, promise: CallbackId, end: CallbackEnd) -> list[Recorded]:
        del self._promises[promise]
        return [self.recorded(CallbackClosed(promise, end))]
