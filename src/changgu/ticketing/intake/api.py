"""Voice mail and fax for programs: `GET /messages`, the late ones, one, its PDF, and that one needs no reply."""

from datetime import datetime

from fastapi import APIRouter, Depends, Path, Query, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field

from changgu.ground.access import Actor, Gate, Role
from changgu.ticketing.api import read_cursor
from changgu.ticketing.intake.messages import Answer, MessageKind, TicketMessage
from changgu.ticketing.intake.service import Intake
from changgu.ticketing.ticket import TicketState

LARGEST_PAGE = 200


class AnsweredOut(BaseModel):
    """The first reply."""

    how: Answer
    at: datetime
    by: str


class MessageOut(BaseModel):
    """One voice mail or fax and its ticket. Times are UTC."""

    id: int
    kind: MessageKind
    ticket: str
    ticket_state: TicketState
    title: str
    call: str
    queue: str | None
    caller: str = Field(description="As people read it; empty when withheld")
    requester: str
    at: datetime
    seconds: float | None = Field(description="How long a voice mail plays")
    pages: int | None = Field(description="Of a fax")
    audio: str | None = Field(description="Where a voice mail can be heard; every hearing is noted")
    document: str | None = Field(description="Where the PDF of a fax is")
    transcript: str = Field(description="What a machine understood; empty when none did")
    transcript_confidence: float | None = Field(description="How sure it is, 0 to 1; null until it has listened")
    alert_at: datetime = Field(description="When the desk is told, unless somebody replies before")
    alerted_at: datetime | None
    late: bool = Field(description="The desk was told, and still nobody has replied")
    answered: AnsweredOut | None


class MessagesOut(BaseModel):
    """Messages, newest first."""

    items: list[MessageOut]
    next: str | None = Field(description="Give it as `cursor` to get the next ones; null at the end")


class LateOut(BaseModel):
    """What nobody has replied to in time, the oldest first."""

    limit_minutes: float
    items: list[MessageOut]


class DismissalIn(BaseModel):
    """Why a message needs no reply."""

    why: str = Field(max_length=400)


def audio_address(message: TicketMessage) -> str | None:
    """Where a voice mail can be heard."""
    return f"/api/v1/recordings/{message.recording}/audio" if message.recording is not None else None


def document_address(message: TicketMessage) -> str | None:
    """Where the PDF of a fax is."""
    return f"/api/v1/messages/{message.id}/document" if message.file else None


def build_router(gate: Gate, intake: Intake) -> APIRouter:
    """The routes under /api/v1."""
    router = APIRouter(prefix="/api/v1", tags=["messages"])
    agent = Depends(gate.require(Role.AGENT))

    def out(message: TicketMessage) -> MessageOut:
        answered = message.answered
        return MessageOut(
            id=message.id,
            kind=message.kind,
            ticket=message.ticket,
            ticket_state=message.state,
            title=message.title,
            call=message.call,
            queue=message.queue,
            caller=message.caller,
            requester=message.requester,
            at=message.at,
            seconds=message.seconds,
            pages=message.pages,
            audio=audio_address(message),
            document=document_address(message),
            transcript=message.transcript, transcript_confidence=message.transcript_confidence,
            alert_at=intake.waiting.alert_at(message.at),
            alerted_at=message.alerted_at,
            late=message.is_late,
            answered=AnsweredOut(how=answered.how, at=answered.at, by=answered.by) if answered else None,
        )

    @router.get("/messages", summary="Voice mail and fax, newest first")
    async def list_messages(
        _: Actor = agent,
        unanswered: bool = Query(False, description="Only those without a reply"),
        cursor: str | None = Query(None, description="`next` of the answer before"),
        limit: int = Query(50, ge=1, le=LARGEST_PAGE),
    ) -> MessagesOut:
        found, following = await intake.page(unanswered=unanswered, before=read_cursor(cursor), limit=limit)
        return MessagesOut(items=[out(one) for one in found], next=None if following is None else str(following))

    @router.get("/messages/late", summary="What nobody has replied to in time")
    async def late(_: Actor = agent) -> LateOut:
        minutes = intake.waiting.limit.total_seconds() / 60
        return LateOut(limit_minutes=minutes, items=[out(one) for one in await intake.late()])

    @router.get("/messages/{id}", summary="One voice mail or fax")
    async def get_message(id: int = Path(ge=1, le=2**53), _: Actor = agent) -> MessageOut:
        return out(await intake.get(id))

    @router.get("/messages/{id}/document", summary="The PDF of a fax", response_class=FileResponse)
    async def document(id: int = Path(ge=1, le=2**53), _: Actor = agent) -> Response:
        headers = {
            "Cache-Control": "private, no-store", "Content-Disposition": f'inline; filename="fax-{id}.pdf"',
            "X-Content-Type-Options": "nosniff",
        }  # fmt: skip
        return FileResponse(await intake.document(id), media_type="application/pdf", headers=headers)

    @router.post("/messages/{id}/dismissal", summary="It needs no reply")
    async def dismiss(said: DismissalIn, id: int = Path(ge=1, le=2**53), actor: Actor = agent) -> MessageOut:
        return out(await intake.dismiss(id, said.why, actor))

    return router
