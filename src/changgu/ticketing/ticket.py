"""A ticket: what was asked, by whom, who has it, and everything that was done about it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from changgu.acd.identity import CallId
from changgu.ticketing.number import TicketNumber
from changgu.ticketing.priority import Level, Priority, priority


class TicketState(StrEnum):
    """처리상태 (표 5-1, ENUM-01)."""

    NEW = "new"
    ASSIGNED = "assigned"
    REJECTED = "rejected"
    ALLOCATED = "allocated"
    RESOLVED = "resolved"
    CLOSED = "closed"


STATE_NAMES = {
    TicketState.NEW: ("신규", "new"),
    TicketState.ASSIGNED: ("배정", "assigned to a group"),
    TicketState.REJECTED: ("반려", "rejected by the group"),
    TicketState.ALLOCATED: ("할당", "allocated to a person"),
    TicketState.RESOLVED: ("해결", "resolved"),
    TicketState.CLOSED: ("종료", "closed"),
}


class StateCategory(StrEnum):
    """What a state means to a clock or a report, whatever it is called."""

    OPEN = "open"
    """The desk has to act."""
    WORKING = "working"
    """A group has it."""
    SOLVED = "solved"
    CLOSED = "closed"


CATEGORY = {
    TicketState.NEW: StateCategory.OPEN,
    TicketState.REJECTED: StateCategory.OPEN,
    TicketState.ASSIGNED: StateCategory.WORKING,
    TicketState.ALLOCATED: StateCategory.WORKING,
    TicketState.RESOLVED: StateCategory.SOLVED,
    TicketState.CLOSED: StateCategory.CLOSED,
}


def is_settled(state: TicketState) -> bool:
    """Resolved or closed."""
    return CATEGORY[state] in (StateCategory.SOLVED, StateCategory.CLOSED)


class Kind(StrEnum):
    """접수 건 판별 (ENUM-04)."""

    INQUIRY = "inquiry"
    INCIDENT = "incident"
    SERVICE_REQUEST = "service_request"
    COMPLAINT = "complaint"


KIND_NAMES = {
    Kind.INQUIRY: ("단순 문의", "inquiry"),
    Kind.INCIDENT: ("장애", "incident"),
    Kind.SERVICE_REQUEST: ("서비스 요청", "service request"),
    Kind.COMPLAINT: ("불만", "complaint"),
}


class Channel(StrEnum):
    """접수 채널 (ENUM-07)."""

    PHONE = "phone"
    EMAIL = "email"
    WEB = "web"
    FAX = "fax"
    VOICEMAIL = "voicemail"
    VISIT = "visit"
    BOARD = "board"
    PORTAL = "portal"
    CHAT = "chat"
    WORKFLOW = "workflow"
    MONITORING = "monitoring"


CHANNEL_NAMES = {
    Channel.PHONE: ("전화", "telephone"),
    Channel.EMAIL: ("이메일", "e-mail"),
    Channel.WEB: ("인터넷/홈페이지", "web site"),
    Channel.FAX: ("Fax", "fax"),
    Channel.VOICEMAIL: ("음성메일", "voicemail"),
    Channel.VISIT: ("직접방문", "visit"),
    Channel.BOARD: ("게시판", "notice board"),
    Channel.PORTAL: ("셀프서비스 포털", "self-service portal"),
    Channel.CHAT: ("채팅/메신저", "chat"),
    Channel.WORKFLOW: ("워크플로 연동", "workflow"),
    Channel.MONITORING: ("모니터링 이벤트", "monitoring"),
}


class Satisfaction(StrEnum):
    """사용자 만족도 등급 (표 5-2, ENUM-02). `NO_ANSWER` is kept as NULL and never enters a mean (SAT-03)."""

    VERY_SATISFIED = "very_satisfied"
    SATISFIED = "satisfied"
    NEUTRAL = "neutral"
    DISSATISFIED = "dissatisfied"
    VERY_DISSATISFIED = "very_dissatisfied"
    NO_ANSWER = "no_answer"

    @property
    def score(self) -> int | None:
        """5 to 1; None for 무응답."""
        return None if self is Satisfaction.NO_ANSWER else 5 - list(Satisfaction).index(self)

    @property
    def is_complaint(self) -> bool:
        """불만족 and 매우 불만족 start the handling of a complaint (SAT-04, WF-3)."""
        return self in {Satisfaction.DISSATISFIED, Satisfaction.VERY_DISSATISFIED}


SATISFACTION_NAMES = {
    Satisfaction.VERY_SATISFIED: ("매우 만족", "very satisfied"),
    Satisfaction.SATISFIED: ("만족", "satisfied"),
    Satisfaction.NEUTRAL: ("보통", "neutral"),
    Satisfaction.DISSATISFIED: ("불만족", "dissatisfied"),
    Satisfaction.VERY_DISSATISFIED: ("매우 불만족", "very dissatisfied"),
    Satisfaction.NO_ANSWER: ("무응답", "no answer"),
}


class CallRole(StrEnum):
    """What a call was to a ticket."""

    CREATED = "created"
    FOLLOWED_UP = "followed_up"
    CALLBACK = "callback"
    SURVEY = "survey"
    COMPLAINT = "complaint"


CALL_ROLE_NAMES = {
    CallRole.CREATED: ("접수", "opened it"),
    CallRole.FOLLOWED_UP: ("추가 통화", "followed up"),
    CallRole.CALLBACK: ("콜백", "call back"),
    CallRole.SURVEY: ("만족도 조사", "survey"),
    CallRole.COMPLAINT: ("불만", "complaint"),
}


@dataclass(frozen=True, slots=True)
class Ticket:
    """One ticket as it stands."""

    number: TicketNumber
    state: TicketState
    title: str
    opened_at: datetime
    owner: str | None
    """The desk agent who answers for it until 종료, whoever works on it (INC-13)."""
    kind: Kind | None = None
    """None only on a ticket that opened by itself, until somebody first saves it (INC-04)."""
    grade: str | None = None
    """장애등급, a code of the desk's own list."""
    description: str = ""
    channel: Channel = Channel.PHONE
    person: int | None = None
    """`directory.PersonId` of the requester."""
    requester: str = ""
    department: str = ""
    contact: str = ""
    queue: str | None = None
    impact: Level | None = None
    urgency: Level | None = None
    configuration_item: str = ""
    group: str | None = None
    support_line: int = 1
    assignee: str | None = None
    expected_at: datetime | None = None
    """예상 완료시간, as told to the caller (INC-10)."""
    type_code: str | None = None
    cause_code: str | None = None
    resolution_code: str | None = None
    change_required: bool | None = None
    """요구변경 Y/N (ENUM-05)."""
    occurred_at: datetime | None = None
    follows: TicketNumber | None = None
    """The closed ticket that this one takes up again."""
    updated_at: datetime | None = None

    @property
    def priority(self) -> Priority | None:
        """From impact and urgency."""
        return priority(self.impact, self.urgency)

    @property
    def is_open(self) -> bool:
        """Whether anything is still to be done, the closing call back included."""
        return self.state is not TicketState.CLOSED

    @property
    def lacks_expected_time(self) -> bool:
        """A group has it and nobody told the caller when it will be done (INC-10)."""
        return CATEGORY[self.state] is StateCategory.WORKING and self.expected_at is None

    @property
    def is_unclassified(self) -> bool:
        """Opened by itself and not yet looked at."""
        return self.kind is None


