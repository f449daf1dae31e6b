"""Tickets at work: opened, moved, worked on, linked with calls, and asked about on the telephone."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import insert, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from changgu.acd.identity import AgentId, CallId, QueueName
from changgu.ground.access import Actor, Role
from changgu.ground.database import Database
from changgu.ground.text import clean_line, clean_text, within
from changgu.ground.trouble import BadInput, Conflict, Forbidden, NotFound
from changgu.ticketing import store
from changgu.ticketing.codes import DEFAULT_CODES, Codes
from changgu.ticketing.entries import (
    EDITABLE,
    LATER,
    LONGEST,
    LONGEST_TEXT,
    Caller,
    NewTicket,
    TicketFilter,
    TicketPage,
    check_call,
    check_grade,
    check_minutes,
    checked_fields,
    tidy,
)
from changgu.ticketing.lifecycle import MOVES, REFUSED, Missing, Move, Step, missing, steps_from
from changgu.ticketing.number import read_number, ticket_number
from changgu.ticketing.store import (
    ActionRow,
    CallbackRow,
    ChangeRow,
    MoveRow,
    SuggestionRow,
    SurveyRow,
    TicketCallRow,
    TicketRow,
)
from changgu.ticketing.ticket import (
    STATE_NAMES,
    CallRole,
    Channel,
    Kind,
    Suggestion,
    Ticket,
    TicketFile,
    TicketState,
    TicketStatus,
    is_settled,
)

AUTOMATIC = Actor(login="changgu", name="창구", role=Role.ADMIN, via="automatic")
"""The desk itself, when nobody asked."""

_TOUCHED = "ticket"
"""Under this key a session remembers which ticket it writes."""


class MoveRefused(Conflict):
    """The ticket cannot go from the state it is in to the one asked for."""


class MoveIncomplete(BadInput):
    """The move lacks something; `missing` names every field."""

    def __init__(self, problems: Sequence[Missing]) -> None:
        self.missing = tuple(problems)
        super().__init__(
            " ".join(problem.ko for problem in problems),
            "; ".join(problem.en for problem in problems),
            field=problems[0].field,
        )


class Tickets:
    """All tickets of the desk. `now` is the clock of their histories."""

    def __init__(
        self,
        database: Database,
        codes: Codes = DEFAULT_CODES,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self.codes = codes
        self._now = now
        self._listeners: list[Callable[[CallId], None]] = []

    def tell(self, listener: Callable[[CallId], None]) -> None:
        """From now on call `listener` with each call whose tickets have changed; it must not block."""
        self._listeners.append(listener)

    # Opening

    async def open(self, new: NewTicket, by: Actor) -> Ticket:
        """A new ticket with a number nobody else has (INC-03), in 신규.

        Raises:
            BadInput: no title, no kind, an incident without its grade (INC-04), or a value that is none.
            NotFound: the ticket that this one follows does not exist.
        """
        if new.kind is None and by.via != AUTOMATIC.via:
            raise BadInput("접수 건을 판별해 주십시오.", "say what kind of ticket it is", field="kind")
        follows = (await self.get(new.follows)).number if new.follows else None
        checked = self._checked({field: getattr(new, field) for field in EDITABLE - LATER})
        if not checked["title"]:
            raise BadInput("제목이 비어 있습니다.", "the title is empty", field="title")
        check_grade(new.kind, checked["grade"])
        checked["owner"] = checked["owner"] or (None if by.via == AUTOMATIC.via else by.login)
        if new.call:
            check_call(new.call)
        async with self._writing() as session:
            queue = clean_line(new.queue or "")[:64] or None
            row = await self._insert(session, checked, by, queue=queue, follows=follows)
            if new.call:
                await self._link(session, row, new.call, CallRole.CREATED, checked["owner"])
                await self._answer_suggestion(session, new.call)
            return store.ticket_of(row)

    async def open_for_call(
        self, call: CallId, agent: AgentId | None, queue: QueueName | None, caller: Caller, title: str, *,
        channel: Channel = Channel.PHONE, description: str = "",
    ) -> tuple[Ticket, bool]:  # fmt: skip
        """The ticket that a call gets by itself, answered by an agent or a machine, and whether it is new.

        However often it is told, there is one (late and repeated news is normal).
        """
        async with self._database.transaction() as session:
            known = await store.automatic_for(session, call)
        if known is not None:
            return store.ticket_of(known), False
        values = self._checked(
            {
                "title": title,
                "kind": None,
                "description": description,
                "channel": channel,
                "person": caller.person,
                "requester": caller.name[:100],
                "department": caller.department[:200],
                "contact": caller.number[:200],
                "owner": agent,
            }
        )
        try:
            async with self._writing() as session:
                row = await self._insert(session, values, AUTOMATIC, queue=queue, automatic_for=call)
                await self._link(session, row, call, CallRole.CREATED, agent)
                return store.ticket_of(row), True
        except IntegrityError:
            async with self._database.transaction() as session:
                known = await store.automatic_for(session, call)
            if known is None:
                raise
            return store.ticket_of(known), False

    async def suggest(self, call: CallId, agent: AgentId, queue: QueueName, caller: Caller) -> None:
        """Ask the agent whether this call shall have a ticket; asking twice is asking once."""
        async with self._database.transaction() as session:
            if await session.get(SuggestionRow, call) is None:
                await session.execute(
                    insert(SuggestionRow).values(
                        call=call,
                        agent=agent,
                        queue=queue,
                        at=self._now(),
                        contact=caller.number[:200],
                        person=caller.person,
                        requester=caller.name[:100],
                        department=caller.department[:200],
                    )
                )

    async def suggestions(self, agent: str | None = None) -> list[Suggestion]:
        """The questions that this agent has not answered, newest first."""
        async with self._database.transaction() as session:
            return await store.suggestions(session, agent=agent)

    async def suggestion(self, call: CallId) -> Suggestion | None:
        """The open question about this call."""
        async with self._database.transaction() as session:
            return next(iter(await store.suggestions(session, call=call)), None)

    async def decline(self, call: CallId) -> None:
        """The agent says that this call needs no ticket."""
        async with self._database.transaction() as session:
            await self._answer_suggestion(session, call)

    # Working on it

    async def update(self, number: str, changes: Mapping[str, Any], by: Actor) -> Ticket:
        """Change fields; each change is kept with who and when. The first save by a person must classify (INC-04).

        Raises:
            NotFound, BadInput: as for `open`.
            Conflict: the ticket is closed.
        """
        unknown = sorted(changes.keys() - EDITABLE)
        if unknown:
            raise BadInput("바꿀 수 없는 항목입니다.", f"cannot be changed: {unknown[0][:40]}", field=unknown[0][:40])
        checked = self._checked(changes)
        async with self._writing() as session:
            row = await self._held(session, number)
            kind = checked.get("kind", row.kind)
            if kind is None:
                raise BadInput("접수 건을 판별해 주십시오.", "say what kind of ticket it is", field="kind")
            check_grade(Kind(kind), checked.get("grade", row.grade))
            if checked.get("assignee", row.assignee) != row.assignee and row.state != TicketState.ALLOCATED:
                raise BadInput("담당자는 할당하면서 정합니다.", "a person is named by 할당", field="assignee")
            if "title" in checked and not checked["title"]:
                raise BadInput("제목이 비어 있습니다.", "the title is empty", field="title")
            await self._apply(session, row, checked, by.login)
            return store.ticket_of(row)

    async def set_person(self, number: str, caller: Caller, by: Actor) -> Ticket:
        """The agent says who the caller is; allowed before the ticket is classified."""
        values = {"person": caller.person, "requester": caller.name, "department": caller.department}
        if caller.number:
            values["contact"] = caller.number
        checked = self._checked(values)
        async with self._writing() as session:
            row = await self._held(session, number)
            await self._apply(session, row, checked, by.login)
            return store.ticket_of(row)

    async def set_caller(self, call: CallId, caller: Caller, by: Actor) -> None:
        """The agent says who made this call: the open tickets that it created are that person's."""
        async with self._database.transaction() as session:
            created = (await store.linked(session, [call], role=CallRole.CREATED))[call]
        for ticket in created:
            if ticket.is_open:
                await self.set_person(ticket.number, caller, by)

    async def move(
        self, number: str, move: Move, by: Actor, *, expected_state: TicketState | None = None
    ) -> TicketFile:
        """Take the ticket to another state, when the table allows it and nothing is missing.

        `expected_state` is the state that the person saw: when somebody was faster, the move is refused.

        Raises:
            NotFound: no such ticket.
            MoveRefused: the table does not allow it, or somebody else moved it meanwhile.
            MoveIncomplete: something is missing.
            Forbidden: a complaint is settled by a supervisor (CMP-01).
        """
        move = tidy(move)
        self._checked({field: getattr(move, field) for field in ("type_code", "cause_code", "resolution_code")})
        async with self._writing() as session:
            row = await self._held(session, number, may_be_closed=True)
            before = TicketState(row.state)
            if expected_state is not None and expected_state is not before:
                names = STATE_NAMES[before]
                raise MoveRefused(
                    f"그사이 다른 사람이 '{names[0]}'(으)로 바꾸었습니다.", f"somebody has made it {names[1]} meanwhile"
                )
            step = MOVES.get((before, move.to))
            if step is None:
                raise MoveRefused(*REFUSED[before, move.to])
            if row.kind == Kind.COMPLAINT and is_settled(move.to) and not by.may(Role.SUPERVISOR):
                raise Forbidden("불만은 관리자가 처리합니다.", "complaints are settled by a supervisor")
            file = await store.file_of(session, row)
            problems = missing(
                file.ticket, move, step, self.codes, acted=_acted(file), called_back=file.called_back
            )
            if problems:
                raise MoveIncomplete(problems)
            await self._carry_out(session, row, move, step, by)
            return await store.file_of(session, row)

    async def record_action(self, number: str, text: str, minutes: int, by: Actor) -> TicketFile:
        """A row of 조치 내역: what was done, and for how many minutes."""
        text = within(clean_text(text), LONGEST_TEXT, "text")
        if not text:
            raise BadInput("조치내역을 적어 주십시오.", "write what was done", field="text")
        check_minutes(minutes)
        async with self._writing() as session:
            row = await self._held(session, number)
            session.add(
                ActionRow(ticket=row.running, at=self._now(), actor=by.login, text=text, minutes=minutes)
            )
            return await store.file_of(session, row)

    async def record_callback(
        self, number: str, note: str, by: Actor, *, reached: bool = True, call: CallId | None = None,
        at: datetime | None = None,
    ) -> TicketFile:  # fmt: skip
        """The requester was called back, or at least tried; `at` when it was not just now."""
        note = within(clean_text(note), LONGEST_TEXT, "note")
        async with self._writing() as session:
            row = await self._held(session, number)
            await self._called_back(session, row, note, by, reached, call, at)
            return await store.file_of(session, row)

    async def link(self, number: str, call: CallId, role: CallRole, by: Actor) -> TicketFile:
        """This call has to do with this ticket; saying it twice changes nothing. Closed tickets can be linked too."""
        check_call(call)
        async with self._writing() as session:
            row = await self._held(session, number, may_be_closed=True)
            await self._link(session, row, call, role, by.login)
            return await store.file_of(session, row)

    # Asking

    async def find(self, number: str) -> Ticket | None:
        """The ticket with this number, however it is written; None when there is none."""
        read = read_number(number)
        if read is None:
            return None
        async with self._database.transaction() as session:
            row = await store.by_number(session, read)
            return store.ticket_of(row) if row else None

    async def get(self, number: str) -> Ticket:
        """The same, but it must exist.

        Raises:
            NotFound: there is none.
        """
        ticket = await self.find(number)
        if ticket is None:
            raise _no_ticket()
        return ticket

    async def file(self, number: str) -> TicketFile:
        """The ticket with its whole history.

        Raises:
            NotFound: there is none.
        """
        read = read_number(number)
        async with self._database.transaction() as session:
            row = await store.by_number(session, read) if read else None
            if row is None:
                raise _no_ticket()
            return await store.file_of(session, row)

    async def status(self, number: str) -> TicketStatus | None:
        """What a caller hears who keys this number; None for a mistyped one and for one that nobody has."""
        ticket = await self.find(number)
        if ticket is None:
            return None
        ko, en = STATE_NAMES[ticket.state]
        return TicketStatus(ticket.number, ticket.state, ko, en, ticket.support_line, ticket.expected_at)

    async def for_call(self, call: CallId) -> list[Ticket]:
        """The tickets of this call, the oldest first."""
        return (await self.for_calls([call]))[call]

    async def for_calls(self, calls: Sequence[CallId]) -> dict[CallId, list[Ticket]]:
        """The tickets of each of these calls."""
        async with self._database.transaction() as session:
            return await store.linked(session, list(dict.fromkeys(calls)))

    async def for_person(self, person: int | Iterable[int], limit: int = 10) -> list[Ticket]:
        """The newest tickets of a person, known by one id or several."""
        persons = [person] if isinstance(person, int) else list(person)
        async with self._database.transaction() as session:
            return await store.select_tickets(session, persons=persons, limit=limit)

    async def page(self, wanted: TicketFilter, limit: int = 50, before: int | None = None) -> TicketPage:
        """Tickets that fit, some at a time, newest first."""
        states = set(wanted.states or TicketState)
        if wanted.open is not None:
            states &= {state for state in TicketState if (state is not TicketState.CLOSED) is wanted.open}
        if not states:
            return TicketPage((), None)
        equal = {
            field: getattr(wanted, field)
            for field in ("kind", "owner", "group", "queue", "person")
            if getattr(wanted, field) is not None
        }
        async with self._database.transaction() as session:
            found = await store.select_tickets(
                session,
                states=states if len(states) < len(TicketState) else (),
                equal=equal,
                call=wanted.call,
                unclassified=wanted.unclassified,
                text=clean_line(wanted.text)[:200],
                since=wanted.since,
                until=wanted.until,
                before=before,
                limit=limit + 1,
            )
        items = tuple(found[:limit])
        return TicketPage(items, int(items[-1].number[:-1]) if len(found) > limit else None)

    async def count_by_state(self) -> dict[TicketState, int]:
        """How many tickets are in each state."""
        async with self._database.transaction() as session:
            return await store.count_by_state(session)

    @staticmethod
    def steps(ticket: Ticket) -> dict[TicketState, Step]:
        """Where this ticket can go from here."""
        return steps_from(ticket.state)

    # Inside one transaction

    async def _insert(
        self,
        session: AsyncSession,
        values: Mapping[str, Any],
        by: Actor,
        *,
        queue: str | None = None,
        follows: str | None = None,
        automatic_for: str | None = None,
    ) -> TicketRow:
        running = session.info[_TOUCHED] = await store.next_running(session)
        now = self._now()
        empty = {"description": "", "requester": "", "department": "", "contact": "", "configuration_item": ""}
        row = TicketRow(
            **{**empty, **values},
            running=running,
            number=ticket_number(running),
            state=TicketState.NEW,
            queue=queue,
            follows=follows,
            support_line=1,
            automatic_for=automatic_for,
            opened_at=now,
            updated_at=now,
        )
        session.add(row)
        await session.flush()
        session.add(
            MoveRow(
                ticket=running, at=now, actor=by.login, via=by.via, before=None, after=TicketState.NEW, reason=""
            )
        )
        await session.flush()
        return row

    @asynccontextmanager
    async def _writing(self) -> AsyncIterator[AsyncSession]:
        """One transaction; when it is committed, those who show the calls of its ticket are told."""
        calls: list[CallId] = []
        async with self._database.transaction() as session:
            yield session
            await session.flush()
            if self._listeners:
                calls = await store.calls_of(session, session.info[_TOUCHED])
        for call in calls:
            for listener in self._listeners:
                listener(call)

    async def _held(self, session: AsyncSession, number: str, *, may_be_closed: bool = False) -> TicketRow:
        read = read_number(number)
        row = await store.locked(session, read, self._now()) if read else None
        if row is None:
            raise _no_ticket()
        if row.state == TicketState.CLOSED and not may_be_closed:
            raise Conflict("종료된 건은 바꿀 수 없습니다.", "a closed ticket cannot be changed")
        session.info[_TOUCHED] = row.running
        return row

    async def _apply(self, session: AsyncSession, row: TicketRow, values: Mapping[str, Any], actor: str) -> None:
        for field, value in values.items():
            before = getattr(row, field)
            if before == value:
                continue
            setattr(row, field, value)
            session.add(
                ChangeRow(
                    ticket=row.running,
                    at=self._now(),
                    actor=actor,
                    field=field,
                    before=_written(before),
                    after=_written(value),
                )
            )
        await session.flush()

    async def _carry_out(self, session: AsyncSession, row: TicketRow, move: Move, step: Step, by: Actor) -> None:
        now = self._now()
        before = row.state
        if step.to_group:
            group = self.codes.group(move.group or "")
            row.group, row.assignee, row.expected_at = move.group, None, move.expected_at
            row.support_line = group.line if group else max(2, row.support_line)
        elif move.to is TicketState.NEW:
            row.group, row.assignee, row.support_line = None, None, 1
        elif move.to is TicketState.ALLOCATED:
            row.assignee = move.assignee or row.assignee
            row.expected_at = move.expected_at or row.expected_at
        elif move.to is TicketState.REJECTED:
            row.assignee = None
        for field in ("type_code", "cause_code", "resolution_code"):
            value = getattr(move, field)
            if value and value != getattr(row, field):
                await self._apply(session, row, {field: value}, by.login)
        if move.action:
            session.add(
                ActionRow(ticket=row.running, at=now, actor=by.login, text=move.action, minutes=move.minutes)
            )
        if move.to is TicketState.CLOSED:
            if move.callback_note:
                await self._called_back(
                    session, row, move.callback_note, by, move.callback_reached, move.callback_call
                )
            score = move.satisfaction.score if move.satisfaction else None
            session.add(SurveyRow(ticket=row.running, at=now, actor=by.login, via="callback", score=score))
            if move.satisfaction and move.satisfaction.is_complaint:
                await self.open_complaint(session, row)
        row.state = move.to
        session.add(
            MoveRow(
                ticket=row.running,
                at=now,
                actor=by.login,
                via=by.via,
                before=before,
                after=move.to,
                reason=move.reason,
                group=row.group,
                assignee=row.assignee,
                expected_at=row.expected_at,
            )
        )

    async def open_complaint(self, session: AsyncSession, row: TicketRow) -> None:
        """A low grade opens one complaint in the same transaction (SAT-04); its owner is a supervisor (CMP-01)."""
        if row.kind == Kind.COMPLAINT or await store.complaint_about(session, row.number):
            return
        values = {
            "title": f"불만: {row.title}"[: LONGEST["title"]],
            "kind": Kind.COMPLAINT,
            "channel": Channel.PHONE,
            "person": row.person,
            "requester": row.requester,
            "department": row.department,
            "contact": row.contact,
        }
        await self._insert(session, values, AUTOMATIC, queue=row.queue, follows=row.number)
        session.info[_TOUCHED] = row.running

    async def _called_back(
        self, session: AsyncSession, row: TicketRow, note: str, by: Actor, reached: bool, call: CallId | None,
        at: datetime | None = None,
    ) -> None:  # fmt: skip
        if call:
            check_call(call)
            await self._link(session, row, call, CallRole.CALLBACK, by.login)
        session.add(
            CallbackRow(
                ticket=row.running, at=at or self._now(), actor=by.login, reached=reached, note=note, call=call
            )
        )

    async def _link(
        self, session: AsyncSession, row: TicketRow, call: CallId, role: CallRole, agent: str | None
    ) -> None:
        if await session.get(TicketCallRow, (row.running, call, role)) is None:
            session.add(TicketCallRow(ticket=row.running, call=call, role=role, at=self._now(), agent=agent))

    async def _answer_suggestion(self, session: AsyncSession, call: CallId) -> None:
        await session.execute(
            update(SuggestionRow)
            .where(SuggestionRow.call == call, SuggestionRow.answered_at.is_(None))
            .values(answered_at=self._now())
        )

    def _checked(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return checked_fields(values, self.codes)


def _acted(file: TicketFile) -> bool:
    """Whether something was done since the ticket was opened or taken up again."""
    again = [move.at for move in file.transitions if move.before is TicketState.RESOLVED]
    return any(not again or action.at >= again[-1] for action in file.actions)


def _no_ticket() -> NotFound:
    return NotFound("그런 접수번호가 없습니다.", "there is no ticket with this number")


def _written(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, StrEnum):
        return value.value
    return str(value)
