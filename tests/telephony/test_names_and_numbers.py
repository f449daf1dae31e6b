"""Names of legs, words for failures, and what a number leads to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from changgu.acd.commands import Farewell
from changgu.acd.identity import AgentId, CallId, OfferId, QueueName
from changgu.telephony.farewells import farewell_prompts, fixed_sentences
from changgu.telephony.hangup_cause import RingFailure, dial_failure, ring_failure
from changgu.telephony.legs import (
    AgentLeg,
    Caller,
    OutsideLeg,
    Person,
    Returned,
    Stray,
    agent_leg,
    bridge_of,
    call_of_bridge,
    offer_of_leg,
    outside_leg,
    purpose,
    purpose_of_app_data,
    stasis_args,
)
from changgu.telephony.numbers import NumberPlan, ToMenu, ToQueueDirectly, caller_id, presented

LEG = AgentLeg(OfferId(12), CallId("pbx-1795288337.0"), AgentId("kim"))


def test_a_legs_name_tells_its_offer_and_call() -> None:
    assert offer_of_leg(agent_leg(LEG.offer, LEG.call)) == (LEG.offer, LEG.call)
    assert call_of_bridge(bridge_of(LEG.call)) == LEG.call
    assert offer_of_leg("pbx-1795288337.0") is None
    assert call_of_bridge("someone-elses") is None


def test_what_a_channel_is_for_is_read_from_its_arguments() -> None:
    assert purpose(tuple(stasis_args(LEG).split(","))) == LEG
    assert purpose(("inbound", "1000")) == Caller("1000")
    assert purpose(("returned", "network")) == Returned(QueueName("network"))
    assert purpose_of_app_data("changgu", "changgu,inbound,1000") == Caller("1000")


def test_people_outside_have_legs_of_their_own() -> None:
    person, outside = Person(QueueName("pc"), "01012345678"), OutsideLeg(LEG.call)
    assert purpose(tuple(stasis_args(person).split(","))) == person
    english = Person(QueueName("pc"), "01012345678", "en")
    assert purpose(tuple(stasis_args(english).split(","))) == english
    assert purpose(tuple(stasis_args(outside).split(","))) == outside
    assert offer_of_leg(outside_leg(LEG.call)) is None
    assert call_of_bridge(outside_leg(LEG.call)) is None


@pytest.mark.parametrize(
    ("cause", "sip", "rang_out", "word"),
    [
        (19, None, False, "no_answer"), (18, None, False, "no_answer"), (0, None, True, "no_answer"),
        (16, 487, False, "no_answer"), (17, 486, False, "busy"), (19, 480, False, "unreachable"),
        (21, 603, False, "declined"), (1, 404, False, "unreachable"), (34, 503, False, "congestion"),
    ],
)  # fmt: skip
def test_why_a_person_was_not_reached(cause: int, sip: int | None, rang_out: bool, word: str) -> None:
    assert dial_failure(cause, sip, rang_out=rang_out) == RingFailure(word)


@pytest.mark.parametrize("language", ["ko", "en"])
def test_every_farewell_has_its_words_and_they_are_made_before_the_first_caller(language: str) -> None:
    ready = fixed_sentences(language)
    for farewell in Farewell:
        said = farewell_prompts(language, farewell)
        assert bool(said) == (farewell is not Farewell.NONE)
        assert all(prompt.text in ready for prompt in said)


@pytest.mark.parametrize(
    "args", [(), ("inbound",), ("inbound", ""), ("agent", "x", "c", "kim"), ("agent", "1", "c"), ("else", "1")]
)
def test_what_is_not_understood_is_a_stray(args: tuple[str, ...]) -> None:
    assert purpose(args) == Stray()
    assert purpose_of_app_data("changgu", ",".join(("another", *args))) == Stray()


@pytest.mark.parametrize(
    ("cause", "sip", "word"),
    [
        (17, None, "busy"), (17, 486, "busy"), (21, 603, "declined"), (19, 480, "declined"), (20, None, "unreachable"),
        (18, 408, "unreachable"), (34, 503, "congestion"), (16, 487, "gone"), (26, None, "gone"), (127, None, "error"),
        (0, None, "error"), (0, 777, "error"),
    ],
)  # fmt: skip
def test_why_a_phone_could_not_be_rung(cause: int, sip: int | None, word: str) -> None:
    assert ring_failure(cause, sip) == RingFailure(word)


def test_a_queues_number_leads_to_the_queue_and_everything_else_to_the_menu() -> None:
    plan = NumberPlan("1000", {"1001": QueueName("helpdesk"), "1000": QueueName("never")})

    assert plan.destination("1001") == ToQueueDirectly(QueueName("helpdesk"))
    assert plan.destination("1000") == ToMenu()
    assert plan.destination("4711") == ToMenu()


@pytest.mark.parametrize("withheld", ["", "anonymous", "Anonymous", "unknown", " restricted ", "\r\n", "visitor"])
def test_a_withheld_number_is_none(withheld: str) -> None:
    assert presented(withheld) is None


def test_a_number_is_kept_as_it_came_without_what_is_invisible() -> None:
    assert presented("+82 10-1234-5678") == "+82 10-1234-5678"
    assert presented("010\r\nAction: Originate\u202e1") == "010Action: Originate1"
    assert len(presented("9" * 65_536) or "") == 64


def test_the_agents_phone_shows_number_and_name() -> None:
    assert caller_id("01012345678", "김민수") == '"김민수" <01012345678>'
    assert caller_id(None) == "<anonymous>"


@given(st.text(), st.text())
def test_nothing_in_a_caller_id_can_end_the_quotes_the_brackets_or_the_line(number: str, name: str) -> None:
    shown = caller_id(number, name)

    assert shown.count("<") == shown.count(">") == 1
    assert shown.count('"') in (0, 2)
    assert shown.isprintable() or all(sign.isprintable() or sign.isspace() for sign in shown)
    assert not set("\r\n\0\\") & set(shown)
