"""Questions, conditions, look-ups and sub-flows: what a session does with them, turn by turn."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from changgu.ivr_flows.flow import Flow, Limits
from changgu.ivr_flows.limits import LOOK_UP_LIMIT, LOOK_UP_SOURCES, PIN_CHECK_LIMIT, look_up_limit
from changgu.ivr_flows.loader import load
from changgu.ivr_flows.nodes import DigitsPrompt, NamedPrompt, NodeName, SpokenWay, TextPrompt, ValuePrompt
from changgu.ivr_flows.opening_hours import Calendar, period
from changgu.ivr_flows.service import beside
from changgu.ivr_flows.session import (
    ClockRead,
    DigitsGathered,
    Done,
    Event,
    Failed,
    GiveAnswer,
    HangUp,
    Heard,
    Left,
    LookedUp,
    LookUpFailed,
    MarkNode,
    NothingPressed,
    NotUnderstood,
    Play,
    Recorded,
    SessionState,
    SpeechBusy,
    ToQueue,
    Turn,
    Visit,
    WaitCallback,
    WaitClock,
    WaitDigits,
    WaitHttp,
    WaitLookUp,
    WaitMessage,
    WaitSpeech,
    resume,
    start,
)

HEAD = "flow: f\nstart: first\nperson: operator\nnodes:\n  operator: {kind: to_queue, queue: helpdesk}\n"
ENDS = "  yes: {kind: to_queue, queue: yes}\n  no: {kind: to_queue, queue: no}\n"
PERSON, YES, NO = ToQueue("helpdesk"), ToQueue("yes"), ToQueue("no")


def flow(nodes: str, others: str = "") -> Flow:
    used = "".join(line + "\n" for line in ENDS.splitlines() if line.split(":")[0].strip() in nodes)
    known = replace(beside(), flows={"sub": others} if others else {})
    return load(HEAD + nodes + used, "f.yaml", None, {}, None, known)


def visited(tree: Flow, *events: Event, visit: Visit | None = None) -> Turn:
    """The last turn, each state having been written down and read again on the way."""
    turn = start(tree, visit or Visit("01012345678", "1000"))
    for event in events:
        state = SessionState.from_dict(json.loads(json.dumps(turn.state.as_dict())))
        turn = resume(tree, state, event)
    return turn


def keys(digits: str) -> DigitsGathered:
    return DigitsGathered(digits)


def said(turn: Turn) -> list[str]:
    """Names, digits and texts, in order."""
    prompts = (prompt for step in turn.steps if isinstance(step, Play) for prompt in step.prompts)
    names = []
    for prompt in prompts:
        match prompt:
            case NamedPrompt(name):
                names.append(name)
            case DigitsPrompt(digits):
                names.append(digits)
            case TextPrompt(text):
                names.append(text)
    return names


# ---- numbers --------------------------------------------------------------------------------------------------------

NUMBER = (
    "  first: {kind: collect_digits, say: ask, name: pin, min: 4, max: 6, next: told, failed: no, repeats: 1}\n"
    "  told: {kind: say, say: {value: pin, as: digits}, next: yes}\n"
)


def test_a_number_may_begin_with_0_and_0_alone_is_a_person() -> None:
    assert visited(flow(NUMBER), keys("0412")).outcome == YES
    assert said(visited(flow(NUMBER), keys("0412"))) == ["0412"]
    assert visited(flow(NUMBER), keys("0")).outcome == PERSON


def test_a_number_too_short_or_none_is_asked_again_and_then_the_flow_says_where_to() -> None:
    again = visited(flow(NUMBER), keys("12"))
    assert (said(again), again.outcome) == (["wrong_key", "ask"], None)
    assert said(visited(flow(NUMBER), NothingPressed())) == ["nothing_pressed", "ask"]
    assert visited(flow(NUMBER), keys("12"), NothingPressed()).outcome == NO
    assert visited(flow(NUMBER.replace(", failed: no", "")), keys("12"), NothingPressed()).outcome == PERSON


def test_a_star_gives_up_what_was_keyed() -> None:
    assert said(visited(flow(NUMBER), keys("99*04"))) == ["wrong_key", "ask"]
    half = visited(flow(NUMBER), keys("999*04"))  # all the room is used: the rest of the number is waited for
    assert isinstance(half.wait, WaitDigits)
    assert (half.wait.max_digits, half.steps) == (4, ())
    assert said(resume(flow(NUMBER), half.state, keys("12"))) == ["0412"]
    assert visited(flow(NUMBER), keys("999*04"), NothingPressed(), keys("5555")).outcome == YES


def test_a_number_is_read_back_when_it_is_to_be_confirmed() -> None:
    tree = flow(NUMBER.replace("repeats: 1", "confirm: true"))
    asked = visited(tree, keys("1234"))
    assert said(asked) == ["number_is", "1234", "confirm_number"]
    assert visited(tree, keys("1234"), keys("1")).outcome == YES
    assert said(visited(tree, keys("1234"), keys("2"))) == ["ask"]
    assert said(visited(tree, keys("1234"), keys("7"))) == ["wrong_key", "number_is", "1234", "confirm_number"]
    assert visited(tree, keys("1234"), keys("0")).outcome == PERSON


# ---- voice ----------------------------------------------------------------------------------------------------------

VOICE = (
    "  first:\n    kind: collect_speech\n    say: ask\n    keys_say: by_key\n    name: topic\n"
    "    grammar: {choices: [{value: a, words: [프린터], key: 1}, {value: b, words: [인터넷, 네트워크], key: 2}]}\n"
    "    next: by\n  by: {kind: condition, when: [{value: topic, is: b, go: yes}], otherwise: no}\n"
)


@pytest.mark.parametrize(
    ("events", "outcome"),
    [
        ([Heard("b", "네트워크", 0.9)], YES),
        ([Heard("네트워크", "네트워크", 0.9)], YES),
        ([keys("1")], NO),
        ([keys("0")], PERSON),
        ([SpeechBusy(), keys("2")], YES),
        ([NotUnderstood(), NothingPressed(), keys("2")], YES),
        ([NotUnderstood(), Heard("b")], YES),
    ],
)
def test_an_answer_by_voice_or_by_key(events: list[Event], outcome: ToQueue) -> None:
    assert visited(flow(VOICE), *events).outcome == outcome


def test_after_two_misses_by_voice_nobody_listens_at_this_question_any_more() -> None:
    first, second = visited(flow(VOICE), NotUnderstood()), visited(flow(VOICE), NotUnderstood(), NothingPressed())
    assert (said(first), type(first.wait)) == (["not_understood", "ask"], WaitSpeech)
    assert (said(second), type(second.wait)) == (["by_key"], WaitDigits)
    lost = visited(flow(VOICE), SpeechBusy(), keys("7"), keys("7"), keys("7"))
    assert (lost.outcome, said(lost)) == (PERSON, ["no_input_person"])


def test_what_was_heard_is_kept_with_its_confidence() -> None:
    values = visited(flow(VOICE), Heard("b", "네트워크", 0.876)).state.values
    assert values == {"topic": "b", "topic.words": "네트워크", "topic.confidence": "0.88"}


def test_a_question_with_two_answers() -> None:
    by_voice = flow("  first: {kind: yes_no, say: ask, yes: yes, no: no, voice: true}\n")
    by_key = flow("  first: {kind: yes_no, say: ask, yes: yes, no: no}\n")
    assert isinstance(visited(by_voice).wait, WaitSpeech)
    assert visited(by_voice, Heard("no")).outcome == NO
    assert isinstance(visited(by_voice, SpeechBusy()).wait, WaitDigits)
    assert visited(by_key, keys("1")).outcome == YES
    assert visited(by_key, keys("0")).outcome == PERSON
    assert said(visited(by_key, keys("*"))) == ["ask"]
    assert visited(by_key, *[NothingPressed()] * 3).outcome == PERSON


# ---- deciding -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("test", "holds"),
    [
        ('{value: caller, is: "01012345678", go: yes}', True),
        ('{value: caller, is_not: "01012345678", go: yes}', False),
        ('{value: caller, one_of: ["1", "01012345678"], go: yes}', True),
        ('{value: caller, starts_with: "010", go: yes}', True),
        ("{value: dialled, more_than: 999, go: yes}", True),
        ("{value: dialled, less_than: 1000, go: yes}", False),
        ("{value: language, more_than: 1, go: yes}", False),
        ("{value: caller, known: true, go: yes}", True),
        ("{value: today, known: true, go: yes}", False),
        ("{value: today, known: false, go: yes}", True),
        ('{value: x, is: "{dialled}", go: yes}', True),
    ],
)
def test_a_condition(test: str, holds: bool) -> None:
    nodes = '  first: {kind: set, values: {x: "{dialled}"}, next: c}\n'
    nodes += f"  c: {{kind: condition, when: [{test}], otherwise: no}}\n"
    assert visited(flow(nodes)).outcome == (YES if holds else NO)


OFFICE = Calendar("Asia/Seoul", {day: (period("09:00-18:00"),) for day in range(5)}, (period("12:00-13:00"),))


@pytest.mark.parametrize(
    ("at", "queue", "hours"),
    [
        ("2026-11-20T08:59:59", "open", "open"),  # in UTC: 17:59:59
        ("2026-11-20T09:00:00", "closed", "closed"),
        ("2026-11-20T03:00:00", "lunch", "lunch"),
        ("2026-10-05T01:00:00", "closed", "holiday"),  # a holiday leads where closed does, unless the flow says
    ],
)
def test_opening_hours_lead_by_the_clock(at: str, queue: str, hours: str) -> None:
    nodes = "  first: {kind: opening_hours, calendar: desk, open: o, closed: c, lunch: l}\n"
    nodes += "".join(f"  {name[0]}: {{kind: to_queue, queue: {name}}}\n" for name in ("open", "closed", "lunch"))
    tree = replace(flow(nodes), calendars={"desk": OFFICE})
    assert isinstance(visited(tree).wait, WaitClock)
    turn = visited(tree, ClockRead(datetime.fromisoformat(at).replace(tzinfo=UTC)))
    assert turn.outcome == ToQueue(queue)
    assert turn.state.values["hours"] == hours
    if hours == "holiday":
        assert turn.state.values["holiday"] == "개천절 대체 휴일"
        assert turn.state.values["opens"] == "2026-10-06T09:00+09:00"


LOOK = (
    '  first: {kind: look_up, source: person, key: "{caller}", name: who, found: f, not_found: no, failed: yes}\n'
    "  f: {kind: say, say: {value: who.age, as: number}, next: yes}\n"
)


def test_a_look_up_gives_values_or_leads_elsewhere() -> None:
    tree = flow(LOOK)
    assert visited(tree).wait == WaitLookUp("person", "01012345678", "01012345678")
    found = visited(tree, LookedUp({"age": "3287", "Name": "김"}))
    assert said(found) == ["thousands_3", "hundreds_2", "number_87"]
    assert found.state.values == {"who.age": "3287", "who.name": "김"}
    assert visited(tree, LookedUp(None)).outcome == NO
    assert visited(tree, LookUpFailed()).outcome == YES
    unsaid = visited(flow(LOOK.replace(", failed: yes", "")), LookUpFailed())
    assert (unsaid.outcome, said(unsaid)) == (PERSON, ["look_up_failed"])


def test_a_second_answer_keeps_nothing_of_the_first() -> None:
    tree = flow(
        '  first: {kind: look_up, source: person, key: "1", name: who, found: again, not_found: no, failed: yes}\n'
        '  again: {kind: look_up, source: person, key: "2", name: who, found: f, not_found: no, failed: yes}\n'
        "  f: {kind: say, say: {value: who.age, as: number}, next: yes}\n"
    )
    found = visited(tree, LookedUp({"age": "30", "mail": "lee@example.org"}), LookedUp({"age": "40"}))
    assert found.state.values == {"who.age": "40"}
    assert visited(tree, LookedUp({"age": "30"}), LookedUp(None)).state.values == {}
    assert visited(tree, LookedUp({"age": "30"}), LookUpFailed()).state.values == {"who.age": "30"}


@pytest.mark.parametrize("dots", [".", ".."])
def test_dots_climb_nowhere(dots: str) -> None:
    nodes = f'  first: {{kind: set, values: {{x: "{dots}"}}, next: ask}}\n'
    nodes += '  ask: {kind: http_look_up, url: "https://h.example/i/{x}/state", name: a, timeout: 2, '
    nodes += "found: yes, not_found: no}\n"
    assert visited(flow(nodes)).wait == WaitHttp("https://h.example/i//state", (), 2.0)


def test_a_callers_value_cannot_change_the_address_that_is_asked() -> None:
    nodes = '  first: {kind: set, values: {x: "a/../b?c=d&e"}, next: ask}\n'
    nodes += '  ask: {kind: http_look_up, url: "https://h.example/i/{x}", query: {q: "{x}"}, name: a, timeout: 2, '
    nodes += "found: yes, not_found: no}\n"
    assert visited(flow(nodes)).wait == WaitHttp(
        "https://h.example/i/a%2F..%2Fb%3Fc%3Dd%26e", (("q", "a/../b?c=d&e"),), 2.0
    )


# ---- sub-flows ------------------------------------------------------------------------------------------------------

SUB = """\
flow: sub
start: ask
parameters: {what: null, how: gently}
returns: [answer]
nodes:
  ask: {kind: collect_digits, say: {text: "{what} {how} {caller}"}, name: answer, min: 1, max: 2, next: back}
  back: {kind: return, values: {twice: "{answer}{answer}"}}
