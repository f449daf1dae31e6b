"""New routing rules while calls go on: nobody is cut off, forgotten or moved back, and a wrong file changes nothing."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from changgu.acd.call_state import CallState
from changgu.acd.commands import HangUpAgent, HangUpCaller, StopRinging
from changgu.acd.engine import Effect
from changgu.acd.events import KeyPressed, MenuEnded
from changgu.acd.facts import CallEnded, CallStarted, Outcome
from changgu.acd.identity import CallId, QueueName
from changgu.acd.queues import Agent, Queue
from changgu.acd.queues import Floor as FloorPlan
from changgu.acd.routing import RoutingErrors, read_routing
from tests.support.floor import Floor, a_queue, an_agent

NETWORK, HELPDESK, PC = QueueName("network"), QueueName("helpdesk"), QueueName("pc")
QUEUES = (a_queue("network"), a_queue("helpdesk"), a_queue("pc"))
AGENTS = (
    an_agent("alice", NETWORK, HELPDESK, skills=("vpn:7", "english")),
    an_agent("bob", NETWORK, PC, skills=("vpn",)),
    an_agent("carol", HELPDESK),
    an_agent("dave", PC, HELPDESK, skills=("english",)),
)

RULES = (
    "",
    '[queue.network]\nstrategy = "ring_all"\npriority = 2\n[queue.pc]\nstrategy = "round_robin"\n'
    "[agent.alice]\nwrap_up = 5\nseats = { network = { level = 3, delay = 15 } }\n",
    '[queue.network]\nrelax = [{ after = 10, lower = 3 }, { after = 20, drop = ["*"], open = ["helpdesk"] }]\n'
    'overflow = [{ when = "full", limit = 2, to = "queue:helpdesk" },\n'
    '  { when = "waited", limit = "2m", to = "queue:pc" }]\n'
    'keys = { "1" = "voicemail", "2" = "queue:helpdesk" }\n',
    '[rules]\npriority_worth = "1h"\n[queue.helpdesk]\nstrategy = "most_skilled"\n'
    "announce = { every = 10, position = true, estimate = true }\nring_limit = 5\n"
    '[queue.pc]\nstrategy = "linear"\noverflow = [{ when = "deserted", limit = 30, to = "open:network" }]\n',
)
WRONG = (
    "[queue.network",
    '[queue.network]\nstrategy = "ring_all"\npriority = 3\n[agent.nobody]\nwrap_up = 1\n',
    '[queue.pc]\noverflow = [{ when = "full", limit = 1, to = "queue:network" }]\n'
    '[queue.network]\noverflow = [{ when = "full", limit = 1, to = "queue:pc" }]\n',
)


class RoutedFloor(Floor):
    """A floor whose rules come from a file."""

    def __init__(self, queues: tuple[Queue, ...] = QUEUES, agents: tuple[Agent, ...] = AGENTS) -> None:
        self.listed = FloorPlan(queues, agents)
        super().__init__(*agents, queues=queues)
        self.ready(*(agent.login for agent in agents))

    def reload(self, text: str) -> list[Effect]:
        """What the desk does when it is told that the file has changed."""
        try:
            plan = read_routing("routing.toml", text, self.listed)
        except RoutingErrors:
            return []
        self.plan = self.watch.floor = plan
        effects = self.engine.configure(plan, self.now)
        self._keep(effects, None)
        return effects

    def outcomes(self) -> Counter[str]:
        return Counter(one.fact.call for one in self.history if isinstance(one.fact, CallEnded))

    def settled(self) -> None:
        """Every caller who still is on the line hangs up."""
        for call in list(self.engine.calls.values()):
            if call.state is not CallState.ENDED:
                self.caller_hangs_up(call.call)


STEPS = st.one_of(
    st.tuples(
        st.just("call"),
        st.sampled_from(["network", "helpdesk", "pc"]),
        st.sampled_from([(), ("vpn:3",), ("english",)]),
    ),
    st.tuples(st.just("answer"), st.sampled_from(["alice", "bob", "carol", "dave"]), st.just(())),
    st.tuples(st.just("hang up"), st.sampled_from(["alice", "bob", "carol", "dave"]), st.just(())),
    st.tuples(st.just("break"), st.sampled_from(["alice", "bob", "carol", "dave"]), st.just(())),
    st.tuples(st.just("key"), st.sampled_from(["1", "2", "3"]), st.just(())),
    st.tuples(st.just("wait"), st.sampled_from(["1", "7", "25", "70"]), st.just(())),
)


def take(floor: RoutedFloor, step: tuple[str, str, tuple[str, ...]], number: int) -> None:
    """One thing that may happen on a floor, if it can happen now."""
    what, who, skills = step
    match what:
        case "call":
            floor.call(f"c{number}", who, skills=skills)
        case "answer" if floor.agent(who).offer is not None and floor.agent(who).state == "reserved":
            floor.talk(who)
        case "hang up" if floor.agent(who).state == "talking":
            floor.agent_hangs_up(who)
        case "break" if floor.agent(who).state == "ready":
            floor.not_ready(who)
        case "break" if floor.agent(who).state == "not_ready":
            floor.ready(who)
        case "key":
            waiting = [call for call in floor.engine.calls.values() if call.state is CallState.WAITING]
            if waiting:
                floor.tell(KeyPressed(waiting[-1].call, who))
        case "wait":
            floor.wait(float(who))
        case _:
            pass


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.lists(STEPS, max_size=12), st.sampled_from([*RULES, *WRONG])), min_size=1, max_size=6))
def test_reloads_under_load_lose_nobody(days: list[tuple[list[tuple[str, str, tuple[str, ...]]], str]]) -> None:
    floor, number = RoutedFloor(), 0
    for steps, text in days:
        for step in steps:
            number += 1
            take(floor, step, number)
        before, plan = dict(floor.engine.calls), floor.plan
        ended = floor.outcomes()

        effects = floor.reload(text)

        if text in WRONG:
            assert (effects, floor.plan) == ([], plan)
        assert floor.outcomes() == ended
        assert not [one for one in effects if isinstance(one, HangUpAgent | HangUpCaller | StopRinging)]
        for call, was in before.items():
            now = floor.engine.calls[call]
            assert (now.placed_at, now.queued_at) == (was.placed_at, was.queued_at)
            if was.state in (CallState.TALKING, CallState.HELD, CallState.CONNECTING, CallState.OFFERED):
                assert (now.state, now.agent, now.offer) == (was.state, was.agent, was.offer)
    floor.settled()
    dialled = [one.fact.call for one in floor.history if isinstance(one.fact, CallStarted)]
    assert floor.outcomes() == Counter(dialled)
    assert not [one for one in floor.history if isinstance(one.fact, CallEnded) and one.fact.outcome is Outcome.LOST]
    assert floor.restored().picture() == floor.engine.picture()


def where_one_has_waited_beyond_a_step() -> RoutedFloor:
    """Nobody is ready, and c1 asks for English and for more of VPN than the step at a minute leaves."""
    floor = RoutedFloor()
    floor.not_ready("alice")
    floor.reload('[queue.network]\nrelax = [{ after = 60, lower = 2 }]\n')
    floor.call("c1", "network", skills={"vpn:7", "english"})
    floor.wait(70)
    return floor


def test_a_new_step_is_taken_by_those_who_have_waited_longer_than_that_already() -> None:
    """Who has waited longest must not be the one for whom nothing is relaxed."""
    floor = where_one_has_waited_beyond_a_step()
    assert floor.the_call("c1").skills == {"vpn:5", "english"}

    floor.reload(
        '[queue.network]\nrelax = [{ after = 30, drop = ["english"], open = ["pc"] }, { after = 60, lower = 9 }]\n'
    )
    assert floor.the_call("c1").skills == {"vpn"}
    assert floor.the_call("c1").agent == "bob"

    floor.decline("bob")
    floor.reload("")
    assert floor.the_call("c1").skills == {"vpn"}, "what was granted stays"
    assert floor.the_call("c1").opened == {"pc"}
    assert floor.restored().picture() == floor.engine.picture()


def test_a_new_step_holds_for_who_was_being_connected_at_the_reload_and_could_not_be() -> None:
    floor = where_one_has_waited_beyond_a_step()
    floor.ready("alice")
    floor.answer("alice")
    assert floor.the_call("c1").state is CallState.CONNECTING
    floor.reload('[queue.network]\nrelax = [{ after = 30, drop = ["*"], open = ["pc"] }]\n')

    floor.wait(15)  # they could not be joined
    floor.not_ready("alice")
    assert not floor.the_call("c1").skills
    assert floor.the_call("c1").opened == {"pc"}
    assert floor.the_call("c1").agent in ("bob", "dave")


def test_a_strategy_that_changes_holds_from_the_next_call_on() -> None:
    floor = RoutedFloor()
    floor.wait(1)
    floor.call("first", NETWORK)
    assert floor.the_call("first").agent == "alice"
    floor.talk("alice")

    floor.reload(RULES[1])
    floor.call("second", NETWORK)

    assert floor.the_call("first").agent == "alice"
    assert floor.agent("alice").state == "talking"
    assert [login for login, _ in floor.the_call("second").ringing] == ["bob"]


def test_a_key_leads_out_of_the_queue_as_soon_as_the_file_says_so() -> None:
    floor = RoutedFloor(agents=(replace(AGENTS[0], queues=frozenset({NETWORK})), AGENTS[2]))
    floor.not_ready("alice")
    floor.not_ready("carol")
    floor.call("c1", NETWORK)
    floor.tell(KeyPressed(CallId("c1"), "2"))
    assert floor.waiting(NETWORK) == ["c1"]

    floor.reload('[queue.network]\nkeys = { "2" = "queue:helpdesk", "1" = "voicemail" }')
    floor.wait(30)
    floor.tell(KeyPressed(CallId("c1"), "2"))

    assert floor.waiting(HELPDESK) == ["c1"]
    view = floor.the_call("c1")
    assert view.placed_at == floor.now - 30
    assert view.entered_at == floor.now


def test_a_caller_at_the_mailbox_stays_there_over_a_reload() -> None:
    floor = RoutedFloor()
    for login in ("alice", "bob", "carol", "dave"):
        floor.not_ready(login)
    floor.reload('[queue.pc]\nkeys = { "1" = "voicemail" }')
    floor.call("c1", PC)
    floor.tell(KeyPressed(CallId("c1"), "1"))
    floor.reload("")
    floor.ready("dave")
    floor.wait(timedelta(minutes=5).total_seconds())

    assert floor.the_call("c1").diverted == "key"
    floor.tell(MenuEnded(CallId("c1"), served=True, outcome=Outcome.VOICEMAIL))
    assert floor.outcomes() == Counter({CallId("c1"): 1})
