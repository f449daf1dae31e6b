"""Who waited in our own queues by the PBX's log, when the ledger was killed before it could say so."""

from pathlib import Path

import pytest

from changgu.acd.identity import CallId, QueueName
from changgu.telephony.own_waits import TAIL, OwnWaits, Wait, read_waits, waits
from changgu.telephony.shadow_history import parse

C1 = CallId("d-1.0")
ENTERED = "1795298558|d-1.0|network|NONE|ENTERQUEUE||01012345678|1\n"
NETWORK = QueueName("network")


def told(text: str) -> dict[CallId, Wait]:
    return dict(waits(row for line in text.splitlines() if (row := parse(line)) is not None))


def test_who_came_to_a_queue_waits_there() -> None:
    assert told(ENTERED) == {C1: Wait(NETWORK, 1795298558.0)}


def test_phones_that_rang_in_vain_change_nothing_and_another_queue_keeps_the_first_time() -> None:
    rang = "1795298560|d-1.0|network|kim|RINGNOANSWER|2000\n1795298560|d-1.0|network|lee|RINGCANCELED|900\n"
    other = "1795298562|d-1.0|helpdesk|NONE|ENTERQUEUE||01012345678|4\n"

    assert told(ENTERED + rang + other) == {C1: Wait(QueueName("helpdesk"), 1795298558.0)}


@pytest.mark.parametrize(
    "row",
    [
        "1795298560|d-1.0|network|kim|CONNECT|2|offer-1-d-1.0|1",
        "1795298560|d-1.0|network|NONE|EXITWITHKEY|*|1|1|2",
        "1795298560|d-1.0|network|NONE|EXITWITHTIMEOUT|1|1|3",
        "1795298560|d-1.0|network|NONE|EXITEMPTY|1|1|3",
        "1795298560|d-1.0|network|NONE|ABANDON|1|1|3",
        "1795298560|d-1.0|network|NONE|WITHDRAW|1|1|3|LOST",
    ],
)
def test_who_was_answered_or_left_the_queue_by_other_means_no_longer_waits(row: str) -> None:
    """Whoever hangs up in voice mail has not given up in the queue."""
    assert told(f"{ENTERED}{row}\n") == {}


PLAIN = (
    "1795298559|d-1.0|network|NONE|DID|1002\n"
    "1795298560|d-1.0|network|NONE|ENTERQUEUE||01012345678|1\n"
)


@pytest.mark.parametrize("end", ["ABANDON|1|1|9", "EXITWITHTIMEOUT|1|1|9", "EXITEMPTY|1|1|9", "RINGCANCELED|900"])
def test_who_came_to_the_plain_queue_is_told_of_by_its_own_rows(end: str) -> None:
    over = f"1795298569|d-1.0|network|NONE|{end}\n1795298569|d-1.0|NONE|NONE|GONE|\n"

    assert told(PLAIN + over) == told(ENTERED + PLAIN + over) == {}


def test_who_came_back_to_us_from_the_plain_queue_waits_with_us() -> None:
    back = "1795298570|d-1.0|network|NONE|RETURNED|\n1795298571|d-1.0|network|NONE|ENTERQUEUE||01012345678|1\n"

    assert told(PLAIN + back) == {C1: Wait(NETWORK, 1795298571.0)}


def test_what_was_before_the_pbx_was_started_is_lost_and_not_abandoned() -> None:
    assert told(ENTERED + "1795298590|NONE|NONE|NONE|QUEUESTART|\n") == {}


def test_what_is_no_row_is_passed_over() -> None:
    assert told("not a row\n1795298571|d-1.0|NONE|NONE|GONE|\n") == {}


def test_only_the_end_of_a_long_log_is_read_and_not_half_a_line(tmp_path: Path) -> None:
    log = tmp_path / "queue_log"
    long_ago = "1700000000|long-ago|network|NONE|ENTERQUEUE||0101|1\n"
    log.write_text(long_ago * (TAIL // len(long_ago) + 9) + ENTERED)

    found = read_waits(log)

    assert found[C1].queue == "network"
    assert set(found) == {C1, CallId("long-ago")}, "the first line of the end is cut in two, and left out"


async def test_a_log_that_is_not_there_or_cannot_be_read_tells_of_nobody(tmp_path: Path) -> None:
    assert await OwnWaits(None)() == {}
    assert await OwnWaits(tmp_path / "none")() == {}
    assert await OwnWaits(tmp_path)() == {}
    (tmp_path / "queue_log").write_text(ENTERED)
    assert set(await OwnWaits(tmp_path / "queue_log")()) == {C1}
