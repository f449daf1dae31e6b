"""The survey of FORM-3 for programs: the form, one case's response, all responses and their figures."""

from datetime import datetime

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from changgu.ground.access import Actor, Gate, Role
from changgu.ground.moments import GivenMoment
from changgu.ground.trouble import BadInput, NotFound
from changgu.ticketing.number import read_number
from changgu.ticketing.surveys.form import QUESTION_NAMES, QUESTION_TEXTS, Question, Response, Way
from changgu.ticketing.surveys.service import Surveys

SINCE = Query(None, description="Begun at or after")
UNTIL = Query(None, description="Begun before")


class QuestionOut(BaseModel):
    """One question of the form."""

    question: Question
    name_ko: str
    name_en: str
    text_ko: str
    text_en: str


class ResponseOut(BaseModel):
    """One case's response. Times are UTC."""

    case: str = Field(description="A ticket number, or the id of a call that has no ticket")
    ticket: str | None
    call: str | None
    way: Way
    begun_at: datetime
    updated_at: datetime
    scores: dict[Question, int | None] = Field(description="1 to 5; null is 무응답 and enters no mean")


class ResponsesOut(BaseModel):
    """Responses, newest first."""

    items: list[ResponseOut]


class QuestionFiguresOut(BaseModel):
    """How one question was answered."""

    question: Question
    asked: int
    answered: int
    mean: float | None = Field(description="Of those who answered")


class FiguresOut(BaseModel):
    """How the survey was answered."""

    responses: int = Field(description="Cases in which it was begun")
    answered: int = Field(description="Cases with at least one answer")
    response_rate: float | None
    questions: list[QuestionFiguresOut]


class AnswersIn(BaseModel):
    """A response by web: whatever is left out or null is 무응답."""

    scores: dict[Question, int | None]


class InvitationIn(BaseModel):
    """Who is to be called for the survey, and when; the ticket's own contact unless a number is given."""

    number: str = Field("", max_length=64)
    due_at: GivenMoment | None = None


class InvitationOut(BaseModel):
    """When the call will be made, at the earliest."""

    due_at: datetime


def build_router(gate: Gate, surveys: Surveys) -> APIRouter:
    """The routes under /api/v1. Scores are for supervisors: an agent does not see who graded them."""
    router = APIRouter(prefix="/api/v1", tags=["surveys"])
    agent = Depends(gate.require(Role.AGENT))
    supervisor = Depends(gate.require(Role.SUPERVISOR))

    @router.get("/surveys/form", summary="The four questions of FORM-3")
    async def form(_: Actor = agent) -> list[QuestionOut]:
        return [_question(one) for one in Question]

    @router.get("/surveys/figures", summary="Means and response rate, 무응답 left out")
    async def figures(
        _: Actor = supervisor, since: GivenMoment | None = SINCE, until: GivenMoment | None = UNTIL
    ) -> FiguresOut:
        found = await surveys.figures(since, until)
        return FiguresOut(
            responses=found.responses, answered=found.answered, response_rate=found.response_rate,
            questions=[
                QuestionFiguresOut(question=one.question, asked=one.asked, answered=one.answered, mean=one.mean)
                for one in found.questions
            ],
        )  # fmt: skip

    @router.get("/surveys", summary="Responses, newest first")
    async def responses(
        _: Actor = supervisor, since: GivenMoment | None = SINCE, until: GivenMoment | None = UNTIL,
        limit: int = Query(200, ge=1, le=1000),
    ) -> ResponsesOut:  # fmt: skip
        return ResponsesOut(items=[_out(one) for one in await surveys.responses(since, until, limit)])

    @router.get("/tickets/{number}/survey", summary="The response to a ticket")
    async def of_ticket(number: str, _: Actor = supervisor) -> ResponseOut:
        found = await surveys.response(number)
        if found is None:
            raise NotFound("응답이 없습니다.", "there is no response")
        return _out(found)

    @router.put("/tickets/{number}/survey", summary="A response given on the web, by a program for its user")
    async def answer(number: str, given: AnswersIn, _: Actor = supervisor) -> ResponseOut:
        if read_number(number) is None or not given.scores:
            raise BadInput("접수번호와 점수를 주십시오.", "give a ticket number and scores", field="scores")
        for question in Question:
            if question in given.scores:
                found = await surveys.survey_answer(number, question, given.scores[question], way=Way.WEB)
        return _out(found)

    @router.post("/tickets/{number}/survey/invitation", status_code=201, summary="Have the requester called for it")
    async def invite(number: str, said: InvitationIn, actor: Actor = supervisor) -> InvitationOut:
        return InvitationOut(due_at=await surveys.invite(number, said.number, actor, due_at=said.due_at))

    return router


def _question(question: Question) -> QuestionOut:
    (name_ko, name_en), (text_ko, text_en) = QUESTION_NAMES[question], QUESTION_TEXTS[question]
    return QuestionOut(question=question, name_ko=name_ko, name_en=name_en, text_ko=text_ko, text_en=text_en)


def _out(response: Response) -> ResponseOut:
    return ResponseOut(
        case=response.case, ticket=response.ticket, call=response.call, way=response.way, begun_at=response.begun_at,
        updated_at=response.updated_at, scores=response.scores,
    )  # fmt: skip