@dataclass(frozen=True, slots=True)
class Transition:
    """One move, kept for ever; clocks are read from these only (INC-05)."""

    at: datetime
    actor: str
    via: str
    before: TicketState | None
    """None: the ticket was opened."""
    after: TicketState
    reason: str = ""
    group: str | None = None
    assignee: str | None = None
    expected_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field that somebody changed."""

    at: datetime
    actor: str
    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class ActionTaken:
    """A row of 조치 내역 (FORM-1, FORM-2)."""

    at: datetime
    actor: str
    text: str
    minutes: int


@dataclass(frozen=True, slots=True)
class CallbackMade:
    """Somebody called the requester back."""

    at: datetime
    actor: str
    reached: bool
    note: str
    call: CallId | None


@dataclass(frozen=True, slots=True)
class Survey:
    """The requester's grade, who wrote it down and how it was asked (SAT-01)."""

    at: datetime
    actor: str
    via: str
    grade: Satisfaction


@dataclass(frozen=True, slots=True)
class LinkedCall:
    """A call that has to do with the ticket."""

    call: CallId
    role: CallRole
    at: datetime
    agent: str | None


@dataclass(frozen=True, slots=True)
class TicketFile:
    """A ticket with its whole history, each list in the order of time."""

    ticket: Ticket
    transitions: Sequence[Transition] = ()
    changes: Sequence[FieldChange] = ()
    actions: Sequence[ActionTaken] = ()
    callbacks: Sequence[CallbackMade] = ()
    calls: Sequence[LinkedCall] = ()
    survey: Survey | None = None
    followed_by: Sequence[TicketNumber] = ()
    """Tickets that take this one up again, and the complaint that a low grade opened."""

    @property
    def minutes(self) -> int:
        """소요시간 합계 (FRM-02)."""
        return sum(action.minutes for action in self.actions)

    @property
    def resolved_at(self) -> datetime | None:
        """When it was last resolved, None while it is not."""
        if not is_settled(self.ticket.state):
            return None
        return next((move.at for move in reversed(self.transitions) if move.after is TicketState.RESOLVED), None)

    @property
    def called_back(self) -> bool:
        """Whether the requester was called since it was last resolved."""
        resolved_at = self.resolved_at
        return resolved_at is not None and any(callback.at >= resolved_at for callback in self.callbacks)


@dataclass(frozen=True, slots=True)
class TicketStatus:
    """What a caller hears who keys a ticket number."""

    number: TicketNumber
    state: TicketState
    state_ko: str
    state_en: str
    support_line: int
    expected_at: datetime | None


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A call answered in a queue that asks whether there shall be a ticket."""

    call: CallId
    agent: str
    queue: str
    at: datetime
    contact: str
    person: int | None
    requester: str
    department: str
