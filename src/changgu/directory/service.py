"""The directory at work: finds who is calling, and keeps people's records with their history."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from changgu.directory import store
from changgu.directory.items import Asset, clean_asset
from changgu.directory.known_numbers.service import KnownNumbers
from changgu.directory.numbers import Numbering
from changgu.directory.people_csv import ListedPerson, read_people
from changgu.directory.person import (
    CERTAIN,
    FIELDS,
    Change,
    NumberWritten,
    Owner,
    PersonCard,
    PersonId,
    PersonWritten,
    clean_fields,
)
from changgu.directory.store import AssetRow, PersonChangeRow, PersonRow, PhoneRow
from changgu.ground.database import Database
from changgu.ground.text import clean_line
from changgu.ground.trouble import BadInput, Conflict, NotFound

MANUAL = "manual"
IMPORT = "import"

MAX_NUMBERS = 50
MAX_MATCHES = 50


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """What an import of people did."""

    added: int
    updated: int
    unchanged: int


@dataclass(frozen=True, slots=True)
class PeoplePage:
    """Some people in the order of their names, and where the next ones begin (None: these were the last)."""

    items: tuple[PersonCard, ...]
    next: tuple[str, int] | None


class Directory:
    """Everybody who may call. `now` is the clock of the history."""

    def __init__(
        self, database: Database, numbering: Numbering, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._database = database
        self.numbering = numbering
        self._now = now
        self.known = KnownNumbers(database)
        """To be kept up by `known.run()`; until then, the database is asked."""

    async def find_by_number(self, raw: str | None) -> list[PersonCard]:
        """Everybody who has this number, as the network wrote it; the most certain first, nobody for a withheld one."""
        canonical = self.numbering.canonical(raw)
        if canonical is None or self.known.owners([canonical]) == {}:
            return []
        rows = await self._database.read(partial(store.with_number, canonical, MAX_MATCHES))
        return [store.card_of(row, self.numbering) for row in rows]

    async def owners(self, raws: Collection[str]) -> dict[str, tuple[Owner, ...]]:
        """Who has these numbers, each as the network wrote it; a number that nobody has is left out. Quick."""
        if (known := self.owners_at_once(raws)) is not None:
            return known
        canonicals = self._canonicals(raws)
        found = await self._database.read(partial(store.owners, set(canonicals.values())))
        return {raw: found[canonical] for raw, canonical in canonicals.items() if canonical in found}

    def owners_at_once(self, raws: Collection[str]) -> dict[str, tuple[Owner, ...]] | None:
        """The same from memory; None when the database has to be asked."""
        canonicals = self._canonicals(raws)
        found = self.known.owners(canonicals.values()) if canonicals else {}
        if found is None:
            return None
        return {raw: found[canonical] for raw, canonical in canonicals.items() if canonical in found}

    def _canonicals(self, raws: Collection[str]) -> dict[str, str]:
        return {raw: canonical for raw in raws if (canonical := self.numbering.canonical(raw)) is not None}

    async def get(self, person_id: int) -> PersonCard:
        """The person, also by the id of a record that was merged into theirs.

        Raises:
            NotFound: nobody has this id.
        """
        async with self._database.transaction() as session:
            return store.card_of(await self._existing(session, person_id), self.numbering)

    async def ids_of(self, person_id: int) -> list[PersonId]:
        """The id and those of the records merged into it, by which tickets and calls may know the person."""
        async with self._database.transaction() as session:
            return await store.ids_of(session, person_id)

    async def merged(self) -> dict[int, int]:
        """Every id by which tickets may still know somebody whose record was merged → the id that holds now."""
        async with self._database.transaction() as session:
            return await store.merged(session)

    async def by_employee_number(self, number: str) -> PersonCard | None:
        """The one person with exactly this 사번; None when it is nobody's."""
        wanted = clean_line(number)
        async with self._database.transaction() as session:
            found = await store.by_employee_numbers(session, [wanted] if wanted else [])
        return store.card_of(found[wanted], self.numbering) if wanted in found else None

    async def search(self, text: str, limit: int = 20) -> list[PersonCard]:
        """People by words of name, department, 사번, title, mail or computer, or by a number or a part of one."""
        return list((await self.page(text, limit)).items)

    async def page(self, text: str = "", limit: int = 50, after: tuple[str, int] | None = None) -> PeoplePage:
        """The same, some at a time."""
        async with self._database.transaction() as session:
            rows = await store.search(session, clean_line(text)[:200], self.numbering, limit + 1, after)
            cards = tuple(store.card_of(row, self.numbering) for row in rows[:limit])
        return PeoplePage(cards, (cards[-1].name, cards[-1].id) if len(rows) > limit else None)

    async def history(self, person_id: int, limit: int = 50) -> list[Change]:
        """Who changed what of this person, newest first."""
        async with self._database.transaction() as session:
            return await store.history(session, await store.ids_of(session, person_id), limit)

    async def count(self) -> int:
        """How many people the directory knows."""
        async with self._database.transaction() as session:
            return await store.count(session)

    async def create(self, written: PersonWritten, actor: str, source: str = MANUAL) -> PersonCard:
        """A new person.

        Raises:
            BadInput: no name, or a value or number that is none.
            Conflict: the 사번 is taken.
        """
        if not written.fields.get("name"):
            raise BadInput("이름이 비어 있습니다.", "the name is empty", field="name")
        try:
            async with self._change_of_people() as session:
                row = self._new(source)
                await self._write(session, row, written, actor, source)
                return await self._written_card(session, row)
        except IntegrityError as trouble:
            raise _taken(written) from trouble

    async def update(
        self, person_id: int, written: PersonWritten, actor: str, source: str = MANUAL
    ) -> PersonCard:
        """Change what `written` talks about: fields one by one, numbers and assets as whole lists.

        Raises:
            NotFound, BadInput, Conflict: as for `get` and `create`.
        """
        try:
            async with self._change_of_people() as session:
                row = await self._existing(session, person_id)
                await self._write(session, row, written, actor, source)
                return await self._written_card(session, row)
        except IntegrityError as trouble:
            raise _taken(written) from trouble

    async def confirm_number(self, person_id: int, raw: str, actor: str) -> PersonCard:
        """An agent says that this number is this person's: it is theirs with certainty from now on."""
        canonical = self.numbering.canonical(raw)
        if canonical is None:
            raise _no_number(raw)
        async with self._change_of_people() as session:
            row = await self._existing(session, person_id)
            number = next((number for number in store.current(row) if number.canonical == canonical), None)
            if number is None:
                number = self._number(canonical, NumberWritten(raw), "agent")
                row.numbers.append(number)
                self._note(session, row, actor, "agent", "numbers", "", canonical)
            number.verified_at = self._now()
            number.confidence = CERTAIN
            await session.flush()
            await store.mark_shared(session, [canonical])
            return await self._written_card(session, row)

    async def merge(self, kept_id: int, gone_id: int, actor: str) -> PersonCard:
        """Two records are one person: numbers and assets move to the kept one, which also fills its empty fields.

        Raises:
            NotFound: one of them does not exist.
            Conflict: both are the same record already.
        """
        async with self._change_of_people() as session:
            kept, gone = await self._existing(session, kept_id), await self._existing(session, gone_id)
            if kept.id == gone.id:
                raise Conflict("이미 같은 사람입니다.", "these are the same person already")
            employee_number = gone.employee_number
            gone.employee_number, gone.merged_into, gone.updated_at = None, kept.id, self._now()
            await session.flush()
            values = {field: getattr(gone, field) for field in FIELDS if field != "employee_number"}
            values["employee_number"] = employee_number
            for field, value in values.items():
                if value and not getattr(kept, field):
                    self._note(session, kept, actor, "merge", field, "", str(value))
                    setattr(kept, field, value)
            have = {number.canonical for number in store.current(kept)}
            touched = [number.canonical for number in store.current(gone)]
            for number in store.current(gone):
                if number.canonical in have:
                    number.valid_to = self._now()
                else:
                    number.person_id = kept.id
            for asset in gone.assets:
                asset.person_id = kept.id
            kept.vip = kept.vip or gone.vip
            kept.updated_at = self._now()
            self._note(session, kept, actor, "merge", "merged", f"{gone.id} {gone.name}", str(kept.id))
            await session.flush()
            await store.mark_shared(session, touched)
            return await self._written_card(session, kept)

    async def import_people(self, file_name: str, content: bytes, actor: str) -> ImportSummary:
        """Everybody in the file, by 사번: new ones are added, known ones brought up to date; all of it or nothing.

        Numbers that an earlier import brought and this file no longer names are ended; those that people
        entered stay. Columns that the file does not have are not touched.

        Raises:
            RowErrors: with every mistake; nothing was imported.
        """
        # Thousands of people take seconds, which the loop that routes calls does not have: a thread has its own.
        try:
            return await asyncio.to_thread(asyncio.run, self._import_apart(file_name, content, actor))
        except IntegrityError as trouble:
            raise Conflict(
                "가져오는 동안 다른 사람이 같은 사번이나 자산을 등록했습니다. 다시 가져와 주십시오.",
                "somebody entered the same employee or asset meanwhile; import again",
            ) from trouble
        finally:
            self.known.doubt()

    async def _import_apart(self, file_name: str, content: bytes, actor: str) -> ImportSummary:
        listed = read_people(file_name, content, self.numbering)
        database = Database(self._database.engine.url.render_as_string(hide_password=False))
        try:
            async with database.transaction() as session:
                return await self._import(session, listed, actor)
        finally:
            await database.close()

    async def _import(self, session: AsyncSession, listed: Sequence[ListedPerson], actor: str) -> ImportSummary:
        known = await store.by_employee_numbers(session, (entry.employee_number for entry in listed))
        tags = [asset.tag for entry in listed for asset in entry.person.assets or ()]
        assets = await store.assets_by_tag(session, tags)
        added = updated = 0
        touched: set[str] = set()
        for entry in listed:
            row = known.get(entry.employee_number)
            is_new = row is None
            row = row or self._new(IMPORT)
            numbers, changed = self._change(session, row, entry.person, actor, IMPORT, assets)
            session.add(row)
            touched |= numbers
            added += is_new
            updated += changed and not is_new
        await session.flush()
        await store.mark_shared(session, touched)
        return ImportSummary(added, updated, len(listed) - added - updated)

    @asynccontextmanager
    async def _change_of_people(self) -> AsyncIterator[AsyncSession]:
        """One unit of work that may change who has which number."""
        try:
            async with self._database.transaction() as session:
                yield session
        finally:
            self.known.doubt()

    async def _existing(self, session: AsyncSession, person_id: int) -> PersonRow:
        row = await store.person(session, person_id) if 0 < person_id < 2**31 else None
        if row is None:
            raise NotFound("그런 사람이 없습니다.", "there is no such person")
        return row

    async def _written_card(self, session: AsyncSession, row: PersonRow) -> PersonCard:
        await session.flush()
        return store.card_of(await self._existing(session, row.id), self.numbering)

    async def _write(
        self, session: AsyncSession, row: PersonRow, written: PersonWritten, actor: str, source: str
    ) -> None:
        assets = await store.assets_by_tag(session, (clean_asset(asset).tag for asset in written.assets or ()))
        touched, _ = self._change(session, row, written, actor, source, assets)
        session.add(row)
        await session.flush()
        await store.mark_shared(session, touched)

    def _new(self, source: str) -> PersonRow:
        empty = {field: "" for field in FIELDS if field != "employee_number"}
        return PersonRow(**empty, vip=False, source=source, updated_at=self._now(), numbers=[], assets=[])

    def _change(
        self,
        session: AsyncSession,
        row: PersonRow,
        written: PersonWritten,
        actor: str,
        source: str,
        assets: dict[str, AssetRow],
    ) -> tuple[set[str], bool]:
        """Bring the row to what is written. Returns the numbers that came or went, and whether anything changed."""
        changed = False
        for field, value in clean_fields(written.fields).items():
            before = getattr(row, field)
            if before != value:
                setattr(row, field, value)
                self._note(session, row, actor, source, field, before or "", value or "")
                changed = True
        if written.vip is not None and written.vip is not row.vip:
            self._note(session, row, actor, source, "vip", _yes(row.vip), _yes(written.vip))
            row.vip = written.vip
            changed = True
        touched: set[str] = set()
        if written.numbers is not None:
            touched = self._change_numbers(session, row, written.numbers, actor, source)
        if written.assets is not None:
            changed |= self._change_assets(session, row, written.assets, actor, source, assets)
        changed |= bool(touched)
        if changed:
            row.updated_at, row.source = self._now(), source
        return touched, changed

    def _change_numbers(
        self, session: AsyncSession, row: PersonRow, numbers: Sequence[NumberWritten], actor: str, source: str
    ) -> set[str]:
        if len(numbers) > MAX_NUMBERS:
            raise BadInput("전화번호가 너무 많습니다.", f"more than {MAX_NUMBERS} numbers", field="numbers")
        wanted: dict[str, NumberWritten] = {}
        for number in numbers:
            canonical = self.numbering.canonical(number.written)
            if canonical is None:
                raise _no_number(number.written)
            wanted.setdefault(canonical, number)
        present = {number.canonical: number for number in store.current(row)}
        before = ", ".join(present)
        touched: set[str] = set()
        for canonical, identity in present.items():
            stays = canonical in wanted or (source == IMPORT and identity.source != IMPORT)
            if not stays:
                identity.valid_to = self._now()
                touched.add(canonical)
        for canonical, number in wanted.items():
            if canonical not in present:
                row.numbers.append(self._number(canonical, number, source))
                touched.add(canonical)
            elif number.kind and number.kind != present[canonical].kind:
                present[canonical].kind = number.kind
                touched.add(canonical)
        if touched:
            after = ", ".join(number.canonical for number in store.current(row))
            self._note(session, row, actor, source, "numbers", before, after)
        return touched

    def _change_assets(
        self,
        session: AsyncSession,
        row: PersonRow,
        wanted: Sequence[Asset],
        actor: str,
        source: str,
        known: dict[str, AssetRow],
    ) -> bool:
        before = _tags(row.assets)
        details_changed = False
        keep: list[AssetRow] = []
        for asset in map(clean_asset, wanted):
            kept = known.get(asset.tag)
            if kept is None:
                kept = known[asset.tag] = AssetRow(tag=asset.tag)
            elif store.asset_of(kept) != asset:
                details_changed = True
            kept.kind, kept.model, kept.serial = asset.kind, asset.model, asset.serial
            kept.purchased_on, kept.location = asset.purchased_on, asset.location
            if kept not in keep:
                keep.append(kept)
        row.assets = keep
        after = _tags(keep)
        if before != after:
            self._note(session, row, actor, source, "assets", before, after)
        return details_changed or before != after

    def _number(self, canonical: str, number: NumberWritten, source: str) -> PhoneRow:
        return PhoneRow(
            canonical=canonical,
            as_written=clean_line(number.written)[:200],
            kind=(number.kind or self.numbering.kind(canonical)).value,
            source=source,
            confidence=CERTAIN,
            shared=False,
            valid_from=self._now(),
        )

    def _note(
        self, session: AsyncSession, row: PersonRow, actor: str, source: str, field: str, before: str, after: str
    ) -> None:
        if row.id is None:
            return  # a new record: its first state is its own history
        change = PersonChangeRow(
            person_id=row.id, at=self._now(), actor=actor, source=source, field=field, before=before, after=after
        )
        session.add(change)


def _yes(vip: bool) -> str:
    return "vip" if vip else ""


def _tags(assets: Iterable[AssetRow]) -> str:
    return ", ".join(sorted(asset.tag for asset in assets))


def _no_number(written: str) -> BadInput:
    shown = clean_line(written)[:40]
    return BadInput(
        f"전화번호를 알아볼 수 없습니다: {shown}", f"not a telephone number: {shown}", field="numbers"
    )


def _taken(written: PersonWritten) -> Conflict:
    number = written.fields.get("employee_number") or ""
    ko, en = f"사번이 이미 있습니다: {number}", f"the employee number is taken: {number}"
    return Conflict(ko, en, field="employee_number")
