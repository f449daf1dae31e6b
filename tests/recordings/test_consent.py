"""When a conversation is recorded, and when it must not be."""

from collections.abc import Mapping

from changgu.acd.facts import CallConnected, CallQueued, CallStarted, Direction, Fact, MenuStepTaken
from changgu.acd.identity import AgentId, CallId, OfferId, QueueName
from changgu.recordings.consent import Decision, Visit, advance, decide

CALL, NETWORK = CallId("c1"), QueueName("network")
STARTED = CallStarted(CALL, Direction.INBOUND, "010", "1000")
QUEUED = CallQueued(CALL, NETWORK, 0)
YES, NO = {NETWORK: True}, {NETWORK: False}


def step(node: str) -> Fact:
    return MenuStepTaken(CALL, node, None)


def decided(*story: Fact, policy: Mapping[QueueName, bool] = YES) -> Decision:
    visit: Visit | None = None
    for fact in story:
        visit = advance(visit, fact, policy, frozenset({"greeting"}))
    assert visit is not None
    return decide(visit)


def test_a_caller_who_heard_the_notice_is_recorded_if_the_queue_wants_it() -> None:
    story = (STARTED, step("greeting"), step("services"), QUEUED)
    assert decided(*story) is Decision.RECORD
    assert decided(*story, policy=NO) is Decision.NOT_WANTED
    assert decided(*story, policy={}) is Decision.NOT_WANTED


def test_a_menu_without_the_notice_means_no_recording() -> None:
    assert decided(STARTED, step("services"), QUEUED) is Decision.NO_NOTICE


def test_the_notice_counts_once_the_menu_has_gone_on_from_it() -> None:
    visit = advance(None, STARTED, YES, frozenset({"greeting"}))
    visit = advance(visit, step("greeting"), YES, frozenset({"greeting"}))
    assert visit is not None
    assert not visit.notice_heard
    assert decided(STARTED, step("greeting"), QUEUED) is Decision.RECORD


def test_a_queue_dialled_directly_says_the_notice_before_the_caller_is_queued() -> None:
    assert decided(STARTED, QUEUED) is Decision.RECORD


def test_switching_recording_off_during_a_call_changes_the_next_call_only() -> None:
    notice = frozenset({"greeting"})
    visit = advance(None, STARTED, YES, notice)
    visit = advance(visit, QUEUED, NO, notice)
    visit = advance(visit, CallConnected(CALL, AgentId("alice"), OfferId(1)), NO, notice)
    assert visit is not None
    assert decide(visit) is Decision.RECORD


def test_a_call_whose_beginning_is_unknown_is_nobodys() -> None:
    assert advance(None, QUEUED, YES, frozenset()) is None
