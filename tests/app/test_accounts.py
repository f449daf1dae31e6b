"""Signing in: who may, how often one may guess, and what a stolen database is worth."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from sqlalchemy import text

from changgu.app.accounts import (
    IDLE_LIMIT,
    SESSION_LIMIT,
    AccountExists,
    Accounts,
    GuessLimit,
    LastAdministrator,
    NoSuchAccount,
    TooManyGuesses,
    WrongPassword,
)
from changgu.ground.access import Role
from changgu.ground.database import Base, Database
from changgu.ground.trouble import BadInput

QUICK = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
RIGHT = "correct horse battery"


class Clock:
    """Wound by hand."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)

    def wall(self) -> datetime:
        return self.now

    def steady(self) -> float:
        return self.now.timestamp()

    def wait(self, **time: float) -> None:
        self.now += timedelta(**time)


class CountingHasher(PasswordHasher):
    """Counts how often a password was really verified."""

    verified = 0

    def verify(self, hash: str | bytes, password: str | bytes) -> bool:  # type: ignore[override]
        self.verified += 1
        return super().verify(hash, password)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    one = Database(f"sqlite+aiosqlite:///{tmp_path / 'accounts.sqlite'}")
    async with one.engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    yield one
    await one.close()


@pytest.fixture
async def accounts(database: Database, clock: Clock) -> Accounts:
    one = Accounts(database, now=clock.wall, monotonic=clock.steady, hasher=QUICK)
    await one.create_account("kim", "김민준", Role.AGENT, RIGHT, must_change=False)
    return one


async def test_the_first_start_makes_an_administrator_and_the_second_does_not(database: Database) -> None:
    accounts = Accounts(database, hasher=QUICK)
    password = await accounts.first_administrator()
    assert password is not None

    account = await accounts.check_password("admin", password, "127.0.0.1")
    assert account.role is Role.ADMIN
    assert await accounts.first_administrator() is None


async def test_the_first_administrator_is_not_called_like_the_role(database: Database) -> None:
    accounts = Accounts(database, hasher=QUICK)
    await accounts.first_administrator()
    assert [account.name for account in await accounts.accounts()] == ["첫 관리자"]


async def test_the_right_password_opens_and_a_wrong_one_does_not(accounts: Accounts) -> None:
    assert (await accounts.check_password("kim", RIGHT, "::1")).name == "김민준"
    with pytest.raises(WrongPassword):
        await accounts.check_password("kim", RIGHT + "!", "::1")


async def test_an_unknown_login_costs_the_same_work_as_a_known_one(database: Database) -> None:
    hasher = CountingHasher(time_cost=1, memory_cost=8, parallelism=1)
    accounts = Accounts(database, hasher=hasher)
    with pytest.raises(WrongPassword):
        await accounts.check_password("nobody", RIGHT, "::1")
    assert hasher.verified == 1


async def test_five_wrong_guesses_a_minute_and_then_one_waits(accounts: Accounts, clock: Clock) -> None:
    for _ in range(5):
        with pytest.raises(WrongPassword):
            await accounts.check_password("kim", "wrong wrong wrong", "10.0.0.9")
    with pytest.raises(TooManyGuesses) as refusal:
        await accounts.check_password("kim", RIGHT, "10.0.0.9")
    assert refusal.value.seconds == 60

    assert await accounts.check_password("kim", RIGHT, "10.0.0.10")
    clock.wait(seconds=61)
    assert await accounts.check_password("kim", RIGHT, "10.0.0.9")


async def test_a_hundred_guesses_at_once_are_still_five(accounts: Accounts) -> None:
    guesses = (accounts.check_password("kim", f"wrong password {n}", "10.0.0.9") for n in range(100))
    answers = await asyncio.gather(*guesses, return_exceptions=True)
    assert sum(isinstance(answer, WrongPassword) for answer in answers) == 5
    assert sum(isinstance(answer, TooManyGuesses) for answer in answers) == 95


def test_a_list_of_names_cannot_be_tried_from_one_address() -> None:
    limit = GuessLimit(lambda: 1.0)
    for n in range(60):
        limit.begin(f"login{n}", "10.0.0.9")
    with pytest.raises(TooManyGuesses):
        limit.begin("login60", "10.0.0.9")
    limit.begin("login60", "10.0.0.10")


def test_an_office_that_signs_in_behind_one_address_is_not_held_up() -> None:
    limit = GuessLimit(lambda: 1.0)
    for n in range(200):
        limit.begin(f"login{n}", "10.0.0.9")
        limit.succeeded(f"login{n}", "10.0.0.9")


def test_guessers_are_forgotten_before_they_fill_the_memory() -> None:
    limit = GuessLimit(lambda: 1.0)
    for n in range(5_050):  # each is remembered with its login and without
        limit.begin("admin", f"10.0.{n // 250}.{n % 250}")
    assert len(limit._guesses) == 10_000


