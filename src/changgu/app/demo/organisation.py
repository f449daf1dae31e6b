"""The example organisation: the same 2,000 people, 30 agents and 3,000 past tickets for the same seed."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

QUEUES = (
    ("helpdesk", "상담원", "1001"),
    ("network", "네트워크", "1002"),
    ("pc", "PC·OA기기", "1003"),
    ("account", "계정·비밀번호", "1004"),
    ("application", "업무시스템", "1005"),
)
AGENTS = 30
PEOPLE = 2_000
PAST_TICKETS = 3_000

_SURNAMES = "김이박최정강조윤장임한오서신권황안송전홍유고문양손배백허남심노하곽성차주우구민"
_GIVEN = [
    "민준",
    "서준",
    "도윤",
    "예준",
    "시우",
    "하준",
    "지호",
    "주원",
    "지후",
    "준우",
    "준서",
    "건우",
    "도현",
    "현우",
    "지훈",
    "우진",
    "선우",
    "서진",
    "민재",
    "현준",
    "연우",
    "유준",
    "정우",
    "승우",
    "승현",
    "서연",
    "서윤",
    "지우",
    "서현",
    "하은",
    "하윤",
    "민서",
    "지유",
    "윤서",
    "채원",
    "수아",
    "지민",
    "지아",
    "수빈",
    "은서",
    "다은",
    "예은",
    "소율",
    "지원",
    "예린",
    "시은",
    "영숙",
    "정희",
    "미경",
    "은주",
    "성호",
    "영수",
    "상철",
    "재영",
    "동현",
    "병철",
    "혜진",
    "은영",
    "현정",
    "지영",
    "미숙",
    "경희",
    "태훈",
    "성민",
    "진우",
]
_DEPARTMENTS = [
    "운영지원과",
    "기획재정담당관실",
    "혁신행정담당관실",
    "정보화담당관실",
    "감사담당관실",
    "대변인실",
    "인사과",
    "총무과",
    "법무담당관실",
    "국제협력과",
    "정책총괄과",
    "제도개선과",
    "조사분석과",
    "심사과",
    "민원과",
    "통계정보과",
    "재난안전과",
    "시설관리과",
    "교육훈련과",
    "홍보기획과",
]
_TITLES = ("주무관", "주무관", "주무관", "행정사무관", "서기관", "과장", "전산주사", "연구관")
_BUILDINGS = ("본관", "별관", "청사 3동", "청사 6동")
_ASSETS = (
    ("노트북", "15인치 업무용"),
    ("데스크톱", "업무용 미니타워"),
    ("프린터", "A4 레이저 복합기"),
    ("모니터", "27인치"),
    ("전화기", "IP 전화기"),
)
_TROUBLES = (
    ("pc", "장애", "컴퓨터가 켜지지 않습니다"),
    ("pc", "장애", "프린터에 용지가 걸립니다"),
    ("pc", "서비스 요청", "모니터 교체를 요청합니다"),
    ("pc", "단순 문의", "한글 문서의 쪽 번호 넣는 법"),
    ("network", "장애", "인터넷이 자주 끊깁니다"),
    ("network", "장애", "공유 폴더에 접속되지 않습니다"),
    ("network", "서비스 요청", "회의실 무선랜을 열어 주십시오"),
    ("application", "장애", "전자결재 상신 단추가 눌리지 않습니다"),
    ("application", "장애", "급여명세서가 보이지 않습니다"),
    ("application", "단순 문의", "출장 신청서 작성 방법"),
    ("account", "서비스 요청", "비밀번호를 초기화해 주십시오"),
    ("account", "서비스 요청", "신규 직원 계정을 만들어 주십시오"),
    ("helpdesk", "단순 문의", "담당 부서 연락처를 알고 싶습니다"),
    ("account", "장애", "인증서 로그인이 되지 않습니다"),
)


@dataclass(frozen=True, slots=True)
class PastTicket:
    """A ticket of the example desk's past, opened `before` the first start."""

    person: int
    """Index into the people."""
    queue: str
    kind: str
    title: str
    before: timedelta
    solved_after: timedelta | None
    grade: str
    satisfaction: int | None


