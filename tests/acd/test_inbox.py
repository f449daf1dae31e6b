"""Whose news goes first when more comes than can be handled, and what never changes places."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from changgu.acd.events import (
    AgentHungUp,
    CallArrived,
    CallerDialledIn,
    CallerHungUp,
    Event,
    KeyPressed,
    MenuStepReached,
    PhoneReachable,
)
from changgu.acd.identity import AgentId, CallId, OfferId, QueueName
from changgu.acd.inbox import AT_MOST, Inbox


@dataclass(frozen=True, eq=False)
class Note:
    """An entry; two of the same news are two."""

    news: object


HELP = QueueName("help")


def came(call: str) -> list[Event]:
    return [CallerDialledIn(CallId(call), None, "1000"), CallArrived(CallId(call), HELP)]


def hung_up(agent: str, call: str) -> AgentHungUp:
    return AgentHungUp(AgentId(agent), CallId(call), OfferId(1))


def order(*news: object, in_turn: tuple[object, ...] = ()) -> list[object]:
    inbox: Inbox[Note] = Inbox()
    for one in news:
        inbox.put(Note(one), in_turn=one in in_turn)
    return [inbox.take().news for _ in range(len(inbox))]


def test_who_has_come_waits_while_an_agent_is_freed() -> None:
    freed = hung_up("alice", "c9")
    assert order(*came("c1"), *came("c2"), freed) == [freed, *came("c1"), *came("c2")]


def test_who_hung_up_first_is_told_first() -> None:
    """A caller who hangs up before the agent does has ended the call, however many ring at the door."""
    caller = CallerHungUp(CallId("c9"))
    agent = hung_up("alice", "c9")
    assert order(*came("c1"), caller, agent) == [caller, agent, *came("c1")]


def test_nobody_hangs_up_before_they_have_come() -> None:
    gone, freed = CallerHungUp(CallId("c1")), hung_up("alice", "c9")
    assert order(*came("c1"), gone, freed, *came("c2")) == [freed, *came("c1"), gone, *came("c2")]


def test_once_a_caller_has_come_the_end_of_their_conversation_goes_before_callers_who_come() -> None:
    inbox: Inbox[Note] = Inbox()
    for news in came("c1"):
        inbox.put(Note(news))
    assert [inbox.take().news, inbox.take().news] == came("c1")
    freed = hung_up("alice", "c1")
    for news in (*came("c2"), freed):
        inbox.put(Note(news))
    assert inbox.take().news == freed


def test_a_reload_is_overtaken_by_nothing_that_comes_after_it() -> None:
    """An agent who is new in the routing file signs in a moment after it was read."""
    reload, freed, new = object(), hung_up("alice", "c9"), PhoneReachable(AgentId("new"))
    assert order(*came("c1"), freed, reload, new, in_turn=(reload,)) == [freed, *came("c1"), reload, new]
    assert order(reload, new, *came("c1"), freed, in_turn=(reload,)) == [reload, new, freed, *came("c1")]


def test_a_second_reload_is_overtaken_by_nothing_either_once_the_first_is_done() -> None:
    inbox: Inbox[Note] = Inbox()
    for news in (*came("c1"), "first", "second"):
        inbox.put(Note(news), in_turn=isinstance(news, str))
    assert [inbox.take().news for _ in range(3)] == [*came("c1"), "first"]
    inbox.put(Note(hung_up("alice", "c9")))
    assert inbox.take().news == "second"


def test_nobody_who_comes_after_a_reload_goes_before_it_however_much_waits_there() -> None:
    much = [hung_up(f"a{number}", "c9") for number in range(2 * AT_MOST)]
    reload = object()
    assert order(*much, reload, *came("c1"), in_turn=(reload,)) == [*much, reload, *came("c1")]


def test_who_has_come_has_a_turn_however_much_happens() -> None:
    much = [hung_up(f"a{number}", "c9") for number in range(3 * AT_MOST)]
    first, second = came("c1")
    assert order(first, second, *much) == [
        *much[:AT_MOST], first, *much[AT_MOST : 2 * AT_MOST], second, *much[2 * AT_MOST :],
    ]  # fmt: skip


NEWS = st.sampled_from(["c1", "c2", "c3"]).flatmap(
    lambda call: st.sampled_from(
        [
            *came(call),
            MenuStepReached(CallId(call), "main"),
            CallerHungUp(CallId(call)),
            KeyPressed(CallId(call), "1"),
            hung_up("alice", call),
            "reload",
        ]
    )
)


@given(st.lists(NEWS | st.none(), max_size=60))
def test_nothing_is_lost_and_of_each_call_everything_stays_in_its_order(news: list[object]) -> None:
    """None: something is taken from the inbox."""
    inbox: Inbox[Note] = Inbox()
    put: list[Note] = []
    taken: list[Note] = []
    for one in news:
        if one is not None:
            put.append(Note(one))
            inbox.put(put[-1], in_turn=one == "reload")
        elif inbox:
            taken.append(inbox.take())
    taken += [inbox.take() for _ in range(len(inbox))]
    assert len(taken) == len(put)
    assert set(map(id, taken)) == set(map(id, put))
    for call in ("c1", "c2", "c3"):
        assert _of(call, taken) == _of(call, put)
    for at, note in enumerate(put):
        if note.news == "reload":
            place = taken.index(note)
            assert all(taken.index(later) > place for later in put[at + 1 :])


def _of(call: str, notes: list[Note]) -> list[Note]:
    return [note for note in notes if getattr(note.news, "call", None) == call]
