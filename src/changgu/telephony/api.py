"""The PBX's own account of a call for programs, held against the ledger: `GET /calls/{id}/trace`."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, Field

from changgu.acd.call_record import CallRecord
from changgu.acd.identity import CallId, Instant
from changgu.ground.access import Actor, Gate, Role
from changgu.ground.database import moment
from changgu.ground.trouble import NotFound
from changgu.telephony.cel import LINKEDID_END, CelEvent
from changgu.telephony.cel_audit import TOLERANCE, Difference, Milestone, cel_check


class CallRecords(Protocol):
    """Looks up the ledger's row of a call; `acd.store.CallStore`."""

    async def get(self, call: CallId) -> CallRecord | None:
        """One call."""
        ...


class Accounts(Protocol):
    """Looks up the PBX's account of a call; `telephony.store.CelStore`."""

    async def of_call(self, linked_id: str) -> list[CelEvent]:
        """In order of time."""
        ...


@dataclass(frozen=True, slots=True)
class Trace:
    """The PBX's account of one call, and where the ledger's row differs from it."""

    call: CallId
    record: CallRecord | None
    """None for a call that reached an agent through the plain queue while changgu was away."""
    events: Sequence[CelEvent]
    differences: Sequence[Difference]

    @property
    def agrees(self) -> bool | None:
        """Whether the two agree; None when there is only one of them."""
        return None if self.record is None or not self.events else not self.differences

    @property
    def closed(self) -> bool:
        """Whether the PBX has said that the last channel of the call is gone."""
        return any(event.kind == LINKEDID_END for event in self.events)


class Tracing:
    """Puts both accounts side by side. `written` waits until all that was heard is in the store.

    `asks`: callers whose agent hangs up are asked the survey, and stay on the line for it.
    """

    def __init__(
        self, calls: CallRecords, accounts: Accounts, written: Callable[[], Awaitable[None]], *, asks: bool = False
    ) -> None:
        self._asks = asks
        self._calls = calls
        self._accounts = accounts
        self._written = written

    async def of_call(self, call: CallId) -> Trace:
        """Raises `NotFound` when neither knows of this call."""
        await self._written()
        record, events = await self._calls.get(call), await self._accounts.of_call(call)
        if record is None and not events:
            raise NotFound("통화를 찾을 수 없습니다.", "There is no such call.")
        found = cel_check(events, record, asks=self._asks) if record is not None and events else ()
        return Trace(call, record, events, found)


class CelEventOut(BaseModel):
    """One thing that happened to one channel, in the PBX's words."""

    at: datetime
    kind: str = Field(description="A CEL event type, such as BRIDGE_ENTER")
    channel: str
    unique_id: str
    linked_id: str
    caller: str | None
    extension: str
    context: str
    application: str
    application_data: str
    peer: str
    bridge: str | None
    label: str = Field(description="With USER_DEFINED: the name that the dialplan gave it")
    extra: dict[str, object]


class DifferenceOut(BaseModel):
    """A milestone on which ledger and PBX do not agree."""

    milestone: Milestone
    ledger: datetime | None = Field(description="null when the ledger does not know of it")
    pbx: datetime | None = Field(description="null when the PBX did not tell of it")
    seconds: float | None = Field(description="How much later the PBX says it was")


class TraceOut(BaseModel):
    """The PBX's own account of one call, independent of the ledger. Times are UTC."""

    call: str
    agrees: bool | None = Field(
        description=f"Whether arrival, first answer and end agree within {TOLERANCE:g} s; null when only one of the "
        "two knows of the call"
    )
    closed: bool = Field(description="Whether the PBX has said that the last channel of the call is gone")
    differences: list[DifferenceOut]
    events: list[CelEventOut] = Field(description="In order of time; the order is certain per channel only")


def build_router(gate: Gate, trace: Tracing) -> APIRouter:
    """The route under /api/v1."""
    router = APIRouter(prefix="/api/v1", tags=["calls"])
    supervisor = Depends(gate.require(Role.SUPERVISOR))

    @router.get("/calls/{id}/trace", summary="The PBX's own account of a call, held against the ledger")
    async def of_call(id: str = Path(max_length=150), actor: Actor = supervisor) -> TraceOut:
        return _out(await trace.of_call(CallId(id)))

    return router


def _out(trace: Trace) -> TraceOut:
    return TraceOut(
        call=trace.call,
        agrees=trace.agrees,
        closed=trace.closed,
        differences=[
            DifferenceOut(
                milestone=one.milestone, ledger=_moment(one.ledger), pbx=_moment(one.pbx), seconds=one.seconds
            )
            for one in trace.differences
        ],
        events=[
            CelEventOut(
                at=event.at,
                kind=event.kind,
                channel=event.channel,
                unique_id=event.unique_id,
                linked_id=event.linked_id,
                caller=event.caller,
                extension=event.extension,
                context=event.context,
                application=event.application,
                application_data=event.application_data,
                peer=event.peer,
                bridge=event.bridge,
                label=event.label,
                extra=event.details,
            )
            for event in trace.events
        ],
    )


def _moment(instant: Instant | None) -> datetime | None:
    return None if instant is None else moment(instant)