@dataclass(frozen=True, slots=True)
class Organisation:
    """Everything that a first start with `--demo` imports, as the files that an administrator would import."""

    queues_csv: bytes
    agents_csv: bytes
    people_csv: bytes
    agent_logins: tuple[str, ...]
    callers: tuple[str, ...]
    """Telephone numbers of people who call."""
    employee_numbers: tuple[str, ...]
    tickets: tuple[PastTicket, ...]


def organisation(
    random: Random, *, people: int = PEOPLE, agents: int = AGENTS, tickets: int = PAST_TICKETS
) -> Organisation:
    """Build the example organisation; the same random generator gives the same organisation."""
    logins = tuple(f"agent{n:02}" for n in range(1, agents + 1))
    rows = [_person(random, number) for number in range(1, people + 1)]
    return Organisation(
        queues_csv=_table(
            ("name", "title", "number", "strategy", "ring_seconds", "wrap_up_seconds", "ticket", "record"),
            [(name, title, number, "longest_idle", "15", "10", "automatic", "yes") for name, title, number in QUEUES],
        ),
        agents_csv=_table(
            ("login", "name", "queues", "skills", "phone"),
            [(login, _name(random), ";".join(_queues_of(index)), "", "register") for index, login in enumerate(logins)],
        ),
        people_csv=_table(
            (
                "employee_number",
                "name",
                "department",
                "title",
                "email",
                "location",
                "computer_id",
                "phones",
                "fax",
                "assets",
            ),
            rows,
        ),
        agent_logins=logins,
        callers=tuple(row[7].split(";")[0] for row in rows),
        employee_numbers=tuple(row[0] for row in rows),
        tickets=tuple(_past_ticket(random, people) for _ in range(tickets)),
    )


def _name(random: Random) -> str:
    return random.choice(_SURNAMES) + random.choice(_GIVEN)


def _queues_of(index: int) -> Sequence[str]:
    """Each agent serves one queue first, and every third the main queue too."""
    own = QUEUES[index % len(QUEUES)][0]
    return (own, "helpdesk") if index % 3 == 0 and own != "helpdesk" else (own,)


def _person(random: Random, number: int) -> tuple[str, ...]:
    building = random.choice(_BUILDINGS)
    floor = random.randint(1, 12)
    extension = str(3000 + number)
    phones = [f"010-{2000 + number:04}-{random.randint(1000, 9999)}", f"044-200-{extension}", extension]
    if random.random() < 0.15:
        phones.append(f"02-2100-{random.randint(1000, 1099)}")
    assets = "; ".join(
        f"A{number:05}-{place}|{kind}|{model}||{random.randint(2019, 2026)}-{random.randint(1, 12):02}-15"
        for place, (kind, model) in enumerate(random.sample(_ASSETS, random.randint(1, 3)), 1)
    )
    return (
        f"{random.randint(1998, 2026)}{number:05}",
        _name(random),
        random.choice(_DEPARTMENTS),
        random.choice(_TITLES),
        f"user{number:04}@example.go.kr",
        f"{building} {floor}층",
        f"PC-{number:05}",
        ";".join(phones),
        "",
        assets,
    )


def _past_ticket(random: Random, people: int) -> PastTicket:
    queue, kind, title = random.choice(_TROUBLES)
    solved = random.random() < 0.93
    return PastTicket(
        person=random.randrange(people),
        queue=queue,
        kind=kind,
        title=title,
        before=timedelta(minutes=random.randint(60, 60 * 24 * 180)),
        solved_after=timedelta(minutes=random.randint(3, 55)) if solved else None,
        grade=random.choice(("1", "2", "3", "3", "4", "4")),
        satisfaction=random.choice((5, 5, 4, 4, 4, 3, 2, None)) if solved else None,
    )


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()


def opened_at(ticket: PastTicket, now: datetime) -> datetime:
    """When a past ticket was opened, seen from `now`."""
    return now - ticket.before
