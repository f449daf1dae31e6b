"""Reads what the routing file says about one emergency plan beside its rules: title, helpers, how long, and a notice.

    [emergency.outage]
    title = "전산망 장애"
    lasts = "2h"
    helpers = [{ serving = ["pc"], skills = ["vpn"], queues = ["network"], level = 2 }]
    notice = { ko = "전산망 장애를 복구하고 있습니다.", places = ["desk"] }
    [emergency.outage.queue.network]        # as [queue.network], and so are rules and agent
    wrap_up = "5s"
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType

from changgu.acd.emergency import Helpers, PreparedNotice, with_helpers
from changgu.acd.identity import AgentId, QueueName
from changgu.acd.queues import ORDINARY_SEAT, Floor, Seat
from changgu.acd.routing_places import TomlPath
from changgu.acd.routing_queues import Site
from changgu.acd.routing_values import BARE_KEY, Notes, Table, nearest, shown
from changgu.acd.skills import NoSuchLevel, levels, suffices

NOTHING, MINUTE, HOUR, DAY = timedelta(0), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

PLAN = ("title", "instructions", "lasts", "helpers", "notice", "rules", "queue", "agent")
HELPERS = ("agents", "skills", "serving", "queues", "level", "delay")
MOST_PLANS = 20
LONGEST_TITLE = 60
LONGEST_INSTRUCTIONS = 1000
LONGEST_SENTENCE = 300
"""Characters of a notice: half a minute of speech, which every caller has to hear."""
LANGUAGE = re.compile(r"[a-z]{2}")
QUEUE_PLACE, SERVICE_PLACE = "queue:", "service:"


@dataclass(frozen=True, slots=True)
class PlanHead:
    """All of a plan but its rules. `floor` has the helpers where they help."""

    name: str
    title: str
    instructions: str
    lasts: timedelta | None
    notice: PreparedNotice | None
    floor: Floor


def plan_head(table: Table, ordinary: Floor, site: Site, language: str | None) -> PlanHead:
    """One plan without its rules. `language`: what callers are spoken to in, None when that is not known here."""
    table.known(PLAN)
    name = str(table.path[-1])
    if not BARE_KEY.fullmatch(name):
        table.notes.wrong(
            table.path, "이름은 글자, 숫자, -, _로 64자까지입니다.", "a name is letters, digits, - and _, 64 at most"
        )
    lasts = table.length("lasts", NOTHING, MINUTE, 31 * DAY) if "lasts" in table else None
    notice = table.table("notice")
    return PlanHead(
        name,
        _words(table, "title", LONGEST_TITLE) or name,
        _words(table, "instructions", LONGEST_INSTRUCTIONS),
        lasts,
        None if notice is None else _notice(notice, site, language),
        with_helpers(ordinary, list(_helpers(table, ordinary, site))),
    )


def _words(table: Table, key: str, longest: int) -> str:
    if key not in table:
        return ""
    text = table.text(key)
    if text is None:
        return ""
    if not text.strip() or not text.isprintable() or len(text) > longest:
        table.wrong(
            key, f"한 줄에 {longest}자까지 씁니다: {shown(text)}",
            f"one line of at most {longest} characters: {shown(text)}",
        )  # fmt: skip
        return ""
    return text.strip()


# Helpers


def _helpers(table: Table, ordinary: Floor, site: Site) -> Iterator[Helpers]:
    for group in table.tables("helpers"):
        before = len(group.notes.errors)
        group.known(HELPERS)
        if not any(key in group for key in ("agents", "skills", "serving")):
            group.notes.wrong(
                group.path, "누가 돕는지가 없습니다. agents, skills, serving 중 하나를 씁니다.",
                "who helps is missing: give agents, skills or serving",
            )  # fmt: skip
        if not group.entries.get("queues"):
            group.notes.wrong(group.path, "queues(도울 대기열)가 없습니다.", "queues (where they help) is missing")
        read = Helpers(
            queues=tuple(_queues(group, "queues", site)),
            agents=tuple(_agents(group, ordinary)),
            skills=tuple(_skills(group, ordinary)),
            serving=tuple(_queues(group, "serving", site)),
            seat=Seat(group.whole("level", 2, 1, 100), group.length("delay", ORDINARY_SEAT.delay, NOTHING, 4 * HOUR)),
        )
        if len(group.notes.errors) == before:
            _anybody(group, read, ordinary)
            yield read


def _queues(group: Table, key: str, site: Site) -> Iterator[QueueName]:
    for path, name in group.texts(key):
        if _is_queue(path, name, site, group.notes):
            yield QueueName(name)


def _is_queue(path: TomlPath, name: str, site: Site, notes: Notes) -> bool:
    if QueueName(name) in site.queues:
        return True
    ko, en = nearest(name, site.queues)
    notes.wrong(path, f"없는 대기열입니다: {shown(name)}{ko}", f"there is no queue {shown(name)}{en}")
    return False


def _agents(group: Table, floor: Floor) -> Iterator[AgentId]:
    known = {agent.login for agent in floor.agents}
    for path, login in group.texts("agents"):
        if AgentId(login) in known:
            yield AgentId(login)
        else:
            ko, en = nearest(login, known)
            group.notes.wrong(path, f"없는 요원입니다: {shown(login)}{ko}", f"there is no agent {shown(login)}{en}")


def _skills(group: Table, floor: Floor) -> Iterator[str]:
    for path, skill in group.texts("skills"):
        try:
            wanted = levels([skill])
        except NoSuchLevel:
            group.notes.wrong(
                path, f"vpn이나 vpn:7처럼 씁니다. 수준은 1에서 10까지입니다: {shown(skill)}",
                f"written like vpn or vpn:7, with a level from 1 to 10: {shown(skill)}",
            )  # fmt: skip
            continue
        if any(suffices(levels(agent.skills), wanted) for agent in floor.agents):
            yield skill
        else:
            ko, en = nearest(skill.partition(":")[0], {one for agent in floor.agents for one in levels(agent.skills)})
            group.notes.wrong(
                path, f"이만큼 할 수 있는 요원이 없습니다: {shown(skill)}{ko}", f"no agent has {shown(skill)}{en}"
            )


def _anybody(group: Table, helpers: Helpers, floor: Floor) -> None:
    """Warn when nobody of those who are named would serve anything new; who else helps depends on the day's lists."""
    new = (helpers.include(agent) and not agent.queues.issuperset(helpers.queues) for agent in floor.agents)
    if helpers.agents and not any(new):
        names = ", ".join(helpers.queues)
        group.notes.odd(
            group.at("queues"), f"{names} 대기열에 더해지는 요원이 없습니다.", f"this adds nobody to {names}"
        )


