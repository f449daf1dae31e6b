"""The desk's figures: each formula once, with the words and the source that every page shows beside it.

All rates are fractions between 0 and 1, all times seconds. None means that nothing has happened yet: a day without a
call has no abandonment rate, and 0 % would be praise it has not earned.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Unit(StrEnum):
    """How a figure is written."""

    COUNT = "count"
    RATE = "rate"
    SECONDS = "seconds"
    SINCE = "since"
    """An instant; shown as the time that has passed since."""


@dataclass(frozen=True, slots=True)
class Definition:
    """What a figure means, in words that can stand on the page."""

    ko: str
    en: str
    formula_ko: str
    formula_en: str
    unit: Unit


def offered(queued: int, refused_before_queue: int = 0) -> int:
    """인입: queued + refused (full, empty, closed). Each call has one outcome, and the outcomes sum to this.

    `refused_before_queue` are all who came to a queue and were led another way at its door, to an apology or elsewhere.
    """
    return queued + refused_before_queue


def abandonment_rate(abandoned: int, short_abandoned: int, offered: int) -> float | None:
    """포기율: (abandoned − short) / (offered − short); in the queue only, a hang-up in the menu is reported apart.

    `abandoned` includes the short ones. Genesys divides by offered, Amazon Connect by queued; neither removes callers
    who rang off within seconds, for whom no staffing could have helped.
    """
    return _ratio(abandoned - short_abandoned, offered - short_abandoned)


def answer_rate(answered: int, offered: int, short_abandoned: int = 0) -> float | None:
    """응대율: answered / offered, the common Korean practice; give `short_abandoned` for the variant without them."""
    return _ratio(answered, offered - short_abandoned)


def service_level(answered_in_time: int, offered: int, short_abandoned: int, undecided: int = 0) -> float | None:
    """서비스레벨: answered within T / (offered − short abandons − undecided); T is the queue's own, and `≤`.

    `undecided` are the calls that wait and can still be answered within T: to count them as missed would show 0 % while
    the first caller of a quiet day hears the ringing. A call that has waited longer than T counts against us at once.
    """
    return _ratio(answered_in_time, offered - short_abandoned - undecided)


def service_level_of_answered(answered_in_time: int, answered: int) -> float | None:
    """Asterisk's ServicelevelPerf, as Wazo shows it: answered within T / answered. Blind to every abandoned call."""
    return _ratio(answered_in_time, answered)


def service_level_with_abandons(
    answered_in_time: int, abandoned_in_time: int, answered: int, abandoned: int
) -> float | None:
    """Asterisk's ServicelevelPerf2: (answered + abandoned within T) / (answered + abandoned)."""
    return _ratio(answered_in_time + abandoned_in_time, answered + abandoned)


def service_level_of_queued(answered_in_time: int, abandoned_in_time: int, queued: int) -> float | None:
    """Amazon Connect's: removed from the queue within T, by whatever way / queued."""
    return _ratio(answered_in_time + abandoned_in_time, queued)


def average_speed_of_answer(waited: float, answered: int) -> float | None:
    """평균응답속도 (ASA): seconds from joining the queue to hearing the agent, ringing included / answered calls."""
    return waited / answered if answered else None


def average_handling_time(handled_seconds: float, handled: int) -> float | None:
    """평균처리시간 (AHT): talk + hold + wrap-up / handled calls; ringing is not handling."""
    return handled_seconds / handled if handled else None


def occupancy(handling: float, ringing: float, ready: float) -> float | None:
    """점유율: (talk + hold + wrap-up + ringing) / (that + ready); breaks are in neither."""
    busy = handling + ringing
    return busy / (busy + ready) if busy + ready > 0 else None


def promise_coverage(kept: int, missed: int) -> float | None:
    """예상대기 적중률: answered within what they were first told / callers told so of whom it is known.

    A caller who leaves before the promised time is over is in neither: nobody knows whether it would have been kept.
    """
    return _ratio(kept, kept + missed)


def middle(lengths: Sequence[float]) -> float | None:
    """The median of lengths in order: half took no longer. One call-back that took days does not move it."""
    if not lengths:
        return None
    half = len(lengths) // 2
    return lengths[half] if len(lengths) % 2 else (lengths[half - 1] + lengths[half]) / 2


def is_short_abandon(waited: float, limit: float) -> bool:
    """단순포기: the caller left at or before the queue's limit (5 s unless set), and nobody could have helped them."""
    return waited <= limit


def in_time(waited: float, service_level_seconds: float) -> bool:
    """Whether an answer kept the service level: at T sharp it did."""
    return waited <= service_level_seconds


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole > 0 else None


