"""What the telephone asks of tickets about messages, PINs and surveys: rooms on one floor do not know each other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from changgu.acd.identity import QueueName
from changgu.directory.person import PersonCard
from changgu.directory.service import Directory
from changgu.recordings.service import Recordings
from changgu.screenpop.service import ScreenPop
from changgu.telephony.dial_plan import Dialable, DialPlan
from changgu.telephony.diversions import Message
from changgu.telephony.fax import Fax
from changgu.ticketing.entries import Caller
from changgu.ticketing.intake.messages import TicketMessage
from changgu.ticketing.intake.service import Intake


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


class PinPeople:
    """People by telephone or 사번. Answers `ticketing.self_service.People`."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def at_number(self, number: str) -> Sequence[int]:
        """Everybody whose telephone or 사번 this is."""
        found = [person.id for person in await self._directory.find_by_number(number)]
        if found:
            return found
        named = await self._directory.search(number, 50) if number.strip() else []
        return [person.id for person in named if person.employee_number == number]

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


def _numbers(person: PersonCard) -> list[str]:
    found = [number.canonical for number in person.numbers]
    return [*found, *([person.employee_number] if person.employee_number else [])]
