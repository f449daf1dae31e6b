"""Reads the lists of queues and agents from a spreadsheet; every mistake is named by file, line and column.

A list adds to the floor and changes what is on it; it removes nobody. A column that is not in the file leaves
what it names as it was. Nothing here touches the floor: whoever reads a list without a mistake saves it whole.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import TypeVar

from changgu.acd.identity import AgentId, QueueName
from changgu.acd.queues import Agent, Floor, Queue, TicketPolicy
from changgu.acd.skills import BEST, SKILL
from changgu.acd.strategies import STRATEGIES
from changgu.ground.csv_rows import Row, RowError, RowErrors, read_rows

T = TypeVar("T")

QUEUE_REQUIRED = ("name", "title")
QUEUE_OPTIONAL = (
    "number", "strategy", "ring_seconds", "wrap_up_seconds", "misses_before_not_ready", "ticket", "record",
    "service_level_seconds", "short_abandon_seconds",
)  # fmt: skip
AGENT_REQUIRED = ("login", "name")
AGENT_OPTIONAL = ("queues", "skills", "phone")

ALSO_CALLED = {
    "대기열": "name",
    "표시이름": "title",
    "제목": "title",
    "번호": "number",
    "분배방식": "strategy",
    "호출시간": "ring_seconds",
    "후처리시간": "wrap_up_seconds",
    "무응답허용": "misses_before_not_ready",
    "접수": "ticket",
    "녹음": "record",
    "아이디": "login",
    "이름": "name",
    "담당대기열": "queues",
    "기술": "skills",
    "전화": "phone",
}
TICKET_WORDS = {
    **{policy.value: policy for policy in TicketPolicy},
    "자동": TicketPolicy.AUTOMATIC,
    "확인": TicketPolicy.ASK,
    "없음": TicketPolicy.NONE,
}
YES_OR_NO = {
    **dict.fromkeys(("yes", "true", "1", "y", "on", "예"), True),
    **dict.fromkeys(("no", "false", "0", "n", "off", "아니오"), False),
}

LOGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
QUEUE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
NUMBER = re.compile(r"\+?[0-9]{1,15}")
SIP_ADDRESS = re.compile(
    r"sips?:(?:[A-Za-z0-9._~+-]{1,64}@)?(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])"
    r"(?::[0-9]{1,5})?(?:;transport=(?:udp|tcp))?"
)
LONGEST_TITLE = 200
LIST_SEPARATORS = re.compile(r"[;|,\s]+")

Check = tuple[Callable[[str], T | None], str, str]
"""How a cell is read (None when it cannot be), and what to say then, Korean and English."""


def read_queues(file: str, content: bytes, floor: Floor, reserved: Mapping[str, str] | None = None) -> list[Queue]:
    """The queues of a file, as they will be on the floor.

    `reserved` are numbers that are taken, and by what, such as {"1000": "대표번호"}.

    Raises:
        RowErrors: with every mistake in the file.
    """
    errors: list[RowError] = []
    rows = read_rows(file, content, QUEUE_REQUIRED, QUEUE_OPTIONAL, also_called=ALSO_CALLED, mistakes=errors)
    before = {queue.name: queue for queue in floor.queues}
    queues = [_queue(row, before, errors) for row in rows]
    _refuse_repeats(rows, "name", [queue.name for queue in queues], before, errors)
    _refuse_number_clashes(rows, queues, before, reserved or {}, errors)
    if errors:
        raise RowErrors(errors)
    return queues


def read_agents(file: str, content: bytes, floor: Floor) -> list[Agent]:
    """The agents of a file, as they will be on the floor; their queues must be on it already.

    `queues` and `skills` are lists with `;` between; a skill may have a level from 1 to 10, `vpn:7`. `phone` is
    `register` (a SIP phone that registers with us), `browser`, or the `sip:` address of a phone that does not register.

    Raises:
        RowErrors: with every mistake in the file.
    """
    errors: list[RowError] = []
    rows = read_rows(file, content, AGENT_REQUIRED, AGENT_OPTIONAL, also_called=ALSO_CALLED, mistakes=errors)
    before = {agent.login: agent for agent in floor.agents}
    known = {queue.name for queue in floor.queues}
    agents = [_agent(row, before, known, errors) for row in rows]
    _refuse_repeats(rows, "login", [agent.login for agent in agents], before, errors)
    if errors:
        raise RowErrors(errors)
    return agents


def _queue(row: Row, before: Mapping[QueueName, Queue], errors: list[RowError]) -> Queue:
    name = QueueName(_cell(row, "name", _matching(QUEUE_NAME, _QUEUE_NAME_KO, _QUEUE_NAME_EN), "", errors))
    old = before.get(name, Queue(name, ""))
    blank = Queue(name, "")

    def seconds(column: str, kept: timedelta, default: timedelta, least: float, most: float) -> timedelta:
        check = _number_between(least, most, "초", "seconds")
        if not row.has(column):
            return kept
        return timedelta(seconds=_cell(row, column, check, default.total_seconds(), errors))

    def kept(column: str, old_value: T, default: T, check: Check[T]) -> T:
        return _cell(row, column, check, default, errors) if row.has(column) else old_value

    misses = kept(
        "misses_before_not_ready", float(old.misses_before_not_ready), float(blank.misses_before_not_ready),
        _number_between(1, 100, "번", "misses"),
    )  # fmt: skip
    return Queue(
        name=name,
        title=_cell(row, "title", _short_text(), "", errors),
        number=kept("number", old.number, None, _matching(NUMBER, _NUMBER_KO, _NUMBER_EN)),
        strategy=kept("strategy", old.strategy, blank.strategy, _one_of({name: name for name in STRATEGIES})),
        ring_limit=seconds("ring_seconds", old.ring_limit, blank.ring_limit, 3, 600),
        wrap_up=seconds("wrap_up_seconds", old.wrap_up, blank.wrap_up, 0, 3600),
        misses_before_not_ready=int(misses),
        ticket=kept("ticket", old.ticket, blank.ticket, _one_of(TICKET_WORDS)),
        record=kept("record", old.record, blank.record, _one_of(YES_OR_NO)),
        service_level=seconds("service_level_seconds", old.service_level, blank.service_level, 1, 3600),
        short_abandon=seconds("short_abandon_seconds", old.short_abandon, blank.short_abandon, 0, 600),
    )


def _agent(row: Row, before: Mapping[AgentId, Agent], known: set[QueueName], errors: list[RowError]) -> Agent:
    login = AgentId(_cell(row, "login", _matching(LOGIN, _LOGIN_KO, _LOGIN_EN), "", errors))
    old = before.get(login, Agent(login, ""))
    queues, skills, phone = old.queues, old.skills, old.phone
    if row.has("queues"):
        queues = frozenset(QueueName(part) for part in _listed(row["queues"]))
        for name in sorted(queues - known):
            errors.append(row.error("queues", f"없는 대기열입니다: {name[:64]}", f"there is no queue {name[:64]}"))
    if row.has("skills"):
        skills = frozenset(_listed(row["skills"]))
        _refuse_skills(row, skills, errors)
    if row.has("phone"):
        phone = _cell(row, "phone", (_phone, _PHONE_KO, _PHONE_EN), "register", errors)
    return Agent(login, _cell(row, "name", _short_text(), "", errors), queues, skills, phone)


def _refuse_skills(row: Row, skills: frozenset[str], errors: list[RowError]) -> None:
    """A skill is `vpn`, or with a level `vpn:7`; of one skill nobody has two levels."""
    named: dict[str, str] = {}
    for skill in sorted(skills):
        match = SKILL.fullmatch(skill)
        if match is None:
            shown = skill[:64]
            ko = f"기술은 글자, 숫자, . + # - _ 로 된 이름이나 이름:단계(1~{BEST})로 씁니다: {shown}"
            en = f"a skill is letters, digits, . + # - _, or name:level with a level from 1 to {BEST}: {shown}"
            errors.append(row.error("skills", ko, en))
        elif (other := named.setdefault(match["name"], skill)) != skill:
            ko, en = f"같은 기술이 두 번 있습니다: {other}, {skill}", f"one skill twice: {other} and {skill}"
            errors.append(row.error("skills", ko, en))


def _cell(row: Row, column: str, check: Check[T], default: T, errors: list[RowError]) -> T:
    """What a cell says; `default` when it is empty, and also, with the mistake noted, when it cannot be read."""
    text = row[column]
    if not text:
        return default
    read, ko, en = check
    value = read(text)
    if value is None:
        shown = text[:64]
        errors.append(row.error(column, f"{ko}: {shown}", f"{en}: {shown}"))
        return default
    return value


def _refuse_repeats(
    rows: list[Row], column: str, names: list[str], before: Iterable[str], errors: list[RowError]
) -> None:
    """Names that differ only in capitals would be taken for each other on the phone and on the page."""
    spelling = {name.casefold(): name for name in before}
    lines: dict[str, int] = {}
    for row, name in zip(rows, names, strict=True):
        if not name:
            continue
        folded = name.casefold()
        if folded in lines:
            ko, en = f"{lines[folded]}행에 이미 있습니다: {name}", f"{name} is already in line {lines[folded]}"
            errors.append(row.error(column, ko, en))
        elif spelling.get(folded, name) != name:
            ko = f"대소문자만 다른 이름이 이미 있습니다: {spelling[folded]}"
            errors.append(row.error(column, ko, f"differs only in capitals from {spelling[folded]}"))
        lines.setdefault(folded, row.line)


def _refuse_number_clashes(
    rows: list[Row],
    queues: list[Queue],
    before: Mapping[QueueName, Queue],
    reserved: Mapping[str, str],
    errors: list[RowError],
) -> None:
    listed = {queue.name for queue in queues}
    taken = dict(reserved)
    taken |= {queue.number: queue.name for queue in before.values() if queue.number and queue.name not in listed}
    for row, queue in zip(rows, queues, strict=True):
        if queue.number is None:
            continue
        owner, name = taken.get(queue.number), queue.name or f"{row.file}:{row.line}"
        if owner is not None and owner != name:
            ko = f"이미 쓰는 번호입니다: {queue.number} ({owner})"
            errors.append(row.error("number", ko, f"{queue.number} is taken by {owner}"))
        taken.setdefault(queue.number, name)


def _listed(text: str) -> list[str]:
    return [part for part in LIST_SEPARATORS.split(text) if part]


def _phone(text: str) -> str | None:
    if text.casefold() in ("register", "browser"):
        return text.casefold()
    return text if SIP_ADDRESS.fullmatch(text) else None


def _matching(pattern: re.Pattern[str], ko: str, en: str) -> Check[str]:
    return (lambda text: text if pattern.fullmatch(text) else None), ko, en


def _short_text() -> Check[str]:
    ko = f"{LONGEST_TITLE}자까지, 보이지 않는 글자 없이 씁니다"
    en = f"at most {LONGEST_TITLE} characters, none of them invisible"
    return (lambda text: text if len(text) <= LONGEST_TITLE and text.isprintable() else None), ko, en


def _one_of(words: Mapping[str, T]) -> Check[T]:
    known = ", ".join(words)
    return (lambda text: words.get(text.casefold())), f"다음 중 하나여야 합니다({known})", f"must be one of {known}"


def _number_between(least: float, most: float, ko_unit: str, en_unit: str) -> Check[float]:
    def read(text: str) -> float | None:
        return float(text) if re.fullmatch(r"[0-9]{1,6}", text) and least <= float(text) <= most else None

    return read, f"{least:g}~{most:g}{ko_unit}여야 합니다", f"must be {least:g} to {most:g} {en_unit}"


_QUEUE_NAME_KO = "대기열 이름은 영문자, 숫자, - _ 로 64자까지 씁니다"
_QUEUE_NAME_EN = "a queue's name is up to 64 letters, digits, - and _"
_LOGIN_KO = "아이디는 영문자, 숫자, . _ - 로 64자까지 씁니다"
_LOGIN_EN = "a login is up to 64 letters, digits, . _ and -"
_NUMBER_KO = "전화번호는 숫자 15자리까지입니다"
_NUMBER_EN = "a number is up to 15 digits"
_PHONE_KO = "register, browser 또는 sip: 주소여야 합니다"
_PHONE_EN = "must be register, browser or a sip: address"
