"""FORM-3: the four questions of the survey, and what counts as an answer."""

from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from changgu.acd.identity import CallId
from changgu.ground.trouble import BadInput
from changgu.ticketing.number import TicketNumber

EDIT_WINDOW = timedelta(minutes=30)
"""So long after its first answer a response may be completed or corrected, by the same way only (SAT-02)."""
LOW = 2
"""An overall score up to this opens a complaint (SAT-04)."""


class Question(StrEnum):
    """평가항목, in the order of the form."""

    PROMPTNESS = "promptness"
    ACCURACY = "accuracy"
    KINDNESS = "kindness"
    OVERALL = "overall"


QUESTION_NAMES = {
    Question.PROMPTNESS: ("신속성", "promptness"),
    Question.ACCURACY: ("정확성", "accuracy"),
    Question.KINDNESS: ("친절성", "kindness"),
    Question.OVERALL: ("만족도", "satisfaction"),
}
QUESTION_TEXTS = {
    Question.PROMPTNESS: ("적시에 서비스가 제공되었는가?", "Was the service given in time?"),
    Question.ACCURACY: ("요청한 서비스는 정확하게 처리되었는가?", "Was what you asked for done correctly?"),
    Question.KINDNESS: (
        "서비스데스크 요원은 요청에 친절하게 응대하였는가?", "Did the agent of the service desk answer kindly?"
    ),
    Question.OVERALL: (
        "전반적으로 서비스요청 처리결과에 만족하는가?", "Are you satisfied with the outcome as a whole?"
    ),
}  # fmt: skip


class Way(StrEnum):
    """How a response was given."""

    AFTER_CALL = "after_call"
    """By keys, at the end of the conversation."""
    OUTBOUND = "outbound"
    """By keys, when the desk called."""
    MENU = "menu"
    """By keys, in the menu."""
    WEB = "web"


class Response(Struct, frozen=True):
    """The one response to a case; None is 무응답, and enters no mean (SAT-03)."""

    case: str
    """A ticket number, or the id of a call that has no ticket."""
    ticket: TicketNumber | None
    call: CallId | None
    way: Way
    begun_at: datetime
    updated_at: datetime
    scores: dict[Question, int | None]

    @property
    def is_answered(self) -> bool:
        """Whether any question was answered."""
        return any(score is not None for score in self.scores.values())


class QuestionFigures(Struct, frozen=True):
    """How one question was answered."""

    question: Question
    asked: int
    answered: int
    mean: float | None
    """Of those who answered, 1 to 5; None when nobody did."""


class SurveyFigures(Struct, frozen=True):
    """How the survey was answered over a time."""

    responses: int
    """Cases in which it was begun."""
    answered: int
    """Cases with at least one answer."""
    questions: tuple[QuestionFigures, ...]

    @property
    def response_rate(self) -> float | None:
        """Answered of begun, 0 to 1; None when none was begun."""
        return self.answered / self.responses if self.responses else None


def checked_score(score: int | None) -> int | None:
    """1 to 5, or None for 무응답; raises `BadInput`."""
    if score is not None and not 1 <= score <= 5:
        raise BadInput("1점부터 5점까지입니다.", "a score is 1 to 5", field="score")
    return score


def score_of_key(key: str | None) -> int | None:
    """The score of the key that was pressed; None for no key, and for one that is no score."""
    return int(key) if key is not None and key in {"1", "2", "3", "4", "5"} else None


def figures(responses: list[Response]) -> SurveyFigures:
    """The figures of these responses."""
    questions = []
    for question in Question:
        scores = [response.scores[question] for response in responses if question in response.scores]
        given = [score for score in scores if score is not None]
        mean = sum(given) / len(given) if given else None
        questions.append(QuestionFigures(question, len(scores), len(given), mean))
    answered = sum(response.is_answered for response in responses)
    return SurveyFigures(len(responses), answered, tuple(questions))
