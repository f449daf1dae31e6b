"""Who may sign in: accounts of people, their sessions, and the tokens of programs.

Passwords are Argon2id hashes; session cookies and tokens are kept only as SHA-256 digests of 256 random bits, so a
copy of the database opens nothing.

Trouble
├── WrongPassword      401   the same words and the same time for an unknown login
├── TooManyGuesses     429   five wrong guesses a minute per login and address, 60 per address; passes by itself
├── LastAdministrator  409   somebody must remain who can mend things
├── AccountExists      409
└── NoSuchAccount      404
"""

import asyncio
import hashlib
import re
import secrets
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import ForeignKey, String, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from changgu.ground.access import Actor, Role
from changgu.ground.database import Base, Database, UtcDateTime
from changgu.ground.trouble import BadInput, Conflict, NotFound, Trouble

LOGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
SHORTEST_PASSWORD = 10
LONGEST_PASSWORD = 256
TOKEN_PREFIX = "changgu_"  # noqa: S105 - lets a secret scanner recognise a leaked token
IDLE_LIMIT = timedelta(hours=12)
SESSION_LIMIT = timedelta(days=7)
SEEN_PRECISION = timedelta(minutes=5)
"""How often a session's or token's last use is written down: reading a page should not cost a write."""
GUESSES = 5
ADDRESS_GUESSES = 60
"""Of one address, whatever the logins: a whole office behind one address may mistype, a list of names may not run."""
GUESS_WINDOW = 60.0
REMEMBERED_GUESSERS = 10_000
GENERATED_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
"""Nothing that is misread from a screen or misheard on the phone."""
FIRST_ADMINISTRATOR = "첫 관리자"
"""Their name, so that nobody takes it for the role."""


class WrongPassword(Trouble):
    """Login or password is wrong; which of them is not said."""

    status = 401

    def __init__(self) -> None:
        super().__init__("아이디 또는 비밀번호가 맞지 않습니다.", "The login or the password is wrong.")


class TooManyGuesses(Trouble):
    """Wait before guessing on."""

    status = 429

    def __init__(self, wait: float) -> None:
        self.seconds = max(1, int(wait + 0.999))
        super().__init__(
            f"틀린 시도가 많습니다. {self.seconds}초 뒤에 다시 시도해 주세요.",
            f"Too many wrong attempts. Please try again in {self.seconds} seconds.",
        )


class LastAdministrator(Conflict):
    """The only active administrator cannot be demoted or disabled."""

    def __init__(self) -> None:
        super().__init__("마지막 시스템관리자 계정은 바꿀 수 없습니다.", "This is the last active administrator.")


class AccountExists(Conflict):
    """The login or token name is taken."""

    def __init__(self, name: str) -> None:
        super().__init__(f"이미 있는 이름입니다: {name}", f"This name is already taken: {name}", field="login")


