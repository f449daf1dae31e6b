"""The lines of the wallboard as its messages carry them."""

from typing import TypedDict


class Figures(TypedDict):
    """Today's offered calls. Rates are fractions or null, durations seconds."""

    offered: int
    answered: int
    abandoned: int
    short_abandoned: int
    refused: int
    voicemail: int
    to_callback: int
    redirected: int
    served_by_menu: int
    lost: int
    refused_by: dict[str, int]
    """Refusals by reason; they add up to `refused`."""
    overflowed: dict[str, int]
    """How often callers were led another way, or opened to others, by reason."""
    abandonment_rate: float | None
    answer_rate: float | None
    service_level: float | None
    asa: float | None
    longest_waited: float | None
    promises_kept: int
    promises_missed: int
    promise_coverage: float | None


class CallbackFigures(TypedDict):
    """Promises to call back: those open now, and what became of today's."""

    callbacks_open: int
    callbacks_booked: int
    callbacks_kept: int
    callbacks_given_up: int
    callbacks_withdrawn: int
    callback_attempts: int
    callback_time: float | None


class Now(TypedDict):
    """Who waits at this moment. Times are ISO-8601 in UTC."""

    waiting: int
    longest_wait_since: str | None
    longest_expected_wait: float | None
    diverted: int


class QueueRow(Figures, CallbackFigures, Now):
    """One queue on the board."""

    title: str
    ringing: int
    moved: int
    service_level_seconds: float
    agents_ready: int
    agents_signed_in: int


class AgentRow(TypedDict):
    """One agent on the board."""

    name: str
    state: str
    reason: str | None
    since: str | None
    by: str | None
    """Who put them into this state, when it was not themselves."""
    why: str
    """The words of whoever did."""
    overdue: bool
    """Away for longer than the floor allows for this reason."""
    wrap_up_until: str | None
    """When the wrap-up ends, if they were given longer."""
    desktop: bool | None
    """Whether their desktop is open; null when nothing was heard of it."""
    next_state: str | None
    next_reason: str | None
    phone: bool | None
    call: str | None
    call_queue: str | None
    queues: list[str]
    handled: int
    aht: float | None


class Alert(TypedDict):
    """Something somebody should look at."""

    at: str
    kind: str
    """`reason_limit`, `repaired` or `desk_full`."""
    what: str
    """The reason for which somebody is away, or what was repaired."""
    agent: str | None
    call: str | None


class EmergencyRow(TypedDict):
    """The emergency plan that is on."""

    plan: str
    title: str
    by: str
    """Login of who turned it on."""
    why: str
    since: str
    until: str | None
    """When it ends by itself."""


class Totals(Figures, CallbackFigures, Now):
    """The whole desk: every call once, however many queues it was in."""

    day: str
    agents: int
    signed_in: int
    states: dict[str, int]
    reasons: dict[str, int]
    in_menu: int
    in_call: int
    abandoned_in_menu: int
    lost_in_menu: int
    self_served: int
    aht: float | None
    overdue: int
    repaired: int
    emergency: EmergencyRow | None
    alerts: list[Alert]
    """The newest of today, newest first."""


class Snapshot(TypedDict):
    """Everything the board shows."""

    queues: dict[str, QueueRow]
    agents: dict[str, AgentRow]
    totals: Totals
