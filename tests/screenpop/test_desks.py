"""What is on each agent's desk, as the facts make it."""

from itertools import count

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
    HoldEnded,
    HoldStarted,
    MenuStepTaken,
    NextStateRequested,
    OfferEnd,
    OfferEnded,
    Outcome,
    PhoneStateChanged,
    ReasonLimitPassed,
    Recorded,
    WrapUpExtended,
)
from changgu.acd.identity import AgentId, CallbackId, CallId, OfferId, QueueName
from changgu.screenpop.desks import Desk, Desks, MissedOffer, Stage, Step

C1 = CallId("c1")
ALICE, BOB = AgentId("alice"), AgentId("bob")
NETWORK = QueueName("network")


class House:
    """Desks and a clock wound by hand."""

    def __init__(self) -> None:
        self.desks = Desks()
        self.at = 100.0
        self._seq = count(1)

    def hear(self, *facts: Fact) -> tuple[AgentId, ...]:
        concerned: tuple[AgentId, ...] = ()
        for fact in facts:
            concerned = self.desks.apply(Recorded(next(self._seq), self.at, fact))
        return concerned

    def later(self, seconds: float) -> None:
        self.at += seconds

    def desk(self, agent: AgentId) -> Desk:
        return self.desks.at(agent)

    def queued(self) -> None:
        self.hear(
            CallStarted(C1, Direction.INBOUND, "01012345678", "1000"), MenuStepTaken(C1, "root", None),
            MenuStepTaken(C1, "vpn", "2"), CallQueued(C1, NETWORK, 0),
        )  # fmt: skip


def offered(agent: AgentId = ALICE, offer: int = 1) -> CallOffered:
    return CallOffered(C1, agent, OfferId(offer), NETWORK)


def test_a_call_is_on_nobodys_desk_before_it_is_offered() -> None:
    house = House()

    house.queued()

    assert house.desks.desks == {}


def test_the_offer_brings_number_menu_path_and_waiting_time_to_the_desk() -> None:
    house = House()
    house.queued()
    house.later(42)

    assert house.hear(offered()) == (ALICE,)

    call = house.desk(ALICE).call
    assert call is not None
    assert (call.stage, call.caller, call.queue) == (Stage.RINGING, "01012345678", NETWORK)
    assert call.path == (Step("root", None), Step("vpn", "2"))
    assert call.offered_at - call.queued_at == 42


def test_an_offer_that_moves_on_leaves_nothing_of_the_caller_behind() -> None:
    house = House()
    house.queued()
    house.hear(offered(ALICE, 1), OfferEnded(C1, ALICE, OfferId(1), OfferEnd.NO_ANSWER), offered(BOB, 2))

    assert house.desk(ALICE).call is None
    assert house.desk(ALICE).missed is not None
    assert house.desk(BOB).call is not None


def test_the_end_of_an_old_offer_does_not_take_the_next_one_away() -> None:
    house = House()
    house.queued()
    house.hear(offered(ALICE, 1), OfferEnded(C1, ALICE, OfferId(1), OfferEnd.NO_ANSWER), offered(ALICE, 2))

    assert house.hear(OfferEnded(C1, ALICE, OfferId(1), OfferEnd.FAILED)) == ()
    assert house.desk(ALICE).call is not None


def test_the_talk_timer_starts_at_the_first_word_and_not_in_the_queue() -> None:
    house = House()
    house.queued()
    house.later(60)
    house.hear(offered())
    house.later(5)
    house.hear(CallAnswered(C1, ALICE, OfferId(1), NETWORK))
    house.later(1)
    house.hear(CallConnected(C1, ALICE, OfferId(1)))

    call = house.desk(ALICE).call
    assert call is not None
    assert (call.stage, call.connected_at, call.queued_at) == (Stage.TALKING, 166.0, 100.0)


def test_hold_has_its_own_timer_and_ends_with_the_call() -> None:
    house = House()
    house.queued()
    house.hear(offered(), CallAnswered(C1, ALICE, OfferId(1), NETWORK), CallConnected(C1, ALICE, OfferId(1)))
    house.later(10)
    house.hear(HoldStarted(C1, ALICE))
    held = house.desk(ALICE).call
    house.hear(HoldEnded(C1, ALICE))
    back = house.desk(ALICE).call
    house.hear(HoldStarted(C1, ALICE), CallEnded(C1, Outcome.ANSWERED, Ender.CALLER))
    ended = house.desk(ALICE).call

    assert held is not None
    assert back is not None
    assert ended is not None
    assert (held.stage, held.hold_since) == (Stage.HOLD, 110.0)
    assert (back.stage, back.hold_since) == (Stage.TALKING, None)
    assert (ended.stage, ended.hold_since, ended.outcome) == (Stage.ENDED, None, Outcome.ANSWERED)


