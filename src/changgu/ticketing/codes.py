"""The code lists of a desk: grades, types, causes and resolutions of incidents, and the groups behind the desk.

The guideline leaves them to each organisation (notes on 장애등급 and ENUM-11), so they are values, not constants;
`DEFAULT_CODES` is what a new desk begins with.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Code:
    """One entry of a list: what is stored, and what people read."""

    code: str
    ko: str
    en: str


@dataclass(frozen=True, slots=True)
class SupportGroup(Code):
    """An IT지원그룹 and its support line (ENUM-10): 2, 3, … ; 9 for an outside supplier."""

    line: int = 2


@dataclass(frozen=True, slots=True)
class Codes:
    """All lists of a desk."""

    grades: tuple[Code, ...] = ()
    types: tuple[Code, ...] = ()
    causes: tuple[Code, ...] = ()
    resolutions: tuple[Code, ...] = ()
    groups: tuple[SupportGroup, ...] = field(default_factory=tuple)

    def group(self, code: str) -> SupportGroup | None:
        """The group with this code."""
        return next((group for group in self.groups if group.code == code), None)


def named(entries: tuple[Code, ...], code: str | None) -> Code | None:
    """The entry with this code."""
    return next((entry for entry in entries if entry.code == code), None)


DEFAULT_CODES = Codes(
    grades=(
        Code("1", "1등급", "grade 1"),
        Code("2", "2등급", "grade 2"),
        Code("3", "3등급", "grade 3"),
        Code("4", "4등급", "grade 4"),
    ),
    types=(
        Code("handling", "조작미숙, 실수", "handling or mistake"),
        Code("software", "S/W상의 문제", "software"),
        Code("other", "H/W, N/W 등 기타", "hardware, network, other"),
    ),
    causes=(
        Code("user", "사용 미숙", "unfamiliar user"),
        Code("configuration", "설정 오류", "configuration"),
        Code("defect", "프로그램 결함", "program defect"),
        Code("wear", "장비 노후·고장", "equipment worn or broken"),
        Code("capacity", "용량·성능 부족", "capacity"),
        Code("network", "통신 장애", "network"),
        Code("security", "보안·악성코드", "security"),
        Code("unknown", "원인 미상", "unknown"),
    ),
    resolutions=(
        Code("advice", "사용법 안내", "advice"),
        Code("setting", "설정 변경", "setting changed"),
        Code("restart", "재시작", "restarted"),
        Code("repair", "수리", "repaired"),
        Code("replacement", "교체", "replaced"),
        Code("patch", "프로그램 수정", "program corrected"),
        Code("workaround", "임시 조치", "workaround"),
        Code("none", "재현되지 않음", "not reproducible"),
    ),
    groups=(
        SupportGroup("network", "네트워크 지원그룹", "network support", 2),
        SupportGroup("pc", "PC·OA기기 지원그룹", "PC and office equipment", 2),
        SupportGroup("account", "계정·보안 지원그룹", "accounts and security", 2),
        SupportGroup("application", "업무시스템 지원그룹", "business applications", 2),
        SupportGroup("server", "서버·DB 지원그룹", "servers and databases", 3),
        SupportGroup("vendor", "외부 공급업체", "outside supplier", 9),
    ),
)
