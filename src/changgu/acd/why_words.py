"""The sentences of an explanation, in Korean and English."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from changgu.acd.agent_words import AGENT_STATE_KO, AgentState, NotReadyReason
from changgu.acd.explain import Explanation, Figures, Reason, Why

REASON_KO = {
    NotReadyReason.MAINTENANCE: "점검",
    NotReadyReason.BREAK: "휴식",
    NotReadyReason.MEAL: "식사",
    NotReadyReason.TRAINING: "교육",
    NotReadyReason.AWAY: "이석",
    NotReadyReason.SIGNED_IN: "착석",
    NotReadyReason.NO_ANSWER: "무응답",
    NotReadyReason.DESKTOP_GONE: "화면 끊김",
}

STATE_EN = {
    AgentState.READY: "ready",
    AgentState.RESERVED: "phone ringing",
    AgentState.TALKING: "talking",
    AgentState.HOLD: "talking, the caller on hold",
    AgentState.WRAP_UP: "in wrap-up",
    AgentState.NOT_READY: "not ready",
    AgentState.UNREACHABLE: "phone unreachable",
    AgentState.LOGGED_OUT: "signed out",
}


@dataclass(frozen=True, slots=True)
class Said:
    """One sentence in both languages."""

    ko: str
    en: str


Names = Mapping[str, str]
"""What agents are called, by login."""


def chosen(explanation: Explanation) -> Said:
    """Why this agent."""
    reason = explanation.chosen
    match reason.why:
        case Why.ONLY:
            return Said("받을 수 있는 요원이 한 명뿐이었습니다.", "Nobody else could take the call.")
        case Why.NAMED:
            return Said("발신자가 찾는 요원입니다.", "The caller asked for this agent.")
        case Why.LAST_AGENT:
            return Said("발신자가 지난번에 통화한 요원입니다.", "The caller spoke to this agent last.")
        case Why.EVERYBODY:
            return Said(
                f"받을 수 있는 요원 모두의 전화를 울립니다({reason.among}명).",
                f"Everybody who can take the call rings ({reason.among}).",
            )
        case Why.BEFORE:
            return Said(
                f"받을 수 있는 요원 {reason.among}명 가운데 다른 요원은 모두 나중 차례였습니다.",
                f"Of {reason.among} agents who could take it, all others come later by any strategy.",
            )
        case Why.TURN if reason.mine is not None:
            first = _FIRST[explanation.strategy]
            figure = _figure(reason.mine)
            return Said(
                f"받을 수 있는 요원 {reason.among}명 가운데 {first.ko}{_bracketed(figure.ko)}.",
                f"Of {reason.among} agents who could take it: {first.en}{_bracketed(figure.en)}.",
            )
    return _UNEXPLAINED


def why_not(reason: Reason, names: Names) -> Said:
    """Why not this other agent; or, of a caller with a better place, why the agent could not take them."""
    match reason.why:
        case Why.STATE:
            return _state(reason)
        case Why.WANTED_OTHER:
            name = _name(reason, names)
            return Said(f"{name} 요원을 기다리는 통화", f"the caller waits for {name}")
        case Why.DELAY:
            return Said(
                f"이 대기열에서 {length(reason.delay).ko} 넘게 기다린 통화만 받음(이 통화: {length(reason.waited).ko})",
                f"takes only callers who have waited {length(reason.delay).en} here "
                f"(this one: {length(reason.waited).en})",
            )
        case Why.SKILLS:
            return Said(
                "기술 부족: " + ", ".join(f"{one.skill} {one.needs} 필요({one.has or '없음'})" for one in reason.lacks),
                "lacks " + ", ".join(f"{one.skill} {one.needs} (has {one.has or 'none'})" for one in reason.lacks),
            )
        case Why.KNOWN:
            name = _name(reason, names)
            return Said(f"발신자가 지난번에 {name} 요원과 통화함", f"the caller spoke to {name} last")
        case Why.LEVEL if reason.mine is not None and reason.chosen is not None:
            return Said(
                f"단계 {reason.mine.level}: 단계 {reason.chosen.level} 요원이 먼저",
                f"level {reason.mine.level}: level {reason.chosen.level} rings first",
            )
        case Why.RANK if reason.mine is not None and reason.chosen is not None:
            return _compared(reason.mine, reason.chosen)
        case Why.DRAWN if reason.mine is not None and reason.chosen is not None:
            return _drawn(reason.mine, reason.chosen)
        case Why.NEXT if reason.mine is not None and reason.chosen is not None:
            after = _name(reason, names)
            mine, theirs = reason.mine.order, reason.chosen.order
            return Said(
                f"목록 {mine}번째: " + (f"{after} 다음은 {theirs}번째 요원" if after else f"{theirs}번째 요원부터"),
                f"number {mine} of the list: " + (f"after {after} comes {theirs}" if after else f"{theirs} begins"),
            )
        case plain:
            return _PLAIN.get(plain, _UNEXPLAINED)


def place(explanation: Explanation) -> Said:
    """Where the caller stood."""
    start = explanation.head_start
    ahead = (
        ("", "") if not start else (f", 우선순위로 {length(start).ko} 앞섬", f", {length(start).en} ahead by priority")
    )
    waited = length(explanation.waited)
    return Said(
        f"대기 {waited.ko}, {explanation.waiting}명 가운데 {explanation.place}번째{ahead[0]}",
        f"waited {waited.en}, number {explanation.place} of {explanation.waiting}{ahead[1]}",
    )


def nearness(reason: Reason) -> tuple[int, int]:
    """What other agents are told in order of: whose turn comes later, then who is busy, then who is away."""
    match reason.why:
        case Why.NOT_IN_QUEUE:
            return 3, 0
        case Why.STATE if reason.state is not None:
            return 2, _BUSY_FIRST.index(reason.state)
        case Why.SKILLS | Why.DELAY | Why.WANTED_OTHER:
            return 1, 0
        case why:
            return 0, -list(Why).index(why)


def not_in_queue(count: int) -> Said:
    """So many serve other queues."""
    return Said(f"맡은 대기열이 아님: {count}명", f"not in the queue: {count}")


def nobody(reasons: Iterable[Reason]) -> Said:
    """What the agents of a queue did while a caller waited there in vain; each counted once."""
    counted = Counter(_standing(reason) for reason in reasons)
    if not counted:
        return Said("맡은 요원이 없었습니다", "no agent serves it")
    kinds = [kind for kind in _STANDINGS if counted[kind]]
    total = counted.total()
    return Said(
        f"맡은 요원 {total}명: " + ", ".join(f"{_STANDINGS[kind].ko} {counted[kind]}명" for kind in kinds),
        f"its {total} agents: " + ", ".join(f"{counted[kind]} {_STANDINGS[kind].en}" for kind in kinds),
    )


def in_vain(queue: str, waited: float, *, still: bool) -> Said:
    """How long a caller waited in a queue, or waits there still."""
    told = length(waited)
    ko, en = ("기다리는 중", "waiting for") if still else ("기다림", "waited for")
    return Said(f"{queue}에서 {told.ko} {ko}", f"{en} {told.en} in {queue}")


def _standing(reason: Reason) -> str:
    if reason.why is Why.STATE and reason.state is not None:
        return "talking" if reason.state is AgentState.HOLD else reason.state.value
    return {Why.SKILLS: "skills", Why.ONLY: "free"}.get(reason.why, "reserved_for")


def length(seconds: float) -> Said:
    """A length of time as people say it."""
    whole = round(abs(seconds))
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    parts = [(hours, "시간", "h"), (minutes, "분", "min"), (rest, "초", "s")]
    told = [part for part in parts if part[0]][:2] or parts[-1:]
    sign = "-" if seconds < 0 and whole else ""
    return Said(
        sign + " ".join(f"{count}{ko}" for count, ko, _ in told),
        sign + " ".join(f"{count} {en}" for count, _, en in told),
    )


_BUSY_FIRST = (
    AgentState.READY, AgentState.RESERVED, AgentState.TALKING, AgentState.HOLD, AgentState.WRAP_UP,
    AgentState.NOT_READY, AgentState.UNREACHABLE, AgentState.LOGGED_OUT,
)  # fmt: skip

_STANDINGS = {
    "talking": Said("통화", "talking"),
    "reserved": Said("다른 통화 호출", "with the phone ringing"),
    "wrap_up": Said("후처리", "in wrap-up"),
    "not_ready": Said("이석", "away"),
    "unreachable": Said("연결불가", "unreachable"),
    "logged_out": Said("로그아웃", "signed out"),
    "skills": Said("기술 부족", "lacking the skill"),
    "reserved_for": Said("아직 차례 아님", "not to be asked yet"),
    "free": Said("대기", "ready"),
}

_UNEXPLAINED = Said("규칙으로 설명되지 않습니다.", "The rules do not explain it.")

_PLAIN = {
    Why.NOT_IN_QUEUE: Said("맡은 대기열이 아님", "does not serve this queue"),
    Why.RINGS_TOO: Said("함께 울림", "rings, too"),
    Why.MISSED: Said("이 통화를 이미 받지 않음: 다른 요원이 먼저", "let this call ring before: all others come first"),
    Why.OPENED: Said(
        "다른 대기열의 요원: 이 대기열의 요원이 먼저", "of another queue: the agents of this queue come first"
    ),
    Why.NAME: Said("모두 같아 아이디 순서로 정함", "nothing told them apart but their logins"),
}

_FIRST = {
    "longest_idle": Said("가장 오래 대기", "the longest idle"),
    "fewest_calls": Said("가장 적게 통화", "the fewest calls"),
    "least_talk_time": Said("통화 시간이 가장 짧음", "the least talk time"),
    "most_skilled": Said("가장 숙련됨", "the most skilled"),
    "linear": Said("목록에서 맨 앞", "the first in the list"),
    "top_down": Said("가장 낮은 단계에서 가장 오래 대기", "the longest idle of the lowest level"),
    "random": Said("무작위로 뽑힘", "drawn at random"),
    "weighted_random": Said("가중치에 따라 뽑힘", "drawn by weight"),
    "round_robin": Said("다음 차례", "the next in turn"),
    "last_agent": Said("가장 오래 대기", "the longest idle"),
    "ring_all": Said("가장 오래 대기", "the longest idle"),
}


def _idle(figures: Figures) -> Said:
    told = length(figures.idle)
    return Said(f"대기 {told.ko}", f"idle {told.en}")


_FIGURE: Mapping[str, Callable[[Figures], Said]] = {
    "fewest_calls": lambda one: Said(f"통화 {one.handled}건", f"{one.handled} calls"),
    "least_talk_time": lambda one: Said(f"통화 {length(one.talked).ko}", f"talked {length(one.talked).en}"),
    "most_skilled": lambda one: Said(f"숙련도 {one.mastery}", f"skill {one.mastery}"),
    "linear": lambda one: Said(f"목록 {one.order}번째", f"number {one.order} of the list"),
    "round_robin": lambda one: Said(f"목록 {one.order}번째", f"number {one.order} of the list"),
    "random": lambda one: Said("", ""),
    "weighted_random": lambda one: Said(f"가중치 {one.weight}", f"weight {one.weight}"),
}


def _figure(figures: Figures) -> Said:
    return _FIGURE.get(figures.strategy, _idle)(figures)


def _compared(mine: Figures, theirs: Figures) -> Said:
    """The first figure that tells the two apart."""
    one, other = _figure(mine), _figure(theirs)
    if one == other:
        one, other = _idle(mine), _idle(theirs)
    if one == other:
        return Said(
            f"{one.ko}, 더 많이 놓침({mine.misses} > {theirs.misses})" if mine.misses != theirs.misses else
            f"{one.ko}, 1초 안의 차이",
            f"{one.en}, missed more ({mine.misses} > {theirs.misses})" if mine.misses != theirs.misses else
            f"{one.en}, less than a second apart",
        )  # fmt: skip
    return Said(f"{one.ko} (선택된 요원: {other.ko})", f"{one.en} (the chosen one: {other.en})")


def _drawn(mine: Figures, theirs: Figures) -> Said:
    one, other = _figure(mine), _figure(theirs)
    return Said(
        "뽑히지 않음" + (f": {one.ko} (선택된 요원: {other.ko})" if one.ko else ""),
        "not drawn" + (f": {one.en} (the chosen one: {other.en})" if one.en else ""),
    )


def _state(reason: Reason) -> Said:
    assert reason.state is not None
    ko, en = AGENT_STATE_KO[reason.state], STATE_EN[reason.state]
    if reason.reason is not None:
        ko, en = f"{ko}({REASON_KO[reason.reason]})", f"{en} ({reason.reason.value.replace('_', ' ')})"
    if reason.call is not None:
        ko, en = f"다른 통화로 {ko}", f"{en} with another call"
    if reason.since:
        told = length(reason.since)
        ko, en = f"{ko}, {told.ko} 전부터", f"{en} for {told.en}"
    return Said(ko, en)


def _name(reason: Reason, names: Names) -> str:
    return names.get(reason.agent or "", reason.agent or "")


def _bracketed(text: str) -> str:
    return f" ({text})" if text else ""