def test_an_ended_call_stays_for_the_wrap_up_until_the_next_one_comes() -> None:
    house = House()
    house.queued()
    house.hear(offered(), CallAnswered(C1, ALICE, OfferId(1), NETWORK), CallConnected(C1, ALICE, OfferId(1)))
    house.hear(CallEnded(C1, Outcome.ANSWERED, Ender.AGENT))
    assert house.desk(ALICE).call is not None

    house.hear(CallStarted(CallId("c2"), Direction.INBOUND, None, "1000"), CallQueued(CallId("c2"), NETWORK, 0))
    house.hear(CallOffered(CallId("c2"), ALICE, OfferId(2), NETWORK))

    call = house.desk(ALICE).call
    assert call is not None
    assert call.call == "c2"


def test_calls_that_ended_are_not_remembered_outside_the_desks() -> None:
    house = House()
    house.queued()
    house.hear(CallEnded(C1, Outcome.ABANDONED_IN_QUEUE, Ender.CALLER))

    assert house.desks.calls == {}


def test_the_requested_state_stands_beside_the_present_one_until_it_comes() -> None:
    house = House()
    house.hear(
        AgentStateChanged(ALICE, AgentState.READY, AgentState.TALKING),
        NextStateRequested(ALICE, AgentState.NOT_READY, NotReadyReason.MEAL),
    )
    assert (house.desk(ALICE).state, house.desk(ALICE).requested) == (AgentState.TALKING, AgentState.NOT_READY)

    house.hear(AgentStateChanged(ALICE, AgentState.TALKING, AgentState.WRAP_UP))
    assert house.desk(ALICE).requested_reason == NotReadyReason.MEAL

    house.hear(AgentStateChanged(ALICE, AgentState.WRAP_UP, AgentState.NOT_READY, NotReadyReason.MEAL))
    assert (house.desk(ALICE).state, house.desk(ALICE).requested) == (AgentState.NOT_READY, None)


def test_whether_the_phone_is_there_is_unknown_until_somebody_says_so() -> None:
    house = House()
    assert house.desk(ALICE).phone_reachable is None

    house.hear(PhoneStateChanged(ALICE, reachable=False))

    assert house.desk(ALICE).phone_reachable is False


def everybodys_phone_rings(house: House) -> None:
    house.queued()
    house.hear(offered(ALICE, 1), offered(BOB, 2))


def test_when_everybodys_phone_rings_everybody_sees_who_calls() -> None:
    house = House()
    everybodys_phone_rings(house)

    for agent in (ALICE, BOB):
        call = house.desk(agent).call
        assert call is not None
        assert (call.caller, call.stage) == ("01012345678", Stage.RINGING)


def test_whoever_was_not_first_is_told_who_was_in_whichever_order_it_is_said() -> None:
    lost = OfferEnded(C1, ALICE, OfferId(1), OfferEnd.ANSWERED_ELSEWHERE)
    won = CallAnswered(C1, BOB, OfferId(2), NETWORK)
    stories: list[tuple[list[Fact], tuple[AgentId, ...]]] = [([won, lost], (ALICE,)), ([lost, won], (BOB, ALICE))]
    for story, told in stories:
        house = House()
        everybodys_phone_rings(house)

        assert house.hear(*story) == told

        assert house.desk(ALICE).call is None
        assert house.desk(ALICE).missed == MissedOffer(100.0, OfferEnd.ANSWERED_ELSEWHERE, "", C1, BOB)
        winner = house.desk(BOB).call
        assert winner is not None
        assert winner.stage is Stage.ANSWERED
        house.hear(CallConnected(C1, BOB, OfferId(2)))
        assert house.hear(CallEnded(C1, Outcome.ANSWERED, Ender.CALLER)) == (BOB,)


def test_one_phone_of_several_that_is_not_picked_up_leaves_the_others_ringing() -> None:
    house = House()
    everybodys_phone_rings(house)

    assert house.hear(OfferEnded(C1, ALICE, OfferId(1), OfferEnd.NO_ANSWER)) == (ALICE,)

    missed = house.desk(ALICE).missed
    assert missed is not None
    assert (missed.why, missed.by) == (OfferEnd.NO_ANSWER, None)
    assert house.desk(BOB).call is not None


