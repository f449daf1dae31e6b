"""AMI: what ARI lacks. Device states, the queue log, recordings and the shadow queues.

One connection, kept up for as long as the service runs. panoramisk logs in, pings and reads lists; connecting again is
ours, because an action that was lost with its connection must not be repeated by itself, and so are plain actions: each
call needs several, and panoramisk takes longer for one than the engine for the call. No value may contain a line
break: it would begin a header, or an action, of its own.
"""

import asyncio
import itertools
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from panoramisk.ami_protocol import AMIProtocol
from panoramisk.manager import Manager

logger = logging.getLogger(__name__)

FIRST_RETRY = 0.2
LONGEST_RETRY = 2.0
LOGIN_LIMIT = 5.0
DEADLINE = 5.0
"""Seconds for an action that does not say otherwise."""

CLASS_OF_EVENT = {"CEL": "call"}
"""Privilege classes of the events that are not of class `system`; a class that nobody listens to is not asked for."""

END_OF_BLOCK = b"\r\n\r\n"
ANSWER = b"Response: "
NAME_OF_ANSWER = b"\r\nActionID: "

Message = Mapping[str, str]


class AmiTrouble(OSError):
    """An action that did not succeed.

    AmiTrouble
    ├── AmiAway       not connected, or the line dropped before the reply
    ├── AmiLate       no reply within the deadline
    └── AmiRefused    Asterisk replied with an error
    """


class AmiAway(AmiTrouble):
    """Asterisk is not connected."""


class AmiLate(AmiTrouble):
    """No reply within the deadline."""


class AmiRefused(AmiTrouble):
    """Asterisk replied with an error; the message is Asterisk's."""


@dataclass(frozen=True, slots=True)
class AmiAddress:
    """Where AMI listens, and who we are to it."""

    host: str
    port: int
    user: str
    password: str


Outcome = Message | AmiTrouble | ValueError
"""Of one action: the headers of its response, or why there are none."""


class _Batch:
    """Actions that were sent together; Asterisk answers them in their order."""

    def __init__(self, name: str, count: int) -> None:
        self._name = name
        self.outcomes: list[Outcome | None] = [None] * count
        self.open = 0
        """Answers still to come."""
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def answer(self, place: int, block: bytes) -> None:
        headers = _headers_of(block)
        said = headers.get("Response", "")
        good = said in ("Success", "Goodbye")
        self.outcomes[place] = headers if good else AmiRefused(f"{self._name}: {headers.get('Message') or said}")
        self.open -= 1
        if self.open == 0 and not self.over.done():
            self.over.set_result(None)

    def give_up(self, trouble: AmiTrouble) -> None:
        if not self.over.done():
            self.outcomes = [trouble if outcome is None else outcome for outcome in self.outcomes]
            self.over.set_result(None)


class _Protocol(AMIProtocol):  # type: ignore[misc]  # panoramisk carries no types
    """Passes on, unread, answers to `Ami.actions` and blocks of events that somebody wants as they came.

    panoramisk gets all others.

    A busy floor has hundreds of channel events a second. To read one takes panoramisk longer than to route a call.
    """

    def __init__(self, hearers: Mapping[bytes, Callable[[bytes], None]]) -> None:
        self._hearers = hearers
        self._begun = b""
        self.open: dict[bytes, tuple[_Batch, int]] = {}
        """Actions without an answer yet: ActionID → batch, and place in it."""

    def data_received(self, data: bytes) -> None:
        """Blocks end with an empty line; the last one may have only begun."""
        *blocks, self._begun = (self._begun + data).split(END_OF_BLOCK)
        others = []
        for block in blocks:
            hear = self._hearers.get(block[: block.find(b"\r\n")])
            if hear is not None:
                hear(block)
            elif not self._answers(block):
                others.append(block)
        if others:
            super().data_received(END_OF_BLOCK.join([*others, b""]))

    def _answers(self, block: bytes) -> bool:
        if not self.open or not block.startswith(ANSWER):
            return False
        begin = block.find(NAME_OF_ANSWER) + len(NAME_OF_ANSWER)
        end = block.find(b"\r\n", begin)
        asked = self.open.pop(block[begin : end if end >= 0 else len(block)], None)
        if asked is None:
            return False
        batch, place = asked
        batch.answer(place, block)
        return True


