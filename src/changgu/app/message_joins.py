"""What the telephone asks of tickets about messages, PINs and surveys: rooms on one floor do not know each other."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from changgu.acd.facts import CallEnded, Ender, Outcome, Recorded
from changgu.acd.identity import CallId, QueueName
from changgu.app.joins import LookUp
from changgu.directory.person import PersonCard
from changgu.directory.service import Directory
from changgu.ground.trouble import BadInput, Conflict, NotFound, Trouble
from changgu.ivr_flows.opening_hours import Calendar, Hours
from changgu.ivr_flows.spoken import ticket_found
from changgu.recordings.service import Recordings
from changgu.screenpop.service import ScreenPop
from changgu.telephony.dial_plan import Dialable, DialPlan
from changgu.telephony.diversions import Message
from changgu.telephony.fax import Fax
from changgu.telephony.survey import Invitation
from changgu.ticketing.entries import Caller
from changgu.ticketing.intake.messages import TicketMessage
from changgu.ticketing.intake.service import Intake
from changgu.ticketing.number import TicketNumber
from changgu.ticketing.self_service.resets.limits import Asked
from changgu.ticketing.self_service.resets.service import PinResets
from changgu.ticketing.self_service.service import SelfService
from changgu.ticketing.surveys.form import Question, Way
from changgu.ticketing.surveys.service import Surveys
from changgu.ticketing.ticket import TicketStatus

logger = logging.getLogger(__name__)

MOST_OVER = 500
"""Conversations just over that are remembered until their callers are hung up on."""
SATURDAY = 5
LONGEST_ID = 12


class KnownCallers:
    """Who is behind a number, for tickets that open by themselves."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def caller(self, number: str | None) -> Caller:
        """The number as people read it, and its owner where it is exactly one person's."""
        canonical = self._directory.numbering.canonical(number)
        written = self._directory.numbering.display(canonical) if canonical else (number or "")
        found = await self._directory.find_by_number(number)
        if len(found) != 1:
            return Caller(written)
        return Caller(written, found[0].id, found[0].name, found[0].department)


class VoicemailTickets:
    """Keeps a voice mail's sound and makes a ticket of it. Answers `telephony.diversions.Voicemails`."""

    def __init__(self, recordings: Recordings, intake: Intake, callers: KnownCallers) -> None:
        self._recordings = recordings
        self._intake = intake
        self._callers = callers

    async def keep(self, message: Message) -> None:
        """Both or nothing that matters: what fails is tried again with the sound that the PBX still has."""
        kept = await self._recordings.keep(message)
        caller = await self._callers.caller(message.caller)
        await self._intake.open_voicemail_ticket(
            message.call, caller, message.queue, kept.id, seconds=kept.seconds
        )


class FaxTickets:
    """Makes a ticket of a fax. Answers `telephony.fax.Faxes`."""

    def __init__(self, intake: Intake, callers: KnownCallers, queue: Callable[[], QueueName]) -> None:
        """`queue` takes those for whom nobody was named."""
        self._intake = intake
        self._callers = callers
        self._queue = queue

    async def keep(self, fax: Fax) -> None:
        """Keep it for good; raises when that is not possible."""
        caller = await self._callers.caller(fax.caller)
        await self._intake.open_fax_ticket(
            fax.call, caller, fax.queue or self._queue(), fax.pdf, fax.pages, complete=fax.complete
        )


class MenuSurveys:
    """Keeps answers given in a menu. Answers `telephony.ivr_player.Surveys`."""

    def __init__(self, surveys: Surveys) -> None:
        self._surveys = surveys

    async def answer(self, call: CallId, case: str, question: str, score: int | None) -> None:
        """One answer; without a case it is about the call."""
        about = case or await self._surveys.case_of(call) or call
        await self._surveys.survey_answer(about, _question(question), score, way=Way.MENU, call=call)


class SurveyDesk:
    """Callers who stay on the line when their agent hangs up. Answers `telephony.survey.AfterCall`."""

    def __init__(self, surveys: Surveys) -> None:
        self._surveys = surveys
        self._over: dict[CallId, None] = {}
        """Conversations that the agent has just ended."""

    def hear(self, recorded: Recorded) -> None:
        """Take a fact; returns at once."""
        fact = recorded.fact
        if isinstance(fact, CallEnded) and fact.outcome is Outcome.ANSWERED and fact.by is Ender.AGENT:
            self._over[fact.call] = None
            while len(self._over) > MOST_OVER:
                del self._over[next(iter(self._over))]

    def wants(self, call: CallId) -> bool:
        """Whether this caller is to be asked."""
        return call in self._over and self._over.pop(call) is None

    async def case_of(self, call: CallId) -> str | None:
        """What they are asked about."""
        return await self._surveys.case_of(call)

    async def answer(self, call: CallId, case: str, question: str, score: int | None) -> None:
        """One answer."""
        await self._surveys.survey_answer(case, _question(question), score, way=Way.AFTER_CALL, call=call)