def test_a_call_that_comes_back_after_a_failed_connection_may_be_won_by_another() -> None:
    house = House()
    everybodys_phone_rings(house)
    house.hear(
        CallAnswered(C1, BOB, OfferId(2), NETWORK), OfferEnded(C1, ALICE, OfferId(1), OfferEnd.ANSWERED_ELSEWHERE),
        OfferEnded(C1, BOB, OfferId(2), OfferEnd.CONNECT_FAILED), offered(ALICE, 3), offered(BOB, 4),
        OfferEnded(C1, BOB, OfferId(4), OfferEnd.ANSWERED_ELSEWHERE), CallAnswered(C1, ALICE, OfferId(3), NETWORK),
    )  # fmt: skip

    missed = house.desk(BOB).missed
    assert missed is not None
    assert missed.by == ALICE


def test_the_person_whom_we_call_back_stands_where_a_caller_would() -> None:
    house = House()
    house.hear(
        CallStarted(C1, Direction.OUTBOUND, None, "01012345678", CallbackId("b1")), CallQueued(C1, NETWORK, 0),
        offered(),
    )  # fmt: skip

    call = house.desk(ALICE).call
    assert call is not None
    assert (call.caller, call.callback) == ("01012345678", "b1")


def test_a_longer_wrap_up_is_remembered_until_it_is_over() -> None:
    house = House()
    house.hear(AgentStateChanged(ALICE, AgentState.TALKING, AgentState.WRAP_UP))
    house.hear(WrapUpExtended(ALICE, 190.0))
    assert house.desk(ALICE).wrap_up_until == 190.0

    house.hear(AgentStateChanged(ALICE, AgentState.WRAP_UP, AgentState.READY))
    assert house.desk(ALICE).wrap_up_until is None


def test_a_supervisors_word_is_shown_with_its_reason_until_the_agent_moves_on() -> None:
    house = House()
    house.hear(
        AgentStateChanged(
            ALICE, AgentState.READY, AgentState.NOT_READY, NotReadyReason.TRAINING, by="boss", why="오후 교육"
        )
    )
    assert (house.desk(ALICE).by, house.desk(ALICE).why) == ("boss", "오후 교육")

    house.hear(ReasonLimitPassed(ALICE, NotReadyReason.TRAINING))
    assert house.desk(ALICE).overdue
    house.hear(AgentStateChanged(ALICE, AgentState.NOT_READY, AgentState.READY))
    assert (house.desk(ALICE).by, house.desk(ALICE).why, house.desk(ALICE).overdue) == (None, "", False)


def test_a_supervisors_word_during_a_call_is_still_theirs_when_it_comes_true() -> None:
    desks, break_ = Desks(), NotReadyReason.BREAK
    desks.apply(Recorded(1, 1.0, NextStateRequested(ALICE, AgentState.NOT_READY, break_, "boss", "쉬세요")))
    assert (desks.at(ALICE).requested_by, desks.at(ALICE).requested_why) == ("boss", "쉬세요")

    desks.apply(Recorded(2, 2.0, AgentStateChanged(ALICE, AgentState.TALKING, AgentState.WRAP_UP)))
    came_true = AgentStateChanged(
        ALICE, AgentState.WRAP_UP, AgentState.NOT_READY, break_, by="boss", why="쉬세요"
    )
    desks.apply(Recorded(3, 3.0, came_true))
    desk = desks.at(ALICE)
    assert (desk.by, desk.why, desk.requested, desk.requested_by) == ("boss", "쉬세요", None, None)


def test_a_wish_that_the_agent_makes_in_place_of_the_supervisors_is_their_own() -> None:
    desks, meal = Desks(), NotReadyReason.MEAL
    break_ = NotReadyReason.BREAK
    desks.apply(Recorded(1, 1.0, NextStateRequested(ALICE, AgentState.NOT_READY, break_, "boss")))
    desks.apply(Recorded(2, 2.0, NextStateRequested(ALICE, AgentState.NOT_READY, meal)))
    assert desks.at(ALICE).requested_by is None
    desks.apply(Recorded(3, 3.0, AgentStateChanged(ALICE, AgentState.WRAP_UP, AgentState.NOT_READY, meal)))
    assert desks.at(ALICE).by is None
