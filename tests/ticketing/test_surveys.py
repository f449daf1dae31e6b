"""The survey of FORM-3: one response per case, silence is no grade, and a low one opens a complaint."""

from datetime import timedelta

import pytest

from changgu.acd.identity import CallId, QueueName
from changgu.ground.database import Database
from changgu.ground.trouble import BadInput, Conflict
from changgu.ticketing.entries import Caller, NewTicket
from changgu.ticketing.lifecycle import Move
from changgu.ticketing.number import ticket_number
from changgu.ticketing.service import Tickets
from changgu.ticketing.surveys.form import (
    EDIT_WINDOW,
    QUESTION_NAMES,
    QUESTION_TEXTS,
    Question,
    Way,
    figures,
    score_of_key,
)
from changgu.ticketing.surveys.pages import build_pages
from changgu.ticketing.surveys.service import TRIES, TRY_AGAIN, SurveyClosed, Surveys
from changgu.ticketing.ticket import CallRole, Kind, Satisfaction, Ticket, TicketState
from tests.support.site import Site
from tests.ticketing.conftest import KIM, PARK, Clock

CALL = CallId("c1")
PHONE = "01012345678"


@pytest.fixture
def surveys(database: Database, tickets: Tickets, clock: Clock) -> Surveys:
    return Surveys(database, tickets, clock)


async def opened(tickets: Tickets, call: CallId | None = CALL) -> Ticket:
    return await tickets.open(NewTicket("프린터", Kind.INQUIRY, person=7, contact=PHONE, call=call), KIM)


async def resolved(tickets: Tickets) -> Ticket:
    ticket = await opened(tickets)
    return (await tickets.move(ticket.number, Move(TicketState.RESOLVED, action="교체"), KIM)).ticket


def test_the_form_has_four_questions_in_both_languages() -> None:
    assert [QUESTION_NAMES[question][0] for question in Question] == ["신속성", "정확성", "친절성", "만족도"]
    assert set(QUESTION_TEXTS) == set(Question)


@pytest.mark.parametrize(
    ("key", "score"),
    [("1", 1), ("5", 5), ("0", None), ("6", None), ("*", None), ("", None), (None, None), ("12", None)],
)
def test_only_the_keys_one_to_five_are_scores(key: str | None, score: int | None) -> None:
    assert score_of_key(key) == score


async def test_four_answers_are_one_response_to_the_calls_ticket(surveys: Surveys, tickets: Tickets) -> None:
    ticket = await opened(tickets)
    case = await surveys.case_of(CALL)
    assert case == ticket.number

    for question, score in zip(Question, (5, 4, None, 5), strict=True):
        response = await surveys.survey_answer(case, question, score, way=Way.AFTER_CALL, call=CALL)

    assert response.scores == dict(zip(Question, (5, 4, None, 5), strict=True))
    assert (response.ticket, response.call, response.way) == (ticket.number, CALL, Way.AFTER_CALL)
    assert len(await surveys.responses()) == 1
    assert await surveys.case_of(CALL) is None


async def test_a_call_without_a_ticket_is_a_case_of_its_own(surveys: Surveys) -> None:
    case = await surveys.case_of(CallId("pbx-1.9"))
    assert case == "pbx-1.9"

    response = await surveys.survey_answer(case, Question.OVERALL, 1, way=Way.AFTER_CALL, call=CallId(case))

    assert (response.ticket, response.scores) == (None, {Question.OVERALL: 1})


async def test_a_ticket_that_opens_while_its_caller_is_asked_gets_the_whole_response(
    surveys: Surveys, tickets: Tickets
) -> None:
    await surveys.survey_answer(CALL, Question.PROMPTNESS, 5, way=Way.AFTER_CALL, call=CALL)
    ticket, _ = await tickets.open_for_call(CALL, None, QueueName("network"), Caller(PHONE), "자동")

    response = await surveys.survey_answer(CALL, Question.OVERALL, 1, way=Way.AFTER_CALL, call=CALL)

    assert (response.case, response.ticket) == (ticket.number, ticket.number)
    assert response.scores == {Question.PROMPTNESS: 5, Question.OVERALL: 1}
    assert len(await surveys.responses()) == 1
    assert len((await tickets.file(ticket.number)).followed_by) == 1
    assert await surveys.case_of(CALL) is None