"""
CALLS = (
    '  first: {kind: set, values: {mine: "1", answer: old}, next: call}\n'
    "  call: {kind: sub_flow, flow: sub, arguments: {what: key}, next: c}\n"
    '  c: {kind: condition, when: [{value: twice, is: "4242", go: yes}], otherwise: no}\n'
)


def test_a_sub_flow_knows_its_arguments_and_gives_back_what_it_returns() -> None:
    tree = flow(CALLS, SUB)
    inside = visited(tree)
    assert said(inside) == ["key", "gently", "01012345678"]
    assert inside.state.values == {"what": "key", "how": "gently"}
    assert MarkNode(NodeName("sub/ask")) in inside.steps
    back = visited(tree, keys("42"))
    assert back.outcome == YES
    assert back.state.values == {"mine": "1", "answer": "42", "twice": "4242"}


def test_0_in_a_sub_flow_is_the_person_of_the_flow_the_caller_began_in() -> None:
    assert visited(flow(CALLS, SUB), keys("0")).outcome == PERSON


def test_a_sub_flow_that_calls_itself_ends_with_a_person() -> None:
    """The checks refuse it; a session is not to go round for ever even so."""
    tree = flow(CALLS, SUB)
    calls = tree.nodes[NodeName("call")]
    sub = replace(tree.flows["sub"], nodes={**tree.flows["sub"].nodes, NodeName("ask"): calls})
    assert visited(replace(tree, flows={"sub": sub})).outcome == PERSON


# ---- deeds ----------------------------------------------------------------------------------------------------------


def test_a_survey_keeps_scores_and_none() -> None:
    tree = flow("  first: {kind: survey_question, question: overall, say: ask, next: yes, case: \"7\"}\n")
    assert GiveAnswer("7", "overall", 4) in visited(tree, keys("4")).steps
    assert GiveAnswer("7", "overall", None) in visited(tree, NothingPressed(), NothingPressed()).steps
    assert said(visited(tree, keys("6"))) == ["wrong_key", "ask"]
    assert visited(tree, keys("0")).outcome == PERSON


def test_a_language_is_chosen_by_key_and_silence_keeps_the_one_there_is() -> None:
    nodes = "  first: {kind: choose_language, say: choose, languages: {1: ko, 2: en}, next: hello}\n"
    nodes += "  hello: {kind: say, say: {ko: 안녕, en: hello}, next: yes}\n"
    tree = flow(nodes)
    asked = [step.language for step in visited(tree).steps if isinstance(step, Play)]
    assert asked == ["ko", "en"]
    assert said(visited(tree, keys("2"))) == ["hello"]
    assert visited(tree, keys("2")).state.visit.language == "en"
    assert said(visited(tree, NothingPressed())) == ["안녕"]
    assert said(visited(tree, keys("7"))) == ["choose", "choose"]
    assert said(visited(tree, keys("7"), keys("7"))) == ["안녕"]


def test_what_is_done_for_a_caller_or_not() -> None:
    back = flow("  first: {kind: callback_request, queue: pc, priority: 1}\n")
    assert visited(back).wait == WaitCallback("pc", "01012345678", 1)
    assert visited(back, Done()).outcome == HangUp(True, Left.CALLBACK)
    assert visited(back, Failed()).outcome == PERSON
    message = '  first: {kind: send_message, message: mail, to: "{caller}@x", text: "{dialled}", subject: s, '
    message += "next: yes}\n"
    assert visited(flow(message)).wait == WaitMessage("mail", "01012345678@x", "1000", "s")
    failed = visited(flow(message), Failed())
    assert (failed.outcome, said(failed)) == (YES, ["message_failed"])
    record = flow("  first: {kind: record, say: ask, next: end}\n  end: {kind: hang_up, served: false}\n")
    assert visited(record, Recorded("r", 3.2)).outcome == HangUp(True, Left.RECORDING)
    assert visited(record, Failed()).outcome == PERSON
    number = flow('  first: {kind: to_number, number: "02", failed: no}\n')
    assert visited(number, Done()).outcome == HangUp(True, Left.NUMBER)
    assert visited(number, Failed()).outcome == NO
    fax = flow("  first: {kind: receive_fax}\n")
    assert visited(fax, Done()).outcome == HangUp(True, Left.FAX)
    assert visited(fax, Failed()).outcome == PERSON
    agent = flow('  first: {kind: to_agent, agent: "{caller}", queue: pc, priority: 3}\n')
    assert visited(agent).outcome == ToQueue("pc", 3, agent="01012345678")


def test_look_ups_count_against_the_limit_like_questions() -> None:
    tree = flow(LOOK)
    assert start(replace(tree, limits=Limits(turns=0)), Visit()).outcome == PERSON


def test_news_that_answers_nothing_asks_again() -> None:
    tree = flow(LOOK)
    again = visited(tree, keys("5"))
    assert (again.wait, again.state.turns) == (WaitLookUp("person", "01012345678", "01012345678"), 2)


def test_a_value_that_is_not_there_is_not_said() -> None:
    tree = flow("  first: {kind: say, say: [a, {value: gone, as: moment}, {text: 'b {gone:date} c'}], next: yes}\n")
    assert said(visited(tree)) == ["a", "b", "c"]
    assert ValuePrompt("x").way is SpokenWay.TEXT


def test_who_keys_a_pin_while_many_others_do_is_not_told_that_it_failed() -> None:
    """One check is made after the other: what the twentieth in line waits for took longer than other look-ups may."""
    assert {source: look_up_limit(source) for source in LOOK_UP_SOURCES} == {
        **dict.fromkeys(LOOK_UP_SOURCES, LOOK_UP_LIMIT), "caller_check": PIN_CHECK_LIMIT, "choose_pin": PIN_CHECK_LIMIT,
    }  # fmt: skip
