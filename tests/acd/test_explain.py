"""Every offer can be explained, in both languages, by the rules of the floor as it was just before."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType

import pytest

from changgu.acd import why_words
from changgu.acd.agent_state import NotReadyReason
from changgu.acd.engine import Engine
from changgu.acd.events import (
    AgentAnswered,
    AgentNotReady,
    AgentReady,
    AgentSignedIn,
    CallArrived,
    CallerDialledIn,
    DeadlinePassed,
    Event,
    PartiesConnected,
    PhoneReachable,
    PhoneUnreachable,
    RingFailed,
)
from changgu.acd.explain import Explanation, Reason, Why, explain_offer
from changgu.acd.facts import CallOffered, Fact
from changgu.acd.floor_state import FloorState
from changgu.acd.identity import AgentId, CallId, OfferId, QueueName
from changgu.acd.queues import Agent, Floor, Queue, Relaxation, Seat
from changgu.acd.strategies import STRATEGIES
from tests.acd.recorded_day import FLOOR, RecordedDay

NETWORK, PC = QueueName("network"), QueueName("pc")
ALICE, BOB, CAROL = AgentId("alice"), AgentId("bob"), AgentId("carol")
SECOND = timedelta(seconds=1)


def agent(login: AgentId, *skills: str, queues: tuple[QueueName, ...] = (NETWORK,), **seat: object) -> Agent:
    seats: Mapping[QueueName, Seat] = MappingProxyType({NETWORK: Seat(**seat)} if seat else {})  # type: ignore[arg-type]
    return Agent(login, f"{login}님", frozenset(queues), frozenset(skills), seats=seats)


class Told:
    """A floor that is told the news, and explains each offer."""

    def __init__(self, *agents: Agent, queue: Queue | None = None, **settings: object) -> None:
        network = replace(queue or Queue(NETWORK, "네트워크"), **settings)  # type: ignore[arg-type]
        self.floor = Floor((network, Queue(PC, "PC")), agents)
        self.engine = Engine(self.floor)
        self.state = FloorState(self.floor, 1)
        self.now = 1_790_000_000.0
        self.explained: list[Explanation] = []
        self.tell(*(PhoneReachable(one.login) for one in agents), every=0.0)

    def tell(self, *events: Event, every: float = 1.0) -> "Told":
        for event in events:
            self.now += every
            for effect in self.engine.handle(event, self.now):
                if isinstance(effect, CallOffered):
                    self.explained.append(explain_offer(self.state, effect, self.now))
                if isinstance(effect, Fact):
                    self.state.apply(effect, self.now)
        return self

    def call(self, call: str = "c1", queue: QueueName = NETWORK, **wanted: object) -> "Told":
        dialled = CallerDialledIn(CallId(call), "01012345678", "1000")
        return self.tell(dialled, CallArrived(CallId(call), queue, **wanted))  # type: ignore[arg-type]

    def ready(self, *agents: AgentId) -> "Told":
        return self.tell(*(AgentReady(one) for one in agents))

    def wait(self, seconds: float) -> "Told":
        until = self.now + seconds
        while (due := self.engine.next_deadline()) is not None and due <= until:
            self.now = due
            self.tell(DeadlinePassed(), every=0.0)
        self.now = until
        return self

    def ring_out(self) -> "Told":
        """Nobody picks up this time."""
        one = self.explained[-1]
        return self.tell(RingFailed(one.agent, one.call, one.offer, "busy"))

    @property
    def last(self) -> Explanation:
        return self.explained[-1]

    def why_not(self, login: AgentId) -> tuple[Why, str, str]:
        reason = self.last.others[login]
        said = why_words.why_not(reason, {one.login: one.name for one in self.floor.agents})
        return reason.why, said.ko, said.en


def test_the_only_one_who_could() -> None:
    told = Told(agent(ALICE), agent(BOB, queues=(PC,))).ready(ALICE, BOB).call()

    assert told.last.agent == ALICE
    assert why_words.chosen(told.last).ko == "받을 수 있는 요원이 한 명뿐이었습니다."
    assert told.why_not(BOB) == (Why.NOT_IN_QUEUE, "맡은 대기열이 아님", "does not serve this queue")
    assert why_words.place(told.last) == why_words.Said("대기 0초, 1명 가운데 1번째", "waited 0 s, number 1 of 1")


def test_whoever_lacks_a_skill_is_told_which_and_how_much() -> None:
    told = Told(agent(ALICE, "vpn:7"), agent(BOB, "vpn:3"), agent(CAROL)).ready(BOB, CAROL, ALICE)
    told.call(skills=frozenset({"vpn:5"}))

    assert told.why_not(BOB) == (Why.SKILLS, "기술 부족: vpn 5 필요(3)", "lacks vpn 5 (has 3)")
    assert told.why_not(CAROL) == (Why.SKILLS, "기술 부족: vpn 5 필요(없음)", "lacks vpn 5 (has none)")


def test_whoever_was_away_is_told_how_long_and_why() -> None:
    told = Told(agent(ALICE), agent(BOB), agent(CAROL)).ready(BOB, CAROL)
    told.tell(AgentNotReady(BOB, NotReadyReason.MEAL), PhoneUnreachable(CAROL)).wait(725)
    told.ready(ALICE).call()

    assert told.why_not(BOB)[1:] == ("이석(식사), 12분 9초 전부터", "not ready (meal) for 12 min 9 s")
    assert told.why_not(CAROL)[1:] == ("연결불가, 12분 8초 전부터", "phone unreachable for 12 min 8 s")


def test_whoever_never_came_is_signed_out() -> None:
    told = Told(agent(ALICE), agent(BOB)).ready(ALICE).call()

    assert told.why_not(BOB) == (Why.STATE, "로그아웃", "signed out")


def test_whoever_had_another_call_is_told_so() -> None:
    told = Told(agent(ALICE), agent(BOB)).ready(BOB).call("c1")
    told.tell(AgentAnswered(BOB, CallId("c1"), told.last.offer), PartiesConnected(BOB, CallId("c1"), told.last.offer))
    told.ready(ALICE).wait(60).call("c2")

    assert told.why_not(BOB) == (
        Why.STATE, "다른 통화로 통화, 1분 4초 전부터", "talking with another call for 1 min 4 s",
    )  # fmt: skip
    assert told.last.others[BOB].call == CallId("c1")


def test_a_delay_that_is_not_reached() -> None:
    told = Told(agent(ALICE), agent(BOB, delay=20 * SECOND)).ready(BOB, ALICE).call()

    assert told.why_not(BOB)[0] is Why.DELAY
    assert told.why_not(BOB)[1] == "이 대기열에서 20초 넘게 기다린 통화만 받음(이 통화: 0초)"
    told.ring_out()
    assert told.last.agent == ALICE  # nobody else yet
    assert told.why_not(BOB)[2] == "takes only callers who have waited 20 s here (this one: 1 s)"


def test_a_caller_who_wants_one_agent() -> None:
    told = Told(agent(ALICE), agent(BOB)).ready(BOB, ALICE).call(agent=ALICE)

    assert told.last.chosen.why is Why.NAMED
    assert told.why_not(BOB) == (Why.WANTED_OTHER, "alice님 요원을 기다리는 통화", "the caller waits for alice님")


def test_a_caller_who_knows_an_agent() -> None:
    told = Told(agent(ALICE), agent(BOB), strategy="last_agent").ready(BOB, ALICE).call(last_agent=ALICE)

    assert told.last.chosen.why is Why.LAST_AGENT
    assert told.why_not(BOB)[0] is Why.KNOWN


def test_the_lower_level_comes_first() -> None:
    told = Told(agent(ALICE, level=1), agent(BOB, level=2)).ready(BOB, ALICE).call()

    assert told.why_not(BOB) == (Why.LEVEL, "단계 2: 단계 1 요원이 먼저", "level 2: level 1 rings first")


def test_whoever_let_the_call_ring_comes_last() -> None:
    told = Told(agent(ALICE), agent(BOB)).ready(ALICE, BOB).call()
    assert told.last.agent == ALICE
    told.ring_out()

    assert told.last.agent == BOB
    assert told.why_not(ALICE)[0] is Why.MISSED
    assert why_words.chosen(told.last).ko == "받을 수 있는 요원 2명 가운데 다른 요원은 모두 나중 차례였습니다."


def test_an_agent_of_the_opened_queue_waits_for_the_queues_own() -> None:
    step = Relaxation(0 * SECOND, open=frozenset({PC}))
    told = Told(agent(ALICE), agent(BOB, queues=(PC,)), relaxations=(step,)).ready(BOB, ALICE).call()

    assert told.last.agent == ALICE
    assert told.why_not(BOB)[0] is Why.OPENED


@pytest.mark.parametrize(
    ("strategy", "chosen", "why", "ko"),
    [
        ("longest_idle", BOB, Why.RANK, "대기 12초 (선택된 요원: 대기 13초)"),
        ("top_down", BOB, Why.RANK, "대기 12초 (선택된 요원: 대기 13초)"),
        ("fewest_calls", BOB, Why.RANK, "대기 12초 (선택된 요원: 대기 13초)"),
        ("least_talk_time", BOB, Why.RANK, "대기 12초 (선택된 요원: 대기 13초)"),
        ("most_skilled", ALICE, Why.RANK, "숙련도 1 (선택된 요원: 숙련도 5)"),
        ("linear", ALICE, Why.RANK, "목록 2번째 (선택된 요원: 목록 1번째)"),
        ("round_robin", ALICE, Why.NEXT, "목록 2번째: 1번째 요원부터"),
        ("weighted_random", None, Why.DRAWN, "뽑히지 않음: 가중치 1 (선택된 요원: 가중치 1)"),
        ("random", None, Why.DRAWN, "뽑히지 않음"),
        ("ring_all", None, Why.RINGS_TOO, "함께 울림"),
    ],
)
def test_whose_turn_it_was_by_each_strategy(strategy: str, chosen: AgentId | None, why: Why, ko: str) -> None:
    told = Told(agent(ALICE, "vpn:5"), agent(BOB, "vpn"), strategy=strategy).ready(BOB, ALICE).wait(10)
    told.call(skills=frozenset({"vpn"}))
    first = told.explained[0]
    told.explained = [first]

    assert chosen is None or first.agent == chosen
    assert first.strategy == strategy
    other = BOB if first.agent == ALICE else ALICE
    assert told.why_not(other)[:2] == (why, ko)
    assert why_words.chosen(first).ko.startswith("받을 수 있는 요원")
    assert first.holds


def test_after_whom_the_turn_came() -> None:
    told = Told(agent(ALICE), agent(BOB), agent(CAROL), strategy="round_robin").ready(CAROL, BOB, ALICE).call()
    told.ring_out()

    assert [one.agent for one in told.explained] == [ALICE, BOB]
    assert told.why_not(CAROL) == (
        Why.NEXT, "목록 3번째: alice님 다음은 2번째 요원", "number 3 of the list: after alice님 comes 2",
    )  # fmt: skip


def test_everybody_rings() -> None:
    told = Told(agent(ALICE), agent(BOB), strategy="ring_all").ready(ALICE, BOB).call()

    assert [one.chosen.among for one in told.explained] == [2, 2]
    assert [next(iter(one.others.values())).why for one in told.explained] == [Why.RINGS_TOO] * 2


def test_a_caller_further_ahead_is_passed_over_only_by_those_who_cannot_serve_them() -> None:
    told = Told(agent(ALICE), agent(BOB, "vpn"), priority=1).call("c1", skills=frozenset({"vpn"}))
    told.call("c2", queue=PC, priority=3).call("c3", agent=BOB).tell(AgentSignedIn(BOB))
    told.call("c4", agent=BOB).call("c5", priority=0).ready(ALICE)

    ahead = {one.call: one.reason for one in told.last.passed_over}
    assert (told.last.agent, told.last.call) == (ALICE, CallId("c3"))  # nobody waits for an agent who is signed out
    assert {call: reason.why for call, reason in ahead.items()} == {"c2": Why.NOT_IN_QUEUE, "c1": Why.SKILLS}
    assert list(ahead) == ["c2", "c1"]
    assert told.last.head_start == 300.0
    assert why_words.place(told.last).ko == "대기 6초, 4명 가운데 2번째, 우선순위로 5분 앞섬"


@pytest.mark.parametrize("seed", range(12))
def test_every_offer_of_a_day_is_explained(seed: int) -> None:
    day = RecordedDay(seed)
    day.go_on(400)
    state = FloorState(FLOOR, 1)
    offers = 0
    for entry in day.recorded:
        if isinstance(entry.fact, CallOffered):
            explained = explain_offer(state, entry.fact, entry.at)
            offers += 1
            assert explained.holds, (entry, explained)
            assert explained.others.keys() | {explained.agent} == {one.login for one in FLOOR.agents}
        state.apply(entry.fact, entry.at)
    assert offers > 20


def test_an_offer_that_the_rules_do_not_explain_is_said_to_be_so() -> None:
    told = Told(agent(ALICE), agent(BOB)).ready(ALICE).ready(BOB).tell(CallerDialledIn(CallId("c"), None, "1000"))
    told.tell(AgentNotReady(ALICE, NotReadyReason.MEAL), AgentNotReady(BOB, NotReadyReason.MEAL))
    told.tell(CallArrived(CallId("c"), NETWORK))

    wrong = explain_offer(told.state, CallOffered(CallId("c"), BOB, OfferId(1), NETWORK), told.now)

    assert not wrong.holds
    assert why_words.chosen(wrong).en == "The rules do not explain it."


def test_every_reason_and_strategy_has_its_words() -> None:
    for why in Why:
        if why not in (
            Why.STATE,
            Why.UNEXPLAINED,
            Why.ONLY,
            Why.EVERYBODY,
            Why.NAMED,
            Why.LAST_AGENT,
            Why.TURN,
            Why.BEFORE,
        ):
            said = why_words.why_not(Reason(why), {})
            if why not in (Why.LEVEL, Why.RANK, Why.DRAWN, Why.NEXT):
                assert said.ko != "규칙으로 설명되지 않습니다.", why
    assert set(why_words._FIRST) == set(STRATEGIES)
    assert set(why_words.REASON_KO) == set(NotReadyReason)


@pytest.mark.parametrize(
    ("seconds", "ko", "en"),
    [
        (0, "0초", "0 s"),
        (59.4, "59초", "59 s"),
        (3600, "1시간", "1 h"),
        (3725, "1시간 2분", "1 h 2 min"),
        (-5, "-5초", "-5 s"),
    ],
)
def test_lengths_are_said_as_people_say_them(seconds: float, ko: str, en: str) -> None:
    assert why_words.length(seconds) == why_words.Said(ko, en)
