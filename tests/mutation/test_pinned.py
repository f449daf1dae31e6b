"""What no story would notice when it changed, pinned: replays years later must draw the same lots."""

import pytest

from changgu.acd.agent_words import AgentState
from changgu.acd.identity import OfferId
from changgu.acd.strategies import STRATEGIES, UnknownStrategy, strategy_named, uniform


@pytest.mark.parametrize(
    ("offer", "drawn"),
    [(0, 0xE220A8397B1DCDAF), (1, 0x910A2DEC89025CC1), (1234567, 6457827717110365317)],
)
def test_lots_are_drawn_by_splitmix64(offer: int, drawn: int) -> None:
    """The reference generator's first number for each of these seeds."""
    assert uniform(OfferId(offer), 0) == (drawn + 0.5) / 2.0**64


def test_lots_differ_by_agent_and_by_offer_and_stay_as_they_are() -> None:
    assert uniform(OfferId(7), 3) == float.fromhex("0x1.2a1c141e9316fp-1")
    assert uniform(OfferId(2**32 + 5), 1) == uniform(OfferId(5), 1) == float.fromhex("0x1.44c1c422b5060p-2")


def test_no_lot_is_nought() -> None:
    """Shares by weight take its logarithm. The generator's number for this seed is 0."""
    assert uniform(OfferId(0x80B583EB), 0x61C88646) == 0.5 / 2.0**64


def test_an_unknown_strategy_says_its_name_and_those_there_are() -> None:
    with pytest.raises(UnknownStrategy) as caught:
        strategy_named("loudest")
    assert caught.value.strategy == "loudest"
    assert str(caught.value) == f"no strategy 'loudest'; there are {', '.join(sorted(STRATEGIES))}"


def test_the_states_are_told_in_the_words_that_ledgers_hold() -> None:
    assert [state.value for state in AgentState] == [
        "ready", "reserved", "talking", "hold", "wrap_up", "not_ready", "unreachable", "logged_out",
    ]  # fmt: skip
