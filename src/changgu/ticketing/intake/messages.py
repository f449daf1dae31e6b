"""A voice mail or a fax that became a ticket: what is kept of it, and when it counts as unanswered."""

from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from changgu.acd.identity import CallId
from changgu.ivr_flows.opening_hours import Calendar
from changgu.ticketing.number import TicketNumber
from changgu.ticketing.ticket import Channel, TicketState

LONGEST_TRANSCRIPT = 20_000
"""Characters."""


class MessageKind(StrEnum):
    """How the message came."""

    VOICEMAIL = "voicemail"
    FAX = "fax"


KIND_NAMES = {MessageKind.VOICEMAIL: ("음성메일", "voice mail"), MessageKind.FAX: ("팩스", "fax")}
CHANNELS = {MessageKind.VOICEMAIL: Channel.VOICEMAIL, MessageKind.FAX: Channel.FAX}


class Answer(StrEnum):
    """What counts as the reply to a message (CTI-18)."""

    CALLED_BACK = "called_back"
    """A call back that reached the requester is recorded on the ticket."""
    RESOLVED = "resolved"
    """The ticket is resolved, or closed."""
    DISMISSED = "dismissed"
    """Somebody said that it needs no reply, and why."""


ANSWER_NAMES = {
    Answer.CALLED_BACK: ("콜백함", "called back"),
    Answer.RESOLVED: ("해결됨", "resolved"),
    Answer.DISMISSED: ("답할 필요 없음", "needs no reply"),
}


class Answered(Struct, frozen=True):
    """That a message has been replied to."""

    how: Answer
    at: datetime
    by: str


class Waiting(Struct, frozen=True):
    """The limit on the time without a reply."""

    limit: timedelta
    """From the message to the alert, of the time in which the desk is open."""
    hours: Callable[[], Calendar | None] = lambda: None
    """When that is, as things stand; None: day and night."""

    def alert_at(self, left_at: datetime) -> datetime:
        """When the alert is due, unless somebody replies before. A desk that does not open counts day and night."""
        calendar = self.hours()
        due = calendar.open_for(left_at, self.limit) if calendar is not None else None
        return due or left_at + self.limit


class TicketMessage(Struct, frozen=True):
    """One message and the ticket that it is attached to."""

    id: int
    ticket: TicketNumber
    state: TicketState
    title: str
    kind: MessageKind
    call: CallId
    queue: str | None
    caller: str
    """The number that the network presented, as people read it; '' when withheld."""
    requester: str
    at: datetime
    seconds: float | None = None
    pages: int | None = None
    recording: int | None = None
    """Id of the recording with the caller's voice: kept, heard and destroyed like any recording."""
    file: str | None = None
    """Below the folder of attachments."""
    bytes: int | None = None
    transcript: str = ""
    transcript_confidence: float | None = None
    """How sure the machine is of its words, 0 to 1; None until it has listened."""
    alerted_at: datetime | None = None
    """When the desk was told that nobody had replied."""
    answered: Answered | None = None

    @property
    def is_late(self) -> bool:
        """Whether the desk was told, and still nobody has replied."""
        return self.alerted_at is not None and self.answered is None


class MessageTicket(Struct, frozen=True):
    """What became of a message."""

    ticket: TicketNumber
    message: int
    is_new: bool
    """False when it had been told before."""


def message_title(kind: MessageKind, queue_title: str, caller: str) -> str:
    """The title of a ticket that a message opened."""
    whose = f" ({caller})" if caller else ""
    return f"{queue_title} {KIND_NAMES[kind][0]}{whose}".strip()[:200]


def description(kind: MessageKind, transcript: str, *, pages: int | None = None, complete: bool = True) -> str:
    """What a ticket says that a message opened: the words, marked as a machine's."""
    if kind is MessageKind.FAX:
        said = f"팩스 {pages}쪽" if pages else "팩스"
        return said if complete else f"{said}. 수신 중에 끊겨 뒤의 쪽이 없을 수 있습니다."
    return f"음성메일 받아쓰기(자동):\n{transcript}" if transcript else ""
