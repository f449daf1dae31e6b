"""What the ACD asks of the switch. Nobody waits for a command: trouble comes back as an event."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import get_args

from changgu.acd.identity import AgentId, CallId, OfferId, QueueName


class Farewell(StrEnum):
    """Why the desk ends a call that did not reach an end by itself; the switch plays the matching apology."""

    DESK_CLOSED = "desk_closed"
    NO_SUCH_QUEUE = "no_such_queue"
    ERROR = "error"
    NONE = "none"
    """Nothing to say: the conversation is over."""


@dataclass(frozen=True, slots=True)
class PlayMusicOnHold:
    """Let the waiting caller hear the queue's music."""

    call: CallId
    queue: QueueName


@dataclass(frozen=True, slots=True)
class RingAgent:
    """Ring the agent's phone for this call; the leg's channel id is derived from `offer`."""

    agent: AgentId
    call: CallId
    offer: OfferId
    ring_limit: timedelta


@dataclass(frozen=True, slots=True)
class StopRinging:
    """Take the offer back from a phone that has not been picked up."""

    agent: AgentId
    call: CallId
    offer: OfferId


@dataclass(frozen=True, slots=True)
class ConnectCall:
    """Join caller and agent in one bridge; answers with `PartiesConnected` or `ConnectFailed`."""

    agent: AgentId
    call: CallId
    offer: OfferId


@dataclass(frozen=True, slots=True)
class HangUpCaller:
    """End the caller's leg, after the farewell if there is one."""

    call: CallId
    farewell: Farewell


@dataclass(frozen=True, slots=True)
class HangUpAgent:
    """End the agent's leg."""

    agent: AgentId
    call: CallId
    offer: OfferId


Command = PlayMusicOnHold | RingAgent | StopRinging | ConnectCall | HangUpCaller | HangUpAgent

COMMANDS: tuple[type, ...] = get_args(Command)
