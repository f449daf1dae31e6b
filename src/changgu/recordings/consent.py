"""Whether a conversation is recorded: the queue wants it, and the caller was told before it began (CTI-09).

Recording begins when caller and agent hear each other, never earlier, and only if the caller has heard the notice
of recording to its end: in the menu, or in the short greeting of a queue that was dialled directly. The queue's
policy is the one that stood when the call came in; switching it during a call changes the next call.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from changgu.acd.facts import CallConnected, CallQueued, CallStarted, Fact, MenuStepTaken
from changgu.acd.identity import AgentId, QueueName


class Decision(StrEnum):
    """What becomes of a conversation."""

    RECORD = "record"
    NOT_WANTED = "not_wanted"
    """The queue's policy is not to record."""
    NO_NOTICE = "no_notice"
    """The queue wants it, but the caller has not heard the notice: not recorded, and said so on the call's page."""


@dataclass(frozen=True, slots=True)
class Visit:
    """What matters of a call for recording it."""

    policy: Mapping[QueueName, bool] = field(default_factory=dict)
    """Which queues recorded when the call came in."""
    caller: str | None = None
    queue: QueueName | None = None
    agent: AgentId | None = None
    """The first agent whom the caller heard."""
    hearing_notice: bool = False
    """The menu is at a node that says the notice; it counts once the menu has gone on from there."""
    steps: int = 0
    notice_heard: bool = False


HEARD = (CallStarted, MenuStepTaken, CallQueued, CallConnected)
"""The facts that say something about it."""


def advance(
    visit: Visit | None, fact: Fact, policy: Mapping[QueueName, bool], notice_nodes: frozenset[str]
) -> Visit | None:
    """The visit after one more fact about it; None for a call whose beginning is unknown.

    `notice_nodes` are the nodes of the menu that say the notice to its end, whatever is pressed.
    """
    match fact:
        case CallStarted(caller=caller):
            return Visit(policy, caller)
        case _ if visit is None:
            return None
        case MenuStepTaken(node=node):
            heard = visit.notice_heard or visit.hearing_notice
            return replace(visit, steps=visit.steps + 1, hearing_notice=node in notice_nodes, notice_heard=heard)
        case CallQueued(queue=queue):
            directly = visit.steps == 0
            heard = visit.notice_heard or visit.hearing_notice or directly
            return replace(visit, queue=queue, hearing_notice=False, notice_heard=heard)
        case CallConnected(agent=agent):
            return replace(visit, agent=visit.agent or agent)
        case _:
            return visit


def decide(visit: Visit) -> Decision:
    """Whether this visit's conversation is recorded."""
    if visit.queue is None or not visit.policy.get(visit.queue, False):
        return Decision.NOT_WANTED
    return Decision.RECORD if visit.notice_heard else Decision.NO_NOTICE
