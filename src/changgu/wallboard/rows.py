"""The lines of the wallboard as its messages carry them."""

from typing import TypedDict


class QueueRow(TypedDict):
    """One queue on the board. Times are ISO-8601 in UTC; rates are fractions or null."""

    title: str
    waiting: int
    ringing: int
    longest_wait_since: str | None
    offered: int
    answered: int
    abandoned: int
    short_abandoned: int
    refused: int
    lost: int
    moved: int
    abandonment_rate: float | None
    answer_rate: float | None
    service_level: float | None
    service_level_seconds: float
    asa: float | None
    longest_waited: float | None
    agents_ready: int
    agents_signed_in: int


class AgentRow(TypedDict):
    """One agent on the board."""

    name: str
    state: str
    reason: str | None
    since: str | None
    next_state: str | None
    next_reason: str | None
    phone: bool | None
    call: str | None
    call_queue: str | None
    queues: list[str]
    handled: int
    aht: float | None


class Totals(TypedDict):
    """The whole desk."""

    day: str
    agents: int
    signed_in: int
    states: dict[str, int]
    reasons: dict[str, int]
    waiting: int
    longest_wait_since: str | None
    in_menu: int
    in_call: int
    offered: int
    answered: int
    abandoned: int
    short_abandoned: int
    refused: int
    lost: int
    moved: int
    abandoned_in_menu: int
    lost_in_menu: int
    self_served: int
    abandonment_rate: float | None
    answer_rate: float | None
    service_level: float | None
    asa: float | None
    aht: float | None


class Snapshot(TypedDict):
    """Everything the board shows."""

    queues: dict[str, QueueRow]
    agents: dict[str, AgentRow]
    totals: Totals