# The notice


def _notice(table: Table, site: Site, language: str | None) -> PreparedNotice | None:
    before = len(table.notes.errors)
    sentences: dict[str, str] = {}
    for key in table.entries:
        if key == "places":
            continue
        if LANGUAGE.fullmatch(key):
            sentences[key] = _words(table, key, LONGEST_SENTENCE)
        else:
            table.wrong(key, "ko, en 같은 언어나 places를 씁니다.", "is a language such as ko or en, or places")
    if language is not None and language not in sentences:
        table.notes.wrong(
            table.path, f"이용자에게 말하는 언어({language})의 문장이 없습니다.",
            f"the sentence in the language of the desk ({language}) is missing",
        )  # fmt: skip
    places = tuple(place for path, place in table.texts("places") if _is_place(path, place, site, table.notes))
    if len(table.notes.errors) > before:
        return None
    if not sentences:
        table.notes.wrong(table.path, "말할 문장이 없습니다.", "there is no sentence to say")
        return None
    return PreparedNotice(MappingProxyType(sentences), places or ("desk",))


def _is_place(path: TomlPath, place: str, site: Site, notes: Notes) -> bool:
    if place == "desk":
        return True
    if place.startswith(QUEUE_PLACE):
        return _is_queue(path, place.removeprefix(QUEUE_PLACE), site, notes)
    node = place.removeprefix(SERVICE_PLACE)
    if place.startswith(SERVICE_PLACE) and (site.menu_nodes is None or node in site.menu_nodes):
        return True
    ko, en = nearest(node, site.menu_nodes or ())
    notes.wrong(
        path, f"desk, queue:대기열, service:메뉴 단계 중 하나입니다: {shown(place)}{ko}",
        f"is desk, queue:NAME or service:NODE: {shown(place)}{en}",
    )  # fmt: skip
    return False