class SurveyInvitations:
    """Requesters who are to be called. Answers `telephony.survey.Invitations`."""

    def __init__(
        self, surveys: Surveys, zone: tzinfo, first_hour: int, last_hour: int,
        now: Callable[[], datetime] = lambda: datetime.now(UTC), calendar: Callable[[], Calendar | None] = lambda: None,
    ) -> None:  # fmt: skip
        """Called from `first_hour` until `last_hour` on the site's clock, while the desk is open: not on holidays nor
        at lunch. Without a calendar, from Monday to Friday."""
        self._calendar = calendar
        self._surveys = surveys
        self._zone = zone
        self._hours = range(first_hour, last_hour)
        self._now = now

    async def next(self) -> Invitation | None:
        """Whoever is to be called now."""
        here = self._now().astimezone(self._zone)
        calendar = self._calendar()
        is_open = here.weekday() < SATURDAY if calendar is None else calendar.at(here).hours is Hours.OPEN
        if here.hour not in self._hours or not is_open:
            return None
        found = await self._surveys.due(1)
        return Invitation(found[0][0].number, found[0][1]) if found else None

    async def called(self, ticket: str, *, reached: bool) -> None:
        """Somebody was called."""
        await self._surveys.called(TicketNumber(ticket), reached=reached)

    async def answer(self, call: CallId, case: str, question: str, score: int | None) -> None:
        """One answer."""
        await self._surveys.survey_answer(case, _question(question), score, way=Way.OUTBOUND, call=call)