async def test_a_case_is_answered_once_whichever_way_it_is_asked(
    surveys: Surveys, tickets: Tickets, clock: Clock
) -> None:
    ticket = await opened(tickets)
    await surveys.survey_answer(ticket.number, Question.OVERALL, 4, way=Way.AFTER_CALL, call=CALL)

    with pytest.raises(SurveyClosed):
        await surveys.survey_answer(ticket.number, Question.OVERALL, 1, way=Way.OUTBOUND, call=CallId("out"))
    clock.at += EDIT_WINDOW
    await surveys.survey_answer(ticket.number, Question.OVERALL, 5, way=Way.AFTER_CALL, call=CALL)
    clock.pass_by(seconds=1)
    with pytest.raises(SurveyClosed):
        await surveys.survey_answer(ticket.number, Question.OVERALL, 3, way=Way.AFTER_CALL, call=CALL)

    response = await surveys.response(ticket.number)
    assert response is not None
    assert response.scores == {Question.OVERALL: 5}


async def test_silence_does_not_take_an_answer_back_and_may_be_asked_about_again(
    surveys: Surveys, tickets: Tickets, clock: Clock
) -> None:
    ticket = await opened(tickets)
    await surveys.survey_answer(ticket.number, Question.PROMPTNESS, None, way=Way.AFTER_CALL, call=CALL)
    clock.pass_by(days=1)
    assert await surveys.may_ask(ticket.number)

    response = await surveys.survey_answer(ticket.number, Question.PROMPTNESS, 3, way=Way.OUTBOUND, call=CallId("o"))
    assert (response.way, response.scores) == (Way.OUTBOUND, {Question.PROMPTNESS: 3})
    response = await surveys.survey_answer(ticket.number, Question.PROMPTNESS, None, way=Way.OUTBOUND, call=CallId("o"))
    assert response.scores == {Question.PROMPTNESS: 3}
    assert not await surveys.may_ask(ticket.number)


async def test_a_low_overall_score_opens_one_complaint(surveys: Surveys, tickets: Tickets) -> None:
    ticket = await resolved(tickets)
    await surveys.survey_answer(ticket.number, Question.KINDNESS, 1, way=Way.AFTER_CALL, call=CALL)
    assert (await tickets.file(ticket.number)).followed_by == []

    await surveys.survey_answer(ticket.number, Question.OVERALL, 2, way=Way.AFTER_CALL, call=CALL)
    await surveys.survey_answer(ticket.number, Question.OVERALL, 1, way=Way.AFTER_CALL, call=CALL)

    (complaint,) = (await tickets.file(ticket.number)).followed_by
    assert (await tickets.get(complaint)).kind is Kind.COMPLAINT
    closing = Move(TicketState.CLOSED, callback_note="콜백", satisfaction=Satisfaction.DISSATISFIED)
    assert (await tickets.move(ticket.number, closing, KIM)).followed_by == [complaint]


@pytest.mark.parametrize("score", [0, 6, -1])
async def test_what_is_no_score_is_refused(surveys: Surveys, tickets: Tickets, score: int) -> None:
    ticket = await opened(tickets)
    with pytest.raises(BadInput):
        await surveys.survey_answer(ticket.number, Question.OVERALL, score)

    assert await surveys.responses() == []


@pytest.mark.parametrize("case", ["", "a\nb", ticket_number(999_999), "x" * 200])
async def test_what_is_no_case_is_refused(surveys: Surveys, case: str) -> None:
    with pytest.raises(BadInput):
        await surveys.survey_answer(case, Question.OVERALL, 3)


