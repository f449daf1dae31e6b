"""The screen pop: everything an agent should know about a caller before saying hello."""

from collections.abc import Callable
from dataclasses import dataclass

from changgu.acd.identity import CallId, Instant
from changgu.screenpop.caller import Identification
from changgu.screenpop.desks import CallAtDesk


@dataclass(frozen=True, slots=True)
class MenuChoice:
    """One step of the caller through the menu."""

    node: str
    key: str | None
    title: str


@dataclass(frozen=True, slots=True)
class TicketLine:
    """A ticket in one line."""

    number: str
    title: str
    state: str
    """As 표 5-1 calls it: 신규, 배정, 반려, 할당, 해결, 종료."""
    kind: str = ""
    grade: str = ""
    opened_at: Instant | None = None
    open: bool = True


@dataclass(frozen=True, slots=True)
class PastCall:
    """An earlier call in one line."""

    call: CallId
    started_at: Instant
    queue: str
    outcome: str
    agent: str | None = None
    talk_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Pop:
    """What the agent's page shows about the caller; plain enough to be JSON."""

    call: CallId
    number: str | None
    """As the network presented it; None when withheld."""
    number_shown: str | None
    """As people here write it."""
    identification: Identification
    dialled: str
    queue: str
    queue_title: str
    menu_path: tuple[MenuChoice, ...]
    waited_seconds: float
    """From entering the queue until this phone rang (still ringing), or until both heard each other."""
    tickets: tuple[TicketLine, ...] = ()
    """The caller's last tickets, newest first."""
    past_calls: tuple[PastCall, ...] = ()
    """The caller's earlier calls, newest first."""
    call_tickets: tuple[TicketLine, ...] = ()
    """Tickets of this very call."""


def waited(call: CallAtDesk) -> float:
    """Seconds from entering the queue to the ring, or, once connected, to the first word."""
    until = call.connected_at if call.connected_at is not None else call.offered_at
    return round(max(0.0, until - call.queued_at), 1)


def build_pop(
    call: CallAtDesk,
    identification: Identification,
    *,
    queue_title: str,
    node_title: Callable[[str], str | None],
    number_shown: str | None,
) -> Pop:
    """The pop at the moment of the offer, before the database has been asked for the history."""
    return Pop(
        call=call.call,
        number=call.caller,
        number_shown=number_shown,
        identification=identification,
        dialled=call.dialled,
        queue=call.queue,
        queue_title=queue_title,
        menu_path=tuple(MenuChoice(step.node, step.key, node_title(step.node) or step.node) for step in call.path),
        waited_seconds=waited(call),
    )
