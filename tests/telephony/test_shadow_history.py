"""The plain queues' own log, read back: who called while changgu was away, and what became of them."""

import pytest

from changgu.acd.facts import CallServedElsewhere, Ender, Outcome
from changgu.acd.identity import AgentId, CallId, QueueName
from changgu.telephony.shadow_history import Row, ShadowHistory, parse

ANSWERED = """1795298557|NONE|NONE|NONE|QUEUESTART|
1795298557|d-1.0|helpdesk|NONE|DID|1000
1795298558|d-1.0|helpdesk|NONE|ENTERQUEUE||01012345678|1
1795298560|d-1.0|helpdesk|bob|RINGNOANSWER|2000
1795298561|d-1.0|helpdesk|alice|CONNECT|3|d-1.1|1
1795298600|d-1.0|helpdesk|alice|COMPLETEAGENT|3|39|1
1795298601|d-1.0|NONE|NONE|GONE|
"""
"""As Asterisk 22.10.1 writes it, with the rows of our dialplan."""


def history(text: str, into: ShadowHistory | None = None) -> list[CallServedElsewhere]:
    rows = [(number, row) for number, line in enumerate(text.splitlines()) if (row := parse(line)) is not None]
    return (into or ShadowHistory()).read(rows)


def one(text: str) -> CallServedElsewhere:
    (found,) = history(text)
    return found


def test_an_answered_call_is_told_with_its_own_times() -> None:
    assert one(ANSWERED) == CallServedElsewhere(
        CallId("d-1.0"), "01012345678", "1000", QueueName("helpdesk"), Outcome.ANSWERED, Ender.AGENT,
        arrived_at=1795298557.0, ended_at=1795298600.0, queued_at=1795298558.0, answered_at=1795298561.0,
        served_by=AgentId("alice"), offers=2,
    )  # fmt: skip


def test_a_conversation_that_goes_on_is_told_when_it_is_over() -> None:
    *so_far, complete, gone = ANSWERED.splitlines(keepends=True)
    follows = ShadowHistory()
    assert history("".join(so_far), follows) == []
    assert follows.unfinished == 1
    assert follows.resume_at(900) == 1, "the row in which they came"
    assert [call.outcome for call in history(complete + gone, follows)] == [Outcome.ANSWERED]
    assert (follows.unfinished, follows.resume_at(900)) == (0, 900)


CAME = "100|c.1|network|NONE|DID|1002\n"
WAITED = CAME + "101|c.1|network|NONE|ENTERQUEUE||01011112222|1\n"
GONE = "131|c.1|NONE|NONE|GONE|\n"


def test_whoever_was_one_too_many_was_refused_by_the_desk() -> None:
    call = one(CAME + "100|c.1|network|NONE|FULL|01011112222\n" + "104|c.1|NONE|NONE|GONE|\n")

    assert (call.outcome, call.by, call.caller) == (Outcome.REFUSED, Ender.DESK, "01011112222")
    assert (call.queue, call.queued_at, call.ended_at) == ("network", None, 100.0)


@pytest.mark.parametrize(
    ("rows", "outcome", "by", "ended_at"),
    [
        (WAITED + "130|c.1|network|NONE|ABANDON|1|1|29\n" + GONE, Outcome.ABANDONED_IN_QUEUE, Ender.CALLER, 130.0),
        (
            WAITED + "130|c.1|network|kim|RINGCANCELED|900\n130|c.1|network|NONE|ABANDON|1|1|29\n" + GONE,
            Outcome.ABANDONED_RINGING, Ender.CALLER, 130.0,
        ),
        (
            WAITED + "120|c.1|network|kim|RINGNOANSWER|900\n130|c.1|network|NONE|ABANDON|1|1|29\n" + GONE,
            Outcome.ABANDONED_IN_QUEUE, Ender.CALLER, 130.0,
        ),
        (WAITED + "130|c.1|network|NONE|EXITEMPTY|1|1|29\n" + GONE, Outcome.REFUSED, Ender.DESK, 130.0),
        (CAME + GONE, Outcome.ABANDONED_IN_MENU, Ender.CALLER, 131.0),
        (WAITED + "140|NONE|NONE|NONE|QUEUESTART|\n", Outcome.LOST, Ender.DESK, 140.0),
        (
            WAITED + "105|c.1|network|kim|CONNECT|4|x|2\n140|NONE|NONE|NONE|QUEUESTART|\n",
            Outcome.LOST, Ender.DESK, 140.0,
        ),
        (
            WAITED + "105|c.1|network|kim|CONNECT|4|x|2\n125|c.1|network|kim|COMPLETECALLER|4|20|1\n"
            "140|NONE|NONE|NONE|QUEUESTART|\n", Outcome.ANSWERED, Ender.CALLER, 125.0,
        ),
        (
            WAITED + "105|c.1|network|kim|CONNECT|4|x|2\n125|c.1|network|kim|BLINDTRANSFER|1|d|4|20|1\n" + GONE,
            Outcome.ANSWERED, Ender.AGENT, 125.0,
        ),
    ],
    ids=["abandoned", "abandoned-ringing", "abandoned-later", "turned-away", "not-even-queued", "pbx-died-waiting",
         "pbx-died-talking", "pbx-died-after", "transferred"],
)  # fmt: skip
def test_every_end_has_its_one_outcome(rows: str, outcome: Outcome, by: Ender, ended_at: float) -> None:
    told = one(rows)
    assert (told.outcome, told.by, told.ended_at, told.arrived_at) == (outcome, by, ended_at, 100.0)