class _Connection(Manager):  # type: ignore[misc]  # panoramisk carries no types
    """One connection that is not set up again by itself."""

    def __init__(
        self, address: AmiAddress, classes: str, raw_hearers: Mapping[bytes, Callable[[bytes], None]]
    ) -> None:
        loop = asyncio.get_running_loop()
        self.lost: asyncio.Future[None] = loop.create_future()
        self.ready: asyncio.Future[bool] = loop.create_future()
        super().__init__(
            host=address.host, port=address.port, username=address.user, secret=address.password,
            events=classes, loop=loop, ping_delay=5, ping_interval=5, log=logger,
            protocol_factory=partial(_Protocol, raw_hearers),
        )  # fmt: skip
        self.hearers: dict[str, list[Callable[[Any, Any], None]]] = {}
        """By the name of the event: panoramisk holds every event against a regular expression for each listener."""

    def connection_made(self, f: "asyncio.Task[Any]") -> None:
        if f.cancelled() or f.exception() is not None:
            self.connection_lost(None)
            return
        super().connection_made(f)

    def login(self, future: "asyncio.Future[Any]") -> bool:
        if future.cancelled() or future.exception() is not None:
            return False
        accepted = bool(super().login(future))
        if not self.ready.done():
            self.ready.set_result(accepted)
        return accepted

    def dispatch(self, event: Any) -> list[str]:
        name = event["event"]
        hearers = self.hearers.get(name)
        if hearers is None:
            return list(super().dispatch(event))
        for hear in hearers:
            hear(self, event)
        return [name]

    def connection_lost(self, exc: object) -> None:
        self.close()
        if not self.lost.done():
            self.lost.set_result(None)

    def close(self) -> None:
        super().close()
        if self.protocol is not None:
            asked = {batch for batch, _ in self.protocol.open.values()}
            self.protocol.open.clear()
            for batch in asked:
                batch.give_up(AmiAway("the line dropped before the reply"))

    async def send_awaiting_actions(self, *_: object) -> None:
        self.awaiting_actions.clear()


