"""Any floor, any news in any order: the rules hold, and the slow oracle sees the same callers with the same agents."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from math import inf

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec import structs

from changgu.acd import commands as c
from changgu.acd import events as e
from changgu.acd import facts as f
from changgu.acd.agent_state import AgentState, NotReadyReason
from changgu.acd.call_state import SPOKEN
from changgu.acd.engine import Effect, Engine, RequestRefused
from changgu.acd.facts import CallOffered, Outcome
from changgu.acd.identity import AgentId, CallbackId, CallId, OfferId, QueueName
from changgu.acd.invariants import Watch
from changgu.acd.invariants_books import differences
from changgu.acd.queues import Floor
from changgu.acd.skills import levels
from tests.acd.oracle import Oracle
from tests.acd.oracle_floors import (
    KEYS,
    LOGINS,
    NUMBERS,
    QUEUES,
    Kind,
    a_floor,
    a_kind,
    an_emergency,
    callback_rules,
    needs,
)
from tests.acd.oracle_pages import person_of
from tests.support.floor import OPENING

pytestmark = [pytest.mark.patient, pytest.mark.timeout(1500)]

ATTEMPT_NEWS = [
    e.AgentAnswered, e.PartiesConnected, e.AgentHungUp, e.CallHeld, e.CallResumed, e.RingFailed, e.ConnectFailed,
    e.ConversationMissing,
]  # fmt: skip
AGENT_NEWS = [
    e.AgentReady, e.AgentSignedIn, e.AgentSignedOut, e.PhoneReachable, e.PhoneUnreachable, e.DesktopSeen, e.DesktopGone,
]  # fmt: skip
FORCED = [
    (AgentState.READY, None),
    (AgentState.NOT_READY, NotReadyReason.TRAINING),
    (AgentState.LOGGED_OUT, None),
    (AgentState.NOT_READY, None),
    (AgentState.TALKING, None),
]

logins = st.sampled_from(LOGINS)
queues = st.sampled_from(QUEUES)
indexes = st.integers(min_value=0, max_value=30)


def told(effects: list[Effect]) -> Counter[tuple[object, ...]]:
    """What the engine did, in the oracle's words. Choices that are the engine's own are left out."""
    words: Counter[tuple[object, ...]] = Counter()
    for effect in effects:
        match effect:
            case f.CallEnded(call, outcome, by, reason):
                words["ended", call, outcome.value, by.value, reason if outcome is Outcome.REFUSED else ""] += 1
            case f.CallOverflowed(call, queue, why, to, key, number):
                words["overflowed", call, queue, why.value, to, key, number] += 1
            case f.OfferEnded(call, agent, _, end):
                words["offer ended", call, agent, end.value] += 1
            case f.NextStateRequested(agent, state, reason, by):
                words["wish", agent, state.value, reason.value if reason else None, by] += 1
            case f.ReasonLimitPassed(agent, reason):
                words["alert", agent, reason.value] += 1
            case f.WrapUpExtended(agent, until):
                words["extended", agent, round(until, 6)] += 1
            case f.DesktopStateChanged(agent, present):
                words["desktop", agent, present] += 1
            case f.StateRepaired(what):
                words["repaired", what] += 1
            case f.CallbackBooked(callback, number, queue, due, placed, priority, skills, call):
                words["booked", callback, number, queue, round(due, 6), round(placed, 6), priority, skills, call] += 1
            case f.CallbackAttempted(callback, attempts, due):
                words["attempted", callback, attempts, round(due, 6)] += 1
            case f.CallbackClosed(callback, how, by):
                words["closed", callback, how.value, by] += 1
            case RequestRefused(event, agent):
                words["refused", event, agent] += 1
            case c.RingAgent(agent, call, _, _, outbound):
                words["ring", agent, call, outbound] += 1
            case c.ConnectCall(_, call):
                words["connect", call] += 1
            case c.DialPerson(call, number):
                words["dial", call, number] += 1
            case c.Divert(call, _, way):
                words["divert", call, str(way)] += 1
            case _:
                pass
    return words


def expected(said: list[tuple[object, ...]]) -> Counter[tuple[object, ...]]:
    words: Counter[tuple[object, ...]] = Counter()
    for what in said:
        if what[0] == "repaired":
            words[what[:2]] += 1
        elif what[0] == "ended":
            words[(*what[:4], what[4] if what[2] == "refused" else "")] += 1
        elif what[0] != "queued":
            words[what] += 1
    return words


class AnyFloor(RuleBasedStateMachine):
    """News is drawn from everything that has ever been on the floor, so most kinds of late and wrong news occur."""

    @initialize(data=st.data())
    def open(self, data: st.DataObject) -> None:
        self.kinds: dict[QueueName, Kind] = {queue: self.a_kind(data) for queue in QUEUES}
        plan = self.a_plan(data)
        self.now = OPENING
        self.engine = Engine(plan)
        self.watch = Watch(self.engine, plan)
        self.oracle = Oracle(plan, self.now)
        self.calls: list[CallId] = []
        self.attempts: list[CallOffered] = []
        self.asked = 0
        self.directory: dict[str, str] = {}
        """Whose number each certainly is."""
        self.ordinary: Floor | None = None
        """The floor before the emergency plan that is on."""
        self.configure(plan)
        for login in LOGINS:
            self.tell(e.PhoneReachable(login))
            self.tell(e.AgentReady(login))

    def a_kind(self, data: st.DataObject) -> Kind:
        return data.draw(a_kind())

    def a_plan(self, data: st.DataObject) -> Floor:
        return data.draw(a_floor(self.kinds))

    def an_emergency(self, data: st.DataObject, ordinary: Floor) -> Floor:
        return data.draw(an_emergency(ordinary))

    def configure(self, plan: Floor) -> None:
        effects = self.engine.configure(plan, self.now)
        self.watch.floor = plan
        self.settle(None, effects, self.oracle.configure(plan, self.now, effects))

    def tell(self, event: e.Event) -> None:
        event = self.with_person(event)
        effects = self.engine.handle(event, self.now)
        self.settle(event, effects, self.oracle.handle(event, self.now, effects))
        due = self.engine.next_deadline()
        if due is not None and due < self.now and not isinstance(event, e.DeadlinePassed):
            self.tell(e.DeadlinePassed())

    def with_person(self, event: e.Event) -> e.Event:
        match event:
            case e.CallerDialledIn(caller=str(number)) | e.CallbackAsked(number=number):
                return structs.replace(event, person=self.directory.get(person_of(number) or "", ""))
            case _:
                return event

    def settle(self, event: e.Event | None, effects: list[Effect], offers: list[tuple[str, str]]) -> None:
        self.watch.check(event, self.now, effects)
        made = [effect for effect in effects if isinstance(effect, CallOffered)]
        self.attempts += made
        for effect in effects:
            if isinstance(effect, f.CallStarted) and effect.callback is not None:
                self.calls.append(effect.call)
        assert sorted((offer.call, offer.agent) for offer in made) == sorted(offers), (offers, event, effects)
        engine, oracle = told(effects), expected(self.oracle.said)
        assert engine == oracle, (
            "only the engine",
            engine - oracle,
            "only the oracle",
            oracle - engine,
            event,
            effects,
        )

    def call(self, index: int) -> CallId:
        return self.calls[-1 - index % len(self.calls)] if self.calls else CallId("unheard-of")

    def attempt(self, index: int) -> tuple[AgentId, CallId, OfferId]:
        if not self.attempts:
            return LOGINS[0], CallId("unheard-of"), OfferId(99)
        offer = self.attempts[-1 - index % len(self.attempts)]
        return offer.agent, offer.call, offer.offer

    @rule(number=st.sampled_from(NUMBERS[:2]), person=st.sampled_from(["7", "7", "8", ""]))
    def the_directory_learns_whose_number_it_is(self, number: str, person: str) -> None:
        self.directory[number] = person

    # Callers

    @rule(
        queue=queues, priority=st.sampled_from([0, 0, 1]), skills=needs, number=st.sampled_from(NUMBERS),
        agent=st.none() | st.none() | logins, last=st.none() | logins, waited=st.sampled_from([None, None, 7.0]),
    )  # fmt: skip
    def somebody_calls(
        self, queue: QueueName, priority: int = 0, skills: frozenset[str] = frozenset(), number: str | None = None,
        agent: AgentId | None = None, last: AgentId | None = None, waited: float | None = None,
    ) -> None:  # fmt: skip
        call = CallId(f"c{len(self.calls)}")
        self.calls.append(call)
        since = None if waited is None else self.now - waited
        self.tell(e.CallerDialledIn(call, number, "1000", since))
        self.tell(e.CallArrived(call, queue, priority, skills, agent, last, frozenset(), since))

    @rule(number=st.sampled_from(NUMBERS), turned_away=st.sampled_from([False, False, True]))
    def somebody_dials(self, number: str | None, turned_away: bool) -> None:
        self.calls.append(CallId(f"c{len(self.calls)}"))
        self.tell(e.CallerDialledIn(self.calls[-1], number, "1000", turned_away=turned_away))

    @rule(index=indexes, queue=queues, skills=needs)
    def the_menu_hands_over(self, index: int, queue: QueueName, skills: frozenset[str]) -> None:
        self.tell(e.CallArrived(self.call(index), queue, 0, skills))

    @rule(index=indexes, kind=st.sampled_from(["again", "step", "served", "gave up", "hung up", "lost", "closed"]))
    def news_of_a_caller(self, index: int, kind: str) -> None:
        call = self.call(index)
        news: dict[str, e.Event] = {
            "again": e.CallerDialledIn(call, None, "1000"),
            "step": e.MenuStepReached(call, "network", "2"),
            "served": e.MenuEnded(call, served=True),
            "gave up": e.MenuEnded(call, served=False),
            "hung up": e.CallerHungUp(call),
            "lost": e.CallLost(call),
            "closed": e.DeskClosed(call),
        }
        self.tell(news[kind])

    @rule()
    def a_hang_up_overtakes_its_call(self) -> None:
        self.calls.append(CallId(f"c{len(self.calls)}"))
        self.tell(e.CallerHungUp(self.calls[-1]))

    @rule(queue=queues)
    def three_call_at_once(self, queue: QueueName) -> None:
        for priority in (0, 1, 0):
            self.somebody_calls(queue, priority)

    @rule(index=indexes, key=st.sampled_from(KEYS))
    def a_key_is_pressed(self, index: int, key: str) -> None:
        here = [call for call, page in self.watch.books.calls.items() if page.queue is not None]
        self.tell(e.KeyPressed(here[index % len(here)] if here else self.call(index), key))

    @rule(index=indexes, way=st.sampled_from(["back", "back", "elsewhere", "served", "voicemail", "gave up"]))
    def a_diverted_caller_goes_on(self, index: int, way: str) -> None:
        led = [page for page in self.watch.books.calls.values() if page.diverted]
        if not led:
            return
        page = led[index % len(led)]
        queue = page.queue if way == "back" and page.queue is not None else QUEUES[index % len(QUEUES)]
        news: dict[str, e.Event] = {
            "served": e.MenuEnded(page.call, served=True),
            "voicemail": e.MenuEnded(page.call, served=False, outcome=Outcome.VOICEMAIL),
            "gave up": e.MenuEnded(page.call, served=False),
        }
        self.tell(news.get(way) or e.CallArrived(page.call, queue))

    # Call-backs

    @rule(
        number=st.sampled_from(NUMBERS[:4]), queue=queues, index=st.none() | indexes, priority=st.integers(0, 1),
        skills=needs, later=st.sampled_from([None, None, 10.0]), waited=st.sampled_from([None, None, 15.0]),
        new=st.sampled_from([True, True, False]),
    )  # fmt: skip
    def a_callback_is_asked_for(
        self, number: str, queue: QueueName, index: int | None, priority: int, skills: frozenset[str],
        later: float | None, waited: float | None, new: bool,
    ) -> None:  # fmt: skip
        self.asked += new
        call = None if index is None or not self.calls else self.call(index)
        until = None if later is None else self.now + later
        since = None if waited is None else self.now - waited
        callback = CallbackId(f"b{self.asked}")
        self.tell(e.CallbackAsked(callback, number, queue, call, priority, skills, until, since))

    @rule(
        number=st.sampled_from(NUMBERS[:4]), index=indexes, queue=queues, held=st.booleans(),
        named=st.sampled_from(["none", "this", "any"]), leave=st.booleans(), later=st.sampled_from([None, 10.0]),
        by=st.sampled_from([None, "chief", "theirs", *LOGINS]),
    )  # fmt: skip
    def who_is_spoken_to_is_promised_another_call(
        self, number: str, index: int, queue: QueueName, held: bool, named: str, leave: bool, later: float | None,
        by: str | None,
    ) -> None:  # fmt: skip
        """In a call-back if there is one, else in a call of theirs."""
        self.everybody_is_willing()
        self.asked += 1
        self.tell(e.CallbackAsked(CallbackId(f"b{self.asked}"), number, queue))
        for page in list(self.watch.books.outbound.values()):
            if page.dialling:
                self.tell(e.PersonReached(page.call))
        self.everybody_talks(held)
        spoken = [page for page in self.watch.books.calls.values() if page.state in SPOKEN and page.number]
        spoken = [page for page in spoken if page.outbound] or spoken
        if spoken:
            page = spoken[index % len(spoken)]
            self.asked += 1
            until = None if later is None else self.now + later
            call = {"none": None, "this": page.call, "any": self.call(index)}[named]
            by = by if by != "theirs" or page.winner is None else page.winner[0]
            promise = CallbackId(f"b{self.asked}")
            self.tell(e.CallbackAsked(promise, str(page.number), queue, call, not_before=until, by=by))
            if leave:
                self.tell(e.CallerHungUp(page.call))
                if later is None:  # in the wrap-up
                    self.asked += 1
                    self.tell(e.CallbackCancelled(promise))
                    self.tell(e.CallbackAsked(CallbackId(f"b{self.asked}"), str(page.number), queue, None, by=by))
                self.time_passes(120.0)

    @rule(index=st.integers(0, 3))
    def a_callback_is_cancelled(self, index: int) -> None:
        self.tell(e.CallbackCancelled(CallbackId(f"b{max(1, self.asked - index)}"), "somebody"))

    @rule(queue=queues, keep_number=st.booleans(), back=st.booleans())
    def who_waits_wants_to_be_called_back(self, queue: QueueName, keep_number: bool, back: bool) -> None:
        """With what they have; some come back to their place, others hang up."""
        for page in list(self.watch.books.calls.values()):
            if page.queue is None or page.outbound or page.number is None:
                continue
            self.asked += 1
            number = page.number if keep_number else NUMBERS[0]
            self.tell(e.CallbackAsked(CallbackId(f"b{self.asked}"), str(number), queue, page.call))
            self.tell(e.CallArrived(page.call, page.queue) if back else e.CallerHungUp(page.call))

    @precondition(lambda self: self.watch.books.promises)
    @rule(index=indexes, queue=queues, number=st.sampled_from(NUMBERS[2:4]))
    def who_is_to_be_called_back_calls(self, index: int, queue: QueueName, number: str) -> None:
        """The queues may be full, or send them on."""
        promises = list(self.watch.books.promises.values())
        ours = promises[index % len(promises)].number
        self.somebody_calls(queue, number=number if ours in NUMBERS[2:4] else ours)

    @precondition(lambda self: self.watch.books.promises)
    @rule(data=st.data(), length=st.sampled_from([0.0, 5.0, 10.0]))
    def the_floor_is_set_up_anew_while_promises_are_kept(self, data: st.DataObject, length: float) -> None:
        """By other rules, or without their queue; attempts wait, ring and are dialled meanwhile."""
        self.everybody_is_willing()
        self.time_passes(length)
        for queue, kind in self.kinds.items():
            self.kinds[queue] = Kind(kind.strategy, data.draw(callback_rules()))
        self.ordinary = None
        self.configure(self.a_plan(data))

    @rule(index=indexes, reached=st.sampled_from([True, True, False]))
    def a_dial_comes_to_an_end(self, index: int, reached: bool) -> None:
        dialled = [page.call for page in self.watch.books.outbound.values() if page.dialling]
        call = dialled[index % len(dialled)] if dialled else self.call(index)
        self.tell(e.PersonReached(call) if reached else e.DialFailed(call, "busy"))

    @rule(index=indexes, kind=st.sampled_from(["hung up", "lost", "closed", *ATTEMPT_NEWS]))
    def news_of_a_callback(self, index: int, kind: str | type) -> None:
        """Whether anybody is on the line or not, and whether the agent's phone rings or not."""
        pages = list(self.watch.books.outbound.values())
        if not pages:
            return
        page = pages[index % len(pages)]
        if isinstance(kind, str):
            news: dict[str, e.Event] = {
                "hung up": e.CallerHungUp(page.call),
                "lost": e.CallLost(page.call),
                "closed": e.DeskClosed(page.call),
            }
            self.tell(news[kind])
        elif page.winner is not None:
            self.tell_of_attempt(kind, page.winner[0], page.call, page.winner[1])
        elif page.offers:
            offer, agent = next(iter(page.offers.items()))
            self.tell_of_attempt(kind, agent, page.call, offer)

    # Offers

    def open_attempts(self, *states: AgentState) -> list[tuple[AgentId, CallId, OfferId]]:
        """The attempts that are not over, of agents in these states, with a leg of theirs."""
        return [
            (agent.login, agent.call, agent.offer)
            for agent in self.engine.agents.values()
            if agent.state in states and agent.call is not None and agent.offer in self.watch.books.legs
        ]

    @rule(index=indexes, joined=st.sampled_from([True, True, False]))
    def an_agent_takes_the_call(self, index: int, joined: bool) -> None:
        if ringing := self.open_attempts(AgentState.RESERVED):
            agent, call, offer = ringing[index % len(ringing)]
            self.tell(e.AgentAnswered(agent, call, offer))
            if joined:
                self.tell(e.PartiesConnected(agent, call, offer))

    @rule(held=st.booleans(), by_caller=st.booleans())
    def everybody_who_rings_is_served(self, held: bool, by_caller: bool) -> None:
        for agent, call, offer in self.everybody_talks(held):
            self.tell(e.CallerHungUp(call) if by_caller else e.AgentHungUp(agent, call, offer))

    @rule(
        queue=queues, order=st.permutations(LOGINS), index=indexes,
        kind=st.sampled_from([e.RingFailed, e.AgentHungUp]),
    )  # fmt: skip
    def they_come_free_one_by_one_and_a_phone_stops_ringing(
        self, queue: QueueName, order: list[AgentId], index: int, kind: type
    ) -> None:
        """For the only caller: those who ring are of a lower level than who is free, and then they are not."""
        for call in list(self.watch.books.calls):
            self.tell(e.CallerHungUp(call))
        for login in LOGINS:
            self.tell(e.AgentReady(login))
            self.tell(e.AgentNotReady(login, NotReadyReason.BREAK))
            self.tell(e.PhoneReachable(login))
        self.tell(e.AgentReady(order[0]))
        self.somebody_calls(queue)
        for login in order[1:]:
            self.tell(e.AgentReady(login))
        for _ in LOGINS:
            page = self.watch.books.calls.get(self.calls[-1])
            if page is not None and page.offers:
                offer, agent = list(page.offers.items())[index % len(page.offers)]
                self.tell_of_attempt(kind, agent, page.call, offer)

    @rule(held=st.booleans())
    def everybody_who_rings_talks(self, held: bool) -> None:
        self.everybody_talks(held)

    def everybody_talks(self, held: bool) -> list[tuple[AgentId, CallId, OfferId]]:
        talking = []
        for agent, call, offer in self.open_attempts(AgentState.RESERVED):
            self.tell(e.AgentAnswered(agent, call, offer))
            page = self.watch.books.calls.get(call)
            if page is not None and page.dialling:
                self.tell(e.PersonReached(call))
            self.tell(e.PartiesConnected(agent, call, offer))
            if held:
                self.tell(e.CallHeld(agent, call))
            if page is not None and page.winner == (agent, offer):
                talking.append((agent, call, offer))
        return talking

    @rule(index=indexes, by_caller=st.booleans())
    def a_conversation_ends(self, index: int, by_caller: bool) -> None:
        if talking := self.open_attempts(AgentState.TALKING, AgentState.HOLD):
            agent, call, offer = talking[index % len(talking)]
            self.tell(e.CallerHungUp(call) if by_caller else e.AgentHungUp(agent, call, offer))

    @rule(index=indexes, kind=st.sampled_from(ATTEMPT_NEWS))
    def something_becomes_of_an_open_attempt(self, index: int, kind: type) -> None:
        if attempts := self.open_attempts(AgentState.RESERVED, AgentState.TALKING, AgentState.HOLD):
            self.tell_of_attempt(kind, *attempts[index % len(attempts)])

    @rule(index=indexes, lost=st.booleans())
    def a_caller_of_an_open_attempt_is_gone(self, index: int, lost: bool) -> None:
        if attempts := self.open_attempts(AgentState.RESERVED, AgentState.TALKING, AgentState.HOLD):
            call = attempts[index % len(attempts)][1]
            self.tell(e.CallLost(call) if lost else e.CallerHungUp(call))

    @rule(index=indexes, kind=st.sampled_from(ATTEMPT_NEWS))
    def news_of_an_attempt(self, index: int, kind: type) -> None:
        agent, call, offer = self.attempt(index)
        page = self.watch.books.calls.get(call)
        if page is None or offer not in page.offers or offer in self.watch.books.legs:
            self.tell_of_attempt(kind, agent, call, offer)

    def tell_of_attempt(self, kind: type, agent: AgentId, call: CallId, offer: OfferId) -> None:
        if kind in (e.CallHeld, e.CallResumed):
            self.tell(kind(agent, call))
        elif kind in (e.RingFailed, e.ConnectFailed):
            self.tell(kind(agent, call, offer, "error"))
        else:
            self.tell(kind(agent, call, offer))

    # Agents

    @rule(login=logins, kind=st.sampled_from(AGENT_NEWS))
    def an_agent_or_their_phone(self, login: AgentId, kind: type) -> None:
        self.tell(kind(login))

    @rule()
    def everybody_is_willing(self) -> None:
        for login in LOGINS:
            self.tell(e.PhoneReachable(login))
            self.tell(e.AgentReady(login))

    @rule(login=logins, reason=st.sampled_from(NotReadyReason))
    def an_agent_goes_away(self, login: AgentId, reason: NotReadyReason) -> None:
        self.tell(e.AgentNotReady(login, reason))

    @rule(login=logins, wanted=st.sampled_from(FORCED))
    def a_supervisor_interferes(self, login: AgentId, wanted: tuple[AgentState, NotReadyReason | None]) -> None:
        self.tell(e.AgentForced(login, wanted[0], "supervisor", wanted[1], "because"))

    @rule(index=indexes, length=st.sampled_from([4.0, 8.0, 20.0]))
    def an_agent_needs_longer(self, index: int, length: float) -> None:
        busy = [agent.login for agent in self.engine.agents.values() if agent.state is AgentState.WRAP_UP]
        login = busy[index % len(busy)] if busy else LOGINS[index % len(LOGINS)]
        self.tell(e.MoreWrapUpWanted(login, timedelta(seconds=length)))

    # Time

    @rule(length=st.sampled_from([0.0, 1.0, 5.0, 10.0, 30.0]))
    def time_passes(self, length: float) -> None:
        until = self.now + length
        while (due := self.engine.next_deadline()) is not None and due <= until:
            self.now = max(self.now, due)
            self.tell(e.DeadlinePassed())
        self.now = until

    @rule()
    def time_passes_to_the_instant_before_a_limit_is_noticed(self) -> None:
        """So that whatever comes next is a tie with the limit."""
        due = self.engine.next_deadline()
        if due is not None and due <= self.now + 60:
            self.now = max(self.now, due)

    @rule(length=st.sampled_from([1.0, 5.0, 10.0, 30.0]))
    def the_loop_was_busy(self, length: float) -> None:
        self.now += length
        self.tell(e.DeadlinePassed())

    # The service

    @rule(data=st.data(), now_and_then=st.integers(0, 3))
    def the_floor_is_set_up_anew(self, data: st.DataObject, now_and_then: int) -> None:
        if now_and_then == 0:
            self.ordinary = None
            self.configure(self.a_plan(data))

    @rule(queue=queues, agent=logins, signs_out=st.booleans())
    def somebody_waits_for_an_agent_who_goes_or_is_taken_off_the_queue(
        self, queue: QueueName, agent: AgentId, signs_out: bool
    ) -> None:
        for login in LOGINS:
            self.tell(e.PhoneReachable(login))
            self.tell(e.AgentReady(login))
        self.tell(e.AgentNotReady(agent, NotReadyReason.BREAK))
        self.somebody_calls(queue, agent=agent)
        if signs_out:
            self.tell(e.AgentSignedOut(agent))
            return
        plan = self.watch.floor
        agents = [replace(one, queues=one.queues - {queue}) if one.login == agent else one for one in plan.agents]
        self.configure(replace(plan, agents=tuple(agents)))

    @rule(data=st.data(), queue=queues, length=st.sampled_from([5.0, 10.0, 20.0]))
    def an_emergency_plan_is_set_or_taken_back(self, data: st.DataObject, queue: QueueName, length: float) -> None:
        """While somebody waits whom nobody can serve, and has followed what was to be followed by now."""
        self.somebody_calls(queue, skills=frozenset({"vpn:9"}))
        self.time_passes(length)
        if self.ordinary is None:
            self.ordinary = self.watch.floor
            self.configure(self.an_emergency(data, self.ordinary))
        else:
            ordinary, self.ordinary = self.ordinary, None
            self.configure(ordinary)
        self.time_passes(length)

    @rule()
    def the_service_restarts(self) -> None:
        picture = self.engine.picture()
        self.engine = Engine.restore(self.watch.floor, self.watch.history)
        self.watch.engine = self.engine
        differ = differences(picture, self.engine.picture())
        assert not differ, differ
        self.configure(self.watch.floor)

    # The comparison

    @precondition(lambda self: hasattr(self, "oracle"))
    @invariant()
    def the_oracle_sees_the_same_floor(self) -> None:
        people = {
            agent.login: (agent.state.value, agent.reason, agent.requested, agent.phone_reachable, agent.misses)
            for agent in self.engine.agents.values()
            if agent.state is not AgentState.LOGGED_OUT
        }
        assert people == {
            person.login: (person.state, person.why, person.wish, person.phone, person.misses)
            for person in self.oracle.people.values()
            if person.state != "logged_out"
        }
        visits = {call.call: (call.state.value, call.queue or "") for call in self.engine.calls.values()}
        assert visits == {visit.call: (visit.state, visit.queue) for visit in self.oracle.visits.values()}

    @precondition(lambda self: hasattr(self, "oracle"))
    @invariant()
    def no_limit_of_the_oracle_passes_unnoticed(self) -> None:
        due, wanted = self.engine.next_deadline(), self.oracle.deadline()
        assert (inf if due is None else due) <= wanted + 1e-6, (due, self.oracle.most_urgent())

    @precondition(lambda self: hasattr(self, "oracle"))
    @invariant()
    def the_oracle_would_let_the_same_agents_take_each_waiting_caller(self) -> None:
        books, oracle = self.watch.books, self.oracle
        for call, page in books.waiting.items():
            visit = oracle.visits[call]
            assert (levels(page.needs), page.opened) == (levels(visit.needs), visit.opened), (page, visit)
            for agent in oracle.floor.agents:
                able = oracle.may_take(oracle.people[agent.login], visit)
                assert able == books.can_serve(agent.login, page), (agent, page, visit)
        placed = {call: (round(books.place(page)[0], 6), page.priority) for call, page in books.waiting.items()}
        waiting = [visit for visit in oracle.visits.values() if visit.state == "waiting"]
        wanted = {visit.call: (round(oracle.place(visit)[0], 6), visit.priority) for visit in waiting}
        assert placed == wanted, (placed, wanted)
        by_place = sorted(books.waiting, key=lambda call: books.place(books.waiting[call]))
        theirs = [visit.call for visit in sorted(waiting, key=oracle.place)]
        assert by_place == theirs, (by_place, theirs, placed)


AnyFloor.TestCase.settings = settings(
    max_examples=500, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)
TestAnyFloor = AnyFloor.TestCase