async def test_a_session_lives_while_used_and_dies_of_idleness(accounts: Accounts, clock: Clock) -> None:
    opened = await accounts.open_session("kim")
    for _ in range(3):
        clock.wait(hours=11)
        visitor = await accounts.visitor_by_cookie(opened.cookie)
        assert visitor is not None
        assert visitor.actor.login == "kim"
    clock.wait(seconds=IDLE_LIMIT.total_seconds())
    assert await accounts.visitor_by_cookie(opened.cookie) is None


async def test_a_session_ends_after_a_week_whatever_happens(accounts: Accounts, clock: Clock) -> None:
    opened = await accounts.open_session("kim")
    for _ in range(int(SESSION_LIMIT / timedelta(hours=10))):
        clock.wait(hours=10)
        await accounts.visitor_by_cookie(opened.cookie)
    clock.wait(hours=10)
    assert await accounts.visitor_by_cookie(opened.cookie) is None


async def test_signing_out_ends_the_session(accounts: Accounts) -> None:
    opened = await accounts.open_session("kim")
    await accounts.close_session(opened.cookie)
    assert await accounts.visitor_by_cookie(opened.cookie) is None


async def test_a_new_password_ends_every_session_of_that_person(accounts: Accounts) -> None:
    opened = await accounts.open_session("kim")
    await accounts.change_own_password("kim", RIGHT, "another good password", "::1")
    assert await accounts.visitor_by_cookie(opened.cookie) is None
    assert await accounts.check_password("kim", "another good password", "::1")


async def test_whoever_is_disabled_is_out_at_once(accounts: Accounts) -> None:
    opened = await accounts.open_session("kim")
    await accounts.set_disabled("kim", True)
    assert await accounts.visitor_by_cookie(opened.cookie) is None
    with pytest.raises(WrongPassword):
        await accounts.check_password("kim", RIGHT, "::1")


async def test_a_role_holds_from_the_next_request(accounts: Accounts) -> None:
    opened = await accounts.open_session("kim")
    await accounts.set_role("kim", Role.SUPERVISOR)
    visitor = await accounts.visitor_by_cookie(opened.cookie)
    assert visitor is not None
    assert visitor.actor.role is Role.SUPERVISOR


async def test_the_last_administrator_stays(accounts: Accounts) -> None:
    await accounts.create_account("root", "관리", Role.ADMIN, RIGHT)
    with pytest.raises(LastAdministrator):
        await accounts.set_role("root", Role.AGENT)
    with pytest.raises(LastAdministrator):
        await accounts.set_disabled("root", True)
    await accounts.create_account("second", "관리", Role.ADMIN, RIGHT)
    await accounts.set_disabled("root", True)


@pytest.mark.parametrize(
    ("login", "name", "password", "field"),
    [
        ("", "김", RIGHT, "login"),
        ("a b", "김", RIGHT, "login"),
        ("-lee", "김", RIGHT, "login"),
        ("lee", "", RIGHT, "name"),
        ("lee", "이", "short", "new"),
        ("leeleeleelee", "이", "LeeLeeLeeLee", "new"),
    ],
)
async def test_an_unfit_account_is_refused_with_its_field(
    accounts: Accounts, login: str, name: str, password: str, field: str
) -> None:
    with pytest.raises(BadInput) as refusal:
        await accounts.create_account(login, name, Role.AGENT, password)
    assert refusal.value.field == field


async def test_a_login_is_given_once(accounts: Accounts) -> None:
    with pytest.raises(AccountExists):
        await accounts.create_account("kim", "다른 김", Role.AGENT)
    with pytest.raises(NoSuchAccount):
        await accounts.set_password("nobody")


async def test_imported_agents_get_accounts_and_keep_those_they_have(accounts: Accounts) -> None:
    made = await accounts.ensure_accounts([("kim", "김민준"), ("lee", "이서연")])
    assert list(made) == ["lee"]
    assert await accounts.check_password("lee", made["lee"], "::1")
    assert await accounts.check_password("kim", RIGHT, "::1")

    shared = await accounts.ensure_accounts([("park", "박"), ("choi", "최")], password="shared demo password")
    assert set(shared.values()) == {"shared demo password"}
    assert await accounts.check_password("choi", "shared demo password", "::1")


async def test_a_token_opens_until_it_is_revoked(accounts: Accounts) -> None:
    token = await accounts.create_token("reporting", Role.SUPERVISOR)
    visitor = await accounts.visitor_by_token(token)
    assert visitor is not None
    assert (visitor.actor.name, visitor.actor.role, visitor.actor.via) == ("reporting", Role.SUPERVISOR, "token")

    await accounts.revoke_token("reporting")
    assert await accounts.visitor_by_token(token) is None
    with pytest.raises(NoSuchAccount):
        await accounts.revoke_token("reporting")


async def test_a_copy_of_the_database_opens_nothing(accounts: Accounts, database: Database) -> None:
    token = await accounts.create_token("reporting", Role.ADMIN)
    opened = await accounts.open_session("kim")
    async with database.transaction() as session:
        kept = [
            str(value)
            for table in ("accounts", "sessions", "tokens")
            for row in await session.execute(text(f"select * from {table}"))
            for value in row
        ]
    for secret in (token, opened.cookie, RIGHT):
        assert not any(secret in value for value in kept)
    assert any(value.startswith("$argon2id$") for value in kept)
