"""Who waited in our own queues by the PBX's log, when the ledger was killed before it could say so."""

from pathlib import Path

from changgu.acd.facts import CallServedElsewhere, Ender, Outcome
from changgu.acd.identity import CallId, QueueName
from changgu.telephony.own_waits import TAIL, OwnWaits, Wait, read_waits, waits
from changgu.telephony.shadow_history import parse

C1 = CallId("d-1.0")
ENTERED = "1795298558|d-1.0|network|NONE|ENTERQUEUE||01012345678|1\n"
GONE = "1795298571|d-1.0|NONE|NONE|GONE|1002\n"
NETWORK = QueueName("network")


def told(text: str) -> dict[CallId, Wait]:
    return dict(waits(row for line in text.splitlines() if (row := parse(line)) is not None))


def test_who_came_to_a_queue_waits_there() -> None:
    assert told(ENTERED) == {C1: Wait(NETWORK, 1795298558.0, "01012345678")}


def test_whose_line_ended_after_that_gave_up_in_that_queue() -> None:
    wait = told(ENTERED + GONE)[C1]

    assert wait.abandoned(C1) == CallServedElsewhere(
        C1, "01012345678", "1002", NETWORK, Outcome.ABANDONED_IN_QUEUE, Ender.CALLER,
        arrived_at=1795298558.0, ended_at=1795298571.0, queued_at=1795298558.0,
    )  # fmt: skip


def test_who_is_still_on_the_line_has_not_given_up() -> None:
    assert told(ENTERED)[C1].abandoned(C1) is None


def test_phones_that_rang_in_vain_change_nothing_and_another_queue_keeps_the_first_time() -> None:
    rang = "1795298560|d-1.0|network|kim|RINGNOANSWER|2000\n1795298561|d-1.0|network|NONE|EXITWITHTIMEOUT|1|1|3\n"
    other = "1795298562|d-1.0|helpdesk|NONE|ENTERQUEUE||01012345678|4\n"

    assert told(ENTERED + rang + other) == {C1: Wait(QueueName("helpdesk"), 1795298558.0, "01012345678")}


def test_who_was_answered_is_no_matter_of_waiting() -> None:
    assert told(ENTERED + "1795298560|d-1.0|network|kim|CONNECT|2|offer-1-d-1.0|1\n" + GONE) == {}


def test_who_then_came_to_the_plain_queue_is_told_of_by_its_own_rows() -> None:
    assert told(ENTERED + "1795298559|d-1.0|network|NONE|DID|1002\n" + GONE) == {}


def test_what_was_before_the_pbx_was_started_is_lost_and_not_abandoned() -> None:
    assert told(ENTERED + "1795298590|NONE|NONE|NONE|QUEUESTART|\n") == {}


def test_callers_who_never_came_to_a_queue_did_not_wait() -> None:
    assert told(GONE + "not a row\n") == {}


def test_a_withheld_number_is_none() -> None:
    assert told("1795298558|d-1.0|network|NONE|ENTERQUEUE|||1\n")[C1].caller is None


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
