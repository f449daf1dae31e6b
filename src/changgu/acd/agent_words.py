"""The words for what an agent is doing, in the floor's own language."""

from enum import StrEnum


class AgentState(StrEnum):
    """States of an agent (ENUM-09)."""

    READY = "ready"
    RESERVED = "reserved"
    TALKING = "talking"
    HOLD = "hold"
    WRAP_UP = "wrap_up"
    NOT_READY = "not_ready"
    UNREACHABLE = "unreachable"
    LOGGED_OUT = "logged_out"


class NotReadyReason(StrEnum):
    """Why an agent takes no calls; the first five are chosen by people."""

    MAINTENANCE = "maintenance"
    BREAK = "break"
    MEAL = "meal"
    TRAINING = "training"
    AWAY = "away"
    SIGNED_IN = "signed_in"
    """Just took their seat."""
    NO_ANSWER = "no_answer"
    """Let the phone ring too often (RONA)."""
    DESKTOP_GONE = "desktop_gone"
    """Their desktop has not been heard of for longer than the floor allows."""


CHOSEN_REASONS = frozenset(NotReadyReason) - {
    NotReadyReason.SIGNED_IN, NotReadyReason.NO_ANSWER, NotReadyReason.DESKTOP_GONE,
}  # fmt: skip
"""The reasons a person may give; the others are the ACD's own findings."""

AGENT_STATE_KO = {
    AgentState.READY: "대기",
    AgentState.RESERVED: "호출",
    AgentState.TALKING: "통화",
    AgentState.HOLD: "보류",
    AgentState.WRAP_UP: "후처리",
    AgentState.NOT_READY: "이석",
    AgentState.UNREACHABLE: "연결불가",
    AgentState.LOGGED_OUT: "로그아웃",
}