async def test_means_leave_silence_out_and_the_rate_counts_it(surveys: Surveys, clock: Clock) -> None:
    for number, scores in enumerate(((5, 5, 5, 5), (1, None, 3, 2), (None, None, None, None))):
        for question, score in zip(Question, scores, strict=True):
            await surveys.survey_answer(f"call-{number}", question, score, call=CallId(f"call-{number}"))
        clock.pass_by(hours=1)

    all_of_them = await surveys.figures()
    assert (all_of_them.responses, all_of_them.answered, all_of_them.response_rate) == (3, 2, 2 / 3)
    assert [(one.asked, one.answered, one.mean) for one in all_of_them.questions] == [
        (3, 2, 3.0), (3, 1, 5.0), (3, 2, 4.0), (3, 2, 3.5),
    ]  # fmt: skip
    last = await surveys.figures(since=clock() - timedelta(hours=1))
    assert (last.answered, last.questions[0].mean, last.response_rate) == (0, None, 0.0)
    assert figures([]).response_rate is None


# ---- by an outbound call --------------------------------------------------------------------------------------------


async def test_the_requester_of_a_resolved_ticket_is_called_three_times_at_most(
    surveys: Surveys, tickets: Tickets, clock: Clock
) -> None:
    ticket = await resolved(tickets)
    await surveys.invite(ticket.number, PHONE, PARK)

    for _ in range(TRIES):
        assert [(one.number, number) for one, number in await surveys.due()] == [(ticket.number, PHONE)]
        await surveys.called(ticket.number, reached=False)
        assert await surveys.due() == []
        clock.at += TRY_AGAIN
    assert await surveys.due() == []


async def test_whoever_answered_otherwise_meanwhile_is_not_called(surveys: Surveys, tickets: Tickets) -> None:
    ticket = await resolved(tickets)
    await surveys.invite(ticket.number, PHONE, PARK)
    await surveys.survey_answer(ticket.number, Question.OVERALL, 4, way=Way.WEB)

    assert await surveys.due() == []
    with pytest.raises(SurveyClosed):
        await surveys.invite(ticket.number, PHONE, PARK)


async def test_nobody_is_asked_about_what_is_not_resolved(surveys: Surveys, tickets: Tickets) -> None:
    ticket = await opened(tickets)
    with pytest.raises(Conflict):
        await surveys.invite(ticket.number, PHONE, PARK)


async def test_the_newest_ticket_of_a_call_is_its_case(surveys: Surveys, tickets: Tickets) -> None:
    await tickets.open_for_call(CALL, None, QueueName("network"), Caller(PHONE), "자동")
    second = await opened(tickets, None)
    await tickets.link(second.number, CALL, CallRole.FOLLOWED_UP, KIM)

    assert await surveys.case_of(CALL) == second.number


@pytest.mark.parametrize(
    ("lang", "words"),
    [("ko", ("시작 1건, 응답 1건, 응답률 100.0 %", "신속성", "무응답")), ("en", ("1 begun, 1 answered", "promptness"))],
)
async def test_a_supervisor_reads_the_results_on_a_page_and_an_agent_does_not(
    database: Database, lang: str, words: tuple[str, ...]
) -> None:
    today = Tickets(database)  # the page asks for the days before now
    given, site = Surveys(database, today), Site()
    site.open([build_pages(site.gate, site.pages, given)])
    async with site.visitor("supervisor", lang) as client:
        empty = (await client.get("/surveys")).text
        assert "surveys.after_call" in empty  # how it is turned on
        ticket = await opened(today)
        for question, score in zip(Question, (5, 4, None, 1), strict=True):
            await given.survey_answer(ticket.number, question, score, way=Way.AFTER_CALL, call=CALL)
        page = await client.get("/surveys")
    assert page.status_code == 200
    for word in (*words, "5.00", "1.00", f'href="/tickets/{ticket.number}"', f'href="/calls/{CALL}"'):
        assert word in page.text
    async with site.visitor("agent", lang) as client:
        assert (await client.get("/surveys")).status_code == 403