class NoSuchAccount(NotFound):
    """Nobody, and no token, has that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"없는 이름입니다: {name}", f"There is no such name: {name}")


class AccountRow(Base):
    """One person who may sign in; an agent's login is the login of the ACD."""

    __tablename__ = "accounts"

    login: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    role: Mapped[str] = mapped_column(String(16))
    password_hash: Mapped[str] = mapped_column(String(255))
    must_change: Mapped[bool] = mapped_column(default=False)
    disabled: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class SessionRow(Base):
    """One signed-in browser."""

    __tablename__ = "sessions"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    login: Mapped[str] = mapped_column(ForeignKey("accounts.login", ondelete="CASCADE"), index=True)
    csrf: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class TokenRow(Base):
    """One program that may call the API."""

    __tablename__ = "tokens"

    name: Mapped[str] = mapped_column(String(120), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    role: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


@dataclass(frozen=True, slots=True)
class Account:
    """A person's account, without anything secret."""

    login: str
    name: str
    role: Role
    must_change: bool
    disabled: bool
    created_at: datetime
    seen_at: datetime | None


@dataclass(frozen=True, slots=True)
class Token:
    """A program's token, without the token."""

    name: str
    role: Role
    created_at: datetime
    used_at: datetime | None


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """What the browser is given: the cookie's value is known to nobody else."""

    cookie: str
    csrf: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who is behind a cookie or token."""

    actor: Actor
    must_change: bool = False
    csrf: str | None = None


class GuessLimit:
    """Counts guesses at the moment they are made, so that a hundred at once are not a hundred free ones."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._guesses: dict[tuple[str, str], deque[float]] = {}

    def begin(self, login: str, address: str) -> None:
        """Count a guess.

        Raises:
            TooManyGuesses: five wrong ones within the last minute.
        """
        now = self._now()
        counted = [(self._recent((login.casefold(), address), now), GUESSES)]
        counted.append((self._recent(("", address), now), ADDRESS_GUESSES))
        for guesses, most in counted:
            if len(guesses) >= most:
                raise TooManyGuesses(guesses[0] + GUESS_WINDOW - now)
        for guesses, _ in counted:
            guesses.append(now)
        if len(self._guesses) > REMEMBERED_GUESSERS:
            self._forget(now)

    def succeeded(self, login: str, address: str) -> None:
        """It was the right password: the guesses before it are forgiven."""
        self._guesses.pop((login.casefold(), address), None)
        if whole := self._guesses.get(("", address)):
            whole.pop()

    def _recent(self, key: tuple[str, str], now: float) -> deque[float]:
        guesses = self._guesses.setdefault(key, deque())
        while guesses and guesses[0] <= now - GUESS_WINDOW:
            guesses.popleft()
        return guesses

    def _forget(self, now: float) -> None:
        for key in [key for key, times in self._guesses.items() if not times or times[-1] <= now - GUESS_WINDOW]:
            del self._guesses[key]
        while len(self._guesses) > REMEMBERED_GUESSERS:
            del self._guesses[next(iter(self._guesses))]


class Accounts:
    """Accounts, sessions and tokens in the database."""

    def __init__(
        self,
        database: Database,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
        hasher: PasswordHasher | None = None,
    ) -> None:
        self._database = database
        self._now = now
        self._hasher = hasher or PasswordHasher()
        self._guesses = GuessLimit(monotonic)
        self._hashing = asyncio.Semaphore(2)
        self._nobody: str | None = None
        """The hash of a password that nobody has; made with the first sign-in, whoever it is, not while calls wait."""

    # people

    async def first_administrator(self, login: str = "admin") -> str | None:
        """On the very first start: make the administrator and return the password to print; afterwards None."""
        async with self._database.transaction() as session:
            if await session.scalar(select(func.count()).select_from(AccountRow)):
                return None
        password = generated_password()
        await self.create_account(login, FIRST_ADMINISTRATOR, Role.ADMIN, password, must_change=False)
        return password

    async def create_account(
        self, login: str, name: str, role: Role, password: str | None = None, *, must_change: bool = True
    ) -> str:
        """Add a person; returns the password, made up when none was given.

        Raises:
            BadInput: login, name or password is unfit.
            AccountExists: the login is taken.
        """
        login, name = login.strip(), name.strip()
        if not LOGIN.fullmatch(login):
            raise BadInput(
                "아이디는 영문자, 숫자, . _ - 로 64자까지입니다.",
                "A login is up to 64 letters, digits, dots, dashes and underscores.",
                field="login",
            )
        if not 1 <= len(name) <= 120:
            raise BadInput("이름을 120자 안으로 적어 주세요.", "A name has 1 to 120 characters.", field="name")
        password = password or generated_password()
        check_new_password(login, password)
        hashed = await self._hash(password)
        async with self._database.transaction() as session:
            if await session.get(AccountRow, login) is not None:
                raise AccountExists(login)
            session.add(
                AccountRow(
                    login=login,
                    name=name,
                    role=role.value,
                    password_hash=hashed,
                    must_change=must_change,
                    created_at=self._now(),
                )
            )
        return password

    async def ensure_accounts(
        self, people: Iterable[tuple[str, str]], role: Role = Role.AGENT, password: str | None = None
    ) -> dict[str, str]:
        """Give every (login, name) without an account one; returns the passwords of the new ones by login.

        One given password for all is hashed once: a demonstration of many agents starts quickly.
        """
        shared = await self._hash(password) if password else None
        passwords: dict[str, str] = {}
        for login, name in people:
            async with self._database.transaction() as session:
                if await session.get(AccountRow, login) is not None:
                    continue
            if shared is None:
                passwords[login] = await self.create_account(login, name, role)
                continue
            async with self._database.transaction() as session:
                row = AccountRow(login=login, name=name, role=role.value, password_hash=shared, created_at=self._now())
                session.add(row)
            passwords[login] = password or ""
        return passwords

    async def accounts(self) -> list[Account]:
        """Everybody, by login."""
        async with self._database.transaction() as session:
            return [_account(row) for row in await session.scalars(select(AccountRow).order_by(AccountRow.login))]

    async def set_password(self, login: str, password: str | None = None, *, must_change: bool = False) -> str:
        """Replace a password and end all sessions of that person; returns the password, made up when none was given.

        Raises:
            NoSuchAccount, BadInput
        """
        password = password or generated_password()
        check_new_password(login, password)
        hashed = await self._hash(password)
        async with self._database.transaction() as session:
            row = await _row(session, login)
            row.password_hash = hashed
            row.must_change = must_change
            await session.execute(delete(SessionRow).where(SessionRow.login == login))
        return password

    async def change_own_password(self, login: str, present: str, new: str, address: str) -> None:
        """A person changes their password, knowing the present one; all their sessions end.

        Raises:
            WrongPassword, TooManyGuesses, BadInput
        """
        await self.check_password(login, present, address)
        if secrets.compare_digest(present.encode(), new.encode()):
            raise BadInput("지금과 다른 비밀번호를 적어 주세요.", "Please choose a different password.", field="new")
        await self.set_password(login, new)

    async def set_role(self, login: str, role: Role) -> None:
        """Change what a person may do; holds from their next request.

        Raises:
            NoSuchAccount, LastAdministrator
        """
        async with self._database.transaction() as session:
            row = await _row(session, login)
            if role is not Role.ADMIN:
                await _keep_an_administrator(session, row)
            row.role = role.value

    async def set_disabled(self, login: str, disabled: bool) -> None:
        """Shut a person out, ending their sessions, or let them in again.

        Raises:
            NoSuchAccount, LastAdministrator
        """
        async with self._database.transaction() as session:
            row = await _row(session, login)
            if disabled:
                await _keep_an_administrator(session, row)
                await session.execute(delete(SessionRow).where(SessionRow.login == login))
            row.disabled = disabled

    async def check_password(self, login: str, password: str, address: str) -> Account:
        """The account, if the password is right.

        Raises:
            WrongPassword: unknown login, wrong password or disabled account, all alike and after the same work.
            TooManyGuesses: see `GuessLimit`.
        """
        login = login.strip()
        self._guesses.begin(login, address)
        if self._nobody is None:
            self._nobody = await self._hash(secrets.token_urlsafe(32))
        nobody = self._nobody
        async with self._database.transaction() as session:
            row = await session.get(AccountRow, login)
            known = None if row is None or row.disabled else _account(row)
            hashed = row.password_hash if row is not None and known is not None else nobody
        right = len(password) <= LONGEST_PASSWORD and await self._verify(hashed, password)
        if known is None or not right:
            raise WrongPassword
        self._guesses.succeeded(login, address)
        if self._hasher.check_needs_rehash(hashed):
            fresh = await self._hash(password)
            async with self._database.transaction() as session:
                await session.execute(
                    update(AccountRow).where(AccountRow.login == login).values(password_hash=fresh)
                )
        return known

    # sessions

    async def open_session(self, login: str) -> OpenedSession:
        """Sign a person in; sessions that have run out are swept on the way."""
        now = self._now()
        opened = OpenedSession(secrets.token_urlsafe(32), secrets.token_urlsafe(24), now + SESSION_LIMIT)
        async with self._database.transaction() as session:
            await session.execute(
                delete(SessionRow).where((SessionRow.expires_at <= now) | (SessionRow.seen_at <= now - IDLE_LIMIT))
            )
            row = await _row(session, login)
            row.seen_at = now
            session.add(
                SessionRow(
                    digest=digest(opened.cookie),
                    login=login,
                    csrf=opened.csrf,
                    created_at=now,
                    seen_at=now,
                    expires_at=opened.expires_at,
                )
            )
        return opened

    async def visitor_by_cookie(self, cookie: str) -> Visitor | None:
        """Who holds this cookie; None when it has run out, or the person was shut out."""
        now = self._now()
        async with self._database.transaction() as session:
            found = (
                await session.execute(
                    select(SessionRow, AccountRow)
                    .join(AccountRow, AccountRow.login == SessionRow.login)
                    .where(SessionRow.digest == digest(cookie))
                )
            ).one_or_none()
            if found is None:
                return None
            held, row = found
            if row.disabled or held.expires_at <= now or held.seen_at <= now - IDLE_LIMIT:
                return None
            if now - held.seen_at >= SEEN_PRECISION:
                held.seen_at = now
                row.seen_at = now
            return Visitor(Actor(row.login, row.name, Role(row.role)), row.must_change, held.csrf)

    async def close_session(self, cookie: str) -> None:
        """Sign out."""
        async with self._database.transaction() as session:
            await session.execute(delete(SessionRow).where(SessionRow.digest == digest(cookie)))

    # programs

    async def create_token(self, name: str, role: Role) -> str:
        """A token for a program, told this once.

        Raises:
            BadInput, AccountExists
        """
        name = name.strip()
        if not 1 <= len(name) <= 120:
            raise BadInput("토큰 이름을 적어 주세요.", "Please give the token a name.", field="name")
        token = TOKEN_PREFIX + secrets.token_urlsafe(32)
        async with self._database.transaction() as session:
            if await session.get(TokenRow, name) is not None:
                raise AccountExists(name)
            session.add(TokenRow(name=name, digest=digest(token), role=role.value, created_at=self._now()))
        return token

    async def revoke_token(self, name: str) -> None:
        """The program is let in no more.

        Raises:
            NoSuchAccount: there is no token of that name.
        """
        async with self._database.transaction() as session:
            row = await session.get(TokenRow, name)
            if row is None:
                raise NoSuchAccount(name)
            await session.delete(row)

    async def tokens(self) -> list[Token]:
        """All tokens, by name."""
        async with self._database.transaction() as session:
            rows = await session.scalars(select(TokenRow).order_by(TokenRow.name))
            return [Token(row.name, Role(row.role), row.created_at, row.used_at) for row in rows]

    async def visitor_by_token(self, token: str) -> Visitor | None:
        """The program that holds this token."""
        now = self._now()
        async with self._database.transaction() as session:
            row = await session.scalar(select(TokenRow).where(TokenRow.digest == digest(token)))
            if row is None:
                return None
            if row.used_at is None or now - row.used_at >= SEEN_PRECISION:
                row.used_at = now
            return Visitor(Actor(f"token:{row.name}", row.name, Role(row.role), via="token"))

    # hashing costs some 50 ms of a core: never on the event loop that routes calls, and never many at once

    async def _hash(self, password: str) -> str:
        async with self._hashing:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def _verify(self, hashed: str, password: str) -> bool:
        def verify() -> bool:
            try:
                return self._hasher.verify(hashed, password)
            except (VerificationError, InvalidHashError):
                return False

        async with self._hashing:
            return await asyncio.to_thread(verify)


def digest(secret: str) -> str:
    """What is stored of a random secret: SHA-256 is enough for 256 random bits, and quick."""
    return hashlib.sha256(secret.encode()).hexdigest()


def generated_password() -> str:
    """Sixteen characters in groups of four, about 79 bits: `k7mq-…`."""
    groups = ("".join(secrets.choice(GENERATED_ALPHABET) for _ in range(4)) for _ in range(4))
    return "-".join(groups)


def check_new_password(login: str, password: str) -> None:
    """Refuse a password that is too short, too long or the login itself.

    Raises:
        BadInput
    """
    if not SHORTEST_PASSWORD <= len(password) <= LONGEST_PASSWORD or password.casefold() == login.casefold():
        raise BadInput(
            f"비밀번호는 {SHORTEST_PASSWORD}자 이상이고 아이디와 달라야 합니다.",
            f"A password needs at least {SHORTEST_PASSWORD} characters and must differ from the login.",
            field="new",
        )


def _account(row: AccountRow) -> Account:
    return Account(row.login, row.name, Role(row.role), row.must_change, row.disabled, row.created_at, row.seen_at)


async def _row(session: AsyncSession, login: str) -> AccountRow:
    row = await session.get(AccountRow, login)
    if row is None:
        raise NoSuchAccount(login)
    return row


async def _keep_an_administrator(session: AsyncSession, row: AccountRow) -> None:
    if row.role != Role.ADMIN.value or row.disabled:
        return
    others = await session.scalar(
        select(func.count())
        .select_from(AccountRow)
        .where(AccountRow.role == Role.ADMIN.value, AccountRow.disabled.is_(False), AccountRow.login != row.login)
    )
    if not others:
        raise LastAdministrator
