"""What the ACD asks of the switch. Nobody waits for a command: trouble comes back as an event."""

from datetime import timedelta
from enum import StrEnum
from typing import get_args

from changgu.acd.identity import AgentId, CallId, OfferId, QueueName
from changgu.acd.message import Message
from changgu.acd.queues import Destination


class Farewell(StrEnum):
    """Why the desk ends a call that did not reach an end by itself; the switch plays the matching apology."""

    DESK_CLOSED = "desk_closed"
    NO_SUCH_QUEUE = "no_such_queue"
    QUEUE_FULL = "queue_full"
    NOBODY_HERE = "nobody_here"
    """No agent serves the queue now."""
    WAITED_TOO_LONG = "waited_too_long"
    ERROR = "error"
    NONE = "none"
    """Nothing to say: the conversation is over."""


class PlayMusicOnHold(Message, frozen=True):
    """Let the waiting caller hear the queue's music."""

    call: CallId
    queue: QueueName


class RingAgent(Message, frozen=True):
    """Ring the agent's phone for this call; the leg's channel id is derived from `offer`."""

    agent: AgentId
    call: CallId
    offer: OfferId
    ring_limit: timedelta
    outbound: bool = False
    """This is a call-back, whether or not the person is on the line already."""


class StopRinging(Message, frozen=True):
    """Take the offer back from a phone that has not been picked up."""

    agent: AgentId
    call: CallId
    offer: OfferId
    elsewhere: bool = False
    """Another agent answered: the phone shall not show a missed call (RFC 3326, SIP cause 200)."""


class ConnectCall(Message, frozen=True):
    """Join caller and agent in one bridge; answers with `PartiesConnected` or `ConnectFailed`."""

    agent: AgentId
    call: CallId
    offer: OfferId


class HangUpCaller(Message, frozen=True):
    """End the caller's leg, after the farewell if there is one."""

    call: CallId
    farewell: Farewell


class HangUpAgent(Message, frozen=True):
    """End the agent's leg."""

    agent: AgentId
    call: CallId
    offer: OfferId


class Announce(Message, frozen=True):
    """Tell the waiting caller where they stand, and go back to the music; a connection cuts it short."""

    call: CallId
    queue: QueueName
    position: int | None = None
    """1 is the next to be served; None: not said."""
    promise: float | None = None
    """Seconds within which they will probably be answered; None: not said."""
    comfort: str = ""
    """The comfort message that is said first, as the queue's `Announcements.comfort` has it; empty: none."""


class Divert(Message, frozen=True):
    """Serve a caller who has left the queue by other means; ends with `MenuEnded`, `CallArrived` or `CallerHungUp`.

    `to` is VOICEMAIL, CALLBACK, ANNOUNCE, NUMBER or MENU.
    """

    call: CallId
    queue: QueueName
    to: Destination


class DialPerson(Message, frozen=True):
    """Call somebody back; the channel's id is `call`. Answers with `PersonReached` or `DialFailed`."""

    call: CallId
    number: str
    queue: QueueName
    ring_limit: timedelta
    language: str = ""
    """In which they are spoken to; empty: in the desk's own."""


Command = (
    PlayMusicOnHold | RingAgent | StopRinging | ConnectCall | HangUpCaller | HangUpAgent
    | Announce | Divert | DialPerson
)  # fmt: skip

COMMANDS: tuple[type, ...] = get_args(Command)