def test_a_caller_who_was_taken_back_is_ours_to_tell() -> None:
    """Asterisk writes ABANDON when a caller is taken out of a queue; they have abandoned nothing."""
    follows = ShadowHistory()
    taken = "110|c.1|network|NONE|ABANDON|1|1|9\n110|c.1|network|NONE|RETURNED|\n"
    ours = "110|c.1|network|NONE|ENTERQUEUE||01011112222|1\n150|c.1|network|kim|COMPLETECALLER|9|30|1\n"
    assert history(WAITED + taken + ours, follows) == []
    assert follows.unfinished == 0


ALONE = "1795298570|d-1795298561.7|NONE|NONE|HUNGUP|1000|01012345678\n"


def test_whoever_hung_up_while_we_were_away_is_told_with_what_the_pbx_knows() -> None:
    """The ledger knows nearly all of them; who is passed over is its reader's business."""
    assert one(ALONE) == CallServedElsewhere(
        CallId("d-1795298561.7"), "01012345678", "1000", None, Outcome.ABANDONED_IN_MENU, Ender.CALLER,
        arrived_at=1795298561.0, ended_at=1795298570.0,
    )  # fmt: skip


def test_a_channel_whose_id_tells_no_time_came_when_it_went() -> None:
    told = one("150|odd|NONE|NONE|HUNGUP||\n")
    assert (told.arrived_at, told.ended_at, told.caller) == (150.0, 150.0, None)


def test_who_was_taken_back_and_hung_up_before_we_knew_keeps_their_times() -> None:
    taken = "110|c.1|network|NONE|ABANDON|1|1|9\n110|c.1|network|NONE|RETURNED|\n"
    told = one(WAITED + taken + "140|c.1|NONE|NONE|HUNGUP||01011112222\n")
    assert (told.outcome, told.queued_at, told.ended_at, told.dialled) == (
        Outcome.ABANDONED_IN_QUEUE, 101.0, 140.0, "1002",
    )  # fmt: skip


def test_a_caller_whom_we_could_not_take_back_keeps_their_times() -> None:
    taken = "110|c.1|network|NONE|ABANDON|1|1|9\n110|c.1|network|NONE|RETURNED|\n110|c.1|network|NONE|DID|\n"
    again = "110|c.1|network|NONE|ENTERQUEUE||01011112222|1\n120|c.1|network|kim|CONNECT|10|x|2\n"
    told = one(WAITED + taken + again + "130|c.1|network|kim|COMPLETECALLER|10|10|1\n" + GONE)
    assert (told.outcome, told.queued_at, told.answered_at, told.dialled) == (Outcome.ANSWERED, 101.0, 120.0, "1002")


def test_our_own_calls_and_others_queues_are_passed_over() -> None:
    rows = "101|c.9|network|NONE|ENTERQUEUE||0101|1\n105|c.9|network|kim|CONNECT|4|offer-1-c.9|2\n106|c.9|x|y|GONE|\n"
    assert history(rows) == []


def test_a_withheld_number_stays_unknown() -> None:
    assert one(CAME + "101|c.1|network|NONE|ENTERQUEUE||anonymous|1\n" + GONE).caller is None


@pytest.mark.parametrize("line", ["", "x", "12|a|b|c", "now|c|q|a|DID|", "-1|c|q|a|DID|", "9" * 40 + "|c|q|a|DID|"])
def test_what_is_no_row_is_none(line: str) -> None:
    assert parse(line) is None


def test_a_row_has_any_number_of_data_fields() -> None:
    assert parse("7|c|q|a|ATTENDEDTRANSFER|LINK|c1|c2|1|2|3\n") == Row(
        7.0, CallId("c"), "q", "a", "ATTENDEDTRANSFER", ("LINK", "c1", "c2", "1", "2", "3")
    )