class SelfServiceLookUps:
    """What a menu asks about the caller and their tickets, by the names of `ivr_flows.limits.LOOK_UP_SOURCES`."""

    def __init__(
        self, directory: Directory, service: SelfService, resets: PinResets, zone: tzinfo,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:  # fmt: skip
        self._directory = directory
        self._service = service
        self._resets = resets
        self._zone = zone
        self._now = now

    async def person(self, number: str) -> Mapping[str, str] | None:
        """Whose number it is, where it is exactly one person's."""
        found = await self._directory.find_by_number(number)
        if len(found) != 1:
            return None
        one = found[0]
        return {"id": str(one.id), "name": one.name, "department": one.department, "mail": one.email}

    async def caller_check(self, key: str, asker: str = "") -> Mapping[str, str] | None:
        """Telephone number or 사번, a space, the PIN: the person's id; None when that is not their PIN.

        Wrong ones count for the telephone that asks, whosever number is keyed; without one, for the call.
        """
        who, _, pin = key.strip().rpartition(" ")
        check = await self._service.caller_check(who.strip(), pin, asker or None)
        if not check.is_confirmed:
            return None
        return {"person": str(check.person), **({"one_time": "yes"} if check.one_time else {})}

    async def pin_reset(self, key: str, asker: str = "") -> Mapping[str, str] | None:
        """사번, a space, their mobile number: a PIN is sent to the person, if there is one; None when asked too often.

        The answer is the same for everybody. Raises `Conflict` when nothing sends messages here.
        """
        employee, _, mobile = key.strip().rpartition(" ")
        match await self._resets.ask(employee.strip(), mobile, asker):
            case Asked.ACCEPTED:
                return {"asked": "yes"}
            case Asked.PAUSED:
                return None
            case Asked.UNAVAILABLE:
                raise Conflict("지금은 비밀번호를 보낼 수 없습니다.", "no PIN can be sent now")

    async def choose_pin(self, key: str, asker: str = "") -> Mapping[str, str] | None:
        """사번 or telephone number, the PIN, the new one: it is theirs now; None when that was not their PIN."""
        who, pin, new = ([*key.split(), "", "", ""])[:3]
        try:
            chosen = await self._service.choose_by_telephone(who, pin, new, asker or None)
        except BadInput:
            return {"changed": "easy"}
        return {"changed": "yes"} if chosen else None

    async def newest_ticket(self, person: str) -> Mapping[str, str] | None:
        """The state of a person's newest ticket."""
        if not (person.isascii() and person.isdecimal() and len(person) < LONGEST_ID):
            return None
        return self._told(await self._service.newest_ticket(int(person)))

    async def asset(self, key: str) -> Mapping[str, str] | None:
        """A person's id, a space, year and month: their equipment bought in that month (TEC-02), the first by name."""
        person, _, month = key.strip().partition(" ")
        if not (person.isascii() and person.isdecimal() and len(person) < LONGEST_ID):
            return None
        try:
            card = await self._directory.get(int(person))
        except NotFound:
            return None
        bought = [one for one in card.assets if one.purchased_on is not None and f"{one.purchased_on:%Y%m}" == month]
        if not bought:
            return None
        return {"count": str(len(bought)), "name": bought[0].model or bought[0].kind, "number": bought[0].tag}

    async def call_me_back(self, key: str, call: CallId | None = None) -> Mapping[str, str] | None:
        """Ticket number, a space, telephone number, and behind a space the language in which they are called, if not
        the desk's: the promise; None when it cannot be made. They are called once `call` is over."""
        number, _, phone = key.strip().partition(" ")
        before, _, last = phone.rpartition(" ")
        phone, language = (before, last) if last.isascii() and last.isalpha() else (phone, "")
        try:
            return {"callback": await self._service.call_me_back(number, phone.strip(), call, language=language)}
        except Trouble as trouble:
            logger.info("nobody is called back about a ticket: %s", trouble)
            return None

    @property
    def sources(self) -> Mapping[str, LookUp]:
        """By the names that a flow uses."""
        return {
            "person": _whoever_asks(self.person), "caller_check": _by_telephone(self.caller_check),
            "newest_ticket": _whoever_asks(self.newest_ticket), "call_me_back": _within_call(self.call_me_back),
            "pin_reset": _by_telephone(self.pin_reset), "choose_pin": _by_telephone(self.choose_pin),
            "asset": _whoever_asks(self.asset),
        }  # fmt: skip

    def _told(self, status: TicketStatus | None) -> Mapping[str, str] | None:
        if status is None:
            return None
        expected = status.expected_at.astimezone(self._zone) if status.expected_at else None
        here = self._now().astimezone(self._zone)
        return ticket_found(status.number, status.state.value, status.support_line, expected, here)


class PinPeople:
    """People by telephone or 사번. Answers `ticketing.self_service.People`."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def at_number(self, number: str) -> Sequence[int]:
        """Whose 사번 this is, else everybody whose telephone it is: an extension may look like another's 사번."""
        employee = await self._directory.by_employee_number(number)
        if employee is not None:
            return [employee.id]
        return [person.id for person in await self._directory.find_by_number(number)]

    async def ids_of(self, person: int) -> Sequence[int]:
        """All ids by which this person has ever been known."""
        return await self._directory.ids_of(person)

    async def known_numbers(self, person: int) -> Sequence[str]:
        """Numbers of theirs that others know; raises `NotFound`."""
        return _numbers(await self._directory.get(person))


@dataclass(frozen=True, slots=True)
class LateMessages:
    """Tells every desk of messages that nobody has replied to in time."""

    screen_pop: ScreenPop

    def show(self, late: Sequence[TicketMessage]) -> None:
        """These, the oldest first."""
        oldest = late[0] if late else None
        self.screen_pop.tell_unanswered(
            len(late), oldest.at.timestamp() if oldest else None, oldest.ticket if oldest else None
        )


def dialable(plan: Callable[[], DialPlan]) -> Callable[[str], str | None]:
    """The number as the dial plan has it, or None when it may not be dialled."""

    def number(written: str) -> str | None:
        way = plan().way(written)
        return way.number if isinstance(way, Dialable) else None

    return number


def _whoever_asks(look_up: Callable[[str], Awaitable[Mapping[str, str] | None]]) -> LookUp:
    return lambda key, _asker, _call: look_up(key)


def _by_telephone(look_up: Callable[[str, str], Awaitable[Mapping[str, str] | None]]) -> LookUp:
    return lambda key, asker, _call: look_up(key, asker)


def _within_call(look_up: Callable[[str, CallId | None], Awaitable[Mapping[str, str] | None]]) -> LookUp:
    return lambda key, _asker, call: look_up(key, call)


def _question(name: str) -> Question:
    return Question.OVERALL if name == "satisfaction" else Question(name)


def _numbers(person: PersonCard) -> list[str]:
    found = [number.canonical for number in person.numbers]
    return [*found, *([person.employee_number] if person.employee_number else [])]