DEFINITIONS: Mapping[str, Definition] = {
    "waiting": Definition(
        "대기 콜",
        "Waiting",
        "지금 대기열에서 상담을 기다리는 전화의 수. 요원에게 울리고 있는 전화를 포함합니다.",
        "Calls in a queue at this moment, those ringing at an agent among them.",
        Unit.COUNT,
    ),
    "longest_wait_since": Definition(
        "최장 대기",
        "Longest wait",
        "지금 기다리는 전화 가운데 가장 먼저 들어온 전화가 대기열에서 보낸 시간.",
        "How long the caller who has waited longest has been in the queue.",
        Unit.SINCE,
    ),
    "offered": Definition(
        "인입",
        "Offered",
        "오늘 대기열에 온 전화: 들어온 전화 + 들이지 못한 전화(거절 등). 전체에서는 대기열을 옮겨도 한 번만 셉니다. "
        "모든 전화는 결과를 하나만 가지며, 결과의 합이 인입입니다.",
        "Calls that came to a queue today: those that joined it + those not let in. In the total a call counts once, "
        "however many queues it was in. Every call has one outcome; the outcomes add up to this.",
        Unit.COUNT,
    ),
    "answered": Definition(
        "응답",
        "Answered",
        "오늘 인입된 전화 가운데 요원과 통화가 연결된 전화.",
        "Of today's offered calls, those in which caller and agent heard each other.",
        Unit.COUNT,
    ),
    "abandoned": Definition(
        "포기",
        "Abandoned",
        "대기 중이거나 요원에게 울리는 동안 고객이 끊은 전화. 단순포기 포함, 안내(ARS) 중 끊은 전화 제외.",
        "Callers who hung up while waiting or ringing, short abandons included, hang-ups in the menu not.",
        Unit.COUNT,
    ),
    "short_abandoned": Definition(
        "단순포기",
        "Short abandons",
        "대기열의 단순포기 기준(기본 5초) 이내에 끊은 전화.",
        "Callers who hung up within the queue's limit (5 seconds unless set).",
        Unit.COUNT,
    ),
    "refused": Definition(
        "거절",
        "Refused",
        "대기열이 받을 수 없어 안내 후 끊은 전화: 대기 인원이 참, 맡은 요원이 없음, 최대 대기시간이 지남 등.",
        "Calls that the queue could not take: full, nobody serves it, waited as long as allowed, and so on.",
        Unit.COUNT,
    ),
    "abandonment_rate": Definition(
        "포기율",
        "Abandon rate",
        "(포기 − 단순포기) ÷ (인입 − 단순포기)",
        "(abandoned − short) ÷ (offered − short)",
        Unit.RATE,
    ),
    "answer_rate": Definition(
        "응대율",
        "Answer rate",
        "응답 ÷ 인입",
        "answered ÷ offered",
        Unit.RATE,
    ),
    "service_level": Definition(
        "서비스레벨",
        "Service level",
        "목표시간(대기열마다, 기본 20초) 이내 응답 ÷ (인입 − 단순포기 − 아직 목표시간 안에서 기다리는 전화)",
        "answered within the target (per queue, 20 seconds unless set) ÷ (offered − short − waiting within the target)",
        Unit.RATE,
    ),
    "asa": Definition(
        "평균 응답속도",
        "Speed of answer",
        "대기열에 들어와 요원과 연결될 때까지 걸린 시간의 평균. 응답한 전화만, 울린 시간 포함.",
        "Mean time from joining the queue to hearing the agent; answered calls only, ringing included.",
        Unit.SECONDS,
    ),
    "aht": Definition(
        "평균 처리시간",
        "Handling time",
        "(통화 + 보류 + 후처리) ÷ 처리한 전화. 울린 시간은 넣지 않습니다.",
        "(talk + hold + wrap-up) ÷ handled calls; ringing is not counted.",
        Unit.SECONDS,
    ),
    "in_menu": Definition(
        "안내 중",
        "In the menu",
        "지금 자동안내(ARS)를 듣고 있는 전화.",
        "Calls that are listening to the menu at this moment.",
        Unit.COUNT,
    ),
    "abandoned_in_menu": Definition(
        "안내 중 끊음",
        "Left in the menu",
        "자동안내 중에 끊은 전화. 포기율에는 넣지 않습니다.",
        "Callers who hung up in the menu; not part of the abandonment rate.",
        Unit.COUNT,
    ),
    "self_served": Definition(
        "자동안내 완료",
        "Self-served",
        "상담 없이 자동안내에서 끝난 전화.",
        "Calls that the menu served without an agent.",
        Unit.COUNT,
    ),
    "moved": Definition(
        "다른 대기열로",
        "Moved on",
        "이 대기열에 왔다가 요원과 연결되기 전에 다른 대기열로 옮긴 전화. 전체에는 없습니다.",
        "Calls that came to this queue and went on to another before an agent was heard; none in the total.",
        Unit.COUNT,
    ),
    "diverted": Definition(
        "다른 길 안내 중",
        "On another way",
        "대기열에서 나와 음성메일·콜백 예약·안내 방송·외부 연결 중인 전화. 아직 결과가 없습니다.",
        "Callers led out of a queue who are leaving a message, booking a call-back and so on; without an outcome yet.",
        Unit.COUNT,
    ),
    "voicemail": Definition(
        "음성메일",
        "Voicemail",
        "기다리지 않고 음성메일을 남긴 전화.",
        "Callers who left a message instead of waiting.",
        Unit.COUNT,
    ),
    "to_callback": Definition(
        "콜백 예약",
        "Chose a call-back",
        "기다리지 않고 콜백을 예약한 전화. 포기로 세지 않습니다.",
        "Callers who hung up with the promise of being called back; not abandoned.",
        Unit.COUNT,
    ),
    "redirected": Definition(
        "외부 연결",
        "Sent outside",
        "외부 번호로 연결해 준 전화.",
        "Calls sent on to a number outside the desk.",
        Unit.COUNT,
    ),
    "served_by_menu": Definition(
        "안내로 해결",
        "Served by the menu",
        "대기열에 왔다가 자동안내에서 용건을 마친 전화.",
        "Callers who came to a queue and were then served by the menu.",
        Unit.COUNT,
    ),
    "lost": Definition(
        "비정상 종료",
        "Lost",
        "전화교환기에서 끊긴 전화. 포기와 섞지 않습니다.",
        "Calls that the PBX dropped; never hidden among the abandoned.",
        Unit.COUNT,
    ),
    "longest_expected_wait": Definition(
        "최장 예상 대기",
        "Longest expected wait",
        "지금 기다리는 고객에게 안내한 예상: 대기열에 들어온 때부터 연결된다고 한 때까지. 그 가운데 가장 긴 것.",
        "Of the callers who wait now, the longest time from joining the queue to when, as they were last told, they "
        "will be answered.",
        Unit.SECONDS,
    ),
    "promise_coverage": Definition(
        "예상대기 적중률",
        "Promise kept",
        "처음 안내한 예상 대기시간 안에 연결된 고객 ÷ (그 고객 + 그 시간이 지나도 연결되지 못한 고객). "
        "시간이 되기 전에 나간 고객은 넣지 않습니다. 목표는 안내할 때의 확률(기본 80%)입니다.",
        "answered within the wait they were first told ÷ (those + those for whom it passed unanswered); who left "
        "before it was over is in neither. The aim is the confidence with which it is told (80 % unless set).",
        Unit.RATE,
    ),
    "callbacks_open": Definition(
        "대기 콜백",
        "Call-backs open",
        "약속하고 아직 지키지 못한 콜백의 수(어제 약속한 것 포함). 인입에는 넣지 않습니다.",
        "Promises to call back that are not settled, those of earlier days among them; not part of offered.",
        Unit.COUNT,
    ),
    "callbacks_kept": Definition(
        "완료 콜백",
        "Call-backs kept",
        "오늘 고객과 통화가 된 콜백.",
        "Promises settled today by a conversation.",
        Unit.COUNT,
    ),
    "callbacks_given_up": Definition(
        "포기 콜백",
        "Call-backs given up",
        "정한 횟수만큼 걸어도 받지 않아 오늘 그만둔 콜백.",
        "Promises given up today: not reached in as many attempts as the rules allow.",
        Unit.COUNT,
    ),
    "callbacks_withdrawn": Definition(
        "거둔 콜백",
        "Call-backs withdrawn",
        "취소했거나 고객이 먼저 다시 걸어 온 콜백.",
        "Promises cancelled today, or whose person called in themselves.",
        Unit.COUNT,
    ),
    "callback_attempts": Definition(
        "콜백 시도",
        "Call-back attempts",
        "오늘 콜백하려고 고객에게 건 전화. 걸기 전에 미룬 것은 넣지 않습니다.",
        "Dials made today to keep a promise; attempts put off before dialling are not counted.",
        Unit.COUNT,
    ),
    "callback_time": Definition(
        "콜백 소요",
        "Time to call back",
        "고객이 처음 전화한 때부터 콜백으로 통화가 된 때까지의 중앙값. 오늘 완료한 콜백.",
        "Median time from the caller's first try to the conversation, of the promises kept today.",
        Unit.SECONDS,
    ),
    "overdue": Definition(
        "이석 초과",
        "Away too long",
        "이석 사유마다 정한 시간을 넘긴 요원의 수.",
        "Agents who have been away for one reason for longer than the floor allows.",
        Unit.COUNT,
    ),
    "repaired": Definition(
        "자동 복구",
        "Repaired",
        "근거가 사라진 상태(끊긴 통화 등)를 오늘 바로잡은 횟수.",
        "How often today a state that had outlived its evidence was put right.",
        Unit.COUNT,
    ),
}
"""By the name of the figure in the wallboard's messages."""
