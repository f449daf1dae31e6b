"""Which numbers are dialled, and which are not, whoever asks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from changgu.acd.facts import Departure
from changgu.acd.identity import QueueName
from changgu.acd.queues import Destination, Floor, Overflow, Queue, Way
from changgu.telephony.dial_plan import Dialable, DialPlan, Refusal, digits_of, unreachable_destinations

PLAN = DialPlan(
    trunk="PJSIP/{number}@trunk-carrier", extensions="^[1-9][0-9]{2,4}$", own=frozenset({"1000", "15771000"})
)
OFFICE = DialPlan(
    PLAN.trunk, PLAN.extensions, "PJSIP/{number}@trunk-office", allow=("050", "+1"), deny=("010999", "112", "119"),
    own=PLAN.own,
)  # fmt: skip


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("010-1234-5678", "01012345678"), ("+82 10 1234 5678", "01012345678"), ("02-123-4567", "021234567"),
        ("+82-2-123-4567", "021234567"), ("031 123 4567", "0311234567"), ("070-1234-5678", "07012345678"),
        ("080-123-4567", "0801234567"), ("1588-1234", "15881234"), ("(064) 712-3456", "0647123456"),
    ],
)  # fmt: skip
def test_an_ordinary_number_goes_over_the_trunk(written: str, number: str) -> None:
    assert PLAN.way(written) == Dialable(number, f"PJSIP/{number}@trunk-carrier")


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("00182101234567", Refusal.ABROAD), ("+12025550123", Refusal.ABROAD), ("0082101234567", Refusal.ABROAD),
        ("00700 1 202 555 0123", Refusal.ABROAD), ("002-1-202-555-0123", Refusal.ABROAD),
        ("+850212345", Refusal.ABROAD),
        ("060-700-1234", Refusal.PREMIUM), ("0600001111", Refusal.PREMIUM), ("050-1234-5678", Refusal.UNKNOWN),
        ("112", Refusal.UNKNOWN), ("119", Refusal.UNKNOWN), ("114", Refusal.UNKNOWN), ("1000", Refusal.OWN),
        ("1577-1000", Refusal.OWN), ("2345", Refusal.UNKNOWN), ("01012345678901", Refusal.UNKNOWN),
        ("", Refusal.NOT_A_NUMBER), ("anonymous", Refusal.NOT_A_NUMBER), ("010*1234#", Refusal.NOT_A_NUMBER),
        ("01012345678@evil.example", Refusal.NOT_A_NUMBER), ("01012345678&PJSIP/x", Refusal.NOT_A_NUMBER),
        ("01012345678;ext=1", Refusal.NOT_A_NUMBER), ("０１０１２３４５６７８", Refusal.NOT_A_NUMBER),
        ("+82+821012345678", Refusal.NOT_A_NUMBER), ("010\n1234", Refusal.NOT_A_NUMBER), ("+", Refusal.NOT_A_NUMBER),
        ("+8260700123", Refusal.PREMIUM), ("+82 00 1 202 555 0123", Refusal.ABROAD), ("1" * 41, Refusal.NOT_A_NUMBER),
    ],
)  # fmt: skip
def test_what_costs_money_or_makes_no_sense_is_refused(written: str, why: Refusal) -> None:
    assert PLAN.way(written) == why


def test_without_a_trunk_nothing_is_dialled() -> None:
    assert DialPlan().way("01012345678") == Refusal.NO_TRUNK


def test_an_extension_is_dialled_over_its_own_line_and_the_desk_never_calls_itself() -> None:
    assert OFFICE.way("2345") == Dialable("2345", "PJSIP/2345@trunk-office")
    assert OFFICE.way("1000") == Refusal.OWN
    assert OFFICE.way("112") == Refusal.DENIED


@pytest.mark.parametrize("number", ["112", "119", "911", "1-1-9"])
def test_a_machine_never_calls_an_emergency_service_whatever_the_lists_say(number: str) -> None:
    plan = DialPlan("PJSIP/{number}@trunk-a", "[0-9]{3,4}", "PJSIP/{number}@trunk-b", allow=("1", "9"))
    assert plan.way(number) == Refusal.UNKNOWN


def test_the_site_may_allow_more_and_deny_again() -> None:
    assert OFFICE.way("0501-234-5678") == Dialable("05012345678", "PJSIP/05012345678@trunk-carrier")
    assert OFFICE.way("+1 202 555 0123") == Dialable("+12025550123", "PJSIP/+12025550123@trunk-carrier")
    assert OFFICE.way("010-9991-2345") == Refusal.DENIED


@pytest.mark.parametrize(
    "trunk", ["trunk", "PJSIP/trunk", "PJSIP/{number}\n@x", "PJSIP/{number}&PJSIP/y", "PJSIP/{number}@{number}"]
)
def test_a_dial_string_that_is_none_is_refused_when_the_settings_are_read(trunk: str) -> None:
    with pytest.raises(ValueError, match="dial string"):
        DialPlan(trunk)


def test_rules_that_are_none_are_refused_when_the_settings_are_read() -> None:
    with pytest.raises(ValueError, match="beginning"):
        DialPlan(allow=("0*",))
    with pytest.raises(ValueError, match="regular expression"):
        DialPlan(extensions="[")


@given(st.text(max_size=40))
def test_whatever_is_keyed_in_the_dial_string_holds_nothing_but_digits(written: str) -> None:
    way = OFFICE.way(written)
    if isinstance(way, Dialable):
        assert way.number.removeprefix("+").isascii()
        assert way.number.removeprefix("+").isdecimal()
        assert not way.number.startswith(("00", "060", "+82"))


@given(st.from_regex(r"\+?[0-9 .()/-]{1,20}", fullmatch=True))
def test_a_number_read_twice_is_the_same_number(written: str) -> None:
    digits = digits_of(written)
    assert digits is None or len(digits) < 2 or digits_of(digits) == digits


def test_a_way_out_that_the_dial_plan_closes_is_told_when_the_floor_is_read() -> None:
    number, abroad = Destination(Way.NUMBER, "01012345678"), Destination(Way.NUMBER, "0012125550123")
    callback = Destination(Way.CALLBACK)
    queue = Queue(
        QueueName("pc"), "PC", overflows=(Overflow(Departure.FULL, number, 5), Overflow(Departure.WAITED, abroad, 60)),
        keys={"1": callback, "2": Destination(Way.VOICEMAIL)},
    )  # fmt: skip

    assert list(unreachable_destinations(PLAN, Floor((queue,)))) == [("pc", abroad, Refusal.ABROAD)]
    assert [why for _, _, why in unreachable_destinations(DialPlan(), Floor((queue,)))] == [
        Refusal.NO_TRUNK, Refusal.ABROAD, Refusal.NO_TRUNK,
    ]  # fmt: skip