class Ami:
    """`run` must be running. `listen` before it; `on_connected` is called each time the line came up."""

    def __init__(self, address: AmiAddress) -> None:
        self._address = address
        self._connection: _Connection | None = None
        self._up = asyncio.Event()
        self._listeners: list[tuple[str, Callable[[Message], None]]] = []
        self._raw_listeners: dict[str, Callable[[bytes], None]] = {}
        self._connected_listeners: list[Callable[[], None]] = []
        self._numbers = itertools.count(1)

    @property
    def connected(self) -> bool:
        """Whether actions can be sent."""
        return self._up.is_set()

    def listen(self, event: str, hear: Callable[[Message], None]) -> None:
        """Call `hear` with the headers of every such event, such as `ContactStatus`."""
        self._listeners.append((event, hear))

    def listen_raw(self, event: str, hear: Callable[[bytes], None]) -> None:
        """Call `hear` with the block of every such event as it came, unread; no other listener hears it."""
        self._raw_listeners[event] = hear

    def on_connected(self, tell: Callable[[], None]) -> None:
        """Call `tell` each time the line came up; events were missed until then."""
        self._connected_listeners.append(tell)

    async def wait_connected(self, limit: float = DEADLINE) -> None:
        """Return once the line is up; AmiAway when it does not come up within `limit` seconds."""
        if self._up.is_set():
            return
        try:
            async with asyncio.timeout(limit):
                await self._up.wait()
        except TimeoutError:
            raise AmiAway("not connected to Asterisk's AMI") from None

    async def run(self) -> None:
        """Connect, listen, connect again; until cancelled."""
        pause = FIRST_RETRY
        while True:
            events = [*(event for event, _ in self._listeners), *self._raw_listeners]
            classes = {"system", *(CLASS_OF_EVENT.get(event, "system") for event in events)}
            raw = {f"Event: {event}".encode(): _guarded(event, hear) for event, hear in self._raw_listeners.items()}
            connection = _Connection(self._address, ",".join(sorted(classes)), raw)
            try:
                for event, hear in self._listeners:
                    connection.hearers.setdefault(event, []).append(_plainly(hear))
                if await self._set_up(connection):
                    pause = FIRST_RETRY
                    self._connection = connection
                    self._up.set()
                    logger.info("connected to Asterisk's AMI at %s:%d", self._address.host, self._address.port)
                    for tell in self._connected_listeners:
                        tell()
                    await connection.lost
                    logger.warning("the AMI connection is lost")
            finally:
                self._up.clear()
                self._connection = None
                connection.close()
            await asyncio.sleep(pause)
            pause = min(LONGEST_RETRY, pause * 2)

    async def _set_up(self, connection: _Connection) -> bool:
        try:
            async with asyncio.timeout(LOGIN_LIMIT):
                await connection.connect()
                await asyncio.wait((connection.ready, connection.lost), return_when=asyncio.FIRST_COMPLETED)
        except (OSError, TimeoutError) as trouble:
            logger.debug("no AMI connection to %s:%d (%s)", self._address.host, self._address.port, trouble)
            return False
        if connection.lost.done() or not connection.ready.result():
            logger.warning("Asterisk's AMI did not accept the user %s", self._address.user)
            return False
        return True

    # ---- actions ---------------------------------------------------------------------------------------------------

    async def action(self, name: str, *, deadline: float = DEADLINE, **headers: str) -> Message:
        """Send one action and return the headers of its response; raises `AmiTrouble`, ValueError for a line break."""
        (outcome,) = await self.actions(name, [headers], deadline=deadline)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def actions(
        self, name: str, many: Sequence[Mapping[str, str]], *, deadline: float = DEADLINE
    ) -> list[Outcome]:
        """Send actions of one kind in one write and return what became of each; AmiAway when nothing was sent."""
        connection = self._line()
        batch = _Batch(name, len(many))
        numbers: list[bytes] = []
        blocks: list[str] = []
        waiting = connection.protocol.open
        for place, headers in enumerate(many):
            try:
                lines = _lines(headers)
            except ValueError as trouble:
                batch.outcomes[place] = trouble
                continue
            number = f"changgu/{next(self._numbers)}"
            blocks.append(f"Action: {name}\r\nActionID: {number}\r\n{lines}\r\n")
            numbers.append(number.encode())
            waiting[numbers[-1]] = batch, place
        if blocks:
            batch.open = len(blocks)
            late = AmiLate(f"{name}: no reply within {deadline:.1f} s")
            alarm = asyncio.get_running_loop().call_later(deadline, batch.give_up, late)
            try:
                connection.protocol.transport.write("".join(blocks).encode())
                await batch.over
            finally:
                alarm.cancel()
                for one in numbers:
                    waiting.pop(one, None)
        return [outcome for outcome in batch.outcomes if outcome is not None]

    async def listing(self, name: str, *, deadline: float = DEADLINE, **headers: str) -> list[Message]:
        """Send an action that is answered by a list; its entries, without the response and the end mark."""
        # panoramisk tells a list by `EventList: start`; told to expect one, it would wait for ever after an error.
        replies = await self._send(name, headers, deadline, as_list=None)
        messages = replies if isinstance(replies, list) else [replies]
        _checked(name, messages[0])
        return [dict(entry.items()) for entry in messages[1:] if not str(entry.event).endswith("Complete")]

    async def _send(self, name: str, headers: Mapping[str, str], deadline: float, *, as_list: bool | None) -> Any:
        _lines(headers)
        connection = self._line()
        reply = connection.send_action({"Action": name, **headers}, as_list=as_list)
        try:
            async with asyncio.timeout(deadline):
                await asyncio.wait((reply, connection.lost), return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            raise AmiLate(f"{name}: no reply within {deadline:.1f} s") from None
        if not reply.done():
            raise AmiAway(f"{name}: the line dropped before the reply")
        return reply.result()

    def _line(self) -> _Connection:
        connection = self._connection
        if connection is None or connection.lost.done():
            # Before `run` knows: whoever asks again until the line is up would never let it know.
            self._up.clear()
            raise AmiAway("not connected to Asterisk's AMI")
        return connection

    async def reload(self, module: str) -> None:
        """Have Asterisk read a module's configuration again, such as `res_pjsip.so`."""
        await self.action("Reload", Module=module)


def _lines(headers: Mapping[str, str]) -> str:
    """The headers as they travel; ValueError for one that holds more than itself."""
    lines = [f"{name}: {value}" for name, value in headers.items()]
    for line in lines:
        if "\r" in line or "\n" in line or "\0" in line:
            raise ValueError(f"a line break in the AMI header {line.split(':')[0]!r}")
    return "".join([f"{line}\r\n" for line in lines])


def _headers_of(block: bytes) -> Message:
    """The headers of an answer."""
    lines = block.decode("utf-8", "replace").split("\r\n")
    return dict(line.split(": ", 1) for line in lines if ": " in line)


def _guarded(event: str, hear: Callable[[bytes], None]) -> Callable[[bytes], None]:
    def heard(block: bytes) -> None:
        try:
            hear(block)
        except Exception:  # one event's edge: the line carries everybody's news
            logger.exception("an AMI event could not be handled: %s", event)

    return heard


def _plainly(hear: Callable[[Message], None]) -> Callable[[Any, Any], None]:
    def heard(_manager: Any, message: Any) -> None:
        try:
            hear({name: value if isinstance(value, str) else ", ".join(value) for name, value in message.items()})
        except Exception:  # one event's edge: the line carries everybody's news
            logger.exception("an AMI event could not be handled: %s", message.event)

    return heard


def _checked(name: str, message: Any) -> Message:
    if message.response not in ("Success", "Goodbye"):
        raise AmiRefused(f"{name}: {message.message or message.response}")
    return dict(message.items())
