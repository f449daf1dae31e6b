"""Asks the directory who calls, and reads its answer as cards for the agent."""

from changgu.directory.items import Asset
from changgu.directory.person import PersonCard
from changgu.directory.service import Directory
from changgu.ground.trouble import NotFound
from changgu.screenpop.caller import CallerCard


def caller_card(person: PersonCard) -> CallerCard:
    """What an agent reads about this person."""
    return CallerCard(
        id=str(person.id),
        name=person.name,
        title=person.title,
        department=person.department,
        employee_number=person.employee_number or "",
        location=person.location,
        computer=person.computer_id,
        email=person.email,
        numbers=tuple(number.display for number in person.numbers),
        assets=tuple(_in_words(asset) for asset in person.assets),
    )


def _in_words(asset: Asset) -> str:
    return " ".join(part for part in (asset.kind, asset.model, f"({asset.tag})") if part)


class DirectoryPeople:
    """The screen pop's `PeopleDirectory`, answered by the directory."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def canonical(self, raw: str) -> str:
        """The one form of a number; as it came when it has none."""
        return self._directory.numbering.canonical(raw) or raw

    def display(self, raw: str) -> str:
        """The number as people here write it."""
        canonical = self._directory.numbering.canonical(raw)
        return self._directory.numbering.display(canonical) if canonical else raw

    async def find_by_number(self, raw: str) -> list[CallerCard]:
        """Everybody who has this number."""
        return [caller_card(person) for person in await self._directory.find_by_number(raw)]

    async def card(self, person_id: str) -> CallerCard | None:
        """One person."""
        if not person_id.isascii() or not person_id.isdigit():
            return None
        try:
            return caller_card(await self._directory.get(int(person_id)))
        except NotFound:
            return None

    async def ids_of(self, person_id: str) -> list[str]:
        """All ids by which this person has ever been known."""
        return [str(one) for one in await self._directory.ids_of(int(person_id))]

    async def add_number(self, person_id: str, raw: str, by: str) -> None:
        """An agent says that this number is this person's."""
        await self._directory.confirm_number(int(person_id), raw, by)
